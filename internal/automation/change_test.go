package automation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/yamltext"
)

const builtText = `# for the team
automation: hold-large # the name
owner: risk@shop.example
why: Reviewers refuse them.
on: order.placed
when: >-
  order.total > money("400", "EUR") &&
  (customer.orders == 0 || order.countries_differ)
do:
  # stop it
  - hold: { queue: risk, sla: 4h, reason: "large" } # soon
  - tag: risk-review
limits: { per_hour: 50 }
`

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		change   Change
		old, new string
	}{
		{Change{Do: "set", At: "owner", Value: "ops@shop.example"}, "risk@shop.example", "ops@shop.example"},
		{Change{Do: "set", At: "mode", Value: "draft"}, "limits:", "mode: draft\nlimits:"},
		{Change{Do: "set", At: "limits/per_hour", Value: ""}, "limits: { per_hour: 50 }\n", ""},
		{Change{Do: "set", At: "limits/money_per_day", Value: "20 EUR"}, "50 }", "50, money_per_day: 20 EUR }"},
		{Change{Do: "set", At: "expect/at_least", Value: "1"}, "50 }\n", "50 }\nexpect: { at_least: 1 }\n"},
		{Change{Do: "on", Value: "order.paid"}, "on: order.placed", "on: order.paid"},
		{Change{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: "order.total", Op: ">", Values: []string{"500"}}}, `"400"`, `"500"`},
		{Change{Do: "part-test", At: "when", Part: "1/0", Test: TestForm{Subject: "order.tags", Op: "==", Values: []string{"0"}}}, "customer.orders == 0", `"" in order.tags`},
		{Change{Do: "part-test", At: "when", Part: "1/0", Test: TestForm{Subject: "order.shipping.country", Op: "in", Values: []string{"CH", "NO"}}}, "customer.orders == 0", `order.shipping.country in [""]`},
		{Change{Do: "part-add", At: "when", Part: "1", Value: "test"}, "order.countries_differ)", "order.countries_differ ||\n  order.total > money(\"100\", \"EUR\"))"},
		{Change{Do: "part-add", At: "when", Part: "", Value: "lines"}, "order.countries_differ)\n", "order.countries_differ) &&\n  order.lines.exists(l, l.qty > 1)\n"},
		{Change{Do: "part-remove", At: "when", Part: "0"}, "  order.total > money(\"400\", \"EUR\") &&\n", ""},
		{Change{Do: "part-toggle", At: "when", Part: "1"}, "||", "&&"},
		{Change{Do: "part-negate", At: "when", Part: "1"}, "(customer", "!(customer"},
		{Change{Do: "arg", At: "do/0", Arg: "reason", Value: "very large, new"}, `"large"`, `"very large, new"`},
		{Change{Do: "arg", At: "do/0", Arg: "sla", Value: ""}, "sla: 4h, ", ""},
		{Change{Do: "arg", At: "do/1", Arg: "tag", Value: "vip"}, "risk-review", "vip"},
		{Change{Do: "step-add", At: "do", Index: 1, Value: "message"}, "  - tag: risk", "  - message: { template: \"\", to: customer }\n  - tag: risk"},
		{Change{Do: "step-remove", At: "do/1"}, "  - tag: risk-review\n", ""},
		{Change{Do: "step-down", At: "do/0"}, "  # stop it\n  - hold: { queue: risk, sla: 4h, reason: \"large\" } # soon\n  - tag: risk-review\n", "  - tag: risk-review\n  # stop it\n  - hold: { queue: risk, sla: 4h, reason: \"large\" } # soon\n"},
	} {
		got, err := c.change.Apply(builtText, "EUR")
		if err != nil {
			t.Errorf("%+v: %v", c.change, err)
			continue
		}
		if want := strings.Replace(builtText, c.old, c.new, 1); got != want {
			t.Errorf("%+v: got\n%s\nwant\n%s", c.change, got, want)
		}
	}
	for _, c := range []Change{
		{Do: "part-remove", At: "when", Part: "9"},
		{Do: "step-remove", At: "do/7"},
		{Do: "arg", At: "do/0", Arg: "colour", Value: "x"},
		{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: "order.total", Op: ">", Values: []string{"many"}}},
		{Do: "fly"},
		{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: "order.colour"}},
		{Do: "set", At: "owner/x", Value: "1"},
	} {
		if got, err := c.Apply(builtText, "EUR"); err == nil {
			t.Errorf("%+v was made:\n%s", c, got)
		}
	}
}

