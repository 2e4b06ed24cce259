package automation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

const tested = `automation: hold-large
owner: risk@shop.example
why: Large orders are looked at.
on: order.placed
when: order.total > money("400", "EUR") && velocity("order.placed", "customer.email", "1d") > 2
do:
  - hold: { queue: risk, reason: "large" }
tests:
`

func TestTestsAreRead(t *testing.T) {
	a, err := Parse("a.yaml", []byte(tested+`  - name: large
    at: 2026-03-01T10:00:00+01:00
    event:
      number: 1001
      total: 500 EUR
      lines: [{ sku: MUG, qty: 2, unit_price: 9.50 EUR }, { sku: CUP }]
      customer: { email: a@shop.example, signed_up: 2025-01-01T00:00:00Z }
      attributes: { gift: yes }
    given: { customer.orders: 3, ip.country: null, customer.account_age: 2d, customer.spent: 12 EUR, customer.tags: [vip], 'velocity("order.placed","customer.email","24h")': 4 }
    stock: { MUG: 1 }
    expect: fires
    does: [hold]
`))
	if err != nil {
		t.Fatal(err)
	}
	x := a.Tests[0]
	p := x.Event.(*event.OrderPlaced)
	if p.Number != "1001" || p.Channel != "web" || p.Currency != "EUR" || p.Lines[0].Qty != 2 || p.Lines[1].UnitPrice.String() != "10.00 EUR" ||
		p.Customer.SignedUp.IsZero() || p.Attributes["gift"] != "yes" {
		t.Errorf("the event came as %+v", p)
	}
	if x.Line != 9 || x.Order != nil || x.Expect != rule.True || x.Stock["MUG"] != 1 || !x.At.Equal(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", x)
	}
	if v, ok := x.Given["ip.country"]; !ok || v != nil {
		t.Error("null does not make a fact unknown")
	}
	if x.Given[rule.VelocityFact("order.placed", "customer.email", 24*time.Hour)] != int64(4) || x.Given["customer.account_age"] != 48*time.Hour {
		t.Errorf("given came as %v", x.Given)
	}
}

func TestProblemsOfTests(t *testing.T) {
	for _, tc := range []struct{ name, text, at, message string }{
		{"no list", "  name: x\n", "9:3", "must be a list"},
		{"no mapping", "  - x\n", "9:5", "keys and values"},
		{"no name", "  - expect: fires\n", "9:5", "name is required"},
		{"no expect", "  - name: x\n", "9:5", "expect is required"},
		{"expect", "  - name: x\n    expect: fire\n", "10:13", "does not fire or unknown"},
		{"key", "  - name: x\n    expct: fires\n", "10:5", "did you mean expect?"},
		{"twice", "  - { name: x, expect: fires }\n  - { name: x, expect: fires }\n", "10:13", "two tests have the name"},
		{"field", "  - name: x\n    event: { totl: 5 EUR }\n    expect: fires\n", "10:14", "did you mean total?"},
		{"deep field", "  - name: x\n    event: { shipping: { contry: FR } }\n    expect: fires\n", "10:26", "did you mean country?"},
		{"amount", "  - name: x\n    event: { total: 5 }\n    expect: fires\n", "10:21", "not an amount"},
		{"number", "  - name: x\n    event: { lines: [{ qty: two }] }\n    expect: fires\n", "10:29", "whole number"},
		{"invalid", "  - name: x\n    event: { shipping: { country: France } }\n    expect: fires\n", "10:35", "ISO 3166"},
		{"mixed", "  - name: x\n    event: { currency: USD, lines: [], total: 5 EUR }\n    expect: fires\n", "10:47", "is in EUR but the order is in USD"},
		{"order", "  - name: x\n    order: { total: 5 EUR }\n    expect: fires\n", "10:12", "there is none"},
		{"given", "  - name: x\n    given: { customer.order: 5 }\n    expect: fires\n", "10:14", "did you mean customer.orders?"},
		{"given elsewhere", "  - name: x\n    given: { stock.sku: MUG }\n    expect: fires\n", "10:14", "is not known on order.placed"},
		{"given type", "  - name: x\n    given: { customer.orders: few }\n    expect: fires\n", "10:31", "is a whole number"},
		{"velocity", "  - name: x\n    given: { 'velocity(\"order.placed\", \"customer.email\", \"2h\")': 5 }\n    expect: fires\n", "10:14", `it asks for velocity("order.placed", "customer.email", "24h")`},
		{"stock", "  - name: x\n    stock: { MUG: -1 }\n    expect: fires\n", "10:19", "number of units"},
		{"at", "  - name: x\n    at: noon\n    expect: fires\n", "10:9", "must be a time"},
		{"does", "  - name: x\n    expect: does not fire\n    does: [hold]\n", "11:11", "leave does out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse("a.yaml", []byte(tested+tc.text))
			e := asFault(err)
			if e == nil || len(e.Problems) == 0 {
				t.Fatalf("accepted; want %q", tc.message)
			}
			if !slices.ContainsFunc(e.Problems, func(p fault.Problem) bool {
				return p.Pointer == "a.yaml:"+tc.at && strings.Contains(p.Message, tc.message)
			}) {
				t.Errorf("got %v, want %s: %s", e.Problems, tc.at, tc.message)
			}
		})
	}
}

// Every event type can be tested without saying more than what is expected.
func TestEveryTypeHasAnExample(t *testing.T) {
	for _, on := range schema.Events() {
		switch on {
		case OnSchedule:
			on = "schedule\nschedule: { cron: \"0 9 * * *\" }"
		case OnAbsence:
			on = "{ absence_of: shipment.scanned, after: shipment.labelled, within: 48h }"
		}
		_, err := Parse("a.yaml", []byte("automation: a\nowner: a@shop.example\nwhy: b\non: "+on+"\ndo:\n  - task: { queue: ops, title: look }\ntests:\n  - { name: x, expect: fires }\n"))
		if err != nil {
			t.Errorf("%s: %v", on, err)
		}
	}
}
