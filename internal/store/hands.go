package store

import (
	"context"
	"sync"
	"time"
)

// hands are what a node delivers with on PostgreSQL. A destination that hangs may have half of them, so that the others go
// on. A job that finds none free waits in memory, where the next one of its destination is at hand at once; but not for long,
// since the time of the job runs, and not too many of one destination, which would leave the queue no place for others.
type hands struct {
	mu      sync.Mutex
	free    int
	most    int            // of one destination
	running map[string]int // by destination
	waiting map[string][]chan struct{}
	turn    []string // destinations with waiting jobs, the next one first
}

const (
	waitPerHand = 4               // jobs that a node holds, for each that it works on
	waitForHand = 4 * time.Second // with the 50 s that a job may take after it (see the engine), less than its time-out
)

func newHands(n int) hands {
	return hands{free: n, most: max(1, n/2), running: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// take waits for a hand, and reports whether there was one. It is given back by give.
func (h *hands) take(ctx context.Context, dest string) bool {
	h.mu.Lock()
	if h.free > 0 && h.running[dest] < h.most {
		h.free--
		h.running[dest]++
		h.mu.Unlock()
		return true
	}
	if len(h.waiting[dest]) >= 2*h.most {
		h.mu.Unlock()
		return false
	}
	if len(h.waiting[dest]) == 0 {
		h.turn = append(h.turn, dest)
	}
	mine := make(chan struct{})
	h.waiting[dest] = append(h.waiting[dest], mine)
	h.mu.Unlock()
	enough := time.NewTimer(waitForHand)
	defer enough.Stop()
	select {
	case <-mine:
		return true
	case <-enough.C:
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range h.waiting[dest] {
		if other == mine {
			h.waiting[dest] = append(h.waiting[dest][:i:i], h.waiting[dest][i+1:]...)
			h.forget(dest)
			return false
		}
	}
	return true // it came at this very moment
}

// give returns a hand, to a job that waits if there is one: destination after destination.
func (h *hands) give(dest string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free++
	if h.running[dest]--; h.running[dest] == 0 {
		delete(h.running, dest)
	}
	for i := 0; i < len(h.turn) && h.free > 0; {
		next := h.turn[i]
		if h.running[next] >= h.most {
			i++
			continue
		}
		h.free--
		h.running[next]++
		close(h.waiting[next][0])
		h.waiting[next] = h.waiting[next][1:]
		h.turn = append(append(h.turn[:i:i], h.turn[i+1:]...), next)
		h.forget(next)
	}
}

// forget takes a destination for which nobody waits out of the turn; h.mu is held.
func (h *hands) forget(dest string) {
	if len(h.waiting[dest]) > 0 {
		return
	}
	delete(h.waiting, dest)
	for i, d := range h.turn {
		if d == dest {
			h.turn = append(h.turn[:i:i], h.turn[i+1:]...)
			return
		}
	}
}
