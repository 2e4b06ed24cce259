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
}
