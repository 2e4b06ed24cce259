package proof

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/schema"
)

// History is what the past says of something that is not decided.
type History struct {
	Of      Unit      `json:"of"`      // what was looked at
	Looked  int64     `json:"looked"`  // how many of them: those on which the automations were asked; of a tag, recorded orders
	Times   int64     `json:"times"`   // those on which all of them fire; of a tag, orders that came with it
	Unknown int64     `json:"unknown"` // those on which it cannot be told, as a fact is not known
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Whole   bool      `json:"whole"` // all that is recorded was looked at; else time ran out, oldest first
	Seen    []Seen    `json:"seen,omitempty"`
}

// Unit is what the past is counted in.
type Unit string

// The units of the past. Events of timers name one automation each, so that several are looked for on what brings
// such events together.
const (
	Events Unit = "events"
	Orders Unit = "orders" // that came in; of absences, those on which all were asked
	Times  Unit = "times"  // of the clock, at which all were asked
)

// Seen is an order that shows it.
type Seen struct {
	Order  string    `json:"order,omitempty"` // id; "" where the event is about none
	Number string    `json:"number,omitempty"`
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
}

// Name is the order's number or id; of what is about no order, when it was, in a time zone.
func (s Seen) Name(zone *time.Location) string {
	return cmp.Or(s.Number, s.Order, s.At.In(zone).Format("2006-01-02 15:04"))
}

// UnitOf is what the past is counted in for a finding about automations with a trigger.
func (f *Finding) UnitOf(on string) Unit {
	switch {
	case f.Tag != nil:
		return Orders
	case len(f.Automations) < 2:
		return Events
	case on == automation.OnSchedule:
		return Times
	case on == automation.OnAbsence:
		return Orders
	}
	return Events
}

// Past says in one sentence what the past says of a finding that is not decided, or why it says nothing; "" of one that
// is decided. The orders stand in its History. Days are those of a time zone.
func (r *Report) Past(f *Finding, zone *time.Location) string {
	switch {
	case f.Kind != Open:
		return ""
	case f.History != nil:
		return f.History.text(f, zone)
	case r.Asking:
		return "The past is being asked …"
	}
	return cmp.Or(r.Unasked, "The past was not asked, so nothing is said of what happened so far")
}

func (h *History) text(f *Finding, zone *time.Location) string {
	if h.Looked == 0 {
		return h.nothing(f, zone)
	}
	one, many := "recorded event", "recorded events"
	switch {
	case h.Of == Orders && f.Tag != nil:
		one, many = "recorded order", "recorded orders"
	case h.Of == Orders:
		one, many = "recorded order on which both were asked", "recorded orders on which both were asked"
	case h.Of == Times:
		one, many = "recorded time of the clock", "recorded times of the clock"
	}
	span := counted(h.Looked, one, many)
	if h.Whole {
		span += " since " + h.Since.In(zone).Format(time.DateOnly)
	} else {
		span += " from " + h.Since.In(zone).Format(time.DateOnly) + " to " + h.Until.In(zone).Format(time.DateOnly) + ", as far as the past was read in time"
	}
	what, never := "it fires", "it never fires"
	switch {
	case f.Tag != nil:
		what, never = "the tag came", "the tag never came"
	case len(f.Automations) > 1:
		what, never = "both fire", "they never fire together"
	}
	text := "In " + span + " " + never
	if h.Times > 0 {
		text = "In " + span + " " + what + " " + times(h.Times)
	}
	if h.Unknown > 0 {
		text += fmt.Sprintf("; on %d it cannot be told, as something is not known", h.Unknown)
	}
	return text
}

// nothing says why the past cannot tell: that nothing was found is not that all is well.
func (h *History) nothing(f *Finding, zone *time.Location) string {
	if !h.Whole {
		if h.Until.IsZero() {
			return "The past cannot tell: there was no time to read it"
		}
		return "The past cannot tell yet: nothing of the kind was found from " + h.Since.In(zone).Format(time.DateOnly) + " to " + h.Until.In(zone).Format(time.DateOnly) + ", as far as it was read in time"
	}
	switch {
	case f.Tag != nil:
		return "The past cannot tell: no order is recorded yet"
	case h.Of == Times:
		return "The past cannot tell: no time of the clock is recorded at which both were asked, on the times that they have now"
	case h.Of == Orders:
		return "The past cannot tell: no order is recorded on which both were asked, with what they wait for now"
	}
	return "The past cannot tell: no such event is recorded yet"
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Answer gives a finding what the past says of it. One about a tag is decided by that, as far as it can be: with a tag
// that orders came with all is well, and one that none of them had is a warning. near are tags that exist.
func (f *Finding) Answer(h *History, near []string) (keep bool) {
	f.History = h
	if f.Tag == nil || h == nil || h.Looked == 0 {
		return true
	}
	if h.Times > 0 {
		return false
	}
	if !h.Whole {
		return true
	}
	f.Kind, f.Severity, f.said = Unwritten, Warning, ""
	who, fix := "no automation puts it on an order", ", or let an automation put it"
	if f.Tag.List == "customer.tags" {
		who, fix, near = "no automation gives a customer tags", "", nil
	}
	meant := ""
	if n := nearest(f.Tag.Value, near); n != "" {
		meant = fmt.Sprintf(" (did you mean %q?)", n)
	}
	f.Message = fmt.Sprintf("it looks for the tag %q: %s, and no recorded order came with it, so that part has never been true. Correct the tag%s, let the channel send it%s",
		f.Tag.Value, who, meant, fix)
	return true
}

// nearest is a tag that may have been meant: another way to write the same comes first.
func nearest(tag string, among []string) string {
	for _, t := range among {
		if t != tag && strings.EqualFold(t, tag) {
			return t
		}
	}
	return schema.Nearest(tag, among)
}

// Put are the tags that the automations of a report put on orders.
func (r *Report) Put() []string {
	c := &checker{}
	for _, a := range r.Checked {
		c.all = append(c.all, &subject{Automation: a})
	}
	return c.put()
}
