package automation

import (
	"os"
	"strings"
	"testing"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

func TestTemplateFollows(t *testing.T) {
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	tpl, _ := TemplateNamed(ts, "hold-large")
	money := func(v string) Change {
		return Change{Do: "part-test", At: "when", Test: TestForm{Subject: "order.total", Op: ">=", Values: []string{v}}}
	}
	text, err := tpl.Apply(money("2000 USD"), tpl.Begin("kim@shop.example", Names{}), "EUR")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`money("2000", "USD")`, `reason: "the order total is at least 2000 USD"`, "total: 2000.00 USD", "total: 1999.99 USD", "hold: the order total is at least 2000 USD"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
	// What a person wrote stays, and everything else goes on following.
	own := strings.Replace(text, `reason: "the order total is at least 2000 USD"`, `reason: "ask Kim"`, 1)
	text, err = tpl.Apply(money("3000 USD"), own, "EUR")
	if err != nil || !strings.Contains(text, `reason: "ask Kim"`) || !strings.Contains(text, "total: 2999.99 USD") || strings.Contains(text, "total: 2000.00") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := tpl.Apply(money("0 EUR"), own, "EUR"); err == nil || !strings.Contains(err.Error(), "hold orders from: write 1 or more") {
		t.Error(err)
	}
	// Another operator: the line is elsewhere, and so are the examples.
	c := money("3000 USD")
	c.Test.Op = ">"
	if text, err = tpl.Apply(c, text, "EUR"); err != nil || !strings.Contains(text, "total: 3000.01 USD") || !strings.Contains(text, "total: 3000.00 USD") {
		t.Errorf("%v\n%s", err, text)
	}
	// Another field, whose values are no amounts: nothing is written that does not fit.
	c.Test = TestForm{Subject: "order.units", Op: ">", Values: []string{"5"}}
	if text, err = tpl.Apply(c, text, "EUR"); err != nil || !strings.Contains(text, "total: 3000.01 USD") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := Parse("x", []byte(text)); err != nil {
		t.Error(err)
	}
}

// TestCountsInExamplesFollow: examples tell a count by what it counts.
func TestCountsInExamplesFollow(t *testing.T) {
	const text = `automation: x
owner: a@shop.example
why: y
on: order.placed
when: velocity("order.placed", "customer.email", "24h") >= 3 && customer.orders == 0
do: [release]
tests:
  - name: one # a comment
    given: { "velocity('order.placed','customer.email','24h')": 3, customer.orders: 0 }
    expect: fires
  - name: two
    given:
      velocity("order.placed", "customer.email", "24h"): 2
    expect: does not fire
`
	c := Change{Do: "part-test", At: "when", Part: "0", Test: TestForm{Subject: SubjectVelocity, Op: ">=", Values: []string{"3"}, Event: "order.placed", By: "order.device", Within: "7d"}}
	out, err := c.Apply(text, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := Parse("x", []byte(out)); err != nil || len(a.Tests) != 2 || !strings.Contains(out, "# a comment") {
		t.Errorf("%v\n%s", err, out)
	}
	c.Test.Within = "soon"
	if _, err := c.Apply(text, "EUR"); err == nil || !strings.Contains(err.Error(), "write it like 90m") {
		t.Error(err)
	}
}

func TestNear(t *testing.T) {
	for _, src := range []string{
		`order.total >= money("10", "EUR")`, `order.total > money("10", "JPY")`, `order.total == money("10", "EUR")`, `order.total < money("10.50", "EUR")`, `order.total != money("3", "EUR")`,
		`order.units >= 3`, `order.units > 3`, `order.units <= 3`, `order.units < 3`, `order.units != 3`, `order.units == 3`,
		`order.shipping.country in ["US", "JP"]`, `!(order.shipping.country in ["US", "JP"])`, `order.shipping.country == "US"`, `order.note.contains("other")`,
		`!order.note.startsWith("ot")`, `order.note.endsWith("er")`, `order.countries_differ`, `!order.countries_differ`, `"other" in order.tags`,
	} {
		root := rule.Outline(src)
		cond, err := rule.Compile(src, "order.placed")
		if err != nil || root.Kind != rule.PartTest {
			t.Fatal(src, err)
		}
		for _, hit := range []bool{true, false} {
			v, ok := root.Near(hit)
			if !ok {
				t.Fatalf("%s: no value for %v", src, hit)
			}
			fact, err := factOf(v, root.Left.Type)
			if err != nil {
				t.Fatalf("%s: %q: %v", src, v, err)
			}
			want := rule.False
			if hit {
				want = rule.True
			}
			if got, _ := cond.Eval(rule.Map{root.Left.Name: fact}); got != want {
				t.Errorf("%s with %s is %v, not %v", src, v, got, want)
			}
		}
	}
	if root := rule.Outline("order.total > order.subtotal"); root.Kind != rule.PartTest {
		t.Error(root.Kind)
	} else if _, ok := root.Near(true); ok {
		t.Error("two fields have a value")
	}
}

func factOf(v string, typ schema.Type) (any, error) {
	if typ == schema.Strings {
		return []string{v}, nil
	}
	var out any
	d, root := read("x", []byte("v: "+yamltext.Quote(v, false)+"\n"))
	out, err := d.factValue(root.at("v"), typ)
	return out, err
}

func TestExamplesAreChangedInPlace(t *testing.T) {
	const text = `automation: x
owner: a@shop.example
why: y
on: order.placed
when: order.total >= money("100", "EUR") && customer.orders == 0
do: [ { tag: a } ]
tests:
  # agreed with Kim
  - name: on the line # the edge
    event: { total: 100 EUR, tags: [ b ] }
    given: { customer.orders: 0 }
    expect: fires
    does: [tag a]
`
	apply := func(text string, c Change) string {
		t.Helper()
		out, err := c.Apply(text, "EUR")
		if err != nil {
			t.Fatalf("%+v: %v\n%s", c, err, text)
		}
		if _, err := Parse("x", []byte(out)); err != nil {
			t.Fatalf("%+v: %v\n%s", c, err, out)
		}
		return out
	}
	out := apply(text, Change{Do: "example-value", At: "tests/0/event/total", Value: "150 EUR"})
	out = apply(out, Change{Do: "example-value", At: "tests/0/event/tags", Value: "b, vip x"})
	if want := strings.NewReplacer("100 EUR,", "150 EUR,", "[ b ]", "[b, vip x]").Replace(text); out != want {
		t.Errorf("\n%s\nnot\n%s", out, want)
	}
	out = apply(out, Change{Do: "example-value", At: "tests/0/given/customer.orders"})
	if strings.Contains(out, "given") {
		t.Errorf("nothing is given any more, and still\n%s", out)
	}
	out = apply(out, Change{Do: "example-give", At: "tests/0", Value: "customer.orders"})
	out = apply(out, Change{Do: "example-expect", At: "tests/0", Value: "does not fire"})
	if !strings.Contains(out, "given: { customer.orders: 0 }") || !strings.Contains(out, "expect: does not fire") || strings.Contains(out, "does:") || !strings.Contains(out, "# the edge") {
		t.Error(out)
	}
	out = apply(out, Change{Do: "example-add"})
	a, _ := Parse("x", []byte(out))
	if len(a.Tests) != 2 || a.Tests[1].Name != "example 1" || len(a.Tests[1].Given) != 2 {
		t.Errorf("%+v\n%s", a.Tests, out)
	}
	out = apply(out, Change{Do: "example-remove", At: "tests/0"})
	out = apply(out, Change{Do: "example-remove", At: "tests/0"})
	if strings.Contains(out, "tests:") {
		t.Error(out)
	}
	out = apply(out, Change{Do: "example-add"})
	if a, _ = Parse("x", []byte(out)); len(a.Tests) != 1 || a.Tests[0].Expect != rule.True {
		t.Error(out)
	}
	for _, c := range []Change{
		{Do: "example-value", At: "tests/7/event", Value: "1"},
		{Do: "example-value", At: "when", Value: "1"},
		{Do: "example-remove", At: "tests/x"},
		{Do: "example-expect", At: "tests/0", Value: "maybe"},
		{Do: "example-give", At: "tests/0", Value: "nonsense"},
		{Do: "example-value", At: "tests/0", Value: "x"},
		{Do: "example-y", At: "tests/0"},
	} {
		if got, err := c.Apply(out, "EUR"); err == nil {
			t.Errorf("%+v gave\n%s", c, got)
		}
	}
}

// TestSettingsThatAreLeft: a setting is shown while its place is about the same; where a person made something else of it,
// its label would lie.
func TestSettingsThatAreLeft(t *testing.T) {
	ts, err := Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := TemplateNamed(ts, "large-line")
	if err != nil {
		t.Fatal(err)
	}
	text := tpl.Begin("kim@shop.example", Names{})
	for _, c := range []struct {
		change Change
		left   int
	}{
		{Change{}, len(tpl.Settings)},
		{Change{Do: "part-text", At: "when", Value: `order.total > money("5", "EUR")`}, len(tpl.Settings) - 1},
	} {
		now := text
		if c.change.Do != "" {
			if now, err = tpl.Apply(c.change, text, "EUR"); err != nil {
				t.Fatal(err)
			}
		}
		d, err := yamltext.Parse(now)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(tpl.Left(d)); got != c.left {
			t.Errorf("after %q %d settings of %d are left, want %d:\n%s", c.change.Do, got, len(tpl.Settings), c.left, now)
		}
	}
}
