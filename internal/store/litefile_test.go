package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"orderly.example/orderly/internal/fault"
)

// reached is what reached SQLite's own files of a store.
type reached struct {
	carrier                          *keeper // of the test's own
	logWrites, mainWrites, mainSyncs atomic.Int64
	full                             atomic.Bool // the log is refused
}

// watched is a store whose files are watched.
func watched(t *testing.T) (*DB, *reached) {
	t.Helper()
	before := map[*liteFile]bool{}
	liteFiles.RLock()
	for _, f := range liteFiles.open {
		before[f] = true
	}
	liteFiles.RUnlock()
	db := kept(t, 1<<30)
	c, err := dial(t.Context(), db.lite.path, liteVFS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	s := &reached{carrier: &keeper{conn: c}}
	liteFiles.Lock()
	defer liteFiles.Unlock()
	for _, f := range liteFiles.open {
		if before[f] {
			continue
		}
		log, under, spy := f.mem != 0, f.under, *f.under
		write := func(tls *libc.TLS, file, mem uintptr, n int32, off int64) int32 {
			if log {
				if s.full.Load() {
					return sqlite3.SQLITE_FULL
				}
				s.logWrites.Add(1)
			} else {
				s.mainWrites.Add(1)
			}
			return function[moveFunc](under.FxWrite)(tls, file, mem, n, off)
		}
		sync := func(tls *libc.TLS, file uintptr, flags int32) int32 {
			if !log {
				s.mainSyncs.Add(1)
			}
			return function[syncFunc](under.FxSync)(tls, file, flags)
		}
		spy.FxWrite, spy.FxSync = address[moveFunc](write), address[syncFunc](sync)
		f.under = &spy
		t.Cleanup(func() { _, _ = write, sync }) // what only an address names is not kept alive
	}
	return db, s
}

// fill writes rows of some pages each, several times over.
func fill(db *DB, rows, times int, value string) error {
	return db.Update(context.Background(), func(tx *Tx) error {
		for range times {
			for i := range rows {
				if _, err := tx.Exec("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
					fmt.Sprintf("row %d", i), strings.Repeat(value, 12_000)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// onDisk checks that what is in the files now, were the process to end here, is rows of a value and nothing else.
func onDisk(t *testing.T, db *DB, rows int, value string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(db.lite.path + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n := 0
	err = c.View(t.Context(), func(tx *Tx) error {
		var sound string
		if err := tx.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
			t.Errorf("the copy is %q, %v", sound, err)
		}
		return tx.Each(func(scan func(...any) error) error {
			var got string
			err := scan(&got)
			if got != strings.Repeat(value, 12_000) {
				t.Errorf("a row begins with %.20q, want %q again and again", got, value)
			}
			n++
			return err
		}, "SELECT value FROM setting WHERE name LIKE 'row %'")
	})
	if err != nil || n != rows {
		t.Fatalf("%d rows are on the disk, want %d; %v", n, rows, err)
	}
}

// A commit of some 900 pages takes one call for some thirty of them, and is in the file when it is told of.
func TestCommitLeavesInOnePiece(t *testing.T) {
	db, saw := watched(t)
	if err := fill(db, 300, 1, "a"); err != nil { // some 900 pages
		t.Fatal(err)
	}
	onDisk(t, db, 300, "a")
	if n := saw.logWrites.Load(); n < 10 || n > 60 {
		t.Errorf("%d calls wrote the log, want some 30", n)
	}
	saw.logWrites.Store(0)
	if err := fill(db, 1, 1, "b"); err != nil {
		t.Fatal(err)
	}
	if n := saw.logWrites.Load(); n != 1 {
		t.Errorf("%d calls wrote a small commit, want 1", n)
	}
}

// A transaction that is larger than the cache puts pages into the log before it ends, changes them there and
// calculates their checksums anew; one that is taken back leaves them there.
func TestTransactionsLargerThanTheCache(t *testing.T) {
	db, _ := watched(t)
	shrink := func(tx *Tx) error {
		_, err := tx.Exec("PRAGMA cache_size = 20")
		return err
	}
	if err := db.Update(t.Context(), shrink); err != nil {
		t.Fatal(err)
	}
	for i, value := range []string{"a", "b", "c"} {
		if err := fill(db, 100, 3, value); err != nil {
			t.Fatal(err)
		}
		onDisk(t, db, 100, value)
		err := db.Update(t.Context(), func(tx *Tx) error {
			for n := range 100 {
				if _, err := tx.Exec("UPDATE setting SET value = $1 WHERE name = $2", strings.Repeat("z", 12_000+i), fmt.Sprintf("row %d", n)); err != nil {
					return err
				}
			}
			return fault.New(fault.Conflict, "test", "taken back")
		})
		if fault.KindOf(err) != fault.Conflict {
			t.Fatal(err)
		}
		onDisk(t, db, 100, value)
	}
}

// A disk that is full refuses the commit, loses nothing of those before, and the next is taken when there is room.
func TestLogOnAFullDisk(t *testing.T) {
	db, saw := watched(t)
	if err := fill(db, 100, 1, "a"); err != nil {
		t.Fatal(err)
	}
	saw.full.Store(true)
	if err := fill(db, 100, 1, "b"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a full disk gave %v, want Unavailable", err)
	}
	onDisk(t, db, 100, "a")
	saw.full.Store(false)
	if err := fill(db, 100, 1, "c"); err != nil {
		t.Fatal(err)
	}
	onDisk(t, db, 100, "c")
}

// What is carried into the file is brought to the disk a little at a time.
func TestCarriedALittleAtATime(t *testing.T) {
	db, saw := watched(t)
	if err := fill(db, 400, 1, "a"); err != nil {
		t.Fatal(err)
	}
	for saw.mainWrites.Load() < 1_000 { // the store's own keeper may be at it
		if _, err := saw.carrier.checkpoint(t.Context(), "PASSIVE"); err != nil {
			t.Fatal(err)
		}
	}
	writes, syncs := saw.mainWrites.Load(), saw.mainSyncs.Load()
	if syncs < writes/littlePages {
		t.Errorf("%d pages were written with %d syncs, want one for %d", writes, syncs, littlePages)
	}
}
