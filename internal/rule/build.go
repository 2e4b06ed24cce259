package rule

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// builder turns the checked tree into nodes. Whatever it does not know becomes
// a CEL program, except below a loop, where the whole loop becomes one: a
// program cannot see our loop variables.
type builder struct {
	env   *cel.Env
	tree  *ast.AST
	scope Scope
	loops []loopVar
	err   error // a program could not be planned; a defect, not a mistake of the author
}

type loopVar struct {
	name string
	typ  schema.Type // Lines or Strings: what is looped over
}

// condition returns the node of a bool expression; nil below a loop when the
// expression is outside the fragment.
func (b *builder) condition(e ast.Expr) node {
	if n := b.fragment(e); n != nil {
		return n
	}
	if len(b.loops) > 0 {
		return nil
	}
	return b.program(e)
}

// program plans a CEL program for e alone.
func (b *builder) program(e ast.Expr) node {
	sub := ast.Copy(ast.NewCheckedAST(ast.NewAST(e, b.tree.SourceInfo()), b.tree.TypeMap(), b.tree.ReferenceMap()))
	rewrite(sub)
	p, err := b.env.PlanProgram(sub, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(costLimit))
	if err != nil {
		if b.err == nil {
			b.err = err
		}
		return constNode(Unknown)
	}
	return &celNode{prog: p, text: b.text(e)}
}

// rewrite prepares a copy of a checked tree for the interpreter. Calls of
// velocity become facts. On money, != becomes !(==), as the interpreter takes an
// error of == for "not equal", and two currencies must be unknown. Membership in
// a written list becomes a chain of == for the same reason, and so that one
// unknown element does not hide that another is equal.
func rewrite(t *ast.AST) {
	w := &rewriter{tree: t, fac: ast.NewExprFactory()}
	for id := range t.IDs() {
		w.last = max(w.last, id)
	}
	ast.PostOrderVisit(t.Expr(), ast.NewExprVisitor(w.visit))
}

type rewriter struct {
	tree *ast.AST
	fac  ast.ExprFactory
	last int64 // highest id in use
}

func (w *rewriter) visit(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		return
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case "velocity":
		if v, ok := velocityOf(call); ok {
			e.SetKindCase(w.fac.NewIdent(e.ID(), v.Fact))
			w.tree.SetReference(e.ID(), ast.NewIdentReference(v.Fact, nil))
		}
	case operators.NotEquals:
		if w.isMoney(args[0]) {
			w.become(e, operators.LogicalNot, "logical_not", w.equal(args[0], args[1]))
		}
	case operators.In:
		if args[1].Kind() != ast.ListKind || !slices.ContainsFunc(args[1].AsList().Elements(), notLiteral) {
			return
		}
		var chain ast.Expr
		for _, el := range args[1].AsList().Elements() {
			eq := w.equal(args[0], el)
			if chain == nil {
				chain = eq
				continue
			}
			or := w.fac.NewUnspecifiedExpr(w.next())
			w.become(or, operators.LogicalOr, "logical_or", chain, eq)
			chain = or
		}
		w.become(e, operators.LogicalOr, "logical_or", chain, w.never())
	}
}

func notLiteral(e ast.Expr) bool { return e.Kind() != ast.LiteralKind }

func (w *rewriter) next() int64 {
	w.last++
	return w.last
}

func (w *rewriter) isMoney(e ast.Expr) bool { return w.tree.GetType(e.ID()).TypeName() == moneyName }

// become turns e into a call that gives true or false.
func (w *rewriter) become(e ast.Expr, function, overload string, args ...ast.Expr) {
	e.SetKindCase(w.fac.NewCall(e.ID(), function, args...))
	w.tree.SetReference(e.ID(), ast.NewFunctionReference(overload))
	w.tree.SetType(e.ID(), types.BoolType)
}

func (w *rewriter) equal(a, b ast.Expr) ast.Expr {
	e := w.fac.NewUnspecifiedExpr(w.next())
	w.become(e, operators.Equals, "equals", a, b)
	return e
}

// never is the literal false, which leaves an || as it is.
func (w *rewriter) never() ast.Expr {
	e := w.fac.NewLiteral(w.next(), types.False)
	w.tree.SetType(e.ID(), types.BoolType)
	return e
}

// fragment returns the node of a bool expression of the decidable fragment, or nil.
func (b *builder) fragment(e ast.Expr) node {
	switch e.Kind() {
	case ast.LiteralKind:
		if v, ok := e.AsLiteral().(types.Bool); ok {
			return constNode(tri(bool(v)))
		}
	case ast.IdentKind, ast.SelectKind:
		if t := b.term(e); t != nil && t.typ == schema.Bool {
			return &boolNode{of: t}
		}
	case ast.ComprehensionKind:
		return b.quantifier(e.AsComprehension())
	case ast.CallKind:
		return b.call(e.AsCall())
	}
	return nil
}

