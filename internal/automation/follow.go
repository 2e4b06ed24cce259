package automation

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/yamltext"
)

// Follow is a place of a template that says what a setting says, in its own words: the reason of a hold that names
// the limit, the order of an example that is just on the line. It changes with the setting, until
// a person has written something else there.
//
// Text is what stands there, with {PLACE} for a value of the automation: {do/0/queue} is an argument, {when#0} what the
// first part of the condition compares with. Of a part there are also its :words, a value for which it
// is true (:hit) or false (:miss), and of a count its :velocity as a condition writes it.
type Follow struct{ At, Text string }

var placeholder = regexp.MustCompile(`\{([a-z_]+(?:/[a-z0-9_]+)*)(#[0-9/]*)?(?::([a-z]+))?\}`)

// fillIn is a text with its places filled in from a document; false when one of them is not there.
func fillIn(d *yamltext.Doc, text string) (string, bool) {
	all := true
	out := placeholder.ReplaceAllStringFunc(text, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		v, ok := valueAt(d, m[1], strings.TrimPrefix(m[2], "#"), m[3])
		all = all && ok
		return v
	})
	return out, all
}

func valueAt(d *yamltext.Doc, at, part, what string) (string, bool) {
	if at != "when" {
		return placed(d, at)
	}
	p := Setting{At: at, Part: part, InPart: true}.PartIn(d)
	if p == nil || p.Kind != rule.PartTest {
		return "", false
	}
	switch what {
	case "words":
		words := strings.ReplaceAll(testPhrase(p), "\u202f", "") // it becomes a part of a text that people write on
		if p.Left.Line != "" {
			words = strings.TrimPrefix(words, "the ") // "a line whose quantity"
		}
		return words, true
	case "hit", "miss":
		return p.Near(what == "hit")
	case "velocity":
		if p.Left.Velocity == nil {
			return "", false
		}
		return p.Left.Velocity.String(), true
	}
	if len(p.Right.Values) == 0 {
		return "", false
	}
	return strings.Join(p.Right.Values, ", "), true
}

// placed is the value of a place: an argument of a step, or a key.
func placed(d *yamltext.Doc, at string) (string, bool) {
	n := d.At(at)
	if i := strings.LastIndexByte(at, '/'); n == nil && i > 0 {
		if s, ok := StepOf(d, at[:i]); ok {
			n = s.Value(d, at[i+1:])
		}
	}
	if n == nil || n.Kind != yamltext.Scalar {
		return "", false
	}
	return n.Value, true
}

// Apply makes a change and lets follow what hangs on the setting that it changes.
func (t *Template) Apply(c Change, text, currency string) (string, error) {
	if d, err := yamltext.Parse(text); err == nil {
		for _, s := range t.Left(d) {
			if err := s.fits(c); err != nil {
				return "", err
			}
		}
	}
	next, err := c.Apply(text, currency)
	if err != nil {
		return "", err
	}
	return t.follow(text, next), nil
}

// follow changes what follows in a text that was another one before. A place that holds something else than it would
// have held before was written by a person and stays.
func (t *Template) follow(before, after string) string {
	was, err := yamltext.Parse(before)
	if err != nil {
		return after
	}
	is, err := yamltext.Parse(after)
	if err != nil {
		return after
	}
	for _, f := range t.Follows {
		at, ok := fillIn(is, f.At)
		old, okOld := fillIn(was, f.Text)
		text, okNew := fillIn(is, f.Text)
		if !ok || !okOld || !okNew || old == text {
			continue
		}
		if next, err := put(is, at, old, text); err == nil {
			is = next
		}
	}
	if _, err := Parse("", []byte(is.Text)); err != nil { // it no longer fits what was chosen, as units where an amount was
		if _, err := Parse("", []byte(after)); err == nil {
			return after
		}
	}
	return is.Text
}

