package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// TestTheLastUnits: fifty buyers at once want the last ten units, each told twice at the same time, through the
// door of a running server and, on PostgreSQL, of three: exactly ten units are sold.
func TestTheLastUnits(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs programs; left out under -short")
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		lastUnits(t, "", 1)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		lastUnits(t, pgtest.URL(t), 3)
	})
}

func lastUnits(t *testing.T, url string, nodes int) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := newCrashing(t, ctx, url, 1)
	for len(c.nodes) < nodes {
		c.addNode(c.binary)
	}
	line := func(sku string, qty int64) event.Line {
		return event.Line{SKU: sku, Qty: qty, UnitPrice: money.New(1000, "EUR")}
	}
	cases := []struct {
		sku   string
		lines []event.Line
		units int64 // of the SKU in an order
	}{
		{"LAST-ONE", []event.Line{line("LAST-ONE", 1)}, 1},
		{"LAST-PART", []event.Line{line("LAST-SET", 1)}, 2},
		{"LAST-TWICE", []event.Line{line("LAST-TWICE", 1), line("LAST-TWICE", 1)}, 2},
	}
	l := newLives(1, "B")
	c.open(func(db *store.DB, keys *store.Keyring) {
		products := []catalog.Product{{SKU: "LAST-SET", Title: "Sample Set", Components: []catalog.Component{{SKU: "LAST-PART", Qty: 2}}}}
		var evs []event.Event
		for _, x := range cases {
			products = append(products, catalog.Product{SKU: x.sku, Title: "Sample " + x.sku})
			evs = append(evs, event.Event{Source: "opening", Key: x.sku, Data: &event.StockReceived{SKU: x.sku, Location: l.shop.Locations()[1].ID, Qty: 10}})
		}
		if err := db.Update(ctx, func(tx *store.Tx) error { return store.UpsertProducts(tx, products) }); err != nil {
			t.Fatal(err)
		}
		eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := eng.Submit(ctx, evs); err != nil {
			t.Fatal(err)
		}
		if err := eng.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
	for _, n := range c.nodes {
		if err := n.serve(); err != nil {
			t.Fatal(err)
		}
	}
	sku := map[string]int{} // order number -> case
	begin := make(chan struct{})
	var buyers sync.WaitGroup
	for i := range 50 {
		for k, x := range cases {
			p := l.shop.Order(l.now)
			p.Number, p.Lines, p.Payment = fmt.Sprintf("B%d-%d", k, i), x.lines, event.Payment{Status: event.PaymentPaid}
			sku[p.Number] = k
			d := delivery{id: "placed-" + p.Number, data: p}
			for range 2 {
				buyers.Go(func() {
					feed := make(chan delivery, 1)
					feed <- d
					close(feed)
					<-begin
					c.deliver(ctx, feed)
				})
			}
		}
	}
	close(begin)
	buyers.Wait()
	for _, n := range c.nodes {
		n.stop()
	}
	c.examine("after the sale")
	sold, states := make([]int64, len(cases)), map[order.State]int{}
	c.open(func(db *store.DB, _ *store.Keyring) {
		err := db.View(ctx, func(tx *store.Tx) error {
			return tx.Each(func(scan func(...any) error) error {
				var doc string
				if err := scan(&doc); err != nil {
					return err
				}
				var o order.Order
				err := json.Unmarshal([]byte(doc), &o)
				k, ok := sku[o.Number]
				if !ok {
					t.Errorf("nobody ordered %s", o.Number)
					return err
				}
				states[o.State]++
				switch o.State {
				case order.Ready:
					sold[k] += cases[k].units
				case order.Unfillable:
				default:
					t.Errorf("order %s is %s", o.Number, o.State)
				}
				return err
			}, "SELECT doc FROM orders")
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	for k, x := range cases {
		if sold[k] != 10 {
			t.Errorf("%d units of %s were sold of 10", sold[k], x.sku)
		}
	}
	if n := states[order.Ready] + states[order.Unfillable]; n != len(sku) {
		t.Errorf("%d orders for %d buyers", n, len(sku))
	}
	t.Logf("sold %v, orders %v, %d calls without an answer", sold, states, c.lost)
}
