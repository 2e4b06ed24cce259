package decide_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

const confirmation = `automation: order-confirmation
owner: ops@shop.example
why: buyers want to know
on: order.accepted
do:
  - message: { template: order-confirmation, to: customer }
`

const holdLarge = `automation: hold-large
owner: risk@shop.example
why: reviewers refuse most of them
on: order.placed
when: order.total > money("100", "EUR")
do:
  - hold: { queue: risk, sla: 2h, reason: large order }
`

func TestPlacedIsReservedConfirmedAndRequested(t *testing.T) {
	s := newShop(t, confirmation)
	s.receive("MUG", "a", 5)
	s.do(placed("1", line("MUG", 2)))
	o := s.order("1")
	if o.State != order.Ready || o.Payment != event.PaymentPaid {
		t.Fatalf("state %s, payment %s", o.State, o.Payment)
	}
	if b := s.balance("MUG", "a"); b.OnHand != 5 || b.Reserved != 2 {
		t.Fatalf("balance %+v", b)
	}
	want := []string{"fulfilment:" + o.ID + ":a:1", "mail:order-confirmation:" + o.ID}
	if got := s.keys(); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("effects %v, want %v", got, want)
	}
	s.check()
}

func TestHoldThenApproveOrReject(t *testing.T) {
	for _, outcome := range []string{"approve", "reject"} {
		s := newShop(t, confirmation, holdLarge)
		s.receive("MUG", "a", 50)
		s.do(placed("1", line("MUG", 20)))
		o := s.order("1")
		if o.State != order.Held || len(s.keys()) != 0 {
			t.Fatalf("state %s, effects %v", o.State, s.keys())
		}
		if b := s.balance("MUG", "a"); b.Reserved != 20 {
			t.Fatalf("a held order keeps its units: %+v", b)
		}
		rev := s.snap.Tasks[o.ID][0]
		if rev.Kind != task.Review || rev.Reasons[0].Automation != "hold-large" || rev.Due.Sub(rev.Created).Hours() != 2 {
			t.Fatalf("task %+v", rev)
		}
		s.do(&event.TaskDecided{Task: rev.ID, Outcome: outcome})
		o = s.order("1")
		keys := s.keys()
		switch outcome {
		case "approve":
			if o.State != order.Ready || countKeys(keys, "mail:order-confirmation") != 1 || countKeys(keys, "fulfilment:") != 1 {
				t.Fatalf("state %s, effects %v", o.State, keys)
			}
		case "reject":
			if o.State != order.Cancelled || countKeys(keys, "fulfilment:") != 0 || countKeys(keys, "mail:order-cancelled") != 1 {
				t.Fatalf("state %s, effects %v", o.State, keys)
			}
			if b := s.balance("MUG", "a"); b.Reserved != 0 {
				t.Fatalf("units stay reserved: %+v", b)
			}
			var refund *task.Task
			for _, x := range s.snap.Tasks[o.ID] {
				if x.Kind == task.Refund {
					refund = x
				}
			}
			if refund == nil {
				t.Fatal("captured money is stranded: no refund task")
			}
		}
		if err := s.try(&event.TaskDecided{Task: rev.ID, Outcome: "approve"}, "console"); fault.KindOf(err) != fault.Conflict {
			t.Fatalf("a second decision: %v", err)
		}
		s.check()
	}
}

func TestLinesOfOneSKUAreSummed(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 10)
	s.do(placed("1", line("MUG", 6), line("MUG", 6)))
	if o := s.order("1"); o.State != order.Unfillable || o.Missing[0].Qty != 2 {
		t.Fatalf("state %s, missing %+v", o.State, o.Missing)
	}
	s.check()
}

