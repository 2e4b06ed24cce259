package atlas

import (
	"cmp"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/schema"
)

// Core is the key of what Orderly decides by itself.
const Core = "orderly:Orderly"

// People is the system that stands for those who work in the console.
const People = "people"

// window is how many days the volumes are of at most.
const window = 30

func systemKey(name string) string { return string(System) + ":" + name }
func datumKey(name string) string  { return string(Datum) + ":" + name }
func queueKey(name string) string  { return string(Queue) + ":" + name }

// AutomationKey is the key of an automation's node.
func AutomationKey(name string) string { return string(Automation) + ":" + name }

// What the built-in decisions react to, and what they make.
var (
	coreReads  = []string{"order", "price", "payment", "stock level", "shipment", "tracking", "return", "product", "refund"}
	coreWrites = []string{"order state", "routing", "task", "alert", "document", "message"}
)

type builder struct {
	*Map
	edge map[[3]string]*Edge
}

// Build makes the map. The same input gives the same map.
func Build(in *Input) *Map {
	b := &builder{
		Map:  &Map{At: in.At, Shop: in.Shop, Currency: in.Currency, byKey: map[string]*Node{}, alias: map[string]string{}, in: in},
		edge: map[[3]string]*Edge{},
	}
	if in.Declared == nil {
		in.Declared = &Declared{}
	}
	b.Days = observed(in.Flows)
	b.names()
	b.data()
	b.systems()
	b.automations()
	b.core()
	b.flows()
	b.queues()
	b.prune()
	b.total()
	b.people()
	slices.SortFunc(b.Edges, func(a, c *Edge) int {
		return cmp.Or(cmp.Compare(a.From, c.From), cmp.Compare(a.To, c.To), cmp.Compare(a.Kind, c.Kind))
	})
	slices.SortStableFunc(b.Nodes, func(a, c *Node) int {
		return cmp.Or(cmp.Compare(a.Layer, c.Layer), cmp.Compare(a.Kind, c.Kind), cmp.Compare(a.Key, c.Key))
	})
	b.Gaps = gaps(b.Map)
	return b.Map
}

// observed is over how many days the volumes are spread: since the first flow, at most window.
func observed(fs []Flow) int {
	days := 1
	for _, f := range fs {
		days = max(days, f.Ago+1)
	}
	return min(days, window)
}

// names finds which sources and connections are one system.
func (b *builder) names() {
	for _, name := range sortedKeys(b.in.Declared.Systems) {
		s := b.in.Declared.Systems[name]
		for _, n := range s.Sources {
			b.alias[n] = name
		}
		for _, n := range s.Connections {
			b.alias[n] = name
		}
	}
}

// systemOf is the system that a source or a connection belongs to.
func (m *Map) systemOf(name string) string {
	switch {
	case m.alias[name] != "":
		return m.alias[name]
	case name == "console":
		return People
	}
	return name
}

func (b *builder) node(n Node) *Node {
	if have := b.byKey[n.Key]; have != nil {
		return have
	}
	b.byKey[n.Key] = &n
	b.Nodes = append(b.Nodes, &n)
	return &n
}

func (b *builder) system(name string) *Node {
	n := b.node(Node{Key: systemKey(b.systemOf(name)), Kind: System, Name: b.systemOf(name), Layer: Receivers})
	if !slices.Contains(n.names, name) {
		n.names = append(n.names, name)
	}
	return n
}

// link adds to an edge, which it makes when it is not there.
func (b *builder) link(from, to string, kind EdgeKind, what string, v Volume) *Edge {
	k := [3]string{from, to, string(kind)}
	e := b.edge[k]
	if e == nil {
		e = &Edge{From: from, To: to, Kind: kind}
		b.edge[k] = e
		b.Edges = append(b.Edges, e)
	}
	if i, found := slices.BinarySearch(e.What, what); what != "" && !found {
		e.What = slices.Insert(e.What, i, what)
	}
	e.Volume.add(v)
	return e
}

func (b *builder) data() {
	for _, d := range schema.Data() {
		n := Node{Key: datumKey(d.Name), Kind: Datum, Name: d.Name, Layer: Kept, Doc: d.Doc, Record: d.System, Set: true, shared: d.Shared}
		if d.Made {
			n.Layer = Made
		}
		decl := b.in.Declared.Data[d.Name]
		n.Owner, n.Notes = decl.Owner, decl.Notes
		if decl.System != "" {
			n.Record = decl.System
		}
		if decl.Shared != nil {
			n.shared = *decl.Shared
		}
		if n.Owner == "" && n.Record == schema.Core {
			n.Owner = b.in.OpsOwner
		}
		if n.Owner == "" && d.Name == "routing" {
			n.Owner = b.in.RoutingOwner
		}
		b.node(n)
	}
}

