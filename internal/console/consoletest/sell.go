package consoletest

import (
	"fmt"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

func km(lat1, lon1, lat2, lon2 float64) float64 { return geo.DistanceKM(lat1, lon1, lat2, lon2) }

// fates of sample orders; the rest goes its way to the customer.
const (
	normal = iota
	held
	unfillable
	backordered
	unpaid
	cancelled
)

func (f *filler) sell(n int) {
	fate := map[int]int{}
	last := n - 1
	for i := range 7 { // the newest ones wait for a person
		fate[last-2-i*5] = held
	}
	fate[last-4], fate[last-19] = unfillable, unfillable
	fate[last-9], fate[last-26], fate[last-41] = backordered, backordered, backordered
	for i := range 8 {
		fate[last-i*7-1] = unpaid
	}
	for i := 5; i < n; i += 23 {
		if fate[i] == 0 {
			fate[i] = cancelled
		}
	}
	for i, at := range f.times(n) {
		f.order(i, at, fate[i])
	}
}

func (f *filler) order(i int, at time.Time, fate int) {
	ci := 1 + f.rnd.IntN(70)
	c, pd, dest := f.customer(ci)
	channel := []string{"web-shop", "web-shop", "web-shop", "marketplace", "pos"}[f.rnd.IntN(5)]
	number := fmt.Sprintf("SO-%05d", 10400+i)
	o := &order.Order{
		ID: event.OrderID(channel, number), Channel: channel, Number: number, Mode: event.Live, PlacedAt: at, UpdatedAt: at, Rev: 1, CustomerID: c.ID,
		Currency: "EUR", Payment: event.PaymentPaid, Method: []string{"card", "paypal", "invoice"}[f.rnd.IntN(3)], ShippingCost: eur(490),
		Shipping: event.Address{City: dest.city, Postal: dest.postal, Country: dest.country}, Service: "standard", Device: fmt.Sprintf("device-%03d", ci),
		HasEmail: true, EmailDomain: "example.com", SignedUp: c.FirstAt.Add(-time.Hour),
	}
	o.Billing = o.Shipping
	lines := 1 + f.rnd.IntN(3)
	if fate == held {
		lines = 3
	}
	for l := range lines {
		it := items[(f.rnd.IntN(len(items))+l*7)%len(items)]
		qty := int64(1 + f.rnd.IntN(2))
		if fate == held && l == 0 {
			it, qty = items[16], 2 // a pot of price
		}
		dup := false
		for _, have := range o.Lines {
			dup = dup || have.SKU == it.sku
		}
		if !dup {
			o.Lines = append(o.Lines, order.Line{SKU: it.sku, Title: it.title, Qty: qty, UnitPrice: eur(it.cents)})
		}
	}
	if o.Subtotal().Minor > 5000 && fate != held {
		o.ShippingCost = eur(0)
	}
	if fate == held {
		b := places[(ci+5+i%3)%len(places)]
		o.Billing = event.Address{City: b.city, Postal: b.postal, Country: b.country}
		pd.BillingLine1 = fmt.Sprintf("Other Sample Street %d", ci)
		o.AddressesDiffer = true
	}
	o.Total = o.Subtotal().Add(o.ShippingCost)
	f.orders[o.ID] = o
	if s, err := f.keys.Seal(c.ID, f.custKeys[c.ID], pd); err == nil {
		f.sealed[o.ID] = s
	}
	c.Orders++
	c.Spent = c.Spent.Add(o.Total)
	placed := &event.OrderPlaced{
		Channel: channel, Number: number, PlacedAt: at, Currency: "EUR", ShippingCost: o.ShippingCost, Total: o.Total,
		Shipping: o.Shipping, Billing: o.Billing, Payment: event.Payment{Status: event.PaymentPaid, Method: o.Method}, Device: o.Device, Service: o.Service,
	}
	for _, l := range o.Lines {
		placed.Lines = append(placed.Lines, event.Line{SKU: l.SKU, Title: l.Title, Qty: l.Qty, UnitPrice: l.UnitPrice})
	}
	switch fate {
	case held:
		f.hold(o, placed, i)
		return
	case unpaid:
		o.Payment = event.PaymentPending
		placed.Payment.Status = event.PaymentPending
	default:
		o.Captured = o.Total
	}
	f.accept(o, placed, dest, fate)
}

func (f *filler) hold(o *order.Order, placed *event.OrderPlaced, i int) {
	o.State, o.Captured = order.Held, money.Amount{Currency: "EUR"}
	o.Payment = event.PaymentAuthorized
	placed.Payment.Status = event.PaymentAuthorized
	reasons := []task.Reason{{Automation: "hold-address-mismatch", Text: "first order, and the bill goes to another address"}}
	if i%2 == 0 {
		reasons = append([]task.Reason{{Automation: "hold-large-orders", Text: "large order"}}, reasons...)
	}
	id := event.Derive("tsk_", "review", o.ID, "1")
	var autos []map[string]any
	for _, r := range reasons {
		autos = append(autos, map[string]any{"name": r.Automation, "outcome": "fired", "mode": "active", "did": []string{"held for risk: " + r.Text}})
		o.Holds = append(o.Holds, order.Hold{Automation: r.Automation, Text: r.Text, TaskID: id})
	}
	ev, _ := f.event("order.placed", o.Channel, "o-"+o.Number, o.ID, o.ID, o.CustomerID, o.PlacedAt, placed, map[string]any{
		"to": "held", "notes": []string{"a person of risk decides"}, "automations": autos,
	})
	due := f.now.Add(time.Duration(i%9)*37*time.Minute - 20*time.Minute)
	f.tasks[id] = &task.Task{
		ID: id, Kind: task.Review, Queue: "risk", Subject: o.ID, OrderID: o.ID, Round: 1, State: task.Open, Title: "Review order " + o.Number,
		Reasons: reasons, Options: []string{"approve", "reject", "ask"}, Owner: "risk@shop.example", Created: o.PlacedAt, Due: due, EventID: ev,
	}
}

// accept follows an order that passed its checks.
func (f *filler) accept(o *order.Order, placed *event.OrderPlaced, dest place, fate int) {
	chosen := locations[0]
	switch dest.country {
	case "FR", "ES", "IT", "PT":
		chosen = locations[2]
	case "NL", "BE":
		chosen = locations[1]
	}
	o.Accepted = true
	at := o.PlacedAt
	trace := map[string]any{"notes": []string{"customer seen before: " + fmt.Sprint(o.SignedUp.Before(at.AddDate(0, 0, -30)))}}
	first := o.Lines[0]
	switch fate {
	case unfillable:
		o.State = order.Unfillable
		o.Missing = []order.Missing{{SKU: first.SKU, Qty: first.Qty}}
		p := plan(dest, chosen, first.SKU, first.Qty)
		p.Assign, p.Parcels, p.CostMinor, p.DistanceKnown = nil, 0, money.Amount{}, false
		for i := range p.Candidates {
			p.Candidates[i].Chosen, p.Candidates[i].Scores = false, nil
			p.Candidates[i].Reason = fmt.Sprintf("0 of %d available", first.Qty)
		}
		trace["to"], trace["routing"] = "unfillable", p
		trace["notes"] = []string{fmt.Sprintf("cannot be filled: %d × %s; nothing is reserved", first.Qty, first.SKU)}
	case backordered:
		o.State = order.Backordered
		o.Missing = []order.Missing{{SKU: first.SKU, Qty: first.Qty}}
		trace["to"] = "backordered"
		trace["notes"] = []string{fmt.Sprintf("on backorder: %d × %s", first.Qty, first.SKU)}
		f.waits = append(f.waits, store.StockWait{SKU: first.SKU, Since: at, OrderID: o.ID})
	case unpaid:
		o.State = order.AwaitingPayment
		trace["to"] = "awaiting_payment"
	default:
		o.State = order.Ready
		trace["to"] = "ready"
	}
	_, ev := f.event("order.placed", o.Channel, "o-"+o.Number, o.ID, o.ID, o.CustomerID, at, placed, nil)
	if fate != unfillable && fate != backordered {
		notes := []string{}
		for _, l := range o.Lines {
			k := stock.Key{SKU: l.SKU, Location: chosen.ID}
			from := chosen
			if f.balances[k].Available() < l.Qty {
				from = f.other(l.SKU, l.Qty, chosen)
				if from.ID == "" {
					continue
				}
			}
			f.move(ev, stock.Reserve, l.SKU, l.Qty, stock.Account{Location: from.ID, Bucket: stock.Available}, stock.Account{Location: from.ID, Bucket: stock.Reserved}, o.ID, "")
			o.Allocations = append(o.Allocations, order.Allocation{SKU: l.SKU, Location: from.ID, Qty: l.Qty, Asked: true})
			notes = append(notes, fmt.Sprintf("reserved %d × %s at %s", l.Qty, l.SKU, from.ID))
		}
		o.Parcels, o.Promise = 1, at.AddDate(0, 0, 3)
		trace["notes"], trace["routing"] = notes, plan(dest, chosen, first.SKU, first.Qty)
	}
	f.setTrace(ev, trace)
	f.event("order.accepted", "engine", "acc-"+o.ID, o.ID, o.ID, o.CustomerID, at.Add(2*time.Millisecond), event.OrderAccepted{Order: o.ID},
		map[string]any{"automations": []map[string]any{{"name": "order-confirmation", "outcome": "fired", "mode": "active", "did": []string{"message order-confirmation to the customer"}}}})
	f.effect(o, "order-confirmation", effect.Mail, "mail", "order-confirmation", at, 3*time.Second)
	switch fate {
	case cancelled:
		f.cancel(o, at.Add(47*time.Minute))
	case normal:
		f.effect(o, "fulfilment", effect.Webhook, "fulfilment", "", at, 2*time.Second)
		f.ship(o, chosen, at)
	}
}

func (f *filler) other(sku string, qty int64, not catalog.Location) catalog.Location {
	for _, l := range locations {
		if l.ID != not.ID && f.balances[stock.Key{SKU: sku, Location: l.ID}].Available() >= qty {
			return l
		}
	}
	return catalog.Location{}
}

func (f *filler) cancel(o *order.Order, at time.Time) {
	if at.After(f.now) {
		return
	}
	o.State, o.CancelNote, o.UpdatedAt = order.Cancelled, "the customer changed their mind", at
	_, ev := f.event("order.cancelled", o.Channel, "c-"+o.Number, o.ID, o.ID, o.CustomerID, at,
		event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: o.CancelNote}, map[string]any{"from": "ready", "to": "cancelled"})
	for _, a := range o.Allocations {
		f.move(ev, stock.Release, a.SKU, a.Qty, stock.Account{Location: a.Location, Bucket: stock.Reserved}, stock.Account{Location: a.Location, Bucket: stock.Available}, o.ID, "")
	}
	o.Allocations = nil
	id := event.Derive("tsk_", "refund", o.ID, "1")
	t := &task.Task{
		ID: id, Kind: task.Refund, Queue: "finance", Subject: o.ID, OrderID: o.ID, Round: 1, State: task.Decided, Title: "Refund " + o.Total.String(),
		Reasons: []task.Reason{{Text: "money was captured for a cancelled order"}}, Options: []string{"done"}, Created: at, Due: at.Add(48 * time.Hour), Outcome: "done", DoneAt: at.Add(time.Hour),
	}
	if f.now.Sub(at) < 20*time.Hour {
		t.State, t.Outcome, t.DoneAt = task.Open, "", time.Time{}
	} else {
		o.Refunded = o.Captured
	}
	f.tasks[id] = t
	f.customers[o.CustomerID].Cancelled++
}

