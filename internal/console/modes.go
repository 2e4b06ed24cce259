package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// Switcher gives automations another mode, as a new version of their text.
type Switcher interface {
	// SetMode reports with true that the change waits for a second person.
	SetMode(ctx context.Context, name, mode string, share int, by, reason string) (waits bool, err error)
}

// wouldDays is how far back the page says what an automation would have done.
const wouldDays = 7

// modesView is how far one automation may go, and what it would have done further.
type modesView struct {
	Name, Mode string
	Findings   int // errors and warnings about it
	Stop       *automation.Stopped
	StoppedBy  string
	Limits     []fact
	Trial      []fact
	Incidents  []store.TaskRow
	Sums       []store.FiringSum
	Would      []wouldRow
	History    []historyRow
	CanAct     bool
	CanSwitch  bool
	Key        string
}

type wouldRow struct {
	store.FiringRow
	Did, Why string
}

type historyRow struct {
	At        time.Time
	Who, What string
	Reason    string
}

// modesOf looks up everything about an automation's modes.
func (c *Console) modesOf(tx *store.Tx, r *http.Request, a automationView, names map[string]string) (*modesView, error) {
	u, _ := access.UserFrom(r.Context())
	v := &modesView{Name: a.Name, Mode: a.Mode, Key: onceKey()}
	v.CanAct = mayChange(u, a.Owner)
	v.CanSwitch = v.CanAct && c.Modes != nil
	guards, err := tx.AllGuards()
	if err != nil {
		return nil, err
	}
	g := guards[a.Name]
	if g == nil {
		g = &automation.Guard{Name: a.Name}
	}
	if v.Stop = g.Stop; v.Stop != nil {
		v.StoppedBy = firstOf(names[v.Stop.By], v.Stop.By)
	}
	now := c.Now()
	if p, err := automation.Parse(a.Name+".yaml", []byte(a.Text)); err == nil {
		v.Limits, v.Trial = limitFacts(p, g, now, c.Shop().Zone), trialFacts(p, g)
		a.Stopped = false
		v.Limits = slices.Insert(v.Limits, 0, fact{Name: "Mode", Value: modeText(a)})
	}
	open, err := tx.Incidents(200)
	if err != nil {
		return nil, err
	}
	for _, t := range open {
		for _, why := range t.Task.Reasons {
			if why.Automation == a.Name {
				v.Incidents = append(v.Incidents, t)
				break
			}
		}
	}
	from := now.AddDate(0, 0, -wouldDays)
	if v.Sums, err = tx.FiringSums(a.Name, from, now.Add(time.Hour)); err != nil {
		return nil, err
	}
	v.Sums = slices.DeleteFunc(v.Sums, func(s store.FiringSum) bool { return s.How == automation.HowActed })
	rows, err := tx.FiringsNotActed(a.Name, from, now.Add(time.Hour), 20)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		w := wouldRow{FiringRow: row}
		for _, x := range parseTrace(row.Trace).Automations {
			if x.Name == a.Name {
				w.Did, w.Why = strings.Join(x.Did, "; "), x.Stopped
			}
		}
		v.Would = append(v.Would, w)
	}
	story, err := tx.SubjectStory(event.AutomationSubject(a.Name), 20)
	for _, e := range story {
		v.History = append(v.History, historyOf(e, names))
	}
	return v, err
}

// limitFacts are the limits of an automation beside what is counted against them now.
func limitFacts(a *automation.Automation, g *automation.Guard, now time.Time, zone *time.Location) []fact {
	var out []fact
	if n := a.Limits.PerHour; n > 0 {
		acted := int64(0)
		if g.Hour == now.Unix()/3600 {
			acted = g.Acted
		}
		out = append(out, fact{Name: "This hour", Value: ui.Number(acted) + " of " + ui.Number(int64(n)) + " firings"})
	}
	if m := a.Limits.MoneyPerDay; m.Minor > 0 {
		spent := int64(0)
		if g.Day == now.In(zone).Format(time.DateOnly) {
			spent = g.Spent
		}
		out = append(out, fact{Name: "Today", Value: ui.Amount(money.New(spent, m.Currency)) + " of " + ui.Amount(m) + " " + m.Currency})
	}
	return append(out, fact{Name: "On one order", Value: "at most " + ui.Plural(int64(a.Limits.PerOrder), "firing", "firings") + " within an hour"})
}

// trialFacts are how a canary goes.
func trialFacts(a *automation.Automation, g *automation.Guard) []fact {
	if a.Mode != automation.Canary {
		return nil
	}
	t := g.Trial
	if t.Version != a.Hash {
		t = automation.Trial{} // of an earlier version
	}
	of := func(fired, all int64) string { return ui.Number(fired) + " of " + ui.Plural(all, "order", "orders") }
	out := []fact{
		{Name: "It fired on", Value: of(t.InFired, t.In)},
		{Name: "Rest would be", Value: of(t.OutFired, t.Out)},
		{Name: "Failures", Value: ui.Number(t.Failures) + " in " + ui.Plural(t.Acts, "firing", "firings") + "; it stops above " + strconv.Itoa(a.Watch.Errors) + " %"},
	}
	if a.Watch.FalseAlarm == "off" {
		return append(out, fact{Name: "Compared", Value: "not"})
	}
	looks := ui.Plural(int64(t.Looks), "time", "times")
	switch {
	case t.In+t.Out == 0:
		looks = "not yet, no order came by"
	case t.Looks == 0:
		looks = "not yet"
	}
	return append(out, fact{Name: "Compared", Value: looks + "; chance of a false alarm " + a.Watch.FalseAlarm})
}

