package suggest

import (
	"math"
	"slices"
)

// Changed reports whether the evidence of a pattern is so different from what a person
// saw when they refused it that it is worth showing again.
func Changed(then, now Tally) bool {
	return now.Cases >= 2*then.Cases || math.Abs(now.Rate()-then.Rate()) > 0.05
}

// Later is how patterns do on decisions that are newer than all they were made from.
type Later struct {
	Orders    int     `json:"orders"`
	Bad       int     `json:"bad"`     // with the outcome looked for
	Flagged   int     `json:"flagged"` // that a pattern holds for
	Hit       int     `json:"hit"`     // flagged and bad
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	// AtCapacity looks at the most suspicious orders only, as many as people have time for.
	AtCapacity []Capacity `json:"at_capacity"`
	ByPattern  []Tally    `json:"by_pattern"` // in the order of the suggestions
}

// Capacity is a share of all orders that people can look at. Reviewed is smaller when
// fewer orders are flagged: an order that nothing speaks against is not looked at.
type Capacity struct {
	Share     float64 `json:"share"`
	Reviewed  int     `json:"reviewed"`
	Hit       int     `json:"hit"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}

// shares are the review capacities that are reported.
var shares = []float64{0.02, 0.05}

// Measure scores the suggestions of one outcome on what Find held back; nil when nothing was.
// An order's rank is that of the best pattern that holds for it; of equal ranks the earlier order comes first.
func Measure(t *Table, r *Report, o Options) *Later {
	o = o.withDefaults()
	v := t.view(o)
	if v.heldBack == 0 || len(o.Outcomes) != 1 {
		return nil
	}
	bad := o.Outcomes[0]
	l := &Later{Orders: v.heldBack}
	type flagged struct {
		rank float64
		bad  bool
	}
	var fs []flagged
	first := v.learn + v.confirm
	sets := make([]set, len(r.Suggestions))
	for i, s := range r.Suggestions {
		sets[i] = span(len(v.order), first, v.decided)
		for _, p := range s.parts {
			sets[i].and(p.bits)
		}
	}
	l.ByPattern = make([]Tally, len(sets))
	for i := first; i < v.decided; i++ {
		f := flagged{bad: v.row(i).outcome == bad}
		if f.bad {
			l.Bad++
		}
		holds := false
		for k, s := range r.Suggestions {
			if !sets[k].has(i) {
				continue
			}
			holds = true
			f.rank = max(f.rank, s.rank)
			l.ByPattern[k].Cases++
			if f.bad {
				l.ByPattern[k].Agreed++
			}
		}
		if holds {
			fs = append(fs, f)
			if f.bad {
				l.Hit++
			}
		}
	}
	l.Flagged = len(fs)
	l.Precision, l.Recall = ratio(l.Hit, l.Flagged), ratio(l.Hit, l.Bad)
	slices.SortStableFunc(fs, func(a, b flagged) int {
		switch {
		case a.rank > b.rank:
			return -1
		case a.rank < b.rank:
			return 1
		}
		return 0
	})
	for _, share := range shares {
		c := Capacity{Share: share, Reviewed: min(len(fs), int(math.Ceil(share*float64(l.Orders))))}
		for _, f := range fs[:c.Reviewed] {
			if f.bad {
				c.Hit++
			}
		}
		c.Precision, c.Recall = ratio(c.Hit, c.Reviewed), ratio(c.Hit, l.Bad)
		l.AtCapacity = append(l.AtCapacity, c)
	}
	return l
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return math.Round(10000*float64(a)/float64(b)) / 10000
}
