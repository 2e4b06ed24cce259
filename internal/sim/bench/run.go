package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is one run of deliveries.
type Load struct {
	Targets  []Target // one a node; connections are spread over them
	Bodies   *Bodies
	First    int64 // number of the first order
	Conns    int
	Duration time.Duration
	Rate     float64 // deliveries a second; 0 = as many as come back (closed loop)
}

// Result is what a run brought.
type Result struct {
	Orders  int64         // answered as decided
	Elapsed time.Duration // from the first delivery to the last answer
	P50     time.Duration
	P99     time.Duration
	Max     time.Duration
}

// PerSecond is the rate of decided orders.
func (r Result) PerSecond() float64 { return float64(r.Orders) / r.Elapsed.Seconds() }

// Times are the answer times in milliseconds.
func (r Result) Times() Times {
	return Times{P50: Millis(r.P50), P99: Millis(r.P99), Max: Millis(r.Max)}
}

var decided = []byte(`"status":"decided"`)

// Run delivers until the duration is over. Any answer but "decided" ends it with an error.
//
// With a rate, delivery i is due at start + i/rate, and its time runs from
// then, also when every connection was still busy: waiting for a slow server is
// part of the answer time.
func (l Load) Run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conns := make([]*Conn, l.Conns)
	for i := range conns {
		c, err := Dial(ctx, l.Targets[i%len(l.Targets)])
		if err != nil {
			return Result{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	var next atomic.Int64
	took := make([][]time.Duration, l.Conns)
	start := time.Now()
	end := start.Add(l.Duration)
	var wg sync.WaitGroup
	for k, c := range conns {
		wg.Go(func() {
			var body, id []byte
			for ctx.Err() == nil {
				i := next.Add(1) - 1
				due := time.Now()
				if l.Rate > 0 {
					due = start.Add(time.Duration(float64(i) / l.Rate * float64(time.Second)))
				}
				if !due.Before(end) {
					return
				}
				if l.Rate > 0 && !waitUntil(ctx, due) {
					return
				}
				body = l.Bodies.Append(body[:0], l.First+i)
				id = l.Bodies.AppendID(id[:0], l.First+i)
				status, answer, err := c.Post(string(id), body, time.Now())
				if err != nil {
					cancel(fmt.Errorf("delivery %s: %w", id, err))
					return
				}
				if status != 200 || !bytes.Contains(answer, decided) {
					cancel(fmt.Errorf("delivery %s was answered %d: %s", id, status, answer))
					return
				}
				took[k] = append(took[k], time.Since(due))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return Result{}, err
	}
	all := slices.Concat(took...)
	if len(all) == 0 {
		return Result{}, fmt.Errorf("nothing was delivered in %s", l.Duration)
	}
	slices.Sort(all)
	return Result{
		Orders: int64(len(all)), Elapsed: time.Since(start),
		P50: quantile(all, 0.50), P99: quantile(all, 0.99), Max: all[len(all)-1],
	}, nil
}

// quantile of sorted values: the smallest value that at least the share q does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(q*float64(len(sorted))+0.9999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func waitUntil(ctx context.Context, at time.Time) bool {
	d := time.Until(at)
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
