package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// runs holds the firings that wait to their contract: found by what may wake them, listed page by page,
// and never written again once they have ended.
func runs(t *testing.T, open Opener) {
	db := open(t, time.Now)
	put := func(rs ...*automation.Run) error {
		m := map[string]*automation.Run{}
		for _, r := range rs {
			m[r.ID] = r
		}
		return db.Update(t.Context(), func(tx *store.Tx) error { return store.UpsertRuns(tx, m) })
	}
	var all []*automation.Run
	for i := range 12 {
		r := &automation.Run{
			ID: fmt.Sprintf("run_%02d", i), Automation: []string{"a", "b"}[i%2], Version: "v", Trigger: "order.placed", EventID: fmt.Sprint("e", i),
			Subject: fmt.Sprint("s", i), State: automation.RunWaiting, Started: Start.Add(time.Duration(i/3) * time.Second), Updated: Start,
			At:     []automation.Frame{{Step: 1, Branch: "then"}, {Step: 0}},
			Wait:   automation.Await{N: 1, Key: fmt.Sprint("order:", i%4), Event: "order.paid", Since: Start, Until: Start.Add(time.Hour), Timer: "tmr"},
			Values: []automation.Value{automation.NewValue("n", int64(i)), {Name: "t", Type: schema.String, Text: "x"}},
			Steps:  []automation.RunStep{{At: "0", Line: 6, Kind: automation.KindWait, In: "1h", Began: Start}},
		}
		if i%3 == 0 {
			r.OrderID = fmt.Sprint("ord", i)
		}
		all = append(all, r)
	}
	if err := put(all...); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got, want []string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	woken := func(orders, keys, of []string) (got []string) {
		view(t, db, func(tx *store.Tx) error {
			rs, err := store.WaitingRuns(tx, orders, keys, of)
			for id := range rs {
				got = append(got, id)
			}
			slices.Sort(got)
			return err
		})
		return got
	}
	same("by order, key and id", woken([]string{"ord3", "none"}, []string{"order:1"}, []string{"run_01", "run_07"}), []string{"run_01", "run_03", "run_05", "run_07", "run_09"})
	same("by nothing", woken(nil, nil, nil), nil)
	same("an order that is none", woken([]string{""}, []string{""}, nil), nil)
	view(t, db, func(tx *store.Tx) error {
		r, err := tx.Run("run_04")
		if diff := cmp.Diff(all[4], r, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("written and read: %s", diff)
		}
		if _, err := tx.Run("run_99"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a run that is none: %v", err)
		}
		return err
	})

	// Pages: every run once, the newest first, whatever starts at one moment.
	pages := func(f store.RunFilter) (got []string) {
		for {
			var page store.RunsPage
			view(t, db, func(tx *store.Tx) (err error) {
				page, err = tx.RunsPage(f)
				return err
			})
			for _, r := range page.Rows {
				got = append(got, r.ID)
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return got
			}
		}
	}
	for _, limit := range []int{1, 2, 5, 6, 50} {
		same(fmt.Sprint("pages of ", limit), pages(store.RunFilter{Automation: "a", Limit: limit}), []string{"run_10", "run_08", "run_06", "run_04", "run_02", "run_00"})
	}
	view(t, db, func(tx *store.Tx) error {
		for _, c := range []string{"x", "1", "x.y", "."} {
			if _, err := tx.RunsPage(store.RunFilter{Cursor: c}); fault.KindOf(err) != fault.Invalid {
				t.Errorf("the place %q: %v", c, err)
			}
		}
		return nil
	})

	// Some end, one is held.
	done, failed, held := all[0].Clone(), all[2].Clone(), all[4].Clone()
	for _, r := range []*automation.Run{done, failed} {
		r.State, r.At, r.Wait, r.Ended = automation.RunDone, nil, automation.Await{N: 1}, Start.Add(time.Minute)
	}
	failed.State, failed.Reason = automation.RunFailed, "no answer"
	held.Held = &event.RunDue{Run: held.ID, Wait: 1, Why: event.WokenByTime}
	if err := put(done, failed, held); err != nil {
		t.Fatal(err)
	}
	same("those that ended wake no more", woken([]string{"ord0"}, []string{"order:0", "order:2"}, []string{"run_00", "run_02"}), []string{"run_04", "run_06", "run_08", "run_10"})
	same("by state", pages(store.RunFilter{Automation: "a", State: automation.RunWaiting, Limit: 3}), []string{"run_10", "run_08", "run_06", "run_04"})
	same("by order", pages(store.RunFilter{OrderID: "ord0"}), []string{"run_00"})
	view(t, db, func(tx *store.Tx) error {
		n, err := tx.RunCounts("a")
		if n[automation.RunWaiting].N != 4 || n[automation.RunDone].N != 1 || n[automation.RunFailed].N != 1 || n[automation.RunCancelled].N != 0 {
			t.Errorf("counted %v", n)
		}
		hs, err2 := store.HeldRuns(tx, 10)
		if len(hs) != 1 || hs[0].ID != held.ID || hs[0].Automation != "a" {
			t.Errorf("held are %v", hs)
		}
		if err == nil {
			err = err2
		}
		return err
	})
	for _, change := range []func(*automation.Run){
		func(r *automation.Run) { r.Reason = "another" },
		func(r *automation.Run) {
			r.State, r.Ended, r.At = automation.RunWaiting, time.Time{}, []automation.Frame{{}}
		},
	} {
		c := done.Clone()
		change(c)
		if err := put(c); err == nil {
			t.Error("a run that has ended was written")
		}
	}
	if err := put(&automation.Run{ID: "run_bad", Automation: "a", State: automation.RunDone, Started: Start, Ended: Start, Wait: automation.Await{Key: "order:1"}}); err == nil {
		t.Error("a run that has ended and waits was written")
	}
}
