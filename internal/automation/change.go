package automation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// Change is one act of a person in the builder. It changes the text where it stands and leaves
// the rest, comments included, as it is.
type Change struct {
	Do    string
	At    string   // path in the text: owner, limits/per_hour, when, do/0
	Part  string   // path in the condition that stands At
	Arg   string   // argument of the step that stands At
	Value string   // what was typed or chosen
	Index int      // of a new step
	Test  TestForm // of a changed test
}

// TestForm is a test of a condition as a form holds it.
type TestForm struct {
	Subject           string // field, "l.qty", "velocity", "count order.tags"
	Op                string
	Values            []string
	Field             string // compared with this field instead of Values
	Event, By, Within string // of a velocity
}

const opChange = "automation.Change"

func unfit(format string, args ...any) error {
	return fault.New(fault.Invalid, opChange, format, args...)
}

// order is how the keys of an automation follow each other.
func after(key string) []string {
	return topKeys[:max(slices.Index(topKeys, key), 0)]
}

// Apply returns the text with the change made. Currency is the shop's, for amounts that are new.
func (c Change) Apply(text, currency string) (string, error) {
	d, err := yamltext.Parse(text)
	if err != nil || d.Root.Kind != yamltext.Map {
		return "", unfit("the builder cannot follow this text; mend the text first")
	}
	out, err := c.apply(&editing{Doc: d, currency: currency})
	if err == yamltext.ErrText {
		return "", unfit("the builder cannot make this change without disturbing what stands around it; make it in the text")
	}
	return out, err
}

type editing struct {
	*yamltext.Doc
	currency string
}

func (c Change) apply(e *editing) (string, error) {
	switch c.Do {
	case "set":
		return e.set(c.At, c.Value)
	case "on":
		return e.trigger(c.Value)
	case "arg":
		return e.arg(c.At, c.Arg, c.Value)
	case "step-add":
		return e.addStep(c.At, c.Index, Kind(c.Value))
	case "step-remove":
		return e.removeStep(c.At)
	case "step-up", "step-down":
		list, i := parentOf(c.At)
		to := i + 1
		if c.Do == "step-up" {
			to = i - 1
		}
		return e.Move(list, i, to)
	}
	if strings.HasPrefix(c.Do, "part-") {
		return c.condition(e)
	}
	if strings.HasPrefix(c.Do, "example-") {
		return c.example(e)
	}
	return "", unfit("there is no change %q", c.Do)
}

func parentOf(path string) (string, int) {
	cut := strings.LastIndexByte(path, '/')
	i, err := strconv.Atoi(path[cut+1:])
	if err != nil {
		return "", -1
	}
	return path[:max(cut, 0)], i
}

// set makes the value of a key of the automation another one; the empty value removes the key.
func (e *editing) set(path, value string) (string, error) {
	group, key := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		group, key = path[:i], path[i+1:]
	}
	if path == "limits/money_per_day" && value != "" {
		var err error
		if value, err = e.typedMoney(value); err != nil {
			return "", err
		}
	}
	if value != "" {
		var err error
		switch path {
		case "schedule/cron":
			if value, err = timesOf(value); err != nil {
				return "", err
			}
		case "schedule/zone":
			value = zoneOf(value)
		}
	}
	must := group == "" && slices.Contains([]string{"automation", "owner", "why"}, key)
	switch {
	case value == "" && !must && e.At(path) == nil:
		return e.Text, nil
	case value == "" && !must:
		if g := e.At(group); group != "" && len(g.Keys()) == 1 {
			return e.Delete(group)
		}
		return e.Delete(path)
	case e.At(path) != nil:
		return e.SetText(path, value)
	case group == "":
		return e.Put("", key, yamltext.Quote(value, false), after(key)...)
	case e.At(group) == nil:
		return e.Put("", group, "{ "+key+": "+yamltext.Quote(value, true)+" }", after(group)...)
	}
	return e.Put(group, key, yamltext.Quote(value, true))
}

// Triggers are what may set an automation off, in the words of the text: event types, schedule, and absence.
func Triggers() []string {
	return append(triggers(), "absence")
}

func (e *editing) trigger(value string) (string, error) {
	if value != "schedule" && e.At("schedule") != nil {
		out, err := e.Delete("schedule")
		if err != nil {
			return "", err
		}
		if e.Doc, err = yamltext.Parse(out); err != nil {
			return "", err
		}
	}
	on := yamltext.Quote(value, false)
	if value == "absence" {
		on = "{ absence_of: shipment.shipped, after: order.ready, within: 48h }"
	}
	out, err := e.Put("", "on", on, after("on")...)
	if err != nil || value != "schedule" || e.At("schedule") != nil {
		return out, err
	}
	if e.Doc, err = yamltext.Parse(out); err != nil {
		return "", err
	}
	return e.Put("", "schedule", `{ cron: "0 9 * * 1-5" }`, after("schedule")...)
}

