package rule

import (
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/schema"
)

// PartKind is the shape of a part of a condition as a builder shows it.
type PartKind string

// The kinds of parts.
const (
	PartAlways PartKind = "always" // the empty condition
	PartAll    PartKind = "all"    // every one of Parts
	PartAny    PartKind = "any"    // one of Parts
	PartTest   PartKind = "test"   // Left Op Right
	PartLines  PartKind = "lines"  // Op over the lines, Parts[0] about each
	PartText   PartKind = "text"   // what the builder does not show: its text
)

// Part is a part of a condition with its place in the source.
type Part struct {
	Kind  PartKind
	Parts []Part
	Not   bool // of all, any, lines and text: a "!" before it; tests carry it in Op

	Left  Term
	Op    string
	Right Operand
	Var   string // of lines: the loop variable

	Start, End int // bytes, parentheses and "!" around it included
	lead       int // where comments directly before it begin
	core       stretch
	ops        []stretch // of all and any: the operators between the parts
	loose      bool      // a conditional, which needs parentheses beside an operator
}

type stretch struct{ from, to int }

// Term is what a test looks at.
type Term struct {
	Name     string // field; of the line when Line is set
	Line     string // loop variable
	Count    bool   // how many elements or letters it has
	Velocity *VelocityText
	Type     schema.Type
	Named    *schema.Field // a value that an earlier step has named
}

// VelocityText is a velocity as written.
type VelocityText struct{ Event, By, Within string }

// String is the count as a condition writes it.
func (v VelocityText) String() string {
	return fmt.Sprintf("velocity(%s, %s, %s)", quote(v.Event), quote(v.By), quote(v.Within))
}

// Operand is what a term is compared with: a term, or constants as people type
// them ("400 EUR", "3", "72h", a text without quotes).
type Operand struct {
	Term   *Term
	Values []string
	typ    schema.Type
}

// The operators of tests. With "!" before it stands the opposite.
const (
	OpIs         = "true"
	OpIn         = "in"
	OpHas        = "has"
	OpStarts     = "startsWith"
	OpEnds       = "endsWith"
	OpContains   = "contains"
	OpMatches    = "matches"
	OpExists     = "exists"
	OpEvery      = "all"
	OpExactlyOne = "exists_one"
)

var opposite = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// Negate returns the operator that says the opposite. Unknown stays unknown under both.
func Negate(op string) string {
	if o, ok := opposite[op]; ok {
		return o
	}
	if rest, ok := strings.CutPrefix(op, "!"); ok {
		return rest
	}
	return "!" + op
}

// Outline reads a condition for a builder: groups, tests and loops over lines, and the rest as text. It looks at the shape
// only; whether the condition is valid is for Compile to say. Any text has an outline.
func Outline(src string) Part { return OutlineIn(src, nil) }

// OutlineIn is Outline where the values of scope have names too.
func OutlineIn(src string, scope Scope) Part {
	if strings.TrimSpace(src) == "" {
		return Part{Kind: PartAlways, End: len(src)}
	}
	ts, ok := tokens(src)
	if !ok || len(ts) == 0 || !balanced(ts) {
		from := len(src) - len(strings.TrimLeft(src, " \n\t"))
		return Part{Kind: PartText, Start: from, End: len(strings.TrimRight(src, " \n\t")), lead: from}
	}
	o := &outliner{src: src, ts: ts, scope: scope}
	return o.part(0, len(ts), nil, 0)
}

// At returns the part of a path of indexes like "0/1"; nil when there is none.
func (p *Part) At(path string) *Part {
	if path == "" {
		return p
	}
	head, rest, _ := strings.Cut(path, "/")
	for i := range p.Parts {
		if index(i) == head {
			return p.Parts[i].At(rest)
		}
	}
	return nil
}

// Constants returns what the tests of a condition compare with, as people type it.
func Constants(src string) []string {
	var out []string
	var walk func(p *Part)
	walk = func(p *Part) {
		out = append(out, p.Right.Values...)
		for i := range p.Parts {
			walk(&p.Parts[i])
		}
	}
	root := Outline(src)
	walk(&root)
	return out
}

