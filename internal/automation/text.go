package automation

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/yamltext"
)

// node is a place in the text.
type node = ast.Node

// doc is a text being read, with the problems found so far.
type doc struct {
	file  string
	lines []string
	ps    []fault.Problem
	count int  // steps so far
	tasks bool // one of them opens a task
}

// mapping is a YAML mapping with its keys in order.
type mapping struct {
	node   node
	names  []string
	values map[string]node
	keyAt  map[string]node
}

// at returns the value of a key, or nil.
func (m *mapping) at(key string) node { return m.values[key] }

func (d *doc) pos(n node) (line, col int) {
	if n == nil || n.GetToken() == nil {
		return 1, 1
	}
	for { // the token of a block mapping is the colon of its first key; people look at the key
		m, ok := n.(*ast.MappingNode)
		if !ok || m.IsFlowStyle || len(m.Values) == 0 {
			break
		}
		n = m.Values[0].Key
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	p := n.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1)
}

func (d *doc) add(n node, format string, args ...any) {
	line, col := d.pos(n)
	d.addAt(fmt.Sprintf("%d:%d", line, col), fmt.Sprintf(format, args...))
}

const maxProblems = 20

func (d *doc) addAt(at, message string) {
	if len(d.ps) < maxProblems {
		d.ps = append(d.ps, fault.Problem{Pointer: d.file + ":" + at, Message: message})
	}
}

func (d *doc) err() error {
	if len(d.ps) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, "automation.Parse", "%s is not a valid automation", d.file)
	e.Problems = d.ps
	slices.SortStableFunc(e.Problems, func(a, b fault.Problem) int { // as a person goes through them
		la, ca := placeOf(a.Pointer)
		lb, cb := placeOf(b.Pointer)
		return cmp.Or(cmp.Compare(la, lb), cmp.Compare(ca, cb))
	})
	return e
}

// placeOf is the line and the column at the end of a pointer.
func placeOf(pointer string) (line, col int) {
	parts := strings.Split(pointer, ":")
	if len(parts) < 3 {
		return 0, 0
	}
	line, _ = strconv.Atoi(parts[len(parts)-2])
	col, _ = strconv.Atoi(parts[len(parts)-1])
	return line, col
}

func asFault(err error) *fault.Error {
	e, _ := errors.AsType[*fault.Error](err)
	return e
}

// goesOn is a value that begins with a quoted word and is more than that: a condition, as people write it.
var goesOn = regexp.MustCompile(`^\s*(- +)?[\w-]+: +("[^"]*"|'[^']*') *[^\s#]`)

// quoteGoesOn reports whether the line of a number has such a value.
func (d *doc) quoteGoesOn(line string) bool {
	n, err := strconv.Atoi(line)
	return err == nil && n >= 1 && n <= len(d.lines) && goesOn.MatchString(d.lines[n-1])
}

// inFlow reports whether the line of a place, or the one before it, writes keys and values inside { }.
func (d *doc) inFlow(at string) bool {
	text, _, _ := strings.Cut(at, ":")
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && slices.ContainsFunc(d.lines[min(max(n-2, 0), len(d.lines)):min(n, len(d.lines))], func(l string) bool { return flowLine.MatchString(l) })
}

// flowLine is a line with a { outside of quotes.
var flowLine = regexp.MustCompile(`^(?:[^"'#]|"[^"]*"|'[^']*')*\{`)

