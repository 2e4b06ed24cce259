package decide

import (
	"errors"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/task"
)

// How far an automation may go: its mode, its limits, its trial as a canary, and
// what stops one that runs in a circle. What is counted stands in the guards of
// the snapshot, which the engine locks, so that no two nodes count apart.

// NeedsGuards names the automations whose guards must be locked and read for an
// event: those with limits or on trial that it, or what it derives, may set off,
// and the one that it names.
func NeedsGuards(ev event.Event, pol *Policy) []string {
	var names []string
	switch p := ev.Data.(type) {
	case *event.AutomationStopped:
		names = append(names, p.Automation)
	case *event.AutomationResumed:
		names = append(names, p.Automation)
	case *event.EffectFailed:
		if p.Automation != "" {
			names = append(names, p.Automation)
		}
	}
	if ev.Mode == event.History {
		return names
	}
	for _, a := range pol.Automations.Guarded(ev.Type) {
		names = append(names, a.Name)
	}
	for _, typ := range derivable {
		for _, a := range pol.Automations.Guarded(typ) {
			names = append(names, a.Name)
		}
	}
	return names
}

// guard is what is known of an automation's doings, as this decision has left it; never nil, not to be changed.
func (d *decider) guard(name string) *automation.Guard {
	for _, g := range d.out.Guards {
		if g.Name == name {
			return g
		}
	}
	if g := d.snap.Guards[name]; g != nil {
		return g
	}
	return &automation.Guard{Name: name}
}

// changeGuard returns the copy of a guard that this decision writes.
func (d *decider) changeGuard(name string) *automation.Guard {
	g := d.guard(name)
	if slices.Contains(d.out.Guards, g) {
		return g
	}
	g = g.Clone()
	d.out.Guards = append(d.out.Guards, g)
	return g
}

// canarySubject is what a canary's share is drawn by: the order, else what the event is about.
func (d *decider) canarySubject() string {
	if d.order != nil {
		return d.order.ID
	}
	return d.ev.Subject
}

// permit reports whether an automation that fired may act, and notes in c why
// not. What did not act, and what is counted, becomes a firing of its own.
func (d *decider) permit(a *automation.Automation, c *Considered) bool {
	if !d.live {
		c.Mode = string(event.History)
		return false
	}
	f := automation.Firing{Name: a.Name, At: d.at, EventID: d.ev.ID, OrderID: d.orderID()}
	defer func() {
		if f.How != "" {
			d.out.Firings = append(d.out.Firings, f)
		}
	}()
	if !a.Acts(d.canarySubject()) {
		c.Mode, f.How = string(a.Mode), string(a.Mode)
		return false
	}
	stopped := func(why string) bool {
		c.Mode, c.Stopped, f.How = automation.HowStopped, why, automation.HowStopped
		return false
	}
	if s := d.guard(a.Name).Stop; s != nil {
		return stopped(s.Reason)
	}
	if why := d.circling(a); why != "" {
		return stopped(why)
	}
	if !a.Guarded() {
		return true
	}
	var total money.Amount
	if d.order != nil {
		total = d.order.Total
	}
	day := d.at.In(d.pol.zoneOfShop()).Format(time.DateOnly)
	g := d.changeGuard(a.Name)
	if why := g.Admit(a.Limits, d.at, day, total); why != "" {
		d.stop(g, why)
		return stopped(why)
	}
	f.How, f.Round, f.Hour, f.Day = automation.HowActed, g.Round, g.Hour, g.Day
	f.PerHour, f.PerDay = int64(a.Limits.PerHour), a.Limits.MoneyPerDay.Minor
	if f.PerDay > 0 {
		f.Minor = total.Minor
	}
	return true
}

// circling counts the firing on its order and says when there are too many: some
// event comes back whenever the automation acts. An order is placed and
// accepted once, so those cannot.
func (d *decider) circling(a *automation.Automation) string {
	o := d.order
	if o == nil || d.ev.Type == "order.placed" || d.ev.Type == "order.accepted" {
		return ""
	}
	d.out.Order = o
	limit := a.Limits.PerOrder
	if limit == 0 {
		limit = automation.DefaultPerOrder
	}
	if n := o.Fire(a.Name, d.at); n <= limit {
		return ""
	}
	why := "it fired on this order more than " + itoa(int64(limit)) + " times within an hour"
	d.incidentOf(incident{
		subject: o.ID, order: o.ID, automations: []string{a.Name}, title: a.Name + " runs in a circle on order " + o.Short(),
		detail: why + ", set off by " + d.ev.Type + ". It does not act on this order until the hour is over; look at what happens each time it acts",
	})
	return why
}

// stop stops an automation at once, and derives the event that tells it.
func (d *decider) stop(g *automation.Guard, why string) {
	g.Stop = &automation.Stopped{Since: d.at, By: byOrderly, Reason: why}
	d.derive(&event.AutomationStopped{Automation: g.Name, Reason: why})
}

// byOrderly is who does what no person did.
const byOrderly = "orderly"