func (f *filler) ship(o *order.Order, from catalog.Location, at time.Time) {
	at = at.Add(time.Duration(3+f.rnd.IntN(20)) * time.Hour)
	if at.After(f.now) || len(o.Allocations) == 0 {
		return
	}
	o.State, o.UpdatedAt = order.Shipped, at
	tracking := fmt.Sprintf("SAMPLE%09d", f.n)
	_, ev := f.event("shipment.shipped", "fulfilment", "s-"+o.Number, o.ID, o.ID, o.CustomerID, at,
		event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: from.ID, Tracking: tracking, Carrier: "Sample Post"},
		map[string]any{"from": "ready", "to": "shipped", "automations": []map[string]any{{"name": "shipping-update", "outcome": "fired", "mode": "active", "did": []string{"message shipping-update to the customer"}}}})
	for i := range o.Allocations {
		a := &o.Allocations[i]
		f.move(ev, stock.Ship, a.SKU, a.Qty, stock.Account{Location: a.Location, Bucket: stock.Reserved}, stock.Account{Bucket: stock.Customer}, o.ID, "")
		a.Shipped = a.Qty
	}
	f.effect(o, "shipping-update", effect.Mail, "mail", "shipping-update", at, 4*time.Second)
	if done := at.Add(52 * time.Hour); done.Before(f.now) {
		o.State = order.Completed
		f.event("order.completed", o.Channel, "d-"+o.Number, o.ID, o.ID, o.CustomerID, done, event.OrderCompleted{Channel: o.Channel, Number: o.Number},
			map[string]any{"from": "shipped", "to": "completed"})
	}
}

