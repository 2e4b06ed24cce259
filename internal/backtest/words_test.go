package backtest_test

import (
	"slices"
	"testing"

	"orderly.example/orderly/internal/backtest"
)

// TestFiguresAreSentences: each figure of a score stands in a sentence with its name, and a few orders make no share.
func TestFiguresAreSentences(t *testing.T) {
	for _, tc := range []struct {
		score backtest.Score
		want  []string
	}{
		{backtest.Score{Orders: 4262, Flagged: 687, Hit: 137, Bad: 221}, []string{
			"it flags 687 of 4262 orders, by firing for them (flagged)",
			"of 100 orders that it flags, 20 turned out bad (137 of 687, precision 19.9 %)",
			"of 100 orders that turned out bad, 62 are found (137 of 221, recall 62.0 %)",
		}},
		{backtest.Score{Orders: 900, Flagged: 3, Hit: 1, Bad: 1000}, []string{
			"it flags 3 of 900 orders, by firing for them (flagged)",
			"1 of 3 orders that it flags turned out bad (precision 33.3 %)",
			"of 100 orders that turned out bad, fewer than 1 are found (1 of 1000, recall 0.1 %)",
		}},
		{backtest.Score{Orders: 900, Flagged: 900, Hit: 899, Bad: 0}, []string{
			"it flags 900 of 900 orders, by firing for them (flagged)",
			"of 100 orders that it flags, more than 99 turned out bad (899 of 900, precision 99.9 %)",
			"there are no orders that turned out bad, so that there is nothing to say of how many are found (recall)",
		}},
		{backtest.Score{Orders: 900, Bad: 200}, []string{
			"it flags 0 of 900 orders, by firing for them (flagged)",
			"there are no orders that it flags, so that there is nothing to say of how many turned out bad (precision)",
			"of 100 orders that turned out bad, 0 are found (0 of 200, recall 0.0 %)",
		}},
	} {
		if got := tc.score.Says("it flags"); !slices.Equal(got, tc.want) {
			t.Errorf("%+v says\n%q, want\n%q", tc.score, got, tc.want)
		}
	}
	k := backtest.Ranked{Share: 0.05, Capacity: 213, Reviewed: 213, Hit: 92.4}
	want := []string{
		"when people can look at 5 of 100 orders (a review capacity of 5 %, here 213), the surest first, they look at 213",
		"of 100 orders that they look at, 43 turned out bad (92 of 213, precision 43.4 %)",
		"of 100 orders that turned out bad, 42 are found (92 of 221, recall 41.8 %)",
	}
	if got := k.Says(221); !slices.Equal(got, want) {
		t.Errorf("says\n%q, want\n%q", got, want)
	}
}
