package bench

import (
	"context"
	"slices"
	"sync"
	"time"

	"orderly.example/orderly/internal/store"
)

// Replay writes the group again and again for d, each time with names of its own, one transaction each and as many on
// their way as flows says, and returns how many times. Nothing is read and nothing decided: this is what the database gives.
func (g *Group) Replay(ctx context.Context, db *store.DB, flows int, d time.Duration) (times int, elapsed time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The rows are made beside the writer, as a group's decisions could be at best.
	fresh := make(chan []groupTable, 2)
	var making sync.WaitGroup
	making.Go(func() {
		for {
			next := g.renamed()
			select {
			case fresh <- next:
			case <-ctx.Done():
				return
			}
		}
	})
	start := time.Now()
	done := make([]int, flows)
	var writing sync.WaitGroup
	for k := range flows {
		writing.Go(func() {
			for time.Since(start) < d && ctx.Err() == nil {
				tables := <-fresh
				if err := db.UpdateBulk(ctx, writes(tables)); err != nil {
					cancel(err)
					return
				}
				done[k]++
			}
		})
	}
	writing.Wait()
	elapsed = time.Since(start)
	err = context.Cause(ctx)
	cancel(nil)
	making.Wait()
	for _, n := range done {
		times += n
	}
	return times, elapsed, err
}

// Paced writes the group, one of a single order, at a rate a second for d, and returns how long each took from when it was
// due until it was durable. What is due shares a transaction, as the orders of a commit group do.
func (g *Group) Paced(ctx context.Context, db *store.DB, flows int, rate float64, d time.Duration) (Times, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex // held by who takes what is due
	taken, total := 0, int(rate*d.Seconds())
	took := make([][]time.Duration, flows)
	start := time.Now()
	due := func(i int) time.Time { return start.Add(time.Duration(float64(i) / rate * float64(time.Second))) }
	take := func() (first int, groups [][]groupTable) {
		mu.Lock()
		defer mu.Unlock()
		if taken >= total || !waitUntil(ctx, due(taken)) {
			return 0, nil
		}
		first = taken
		for ; taken < total && !due(taken).After(time.Now()); taken++ {
			groups = append(groups, g.renamed())
		}
		return first, groups
	}
	var writing sync.WaitGroup
	for k := range flows {
		writing.Go(func() {
			for {
				first, groups := take()
				if len(groups) == 0 {
					return
				}
				if err := db.UpdateBulk(ctx, writes(merged(groups))); err != nil {
					cancel(err)
					return
				}
				for i := range groups {
					took[k] = append(took[k], time.Since(due(first+i)))
				}
			}
		})
	}
	writing.Wait()
	if err := context.Cause(ctx); err != nil {
		return Times{}, err
	}
	all := slices.Concat(took...)
	slices.Sort(all)
	return Times{P50: Millis(quantile(all, 0.50)), P99: Millis(quantile(all, 0.99)), Max: Millis(all[len(all)-1])}, nil
}

// merged is groups written as one: rows that change in their place are written once.
func merged(groups [][]groupTable) []groupTable {
	out := slices.Clone(groups[0])
	for i := range out {
		if out[i].conflict != "" {
			continue
		}
		out[i].rows = nil
		for _, g := range groups {
			out[i].rows = append(out[i].rows, g[i].rows...)
		}
	}
	return out
}

func writes(tables []groupTable) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		for _, t := range tables {
			if err := t.write(tx); err != nil {
				return err
			}
		}
		return nil
	}
}
