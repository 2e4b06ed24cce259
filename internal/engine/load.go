package engine

import (
	"maps"
	"slices"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// load reads what the decisions of a group need, in rounds of bulk reads; see decide/needs.go.
// Locks are taken in class order, then key order, before the rows are read.
func (e *Engine) load(tx *store.Tx, pol *decide.Policy, items []*item, b *batch) (*decide.Snapshot, error) {
	snap := decide.NewSnapshot()
	var first decide.First
	for _, it := range items {
		n := decide.NeedsFirst(it.p.ev, pol, it.at)
		merge(&first, n)
	}
	if len(first.Tasks) > 0 { // tasks name their subject and order
		tasks, err := store.Tasks(tx, uniq(first.Tasks))
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			merge(&first, decide.NeedsTask(t))
		}
	}
	orders, customers := uniq(first.Orders), uniq(first.Customers)
	if err := lockAll(tx, orders, customers, uniq(first.Keys), uniq(first.Runs)); err != nil {
		return nil, err
	}
	var rows map[string]store.OrderDoc
	buyers := map[string]store.CustomerDoc{}
	for _, it := range items {
		if it.p.customer != "" {
			customers = append(customers, it.p.customer)
		}
	}
	customers = uniq(customers)
	err := tx.Together(func() (err error) {
		if rows, err = store.Orders(tx, orders); err != nil {
			return err
		}
		if buyers, err = store.Customers(tx, customers); err != nil {
			return err
		}
		if snap.Tasks, err = store.TasksOfSubjects(tx, uniq(first.Subjects)); err != nil {
			return err
		}
		if snap.Effects, err = store.EffectsOfOrders(tx, uniq(first.Effects)); err != nil || len(first.Velocities) == 0 {
			return err
		}
		snap.Velocity, err = store.VelocityCounts(tx, first.Velocities)
		return err
	})
	if err != nil {
		return nil, err
	}
	putOrders(snap, rows, b)
	putCustomers(snap, buyers, b)
	return snap, e.loadSecond(tx, snap, pol, items, orders, customers, uniq(first.Runs), uniq(first.Ended), b)
}

// loadSecond reads what the orders name: their runs, customers that the events did not name, products and stock.
func (e *Engine) loadSecond(tx *store.Tx, snap *decide.Snapshot, pol *decide.Policy, items []*item, orders, have, runs, ended []string, b *batch) error {
	var second decide.Second
	var keys []string
	perItem := make([][]string, len(items))
	for i, it := range items {
		n := decide.NeedsSecond(snap, it.p.ev)
		perItem[i] = n.Products
		second.Products = append(second.Products, n.Products...)
		second.Customers = append(second.Customers, n.Customers...)
		if it.p.ev.Mode == event.Live {
			keys = append(keys, decide.WaitKeys(snap, it.p.ev)...)
		}
	}
	// The parts of kits are locked with the kits, in one order: after them, two groups would wait for each other.
	skus := uniq(second.Products)
	skus = uniq(append(skus, e.partsOf(skus)...))
	customers := slices.DeleteFunc(uniq(second.Customers), func(id string) bool { _, known := slices.BinarySearch(have, id); return known })
	var buyers map[string]store.CustomerDoc
	var waiting map[string]*automation.Run
	var products map[string]store.ProductDoc
	err := tx.Together(func() (err error) {
		if waiting, err = store.WaitingRuns(tx, orders, uniq(keys), runs); err != nil {
			return err
		}
		if buyers, err = store.Customers(tx, customers); err != nil {
			return err
		}
		if products, err = store.Products(tx, skus); err != nil {
			return err
		}
		snap.Stock, err = store.Balances(tx, skus)
		return err
	})
	if err != nil {
		return err
	}
	putCustomers(snap, buyers, b)
	putProducts(snap, products)
	e.learnParts(products)
	if err := loadEnded(tx, snap, waiting, ended); err != nil {
		return err
	}
	subjects, err := e.putRuns(tx, snap, waiting)
	if err != nil {
		return err
	}
	if err := loadTasks(tx, snap, uniq(subjects)); err != nil {
		return err
	}
	parts := slices.DeleteFunc(uniq(decide.Components(snap, skus)), func(sku string) bool { _, known := slices.BinarySearch(skus, sku); return known })
	if len(parts) > 0 {
		var stock map[string][]stock.Balance
		err := tx.Together(func() (err error) {
			if products, err = store.Products(tx, parts); err == nil {
				stock, err = store.Balances(tx, parts)
			}
			return err
		})
		if err != nil {
			return err
		}
		putProducts(snap, products)
		maps.Copy(snap.Stock, stock)
	}
	return e.loadThird(tx, snap, pol, items, perItem, b)
}

