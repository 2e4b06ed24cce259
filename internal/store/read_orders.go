package store

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
)

const orderCols = "id, channel, number, state, payment, customer_id, country, currency, total, units, mode, placed_at, updated_at, sealed"

func scanOrderRow(scan func(...any) error) (OrderRow, error) {
	var r OrderRow
	var cur string
	var total, placed, updated int64
	err := scan(&r.ID, &r.Channel, &r.Number, &r.State, &r.Payment, &r.CustomerID, &r.Country, &cur, &total, &r.Units, &r.Mode, &placed, &updated, &r.Sealed)
	if err != nil {
		return r, err
	}
	r.Total = money.Amount{Minor: total, Currency: cur}
	r.PlacedAt, r.UpdatedAt = readTime(placed), readTime(updated)
	return r, nil
}

func (tx *Tx) orderRows(query string, args ...any) ([]OrderRow, error) {
	var out []OrderRow
	err := readEach(tx, func(scan func(...any) error) error {
		r, err := scanOrderRow(scan)
		out = append(out, r)
		return err
	}, query, args...)
	return out, err
}

// orderKey is the place of an order in a list: its time placed, then its id.
// For SortTotal, Top is the upper end of the window and Total the place in it.
type orderKey struct {
	at    int64
	id    string
	total int64
	top   int64
	topID string
}

func (k orderKey) String() string {
	s := strconv.FormatInt(k.at, 10) + "." + k.id
	if k.topID != "" {
		s += "." + strconv.FormatInt(k.total, 10) + "." + strconv.FormatInt(k.top, 10) + "." + k.topID
	}
	return s
}

func parseOrderKey(s string) (k orderKey, err error) {
	bad := fault.New(fault.Invalid, "store.OrdersPage", "the place in the list is not valid; start from the first page")
	f := strings.Split(s, ".")
	if len(f) != 2 && len(f) != 5 {
		return k, bad
	}
	if k.at, err = strconv.ParseInt(f[0], 10, 64); err != nil {
		return k, bad
	}
	k.id = f[1]
	if len(f) == 5 {
		var err2 error
		k.total, err = strconv.ParseInt(f[2], 10, 64)
		k.top, err2 = strconv.ParseInt(f[3], 10, 64)
		k.topID = f[4]
		if err != nil || err2 != nil {
			return k, bad
		}
	}
	return k, nil
}

// OrdersPage returns one page of the orders that fit. Whatever the filter, it
// reads at most ScanCap orders (per state asked for) along an index; the page
// then says how far back it looked.
func (tx *Tx) OrdersPage(f OrderFilter) (OrderPage, error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 50
	}
	if s := strings.TrimSpace(f.Search); s != "" {
		return tx.searchOrders(f, s)
	}
	var cur *orderKey
	if f.Cursor != "" {
		k, err := parseOrderKey(f.Cursor)
		if err != nil {
			return OrderPage{}, err
		}
		cur = &k
	}
	if f.Sort == SortTotal {
		return tx.ordersByTotal(f, cur)
	}
	states := f.States
	if len(states) == 0 {
		states = []order.State{""}
	}
	var page OrderPage
	var stop *orderKey // the nearest place where looking stopped because of ScanCap
	full := false
	for _, st := range states {
		rows, end, looked, err := tx.ordersOf(f, st, cur)
		if err != nil {
			return page, err
		}
		page.Rows = append(page.Rows, rows...)
		page.Looked += looked
		full = full || len(rows) > f.Limit
		if end != nil && (stop == nil || before(f.Sort, *end, *stop)) {
			stop = end
		}
	}
	sort.SliceStable(page.Rows, func(i, j int) bool { return before(f.Sort, keyOf(page.Rows[i]), keyOf(page.Rows[j])) })
	if stop != nil { // beyond it some states were not looked at
		page.Rows = slices.DeleteFunc(page.Rows, func(r OrderRow) bool { return before(f.Sort, *stop, keyOf(r)) })
	}
	switch {
	case len(page.Rows) > f.Limit:
		page.Rows = page.Rows[:f.Limit]
		page.Next = keyOf(page.Rows[f.Limit-1]).String()
	case stop != nil:
		page.Next = stop.String()
		page.Back = readTime(stop.at)
	case full && len(page.Rows) > 0:
		page.Next = keyOf(page.Rows[len(page.Rows)-1]).String()
	}
	return page, nil
}

func keyOf(r OrderRow) orderKey { return orderKey{at: r.PlacedAt.UnixMicro(), id: r.ID} }

