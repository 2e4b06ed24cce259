package decide_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/routing"
)

// Whatever a decision wrote down is read again as it was, distances to the metre.
func TestTraceIsReadAsItWasWritten(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "berlin", "Süd \"1\"", "2 parcels instead of 1"})
	km := rapid.Custom(func(t *rapid.T) float64 {
		return math.Round(rapid.Float64Range(0, 20000).Draw(t, "km")*1000) / 1000
	})
	goals := []routing.Goal{routing.Parcels, routing.Cost, routing.Promise, routing.Distance}
	assign := rapid.Custom(func(t *rapid.T) routing.Assignment {
		return routing.Assignment{
			SKU: text.Draw(t, "sku"), Location: text.Draw(t, "at"), Qty: rapid.Int64Range(0, 9).Draw(t, "qty"), Backorder: rapid.Bool().Draw(t, "backorder"),
		}
	})
	verdict := rapid.Custom(func(t *rapid.T) routing.Verdict {
		v := routing.Verdict{
			Location: text.Draw(t, "location"), Name: text.Draw(t, "name"), Lat: km.Draw(t, "lat"), Lon: -km.Draw(t, "lon"),
			Chosen: rapid.Bool().Draw(t, "chosen"), Reason: text.Draw(t, "reason"), DistanceKM: km.Draw(t, "km"), KMKnown: rapid.Bool().Draw(t, "known"),
		}
		if rapid.Bool().Draw(t, "scored") {
			for _, g := range goals {
				v.Scores = append(v.Scores, routing.Score{Goal: g, Value: km.Draw(t, "score")})
			}
		}
		return v
	})
	list := func(t *rapid.T) []routing.Assignment {
		if out := rapid.SliceOfN(assign, 0, 3).Draw(t, "assign"); len(out) > 0 {
			return out
		}
		return nil
	}
	rapid.Check(t, func(t *rapid.T) {
		want := decide.Trace{
			From: text.Draw(t, "from"), To: text.Draw(t, "to"), Notes: []string{text.Draw(t, "note")},
			Automations: []decide.Considered{{Name: "a", Version: "1", Outcome: decide.Fired, Did: []string{"tag x"}}},
		}
		if rapid.Bool().Draw(t, "routed") {
			p := &routing.Plan{
				Assign: list(t), Missing: list(t), Parcels: rapid.IntRange(0, 4).Draw(t, "parcels"),
				CostMinor: money.New(rapid.Int64Range(0, 900).Draw(t, "cost"), rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency")),
				Promise:   time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC), DistanceKM: km.Draw(t, "sum"), DistanceKnown: rapid.Bool().Draw(t, "known"),
				Exact: rapid.Bool().Draw(t, "exact"), Bound: text.Draw(t, "bound"), More: []routing.Tally{{Reason: text.Draw(t, "why"), Count: 3}},
			}
			if vs := rapid.SliceOfN(verdict, 0, 4).Draw(t, "candidates"); len(vs) > 0 {
				p.Candidates = vs
			}
			want.Routing = p
		}
		doc, err := json.Marshal(&want)
		if err != nil {
			t.Fatal(err)
		}
		var got decide.Trace
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
