package backtest_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// TestOutcomes: what differs is the candidate's effect. Holds that other automations put
// stay, releases count, and what came as history was held by nobody.
func TestOutcomes(t *testing.T) {
	s := newShop(t)
	text := func(name, on, when, do string) string {
		return fmt.Sprintf("automation: %s\nowner: ops@shop.example\nwhy: a test\nmode: active\non: %s\nwhen: '%s'\ndo: [ %s ]\n", name, on, when, do)
	}
	const hold, release = `{ hold: { queue: risk, sla: 4h, reason: "look" } }`, `{ release: {} }`
	large := text("large", "order.placed", "order.units >= 5", hold)
	odd := text("odd", "order.placed", "order.units % 2 == 1", hold)
	s.apply(store.Text{Kind: engine.KindAutomation, Name: "large", Text: large}, store.Text{Kind: engine.KindAutomation, Name: "odd", Text: odd})
	order := func(number, units int64) *event.OrderPlaced {
		return &event.OrderPlaced{
			Channel: "web", Number: fmt.Sprint(number), Currency: "EUR", Customer: event.Buyer{Email: fmt.Sprintf("b%d@example.com", number)},
			Lines: []event.Line{{SKU: "MUG", Qty: units, UnitPrice: money.New(1000, "EUR")}},
		}
	}
	for n := range int64(8) { // of 1 to 8 units: odd holds 1 3 5 7, large 5 6 7 8
		s.submit(order(n+1, n+1))
	}
	for n := range int64(8) {
		s.submit(&event.OrderPaid{Channel: "web", Number: fmt.Sprint(n + 1), Amount: money.New((n+1)*1000, "EUR")})
	}
	s.past(s.now.AddDate(0, -2, 0), order(90, 9))

	type outcome struct{ would, then, newly, letGo, not, undone int64 }
	for _, c := range []struct {
		name, text string
		want       outcome
		money      string // of what would be let go, or not be held
	}{
		{"the same text", large, outcome{would: 5, then: 4, newly: 1}, ""}, // the one of history, newly
		{"held by another all the same", text("large", "order.placed", "order.units >= 7", hold), outcome{would: 3, then: 2, newly: 1, not: 1}, "60.00 EUR"},
		{"more", text("large", "order.placed", "order.units >= 3", hold), outcome{would: 7, then: 5, newly: 2}, ""},
		{"hold and release", text("both", "order.placed", "order.units == 4", hold+", "+release), outcome{undone: 1}, ""},
		{"hold and release of held ones", text("both", "order.placed", "order.units <= 4", hold+", "+release), outcome{letGo: 2, undone: 2}, "40.00 EUR"},
		{"only releases", text("go", "order.placed", "order.units >= 5", release), outcome{letGo: 4}, "260.00 EUR"},
		{"releases when paid", text("go", "order.paid", "true", release), outcome{letGo: 6}, "300.00 EUR"},
		{"holds when paid", text("late", "order.paid", "order.units <= 3", hold), outcome{would: 3, then: 2, newly: 1}, ""},
		{"by what it finds", text("go", "order.placed", "true", `{ if: "order.units == 5", then: [ { release: {} } ] }`), outcome{letGo: 1}, "50.00 EUR"},
		{"later", text("later", "order.placed", "true", "{ wait: 1h }, "+hold), outcome{}, ""},
		{"nothing of the kind", text("go", "order.placed", "true", `{ tag: { tag: seen } }`), outcome{}, ""},
	} {
		for _, afresh := range []bool{false, true} {
			o := s.options(parse(t, c.text))
			o.Afresh = afresh
			rep, err := backtest.Run(t.Context(), o)
			if err != nil {
				t.Fatal(c.name, err)
			}
			a := rep.Automations[0]
			if got := (outcome{a.WouldHold, a.HeldThen, a.NewlyHeld, a.LetGo, a.NotHeld, a.Undone}); got != c.want {
				t.Errorf("%s (afresh %v): %+v, want %+v", c.name, afresh, got, c.want)
			}
			if got := strings.Trim(strings.Join([]string{amounts(a.LetGoMoney), amounts(a.NotHeldMoney)}, " "), " "); got != c.money {
				t.Errorf("%s: worth %q, want %q", c.name, got, c.money)
			}
			if int64(len(a.Changed)) != a.NewlyHeld+a.LetGo+a.NotHeld || slices.ContainsFunc(a.Changed, func(s backtest.Sample) bool { return s.Order == "" || s.Would() == "" }) {
				t.Errorf("%s: to look at: %+v", c.name, a.Changed)
			}
			if rep.Imported != 1 || !strings.Contains(strings.Join(rep.Notes, "\n"), "1 of the 9 orders") {
				t.Errorf("%s: of history %d, %v", c.name, rep.Imported, rep.Notes)
			}
			var b bytes.Buffer
			rep.WriteText(&b, time.UTC)
			if said := strings.Contains(b.String(), backtest.Compared); said != (a.WouldHold+a.Undone+a.LetGo+a.NotHeld > 0) {
				t.Errorf("%s: what is compared is said: %v\n%s", c.name, said, &b)
			}
		}
	}

	// As one set the candidates are exchanged together: the order that both hold is held by neither any more.
	small := parse(t, text("large", "order.placed", "order.units == 8", hold))
	even := parse(t, text("odd", "order.placed", "order.units == 2", hold))
	rep, err := backtest.Run(t.Context(), s.options(small, even))
	if err != nil {
		t.Fatal(err)
	}
	if g := rep.Together; g.WouldHold != 2 || g.HeldThen != 1 || g.NewlyHeld != 1 || g.NoMoreHeld != 5 || amounts(g.NoMoreMoney) != "220.00 EUR" {
		t.Errorf("together %+v", g)
	}
}