func TestKitsUseTheirComponents(t *testing.T) {
	s := newShop(t)
	s.product(catalog.Product{SKU: "SET", Components: []catalog.Component{{SKU: "MUG", Qty: 2}, {SKU: "TRAY", Qty: 1}}})
	s.receive("MUG", "a", 4)
	s.receive("TRAY", "a", 9)
	s.do(placed("1", line("SET", 2)))
	if o := s.order("1"); o.State != order.Ready {
		t.Fatalf("state %s", o.State)
	}
	s.do(placed("2", line("SET", 1)))
	if o := s.order("2"); o.State != order.Unfillable || o.Missing[0] != (order.Missing{SKU: "MUG", Qty: 2}) {
		t.Fatalf("%s, missing %+v", o.State, o.Missing)
	}
	s.check()
}

func TestBackorderWaitsAndIsFilledWhenStockComes(t *testing.T) {
	s := newShop(t, confirmation)
	s.product(catalog.Product{SKU: "LAMP", Backorder: true})
	s.do(placed("1", line("LAMP", 3)))
	if o := s.order("1"); o.State != order.Backordered || !o.Accepted {
		t.Fatalf("state %s", o.State)
	}
	s.receive("LAMP", "a", 5)
	s.fireTimers()
	if o := s.order("1"); o.State != order.Ready || s.balance("LAMP", "a").Reserved != 3 {
		t.Fatalf("state %s, %+v", o.State, s.balance("LAMP", "a"))
	}
	if len(s.snap.Waiting["LAMP"]) != 0 {
		t.Fatal("it still waits")
	}
	s.check()
}

func TestUnfillableIsFilledInOrderOfPlacing(t *testing.T) {
	s := newShop(t)
	s.product(catalog.Product{SKU: "MUG"})
	s.do(placed("1", line("MUG", 2)))
	s.do(placed("2", line("MUG", 2)))
	s.receive("MUG", "a", 3)
	s.fireTimers()
	if s.order("1").State != order.Ready || s.order("2").State != order.Unfillable {
		t.Fatalf("%s %s", s.order("1").State, s.order("2").State)
	}
	s.check()
}

func TestRejectedShipmentIsRoutedElsewhere(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 5)
	s.receive("MUG", "b", 5)
	s.do(placed("1", line("MUG", 2)))
	first := s.order("1").Allocations[0].Location
	s.do(&event.ShipmentRejected{Channel: "web", Number: "1", Location: first, Reason: "damaged"})
	o := s.order("1")
	if o.State != order.Ready || len(o.Allocations) != 1 || o.Allocations[0].Location == first {
		t.Fatalf("%s %+v", o.State, o.Allocations)
	}
	if n := countKeys(s.keys(), "fulfilment:"); n != 1 {
		t.Fatalf("%d live fulfilment requests: %v", n, s.keys())
	}
	s.check()
}

func TestShipmentsMoveTheOrderOn(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 5)
	s.do(placed("1", line("MUG", 4)))
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a", Lines: []event.ShippedLine{{SKU: "MUG", Qty: 1}}})
	if o := s.order("1"); o.State != order.PartiallyShipped {
		t.Fatalf("state %s", o.State)
	}
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a"})
	s.do(&event.OrderCompleted{Channel: "web", Number: "1"})
	if o := s.order("1"); o.State != order.Completed {
		t.Fatalf("state %s", o.State)
	}
	if b := s.balance("MUG", "a"); b.OnHand != 1 || b.Reserved != 0 {
		t.Fatalf("%+v", b)
	}
	s.check()
}

const holdOnAccept = `automation: hold-on-accept
owner: risk@shop.example
why: looks at what the first checks let through
on: order.accepted
when: order.units > 3
do:
  - hold: { queue: risk, reason: many units }
`

const shippingUpdate = `automation: shipping-update
owner: ops@shop.example
why: buyers want to know
on: shipment.shipped
do:
  - message: { template: shipping-update, to: customer }
`

