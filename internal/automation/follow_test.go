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
	text, err := tpl.Apply(money("2000 USD"), tpl.Begin("kim@shop.example"), "EUR")
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
