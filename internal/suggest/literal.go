package suggest

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
)

// A literal is one comparison a pattern may consist of, with the cases it holds for.
type literal struct {
	column string // no pattern takes two literals of one column and side
	side   side
	text   string // as a condition
	words  string // as a sentence
	slug   string // for the automation's name
	shape  string // without the threshold
	cost   int    // how little round its threshold is
	warn   string
	oneWay bool // a count of earlier orders: more of them never speaks for what fewer speak against
	hard   bool // reads a delicate field: only when nothing else will do
	bits   set
}

type side uint8

const (
	above side = iota
	below
	equal
)

// set is a set of cases by position.
type set []uint64

func newSet(n int) set { return make(set, (n+63)/64) }

func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s set) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// span is the set of the positions from a up to and without b.
func span(n, a, b int) set {
	s := newSet(n)
	for i := a; i < b; i++ {
		s.add(i)
	}
	return s
}

// maxLevels bounds the values of one text column, and the texts of lists, that become literals: the most frequent ones.
const maxLevels = 30

// literals makes every comparison that tells enough of the decided cases apart.
// Of those that hold for the same cases the plainest stays.
func (v *view) literals(o Options) []*literal {
	g := &generator{v: v, n: len(v.order), least: o.MinCases, seen: map[string]int{}}
	for _, c := range v.t.columns {
		switch c.kind {
		case presence:
		case flags:
			g.flag(c)
		case texts:
			g.texts(c)
		default:
			g.numbers(c)
		}
	}
	g.members()
	sort.Slice(g.out, func(i, j int) bool {
		if g.out[i].cost != g.out[j].cost {
			return g.out[i].cost < g.out[j].cost
		}
		return g.out[i].text < g.out[j].text
	})
	return g.out
}

type generator struct {
	v     *view
	n     int
	least int
	seen  map[string]int // decided cases -> index of the literal that holds for them
	out   []*literal
}

// add keeps a literal that neither holds for too few decided cases nor for all of them.
func (g *generator) add(l *literal) {
	on := 0
	for i := range g.v.decided {
		if l.bits.has(i) {
			on++
		}
	}
	if on < g.least || on == g.v.decided {
		return
	}
	key := l.bits.key(g.v.decided)
	if i, ok := g.seen[key]; ok {
		if plainer(l, g.out[i]) {
			g.out[i] = l
		}
		return
	}
	g.seen[key] = len(g.out)
	g.out = append(g.out, l)
}

// plainer reports whether a says the same as b in a way that people would rather read.
func plainer(a, b *literal) bool {
	if a.hard != b.hard {
		return b.hard
	}
	if a.cost != b.cost {
		return a.cost < b.cost
	}
	if len(a.text) != len(b.text) {
		return len(a.text) < len(b.text)
	}
	return a.text < b.text
}

// key is the first n positions as a string.
func (s set) key(n int) string {
	b := make([]byte, 0, (n+7)/8)
	for i := 0; i*64 < n; i++ {
		w := s[i]
		if rest := n - i*64; rest < 64 {
			w &= 1<<rest - 1
		}
		for range 8 {
			b = append(b, byte(w))
			w >>= 8
		}
	}
	return string(b)
}

// where is the set of cases whose value passes a test.
func (g *generator) where(c *column, ok func(int64) bool) set {
	s := newSet(g.n)
	for i, r := range g.v.order {
		if x := c.at(int(r)); x != missing && ok(x) {
			s.add(i)
		}
	}
	return s
}

func (g *generator) flag(c *column) {
	yes, no := c.name, "!"+c.name
	wordsYes, wordsNo := flagWords(c.name)
	if a, b, ok := strings.Cut(c.name, " != "); ok {
		no = a + " == " + b
	}
	for _, l := range []struct {
		want  int64
		text  string
		words string
		side  side
	}{{1, yes, wordsYes, above}, {0, no, wordsNo, below}} {
		g.add(&literal{
			column: c.name, side: equal, text: l.text, words: l.words, slug: slugOf(c.name, l.side, ""), shape: l.text,
			bits: g.where(c, func(x int64) bool { return x == l.want }),
		})
	}
}

func (g *generator) texts(c *column) {
	counts := make([]int, len(c.words))
	for i := range g.v.decided {
		if x := c.at(int(g.v.order[i])); x != missing {
			counts[x]++
		}
	}
	levels := make([]int64, len(c.words))
	for i := range levels {
		levels[i] = int64(i)
	}
	slices.SortFunc(levels, func(a, b int64) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(c.words[a], c.words[b])
	})
	warn := ""
	if delicate[c.name] {
		warn = c.name + " says where people live: make sure that the rule treats nobody worse for it"
	}
	for rank, code := range levels[:min(len(levels), maxLevels)] {
		w := c.words[code]
		if w == "" || len(w) > 100 {
			continue
		}
		g.add(&literal{
			column: c.name, side: equal, text: c.name + " == " + strconv.Quote(w), words: fieldWords(c.name) + " " + w,
			slug: slugOf(c.name, equal, w), shape: c.name + "==" + w, cost: 1, warn: warn, hard: warn != "",
			bits: g.where(c, func(x int64) bool { return x == code }),
		})
		if rank < 3 && len(levels) > 2 {
			g.add(&literal{
				column: c.name, side: equal, text: c.name + " != " + strconv.Quote(w), words: fieldWords(c.name) + " other than " + w,
				slug: slugOf(c.name, below, w), shape: c.name + "!=" + w, cost: 2, warn: warn, hard: warn != "",
				bits: g.where(c, func(x int64) bool { return x != code }),
			})
		}
	}
}

