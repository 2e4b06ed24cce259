package routing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/geo"
)

// The definition of the package comment once more, as plainly as it can be
// written: all sets, all divisions of every demand, all figures; no bounds, no tables.

// bruteEntry is a demand with what each survivor can give to it.
type bruteEntry struct {
	d     Demand
	avail []int64
}

type brute struct {
	req   Request
	pol   *Policy
	sites []Candidate
	best  []int64 // vector of the best plan; nil = no plan
}

func give(p *Policy, c Candidate, sku string) int64 {
	safety := c.SafetyStock
	if safety == 0 {
		safety = p.SafetyStock
	}
	return max(0, c.ATP[sku]-safety)
}

func survives(req Request, p *Policy, c Candidate) bool {
	if c.Closed || slices.Contains(req.Exclude, c.ID) {
		return false
	}
	if len(c.Channels) > 0 && !slices.Contains(c.Channels, req.Channel) {
		return false
	}
	if len(c.ShipsTo) > 0 && !slices.Contains(c.ShipsTo, req.Country) {
		return false
	}
	if c.Capacity > 0 && int64(c.Capacity)-c.ParcelsToday < 1 {
		return false
	}
	if day, today := p.leaves(&c, req.At, time.UTC); p.MustLeaveToday && day > today {
		return false
	}
	for _, d := range req.Demand {
		if (d.Pinned == "" || d.Pinned == c.ID) && give(p, c, d.SKU) > 0 {
			return true
		}
	}
	return false
}

func newBrute(req Request, p *Policy) *brute {
	b := &brute{req: req, pol: p}
	for _, c := range req.Candidates {
		if survives(req, p, c) {
			b.sites = append(b.sites, c)
		}
	}
	return b
}

// entries are the demands against the set: pinned claims first, then what is left for the free ones.
func (b *brute) entries(set []int) (pins, free []bruteEntry) {
	left := map[[2]string]int64{}
	for _, i := range set {
		for _, d := range b.req.Demand {
			left[[2]string{d.SKU, b.sites[i].ID}] = give(b.pol, b.sites[i], d.SKU)
		}
	}
	for _, d := range b.req.Demand {
		if d.Pinned == "" {
			continue
		}
		e := bruteEntry{d: d, avail: make([]int64, len(set))}
		for k, i := range set {
			if id := b.sites[i].ID; id == d.Pinned {
				e.avail[k] = min(d.Qty, left[[2]string{d.SKU, id}])
				left[[2]string{d.SKU, id}] -= e.avail[k]
			}
		}
		pins = append(pins, e)
	}
	for _, d := range b.req.Demand {
		if d.Pinned == "" {
			e := bruteEntry{d: d, avail: make([]int64, len(set))}
			for k, i := range set {
				e.avail[k] = left[[2]string{d.SKU, b.sites[i].ID}]
			}
			free = append(free, e)
		}
	}
	return pins, free
}

// allowed says whether a division of a free demand follows the rules.
func (e bruteEntry) allowed(x []int64) bool {
	var sum, total int64
	alone := false
	givers, parts := 0, 0
	for k, v := range x {
		if v > e.avail[k] {
			return false
		}
		sum += v
		total += e.avail[k]
		alone = alone || e.avail[k] >= e.d.Qty
		if v > 0 {
			givers++
			if v < e.avail[k] {
				parts++
			}
		}
	}
	if sum != min(e.d.Qty, total) {
		return false
	}
	if alone {
		return givers == 1
	}
	return parts <= 1
}

// divisions lists every allowed division.
func (e bruteEntry) divisions() [][]int64 {
	var out [][]int64
	x := make([]int64, len(e.avail))
	var rec func(k int)
	rec = func(k int) {
		if k == len(x) {
			if e.allowed(x) {
				out = append(out, slices.Clone(x))
			}
			return
		}
		for v := range min(e.avail[k], e.d.Qty) + 1 {
			x[k] = v
			rec(k + 1)
		}
		x[k] = 0
	}
	rec(0)
	return out
}

