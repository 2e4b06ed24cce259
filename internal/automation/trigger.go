package automation

import (
	"errors"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Event types of the triggers that are no event of their own.
const (
	OnSchedule = "schedule.due"
	OnAbsence  = "absence.due"
)

// Absence triggers an automation when Of did not follow on After within a time, for the same order.
type Absence struct {
	Of     string
	After  string
	Within time.Duration
}

// Schedule triggers an automation at times of the clock.
type Schedule struct {
	Cron  string // five fields: minute, hour, day of the month, month, day of the week
	Zone  string // IANA name; "" = the shop's
	zone  *time.Location
	spec  cron.SpecSchedule
	fixed bool // at given hours, not every hour
}

// SameTrigger reports whether two automations are set off by the same: events of one type, the same times of the
// clock, or the same absence after the same time.
func (a *Automation) SameTrigger(b *Automation) bool {
	switch {
	case a.On != b.On || (a.Schedule == nil) != (b.Schedule == nil) || (a.Absence == nil) != (b.Absence == nil):
		return false
	case a.Schedule != nil:
		return a.Schedule.Cron == b.Schedule.Cron && a.Schedule.Zone == b.Schedule.Zone
	case a.Absence != nil:
		return *a.Absence == *b.Absence
	}
	return true
}

var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)

// NewSchedule reads the five fields of cron and the name of a time zone.
func NewSchedule(fields, zone string) (*Schedule, error) {
	if strings.Contains(fields, "=") {
		return nil, errors.New("name the time zone by zone")
	}
	s := &Schedule{Cron: fields, Zone: zone}
	if zone != "" {
		var err error
		if s.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return nil, errors.New("the zone is not an IANA time zone like Europe/Berlin")
		}
	}
	parsed, err := cronParser.Parse(fields)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("write five fields: minute, hour, day of the month, month, day of the week")
	}
	s.spec = *spec
	s.fixed = !strings.HasPrefix(strings.Fields(fields)[1], "*")
	if s.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.UTC).IsZero() {
		return nil, errors.New("there is no such day")
	}
	return s, nil
}

// Next returns the first time of the schedule after t; shop is the zone when
// the schedule names none. A time that daylight saving leaves out comes an hour
// later; one that it repeats comes once, unless the schedule is for every hour.
func (s *Schedule) Next(t time.Time, shop *time.Location) time.Time {
	spec := s.spec
	spec.Location = s.zone
	if spec.Location == nil {
		spec.Location = shop
	}
	local := t.In(spec.Location)
	next := spec.Next(local)
	for s.fixed && !next.IsZero() {
		// The hour before had the same time on the clock: it is the repeated one.
		const wall = "2006-01-02 15:04"
		if before := next.Add(-time.Hour); before.Format(wall) != next.Format(wall) {
			break
		}
		next = spec.Next(next)
	}
	return next.UTC()
}

// Last returns the last time of the schedule after since and not after now, and
// false when there is none: what was missed meanwhile is made up for once.
func (s *Schedule) Last(since, now time.Time, shop *time.Location) (time.Time, bool) {
	// From near to far, as a minute's schedule may have been left for months.
	for _, back := range []time.Duration{time.Hour, 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour, now.Sub(since)} {
		from := now.Add(-back)
		if from.Before(since) {
			from = since
		}
		var last time.Time
		for at := s.Next(from, shop); !at.IsZero() && !at.After(now); at = s.Next(at, shop) {
			last = at
		}
		if !last.IsZero() {
			return last, true
		}
		if !from.After(since) {
			break
		}
	}
	return time.Time{}, false
}

