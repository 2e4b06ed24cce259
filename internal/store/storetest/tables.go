package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

func additions(t *testing.T, open Opener) {
	db := open(t, time.Now)
	day := catalog.LocationDay{Location: "lyon", Day: "2026-03-02"}
	key := store.CountKey{Name: "a", Hour: Start.UnixMicro()}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			err := db.Update(context.Background(), func(tx *store.Tx) error {
				if _, err := store.LocationDays(tx, []catalog.LocationDay{day}); err != nil {
					return err
				}
				if err := store.AddLocationDays(tx, map[catalog.LocationDay]int64{day: 3}); err != nil {
					return err
				}
				return store.AddAutomationCounts(tx, map[store.CountKey]store.Count{key: {Considered: 5, Fired: 2, Would: 3, Unknown: 1}})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	view(t, db, func(tx *store.Tx) error {
		days, err := store.LocationDays(tx, []catalog.LocationDay{day, {Location: "lyon", Day: "2026-03-03"}, {Location: "x", Day: day.Day}})
		if err != nil {
			return err
		}
		counts, bad := tx.AutomationCounts("a", Start)
		if want := (store.Count{Considered: 50, Fired: 20, Would: 30, Unknown: 10}); days[day] != 30 || len(days) != 1 || len(counts) != 1 || counts[0].Count != want {
			t.Errorf("days %v, counts %+v, want %+v", days, counts, want)
		}
		return errors.Join(err, bad)
	})
}

func smallTables(t *testing.T, open Opener) {
	db := open(t, time.Now)
	a := &task.Task{ID: "t1", Kind: task.Review, Queue: "risk", Subject: "ord_1", OrderID: "ord_1", State: task.Open, Created: Start, Due: Start.Add(time.Hour)}
	b := &task.Task{ID: "t0", Kind: task.Refund, Queue: "finance", Subject: "ord_1", OrderID: "ord_1", State: task.Open, Created: Start.Add(time.Second)}
	again := store.EventConflict{Source: "s", ID: "1", PayloadHash: "h", At: Start}
	waits := func(sku string, since time.Time, id string) store.StockWait {
		return store.StockWait{SKU: sku, Since: since, OrderID: id}
	}
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(
			store.UpsertTasks(tx, map[string]*task.Task{"t1": a, "t0": b}),
			store.ReplaceWaits(tx, nil, []store.StockWait{waits("S", Start.Add(2), "ord_2"), waits("S", Start, "ord_3"), waits("S", Start, "ord_1"), waits("T", Start, "ord_1")}),
			store.InsertTimers(tx, []store.Timer{{ID: "m1", Due: Start.Add(time.Hour), Type: "day.ended", Data: "{}", Cause: "c"}, {ID: "m2", Due: Start, Type: "day.ended", Data: "{}"}}),
			store.InsertEventConflicts(tx, []store.EventConflict{again, again}),
		)
	})
	update(t, db, func(tx *store.Tx) error {
		a.State, a.Assignee = task.Decided, "u1"
		return errors.Join(
			store.UpsertTasks(tx, map[string]*task.Task{"t1": a}),
			store.ReplaceWaits(tx, []string{"ord_3"}, []store.StockWait{waits("T", Start.Add(-1), "ord_3")}),
			store.InsertTimers(tx, []store.Timer{{ID: "m1", Due: Start, Type: "other", Data: "{}"}}), // set once
			store.DeleteTimers(tx, []string{"m2", "absent"}),
		)
	})
	view(t, db, func(tx *store.Tx) error {
		tasks, err := store.TasksOfSubjects(tx, []string{"ord_1", "ord_9"})
		if err != nil {
			return err
		}
		if d := cmp.Diff(map[string][]*task.Task{"ord_1": {a, b}}, tasks); d != "" {
			t.Error(d)
		}
		byID, err := store.Tasks(tx, []string{"t1", "absent"})
		if err != nil {
			return err
		}
		if d := cmp.Diff(map[string]*task.Task{"t1": a}, byID); d != "" {
			t.Error(d)
		}
		waits, err := store.WaitingOrders(tx, []string{"S", "T"}, 1)
		if err != nil {
			return err
		}
		if d := cmp.Diff(map[string][]string{"S": {"ord_1"}, "T": {"ord_3"}}, waits); d != "" {
			t.Error(d)
		}
		timers, err := store.DueTimers(tx, Start.Add(time.Hour), 10)
		if err != nil {
			return err
		}
		want := []store.Timer{{ID: "m1", Due: Start.Add(time.Hour), Type: "day.ended", Data: "{}", Cause: "c"}}
		if d := cmp.Diff(want, timers); d != "" {
			t.Error(d)
		}
		if early, err := store.DueTimers(tx, Start, 10); err != nil || len(early) != 0 {
			t.Errorf("a timer came early: %v, %v", early, err)
		}
		return nil
	})
}

func products(t *testing.T, open Opener) {
	db := open(t, time.Now)
	p := catalog.Product{SKU: "S", Title: "Sample", LowAt: 5, Components: []catalog.Component{{SKU: "T", Qty: 2}}}
	update(t, db, func(tx *store.Tx) error { return store.UpsertProducts(tx, []catalog.Product{p}) })
	update(t, db, func(tx *store.Tx) error { return store.SetLow(tx, map[string]bool{"S": true, "absent": true}) })
	p.Title = "Sample, renamed"
	update(t, db, func(tx *store.Tx) error { return store.UpsertProducts(tx, []catalog.Product{p}) })
	view(t, db, func(tx *store.Tx) error {
		got, err := store.Products(tx, []string{"S", "absent"})
		if d := cmp.Diff(map[string]store.ProductDoc{"S": {Product: p, Low: true}}, got); d != "" {
			t.Error(d)
		}
		return err
	})
	update(t, db, func(tx *store.Tx) error {
		return store.UpsertLocations(tx, []catalog.Location{{ID: "lyon", Name: "Lyon", Country: "FR", Lat: 45.76, Lon: 4.84}}, "test")
	})
	view(t, db, func(tx *store.Tx) error {
		locs, err := tx.AllLocations()
		_, changes, err2 := tx.CurrentPolicy()
		if cs, err := tx.LocationChanges("lyon", 5); err != nil || len(cs) != 1 || cs[0].Author != "test" || cs[0].Location.Name != "Lyon" || !cs[0].At.Equal(tx.Now()) && cs[0].At.IsZero() {
			t.Errorf("changes %+v %v", cs, err)
		}
		if len(locs) != 1 || locs["lyon"].Lat != 45.76 || changes != 1 {
			t.Errorf("locations %v, changes %d", locs, changes)
		}
		return errors.Join(err, err2)
	})
}
