package console

import (
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/yamltext"
)

// builder is a text as the builder shows it: every control stands for a place in the text.
type builder struct {
	Doc      *yamltext.Doc // nil when the text cannot be followed
	Sentence string
	Problems []problem
	Template *automation.Template // that the text was made from and still has settings of; nil: none
	Lists    lists
	Examples []example
	strict   bool        // what is missing is told as a problem
	lacks    []string    // what is still to fill in, else
	event    string      // event type whose fields conditions may read
	Next     []time.Time // when a schedule is due, the next few
	at       map[string][]string
}

// lists are what inputs suggest.
type lists struct {
	names                                                      automation.Names
	Owners, Queues, Messages, Connections, Locations, Channels []ui.Option
}

func findTemplate(name string) (*automation.Template, error) {
	ts, err := automation.Templates(examples.Templates())
	if err != nil {
		return nil, err
	}
	return automation.TemplateNamed(ts, name)
}

// templateOf is the template that a text was made from, if it still has settings of it; nil for none, and where a later
// program has no such template.
func templateOf(d *yamltext.Doc) (*automation.Template, error) {
	n := d.At("template")
	if n == nil || n.Kind != yamltext.Scalar {
		return nil, nil
	}
	t, err := findTemplate(n.Value)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case len(t.Left(d)) == 0:
		return nil, nil
	}
	return t, nil
}

var requiredKey = regexp.MustCompile(`^([a-z_]+) is required`)

// builder reads a text for the builder, with its problems where they belong.
func (c *Console) builder(r *http.Request, text string, strict bool) (*builder, error) {
	b := &builder{strict: strict, at: map[string][]string{}}
	var err error
	if b.Lists, err = c.lists(r); err != nil {
		return nil, err
	}
	b.Doc, err = yamltext.Parse(text)
	if err != nil || b.Doc.Root.Kind != yamltext.Map {
		b.Doc = nil
		b.Sentence = "What it amounts to is said here once the text can be read."
	} else {
		b.Sentence = automation.Sentence(b.Doc)
		if b.Template, err = templateOf(b.Doc); err != nil {
			return nil, err
		}
		b.event = b.value("on")
		if b.event == "schedule" {
			b.event = automation.OnSchedule
		}
		if n := b.Doc.At("on"); n != nil && n.Kind == yamltext.Map {
			b.event = automation.OnAbsence
		}
	}
	a, err := automation.Parse("", []byte(text))
	if err == nil {
		err = fault.Problems("console.builder", b.Lists.names.Unknown(a))
	}
	if err != nil {
		b.place(err)
	}
	if b.Doc != nil {
		if times, err := automation.NewSchedule(b.value("schedule/cron"), b.value("schedule/zone")); err == nil && b.event == automation.OnSchedule {
			b.Next = nextTimes(times, c.Now(), c.Shop().Zone, 3)
		}
		b.Examples, err = c.examples(r, b, a)
		return b, err
	}
	return b, nil
}

// place puts each problem at its line and beside its control.
func (b *builder) place(err error) {
	fe := asFault(err)
	if fe == nil {
		b.Problems = append(b.Problems, problem{Line: 1, Col: 1, Message: capital(fault.Message(err))})
		return
	}
	for _, p := range fe.Problems {
		parts := strings.Split(strings.TrimPrefix(p.Pointer, ":"), ":")
		q := problem{Line: 1, Col: 1, Message: capital(p.Message)}
		if n, err := strconv.Atoi(parts[0]); err == nil {
			q.Line = n
		}
		if len(parts) > 1 {
			if n, err := strconv.Atoi(parts[1]); err == nil {
				q.Col = n
			}
		}
		if b.Doc == nil {
			b.Problems = append(b.Problems, q)
			continue
		}
		path, at := b.Doc.Find(q.Line, q.Col)
		n := b.Doc.At(path)
		if m := requiredKey.FindStringSubmatch(p.Message); m != nil && path[strings.LastIndexByte(path, '/')+1:] != m[1] {
			if n == nil || n.Kind != yamltext.Map {
				path = path[:max(strings.LastIndexByte(path, '/'), 0)]
			}
			path = yamltext.Join(path, m[1])
		} else if key := path[strings.LastIndexByte(path, '/')+1:]; n != nil && n.Kind == yamltext.Scalar && (key == "when" || key == "if") {
			root := rule.Outline(n.Value)
			path += "#" + partAt(&root, at)
		}
		if q.Lacks = !b.strict && lacking.MatchString(p.Message); q.Lacks {
			words := lackWords(path)
			b.lacks = append(b.lacks, words)
			q.Message = capital(words) + ": still to fill in"
		} else {
			b.at[path] = append(b.at[path], q.Message)
		}
		b.Problems = append(b.Problems, q)
	}
}

