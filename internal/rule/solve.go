package rule

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/schema"
)

// Verdict is what a proof came to.
type Verdict uint8

// The verdicts. Undecided is never a softer yes or no: nothing may be concluded from it.
const (
	Undecided  Verdict = iota // outside the fragment, or too large
	Impossible                // no facts make it so
	Possible                  // the facts that come with it make it so; they were tried
)

// String returns undecided, impossible or possible.
func (v Verdict) String() string {
	return [...]string{Undecided: "undecided", Impossible: "impossible", Possible: "possible"}[v]
}

// Ask is something that is to hold of the facts of an event. All conditions of one question
// are on the same event type.
type Ask struct {
	cond *Condition
	want want
	name string
	fact any
}

// IsTrue asks that a condition is true.
func IsTrue(c *Condition) Ask { return Ask{cond: c, want: wantTrue} }

// IsFalse asks that a condition is false.
func IsFalse(c *Condition) Ask { return Ask{cond: c, want: wantFalse} }

// NotTrue asks that a condition is false or unknown: that it does not fire.
func NotTrue(c *Condition) Ask { return Ask{cond: c, want: notTrue} }

// NotFalse asks that a condition is true or unknown.
func NotFalse(c *Condition) Ask { return Ask{cond: c, want: notFalse} }

// HasFact asks that a fact of type string has a value.
func HasFact(name, value string) Ask { return Ask{name: name, fact: value} }

// Solve says whether facts exist that meet everything asked for, and gives some. Impossible is a
// proof: it rests on the facts' types and on what every event promises (promise.go), and treats
// what lies outside the fragment as free. Possible comes with facts on which every condition was
// evaluated. Everything else is Undecided.
func Solve(asks ...Ask) (Verdict, Map) {
	s := &solver{opaques: map[node]int{}, ids: map[string]int{}, asks: asks, vars: []variable{{}}}
	st := &state{}
	var todo []goal
	for _, a := range asks {
		if a.cond != nil {
			todo = append(todo, part(a.cond.root, a.want, env{}))
			continue
		}
		v := s.variable(a.name, a.name, schema.String)
		todo = append(todo, known(v), goal{kind: goalText, x: v, test: textTester{name: "in", list: []string{a.fact.(string)}}})
	}
	todo = append(todo, s.definitions()...)
	switch {
	case s.search(todo, st):
		return Possible, s.model
	case s.open:
		return Undecided, nil
	}
	return Impossible, nil
}

// Implies reports whether it is proved that b is true whenever a is.
func Implies(a, b *Condition) bool {
	v, _ := Solve(IsTrue(a), NotTrue(b))
	return v == Impossible
}

// maxSearch bounds the steps of one proof, and maxTries how many consistent cases are tried on the conditions.
const (
	maxSearch = 4000
	maxTries  = 24
)

// variable is something with a value: a fact, a field of some line, an element of a list.
type variable struct {
	key      string
	name     string // the field's, without the line
	typ      schema.Type
	currency int  // the variable of an amount's currency
	sure     bool // always known
}

// solver looks for facts that meet goals: it takes them apart case by case and checks what each
// case says of numbers (theory.go) and of texts.
type solver struct {
	asks     []Ask
	vars     []variable // 0 is the number zero
	ids      map[string]int
	opaques  map[node]int
	bounds   []diff // hold in every case
	elements int
	steps    int
	tries    int
	lines    bool // the conditions look at lines
	open     bool // some case could not be excluded
	model    Map
}

// state is one case: what it asserts so far.
type state struct {
	diffs    []diff
	known    []int8 // by variable: 1 known, -1 not
	texts    []textGoal
	sames    []goal
	every    []goal
	elements []element
}

// element is a line or text that the case speaks of.
type element struct {
	list string
	id   int
}

// diff is x - y <= c.
type diff struct {
	x, y int
	c    int64
}

type textGoal struct {
	v    int
	test textTester
	neg  bool
}

func (st *state) clone() *state {
	return &state{
		diffs: slices.Clone(st.diffs), known: slices.Clone(st.known), texts: slices.Clone(st.texts), sames: slices.Clone(st.sames),
		every: slices.Clone(st.every), elements: slices.Clone(st.elements),
	}
}