// before reports whether a stands before b in a list of the sort.
func before(s OrderSort, a, b orderKey) bool {
	if s == SortOldest {
		a, b = b, a
	}
	if a.at != b.at {
		return a.at > b.at
	}
	return a.id > b.id
}

// walk is the part of the statement that follows an index: state, dates, place.
func (f OrderFilter) walk(a *readArgs, st order.State, cur *orderKey) (where, by string) {
	var w []string
	if st != "" {
		w = append(w, "state = "+a.add(string(st)))
	}
	if !f.From.IsZero() {
		w = append(w, "placed_at >= "+a.add(f.From.UnixMicro()))
	}
	if !f.To.IsZero() {
		w = append(w, "placed_at < "+a.add(f.To.UnixMicro()))
	}
	op, by := "<", " ORDER BY placed_at DESC, id DESC"
	if f.Sort == SortOldest {
		op, by = ">", " ORDER BY placed_at, id"
	}
	if cur != nil {
		w = append(w, fmt.Sprintf("(placed_at, id) %s (%s, %s)", op, a.add(cur.at), a.add(cur.id)))
	}
	if len(w) > 0 {
		where = " WHERE " + strings.Join(w, " AND ")
	}
	return where, by
}

// rest is the part of the filter that no index knows.
func (f OrderFilter) rest(a *readArgs) string {
	var w []string
	for _, c := range [...]struct{ col, v string }{
		{"channel", f.Channel}, {"country", f.Country}, {"payment", f.Payment}, {"customer_id", f.Customer},
	} {
		if c.v != "" {
			w = append(w, c.col+" = "+a.add(c.v))
		}
	}
	return strings.Join(w, " AND ")
}

// ordersOf reads up to Limit+1 orders of one state ("" = any). end is where it
// stopped looking because of ScanCap; nil when it found enough or saw the last order.
func (tx *Tx) ordersOf(f OrderFilter, st order.State, cur *orderKey) (rows []OrderRow, end *orderKey, looked int, err error) {
	var a readArgs
	where, by := f.walk(&a, st, cur)
	probe := slices.Clone(a)
	rest := f.rest(&a)
	if rest == "" {
		rows, err = tx.orderRows("SELECT "+orderCols+" FROM orders"+where+by+" LIMIT "+strconv.Itoa(f.Limit+1), a...)
		return rows, nil, len(rows), err
	}
	rows, err = tx.orderRows("SELECT "+orderCols+" FROM (SELECT "+orderCols+" FROM orders"+where+by+" LIMIT "+strconv.Itoa(ScanCap)+") o WHERE "+rest+
		by+" LIMIT "+strconv.Itoa(f.Limit+1), a...)
	if err != nil || len(rows) > f.Limit {
		return rows, nil, len(rows), err
	}
	var k orderKey
	found, err := readRow(tx, "SELECT placed_at, id FROM orders"+where+by+" LIMIT 1 OFFSET "+strconv.Itoa(ScanCap-1), probe, &k.at, &k.id)
	if err != nil || !found {
		return rows, nil, len(rows), err // all of them were looked at
	}
	return rows, &k, ScanCap, nil
}

// ordersByTotal sorts the newest ScanCap orders of the filter's walk by total.
// The window stays where the first page found it, so that pages fit together.
func (tx *Tx) ordersByTotal(f OrderFilter, cur *orderKey) (OrderPage, error) {
	var page OrderPage
	states := f.States
	if len(states) == 0 {
		states = []order.State{""}
	}
	var top *orderKey
	if cur != nil {
		top = &orderKey{at: cur.top, id: cur.topID}
	}
	for _, st := range states {
		var a readArgs
		g := f
		g.Sort = SortNewest
		where, by := g.walk(&a, st, nil)
		if top != nil {
			cond := fmt.Sprintf("(placed_at, id) <= (%s, %s)", a.add(top.at), a.add(top.id))
			if where == "" {
				where = " WHERE " + cond
			} else {
				where += " AND " + cond
			}
		}
		q := "SELECT " + orderCols + " FROM (SELECT " + orderCols + " FROM orders" + where + by + " LIMIT " + strconv.Itoa(ScanCap) + ") o WHERE 1 = 1"
		if rest := g.rest(&a); rest != "" {
			q += " AND " + rest
		}
		if cur != nil {
			q += fmt.Sprintf(" AND (total, placed_at, id) < (%s, %s, %s)", a.add(cur.total), a.add(cur.at), a.add(cur.id))
		}
		rows, err := tx.orderRows(q+" ORDER BY total DESC, placed_at DESC, id DESC LIMIT "+strconv.Itoa(f.Limit+1), a...)
		if err != nil {
			return page, err
		}
		page.Rows = append(page.Rows, rows...)
	}
	sort.SliceStable(page.Rows, func(i, j int) bool {
		x, y := page.Rows[i], page.Rows[j]
		if x.Total.Minor != y.Total.Minor {
			return x.Total.Minor > y.Total.Minor
		}
		return before(SortNewest, keyOf(x), keyOf(y))
	})
	page.Looked = len(page.Rows)
	if len(page.Rows) <= f.Limit {
		return page, nil
	}
	page.Rows = page.Rows[:f.Limit]
	last := page.Rows[f.Limit-1]
	k := keyOf(last)
	k.total = last.Total.Minor
	if top != nil {
		k.top, k.topID = top.at, top.id
	} else {
		_, err := readRow(tx, "SELECT placed_at, id FROM orders ORDER BY placed_at DESC, id DESC LIMIT 1", nil, &k.top, &k.topID)
		if err != nil {
			return page, err
		}
	}
	page.Next = k.String()
	return page, nil
}