func (b *builder) call(c ast.CallExpr) node {
	args := c.Args()
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		var of []node
		for _, a := range flatten(name, args, nil) {
			n := b.condition(a)
			if n == nil {
				return nil
			}
			of = append(of, n)
		}
		if name == operators.LogicalAnd {
			return &andNode{of: of}
		}
		return &orNode{of: of}
	case operators.LogicalNot:
		if n := b.condition(args[0]); n != nil {
			return &notNode{of: n}
		}
	case operators.Conditional:
		cond, then, els := b.condition(args[0]), b.condition(args[1]), b.condition(args[2])
		if cond != nil && then != nil && els != nil {
			return &ifNode{cond: cond, then: then, els: els}
		}
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return b.comparison(opOf[name], args[0], args[1])
	case operators.In:
		return b.membership(args[0], args[1])
	case "startsWith", "endsWith", "contains":
		if s, by := b.term(c.Target()), b.term(args[0]); s != nil && by != nil {
			return &textNode{name: name, test: textTest[name], a: s, by: by}
		}
	case "matches":
		return b.matches(c)
	}
	return nil
}

var opOf = map[string]op{
	operators.Equals: opEQ, operators.NotEquals: opNE, operators.Less: opLT,
	operators.LessEquals: opLE, operators.Greater: opGT, operators.GreaterEquals: opGE,
}

var textTest = map[string]func(s, arg string) bool{
	"startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix, "contains": strings.Contains,
}

// flatten returns the operands of a chain of one operator, which the parser balances into a tree.
func flatten(name string, args, out []ast.Expr) []ast.Expr {
	for _, a := range args {
		if a.Kind() == ast.CallKind && a.AsCall().FunctionName() == name {
			out = flatten(name, a.AsCall().Args(), out)
		} else {
			out = append(out, a)
		}
	}
	return out
}

func (b *builder) comparison(o op, l, r ast.Expr) node {
	lt, rt := b.term(l), b.term(r)
	if lt == nil || rt == nil || lt.typ != rt.typ || lt.typ == schema.Strings || lt.typ == schema.Lines {
		return nil
	}
	return &cmpNode{op: o, a: lt, b: rt}
}

func (b *builder) membership(elem, list ast.Expr) node {
	of := b.term(elem)
	if of == nil {
		return nil
	}
	if list.Kind() != ast.ListKind {
		l := b.term(list)
		if l == nil || l.typ != schema.Strings || of.typ != schema.String {
			return nil
		}
		return &hasNode{of: of, list: l}
	}
	var anyOf []node
	var texts []string
	for _, e := range list.AsList().Elements() {
		t := b.term(e)
		if t == nil || t.typ != of.typ {
			return nil
		}
		if t.kind == termConst && t.typ == schema.String {
			texts = append(texts, t.s)
		}
		anyOf = append(anyOf, &cmpNode{op: opEQ, a: of, b: t})
	}
	if len(texts) == len(anyOf) && of.typ == schema.String {
		return &inNode{of: of, list: texts}
	}
	if len(anyOf) == 0 || of.typ == schema.Strings || of.typ == schema.Lines {
		return nil
	}
	return &orNode{of: anyOf}
}

func (b *builder) matches(c ast.CallExpr) node {
	target, pattern := c.Target(), c.Args()
	if target == nil { // matches(s, pattern)
		target, pattern = pattern[0], pattern[1:]
	}
	s, p := b.term(target), b.term(pattern[0])
	if s == nil || p == nil || p.kind != termConst {
		return nil
	}
	re, err := regexp.Compile(p.s)
	if err != nil {
		return nil
	}
	return &matchNode{pattern: p.s, match: re.MatchString, a: s}
}

// quantifier recognises the loops that exists, all and exists_one expand to.
func (b *builder) quantifier(c ast.ComprehensionExpr) node {
	over := b.term(c.IterRange())
	if over == nil || len(b.loops) >= maxNesting || over.typ != schema.Lines && over.typ != schema.Strings {
		return nil
	}
	kind, body := quantOf(c)
	if body == nil {
		return nil
	}
	b.loops = append(b.loops, loopVar{name: c.IterVar(), typ: over.typ})
	n := b.condition(body)
	b.loops = b.loops[:len(b.loops)-1]
	if n == nil {
		return nil
	}
	return &quantNode{kind: kind, over: over, depth: len(b.loops), body: n}
}