func (b *builder) systems() {
	for _, c := range b.in.Connections {
		n := b.system(c.Name)
		n.Set, n.Dead, n.Waiting = true, n.Dead+c.Dead, n.Waiting+c.Waiting
		n.Href = "/settings/connections/" + c.Name
		switch c.Kind {
		case "inbound":
			n.Sends, n.Layer = true, Senders
			n.detail("sends signed webhooks")
			if c.EventType != "" {
				for _, d := range schema.DataOfEvent(c.EventType) {
					b.link(n.Key, datumKey(d.Name), Sends, c.EventType, Volume{})
				}
			}
		case "smtp":
			n.Receives = true
			n.detail("takes mail")
		default:
			n.Receives = true
			n.detail("takes signed documents")
		}
	}
	for _, name := range sortedKeys(b.in.Declared.Systems) {
		s := b.in.Declared.Systems[name]
		n := b.node(Node{Key: systemKey(name), Kind: System, Name: name, Layer: Receivers})
		n.Set, n.Owner, n.Notes = true, s.Owner, s.Notes
		if name == People {
			n.Sends, n.Layer = true, Senders
			n.detail("work in the console")
		}
	}
}

// detail adds a word on what a system is.
func (n *Node) detail(s string) {
	switch {
	case n.Detail == "":
		n.Detail = s
	case !strings.Contains(n.Detail, s):
		n.Detail += ", " + s
	}
}

func (b *builder) automations() {
	for _, a := range b.in.Automations {
		n := b.node(Node{
			Key: AutomationKey(a.Name), Kind: Automation, Name: a.Name, Layer: Deciders, Doc: a.Why, Owner: a.Owner, Mode: string(a.Mode),
			On: a.On, Set: true, Href: "/automations/" + a.Name,
		})
		act := b.in.Acts[a.Name]
		v := Volume{N30: act.Fired, N7: b.in.Acts7[a.Name].Fired, PerDay: float64(act.Fired) / float64(b.Days), Last: act.Last}
		n.In = v
		for _, on := range triggersOf(a) {
			for i, d := range schema.DataOfEvent(on) {
				if i == 0 {
					e := b.link(datumKey(d.Name), n.Key, Triggers, on, v)
					e.Watched = e.Watched || a.Expect != nil
				}
			}
		}
		for _, d := range readsOf(a) {
			n.Reads = append(n.Reads, d)
			if b.edge[[3]string{datumKey(d), n.Key, string(Triggers)}] == nil {
				b.link(datumKey(d), n.Key, Reads, "", Volume{})
			}
		}
		did := map[string]bool{}
		for _, w := range writesOf(a) {
			if !slices.Contains(n.Writes, w.datum) {
				n.Writes = append(n.Writes, w.datum)
			}
			made := v
			if w.purpose != "" {
				made = Volume{} // what left is counted by itself
			}
			if _, twice := did[w.datum]; twice {
				made = Volume{} // two steps of one firing
			}
			did[w.datum] = true
			b.link(n.Key, datumKey(w.datum), Writes, string(w.step), made)
			switch {
			case w.connection != "":
				to := b.system(w.connection)
				to.Receives = true
				b.link(datumKey(w.datum), to.Key, Leaves, w.purpose, Volume{})
			case w.datum == "message" && b.in.Mail != "":
				to := b.system(b.in.Mail)
				to.Receives = true
				b.link(datumKey("message"), to.Key, Leaves, w.purpose, Volume{})
			case w.queue != "":
				b.queue(w.queue)
				b.link(datumKey("task"), queueKey(w.queue), Leaves, string(w.step), made)
			}
		}
		slices.Sort(n.Writes)
	}
}

// triggersOf are the event types that an automation begins or goes on with.
func triggersOf(a *automation.Automation) []string {
	out := []string{a.On}
	if a.Absence != nil {
		out = []string{a.Absence.After, a.Absence.Of}
	}
	a.Each(func(s *automation.Step) {
		if w, ok := s.Action.(automation.WaitFor); ok && !slices.Contains(out, w.Event) {
			out = append(out, w.Event)
		}
	})
	return out
}