// Words of a list stand between commas, or apart where there is none.
func TestTypedOptions(t *testing.T) {
	for typed, want := range map[string]string{
		"ship, refuse": "[ship, refuse]", "ship refuse": "[ship, refuse]", "done, not needed": "[done, not-needed]", "call back,\nsend  mail,": "[call-back, send-mail]", "ship": "[ship]",
	} {
		text := "automation: x\nowner: a@shop.example\nwhy: y\non: order.placed\ndo:\n  - ask: { queue: risk, title: t, options: [a], as: answer }\n"
		got, err := Change{Do: "arg", At: "do/0", Arg: "options", Value: typed}.Apply(text, "EUR")
		if err != nil || !strings.Contains(got, "options: "+want) {
			t.Errorf("%q: %v\n%s", typed, err, got)
		}
	}
}

// A country is typed as its code or its name, and one that does not exist is refused.
func TestTypedCountries(t *testing.T) {
	typed := func(v string) Change {
		return Change{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: "order.shipping.country", Op: "==", Values: []string{v}}}
	}
	text, err := typed("").Apply(builtText, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"fr", "France", " FR "} {
		if got, err := typed(v).Apply(text, "EUR"); err != nil || !strings.Contains(got, `order.shipping.country == "FR"`) {
			t.Errorf("%s: %v\n%s", v, err, got)
		}
	}
	for _, v := range []string{"XX", "Atlantis", "F"} {
		if got, err := typed(v).Apply(text, "EUR"); fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), v) {
			t.Errorf("%s: %v\n%s", v, err, got)
		}
	}
}

// An amount as it is written elsewhere is told with how it is written here, and so is one that can be read in two ways.
func TestTypedAmounts(t *testing.T) {
	test := func(v string) Change {
		return Change{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: "order.total", Op: ">", Values: []string{v}}}
	}
	for _, c := range []struct {
		change Change
		says   string // the text holds it when it begins with "=", else the error
	}{
		{test("2.499,50 EUR"), "write it like 2499.50"},
		{test("2 499,50 EUR"), "write it like 2499.50"},
		{test("1.500 EUR"), "write 1500 or 1.50"},
		{test("12 EURO"), "did you mean EUR?"},
		{test("2499,5"), "write it like 2499.5"},
		{test("2499.5 eur"), `=money("2499.5", "EUR")`},
		{test("7"), `=money("7", "EUR")`},
		{Change{Do: "set", At: "limits/money_per_day", Value: "20.000"}, "write 20000 or 20.00"},
		{Change{Do: "set", At: "limits/money_per_day", Value: "20000"}, "=money_per_day: 20000 EUR"},
	} {
		got, err := c.change.Apply(builtText, "EUR")
		if want, ok := strings.CutPrefix(c.says, "="); ok {
			if err != nil || !strings.Contains(got, want) {
				t.Errorf("%+v: %v\n%s", c.change, err, got)
			}
			continue
		}
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), c.says) {
			t.Errorf("%+v: %v", c.change, err)
		}
	}
}

