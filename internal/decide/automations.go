package decide

import (
	"maps"
	"slices"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/task"
)

// holdWish is what the holds of this decision ask of the review task.
type holdWish struct {
	queue string
	sla   time.Duration
	owner string
}

// runAutomations asks every automation on this event type, all on the same
// facts, and carries out those that fired and act. What is in shadow, left out
// by the canary, or only history is traced as what it would have done.
func (d *decider) runAutomations() {
	if d.rec != nil {
		d.repeat()
		return
	}
	if d.want != nil {
		d.out.Facts = d.gather(d.want.Fields, d.want.Velocities)
		return
	}
	all := d.pol.Automations.On(d.ev.Type)
	if len(all) == 0 {
		return
	}
	facts := d.given
	if facts == nil {
		facts = d.gather(d.pol.Automations.Fields(d.ev.Type), d.pol.Automations.Velocities(d.ev.Type))
		maps.Copy(facts, d.known)
	}
	d.out.Facts = facts
	holds := d.holds()
	defer func() { d.resettle = d.resettle || d.holds() != holds }()
	for _, a := range all {
		d.out.Considered++
		outcome, err := a.Condition.Eval(facts)
		switch outcome {
		case rule.True:
			c := Considered{Name: a.Name, Version: shortHash(a.Hash), Outcome: Fired}
			acts := d.permit(a, &c)
			for i := range a.Steps {
				c.Did = append(c.Did, d.step(a, a.Steps[i].Action, acts && !d.ask))
			}
			d.out.Trace.Automations = append(d.out.Trace.Automations, c)
		case rule.Unknown:
			c := Considered{Name: a.Name, Version: shortHash(a.Hash), Outcome: Unknown}
			if err != nil {
				c.Error = err.Error()
			}
			d.out.Trace.Automations = append(d.out.Trace.Automations, c)
		}
		d.trial(a, outcome, err)
	}
}

// holds is how many holds the order in hand has.
func (d *decider) holds() int {
	if d.order == nil {
		return 0
	}
	return len(d.order.Holds)
}

func shortHash(h string) string { return h[:min(len(h), 10)] }

// step carries out one step, when it acts, and says what it does.
func (d *decider) step(a *automation.Automation, action automation.Action, acts bool) string {
	switch s := action.(type) {
	case automation.Message:
		if acts {
			d.message(a, s)
		}
		return "message " + s.Template + " to " + s.To
	case automation.Report:
		if acts {
			d.report(a, s)
		}
		return s.Kind + " report to " + s.To
	case automation.Webhook:
		if acts {
			d.webhook(a, s)
		}
		return "webhook " + s.Purpose + " to " + s.Connection
	case automation.Task:
		if acts {
			d.automationTask(a, s)
		}
		return "task for " + s.Queue + ": " + s.Title
	}
	return d.orderStep(a, action, acts)
}

// orderStep carries out a step that changes the order.
func (d *decider) orderStep(a *automation.Automation, action automation.Action, acts bool) string {
	o := d.order
	if o == nil {
		return "nothing: the event concerns no order"
	}
	if acts {
		d.out.Order = o
	}
	once := func(list *[]string, v string) {
		if acts && !slices.Contains(*list, v) {
			*list = append(*list, v)
		}
	}
	switch s := action.(type) {
	case automation.Hold:
		switch {
		case o.Released:
			return "hold: not again, a person has let this order go"
		case o.State == order.Shipped || o.State.Terminal():
			return "hold: too late, the order is " + string(o.State)
		case slices.ContainsFunc(o.Holds, func(h order.Hold) bool { return h.Automation == a.Name }):
		case acts:
			o.Holds = append(o.Holds, order.Hold{Automation: a.Name, Text: s.Reason})
			d.wish(a, s)
		}
		return "hold: " + s.Reason
	case automation.Release:
		if acts {
			o.Holds = slices.DeleteFunc(o.Holds, func(h order.Hold) bool { return h.Automation != "" })
		}
		return "release"
	case automation.Tag:
		once(&o.Tags, s.Tag)
		return "tag " + s.Tag
	case automation.Prefer:
		once(&o.Preferred, s.Location)
		return "prefer " + s.Location
	case automation.Exclude:
		once(&o.Excluded, s.Location)
		return "exclude " + s.Location
	}
	return "unknown step"
}

// wish keeps the strictest wish of all holds: the shortest SLA, and the first queue and owner.
func (d *decider) wish(a *automation.Automation, s automation.Hold) {
	if d.hold.queue == "" {
		d.hold.queue, d.hold.owner = s.Queue, a.Owner
	}
	if s.SLA > 0 && (d.hold.sla == 0 || s.SLA < d.hold.sla) {
		d.hold.sla = s.SLA
	}
}

