package automation

import (
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// Expectations are the words for what a test may expect, the usual one first.
func Expectations() []string { return []string{"fires", "does not fire", "unknown"} }

// ExpectationOf is the word for an outcome.
func ExpectationOf(o rule.Outcome) string {
	for _, w := range Expectations() {
		if expectations[w] == o {
			return w
		}
	}
	return ""
}

// example changes an example beside the rule.
func (c Change) example(e *editing) (string, error) {
	if c.Do == "example-add" {
		return e.addExample()
	}
	parts := strings.Split(c.At, "/")
	if len(parts) < 2 || parts[0] != "tests" || e.At(parts[0]+"/"+parts[1]) == nil || len(parts) > 2 && e.At(c.At) == nil {
		return "", unfit("the example is not there any more")
	}
	switch c.Do {
	case "example-remove":
		return e.pruned(c.At)
	case "example-value":
		return e.exampleValue(c.At, strings.TrimSpace(c.Value))
	case "example-give":
		return e.give(c.At, c.Value)
	case "example-expect", "example-accept":
		return c.expect(e)
	}
	return "", unfit("there is no change %q", c.Do)
}

// then makes a change on the text that another one made.
func (e *editing) then(text string, err error, change func() (string, error)) (string, error) {
	if err != nil {
		return "", err
	}
	if e.Doc, err = yamltext.Parse(text); err != nil {
		return "", err
	}
	return change()
}

// pruned is the text without an entry, and without what would be empty then.
func (e *editing) pruned(path string) (string, error) {
	for {
		i := strings.LastIndexByte(path, '/')
		if i < 0 || len(e.At(path[:i]).Entries) > 1 {
			return e.Delete(path)
		}
		path = path[:i]
	}
}

// exampleValue writes a value of an example; the empty one takes it out, so that it is not known.
func (e *editing) exampleValue(path, value string) (string, error) {
	n := e.At(path)
	switch {
	case n.Kind == yamltext.Map:
		return "", unfit("a value is changed, not what holds several")
	case value == "":
		return e.pruned(path)
	case n.Kind == yamltext.List:
		var words []string
		for _, w := range strings.Split(value, ",") {
			if w = strings.TrimSpace(w); w != "" {
				words = append(words, yamltext.Quote(w, true))
			}
		}
		return e.Replace(path, "["+strings.Join(words, ", ")+"]")
	case n.Kind == yamltext.Null:
		return e.Replace(path, yamltext.Quote(value, true))
	}
	return e.SetText(path, value)
}

// give adds a fact to an example, with a value for which the part of the condition that looks at it is true.
func (e *editing) give(path, fact string) (string, error) {
	value, ok := e.exampleOf(fact)
	if !ok {
		return "", unfit("there is no field %q to give a value", fact)
	}
	given := yamltext.Join(path, "given")
	if e.At(given) == nil {
		text, err := e.Put(path, "given", "{}", "name", "event", "order")
		return e.then(text, err, func() (string, error) { return e.Put(given, fact, value) })
	}
	return e.Put(given, fact, value)
}

// exampleOf is a value for a fact, written on one line.
func (e *editing) exampleOf(fact string) (string, bool) {
	typ, isCount := schema.Int, false
	for _, name := range counts(e.condition()) {
		isCount = isCount || name == fact
	}
	if !isCount {
		f, ok := schema.Lookup(fact)
		if !ok || f.Type == schema.Lines {
			return "", false
		}
		typ = f.Type
	}
	value := ""
	eachTest(e.condition(), func(p *rule.Part) {
		if v, ok := p.Near(true); ok && value == "" && FactOf(p.Left) == fact && !p.Left.Count {
			value = v
		}
	})
	if value == "" {
		switch value = e.beginning(rule.Term{Name: fact, Type: typ}); {
		case typ == schema.Bool:
			value = "true"
		case value == "":
			value = "other"
		}
	}
	if typ == schema.Strings {
		return "[" + yamltext.Quote(value, true) + "]", true
	}
	return yamltext.Quote(value, true), true
}

// FactOf is the name of what a term looks at, as examples give it a value; "" of a line.
func FactOf(t rule.Term) string {
	switch {
	case t.Velocity != nil:
		return t.Velocity.String()
	case t.Line != "":
		return ""
	}
	return t.Name
}

// eachTest visits the tests of a condition, but not those of single lines.
func eachTest(src string, visit func(p *rule.Part)) {
	var walk func(p *rule.Part)
	walk = func(p *rule.Part) {
		if p.Kind == rule.PartTest {
			visit(p)
		}
		if p.Kind == rule.PartAll || p.Kind == rule.PartAny {
			for i := range p.Parts {
				walk(&p.Parts[i])
			}
		}
	}
	root := rule.Outline(src)
	walk(&root)
}

// Asked are the facts that a condition looks at, for which an example may give a value.
func Asked(src string) []string {
	var out []string
	add := func(t *rule.Term) {
		if t == nil {
			return
		}
		if f := FactOf(*t); f != "" && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	eachTest(src, func(p *rule.Part) {
		add(&p.Left)
		add(p.Right.Term)
	})
	return out
}

func (e *editing) condition() string {
	if n := e.At("when"); n != nil {
		return n.Value
	}
	return ""
}

// addExample adds an example for which every part of the condition is true.
func (e *editing) addExample() (string, error) {
	list := e.At("tests")
	names := map[string]bool{}
	if list != nil {
		for i := range list.Entries {
			if n := e.At(yamltext.Join("tests", strconv.Itoa(i), "name")); n != nil {
				names[n.Value] = true
			}
		}
	}
	n := 1
	for names["example "+strconv.Itoa(n)] {
		n++
	}
	var given []string
	for _, fact := range Asked(e.condition()) {
		if v, ok := e.exampleOf(fact); ok {
			given = append(given, yamltext.QuoteKey(fact)+": "+v)
		}
	}
	item := []string{"name: example " + strconv.Itoa(n)}
	if len(given) > 0 {
		item = append(item, "given: { "+strings.Join(given, ", ")+" }")
	}
	item = append(item, "expect: fires")
	if list == nil || list.Kind != yamltext.List || len(list.Entries) == 0 {
		return e.Put("", "tests", "[ { "+strings.Join(item, ", ")+" } ]", after("tests")...)
	}
	out, err := e.Insert("tests", len(list.Entries), strings.Join(item, "\n"))
	if err == yamltext.ErrText {
		out, err = e.Insert("tests", len(list.Entries), "{ "+strings.Join(item, ", ")+" }")
	}
	return out, err
}

// expect writes what an example expects. What it should do then is only kept where it still can be.
func (c Change) expect(e *editing) (string, error) {
	if !slices.Contains(Expectations(), c.Value) {
		return "", unfit("an example expects one of %s", strings.Join(Expectations(), ", "))
	}
	text, err := e.Put(c.At, "expect", c.Value, "name", "event", "order", "given", "stock", "at")
	does := yamltext.Join(c.At, "does")
	return e.then(text, err, func() (string, error) {
		switch {
		case e.At(does) == nil:
			return e.Text, nil
		case c.Value != "fires":
			return e.Delete(does)
		case c.Do == "example-accept" && len(c.Test.Values) > 0:
			var did []string
			for _, v := range c.Test.Values {
				did = append(did, yamltext.Quote(v, true))
			}
			return e.Replace(does, "["+strings.Join(did, ", ")+"]")
		}
		return e.Text, nil
	})
}