// Source returns the part's text.
func (p *Part) Source(src string) string { return src[p.Start:p.End] }

type outliner struct {
	src   string
	ts    []token
	scope Scope
}

// maxOutline bounds how deep a builder nests.
const maxOutline = 40

func (o *outliner) part(i, j int, vars []string, depth int) Part {
	p := Part{Kind: PartText, Start: o.ts[i].from, End: o.ts[j-1].to, lead: o.ts[i].lead}
	p.core = stretch{p.Start, p.End}
	if depth > maxOutline {
		return p
	}
	if o.find(i, j, "?") >= 0 {
		p.loose = true
		return p
	}
	for _, g := range []struct {
		op   string
		kind PartKind
	}{{"||", PartAny}, {"&&", PartAll}} {
		if o.find(i, j, g.op) < 0 {
			continue
		}
		p.Kind = g.kind
		for from := i; ; {
			at := o.find(from, j, g.op)
			end := at
			if at < 0 {
				end = j
			}
			if end == from { // an operator without a side
				return Part{Kind: PartText, Start: p.Start, End: p.End, lead: p.lead, core: p.core, loose: true}
			}
			p.Parts = append(p.Parts, o.part(from, end, vars, depth+1))
			if at < 0 {
				return p
			}
			p.ops = append(p.ops, stretch{o.ts[at].from, o.ts[at].to})
			from = at + 1
		}
	}
	switch {
	case o.ts[i].text == "!" && j > i+1:
		if slices.ContainsFunc(o.ts[i:j], func(t token) bool { return t.infix }) && !o.wrapped(i+1, j) && o.infix(i+1, j) {
			return p // "!a == b" is about a
		}
		in := o.part(i+1, j, vars, depth+1)
		if in.Kind == PartText && in.loose && !o.wrapped(i+1, j) {
			return p
		}
		if in.Kind == PartTest {
			in.Op = Negate(in.Op)
		} else {
			in.Not = !in.Not
		}
		in.Start, in.lead = p.Start, p.lead
		return in
	case o.wrapped(i, j) && j > i+2:
		in := o.part(i+1, j-1, vars, depth+1)
		in.Start, in.End, in.lead, in.loose = p.Start, p.End, p.lead, false
		return in
	}
	o.leaf(&p, i, j, vars, depth)
	return p
}

// find returns the first token at depth 0 that is op, or -1.
func (o *outliner) find(i, j int, op string) int {
	d := 0
	for k := i; k < j; k++ {
		switch t := o.ts[k]; {
		case t.opens():
			d++
		case t.closes():
			d--
		case d == 0 && t.text == op && t.kind == tokOp:
			return k
		}
	}
	return -1
}

// infix reports whether an operator between two values stands at depth 0.
func (o *outliner) infix(i, j int) bool {
	d := 0
	for k := i; k < j; k++ {
		switch t := o.ts[k]; {
		case t.opens():
			d++
		case t.closes():
			d--
		case d == 0 && t.infix:
			return true
		}
	}
	return false
}

// wrapped reports whether parentheses enclose the whole.
func (o *outliner) wrapped(i, j int) bool {
	return j > i+1 && o.ts[i].text == "(" && o.match(i) == j-1
}

// match returns the token that closes the one at i.
func (o *outliner) match(i int) int {
	d := 0
	for k := i; k < len(o.ts); k++ {
		if o.ts[k].opens() {
			d++
		} else if o.ts[k].closes() {
			if d--; d == 0 {
				return k
			}
		}
	}
	return -1
}

