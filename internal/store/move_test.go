package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/store/storetest"
)

// TestMoveIsAllOrNothing: what cannot be copied leaves the target as new, and the same target then takes it.
func TestMoveIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	from, to := filepath.Join(t.TempDir(), "shop.db"), postgres(t)
	db, err := store.Open(ctx, from, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	storetest.Fill(t, db, 9, 300)
	put := func(sql string, args ...any) {
		t.Helper()
		if err := db.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(sql, args...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	put("INSERT INTO geo_postal (country, code, lat, lon) VALUES ('FR', '69001', 45.767, 4.0), ('FR', '75001', -0.1, 1e-300)")
	put("INSERT INTO setting (name, value) VALUES ('odd', 'a\\b\t\"ü\n\u2028')")
	put("INSERT INTO setting (name, value) VALUES ('unreadable', CAST(x'ff41' AS TEXT))") // no UTF-8: PostgreSQL does not take it
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Move(ctx, from, to, store.Options{}, nil)
	if err == nil || !strings.Contains(fault.Message(err), "setting") {
		t.Fatalf("err = %v", err)
	}
	if db, err = store.Open(ctx, from, store.Options{}); err != nil {
		t.Fatal(err)
	}
	put("DELETE FROM setting WHERE name = 'unreadable'")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var last, total int64
	there, err := store.Move(ctx, from, to, store.Options{}, func(done, all int64) {
		if done < last || done > all {
			t.Errorf("progress went from %d to %d of %d", last, done, all)
		}
		last, total = done, all
	})
	if err != nil || last != total || total == 0 {
		t.Fatalf("%d of %d rows: %v", last, total, err)
	}
	back, err := store.Move(ctx, to, filepath.Join(t.TempDir(), "back.db"), store.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range there {
		if m != back[i] {
			t.Errorf("there %+v, back %+v", m, back[i])
		}
	}
	// What came before the move is known after it.
	shop := storetest.NewShop(2)
	if err := open(t, to, time.Now).Update(ctx, shop.Orders(1).Write); err == nil {
		t.Error("an order of before was taken for a new one")
	} else if !strings.Contains(err.Error(), "event_key") {
		t.Errorf("err = %v", err)
	}
	for name, target := range map[string]string{"itself": from, "the same by another name": "sqlite:" + from} {
		if _, err := store.Move(ctx, from, target, store.Options{}, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("into %s: %v", name, err)
		}
	}
	if _, err := store.Move(ctx, from+".absent", to, store.Options{}, nil); fault.KindOf(err) != fault.NotFound {
		t.Errorf("from nothing: %v", err)
	}
}
