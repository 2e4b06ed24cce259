package routing

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
)

// alternative is the best set found that needs a site.
type alternative struct {
	mask    uint64 // 0 = none found
	figures vector
}

// maxEstimates is how many costs of alternatives are looked up for one explanation, and
// estimateSteps how much work each may take: a plan nobody will ship need not be packed perfectly.
const (
	maxEstimates  = 64
	estimateSteps = 200
)

// vectorOf computes all figures of a set; its cost is that of a good assignment, not proved the best.
func (s *solver) vectorOf(mask uint64) (v vector) {
	v[0] = -s.preferred(mask)
	for g, goal := range s.goals {
		if goal == Cost {
			v[g+1] = s.estimateCost(mask)
		} else {
			v[g+1] = s.figure(g, mask)
		}
	}
	v[len(s.goals)+1] = int64(bits.OnesCount64(mask))
	return v
}

func (s *solver) estimateCost(mask uint64) int64 {
	if mask == 0 {
		return 0
	}
	kept := s.steps
	s.steps = estimateSteps
	cost, _, _ := s.pack.assign(s, mask, noLimit, true)
	s.steps = kept
	return cost
}

// noteAlternative remembers the set for its members if it is the best so far that needs them.
func (s *solver) noteAlternative(mask uint64) {
	end := s.costAt()
	var v vector
	v[0] = -s.preferred(mask)
	for g := range end {
		v[g+1] = s.figure(g, mask)
	}
	better := false
	for m := mask; m != 0 && !better; m &= m - 1 {
		a := &s.alts[bits.TrailingZeros64(m)]
		better = a.mask == 0 || comparePrefix(&v, &a.figures, end+1) <= 0
	}
	if !better {
		return
	}
	if end < len(s.goals) {
		if mask&(mask-1) != 0 {
			if s.estimate == 0 {
				return
			}
			s.estimate--
		}
		v[end+1] = s.estimateCost(mask)
		for g := end + 1; g < len(s.goals); g++ {
			v[g+1] = s.figure(g, mask)
		}
	}
	v[len(s.goals)+1] = int64(bits.OnesCount64(mask))
	for m := mask; m != 0; m &= m - 1 {
		a := &s.alts[bits.TrailingZeros64(m)]
		if a.mask == 0 || comparePrefix(&v, &a.figures, len(s.goals)+2) < 0 {
			a.mask, a.figures = mask, v
		}
	}
}

// plan turns the best assignment into a Plan, verdicts excepted.
func (s *solver) plan() Plan {
	var plan Plan
	got := func(sku string, st int32, units int64) {
		id := s.sites[st].c.ID
		for i := range plan.Assign {
			if a := &plan.Assign[i]; a.SKU == sku && a.Location == id {
				a.Qty += units
				return
			}
		}
		plan.Assign = append(plan.Assign, Assignment{SKU: sku, Location: id, Qty: units})
	}
	if s.bestMask != 0 {
		plan.Assign = make([]Assignment, 0, len(s.demand)+2)
	}
	for _, t := range s.best {
		got(s.entries[t.entry].sku, t.site, t.units)
	}
	for i := range s.demand {
		d := &s.demand[i]
		if d.Pinned == "" {
			continue
		}
		if j := s.siteOf(d.Pinned); j >= 0 && j < 64 && s.bestMask&(1<<j) != 0 {
			if t := s.pinTake(i); t > 0 {
				got(d.SKU, int32(j), t)
			}
		}
	}
	slices.SortFunc(plan.Assign, func(a, b Assignment) int {
		return cmp.Or(strings.Compare(a.SKU, b.SKU), strings.Compare(a.Location, b.Location))
	})
	s.missing(&plan)
	plan.Parcels = bits.OnesCount64(s.bestMask)
	if plan.Parcels == 0 {
		return plan
	}
	plan.DistanceKnown = true
	cost, priced := int64(0), true
	latest, dated := int64(0), true
	weights := s.parcelGrams()
	for m := s.bestMask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		st := &s.sites[i]
		if st.km < 0 {
			plan.DistanceKnown = false
		} else {
			plan.DistanceKM += st.km
		}
		price := priceOf(st.rates, weights[i])
		priced = priced && price < unknownFigure
		cost += price
		s.date(st)
		dated = dated && st.day < unknownFigure
		latest = max(latest, st.day)
	}
	if priced {
		plan.CostMinor = money.New(cost, s.currency)
	}
	if dated {
		plan.Promise = endOfDay(latest, s.shop)
	}
	return plan
}

