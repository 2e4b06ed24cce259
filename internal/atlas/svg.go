package atlas

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// Drawing says how the map is drawn.
type Drawing struct {
	Standalone bool               // a file of its own: with colours, heading and legend
	Href       func(*Node) string // where a node leads; nil = nowhere
	Select     string             // key of the node that is looked at
	Hurt       map[string]float64 // nodes that stop with it, by share
	Zone       *time.Location     // of the date; nil = UTC
}

const headHeight = 26.0 // of the headings of the columns

// SVG draws the map. It has no styles but the names of its parts, unless it stands alone.
func (m *Map) SVG(w io.Writer, d Drawing) error {
	l := lay(m)
	p := &pen{Map: m, Drawing: d, layout: l, top: headHeight + margin}
	p.mark()
	width, height := l.w, p.top+l.h+margin
	if d.Standalone {
		p.top += 54
		height += 54 + 34
	}
	p.f(`<svg xmlns="http://www.w3.org/2000/svg" class="atlas" viewBox="0 0 %s %s" role="group" aria-labelledby="atlas-title atlas-desc"`, n1(width), n1(height))
	if d.Standalone {
		p.f(` width="%s" height="%s" font-family="Inter, system-ui, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"`, n1(width), n1(height))
	}
	p.f(`><title id="atlas-title">System map of %s</title><desc id="atlas-desc">%s</desc>`, esc(m.Shop), esc(m.describe()))
	if d.Standalone {
		p.f("<style>%s</style>", standaloneStyle)
		p.f(`<rect class="paper" width="%s" height="%s"/>`, n1(width), n1(height))
		p.f(`<text class="title" x="%s" y="30">%s</text>`, n1(margin), esc(m.Shop))
		p.f(`<text class="sub" x="%s" y="48">System map, %s. Volumes per day, over the last %s.</text>`, n1(margin), esc(p.date()), days(m.Days))
	}
	for i, t := range Titles() {
		p.f(`<text class="head" x="%s" y="%s">%s</text>`, n1(left(Layer(i))), n1(p.top-margin-6), esc(t))
	}
	p.wires()
	for _, col := range l.cols {
		for _, b := range col {
			if b.node != nil {
				p.node(b)
			}
		}
	}
	if d.Standalone {
		p.legend(height - 14)
	}
	p.f("</svg>")
	_, err := w.Write(p.buf.Bytes())
	return err
}

// describe is the drawing in one sentence, for those who do not see it.
func (m *Map) describe() string {
	count := map[Kind]int{}
	for _, n := range m.Nodes {
		count[n.Kind]++
	}
	return fmt.Sprintf("%d systems on the left and right, %d kinds of data, %d automations and %d queues in between, joined by %d flows from left to right; a table with the same content follows on the page.",
		count[System], count[Datum], count[Automation], count[Queue], len(m.Edges))
}

type pen struct {
	*Map
	Drawing
	*layout
	buf    bytes.Buffer
	top    float64
	near   map[string]bool // nodes that an edge joins with the selected one
	warned map[string]bool // nodes that a warning names
}

func (p *pen) f(format string, args ...any) { fmt.Fprintf(&p.buf, format, args...) }

func (p *pen) date() string {
	at := p.At
	if p.Zone != nil {
		at = at.In(p.Zone)
	}
	return at.Format("2 January 2006, 15:04 MST")
}

func (p *pen) mark() {
	p.near, p.warned = map[string]bool{}, map[string]bool{}
	for _, e := range p.Edges {
		if e.From == p.Select || e.To == p.Select {
			p.near[e.From], p.near[e.To] = true, true
		}
	}
	for _, g := range p.Gaps {
		if g.Warning {
			for _, n := range g.Nodes {
				p.warned[n] = true
			}
		}
	}
}

// port is a place at the side of a box where a wire ends.
type port struct {
	box   *box
	right bool
}

