package routing

import (
	"math"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the zones wherever they run

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/money"
)

// at makes a candidate with 5 units of the SKU a, changed by f.
func at(id string, f func(c *Candidate)) Candidate {
	c := Candidate{Location: catalog.Location{ID: id, Name: "House " + id, Country: "DE"}, ATP: map[string]int64{"a": 5}}
	if f != nil {
		f(&c)
	}
	return c
}

// order asks for three units of the SKU a, from Berlin, on a Friday afternoon.
func order(cs ...Candidate) Request {
	return Request{
		OrderID: "o", Channel: "web", Country: "FR", Postal: "75001", Lat: 52.52, Lon: 13.405, HasPoint: true,
		At:     time.Date(2026, 3, 27, 14, 30, 0, 0, time.UTC), // 15:30 in Berlin, two days before the clocks change
		Demand: []Demand{{SKU: "a", Qty: 3, WeightG: 700}}, Candidates: cs,
	}
}

func reasons(p Plan) map[string]string {
	out := map[string]string{}
	for _, v := range p.Candidates {
		out[v.Location] = v.Reason
	}
	return out
}

func TestEveryFilterSaysWhy(t *testing.T) {
	req := order(
		at("ok", nil),
		at("closed", func(c *Candidate) { c.Closed = true }),
		at("excluded", nil),
		at("channel", func(c *Candidate) { c.Channels = []string{"shop"} }),
		at("country", func(c *Candidate) { c.ShipsTo = []string{"DE", "AT"} }),
		at("safety", func(c *Candidate) { c.ATP["a"], c.SafetyStock = 2, 2 }),
		at("empty", func(c *Candidate) { c.ATP["a"] = -4 }),
		at("full", func(c *Candidate) { c.Capacity, c.ParcelsToday = 200, 200 }),
		at("late", func(c *Candidate) { c.CutOff, c.TimeZone = "15:00", "Europe/Berlin" }),
		at("slow", func(c *Candidate) { c.HandlingH = 48 }),
	)
	req.Exclude = []string{"excluded"}
	p := DefaultPolicy()
	p.MustLeaveToday = true
	plan := Route(req, p)
	want := map[string]string{
		"ok":       "ships 3 units",
		"closed":   "closed",
		"excluded": "excluded for this order",
		"channel":  `does not serve channel "web"`,
		"country":  "does not ship to FR",
		"safety":   "0 of 3 available (2 kept as safety stock)",
		"empty":    "0 of 3 available",
		"full":     "capacity reached: 200 of 200 parcels today",
		"late":     "leaves 2026-03-28, not today: cut-off 15:00 Europe/Berlin",
		"slow":     "leaves 2026-03-29, not today",
	}
	got := reasons(plan)
	for id, w := range want {
		if got[id] != w {
			t.Errorf("%s: %q, want %q", id, got[id], w)
		}
	}
	if len(got) != len(want) || !plan.Candidates[0].Chosen || plan.Candidates[0].Location != "ok" {
		t.Errorf("%+v", plan.Candidates)
	}
}

