package decide

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/task"
)

// Incidents: what failed for good, fell silent or ran wild. An incident is a
// task with an alarm. It is told once when it opens, to the next person each time nobody
// has acknowledged it in time, and again when a snooze is over; a person resolves it, or what it is about does.

// deadSubject is the subject of the incident about dead letters that failed of one cause at one destination.
func deadSubject(p *event.EffectFailed) string {
	return event.DeadSubject(p.Destination, effect.CauseKey(p.Destination, p.Error))
}

// effectFailed opens an incident for a dead letter; one per destination and cause while it is open. When the
// destination itself is known to fail, it is a part of that incident.
func (d *decider) effectFailed(p *event.EffectFailed) error {
	switch down := d.openTaskOf(event.DestinationSubject(p.Destination), task.Incident); {
	case p.Purpose == SelfTest: // whether that arrived the watch looks, and the incident is its
	case down != nil:
		d.note("it is a part of the incident %q", down.Title)
	default:
		i := incident{subject: deadSubject(p), title: "Sending to " + p.Destination + " failed for good", detail: p.Error}
		if p.Destination == d.pol.Settings.Mail {
			i.title = "A mail could not be sent"
		}
		i.alarm.Next = "Mend what the error says, look under Effects at what would leave, and try it again there."
		if p.Order != "" {
			i.alarm.Orders = []string{p.Order}
		}
		d.incidentOf(i)
	}
	d.loadOrder(p.Order)
	d.failedOf(p.Automation)
	d.runAutomations()
	return nil
}

// incidentRaised opens an incident that the engine or the watch noticed.
func (d *decider) incidentRaised(p *event.IncidentRaised) error {
	d.incidentOf(incident{
		subject: p.Subject, order: p.Order, title: p.Title, detail: p.Detail, automations: p.Automations,
		alarm: task.Alarm{Expectation: p.Expectation, Since: p.Since, Evidence: p.Evidence, Impact: p.Impact, Orders: p.Orders, Next: p.Next},
	})
	return nil
}

// incident is something that failed for good, fell silent or ran wild.
type incident struct {
	subject, order, title, detail string
	automations                   []string // concerned; the owner of the first is told
	alarm                         task.Alarm
}

// incidentOf opens an incident, once while it is open, and tells its owner by every way there is.
func (d *decider) incidentOf(i incident) {
	if have := d.openTaskOf(i.subject, task.Incident); have != nil {
		d.moreOf(have, i)
		return
	}
	owner := d.pol.Settings.OpsOwner
	reasons := []task.Reason{{Text: i.detail}}
	for n := len(i.automations) - 1; n >= 0; n-- {
		if a := d.pol.Automations.Get(i.automations[n]); a != nil {
			owner = a.Owner
		}
	}
	if len(i.automations) > 0 {
		reasons = reasons[:0]
		for _, name := range i.automations {
			reasons = append(reasons, task.Reason{Automation: name, Text: i.detail})
		}
	}
	t := d.openTask(i.subject, task.Task{
		Kind: task.Incident, Queue: "ops", OrderID: i.order, Title: i.title, Options: []string{"resolved"}, Owner: owner, Reasons: reasons,
	}, 0)
	a := i.alarm
	if a.Since.IsZero() {
		a.Since = d.at
	}
	t.Alarm = &a
	d.tellIncident(t, "incident:"+t.ID, owner, i.title)
	d.awaitWord(t)
}

// moreOf takes over what is known by now of an incident that is open.
func (d *decider) moreOf(have *task.Task, i incident) {
	d.note("incident %q is open already", have.Title)
	if have.Alarm != nil && len(i.alarm.Evidence) == 0 {
		d.alsoConcerns(have, i.alarm.Orders)
		return
	}
	if have.Alarm == nil || slices.Equal(have.Alarm.Evidence, i.alarm.Evidence) {
		return
	}
	a := d.alarmOf(d.changeTask(have))
	a.Evidence, a.Impact, a.Orders = i.alarm.Evidence, i.alarm.Impact, i.alarm.Orders
}

// maxConcerned is how many orders an incident names.
const maxConcerned = 10

// alsoConcerns adds orders to those that an incident names.
func (d *decider) alsoConcerns(have *task.Task, orders []string) {
	for _, id := range orders {
		if slices.Contains(have.Alarm.Orders, id) || len(have.Alarm.Orders) >= maxConcerned {
			continue
		}
		have = d.changeTask(have)
		a := d.alarmOf(have)
		a.Orders = append(slices.Clone(a.Orders), id)
	}
}

