package suggest_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/suggest"
)

// TestWhatIsKnownIsProved: whether an automation does the same already follows from the two conditions. That it
// was true of every case so far is not enough where another order could come, and decides where nothing can be proved.
func TestWhatIsKnownIsProved(t *testing.T) {
	cases := decided(5, 600, func(r *rand.Rand, f rule.Map) string {
		if f["order.total"].(money.Amount).Minor > 40_000 {
			return suggest.Reject
		}
		return coin(0.9, r, suggest.Approve, suggest.Reject)
	})
	for _, tc := range []struct {
		name, when string
		known      bool
	}{
		{"wider", `order.total > money("380", "EUR")`, true},
		{"true of all cases, but not of all orders", `order.total > money("380", "EUR") && order.units < 1000`, false},
		{"outside the fragment, and true of all cases", `order.total > money("380", "EUR") && order.units * 2 < 1000`, true},
		{"narrower", `order.total > money("500", "EUR")`, false},
	} {
		c, err := rule.Compile(tc.when, "order.placed")
		if err != nil {
			t.Fatal(err)
		}
		tab := suggest.NewTable()
		tab.Knows("hold-large", c)
		for _, x := range cases {
			if out, _ := c.Eval(x.Facts); out == rule.True {
				x.Covered = map[string][]string{"hold": {"hold-large"}}
			}
			tab.Add(x)
		}
		r := suggest.Find(tab, suggest.Options{Outcomes: []string{suggest.Reject}, Agreement: 0.8})
		if got := slices.Contains(r.Known, "hold-large"); got != tc.known {
			t.Errorf("%s: known %v, suggested %v", tc.name, r.Known, whens(r))
		}
	}
}
