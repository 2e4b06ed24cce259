package rule

import (
	"cmp"
	"slices"
)

// Numbers: every constraint is x - y <= c. A case contradicts itself exactly when the graph with
// an edge of weight c from y to x has a cycle of negative weight.

// add adds without leaving the range: what is clipped only weakens a constraint.
func add(a, b int64) int64 {
	switch {
	case a >= noHigh || b >= noHigh:
		return noHigh
	case a+b < 2*noLow:
		return 2 * noLow
	}
	return a + b
}

// numbersFit looks for a negative cycle (Bellman and Ford).
func (s *solver) numbersFit(st *state) bool {
	if len(st.diffs) == 0 {
		return true
	}
	dist := make([]int64, len(s.vars))
	for range s.vars {
		changed := false
		relax := func(d diff) {
			if v := add(dist[d.y], d.c); v < dist[d.x] {
				dist[d.x], changed = v, true
			}
		}
		for _, d := range st.diffs {
			relax(d)
		}
		for _, d := range s.bounds {
			relax(d)
		}
		if !changed {
			return true
		}
	}
	return false
}

// numbers gives every number of a consistent case a value, the usual one where that is allowed.
func (s *solver) numbers(st *state) []int64 {
	n := len(s.vars)
	most := make([]int64, n*n) // most[x*n+y] is the least known bound of x - y
	for i := range most {
		most[i] = noHigh
	}
	for i := range n {
		most[i*n+i] = 0
	}
	for _, ds := range [][]diff{s.bounds, st.diffs} {
		for _, d := range ds {
			most[d.x*n+d.y] = min(most[d.x*n+d.y], d.c)
		}
	}
	through := func(k int) {
		for i := range n {
			if most[i*n+k] == noHigh {
				continue
			}
			for j := range n {
				most[i*n+j] = min(most[i*n+j], add(most[i*n+k], most[k*n+j]))
			}
		}
	}
	for k := range n {
		through(k)
	}
	out := make([]int64, n)
	for v := 1; v < n; v++ {
		if !isNumber(s.vars[v].typ) {
			continue
		}
		// A sum of clipped bounds must not leave the range that is left.
		lo, hi := -most[v], most[v*n]
		want := usualNumber(s.vars[v].name, s.vars[v].typ)
		out[v] = min(max(want, lo), hi)
		most[v*n], most[v] = out[v], -out[v]
		through(v)
		through(0)
	}
	return out
}

// Texts: variables that are equal form a class; a class must find a value that passes all its tests.

// class is texts that are the same.
type class struct {
	vars   []int
	tests  []textGoal
	values []string // what it may be, the most usual first
	finite bool     // it can be nothing else
}

// classes groups the texts of a case. ok is false when two that must differ are one, or when a
// class can have no value at all. Values of classes that may be anything are looked for on naming only.
func (s *solver) classes(st *state, naming bool) (of map[int]*class, list []*class, ok bool) {
	of = map[int]*class{}
	get := func(v int) *class {
		c := of[v]
		if c == nil {
			c = &class{vars: []int{v}}
			of[v] = c
			list = append(list, c)
		}
		return c
	}
	for _, g := range st.sames {
		a, b := get(g.x), get(g.y)
		if g.neg || a == b {
			continue
		}
		for _, v := range b.vars {
			of[v] = a
		}
		a.vars = append(a.vars, b.vars...)
		b.vars = nil
	}
	for _, t := range st.texts {
		c := get(t.v)
		c.tests = append(c.tests, t)
	}
	list = slices.DeleteFunc(list, func(c *class) bool { return c.vars == nil })
	for _, c := range list {
		if !s.fill(c, naming) {
			return of, list, false
		}
	}
	for _, g := range st.sames {
		if !g.neg {
			continue
		}
		a, b := of[g.x], of[g.y]
		if a == b || a.finite && b.finite && len(a.values) == 1 && len(b.values) == 1 && a.values[0] == b.values[0] {
			return of, list, false
		}
	}
	return of, list, true
}

func (s *solver) textsFit(st *state) bool {
	if len(st.texts) == 0 && len(st.sames) == 0 {
		return true
	}
	_, _, ok := s.classes(st, false)
	return ok
}

func (s *solver) consistent(st *state) bool { return s.numbersFit(st) && s.textsFit(st) }

// fill finds the values of a class; false when it is proved that there is none.
func (s *solver) fill(c *class, naming bool) bool {
	tests := c.tests
	for _, v := range c.vars {
		for _, t := range promised(s.vars[v].name) {
			tests = append(tests, textGoal{v: v, test: t})
		}
		if s.lostEmpty(v) {
			tests = append(tests, textGoal{v: v, test: textTester{name: "in", list: []string{""}}, neg: true})
		}
	}
	passes := func(text string) bool {
		return !slices.ContainsFunc(tests, func(t textGoal) bool { return t.test.pass(text) == t.neg })
	}
	var shortest []string
	for _, t := range tests {
		if t.test.name == "in" && !t.neg && (!c.finite || len(t.test.list) < len(shortest)) {
			c.finite, shortest = true, t.test.list
		}
	}
	if !c.finite && contradict(tests) {
		return false
	}
	if !c.finite && !naming {
		return true
	}
	names := make([]string, len(c.vars))
	for i, v := range c.vars {
		names[i] = s.vars[v].name
	}
	var from []string
	for _, n := range names {
		from = append(from, usual[n]...)
	}
	if c.finite {
		from = append(from, shortest...)
	} else {
		from = append(from, inventions(tests, names)...)
	}
	for _, text := range from {
		if c.finite && !slices.Contains(shortest, text) || !passes(text) || slices.Contains(c.values, text) {
			continue
		}
		c.values = append(c.values, text)
	}
	return !c.finite || len(c.values) > 0
}

func (s *solver) lostEmpty(v int) bool {
	return neverEmpty[s.vars[v].name] && s.vars[v].key == s.vars[v].name
}

// values names a text for every class such that those that must differ do; false when none was found.
func (s *solver) values(st *state) (map[int]string, bool) {
	of, list, ok := s.classes(st, true)
	if !ok {
		return nil, false
	}
	// Classes with few values choose first.
	slices.SortStableFunc(list, func(a, b *class) int { return cmp.Compare(a.room(), b.room()) })
	chosen := map[*class]string{}
	out := map[int]string{}
	for _, c := range list {
		found := false
		for _, text := range c.values {
			clash := slices.ContainsFunc(st.sames, func(g goal) bool {
				if !g.neg {
					return false
				}
				other := of[g.x]
				if other == c {
					other = of[g.y]
				} else if of[g.y] != c {
					return false
				}
				have, done := chosen[other]
				return done && have == text
			})
			if !clash {
				chosen[c], found = text, true
				break
			}
		}
		if !found {
			return nil, false
		}
		for _, v := range c.vars {
			out[v] = chosen[c]
		}
	}
	return out, true
}

func (c *class) room() int {
	if c.finite {
		return len(c.values)
	}
	return 1 << 20
}
