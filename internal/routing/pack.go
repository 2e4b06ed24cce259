package routing

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// priceOf is the price of a parcel of w grams; unknownFigure when no rate takes it.
func priceOf(rates []Rate, w int64) int64 {
	for i := range rates {
		if r := &rates[i]; r.UpToG == 0 || w <= r.UpToG {
			return r.Minor
		}
	}
	return unknownFigure
}

// packer assigns the entries of one set of sites to parcels so that the sum of
// the parcels' prices is least. It is a depth-first branch and bound: heavy
// entries first, cheapest parcel first, cut off by what the weight still to be
// packed must cost at least.
type packer struct {
	s    *solver
	mask uint64

	weight  [64]int64 // of each parcel so far, by site
	options []option
	takes   []take
	free    []packItem
	choice  []int32 // by depth: the option taken
	order   []int32 // scratch of all depths: options in the order of trying

	result []take // assignment of the best found
	base   []take // what has no choice
	best   int64  // look for less than this
	found  bool
	capped bool // another assignment is known: this one may be given up
	stuck  bool // ran out of steps
}

// option is one way to serve an entry: takes[from:to].
type option struct{ from, to int32 }

type packItem struct {
	entry    int32
	from, to int32 // options[from:to]
	grams    int64
	rest     int64 // grams of this and all later items
	twin     bool  // same weight and same choices as the item before
}

// noLimit is more than any plan costs.
const noLimit = math.MaxInt64

// assign finds the cheapest assignment of the set whose cost is below limit.
// With priced false the cost does not matter: the first assignment is taken.
// The result stays in p.result until the next call. proved is false when the steps ran out.
func (p *packer) assign(s *solver, mask uint64, limit int64, priced bool) (cost int64, found, proved bool) {
	p.s, p.mask, p.best, p.found, p.stuck, p.capped = s, mask, limit, false, false, limit < noLimit
	p.options, p.takes, p.free, p.base, p.result = p.options[:0], p.takes[:0], p.free[:0], p.base[:0], p.result[:0]
	var now int64
	for m := mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		p.weight[i] = s.pinGram[i]
	}
	for e := range s.entries {
		p.enter(e, priced && s.entries[e].weight > 0)
	}
	for m := mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		now += priceOf(s.sites[i].rates, p.weight[i])
	}
	if now >= limit {
		return 0, false, true
	}
	p.sort()
	p.choice = slices.Grow(p.choice[:0], len(p.free))[:len(p.free)]
	p.order = slices.Grow(p.order[:0], len(p.options))[:len(p.options)]
	p.descend(0, now)
	return p.best, p.found, !p.stuck
}

// enter lists the ways to serve entry e. One without a choice is served at once.
func (p *packer) enter(e int, choose bool) {
	s := p.s
	en := &s.entries[e]
	whole := en.whole & p.mask
	if pref := whole & s.prefer; pref != 0 {
		whole = pref // the preferred units come before any goal
	}
	switch {
	case whole != 0 && (!choose || whole&(whole-1) == 0):
		p.fix(take{int32(e), int32(bits.TrailingZeros64(whole)), en.qty})
	case whole != 0:
		from := len(p.options)
		for m := whole; m != 0; m &= m - 1 {
			p.option(take{int32(e), int32(bits.TrailingZeros64(m)), en.qty})
		}
		p.free = append(p.free, packItem{entry: int32(e), from: int32(from), to: int32(len(p.options)), grams: en.qty * en.weight})
	default:
		p.enterSplit(e, choose)
	}
}

func (p *packer) fix(t take) {
	p.weight[t.site] += t.units * p.s.entries[t.entry].weight
	p.base = append(p.base, t)
}

func (p *packer) option(ts ...take) {
	from := len(p.takes)
	p.takes = append(p.takes, ts...)
	p.options = append(p.options, option{int32(from), int32(len(p.takes))})
}

// enterSplit lists the ways to take an entry from several shelves: some are
// emptied, at most one gives a part.
func (p *packer) enterSplit(e int, choose bool) {
	s := p.s
	row := s.avail[e*s.n : (e+1)*s.n]
	var stocked uint64
	for m := p.mask; m != 0; m &= m - 1 {
		if i := bits.TrailingZeros64(m); row[i] > 0 {
			stocked |= 1 << i
		}
	}
	want := min(s.entries[e].qty, s.sumOf(e, stocked))
	if want == 0 {
		return
	}
	// Preferred shelves give all they can: the search is over the preferred ones
	// when these suffice, otherwise all of them are emptied.
	pool, must := stocked, uint64(0)
	if pref := s.sumOf(e, stocked&s.prefer); pref >= want {
		pool = stocked & s.prefer
	} else {
		must = stocked & s.prefer
	}
	rest := pool &^ must
	if choose && s.sumOf(e, pool) > want {
		// Counting the ways is work too: two to the number of shelves.
		if n := bits.OnesCount64(rest); n > defaultExactLocations || s.steps <= 0 {
			choose, p.stuck = false, true
		} else {
			s.steps -= 1 << n / 16
		}
	}
	if !choose || s.sumOf(e, pool) == want {
		left := want
		for _, part := range [2]uint64{must, pool &^ must} {
			for m := part; m != 0 && left > 0; m &= m - 1 {
				i := bits.TrailingZeros64(m)
				t := min(left, row[i])
				left -= t
				p.fix(take{int32(e), int32(i), t})
			}
		}
		return
	}
	from := len(p.options)
	left := want - s.sumOf(e, must)
	for drained := uint64(0); ; drained = (drained - rest) & rest { // every subset of rest
		sum := s.sumOf(e, drained)
		if sum == left {
			p.splitOption(e, must|drained, -1, 0)
		} else if sum < left {
			for m := rest &^ drained; m != 0; m &= m - 1 {
				i := bits.TrailingZeros64(m)
				if part := left - sum; row[i] > part { // an emptied last shelf is the case above
					p.splitOption(e, must|drained, i, part)
				}
			}
		}
		if drained == rest {
			break
		}
	}
	if p.options[len(p.options)-1].from == p.options[from].from { // only one way
		o := p.options[from]
		for _, t := range p.takes[o.from:o.to] {
			p.fix(t)
		}
		p.options, p.takes = p.options[:from], p.takes[:o.from]
		return
	}
	p.free = append(p.free, packItem{entry: int32(e), from: int32(from), to: int32(len(p.options)), grams: want * s.entries[e].weight})
}

