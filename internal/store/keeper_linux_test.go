package store

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Two stores of one file in one process: closing one of them must not take the locks of the other away, which is what
// POSIX does when any descriptor of a file is closed.
func TestLocksStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	var dbs []*DB
	for range 2 {
		db, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		dbs = append(dbs, db)
	}
	f, err := os.Open(path) // closed after the stores, for the reason this test is about
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	locked := func() bool {
		const getOFD, pending = 36, 0x40000000 // F_OFD_GETLK sees the locks of this process as another's; the bytes that SQLite locks begin there
		l := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: pending, Len: 512}
		if err := syscall.FcntlFlock(f.Fd(), getOFD, &l); err != nil {
			t.Fatal(err)
		}
		return l.Type != syscall.F_UNLCK
	}
	if !locked() {
		t.Fatal("open stores hold no lock; this test cannot see them")
	}
	if err := dbs[0].Close(); err != nil {
		t.Error(err)
	}
	if !locked() {
		t.Error("closing one store took the locks of the other away")
	}
	if err := dbs[1].Close(); err != nil {
		t.Error(err)
	}
	if locked() {
		t.Error("a lock is left when both are closed")
	}
}
