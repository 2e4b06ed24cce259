package atlas

import (
	"cmp"
	"math"
	"slices"
)

// The geometry of the drawing, in the units of its view box.
const (
	nodeWidth  = 172.0
	wideNode   = 214.0 // automations: their names are long
	columnGap  = 78.0
	tallNode   = 42.0 // two lines
	lowNode    = 26.0 // one line: automations, of which there are many
	nodeGap    = 10.0
	lowGap     = 6.0
	groupGap   = 14.0 // between automations that different data set off
	laneHeight = 8.0  // of an edge that passes a column
	margin     = 12.0
)

// box is where something stands in a column: a node, or the lane of an edge that passes it.
type box struct {
	node  *Node
	layer Layer
	y, h  float64
	order float64 // for the sweeps
	left  []*box
	right []*box
	group string // boxes of one group stand together
}

func (b *box) mid() float64 { return b.y + b.h/2 }

// wire is an edge with the boxes it goes through, from left to right.
type wire struct {
	edge *Edge
	at   []*box
	back bool // it is drawn from right to left
}

// layout is the drawing before it is text.
type layout struct {
	cols  [layers][]*box
	wires []*wire
	w, h  float64 // of the part below the headings
}

// lay places the nodes: in columns by layer, ordered so that few edges cross, and moved to where their edges come from.
func lay(m *Map) *layout {
	l := &layout{}
	at := map[string][layers]*box{}
	put := func(n *Node, layer Layer) {
		b := &box{node: n, layer: layer, h: tallNode}
		if n.Kind == Automation {
			b.h = lowNode
			b.group = groupOf(m, n)
		}
		bs := at[n.Key]
		bs[layer] = b
		at[n.Key] = bs
		l.cols[layer] = append(l.cols[layer], b)
	}
	for _, n := range m.Nodes {
		switch {
		case n.Kind != System:
			put(n, n.Layer)
		default:
			if n.Sends {
				put(n, Senders)
			}
			if n.Receives || !n.Sends {
				put(n, Receivers)
			}
		}
	}
	for _, e := range m.Edges {
		from, to := boxOf(at[e.From], true), boxOf(at[e.To], false)
		if from == nil || to == nil || from.layer == to.layer {
			continue
		}
		w := &wire{edge: e}
		if from.layer > to.layer {
			from, to, w.back = to, from, true
		}
		l.thread(w, from, to)
	}
	l.sort()
	l.place()
	l.w = left(layers) - columnGap + margin
	return l
}

// boxOf is the box of a node that an edge begins or ends at: systems that do both stand twice.
func boxOf(bs [layers]*box, begins bool) *box {
	if begins && bs[Senders] != nil {
		return bs[Senders]
	}
	for i := range bs {
		if b := bs[len(bs)-1-i]; b != nil {
			return b
		}
	}
	return nil
}

// groupOf is the datum that sets an automation off.
func groupOf(m *Map, n *Node) string {
	for _, e := range m.To(n.Key) {
		if e.Kind == Triggers {
			return e.From
		}
	}
	return ""
}

// thread leads a wire through a lane in each column between its ends.
func (l *layout) thread(w *wire, from, to *box) {
	w.at = append(w.at, from)
	for layer := from.layer + 1; layer < to.layer; layer++ {
		lane := &box{layer: layer, h: laneHeight}
		l.cols[layer] = append(l.cols[layer], lane)
		w.at = append(w.at, lane)
	}
	w.at = append(w.at, to)
	for i := 1; i < len(w.at); i++ {
		w.at[i-1].right = append(w.at[i-1].right, w.at[i])
		w.at[i].left = append(w.at[i].left, w.at[i-1])
	}
	l.wires = append(l.wires, w)
}

// sort orders the columns: sweeps to and fro put every box near the middle of its neighbours.
func (l *layout) sort() {
	l.number()
	best, fewest := l.copyOrder(), l.crossings()
	for sweep := range 16 {
		for i := range l.cols {
			col, side := i, func(b *box) []*box { return b.left }
			if sweep%2 == 1 {
				col, side = len(l.cols)-1-i, func(b *box) []*box { return b.right }
			}
			l.sortColumn(col, side)
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.copyOrder(), n
		}
	}
	for i := range l.cols {
		l.cols[i] = best[i]
	}
	l.number()
}

func (l *layout) copyOrder() (out [layers][]*box) {
	for i := range l.cols {
		out[i] = slices.Clone(l.cols[i])
	}
	return out
}

func (l *layout) number() {
	for _, col := range l.cols {
		for i, b := range col {
			b.order = (float64(i) + 0.5) / float64(len(col))
		}
	}
}