// run looks at every plan.
func (b *brute) run() {
	n := len(b.sites)
	for mask := 1; mask < 1<<n; mask++ {
		var set []int
		for i := range n {
			if mask&(1<<i) != 0 {
				set = append(set, i)
			}
		}
		if b.pol.MaxSplits > 0 && len(set) > b.pol.MaxSplits {
			continue
		}
		pins, free := b.entries(set)
		units := make([]int64, len(set))
		grams := make([]int64, len(set))
		for _, e := range pins {
			for k, v := range e.avail {
				units[k] += v
				grams[k] += v * e.d.WeightG
			}
		}
		var rec func(k int)
		rec = func(k int) {
			if k < len(free) {
				for _, x := range free[k].divisions() {
					for j, v := range x {
						units[j] += v
						grams[j] += v * free[k].d.WeightG
					}
					rec(k + 1)
					for j, v := range x {
						units[j] -= v
						grams[j] -= v * free[k].d.WeightG
					}
				}
				return
			}
			if v := b.vector(set, units, grams); v != nil && (b.best == nil || slices.Compare(v, b.best) < 0) {
				b.best = v
			}
		}
		rec(0)
	}
}

// vector is the list of figures of a plan, nil when the plan is not allowed. Goals take
// two places: the number of parcels whose figure is unknown, then the figure of the others.
func (b *brute) vector(set []int, units, grams []int64) []int64 {
	var filled, preferred, wanted int64
	for _, d := range b.req.Demand {
		wanted += d.Qty
	}
	for k, i := range set {
		if units[k] == 0 {
			return nil
		}
		filled += units[k]
		if slices.Contains(b.req.Prefer, b.sites[i].ID) {
			preferred += units[k]
		}
	}
	if !b.pol.AllowPartial && filled < wanted {
		return nil
	}
	v := []int64{-filled, -preferred}
	for _, g := range b.pol.Goals {
		var unknown, figure int64
		for k, i := range set {
			x, ok := b.figure(g, b.sites[i], grams[k])
			switch {
			case !ok:
				unknown++
			case g == Promise || g == Load:
				figure = max(figure, x)
			default:
				figure += x
			}
		}
		v = append(v, unknown, figure)
	}
	return append(v, int64(len(set)))
}

func (b *brute) figure(g Goal, c Candidate, grams int64) (int64, bool) {
	km := -1.0
	if b.req.HasPoint && (c.Lat != 0 || c.Lon != 0) {
		km = geo.DistanceKM(c.Lat, c.Lon, b.req.Lat, b.req.Lon)
	}
	name := c.RateCard
	if name == "" {
		name = b.pol.DefaultCard
	}
	card, zones := b.pol.RateCards[name], b.pol.Zones
	if card.Zones != nil {
		zones = card.Zones
	}
	z, zoned := zone(zones, b.req.Country, b.req.Postal, km)
	switch g {
	case Parcels:
		return 1, true
	case Cost:
		for _, r := range card.Rates {
			if zoned && r.Zone == z && (r.UpToG == 0 || grams <= r.UpToG) {
				return r.Minor, true
			}
		}
		return 0, false
	case Promise:
		n, ok := b.pol.TransitDays[z]
		day, _ := b.pol.leaves(&c, b.req.At, time.UTC)
		return b.pol.arrival(day, n), ok && zoned
	case Distance:
		return int64(math.Round(km * 1000)), km >= 0
	case Rank:
		return int64(c.Rank), c.Rank > 0
	case Load:
		if c.Capacity == 0 {
			return 0, true
		}
		return c.ParcelsToday * 10000 / int64(c.Capacity), true
	}
	panic(g)
}

