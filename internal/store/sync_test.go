package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"orderly.example/orderly/internal/fault"
)

// Nobody hears of a commit before the disk has it, and the next transaction does not wait for that.
func TestAnsweredIsDurable(t *testing.T) {
	db, entered, release := heldUp(t)
	write := func(name string, ran chan<- struct{}) <-chan error {
		done := make(chan error, 1)
		go func() {
			done <- db.UpdateBulk(context.Background(), func(tx *Tx) error {
				_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ($1, '1')", name)
				close(ran)
				return err
			})
		}()
		return done
	}
	first, second := make(chan struct{}), make(chan struct{})
	a := write("a", first)
	<-entered // the first is at the disk
	b := write("b", second)
	<-second // and the second is written meanwhile
	select {
	case err := <-a:
		t.Fatalf("an Update returned before the disk had its commit: %v", err)
	case err := <-b:
		t.Fatalf("an Update returned before the disk had its commit: %v", err)
	default:
	}
	release <- nil
	if err := <-a; err != nil {
		t.Error(err)
	}
	<-entered
	select {
	case err := <-b:
		t.Fatalf("the sync of the first commit answered for the second: %v", err)
	default:
	}
	release <- nil
	if err := <-b; err != nil {
		t.Error(err)
	}
}

// After a sync that failed nobody knows what the disk has: the callers are told, and nothing more is written.
func TestDiskThatFails(t *testing.T) {
	db, entered, release := heldUp(t)
	go func() {
		<-entered
		release <- errors.New("input/output error")
	}()
	update := func(fn func(*Tx) error) error { return db.Update(context.Background(), fn) }
	err := update(func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ('a', '1')")
		return err
	})
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("the failed sync was answered %v, want Unavailable", err)
	}
	err = update(func(*Tx) error { t.Error("a transaction began after the disk had failed"); return nil })
	if fault.KindOf(err) != fault.Unavailable {
		t.Fatalf("a write after it was answered %v, want Unavailable", err)
	}
	if err := db.View(context.Background(), func(*Tx) error { return nil }); err != nil {
		t.Errorf("reading ends too: %v", err)
	}
}

// heldUp is a SQLite store whose every sync says that it began, and ends with what it is given.
func heldUp(t *testing.T) (db *DB, entered chan struct{}, release chan error) {
	t.Helper()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "shop.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	entered, release = make(chan struct{}), make(chan error)
	db.lite.syncer.sync = func() error {
		entered <- struct{}{}
		return <-release
	}
	return db, entered, release
}
