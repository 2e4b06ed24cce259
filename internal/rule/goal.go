package rule

import (
	"strconv"

	"orderly.example/orderly/internal/schema"
)

// want is what is asked of a part of a condition. As there are three outcomes,
// "not true" is more than "false".
type want uint8

const (
	wantTrue want = iota
	wantFalse
	notTrue
	notFalse
)

// not is what a negation asks of what it negates.
func (w want) not() want {
	switch w {
	case wantTrue:
		return wantFalse
	case wantFalse:
		return wantTrue
	case notTrue:
		return notFalse
	}
	return notTrue
}

// yes reports whether the true side of a comparison is asked for.
func (w want) yes() bool { return w == wantTrue || w == notFalse }

// loose reports whether unknown will do too.
func (w want) loose() bool { return w >= notTrue }

// env says which line or element each enclosing loop stands for.
type env [maxNesting]int

type goalKind uint8

const (
	goalNode    goalKind = iota // node must come out as wanted
	goalAll                     // every one of the goals
	goalAny                     // one of the goals
	goalDiff                    // x - y <= c
	goalKnown                   // the variable is known
	goalLost                    // it is not
	goalText                    // a text passes a test, or not
	goalSame                    // two texts are equal, or not
	goalExists                  // the body of a loop comes out as wanted for some element
	goalEvery                   // for every element
	goalElement                 // the case speaks of one more element
)

// goal is something that must hold.
type goal struct {
	kind goalKind
	node node
	want want
	env  env
	of   []goal
	x, y int // variables
	c    int64
	test textTester
	neg  bool
	loop *quantNode
}

func all(of ...goal) goal   { return goal{kind: goalAll, of: of} }
func anyOf(of ...goal) goal { return goal{kind: goalAny, of: of} }

var (
	always = goal{kind: goalAll}
	never  = goal{kind: goalAny}
)

func truth(b bool) goal {
	if b {
		return always
	}
	return never
}

func known(v int) goal { return goal{kind: goalKnown, x: v} }
func lost(v int) goal  { return goal{kind: goalLost, x: v} }

// within says x - y <= c.
func within(x, y int, c int64) goal { return goal{kind: goalDiff, x: x, y: y, c: c} }

func same(x, y int, neg bool) goal { return goal{kind: goalSame, x: x, y: y, neg: neg} }

func part(n node, w want, e env) goal { return goal{kind: goalNode, node: n, want: w, env: e} }

// unfold turns what is asked of a node into goals about its parts.
func (s *solver) unfold(g goal) goal {
	w, e := g.want, g.env
	join, split := all, anyOf
	if !w.yes() {
		join, split = anyOf, all
	}
	switch n := g.node.(type) {
	case constNode:
		switch w {
		case wantTrue:
			return truth(Outcome(n) == True)
		case wantFalse:
			return truth(Outcome(n) == False)
		case notTrue:
			return truth(Outcome(n) != True)
		}
		return truth(Outcome(n) != False)
	case *notNode:
		return part(n.of, w.not(), e)
	case *andNode:
		return join(parts(n.of, w, e)...)
	case *orNode:
		return split(parts(n.of, w, e)...)
	case *ifNode:
		if w.loose() {
			return all(anyOf(part(n.cond, notTrue, e), part(n.then, w, e)), anyOf(part(n.cond, notFalse, e), part(n.els, w, e)))
		}
		return anyOf(
			all(part(n.cond, wantTrue, e), part(n.then, w, e)),
			all(part(n.cond, wantFalse, e), part(n.els, w, e)))
	case *quantNode:
		return s.quant(n, w, e)
	case *boolNode:
		return s.number(opEQ, n.of, &term{typ: schema.Bool, n: 1}, w, e)
	case *cmpNode:
		return s.compare(n, w, e)
	case *inNode:
		return s.text(n.of, textTester{name: "in", list: n.list}, w, e)
	case *hasNode:
		if n.of.kind == termConst && n.list.kind == termFact {
			// "vip" in order.tags is order.tags.exists(t, t == "vip").
			return s.quant(&quantNode{kind: quantExists, over: n.list, body: &cmpNode{op: opEQ, a: &term{kind: termElem, typ: schema.String}, b: n.of}}, w, e)
		}
	case *textNode:
		if n.by.kind == termConst {
			return s.text(n.a, textTester{name: n.name, arg: n.by.s}, w, e)
		}
	case *matchNode:
		return s.text(n.a, textTester{name: "matches", arg: n.pattern, match: n.match}, w, e)
	}
	return s.opaque(g.node, w, e)
}

