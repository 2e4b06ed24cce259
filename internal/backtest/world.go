package backtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// World is a shop's whole working set in memory: what the store is for the live
// engine. It answers the same needs and takes in the same decisions, and holds what
// a shop has, not what happened to it: orders beyond the latest go to a temporary file.
type World struct {
	orders    *shelf
	customers map[string]*customer.Customer
	products  map[string]decide.Product
	stock     map[string][]stock.Balance
	subjects  map[string][]*task.Task // of tasks that are about no order, or beside it
	taskOf    map[string]string       // task id -> subject
	waiting   map[string][]decide.Wait
	reserving map[stock.Key][]string // orders that may hold units, oldest first
	days      map[decide.LocationDay]int64
	marks     marks
}

// ordersInMemory is how many orders a world keeps beside the temporary file.
const ordersInMemory = 20_000

// waitingPerSKU is the engine's bound on how many waiting orders one delivery wakes.
const waitingPerSKU = 200

// NewWorld returns the empty shop of a catalogue. Close it.
func NewWorld(products map[string]decide.Product, window time.Duration) *World {
	w := &World{
		orders: newShelf(ordersInMemory), customers: map[string]*customer.Customer{}, products: map[string]decide.Product{},
		stock: map[string][]stock.Balance{}, subjects: map[string][]*task.Task{}, taskOf: map[string]string{},
		waiting: map[string][]decide.Wait{}, reserving: map[stock.Key][]string{}, days: map[decide.LocationDay]int64{}, marks: newMarks(window),
	}
	for sku, p := range products {
		w.products[sku] = p
	}
	return w
}

// Close removes the temporary file.
func (w *World) Close() error { return w.orders.close() }

// Products reads the catalogue as it is today: it has no history.
func Products(ctx context.Context, db Reader) (map[string]decide.Product, error) {
	out := map[string]decide.Product{}
	err := db.View(ctx, func(tx *store.Tx) error {
		return tx.EachProduct(func(p catalog.Product) { out[p.SKU] = decide.Product{Product: p} })
	})
	return out, err
}

// Load returns what the decision on an event reads. The rounds are those of decide/needs.go.
func (w *World) Load(ev event.Event, pol *decide.Policy, at time.Time) (*decide.Snapshot, error) {
	snap := decide.NewSnapshot()
	first := decide.NeedsFirst(ev, pol, at)
	orders, subjects := first.Orders, first.Subjects
	for _, id := range first.Tasks {
		subject, ok := w.taskOf[id]
		if !ok {
			continue
		}
		ts, err := w.tasks(subject)
		if err != nil {
			return nil, err
		}
		for _, t := range ts {
			if t.ID == id {
				n := decide.NeedsTask(t)
				orders, subjects = append(orders, n.Orders...), append(subjects, n.Subjects...)
			}
		}
	}
	if err := w.loadOrders(snap, orders); err != nil {
		return nil, err
	}
	for _, s := range subjects {
		ts, err := w.tasks(s)
		if err != nil {
			return nil, err
		}
		if len(ts) > 0 {
			snap.Tasks[s] = ts
		}
	}
	for _, q := range first.Velocities {
		snap.Velocity[q] = w.marks.count(q)
	}
	second := decide.NeedsSecond(snap, ev)
	for _, id := range append(first.Customers, second.Customers...) {
		if c := w.customers[id]; c != nil {
			snap.Customers[id] = c
		}
	}
	w.loadProducts(snap, second.Products)
	parts := decide.Components(snap, second.Products)
	w.loadProducts(snap, parts)
	skus := append(slices.Clone(second.Products), parts...)
	for _, sku := range skus {
		if bs := w.stock[sku]; len(bs) > 0 {
			snap.Stock[sku] = bs
		}
	}
	third := decide.NeedsThird(snap, ev, pol, at, skus)
	for _, d := range third.Days {
		snap.Days[d] = w.days[d]
	}
	for _, sku := range third.Waiting {
		for i, wait := range w.waiting[sku] {
			if i < waitingPerSKU {
				snap.Waiting[sku] = append(snap.Waiting[sku], wait.OrderID)
			}
		}
	}
	for _, k := range third.Reserving {
		if err := w.loadReserving(snap, k); err != nil {
			return nil, err
		}
	}
	return snap, nil
}

// tasks returns the tasks of a subject.
func (w *World) tasks(subject string) ([]*task.Task, error) {
	if !strings.HasPrefix(subject, "ord_") {
		return w.subjects[subject], nil
	}
	b, err := w.orders.get(subject)
	if b == nil || err != nil {
		return nil, err
	}
	return b.Tasks, nil
}

