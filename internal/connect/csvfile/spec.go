package csvfile

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// readField reads where a value comes from: a column's name, or the long form.
// k is what the field is, nil for keys, conditions and attributes.
func (m *Mapping) readField(d *doc, n ast.Node, k *knownField) *fieldSpec {
	f := &fieldSpec{at: d.at(n), unmapped: "keep", sep: " "}
	if s, ok := d.scalar(n); ok {
		f.columns = []string{s}
		if s == "" {
			d.problem(n, "names no column; write const: \"\" for an empty value")
		}
		return f
	}
	for _, e := range d.entries(n, "a field") {
		switch e.key {
		case "column":
			f.columns = append(f.columns, d.text(e))
		case "columns":
			f.columns = append(f.columns, d.texts(e)...)
		case "first_of":
			f.columns, f.first = append(f.columns, d.texts(e)...), true
		case "sep":
			f.sep = d.text(e)
		case "from":
			f.from = d.text(e)
		case "const":
			s := d.text(e)
			f.constant = &s
		case "default":
			s := d.text(e)
			f.def = &s
		case "default_when":
			f.defWhen = m.readCondition(d, e.val)
		case "values":
			f.values = map[string]string{}
			for _, v := range d.entries(e.val, "values") {
				meaning := d.text(v)
				if k != nil && len(k.oneOf) > 0 && !contains(k.oneOf, meaning) {
					d.problem(v.val, "%q is not a meaning of %s%s; meanings: %s", meaning, k.name, didYouMean(meaning, k.oneOf), strings.Join(k.oneOf, ", "))
				}
				f.values[strings.ToLower(v.key)] = meaning
			}
		case "unmapped":
			f.unmapped = d.oneOf(e, "keep", "empty", "reject")
		case "letters":
			f.letters = d.oneOf(e, "upper", "lower")
		case "pad":
			f.pad = d.number(e, 1, 40)
		case "trim_start":
			f.trimStart = d.text(e)
		case "split":
			f.split = d.text(e)
		case "sum":
			f.sum = d.boolean(e)
		case "min", "max":
			v, ok := plainDecimal(d.text(e), '.')
			if !ok {
				d.problem(e.val, "%s must be a number", e.key)
			}
			if e.key == "min" {
				f.min = &v
			} else {
				f.max = &v
			}
		case "unit":
			if k == nil || len(k.units) == 0 {
				d.problem(e.node, "unit is only for weights")
				continue
			}
			f.unit = d.oneOf(e, k.units...)
		default:
			d.unknown(e, "a field", "column", "columns", "first_of", "sep", "from", "const", "default", "default_when",
				"values", "unmapped", "letters", "pad", "trim_start", "split", "sum", "min", "max", "unit")
		}
	}
	switch {
	case f.constant != nil && len(f.columns) > 0:
		d.problem(n, "a field has either const or a column")
	case f.constant == nil && len(f.columns) == 0 && f.def == nil:
		d.problem(n, "a field needs column, columns, first_of or const")
	case f.constant != nil && k != nil && len(k.oneOf) > 0 && !contains(k.oneOf, *f.constant):
		d.problem(n, "%q is not a meaning of %s; meanings: %s", *f.constant, k.name, strings.Join(k.oneOf, ", "))
	case f.sum && len(f.columns) != 1:
		d.problem(n, "sum needs exactly one column")
	}
	for _, c := range f.columns {
		if strings.TrimSpace(c) == "" {
			d.problem(n, "names an empty column")
		}
	}
	return f
}

// readCondition reads one test or a list of tests that must all hold.
func (m *Mapping) readCondition(d *doc, n ast.Node) condition {
	var c condition
	for _, tn := range d.list(n) {
		t := test{}
		field := &fieldSpec{at: d.at(tn), unmapped: "keep", sep: " "}
		tests := 0
		for _, e := range d.entries(tn, "a test") {
			flag := func() *bool { b := d.boolean(e); tests++; return &b }
			switch e.key {
			case "column":
				field.columns = []string{d.text(e)}
			case "from":
				field.from = d.text(e)
			case "is":
				t.is = lowerSet(d.texts(e))
				tests++
			case "is_not":
				t.isNot = lowerSet(d.texts(e))
				tests++
			case "prefix":
				t.prefix = d.texts(e)
				tests++
			case "empty":
				t.empty = flag()
			case "negative":
				t.negative = flag()
			case "zero":
				t.zero = flag()
			default:
				d.unknown(e, "a test", "column", "from", "is", "is_not", "prefix", "empty", "negative", "zero")
			}
		}
		if len(field.columns) != 1 || field.columns[0] == "" || tests == 0 {
			d.problem(tn, "a test needs a column and one of is, is_not, prefix, empty, negative, zero")
			continue
		}
		t.field = field
		c = append(c, t)
	}
	return c
}

func (d *doc) at(n ast.Node) string {
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		return fmt.Sprintf("%s:%d:%d", d.name, n.GetToken().Position.Line, n.GetToken().Position.Column)
	}
	return d.name
}

func lowerSet(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[strings.ToLower(s)] = true
	}
	return m
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
