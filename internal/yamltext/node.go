package yamltext

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ErrText says that a place can only be changed in the text itself.
var ErrText = errors.New("this place can only be changed in the text")

// Kind is the shape of a node.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Scalar
	Map
	List
)

// style is how a scalar is written.
type style uint8

const (
	plain style = iota
	single
	double
	literal
	folded
)

// Node is a value with its place in the text.
type Node struct {
	Kind       Kind
	Value      string // of a scalar, as the YAML library reads it, without line ends at its end
	Start, End int    // bytes; a block scalar begins with its mark, a block collection with its first entry

	Entries []*Entry // of a map or list

	flow    bool
	style   style
	col     int // of the keys or dashes of a block collection, of the lines of a block scalar
	parent  int // indentation that a nested block must exceed
	comment span
}

// Entry is a key with its value, or an item of a list.
type Entry struct {
	Key   string // "" in a list
	Value *Node
	Start int // of the key, dash or flow item

	lead, line, end int // block: first comment line above; begin of the line; end of the last line with its line end
	colon           int // end of the colon or dash
}

type span struct{ from, to int }

func (s span) empty() bool { return s.to <= s.from }

// Doc is a text that was read.
type Doc struct {
	Text     string
	Root     *Node
	comments []span
}

// Line returns the line of a byte of the text, from 1.
func (d *Doc) Line(at int) int { return 1 + strings.Count(d.Text[:min(at, len(d.Text))], "\n") }

// At returns the node of a path like "do/0/hold/reason"; nil when there is none.
func (d *Doc) At(path string) *Node {
	n := d.Root
	for _, part := range split(path) {
		if n == nil {
			return nil
		}
		e := n.entry(part)
		if e == nil {
			return nil
		}
		n = e.Value
	}
	return n
}

func split(path string) []string {
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// Join makes a path from a path and further parts.
func Join(path string, parts ...string) string {
	for _, p := range parts {
		if path != "" {
			path += "/"
		}
		path += p
	}
	return path
}

// entry returns the entry of a key or index.
func (n *Node) entry(part string) *Entry {
	switch n.Kind {
	case Map:
		for _, e := range n.Entries {
			if e.Key == part {
				return e
			}
		}
	case List:
		if i, err := strconv.Atoi(part); err == nil && i >= 0 && i < len(n.Entries) {
			return n.Entries[i]
		}
	}
	return nil
}

// Get returns the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Map {
		return nil
	}
	if e := n.entry(key); e != nil {
		return e.Value
	}
	return nil
}

// Keys returns the keys of a map in their order.
func (n *Node) Keys() []string {
	if n == nil || n.Kind != Map {
		return nil
	}
	out := make([]string, len(n.Entries))
	for i, e := range n.Entries {
		out[i] = e.Key
	}
	return out
}

const (
	maxText   = 256 << 10 // a text that is edited
	maxNested = 100       // of brackets, or of lists that begin on one line
)

// TooDeep reports whether a text is nested so deeply that the YAML library would be minutes over it: its time grows
// with the square of the depth. It counts brackets, also those in quotes, and lists that begin on one line.
func TooDeep(text string) bool {
	open, dashes, begins := 0, 0, true
	for i := range len(text) {
		switch c := text[i]; c {
		case '[', '{':
			open++
			begins = false
		case ']', '}':
			open = max(open-1, 0)
			begins = false
		case '\n':
			dashes, begins = 0, true
		case ' ', '\t':
		case '-', '?':
			if begins = begins && i+1 < len(text) && text[i+1] == ' '; begins {
				dashes++
			}
		default:
			begins = false
		}
		if open > maxNested || dashes > maxNested {
			return true
		}
	}
	return false
}

