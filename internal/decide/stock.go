package decide

import (
	"slices"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/stock"
)

// stockAt is where a stock event happens: history never touches sellable stock.
func (d *decider) stockAt(location string) string {
	if !d.live {
		return stock.Opening
	}
	return location
}

// place checks that a location exists, once the shop has told which there are: units
// at a mistyped place would be promised to buyers.
func (d *decider) place(id string) error {
	if !d.live || len(d.pol.Locations) == 0 {
		return nil
	}
	if _, ok := d.pol.Locations[id]; ok {
		return nil
	}
	names := make([]string, 0, len(d.pol.Locations))
	for name := range d.pol.Locations {
		names = append(names, name)
	}
	slices.Sort(names)
	hint := ""
	if near := schema.Nearest(id, names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return fault.New(fault.Conflict, "decide.place", "there is no location %q%s", id, hint)
}

// received adds units from a supplier and lets the orders that wait for them try again.
func (d *decider) received(p *event.StockReceived) error {
	if err := d.place(p.Location); err != nil {
		return err
	}
	err := d.move(stock.Move{
		Kind: stock.Receive, SKU: p.SKU, Qty: p.Qty, Note: p.Note,
		From: stock.Account{Bucket: stock.Supplier}, To: stock.Account{Location: d.stockAt(p.Location), Bucket: stock.Available},
	})
	if err != nil {
		return err
	}
	d.wake(p.SKU)
	d.runAutomations()
	return nil
}

// counted books the difference between the count and the books.
func (d *decider) counted(p *event.StockCounted) error {
	if err := d.place(p.Location); err != nil {
		return err
	}
	b := d.balance(stock.Key{SKU: p.SKU, Location: d.stockAt(p.Location)})
	if p.OnHand == b.OnHand {
		d.note("the count agrees with the books")
		if len(d.snap.Stock[p.SKU]) == 0 {
			d.setBalance(b) // a first count of zero makes the SKU known here
		}
		return nil
	}
	return d.adjust(p.SKU, p.Location, p.OnHand-b.OnHand, p.Note)
}

// adjusted books a loss or a find.
func (d *decider) adjusted(p *event.StockAdjusted) error {
	if err := d.place(p.Location); err != nil {
		return err
	}
	return d.adjust(p.SKU, p.Location, p.Delta, p.Reason)
}

// adjust changes on hand. Where that leaves less than is reserved, the newest
// reservations are reopened: the units are not there, whatever was promised. Their
// orders look for another location at once, and are unfillable when there is none.
func (d *decider) adjust(sku, location string, delta int64, note string) error {
	location = d.stockAt(location)
	k := stock.Key{SKU: sku, Location: location}
	outside := stock.Account{Bucket: stock.Adjust}
	here := stock.Account{Location: location, Bucket: stock.Available}
	var lost []reopened
	m := stock.Move{Kind: stock.Adjusted, SKU: sku, Qty: delta, From: outside, To: here, Note: note}
	if delta < 0 {
		m.Qty, m.From, m.To = -delta, here, outside
		b := d.balance(k)
		if location != stock.Opening && b.OnHand < -delta {
			return fault.New(fault.Conflict, "decide.adjust", "%s: %s has only %d on hand; %d cannot be taken off", sku, location, b.OnHand, -delta)
		}
		if location != stock.Opening {
			var err error
			if lost, err = d.reopen(k, -delta-b.Available()); err != nil {
				return err
			}
		}
	}
	if err := d.move(m); err != nil {
		return err
	}
	for _, r := range lost {
		d.reroute(r, k)
	}
	if delta > 0 {
		d.wake(sku)
	}
	d.runAutomations()
	return nil
}

// reopened is an order that lost reserved units.
type reopened struct {
	order *order.Order
	taken int64
}

// reopen takes n reserved units back from the newest orders that hold them.
func (d *decider) reopen(k stock.Key, n int64) ([]reopened, error) {
	var out []reopened
	for _, id := range d.snap.Reserving[k] {
		if n <= 0 {
			break
		}
		was, ok := d.snap.Orders[id]
		if !ok {
			continue
		}
		o := was.Clone()
		taken := int64(0)
		kept := o.Allocations[:0]
		for _, a := range o.Allocations {
			if a.SKU == k.SKU && a.Location == k.Location && n > 0 {
				take := min(n, a.Qty-a.Shipped)
				a.Qty -= take
				n -= take
				taken += take
			}
			if a.Qty > 0 {
				kept = append(kept, a)
			}
		}
		if taken == 0 {
			continue
		}
		o.Allocations = kept
		err := d.move(stock.Move{
			Kind: stock.Release, SKU: k.SKU, Qty: taken, OrderID: o.ID, Note: "not there",
			From: stock.Account{Location: k.Location, Bucket: stock.Reserved}, To: stock.Account{Location: k.Location, Bucket: stock.Available},
		})
		if err != nil {
			return nil, err
		}
		out = append(out, reopened{order: o, taken: taken})
	}
	if n > 0 {
		return nil, fault.New(fault.Internal, "decide.reopen", "%s at %s: %d reserved units belong to no order; run orderly doctor", k.SKU, k.Location, n)
	}
	return out, nil
}

// reroute lets an order that lost units look for another location, in an event
// of its own story that is decided next, in the same transaction.
func (d *decider) reroute(r reopened, k stock.Key) {
	o := r.order
	d.withdrawFulfilment(o, k.Location)
	o.Missing = append(o.Missing, order.Missing{SKU: k.SKU, Qty: r.taken})
	o.UpdatedAt = d.at
	o.Rev++
	d.out.Others = append(d.out.Others, o)
	d.note("%s of order %s are not there; it looks for another location", quantity(r.taken, k.SKU), o.Short())
	d.derive(&event.OrderRerouteRequested{Order: o.ID, Reason: quantity(r.taken, k.SKU) + " were not found at " + k.Location})
}

// transferred moves units between two locations.
func (d *decider) transferred(p *event.StockTransferred) error {
	if !d.live {
		d.note("history keeps no locations; nothing moves")
		return nil
	}
	for _, id := range [...]string{p.From, p.To} {
		if err := d.place(id); err != nil {
			return err
		}
	}
	err := d.move(stock.Move{
		Kind: stock.Transfer, SKU: p.SKU, Qty: p.Qty,
		From: stock.Account{Location: p.From, Bucket: stock.Available}, To: stock.Account{Location: p.To, Bucket: stock.Available},
	})
	if err != nil {
		return err
	}
	d.wake(p.SKU)
	d.runAutomations()
	return nil
}

// wake lets the orders that wait for a SKU try again, oldest first, each in an event of its own.
func (d *decider) wake(sku string) {
	for _, id := range d.snap.Waiting[sku] {
		d.timer(d.at, "reroute:"+d.ev.ID+":"+id, &event.OrderRerouteRequested{Order: id, Reason: "stock of " + sku + " came in"})
	}
}

// crossings derives stock.low when a SKU's available units over all locations
// cross its line downwards, however far the jump, and arms it again when they have recovered.
func (d *decider) crossings() {
	if !d.live || len(d.out.Balances) == 0 {
		return
	}
	var last string
	for i := range d.out.Balances {
		sku := d.out.Balances[i].SKU
		p, ok := d.snap.Products[sku]
		if sku == last || !ok || p.LowAt <= 0 || d.hasLow(sku) {
			continue
		}
		last = sku
		avail := d.availableEverywhere(sku)
		switch {
		case !p.Low && avail <= p.LowAt:
			d.setLow(sku, true)
			d.derive(&event.StockLow{SKU: sku, Available: avail, LowAt: p.LowAt})
		case p.Low && avail > p.LowAt:
			d.setLow(sku, false)
		}
	}
}

func (d *decider) hasLow(sku string) bool { _, ok := d.out.Low[sku]; return ok }

func (d *decider) setLow(sku string, low bool) {
	if d.out.Low == nil {
		d.out.Low = map[string]bool{}
	}
	d.out.Low[sku] = low
}

// availableEverywhere sums what can be promised over all sellable locations.
func (d *decider) availableEverywhere(sku string) int64 {
	var n int64
	for _, b := range d.snap.Stock[sku] {
		if _, changed := d.touched[b.Key]; !changed && b.Location != stock.Opening {
			n += b.Available()
		}
	}
	for _, b := range d.out.Balances {
		if b.SKU == sku && b.Location != stock.Opening {
			n += b.Available()
		}
	}
	return n
}