// alarmOf gives a task that this decision writes an alarm of its own to change.
func (d *decider) alarmOf(t *task.Task) *task.Alarm {
	var a task.Alarm
	if t.Alarm != nil {
		a = *t.Alarm
	}
	t.Alarm = &a
	return &a
}

// awaitWord sets the time at which the next person is told, if there is one.
func (d *decider) awaitWord(t *task.Task) {
	s := d.pol.Settings
	if len(s.Escalate) > t.Alarm.Level && s.EscalateAfter > 0 {
		d.wakeIncident(t, d.at.Add(s.EscalateAfter))
	}
}

// wakeIncident begins another wait in the place of the one that runs.
func (d *decider) wakeIncident(t *task.Task, at time.Time) {
	a := d.alarmOf(t)
	a.Wait++
	d.timer(at, t.ID+":"+itoa(int64(a.Wait)), &event.IncidentUnanswered{Task: t.ID, Wait: a.Wait})
}

// openIncident finds the open incident that a person or a timer names.
func (d *decider) openIncident(id string) (*task.Task, error) {
	t, err := d.findTask(id)
	if err != nil {
		return nil, err
	}
	if t.Kind != task.Incident {
		return nil, fault.New(fault.Conflict, "decide.incident", "%q is no incident", t.Title)
	}
	if t.State == task.Decided || t.State == task.Closed {
		return nil, fault.New(fault.Conflict, "decide.incident", "the incident %q is over already", t.Title)
	}
	return t, nil
}

// incidentAcknowledged takes a person's word that they look after it: nobody else is told any more.
func (d *decider) incidentAcknowledged(p *event.IncidentAcknowledged) error {
	was, err := d.openIncident(p.Task)
	if err != nil {
		return err
	}
	t := d.changeTask(was)
	a := d.alarmOf(t)
	a.Acked, a.AckedBy, a.Snoozed = d.at, d.ev.Actor, time.Time{}
	a.Wait++ // what runs is not waited for any more
	t.Assignee = d.ev.Actor
	if p.Note != "" {
		t.Note = p.Note
	}
	d.note("%s acknowledged %q", d.ev.Actor, t.Title)
	d.tellHooks("incident:"+t.ID+":acknowledged:"+itoa(int64(a.Wait)), d.alarmData(t, AlertAcknowledged, t.Title))
	return nil
}

// maxSnooze is the longest that an incident may be put off.
const maxSnooze = 31 * 24 * time.Hour

// incidentSnoozed puts an incident off; it is told again when it is open still.
func (d *decider) incidentSnoozed(p *event.IncidentSnoozed) error {
	was, err := d.openIncident(p.Task)
	if err != nil {
		return err
	}
	if !p.Until.After(d.at) || p.Until.After(d.at.Add(maxSnooze)) {
		return fault.New(fault.Conflict, "decide.incident", "an incident is snoozed until a time within the next 31 days")
	}
	t := d.changeTask(was)
	a := d.alarmOf(t)
	a.Snoozed, a.Acked, a.AckedBy = p.Until, time.Time{}, ""
	if p.Note != "" {
		t.Note = p.Note
	}
	d.wakeIncident(t, p.Until)
	d.note("%s snoozed %q until %s", d.ev.Actor, t.Title, d.clock(p.Until))
	d.tellHooks("incident:"+t.ID+":acknowledged:"+itoa(int64(t.Alarm.Wait)), d.alarmData(t, AlertAcknowledged, t.Title))
	return nil
}

// incidentUnanswered tells the next person, or the owner again when a snooze is over.
func (d *decider) incidentUnanswered(p *event.IncidentUnanswered) error {
	was, err := d.findTask(p.Task)
	if err != nil {
		return err
	}
	if was.Alarm == nil || was.Alarm.Wait != p.Wait || was.State == task.Decided || was.State == task.Closed {
		d.note("it was answered meanwhile")
		return nil
	}
	t := d.changeTask(was)
	a := d.alarmOf(t)
	key := "incident:" + t.ID + ":" + itoa(int64(p.Wait))
	if !a.Snoozed.IsZero() {
		a.Snoozed, a.Level = time.Time{}, 0
		d.tellIncident(t, key, t.Owner, "Still open: "+t.Title)
		d.awaitWord(t)
		return nil
	}
	s := d.pol.Settings
	if a.Level >= len(s.Escalate) {
		return nil // the list became shorter meanwhile
	}
	to := s.Escalate[a.Level]
	a.Level++
	d.tellIncident(t, key, to, "Nobody answers: "+t.Title)
	d.awaitWord(t)
	return nil
}