// readsOf are the data that an automation looks at.
func readsOf(a *automation.Automation) []string {
	fields, counts := a.StepReads()
	if a.Condition != nil {
		fields = append(slices.Clone(fields), a.Condition.Fields()...)
		counts = append(counts, a.Condition.Velocities()...)
	}
	var out []string
	add := func(name string) {
		if d, ok := schema.DatumOfField(name); ok && !slices.Contains(out, d.Name) {
			out = append(out, d.Name)
		}
	}
	for _, f := range fields {
		add(f)
	}
	if len(counts) > 0 {
		add("velocity")
	}
	slices.Sort(out)
	return out
}

// write is one thing that an automation makes.
type write struct {
	datum, connection, purpose, queue string
	step                              automation.Kind
}

// writesOf are the data that the steps of an automation make, and where they go.
func writesOf(a *automation.Automation) []write {
	var out []write
	a.Each(func(s *automation.Step) {
		for _, name := range s.Kind.Spec().Writes {
			d, ok := schema.DatumOfWrite(name)
			if !ok {
				continue
			}
			w := write{datum: d.Name, step: s.Kind}
			switch x := s.Action.(type) {
			case automation.Webhook:
				w.connection, w.purpose = x.Connection, cmp.Or(x.Purpose, a.Name)
			case automation.Call:
				if d.Name == "document" {
					w.connection, w.purpose = x.Connection, cmp.Or(x.Purpose, a.Name)
				}
			case automation.Message:
				w.purpose = cmp.Or(x.Purpose, x.Template)
			case automation.Report:
				w.purpose = x.Kind + "-report"
			case automation.Hold:
				if d.Name == "task" {
					w.queue = x.Queue
				}
			case automation.Task:
				w.queue = x.Queue
			case automation.Ask:
				w.queue = x.Queue
			case automation.Cancel, automation.Refund:
				if d.Name == "task" {
					w.queue = "finance"
				}
			case automation.Escalate:
				if strings.Contains(x.To, "@") != (d.Name == "message") {
					continue // it tells a person, or gives the tasks to a queue
				}
				if d.Name == "task" {
					w.queue = x.To
				} else {
					w.purpose = "escalation"
				}
			}
			out = append(out, w)
		}
	})
	return out
}

func (b *builder) queue(name string) *Node {
	decl := b.in.Declared.Queues[name]
	return b.node(Node{
		Key: queueKey(name), Kind: Queue, Name: name, Layer: Receivers, Owner: decl.Owner, Notes: decl.Notes, Detail: "people decide", Set: true,
		Receives: true, Waiting: b.in.Queues[name], Href: "/review?queue=" + name,
	})
}

// core is what Orderly decides by itself, and the connections of shop.yaml and of the locations.
func (b *builder) core() {
	b.node(Node{
		Key: Core, Kind: Builtin, Name: "Orderly", Layer: Deciders, Doc: "What is built in: reserving stock, routing, settling an order's state, incidents.",
		Owner: b.in.OpsOwner, Set: true, Reads: coreReads, Writes: coreWrites, Detail: "built in",
	})
	for _, d := range coreReads {
		b.link(datumKey(d), Core, Triggers, "", Volume{})
	}
	for _, d := range coreWrites {
		b.link(Core, datumKey(d), Writes, "", Volume{})
	}
	to := func(datum, connection, purpose string) {
		if connection != "" {
			n := b.system(connection)
			n.Receives = true
			b.link(datumKey(datum), n.Key, Leaves, purpose, Volume{})
		}
	}
	to("document", b.in.Fulfilment, "fulfilment")
	for _, l := range b.in.Locations {
		to("document", l.Connection, "fulfilment")
	}
	for _, name := range b.in.Alerts {
		to("alert", name, "alert")
	}
	if b.in.OpsOwner != "" {
		to("alert", b.in.Mail, "alert")
	}
}

// madeBy is what an effect of a purpose to a destination is: a message, a document or an alert.
func (b *builder) madeBy(purpose, destination string) string {
	if purpose == "alert" {
		return "alert"
	}
	for _, c := range b.in.Connections {
		if c.Name == destination && c.Kind == "smtp" {
			return "message"
		}
	}
	if destination == b.in.Mail {
		return "message"
	}
	return "document"
}

