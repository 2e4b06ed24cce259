package routing

import (
	"math/bits"
	"slices"
	"strconv"
)

// search finds the best set of sites and its assignment: s.bestMask and s.best.
// It returns what was bounded, or "" when the result is proved to be the best.
func (s *solver) search() string {
	s.alts = s.alts[:0]
	n := len(s.sites)
	if n == 0 {
		s.prepare(0)
		return ""
	}
	limit := s.pol.MaxExactLocations
	if limit <= 0 || limit > defaultExactLocations {
		limit = defaultExactLocations
	}
	if n > limit {
		return s.searchMany(limit)
	}
	s.prepare(n)
	s.searchExactly(n, true)
	return s.packBound()
}

// packBound says that packing was cut short, if it was.
func (s *solver) packBound() string {
	lines := s.pol.MaxExactLines
	if lines <= 0 || lines > defaultExactLines {
		lines = defaultExactLines
	}
	switch {
	case s.exact:
		return ""
	case len(s.entries) > lines:
		return strconv.Itoa(len(s.entries)) + " SKUs: every set of locations was compared, but which parcel takes which SKU at the lowest cost was searched for " +
			strconv.Itoa(maxSteps) + " steps only"
	}
	return "every set of locations was compared, but which parcel takes which SKU at the lowest cost was searched for " +
		strconv.Itoa(maxSteps) + " steps only"
}

// fillTable computes what every set of the first n sites fills.
func (s *solver) fillTable(n int) {
	size := 1 << n
	s.fill = slices.Grow(s.fill[:0], size)[:size]
	s.sums = slices.Grow(s.sums[:0], size)[:size]
	fill, sums := s.fill, s.sums[:size]
	fill[0], sums[0] = 0, 0
	for m := 1; m < size; m++ {
		fill[m] = fill[m&(m-1)] + s.pinFill[bits.TrailingZeros(uint(m))]
	}
	for e := range s.entries {
		row, qty := s.avail[e*s.n:(e+1)*s.n], s.entries[e].qty
		for i := range n {
			// The sets with i as their highest member are those below, plus i.
			half, a := 1<<i, row[i]
			below, above := sums[:half], sums[half:2*half]
			out := fill[half : 2*half]
			for m := range below {
				sum := below[m] + a
				above[m] = sum
				out[m] += min(sum, qty)
			}
		}
	}
}

// vector is a set's figures in the order of comparison after the units filled:
// preferred units (negated), the goals, parcels. The cost's place is filled by who knows it.
type vector [10]int64

// costAt is the place of the cost in the goals; len(s.goals) when it is none.
func (s *solver) costAt() int {
	if i := slices.Index(s.goals, Cost); i >= 0 {
		return i
	}
	return len(s.goals)
}

// prefixLess computes the figures of mask up to the goal number end, as far as
// they are needed to compare with best, and returns -1, 0 or 1. A smaller vector
// overwrites best.
func (s *solver) prefixLess(mask uint64, end int, best *vector) int {
	for i := -1; i < end; i++ {
		var v int64
		if i < 0 {
			if s.prefer == 0 {
				continue
			}
			v = -s.preferred(mask)
		} else {
			v = s.figure(i, mask)
		}
		switch {
		case v > best[i+1]:
			return 1
		case v < best[i+1]:
			best[i+1] = v
			for j := i + 1; j < end; j++ {
				best[j+1] = s.figure(j, mask)
			}
			return -1
		}
	}
	return 0
}

// searchExactly walks all sets of the first n sites. With explain it notes for
// every site the best set that needs it.
func (s *solver) searchExactly(n int, explain bool) {
	s.fillTable(n)
	size := 1 << n
	most := int64(0)
	for m := 1; m < size; m++ {
		if s.fill[m] > most && bits.OnesCount(uint(m)) <= s.maxUsed {
			most = s.fill[m]
		}
	}
	if most == 0 || (!s.pol.AllowPartial && most < s.wanted) {
		return
	}
	s.bestFill = most
	end := s.costAt()
	best := worst()
	s.tied = s.tied[:0]
	bestTie := 0
	if explain {
		s.alts = slices.Grow(s.alts[:0], n)[:n]
		for i := range s.alts {
			s.alts[i] = alternative{figures: worst()}
		}
	}
	for m := 1; m < size; m++ {
		if s.fill[m] != most || bits.OnesCount(uint(m)) > s.maxUsed {
			continue
		}
		mask := uint64(m)
		switch order := s.prefixLess(mask, end, &best); {
		case order < 0 || len(s.tied) == 0:
			s.tied = append(s.tied[:0], mask)
			bestTie = bits.OnesCount(uint(m))
		case order == 0:
			if end < len(s.goals) {
				s.tied = append(s.tied, mask)
			} else if k := bits.OnesCount(uint(m)); k < bestTie {
				s.tied[0], bestTie = mask, k
			}
		}
		if explain && s.needed(m) {
			s.noteAlternative(mask)
		}
	}
	if end < len(s.goals) {
		s.cheapest(end)
		return
	}
	s.bestMask = s.tied[0]
	s.pack.assign(s, s.bestMask, noLimit, false)
	s.best = append(s.best[:0], s.pack.result...)
}

