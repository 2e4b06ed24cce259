package proof

import (
	"os"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// valuesFor are values that a setting may have: low and high ones, other currencies, other names.
func valuesFor(t *testing.T, tpl *automation.Template, s automation.Setting) []string {
	t.Helper()
	d, err := yamltext.Parse(tpl.Text)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case s.Of == automation.OfBy:
		var out []string
		for _, x := range schema.Dimensions() {
			out = append(out, x.Name)
		}
		return out
	case s.Of == automation.OfWithin:
		return []string{"90m", "1h", "7d", "90d"}
	case s.InPart:
		return partValues(t, tpl, s, s.PartIn(d))
	case s.Arg != "":
		st, _ := automation.StepOf(d, s.At)
		for _, a := range st.Kind.Spec().Args {
			if a.Name != s.Arg {
				continue
			}
			switch a.Type {
			case automation.ArgDuration:
				return []string{"30m", "1d", "14d"}
			case automation.ArgQueue:
				return []string{"fraud", "x1", "second-line"}
			case automation.ArgRecipient:
				return []string{"owner", "kim@shop.example"}
			case automation.ArgLocation:
				return []string{"berlin", "main", "wh-2"}
			case automation.ArgName, automation.ArgText:
				return []string{"other", "by-hand", "x1"}
			}
			t.Fatalf("%s: no values for %s", tpl.Name, a.Type)
		}
	case s.At == "limits/per_hour":
		return []string{"1", "5000"}
	}
	t.Fatalf("%s: no values for %s", tpl.Name, s.Place())
	return nil
}

func partValues(t *testing.T, tpl *automation.Template, s automation.Setting, p *rule.Part) []string {
	switch p.Left.Type {
	case schema.Money:
		return []string{"1 EUR", "7.5 EUR", "500 EUR", "2000 EUR", "1000000 EUR", "500 USD", "900 JPY"}
	case schema.Int:
		return []string{map[bool]string{true: "0", false: "2"}[s.Least == 0], "3", "7", "500"}
	case schema.Strings:
		return []string{"b2b", "other", "x y"}
	case schema.String:
		switch schema.Format(p.Left.Name) {
		case "country":
			if strings.HasSuffix(p.Op, "in") {
				return []string{"FR", "us, jp", "CH, NO, US, JP, BR, ZA, NZ, GB"}
			}
			return []string{"FR", "US", "Norway"}
		case "location":
			return []string{"berlin", "other"}
		}
		return []string{"10", "other", "OTHER", "order-confirmation"}
	}
	t.Fatalf("%s: no values for %s", tpl.Name, p.Left.Type)
	return nil
}

// begin holds that a template begins with locations that the shop has, and that its examples hold with them.
func begin(t *testing.T, tpl *automation.Template, settings decide.Settings) {
	t.Helper()
	names := automation.Names{Locations: []string{"wh-2", "berlin"}}
	text := tpl.Begin("kim@shop.example", names)
	a, err := automation.Parse(tpl.Name, []byte(text))
	if err != nil {
		t.Errorf("%s in a shop of its own: %v\n%s", tpl.Name, err, text)
		return
	}
	for _, p := range names.Unknown(a, automation.ArgLocation) {
		t.Errorf("%s begins with a location that the shop does not have: %s", tpl.Name, p.Message)
	}
	for _, r := range Failed(Tests(settings, []*automation.Automation{a})) {
		t.Errorf("%s in a shop of its own: %q: %s", tpl.Name, r.Name, r.Problem)
	}
	names.Locations = append(names.Locations, "main")
	if again := tpl.Begin("kim@shop.example", names); strings.Contains(tpl.Text, "main") && !strings.Contains(again, "main") {
		t.Errorf("%s does not begin with the location it names, although the shop has it:\n%s", tpl.Name, again)
	}
}

// TestTemplatesHoldForEveryValue: whatever a shop fills in, a template's own examples come out as they say, and its
// texts say what was filled in.
func TestTemplatesHoldForEveryValue(t *testing.T) {
	ts, err := automation.Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	settings := decide.Settings{Name: "Shop", Currency: "EUR"}
	for _, tpl := range ts {
		try := func(values map[string]string) string {
			text := tpl.Begin("kim@shop.example", automation.Names{})
			for _, s := range tpl.Settings {
				v, ok := values[s.Place()]
				if !ok {
					continue
				}
				if text, err = tpl.Apply(s.Set(text, v), text, "EUR"); err != nil {
					t.Errorf("%s with %v: %v", tpl.Name, values, err)
					return text
				}
			}
			a, err := automation.Parse(tpl.Name, []byte(text))
			if err != nil {
				t.Errorf("%s with %v: %v\n%s", tpl.Name, values, err, text)
				return text
			}
			for _, r := range Failed(Tests(settings, []*automation.Automation{a})) {
				t.Errorf("%s with %v: %q: %s", tpl.Name, values, r.Name, r.Problem)
			}
			if len(values) < 2 {
				return text
			}
			if filled, err := tpl.Fill("", "kim@shop.example", values); err != nil || filled != text {
				t.Errorf("%s with %v: at the terminal it is %v\n%s", tpl.Name, values, err, filled)
			}
			return text
		}
		begin(t, tpl, settings)
		plain := try(nil)
		most := 0
		for _, s := range tpl.Settings {
			vs := valuesFor(t, tpl, s)
			most = max(most, len(vs))
			for _, v := range vs {
				text := try(map[string]string{s.Place(): v})
				if number, currency, ok := strings.Cut(v, " "); ok && len(currency) == 3 && s.InPart && number == "2000" {
					for _, old := range []string{"1500 EUR", "300 EUR", "2000.01"} {
						if strings.Contains(plain, old) && strings.Contains(text, old) {
							t.Errorf("%s with %s still says %s", tpl.Name, v, old)
						}
					}
				}
			}
		}
		for i := range most {
			all := map[string]string{}
			for _, s := range tpl.Settings {
				vs := valuesFor(t, tpl, s)
				all[s.Place()] = vs[min(i, len(vs)-1)]
			}
			try(all)
		}
	}
}
