package store

import (
	"context"
	"sync"
	"time"
)

// dispatcher gives due effects to the deliver handler on SQLite, where one
// process is all there is: the effect table is the queue, its index effect_live
// the order, the fence of a claim the guard. Nothing is kept in memory but what
// is being worked, so a crash loses nothing.
type dispatcher struct {
	db      *DB
	h       Handlers
	o       WorkerOptions
	wg      sync.WaitGroup
	mu      sync.Mutex
	working map[string]bool // effects given to a handler
	perDest map[string]int  // jobs running per destination
	jobs    int
	freed   chan struct{} // a job ended
}

// lookEvery is how often the table is looked at when nobody calls: effects whose retry has come, leases that ran out.
const lookEvery = 250 * time.Millisecond

func startDispatcher(ctx context.Context, db *DB, h Handlers, o WorkerOptions) func(context.Context) error {
	// Jobs are not cancelled with ctx at once: a message that is being sent
	// should be recorded as sent. stop decides how long that may take.
	jobs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	quit := make(chan struct{})
	var once sync.Once
	d := &dispatcher{db: db, h: h, o: o, working: map[string]bool{}, perDest: map[string]int{}, freed: make(chan struct{}, 1)}
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if err := d.look(jobs); err != nil && jobs.Err() == nil {
				db.log.Error("due effects could not be read; it is tried again", "err", err)
			}
			select {
			case <-db.woken:
			case <-d.freed:
			case <-tick.C:
			case <-ctx.Done():
				return
			case <-quit:
				return
			}
		}
	}()
	return func(ctx context.Context) error {
		once.Do(func() { close(quit) })
		done := make(chan struct{})
		go func() { d.wg.Wait(); close(done) }()
		select {
		case <-done:
			cancel()
			return nil
		case <-ctx.Done():
			cancel()
			<-done
			return ctx.Err()
		}
	}
}

// look starts jobs for effects that are due, as far as there are hands. One
// destination that hangs may have half of them, so that the others go on.
func (d *dispatcher) look(ctx context.Context) error {
	d.mu.Lock()
	free := d.o.Deliveries - d.jobs
	var full []string
	for dest, n := range d.perDest {
		if n >= max(1, d.o.Deliveries/2) {
			full = append(full, dest)
		}
	}
	busy := len(d.working)
	d.mu.Unlock()
	if free <= 0 || d.h.Deliver == nil {
		return nil
	}
	byDest := map[string][]string{}
	var dests []string
	err := d.db.View(ctx, func(tx *Tx) error {
		clear(byDest)
		dests = dests[:0]
		sql := `SELECT id, destination FROM effect WHERE state IN ('pending', 'claimed') AND due <= $1 ORDER BY due, id LIMIT $2`
		args := []any{tx.Now(), busy + free*EffectsPerJob}
		if len(full) > 0 {
			sql = `SELECT id, destination FROM effect WHERE state IN ('pending', 'claimed') AND due <= $1 AND NOT destination = ANY($3) ORDER BY due, id LIMIT $2`
			args = append(args, full)
		}
		return tx.each(sql, args, func(r *Rows) error {
			var id, dest string
			if err := r.Scan(&id, &dest); err != nil {
				return err
			}
			if byDest[dest] == nil {
				dests = append(dests, dest)
			}
			byDest[dest] = append(byDest[dest], id)
			return nil
		})
	})
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, dest := range dests {
		var ids []string
		for _, id := range byDest[dest] {
			if d.working[id] {
				continue
			}
			if ids = append(ids, id); len(ids) == EffectsPerJob {
				d.start(ctx, dest, ids)
				ids = nil
			}
		}
		d.start(ctx, dest, ids)
	}
	return nil
}

// start runs one job; d.mu is held.
func (d *dispatcher) start(ctx context.Context, dest string, ids []string) {
	if len(ids) == 0 || d.jobs >= d.o.Deliveries || d.perDest[dest] >= max(1, d.o.Deliveries/2) {
		return
	}
	d.jobs++
	d.perDest[dest]++
	for _, id := range ids {
		d.working[id] = true
	}
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		c, stop := context.WithTimeout(ctx, d.o.Timeout)
		err := d.h.Deliver(c, DeliverJob{Destination: dest, Effects: ids})
		stop()
		if err != nil && ctx.Err() == nil {
			d.db.log.Warn("a delivery job failed; its effects are tried again", "destination", dest, "err", err)
		}
		d.mu.Lock()
		d.jobs--
		if d.perDest[dest]--; d.perDest[dest] == 0 {
			delete(d.perDest, dest)
		}
		for _, id := range ids {
			delete(d.working, id)
		}
		d.mu.Unlock()
		select {
		case d.freed <- struct{}{}:
		default:
		}
	}()
}
