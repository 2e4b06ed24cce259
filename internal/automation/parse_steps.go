package automation

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// later are steps of the language that this version cannot perform. They are
// refused by name: accepted and not done would be worse than an error.
var later = []string{
	"wait", "wait_for", "if", "else", "for_each", "parallel", "escalate", "approve", "set", "call", "run", "retry", "refund", "capture", "cancel",
	"reorder", "stop", "assign", "return",
}

// shorthand is the argument that `- tag: vip` and its like give without a mapping.
var shorthand = map[Kind]string{KindTag: "tag", KindPrefer: "location", KindExclude: "location", KindWebhook: "connection"}

func (d *doc) steps(a *Automation, root *mapping) {
	list := d.list(root, "do")
	if list == nil {
		return
	}
	if len(list) == 0 {
		d.add(root.at("do"), "do needs at least one step: %s", kindNames())
	}
	if len(list) > maxSteps {
		d.add(root.at("do"), "do has %d steps; the limit is %d", len(list), maxSteps)
		return
	}
	for _, n := range list {
		if s, ok := d.step(a, n); ok {
			a.Steps = append(a.Steps, s)
		}
	}
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// step reads one item of do: a mapping of one key, or the bare name of a step that needs nothing.
func (d *doc) step(a *Automation, n node) (Step, bool) {
	name, args, ok := d.single(n)
	if !ok {
		d.add(n, "a step is one of %s, written like - tag: gift", kindNames())
		return Step{}, false
	}
	k := Kind(name)
	spec, known := specs[k]
	if !known {
		if slices.Contains(later, name) {
			d.add(n, "the step %s is not available yet; available are %s", name, kindNames())
		} else {
			d.add(n, "there is no step %s%s; available are %s", name, didYouMean(name, strings.Split(kindNames(), ", ")), kindNames())
		}
		return Step{}, false
	}
	if spec.NeedsOrder && !schema.IsOrderEvent(a.On) {
		d.add(n, "%s needs an order, and %s has none", name, a.On)
	}
	if spec.On != nil && !slices.Contains(spec.On, a.On) {
		d.add(n, "%s is only available on %s", name, strings.Join(spec.On, ", "))
	}
	m := d.args(k, n, args)
	if m == nil {
		return Step{}, false
	}
	line, _ := d.pos(n)
	return Step{Kind: k, Action: d.action(a, k, m), Line: line}, true
}

// args returns the arguments of a step as a mapping, with the shorthand unfolded.
func (d *doc) args(k Kind, n, args node) *mapping {
	if args == nil || isNull(args) {
		return &mapping{node: n}
	}
	if m := d.asMapping(args); m != nil {
		return m
	}
	if key := shorthand[k]; key != "" {
		if _, ok := d.scalar(args); ok {
			return &mapping{node: n, names: []string{key}, values: map[string]node{key: args}}
		}
	}
	d.add(args, "%s takes named values, like %s", k, sample[k])
	return nil
}

// sample shows how a step is written.
var sample = map[Kind]string{
	KindHold:    `hold: { queue: risk, sla: 4h, reason: "large first order" }`,
	KindRelease: `release: {}`,
	KindTag:     `tag: gift`,
	KindMessage: `message: { template: order-confirmation, to: customer }`,
	KindTask:    `task: { queue: support, title: "Call the customer", sla: 1d }`,
	KindWebhook: `webhook: { connection: warehouse }`,
	KindPrefer:  `prefer: { location: berlin }`,
	KindExclude: `exclude: { location: berlin }`,
	KindReport:  `report: { kind: daily, to: ops@shop.example }`,
}

func (d *doc) action(a *Automation, k Kind, m *mapping) Action {
	what := "the step " + string(k)
	switch k {
	case KindHold:
		d.keys(m, what, "queue", "sla", "reason")
		return Hold{Queue: d.word(m, "queue"), SLA: d.sla(m), Reason: d.prose(m, "reason", true)}
	case KindRelease:
		d.keys(m, what)
		return Release{}
	case KindTag:
		d.keys(m, what, "tag")
		return Tag{Tag: d.required(m, "tag")}
	case KindMessage:
		d.keys(m, what, "template", "to", "purpose", "subject")
		return d.message(a, m)
	case KindTask:
		d.keys(m, what, "queue", "title", "sla", "options")
		return Task{Queue: d.word(m, "queue"), Title: d.required(m, "title"), SLA: d.sla(m), Options: d.options(m)}
	case KindWebhook:
		d.keys(m, what, "connection", "purpose")
		w := Webhook{Connection: d.word(m, "connection"), Purpose: a.Name}
		if _, ok := d.text(m, "purpose"); ok {
			w.Purpose = d.word(m, "purpose")
		}
		return w
	case KindPrefer:
		d.keys(m, what, "location")
		return Prefer{Location: d.required(m, "location")}
	case KindExclude:
		d.keys(m, what, "location")
		return Exclude{Location: d.required(m, "location")}
	default:
		d.keys(m, what, "kind", "to")
		r := Report{Kind: d.required(m, "kind"), To: d.recipient(a, m, false)}
		if r.Kind != "" && r.Kind != "daily" {
			d.add(m.at("kind"), "there is no report %q; available is daily", r.Kind)
		}
		return r
	}
}

func (d *doc) message(a *Automation, m *mapping) Action {
	msg := Message{Template: d.word(m, "template"), To: d.recipient(a, m, true), Subject: PerEvent}
	msg.Purpose = msg.Template
	if _, ok := d.text(m, "purpose"); ok {
		msg.Purpose = d.word(m, "purpose")
	}
	if strings.HasPrefix(a.On, "order.") {
		msg.Subject = PerOrder
	}
	if s, ok := d.text(m, "subject"); ok {
		msg.Subject = s
		switch {
		case s != PerOrder && s != PerEvent:
			d.add(m.at("subject"), "the subject is what one message stands for: order (one per order) or event (one each time), got %q", s)
		case s == PerOrder && !schema.IsOrderEvent(a.On):
			d.add(m.at("subject"), "%s has no order", a.On)
		}
	}
	return msg
}

// recipient reads `to`.
func (d *doc) recipient(a *Automation, m *mapping, customer bool) string {
	to := d.required(m, "to")
	switch {
	case to == "":
	case to == "owner":
		return a.Owner
	case to == ToCustomer && !customer:
		d.add(m.at("to"), "a report goes to a mail address or to owner")
	case to == ToCustomer && !schema.IsOrderEvent(a.On):
		d.add(m.at("to"), "%s has no customer; write a mail address or owner", a.On)
	case to != ToCustomer && !address(to):
		d.add(m.at("to"), "must be a mail address, owner or customer, got %q", to)
	}
	return to
}

func (d *doc) sla(m *mapping) time.Duration {
	s, ok := d.text(m, "sla")
	if !ok {
		return DefaultSLA
	}
	const longest = 90 * 24 * time.Hour
	v, err := rule.ParseDuration(s)
	switch {
	case err != nil:
		d.add(m.at("sla"), "%s", err)
	case v < time.Minute || v > longest:
		d.add(m.at("sla"), "the deadline must be between 1m and 90d, got %s", s)
	}
	return v
}

func (d *doc) options(m *mapping) []string {
	if m.at("options") == nil {
		return []string{"done"}
	}
	var out []string
	for _, n := range d.list(m, "options") {
		s, ok := d.scalar(n)
		switch {
		case !ok || !kebab(s):
			d.add(n, "an option is a lower-case word, like approve")
		case slices.Contains(out, s):
			d.add(n, "the option %s is given twice", s)
		default:
			out = append(out, s)
		}
	}
	if len(out) == 0 || len(out) > 10 {
		d.add(m.at("options"), "there must be 1 to 10 options")
	}
	return out
}
