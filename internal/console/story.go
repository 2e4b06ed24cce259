package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"time"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// userNames maps ids of users to their names; a token is its own name.
func (c *Console) userNames(r *http.Request) (map[string]string, error) {
	us, err := c.People.Users(r.Context())
	names := make(map[string]string, len(us))
	for _, u := range us {
		names[u.ID] = firstOf(u.Name, u.Email)
	}
	return names, err
}

// story tells an order's life: its events with what each led to, its tasks, and what left the shop.
func story(evs []store.EventRow, effects []store.EffectRow, tasks []store.TaskRow, names map[string]string) []step {
	out := make([]step, 0, len(evs)+len(effects)+len(tasks))
	byID := make(map[string]store.EventRow, len(evs))
	for _, e := range evs {
		byID[e.ID] = e
		out = append(out, eventStep(e, names))
	}
	for _, t := range tasks {
		out = append(out, taskStep(t))
	}
	for _, e := range effects {
		out = append(out, effectStep(e, byID))
	}
	sort.SliceStable(out, func(i, j int) bool {
		if !out[i].At.Equal(out[j].At) {
			return out[i].At.Before(out[j].At)
		}
		return out[i].order < out[j].order
	})
	return out
}

// StoryStep is one step of an order's story in words.
type StoryStep struct {
	At          time.Time    `json:"at"`
	Title       string       `json:"title"`
	Who         string       `json:"who,omitempty"`
	From        order.State  `json:"from,omitempty"`
	To          order.State  `json:"to,omitempty"`
	Lines       []string     `json:"lines,omitempty"`
	Automations []StoryActor `json:"automations,omitempty"`
}

// StoryActor is an automation that was not silent in a step.
type StoryActor struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	Text    string `json:"text"`
}

// Story is the story of an order's page for other readers than a browser. Names are
// those of the users by their ids.
func Story(evs []store.EventRow, effects []store.EffectRow, tasks []store.TaskRow, names map[string]string) []StoryStep {
	out := []StoryStep{}
	for _, s := range story(evs, effects, tasks, names) {
		t := StoryStep{At: s.At, Title: s.Title, Who: s.Who, From: s.From, To: s.To, Lines: s.Lines}
		if s.Quarant != "" {
			t.Lines = append([]string{s.Quarant}, t.Lines...)
		}
		for _, a := range s.Automata {
			t.Automations = append(t.Automations, StoryActor{Name: a.Name, Outcome: a.Outcome, Text: automatonText(a)})
		}
		out = append(out, t)
	}
	return out
}

// LastPlan is the newest routing plan of an order's events; nil when it was not routed.
func LastPlan(evs []store.EventRow) (*routing.Plan, time.Time) {
	for i := len(evs) - 1; i >= 0; i-- {
		if p := parseTrace(evs[i].Trace).Routing; p != nil {
			return p, evs[i].At
		}
	}
	return nil, time.Time{}
}

func eventStep(e store.EventRow, names map[string]string) step {
	t := parseTrace(e.Trace)
	s := step{ID: "e-" + e.ID, At: e.At, Meaning: ui.Neutral, Icon: "info", Title: e.Type, Lines: t.Notes, Automata: t.Automations, Data: indentJSON(e.Data), order: 0}
	if t.To != "" && t.To != t.From {
		s.From, s.To = order.State(t.From), order.State(t.To)
	}
	for _, r := range t.Runs {
		s.Lines = append(s.Lines, r.Name+", "+r.State+": "+strings.Join(r.Did, "; "))
	}
	for i := range s.Lines {
		s.Lines[i] = withNames(s.Lines[i], names)
	}
	s.Who = who(e, names)
	p, err := event.Decode(e.Type, []byte(e.Data))
	if err == nil {
		describe(&s, p)
	}
	if e.State == "quarantined" {
		s.Meaning, s.Icon, s.Quarant = ui.Danger, "warn", "In quarantine: "+e.Reason
	}
	s.Facts = []fact{
		{Name: "Event", Value: e.Type}, {Name: "Id", Value: e.ID}, {Name: "From", Value: e.Source + ", key " + e.Key},
	}
	if !e.Received.Equal(e.At) {
		s.Facts = append(s.Facts, fact{Name: "Received", At: e.Received})
	}
	if e.Archive != "" {
		s.Facts = append(s.Facts, fact{Name: "Reasons", Value: "in the archive's file of " + e.Archive})
	}
	if e.Policy > 0 {
		s.Facts = append(s.Facts, fact{Name: "Policy", Value: fmt.Sprintf("revision %d", e.Policy)})
	}
	if e.Cause != "" {
		s.Facts = append(s.Facts, fact{Name: "Follows from", Value: ui.ShortID(e.Cause), Href: "#step-e-" + e.Cause})
	}
	if r := t.Routing; r != nil {
		s.Facts = append(s.Facts, fact{Name: "Routing", Value: PlanText(r)})
	}
	return s
}

