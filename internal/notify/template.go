package notify

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/osteele/liquid/parser"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/tags"

	"orderly.example/orderly/internal/fault"
)

// Limits of a template and of what it may cost to write a message with it.
const (
	maxSource = 64 << 10               // bytes of a template file
	maxOutput = 512 << 10              // bytes of one part of a message
	maxRounds = 20_000                 // rounds of all loops together
	maxTime   = 500 * time.Millisecond // for one part
)

const (
	outFilter = "__out"  // what every {{ }} passes: see checker.object
	tickTag   = "__tick" // what every loop runs each round: see checker.loop
	stateName = "__state"
)

// Template is a message, checked and compiled. It is safe for concurrent use.
type Template struct {
	Name  string
	parts [3]render.Node // by part; nil = the message has no such part
}

// state is what one rendering may still spend, and the data for our own tags.
type state struct {
	vars   map[string]any
	rounds int
	until  time.Time
}

var (
	errRounds = fmt.Errorf("the loops run more than %d rounds together", maxRounds)
	errTime   = errors.New("writing it takes too long")
	errOutput = fmt.Errorf("the message becomes larger than %d KiB", maxOutput>>10)
)

// configs are the engine's settings per part. The engine comes with tags that read files
// and filters without bounds: only named tags and our own filters are in here, and the
// checker lets nothing else through.
var configs = [3]render.Config{config(partSubject), config(partText), config(partHTML)}

func config(p part) render.Config {
	c := render.NewConfig()
	tags.AddStandardTags(c)
	denied := func(string) (func(io.Writer, render.Context) error, error) { return nil, errors.New("is not allowed") }
	for name := range refusedTags {
		c.AddTag(name, denied)
	}
	for name, f := range filters {
		c.AddFilter(name, func(in any, args ...any) (any, error) { return f.apply(in, args) })
	}
	write := func(s string) string { return s }
	if p == partHTML {
		write = escape
	}
	c.AddFilter(outFilter, func(in any) (any, error) {
		if l, ok := in.([]any); ok {
			parts := make([]string, 0, len(l))
			for _, v := range l {
				parts = append(parts, show(v))
			}
			in = strings.Join(parts, ", ")
		}
		return write(show(in)), nil
	})
	c.AddTag(tickTag, func(string) (func(io.Writer, render.Context) error, error) {
		return func(_ io.Writer, ctx render.Context) error {
			s := ctx.Get(stateName).(*state)
			s.rounds++
			switch {
			case s.rounds > maxRounds:
				return errRounds
			case s.rounds%64 == 0 && time.Now().After(s.until):
				return errTime
			}
			return nil
		}, nil
	})
	for name, draw := range drawings {
		c.AddTag(name, func(args string) (func(io.Writer, render.Context) error, error) {
			args = strings.TrimSpace(args)
			return func(w io.Writer, ctx render.Context) error {
				_, err := io.WriteString(w, draw(ctx.Get(stateName).(*state).vars, args, p))
				return err
			}, nil
		})
	}
	return c
}

// escape makes text safe between tags and in quoted attributes; a line break stays one.
func escape(s string) string { return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>\n") }

// Parse reads a template file (see the format in source.go) of the name, as
// "order-confirmation" for order-confirmation.liquid. It reports everything wrong with it at once,
// each with file and line, as a fault.Invalid.
func Parse(name string, text []byte) (*Template, error) {
	const op = "notify.Parse"
	file := "templates/" + name + ".liquid"
	src, problems := readSource(file, text)
	if !validName(name) {
		problems = append(problems, fault.Problem{Pointer: file, Message: "a template's name has lower-case letters, digits and hyphens, at most 60"})
	}
	if len(problems) > 0 {
		return nil, fault.Problems(op, problems)
	}
	t := &Template{Name: name}
	for p, piece := range src.parts {
		if piece.text == "" {
			continue
		}
		c := &checker{file: file, part: part(p)}
		compiled := c.check(piece.text, piece.line)
		if len(c.problems) == 0 {
			node, err := compile(part(p), compiled, piece.line)
			if err == nil {
				t.parts[p] = node
				continue
			}
			line := piece.line
			if se, ok := errors.AsType[parser.Error](err); ok && se.LineNumber() > 0 {
				line = se.LineNumber()
			}
			c.problem(line, "%s", plain(err))
		}
		problems = append(problems, c.problems...)
	}
	if len(problems) > 0 {
		return nil, fault.Problems(op, problems)
	}
	// What cannot be seen in the text shows when it is written once with everything and once with nothing.
	for _, d := range []Data{Sample(), {}} {
		if r, err := t.render(d); err != nil {
			problems = append(problems, fault.Problem{Pointer: file, Message: "writing a sample message fails: " + fault.Message(err)})
			break
		} else if d.Shop.Name != "" && strings.TrimSpace(r.Text) == "" {
			problems = append(problems, fault.Problem{Pointer: file, Message: "the sample message has no text"})
		}
	}
	if len(problems) > 0 {
		return nil, fault.Problems(op, problems)
	}
	return t, nil
}

// compile gives the engine a checked source. The engine panics on some input: that is one more error.
func compile(p part, src string, line int) (node render.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			node, err = nil, fmt.Errorf("it cannot be read: %v", r)
		}
	}()
	node, perr := configs[p].Compile(src, parser.SourceLoc{LineNo: line})
	if perr != nil {
		return nil, perr
	}
	return node, nil
}

