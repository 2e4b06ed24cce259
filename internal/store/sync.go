package store

import (
	"os"
	"path/filepath"
	"sync"

	"orderly.example/orderly/internal/fault"
)

// syncer makes the commits of a SQLite file durable, beside the writer: a commit is
// written to the write-ahead log, the next transaction begins, and the callers of
// the first are answered when the log has been synced to the disk. One sync serves
// all commits that were written before it began. The log is one file that only grows
// at its end between syncs, so what is durable is always a beginning of what was
// committed: after a power failure nothing that was answered is missing.
//
// A reader may see a commit shortly before it is durable. Nothing leaves the shop
// for it: an effect is claimed in a commit of its own, which is awaited.
type syncer struct {
	file *os.File
	sync func() error // file.Sync; a test holds it up or lets it fail
	wake chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	waiting []*commit
	failed  error // after it the store takes no more writes
}

func newSyncer(log string) (*syncer, error) {
	f, err := os.OpenFile(log, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if dir, err := os.Open(filepath.Dir(log)); err == nil { // the log's name is durable too, where folders can be synced
		_ = dir.Sync()
		_ = dir.Close()
	}
	s := &syncer{file: f, sync: f.Sync, wake: make(chan struct{}, 1)}
	s.wg.Go(s.loop)
	return s, nil
}

// add takes a transaction that is committed; its done is closed when it is durable.
func (s *syncer) add(t *commit) {
	s.mu.Lock()
	s.waiting = append(s.waiting, t)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *syncer) loop() {
	for range s.wake {
		s.mu.Lock()
		ts, err := s.waiting, s.failed
		s.waiting = nil
		s.mu.Unlock()
		if len(ts) == 0 {
			continue
		}
		if err == nil {
			if err = s.sync(); err != nil {
				err = s.fail(err)
			}
		}
		for _, t := range ts {
			t.err = err
			close(t.done)
		}
	}
}

// fail remembers that the disk did not take what was committed. What it has of it nobody knows: a
// later sync may succeed without it. So nothing more is written until the process starts anew.
func (s *syncer) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = fault.Wrap(err, fault.Unavailable, "store.sync",
		"the disk did not confirm what was written: %v; nothing more is taken until the disk is checked and the program is started again", err)
	return s.failed
}

// err is why nothing more may be written.
func (s *syncer) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// close waits until what was added is durable. Nothing may be added after it.
func (s *syncer) close() error {
	close(s.wake)
	s.wg.Wait()
	return s.file.Close()
}
