package store

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A destination that hangs has half of the hands for ever; its other jobs step back, and those of others go on.
func TestHandsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, h := t.Context(), newHands(8)
		for range 4 {
			if !h.take(ctx, "hangs") {
				t.Fatal("a free hand was refused")
			}
		}
		begun := time.Now()
		var refused sync.WaitGroup
		for range 20 {
			refused.Go(func() {
				if h.take(ctx, "hangs") {
					t.Error("a destination has more than half of the hands")
				}
			})
		}
		synctest.Wait()
		for range 100 {
			if !h.take(ctx, "works") {
				t.Fatal("a destination that works got no hand beside one that hangs")
			}
			h.give("works")
		}
		refused.Wait()
		if waited := time.Since(begun); waited > waitForHand {
			t.Errorf("a job waited %s for a hand; its own time runs meanwhile", waited)
		}
	})
}

// A hand that is given back goes to the job that waits, and none gets lost, however jobs come, wait and give up.
func TestHandsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHands(6)
		dests := []string{"a", "b", "c"}
		var mu sync.Mutex
		working, most, done := map[string]int{}, 0, 0
		var jobs sync.WaitGroup
		for i := range 300 {
			jobs.Go(func() {
				dest := dests[i%len(dests)]
				ctx, stop := context.WithTimeout(t.Context(), time.Duration(i%40)*100*time.Millisecond)
				defer stop()
				<-time.After(time.Duration(i%7) * 30 * time.Millisecond)
				if !h.take(ctx, dest) {
					return
				}
				mu.Lock()
				working[dest]++
				all := 0
				for d, n := range working {
					if n > 3 {
						t.Errorf("%d jobs of %s at a time", n, d)
					}
					all += n
				}
				most = max(most, all)
				mu.Unlock()
				<-time.After(time.Duration(10+i%5) * 10 * time.Millisecond)
				mu.Lock()
				working[dest]--
				done++
				mu.Unlock()
				h.give(dest)
			})
		}
		jobs.Wait()
		if most != 6 || done < 20 {
			t.Errorf("%d jobs at a time at most and %d done, want all 6 hands at work", most, done)
		}
		if h.free != 6 || len(h.running)+len(h.waiting)+len(h.turn) != 0 {
			t.Errorf("left behind: %d free, running %v, waiting %v, turn %v", h.free, h.running, h.waiting, h.turn)
		}
	})
}
