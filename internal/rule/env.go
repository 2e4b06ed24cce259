package rule

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Names of the CEL types that are ours.
const (
	moneyName = "money.Amount"
	lineName  = "order.Line"
)

var (
	moneyType = cel.OpaqueType(moneyName)
	lineType  = cel.ObjectType(lineName)
)

// celType returns the CEL type that carries a field type.
func celType(t schema.Type) *cel.Type {
	switch t {
	case schema.Int:
		return cel.IntType
	case schema.Bool:
		return cel.BoolType
	case schema.Money:
		return moneyType
	case schema.Time:
		return cel.TimestampType
	case schema.Duration:
		return cel.DurationType
	case schema.Strings:
		return cel.ListType(cel.StringType)
	case schema.Lines:
		return cel.ListType(lineType)
	default:
		return cel.StringType
	}
}

// costLimit bounds the part of a condition that runs as a CEL program. A
// typical condition costs below 50; two nested loops over 500 lines cost about
// 2 million and are cut off, which makes the condition unknown.
const costLimit = 1_000_000

// baseEnv is the environment without fields. Building the standard library
// costs milliseconds, so it is built once and extended per event type.
var baseEnv = sync.OnceValues(func() (*cel.Env, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	ordering := func(op string) cel.EnvOption {
		return cel.Function(op, cel.Overload(op+"money", []*cel.Type{moneyType, moneyType}, cel.BoolType))
	}
	sum := func(op string) cel.EnvOption {
		return cel.Function(op, cel.Overload(op+"money", []*cel.Type{moneyType, moneyType}, moneyType))
	}
	return cel.NewEnv(
		cel.CustomTypeProvider(&provider{Registry: reg}),
		cel.CustomTypeAdapter(adapter{reg}),
		cel.Macros(cel.StandardMacros...),
		cel.EnableMacroCallTracking(), // so that loops can be written back as the author wrote them
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ParserRecursionLimit(maxDepth),
		ordering("_<_"), ordering("_<=_"), ordering("_>_"), ordering("_>=_"),
		sum("_+_"), sum("_-_"),
		cel.Function("money", cel.Overload("money_string_string", []*cel.Type{cel.StringType, cel.StringType}, moneyType,
			cel.BinaryBinding(func(dec, cur ref.Val) ref.Val {
				d, _ := dec.Value().(string)
				c, _ := cur.Value().(string)
				a, err := money.Parse(d, c)
				if err != nil {
					return types.NewErr("%s", err)
				}
				return moneyVal(a)
			}))),
		// velocity has no binding: each call is replaced by a fact before a program is planned.
		cel.Function("velocity", cel.Overload("velocity_string_string_string",
			[]*cel.Type{cel.StringType, cel.StringType, cel.StringType}, cel.IntType)),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxNesting)),
	)
})

var (
	envMu sync.Mutex
	envs  = map[string]*cel.Env{} // by event type; at most one per known type
)

// envFor returns the environment that declares the fields of an event type.
func envFor(eventType string) (*cel.Env, error) {
	envMu.Lock()
	defer envMu.Unlock()
	if e, ok := envs[eventType]; ok {
		return e, nil
	}
	base, err := baseEnv()
	if err != nil {
		return nil, err
	}
	var opts []cel.EnvOption
	for _, f := range schema.Fields(eventType) {
		opts = append(opts, cel.Variable(f.Name, celType(f.Type)))
	}
	e, err := base.Extend(opts...)
	if err != nil {
		return nil, err
	}
	envs[eventType] = e
	return e, nil
}

// provider adds the type of an order line to CEL's own types.
type provider struct{ *types.Registry }

// FindStructType implements types.Provider.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if name == lineName {
		return types.NewTypeTypeWithParam(lineType), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if name != lineName {
		return p.Registry.FindStructFieldNames(name)
	}
	var out []string
	for _, f := range schema.LineFields() {
		out = append(out, f.Name)
	}
	return out, true
}

// FindStructFieldType implements types.Provider.
func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if name != lineName {
		return p.Registry.FindStructFieldType(name, field)
	}
	for _, f := range schema.LineFields() {
		if f.Name == field {
			return &types.FieldType{Type: celType(f.Type)}, true
		}
	}
	return nil, false
}

// adapter turns facts into CEL values.
type adapter struct{ types.Adapter }

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case money.Amount:
		return moneyVal(v)
	case []Line:
		vals := make([]ref.Val, len(v))
		for i := range v {
			vals[i] = &lineVal{line: &v[i]}
		}
		return types.NewRefValList(a, vals)
	default:
		return a.Adapter.NativeToValue(v)
	}
}