func (p *packer) splitOption(e int, drained uint64, last int, part int64) {
	from := len(p.takes)
	row := p.s.avail[e*p.s.n : (e+1)*p.s.n]
	for m := drained; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		p.takes = append(p.takes, take{int32(e), int32(i), row[i]})
	}
	if last >= 0 {
		p.takes = append(p.takes, take{int32(e), int32(last), part})
	}
	p.options = append(p.options, option{int32(from), int32(len(p.takes))})
}

// sort puts the heavy items first, where a wrong choice shows early, and marks twins.
func (p *packer) sort() {
	slices.SortFunc(p.free, func(a, b packItem) int {
		return cmp.Or(cmp.Compare(b.grams, a.grams), cmp.Compare(a.to-a.from, b.to-b.from), cmp.Compare(a.entry, b.entry))
	})
	var rest int64
	for i := len(p.free) - 1; i >= 0; i-- {
		rest += p.free[i].grams
		p.free[i].rest = rest
		p.free[i].twin = i > 0 && p.twins(&p.free[i-1], &p.free[i])
	}
}

// twins reports whether two items can be exchanged without changing any weight.
func (p *packer) twins(a, b *packItem) bool {
	if a.grams != b.grams || a.to-a.from != b.to-b.from {
		return false
	}
	for k := range a.to - a.from {
		x, y := p.options[a.from+k], p.options[b.from+k]
		if x.to-x.from != 1 || y.to-y.from != 1 || p.takes[x.from].site != p.takes[y.from].site {
			return false
		}
	}
	return true
}

// descend packs the items from depth on; now is the price of the parcels so far.
func (p *packer) descend(depth int, now int64) {
	if depth == len(p.free) {
		p.best, p.found = now, true
		p.result = append(p.result[:0], p.base...)
		for d := range p.free {
			o := p.options[p.choice[d]]
			p.result = append(p.result, p.takes[o.from:o.to]...)
		}
		return
	}
	if p.s.steps <= 0 && (p.found || p.capped) {
		p.stuck = true
		return
	}
	it := &p.free[depth]
	if now+p.atLeast(it.rest) >= p.best {
		return
	}
	order := p.order[it.from:it.to]
	for k := range order {
		order[k] = it.from + int32(k)
	}
	if len(order) <= 64 {
		var price [64]int64
		for k := range order {
			v := p.add(order[k], 1)
			p.add(order[k], -1)
			j := k
			for j > 0 && price[j-1] > v {
				price[j], order[j] = price[j-1], order[j-1]
				j--
			}
			price[j], order[j] = v, it.from+int32(k)
		}
	}
	first := it.from
	if it.twin { // twins in ascending order: the mirror images lead to the same weights
		first += p.choice[depth-1] - p.free[depth-1].from
	}
	for _, o := range order {
		if o < first {
			continue
		}
		p.s.steps--
		more := p.add(o, 1)
		if now+more < p.best {
			p.choice[depth] = o
			p.descend(depth+1, now+more)
		}
		p.add(o, -1)
		if p.stuck {
			return
		}
	}
}

// add puts the option's units into their parcels (sign 1) or takes them out
// again (sign -1) and returns what that adds to the price.
func (p *packer) add(o int32, sign int64) int64 {
	var more int64
	op := p.options[o]
	for _, t := range p.takes[op.from:op.to] {
		rates := p.s.sites[t.site].rates
		w := &p.weight[t.site]
		more -= priceOf(rates, *w)
		*w += sign * t.units * p.s.entries[t.entry].weight
		more += priceOf(rates, *w)
	}
	return more
}

// atLeast is a lower bound of what packing rest more grams costs: what goes
// beyond the room left in the bands of all parcels together costs at
// least the flattest step of any of them, per gram.
func (p *packer) atLeast(rest int64) int64 {
	var room int64
	slope := math.Inf(1)
	for m := p.mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		rates, w := p.s.sites[i].rates, p.weight[i]
		b := 0
		for b < len(rates) && rates[b].UpToG != 0 && w > rates[b].UpToG {
			b++
		}
		if b == len(rates) || rates[b].UpToG == 0 {
			return 0 // takes any weight at the price it has
		}
		edge, price := rates[b].UpToG, rates[b].Minor
		room += edge - w
		if room >= rest {
			return 0
		}
		end := w + rest
		for b++; ; b++ {
			top, next := end, unknownFigure
			if b < len(rates) {
				next = rates[b].Minor
				if up := rates[b].UpToG; up != 0 {
					top = min(up, end)
				}
			}
			if top <= edge {
				break
			}
			slope = min(slope, float64(next-price)/float64(top-edge))
			if top == end {
				break
			}
		}
	}
	if math.IsInf(slope, 1) {
		return 0
	}
	return max(int64(math.Ceil(float64(rest-room)*slope-1e-6)), 0)
}