func parts(ns []node, w want, e env) []goal {
	out := make([]goal, len(ns))
	for i, n := range ns {
		out[i] = part(n, w, e)
	}
	return out
}

// opaque stands for a part that the solver does not look into: true, false or unknown at will.
// What is impossible all the same, is so whatever the part comes to.
func (s *solver) opaque(n node, w want, e env) goal {
	key := "?"
	if c, ok := n.(*celNode); ok {
		key += c.text
	} else {
		id, ok := s.opaques[n]
		if !ok {
			id = len(s.opaques)
			s.opaques[n] = id
		}
		key += strconv.Itoa(id) + "/" + strconv.Itoa(e[0])
	}
	v := s.variable(key, key, schema.Bool)
	side := within(0, v, -1) // v >= 1
	if !w.yes() {
		side = within(v, 0, 0)
	}
	return s.side(w, all(side, known(v)), v)
}

// side is the wanted side of a comparison of known values, or, when unknown will do, that one of them is not.
func (s *solver) side(w want, met goal, vars ...int) goal {
	if !w.loose() {
		for _, v := range vars {
			if v > 0 {
				met = all(met, known(v))
			}
		}
		return met
	}
	of := []goal{met}
	for _, v := range vars {
		if v > 0 && !s.vars[v].sure {
			of = append(of, lost(v))
		}
	}
	return anyOf(of...)
}

// quant is a loop over lines or texts.
func (s *solver) quant(n *quantNode, w want, e env) goal {
	if n.depth > 0 || n.over.kind != termFact {
		return s.opaque(n, w, e)
	}
	list := s.variable(n.over.name, n.over.name, n.over.typ)
	every := func(w want) goal { return goal{kind: goalEvery, loop: n, want: w} }
	some := func(w want) goal { return goal{kind: goalExists, loop: n, want: w} }
	switch n.kind {
	case quantExists, quantAll:
		// Some element settles it (exists is true, all is false), or every one leaves it open.
		if settles := w.yes() == (n.kind == quantExists); settles && !w.loose() {
			return all(known(list), some(w))
		} else if settles {
			return anyOf(lost(list), some(w))
		}
		if w.loose() {
			return anyOf(lost(list), every(w))
		}
		return all(known(list), every(w))
	}
	if w == wantTrue { // exactly one: the others must be false, which the model is checked for
		return all(known(list), some(wantTrue))
	}
	return always
}

// compare is a comparison of two terms of one type.
func (s *solver) compare(n *cmpNode, w want, e env) goal {
	switch n.a.typ {
	case schema.Int, schema.Bool, schema.Duration, schema.Money, schema.Time:
		return s.number(n.op, n.a, n.b, w, e)
	}
	a, b := n.a, n.b
	o := n.op
	if a.kind == termConst && b.kind != termConst {
		a, b, o = b, a, o.flip()
	}
	switch {
	case a.kind == termConst:
		return truth((cmpText(o, a.s, b.s) == w.yes()))
	case b.kind == termConst:
		if o == opEQ || o == opNE {
			if o == opNE {
				w2 := w.not()
				return s.text(a, textTester{name: "in", list: []string{b.s}}, w2, e)
			}
			return s.text(a, textTester{name: "in", list: []string{b.s}}, w, e)
		}
		return s.text(a, textTester{name: "order", op: o, arg: b.s}, w, e)
	case o == opEQ || o == opNE:
		x, y := s.termVar(a, e), s.termVar(b, e)
		return s.side(w, all(same(x, y, (o == opEQ) != w.yes()), known(x), known(y)), x, y)
	}
	return s.opaque(n, w, e)
}

// flip is the operator with its sides exchanged.
func (o op) flip() op {
	switch o {
	case opLT:
		return opGT
	case opGT:
		return opLT
	case opLE:
		return opGE
	case opGE:
		return opLE
	}
	return o
}

// negate is the operator that holds when o does not.
func (o op) negate() op {
	return [...]op{opEQ: opNE, opNE: opEQ, opLT: opGE, opGE: opLT, opGT: opLE, opLE: opGT}[o]
}

func cmpText(o op, a, b string) bool {
	c := 0
	if a < b {
		c = -1
	} else if a > b {
		c = 1
	}
	return o.of(c) == True
}

