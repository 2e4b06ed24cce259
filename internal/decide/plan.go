package decide

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
)

// demand is what the order still needs: lines that share a SKU are summed, kits
// exploded into their components, services left out, and what is allocated already taken off.
func (d *decider) demand(o *order.Order) []routing.Demand {
	type key struct{ sku, pin string }
	want := make(map[key]int64, len(o.Lines))
	add := func(sku, pin string, qty int64) { want[key{sku, pin}] += qty }
	for _, l := range o.Lines {
		p := d.snap.Products[l.SKU]
		switch {
		case p.Untracked:
		case p.Kit():
			for _, c := range p.Components {
				if !d.snap.Products[c.SKU].Untracked {
					add(c.SKU, l.Pinned, c.Qty*l.Qty)
				}
			}
		default:
			add(l.SKU, l.Pinned, l.Qty)
		}
	}
	for _, a := range o.Allocations {
		// Units allocated count against the line pinned there first, then against the free ones.
		left := a.Qty
		for _, k := range [2]key{{a.SKU, a.Location}, {a.SKU, ""}} {
			n := min(left, want[k])
			if n > 0 {
				want[k] -= n
				left -= n
			}
		}
	}
	out := make([]routing.Demand, 0, len(want))
	for k, n := range want {
		if n > 0 {
			out = append(out, routing.Demand{SKU: k.sku, Pinned: k.pin, Qty: n, WeightG: d.snap.Products[k.sku].WeightG})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].SKU != out[j].SKU {
			return out[i].SKU < out[j].SKU
		}
		return out[i].Pinned < out[j].Pinned
	})
	return out
}

// candidates are the locations with what they can promise of the demand. Those that keep
// none of it can be named as long as the shop has few; of more they are counted, in without.
func (d *decider) candidates(demand []routing.Demand) (out []routing.Candidate, without int) {
	at := map[string]map[string]int64{}
	for _, dm := range demand {
		for _, b := range d.snap.Stock[dm.SKU] {
			if b.Location == stock.Opening {
				continue
			}
			atp := at[b.Location]
			if atp == nil {
				atp = map[string]int64{}
				at[b.Location] = atp
			}
			atp[dm.SKU] = d.balance(b.Key).Available()
		}
	}
	if len(d.pol.Locations) <= routing.MaxVerdicts {
		for id := range d.pol.Locations {
			if _, some := at[id]; !some && id != stock.Opening {
				at[id] = nil
			}
		}
	} else {
		without = len(d.pol.Locations)
		for id := range at {
			if _, known := d.pol.Locations[id]; known {
				without--
			}
		}
		if _, known := d.pol.Locations[stock.Opening]; known {
			without--
		}
	}
	out = make([]routing.Candidate, 0, len(at))
	for id, atp := range at {
		loc, ok := d.pol.Locations[id]
		if !ok {
			loc = catalog.Location{ID: id, Name: id}
		}
		c := routing.Candidate{Location: loc, ATP: atp}
		if loc.Capacity > 0 && atp != nil {
			c.ParcelsToday = d.snap.Days[d.day(loc)]
		}
		out = append(out, c)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, without
}

// day is the location's local day at the time of the decision.
func (d *decider) day(loc catalog.Location) LocationDay {
	return LocationDay{Location: loc.ID, Day: d.at.In(d.pol.zone(loc)).Format(time.DateOnly)}
}

// route looks for locations for what the order still needs and reserves it. When
// something is missing that may not be sold ahead, nothing new is reserved:
// the units stay free for orders that can be filled.
func (d *decider) route(o *order.Order) error {
	o.Missing = nil
	demand := d.demand(o)
	if len(demand) == 0 {
		return nil
	}
	o.Rounds++
	candidates, without := d.candidates(demand)
	req := routing.Request{
		OrderID: o.ID, Channel: o.Channel, Country: o.Shipping.Country, Postal: o.Shipping.Postal, At: d.at, Zone: d.pol.Settings.TimeZone,
		Demand: demand, Candidates: candidates, Without: without, Prefer: o.Preferred,
		Exclude: append(append([]string(nil), o.Excluded...), o.Rejected...),
	}
	for _, dm := range demand {
		if d.snap.Products[dm.SKU].Backorder {
			if req.AllowBackorder == nil {
				req.AllowBackorder = map[string]bool{}
			}
			req.AllowBackorder[dm.SKU] = true
		}
	}
	if d.pol.Postal != nil {
		req.Lat, req.Lon, req.HasPoint = d.pol.Postal.Lookup(o.Shipping.Country, o.Shipping.Postal)
	}
	plan := d.planned(req)
	d.out.Trace.Routing = &plan
	for _, m := range plan.Missing {
		o.Missing = append(o.Missing, order.Missing{SKU: m.SKU, Qty: m.Qty})
	}
	if len(o.Missing) > 0 && !d.backorderable(o) {
		d.note("cannot be filled: %s; nothing is reserved", missingText(o))
		return nil
	}
	used := map[string]bool{}
	for _, a := range plan.Assign {
		if err := d.reserve(o, a.SKU, a.Location, a.Qty); err != nil {
			return err
		}
		if !used[a.Location] {
			used[a.Location] = true
			if loc := d.pol.Locations[a.Location]; loc.Capacity > 0 {
				d.out.Days = append(d.out.Days, d.day(loc))
			}
		}
	}
	o.Parcels, o.Promise = plan.Parcels, plan.Promise
	if len(plan.Assign) > 0 {
		d.note("reserved %s", assigned(plan.Assign))
	}
	if len(o.Missing) > 0 {
		d.note("on backorder: %s", missingText(o))
	}
	return nil
}

func assigned(as []routing.Assignment) string {
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = quantity(a.Qty, a.SKU) + " at " + a.Location
	}
	return strings.Join(parts, ", ")
}

