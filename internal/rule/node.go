package rule

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"orderly.example/orderly/internal/schema"
)

// node is a part of a condition that is true, false or unknown.
type node interface {
	eval(x *ctx) Outcome
}

// maxSteps bounds the loop iterations of one evaluation, so that two nested
// loops over the longest order end. Beyond it the condition is unknown.
const maxSteps = 300_000

// ctx is the state of one evaluation. It is pooled, as an evaluation costs less than an allocation.
type ctx struct {
	facts   Facts
	missing []string // names of missing facts that matter so far
	cause   string   // first thing that could not be computed and matters so far
	steps   int
	lines   [maxNesting]*Line  // what the loop variables stand for, by depth
	elems   [maxNesting]string // the same for loops over text
}

var ctxPool = sync.Pool{New: func() any { return new(ctx) }}

func getCtx(f Facts) *ctx {
	x := ctxPool.Get().(*ctx)
	x.facts = f
	return x
}

func (x *ctx) put() {
	clear(x.missing)
	*x = ctx{missing: x.missing[:0]}
	ctxPool.Put(x)
}

func (x *ctx) miss(name string) { x.missing = append(x.missing, name) }

func (x *ctx) fail(format string, args ...any) {
	if x.cause == "" {
		x.cause = fmt.Sprintf(format, args...)
	}
}

// mark and forget drop the reasons of parts that turned out not to matter.
type mark struct {
	missing int
	cause   string
}

func (x *ctx) mark() mark { return mark{len(x.missing), x.cause} }

func (x *ctx) forget(m mark) { x.missing, x.cause = x.missing[:m.missing], m.cause }

func (x *ctx) reason() error {
	e := &UnknownError{Cause: x.cause}
	if len(x.missing) > 0 {
		e.Missing = slices.Clone(x.missing)
		slices.Sort(e.Missing)
		e.Missing = slices.Compact(e.Missing)
	} else if e.Cause == "" {
		e.Cause = "could not be evaluated"
	}
	return e
}

// wrongType reports a fact whose Go type is not the one its field promises.
func (x *ctx) wrongType(name string, v any) { x.fail("%s came as %T", name, v) }

func tri(b bool) Outcome {
	if b {
		return True
	}
	return False
}

type constNode Outcome

func (n constNode) eval(*ctx) Outcome { return Outcome(n) }

type notNode struct{ of node }

func (n *notNode) eval(x *ctx) Outcome { return n.of.eval(x).not() }

// andNode stops at the first false: facts after it are not read.
type andNode struct{ of []node }

func (n *andNode) eval(x *ctx) Outcome {
	m, out := x.mark(), True
	for _, c := range n.of {
		switch c.eval(x) {
		case False:
			x.forget(m)
			return False
		case Unknown:
			out = Unknown
		}
	}
	return out
}

type orNode struct{ of []node }

func (n *orNode) eval(x *ctx) Outcome {
	m, out := x.mark(), False
	for _, c := range n.of {
		switch c.eval(x) {
		case True:
			x.forget(m)
			return True
		case Unknown:
			out = Unknown
		}
	}
	return out
}

type ifNode struct{ cond, then, els node }

func (n *ifNode) eval(x *ctx) Outcome {
	switch n.cond.eval(x) {
	case True:
		return n.then.eval(x)
	case False:
		return n.els.eval(x)
	default:
		return Unknown
	}
}

// boolNode is a term of type bool used as a condition.
type boolNode struct{ of *term }

func (n *boolNode) eval(x *ctx) Outcome {
	b, ok := n.of.num(x)
	if !ok {
		return Unknown
	}
	return tri(b != 0)
}

// comparison operators.
type op uint8

const (
	opEQ op = iota
	opNE
	opLT
	opLE
	opGT
	opGE
)

func (o op) of(c int) Outcome {
	switch o {
	case opEQ:
		return tri(c == 0)
	case opNE:
		return tri(c != 0)
	case opLT:
		return tri(c < 0)
	case opLE:
		return tri(c <= 0)
	case opGT:
		return tri(c > 0)
	default:
		return tri(c >= 0)
	}
}

// cmpNode compares two terms of one type.
type cmpNode struct {
	op   op
	a, b *term
}

