package store

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/stock"
)

// A list of products is read in phases, each along an index: those that are low
// and then the others, or of the others those that a location keeps; in a search, the SKUs that begin with it and then titles that contain it.
const (
	phaseLow    = "l"
	phaseOthers = "o"
	phaseHeld   = "h"
	phaseSKU    = "s"
	phaseTitle  = "t"
)

// StockPage returns one page of products with their levels.
func (tx *Tx) StockPage(f StockFilter) (StockPage, error) {
	if f.Limit <= 0 || f.Limit > 500 {
		f.Limit = 50
	}
	f.Search = strings.TrimSpace(f.Search)
	phases := []string{phaseLow, phaseOthers}
	if f.Search != "" {
		phases = []string{phaseSKU, phaseTitle}
	} else if f.LowOnly {
		phases = []string{phaseLow}
	} else if f.Held {
		phases = []string{phaseLow, phaseHeld}
	}
	at, from := 0, ""
	if f.Cursor != "" {
		ph, sku, ok := strings.Cut(f.Cursor, ".")
		at = slices.Index(phases, ph)
		if !ok || at < 0 {
			return StockPage{}, fault.New(fault.Invalid, "store.StockPage", "the place in the list is not valid; start from the first page")
		}
		from = sku
	}
	var page StockPage
	for ; at < len(phases); at++ {
		rows, stop, err := tx.stockPhase(f, phases[at], from, f.Limit+1-len(page.Rows))
		if err != nil {
			return page, err
		}
		page.Rows = append(page.Rows, rows...)
		if len(page.Rows) > f.Limit {
			page.Rows = page.Rows[:f.Limit]
			last := page.Rows[f.Limit-1]
			page.Next = phases[at] + "." + last.SKU
			if len(rows) == 1 { // the row too many was this phase's only one
				page.Next = phases[at] + "."
			}
			break
		}
		if stop != "" {
			page.Next, page.Bounded = phases[at]+"."+stop, true
			break
		}
		from = ""
	}
	return page, tx.fillLevels(page.Rows)
}

// stockPhase reads up to n products of one phase after a SKU. stop is the last
// SKU looked at when it ended because of ScanCap.
func (tx *Tx) stockPhase(f StockFilter, phase, from string, n int) (rows []StockRow, stop string, err error) {
	var a readArgs
	table, walk := "product", "sku > "+a.add(from)
	var rest []string
	switch phase {
	case phaseLow:
		walk += " AND is_low = 1"
	case phaseOthers:
		rest = append(rest, "is_low = 0")
	case phaseHeld:
		if table = "stock_balance"; f.Location == "" {
			walk += " AND location <> '" + stock.Opening + "'"
		} else {
			walk += " AND location = " + a.add(f.Location)
		}
		rest = append(rest, "is_low = 0")
	case phaseSKU:
		walk += " AND sku >= " + a.add(f.Search) + " AND sku < " + a.add(prefixEnd(f.Search))
	}
	probe := slices.Clone(a)
	if phase == phaseTitle {
		rest = append(rest, "lower(title) LIKE "+a.add("%"+likeEscape(strings.ToLower(f.Search))+"%")+` ESCAPE '\'`,
			"NOT (sku >= "+a.add(f.Search)+" AND sku < "+a.add(prefixEnd(f.Search))+")")
	}
	if f.LowOnly && phase != phaseLow {
		rest = append(rest, "is_low = 1")
	}
	keeps := ""
	if f.Location != "" {
		keeps = " AND b.location = " + a.add(f.Location)
	}
	if phase == phaseHeld {
		keeps += " AND b.location <> '" + stock.Opening + "' AND (b.on_hand <> 0 OR b.reserved <> 0)"
	}
	if keeps != "" {
		rest = append(rest, "EXISTS (SELECT 1 FROM stock_balance b WHERE b.sku = p.sku"+keeps+")")
	}
	const cols = "sku, title, low_at, is_low, doc"
	q := "SELECT " + cols + " FROM product p WHERE " + walk + " ORDER BY sku LIMIT " + strconv.Itoa(n)
	if phase == phaseHeld {
		q = "SELECT " + cols + " FROM product p WHERE sku IN (SELECT sku FROM stock_balance WHERE " + walk + " ORDER BY sku LIMIT " + strconv.Itoa(ScanCap) + ") AND " +
			strings.Join(rest, " AND ") + " ORDER BY sku LIMIT " + strconv.Itoa(n)
	} else if len(rest) > 0 {
		q = "SELECT " + cols + " FROM (SELECT " + cols + " FROM product WHERE " + walk + " ORDER BY sku LIMIT " + strconv.Itoa(ScanCap) + ") p WHERE " +
			strings.Join(rest, " AND ") + " ORDER BY sku LIMIT " + strconv.Itoa(n)
	}
	err = readEach(tx, func(scan func(...any) error) error {
		var r StockRow
		var low int64
		err := scan(&r.SKU, &r.Title, &r.LowAt, &low, &r.Doc)
		r.Low = low != 0
		rows = append(rows, r)
		return err
	}, q, a...)
	if err != nil || len(rows) >= n || len(rest) == 0 {
		return rows, "", err
	}
	_, err = readRow(tx, "SELECT sku FROM "+table+" WHERE "+walk+" ORDER BY sku LIMIT 1 OFFSET "+strconv.Itoa(ScanCap-1), probe, &stop)
	return rows, stop, err
}

