package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/store/storetest"
)

// Both engines must have the same tables and columns, in the same order.
func TestSchemasAgree(t *testing.T) {
	lite := schema(t, open(t, filepath.Join(t.TempDir(), "shop.db"), time.Now),
		`SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.cid`)
	pg := schema(t, open(t, pgtest.URL(t), time.Now),
		`SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position`)
	if d := cmp.Diff(lite, pg); d != "" {
		t.Errorf("SQLite (-) and PostgreSQL (+) differ:\n%s", d)
	}
	if len(lite) < 25 {
		t.Errorf("only %d tables were compared", len(lite))
	}
}

func schema(t *testing.T, db *store.DB, query string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := db.View(context.Background(), func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var table, column string
			err := scan(&table, &column)
			if !strings.HasPrefix(table, "river_") && !strings.HasPrefix(table, "goose_") && !strings.HasPrefix(table, "sqlite_") {
				out[table] = append(out[table], column)
			}
			return err
		}, query)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Indexes differ in spelling only: the same names on both engines.
func TestIndexesAgree(t *testing.T) {
	list := func(db *store.DB, query string) (out []string) {
		err := db.View(context.Background(), func(tx *store.Tx) error {
			return tx.Each(func(scan func(...any) error) error {
				out = append(out, "")
				return scan(&out[len(out)-1])
			}, query)
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(out)
		return out
	}
	lite := list(open(t, filepath.Join(t.TempDir(), "shop.db"), time.Now), "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
	pg := list(open(t, pgtest.URL(t), time.Now),
		`SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'river%' AND indexname NOT LIKE '%\_pkey' AND indexname NOT LIKE '%\_key' AND tablename NOT LIKE 'goose%'`)
	if d := cmp.Diff(lite, pg); d != "" || len(lite) < 15 {
		t.Errorf("SQLite (-) and PostgreSQL (+) differ:\n%s", d)
	}
}

func TestOpenAgain(t *testing.T) {
	for name, url := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "new folder", "shop ?#%.db"), "postgres": pgtest.URL(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			for i := range 2 {
				db, err := store.Open(ctx, url, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if db.Engine() != name {
					t.Errorf("engine %q", db.Engine())
				}
				err = db.Update(ctx, func(tx *store.Tx) error {
					have, _, err := tx.Setting("runs")
					if want := strings.Repeat("x", i); have != want {
						t.Errorf("runs = %q, want %q", have, want)
					}
					return errors.Join(err, tx.PutSetting("runs", have+"x"))
				})
				if err = errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Several nodes that start at once migrate once.
func TestNodesStartTogether(t *testing.T) {
	url := pgtest.URL(t)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			db, err := store.Open(context.Background(), url, store.Options{ReadConns: 3})
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

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("this is not a database\n", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]fault.Kind{
		"":                          fault.Invalid,
		dir:                         fault.Invalid,
		"mysql://localhost/x":       fault.Invalid,
		"postgres://%zz":            fault.Invalid,
		"postgres://127.0.0.1:1/x":  fault.Unavailable,
		junk:                        fault.Unavailable,
		filepath.Join(junk, "a.db"): fault.Invalid,
	} {
		db, err := store.Open(context.Background(), url, store.Options{})
		if err == nil {
			_ = db.Close()
		}
		if fault.KindOf(err) != want || err == nil {
			t.Errorf("%q: %v, want %v", url, err, want)
		}
		if err != nil && strings.Contains(fault.Message(err), "went wrong on our side") {
			t.Errorf("%q: the message helps nobody: %v", url, err)
		}
	}
}

// A database of a newer program is left alone.
func TestNewerDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db := open(t, path, time.Now)
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Exec("INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES (99999, 1, '2026-01-01 00:00:00')")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	newer, err := store.Open(context.Background(), path, store.Options{})
	if err == nil {
		_ = newer.Close()
	}
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), "newer") {
		t.Errorf("err = %v", err)
	}
}

func TestBackup(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "shop.db"), time.Now)
	shop := storetest.Fill(t, db, 9, 120)
	path := filepath.Join(t.TempDir(), "copy.db")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { // the shop goes on meanwhile
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := db.Update(ctx, shop.Orders(20).Write); err != nil {
				done <- err
				return
			}
		}
	}()
	err := db.Backup(ctx, path)
	close(stop)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	if err := store.CheckFile(ctx, path); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.partial*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := db.Backup(ctx, path); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a backup was overwritten: %v", err)
	}
}