// variable returns the variable of a key, made when it is new.
func (s *solver) variable(key, name string, typ schema.Type) int {
	if v, ok := s.ids[key]; ok {
		return v
	}
	v := len(s.vars)
	s.ids[key] = v
	element := strings.Contains(key, "#")
	s.vars = append(s.vars, variable{key: key, name: name, typ: typ, sure: element || strings.HasPrefix(name, "event.")})
	switch typ {
	case schema.Int, schema.Bool, schema.Duration, schema.Money, schema.Time:
		b := boundOf(name, typ)
		s.bounds = append(s.bounds, diff{v, 0, b.hi}, diff{0, v, -b.lo})
	}
	if typ == schema.Money {
		cur := "currency of " + key
		if inOrderCurrency[name] {
			cur = "order.currency"
		}
		c := s.variable(cur, "order.currency", schema.String)
		s.vars[v].currency = c
	}
	return v
}

// definitions are what the facts that the conditions read mean by each other.
func (s *solver) definitions() []goal {
	reads := map[string]bool{}
	var velocities []Velocity
	event := ""
	for _, a := range s.asks {
		if a.cond == nil {
			continue
		}
		event = a.cond.event
		for _, f := range a.cond.fields {
			reads[f] = true
			s.lines = s.lines || f == "order.lines"
		}
		for _, v := range a.cond.velocities {
			if !slices.Contains(velocities, v) {
				velocities = append(velocities, v)
			}
		}
	}
	fact := func(name string) int {
		f, _ := schema.Lookup(name)
		return s.variable(name, name, f.Type)
	}
	yes := func(v int) goal { return all(known(v), within(0, v, -1)) }
	no := func(v int) goal { return all(known(v), within(v, 0, 0)) }
	var out []goal
	if reads["event.type"] {
		out = append(out, goal{kind: goalText, x: fact("event.type"), test: textTester{name: "in", list: []string{event}}})
	}
	ship, bill := "order.shipping.country", "order.billing.country"
	if reads["order.countries_differ"] {
		v, a, b := fact("order.countries_differ"), fact(ship), fact(bill)
		out = append(out, anyOf(
			all(lost(v), anyOf(lost(a), lost(b))),
			all(yes(v), known(a), known(b), same(a, b, true)),
			all(no(v), known(a), known(b), same(a, b, false))))
	}
	if reads["order.addresses_differ"] && (reads[ship] || reads[bill] || reads["order.countries_differ"]) {
		v, a, b := fact("order.addresses_differ"), fact(ship), fact(bill)
		out = append(out, anyOf(lost(v), yes(v), all(no(v), anyOf(all(known(a), known(b), same(a, b, false)), all(lost(a), lost(b))))))
	}
	if reads["ip.known"] {
		v, c := fact("ip.known"), fact("ip.country")
		out = append(out, anyOf(lost(v), all(yes(v), known(c)), all(no(v), lost(c))))
	}
	if reads["order.line_count"] && reads["order.units"] {
		out = append(out, within(fact("order.line_count"), fact("order.units"), 0))
	}
	// What was counted in an hour was counted in the day, too.
	for _, a := range velocities {
		for _, b := range velocities {
			if a.Event == b.Event && a.By == b.By && a.Within < b.Within {
				x, y := s.variable(a.Fact, a.Fact, schema.Int), s.variable(b.Fact, b.Fact, schema.Int)
				out = append(out, anyOf(all(known(x), known(y), within(x, y, 0)), all(lost(x), lost(y))))
			}
		}
	}
	return out
}

