// Package sim is a synthetic shop: products, warehouses and buyers that are
// visibly samples, and orders that come at the rate of a day. The demo, the
// benchmark and the whole-system tests run on it. The same seed gives the same shop.
package sim

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// Shop makes the events of one sample shop. It is not safe for concurrent use.
type Shop struct {
	rng      *rand.Rand
	products []catalog.Product
	prices   []int64 // minor units
	n        int
	prefix   string
	recent   []*event.OrderPlaced // for repeat buyers and velocity
}

// New returns the sample shop of a seed; prefix starts every order number, so that two runs do not collide.
func New(seed uint64, prefix string) *Shop {
	s := &Shop{rng: rand.New(rand.NewPCG(seed, 0x0bde51)), prefix: prefix}
	adjectives := []string{"Walnut", "Linen", "Copper", "Slate", "Amber", "Cedar", "Indigo", "Pebble", "Harbour", "Meadow"}
	nouns := []string{"Lamp", "Mug", "Throw", "Tray", "Vase", "Clock", "Stool", "Basket", "Frame", "Kettle", "Planter", "Candle"}
	for i, noun := range nouns {
		for j, adj := range adjectives {
			n := i*len(adjectives) + j
			p := catalog.Product{
				SKU: fmt.Sprintf("%s-%s", upper3(noun), upper3(adj)), Title: adj + " " + noun,
				WeightG: int64(200 + (n*137)%2400), LowAt: 12, Backorder: n%17 == 3,
			}
			s.products = append(s.products, p)
			s.prices = append(s.prices, int64(790+(n*523)%11200))
		}
	}
	for i := range 4 {
		s.products = append(s.products, catalog.Product{
			SKU: "SET-" + strconv.Itoa(i+1), Title: "Gift Set " + strconv.Itoa(i+1),
			Components: []catalog.Component{{SKU: s.products[10+i].SKU, Qty: 2}, {SKU: s.products[30+i].SKU, Qty: 1}},
		})
		s.prices = append(s.prices, 5900)
	}
	return s
}

func upper3(s string) string {
	b := []byte(s[:3])
	for i, c := range b {
		if c >= 'a' {
			b[i] = c - 32
		}
	}
	return string(b)
}

// Products are what the shop sells, kits last.
func (s *Shop) Products() []catalog.Product { return s.products }

// Locations are the sample warehouses and a shop floor.
func (s *Shop) Locations() []catalog.Location {
	return []catalog.Location{
		{ID: "berlin", Name: "Berlin warehouse", Country: "DE", Postal: "10115", Lat: 52.5323, Lon: 13.3846, Rank: 1, CutOff: "15:00", TimeZone: "Europe/Berlin", SafetyStock: 1},
		{ID: "rotterdam", Name: "Rotterdam warehouse", Country: "NL", Postal: "3011", Lat: 51.9191, Lon: 4.4867, Rank: 2, CutOff: "16:00", TimeZone: "Europe/Amsterdam"},
		{ID: "lyon", Name: "Lyon warehouse", Country: "FR", Postal: "69001", Lat: 45.7485, Lon: 4.8467, Rank: 3, CutOff: "14:00", TimeZone: "Europe/Paris"},
		{ID: "wien", Name: "Wien shop floor", Country: "AT", Postal: "1010", Lat: 48.2077, Lon: 16.3705, Rank: 4, Capacity: 60, ShipsTo: []string{"AT", "DE", "IT", "CH"}, TimeZone: "Europe/Vienna", SafetyStock: 2},
	}
}

// IPRange is a range of IPv4 addresses, both ends in it, with the country it is used in.
type IPRange struct {
	First, Last uint32
	Country     string
}

// IPRanges are the networks of the sample world. They lie in the ranges that RFC 5737 keeps for documentation.
func (s *Shop) IPRanges() []IPRange {
	var out []IPRange
	for country, net := range networks {
		first := net<<8 | uint32(quarters[country])*64
		out = append(out, IPRange{First: first, Last: first + 63, Country: country})
	}
	slices.SortFunc(out, func(a, b IPRange) int { return cmp.Compare(a.First, b.First) })
	return out
}

// networks are the first three bytes of each country's sample addresses, quarters the part of the last byte.
var (
	networks = map[string]uint32{
		"DE": 198<<16 | 51<<8 | 100, "FR": 198<<16 | 51<<8 | 100, "NL": 198<<16 | 51<<8 | 100, "AT": 198<<16 | 51<<8 | 100,
		"IT": 192<<16 | 0<<8 | 2, "ES": 192<<16 | 0<<8 | 2, "BE": 192<<16 | 0<<8 | 2, "CH": 192<<16 | 0<<8 | 2,
		"US": 203<<16 | 0<<8 | 113,
	}
	quarters = map[string]int{"DE": 0, "FR": 1, "NL": 2, "AT": 3, "IT": 0, "ES": 1, "BE": 2, "CH": 3, "US": 0}
)

// ipOf is a sample address of a country; n chooses one.
func ipOf(country string, n int) string {
	net := networks[country]
	return fmt.Sprintf("%d.%d.%d.%d", net>>16, net>>8&255, net&255, quarters[country]*64+n%64)
}

// PostalPoint is a postal code with its coordinates in degrees WGS 84.
type PostalPoint struct {
	Country, Code string
	Lat, Lon      float64
}

// Postal are the coordinates of the sample world.
func (s *Shop) Postal() []PostalPoint {
	out := make([]PostalPoint, len(places))
	for i, p := range places {
		out[i] = PostalPoint{Country: p.country, Code: p.postal, Lat: p.lat, Lon: p.lon}
	}
	return out
}