// incidentRecovered closes an incident whose cause is over.
func (d *decider) incidentRecovered(p *event.IncidentRecovered) error {
	have := d.openTaskOf(p.Subject, task.Incident)
	if have == nil {
		d.note("no incident about it is open")
		return nil
	}
	t := d.changeTask(have)
	t.State, t.Outcome, t.Note, t.By, t.DoneAt = task.Decided, "recovered", p.Detail, byOrderly, d.at
	d.incidentOver(t)
	if t.Owner != "" && d.pol.Settings.Mail != "" {
		d.effect(effect.Effect{
			Key: "alert-mail:incident:" + t.ID + ":over", Kind: effect.Alert, Destination: d.pol.Settings.Mail,
			Payload: effect.Payload{Purpose: "recovery", Template: "incident-over", Recipient: t.Owner, Data: map[string]string{"title": t.Title, "detail": p.Detail, "incident": t.ID}},
		})
	}
	return nil
}

// incidentOver tells the ways that keep a state of their own that an incident is over.
func (d *decider) incidentOver(t *task.Task) {
	d.tellHooks("incident:"+t.ID+":resolved", d.alarmData(t, AlertResolved, t.Title))
}

// What an alert asks of whoever takes it.
const (
	AlertTriggered    = "trigger"
	AlertAcknowledged = "acknowledge"
	AlertResolved     = "resolve"
	AlertTest         = "test"
)

// alarmData are the facts of an incident, for every way of telling it.
func (d *decider) alarmData(t *task.Task, action, title string) map[string]string {
	data := map[string]string{"title": title, "action": action, "incident": t.ID}
	add := func(name, value string) {
		if value != "" {
			data[name] = value
		}
	}
	if len(t.Reasons) > 0 {
		add("detail", t.Reasons[0].Text)
	}
	if a := t.Alarm; a != nil {
		add("impact", a.Impact)
		add("next", a.Next)
		add("evidence", strings.Join(a.Evidence, "\n"))
	}
	add("owner", t.Owner)
	return data
}

// tellIncident tells a person of an incident by mail, and all other ways.
func (d *decider) tellIncident(t *task.Task, key, to, title string) {
	a := d.alarmOf(t)
	if to != "" {
		a.Told = append(slices.Clone(a.Told), to)
	}
	d.alertWith(key, to, d.alarmData(t, AlertTriggered, title))
}

// alert tells a person of the shop by every way there is, since one of them may be what is broken.
func (d *decider) alert(key, owner, title, detail string) {
	d.alertWith(key, owner, map[string]string{"title": title, "detail": detail})
}

func (d *decider) alertWith(key, owner string, data map[string]string) {
	if owner != "" && d.pol.Settings.Mail != "" {
		d.effect(effect.Effect{
			Key: "alert-mail:" + key, Kind: effect.Alert, Destination: d.pol.Settings.Mail,
			Payload: effect.Payload{Purpose: "alert", Template: "incident", Recipient: owner, Data: data},
		})
	}
	d.tellHooks(key, data)
}

// tellHooks tells by every way but mail.
func (d *decider) tellHooks(key string, data map[string]string) {
	for i, name := range d.pol.Settings.Alerts {
		k := "alert-hook:" + key
		if i > 0 { // the first way has the key that a shop with one way always had
			k += ":" + name
		}
		d.effect(effect.Effect{Key: k, Kind: effect.Alert, Destination: name, Payload: effect.Payload{Purpose: "alert", Data: data}})
	}
}

// SelfTestKey is the key of the effect by which a way of telling is tested on a day.
func SelfTestKey(date, connection string) string { return "self-test:" + date + ":" + connection }

// SelfTest is the purpose of such an effect.
const SelfTest = "self-test"

// alertsTested tries every way by which incidents are told, quietly. What does not
// arrive becomes an incident as any effect does, and the watch looks whether it did.
func (d *decider) alertsTested(p *event.AlertsTested) error {
	s := d.pol.Settings
	data := map[string]string{
		"title": "Daily self-test of the alerts", "detail": "This is the daily self-test of " + s.Name + ". Nothing is wrong and nothing is to be done.",
		"action": AlertTest, "date": p.Date, "incident": SelfTest + "-" + p.Date,
	}
	if s.Mail != "" && s.OpsOwner != "" {
		d.effect(effect.Effect{
			Key: SelfTestKey(p.Date, s.Mail), Kind: effect.Alert, Destination: s.Mail,
			Payload: effect.Payload{Purpose: SelfTest, Template: "incident", Recipient: s.OpsOwner, Data: data},
		})
	}
	for _, name := range s.Alerts {
		d.effect(effect.Effect{Key: SelfTestKey(p.Date, name), Kind: effect.Alert, Destination: name, Payload: effect.Payload{Purpose: SelfTest, Data: data}})
	}
	return nil
}