func TestLosersSayTheFirstWorseFigure(t *testing.T) {
	near := func(km float64) func(*Candidate) {
		return func(c *Candidate) { c.Lat, c.Lon = 52.52+km/111.195, 13.405 }
	}
	for _, c := range []struct {
		name  string
		goals []Goal
		a, b  func(*Candidate)
		want  string
	}{
		{"distance", []Goal{Parcels, Distance}, near(43), near(812), "812 km instead of 43 km"},
		{"short distances keep their metres", []Goal{Distance}, near(1.2), near(1.4), "1.400 km instead of 1.200 km"},
		{"no coordinates", []Goal{Distance}, near(812), nil, "its distance is not known"},
		{"cost", []Goal{Parcels, Cost}, near(50), near(150), "9.90 EUR instead of 7.90 EUR"},
		{"no price", []Goal{Cost}, near(50), func(c *Candidate) { c.RateCard = "none" }, "no price is known for its zone and weight"},
		{"promise", []Goal{Promise}, near(50), near(150), "arrives 2026-03-31 instead of 2026-03-28"},
		{"handling", []Goal{Promise}, near(50), func(c *Candidate) { near(50)(c); c.HandlingH = 24 }, "arrives 2026-03-29 instead of 2026-03-28"},
		{"no transit time", []Goal{Promise}, near(50), func(c *Candidate) { c.RateCard = "none" }, "no transit time is known for its zone"},
		{"rank", []Goal{Rank}, func(c *Candidate) { c.Rank = 1 }, func(c *Candidate) { c.Rank = 3 }, "rank 3 instead of 1"},
		{"no rank", []Goal{Rank}, func(c *Candidate) { c.Rank = 9 }, nil, "it has no rank"},
		{
			"load",
			[]Goal{Load},
			func(c *Candidate) { c.Capacity, c.ParcelsToday = 200, 50 }, func(c *Candidate) { c.Capacity, c.ParcelsToday = 3, 2 },
			"66.66 % of today's capacity used instead of 25.00 %",
		},
		{"nothing differs", []Goal{Parcels}, nil, nil, "equal on every goal; the order of the locations decides"},
		{"too little", []Goal{Parcels}, nil, func(c *Candidate) { c.ATP["a"] = 2 }, "can give 2 of 3 units"},
	} {
		p := shopPolicy(c.goals...)
		p.RateCards["none"] = RateCard{Currency: "EUR", Zones: []Zone{}}
		plan := Route(order(at("A", c.a), at("B", c.b)), p)
		if got := reasons(plan); got["A"] != "ships 3 units" || got["B"] != c.want {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}

func TestAlternativesOfSeveralParcels(t *testing.T) {
	two := func(a, b int64) func(*Candidate) {
		return func(c *Candidate) { c.ATP = map[string]int64{"a": a, "b": b} }
	}
	req := order(at("A", two(5, 5)), at("B", two(5, 0)), at("C", two(0, 5)))
	req.Demand = append(req.Demand, Demand{SKU: "b", Qty: 1})
	got := reasons(Route(req, DefaultPolicy()))
	if got["A"] != "ships 4 units" || got["B"] != "2 parcels instead of 1, with C" || got["C"] != "2 parcels instead of 1, with B" {
		t.Errorf("%v", got)
	}
	// Without C there is no plan that needs B; the one that lets it help has a parcel more.
	req.Candidates = req.Candidates[:2]
	if got = reasons(Route(req, DefaultPolicy())); got["B"] != "2 parcels instead of 1, with A" {
		t.Errorf("%v", got)
	}
}

func TestTheLimitOfParcelsIsAReason(t *testing.T) {
	req := order(at("A", func(c *Candidate) { c.ATP["b"] = 1 }), at("B", nil))
	req.Demand = append(req.Demand, Demand{SKU: "b", Qty: 1})
	p := DefaultPolicy()
	p.MaxSplits = 1
	if got := reasons(Route(req, p))["B"]; got != "it would make 2 parcels; at most 1 are allowed" {
		t.Errorf("%q", got)
	}
}

func TestPreferredComesBeforeTheGoals(t *testing.T) {
	req := order(
		at("A", func(c *Candidate) { c.Rank = 1 }),
		at("B", func(c *Candidate) { c.Rank = 2 }),
		at("C", func(c *Candidate) { c.Rank, c.ATP["a"] = 3, 1 }),
	)
	req.Prefer = []string{"B", "C"}
	p := DefaultPolicy()
	p.Goals = []Goal{Rank}
	plan := Route(req, p)
	if got := reasons(plan); len(plan.Assign) != 1 || plan.Assign[0].Location != "B" || got["A"] != "0 units from preferred locations instead of 3" {
		t.Errorf("%+v %v", plan.Assign, got)
	}
	// Filling more beats preference.
	req.Prefer = []string{"C"}
	if plan = Route(req, p); plan.Assign[0].Location != "A" || len(plan.Missing) != 0 {
		t.Errorf("%+v", plan.Assign)
	}
}

func TestPinnedLinesGoNowhereElse(t *testing.T) {
	req := order(at("A", func(c *Candidate) { c.ATP["a"] = 2 }), at("B", nil), at("C", nil))
	req.Demand = []Demand{{SKU: "a", Qty: 3, Pinned: "A"}, {SKU: "a", Qty: 1}, {SKU: "a", Qty: 1, Pinned: "gone"}, {SKU: "a", Qty: 1}}
	req.AllowBackorder = map[string]bool{"a": true}
	plan := Route(req, DefaultPolicy())
	if len(plan.Assign) != 2 || plan.Assign[0] != (Assignment{SKU: "a", Location: "A", Qty: 2}) || plan.Assign[1] != (Assignment{SKU: "a", Location: "B", Qty: 2}) {
		t.Errorf("%+v", plan.Assign)
	}
	if len(plan.Missing) != 1 || plan.Missing[0] != (Assignment{SKU: "a", Qty: 2, Backorder: true}) {
		t.Errorf("%+v", plan.Missing)
	}
	req.Demand = []Demand{{SKU: "a", Qty: 3, Pinned: "A"}}
	if got := reasons(Route(req, DefaultPolicy()))["B"]; got != "every line is pinned to another location" {
		t.Errorf("%q", got)
	}
}

func TestPlanFigures(t *testing.T) {
	req := order(
		at("A", func(c *Candidate) { c.Lat, c.Lon, c.ATP["a"] = 52.6, 13.405, 2 }),
		at("B", func(c *Candidate) { c.Lat, c.Lon, c.ATP["a"] = 54.0, 13.405, 2 }),
	)
	plan := Route(req, shopPolicy(Parcels, Cost, Promise, Distance, Rank, Load))
	km := (0.08 + 1.48) * 111.19508 // degrees along a meridian of the mean sphere
	if plan.Parcels != 2 || !plan.DistanceKnown || math.Abs(plan.DistanceKM-km) > 0.01 {
		t.Errorf("%d parcels, %f km, want %f", plan.Parcels, plan.DistanceKM, km)
	}
	// One parcel of 1400 g to the near zone (4.90), one of 700 g to the rest (5.90).
	if want := money.New(490+590, "EUR"); plan.CostMinor != want {
		t.Errorf("%s, want %s", plan.CostMinor, want)
	}
	if want := time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC); !plan.Promise.Equal(want) {
		t.Errorf("%s, want %s", plan.Promise, want)
	}
	for _, v := range plan.Candidates {
		if len(v.Scores) != 6 || v.Scores[0] != (Score{Parcels, 2}) || v.Scores[1] != (Score{Cost, 1080}) || v.Scores[2] != (Score{Promise, 4}) || v.Scores[4] != (Score{Rank, -1}) {
			t.Errorf("%+v", v.Scores)
		}
	}
	req.Candidates[1].Lat, req.Candidates[1].Lon = 0, 0
	req.Candidates[1].RateCard = "none"
	p := shopPolicy(Parcels)
	delete(p.TransitDays, "rest")
	plan = Route(req, p)
	if plan.DistanceKnown || plan.CostMinor != (money.Amount{}) || !plan.Promise.IsZero() {
		t.Errorf("%+v", plan)
	}
}

// TestWeightBandsDecideWhoPacksWhat has two houses that both must ship; the free line
// goes where it does not cross a band.
func TestWeightBandsDecideWhoPacksWhat(t *testing.T) {
	req := order(
		at("A", func(c *Candidate) { c.ATP = map[string]int64{"a": 1, "free": 1} }),
		at("B", func(c *Candidate) { c.ATP = map[string]int64{"b": 1, "free": 1} }),
	)
	req.Demand = []Demand{{SKU: "a", Qty: 1, WeightG: 900}, {SKU: "b", Qty: 1, WeightG: 100}, {SKU: "free", Qty: 1, WeightG: 500}}
	plan := Route(req, shopPolicy(Parcels, Cost))
	if len(plan.Assign) != 3 || plan.Assign[2] != (Assignment{SKU: "free", Location: "B", Qty: 1}) {
		t.Errorf("%+v", plan.Assign)
	}
	// Cheaper in two light parcels than in one heavy one, when cost comes first.
	p := shopPolicy(Cost)
	p.RateCards["a"] = RateCard{Currency: "EUR", Rates: []Rate{{"rest", 1000, 300}, {"rest", 0, 900}}}
	req = order(at("A", func(c *Candidate) { c.ATP = map[string]int64{"a": 1, "b": 1} }), at("B", func(c *Candidate) { c.ATP = map[string]int64{"a": 1, "b": 1} }))
	req.Demand = []Demand{{SKU: "a", Qty: 1, WeightG: 900}, {SKU: "b", Qty: 1, WeightG: 900}}
	if plan = Route(req, p); plan.Parcels != 2 || plan.CostMinor.Minor != 600 {
		t.Errorf("%+v", plan)
	}
}

func TestCutOffFollowsTheLocationsClock(t *testing.T) {
	p := DefaultPolicy()
	workdays := DefaultPolicy()
	workdays.WorkingDays = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	utc := func(m time.Month, d, h, min int) time.Time { return time.Date(2026, m, d, h, min, 0, 0, time.UTC) }
	for _, c := range []struct {
		name    string
		pol     *Policy
		zone    string
		cut     string
		handle  int
		at      time.Time
		leaves  string
		sameDay bool
	}{
		{"before", p, "Europe/Berlin", "15:00", 0, utc(3, 27, 13, 59), "2026-03-27", true},
		{"at the minute", p, "Europe/Berlin", "15:00", 0, utc(3, 27, 14, 0), "2026-03-27", true},
		{"after", p, "Europe/Berlin", "15:00", 0, utc(3, 27, 14, 1), "2026-03-28", false},
		{"summer time has begun", p, "Europe/Berlin", "15:00", 0, utc(3, 29, 13, 1), "2026-03-30", false},
		{"and not yet", p, "Europe/Berlin", "15:00", 0, utc(3, 28, 13, 1), "2026-03-28", true},
		{"summer time has ended", p, "Europe/Berlin", "15:00", 0, utc(10, 25, 13, 30), "2026-10-25", true},
		{"a day of 23 hours", p, "Europe/Berlin", "15:00", 24, utc(3, 28, 13, 30), "2026-03-30", false}, // 14:30 and 24 h are 15:30
		{"another day there", p, "America/New_York", "", 0, utc(3, 27, 2, 0), "2026-03-26", true},
		{"the far side", p, "Pacific/Auckland", "09:00", 0, utc(3, 27, 12, 0), "2026-03-28", true},
		{"handling", p, "", "15:00", 5, utc(3, 27, 11, 0), "2026-03-28", false},
		{"over the weekend", workdays, "Europe/Berlin", "15:00", 0, utc(3, 27, 14, 1), "2026-03-30", false},
		{"asked on Sunday", workdays, "", "", 0, utc(3, 29, 8, 0), "2026-03-30", false},
		{"no such zone", p, "Mars/Olympus", "15:00", 0, utc(3, 27, 14, 59), "2026-03-27", true},
		{"no cut-off", p, "", "later", 0, utc(3, 27, 23, 59), "2026-03-27", true},
	} {
		cand := at("A", func(x *Candidate) { x.TimeZone, x.CutOff, x.HandlingH = c.zone, c.cut, c.handle })
		day, today := c.pol.leaves(&cand, c.at, time.UTC)
		if got := dateOf(day).Format(time.DateOnly); got != c.leaves || (day == today) != c.sameDay {
			t.Errorf("%s: leaves %s (same day %t), want %s %t", c.name, got, day == today, c.leaves, c.sameDay)
		}
	}
	if day := workdays.arrival(dateDay(2026, 3, 27), 2); day != dateDay(2026, 3, 31) {
		t.Errorf("two working days after Friday: %s", dateOf(day))
	}
	if day, _ := civil(time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)); day != -1 {
		t.Errorf("the day before the epoch is %d", day)
	}
}

