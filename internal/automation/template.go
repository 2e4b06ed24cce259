package automation

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/yamltext"
)

// Template is an automation to begin from: a whole text that is valid as it stands, with the
// places a shop fills in. It is kept as one YAML file:
//
//	title: Hold large first orders
//	group: Risk
//	for: What it is good for, in a sentence.
//	not_for: When not to use it, in a sentence.
//	settings:
//	  - { at: when, part: "0", label: Hold orders above }
//	  - { at: do/0, arg: sla, label: Deadline of the reviewer, hint: a day when left out }
//	follows:
//	  - { at: tests/0/event/total, text: "{when#0:hit}" }
//	automation: |
//	  automation: hold-large-first-orders
//	  …
type Template struct {
	Name     string // of the file
	Title    string
	Group    string
	For      string
	NotFor   string
	Settings []Setting
	Follows  []Follow
	Text     string
}

// Setting is one place to fill in: a key of the automation (At), an argument of a step (At and Arg), or a
// part of a condition (At and Part): what it compares with, or Of its count what the orders share (by) or
// how long it looks back (within).
type Setting struct {
	At, Arg, Part, Of, Label, Hint, Unit string

	Least  int  // number that it must not be below; 0 is any
	InPart bool // At is a condition
}

// What a setting of a count may be about, beside the number.
const (
	OfBy     = "by"
	OfWithin = "within"
)

// ParseTemplate reads a template. Its automation must be valid and every setting must have its place in it.
func ParseTemplate(name string, text []byte) (*Template, error) {
	d, root := read(name, text)
	if root == nil {
		return nil, d.err()
	}
	d.keys(root, "a template", "title", "group", "for", "not_for", "settings", "follows", "automation")
	t := &Template{Name: strings.TrimSuffix(path.Base(name), path.Ext(name)), Title: d.required(root, "title"), Group: d.required(root, "group")}
	t.For, t.NotFor = d.prose(root, "for", true), d.prose(root, "not_for", true)
	t.Text = d.prose(root, "automation", true) + "\n"
	for _, n := range d.list(root, "settings") {
		m := d.asMapping(n)
		if m == nil {
			d.add(n, "a setting is written like { at: do/0, arg: sla, label: Deadline }")
			continue
		}
		d.keys(m, "a setting", "at", "arg", "part", "of", "label", "hint", "unit", "least")
		s := Setting{At: d.required(m, "at"), Label: d.required(m, "label")}
		s.Arg, _ = d.text(m, "arg")
		s.Hint, _ = d.text(m, "hint")
		s.Unit, _ = d.text(m, "unit")
		s.Part, s.InPart = d.text(m, "part")
		if s.Of, _ = d.text(m, "of"); s.Of != "" && s.Of != OfBy && s.Of != OfWithin {
			d.add(m.at("of"), "of is %s or %s, got %q", OfBy, OfWithin, s.Of)
		}
		if text, ok := d.text(m, "least"); ok {
			if s.Least, ok = number(text, event.MaxQty); !ok {
				d.add(m.at("least"), "least is a whole number, got %q", text)
			}
		}
		t.Settings = append(t.Settings, s)
		if text, err := yamltext.Parse(t.Text); err == nil && !s.there(text) {
			d.add(n, "the automation has nothing to fill in at %s", s.Place())
		}
	}
	var follows []node
	if root.at("follows") != nil {
		follows = d.list(root, "follows")
	}
	for _, n := range follows {
		m := d.asMapping(n)
		if m == nil {
			d.add(n, "what follows is written like { at: do/0/hold/reason, text: \"order of {when#0} or more\" }")
			continue
		}
		d.keys(m, "what follows", "at", "text")
		f := Follow{At: d.required(m, "at"), Text: d.required(m, "text")}
		t.Follows = append(t.Follows, f)
		if text, err := yamltext.Parse(t.Text); err == nil {
			if err := f.check(text); err != nil {
				d.add(n, "%s", err)
			}
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	if _, err := Parse(name, []byte(t.Text)); err != nil {
		return nil, err
	}
	return t, nil
}

// there reports whether a text has the place of the setting.
func (s Setting) there(d *yamltext.Doc) bool {
	switch {
	case s.Arg != "":
		step, ok := StepOf(d, s.At)
		if !ok {
			return false
		}
		_, ok = argOf(step.Kind, s.Arg)
		return ok
	case s.InPart:
		p := s.PartIn(d)
		return p != nil && p.Kind == rule.PartTest && (s.Of == "" || p.Left.Velocity != nil)
	}
	return d.At(s.At) != nil
}

// PartIn is the part of the condition that the setting fills in; nil when there is none.
func (s Setting) PartIn(d *yamltext.Doc) *rule.Part {
	n := d.At(s.At)
	if n == nil {
		return nil
	}
	root := rule.Outline(n.Value)
	return root.At(s.Part)
}

// Takes is the kind of names that the setting takes when a shop has them before they are named: a location, a connection
// or a template of mails. A queue is made by naming it.
func (s Setting) Takes(d *yamltext.Doc) ArgType {
	switch {
	case s.Arg != "":
		step, _ := StepOf(d, s.At)
		switch a, _ := argOf(step.Kind, s.Arg); a.Type {
		case ArgTemplate, ArgConnection, ArgLocation:
			return a.Type
		}
	case s.InPart && s.Of == "":
		if p := s.PartIn(d); p != nil && p.Kind == rule.PartTest && schema.Format(p.Left.Name) == string(ArgLocation) {
			return ArgLocation
		}
	}
	return ""
}

// Left are the settings that still have their place in a text: the step or the test that they were about stands there.
func (t *Template) Left(d *yamltext.Doc) []Setting {
	own, err := yamltext.Parse(t.Text)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.Settings), func(s Setting) bool {
		if !s.there(d) {
			return true
		}
		if s.Arg != "" {
			was, _ := StepOf(own, s.At)
			is, _ := StepOf(d, s.At)
			return was.Kind != is.Kind
		}
		if !s.InPart {
			return false
		}
		was, is := s.PartIn(own), s.PartIn(d)
		return was == nil || was.Op != is.Op || SubjectOf(was.Left) != SubjectOf(is.Left)
	})
}

