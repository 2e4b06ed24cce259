package engine

import (
	"maps"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// batch is the net result of a group: what is written once, however many events touched it.
type batch struct {
	pol        *decide.Policy
	eventKeys  []store.EventKey
	events     []store.EventRecord
	conflicts  []store.EventConflict
	replayed   []string // ids of quarantined events that are decided now
	orders     map[string]*order.Order
	customers  map[string]*customer.Customer
	balances   map[stock.Key]stock.Balance
	moves      []store.MoveRow // Seq is the index of the event until the sequence is drawn
	low        map[string]bool
	tasks      map[string]*task.Task
	effects    map[string]effect.Effect
	withdraw   []string
	settle     []string
	unwait     []string
	waits      []decide.Wait
	marks      []decide.Mark
	days       map[decide.LocationDay]int64
	timers     []decide.Timer
	timerCause map[string]string
	timersDone []string
	traces     []store.EventTrace
	runs       map[string]*automation.Run
	counts     map[store.CountKey]store.Count
	guards     map[string]*automation.Guard
	firings    []automation.Firing
	search     []store.SearchTerm
	keys       map[string]string // wrapped data keys of the customers involved
	sealed     map[string]string // sealed personal data of the orders involved, as stored
	toSeal     map[string]bool   // orders whose personal data an event of this group brought
	personalOf map[int]*prepared // event index -> personal data to seal
}

func newBatch(pol *decide.Policy) *batch {
	return &batch{
		pol: pol, orders: map[string]*order.Order{}, customers: map[string]*customer.Customer{}, balances: map[stock.Key]stock.Balance{},
		low: map[string]bool{}, tasks: map[string]*task.Task{}, effects: map[string]effect.Effect{}, days: map[decide.LocationDay]int64{},
		counts: map[store.CountKey]store.Count{}, guards: map[string]*automation.Guard{}, keys: map[string]string{}, sealed: map[string]string{},
		runs: map[string]*automation.Run{}, toSeal: map[string]bool{}, personalOf: map[int]*prepared{}, timerCause: map[string]string{},
	}
}

// add takes a decision into the net result. outside is the submitted event; derived ones follow it.
func (b *batch) add(p *prepared, d *decide.Decision, outside bool) {
	index := len(b.events)
	ev := d.Event
	row := b.row(ev)
	row.State = store.EventDecided
	switch { // the history knows whose event it was without looking it up
	case row.CustomerID != "":
	case d.Order != nil:
		row.CustomerID = d.Order.CustomerID
	case d.Customer != nil:
		row.CustomerID = d.Customer.ID
	}
	if d.Gist != nil {
		row.Gist = event.EncodeGist(ev.Who, *d.Gist)
	}
	if row.OrderID == "" && d.Order != nil { // a person's decision on a task is a part of its order's story
		row.OrderID = d.Order.ID
	}
	row.Facts = string(decide.EncodeFacts(d.Facts))
	if !d.Trace.Empty() {
		row.Trace = traceText(&d.Trace)
	}
	if !outside && len(d.Moves) == 0 && row.Trace == "" && !d.Keep && (ev.Type == "order.accepted" || ev.Type == "order.ready") {
		// These to which nobody reacted say nothing that the change of state of their cause does not; a replay derives them again.
		b.count(d)
		return
	}
	b.events = append(b.events, row)
	if outside {
		// Derived events come from us, once; only what comes through a door can come twice.
		b.key(ev, p.again)
		if p.parent != "" {
			b.traces = append(b.traces, store.EventTrace{EventID: ev.ID, Parent: p.parent})
		}
		b.personal(p)
		if ev.Source == timerSource {
			b.timersDone = append(b.timersDone, ev.Key)
		}
	}
	for _, o := range append(d.Others, d.Order) {
		if o != nil {
			b.orders[o.ID] = o
			if outside && p.hasPD && o.ID == ev.Subject {
				b.toSeal[o.ID] = true
			}
		}
	}
	if d.Customer != nil {
		b.customers[d.Customer.ID] = d.Customer
	}
	for _, bal := range d.Balances {
		b.balances[bal.Key] = bal
	}
	for _, m := range d.Moves {
		b.moves = append(b.moves, store.MoveRow{Seq: int64(index), Move: m})
	}
	maps.Copy(b.low, d.Low)
	for _, t := range d.Tasks {
		b.tasks[t.ID] = t
	}
	for _, e := range d.Effects {
		if _, have := b.effects[e.ID]; !have {
			b.effects[e.ID] = e
		}
	}
	for _, id := range d.Withdraw {
		if e, ok := b.effects[id]; ok { // made in this very group
			e.State = effect.Cancelled
			b.effects[id] = e
		} else {
			b.withdraw = append(b.withdraw, id)
		}
	}
	b.settle = append(b.settle, d.Settle...)
	for _, id := range d.Unwait {
		b.waits = slices.DeleteFunc(b.waits, func(w decide.Wait) bool { return w.OrderID == id })
		b.unwait = append(b.unwait, id)
	}
	b.waits = append(b.waits, d.Wait...)
	b.marks = append(b.marks, d.Marks...)
	for _, day := range d.Days {
		b.days[day]++
	}
	for _, run := range d.Runs {
		b.runs[run.ID] = run
	}
	b.timersDone = append(b.timersDone, d.Unset...)
	for _, t := range d.Timers {
		b.timers = append(b.timers, t)
		b.timerCause[t.ID] = ev.ID
	}
	b.count(d)
}

// key remembers the identity of an event, unless it is known already because the event is decided again.
func (b *batch) key(ev event.Event, again bool) {
	if again {
		b.replayed = append(b.replayed, ev.ID)
		return
	}
	b.eventKeys = append(b.eventKeys, store.EventKey{Source: ev.Source, ID: ev.Key, PayloadHash: ev.Hash, EventID: ev.ID})
}

// count adds what the automations did to the counts of the hour, and to what is known of them.
func (b *batch) count(d *decide.Decision) {
	for _, g := range d.Guards {
		b.guards[g.Name] = g
	}
	b.firings = append(b.firings, d.Firings...)
	if d.Considered == 0 {
		return
	}
	hour := d.Event.At.UTC().Truncate(3600e9).UnixMicro()
	for _, a := range decide.Asked(b.pol.Automations, d.Event) {
		k := store.CountKey{Name: a.Name, Hour: hour}
		c := b.counts[k]
		c.Considered++
		b.counts[k] = c
	}
	for _, a := range d.Trace.Automations {
		k := store.CountKey{Name: a.Name, Hour: hour}
		c := b.counts[k]
		switch {
		case a.Outcome != decide.Fired:
			c.Unknown++
		case a.Mode != "":
			c.Would++
		default:
			c.Fired++
		}
		b.counts[k] = c
	}
}

// personal remembers that the last event added brings personal data to seal.
func (b *batch) personal(p *prepared) {
	if p.hasPD {
		b.personalOf[len(b.events)-1] = p
	}
}

// quarantine keeps an event with the reason why it was not decided.
func (b *batch) quarantine(ev event.Event, again bool, reason string) {
	row := b.row(ev)
	row.State, row.Reason = store.EventQuarantined, reason
	b.events = append(b.events, row)
	if ev.Depth == 0 {
		b.key(ev, again)
	}
	if ev.Source == timerSource {
		b.timersDone = append(b.timersDone, ev.Key)
	}
}

func (b *batch) row(ev event.Event) store.EventRecord {
	if ev.Raw == nil { // derived: decide does no encoding
		ev.Raw, _ = event.Encode(ev.Data)
	}
	orderID := ""
	if strings.HasPrefix(ev.Subject, "ord_") {
		orderID = ev.Subject
	}
	return store.EventRecord{
		ID: ev.ID, Source: ev.Source, Key: ev.Key, Type: ev.Type, Subject: ev.Subject, OrderID: orderID, At: ev.At, Received: ev.Received,
		Mode: string(ev.Mode), Actor: ev.Actor, Cause: ev.Cause, Depth: ev.Depth, Policy: b.pol.Revision, Hash: ev.Hash, Data: string(ev.Raw),
		CustomerID: ev.Who.Customer,
	}
}

// topics is what the batch changed, for pages that follow along.
func (b *batch) topics() []Topic {
	var ts []Topic
	for id := range b.orders {
		ts = append(ts, Topic{Kind: "order", Subject: id})
	}
	for id := range b.tasks {
		ts = append(ts, Topic{Kind: "task", Subject: id})
	}
	for k := range b.balances {
		ts = append(ts, Topic{Kind: "stock", Subject: k.SKU})
	}
	if slices.ContainsFunc(b.events, func(r store.EventRecord) bool { return strings.HasPrefix(r.Type, "automation.") }) {
		ts = append(ts, Topic{Kind: "policy"})
	}
	if len(b.runs) > 0 {
		ts = append(ts, Topic{Kind: "run"})
	}
	if len(b.effects) > 0 {
		ts = append(ts, Topic{Kind: "effect"})
	}
	return ts
}