// parcelGrams is the weight of each parcel of the best assignment.
func (s *solver) parcelGrams() (grams [64]int64) {
	for m := s.bestMask; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		grams[i] = s.pinGram[i]
	}
	for _, t := range s.best {
		grams[t.site] += t.units * s.entries[t.entry].weight
	}
	return grams
}

// missing lists what was asked for and not assigned.
func (s *solver) missing(plan *Plan) {
	for i := 0; i < len(s.demand); {
		sku := s.demand[i].SKU
		var left int64
		for ; i < len(s.demand) && s.demand[i].SKU == sku; i++ {
			left += s.demand[i].Qty
		}
		for _, a := range plan.Assign {
			if a.SKU == sku {
				left -= a.Qty
			}
		}
		if left > 0 {
			plan.Missing = append(plan.Missing, Assignment{SKU: sku, Qty: left, Backorder: s.req.AllowBackorder[sku]})
		}
	}
}

// explain gives every candidate its verdict.
func (s *solver) explain(plan *Plan) {
	defer func() {
		if s.req.Without > 0 {
			plan.More = append(plan.More, Tally{Reason: noneOfIt, Count: s.req.Without})
		}
	}()
	total := len(s.sites) + len(s.refused)
	if total == 0 {
		return
	}
	win := s.vectorOfBest()
	kept := min(total, MaxVerdicts)
	plan.Candidates = make([]Verdict, 0, kept)
	scores := make([]Score, 0, min(len(s.sites), kept)*len(s.goals))
	for m := s.bestMask; m != 0 && len(plan.Candidates) < kept; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		v := s.verdict(&s.sites[i])
		v.Chosen = true
		v.Reason = s.shipsText(i)
		scores, v.Scores = s.score(scores, &win)
		plan.Candidates = append(plan.Candidates, v)
	}
	others := 0
	for i := range s.sites {
		if i < 64 && s.bestMask&(1<<i) != 0 {
			continue
		}
		if len(plan.Candidates) == kept {
			others++
			continue
		}
		v := s.verdict(&s.sites[i])
		var fig vector
		var known bool
		v.Reason, fig, known = s.lostBecause(i, &win)
		if known {
			scores, v.Scores = s.score(scores, &fig)
		}
		plan.Candidates = append(plan.Candidates, v)
	}
	if others > 0 {
		plan.More = append(plan.More, Tally{Reason: passed.words(), Count: others})
	}
	s.explainRefused(plan, kept)
}

// explainRefused lists those that filters refused: the ones met by the last filters first.
func (s *solver) explainRefused(plan *Plan, kept int) {
	if len(s.refused) == 0 {
		return
	}
	slices.SortFunc(s.refused, func(a, b site) int {
		return cmp.Or(cmp.Compare(b.refused, a.refused), strings.Compare(a.c.ID, b.c.ID))
	})
	for i := range s.refused {
		st := &s.refused[i]
		if len(plan.Candidates) < kept {
			s.locate(st)
			v := s.verdict(st)
			v.Reason = s.refusedBecause(st)
			plan.Candidates = append(plan.Candidates, v)
			continue
		}
		if n := len(plan.More); n > 0 && plan.More[n-1].Reason == st.refused.words() {
			plan.More[n-1].Count++
		} else {
			plan.More = append(plan.More, Tally{Reason: st.refused.words(), Count: 1})
		}
	}
}

