package backtest_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// TestThePastIsAsked: on which events automations fire together, and with which tags orders came, in one go through the
// history: those that only count, those that need the orders themselves, and none at all.
func TestThePastIsAsked(t *testing.T) {
	s := newShop(t)
	order := func(number string, qty int64, tags ...string) *event.OrderPlaced {
		return &event.OrderPlaced{
			Channel: "web", Number: number, Currency: "EUR", Tags: tags, Customer: event.Buyer{Email: "buyer" + number + "@example.com", Tags: []string{"wholesale"}},
			Lines: []event.Line{{SKU: "MUG", Qty: qty, UnitPrice: money.New(1000, "EUR")}},
		}
	}
	s.submit(order("1", 1), order("2", 3, "vip"), order("3", 5))
	s.submit(&event.OrderPaid{Channel: "web", Number: "2", Amount: money.New(3000, "EUR")}, &event.OrderPaid{Channel: "web", Number: "3", Amount: money.New(5000, "EUR")})
	s.past(s.now.AddDate(0, -2, 0), order("0", 9))
	rule := func(name, on, when string) *automation.Automation {
		return parse(t, "automation: "+name+"\nowner: ops@shop.example\nwhy: a test\non: "+on+"\nwhen: '"+when+"'\ndo: [ { task: { queue: ops, title: look } } ]\n")
	}
	many, odd := rule("many", "order.placed", "order.units * 2 > 4"), rule("odd", "order.placed", `order.units < 5 && ip.country != "FR" || order.units == 5`)
	paid := rule("paid", "order.paid", "order.captured >= money(\"50\", \"EUR\")")
	qs := []backtest.Question{
		{Automations: []*automation.Automation{many}},
		{Automations: []*automation.Automation{many, odd}},
		{List: "order.tags", Tag: "vip"},
		{List: "order.tags", Tag: "VIP"},
		{List: "customer.tags", Tag: "wholesale"},
		{Automations: []*automation.Automation{paid}},
	}
	type short struct{ looked, times, unknown int64 }
	want := []short{{4, 3, 0}, {4, 1, 1}, {4, 1, 0}, {4, 0, 0}, {4, 4, 0}, {2, 1, 0}}
	for _, n := range [][]int{{0, 1, 2, 3, 4, 5}, {0, 1, 2, 4}, {2, 3, 4}} { // the full fold, the light one, and none
		var ask []backtest.Question
		for _, i := range n {
			ask = append(ask, qs[i])
		}
		got, err := backtest.Past(t.Context(), s.options(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for k, i := range n {
			a := got.Of[k]
			if (short{a.Looked, a.Times, a.Unknown}) != want[i] || !a.Whole || len(a.Seen) != int(min(a.Times, 3)) {
				t.Errorf("of %v question %d: %+v, want %v", n, i, *a, want[i])
			}
			if i == 5 && a.Seen[0].Order != event.OrderID("web", "3") || i == 2 && a.Seen[0].Number != "2" {
				t.Errorf("question %d was seen on %+v", i, a.Seen)
			}
		}
		if !slices.Equal(got.Tags["order.tags"], []string{"vip"}) || !slices.Equal(got.Tags["customer.tags"], []string{"wholesale"}) {
			t.Errorf("orders came with %v", got.Tags)
		}
	}
	// What was seen when the time is up is told as what it is.
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if got, err := backtest.Past(over, s.options(), qs[:1]); err != nil || got.Of[0].Whole {
		t.Errorf("out of time: %+v %v", got, err)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if _, err := backtest.Past(gone, s.options(), qs[:1]); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// Beside a page it is asked in the background, and the answer stands for a while.
	r := &backtest.Runner{DB: s.db, Keys: s.keys, Policies: s.eng, Now: func() time.Time { return s.now }, Log: slog.New(slog.DiscardHandler)}
	told := func(n int) backtest.Answers {
		t.Helper()
		r.Past(t.Context(), qs[:n])
		r.Wait()
		a := r.Past(t.Context(), qs[:n])
		if a.Asking {
			t.Fatal("it is still being asked")
		}
		return a
	}
	if a := r.Past(t.Context(), qs[:3]); !a.Asking || a.Of[0] != nil {
		t.Errorf("at once: %+v", a)
	}
	first := told(3)
	if again := r.Past(t.Context(), qs[:3]); again.Asking || again.Of[1] != first.Of[1] || first.Of[1].Times != 1 || len(again.Tags["order.tags"]) != 1 {
		t.Errorf("again: %+v", again)
	}
	if a := told(6); a.Of[5].Times != 1 || a.Of[1] != first.Of[1] {
		t.Errorf("three more: %+v", a)
	}
	s.now = s.now.Add(time.Hour)
	if a := r.Past(t.Context(), qs[:1]); !a.Asking {
		t.Error("an old answer stands for ever")
	}
	r.Close()
}