func (l *layout) sortColumn(i int, side func(*box) []*box) {
	key := map[*box]float64{}
	group, members := map[string]float64{}, map[string]float64{}
	for _, b := range l.cols[i] {
		key[b] = b.order
		if ns := side(b); len(ns) > 0 {
			sum := 0.0
			for _, n := range ns {
				sum += n.order
			}
			key[b] = sum / float64(len(ns))
		}
		if b.group != "" {
			group[b.group] += key[b]
			members[b.group]++
		}
	}
	of := func(b *box) float64 {
		if b.group != "" {
			return group[b.group] / members[b.group]
		}
		return key[b]
	}
	slices.SortStableFunc(l.cols[i], func(a, b *box) int {
		return cmp.Or(cmp.Compare(of(a), of(b)), cmp.Compare(a.group, b.group), cmp.Compare(key[a], key[b]))
	})
	for k, b := range l.cols[i] {
		b.order = (float64(k) + 0.5) / float64(len(l.cols[i]))
	}
}

// crossings counts the pairs of wires that cross between two columns.
func (l *layout) crossings() int {
	type span struct{ a, b float64 }
	var by [layers][]span
	for _, w := range l.wires {
		for i := 1; i < len(w.at); i++ {
			p := w.at[i-1].layer
			by[p] = append(by[p], span{w.at[i-1].order, w.at[i].order})
		}
	}
	n := 0
	for _, spans := range by {
		for i, s := range spans {
			for _, t := range spans[:i] {
				if (s.a-t.a)*(s.b-t.b) < 0 {
					n++
				}
			}
		}
	}
	return n
}

func gapBetween(a, b *box) float64 {
	switch {
	case a.node == nil || b.node == nil:
		return lowGap / 2
	case a.node.Kind == Automation && b.node.Kind == Automation && a.group == b.group:
		return lowGap
	case a.node.Kind == Automation || b.node.Kind == Automation:
		return groupGap
	}
	return nodeGap
}

// place gives every box its height on the page: as near to its neighbours as its column allows.
func (l *layout) place() {
	tallest := 0.0
	for _, col := range l.cols {
		y := 0.0
		for i, b := range col {
			if i > 0 {
				y += gapBetween(col[i-1], b)
			}
			b.y = y
			y += b.h
		}
		tallest = max(tallest, y)
	}
	for _, col := range l.cols {
		if len(col) > 0 {
			last := col[len(col)-1]
			shift := (tallest - last.y - last.h) / 2
			for _, b := range col {
				b.y += shift
			}
		}
	}
	for pass := range 24 {
		for i := range l.cols {
			col := i
			if pass%2 == 1 {
				col = len(l.cols) - 1 - i
			}
			settle(l.cols[col])
		}
	}
	top, bottom := math.Inf(1), 0.0
	for _, col := range l.cols {
		for _, b := range col {
			top, bottom = min(top, b.y), max(bottom, b.y+b.h)
		}
	}
	for _, col := range l.cols {
		for _, b := range col {
			b.y -= top
		}
	}
	l.h = max(0, bottom-top)
}

// settle moves the boxes of a column to the middle of their neighbours without changing their order: the least
// squares under minimal distances, by pooling those that would come too near to each other.
func settle(col []*box) {
	type pool struct {
		sum, weight float64
		from, to    int
	}
	offset := make([]float64, len(col))
	var pools []pool
	for i, b := range col {
		if i > 0 {
			offset[i] = offset[i-1] + (col[i-1].h+b.h)/2 + gapBetween(col[i-1], b)
		}
		want, n := 0.0, 0
		for _, x := range b.left {
			want, n = want+x.mid(), n+1
		}
		for _, x := range b.right {
			want, n = want+x.mid(), n+1
		}
		weight := 1.0
		if n == 0 {
			want, n, weight = b.mid(), 1, 0.2
		}
		if b.node == nil {
			weight = 2 // lanes bend least
		}
		p := pool{sum: weight * (want/float64(n) - offset[i]), weight: weight, from: i, to: i}
		for len(pools) > 0 && pools[len(pools)-1].sum/pools[len(pools)-1].weight > p.sum/p.weight {
			q := pools[len(pools)-1]
			pools = pools[:len(pools)-1]
			p.sum, p.weight, p.from = p.sum+q.sum, p.weight+q.weight, q.from
		}
		pools = append(pools, p)
	}
	for _, p := range pools {
		for i := p.from; i <= p.to; i++ {
			col[i].y = p.sum/p.weight + offset[i] - col[i].h/2
		}
	}
}

// widthOf is how wide the boxes of a column are.
func widthOf(layer Layer) float64 {
	if layer == Deciders {
		return wideNode
	}
	return nodeWidth
}

// left is where the boxes of a column begin.
func left(layer Layer) float64 {
	x := margin
	for i := range layer {
		x += widthOf(i) + columnGap
	}
	return x
}
