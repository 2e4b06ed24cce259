package consoletest

import (
	"context"

	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

// Replays tries dead letters again as the program does. Nothing leaves: the shop's engine has no ports.
type Replays struct{ Engine *engine.Engine }

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
