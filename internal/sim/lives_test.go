package sim_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/sim"
)

// life is one order with everything that is said of it, and how it must end
// whatever the order in which that arrives and however often.
type life struct {
	number   string
	said     []delivery
	state    order.State
	captured int64
	demand   map[string]int64 // units that stay reserved, kits taken apart
}

// delivery is one webhook: its id is the same for every attempt.
type delivery struct {
	id   string
	data event.Payload
}

// body is what the sender posts.
func (d delivery) body() []byte {
	b, err := json.Marshal(struct {
		Type string        `json:"type"`
		Data event.Payload `json:"data"`
	}{d.data.EventType(), d.data})
	if err != nil {
		panic(err) // our own types
	}
	return b
}

// lives makes lives of a sample shop from a seed.
type lives struct {
	shop *sim.Shop
	rng  *rand.Rand
	kits map[string]catalog.Product
	n    int
	now  time.Time
}

func newLives(seed uint64, prefix string) *lives {
	l := &lives{shop: sim.New(seed, prefix), rng: rand.New(rand.NewPCG(seed, 7)), kits: map[string]catalog.Product{}, now: time.Date(2026, 2, 3, 10, 0, 0, 0, time.UTC)}
	for _, p := range l.shop.Products() {
		if p.Kit() {
			l.kits[p.SKU] = p
		}
	}
	return l
}

// next makes one life.
func (l *lives) next() life {
	l.n++
	p := l.shop.Order(l.now)
	v := life{number: p.Number, demand: map[string]int64{}}
	total := p.ShippingCost.Minor
	for _, ln := range p.Lines {
		total += ln.Qty * ln.UnitPrice.Minor
		if kit, ok := l.kits[ln.SKU]; ok {
			for _, c := range kit.Components {
				v.demand[c.SKU] += ln.Qty * c.Qty
			}
			continue
		}
		v.demand[ln.SKU] += ln.Qty
	}
	say := func(kind string, data event.Payload) {
		v.said = append(v.said, delivery{id: kind + "-" + p.Number, data: data})
	}
	p.Payment = event.Payment{Status: event.PaymentPaid, Method: "card"}
	v.captured, v.state = total, order.Ready
	switch r := l.rng.IntN(10); {
	case r < 4: // paid at once
	case r < 8: // paid by its own event
		p.Payment.Status = event.PaymentPending
		say("paid", &event.OrderPaid{Channel: p.Channel, Number: p.Number, Amount: money.New(total, "EUR"), Reference: "ref-" + p.Number})
	default: // never paid
		p.Payment.Status = event.PaymentPending
		v.captured, v.state = 0, order.AwaitingPayment
	}
	if l.rng.IntN(4) == 0 {
		v.state, v.demand = order.Cancelled, nil
		say("cancelled", &event.OrderCancelled{Channel: p.Channel, Number: p.Number, Reason: "changed their mind (sample)"})
	}
	say("placed", p)
	l.rng.Shuffle(len(v.said), func(i, j int) { v.said[i], v.said[j] = v.said[j], v.said[i] })
	return v
}

// batch is some lives with their deliveries mixed: out of order, some of them twice.
func (l *lives) batch(n int) (vs []life, ds []delivery) {
	for range n {
		v := l.next()
		vs = append(vs, v)
		ds = append(ds, v.said...)
	}
	for _, d := range slices.Clone(ds) {
		if l.rng.IntN(5) == 0 {
			ds = append(ds, d)
		}
	}
	l.rng.Shuffle(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
	return vs, ds
}

// plenty is opening stock that no test sells out.
func plenty(shop *sim.Shop, units int64) []event.Payload {
	var out []event.Payload
	for _, p := range shop.Products() {
		if p.Kit() {
			continue
		}
		for _, loc := range shop.Locations() {
			out = append(out, &event.StockReceived{SKU: p.SKU, Location: loc.ID, Qty: units, Note: fmt.Sprintf("opening, %d", units)})
		}
	}
	return out
}
