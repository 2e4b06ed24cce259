package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// item is one event of a group on its way through a commit.
type item struct {
	p    *prepared
	at   time.Time
	out  Outcome
	skip bool // duplicate or conflict: already answered
}

// commit decides a group in one transaction and fills in the outcomes. An
// event whose decision fails inside a group is decided again alone, against
// freshly loaded rows, before it is given up.
func (e *Engine) commit(ctx context.Context, g *group) error {
	var items []*item
	var again []*item
	var written *batch
	err := e.db.UpdateBulk(ctx, func(tx *store.Tx) error {
		e.gather(g)
		items, again = items[:0], again[:0]
		for _, s := range g.subs {
			for i := range s.evs {
				items = append(items, &item{p: &s.evs[i]})
			}
		}
		b, err := e.decideGroup(tx, items)
		if err != nil {
			return err
		}
		for _, it := range items {
			if it.out.Status == "" {
				again = append(again, it)
			}
		}
		written = b
		return b.write(tx, e)
	})
	if err != nil {
		return err
	}
	for _, it := range again {
		if err := e.commitAlone(ctx, it); err != nil {
			return err
		}
	}
	k := 0
	for _, s := range g.subs {
		s.out = make([]Outcome, len(s.evs))
		for i := range s.evs {
			s.out[i] = items[k].out
			k++
		}
	}
	e.stats.Groups.Add(1)
	e.stats.Events.Add(int64(len(items)))
	e.watch.publish(written)
	return nil
}

// commitAlone decides one event by itself, and quarantines it when that fails too.
func (e *Engine) commitAlone(ctx context.Context, it *item) error {
	var written *batch
	var why error
	decideOnce := func(quarantine bool) error {
		return e.db.Update(ctx, func(tx *store.Tx) error {
			it.out, it.skip = Outcome{}, false
			b, err := e.decideGroup(tx, []*item{it})
			if err != nil {
				return err
			}
			if it.out.Status == "" {
				if !quarantine {
					return errUndecided
				}
				e.quarantine(b, it.p.ev, it.p.again, why)
				b.personal(it.p)
				it.out = Outcome{EventID: it.p.ev.ID, Status: Quarantined, Reason: fault.Message(why), Subject: it.p.ev.Subject}
			}
			written = b
			return b.write(tx, e)
		})
	}
	err := decideOnce(false)
	if errors.Is(err, errUndecided) {
		why = it.p.failed
		if it.p.ev.Source == consoleSource && fault.KindOf(why) != fault.Internal {
			it.out = Outcome{EventID: it.p.ev.ID, Status: Refused, Reason: fault.Message(why), Subject: it.p.ev.Subject}
			return nil
		}
		err = decideOnce(true)
	}
	if err == nil {
		e.watch.publish(written)
	}
	return err
}

var errUndecided = errors.New("engine: undecided")

// consoleSource is the door of people's clicks: what contradicts the record is refused with a
// reason they can act on, instead of being kept.
const consoleSource = "console"

