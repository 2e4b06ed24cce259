package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// One holds the pen at a time, whoever gives up waiting and whenever, and it is never lost.
func TestPen(t *testing.T) {
	p := &pen{conn: &liteConn{}}
	var held atomic.Int32
	var had, left atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 300 {
				ctx, stop := context.WithTimeout(context.Background(), time.Duration(rand.IntN(200))*time.Microsecond)
				c, err := p.take(ctx, i%2 == 0)
				stop()
				if err != nil {
					left.Add(1)
					continue
				}
				if had.Add(1); held.Add(1) != 1 {
					t.Error("two write at once")
				}
				runtime.Gosched()
				if held.Add(-1); rand.IntN(2) == 0 || !p.join(c) {
					p.pass(c)
				}
			}
		})
	}
	wg.Wait()
	if had.Load() == 0 || left.Load() == 0 {
		t.Errorf("%d had the pen, %d gave up: neither may be none", had.Load(), left.Load())
	}
	if c, err := p.close(context.Background()); c == nil || err != nil {
		t.Fatalf("the pen is lost: %v", err)
	}
	if _, err := p.take(context.Background(), false); err == nil {
		t.Error("the pen was given out after its end")
	}
}

// Short Updates that wait for a group of events are written in its transaction, and those that fail take nothing along.
func TestShortUpdatesShareACommit(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set := func(name string) func(*Tx) error {
		return func(tx *Tx) error {
			_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ($1, '1')", name)
			return err
		}
	}
	const short = 6
	waiting := func() int {
		db.lite.pen.mu.Lock()
		defer db.lite.pen.mu.Unlock()
		return len(db.lite.pen.small)
	}
	before := db.lite.commits.Load()
	wrong := errors.New("no")
	errs := make(chan error, short)
	err = db.UpdateBulk(t.Context(), func(tx *Tx) error {
		for i := range short {
			go func() {
				errs <- db.Update(context.Background(), func(tx *Tx) error {
					if err := set(fmt.Sprint("short", i))(tx); err != nil || i > 0 {
						return err
					}
					return wrong
				})
			}()
		}
		for waiting() < short {
			runtime.Gosched()
		}
		return set("group")(tx)
	})
	failed := 0
	for range short {
		if err := <-errs; errors.Is(err, wrong) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if err != nil || failed != 1 {
		t.Fatalf("%v, %d failed, want one", err, failed)
	}
	var n int
	err = db.View(t.Context(), func(tx *Tx) error {
		return tx.QueryRow("SELECT count(*) FROM setting WHERE name LIKE 'short%' OR name = 'group'").Scan(&n)
	})
	if err != nil || n != short {
		t.Errorf("%d rows are there, want %d: %v", n, short, err)
	}
	if got := db.lite.commits.Load() - before; got > 2 { // a slow machine may end the transaction before the last has come
		t.Errorf("%d commits for one group and %d short Updates", got, short)
	}
}
