package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/operators"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Facts gives a condition the values it reads. Fact returns ok=false for what
// is not known; the condition is then unknown unless the rest decides it. The
// values are string, int64, bool, money.Amount, time.Time, time.Duration,
// []string and []Line, by the type of the field in the schema. An
// implementation may return the same values to many goroutines; they are never changed.
type Facts interface {
	Fact(name string) (value any, ok bool)
}

// Map is Facts from literals, for tests and for facts stored with a decision.
type Map map[string]any

// Fact implements Facts.
func (m Map) Fact(name string) (any, bool) {
	v, ok := m[name]
	return v, ok
}

// Line is an element of order.lines as a condition sees it.
type Line struct {
	SKU       string
	Title     string
	Qty       int64
	UnitPrice money.Amount
	Location  string // "" when routing chooses
	Kit       bool
	Available int64 // units available to promise over all locations
}

// Velocity is a count a condition asks for: earlier events of a type that share
// a value with the present one, within a window that ends now.
type Velocity struct {
	Event  string // "order.placed"
	By     string // a schema.Dimension name, e.g. "customer.email"
	Within time.Duration
	Fact   string // the name under which Facts gives the count (int64)
}

// VelocityFact returns the fact name of a velocity, e.g.
// velocity(order.placed,customer.email,24h0m0s).
func VelocityFact(event, by string, within time.Duration) string {
	return "velocity(" + event + "," + by + "," + within.String() + ")"
}

// velocityNamed reads what VelocityFact wrote; false for any other fact.
func velocityNamed(fact string) (v Velocity, ok bool) {
	in, ok := strings.CutPrefix(fact, "velocity(")
	if !ok || !strings.HasSuffix(in, ")") {
		return v, false
	}
	parts := strings.Split(strings.TrimSuffix(in, ")"), ",")
	if len(parts) != 3 {
		return v, false
	}
	d, err := time.ParseDuration(parts[2])
	return Velocity{Event: parts[0], By: parts[1], Within: d, Fact: fact}, err == nil
}

// notKnown says in words what is not known, and what the order lacks for it.
func (v Velocity) notKnown() string {
	how, lacks := v.By, "names no "+v.By
	for _, d := range schema.Dimensions() {
		if d.Name == v.By {
			how, lacks = d.How, d.Lacks
		}
	}
	return "how many orders were placed " + how + " in the last " + spanText(v.Within) + " is not known, because the order " + lacks
}

// spanText says a window in words: hours up to four days, so that a window reads as people write it.
func spanText(d time.Duration) string {
	count := func(n int64, unit string) string {
		if n == 1 {
			return unit
		}
		return strconv.FormatInt(n, 10) + " " + unit + "s"
	}
	switch {
	case d > 4*day && d%day == 0:
		return count(int64(d/day), "day")
	case d%time.Hour == 0:
		return count(int64(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return count(int64(d/time.Minute), "minute")
	}
	return DurationText(d)
}

// Outcome is the value of a condition in Kleene's three-valued logic.
type Outcome uint8

// The outcomes. Only True fires an automation.
const (
	False Outcome = iota
	True
	Unknown // a fact was missing or could not be compared, and the rest did not decide
)

// String returns false, true or unknown.
func (o Outcome) String() string {
	switch o {
	case False:
		return "false"
	case True:
		return "true"
	default:
		return "unknown"
	}
}

func (o Outcome) not() Outcome {
	switch o {
	case False:
		return True
	case True:
		return False
	default:
		return Unknown
	}
}

// UnknownError says why a condition is unknown: the facts that were missing, and
// the first thing that could not be computed (two currencies, a wrong type).
type UnknownError struct {
	Missing []string // sorted, each once
	Cause   string   // "" when only facts were missing
}

// Error implements error.
func (e *UnknownError) Error() string {
	var fields, told []string
	for _, m := range e.Missing {
		if v, ok := velocityNamed(m); ok {
			told = append(told, v.notKnown())
		} else {
			fields = append(fields, m)
		}
	}
	if len(fields) > 0 {
		told = slices.Insert(told, 0, "not known: "+strings.Join(fields, ", "))
	}
	if e.Cause != "" {
		told = append(told, e.Cause)
	}
	return strings.Join(told, "; ")
}

// Condition is a compiled condition. It is immutable and safe for concurrent use.
type Condition struct {
	reads
	src   string
	event string
	root  node
	tree  *branch // what Explain walks
}

// Source returns the text the condition was compiled from.
func (c *Condition) Source() string { return c.src }

// EventType returns the event type the condition was compiled for.
func (c *Condition) EventType() string { return c.event }

// All returns the texts of the parts that all have to be true: those that && joins, or the whole condition.
func (c *Condition) All() []string {
	if c.tree.op != operators.LogicalAnd {
		return []string{c.src}
	}
	var out []string
	for _, b := range c.tree.children {
		out = append(out, b.text)
	}
	return out
}

// Any returns the texts of the parts of which one has to be true: those that || joins, or the whole condition.
func (c *Condition) Any() []string {
	if c.tree.op != operators.LogicalOr {
		return []string{c.src}
	}
	var out []string
	for _, b := range c.tree.children {
		out = append(out, b.text)
	}
	return out
}

// Decidable reports whether the whole condition lies in the fragment that runs
// without the interpreter: comparisons, membership, prefixes and loops over them.
func (c *Condition) Decidable() bool { return decidable(c.root) }

// Eval evaluates the condition. The error is nil unless the outcome is Unknown;
// then it is an *UnknownError. It does not allocate for a condition of the
// decidable fragment whose outcome is True or False.
func (c *Condition) Eval(f Facts) (Outcome, error) {
	x := getCtx(f)
	out := c.root.eval(x)
	var err error
	if out == Unknown {
		err = x.reason()
	}
	x.put()
	return out, err
}

func (v Velocity) String() string {
	return fmt.Sprintf("velocity(%q, %q, %q)", v.Event, v.By, DurationText(v.Within))
}
