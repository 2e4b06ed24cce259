package engine

import (
	"context"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// cases fills a table with the orders placed since a time, at most the newest [suggest.MaxRows],
// each with what was known when it was placed. An order's outcome is what a person
// decided, or its label, or whether it was disputed, as the query says.
func (e *Engine) cases(ctx context.Context, q SuggestQuery) (*suggest.Table, error) {
	since, reviews := q.Since, map[string]store.Review{}
	err := e.db.View(ctx, func(tx *store.Tx) error {
		oldest, err := tx.PlacedSince(suggest.MaxRows)
		if err != nil {
			return err
		}
		if !oldest.Before(since) {
			since = oldest.Add(time.Microsecond)
		}
		return tx.DecidedReviews(since, func(r store.Review) { reviews[r.Task] = r })
	})
	if err != nil {
		return nil, err
	}
	t := suggest.NewTable()
	own := e.screening(t)
	var want decide.Wanted
	want.Fields, want.Velocities = suggest.Reads()
	err = backtest.Cases(ctx, backtest.Options{DB: e.db, Keys: e.keys, Policies: e}, want, func(x *backtest.Entry, c *backtest.Case) error {
		switch {
		case c == nil:
			if q.Labels == nil && !q.Disputes {
				return people(t, x, reviews)
			}
			return nil
		case c.At.Before(since):
			return nil
		}
		s := suggest.Case{ID: c.Order, Number: c.Number, At: c.At, Facts: c.Facts, Money: c.Total}
		cover(&s, own)
		switch {
		case q.Labels != nil:
			s.Outcome = q.Labels[c.Number]
		case q.Disputes && c.Disputed != nil:
			s.Outcome = suggest.Reject
		case q.Disputes:
			s.Outcome = suggest.Approve
		}
		t.Add(s)
		return nil
	})
	return t, err
}

// screening are the active automations that take one of the steps that suggestions propose, by step.
func (e *Engine) screening(t *suggest.Table) map[string][]*automation.Automation {
	own := map[string][]*automation.Automation{}
	for _, a := range e.Policy().Automations.On("order.placed") {
		if a.Mode != automation.Active {
			continue
		}
		for _, s := range a.Steps {
			if s.Kind == automation.KindHold || s.Kind == automation.KindRelease {
				own[string(s.Kind)] = append(own[string(s.Kind)], a)
				t.Knows(a.Name, a.Condition)
			}
		}
	}
	return own
}

// people keeps what a person decided about a held order.
func people(t *suggest.Table, x *backtest.Entry, reviews map[string]store.Review) error {
	by := strings.Clone(x.Actor) // the entry's text is used again
	switch x.Type {
	case "task.decided":
		p, err := event.DecodeText(x.Type, x.Data)
		if err != nil {
			return err
		}
		d := p.(*event.TaskDecided)
		if r, ok := reviews[d.Task]; ok {
			t.Decide(r.OrderID, d.Outcome, by, r.Queue)
		}
	case "order.release_requested":
		t.Decide(x.OrderID, suggest.Approve, by, "")
	}
	return nil
}

// cover notes which automations meet the case already, by step.
func cover(c *suggest.Case, own map[string][]*automation.Automation) {
	for step, as := range own {
		for _, a := range as {
			if out, _ := a.Condition.Eval(c.Facts); out != rule.True {
				continue
			}
			if c.Covered == nil {
				c.Covered = map[string][]string{}
			}
			c.Covered[step] = append(c.Covered[step], a.Name)
		}
	}
}