// read parses the YAML; the mapping is nil when the text is not one mapping.
func read(name string, text []byte) (*doc, *mapping) {
	d := &doc{file: name}
	switch {
	case len(text) > maxText:
		d.addAt("1:1", fmt.Sprintf("the text has %d bytes; the limit is %d", len(text), maxText))
		return d, nil
	case !utf8.Valid(text):
		d.addAt("1:1", "the text is not UTF-8")
		return d, nil
	}
	if yamltext.TooDeep(string(text)) {
		d.addAt("1:1", "the text is nested too deeply")
		return d, nil
	}
	d.lines = strings.Split(string(text), "\n")
	f, err := parseYAML(text)
	if err != nil {
		at, msg := "1:1", err.Error()
		var y yaml.Error
		if errors.As(err, &y) {
			msg = y.GetMessage()
			if t := y.GetToken(); t != nil && t.Position != nil {
				at = fmt.Sprintf("%d:%d", max(t.Position.Line, 1), max(t.Position.Column, 1))
			}
		}
		if line, _, _ := strings.Cut(at, ":"); d.quoteGoesOn(line) {
			msg = "the value begins with a quoted word and goes on after it; put all of it into other quotes, as in when: '\"vip\" in order.tags', or on a line of its own below when: >-"
		}
		if d.inFlow(at) {
			msg += `; inside { } a text with , : # { } [ or ] stands in quotes, like reason: "large: first order"`
		}
		d.addAt(at, "the YAML cannot be read: "+msg)
		return d, nil
	}
	var bodies []node
	for _, doc := range f.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		d.addAt("1:1", "the file is empty; an automation begins with automation: and its name")
		return d, nil
	case 1:
	default:
		d.add(bodies[1], "one file holds one automation")
		return d, nil
	}
	m := d.asMapping(bodies[0])
	if m == nil {
		d.add(bodies[0], "an automation is written as keys and values, beginning with automation: and its name")
		return d, nil
	}
	return d, m
}

// parseYAML guards against a panic of the parser on hostile input: it reads what strangers may upload.
func parseYAML(text []byte) (f *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			f, err = nil, errors.New("the parser gave up on it")
		}
	}()
	return parser.ParseBytes(text, 0)
}

// asMapping returns n as a mapping with plain text keys, or nil. What YAML
// offers beyond that (anchors, merges, tags) is refused, so that a text means what it shows.
func (d *doc) asMapping(n node) *mapping {
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		return nil
	}
	m := &mapping{node: n, values: make(map[string]node, len(pairs)), keyAt: make(map[string]node, len(pairs))}
	for _, p := range pairs {
		key, ok := d.scalar(p.Key)
		if !ok {
			d.add(p.Key, "a key must be a plain word")
			continue
		}
		if _, twice := m.values[key]; twice {
			d.add(p.Key, "the key %s is given twice", key)
			continue
		}
		m.names = append(m.names, key)
		m.values[key], m.keyAt[key] = p.Value, p.Key
	}
	return m
}

// keys refuses every key that is not allowed.
func (d *doc) keys(m *mapping, what string, allowed ...string) {
	for _, name := range m.names {
		if slices.Contains(allowed, name) {
			continue
		}
		known := "none"
		if len(allowed) > 0 {
			known = strings.Join(allowed, ", ")
		}
		missing := slices.DeleteFunc(slices.Clone(allowed), func(k string) bool { return slices.Contains(m.names, k) })
		hint := didYouMean(name, missing)
		if flow, ok := m.node.(*ast.MappingNode); ok && hint == "" && flow.IsFlowStyle && isNull(m.values[name]) {
			hint = "; a text with a comma inside { } stands in quotes"
		}
		d.add(m.keyAt[name], "%s has no key %s%s; its keys are %s", what, name, hint, known)
	}
}

func isNull(n node) bool { _, ok := n.(*ast.NullNode); return ok }

