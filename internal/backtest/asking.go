package backtest

import (
	"context"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// PastTime bounds how long the past is asked beside a page; what was seen until then is told.
const PastTime = 30 * time.Second

const (
	// toldFor is how long an answer stands: the past grows, and the questions stay.
	toldFor = 10 * time.Minute
	maxTold = 1000
)

// told is an answer that was given.
type told struct {
	answer *Answer // nil: it could not be found out
	at     time.Time
}

// Past answers questions about the past as far as it knows, and begins to find out the rest in the background: all of
// it in one go through the history, one at a time on a node.
func (r *Runner) Past(ctx context.Context, qs []Question) Answers {
	r.pastMu.Lock()
	defer r.pastMu.Unlock()
	out := Answers{Of: make([]*Answer, len(qs)), Tags: r.tags}
	var open []Question
	for i, q := range qs {
		t, ok := r.told[q.key()]
		if ok && r.Now().Sub(t.at) < toldFor {
			out.Of[i] = t.answer
		} else {
			open = append(open, q)
		}
	}
	out.Asking = len(open) > 0
	if len(open) == 0 || r.asking != nil {
		return out
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), PastTime) // it outlives the request
	r.asking = cancel
	r.wg.Go(func() {
		defer cancel()
		found, err := Past(ctx, r.options(), open)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("the past could not be asked", "err", err, "why", fault.Message(err))
		}
		r.pastMu.Lock()
		defer r.pastMu.Unlock()
		r.asking = nil
		if r.told == nil || len(r.told)+len(open) > maxTold {
			r.told = map[string]told{}
		}
		for i, q := range open {
			t := told{at: r.Now()}
			if err == nil {
				t.answer = found.Of[i]
			}
			r.told[q.key()] = t
		}
		if err == nil {
			r.tags = found.Tags
		}
	})
	return out
}

// key names a question: texts and tags that are the same ask the same.
func (q Question) key() string {
	if q.Tag != "" {
		return "tag\x00" + q.List + "\x00" + q.Tag
	}
	var b strings.Builder
	for _, a := range q.Automations {
		b.WriteString(a.Name + "\x00" + a.Hash + "\x00")
	}
	return b.String()
}