func (s *solver) verdict(st *site) Verdict {
	v := Verdict{Location: st.c.ID, Name: st.c.Name, Lat: st.c.Lat, Lon: st.c.Lon}
	if st.km >= 0 {
		v.DistanceKM, v.KMKnown = st.km, true
	}
	return v
}

// vectorOfBest is the vector of the plan, with its real cost.
func (s *solver) vectorOfBest() (v vector) {
	if s.bestMask == 0 {
		return v
	}
	v[0] = -s.preferred(s.bestMask)
	grams := s.parcelGrams()
	for g, goal := range s.goals {
		if goal != Cost {
			v[g+1] = s.figure(g, s.bestMask)
			continue
		}
		for m := s.bestMask; m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m)
			v[g+1] += priceOf(s.sites[i].rates, grams[i])
		}
	}
	v[len(s.goals)+1] = int64(bits.OnesCount64(s.bestMask))
	return v
}

// score writes a vector's goals behind all and returns both.
func (s *solver) score(all []Score, v *vector) (grown, mine []Score) {
	from := len(all)
	for g, goal := range s.goals {
		x := v[g+1]
		f := float64(x)
		switch {
		case x >= unknownFigure:
			f = -1
		case goal == Distance:
			f /= 1000
		case goal == Load:
			f /= 100
		case goal == Promise:
			today, _ := civil(s.req.At.In(s.shop))
			f = float64(x - today)
		}
		all = append(all, Score{Goal: goal, Value: f})
	}
	return all, all[from:len(all):len(all)]
}

func (s *solver) shipsText(i int) string {
	units := s.pinFill[i]
	for _, t := range s.best {
		if int(t.site) == i {
			units += t.units
		}
	}
	if units == 1 {
		return "ships 1 unit"
	}
	return "ships " + strconv.FormatInt(units, 10) + " units"
}

// lostBecause compares the best plan with the site to the winner and names the
// first figure that is worse.
func (s *solver) lostBecause(i int, win *vector) (reason string, figures vector, known bool) {
	if s.bestMask == 0 {
		units, _ := s.alone(i)
		return s.givesOnly(units) + ", and the policy ships whole orders only", figures, false
	}
	var mask uint64
	switch {
	case i < len(s.alts) && s.alts[i].mask != 0:
		mask, figures = s.alts[i].mask, s.alts[i].figures
	case i >= s.n:
		return s.beyondPool(i, win)
	case s.fillAlone(i) == s.bestFill:
		mask, figures = 1<<i, s.vectorAlone(i)
	case s.helps(i) && bits.OnesCount64(s.bestMask) == s.maxUsed:
		return "it would make " + strconv.Itoa(s.maxUsed+1) + " parcels; at most " + strconv.Itoa(s.maxUsed) + " are allowed", figures, false
	case s.helps(i):
		mask = s.bestMask | 1<<i
		figures = s.vectorOf(mask)
	default:
		return s.givesOnly(s.fillAlone(i)), figures, false
	}
	return s.worse(&figures, win) + s.together(mask, i), figures, true
}

// helps reports whether the site can take over a whole demand.
func (s *solver) helps(i int) bool {
	for e := range s.entries {
		if s.entries[e].whole&(1<<i) != 0 {
			return true
		}
	}
	return false
}

// alone is what a site can give by itself, and its weight, without the tables of the pool.
func (s *solver) alone(i int) (units, grams int64) {
	c := s.sites[i].c
	for k := range s.demand {
		d := &s.demand[k]
		if d.Pinned == "" || d.Pinned == c.ID {
			n := min(d.Qty, s.available(c, d.SKU))
			units += n
			grams += n * d.WeightG
		}
	}
	return units, grams
}

