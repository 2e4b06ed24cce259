package proof

import (
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/task"
)

// edge says that a step of one automation may lead to an event that sets off another.
type edge struct {
	to     int
	event  string
	line   int
	remote string // by way of a system that this connection calls
	in     string // and that answers through this one
	person bool   // only when a person decides or takes what the step opens
	absent string // only when this event does not follow in time
}

// slow reports whether somebody or some time stands between, so that a circle does not turn by itself.
func (e edge) slow() bool { return e.person || e.absent != "" }

// loops looks for automations that set each other off: without a person between, and in circles that turn once
// for each decision of a person or each absence, which may be meant so.
func (c *checker) loops() {
	byType := map[string][]int{}
	for i, a := range c.all {
		byType[a.On] = append(byType[a.On], i)
		if a.Absence != nil {
			byType[a.Absence.After] = append(byType[a.Absence.After], i)
		}
	}
	whole, fast := make([][]edge, len(c.all)), make([][]edge, len(c.all))
	for i, a := range c.all {
		if a.verdict != rule.Impossible {
			whole[i] = c.edges(a, byType)
			fast[i] = slices.DeleteFunc(slices.Clone(whole[i]), edge.slow)
		}
	}
	told := circles(fast)
	for _, group := range told {
		c.loop(group, shortest(fast, group, group[0], nil))
	}
	for _, group := range circles(whole) {
		if slices.ContainsFunc(told, func(other []int) bool { return slices.Equal(group, other) }) {
			continue
		}
		var path way
		for _, n := range group {
			for _, e := range whole[n] {
				if !e.slow() || !slices.Contains(group, e.to) {
					continue
				}
				if w := shortest(whole, group, n, &e); path.nodes == nil || len(w.nodes) < len(path.nodes) {
					path = w
				}
			}
		}
		if path.nodes != nil {
			c.loop(group, path)
		}
	}
}

// loop tells a circle, and who else is in the group.
func (c *checker) loop(group []int, path way) {
	f := Finding{Kind: Loop, Severity: Error}
	var steps []string
	person, absent := false, false
	for k, e := range path.edges {
		from := c.all[path.nodes[k]]
		name := named(from.Name)
		f.Automations = append(f.Automations, from.Name)
		f.At = append(f.At, from.at(e.line))
		step := fmt.Sprintf("a step of %s may lead to %s", name, e.event)
		switch {
		case e.remote != "":
			f.Severity = Warning
			step = fmt.Sprintf("%s calls %s, and the system behind it may answer through %s with %s", name, e.remote, e.in, e.event)
		case e.person:
			step = fmt.Sprintf("%s opens a task, and what a person does with it may lead to %s", name, e.event)
		case e.event == "effect.failed":
			f.Severity = Warning
			step = fmt.Sprintf("when what %s sends fails for good, that is %s", name, e.event)
		case e.event == "task.overdue":
			step = fmt.Sprintf("when nobody works what %s opens in time, that is %s", name, e.event)
		}
		if e.absent != "" {
			step += fmt.Sprintf(" and no %s follows in time", e.absent)
		}
		person, absent = person || e.person, absent || e.absent != ""
		steps = append(steps, step+", which sets off "+named(c.all[e.to].Name))
	}
	f.Message = strings.Join(steps, "; ")
	switch {
	case person:
		f.Severity, f.Message = Note, "goes round once for each decision of a person: "+f.Message
	case absent:
		f.Severity, f.Message = Note, "goes round once for each time of waiting: "+f.Message
	}
	var others []string
	for _, n := range group {
		if !slices.Contains(path.nodes, n) {
			others = append(others, named(c.all[n].Name))
			f.Automations = append(f.Automations, c.all[n].Name)
			f.At = append(f.At, c.all[n].at(1))
		}
	}
	if len(others) > 0 {
		f.Message += ". The circle also holds " + strings.Join(others, ", ")
	}
	c.add(f)
}

// edges are the automations that the steps of one may set off.
func (c *checker) edges(a *subject, byType map[string][]int) []edge {
	var out []edge
	seen := map[string]bool{}
	add := func(e edge, facts map[string]string) {
		for _, to := range byType[e.event] {
			e.absent = ""
			if x := c.all[to].Absence; x != nil {
				e.absent = x.Of
			}
			key := fmt.Sprint(to, e.event, e.remote != "", e.person)
			if seen[key] || c.all[to].verdict == rule.Impossible {
				continue
			}
			if e.absent == "" && c.excludes(c.all[to], facts) {
				continue // its condition excludes what this step leads to
			}
			seen[key] = true
			e.to = to
			out = append(out, e)
		}
	}
	a.Each(func(s *automation.Step) {
		for _, typ := range s.Kind.Follows() {
			add(edge{event: typ, line: s.Line}, brought(s, typ))
			for _, next := range schema.Follows(typ) {
				add(edge{event: next, line: s.Line}, nil)
			}
		}
		for _, facts := range opens(s) {
			for _, typ := range []string{"task.decided", "task.assigned"} {
				add(edge{event: typ, line: s.Line, person: true}, facts)
			}
			if k := facts["task.kind"]; k == string(task.Review) || k == string(task.Unfillable) {
				for _, typ := range schema.Follows("task.decided") {
					if typ != "order.cancelled" { // once for an order, so never round
						add(edge{event: typ, line: s.Line, person: true}, nil)
					}
				}
			}
		}
		conn := destination(s.Action)
		if conn == "" {
			return
		}
		for _, in := range c.returns(conn) {
			types := c.world.Inbound[in]
			if len(types) == 0 {
				types = slices.DeleteFunc(event.Types(), func(typ string) bool { return slices.Contains(ours, typ) })
			}
			for _, typ := range types {
				add(edge{event: typ, line: s.Line, remote: conn, in: in}, nil)
			}
		}
	})
	return out
}

