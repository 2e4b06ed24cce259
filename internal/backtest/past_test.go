package backtest_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
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

// TestThePastOfTimers: what timers set off has an event for each automation, so that two of them meet at one time of the
// clock, or on one order; other ticks, and those of other times than they have now, say nothing of the two.
func TestThePastOfTimers(t *testing.T) {
	s := newShop(t)
	clocked := func(name, cron, when string) string {
		return "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\non: schedule\nschedule: { cron: \"" + cron + "\" }\nwhen: '" + when + "'\ndo: [ { task: { queue: ops, title: look } } ]\n"
	}
	lost := func(name, within, when string) string {
		return "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\non: { absence_of: shipment.scanned, after: shipment.labelled, within: " + within + " }\nwhen: '" + when + "'\ndo: [ { tag: late } ]\n"
	}
	monday := "schedule.at.getDayOfWeek() == 1"
	texts := map[string]string{
		"weekly": clocked("weekly", "0 9 * * *", monday), "even": clocked("even", "0 9 * * *", "schedule.at.getDayOfMonth() % 2 == 1"),
		"moved": clocked("moved", "0 8 * * *", monday), "new": clocked("new", "0 9 * * *", monday),
		"lost": lost("lost", "48h", "order.units > 1"), "gone": lost("gone", "48h", `order.units < 5 && ip.country != "FR" || order.units == 5`), "later": lost("later", "72h", "order.units > 1"),
	}
	as := map[string]*automation.Automation{}
	var live []store.Text
	for name, text := range texts {
		as[name] = parse(t, text)
		if name != "new" {
			live = append(live, store.Text{Kind: "automation", Name: name, Text: text})
		}
	}
	s.apply(live...)
	as["moved"] = parse(t, clocked("moved", "0 9 * * *", monday)) // it had other times then
	for day := 2; day <= 16; day++ {                              // mondays are the 2nd, the 9th and the 16th
		at := time.Date(2026, 3, day, 9, 0, 0, 0, time.UTC)
		s.submit(&event.ScheduleDue{Automation: "weekly", At: at})
		if day != 16 { // it was stopped that day
			s.submit(&event.ScheduleDue{Automation: "even", At: at})
		}
		s.submit(&event.ScheduleDue{Automation: "moved", At: at.Add(-time.Hour)})
	}
	for i, units := range []int64{1, 3, 5} {
		number := strconv.Itoa(i + 1)
		s.submit(&event.OrderPlaced{Channel: "web", Number: number, Currency: "EUR", Lines: []event.Line{{SKU: "MUG", Qty: units, UnitPrice: money.New(100, "EUR")}}})
		s.submit(&event.ShipmentLabelled{Channel: "web", Number: number, Location: "lyon", Tracking: "T" + number})
	}
	var due []event.Payload
	if err := s.db.View(t.Context(), func(tx *store.Tx) error {
		ts, err := store.DueTimers(tx, s.now.AddDate(1, 0, 0), 100)
		for _, tm := range ts {
			p, bad := event.Decode(tm.Type, []byte(tm.Data))
			if bad != nil {
				return bad
			}
			if _, ok := p.(*event.AbsenceDue); ok {
				due = append(due, p)
			}
		}
		return err
	}); err != nil || len(due) != 9 {
		t.Fatal(len(due), err)
	}
	for _, p := range due {
		s.submit(p)
	}
	pair := func(names ...string) (q backtest.Question) {
		for _, n := range names {
			q.Automations = append(q.Automations, as[n])
		}
		return q
	}
	type short struct{ looked, times, unknown int64 }
	for _, tc := range []struct {
		q    backtest.Question
		want short
		on   string // where it was seen first
	}{
		{pair("weekly"), short{15, 3, 0}, "2026-03-02 08:00"},
		{pair("even"), short{14, 7, 0}, ""},
		{pair("weekly", "even"), short{14, 1, 0}, "2026-03-02 08:07"}, // on the other even monday one was stopped
		{pair("weekly", "moved"), short{}, ""},
		{pair("moved"), short{}, ""},
		{pair("weekly", "new"), short{}, ""},
		{pair("lost"), short{3, 2, 0}, ""},
		{pair("lost", "gone"), short{3, 1, 1}, event.OrderID("web", "3")}, // of the second no country is known
		{pair("gone", "later"), short{3, 1, 1}, event.OrderID("web", "3")},
	} {
		// alone, and beside all others
		for _, qs := range [][]backtest.Question{{tc.q}, {pair("even", "weekly"), pair("later"), tc.q}} {
			got, err := backtest.Past(t.Context(), s.options(), qs)
			if err != nil {
				t.Fatal(err)
			}
			a := got.Of[len(qs)-1]
			if (short{a.Looked, a.Times, a.Unknown}) != tc.want || !a.Whole {
				t.Errorf("%s of %d questions: %+v, want %v", tc.q.Automations[0].Name, len(qs), *a, tc.want)
			}
			if len(a.Seen) != int(min(a.Times, 3)) || tc.on != "" && a.Seen[0].Order != tc.on && a.Seen[0].At.UTC().Format("2006-01-02 15:04") != tc.on {
				t.Errorf("%s: seen on %+v", tc.q.Automations[0].Name, a.Seen)
			}
		}
	}
	// Beside each other in one backtest, each is asked at its own times only.
	rep, err := backtest.Run(t.Context(), s.options(as["weekly"], as["even"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rep.Automations {
		if want := map[string]int64{"weekly": 15, "even": 14}[a.Name]; a.Considered != want {
			t.Errorf("%s was asked %d times, want %d", a.Name, a.Considered, want)
		}
	}
}
