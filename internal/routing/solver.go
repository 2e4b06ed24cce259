package routing

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"
)

// entry is a free demand: units of a SKU that any location may ship.
type entry struct {
	sku    string
	qty    int64
	weight int64  // grams of one unit
	whole  uint64 // sites of the pool that can fill it alone
}

// take is a number of units of an entry from one site.
type take struct {
	entry int32
	site  int32 // index into the pool
	units int64
}

// solver is the work on one request. Its slices are kept for the next request;
// nothing in a Plan points into them.
type solver struct {
	req    Request
	pol    *Policy
	shop   *time.Location
	goals  []Goal
	demand []Demand // summed by SKU and pin, ordered by both

	sites    []site // survivors, most promising first
	refused  []site
	currency string

	postalDone bool
	postalCode string

	// The pool is the first n sites; bit i of a mask is sites[i].
	n       int
	entries []entry
	avail   []int64 // [entry*n + site], after pinned claims, at most the entry's quantity
	pinFill []int64 // units that pinned demands take at a site
	pinGram []int64 // and their weight
	pinPref []int64 // and how many of them count as preferred
	empty   []int64 // price of the parcel with its pinned units only
	prefer  uint64
	wanted  int64 // units asked for
	maxUsed int   // most parcels

	figures []int64 // [goal*n + site], what a site adds to the goal; cost excepted
	fill    []int64 // by mask, for the exact search
	sums    []int64
	tied    []uint64 // masks that are best up to the cost
	bounds  []tiedBound
	need    []int64 // by entry, for the greedy cover

	pack packer

	steps    int  // left to the packing of this request
	exact    bool // nothing was cut short so far
	estimate int  // packings left to the explanation

	best     []take // the assignment of the best mask
	bestMask uint64
	bestFill int64

	alts []alternative
	text []byte
}

type tiedBound struct {
	mask  uint64
	lower int64
}

var solvers = sync.Pool{New: func() any { return new(solver) }}

// maxSteps bounds the packing of one request: some milliseconds.
const maxSteps = 60_000

// Route plans the order. It always returns a plan; what cannot be shipped is Missing.
func Route(req Request, p *Policy) Plan {
	if p == nil {
		p = DefaultPolicy()
	}
	s := solvers.Get().(*solver)
	plan := s.route(req, p)
	s.req, s.pol = Request{}, nil // the pool keeps no order alive
	clear(s.sites)
	clear(s.refused)
	solvers.Put(s)
	return plan
}

func (s *solver) route(req Request, p *Policy) Plan {
	s.start(req, p)
	bound := s.search()
	plan := s.plan()
	plan.Exact, plan.Bound = bound == "", bound
	s.explain(&plan)
	return plan
}

// start filters the candidates and puts the survivors in order.
func (s *solver) start(req Request, p *Policy) {
	s.req, s.pol, s.shop = req, p, req.Zone
	if s.shop == nil {
		s.shop = time.UTC
	}
	s.goals = s.goals[:0]
	for _, g := range p.Goals {
		if slices.Contains(goals, g) && !slices.Contains(s.goals, g) {
			s.goals = append(s.goals, g)
		}
	}
	s.sites, s.refused, s.currency = s.sites[:0], s.refused[:0], ""
	s.postalDone, s.postalCode = false, ""
	s.exact, s.steps, s.estimate = true, maxSteps, maxEstimates
	s.best, s.bestMask, s.bestFill = s.best[:0], 0, 0
	s.sumDemand()
	s.filter()
	s.claim()
	s.order()
	s.maxUsed = p.MaxSplits
	if s.maxUsed <= 0 {
		s.maxUsed = len(s.sites)
	}
}

// sumDemand adds up entries with the same SKU and pin.
func (s *solver) sumDemand() {
	s.demand = s.demand[:0]
	for _, d := range s.req.Demand {
		if d.Qty > 0 {
			d.WeightG = max(d.WeightG, 0)
			s.demand = append(s.demand, d)
		}
	}
	slices.SortStableFunc(s.demand, func(a, b Demand) int {
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Pinned, b.Pinned))
	})
	kept := s.demand[:0]
	s.wanted = 0
	for _, d := range s.demand {
		s.wanted += d.Qty
		if last := len(kept) - 1; last >= 0 && kept[last].SKU == d.SKU && kept[last].Pinned == d.Pinned {
			kept[last].Qty += d.Qty
			kept[last].WeightG = max(kept[last].WeightG, d.WeightG)
			continue
		}
		kept = append(kept, d)
	}
	s.demand = kept
}

// claim gives pinned demands their units and lists the free ones. The figures
// are per site in the order of s.sites; order keeps them together.
func (s *solver) claim() {
	s.entries = s.entries[:0]
	for i := range s.demand {
		if d := &s.demand[i]; d.Pinned == "" {
			s.entries = append(s.entries, entry{sku: d.SKU, qty: d.Qty, weight: d.WeightG})
		} else if j := s.siteOf(d.Pinned); j >= 0 && s.pinTake(i) > 0 {
			s.sites[j].pinned = true
		}
	}
}

func (s *solver) siteOf(id string) int {
	for i := range s.sites {
		if s.sites[i].c.ID == id {
			return i
		}
	}
	return -1
}

// pinTake is what pinned demand i takes at its location. Two demands of one SKU
// are never pinned to the same location: sumDemand has added them up.
func (s *solver) pinTake(i int) int64 {
	d := &s.demand[i]
	j := s.siteOf(d.Pinned)
	if j < 0 {
		return 0
	}
	return min(d.Qty, s.available(s.sites[j].c, d.SKU))
}

