package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
)

// Limits of a condition. They make it total: whatever passes them ends in bounded time and memory.
const (
	maxSource  = 4 << 10 // bytes of source text
	maxDepth   = 64      // nesting of parentheses, calls and operators
	maxNesting = 2       // loops inside loops
	maxNodes   = 1000    // nodes of the syntax tree, with loops expanded
	maxWindow  = 90 * day
	minWindow  = day / (24 * 60)
)

// Compile parses and checks a condition on events of a type. The empty text is
// always true. An error is fault.Invalid; each of its problems points at
// "line:column" of src and says what to write instead.
func Compile(src, eventType string) (*Condition, error) { return CompileIn(src, eventType, nil) }

// Always is what the tree of a condition that is left out says.
const Always = "always"

// CompileIn is Compile where the values of scope have names too.
func CompileIn(src, eventType string, scope Scope) (*Condition, error) {
	const opName = "rule.Compile"
	if err := knownEvent(opName, eventType); err != nil {
		return nil, err
	}
	c := &Condition{src: src, event: eventType}
	if strings.TrimSpace(src) == "" {
		c.root = constNode(True)
		c.tree = &branch{text: Always, node: c.root}
		return c, nil
	}
	if len(src) > maxSource {
		return nil, invalid(opName, at(common.NewLocation(1, 0), "the condition has %d bytes; the limit is %d", len(src), maxSource))
	}
	env, err := envIn(eventType, scope)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, opName, "the rule language could not be set up")
	}
	tree, ps := checked(env, src, eventType, scope, true)
	if len(ps) > 0 {
		return nil, invalid(opName, ps...)
	}
	b := &builder{env: env, tree: tree, scope: scope}
	c.root = b.condition(tree.Expr())
	c.tree = b.branch(tree.Expr(), c.root)
	if b.err != nil {
		return nil, fault.Wrap(b.err, fault.Invalid, opName, "the condition cannot be prepared: %s", b.err)
	}
	c.reads = readsOf(tree.Expr(), scope)
	return c, nil
}

// knownEvent refuses a type that automations cannot be triggered by.
func knownEvent(opName, eventType string) error {
	if schema.KnownEvent(eventType) {
		return nil
	}
	if n := schema.Nearest(eventType, schema.Events()); n != "" {
		return fault.New(fault.Invalid, opName, "there is no event type %q; did you mean %q?", eventType, n)
	}
	return fault.New(fault.Invalid, opName, "there is no event type %q; the types are %s", eventType, strings.Join(schema.Events(), ", "))
}

func invalid(opName string, ps ...fault.Problem) error {
	e := fault.New(fault.Invalid, opName, "the condition is not valid")
	e.Problems = ps
	return e
}

// at makes a problem; CEL counts columns from 0, people from 1.
func at(l common.Location, format string, args ...any) fault.Problem {
	return fault.Problem{Pointer: fmt.Sprintf("%d:%d", max(l.Line(), 1), max(l.Column(), 0)+1), Message: fmt.Sprintf(format, args...)}
}

// checked parses and type-checks src. Our own checks come first: they know the
// fields and say what to write, where CEL would say what it did not find.
func checked(env *cel.Env, src, eventType string, scope Scope, truth bool) (*ast.AST, []fault.Problem) {
	parsed, iss := env.Parse(src)
	if iss.Err() != nil {
		if p, ok := mended(env, src); ok {
			return nil, []fault.Problem{p}
		}
		return nil, problems(iss)
	}
	k := &checker{event: eventType, scope: scope, info: parsed.NativeRep().SourceInfo()}
	k.expr(parsed.NativeRep().Expr(), nil)
	if len(k.ps) > 0 {
		if p, ok := mended(env, src); ok && strings.HasPrefix(p.Message, "not ") { // not(…) can be read, as a call
			return nil, []fault.Problem{p}
		}
		return nil, k.ps
	}
	typed, iss := env.Check(parsed)
	if iss.Err() != nil {
		return nil, problems(iss)
	}
	if t := typed.OutputType(); truth && !t.IsExactType(cel.BoolType) {
		return nil, []fault.Problem{at(common.NewLocation(1, 0),
			"the condition gives %s; it must be true or false: compare it with something, like %s", noun(t.String()), example(t.String()))}
	}
	k.comparable(typed.NativeRep())
	if len(k.ps) > 0 {
		return nil, k.ps
	}
	return typed.NativeRep(), nil
}

