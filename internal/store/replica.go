package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Replica reads from a streaming replica of a PostgreSQL while that follows closely, and
// else from the database itself. What it shows may be some seconds old, so it is for
// lists and figures, never for what a decision is made on.
type Replica struct {
	primary *DB
	copy    *DB
	maxLag  time.Duration
	log     *slog.Logger
	stop    context.CancelFunc
	wg      sync.WaitGroup

	mu     sync.Mutex
	lag    time.Duration
	why    string // why it is not read from; "" = it is
	passed []place
}

// place is where the primary's log was at a time.
type place struct {
	at  time.Time
	lsn int64
}

// replicaEvery is how often the replica is asked how far it is.
const replicaEvery = time.Second

// OpenReplica begins to follow a replica of db. That it is away is no error: reads go to
// db meanwhile, and come back by themselves.
func OpenReplica(ctx context.Context, db *DB, url string, maxLag time.Duration, o Options) (*Replica, error) {
	if db.pg == nil {
		return nil, fault.New(fault.Invalid, "store.OpenReplica", "a SQLite file has no replica")
	}
	pg, err := dialPG(ctx, url, o.ReadConns, o.Pooled)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Replica{
		primary: db, copy: &DB{now: db.now, log: db.log, keys: db.keys, pg: pg}, maxLag: maxLag, log: db.log, stop: stop,
		why: "it has not been asked yet",
	}
	r.ask(ctx)
	r.wg.Go(func() {
		tick := time.NewTicker(replicaEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.ask(ctx)
			}
		}
	})
	return r, nil
}

// Close ends the following. db stays open.
func (r *Replica) Close() {
	r.stop()
	r.wg.Wait()
	r.copy.pg.pool.Close()
}

// State is how far the replica lags behind, and why it is not read from; "" when it is.
func (r *Replica) State() (lag time.Duration, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag, r.why
}

// View runs fn on one consistent picture, of the replica when it is there and close enough.
func (r *Replica) View(ctx context.Context, fn func(*Tx) error) error {
	if _, why := r.State(); why != "" {
		return r.primary.View(ctx, fn)
	}
	begun := false
	err := r.copy.View(ctx, func(tx *Tx) error {
		begun = true
		return fn(tx)
	})
	if err != nil && !begun && ctx.Err() == nil { // it went away just now
		return r.primary.View(ctx, fn)
	}
	return err
}

// ask compares where the replica is with where the primary was. A clock on one machine measures
// the lag, and a replica that is cut off falls behind although it knows of nothing new.
func (r *Replica) ask(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	now := time.Now()
	lsn := func(pg *pgDB, sql string) (n int64, err error) {
		err = pg.pool.QueryRow(ctx, sql).Scan(&n)
		return n, err
	}
	// Where a standby was promoted, or the URL names the primary itself, the answer is -1.
	have, err := lsn(r.copy.pg, "SELECT CASE WHEN pg_is_in_recovery() THEN COALESCE(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0) ELSE -1 END::bigint")
	why := ""
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return // the store closes
	case err != nil:
		why = "it cannot be reached"
	case have < 0:
		why = "it is no standby"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, err := lsn(r.primary.pg, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"); err == nil {
		r.passed = append(r.passed, place{now, at})
	}
	for len(r.passed) > 1 && (r.passed[1].lsn <= have || len(r.passed) > 3600) {
		r.passed = r.passed[1:]
	}
	// passed[0] is the newest place it has reached, if it has reached any.
	r.lag = 0
	if len(r.passed) > 0 && (len(r.passed) > 1 || r.passed[0].lsn > have) {
		r.lag = now.Sub(r.passed[0].at)
	}
	if why == "" && r.lag > r.maxLag {
		why = "it lags " + r.lag.Round(time.Second).String() + " behind"
	}
	if (why == "") != (r.why == "") {
		if why == "" {
			r.log.Info("pages read from the replica", "lag", r.lag)
		} else {
			r.log.Warn("pages read from the primary, not from the replica: "+why, "err", err)
		}
	}
	r.why = why
}