// trial counts what a canary's condition came out as on an order, and stops it when it goes wrong.
func (d *decider) trial(a *automation.Automation, outcome rule.Outcome, err error) {
	if a.Mode != automation.Canary || !d.live || d.guard(a.Name).Stop != nil {
		return
	}
	in := a.Acts(d.canarySubject())
	var why string
	if outcome == rule.Unknown {
		// A fact that is not known is no failure; what cannot be computed is.
		if u, ok := errors.AsType[*rule.UnknownError](err); !in || !ok || u.Cause == "" {
			return
		}
		g := d.changeGuard(a.Name)
		if why = g.Trial.Failed(a, d.at.In(d.pol.zoneOfShop())); why != "" {
			d.stop(g, why)
		}
		return
	}
	g := d.changeGuard(a.Name)
	if why = g.Trial.Considered(a, d.at, in, outcome == rule.True); why != "" {
		d.stop(g, why)
	}
}

// failedOf counts an effect that failed for good against the trial of the automation that asked for it.
func (d *decider) failedOf(name string) {
	a := d.pol.Automations.Get(name)
	if a == nil || a.Mode != automation.Canary || d.guard(name).Stop != nil {
		return
	}
	g := d.changeGuard(name)
	if why := g.Trial.Failed(a, d.at.In(d.pol.zoneOfShop())); why != "" {
		d.stop(g, why)
	}
}

// automationStopped tells that an automation is stopped. A person's click stops
// it here; its limits and its trial have done so already.
func (d *decider) automationStopped(p *event.AutomationStopped) error {
	a := d.pol.Automations.Get(p.Automation)
	if a == nil {
		return fault.New(fault.NotFound, "decide.automation", "there is no automation %q in the current policy", p.Automation)
	}
	if d.ev.Depth > 0 {
		d.note("%s is stopped: %s", a.Name, p.Reason)
		d.incidentOf(incident{
			subject: event.AutomationSubject(a.Name), automations: []string{a.Name}, title: "Automation " + a.Name + " is stopped",
			detail: p.Reason + ". It does nothing until a person lets it go on; what it would have done is recorded on its page",
		})
		return nil
	}
	if s := d.guard(a.Name).Stop; s != nil {
		return fault.New(fault.Conflict, "decide.automation", "%s is stopped already, since %s: %s", a.Name, d.clock(s.Since), s.Reason)
	}
	d.changeGuard(a.Name).Stop = &automation.Stopped{Since: d.at, By: d.ev.Actor, Reason: p.Reason}
	d.note("%s stopped %s: %s", d.ev.Actor, a.Name, p.Reason)
	d.alert("stopped:"+d.ev.ID, a.Owner, "Automation "+a.Name+" was stopped", "A person stopped it: "+p.Reason+". What it would have done is recorded on its page")
	return nil
}

// automationResumed lets a stopped automation act again and closes the incident about it.
func (d *decider) automationResumed(p *event.AutomationResumed) error {
	if d.guard(p.Automation).Stop == nil {
		return fault.New(fault.Conflict, "decide.automation", "%s is not stopped", p.Automation)
	}
	d.changeGuard(p.Automation).Resume()
	d.note("%s let %s go on: %s", d.ev.Actor, p.Automation, p.Reason)
	if have := d.openTaskOf(event.AutomationSubject(p.Automation), task.Incident); have != nil {
		t := d.changeTask(have)
		t.State, t.Outcome, t.Note, t.By, t.DoneAt = task.Decided, "resolved", p.Reason, d.ev.Actor, d.at
		d.incidentOver(t)
	}
	return nil
}

// automationChanged tells the owner that an automation acts no more by a new policy.
func (d *decider) automationChanged(p *event.AutomationChanged) error {
	acts := func(mode string) bool {
		return mode == string(automation.Active) || strings.HasPrefix(mode, string(automation.Canary))
	}
	from, to := p.From, p.To
	if to == "" {
		to = "removed"
	}
	if from == "" {
		from = "new"
	}
	d.note("%s: %s → %s", p.Automation, from, to)
	if acts(p.From) && !acts(p.To) {
		detail := "It went from " + from + " to " + to
		if p.By != "" {
			detail += ", by " + p.By
		}
		if p.Reason != "" {
			detail += ": " + p.Reason
		}
		d.alert("changed:"+d.ev.ID, p.Owner, "Automation "+p.Automation+" does not act any more", detail)
	}
	return nil
}

// automationReported sends the owner of an automation in shadow its report.
func (d *decider) automationReported(p *event.AutomationReported) error {
	a := d.pol.Automations.Get(p.Automation)
	switch {
	case a == nil:
		return nil // removed meanwhile
	case d.pol.Settings.Mail == "":
		d.note("report not sent: the shop has no mail connection")
		return nil
	}
	data := map[string]string{"date": p.Date, "automation": a.Name, "title": a.Name}
	if p.Quiet {
		data["quiet"] = "week"
	}
	d.effect(effect.Effect{
		Key: "mail:shadow-report:" + a.Name + ":" + p.Date, Kind: effect.Mail, Destination: d.pol.Settings.Mail, Automation: a.Name,
		Payload: effect.Payload{Purpose: "shadow-report", Template: "shadow-report", Recipient: a.Owner, Data: data},
	})
	return nil
}