// vectorOfPlan checks that the plan keeps the rules and returns its figures.
func (b *brute) vectorOfPlan(plan Plan) ([]int64, error) {
	var set []int
	for i, c := range b.sites {
		if slices.ContainsFunc(plan.Assign, func(a Assignment) bool { return a.Location == c.ID }) {
			set = append(set, i)
		}
	}
	given := map[[2]string]int64{}
	for _, a := range plan.Assign {
		if given[[2]string{a.SKU, a.Location}] != 0 || a.Qty <= 0 {
			return nil, fmt.Errorf("assignment %+v is empty or doubled", a)
		}
		given[[2]string{a.SKU, a.Location}] = a.Qty
	}
	pins, free := b.entries(set)
	units := make([]int64, len(set))
	grams := make([]int64, len(set))
	missing := map[string]int64{}
	for _, d := range b.req.Demand {
		missing[d.SKU] += d.Qty
	}
	use := func(e bruteEntry, x []int64) {
		for k, i := range set {
			units[k] += x[k]
			grams[k] += x[k] * e.d.WeightG
			given[[2]string{e.d.SKU, b.sites[i].ID}] -= x[k]
			missing[e.d.SKU] -= x[k]
		}
	}
	for _, e := range pins {
		use(e, e.avail)
	}
	for _, e := range free {
		x := make([]int64, len(set))
		for k, i := range set {
			x[k] = given[[2]string{e.d.SKU, b.sites[i].ID}]
		}
		if !e.allowed(x) {
			return nil, fmt.Errorf("%s: %v of %v for %d breaks the rules", e.d.SKU, x, e.avail, e.d.Qty)
		}
		use(e, x)
	}
	for k, v := range given {
		if v != 0 {
			return nil, fmt.Errorf("%v: %d units more than asked for or had", k, v)
		}
	}
	for _, m := range plan.Missing {
		missing[m.SKU] -= m.Qty
	}
	for sku, n := range missing {
		if n != 0 {
			return nil, fmt.Errorf("%s: %d units are neither assigned nor missing", sku, n)
		}
	}
	if len(set) == 0 {
		return nil, nil
	}
	v := b.vector(set, units, grams)
	if v == nil {
		return nil, fmt.Errorf("the plan is not allowed")
	}
	if plan.Parcels != len(set) {
		return nil, fmt.Errorf("%d parcels are said, %d are used", plan.Parcels, len(set))
	}
	return v, nil
}

// randomPolicy draws goals in any order and everything that they look at.
func randomPolicy(r *rand.Rand) *Policy {
	p := &Policy{
		MaxSplits: max(0, r.IntN(8)-4), AllowPartial: r.IntN(6) > 0, MustLeaveToday: r.IntN(16) == 0, SafetyStock: int64(r.IntN(8) / 7),
		TransitDays: map[string]int{"near": r.IntN(2), "home": 1 + r.IntN(2), "far": 2 + r.IntN(3)},
		Zones:       []Zone{{Name: "near", UpToKM: 100}, {Name: "home", Countries: []string{"DE"}}, {Name: "far", PostalPrefixes: []string{"7", "8"}}},
		DefaultCard: []string{"", "a"}[r.IntN(2)],
	}
	for _, i := range r.Perm(len(goals))[:r.IntN(len(goals)+1)] {
		p.Goals = append(p.Goals, goals[i])
	}
	if r.IntN(2) == 0 {
		p.WorkingDays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	}
	card := func(zones ...string) RateCard {
		c := RateCard{Currency: "EUR"}
		for _, z := range zones {
			price, g := int64(300+100*r.IntN(4)), int64(0)
			for range 1 + r.IntN(4) {
				g += []int64{500, 1000, 2000}[r.IntN(3)]
				c.Rates = append(c.Rates, Rate{Zone: z, UpToG: g, Minor: price})
				price += int64(50 * r.IntN(8))
			}
			if r.IntN(3) == 0 {
				c.Rates = append(c.Rates, Rate{Zone: z, Minor: price})
			}
		}
		return c
	}
	p.RateCards = map[string]RateCard{"a": card("near", "home", "far"), "b": card("home", "near"), "c": card("all")}
	c := p.RateCards["c"]
	c.Zones = []Zone{{Name: "all"}}
	p.RateCards["c"] = c
	return p
}

