package routing

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
)

// Limits of a policy's text, far above what a shop writes.
const (
	maxPolicyText = 256 << 10
	maxProblems   = 20
	maxNesting    = 50
)

// reader walks a YAML tree and collects what is wrong with it. Its methods return
// zero values after a problem, so that one pass finds all of them.
type reader struct {
	problems []fault.Problem
}

// bad notes a problem at a node.
func (r *reader) bad(n ast.Node, format string, args ...any) {
	line, col := place(n)
	r.badAt(line, col, fmt.Sprintf(format, args...))
}

func (r *reader) badAt(line, col int, text string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, fault.Problem{Pointer: strconv.Itoa(line) + ":" + strconv.Itoa(col), Message: text})
	}
}

// place is where a reader of the file would look for the node.
func place(n ast.Node) (line, col int) {
	switch v := n.(type) {
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return place(v.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return place(v.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	p := n.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1)
}

// tree parses the text into the node of its one document; nil after a problem.
func (r *reader) tree(text []byte) ast.Node {
	switch {
	case len(text) > maxPolicyText:
		r.badAt(1, 1, fmt.Sprintf("the policy has %d bytes; more than %d are not read", len(text), maxPolicyText))
		return nil
	case !utf8.Valid(text):
		r.badAt(1, 1, "the policy is not UTF-8")
		return nil
	case nesting(text) > maxNesting:
		r.badAt(1, 1, fmt.Sprintf("brackets stand more than %d deep", maxNesting))
		return nil
	}
	file, err := parseGuarded(text)
	if err != nil {
		line, col, message := 1, 1, err.Error()
		var y yaml.Error
		if errors.As(err, &y) {
			message = y.GetMessage()
			if t := y.GetToken(); t != nil && t.Position != nil {
				line, col = max(t.Position.Line, 1), max(t.Position.Column, 1)
			}
		}
		r.badAt(line, col, "this is not YAML: "+message)
		return nil
	}
	var body ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil:
		case body != nil:
			r.bad(d.Body, "a file holds one policy; this is the second")
			return nil
		default:
			body = d.Body
		}
	}
	if body == nil {
		r.badAt(1, 1, "the policy is empty; it begins with goals:")
	}
	return body
}

// parseGuarded turns a panic of the YAML parser into an error: the text comes from outside.
func parseGuarded(text []byte) (f *ast.File, err error) {
	defer func() {
		if recover() != nil {
			f, err = nil, errors.New("the parser cannot make sense of it")
		}
	}()
	return parser.ParseBytes(text, 0)
}

// nesting is at least how deep flow brackets are nested; the parser recurses that deep.
func nesting(text []byte) int {
	open, most := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			open++
			most = max(most, open)
		case ']', '}':
			open = max(open-1, 0)
		}
	}
	return most
}

// pairs returns the keys and values of a mapping in their order. Anchors, merges and tags are
// refused: a policy means what it shows.
func (r *reader) pairs(n ast.Node, what string) []*ast.MappingValueNode {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	case nil, *ast.NullNode:
		return nil
	}
	r.bad(n, "%s must be keys with values", what)
	return nil
}

// each calls f for every key of a mapping that may have any keys.
func (r *reader) each(n ast.Node, what string, f func(key string, keyNode, value ast.Node)) {
	seen := map[string]bool{}
	for _, p := range r.pairs(n, what) {
		key, ok := scalar(p.Key)
		switch {
		case !ok || key == "":
			r.bad(p.Key, "a key must be a plain word")
		case seen[key]:
			r.bad(p.Key, "%s has the key %s twice", what, key)
		default:
			seen[key] = true
			f(key, p.Key, p.Value)
		}
	}
}

// fields reads a mapping whose keys are known.
func (r *reader) fields(n ast.Node, what string, known map[string]func(ast.Node)) {
	r.each(n, what, func(key string, keyNode, value ast.Node) {
		read := known[key]
		if read == nil {
			names := make([]string, 0, len(known))
			for k := range known {
				names = append(names, k)
			}
			slices.Sort(names)
			r.bad(keyNode, "%s has no key %s%s; its keys are %s", what, short(key), meant(key, names), strings.Join(names, ", "))
			return
		}
		if _, empty := value.(*ast.NullNode); !empty {
			read(value)
		}
	})
}

// items returns the members of a list.
func (r *reader) items(n ast.Node, what string) []ast.Node {
	if s, ok := n.(*ast.SequenceNode); ok {
		return s.Values
	}
	r.bad(n, "%s must be a list", what)
	return nil
}

// scalar is the text of a single value, as written for numbers and booleans.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(v.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (r *reader) text(n ast.Node, what string) string {
	s, ok := scalar(n)
	switch {
	case !ok || strings.TrimSpace(s) == "":
		r.bad(n, "%s must be a text", what)
		return ""
	case len(s) > 2000:
		r.bad(n, "%s has more than 2000 characters", what)
		return ""
	}
	return strings.TrimSpace(s)
}

func (r *reader) integer(n ast.Node, what string, least, most int64) int64 {
	s, _ := scalar(n)
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < least || v > most {
		r.bad(n, "%s must be a whole number from %d to %d, not %q", what, least, most, short(s))
		return least
	}
	return v
}

func (r *reader) yes(n ast.Node, what string) bool {
	if b, ok := n.(*ast.BoolNode); ok {
		return b.Value
	}
	r.bad(n, "%s must be true or false", what)
	return false
}

// texts reads a list of words; a single word stands for a list of one.
func (r *reader) texts(n ast.Node, what string) []string {
	if s, ok := scalar(n); ok && s != "" {
		return []string{s}
	}
	var out []string
	for _, it := range r.items(n, what) {
		if s := r.text(it, "an item of "+what); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// meant suggests the known word that is nearest.
func meant(word string, known []string) string {
	if near := schema.Nearest(word, known); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// short keeps a hostile value out of an error message.
func short(s string) string {
	if len(s) <= 60 {
		return s
	}
	return strings.ToValidUTF8(s[:60], "") + "…"
}