func TestAHoldAfterAcceptanceTakesTheRequestBack(t *testing.T) {
	s := newShop(t, confirmation, holdOnAccept)
	s.receive("MUG", "a", 9)
	s.do(placed("1", line("MUG", 4)))
	o := s.order("1")
	if o.State != order.Held || countKeys(s.keys(), "fulfilment:") != 0 {
		t.Fatalf("%s %v", o.State, s.keys())
	}
	s.do(&event.OrderReleaseRequested{Order: o.ID})
	if o = s.order("1"); o.State != order.Ready || countKeys(s.keys(), "fulfilment:") != 1 {
		t.Fatalf("%s %v", o.State, s.keys())
	}
	s.check()
}

const (
	releaseKnown = `automation: a-release-known
owner: risk@shop.example
why: these were always let go
on: order.placed
when: order.units < 50
do:
  - release: {}
`
	holdAgain = `automation: z-hold-again
owner: risk@shop.example
why: asked after the release
on: order.placed
do:
  - hold: { queue: risk, reason: everything }
`
)

// TestAReleaseComesAfterAllHoldsOfItsEvent: what automations are called must not decide what becomes of an order.
func TestAReleaseComesAfterAllHoldsOfItsEvent(t *testing.T) {
	for _, holds := range [][]string{{holdLarge}, {holdAgain}, {holdLarge, holdAgain}} {
		s := newShop(t, append(holds, releaseKnown)...)
		s.receive("MUG", "a", 90)
		s.do(placed("1", line("MUG", 20)))
		if o := s.order("1"); o.State != order.Ready || len(o.Holds) != 0 || len(s.snap.Tasks[o.ID]) != 0 {
			t.Errorf("%d holds: %s %v", len(holds), o.State, o.Holds)
		}
		s.do(placed("2", line("MUG", 60)))
		if o := s.order("2"); o.State != order.Held || len(o.Holds) != len(holds) {
			t.Errorf("%d holds: an order that nobody releases is %s with %v", len(holds), o.State, o.Holds)
		}
		s.check()
	}
}

// A request whose only attempt failed may have arrived: nobody heard the answer. The warehouse is told to stop.
func TestARequestOfUnknownFateIsTakenBackAloud(t *testing.T) {
	for _, attempted := range []bool{false, true} {
		s := newShop(t)
		s.receive("MUG", "a", 5)
		s.do(placed("1", line("MUG", 1)))
		id := s.order("1").ID
		for i, e := range s.snap.Effects[id] {
			if e.Payload.Purpose == "fulfilment" && attempted {
				s.snap.Effects[id][i].Fence, s.snap.Effects[id][i].Attempts = 1, 1
			}
		}
		d := s.do(&event.OrderCancelled{Channel: "web", Number: "1", Reason: "changed their mind"})
		if len(d.Withdraw) != 1 {
			t.Errorf("attempted %v: %d withdrawn", attempted, len(d.Withdraw))
		}
		if n := countKeys(s.keys(), "fulfilment-cancel:"); n != map[bool]int{false: 0, true: 1}[attempted] {
			t.Errorf("attempted %v: the warehouse was told to stop %d times", attempted, n)
		}
	}
}

func TestAParcelToldTwiceIsOneMail(t *testing.T) {
	s := newShop(t, shippingUpdate)
	s.receive("MUG", "a", 9)
	s.do(placed("1", line("MUG", 4)))
	for range 3 {
		s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a", Tracking: "T1"})
	}
	if n := countKeys(s.keys(), "mail:shipping-update"); n != 1 {
		t.Fatalf("%d mails: %v", n, s.keys())
	}
	s.check()
}

func TestRefundsNeverExceedWhatWasCaptured(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 9)
	s.do(placed("1", line("MUG", 2))) // 20 EUR captured
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a"})
	for _, n := range []string{"r1", "r2", "r3"} {
		s.do(&event.ReturnReceived{Channel: "web", Number: n, Order: "1", Location: "a", Lines: []event.Line{line("MUG", 1)}})
		for _, x := range s.snap.Tasks["return:web:"+n] {
			s.do(&event.TaskDecided{Task: x.ID, Outcome: "refunded"})
		}
	}
	if o := s.order("1"); o.Refunded.Minor != 2000 || o.Captured.Minor != 2000 {
		t.Fatalf("refunded %s of %s", o.Refunded, o.Captured)
	}
	s.check()
}

