package decide

import (
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
)

// track is the parcel that an event tells of, with what is new about it.
func (d *decider) track(o *order.Order, number, location, carrier string) *order.Track {
	t := o.Track(number, location)
	if location != "" {
		t.Location = location
	}
	if carrier != "" {
		t.Carrier = carrier
	}
	return t
}

// labelled records a label. Nothing has left yet.
func (d *decider) labelled(p *event.ShipmentLabelled) error {
	o := d.changeOrder(p.Channel, p.Number)
	if t := d.track(o, p.Tracking, p.Location, p.Carrier); t.Labelled.IsZero() {
		t.Labelled = d.at
	}
	d.note("a label was made%s", tracking(p.Tracking))
	d.runAutomations()
	return nil
}

// scanned records that the carrier has seen a parcel. It may be told often.
func (d *decider) scanned(p *event.ShipmentScanned) error {
	o := d.changeOrder(p.Channel, p.Number)
	d.track(o, p.Tracking, "", p.Carrier).Scanned = d.at
	place := ""
	if p.Place != "" {
		place = " at " + p.Place
	}
	d.note("the carrier saw the parcel%s%s", place, tracking(p.Tracking))
	d.runAutomations()
	return nil
}

// delivered records that a parcel has arrived, once. The last parcel of an order that has left whole completes it.
func (d *decider) delivered(p *event.ShipmentDelivered) error {
	o := d.changeOrder(p.Channel, p.Number)
	for _, t := range o.Tracks {
		if t.Tracking == p.Tracking && !t.Delivered.IsZero() && (p.Tracking != "" || o.Delivered()) {
			d.out.Order = nil
			d.note("it was delivered before; nothing changes")
			return nil
		}
	}
	d.track(o, p.Tracking, "", p.Carrier).Delivered = d.at
	d.note("delivered%s", tracking(p.Tracking))
	if o.State == order.Shipped && o.Delivered() {
		if err := o.Go(order.Completed); err != nil {
			return fault.New(fault.Conflict, "decide.delivered", "%s", err)
		}
		d.settleTasks(o)
		d.settleWaits(o)
	}
	d.runAutomations()
	return nil
}
