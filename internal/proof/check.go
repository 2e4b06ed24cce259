package proof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/rule"
)

// Severity is how much a finding matters.
type Severity string

// The severities. An error is a contradiction or a rule that cannot do what it is for.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Kind is what a finding is about.
type Kind string

// The kinds of findings, in the order of a report.
const (
	Conflict  Kind = "conflict"  // two automations want different things of one order
	Repeat    Kind = "repeat"    // two automations do the same thing
	Never     Kind = "never"     // it cannot fire
	Always    Kind = "always"    // its condition is never false
	Shadowed  Kind = "shadowed"  // another one does all that it does
	Loop      Kind = "loop"      // automations set each other off
	Unwritten Kind = "unwritten" // it reads what nothing writes
	Missing   Kind = "missing"   // it names what does not exist
	Closed    Kind = "closed"    // it prefers what is closed
	Open      Kind = "undecided" // neither shown nor excluded
)

// Title is the word for a severity, as a label.
func (s Severity) Title() string {
	return map[Severity]string{Error: "Error", Warning: "Warning", Note: "Note"}[s]
}

// Kinds returns every kind, in the order of a report.
func Kinds() []Kind {
	return []Kind{Conflict, Repeat, Never, Always, Shadowed, Loop, Unwritten, Missing, Closed, Open}
}

// Title is the heading of a kind.
func (k Kind) Title() string {
	return map[Kind]string{
		Conflict: "Conflict", Repeat: "Done twice", Never: "Can never fire", Always: "Always true", Shadowed: "Made useless by another",
		Loop: "Loop", Unwritten: "Reads what nobody writes", Missing: "Names what does not exist", Closed: "Prefers what is closed", Open: "Not decided",
	}[k]
}

// Finding is something about automations that a person should know.
type Finding struct {
	Kind        Kind     `json:"kind"`
	Severity    Severity `json:"severity"`
	Automations []string `json:"automations"`
	At          []string `json:"at"` // file:line, or file:line:column, of what it is about, one for each
	Message     string   `json:"message"`
	Witness     *Witness `json:"witness,omitempty"`
	Tag         *Tag     `json:"tag,omitempty"`     // that it is about
	History     *History `json:"history,omitempty"` // what the past says; only where nothing is decided

	Group string                     `json:"group,omitempty"` // those of one kind and group say the same of different automations
	Idle  map[string]automation.Mode `json:"idle,omitempty"`  // the modes of the automations that do not act

	said string // Message with its names marked; see Say
}

// Tag is a tag that a condition looks for.
type Tag struct {
	List  string `json:"list"` // order.tags or customer.tags
	Value string `json:"value"`
}

// World is what a shop has beside its automations. The zero World knows nothing: then nothing is said of it.
type World struct {
	Known    bool
	IPTable  bool                // countries of IP addresses are known
	LowLines bool                // some product has a low line
	Names    automation.Names    // what names in automations may stand for
	Inbound  map[string][]string // connections that also bring events in, with the types they may bring; empty = all
}

// Report is what a check found.
type Report struct {
	Automations int           `json:"automations"`
	Pairs       int           `json:"pairs"`  // pairs on one event type
	Solved      int           `json:"solved"` // questions that took a proof
	Took        time.Duration `json:"-"`
	Findings    []Finding     `json:"findings"`
	Map         []atlas.Gap   `json:"map,omitempty"` // findings on the system map
	Tests       []TestResult  `json:"tests"`

	Checked []*automation.Automation `json:"-"` // those that were looked at, by name
	Asking  bool                     `json:"-"` // the history is still being asked

	Unasked string `json:"unasked,omitempty"` // why what is not decided has no answer of the past
}

// About returns the errors and warnings about an automation.
func (r *Report) About(name string) []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.Severity != Note && slices.Contains(f.Automations, name) {
			out = append(out, f)
		}
	}
	return out
}

// Count returns how many findings have a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	for _, g := range r.Map {
		if g.Warning && s == Warning || !g.Warning && s == Note {
			n++
		}
	}
	return n
}

// Check looks at all automations of a shop together. Paused ones are left out. The same automations
// give the same report.
func Check(settings decide.Settings, world World, as []*automation.Automation) *Report {
	return check(settings, world, as, "")
}

