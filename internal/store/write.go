package store

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// Event states.
const (
	EventDecided     = "decided"
	EventQuarantined = "quarantined"
)

// EventKey is an identity to remember.
type EventKey struct{ Source, ID, PayloadHash, EventID string }

// EventConflict is an identity that came again with other content.
type EventConflict struct {
	Source, ID, PayloadHash string
	At                      time.Time
}

// EventRecord is an event with its decision, as kept.
type EventRecord struct {
	Seq                                          int64
	ID, Source, Key, Type, Subject, OrderID      string
	At, Received                                 time.Time
	Mode, State, Reason, Actor, Cause            string
	Depth                                        int
	Policy                                       int64
	Hash, Data, Sealed, CustomerID, Facts, Trace string
	Gist                                         string // see event.EncodeGist
}

// InsertEventKeys remembers identities. One that exists already makes the statement fail: dedupe first.
func InsertEventKeys(tx *Tx, rows []EventKey) error {
	flat := make([]any, 0, len(rows)*4)
	for _, r := range rows {
		flat = append(flat, r.Source, r.ID, r.PayloadHash, r.EventID)
	}
	return tx.bulkFlat("INSERT INTO event_key (source, id, payload_hash, event_id)", 4, "", flat)
}

// InsertEventConflicts records refused repetitions.
func InsertEventConflicts(tx *Tx, rows []EventConflict) error {
	flat := make([]any, 0, len(rows)*4)
	for _, r := range rows {
		flat = append(flat, r.Source, r.ID, r.PayloadHash, micros(r.At))
	}
	return tx.bulkFlat("INSERT INTO event_conflict (source, id, payload_hash, at)", 4, "ON CONFLICT DO NOTHING", flat)
}

// InsertEvents draws decided_seq for the rows, in their order, sets it in them and writes them.
func InsertEvents(tx *Tx, rows []EventRecord) error {
	if len(rows) == 0 {
		return nil
	}
	seqs, err := tx.drawSeq(len(rows))
	if err != nil {
		return err
	}
	const cols = 23
	flat := make([]any, 0, len(rows)*cols)
	for i := range rows {
		r := &rows[i]
		r.Seq = seqs[i]
		flat = append(flat, r.Seq, r.ID, r.Source, r.Key, r.Type, r.Subject, r.OrderID, micros(r.At), micros(r.Received), r.Mode, r.State, r.Reason,
			r.Actor, r.Cause, int64(r.Depth), r.Policy, r.Hash, r.Data, r.Sealed, r.CustomerID, r.Facts, r.Trace, r.Gist)
	}
	return tx.bulkFlat(`INSERT INTO event (seq, id, source, key, type, subject, order_id, at, received, mode, state, reason,
		actor, cause, depth, policy, hash, data, sealed, customer_id, facts, trace, gist)`, cols, "", flat)
}

// sortedKeys makes writes of a group come in key order on every node.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// UpsertOrders writes orders whole.
func UpsertOrders(tx *Tx, orders map[string]*order.Order, sealed map[string]string) error {
	flat := make([]any, 0, len(orders)*18)
	for _, id := range sortedKeys(orders) {
		o := orders[id]
		flat = append(flat, o.ID, o.Channel, o.Number, string(o.State), o.Payment, o.CustomerID, o.Currency, o.Total.Minor, o.Captured.Minor,
			o.Refunded.Minor, o.Units(), o.Shipping.Country, string(o.Mode), micros(o.PlacedAt), micros(o.UpdatedAt), o.Rev, sealed[id], encode(o))
	}
	return tx.bulkFlat(`INSERT INTO orders (id, channel, number, state, payment, customer_id, currency, total, captured,
		refunded, units, country, mode, placed_at, updated_at, rev, sealed, doc)`, 18,
		`ON CONFLICT (id) DO UPDATE SET state = excluded.state, payment = excluded.payment, customer_id = excluded.customer_id,
		currency = excluded.currency, total = excluded.total, captured = excluded.captured, refunded = excluded.refunded, units = excluded.units,
		country = excluded.country, mode = excluded.mode, placed_at = excluded.placed_at, updated_at = excluded.updated_at, rev = excluded.rev,
		sealed = excluded.sealed, doc = excluded.doc`, flat)
}

