package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// example is a test beside the rule as the builder shows it.
type example struct {
	Path, Name, Expect string
	Run                *proof.Run // nil: it could not be run, as the text has problems
	Values             []exampleValue
	Addable            []ui.Option // facts that the condition looks at and the example does not give
}

func (x example) fails() bool { return x.Run != nil && x.Run.Problem != "" }

// exampleValue is one value that an example tells.
type exampleValue struct {
	Path, Label, Value string
	fact               string // that it stands for, "" when unknown
	typ                schema.Type
	null               bool
}

// maxExamples is how many examples the builder shows; an automation may have fifty.
const maxExamples = 50

// examples reads the examples of a text and runs them.
func (c *Console) examples(r *http.Request, b *builder, a *automation.Automation) ([]example, error) {
	list := b.Doc.At("tests")
	if list == nil || list.Kind != yamltext.List {
		return nil, nil
	}
	var runs []proof.Run
	if a != nil {
		var err error
		if runs, err = c.Check.RunTests(r.Context(), a); err != nil {
			return nil, err
		}
	}
	var out []example
	for i := range min(len(list.Entries), maxExamples) {
		x := example{Path: sub("tests", i)}
		x.Name, x.Expect = b.value(x.Path+"/name"), b.value(x.Path+"/expect")
		for _, key := range []string{"event", "order", "given", "stock", "at"} {
			if n := b.Doc.At(yamltext.Join(x.Path, key)); n != nil {
				x.Values = append(x.Values, b.exampleValues(n, yamltext.Join(x.Path, key), key, nil)...)
			}
		}
		for _, fact := range automation.Asked(b.value("when")) {
			if !slices.ContainsFunc(x.Values, func(v exampleValue) bool { return v.fact == fact }) {
				x.Addable = append(x.Addable, ui.Option{Value: fact, Label: capital(automation.FactLabel(fact))})
			}
		}
		if i < len(runs) {
			x.Run = &runs[i]
		}
		out = append(out, x)
	}
	return out, nil
}

// exampleValues are the single values below a place of an example.
func (b *builder) exampleValues(n *yamltext.Node, path, part string, way []string) []exampleValue {
	lines := slices.ContainsFunc(n.Entries, func(e *yamltext.Entry) bool { return e.Value.Kind == yamltext.Map || e.Value.Kind == yamltext.List })
	if n.Kind == yamltext.Map || n.Kind == yamltext.List && lines {
		var out []exampleValue
		for i, e := range n.Entries {
			key := e.Key
			if n.Kind == yamltext.List {
				key = strconv.Itoa(i)
			}
			out = append(out, b.exampleValues(e.Value, yamltext.Join(path, key), part, append(slices.Clone(way), key))...)
		}
		return out
	}
	v := exampleValue{Path: path, Value: n.Value, null: n.Kind == yamltext.Null}
	if n.Kind == yamltext.List {
		var words []string
		for _, e := range n.Entries {
			words = append(words, e.Value.Value)
		}
		v.Value, v.typ = strings.Join(words, ", "), schema.Strings
	}
	switch name := strings.Join(way, "."); part {
	case "at":
		v.Label = "when it comes"
	case "stock":
		v.Label = "units there are of " + name
	case "given":
		v.fact = name
		v.Label = automation.FactLabel(name)
		if f, ok := schema.Lookup(name); ok {
			v.typ = f.Type
		} else if strings.HasPrefix(name, "velocity(") {
			v.typ = schema.Int
		}
	default:
		v.fact, v.Label = b.eventFact(part, way)
		if f, ok := schema.Lookup(v.fact); ok && v.typ == "" {
			v.typ = f.Type
		}
	}
	return []exampleValue{v}
}