func TestCountBelowReservedReopensTheNewest(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 4)
	s.do(placed("1", line("MUG", 2)))
	s.do(placed("2", line("MUG", 2)))
	s.do(&event.StockCounted{SKU: "MUG", Location: "a", OnHand: 3})
	if s.order("1").State != order.Ready || s.order("2").State != order.Unfillable {
		t.Fatalf("%s %s", s.order("1").State, s.order("2").State)
	}
	if b := s.balance("MUG", "a"); b.OnHand != 3 || b.Reserved != 3 {
		t.Fatalf("%+v", b)
	}
	s.fireTimers()
	s.check()
}

func TestStockLowFiresOncePerCrossing(t *testing.T) {
	s := newShop(t)
	s.product(catalog.Product{SKU: "MUG", LowAt: 5})
	fired := func() int {
		n := 0
		for _, d := range s.history {
			if d.Event.Type == "stock.low" {
				n++
			}
		}
		return n
	}
	s.receive("MUG", "a", 7)
	s.do(placed("1", line("MUG", 3))) // 7 -> 4: a jump over the line
	s.do(placed("2", line("MUG", 1)))
	if fired() != 1 {
		t.Fatalf("fired %d times", fired())
	}
	s.receive("MUG", "b", 10) // recovered
	s.do(placed("3", line("MUG", 9)))
	if fired() != 2 {
		t.Fatalf("fired %d times after recovery", fired())
	}
	s.check()
}

