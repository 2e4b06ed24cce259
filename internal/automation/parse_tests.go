package automation

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"

	"github.com/goccy/go-yaml/ast"
)

// maxTests of one automation.
const maxTests = 50

var testKeys = []string{"name", "event", "order", "given", "stock", "at", "expect", "does"}

// expectations are the words for what must come of a condition.
var expectations = map[string]rule.Outcome{"fires": rule.True, "does not fire": rule.False, "unknown": rule.Unknown}

// tests reads the examples beside the rule. It comes after when, as they are checked against the condition.
func (d *doc) tests(a *Automation, root *mapping) {
	if root.at("tests") == nil {
		return
	}
	list := d.list(root, "tests")
	if len(list) > maxTests {
		d.add(root.at("tests"), "tests has %d items; the limit is %d", len(list), maxTests)
		return
	}
	names := map[string]bool{}
	for _, n := range list {
		m := d.asMapping(n)
		if m == nil {
			d.add(n, "a test is written as keys and values: %s", strings.Join(testKeys, ", "))
			continue
		}
		t := d.test(a, m)
		if t.Name != "" && names[t.Name] {
			d.add(m.at("name"), "two tests have the name %q", t.Name)
		}
		names[t.Name] = true
		a.Tests = append(a.Tests, t)
	}
}

func (d *doc) test(a *Automation, m *mapping) Test {
	d.keys(m, "a test", testKeys...)
	t := Test{Name: d.required(m, "name"), At: testNoon}
	t.Line, _ = d.pos(m.node)
	if s := d.required(m, "expect"); s != "" {
		var ok bool
		if t.Expect, ok = expectations[s]; !ok {
			d.add(m.at("expect"), "expect is fires, does not fire or unknown, got %q", s)
		}
	}
	if s, ok := d.text(m, "at"); ok {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			d.add(m.at("at"), "must be a time like 2026-01-31T12:00:00Z, got %q", s)
		}
		t.At = at.UTC()
	}
	d.testEvent(a, m, &t)
	t.Given = d.given(a, m)
	if s := d.mapping(m, "stock"); s != nil {
		t.Stock = map[string]int64{}
		for _, sku := range s.names {
			text, _ := d.scalar(s.at(sku))
			n, ok := number(text, event.MaxQty)
			if !ok {
				d.add(s.at(sku), "must be a number of units, like 5")
			}
			t.Stock[sku] = int64(n)
		}
	}
	if m.at("does") != nil {
		for _, n := range d.list(m, "does") {
			s, ok := d.scalar(n)
			if !ok || strings.TrimSpace(s) == "" {
				d.add(n, "must be a part of what it does, like tag gift")
				continue
			}
			t.Does = append(t.Does, s)
		}
		if len(t.Does) > 0 && t.Expect != rule.True {
			d.add(m.at("does"), "an automation that does not fire does nothing; leave does out")
		}
	}
	return t
}

// testEvent reads the event of a test, and the order it is about.
func (d *doc) testEvent(a *Automation, m *mapping, t *Test) {
	p, ok := event.New(a.On)
	if !ok {
		d.add(m.node, "tests of automations on %s are not possible", a.On)
		return
	}
	before := len(d.ps)
	at := d.payload(m, "event", p)
	var orderAt map[string]node
	_, placed := p.(*event.OrderPlaced)
	switch {
	case !placed && schema.IsOrderEvent(a.On):
		t.Order = &event.OrderPlaced{}
		orderAt = d.payload(m, "order", t.Order)
		Complete(t.Order)
	case m.at("order") != nil:
		d.add(m.at("order"), "order is how an earlier order came in; on %s there is none: write it under event", a.On)
	}
	if t.Order != nil {
		d.invalid(m, orderAt, t.Order.Validate())
	}
	if len(d.ps) > before {
		return
	}
	a.named(p)
	CompleteEvent(p, t.Order)
	t.Event = p
	d.invalid(m, at, p.Validate())
}

// invalid reports the problems of a payload at the places its values were read from.
func (d *doc) invalid(m *mapping, at map[string]node, ps []fault.Problem) {
	for _, p := range ps {
		n, pointer := node(nil), p.Pointer
		for n == nil && pointer != "" {
			if n = at[pointer]; n == nil {
				pointer = pointer[:max(0, strings.LastIndexByte(pointer, '/'))]
			}
		}
		if n == nil {
			n = m.node
		}
		d.add(n, "%s %s", strings.TrimPrefix(p.Pointer, "/"), p.Message)
	}
}

// payload fills p from the mapping under a key, in the form of the API, and
// returns where each value stands by its JSON pointer.
func (d *doc) payload(m *mapping, key string, p event.Payload) map[string]node {
	at := map[string]node{}
	n := m.at(key)
	if n == nil || isNull(n) {
		return at
	}
	d.value(n, reflect.ValueOf(p).Elem(), key, "", at)
	return at
}

// value sets one value of a payload.
func (d *doc) value(n node, to reflect.Value, name, pointer string, at map[string]node) {
	at[pointer] = n
	if isNull(n) {
		return
	}
	if u, ok := to.Addr().Interface().(encoding.TextUnmarshaler); ok {
		s, ok := d.scalar(n)
		if !ok {
			d.add(n, "%s must be a single value", name)
		} else if err := u.UnmarshalText([]byte(s)); err != nil {
			d.add(n, "%s: %s", name, sampleOf(to, err))
		}
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		d.structure(n, to, name, pointer, at)
	case reflect.Slice:
		s, ok := n.(*ast.SequenceNode)
		if !ok {
			d.add(n, "%s must be a list", name)
			return
		}
		to.Set(reflect.MakeSlice(to.Type(), len(s.Values), len(s.Values)))
		for i, item := range s.Values {
			d.value(item, to.Index(i), name, pointer+"/"+strconv.Itoa(i), at)
		}
	case reflect.Map:
		m := d.asMapping(n)
		if m == nil {
			d.add(n, "%s must be keys and values", name)
			return
		}
		to.Set(reflect.MakeMap(to.Type()))
		for _, k := range m.names {
			v := reflect.New(to.Type().Elem()).Elem()
			d.value(m.at(k), v, k, pointer+"/"+k, at)
			to.SetMapIndex(reflect.ValueOf(k), v)
		}
	default:
		d.leaf(n, to, name)
	}
}