// UpsertCustomers writes customers whole; keys are their wrapped data keys.
func UpsertCustomers(tx *Tx, customers map[string]*customer.Customer, keys map[string]string) error {
	flat := make([]any, 0, len(customers)*4)
	for _, id := range sortedKeys(customers) {
		c := customers[id]
		flat = append(flat, c.ID, keys[id], c.Orders, encode(c))
	}
	return tx.bulkFlat("INSERT INTO customer (id, key, orders, doc)", 4,
		"ON CONFLICT (id) DO UPDATE SET key = excluded.key, orders = excluded.orders, doc = excluded.doc", flat)
}

// SearchTerm lets a customer be found by a word.
type SearchTerm struct{ Term, CustomerID string }

// InsertSearchTerms adds words under which customers are found.
func InsertSearchTerms(tx *Tx, rows []SearchTerm) error {
	slices.SortFunc(rows, func(a, b SearchTerm) int {
		if c := strings.Compare(a.Term, b.Term); c != 0 {
			return c
		}
		return strings.Compare(a.CustomerID, b.CustomerID)
	})
	flat := make([]any, 0, len(rows)*2)
	for _, r := range slices.Compact(rows) {
		flat = append(flat, r.Term, r.CustomerID)
	}
	return tx.bulkFlat("INSERT INTO customer_search (term, customer_id)", 2, "ON CONFLICT DO NOTHING", flat)
}

// VelocityMark counts an order under a key.
type VelocityMark struct {
	Key string
	At  time.Time
	Ref string
}

// InsertVelocity counts orders under keys, each once.
func InsertVelocity(tx *Tx, rows []VelocityMark) error {
	slices.SortFunc(rows, func(a, b VelocityMark) int { return strings.Compare(a.Key, b.Key) })
	flat := make([]any, 0, len(rows)*3)
	for _, r := range rows {
		flat = append(flat, r.Key, micros(r.At), r.Ref)
	}
	return tx.bulkFlat("INSERT INTO velocity (key, at, ref)", 3, "ON CONFLICT DO NOTHING", flat)
}

// MoveRow is a ledger entry of the event with decided_seq Seq.
type MoveRow struct {
	Seq  int64
	Ord  int
	Move stock.Move
}

// InsertMoves writes ledger entries. They are never changed.
func InsertMoves(tx *Tx, rows []MoveRow) error {
	flat := make([]any, 0, len(rows)*12)
	for i := range rows {
		m := &rows[i].Move
		flat = append(flat, rows[i].Seq, int64(rows[i].Ord), micros(m.At), string(m.Kind), m.SKU, m.Qty, m.From.Location, string(m.From.Bucket),
			m.To.Location, string(m.To.Bucket), m.OrderID, m.Note)
	}
	return tx.bulkFlat("INSERT INTO stock_move (seq, ord, at, kind, sku, qty, from_loc, from_bucket, to_loc, to_bucket, order_id, note)", 12, "", flat)
}

// UpsertBalances writes balances as they are now.
func UpsertBalances(tx *Tx, balances map[stock.Key]stock.Balance) error {
	keys := make([]stock.Key, 0, len(balances))
	for k := range balances {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b stock.Key) int {
		if c := strings.Compare(a.SKU, b.SKU); c != 0 {
			return c
		}
		return strings.Compare(a.Location, b.Location)
	})
	flat := make([]any, 0, len(keys)*4)
	for _, k := range keys {
		flat = append(flat, k.SKU, k.Location, balances[k].OnHand, balances[k].Reserved)
	}
	return tx.bulkFlat("INSERT INTO stock_balance (sku, location, on_hand, reserved)", 4,
		"ON CONFLICT (sku, location) DO UPDATE SET on_hand = excluded.on_hand, reserved = excluded.reserved", flat)
}

