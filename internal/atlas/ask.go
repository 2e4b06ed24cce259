package atlas

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
)

// Find returns the node that a person means: by key, by name, by a name that a system goes by. kinds
// narrow it; none is any. A name that fits nothing is a fault.NotFound that says what was likely meant.
func (m *Map) Find(name string, kinds ...Kind) (*Node, error) {
	const op = "atlas.Find"
	name = strings.TrimSpace(name)
	if n := m.byKey[name]; n != nil && (len(kinds) == 0 || slices.Contains(kinds, n.Kind)) {
		return n, nil
	}
	var fits []*Node
	var known []string
	for _, n := range m.Nodes {
		if len(kinds) > 0 && !slices.Contains(kinds, n.Kind) {
			continue
		}
		known = append(known, n.Name)
		if strings.EqualFold(n.Name, name) || slices.Contains(n.names, name) {
			fits = append(fits, n)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return nil, fault.New(fault.NotFound, op, "there is no %q on the map%s", name, didYouMean(name, known))
	}
	var keys []string
	for _, n := range fits {
		keys = append(keys, n.Key)
	}
	return nil, fault.New(fault.Invalid, op, "%q is several things; name one: %s", name, strings.Join(keys, ", "))
}

// Effect is one thing that stops, or does less, when something else is down.
type Effect struct {
	Key    string  `json:"key"` // of the node; events carry the datum they are about
	Kind   string  `json:"kind"`
	Name   string  `json:"name"`
	Share  float64 `json:"share"` // of it that stops, 0 to 1
	PerDay float64 `json:"per_day"`
	Why    string  `json:"why"`
	Depth  int     `json:"depth"` // 1 stops at once, 2 because of it …
}

// Impact is what stops when something is down.
type Impact struct {
	Of      *Node    `json:"of"`
	Stops   []Effect `json:"stops"`
	Events  float64  `json:"events_per_day"`  // that no longer come in
	Effects float64  `json:"effects_per_day"` // that wait, or are no longer made
	Orders  float64  `json:"orders_per_day"`  // at stake
	Minor   int64    `json:"money_per_day"`   // their totals, minor units of the shop's currency
	Days    int      `json:"days_observed"`
}

// stopper works out what stops.
type stopper struct {
	*Map
	types map[string]float64 // share of each event type that no longer comes
	autos map[string]float64
	docs  map[[2]string]float64 // (datum, system): share of what goes there that is not made
	sys   map[string]float64    // systems that answer less, as they are asked less
	out   map[string]*Effect
	depth int
	down  *Node
	moved bool
}

// Impact says what stops when a node is down, through everything that follows.
func (m *Map) Impact(n *Node) *Impact {
	s := &stopper{Map: m, depth: 1, types: map[string]float64{}, autos: map[string]float64{}, docs: map[[2]string]float64{}, sys: map[string]float64{}, out: map[string]*Effect{}, down: n}
	imp := &Impact{Of: n, Days: m.Days, Stops: []Effect{}}
	switch n.Kind {
	case System:
		s.systemDown(n)
	case Automation:
		s.autos[n.Key] = 1
	case Datum:
		for _, e := range m.From(n.Key) {
			if e.Kind == Triggers {
				s.automation(m.byKey[e.To], 1, n.Name+" is missing")
			}
			if e.Kind == Leaves {
				s.say(m.byKey[e.To], 1, e.Volume.PerDay, "gets no "+n.Name)
			}
		}
		for _, e := range m.From(n.Key) {
			if e.Kind == Reads {
				s.say(m.byKey[e.To], 1, m.byKey[e.To].In.PerDay, "its condition reads "+n.Name+", and stays unknown")
			}
		}
	case Builtin:
		for _, x := range m.Nodes {
			if x.Kind == Automation && x.Mode != string(automation.Draft) && x.Mode != string(automation.Paused) {
				s.automation(x, 1, "Orderly decides for it")
			}
		}
	case Queue:
		for _, a := range m.Nodes {
			if a.Kind == Automation && m.fillsQueue(a, n) {
				s.say(a, 1, a.In.PerDay, "its work waits in the queue")
			}
		}
	}
	for range 12 {
		s.moved = false
		s.spread()
		if !s.moved {
			break
		}
	}
	for _, k := range sortedKeys(s.out) {
		if k != n.Key {
			imp.Stops = append(imp.Stops, *s.out[k])
		}
	}
	slices.SortStableFunc(imp.Stops, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(a.Depth, b.Depth), cmp.Compare(b.Share, a.Share), cmp.Compare(b.PerDay, a.PerDay), cmp.Compare(a.Key, b.Key))
	})
	s.stake(imp)
	return imp
}

