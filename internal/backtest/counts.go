package backtest

import (
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
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
// holds some 100 bytes per customer and per mark within the widest window, nearly
// all of it without pointers, which the collector would follow again and again.
type counts struct {
	need       needs
	all        bool            // every order is looked at closely
	velocity   []rule.Velocity // that candidates ask for on order.placed
	seed       maphash.Seed
	customers  map[uint64]buyer
	currencies []string // by number; the first is none
	marks      marks
	pending    map[uint64]struct{} // orders that came but have not passed their checks
}

// buyer is a customer's counts.
type buyer struct {
	orders, cancelled, returns int32
	currency                   int32
	spent                      int64
	firstAt, lastAt            int64 // microseconds
}

func newCounts(n needs, velocity []rule.Velocity) *counts {
	return &counts{
		need: n, velocity: velocity, seed: maphash.MakeSeed(), pending: map[uint64]struct{}{}, customers: map[uint64]buyer{}, currencies: []string{""},
		marks: newMarks(n.window),
	}
}

// take gives the entry what was known before it, and counts it.
func (c *counts) take(e *Entry) {
	c.accept(e)
	if p := e.Placed(); p != nil {
		looked := c.all || e.looked() // else what is counted here is not asked for
		if c.need.customers && e.CustomerID != "" {
			key := maphash.String(c.seed, e.CustomerID)
			was, known := c.customers[key]
			is := c.customer(was, e.CustomerID)
			if known && looked {
				before := is
				e.before.customer = &before
			}
			at := e.At
			if !p.PlacedAt.IsZero() && p.PlacedAt.Before(at) {
				at = p.PlacedAt
			}
			is.Ordered(at, p.Worth(), nil)
			c.customers[key] = c.buyer(&is)
		}
		if looked {
			for _, v := range c.velocity {
				if q, ok := decide.VelocityOf(e.Event.Who, v, e.At); ok {
					e.before.queries = append(e.before.queries, q)
					e.before.counts = append(e.before.counts, c.marks.count(q))
				}
			}
		}
		if c.need.window > 0 {
			who := &e.Event.Who
			c.marks.advance(e.At)
			mail := who.Email
			if mail == "" {
				mail = who.Customer
			}
			for _, k := range [...]struct {
				key  string
				used bool
			}{
				{mail, c.need.mail}, {who.Address, c.need.address}, {who.Device, c.need.device}, {who.IP, c.need.ip},
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
			c.pending[maphash.String(c.seed, e.Subject)] = struct{}{}
		}
	case order.Cancelled, order.Completed:
		delete(c.pending, maphash.String(c.seed, e.OrderID))
	default:
		if e.before.accepted = came; !came && len(c.pending) > 0 {
			key := maphash.String(c.seed, e.OrderID)
			_, e.before.accepted = c.pending[key]
			delete(c.pending, key)
		}
	}
}

func (c *counts) change(id string, how func(*customer.Customer)) {
	key := maphash.String(c.seed, id)
	is := c.customer(c.customers[key], id)
	how(&is)
	c.customers[key] = c.buyer(&is)
}

// customer is a buyer as rules know them.
func (c *counts) customer(b buyer, id string) customer.Customer {
	at := func(us int64) (t time.Time) {
		if us != 0 {
			t = time.UnixMicro(us).UTC()
		}
		return t
	}
	return customer.Customer{
		ID: id, Orders: int64(b.orders), Cancelled: int64(b.cancelled), Returns: int64(b.returns),
		Spent: money.New(b.spent, c.currencies[b.currency]), FirstAt: at(b.firstAt), LastAt: at(b.lastAt),
	}
}

// buyer is the inverse of customer.
func (c *counts) buyer(x *customer.Customer) buyer {
	us := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	cur := slices.Index(c.currencies, x.Spent.Currency)
	if cur < 0 {
		cur = len(c.currencies)
		c.currencies = append(c.currencies, strings.Clone(x.Spent.Currency))
	}
	return buyer{
		orders: int32(x.Orders), cancelled: int32(x.Cancelled), returns: int32(x.Returns),
		currency: int32(cur), spent: x.Spent.Minor, firstAt: us(x.FirstAt), lastAt: us(x.LastAt),
	}
}

// marks counts events under keys in time windows. Those older than the widest window,
// and some slack for files that were imported out of order, are forgotten.
type marks struct {
	seed   maphash.Seed
	first  map[uint64]int64   // microseconds; most keys are seen once
	more   map[uint64][]int64 // those seen more often, ascending
	keep   time.Duration
	newest time.Time
	swept  time.Time
	late   int64 // events that came after marks they should have counted were forgotten
}

// slack is how far back in time an event may stand behind one decided before it.
const slack = 48 * time.Hour

func newMarks(window time.Duration) marks {
	return marks{seed: maphash.MakeSeed(), first: map[uint64]int64{}, more: map[uint64][]int64{}, keep: window + slack}
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
	for k, us := range m.first {
		if us < oldest {
			delete(m.first, k)
		}
	}
	for k, ts := range m.more {
		if ts[len(ts)-1] < oldest {
			delete(m.more, k)
		} else if i, _ := slices.BinarySearch(ts, oldest); i > len(ts)/2 {
			m.more[k] = slices.Clone(ts[i:])
		}
	}
}

func (m *marks) add(key string, at time.Time) {
	k, us := maphash.String(m.seed, key), at.UnixMicro()
	one, seen := m.first[k]
	ts, often := m.more[k]
	switch {
	case often:
	case !seen:
		m.first[k] = us
		return
	default:
		delete(m.first, k)
		ts = append(make([]int64, 0, 4), one)
	}
	i := len(ts)
	if ts[i-1] > us {
		i, _ = slices.BinarySearch(ts, us)
	}
	m.more[k] = slices.Insert(ts, i, us)
}

func (m *marks) count(q decide.VelocityQuery) int64 {
	k := maphash.String(m.seed, q.Key)
	if us, ok := m.first[k]; ok {
		if us >= q.From && us < q.To {
			return 1
		}
		return 0
	}
	ts := m.more[k]
	from, _ := slices.BinarySearch(ts, q.From)
	to, _ := slices.BinarySearch(ts, q.To)
	return int64(to - from)
}
