package csvfile

import (
	"fmt"
	"sort"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"orderly.example/orderly/internal/fault"
)

// doc reads a YAML text strictly: every key is known, and every problem has a position.
type doc struct {
	name string
	ps   []fault.Problem
}

func (d *doc) problem(n ast.Node, format string, args ...any) {
	if len(d.ps) >= 50 {
		return
	}
	at := d.name
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p := n.GetToken().Position
		at = fmt.Sprintf("%s:%d:%d", d.name, p.Line, p.Column)
	}
	d.ps = append(d.ps, fault.Problem{Pointer: at, Message: fmt.Sprintf(format, args...)})
}

const maxMappingBytes = 1 << 20

// parseDoc returns the root of the one document in text.
func (d *doc) parseDoc(text []byte) (root ast.Node) {
	if len(text) > maxMappingBytes {
		d.problem(nil, "is larger than %d bytes", maxMappingBytes)
		return nil
	}
	// The parser is not ours: a hostile text must end as a problem, not as a crash.
	defer func() {
		if p := recover(); p != nil {
			d.problem(nil, "is not readable as YAML")
			root = nil
		}
	}()
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		msg := err.Error()
		if i := strings.IndexByte(msg, '\n'); i > 0 {
			msg = msg[:i]
		}
		if pos, rest, ok := strings.Cut(strings.TrimPrefix(msg, "["), "] "); ok && strings.HasPrefix(msg, "[") {
			d.ps = append(d.ps, fault.Problem{Pointer: d.name + ":" + pos, Message: rest})
		} else {
			d.problem(nil, "%s", msg)
		}
		return nil
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		d.problem(nil, "must hold one YAML document")
		return nil
	}
	return f.Docs[0].Body
}

type entry struct {
	key  string
	node ast.Node // the key, for positions
	val  ast.Node
}

// entries returns the keys of a mapping in order.
func (d *doc) entries(n ast.Node, what string) []entry {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	case *ast.NullNode, nil:
		return nil
	default:
		d.problem(n, "%s must be a list of key: value", what)
		return nil
	}
	out := make([]entry, 0, len(values))
	seen := map[string]bool{}
	for _, v := range values {
		k, ok := d.scalar(v.Key)
		if !ok {
			d.problem(v.Key, "a key of %s must be plain text", what)
			continue
		}
		if seen[k] {
			d.problem(v.Key, "%q stands twice in %s", k, what)
			continue
		}
		seen[k] = true
		out = append(out, entry{k, v.Key, v.Value})
	}
	return out
}

// scalar returns the text of a scalar as it is written.
func (d *doc) scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return v.GetToken().Value, true
	case *ast.NullNode, nil:
		return "", true
	}
	return "", false
}

func (d *doc) text(e entry) string {
	s, ok := d.scalar(e.val)
	if !ok {
		d.problem(e.val, "%s must be a text", e.key)
	}
	return s
}

func (d *doc) number(e entry, lo, hi int) int {
	s := d.text(e)
	n := 0
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil || fmt.Sprint(n) != s || n < lo || n > hi {
		d.problem(e.val, "%s must be a whole number from %d to %d, got %q", e.key, lo, hi, s)
		return lo
	}
	return n
}

func (d *doc) boolean(e entry) bool {
	switch s := d.text(e); s {
	case "true":
		return true
	case "false":
		return false
	default:
		d.problem(e.val, "%s must be true or false, got %q", e.key, s)
		return false
	}
}

func (d *doc) oneOf(e entry, allowed ...string) string {
	s := d.text(e)
	for _, a := range allowed {
		if s == a {
			return s
		}
	}
	d.problem(e.val, "%s must be one of %s, got %q%s", e.key, strings.Join(allowed, ", "), s, didYouMean(s, allowed))
	return allowed[0]
}

// texts returns a list of scalars, or the one scalar.
func (d *doc) texts(e entry) []string {
	seq, ok := e.val.(*ast.SequenceNode)
	if !ok {
		return []string{d.text(e)}
	}
	out := make([]string, 0, len(seq.Values))
	for _, v := range seq.Values {
		s, ok := d.scalar(v)
		if !ok {
			d.problem(v, "%s must be a list of texts", e.key)
		}
		out = append(out, s)
	}
	return out
}

// list returns the elements of a sequence, or the one element.
func (d *doc) list(n ast.Node) []ast.Node {
	if seq, ok := n.(*ast.SequenceNode); ok {
		return seq.Values
	}
	if _, ok := n.(*ast.NullNode); ok || n == nil {
		return nil
	}
	return []ast.Node{n}
}

func (d *doc) unknown(e entry, what string, known ...string) {
	sort.Strings(known)
	d.problem(e.node, "%s has no %q%s; known: %s", what, e.key, didYouMean(e.key, known), strings.Join(known, ", "))
}

// didYouMean returns " (did you mean …?)" for the nearest of the known words, if one is near.
func didYouMean(s string, known []string) string {
	best, bestD := "", len(s)/3+2
	for _, k := range known {
		if dist := distance(strings.ToLower(s), strings.ToLower(k), bestD); dist < bestD {
			best, bestD = k, dist
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the number of single-character edits between a and b, or limit when it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 200 || len(b) > 200 {
		return limit
	}
	prev, cur := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
		}
		prev, cur = cur, prev
	}
	return min(prev[len(b)], limit)
}