// eventFact is the fact that a value of an event's payload stands for, with its name in plain words.
func (b *builder) eventFact(part string, way []string) (fact, label string) {
	name := strings.Join(way, ".")
	about, _, _ := strings.Cut(b.event, ".")
	if part == "order" {
		about = "order"
	}
	if way[0] == "lines" && len(way) == 3 {
		n, _ := strconv.Atoi(way[1])
		return "", schema.Label("line."+way[2]) + " of line " + strconv.Itoa(n+1)
	}
	for _, f := range []string{about + "." + strings.TrimSuffix(name, ".status"), name, about + "." + name} {
		if _, ok := schema.Lookup(f); ok {
			return f, schema.Label(f)
		}
	}
	return "", schema.Label(name)
}

// exampleHint is how a value is written.
func exampleHint(v exampleValue) string {
	switch {
	case v.null:
		return "not known"
	case v.typ == schema.Money:
		return "like 20 EUR"
	case v.typ == schema.Strings:
		return "words, separated by commas"
	case v.typ == schema.Duration:
		return "like 3d or 12h"
	}
	return ""
}

// badBelow reports whether something is wrong at a place or below it.
func (b *builder) badBelow(path string) bool {
	for at := range b.at {
		if at == path || strings.HasPrefix(at, path+"/") {
			return true
		}
	}
	return false
}

// expectLabels say what an example expects.
var expectLabels = map[string]string{"fires": "It acts", "does not fire": "It does nothing", "unknown": "It cannot tell, and does nothing"}

func expectOptions() []ui.Option {
	var out []ui.Option
	for _, w := range automation.Expectations() {
		out = append(out, ui.Option{Value: w, Label: expectLabels[w]})
	}
	return out
}

// exampleOf is an example that was run as a test.
func exampleOf(t proof.TestResult) example {
	return example{Name: t.Name, Expect: automation.ExpectationOf(t.Expect), Run: &t.Run}
}

// happened says what came of an example, in a sentence.
func (x example) happened() string {
	if x.Run.NoCase {
		return "This cannot happen: " + x.Run.Problem + "."
	}
	got := automation.ExpectationOf(x.Run.Got)
	if got != x.Expect {
		return "Expected: " + lowerFirst(expectLabels[x.Expect]) + ". What happens: " + lowerFirst(expectLabels[got]) + "."
	}
	return "It acts as expected, but it does not do “" + strings.Join(x.Run.Missing, "”, “") + "”. What it does: " + strings.Join(x.Run.Did, "; ") + "."
}

// because are the parts of the condition that made it so, with the values that they looked at.
func (x example) because() []string {
	if x.Run.NoCase || len(x.Run.Missing) > 0 {
		return nil
	}
	var out []string
	for _, n := range x.Run.Leaves {
		out = append(out, automation.Said(n)+".")
	}
	return out
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// examplesState says in a sentence that examples fail; "" when none does.
func (b *builder) examplesState() string {
	failing := 0
	for _, x := range b.Examples {
		if x.fails() {
			failing++
		}
	}
	switch {
	case failing == 0:
		return ""
	case failing == 1:
		return "One example does not come out as expected."
	}
	return strconv.Itoa(failing) + " examples do not come out as expected."
}

// accepted fills in what came of an example, for a person who accepts it as what is expected.
func (c *Console) accepted(r *http.Request, change *automation.Change, text string) error {
	if change.Do != "example-accept" {
		return nil
	}
	a, bad := automation.Parse("", []byte(text))
	if bad != nil {
		return nil //nolint:nilerr // its problems are shown; nothing can be accepted yet, and the change says so
	}
	runs, err := c.Check.RunTests(r.Context(), a)
	if err != nil {
		return err
	}
	i, bad := strconv.Atoi(strings.TrimPrefix(change.At, "tests/"))
	if bad != nil || i < 0 || i >= len(runs) || runs[i].NoCase {
		return nil //nolint:nilerr // the change refuses a place that is not there
	}
	change.Value = automation.ExpectationOf(runs[i].Got)
	if len(runs[i].Missing) > 0 {
		change.Test.Values = runs[i].Did
	}
	return nil
}
