package proof

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// act is one step of an automation as others see it: what it touches, and when it is reached.
type act struct {
	of    *automation.Automation
	step  *automation.Step
	at    string     // place in the steps; see automation.Path
	key   string     // two acts of one key do the same
	about string     // acts that touch the same thing have the same
	asks  []rule.Ask // conditions of the steps around it, as far as they say something of the event
	sure  bool       // it is reached at once whenever the automation fires
	later bool       // it is reached after a wait
}

// acts are the steps of an automation that touch something. What stands inside another step is
// reached when that one's condition says so; what comes after a wait happens at another time.
func acts(a *automation.Automation) []act {
	var out []act
	// ask adds what a condition has to be. One that reads values of steps, or after a wait what may have changed
	// meanwhile, says nothing of the event: it may come out either way.
	ask := func(asks []rule.Ask, later bool, c *rule.Condition, what rule.Ask) []rule.Ask {
		if c.Names() || later && slices.ContainsFunc(c.Fields(), func(f string) bool { return !schema.Settled(f, a.On) }) {
			return asks
		}
		return append(asks[:len(asks):len(asks)], what)
	}
	var walk func(in string, steps []automation.Step, asks []rule.Ask, sure, later bool) bool
	walk = func(in string, steps []automation.Step, asks []rule.Ask, sure, later bool) bool {
		for i := range steps {
			s, at := &steps[i], in+strconv.Itoa(i)
			if key, about := touches(s.Action); key != "" {
				out = append(out, act{of: a, step: s, at: at, key: key, about: about, asks: asks, sure: sure, later: later})
			}
			switch x := s.Action.(type) {
			case automation.If:
				inThen, inElse := ask(asks, later, x.Cond, rule.IsTrue(x.Cond)), ask(asks, later, x.Cond, rule.IsFalse(x.Cond))
				l1, l2 := walk(at+".then.", x.Then, inThen, false, later), walk(at+".else.", x.Else, inElse, false, later)
				was := later
				later = l1 || l2
				sure = sure && !later && !stops(x.Then) && !stops(x.Else)
				if ends(x.Then) { // what follows is reached only past it
					asks = ask(asks, was, x.Cond, rule.NotTrue(x.Cond))
				}
				if ends(x.Else) {
					asks = ask(asks, was, x.Cond, rule.NotFalse(x.Cond))
				}
				continue
			case automation.Stop:
				sure = false
			case automation.Wait, automation.WaitFor, automation.Ask, automation.Call:
				sure, later = false, true
			}
			for _, b := range s.Inner() {
				later = walk(at+"."+b.Name+".", b.Steps, asks, false, later) || later
			}
		}
		return later
	}
	walk("", a.Steps, nil, true, false)
	return out
}

func stops(steps []automation.Step) bool {
	for i := range steps {
		if steps[i].Kind == automation.KindStop {
			return true
		}
		for _, b := range steps[i].Inner() {
			if stops(b.Steps) {
				return true
			}
		}
	}
	return false
}

// ends reports whether nothing comes after the steps.
func ends(steps []automation.Step) bool {
	return len(steps) > 0 && steps[len(steps)-1].Kind == automation.KindStop
}

// What acts may be about.
const (
	aboutHolds   = "holds"
	aboutRouting = "routing"
)

// touches names what a step does, and the thing it does it to; both are empty for steps that
// only say how the automation goes on.
func touches(x automation.Action) (key, about string) {
	switch x := x.(type) {
	case automation.Hold:
		return "hold:" + x.Queue, aboutHolds
	case automation.Release:
		return "release", aboutHolds
	case automation.Cancel:
		return "cancel", aboutHolds
	case automation.Prefer:
		return "prefer:" + x.Location, aboutRouting
	case automation.Exclude:
		return "exclude:" + x.Location, aboutRouting
	case automation.Tag:
		return "tag:" + x.Tag, "tag:" + x.Tag
	case automation.Message:
		about := "mail:" + x.Purpose + ":" + x.To
		return about + ":" + x.Template + ":" + x.Subject, about
	case automation.Report:
		return "report:" + x.Kind + ":" + x.To, "report:" + x.Kind + ":" + x.To
	case automation.Task:
		return "task:" + x.Queue + ":" + x.Title, "task:" + x.Queue + ":" + x.Title
	case automation.Ask:
		return "ask:" + x.Queue + ":" + x.Title, "ask:" + x.Queue + ":" + x.Title
	case automation.Refund:
		return "refund", "refund"
	case automation.Webhook:
		return "webhook:" + x.Connection + ":" + x.Purpose, "webhook:" + x.Connection + ":" + x.Purpose
	}
	return "", ""
}