// subject is what a message, task or webhook happens once for.
func (d *decider) subject(per string) string {
	switch {
	case d.order == nil:
		return d.ev.ID
	case per != automation.PerEvent:
		return d.order.ID
	}
	switch p := d.ev.Data.(type) { // a parcel told twice is one parcel
	case *event.ShipmentShipped:
		if p.Tracking != "" {
			return d.order.ID + ":" + p.Location + ":" + p.Tracking
		}
	case *event.ShipmentLabelled:
		if p.Tracking != "" {
			return d.order.ID + ":labelled:" + p.Tracking
		}
	case *event.ShipmentDelivered:
		if p.Tracking != "" {
			return d.order.ID + ":delivered:" + p.Tracking
		}
	}
	return d.ev.ID
}

func (d *decider) orderID() string {
	if d.order == nil {
		return ""
	}
	return d.order.ID
}

// message sends a mail: to the customer of the order, or to a person of the shop.
func (d *decider) message(a *automation.Automation, s automation.Message) {
	data := d.messageData()
	if s.To == automation.ToCustomer {
		if d.order != nil {
			d.mailCustomer(d.order, s.Template, s.Purpose, d.subject(s.Subject), a.Name, data)
		}
		return
	}
	if d.pol.Settings.Mail == "" {
		d.note("mail %s not sent: the shop has no mail connection", s.Purpose)
		return
	}
	d.effect(effect.Effect{
		Key: "mail:" + s.Purpose + ":" + s.To + ":" + d.subject(s.Subject), Kind: effect.Mail, Destination: d.pol.Settings.Mail,
		OrderID: d.orderID(), Automation: a.Name,
		Payload: effect.Payload{Purpose: s.Purpose, Template: s.Template, Recipient: s.To, Data: data},
	})
}

func (d *decider) report(a *automation.Automation, s automation.Report) {
	if d.pol.Settings.Mail == "" {
		d.note("report not sent: the shop has no mail connection")
		return
	}
	d.effect(effect.Effect{
		Key: "mail:" + s.Kind + "-report:" + d.ev.Subject + ":" + s.To, Kind: effect.Mail, Destination: d.pol.Settings.Mail, Automation: a.Name,
		Payload: effect.Payload{Purpose: "daily-report", Template: "daily-report", Recipient: s.To, Data: map[string]string{"date": d.ev.Subject}},
	})
}

func (d *decider) webhook(a *automation.Automation, s automation.Webhook) {
	customerID := ""
	if d.order != nil {
		customerID = d.order.CustomerID
	}
	d.effect(effect.Effect{
		Key:  "webhook:" + s.Purpose + ":" + d.ev.ID + ":" + a.Name,
		Kind: effect.Webhook, Destination: s.Connection, OrderID: d.orderID(), CustomerID: customerID, Automation: a.Name,
		Payload: effect.Payload{Purpose: s.Purpose, Data: map[string]string{"event": d.ev.Type, "subject": d.ev.Subject}},
	})
}

func (d *decider) automationTask(a *automation.Automation, s automation.Task) {
	d.openTask("automation:"+a.Name+":"+d.ev.ID, task.Task{
		Kind: task.General, Queue: s.Queue, OrderID: d.orderID(), Title: s.Title, Options: s.Options, Owner: a.Owner,
		Reasons: []task.Reason{{Automation: a.Name, Text: a.Why}},
	}, s.SLA)
}

// messageData are the facts of the event that a template may name; what stands in the order is read when it is sent.
func (d *decider) messageData() map[string]string {
	switch p := d.ev.Data.(type) {
	case *event.ShipmentShipped:
		return map[string]string{"location": p.Location, "tracking": p.Tracking, "carrier": p.Carrier}
	case *event.ShipmentLabelled:
		return map[string]string{"location": p.Location, "tracking": p.Tracking, "carrier": p.Carrier}
	case *event.ShipmentScanned:
		return map[string]string{"tracking": p.Tracking, "carrier": p.Carrier, "place": p.Place}
	case *event.ShipmentDelivered:
		return map[string]string{"tracking": p.Tracking, "carrier": p.Carrier}
	case *event.ShipmentRejected:
		return map[string]string{"location": p.Location, "reason": p.Reason}
	case *event.StockLow:
		return map[string]string{"sku": p.SKU, "title": d.snap.Products[p.SKU].Title, "available": itoa(p.Available), "low_at": itoa(p.LowAt)}
	case *event.OrderUnfillable:
		return map[string]string{"missing": missingText(d.order)}
	case *event.OrderCancelled:
		return map[string]string{"reason": p.Reason}
	case *event.EffectFailed:
		return map[string]string{"purpose": p.Purpose, "destination": p.Destination, "error": p.Error}
	}
	return nil
}
