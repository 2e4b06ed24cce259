package decide

import (
	"maps"
	"slices"
	"strings"
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

// runAutomations is called where an event has taken effect. It lets the runs go on
// that waited for it, then asks every automation on this event type, all on the
// same facts, and carries out those that fired and act. What is in shadow, left
// out by the canary, or only history is traced as what it would have done.
func (d *decider) runAutomations() {
	if d.want != nil {
		d.out.Facts = d.gather(d.want.Fields, d.want.Velocities)
		return
	}
	if !d.ask {
		d.wakeRuns()
		d.watch()
	}
	if d.rec != nil {
		d.repeat()
		return
	}
	all := Asked(d.pol.Automations, d.ev)
	if len(all) == 0 {
		return
	}
	facts := d.given
	if facts == nil {
		facts = d.gather(d.pol.Automations.Fields(d.ev.Type), d.pol.Automations.Velocities(d.ev.Type))
		maps.Copy(facts, d.known)
	}
	d.addFacts(facts)
	holds := d.holds()
	defer func() { d.resettle = d.resettle || d.holds() != holds }()
	for _, a := range all {
		d.out.Considered++
		outcome, err := a.Condition.Eval(facts)
		switch outcome {
		case rule.True:
			c := Considered{Name: a.Name, Version: shortHash(a.Hash), Outcome: Fired}
			acts := d.permit(a, &c)
			c.Did, c.Run = d.fire(a, facts, acts && !d.ask)
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
	d.liftHolds()
}

// liftHolds lifts what automations hold the order for, when one of them let it go. It
// comes after all holds of the event: which automation is asked first must not matter.
func (d *decider) liftHolds() {
	if d.letGo && d.order != nil {
		d.order.Holds = slices.DeleteFunc(d.order.Holds, func(h order.Hold) bool { return h.Automation != "" })
	}
	d.letGo = false
}

// Asked returns the automations of a set that an event asks: those on its type,
// and of those on a schedule or an absence the one that it names.
func Asked(set *automation.Set, ev event.Event) []*automation.Automation {
	all := set.On(ev.Type)
	name := Named(ev)
	if name == "" {
		return all
	}
	for i, a := range all {
		if a.Name == name {
			return all[i : i+1]
		}
	}
	return nil
}

// Named is the one automation that an event of a timer asks: the clock's and an absence's name theirs. "" is every one on the type.
func Named(ev event.Event) string {
	switch p := ev.Data.(type) {
	case *event.ScheduleDue:
		return p.Automation
	case *event.AbsenceDue:
		return p.Automation
	}
	return ""
}

// addFacts keeps what was read, for those who ask later why.
func (d *decider) addFacts(facts Facts) {
	if d.out.Facts == nil {
		d.out.Facts = facts
		return
	}
	maps.Copy(d.out.Facts, facts)
}

// holds is how many holds the order in hand has.
func (d *decider) holds() int {
	if d.order == nil {
		return 0
	}
	return len(d.order.Holds)
}

func shortHash(h string) string { return h[:min(len(h), 10)] }

// act carries out a step that does something to the world, when the run acts, and says what it does.
func (r *runner) act(action automation.Action, at string) string {
	d := r.d
	switch s := action.(type) {
	case automation.Message:
		if r.acts {
			r.message(s)
		}
		return "message " + s.Template + " to " + s.To
	case automation.Report:
		if r.acts {
			d.report(r.a, s)
		}
		return s.Kind + " report to " + s.To
	case automation.Webhook:
		if r.acts {
			r.webhook(s, at)
		}
		return "webhook " + s.Purpose + " to " + s.Connection
	case automation.Task:
		if r.acts {
			t := r.openTask(at, task.Task{Kind: task.General, Queue: s.Queue, Title: s.Title, Options: s.Options}, s.SLA)
			if r.run != nil {
				r.run.LastTask = t.ID
			}
		}
		return "task for " + s.Queue + ": " + s.Title
	case automation.Escalate:
		return r.escalate(s, at)
	}
	return r.orderStep(action, at)
}

// What hold and release steps say they did.
const (
	DidRelease = "release"
	held       = "hold: "
	notAgain   = held + "not again, a person has let this order go"
	tooLate    = held + "too late, the order is "
)

// DidHold reports whether a step that says what it did has held its order.
func DidHold(did string) bool {
	return strings.HasPrefix(did, held) && did != notAgain && !strings.HasPrefix(did, tooLate)
}

// orderStep carries out a step that changes the order.
func (r *runner) orderStep(action automation.Action, at string) string {
	d, a, acts := r.d, r.a, r.acts
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
			return notAgain
		case o.State == order.Shipped || o.State.Terminal():
			return tooLate + string(o.State)
		case slices.ContainsFunc(o.Holds, func(h order.Hold) bool { return h.Automation == a.Name }):
		case acts:
			o.Holds = append(o.Holds, order.Hold{Automation: a.Name, Text: s.Reason})
			d.wish(a, s)
		}
		return held + s.Reason
	case automation.Release:
		d.letGo = d.letGo || acts
		return DidRelease
	case automation.Tag:
		once(&o.Tags, s.Tag)
		return "tag " + s.Tag
	case automation.Prefer:
		once(&o.Preferred, s.Location)
		return "prefer " + s.Location
	case automation.Exclude:
		once(&o.Excluded, s.Location)
		return "exclude " + s.Location
	case automation.Cancel:
		switch {
		case o.State == order.Shipped || o.State.Terminal():
			return "cancel: too late, the order is " + string(o.State)
		case acts: // in an event of its own, with all that follows from a cancellation
			d.derive(&event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: s.Reason})
		}
		return "cancel: " + s.Reason
	case automation.Refund:
		return r.refund(o, s, at)
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

// onceFor is what a message with subject: event happens once for.
func (d *decider) onceFor() string {
	if d.order == nil {
		return d.ev.ID
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
func (r *runner) message(s automation.Message) {
	d, data := r.d, r.data
	subject := r.once
	if s.Subject != automation.PerEvent && d.order != nil {
		subject = d.order.ID
	}
	if s.To == automation.ToCustomer {
		if d.order != nil {
			d.mailCustomer(d.order, s.Template, s.Purpose, subject, r.a.Name, data)
		}
		return
	}
	if d.pol.Settings.Mail == "" {
		d.note("mail %s not sent: the shop has no mail connection", s.Purpose)
		return
	}
	d.effect(effect.Effect{
		Key: "mail:" + s.Purpose + ":" + s.To + ":" + subject, Kind: effect.Mail, Destination: d.pol.Settings.Mail,
		OrderID: d.orderID(), Automation: r.a.Name,
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

func (d *decider) customerID() string {
	if d.order == nil {
		return ""
	}
	return d.order.CustomerID
}

// webhook sends the event and its order, with the values that have names.
func (r *runner) webhook(s automation.Webhook, at string) {
	r.d.effect(effect.Effect{
		Key:  "webhook:" + s.Purpose + ":" + r.event + ":" + r.a.Name + ":" + at,
		Kind: effect.Webhook, Destination: s.Connection, OrderID: r.d.orderID(), CustomerID: r.d.customerID(), Automation: r.a.Name,
		Payload: effect.Payload{Purpose: s.Purpose, Data: r.document()},
	})
}

// document is what a webhook tells beside the order. It is kept until long after the webhook has left, and sent again as
// it is; so what names a person is not in it, as it is not after a wait.
func (r *runner) document() map[string]string {
	data := map[string]string{"event": r.trigger, "subject": r.subject}
	for name, v := range r.facts.named {
		if !slices.Contains(r.personal, name) {
			data["values."+name] = automation.NewValue(name, v).Text
		}
	}
	return data
}

// openTask opens a task of the run, once for the step.
func (r *runner) openTask(at string, t task.Task, sla time.Duration) *task.Task {
	subject := "automation:" + r.a.Name + ":" + r.event + ":" + at
	t.OrderID, t.Owner = r.d.orderID(), r.a.Owner
	if t.Reasons == nil {
		t.Reasons = []task.Reason{{Automation: r.a.Name, Text: r.a.Why}}
	}
	if r.run != nil && !slices.Contains(r.run.Tasks, subject) {
		r.run.Tasks = append(r.run.Tasks, subject)
	}
	return r.d.openTask(subject, t, sla)
}

// refund asks finance to give money back: never more than there is to give.
func (r *runner) refund(o *order.Order, s automation.Refund, at string) string {
	left := o.Captured.Sub(o.Refunded)
	amount := s.Amount
	switch {
	case o.Captured.Currency == "" || left.Minor <= 0:
		return "refund: nothing was captured"
	case amount.Currency == "":
		amount = left
	case amount.Currency != left.Currency:
		return "refund: the order is in " + left.Currency + ", not in " + amount.Currency
	case amount.Minor > left.Minor:
		amount = left
	}
	if r.acts {
		r.openTask(at, task.Task{
			Kind: task.Refund, Queue: "finance", Title: "Refund " + amount.String() + " of order " + o.Short(), Amount: amount,
			Options: []string{"refunded", "refused"}, Reasons: []task.Reason{{Automation: r.a.Name, Text: s.Reason}},
		}, 48*time.Hour)
	}
	return "refund " + amount.String() + ": " + s.Reason
}

// escalate gives the open tasks of the order and of the run to another queue,
// and makes one when there is none; or tells a person.
func (r *runner) escalate(s automation.Escalate, at string) string {
	d := r.d
	about := r.a.Name
	if d.order != nil {
		about = "order " + d.order.Short()
	}
	if strings.Contains(s.To, "@") {
		if r.acts {
			d.alert("escalate:"+r.event+":"+r.a.Name+":"+at, s.To, "Look at "+about, r.a.Why)
		}
		return "escalate to " + s.To
	}
	if !r.acts {
		return "escalate to " + s.To
	}
	n := 0
	for _, t := range r.openTasks() {
		t = d.changeTask(t)
		t.Queue, t.Assignee = s.To, ""
		n++
	}
	if n == 0 {
		r.openTask(at, task.Task{Kind: task.General, Queue: s.To, Title: "Look at " + about, Options: []string{"done"}}, automation.DefaultSLA)
		return "escalate to " + s.To + ": a task"
	}
	return "escalate to " + s.To + ": " + itoa(int64(n)) + " open tasks"
}

// openTasks are the tasks of the order and of the run that wait for a person.
func (r *runner) openTasks() []*task.Task {
	var subjects []string
	if o := r.d.order; o != nil {
		subjects = append(subjects, o.ID)
	}
	if r.run != nil {
		subjects = append(subjects, r.run.Tasks...)
	}
	var out []*task.Task
	for _, s := range subjects {
		for _, k := range []task.Kind{task.Review, task.Unfillable, task.Refund, task.General} {
			if t := r.d.openTaskOf(s, k); t != nil {
				out = append(out, t)
			}
		}
	}
	return out
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