func (w *World) loadOrders(snap *decide.Snapshot, ids []string) error {
	for _, id := range ids {
		b, err := w.orders.get(id)
		if err != nil {
			return err
		}
		if b != nil && b.Order != nil {
			snap.Orders[id] = b.Order
		}
	}
	return nil
}

func (w *World) loadProducts(snap *decide.Snapshot, skus []string) {
	for _, sku := range skus {
		if p, ok := w.products[sku]; ok {
			snap.Products[sku] = p
		}
	}
}

// loadReserving loads the orders that hold units at a place, newest first, with all that reopening them needs.
func (w *World) loadReserving(snap *decide.Snapshot, k stock.Key) error {
	ids := slices.Clone(w.reserving[k])
	slices.Reverse(ids)
	snap.Reserving[k] = ids
	if err := w.loadOrders(snap, ids); err != nil {
		return err
	}
	for _, id := range ids {
		ts, err := w.tasks(id)
		if err != nil {
			return err
		}
		if len(ts) > 0 {
			snap.Tasks[id] = ts
		}
		if o := snap.Orders[id]; o != nil {
			for _, a := range o.Allocations {
				w.loadProducts(snap, []string{a.SKU})
			}
			for _, l := range o.Lines {
				w.loadProducts(snap, []string{l.SKU})
				w.loadProducts(snap, decide.Components(snap, []string{l.SKU}))
			}
		}
	}
	return nil
}

// Keep takes in what a decision on snap changed, after snap.Apply has.
func (w *World) Keep(snap *decide.Snapshot, d *decide.Decision) error {
	for _, o := range append(d.Others, d.Order) {
		if o != nil {
			if err := w.keepOrder(o); err != nil {
				return err
			}
		}
	}
	if d.Customer != nil {
		w.customers[d.Customer.ID] = d.Customer
	}
	for _, b := range d.Balances {
		w.stock[b.SKU] = snap.Stock[b.SKU]
	}
	for sku := range d.Low {
		w.products[sku] = snap.Products[sku]
	}
	for _, t := range d.Tasks {
		w.taskOf[t.ID] = t.Subject
		if !strings.HasPrefix(t.Subject, "ord_") {
			w.subjects[t.Subject] = snap.Tasks[t.Subject]
			continue
		}
		b, err := w.orders.get(t.Subject)
		if err != nil {
			return err
		}
		if b == nil {
			b = &bundle{}
		}
		b.Tasks = snap.Tasks[t.Subject]
		if err := w.orders.put(t.Subject, b); err != nil {
			return err
		}
	}
	for _, id := range d.Unwait {
		for sku, ws := range w.waiting {
			if i := slices.IndexFunc(ws, func(x decide.Wait) bool { return x.OrderID == id }); i >= 0 {
				w.waiting[sku] = slices.Delete(ws, i, i+1)
			}
		}
	}
	for _, x := range d.Wait {
		ws := w.waiting[x.SKU]
		i, found := slices.BinarySearchFunc(ws, x, func(a, b decide.Wait) int {
			return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.OrderID, b.OrderID))
		})
		if !found {
			w.waiting[x.SKU] = slices.Insert(ws, i, x)
		}
	}
	for _, m := range d.Marks {
		w.marks.advance(m.At)
		w.marks.add(m.Key, m.At)
	}
	for _, day := range d.Days {
		w.days[day]++
	}
	return nil
}

func (w *World) keepOrder(o *order.Order) error {
	b, err := w.orders.get(o.ID)
	if err != nil {
		return err
	}
	if b == nil {
		b = &bundle{}
	}
	w.keepReserving(b.Order, o)
	b.Order = o
	return w.orders.put(o.ID, b)
}

// keepReserving keeps the lists of orders that hold units current.
func (w *World) keepReserving(was, is *order.Order) {
	open := func(o *order.Order) map[stock.Key]bool {
		m := map[stock.Key]bool{}
		if o == nil || o.State == order.Shipped || o.State.Terminal() {
			return m
		}
		for _, a := range o.Allocations {
			if a.Qty > a.Shipped {
				m[stock.Key{SKU: a.SKU, Location: a.Location}] = true
			}
		}
		return m
	}
	before, after := open(was), open(is)
	for k := range before {
		if !after[k] {
			ids := w.reserving[k]
			if i := slices.Index(ids, is.ID); i >= 0 {
				ids = slices.Delete(ids, i, i+1)
			}
			if w.reserving[k] = ids; len(ids) == 0 {
				delete(w.reserving, k)
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(after), func(a, b stock.Key) int {
		return cmp.Or(cmp.Compare(a.SKU, b.SKU), cmp.Compare(a.Location, b.Location))
	}) {
		if !before[k] {
			w.reserving[k] = append(w.reserving[k], is.ID)
		}
	}
}