// CheckOne is Check for one of the automations, also when it is paused: only what concerns it is looked for and told.
func CheckOne(settings decide.Settings, world World, as []*automation.Automation, name string) *Report {
	return check(settings, world, as, name)
}

func check(settings decide.Settings, world World, as []*automation.Automation, only string) *Report {
	c := &checker{settings: settings, world: world, only: only, report: &Report{Findings: []Finding{}}}
	for _, a := range as {
		if a.Mode != automation.Paused || a.Name == only {
			c.all = append(c.all, &subject{Automation: a, acts: acts(a)})
		}
	}
	slices.SortStableFunc(c.all, func(a, b *subject) int { return cmp.Compare(a.Name, b.Name) })
	c.report.Automations = len(c.all)
	for _, a := range c.all {
		c.report.Checked = append(c.report.Checked, a.Automation)
	}
	for _, a := range c.all {
		c.alone(a)
	}
	byType := map[string][]*subject{}
	for _, a := range c.all {
		byType[occasion(a.Automation)] = append(byType[occasion(a.Automation)], a)
	}
	types := make([]string, 0, len(byType))
	for on := range byType {
		types = append(types, on)
	}
	slices.Sort(types)
	for _, on := range types {
		switch n := len(byType[on]); {
		case only == "":
			c.report.Pairs += n * (n - 1) / 2
		case c.concerns(byType[on]...):
			c.report.Pairs += n - 1
		default:
			continue
		}
		c.meetings(byType[on])
		c.shadows(byType[on])
	}
	c.purposes()
	c.loops()
	for _, a := range c.all {
		c.unwritten(a)
		c.missing(a)
		c.tags(a)
	}
	Sort(c.report.Findings)
	return c.report
}

// Sort puts findings into the order of a report: of one kind first what happens now.
func Sort(fs []Finding) {
	order := Kinds()
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)),
			cmp.Compare(len(a.Idle), len(b.Idle)), slices.Compare(a.Automations, b.Automations),
		)
	})
}

// occasion names what automations have in common that are set off together: a type of event, the same times of the
// clock, or the same absence.
func occasion(a *automation.Automation) string {
	switch {
	case a.Schedule != nil:
		return a.On + " " + a.Schedule.Cron + " " + a.Schedule.Zone
	case a.Absence != nil:
		return a.On + " " + a.Absence.Of + " " + a.Absence.After
	}
	return a.On
}

// subject is an automation being checked.
type subject struct {
	*automation.Automation
	acts    []act
	model   rule.Map // facts that make it fire; nil when none are known
	verdict rule.Verdict
}

func (a *subject) at(line int) string { return fmt.Sprintf("%s:%d", a.File, max(line, 1)) }

// atWhen is where the condition stands, as file:line:column.
func (a *subject) atWhen() string {
	for i, l := range strings.Split(a.Text, "\n") {
		if v, ok := strings.CutPrefix(l, "when:"); ok {
			v = strings.TrimLeft(v, " \t")
			return fmt.Sprintf("%s:%d:%d", a.File, i+1, 1+utf8.RuneCountInString(l)-utf8.RuneCountInString(v))
		}
	}
	return a.at(1)
}

type checker struct {
	settings decide.Settings
	world    World
	only     string // the one automation that is asked about; "" = all
	all      []*subject
	puts     []string // see put
	report   *Report
}

func (c *checker) add(f Finding) {
	if c.only != "" && !slices.Contains(f.Automations, c.only) {
		return
	}
	for _, a := range c.all {
		if slices.Contains(f.Automations, a.Name) && !acting(a.Mode) {
			if f.Idle == nil {
				f.Idle = map[string]automation.Mode{}
			}
			f.Idle[a.Name] = a.Mode
		}
	}
	f.said, f.Message = f.Message, unmarked.Replace(f.Message)
	c.report.Findings = append(c.report.Findings, f)
}

// concerns reports whether one of the automations is asked about.
func (c *checker) concerns(as ...*subject) bool {
	return c.only == "" || slices.ContainsFunc(as, func(a *subject) bool { return a.Name == c.only })
}

func (c *checker) solve(asks ...rule.Ask) (rule.Verdict, rule.Map) {
	c.report.Solved++
	return rule.Solve(asks...)
}

