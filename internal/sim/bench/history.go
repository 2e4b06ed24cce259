package bench

import (
	"context"
	"encoding/json"
	"time"

	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/store"
)

// historyBatch is how many orders are written in one transaction.
const historyBatch = 2000

// ordersPerDay is how fast the orders of a made history came in.
const ordersPerDay = 10_000

// History gives an empty shop a history of n orders: each is decided by the shop's
// twenty automations as it would have been live, on a working set in memory, and its event rows are
// written as the engine writes them. Nothing else is: a backtest reads nothing else.
func History(ctx context.Context, db *store.DB, keys *store.Keyring, eng *engine.Engine, seed uint64, n int, progress func(done int)) error {
	if err := Prepare(ctx, db, eng, seed); err != nil {
		return err
	}
	bodies, err := NewBodies(seed, "H", 0)
	if err != nil {
		return err
	}
	products, err := backtest.Products(ctx, db)
	if err != nil {
		return err
	}
	w := backtest.NewWorld(products, 24*time.Hour)
	defer w.Close()
	pol := eng.Policy()
	start := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	m := &historyMaker{w: w, keys: keys, pol: pol}
	if err := m.stock(ctx, db); err != nil {
		return err
	}
	for done := 0; done < n; {
		m.rows = m.rows[:0]
		for range min(historyBatch, n-done) {
			ev, err := bodies.Event(int64(done))
			if err != nil {
				return err
			}
			if err := m.decide(ev, start.Add(time.Duration(done)*24*time.Hour/ordersPerDay)); err != nil {
				return err
			}
			done++
		}
		if err := db.Update(ctx, func(tx *store.Tx) error { return store.InsertEvents(tx, m.rows) }); err != nil {
			return err
		}
		if progress != nil {
			progress(done)
		}
	}
	return nil
}

type historyMaker struct {
	w    *backtest.World
	keys *store.Keyring
	pol  *decide.Policy
	rows []store.EventRecord
}

// stock takes the deliveries that Prepare recorded into the working set.
func (m *historyMaker) stock(ctx context.Context, db *store.DB) error {
	h := backtest.History{DB: db, Keys: m.keys}
	return h.Each(ctx, func(e *backtest.Entry) error {
		_, err := m.apply(e.Event, e.At)
		return err
	})
}

// apply decides one event on the working set.
func (m *historyMaker) apply(ev event.Event, at time.Time) ([]*decide.Decision, error) {
	snap, err := m.w.Load(ev, m.pol, at)
	if err != nil {
		return nil, err
	}
	var out []*decide.Decision
	for queue := []event.Event{ev}; len(queue) > 0; queue = queue[1:] {
		d, err := decide.Decide(snap, queue[0], m.pol, at)
		if err != nil {
			return nil, err
		}
		snap.Apply(d)
		if err := m.w.Keep(snap, d); err != nil {
			return nil, err
		}
		out = append(out, d)
		queue = append(queue, d.Derived...)
	}
	return out, nil
}

// decide adds the rows of an order.
func (m *historyMaker) decide(ev event.Event, at time.Time) error {
	p, ok := ev.Data.(*event.OrderPlaced)
	if !ok {
		return fault.New(fault.Internal, "bench.History", "a body is no order")
	}
	ev.ID = event.Derive("evt_", ev.Source, ev.Key)
	ev.Type, ev.Subject, ev.Mode, ev.Received, ev.Who = p.EventType(), p.EventSubject(), event.Live, at, risk.Identify(m.keys.Hash, p)
	ds, err := m.apply(ev, at)
	if err != nil {
		return err
	}
	bare, person := p.Strip()
	sealed, err := m.keys.Seal(ev.Who.Customer, m.keys.NewCustomerKey(ev.Who.Customer), person)
	if err != nil {
		return err
	}
	for i, d := range ds {
		stored := d.Event.Data
		if i == 0 {
			stored = bare
		}
		data, err := event.Encode(stored)
		if err != nil {
			return err
		}
		trace := ""
		if !d.Trace.Empty() {
			t, err := json.Marshal(&d.Trace)
			if err != nil {
				return err
			}
			trace = string(t)
		}
		if i > 0 && trace == "" && len(d.Moves) == 0 {
			continue
		}
		row := store.EventRecord{
			ID: d.Event.ID, Source: d.Event.Source, Key: d.Event.Key, Type: d.Event.Type, Subject: d.Event.Subject, OrderID: ev.Subject, At: at,
			Received: at, Mode: string(event.Live), State: store.EventDecided, Actor: d.Event.Actor, Cause: d.Event.Cause, Depth: d.Event.Depth,
			Policy: m.pol.Revision, Data: string(data), CustomerID: ev.Who.Customer, Facts: string(decide.EncodeFacts(d.Facts)), Trace: trace,
		}
		if d.Gist != nil {
			row.Sealed = sealed
			row.Gist = event.EncodeGist(ev.Who, *d.Gist)
		}
		m.rows = append(m.rows, row)
	}
	return nil
}
