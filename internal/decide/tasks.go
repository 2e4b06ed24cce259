package decide

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// open returns the open task of a kind for a subject, as this decision has left it.
func (d *decider) openTaskOf(subject string, kind task.Kind) *task.Task {
	for _, t := range d.out.Tasks {
		if t.Subject == subject && t.Kind == kind {
			if t.State == task.Open || t.State == task.Asked {
				return t
			}
			return nil
		}
	}
	for _, t := range d.snap.Tasks[subject] {
		if t.Kind == kind && (t.State == task.Open || t.State == task.Asked) {
			return t
		}
	}
	return nil
}

// openTask makes sure that one task of t's kind is open for the subject. A
// subject that needs the same work again later gets a new round.
func (d *decider) openTask(subject string, t task.Task, sla time.Duration) *task.Task {
	if have := d.openTaskOf(subject, t.Kind); have != nil {
		return have
	}
	t.Subject = subject
	t.Round = 1
	for _, old := range d.snap.Tasks[subject] {
		if old.Kind == t.Kind {
			t.Round++
		}
	}
	t.ID = event.Derive("tsk_", string(t.Kind), subject, strconv.Itoa(t.Round))
	t.State, t.Created, t.EventID = task.Open, d.at, d.ev.ID
	if sla > 0 {
		t.Due = d.at.Add(sla)
		d.timer(t.Due, t.ID, &event.TaskOverdue{Task: t.ID})
	}
	d.out.Tasks = append(d.out.Tasks, &t)
	return &t
}

// closeTasks closes the order's open tasks of a kind: what they were for is settled.
func (d *decider) closeTasks(o *order.Order, kind task.Kind) {
	if have := d.openTaskOf(o.ID, kind); have != nil {
		t := d.changeTask(have)
		t.State, t.DoneAt = task.Closed, d.at
	}
}

// changeTask returns the copy of a task that this decision writes.
func (d *decider) changeTask(t *task.Task) *task.Task {
	for _, have := range d.out.Tasks {
		if have.ID == t.ID {
			return have
		}
	}
	c := *t
	d.out.Tasks = append(d.out.Tasks, &c)
	return &c
}

// openReview asks a person to decide a held order, with every reason that holds it.
func (d *decider) openReview(o *order.Order) {
	reasons := make([]task.Reason, len(o.Holds))
	for i, h := range o.Holds {
		reasons[i] = task.Reason{Automation: h.Automation, Text: h.Text}
	}
	if have := d.openTaskOf(o.ID, task.Review); have != nil {
		if len(have.Reasons) != len(reasons) {
			d.changeTask(have).Reasons = reasons
		}
		return
	}
	queue, sla := "risk", d.pol.Settings.ReviewSLA
	if d.hold.queue != "" {
		queue = d.hold.queue
	}
	if d.hold.sla > 0 {
		sla = d.hold.sla
	}
	if sla == 0 {
		sla = 4 * time.Hour
	}
	owner := d.hold.owner
	if owner == "" {
		owner = d.pol.Settings.OpsOwner
	}
	d.openTask(o.ID, task.Task{
		Kind: task.Review, Queue: queue, OrderID: o.ID, Title: "Review order " + o.Short(), Reasons: reasons,
		Options: []string{"approve", "reject", "ask"}, Owner: owner,
	}, sla)
}

// findTask finds the task an event names, among the tasks of all loaded subjects.
func (d *decider) findTask(id string) (*task.Task, error) {
	for _, ts := range d.snap.Tasks {
		for _, t := range ts {
			if t.ID == id {
				return t, nil
			}
		}
	}
	return nil, fault.New(fault.NotFound, "decide.task", "there is no task %s", id)
}

