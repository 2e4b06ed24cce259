package automation

import (
	"os"
	"strings"
	"testing"
)

func TestTemplates(t *testing.T) {
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil || len(ts) == 0 {
		t.Fatal(len(ts), err)
	}
	for _, tm := range ts {
		a, err := Parse(tm.Name+".yaml", []byte(tm.Begin("kim@shop.example", Names{})))
		if err != nil || a.Mode != Draft || a.Owner != "kim@shop.example" {
			t.Errorf("%s begins as %+v: %v", tm.Name, a, err)
		}
		if len(tm.Settings) == 0 {
			t.Errorf("%s has nothing to fill in", tm.Name)
		}
	}
}

func FuzzParseTemplate(f *testing.F) {
	const good = "title: T\ngroup: G\nfor: F\nnot_for: N\nsettings:\n  - { at: when, part: \"0\", label: L }\nautomation: |\n  automation: x\n  owner: a@shop.example\n  why: y\n  on: order.placed\n  when: order.units > 1 && ip.known\n  do: [release]\n"
	for _, s := range []string{good, "", "title: x", strings.Replace(good, `"0"`, `"7"`, 1), strings.Replace(good, "at: when", "at: do/0, arg: x", 1), strings.Replace(good, "release", "relese", 1)} {
		f.Add([]byte(s))
	}
	if _, err := ParseTemplate("x.yaml", []byte(good)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tm, err := ParseTemplate("x.yaml", text)
		if err == nil {
			if _, err := Parse("x", []byte(tm.Text)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
