package proof

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/task"
)

// life lets an order live for a while: what follows from each event happens, every task is left until it is
// overdue or, where somebody is at work, decided before, and whatever leaves fails for good. It notes which
// automation led to which.
type life struct {
	t     *trial
	led   map[[2]string]bool
	fired map[string]int
	queue []moment
	sent  map[string]bool

	works bool // somebody takes and decides the tasks
}

// moment is an event to come, and the automations whose steps led to it.
type moment struct {
	p   event.Payload
	by  []string
	due time.Time
}

// live runs at most n events.
func live(as []*automation.Automation, n int, works bool) *life {
	c := Case{Event: &event.OrderPlaced{}, At: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)}
	placed := c.Event.(*event.OrderPlaced)
	automation.Complete(placed)
	placed.Payment.Status, placed.Customer.Email = event.PaymentPaid, "buyer@example.com"
	l := &life{t: newTrial(decide.Settings{OpsOwner: "ops@shop.example"}, c), led: map[[2]string]bool{}, fired: map[string]int{}, sent: map[string]bool{}, works: works}
	l.t.pol.Automations = automation.NewSet(as)
	l.queue = []moment{{p: placed, due: c.At}}
	for i := 0; i < n && len(l.queue) > 0; i++ {
		slices.SortStableFunc(l.queue, func(a, b moment) int { return a.due.Compare(b.due) })
		m := l.queue[0]
		l.queue = l.queue[1:]
		if m.due.After(l.t.at) {
			l.t.at = m.due
		}
		l.step(m)
	}
	return l
}

func (l *life) step(m moment) {
	if p, ok := m.p.(*event.TaskDecided); ok {
		p.Outcome = l.task(p.Task).Options[0]
	}
	d, err := decide.Decide(l.t.snap, l.t.event(m.p), l.t.pol, l.t.at)
	if err != nil {
		return // it contradicts what happened meanwhile
	}
	by := m.by
	switch p := m.p.(type) { // a review is for every automation that holds by now
	case *event.TaskOverdue:
		by = l.asked(p.Task)
	case *event.TaskAssigned:
		by = l.asked(p.Task)
	case *event.TaskDecided:
		by = l.asked(p.Task)
	}
	l.t.snap.Apply(d)
	var acted []string
	for _, x := range d.Trace.Automations {
		if x.Outcome != decide.Fired {
			continue
		}
		l.fired[x.Name]++
		for _, from := range by {
			l.led[[2]string{from, x.Name}] = true
		}
		if slices.ContainsFunc(l.t.pol.Automations.Get(x.Name).Steps, func(s automation.Step) bool { return s.Kind == automation.KindRelease }) {
			acted = append(acted, x.Name)
		}
	}
	if _, decided := m.p.(*event.TaskDecided); decided {
		acted = append(acted, by...)
	}
	for _, ev := range d.Derived {
		l.queue = append(l.queue, moment{p: ev.Data, by: acted, due: l.t.at})
	}
	for _, tm := range d.Timers {
		if over, ok := tm.Data.(*event.TaskOverdue); ok {
			l.queue = append(l.queue, moment{p: over, due: tm.Due})
			if l.works {
				l.queue = append(l.queue, moment{p: &event.TaskAssigned{Task: over.Task, Assignee: "usr_1"}, due: l.t.at.Add(time.Minute)},
					moment{p: &event.TaskDecided{Task: over.Task}, due: l.t.at.Add(2 * time.Minute)})
			}
		}
	}
	for _, e := range d.Effects {
		if e.Automation == "" || l.sent[e.ID] {
			continue
		}
		l.sent[e.ID] = true
		l.queue = append(l.queue, moment{
			p:  &event.EffectFailed{Effect: e.ID, Order: e.OrderID, Purpose: e.Payload.Purpose, Destination: e.Destination, Error: "refused"},
			by: []string{e.Automation}, due: l.t.at.Add(time.Minute),
		})
	}
}

// task is a task by its id.
func (l *life) task(id string) *task.Task {
	for _, ts := range l.t.snap.Tasks {
		for _, t := range ts {
			if t.ID == id {
				return t
			}
		}
	}
	return nil
}

// asked are the automations behind a task.
func (l *life) asked(id string) []string {
	var out []string
	for _, r := range l.task(id).Reasons {
		if r.Automation != "" {
			out = append(out, r.Automation)
		}
	}
	return out
}

// TestLoopsAreClaimed: automations that set each other off in a circle when an order is let live
// stand together in a finding.
func TestLoopsAreClaimed(t *testing.T) {
	found, silent := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		var rows []string
		for i := range 3 + c(5) {
			on := c.of("order.placed", "order.accepted", "order.ready", "task.overdue", "task.overdue", "task.decided", "task.assigned", "effect.failed")
			when := "-"
			switch {
			case strings.HasPrefix(on, "task.") && c(2) == 0:
				when = c.of(`task.kind == "review"`, `task.kind == "task"`, `task.queue == "ops"`, `task.queue != "ops"`)
			case on == "effect.failed" && c(2) == 0:
				when = c.of(`effect.purpose != "one"`, `effect.purpose == "two"`, `effect.destination == "erp"`)
			case c(4) == 0:
				when = c.of(`order.total > money("5", "EUR")`, `order.units > 3`)
			}
			step := c.of(holdRisk, "release", "release", "task: { queue: ops, title: look }", "task: { queue: risk, title: look }",
				"message: { template: low-stock, purpose: one, to: ops@shop.example, subject: event }", "webhook: { connection: erp, purpose: two }", "tag: x")
			rows = append(rows, fmt.Sprintf("a%d | %s | %s | %s", i, on, when, step))
		}
		as := set(t, rows...)
		l := live(as, 60, c(2) == 0)
		graph := make([][]edge, len(as))
		for pair := range l.led {
			from := slices.IndexFunc(as, func(a *automation.Automation) bool { return a.Name == pair[0] })
			to := slices.IndexFunc(as, func(a *automation.Automation) bool { return a.Name == pair[1] })
			graph[from] = append(graph[from], edge{to: to})
		}
		report := Check(decide.Settings{}, World{}, as)
		claimed := func(group []int) bool {
			return slices.ContainsFunc(report.Findings, func(f Finding) bool {
				return f.Kind == Loop && !slices.ContainsFunc(group, func(n int) bool { return !slices.Contains(f.Automations, as[n].Name) })
			})
		}
		for _, group := range circles(graph) {
			found++
			if !claimed(group) {
				t.Fatalf("%v\nran in a circle: %v fired %v, and no finding says so:\n%v", rows, group, l.fired, strip(report))
			}
		}
		if len(report.Findings) == 0 {
			silent++
		}
	})
	t.Logf("%d circles ran, %d sets without a finding", found, silent)
	if !testing.Short() && (found == 0 || silent == 0) {
		t.Error("the test says little")
	}
}
