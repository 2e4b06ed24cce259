package decide_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
)

func TestAnAbsenceIsNoticedOnce(t *testing.T) {
	text := auto("not-scanned", "{ absence_of: shipment.scanned, after: shipment.labelled, within: 48h }", "do:\n  - tag: lost\n  - task: { queue: support, title: Ask the carrier }\n")
	label := func(n string) event.Payload {
		return &event.ShipmentLabelled{Channel: "web", Number: "1", Location: "a", Tracking: n}
	}
	scan := func(n string) event.Payload {
		return &event.ShipmentScanned{Channel: "web", Number: "1", Tracking: n}
	}
	for name, tc := range map[string]struct {
		before, after []event.Payload
		wait          time.Duration
		want          int
	}{
		"nothing came":             {before: []event.Payload{label("T1")}, want: 1},
		"it came":                  {before: []event.Payload{label("T1"), scan("T1")}},
		"it came first":            {before: []event.Payload{scan("T1"), label("T1")}},
		"another parcel's":         {before: []event.Payload{label("T1"), scan("T2")}, want: 1},
		"one of two":               {before: []event.Payload{label("T1"), label("T2"), scan("T2")}, want: 1},
		"without a number":         {before: []event.Payload{label("T1"), scan("")}},
		"it came late":             {before: []event.Payload{label("T1")}, after: []event.Payload{scan("T1")}, want: 1},
		"labelled again":           {before: []event.Payload{label("T1"), scan("T1"), label("T1")}, want: 1},
		"the order was cancelled":  {before: []event.Payload{label("T1"), &event.OrderCancelled{Channel: "web", Number: "1"}}},
		"not yet":                  {before: []event.Payload{label("T1")}, wait: 47 * time.Hour},
		"told before it was known": {before: []event.Payload{label("T1"), label("T2")}, want: 2},
	} {
		s := newShop(t, text)
		s.receive("MUG", "a", 1)
		s.do(placed("1", line("MUG", 1)))
		for _, p := range tc.before {
			s.do(p)
		}
		if tc.wait == 0 {
			tc.wait = 49 * time.Hour
		}
		s.later(tc.wait)
		for _, p := range tc.after {
			s.do(p)
		}
		s.later(48 * time.Hour * time.Duration(len(tc.after)))
		n := 0
		for subject := range s.snap.Tasks {
			if strings.HasPrefix(subject, "automation:not-scanned:") {
				n++
			}
		}
		if n != tc.want {
			t.Errorf("%s: noticed %d times, want %d", name, n, tc.want)
		}
		s.check()
	}
}

func TestAScheduleAsksItsOwnAutomation(t *testing.T) {
	s := newShop(t, auto("morning", "schedule", "schedule: { cron: \"0 9 * * *\" }\nwhen: schedule.at < event.at\ndo:\n  - task: { queue: ops, title: Look around }\n"),
		auto("evening", "schedule", "schedule: { cron: \"0 18 * * *\" }\ndo:\n  - task: { queue: ops, title: Go home }\n"))
	s.do(&event.ScheduleDue{Automation: "morning", At: noon.Add(-time.Hour)})
	if got := fmt.Sprint(s.last.Trace.Automations); !strings.Contains(got, "Look around") || strings.Contains(got, "Go home") || s.last.Considered != 1 {
		t.Errorf("%d asked: %s", s.last.Considered, got)
	}
}

// TestStockIsLowOnceInAJump: a transition is an event of its crossing, also when the level never stood on the line.
func TestStockIsLowOnceInAJump(t *testing.T) {
	s := newShop(t, auto("low", "stock.low", "do:\n  - task: { queue: buyers, title: Order more }\n"))
	s.product(catalog.Product{SKU: "MUG", LowAt: 5})
	s.receive("MUG", "a", 7)
	asked := func() (n int) {
		for subject := range s.snap.Tasks {
			if strings.HasPrefix(subject, "automation:low:") {
				n++
			}
		}
		return n
	}
	s.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: -3}) // from 7 to 4
	s.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: -1})
	s.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: 2}) // 5 is still low
	s.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: -2})
	if n := asked(); n != 1 {
		t.Errorf("asked %d times while it was low", n)
	}
	s.receive("MUG", "a", 10)
	s.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: -9})
	if n := asked(); n != 2 {
		t.Errorf("asked %d times after it had recovered", n)
	}
}
