package proof

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"orderly.example/orderly/internal/schema"
)

// History is what the past says of something that is not decided.
type History struct {
	Looked  int64     `json:"looked"`  // recorded events on which the automations were asked; of a tag, recorded orders
	Times   int64     `json:"times"`   // those on which all of them fire; of a tag, orders that came with it
	Unknown int64     `json:"unknown"` // those on which it cannot be told, as a fact is not known
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	Whole   bool      `json:"whole"` // all that is recorded was looked at; else time ran out, oldest first
	Seen    []Seen    `json:"seen,omitempty"`
}

// Seen is an order that shows it.
type Seen struct {
	Order  string    `json:"order,omitempty"` // id; "" where the event is about none
	Number string    `json:"number,omitempty"`
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
}

// Name is the order's number, or the id that there is.
func (s Seen) Name() string { return cmp.Or(s.Number, s.Order, s.Event) }

// Text says it in one sentence, without the orders.
func (h *History) Text(f *Finding) string {
	span := fmt.Sprintf("%s since %s", counted(h.Looked, "recorded event", "recorded events"), h.Since.Format(time.DateOnly))
	if !h.Whole {
		span = fmt.Sprintf("%s from %s to %s, as far as the past was read in time", counted(h.Looked, "recorded event", "recorded events"), h.Since.Format(time.DateOnly), h.Until.Format(time.DateOnly))
	}
	if f.Tag != nil {
		span = strings.ReplaceAll(strings.ReplaceAll(span, "recorded events", "recorded orders"), "recorded event ", "recorded order ")
	}
	if h.Looked == 0 {
		if f.Tag != nil {
			return "No order is recorded yet"
		}
		return "No such event is recorded yet"
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

// Askable reports whether the past can say something about a finding. Times of the clock and absences are events of
// one automation each, so that nothing of two of them can be found on one.
func (f *Finding) Askable(on string) bool {
	return f.Kind == Open && (f.Tag != nil || triable(on) || len(f.Automations) == 1 && schema.KnownEvent(on))
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
	f.Kind, f.Severity = Unwritten, Warning
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
