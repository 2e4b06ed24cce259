package decide

import (
	"slices"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
)

// watch begins and ends the waits of automations on an absence: what should
// follow on an event of an order, and did. An event that came before the one it
// should follow on counts as well the first time, since events come in any order.
func (d *decider) watch() {
	begin, awaited := d.pol.Automations.Watches(d.ev.Type)
	if !d.live || d.order == nil || len(d.order.Watches) == 0 && len(begin) == 0 && !awaited {
		return
	}
	o, number := d.order, trackingOf(d.ev.Data)
	kept := slices.DeleteFunc(slices.Clone(o.Watches), func(w order.Watch) bool {
		over := w.Event == d.ev.Type && (w.Tracking == "" || number == "" || w.Tracking == number)
		if over {
			d.unset(w.Timer)
		}
		return over
	})
	if len(kept) != len(o.Watches) {
		o.Watches = kept
		d.keep()
	}
	first := !o.SeenBefore(d.ev.Type, number)
	for _, a := range begin {
		if first && o.SeenBefore(a.Absence.Of, number) {
			continue
		}
		w := order.Watch{ID: event.Derive("wat_", a.Name, d.ev.ID), Automation: a.Name, Event: a.Absence.Of, Tracking: number}
		w.Timer = d.timer(d.at.Add(a.Absence.Within), w.ID, &event.AbsenceDue{Automation: a.Name, Order: o.ID, Watch: w.ID})
		o.Watches = append(o.Watches, w)
		d.keep()
	}
	if awaited || len(begin) > 0 {
		if o.See(d.ev.Type, number) {
			d.keep()
		}
	}
}

// keep sees that the order is written, also where nobody reacted to the event.
func (d *decider) keep() { d.out.Order, d.out.Keep = d.order, true }

func trackingOf(p event.Payload) string {
	switch p := p.(type) {
	case *event.ShipmentLabelled:
		return p.Tracking
	case *event.ShipmentShipped:
		return p.Tracking
	case *event.ShipmentScanned:
		return p.Tracking
	case *event.ShipmentDelivered:
		return p.Tracking
	}
	return ""
}

// absenceDue asks an automation whose event did not follow in time.
func (d *decider) absenceDue(p *event.AbsenceDue) error {
	o, err := d.knownOrder(p.Order)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(o.Watches), func(w order.Watch) bool { return w.ID == p.Watch })
	if len(kept) == len(o.Watches) {
		d.out.Order = nil
		d.note("it has come meanwhile; nothing changes")
		return nil
	}
	o.Watches = kept
	if a := d.pol.Automations.Get(p.Automation); a != nil && a.Absence != nil {
		d.note("%s did not follow on %s in time", a.Absence.Of, a.Absence.After)
	}
	d.runAutomations()
	return nil
}