// partAt is the path of the deepest part that holds a byte of the condition.
func partAt(p *rule.Part, at int) string {
	for i := range p.Parts {
		if c := &p.Parts[i]; at >= c.Start && at < c.End {
			if in := partAt(c, at); in != "" {
				return strconv.Itoa(i) + "/" + in
			}
			return strconv.Itoa(i)
		}
	}
	return ""
}

// bad is what is wrong at a place, "" when nothing is.
func (b *builder) bad(path string) string { return strings.Join(b.at[path], " ") }

// value is the text at a path, "" when nothing stands there.
func (b *builder) value(path string) string {
	if n := b.Doc.At(path); n != nil {
		return n.Value
	}
	return ""
}

// trigger is the choice that `on` amounts to.
func (b *builder) trigger() string {
	if n := b.Doc.At("on"); n != nil && n.Kind == yamltext.Map {
		return "absence"
	}
	return b.value("on")
}

// lists reads what inputs suggest: people, and the names the shop uses already.
func (c *Console) lists(r *http.Request) (l lists, err error) {
	users, err := c.People.Users(r.Context())
	if err != nil {
		return l, err
	}
	for _, u := range users {
		if !u.Disabled {
			l.Owners = append(l.Owners, ui.Option{Value: u.Email, Label: u.Name})
		}
	}
	if l.names, err = c.Check.Names(r.Context()); err != nil {
		return l, err
	}
	for _, q := range l.names.Queues {
		l.Queues = append(l.Queues, ui.Option{Value: q, Label: q})
	}
	for _, m := range l.names.Templates {
		l.Messages = append(l.Messages, ui.Option{Value: m, Label: title(m)})
	}
	for _, x := range l.names.Connections {
		l.Connections = append(l.Connections, ui.Option{Value: x, Label: x})
	}
	owners := l.Owners
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		l.Owners, l.Locations = slices.Clone(owners), nil
		texts, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		for _, t := range texts {
			if a := readAutomation(t); a.Owner != "" && !slices.ContainsFunc(l.Owners, func(o ui.Option) bool { return o.Value == a.Owner }) {
				l.Owners = append(l.Owners, ui.Option{Value: a.Owner, Label: "owns other automations"})
			}
		}
		locations, err := tx.AllLocations()
		for _, id := range l.names.Locations {
			l.Locations = append(l.Locations, ui.Option{Value: id, Label: firstOf(locations[id].Name, id)})
		}
		return err
	})
	return l, err
}

// fieldGroup is a heading of the list of fields.
type fieldGroup struct {
	Label  string
	Fields []ui.Option
}

// eventAt is the event type that the condition at a path is about.
func (b *builder) eventAt(path string) string {
	event, _ := automation.ScopeAt(b.Doc, path)
	return event
}

// outline reads the condition that stands at a path.
func (b *builder) outline(path, src string) rule.Part {
	_, scope := automation.ScopeAt(b.Doc, path)
	return rule.OutlineIn(src, scope)
}

// subjects are what a test of the condition at a path may look at, in groups. line is the loop variable in scope, ""
// outside a loop.
func (b *builder) subjects(path, line, chosen string) []fieldGroup {
	event, scope := automation.ScopeAt(b.Doc, path)
	var out []fieldGroup
	add := func(group string, o ui.Option) {
		if len(out) == 0 || out[len(out)-1].Label != group {
			out = append(out, fieldGroup{Label: group})
		}
		g := &out[len(out)-1]
		g.Fields = append(g.Fields, o)
	}
	if line != "" {
		for _, f := range schema.LineFields() {
			add("The line", ui.Option{Value: line + "." + f.Name, Label: capital(schema.Label("line." + f.Name))})
		}
	}
	for _, f := range scope {
		add("From the steps before", ui.Option{Value: f.Name, Label: capital(firstOf(f.Words, f.Name))})
	}
	groups := map[string]string{
		"order": "The order", "customer": "The customer", "ip": "The IP address", "event": "What happened", "stock": "The product",
		"task": "The task", "shipment": "The parcel", "effect": "The message", "cancel": "The cancellation", "return": "The return", "day": "The day",
	}
	for _, key := range []string{"order", "customer", "ip", "shipment", "return", "stock", "task", "effect", "cancel", "day", "event"} {
		var in []ui.Option
		for _, f := range schema.Fields(event) {
			if head, _, _ := strings.Cut(f.Name, "."); head != key || f.Type == schema.Lines {
				continue
			}
			in = append(in, ui.Option{Value: f.Name, Label: capital(schema.Label(f.Name))})
			if f.Type == schema.Strings {
				in = append(in, ui.Option{Value: "count " + f.Name, Label: "Number of " + schema.Label(f.Name)})
			}
		}
		sort.Slice(in, func(i, j int) bool { return in[i].Label < in[j].Label })
		for _, o := range in {
			add(groups[key], o)
		}
	}
	if schema.IsOrderEvent(event) && line == "" {
		add("How often", ui.Option{Value: automation.SubjectVelocity, Label: "Earlier orders that share something"})
	}
	if chosen != "" && !slices.ContainsFunc(out, func(g fieldGroup) bool {
		return slices.ContainsFunc(g.Fields, func(o ui.Option) bool { return o.Value == chosen })
	}) {
		add("Not known here", ui.Option{Value: chosen, Label: chosen})
	}
	return out
}

