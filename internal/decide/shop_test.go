package decide_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
)

// shop is the third source of a working set: literals. It keeps every row in one snapshot.
type shop struct {
	actor   string // who acts; "" = tester
	t       testing.TB
	snap    *decide.Snapshot
	pol     *decide.Policy
	now     time.Time
	n       int
	moves   []stock.Move
	effects map[string]effect.Effect
	timers  []decide.Timer
	last    *decide.Decision
	history []*decide.Decision
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newShop(t testing.TB, automations ...string) *shop {
	t.Helper()
	var as []*automation.Automation
	for i, text := range automations {
		a, err := automation.Parse(fmt.Sprintf("a%d.yaml", i), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		as = append(as, a)
	}
	return &shop{
		t: t, snap: decide.NewSnapshot(), now: noon, effects: map[string]effect.Effect{},
		pol: &decide.Policy{
			Revision: 1, Automations: automation.NewSet(as), Routing: routing.DefaultPolicy(),
			Settings:  decide.Settings{Name: "Sample", Mail: "mail", Fulfilment: "warehouse", Alerts: []string{"pager"}, OpsOwner: "ops@shop.example", Currency: "EUR"},
			Locations: map[string]catalog.Location{"a": {ID: "a", Name: "A", Rank: 1}, "b": {ID: "b", Name: "B", Rank: 2}},
		},
	}
}

func (s *shop) product(p catalog.Product) { s.snap.Products[p.SKU] = decide.Product{Product: p} }

// try submits one event, then what it derives, like the engine does.
func (s *shop) try(p event.Payload, source string) error {
	s.n++
	s.now = s.now.Add(time.Second)
	id := fmt.Sprintf("ev%04d", s.n)
	ev := event.Event{ID: id, Source: source, Key: id, Type: p.EventType(), Subject: p.EventSubject(), Mode: event.Live, Actor: cmp.Or(s.actor, "tester"), Data: p}
	if pl, ok := p.(*event.OrderPlaced); ok {
		ev.Who = event.Identity{Customer: "cus_" + pl.Customer.Email, Email: "e" + pl.Customer.Email, Device: pl.Device}
	}
	s.loadReserving(p)
	queue := []event.Event{ev}
	for i := 0; i < len(queue); i++ {
		d, err := decide.Decide(s.snap, queue[i], s.pol, s.now)
		if err != nil {
			return err
		}
		s.snap.Apply(d)
		if i == 0 {
			s.last = d
		}
		s.history = append(s.history, d)
		s.moves = append(s.moves, d.Moves...)
		for _, e := range d.Effects {
			if _, have := s.effects[e.ID]; !have {
				s.effects[e.ID] = e
			}
		}
		for _, id := range d.Withdraw {
			e := s.effects[id]
			e.State = effect.Cancelled
			s.effects[id] = e
		}
		s.timers = append(s.timers, d.Timers...)
		s.timers = slices.DeleteFunc(s.timers, func(t decide.Timer) bool { return slices.Contains(d.Unset, t.ID) })
		queue = append(queue, d.Derived...)
	}
	return nil
}

func (s *shop) do(p event.Payload) *decide.Decision {
	s.t.Helper()
	if err := s.try(p, "shop"); err != nil {
		s.t.Fatalf("%s: %v", p.EventType(), err)
	}
	return s.last
}

// loadReserving is the third round of needs: who holds units, newest first.
func (s *shop) loadReserving(p event.Payload) {
	clear(s.snap.Reserving)
	third := decide.NeedsThird(s.snap, event.Event{Type: p.EventType(), Mode: event.Live, Data: p}, s.pol, s.now, nil)
	for _, k := range third.Reserving {
		var ids []string
		for id, o := range s.snap.Orders {
			for _, a := range o.Allocations {
				if a.SKU == k.SKU && a.Location == k.Location && a.Qty > a.Shipped {
					ids = append(ids, id)
					break
				}
			}
		}
		slices.SortFunc(ids, func(x, y string) int { return s.snap.Orders[y].PlacedAt.Compare(s.snap.Orders[x].PlacedAt) })
		s.snap.Reserving[k] = ids
	}
}

// fireTimers submits every due timer once.
func (s *shop) fireTimers() {
	s.t.Helper()
	due := s.timers
	s.timers = nil
	for _, t := range due {
		if t.Due.After(s.now) {
			s.timers = append(s.timers, t)
			continue
		}
		if err := s.try(t.Data, "timer"); err != nil {
			s.t.Fatalf("timer %s: %v", t.Data.EventType(), err)
		}
	}
}

func (s *shop) order(number string) *order.Order {
	s.t.Helper()
	o := s.snap.Orders[event.OrderID("web", number)]
	if o == nil {
		s.t.Fatalf("there is no order %s", number)
	}
	return o
}

func (s *shop) balance(sku, loc string) stock.Balance {
	for _, b := range s.snap.Stock[sku] {
		if b.Location == loc {
			return b
		}
	}
	return stock.Balance{Key: stock.Key{SKU: sku, Location: loc}}
}

// keys are the effects that were not withdrawn.
func (s *shop) keys() []string {
	var out []string
	for _, e := range s.effects {
		if e.State != effect.Cancelled {
			out = append(out, e.Key)
		}
	}
	slices.Sort(out)
	return out
}

// check holds the laws of stock and of orders against everything that happened.
func (s *shop) check() {
	s.t.Helper()
	if err := s.laws(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) laws() error {
	type sides struct{ available, reserved int64 }
	fold := map[stock.Key]sides{}
	for _, m := range s.moves {
		if m.Qty <= 0 {
			return fmt.Errorf("move of %d", m.Qty)
		}
		for _, side := range []struct {
			acc  stock.Account
			sign int64
		}{{m.From, -1}, {m.To, 1}} {
			if side.acc.Location == "" {
				continue
			}
			k := stock.Key{SKU: m.SKU, Location: side.acc.Location}
			v := fold[k]
			if side.acc.Bucket == stock.Reserved {
				v.reserved += side.sign * m.Qty
			} else {
				v.available += side.sign * m.Qty
			}
			if k.Location != stock.Opening && (v.available < 0 || v.reserved < 0) {
				return fmt.Errorf("%v went below zero: %+v after %s of %d", k, v, m.Kind, m.Qty)
			}
			fold[k] = v
		}
	}
	held := map[stock.Key]int64{}
	for _, o := range s.snap.Orders {
		for _, a := range o.Allocations {
			if a.Shipped > a.Qty || a.Qty < 0 {
				return fmt.Errorf("order %s: allocation %+v", o.Number, a)
			}
			if o.State.Terminal() && a.Qty != a.Shipped {
				return fmt.Errorf("order %s is %s but still holds %+v", o.Number, o.State, a)
			}
			held[stock.Key{SKU: a.SKU, Location: a.Location}] += a.Qty - a.Shipped
		}
		if o.Refunded.Minor > o.Captured.Minor {
			return fmt.Errorf("order %s: refunded more than captured", o.Number)
		}
	}
	for sku, bs := range s.snap.Stock {
		for _, b := range bs {
			v := fold[b.Key]
			if b.Reserved != v.reserved || b.Available() != v.available {
				return fmt.Errorf("%s at %s: balance %+v, fold %+v", sku, b.Location, b, v)
			}
			if b.Location != stock.Opening && b.Reserved != held[b.Key] {
				return fmt.Errorf("%s at %s: %d reserved but orders hold %d", sku, b.Location, b.Reserved, held[b.Key])
			}
		}
	}
	return nil
}

// state is the end state that must not depend on the order of arrival.
func (s *shop) state() string {
	type tk struct{ Kind, Subject, State string }
	var tasks []tk
	for _, ts := range s.snap.Tasks {
		for _, t := range ts {
			tasks = append(tasks, tk{string(t.Kind), t.Subject, string(t.State)})
		}
	}
	slices.SortFunc(tasks, func(a, b tk) int {
		return slices.Compare([]string{a.Kind, a.Subject, a.State}, []string{b.Kind, b.Subject, b.State})
	})
	type od struct {
		State, Payment     string
		Captured, Refunded int64
		Units              int64
	}
	orders := map[string]od{}
	for _, o := range s.snap.Orders {
		orders[o.Number] = od{string(o.State), o.Payment, o.Captured.Minor, o.Refunded.Minor, o.Units()}
	}
	balances := map[string]string{}
	for _, bs := range s.snap.Stock {
		for _, b := range bs {
			balances[b.SKU+"@"+b.Location] = strconv.FormatInt(b.OnHand, 10) + "/" + strconv.FormatInt(b.Reserved, 10)
		}
	}
	j, err := json.Marshal([]any{orders, balances, tasks, s.keys()})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(j)
}

func placed(number string, lines ...event.Line) *event.OrderPlaced {
	return &event.OrderPlaced{
		Channel: "web", Number: number, Currency: "EUR", Lines: lines,
		Customer: event.Buyer{Email: "buyer@example.com", Name: "Sample Buyer"},
		Shipping: event.Address{Line1: "Sample Street 1", City: "Berlin", Postal: "10115", Country: "DE"},
		Payment:  event.Payment{Status: event.PaymentPaid},
	}
}

func line(sku string, qty int64) event.Line {
	return event.Line{SKU: sku, Qty: qty, UnitPrice: money.New(1000, "EUR")}
}

func (s *shop) receive(sku, loc string, qty int64) {
	s.t.Helper()
	if _, ok := s.snap.Products[sku]; !ok {
		s.product(catalog.Product{SKU: sku})
	}
	s.do(&event.StockReceived{SKU: sku, Location: loc, Qty: qty})
}

func countKeys(keys []string, prefix string) int {
	n := 0
	for _, k := range keys {
		if len(k) >= len(prefix) && k[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}
