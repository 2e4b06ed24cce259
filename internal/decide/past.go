package decide

import (
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/rule"
)

// A backtest goes through the recorded history with the code above and in two
// roles: Follow makes the working set what the recorded decision left, and Ask
// says what other automations would have made of the event just before it.

// Recorded is what a decision of the past came to where it was a choice: which
// automations acted, and where the order was routed.
type Recorded struct {
	Acted   []*automation.Automation // in the version of then, in the order they were asked
	Routing *routing.Plan            // nil: nothing was recorded; the policy routes
}

// Follow is Decide with the choices of the past: no condition is asked, and what
// was routed goes where it went. What the change comes to is worked out as ever.
func Follow(snap *Snapshot, ev event.Event, pol *Policy, at time.Time, rec *Recorded) (*Decision, error) {
	d := newDecider(snap, ev, pol, at)
	d.rec = rec
	return d.decide()
}

// Ask says what the automations of pol make of the event: the traces and facts of
// the result are what Decide would record. Facts that were recorded then count more than
// what the snapshot gives now; when they are complete, nothing else counts. Nothing is
// routed and nothing may be applied.
func Ask(snap *Snapshot, ev event.Event, pol *Policy, at time.Time, recorded Facts, complete bool) (*Decision, error) {
	d := newDecider(snap, ev, pol, at)
	d.ask = true
	if complete {
		d.given = recorded
	} else {
		d.known = recorded
	}
	if err := d.dispatch(); err != nil {
		return nil, err
	}
	return d.out, nil
}

// Answer is Ask where the facts follow from the event alone: o is the order it concerns, as far as steps look at it.
func Answer(ev event.Event, o *order.Order, pol *Policy, at time.Time) *Decision {
	d := newDecider(noRows, ev, pol, at)
	d.order, d.ask = o, true
	d.runAutomations()
	return d.out
}

// noRows is what Answer reads besides what it is given.
var noRows = NewSnapshot()

// Wanted names facts that somebody wants to know who asks no automation.
type Wanted struct {
	Fields     []string
	Velocities []rule.Velocity
}

// Gather returns the facts of an event that automations on it could read: false
// when the event changes nothing, so that none would be asked.
func Gather(snap *Snapshot, ev event.Event, pol *Policy, at time.Time, want *Wanted) (Facts, bool) {
	d := newDecider(snap, ev, pol, at)
	d.ask, d.want = true, want
	if err := d.dispatch(); err != nil {
		return nil, false
	}
	return d.out.Facts, d.out.Facts != nil
}

// repeat carries out the steps of the automations that acted in the past.
func (d *decider) repeat() {
	holds := d.holds()
	for _, a := range d.rec.Acted {
		d.fire(a, d.gather(a.StepReads()), true)
	}
	d.liftHolds()
	d.resettle = d.resettle || d.holds() != holds
}

// planned is where the order ships from: as recorded, or as the policy says.
func (d *decider) planned(req routing.Request) routing.Plan {
	if d.rec != nil && d.rec.Routing != nil {
		return *d.rec.Routing
	}
	return routing.Route(req, d.pol.Routing)
}
