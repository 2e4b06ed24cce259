package atlas

import (
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/schema"
)

// Gap is something on the map that a person should know.
type Gap struct {
	Kind    GapKind  `json:"kind"`
	Warning bool     `json:"warning"` // otherwise it is a note
	Nodes   []string `json:"nodes"`
	Message string   `json:"message"`
	Remedy  string   `json:"remedy"`
}

// GapKind is what a gap is about.
type GapKind string

// The kinds of gaps.
const (
	TwoWriters  GapKind = "two writers"      // of a datum that has one system of record
	Foreign     GapKind = "foreign record"   // written by somebody who is not the system of record
	Circle      GapKind = "circle"           // systems answer each other through automations
	Ownerless   GapKind = "no owner"         // nobody answers for it
	Unwatched   GapKind = "nobody watches"   // nobody notices when it stops
	Unreachable GapKind = "not there"        // named, and not configured
	Silent      GapKind = "nothing observed" // configured, and nothing ever came
)

func gaps(m *Map) []Gap {
	out := []Gap{}
	out = append(out, twoWriters(m)...)
	out = append(out, foreign(m)...)
	out = append(out, circles(m)...)
	out = append(out, ownerless(m)...)
	out = append(out, unwatched(m)...)
	return append(out, notThere(m)...)
}

// outsiders are the systems that write a datum, people in the console left out: they correct it.
func outsiders(m *Map, d *Node) []*Edge {
	var out []*Edge
	for _, e := range m.To(d.Key) {
		if e.Kind == Sends && e.From != systemKey(People) && e.From != systemKey("clock") {
			out = append(out, e)
		}
	}
	return out
}

func twoWriters(m *Map) (out []Gap) {
	for _, d := range m.Nodes {
		if d.Kind != Datum || d.shared {
			continue
		}
		ws := outsiders(m, d)
		if len(ws) < 2 {
			continue
		}
		g := Gap{Kind: TwoWriters, Warning: true, Nodes: []string{d.Key}}
		var names []string
		for _, e := range ws {
			g.Nodes = append(g.Nodes, e.From)
			names = append(names, m.byKey[e.From].Name)
		}
		g.Message = fmt.Sprintf("%s is written by %s: when they disagree, the last one wins", d.Name, list(names))
		g.Remedy = "let one of them write it, or say shared: true in map.yaml when each writes its own part"
		out = append(out, g)
	}
	return out
}

// foreign are writers of data that somebody else is the record of, as the shop declares it.
func foreign(m *Map) (out []Gap) {
	for _, d := range m.Nodes {
		record := m.in.Declared.Data[d.Name].System
		if d.Kind != Datum || record == "" {
			continue
		}
		for _, e := range m.To(d.Key) {
			from := m.byKey[e.From]
			if e.Kind == Reads || from.Name == record || slices.Contains(from.names, record) || e.From == systemKey(People) || e.From == Core && record == schema.Core {
				continue
			}
			g := Gap{Kind: Foreign, Warning: from.Kind == Automation || e.Volume.N30 > 0, Nodes: []string{from.Key, d.Key}}
			g.Message = fmt.Sprintf("%s writes %s (%s), and %s is its system of record", from.Name, d.Name, strings.Join(e.What, ", "), record)
			g.Remedy = "let the change go to " + record + " and come back from there, or name another system of record in map.yaml"
			if from.Kind == Builtin {
				continue // it keeps what it is told
			}
			out = append(out, g)
		}
	}
	return out
}

// circles are systems that set each other off: what one sends triggers an automation that sends to the other.
func circles(m *Map) (out []Gap) {
	next := map[string]map[string]string{} // system -> system -> automation
	for _, n := range m.Nodes {
		if n.Kind != System || !n.Sends || n.Key == systemKey(People) {
			continue
		}
		s := &stopper{Map: m}
		sent := s.sentBy(n)
		for _, a := range m.in.Automations {
			if !a.Mode.Considered() || !reachedBy(sent, a.On) {
				continue
			}
			for _, w := range writesOf(a) {
				for _, to := range m.Nodes {
					if to.Kind == System && w.connection != "" && slices.Contains(to.names, w.connection) && to.Sends {
						if next[n.Key] == nil {
							next[n.Key] = map[string]string{}
						}
						next[n.Key][to.Key] = a.Name
					}
				}
			}
		}
	}
	seen := map[string]bool{}
	for _, start := range sortedKeys(next) {
		path := circle(next, start)
		if path == nil {
			continue
		}
		id := slices.Clone(path)
		slices.Sort(id)
		if key := strings.Join(id, " "); !seen[key] {
			seen[key] = true
			g := Gap{Kind: Circle, Warning: true}
			var words []string
			for i, k := range path {
				to := path[(i+1)%len(path)]
				a := next[k][to]
				g.Nodes = append(g.Nodes, k, AutomationKey(a))
				words = append(words, fmt.Sprintf("what %s sends sets off %s, which sends to %s", m.byKey[k].Name, a, m.byKey[to].Name))
			}
			g.Message = "a circle: " + strings.Join(words, "; ")
			g.Remedy = "give one of the automations a condition that its own echo does not meet"
			out = append(out, g)
		}
	}
	return out
}

