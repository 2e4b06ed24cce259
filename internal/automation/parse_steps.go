package automation

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// later are steps of the language that this version cannot perform. They are
// refused by name: accepted and not done would be worse than an error.
var later = []string{"parallel", "approve", "run", "retry", "capture", "reorder", "assign", "return"}

// shorthand is the argument that `- tag: vip` and its like give without a mapping.
var shorthand = map[Kind]string{
	KindTag: "tag", KindPrefer: "location", KindExclude: "location", KindWebhook: "connection",
	KindWait: "for", KindEscalate: "to", KindCancel: "reason",
}

// place is where in the steps the parser stands: what has a name there, and what is possible.
type place struct {
	scope rule.Scope
	depth int
	loop  bool // inside a for_each
}

func (d *doc) steps(a *Automation, root *mapping) {
	d.count, d.tasks = 0, false
	a.Steps = d.stepsAt(a, root, "do", &place{})
}

// stepsAt reads the list of steps under a key.
func (d *doc) stepsAt(a *Automation, m *mapping, key string, p *place) []Step {
	list := d.list(m, key)
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		d.add(m.at(key), "%s needs at least one step: %s", key, kindNames())
	}
	if p.depth > maxInside {
		d.add(m.at(key), "steps stand inside steps more than %d deep; split it into several automations", maxInside)
		return nil
	}
	if d.count += len(list); d.count > maxSteps {
		if d.count-len(list) <= maxSteps {
			d.add(m.at(key), "there are more than %d steps; split it into several automations", maxSteps)
		}
		return nil
	}
	var out []Step
	for _, n := range list {
		if s, ok := d.step(a, n, p); ok {
			out = append(out, s)
		}
	}
	return out
}