func (e *Engine) loadThird(tx *store.Tx, snap *decide.Snapshot, pol *decide.Policy, items []*item, perItem [][]string, b *batch) error {
	var third decide.Third
	for i, it := range items {
		skus := append(perItem[i], decide.Components(snap, perItem[i])...)
		n := decide.NeedsThird(snap, it.p.ev, pol, it.at, skus)
		third.Days = append(third.Days, n.Days...)
		third.Waiting = append(third.Waiting, n.Waiting...)
		third.Reserving = append(third.Reserving, n.Reserving...)
	}
	for _, k := range third.Reserving {
		if _, done := snap.Reserving[k]; done {
			continue
		}
		if err := e.loadReserving(tx, snap, k, b); err != nil {
			return err
		}
	}
	// What is known of the automations whose doings are counted is locked last, since every node
	// that may set one off waits here for the others.
	var names, subjects []string
	for _, it := range items {
		names = append(names, decide.NeedsGuards(it.p.ev, pol)...)
	}
	names = uniq(names)
	for _, name := range names {
		subjects = append(subjects, event.AutomationSubject(name))
	}
	var tasks map[string][]*task.Task
	err := tx.Together(func() (err error) {
		if len(third.Days) > 0 {
			if snap.Days, err = store.LocationDays(tx, third.Days); err != nil {
				return err
			}
		}
		if len(third.Waiting) > 0 {
			if snap.Waiting, err = store.WaitingOrders(tx, uniq(third.Waiting), waitingPerSKU); err != nil {
				return err
			}
		}
		if snap.Guards, err = store.Guards(tx, names); err == nil {
			tasks, err = store.TasksOfSubjects(tx, subjects)
		}
		return err
	})
	maps.Copy(snap.Tasks, tasks)
	return err
}

// waitingPerSKU bounds how many waiting orders one delivery lets try again; the next delivery takes the next ones.
const waitingPerSKU = 200

// loadReserving loads the orders that hold units at a place, newest first, with all that reopening them needs.
func (e *Engine) loadReserving(tx *store.Tx, snap *decide.Snapshot, k stock.Key, b *batch) error {
	ids, err := store.ReservingOrders(tx, k)
	if err != nil {
		return err
	}
	snap.Reserving[k] = ids
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return snap.Orders[id] != nil })
	slices.Sort(fresh)
	if err := tx.Lock(store.LockOrder, fresh); err != nil {
		return err
	}
	rows, err := store.Orders(tx, fresh)
	if err != nil {
		return err
	}
	putOrders(snap, rows, b)
	if err := loadTasks(tx, snap, fresh); err != nil {
		return err
	}
	effects, err := store.EffectsOfOrders(tx, fresh)
	if err != nil {
		return err
	}
	maps.Copy(snap.Effects, effects)
	var skus []string
	for _, id := range fresh {
		if o := snap.Orders[id]; o != nil {
			for _, a := range o.Allocations {
				skus = append(skus, a.SKU)
			}
			for _, l := range o.Lines { // a kit is known by its line
				skus = append(skus, l.SKU)
			}
		}
	}
	skus = slices.DeleteFunc(uniq(skus), func(sku string) bool { _, have := snap.Products[sku]; return have })
	if err := loadProducts(tx, snap, skus); err != nil {
		return err
	}
	return loadProducts(tx, snap, uniq(decide.Components(snap, skus)))
}

// loadEnded adds runs that may have ended, of which one is to be begun again, and what those that are about no
// order have called; the calls of orders are among their effects.
func loadEnded(tx *store.Tx, snap *decide.Snapshot, runs map[string]*automation.Run, ids []string) error {
	ended, err := store.RunsByID(tx, ids)
	if err != nil {
		return err
	}
	var calls []string
	for id, run := range ended {
		runs[id] = run
		if run.OrderID == "" {
			calls = append(calls, decide.RunCalls(run)...)
		}
	}
	effects, err := store.Effects(tx, uniq(calls))
	if len(effects) > 0 {
		snap.Effects[""] = effects
	}
	return err
}

