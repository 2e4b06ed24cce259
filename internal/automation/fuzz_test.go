package automation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
)

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(starterDir + "/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal("no starter pack", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, s := range []string{
		whole, tested + "  - { name: x, expect: fires, event: { lines: [{}], total: 5 EUR }, given: { customer.tags: [a] } }\n", flowing, head + "schedule: { cron: \"* * * * *\" }\ndo: [stop]\n", "on: schedule\nschedule: { cron: \"*/7 1-5 L * 8\", zone: \"../x\" }",
		"on: { absence_of: order.paid, after: order.placed, within: 1d }\ndo: [stop]\n", "", "a", "- a", "? a\n: b", "&a *a", "a: !!binary x", "<<: *x", "a: |\n", "\tx", "automation: \"\\x", "%YAML 1.1\n---\n", "when: 'x",
		head + "do:\n- ", head + "do: [hold, {tag: [x]}, null, 5]\n", "\ufeff" + head + "do: [release]\n", head + "when: |\n\n\n  order.totl > 1\ndo: [release]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := Parse("x.yaml", text)
		if err != nil {
			e, _ := errors.AsType[*fault.Error](err)
			if a != nil || e == nil || e.Kind != fault.Invalid || len(e.Problems) == 0 {
				t.Fatalf("got %v with %v", a, err)
			}
			return
		}
		if a.Condition == nil || a.On == OnSchedule && a.Schedule == nil || a.On == OnAbsence && a.Absence == nil || len(a.Steps) == 0 || !kebab(a.Name) || !address(a.Owner) || a.Why == "" {
			t.Fatalf("accepted %q as %+v", text, a)
		}
		a.Each(func(s *Step) {
			if s.Action == nil || s.Line == 0 {
				t.Fatalf("accepted %q with the step %+v", text, s)
			}
			if x, ok := s.Action.(Assign); ok && x.Value == nil {
				t.Fatalf("accepted %q with a value that is nothing", text)
			}
			if x, ok := s.Action.(If); ok && x.Cond == nil {
				t.Fatalf("accepted %q with a condition that is nothing", text)
			}
		})
		if _, err := a.Condition.Eval(rule.Map{}); err != nil && len(a.Condition.Fields()) == 0 {
			t.Logf("unknown without facts: %v", err)
		}
	})
}

// FuzzParseExpect: what is taken for how often something should happen says so again when it is written down.
func FuzzParseExpect(f *testing.F) {
	for _, s := range []string{"1 per day", " 2  per hour", "0 per day", "1 per year", "per", "9999999999 per week", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpect(text)
		if err != nil {
			return
		}
		again, err := ParseExpect(fmt.Sprintf("%d per %s", e.AtLeast, e.Per))
		if err != nil || *again != *e || e.AtLeast < 1 || e.Window() == 0 {
			t.Errorf("%q: %+v, then %+v %v", text, e, again, err)
		}
	})
}