// StockCounts are how many products there are, and how many of them are in stock, reserved or low.
func (tx *Tx) StockCounts() (all, held Capped, err error) {
	if all, err = tx.capCount("product"); err != nil {
		return all, held, err
	}
	low, err := tx.capCount("product WHERE is_low = 1")
	if err != nil {
		return all, held, err
	}
	walk := "stock_balance WHERE location <> '" + stock.Opening + "' ORDER BY sku LIMIT "
	held, err = tx.capCount("product WHERE is_low = 0 AND sku IN (SELECT sku FROM (SELECT sku, on_hand, reserved FROM " + walk + strconv.Itoa(ScanCap) +
		") b WHERE on_hand <> 0 OR reserved <> 0)")
	if err != nil {
		return all, held, err
	}
	held.N += low.N
	held.More = held.More || low.More
	if !held.More { // what lies behind the rows that were looked at was not counted
		var sku string
		held.More, err = readRow(tx, "SELECT sku FROM "+walk+"1 OFFSET "+strconv.Itoa(ScanCap), nil, &sku)
	}
	return all, held, err
}

func (tx *Tx) fillLevels(rows []StockRow) error {
	if len(rows) == 0 {
		return nil
	}
	at := make(map[string]int, len(rows))
	skus := make([]string, len(rows))
	for i, r := range rows {
		at[r.SKU], skus[i] = i, r.SKU
	}
	var a readArgs
	in := a.list(skus)
	return readEach(tx, func(scan func(...any) error) error {
		var sku string
		var l StockLevel
		if err := scan(&sku, &l.Location, &l.OnHand, &l.Reserved); err != nil {
			return err
		}
		r := &rows[at[sku]]
		r.Levels = append(r.Levels, l)
		if l.Location != stock.Opening {
			r.OnHand += l.OnHand
			r.Reserved += l.Reserved
		}
		return nil
	}, "SELECT sku, location, on_hand, reserved FROM stock_balance WHERE sku IN ("+in+") ORDER BY sku, location", a...)
}

// StockOf returns one product with its levels. A SKU that has stock but no product is shown, too.
func (tx *Tx) StockOf(sku string) (StockRow, error) {
	rows := []StockRow{{SKU: sku}}
	r := &rows[0]
	var low int64
	found, err := readRow(tx, "SELECT title, low_at, is_low, doc FROM product WHERE sku = $1", []any{sku}, &r.Title, &r.LowAt, &low, &r.Doc)
	if err != nil {
		return rows[0], err
	}
	r.Low = low != 0
	if err := tx.fillLevels(rows); err != nil {
		return rows[0], err
	}
	if !found && len(r.Levels) == 0 {
		return rows[0], fault.New(fault.NotFound, "store.StockOf", "there is no product %s", sku)
	}
	return rows[0], nil
}

