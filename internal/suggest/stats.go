package suggest

import "math"

// zOneSided is the normal quantile of a one-sided bound at 95 %.
const zOneSided = 1.6449

// quantile is what a normal variable exceeds with probability p.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfcinv(2*p) }

// wilson is the lower end of what the true share may be when agreed of cases were observed
// (Wilson's interval, one-sided, at z standard deviations).
func wilson(agreed, cases int, z float64) float64 {
	if cases == 0 {
		return 0
	}
	n, p := float64(cases), float64(agreed)/float64(cases)
	z2 := z * z
	mid := p + z2/(2*n)
	dev := z * math.Sqrt(p*(1-p)/n+z2/(4*n*n))
	return max(0, (mid-dev)/(1+z2/n))
}

// hyperTail is the chance of drawing agreed or more of the hits when cases are drawn
// blindly from total cases with hits among them: Fisher's exact test, one-sided.
func hyperTail(total, hits, cases, agreed int) float64 {
	if agreed <= max(0, cases-(total-hits)) {
		return 1
	}
	all := lnChoose(total, cases)
	sum := 0.0
	for k := agreed; k <= min(cases, hits); k++ {
		sum += math.Exp(lnChoose(hits, k) + lnChoose(total-hits, cases-k) - all)
	}
	return min(1, sum)
}

// binomialHead is the chance of agreed or fewer of cases when each agrees with probability p.
func binomialHead(agreed, cases int, p float64) float64 {
	if agreed >= cases {
		return 1
	}
	sum := 0.0
	for k := 0; k <= agreed; k++ {
		sum += math.Exp(lnChoose(cases, k) + float64(k)*math.Log(p) + float64(cases-k)*math.Log1p(-p))
	}
	return min(1, sum)
}

func lnChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