// ours are the events that no connection may bring in.
var ours = []string{
	"order.accepted", "order.ready", "order.unfillable", "stock.low", "task.overdue", "task.decided", "task.assigned", "effect.failed", "incident.raised", "day.ended",
}

// opens are the tasks that a step may open, by what is known of each.
func opens(s *automation.Step) []map[string]string {
	var out []map[string]string
	if slices.Contains(s.Kind.Spec().Writes, "task") {
		out = append(out, brought(s, "task.overdue"))
	}
	if slices.Contains(s.Kind.Follows(), "order.unfillable") {
		out = append(out, map[string]string{"task.kind": string(task.Unfillable)})
	}
	return out
}

// returns are the connections by which the system behind a connection may answer with events: those
// named alike, as erp and erp-orders are.
func (c *checker) returns(conn string) []string {
	var out []string
	for in := range c.world.Inbound {
		if in == conn || strings.HasPrefix(in, conn+"-") || strings.HasPrefix(conn, in+"-") {
			out = append(out, in)
		}
	}
	slices.Sort(out)
	return out
}

func destination(x automation.Action) string {
	switch x := x.(type) {
	case automation.Webhook:
		return x.Connection
	case automation.Call:
		return x.Connection
	}
	return ""
}

// excludes reports whether an automation cannot fire on an event with certain facts.
func (c *checker) excludes(a *subject, facts map[string]string) bool {
	asks := []rule.Ask{rule.IsTrue(a.Condition)}
	for _, f := range a.Condition.Fields() {
		if v, ok := facts[f]; ok {
			asks = append(asks, rule.HasFact(f, v))
		}
	}
	if len(asks) == 1 {
		return false
	}
	v, _ := c.solve(asks...)
	return v == rule.Impossible
}

// brought are the facts that are known of the event that a step leads to.
func brought(s *automation.Step, typ string) map[string]string {
	switch x := s.Action.(type) {
	case automation.Message:
		if typ == "effect.failed" {
			return map[string]string{"effect.purpose": x.Purpose}
		}
	case automation.Webhook:
		if typ == "effect.failed" {
			return map[string]string{"effect.purpose": x.Purpose, "effect.destination": x.Connection}
		}
	case automation.Call:
		if typ == "effect.failed" {
			return map[string]string{"effect.destination": x.Connection}
		}
	case automation.Task:
		if typ == "task.overdue" {
			return map[string]string{"task.kind": "task", "task.queue": x.Queue}
		}
	case automation.Hold:
		if typ == "task.overdue" {
			return map[string]string{"task.kind": "review"}
		}
	}
	return nil
}

// circles returns the groups of nodes that reach each other (Tarjan), nodes and groups in order.
func circles(graph [][]edge) [][]int {
	index := make([]int, len(graph))
	low := make([]int, len(graph))
	on := make([]bool, len(graph))
	var stack []int
	var out [][]int
	next := 1
	var visit func(int)
	visit = func(v int) {
		index[v], low[v] = next, next
		next++
		stack, on[v] = append(stack, v), true
		self := false
		for _, e := range graph[v] {
			self = self || e.to == v
			if index[e.to] == 0 {
				visit(e.to)
				low[v] = min(low[v], low[e.to])
			} else if on[e.to] {
				low[v] = min(low[v], index[e.to])
			}
		}
		if low[v] != index[v] {
			return
		}
		var group []int
		for {
			w := stack[len(stack)-1]
			stack, on[w] = stack[:len(stack)-1], false
			group = append(group, w)
			if w == v {
				break
			}
		}
		if len(group) > 1 || self {
			slices.Sort(group)
			out = append(out, group)
		}
	}
	for v := range graph {
		if index[v] == 0 {
			visit(v)
		}
	}
	slices.SortFunc(out, func(a, b []int) int { return a[0] - b[0] })
	return out
}

// way is a circle: edges[i] leads from nodes[i] to the next one, and the last back to the first.
type way struct {
	nodes []int
	edges []edge
}

// shortest is a shortest circle from a node of a group, certain edges before those that only a failure or a
// connection makes. It begins with an edge, if one is given.
func shortest(graph [][]edge, group []int, start int, first *edge) way {
	type step struct {
		from int
		e    edge
	}
	came := map[int]step{}
	queue := []int{start}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		next := graph[v]
		if v == start && first != nil {
			next = []edge{*first}
		}
		for _, e := range next {
			if !slices.Contains(group, e.to) {
				continue
			}
			if e.to == start {
				w := way{nodes: []int{v}, edges: []edge{e}}
				for v != start {
					s := came[v]
					w.nodes, w.edges = append([]int{s.from}, w.nodes...), append([]edge{s.e}, w.edges...)
					v = s.from
				}
				return w
			}
			if _, done := came[e.to]; !done {
				came[e.to] = step{v, e}
				queue = append(queue, e.to)
			}
		}
	}
	return way{}
}
