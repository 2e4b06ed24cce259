package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
)

// Law is one law of the domain and whether a database keeps it.
type Law struct {
	Name          string `json:"name"`
	OK            bool   `json:"ok"`
	Checked       int64  `json:"checked"`                  // rows looked at
	FirstOffender string `json:"first_offender,omitempty"` // what breaks it first, in the order of ids
	Advice        string `json:"advice,omitempty"`         // what to do about it
}

// Doctor checks every law on one consistent picture of the database. It reads
// row by row: its memory grows with the number of stock positions, not with the
// history. An error means that it could not check, not that a law is broken.
func Doctor(ctx context.Context, db *DB) ([]Law, error) {
	var laws []Law
	err := db.View(ctx, func(tx *Tx) error {
		laws = laws[:0]
		for _, check := range checks {
			law := Law{Name: check.name}
			if err := check.run(tx, &law); err != nil {
				return fault.Wrap(err, fault.KindOf(err), "store.Doctor", "the law %q could not be checked: %v", check.name, err)
			}
			law.OK = law.FirstOffender == ""
			if !law.OK {
				law.Advice = check.advice
			}
			laws = append(laws, law)
		}
		return nil
	})
	return laws, err
}

// checks are the laws in the order in which a report is best read: what is
// broken first explains what comes later.
var checks = []struct {
	name   string
	advice string
	run    func(*Tx, *Law) error
}{
	{"the file is sound", "Restore the last backup: the file itself is damaged.", soundFile},
	{"every event has its key and every key its event", "Keep the file and report it: an event was lost, or recorded twice.", eventsAndKeys},
	{"every move of stock belongs to an event", "Keep the file and report it: stock was moved without a reason.", movesOfEvents},
	{"balances are the fold of the ledger", "Keep the file and report it; a count of the SKU at the location sets the balance right.", foldOfLedger},
	{"available never falls below zero", "Keep the file and report it: units were sold twice.", neverOversold},
	{"what is reserved is what open orders hold", "Keep the file and report it; a count of the SKU at the location reopens what cannot be held.", reservedIsHeld},
	{"no finished order holds stock", "Keep the file and report it; a count of the SKU sets the balance right.", finishedHoldNothing},
	{"orders move along the state table", "Keep the file and report it: an order took a step that does not exist.", legalSteps},
	{"an order's columns agree with its document", "Keep the file and report it: lists show something else than the order.", columnsAgree},
	{"refunds never exceed what was captured", "Look at the order's payments at the provider before anything else is refunded.", refundsBounded},
	{"no money of a cancelled order is stranded", "Refund the order by hand and note it on the order.", nothingStranded},
	{"each effect has the id of its key, each message one key", "Keep the file and report it: something may leave twice.", effectsOnce},
	{"every waiting effect comes due", "Replay the effect: orderly effects replay ID.", effectsComeDue},
	{"orders wait only for what they miss", "Reroute the order: orderly asks for stock again.", waitsAreReal},
	{"policy texts are what their hash says", "Apply the folder of automations again: orderly apply DIR.", policyHashes},
	{"personal data opens with its key", "Restore the key file that belongs to this database.", personalOpens},
	{"events wait in quarantine for a person", "", quarantined},
}

// one runs a query whose first row names an offender.
func (l *Law) one(tx *Tx, format, sql string, args ...any) error {
	if l.FirstOffender != "" {
		return nil
	}
	rows, err := tx.Query(sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		return rows.Err()
	}
	vals := make([]any, strings.Count(format, "%v"))
	dest := make([]any, len(vals))
	for i := range vals {
		dest[i] = &vals[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	l.offend(format, vals...)
	return nil
}

func (l *Law) offend(format string, args ...any) {
	if l.FirstOffender == "" {
		l.FirstOffender = fmt.Sprintf(format, args...)
	}
}

func (l *Law) count(tx *Tx, sql string) error {
	var n int64
	err := tx.QueryRow(sql).Scan(&n)
	l.Checked += n
	return err
}

// Quarantine breaks no law: the events are kept, and somebody was told. It is
// reported, because what they should have done has not happened.
func quarantined(tx *Tx, l *Law) error {
	err := l.count(tx, "SELECT count(*) FROM event WHERE state = 'quarantined'")
	if l.Checked > 0 {
		l.Advice = fmt.Sprintf("%d events could not be decided; look at them, then replay them.", l.Checked)
	}
	return err
}

func soundFile(tx *Tx, l *Law) error {
	if tx.lite == nil {
		return nil // PostgreSQL looks after its own pages
	}
	return tx.each("PRAGMA quick_check(1)", nil, func(r *Rows) error {
		var said string
		err := r.Scan(&said)
		l.Checked++
		if said != "ok" {
			l.offend("%s", said)
		}
		return err
	})
}

// What came through a door has a key; derived events (depth above 0) come from us, once.
func eventsAndKeys(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM event"); err != nil {
		return err
	}
	err := l.one(tx, "event %v of %v has no key", `SELECT e.id, e.source FROM event e LEFT JOIN event_key k ON k.source = e.source AND k.id = e.key
		WHERE e.depth = 0 AND (k.event_id IS NULL OR k.event_id <> e.id) ORDER BY e.seq LIMIT 1`)
	if err != nil {
		return err
	}
	return l.one(tx, "key %v of %v has no event", `SELECT k.id, k.source FROM event_key k LEFT JOIN event e ON e.id = k.event_id
		WHERE e.id IS NULL OR e.source <> k.source OR e.key <> k.id ORDER BY k.source, k.id LIMIT 1`)
}

func movesOfEvents(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM stock_move"); err != nil {
		return err
	}
	return l.one(tx, "move %v of %v", `SELECT m.seq, m.sku FROM stock_move m LEFT JOIN event e ON e.seq = m.seq WHERE e.seq IS NULL ORDER BY m.seq LIMIT 1`)
}

