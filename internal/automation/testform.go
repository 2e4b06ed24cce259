package automation

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Subject of a test over a velocity.
const SubjectVelocity = "velocity"

// subjectCount comes before a field whose elements are counted.
const subjectCount = "count "

// FormOf is a test as a form shows it.
func FormOf(p *rule.Part) TestForm {
	f := TestForm{Subject: SubjectOf(p.Left), Op: p.Op, Values: p.Right.Values}
	if v := p.Left.Velocity; v != nil {
		f.Event, f.By, f.Within = v.Event, v.By, v.Within
	}
	if p.Right.Term != nil {
		f.Field = SubjectOf(*p.Right.Term)
	}
	if p.Left.Type == schema.Duration {
		f.Values = nil
		for _, v := range p.Right.Values {
			f.Values = append(f.Values, rule.DurationShown(v))
		}
	}
	return f
}

// SubjectOf is a term as a form names it.
func SubjectOf(t rule.Term) string {
	switch {
	case t.Velocity != nil:
		return SubjectVelocity
	case t.Count:
		return subjectCount + t.Name
	case t.Line != "":
		return t.Line + "." + t.Name
	}
	return t.Name
}

// Ops are the operators that a test over a type may have, the usual one first.
func Ops(t schema.Type) []string {
	switch t {
	case schema.Int, schema.Money, schema.Time, schema.Duration:
		return []string{">", ">=", "==", "!=", "<=", "<"}
	case schema.Bool:
		return []string{rule.OpIs, rule.Negate(rule.OpIs)}
	case schema.Strings:
		return []string{rule.OpHas, rule.Negate(rule.OpHas)}
	}
	out := []string{"==", "!=", rule.OpIn, rule.Negate(rule.OpIn)}
	for _, op := range []string{rule.OpStarts, rule.OpEnds, rule.OpContains, rule.OpMatches} {
		out = append(out, op, rule.Negate(op))
	}
	return out
}

// termOf is the subject of a form as a term.
func termOf(subject string, scope rule.Scope) (rule.Term, bool) {
	if rest, ok := strings.CutPrefix(subject, subjectCount); ok {
		t, ok := termOf(rest, scope)
		t.Count, t.Type = true, schema.Int
		return t, ok
	}
	if f, ok := scope.Lookup(subject); ok {
		return rule.Term{Name: f.Name, Type: f.Type, Named: &f}, true
	}
	if f, ok := schema.Lookup(subject); ok {
		return rule.Term{Name: f.Name, Type: f.Type}, true
	}
	v, name, ok := strings.Cut(subject, ".")
	if !ok {
		return rule.Term{}, false
	}
	for _, f := range schema.LineFields() {
		if f.Name == name {
			return rule.Term{Name: name, Line: v, Type: f.Type}, true
		}
	}
	return rule.Term{}, false
}

// write is the text of the test a form holds. What no longer fits after another subject was
// chosen gets a beginning that does.
func (f TestForm) write(e *editing, at string, root rule.Part, path string) (string, error) {
	p := rule.Part{Kind: rule.PartTest, Op: f.Op}
	_, scope := ScopeAt(e.Doc, at)
	var ok bool
	switch {
	case f.Subject == SubjectVelocity:
		v := &rule.VelocityText{Event: f.Event, By: f.By, Within: f.Within}
		if v.Event == "" {
			v.Event = schema.VelocityEvents()[0]
		}
		if v.By == "" {
			v.By = schema.Dimensions()[0].Name
		}
		if v.Within == "" {
			v.Within = "24h"
		}
		if _, err := rule.ParseDuration(v.Within); err != nil {
			return "", unfit("%q is no length of time; write it like 90m, 24h or 7d", v.Within)
		}
		p.Left = rule.Term{Velocity: v, Type: schema.Int}
	default:
		if p.Left, ok = termOf(f.Subject, scope); !ok {
			return "", unfit("there is no field %q", f.Subject)
		}
	}
	ops := Ops(p.Left.Type)
	if !slices.Contains(ops, p.Op) {
		p.Op = ops[0]
	}
	was := root.At(path)
	same := was != nil && was.Kind == rule.PartTest && was.Left.Type == p.Left.Type
	if o := OptionsOf(p.Left); same && len(o) > 0 && was.Left.Name != p.Left.Name && (len(f.Values) == 0 || !slices.Contains(o, f.Values[0])) {
		same = false
	}
	if f.Field != "" {
		t, ok := termOf(f.Field, scope)
		if !ok {
			return "", unfit("there is no field %q", f.Field)
		}
		if t.Type == p.Left.Type && len(ops) > 2 && !strings.HasSuffix(p.Op, rule.OpIn) && (p.Left.Type != schema.String || p.Op == "==" || p.Op == "!=") {
			p.Right.Term = &t
			return p.Write()
		}
		same = false
	}
	p.Right.Values = f.Values
	if !same || len(f.Values) == 0 {
		p.Right.Values = []string{e.beginning(p.Left)}
	}
	if p.Left.Type == schema.Money {
		for i, v := range p.Right.Values {
			p.Right.Values[i] = e.inCurrency(v)
		}
	}
	if p.Left.Type == schema.String {
		vs := slices.Clone(p.Right.Values)
		for i, v := range vs {
			switch schema.Format(p.Left.Name) {
			case "country":
				var err error
				if vs[i], err = country(v); err != nil {
					return "", err
				}
			case "currency":
				vs[i] = strings.ToUpper(strings.TrimSpace(v))
			}
		}
		p.Right.Values = vs
	}
	return p.Write()
}

// inCurrency is an amount as it was typed, with the shop's currency where none was.
func (e *editing) inCurrency(v string) string {
	if v = strings.TrimSpace(v); v != "" && strings.TrimLeft(v, "+-0123456789.,' ") == "" {
		return v + " " + e.currency
	}
	return v
}

// typedMoney is an amount that a person typed, as the text holds it.
func (e *editing) typedMoney(v string) (string, error) {
	v = e.inCurrency(v)
	a, err := money.ParseTyped(v)
	if err != nil {
		return "", unfit("%s", err)
	}
	number, _, _ := strings.Cut(v, " ")
	return number + " " + a.Currency, nil
}

// optionWords are the words of a list as it is typed: between commas, or apart. One of several words is joined by dashes.
func optionWords(value string) []string {
	if !strings.ContainsAny(value, ",;\n") {
		return strings.Fields(value)
	}
	var out []string
	for w := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		if w = strings.Join(strings.Fields(w), "-"); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// country is the code of a country that was typed as its code or by its name.
func country(v string) (string, error) {
	v = strings.TrimSpace(v)
	if v == "" {
		return "", nil
	}
	if code, ok := geo.CountryCode(v); ok {
		return code, nil
	}
	return "", unfit("there is no country %q; write its two letters, like DE", v)
}

// OptionsOf are the texts that a term may be; nil when it may be any.
func OptionsOf(t rule.Term) []string {
	switch {
	case t.Named != nil:
		return t.Named.Options
	case t.Line != "" || t.Count || t.Velocity != nil:
		return nil
	}
	return schema.Options(t.Name)
}

// beginning is the value that a new test compares with.
func (e *editing) beginning(t rule.Term) string {
	switch t.Type {
	case schema.Money:
		return "100 " + e.currency
	case schema.Int:
		return "1"
	case schema.Duration:
		return "3d"
	case schema.Time:
		return "2026-01-01T00:00:00Z"
	}
	if o := OptionsOf(t); len(o) > 0 {
		return o[0]
	}
	return ""
}
