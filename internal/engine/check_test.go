package engine_test

import (
	"strings"
	"testing"
	"time"

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

// TestCheckAsksWhatTimersSetOff: two on one schedule, and two that wait for the same, have the answer of the past too.
func TestCheckAsksWhatTimersSetOff(t *testing.T) {
	r := newRig(t)
	clocked := func(name, when string) store.Text {
		x := automationText(name, "schedule", when, "task: { queue: ops, title: look }")
		x.Text = strings.Replace(x.Text, "on: schedule\n", "on: schedule\nschedule: { cron: \"0 9 * * *\" }\n", 1)
		return x
	}
	absence := "{ absence_of: shipment.scanned, after: shipment.labelled, within: 2d }"
	r.apply(
		clocked("a", "schedule.at.getDayOfMonth() % 2 == 1"), clocked("b", "schedule.at.getDayOfWeek() == 1"),
		automationText("c", absence, "order.units * 7 == 14", "tag: late"), automationText("d", absence, "order.units * 3 < 60", "tag: late"),
	)
	for day := 1; day <= 9; day++ {
		for _, name := range []string{"a", "b"} {
			r.decided(&event.ScheduleDue{Automation: name, At: time.Date(2026, 3, day, 9, 0, 0, 0, time.UTC)})
		}
	}
	for i, qty := range []int64{2, 3} {
		number := strings.Repeat("1", i+1)
		r.decided(placed(number, "MUG", qty))
		r.decided(&event.ShipmentLabelled{Channel: "web", Number: number, Location: "main", Tracking: "T" + number})
	}
	r.fireEvery(1)
	report, err := r.eng.Check(t.Context())
	if err == nil {
		report, err = engine.AskHistory(report, func(qs []backtest.Question) (backtest.Answers, error) {
			return backtest.Past(t.Context(), backtest.Options{DB: r.db, Keys: r.key, Policies: r.eng}, qs)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"a": "In 9 recorded times of the clock", "c": "In 2 recorded orders on which both were asked"}
	for _, f := range report.Findings {
		text := report.Past(&f, time.UTC)
		if f.Kind == proof.Open && text == "" {
			t.Errorf("of %v the past says nothing", f.Automations)
		}
		if len(f.Automations) == 2 && strings.HasPrefix(text, want[f.Automations[0]]) && strings.Contains(text, " both fire once") {
			delete(want, f.Automations[0])
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v among %+v", want, report.Findings)
	}
	// What could not be asked is not told as if all were well.
	if report, err = r.eng.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	none, err := engine.AskHistory(report, func(qs []backtest.Question) (backtest.Answers, error) {
		return backtest.Answers{Of: make([]*backtest.Answer, len(qs))}, nil
	})
	if err != nil || none.Unasked == "" {
		t.Errorf("could not be asked: %v %v", none, err)
	}
}
