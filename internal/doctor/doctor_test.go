package doctor_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/store"
)

// lived makes a database in which a sample shop has lived: history, live
// orders, cancellations, shipments, counts, reviews.
func lived(t *testing.T) string {
	t.Helper()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "shop.db")
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, path, store.Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := engine.ReadFolder(examples.Shop())
	if err != nil {
		t.Fatal(err)
	}
	texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: "ask-and-wait", Text: `automation: ask-and-wait
owner: ops@shop.example
why: Runs that wait for people and for time.
on: order.placed
do:
  - if: order.units > 1
    then: [ { ask: { queue: support, title: "Split it?", options: [yes, no] } } ]
    else: [ { wait: 9d } ]
  - tag: waited
`})
	texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: "call-and-fail", Text: `automation: call-and-fail
owner: ops@shop.example
why: Runs that fail and are tried again.
on: order.cancelled
do:
  - call: { connection: erp, purpose: receipt, as: r, for: 1h }
`})
	if _, err := eng.Apply(ctx, texts, "test", "", false); err != nil {
		t.Fatal(err)
	}
	shop := sim.New(3, "L")
	err = db.Update(ctx, func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, shop.Products()); err != nil {
			return err
		}
		return store.UpsertLocations(tx, shop.Locations(), "test")
	})
	if err != nil {
		t.Fatal(err)
	}
	var evs []event.Event
	add := func(mode event.Mode, at time.Time, p event.Payload) {
		evs = append(evs, event.Event{Source: "test", Key: strconv.Itoa(len(evs)), Mode: mode, At: at, Data: p})
	}
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	for _, s := range shop.OpeningStock(4) {
		add(event.Live, now, s)
	}
	for range 50 {
		o := shop.Order(now.Add(-24 * time.Hour))
		add(event.History, o.PlacedAt, o)
		add(event.History, o.PlacedAt.Add(time.Hour), &event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: "berlin"})
		add(event.History, o.PlacedAt.Add(2*time.Hour), &event.OrderCompleted{Channel: o.Channel, Number: o.Number})
	}
	for i := range 300 {
		o := shop.Order(now)
		add(event.Live, now, o)
		switch i % 6 {
		case 0:
			add(event.Live, now, &event.OrderCancelled{Channel: o.Channel, Number: o.Number})
		case 1:
			add(event.Live, now, &event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: "berlin"})
		case 2:
			add(event.Live, now, &event.ShipmentRejected{Channel: o.Channel, Number: o.Number, Location: "lyon"})
		}
	}
	for len(evs) > 0 {
		n := min(len(evs), 50)
		if _, err := eng.Submit(ctx, evs[:n]); err != nil {
			t.Fatal(err)
		}
		evs = evs[n:]
	}
	retrySome(t, eng, db)
	if err := eng.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// retrySome lets some calls fail for good, and people try them again.
func retrySome(t *testing.T, eng *engine.Engine, db *store.DB) {
	t.Helper()
	var runs []*automation.Run
	err := db.View(t.Context(), func(tx *store.Tx) (err error) {
		runs, err = tx.Runs(store.RunFilter{Automation: "call-and-fail", Limit: 5})
		return err
	})
	if err != nil || len(runs) == 0 {
		t.Fatal(len(runs), err)
	}
	for _, run := range runs {
		ev := event.Event{Source: "engine", Key: "dead:" + run.Wait.Effect, Data: &event.EffectFailed{Effect: run.Wait.Effect, Order: run.OrderID, Purpose: "receipt", Destination: "erp", Error: "refused"}}
		if _, err := eng.Submit(t.Context(), []event.Event{ev}); err != nil {
			t.Fatal(err)
		}
		if _, err := eng.RetryRun(t.Context(), run.ID, "", true, "usr_1"); err != nil {
			t.Fatal(err)
		}
	}
}