// trigger reads `on`: an event type, schedule with its times, or an absence.
func (d *doc) trigger(a *Automation, root *mapping) bool {
	n := root.at("on")
	if m := d.asMapping(n); n != nil && m != nil {
		return d.absence(a, m)
	}
	a.On = d.required(root, "on")
	switch a.On {
	case "":
		return false
	case "schedule":
		a.On = OnSchedule
		return d.schedule(a, root)
	case OnSchedule:
		d.add(n, "write on: schedule, and the times as schedule: { cron: \"0 9 * * 1-5\", zone: Europe/Berlin }")
		return false
	case OnAbsence, "absence":
		d.add(n, "write on: { absence_of: shipment.scanned, after: shipment.labelled, within: 48h }")
		return false
	}
	if root.at("schedule") != nil {
		d.add(root.keyAt["schedule"], "only on: schedule has a schedule")
	}
	if !schema.KnownEvent(a.On) {
		types := triggers()
		d.add(n, "there is no event type %q%s", a.On, meantOr(a.On, types, "the types are"))
		return false
	}
	return true
}

// triggers are what may stand behind `on:`.
func triggers() []string {
	out := []string{"schedule"}
	for _, t := range schema.Events() {
		if t != OnSchedule && t != OnAbsence {
			out = append(out, t)
		}
	}
	return out
}

func (d *doc) schedule(a *Automation, root *mapping) bool {
	m := d.mapping(root, "schedule")
	if m == nil {
		if root.at("schedule") == nil {
			d.add(root.at("on"), "on: schedule needs its times, like schedule: { cron: \"0 9 * * 1-5\", zone: Europe/Berlin }")
		}
		return true
	}
	d.keys(m, "schedule", "cron", "zone")
	zone, _ := d.text(m, "zone")
	fields := d.required(m, "cron")
	if fields == "" {
		return true
	}
	s, err := NewSchedule(fields, zone)
	switch {
	case err != nil && strings.Contains(err.Error(), "zone"):
		at := m.at("zone")
		if at == nil {
			at = m.at("cron")
		}
		d.add(at, "%s", err)
	case err != nil:
		d.add(m.at("cron"), "cron is five fields: minute, hour, day of the month, month, day of the week, like \"0 9 * * 1-5\"; %s", err)
	}
	a.Schedule = s
	return true
}

func (d *doc) absence(a *Automation, m *mapping) bool {
	d.keys(m, "on", "absence_of", "after", "within")
	a.On = OnAbsence
	event := func(key string) string {
		e := d.required(m, key)
		if e == "" {
			return ""
		}
		switch known := orderTriggers(); {
		case !schema.KnownEvent(e):
			d.add(m.at(key), "there is no event type %q%s", e, meantOr(e, known, "the types are"))
		case !schema.IsOrderEvent(e) || e == OnAbsence:
			d.add(m.at(key), "%s is not about an order, and an absence is noticed for an order; the types are %s", e, strings.Join(known, ", "))
		}
		return e
	}
	x := &Absence{Of: event("absence_of"), After: event("after")}
	if x.Of != "" && x.Of == x.After {
		d.add(m.at("after"), "the absence of %s is noticed after another event", x.Of)
	}
	x.Within = d.span(m, "within", true)
	a.Absence = x
	return true
}

// OrderEvents are the event types of an order: what an absence can be about.
func OrderEvents() []string { return orderTriggers() }

// orderTriggers are the event types of an order that something may follow on.
func orderTriggers() []string {
	var out []string
	for _, t := range schema.Events() {
		if schema.IsOrderEvent(t) && t != OnAbsence {
			out = append(out, t)
		}
	}
	return out
}

// longest is how far ahead a run or an absence may look.
const longest = 365 * 24 * time.Hour

// span reads a duration between a second and a year.
func (d *doc) span(m *mapping, key string, must bool) time.Duration {
	s, ok := d.text(m, key)
	if !ok {
		if must && (m.at(key) == nil || isNull(m.at(key))) {
			d.required(m, key)
		}
		return 0
	}
	return d.spanOf(m.at(key), s)
}

func (d *doc) spanOf(n node, s string) time.Duration {
	v, err := rule.ParseDuration(s)
	switch {
	case err != nil:
		d.add(n, "%s", err)
	case v < time.Second || v > longest:
		d.add(n, "must be between 1s and 365d, got %s", s)
	}
	return v
}