func (p *pen) wires() {
	ends := map[port][]*wire{}
	for _, w := range p.layout.wires {
		a, b := port{w.at[0], true}, port{w.at[len(w.at)-1], false}
		ends[a] = append(ends[a], w)
		ends[b] = append(ends[b], w)
	}
	y := map[port]map[*wire]float64{}
	for at, ws := range ends {
		next := func(w *wire) float64 {
			if at.right {
				return w.at[1].mid()
			}
			return w.at[len(w.at)-2].mid()
		}
		slices.SortStableFunc(ws, func(a, b *wire) int {
			return cmp.Or(cmp.Compare(next(a), next(b)), cmp.Compare(a.edge.From, b.edge.From), cmp.Compare(a.edge.To, b.edge.To), cmp.Compare(a.edge.Kind, b.edge.Kind))
		})
		step := min(7, (at.box.h-8)/float64(len(ws)))
		y[at] = map[*wire]float64{}
		for i, w := range ws {
			y[at][w] = at.box.mid() + (float64(i)-float64(len(ws)-1)/2)*step
		}
	}
	// The faint ones first, so that the strong ones lie above.
	ws := slices.Clone(p.layout.wires)
	slices.SortStableFunc(ws, func(a, b *wire) int { return cmp.Compare(p.strength(a), p.strength(b)) })
	for _, w := range ws {
		first, last := w.at[0], w.at[len(w.at)-1]
		p.wire(w, y[port{first, true}][w], y[port{last, false}][w])
	}
}

func (p *pen) strength(w *wire) float64 {
	if p.touches(w.edge) {
		return 1e9
	}
	if w.edge.Kind == Reads {
		return -1
	}
	return w.edge.Volume.PerDay
}

func (p *pen) touches(e *Edge) bool {
	return p.Select != "" && (e.From == p.Select || e.To == p.Select)
}

// thick is the width of an edge by its volume: every tenfold is as much wider.
func thick(e *Edge) float64 {
	if e.Kind == Reads || e.Volume.PerDay <= 0 {
		return 1
	}
	return min(9, 1.2+1.7*math.Log10(1+e.Volume.PerDay))
}

func (p *pen) wire(w *wire, y1, y2 float64) {
	var d strings.Builder
	x := left(w.at[0].layer) + widthOf(w.at[0].layer)
	fmt.Fprintf(&d, "M%s %s", n1(x), n1(p.top+y1))
	at := y1
	for i := 1; i < len(w.at); i++ {
		b := w.at[i]
		to := b.mid()
		if i == len(w.at)-1 {
			to = y2
		}
		x2 := left(b.layer)
		bend := columnGap * 0.52
		fmt.Fprintf(&d, "C%s %s %s %s %s %s", n1(x+bend), n1(p.top+at), n1(x2-bend), n1(p.top+to), n1(x2), n1(p.top+to))
		x, at = x2, to
		if i < len(w.at)-1 {
			x = x2 + widthOf(b.layer)
			fmt.Fprintf(&d, "H%s", n1(x))
		}
	}
	class := "flow " + string(w.edge.Kind)
	if w.edge.Volume.N30 == 0 && w.edge.Kind != Reads {
		class += " unseen"
	}
	switch {
	case p.touches(w.edge):
		class += " on"
	case p.Select != "":
		class += " dim"
	}
	p.f(`<path class="%s" d="%s" stroke-width="%s"><title>%s</title></path>`, class, d.String(), n1(thick(w.edge)), esc(p.edgeText(w.edge)))
}

func (p *pen) edgeText(e *Edge) string {
	s := flowText(structureEdge{e.From, e.To, e.Kind, nil}, e.What)
	if e.Volume.N30 > 0 {
		s += fmt.Sprintf(": %s a day, last %s", count(e.Volume.PerDay), age(p.At, e.Volume.Last))
	}
	return s
}

// meaning is the colour of a node, in the words of the token sheet.
func (p *pen) meaning(n *Node) string {
	switch {
	case n.Dead > 0:
		return "danger"
	case p.warned[n.Key]:
		return "attention"
	case n.Kind == Queue:
		return "held"
	case lastOf(n).After(p.At.Add(-24 * time.Hour)):
		return "done"
	}
	return "neutral"
}

func lastOf(n *Node) time.Time {
	if n.Out.Last.After(n.In.Last) {
		return n.Out.Last
	}
	return n.In.Last
}

