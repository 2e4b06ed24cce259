package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Lock is an advisory lock on the file beside a SQLite database. It says who
// has the database open; the operating system drops it when the process ends.
type Lock struct{ f *os.File }

// Release gives the lock back. A nil lock holds nothing.
func (l *Lock) Release() {
	if l != nil {
		_ = l.f.Close() // closing drops the lock
	}
}

// InUse locks the SQLite database at path against a restore, together with
// whoever else has it open.
func InUse(path string) (*Lock, error) {
	l, err := lockFile(path+".lock", false)
	if errors.Is(err, errLocked) {
		return nil, fault.New(fault.Conflict, "store.InUse", "%s is being restored; try again when that is done", path)
	}
	return l, err
}

// Alone locks the SQLite database at path for one process, which puts another
// file in its place. It fails with Conflict while any process has it open.
func Alone(path string) (*Lock, error) {
	l, err := lockFile(path+".lock", true)
	if errors.Is(err, errLocked) {
		return nil, fault.New(fault.Conflict, "store.Alone",
			"%s is open in another process; stop \"orderly serve\" and every other orderly command on it, then try again", path)
	}
	return l, err
}

var errLocked = errors.New("locked by another process")

func lockFile(path string, alone bool) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store.lock", "the lock file %s cannot be opened", path)
	}
	if err := tryLock(f, alone); err != nil {
		_ = f.Close() // the first error counts
		if errors.Is(err, errLocked) {
			return nil, err
		}
		return nil, fault.Wrap(err, fault.Unavailable, "store.lock", "the file %s cannot be locked", path)
	}
	return &Lock{f}, nil
}

// lockPoll is how often a busy lock is tried again.
const lockPoll = 10 * time.Millisecond

// oneOpening lets one process after the other open a database file: making its
// tables and its log is not something that two can do at once. What is locked is the
// folder, so that no file is left. A folder that cannot be locked (some network
// file systems) is no reason not to open.
func oneOpening(ctx context.Context, path string) (*Lock, error) {
	dir := filepath.Dir(path)
	if os.MkdirAll(dir, 0o700) != nil {
		return nil, nil //nolint:nilerr // opening the database tells why, in better words
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, nil //nolint:nilerr // as above
	}
	for {
		err := tryLock(f, true)
		if err == nil {
			return &Lock{f}, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, f.Close()
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "store.Open", "another process was opening %s until the time ran out", path)
		case <-time.After(lockPoll):
		}
	}
}
