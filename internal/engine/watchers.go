package engine

import (
	"context"
	"sync"
)

// Topic names what changed, for pages that follow along.
type Topic struct {
	Kind    string // order, stock, task, effect, policy
	Subject string // id, SKU …; "" = several
}

// watchers tells pages of this node what a commit changed. A slow page loses
// topics, never blocks a commit: it reloads what it shows anyway.
type watchers struct {
	mu   sync.Mutex
	subs map[chan Topic]struct{}
}

// Subscribe returns a channel of what changes from now on, closed when ctx ends.
func (e *Engine) Subscribe(ctx context.Context) <-chan Topic {
	ch := make(chan Topic, 64)
	w := &e.watch
	w.mu.Lock()
	if w.subs == nil {
		w.subs = map[chan Topic]struct{}{}
	}
	w.subs[ch] = struct{}{}
	w.mu.Unlock()
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		delete(w.subs, ch)
		close(ch)
		w.mu.Unlock()
	})
	return ch
}

func (w *watchers) tell(topics ...Topic) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ch := range w.subs {
		for _, t := range topics {
			select {
			case ch <- t:
			default:
			}
		}
	}
}

// publish tells the watchers what a written batch changed.
func (w *watchers) publish(b *batch) {
	if b == nil {
		return
	}
	w.mu.Lock()
	none := len(w.subs) == 0
	w.mu.Unlock()
	if none {
		return
	}
	w.tell(b.topics()...)
}