// Ledger returns a page of the moves of a SKU, newest first, each with the
// balance after it: of one location, or of all together (opening left out) when location is "".
// The balance is counted back from today's, so a page costs what it shows.
func (tx *Tx) Ledger(sku, location, cursor string, n int) (LedgerPage, error) {
	var page LedgerPage
	row, err := tx.StockOf(sku)
	if err != nil {
		return page, err
	}
	onHand, reserved := row.OnHand, row.Reserved
	if location != "" {
		onHand, reserved = 0, 0
		for _, l := range row.Levels {
			if l.Location == location {
				onHand, reserved = l.OnHand, l.Reserved
			}
		}
	}
	a := readArgs{sku}
	where := "m.sku = $1"
	if cursor != "" {
		f := strings.Split(cursor, ".")
		if len(f) != 4 {
			return page, fault.New(fault.Invalid, "store.Ledger", "the place in the ledger is not valid; start from the first page")
		}
		var v [4]int64
		for i := range f {
			if v[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
				return page, fault.New(fault.Invalid, "store.Ledger", "the place in the ledger is not valid; start from the first page")
			}
		}
		where += " AND (m.seq, m.ord) < (" + a.add(v[0]) + ", " + a.add(v[1]) + ")"
		onHand, reserved = v[2], v[3]
	}
	const cols = "m.seq, m.ord, m.at, m.kind, m.qty, m.from_loc, m.from_bucket, m.to_loc, m.to_bucket, m.order_id, m.note"
	from := "stock_move m WHERE " + where + " ORDER BY m.seq DESC, m.ord DESC"
	probe := slices.Clone(a)
	// History moves at the opening location alone: the view of all locations leaves it out.
	concerns := "m.from_loc NOT IN ('', '" + stock.Opening + "') OR m.to_loc NOT IN ('', '" + stock.Opening + "')"
	if location != "" {
		concerns = "m.from_loc = " + a.add(location) + " OR m.to_loc = " + a.add(location)
	}
	inner := "SELECT " + cols + " FROM (SELECT * FROM " + from + " LIMIT " + strconv.Itoa(ScanCap) + ") m WHERE " + concerns +
		" ORDER BY m.seq DESC, m.ord DESC LIMIT " + strconv.Itoa(n+1)
	err = readEach(tx, func(scan func(...any) error) error {
		var r LedgerRow
		var at int64
		err := scan(&r.Seq, &r.Ord, &at, &r.Kind, &r.Qty, &r.FromLoc, &r.FromBuck, &r.ToLoc, &r.ToBuck, &r.OrderID, &r.Note)
		r.At = readTime(at)
		page.Rows = append(page.Rows, r)
		return err
	}, inner, a...)
	if err != nil {
		return page, err
	}
	more := len(page.Rows) > n
	if more {
		page.Rows = page.Rows[:n]
	}
	counts := func(loc string) bool {
		if location != "" {
			return loc == location
		}
		return loc != "" && loc != stock.Opening
	}
	for i := range page.Rows {
		r := &page.Rows[i]
		if counts(r.FromLoc) {
			r.OnHand -= r.Qty
			if r.FromBuck == string(stock.Reserved) {
				r.Reserved -= r.Qty
			}
		}
		if counts(r.ToLoc) {
			r.OnHand += r.Qty
			if r.ToBuck == string(stock.Reserved) {
				r.Reserved += r.Qty
			}
		}
		r.OnHandAfter, r.ReservedAfter = onHand, reserved
		onHand -= r.OnHand
		reserved -= r.Reserved
	}
	if more {
		l := page.Rows[n-1]
		page.Next = ledgerPlace(l.Seq, int64(l.Ord), onHand, reserved)
	}
	if !more { // it may have ended because of ScanCap: the next page goes on from there
		var seq, ord int64
		found, err := readRow(tx, "SELECT m.seq, m.ord FROM "+from+" LIMIT 1 OFFSET "+strconv.Itoa(ScanCap-1), probe, &seq, &ord)
		if err != nil {
			return page, err
		}
		if found {
			page.Next = ledgerPlace(seq, ord, onHand, reserved)
		}
	}
	return page, tx.ledgerCauses(page.Rows)
}

