package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// checker walks the parsed tree and finds what is not available, before types are looked at.
type checker struct {
	event string
	scope Scope
	info  *ast.SourceInfo
	ps    []fault.Problem
	nodes int
}

// maxProblems bounds what one compilation reports: the rest is noise that follows from the first.
const maxProblems = 10

func (k *checker) add(e ast.Expr, format string, args ...any) {
	if len(k.ps) < maxProblems {
		k.ps = append(k.ps, at(k.info.GetStartLocation(e.ID()), format, args...))
	}
}

// functions are what a condition may call by name. What is missing on purpose:
// dyn and type (they switch checking off), and everything that builds text.
var functions = []string{
	"contains", "duration", "endsWith", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMinutes",
	"getMonth", "getSeconds", "int", "matches", "money", "size", "startsWith", "string", "timestamp", "velocity",
}

// Functions returns the names of the functions a condition may call.
func Functions() []string { return slices.Clone(functions) }

// functionHelp is how the functions one would look for are written.
const functionHelp = `money("12.34", "EUR"), duration("72h"), timestamp("2026-01-31T00:00:00Z"), ` +
	`velocity("order.placed", "customer.email", "24h"), size(), startsWith(), endsWith(), contains(), matches(), ` +
	`and exists(), all() over order.lines`

// bound are the loop variables in scope.
type bound []string

func (k *checker) expr(e ast.Expr, vars bound) {
	k.nodes++
	if k.nodes > maxNodes {
		if k.nodes == maxNodes+1 {
			k.add(e, "the condition has more than %d parts; split it into several automations", maxNodes)
		}
		return
	}
	switch e.Kind() {
	case ast.LiteralKind:
		k.literal(e)
	case ast.IdentKind, ast.SelectKind:
		k.name(e, vars)
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			k.expr(el, vars)
		}
	case ast.MapKind, ast.StructKind:
		k.add(e, "maps and objects cannot be written in a condition")
	case ast.CallKind:
		k.call(e, vars)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		k.loopVar(e, c.IterVar(), vars)
		k.expr(c.IterRange(), vars)
		in := append(slices.Clone(vars), c.IterVar(), c.AccuVar())
		for _, part := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
			k.expr(part, in)
		}
	}
}

func (k *checker) literal(e ast.Expr) {
	switch e.AsLiteral().(type) {
	case types.Double:
		k.add(e, `there are no fractions in a condition; numbers are whole, and an amount is written money("12.34", "EUR")`)
	case types.Null:
		k.add(e, "null cannot be compared: a value that is missing makes the condition unknown, and an unknown condition does not fire")
	case types.Bytes, types.Uint:
		k.add(e, "write a whole number or a text in quotes")
	}
}

func (k *checker) loopVar(e ast.Expr, name string, vars bound) {
	if slices.Contains(vars, name) {
		k.add(e, "the name %s is already used by the loop outside; choose another", name)
	}
	for _, f := range append(schema.Fields(""), k.scope...) {
		if first, _, _ := strings.Cut(f.Name, "."); first == name {
			k.add(e, "a loop variable cannot be called %s, as fields begin with it; write l", name)
			return
		}
	}
}

// name checks a dotted name against the catalogue.
func (k *checker) name(e ast.Expr, vars bound) {
	var parts []string
	root := e
	for root.Kind() == ast.SelectKind {
		s := root.AsSelect()
		if s.IsTestOnly() {
			k.add(root, "has() is not needed: a value that is missing makes the condition unknown, and an unknown condition does not fire")
			return
		}
		parts = append(parts, s.FieldName())
		root = s.Operand()
	}
	if root.Kind() != ast.IdentKind {
		k.expr(root, vars)
		return
	}
	parts = append(parts, root.AsIdent())
	slices.Reverse(parts)
	if slices.Contains(vars, parts[0]) {
		return // a line; the type check knows its fields
	}
	full := strings.Join(parts, ".")
	for i := len(parts); i > 0; i-- {
		f, named := k.scope.Lookup(strings.Join(parts[:i], "."))
		ok := named
		if !ok {
			f, ok = schema.Lookup(strings.Join(parts[:i], "."))
		}
		switch {
		case !ok:
			continue
		case named && i == len(parts):
			return
		case !named && !f.Available(k.event):
			k.add(root, "%s is not known on %s, only on %s", f.Name, k.event, where(f))
		case i < len(parts):
			k.add(root, "%s is %s and has no part %s", f.Name, f.Type.Noun(), parts[i])
		}
		return
	}
	k.add(root, "there is no %s on %s%s; available: %s", full, k.event, didYouMean(full, k.available()), k.describe(full))
}

func where(f schema.Field) string {
	if f.Events == nil {
		return "events of an order"
	}
	return strings.Join(f.Events, ", ")
}

