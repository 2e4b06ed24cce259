package yamltext

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sample = `# what this is
automation: hold-large   # the name

# who answers
owner: risk@shop.example
why: >- # told to the team
  First line of it
  and a second one.
on: order.placed
when: >-
  order.total > money("400", "EUR") &&
  customer.orders == 0
do:
  # stop it first
  - hold: { queue: risk, sla: 4h, reason: "first, large" } # four hours
  - tag: risk-review
  # and tell
  - message:
      template: order-confirmation
      to: customer # the buyer
  # nothing more
limits: { per_hour: 50 } # agreed
`

// edit is one edit with the lines that differ afterwards.
func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name     string
		do       func(d *Doc) (string, error)
		old, new string // what is replaced by what in the sample
	}{
		{"a name", func(d *Doc) (string, error) { return d.SetText("automation", "hold-big") }, "automation: hold-large ", "automation: hold-big "},
		{"a quoted text in a flow map", func(d *Doc) (string, error) { return d.SetText("do/0/hold/reason", "big, \"new\"") }, `"first, large"`, `"big, \"new\""`},
		{"a value in a block map keeps its comment", func(d *Doc) (string, error) { return d.SetText("do/2/message/to", "owner") }, "to: customer #", "to: owner #"},
		{"a bare value", func(d *Doc) (string, error) { return d.SetText("do/1/tag", "vip: yes") }, "- tag: risk-review", `- tag: "vip: yes"`},
		{"prose keeps its style and comment", func(d *Doc) (string, error) { return d.SetText("why", "Short now.") }, "  First line of it\n  and a second one.\n", "  Short now.\n"},
		{"a part of a folded text", func(d *Doc) (string, error) { return d.Splice("when", 21, 24, "500") }, `"400"`, `"500"`},
		{"more at the end of a folded text", func(d *Doc) (string, error) {
			n := d.At("when")
			return d.Splice("when", len(n.Value), len(n.Value), " &&\norder.units > 3")
		}, "  customer.orders == 0\n", "  customer.orders == 0 &&\n  order.units > 3\n"},
		{"a part away over a line end", func(d *Doc) (string, error) {
			i := strings.Index(d.At("when").Value, "customer")
			return d.Splice("when", 0, i, "")
		}, "  order.total > money(\"400\", \"EUR\") &&\n", ""},
		{"a new key where it belongs", func(d *Doc) (string, error) { return d.Put("", "mode", "draft", "on", "when", "do") }, "# nothing more\n", "# nothing more\nmode: draft\n"},
		{"a new key in a flow map", func(d *Doc) (string, error) { return d.Put("limits", "money_per_day", `"20 EUR"`) }, "per_hour: 50 }", `per_hour: 50, money_per_day: "20 EUR" }`},
		{"a new key in a block map", func(d *Doc) (string, error) { return d.Put("do/2/message", "subject", "event") }, "# the buyer\n", "# the buyer\n      subject: event\n"},
		{"a new item", func(d *Doc) (string, error) { return d.Insert("do", 2, "tag: x") }, "  # and tell\n", "  - tag: x\n  # and tell\n"},
		{"a new last item", func(d *Doc) (string, error) { return d.Insert("do", 3, "task:\n  queue: support\n  title: t") }, "# the buyer\n", "# the buyer\n  - task:\n      queue: support\n      title: t\n"},
		{"a new first item", func(d *Doc) (string, error) { return d.Insert("do", 0, "release") }, "  # stop it first\n", "  - release\n  # stop it first\n"},
		{"an item away with its comment", func(d *Doc) (string, error) { return d.Delete("do/2") }, "  # and tell\n  - message:\n      template: order-confirmation\n      to: customer # the buyer\n", ""},
		{"a key away, its comment stays", func(d *Doc) (string, error) { return d.Delete("limits") }, "limits: { per_hour: 50 } # agreed", "# agreed"},
		{"a key out of a flow map", func(d *Doc) (string, error) { return d.Delete("do/0/hold/sla") }, "sla: 4h, ", ""},
		{"the last key out of a flow map", func(d *Doc) (string, error) { return d.Delete("do/0/hold/reason") }, `, reason: "first, large"`, ""},
		{
			"an item down", func(d *Doc) (string, error) { return d.Move("do", 0, 1) },
			"  # stop it first\n  - hold: { queue: risk, sla: 4h, reason: \"first, large\" } # four hours\n  - tag: risk-review\n",
			"  - tag: risk-review\n  # stop it first\n  - hold: { queue: risk, sla: 4h, reason: \"first, large\" } # four hours\n",
		},
		{"a value becomes another shape", func(d *Doc) (string, error) { return d.Replace("do/1/tag", "{ tag: risk-review }") }, "tag: risk-review", "tag: { tag: risk-review }"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse(sample)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.do(d)
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(sample, c.old, c.new, 1); got != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, s := range []string{"", "# only", "a: &x 1\nb: *x\n", "a: !!str 1\n", "--- a: 1\n", "a: 1\r\n", "a: 1\n---\nb: 2\n", "? a\n: b\n", "a: |2\n   x\n", "\ta: 1\n", "a: 1\na: 2\n"} {
		if d, err := Parse(s); err == nil {
			t.Errorf("%q was read as %v", s, d.Root)
		}
	}
}

// Every text of the sample shop is read, and setting a value to itself changes no byte.
func TestStarterPackIsRead(t *testing.T) {
	files, _ := filepath.Glob("../../examples/shop/automations/*.yaml")
	if len(files) == 0 {
		t.Fatal("no starter pack")
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for _, k := range d.Root.Keys() {
			if n := d.At(k); n.Kind == Scalar {
				if got, err := d.SetText(k, n.Value); err != nil || got != string(text) {
					t.Errorf("%s: %s: %v\n%s", f, k, err, got)
				}
			}
		}
	}
}

func TestDiff(t *testing.T) {
	got := ""
	for _, l := range Near(Diff("a\nb\nc\nd\ne\nf\n", "a\nb\nx\nd\ne\nf\ng"), 1) {
		if l.Sign == 0 {
			got += "…\n"
			continue
		}
		got += string(l.Sign) + l.Text + "\n"
	}
	if want := "…\n b\n-c\n+x\n d\n…\n f\n+g\n"; got != want {
		t.Errorf("got\n%s", got)
	}
	if d := Diff("", "a\n"); len(d) != 1 || d[0].Sign != '+' || d[0].New != 1 {
		t.Errorf("%v", d)
	}
}

// TestTooDeep: what would take the library minutes is refused at once, and nothing that people write.
func TestTooDeep(t *testing.T) {
	for _, unit := range []string{"[", "{", "- ", "? ", "- - [", "a: [\n", "[]["} {
		if !TooDeep(strings.Repeat(unit, 300)) {
			t.Errorf("%q is not too deep", unit)
		}
		begun := time.Now()
		if _, err := Parse(strings.Repeat(unit, 60_000)); err == nil || time.Since(begun) > 2*time.Second {
			t.Errorf("%q took %s: %v", unit, time.Since(begun), err)
		}
	}
	for _, text := range []string{"# " + strings.Repeat("-", 500), "why: >\n  " + strings.Repeat("- ", 3) + strings.Repeat("-", 400) + " x", strings.Repeat("- a: [1, {b: 2}]\n", 500), strings.Repeat("[] ", 200)} {
		if TooDeep(text) {
			t.Errorf("%.40q is too deep", text)
		}
	}
}
