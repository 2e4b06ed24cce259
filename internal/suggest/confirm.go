package suggest

import (
	"math"
	"slices"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
)

// confirm keeps the candidates that hold on the cases they were not found on.
//
// A candidate is a fixed set there, so if decisions had nothing to do with the
// facts, how many of its cases agree would be a blind draw: Fisher's exact test.
// Holm's correction over all candidates makes the chance that such decisions lead
// to any suggestion at all at most o.Chance.
func confirm(v *view, cands []*candidate, o Options) []*candidate {
	for _, c := range cands {
		var total, hits, n, h int
		for i := v.learn; i < v.learn+v.confirm; i++ {
			if !c.fresh.has(i) {
				continue
			}
			agreed := v.row(i).outcome == c.outcome
			total++
			if agreed {
				hits++
			}
			if c.bits.has(i) {
				n++
				if agreed {
					h++
				}
			}
		}
		c.chance = hyperTail(total, hits, n, h)
	}
	byChance := slices.Clone(cands)
	slices.SortStableFunc(byChance, func(a, b *candidate) int {
		switch {
		case a.chance < b.chance:
			return -1
		case a.chance > b.chance:
			return 1
		}
		return 0
	})
	worst := 0.0
	for i, c := range byChance {
		worst = max(worst, c.chance*float64(len(cands)-i))
		c.chance = min(1, worst)
	}
	var out []*candidate
	for _, c := range cands {
		test := v.tally(c, v.learn, v.learn+v.confirm)
		all := v.tally(c, 0, v.learn+v.confirm)
		switch {
		case c.chance > o.Chance, all.Cases < o.MinCases, all.Rate() < c.level:
		case binomialHead(test.Agreed, test.Cases, c.level) < 0.05: // the test contradicts the agreement
		default:
			out = append(out, c)
		}
	}
	return out
}

// tally counts a candidate's cases among the positions from a up to b.
func (v *view) tally(c *candidate, a, b int) Tally {
	var t Tally
	for i := a; i < b; i++ {
		if c.bits.has(i) {
			t.Cases++
			if v.row(i).outcome == c.outcome {
				t.Agreed++
			}
		}
	}
	return t
}

// suggestion gathers the evidence of a confirmed candidate.
func (v *view) suggestion(c *candidate, o Options) *Suggestion {
	known := v.learn + v.confirm
	s := &Suggestion{
		Outcome: c.outcome, Step: stepOf(c.outcome), Chance: c.chance, parts: c.parts, rank: c.rank, Against: []Example{}, Money: []money.Amount{},
		All: v.tally(c, 0, known), Learned: v.tally(c, 0, v.learn), Confirmed: v.tally(c, v.learn, known),
	}
	shapes := []string{c.outcome}
	for _, l := range c.parts {
		shapes = append(shapes, l.shape)
	}
	slices.Sort(shapes)
	s.Key = event.Derive("sug_", shapes...)

	var cases []int // the decided ones, newest first
	for i := range known {
		if c.bits.has(i) {
			cases = append(cases, i)
		} else {
			s.Others.Cases++
			if v.row(i).outcome == c.outcome {
				s.Others.Agreed++
			}
		}
	}
	slices.SortStableFunc(cases, func(a, b int) int { return v.row(b).at.Compare(v.row(a).at) })
	who, queues, sums := map[string]bool{}, map[string]int{}, map[string]money.Amount{}
	for k, i := range cases {
		r := v.row(i)
		who[r.by] = true
		queues[r.queue]++
		if r.money.Currency != "" {
			sums[r.money.Currency] = sums[r.money.Currency].Add(r.money)
		}
		agreed := r.outcome == c.outcome
		if k < (len(cases)+2)/3 {
			s.Lately.Cases++
			if agreed {
				s.Lately.Agreed++
			}
		}
		if !agreed && len(s.Against) < MaxExamples {
			s.Against = append(s.Against, Example{ID: r.id, Number: r.number, At: r.at, Outcome: r.outcome})
		}
	}
	s.Reviewers = len(who)
	for _, a := range sums {
		s.Money = append(s.Money, a)
	}
	slices.SortFunc(s.Money, func(a, b money.Amount) int {
		if a.Minor != b.Minor && a.Currency == b.Currency {
			return int(b.Minor - a.Minor)
		}
		if a.Currency < b.Currency {
			return -1
		}
		return 1
	})
	for q, n := range queues {
		if q != "" && (s.Queue == "" || n > queues[s.Queue] || n == queues[s.Queue] && q < s.Queue) {
			s.Queue = q
		}
	}
	v.reach(s, c)
	s.word(o)
	return s
}

// reach is what the pattern would have fired on among all cases, decided or not.
func (v *view) reach(s *Suggestion, c *candidate) {
	hours := map[int64]int{}
	var from, to int64
	for i := range v.order {
		at := v.row(i).at.Unix()
		if i == 0 || at < from {
			from = at
		}
		if i == 0 || at > to {
			to = at
		}
		if c.bits.has(i) {
			s.Reach++
			hours[at/3600]++
		}
	}
	for _, n := range hours {
		s.PerHour = max(s.PerHour, n)
	}
	days := max(1, float64(to-from)/86400)
	s.PerDay = math.Round(100*float64(s.Reach)/days) / 100
}

// coveredBy is the automation whose step people already have for every case of the
// pattern, and which people's decisions bear out as a whole; "" = none. That it fires on
// every such order is proved or disproved where its condition and the pattern can be reasoned
// about; elsewhere the decided cases say so.
func (v *view) coveredBy(c *candidate, o Options) string {
	step := stepOf(c.outcome)
	pos := make([]int32, len(v.t.rows))
	for i, r := range v.order {
		pos[r] = int32(i)
	}
	known := v.learn + v.confirm
	pattern, _ := rule.Compile(v.suggestion(c, o).When, trigger)
	name := ""
	for _, m := range v.t.covered {
		if m.fact != step || name != "" && m.value > name {
			continue
		}
		var own Tally
		holds := newSet(len(v.order))
		for _, r := range m.rows {
			i := int(pos[r])
			holds.add(i)
			if i < known {
				own.Cases++
				if v.row(i).outcome == c.outcome {
					own.Agreed++
				}
			}
		}
		all := own.Rate() >= o.Agreement
		if has := v.t.conditions[m.value]; all && pattern != nil && has != nil {
			switch verdict, _ := rule.Solve(rule.IsTrue(pattern), rule.NotTrue(has)); verdict {
			case rule.Impossible:
				name = m.value
				continue
			case rule.Possible:
				continue
			}
		}
		for i := 0; i < known && all; i++ {
			all = !c.bits.has(i) || holds.has(i)
		}
		if all {
			name = m.value
		}
	}
	return name
}
