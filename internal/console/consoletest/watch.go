package consoletest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// silentSince is when the sample shop's French customers stopped ordering.
func silentSince() time.Time { return Now().Add(-27 * time.Hour) }

// fillWatch lets the sample shop know eight weeks of its rates. Nobody orders from France any more, and that is an incident.
func fillWatch(ctx context.Context, db *store.DB) error {
	book, err := watch.NewBook(rate.Calendar{Zone: Zone()}, nil)
	if err != nil {
		return err
	}
	n := 0
	for at := Now().AddDate(0, 0, -56); at.Before(Now().Add(-4 * time.Minute)); at = at.Add(time.Duration(6+n%9) * time.Minute) {
		n++
		if h := at.In(Zone()).Hour(); h < 7 || h > 21 {
			continue
		}
		country := "DE"
		if n%3 == 0 && at.Before(silentSince()) {
			country = "FR"
		}
		id := fmt.Sprint("w", n)
		trace := ""
		if n%4 == 0 {
			trace = `{"automations":[{"name":"order-confirmation","version":"0123456789","outcome":"fired"}]}`
		}
		book.Take(store.WatchRow{ID: id, Source: "web-shop", Type: "order.placed", At: at, Mode: event.Live, Country: country})
		book.Take(store.WatchRow{ID: id + ".1", Source: "engine", Type: "order.accepted", Cause: id, Depth: 1, At: at, Mode: event.Live, Trace: trace})
	}
	docs, err := book.Docs()
	if err != nil {
		return err
	}
	subject := watch.SilentSubject(watch.Country + ":FR")
	memory, err := json.Marshal(map[string]any{
		"Up": Now().AddDate(0, 0, -9), "Done": Now().Add(-21 * time.Second), "Took": 84 * time.Millisecond,
		"Firing":   map[string]any{subject: map[string]any{"Since": silentSince(), "Times": 1, "Title": "No orders come from customers in FR any more", "Symptoms": []string{watch.Country + ":FR"}}},
		"SelfTest": watch.SelfTest{Date: Now().Format(time.DateOnly), Ways: []watch.Way{{Connection: "mail", State: "done"}, {Connection: "alerts", State: "dead", Error: "alerts.example answered 404 Not Found"}}},
		"Beat":     watch.Beat{Connection: "outside", Last: Now().Add(-21 * time.Second)},
	})
	if err != nil {
		return err
	}
	id := event.Derive("tsk_", string(task.Incident), subject, "1")
	tk := &task.Task{
		ID: id, Kind: task.Incident, Queue: "ops", Subject: subject, Round: 1, State: task.Open, Title: "No orders come from customers in FR any more",
		Reasons: []task.Reason{{Text: "The last one came 2026-11-23 11:20; by the usual pace of these hours 31 should have followed"}}, Options: []string{"resolved"},
		Owner: "ops@shop.example", Created: Now().Add(-24 * time.Hour),
		Alarm: &task.Alarm{
			Expectation: watch.Country + ":FR", Since: silentSince(), Impact: "about 31 orders, 1460.00 EUR by now, at the usual pace",
			Evidence: []string{"orders from FR: the last one came 2026-11-23 11:20; by now 31 should have come, and more than 6.4 is too many"},
			Next:     "Try to order from there: payment methods, shipping rates and the shop's page for that country are the usual causes.", Told: []string{"ops@shop.example"},
		},
	}
	return db.Update(ctx, func(tx *store.Tx) error {
		turn, _, err := tx.TakeWatchTurn("sample", time.Minute)
		if err != nil {
			return err
		}
		turn.Doc = string(memory)
		if err := store.UpsertTasks(tx, map[string]*task.Task{tk.ID: tk}); err != nil {
			return err
		}
		return tx.PutWatch(turn, docs)
	})
}
