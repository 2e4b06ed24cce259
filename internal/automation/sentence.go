package automation

import (
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// Sentence says in plain words what a text amounts to. What is missing yet is said as "…".
func Sentence(d *yamltext.Doc) string {
	var b strings.Builder
	b.WriteString(TriggerPhrase(d))
	if n := d.At("when"); n != nil && strings.TrimSpace(n.Value) != "" {
		root := rule.Outline(n.Value)
		b.WriteString(" and " + Phrase(&root, n.Value))
	}
	b.WriteString(", " + stepsPhrase(d, "do"))
	if !strings.HasSuffix(b.String(), "…") {
		b.WriteByte('.')
	}
	return strings.ToUpper(b.String()[:1]) + b.String()[1:]
}

func value(d *yamltext.Doc, path string) string {
	if n := d.At(path); n != nil && n.Value != "" {
		return n.Value
	}
	return "…"
}

// TriggerPhrase is what sets an automation off, as its sentence begins.
func TriggerPhrase(d *yamltext.Doc) string {
	n := d.At("on")
	switch {
	case n == nil || n.Kind == yamltext.Null:
		return "when …"
	case n.Kind == yamltext.Map:
		return "when " + schema.EventLabel(value(d, "on/after")) + " and it does not happen within " + value(d, "on/within") + " that " + schema.EventLabel(value(d, "on/absence_of"))
	case n.Value == "schedule":
		s := "at the times " + value(d, "schedule/cron")
		if words := TimesWords(value(d, "schedule/cron")); words != "" {
			s = words
		}
		if z := d.At("schedule/zone"); z != nil {
			s += " in " + z.Value
		}
		return s
	}
	return "when " + schema.EventLabel(n.Value)
}

// OpLabel is an operator in the words of a sentence.
func OpLabel(op string, t schema.Type) string {
	switch t {
	case schema.Time:
		if l, ok := map[string]string{">": "is after", ">=": "is at or after", "<": "is before", "<=": "is at or before"}[op]; ok {
			return l
		}
	case schema.Money, schema.Duration:
		if op == "<" {
			return "is below"
		}
	}
	return opLabels[op]
}

var opLabels = map[string]string{
	"==": "is", "!=": "is not", ">": "is above", ">=": "is at least", "<": "is below", "<=": "is at most",
	rule.OpIs: "is true", "!" + rule.OpIs: "is not true", rule.OpIn: "is one of", "!" + rule.OpIn: "is none of",
	rule.OpHas: "include", "!" + rule.OpHas: "do not include", rule.OpStarts: "begins with", "!" + rule.OpStarts: "does not begin with",
	rule.OpEnds: "ends with", "!" + rule.OpEnds: "does not end with", rule.OpContains: "contains", "!" + rule.OpContains: "does not contain",
	rule.OpMatches: "fits the pattern", "!" + rule.OpMatches: "does not fit the pattern",
}

// Phrase says a part of a condition in plain words.
func Phrase(p *rule.Part, src string) string {
	switch p.Kind {
	case rule.PartAlways:
		return "always"
	case rule.PartTest:
		return testPhrase(p)
	case rule.PartLines:
		quant := map[string]string{
			rule.OpExists: "for some line ", rule.OpEvery: "for every line ", rule.OpExactlyOne: "for exactly one line ",
			"!" + rule.OpExists: "for no line ", "!" + rule.OpEvery: "not for every line ", "!" + rule.OpExactlyOne: "not for exactly one line ",
		}
		op := p.Op
		if p.Not {
			op = "!" + op
		}
		return quant[op] + Phrase(&p.Parts[0], src)
	case rule.PartText:
		return "“" + strings.Join(strings.Fields(p.Source(src)), " ") + "”"
	}
	word := " and "
	if p.Kind == rule.PartAny {
		word = " or "
	}
	var in []string
	for i := range p.Parts {
		c := &p.Parts[i]
		s := Phrase(c, src)
		if (c.Kind == rule.PartAll || c.Kind == rule.PartAny) && !c.Not {
			s = "(" + s + ")"
		}
		in = append(in, s)
	}
	s := strings.Join(in, word)
	if len(in) > 2 {
		s = strings.Join(in[:len(in)-1], ", ") + word + in[len(in)-1]
	}
	if p.Not {
		s = "not (" + s + ")"
	}
	return s
}

func termPhrase(t rule.Term) string {
	switch {
	case t.Named != nil:
		return "the " + labelOf(t)
	case t.Velocity != nil:
		by := t.Velocity.By
		for _, d := range schema.Dimensions() {
			if d.Name == by {
				by = d.Doc
			}
		}
		return "the number of earlier " + by + " within " + t.Velocity.Within
	case t.Count:
		return "the number of " + strings.TrimPrefix(strings.TrimPrefix(schema.Label(t.Name), "number of "), "order ")
	case t.Line != "":
		return the("line."+t.Name, t.Type)
	}
	return the(t.Name, t.Type)
}

// the is a field with its article; of what is counted, the number.
func the(name string, t schema.Type) string {
	label := schema.Label(name)
	if t != schema.Int || !slices.Contains(counted, name) {
		return "the " + label
	}
	if strings.HasPrefix(label, "customer's") {
		label = "the " + label
	}
	return "the number of " + label
}

// counted are the numbers whose labels are plurals.
var counted = []string{
	"order.units", "order.missing_units", "order.parcels", "customer.orders", "customer.cancelled", "customer.returns", "stock.available", "returned.units", "line.available",
}

// labelOf is what a term is called, without its article.
func labelOf(t rule.Term) string {
	switch {
	case t.Named != nil && t.Named.Words != "":
		return t.Named.Words
	case t.Line != "":
		return schema.Label("line." + t.Name)
	}
	return schema.Label(t.Name)
}

func testPhrase(p *rule.Part) string {
	s := termPhrase(p.Left)
	if p.Left.Type == schema.Bool {
		clause := labelOf(p.Left)
		if p.Left.Named != nil {
			clause = "the " + clause + " is true"
		} else if p.Left.Line != "" {
			clause = "it " + clause
		}
		if p.Op == rule.OpIs {
			return clause
		}
		return "not: " + clause
	}
	s += " " + OpLabel(p.Op, p.Left.Type) + " "
	if p.Right.Term != nil {
		return s + termPhrase(*p.Right.Term)
	}
	var vs []string
	for _, v := range p.Right.Values {
		switch p.Left.Type {
		case schema.Duration:
			v = rule.DurationShown(v)
		case schema.String, schema.Strings:
			if v == "" {
				v = "empty"
			}
		}
		if a, err := money.ParseText(v); p.Left.Type == schema.Money && err == nil {
			v = a.Plain()
		}
		vs = append(vs, v)
	}
	if p.Op == rule.OpIn && len(vs) == 1 || p.Op == "!"+rule.OpIn && len(vs) == 1 {
		s = strings.NewReplacer(" is one of ", " is ", " is none of ", " is not ").Replace(s)
	}
	return s + strings.Join(vs, ", ")
}

// stepsPhrase says a list of steps.
func stepsPhrase(d *yamltext.Doc, path string) string {
	l := d.At(path)
	if l == nil || l.Kind != yamltext.List || len(l.Entries) == 0 {
		return "do …"
	}
	var out []string
	for i := range l.Entries {
		at := yamltext.Join(path, strconv.Itoa(i))
		text := StepPhrase(d, at)
		if s, _ := StepOf(d, at); (s.Kind == KindIf || s.Kind == KindForEach) && i+1 < len(l.Entries) {
			text = "(" + text + ")" // what follows is done in any case
		}
		out = append(out, text)
	}
	return strings.Join(out, ", then ")
}

// StepPhrase says a step in plain words.
func StepPhrase(d *yamltext.Doc, path string) string {
	s, ok := StepOf(d, path)
	if !ok {
		return "…"
	}
	arg := func(name string) string {
		if n := s.Value(d, name); n != nil && n.Value != "" {
			return n.Value
		}
		return "…"
	}
	has := func(name string) bool { return s.Value(d, name) != nil }
	cond := func(name string) string {
		n := s.Value(d, name)
		if n == nil {
			return "…"
		}
		_, scope := ScopeAt(d, s.ArgPath(name))
		root := rule.OutlineIn(n.Value, scope)
		return Phrase(&root, n.Value)
	}
	steps := func(name string) string { return stepsPhrase(d, s.ArgPath(name)) }
	late := func(text, when string) string { // what is done instead; what follows is done in any case
		if has("else") {
			return text + " (" + when + ": " + steps("else") + ")"
		}
		return text
	}
	switch s.Kind {
	case KindHold:
		return "hold the order for " + arg("queue") + " (" + arg("reason") + ")"
	case KindRelease:
		return "release the order"
	case KindTag:
		return "tag the order " + arg("tag")
	case KindMessage:
		return "send " + arg("template") + " to " + toPhrase(arg("to"))
	case KindTask:
		return "ask " + arg("queue") + " to do: " + arg("title")
	case KindWebhook:
		return "tell " + arg("connection")
	case KindPrefer:
		return "prefer to ship from " + arg("location")
	case KindExclude:
		return "do not ship from " + arg("location")
	case KindReport:
		return "send the " + arg("kind") + " report to " + toPhrase(arg("to"))
	case KindCancel:
		return "cancel the order (" + arg("reason") + ")"
	case KindRefund:
		if has("amount") {
			return "have " + arg("amount") + " given back (" + arg("reason") + ")"
		}
		return "have the money given back (" + arg("reason") + ")"
	case KindEscalate:
		return "hand the task on to " + arg("to")
	case KindIf:
		text := "if " + cond("if") + ": " + steps("then")
		if has("else") {
			text += "; otherwise " + steps("else")
		}
		return text
	case KindForEach:
		if has("when") {
			return "for each line where " + cond("when") + ": " + steps("do")
		}
		return "for each line: " + steps("do")
	case KindSet:
		return "call " + arg("value") + " “" + arg("name") + "”"
	case KindWait:
		return "wait " + arg("for")
	case KindWaitFor:
		text := "wait up to " + arg("for") + " until " + schema.EventLabel(arg("event"))
		if has("when") {
			text += " and " + cond("when")
		}
		return late(text, "when that does not come")
	case KindAsk:
		text := "ask " + arg("queue") + " “" + arg("title") + "”"
		if has("sla") {
			text += " and wait " + arg("sla") + " for the answer"
		}
		return late(text, "without one")
	case KindCall:
		wait := "10m" // see Call.For
		if has("for") {
			wait = arg("for")
		}
		return late("ask "+arg("connection")+" and wait "+wait+" for its answer", "without one")
	case KindStop:
		return "stop"
	}
	return strings.TrimSuffix(specs[s.Kind].Doc, ".")
}

func toPhrase(to string) string {
	switch to {
	case ToCustomer:
		return "the customer"
	case "owner":
		return "the owner"
	}
	return to
}
