package store

import (
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// HistoryRow is one recorded decision as a walk through the history reads it.
type HistoryRow struct {
	Seq, Policy          int64
	Depth                int
	ID, Source, Key      string
	Type, Subject, Actor string
	OrderID, CustomerID  string
	At                   time.Time
	Mode                 event.Mode
	Data, Facts, Gist    string
	Trace                string
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

// History reads the decided events with lo <= seq < hi in the order of their decisions. fn may keep the row.
func (tx *Tx) History(lo, hi int64, fn func(HistoryRow) error) error {
	var r HistoryRow
	var at int64
	dest := []any{
		&r.Seq, &r.Policy, &r.Depth, &r.ID, &r.Source, &r.Key, &r.Type, &r.Subject, &r.Actor, &r.OrderID, &r.CustomerID, &at,
		&r.Mode, &r.Data, &r.Facts, &r.Gist, &r.Trace,
	}
	return tx.each(`SELECT seq, policy, depth, id, source, key, type, subject, actor, order_id, customer_id, at, mode, data, facts, gist, trace
		FROM event WHERE seq >= $1 AND seq < $2 AND state = 'decided' ORDER BY seq`, []any{lo, hi}, func(rows *Rows) error {
		r = HistoryRow{}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r.At = fromMicros(at)
		return fn(r)
	})
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
