package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/stock"
)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, liteURL(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, pgtest.URL(t)) })
}

func liteURL(t *testing.T) string { return "sqlite:" + t.TempDir() + "/read.db" }

var readStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// readStore holds n orders, one every ten minutes, of which two share each time placed.
func readStore(t *testing.T, url string, n int) (*DB, []*order.Order) {
	t.Helper()
	keys, err := NewKeyring(make([]byte, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), url, Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rnd := rand.New(rand.NewPCG(1, 2))
	states := order.States()[1:]
	all := make([]*order.Order, n)
	for i := range n {
		number := fmt.Sprintf("N-%05d", i)
		ch := []string{"web", "pos"}[rnd.IntN(2)]
		o := &order.Order{
			ID: event.OrderID(ch, number), Channel: ch, Number: number, State: states[rnd.IntN(len(states))], Mode: event.Live,
			PlacedAt: readStart.Add(time.Duration(i/2) * 20 * time.Minute), CustomerID: fmt.Sprintf("cus_%03d", i%50), Currency: "EUR",
			Total: money.New(int64(rnd.IntN(500))*100, "EUR"), Payment: event.PaymentPaid,
			Shipping: event.Address{Country: []string{"DE", "FR", "IT"}[rnd.IntN(3)]},
		}
		if i == n/2 {
			o.Shipping.Country = "LU" // one of its kind, in the middle
		}
		o.UpdatedAt = o.PlacedAt
		all[i] = o
	}
	err = db.Update(t.Context(), func(tx *Tx) error {
		for c := range slices.Chunk(all, 400) {
			m := map[string]*order.Order{}
			for _, o := range c {
				m[o.ID] = o
			}
			if err := UpsertOrders(tx, m, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, all
}

func view(t *testing.T, db *DB, f func(tx *Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// walkPages reads all pages of a filter.
func walkPages(t *testing.T, db *DB, f OrderFilter) []OrderRow {
	t.Helper()
	var out []OrderRow
	for range 1000 {
		var p OrderPage
		view(t, db, func(tx *Tx) (err error) { p, err = tx.OrdersPage(f); return err })
		out = append(out, p.Rows...)
		if p.Next == "" {
			return out
		}
		f.Cursor = p.Next
	}
	t.Fatal("the pages never end")
	return nil
}

// TestOrdersPage compares every filter and sort, read page by page, with a plain loop over all orders.
func TestOrdersPage(t *testing.T) { onBoth(t, testOrdersPage) }

func testOrdersPage(t *testing.T, url string) {
	db, all := readStore(t, url, 700)
	mid := readStart.Add(40 * time.Hour)
	filters := map[string]OrderFilter{
		"all": {}, "oldest": {Sort: SortOldest}, "total": {Sort: SortTotal},
		"one state": {States: []order.State{order.Held}}, "two states": {States: []order.State{order.Shipped, order.PartiallyShipped}},
		"two states oldest": {States: []order.State{order.Shipped, order.Ready}, Sort: SortOldest},
		"two states total":  {States: []order.State{order.Shipped, order.Ready}, Sort: SortTotal},
		"channel":           {Channel: "pos"}, "country and state": {Country: "FR", States: []order.State{order.Ready, order.Held}},
		"dates": {From: readStart.Add(10 * time.Hour), To: mid}, "dates and total": {From: mid, Sort: SortTotal, Channel: "web"},
		"rare": {Country: "LU"}, "none": {Country: "XX"},
	}
	for name, f := range filters {
		for _, limit := range []int{7, 50} {
			f.Limit = limit
			var want []*order.Order
			for _, o := range all {
				r := OrderRow{State: o.State, Channel: o.Channel, Country: o.Shipping.Country, Payment: o.Payment, PlacedAt: o.PlacedAt}
				if f.fits(r) {
					want = append(want, o)
				}
			}
			sort.Slice(want, func(i, j int) bool {
				a, b := want[i], want[j]
				if f.Sort == SortTotal && a.Total.Minor != b.Total.Minor {
					return a.Total.Minor > b.Total.Minor
				}
				s := f.Sort
				if s == SortTotal {
					s = SortNewest
				}
				return before(s, orderKey{at: a.PlacedAt.UnixMicro(), id: a.ID}, orderKey{at: b.PlacedAt.UnixMicro(), id: b.ID})
			})
			got := walkPages(t, db, f)
			if len(got) != len(want) {
				t.Errorf("%s, pages of %d: %d orders, want %d", name, limit, len(got), len(want))
				continue
			}
			for i := range got {
				if got[i].ID != want[i].ID {
					t.Errorf("%s, pages of %d: order %d is %s, want %s", name, limit, i, got[i].Number, want[i].Number)
					break
				}
			}
		}
	}
}

// TestOrdersPageIsBounded holds that a filter no index knows ends at ScanCap, says
// so, and finds the rest on the following pages.
func TestOrdersPageIsBounded(t *testing.T) {
	n := ScanCap*2 + 500
	db, _ := readStore(t, liteURL(t), n)
	var p OrderPage
	view(t, db, func(tx *Tx) (err error) { p, err = tx.OrdersPage(OrderFilter{Country: "LU"}); return err })
	if len(p.Rows) != 0 || p.Next == "" || p.Back.IsZero() || p.Looked != ScanCap {
		t.Fatalf("the first page must stop after %d orders and say how far back it looked: %+v", ScanCap, p)
	}
	if rows := walkPages(t, db, OrderFilter{Country: "LU"}); len(rows) != 1 {
		t.Errorf("%d orders found by going on, want 1", len(rows))
	}
}

func TestOrderSearch(t *testing.T) { onBoth(t, testOrderSearch) }

func testOrderSearch(t *testing.T, url string) {
	db, all := readStore(t, url, 300)
	if err := db.Update(t.Context(), func(tx *Tx) error {
		return InsertSearchTerms(tx, []SearchTerm{{"sample", "cus_001"}, {"sample", "cus_002"}, {"twelve", "cus_002"}})
	}); err != nil {
		t.Fatal(err)
	}
	find := func(f OrderFilter) (out []string) {
		view(t, db, func(tx *Tx) error {
			p, err := tx.OrdersPage(f)
			for _, r := range p.Rows {
				out = append(out, r.Number)
			}
			return err
		})
		return out
	}
	for _, c := range []struct {
		f    OrderFilter
		want func(o *order.Order) bool
	}{
		{OrderFilter{Search: "N-0001"}, func(o *order.Order) bool { return strings.HasPrefix(o.Number, "N-0001") }},
		{OrderFilter{Search: "#N-00017"}, func(o *order.Order) bool { return o.Number == "N-00017" }},
		{OrderFilter{Search: all[5].ID}, func(o *order.Order) bool { return o.ID == all[5].ID }},
		{OrderFilter{Search: "cus_007"}, func(o *order.Order) bool { return o.CustomerID == "cus_007" }},
		{OrderFilter{Search: "Sample"}, func(o *order.Order) bool { return o.CustomerID == "cus_001" || o.CustomerID == "cus_002" }},
		{OrderFilter{Search: "twelve sample"}, func(o *order.Order) bool { return o.CustomerID == "cus_002" }},
		{OrderFilter{Search: "sample", Channel: "pos"}, func(o *order.Order) bool {
			return (o.CustomerID == "cus_001" || o.CustomerID == "cus_002") && o.Channel == "pos"
		}},
		{OrderFilter{Search: "samp"}, func(o *order.Order) bool { return o.CustomerID == "cus_001" || o.CustomerID == "cus_002" }},
		{OrderFilter{Search: "twel SAM"}, func(o *order.Order) bool { return o.CustomerID == "cus_002" }},
		{OrderFilter{Search: "ample"}, func(*order.Order) bool { return false }},
		{OrderFilter{Search: "nobody"}, func(*order.Order) bool { return false }},
	} {
		var want []string
		for _, o := range all {
			if c.want(o) {
				want = append(want, o.Number)
			}
		}
		got := find(c.f)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("search %q channel %q found %v, want %v", c.f.Search, c.f.Channel, got, want)
		}
	}
}

// readCalls are calls of all read models, each with the filters that make other statements of it.
func readCalls(tx *Tx, all []*order.Order, now time.Time) []func() error {
	calls := []func() error{
		func() error { _, err := tx.Counts(now); return err },
		func() error { _, err := tx.DayFigures(now, now.AddDate(0, 0, 1)); return err },
		func() error { _, _, err := tx.OrderFacets(); return err },
		func() error { _, err := tx.OrderRows([]string{all[0].ID, all[1].ID}); return err },
		func() error { _, err := tx.CustomerOrders("cus_001", 5); return err },
		func() error { _, _, err := tx.OrderStory(all[0].ID, 10); return err },
		func() error { _, err := tx.QuarantinedEvents(5); return err },
		func() error { _, err := tx.Fired("x", "", 5); return err },
		func() error { _, err := tx.Fired("x", FiredActed, 5); return err },
		func() error { _, err := tx.Fired("x", FiredWould, 5); return err },
		func() error { _, err := tx.Fired("x", FiredUnknown, 5); return err },
		func() error { _, err := tx.Seen("console", "k"); return err },
		func() error { _, err := tx.EffectsOfOrder(all[0].ID); return err },
		func() error { _, err := tx.EffectRows([]string{"a", "b"}); return err },
		func() error { _, err := tx.TasksOfOrder(all[0].ID); return err },
		func() error { _, err := tx.Queues(); return err },
		func() error { _, _, err := tx.Queue(QueueFilter{Queue: "risk", Limit: 5}); return err },
		func() error { _, err := tx.Incidents(5); return err },
		func() error { _, err := tx.StockPage(StockFilter{Search: "mug"}); return err },
		func() error { _, err := tx.StockPage(StockFilter{Location: "x"}); return err },
		func() error { _, err := tx.StockPage(StockFilter{Held: true}); return err },
		func() error { _, err := tx.StockPage(StockFilter{Held: true, Location: "x"}); return err },
		func() error { _, _, err := tx.StockCounts(); return err },
		func() error { _, err := tx.AutomationCounts("x", now); return err },
		func() error { _, err := tx.WaitingOrders("x", 5); return err },
		func() error { _, err := tx.ConnectionRows(); return err },
		func() error { _, err := tx.CustomerKeys([]string{"cus_001"}); return err },
		func() error { _, _, _, err := tx.OrderByID(all[0].ID); return err },
	}
	for _, cur := range []string{"", "1.x"} {
		calls = append(calls,
			func() error { _, _, err := tx.DeadEffects(cur, 5); return err },
			func() error { _, _, err := tx.LiveEffects(cur, 5); return err })
		for _, f := range []OrderFilter{
			{},
			{Sort: SortOldest},
			{States: []order.State{order.Held}},
			{Channel: "pos"},
			{States: []order.State{order.Held}, Country: "DE", From: now, To: now.AddDate(0, 0, 9)},
			{From: now},
			{Search: "N-1"},
			{Search: "cus_001"},
		} {
			f.Cursor = cur
			calls = append(calls, func() error { _, err := tx.OrdersPage(f); return err })
		}
	}
	calls = append(calls, func() error { _, err := tx.OrdersPage(OrderFilter{Sort: SortTotal}); return err })
	return calls
}

// TestReadModelsOnBoth runs every statement once on each engine.
func TestReadModelsOnBoth(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		db, all := readStore(t, url, 50)
		view(t, db, func(tx *Tx) error {
			for i, c := range readCalls(tx, all, readStart) {
				if err := c(); err != nil {
					return fmt.Errorf("call %d: %w", i, err)
				}
			}
			return nil
		})
		f := SavedFilter{ID: "flt_1", Page: "orders", Name: "mine", Query: "?state=held", UserID: "usr_1"}
		for range 2 { // the second of a name replaces the first
			if err := db.Update(t.Context(), func(tx *Tx) error { return tx.PutSavedFilter(f) }); err != nil {
				t.Fatal(err)
			}
			f.ID = "flt_2"
		}
		view(t, db, func(tx *Tx) error {
			have, err := tx.SavedFilters("orders", "usr_1")
			if len(have) != 1 || have[0].ID != "flt_2" {
				t.Errorf("saved filters %+v", have)
			}
			return err
		})
	})
}

// TestReadPlans asks SQLite how it runs every statement of the read models, and
// refuses one that scans a table that grows.
func TestReadPlans(t *testing.T) {
	db, all := readStore(t, liteURL(t), 50)
	var seen []string
	readProbe = func(q string) { seen = append(seen, q) }
	t.Cleanup(func() { readProbe = nil })
	now := readStart
	view(t, db, func(tx *Tx) error {
		calls := readCalls(tx, all, now)
		for i, c := range calls {
			if err := c(); err != nil {
				return fmt.Errorf("call %d: %w", i, err)
			}
		}
		return nil
	})
	readProbe = nil
	slices.Sort(seen)
	seen = slices.Compact(seen)
	if len(seen) < 40 {
		t.Fatalf("only %d statements were seen", len(seen))
	}
	// What may be scanned: subqueries that are bounded by LIMIT, and tables that hold a handful of rows.
	fine := regexp.MustCompile(`^SCAN (o|b|c|e|p|m|connection|location|\(subquery-\d+\)|CONSTANT ROW|1 CONSTANT ROW)$`)
	for _, q := range seen {
		view(t, db, func(tx *Tx) error {
			return readEach(tx, func(scan func(...any) error) error {
				var id, parent, zero int64
				var detail string
				if err := scan(&id, &parent, &zero, &detail); err != nil {
					return err
				}
				bounded := strings.Contains(detail, "USING") // a walk along an index, in its order
				if strings.HasPrefix(detail, "SCAN") && !fine.MatchString(detail) && !bounded {
					if detail == "SCAN event" || detail == "SCAN product" || detail == "SCAN stock_balance" {
						// in the order of the primary key, which is the table itself: bounded by the LIMIT
						if strings.Contains(q, "LIMIT") && !strings.Contains(planOf(t, db, q), "TEMP B-TREE FOR ORDER BY") {
							return nil
						}
					}
					t.Errorf("%s\nis run as: %s", q, detail)
				}
				if strings.HasPrefix(detail, "USE TEMP B-TREE FOR ORDER BY") && strings.Contains(q, "FROM orders WHERE state") && !strings.Contains(q, "total DESC") {
					t.Errorf("%s\nsorts instead of following an index", q)
				}
				return nil
			}, "EXPLAIN QUERY PLAN "+q, nullArgs(q)...)
		})
	}
}

func planOf(t *testing.T, db *DB, q string) string {
	var b strings.Builder
	view(t, db, func(tx *Tx) error {
		return readEach(tx, func(scan func(...any) error) error {
			var id, parent, zero int64
			var detail string
			err := scan(&id, &parent, &zero, &detail)
			b.WriteString(detail + "\n")
			return err
		}, "EXPLAIN QUERY PLAN "+q, nullArgs(q)...)
	})
	return b.String()
}

var paramRE = regexp.MustCompile(`\$(\d+)`)

func nullArgs(q string) []any {
	n := 0
	for _, m := range paramRE.FindAllStringSubmatch(q, -1) {
		var k int
		_, _ = fmt.Sscan(m[1], &k)
		n = max(n, k)
	}
	out := make([]any, n)
	for i := range out {
		out[i] = "x"
	}
	return out
}

// TestLedgerBalance holds that the balance counted back from today equals the fold from the first move.
func TestLedgerBalance(t *testing.T) { onBoth(t, testLedgerBalance) }

func testLedgerBalance(t *testing.T, url string) {
	db, _ := readStore(t, url, 1)
	rnd := rand.New(rand.NewPCG(3, 4))
	locs := []string{"a", "b"}
	balances := map[stock.Key]stock.Balance{}
	var rows []MoveRow
	type after struct{ onHand, reserved int64 }
	fold := map[string]map[int64]after{"": {}, "a": {}, "b": {}}
	for i := range 230 {
		l := locs[rnd.IntN(2)]
		k := stock.Key{SKU: "S", Location: l}
		b := balances[k]
		b.Key = k
		q := int64(1 + rnd.IntN(5))
		m := stock.Move{At: readStart.Add(time.Duration(i) * time.Hour), SKU: "S", Qty: q}
		avail, res := stock.Account{Location: l, Bucket: stock.Available}, stock.Account{Location: l, Bucket: stock.Reserved}
		switch {
		case b.Reserved >= q && rnd.IntN(2) == 0:
			m.Kind, m.From, m.To = stock.Ship, res, stock.Account{Bucket: stock.Customer}
			b.OnHand -= q
			b.Reserved -= q
		case b.Available() >= q && rnd.IntN(2) == 0:
			m.Kind, m.From, m.To = stock.Reserve, avail, res
			b.Reserved += q
		default:
			m.Kind, m.From, m.To = stock.Receive, stock.Account{Bucket: stock.Supplier}, avail
			b.OnHand += q
		}
		balances[k] = b
		rows = append(rows, MoveRow{Seq: int64(i + 1), Move: m})
		var sum after
		for _, x := range locs {
			bx := balances[stock.Key{SKU: "S", Location: x}]
			sum.onHand += bx.OnHand
			sum.reserved += bx.Reserved
		}
		fold[""][int64(i+1)] = sum
		fold[l][int64(i+1)] = after{b.OnHand, b.Reserved}
	}
	if err := db.Update(t.Context(), func(tx *Tx) error {
		if err := InsertMoves(tx, rows); err != nil {
			return err
		}
		return UpsertBalances(tx, balances)
	}); err != nil {
		t.Fatal(err)
	}
	for loc, want := range fold {
		cursor, n := "", 0
		for {
			var p LedgerPage
			view(t, db, func(tx *Tx) (err error) { p, err = tx.Ledger("S", loc, cursor, 40); return err })
			for _, r := range p.Rows {
				n++
				if w := want[r.Seq]; r.OnHandAfter != w.onHand || r.ReservedAfter != w.reserved {
					t.Fatalf("location %q, move %d: balance %d (%d reserved), want %+v", loc, r.Seq, r.OnHandAfter, r.ReservedAfter, w)
				}
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if n != len(want) {
			t.Errorf("location %q: %d moves, want %d", loc, n, len(want))
		}
	}
}

// TestMillionOrders measures the lists over a million orders. It takes a minute,
// so it runs only when ORDERLY_LARGE is set.
func TestMillionOrders(t *testing.T) {
	if os.Getenv("ORDERLY_LARGE") == "" {
		t.Skip("ORDERLY_LARGE is not set")
	}
	db, _ := readStore(t, liteURL(t), 1)
	const n = 1_000_000
	if err := db.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < $1)
			INSERT INTO orders (id, channel, number, state, payment, customer_id, currency, total, units, country, mode, placed_at, updated_at, rev, doc)
			SELECT 'ord_' || i, CASE WHEN i % 5 = 0 THEN 'pos' ELSE 'web' END, 'M-' || i, CASE WHEN i % 997 = 0 THEN 'held' WHEN i % 50 = 0 THEN 'ready' ELSE 'completed' END,
				'paid', 'cus_' || (i % 200000), 'EUR', i % 50000, 2, CASE WHEN i = 500000 THEN 'LU' WHEN i % 3 = 0 THEN 'FR' ELSE 'DE' END, 'live',
				1700000000000000 + i * 30000000, 1700000000000000 + i * 30000000, 1, '{"padding":"' || hex(randomblob(300)) || '"}' FROM k`, int64(n))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	end := time.UnixMicro(1700000000000000 + n*30000000)
	for name, f := range map[string]OrderFilter{
		"newest": {}, "held": {States: []order.State{order.Held}}, "shop counter": {Channel: "pos"}, "rare country": {Country: "LU"}, "largest": {Sort: SortTotal},
		"number": {Search: "M-99999"}, "customer": {Search: "cus_4711"}, "a day": {From: end.AddDate(0, 0, -200), To: end.AddDate(0, 0, -199), Country: "FR"},
		"deep page": {Cursor: fmt.Sprintf("%d.x", end.AddDate(0, 0, -170).UnixMicro())},
	} {
		view(t, db, func(tx *Tx) error { _, err := tx.OrdersPage(f); return err })
		start := time.Now()
		var p OrderPage
		view(t, db, func(tx *Tx) (err error) { p, err = tx.OrdersPage(f); return err })
		took := time.Since(start)
		t.Logf("%-14s %8.2f ms  %d rows", name, float64(took.Microseconds())/1000, len(p.Rows))
		if took > 250*time.Millisecond {
			t.Errorf("%s takes %s", name, took)
		}
	}
	start := time.Now()
	view(t, db, func(tx *Tx) error { _, err := tx.Counts(end); return err })
	t.Logf("%-14s %8.2f ms", "counts", float64(time.Since(start).Microseconds())/1000)
	start = time.Now()
	view(t, db, func(tx *Tx) error { _, err := tx.DayFigures(end.AddDate(0, 0, -1), end); return err })
	t.Logf("%-14s %8.2f ms", "a day by hour", float64(time.Since(start).Microseconds())/1000)
}

// TestLedgerGoesOn holds that the ledger of a quiet location is reached behind many moves elsewhere.
func TestLedgerGoesOn(t *testing.T) {
	db, _ := readStore(t, liteURL(t), 1)
	rows := make([]MoveRow, 0, ScanCap+50)
	supplier := stock.Account{Bucket: stock.Supplier}
	for i := range ScanCap + 50 {
		loc := "busy"
		if i == 3 {
			loc = "quiet"
		}
		rows = append(rows, MoveRow{Seq: int64(i + 1), Move: stock.Move{
			At: readStart, Kind: stock.Receive, SKU: "S", Qty: 1, From: supplier, To: stock.Account{Location: loc, Bucket: stock.Available},
		}})
	}
	quiet, busy := stock.Key{SKU: "S", Location: "quiet"}, stock.Key{SKU: "S", Location: "busy"}
	if err := db.Update(t.Context(), func(tx *Tx) error {
		if err := InsertMoves(tx, rows); err != nil {
			return err
		}
		return UpsertBalances(tx, map[stock.Key]stock.Balance{quiet: {Key: quiet, OnHand: 1}, busy: {Key: busy, OnHand: ScanCap + 49}})
	}); err != nil {
		t.Fatal(err)
	}
	var first, second LedgerPage
	view(t, db, func(tx *Tx) (err error) {
		if first, err = tx.Ledger("S", "quiet", "", 50); err != nil {
			return err
		}
		second, err = tx.Ledger("S", "quiet", first.Next, 50)
		return err
	})
	if len(first.Rows) != 0 || first.Next == "" || len(second.Rows) != 1 || second.Rows[0].OnHandAfter != 1 || second.Next != "" {
		t.Errorf("first page %+v, second %+v", first, second)
	}
}

func TestCursorsOfStrangers(t *testing.T) {
	db, _ := readStore(t, liteURL(t), 5)
	for _, c := range []string{"x", "1", "1.2.3", "a.b", "1.a.b.c.d", "9223372036854775808.x", "';--"} {
		view(t, db, func(tx *Tx) error {
			if _, err := tx.OrdersPage(OrderFilter{Cursor: c}); err == nil && !strings.HasPrefix(c, "1.") {
				t.Errorf("cursor %q was taken for orders", c)
			}
			if _, _, err := tx.DeadEffects(c, 5); err == nil && strings.Count(c, ".") == 0 {
				t.Errorf("cursor %q was taken for effects", c)
			}
			if _, err := tx.StockPage(StockFilter{Cursor: c}); err == nil {
				t.Errorf("cursor %q was taken for stock", c)
			}
			return nil
		})
	}
}

func FuzzOrderCursor(f *testing.F) {
	f.Add("1.ord_x")
	f.Add("1.ord_x.5.7.ord_y")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := parseOrderKey(s)
		if err != nil {
			return
		}
		if again, err := parseOrderKey(k.String()); err != nil || again != k {
			if k.topID != "" || len(strings.Split(s, ".")) == 2 {
				t.Errorf("%q became %+v and then %+v (%v)", s, k, again, err)
			}
		}
	})
}
