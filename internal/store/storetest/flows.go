package storetest

import (
	"fmt"
	"testing"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/store"
)

// flows counts what came in and what left, each event once, in however small pieces.
func flows(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	const n = 25
	update(t, db, func(tx *store.Tx) error {
		for i := range n {
			id := fmt.Sprintf("e%02d", i)
			source, actor, order := "web-shop", "token:shop", "ord_1"
			if i%5 == 4 {
				source, actor, order = "engine", "orderly", ""
			}
			_, err := tx.Exec(`INSERT INTO event (seq, id, source, key, type, subject, order_id, at, received, mode, state, actor, hash, data)
				VALUES ($1, $2, $3, $2, 'order.placed', 'x', $4, $5, $5, 'live', 'decided', $6, 'h', '{}')`, i+1, id, source, order, clock.Now().Add(-time.Hour), actor)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(`INSERT INTO orders (id, channel, number, state, payment, currency, total, mode, placed_at, updated_at, rev, doc)
			VALUES ('ord_1', 'web', '1', 'ready', 'paid', 'EUR', 1250, 'live', 0, 0, 1, '{}')`)
		if err != nil {
			return err
		}
		es := map[string]effect.Effect{}
		for i, f := range []effect.Effect{
			{Key: "a", OrderID: "ord_1", EventID: "e00", Automation: "confirm", Destination: "mail", Payload: effect.Payload{Purpose: "order-confirmation"}},
			{Key: "b", EventID: "e04", Destination: "alerts", Payload: effect.Payload{Purpose: "alert"}},
			{Key: "c", OrderID: "ord_1", EventID: "not-counted-yet", Destination: "mail", Payload: effect.Payload{Purpose: "later"}},
		} {
			f.ID, f.Kind, f.State, f.Created, f.Due = effect.ID(f.Key, f.OrderID), effect.Mail, effect.Pending, clock.Now().Add(-time.Hour), clock.Now().Add(time.Duration(i))
			es[f.ID] = f
		}
		return store.InsertEffects(tx, es)
	})
	looked := 0
	for range 20 {
		var k int
		update(t, db, func(tx *store.Tx) (err error) {
			k, err = tx.CountFlows([]string{"engine"}, "EUR", 7)
			return err
		})
		looked += k
	}
	if looked != n {
		t.Errorf("%d of %d events were looked at", looked, n)
	}
	view(t, db, func(tx *store.Tx) error {
		fs, err := tx.Flows(store.FlowDay(clock.Now()) - 1)
		if err != nil {
			return err
		}
		got := map[string]store.Flow{}
		for _, f := range fs {
			got[fmt.Sprintf("%s %s %s %v", f.System, f.What, f.Via, f.Out)] = f
		}
		in, mail, alert := got["web-shop order.placed shop false"], got["mail order-confirmation confirm true"], got["alerts alert  true"]
		if len(fs) != 3 || in.N != 20 || in.Orders != 20 || in.Minor != 20*1250 || !in.Last.Equal(clock.Now().Add(-time.Hour)) {
			t.Errorf("flows %+v", fs)
		}
		if mail.N != 1 || mail.Minor != 1250 || alert.N != 1 || alert.Orders != 0 {
			t.Errorf("left: %+v, %+v", mail, alert)
		}
		none, err := tx.Flows(store.FlowDay(clock.Now()) + 1)
		if len(none) != 0 {
			t.Errorf("tomorrow's flows: %v", none)
		}
		return err
	})
}

// mapsKept keeps a snapshot when it differs from the last one.
func mapsKept(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	start := clock.Now()
	put := func(hash string) (kept bool) {
		update(t, db, func(tx *store.Tx) (err error) {
			kept, err = tx.PutMapSnapshot(store.MapSnapshot{At: tx.Now(), Policy: 3, Hash: hash, Doc: "doc " + hash})
			return err
		})
		clock.Add(time.Hour)
		return kept
	}
	for i, want := range []bool{true, false, true, true} {
		if hash := []string{"a", "a", "b", "a"}[i]; put(hash) != want {
			t.Errorf("snapshot %d (%s): want kept %v", i, hash, want)
		}
	}
	view(t, db, func(tx *store.Tx) error {
		for _, c := range []struct {
			at   time.Time
			want string
		}{{start.Add(90 * time.Minute), "doc a"}, {start.Add(150 * time.Minute), "doc b"}, {time.Time{}, "doc a"}, {start.Add(-time.Hour), ""}} {
			s, ok, err := tx.MapAt(c.at)
			if err != nil {
				return err
			}
			if s.Doc != c.want || ok != (c.want != "") {
				t.Errorf("at %v: %+v", c.at, s)
			}
		}
		first, _, err := tx.FirstMap()
		if err != nil {
			return err
		}
		times, err := tx.MapTimes(2)
		if !first.At.Equal(start) || first.Policy != 3 || len(times) != 2 || !times[0].After(times[1]) {
			t.Errorf("first %+v, times %v", first, times)
		}
		return err
	})
}