// alone asks of one automation whether it can fire, and whether it can fail to.
func (c *checker) alone(a *subject) {
	if a.When == "" {
		a.verdict, a.model = rule.Possible, rule.Map{}
		return
	}
	a.verdict, a.model = c.solve(rule.IsTrue(a.Condition))
	if !c.concerns(a) {
		return
	}
	f := Finding{Automations: []string{a.Name}, At: []string{a.atWhen()}}
	if a.verdict == rule.Impossible {
		f.Kind, f.Severity, f.Message = Never, Error, "its condition cannot be true, whatever comes"+c.culprit(a.Condition)
		c.add(f)
		return
	}
	if v, _ := c.solve(rule.IsFalse(a.Condition)); v == rule.Impossible {
		f.Kind, f.Severity, f.Message = Always, Warning, "its condition is never false: it is true, or unknown"
		c.add(f)
	}
	if a.verdict != rule.Possible {
		f.Kind, f.Severity, f.Message = Open, Note, "whether it can fire is not decided: its condition goes beyond what can be proved"
		c.add(f)
		return
	}
	if missing := c.unmet(a); missing != "" {
		f.Kind, f.Severity, f.Message = Open, Note, "whether it can fire is not decided: no event was found on which it does ("+missing+")"
		c.add(f)
	}
}

// unmet says why the event made for an automation does not set it off, or "".
func (c *checker) unmet(a *subject) string {
	as := []*automation.Automation{a.Automation}
	if !triable(a.On) || witness(c.settings, as, a.model) != nil {
		return ""
	}
	found := cases(a.On, a.model)
	if len(found) == 0 {
		return "no such event is valid"
	}
	r, err := Try(c.settings, as, events(as, found[0])[0])
	switch {
	case err != nil:
		return impossible(err)
	case !r.Asked:
		return "it is not asked"
	}
	return strings.Join(reasons(a.Automation.Condition.Explain(r.Decision.Facts).Leaves()), "; ")
}

// meetings looks for pairs on one event type whose steps do not go together.
func (c *checker) meetings(as []*subject) {
	byThing := map[string][]*act{}
	owner := map[*act]*subject{}
	var things []string
	for _, a := range as {
		for i := range a.acts {
			x := &a.acts[i]
			if a.verdict == rule.Impossible || x.later && x.about == aboutRouting {
				continue
			}
			if byThing[x.about] == nil {
				things = append(things, x.about)
			}
			byThing[x.about] = append(byThing[x.about], x)
			owner[x] = a
		}
	}
	slices.Sort(things)
	told := map[[5]string]bool{}
	for _, thing := range things {
		acts := byThing[thing]
		for i, x := range acts {
			for _, y := range acts[i+1:] {
				if x.of == y.of || !c.concerns(owner[x], owner[y]) {
					continue
				}
				severity, kind, text, group := meeting(x, y)
				severity, text = apart(x, y, severity, text)
				about := [...]string{string(kind), thing, group, x.of.Name, y.of.Name}
				if text == "" || told[about] {
					continue
				}
				f := Finding{
					Kind: kind, Severity: severity, Message: text, Group: group,
					Automations: []string{x.of.Name, y.of.Name}, At: []string{owner[x].at(x.step.Line), owner[y].at(y.step.Line)},
				}
				switch v := c.together(owner[x], owner[y], x, y, &f); v {
				case rule.Impossible:
					continue
				case rule.Undecided:
					f.Kind, f.Severity = Open, Note
					f.Message = "whether both can happen to one order is not decided. If they do, " + text
				}
				told[about] = true
				c.add(f)
			}
		}
	}
}

// together says whether two acts can happen on one event, and puts the event that shows it into the finding.
func (c *checker) together(a, b *subject, x, y *act, f *Finding) rule.Verdict {
	pair := []*automation.Automation{a.Automation, b.Automation}
	shown := func(m rule.Map) bool {
		f.Witness = witness(c.settings, pair, m, x, y)
		return f.Witness != nil
	}
	if len(x.asks)+len(y.asks) == 0 {
		// Facts that set one off often set the other off, too.
		for _, m := range []rule.Map{a.model, b.model} {
			if m == nil || !isTrue(a, m) || !isTrue(b, m) {
				continue
			}
			if shown(m) {
				return rule.Possible
			}
		}
	}
	asks := append([]rule.Ask{rule.IsTrue(a.Condition), rule.IsTrue(b.Condition)}, append(slices.Clone(x.asks), y.asks...)...)
	v, m := c.solve(asks...)
	if v != rule.Possible {
		return v
	}
	if !shown(m) {
		return rule.Undecided
	}
	return rule.Possible
}