func (f *filler) setTrace(ev int, tr map[string]any) {
	f.events[ev].Trace = mustJSON(tr)
}

func (f *filler) effect(o *order.Order, purpose string, kind effect.Kind, dest, automation string, at time.Time, took time.Duration) {
	key := string(kind) + ":" + purpose + ":" + o.ID
	id := effect.ID(key, o.ID)
	f.effects[id] = effect.Effect{
		ID: id, Key: key, Kind: kind, Destination: dest, OrderID: o.ID, CustomerID: o.CustomerID, EventID: f.events[len(f.events)-1].ID, Automation: automation,
		Payload: effect.Payload{Purpose: purpose, Template: purpose, Recipient: "customer"}, State: effect.Done, Attempts: 1, Created: at, Due: at, DoneAt: at.Add(took), Receipt: "250 2.0.0 accepted",
	}
}

// troubles adds dead letters, their incident, a waiting effect and a quarantined event.
func (f *filler) troubles() {
	n := 0
	var ids []string
	for _, id := range sortedIDs(f.orders) {
		o := f.orders[id]
		if o.State == order.Ready && n < 3 {
			n++
			e := f.effects[effect.ID("webhook:fulfilment:"+o.ID, o.ID)]
			if e.ID == "" {
				continue
			}
			e.State, e.Attempts, e.DoneAt, e.Receipt = effect.Dead, 12, time.Time{}, ""
			e.LastError = "the warehouse answered 503 Service Unavailable after 12 attempts"
			f.effects[e.ID] = e
			ids = append(ids, e.ID)
			f.event("effect.failed", "engine", "ef-"+e.ID, o.ID, o.ID, o.CustomerID, o.PlacedAt.Add(3*time.Hour), event.EffectFailed{Effect: e.ID, Order: o.ID}, nil)
		} else if o.State == order.Ready && n < 6 {
			n++
			e := f.effects[effect.ID("mail:order-confirmation:"+o.ID, o.ID)]
			e.State, e.Attempts, e.DoneAt, e.Receipt, e.Due = effect.Pending, 2, time.Time{}, "", f.now.Add(4*time.Minute)
			e.LastError = "421 4.7.0 try again later"
			f.effects[e.ID] = e
		}
	}
	if len(ids) > 0 {
		id := event.Derive("tsk_", "incident", ids[0], "1")
		f.tasks[id] = &task.Task{
			ID: id, Kind: task.Incident, Queue: "ops", Subject: event.DeadSubject("wms", "503"), Round: 1, State: task.Open, Title: "Fulfilment requests fail",
			Reasons: []task.Reason{{Text: "the warehouse answered 503 Service Unavailable after 12 attempts"}}, Options: []string{"done"},
			Owner: "ops@shop.example", Created: f.now.Add(-95 * time.Minute),
		}
	}
	f.event("order.paid", "web-shop", "p-odd", event.OrderID("web-shop", "SO-99999"), "", "", f.now.Add(-3*time.Hour),
		event.OrderPaid{Channel: "web-shop", Number: "SO-99999", Amount: money.New(1200, "USD")}, nil)
	last := &f.events[len(f.events)-1]
	last.State, last.Reason, last.Cause = store.EventQuarantined, "the order is in EUR but the payment is in USD", ""
}
