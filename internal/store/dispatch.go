package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// dispatcher gives due effects to the deliver handler on SQLite, where one
// process is all there is: the effect table is the queue, its index effect_live
// the order, the fence of a claim the guard. What is kept in memory is a bounded
// list of ids read ahead, so a crash loses nothing.
//
// The index is read forward from a cursor, each entry once: effects are made due
// now, and a retry or a claim that runs out is due in the future, so whatever is
// new stands behind the cursor. Whatever is not (a clock that was set back) is
// found when the cursor starts over. A destination with too much waiting is left out and
// read on by a cursor of its own, so that it hides nobody else's effects.
type dispatcher struct {
	db *DB
	h  Handlers
	o  WorkerOptions
	wg sync.WaitGroup

	mu      sync.Mutex
	known   map[string]bool     // effects read ahead or being worked
	waiting map[string][]string // read ahead, by destination
	turn    []string            // destinations with waiting effects, the next one first
	running map[string]int      // jobs per destination
	jobs    int
	failed  bool // a job left effects behind: start over soon

	at    cursor
	fresh time.Time         // when the cursor last started over
	full  map[string]cursor // of destinations with too much waiting

	freed chan struct{} // a job ended
}

// cursor is a place in the index: everything up to it was read.
type cursor struct {
	due int64
	id  string
}

const (
	// lookEvery is how often the table is looked at when nobody calls: effects whose retry has come, claims that ran out.
	lookEvery = 250 * time.Millisecond
	// overEvery is how often the cursor starts over.
	overEvery = 10 * time.Second
	// readAhead is how many entries one look reads, maxWaiting how many ids of one destination are kept.
	readAhead  = 500
	maxWaiting = 2000
)

