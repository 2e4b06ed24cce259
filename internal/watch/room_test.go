package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// TestTheLimitIsNotReachedUnseen: a database whose disk cannot be seen is measured against what it may take, and told before that is used up.
func TestTheLimitIsNotReachedUnseen(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { limitIsTold(t, filepath.Join(t.TempDir(), "shop.db")) })
	t.Run("postgres", func(t *testing.T) { limitIsTold(t, pgtest.URL(t)) })
}

func limitIsTold(t *testing.T, url string) {
	r := newRig(t, url)
	line := func() (state, missing string) {
		t.Helper()
		st, err := r.w.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(st.Lines, func(l watch.Line) bool { return l.Name == "limit" })
		if i < 0 || slices.ContainsFunc(st.Lines, func(l watch.Line) bool { return l.Name == "disk" }) {
			t.Fatalf("%+v", st.Lines)
		}
		return st.Lines[i].State, st.Lines[i].Missing
	}
	r.turn()
	if state, missing := line(); state != watch.Learning || !strings.Contains(missing, "db_limit") {
		t.Errorf("nothing is known of the room: %s %s", state, missing)
	}
	var used int64
	err := r.db.View(t.Context(), func(tx *store.Tx) error {
		n, err := tx.DatabaseSize()
		if err != nil {
			return err
		}
		log, known, err := tx.LogSize()
		if pg := strings.HasPrefix(url, "postgres"); known != pg || pg && log < 16<<20 { // a segment at least
			t.Errorf("the log has %d bytes, known: %v", log, known)
		}
		used = n + log
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	told := func() string {
		t.Helper()
		r.turn()
		for _, i := range r.incidents(false) {
			if i.Subject == "limit" {
				if i.Task.Alarm.Next == "" || i.Task.Owner == "" || !strings.Contains(i.Task.Reasons[0].Text, "db_limit") {
					t.Errorf("%+v", i.Task)
				}
				return i.Task.Title
			}
		}
		return ""
	}
	r.w.Limit = used + 100<<30
	if got := told(); got != "" {
		t.Errorf("told while there is room: %s", got)
	}
	if state, missing := line(); state != watch.Kept || missing != "" {
		t.Errorf("%s %s", state, missing)
	}
	r.w.Limit = used + 40<<30
	r.grown(4 << 30) // so much a day
	if got := told(); got != "The database will have used up its room within 14 days" {
		t.Errorf("not told: %q", got)
	}
	if state, _ := line(); state != watch.Silent {
		t.Errorf("%s", state)
	}
	r.grown(0)
	r.w.Limit = used + 200<<30
	if got := told(); got != "" {
		t.Errorf("told still: %s", got)
	}
	r.w.Limit = used + used/10
	if got := told(); got != "The database has nearly used up its room" {
		t.Errorf("not told: %q", got)
	}
	r.w.Limit = used + 200<<30
	told()
	r.w.Limit = used / 2
	if got := told(); got != "The database takes more than it may" {
		t.Errorf("not told: %q", got)
	}
}

// grown lets the database have grown by so much on each of the last days.
func (r *rig) grown(daily int64) {
	r.t.Helper()
	var sizes []watch.Size
	for d := range int64(10) {
		sizes = append(sizes, watch.Size{Day: r.clock().AddDate(0, 0, int(d)-9).UTC().Format(time.DateOnly), Bytes: 1<<20 + d*daily})
	}
	r.update(func(tx *store.Tx) error {
		turn, err := tx.LastWatch()
		if err != nil {
			return err
		}
		doc := map[string]any{}
		if err := json.Unmarshal([]byte(turn.Doc), &doc); err != nil {
			return err
		}
		doc["Sizes"] = sizes
		text, err := json.Marshal(doc)
		turn.Doc = string(text)
		return errors.Join(err, tx.PutWatch(turn, nil))
	})
}

// TestSlotsHoldTheLog: a replication slot that nobody reads from is seen with what it keeps, and told when that is much.
func TestSlotsHoldTheLog(t *testing.T) {
	r := newRig(t, pgtest.URL(t))
	const name = "orderly_test_watch"
	r.update(func(tx *store.Tx) error {
		var lsn string
		return tx.QueryRow("SELECT slot_name FROM pg_create_physical_replication_slot($1, true)", name).Scan(&lsn)
	})
	t.Cleanup(func() {
		var none string
		if err := r.db.Update(context.Background(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT CAST(pg_drop_replication_slot($1) AS TEXT)", name).Scan(&none)
		}); err != nil {
			t.Error(err)
		}
	})
	for range 40 { // some log
		r.submit(r.order("web-shop", "DE", event.Live, r.clock()))
	}
	var mine store.Slot
	err := r.db.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Slots()
		for _, s := range all {
			if s.Name == name {
				mine = s
			}
		}
		return err
	})
	if err != nil || mine.Active || mine.Lost || mine.Held < 20<<10 {
		t.Fatalf("%+v %v", mine, err)
	}
	r.turn() // the watch asks for it too, and it is not much
	if got := r.incidents(false); len(got) != 0 {
		t.Errorf("%+v", got[0].Task)
	}
}