func (n *cmpNode) eval(x *ctx) Outcome {
	switch n.a.typ {
	case schema.Int, schema.Bool, schema.Duration:
		a, oka := n.a.num(x)
		b, okb := n.b.num(x)
		if !oka || !okb {
			return Unknown
		}
		switch {
		case a < b:
			return n.op.of(-1)
		case a > b:
			return n.op.of(1)
		}
		return n.op.of(0)
	case schema.Money:
		a, oka := n.a.amount(x)
		b, okb := n.b.amount(x)
		if !oka || !okb {
			return Unknown
		}
		c, ok := a.Compare(b)
		if !ok {
			x.fail("%s", currencies(a, b))
			return Unknown
		}
		return n.op.of(c)
	case schema.Time:
		a, oka := n.a.time(x)
		b, okb := n.b.time(x)
		if !oka || !okb {
			return Unknown
		}
		return n.op.of(a.Compare(b))
	default:
		a, oka := n.a.str(x)
		b, okb := n.b.str(x)
		if !oka || !okb {
			return Unknown
		}
		if n.op <= opNE {
			return tri((a == b) == (n.op == opEQ))
		}
		return n.op.of(strings.Compare(a, b))
	}
}

// inNode is membership of a text in a fixed list.
type inNode struct {
	of   *term
	list []string
}

func (n *inNode) eval(x *ctx) Outcome {
	s, ok := n.of.str(x)
	if !ok {
		return Unknown
	}
	return tri(slices.Contains(n.list, s))
}

// hasNode is membership of a text in a field that is a list of text.
type hasNode struct{ of, list *term }

func (n *hasNode) eval(x *ctx) Outcome {
	s, ok := n.of.str(x)
	list, okl := n.list.list(x)
	if !ok || !okl {
		return Unknown
	}
	return tri(slices.Contains(list, s))
}

// textNode is a test of one text by another.
type textNode struct {
	name  string // startsWith, endsWith or contains
	test  func(s, arg string) bool
	a, by *term
}

func (n *textNode) eval(x *ctx) Outcome {
	a, oka := n.a.str(x)
	b, okb := n.by.str(x)
	if !oka || !okb {
		return Unknown
	}
	return tri(n.test(a, b))
}

type matchNode struct {
	pattern string
	match   func(string) bool
	a       *term
}

func (n *matchNode) eval(x *ctx) Outcome {
	a, ok := n.a.str(x)
	if !ok {
		return Unknown
	}
	return tri(n.match(a))
}

// quantNode is exists, all or exists_one over the lines or over a list of text.
type quantNode struct {
	kind  quantKind
	over  *term
	depth int
	body  node
}

type quantKind uint8

const (
	quantExists quantKind = iota
	quantAll
	quantOne
)

func (n *quantNode) eval(x *ctx) Outcome {
	m := x.mark()
	unknown, count := false, 0
	// done reports whether one more outcome of the body settles the whole.
	done := func(o Outcome) bool {
		switch {
		case o == Unknown:
			unknown = true
		case o == True:
			count++
			return n.kind == quantExists
		default:
			return n.kind == quantAll
		}
		return false
	}
	settled := n.kind != quantAll // the outcome if done says so
	if n.over.typ == schema.Lines {
		lines, ok := n.over.lines(x)
		if !ok {
			return Unknown
		}
		for i := range lines {
			x.lines[n.depth] = &lines[i]
			if !x.step() {
				return Unknown
			}
			if done(n.body.eval(x)) {
				x.forget(m)
				return tri(settled)
			}
		}
	} else {
		list, ok := n.over.list(x)
		if !ok {
			return Unknown
		}
		for _, s := range list {
			x.elems[n.depth] = s
			if !x.step() {
				return Unknown
			}
			if done(n.body.eval(x)) {
				x.forget(m)
				return tri(settled)
			}
		}
	}
	switch {
	case unknown:
		return Unknown
	case n.kind == quantOne:
		return tri(count == 1)
	default:
		return tri(!settled)
	}
}

func (x *ctx) step() bool {
	x.steps++
	if x.steps > maxSteps {
		x.fail("the condition takes too many steps on this order")
		return false
	}
	return true
}

// celNode is a part that only the CEL interpreter knows.
type celNode struct {
	prog cel.Program
	text string
}

func (n *celNode) eval(x *ctx) Outcome {
	m := x.mark()
	v, _, err := n.prog.Eval(activation{x})
	if err != nil {
		x.fail("%s", err)
		return Unknown
	}
	if b, ok := v.(types.Bool); ok {
		x.forget(m)
		return tri(bool(b))
	}
	return Unknown
}

// decidable reports whether no part of n is a program.
func decidable(n node) bool {
	switch n := n.(type) {
	case *celNode:
		return false
	case *notNode:
		return decidable(n.of)
	case *andNode:
		return !slices.ContainsFunc(n.of, func(c node) bool { return !decidable(c) })
	case *orNode:
		return !slices.ContainsFunc(n.of, func(c node) bool { return !decidable(c) })
	case *ifNode:
		return decidable(n.cond) && decidable(n.then) && decidable(n.els)
	case *quantNode:
		return decidable(n.body)
	default:
		return true
	}
}
