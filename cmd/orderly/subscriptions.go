package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// subscriptions expects that what senders should deliver arrives: as often as their connections say, and signed so that it is taken. A sender
// that has dropped its subscription does not tell, and a signed webhook gives no way to ask it: that nothing comes, or that all that
// comes is refused, is all there is to notice.
func (s *shop) subscriptions() watch.State {
	return watch.State{
		Name: "subscriptions", Title: "What senders should deliver arrives and is taken",
		About: "Of inbound connections: at least as often as they say, and within an hour not 5 deliveries refused for their signature and none taken.",
		Look: func(tx *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
			rows, err := tx.Connections()
			if err != nil {
				return nil, err
			}
			refused, err := tx.Tallies(ask.Now.Add(-time.Hour))
			var out []watch.Breach
			for _, row := range rows {
				c, _, err := readConnection(s.keys, row)
				if err != nil || row.Kind != kindInbound {
					continue // one that cannot be read fails where it is used
				}
				b, ok := refusedOf(row.Name, refused, ask)
				if !ok && c.Expect != "" {
					b, ok = tooFew(row, c.Expect, ask)
				}
				if ok {
					b.Subject, b.Symptoms = watch.SilentSubject(watch.Connection+":"+row.Name), []string{"subscriptions"}
					out = append(out, b)
				}
			}
			return out, err
		},
	}
}

// tooFew finds a sender that delivers less than its connection says.
func tooFew(row store.Connection, expect string, ask watch.Ask) (watch.Breach, bool) {
	e, err := automation.ParseExpect(expect)
	if err != nil || ask.Now.Sub(row.Updated) < e.Window() || ask.Now.Sub(ask.Up) < min(e.Window(), 24*time.Hour) {
		return watch.Breach{}, false // what came while the program did not run is not held against the sender
	}
	n, last := ask.Came(watch.Connection+":"+row.Name, e.Window())
	if n >= e.AtLeast {
		return watch.Breach{}, false
	}
	seen := "nothing has ever come"
	if !last.IsZero() {
		seen = "the last came " + ask.Local(last).Format("2006-01-02 15:04 MST")
	}
	return watch.Breach{
		Title: "Less comes from " + row.Name + " than its connection says", Since: ask.Now,
		Detail: fmt.Sprintf("%d events within the last %s, and at least %d are expected; %s", n, e.Per, e.AtLeast, seen),
		Next: "Look in the sender's own settings whether its subscription to /hooks/" + row.Name + " is still there: many shops drop one whose deliveries failed for a while. " +
			"Then look at its log of deliveries, and whether it signs with the secret of the connection.",
	}, true
}

// refusedLeast is how many refused deliveries within an hour are no accident.
const refusedLeast = 5

// refusedOf finds a sender all of whose deliveries are refused. One that is also heard is well: the refused ones are somebody else's.
func refusedOf(name string, ts []store.Tally, ask watch.Ask) (watch.Breach, bool) {
	b := watch.Breach{Title: "What " + name + " delivers is refused"}
	n, why := int64(0), ""
	for _, t := range ts {
		if t.Purpose == watch.Refused && t.Destination == name {
			if n == 0 {
				b.Since = t.At
			}
			n, why = n+t.Failed, t.LastError
		}
	}
	_, last := ask.Came(watch.Connection+":"+name, time.Hour)
	if n < refusedLeast || last.After(b.Since) {
		return b, false
	}
	b.Detail = fmt.Sprintf("%d deliveries within the last hour were refused, and none was taken; the last one because %s", n, why)
	b.Next = "If it is this sender: give it the secret of the connection (orderly connection rotate " + name + " makes a second one beside the old), or set its clock. " +
		"Do it soon, as many shops drop a subscription whose deliveries fail, and then let it send again what was refused."
	return b, true
}

// refusals counts what this node refused for its signature since it last told the others.
type refusals struct {
	mu sync.Mutex
	by map[string]*store.Tally
}

func (r *refusals) add(connection string, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]*store.Tally{}
	}
	t := r.by[connection]
	if t == nil {
		t = &store.Tally{Destination: connection, Purpose: watch.Refused}
		r.by[connection] = t
	}
	t.Failed++
	t.LastError = fault.Message(why)
}

// take returns what was counted and begins anew.
func (r *refusals) take(at time.Time) (out []store.Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.by {
		t.At = at
		out = append(out, *t)
	}
	r.by = nil
	return out
}

// refusalsEvery is how often a node writes down what it refused: strangers who knock write no row each.
const refusalsEvery = 20 * time.Second

// tellRefusals writes down what is refused, so that whichever node watches sees it, until ctx ends.
func (ps *ports) tellRefusals(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(refusalsEvery)
	defer tick.Stop()
	node := uuid.NewString()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := ps.writeRefusals(ctx, node); err != nil && ctx.Err() == nil {
			log.Warn("refused deliveries could not be counted", "err", err)
		}
	}
}

func (ps *ports) writeRefusals(ctx context.Context, node string) error {
	ts := ps.refused.take(ps.now())
	if len(ts) == 0 {
		return nil
	}
	return ps.db.Update(ctx, func(tx *store.Tx) error { return tx.AddTallies(node, ts) })
}

// heard names the rates whose silence is noticed: those that were learned, and those of the senders that say how often they deliver.
func (s *shop) heard(tx *store.Tx, pol *decide.Policy, now time.Time) ([]string, error) {
	out, err := watch.KnownRates(tx, pol, now)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Connections()
	for _, row := range rows {
		if c, _, err := readConnection(s.keys, row); err == nil && row.Kind == kindInbound && c.Expect != "" {
			out = append(out, watch.Connection+":"+row.Name)
		}
	}
	return out, err
}