// ledgerPlace is a cursor: the last move looked at and the balance before it.
func ledgerPlace(seq, ord, onHand, reserved int64) string {
	return fmt.Sprintf("%d.%d.%d.%d", seq, ord, onHand, reserved)
}

// ledgerCauses adds the event that made each move.
func (tx *Tx) ledgerCauses(rows []LedgerRow) error {
	if len(rows) == 0 {
		return nil
	}
	at := map[int64][]int{}
	var seqs []int64
	for i, r := range rows {
		if at[r.Seq] == nil {
			seqs = append(seqs, r.Seq)
		}
		at[r.Seq] = append(at[r.Seq], i)
	}
	slices.Sort(seqs)
	var a readArgs
	marks := make([]string, len(seqs))
	for i, s := range seqs {
		marks[i] = a.add(s)
	}
	return readEach(tx, func(scan func(...any) error) error {
		var seq int64
		var id, typ, actor string
		if err := scan(&seq, &id, &typ, &actor); err != nil {
			return err
		}
		for _, i := range at[seq] {
			rows[i].EventID, rows[i].Type, rows[i].Actor = id, typ, actor
		}
		return nil
	}, "SELECT seq, id, type, actor FROM event WHERE seq IN ("+strings.Join(marks, ", ")+")", a...)
}

// WaitingOrders returns the n orders that have waited longest for units of a SKU.
func (tx *Tx) WaitingOrders(sku string, n int) ([]OrderRow, error) {
	ids, err := tx.ids("SELECT order_id FROM stock_wait WHERE sku = $1 ORDER BY since, order_id LIMIT "+strconv.Itoa(n), sku)
	if err != nil {
		return nil, err
	}
	return tx.OrderRows(ids)
}

// PolicyTexts returns the texts of the current policy of one kind ("" = all), by name.
func (tx *Tx) PolicyTexts(kind string) ([]PolicyText, error) {
	var doc string
	found, err := readRow(tx, "SELECT r.members FROM policy_current c JOIN policy_revision r ON r.rev = c.rev WHERE c.one = 1", nil, &doc)
	if err != nil || !found {
		return nil, err
	}
	var members []struct{ Kind, Name, Hash string }
	if err := readDoc("policy revision", doc, &members); err != nil {
		return nil, err
	}
	var out []PolicyText
	for _, m := range members {
		if kind != "" && m.Kind != kind {
			continue
		}
		t := PolicyText{Kind: m.Kind, Name: m.Name, Hash: m.Hash}
		if _, err := readRow(tx, "SELECT text FROM policy_text WHERE hash = $1", []any{m.Hash}, &t.Text); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Kind+"\x00"+out[i].Name < out[j].Kind+"\x00"+out[j].Name })
	return out, nil
}

// AutomationCounts returns what an automation did per UTC hour since a time, oldest first.
func (tx *Tx) AutomationCounts(name string, since time.Time) ([]AutomationCount, error) {
	var out []AutomationCount
	err := readEach(tx, func(scan func(...any) error) error {
		c := AutomationCount{Name: name}
		var h int64
		err := scan(&h, &c.Considered, &c.Fired, &c.Would, &c.Unknown)
		c.Hour = readTime(h)
		out = append(out, c)
		return err
	}, "SELECT hour, considered, fired, would, unknown FROM automation_count WHERE name = $1 AND hour >= $2 ORDER BY hour", name, since.UnixMicro())
	return out, err
}