// UpsertTasks writes tasks whole.
func UpsertTasks(tx *Tx, tasks map[string]*task.Task) error {
	flat := make([]any, 0, len(tasks)*11)
	for _, id := range sortedKeys(tasks) {
		t := tasks[id]
		flat = append(flat, t.ID, string(t.Kind), t.Queue, t.Subject, t.OrderID, string(t.State), t.Assignee, micros(t.Created), micros(t.Due), micros(t.DoneAt), encode(t))
	}
	return tx.bulkFlat("INSERT INTO task (id, kind, queue, subject, order_id, state, assignee, created, due, done_at, doc)", 11,
		`ON CONFLICT (id) DO UPDATE SET queue = excluded.queue, state = excluded.state, assignee = excluded.assignee, due = excluded.due,
		done_at = excluded.done_at, doc = excluded.doc`, flat)
}

// InsertEffects adds intents; one that exists stays as it is.
func InsertEffects(tx *Tx, effects map[string]effect.Effect) error {
	flat := make([]any, 0, len(effects)*14)
	for _, id := range sortedKeys(effects) {
		f := effects[id]
		flat = append(flat, f.ID, f.Key, string(f.Kind), f.Destination, f.OrderID, f.CustomerID, f.EventID, f.Automation, f.Payload.Purpose,
			encode(f.Payload), string(f.State), micros(f.Created), micros(f.Due), int64(0))
	}
	return tx.bulkFlat(`INSERT INTO effect (id, key, kind, destination, order_id, customer_id, event_id, automation, purpose, payload, state, created, due, attempts)`,
		14, "ON CONFLICT (id) DO NOTHING", flat)
}

// WithdrawEffects cancels effects that no attempt has begun for.
func WithdrawEffects(tx *Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	op, arg := tx.in(2, ids)
	return tx.later("UPDATE effect SET state = 'cancelled', done_at = $1 WHERE state = 'pending' AND id "+op, micros(tx.now), arg)
}

// SettleEffects cancels effects whose place another takes, dead letters too: nobody replays them any more.
func SettleEffects(tx *Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	op, arg := tx.in(2, ids)
	return tx.later("UPDATE effect SET state = 'cancelled', done_at = $1 WHERE state IN ('pending', 'dead') AND id "+op, micros(tx.now), arg)
}

// StockWait is an order that waits for units of a SKU.
type StockWait struct {
	SKU     string
	Since   time.Time
	OrderID string
}

// ReplaceWaits removes every wait of the orders, then adds rows.
func ReplaceWaits(tx *Tx, orders []string, rows []StockWait) error {
	if len(orders) > 0 {
		op, arg := tx.in(1, orders)
		if err := tx.later("DELETE FROM stock_wait WHERE order_id "+op, arg); err != nil {
			return err
		}
	}
	flat := make([]any, 0, len(rows)*3)
	for _, r := range rows {
		flat = append(flat, r.SKU, micros(r.Since), r.OrderID)
	}
	return tx.bulkFlat("INSERT INTO stock_wait (sku, since, order_id)", 3, "ON CONFLICT DO NOTHING", flat)
}

// UpsertProducts writes products whole. The side of the low line stays as it is.
func UpsertProducts(tx *Tx, products []catalog.Product) error {
	slices.SortFunc(products, func(a, b catalog.Product) int { return strings.Compare(a.SKU, b.SKU) })
	flat := make([]any, 0, len(products)*4)
	for _, p := range products {
		flat = append(flat, p.SKU, p.Title, p.LowAt, encode(p))
	}
	return tx.bulkFlat("INSERT INTO product (sku, title, low_at, doc)", 4,
		"ON CONFLICT (sku) DO UPDATE SET title = excluded.title, low_at = excluded.low_at, doc = excluded.doc", flat)
}

// SetLow records on which side of their low line products are.
func SetLow(tx *Tx, low map[string]bool) error {
	for _, sku := range sortedKeys(low) {
		n := int64(0)
		if low[sku] {
			n = 1
		}
		if err := tx.later("UPDATE product SET is_low = $1 WHERE sku = $2", n, sku); err != nil {
			return err
		}
	}
	return nil
}