func TestHistoryCreatesNoEffectsAndTouchesNoSellableStock(t *testing.T) {
	s := newShop(t, confirmation, holdLarge)
	s.receive("MUG", "a", 5)
	before := len(s.effects)
	for _, p := range []event.Payload{
		placed("h1", line("MUG", 50)), &event.ShipmentShipped{Channel: "web", Number: "h1", Location: "a"},
		&event.OrderCompleted{Channel: "web", Number: "h1"},
	} {
		ev := event.Event{ID: "h" + p.EventType(), Source: "import", Key: p.EventType(), Type: p.EventType(), Subject: p.EventSubject(), Mode: event.History, Data: p}
		d, err := decide.Decide(s.snap, ev, s.pol, noon.AddDate(-1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Effects)+len(d.Timers)+len(d.Tasks)+len(d.Derived) != 0 {
			t.Fatalf("%s: history acts: %+v", p.EventType(), d)
		}
		s.snap.Apply(d)
		s.moves = append(s.moves, d.Moves...)
	}
	if s.order("h1").State != order.Completed || s.balance("MUG", "a").OnHand != 5 || s.balance("MUG", stock.Opening).OnHand != -50 || len(s.effects) != before {
		t.Fatalf("%s %+v %+v", s.order("h1").State, s.balance("MUG", "a"), s.balance("MUG", stock.Opening))
	}
	s.check()
}

// TestOrderOfArrival: paid before placed and cancelled before paid end as in order.
func TestOrderOfArrival(t *testing.T) {
	build := func(perm []int, cancel bool) string {
		s := newShop(t, confirmation)
		s.receive("MUG", "a", 9)
		p := placed("1", line("MUG", 2))
		p.Payment.Status = event.PaymentPending
		evs := []event.Payload{p, &event.OrderPaid{Channel: "web", Number: "1", Amount: money.New(2000, "EUR"), Reference: "ref"}}
		if cancel {
			evs = append(evs, &event.OrderCancelled{Channel: "web", Number: "1", Reason: "changed my mind"})
		}
		for _, i := range perm {
			s.do(evs[i])
			s.do(evs[i]) // told twice under another key
		}
		s.check()
		return s.state()
	}
	if a, b := build([]int{0, 1}, false), build([]int{1, 0}, false); a != b {
		t.Errorf("placed, paid: %s\npaid, placed: %s", a, b)
	}
	in := build([]int{0, 1, 2}, true)
	for _, perm := range [][]int{{0, 2, 1}, {1, 0, 2}} {
		if got := build(perm, true); got != in {
			t.Errorf("%v: %s\nin order: %s", perm, got, in)
		}
	}
}

// TestLawsUnderRandomEvents drives a shop with random events, valid or not: every law holds after each.
func TestLawsUnderRandomEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newShop(t, confirmation, holdLarge)
		s.product(catalog.Product{SKU: "MUG", LowAt: 3})
		s.product(catalog.Product{SKU: "LAMP", Backorder: true})
		s.product(catalog.Product{SKU: "SET", Components: []catalog.Component{{SKU: "MUG", Qty: 2}, {SKU: "LAMP", Qty: 1}}})
		s.product(catalog.Product{SKU: "WRAP", Untracked: true})
		skus := []string{"MUG", "LAMP", "SET", "WRAP"}
		tracked := []string{"MUG", "LAMP"}
		locs := []string{"a", "b"}
		number := func() string { return strconv.Itoa(rapid.IntRange(1, 6).Draw(rt, "number")) }
		pick := func(of []string, label string) string { return rapid.SampledFrom(of).Draw(rt, label) }
		qty := func(to int) int64 { return int64(rapid.IntRange(1, to).Draw(rt, "qty")) }
		terminal := map[string]order.State{}
		for range rapid.IntRange(1, 40).Draw(rt, "events") {
			var p event.Payload
			switch rapid.IntRange(0, 13).Draw(rt, "kind") {
			case 0, 1, 2, 3:
				pl := placed(number(), line(pick(skus, "sku"), qty(6)), line(pick(skus, "sku"), qty(3)))
				pl.Payment.Status = pick([]string{"paid", "pending", "authorized"}, "payment")
				p = pl
			case 4, 5:
				p = &event.StockReceived{SKU: pick(tracked, "sku"), Location: pick(locs, "loc"), Qty: qty(12)}
			case 6:
				p = &event.OrderPaid{Channel: "web", Number: number(), Amount: money.New(qty(9)*1000, "EUR"), Reference: strconv.FormatInt(qty(4), 10)}
			case 7:
				p = &event.OrderCancelled{Channel: "web", Number: number()}
			case 8:
				p = &event.ShipmentShipped{Channel: "web", Number: number(), Location: pick(locs, "loc")}
			case 9:
				p = &event.ShipmentRejected{Channel: "web", Number: number(), Location: pick(locs, "loc")}
			case 10:
				p = &event.StockCounted{SKU: pick(tracked, "sku"), Location: pick(locs, "loc"), OnHand: qty(10) - 1}
			case 11:
				p = &event.StockAdjusted{SKU: pick(tracked, "sku"), Location: pick(locs, "loc"), Delta: qty(9) - 5}
			case 12:
				p = &event.OrderRerouteRequested{Order: event.OrderID("web", number())}
			case 13:
				var open []*task.Task
				for n := 1; n <= 6; n++ {
					for _, x := range s.snap.Tasks[event.OrderID("web", strconv.Itoa(n))] {
						if x.State == task.Open {
							open = append(open, x)
						}
					}
				}
				if len(open) == 0 {
					continue
				}
				x := rapid.SampledFrom(open).Draw(rt, "task")
				p = &event.TaskDecided{Task: x.ID, Outcome: pick(x.Options, "outcome")}
			}
			if a, ok := p.(*event.StockAdjusted); ok && a.Delta == 0 {
				continue
			}
			before := s.state()
			if err := s.try(p, "shop"); err != nil {
				if k := fault.KindOf(err); k == fault.Internal {
					rt.Fatalf("%s: %v", p.EventType(), err)
				}
				if s.state() != before {
					rt.Fatalf("%s failed (%v) but changed something", p.EventType(), err)
				}
			}
			if rapid.Bool().Draw(rt, "timers") {
				s.fireTimers()
			}
			if err := s.laws(); err != nil {
				rt.Fatalf("after %s: %v", p.EventType(), err)
			}
			for id, o := range s.snap.Orders {
				if was, ok := terminal[id]; ok && was != o.State {
					rt.Fatalf("order %s left the terminal state %s for %s", o.Number, was, o.State)
				}
				if o.State.Terminal() {
					terminal[id] = o.State
				}
				if o.State == order.Cancelled && o.Captured.Minor > o.Refunded.Minor {
					found := false
					for _, x := range s.snap.Tasks[id] {
						found = found || x.Kind == task.Refund
					}
					if !found {
						rt.Fatalf("order %s: captured money is stranded", o.Number)
					}
				}
			}
		}
	})
}