func check(t *testing.T, path string, sabotage ...string) doctor.Report {
	t.Helper()
	ctx := t.Context()
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, path, store.Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range sabotage {
		err := db.Update(ctx, func(tx *store.Tx) error {
			n, err := tx.Exec(q)
			if err == nil && n == 0 {
				t.Errorf("%s: no row was changed", q)
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	rep, err := doctor.Check(ctx, db, keys)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestLawsHoldAndAreNoticedWhenBroken: a shop that lived keeps every law, and
// every single break is found under the law's own name.
func TestLawsHoldAndAreNoticedWhenBroken(t *testing.T) {
	whole := lived(t)
	rep := check(t, whole)
	if !rep.OK {
		t.Fatalf("a shop that lived breaks a law: %+v", rep)
	}
	names := map[string]bool{}
	for _, l := range rep.Laws {
		names[l.Name] = true
		if l.Name == "quarantine" { // breaks nothing, see below
			delete(names, l.Name)
			continue
		}
		if l.Checked == 0 {
			t.Errorf("%s checked nothing: the shop did not live enough", l.Name)
		}
		if l.Says == "" {
			t.Errorf("%s says nothing", l.Name)
		}
	}
	for _, tc := range []struct {
		law string
		sql []string
	}{
		{"stock-moves-balance", []string{"UPDATE stock_move SET kind = 'release' WHERE kind = 'reserve' AND (seq, ord) = (SELECT seq, ord FROM stock_move WHERE kind = 'reserve' LIMIT 1)"}},
		{"stock-never-below-zero", []string{"UPDATE stock_move SET qty = 1 WHERE kind = 'receive'"}},
		{"history-is-not-life", []string{"UPDATE stock_move SET from_loc = 'berlin' WHERE from_loc = 'opening'"}},
		{"stock-is-a-fold", []string{"UPDATE stock_balance SET on_hand = on_hand + 1 WHERE location = 'berlin' AND sku = (SELECT min(sku) FROM stock_balance WHERE location = 'berlin')"}},
		{"stock-is-a-fold", []string{"DELETE FROM stock_balance WHERE location = 'berlin' AND on_hand > 0 AND sku = (SELECT min(sku) FROM stock_balance WHERE location = 'berlin' AND on_hand > 0)"}},
		{"stock-reserved-is-held", []string{`UPDATE orders SET doc = replace(doc, '"Allocations":[', '"Was":[') WHERE state = 'ready'`}},
		{"stock-moves-have-events", []string{"UPDATE stock_move SET seq = seq + 100000000 WHERE seq = (SELECT max(seq) FROM stock_move)"}},
		{"order-state-table", []string{"UPDATE orders SET state = 'completed', doc = replace(doc, '\"State\":\"ready\"', '\"State\":\"completed\"') WHERE state = 'ready'"}},
		{"order-state-table", []string{`UPDATE event SET trace = replace(trace, '"to":"ready"', '"to":"shipped"') WHERE trace LIKE '%"to":"ready"%'`}},
		{"order-money", []string{`UPDATE orders SET doc = replace(doc, '"Refunded":"', '"Refunded":"9999999') WHERE id = (SELECT min(id) FROM orders WHERE doc LIKE '%"Refunded":"0.00%')`}},
		{"order-refund-open", []string{"DELETE FROM task WHERE kind = 'refund'"}},
		{"order-holds", []string{`UPDATE orders SET doc = replace(doc, '"Asked":true', '"Shipped":99,"Asked":true') WHERE state = 'ready'`}},
		{"event-once", []string{"DELETE FROM event_key WHERE id = '7'"}},
		{"event-once", []string{"UPDATE event_key SET event_id = 'gone' WHERE id = '7'"}},
		{"event-has-its-cause", []string{"UPDATE event SET cause = 'gone' WHERE depth > 0"}},
		{"effect-once", []string{"UPDATE effect SET key = key || 'x' WHERE id = (SELECT min(id) FROM effect)"}},
		{"message-once", []string{"UPDATE effect SET payload = 'x' WHERE kind = 'mail'"}},
		{"history-has-no-effects", []string{"UPDATE effect SET event_id = (SELECT min(id) FROM event WHERE mode = 'history') WHERE id = (SELECT min(id) FROM effect)"}},
		{"effect-has-its-cause", []string{"UPDATE effect SET state = 'done' WHERE id = (SELECT min(id) FROM effect)"}},
		{"held-orders-have-a-review", []string{"UPDATE task SET state = 'closed' WHERE kind = 'review'"}},
		{"order-columns", []string{"UPDATE orders SET total = total + 1 WHERE id = (SELECT min(id) FROM orders)"}},
		{"effect-comes-due", []string{"UPDATE effect SET due = 99999999999999999 WHERE id = (SELECT min(id) FROM effect WHERE state = 'pending')"}},
		{"automation-limits", []string{"UPDATE automation_firing SET per_hour = 1", "UPDATE automation_firing SET hour = (SELECT max(hour) FROM automation_firing)"}},
		{"automation-limits", []string{"UPDATE automation_firing SET per_day = 1 WHERE minor > 1"}},
		{"automation-counts", []string{"DELETE FROM automation_firing WHERE event_id = (SELECT max(event_id) FROM automation_firing)"}},
		{"run-columns", []string{"UPDATE run SET wait_key = 'x' WHERE id = (SELECT min(id) FROM run WHERE state = 'waiting')"}},
		{"run-columns", []string{`UPDATE run SET doc = replace(doc, '"State":"waiting"', '"State":"done"') WHERE state = 'waiting'`}},
		{"run-wakes", []string{"DELETE FROM timer WHERE type = 'run.due'"}},
		{"run-wakes", []string{"UPDATE task SET state = 'closed' WHERE kind = 'task'"}},
		{"run-text", []string{"UPDATE run SET event_id = 'gone' WHERE id = (SELECT min(id) FROM run)"}},
		{"run-text", []string{"UPDATE run SET version = 'gone' WHERE id = (SELECT min(id) FROM run)"}},
		{"run-ends-once", []string{`UPDATE event SET trace = replace(trace, '"state":"cancelled"', '"state":"done"') WHERE trace LIKE '%"runs":[%'`}},
		{"run-retries", []string{`UPDATE run SET doc = replace(doc, '"Before":"run_', '"Before":"run_0') WHERE id = (SELECT min(id) FROM run WHERE doc LIKE '%"Before":"run_%')`}},
		{"policy-is-as-applied", []string{"UPDATE policy_text SET text = text || ' ' WHERE hash = (SELECT min(hash) FROM policy_text)"}},
		{"policy-is-as-applied", []string{"DELETE FROM policy_text WHERE hash = (SELECT min(hash) FROM policy_text)"}},
		{"personal-data-opens", []string{"UPDATE customer SET key = substr(key, 5)"}},
		{"waiting-orders-wait", []string{"UPDATE stock_wait SET order_id = 'gone' WHERE order_id = (SELECT min(order_id) FROM stock_wait)"}},
	} {
		copied := filepath.Join(t.TempDir(), "copy.db")
		b, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, b, 0o600); err != nil {
			t.Fatal(err)
		}
		rep := check(t, copied, tc.sql...)
		delete(names, tc.law)
		found := false
		for _, l := range rep.Laws {
			found = found || l.Name == tc.law && !l.OK && l.Offender != ""
		}
		for _, l := range rep.Laws {
			if !l.OK && (l.Advice == "" || l.Means == "" || l.Bad == "") {
				t.Errorf("%s says not what it means, how bad it is and what to do: %+v", l.Name, l)
			}
		}
		if rep.OK || !found {
			t.Errorf("%s is not noticed after %s: %+v", tc.law, tc.sql, rep)
		}
	}
	delete(names, "file-is-sound") // SQLite's own check; damage is tested where files are checked
	for n := range names {
		t.Errorf("no case breaks %s", n)
	}
}