// Parse reads a text. The error is ErrText or wraps what the YAML library says.
func Parse(text string) (*Doc, error) {
	if len(text) > maxText || TooDeep(text) {
		return nil, ErrText
	}
	f, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil || f.Docs[0].Start != nil || strings.ContainsAny(text, "\r\ufeff") {
		return nil, ErrText
	}
	s := &scanner{src: text}
	root, err := s.document()
	if err != nil {
		return nil, err
	}
	if !agree(root, f.Docs[0].Body) {
		return nil, ErrText
	}
	return &Doc{Text: text, Root: root, comments: s.comments}, nil
}

// parseYAML guards against a panic of the library on odd input.
func parseYAML(text string) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, ErrText
		}
	}()
	return parser.ParseBytes([]byte(text), 0)
}

// agree takes the values of the library's tree over into ours; false when the two are not of one shape.
func agree(n *Node, of ast.Node) bool {
	switch of := of.(type) {
	case nil, *ast.NullNode:
		if n.Kind == Scalar && n.style == plain { // null, ~
			n.Kind = Null
		}
		return n.Kind == Null
	case *ast.MappingNode:
		return agreeMap(n, of.Values)
	case *ast.MappingValueNode:
		return agreeMap(n, []*ast.MappingValueNode{of})
	case *ast.SequenceNode:
		if n.Kind != List || len(n.Entries) != len(of.Values) {
			return false
		}
		for i, e := range n.Entries {
			if !agree(e.Value, of.Values[i]) {
				return false
			}
		}
		return true
	case *ast.StringNode:
		n.Value = strings.TrimRight(of.Value, "\n")
		return n.Kind == Scalar
	case *ast.LiteralNode:
		n.Value = strings.TrimRight(of.Value.Value, "\n")
		return n.Kind == Scalar && (n.style == literal || n.style == folded)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.Value = of.GetToken().Value
		return n.Kind == Scalar
	}
	return false
}

func agreeMap(n *Node, values []*ast.MappingValueNode) bool {
	if n.Kind != Map || len(n.Entries) != len(values) {
		return false
	}
	for i, e := range n.Entries {
		switch k := values[i].Key.(type) {
		case *ast.StringNode:
			e.Key = k.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			e.Key = k.GetToken().Value
		default:
			return false
		}
		for _, earlier := range n.Entries[:i] {
			if earlier.Key == e.Key {
				return false
			}
		}
		if !agree(e.Value, values[i].Value) {
			return false
		}
	}
	return true
}

// equal reports whether two trees mean the same.
func equal(a, b *Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Entries) != len(b.Entries) {
		return false
	}
	for i := range a.Entries {
		if a.Entries[i].Key != b.Entries[i].Key || !equal(a.Entries[i].Value, b.Entries[i].Value) {
			return false
		}
	}
	return true
}

// clone copies the meaning of a tree.
func (n *Node) clone() *Node {
	c := &Node{Kind: n.Kind, Value: n.Value}
	for _, e := range n.Entries {
		c.Entries = append(c.Entries, &Entry{Key: e.Key, Value: e.Value.clone()})
	}
	return c
}

// Find returns the path of the deepest value at a line and column, both from 1 and in characters, with the
// byte of the scalar's value that stands there.
func (d *Doc) Find(line, col int) (path string, value int) {
	at := 0
	for range line - 1 {
		next := strings.IndexByte(d.Text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	for range col - 1 {
		if at >= len(d.Text) || d.Text[at] == '\n' {
			break
		}
		at++
		for at < len(d.Text) && d.Text[at]&0xc0 == 0x80 {
			at++
		}
	}
	n := d.Root
	for {
		var in *Entry
		part := ""
		for i, e := range n.Entries {
			end := e.end
			if n.flow {
				end = e.Value.End + 1
			}
			if at >= e.Start && at < max(end, e.Start+1) {
				in, part = e, e.Key
				if n.Kind == List {
					part = strconv.Itoa(i)
				}
			}
		}
		if in == nil {
			break
		}
		path, n = Join(path, part), in.Value
	}
	if places, ok := d.places(n); ok && n.Kind == Scalar {
		for i, p := range places {
			if p >= at {
				return path, i
			}
		}
		value = len(places)
	}
	return path, value
}