func (m *Map) fillsQueue(a, q *Node) bool {
	for _, x := range m.in.Automations {
		if x.Name == a.Name {
			return slices.ContainsFunc(writesOf(x), func(w write) bool { return w.queue == q.Name })
		}
	}
	return false
}

// systemDown takes away what a system sends, and lets what goes to it wait.
func (s *stopper) systemDown(n *Node) {
	s.eventsOf(n, 1, n.Name+" sends nothing")
	for _, e := range s.To(n.Key) {
		if e.Kind != Leaves {
			continue
		}
		d := s.byKey[e.From]
		s.say(d, share(e.Volume.PerDay, d.Out.PerDay), e.Volume.PerDay, "waits until "+n.Name+" is back ("+strings.Join(e.What, ", ")+")")
		for _, a := range s.in.Automations {
			for _, w := range writesOf(a) {
				if w.datum != d.Name || !s.reaches(w, n) {
					continue
				}
				at := s.byKey[AutomationKey(a.Name)]
				if w.step == automation.KindCall {
					s.automation(at, 1, "it waits for the answer of "+n.Name)
					continue
				}
				s.say(at, 1, at.In.PerDay, "what it sends to "+n.Name+" waits")
			}
		}
	}
}

// reaches reports whether what a step makes goes to a system.
func (s *stopper) reaches(w write, n *Node) bool {
	if w.connection != "" {
		return slices.Contains(n.names, w.connection)
	}
	return w.datum == "message" && s.in.Mail != "" && slices.Contains(n.names, s.in.Mail)
}

// eventsOf takes a share of what a system sends away.
func (s *stopper) eventsOf(n *Node, part float64, why string) {
	if part <= s.sys[n.Key]+1e-9 {
		return
	}
	s.sys[n.Key] = part
	s.moved = true
	sent := s.sentBy(n)
	types := sortedKeys(sent)
	slices.SortStableFunc(types, func(a, b string) int { return cmp.Compare(sent[b], sent[a]) }) // the main reason first
	lost := map[string]float64{}
	for _, typ := range types {
		all := 0.0
		for _, x := range s.Nodes {
			if x.Kind == System {
				all += s.sentBy(x)[typ]
			}
		}
		lost[typ] = part * share(sent[typ], all)
		s.lose(typ, lost[typ], why, sent[typ]*part)
	}
	for _, typ := range types {
		for _, next := range schema.Follows(typ) {
			s.derived(next, lost[typ])
		}
	}
}

// derived takes away what follows from a type, and what follows from that.
func (s *stopper) derived(typ string, part float64) {
	if part <= s.types[typ]+1e-9 {
		return
	}
	s.types[typ], s.moved = part, true // of the data it is about, most goes on
	for _, next := range schema.Follows(typ) {
		s.derived(next, part)
	}
}

// sentBy is how many events of each type a system sends a day; one that is only configured counts as a little.
func (s *stopper) sentBy(n *Node) map[string]float64 {
	out := map[string]float64{}
	for _, f := range s.in.Flows {
		if !f.Out && f.Ago < window && slices.Contains(n.names, f.System) {
			out[f.What] += float64(f.N) / float64(s.Days)
		}
	}
	for _, c := range s.in.Connections {
		if c.Kind == "inbound" && c.EventType != "" && slices.Contains(n.names, c.Name) && out[c.EventType] == 0 {
			out[c.EventType] = 1e-6
		}
	}
	return out
}

func share(part, all float64) float64 {
	if all <= 0 {
		return 1
	}
	return min(1, part/all)
}

// lose takes a share of an event type away.
func (s *stopper) lose(typ string, part float64, why string, perDay float64) {
	if part <= s.types[typ]+1e-9 {
		return
	}
	s.types[typ] = part
	s.moved = true
	for _, d := range schema.DataOfEvent(typ) {
		if n := s.byKey[datumKey(d.Name)]; n != nil {
			s.say(n, part, perDay, why+": no "+typ)
			break
		}
	}
}