// TestSameEventsSameBytes: a decision depends on nothing but what it is given.
func TestSameEventsSameBytes(t *testing.T) {
	run := func() string {
		s := newShop(t, confirmation, holdLarge)
		s.receive("MUG", "a", 5)
		s.receive("MUG", "b", 5)
		s.receive("TRAY", "b", 5)
		var out []byte
		for i := range 8 {
			s.do(placed(strconv.Itoa(i), line("MUG", 2), line("TRAY", 1)))
		}
		for _, d := range s.history {
			j, err := json.Marshal(&d.Trace)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, j...), decide.EncodeFacts(d.Facts)...)
		}
		return string(out)
	}
	first := run()
	for range 20 {
		if got := run(); got != first {
			t.Fatalf("two runs differ:\n%s\n%s", first, got)
		}
	}
}

func TestACountThatLosesUnitsMovesTheOrderAtOnce(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 4)
	s.receive("MUG", "b", 4)
	s.do(placed("1", line("MUG", 3)))
	first := s.order("1").Allocations[0].Location
	s.do(&event.StockCounted{SKU: "MUG", Location: first, OnHand: 0})
	o := s.order("1")
	if o.State != order.Ready || o.Allocations[0].Location == first {
		t.Fatalf("%s %+v", o.State, o.Allocations)
	}
	for _, d := range s.history {
		if d.Event.Type == "order.unfillable" {
			t.Fatal("a delay was announced that does not exist")
		}
	}
	s.check()
}

func TestAMistypedLocationIsRefused(t *testing.T) {
	s := newShop(t)
	s.product(catalog.Product{SKU: "MUG"})
	err := s.try(&event.StockReceived{SKU: "MUG", Location: "aa", Qty: 3}, "shop")
	if fault.KindOf(err) != fault.Conflict {
		t.Fatal(err)
	}
}

func TestAParcelFromElsewhereAndTooMuchMoneyBecomeTasks(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 4)
	s.do(placed("1", line("MUG", 2)))
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "b"})
	s.do(&event.OrderPaid{Channel: "web", Number: "1", Amount: money.New(2000, "EUR"), Reference: "a"}) // the placing event said paid: the same money
	s.do(&event.OrderPaid{Channel: "web", Number: "1", Amount: money.New(2000, "EUR"), Reference: "b"})
	id := s.order("1").ID
	if ts := s.snap.Tasks[id]; len(ts) != 1 || ts[0].Queue != "warehouse" {
		t.Fatalf("%+v", ts)
	}
	ts := s.snap.Tasks["overpaid:"+id]
	if len(ts) != 1 || ts[0].Amount.Minor != 2000 {
		t.Fatalf("%+v", ts)
	}
	s.do(&event.TaskDecided{Task: ts[0].ID, Outcome: "refunded"})
	if o := s.order("1"); o.Refunded.Minor != 2000 || o.State != order.Ready {
		t.Fatalf("%s refunded, %s", o.Refunded, o.State)
	}
	s.check()
}