// number is a comparison of numbers, amounts, times or durations: a difference bounded by a constant.
func (s *solver) number(o op, a, b *term, w want, e env) goal {
	x, cx, okx := s.operand(a, e)
	y, cy, oky := s.operand(b, e)
	if !okx || !oky {
		return s.opaque(&cmpNode{op: o, a: a, b: b}, w, e)
	}
	if !w.yes() {
		o = o.negate()
	}
	c := cy - cx // x + cx op y + cy
	var met goal
	switch o {
	case opLE:
		met = within(x, y, c)
	case opLT:
		met = within(x, y, c-1)
	case opGE:
		met = within(y, x, -c)
	case opGT:
		met = within(y, x, -c-1)
	case opEQ:
		met = all(within(x, y, c), within(y, x, -c))
	default:
		met = anyOf(within(x, y, c-1), within(y, x, -c-1))
	}
	var known []goal
	for _, v := range []int{x, y} {
		if v > 0 {
			known = append(known, goal{kind: goalKnown, x: v})
		}
	}
	met = all(append(known, met)...)
	if a.typ != schema.Money {
		return s.side(w, met, x, y)
	}
	// Two currencies do not compare.
	one, other := s.currency(a, x), s.currency(b, y)
	equal, differ := one.is(other)
	if !w.loose() {
		return all(met, equal)
	}
	return anyOf(s.side(w, all(met, equal), x, y), differ)
}

// currencyOf is the currency of an amount: a constant's, or a variable.
type currencyOf struct {
	v    int
	text string
}

func (s *solver) currency(t *term, v int) currencyOf {
	if t.kind == termConst {
		return currencyOf{text: t.m.Currency}
	}
	return currencyOf{v: s.vars[v].currency}
}

// is returns the goals that two currencies are one, and that they are not.
func (c currencyOf) is(d currencyOf) (equal, differ goal) {
	if c.v == 0 {
		c, d = d, c
	}
	switch {
	case c.v == 0:
		return truth(c.text == d.text), truth(c.text != d.text)
	case d.v == 0:
		t := textTester{name: "in", list: []string{d.text}}
		return goal{kind: goalText, x: c.v, test: t}, goal{kind: goalText, x: c.v, test: t, neg: true}
	}
	return same(c.v, d.v, false), same(c.v, d.v, true)
}

// operand is a number as a variable (0 = none) and a constant to add. It is not
// ok for what does not fit 64 bits with room to spare.
func (s *solver) operand(t *term, e env) (v int, c int64, ok bool) {
	if t.kind != termConst {
		return s.termVar(t, e), 0, true
	}
	switch t.typ {
	case schema.Money:
		c = t.m.Minor
	case schema.Time:
		if y := t.t.Year(); y < 1900 || y > 2200 {
			return 0, 0, false
		}
		c = t.t.UnixNano()
	default:
		c = t.n
	}
	return 0, c, c > noLow && c < noHigh
}

// text is a test of a text by a constant.
func (s *solver) text(t *term, test textTester, w want, e env) goal {
	if t.kind == termConst {
		return truth(test.pass(t.s) == w.yes())
	}
	v := s.termVar(t, e)
	return s.side(w, all(known(v), goal{kind: goalText, x: v, test: test, neg: !w.yes()}), v)
}

// termVar is the variable of a term that is no constant.
func (s *solver) termVar(t *term, e env) int {
	switch t.kind {
	case termLine:
		name := lineFieldName(t.field)
		return s.variable(elementKey("order.lines", e[t.depth])+"."+name, name, t.typ)
	case termElem:
		return s.variable(elementKey("", e[t.depth]), "", t.typ)
	case termSize:
		if t.of.kind == termFact {
			return s.variable("size("+t.of.name+")", "size", schema.Int)
		}
		return s.variable("size("+s.vars[s.termVar(t.of, e)].key+")", "size", schema.Int)
	}
	return s.variable(t.name, t.name, t.typ)
}

func lineFieldName(f lineField) string {
	return [...]string{
		lineSKU: "sku", lineTitle: "title", lineQty: "qty", linePrice: "unit_price", lineLocation: "location", lineKit: "kit", lineAvailable: "available",
	}[f]
}

// elementKey names an element that some loop speaks of.
func elementKey(list string, n int) string { return list + "#" + strconv.Itoa(n) }