// flows puts what was observed on the map.
func (b *builder) flows() {
	for _, f := range b.in.Flows {
		if f.Ago >= window {
			continue
		}
		v := Volume{N30: f.N, PerDay: float64(f.N) / float64(b.Days), Orders: f.Orders, Minor: f.Minor, Last: f.Last}
		if f.Ago < 7 {
			v.N7 = f.N
		}
		n := b.system(f.System)
		if f.Out {
			n.Receives = true
			made := b.madeBy(f.What, f.System)
			b.link(datumKey(made), n.Key, Leaves, f.What, v)
			from := Core
			if f.Via != "" && b.byKey[AutomationKey(f.Via)] != nil {
				from = AutomationKey(f.Via)
			}
			b.link(from, datumKey(made), Writes, f.What, v)
			b.byKey[from].Out.add(v)
			n.Out.add(v)
			continue
		}
		n.Sends, n.Layer = true, Senders
		switch {
		case f.System == "console":
			n.detail("work in the console")
			n.Set = true
		case strings.HasPrefix(f.System, "import:"):
			n.detail("files")
		case !n.Set:
			n.detail("calls the API")
		}
		if f.Via != "" && !slices.Contains(n.names, "token:"+f.Via) {
			n.names = append(n.names, "token:"+f.Via)
		}
		n.In.add(v)
		core := b.byKey[Core]
		core.In.add(v)
		for _, d := range schema.DataOfEvent(f.What) {
			e := b.link(n.Key, datumKey(d.Name), Sends, f.What, v)
			e.Watched = e.Watched || b.in.Watched[f.What] != "" || b.in.Heard[f.System]
			if slices.Contains(coreReads, d.Name) {
				b.link(datumKey(d.Name), Core, Triggers, f.What, v)
			}
		}
		if f.What == "order.placed" {
			b.link(Core, datumKey("order state"), Writes, "", v)
			b.link(Core, datumKey("routing"), Writes, "", v)
		}
	}
}

func (b *builder) queues() {
	for _, q := range sortedKeys(b.in.Queues) {
		b.queue(q)
		b.link(datumKey("task"), queueKey(q), Leaves, "", Volume{})
	}
	for _, e := range b.Edges {
		if n := b.byKey[e.To]; n.Kind == Queue {
			n.Out.add(e.Volume)
		}
	}
	if slices.ContainsFunc(b.in.Automations, func(a *automation.Automation) bool { return a.Schedule != nil || a.On == "day.ended" }) {
		b.node(Node{Key: systemKey("clock"), Kind: System, Name: "clock", Layer: Senders, Sends: true, Set: true, Owner: b.in.OpsOwner, Detail: "built in"})
		b.link(systemKey("clock"), datumKey("calendar"), Sends, "", Volume{})
	}
}

// prune takes away data that nothing on this map touches, and edges to them.
func (b *builder) prune() {
	touched := map[string]bool{}
	for _, e := range b.Edges {
		if e.From != Core && e.To != Core {
			touched[e.From], touched[e.To] = true, true
		}
	}
	gone := func(n *Node) bool {
		_, declared := b.in.Declared.Data[n.Name]
		keep := touched[n.Key] || declared || n.Name == "stock level" || n.Name == "order state" || n.Name == "product" && b.in.Products
		return n.Kind == Datum && !keep
	}
	b.Nodes = slices.DeleteFunc(b.Nodes, func(n *Node) bool {
		if gone(n) {
			delete(b.byKey, n.Key)
			return true
		}
		return false
	})
	b.Edges = slices.DeleteFunc(b.Edges, func(e *Edge) bool { return b.byKey[e.From] == nil || b.byKey[e.To] == nil })
}

// total gives every datum and queue the volume of its edges.
func (b *builder) total() {
	for _, e := range b.Edges {
		if to := b.byKey[e.To]; to.Kind == Datum && (e.Kind == Sends || e.Kind == Writes) {
			to.In.add(e.Volume)
		}
		if from := b.byKey[e.From]; from.Kind == Datum && e.Kind == Leaves {
			from.Out.add(e.Volume)
		}
	}
}

func (b *builder) people() {
	owns := map[string][]string{}
	for _, n := range b.Nodes {
		if n.Owner != "" {
			owns[n.Owner] = append(owns[n.Owner], n.Key)
		}
	}
	if b.in.OpsOwner != "" && owns[b.in.OpsOwner] == nil {
		owns[b.in.OpsOwner] = []string{}
	}
	for _, mail := range sortedKeys(owns) {
		slices.Sort(owns[mail])
		b.People = append(b.People, Person{Mail: mail, Account: b.account(mail), Owns: owns[mail]})
	}
}

func (m *Map) account(mail string) string {
	open, ok := m.in.Accounts[strings.ToLower(mail)]
	switch {
	case open:
		return "open"
	case ok:
		return "closed"
	}
	return "none"
}
