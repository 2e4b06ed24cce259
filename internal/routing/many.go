package routing

import (
	"math/bits"
	"strconv"
	"strings"
)

// maxPool is the number of sites that the local search exchanges: a mask has 64 bits.
const maxPool = 60

// maxRounds bounds the local search; each round takes the best of all single changes.
const maxRounds = 12

// searchMany searches more sites than can be walked exactly.
func (s *solver) searchMany(limit int) string {
	n := len(s.sites)
	s.prepare(n)
	if s.searchAlone() {
		return ""
	}
	picked := s.cover()
	pool := min(n, maxPool)
	s.prepare(pool)
	if picked <= limit {
		s.searchExactly(limit, true)
	} else if mask := uint64(1)<<picked - 1; s.pol.AllowPartial || s.filled(mask) == s.wanted {
		s.bestMask = mask
	}
	s.improve()
	text := strconv.Itoa(n) + " locations can ship this: "
	searched := limit
	if picked <= limit {
		text += "the best " + strconv.Itoa(limit) + " by " + s.goalWords() + " were searched exactly"
	} else {
		searched = picked
		text += strconv.Itoa(picked) + " were chosen one after another by what they fill"
	}
	if pool > searched {
		text += ", then exchanged one at a time with " + strconv.Itoa(pool-searched) + " others"
	}
	return text
}

// goalWords names the goals, by which the survivors are ordered.
func (s *solver) goalWords() string {
	if len(s.goals) == 0 {
		return "units"
	}
	words := make([]string, len(s.goals))
	for i, g := range s.goals {
		words[i] = string(g)
	}
	return strings.Join(words, ", ")
}

// searchAlone settles what one location alone can settle: when fewest parcels are
// the first goal and some location fills everything that all of them
// together could, the best plan is one such location, and all are looked at.
func (s *solver) searchAlone() bool {
	if len(s.goals) == 0 || s.goals[0] != Parcels {
		return false
	}
	n := s.n
	var most int64
	for _, f := range s.pinFill {
		most += f
	}
	for e := range s.entries {
		row := s.avail[e*n : (e+1)*n]
		var sum int64
		for _, a := range row {
			if sum += a; sum >= s.entries[e].qty {
				sum = s.entries[e].qty
				break
			}
		}
		most += sum
	}
	if most == 0 || (!s.pol.AllowPartial && most < s.wanted) {
		return true // nothing can be planned, whatever is tried
	}
	anyPreferred := false
	for i := range s.sites {
		anyPreferred = anyPreferred || s.sites[i].prefer
	}
	best := -1
	var bestFigures vector
	for i := range n {
		// With preferred locations about, only one of them is sure to win alone.
		if s.fillAlone(i) != most || (anyPreferred && !s.sites[i].prefer) {
			continue
		}
		v := s.vectorAlone(i)
		if best < 0 || compareVectors(&v, &bestFigures, len(s.goals)) < 0 {
			best, bestFigures = i, v
		}
	}
	if best < 0 {
		return false
	}
	s.sites[0], s.sites[best] = s.sites[best], s.sites[0]
	for i := best; i > 1; i-- { // the others keep their order
		s.sites[i], s.sites[i-1] = s.sites[i-1], s.sites[i]
	}
	s.prepare(1)
	s.bestMask, s.bestFill = 1, most
	s.pack.assign(s, 1, noLimit, false)
	s.best = append(s.best[:0], s.pack.result...)
	s.prepare(min(len(s.sites), maxPool))
	return true
}

// fillAlone is what the site fills alone.
func (s *solver) fillAlone(i int) int64 {
	total := s.pinFill[i]
	for e := range s.entries {
		total += s.avail[e*s.n+i]
	}
	return total
}

// vectorAlone is the vector of the plan that the site fills alone.
func (s *solver) vectorAlone(i int) (v vector) {
	if s.sites[i].prefer {
		v[0] = -s.fillAlone(i)
	}
	for g, goal := range s.goals {
		if goal == Cost {
			grams := s.pinGram[i]
			for e := range s.entries {
				grams += s.avail[e*s.n+i] * s.entries[e].weight
			}
			v[g+1] = priceOf(s.sites[i].rates, grams)
			continue
		}
		v[g+1] = s.figures[g*s.n+i]
	}
	v[len(s.goals)+1] = 1
	return v
}

