package automation

import (
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

const ownSystem = "this automation"

// answerField is the answer of a person as a value.
func answerField(name, title string, options []string) schema.Field {
	return schema.Field{Name: name, Type: schema.String, Doc: "The answer to: " + title, System: ownSystem, Words: "answer to “" + title + "”", Options: options}
}

// valueField is a value that a step has computed.
func valueField(name string, typ schema.Type) schema.Field {
	return schema.Field{Name: name, Type: typ, Doc: "Computed by a step before.", System: ownSystem, Words: "value “" + name + "”"}
}

// callField is a field of the answer to a call.
func callField(as, field, connection string, typ schema.Type) schema.Field {
	if field == "status" {
		return schema.Field{Name: as + ".status", Type: typ, Doc: "The HTTP status of the answer.", System: ownSystem, Words: "status (HTTP) of the answer of " + connection}
	}
	return schema.Field{Name: as + "." + field, Type: typ, Doc: "From the answer of " + connection + ".", System: ownSystem, Words: strings.ReplaceAll(field, "_", " ") + " in the answer of " + connection}
}

// lineFields are the fields of a line that has a name.
func lineFields(as string) []schema.Field {
	var out []schema.Field
	for _, f := range schema.LineFields() {
		f.Words = schema.Label("line." + f.Name)
		f.Name = as + "." + f.Name
		out = append(out, f)
	}
	return out
}

// ScopeAt is what a condition that stands at a path of a text may look at: the fields of an event type, and the values
// that the steps before it have named. It reads any text, also one that is not valid yet.
func ScopeAt(d *yamltext.Doc, path string) (event string, scope rule.Scope) {
	event = eventOf(d)
	parts := strings.Split(path, "/")
	list := ""
	for i := 0; i+1 < len(parts); i++ {
		list = yamltext.Join(list, parts[i])
		at, err := strconv.Atoi(parts[i+1])
		if err != nil {
			continue
		}
		l := d.At(list)
		if l == nil || l.Kind != yamltext.List || parts[0] != "do" {
			return event, scope
		}
		for k := range min(at, len(l.Entries)) {
			if s, ok := StepOf(d, yamltext.Join(list, strconv.Itoa(k))); ok {
				scope = append(scope, s.names(d, event, scope)...)
			}
		}
		s, ok := StepOf(d, yamltext.Join(list, parts[i+1]))
		if !ok {
			return event, scope
		}
		switch s.Kind {
		case KindForEach:
			scope = append(scope, lineFields(s.text(d, "as"))...)
		case KindWaitFor:
			if strings.HasSuffix(path, s.ArgPath("when")) {
				event = s.text(d, "event")
			}
		}
	}
	return event, scope
}

// eventOf is the event type that sets a text off.
func eventOf(d *yamltext.Doc) string {
	n := d.At("on")
	switch {
	case n == nil:
		return ""
	case n.Kind == yamltext.Map:
		return OnAbsence
	case n.Value == "schedule":
		return OnSchedule
	}
	return n.Value
}

func (s StepAt) text(d *yamltext.Doc, arg string) string {
	if n := s.Value(d, arg); n != nil {
		return n.Value
	}
	return ""
}

// names are the values that a step gives a name to.
func (s StepAt) names(d *yamltext.Doc, event string, scope rule.Scope) []schema.Field {
	as := s.text(d, "as")
	switch s.Kind {
	case KindAsk:
		if as == "" {
			return nil
		}
		var options []string
		if n := s.Value(d, "options"); n != nil && n.Kind == yamltext.List {
			for _, e := range n.Entries {
				options = append(options, e.Value.Value)
			}
		}
		return []schema.Field{answerField(as, s.text(d, "title"), options)}
	case KindSet:
		name := s.text(d, "name")
		v, err := rule.CompileValue(s.text(d, "value"), event, scope)
		if err != nil || name == "" {
			return nil
		}
		return []schema.Field{valueField(name, v.Type())}
	case KindCall:
		if as == "" {
			return nil
		}
		connection := s.text(d, "connection")
		out := []schema.Field{callField(as, "status", connection, schema.Int)}
		if n := s.Value(d, "returns"); n != nil && n.Kind == yamltext.Map {
			for _, e := range n.Entries {
				if slices.Contains(resultTypes, e.Value.Value) {
					out = append(out, callField(as, e.Key, connection, schema.Type(e.Value.Value)))
				}
			}
		}
		return out
	}
	return nil
}

// freeName is a name that no step of the text has given yet.
func freeName(text, want string) string {
	taken := map[string]bool{}
	for _, m := range givenName.FindAllStringSubmatch(text, -1) {
		taken[m[1]] = true
	}
	name := want
	for n := 2; taken[name]; n++ {
		name = want + strconv.Itoa(n)
	}
	return name
}