// reads is what an expression reads.
type reads struct {
	fields     []string            // facts, sorted
	velocities []Velocity          // in order of appearance
	names      bool                // values that earlier steps have named
	personal   bool                // something that names a person
	texts      map[string][]string // by list of text: the constants that its elements are compared with
}

// Fields returns the names of the facts that may be read, sorted, with those of the velocities.
func (r *reads) Fields() []string { return slices.Clone(r.fields) }

// Velocities returns the counts that are asked for, each once.
func (r *reads) Velocities() []Velocity { return slices.Clone(r.velocities) }

// Names reports whether values are read that earlier steps have named.
func (r *reads) Names() bool { return r.names }

// Personal reports whether something is read that names a person, itself or by way of a named value.
func (r *reads) Personal() bool { return r.personal }

// Texts returns the constants that the elements of a list of text, like order.tags, are compared with, each once.
func (r *reads) Texts(list string) []string { return slices.Clone(r.texts[list]) }

func readsOf(e ast.Expr, scope Scope) reads {
	r := reads{texts: map[string][]string{}}
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			f, named := scope.Lookup(e.AsIdent())
			if r.names = r.names || named; !named {
				var ok bool
				if f, ok = schema.Lookup(e.AsIdent()); ok {
					r.fields = append(r.fields, e.AsIdent())
				}
			}
			r.personal = r.personal || f.Personal
		case ast.CallKind:
			if e.AsCall().FunctionName() != "velocity" {
				return
			}
			if v, ok := velocityOf(e.AsCall()); ok {
				r.fields = append(r.fields, v.Fact)
				if !slices.Contains(r.velocities, v) {
					r.velocities = append(r.velocities, v)
				}
			}
		}
	}))
	slices.Sort(r.fields)
	r.fields = slices.Compact(r.fields)
	r.elements(e, nil)
	return r
}

// elements finds what elements of lists are compared with. vars names the list that a loop variable goes through.
func (r *reads) elements(e ast.Expr, vars map[string]string) {
	add := func(list string, with ast.Expr) {
		if list == "" || with.Kind() != ast.LiteralKind {
			return
		}
		if text, ok := with.AsLiteral().Value().(string); ok && !slices.Contains(r.texts[list], text) {
			r.texts[list] = append(r.texts[list], text)
		}
	}
	element := func(e ast.Expr) string { // the list that e is an element of
		if e.Kind() != ast.IdentKind {
			return ""
		}
		return vars[e.AsIdent()]
	}
	switch e.Kind() {
	case ast.CallKind:
		c := e.AsCall()
		args := c.Args()
		switch c.FunctionName() {
		case "@in":
			add(listOf(args[1]), args[0])
			if list := element(args[0]); list != "" && args[1].Kind() == ast.ListKind {
				for _, x := range args[1].AsList().Elements() {
					add(list, x)
				}
			}
		case "_==_", "_!=_":
			add(element(args[0]), args[1])
			add(element(args[1]), args[0])
		}
		if c.IsMemberFunction() {
			r.elements(c.Target(), vars)
		}
		for _, a := range args {
			r.elements(a, vars)
		}
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			r.elements(x, vars)
		}
	case ast.SelectKind:
		r.elements(e.AsSelect().Operand(), vars)
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		in := maps.Clone(vars)
		if in == nil {
			in = map[string]string{}
		}
		in[c.IterVar()] = listOf(c.IterRange())
		r.elements(c.IterRange(), vars)
		r.elements(c.LoopCondition(), in)
		r.elements(c.LoopStep(), in)
	}
}

// listOf names the list of text that an expression is, or "".
func listOf(e ast.Expr) string {
	if e.Kind() != ast.IdentKind {
		return ""
	}
	if f, ok := schema.Lookup(e.AsIdent()); !ok || f.Type != schema.Strings {
		return ""
	}
	return e.AsIdent()
}
