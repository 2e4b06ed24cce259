package rule

import (
	"fmt"
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

// CompileIn is Compile where the values of scope have names too.
func CompileIn(src, eventType string, scope Scope) (*Condition, error) {
	const opName = "rule.Compile"
	if err := knownEvent(opName, eventType); err != nil {
		return nil, err
	}
	c := &Condition{src: src, event: eventType}
	if strings.TrimSpace(src) == "" {
		c.root = constNode(True)
		c.tree = &branch{text: "always", node: c.root}
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
	c.fields, c.velocities = reads(tree.Expr())
	return c, nil
}

// knownEvent refuses a type that automations cannot be triggered by.
func knownEvent(opName, eventType string) error {
	if schema.KnownEvent(eventType) {
		return nil
	}
	msg := fmt.Sprintf("there is no event type %q", eventType)
	if n := schema.Nearest(eventType, schema.Events()); n != "" {
		msg += fmt.Sprintf("; did you mean %q?", n)
	}
	return fault.New(fault.Invalid, opName, "%s; the types are %s", msg, strings.Join(schema.Events(), ", "))
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
		return nil, problems(iss)
	}
	k := &checker{event: eventType, scope: scope, info: parsed.NativeRep().SourceInfo()}
	k.expr(parsed.NativeRep().Expr(), nil)
	if len(k.ps) > 0 {
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

// reads returns the facts of an expression: sorted names, and velocities in order of appearance.
func reads(e ast.Expr) (names []string, vs []Velocity) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			if _, ok := schema.Lookup(e.AsIdent()); ok {
				names = append(names, e.AsIdent())
			}
		case ast.CallKind:
			if e.AsCall().FunctionName() != "velocity" {
				return
			}
			if v, ok := velocityOf(e.AsCall()); ok {
				names = append(names, v.Fact)
				if !slices.Contains(vs, v) {
					vs = append(vs, v)
				}
			}
		}
	}))
	slices.Sort(names)
	return slices.Compact(names), vs
}