func quantity(n int64, sku string) string { return itoa(n) + " × " + sku }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// reserve moves units of a location from available to reserved for the order.
func (d *decider) reserve(o *order.Order, sku, location string, qty int64) error {
	err := d.move(stock.Move{
		Kind: stock.Reserve, SKU: sku, Qty: qty, OrderID: o.ID,
		From: stock.Account{Location: location, Bucket: stock.Available}, To: stock.Account{Location: location, Bucket: stock.Reserved},
	})
	if err != nil {
		return err
	}
	for i := range o.Allocations {
		if a := &o.Allocations[i]; a.SKU == sku && a.Location == location && !a.Asked {
			a.Qty += qty
			return nil
		}
	}
	o.Allocations = append(o.Allocations, order.Allocation{SKU: sku, Location: location, Qty: qty})
	return nil
}

// releaseAt gives back what the order holds at a location; at all of them when it is "".
func (d *decider) releaseAt(o *order.Order, location string) error {
	kept := o.Allocations[:0:0]
	for _, a := range o.Allocations {
		if open := a.Qty - a.Shipped; open > 0 && (location == "" || a.Location == location) {
			err := d.move(stock.Move{
				Kind: stock.Release, SKU: a.SKU, Qty: open, OrderID: o.ID,
				From: stock.Account{Location: a.Location, Bucket: stock.Reserved}, To: stock.Account{Location: a.Location, Bucket: stock.Available},
			})
			if err != nil {
				return err
			}
			a.Qty = a.Shipped
		}
		if a.Qty > 0 {
			kept = append(kept, a)
		}
	}
	o.Allocations = kept
	return nil
}

func (d *decider) releaseAll(o *order.Order) error { return d.releaseAt(o, "") }

// balance is the balance as this decision has left it so far.
func (d *decider) balance(k stock.Key) stock.Balance {
	if i, ok := d.touched[k]; ok {
		return d.out.Balances[i]
	}
	for _, b := range d.snap.Stock[k.SKU] {
		if b.Location == k.Location {
			return b
		}
	}
	return stock.Balance{Key: k}
}

// move records one entry of the ledger and its balances. It refuses, with
// Conflict, what would take a bucket of sellable stock below zero.
func (d *decider) move(m stock.Move) error {
	m.At = d.at
	m.EventID = d.ev.ID
	for _, side := range [2]struct {
		acc  stock.Account
		sign int64
	}{{m.From, -1}, {m.To, 1}} {
		if side.acc.Location == "" {
			continue
		}
		k := stock.Key{SKU: m.SKU, Location: side.acc.Location}
		b := d.balance(k)
		b.OnHand += side.sign * m.Qty
		if side.acc.Bucket == stock.Reserved {
			b.Reserved += side.sign * m.Qty
		}
		if k.Location != stock.Opening && (b.Reserved < 0 || b.Available() < 0) && m.From == side.acc {
			return fault.New(fault.Conflict, "decide.move", "%s: %s has only %d %s; %d are needed", m.SKU, k.Location,
				have(d.balance(k), side.acc.Bucket), side.acc.Bucket, m.Qty)
		}
		d.setBalance(b)
	}
	d.out.Moves = append(d.out.Moves, m)
	return nil
}

func have(b stock.Balance, bucket stock.Bucket) int64 {
	if bucket == stock.Reserved {
		return b.Reserved
	}
	return b.Available()
}

func (d *decider) setBalance(b stock.Balance) {
	if i, ok := d.touched[b.Key]; ok {
		d.out.Balances[i] = b
		return
	}
	if d.touched == nil {
		d.touched = make(map[stock.Key]int, 4)
	}
	d.touched[b.Key] = len(d.out.Balances)
	d.out.Balances = append(d.out.Balances, b)
}
