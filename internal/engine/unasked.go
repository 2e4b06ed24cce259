package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
)

// Unasked is why an automation was never asked about an order. A backtest over the days says what it would have
// done; there are none where a backtest cannot say.
type Unasked struct {
	Text, Since, Until string
	Verdict            *Explanation // what it would have said of this order, with what was known then; nil when that cannot be told quickly
}

// Unasked says why an automation of the current policy was never asked about an order, and what says what it would
// have answered. Without a name it says why none was.
func (e *Engine) Unasked(ctx context.Context, orderID, name string) (out Unasked, err error) {
	var would *automation.Automation
	var number int64 // of its version
	err = e.db.View(ctx, func(tx *store.Tx) error {
		would = nil
		policy, err := e.currentPolicy(tx)
		if err != nil {
			return err
		}
		if name == "" {
			events, _, err := tx.OrderStory(orderID, 1000)
			if err == nil {
				out.Text, err = e.noneAsked(tx, policy, events)
			}
			return err
		}
		a := policy.Automations.Get(name)
		if a == nil {
			out.Text = fmt.Sprintf("%s is not in the current policy, and no event of this order came while it was.", name)
			return nil
		}
		events, _, err := tx.OrderStory(orderID, 1000)
		if err != nil {
			return err
		}
		zone := policy.Settings.TimeZone
		var first, came *store.EventRow
		for i := range events {
			if first == nil {
				first = &events[i]
			}
			if events[i].Type == begins(a) {
				came = &events[i]
			}
		}
		out.Text = e.unasked(tx, a, came, events, zone)
		if came != nil && a.On == "order.placed" {
			would = a
			numbers, err := tx.VersionsByText(KindAutomation, a.Name)
			if err != nil {
				return err
			}
			number = numbers[a.Hash]
		}
		if first != nil && a.Schedule == nil {
			day := first.At.In(zone)
			out.Since, out.Until = day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)
		}
		return nil
	})
	if err == nil && would != nil {
		out.Verdict, err = e.verdict(ctx, orderID, would, number)
	}
	return out, err
}

// verdictTime bounds how long the history is read for one order; a backtest has all the time.
const verdictTime = 5 * time.Second

var errFound = errors.New("the order is found")