// inside reads a list of steps inside a step. Names given there are not known after it.
func (d *doc) inside(a *Automation, m *mapping, key string, p *place) []Step {
	in := *p
	in.scope = slices.Clip(p.scope)
	in.depth++
	return d.stepsAt(a, m, key, &in)
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// step reads one item of a list of steps: a mapping of one key, the bare name of
// a step that needs nothing, or one of the steps that have several keys.
func (d *doc) step(a *Automation, n node, p *place) (Step, bool) {
	name, args, several := d.named(n)
	if name == "" {
		d.add(n, "a step is one of %s, written like - tag: gift", kindNames())
		return Step{}, false
	}
	k := Kind(name)
	spec, known := specs[k]
	if !known {
		if slices.Contains(later, name) {
			d.add(n, "the step %s is not available yet; available are %s", name, kindNames())
		} else {
			d.add(n, "there is no step %s%s", name, meantOr(name, strings.Split(kindNames(), ", "), "available are"))
		}
		return Step{}, false
	}
	if spec.NeedsOrder && !schema.IsOrderEvent(a.On) {
		d.add(n, "%s needs an order, and %s has none", name, triggerName(a))
	}
	if spec.On != nil && !slices.Contains(spec.On, a.On) {
		d.add(n, "%s is only available on %s", name, strings.Join(spec.On, ", "))
	}
	m := several
	if m == nil {
		if m = d.args(k, n, args); m == nil {
			return Step{}, false
		}
	}
	line, _ := d.pos(n)
	d.keys(m, "the step "+name, argNames(k)...)
	d.reference(a, k, m)
	return Step{Kind: k, Action: d.action(a, k, m, p), Line: line}, true
}

// triggerName is the trigger in the words of the text.
func triggerName(a *Automation) string {
	if a.On == OnSchedule {
		return "schedule"
	}
	return a.On
}

// named returns the name of a step and its arguments. For a step that is written
// with several keys, the mapping as a whole are its arguments.
func (d *doc) named(n node) (name string, args node, several *mapping) {
	if s, ok := d.scalar(n); ok {
		return s, nil, nil
	}
	m := d.asMapping(n)
	if m == nil || len(m.names) == 0 {
		return "", nil, nil
	}
	for _, k := range []Kind{KindIf, KindForEach} {
		if slices.Contains(m.names, string(k)) {
			return string(k), nil, m
		}
	}
	if len(m.names) > 1 {
		return "", nil, nil
	}
	return m.names[0], m.values[m.names[0]], nil
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
	KindHold:     `hold: { queue: risk, sla: 4h, reason: "large first order" }`,
	KindRelease:  `release: {}`,
	KindTag:      `tag: gift`,
	KindMessage:  `message: { template: order-confirmation, to: customer }`,
	KindTask:     `task: { queue: support, title: "Call the customer", sla: 1d }`,
	KindWebhook:  `webhook: { connection: warehouse }`,
	KindPrefer:   `prefer: { location: berlin }`,
	KindExclude:  `exclude: { location: berlin }`,
	KindReport:   `report: { kind: daily, to: ops@shop.example }`,
	KindCancel:   `cancel: { reason: "not paid in time" }`,
	KindRefund:   `refund: { reason: "arrived broken" }`,
	KindEscalate: `escalate: { to: ops-lead }`,
	KindIf:       `{ if: order.units > 10, then: [ { tag: large } ], else: [ { tag: small } ] }`,
	KindForEach:  `{ for_each: order.lines, as: l, when: l.qty > 10, do: [ { tag: bulk } ] }`,
	KindSet:      `set: { name: worth, value: order.total - order.shipping_cost }`,
	KindWait:     `wait: 2d`,
	KindWaitFor:  `wait_for: { event: order.paid, for: 3d, else: [ { tag: unpaid } ] }`,
	KindAsk:      `ask: { queue: support, title: "Ship in two parcels?", options: [split, wait], as: answer }`,
	KindCall:     `call: { connection: scorer, as: score, returns: { points: int }, for: 10m }`,
	KindStop:     `stop: {}`,
}

func (d *doc) action(a *Automation, k Kind, m *mapping, p *place) Action {
	switch k {
	case KindHold:
		return Hold{Queue: d.word(m, "queue"), SLA: d.sla(m), Reason: d.prose(m, "reason", true)}
	case KindRelease:
		return Release{}
	case KindTag:
		return Tag{Tag: d.required(m, "tag")}
	case KindMessage:
		return d.message(a, m)
	case KindTask:
		d.tasks = true
		return Task{Queue: d.word(m, "queue"), Title: d.required(m, "title"), SLA: d.sla(m), Options: d.options(m)}
	case KindWebhook:
		return Webhook{Connection: d.word(m, "connection"), Purpose: d.purpose(a, m)}
	case KindPrefer:
		return Prefer{Location: d.required(m, "location")}
	case KindExclude:
		return Exclude{Location: d.required(m, "location")}
	case KindReport:
		r := Report{Kind: d.required(m, "kind"), To: d.recipient(a, m, false)}
		if r.Kind != "" && r.Kind != "daily" {
			d.add(m.at("kind"), "there is no report %q; available is daily", r.Kind)
		}
		return r
	case KindCancel:
		return Cancel{Reason: d.prose(m, "reason", true)}
	case KindRefund:
		return Refund{Amount: d.amount(m, "amount"), Reason: d.prose(m, "reason", true)}
	case KindEscalate:
		return Escalate{To: d.escalateTo(a, m)}
	}
	return d.flow(a, k, m, p)
}

func (d *doc) purpose(a *Automation, m *mapping) string {
	if _, ok := d.text(m, "purpose"); ok {
		return d.word(m, "purpose")
	}
	return a.Name
}

func (d *doc) amount(m *mapping, key string) money.Amount {
	s, ok := d.text(m, key)
	if !ok {
		return money.Amount{}
	}
	amount, err := money.ParseText(s)
	switch {
	case err != nil:
		d.add(m.at(key), "%s", err)
	case amount.Minor <= 0:
		d.add(m.at(key), "must be above zero, got %s", s)
	}
	return amount
}

func (d *doc) escalateTo(a *Automation, m *mapping) string {
	to := d.required(m, "to")
	switch {
	case to == "owner":
		return a.Owner
	case to != "" && !kebab(to) && !address(to):
		d.add(m.at("to"), "must be a queue like ops-lead, a mail address or owner, got %q", to)
	}
	return to
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
			d.add(m.at("subject"), "%s has no order", triggerName(a))
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
		d.add(m.at("to"), "%s has no customer; write a mail address or owner", triggerName(a))
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