// who says who or what brought an event.
func who(e store.EventRow, names map[string]string) string {
	switch {
	case e.Source == "engine" || (e.Cause != "" && names[e.Actor] == ""):
		return "" // it follows from what stands above
	case names[e.Actor] != "":
		return "by " + names[e.Actor]
	case e.Actor != "":
		return "by " + e.Actor
	case e.Source == "timer":
		return "by the clock"
	}
	return "from " + e.Source
}

// describe puts an event into the words of a shop.
func describe(s *step, p event.Payload) {
	say := func(icon string, m ui.Meaning, format string, args ...any) {
		s.Icon, s.Meaning, s.Title = icon, m, fmt.Sprintf(format, args...)
	}
	reason := func(text string) {
		if text != "" {
			s.Lines = append([]string{"«" + text + "»"}, s.Lines...)
		}
	}
	switch p := p.(type) {
	case *event.OrderPlaced:
		say("cart", ui.Neutral, "Placed on %s", p.Channel)
	case *event.OrderPaid:
		say("coin", ui.Done, "Paid %s %s", ui.Amount(p.Amount), p.Amount.Currency)
	case *event.PaymentDisputed:
		say("warn", ui.Danger, "Payment disputed")
		reason(p.Reason)
	case *event.OrderCancelled:
		say("cross", ui.Neutral, "Cancelled")
		reason(p.Reason)
	case *event.OrderCompleted:
		say("check", ui.Done, "Completed")
	case *event.OrderHoldRequested:
		say("pause", ui.Held, "Held by hand")
		reason(p.Reason)
	case *event.OrderReleaseRequested:
		say("play", ui.Done, "Released")
		reason(p.Reason)
	case *event.OrderRerouteRequested:
		say("reroute", ui.Neutral, "Routed again")
		reason(p.Reason)
	case *event.OrderAccepted:
		say("check", ui.Done, "Accepted")
	case *event.OrderReady:
		say("check", ui.Done, "Ready to ship")
	case *event.OrderUnfillable:
		say("warn", ui.Danger, "Cannot be filled")
	case *event.ReturnReceived:
		say("undo", ui.Attention, "Return %s received", p.Number)
	case *event.ShipmentShipped:
		say("truck", ui.Done, "Shipped by %s", p.Location)
		s.Lines = parcelLine(s.Lines, p.Carrier, p.Tracking)
	case *event.ShipmentLabelled:
		say("orders", ui.Neutral, "Label made")
		s.Lines = parcelLine(s.Lines, p.Carrier, p.Tracking)
	case *event.ShipmentScanned:
		say("truck", ui.Neutral, "Seen by the carrier")
		s.Lines = parcelLine(s.Lines, p.Carrier, p.Tracking)
		reason(p.Place)
		s.Minor = true
	case *event.ShipmentDelivered:
		say("check", ui.Done, "Delivered")
		s.Lines = parcelLine(s.Lines, p.Carrier, p.Tracking)
	case *event.RunDue:
		say("auto", ui.Neutral, "An automation went on")
	case *event.RunRetried:
		say("undo", ui.Neutral, "A failed run was tried again")
		s.Href, s.HrefText = runHref(decide.RetryID(p.Run)), "the run"
	case *event.CallAnswered:
		say("hook", ui.Neutral, "A call was answered")
	case *event.AbsenceDue:
		say("clock", ui.Attention, "Something did not follow in time")
	case *event.ShipmentRejected:
		say("warn", ui.Attention, "%s will not ship it", p.Location)
		reason(p.Reason)
	case *event.TaskDecided:
		say("review", ui.Held, "Decided: %s", title(p.Outcome))
		reason(p.Note)
		s.Href, s.HrefText = "/review/"+p.Task, "the task"
	case *event.TaskAssigned:
		say("user", ui.Neutral, "Task taken")
		if p.Assignee == "" {
			s.Title = "Task put back"
		}
		s.Minor = true
	case *event.TaskOverdue:
		say("clock", ui.Danger, "Task is late")
	case *event.EffectFailed:
		say("warn", ui.Danger, "An effect failed for good")
		s.Href, s.HrefText = "/effects", "dead letters"
	default:
		s.Title = title(strings.ReplaceAll(p.EventType(), ".", " "))
	}
}