// put gives a place a text where it holds another one.
func put(d *yamltext.Doc, at, old, text string) (*yamltext.Doc, error) {
	path, part, inPart := strings.Cut(at, "#")
	if inPart {
		p := Setting{At: path, Part: part, InPart: true}.PartIn(d)
		if p == nil || p.Kind != rule.PartTest || strings.Join(p.Right.Values, ", ") != old {
			return nil, yamltext.ErrText
		}
		form := FormOf(p)
		form.Values = []string{text}
		out, err := (Change{Do: "part-test", At: path, Part: part, Test: form}).Apply(d.Text, "")
		if err != nil {
			return nil, err
		}
		return yamltext.Parse(out)
	}
	if n := d.At(path); n == nil || n.Kind != yamltext.Scalar || n.Value != old {
		return nil, yamltext.ErrText
	}
	out, err := d.SetText(path, text)
	if err != nil {
		return nil, err
	}
	return yamltext.Parse(out)
}

// fits holds a change to the least that the setting allows.
func (s Setting) fits(c Change) error {
	if s.Least == 0 {
		return nil
	}
	v := c.Value
	switch {
	case s.InPart && c.Do == "part-test" && c.At == s.At && c.Part == s.Part && len(c.Test.Values) == 1:
		v, _, _ = strings.Cut(strings.TrimSpace(c.Test.Values[0]), " ")
	case c.Do == "set" && c.At == s.At && s.Arg == "":
	default:
		return nil
	}
	if n, err := strconv.ParseFloat(v, 64); err == nil && n < float64(s.Least) {
		return unfit("%s: write %d or more", strings.ToLower(s.Label[:1])+s.Label[1:], s.Least)
	}
	return nil
}

// recounted is a text whose condition changed: where one count took the place of another, the
// examples tell the value of that one.
func recounted(text, before, after string) string {
	was, is := counts(before), counts(after)
	gone, come := without(was, is), without(is, was)
	if len(gone) != 1 || len(come) != 1 {
		return text
	}
	d, err := yamltext.Parse(text)
	if err != nil {
		return text
	}
	tests := d.At("tests")
	if tests == nil || tests.Kind != yamltext.List {
		return text
	}
	for i := range tests.Entries {
		given := yamltext.Join("tests", strconv.Itoa(i), "given")
		for _, key := range d.At(given).Keys() {
			if countKey(key) != countKey(gone[0]) {
				continue
			}
			out, err := d.Rename(yamltext.Join(given, key), come[0])
			if err != nil {
				return d.Text
			}
			if d, err = yamltext.Parse(out); err != nil {
				return text
			}
		}
	}
	return d.Text
}

// counts are the counts that a condition asks for, as conditions write them.
func counts(src string) []string {
	var out []string
	var walk func(p *rule.Part)
	walk = func(p *rule.Part) {
		for _, t := range []*rule.Term{&p.Left, p.Right.Term} {
			if t != nil && t.Velocity != nil {
				out = append(out, t.Velocity.String())
			}
		}
		for i := range p.Parts {
			walk(&p.Parts[i])
		}
	}
	root := rule.Outline(src)
	walk(&root)
	return out
}

// countKey is a count without what may be written in several ways.
func countKey(s string) string { return strings.NewReplacer(`"`, "", "'", "", " ", "").Replace(s) }

func without(all, some []string) []string {
	have := map[string]bool{}
	for _, s := range some {
		have[countKey(s)] = true
	}
	var out []string
	for _, s := range all {
		if k := countKey(s); !have[k] {
			have[k] = true
			out = append(out, s)
		}
	}
	return out
}

// check reports the first place of a follow that the text does not have, or that holds something else.
func (f Follow) check(d *yamltext.Doc) error {
	at, ok := fillIn(d, f.At)
	text, okText := fillIn(d, f.Text)
	if !ok || !okText {
		return fmt.Errorf("%s: %q names what the automation does not have", f.At, f.Text)
	}
	if path, part, inPart := strings.Cut(at, "#"); inPart {
		if v, ok := valueAt(d, path, part, ""); !ok || v != text {
			return fmt.Errorf("%s is %q and not %q", f.At, v, text)
		}
		return nil
	}
	if n := d.At(at); n == nil || n.Kind != yamltext.Scalar || n.Value != text {
		return fmt.Errorf("%s is not %q", f.At, text)
	}
	return nil
}
