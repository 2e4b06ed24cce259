package backtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
)

// Routing compares where orders were routed when they came with where a candidate
// would have routed them, on the stock that it would have left itself.
type Routing struct {
	Orders  int64   `json:"orders"`  // live orders that were routed
	Changed int64   `json:"changed"` // to other locations
	Then    Figures `json:"then"`
	Now     Figures `json:"now"`
	// Figures are summed over orders where both plans know them.
	Priced    int64    `json:"priced"`
	Measured  int64    `json:"measured"`
	Promised  int64    `json:"promised"`
	Skipped   int64    `json:"skipped"` // later events that do not fit the candidate's plans
	Locations []Share  `json:"locations,omitempty"`
	Samples   []Reroll `json:"samples,omitempty"`
}

// Figures of a routing.
type Figures struct {
	Parcels    int64   `json:"parcels"`
	CostMinor  int64   `json:"cost_minor"`
	Currency   string  `json:"currency,omitempty"`
	DistanceKM float64 `json:"distance_km"`
	Days       float64 `json:"days"` // from the order to the promise
	Unfillable int64   `json:"unfillable"`
	Backorder  int64   `json:"backorder"` // orders with units on backorder
}

// Share is how many units a location was given.
type Share struct {
	Location string `json:"location"`
	Then     int64  `json:"then"`
	Now      int64  `json:"now"`
}

// Reroll is an order that would have been routed elsewhere.
type Reroll struct {
	Order string    `json:"order"`
	At    time.Time `json:"at"`
	Then  []string  `json:"then"`
	Now   []string  `json:"now"`
}

// router keeps two worlds: the one that was, and the one that the candidate would have made.
type router struct {
	f       *follower // of the recorded history
	other   *World
	pol     *routing.Policy
	out     Routing
	units   map[string]*Share
	samples int
	since   time.Time
	until   time.Time
}

func runRouting(ctx context.Context, h *History, k *asker, r *tally) (err error) {
	products, err := Products(ctx, h.DB)
	if err != nil {
		return err
	}
	x := &router{
		f: &follower{w: NewWorld(products, 0), k: k, r: r, reader: k.worker()}, other: NewWorld(products, 0), pol: r.o.Routing, units: map[string]*Share{},
		samples: r.o.Samples, since: r.o.Since, until: r.o.Until,
	}
	defer func() { err = errors.Join(err, x.f.w.Close(), x.other.Close()) }()
	x.f.followed = x.follow
	if err := x.f.run(ctx, h); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(x.units)) {
		x.out.Locations = append(x.out.Locations, *x.units[id])
	}
	r.routing = &x.out
	return nil
}

// follow takes a submitted event into the candidate's world, after the recorded one has it.
func (x *router) follow(outer *Entry, d *decide.Decision) error {
	then := outer.before.then.pol
	pol := *then
	pol.Routing = x.pol
	evs, err := x.translated(outer, d)
	if err != nil {
		return err
	}
	for i, ev := range evs {
		rec := &decide.Recorded{}
		if i == 0 {
			rec.Acted = outer.rec.Acted
		}
		got, err := x.decide(ev, &pol, outer.At, rec)
		if err != nil {
			return err
		}
		if got != nil && ev.Type == placed && outer.rec.Routing != nil && got.Trace.Routing != nil {
			x.compare(outer, got)
		}
	}
	return nil
}

// decide decides an event, what follows from it, and the routings that waited for
// stock it brought, in the candidate's world. nil when the event does not fit there.
func (x *router) decide(ev event.Event, pol *decide.Policy, at time.Time, rec *decide.Recorded) (*decide.Decision, error) {
	snap, err := x.other.Load(ev, pol, at)
	if err != nil {
		return nil, err
	}
	var first *decide.Decision
	var woken []event.Event
	queue := []event.Event{ev}
	for n := 0; n < len(queue); n++ {
		d, err := decide.Follow(snap, queue[n], pol, at, rec)
		if err != nil {
			x.out.Skipped++
			if n == 0 {
				return nil, nil // counted: it does not fit this world
			}
			continue
		}
		rec = &decide.Recorded{}
		if first == nil {
			first = d
		}
		snap.Apply(d)
		if err := x.other.Keep(snap, d); err != nil {
			return nil, err
		}
		queue = append(queue, d.Derived...)
		for _, t := range d.Timers {
			if p, ok := t.Data.(*event.OrderRerouteRequested); ok {
				woken = append(woken, event.Event{ID: t.ID, Source: "timer", Key: t.ID, Type: p.EventType(), Subject: p.Order, At: at, Mode: event.Live, Data: p})
			}
		}
	}
	for _, w := range woken {
		if _, err := x.decide(w, pol, at, &decide.Recorded{}); err != nil {
			return nil, err
		}
	}
	return first, nil
}

