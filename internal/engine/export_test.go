package engine

import (
	"context"

	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
)

// EndDay does the round of the watch that ends the shop's day.
func EndDay(e *Engine, ctx context.Context) error { return e.endDay(ctx) }

// ShadowReport is what the mail about a day says.
func ShadowReport(e *Engine, ctx context.Context, name, date string) (rep notify.Report, err error) {
	err = e.db.View(ctx, func(tx *store.Tx) error {
		rep, err = e.shadowReport(tx, name, date)
		return err
	})
	return rep, err
}

// FireSchedules, FireTimers and ReleaseRuns do one turn of the clock's work.
func FireSchedules(e *Engine, ctx context.Context) error { return e.fireSchedules(ctx) }

// FireTimers submits the timers that are due.
func FireTimers(e *Engine, ctx context.Context) error { return e.fireTimers(ctx) }

// ReleaseRuns lets runs go on whose automations act again.
func ReleaseRuns(e *Engine, ctx context.Context) error { return e.releaseRuns(ctx) }