// meeting says what is wrong with two acts on one event, or "" when they go together. Findings of
// one group say the same of different pairs.
func meeting(a, b *act) (severity Severity, kind Kind, text, group string) {
	one, other := a.step.Action, b.step.Action
	if rank(one) > rank(other) {
		a, b, one, other = b, a, other, one
	}
	first, second := named(a.of.Name), named(b.of.Name)
	later := a.later || b.later || a.of.Absence != nil && a.of.Absence.Within != b.of.Absence.Within
	switch x := one.(type) {
	case automation.Hold:
		switch y := other.(type) {
		case automation.Hold:
			if x.Queue != y.Queue {
				text := fmt.Sprintf("%s holds for the queue %s and %s for %s; the order gets one review, in the queue of the first by name", first, x.Queue, second, y.Queue)
				if later {
					text = fmt.Sprintf("%s holds for the queue %s and %s for %s; while one review is open the order gets no second", first, x.Queue, second, y.Queue)
				}
				return Warning, Conflict, text, "queues " + min(x.Queue, y.Queue) + " and " + max(x.Queue, y.Queue)
			}
		case automation.Release:
			text := fmt.Sprintf("%s holds the order and %s lets it go", first, second)
			if !later && a.of.Absence == nil {
				text += "; letting go comes last, so nobody looks at it"
			}
			return Error, Conflict, text, "let go by " + b.of.Name
		case automation.Cancel:
			text := fmt.Sprintf("%s holds the order for a person and %s cancels it", first, second)
			if !later {
				text += " at once"
			}
			return Error, Conflict, text, "cancelled by " + b.of.Name
		}
	case automation.Release:
		if _, ok := other.(automation.Cancel); ok {
			return Error, Conflict, fmt.Sprintf("%s lets the order go and %s cancels it", first, second), ""
		}
	case automation.Prefer:
		switch y := other.(type) {
		case automation.Prefer:
			if x.Location != y.Location {
				return Warning, Conflict, fmt.Sprintf("%s prefers %s and %s prefers %s; the first by name wins", first, x.Location, second, y.Location), ""
			}
		case automation.Exclude:
			if x.Location == y.Location {
				return Error, Conflict, fmt.Sprintf("%s prefers %s and %s forbids it", first, x.Location, second), ""
			}
		}
	case automation.Tag:
		return Note, Repeat, fmt.Sprintf("both put the tag %s on the order", x.Tag), ""
	case automation.Message:
		y := other.(automation.Message)
		switch {
		case x.Template != y.Template:
			which := "first by name"
			if later {
				which = "one that comes first"
			}
			return Warning, Conflict, fmt.Sprintf("both send the message %s to %s, from two templates; only the %s is sent", x.Purpose, x.To, which), ""
		case x.Subject == y.Subject:
			return Warning, Repeat, fmt.Sprintf("both send the message %s to %s; it is sent once", x.Purpose, x.To), ""
		}
		return Warning, Repeat, fmt.Sprintf("both send the message %s to %s, one of them once per order and one each time: it comes twice", x.Purpose, x.To), ""
	case automation.Report:
		return Note, Repeat, fmt.Sprintf("both send the %s report to %s; it is sent once", x.Kind, x.To), ""
	case automation.Task:
		return Warning, Repeat, fmt.Sprintf("both open the task %q for %s", x.Title, x.Queue), ""
	case automation.Ask:
		return Warning, Repeat, fmt.Sprintf("both ask %q of %s", x.Title, x.Queue), ""
	case automation.Refund:
		return Error, Repeat, "both ask finance for a refund of the same order", ""
	case automation.Webhook:
		return Warning, Repeat, fmt.Sprintf("both call %s with %s", x.Connection, x.Purpose), ""
	}
	return "", "", "", ""
}

// apart says of two acts that may be done at different times how that is; "" when they are done at once. What
// routes an order is only asked while it is routed.
func apart(x, y *act, severity Severity, text string) (Severity, string) {
	if x.of.Absence != nil && x.of.Absence.Within != y.of.Absence.Within {
		return soften(severity), text + "; they do it at different times"
	}
	for _, a := range []*act{x, y} {
		if a.later {
			return soften(severity), text + "; " + named(a.of.Name) + " does it after a wait"
		}
	}
	return severity, text
}

// soften is the severity of what happens at different times: it may be meant so.
func soften(s Severity) Severity {
	if s == Error {
		return Warning
	}
	return s
}

// rank orders the kinds so that each pair of kinds is written once above.
func rank(x automation.Action) int {
	switch x.(type) {
	case automation.Hold:
		return 0
	case automation.Release:
		return 1
	case automation.Cancel:
		return 2
	case automation.Prefer:
		return 3
	case automation.Exclude:
		return 4
	}
	return 5
}

// covers reports whether everything that b does is done by a too, whenever a fires, and at least as
// strictly. extra is what b still adds.
func covers(as, bs []act) (ok bool, extra string) {
	if len(bs) == 0 {
		return false, ""
	}
	for i := range bs {
		b := &bs[i]
		if b.later {
			return false, ""
		}
		found := false
		for j := range as {
			a := &as[j]
			if !a.sure || a.key != b.key {
				continue
			}
			if h, isHold := b.step.Action.(automation.Hold); isHold {
				if strict := a.step.Action.(automation.Hold); sla(strict.SLA) > sla(h.SLA) {
					continue
				}
				extra = "; it adds only its reason to the review"
			}
			found = true
			break
		}
		if !found {
			return false, ""
		}
	}
	return true, extra
}

func sla(d time.Duration) time.Duration {
	if d == 0 {
		return automation.DefaultSLA
	}
	return d
}
