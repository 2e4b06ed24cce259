package rate

import (
	"math"
	"strconv"
)

// Gaps counts gaps in bins of equal width on a logarithmic scale, so that the
// far tail keeps its resolution in a few numbers. Older gaps weigh less.
type Gaps struct {
	Bins Bins
	Seen int64 // gaps ever
}

const (
	perDecade = 20
	decades   = 6 // from 0.001 to 1000 expected events
	bins      = perDecade*decades + 1
	smallest  = 1e-3
)

// Add counts one gap.
func (g *Gaps) Add(u float64) {
	g.Bins[binOf(u)]++
	g.Seen++
}

// Fade lowers the weight of all gaps so far.
func (g *Gaps) Fade(w float64) {
	for i := range g.Bins {
		g.Bins[i] *= w
	}
}

func binOf(u float64) int {
	if !(u > smallest) {
		return 0
	}
	return min(bins-1, 1+int(math.Log10(u/smallest)*perDecade))
}

// edge is the upper edge of a bin.
func edge(i int) float64 { return smallest * math.Pow(10, float64(i)/perDecade) }

// Total is the weight of all gaps.
func (g *Gaps) Total() float64 {
	sum := 0.0
	for _, n := range g.Bins {
		sum += n
	}
	return sum
}

// Quantile is the gap that a share p of all gaps does not exceed.
func (g *Gaps) Quantile(p float64) float64 {
	want, sum := p*g.Total(), 0.0
	for i, n := range g.Bins {
		if n > 0 && sum+n >= want-1e-9 {
			if i == 0 {
				return smallest * max(0, want-sum) / n
			}
			return edge(i-1) * math.Pow(edge(i)/edge(i-1), max(0, want-sum)/n)
		}
		sum += n
	}
	return 0
}

// Beyond is by how much the gaps beyond u exceed it, in the mean.
func (g *Gaps) Beyond(u float64) float64 {
	sum, n := 0.0, 0.0
	for i, w := range g.Bins {
		if i == 0 || edge(i) <= u || w == 0 {
			continue
		}
		lo := edge(i - 1)
		if lo < u { // the share of the bin that lies beyond
			w *= (edge(i) - u) / (edge(i) - lo)
			lo = u
		}
		sum += w * ((lo+edge(i))/2 - u)
		n += w
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// odd is where a gap is beyond all that these let expect.
func (g *Gaps) odd() float64 {
	if g.Seen < 10 {
		return 20
	}
	return max(1, 5*g.Quantile(0.95))
}

// Hours are weights by hour of the week, Sunday 00:00 first.
type Hours [HoursOfWeek]float64

// Bins are the weights of gaps by their length.
type Bins [bins]float64

// MarshalJSON writes five digits: more are noise, and these are written every minute.
func (h Hours) MarshalJSON() ([]byte, error) { return short(h[:]), nil }

// MarshalJSON writes five digits.
func (b Bins) MarshalJSON() ([]byte, error) { return short(b[:]), nil }

func short(vs []float64) []byte {
	out := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, v, 'g', 5, 64)
	}
	return append(out, ']')
}