// The only step of a list can go, and the next one stands in lines of its own.
func TestOnlyStep(t *testing.T) {
	text, err := Change{Do: "step-add", At: "do", Value: "if"}.Apply(strings.Replace(namedText, namedText[strings.Index(namedText, "do:"):], "do: [] # nothing yet\n", 1), "EUR")
	for _, c := range []Change{{Do: "step-add", At: "do/0/then", Value: "cancel"}, {Do: "step-add", At: "do", Index: 1, Value: "stop"}} {
		if err == nil {
			text, err = c.Apply(text, "EUR")
		}
	}
	if want := "do: # nothing yet\n  - if: \"order.total > money(\\\"100\\\", \\\"EUR\\\")\"\n    then:\n      - cancel: \"\"\n  - stop: {}\n"; err != nil || !strings.HasSuffix(text, want) {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	for _, at := range []string{"do/0/then/0", "do/1", "do/0"} {
		if text, err = (Change{Do: "step-remove", At: at}).Apply(text, "EUR"); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
	}
	if !strings.Contains(text, "do: []") || !strings.Contains(text, "# nothing yet") {
		t.Errorf("left is\n%s", text)
	}
}

// What is remarked behind or below the reason stays when the reason is written anew, also over several lines.
func TestReasonKeepsRemarks(t *testing.T) {
	for _, why := range []string{"why: Reviewers refuse them. # ask Kim\n", "why: \"\" # ask Kim\n", "why: # ask Kim\n  Reviewers refuse them.\n", "why: > # ask Kim\n  Reviewers\n  refuse them.\n", "why: Reviewers\n  refuse them. # ask Kim\n", "why: Reviewers refuse them.\n# ask Kim\n"} {
		text := strings.Replace(builtText, "why: Reviewers refuse them.\n", why, 1)
		for _, value := range []string{"They cost us money.", "They cost us money.\nAnd time.", "a: b # c", ""} {
			out, err := Change{Do: "set", At: "why", Value: value}.Apply(text, "EUR")
			if err != nil || strings.Count(out, "# ask Kim") != 1 {
				t.Errorf("%q to %q: %v\n%s", why, value, err, out)
				continue
			}
			if d, err := yamltext.Parse(out); err != nil || d.At("why").Value != value {
				t.Errorf("%q to %q: %v\n%s", why, value, err, out)
			}
		}
	}
}

func TestSentence(t *testing.T) {
	d, err := yamltext.Parse(builtText)
	if err != nil {
		t.Fatal(err)
	}
	want := "When an order is placed and the order total is above 400 EUR and (the number of the customer's earlier orders is 0 or bill and parcel go to two countries), hold the order for risk (large), then tag the order risk-review."
	if got := Sentence(d); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Every step that the language has can be added by the builder and is found again with all its arguments.
func TestEveryStepCanBeAdded(t *testing.T) {
	for _, k := range Kinds() {
		text := "automation: x\nowner: a@shop.example\nwhy: y\non: order.placed\ndo:\n  - tag: a\n"
		out, err := Change{Do: "step-add", At: "do", Index: 1, Value: string(k)}.Apply(text, "EUR")
		if err != nil {
			t.Errorf("%s: %v", k, err)
			continue
		}
		d, err := yamltext.Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := StepOf(d, "do/1")
		if !ok || s.Kind != k {
			t.Errorf("%s was added as %+v:\n%s", k, s, out)
		}
		for _, a := range k.Spec().Args {
			if a.Must && s.Value(d, a.Name) == nil {
				t.Errorf("%s was added without %s:\n%s", k, a.Name, out)
			}
		}
		if StepPhrase(d, "do/1") == "" {
			t.Errorf("%s has no words", k)
		}
	}
}

// Random edits of the starter pack: comments survive, and a text that was valid is valid or says what is wrong.
func TestRandomEditsKeepComments(t *testing.T) {
	files, _ := filepath.Glob(starterDir + "/*.yaml")
	var texts []string
	for _, f := range append(files, "") {
		text := builtText
		if f != "" {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text = "# kept: above\n" + strings.Replace(string(b), "\ndo:\n", "\n# kept: before do\ndo: # kept: behind do\n", 1) + "# kept: below\n"
		}
		texts = append(texts, text)
	}
	made := 0
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(texts).Draw(t, "text")
		kept, typed := strings.Count(text, "# kept"), false
		for range 6 {
			c := Change{
				Do:   rapid.SampledFrom([]string{"set", "on", "arg", "step-add", "step-remove", "step-up", "step-down", "part-test", "part-add", "part-remove", "part-up", "part-toggle", "part-negate", "part-text"}).Draw(t, "do"),
				At:   rapid.SampledFrom([]string{"when", "do", "do/0", "do/1", "owner", "why", "limits/per_hour", "expect/per", "mode"}).Draw(t, "at"),
				Part: rapid.SampledFrom([]string{"", "0", "1", "1/0"}).Draw(t, "part"), Arg: rapid.SampledFrom([]string{"queue", "reason", "tag", "to"}).Draw(t, "arg"),
				Value: rapid.SampledFrom([]string{"", "order.paid", "hold", "tag", "if", "test", "group", "lines", "a: b # c", "it's \"so\"", "order.units > 3 || ip.known"}).Draw(t, "value"),
				Test:  TestForm{Subject: rapid.SampledFrom([]string{"order.total", "order.units", "order.tags", "velocity", "ip.known"}).Draw(t, "subject"), Op: ">", Values: []string{"3"}},
			}
			next, err := c.Apply(text, "EUR")
			if err != nil {
				continue
			}
			made++
			if _, err := yamltext.Parse(next); err != nil {
				t.Fatalf("%+v made of\n%s\na text that cannot be read:\n%s", c, text, next)
			}
			if n := strings.Count(next, "# kept"); n < kept {
				t.Fatalf("%+v lost a comment of\n%s\nleft is\n%s", c, text, next)
			}
			typed = typed || c.Do == "part-text" || c.Do == "set"
			if d, _ := yamltext.Parse(next); strings.HasPrefix(c.Do, "part-") && !typed {
				if n := d.At(c.At); n != nil && n.Value != "" {
					if root := rule.Outline(n.Value); root.Kind == rule.PartText {
						t.Fatalf("%+v made of\n%s\na condition that is no longer shown:\n%s", c, text, next)
					}
				}
			}
			text = next
		}
	})
	if made == 0 {
		t.Error("no edit was made: the test says nothing")
	}
}