// UpsertLocations writes locations whole, keeps who changed them (a user's mail address,
// or the way it came), and lets every node reload them.
func UpsertLocations(tx *Tx, locations []catalog.Location, author string) error {
	var rev int64
	if err := tx.QueryRow("UPDATE policy_current SET locations = locations + 1 WHERE one = 1 RETURNING locations").Scan(&rev); err != nil {
		return err
	}
	flat, changes := make([]any, 0, len(locations)*2), make([]any, 0, len(locations)*5)
	for _, l := range locations {
		doc := encode(l)
		flat, changes = append(flat, l.ID, doc), append(changes, l.ID, rev, micros(tx.now), author, doc)
	}
	if err := tx.bulkFlat("INSERT INTO location (id, doc)", 2, "ON CONFLICT (id) DO UPDATE SET doc = excluded.doc", flat); err != nil {
		return err
	}
	return tx.bulkFlat("INSERT INTO location_change (location, rev, at, author, doc)", 5, "", changes)
}

// AddLocationDays adds the parcels given to locations.
func AddLocationDays(tx *Tx, days map[catalog.LocationDay]int64) error {
	keys := make([]catalog.LocationDay, 0, len(days))
	for d := range days {
		keys = append(keys, d)
	}
	slices.SortFunc(keys, func(a, b catalog.LocationDay) int {
		return slices.Compare([]string{a.Location, a.Day}, []string{b.Location, b.Day})
	})
	var flat []any
	for _, d := range keys {
		flat = append(flat, d.Location, d.Day, days[d])
	}
	return tx.bulkFlat("INSERT INTO location_day (location, day, parcels)", 3,
		"ON CONFLICT (location, day) DO UPDATE SET parcels = location_day.parcels + excluded.parcels", flat)
}

// Timer is an event to submit when it is due.
type Timer struct {
	ID    string
	Due   time.Time
	Type  string
	Data  string // payload JSON
	Cause string
}

// InsertTimers sets timers; one that is set stays as it is.
func InsertTimers(tx *Tx, rows []Timer) error {
	flat := make([]any, 0, len(rows)*5)
	for _, r := range rows {
		flat = append(flat, r.ID, micros(r.Due), r.Type, r.Data, r.Cause)
	}
	return tx.bulkFlat("INSERT INTO timer (id, due, type, data, cause)", 5, "ON CONFLICT (id) DO NOTHING", flat)
}

// DeleteTimers removes timers whose event is decided.
func DeleteTimers(tx *Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	op, arg := tx.in(1, ids)
	return tx.later("DELETE FROM timer WHERE id "+op, arg)
}

// DueTimers returns timers due at now, the oldest first.
func DueTimers(tx *Tx, now time.Time, limit int) ([]Timer, error) {
	var out []Timer
	err := tx.Each(func(scan func(...any) error) error {
		var t Timer
		var due int64
		err := scan(&t.ID, &due, &t.Type, &t.Data, &t.Cause)
		t.Due = fromMicros(due)
		out = append(out, t)
		return err
	}, "SELECT id, due, type, data, cause FROM timer WHERE due <= $1 ORDER BY due, id LIMIT $2", micros(now), limit)
	return out, err
}

// CountKey names an automation's hour; Hour is its start in microseconds UTC.
type CountKey struct {
	Name string
	Hour int64
}

// Count is how often an automation was considered, fired and acted, would have fired had its mode let it, or stayed unknown.
type Count struct{ Considered, Fired, Would, Unknown int64 }

// AddAutomationCounts adds to the counts.
func AddAutomationCounts(tx *Tx, counts map[CountKey]Count) error {
	keys := make([]CountKey, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b CountKey) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(a.Hour/1e6 - b.Hour/1e6)
	})
	flat := make([]any, 0, len(keys)*6)
	for _, k := range keys {
		c := counts[k]
		flat = append(flat, k.Name, k.Hour, c.Considered, c.Fired, c.Would, c.Unknown)
	}
	return tx.bulkFlat("INSERT INTO automation_count (name, hour, considered, fired, would, unknown)", 6,
		`ON CONFLICT (name, hour) DO UPDATE SET considered = automation_count.considered + excluded.considered,
		fired = automation_count.fired + excluded.fired, would = automation_count.would + excluded.would, unknown = automation_count.unknown + excluded.unknown`, flat)
}
