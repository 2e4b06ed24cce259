package backtest

import (
	"context"
	"errors"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
)

// follower takes the recorded decisions into a world, one submitted event with what
// it led to after the other, and asks the candidates just before each.
type follower struct {
	w      *World
	k      *asker
	r      *tally
	reader *worker
	group  []*Entry // a submitted event and the rows of those derived from it

	followed func(outer *Entry, d *decide.Decision) error // told of every submitted event; may be nil
}

func runFull(ctx context.Context, h *History, k *asker, need needs, r *tally) (err error) {
	products, err := Products(ctx, h.DB)
	if err != nil {
		return err
	}
	f := &follower{w: NewWorld(products, need.window), k: k, r: r, reader: k.worker()}
	defer func() { err = errors.Join(err, f.w.Close()) }()
	return f.run(ctx, h)
}

// run follows the whole history.
func (f *follower) run(ctx context.Context, h *History) error {
	k, r := f.k, f.r
	err := h.walk(ctx, stages{
		fold: func(ch *chunk) error {
			for i := range ch.entries {
				if err := k.load(ctx, &ch.entries[i]); err != nil {
					return err
				}
			}
			return nil
		},
		ask: func(ch *chunk) error { // reading traces is most of the work, and needs no order
			for i := range ch.entries {
				if err := ch.entries[i].recall(); err != nil {
					return err
				}
			}
			return nil
		},
		done: func(ch *chunk) error {
			for i := range ch.entries {
				e := &ch.entries[i]
				if e.Depth == 0 {
					if err := f.flush(); err != nil {
						return err
					}
				}
				f.group = append(f.group, e)
			}
			r.progress(ch)
			return nil
		},
	})
	if err != nil {
		return err
	}
	r.late = f.w.marks.late
	return f.flush()
}

// recall reads what the decision chose.
func (e *Entry) recall() error {
	t, err := e.Recorded()
	if err != nil {
		return err
	}
	e.rec = &decide.Recorded{Routing: t.Routing}
	for _, c := range t.Automations {
		if c.Outcome != decide.Fired || c.Mode != "" {
			continue
		}
		if a := e.before.then.pol.Automations.Get(c.Name); a != nil {
			e.rec.Acted = append(e.rec.Acted, a)
		}
	}
	return nil
}

// flush follows the group in hand.
func (f *follower) flush() error {
	if len(f.group) == 0 {
		return nil
	}
	group := f.group
	f.group = nil
	outer := group[0]
	snap, err := f.w.Load(outer.Event, outer.before.then.pol, outer.At)
	if err != nil {
		return err
	}
	rows := make(map[string]*Entry, len(group))
	for _, e := range group {
		rows[e.ID] = e
	}
	queue := []event.Event{outer.Event}
	for n := 0; n < len(queue); n++ {
		ds, err := f.follow(snap, outer, rows[queue[n].ID], queue[n])
		if err != nil {
			return err
		}
		delete(rows, queue[n].ID)
		queue = append(queue, ds...)
		if n == len(queue)-1 { // what was derived then and is not now has its row
			for _, e := range group {
				if rows[e.ID] != nil {
					queue = append(queue, e.Event)
					break
				}
			}
		}
	}
	for _, e := range group {
		if err := f.r.entry(e); err != nil {
			return err
		}
	}
	return nil
}

// follow asks the candidates about one event and takes what was decided then into
// the world. e is its row, nil when it had none.
func (f *follower) follow(snap *decide.Snapshot, outer, e *Entry, ev event.Event) ([]event.Event, error) {
	t := outer.before.then
	at := outer.At
	if o, ok := snap.Orders[ev.Subject]; ok && ev.Mode == event.Live && o.UpdatedAt.After(at) {
		at = o.UpdatedAt // as live
	}
	if len(t.cand.Automations.On(ev.Type)) > 0 {
		if err := f.ask(snap, outer, e, ev, at); err != nil {
			return nil, err
		}
	}
	rec := &decide.Recorded{}
	if e != nil {
		rec = e.rec
	}
	d, err := decide.Follow(snap, ev, t.pol, at, rec)
	if err != nil {
		f.r.drift++
		return nil, nil //nolint:nilerr // counted: the shop went on, and so does the walk
	}
	if e != nil && (string(e.From) != d.Trace.From || string(e.To) != d.Trace.To) {
		f.r.drift++
	}
	snap.Apply(d)
	if err := f.w.Keep(snap, d); err != nil {
		return nil, err
	}
	if f.followed != nil && ev.ID == outer.ID {
		return d.Derived, f.followed(outer, d)
	}
	return d.Derived, nil
}

func (f *follower) ask(snap *decide.Snapshot, outer, e *Entry, ev event.Event, at time.Time) error {
	var known decide.Facts
	var err error
	into := outer
	if e != nil {
		into = e
		if known, err = f.reader.facts(e, ev.Type); err != nil {
			return err
		}
	}
	d, err := decide.Ask(snap, ev, outer.before.then.cand, at, known, false)
	if err != nil || d.Considered == 0 {
		return nil //nolint:nilerr // what cannot be decided is asked about by nobody
	}
	f.k.keep(into, d)
	a := &into.asked[len(into.asked)-1]
	if a.order = outer.OrderID; e != nil {
		a.order = e.OrderID
	}
	if o := snap.Orders[a.order]; o != nil {
		a.total = o.Total
		if ev.Type != placed { // one that comes in is held by nobody
			a.stand = standOf(o)
		}
	}
	return nil
}