// plain is the engine's message without its frame and our rewriting.
func plain(err error) string {
	s := err.Error()
	if i := strings.Index(s, "): "); i >= 0 && strings.HasPrefix(s, "Liquid error") {
		s = s[i+3:]
	}
	s = strings.ReplaceAll(s, ") | "+outFilter, "")
	if i := strings.LastIndex(s, " in {"); i > 0 {
		s = s[:i]
	}
	return s
}

// limited stops a part that grows too large.
type limited struct{ bytes.Buffer }

// Write implements io.Writer.
func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > maxOutput {
		return 0, errOutput
	}
	return l.Buffer.Write(b)
}

// Render writes a message. The error is a fault of kind Invalid: a template that
// was taken fails only when a message would break its limits.
func Render(t *Template, d Data) (Rendered, error) { return t.render(d) }

func (t *Template) render(d Data) (Rendered, error) {
	vars := d.bindings()
	subject, err := t.write(partSubject, vars)
	if err != nil {
		return Rendered{}, err
	}
	body, err := t.write(partText, vars)
	if err != nil {
		return Rendered{}, err
	}
	out := Rendered{Subject: oneLine(subject), Text: tidy(body) + textFooter(vars)}
	if out.Subject == "" {
		out.Subject = oneLine(t.Name + " " + show(vars["shop"].(map[string]any)["name"]))
	}
	if t.parts[partHTML] != nil {
		content, err := t.write(partHTML, vars)
		if err != nil {
			return Rendered{}, err
		}
		out.HTML = frame(content, out.Subject, vars)
	}
	return out, nil
}

func (t *Template) write(p part, vars map[string]any) (text string, err error) {
	if t.parts[p] == nil {
		return "", nil
	}
	var w limited
	fail := func(cause error) (string, error) {
		for _, limit := range []error{errRounds, errTime, errOutput, errTooLong} {
			if errors.Is(cause, limit) || strings.Contains(cause.Error(), limit.Error()) {
				cause = limit
			}
		}
		return "", fault.New(fault.Invalid, "notify.Render", "the template %s: %s", t.Name, plain(cause))
	}
	// The engine panics where its writer fails.
	defer func() {
		if r := recover(); r != nil {
			cause, ok := r.(error)
			if !ok {
				cause = errors.New("it cannot be written")
			}
			text, err = fail(cause)
		}
	}()
	env := make(map[string]any, len(vars)+1)
	for k, v := range vars {
		env[k] = v
	}
	env[stateName] = &state{vars: vars, until: time.Now().Add(maxTime)}
	if rerr := render.Render(t.parts[p], &w, env, configs[p]); rerr != nil {
		cause := rerr.Cause()
		if cause == nil {
			cause = errors.New(rerr.Error())
		}
		return fail(cause)
	}
	return w.String(), nil
}

// oneLine is a subject: no line break, at most 200 runes.
func oneLine(s string) string {
	if v, ok := text(s).(string); ok {
		return clip(v, 200)
	}
	return ""
}

// tidy removes the blank lines that tags leave behind.
func tidy(s string) string {
	var out []string
	blank := true // drops blank lines at the start
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

func validName(s string) bool {
	return s != "" && len(s) <= 60 && utf8.ValidString(s) && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-'
}