// reachedBy reports whether a type is sent, or derived from what is sent.
func reachedBy(sent map[string]float64, typ string) bool {
	if sent[typ] > 0 {
		return true
	}
	for from := range sent {
		if slices.Contains(schema.Follows(from), typ) {
			return true
		}
	}
	return false
}

// circle is the shortest way from a system back to itself, or nil.
func circle(next map[string]map[string]string, start string) []string {
	type at struct {
		key  string
		path []string
	}
	seen := map[string]bool{}
	for queue := []at{{start, []string{start}}}; len(queue) > 0; queue = queue[1:] {
		a := queue[0]
		for _, to := range sortedKeys(next[a.key]) {
			if to == start {
				return a.path
			}
			if !seen[to] {
				seen[to] = true
				queue = append(queue, at{to, append(slices.Clone(a.path), to)})
			}
		}
	}
	return nil
}

func ownerless(m *Map) (out []Gap) {
	for _, n := range m.Unowned() {
		g := Gap{Kind: Ownerless, Nodes: []string{n.Key}}
		switch {
		case n.Owner != "":
			g.Warning = true
			g.Message = fmt.Sprintf("the account of %s, who owns %s, is closed", n.Owner, n.Name)
			g.Remedy = "give it another owner"
		case n.Kind == System && n.Key != systemKey(People):
			g.Warning = true
			g.Message = fmt.Sprintf("nobody answers for the system %s", n.Name)
			g.Remedy = "name its owner in map.yaml, under systems"
		default:
			continue
		}
		out = append(out, g)
	}
	return out
}

// unwatched are systems of whose silence nobody would hear.
func unwatched(m *Map) (out []Gap) {
	for _, n := range m.Nodes {
		if n.Kind != System || !n.Sends || n.Key == systemKey(People) || n.Key == systemKey("clock") || n.In.N30 == 0 || strings.HasPrefix(n.Name, "import:") ||
			slices.ContainsFunc(n.names, func(name string) bool { return m.in.Heard[name] }) {
			continue
		}
		var types []string
		s := &stopper{Map: m}
		for _, typ := range sortedKeys(s.sentBy(n)) {
			if m.in.Watched[typ] == "" {
				types = append(types, typ)
			}
		}
		if len(types) > 0 {
			out = append(out, Gap{
				Kind: Unwatched, Nodes: []string{n.Key}, Message: fmt.Sprintf("nobody notices when %s stops sending %s", n.Name, list(types)),
				Remedy: "the watch learns its rate after four weeks and a hundred events; until then say at its connection how often it delivers (expect), or give an automation on such events an expect:, or one that fires on their absence",
			})
		}
	}
	return out
}

// notThere are destinations that a rule names and nobody has set up, and doors nothing ever came by.
func notThere(m *Map) (out []Gap) {
	for _, n := range m.Nodes {
		switch {
		case n.Kind != System || n.Key == systemKey("clock") || n.Key == systemKey(People):
		case n.Receives && !n.Set && !n.Sends:
			out = append(out, Gap{
				Kind: Unreachable, Warning: true, Nodes: []string{n.Key}, Message: fmt.Sprintf("things are sent to %s, which is not set up", n.Name),
				Remedy: "make the connection under Settings, or with orderly connection set " + n.Name,
			})
		case n.Sends && n.In.N30 == 0 && n.Layer == Senders:
			out = append(out, Gap{
				Kind: Silent, Nodes: []string{n.Key}, Message: fmt.Sprintf("%s is set up, and nothing came from it in the observed days", n.Name),
				Remedy: "send a test event, or delete the connection",
			})
		}
	}
	return out
}

func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
