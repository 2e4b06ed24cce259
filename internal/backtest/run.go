package backtest

import (
	"context"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
)

// Policies gives the shop's policy as it is and as it was: the engine does.
type Policies interface {
	Policy() *decide.Policy
	PolicyThen(tx *store.Tx, rev int64) (*decide.Policy, error)
}

// Options of a backtest. DB, Keys and Policies are required, and candidates of one kind.
type Options struct {
	DB       Reader
	Old      Archive // has the reasons of archived events; nil: there is none
	Keys     *store.Keyring
	Policies Policies

	Candidates []*automation.Automation // tried as one set
	Routing    *routing.Policy          // or a routing policy, alone
	Since      time.Time                // zero: from the first event; earlier ones count, but are not reported on
	Until      time.Time                // zero: to the last
	TrainUntil time.Time                // zero, or the end of the part on which candidates are ranked
	Capacity   int                      // orders the team can review a day; 0 = not said
	Progress   func(done, total int64)  // decided_seq; called now and then, from one goroutine at a time
	Samples    int                      // per candidate; 0 = 20
	Afresh     bool                     // work every fact out from the history, also those that were stored with the decisions

	watch func(*Entry, *tally) error // sees every entry with what was said of it
	heard func(*Entry, *answer)      // sees every answer
}

// Run tries the candidates on the history.
func Run(ctx context.Context, o Options) (*Report, error) {
	set := automation.NewSet(nil)
	if o.Routing == nil {
		var err error
		if set, err = candidateSet(o.Candidates); err != nil {
			return nil, err
		}
	}
	r, err := newTally(ctx, o, set)
	if err != nil {
		return nil, err
	}
	need := needsOf(set)
	k := newAsker(o.DB, o.Policies, set)
	k.afresh, r.whole = o.Afresh, k.whole
	h := &History{DB: o.DB, Old: o.Old, Keys: o.Keys, Email: need.email}
	start := time.Now()
	switch {
	case o.Routing != nil:
		need.full = "routing works on the stock"
		err = runRouting(ctx, h, k, r)
	case need.full == "":
		err = runLight(ctx, h, k, need, r)
	default:
		err = runFull(ctx, h, k, need, r)
	}
	if err != nil {
		return nil, err
	}
	rep := r.report()
	if err := number(ctx, o.DB, set, rep); err != nil {
		return nil, err
	}
	rep.Fold, rep.FoldWhy = "light", "the candidates read orders, counts and velocities"
	if need.full != "" {
		rep.Fold, rep.FoldWhy = "full", need.full
	}
	rep.Seconds = time.Since(start).Seconds()
	return rep, nil
}

// number finds which versions were tried; a text that is not saved has none.
func number(ctx context.Context, db Reader, set *automation.Set, rep *Report) error {
	return db.View(ctx, func(tx *store.Tx) error {
		for i := range rep.Automations {
			a := &rep.Automations[i]
			versions, err := tx.VersionsByText("automation", a.Name)
			if err != nil {
				return err
			}
			a.N = versions[set.Get(a.Name).Hash]
		}
		return nil
	})
}

// candidateSet makes the set that is asked. What is switched off is asked as if it were in shadow.
func candidateSet(as []*automation.Automation) (*automation.Set, error) {
	if len(as) == 0 {
		return nil, fault.New(fault.Invalid, "backtest.Run", "there is no automation to try")
	}
	if err := automation.Check(as); err != nil {
		return nil, err
	}
	all := make([]*automation.Automation, len(as))
	for i, a := range as {
		all[i] = a
		if !a.Mode.Considered() {
			c := *a
			c.Mode = automation.Shadow
			all[i] = &c
		}
	}
	return automation.NewSet(all), nil
}

// lightTypes are those whose events the light fold reads: order.accepted follows from the order's state.
func lightTypes(typ string) bool { return typ == placed || lightEvents[typ] && typ != accepted }

func runLight(ctx context.Context, h *History, k *asker, need needs, r *tally) error {
	h.Types, h.brief = lightTypes, true
	c := newCounts(need, k.set.Velocities(placed))
	err := h.walk(ctx, stages{
		fold: func(ch *chunk) error {
			for i := range ch.entries {
				e := &ch.entries[i]
				if err := k.load(ctx, e); err != nil {
					return err
				}
				c.take(e)
			}
			return nil
		},
		ask: func(ch *chunk) error {
			w := k.worker()
			for i := range ch.entries {
				if err := k.light(&ch.entries[i], w); err != nil {
					return err
				}
			}
			return nil
		},
		done: r.take,
	})
	r.late = c.marks.late
	return err
}

// check compares stored facts with folded ones on one event in checkEvery.
const checkEvery = 64

// verify folds the facts of an event that has them stored, and keeps which differ.
func (k *asker) verify(e *Entry, snap *decide.Snapshot, stored decide.Facts) error {
	cand := e.before.then.cand
	d, err := decide.Ask(snap, e.Event, cand, e.At, nil, false)
	if err != nil {
		return err
	}
	e.checked = true
	for _, name := range cand.Automations.Fields(placed) {
		if name != "order.lines" && !same(stored, d.Facts, name) { // the light fold keeps no stock of lines
			e.wrong = append(e.wrong, name)
		}
	}
	return nil
}

// same compares a fact in its stored form.
func same(a, b decide.Facts, name string) bool {
	text := func(f decide.Facts) string {
		v, ok := f[name]
		if !ok {
			return ""
		}
		return string(decide.EncodeFacts(decide.Facts{name: v}))
	}
	return text(a) == text(b)
}
