package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Splice is one change of a condition's source: Text in the place of the bytes
// From to To. A line end in Text is where the line may be broken.
type Splice struct {
	From, To int
	Text     string
}

// Apply returns src with the change.
func (s Splice) Apply(src string) string { return src[:s.From] + s.Text + src[s.To:] }

const opRewrite = "rule.Rewrite"

func noPart(path string) error {
	return fault.New(fault.Invalid, opRewrite, "the condition has no part %q any more", path)
}

// parent returns the part that holds the one of a path, and the index in it.
func (p *Part) parent(path string) (*Part, int) {
	cut := strings.LastIndexByte(path, '/')
	last := path[cut+1:]
	i, err := strconv.Atoi(last)
	if err != nil {
		return nil, 0
	}
	of := p.At(path[:max(cut, 0)])
	if of == nil || i < 0 || i >= len(of.Parts) {
		return nil, 0
	}
	return of, i
}

func (p *Part) group() bool { return p.Kind == PartAll || p.Kind == PartAny }

// wrapped reports whether a group stands in parentheses.
func (p *Part) wrapped() bool { return p.core.from != p.Start || p.core.to != p.End }

// guard puts a text into parentheses where it would not hold together beside && and ||.
func guard(text string) string {
	if p := Outline(text); p.loose || p.group() && !p.wrapped() {
		return "(" + text + ")"
	}
	return text
}

// SetPart replaces a part by another text.
func SetPart(src, path, text string) (Splice, error) {
	root := Outline(src)
	p := root.At(path)
	if p == nil {
		return Splice{}, noPart(path)
	}
	if of, _ := root.parent(path); path != "" && of != nil && of.group() {
		text = guard(text)
	}
	if p.Kind == PartAlways {
		return Splice{0, len(src), text}, nil
	}
	return Splice{p.Start, p.End, text}, nil
}

// AddPart adds a text to a group, or makes a group of a part that is none: both must hold.
func AddPart(src, path, text string) (Splice, error) {
	root := Outline(src)
	p := root.At(path)
	switch {
	case p == nil:
		return Splice{}, noPart(path)
	case p.Kind == PartAlways:
		return Splice{0, len(src), text}, nil
	case p.group():
		last := &p.Parts[len(p.Parts)-1]
		return Splice{last.End, last.End, " " + p.operator() + "\n" + guard(text)}, nil
	case p.loose:
		return Splice{p.Start, p.End, "(" + p.Source(src) + ") &&\n" + guard(text)}, nil
	}
	return Splice{p.End, p.End, " &&\n" + guard(text)}, nil
}

func (p *Part) operator() string {
	if p.Kind == PartAny {
		return "||"
	}
	return "&&"
}

// RemovePart takes a part away, with the comments before it. The last part of a loop takes the
// loop with it; the last part of all leaves the empty condition.
func RemovePart(src, path string) (Splice, error) {
	root := Outline(src)
	if root.At(path) == nil {
		return Splice{}, noPart(path)
	}
	of, i := root.parent(path)
	switch {
	case path == "":
		return Splice{0, len(src), ""}, nil
	case of.Kind == PartLines:
		return RemovePart(src, strings.TrimSuffix(strings.TrimSuffix(path, strconv.Itoa(i)), "/"))
	case i > 0:
		return Splice{of.Parts[i-1].End, of.Parts[i].End, ""}, nil
	}
	return Splice{of.Parts[0].lead, of.Parts[1].lead, ""}, nil
}

// MovePart exchanges a part of a group with its neighbour: the one before it when by is negative, else the one behind.
func MovePart(src, path string, by int) (Splice, error) {
	root := Outline(src)
	of, i := root.parent(path)
	if of == nil || !of.group() {
		return Splice{}, noPart(path)
	}
	if by < 0 {
		i--
	}
	if i < 0 || i+1 >= len(of.Parts) {
		return Splice{}, fault.New(fault.Invalid, opRewrite, "the part is already at the end")
	}
	a, b := &of.Parts[i], &of.Parts[i+1]
	between := src[a.End:b.lead]
	return Splice{a.lead, b.End, src[b.lead:b.End] + between + src[a.lead:a.End]}, nil
}

// ToggleGroup makes "all of" "any of" and back.
func ToggleGroup(src, path string) (Splice, error) {
	root := Outline(src)
	p := root.At(path)
	if p == nil || !p.group() {
		return Splice{}, noPart(path)
	}
	to := "||"
	if p.Kind == PartAny {
		to = "&&"
	}
	var b strings.Builder
	at := p.core.from
	for _, op := range p.ops {
		b.WriteString(src[at:op.from] + to)
		at = op.to
	}
	b.WriteString(src[at:p.core.to])
	text := b.String()
	if !p.wrapped() && path != "" {
		text = "(" + text + ")"
	}
	return Splice{p.core.from, p.core.to, text}, nil
}

