//go:build unix

package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	a, err := store.InUse(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.InUse(path) // two servers on one file
	if err != nil {
		t.Fatal(err)
	}
	a.Release()
	if _, err := store.Alone(path); fault.KindOf(err) != fault.Conflict {
		t.Errorf("alone beside another: %v", err)
	}
	b.Release()
	c, err := store.Alone(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.InUse(path); fault.KindOf(err) != fault.Conflict {
		t.Errorf("in use while it is restored: %v", err)
	}
	c.Release()
}

// Several openings of a file that is not there yet make it once.
func TestFreshFileOpenedTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "shop.db")
	errs := make(chan error, 6)
	for range cap(errs) {
		go func() {
			db, err := store.Open(context.Background(), path, store.Options{ReadConns: 1})
			if err == nil {
				err = db.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
