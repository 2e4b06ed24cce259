package decide

import (
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// shipped records a parcel: reserved units leave.
func (d *decider) shipped(p *event.ShipmentShipped) error {
	o := d.changeOrder(p.Channel, p.Number)
	switch o.State {
	case order.Expected:
		return fault.New(fault.Conflict, "decide.shipped", "order %s was shipped but never placed; replay this event when the order has come", o.Short())
	case order.Completed, order.Cancelled:
		d.note("it is %s; the parcel needs a person's eye", o.State)
		if d.live {
			d.mismatch(o, p.Location, "the order is "+string(o.State)+" but "+p.Location+" shipped a parcel")
		}
		return nil
	}
	if !d.live {
		return d.shippedInHistory(o, p)
	}
	if err := d.place(p.Location); err != nil {
		return err
	}
	lines := p.Lines
	if len(lines) == 0 {
		for _, a := range o.ReservedAt(p.Location) {
			lines = append(lines, event.ShippedLine{SKU: a.SKU, Qty: a.Qty - a.Shipped})
		}
	}
	if len(lines) == 0 && o.State == order.Shipped {
		d.out.Order = nil
		d.note("it has left whole already; nothing changes")
		return nil
	}
	if len(lines) == 0 {
		d.note("%s shipped a parcel, but nothing was reserved there", p.Location)
		d.mismatch(o, p.Location, p.Location+" shipped a parcel, but the order is to leave from elsewhere; see what really left and count the stock")
		return nil
	}
	want := map[string]int64{}
	for _, l := range lines {
		want[l.SKU] += l.Qty // a parcel may list one SKU twice
	}
	for _, l := range lines {
		n := want[l.SKU]
		if n == 0 {
			continue
		}
		want[l.SKU] = 0
		left, err := d.shipUnits(o, p.Location, l.SKU, n)
		if err != nil {
			return err
		}
		if left > 0 {
			d.mismatch(o, p.Location, quantity(left, l.SKU)+" shipped that was not reserved there; count the stock")
		}
	}
	d.note("shipped from %s%s", p.Location, tracking(p.Tracking))
	d.track(o, p.Tracking, p.Location, p.Carrier).Shipped = d.at
	return d.settleAndAsk(o)
}

func tracking(number string) string {
	if number == "" {
		return ""
	}
	return ", tracking " + number
}

// shippedInHistory takes past parcels from the opening location.
func (d *decider) shippedInHistory(o *order.Order, p *event.ShipmentShipped) error {
	lines := p.Lines
	if len(lines) == 0 {
		for _, dm := range d.demand(o) {
			lines = append(lines, event.ShippedLine{SKU: dm.SKU, Qty: dm.Qty})
		}
	}
	for _, l := range lines {
		err := d.move(stock.Move{
			Kind: stock.Ship, SKU: l.SKU, Qty: l.Qty, OrderID: o.ID,
			From: stock.Account{Location: stock.Opening, Bucket: stock.Available}, To: stock.Account{Bucket: stock.Customer},
		})
		if err != nil {
			return err
		}
		o.Allocations = append(o.Allocations, order.Allocation{SKU: l.SKU, Location: stock.Opening, Qty: l.Qty, Shipped: l.Qty})
	}
	d.runAutomations()
	if o.State == order.Shipped {
		return nil
	}
	to := order.Shipped
	if len(d.demand(o)) > 0 {
		to = order.PartiallyShipped
	}
	return o.Go(to)
}

// shipUnits ships up to n reserved units of a SKU from a location and returns how many were not reserved there.
func (d *decider) shipUnits(o *order.Order, location, sku string, n int64) (int64, error) {
	for i := range o.Allocations {
		a := &o.Allocations[i]
		if a.SKU != sku || a.Location != location || a.Qty == a.Shipped || n == 0 {
			continue
		}
		take := min(n, a.Qty-a.Shipped)
		err := d.move(stock.Move{
			Kind: stock.Ship, SKU: sku, Qty: take, OrderID: o.ID,
			From: stock.Account{Location: location, Bucket: stock.Reserved}, To: stock.Account{Bucket: stock.Customer},
		})
		if err != nil {
			return n, err
		}
		a.Shipped += take
		n -= take
	}
	return n, nil
}

// shipReserved ships everything still reserved, from one location or from all ("").
func (d *decider) shipReserved(o *order.Order, location string) error {
	for _, a := range append([]order.Allocation(nil), o.Allocations...) {
		if location != "" && a.Location != location || a.Qty == a.Shipped {
			continue
		}
		if _, err := d.shipUnits(o, a.Location, a.SKU, a.Qty-a.Shipped); err != nil {
			return err
		}
	}
	return nil
}

// mismatch asks the warehouse to look at what its parcel and our books disagree on.
func (d *decider) mismatch(o *order.Order, location, text string) {
	d.openTask(o.ID, task.Task{
		Kind: task.General, Queue: "warehouse", OrderID: o.ID, Title: "Parcel from " + location + " does not fit order " + o.Short(),
		Options: []string{"done"}, Owner: d.pol.Settings.OpsOwner, Reasons: []task.Reason{{Text: text}},
	}, 24*time.Hour)
}

// rejected takes the order away from a location that will not ship it, and routes that part again.
func (d *decider) rejected(p *event.ShipmentRejected) error {
	o := d.changeOrder(p.Channel, p.Number)
	switch o.State {
	case order.Expected:
		return fault.New(fault.Conflict, "decide.rejected", "order %s was never placed", o.Short())
	case order.Shipped, order.Completed, order.Cancelled:
		d.out.Order = nil
		d.note("it is %s; nothing changes", o.State)
		return nil
	}
	for _, r := range o.Rejected {
		if r == p.Location {
			d.out.Order = nil
			d.note("%s had rejected it before; nothing changes", p.Location)
			return nil
		}
	}
	o.Rejected = append(o.Rejected, p.Location)
	d.note("%s rejected it: %s", p.Location, p.Reason)
	// The location knows already, so only what has not been sent is withdrawn.
	d.withdrawPending(o, p.Location)
	if err := d.releaseAt(o, p.Location); err != nil {
		return err
	}
	if err := d.route(o); err != nil {
		return err
	}
	return d.settleAndAsk(o)
}

// returned records goods that came back.
func (d *decider) returned(p *event.ReturnReceived) error {
	var o *order.Order
	if p.Order != "" {
		o = d.loadOrder(event.OrderID(p.Channel, p.Order))
	}
	location := p.Location
	if !d.live {
		location = stock.Opening
	}
	if location == "" {
		return fault.New(fault.Conflict, "decide.returned", "return %s names no location that took the goods in", p.Number)
	}
	if err := d.place(location); err != nil {
		return err
	}
	orderID := ""
	if o != nil {
		orderID = o.ID
	}
	value := p.Amount
	for _, l := range p.Lines {
		if p.Amount.Currency == "" {
			value = value.Add(l.UnitPrice.Mul(l.Qty))
		}
		if d.snap.Products[l.SKU].Untracked {
			continue
		}
		err := d.move(stock.Move{
			Kind: stock.Return, SKU: l.SKU, Qty: l.Qty, OrderID: orderID, Note: p.Number,
			From: stock.Account{Bucket: stock.Customer}, To: stock.Account{Location: location, Bucket: stock.Available},
		})
		if err != nil {
			return err
		}
		d.wake(l.SKU)
	}
	customerID := d.ev.Who.Customer
	if o != nil {
		customerID = o.CustomerID
	}
	if c := d.customerOf(customerID); c != nil {
		c.Returns++
	}
	d.note("return %s of %s taken in at %s", p.Number, value, location)
	if d.live && value.Minor > 0 && o != nil && o.Captured.Minor > o.Refunded.Minor {
		d.openTask("return:"+p.Channel+":"+p.Number, task.Task{
			Kind: task.Refund, Queue: "finance", OrderID: orderID, Title: "Refund return " + p.Number + " (" + value.String() + ")",
			Options: []string{"refunded", "refused"}, Owner: d.pol.Settings.OpsOwner, Amount: value,
			Reasons: []task.Reason{{Text: "goods worth " + value.String() + " came back"}},
		}, 48*time.Hour)
	}
	d.runAutomations()
	return nil
}