func (k *checker) available() []string {
	fs := append(schema.Fields(k.event), k.scope...)
	out := make([]string, len(fs))
	for i := range fs {
		out[i] = fs[i].Name
	}
	return out
}

// maxListed is how many names a message lists: more are not read.
const maxListed = 8

// describe lists what is available instead of a name: below its first part when there is such a group, the nearest
// first, and how many more there are.
func (k *checker) describe(name string) string {
	all := k.available()
	group, _, _ := strings.Cut(name, ".")
	var in []string
	for _, n := range all {
		if strings.HasPrefix(n, group+".") {
			in = append(in, n)
		}
	}
	if len(in) > 0 {
		all = in
	}
	if len(all) <= maxListed {
		return strings.Join(all, ", ")
	}
	schema.SortNearest(name, all)
	return fmt.Sprintf("%s and %d more; in the editor, control and space offers all", strings.Join(all[:maxListed], ", "), len(all)-maxListed)
}

func didYouMean(word string, candidates []string) string {
	if n := schema.Nearest(word, candidates); n != "" {
		return "; did you mean " + n + "?"
	}
	return ""
}

func (k *checker) call(e ast.Expr, vars bound) {
	c := e.AsCall()
	name := c.FunctionName()
	_, isOperator := operators.FindReverse(name)
	isOperator = isOperator || strings.ContainsAny(name, "_@!")
	if !isOperator && !slices.Contains(functions, name) {
		k.add(e, "there is no function %s%s; available: %s", name, didYouMean(name, functions), functionHelp)
		return
	}
	switch name {
	case "money":
		k.money(e)
	case "velocity":
		k.velocity(e)
	case operators.Equals, operators.NotEquals:
		k.option(c.Args()[0], c.Args()[1])
		k.option(c.Args()[1], c.Args()[0])
	case operators.In:
		if c.Args()[1].Kind() == ast.ListKind {
			for _, el := range c.Args()[1].AsList().Elements() {
				k.option(c.Args()[0], el)
			}
		}
	}
	if c.IsMemberFunction() {
		k.expr(c.Target(), vars)
	}
	for _, a := range c.Args() {
		k.expr(a, vars)
	}
}

// option refuses a text that a named value can never be, like an answer that nobody can give.
func (k *checker) option(of, with ast.Expr) {
	if of.Kind() != ast.IdentKind || with.Kind() != ast.LiteralKind {
		return
	}
	f, named := k.scope.Lookup(of.AsIdent())
	text, ok := with.AsLiteral().(types.String)
	if !named || !ok || len(f.Options) == 0 || slices.Contains(f.Options, string(text)) {
		return
	}
	k.add(with, "%q is not one of %s, which %s may be%s", string(text), strings.Join(f.Options, ", "), f.Name, didYouMean(string(text), f.Options))
}

func (k *checker) money(e ast.Expr) {
	c := e.AsCall()
	dec, ok1 := literal(c, 0)
	cur, ok2 := literal(c, 1)
	if !ok1 || !ok2 || len(c.Args()) != 2 {
		k.add(e, `money takes a number and a currency, both in quotes: money("12.34", "EUR")`)
		return
	}
	if _, err := money.Parse(dec, cur); err != nil {
		k.add(e, "%s", err)
	}
}

func (k *checker) velocity(e ast.Expr) {
	c := e.AsCall()
	event, ok1 := literal(c, 0)
	by, ok2 := literal(c, 1)
	window, ok3 := literal(c, 2)
	if !ok1 || !ok2 || !ok3 || len(c.Args()) != 3 {
		k.add(e, `velocity takes three texts in quotes: what to count, by what, and the window: velocity("order.placed", "customer.email", "24h")`)
		return
	}
	if !schema.IsOrderEvent(k.event) {
		k.add(e, "velocity is not known on %s, only on events of an order", k.event)
	}
	if !slices.Contains(schema.VelocityEvents(), event) {
		k.add(c.Args()[0], "velocity counts %s, not %q", strings.Join(schema.VelocityEvents(), ", "), event)
	}
	var dims []string
	for _, d := range schema.Dimensions() {
		dims = append(dims, d.Name)
	}
	if !slices.Contains(dims, by) {
		k.add(c.Args()[1], "velocity cannot count by %q%s; available: %s", by, didYouMean(by, dims), strings.Join(dims, ", "))
	}
	switch d, err := ParseDuration(window); {
	case err != nil:
		k.add(c.Args()[2], "%s", err)
	case d < minWindow || d > maxWindow:
		k.add(c.Args()[2], "the window must be between %s and %s, got %s", DurationText(minWindow), DurationText(maxWindow), window)
	}
}

