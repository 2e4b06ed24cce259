package engine_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

func automationText(name, on, when, step string) store.Text {
	return store.Text{Kind: "automation", Name: name, Text: "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\non: " + on + "\nwhen: " + when + "\ndo:\n  - " + step + "\n"}
}

// TestCheckAsksTheHistory: where no proof is possible the answer is not "fine" but what happened so far,
// and what the shop has beside its automations is looked at.
func TestCheckAsksTheHistory(t *testing.T) {
	r := newRig(t)
	r.apply(
		automationText("a", "order.placed", "order.units * 7 == 14", "tag: two"),
		automationText("b", "order.placed", `order.lines.map(l, l.qty).exists(q, q == 2)`, "tag: two"),
		automationText("c", "stock.low", "stock.available < 3", "task: { queue: ops, title: order more }"),
	)
	for _, qty := range []int64{2, 3, 2} {
		r.n++
		r.do(&event.OrderPlaced{Channel: "web", Number: strings.Repeat("1", r.n), Currency: "EUR", Lines: []event.Line{{SKU: "MUG", Qty: qty, UnitPrice: money.New(100, "EUR")}}})
	}
	report, err := r.eng.Check(t.Context())
	if err == nil {
		report, err = engine.AskHistory(report, func(qs []backtest.Question) (backtest.Answers, error) {
			return backtest.Past(t.Context(), backtest.Options{DB: r.db, Keys: r.key, Policies: r.eng}, qs)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	var together, low bool
	for _, f := range report.Findings {
		if f.Kind == proof.Open && len(f.Automations) == 2 {
			together = true
			if h := f.History; h == nil || h.Times != 2 || h.Looked != 3 || !h.Whole || len(h.Seen) != 2 || h.Seen[0].Number != "1" || h.Seen[0].Order == "" {
				t.Errorf("the past says %+v", h)
			}
		}
		low = low || f.Kind == proof.Unwritten && f.Automations[0] == "c"
	}
	if !together || !low {
		t.Errorf("found %+v", report.Findings)
	}
	r.products(catalog.Product{SKU: "MUG", LowAt: 3})
	if report, err = r.eng.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		if f.Kind == proof.Unwritten {
			t.Errorf("still found: %s", f.Message)
		}
	}
}
