package decide

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// placed brings an order in: it is counted, checked by the automations, routed
// and reserved, and then stands in the state that its content gives it.
func (d *decider) placed(p *event.OrderPlaced) error {
	o := d.changeOrder(p.Channel, p.Number)
	if o.State != order.Expected {
		d.out.Order = nil
		d.note("order %s was placed before; nothing changes", o.Short())
		return nil
	}
	if o.Captured.Minor != 0 && o.Captured.Currency != p.Currency {
		return fault.New(fault.Conflict, "decide.placed", "order %s is in %s but its payment came in %s", o.Short(), p.Currency, o.Captured.Currency)
	}
	d.fill(o, p)
	d.overpaid(o)
	d.countCustomer(o, p.Customer.Tags)
	d.countVelocity(o)
	if !d.live {
		return d.placedInHistory(o)
	}
	if o.CancelAsked {
		d.note("it had been cancelled before it was placed")
		return d.cancelOrder(o, o.CancelNote)
	}
	d.runAutomations()
	if d.ask {
		return nil
	}
	if err := d.route(o); err != nil {
		return err
	}
	return d.settle(o)
}

// fill copies the placed facts into the order.
func (d *decider) fill(o *order.Order, p *event.OrderPlaced) {
	o.Mode = d.ev.Mode
	o.PlacedAt = d.at
	if !p.PlacedAt.IsZero() && p.PlacedAt.Before(d.at) {
		o.PlacedAt = p.PlacedAt
	}
	o.CustomerID = d.ev.Who.Customer
	o.Currency = p.Currency
	o.Lines = make([]order.Line, len(p.Lines))
	for i, l := range p.Lines {
		o.Lines[i] = order.Line{SKU: l.SKU, Title: l.Title, Qty: l.Qty, UnitPrice: l.UnitPrice, Pinned: l.Location}
	}
	o.ShippingCost, o.Discount, o.Total = p.ShippingCost, p.Discount, p.Worth()
	o.Shipping, o.Billing = p.Shipping, p.Billing
	g := d.gist(p)
	if !g.Billing {
		o.Billing = o.Shipping
	}
	_, o.Personal = p.Strip()
	o.HasEmail, o.EmailDomain, o.AddressesDiffer, o.IPCountry = g.HasEmail, g.Domain, g.Differ, g.IPCountry
	o.Shipping.Name, o.Shipping.Line1, o.Shipping.Line2 = "", "", ""
	o.Billing.Name, o.Billing.Line1, o.Billing.Line2 = "", "", ""
	o.Service, o.Device, o.Note, o.Attributes = p.Service, p.Device, p.Note, p.Attributes
	o.SignedUp = p.Customer.SignedUp
	o.Tags = append(o.Tags, p.Tags...)
	o.Method = p.Payment.Method
	if o.Captured.Currency == "" {
		o.Captured.Currency = p.Currency
	}
	o.Refunded.Currency = p.Currency
	switch p.Payment.Status {
	case event.PaymentPaid:
		// Told twice, here and by its own event, it is the same money.
		o.PaidAtOnce = len(o.PaymentRefs) == 0
		if o.Captured.Minor < o.Total.Minor {
			o.Captured = o.Total
		}
	case event.PaymentAuthorized:
		if o.Payment == event.PaymentPending {
			o.Payment = event.PaymentAuthorized
		}
	}
	d.settlePayment(o)
}

// gist is what the personal data comes to: as it was recorded, or from the data itself.
func (d *decider) gist(p *event.OrderPlaced) event.Gist {
	if d.ev.Gist != nil {
		return *d.ev.Gist
	}
	g := event.Gist{HasEmail: p.Customer.Email != "", Billing: p.Billing != (event.Address{})}
	if _, domain, ok := strings.Cut(p.Customer.Email, "@"); ok {
		g.Domain = strings.ToLower(strings.TrimSpace(domain))
	}
	g.Differ = g.Billing && addressesDiffer(p.Shipping, p.Billing)
	if d.pol.IP != nil && p.IP != "" {
		g.IPCountry, _ = d.pol.IP.Country(p.IP)
	}
	d.out.Gist = &g
	return g
}

