// Package demo is the life of the sample shop: days that lie behind it, orders
// in every state that a visitor should see, and buyers who change their minds.
// It only makes events; the same shop and times give the same ones.
package demo

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/sim"
)

// Source is the channel that the sample events come from.
const Source = "demo"

// Life makes the events of one sample shop. It is not safe for concurrent use.
type Life struct {
	Shop *sim.Shop
	n    uint64
}

// draw is the next number of a fixed sequence, below n.
func (l *Life) draw(n int) int {
	l.n++
	x := l.n * 0x9e3779b97f4a7c15
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return int((x ^ x>>32) % uint64(n))
}

func past(key string, at time.Time, data event.Payload) event.Event {
	return event.Event{Source: Source, Key: "past-" + key, At: at, Mode: event.History, Data: data}
}

func live(key string, data event.Payload) event.Event {
	return event.Event{Source: Source, Key: key, Data: data}
}

// Past is what happened on the days before now, in the order of time: about n
// orders as busy as the hours of a day in zone are, nearly all shipped and delivered since,
// a few cancelled or sent back.
func (l *Life) Past(now time.Time, zone *time.Location, days, n int) []event.Event {
	total := 0.0
	each := func(f func(at time.Time, share float64)) {
		for m := days * 24 * 60; m > 60; m-- { // the last hour is live
			at := now.Add(-time.Duration(m) * time.Minute)
			f(at, sim.RateOf(at.In(zone)))
		}
	}
	each(func(_ time.Time, share float64) { total += share })
	var evs []event.Event
	due := 0.0
	each(func(at time.Time, share float64) {
		for due += share * float64(n) / total; due >= 1; due-- {
			evs = append(evs, l.lived(l.Shop.Order(at), at, now)...)
		}
	})
	slices.SortStableFunc(evs, byTime)
	return evs
}

func byTime(a, b event.Event) int { return a.At.Compare(b.At) }

// lived is an order of the past and what has become of it since.
func (l *Life) lived(o *event.OrderPlaced, at, now time.Time) []event.Event {
	o.Payment = event.Payment{Status: event.PaymentPaid, Method: "card"}
	evs := []event.Event{past(o.Number, at, o)}
	add := func(kind string, after time.Duration, data event.Payload) bool {
		t := at.Add(after)
		if t.After(now.Add(-time.Minute)) {
			return false
		}
		evs = append(evs, past(kind+"-"+o.Number, t, data))
		return true
	}
	if l.draw(40) == 0 {
		add("cancelled", 12*time.Minute, &event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: "changed their mind (sample)"})
		return evs
	}
	if !add("shipped", time.Duration(20+l.draw(38))*time.Minute, &event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: "berlin", Carrier: "Sample Carrier", Tracking: "SAMPLE" + o.Number}) {
		return evs
	}
	if !add("delivered", 20*time.Hour, &event.OrderCompleted{Channel: o.Channel, Number: o.Number}) {
		return evs
	}
	if l.draw(25) == 0 {
		add("returned", 44*time.Hour, &event.ReturnReceived{Channel: o.Channel, Number: "R" + o.Number, Order: o.Number, Location: "berlin", Lines: o.Lines[:1]})
	}
	return evs
}

// Opening is the first delivery to every location, and counts that leave a few products low.
func (l *Life) Opening(units int64) []event.Event {
	var evs []event.Event
	for i, s := range l.Shop.OpeningStock(units) {
		evs = append(evs, live(fmt.Sprint("opening-", i), s))
	}
	return evs
}

// scarce is a product of which a few units are opened with, as is every 29th after it, see sim.OpeningStock.
const (
	scarce      = 7
	scarceEvery = 29
)

// NoMailbox is a buyer to whom no mail can be delivered: a dead letter and its incident.
const NoMailbox = "no-mailbox@example.com"

