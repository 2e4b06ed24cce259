package automation

import (
	"maps"
	"slices"
	"strings"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// Place names a setting where it is filled in without the editor: limits/per_hour, do/0/queue, when, or
// when#1 for the second part of the condition, when/within for how long a count looks back.
func (s Setting) Place() string {
	place := s.At
	if s.Part != "" {
		place += "#" + s.Part
	}
	if last := s.Arg + s.Of; last != "" {
		place += "/" + last
	}
	return place
}

// Set is the change that gives the setting a value. A part of a condition takes a value, like "900 EUR", or
// a condition in its place.
func (s Setting) Set(text, v string) Change {
	switch {
	case s.Arg != "":
		return Change{Do: "arg", At: s.At, Arg: s.Arg, Value: v}
	case !s.InPart:
		return Change{Do: "set", At: s.At, Value: v}
	}
	asText := Change{Do: "part-text", At: s.At, Part: s.Part, Value: v}
	d, err := yamltext.Parse(text)
	if err != nil {
		return asText
	}
	p := s.PartIn(d)
	if root := rule.Outline(v); p == nil || p.Kind != rule.PartTest || root.Kind != rule.PartText && s.Of == "" {
		return asText
	}
	form := FormOf(p)
	switch {
	case s.Of == OfBy:
		form.By = v
	case s.Of == OfWithin:
		form.Within = v
	case p.Op == rule.OpIn || p.Op == rule.Negate(rule.OpIn):
		form.Values = nil
		for _, w := range strings.Split(v, ",") {
			form.Values = append(form.Values, strings.TrimSpace(w))
		}
	default:
		form.Values = []string{v}
	}
	c := Change{Do: "part-test", At: s.At, Part: s.Part, Test: form}
	if _, err := c.Apply(text, ""); err != nil && strings.ContainsAny(v, "()<>=") { // a condition that is misspelt: its problem says more
		return asText
	}
	return c
}

// Fill writes the template's automation for an owner, as a draft, under a name of
// its own when one is given, with values by place. It reports every value that
// does not fit under its place, and returns a text that is valid.
func (t *Template) Fill(name, owner string, values map[string]string) (string, error) {
	const opName = "automation.Fill"
	var ps []fault.Problem
	bad := func(place string, err error) {
		for _, p := range problemsOf("", err) {
			ps = append(ps, fault.Problem{Pointer: place, Message: p.Message})
		}
	}
	if !address(owner) {
		ps = append(ps, fault.Problem{Pointer: "owner", Message: "must be a mail address: who is told when something is wrong with it, and who decides about it"})
	}
	text := t.Begin(owner, Names{})
	set := func(place string, c Change) {
		next, err := t.Apply(c, text, "")
		if err == nil {
			_, err = Parse(t.Name+".yaml", []byte(next))
		}
		if err != nil {
			bad(place, err)
			return
		}
		text = next
	}
	if name != "" {
		set("name", Change{Do: "set", At: "automation", Value: name})
	}
	var places []string
	for _, s := range t.Settings {
		places = append(places, s.Place())
		v, given := values[s.Place()]
		switch {
		case !given:
		case strings.TrimSpace(v) == "":
			ps = append(ps, fault.Problem{Pointer: s.Place(), Message: "must not be empty"})
		default:
			set(s.Place(), s.Set(text, v))
		}
	}
	for _, place := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(places, place) {
			ps = append(ps, fault.Problem{Pointer: place, Message: "is no setting of " + t.Name + didYouMean(place, places) + "; its settings are " + strings.Join(places, ", ")})
		}
	}
	return text, fault.Problems(opName, ps)
}

// TemplateNamed returns the template of a name, or an error that names the nearest one.
func TemplateNamed(ts []*Template, name string) (*Template, error) {
	var names []string
	for _, t := range ts {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	if near := schema.Nearest(name, names); near != "" {
		return nil, fault.New(fault.NotFound, "automation.TemplateNamed", "there is no template %q; did you mean %s?", name, near)
	}
	return nil, fault.New(fault.NotFound, "automation.TemplateNamed", "there is no template %q; orderly templates list names them", name)
}