// putRuns takes the runs that the events may let go on, with the texts they began with, and
// returns the subjects of their tasks. Runs of an order stand under its lock; those of another
// order or of none are only found here: they go on in an event of their own.
func (e *Engine) putRuns(tx *store.Tx, snap *decide.Snapshot, runs map[string]*automation.Run) (subjects []string, err error) {
	for _, run := range runs {
		snap.PutRun(run)
		subjects = append(subjects, run.Tasks...)
		if snap.Versions[run.Version] != nil {
			continue
		}
		if snap.Versions[run.Version], err = e.version(tx, run.Version); err != nil {
			return nil, err
		}
	}
	return subjects, nil
}

// version is the automation of a text that may have been replaced since; nil when there is none that can be read.
func (e *Engine) version(tx *store.Tx, hash string) (*automation.Automation, error) {
	if a, ok := e.versions.Load(hash); ok {
		return a.(*automation.Automation), nil
	}
	t, err := tx.PolicyText(hash)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
	if err != nil {
		e.log.Error("a version of an automation that a run began with cannot be read", "automation", t.Name, "version", hash, "err", err)
		return nil, nil
	}
	e.versions.Store(hash, a)
	return a, nil
}

// partsOf is what kits among the SKUs were made of when they were read last. What has changed since is read in a round of its own.
func (e *Engine) partsOf(skus []string) (parts []string) {
	for _, sku := range skus {
		if cs, ok := e.kits.Load(sku); ok {
			parts = append(parts, cs.([]string)...)
		}
	}
	return parts
}

func (e *Engine) learnParts(products map[string]store.ProductDoc) {
	for sku, p := range products {
		if !p.Product.Kit() {
			e.kits.Delete(sku)
			continue
		}
		var parts []string
		for _, c := range p.Product.Components {
			parts = append(parts, c.SKU)
		}
		e.kits.Store(sku, parts)
	}
}

func putOrders(snap *decide.Snapshot, rows map[string]store.OrderDoc, b *batch) {
	for id, r := range rows {
		snap.Orders[id] = r.Order
		b.sealed[id] = r.Sealed
	}
}

func putCustomers(snap *decide.Snapshot, rows map[string]store.CustomerDoc, b *batch) {
	for id, r := range rows {
		snap.Customers[id] = r.Customer
		b.keys[id] = r.Key
	}
}

func putProducts(snap *decide.Snapshot, rows map[string]store.ProductDoc) {
	for sku, r := range rows {
		snap.Products[sku] = decide.Product{Product: r.Product, Low: r.Low}
	}
}

func loadTasks(tx *store.Tx, snap *decide.Snapshot, subjects []string) error {
	tasks, err := store.TasksOfSubjects(tx, subjects)
	maps.Copy(snap.Tasks, tasks)
	return err
}

func loadProducts(tx *store.Tx, snap *decide.Snapshot, skus []string) error {
	rows, err := store.Products(tx, skus)
	putProducts(snap, rows)
	return err
}

func lockAll(tx *store.Tx, orders, customers, keys, runs []string) error {
	for _, l := range []struct {
		class store.LockClass
		keys  []string
	}{{store.LockOrder, orders}, {store.LockCustomer, customers}, {store.LockVelocity, keys}, {store.LockRun, runs}} {
		if err := tx.Lock(l.class, l.keys); err != nil {
			return err
		}
	}
	return nil
}

func merge(to *decide.First, n decide.First) {
	to.Orders = append(to.Orders, n.Orders...)
	to.Customers = append(to.Customers, n.Customers...)
	to.Tasks = append(to.Tasks, n.Tasks...)
	to.Subjects = append(to.Subjects, n.Subjects...)
	to.Effects = append(to.Effects, n.Effects...)
	to.Velocities = append(to.Velocities, n.Velocities...)
	to.Keys = append(to.Keys, n.Keys...)
	to.Runs = append(to.Runs, n.Runs...)
	to.Ended = append(to.Ended, n.Ended...)
}

// uniq sorts and removes doubles and "".
func uniq(s []string) []string {
	slices.Sort(s)
	s = slices.Compact(s)
	if len(s) > 0 && s[0] == "" {
		s = s[1:]
	}
	return s
}
