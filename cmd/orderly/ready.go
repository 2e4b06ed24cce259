package main

import (
	"context"
	"sync"
	"time"

	"orderly.example/orderly/internal/store"
)

// readyFor and unreadyFor are how long an answer to /readyz is good: asked however often, the shop
// commits for it once in five seconds, and looks again soon when it could not.
const (
	readyFor   = 5 * time.Second
	unreadyFor = time.Second
)

// readiness says whether the shop can do its work, which is to commit: reading
// goes on for long on a disk that is full.
type readiness struct {
	commit func(ctx context.Context) error
	now    func() time.Time

	mu    sync.Mutex
	until time.Time
	last  error
}

// readyOf asks a shop's database to take a row.
func readyOf(db *store.DB, now func() time.Time) *readiness {
	return &readiness{now: now, commit: func(ctx context.Context) error {
		return db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting("ready", tx.Now().UTC().Format(time.RFC3339)) })
	}}
}

func (r *readiness) check(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now().Before(r.until) {
		return r.last
	}
	r.last = r.commit(ctx)
	good := readyFor
	if r.last != nil {
		good = unreadyFor
	}
	r.until = r.now().Add(good)
	return r.last
}
