package consoletest

import (
	"context"

	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// Replays tries dead letters again as the program does. Nothing leaves: the shop's engine has no ports.
type Replays struct {
	Engine *engine.Engine
	DB     *store.DB
}

// ReplayEffects implements console.Replayer.
func (r Replays) ReplayEffects(ctx context.Context, ids []string, by store.Replay) (console.ReplayOutcome, error) {
	out, err := r.Engine.ReplayEffects(ctx, ids, by)
	return console.ReplayOutcome(out), err
}

// ReplayCause implements console.Replayer.
func (r Replays) ReplayCause(ctx context.Context, cause string, by store.Replay) (console.ReplayOutcome, error) {
	out, err := r.Engine.ReplayCause(ctx, cause, by)
	return console.ReplayOutcome(out), err
}

// PreviewEffects implements console.Replayer.
func (r Replays) PreviewEffects(ctx context.Context, ids []string) ([]console.Letter, error) {
	ls, err := r.Engine.PreviewEffects(ctx, ids)
	out := make([]console.Letter, len(ls))
	for i, l := range ls {
		out[i] = console.Letter(l)
	}
	return out, err
}

// DecideAgain implements console.Replayer: orders of the stand-in cannot be decided, all else can.
func (r Replays) DecideAgain(ctx context.Context, id string) (out console.Outcome, err error) {
	err = r.DB.Update(ctx, func(tx *store.Tx) error {
		row, err := tx.EventByID(id)
		if err != nil {
			return err
		}
		if row.State != store.EventQuarantined {
			return fault.New(fault.Conflict, "consoletest.DecideAgain", "event %s is %s; only quarantined events can be replayed", id, row.State)
		}
		if out = (console.Outcome{EventID: id, Status: "quarantined", Reason: row.Reason}); row.Type == "order.paid" {
			return nil
		}
		out = console.Outcome{EventID: id, Status: "decided"}
		_, err = tx.Exec("UPDATE event SET state = 'decided', reason = '' WHERE id = $1", id)
		return err
	})
	return out, err
}

// PreviewRetry implements console.Replayer.
func (r Replays) PreviewRetry(ctx context.Context, run, from string) (*decide.Retry, error) {
	return r.Engine.PreviewRetry(ctx, run, from)
}

// RetryRun implements console.Replayer.
func (r Replays) RetryRun(ctx context.Context, run, from string, twice bool, by string) (string, error) {
	return r.Engine.RetryRun(ctx, run, from, twice, by)
}
