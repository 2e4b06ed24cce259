package rule

import (
	"time"
	"unicode/utf8"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

type termKind uint8

const (
	termConst termKind = iota
	termFact           // a field or a velocity
	termLine           // a field of the line a loop variable stands for
	termElem           // the text a loop variable stands for
	termSize           // size of another term
)

type lineField uint8

const (
	lineSKU lineField = iota
	lineTitle
	lineQty
	linePrice
	lineLocation
	lineKit
	lineAvailable
)

var lineFieldOf = map[string]lineField{
	"sku": lineSKU, "title": lineTitle, "qty": lineQty, "unit_price": linePrice,
	"location": lineLocation, "kit": lineKit, "available": lineAvailable,
}

// term is an operand: something with a value that is not yet a truth.
// The getters return false when the value is not known and have said why to ctx.
type term struct {
	kind  termKind
	typ   schema.Type
	name  string // termFact
	field lineField
	depth int   // termLine, termElem: which loop
	of    *term // termSize

	n int64 // constants: Int, Bool (0 or 1), Duration
	s string
	m money.Amount
	t time.Time
}

func (t *term) num(x *ctx) (int64, bool) {
	switch t.kind {
	case termConst:
		return t.n, true
	case termLine:
		l := x.lines[t.depth]
		switch t.field {
		case lineQty:
			return l.Qty, true
		case lineAvailable:
			return l.Available, true
		default:
			return b2i(l.Kit), true
		}
	case termSize:
		return t.size(x)
	}
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return 0, false
	}
	switch t.typ {
	case schema.Int:
		if n, ok := v.(int64); ok {
			return n, true
		}
	case schema.Bool:
		if b, ok := v.(bool); ok {
			return b2i(b), true
		}
	case schema.Duration:
		if d, ok := v.(time.Duration); ok {
			return int64(d), true
		}
	}
	x.wrongType(t.name, v)
	return 0, false
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t *term) size(x *ctx) (int64, bool) {
	switch t.of.typ {
	case schema.Lines:
		l, ok := t.of.lines(x)
		return int64(len(l)), ok
	case schema.Strings:
		l, ok := t.of.list(x)
		return int64(len(l)), ok
	default:
		s, ok := t.of.str(x)
		return int64(utf8.RuneCountInString(s)), ok // CEL counts code points
	}
}

func (t *term) str(x *ctx) (string, bool) {
	switch t.kind {
	case termConst:
		return t.s, true
	case termElem:
		return x.elems[t.depth], true
	case termLine:
		l := x.lines[t.depth]
		switch t.field {
		case lineSKU:
			return l.SKU, true
		case lineTitle:
			return l.Title, true
		default:
			return l.Location, true
		}
	}
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return "", false
	}
	s, ok := v.(string)
	if !ok {
		x.wrongType(t.name, v)
	}
	return s, ok
}

func (t *term) amount(x *ctx) (money.Amount, bool) {
	switch t.kind {
	case termConst:
		return t.m, true
	case termLine:
		return x.lines[t.depth].UnitPrice, true
	}
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return money.Amount{}, false
	}
	m, ok := v.(money.Amount)
	if !ok {
		x.wrongType(t.name, v)
	}
	return m, ok
}

func (t *term) time(x *ctx) (time.Time, bool) {
	if t.kind == termConst {
		return t.t, true
	}
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return time.Time{}, false
	}
	at, ok := v.(time.Time)
	if !ok {
		x.wrongType(t.name, v)
	}
	return at, ok
}

func (t *term) list(x *ctx) ([]string, bool) {
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return nil, false
	}
	l, ok := v.([]string)
	if !ok {
		x.wrongType(t.name, v)
	}
	return l, ok
}

func (t *term) lines(x *ctx) ([]Line, bool) {
	v, ok := x.facts.Fact(t.name)
	if !ok {
		x.miss(t.name)
		return nil, false
	}
	l, ok := v.([]Line)
	if !ok {
		x.wrongType(t.name, v)
	}
	return l, ok
}
