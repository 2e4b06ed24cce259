// Package schema is the catalogue of the data that conditions may read: every
// field's type, unit, meaning and system of record, and the events on which it
// is known. The rule compiler, the editor's completion, the checks over a set of
// automations and the system map all read this one list, so that a field which
// is not written down here does not exist for any of them.
package schema

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// Type is the type of a field's value.
type Type string

// The types of fields. The Go type that carries each is given behind it.
const (
	String   Type = "string"   // string
	Int      Type = "int"      // int64
	Bool     Type = "bool"     // bool
	Money    Type = "money"    // money.Amount; compares within one currency only
	Time     Type = "time"     // time.Time
	Duration Type = "duration" // time.Duration
	Strings  Type = "strings"  // []string
	Lines    Type = "lines"    // []rule.Line
)

// Noun returns the type in the words of an error message.
func (t Type) Noun() string {
	switch t {
	case Int:
		return "a whole number"
	case Bool:
		return "true or false"
	case Money:
		return "money"
	case Time:
		return "a time"
	case Duration:
		return "a duration"
	case Strings:
		return "a list of text"
	case Lines:
		return "a list of order lines"
	default:
		return "text"
	}
}

// Field is one datum.
type Field struct {
	Name     string // dotted, as written in a condition
	Type     Type
	Unit     string   // what the value counts or how it is written
	Doc      string   // one sentence: what it means
	System   string   // the system of record: who is right when two disagree
	Personal bool     // identifies a person; shown masked, never logged
	Events   []string // event types on which it is available; nil = every order event
	Words    string   // of a value that a step has named: what it is called in a sentence
	Options  []string // of a value that a step has named: the texts that it may be, when they are known
}

// Available reports whether the field can be known on events of a type.
func (f *Field) Available(eventType string) bool {
	if f.Events == nil {
		return IsOrderEvent(eventType)
	}
	return slices.Contains(f.Events, eventType)
}

// settled are the facts of an order that stay as they were when it was placed.
var settled = []string{
	"order.id", "order.channel", "order.number", "order.total", "order.subtotal", "order.shipping_cost", "order.discount", "order.currency", "order.units",
	"order.line_count", "order.payment_method", "order.service", "order.note", "order.placed_at", "order.shipping.country", "order.shipping.region",
	"order.shipping.city", "order.shipping.postal", "order.billing.country", "order.billing.region", "order.billing.city", "order.billing.postal",
	"order.addresses_differ", "order.countries_differ", "customer.id", "customer.email_domain", "ip.country", "ip.known",
}

// afterPlacing are the events of which is certain that their order was placed before, or by them.
var afterPlacing = []string{
	"order.accepted", "order.cancelled", "order.completed", "order.placed", "order.ready", "order.unfillable", "shipment.rejected", "shipment.shipped",
}

// Settled reports whether a fact that is read some time after an event of a type is what it was upon the event:
// the event told it, or the order was placed with it.
func Settled(name, eventType string) bool {
	f, ok := Lookup(name)
	switch {
	case !ok || f.Personal || f.Type == Strings || f.Type == Lines:
		return false
	case f.Events != nil:
		return true
	}
	return slices.Contains(settled, name) && slices.Contains(afterPlacing, eventType)
}

// orderEvents are the types whose subject is an order or something done for one.
var orderEvents = []string{
	"absence.due", "effect.failed", "order.accepted", "order.cancelled", "order.completed", "order.hold_requested", "order.paid", "order.placed",
	"order.ready", "order.release_requested", "order.reroute_requested", "order.unfillable", "payment.disputed", "return.received",
	"shipment.delivered", "shipment.labelled", "shipment.rejected", "shipment.scanned", "shipment.shipped", "task.assigned", "task.decided", "task.overdue",
}

// otherEvents are the types without an order.
var otherEvents = []string{"day.ended", "schedule.due", "stock.adjusted", "stock.counted", "stock.low", "stock.received", "stock.transferred"}

// Events returns every event type an automation may be triggered by, sorted.
func Events() []string {
	all := slices.Concat(orderEvents, otherEvents)
	sort.Strings(all)
	return all
}

// IsOrderEvent reports whether order.* and customer.* fields exist on events of a type. On task
// and effect events they are unknown when the task or effect is not about an order.
func IsOrderEvent(eventType string) bool { return slices.Contains(orderEvents, eventType) }

// KnownEvent reports whether automations may be triggered by the type.
func KnownEvent(eventType string) bool {
	return IsOrderEvent(eventType) || slices.Contains(otherEvents, eventType)
}

// Fields returns the fields available on events of a type, sorted by name.
// The empty type returns the whole catalogue.
func Fields(eventType string) []Field {
	out := make([]Field, 0, len(catalogue))
	for i := range catalogue {
		if eventType == "" || catalogue[i].Available(eventType) {
			out = append(out, catalogue[i])
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

var byName = func() map[string]int {
	m := make(map[string]int, len(catalogue))
	for i := range catalogue {
		m[catalogue[i].Name] = i
	}
	return m
}()

// Lookup returns the field of a name, available anywhere.
func Lookup(name string) (Field, bool) {
	i, ok := byName[name]
	if !ok {
		return Field{}, false
	}
	return catalogue[i], true
}

// LineFields returns the fields of an element of order.lines, in the order of an order form.
func LineFields() []Field { return slices.Clone(lineFields) }

// VelocityEvents returns the event types that velocity counts.
func VelocityEvents() []string { return []string{"order.placed"} }

// Dimension is something by which velocity counts earlier events.
type Dimension struct {
	Name  string // as written in the condition, e.g. "customer.email"
	Doc   string
	How   string // how its orders were placed: "with this address"
	Lacks string // what is so of an order that cannot be counted by it: "has no device"
}

// Dimensions returns what velocity may count by.
func Dimensions() []Dimension { return slices.Clone(dimensions) }

// Nearest returns the candidate that is most likely meant by word, or "" when
// none is near. A candidate whose last part after a dot is the word counts as near.
func Nearest(word string, candidates []string) string {
	best, bestD := "", len(word)/3+1
	if len(word) < 3 {
		bestD = 1
	}
	w := strings.ToLower(word)
	for _, c := range candidates {
		l := strings.ToLower(c)
		d := distance(w, l)
		if i := strings.LastIndexByte(l, '.'); i >= 0 && !strings.Contains(w, ".") {
			d = min(d, distance(w, l[i+1:])+1)
		}
		if d < bestD || d == bestD && best == "" {
			best, bestD = c, d
		}
	}
	return best
}

// SortNearest sorts names by how near they are to a word, which may have a dot too.
func SortNearest(word string, names []string) {
	w := strings.ToLower(word)
	last := w[strings.LastIndexByte(w, '.')+1:]
	far := func(name string) int {
		l := strings.ToLower(name)
		end := l[strings.LastIndexByte(l, '.')+1:]
		d := min(distance(w, l), distance(last, end))
		if last != "" && strings.Contains(l, last) {
			d = min(d, 1)
		}
		return d
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(far(a), far(b)), cmp.Compare(a, b)) })
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours between two words (optimal string alignment).
func distance(a, b string) int {
	const limit = 64
	if len(a) > limit || len(b) > limit {
		return 1 << 20 // names are never that long: not near
	}
	var rows [3][limit + 1]int
	two, one, cur := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(one[j]+1, cur[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, two[j-2]+1)
			}
			cur[j] = d
		}
		two, one, cur = one, cur, two
	}
	return one[len(b)]
}
