package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/store/storetest"
)

func open(t testing.TB, url string, now func() time.Time) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), url, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t testing.TB, now func() time.Time) *store.DB {
		return open(t, filepath.Join(t.TempDir(), "shop.db"), now)
	})
}

func TestPostgreSQL(t *testing.T) {
	storetest.Run(t, func(t testing.TB, now func() time.Time) *store.DB { return open(t, postgres(t), now) })
}

// postgres is a new database with the schema of today.
func postgres(t testing.TB) string {
	return pgtest.Prepared(t, "store", func(url string) error {
		db, err := store.Open(context.Background(), url, store.Options{})
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// TestBehindAPooler holds the store to its contract where no session lasts longer than a transaction.
func TestBehindAPooler(t *testing.T) {
	t.Parallel() // it mostly waits
	storetest.Run(t, func(t testing.TB, now func() time.Time) *store.DB {
		db, err := store.Open(context.Background(), pgtest.Pooler(t, postgres(t)), store.Options{Now: now, Pooled: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	})
}