// comparable refuses what would compare amounts of two currencies as different
// instead of unknown: lists compared as wholes, and membership in a list that is computed.
func (k *checker) comparable(t *ast.AST) {
	ast.PostOrderVisit(t.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		c := e.AsCall()
		switch c.FunctionName() {
		case operators.Equals, operators.NotEquals:
			typ := t.GetType(c.Args()[0].ID())
			if typ.Kind() == types.ListKind && !typ.IsExactType(cel.ListType(cel.StringType)) {
				k.add(e, "these lists cannot be compared as wholes; use exists or all")
			}
		case operators.In:
			if t.GetType(c.Args()[0].ID()).TypeName() == moneyName && c.Args()[1].Kind() != ast.ListKind {
				k.add(e, "an amount is looked for in a written list only; use exists, like order.lines.exists(l, l.unit_price == order.total)")
			}
		}
	}))
}

var (
	noOverload     = regexp.MustCompile(`^found no matching overload for '([^']+)' applied to '([^']*)'`)
	undefinedField = regexp.MustCompile(`undefined field '([^']*)'`)
)

// problems turns CEL's messages into ours where ours help more.
func problems(iss *cel.Issues) []fault.Problem {
	var ps []fault.Problem
	for _, e := range iss.Errors() {
		if len(ps) == maxProblems {
			break
		}
		ps = append(ps, at(e.Location, "%s", translate(e)))
	}
	return ps
}

func translate(e *common.Error) string {
	if m := noOverload.FindStringSubmatch(e.Message); m != nil {
		return mismatch(m[1], m[2])
	}
	if m := undefinedField.FindStringSubmatch(e.Message); m != nil {
		var names []string
		for _, f := range schema.LineFields() {
			names = append(names, f.Name)
		}
		return fmt.Sprintf("an order line has no %s%s; available: %s", m[1], didYouMean(m[1], names), strings.Join(names, ", "))
	}
	if strings.HasPrefix(e.Message, "comprehension exceeds nesting limit") {
		return fmt.Sprintf("loops are nested more than %d deep", maxNesting)
	}
	if strings.HasPrefix(e.Message, "Syntax error:") {
		return "the text cannot be read here:" + strings.TrimPrefix(e.Message, "Syntax error:")
	}
	return e.Message
}

// mismatch explains an operator or function that does not take the types it was given.
func mismatch(function, args string) string {
	var of []string
	given := splitTypes(args)
	for _, t := range given {
		of = append(of, noun(t))
	}
	name := function
	if sym, ok := operators.FindReverse(function); ok && sym != "" {
		name = sym
	}
	msg := fmt.Sprintf("%s does not work with %s", strings.Trim(name, "_@"), strings.Join(of, " and "))
	has := func(t string) bool { return slices.Contains(given, t) }
	switch {
	case has(moneyName) && (has("int") || has("string")):
		msg += `; write an amount as money("12.34", "EUR")`
	case has("duration") && (has("int") || has("string")):
		msg += `; write a duration as duration("72h")`
	case has("timestamp") && (has("int") || has("string")):
		msg += `; write a time as timestamp("2026-01-31T00:00:00Z")`
	case has("int") && has("string"):
		msg += "; a number has no quotes, a text has them"
	}
	return msg
}

// splitTypes splits the types in CEL's message: "(int, string)", or "string.(int)" for a member function.
func splitTypes(args string) []string {
	if target, rest, ok := strings.Cut(args, ".("); ok && !strings.HasPrefix(args, "(") {
		args = "(" + target + ", " + rest
	}
	args = strings.TrimSuffix(strings.TrimPrefix(args, "("), ")")
	var out []string
	for _, t := range strings.Split(args, ", ") {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// noun says a CEL type in the words of the schema.
func noun(t string) string {
	switch t {
	case moneyName:
		return schema.Money.Noun()
	case lineName:
		return "an order line"
	case "int":
		return schema.Int.Noun()
	case "bool":
		return schema.Bool.Noun()
	case "string":
		return schema.String.Noun()
	case "timestamp", "google.protobuf.Timestamp":
		return schema.Time.Noun()
	case "duration", "google.protobuf.Duration":
		return schema.Duration.Noun()
	case "list(string)":
		return schema.Strings.Noun()
	case "list(" + lineName + ")":
		return schema.Lines.Noun()
	}
	if strings.HasPrefix(t, "list(") {
		return "a list"
	}
	return t
}

func example(t string) string {
	switch t {
	case moneyName:
		return `order.total > money("400", "EUR")`
	case "int":
		return "customer.orders == 0"
	case "list(string)":
		return `"vip" in order.tags`
	case "list(" + lineName + ")":
		return "order.lines.exists(l, l.qty > 10)"
	case "timestamp":
		return `order.placed_at < timestamp("2026-01-31T00:00:00Z")`
	case "duration":
		return `customer.account_age < duration("72h")`
	}
	return `order.shipping.country == "DE"`
}
