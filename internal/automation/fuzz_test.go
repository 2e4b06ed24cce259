package automation

import (
	"errors"
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
		whole, tested + "  - { name: x, expect: fires, event: { lines: [{}], total: 5 EUR }, given: { customer.tags: [a] } }\n", "", "a", "- a", "? a\n: b", "&a *a", "a: !!binary x", "<<: *x", "a: |\n", "\tx", "automation: \"\\x", "%YAML 1.1\n---\n", "when: 'x",
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
		if a.Condition == nil || len(a.Steps) == 0 || !kebab(a.Name) || !address(a.Owner) || a.Why == "" {
			t.Fatalf("accepted %q as %+v", text, a)
		}
		if _, err := a.Condition.Eval(rule.Map{}); err != nil && len(a.Condition.Fields()) == 0 {
			t.Logf("unknown without facts: %v", err)
		}
	})
}
