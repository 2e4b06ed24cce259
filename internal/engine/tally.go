package engine

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/store"
)

// tally counts this node's attempts to deliver between two writes of them, by destination and purpose.
type tally struct {
	mu sync.Mutex
	by map[[2]string]*store.Tally
}

func (t *tally) add(as []*attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[[2]string]*store.Tally{}
	}
	for _, a := range as {
		key := [2]string{a.effect.Destination, a.effect.Payload.Purpose}
		n := t.by[key]
		if n == nil {
			n = &store.Tally{Destination: key[0], Purpose: key[1]}
			t.by[key] = n
		}
		if a.err == nil {
			n.Done++
			continue
		}
		n.Failed++
		n.LastError = connect.Reason(a.err)
	}
}

// writeTally keeps what was counted since the last time. What a node counted just before it
// died is lost: the effects themselves are the record, this is for the watch.
func (e *Engine) writeTally(ctx context.Context) error {
	e.tally.mu.Lock()
	counted := e.tally.by
	e.tally.by = nil
	e.tally.mu.Unlock()
	if len(counted) == 0 {
		return nil
	}
	rows := make([]store.Tally, 0, len(counted))
	for _, n := range counted {
		rows = append(rows, *n)
	}
	slices.SortFunc(rows, func(a, b store.Tally) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.Purpose, b.Purpose))
	})
	return e.db.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Clock()
		if err != nil {
			return err
		}
		for i := range rows {
			rows[i].At = now
		}
		return tx.AddTallies(e.node, rows)
	})
}