// taskDecided carries out a person's decision.
func (d *decider) taskDecided(p *event.TaskDecided) error {
	was, err := d.findTask(p.Task)
	if err != nil {
		return err
	}
	if was.State == task.Decided || was.State == task.Closed {
		by := was.By
		if by == "" {
			by = "Orderly"
		}
		return fault.New(fault.Conflict, "decide.task", "%q is already %s by %s; nothing changes", was.Title, was.State, by)
	}
	valid := false
	for _, opt := range was.Options {
		valid = valid || opt == p.Outcome
	}
	if !valid {
		return fault.New(fault.Conflict, "decide.task", "%q takes one of %v, not %q", was.Title, was.Options, p.Outcome)
	}
	if wait, err := d.waitsForSecond(was, p); wait || err != nil {
		return err
	}
	t := d.changeTask(was)
	t.Outcome, t.Note, t.By, t.DoneAt, t.State = p.Outcome, p.Note, d.ev.Actor, d.at, task.Decided
	if t.Kind == task.Incident {
		d.incidentOver(t)
	}
	d.note("%s decided %q: %s", d.ev.Actor, t.Title, p.Outcome)
	if t.OrderID == "" {
		d.runAutomations()
		return nil
	}
	o, err := d.knownOrder(t.OrderID)
	if err != nil {
		return err
	}
	switch {
	case t.Kind == task.Review && p.Outcome == "ask":
		t.State, t.DoneAt = task.Asked, time.Time{}
		d.mailCustomer(o, "review-question", "review-question", d.ev.ID, "", map[string]string{"question": p.Note})
	case t.Kind == task.Review && p.Outcome == "approve":
		err = d.release(o)
	case t.Kind == task.Review && p.Outcome == "reject", t.Kind == task.Unfillable && p.Outcome == "cancel":
		reason := p.Note
		if reason == "" {
			reason = "rejected in review"
		}
		if err = d.cancelOrder(o, reason); err == nil {
			d.mailCustomer(o, "order-cancelled", "order-cancelled", o.ID, "", nil)
		}
	case t.Kind == task.Unfillable && p.Outcome == "retry":
		if err = d.route(o); err == nil {
			err = d.settle(o)
		}
	case t.Kind == task.Refund && p.Outcome == "refunded":
		// Never more than was captured, whatever was asked for.
		if o.Refunded = o.Refunded.Add(t.Amount); o.Refunded.Minor > o.Captured.Minor {
			o.Refunded = o.Captured
		}
	}
	if err != nil {
		return err
	}
	d.runAutomations()
	return nil
}

// waitsForSecond reports whether a decision gives back more money than one person may, and nobody
// has chosen the same before. The first person's choice is then kept, and nothing else is done.
func (d *decider) waitsForSecond(was *task.Task, p *event.TaskDecided) (bool, error) {
	limit := d.pol.Settings.SecondAbove
	if limit.Minor <= 0 || was.OrderID == "" {
		return false, nil
	}
	o, err := d.knownOrder(was.OrderID)
	if err != nil {
		return false, err
	}
	var back money.Amount
	switch {
	case was.Kind == task.Refund && p.Outcome == "refunded":
		back = was.Amount
		if back.Minor == 0 {
			back = o.Captured.Sub(o.Refunded)
		}
	case was.Kind == task.Review && p.Outcome == "reject", was.Kind == task.Unfillable && p.Outcome == "cancel":
		back = o.Captured.Sub(o.Refunded)
	default:
		return false, nil
	}
	// An amount in another currency cannot be compared, so two people look at it.
	if back.Minor <= 0 || back.Currency == limit.Currency && back.Minor <= limit.Minor {
		return false, nil
	}
	who := d.ev.Actor
	if !strings.HasPrefix(who, "usr_") {
		return false, fault.New(fault.Conflict, "decide.task", "%q gives back %s, more than %s: two people decide it in the console, not a program", was.Title, back, limit)
	}
	if was.First == p.Outcome && was.FirstBy != who {
		return false, nil
	}
	if was.First == p.Outcome {
		return false, fault.New(fault.Conflict, "decide.task", "you chose %s for %q; another person must confirm it", p.Outcome, was.Title)
	}
	t := d.changeTask(was)
	t.First, t.FirstBy, t.FirstNote, t.FirstAt = p.Outcome, who, p.Note, d.at
	d.note("%s chose %q for %q, which gives back %s; a second person must confirm it", who, p.Outcome, t.Title, back)
	return true, nil
}

// taskAssigned gives a task to a person, or puts it back.
func (d *decider) taskAssigned(p *event.TaskAssigned) error {
	was, err := d.findTask(p.Task)
	if err != nil {
		return err
	}
	if was.State == task.Decided || was.State == task.Closed {
		return fault.New(fault.Conflict, "decide.task", "%q is already %s", was.Title, was.State)
	}
	d.changeTask(was).Assignee = p.Assignee
	d.loadOrder(was.OrderID)
	d.runAutomations()
	return nil
}

// taskOverdue tells the owner of a task whose SLA has passed, once.
func (d *decider) taskOverdue(p *event.TaskOverdue) error {
	was, err := d.findTask(p.Task)
	if err != nil {
		return err
	}
	if was.Late || was.State == task.Decided || was.State == task.Closed {
		return nil
	}
	t := d.changeTask(was)
	t.Late = true
	d.alert("task:"+t.ID, t.Owner, "Overdue: "+t.Title, "It was due "+d.clock(t.Due)+" and nobody has decided it.")
	d.loadOrder(t.OrderID)
	d.runAutomations()
	return nil
}
