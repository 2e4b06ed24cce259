package backtest

import (
	"fmt"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/jsonscan"
	"orderly.example/orderly/internal/order"
)

// What a candidate changes is found by putting it in the place of what had its name then, and
// leaving what every other automation did at the event as it was.

// wish is what automations want of an order's holds at one event. All holds of an event
// come before its releases, whoever is asked first; so wishes add up.
type wish struct{ hold, release bool }

func (w *wish) add(x wish) { w.hold, w.release = w.hold || x.hold, w.release || x.release }

// stand is how an order stood before the automations were asked.
type stand struct {
	automations bool // one of them holds it
	others      bool // a person does, or something that no automation lifts
	closed      bool // no automation can hold it any more
}

// held reports whether the order is held after a wish came true.
func (s stand) held(w wish) bool {
	return s.others || (s.automations || w.hold && !s.closed) && !w.release
}

// standOf is how an order stands.
func standOf(o *order.Order) *stand {
	s := &stand{closed: o.Released || o.State == order.Shipped || o.State.Terminal()}
	for _, h := range o.Holds {
		if h.Automation != "" {
			s.automations = true
		} else {
			s.others = true
		}
	}
	return s
}

// acted is an automation that fired then.
type acted struct {
	name string
	did  bool // it acted; else it was in shadow, left out by its share, stopped, or the event was history
	wish wish
}

// outcome is what an event came to for the holds of its order: then, and with candidates.
type outcome struct {
	known bool // the event concerns an order whose holds are known
	was   stand
	then  bool // held after it
	told  bool // the wishes of then explain it
}

// outcomeOf works out how the event left its order then. An order that comes in is
// held by nobody; what else held it then, holds it still.
func (r *tally) outcomeOf(e *Entry, a *answer) outcome {
	var w wish
	for _, x := range r.then {
		if x.did {
			w.add(x.wish)
		}
	}
	x := outcome{told: true}
	switch {
	case a.stand != nil:
		x.known, x.was = true, *a.stand
	case a.typ == placed && !a.derived:
		x.known = true
		x.was.others = e.To == order.Held && !x.was.held(w)
	default:
		return x
	}
	x.then = x.was.held(w)
	if !a.derived && e.To != "" && (e.To == order.Held) != x.then { // something else than an automation had a say
		x.then, x.told = e.To == order.Held, false
	}
	return x
}

// with is how the order would be left when the automations that mine names wanted w instead.
func (r *tally) with(x *outcome, mine func(name string) bool, w wish) bool {
	if !x.told {
		return x.then
	}
	for _, t := range r.then {
		if t.did && !mine(t.name) {
			w.add(t.wish)
		}
	}
	return x.was.held(w)
}

// wishOf is what a candidate that fires wants; sure is false where it depends on what the steps find.
func wishOf(a *automation.Automation) (w wish, sure bool) {
	for i := range a.Steps {
		s := &a.Steps[i]
		switch s.Kind {
		case automation.KindHold:
			w.hold = true
		case automation.KindRelease:
			w.release = true
		case automation.KindStop, automation.KindWait, automation.KindWaitFor, automation.KindAsk, automation.KindCall:
			return w, true // what comes later is no part of the event
		}
		for _, b := range s.Inner() {
			if len(b.Steps) > 0 {
				return w, false
			}
		}
	}
	return w, true
}

// wishes is what the automation in hand wants of the order of the event.
func (r *tally) wishes(x *one, e *Entry, a *answer) (wish, error) {
	if x.sure || !x.Holds && !x.Releases {
		return x.wants, nil
	}
	d, err := r.whole(e, a)
	if err != nil {
		return wish{}, err
	}
	var w wish
	for _, c := range d.Trace.Automations {
		if c.Name == x.Name {
			for _, did := range c.Did {
				w.add(wishIn(did))
			}
		}
	}
	return w, nil
}

// wishIn reads what a step wanted from what it did.
func wishIn(did string) wish {
	return wish{hold: decide.DidHold(did), release: did == decide.DidRelease}
}

// change is how a candidate changes the outcome of an event.
type change uint8

const (
	unchanged change = iota
	newHeld          // it would be held, and was not
	letGo            // it was held, and the candidate lets it go
	notHeld          // it was held by what had the candidate's name then, and would not be
)

// text says what a change is, for a sample.
func (c change) text() string {
	switch c {
	case newHeld:
		return ChangeHeld
	case letGo:
		return ChangeLetGo
	case notHeld:
		return ChangeNotHeld
	}
	return ""
}

// changes adds up how the holds of the event's order would differ, for each candidate alone and for all as one set.
func (r *tally) changes(e *Entry, a *answer) error {
	for _, x := range r.on[a.typ] {
		x.change, x.held = unchanged, false
	}
	r.holds, r.held, r.all = outcome{}, false, wish{}
	if len(r.fired) == 0 && len(r.then) == 0 {
		return nil
	}
	r.holds = r.outcomeOf(e, a)
	if !r.holds.known {
		return nil
	}
	for _, x := range r.on[a.typ] {
		var w wish
		if x.fired {
			var err error
			if w, err = r.wishes(x, e, a); err != nil {
				return err
			}
			r.all.add(w)
		}
		would := r.with(&r.holds, func(name string) bool { return name == x.Name }, w)
		x.held = w.hold && would && !r.holds.was.closed
		switch {
		case would == r.holds.then:
			if w.hold && w.release && !would {
				x.Undone++
			}
		case would:
			x.change = newHeld
		case w.release:
			x.change = letGo
		default:
			x.change = notHeld
		}
	}
	r.held = r.all.hold && r.with(&r.holds, r.candidate, r.all)
	return nil
}

// firedThen appends the automations that fired by a trace. They stand in
// front of its routing, which is most of it and is not looked at.
func firedThen(trace string, out []acted) []acted {
	t := jsonscan.Of(trace)
	for t.Object(); ; t.Skip() {
		name, ok := t.AnyKey()
		if !ok || name == "routing" {
			return out
		}
		if name == "automations" {
			break
		}
	}
	for t.Array(); t.More(); t.End() {
		t.Object()
		x, outcome := acted{did: true}, ""
		for {
			key, ok := t.AnyKey()
			if !ok {
				break
			}
			switch key {
			case "name":
				x.name = t.String()
			case "outcome":
				outcome = t.String()
			case "mode":
				x.did = t.String() == ""
			case "did":
				for t.Array(); t.More(); {
					x.wish.add(wishIn(t.String()))
				}
			default:
				t.Skip()
			}
		}
		if outcome == decide.Fired {
			out = append(out, x)
		}
	}
	return out
}

// candidate reports whether a name is one of the candidates.
func (r *tally) candidate(name string) bool { return r.byName[name] != nil }

// importedNote says what orders of the past mean for the figures.
func importedNote(n, of int64) string {
	which := fmt.Sprintf("%d of the %d orders", n, of)
	if n == of {
		which = "all of these orders"
	}
	return which + " were imported as history: they were recorded and not decided, so no automation acted on them then and none was held"
}