func (p *pen) node(b *box) {
	n, x, y, width := b.node, left(b.layer), p.top+b.y, widthOf(b.layer)
	class := "node " + string(n.Kind) + " " + p.meaning(n)
	switch {
	case n.Key == p.Select:
		class += " on"
	case p.Hurt[n.Key] > 0:
		class += " hurt"
	case p.Select != "" && !p.near[n.Key]:
		class += " dim"
	}
	sub := p.sub(b)
	label := label(n.Key)
	for _, s := range []string{sub, ownerWords(n), p.words(n)} {
		if s != "" {
			label += ", " + s
		}
	}
	if p.Href != nil {
		p.f(`<a href="%s" aria-label="%s"`, esc(p.Href(n)), esc(label))
		if n.Key == p.Select {
			p.f(` aria-current="true"`)
		}
		p.f(">")
	}
	p.f(`<g class="%s"><title>%s</title><rect class="box" x="%s" y="%s" width="%s" height="%s" rx="6"/>`, class, esc(label), n1(x), n1(y), n1(width), n1(b.h))
	p.f(`<rect class="bar" x="%s" y="%s" width="3" height="%s" rx="1.5"/>`, n1(x+5), n1(y+6), n1(b.h-12))
	room := width - 24.0
	if b.h == lowNode {
		right := ""
		if n.In.N30 > 0 {
			right = count(n.In.PerDay)
		} else if n.Mode != "active" {
			right = n.Mode
		}
		if right != "" {
			p.f(`<text class="sub" x="%s" y="%s" text-anchor="end">%s</text>`, n1(x+width-8), n1(y+17), esc(right))
			room -= textWidth(right, 10.5) + 10
		}
		p.f(`<text class="name" x="%s" y="%s">%s</text>`, n1(x+14), n1(y+17), esc(fit(n.Name, 11.5, room)))
	} else {
		p.f(`<text class="name" x="%s" y="%s">%s</text>`, n1(x+14), n1(y+18), esc(fit(n.Name, 12.5, room)))
		p.f(`<text class="sub" x="%s" y="%s">%s</text>`, n1(x+14), n1(y+33), esc(fit(sub, 10.5, room)))
	}
	p.f("</g>")
	if p.Href != nil {
		p.f("</a>")
	}
}

// sub is the second line of a node.
func (p *pen) sub(b *box) string {
	n := b.node
	v, verb := n.In, ""
	switch n.Kind {
	case Datum:
		if n.Layer == Made {
			return volumeText(n.In, "")
		}
		return n.Record
	case Queue:
		if n.Out.N30 > 0 {
			return fmt.Sprintf("%s a day, %d open", count(n.Out.PerDay), n.Waiting)
		}
		return fmt.Sprintf("%d open", n.Waiting)
	case Builtin:
		return "built in"
	case System:
		if b.layer == Receivers {
			v = n.Out
			if n.Dead > 0 {
				return fmt.Sprintf("%d dead letters", n.Dead)
			}
			if n.Waiting > 0 {
				verb = fmt.Sprintf("%d wait", n.Waiting)
			}
		}
	}
	s := volumeText(v, "")
	if v.N30 > 0 && n.Kind == System {
		s += ", " + age(p.At, v.Last)
	}
	if verb != "" {
		s += ", " + verb
	}
	return s
}

func volumeText(v Volume, none string) string {
	if v.N30 == 0 {
		return cmp.Or(none, "nothing observed")
	}
	return count(v.PerDay) + " a day"
}

func ownerWords(n *Node) string {
	if n.Owner == "" {
		return "no owner"
	}
	return "owner " + n.Owner
}

// words say what the colour of a node says.
func (p *pen) words(n *Node) string {
	switch p.meaning(n) {
	case "attention":
		return "has a finding"
	case "danger":
		return "has dead letters"
	}
	return ""
}

// Legend are the meanings of the colours, each with its words.
func Legend() [][2]string {
	return [][2]string{
		{"done", "Seen in the last day"}, {"neutral", "Quiet, or data at rest"}, {"held", "People's work"}, {"attention", "Has a finding"}, {"danger", "Has dead letters"},
	}
}

func (p *pen) legend(y float64) {
	x := margin
	for _, l := range Legend() {
		p.f(`<g class="node %s"><rect class="bar" x="%s" y="%s" width="3" height="12" rx="1.5"/><text class="sub" x="%s" y="%s">%s</text></g>`, l[0], n1(x), n1(y-10), n1(x+9), n1(y), esc(l[1]))
		x += 28 + textWidth(l[1], 10.5)
	}
	for _, l := range [][2]string{{"flow sends", "Flow; the wider, the more a day"}, {"flow unseen", "Configured, not observed"}, {"flow reads", "Read by a condition"}} {
		p.f(`<path class="%s" d="M%s %sh24" stroke-width="%d"/><text class="sub" x="%s" y="%s">%s</text>`, l[0], n1(x), n1(y-4), 1+2*strings.Count(l[0], "sends"), n1(x+30), n1(y), esc(l[1]))
		x += 50 + textWidth(l[1], 10.5)
	}
}

