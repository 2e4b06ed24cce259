package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
)

// TestStockPageHeld compares the list of what is in stock, reserved or low, page by page, with a plain loop.
func TestStockPageHeld(t *testing.T) { onBoth(t, testStockPageHeld) }

func testStockPageHeld(t *testing.T, url string) {
	db, _ := readStore(t, url, 1)
	var products []catalog.Product
	balances := map[stock.Key]stock.Balance{}
	low := map[string]bool{}
	var want, wantAtB []string
	for i := range 300 {
		sku := fmt.Sprintf("S-%04d", i)
		products = append(products, catalog.Product{SKU: sku, Title: "Sample"})
		keep := func(location string, onHand, reserved int64) {
			k := stock.Key{SKU: sku, Location: location}
			balances[k] = stock.Balance{Key: k, OnHand: onHand, Reserved: reserved}
		}
		keep(stock.Opening, 100, 0) // history alone is no stock
		held, atB := false, false
		switch i % 10 {
		case 0:
			keep("a", 0, 0)
			keep("b", 7, 2)
			held, atB = true, true
		case 1:
			keep("a", 3, 3)
			held = true
		case 2:
			keep("b", 0, 0) // sold out
		case 3:
			keep("b", 0, 0)
			low[sku], held, atB = true, true, true
		}
		if held {
			want = append(want, sku)
		}
		if atB {
			wantAtB = append(wantAtB, sku)
		}
	}
	if err := db.Update(t.Context(), func(tx *Tx) error {
		if err := UpsertProducts(tx, products); err != nil {
			return err
		}
		if err := UpsertBalances(tx, balances); err != nil {
			return err
		}
		return SetLow(tx, low)
	}); err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string][]string{"": want, "b": wantAtB} {
		for _, limit := range []int{1, 7, 50} {
			var got []string
			f := StockFilter{Held: true, Location: location, Limit: limit}
			for {
				var p StockPage
				view(t, db, func(tx *Tx) (err error) { p, err = tx.StockPage(f); return err })
				for _, r := range p.Rows {
					got = append(got, r.SKU)
				}
				if f.Cursor = p.Next; p.Next == "" {
					break
				}
			}
			if n := len(low); len(got) < n || !low[got[0]] || !low[got[n-1]] {
				t.Errorf("the low ones do not stand first: %v", got)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("at %q, pages of %d: %d products, want %d", location, limit, len(got), len(want))
			}
		}
	}
	view(t, db, func(tx *Tx) error {
		all, held, err := tx.StockCounts()
		if all != (Capped{N: 300}) || held != (Capped{N: int64(len(want))}) {
			t.Errorf("counted %+v of %+v, want %d of 300", held, all, len(want))
		}
		return err
	})
}

// TestStockPageOfManySoldOut holds that a shop with more products sold out than one page looks at goes on,
// and that nothing is counted that was not looked at.
func TestStockPageOfManySoldOut(t *testing.T) {
	db, _ := readStore(t, liteURL(t), 1)
	if err := db.Update(t.Context(), func(tx *Tx) error {
		for _, q := range []string{
			`INSERT INTO product (sku, title, low_at, doc) SELECT 'S-' || (100000 + i), 'Sample', 0, '{}' FROM k`,
			`INSERT INTO stock_balance (sku, location, on_hand, reserved) SELECT 'S-' || (100000 + i), 'a', CASE WHEN i > 20100 THEN 1 ELSE 0 END, 0 FROM k`,
		} {
			if _, err := tx.Exec(`WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < $1) `+q, int64(ScanCap+110)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var first, second StockPage
	view(t, db, func(tx *Tx) (err error) {
		if first, err = tx.StockPage(StockFilter{Held: true}); err != nil {
			return err
		}
		if second, err = tx.StockPage(StockFilter{Held: true, Cursor: first.Next}); err != nil {
			return err
		}
		_, held, err := tx.StockCounts()
		if held != (Capped{More: true}) {
			t.Errorf("counted %+v", held)
		}
		return err
	})
	if len(first.Rows) != 0 || first.Next == "" || !first.Bounded || len(second.Rows) != 10 || second.Next != "" {
		t.Errorf("first page %d rows, next %q; second %d rows, next %q", len(first.Rows), first.Next, len(second.Rows), second.Next)
	}
}

// TestDayFiguresLeaveCancelledOut holds that the worth of a day is that of the rows its link shows.
func TestDayFiguresLeaveCancelledOut(t *testing.T) { onBoth(t, testDayFiguresLeaveCancelledOut) }

func testDayFiguresLeaveCancelledOut(t *testing.T, url string) {
	db, all := readStore(t, url, 200)
	to := readStart.Add(24 * time.Hour)
	var fig DayFigures
	view(t, db, func(tx *Tx) (err error) { fig, err = tx.DayFigures(readStart, to); return err })
	var n, cancelled, sum int64
	for _, o := range all {
		switch {
		case !o.PlacedAt.Before(to):
			continue
		case o.State == order.Cancelled:
			cancelled++
		default:
			sum += o.Total.Minor
		}
		n++
	}
	var listed int64
	for _, r := range walkPages(t, db, OrderFilter{States: order.Uncancelled(), From: readStart, To: to, Sort: SortTotal}) {
		listed += r.Total.Minor
	}
	if cancelled == 0 || fig.Orders != n || len(fig.Money) != 1 || fig.Money[0].Minor != sum || listed != sum {
		t.Errorf("%d orders worth %v, of %d (%d cancelled) worth %d; the list adds up to %d", fig.Orders, fig.Money, n, cancelled, sum, listed)
	}
}