func isTrue(a *subject, m rule.Map) bool {
	out, _ := a.Condition.Eval(m)
	return out == rule.True
}

// shadows looks for automations that do nothing which another has not done.
func (c *checker) shadows(as []*subject) {
	byKey := map[string][]*subject{}
	for _, a := range as {
		seen := map[string]bool{}
		for i := range a.acts {
			if k := a.acts[i].key; a.acts[i].sure && !seen[k] {
				seen[k] = true
				byKey[k] = append(byKey[k], a)
			}
		}
	}
	for i, b := range as {
		if len(b.acts) == 0 || b.verdict == rule.Impossible {
			continue
		}
		candidates := byKey[b.acts[0].key]
		for j := range b.acts {
			if less := byKey[b.acts[j].key]; len(less) < len(candidates) {
				candidates = less
			}
		}
		candidates = slices.Clone(candidates)
		slices.SortStableFunc(candidates, func(a, b *subject) int { return cmp.Compare(idle(a.Mode), idle(b.Mode)) })
		for _, a := range candidates {
			if a == b || !c.concerns(a, b) || a.Absence != nil && a.Absence.Within > b.Absence.Within || a.verdict == rule.Impossible || a.Mode != automation.Active && b.Mode == automation.Active {
				continue
			}
			ok, extra := covers(a.acts, b.acts)
			if !ok || b.model != nil && !isTrue(a, b.model) || b.model == nil && a.When != "" && a.When != b.When {
				continue
			}
			if a.When != "" && !c.implies(b, a) {
				continue
			}
			if same := slices.Index(as, a) > i && c.implies(a, b); same {
				continue // two that do the same: the later one is told
			}
			c.add(Finding{
				Kind: Shadowed, Severity: Warning, Automations: []string{b.Name, a.Name}, At: []string{b.atWhen(), a.atWhen()},
				Message: fmt.Sprintf("whenever %s fires, %s fires too and does all that it does%s", named(b.Name), named(a.Name), extra),
			})
			break
		}
	}
}

func (c *checker) implies(a, b *subject) bool {
	if b.When == "" {
		return true
	}
	v, _ := c.solve(rule.IsTrue(a.Condition), rule.NotTrue(b.Condition))
	return v == rule.Impossible
}

// purposes looks for one message that several automations on different events send to the customer.
func (c *checker) purposes() {
	type sender struct {
		a *subject
		x *act
	}
	by := map[string][]sender{}
	var purposes []string
	for _, a := range c.all {
		for i := range a.acts {
			m, ok := a.acts[i].step.Action.(automation.Message)
			if !ok || m.To != automation.ToCustomer || a.verdict == rule.Impossible {
				continue
			}
			if by[m.Purpose] == nil {
				purposes = append(purposes, m.Purpose)
			}
			by[m.Purpose] = append(by[m.Purpose], sender{a, &a.acts[i]})
		}
	}
	slices.Sort(purposes)
	for _, p := range purposes {
		told := map[[2]string]bool{}
		for i, first := range by[p] {
			for _, s := range by[p][i+1:] {
				pair := [2]string{first.a.Name, s.a.Name}
				if s.a.On == first.a.On || s.a == first.a || told[pair] {
					continue
				}
				told[pair] = true
				text := fmt.Sprintf("both send the customer the message %s, on %s and on %s: ", p, first.a.On, s.a.On)
				if s.x.step.Action.(automation.Message).Subject == automation.PerOrder && first.x.step.Action.(automation.Message).Subject == automation.PerOrder {
					text += "an order's buyer gets the one that comes first, and the other stays silent"
				} else {
					text += "a buyer may get it twice"
				}
				c.add(Finding{
					Kind: Repeat, Severity: Warning, Automations: pair[:], Group: "purpose " + p,
					At: []string{first.a.at(first.x.step.Line), s.a.at(s.x.step.Line)}, Message: text,
				})
			}
		}
	}
}