// beyondPool explains a site that was not in the pool: by what it is alone.
func (s *solver) beyondPool(i int, win *vector) (reason string, figures vector, known bool) {
	units, grams := s.alone(i)
	if units < s.bestFill {
		return s.givesOnly(units), figures, false
	}
	if s.sites[i].prefer {
		figures[0] = -units
	}
	for g, goal := range s.goals {
		if goal == Cost {
			figures[g+1] = priceOf(s.sites[i].rates, grams)
		} else {
			figures[g+1] = s.figureOf(goal, &s.sites[i])
		}
	}
	figures[len(s.goals)+1] = 1
	return s.worse(&figures, win), figures, true
}

func (s *solver) givesOnly(n int64) string {
	return "can give " + strconv.FormatInt(n, 10) + " of " + strconv.FormatInt(s.wanted, 10) + " units"
}

// together names the other locations of an alternative.
func (s *solver) together(mask uint64, i int) string {
	rest := mask &^ (1 << i)
	if rest == 0 {
		return ""
	}
	text := ", with "
	for m := rest; m != 0; m &= m - 1 {
		if m != rest {
			text += " and "
		}
		text += s.sites[bits.TrailingZeros64(m)].c.ID
	}
	return text
}

// worse names the first figure in which a loses to the winner.
func (s *solver) worse(a, win *vector) string {
	if a[0] != win[0] {
		if a[0] < win[0] {
			return "not better in the search"
		}
		return strconv.FormatInt(-a[0], 10) + " units from preferred locations instead of " + strconv.FormatInt(-win[0], 10)
	}
	for g, goal := range s.goals {
		x, y := a[g+1], win[g+1]
		if x < y {
			return "better in " + string(goal) + ", but outside what was searched"
		}
		if x > y {
			return s.versus(goal, x, y)
		}
	}
	if x, y := a[len(s.goals)+1], win[len(s.goals)+1]; x > y {
		return s.versus(Parcels, x, y)
	}
	return "equal on every goal; the order of the locations decides"
}

// versus tells two figures of a goal: "812 km instead of 43 km".
func (s *solver) versus(goal Goal, x, y int64) string {
	if x >= unknownFigure {
		switch goal {
		case Cost:
			return "no price is known for its zone and weight"
		case Promise:
			return "no transit time is known for its zone"
		case Distance:
			return "its distance is not known"
		case Rank:
			return "it has no rank"
		}
	}
	b := s.text[:0]
	switch goal {
	case Parcels:
		b = strconv.AppendInt(b, x, 10)
		b = append(b, " parcels instead of "...)
		b = strconv.AppendInt(b, y, 10)
	case Cost:
		b = append(b, money.New(x, s.currency).String()...)
		b = append(b, " instead of "...)
		b = append(b, money.New(y, s.currency).String()...)
	case Promise:
		b = append(b, "arrives "...)
		b = dateOf(x).AppendFormat(b, time.DateOnly)
		b = append(b, " instead of "...)
		b = dateOf(y).AppendFormat(b, time.DateOnly)
	case Distance:
		digits := 0
		if x < 10_000 || math.Round(float64(x)/1000) == math.Round(float64(y)/1000) {
			digits = 3
		}
		b = strconv.AppendFloat(b, float64(x)/1000, 'f', digits, 64)
		b = append(b, " km instead of "...)
		b = strconv.AppendFloat(b, float64(y)/1000, 'f', digits, 64)
		b = append(b, " km"...)
	case Rank:
		b = append(b, "rank "...)
		b = strconv.AppendInt(b, x, 10)
		b = append(b, " instead of "...)
		b = strconv.AppendInt(b, y, 10)
	case Load:
		b = strconv.AppendFloat(b, float64(x)/100, 'f', 2, 64)
		b = append(b, " % of today's capacity used instead of "...)
		b = strconv.AppendFloat(b, float64(y)/100, 'f', 2, 64)
		b = append(b, " %"...)
	}
	s.text = b
	return string(b)
}
