package suggest

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"sort"
)

// Limits of the search.
const (
	beamWidth = 24   // patterns that are extended, by each of two measures
	pairWork  = 1e8  // comparing words of sets: as many single comparisons are paired with all others as this allows
	hardPrice = 0.03 // what a part that reads a delicate field must raise the agreement by
	worthTest = 0.01 // how likely a pattern may be by chance where it was found, by the number of comparisons, to be tested at all
	luck      = 0.05 // how likely the best of all patterns of a length may look better than it is
)

// candidate is a pattern that was found and is not tested yet.
type candidate struct {
	outcome string
	parts   []*literal
	bits    set     // all cases it holds for
	rank    float64 // lower bound of the agreement where it was found
	fresh   set     // decided cases that no earlier candidate of the outcome covers
	level   float64 // the agreement it was looked for with
	chance  float64 // set by confirm
}

// pattern is one under construction. Its bits are masked by what is searched.
type pattern struct {
	parts        []int // indices of literals, ascending
	bits         set
	cases, agree int
	score, gain  float64
	cost         int
}

// searcher looks for patterns of one outcome among the cases it learns on.
type searcher struct {
	o     Options
	level float64 // the agreement looked for now
	lits  []*literal
	hits  set // cases with the outcome
	words int // of the sets, that learning looks at
	least int
	sure  []float64 // normal quantile by number of parts: the more patterns there are to choose from, the surer
	base  float64   // log2 of the outcome's share among the active cases
}

// search returns patterns in the order found, the surest first. Each is looked for
// among the cases that the ones before it leave, so they say different things.
func (v *view) search(lits []*literal, outcome string, o Options) []*candidate {
	n := len(v.order)
	hits := newSet(n)
	for i := range v.decided {
		if v.row(i).outcome == outcome {
			hits.add(i)
		}
	}
	s := &searcher{o: o, lits: lits, hits: hits, words: (v.learn + 63) / 64, least: max(3, o.MinCases*learnShare/10)}
	active, fresh := span(n, 0, v.learn), span(n, 0, v.decided)
	for k := range o.MaxParts {
		s.sure = append(s.sure, quantile(luck/math.Pow(float64(len(lits)+1), float64(k+1))))
	}
	levels := o.levels()
	var out []*candidate
	for len(out) < o.MaxPatterns && len(levels) > 0 {
		s.level = levels[0]
		best := s.best(active)
		if best == nil {
			levels = levels[1:]
			continue
		}
		c := &candidate{outcome: outcome, level: s.level, bits: span(n, 0, n), fresh: slices.Clone(fresh), rank: wilson(best.agree, best.cases, zOneSided)}
		for _, i := range best.parts {
			c.parts = append(c.parts, lits[i])
			c.bits.and(lits[i].bits)
		}
		out = append(out, c)
		active.without(c.bits)
		fresh.without(c.bits)
	}
	return out
}

// best is the best pattern among the active cases, or nil when none is worth a test.
func (s *searcher) best(active set) *pattern {
	total, all := active.count(s.words), active.countBoth(s.hits, s.words)
	if all < s.least || all == total {
		return nil
	}
	s.base = math.Log2(float64(all) / float64(total))
	beam := []*pattern{{bits: active[:s.words], cases: total, agree: all}}
	var best *pattern
	for level := range s.o.MaxParts {
		width := beamWidth
		if level == 0 { // two comparisons may say much together and nothing alone
			width = max(width, int(pairWork/float64(1+len(s.lits)*s.words)))
		}
		byScore, byGain := top{width: width, by: func(p *pattern) float64 { return p.score }}, top{width: width, by: func(p *pattern) float64 { return p.gain }}
		seen := map[string]bool{}
		for _, parent := range beam {
			for i, l := range s.lits {
				p := s.extend(parent, i, l)
				if p == nil || !byScore.wants(p) && !byGain.wants(p) && !s.beats(p, best) {
					continue
				}
				p.parts = insert(parent.parts, i)
				if k := partsKey(p.parts); seen[k] {
					continue
				} else {
					seen[k] = true
				}
				p.bits = slices.Clone(parent.bits)
				p.bits.and(l.bits[:s.words])
				if s.beats(p, best) && hyperTail(total, all, p.cases, p.agree) <= worthTest/float64(len(s.lits)) {
					best = p
				}
				byScore.take(p)
				byGain.take(p)
			}
		}
		beam = byScore.list
		have := map[*pattern]bool{}
		for _, p := range beam {
			have[p] = true
		}
		for _, p := range byGain.list {
			if !have[p] {
				beam = append(beam, p)
			}
		}
	}
	if best != nil {
		best = s.prune(best, active)
	}
	return best
}