func randomRequest(r *rand.Rand, sites, skus int) Request {
	req := Request{
		Channel: "web", Country: []string{"DE", "FR"}[r.IntN(2)], Postal: []string{"10115", "75001", "80331"}[r.IntN(3)],
		Lat: 50, Lon: 10, HasPoint: r.IntN(6) > 0,
		At: time.Date(2026, 3, 20+r.IntN(14), r.IntN(24), r.IntN(60), 0, 0, time.UTC),
	}
	name := func(i int) string { return string(rune('A' + i)) }
	for i := range skus {
		w := []int64{0, 200, 450, 800, 1500}[r.IntN(5)]
		sku := "sku-" + name(i)
		if r.IntN(10) > 0 {
			req.Demand = append(req.Demand, Demand{SKU: sku, Qty: int64(1 + r.IntN(4)), WeightG: w})
		}
		for j := range sites {
			if r.IntN(6*sites) == 0 {
				req.Demand = append(req.Demand, Demand{SKU: sku, Qty: int64(1 + r.IntN(3)), WeightG: w, Pinned: name(j)})
			}
		}
	}
	for i := range sites {
		c := Candidate{Location: catalog.Location{
			ID: name(i), Rank: r.IntN(4), Closed: r.IntN(40) == 0, SafetyStock: int64(r.IntN(10) / 8),
			Capacity: []int{0, 5, 8, 9}[r.IntN(4)], CutOff: []string{"", "09:00", "15:00"}[r.IntN(3)], HandlingH: []int{0, 0, 5, 30}[r.IntN(4)],
			TimeZone: []string{"", "Europe/Berlin", "America/New_York"}[r.IntN(3)], RateCard: []string{"", "a", "b", "c", "none"}[r.IntN(5)],
		}, ParcelsToday: int64(r.IntN(6)), ATP: map[string]int64{}}
		if r.IntN(6) > 0 { // few different places, so that goals tie and the next ones decide
			c.Lat, c.Lon = 50+[]float64{0, 0.5, 3}[r.IntN(3)], 10+[]float64{0, 2}[r.IntN(2)]
		}
		if r.IntN(16) == 0 {
			c.ShipsTo = []string{"DE"}
		}
		if r.IntN(24) == 0 {
			c.Channels = []string{[]string{"web", "shop"}[r.IntN(2)]}
		}
		for k := range skus {
			if r.IntN(4) > 0 {
				c.ATP["sku-"+name(k)] = int64(r.IntN(6)) - 1
			}
		}
		if r.IntN(16) == 0 {
			req.Exclude = append(req.Exclude, c.ID)
		}
		if r.IntN(6) == 0 {
			req.Prefer = append(req.Prefer, c.ID)
		}
		req.Candidates = append(req.Candidates, c)
	}
	return req
}

func TestTenThousandInstancesEqualBruteForce(t *testing.T) {
	var partial, empty, split, multi, costly int
	for seed := range uint64(10_000) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := randomPolicy(r)
		req := randomRequest(r, 1+r.IntN(6), 1+r.IntN(4))
		b := newBrute(req, p)
		b.run()
		plan := Route(req, p)
		got, err := b.vectorOfPlan(plan)
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v\n%+v", seed, err, req, plan)
		}
		if !slices.Equal(got, b.best) {
			t.Fatalf("seed %d: goals %v: figures %v, brute force found %v\nrequest %+v\nplan %+v", seed, p.Goals, got, b.best, req, plan)
		}
		if !plan.Exact || plan.Bound != "" {
			t.Fatalf("seed %d: %d survivors are said to be bounded: %q", seed, len(b.sites), plan.Bound)
		}
		if len(plan.Candidates) != len(req.Candidates) {
			t.Fatalf("seed %d: %d verdicts for %d candidates", seed, len(plan.Candidates), len(req.Candidates))
		}
		for _, v := range plan.Candidates {
			// A proved plan has no better neighbour, so no loser may claim a better figure.
			if v.Reason == "" || strings.Contains(v.Reason, "better") {
				t.Fatalf("seed %d: %s lost because %q\n%+v", seed, v.Location, v.Reason, plan)
			}
		}
		shuffled := req
		shuffled.Candidates = slices.Clone(req.Candidates)
		shuffled.Demand = slices.Clone(req.Demand)
		r.Shuffle(len(shuffled.Candidates), func(i, j int) {
			shuffled.Candidates[i], shuffled.Candidates[j] = shuffled.Candidates[j], shuffled.Candidates[i]
		})
		r.Shuffle(len(shuffled.Demand), func(i, j int) {
			shuffled.Demand[i], shuffled.Demand[j] = shuffled.Demand[j], shuffled.Demand[i]
		})
		if again := Route(shuffled, p); !reflect.DeepEqual(again, plan) {
			t.Fatalf("seed %d: another order of the candidates gives another plan\n%+v\n%+v", seed, plan, again)
		}
		switch {
		case plan.Parcels == 0:
			empty++
		case len(plan.Missing) > 0:
			partial++
		}
		if plan.Parcels > 1 {
			multi++
			if slices.Contains(p.Goals, Cost) {
				costly++
			}
		}
		for i := 1; i < len(plan.Assign); i++ {
			if plan.Assign[i].SKU == plan.Assign[i-1].SKU {
				split++
				break
			}
		}
	}
	t.Logf("10,000 instances: %d without a plan, %d partial, %d with several parcels (%d of them priced), %d with a split SKU", empty, partial, multi, costly, split)
	if empty < 100 || partial < 1000 || multi < 1000 || costly < 500 || split < 500 {
		t.Error("the instances do not exercise what they should")
	}
}
