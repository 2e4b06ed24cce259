package rule

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Node is one part of an explained condition: its text, what it came to, and the
// values it read.
type Node struct {
	Text     string            `json:"text"`
	Outcome  string            `json:"outcome"` // true, false or unknown
	Values   map[string]string `json:"values,omitempty"`
	Children []Node            `json:"children,omitempty"`
	// Decisive marks the parts that made the whole what it is: had they come out
	// otherwise, the whole could have too.
	Decisive bool `json:"decisive,omitempty"`
	// NotKnown says in words why counts that it read are not known.
	NotKnown []string `json:"not_known,omitempty"`
	// Loop marks exists, all and exists_one; the children are then the elements.
	Loop bool `json:"loop,omitempty"`

	choice bool // a conditional: the children are what is asked, and the two answers
}

// Leaves returns the decisive parts that have no decisive parts below them, in
// the order of the text: what to show when one line must do.
func (n Node) Leaves() []Node {
	if !n.Decisive {
		return nil
	}
	var out []Node
	for _, c := range n.Children {
		out = append(out, c.Leaves()...)
	}
	if len(out) == 0 || n.Loop && len(out) > 1 { // that no line is so is one fact, not one per line
		out = []Node{n}
	}
	return out
}

// Sentence says the node in one line: `order.total > money("400", "EUR") is
// false: order.total = 129.90 EUR`. A count that is not known is said in words.
func (n Node) Sentence() string {
	var b strings.Builder
	if len(n.NotKnown) > 0 && n.Outcome == Unknown.String() {
		return strings.Join(n.NotKnown, "; ")
	}
	b.WriteString(n.Text + " is " + n.Outcome)
	if len(n.Values) == 1 && !n.Loop {
		for k, v := range n.Values {
			if strings.HasPrefix(k, "velocity(") && strings.Contains(n.Text, k) { // too long to be read twice
				b.WriteString(": it is " + v)
				return b.String()
			}
		}
	}
	sep := ": "
	for _, k := range sortedKeys(n.Values) {
		b.WriteString(sep + k + " = " + n.Values[k])
		sep = ", "
	}
	return b.String()
}

// notKnown is shown for a fact that is missing.
const notKnown = "not known"

// maxElements bounds the lines an explanation goes through one by one.
const maxElements = 20

// branch is a part of the condition with its text, for explanations. It mirrors
// the nodes but keeps every part apart and evaluates all of them.
type branch struct {
	text     string
	node     node
	op       string // operator of an inner branch; "" for a leaf
	children []*branch
	reads    []read
	quant    *quantNode
	body     *branch // of quant
}

// read is one operand of a leaf whose value is shown.
type read struct {
	label string // as the author wrote it
	of    *term
}

// branch builds the explanation tree of a bool expression that node n evaluates.
func (b *builder) branch(e ast.Expr, n node) *branch {
	br := &branch{text: b.text(e), node: n}
	if e.Kind() == ast.CallKind {
		c := e.AsCall()
		switch name := c.FunctionName(); name {
		case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional:
			br.op = name
			args := c.Args()
			if name == operators.LogicalAnd || name == operators.LogicalOr {
				args = flatten(name, args, nil)
			}
			for _, a := range args {
				child := b.condition(a)
				if child == nil { // below a loop; the loop is then a program and its body is not explained
					return nil
				}
				cb := b.branch(a, child)
				if cb == nil {
					return nil
				}
				br.children = append(br.children, cb)
			}
			return br
		}
	}
	if q, ok := n.(*quantNode); ok && e.Kind() == ast.ComprehensionKind {
		br.quant = q
		c := e.AsComprehension()
		if _, body := quantOf(c); body != nil {
			b.loops = append(b.loops, loopVar{name: c.IterVar(), typ: q.over.typ})
			br.body = b.branch(body, q.body)
			b.loops = b.loops[:len(b.loops)-1]
		}
		br.reads = []read{{label: b.text(c.IterRange()), of: q.over}}
		return br
	}
	br.reads = b.operands(e)
	return br
}

