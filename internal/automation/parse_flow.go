package automation

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// defaultCall is how long a call waits for its answer when the text does not say.
const defaultCall = 10 * time.Minute

// flow reads the steps that decide, repeat, name or wait.
func (d *doc) flow(a *Automation, k Kind, m *mapping, p *place) Action {
	switch k {
	case KindIf:
		x := If{}
		x.When, x.Cond = d.condition(a, m, "if", a.On, p.scope, true)
		x.Then = d.inside(a, m, "then", p)
		if m.at("else") != nil {
			x.Else = d.inside(a, m, "else", p)
		}
		return x
	case KindForEach:
		return d.forEach(a, m, p)
	case KindSet:
		return d.set(a, m, p)
	case KindWait:
		return Wait{For: d.span(m, "for", true)}
	case KindWaitFor:
		return d.waitFor(a, m, p)
	case KindAsk:
		return d.ask(a, m, p)
	case KindCall:
		return d.call(a, m, p)
	default:
		return Stop{}
	}
}

// condition reads and compiles a condition under a key.
func (d *doc) condition(a *Automation, m *mapping, key, event string, scope rule.Scope, must bool) (string, *rule.Condition) {
	s, ok := d.text(m, key)
	if strings.TrimSpace(s) == "" {
		if must && (ok || m.at(key) == nil || isNull(m.at(key))) {
			d.required(m, key)
		}
		return "", nil
	}
	c, err := rule.CompileIn(s, event, scope)
	if err != nil {
		d.compileProblems(m.at(key), s, err)
		return s, c
	}
	d.compared(a, m.at(key), s)
	return s, c
}

// compileProblems adds the problems of a text of the rule language where they stand in the file.
func (d *doc) compileProblems(n node, text string, err error) {
	for _, p := range problemsOf("", err) {
		if p.Pointer == "" {
			d.add(n, "%s", p.Message)
			continue
		}
		d.addAt(d.within(n, text, p.Pointer), p.Message)
	}
}

func (d *doc) forEach(a *Automation, m *mapping, p *place) Action {
	if s := d.required(m, "for_each"); s != "" && s != "order.lines" {
		d.add(m.at("for_each"), "for_each goes through order.lines, got %q", s)
	}
	if p.loop {
		d.add(m.at("for_each"), "for_each cannot stand inside another for_each")
	}
	in := *p
	in.loop = true
	in.scope = slices.Clip(p.scope)
	x := ForEach{As: d.variable(m, "as", &in, true)}
	if x.As != "" {
		in.scope = append(in.scope, lineFields(x.As)...)
	}
	x.When, x.Cond = d.condition(a, m, "when", a.On, in.scope, false)
	x.Do = d.inside(a, m, "do", &in)
	return x
}

func (d *doc) set(a *Automation, m *mapping, p *place) Action {
	x := Assign{Name: d.variable(m, "name", p, true)}
	s, ok := d.text(m, "value")
	if !ok {
		d.required(m, "value")
		return x
	}
	v, err := rule.CompileValue(s, a.On, p.scope)
	if err != nil {
		d.compileProblems(m.at("value"), s, err)
		return x
	}
	x.Value = v
	f := valueField(x.Name, v.Type())
	f.Personal = v.Personal()
	p.add(f)
	return x
}

func (d *doc) waitFor(a *Automation, m *mapping, p *place) Action {
	x := WaitFor{Event: d.required(m, "event"), For: d.span(m, "for", true)}
	ours, theirs := schema.IsOrderEvent(a.On), schema.IsOrderEvent(x.Event)
	known := schema.KnownEvent(x.Event) && !slices.Contains([]string{OnSchedule, OnAbsence, "day.ended"}, x.Event)
	if x.Event != "" && !known {
		types := awaitable()
		d.add(m.at("event"), "there is no event type %q to wait for%s", x.Event, meantOr(x.Event, types, "the types are"))
	}
	x.Same = SameSubject
	if ours {
		x.Same = SameOrder
	}
	if s, ok := d.text(m, "same"); ok {
		x.Same = s
	}
	if known {
		d.correlation(a, m, x, ours, theirs)
		x.When, x.Cond = d.condition(a, m, "when", x.Event, p.scope, false)
		if x.Cond != nil && len(x.Cond.Velocities()) > 0 {
			d.add(m.at("when"), "velocity is not known while waiting; name it by a set step before")
		}
	}
	x.HasElse = m.at("else") != nil
	if x.HasElse {
		x.Else = d.inside(a, m, "else", p)
	}
	return x
}

// AwaitedEvents are the event types that a run may wait for.
func AwaitedEvents() []string { return awaitable() }