// addressesDiffer compares what identifies a place; names and second lines vary for honest buyers.
func addressesDiffer(a, b event.Address) bool {
	same := func(x, y string) bool { return strings.EqualFold(strings.TrimSpace(x), strings.TrimSpace(y)) }
	return !same(a.Country, b.Country) || !same(a.Postal, b.Postal) || !same(a.City, b.City) || !same(a.Line1, b.Line1)
}

// settlePayment derives the payment status from the money.
func (d *decider) settlePayment(o *order.Order) {
	if o.Currency != "" && o.Captured.Minor >= o.Total.Minor {
		o.Payment = event.PaymentPaid
	}
}

// countCustomer adds the order to its customer's counts.
func (d *decider) countCustomer(o *order.Order, tags []string) {
	if c := d.customerOf(o.CustomerID); c != nil {
		c.Ordered(o.PlacedAt, o.Total, tags)
	}
}

// countVelocity marks the order under each known key.
func (d *decider) countVelocity(o *order.Order) {
	for _, key := range [...]string{customerKey(d.ev.Who), d.ev.Who.Address, d.ev.Who.Device, d.ev.Who.IP} {
		if key != "" {
			d.out.Marks = append(d.out.Marks, Mark{Key: key, Ref: o.ID, At: d.at})
		}
	}
}

// placedInHistory records a past order: automations are asked in shadow, no stock is reserved, nothing leaves.
func (d *decider) placedInHistory(o *order.Order) error {
	d.runAutomations()
	if o.CancelAsked {
		return d.cancelOrder(o, o.CancelNote)
	}
	o.Accepted = true
	if d.payable(o) {
		return o.Go(order.Ready)
	}
	return o.Go(order.AwaitingPayment)
}

// payable reports whether the payment is good enough to fulfil.
func (d *decider) payable(o *order.Order) bool {
	if o.Payment == event.PaymentPaid {
		return true
	}
	return o.Payment == event.PaymentAuthorized && d.pol.Settings.FulfilOn != event.PaymentPaid
}

// settle puts the order into the state that its content gives it and lets the
// consequences follow. State is a function of holds, missing units, parcels and
// payment, never of the path, so events may come in any order.
func (d *decider) settle(o *order.Order) error {
	d.resettle = false
	was := o.State
	if was.Terminal() || was == order.Shipped {
		return nil
	}
	to := d.stateOf(o)
	if err := o.Go(to); err != nil {
		return fault.New(fault.Conflict, "decide.settle", "%s", err)
	}
	d.settleTasks(o)
	d.settleWaits(o)
	if !o.Accepted && to != order.Held && to != order.Unfillable {
		o.Accepted = true
		d.derive(&event.OrderAccepted{Order: o.ID})
	}
	if to == order.Unfillable && was != order.Unfillable {
		d.derive(&event.OrderUnfillable{Order: o.ID})
	}
	if to == order.Ready || to == order.PartiallyShipped {
		d.requestFulfilment(o)
	}
	if to == order.Ready && was != order.Ready {
		d.derive(&event.OrderReady{Order: o.ID})
	}
	return nil
}

func (d *decider) stateOf(o *order.Order) order.State {
	var open, gone int64
	for _, a := range o.Allocations {
		open += a.Qty - a.Shipped
		gone += a.Shipped
	}
	switch {
	case len(o.Holds) > 0:
		return order.Held
	case len(o.Missing) > 0 && !d.backorderable(o):
		return order.Unfillable
	case len(o.Missing) > 0:
		return order.Backordered
	case open == 0 && gone > 0:
		return order.Shipped
	case gone > 0:
		return order.PartiallyShipped
	case !d.payable(o):
		return order.AwaitingPayment
	case open == 0 && len(o.Lines) > 0:
		return order.Shipped // services only: there is nothing to ship
	}
	return order.Ready
}

// backorderable reports whether everything that is missing may be sold ahead.
func (d *decider) backorderable(o *order.Order) bool {
	for _, m := range o.Missing {
		if !d.snap.Products[m.SKU].Backorder {
			return false
		}
	}
	return true
}