func (d *doc) leaf(n node, to reflect.Value, name string) {
	s, ok := d.scalar(n)
	if !ok {
		d.add(n, "%s must be a single value", name)
		return
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			d.add(n, "%s must be true or false, got %q", name, s)
		}
		to.SetBool(b)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			d.add(n, "%s must be a whole number, got %q", name, s)
		}
		to.SetInt(i)
	default:
		d.add(n, "%s cannot be given in a test", name)
	}
}

func sampleOf(v reflect.Value, err error) string {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return "must be a time like 2026-01-31T12:00:00Z"
	}
	return err.Error()
}

func (d *doc) structure(n node, to reflect.Value, name, pointer string, at map[string]node) {
	m := d.asMapping(n)
	if m == nil {
		d.add(n, "%s must be keys and values", name)
		return
	}
	fields := map[string]reflect.Value{}
	var names []string
	for i := range to.NumField() {
		tag, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
		if tag != "" && tag != "-" {
			fields[tag] = to.Field(i)
			names = append(names, tag)
		}
	}
	for _, key := range m.names {
		if f, ok := fields[key]; ok {
			d.value(m.at(key), f, key, pointer+"/"+key, at)
			continue
		}
		d.add(m.keyAt[key], "%s has no field %s%s; its fields are %s", name, key, didYouMean(key, names), strings.Join(names, ", "))
	}
}

// given reads the facts that stand in for what the rows would say.
func (d *doc) given(a *Automation, m *mapping) rule.Map {
	g := d.mapping(m, "given")
	if g == nil {
		return nil
	}
	out := rule.Map{}
	for _, name := range g.names {
		fact, typ, ok := d.fact(a, g, name)
		if !ok {
			continue
		}
		n := g.at(name)
		if isNull(n) {
			out[fact] = nil
			continue
		}
		if v, err := d.factValue(n, typ); err != nil {
			d.add(n, "%s is %s: %s", name, typ.Noun(), err)
		} else {
			out[fact] = v
		}
	}
	return out
}

// fact finds what a name under given stands for: a field of the event, or a count that the condition asks for.
func (d *doc) fact(a *Automation, g *mapping, name string) (string, schema.Type, bool) {
	if args, ok := strings.CutPrefix(name, "velocity("); ok {
		parts := strings.Split(strings.TrimSuffix(strings.NewReplacer(`"`, "", "'", "", " ", "").Replace(args), ")"), ",")
		var known []string
		if a.Condition != nil {
			for _, v := range a.Condition.Velocities() {
				known = append(known, v.String())
				if len(parts) != 3 || parts[0] != v.Event || parts[1] != v.By {
					continue
				}
				if w, err := rule.ParseDuration(parts[2]); err == nil && w == v.Within {
					return v.Fact, schema.Int, true
				}
			}
		}
		if known == nil {
			known = []string{"no count"}
		}
		d.add(g.keyAt[name], "the condition does not ask for %s; it asks for %s", name, strings.Join(known, ", "))
		return "", "", false
	}
	f, ok := schema.Lookup(name)
	if ok && f.Available(a.On) && f.Type != schema.Lines {
		return name, f.Type, true
	}
	var names []string
	for _, f := range schema.Fields(a.On) {
		if f.Type != schema.Lines {
			names = append(names, f.Name)
		}
	}
	switch {
	case ok && f.Type == schema.Lines:
		d.add(g.keyAt[name], "the lines are part of the order: write them there, and the units there are under stock")
	case ok:
		d.add(g.keyAt[name], "%s is not known on %s", name, a.On)
	default:
		d.add(g.keyAt[name], "there is no field %s%s", name, didYouMean(name, names))
	}
	return "", "", false
}

func (d *doc) factValue(n node, typ schema.Type) (any, error) {
	if typ == schema.Strings {
		s, ok := n.(*ast.SequenceNode)
		if !ok {
			return nil, fmt.Errorf("write it as [one, two]")
		}
		out := []string{}
		for _, item := range s.Values {
			text, ok := d.scalar(item)
			if !ok {
				return nil, fmt.Errorf("write it as [one, two]")
			}
			out = append(out, text)
		}
		return out, nil
	}
	s, ok := d.scalar(n)
	if !ok || utf8.RuneCountInString(s) > maxProse {
		return nil, fmt.Errorf("write one value")
	}
	switch typ {
	case schema.Int:
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is none", s)
		}
		return v, nil
	case schema.Bool:
		if !slices.Contains([]string{"true", "false"}, s) {
			return nil, fmt.Errorf("%q is neither", s)
		}
		return s == "true", nil
	case schema.Money:
		return money.ParseText(s)
	case schema.Time:
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, fmt.Errorf("write it like 2026-01-31T12:00:00Z")
		}
		return v.UTC(), nil
	case schema.Duration:
		if s == "0" || s == "0s" {
			return time.Duration(0), nil
		}
		return rule.ParseDuration(s)
	}
	return s, nil
}