func amounts(as []money.Amount) string {
	var out []string
	for _, a := range as {
		out = append(out, a.String())
	}
	return strings.Join(out, " + ")
}

// TestTextInTheShopsTime: days, weeks and times are the shop's, whichever zone the machine has, and no sample stands there twice.
func TestTextInTheShopsTime(t *testing.T) {
	s := newShop(t)
	const text = "automation: two\nowner: ops@shop.example\nwhy: a test\non: order.placed\nwhen: order.units == 2\ndo: [ { hold: { queue: risk, sla: 4h, reason: look } } ]\n"
	s.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "time_zone: Asia/Tokyo\n"})
	sunday := time.Date(2025, 12, 7, 20, 30, 0, 0, time.UTC) // the Monday has begun in Tokyo
	for i, at := range []time.Time{sunday, sunday.AddDate(0, 0, 21)} {
		s.past(at, &event.OrderPlaced{
			Channel: "web", Number: fmt.Sprint(70 + i), Currency: "EUR", Customer: event.Buyer{Email: "b@example.com"},
			Lines: []event.Line{{SKU: "MUG", Qty: 2, UnitPrice: money.New(1000, "EUR")}},
		})
	}
	zone := s.eng.Policy().Settings.TimeZone
	rep, err := backtest.Run(t.Context(), s.options(parse(t, text)))
	if err != nil {
		t.Fatal(err)
	}
	ws := rep.Automations[0].Weeks
	if len(ws) != 2 || !ws[0].Start.Equal(time.Date(2025, 12, 8, 0, 0, 0, 0, zone)) || ws[0].Start.Location() != time.UTC {
		t.Errorf("weeks: %+v", ws)
	}
	var b bytes.Buffer
	rep.WriteText(&b, zone)
	for _, want := range []string{"2025-12-08 to 2025-12-29, times in Asia/Tokyo", "by week from 2025-12-08: █  █\n", "    2025-12-08 05:30  70 ", "would end otherwise"} {
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "all it fires for") {
		t.Errorf("samples are there twice:\n%s", &b)
	}
}
