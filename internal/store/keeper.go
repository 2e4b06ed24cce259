package store

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"
)

// keeper carries the write-ahead log of a SQLite file into the file, beside the writer. SQLite brings the file to the disk
// only when the last page of the log is carried, and while writes never stop that is always the writer's to do: it
// would stand still for all that was carried since the last time. So the keeper carries a little at a time and brings
// it to the disk at once, and when the log is long it takes the pen and carries what came meanwhile, which is little.
type keeper struct {
	conn *liteConn
	file *shared
	sync func() error // file.Sync; a test lets it fail
	long int          // logPages; a test has less
}

// The log in pages of 4 KiB. A log of fewer than syncPages costs little to end; one of logPages is ended, so that it can begin
// anew; at mostPages the writer ends it, should the keeper not come to it.
const (
	syncPages   = 1_000
	logPages    = 12_000
	mostPages   = 8 * logPages
	keptPages   = 3 * logPages // of a log that was longer: cut shorter, each would have to be made longer again
	littlePages = 150          // written while a log is ended: the writer waits for no more
	carryEvery  = 50 * time.Millisecond
)

// keep works until the store closes.
func (db *liteDB) keep(ctx context.Context, k *keeper) {
	tick := time.NewTicker(carryEvery)
	defer tick.Stop()
	end := 0 // how many pages it has to have to be ended
	for last := int64(-1); ; {
		select {
		case <-db.quit:
			return
		case <-tick.C:
		}
		n := db.commits.Load()
		if n == last {
			continue
		}
		pages, err := k.carry(ctx)
		if err != nil || pages >= min(syncPages, k.long) { // an error may be the disk's: this tells
			if err := k.sync(); err != nil {
				_ = db.syncer.fail(err) // SQLite may ask again and be told that all is well
				return
			}
		}
		if err != nil {
			continue // another program carries; the next time will do
		}
		last = n
		if pages < k.long {
			end = k.long
		}
		if pages < end {
			continue
		}
		if err := k.approach(ctx, pages); err != nil {
			_ = db.syncer.fail(err)
			return
		}
		w, err := db.pen.take(ctx, true)
		if err != nil {
			return
		}
		_, _ = k.carry(ctx)
		db.pen.pass(w)
		end = pages + k.long/4 // while a long read needs the log, it cannot begin anew
	}
}

// approach carries and syncs what came while the keeper was at it, until that is little: the writer will stand still for the
// rest. An error is the disk's.
func (k *keeper) approach(ctx context.Context, pages int) error {
	for range 4 {
		before := pages
		var err error
		if pages, err = k.carry(ctx); err != nil {
			pages = before // another program carries
		}
		if err := k.sync(); err != nil {
			return err
		}
		if pages-before < littlePages {
			break
		}
	}
	return nil
}

// carry carries what no reader is in the way of, waiting for nobody, and returns how many pages the log has.
func (k *keeper) carry(ctx context.Context) (pages int, err error) {
	rows, err := k.conn.query(ctx, "PRAGMA wal_checkpoint(PASSIVE)", nil)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var busy, carried int
	if rows.Next() {
		if err := rows.Scan(&busy, &pages, &carried); err != nil {
			return 0, err
		}
	}
	return pages, rows.Err()
}

// shared is a file that is open once in the process. When a process closes any descriptor of a file, POSIX takes away all
// locks the process has on it, those of SQLite's connections too. So the stores of one file share
// a descriptor, and the last of them closes it, after its connections.
type shared struct {
	*os.File
	users int
}

var sharing struct {
	sync.Mutex
	files []*shared
}

// share opens a file for a store that has connections to it.
func share(path string) (*shared, error) {
	sharing.Lock()
	defer sharing.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	for _, f := range sharing.files {
		if other, err := f.Stat(); err == nil && os.SameFile(info, other) {
			f.users++
			return f, nil
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &shared{File: f, users: 1}
	sharing.files = append(sharing.files, s)
	return s, nil
}

// Close is called when the connections of the store are closed.
func (s *shared) Close() error {
	sharing.Lock()
	defer sharing.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	sharing.files = slices.DeleteFunc(sharing.files, func(f *shared) bool { return f == s })
	return s.File.Close()
}