// operands returns what a leaf reads, each once, in the order of the text.
func (b *builder) operands(e ast.Expr) []read {
	var out []read
	seen := map[string]bool{}
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind, ast.SelectKind, ast.CallKind:
			if e.Kind() == ast.CallKind && e.AsCall().FunctionName() != "velocity" {
				return
			}
			t := b.term(e)
			if t == nil || t.kind == termConst {
				return
			}
			label := b.text(e)
			if !seen[label] {
				seen[label] = true
				out = append(out, read{label: label, of: t})
			}
		}
	}))
	return out
}

// text writes an expression the way its author did, on one line.
func (b *builder) text(e ast.Expr) string {
	s, err := parser.Unparse(e, b.tree.SourceInfo(), parser.WrapOnColumn(1<<30))
	if err != nil {
		return "?"
	}
	return s
}

// Explain evaluates every part of the condition and says what each came to.
func (c *Condition) Explain(f Facts) Node {
	x := getCtx(f)
	defer x.put()
	n := c.tree.explain(x)
	n.decide()
	return n
}

func (br *branch) explain(x *ctx) Node {
	n := Node{Text: br.text, Loop: br.quant != nil, choice: br.op == operators.Conditional}
	x.steps = 0
	n.Outcome = br.node.eval(x).String()
	for _, c := range br.children {
		n.Children = append(n.Children, c.explain(x))
	}
	for _, r := range br.reads {
		if n.Values == nil {
			n.Values = make(map[string]string, len(br.reads))
		}
		n.Values[r.label] = r.of.show(x)
		if v, ok := velocityNamed(r.of.name); ok && n.Values[r.label] == notKnown {
			n.NotKnown = append(n.NotKnown, v.notKnown())
		}
	}
	if br.quant != nil && br.body != nil {
		n.Children = br.elements(x)
	}
	return n
}

// elements explains the body of a loop for each element.
func (br *branch) elements(x *ctx) []Node {
	var out []Node
	one := func(i int, name string) {
		c := br.body.explain(x)
		c.Text = fmt.Sprintf("%d (%s): %s", i+1, name, c.Text)
		out = append(out, c)
	}
	if br.quant.over.typ == schema.Lines {
		lines, _ := br.quant.over.lines(x)
		for i := range lines[:min(len(lines), maxElements)] {
			x.lines[br.quant.depth] = &lines[i]
			one(i, lines[i].SKU)
		}
		return out
	}
	list, _ := br.quant.over.list(x)
	for i, s := range list[:min(len(list), maxElements)] {
		x.elems[br.quant.depth] = s
		one(i, s)
	}
	return out
}

// decide marks the decisive parts, from the top down. A part that agrees with
// what its parent came to decided it: the false ones of a false &&, all of a
// true one. Where none agrees (a negation turns the outcome) all did.
func (n *Node) decide() {
	n.Decisive = true
	if n.choice {
		n.Children[0].decide()
		switch n.Children[0].Outcome {
		case True.String():
			n.Children[1].decide()
		case False.String():
			n.Children[2].decide()
		}
		return
	}
	found := false
	for i := range n.Children {
		if n.Children[i].Outcome == n.Outcome {
			n.Children[i].decide()
			found = true
		}
	}
	if found {
		return
	}
	for i := range n.Children {
		n.Children[i].decide()
	}
}

// show writes a term's value for people.
func (t *term) show(x *ctx) string {
	if t.kind == termFact {
		v, ok := x.facts.Fact(t.name)
		if !ok {
			return notKnown
		}
		return Show(v)
	}
	switch t.typ {
	case schema.Money:
		m, _ := t.amount(x)
		return Show(m)
	case schema.Bool:
		n, _ := t.num(x)
		return strconv.FormatBool(n != 0)
	case schema.Int:
		n, _ := t.num(x)
		return Show(n)
	default:
		s, _ := t.str(x)
		return Show(s)
	}
}

// Show writes a fact for people: texts in quotes, amounts with their currency,
// durations and times in short.
func Show(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	case money.Amount:
		if v.Currency == "" {
			return "0"
		}
		return v.String()
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case time.Duration:
		return DurationText(v)
	case []string:
		q := make([]string, len(v))
		for i, s := range v {
			q[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(q, ", ") + "]"
	case []Line:
		if len(v) == 1 {
			return "1 line"
		}
		return strconv.Itoa(len(v)) + " lines"
	default:
		return fmt.Sprint(v)
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
