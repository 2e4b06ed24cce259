package ui

import "fmt"

// hourLayout is the geometry of HourChart in SVG units.
type hourLayout struct {
	w, h, left, base float64
	lines            []gridLine
	bars             []hourBar
	summary          string
}

type gridLine struct {
	y     float64
	label string
}

type hourBar struct {
	x, y, w, pastY float64
	n              int64
	now            bool
	label          string
	href, title    string
}

func layHours(hours []Hour) hourLayout {
	g := hourLayout{w: 960, h: 196, left: 36, base: 172}
	var top, sum int64
	best := Hour{}
	for _, h := range hours {
		top = max(top, h.N, h.Past)
		sum += h.N
		if h.N > best.N {
			best = h
		}
	}
	step := niceStep(top)
	ceil := step
	for ceil < top {
		ceil += step
	}
	y := func(n int64) float64 { return g.base - float64(n)/float64(ceil)*(g.base-10) }
	for v := int64(0); v <= ceil; v += step {
		if v > 0 {
			g.lines = append(g.lines, gridLine{y: y(v), label: Number(v)})
		}
	}
	slot := (g.w - g.left) / float64(max(1, len(hours)))
	for i, h := range hours {
		b := hourBar{
			x: g.left + float64(i)*slot + slot*0.2, w: slot * 0.6, y: y(h.N), pastY: y(h.Past),
			n: h.N, now: h.Now, href: h.Href, title: h.Title,
		}
		if i%2 == 0 {
			b.label = h.Label
		}
		g.bars = append(g.bars, b)
	}
	g.summary = fmt.Sprintf("%d orders today", sum)
	if best.N > 0 {
		g.summary += fmt.Sprintf("; most at %s o'clock: %d", best.Label, best.N)
	}
	return g
}

// niceStep is the distance of grid lines so that there are at most four: 1, 2 or 5 times a power of ten.
func niceStep(top int64) int64 {
	step := int64(1)
	for {
		for _, m := range [...]int64{1, 2, 5} {
			if step*m*4 >= top {
				return step * m
			}
		}
		step *= 10
	}
}

type sparkBar struct{ x, c, f float64 }

func sparkWidth(vs []int64) float64 { return float64(max(1, len(vs)))*5 - 1 }

func laySpark(considered, fired []int64) []sparkBar {
	var top int64 = 1
	for _, v := range considered {
		top = max(top, v)
	}
	out := make([]sparkBar, len(considered))
	for i, v := range considered {
		b := sparkBar{x: float64(i) * 5, c: 1}
		if v > 0 {
			b.c = max(2, float64(v)/float64(top)*24)
		}
		if i < len(fired) && fired[i] > 0 {
			b.f = max(2, float64(fired[i])/float64(top)*24)
		}
		out[i] = b
	}
	return out
}

func clamp(p int) int { return max(0, min(100, p)) }

// rateSummary is what a rate's chart shows, in words.
func rateSummary(hours []Hour, label string) string {
	var came, due int64
	for _, h := range hours {
		came += h.N
		due += h.Past
	}
	return fmt.Sprintf("%s: %d came within %d hours, about %d were to be expected", label, came, len(hours), due)
}
