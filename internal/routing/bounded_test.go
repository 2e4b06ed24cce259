package routing

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestTwelveByTwentyIsProved asks for proofs on the largest requests that promise them.
func TestTwelveByTwentyIsProved(t *testing.T) {
	proved, total := 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		share := 2 + r.IntN(10)
		req := network(r, 12, 20, func(int, int) int64 {
			if r.IntN(12) < share {
				return int64(1 + r.IntN(6))
			}
			return 0
		})
		for _, p := range []*Policy{shopPolicy(Parcels, Cost, Distance), shopPolicy(Cost, Promise), shopPolicy(Distance, Rank), shopPolicy(Promise, Load, Cost)} {
			plan := Route(req, p)
			total++
			if plan.Exact {
				proved++
			} else if !strings.Contains(plan.Bound, "steps") {
				t.Errorf("seed %d: bounded by %q", seed, plan.Bound)
			}
			if _, err := newBrute(req, p).vectorOfPlan(plan); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	t.Logf("%d of %d plans of 12 locations and 20 SKUs are proved", proved, total)
	if proved < total*9/10 {
		t.Errorf("only %d of %d plans are proved", proved, total)
	}
}

// TestManyLocationsAreNearTheBest compares the bounded search with the exact one, which
// the test lets walk more sets than Route would.
func TestManyLocationsAreNearTheBest(t *testing.T) {
	same, total, alone := 0, 0, 0
	for seed := range uint64(900) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := randomPolicy(r)
		p.MustLeaveToday = false
		req := randomRequest(r, 14+r.IntN(4), 2+r.IntN(3))
		b := newBrute(req, p)
		if len(b.sites) <= 12 {
			continue
		}
		plan := Route(req, p)
		got, err := b.vectorOfPlan(plan)
		if err != nil {
			t.Fatalf("seed %d: %v\n%+v", seed, err, plan)
		}
		if plan.Exact != (plan.Bound == "") {
			t.Fatalf("seed %d: exact %t, bound %q", seed, plan.Exact, plan.Bound)
		}
		best := exactly(req, p, b, t)
		total++
		switch c := slices.Compare(got, best); {
		case c < 0:
			t.Fatalf("seed %d: %v is better than the best, %v", seed, got, best)
		case c == 0:
			same++
		case plan.Exact:
			t.Fatalf("seed %d: %v is said to be the best, %v is", seed, got, best)
		case got[0] > best[0]:
			t.Errorf("seed %d: fills %d units, %d could be filled", seed, -got[0], -best[0])
		}
		if plan.Exact {
			alone++
		} else if !strings.Contains(plan.Bound, "locations can ship this") {
			t.Errorf("seed %d: %q", seed, plan.Bound)
		}
	}
	t.Logf("%d of %d bounded plans are the best; %d were proved by one location alone", same, total, alone)
	if total < 100 || same < total*95/100 {
		t.Errorf("%d of %d bounded plans are the best", same, total)
	}
}

// exactly is the vector of the best plan over all survivors.
func exactly(req Request, p *Policy, b *brute, t *testing.T) []int64 {
	s := new(solver)
	s.start(req, p)
	s.prepare(len(s.sites))
	s.searchExactly(len(s.sites), false)
	if !s.exact {
		t.Fatal("the reference is not exact")
	}
	v, err := b.vectorOfPlan(s.plan())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestThousandsOfLocations(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	req := network(r, 3095, 2, func(int, int) int64 { return 9 })
	plan := Route(req, DefaultPolicy())
	if !plan.Exact || plan.Parcels != 1 {
		t.Fatalf("exact %t, %q, %d parcels", plan.Exact, plan.Bound, plan.Parcels)
	}
	for _, v := range plan.Candidates {
		if v.DistanceKM < plan.DistanceKM {
			t.Errorf("%s is nearer: %f < %f", v.Location, v.DistanceKM, plan.DistanceKM)
		}
	}
	if len(plan.Candidates) != MaxVerdicts || len(plan.More) != 1 || plan.More[0].Count != 3095-MaxVerdicts {
		t.Errorf("%d verdicts, %+v", len(plan.Candidates), plan.More)
	}
	req = network(r, 3095, 3, func(i, k int) int64 {
		if i%3 == k {
			return 9
		}
		return 0
	})
	plan = Route(req, DefaultPolicy())
	if plan.Exact || plan.Parcels != 3 || len(plan.Missing) > 0 {
		t.Errorf("%+v", plan)
	}
	t.Log(plan.Bound)
	p := DefaultPolicy()
	p.MaxSplits = 2
	if plan = Route(req, p); plan.Parcels != 2 || len(plan.Missing) != 1 {
		t.Errorf("%+v", plan)
	}
	p.AllowPartial = false
	if plan = Route(req, p); plan.Parcels != 0 || len(plan.Missing) != 3 {
		t.Errorf("%+v", plan)
	}
}

// TestAnOrderFromMoreLocationsThanAMaskHas must fill what it can and say that it is bounded.
func TestAnOrderFromMoreLocationsThanAMaskHas(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	req := network(r, 300, 1, func(int, int) int64 { return 1 })
	req.Demand[0].Qty = 100
	plan := Route(req, DefaultPolicy())
	if plan.Exact || plan.Parcels != maxPool || len(plan.Missing) != 1 || plan.Missing[0].Qty != 100-maxPool {
		t.Errorf("%d parcels, missing %v, %q", plan.Parcels, plan.Missing, plan.Bound)
	}
}
