package engine

import (
	"context"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// ReplayEvent decides a quarantined event again, under today's policy and at
// today's time. It keeps its id and identity. When it fails once more it stays
// quarantined, and the outcome says why.
func (e *Engine) ReplayEvent(ctx context.Context, id string) (Outcome, error) {
	var p prepared
	err := e.db.View(ctx, func(tx *store.Tx) error {
		row, err := tx.EventByID(id)
		if err != nil {
			return err
		}
		if row.State != store.EventQuarantined {
			return fault.New(fault.Conflict, "engine.ReplayEvent", "event %s is %s; only quarantined events can be replayed", id, row.State)
		}
		data, err := event.Decode(row.Type, []byte(row.Data))
		if err != nil {
			return err
		}
		if pd, ok := data.(event.Personal); ok {
			keys, err := store.Customers(tx, []string{row.CustomerID})
			if err != nil {
				return err
			}
			person, err := e.keys.Open(row.CustomerID, keys[row.CustomerID].Key, row.Sealed)
			if err != nil {
				return err
			}
			data = pd.Fill(person)
		}
		ev := event.Event{
			ID: row.ID, Source: row.Source, Key: row.Key, At: row.At, Received: row.Received, Mode: row.Mode, Actor: row.Actor,
			Cause: row.Cause, Data: data,
		}
		return e.prepare(&ev, &p)
	})
	if err != nil {
		return Outcome{}, err
	}
	p.again = true
	s := &submission{ctx: ctx, ready: make(chan struct{}), evs: []prepared{p}}
	out, err := e.enqueue(ctx, s)
	if err != nil {
		return Outcome{}, err
	}
	return out[0], nil
}