// translated is what an event means in the candidate's world: parcels leave from where
// it reserved, and a count changes stock by as much as it did in the shop.
func (x *router) translated(outer *Entry, d *decide.Decision) ([]event.Event, error) {
	with := func(p event.Payload) event.Event {
		ev := outer.Event
		ev.Data, ev.Type, ev.Subject = p, p.EventType(), p.EventSubject()
		return ev
	}
	if outer.Mode == event.History {
		return []event.Event{outer.Event}, nil
	}
	switch p := outer.Event.Data.(type) {
	case *event.OrderRerouteRequested:
		if outer.Source == "timer" {
			return nil, nil // this world wakes its own
		}
	case *event.StockCounted:
		for _, m := range d.Moves {
			if m.Kind == stock.Adjusted {
				delta := m.Qty
				if m.To.Location == "" {
					delta = -delta
				}
				return []event.Event{with(&event.StockAdjusted{SKU: p.SKU, Location: p.Location, Delta: delta, Reason: p.Note})}, nil
			}
		}
	case *event.ShipmentRejected:
		b, err := x.other.orders.get(outer.Subject)
		if err != nil || b == nil || b.Order == nil || len(b.Order.ReservedAt(p.Location)) == 0 {
			return nil, err
		}
	case *event.ShipmentShipped:
		b, err := x.other.orders.get(outer.Subject)
		if err != nil || b == nil || b.Order == nil {
			return nil, err
		}
		left := map[string]int64{}
		for _, m := range d.Moves {
			if m.Kind == stock.Ship {
				left[m.SKU] += m.Qty
			}
		}
		var out []event.Event
		for _, a := range b.Order.Allocations {
			n := min(a.Qty-a.Shipped, left[a.SKU])
			if n <= 0 {
				continue
			}
			left[a.SKU] -= n
			i := slices.IndexFunc(out, func(ev event.Event) bool { return ev.Data.(*event.ShipmentShipped).Location == a.Location })
			if i < 0 {
				i = len(out)
				out = append(out, with(&event.ShipmentShipped{Channel: p.Channel, Number: p.Number, Location: a.Location, Tracking: p.Tracking, Carrier: p.Carrier}))
			}
			s := out[i].Data.(*event.ShipmentShipped)
			s.Lines = append(s.Lines, event.ShippedLine{SKU: a.SKU, Qty: n})
		}
		return out, nil
	}
	return []event.Event{outer.Event}, nil
}

// compare adds an order that both have routed.
func (x *router) compare(e *Entry, now *decide.Decision) {
	if !x.since.IsZero() && e.At.Before(x.since) || !x.until.IsZero() && !e.At.Before(x.until) {
		return
	}
	a, b := e.rec.Routing, now.Trace.Routing
	x.out.Orders++
	x.out.Then.add(a, string(e.To))
	x.out.Now.add(b, now.Trace.To)
	if a.CostMinor.Currency != "" && a.CostMinor.Currency == b.CostMinor.Currency {
		x.out.Priced++
		x.out.Then.CostMinor += a.CostMinor.Minor
		x.out.Now.CostMinor += b.CostMinor.Minor
		x.out.Then.Currency, x.out.Now.Currency = a.CostMinor.Currency, a.CostMinor.Currency
	}
	if a.DistanceKnown && b.DistanceKnown {
		x.out.Measured++
		x.out.Then.DistanceKM += a.DistanceKM
		x.out.Now.DistanceKM += math.Round(1000*b.DistanceKM) / 1000 // plans are stored to the metre
	}
	if !a.Promise.IsZero() && !b.Promise.IsZero() {
		x.out.Promised++
		x.out.Then.Days += a.Promise.Sub(e.At).Hours() / 24
		x.out.Now.Days += b.Promise.Sub(e.At).Hours() / 24
	}
	share := func(id string) *Share {
		if x.units[id] == nil {
			x.units[id] = &Share{Location: id}
		}
		return x.units[id]
	}
	for _, s := range a.Assign {
		share(s.Location).Then += s.Qty
	}
	for _, s := range b.Assign {
		share(s.Location).Now += s.Qty
	}
	if was, is := places(a), places(b); !slices.Equal(was, is) {
		x.out.Changed++
		if len(x.out.Samples) < x.samples {
			x.out.Samples = append(x.out.Samples, Reroll{Order: e.Subject, At: e.At, Then: was, Now: is})
		}
	}
}

func (f *Figures) add(p *routing.Plan, state string) {
	switch {
	case state == string(order.Unfillable):
		f.Unfillable++
		return // nothing was reserved
	case len(p.Missing) > 0:
		f.Backorder++
	}
	f.Parcels += int64(p.Parcels)
}

// places are the locations of a plan, sorted.
func places(p *routing.Plan) []string {
	var out []string
	for _, a := range p.Assign {
		if !slices.Contains(out, a.Location) {
			out = append(out, a.Location)
		}
	}
	slices.Sort(out)
	return out
}

func (r *Routing) write(w io.Writer, zone *time.Location) {
	if r == nil {
		return
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	say("\nRouting of %d live orders: %d would have gone elsewhere\n", r.Orders, r.Changed)
	say("  %-28s %12s %12s\n", "", "then", "candidate")
	row := func(name, format string, a, b any) {
		say("  %-28s %12s %12s\n", name, fmt.Sprintf(format, a), fmt.Sprintf(format, b))
	}
	row("parcels", "%d", r.Then.Parcels, r.Now.Parcels)
	if r.Priced > 0 {
		row(fmt.Sprintf("cost, %s (%d orders)", r.Then.Currency, r.Priced), "%s",
			money.New(r.Then.CostMinor, r.Then.Currency).Decimal(), money.New(r.Now.CostMinor, r.Now.Currency).Decimal())
	}
	if r.Measured > 0 {
		row(fmt.Sprintf("distance, km (%d orders)", r.Measured), "%.0f", r.Then.DistanceKM, r.Now.DistanceKM)
	}
	if r.Promised > 0 {
		row(fmt.Sprintf("days to promise (%d orders)", r.Promised), "%.2f", r.Then.Days/float64(r.Promised), r.Now.Days/float64(r.Promised))
	}
	row("unfillable", "%d", r.Then.Unfillable, r.Now.Unfillable)
	row("with units on backorder", "%d", r.Then.Backorder, r.Now.Backorder)
	for _, s := range r.Locations {
		row("units from "+s.Location, "%d", s.Then, s.Now)
	}
	if r.Skipped > 0 {
		say("  %d later events do not fit the candidate's plans and were left out\n", r.Skipped)
	}
	for _, s := range r.Samples {
		say("    %s  %s: %v, candidate %v\n", s.At.In(zone).Format(minute), s.Order, s.Then, s.Now)
	}
}