// StepAt says where the arguments of a step stand.
type StepAt struct {
	Kind Kind
	Path string // of the step
	Args string // of the map of its arguments; "" when it has none
	Bare string // the one argument that is given without its name; "" when there is none
}

// StepOf reads the step at a path; false when there is none that the builder knows.
func StepOf(d *yamltext.Doc, path string) (StepAt, bool) {
	n := d.At(path)
	if n == nil {
		return StepAt{}, false
	}
	s := StepAt{Path: path}
	switch {
	case n.Kind == yamltext.Scalar:
		s.Kind = Kind(n.Value)
	case n.Kind == yamltext.Map && (n.Get(string(KindIf)) != nil || n.Get(string(KindForEach)) != nil):
		s.Kind, s.Args = KindIf, path
		if n.Get(string(KindIf)) == nil {
			s.Kind = KindForEach
		}
	case n.Kind == yamltext.Map && len(n.Entries) == 1:
		s.Kind = Kind(n.Entries[0].Key)
		switch v := n.Entries[0].Value; v.Kind {
		case yamltext.Map:
			s.Args = yamltext.Join(path, string(s.Kind))
		case yamltext.Scalar:
			s.Bare = shorthand[s.Kind]
			if s.Bare == "" {
				return s, false
			}
		case yamltext.List:
			return s, false
		}
	}
	_, known := specs[s.Kind]
	return s, known
}

// ArgPath is where an argument stands.
func (s StepAt) ArgPath(arg string) string {
	if s.Bare == arg {
		return yamltext.Join(s.Path, string(s.Kind))
	}
	return yamltext.Join(s.Args, arg)
}

// Value returns an argument of the step: its node, or nil.
func (s StepAt) Value(d *yamltext.Doc, arg string) *yamltext.Node {
	if s.Bare != arg && s.Args == "" {
		return nil
	}
	return d.At(s.ArgPath(arg))
}

func argOf(k Kind, name string) (Arg, bool) {
	for _, a := range specs[k].Args {
		if a.Name == name {
			return a, true
		}
	}
	return Arg{}, false
}

// arg gives an argument of a step a value; the empty value removes one that need not be there.
func (e *editing) arg(path, name, value string) (string, error) {
	s, ok := StepOf(e.Doc, path)
	spec, known := argOf(s.Kind, name)
	if !ok || !known {
		return "", unfit("the step has no %s", name)
	}
	n := s.Value(e.Doc, name)
	if value == "" && !spec.Must {
		if n == nil {
			return e.Text, nil
		}
		return e.Delete(s.ArgPath(name))
	}
	if spec.Type == ArgMoney && value != "" {
		var err error
		if value, err = e.typedMoney(value); err != nil {
			return "", err
		}
	}
	flow := yamltext.Quote(value, true)
	switch spec.Type {
	case ArgOptions:
		var words []string
		for _, w := range optionWords(value) {
			words = append(words, yamltext.Quote(w, true))
		}
		flow = "[" + strings.Join(words, ", ") + "]"
	case ArgFields:
		flow = "{ " + strings.Trim(strings.TrimSpace(value), "{}") + " }"
	default:
		if n != nil && n.Kind != yamltext.Map && n.Kind != yamltext.List {
			return e.SetText(s.ArgPath(name), value)
		}
	}
	switch {
	case n != nil:
		return e.Replace(s.ArgPath(name), flow)
	case s.Args != "":
		return e.Put(s.Args, name, flow, before(s.Kind, name)...)
	case s.Bare != "": // "- tag: x" becomes "- tag: { tag: x, … }"
		have := e.At(yamltext.Join(path, string(s.Kind))).Value
		return e.Replace(yamltext.Join(path, string(s.Kind)), "{ "+s.Bare+": "+yamltext.Quote(have, true)+", "+name+": "+flow+" }")
	case e.At(path).Kind == yamltext.Map:
		return e.Replace(yamltext.Join(path, string(s.Kind)), "{ "+name+": "+flow+" }")
	}
	return e.Replace(path, "{ "+string(s.Kind)+": { "+name+": "+flow+" } }")
}

// before are the arguments that stand before one, as the documentation lists them.
func before(k Kind, name string) []string {
	var out []string
	for _, a := range specs[k].Args {
		if a.Name == name {
			break
		}
		out = append(out, a.Name)
	}
	return out
}

