package store_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// TestReplica: reads go to a streaming replica while it follows, to the primary while it lags or is gone,
// and back when it has caught up.
func TestReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two servers; left out under -short")
	}
	t.Parallel()
	ctx := context.Background()
	primary := pgtest.Private(t)
	if err := primary.Exec(ctx, "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	db := open(t, primary.URL("shop"), time.Now)
	standby := primary.Standby()
	r, err := store.OpenReplica(ctx, db, standby.URL("shop"), 1500*time.Millisecond, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put := func(v string) {
		t.Helper()
		if err := db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting("v", v) }); err != nil {
			t.Fatal(err)
		}
	}
	// read tells whether a replica answered, and what.
	read := func() (onReplica int, v string) {
		t.Helper()
		err := r.View(ctx, func(tx *store.Tx) (err error) {
			err = tx.QueryRow("SELECT CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END").Scan(&onReplica)
			if err == nil {
				v, _, err = tx.Setting("v")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return onReplica, v
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); !ok(); <-time.After(50 * time.Millisecond) {
			if time.Now().After(limit) {
				lag, why := r.State()
				t.Fatalf("%s: not so after 20 s; lag %s, %q", what, lag, why)
			}
		}
	}
	put("first")
	until("the replica answers with what was written", func() bool { on, v := read(); return on == 1 && v == "first" })

	if err := errors.Join(primary.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = ''"), primary.Exec(ctx, "SELECT pg_reload_conf()"),
		standby.Exec(ctx, "SELECT pg_wal_replay_pause()")); err != nil {
		t.Fatal(err)
	}
	put("second")
	until("a replica that lags is left", func() bool { on, v := read(); return on == 0 && v == "second" })
	if lag, why := r.State(); lag < time.Second || why == "" {
		t.Errorf("lag %s, %q", lag, why)
	}
	if err := standby.Exec(ctx, "SELECT pg_wal_replay_resume()"); err != nil {
		t.Fatal(err)
	}
	until("a replica that caught up is used", func() bool { on, v := read(); return on == 1 && v == "second" })

	standby.Stop(syscall.SIGKILL)
	if on, v := read(); on != 0 || v != "second" { // at once: the next read meets it
		t.Errorf("the replica is dead, but %d answered %q", on, v)
	}
	until("its death is told", func() bool { _, why := r.State(); return why == "it cannot be reached" })
	standby.Start()
	until("a replica that came back is used", func() bool { on, _ := read(); return on == 1 })
	standby.Promote()
	until("a promoted standby is left", func() bool { on, _ := read(); _, why := r.State(); return on == 0 && why == "it is no standby" })
}