// order sorts the survivors by what they are worth alone, so that ties and the
// pool beyond twelve follow the policy: pinned, preferred, units, goals, id.
func (s *solver) order() {
	needsDay := slices.Contains(s.goals, Promise)
	for i := range s.sites {
		if needsDay {
			s.date(&s.sites[i])
		}
	}
	slices.SortFunc(s.sites, func(a, b site) int {
		if a.pinned != b.pinned {
			return boolFirst(a.pinned)
		}
		if a.prefer != b.prefer {
			return boolFirst(a.prefer)
		}
		for _, g := range s.goals {
			if c := cmp.Compare(s.figureOf(g, &a), s.figureOf(g, &b)); c != 0 {
				return c
			}
		}
		return strings.Compare(a.c.ID, b.c.ID)
	})
}

func boolFirst(first bool) int {
	if first {
		return -1
	}
	return 1
}

// figureOf is what one parcel from the site adds to a goal; of the cost, the lowest price it can have.
func (s *solver) figureOf(g Goal, st *site) int64 {
	switch g {
	case Parcels:
		return 1
	case Cost:
		return priceOf(st.rates, 0)
	case Promise:
		return st.day
	case Distance:
		return st.metres
	case Rank:
		if st.c.Rank <= 0 {
			return unknownFigure
		}
		return int64(st.c.Rank)
	case Load:
		if st.c.Capacity <= 0 {
			return 0
		}
		return max(st.c.ParcelsToday, 0) * 10_000 / int64(st.c.Capacity)
	}
	return 0
}

// prepare makes the tables of a pool of the first n sites.
func (s *solver) prepare(n int) {
	s.n = n
	s.pinFill = zeroed(s.pinFill, n)
	s.pinGram = zeroed(s.pinGram, n)
	s.pinPref = zeroed(s.pinPref, n)
	s.avail = zeroed(s.avail, n*len(s.entries))
	s.figures = zeroed(s.figures, n*len(s.goals))
	s.prefer = 0
	for i := range n { // beyond 64 sites the masks are empty and only the sums are used
		if s.sites[i].prefer {
			s.prefer |= 1 << i
		}
		for g, goal := range s.goals {
			s.figures[g*n+i] = s.figureOf(goal, &s.sites[i])
		}
	}
	for e := range s.entries {
		en := &s.entries[e]
		en.whole = 0
		for i := range n {
			a := min(s.available(s.sites[i].c, en.sku), en.qty)
			s.avail[e*n+i] = a
		}
	}
	for i := range s.demand {
		d := &s.demand[i]
		if d.Pinned == "" {
			continue
		}
		j := s.siteOf(d.Pinned)
		if j < 0 || j >= n {
			continue
		}
		t := s.pinTake(i)
		s.pinFill[j] += t
		s.pinGram[j] += t * d.WeightG
		if s.sites[j].prefer {
			s.pinPref[j] += t
		}
		for e := range s.entries {
			if en := &s.entries[e]; en.sku == d.SKU {
				s.avail[e*n+j] = min(s.available(s.sites[j].c, d.SKU)-t, en.qty)
			}
		}
	}
	s.empty = zeroed(s.empty, n)
	for i := range n {
		s.empty[i] = priceOf(s.sites[i].rates, s.pinGram[i])
	}
	for e := range s.entries {
		en := &s.entries[e]
		for i := range n {
			if s.avail[e*n+i] == en.qty {
				en.whole |= 1 << i
			}
		}
	}
}

func zeroed(b []int64, n int) []int64 {
	b = slices.Grow(b[:0], n)[:n]
	clear(b)
	return b
}

// figure is a set's figure for goal number g, which is not the cost.
func (s *solver) figure(g int, mask uint64) int64 {
	row := s.figures[g*s.n : (g+1)*s.n]
	switch s.goals[g] {
	case Parcels:
		return int64(bits.OnesCount64(mask))
	case Promise:
		var unknown, latest int64
		for m := mask; m != 0; m &= m - 1 {
			if v := row[bits.TrailingZeros64(m)]; v >= unknownFigure {
				unknown += unknownFigure
			} else {
				latest = max(latest, v)
			}
		}
		return unknown + latest
	case Load:
		var most int64
		for m := mask; m != 0; m &= m - 1 {
			most = max(most, row[bits.TrailingZeros64(m)])
		}
		return most
	default:
		var sum int64
		for m := mask; m != 0; m &= m - 1 {
			sum += row[bits.TrailingZeros64(m)]
		}
		return sum
	}
}

// filled is the number of units a set can fill.
func (s *solver) filled(mask uint64) int64 {
	var total int64
	for m := mask; m != 0; m &= m - 1 {
		total += s.pinFill[bits.TrailingZeros64(m)]
	}
	for e := range s.entries {
		total += min(s.entries[e].qty, s.sumOf(e, mask))
	}
	return total
}

func (s *solver) sumOf(e int, mask uint64) int64 {
	row := s.avail[e*s.n : (e+1)*s.n]
	var sum int64
	for m := mask; m != 0; m &= m - 1 {
		sum += row[bits.TrailingZeros64(m)]
	}
	return sum
}

// preferred is the number of units a set can take from preferred locations
// without filling less.
func (s *solver) preferred(mask uint64) int64 {
	if mask&s.prefer == 0 {
		return 0
	}
	var total int64
	for m := mask & s.prefer; m != 0; m &= m - 1 {
		total += s.pinPref[bits.TrailingZeros64(m)]
	}
	for e := range s.entries {
		en := &s.entries[e]
		switch {
		case en.whole&mask&s.prefer != 0:
			total += en.qty
		case en.whole&mask != 0:
		default:
			total += min(en.qty, s.sumOf(e, mask&s.prefer))
		}
	}
	return total
}