// leaf reads a test or a loop; p stays a text when it is neither.
func (o *outliner) leaf(p *Part, i, j int, vars []string, depth int) {
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">"} {
		k := o.find(i, j, op)
		if k <= i || k == j-1 {
			continue
		}
		left, isTerm := o.term(i, k, vars)
		right, ok := o.operand(k+1, j, vars)
		if !isTerm { // a constant on the left is shown on the right
			c, isConst := o.operand(i, k, vars)
			if !ok || right.Term == nil || !isConst || c.Term != nil {
				return
			}
			left, right, op = *right.Term, c, mirror(op)
		}
		if !ok || right.typ != left.Type {
			return
		}
		if left.Type == schema.Bool && right.Term == nil {
			if op == "==" || op == "!=" {
				p.Kind, p.Left, p.Op = PartTest, left, OpIs
				if (right.Values[0] == "true") != (op == "==") {
					p.Op = Negate(OpIs)
				}
			}
			return
		}
		if left.Type == schema.Strings || left.Type == schema.Lines || left.Type == schema.String && op != "==" && op != "!=" {
			return
		}
		p.Kind, p.Left, p.Op, p.Right = PartTest, left, op, right
		return
	}
	if k := o.find(i, j, "in"); k > i && k < j-1 {
		o.membership(p, i, k, j, vars)
		return
	}
	if o.infix(i, j) {
		return
	}
	if t, ok := o.term(i, j, vars); ok {
		if t.Type == schema.Bool {
			p.Kind, p.Left, p.Op = PartTest, t, OpIs
		}
		return
	}
	o.call(p, i, j, vars, depth)
}

func mirror(op string) string {
	switch op {
	case "<":
		return ">"
	case ">":
		return "<"
	case "<=":
		return ">="
	case ">=":
		return "<="
	}
	return op
}

func (o *outliner) membership(p *Part, i, k, j int, vars []string) {
	if o.ts[k+1].text == "[" && o.match(k+1) == j-1 { // field in [ … ]
		left, ok := o.term(i, k, vars)
		if !ok || left.Type != schema.String && left.Type != schema.Int || j-1 == k+2 {
			return
		}
		var values []string
		for at := k + 2; at < j-1; at += 2 {
			typ, v, ok := o.constant(at, j-1)
			if !ok || typ != left.Type || at+1 < j-1 && o.ts[at+1].text != "," {
				return
			}
			values = append(values, v)
		}
		p.Kind, p.Left, p.Op, p.Right = PartTest, left, OpIn, Operand{Values: values}
		return
	}
	list, ok := o.term(k+1, j, vars)
	if typ, v, isText := o.constant(i, k); ok && isText && typ == schema.String && i+1 == k && list.Type == schema.Strings {
		p.Kind, p.Left, p.Op, p.Right = PartTest, list, OpHas, Operand{Values: []string{v}}
	}
}

// call reads field.startsWith("x") and its like, and loops over lines.
func (o *outliner) call(p *Part, i, j int, vars []string, depth int) {
	if o.ts[j-1].text != ")" {
		return
	}
	open := -1
	for k := i; k < j; k++ {
		if o.ts[k].text == "(" && o.match(k) == j-1 {
			open = k
			break
		}
	}
	if open < i+3 || o.ts[open-1].kind != tokIdent || o.ts[open-2].text != "." {
		return
	}
	of, ok := o.term(i, open-2, vars)
	if !ok {
		return
	}
	switch name := o.ts[open-1].text; name {
	case OpStarts, OpEnds, OpContains, OpMatches:
		typ, v, ok := o.constant(open+1, j-1)
		if ok && typ == schema.String && of.Type == schema.String && j-1 == open+2 {
			p.Kind, p.Left, p.Op, p.Right = PartTest, of, name, Operand{Values: []string{v}}
		}
	case OpExists, OpEvery, OpExactlyOne:
		if of.Type != schema.Lines || open+3 >= j-1 || o.ts[open+1].kind != tokIdent || o.ts[open+2].text != "," {
			return
		}
		v := o.ts[open+1].text
		p.Kind, p.Left, p.Op, p.Var = PartLines, of, name, v
		p.Parts = []Part{o.part(open+3, j-1, append(slices.Clone(vars), v), depth+1)}
	}
}

