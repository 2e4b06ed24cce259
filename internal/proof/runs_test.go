package proof

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/rule"
)

// waitingSteps writes random steps that hold or let go after a wait, behind conditions on what may have changed
// meanwhile, on what a person or a system said, and on lines.
func (c chooser) waitingSteps() string {
	do := func() string { return c.of("release", "{ hold: { queue: risk, reason: look } }") }
	first := c.of("wait: 1h", "wait_for: { event: order.paid, for: 2d, else: [ { tag: late } ] }", "wait_for: { event: payment.disputed, for: 2d, else: [ { tag: late } ] }",
		"ask: { queue: q, title: which, options: [yes, no], as: said }", "call: { connection: score, purpose: p, as: said2, returns: { points: int }, for: 1h, else: [ { tag: late } ] }")
	cond := c.condition(1)
	switch {
	case c(3) == 0:
		cond = `order.payment == "` + c.of("paid", "pending", "authorized") + `"`
	case strings.HasPrefix(first, "ask"):
		cond = `said == "` + c.of("yes", "no") + `"`
	case strings.HasPrefix(first, "call"):
		cond = "said2.points " + c.of("<", ">") + " 50"
	}
	return first + "; { if: '" + cond + "', then: [ " + do() + " ], else: [ " + c.of("stop", do()) + " ] }"
}

// TestWhatRunsDoIsClaimed: two automations of which one holds an order and one lets it go, at whatever time, are
// never said to go together, whatever happens while they wait.
func TestWhatRunsDoIsClaimed(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 5
	}
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		as := set(t, "a | order.placed | "+c.condition(1)+" | "+c.waitingSteps(), "b | order.placed | "+c.condition(1)+" | "+c.of(c.waitingSteps(), holdRisk, "release"))
		claimed := Kind("")
		for _, f := range Check(decide.Settings{}, World{}, as).Findings {
			if slices.Equal(f.Automations, []string{"a", "b"}) && (f.Kind == Conflict || f.Kind == Open) {
				claimed = f.Kind
			}
		}
		seen["claimed "+string(claimed)]++
		quick := chooser(rand.New(rand.NewSource(int64(c(1000)))).Intn)
		for range n {
			x := quick.order()
			way := []int{quick(6), quick(6), quick(6), quick(6)}
			x.Given = rule.Map{"customer.orders": int64(quick(3))}
			done, after, _, err := follow(decide.Settings{}, as, x, way)
			if err != nil {
				continue
			}
			did := map[string]bool{}
			for _, a := range as {
				for _, x := range acts(a) {
					if done[a.Name+" "+x.at] {
						did[a.Name+" "+string(x.step.Kind)] = true
					}
				}
			}
			meet := did["a hold"] && did["b release"] || did["a release"] && did["b hold"]
			if meet {
				seen["meet"]++
			}
			if meet && claimed == "" {
				t.Fatalf("%s\nand\n%s\nare said to go together, but one holds and one releases %s, then %s", as[0].Text, as[1].Text, fmt.Sprint(x.Event), strings.Join(after, ", then "))
			}
		}
	})
	t.Log(seen)
	for _, must := range []string{"meet", "claimed conflict", "claimed undecided", "claimed "} {
		if seen[must] == 0 && !testing.Short() {
			t.Errorf("nothing was %q: the test says little", must)
		}
	}
}

// TestTagsOfThePast: a tag that no automation puts is left to the past, which decides it as far as it can.
func TestTagsOfThePast(t *testing.T) {
	find := func() *Finding {
		r := Check(decide.Settings{}, World{}, set(t, `a | order.placed | "VIPP" in order.tags && order.units > 3 | tag: x`, `b | order.placed | - | tag: vip`))
		if len(r.Findings) != 1 || r.Findings[0].Tag == nil || r.Findings[0].Kind != Open || r.Findings[0].Severity != Note {
			t.Fatalf("found %+v", r.Findings)
		}
		if put := r.Put(); !slices.Equal(put, []string{"vip", "x"}) {
			t.Fatalf("the automations put %q", put)
		}
		return &r.Findings[0]
	}
	for _, tc := range []struct {
		name string
		past *History
		near []string
		keep bool
		want string
	}{
		{"nobody was asked", nil, nil, true, "not decided"},
		{"nothing is recorded", &History{Whole: true}, nil, true, "not decided"},
		{"orders came with it", &History{Whole: true, Looked: 9, Times: 1}, nil, false, ""},
		{"not all was looked at", &History{Looked: 9}, nil, true, "not decided"},
		{"none came with it", &History{Whole: true, Looked: 9}, []string{"vip", "x"}, true, `no recorded order came with it, so that part has never been true. Correct the tag (did you mean "vip"?)`},
	} {
		f := find()
		if keep := f.Answer(tc.past, tc.near); keep != tc.keep || keep && !strings.Contains(f.Message, tc.want) {
			t.Errorf("%s: kept %v: %s %s: %s", tc.name, keep, f.Kind, f.Severity, f.Message)
		}
		if sure := f.Kind == Unwritten; sure != strings.Contains(tc.want, "never been true") || sure != (f.Severity == Warning) {
			t.Errorf("%s: it is %s, a %s", tc.name, f.Kind, f.Severity)
		}
	}
	if r := Check(decide.Settings{}, World{}, set(t, `a | order.placed | !("x" in order.tags) | tag: x`)); len(r.Findings) != 0 {
		t.Errorf("a tag that it puts itself: %+v", r.Findings)
	}
	if a := set(t, `a | order.placed | order.tags.all(t, t != "old" || t in ["b", "c"]) && !order.lines.exists(l, l.sku == "no") && order.note in ["d"] && customer.tags.exists(t, t.startsWith("e") || "f" == t) | set: { name: n, value: '"g" in order.tags' }; { if: n, then: [ stop ] }`); len(a) == 1 {
		if order, buyer := tagsRead(a[0], "order.tags"), tagsRead(a[0], "customer.tags"); !slices.Equal(order, []string{"b", "c", "g", "old"}) || !slices.Equal(buyer, []string{"f"}) {
			t.Errorf("it looks for %q and %q", order, buyer)
		}
	}
}

