package backtest

import (
	"context"
	"slices"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// answer is what the candidates make of one event.
type answer struct {
	event      event.Event // the entry's, or one derived from it
	considered int
	said       []decide.Considered
	facts      decide.Facts
	order      string
	total      money.Amount // of the order, where the event is not its placing
}

// asker asks the candidates about entries.
type asker struct {
	eng      *engine.Engine
	db       *store.DB
	set      *automation.Set
	afresh   bool
	products map[string]decide.Product
	thens    map[int64]*then // loaded by the fold, which is alone
}

// then is a policy revision of the past.
type then struct {
	pol  *decide.Policy             // as it was
	cand *decide.Policy             // with the candidates in place of its automations
	was  map[string]map[string]bool // facts that its automations read and that are stored, by event type
}

// load finds the policy that the entry was decided under.
func (k *asker) load(ctx context.Context, e *Entry) error {
	if t, ok := k.thens[e.Policy]; ok {
		e.before.then = t
		return nil
	}
	t := &then{was: map[string]map[string]bool{}}
	err := k.db.View(ctx, func(tx *store.Tx) (err error) {
		t.pol, err = k.eng.PolicyThen(tx, e.Policy)
		return err
	})
	if err != nil {
		return err
	}
	cand := *t.pol
	cand.Automations = k.set
	t.cand = &cand
	for _, typ := range schema.Events() {
		if k.afresh {
			break
		}
		t.was[typ] = map[string]bool{}
		names := slices.Clone(t.pol.Automations.Fields(typ))
		for _, name := range names {
			if f, ok := schema.Lookup(name); !ok || !f.Personal {
				t.was[typ][name] = true
			}
		}
	}
	k.thens[e.Policy], e.before.then = t, t
	return nil
}

// known returns the recorded facts that candidates read on the event, and whether they are all they read.
func (t *then) known(e *Entry, typ string) (decide.Facts, bool, error) {
	was := t.was[typ]
	all, some := true, false
	for _, name := range t.cand.Automations.Fields(typ) {
		if was[name] {
			some = true
		} else {
			all = false
		}
	}
	if !some {
		return nil, false, nil
	}
	f, err := decide.DecodeFactsOf([]byte(e.Facts), t.cand.Automations.Fields(typ))
	return f, all, err
}

// light asks about an entry with what the light fold knew before it.
func (k *asker) light(e *Entry, snap *decide.Snapshot) error {
	if e.Type == placed {
		if err := k.placed(e, snap); err != nil {
			return err
		}
	}
	cand := e.before.then.cand
	if (e.Type == "stock.low" || e.Type == "day.ended") && len(cand.Automations.On(e.Type)) > 0 {
		k.keep(e, decide.Answer(e.Event, nil, cand, nil, e.At))
	}
	if e.before.accepted && len(cand.Automations.On("order.accepted")) > 0 {
		p := &event.OrderAccepted{Order: e.OrderID}
		ev := event.Event{ID: e.ID + ".1", Type: p.EventType(), Subject: e.OrderID, At: e.At, Mode: e.Mode, Depth: e.Depth + 1, Data: p}
		k.keep(e, decide.Answer(ev, &order.Order{ID: e.OrderID, State: e.To}, cand, nil, e.At))
	}
	return nil
}

// placed asks about an order that came in.
func (k *asker) placed(e *Entry, snap *decide.Snapshot) error {
	t := e.before.then
	if e.Placed() == nil || len(t.cand.Automations.On(placed)) == 0 || e.Mode == event.Live && e.To == order.Cancelled {
		return nil // nothing came of it, or it was cancelled before it came: nobody was asked
	}
	known, all, err := t.known(e, placed)
	if err != nil {
		return err
	}
	if all {
		if e.Seq%checkEvery == 0 {
			if err := k.verify(e, k.snapshot(e, snap), known); err != nil {
				return err
			}
		}
		k.keep(e, decide.Answer(e.Event, &order.Order{ID: e.Subject, State: order.Expected}, t.cand, known, e.At))
		return nil
	}
	d, err := decide.Ask(k.snapshot(e, snap), e.Event, t.cand, e.At, known)
	if err != nil {
		return err
	}
	k.keep(e, d)
	return nil
}

// snapshot fills snap with what was known before an order.
func (k *asker) snapshot(e *Entry, snap *decide.Snapshot) *decide.Snapshot {
	clear(snap.Customers)
	clear(snap.Velocity)
	if e.before.customer != nil {
		snap.Customers[e.CustomerID] = e.before.customer
	}
	for i, n := range e.before.counts {
		snap.Velocity[e.before.queries[i]] = n
	}
	return snap
}

func (k *asker) keep(e *Entry, d *decide.Decision) {
	e.asked = append(e.asked, answer{event: d.Event, considered: d.Considered, said: d.Trace.Automations, facts: d.Facts})
}

// small is a snapshot for one order of the light fold.
func (k *asker) small() *decide.Snapshot {
	return &decide.Snapshot{Customers: map[string]*customer.Customer{}, Velocity: map[decide.VelocityQuery]int64{}, Products: k.products}
}
