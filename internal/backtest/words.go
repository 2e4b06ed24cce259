package backtest

import (
	"fmt"
	"math"
)

// The figures of a score have names that not everybody knows. So each is a sentence, with the name beside it.

// Says is a score in sentences. flags is who flags the orders: "it flags", "together they flag".
func (s *Score) Says(flags string) []string {
	return []string{
		fmt.Sprintf("%s %d of %d orders, by firing for them (flagged)", flags, s.Flagged, s.Orders),
		rate("orders that "+flags, float64(s.Hit), s.Flagged, "turned out bad", "precision"),
		rate("orders that turned out bad", float64(s.Hit), s.Bad, "are found", "recall"),
	}
}

// Says is what is found when only a share of all orders can be reviewed, in sentences. bad is how many there are to find.
func (k *Ranked) Says(bad int64) []string {
	return []string{
		fmt.Sprintf("when people can look at %g of 100 orders (a review capacity of %g %%, here %d), the surest first, they look at %d", k.Share*100, k.Share*100, k.Capacity, k.Reviewed),
		rate("orders that they look at", k.Hit, k.Reviewed, "turned out bad", "precision"),
		rate("orders that turned out bad", k.Hit, bad, "are found", "recall"),
	}
}

// rate says how many of some are so: of a hundred where there are as many, else of those that there are, as a few make no
// share. n is expected where equally ranked orders do not all fit, and then no whole number.
func rate(some string, n float64, of int64, so, term string) string {
	if of == 0 {
		return fmt.Sprintf("there are no %s, so that there is nothing to say of how many %s (%s)", some, so, term)
	}
	f := n / float64(of)
	said := fmt.Sprintf("%.0f of %d", n, of)
	if of < 100 {
		return fmt.Sprintf("%s %s %s (%s %s)", said, some, so, term, percent(f))
	}
	return fmt.Sprintf("of 100 %s, %s %s (%s, %s %s)", some, hundredth(f), so, said, term, percent(f))
}

// hundredth is a share of a hundred that says neither none nor all where it is only nearly so.
func hundredth(f float64) string {
	switch n := int(math.Round(f * 100)); {
	case n == 0 && f > 0:
		return "fewer than 1"
	case n == 100 && f < 1:
		return "more than 99"
	default:
		return fmt.Sprint(n)
	}
}
