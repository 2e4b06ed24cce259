package decide

import (
	"strconv"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/order"
)

// effect adds an intent. Its id is derived from its key, so the same intent, whatever
// caused it twice, is one row and leaves once. History creates none.
func (d *decider) effect(e effect.Effect) {
	if !d.live {
		return
	}
	e.ID = effect.ID(e.Key, e.OrderID)
	e.EventID, e.State, e.Created, e.Due = d.ev.ID, effect.Pending, d.at, d.at
	d.out.Effects = append(d.out.Effects, e)
}

// fulfilment asks a location's connection to ship, or to stop.
func (d *decider) fulfilment(o *order.Order, location, purpose string) {
	dest := d.pol.Locations[location].Connection
	if dest == "" {
		dest = d.pol.Settings.Fulfilment
	}
	if dest == "" {
		d.note("%s at %s: no connection takes it; set fulfilment in shop.yaml or on the location", purpose, location)
		return
	}
	// The lines are fixed now, so that every retry says the same.
	data := map[string]string{"location": location}
	if purpose == "fulfilment" {
		data["lines"] = parcelLines(o, location)
	}
	d.effect(effect.Effect{
		Key:  purpose + ":" + o.ID + ":" + location + ":" + strconv.Itoa(o.Requests),
		Kind: effect.Webhook, Destination: dest, OrderID: o.ID, CustomerID: o.CustomerID,
		Payload: effect.Payload{Purpose: purpose, Data: data, Personal: true},
	})
}

// parcelLines is the JSON list of what a location is asked to ship.
func parcelLines(o *order.Order, location string) string {
	b := []byte{'['}
	for _, a := range o.ReservedAt(location) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"sku":`...)
		b = appendJSON(b, a.SKU)
		b = append(b, `,"qty":`...)
		b = strconv.AppendInt(b, a.Qty-a.Shipped, 10)
		b = append(b, '}')
	}
	return string(append(b, ']'))
}

// withdrawPending cancels the fulfilment requests of a location that have not left.
func (d *decider) withdrawPending(o *order.Order, location string) {
	for _, e := range d.snap.Effects[o.ID] {
		if e.Payload.Purpose == "fulfilment" && e.Payload.Data["location"] == location && e.State == effect.Pending {
			d.out.Withdraw = append(d.out.Withdraw, e.ID)
		}
	}
}

// mailCustomer sends one message per purpose and subject (the order, or the event
// of a parcel), whatever is replayed.
func (d *decider) mailCustomer(o *order.Order, template, purpose, subject, automation string, data map[string]string) {
	if d.pol.Settings.Mail == "" {
		d.note("mail %s not sent: the shop has no mail connection", purpose)
		return
	}
	if !o.HasEmail {
		d.note("mail %s not sent: the order has no mail address", purpose)
		return
	}
	d.effect(effect.Effect{
		Key: "mail:" + purpose + ":" + subject, Kind: effect.Mail, Destination: d.pol.Settings.Mail,
		OrderID: o.ID, CustomerID: o.CustomerID, Automation: automation,
		Payload: effect.Payload{Purpose: purpose, Template: template, Recipient: "customer", Data: data},
	})
}
