package store

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Options of a store. The zero value is complete.
type Options struct {
	Now       func() time.Time // the node's clock; nil = time.Now
	Logger    *slog.Logger     // nil = silent
	Keyring   *Keyring         // seals personal data and secrets; nil = functions that need it fail
	ReadConns int              // SQLite: readers beside the writer, 0 = 4. PostgreSQL: connections, 0 = 16
	Pooled    bool             // PostgreSQL is reached through a pooler that shares sessions between transactions
}

// DB is an open store. It is safe for concurrent use.
type DB struct {
	now   func() time.Time
	log   *slog.Logger
	keys  *Keyring
	lite  *liteDB // exactly one of lite and pg is set
	pg    *pgDB
	woken chan struct{} // SQLite: a commit enqueued deliveries
	wakes chan struct{} // SQLite: a commit enqueued a wake
}

// Open opens the store at a URL and brings its schema up to date. The URL is
// "sqlite:/path/file.db", a bare path, or "postgres://user@host/database".
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	db := &DB{now: o.Now, log: o.Logger, keys: o.Keyring, woken: make(chan struct{}, 1), wakes: make(chan struct{}, 1)}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	var err error
	switch scheme, rest, ok := strings.Cut(url, ":"); {
	case url == "":
		return nil, fault.New(fault.Invalid, "store.Open", "no database is named; give a file path or a postgres:// URL")
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		db.pg, err = openPG(ctx, url, o, db.log)
	case ok && scheme == "sqlite":
		db.lite, err = openOneByOne(ctx, rest, o.ReadConns)
	case strings.Contains(url, "://"):
		return nil, fault.New(fault.Invalid, "store.Open", "databases of type %q are not supported; use sqlite: or postgres://", scheme)
	default:
		db.lite, err = openOneByOne(ctx, url, o.ReadConns)
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Close releases the store. Workers are stopped first, by the function that started them returned.
func (db *DB) Close() error {
	if db.lite != nil {
		return db.lite.close()
	}
	db.pg.pool.Close()
	return nil
}

// Engine names the database: "sqlite" or "postgres".
func (db *DB) Engine() string {
	if db.lite != nil {
		return "sqlite"
	}
	return "postgres"
}

// What MaxGroup says at least and at most.
const (
	minGroup = 100
	maxGroup = 400
)

// MaxGroup is how many events one commit should hold at most. PostgreSQL keeps
// every advisory lock of a transaction in a table of max_locks_per_transaction ×
// max_connections places, 6400 as it comes, and an order takes about eight.
func (db *DB) MaxGroup() int {
	if db.lite != nil {
		return maxGroup
	}
	return db.pg.group
}

// View runs fn on one consistent picture of the store. fn must not write.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if db.lite != nil {
		return db.lite.view(ctx, db, fn)
	}
	return db.pg.run(ctx, db, false, fn)
}

// Tries of a transaction: after them a race that is lost again and again is reported.
const (
	maxTries  = 12
	firstWait = 2 * time.Millisecond
	maxWait   = 250 * time.Millisecond
)

// Update runs fn in one transaction and commits it when fn returns nil. A
// transaction that lost a race (busy, serialization failure, deadlock, the same
// event on two nodes) is run again from the start, a bounded number of times.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error { return db.update(ctx, false, fn) }

// UpdateBulk is Update for functions that write many rows, such as a commit
// group. On SQLite it never joins a commit that others began: it would have to
// keep a copy of every page it changes. Others may join it.
func (db *DB) UpdateBulk(ctx context.Context, fn func(*Tx) error) error {
	return db.update(ctx, true, fn)
}

func (db *DB) update(ctx context.Context, bulky bool, fn func(*Tx) error) error {
	return again(ctx, "store.Update", func() error {
		if db.lite != nil {
			return db.lite.update(ctx, db, bulky, fn)
		}
		return db.pg.run(ctx, db, true, fn)
	})
}

// again runs a transaction, and runs it again when it lost a race, a bounded number of times.
func again(ctx context.Context, op string, transact func() error) error {
	wait := firstWait
	for try := 1; ; try++ {
		err := transact()
		if err == nil || !retryable(err) {
			return err
		}
		if try == maxTries {
			return fault.Wrap(err, fault.Unavailable, op, "the database is too busy; nothing was changed; try again")
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, op, "the database was busy until the time ran out; nothing was changed")
		case <-time.After(wait/2 + rand.N(wait)): // jitter: two nodes that collided must not collide again
		}
		wait = min(2*wait, maxWait)
	}
}