// fieldsLike are the other fields that a test may compare with.
func (b *builder) fieldsLike(path string, p *rule.Part, line string) []ui.Option {
	var out []ui.Option
	event, scope := automation.ScopeAt(b.Doc, path)
	if p.Left.Velocity != nil || p.Left.Count || p.Left.Type == schema.Strings || p.Left.Type == schema.Bool || p.Left.Named != nil && len(p.Left.Named.Options) > 0 {
		return nil
	}
	if line != "" {
		for _, f := range schema.LineFields() {
			if s := line + "." + f.Name; f.Type == p.Left.Type && s != automation.SubjectOf(p.Left) {
				out = append(out, ui.Option{Value: s, Label: capital(schema.Label("line." + f.Name))})
			}
		}
	}
	for _, f := range scope {
		if f.Type == p.Left.Type && f.Name != p.Left.Name {
			out = append(out, ui.Option{Value: f.Name, Label: capital(firstOf(f.Words, f.Name))})
		}
	}
	for _, f := range schema.Fields(event) {
		if f.Type == p.Left.Type && f.Name != p.Left.Name {
			out = append(out, ui.Option{Value: f.Name, Label: capital(schema.Label(f.Name))})
		}
	}
	return out
}

// opOptions are the operators of a test.
func opOptions(p *rule.Part) []ui.Option {
	var out []ui.Option
	for _, op := range automation.Ops(p.Left.Type) {
		out = append(out, ui.Option{Value: op, Label: automation.OpLabel(op, p.Left.Type)})
	}
	return out
}

// loopOptions are how a loop may speak about the lines.
func loopOptions() []ui.Option {
	return []ui.Option{
		{Value: "exists", Label: "Some line"}, {Value: "all", Label: "Every line"}, {Value: "!exists", Label: "No line"}, {Value: "exists_one", Label: "Exactly one line"},
	}
}

func loopValue(p *rule.Part) string {
	if p.Not {
		return "!" + p.Op
	}
	return p.Op
}

// eventGroups are triggers for a list, by what they are about.
func eventGroups(types []string) []fieldGroup {
	names := []struct{ prefix, label string }{
		{"order.", "Orders"}, {"shipment.", "Parcels"}, {"return.", "Returns"}, {"stock.", "Stock"}, {"task.", "Tasks"}, {"effect.", "Messages"}, {"", "Time and others"},
	}
	out := make([]fieldGroup, len(names))
	for i, n := range names {
		out[i].Label = n.label
	}
	for _, t := range types {
		for i, n := range names {
			if strings.HasPrefix(t, n.prefix) {
				out[i].Fields = append(out[i].Fields, ui.Option{Value: t, Label: eventWords(t)})
				break
			}
		}
	}
	return slices.DeleteFunc(out, func(g fieldGroup) bool { return len(g.Fields) == 0 })
}

// stepOptions are the steps that can be added on the present trigger.
func (b *builder) stepOptions() []ui.Option {
	var out []ui.Option
	for _, k := range automation.Kinds() {
		s := k.Spec()
		if s.NeedsOrder && !schema.IsOrderEvent(b.event) || s.On != nil && !slices.Contains(s.On, b.event) {
			continue
		}
		out = append(out, ui.Option{Value: string(k), Label: title(string(k)) + ": " + s.Doc})
	}
	return out
}

// suggestions is the list that an argument's input offers, "" for none.
func (b *builder) suggestions(t automation.ArgType) string {
	switch t {
	case automation.ArgQueue:
		return "list-queues"
	case automation.ArgTemplate:
		return "list-messages"
	case automation.ArgConnection:
		return "list-connections"
	case automation.ArgLocation:
		return "list-locations"
	case automation.ArgRecipient:
		return "list-recipients"
	}
	return ""
}

// formatList is the list that a test's input offers for a field, "" for none.
func formatList(name string) string {
	switch schema.Format(name) {
	case "country":
		return "list-countries"
	case "currency":
		return "list-currencies"
	case "location":
		return "list-locations"
	case "queue":
		return "list-queues"
	case "sku":
		return "list-skus"
	case "event":
		return "list-events"
	}
	return ""
}