// scalar returns the text of a plain, quoted or block value. Numbers and booleans
// come as written, so that `title: 5` is the text "5".
func (d *doc) scalar(n node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// text returns the value of an optional key; false when it is left out or not a text.
func (d *doc) text(m *mapping, key string) (string, bool) {
	n := m.at(key)
	if n == nil || isNull(n) {
		return "", false
	}
	s, ok := d.scalar(n)
	if !ok {
		d.add(n, "%s must be a single value", key)
	}
	return s, ok
}

// required returns the value of a key that must be there, on one line.
func (d *doc) required(m *mapping, key string) string {
	s, ok := d.text(m, key)
	s = strings.TrimSpace(s)
	switch {
	case !ok && m.at(key) != nil && !isNull(m.at(key)): // reported
	case s == "":
		at := m.at(key)
		if at == nil {
			at = m.node
		}
		d.add(at, "%s is required", key)
	case utf8.RuneCountInString(s) > maxLine:
		d.add(m.at(key), "%s has more than %d characters", key, maxLine)
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		d.add(m.at(key), "%s must be on one line", key)
	}
	return s
}

// word returns a required value that is used as a name: a queue, template or connection.
func (d *doc) word(m *mapping, key string) string {
	s := d.required(m, key)
	if s != "" && !kebab(s) {
		d.add(m.at(key), "%s must be a lower-case name joined by dashes, like order-confirmation, got %q", key, s)
	}
	return s
}

// prose returns a text that may run over several lines.
func (d *doc) prose(m *mapping, key string, must bool) string {
	s, ok := d.text(m, key)
	s = strings.TrimSpace(s)
	switch {
	case s == "" && must && (ok || m.at(key) == nil || isNull(m.at(key))):
		at := m.at(key)
		if at == nil {
			at = m.node
		}
		d.add(at, "%s is required: the next person reads it", key)
	case utf8.RuneCountInString(s) > maxProse:
		d.add(m.at(key), "%s has more than %d characters", key, maxProse)
	}
	return s
}

// mapping returns the mapping of an optional key, or nil.
func (d *doc) mapping(m *mapping, key string) *mapping {
	n := m.at(key)
	if n == nil || isNull(n) {
		return nil
	}
	sub := d.asMapping(n)
	if sub == nil {
		d.add(n, "%s must be keys and values", key)
	}
	return sub
}

// list returns the items of a required list; nil after a problem.
func (d *doc) list(m *mapping, key string) []node {
	n := m.at(key)
	if n == nil || isNull(n) {
		at := n
		if at == nil {
			at = m.node
		}
		d.add(at, "%s is required", key)
		return nil
	}
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.add(n, "%s must be a list, each item after a dash", key)
		return nil
	}
	if s.Values == nil {
		return []node{}
	}
	return s.Values
}

// within turns "line:col" of a value into "line:col" of the file. YAML joins and
// indents lines, so the place is found by following the characters that are not
// blank, which no YAML style changes; escapes in quotes are stepped over.
func (d *doc) within(n node, value, at string) string {
	line, col := d.pos(n)
	fallback := fmt.Sprintf("%d:%d", line, col)
	l, c, ok := strings.Cut(at, ":")
	wantLine, err1 := strconv.Atoi(l)
	wantCol, err2 := strconv.Atoi(c)
	if !ok || err1 != nil || err2 != nil || line > len(d.lines) {
		return fallback
	}
	if _, block := n.(*ast.LiteralNode); block {
		line, col = line+1, 1
	}
	src := &cursor{lines: d.lines, line: line, col: col}
	vLine, vCol := 1, 1
	for _, r := range value {
		if !unicode.IsSpace(r) && !src.seek(r) {
			return fallback
		}
		if vLine > wantLine || vLine == wantLine && vCol >= wantCol && !unicode.IsSpace(r) {
			return fmt.Sprintf("%d:%d", src.line, src.col)
		}
		if vCol++; r == '\n' {
			vLine, vCol = vLine+1, 1
		}
		if !unicode.IsSpace(r) {
			src.col++
		}
	}
	return fmt.Sprintf("%d:%d", min(src.line, len(d.lines)), src.col)
}

// cursor walks over the characters of lines; line and col count from 1.
type cursor struct {
	lines     []string
	line, col int
}

// seek moves to the next r at or after the cursor.
func (c *cursor) seek(r rune) bool {
	for ; c.line <= len(c.lines); c.line, c.col = c.line+1, 1 {
		i := 0
		for _, have := range c.lines[c.line-1] {
			if i++; i >= c.col && have == r {
				c.col = i
				return true
			}
		}
	}
	return false
}
