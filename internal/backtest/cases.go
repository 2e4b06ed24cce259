package backtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// Case is an order as it looked when it was placed, and how it ended.
type Case struct {
	Order, Number string
	At            time.Time // when it was placed
	Total         money.Amount
	Facts         decide.Facts   // those wanted, as they were then; the stock of lines is not among them
	Disputed      *store.Dispute // nil: never, as far as is known today
}

// Cases calls fn for every recorded decision in order, with a case for each order that was placed and
// the facts that an automation on order.placed could have read; otherwise the case is nil. fn may
// keep the case, and nothing of the entry, whose payload may not have been decoded.
func Cases(ctx context.Context, o Options, want decide.Wanted, fn func(*Entry, *Case) error) error {
	bad := map[string]*store.Dispute{}
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Disputes(func(d store.Dispute) error {
			bad[d.Order] = &d
			return nil
		})
	})
	if err != nil {
		return err
	}
	var need needs
	need.add(placed, "", want.Fields)
	need.count(want.Velocities)
	k := newAsker(o.DB, o.Policies, automation.NewSet(nil))
	h := &History{DB: o.DB, Old: o.Old, Keys: o.Keys, Email: need.email, Types: lightTypes, brief: true}
	c := newCounts(need, want.Velocities)
	c.all = true
	return h.walk(ctx, stages{
		fold: func(ch *chunk) error {
			for i := range ch.entries {
				if err := k.load(ctx, &ch.entries[i]); err != nil {
					return err
				}
				c.take(&ch.entries[i])
			}
			return nil
		},
		ask: func(ch *chunk) error {
			w := k.worker()
			for i := range ch.entries {
				e := &ch.entries[i]
				if e.Placed() == nil {
					continue
				}
				f, ok := decide.Gather(w.before(e), e.Event, e.before.then.cand, e.At, &want)
				if !ok {
					continue
				}
				if err := e.overlay(f, &want); err != nil {
					return err
				}
				e.facts = f
			}
			return nil
		},
		done: func(ch *chunk) error {
			for i := range ch.entries {
				e := &ch.entries[i]
				var x *Case
				if p := e.Placed(); p != nil && e.facts != nil {
					x = &Case{Order: strings.Clone(e.Subject), Number: strings.Clone(p.Number), At: e.At, Total: p.Worth(), Facts: e.facts, Disputed: bad[e.Subject]}
					x.Total.Currency = strings.Clone(x.Total.Currency)
					if !p.PlacedAt.IsZero() && p.PlacedAt.Before(e.At) {
						x.At = p.PlacedAt
					}
				}
				if err := fn(e, x); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// overlay puts the facts that were stored with the decision over folded ones.
func (e *Entry) overlay(f decide.Facts, want *decide.Wanted) error {
	names := slices.Clone(want.Fields)
	for _, v := range want.Velocities {
		names = append(names, v.Fact)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !e.before.then.was[placed][n] || n == "order.lines" })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	s := decide.NewStored(names)
	if err := s.Read(e.HistoryRow.Facts); err != nil {
		return err
	}
	stored, err := s.Facts()
	maps.Copy(f, stored)
	return err
}