// searchCap is the most orders, and the most customers, one search looks up.
const searchCap = 200

// searchOrders finds orders by id, by the beginning of a number, by a customer's
// id, or by words of a name or their beginnings. A mail address is looked up by the customer id that follows
// from it (Keyring.Hash), which is the caller's. The other filters then narrow what was found.
func (tx *Tx) searchOrders(f OrderFilter, s string) (OrderPage, error) {
	var found []OrderRow
	var err error
	add := func(rows []OrderRow, e error) {
		found = append(found, rows...)
		if err == nil {
			err = e
		}
	}
	const sel = "SELECT " + orderCols + " FROM orders WHERE "
	switch {
	case strings.HasPrefix(s, "ord_"):
		add(tx.orderRows(sel+"id = $1", s))
	case strings.HasPrefix(s, "cus_"):
		add(tx.CustomerOrders(s, searchCap))
	default:
		for _, n := range []string{s, strings.TrimPrefix(s, "#"), "#" + s} {
			add(tx.orderRows(sel+"number >= $1 AND number < $2 ORDER BY number LIMIT "+strconv.Itoa(searchCap), n, prefixEnd(n)))
		}
		var ids []string
		if err == nil {
			ids, err = tx.customersByName(s)
		}
		for _, id := range ids {
			add(tx.CustomerOrders(id, 20))
		}
	}
	if err != nil {
		return OrderPage{}, err
	}
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(r OrderRow) bool {
		if seen[r.ID] || !f.fits(r) {
			return true
		}
		seen[r.ID] = true
		return false
	})
	sort.SliceStable(found, func(i, j int) bool {
		a, b := found[i], found[j]
		switch f.Sort {
		case SortTotal:
			if a.Total.Minor != b.Total.Minor {
				return a.Total.Minor > b.Total.Minor
			}
		case SortOldest:
			return before(SortOldest, keyOf(a), keyOf(b))
		}
		return before(SortNewest, keyOf(a), keyOf(b))
	})
	return OrderPage{Rows: found[:min(len(found), searchCap)], Looked: len(found)}, nil
}

func (f OrderFilter) fits(r OrderRow) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
		(f.Channel == "" || f.Channel == r.Channel) && (f.Country == "" || f.Country == r.Country) &&
		(f.Payment == "" || f.Payment == r.Payment) && (f.Customer == "" || f.Customer == r.CustomerID) &&
		(f.From.IsZero() || !r.PlacedAt.Before(f.From)) && (f.To.IsZero() || r.PlacedAt.Before(f.To))
}

// prefixEnd stands behind every text that begins with s, in byte order.
func prefixEnd(s string) string { return s + "\U0010FFFF" }

// prefixCap is how many entries under the beginning of one word a search of several words looks at.
const prefixCap = 20_000

