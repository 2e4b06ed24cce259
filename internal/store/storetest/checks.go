package storetest

import (
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/store"
)

// checks are the questions that a check of the automations asks of the history.
func checks(t *testing.T, open Opener) {
	db := open(t, time.Now)
	lines := func(want bool) {
		t.Helper()
		view(t, db, func(tx *store.Tx) error {
			got, err := tx.AnyLowLine()
			if got != want {
				t.Errorf("some product has a low line: %v", got)
			}
			return err
		})
	}
	lines(false)
	update(t, db, func(tx *store.Tx) error {
		return store.UpsertProducts(tx, []catalog.Product{{SKU: "A"}, {SKU: "B", LowAt: 3}, {SKU: "C", LowAt: 3}})
	})
	lines(true)

	fired := func(name, outcome string) string {
		return `{"name":"` + name + `","version":"0123456789","outcome":"` + outcome + `"}`
	}
	record := func(id, typ, trace string) store.EventRecord {
		return store.EventRecord{
			ID: id, Source: "s", Key: id, Type: typ, Subject: "ord_1", At: Start, Received: Start, Mode: "live", State: "decided", Hash: "h", Data: "{}",
			Trace: `{"automations":[` + trace + `]}`,
		}
	}
	update(t, db, func(tx *store.Tx) error {
		return store.InsertEvents(tx, []store.EventRecord{
			record("1", "order.placed", fired("a", "fired")+","+fired("b", "fired")),
			record("2", "order.placed", fired("a", "fired")+","+fired("b", "unknown")),
			record("3", "order.placed", fired("a", "fired")+","+fired("ab", "fired")),
			record("4", "order.paid", fired("a", "fired")+","+fired("b", "fired")),
			record("5", "order.placed", fired("b", "fired")+","+fired("a", "fired")),
		})
	})
	view(t, db, func(tx *store.Tx) error {
		n, err := tx.FiredTogether("order.placed", []string{"a", "b"})
		if n != 2 {
			t.Errorf("both fired on %d events, want 2", n)
		}
		return err
	})
}