// count is a number of a day as short as it can be read: 0.3, 4.5, 120, 12k.
func count(n float64) string {
	switch {
	case n == 0:
		return "0"
	case n < 0.095:
		return "<0.1"
	case n < 9.95:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
	case n < 9999.5:
		return fmt.Sprintf("%.0f", n)
	case n < 999_500:
		return fmt.Sprintf("%.0fk", n/1000)
	}
	return fmt.Sprintf("%.1fM", n/1e6)
}

func age(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 2*time.Minute:
		return "now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d d ago", int(d.Hours()/24))
}

// textWidth is about how wide a text is, rather too wide than too narrow.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtfI.,:;|'!()- ", r):
			w += 0.39
		case strings.ContainsRune("mwMW@%", r):
			w += 0.97
		case r >= 'A' && r <= 'Z':
			w += 0.73
		case r > 0x2e80:
			w += 1.05
		default:
			w += 0.63
		}
	}
	return w * size
}

// fit shortens a text to a width. What is left out is in the middle: names that begin alike often differ at their ends.
func fit(s string, size, room float64) string {
	if textWidth(s, size) <= room {
		return s
	}
	rs := []rune(s)
	for keep := len(rs) - 1; keep > 1; keep-- {
		tail := min(8, keep/3)
		short := strings.TrimRight(string(rs[:keep-tail]), " -.,") + "…" + strings.TrimLeft(string(rs[len(rs)-tail:]), " -.,")
		if textWidth(short, size) <= room {
			return short
		}
	}
	return "…"
}

func days(n int) string {
	if n == 1 {
		return "day"
	}
	return fmt.Sprintf("%d days", n)
}

func esc(s string) string { return html.EscapeString(s) }

func n1(f float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0")
}

// standaloneStyle gives the parts of a drawing that stands alone the colours of the token sheet.
const standaloneStyle = `
.paper{fill:#fff}.title{font-size:22px;font-weight:650;fill:#161b26}.head{font-size:12px;font-weight:600;fill:#626c7d}
.name{font-size:12.5px;font-weight:550;fill:#161b26}.automation .name{font-size:11.5px}.sub{font-size:10.5px;fill:#626c7d}
.box{fill:#fff;stroke:#c8cfd9}.datum .box{fill:#f3f5f8}.automation .box{stroke:#d9caff}.orderly .box{fill:#eef3ff;stroke:#2a5bd7}
.bar{fill:#8c97a8}.done .bar{fill:#2a9d63}.attention .bar{fill:#dd8a0c}.danger .bar{fill:#d8392b}.held .bar{fill:#7c4ff0}
.attention .box{stroke:#f3d7a3}.danger .box{stroke:#f5c6c1}
.flow{fill:none;stroke:#8c97a8;opacity:.4}.flow.sends,.flow.leaves{stroke:#2a5bd7;opacity:.34}.flow.triggers,.flow.writes{stroke:#7c4ff0;opacity:.3}
.flow.reads{stroke:#c8cfd9;opacity:.8}.flow.unseen{stroke:#8c97a8;stroke-dasharray:3 4;opacity:.6}
@media screen and (prefers-color-scheme:dark){.paper{fill:#0e1116}.title,.name{fill:#eceff4}.head,.sub{fill:#929cab}.box{fill:#161a21;stroke:#3a4250}.datum .box{fill:#11151b}
.automation .box{stroke:#43356c}.orderly .box{fill:#1b2640;stroke:#6f9bff}.flow.sends,.flow.leaves{stroke:#6f9bff}.flow.triggers,.flow.writes{stroke:#9b7bff}.flow.reads{stroke:#3a4250}
.attention .box{stroke:#55431f}.danger .box{stroke:#5e2a25}}
@media print{.paper{fill:#fff}}
@page{size:A3 landscape;margin:10mm}
`