// customersByName finds customers that have every word of s in their name: those
// with the whole words first, then those whose words begin like them.
func (tx *Tx) customersByName(s string) ([]string, error) {
	words := strings.Fields(strings.ToLower(s))
	words = words[:min(len(words), 4)]
	if len(words) == 0 {
		return nil, nil
	}
	var a, b readArgs
	whole, begins := make([]string, len(words)), make([]string, len(words))
	for i, w := range words {
		whole[i] = "SELECT customer_id FROM customer_search WHERE term = " + a.add(w)
		begins[i] = "SELECT customer_id FROM (SELECT customer_id FROM customer_search WHERE term >= " + b.add(w) + " AND term < " + b.add(prefixEnd(w)) +
			" LIMIT " + strconv.Itoa(prefixCap) + ") o"
	}
	limit := " LIMIT " + strconv.Itoa(searchCap)
	out, err := tx.ids(strings.Join(whole, " INTERSECT ")+limit, a...)
	if err != nil || len(out) == searchCap || len([]rune(s)) < 2 {
		return out, err // one letter is the beginning of too much
	}
	if len(words) == 1 { // a customer may have two words that begin alike
		begins[0] = "SELECT DISTINCT customer_id FROM (SELECT customer_id FROM customer_search WHERE term >= $1 AND term < $2 LIMIT " + strconv.Itoa(2*searchCap) + ") o"
	}
	more, err := tx.ids(strings.Join(begins, " INTERSECT ")+limit, b...)
	for _, id := range more {
		if len(out) < searchCap && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, err
}

func (tx *Tx) ids(query string, args ...any) ([]string, error) {
	var out []string
	err := readEach(tx, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out = append(out, id)
		return err
	}, query, args...)
	return out, err
}

// OrderRows returns orders by id, newest first; unknown ids are left out.
func (tx *Tx) OrderRows(ids []string) ([]OrderRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var a readArgs
	return tx.orderRows("SELECT "+orderCols+" FROM orders WHERE id IN ("+a.list(ids)+") ORDER BY placed_at DESC, id DESC", a...)
}

// CustomerOrders returns the newest n orders of a customer.
func (tx *Tx) CustomerOrders(customerID string, n int) ([]OrderRow, error) {
	return tx.orderRows("SELECT "+orderCols+" FROM orders WHERE customer_id = $1 ORDER BY placed_at DESC LIMIT "+strconv.Itoa(n), customerID)
}

// facetWindow is how many of the newest orders tell which channels and countries exist.
const facetWindow = 2000

// OrderFacets returns the channels and countries of the newest orders, sorted.
func (tx *Tx) OrderFacets() (channels, countries []string, err error) {
	err = readEach(tx, func(scan func(...any) error) error {
		var ch, co string
		if err := scan(&ch, &co); err != nil {
			return err
		}
		if !slices.Contains(channels, ch) {
			channels = append(channels, ch)
		}
		if co != "" && !slices.Contains(countries, co) {
			countries = append(countries, co)
		}
		return nil
	}, "SELECT DISTINCT channel, country FROM (SELECT channel, country FROM orders ORDER BY placed_at DESC, id DESC LIMIT "+strconv.Itoa(facetWindow)+") o")
	slices.Sort(channels)
	slices.Sort(countries)
	return channels, countries, err
}

// DayFigures counts the orders placed in [from, to) by hour, at most DayCap of them, and adds up
// the totals of those that were not cancelled.
func (tx *Tx) DayFigures(from, to time.Time) (DayFigures, error) {
	const hour = int64(time.Hour / time.Microsecond)
	d := DayFigures{}
	orders := map[string]int64{} // by currency
	// Hours are counted from the beginning of the span, so that zones of half an hour fit.
	err := readEach(tx, func(scan func(...any) error) error {
		var h, n, sum int64
		var cur string
		if err := scan(&h, &cur, &n, &sum); err != nil {
			return err
		}
		at := from.Add(time.Duration(h) * time.Hour).UTC()
		if len(d.Hours) == 0 || !d.Hours[len(d.Hours)-1].Hour.Equal(at) {
			d.Hours = append(d.Hours, HourCount{Hour: at})
		}
		l := &d.Hours[len(d.Hours)-1]
		l.Orders += n
		l.Money = append(l.Money, money.Amount{Minor: sum, Currency: cur})
		d.Orders += n
		i := slices.IndexFunc(d.Money, func(m money.Amount) bool { return m.Currency == cur })
		if i < 0 {
			d.Money = append(d.Money, money.Amount{Currency: cur})
			i = len(d.Money) - 1
		}
		d.Money[i].Minor += sum
		orders[cur] += n
		return nil
	}, "SELECT (placed_at - $1) / "+strconv.FormatInt(hour, 10)+" AS h, currency, count(*), CAST(sum(CASE WHEN state <> 'cancelled' THEN total ELSE 0 END) AS BIGINT) FROM "+
		"(SELECT placed_at, currency, total, state FROM orders WHERE placed_at >= $1 AND placed_at < $2 ORDER BY placed_at DESC, id DESC LIMIT "+
		strconv.Itoa(DayCap)+") o GROUP BY 1, 2 ORDER BY 1, 2", from.UnixMicro(), to.UnixMicro())
	sort.SliceStable(d.Money, func(i, j int) bool { return orders[d.Money[i].Currency] > orders[d.Money[j].Currency] })
	d.More = d.Orders >= DayCap
	return d, err
}