// members are the tags, and the SKUs, that enough decided cases have.
func (g *generator) members() {
	pos := make([]int32, len(g.v.t.rows))
	for i, r := range g.v.order {
		pos[r] = int32(i)
	}
	var ms []*member
	decided := map[*member]int{}
	for _, m := range g.v.t.members {
		for _, r := range m.rows {
			if int(pos[r]) < g.v.decided {
				decided[m]++
			}
		}
		if decided[m] >= g.least {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b *member) int {
		if decided[a] != decided[b] {
			return decided[b] - decided[a]
		}
		return strings.Compare(a.fact+a.value, b.fact+b.value)
	})
	for _, m := range ms[:min(len(ms), maxLevels)] {
		s := newSet(g.n)
		for _, r := range m.rows {
			s.add(int(pos[r]))
		}
		q := strconv.Quote(m.value)
		l := &literal{column: m.fact + " " + m.value, side: equal, cost: 1, bits: s, shape: m.fact + " has " + m.value}
		if m.fact == lineSKU {
			l.text, l.words, l.slug = "order.lines.exists(l, l.sku == "+q+")", "a line of "+m.value, "with-"+slug(m.value)
		} else {
			l.text, l.words, l.slug = q+" in "+m.fact, "the "+tagOwner(m.fact)+" tag "+m.value, "tagged-"+slug(m.value)
		}
		g.add(l)
		if m.fact != lineSKU {
			not := newSet(g.n)
			for i := range g.n {
				if !s.has(i) && g.v.t.listKnown(m.fact, int(g.v.order[i])) {
					not.add(i)
				}
			}
			g.add(&literal{
				column: l.column, side: equal, cost: 2, bits: not, text: "!(" + l.text + ")", words: "no " + tagOwner(m.fact) + " tag " + m.value,
				slug: "not-" + slug(m.value), shape: "no " + l.shape,
			})
		}
	}
}

// numbers makes a comparison at every natural threshold that the column's values lie around.
func (g *generator) numbers(c *column) {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range g.v.decided {
		if x := c.at(int(g.v.order[i])); x != missing {
			lo, hi = min(lo, x), max(hi, x)
		}
	}
	for _, th := range thresholds(c, lo, hi) {
		show := c.show(th.at)
		for _, s := range []side{above, below} {
			bits := g.where(c, func(x int64) bool { return (x >= th.at) == (s == above) })
			g.add(&literal{
				column: c.name, side: s, text: c.compare(s, th.at, show), words: c.compareWords(s, th.at), slug: slugOf(c.name, s, c.velocity.By),
				shape: c.name + c.currency + [...]string{">=", "<"}[s], cost: th.cost, bits: bits,
				oneWay: c.velocity.Event != "",
			})
		}
	}
}

// threshold is a number people would choose; cost says how little round it is.
type threshold struct {
	at   int64
	cost int
}

var mantissas = []struct {
	tenths int64
	cost   int
}{{10, 0}, {15, 2}, {20, 1}, {25, 1}, {30, 2}, {40, 2}, {50, 0}, {60, 3}, {75, 2}, {80, 3}}

var spans = []struct {
	d    time.Duration
	cost int
}{
	{time.Minute, 1},
	{5 * time.Minute, 2},
	{10 * time.Minute, 2},
	{15 * time.Minute, 2},
	{30 * time.Minute, 1},
	{time.Hour, 0},
	{2 * time.Hour, 2},
	{3 * time.Hour, 3},
	{6 * time.Hour, 2},
	{12 * time.Hour, 1},
	{24 * time.Hour, 0},
	{48 * time.Hour, 1},
	{72 * time.Hour, 2},
	{7 * 24 * time.Hour, 0},
	{14 * 24 * time.Hour, 1},
	{30 * 24 * time.Hour, 0},
	{60 * 24 * time.Hour, 1},
	{90 * 24 * time.Hour, 1},
	{180 * 24 * time.Hour, 1},
	{365 * 24 * time.Hour, 0},
	{730 * 24 * time.Hour, 1},
}

// thresholds are the natural ones above lo and up to hi, in the column's own unit.
func thresholds(c *column, lo, hi int64) []threshold {
	var out []threshold
	add := func(at int64, cost int) {
		if at > lo && at <= hi {
			out = append(out, threshold{at, cost})
		}
	}
	if lo > hi {
		return nil
	}
	switch c.kind {
	case durations:
		for _, s := range spans {
			add(int64(s.d), s.cost)
		}
	case numbers:
		for n := int64(1); n <= 10; n++ {
			add(n, [...]int{0, 0, 1, 1, 2, 0, 2, 3, 3, 3, 0}[n])
		}
		for unit := int64(10); unit <= hi && unit <= 1e9; unit *= 10 {
			for _, m := range mantissas {
				if at := m.tenths * unit / 10; at > 10 {
					add(at, m.cost)
				}
			}
		}
	case amounts:
		one := int64(1)
		if digits, ok := money.Digits(c.currency); ok {
			for range digits {
				one *= 10
			}
		}
		for unit := one; unit <= hi && unit < 1e15; unit *= 10 {
			for _, m := range mantissas {
				if at := m.tenths * unit / 10; at*10 == m.tenths*unit { // whole minor units
					add(at, m.cost)
				}
			}
		}
	}
	return out
}
