package storetest

import (
	"context"
	"fmt"
	"testing"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
)

// Shop makes the groups of one sample shop, one after the other, so that what
// it writes keeps every law of the doctor.
type Shop struct {
	skus     int
	orders   int
	reserved map[stock.Key]int64
}

// perSKU is how much the shop receives of each product: it never runs out.
const perSKU = 10_000_000

// NewShop returns a shop with a number of products.
func NewShop(skus int) *Shop { return &Shop{skus: skus, reserved: map[stock.Key]int64{}} }

func (s *Shop) sku(i int) string { return fmt.Sprintf("SKU-%04d", i%s.skus) }

// Stock is the group of the deliveries that fill the shop; it comes first.
func (s *Shop) Stock() *Group {
	g := newGroup()
	for i := range s.skus {
		key := stock.Key{SKU: s.sku(i), Location: "lyon"}
		id := fmt.Sprintf("ffffffff-0000-7000-8000-%012x", i)
		g.Keys = append(g.Keys, store.EventKey{Source: "warehouse", ID: key.SKU, PayloadHash: "h", EventID: id})
		g.Events = append(g.Events, store.EventRecord{
			ID: id, Source: "warehouse", Key: key.SKU, Type: "stock.received", Subject: key.SKU, At: Start, Received: Start, Mode: "live",
			State: store.EventDecided, Hash: "h", Data: "{}",
		})
		g.Moves = append(g.Moves, store.MoveRow{Seq: int64(i), Move: stock.Move{
			At: Start, Kind: stock.Receive, SKU: key.SKU, Qty: perSKU,
			From: stock.Account{Bucket: stock.Supplier}, To: stock.Account{Location: key.Location, Bucket: stock.Available},
		}})
		g.Balances[key] = stock.Balance{Key: key, OnHand: perSKU}
		g.Products = append(g.Products, catalog.Product{SKU: key.SKU, Title: "A sample product", LowAt: 5})
	}
	return g
}

// Orders is the group of the next n orders.
func (s *Shop) Orders(n int) *Group {
	g := newGroup()
	for k := range n {
		g.order(s, s.orders, k)
		s.orders++
	}
	return g
}

// Fill fills a shop on a store with n orders in groups and returns it.
func Fill(t testing.TB, db *store.DB, skus, n int) *Shop {
	t.Helper()
	s := NewShop(skus)
	groups := []*Group{s.Stock()}
	for size := db.MaxGroup(); n > 0; n -= size {
		groups = append(groups, s.Orders(min(n, size)))
	}
	for _, g := range groups {
		if err := db.Update(context.Background(), g.Write); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// OrderID is the id of the i-th order of any sample shop.
func OrderID(i int) string { return event.OrderID("shop", fmt.Sprint("S", i)) }