// decideGroup dedupes, loads and decides. Items left with an empty status could not be decided.
func (e *Engine) decideGroup(tx *store.Tx, items []*item) (*batch, error) {
	if slices.ContainsFunc(items, changesModes) {
		if err := tx.HoldPolicy(); err != nil {
			return nil, err
		}
	}
	pairs := make([]store.KeyPair, len(items))
	for i, it := range items {
		pairs[i] = store.KeyPair{Source: it.p.ev.Source, ID: it.p.ev.Key}
	}
	var known map[store.KeyPair]store.KeyRow
	var rev, locations int64
	err := tx.Together(func() (err error) {
		if known, err = store.EventKeys(tx, pairs); err == nil {
			rev, locations, err = tx.CurrentPolicy()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	pol, err := e.policyAt(tx, rev, locations)
	if err != nil {
		return nil, err
	}
	b := newBatch(pol)
	if err := e.dedupe(tx, items, pairs, known, b); err != nil {
		return nil, err
	}
	now := tx.Now()
	live := items[:0:0]
	for _, it := range items {
		if it.skip {
			continue
		}
		it.at = now
		if it.p.ev.Mode == event.History {
			it.at = it.p.ev.At
		}
		live = append(live, it)
	}
	if len(live) == 0 {
		return b, nil
	}
	snap, err := e.load(tx, pol, live, b)
	if err != nil {
		return nil, err
	}
	for _, it := range live {
		e.decideItem(snap, pol, it, b)
	}
	return b, nil
}

// changesModes reports whether a person stops an automation or lets it go on.
// Every other group has decided before, or decides after it.
func changesModes(it *item) bool {
	switch it.p.ev.Data.(type) {
	case *event.AutomationStopped, *event.AutomationResumed:
		return true
	}
	return false
}

// maxDepth bounds what one event may derive inside its own transaction.
const maxDepth = 8

// decideItem decides an event and what follows from it, breadth first. When the
// event itself fails, nothing of it is applied. When a derived one fails, its
// cause stands and the derived event is kept as quarantined.
func (e *Engine) decideItem(snap *decide.Snapshot, pol *decide.Policy, it *item, b *batch) {
	it.p.failed = nil
	queue := []event.Event{it.p.ev}
	var done []*decide.Decision
	for n := 0; n < len(queue); n++ {
		ev := queue[n]
		at := it.at
		if o, ok := snap.Orders[ev.Subject]; ok && ev.Mode == event.Live && o.UpdatedAt.After(at) {
			at = o.UpdatedAt // another node's clock runs ahead: time never goes back for one order
		}
		d, err := safeDecide(snap, ev, pol, at)
		if err == nil && ev.Depth > maxDepth {
			err = fault.New(fault.Internal, "engine.decide", "%s%s", circleReason, strings.Join(chain(done, ev), circleArrow))
		}
		switch {
		case err != nil && n == 0:
			it.p.failed = err
			return
		case err != nil:
			e.quarantine(b, ev, false, err)
			continue
		}
		snap.Apply(d)
		done = append(done, d)
		b.add(it.p, d, n == 0)
		queue = append(queue, d.Derived...)
	}
	it.out = Outcome{EventID: it.p.ev.ID, Status: Decided, Subject: it.p.ev.Subject}
}

// What the reason of an event begins with that was derived too deep, and what stands between the automations of its chain.
const (
	circleReason = "events derive each other more than 8 deep; the automations that acted: "
	circleArrow  = " → "
)

// chain names the automations that acted on the way to a derived event, the first one first.
func chain(done []*decide.Decision, ev event.Event) []string {
	var names []string
	for i := len(done) - 1; i >= 0; i-- { // causes stand before what they derive
		if done[i].Event.ID != ev.Cause {
			continue
		}
		ev = done[i].Event
		for _, c := range slices.Backward(done[i].Trace.Automations) {
			if c.Outcome == decide.Fired && c.Mode == "" {
				names = append(names, c.Name)
			}
		}
	}
	slices.Reverse(names)
	return names
}

// safeDecide turns a panic of a decision into an error: one bad event must not stop the shop.
func safeDecide(snap *decide.Snapshot, ev event.Event, pol *decide.Policy, at time.Time) (d *decide.Decision, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, err = nil, fault.New(fault.Internal, "decide.Decide", "the decision failed: %v", r)
		}
	}()
	return decide.Decide(snap, ev, pol, at)
}

// dedupe answers what was seen before, in the store (known, by the identities of the items) or earlier in this group.
func (e *Engine) dedupe(tx *store.Tx, items []*item, pairs []store.KeyPair, known map[store.KeyPair]store.KeyRow, b *batch) error {
	for i, it := range items {
		if it.p.again {
			// Two people asked at once: the first decided it.
			row, err := tx.EventByID(it.p.ev.ID)
			if err != nil {
				return err
			}
			if row.State != store.EventQuarantined || slices.ContainsFunc(items[:i], func(o *item) bool { return o.p.again && o.p.ev.ID == it.p.ev.ID }) {
				it.skip, it.out = true, Outcome{EventID: it.p.ev.ID, Status: Duplicate, Subject: it.p.ev.Subject, Reason: "it was decided meanwhile"}
			}
			continue
		}
		have, ok := known[pairs[i]]
		if !ok {
			known[pairs[i]] = store.KeyRow{Hash: it.p.ev.Hash, EventID: it.p.ev.ID}
			continue
		}
		it.skip = true
		if it.p.ev.Source == timerSource {
			b.timersDone = append(b.timersDone, it.p.ev.Key)
		}
		it.out = Outcome{EventID: have.EventID, Status: Duplicate, Subject: it.p.ev.Subject}
		if have.Hash != it.p.ev.Hash {
			it.out.Status = Conflict
			it.out.Reason = fmt.Sprintf("event %q of source %q was received before with other content; give a changed event a new id", it.p.ev.Key, it.p.ev.Source)
			b.conflicts = append(b.conflicts, store.EventConflict{Source: it.p.ev.Source, ID: it.p.ev.Key, PayloadHash: it.p.ev.Hash, At: tx.Now()})
		}
	}
	return nil
}

// quarantine keeps an event that could not be decided, and sees that somebody is told.
func (e *Engine) quarantine(b *batch, ev event.Event, again bool, why error) {
	e.stats.Quarantined.Add(1)
	b.quarantine(ev, again, fault.Message(why))
	e.log.Error("an event was quarantined", "event", ev.ID, "type", ev.Type, "err", why)
}

// traceText is a trace as it is stored. The method is called without json.Marshal around it, which would read its result once more.
func traceText(t *decide.Trace) string {
	b, err := t.MarshalJSON()
	if err != nil {
		panic(err) // texts and numbers: a bug
	}
	return string(b)
}