// settleTasks opens and closes the order's review and unfillable tasks to match its state.
func (d *decider) settleTasks(o *order.Order) {
	if o.State == order.Held {
		d.openReview(o)
	} else {
		d.closeTasks(o, task.Review)
	}
	if o.State == order.Unfillable {
		d.openTask(o.ID, task.Task{
			Kind: task.Unfillable, Queue: "warehouse", OrderID: o.ID, Title: "Order " + o.Short() + " cannot be filled",
			Options: []string{"retry", "cancel"}, Owner: d.pol.Settings.OpsOwner, Reasons: []task.Reason{{Text: missingText(o)}},
		}, 24*time.Hour)
	} else {
		d.closeTasks(o, task.Unfillable)
	}
}

func missingText(o *order.Order) string {
	parts := make([]string, len(o.Missing))
	for i, m := range o.Missing {
		parts[i] = quantity(m.Qty, m.SKU)
	}
	return "missing " + strings.Join(parts, ", ")
}

// settleWaits keeps the list of orders that wait for units.
func (d *decider) settleWaits(o *order.Order) {
	if d.before == order.Unfillable || d.before == order.Backordered || d.before == order.Held {
		d.out.Unwait = append(d.out.Unwait, o.ID)
	}
	if o.State.Terminal() {
		return
	}
	for _, m := range o.Missing {
		d.out.Wait = append(d.out.Wait, Wait{SKU: m.SKU, Since: o.PlacedAt, OrderID: o.ID})
	}
}

// paid records captured money. It may come before the order does.
func (d *decider) paid(p *event.OrderPaid) error {
	o := d.changeOrder(p.Channel, p.Number)
	if o.Captured.Currency != "" && o.Captured.Currency != p.Amount.Currency {
		return fault.New(fault.Conflict, "decide.paid", "order %s is in %s but the payment is in %s", o.Short(), o.Captured.Currency, p.Amount.Currency)
	}
	ref := p.Reference
	if ref == "" {
		ref = d.ev.Key
	}
	for _, r := range o.PaymentRefs {
		if r == ref {
			d.note("payment %s was counted before; nothing changes", ref)
			d.out.Order = nil
			return nil
		}
	}
	o.PaymentRefs = append(o.PaymentRefs, ref)
	if o.PaidAtOnce {
		o.PaidAtOnce = false
		d.note("the order came as paid; this is the same payment")
		if p.Amount.Minor <= o.Captured.Minor {
			return nil
		}
		o.Captured = p.Amount
	} else {
		o.Captured = o.Captured.Add(p.Amount)
	}
	d.note("%s captured", p.Amount)
	d.overpaid(o)
	d.settlePayment(o)
	d.runAutomations()
	switch {
	case o.State == order.Expected:
		return nil
	case o.State == order.Cancelled:
		d.openRefund(o)
		return nil
	case !d.live:
		if o.State == order.AwaitingPayment && d.payable(o) {
			return o.Go(order.Ready)
		}
		return nil
	}
	return d.settle(o)
}

// overpaid asks a person to look when more was captured than the order is worth: paid twice, or too much.
func (d *decider) overpaid(o *order.Order) {
	if !d.live || o.Currency == "" || o.Captured.Minor <= o.Total.Minor {
		return
	}
	much := o.Captured.Sub(o.Total)
	d.openTask(overpaidSubject(o.ID), task.Task{
		Kind: task.Refund, Queue: "finance", OrderID: o.ID, Title: "Order " + o.Short() + " was paid " + much.String() + " too much",
		Options: []string{"refunded", "settled"}, Owner: d.pol.Settings.OpsOwner, Amount: much,
		Reasons: []task.Reason{{Text: o.Captured.String() + " was captured for an order of " + o.Total.String()}},
	}, 48*time.Hour)
}

func overpaidSubject(orderID string) string { return "overpaid:" + orderID }

