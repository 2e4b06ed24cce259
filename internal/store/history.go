package store

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// HistoryRow is one recorded decision as a walk through the history reads it.
type HistoryRow struct {
	Seq, Policy, Depth   int64
	ID, Source, Key      string
	Type, Subject, Actor string
	OrderID, CustomerID  string
	At                   time.Time
	Mode                 event.Mode
	Data, Facts, Gist    string
	Trace                string
	Archive              string // the file that has Facts and Trace; "" = they are here
	at                   int64
}

// HistoryBounds returns the first and the last decided_seq there is; 0, 0 when there is no event.
func (tx *Tx) HistoryBounds() (first, last int64, err error) {
	err = tx.QueryRow("SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM event").Scan(&first, &last)
	return first, last, err
}

// HistoryAfter returns the first decided_seq above seq; ok is false when there is none.
func (tx *Tx) HistoryAfter(seq int64) (next int64, ok bool, err error) {
	err = tx.QueryRow("SELECT coalesce(min(seq), 0) FROM event WHERE seq > $1", seq).Scan(&next)
	return next, next > 0, err
}

// historyColumns are those of a HistoryRow in the order of [HistoryRow.texts], behind five numbers and words.
const historyColumns = "seq, policy, depth, at, mode, type, order_id, customer_id, source, key, id, subject, actor, gist, data, facts, archive, trace"

// unitSeparator stands between the columns of a row. JSON cannot contain it, and other texts hardly ever do.
const unitSeparator = "\x1f"

// History appends to rows the decided events with lo <= seq < hi in the order of their
// decisions. The texts of a row share one piece of memory.
//
// A row comes as one text: what the SQLite driver does for each column is a third
// of what reading a million rows costs. A row that has the separator inside a text is read again by columns.
func (tx *Tx) History(lo, hi int64, rows []HistoryRow) ([]HistoryRow, error) {
	var text string
	var odd []int
	dest := []any{&text}
	err := tx.each("SELECT concat_ws($3, "+historyColumns+") FROM event WHERE seq >= $1 AND seq < $2 AND state = 'decided' ORDER BY seq",
		[]any{lo, hi, unitSeparator}, func(r *Rows) error {
			if err := r.Scan(dest...); err != nil {
				return err
			}
			rows = append(rows, HistoryRow{})
			if !rows[len(rows)-1].split(text) {
				odd = append(odd, len(rows)-1)
			}
			return nil
		})
	for _, i := range odd {
		if err == nil {
			err = tx.historyRow(&rows[i])
		}
	}
	return rows, err
}

// split reads the columns of a row from one text; false when it has more separators than there are gaps.
func (r *HistoryRow) split(text string) bool {
	var word string
	for _, to := range [...]*int64{&r.Seq, &r.Policy, &r.Depth, &r.at} {
		word, text, _ = strings.Cut(text, unitSeparator)
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return false
		}
		*to = n
	}
	word, text, _ = strings.Cut(text, unitSeparator)
	r.Mode, r.At = event.Mode(word), fromMicros(r.at)
	texts := r.texts()
	last := len(texts) - 1
	for _, to := range texts[:last] {
		*to, text, _ = strings.Cut(text, unitSeparator)
	}
	*texts[last] = text
	return strings.IndexByte(text, unitSeparator[0]) < 0
}

// texts are the columns that are texts.
func (r *HistoryRow) texts() [13]*string {
	return [...]*string{
		&r.Type, &r.OrderID, &r.CustomerID, &r.Source, &r.Key, &r.ID, &r.Subject, &r.Actor, &r.Gist, &r.Data, &r.Facts, &r.Archive, &r.Trace,
	}
}

// Own gives every text but the trace and the facts memory of its own.
func (r *HistoryRow) Own() {
	for _, text := range r.texts() {
		if text != &r.Trace && text != &r.Facts {
			*text = strings.Clone(*text)
		}
	}
}

// historyRow reads one row by columns.
func (tx *Tx) historyRow(r *HistoryRow) error {
	var mode string
	dest := []any{&r.Seq, &r.Policy, &r.Depth, &r.at, &mode}
	for _, to := range r.texts() {
		dest = append(dest, to)
	}
	err := tx.QueryRow("SELECT "+historyColumns+" FROM event WHERE seq = $1", r.Seq).Scan(dest...)
	r.Mode, r.At = event.Mode(mode), fromMicros(r.at)
	return err
}

// EachProduct calls fn for every product of the catalogue.
func (tx *Tx) EachProduct(fn func(catalog.Product)) error {
	return tx.each("SELECT doc FROM product ORDER BY sku", nil, func(rows *Rows) error {
		var doc string
		if err := rows.Scan(&doc); err != nil {
			return err
		}
		var p catalog.Product
		err := decode("product", doc, &p)
		fn(p)
		return err
	})
}

// SealedOf returns the sealed personal data of events, by decided_seq.
func (tx *Tx) SealedOf(seqs []int64) (map[int64]string, error) {
	out := make(map[int64]string, len(seqs))
	err := tx.each("SELECT seq, sealed FROM event WHERE seq = ANY($1)", []any{seqs}, func(rows *Rows) error {
		var seq int64
		var sealed string
		err := rows.Scan(&seq, &sealed)
		out[seq] = sealed
		return err
	})
	return out, err
}

// Dispute is how an order really ended: the money was charged back, or it was fraud.
type Dispute struct {
	Order  string
	Reason string
	Amount money.Amount // no currency: the order's total
	At     time.Time
}

// Disputes calls fn for every dispute there is, whenever it came to light.
func (tx *Tx) Disputes(fn func(Dispute) error) error {
	return tx.each("SELECT subject, at, data FROM event WHERE type = 'payment.disputed' AND state = 'decided' ORDER BY seq", nil, func(rows *Rows) error {
		var d Dispute
		var at int64
		var data string
		if err := rows.Scan(&d.Order, &at, &data); err != nil {
			return err
		}
		p, err := event.Decode("payment.disputed", []byte(data))
		if err != nil {
			return err
		}
		x := p.(*event.PaymentDisputed)
		d.Reason, d.Amount, d.At = x.Reason, x.Amount, fromMicros(at)
		return fn(d)
	})
}