func dateDay(y int, m time.Month, d int) int64 {
	day, _ := civil(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
	return day
}

func TestZonesMatchInOrder(t *testing.T) {
	zones := []Zone{
		{Name: "city", UpToKM: 30, Countries: []string{"DE"}},
		{Name: "islands", Countries: []string{"ES"}, PostalPrefixes: []string{"35", "07"}},
		{Name: "home", Countries: []string{"DE", "ES"}},
	}
	for _, c := range []struct {
		country, postal string
		km              float64
		want            string
	}{
		{"DE", "10115", 30, "city"},
		{"DE", "10115", 30.1, "home"},
		{"DE", "10115", -1, "home"},
		{"FR", "75001", 5, ""},
		{"ES", "07001", 5, "islands"},
		{"ES", "28001", 5, "home"},
		{"ES", "", 5, "home"},
		{"", "", 5, ""},
	} {
		if got, ok := zone(zones, c.country, c.postal, c.km); got != c.want || ok != (c.want != "") {
			t.Errorf("%+v: %q", c, got)
		}
	}
	// The request's code is normalised before: spreadsheets drop the zero.
	req := order(at("A", nil))
	req.Country, req.Postal = "ES", "7001"
	p := shopPolicy(Cost)
	p.Zones = zones
	p.RateCards["a"] = RateCard{Currency: "EUR", Rates: []Rate{{"islands", 0, 2500}}}
	if plan := Route(req, p); plan.CostMinor.Minor != 2500 {
		t.Errorf("%+v", plan)
	}
}

func TestOddRequests(t *testing.T) {
	if plan := Route(Request{}, nil); plan.Parcels != 0 || !plan.Exact || len(plan.Candidates) != 0 {
		t.Errorf("%+v", plan)
	}
	req := order(at("A", nil))
	req.Demand = []Demand{{SKU: "a", Qty: 0}, {SKU: "a", Qty: -3}}
	if plan := Route(req, DefaultPolicy()); plan.Parcels != 0 || len(plan.Missing) != 0 {
		t.Errorf("%+v", plan)
	}
	p := DefaultPolicy()
	p.Goals = []Goal{"speed", Rank, Rank, Parcels, Cost, Promise, Distance, Load, "x", Rank}
	if plan := Route(order(at("A", nil)), p); plan.Parcels != 1 || len(plan.Candidates[0].Scores) != 6 {
		t.Errorf("%+v", plan)
	}
	p = DefaultPolicy()
	p.AllowPartial = false
	req = order(at("A", func(c *Candidate) { c.ATP["a"] = 2 }))
	plan := Route(req, p)
	if plan.Parcels != 0 || len(plan.Assign) != 0 || len(plan.Missing) != 1 || plan.Missing[0].Qty != 3 {
		t.Errorf("%+v", plan)
	}
	if got := reasons(plan)["A"]; got != "can give 2 of 3 units, and the policy ships whole orders only" {
		t.Errorf("%q", got)
	}
}

// TestPlansAreIndependent runs requests beside each other: the scratch memory of one
// must not show in the plan of another.
func TestPlansAreIndependent(t *testing.T) {
	req := order(at("A", func(c *Candidate) { c.Lat, c.Lon = 52, 13 }), at("B", nil), at("C", func(c *Candidate) { c.Closed = true }))
	small := order(at("Z", nil))
	pol := shopPolicy(Parcels, Cost, Distance)
	want := Route(req, pol)
	text := strings.Join([]string{want.Candidates[0].Reason, want.Candidates[1].Reason, want.Candidates[2].Reason}, "|")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				got := Route(req, pol)
				Route(small, pol)
				if s := strings.Join([]string{got.Candidates[0].Reason, got.Candidates[1].Reason, got.Candidates[2].Reason}, "|"); s != text || got.Assign[0] != want.Assign[0] {
					t.Errorf("%s, want %s", s, text)
					return
				}
			}
		})
	}
	wg.Wait()
}
