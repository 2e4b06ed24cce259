package rule

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"orderly.example/orderly/internal/money"
)

// moneyRT is the runtime type of money: ordered, added and subtracted within one currency.
var moneyRT = types.NewOpaqueType(moneyName).WithTraits(traits.ComparerType | traits.AdderType | traits.SubtractorType)

// lineRT is the runtime type of an order line.
var lineRT = types.NewObjectType(lineName, traits.IndexerType|traits.FieldTesterType)

// moneyVal is money as a CEL value.
type moneyVal money.Amount

var (
	_ traits.Comparer   = moneyVal{}
	_ traits.Adder      = moneyVal{}
	_ traits.Subtractor = moneyVal{}
	_ traits.Indexer    = (*lineVal)(nil)
)

func currencies(a, b money.Amount) string {
	return fmt.Sprintf("%s and %s are two currencies and do not compare", a, b)
}

// ConvertToNative implements ref.Val.
func (m moneyVal) ConvertToNative(t reflect.Type) (any, error) {
	if t == reflect.TypeFor[money.Amount]() {
		return money.Amount(m), nil
	}
	return nil, fmt.Errorf("money does not convert to %v", t)
}

// ConvertToType implements ref.Val.
func (m moneyVal) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case moneyRT:
		return m
	case types.TypeType:
		return moneyRT
	}
	return types.NewErr("money does not convert to %s", t.TypeName())
}

// Equal implements ref.Val.
func (m moneyVal) Equal(other ref.Val) ref.Val {
	r := m.Compare(other)
	if i, ok := r.(types.Int); ok {
		return types.Bool(i == 0)
	}
	return r
}

// Type implements ref.Val.
func (m moneyVal) Type() ref.Type { return moneyRT }

// Value implements ref.Val.
func (m moneyVal) Value() any { return money.Amount(m) }

// Compare implements traits.Comparer; two currencies are an error, which makes the condition unknown.
func (m moneyVal) Compare(other ref.Val) ref.Val {
	o, ok := other.(moneyVal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	c, ok := money.Amount(m).Compare(money.Amount(o))
	if !ok {
		return types.NewErr("%s", currencies(money.Amount(m), money.Amount(o)))
	}
	return types.Int(c)
}

// Add implements traits.Adder.
func (m moneyVal) Add(other ref.Val) ref.Val {
	o, ok := other.(moneyVal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return sumMoney(money.Amount(m), money.Amount(o))
}

// Subtract implements traits.Subtractor.
func (m moneyVal) Subtract(other ref.Val) ref.Val {
	o, ok := other.(moneyVal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return sumMoney(money.Amount(m), money.Amount{Minor: -o.Minor, Currency: o.Currency})
}

// sumMoney adds without the panics of money.Add, as a condition must be total.
func sumMoney(a, b money.Amount) ref.Val {
	if _, ok := a.Compare(b); !ok {
		return types.NewErr("%s", currencies(a, b))
	}
	s := a.Minor + b.Minor
	if (a.Minor >= 0) == (b.Minor >= 0) && (s >= 0) != (a.Minor >= 0) {
		return types.NewErr("the sum of %s and %s is too large", a, b)
	}
	cur := a.Currency
	if cur == "" {
		cur = b.Currency
	}
	return moneyVal(money.New(s, cur))
}

// lineVal is an order line as a CEL value.
type lineVal struct{ line *Line }

// ConvertToNative implements ref.Val.
func (l *lineVal) ConvertToNative(t reflect.Type) (any, error) {
	if t == reflect.TypeFor[Line]() {
		return *l.line, nil
	}
	return nil, fmt.Errorf("an order line does not convert to %v", t)
}

// ConvertToType implements ref.Val.
func (l *lineVal) ConvertToType(t ref.Type) ref.Val {
	if t == types.TypeType {
		return lineRT
	}
	return types.NewErr("an order line does not convert to %s", t.TypeName())
}

// Equal implements ref.Val.
func (l *lineVal) Equal(other ref.Val) ref.Val {
	o, ok := other.(*lineVal)
	return types.Bool(ok && *l.line == *o.line)
}

// Type implements ref.Val.
func (l *lineVal) Type() ref.Type { return lineRT }

// Value implements ref.Val.
func (l *lineVal) Value() any { return *l.line }

// Get implements traits.Indexer: the fields of the line.
func (l *lineVal) Get(index ref.Val) ref.Val {
	name, _ := index.(types.String)
	switch string(name) {
	case "sku":
		return types.String(l.line.SKU)
	case "title":
		return types.String(l.line.Title)
	case "qty":
		return types.Int(l.line.Qty)
	case "unit_price":
		return moneyVal(l.line.UnitPrice)
	case "location":
		return types.String(l.line.Location)
	case "kit":
		return types.Bool(l.line.Kit)
	case "available":
		return types.Int(l.line.Available)
	}
	return types.NewErr("an order line has no field %q", string(name))
}

// IsSet implements traits.FieldTester.
func (l *lineVal) IsSet(field ref.Val) ref.Val {
	if v := l.Get(field); types.IsError(v) {
		return v
	}
	return types.True
}

// activation gives a CEL program the facts, with what is missing as CEL's unknown.
// It keeps the names that were missing, since CEL's unknowns are numbers of tree nodes.
type activation struct{ x *ctx }

var _ cel.Activation = activation{}

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	v, ok := a.x.facts.Fact(name)
	if !ok {
		a.x.miss(name)
		return types.NewUnknown(1, nil), true
	}
	return v, true
}

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }
