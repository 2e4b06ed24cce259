package backtest

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// Case is an order as it looked when it was placed, and how it ended.
type Case struct {
	Order, Channel, Number string
	At                     time.Time
	Total                  money.Amount
	Facts                  decide.Facts // those wanted, as they were then; the stock of lines is not among them
	HeldThen               bool
	Disputed               *store.Dispute // nil: never, as far as is known today
}

// Cases calls fn for every order of the history, oldest first, with the facts that
// an automation on order.placed could have read.
func Cases(ctx context.Context, db *store.DB, keys *store.Keyring, eng *engine.Engine, want decide.Wanted, fn func(*Case) error) error {
	bad := map[string]*store.Dispute{}
	err := db.View(ctx, func(tx *store.Tx) error {
		return tx.Disputes(func(d store.Dispute) error {
			bad[d.Order] = &d
			return nil
		})
	})
	if err != nil {
		return err
	}
	need := needs{by: map[string]bool{}}
	need.add(placed, "", want.Fields)
	for _, v := range want.Velocities {
		need.by[v.By] = true
		need.window = max(need.window, v.Within)
	}
	k := &asker{eng: eng, db: db, set: automation.NewSet(nil), thens: map[int64]*then{}}
	h := &History{DB: db, Keys: keys, Email: need.email, Types: lightTypes}
	c := newCounts(need, want.Velocities)
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
			snap := k.small()
			for i := range ch.entries {
				e := &ch.entries[i]
				if e.Placed() == nil {
					continue
				}
				f, ok := decide.Gather(k.snapshot(e, snap), e.Event, e.before.then.cand, e.At, &want)
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
				p := e.Placed()
				if p == nil || e.facts == nil {
					continue
				}
				err := fn(&Case{
					Order: e.Subject, Channel: p.Channel, Number: p.Number, At: e.At, Total: p.Worth(), Facts: e.facts,
					HeldThen: e.To == order.Held, Disputed: bad[e.Subject],
				})
				if err != nil {
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
	stored, err := decide.DecodeFactsOf([]byte(e.HistoryRow.Facts), names)
	maps.Copy(f, stored)
	return err
}
