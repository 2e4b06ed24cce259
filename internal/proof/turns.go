package proof

import (
	"maps"
	"slices"
	"sort"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// turn is something that may happen while a run waits.
type turn struct {
	event event.Payload
	text  string
	late  bool // it happens at the end of the wait
}

// waiting is the run that goes on next, with what may let it.
func (t *trial) waiting(as []*automation.Automation, c Case) (*automation.Run, []turn) {
	var runs []*automation.Run
	texts := map[string]*automation.Automation{}
	for _, a := range as {
		texts[a.Name] = a
	}
	for _, r := range t.snap.Runs {
		if a := texts[r.Automation]; r.State == automation.RunWaiting && a != nil && r.At[0].Step < len(a.Steps)-1 {
			runs = append(runs, r)
		}
	}
	sort.Slice(runs, func(i, j int) bool {
		a, b := runs[i], runs[j]
		if !a.Wait.Until.Equal(b.Wait.Until) {
			return a.Wait.Until.Before(b.Wait.Until) // a question without a deadline may be answered at once
		}
		return a.ID < b.ID
	})
	for _, r := range runs {
		a := texts[r.Automation]
		var turns []turn
		switch x := a.StepAt(r.At).Action.(type) {
		case automation.Ask:
			for _, o := range x.Options {
				turns = append(turns, turn{event: &event.TaskDecided{Task: r.Wait.Task, Outcome: o}, text: "the answer to \"" + x.Title + "\" is " + o})
			}
		case automation.WaitFor:
			for _, p := range awaited(x, r, c) {
				turns = append(turns, turn{event: p, text: schema.EventLabel(x.Event)})
			}
		case automation.Call:
			turns = answers(a, x, r)
		}
		if !r.Wait.Until.IsZero() {
			text := rule.Show(r.Wait.Until.Sub(r.Wait.Since)) + " pass"
			turns = append(turns, turn{event: &event.RunDue{Run: r.ID, Order: r.OrderID, Wait: r.Wait.N, Why: event.WokenByTime}, text: text, late: true})
		}
		if len(turns) > 0 {
			return r, turns
		}
	}
	return nil, nil
}

// awaited are events as a run waits for them, made of facts that meet its condition. What Orderly decides itself
// is not made up: it comes when the order is so far, which nobody knows here. What people do to a task is.
func awaited(x automation.WaitFor, r *automation.Run, c Case) []event.Payload {
	p, ok := event.New(x.Event)
	if !ok || slices.Contains(ours, x.Event) && x.Same != automation.SameTask {
		return nil
	}
	facts := rule.Map{}
	if x.Cond != nil {
		if _, m := rule.Solve(rule.IsTrue(x.Cond)); m != nil {
			facts = m
		}
	}
	reader{facts}.payload(p)
	placed := c.Order
	if o, ok := c.Event.(*event.OrderPlaced); ok {
		placed = o
	}
	switch p := p.(type) {
	case *event.OrderPlaced: // another order of the same customer
		if placed == nil {
			return nil
		}
		next := *placed
		next.Number += "-2"
		return []event.Payload{&next}
	case *event.TaskDecided:
		if p.Task = r.LastTask; p.Outcome == "" {
			p.Outcome = "done"
		}
	case *event.TaskAssigned:
		p.Task = r.LastTask
	case *event.TaskOverdue:
		p.Task = r.LastTask
	case *event.StockReceived:
		p.SKU = r.Subject
	case *event.StockCounted:
		p.SKU = r.Subject
	case *event.StockAdjusted:
		p.SKU = r.Subject
	case *event.StockTransferred:
		p.SKU = r.Subject
	}
	automation.CompleteEvent(p, placed)
	if len(p.Validate()) > 0 {
		return nil
	}
	return []event.Payload{p}
}

// maxAnswers bounds the answers that are tried for one call.
const maxAnswers = 6

// answers are what a system may answer to a call, such that the conditions that read it come out one way or the other.
func answers(a *automation.Automation, x automation.Call, r *automation.Run) []turn {
	one := event.CallAnswered{Effect: r.Wait.Effect, Run: r.ID, Order: r.OrderID, Status: 200}
	plain := map[string]string{}
	for _, f := range x.Returns {
		plain[f.Name] = map[schema.Type]string{
			schema.Int: "1", schema.Bool: "true", schema.Money: "1 EUR", schema.Time: "2026-01-15T12:00:00Z", schema.Duration: "1h", schema.String: "any",
		}[f.Type]
	}
	one.Values = plain
	tried := []event.CallAnswered{one}
	a.Each(func(s *automation.Step) {
		by, ok := s.Action.(automation.If)
		if !ok || !by.Cond.Names() {
			return
		}
		for _, ask := range []rule.Ask{rule.IsTrue(by.Cond), rule.IsFalse(by.Cond)} {
			_, m := rule.Solve(ask)
			next := one
			next.Values = maps.Clone(plain)
			for name, v := range m {
				field, ok := strings.CutPrefix(name, x.As+".")
				switch n, isInt := v.(int64); {
				case !ok:
				case field == "status" && isInt:
					next.Status = n
				default:
					next.Values[field] = automation.NewValue(field, v).Text
				}
			}
			if m != nil {
				tried = append(tried, next)
			}
		}
	})
	var out []turn
	for _, p := range tried[:min(len(tried), maxAnswers)] {
		q := p
		out = append(out, turn{event: &q, text: x.Connection + " answers"})
	}
	return out
}