// term reads a field, a count or a velocity that is the whole of the tokens.
func (o *outliner) term(i, j int, vars []string) (Term, bool) {
	if i >= j || o.ts[i].kind != tokIdent {
		return Term{}, false
	}
	if o.ts[i].text == "velocity" && j == i+8 && o.ts[i+1].text == "(" && o.ts[j-1].text == ")" && o.ts[i+3].text == "," && o.ts[i+5].text == "," {
		var v [3]string
		for k := range v {
			t := o.ts[i+2+2*k]
			s, ok := unquote(t.text)
			if t.kind != tokString || !ok {
				return Term{}, false
			}
			v[k] = s
		}
		return Term{Velocity: &VelocityText{v[0], v[1], v[2]}, Type: schema.Int}, true
	}
	if j >= i+4 && o.ts[i].text == "size" && o.ts[i+1].text == "(" && o.match(i+1) == j-1 {
		return o.counted(i+2, j-1, vars)
	}
	if j >= i+5 && o.ts[j-1].text == ")" && o.ts[j-2].text == "(" && o.ts[j-3].text == "size" && o.ts[j-4].text == "." {
		return o.counted(i, j-4, vars)
	}
	var parts []string
	for k := i; k < j; k += 2 {
		if o.ts[k].kind != tokIdent || k+1 < j && o.ts[k+1].text != "." || k+1 == j-1 {
			return Term{}, false
		}
		parts = append(parts, o.ts[k].text)
	}
	if slices.Contains(vars, parts[0]) {
		if len(parts) == 2 {
			for _, f := range schema.LineFields() {
				if f.Name == parts[1] {
					return Term{Name: f.Name, Line: parts[0], Type: f.Type}, true
				}
			}
		}
		return Term{}, false
	}
	name := strings.Join(parts, ".")
	if f, ok := o.scope.Lookup(name); ok {
		return Term{Name: f.Name, Type: f.Type, Named: &f}, true
	}
	f, ok := schema.Lookup(name)
	return Term{Name: f.Name, Type: f.Type}, ok
}

func (o *outliner) counted(i, j int, vars []string) (Term, bool) {
	t, ok := o.term(i, j, vars)
	if !ok || t.Count || t.Type != schema.Strings && t.Type != schema.Lines && t.Type != schema.String {
		return Term{}, false
	}
	t.Count, t.Type = true, schema.Int
	return t, true
}

// operand reads a term or a constant that is the whole of the tokens.
func (o *outliner) operand(i, j int, vars []string) (Operand, bool) {
	if t, ok := o.term(i, j, vars); ok {
		return Operand{Term: &t, typ: t.Type}, true
	}
	if typ, v, ok := o.constant(i, j); ok && o.constantEnd(i) == j {
		return Operand{Values: []string{v}, typ: typ}, true
	}
	return Operand{}, false
}

// constant reads the constant that begins at i.
func (o *outliner) constant(i, j int) (schema.Type, string, bool) {
	if i >= j {
		return "", "", false
	}
	t := o.ts[i]
	text := func(k int) (string, bool) {
		if k >= j || o.ts[k].kind != tokString {
			return "", false
		}
		return unquote(o.ts[k].text)
	}
	switch {
	case t.kind == tokString:
		s, ok := unquote(t.text)
		return schema.String, s, ok
	case t.kind == tokInt:
		return schema.Int, t.text, true
	case t.text == "-" && i+1 < j && o.ts[i+1].kind == tokInt:
		return schema.Int, "-" + o.ts[i+1].text, true
	case t.text == "true" || t.text == "false":
		return schema.Bool, t.text, true
	case t.text == "money":
		dec, ok1 := text(i + 2)
		cur, ok2 := text(i + 4)
		return schema.Money, dec + " " + cur, ok1 && ok2 && o.constantEnd(i) == i+6 && !strings.Contains(dec, " ")
	case t.text == "duration":
		s, ok := text(i + 2)
		return schema.Duration, s, ok && o.constantEnd(i) == i+4
	case t.text == "timestamp":
		s, ok := text(i + 2)
		return schema.Time, s, ok && o.constantEnd(i) == i+4
	}
	return "", "", false
}

// constantEnd is the token after the constant that begins at i.
func (o *outliner) constantEnd(i int) int {
	switch t := o.ts[i]; {
	case t.kind == tokIdent && i+1 < len(o.ts) && o.ts[i+1].text == "(":
		return o.match(i+1) + 1
	case t.text == "-":
		return i + 2
	}
	return i + 1
}
