package sim_test

import (
	"reflect"
	"testing"
	"time"

	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/sim"
)

var noon = time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)

func TestSameSeedSameShop(t *testing.T) {
	a, b := sim.New(4, "x"), sim.New(4, "x")
	for range 300 {
		if x, y := a.Order(noon), b.Order(noon); !reflect.DeepEqual(x, y) {
			t.Fatalf("%+v\n%+v", x, y)
		}
	}
}

// TestAddressesFitTheirNetworks: an honest buyer's address is in the network of their country.
func TestAddressesFitTheirNetworks(t *testing.T) {
	s := sim.New(2, "x")
	var b geo.IPBuilder
	last := uint32(0)
	for _, r := range s.IPRanges() {
		if r.First <= last || r.Last < r.First {
			t.Errorf("%+v overlaps the range before", r)
		}
		last = r.Last
		b.Add(r.First, r.Last, r.Country)
	}
	table, fits, elsewhere := b.Build(), 0, 0
	for range 2000 {
		o := s.Order(noon)
		country, ok := table.Country(o.IP)
		switch {
		case !ok:
			t.Fatalf("%s is in no sample network", o.IP)
		case country == o.Shipping.Country:
			fits++
		default:
			elsewhere++
		}
		if ps := o.Validate(); len(ps) > 0 {
			t.Fatalf("%+v", ps)
		}
	}
	if elsewhere == 0 || elsewhere > fits/10 {
		t.Errorf("%d addresses fit, %d do not: a few should not", fits, elsewhere)
	}
}

func TestTheDayHasTwoPeaksAndANight(t *testing.T) {
	rate := func(h int) float64 { return sim.RateOf(time.Date(2026, 2, 3, h, 0, 0, 0, time.UTC)) }
	if rate(4) > rate(12)/3 || rate(16) > rate(20) || rate(12) < rate(9) {
		t.Error(rate(4), rate(9), rate(12), rate(16), rate(20))
	}
}
