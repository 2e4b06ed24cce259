package engine

import (
	"context"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// PreviewRetry says what beginning a failed run again at a step would do; from "" is the step that failed. Nothing is changed.
func (e *Engine) PreviewRetry(ctx context.Context, id, from string) (*decide.Retry, error) {
	var run *automation.Run
	var a *automation.Automation
	var effects []effect.Effect
	var o *order.Order
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		if run, err = tx.Run(id); err != nil {
			return err
		}
		if a, err = e.version(tx, run.Version); err != nil {
			return err
		}
		if effects, err = store.Effects(tx, uniq(decide.RunCalls(run))); err != nil || run.OrderID == "" {
			return err
		}
		rows, err := store.Orders(tx, []string{run.OrderID})
		if row, ok := rows[run.OrderID]; ok {
			o = row.Order
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fault.New(fault.Conflict, "engine.PreviewRetry", "the text that the run began with cannot be read; orderly doctor says more")
	}
	return decide.PlanRetry(run, a, from, effects, o)
}

// RetryRun begins a failed run again at a step, in a run that takes its place, and returns that run's id.
// twice is a person's word that what may have happened may happen a second time. Whoever comes second,
// be it the same person by a second click, gets the run that the first began.
func (e *Engine) RetryRun(ctx context.Context, id, from string, twice bool, by string) (next string, err error) {
	const op = "engine.RetryRun"
	next = decide.RetryID(id)
	var run *automation.Run
	begun := func() (there bool, err error) {
		err = e.db.View(ctx, func(tx *store.Tx) error {
			if run, err = tx.Run(id); err != nil {
				return err
			}
			runs, err := store.RunsByID(tx, []string{next})
			there = runs[next] != nil
			return err
		})
		return there, err
	}
	there, err := begun()
	if err != nil || there {
		return next, err
	}
	p := &event.RunRetried{Run: id, Order: run.OrderID, From: from, Twice: twice}
	if err := fault.Problems(op, p.Validate()); err != nil {
		return "", err
	}
	out, err := e.Submit(ctx, []event.Event{{Source: consoleSource, Key: "retry:" + id, Actor: by, Data: p}})
	if err != nil {
		return "", err
	}
	if s := out[0].Status; s == Decided || s == Duplicate {
		return next, nil
	}
	if there, err = begun(); err != nil || there { // somebody else was faster
		return next, err
	}
	return "", fault.New(fault.Conflict, op, "%s", out[0].Reason)
}
