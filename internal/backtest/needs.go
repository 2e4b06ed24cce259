package backtest

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// needs says how much of the past candidates read.
type needs struct {
	customers bool          // counts of customers
	window    time.Duration // of the widest velocity
	email     bool          // conditions on the mail address itself
	full      string        // why the light fold is not enough; "" when it is

	mail, address, device, ip bool // what velocities count by
}

// needsOf looks at what candidates read and when they are asked.
func needsOf(set *automation.Set) needs {
	n := needs{}
	for _, a := range set.All() {
		n.add(a.On, a.Condition.Source(), a.Condition.Fields())
		fields, counts := a.StepReads()
		n.add(a.On, "available", fields) // a step may read the stock of lines
		n.count(append(a.Condition.Velocities(), counts...))
		if a.On == placed {
			continue
		}
		if !lightEvents[a.On] {
			n.need(a.Name + " is asked on " + a.On)
		}
		a.Each(func(s *automation.Step) {
			if s.Kind.Spec().NeedsOrder {
				n.need(a.Name + " changes the order on " + a.On)
			}
		})
	}
	return n
}

// add takes in the facts that are read on an event type.
func (n *needs) add(on, source string, fields []string) {
	for _, name := range fields {
		f, known := schema.Lookup(name)
		switch {
		case name == "customer.tags":
			n.need("customer.tags is read") // the light fold keeps counts, no texts
		case strings.HasPrefix(name, "customer."):
			n.customers = n.customers || countedFields[name]
			n.email = n.email || name == "customer.email"
		case name == "order.lines" && (strings.Contains(source, "available") || strings.Contains(source, ".kit")):
			n.need("a condition reads the stock of lines")
		}
		if on != placed && known && f.Events == nil {
			n.need(name + " is read on " + on)
		}
	}
}

// count takes in the counts that are asked for.
func (n *needs) count(velocities []rule.Velocity) {
	for _, v := range velocities {
		n.window = max(n.window, v.Within)
		switch v.By {
		case "customer.email", "customer.id":
			n.mail = true
		case "order.address":
			n.address = true
		case "order.device":
			n.device = true
		case "order.ip":
			n.ip = true
		}
	}
}

func (n *needs) need(why string) {
	if n.full == "" {
		n.full = why
	}
}

// placed is the event that most rules are asked on, accepted the one that is derived when an order passes its checks.
const (
	placed   = "order.placed"
	accepted = "order.accepted"
)

// lightEvents can be asked about without the state of any order: their row, or a
// change of an order's state, says that they happened.
var lightEvents = map[string]bool{accepted: true, "stock.low": true, "day.ended": true}

// countedFields are the customer's facts that are counted from the history.
var countedFields = map[string]bool{
	"customer.orders": true, "customer.cancelled": true, "customer.returns": true, "customer.spent": true,
	"customer.first_at": true, "customer.account_age": true,
}