// holds is what stands at the place of the setting.
func (s Setting) holds(d *yamltext.Doc) string {
	at := s.At
	if s.Arg != "" {
		at += "/" + s.Arg
	}
	v, _ := valueAt(d, at, s.Part, "")
	return v
}

// Begin is the template's text for a shop: its own by owner, and a draft. Where it names what the shop does not have, the
// shop's first of the kind stands instead.
func (t *Template) Begin(owner string, names Names) string {
	text := t.Text
	for _, c := range []Change{{Do: "set", At: "owner", Value: owner}, {Do: "set", At: "template", Value: t.Name}, {Do: "set", At: "mode", Value: string(Draft)}} {
		if out, err := c.Apply(text, ""); err == nil {
			text = out
		}
	}
	for _, s := range t.Settings {
		d, err := yamltext.Parse(text)
		if err != nil {
			return text
		}
		have := names.Of(s.Takes(d))
		if len(have) == 0 || slices.Contains(have, s.holds(d)) {
			continue
		}
		if out, err := t.Apply(s.Set(text, have[0]), text, ""); err == nil {
			text = out
		}
	}
	return text
}

// Templates reads every template of a folder, in the order of their file names.
func Templates(fsys fs.FS) ([]*Template, error) {
	const opName = "automation.Templates"
	names, err := fs.Glob(fsys, "*.yaml")
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, opName, "the templates cannot be listed")
	}
	var out []*Template
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, opName, "the template %s cannot be read", name)
		}
		t, err := ParseTemplate(name, text)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
