package store

import (
	"fmt"
	"slices"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// in is the operator and argument that test membership of a list.
func (tx *Tx) in(n int, keys []string) (string, any) {
	return fmt.Sprintf("= ANY($%d)", n), keys
}

// forUpdate locks the rows of a query until a writing transaction ends.
func (tx *Tx) forUpdate() string {
	if tx.write {
		return " FOR UPDATE"
	}
	return ""
}

// KeyPair is the natural identity of an event.
type KeyPair struct{ Source, ID string }

// KeyRow is what is known of an identity.
type KeyRow struct {
	Hash    string
	EventID string
}

// EventKeys returns which identities are known.
func EventKeys(tx *Tx, pairs []KeyPair) (map[KeyPair]KeyRow, error) {
	out := make(map[KeyPair]KeyRow, len(pairs))
	bySource := map[string][]string{}
	for _, p := range pairs {
		bySource[p.Source] = append(bySource[p.Source], p.ID)
	}
	sources := make([]string, 0, len(bySource))
	for s := range bySource {
		sources = append(sources, s)
	}
	slices.Sort(sources)
	for _, s := range sources {
		op, arg := tx.in(2, bySource[s])
		err := tx.Each(func(scan func(...any) error) error {
			var id string
			var r KeyRow
			err := scan(&id, &r.Hash, &r.EventID)
			out[KeyPair{s, id}] = r
			return err
		}, "SELECT id, payload_hash, event_id FROM event_key WHERE source = $1 AND id "+op, s, arg)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// OrderDoc is an order with its sealed personal data as stored.
type OrderDoc struct {
	Order  *order.Order
	Sealed string
}

// Orders returns the orders of the ids that exist, locked when the transaction writes.
func Orders(tx *Tx, ids []string) (map[string]OrderDoc, error) {
	out := make(map[string]OrderDoc, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	op, arg := tx.in(1, ids)
	err := tx.Each(func(scan func(...any) error) error {
		var doc, sealed string
		if err := scan(&doc, &sealed); err != nil {
			return err
		}
		o := &order.Order{}
		if err := decode("order", doc, o); err != nil {
			return err
		}
		out[o.ID] = OrderDoc{Order: o, Sealed: sealed}
		return nil
	}, "SELECT doc, sealed FROM orders WHERE id "+op, arg)
	return out, err
}

func decode(what, doc string, into any) error {
	if err := jsonv2.Unmarshal([]byte(doc), into, exact); err != nil {
		return fault.Wrap(err, fault.Internal, "store.decode", "a stored %s cannot be read", what)
	}
	return nil
}

// compact is the form of documents: what has its zero value is left out, which is a third of an order.
var compact = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.OmitZeroStructFields(true))

// exact reads names as encode writes them, in no other case: an order took 9.6 µs instead of 15.2 with encoding/json.
var exact = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv2.MatchCaseInsensitiveNames(false))

// encode writes a document whole; decode reads it.
func encode(v any) string {
	b, err := jsonv2.Marshal(v, compact)
	if err != nil {
		panic(fmt.Sprintf("store: %T cannot be encoded: %v", v, err)) // our own types: a bug
	}
	return string(b)
}

// CustomerDoc is a customer with the wrapped key of their personal data; "" after erasure.
type CustomerDoc struct {
	Customer *customer.Customer
	Key      string
}

// Customers returns the customers of the ids that exist.
func Customers(tx *Tx, ids []string) (map[string]CustomerDoc, error) {
	out := make(map[string]CustomerDoc, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	op, arg := tx.in(1, ids)
	err := tx.Each(func(scan func(...any) error) error {
		var doc, key string
		if err := scan(&doc, &key); err != nil {
			return err
		}
		c := &customer.Customer{}
		if err := decode("customer", doc, c); err != nil {
			return err
		}
		out[c.ID] = CustomerDoc{Customer: c, Key: key}
		return nil
	}, "SELECT doc, key FROM customer WHERE id "+op, arg)
	return out, err
}

// ProductDoc is a product and the side of its low line it is on.
type ProductDoc struct {
	Product catalog.Product
	Low     bool
}

// Products returns the products of the SKUs that exist. An Update holds their SKUs from then on.
func Products(tx *Tx, skus []string) (map[string]ProductDoc, error) {
	out := make(map[string]ProductDoc, len(skus))
	if len(skus) == 0 {
		return out, nil
	}
	if err := tx.Lock(LockSKU, skus); err != nil {
		return nil, err
	}
	op, arg := tx.in(1, skus)
	err := tx.Each(func(scan func(...any) error) error {
		var doc string
		var low int64
		if err := scan(&doc, &low); err != nil {
			return err
		}
		r := ProductDoc{Low: low != 0}
		if err := decode("product", doc, &r.Product); err != nil {
			return err
		}
		out[r.Product.SKU] = r
		return nil
	}, "SELECT doc, is_low FROM product WHERE sku "+op, arg)
	return out, err
}

// Balances returns every balance of the SKUs by SKU, ordered by location. An
// Update holds the SKUs from then on, with the balances that do not exist yet.
func Balances(tx *Tx, skus []string) (map[string][]stock.Balance, error) {
	out := make(map[string][]stock.Balance, len(skus))
	if len(skus) == 0 {
		return out, nil
	}
	if err := tx.Lock(LockSKU, skus); err != nil {
		return nil, err
	}
	op, arg := tx.in(1, skus)
	err := tx.Each(func(scan func(...any) error) error {
		var b stock.Balance
		err := scan(&b.SKU, &b.Location, &b.OnHand, &b.Reserved)
		out[b.SKU] = append(out[b.SKU], b)
		return err
	}, "SELECT sku, location, on_hand, reserved FROM stock_balance WHERE sku "+op+" ORDER BY sku, location", arg)
	return out, err
}

// LocationDays returns how many parcels each location was given on each day.
func LocationDays(tx *Tx, days []catalog.LocationDay) (map[catalog.LocationDay]int64, error) {
	out := make(map[catalog.LocationDay]int64, len(days))
	if len(days) == 0 {
		return out, nil
	}
	keys := make([]string, len(days)) // the capacity left is shared by every node
	for i, d := range days {
		keys[i] = d.Location + "\x00" + d.Day
	}
	if err := tx.Lock(LockDay, keys); err != nil {
		return nil, err
	}
	locs := make([]string, len(days))
	for i, d := range days {
		locs[i] = d.Location
	}
	slices.Sort(locs)
	op, arg := tx.in(1, slices.Compact(locs))
	op2, arg2 := tx.in(2, distinctDays(days))
	err := tx.Each(func(scan func(...any) error) error {
		var d catalog.LocationDay
		var n int64
		err := scan(&d.Location, &d.Day, &n)
		out[d] = n
		return err
	}, "SELECT location, day, parcels FROM location_day WHERE location "+op+" AND day "+op2, arg, arg2)
	return out, err
}

func distinctDays(days []catalog.LocationDay) []string {
	var out []string
	for _, d := range days {
		if !slices.Contains(out, d.Day) {
			out = append(out, d.Day)
		}
	}
	return out
}

func scanTasks(tx *Tx, f func(*task.Task), query string, args ...any) error {
	return tx.Each(func(scan func(...any) error) error {
		var doc string
		if err := scan(&doc); err != nil {
			return err
		}
		t := &task.Task{}
		if err := decode("task", doc, t); err != nil {
			return err
		}
		f(t)
		return nil
	}, query, args...)
}

// Tasks returns the tasks of the ids that exist.
func Tasks(tx *Tx, ids []string) (map[string]*task.Task, error) {
	out := make(map[string]*task.Task, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	op, arg := tx.in(1, ids)
	err := scanTasks(tx, func(t *task.Task) { out[t.ID] = t }, "SELECT doc FROM task WHERE id "+op, arg)
	return out, err
}

// TasksOfSubjects returns every task of the subjects, oldest first.
func TasksOfSubjects(tx *Tx, subjects []string) (map[string][]*task.Task, error) {
	out := map[string][]*task.Task{}
	if len(subjects) == 0 {
		return out, nil
	}
	op, arg := tx.in(1, subjects)
	err := scanTasks(tx, func(t *task.Task) { out[t.Subject] = append(out[t.Subject], t) },
		"SELECT doc FROM task WHERE subject "+op+" ORDER BY created, id", arg)
	return out, err
}

// WaitingOrders returns up to limit orders per SKU that wait for it, oldest first.
func WaitingOrders(tx *Tx, skus []string, limit int) (map[string][]string, error) {
	out := map[string][]string{}
	for _, sku := range skus {
		err := tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			out[sku] = append(out[sku], id)
			return err
		}, "SELECT order_id FROM stock_wait WHERE sku = $1 ORDER BY since, order_id LIMIT $2", sku, limit)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ReservingOrders returns the orders that reserved units at a place, newest
// reservation first. Some may have shipped or released them since.
func ReservingOrders(tx *Tx, k stock.Key) ([]string, error) {
	var out []string
	seen := map[string]bool{}
	err := tx.Each(func(scan func(...any) error) error {
		var id string
		if err := scan(&id); err != nil {
			return err
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
		return nil
	}, `SELECT m.order_id FROM stock_move m JOIN orders o ON o.id = m.order_id
		WHERE m.sku = $1 AND m.kind = 'reserve' AND m.to_loc = $2 AND o.state NOT IN ('shipped', 'completed', 'cancelled')
		ORDER BY m.seq DESC, m.ord DESC`, k.SKU, k.Location)
	return out, err
}

const effectColumns = `id, key, kind, destination, order_id, customer_id, event_id, automation, payload, state, attempts, fence, last_error, receipt, created, due, done_at, unsure`

func scanEffect(scan func(...any) error) (effect.Effect, error) {
	var f effect.Effect
	var payload string
	var created, due, done int64
	err := scan(&f.ID, &f.Key, &f.Kind, &f.Destination, &f.OrderID, &f.CustomerID, &f.EventID, &f.Automation, &payload, &f.State,
		&f.Attempts, &f.Fence, &f.LastError, &f.Receipt, &created, &due, &done, &f.Unsure)
	if err != nil {
		return f, err
	}
	f.Created, f.Due, f.DoneAt = fromMicros(created), fromMicros(due), fromMicros(done)
	return f, decode("effect", payload, &f.Payload)
}

// EffectsOfOrders returns every effect of the orders, oldest first.
func EffectsOfOrders(tx *Tx, ids []string) (map[string][]effect.Effect, error) {
	out := map[string][]effect.Effect{}
	if len(ids) == 0 {
		return out, nil
	}
	op, arg := tx.in(1, ids)
	err := tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out[f.OrderID] = append(out[f.OrderID], f)
		return err
	}, "SELECT "+effectColumns+" FROM effect WHERE order_id <> '' AND order_id "+op+" ORDER BY id"+tx.forUpdate(), arg)
	tx.after(func() {
		for _, es := range out {
			slices.SortStableFunc(es, func(a, b effect.Effect) int { return a.Created.Compare(b.Created) })
		}
	})
	return out, err
}

// Effects returns the effects of the ids that exist.
func Effects(tx *Tx, ids []string) ([]effect.Effect, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	op, arg := tx.in(1, ids)
	var out []effect.Effect
	err := tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out = append(out, f)
		return err
	}, "SELECT "+effectColumns+" FROM effect WHERE id "+op+" ORDER BY id"+tx.forUpdate(), arg)
	return out, err
}
