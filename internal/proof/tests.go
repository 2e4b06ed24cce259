package proof

import (
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/rule"
)

// TestResult is what came of one test beside a rule.
type TestResult struct {
	Automation string `json:"automation"`
	File       string `json:"file"`
	Line       int    `json:"line"`
	Name       string `json:"name"`
	OK         bool   `json:"ok"`
	Problem    string `json:"problem,omitempty"` // why it failed, in a sentence

	Expect rule.Outcome `json:"-"`
	Run    Run          `json:"-"`
}

// At is where the test stands, as file:line.
func (r TestResult) At() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// Tests runs every test of every automation, in the order given.
func Tests(settings decide.Settings, as []*automation.Automation) []TestResult {
	var out []TestResult
	for _, a := range as {
		for i := range a.Tests {
			t := &a.Tests[i]
			run := RunOf(settings, a, t)
			out = append(out, TestResult{
				Automation: a.Name, File: a.File, Line: t.Line, Name: t.Name, OK: run.Problem == "", Problem: run.Problem, Expect: t.Expect, Run: run,
			})
		}
	}
	return out
}

// Failed returns the tests that did not come out as expected.
func Failed(rs []TestResult) []TestResult {
	return slices.DeleteFunc(slices.Clone(rs), func(r TestResult) bool { return r.OK })
}

// Run is what came of one test.
type Run struct {
	Got     rule.Outcome
	Leaves  []rule.Node // the parts of the condition that made it so
	Did     []string
	Missing []string // of what it should have done
	Problem string   // why the test failed, in a sentence; "" when it passed
	NoCase  bool     // what the test tells cannot happen; Problem says why
}

// RunOf decides the event of a test with its automation alone.
func RunOf(settings decide.Settings, a *automation.Automation, t *automation.Test) Run {
	r, err := Try(settings, []*automation.Automation{a}, Case{Event: t.Event, Order: t.Order, Given: t.Given, Stock: t.Stock, At: t.At})
	switch {
	case err != nil:
		return Run{NoCase: true, Problem: impossible(err)}
	case !r.Asked:
		return Run{NoCase: true, Problem: "no automation is asked about this event" + because(r.Decision.Trace.Notes)}
	}
	run := Run{Got: r.Outcome(a.Name), Did: r.Did(a.Name), Leaves: a.Condition.Explain(r.Decision.Facts).Leaves()}
	if run.Got != t.Expect {
		run.Problem = fmt.Sprintf("it %s; expected is that it %s%s", verb(run.Got), verb(t.Expect), because(reasons(run.Leaves)))
		return run
	}
	for _, want := range t.Does {
		if !slices.ContainsFunc(run.Did, func(did string) bool { return strings.Contains(did, want) }) {
			run.Missing = append(run.Missing, want)
		}
	}
	if len(run.Missing) > 0 {
		run.Problem = fmt.Sprintf("it does not %q; it did: %s", run.Missing[0], strings.Join(run.Did, "; "))
	}
	return run
}

func verb(o rule.Outcome) string {
	switch o {
	case rule.True:
		return "fires"
	case rule.Unknown:
		return "is unknown"
	}
	return "does not fire"
}

// reasons are the parts of the condition that made it what it is.
func reasons(leaves []rule.Node) []string {
	var out []string
	for _, n := range leaves {
		out = append(out, automation.Said(n))
	}
	return out
}

func because(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	return ": " + strings.Join(reasons, "; ")
}

// CountFailed says in words how many tests failed.
func CountFailed(n int) string {
	if n == 1 {
		return "a test beside an automation fails"
	}
	return fmt.Sprintf("%d tests beside automations fail", n)
}