// OpeningStock is the first delivery: most products at every warehouse, some scarce.
func (s *Shop) OpeningStock(units int64) []*event.StockReceived {
	var out []*event.StockReceived
	for i, p := range s.products {
		if p.Kit() {
			continue
		}
		for j, l := range s.Locations() {
			n := units
			switch {
			case i%29 == 7:
				n = int64(j) * 2 // scarce: unfillable soon
			case (i+j)%5 == 0:
				continue
			}
			if n > 0 {
				out = append(out, &event.StockReceived{SKU: p.SKU, Location: l.ID, Qty: n, Note: "opening delivery (sample)"})
			}
		}
	}
	return out
}

// RateOf is how busy the hour of a local day is, as a share of the busiest: quiet nights, a noon and an evening peak.
func RateOf(at time.Time) float64 {
	h := float64(at.Hour()) + float64(at.Minute())/60
	bell := func(mid, width float64) float64 { return math.Exp(-(h - mid) * (h - mid) / (2 * width * width)) }
	return 0.06 + 0.62*bell(12.5, 2.6) + 0.94*bell(20, 2.2)
}

// Order makes the next order. About one in twelve looks risky in some way.
func (s *Shop) Order(at time.Time) *event.OrderPlaced { return s.OrderOf(at, 0) }

// OrderOf is Order with a number of lines; 0 leaves it to chance.
func (s *Shop) OrderOf(at time.Time, lines int) *event.OrderPlaced {
	s.n++
	r := s.rng
	var p *event.OrderPlaced
	if len(s.recent) > 20 && r.IntN(100) < 22 { // a buyer who was here before
		old := s.recent[r.IntN(len(s.recent))]
		c := *old
		p = &c
		p.Lines = nil
	} else {
		p = s.buyer()
	}
	s.fill(p, at, lines)
	if r.IntN(100) < 8 {
		s.makeRisky(p)
	}
	s.recent = append(s.recent, p)
	if len(s.recent) > 200 {
		s.recent = s.recent[1:]
	}
	return p
}

// PlainOf makes the next order of a buyer who was never here before, with nothing risky about it.
func (s *Shop) PlainOf(at time.Time, lines int) *event.OrderPlaced {
	s.n++
	p := s.buyer()
	s.fill(p, at, lines)
	return p
}

// fill makes a number, a payment and lines for an order of which the buyer is known.
func (s *Shop) fill(p *event.OrderPlaced, at time.Time, lines int) {
	r := s.rng
	p.Number = s.prefix + strconv.Itoa(10000+s.n)
	p.PlacedAt = at.UTC().Truncate(time.Second)
	p.Channel = "web"
	if r.IntN(5) == 0 {
		p.Channel = "marketplace"
	}
	p.Currency = "EUR"
	p.ShippingCost = money.New(490, "EUR")
	p.Payment = event.Payment{Status: event.PaymentPaid, Method: "card"}
	if r.IntN(10) == 0 {
		p.Payment = event.Payment{Status: event.PaymentPending, Method: "bank transfer"}
	}
	p.Service = "standard"
	p.Tags = []string{"sample"}
	s.lines(p, lines)
}

func (s *Shop) buyer() *event.OrderPlaced {
	r := s.rng
	at := places[zipf(r, len(places))]
	id := r.IntN(900000) + 100000
	name := "Sample Buyer " + strconv.Itoa(id)
	addr := event.Address{
		Name: name, Line1: fmt.Sprintf("Sample Street %d", 1+r.IntN(2000)),
		City: at.city, Postal: at.postal, Country: at.country,
	}
	return &event.OrderPlaced{
		Customer: event.Buyer{ID: strconv.Itoa(id), Email: fmt.Sprintf("buyer%d@example.com", id), Name: name},
		Shipping: addr, Billing: addr,
		IP:     ipOf(at.country, r.IntN(256)),
		Device: fmt.Sprintf("sample-device-%06d", r.IntN(1000000)),
	}
}

func (s *Shop) lines(p *event.OrderPlaced, n int) {
	r := s.rng
	if n == 0 {
		for n = 1; n < 5 && r.IntN(100) < 42; n++ {
		}
	}
	for range n {
		i := zipf(r, len(s.products))
		p.Lines = append(p.Lines, event.Line{
			SKU: s.products[i].SKU, Title: s.products[i].Title, Qty: int64(1 + zipf(r, 4)), UnitPrice: money.New(s.prices[i], "EUR"),
		})
	}
}

// makeRisky gives the order one of the faces that reviewers look for.
func (s *Shop) makeRisky(p *event.OrderPlaced) {
	r := s.rng
	switch r.IntN(5) {
	case 0: // large first order, two countries
		b := s.buyer()
		p.Customer, p.Shipping, p.Billing = b.Customer, b.Shipping, b.Billing
		p.Billing.Country, p.Billing.Postal, p.Billing.City = "ES", "28001", "Madrid"
		if p.Shipping.Country == "ES" {
			p.Billing.Country, p.Billing.Postal, p.Billing.City = "FR", "75001", "Paris"
		}
		for i := range p.Lines {
			p.Lines[i].Qty += 12
		}
	case 1: // throw-away mail
		p.Customer.Email = fmt.Sprintf("buyer%d@mailinator.com", r.IntN(100000))
	case 2: // the same device again and again
		p.Device = "sample-device-shared"
	case 3: // the same address of the network again and again
		p.IP = "203.0.113.7"
	case 4: // billing elsewhere
		at := places[r.IntN(len(places))]
		p.Billing = event.Address{Name: p.Shipping.Name, Line1: "Other Street 1", City: at.city, Postal: at.postal, Country: at.country}
	}
}

// zipf draws small numbers more often: a few products and cities make most of the orders.
func zipf(r *rand.Rand, n int) int {
	x := r.Float64()
	return min(int(x*x*x*float64(n)), n-1)
}