// spread goes one step on: from events to automations, from those to what they send, from there to who answers.
func (s *stopper) spread() {
	s.depth++ // what was said so far is the depth before
	for _, a := range s.in.Automations {
		n := s.byKey[AutomationKey(a.Name)]
		if s.types[a.On] > 0 {
			s.automation(n, s.types[a.On], "no "+a.On)
		}
		if x := a.Absence; x != nil && s.types[x.After] > 0 {
			s.automation(n, s.types[x.After], "no "+x.After)
		}
	}
	s.depth++
	for _, a := range s.in.Automations {
		part := s.autos[AutomationKey(a.Name)]
		if part == 0 {
			continue
		}
		for _, w := range writesOf(a) {
			for _, x := range s.Nodes {
				if x.Kind == System && x != s.down && s.reaches(w, x) {
					s.less(w.datum, x, w.purpose, a.Name, part, "no "+w.datum+" from "+a.Name)
				}
				if x.Kind == Queue && w.queue == x.Name {
					s.say(x, part, s.byKey[AutomationKey(a.Name)].In.PerDay*part, "no work from "+a.Name)
				}
			}
		}
		for _, typ := range followsOf(a) {
			s.derived(typ, part)
		}
	}
	// What Orderly asks for by itself follows from orders.
	if part := max(s.types["order.ready"], s.types["order.placed"]); part > 0 {
		for _, e := range s.From(datumKey("document")) {
			if x := s.byKey[e.To]; e.Kind == Leaves && slices.Contains(e.What, "fulfilment") && x != s.down {
				s.less("document", x, "fulfilment", "", part, "no orders to fulfil")
			}
		}
	}
}

// followsOf are the events that an automation leads to by its steps.
func followsOf(a *automation.Automation) []string {
	var out []string
	a.Each(func(st *automation.Step) {
		for _, typ := range st.Kind.Follows() {
			if typ != "effect.failed" && typ != "task.overdue" && !slices.Contains(out, typ) {
				out = append(out, typ)
			}
		}
	})
	return out
}

// less lets a system get less, and so answer less.
func (s *stopper) less(datum string, to *Node, purpose, via string, part float64, why string) {
	k := [2]string{datum + "/" + via, to.Key}
	if part <= s.docs[k]+1e-9 {
		return
	}
	s.docs[k] = part
	s.moved = true
	n := 0.0
	for _, f := range s.in.Flows {
		if f.Out && f.Ago < window && f.Via == via && (via != "" || f.What == purpose) && slices.Contains(to.names, f.System) {
			n += float64(f.N) / float64(s.Days)
		}
	}
	if e := s.out[to.Key]; e != nil {
		e.PerDay += n * part
	}
	s.say(to, part, n*part, why)
	if datum == "document" && to.Sends {
		s.eventsOf(to, part, to.Name+" has nothing to answer")
	}
}

func (s *stopper) automation(n *Node, part float64, why string) {
	if n == nil || part <= s.autos[n.Key]+1e-9 || n.Mode == string(automation.Draft) || n.Mode == string(automation.Paused) {
		return
	}
	s.autos[n.Key] = part
	s.moved = true
	s.say(n, part, n.In.PerDay*part, why)
}

// say notes that something stops. What is known of it already stays, but for a larger share.
func (s *stopper) say(n *Node, part, perDay float64, why string) {
	if n == nil || n == s.down {
		return
	}
	if e := s.out[n.Key]; e != nil {
		e.Share, e.PerDay = max(e.Share, part), max(e.PerDay, perDay)
		return
	}
	s.out[n.Key] = &Effect{Key: n.Key, Kind: string(n.Kind), Name: n.Name, Share: part, PerDay: perDay, Why: why, Depth: s.depth}
}

// stake adds up what is lost a day.
func (s *stopper) stake(imp *Impact) {
	type sum struct{ n, orders, minor int64 }
	in, out, placed := sum{}, map[string]sum{}, sum{}
	for _, f := range s.in.Flows {
		if f.Ago >= window {
			continue
		}
		n := s.byKey[systemKey(s.systemOf(f.System))]
		switch {
		case n == nil:
		case !f.Out && (s.sys[n.Key] > 0 || s.down.Kind == Builtin):
			part := max(s.sys[n.Key], 0)
			if s.down.Kind == Builtin {
				part = 1
			}
			in.n += scale(f.N, part)
			if f.What == "order.placed" {
				placed.orders += scale(f.Orders, part)
				placed.minor += scale(f.Minor, part)
			}
		case f.Out:
			part := s.autos[AutomationKey(f.Via)]
			if n == s.down || s.down.Kind == Builtin {
				part = 1
			} else if f.Via == "" && f.What == "fulfilment" {
				part = max(s.types["order.placed"], s.types["order.ready"])
			}
			if part > 0 {
				o := out[f.What]
				out[f.What] = sum{o.n + scale(f.N, part), o.orders + scale(f.Orders, part), o.minor + scale(f.Minor, part)}
			}
		}
	}
	most := placed
	all := int64(0)
	for _, o := range out {
		all += o.n
		if o.orders > most.orders {
			most = o
		}
	}
	per := func(n int64) float64 { return float64(n) / float64(s.Days) }
	imp.Events, imp.Effects, imp.Orders, imp.Minor = per(in.n), per(all), per(most.orders), most.minor/int64(s.Days)
}