// verdict asks an automation about an order as it was known when it was placed, as a backtest does.
func (e *Engine) verdict(ctx context.Context, orderID string, a *automation.Automation, number int64) (x *Explanation, err error) {
	ctx, cancel := context.WithTimeout(ctx, verdictTime)
	defer cancel()
	want := decide.Wanted{Velocities: a.Condition.Velocities()}
	for _, f := range a.Condition.Fields() {
		if !slices.ContainsFunc(want.Velocities, func(v rule.Velocity) bool { return v.Fact == f }) {
			want.Fields = append(want.Fields, f)
		}
	}
	err = backtest.Cases(ctx, backtest.Options{DB: e.db, Keys: e.keys, Policies: e}, want, func(row *backtest.Entry, c *backtest.Case) error {
		if c == nil || c.Order != orderID {
			return nil
		}
		x = &Explanation{
			Automation: a.Name, Version: number, Hash: a.Hash[:10], Owner: a.Owner, Why: a.Why, EventID: strings.Clone(row.ID), EventType: a.On, At: c.At,
			Mode: a.Mode, Condition: a.Condition.Source(), Tree: a.Condition.Explain(c.Facts),
		}
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
	case errors.Is(err, context.DeadlineExceeded):
		return nil, nil
	case err != nil || x == nil:
		return nil, err
	}
	x.Outcome = map[string]string{rule.True.String(): "would have fired", rule.False.String(): "not fired"}[x.Tree.Outcome]
	if x.Outcome == "" {
		x.Outcome = rule.Unknown.String()
	}
	for _, leaf := range x.Tree.Leaves() {
		x.Reasons = append(x.Reasons, automation.Said(leaf))
	}
	return x, nil
}

// Told is the verdict in a sentence; "" when there is none.
func (u *Unasked) Told() string {
	if u.Verdict == nil {
		return ""
	}
	text := map[string]string{"would have fired": "it would have fired", "not fired": "it would not have fired"}[u.Verdict.Outcome]
	if text == "" {
		text = "it would have been unknown, so it would have done nothing"
	}
	text = "On this order, with what was known when it was placed, " + text
	if len(u.Verdict.Reasons) > 0 {
		text += ": " + strings.Join(u.Verdict.Reasons, "; ")
	}
	return text + "."
}

// begins is the event type that sets an automation off; an absence is waited for from one.
func begins(a *automation.Automation) string {
	if a.Absence != nil {
		return a.Absence.After
	}
	return a.On
}

const whenUnasked = "2006-01-02 15:04"

// noneAsked says why no automation at all was asked about an order with these events.
func (e *Engine) noneAsked(tx *store.Tx, now *decide.Policy, events []store.EventRow) (string, error) {
	if len(now.Automations.All()) == 0 {
		return "There is no automation in the policy, so none was asked.", nil
	}
	if text := cancelledFirst(events, now.Settings.TimeZone); text != "" {
		return text, nil
	}
	var types []string
	for _, ev := range events {
		then, err := e.PolicyThen(tx, ev.Policy)
		if err != nil {
			return "", err
		}
		if len(then.Automations.On(ev.Type)) > 0 {
			return "What came for this order changed nothing or is not decided, so no automation was asked.", nil
		}
		if !slices.Contains(types, ev.Type) {
			types = append(types, ev.Type)
		}
	}
	return "No automation was set off by what came for this order: " + strings.Join(types, ", ") + ".", nil
}

// cancelledFirst says of an order that was cancelled before it was placed that nothing was left to decide; "" of any other.
func cancelledFirst(events []store.EventRow, zone *time.Location) string {
	var cancelled string
	for _, ev := range events {
		switch at := ev.At.In(zone).Format(whenUnasked); {
		case ev.State != store.EventDecided || ev.Mode == event.History:
		case ev.Type == "order.cancelled" && cancelled == "":
			cancelled = at
		case ev.Type == "order.placed" && cancelled == "":
			return ""
		case ev.Type == "order.placed":
			return fmt.Sprintf("The order was cancelled at %s, before its order.placed came at %s. Nothing was left to decide about it, so no automation was asked.", cancelled, at)
		}
	}
	if cancelled == "" {
		return ""
	}
	return fmt.Sprintf("The order was cancelled at %s, before it was placed, and no order.placed came so far. Automations are asked about an order once it is placed.", cancelled)
}

func (e *Engine) unasked(tx *store.Tx, a *automation.Automation, came *store.EventRow, events []store.EventRow, zone *time.Location) string {
	const layout = whenUnasked
	switch {
	case a.Mode == automation.Draft:
		return a.Name + " is a draft: it is kept and asked about nothing."
	case a.Mode == automation.Paused:
		return a.Name + " is paused: it is asked about nothing until a person gives it another mode."
	case a.Schedule != nil:
		return a.Name + " is set off by its schedule, never by an order."
	case came == nil:
		return fmt.Sprintf("%s is set off by %s, and none came for this order so far.", a.Name, begins(a))
	}
	at := came.At.In(zone).Format(layout)
	then, err := e.PolicyThen(tx, came.Policy)
	var was *automation.Automation
	if err == nil {
		was = then.Automations.Get(a.Name)
	}
	switch {
	case err == nil && was == nil:
		return fmt.Sprintf("%s came into the policy after the %s of this order, which was at %s.", a.Name, came.Type, at)
	case was != nil && !was.Mode.Considered():
		return fmt.Sprintf("%s was in the mode %s when the %s of this order came, at %s.", a.Name, was.Mode, came.Type, at)
	case was != nil && begins(was) != begins(a):
		return fmt.Sprintf("%s was set off by %s when the %s of this order came, at %s.", a.Name, begins(was), came.Type, at)
	case a.Absence != nil:
		return fmt.Sprintf("%s waits for %s after the %s of %s; it is asked only when that does not come in time.", a.Name, a.Absence.Of, came.Type, at)
	}
	if text := cancelledFirst(events, zone); text != "" {
		return text
	}
	return fmt.Sprintf("The %s of this order, at %s, changed nothing or is not decided, so no automation was asked.", came.Type, at)
}
