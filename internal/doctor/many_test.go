package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// TestManyEventsWithoutAnOffender: looking for offenders reads each table once. Where one was walked whole for each row of
// another, PostgreSQL was not done here within a minute, nor with a shop of 175,000 events within sixteen.
func TestManyEventsWithoutAnOffender(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.URL(t)
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, url, store.Options{Keyring: keys}) // makes the tables
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, `INSERT INTO event (seq, id, source, key, type, subject, order_id, at, received, mode, state, hash, data)
			SELECT n, 'e' || n, 'test', 'k' || n, 'stock.received', 's', '', 1, 1, 'history', 'decided', 'h', '{}' FROM generate_series(1, 100000) n;
		INSERT INTO event_key (source, id, payload_hash, event_id) SELECT 'test', 'k' || n, 'h', 'e' || n FROM generate_series(1, 100000) n;
		ANALYZE`)
	if err != nil {
		t.Fatal(err)
	}
	// A statement that takes a minute is one that would not end.
	if _, err := c.Exec(ctx, "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET statement_timeout = ''60s'''; END $$"); err != nil {
		t.Fatal(err)
	}
	if db, err = store.Open(ctx, url, store.Options{Keyring: keys}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	rep, err := doctor.Check(ctx, db, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range rep.Laws {
		if !l.OK && strings.HasPrefix(l.Name, "event-") {
			t.Errorf("%s: %s", l.Name, l.Offender)
		}
	}
	if _, err := c.Exec(ctx, "UPDATE event SET key = 'other' WHERE id = 'e77777' OR id = 'e88888'"); err != nil {
		t.Fatal(err)
	}
	if rep, err = doctor.Check(ctx, db, keys); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rep.Laws, func(l doctor.Law) bool { return l.Name == "event-once" })
	if i < 0 || rep.Laws[i].OK || rep.Laws[i].Checked != 100_000 || !strings.Contains(rep.Laws[i].Offender, "e77777") {
		t.Errorf("the first offender is not the first of two: %+v", rep.Laws)
	}
}