// quantOf returns which quantifier a comprehension is and its predicate, or a nil predicate.
func quantOf(c ast.ComprehensionExpr) (quantKind, ast.Expr) {
	if c.HasIterVar2() || c.LoopStep().Kind() != ast.CallKind {
		return 0, nil
	}
	step := c.LoopStep().AsCall()
	args := step.Args()
	isAccu := func(e ast.Expr) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == c.AccuVar() }
	switch step.FunctionName() {
	case operators.LogicalOr:
		if isAccu(args[0]) && isAccu(c.Result()) {
			return quantExists, args[1]
		}
	case operators.LogicalAnd:
		if isAccu(args[0]) && isAccu(c.Result()) {
			return quantAll, args[1]
		}
	case operators.Conditional:
		r := c.Result()
		if isAccu(args[2]) && r.Kind() == ast.CallKind && r.AsCall().FunctionName() == operators.Equals {
			return quantOne, args[0]
		}
	}
	return 0, nil
}

// term returns an operand of the fragment, or nil.
func (b *builder) term(e ast.Expr) *term {
	if e == nil {
		return nil
	}
	switch e.Kind() {
	case ast.LiteralKind:
		switch v := e.AsLiteral().(type) {
		case types.String:
			return &term{typ: schema.String, s: string(v)}
		case types.Int:
			return &term{typ: schema.Int, n: int64(v)}
		case types.Bool:
			return &term{typ: schema.Bool, n: b2i(bool(v))}
		}
	case ast.IdentKind:
		name := e.AsIdent()
		for i, l := range b.loops {
			if l.name == name && l.typ == schema.Strings {
				return &term{kind: termElem, typ: schema.String, depth: i}
			}
		}
		f, ok := b.scope.Lookup(name)
		if !ok {
			f, ok = schema.Lookup(name)
		}
		if ok {
			return &term{kind: termFact, typ: f.Type, name: name}
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if s.IsTestOnly() || s.Operand().Kind() != ast.IdentKind {
			return nil
		}
		for i, l := range b.loops {
			if l.name != s.Operand().AsIdent() || l.typ != schema.Lines {
				continue
			}
			if f, ok := lineFieldOf[s.FieldName()]; ok {
				return &term{kind: termLine, typ: lineFieldType(s.FieldName()), depth: i, field: f}
			}
		}
	case ast.CallKind:
		return b.termCall(e.AsCall())
	}
	return nil
}

func lineFieldType(name string) schema.Type {
	for _, f := range schema.LineFields() {
		if f.Name == name {
			return f.Type
		}
	}
	return ""
}

func (b *builder) termCall(c ast.CallExpr) *term {
	switch c.FunctionName() {
	case "money":
		if a, ok := moneyOf(c); ok {
			return &term{typ: schema.Money, m: a}
		}
	case "velocity":
		if v, ok := velocityOf(c); ok {
			return &term{kind: termFact, typ: schema.Int, name: v.Fact}
		}
	case "duration":
		if s, ok := literal(c, 0); ok {
			if d, ok := types.String(s).ConvertToType(types.DurationType).Value().(time.Duration); ok {
				return &term{typ: schema.Duration, n: int64(d)}
			}
		}
	case "timestamp":
		if s, ok := literal(c, 0); ok {
			if t, ok := types.String(s).ConvertToType(types.TimestampType).Value().(time.Time); ok {
				return &term{typ: schema.Time, t: t}
			}
		}
	case "size":
		of := c.Target()
		if of == nil {
			of = c.Args()[0]
		}
		if t := b.term(of); t != nil && (t.typ == schema.String || t.typ == schema.Strings || t.typ == schema.Lines) {
			return &term{kind: termSize, typ: schema.Int, of: t}
		}
	}
	return nil
}

// literal returns the i-th argument when it is a text literal.
func literal(c ast.CallExpr, i int) (string, bool) {
	if i >= len(c.Args()) || c.Args()[i].Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := c.Args()[i].AsLiteral().(types.String)
	return string(s), ok
}

func moneyOf(c ast.CallExpr) (money.Amount, bool) {
	dec, ok1 := literal(c, 0)
	cur, ok2 := literal(c, 1)
	if !ok1 || !ok2 {
		return money.Amount{}, false
	}
	a, err := money.Parse(dec, cur)
	return a, err == nil
}

func velocityOf(c ast.CallExpr) (Velocity, bool) {
	event, ok1 := literal(c, 0)
	by, ok2 := literal(c, 1)
	window, ok3 := literal(c, 2)
	d, err := ParseDuration(window)
	if !ok1 || !ok2 || !ok3 || err != nil {
		return Velocity{}, false
	}
	return Velocity{Event: event, By: by, Within: d, Fact: VelocityFact(event, by, d)}, true
}
