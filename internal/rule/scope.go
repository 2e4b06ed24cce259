package rule

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Scope are the values that earlier steps of an automation have named, in the
// order they were named. Facts gives them under their names, like fields.
type Scope []schema.Field

// Lookup returns the value of a name; the one that was named last when there are two.
func (s Scope) Lookup(name string) (schema.Field, bool) {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i].Name == name {
			return s[i], true
		}
	}
	return schema.Field{}, false
}

// envIn is the environment of an event type with the names of a scope.
func envIn(eventType string, scope Scope) (*cel.Env, error) {
	env, err := envFor(eventType)
	if err != nil || len(scope) == 0 {
		return env, err
	}
	var opts []cel.EnvOption
	for _, f := range scope {
		opts = append(opts, cel.Variable(f.Name, celType(f.Type)))
	}
	return env.Extend(opts...)
}

// Value is a compiled expression that gives a value. It is immutable and safe for concurrent use.
type Value struct {
	reads
	src   string
	typ   schema.Type
	truth node  // of type bool
	term  *term // of the fragment
	prog  cel.Program
}

// scalar are the types a value may have: what can be kept and shown as one text.
var scalar = map[string]schema.Type{
	"string": schema.String, "int": schema.Int, "bool": schema.Bool, moneyName: schema.Money,
	"timestamp": schema.Time, "google.protobuf.Timestamp": schema.Time,
	"duration": schema.Duration, "google.protobuf.Duration": schema.Duration,
}

// CompileValue parses and checks an expression that gives text, a whole number,
// true or false, money, a time or a duration. Problems are as for Compile.
func CompileValue(src, eventType string, scope Scope) (*Value, error) {
	const opName = "rule.CompileValue"
	if err := knownEvent(opName, eventType); err != nil {
		return nil, err
	}
	start := common.NewLocation(1, 0)
	if strings.TrimSpace(src) == "" {
		return nil, invalid(opName, at(start, "the value is empty"))
	}
	if len(src) > maxSource {
		return nil, invalid(opName, at(start, "the value has %d bytes; the limit is %d", len(src), maxSource))
	}
	env, err := envIn(eventType, scope)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, opName, "the rule language could not be set up")
	}
	tree, ps := checked(env, src, eventType, scope, false)
	if len(ps) > 0 {
		return nil, invalid(opName, ps...)
	}
	out := tree.GetType(tree.Expr().ID())
	v := &Value{src: src}
	ok := false
	if v.typ, ok = scalar[out.TypeName()]; !ok || strings.Contains(out.String(), "(") {
		return nil, invalid(opName, at(start, "the value is %s; a value that has a name is text, a whole number, true or false, money, a time or a duration", noun(out.String())))
	}
	b := &builder{env: env, tree: tree, scope: scope}
	if v.typ == schema.Bool {
		v.truth = b.condition(tree.Expr())
	} else if v.term = b.term(tree.Expr()); v.term == nil {
		if p, ok := b.program(tree.Expr()).(*celNode); ok {
			v.prog = p.prog
		}
	}
	if b.err != nil {
		return nil, fault.Wrap(b.err, fault.Invalid, opName, "the value cannot be prepared: %s", b.err)
	}
	v.reads = readsOf(tree.Expr(), scope)
	return v, nil
}

// Source returns the text the value was compiled from.
func (v *Value) Source() string { return v.src }

// Type returns the type of the value.
func (v *Value) Type() schema.Type { return v.typ }

// Eval computes the value as string, int64, bool, money.Amount, time.Time or
// time.Duration. The error is an *UnknownError: a fact was missing, or it cannot be computed.
func (v *Value) Eval(f Facts) (any, error) {
	x := getCtx(f)
	defer x.put()
	if out, ok := v.eval(x); ok {
		return out, nil
	}
	return nil, x.reason()
}

func (v *Value) eval(x *ctx) (any, bool) {
	switch {
	case v.truth != nil:
		out := v.truth.eval(x)
		return out == True, out != Unknown
	case v.term != nil:
		return v.term.value(x)
	}
	out, _, err := v.prog.Eval(activation{x})
	if err != nil {
		x.fail("%s", err)
		return nil, false
	}
	return native(out)
}

func (t *term) value(x *ctx) (any, bool) {
	switch t.typ {
	case schema.Int:
		return ok(t.num(x))
	case schema.Duration:
		n, known := t.num(x)
		return time.Duration(n), known
	case schema.Money:
		return ok(t.amount(x))
	case schema.Time:
		return ok(t.time(x))
	default:
		return ok(t.str(x))
	}
}

func ok[T any](v T, known bool) (any, bool) { return v, known }

// native is a CEL value as Facts gives them; false for CEL's unknown.
func native(v ref.Val) (any, bool) {
	switch v := v.(type) {
	case types.String:
		return string(v), true
	case types.Int:
		return int64(v), true
	case types.Bool:
		return bool(v), true
	case moneyVal:
		return money.Amount(v), true
	case types.Timestamp:
		return v.Time, true
	case types.Duration:
		return v.Duration, true
	}
	return nil, false
}

// String returns the source of the value.
func (v *Value) String() string { return fmt.Sprintf("%s (%s)", v.src, v.typ) }