func worst() (v vector) {
	for i := range v {
		v[i] = noLimit
	}
	return v
}

// needed reports whether every member of the set is needed for what it fills.
func (s *solver) needed(m int) bool {
	for r := uint(m); r != 0; r &= r - 1 {
		if s.fill[m&^(1<<bits.TrailingZeros(r))] == s.fill[m] {
			return false
		}
	}
	return true
}

// priceAtLeast is a lower bound of the cost of a set: every parcel costs what its pinned
// units cost, and the rest of the order's weight must go into these parcels somehow.
func (s *solver) priceAtLeast(mask uint64, rest int64) int64 {
	p := &s.pack
	p.s, p.mask = s, mask
	var sum int64
	for m := mask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		p.weight[i] = s.pinGram[i]
		sum += priceOf(s.sites[i].rates, s.pinGram[i])
	}
	return sum + p.atLeast(rest)
}

// emptyPrice is the sum of the prices of the parcels with their pinned units only.
func (s *solver) emptyPrice(mask uint64) int64 {
	var sum int64
	for m := mask; m != 0; m &= m - 1 {
		sum += s.empty[bits.TrailingZeros64(m)]
	}
	return sum
}

// freeGrams is what the free demands weigh at least when they are filled as far as can be.
func (s *solver) freeGrams() int64 {
	if s.bestFill < s.wanted {
		return 0 // which units are missing differs from set to set
	}
	var sum int64
	for e := range s.entries {
		sum += s.entries[e].qty * s.entries[e].weight
	}
	return sum
}

// cheapest chooses among the tied sets by cost, then by the goals behind it, then parcels.
// One of the smallest sets is packed first: its price rules most of the others out.
func (s *solver) cheapest(costAt int) {
	rest := s.freeGrams()
	first := tiedBound{lower: noLimit}
	for _, m := range s.tied {
		switch k := bits.OnesCount64(m) - bits.OnesCount64(first.mask); {
		case first.mask == 0 || k < 0:
			first = tiedBound{m, s.priceAtLeast(m, rest)}
		case k == 0 && s.emptyPrice(m) < first.lower:
			if lower := s.priceAtLeast(m, rest); lower < first.lower {
				first = tiedBound{m, lower}
			}
		}
	}
	cost := s.packTied(first.mask, noLimit, costAt)
	s.bounds = s.bounds[:0]
	for _, m := range s.tied {
		if m != first.mask && s.emptyPrice(m) <= cost {
			if lower := s.priceAtLeast(m, rest); lower <= cost {
				s.bounds = append(s.bounds, tiedBound{m, lower})
			}
		}
	}
	slices.SortFunc(s.bounds, func(a, b tiedBound) int {
		if a.lower != b.lower {
			return sign(a.lower - b.lower)
		}
		return sign(int64(a.mask) - int64(b.mask))
	})
	for _, b := range s.bounds {
		if b.lower > cost {
			break
		}
		cost = s.packTied(b.mask, cost, costAt)
	}
}

// packTied packs one of the tied sets and keeps it if it is better than the best so far, which costs cost.
func (s *solver) packTied(mask uint64, cost int64, costAt int) int64 {
	limit := cost
	if cost < noLimit && s.laterLess(mask, s.bestMask, costAt) {
		limit = cost + 1 // at equal cost it wins by what comes behind
	}
	c, found, proved := s.pack.assign(s, mask, limit, true)
	s.exact = s.exact && proved
	if !found {
		return cost
	}
	s.bestMask = mask
	s.best = append(s.best[:0], s.pack.result...)
	return c
}

func sign(v int64) int {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}

// laterLess compares two sets by the goals behind the cost and the fixed order.
func (s *solver) laterLess(a, b uint64, costAt int) bool {
	for g := costAt + 1; g < len(s.goals); g++ {
		if x, y := s.figure(g, a), s.figure(g, b); x != y {
			return x < y
		}
	}
	if x, y := bits.OnesCount64(a), bits.OnesCount64(b); x != y {
		return x < y
	}
	return a < b
}
