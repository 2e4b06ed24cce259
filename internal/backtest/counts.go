package backtest

import (
	"hash/maphash"
	"slices"
	"time"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/rule"
)

// before is what was known just before an order was placed.
type before struct {
	customer *customer.Customer // nil: not seen before, or nobody asks
	queries  []decide.VelocityQuery
	counts   []int64 // in the order of queries
	accepted bool    // the event let the order pass its checks for the first time
	then     *then
}

// counts is the light fold: how often each buyer bought and each key was seen. It
// holds some 100 bytes per customer and per mark within the widest window.
type counts struct {
	need      needs
	velocity  []rule.Velocity // that candidates ask for on order.placed
	customers map[string]*customer.Customer
	marks     marks
	pending   map[string]bool // orders that came but have not passed their checks
}

func newCounts(n needs, velocity []rule.Velocity) *counts {
	return &counts{need: n, velocity: velocity, pending: map[string]bool{}, customers: map[string]*customer.Customer{}, marks: newMarks(n.window)}
}

// take gives the entry what was known before it, and counts it.
func (c *counts) take(e *Entry) {
	c.accept(e)
	if p := e.Placed(); p != nil {
		if c.need.customers && e.CustomerID != "" {
			have := c.customers[e.CustomerID]
			next := &customer.Customer{ID: e.CustomerID}
			if have != nil {
				e.before.customer = have
				*next = *have
			}
			at := e.At
			if !p.PlacedAt.IsZero() && p.PlacedAt.Before(at) {
				at = p.PlacedAt
			}
			next.Ordered(at, p.Worth())
			c.customers[e.CustomerID] = next // a new one: the old one is being looked at
		}
		for _, v := range c.velocity {
			if q, ok := decide.VelocityOf(e.Event.Who, v, e.At); ok {
				e.before.queries = append(e.before.queries, q)
				e.before.counts = append(e.before.counts, c.marks.count(q))
			}
		}
		if c.need.window > 0 {
			who := e.Event.Who
			c.marks.advance(e.At)
			mail := who.Email
			if mail == "" {
				mail = who.Customer
			}
			for _, k := range [...]struct {
				key  string
				used bool
			}{
				{mail, c.need.by["customer.email"] || c.need.by["customer.id"]},
				{who.Address, c.need.by["order.address"]},
				{who.Device, c.need.by["order.device"]},
				{who.IP, c.need.by["order.ip"]},
			} {
				if k.used && k.key != "" {
					c.marks.add(k.key, e.At)
				}
			}
		}
	}
	if !c.need.customers || e.CustomerID == "" {
		return
	}
	switch {
	case e.To == order.Cancelled:
		c.change(e.CustomerID, (*customer.Customer).Cancel)
	case e.Type == "return.received":
		c.change(e.CustomerID, func(x *customer.Customer) { x.Returns++ })
	}
}

// accept notices which event let an order pass: the engine derives order.accepted
// from it, and keeps no row of it when nobody reacted.
func (c *counts) accept(e *Entry) {
	if e.Mode != event.Live || e.To == "" {
		return
	}
	came := e.From == order.Expected
	switch e.To {
	case order.Held, order.Unfillable:
		if came {
			c.pending[e.Subject] = true
		}
	case order.Cancelled, order.Completed:
		delete(c.pending, e.OrderID)
	default:
		e.before.accepted = came || c.pending[e.OrderID]
		delete(c.pending, e.OrderID)
	}
}

func (c *counts) change(id string, how func(*customer.Customer)) {
	next := &customer.Customer{ID: id}
	if have := c.customers[id]; have != nil {
		*next = *have
	}
	how(next)
	c.customers[id] = next
}

// marks counts events under keys in time windows. Those older than the widest window,
// and some slack for files that were imported out of order, are forgotten.
type marks struct {
	seed   maphash.Seed
	at     map[uint64][]int64 // microseconds, ascending
	keep   time.Duration
	newest time.Time
	swept  time.Time
	late   int64 // events that came after marks they should have counted were forgotten
}

// slack is how far back in time an event may stand behind one decided before it.
const slack = 48 * time.Hour

func newMarks(window time.Duration) marks {
	return marks{seed: maphash.MakeSeed(), at: map[uint64][]int64{}, keep: window + slack}
}

// advance forgets what no window reaches any more.
func (m *marks) advance(now time.Time) {
	if now.Before(m.newest.Add(-slack)) {
		m.late++
	}
	if now.After(m.newest) {
		m.newest = now
	}
	if now.Sub(m.swept) < m.keep/2 {
		return
	}
	m.swept = now
	oldest := now.Add(-m.keep).UnixMicro()
	for k, ts := range m.at {
		if ts[len(ts)-1] < oldest {
			delete(m.at, k)
		} else if i, _ := slices.BinarySearch(ts, oldest); i > len(ts)/2 {
			m.at[k] = slices.Clone(ts[i:])
		}
	}
}

func (m *marks) add(key string, at time.Time) {
	k, us := maphash.String(m.seed, key), at.UnixMicro()
	ts := m.at[k]
	if n := len(ts); n == 0 || ts[n-1] <= us {
		m.at[k] = append(ts, us)
		return
	}
	i, _ := slices.BinarySearch(ts, us)
	m.at[k] = slices.Insert(ts, i, us)
}

func (m *marks) count(q decide.VelocityQuery) int64 {
	ts := m.at[maphash.String(m.seed, q.Key)]
	from, _ := slices.BinarySearch(ts, q.From)
	to, _ := slices.BinarySearch(ts, q.To)
	return int64(to - from)
}