func compareVectors(a, b *vector, goals int) int { return comparePrefix(a, b, goals+2) }

// comparePrefix compares the first n figures.
func comparePrefix(a, b *vector, n int) int {
	for i := range n {
		if a[i] != b[i] {
			return sign(a[i] - b[i])
		}
	}
	return 0
}

// cover moves to the front a set that fills much: again and again the site that
// adds most units, the more promising one among equals. It returns their number.
func (s *solver) cover() int {
	n := s.n
	s.need = zeroed(s.need, len(s.entries))
	for e := range s.entries {
		s.need[e] = s.entries[e].qty
	}
	most := min(s.maxUsed, maxPool, n)
	for picked := range most {
		best, gain := -1, int64(0)
		for i := picked; i < n; i++ {
			g := s.pinFill[i]
			for e := range s.entries {
				g += min(s.need[e], s.avail[e*n+i])
			}
			if g > gain {
				best, gain = i, g
			}
		}
		if best < 0 {
			return picked
		}
		for e := range s.entries {
			s.need[e] -= min(s.need[e], s.avail[e*n+best])
		}
		s.moveUp(best, picked)
	}
	return most
}

// moveUp moves the site from one place to an earlier one; the sites between keep their order.
func (s *solver) moveUp(from, to int) {
	n := s.n
	st := s.sites[from]
	copy(s.sites[to+1:from+1], s.sites[to:from])
	s.sites[to] = st
	shift := func(row []int64) {
		v := row[from]
		copy(row[to+1:from+1], row[to:from])
		row[to] = v
	}
	shift(s.pinFill)
	for e := range s.entries {
		shift(s.avail[e*n : (e+1)*n])
	}
}

// improve changes the set one location at a time as long as the plan gets better.
func (s *solver) improve() {
	s.bestFill = s.filled(s.bestMask)
	cur := s.vectorOf(s.bestMask)
	for range maxRounds {
		best, bestFill, bestFigures := s.bestMask, s.bestFill, cur
		try := func(mask uint64) {
			if mask == 0 || bits.OnesCount64(mask) > s.maxUsed {
				return
			}
			fill := s.filled(mask)
			if fill < bestFill || (!s.pol.AllowPartial && fill < s.wanted) {
				return
			}
			if fill == bestFill {
				v := s.vectorOf(mask)
				if compareVectors(&v, &bestFigures, len(s.goals)) >= 0 {
					return
				}
				bestFigures = v
			} else {
				bestFigures = s.vectorOf(mask)
			}
			best, bestFill = mask, fill
		}
		for i := range s.n {
			bit := uint64(1) << i
			if s.bestMask&bit != 0 {
				try(s.bestMask &^ bit)
				continue
			}
			try(s.bestMask | bit)
			for m := s.bestMask; m != 0; m &= m - 1 {
				try(s.bestMask&^(m&-m) | bit)
			}
		}
		if best == s.bestMask {
			break
		}
		s.bestMask, s.bestFill, cur = best, bestFill, bestFigures
	}
	if s.bestMask == 0 {
		s.best = s.best[:0]
		return
	}
	s.steps = max(s.steps, maxSteps/10)
	s.pack.assign(s, s.bestMask, noLimit, s.costAt() < len(s.goals))
	s.best = append(s.best[:0], s.pack.result...)
	s.dropIdle()
}

// dropIdle takes locations out of the set that ship nothing.
func (s *solver) dropIdle() {
	var used uint64
	for _, t := range s.best {
		used |= 1 << t.site
	}
	for m := s.bestMask; m != 0; m &= m - 1 {
		if s.pinFill[bits.TrailingZeros64(m)] > 0 {
			used |= m & -m
		}
	}
	s.bestMask &= used
}