// addStep adds a step of a kind, with its required arguments to be filled in.
func (e *editing) addStep(list string, at int, k Kind) (string, error) {
	if !slices.Contains(Kinds(), k) {
		return "", unfit("there is no step %s", k)
	}
	b := blanks{e: e, kind: k, on: eventOf(e.Doc), at: yamltext.Join(list, strconv.Itoa(at))}
	item := b.step()
	if l := e.At(list); l != nil && l.Kind == yamltext.List {
		out, err := e.Insert(list, min(max(at, 0), len(l.Entries)), item)
		if err == yamltext.ErrText {
			out, err = e.Insert(list, min(max(at, 0), len(l.Entries)), b.flat())
		}
		return out, err
	}
	group, key := "", list
	if i := strings.LastIndexByte(list, '/'); i >= 0 {
		group, key = list[:i], list[i+1:]
	}
	flow := b.flat()
	if !strings.HasPrefix(flow, "{") && strings.Contains(flow, ": ") {
		flow = "{ " + flow + " }"
	}
	if group == "" {
		if n := e.At("do"); n != nil {
			return e.Replace("do", "[ "+flow+" ]")
		}
		return e.Put("", "do", "[ "+flow+" ]", after("do")...)
	}
	return e.Put(group, key, "[ "+flow+" ]")
}

// blanks writes a step as the builder adds it.
type blanks struct {
	e    *editing
	kind Kind
	on   string // event type
	at   string // path of the step
}

