package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// records writes the rounds of this node's delivery jobs. Mails go one by one, each recorded before its job begins the next,
// so a transaction for each would be most of the work. While one transaction is on its way those that come wait; the next
// does what all of them want.
type records struct {
	mu      sync.Mutex
	waiting []*record
	busy    bool // somebody writes, and will look again
}

// record is what one job wants: the attempts of its last round kept, and its next effects claimed.
type record struct {
	last []*attempt
	next []string

	did     outcome
	claimed []effect.Effect
	missed  bool // some of next another transaction has
	err     error
	done    chan struct{}
}

// recordTimeout bounds one transaction. A claim is of no use after its lease.
const recordTimeout = lease

// write waits until the record is written, or known not to be. A caller who stops meanwhile waits all
// the same: what was claimed would otherwise be left until the claim runs out.
func (q *records) write(ctx context.Context, e *Engine, r *record) error {
	if len(r.last) == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	r.done = make(chan struct{})
	q.mu.Lock()
	q.waiting = append(q.waiting, r)
	begin := !q.busy
	q.busy = true
	q.mu.Unlock()
	if begin {
		go q.work(context.WithoutCancel(ctx), e)
	}
	<-r.done
	return r.err
}

// work writes until nobody waits.
func (q *records) work(ctx context.Context, e *Engine) {
	for {
		q.mu.Lock()
		rs := q.waiting
		q.waiting, q.busy = nil, len(rs) > 0
		q.mu.Unlock()
		if len(rs) == 0 {
			return
		}
		e.writeRecords(ctx, rs)
	}
}

// writeRecords writes records in one transaction. When it fails, each is written alone, so that one that cannot be
// kept fails alone; but not when the database is away, which is the same for all.
func (e *Engine) writeRecords(ctx context.Context, rs []*record) {
	c, stop := context.WithTimeout(ctx, recordTimeout)
	err := e.db.Update(c, func(tx *store.Tx) error { return e.keep(tx, rs) })
	stop()
	if err != nil && len(rs) > 1 && fault.KindOf(err) != fault.Unavailable {
		for _, r := range rs {
			e.writeRecords(ctx, []*record{r})
		}
		return
	}
	for _, r := range rs {
		if err != nil {
			r.err = err
		}
		close(r.done)
	}
}

// errHeld is what a record comes to while another transaction has an effect of it: a group that decides about its order.
var errHeld = fault.New(fault.Unavailable, "engine.keep", "an event about the same order is being decided")

// keep is the transaction: what became of the attempts is recorded, the next are claimed. A record of which another transaction
// has an effect is left for later, and holds no other up.
func (e *Engine) keep(tx *store.Tx, all []*record) error {
	var ids []string
	for _, r := range all {
		for _, a := range r.last {
			ids = append(ids, a.effect.ID)
		}
		ids = append(ids, r.next...)
	}
	free, err := store.FreeEffects(tx, uniq(ids))
	if err != nil {
		return err
	}
	var rs []*record
	var next []string
	asks := map[string]*record{}
	for _, r := range all {
		r.claimed, r.missed, r.err = nil, false, nil // the transaction may run again
		if slices.ContainsFunc(r.last, func(a *attempt) bool { return !free[a.effect.ID] }) {
			r.err = errHeld
			continue
		}
		rs = append(rs, r)
		for _, id := range r.next {
			if !free[id] {
				r.missed = true
			} else if asks[id] == nil { // two jobs may name the same effect
				asks[id] = r
				next = append(next, id)
			}
		}
	}
	now, err := tx.Clock()
	if err != nil {
		return err
	}
	var results []store.Result
	var timers []store.Timer
	for _, r := range rs {
		if r.did, err = e.outcome(tx, r.last, now); err != nil {
			return err
		}
		results, timers = append(results, r.did.results...), append(timers, r.did.timers...)
	}
	if err := store.FinishEffects(tx, results); err != nil {
		return err
	}
	if err := store.InsertTimers(tx, timers); err != nil {
		return err
	}
	claimed, err := store.ClaimEffects(tx, uniq(next), now, lease)
	for _, f := range claimed {
		asks[f.ID].claimed = append(asks[f.ID].claimed, f)
	}
	return err
}

// recordAfterClose is how long Close waits for a database that is away to take what was sent.
const recordAfterClose = 5 * time.Second

// pause waits before a record is tried again, and reports false when the engine has been closing for long enough.
func (e *Engine) pause(wait time.Duration) bool {
	if at := e.closed.Load(); at != 0 && time.Since(time.UnixMicro(at)) > recordAfterClose {
		return false
	}
	time.Sleep(wait)
	return true
}