// historyOf says what happened to an automation.
func historyOf(e store.EventRow, names map[string]string) historyRow {
	h := historyRow{At: e.At, Who: strings.TrimPrefix(who(e, names), "by "), What: e.Type}
	p, err := event.Decode(e.Type, []byte(e.Data))
	if err != nil {
		return h
	}
	switch p := p.(type) {
	case *event.AutomationStopped:
		h.What, h.Reason = "Stopped", p.Reason
		if h.Who == "" {
			h.What = "Stopped itself"
		}
	case *event.AutomationResumed:
		h.What, h.Reason = "Went on", p.Reason
	case *event.AutomationChanged:
		h.What, h.Reason, h.Who = title(p.From)+" → "+firstOf(p.To, "removed"), p.Reason, firstOf(names[p.By], p.By)
	case *event.AutomationReported:
		h.What = "Report of " + p.Date + " sent to its owner"
	}
	return h
}

// switchMode carries out a click on an automation's mode.
func (c *Console) switchMode(w http.ResponseWriter, r *http.Request) error {
	name, verb := r.PathValue("name"), r.PathValue("action")
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	var p event.Payload
	var done string
	switch verb {
	case "stop":
		p, done = &event.AutomationStopped{Automation: name, Reason: reason}, "It is stopped. What it would do is recorded."
	case "resume":
		p, done = &event.AutomationResumed{Automation: name, Reason: reason}, "It goes on; its limits count anew."
	case "mode":
		return c.setMode(w, r, name, reason)
	default:
		return fault.New(fault.NotFound, "console.switchMode", "there is no such step")
	}
	ev, err := c.act(r, r.PostFormValue("key"), p)
	if err != nil {
		return err
	}
	if err := c.submit(r.Context(), ev); err != nil {
		return err
	}
	return c.back(w, r, "/automations/"+pathEscape(name), ui.Flash{Meaning: ui.Done, Text: done})
}

func (c *Console) setMode(w http.ResponseWriter, r *http.Request, name, reason string) error {
	if c.Modes == nil {
		return fault.New(fault.Unavailable, "console.setMode", "modes cannot be changed on this server")
	}
	mode, share := r.PostFormValue("mode"), 0
	if text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(r.PostFormValue("share")), "%")); text != "" && mode == string(automation.Canary) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 99 {
			return fault.Problems("console.setMode", []fault.Problem{{Pointer: "share", Message: fmt.Sprintf("must be a percentage from 1 to 99, like 10 %%, got %q", text)}})
		}
		share = n
	}
	u, _ := access.UserFrom(r.Context())
	waits, err := c.Modes.SetMode(r.Context(), name, mode, share, u.Email, reason)
	if err != nil {
		return err
	}
	if waits {
		return c.back(w, r, "/automations/"+pathEscape(name), waitsForSecond)
	}
	return c.back(w, r, "/automations/"+pathEscape(name), ui.Flash{Meaning: ui.Done, Text: "It is in the mode " + mode + " now."})
}

// modePath is the path of a dialog's form.
func modePath(verb string) string {
	if verb == "activate" {
		return "mode"
	}
	return verb
}

func stopperName(v *modesView) string {
	if v.Stop.By == "orderly" {
		return "itself"
	}
	return v.StoppedBy
}

func wouldHref(w wouldRow) string {
	if w.OrderID != "" {
		return "/orders/" + w.OrderID
	}
	return "/automations"
}

// wouldText sums up what an automation would have done.
func wouldText(v *modesView) string {
	var parts []string
	for _, s := range v.Sums {
		how := map[string]string{
			automation.HowShadow: "in shadow", automation.HowCanary: "on orders left out by its share", automation.HowStopped: "while it was stopped",
		}[s.How]
		t := ui.Plural(s.Firings, "firing", "firings") + " " + how
		if s.Orders > 0 {
			t += ", on " + ui.Plural(s.Orders, "order", "orders")
		}
		if s.Held > 0 {
			t += " (" + ui.Number(s.Held) + " held anyway)"
		}
		if s.Cancelled > 0 {
			t += " (" + ui.Number(s.Cancelled) + " cancelled since)"
		}
		parts = append(parts, t)
	}
	return strings.Join(parts, "; ")
}

// modeOptions are the modes that an automation may get; it is activated by a question of its own.
func modeOptions(v *modesView) []ui.Option {
	out := []ui.Option{
		{Value: "draft", Label: "Draft: kept, not considered"},
		{Value: "shadow", Label: "Shadow: decides live, does nothing, reports daily"},
		{Value: "canary", Label: "Canary: acts on a share of the orders, watched"},
	}
	if v.Stop == nil {
		out = append(out, ui.Option{Value: "paused", Label: "Paused: stopped, whatever its text says, until somebody lets it go on"})
	}
	if v.Mode == string(automation.Active) {
		out = slices.Insert(out, 0, ui.Option{Label: "Choose…"})
	}
	return out
}