// cancelled stops an order wherever it is, as far as that is still possible.
func (d *decider) cancelled(p *event.OrderCancelled) error {
	o := d.changeOrder(p.Channel, p.Number)
	switch o.State {
	case order.Expected:
		o.CancelAsked, o.CancelNote = true, p.Reason
		d.note("cancelled before it was placed; it will be cancelled when it comes")
		return nil
	case order.Cancelled:
		d.out.Order = nil
		d.note("it was cancelled before; nothing changes")
		return nil
	case order.Shipped, order.Completed:
		d.note("it has left already; a person must decide what to do")
		if d.live {
			d.openTask(o.ID, task.Task{
				Kind: task.General, Queue: "support", OrderID: o.ID, Title: "Order " + o.Short() + " was cancelled after it was shipped",
				Options: []string{"done"}, Owner: d.pol.Settings.OpsOwner, Reasons: []task.Reason{{Text: p.Reason}},
			}, 24*time.Hour)
		}
		return nil
	}
	if err := d.cancelOrder(o, p.Reason); err != nil {
		return err
	}
	d.runAutomations()
	return nil
}

// cancelOrder releases what the order holds, withdraws what has not left, and sees to captured money.
func (d *decider) cancelOrder(o *order.Order, reason string) error {
	o.CancelNote = reason
	if err := d.releaseAll(o); err != nil {
		return err
	}
	d.withdrawFulfilment(o, "")
	o.Missing, o.Holds = nil, nil
	if err := o.Go(order.Cancelled); err != nil {
		return fault.New(fault.Conflict, "decide.cancel", "%s", err)
	}
	d.settleTasks(o)
	d.settleWaits(o)
	if c := d.customerOf(o.CustomerID); c != nil {
		c.Cancel()
	}
	if d.live {
		d.openRefund(o)
	}
	return nil
}

// openRefund gives a person the captured money of a cancelled order to return.
func (d *decider) openRefund(o *order.Order) {
	if !d.live || o.Captured.Minor <= o.Refunded.Minor {
		return
	}
	due := o.Captured.Sub(o.Refunded)
	d.openTask(o.ID, task.Task{
		Kind: task.Refund, Queue: "finance", OrderID: o.ID, Title: "Refund " + due.String() + " of order " + o.Short(),
		Options: []string{"refunded"}, Owner: d.pol.Settings.OpsOwner, Amount: due,
		Reasons: []task.Reason{{Text: "the order is cancelled and " + due.String() + " was captured"}},
	}, 48*time.Hour)
}

// completed closes the order: the channel says that it was delivered.
func (d *decider) completed(p *event.OrderCompleted) error {
	o := d.changeOrder(p.Channel, p.Number)
	switch o.State {
	case order.Expected:
		return fault.New(fault.Conflict, "decide.completed", "order %s was completed but never placed; replay this event when the order has come", o.Short())
	case order.Completed, order.Cancelled:
		d.out.Order = nil
		d.note("it is %s; nothing changes", o.State)
		return nil
	case order.Shipped, order.PartiallyShipped:
		if err := d.shipReserved(o, ""); err != nil {
			return err
		}
	default:
		if !d.live {
			o.State = order.Shipped // the export tells only how it ended
			break
		}
		if err := d.shipReserved(o, ""); err != nil {
			return err
		}
		o.Holds, o.Missing = nil, nil
		if err := o.Go(order.Shipped); err != nil {
			return fault.New(fault.Conflict, "decide.completed", "%s", err)
		}
	}
	if err := o.Go(order.Completed); err != nil {
		return fault.New(fault.Conflict, "decide.completed", "%s", err)
	}
	d.settleTasks(o)
	d.settleWaits(o)
	d.runAutomations()
	return nil
}

// holdRequested is a clerk's word: the order stops and waits for a decision.
func (d *decider) holdRequested(p *event.OrderHoldRequested) error {
	o, err := d.knownOrder(p.Order)
	if err != nil {
		return err
	}
	switch o.State {
	case order.Expected, order.Shipped, order.Completed, order.Cancelled:
		return fault.New(fault.Conflict, "decide.hold", "order %s is %s and cannot be held", o.Short(), o.State)
	}
	o.Holds = append(o.Holds, order.Hold{Text: p.Reason})
	d.withdrawFulfilment(o, "")
	return d.settleAndAsk(o)
}

