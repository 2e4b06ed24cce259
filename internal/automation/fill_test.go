package automation

import (
	"os"
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/fault"
)

func TestFill(t *testing.T) {
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	if len(ts) < 16 {
		t.Fatalf("only %d templates", len(ts))
	}
	tpl, err := TemplateNamed(ts, "hold-large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TemplateNamed(ts, "hold-velocty"); err == nil || !strings.Contains(err.Error(), "hold-velocity") {
		t.Error(err)
	}
	text, err := tpl.Fill("my-own", "kim@shop.example", map[string]string{
		"when": `order.total >= money("900", "EUR")`, "do/0/queue": "fraud", "do/0/sla": "2h",
	})
	a, perr := Parse("x", []byte(text))
	if err != nil || perr != nil || a.Name != "my-own" || a.Owner != "kim@shop.example" || a.Mode != Draft ||
		a.When != `order.total >= money("900", "EUR")` || a.Steps[0].Action.(Hold).Queue != "fraud" {
		t.Fatalf("%v %v\n%s", err, perr, text)
	}
	for _, tc := range []struct{ owner, place, value, want string }{
		{"nobody", "owner", "", "mail address"},
		{"", "owner", "", "mail address"},
		{"a@shop.example", "do/0/queue", "Not A Queue", "lower-case"},
		{"a@shop.example", "do/0/sla", "soon", ""},
		{"a@shop.example", "when", "order.totl > 5", "order.total"},
		{"a@shop.example", "when", " ", "empty"},
		{"a@shop.example", "do/0/queu", "risk", "did you mean do/0/queue"},
	} {
		values := map[string]string{}
		if tc.place != "owner" {
			values[tc.place] = tc.value
		}
		_, err := tpl.Fill("", tc.owner, values)
		e := asFault(err)
		if e == nil || fault.KindOf(err) != fault.Invalid || !slices.ContainsFunc(e.Problems, func(p fault.Problem) bool {
			return p.Pointer == tc.place && strings.Contains(p.Message, tc.want)
		}) {
			t.Errorf("%s = %q: %v %+v", tc.place, tc.value, err, e)
		}
	}
}

// TestTemplatesTeach: each says what it is for and when not to use it; at least 16 bring their tests.
func TestTemplatesTeach(t *testing.T) {
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, tpl := range ts {
		a, err := Parse(tpl.Name, []byte(tpl.Text))
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Tests) > 0 {
			tested++
		}
		if len(tpl.For) < 20 || len(tpl.NotFor) < 10 {
			t.Errorf("%s is for %q, not for %q", tpl.Name, tpl.For, tpl.NotFor)
		}
	}
	if tested < 16 {
		t.Errorf("only %d templates bring their tests", tested)
	}
}

// FuzzFill: whatever is filled in, the result is a valid automation or an error.
func FuzzFill(f *testing.F) {
	for _, v := range []string{"risk", "400 EUR", `a", b: "c`, "x\n- tag: y", "#", "DE, AT", "ümlaut", "'", "true"} {
		f.Add(v)
	}
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, v string) {
		for _, tpl := range ts {
			for _, s := range tpl.Settings {
				text, err := tpl.Fill("", "kim@shop.example", map[string]string{s.Place(): v})
				if err != nil {
					continue
				}
				if a, err := Parse("x", []byte(text)); err != nil || a.Owner != "kim@shop.example" {
					t.Fatalf("%s with %s = %q: %v\n%s", tpl.Name, s.Place(), v, err, text)
				}
			}
		}
	})
}
