package atlas

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Structure is a map without its volumes: what is kept when the map changes.
type Structure struct {
	Nodes []structureNode `json:"nodes"`
	Edges []structureEdge `json:"edges"`
}

type structureNode struct {
	Key    string `json:"key"`
	Owner  string `json:"owner,omitempty"`
	Record string `json:"record,omitempty"`
	Mode   string `json:"mode,omitempty"`
	On     string `json:"on,omitempty"`
}

type structureEdge struct {
	From string   `json:"from"`
	To   string   `json:"to"`
	Kind EdgeKind `json:"kind"`
	What []string `json:"what,omitempty"`
}

// Structure returns the map without its volumes.
func (m *Map) Structure() Structure {
	s := Structure{Nodes: []structureNode{}, Edges: []structureEdge{}}
	for _, n := range m.Nodes {
		s.Nodes = append(s.Nodes, structureNode{n.Key, n.Owner, n.Record, n.Mode, n.On})
	}
	for _, e := range m.Edges {
		s.Edges = append(s.Edges, structureEdge{e.From, e.To, e.Kind, e.What})
	}
	return s
}

// Encode writes a structure, and the hash by which two of them are the same.
func (s Structure) Encode() (doc, hash string) {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // it holds nothing but text
	}
	sum := sha256.Sum256(b)
	return string(b), hex.EncodeToString(sum[:])
}

// DecodeStructure reads what Encode wrote.
func DecodeStructure(doc string) (Structure, error) {
	var s Structure
	if err := json.Unmarshal([]byte(doc), &s); err != nil {
		return s, fault.Wrap(err, fault.Internal, "atlas.DecodeStructure", "a snapshot of the map cannot be read")
	}
	return s, nil
}

// Change is one difference between two maps.
type Change struct {
	What string `json:"what"` // added, gone, changed
	Key  string `json:"key"`  // of the node, or where the flow ends
	Text string `json:"text"`
}

// Changes is what changed on the map since a time.
type Changes struct {
	Asked   time.Time   `json:"asked"`
	Since   time.Time   `json:"since"` // of the snapshot it is compared with
	Changes []Change    `json:"changes"`
	Times   []time.Time `json:"times,omitempty"` // when the map changed, the newest first
}

// Diff says what is different in after, nodes first.
func Diff(before, after Structure) []Change {
	out := []Change{}
	was := map[string]structureNode{}
	for _, n := range before.Nodes {
		was[n.Key] = n
	}
	is := map[string]bool{}
	for _, n := range after.Nodes {
		is[n.Key] = true
		old, ok := was[n.Key]
		if !ok {
			out = append(out, Change{"added", n.Key, label(n.Key) + " is new" + owned(n.Owner)})
			continue
		}
		for _, f := range [...][3]string{{"owner", old.Owner, n.Owner}, {"system of record", old.Record, n.Record}, {"mode", old.Mode, n.Mode}, {"trigger", old.On, n.On}} {
			if f[1] != f[2] {
				out = append(out, Change{"changed", n.Key, fmt.Sprintf("%s: %s was %s, is %s", label(n.Key), f[0], orNobody(f[1]), orNobody(f[2]))})
			}
		}
	}
	for _, n := range before.Nodes {
		if !is[n.Key] {
			out = append(out, Change{"gone", n.Key, label(n.Key) + " is gone" + owned(n.Owner)})
		}
	}
	return append(out, diffEdges(before, after, was, is)...)
}

func diffEdges(before, after Structure, was map[string]structureNode, is map[string]bool) (out []Change) {
	key := func(e structureEdge) string { return e.From + "\x00" + e.To + "\x00" + string(e.Kind) }
	old := map[string]structureEdge{}
	for _, e := range before.Edges {
		old[key(e)] = e
	}
	have := map[string]bool{}
	for _, e := range after.Edges {
		have[key(e)] = true
		_, a := was[e.From]
		_, b := was[e.To]
		o, ok := old[key(e)]
		switch {
		case !a || !b: // said by the node that is new
		case !ok:
			out = append(out, Change{"added", e.To, flowText(e, e.What) + " is new"})
		default:
			if more := missing(e.What, o.What); len(more) > 0 {
				out = append(out, Change{"added", e.To, flowText(e, more) + " is new"})
			}
			if less := missing(o.What, e.What); len(less) > 0 {
				out = append(out, Change{"gone", e.To, flowText(e, less) + " is gone"})
			}
		}
	}
	for _, e := range before.Edges {
		if !have[key(e)] && is[e.From] && is[e.To] {
			out = append(out, Change{"gone", e.To, flowText(e, e.What) + " is gone"})
		}
	}
	return out
}

// missing are the words of a that b lacks.
func missing(a, b []string) (out []string) {
	for _, w := range a {
		if !slices.Contains(b, w) {
			out = append(out, w)
		}
	}
	return out
}

// label is a key as people read it: "system warehouse".
func label(key string) string {
	kind, name, _ := strings.Cut(key, ":")
	if kind == string(Builtin) {
		return name
	}
	return kind + " " + name
}

func flowText(e structureEdge, what []string) string {
	s := fmt.Sprintf("%s %s %s", label(e.From), e.Kind, label(e.To))
	switch e.Kind {
	case Leaves:
		s = fmt.Sprintf("%s to %s", label(e.From), label(e.To))
	case Reads:
		s = fmt.Sprintf("%s reads %s", label(e.To), label(e.From))
	case Triggers:
		s = fmt.Sprintf("%s is set off by %s", label(e.To), label(e.From))
	}
	if len(what) > 0 {
		s += " (" + strings.Join(what, ", ") + ")"
	}
	return s
}

func owned(who string) string {
	if who == "" {
		return ""
	}
	return ", owned by " + who
}

func orNobody(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
