package backtest

import (
	"context"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// answer is what the candidates make of one event.
type answer struct {
	typ     string
	derived bool   // the event is one that the entry's led to
	named   string // the one candidate that it asks; "" = all on the type
	said    []said
	whole   *decide.Decision // nil where only the outcomes were worked out; see [asker.whole]
	order   string           // where the event is not the placing of one
	total   money.Amount
	stand   *stand // how that order stood before it; nil: not known
}

// said is an outcome that is not false.
type said struct {
	i       int // of the automations on the event type
	outcome string
	why     string // unknown
}

// asker asks the candidates about entries.
type asker struct {
	policies Policies
	db       Reader
	set      *automation.Set
	afresh   bool
	products map[string]decide.Product
	plain    map[string][]said // by event type, where no condition reads a fact
	thens    map[int64]*then   // loaded by the fold, which is alone
}

func newAsker(db Reader, policies Policies, set *automation.Set) *asker {
	k := &asker{policies: policies, db: db, set: set, plain: map[string][]said{}, thens: map[int64]*then{}}
	for typ := range lightEvents {
		if on := set.On(typ); len(on) > 0 && len(set.Fields(typ)) == 0 {
			k.plain[typ] = outcomes(on, decide.Facts{}, nil)
		}
	}
	return k
}

// outcomes evaluates conditions, and nothing more.
func outcomes(on []*automation.Automation, facts rule.Facts, out []said) []said {
	for i, a := range on {
		switch outcome, err := a.Condition.Eval(facts); outcome {
		case rule.True:
			out = append(out, said{i: i, outcome: decide.Fired})
		case rule.Unknown:
			out = append(out, said{i: i, outcome: decide.Unknown, why: err.Error()})
		}
	}
	return out
}

// then is a policy revision of the past.
type then struct {
	pol   *decide.Policy             // as it was
	cand  *decide.Policy             // with the candidates in place of its automations
	was   map[string]map[string]bool // facts that its automations read and that are stored, by event type
	names map[string][]string        // those of them that candidates read
}

// load finds the policy that the entry was decided under.
func (k *asker) load(ctx context.Context, e *Entry) error {
	if t, ok := k.thens[e.Policy]; ok {
		e.before.then = t
		return nil
	}
	t := &then{was: map[string]map[string]bool{}, names: map[string][]string{}}
	err := k.db.View(ctx, func(tx *store.Tx) (err error) {
		t.pol, err = k.policies.PolicyThen(tx, e.Policy)
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
		for _, name := range t.pol.Automations.Fields(typ) {
			if f, ok := schema.Lookup(name); !ok || !f.Personal {
				t.was[typ][name] = true
			}
		}
		for _, name := range k.set.Fields(typ) {
			if t.was[typ][name] {
				t.names[typ] = append(t.names[typ], name)
			}
		}
	}
	k.thens[e.Policy], e.before.then = t, t
	return nil
}

// covers reports whether all that candidates read on an event type was stored.
func (t *then) covers(typ string) bool {
	return t.was[typ] != nil && len(t.names[typ]) == len(t.cand.Automations.Fields(typ))
}

// looked reports whether an order that came in is looked at more closely than what was stored with it.
func (e *Entry) looked() bool { return !e.before.then.covers(placed) || e.Seq%checkEvery == 0 }

// worker is what a goroutine that asks uses again for every entry.
type worker struct {
	snap   *decide.Snapshot
	stored map[*then]map[string]*decide.Stored // by event type
}

func (k *asker) worker() *worker {
	return &worker{
		snap:   &decide.Snapshot{Customers: map[string]*customer.Customer{}, Velocity: map[decide.VelocityQuery]int64{}, Products: k.products},
		stored: map[*then]map[string]*decide.Stored{},
	}
}

// known reads the recorded facts that candidates read on the event.
func (w *worker) known(e *Entry, typ string) (*decide.Stored, error) {
	t := e.before.then
	s := w.stored[t][typ]
	if s == nil {
		if w.stored[t] == nil {
			w.stored[t] = map[string]*decide.Stored{}
		}
		s = decide.NewStored(t.names[typ])
		w.stored[t][typ] = s
	}
	return s, s.Read(e.Facts)
}

// facts are the recorded facts that candidates read on the event, to keep; nil when there are none.
func (w *worker) facts(e *Entry, typ string) (decide.Facts, error) {
	if len(e.before.then.names[typ]) == 0 {
		return nil, nil
	}
	s, err := w.known(e, typ)
	if err != nil {
		return nil, err
	}
	return s.Facts()
}

// light asks about an entry with what the light fold knew before it.
func (k *asker) light(e *Entry, w *worker) error {
	switch {
	case e.Type == placed:
		if err := k.placed(e, w); err != nil {
			return err
		}
	case lightEvents[e.Type] && e.Type != accepted && len(k.set.On(e.Type)) > 0:
		k.simple(e, e.Type)
	}
	if e.before.accepted && len(k.set.On(accepted)) > 0 {
		k.simple(e, accepted)
	}
	return nil
}

// simple asks about an event whose facts follow from it alone.
func (k *asker) simple(e *Entry, typ string) {
	a := answer{typ: typ, derived: typ != e.Type}
	if out, ok := k.plain[typ]; ok {
		a.said = out
	} else {
		a.take(k.alone(e, typ), k.set)
	}
	e.asked = append(e.asked, a)
}

// alone is the whole answer to such an event.
func (k *asker) alone(e *Entry, typ string) *decide.Decision {
	ev, o := e.Event, (*order.Order)(nil)
	if typ == accepted && typ != e.Type {
		p := &event.OrderAccepted{Order: e.OrderID}
		ev = event.Event{ID: e.ID + ".1", Type: typ, Subject: e.OrderID, At: e.At, Mode: e.Mode, Depth: int(e.Depth) + 1, Data: p}
		o = &order.Order{ID: e.OrderID, State: e.To}
	}
	return decide.Answer(ev, o, e.before.then.cand, e.At)
}

// placed asks about an order that came in. Where all that is read was stored, the
// conditions are evaluated on that, and nothing else is worked out.
func (k *asker) placed(e *Entry, w *worker) error {
	on := k.set.On(placed)
	if e.Placed() == nil || len(on) == 0 || e.Mode == event.Live && e.To == order.Cancelled {
		return nil // nothing came of it, or it was cancelled before it came: nobody was asked
	}
	t := e.before.then
	if !t.covers(placed) {
		known, err := w.facts(e, placed)
		if err != nil {
			return err
		}
		d, err := decide.Ask(w.before(e), e.Event, t.cand, e.At, known, false)
		if err != nil {
			return err
		}
		k.keep(e, d)
		return nil
	}
	s, err := w.known(e, placed)
	if err != nil {
		return err
	}
	first := len(e.said)
	e.said = outcomes(on, s, e.said)
	if err := s.Err(); err != nil {
		return err
	}
	e.asked = append(e.asked, answer{typ: placed, said: e.said[first:]})
	if e.Seq%checkEvery != 0 {
		return nil
	}
	stored, err := s.Facts()
	if err != nil {
		return err
	}
	return k.verify(e, w.before(e), stored)
}

// whole works out all of an answer: what the candidates that fired would do.
func (k *asker) whole(e *Entry, a *answer) (*decide.Decision, error) {
	switch {
	case a.whole != nil:
		return a.whole, nil
	case a.typ != placed:
		return k.alone(e, a.typ), nil
	}
	w := k.worker()
	s, err := w.known(e, placed)
	if err != nil {
		return nil, err
	}
	stored, err := s.Facts()
	if err != nil {
		return nil, err
	}
	return decide.Ask(w.snap, e.Event, e.before.then.cand, e.At, stored, true)
}

// before fills the snapshot with what was known before an order.
func (w *worker) before(e *Entry) *decide.Snapshot {
	clear(w.snap.Customers)
	clear(w.snap.Velocity)
	if e.before.customer != nil {
		w.snap.Customers[e.CustomerID] = e.before.customer
	}
	for i, n := range e.before.counts {
		w.snap.Velocity[e.before.queries[i]] = n
	}
	return w.snap
}

// keep takes a whole answer.
func (k *asker) keep(e *Entry, d *decide.Decision) {
	a := answer{typ: d.Event.Type, derived: d.Event.ID != e.ID, named: decide.Named(d.Event)}
	a.take(d, k.set)
	e.asked = append(e.asked, a)
}

// take reads the outcomes from a whole answer.
func (a *answer) take(d *decide.Decision, set *automation.Set) {
	a.whole = d
	on := set.On(a.typ)
	for i := range d.Trace.Automations {
		c := &d.Trace.Automations[i]
		n, _ := slices.BinarySearchFunc(on, c.Name, func(a *automation.Automation, name string) int { return strings.Compare(a.Name, name) })
		a.said = append(a.said, said{i: n, outcome: c.Outcome, why: c.Error})
	}
}