func startDispatcher(ctx context.Context, db *DB, h Handlers, o WorkerOptions) func(context.Context) error {
	// Jobs are not cancelled with ctx at once: a message that is being sent
	// should be recorded as sent. stop decides how long that may take.
	jobs, cancel := context.WithCancel(context.WithoutCancel(ctx))
	quit := make(chan struct{})
	var once sync.Once
	d := &dispatcher{
		db: db, h: h, o: o, known: map[string]bool{}, waiting: map[string][]string{}, running: map[string]int{},
		full: map[string]cursor{}, freed: make(chan struct{}, 1), fresh: time.Now(),
	}
	d.wg.Go(func() {
		for {
			select {
			case <-db.wakes:
				c, end := context.WithTimeout(jobs, o.Timeout)
				if err := h.Wake(c, WakeJob{Reason: "called"}); err != nil && jobs.Err() == nil {
					db.log.Warn("a wake failed; what is due is found by the next", "err", err)
				}
				end()
			case <-ctx.Done():
				return
			case <-quit:
				return
			}
		}
	})
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

// look starts jobs as far as there are hands, and reads on when too few of the waiting effects can be started.
func (d *dispatcher) look(ctx context.Context) error {
	if d.h.Deliver == nil {
		return nil
	}
	d.mu.Lock()
	if now := time.Now(); now.Sub(d.fresh) > overEvery || d.failed && now.Sub(d.fresh) > lookEvery {
		d.at, d.fresh, d.failed = cursor{}, now, false
	}
	var low []string // destinations to read on
	for dest := range d.full {
		if len(d.waiting[dest]) < maxWaiting/2 {
			low = append(low, dest)
		}
	}
	d.mu.Unlock()
	for _, dest := range low {
		if err := d.readOf(ctx, dest); err != nil {
			return err
		}
	}
	for {
		if !d.start(ctx) {
			return nil // every hand is busy
		}
		n, err := d.read(ctx)
		if err != nil {
			return err
		}
		if d.start(ctx); n < readAhead {
			return nil
		}
	}
}

// entry is one entry of the index.
type entry struct {
	cursor
	dest string
}

func (d *dispatcher) entries(ctx context.Context, sql string, args ...any) ([]entry, error) {
	out := make([]entry, 0, readAhead)
	err := d.db.View(ctx, func(tx *Tx) error {
		return tx.each(sql, append(args, tx.now, readAhead), func(r *Rows) error {
			var e entry
			err := r.Scan(&e.due, &e.id, &e.dest)
			out = append(out, e)
			return err
		})
	})
	return out, err
}

// read takes the next entries into the waiting lists and returns how many it saw.
func (d *dispatcher) read(ctx context.Context) (int, error) {
	es, err := d.entries(ctx, `SELECT due, id, destination FROM effect WHERE state IN ('pending', 'claimed') AND (due, id) > ($1, $2) AND due <= $3
		ORDER BY due, id LIMIT $4`, d.at.due, d.at.id)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range es {
		if _, full := d.full[e.dest]; full {
			continue
		}
		if len(d.waiting[e.dest]) >= maxWaiting {
			d.full[e.dest] = d.at // up to the entry before this one it was read
			continue
		}
		d.add(e)
		d.at = e.cursor
	}
	if len(es) > 0 {
		d.at = es[len(es)-1].cursor
	}
	return len(es), nil
}

// readOf reads on for a destination that was left out, until it has caught up.
func (d *dispatcher) readOf(ctx context.Context, dest string) error {
	at := d.full[dest]
	es, err := d.entries(ctx, `SELECT due, id, destination FROM effect WHERE state IN ('pending', 'claimed') AND (due, id) > ($1, $2) AND destination = $3 AND due <= $4
		ORDER BY due, id LIMIT $5`, at.due, at.id, dest)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range es {
		d.add(e)
		d.full[dest] = e.cursor
	}
	if len(es) < readAhead {
		delete(d.full, dest) // what the common cursor has not passed yet it will meet; some of it twice, which known notices
	}
	return nil
}

// add puts an entry on the waiting list; d.mu is held.
func (d *dispatcher) add(e entry) {
	if d.known[e.id] {
		return
	}
	d.known[e.id] = true
	if len(d.waiting[e.dest]) == 0 {
		d.turn = append(d.turn, e.dest)
	}
	d.waiting[e.dest] = append(d.waiting[e.dest], e.id)
}

// start begins jobs, destination after destination, and reports whether there
// are hands left. One destination that hangs may have half of them, so that the others go on.
func (d *dispatcher) start(ctx context.Context) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for idle := 0; idle < len(d.turn) && d.jobs < d.o.Deliveries; {
		dest := d.turn[0]
		ids := d.waiting[dest]
		if d.running[dest] >= max(1, d.o.Deliveries/2) {
			d.turn = append(d.turn[1:], dest)
			idle++
			continue
		}
		idle = 0
		n := min(EffectsPerJob, len(ids))
		d.run(ctx, dest, ids[:n:n])
		if ids = ids[n:]; len(ids) == 0 {
			delete(d.waiting, dest)
			d.turn = d.turn[1:]
			continue
		}
		d.waiting[dest] = ids
		d.turn = append(d.turn[1:], dest)
	}
	return d.jobs < d.o.Deliveries
}

// run works one job beside the others; d.mu is held.
func (d *dispatcher) run(ctx context.Context, dest string, ids []string) {
	d.jobs++
	d.running[dest]++
	d.wg.Add(1)
	go func() {
		defer d.wg.Done()
		c, stop := context.WithTimeout(ctx, d.o.Timeout)
		err := d.h.Deliver(c, DeliverJob{Destination: dest, Effects: ids})
		stop()
		if err != nil && !errors.Is(err, ErrLater) && ctx.Err() == nil {
			d.db.log.Warn("a delivery job failed; its effects are tried again", "destination", dest, "err", err)
		}
		d.mu.Lock()
		d.jobs--
		d.failed = d.failed || err != nil
		if d.running[dest]--; d.running[dest] == 0 {
			delete(d.running, dest)
		}
		for _, id := range ids {
			delete(d.known, id)
		}
		d.mu.Unlock()
		select {
		case d.freed <- struct{}{}:
		default:
		}
	}()
}