// prune drops every part that does not earn its place: without it the pattern still holds,
// and what the part leaves out is no worse than chance makes the luckiest of all literals look.
func (s *searcher) prune(p *pattern, active set) *pattern {
	for len(p.parts) > 1 {
		var shorter *pattern
		chance := luck / float64(len(s.lits))
		for k := range p.parts {
			q := &pattern{parts: slices.Delete(slices.Clone(p.parts), k, k+1), bits: slices.Clone(active[:s.words])}
			for _, i := range q.parts {
				q.bits.and(s.lits[i].bits[:s.words])
				q.cost += s.lits[i].cost
			}
			q.cases, q.agree = q.bits.count(s.words), q.bits.countBoth(s.hits, s.words)
			if float64(q.agree) < s.level*float64(q.cases) {
				continue
			}
			if c := hyperTail(q.cases, q.agree, p.cases, p.agree); c > chance {
				shorter, chance = q, c
			}
		}
		if shorter == nil {
			return p
		}
		p = shorter
	}
	return p
}

// extend is parent with one more literal, without its set; nil when that is no pattern.
func (s *searcher) extend(parent *pattern, i int, l *literal) *pattern {
	price, cost := 0.0, l.cost
	if l.hard {
		price = hardPrice
	}
	for _, j := range parent.parts {
		o := s.lits[j]
		if j == i || o.column == l.column && (o.side == l.side || l.oneWay || o.side == equal || l.side == equal) {
			return nil
		}
		if o.hard {
			price += hardPrice
		}
		cost += o.cost
	}
	n, h := 0, 0
	for w, x := range parent.bits {
		y := x & l.bits[w]
		n += bits.OnesCount64(y)
		h += bits.OnesCount64(y & s.hits[w])
	}
	if n < s.least || n == parent.cases && len(parent.parts) > 0 || h == 0 {
		return nil
	}
	p := &pattern{cases: n, agree: h, cost: cost}
	if p.score = wilson(h, n, s.sure[len(parent.parts)]) - price - s.level; p.score > 0 {
		p.score *= float64(n) // sure enough: the more cases the better
	}
	p.gain = float64(h) * (math.Log2(float64(h+1)/float64(n+2)) - s.base)
	return p
}

// beats reports whether p may be proposed and is better than best.
func (s *searcher) beats(p, best *pattern) bool {
	if float64(p.agree) < s.level*float64(p.cases) {
		return false
	}
	return best == nil || better(p, best, p.score, best.score)
}

// better compares by a measure, then more cases, then plainer parts; what is left is decided by the literals' order.
func better(a, b *pattern, x, y float64) bool {
	if c := cmp.Compare(x, y); c != 0 {
		return c > 0
	}
	if a.cases != b.cases {
		return a.cases > b.cases
	}
	return a.cost < b.cost
}

// top keeps the best patterns by a measure, best first.
type top struct {
	width int
	by    func(*pattern) float64
	list  []*pattern
}

func (t *top) wants(p *pattern) bool {
	return len(t.list) < t.width || better(p, t.list[len(t.list)-1], t.by(p), t.by(t.list[len(t.list)-1]))
}

func (t *top) take(p *pattern) {
	if !t.wants(p) {
		return
	}
	at := sort.Search(len(t.list), func(i int) bool { return better(p, t.list[i], t.by(p), t.by(t.list[i])) })
	t.list = slices.Insert(t.list, at, p)
	if len(t.list) > t.width {
		t.list = t.list[:t.width]
	}
}

func insert(sorted []int, i int) []int {
	at, _ := slices.BinarySearch(sorted, i)
	return slices.Insert(slices.Clone(sorted), at, i)
}

func partsKey(parts []int) string {
	b := make([]byte, 0, 12)
	for _, p := range parts {
		b = append(b, byte(p), byte(p>>8), byte(p>>16))
	}
	return string(b)
}

func (s set) and(o set) {
	for i := range s {
		s[i] &= o[i]
	}
}

func (s set) without(o set) {
	for i := range s {
		s[i] &^= o[i]
	}
}

// count is how many positions of the first words are in s.
func (s set) count(words int) int {
	n := 0
	for _, w := range s[:words] {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) countBoth(o set, words int) int {
	n := 0
	for i, w := range s[:words] {
		n += bits.OnesCount64(w & o[i])
	}
	return n
}