// awaitable are the event types that a run may wait for.
func awaitable() []string {
	return slices.DeleteFunc(schema.Events(), func(t string) bool { return t == OnSchedule || t == OnAbsence || t == "day.ended" })
}

// correlation refuses an awaited event that could have nothing in common with the trigger.
func (d *doc) correlation(a *Automation, m *mapping, x WaitFor, ours, theirs bool) {
	at := m.at("same")
	if at == nil {
		at = m.at("event")
	}
	stocks := strings.HasPrefix(a.On, "stock.") && strings.HasPrefix(x.Event, "stock.")
	switch x.Same {
	case SameOrder, SameCustomer:
		switch {
		case !ours:
			d.add(at, "%s has no order that %s could be about", triggerName(a), x.Event)
		case !theirs:
			d.add(at, "%s is not about an order; the types are %s", x.Event, strings.Join(orderTriggers(), ", "))
		}
	case SameTask:
		if !strings.HasPrefix(x.Event, "task.") {
			d.add(at, "%s is not about a task", x.Event)
		} else if !d.tasks {
			d.add(at, "no step before opens a task")
		}
	case SameSubject:
		if !stocks {
			d.add(at, "%s and %s have no SKU in common", triggerName(a), x.Event)
		}
	default:
		d.add(at, "the event has in common the order, customer, task or subject, got %q", x.Same)
	}
}

func (d *doc) ask(a *Automation, m *mapping, p *place) Action {
	x := Ask{Queue: d.word(m, "queue"), Title: d.required(m, "title"), SLA: d.sla(m), As: d.variable(m, "as", p, false)}
	if m.at("options") == nil {
		d.required(m, "options")
	}
	x.Options = d.options(m)
	x.HasElse = m.at("else") != nil
	if x.HasElse {
		x.Else = d.inside(a, m, "else", p)
	}
	if x.As != "" {
		p.add(answerField(x.As, x.Title, x.Options))
	}
	d.tasks = true
	return x
}

// resultTypes are the types that a field of an answer may have.
var resultTypes = []string{"string", "int", "bool", "money", "time"}

func (d *doc) call(a *Automation, m *mapping, p *place) Action {
	x := Call{Connection: d.word(m, "connection"), Purpose: d.purpose(a, m), For: defaultCall, As: d.variable(m, "as", p, true)}
	if m.at("for") != nil {
		x.For = d.span(m, "for", true)
	}
	if r := d.mapping(m, "returns"); r != nil {
		for _, name := range r.names {
			s, ok := d.scalar(r.at(name))
			switch {
			case !variableText.MatchString(name) || name == "status":
				d.add(r.keyAt[name], "a field is lower-case letters, digits and underscores, and not status, got %q", name)
			case !ok || !slices.Contains(resultTypes, s):
				d.add(r.at(name), "the type of %s is one of %s", name, strings.Join(resultTypes, ", "))
			default:
				x.Returns = append(x.Returns, Result{Name: name, Type: schema.Type(s)})
			}
		}
		if len(r.names) > 20 {
			d.add(m.at("returns"), "at most 20 fields can be taken from an answer")
		}
	}
	x.HasElse = m.at("else") != nil
	if x.HasElse {
		x.Else = d.inside(a, m, "else", p)
	}
	if x.As != "" {
		p.add(callField(x.As, "status", x.Connection, schema.Int))
		for _, r := range x.Returns {
			p.add(callField(x.As, r.Name, x.Connection, r.Type))
		}
	}
	return x
}

// add makes a value known to the steps that follow.
func (p *place) add(f schema.Field) {
	if f.Name != "" {
		p.scope = append(slices.Clip(p.scope), f)
	}
}

var variableText = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// taken are words of the rule language that cannot be names.
var taken = []string{"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}

// variable reads the name of a value.
func (d *doc) variable(m *mapping, key string, p *place, must bool) string {
	if !must {
		if _, ok := d.text(m, key); !ok {
			return ""
		}
	}
	s := d.required(m, key)
	if s == "" {
		return ""
	}
	group := func(name string) bool { first, _, _ := strings.Cut(name, "."); return first == s }
	switch {
	case !variableText.MatchString(s):
		d.add(m.at(key), "a name is lower-case letters, digits and underscores, like risk_score, got %q", s)
	case slices.Contains(taken, s) || slices.Contains(rule.Functions(), s):
		d.add(m.at(key), "%s is a word of the language; choose another name", s)
	case slices.ContainsFunc(schema.Fields(""), func(f schema.Field) bool { return group(f.Name) }):
		d.add(m.at(key), "fields begin with %s; choose another name", s)
	case slices.ContainsFunc(p.scope, func(f schema.Field) bool { return group(f.Name) }):
		d.add(m.at(key), "the name %s is taken by a step before; choose another", s)
	default:
		return s
	}
	return ""
}
