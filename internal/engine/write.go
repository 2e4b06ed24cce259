package engine

import (
	"maps"
	"slices"
	"strings"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// write puts the net result of a group into the store, and enqueues the delivery of its effects.
func (b *batch) write(tx *store.Tx, e *Engine) error {
	if err := b.seal(e); err != nil {
		return err
	}
	waits := make([]store.StockWait, len(b.waits))
	for i, w := range b.waits {
		waits[i] = store.StockWait{SKU: w.SKU, Since: w.Since, OrderID: w.OrderID}
	}
	marks := make([]store.VelocityMark, len(b.marks))
	for i, m := range b.marks {
		marks[i] = store.VelocityMark{Key: m.Key, At: m.At, Ref: m.Ref}
	}
	timers := make([]store.Timer, 0, len(b.timers))
	for _, t := range b.timers {
		data, err := event.Encode(t.Data)
		if err != nil {
			return err
		}
		timers = append(timers, store.Timer{ID: t.ID, Due: t.Due, Type: t.Data.EventType(), Data: string(data), Cause: b.timerCause[t.ID]})
	}
	for _, step := range []func() error{
		func() error { return store.InsertEventKeys(tx, b.eventKeys) },
		func() error { return store.InsertEventConflicts(tx, b.conflicts) },
		func() error { return store.DropQuarantined(tx, b.replayed) },
		func() error { return store.InsertEvents(tx, b.events) },
		func() error { return store.InsertEventTraces(tx, b.traces) },
		func() error { return store.UpsertOrders(tx, b.orders, b.sealed) },
		func() error { return store.UpsertCustomers(tx, b.customers, b.keys) },
		func() error { return store.InsertSearchTerms(tx, b.search) },
		func() error { return store.InsertVelocity(tx, marks) },
		func() error { return store.InsertMoves(tx, b.numbered()) },
		func() error { return store.UpsertBalances(tx, b.balances) },
		func() error { return store.SetLow(tx, b.low) },
		func() error { return store.AddLocationDays(tx, b.days) },
		func() error { return store.ReplaceWaits(tx, uniq(b.unwait), waits) },
		func() error { return store.UpsertTasks(tx, b.tasks) },
		func() error { return store.UpsertRuns(tx, b.runs) },
		func() error { return store.WithdrawEffects(tx, uniq(b.withdraw)) },
		func() error { return store.SettleEffects(tx, uniq(b.settle)) },
		func() error { return store.InsertEffects(tx, b.effects) },
		func() error { return store.InsertTimers(tx, timers) },
		func() error { return store.DeleteTimers(tx, uniq(b.timersDone)) },
		func() error { return store.AddAutomationCounts(tx, b.counts) },
		func() error { return store.UpsertGuards(tx, b.guards) },
		func() error { return store.InsertFirings(tx, b.firings) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	due := make([]effect.Effect, 0, len(b.effects))
	for _, id := range slices.Sorted(maps.Keys(b.effects)) {
		if f := b.effects[id]; f.State == effect.Pending {
			due = append(due, f)
		}
	}
	return tx.Enqueue(deliverJobs(due)...)
}

// numbered gives the moves the decided_seq of their events.
func (b *batch) numbered() []store.MoveRow {
	last, ord := int64(-1), 0
	for i := range b.moves {
		m := &b.moves[i]
		if m.Seq != last {
			last, ord = m.Seq, 0
		}
		m.Ord = ord
		ord++
		m.Seq = b.events[last].Seq
	}
	return b.moves
}

// seal encrypts the personal data that events of the group brought, each under
// its customer's own key; a customer seen for the first time gets one.
func (b *batch) seal(e *Engine) error {
	for _, i := range slices.Sorted(maps.Keys(b.personalOf)) {
		p := b.personalOf[i]
		id := p.customer
		key, known := b.keys[id]
		if !known {
			key = e.keys.NewCustomerKey(id)
			b.keys[id] = key
		}
		if b.customers[id] == nil && !known { // the event changed no customer, but its data needs the key
			b.customers[id] = &customer.Customer{ID: id}
		}
		if key == "" {
			// Erased. The past is not brought back; who buys again is a customer anew, under a new key.
			if p.ev.Mode != event.Live || b.customers[id] == nil {
				continue
			}
			key = e.keys.NewCustomerKey(id)
			b.keys[id] = key
		}
		sealed, err := e.keys.Seal(id, key, p.personal)
		if err != nil {
			return err
		}
		b.events[i].Sealed, b.events[i].CustomerID = sealed, id
		if o := b.orders[p.ev.Subject]; o != nil && b.toSeal[p.ev.Subject] {
			b.sealed[o.ID] = sealed
			b.findable(id, p.personal)
		}
	}
	// A customer without personal data has a key too, so that a later event can seal.
	for id := range b.customers {
		if _, ok := b.keys[id]; !ok {
			b.keys[id] = e.keys.NewCustomerKey(id)
		}
	}
	return nil
}

// findable adds the words of the name under which the customer is found. A mail
// address needs none: the customer's id is its keyed hash.
func (b *batch) findable(customerID string, p customer.Personal) {
	words := strings.Fields(strings.ToLower(p.Name))
	if len(words) > 6 {
		words = words[:6]
	}
	for _, w := range words {
		b.search = append(b.search, store.SearchTerm{Term: w, CustomerID: customerID})
	}
}
