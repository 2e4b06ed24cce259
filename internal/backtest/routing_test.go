package backtest_test

import (
	"encoding/json"
	"math"
	"testing"

	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
)

// Two houses: the near one is dear and has little, the far one is cheap and has all.
const (
	nearFirst = `
owner: ops@shop.example
why: A test.
goals: [distance, cost]
allow_partial: true
zones: [ { zone: world } ]
rate_card: cheap
rate_cards:
  dear: { currency: EUR, rates: [ { zone: world, price: 9.00 EUR } ] }
  cheap: { currency: EUR, rates: [ { zone: world, price: 4.00 EUR } ] }
`
	cheapFirst = `
owner: ops@shop.example
why: A test.
goals: [cost, distance]
allow_partial: true
zones: [ { zone: world } ]
rate_card: cheap
rate_cards:
  dear: { currency: EUR, rates: [ { zone: world, price: 9.00 EUR } ] }
  cheap: { currency: EUR, rates: [ { zone: world, price: 4.00 EUR } ] }
`
)

// apart is how far from the street the far house is, in km; the near one stands in it.
const apart = 505.64

// twoHouses is a shop that routed six orders for the same street, nearest house first.
func twoHouses(t *testing.T, s *shop) {
	err := s.db.Update(t.Context(), func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, []catalog.Product{{SKU: "MUG", WeightG: 300}, {SKU: "LAMP", WeightG: 900}}); err != nil {
			return err
		}
		if err := tx.PutPostal([]any{"DE", "10115", 52.5, 13.4}); err != nil {
			return err
		}
		return store.UpsertLocations(tx, []catalog.Location{
			{ID: "near", Name: "Near", Country: "DE", Postal: "10115", Lat: 52.5, Lon: 13.4, RateCard: "dear"},
			{ID: "far", Name: "Far", Country: "DE", Postal: "80331", Lat: 48.1, Lon: 11.6, RateCard: "cheap"},
		}, "test")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.eng.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: shopText}, store.Text{Kind: engine.KindRouting, Name: "routing", Text: nearFirst})
	s.submit(
		&event.StockReceived{SKU: "MUG", Location: "near", Qty: 5},
		&event.StockReceived{SKU: "MUG", Location: "far", Qty: 4},
		&event.StockReceived{SKU: "LAMP", Location: "far", Qty: 2},
	)
	order := func(n, sku string, qty int64) {
		s.submit(&event.OrderPlaced{
			Channel: "web", Number: n, Currency: "EUR", Lines: []event.Line{{SKU: sku, Qty: qty, UnitPrice: money.New(1000, "EUR")}},
			Shipping: event.Address{Country: "DE", Postal: "10115", City: "Berlin"}, Payment: event.Payment{Status: event.PaymentPaid},
		})
	}
	order("1", "MUG", 2)  // then: near. Cheapest: far
	order("2", "MUG", 3)  // then: near, which is empty now. Cheapest: near, as far has 2 left
	order("3", "MUG", 4)  // then: far. Cheapest: far has 2 and near 2: two parcels
	order("4", "LAMP", 2) // far has them in both worlds
	order("5", "LAMP", 1) // nobody has any
}

func TestRoutingBacktest(t *testing.T) {
	for _, dsn := range engines(t) {
		t.Run(dsn.name, func(t *testing.T) {
			s := openShop(t, dsn.url)
			twoHouses(t, s)
			try := func(text string) *backtest.Routing {
				t.Helper()
				pol, err := routing.ParsePolicy([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				o := s.options()
				o.Routing = pol
				rep, err := backtest.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if len(rep.Notes) > 0 {
					t.Error(rep.Notes)
				}
				return rep.Routing
			}
			same := try(nearFirst)
			if same.Orders != 5 || same.Changed != 0 || same.Skipped != 0 || same.Then != same.Now || len(same.Samples) != 0 {
				t.Errorf("the policy of then: %s", text(t, same))
			}
			// By hand: near, near, far, far and nothing, at 9, 9, 4, 4 EUR.
			if f := same.Then; f.Parcels != 4 || f.CostMinor != 2600 || f.Currency != "EUR" || math.Abs(f.DistanceKM-2*apart) > 1 || f.Unfillable != 1 {
				t.Errorf("then: %s", text(t, f))
			}
			other := try(cheapFirst)
			// By hand: far; near; far with near; far; nothing: at 4, 9, 13, 4 EUR in five parcels.
			if f := other.Now; f.Parcels != 5 || f.CostMinor != 3000 || math.Abs(f.DistanceKM-3*apart) > 1 || f.Unfillable != 1 {
				t.Errorf("the cheapest: %s", text(t, f))
			}
			if other.Then != same.Then || other.Orders != 5 || other.Changed != 2 || len(other.Samples) != 2 {
				t.Errorf("against then: %s", text(t, other))
			}
			units := map[string][2]int64{}
			for _, l := range other.Locations {
				units[l.Location] = [2]int64{l.Then, l.Now}
			}
			if units["near"] != [2]int64{5, 5} || units["far"] != [2]int64{6, 6} {
				t.Errorf("units %v", units)
			}
			if again := try(cheapFirst); text(t, again) != text(t, other) {
				t.Error("the same backtest says something else")
			}
		})
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
