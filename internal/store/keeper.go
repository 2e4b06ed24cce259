package store

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"
)

// keeper carries the write-ahead log of a SQLite file into the file, beside the writer. A page that many commits changed is
// carried once, so the log is left alone until it is long, or nobody writes. Then the keeper carries what there is and brings it to the disk
// a little at a time, and what came meanwhile, until that is little; and it takes the pen and carries the rest, so that
// the log can begin anew.
type keeper struct {
	conn *liteConn
	file *shared
	sync func() error // file.Sync; a test lets it fail
	long int          // logPages; a test has less
}

// The log in pages of 4 KiB. A log of logPages is ended, so that it can begin anew; at mostPages the writer
// ends it, should the keeper not come to it.
const (
	logPages    = 48_000
	mostPages   = 3 * logPages
	keptPages   = logPages + logPages/2 // of a log that was longer: cut shorter, each would have to be made longer again
	littlePages = 150                   // written or brought to the disk at a time: the writer waits for no more
	tendEvery   = 50 * time.Millisecond
	quietTends  = 20 // without a commit: nobody writes
)

// keep works until the store closes.
func (db *liteDB) keep(ctx context.Context, k *keeper) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	end := 0 // how many pages it has to have to be ended
	for last, quiet := int64(0), quietTends; ; {
		select {
		case <-db.quit:
			return
		case <-tick.C:
		}
		if n := db.commits.Load(); n != last {
			last, quiet = n, 0
		} else if quiet++; quiet > quietTends {
			continue // it was ended
		}
		if quiet < quietTends {
			pages, err := k.checkpoint(ctx, "NOOP")
			if err == nil && pages < k.long {
				end = k.long
			}
			if err != nil || pages < end {
				continue
			}
		}
		if err := k.approach(ctx); err != nil {
			_ = db.syncer.fail(err) // SQLite may ask again and be told that all is well
			return
		}
		w, err := db.pen.take(ctx, true)
		if err != nil {
			return
		}
		pages, _ := k.checkpoint(ctx, "PASSIVE")
		db.pen.pass(w)
		end = pages + k.long/4 // while a long read needs the log, it cannot begin anew
	}
}

// approach carries and syncs until what came meanwhile is little: the writer will stand still for the rest. An error is the disk's.
func (k *keeper) approach(ctx context.Context) error {
	before := 0
	for range 5 {
		pages, err := k.checkpoint(ctx, "PASSIVE")
		if err != nil {
			pages = before // another program carries, or the disk failed: this tells
		}
		if err := k.sync(); err != nil {
			return err
		}
		if pages-before < littlePages {
			break
		}
		before = pages
	}
	return nil
}

// checkpoint returns how many pages the log has. PASSIVE carries what no reader is in the way of, waiting for nobody; NOOP carries nothing.
func (k *keeper) checkpoint(ctx context.Context, mode string) (pages int, err error) {
	rows, err := k.conn.query(ctx, "PRAGMA wal_checkpoint("+mode+")", nil)
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
