package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

// While writes never stop, the log begins anew again and again.
func TestLogBeginsAnew(t *testing.T) {
	ctx := t.Context()
	db := kept(t, 200)
	// The file keeps its length when the log begins anew: had it not, it would be as long as what was written.
	var wrote atomic.Int64
	until := time.Now().Add(20 * tendEvery)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			row := strings.Repeat(strconv.Itoa(i), 40_000) // ten pages
			for time.Now().Before(until) {
				if err := db.Update(ctx, func(tx *Tx) error {
					_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ('a', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value", row)
					return err
				}); err != nil {
					t.Error(err)
					return
				}
				wrote.Add(10)
			}
		})
	}
	writers.Wait()
	info, err := os.Stat(db.lite.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if n := info.Size() / 4096; wrote.Load() > 4_000 && n > wrote.Load()/2 {
		t.Errorf("the log has %d pages after %d were written; it never began anew", n, wrote.Load())
	}
	t.Logf("%d pages written, the log has %d", wrote.Load(), info.Size()/4096)
}

// When the file itself cannot be brought to the disk nobody knows what it has; the log still has it, so nothing may make it begin anew.
func TestFileThatFails(t *testing.T) {
	db := kept(t, 1)
	asked := make(chan struct{})
	db.lite.keeper.sync = func() error {
		close(asked)
		return errors.New("input/output error")
	}
	write := func() error {
		return db.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ('a', '1') ON CONFLICT DO NOTHING")
			return err
		})
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	<-asked
	err := write()
	for err == nil { // it may have begun before the failure was known
		err = write()
	}
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a write after the disk had failed was answered %v, want Unavailable", err)
	}
}

// kept is a SQLite store whose log is ended when it has so many pages.
func kept(t *testing.T, long int) *DB {
	t.Helper()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "shop.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.lite.keeper.long = long
	return db
}
