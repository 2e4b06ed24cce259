package engine_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

func TestWhyNamesTheDecisivePart(t *testing.T) { onBoth(t, testWhy) }

func testWhy(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	rule := func(limit string) store.Text {
		return store.Text{Kind: engine.KindAutomation, Name: "hold-large", Text: `automation: hold-large
owner: risk@shop.example
why: reviewers refuse most of them
on: order.placed
when: order.total > money("` + limit + `", "EUR") && customer.email != "vip@example.com"
do:
  - hold: { queue: risk, reason: large order }
`}
	}
	r.apply(rule("100"))
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	r.decided(placed("1", "MUG", 2))  // 20 EUR
	r.decided(placed("2", "MUG", 20)) // 200 EUR
	r.apply(rule("500"))              // what is asked later answers under the version of then

	ask := func(number string) engine.Explanation {
		t.Helper()
		xs, err := r.eng.Why(t.Context(), event.OrderID("web", number), "hold-large")
		if err != nil || len(xs) != 1 {
			t.Fatalf("%+v %v", xs, err)
		}
		return xs[0]
	}
	small := ask("1")
	if small.Fired || small.Outcome != "not fired" || len(small.Reasons) != 1 || small.Reasons[0] != "The order total is above 100 EUR? No: 20.00 EUR" {
		t.Errorf("%+v", small)
	}
	large := ask("2")
	if !large.Fired || len(large.Did) != 1 || !strings.Contains(large.Condition, `money("100", "EUR")`) {
		t.Errorf("%+v", large)
	}
	// A canary whose share an order is not in has not fired on it, and the same goes for what is in shadow.
	for mode, want := range map[string]string{"canary\nshare: 1%": "the order is not in its share", "shadow": "it is in shadow"} {
		r.apply(func() store.Text {
			x := rule("100")
			x.Text += "mode: " + mode + "\n"
			return x
		}())
		r.decided(placed("3"+mode[:3], "MUG", 20))
		if x := ask("3" + mode[:3]); x.Fired || x.Outcome != "would have fired" || x.NotDone != want || len(x.Did) != 1 {
			t.Errorf("%s: %+v", mode, x)
		}
	}
	if _, err := r.eng.Why(t.Context(), "ord_none", ""); err == nil {
		t.Error("an order that does not exist was explained")
	}
}

// TestWhyNobodyAsked: of an automation that was never asked it says which of the reasons it is, and what to do.
func TestWhyNobodyAsked(t *testing.T) {
	r := newRig(t)
	rule := func(name, on, mode string) store.Text {
		return store.Text{Kind: engine.KindAutomation, Name: name, Text: "automation: " + name + "\nowner: kim@shop.example\nwhy: A sample.\non: " + on + "\ndo:\n  - tag: x\nmode: " + mode + "\n"}
	}
	r.apply(rule("was-draft", "order.placed", "draft"))
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(placed("1", "MUG", 2))
	r.apply(rule("was-draft", "order.placed", "active"), rule("a-draft", "order.placed", "draft"), rule("is-paused", "order.placed", "paused"),
		rule("came-late", "order.placed", "active"), rule("not-yet", "order.completed", "active"))
	for name, want := range map[string]string{
		"was-draft": "in the mode draft when the order.placed of this order came", "a-draft": "is a draft", "is-paused": "is paused",
		"came-late": "came into the policy after the order.placed", "not-yet": "set off by order.completed, and none came",
	} {
		got, err := r.eng.Unasked(t.Context(), event.OrderID("web", "1"), name)
		if err != nil || !strings.Contains(got.Text, want) || got.Since == "" || got.Until <= got.Since {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// TestVerdictOnOneOrder: a draft says what it would have said of one order, with what was known then and not with what came later.
func TestVerdictOnOneOrder(t *testing.T) {
	r := newRig(t)
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(placed("1", "MUG", 2))
	r.decided(placed("2", "MUG", 3))
	r.decided(placed("3", "MUG", 1))
	rule := func(name, when string) store.Text {
		return store.Text{Kind: engine.KindAutomation, Name: name, Text: "automation: " + name + "\nowner: kim@shop.example\nwhy: A sample.\non: order.placed\nwhen: " + when + "\ndo:\n  - tag: x\nmode: draft\n"}
	}
	r.apply(rule("large", "order.units > 2"), rule("second", "velocity(\"order.placed\", \"order.ip\", \"24h\") == 1"), rule("any", "order.units > 0"))
	for _, c := range []struct{ name, order, outcome, told string }{
		{"large", "1", "not fired", "it would not have fired: The number of units ordered is above 2? No: 2."},
		{"large", "2", "would have fired", "it would have fired"},
		{"second", "1", "not fired", "would not"},
		{"second", "2", "would have fired", "would have fired"},
		{"second", "3", "not fired", "would not"},
		{"any", "3", "would have fired", "would have"},
	} {
		got, err := r.eng.Unasked(t.Context(), event.OrderID("web", c.order), c.name)
		if err != nil || got.Verdict == nil || got.Verdict.Outcome != c.outcome || !strings.Contains(got.Told(), c.told) {
			t.Errorf("%s on %s: %+v %q %v", c.name, c.order, got.Verdict, got.Told(), err)
		}
	}
}

// TestWhyNoneWasAsked: of an order about which no automation was asked it says why none was.
func TestWhyNoneWasAsked(t *testing.T) {
	r := newRig(t)
	why := func(number string) string {
		t.Helper()
		got, err := r.eng.Unasked(t.Context(), event.OrderID("web", number), "")
		if err != nil || got.Since != "" {
			t.Fatal(got, err)
		}
		return got.Text
	}
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(placed("0", "MUG", 1))
	if got := why("0"); !strings.Contains(got, "no automation in the policy") {
		t.Error(got)
	}
	r.apply(store.Text{Kind: engine.KindAutomation, Name: "tag-it", Text: "automation: tag-it\nowner: kim@shop.example\nwhy: A sample.\non: order.placed\ndo:\n  - tag: x\n"})
	r.decided(&event.OrderCancelled{Channel: "web", Number: "1", Reason: "changed mind"})
	if got := why("1"); !strings.Contains(got, "before it was placed, and no order.placed came so far") {
		t.Error(got)
	}
	r.decided(placed("1", "MUG", 1))
	if got := why("1"); !strings.Contains(got, "before its order.placed came at") {
		t.Error(got)
	}
	if named, err := r.eng.Unasked(t.Context(), event.OrderID("web", "1"), "tag-it"); err != nil || named.Text != why("1") {
		t.Error(named.Text, err)
	}
	r.decided(&event.OrderPaid{Channel: "web", Number: "2", Amount: money.New(100, "EUR")})
	if got := why("2"); !strings.Contains(got, "set off by what came for this order: order.paid") {
		t.Error(got)
	}
}
