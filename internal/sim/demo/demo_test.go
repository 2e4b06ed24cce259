package demo

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim"
)

var now = time.Date(2026, 3, 4, 21, 0, 0, 0, time.UTC)

func TestPastIsHistoryInOrder(t *testing.T) {
	l := Life{Shop: sim.New(1, "D")}
	evs := l.Past(now, time.UTC, 3, 300)
	placed := map[string]time.Time{}
	hours := map[int]int{}
	keys := map[string]bool{}
	for i, ev := range evs {
		if ev.Mode != event.History || ev.At.After(now.Add(-time.Minute)) || ev.At.Before(now.AddDate(0, 0, -3)) {
			t.Fatalf("%s at %s, mode %s", ev.Key, ev.At, ev.Mode)
		}
		if i > 0 && ev.At.Before(evs[i-1].At) {
			t.Fatalf("%s comes after %s but happened before", ev.Key, evs[i-1].Key)
		}
		if keys[ev.Key] {
			t.Fatalf("%s twice", ev.Key)
		}
		keys[ev.Key] = true
		switch p := ev.Data.(type) {
		case *event.OrderPlaced:
			placed[p.Number] = ev.At
			hours[ev.At.Hour()]++
		case *event.OrderCompleted:
			if placed[p.Number].IsZero() {
				t.Errorf("%s was delivered before it was placed", p.Number)
			}
		}
		if ps := ev.Data.Validate(); len(ps) > 0 {
			t.Errorf("%s: %v", ev.Key, ps)
		}
	}
	if n := len(placed); n < 295 || n > 300 {
		t.Errorf("%d orders for 300", n)
	}
	if hours[20] < 4*hours[4] {
		t.Errorf("the evening has %d orders, the night %d", hours[20], hours[4])
	}
}

func TestSameSeedSameLife(t *testing.T) {
	make := func() (evs []event.Event) {
		l := Life{Shop: sim.New(9, "D")}
		evs = append(evs, l.Opening(10)...)
		evs = append(evs, l.Past(now, time.UTC, 2, 80)...)
		r := l.Reviewed(now, "usr_a", "usr_b")
		evs = slices.Concat(evs, r.Before, r.Held, r.Decided)
		return append(evs, l.Scenes(now)...)
	}
	if !reflect.DeepEqual(make(), make()) {
		t.Error("the same seed gives another life")
	}
	for _, ev := range make() {
		if ps := ev.Data.Validate(); len(ps) > 0 {
			t.Errorf("%s: %v", ev.Key, ps)
		}
	}
}

func TestDiaryGivesEachEventOnceWhenItIsDue(t *testing.T) {
	var d Diary
	for i, m := range []int{5, 1, 3} {
		d.Add(Later{now.Add(time.Duration(m) * time.Minute), event.Event{Key: string(rune('a' + i))}})
	}
	var got string
	for m := range 7 {
		for _, ev := range d.Due(now.Add(time.Duration(m) * time.Minute)) {
			got += ev.Key
		}
	}
	if got != "bca" {
		t.Errorf("%q", got)
	}
}

// TestBuyersPayWhatTheyOwe: who pays late pays the whole order.
func TestBuyersPayWhatTheyOwe(t *testing.T) {
	l := Life{Shop: sim.New(3, "D")}
	paid, cancelled := 0, 0
	for range 600 {
		o := l.Shop.Order(now)
		for _, later := range l.Buyer(o, now) {
			switch p := later.Event.Data.(type) {
			case *event.OrderPaid:
				paid++
				want := o.ShippingCost
				for _, ln := range o.Lines {
					want = want.Add(ln.UnitPrice.Mul(ln.Qty))
				}
				if p.Amount != want || o.Payment.Status != event.PaymentPending {
					t.Errorf("order %s over %s (%s) is paid with %s", o.Number, want, o.Payment.Status, p.Amount)
				}
			case *event.OrderCancelled:
				cancelled++
			}
			if !later.At.After(now) {
				t.Error("later is now")
			}
		}
	}
	if paid == 0 || cancelled == 0 {
		t.Errorf("%d paid late, %d cancelled", paid, cancelled)
	}
}

// TestReviewersDecideWhatIsHeld: each decision is about an order of the last hour, by more than one
// person, and the same ones whatever the shop has sold before, so that what can be learnt does not depend on the time of day.
func TestReviewersDecideWhatIsHeld(t *testing.T) {
	late := Life{Shop: sim.New(1, "D")}
	late.Past(now, time.UTC, 1, 50)
	early := Life{Shop: sim.New(1, "D")}
	r := early.Reviewed(now, "usr_a", "usr_b")
	if !reflect.DeepEqual(r, late.Reviewed(now, "usr_a", "usr_b")) {
		t.Error("what was sold before changes what is held")
	}
	held := map[string]bool{}
	for _, ev := range r.Held {
		o := ev.Data.(*event.OrderPlaced)
		if age := now.Sub(o.PlacedAt); ev.Mode == event.History || age < 0 || age > time.Hour {
			t.Errorf("%s, mode %q, was placed %s ago", o.Number, ev.Mode, age)
		}
		held[reviewOf(o)] = true
	}
	by := map[string]int{}
	for _, ev := range r.Decided {
		if !held[ev.Data.(*event.TaskDecided).Task] {
			t.Errorf("%s decides no order that is held", ev.Key)
		}
		by[ev.Actor]++
	}
	if by["usr_a"] < 50 || by["usr_b"] < 50 {
		t.Errorf("decided by %v", by)
	}
	for _, ev := range r.Before {
		if ev.Mode != event.History || ev.At.After(now) {
			t.Errorf("%s at %s, mode %q", ev.Key, ev.At, ev.Mode)
		}
	}
}
