package routing

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
)

// shopPolicy prices by weight and distance and promises a day.
func shopPolicy(goals ...Goal) *Policy {
	p := DefaultPolicy()
	p.Goals = goals
	p.Zones = []Zone{{Name: "near", UpToKM: 100}, {Name: "home", Countries: []string{"DE"}}, {Name: "rest"}}
	p.TransitDays = map[string]int{"near": 1, "home": 2, "rest": 4}
	p.DefaultCard = "a"
	var rates []Rate
	for i, z := range []string{"near", "home", "rest"} {
		add := int64(100 * i)
		for k, g := range []int64{1000, 2000, 5000, 10000, 31500} {
			rates = append(rates, Rate{Zone: z, UpToG: g, Minor: 390 + add + int64(k*k)*100})
		}
	}
	p.RateCards = map[string]RateCard{"a": {Currency: "EUR", Rates: rates}}
	return p
}

// network is a request for skus at sites all over the country; has says which site keeps which SKU.
func network(r *rand.Rand, sites, skus int, has func(site, sku int) int64) Request {
	req := Request{
		OrderID: "o", Channel: "web", Country: "DE", Postal: "10115", Lat: 52.5, Lon: 13.4, HasPoint: true,
		At: time.Date(2026, 3, 27, 13, 0, 0, 0, time.UTC),
	}
	for k := range skus {
		req.Demand = append(req.Demand, Demand{SKU: fmt.Sprintf("sku-%02d", k), Qty: 1 + int64(r.IntN(3)), WeightG: 200 + int64(r.IntN(18))*100})
	}
	for i := range sites {
		c := Candidate{Location: catalog.Location{
			ID: fmt.Sprintf("loc-%04d", i), Name: "Location", Country: "DE", Lat: 47.5 + r.Float64()*7, Lon: 6 + r.Float64()*9,
			Rank: 1 + i%5, Capacity: 200, CutOff: "15:00", TimeZone: "Europe/Berlin", SafetyStock: 1,
		}, ATP: map[string]int64{}, ParcelsToday: int64(r.IntN(150))}
		for k := range skus {
			if n := has(i, k); n > 0 {
				c.ATP[req.Demand[k].SKU] = n + 1
			}
		}
		req.Candidates = append(req.Candidates, c)
	}
	return req
}

func BenchmarkTypical(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	req := network(r, 8, 2, func(i, k int) int64 { return int64((i + k) % 4 * 3) })
	for _, c := range []struct {
		name string
		pol  *Policy
	}{
		{"default", DefaultPolicy()},
		{"six-goals", shopPolicy(Parcels, Cost, Promise, Distance, Rank, Load)},
		{"cost-first", shopPolicy(Cost, Parcels)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := Route(req, c.pol); !p.Exact || p.Parcels == 0 {
					b.Fatal(p)
				}
			}
		})
	}
}

// worstCases are the largest requests that are searched exactly.
func worstCases() map[string]Request {
	r := func() *rand.Rand { return rand.New(rand.NewPCG(3, 3)) }
	return map[string]Request{
		// Everything is everywhere: every set fills the order.
		"everywhere": network(r(), 12, 20, func(int, int) int64 { return 9 }),
		// Each SKU at four of the twelve: parcels are many, choices are four.
		"scattered": network(r(), 12, 20, func(i, k int) int64 {
			if (i*7+k*5)%12 < 4 {
				return 9
			}
			return 0
		}),
		// Twelve SKUs at one place each force twelve parcels; the other eight may go anywhere.
		"forced": network(r(), 12, 20, func(i, k int) int64 {
			if k >= 12 || k == i {
				return 9
			}
			return 0
		}),
		// One unit at each place: every SKU must be split.
		"crumbs": network(r(), 12, 20, func(int, int) int64 { return 1 }),
	}
}

func BenchmarkTwelveByTwenty(b *testing.B) {
	for name, req := range worstCases() {
		for _, c := range []struct {
			name string
			pol  *Policy
		}{
			{"parcels", shopPolicy(Parcels, Cost, Distance)}, {"cost", shopPolicy(Cost, Distance)}, {"distance", shopPolicy(Distance, Promise, Load)},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				exact := 0.0
				for b.Loop() {
					if Route(req, c.pol).Exact {
						exact = 1
					}
				}
				b.ReportMetric(exact, "exact")
			})
		}
	}
}

func BenchmarkThousands(b *testing.B) {
	r := rand.New(rand.NewPCG(4, 4))
	all := network(r, 3095, 2, func(i, k int) int64 { return 5 })
	few := network(r, 3095, 2, func(i, k int) int64 { return int64(max(0, 5-(i*7+k)%100)) })
	split := network(r, 3095, 3, func(i, k int) int64 {
		if i%3 == k {
			return 5
		}
		return 0
	})
	for name, req := range map[string]Request{"everywhere": all, "few": few, "no-single": split} {
		for _, c := range []struct {
			name string
			pol  *Policy
		}{{"default", DefaultPolicy()}, {"cost-first", shopPolicy(Cost, Distance)}} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if p := Route(req, c.pol); p.Parcels == 0 {
						b.Fatal(p)
					}
				}
			})
		}
	}
}