func scale(n int64, part float64) int64 { return int64(float64(n)*part + 0.5) }

// Writer is one who changes a datum.
type Writer struct {
	Key    string   `json:"key"`
	Kind   string   `json:"kind"`
	Name   string   `json:"name"`
	By     []string `json:"by"` // event types, or kinds of steps
	Owner  string   `json:"owner,omitempty"`
	Volume Volume   `json:"volume"`
}

// Writers says who writes a datum, the busiest first.
func (m *Map) Writers(d *Node) []Writer {
	out := []Writer{}
	for _, e := range m.To(d.Key) {
		if e.Kind != Sends && e.Kind != Writes {
			continue
		}
		n := m.byKey[e.From]
		out = append(out, Writer{Key: n.Key, Kind: string(n.Kind), Name: n.Name, By: e.What, Owner: n.Owner, Volume: e.Volume})
	}
	slices.SortStableFunc(out, func(a, b Writer) int {
		return cmp.Or(cmp.Compare(b.Volume.N30, a.Volume.N30), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Unowned returns what nobody answers for: nodes without an owner, and those whose owner's account is closed.
func (m *Map) Unowned() []*Node {
	out := []*Node{}
	for _, n := range m.Nodes {
		open, known := m.in.Accounts[strings.ToLower(n.Owner)]
		if n.Owner == "" || known && !open {
			out = append(out, n)
		}
	}
	return out
}

// Dependence is what depends on a person.
type Dependence struct {
	Mail    string   `json:"mail"`
	Account string   `json:"account"`
	Owns    []*Node  `json:"owns"`
	Told    []string `json:"told"`   // what is sent to them
	Tokens  []string `json:"tokens"` // API tokens they made
	Tasks   int64    `json:"open_tasks"`
	Minor   int64    `json:"money_per_day"` // of the orders that pass what they own
	Orders  float64  `json:"orders_per_day"`
}

// PersonOf says what depends on a person. A person nothing depends on is a fault.NotFound.
func (m *Map) PersonOf(mail string) (*Dependence, error) {
	const op = "atlas.PersonOf"
	var known []string
	d := &Dependence{Mail: mail, Owns: []*Node{}, Told: []string{}, Tokens: []string{}, Account: m.account(mail)}
	same := func(who string) bool {
		if who != "" && !slices.Contains(known, who) {
			known = append(known, who)
		}
		return strings.EqualFold(who, mail)
	}
	for _, n := range m.Nodes {
		if !same(n.Owner) {
			continue
		}
		d.Owns = append(d.Owns, n)
		if v := n.In; v.Orders > 0 && n.Kind == System && float64(v.Orders)/float64(m.Days) > d.Orders {
			d.Orders, d.Minor = float64(v.Orders)/float64(m.Days), v.Minor/int64(m.Days)
		}
	}
	if same(m.in.OpsOwner) {
		d.Told = append(d.Told, "incidents that nobody else owns")
	}
	for _, a := range m.in.Automations {
		a.Each(func(s *automation.Step) {
			switch x := s.Action.(type) {
			case automation.Message:
				if same(x.To) {
					d.Told = append(d.Told, fmt.Sprintf("%s, by %s", cmp.Or(x.Purpose, x.Template), a.Name))
				}
			case automation.Report:
				if same(x.To) {
					d.Told = append(d.Told, fmt.Sprintf("the %s report, by %s", x.Kind, a.Name))
				}
			case automation.Escalate:
				if same(x.To) {
					d.Told = append(d.Told, "escalations of "+a.Name)
				}
			}
		})
	}
	for _, t := range m.in.Tokens {
		if same(t.By) {
			d.Tokens = append(d.Tokens, t.Name)
		}
	}
	for _, who := range sortedKeys(m.in.Assigned) {
		if same(who) {
			d.Tasks += m.in.Assigned[who]
		}
	}
	for _, who := range sortedKeys(m.in.Accounts) {
		same(who)
	}
	if len(d.Owns)+len(d.Told)+len(d.Tokens) == 0 && d.Tasks == 0 && d.Account == "none" {
		return nil, fault.New(fault.NotFound, op, "nothing depends on %s%s", mail, didYouMean(mail, known))
	}
	return d, nil
}