// releaseRequested is a clerk's word: every hold is lifted.
func (d *decider) releaseRequested(p *event.OrderReleaseRequested) error {
	o, err := d.knownOrder(p.Order)
	if err != nil {
		return err
	}
	if o.State != order.Held {
		return fault.New(fault.Conflict, "decide.release", "order %s is %s, not held", o.Short(), o.State)
	}
	if err := d.release(o); err != nil {
		return err
	}
	d.runAutomations()
	return nil
}

// release lifts the holds and looks again for what was missing.
func (d *decider) release(o *order.Order) error {
	o.Holds, o.Released = nil, true
	if len(o.Missing) > 0 {
		if err := d.route(o); err != nil {
			return err
		}
	}
	return d.settle(o)
}

// rerouteRequested looks for locations again: for what is missing, or for everything when a clerk asks.
func (d *decider) rerouteRequested(p *event.OrderRerouteRequested) error {
	o, err := d.knownOrder(p.Order)
	if err != nil {
		return err
	}
	switch o.State {
	case order.Expected, order.Shipped, order.Completed, order.Cancelled:
		if d.ev.Source == "timer" {
			d.out.Order = nil
			return nil // it went on before its turn came
		}
		return fault.New(fault.Conflict, "decide.reroute", "order %s is %s and cannot be routed again", o.Short(), o.State)
	}
	if d.ev.Source != "timer" && len(o.Missing) == 0 {
		d.withdrawFulfilment(o, "")
		if err := d.releaseAll(o); err != nil {
			return err
		}
	}
	if err := d.route(o); err != nil {
		return err
	}
	return d.settleAndAsk(o)
}

// settleAndAsk settles the order and then asks the automations on what happened to it.
func (d *decider) settleAndAsk(o *order.Order) error {
	if err := d.settle(o); err != nil {
		return err
	}
	d.runAutomations()
	return nil
}

// orderFact lets automations react to a derived fact about an order.
func (d *decider) orderFact() error {
	o, err := d.knownOrder(d.ev.Subject)
	if err != nil {
		return err
	}
	// An automation on an earlier fact of the same event may have held the order meanwhile.
	if o.State == order.Cancelled || d.ev.Type == "order.ready" && o.State != order.Ready || d.ev.Type == "order.unfillable" && o.State != order.Unfillable {
		d.out.Order = nil
		return nil
	}
	d.runAutomations()
	return nil
}

// requestFulfilment asks every location that has not been asked yet to ship its part.
func (d *decider) requestFulfilment(o *order.Order) {
	asked := map[string]bool{}
	for i := range o.Allocations {
		a := &o.Allocations[i]
		if a.Asked || a.Qty == a.Shipped {
			continue
		}
		a.Asked = true
		if asked[a.Location] {
			continue
		}
		asked[a.Location] = true
		o.Requests++
		d.fulfilment(o, a.Location, "fulfilment")
	}
}

// withdrawFulfilment takes back the requests to one location, or to all (""):
// those that nobody attempted are cancelled, the others are followed by a cancellation:
// a request whose attempt failed may have arrived all the same.
func (d *decider) withdrawFulfilment(o *order.Order, location string) {
	told := map[string]bool{}
	for _, e := range d.snap.Effects[o.ID] {
		at := e.Payload.Data["location"]
		if e.Payload.Purpose != "fulfilment" || location != "" && at != location {
			continue
		}
		if e.State == effect.Pending {
			d.out.Withdraw = append(d.out.Withdraw, e.ID)
		}
		attempted := e.Fence > 0 || e.State == effect.Claimed || e.State == effect.Done
		if attempted && e.State != effect.Cancelled && !told[at] && o.Requests > 0 {
			told[at] = true
			d.fulfilment(o, at, "fulfilment-cancel")
		}
	}
	for i := range o.Allocations {
		if a := &o.Allocations[i]; location == "" || a.Location == location {
			a.Asked = false
		}
	}
}
