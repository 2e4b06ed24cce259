package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

func (p *program) checkCommand() *cobra.Command {
	var asJSON, strict, past bool
	c := &cobra.Command{
		Use: "check [DIR|FILE]", Short: "Run the tests beside the automations and look for what does not go together", Args: cobra.MaximumNArgs(1),
		Long: `Check a folder of files, one automation's file, or the shop's current policy when none is named: that
every text is valid, that every automation does what the tests beside it say, and
what can be proved of all of them together: pairs that want different things of
one order, with an order that shows it; rules that can never fire; loops. Of the
current policy it also tells the findings on the system map (orderly map).
Names of locations, connections and queues are looked up in the shop, when there is one.
What is not decided comes with what the recorded history says of it: always for the
current policy, for a folder with --history. At most a minute is spent on that.
Nothing is changed. The exit code is 1 when there is an error or a test fails.`,
		Example: examples("orderly check examples/shop", "orderly check examples/shop/automations/hold-large-orders.yaml", "orderly check examples/shop --history", "orderly check --strict --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, alone, err := p.check(cmd, args, past)
			if err != nil {
				return err
			}
			failed := proof.Failed(report.Tests)
			if asJSON {
				if err := p.printJSON(report); err != nil {
					return err
				}
			} else {
				p.tellReport(report, failed)
				if alone {
					p.notef("There is no shop here: names of locations, connections and queues were not looked up.\n")
				}
			}
			if len(failed) > 0 || report.Count(proof.Error) > 0 || strict && report.Count(proof.Warning) > 0 {
				return &exitError{exitFailure}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "let warnings fail, too")
	c.Flags().BoolVar(&past, "history", false, "ask the shop's recorded history about what a folder leaves undecided")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// check looks at a folder or a file when one is named, else at the database's policy. alone says that there is no shop whose
// locations, connections and queues a folder's names could be looked up in.
func (p *program) check(cmd *cobra.Command, args []string, past bool) (report *proof.Report, alone bool, err error) {
	var texts []store.Text
	if len(args) == 1 {
		if texts, err = policyTexts(args[0], true); err != nil {
			return nil, false, err
		}
		if report, err = engine.CheckTexts(texts); err != nil {
			return nil, false, err
		}
	}
	err = p.withEngine(cmd, false, func(s *shop, e *engine.Engine) (err error) {
		if texts == nil {
			report, err = e.Check(cmd.Context())
		} else {
			report, err = e.CheckFolder(cmd.Context(), texts)
		}
		if err == nil && (texts == nil || past) {
			report, err = s.askHistory(cmd.Context(), e, report)
		}
		return err
	})
	switch {
	case texts == nil || past:
	case err == nil:
		report.Unasked = "The past was not asked: --history asks it"
	case fault.KindOf(err) == fault.NotFound:
		report.Unasked = "The past was not asked: there is no shop here"
		return report, true, nil
	}
	return report, false, err
}

// policyTexts reads a policy folder or, where that makes sense, one automation.
func policyTexts(path string, orFile bool) ([]store.Text, error) {
	const op = "policy.read"
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fault.Wrap(err, fault.Invalid, op, "%s cannot be read: %v", path, reason(err))
	case info.IsDir():
		return engine.ReadFolder(os.DirFS(path))
	case !orFile:
		return nil, fault.New(fault.Invalid, op, "%s is a file; name the folder that holds the whole policy", path)
	case info.Size() > engine.MaxText:
		return nil, fault.New(fault.Invalid, op, "%s is larger than %d KiB", path, engine.MaxText>>10)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, op, "%s cannot be read: %v", path, reason(err))
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return []store.Text{{Kind: engine.KindAutomation, Name: name, Text: string(text)}}, nil
}

// reason is an error of the file system without the path, which the message names already.
func reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// askHistory asks the past about what a report leaves open, for at most a minute.
func (s *shop) askHistory(ctx context.Context, e *engine.Engine, r *proof.Report) (*proof.Report, error) {
	old, err := archive.Open(s.cfg.ArchiveDir)
	if err != nil {
		return nil, err
	}
	defer old.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return engine.AskHistory(r, func(qs []backtest.Question) (backtest.Answers, error) {
		return backtest.Past(ctx, backtest.Options{DB: s.db, Old: old, Keys: s.keys, Policies: e}, qs)
	})
}

func (p *program) tellReport(r *proof.Report, failed []proof.TestResult) {
	for _, t := range failed {
		p.printf("%s: %s: test %q: %s\n", t.At(), t.Automation, t.Name, t.Problem)
	}
	kind := proof.Kind("")
	for _, g := range r.Grouped() {
		f := &g[0]
		if f.Kind != kind {
			kind = f.Kind
			p.printf("\n%s\n", kind.Title())
		}
		p.printf("  %-7s %s\n          %s\n", f.Severity, named(f), f.Say(withMode(f)))
		if f.Witness != nil {
			p.printf("          example: %s\n", f.Witness.Text)
		}
		p.tellPast(r, f)
		p.printf("          %s\n", strings.Join(f.At, ", "))
		if len(g) > 1 {
			p.printf("          and %s:\n", ui.Plural(int64(len(g)-1), "other", "others"))
		}
		for i := range g[1:] {
			p.printf("            %s: %s\n", named(&g[i+1]), strings.Join(g[i+1].At, ", "))
			p.tellPast(r, &g[i+1])
		}
	}
	if len(r.Map) > 0 {
		p.printf("\nOn the system map\n")
	}
	for _, g := range r.Map {
		p.tellGap(g)
	}
	if len(r.Findings)+len(r.Map) > 0 {
		p.printf("\n")
	}
	p.printf("%s, %d failed. %s: %s, %s. %s looked at, %s proved, in %s.\n",
		plural(len(r.Tests), "test"), len(failed), plural(r.Automations, "automation"), plural(r.Count(proof.Error), "error"),
		plural(r.Count(proof.Warning), "warning"), plural(r.Pairs, "pair"), plural(r.Solved, "question"), r.Took.Round(time.Millisecond))
}

// named are the automations of a finding.
func named(f *proof.Finding) string {
	out := make([]string, len(f.Automations))
	for i, name := range f.Automations {
		out[i] = withMode(f)(name)
	}
	return strings.Join(out, ", ")
}

// withMode writes a name with the mode of an automation that does not act.
func withMode(f *proof.Finding) func(string) string {
	return func(name string) string {
		if m, ok := f.Idle[name]; ok {
			return name + " (" + string(m) + ")"
		}
		return name
	}
}

func (p *program) tellPast(r *proof.Report, f *proof.Finding) {
	if past := r.Past(f, p.place()); past != "" {
		p.printf("          %s%s\n", past, seen(f.History, p.place()))
	}
}

// seen names the orders that show it.
func seen(h *proof.History, zone *time.Location) string {
	if h == nil {
		return ""
	}
	var b strings.Builder
	for i, s := range h.Seen {
		b.WriteString([]string{", first on ", ", then "}[min(i, 1)] + s.Name(zone))
		if s.Number != "" && s.Order != "" {
			b.WriteString(" (" + s.Order + ")")
		}
	}
	return b.String()
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