// search takes goals apart until a case is found whose facts can be named. It returns true when
// they were; false when every case failed or too much was left open.
func (s *solver) search(todo []goal, st *state) bool {
	var choices []goal
	for len(todo) > 0 {
		if s.steps++; s.steps > maxSearch {
			s.open = true
			return false
		}
		g := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for g.kind == goalNode {
			g = s.unfold(g)
		}
		switch g.kind {
		case goalAll:
			todo = append(todo, g.of...)
		case goalAny:
			switch len(g.of) {
			case 0:
				return false
			case 1:
				todo = append(todo, g.of[0])
			default:
				choices = append(choices, g)
			}
		case goalExists:
			if options := s.some(g, st); len(options) == 1 {
				todo = append(todo, options[0])
			} else {
				choices = append(choices, goal{kind: goalAny, of: options})
			}
		case goalEvery:
			st.every = append(st.every, g)
			for _, el := range st.elements {
				if el.list == g.loop.over.name {
					todo = append(todo, body(g, el.id))
				}
			}
		case goalElement:
			st.elements = append(st.elements, element{g.loop.over.name, g.x})
			for _, ev := range st.every {
				if ev.loop.over.name == g.loop.over.name {
					todo = append(todo, body(ev, g.x))
				}
			}
		default:
			if !s.assert(g, st) {
				return false
			}
		}
	}
	if !s.consistent(st) {
		return false
	}
	if len(choices) == 0 {
		return s.leaf(st)
	}
	first, rest := choices[0], choices[1:]
	for _, option := range first.of {
		if s.search(append(slices.Clone(rest), option), st.clone()) {
			return true
		}
		if s.steps > maxSearch {
			return false
		}
	}
	return false
}

// some are the ways in which a loop's body may hold for some element: a new one, or one that the case speaks of already.
func (s *solver) some(g goal, st *state) []goal {
	id := s.element()
	options := []goal{all(goal{kind: goalElement, loop: g.loop, x: id}, body(g, id))}
	for _, el := range st.elements {
		if el.list == g.loop.over.name {
			options = append(options, body(g, el.id))
		}
	}
	return options
}

func (s *solver) element() int {
	s.elements++
	return s.elements
}

// body is what a loop asks of one element.
func body(g goal, id int) goal {
	var e env
	e[g.loop.depth] = id
	return part(g.loop.body, g.want, e)
}

// assert adds a goal without parts to a case; false when it contradicts what the case says already.
func (s *solver) assert(g goal, st *state) bool {
	switch g.kind {
	case goalKnown, goalLost:
		for len(st.known) < len(s.vars) {
			st.known = append(st.known, 0)
		}
		is := int8(1)
		if g.kind == goalLost {
			if s.vars[g.x].sure {
				return false
			}
			is = -1
		}
		if st.known[g.x] == -is {
			return false
		}
		st.known[g.x] = is
	case goalDiff:
		if g.x == g.y {
			return g.c >= 0
		}
		st.diffs = append(st.diffs, diff{g.x, g.y, g.c})
	case goalText:
		st.texts = append(st.texts, textGoal{g.x, g.test, g.neg})
	case goalSame:
		if g.x == g.y {
			return !g.neg
		}
		st.sames = append(st.sames, g)
	}
	return true
}

func (st *state) lost(v int) bool { return v < len(st.known) && st.known[v] < 0 }

// leaf tries to name facts for a case that is consistent as far as the solver sees, and
// evaluates the conditions on them.
func (s *solver) leaf(st *state) bool {
	if s.tries++; s.tries > maxTries {
		s.open = true
		s.steps = maxSearch + 1
		return false
	}
	if s.lines && !slices.ContainsFunc(st.elements, func(e element) bool { return e.list == "order.lines" }) {
		// Orders have lines; only where no line can be as the loops want it, there is none.
		lines := &quantNode{over: &term{kind: termFact, typ: schema.Lines, name: "order.lines"}, body: constNode(True)}
		if s.search([]goal{{kind: goalElement, loop: lines, x: s.element()}}, st.clone()) {
			return true
		}
	}
	m, ok := s.facts(st)
	if ok {
		for _, a := range s.asks {
			if a.cond == nil {
				ok = ok && m[a.name] == a.fact
				continue
			}
			out, _ := a.cond.Eval(m)
			switch a.want {
			case wantTrue:
				ok = ok && out == True
			case wantFalse:
				ok = ok && out == False
			case notTrue:
				ok = ok && out != True
			default:
				ok = ok && out != False
			}
		}
	}
	if !ok {
		s.open = true
		return false
	}
	s.model = m
	return true
}