// TestEveryOpenFindingHasAWordOfThePast: one that is not decided has the answer of the past, or a sentence why there is
// none; nothing recorded is never told as if all were well.
func TestEveryOpenFindingHasAWordOfThePast(t *testing.T) {
	day := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	pair, alone := []string{"a", "b"}, []string{"a"}
	for _, tc := range []struct {
		on      string
		names   []string
		tag     *Tag
		history *History
		report  Report
		want    string
	}{
		{"order.placed", pair, nil, &History{Looked: 9, Times: 2, Since: day, Whole: true}, Report{}, "In 9 recorded events since 2026-08-01 both fire 2 times"},
		{"order.placed", alone, nil, &History{Looked: 1, Since: day, Whole: true}, Report{}, "In 1 recorded event since 2026-08-01 it never fires"},
		{"order.placed", alone, nil, &History{Whole: true}, Report{}, "The past cannot tell: no such event is recorded yet"},
		{"order.placed", pair, nil, &History{}, Report{}, "The past cannot tell: there was no time to read it"},
		{"order.placed", pair, nil, &History{Since: day, Until: day}, Report{}, "The past cannot tell yet: nothing of the kind was found from 2026-08-01 to 2026-08-01, as far as it was read in time"},
		{"schedule.due", pair, nil, &History{Looked: 30, Unknown: 1, Since: day, Whole: true}, Report{}, "In 30 recorded times of the clock since 2026-08-01 they never fire together; on 1 it cannot be told, as something is not known"},
		{"schedule.due", pair, nil, &History{Whole: true}, Report{}, "The past cannot tell: no time of the clock is recorded at which both were asked, on the times that they have now"},
		{"schedule.due", alone, nil, &History{Looked: 2, Times: 1, Since: day, Whole: true}, Report{}, "In 2 recorded events since 2026-08-01 it fires once"},
		{"absence.due", pair, nil, &History{Looked: 4, Times: 4, Since: day, Until: day.AddDate(0, 1, 0)}, Report{}, "In 4 recorded orders on which both were asked from 2026-08-01 to 2026-09-01, as far as the past was read in time both fire 4 times"},
		{"absence.due", pair, nil, &History{Whole: true}, Report{}, "The past cannot tell: no order is recorded on which both were asked, with what they wait for now"},
		{"order.placed", alone, &Tag{"order.tags", "vip"}, &History{Whole: true}, Report{}, "The past cannot tell: no order is recorded yet"},
		{"absence.due", pair, nil, nil, Report{Asking: true}, "The past is being asked …"},
		{"absence.due", pair, nil, nil, Report{Unasked: "It was not asked: a reason"}, "It was not asked: a reason"},
		{"absence.due", pair, nil, nil, Report{}, "The past was not asked, so nothing is said of what happened so far"},
	} {
		f := Finding{Kind: Open, Automations: tc.names, Tag: tc.tag, History: tc.history}
		if f.History != nil {
			f.History.Of = f.UnitOf(tc.on)
		}
		if got := tc.report.Past(&f, time.UTC); got != tc.want {
			t.Errorf("%s of %d: %q, want %q", tc.on, len(tc.names), got, tc.want)
		}
		f.Kind = Unwritten
		if got := tc.report.Past(&f, time.UTC); got != "" {
			t.Errorf("of what is decided the past says %q", got)
		}
	}
}