// NegatePart turns a group or loop into its opposite and back.
func NegatePart(src, path string) (Splice, error) {
	root := Outline(src)
	p := root.At(path)
	if p == nil || p.Kind == PartTest || p.Kind == PartAlways {
		return Splice{}, noPart(path)
	}
	text := p.Source(src)
	switch {
	case p.Not:
		at := strings.IndexByte(text, '!')
		return Splice{p.Start, p.Start + at + 1, ""}, nil
	case p.group() && !p.wrapped() || p.loose || p.Kind == PartText:
		return Splice{p.Start, p.End, "!(" + text + ")"}, nil
	}
	return Splice{p.Start, p.Start + 1, "!" + text[:1]}, nil
}

// Write returns the text of a test or of a loop head with its body's source.
func (p Part) Write() (string, error) {
	left, err := p.Left.write()
	if err != nil {
		return "", err
	}
	not, op := "", p.Op
	if rest, ok := strings.CutPrefix(op, "!"); ok && op != "!=" {
		not, op = "!", rest
	}
	if op == OpIs {
		return not + left, nil
	}
	var right []string
	if t := p.Right.Term; t != nil {
		text, err := t.write()
		if err != nil {
			return "", err
		}
		if t.Type != p.Left.Type {
			return "", fault.New(fault.Invalid, opRewrite, "%s is %s and %s is %s: they do not compare", left, p.Left.Type.Noun(), text, t.Type.Noun())
		}
		right = []string{text}
	} else {
		for _, v := range p.Right.Values {
			text, err := writeConstant(p.Left.Type, v)
			if err != nil {
				return "", err
			}
			right = append(right, text)
		}
	}
	if len(right) == 0 {
		return "", fault.New(fault.Invalid, opRewrite, "a value is missing")
	}
	switch op {
	case "==", "!=", "<", "<=", ">", ">=":
		return left + " " + op + " " + right[0], nil
	case OpIn:
		in := left + " in [" + strings.Join(right, ", ") + "]"
		if not != "" {
			return "!(" + in + ")", nil
		}
		return in, nil
	case OpHas:
		if not != "" {
			return "!(" + right[0] + " in " + left + ")", nil
		}
		return right[0] + " in " + left, nil
	case OpStarts, OpEnds, OpContains, OpMatches:
		return not + left + "." + op + "(" + right[0] + ")", nil
	}
	return "", fault.New(fault.Invalid, opRewrite, "there is no test %q", op)
}

func (t Term) write() (string, error) {
	var s string
	switch {
	case t.Velocity != nil:
		return t.Velocity.String(), nil
	case t.Line != "":
		s = t.Line + "." + t.Name
	default:
		s = t.Name
	}
	if t.Count {
		s += ".size()"
	}
	return s, nil
}

// writeConstant writes what a person typed as a constant of a type.
func writeConstant(t schema.Type, v string) (string, error) {
	bad := func(format string, args ...any) (string, error) {
		return "", fault.New(fault.Invalid, opRewrite, format, args...)
	}
	switch t {
	case schema.Money:
		a, err := money.ParseTyped(v)
		if err != nil {
			return bad("%s", err)
		}
		dec, _, _ := strings.Cut(strings.TrimSpace(v), " ")
		return fmt.Sprintf("money(%s, %s)", quote(dec), quote(a.Currency)), nil
	case schema.Int:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return bad("%q is not a whole number", v)
		}
		return strconv.FormatInt(n, 10), nil
	case schema.Duration:
		d, err := ParseDuration(strings.TrimSpace(v))
		if err != nil {
			return bad("%s", err)
		}
		return "duration(" + quote(durationWritten(d)) + ")", nil
	case schema.Time:
		at, err := time.Parse(time.RFC3339, v)
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
			if err != nil {
				at, err = time.Parse(layout, v)
			}
		}
		if err != nil {
			return bad("%q is not a time like 2026-01-31T00:00:00Z", v)
		}
		return "timestamp(" + quote(at.UTC().Format(time.RFC3339)) + ")", nil
	case schema.String, schema.Strings:
		return quote(v), nil
	}
	return bad("%s has no values to compare with", t.Noun())
}

// durationWritten is d as CEL's duration() reads it: without days.
func durationWritten(d time.Duration) string {
	s := DurationText(d)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, _ := strconv.Atoi(days)
		return strconv.Itoa(24*n) + "h"
	}
	return s
}

// DurationShown is a duration as people write it: "3d" for what CEL writes "72h".
func DurationShown(s string) string {
	d, err := ParseDuration(s)
	if err != nil {
		return s
	}
	return DurationText(d)
}

// SetLoop makes a loop over the lines another one: exists, all, exists_one, or one of them with "!" before it.
func SetLoop(src, path, op string) (Splice, error) {
	root := Outline(src)
	p := root.At(path)
	word, not := strings.CutPrefix(op, "!")
	if p == nil || p.Kind != PartLines || word != OpExists && word != OpEvery && word != OpExactlyOne {
		return Splice{}, noPart(path)
	}
	text := src[p.core.from:p.core.to]
	if head := strings.Index(text, "."+p.Op); head >= 0 {
		text = text[:head+1] + word + text[head+1+len(p.Op):]
	}
	if not {
		text = "!" + text
	}
	return Splice{p.Start, p.End, text}, nil
}