// argValue is an argument as its input shows it.
func (b *builder) argValue(s automation.StepAt, a automation.Arg) string {
	n := s.Value(b.Doc, a.Name)
	if n == nil {
		return ""
	}
	switch n.Kind {
	case yamltext.List:
		var words []string
		for _, e := range n.Entries {
			words = append(words, e.Value.Value)
		}
		return strings.Join(words, ", ")
	case yamltext.Map:
		var pairs []string
		for _, e := range n.Entries {
			pairs = append(pairs, e.Key+": "+e.Value.Value)
		}
		return strings.Join(pairs, ", ")
	}
	return n.Value
}

// badArg is what is wrong with an argument.
func (b *builder) badArg(s automation.StepAt, a automation.Arg) string {
	path := s.ArgPath(a.Name)
	if s.Args == "" && s.Bare != a.Name {
		path = yamltext.Join(s.Path, string(s.Kind), a.Name)
	}
	return b.bad(path)
}

// maxStepsShown is how many steps of one list the builder shows: an automation may have fifty in all.
const maxStepsShown = 60

// badStep is what is wrong with a step as a whole.
func (b *builder) badStep(path string, s automation.StepAt) string {
	out := b.bad(path)
	if s.Args != path && s.Bare == "" { // what is wrong with the one input of a bare step stands beside it
		out = strings.TrimSpace(out + " " + b.bad(yamltext.Join(path, string(s.Kind))))
	}
	return out
}

// id names a control for labels and for keeping the focus.
func id(parts ...string) string {
	return "b-" + strings.NewReplacer("/", "-", "#", "--", ".", "_", " ", "_").Replace(strings.Join(parts, "--"))
}

// asMoney splits "400 EUR".
func asMoney(v string) (number, currency string) {
	number, currency, _ = strings.Cut(v, " ")
	return number, currency
}

func first(vs []string) string {
	if len(vs) == 0 {
		return ""
	}
	return vs[0]
}

func sub(path string, i int) string { return yamltext.Join(path, strconv.Itoa(i)) }

// source is the text at a place, for what the builder does not show.
func (b *builder) source(n *yamltext.Node) string { return b.Doc.Text[n.Start:n.End] }

func entries(n *yamltext.Node) int {
	if n == nil {
		return 0
	}
	return len(n.Entries)
}

func recipients(owners []ui.Option) []ui.Option {
	return append([]ui.Option{{Value: "customer", Label: "the order's buyer"}, {Value: "owner", Label: "the owner of the automation"}}, owners...)
}

// currencyOptions and countryOptions begin with what shops write most; any other code may be typed.
func currencyOptions() []ui.Option {
	var out []ui.Option
	for _, c := range []string{"EUR", "USD", "GBP", "CHF", "DKK", "SEK", "NOK", "PLN", "CZK", "HUF", "JPY", "CAD", "AUD"} {
		out = append(out, ui.Option{Value: c, Label: c})
	}
	return out
}

func countryOptions() []ui.Option {
	var out []ui.Option
	for _, c := range geo.Countries() {
		out = append(out, ui.Option{Value: c.Code, Label: c.Name})
	}
	return out
}

func eventList() []ui.Option {
	var out []ui.Option
	for _, e := range schema.Events() {
		out = append(out, ui.Option{Value: e, Label: eventWords(e)})
	}
	return out
}

// settingID names the input of a setting.
func settingID(s automation.Setting) string {
	switch {
	case s.Of != "":
		return id(s.At, "set-"+s.Part, s.Of)
	case s.InPart:
		return id(s.At, "set-"+s.Part, "v")
	}
	return id("set", s.At)
}

// hinted is an argument with a setting's own hint, if it has one.
func hinted(a automation.Arg, hint string) automation.Arg {
	a.Doc = firstOf(hint, a.Doc)
	return a
}

// argLabel names the input of an argument.
func argLabel(a automation.Arg) string {
	if a.Name == "sla" {
		return "Deadline"
	}
	return title(a.Name)
}

// argHint is how an argument is written.
func argHint(a automation.Arg) string {
	switch a.Type {
	case automation.ArgDuration:
		return "like 4h, 90m or 2d"
	case automation.ArgMoney:
		return "like 20 EUR"
	case automation.ArgOptions:
		return "words, separated by commas"
	case automation.ArgFields:
		return "like points: int"
	case automation.ArgRecipient:
		return "customer, owner or a mail address"
	}
	return ""
}

// modeHint is a mode with what it means.
func modeHint(m automation.Mode) string {
	switch m {
	case automation.Draft:
		return "Draft: kept, not considered"
	case automation.Shadow:
		return "Shadow: watches, does nothing"
	case automation.Canary:
		return "Canary: acts on a share"
	case automation.Active:
		return "Active: acts on all"
	}
	return "Paused: not considered until its mode is changed"
}