// Scenes are live orders in the states that a visitor should find, whatever chance brings beside them:
// held by several rules at once, by a device that orders again and again,
// unfillable, backordered, cancelled with money to return, and products that have run low.
func (l *Life) Scenes(now time.Time) []event.Event {
	plain, ahead := l.products()
	var evs []event.Event
	place := func(change func(o *event.OrderPlaced)) *event.OrderPlaced {
		o := l.Shop.OrderOf(now, 2)
		o.Payment = event.Payment{Status: event.PaymentPaid, Method: "card"}
		o.Customer.Email = "scene" + o.Number + "@example.com"
		o.Billing = o.Shipping
		for i := range o.Lines {
			o.Lines[i].SKU, o.Lines[i].Title, o.Lines[i].Qty = plain[30+i].SKU, plain[30+i].Title, 1
		}
		change(o)
		evs = append(evs, live("order-"+o.Number, o))
		return o
	}
	place(func(o *event.OrderPlaced) { // four rules at once
		o.Customer.Email = "buyer" + o.Number + "@mailinator.com"
		o.Shipping.Country, o.Shipping.Postal, o.Shipping.City = "FR", "75001", "Paris"
		o.Billing = event.Address{Name: o.Shipping.Name, Line1: "Other Street 1", City: "Madrid", Postal: "28001", Country: "ES"}
		o.IP = "203.0.113.9"
		for i := range o.Lines {
			o.Lines[i].Qty, o.Lines[i].UnitPrice = 6, money.New(14900, "EUR")
		}
	})
	for i := range 5 { // one device, five buyers
		place(func(o *event.OrderPlaced) {
			o.Device = "sample-device-shared"
			o.Note = fmt.Sprintf("order %d from the same device", i+1)
		})
	}
	only := func(o *event.OrderPlaced, p catalog.Product, qty int64) { // cheap: a large amount would be held
		o.Lines[0].SKU, o.Lines[0].Title, o.Lines[0].Qty, o.Lines[0].UnitPrice = p.SKU, p.Title, qty, money.New(190, "EUR")
		o.Shipping.Line1 = "Sample Street " + o.Number
		o.Billing = o.Shipping
	}
	place(func(o *event.OrderPlaced) { only(o, l.Shop.Products()[scarce], 40) }) // more than there is
	place(func(o *event.OrderPlaced) { only(o, ahead[0], 400) })
	place(func(o *event.OrderPlaced) { only(o, plain[31], 1); o.Customer.Email = NoMailbox })
	gone := place(func(*event.OrderPlaced) {})
	evs = append(evs, live("cancel-"+gone.Number, &event.OrderCancelled{Channel: gone.Channel, Number: gone.Number, Reason: "ordered twice by mistake (sample)"}))
	transfer := func(o *event.OrderPlaced) {
		o.Payment = event.Payment{Status: event.PaymentPending, Method: "bank transfer"}
	}
	place(transfer)
	paid := place(transfer)
	evs = append(evs, live("paid-"+paid.Number, &event.OrderPaid{Channel: paid.Channel, Number: paid.Number, Amount: paid.Worth(), Reference: "TRANSFER-" + paid.Number}))
	for i, loc := range l.Shop.Locations() { // low everywhere
		for _, p := range plain[60:63] {
			evs = append(evs, live(fmt.Sprintf("count-%s-%d", p.SKU, i), &event.StockCounted{SKU: p.SKU, Location: loc.ID, OnHand: 2, Note: "cycle count (sample)"}))
		}
	}
	return evs
}

// products are those that are no kits: sold only from stock, and sold ahead.
func (l *Life) products() (plain, ahead []catalog.Product) {
	for _, p := range l.Shop.Products() {
		switch {
		case p.Kit():
		case p.Backorder:
			ahead = append(ahead, p)
		default:
			plain = append(plain, p)
		}
	}
	return plain, ahead
}

// Later is an event that is to come.
type Later struct {
	At    time.Time
	Event event.Event
}

// Buyer is what the buyer of an order does later: who pays by transfer pays
// after a while, one in thirty changes their mind.
func (l *Life) Buyer(o *event.OrderPlaced, at time.Time) []Later {
	var out []Later
	if o.Payment.Status == event.PaymentPending && l.draw(6) > 0 {
		total := o.ShippingCost.Minor
		for _, ln := range o.Lines {
			total += ln.Qty * ln.UnitPrice.Minor
		}
		out = append(out, Later{
			at.Add(time.Duration(20+l.draw(100)) * time.Second),
			live("paid-"+o.Number, &event.OrderPaid{Channel: o.Channel, Number: o.Number, Amount: money.New(total, o.Currency), Reference: "TRANSFER-" + o.Number}),
		})
	}
	if l.draw(30) == 0 {
		out = append(out, Later{
			at.Add(time.Duration(5+l.draw(60)) * time.Second),
			live("cancel-"+o.Number, &event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: "changed their mind (sample)"}),
		})
	}
	return out
}

// Unpacks is what the buyer of a delivered parcel does later: one in fifteen sends something back.
func (l *Life) Unpacks(channel, number, location, sku string, at time.Time) []Later {
	if l.draw(15) > 0 {
		return nil
	}
	return []Later{{at.Add(time.Duration(30+l.draw(90)) * time.Second), live("return-"+number, &event.ReturnReceived{
		Channel: channel, Number: "R" + number, Order: number, Location: location,
		Lines: []event.Line{{SKU: sku, Qty: 1, UnitPrice: money.New(1990, "EUR")}},
	})}}
}

// Diary keeps what is to come. It is not safe for concurrent use.
type Diary struct{ later []Later }

// Add notes what is to come.
func (d *Diary) Add(ls ...Later) { d.later = append(d.later, ls...) }

// Due returns the events that are due, the oldest first, and forgets them.
func (d *Diary) Due(now time.Time) []event.Event {
	slices.SortStableFunc(d.later, func(a, b Later) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	n := 0
	for n < len(d.later) && !d.later[n].At.After(now) {
		n++
	}
	evs := make([]event.Event, n)
	for i := range n {
		evs[i] = d.later[i].Event
	}
	d.later = slices.Delete(d.later, 0, n)
	return evs
}