func TestCheckFileFindsDamage(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "shop.db")
	db, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Fill(t, db, 9, 200)
	if err := db.Close(); err != nil { // writes the log back into the file
		t.Fatal(err)
	}
	if err := store.CheckFile(ctx, path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bytes := range map[string][]byte{
		"truncated": whole[:len(whole)/2],
		"zeroed":    slices.Concat(whole[:len(whole)/2], make([]byte, 8192), whole[len(whole)/2+8192:]),
		"empty":     {},
	} {
		bad := filepath.Join(t.TempDir(), name+".db")
		if err := os.WriteFile(bad, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := store.CheckFile(ctx, bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.CheckFile(ctx, path+".absent"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("absent: %v", err)
	}
}

func TestPostgreSQLNamesItsOwnBackup(t *testing.T) {
	err := open(t, postgres(t), time.Now).Backup(context.Background(), filepath.Join(t.TempDir(), "x"))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), "pg_dump") {
		t.Errorf("err = %v", err)
	}
}

// Another process that writes for a moment makes Update wait, not fail.
func TestBusyFileIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shop.db")
	db := open(t, path, time.Now)
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		if _, err := other.Exec("COMMIT"); err != nil {
			t.Error(err)
		}
	})
	if err := db.Update(context.Background(), func(tx *store.Tx) error { return tx.PutSetting("a", "b") }); err != nil {
		t.Error(err)
	}
}

// Groups of several nodes that touch the same orders, customers and products in
// different orders neither lose an update nor give up.
func TestNodesDoNotLockEachOtherUp(t *testing.T) {
	url := postgres(t)
	const nodes, rounds = 4, 15
	errs := make(chan error, nodes)
	for n := range nodes {
		db := open(t, url, time.Now)
		go func() {
			errs <- func() error {
				for r := range rounds {
					err := db.Update(context.Background(), func(tx *store.Tx) error {
						var keys []string
						for i := range 20 {
							keys = append(keys, fmt.Sprint("k", (i*(n+3)+r)%25))
						}
						for _, class := range []store.LockClass{store.LockOrder, store.LockCustomer, store.LockVelocity} {
							if err := tx.Lock(class, keys); err != nil {
								return err
							}
						}
						if _, err := store.Balances(tx, keys); err != nil {
							return err
						}
						v, _, err := tx.Setting("n")
						if err != nil {
							return err
						}
						return tx.PutSetting("n", v+"x")
					})
					if err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range nodes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	// Any two groups share keys, so all of them came one after the other.
	var v string
	err := open(t, url, time.Now).View(context.Background(), func(tx *store.Tx) (err error) {
		v, _, err = tx.Setting("n")
		return err
	})
	if err != nil || len(v) != nodes*rounds {
		t.Errorf("%d updates are left of %d (%v)", len(v), nodes*rounds, err)
	}
}

// Close lets what is running end and refuses what comes later.
func TestCloseWaits(t *testing.T) {
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "shop.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	began, end := make(chan struct{}), make(chan struct{})
	wrote := make(chan error, 1)
	go func() {
		wrote <- db.Update(context.Background(), func(tx *store.Tx) error {
			close(began)
			<-end
			return tx.PutSetting("a", "b")
		})
	}()
	<-began
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	for { // from the moment Close was called nobody new is let in
		err := db.View(context.Background(), func(*store.Tx) error { return nil })
		if fault.KindOf(err) == fault.Unavailable {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-closed:
		t.Fatalf("closed under a running Update: %v", err)
	default:
	}
	close(end)
	if err := errors.Join(<-wrote, <-closed, db.Close()); err != nil {
		t.Error(err)
	}
}
