package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// history writes rows with every column empty or full, one with the separator in a text, and reads
// them in two parts, over a hole in the numbers.
func history(t *testing.T, open Opener) {
	db := open(t, time.Now)
	var recs []store.EventRecord
	for i, free := range []string{"", "plain", "München \u65e5\u672c", "a\x1fb", "tab\there", "'quote' \"double\" \\"} {
		recs = append(recs, store.EventRecord{
			ID: fmt.Sprint("evt_", i), Source: "s" + free, Key: free, Type: "order.placed", Subject: free, OrderID: []string{"", "ord_1"}[i%2],
			At: Start.Add(time.Duration(i) * time.Microsecond), Received: Start, Mode: []string{"live", "history"}[i%2], State: store.EventDecided,
			Actor: free, Depth: i, Policy: int64(3 * i), Hash: "h", Data: `{"a":1}`, CustomerID: free, Facts: []string{"", `{"f":true}`}[i%2],
			Trace: []string{"", `{"from":"expected","to":"held"}`}[i%2], Gist: free,
		})
	}
	recs = append(recs, store.EventRecord{ID: "evt_bad", Source: "s", Key: "k", Type: "order.placed", Mode: "live", State: store.EventQuarantined, Hash: "h", At: Start, Received: Start})
	update(t, db, func(tx *store.Tx) error { return store.InsertEvents(tx, recs) })
	view(t, db, func(tx *store.Tx) error {
		first, last, err := tx.HistoryBounds()
		if err != nil {
			return err
		}
		got, err := tx.History(first, first+2, nil)
		if err != nil {
			return err
		}
		if got, err = tx.History(first+2, last+1, got); err != nil {
			return err
		}
		if len(got) != len(recs)-1 {
			t.Fatalf("%d rows of %d", len(got), len(recs)-1)
		}
		for i, r := range got {
			w := recs[i]
			g := store.EventRecord{
				Seq: r.Seq, ID: r.ID, Source: r.Source, Key: r.Key, Type: r.Type, Subject: r.Subject, OrderID: r.OrderID, At: r.At, Received: w.Received,
				Mode: string(r.Mode), State: w.State, Actor: r.Actor, Depth: int(r.Depth), Policy: r.Policy, Hash: w.Hash, Data: r.Data,
				CustomerID: r.CustomerID, Facts: r.Facts, Trace: r.Trace, Gist: r.Gist,
			}
			if !reflect.DeepEqual(g, w) {
				t.Errorf("row %d\n%+v\nwas written as\n%+v", i, g, w)
			}
			if r.Mode != event.Live && r.Mode != event.History {
				t.Errorf("mode %q", r.Mode)
			}
		}
		if rows, err := tx.History(last+1, last+100, nil); err != nil || len(rows) != 0 {
			t.Errorf("behind the end: %v %v", rows, err)
		}
		return nil
	})
}