func (w blanks) step() string {
	if w.kind != KindIf && w.kind != KindForEach {
		return w.flat()
	}
	var b strings.Builder
	for i, a := range specs[w.kind].Args {
		if !a.Must {
			continue
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		if a.Type == ArgSteps {
			b.WriteString(a.Name + ": []")
			continue
		}
		b.WriteString(a.Name + ": " + w.blank(a))
	}
	return b.String()
}

// flat is the step on one line.
func (w blanks) flat() string {
	var args []string
	for _, a := range specs[w.kind].Args {
		if a.Must || w.kind == KindAsk && a.Type == ArgVariable { // so that the steps behind it can look at the answer
			args = append(args, a.Name+": "+w.blank(a))
		}
	}
	all := strings.Join(args, ", ")
	switch {
	case w.kind == KindIf || w.kind == KindForEach:
		return "{ " + all + " }"
	case len(args) == 0:
		return string(w.kind) + ": {}"
	case len(args) == 1 && shorthand[w.kind] != "":
		return string(w.kind) + ": " + strings.TrimPrefix(all, shorthand[w.kind]+": ")
	}
	return string(w.kind) + ": { " + all + " }"
}

// blank is what a new argument begins with.
func (w blanks) blank(a Arg) string {
	switch a.Type {
	case ArgDuration:
		return "1d"
	case ArgMoney:
		return `"10 EUR"`
	case ArgChoice:
		return a.Choices[0]
	case ArgOptions:
		return "[yes, no]"
	case ArgEvent:
		return "order.paid"
	case ArgCondition:
		first, _ := w.e.tests(w.at)
		return yamltext.Quote(first, true)
	case ArgValue:
		if schema.IsOrderEvent(w.on) {
			return "order.units"
		}
		return "event.mode"
	case ArgVariable:
		if w.kind == KindForEach {
			return freeName(w.e.Text, "l")
		}
		return freeName(w.e.Text, "answer")
	case ArgFields:
		return "{ }"
	case ArgSteps:
		return "[]"
	case ArgRecipient:
		if w.kind == KindMessage && schema.IsOrderEvent(w.on) {
			return ToCustomer
		}
		return "owner"
	}
	return `""`
}

func (e *editing) removeStep(path string) (string, error) {
	list, i := parentOf(path)
	l := e.At(list)
	if l == nil || i < 0 || i >= len(l.Entries) {
		return "", unfit("the step is not there any more")
	}
	if len(l.Entries) > 1 {
		return e.Delete(path)
	}
	if list == "do" || strings.HasSuffix(list, "/then") || strings.HasSuffix(list, "/do") {
		return e.Replace(list, "[]")
	}
	return e.Delete(list)
}

// condition changes the condition that stands at a path of the text.
func (c Change) condition(e *editing) (string, error) {
	if key := c.At[strings.LastIndexByte(c.At, '/')+1:]; key != "when" && key != string(KindIf) {
		return "", unfit("no condition stands at %s", c.At)
	}
	n := e.At(c.At)
	src := ""
	if n != nil {
		src = n.Value
	}
	s, err := c.splice(e, src)
	if err != nil {
		return "", err
	}
	out, err := c.reword(e, n, src, s)
	if err != nil {
		return "", err
	}
	return recounted(out, src, s.Apply(src)), nil
}

// reword writes a condition that is changed by a splice.
func (c Change) reword(e *editing, n *yamltext.Node, src string, s rule.Splice) (string, error) {
	next := s.Apply(src)
	switch {
	case strings.TrimSpace(next) == "" && n == nil:
		return e.Text, nil
	case strings.TrimSpace(next) == "":
		if c.At != "when" && !strings.HasSuffix(c.At, "/when") {
			return "", unfit("this condition is needed; change it, or remove the step")
		}
		return e.Delete(c.At)
	case n == nil && c.At == "when":
		return e.Put("", "when", yamltext.Quote(flatten(next), false), after("when")...)
	case n == nil:
		i := strings.LastIndexByte(c.At, '/')
		return e.Put(c.At[:max(i, 0)], c.At[i+1:], yamltext.Quote(flatten(next), true))
	case strings.TrimSpace(src) == "":
		return e.SetText(c.At, flatten(next))
	}
	return e.Splice(c.At, s.From, s.To, s.Text)
}

func flatten(s string) string { return strings.ReplaceAll(s, "\n", " ") }

func (c Change) splice(e *editing, src string) (rule.Splice, error) {
	switch c.Do {
	case "part-test":
		text, err := c.Test.write(e, c.At, e.outline(c.At, src), c.Part)
		if err != nil {
			return rule.Splice{}, err
		}
		return rule.SetPart(src, c.Part, text)
	case "part-text":
		if strings.TrimSpace(c.Value) == "" {
			return rule.RemovePart(src, c.Part)
		}
		return rule.SetPart(src, c.Part, strings.TrimSpace(c.Value))
	case "part-add":
		text, err := e.newPart(c, src)
		if err != nil {
			return rule.Splice{}, err
		}
		return rule.AddPart(src, c.Part, text)
	case "part-remove":
		return rule.RemovePart(src, c.Part)
	case "part-up":
		return rule.MovePart(src, c.Part, -1)
	case "part-down":
		return rule.MovePart(src, c.Part, 1)
	case "part-toggle":
		return rule.ToggleGroup(src, c.Part)
	case "part-negate":
		return rule.NegatePart(src, c.Part)
	case "part-loop":
		return rule.SetLoop(src, c.Part, c.Value)
	}
	return rule.Splice{}, unfit("there is no change %q", c.Do)
}

// newPart is what a builder adds: a test, a group of two, or a loop over the lines.
func (e *editing) newPart(c Change, src string) (string, error) {
	root := rule.Outline(src)
	line := loopAround(&root, c.Part)
	first, second := line+".qty > 1", line+".kit"
	if line == "" {
		first, second = e.tests(c.At)
	}
	switch c.Value {
	case "test":
		return first, nil
	case "group":
		op := " || "
		if AddsBoth(root, c.Part) {
			op = " && "
		}
		return "(" + first + op + second + ")", nil
	case "lines":
		return "order.lines.exists(l, l.qty > 1)", nil
	case "velocity":
		return `velocity("order.placed", "customer.email", "24h") >= 3`, nil
	}
	return "", unfit("there is no part %q", c.Value)
}

// AddsBoth reports whether a group that is added at a part holds two tests that must both be true; else one is enough.
func AddsBoth(root rule.Part, part string) bool {
	p := root.At(part)
	return p != nil && p.Kind == rule.PartAny
}

// tests are two tests that a condition at a path may begin with: on what was asked last, when something was.
func (e *editing) tests(path string) (first, second string) {
	on, scope := ScopeAt(e.Doc, path)
	for _, f := range slices.Backward(scope) {
		switch {
		case len(f.Options) > 1:
			return fmt.Sprintf("%s == %q", f.Name, f.Options[0]), fmt.Sprintf("%s == %q", f.Name, f.Options[1])
		case f.Type == schema.Int:
			return f.Name + " > 1", f.Name + " < 10"
		}
	}
	if schema.IsOrderEvent(on) {
		return fmt.Sprintf("order.total > money(\"100\", %q)", e.currency), "customer.orders == 0"
	}
	for _, f := range schema.Fields(on) {
		if f.Type == schema.Int {
			return f.Name + " > 0", f.Name + " < 10"
		}
	}
	return `event.mode == "live"`, `event.mode == "history"`
}

func (e *editing) outline(path, src string) rule.Part {
	_, scope := ScopeAt(e.Doc, path)
	return rule.OutlineIn(src, scope)
}

// loopAround is the loop variable that is in scope at a part; "" outside loops.
func loopAround(root *rule.Part, path string) string {
	v := ""
	p := root
	for rest := path; p != nil; {
		if p.Kind == rule.PartLines && rest != "" {
			v = p.Var
		}
		if rest == "" {
			break
		}
		head, tail, _ := strings.Cut(rest, "/")
		p, rest = p.At(head), tail
	}
	return v
}