// parcelLine puts the parcel's carrier and number before the other lines.
func parcelLine(lines []string, carrier, tracking string) []string {
	if tracking == "" {
		return lines
	}
	return append([]string{strings.TrimSpace(carrier + " " + tracking)}, lines...)
}

// taskOpened says that a task of a kind was opened.
func taskOpened(k task.Kind) string {
	if k == task.General {
		return "Task opened"
	}
	return taskKind(k) + " task opened"
}

func taskStep(t store.TaskRow) step {
	s := step{ID: "t-" + t.ID, At: t.Created, Meaning: ui.Held, Icon: "review", Title: taskOpened(t.Kind), order: 1, Minor: true}
	if t.Kind == task.Incident {
		s.Meaning = ui.Danger
	}
	if r := firstReason(t.Task); r != "" {
		s.Lines = []string{r}
	}
	s.Href, s.HrefText = "/review/"+t.ID, "for "+t.Queue
	return s
}

// effectStep says what left, or that it has not.
func effectStep(e store.EffectRow, evs map[string]store.EventRow) step {
	s := step{ID: "x-" + e.ID, At: e.Created, Icon: "hook", Meaning: ui.Neutral, order: 2}
	if e.Kind == "mail" {
		s.Icon = "mail"
	}
	name := title(e.Purpose)
	switch e.State {
	case "done":
		s.At, s.Meaning = e.DoneAt, ui.Done
		s.Title = name + map[bool]string{true: " mail sent", false: " delivered"}[e.Kind == "mail"]
	case "dead":
		s.Meaning, s.Icon = ui.Danger, "warn"
		s.Title = name + " failed for good"
		s.Lines = []string{e.LastError}
		s.Href, s.HrefText = "/effects", "try again"
	case "cancelled":
		s.Minor, s.Title = true, name+" withdrawn before it was sent"
	default:
		s.Minor, s.Title = true, name+" waits to be sent"
		if e.LastError != "" {
			s.Minor, s.Meaning = false, ui.Attention
			s.Title = name + " is tried again"
			s.Lines = []string{e.LastError}
		}
	}
	if s.At.IsZero() {
		s.At = e.Created
	}
	s.Facts = []fact{
		{Name: "Effect", Value: e.ID},
		{Name: "Key", Value: e.Key},
		{Name: "To", Value: e.Destination},
		{Name: "Attempts", Value: ui.Itoa(e.Attempts)},
	}
	if c, ok := evs[e.EventID]; ok {
		s.Facts = append(s.Facts, fact{Name: "Follows from", Value: c.Type, Href: "#step-e-" + c.ID})
	}
	if e.Automation != "" {
		s.Facts = append(s.Facts, fact{Name: "Automation", Value: title(e.Automation), Href: "/automations/" + pathEscape(e.Automation)})
	}
	if e.Receipt != "" {
		s.Facts = append(s.Facts, fact{Name: "Receipt", Value: e.Receipt})
	}
	return s
}

// sortExplanations puts what fired first, then what would have, what is unknown, and what did not.
func sortExplanations(es []Explanation) {
	rank := func(e Explanation) int {
		switch {
		case e.Fired:
			return 0
		case e.Outcome == "true":
			return 1
		case e.Outcome == "unknown":
			return 2
		}
		return 3
	}
	sort.SliceStable(es, func(i, j int) bool {
		if rank(es[i]) != rank(es[j]) {
			return rank(es[i]) < rank(es[j])
		}
		if es[i].Automation != es[j].Automation {
			return es[i].Automation < es[j].Automation
		}
		return es[i].At.Before(es[j].At)
	})
}

// indentJSON makes a stored payload readable; what is no JSON stays as it is.
func indentJSON(s string) string {
	if s == "" || s == "{}" {
		return ""
	}
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return s
	}
	return strings.TrimSpace(b.String())
}

func notFound(what string) error { return fault.New(fault.NotFound, "console", "there is no %s", what) }