// Both ways in one statement: the moves of each position plus, negated, its
// balance come to nothing, also where only one of the two exists.
func foldOfLedger(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM stock_move"); err != nil {
		return err
	}
	return l.one(tx, "%v at %v: the ledger differs by %v on hand and %v reserved from the balance", `
		SELECT sku, location, CAST(SUM(h) AS BIGINT), CAST(SUM(r) AS BIGINT) FROM (
			SELECT sku, from_loc AS location, -qty AS h, CASE WHEN from_bucket = 'reserved' THEN -qty ELSE 0 END AS r
				FROM stock_move WHERE from_loc <> ''
			UNION ALL
			SELECT sku, to_loc, qty, CASE WHEN to_bucket = 'reserved' THEN qty ELSE 0 END FROM stock_move WHERE to_loc <> ''
			UNION ALL
			SELECT sku, location, -on_hand, -reserved FROM stock_balance
		) m GROUP BY sku, location HAVING SUM(h) <> 0 OR SUM(r) <> 0 ORDER BY sku, location LIMIT 1`)
}

// neverOversold follows every position through time, not only to its end.
func neverOversold(tx *Tx, l *Law) error {
	type level struct{ available, reserved int64 }
	var sku string
	at := map[string]level{} // of the SKU at hand
	err := tx.each(`SELECT sku, seq, qty, from_loc, from_bucket, to_loc, to_bucket FROM stock_move ORDER BY sku, seq, ord`, nil, func(r *Rows) error {
		var s, fromLoc, fromBucket, toLoc, toBucket string
		var seq, qty int64
		if err := r.Scan(&s, &seq, &qty, &fromLoc, &fromBucket, &toLoc, &toBucket); err != nil {
			return err
		}
		if s != sku {
			sku = s
			clear(at)
		}
		l.Checked++
		for _, side := range [2]struct {
			loc, bucket string
			n           int64
		}{{fromLoc, fromBucket, -qty}, {toLoc, toBucket, qty}} {
			if side.loc == "" {
				continue
			}
			b := at[side.loc]
			if side.bucket == string(stock.Reserved) {
				b.reserved += side.n
			} else {
				b.available += side.n
			}
			at[side.loc] = b
			if side.n < 0 && side.loc != stock.Opening && (b.available < 0 || b.reserved < 0) {
				l.offend("%s at %s: %d available and %d reserved after the move of decision %d", s, side.loc, b.available, b.reserved, seq)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.one(tx, "%v at %v", `SELECT sku, location FROM stock_balance
		WHERE reserved < 0 OR (location <> 'opening' AND on_hand < reserved) ORDER BY sku, location LIMIT 1`)
}

// held is the part of an order's document that holds stock.
type held struct {
	Allocations []order.Allocation
}

func reservedIsHeld(tx *Tx, l *Law) error {
	open := map[stock.Key]int64{}
	err := tx.each("SELECT id, doc FROM orders WHERE state NOT IN ('completed', 'cancelled')", nil, func(r *Rows) error {
		var id, doc string
		if err := r.Scan(&id, &doc); err != nil {
			return err
		}
		l.Checked++
		if strings.Contains(doc, `"Allocations":null`) {
			return nil
		}
		var h held
		if err := json.Unmarshal([]byte(doc), &h); err != nil {
			l.offend("order %s: its document cannot be read", id)
			return nil
		}
		for _, a := range h.Allocations {
			open[stock.Key{SKU: a.SKU, Location: a.Location}] += a.Qty - a.Shipped
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.each("SELECT sku, location, reserved FROM stock_balance ORDER BY sku, location", nil, func(r *Rows) error {
		var k stock.Key
		var reserved int64
		if err := r.Scan(&k.SKU, &k.Location, &reserved); err != nil {
			return err
		}
		l.Checked++
		if open[k] != reserved {
			l.offend("%s at %s: %d reserved, open orders hold %d", k.SKU, k.Location, reserved, open[k])
		}
		delete(open, k)
		return nil
	})
	for k, n := range open {
		if n != 0 {
			l.offend("%s at %s: open orders hold %d, and there is no balance", k.SKU, k.Location, n)
		}
	}
	return err
}

func finishedHoldNothing(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM orders WHERE state IN ('completed', 'cancelled')"); err != nil {
		return err
	}
	return l.one(tx, "order %v holds %v", `SELECT m.order_id, CAST(SUM(CASE WHEN m.to_bucket = 'reserved' THEN m.qty ELSE 0 END)
			- SUM(CASE WHEN m.from_bucket = 'reserved' THEN m.qty ELSE 0 END) AS BIGINT)
		FROM stock_move m JOIN orders o ON o.id = m.order_id
		WHERE o.state IN ('completed', 'cancelled') AND (m.from_bucket = 'reserved' OR m.to_bucket = 'reserved')
		GROUP BY m.order_id
		HAVING SUM(CASE WHEN m.to_bucket = 'reserved' THEN m.qty ELSE 0 END) <> SUM(CASE WHEN m.from_bucket = 'reserved' THEN m.qty ELSE 0 END)
		ORDER BY m.order_id LIMIT 1`)
}

// step is the part of a trace that says where an order went.
type step struct{ From, To string }

// readStep reads the step off the beginning of a trace, where it stands, and
// leaves the rest, which may hold a whole routing, unread.
func readStep(trace string) (step, bool) {
	rest, ok := strings.CutPrefix(trace, `{"from":"`)
	if !ok {
		return step{}, false
	}
	from, rest, _ := strings.Cut(rest, `"`)
	rest, ok = strings.CutPrefix(rest, `,"to":"`)
	to, _, _ := strings.Cut(rest, `"`)
	return step{from, to}, ok
}

func legalSteps(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM orders"); err != nil {
		return err
	}
	return tx.each(`SELECT id, order_id, trace FROM event WHERE trace LIKE '{"from":"%' ORDER BY seq`, nil, func(r *Rows) error {
		var id, orderID, trace string
		if err := r.Scan(&id, &orderID, &trace); err != nil {
			return err
		}
		l.Checked++
		if s, ok := readStep(trace); ok && !order.State(s.From).CanGo(order.State(s.To)) {
			l.offend("order %s went from %s to %s by event %s", orderID, s.From, s.To, id)
		}
		return nil
	})
}

// summary is the part of an order's document that its columns repeat.
type summary struct {
	ID, Channel, Number, CustomerID, Currency, Payment string
	State                                              order.State
	Mode                                               event.Mode
	Rev                                                int64
	Total, Captured, Refunded                          money.Amount
}

func columnsAgree(tx *Tx, l *Law) error {
	return tx.each(`SELECT id, channel, number, customer_id, currency, payment, state, mode, rev, total, captured, refunded, doc FROM orders ORDER BY id`, nil,
		func(r *Rows) error {
			var c, d summary
			var doc string
			err := r.Scan(&c.ID, &c.Channel, &c.Number, &c.CustomerID, &c.Currency, &c.Payment, &c.State, &c.Mode, &c.Rev,
				&c.Total.Minor, &c.Captured.Minor, &c.Refunded.Minor, &doc)
			if err != nil {
				return err
			}
			l.Checked++
			if err := json.Unmarshal([]byte(doc), &d); err != nil {
				l.offend("order %s: its document cannot be read", c.ID)
				return nil
			}
			c.Total.Currency, c.Captured.Currency, c.Refunded.Currency = d.Total.Currency, d.Captured.Currency, d.Refunded.Currency
			if c != d {
				l.offend("order %s: columns %v, document %v", c.ID, c, d)
			}
			return nil
		})
}

func refundsBounded(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM orders"); err != nil {
		return err
	}
	return l.one(tx, "order %v: %v captured, %v refunded (minor units)", "SELECT id, captured, refunded FROM orders WHERE refunded > captured ORDER BY id LIMIT 1")
}

func nothingStranded(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM orders WHERE state = 'cancelled'"); err != nil {
		return err
	}
	return l.one(tx, "order %v: %v captured, %v refunded (minor units), and nobody is asked to refund", `SELECT id, captured, refunded FROM orders o
		WHERE state = 'cancelled' AND mode = 'live' AND captured > refunded
		AND NOT EXISTS (SELECT 1 FROM task t WHERE t.order_id = o.id AND t.order_id <> '' AND t.kind = 'refund' AND t.state IN ('open', 'asked', 'decided'))
		ORDER BY id LIMIT 1`)
}

// The ids are derived from the keys and are the primary key: where each fits,
// no key exists twice. A message names its purpose and subject in its key, so no
// customer is told the same thing twice.
func effectsOnce(tx *Tx, l *Law) error {
	return tx.each("SELECT id, key, kind, purpose, customer_id, payload FROM effect ORDER BY id", nil, func(r *Rows) error {
		var id, key, kind, purpose, cus, payload string
		if err := r.Scan(&id, &key, &kind, &purpose, &cus, &payload); err != nil {
			return err
		}
		l.Checked++
		switch {
		case event.Derive("eff_", key) != id:
			l.offend("effect %s does not have the id of its key %s", id, key)
		case kind == string(effect.Mail) && strings.Contains(payload, `"Recipient":"customer"`) && !strings.HasPrefix(key, "mail:"+purpose+":"):
			l.offend("message %s to customer %s does not name its purpose %s in its key %s", id, cus, purpose, key)
		}
		return nil
	})
}

// A waiting effect is found by its due time. None may be due so late that nobody
// would live to see it; retries are hours apart.
func effectsComeDue(tx *Tx, l *Law) error {
	if err := l.count(tx, "SELECT count(*) FROM effect WHERE state IN ('pending', 'claimed')"); err != nil {
		return err
	}
	return l.one(tx, "effect %v for %v", `SELECT id, destination FROM effect WHERE state IN ('pending', 'claimed') AND due > $1 ORDER BY due, id LIMIT 1`,
		tx.now.AddDate(0, 0, 31))
}

func waitsAreReal(tx *Tx, l *Law) error {
	return tx.each(`SELECT w.order_id, w.sku, COALESCE(o.state, ''), COALESCE(o.doc, '') FROM stock_wait w LEFT JOIN orders o ON o.id = w.order_id
		ORDER BY w.sku, w.since, w.order_id`, nil, func(r *Rows) error {
		var id, sku, state, doc string
		if err := r.Scan(&id, &sku, &state, &doc); err != nil {
			return err
		}
		l.Checked++
		var o struct{ Missing []order.Missing }
		if doc == "" || json.Unmarshal([]byte(doc), &o) != nil {
			l.offend("%s waits for %s and is no readable order", id, sku)
			return nil
		}
		for _, m := range o.Missing {
			if m.SKU == sku && !order.State(state).Terminal() {
				return nil
			}
		}
		l.offend("order %s (%s) waits for %s and does not miss it", id, state, sku)
		return nil
	})
}

func policyHashes(tx *Tx, l *Law) error {
	err := tx.each("SELECT hash, kind, name, text FROM policy_text ORDER BY hash", nil, func(r *Rows) error {
		var hash, kind, name, text string
		err := r.Scan(&hash, &kind, &name, &text)
		l.Checked++
		if HashText(text) != hash {
			l.offend("%s %s", kind, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	members, err := tx.policyMembers()
	if err != nil {
		return err
	}
	for _, m := range members {
		var n int64
		if err := tx.QueryRow("SELECT count(*) FROM policy_text WHERE hash = $1", m.Hash).Scan(&n); err != nil {
			return err
		}
		if n != 1 {
			l.offend("%s %s is in force and its text is missing", m.Kind, m.Name)
		}
	}
	return nil
}

// personalSample is how many of the newest orders are opened: enough to notice a wrong key file at once.
const personalSample = 200

func personalOpens(tx *Tx, l *Law) error {
	if tx.db.keys == nil {
		return nil
	}
	return tx.each(`SELECT o.id, o.customer_id, o.sealed, COALESCE(c.key, '') FROM orders o LEFT JOIN customer c ON c.id = o.customer_id
		WHERE o.sealed <> '' ORDER BY o.placed_at DESC, o.id DESC LIMIT $1`, []any{personalSample}, func(r *Rows) error {
		var id, cus, sealed, key string
		if err := r.Scan(&id, &cus, &sealed, &key); err != nil {
			return err
		}
		l.Checked++
		if _, err := tx.db.keys.Open(cus, key, sealed); err != nil {
			l.offend("order %s", id)
		}
		return nil
	})
}
