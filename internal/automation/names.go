package automation

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Ref is a name in a text that stands for something outside of it.
type Ref struct {
	Type      ArgType // ArgTemplate, ArgConnection, ArgLocation or ArgQueue
	Name      string
	Line, Col int
}

// Names are what the names in texts may stand for, each list sorted; locations by how much they are preferred.
type Names struct {
	Templates   []string
	Connections []string
	Locations   []string
	Closed      []string // of the locations: they take no new orders
	Queues      []string // in use: a queue is made by naming it, so an unknown one is no mistake by itself
}

// reference keeps the names of a step that stand for something outside of the text, as the step's
// declaration says which they are.
func (d *doc) reference(a *Automation, k Kind, m *mapping) {
	for _, arg := range specs[k].Args {
		switch arg.Type {
		case ArgTemplate, ArgConnection, ArgLocation, ArgQueue:
		default:
			continue
		}
		s, ok := d.scalar(m.at(arg.Name))
		if s = strings.TrimSpace(s); !ok || s == "" || k == KindEscalate && (s == "owner" || !kebab(s)) {
			continue // left out, or a person
		}
		line, col := d.pos(m.at(arg.Name))
		a.Refs = append(a.Refs, Ref{Type: arg.Type, Name: s, Line: line, Col: col})
	}
}

// compared keeps the locations that a condition compares with.
func (d *doc) compared(a *Automation, n node, src string) {
	var walk func(p *rule.Part)
	walk = func(p *rule.Part) {
		for i := range p.Parts {
			walk(&p.Parts[i])
		}
		if p.Kind != rule.PartTest || schema.Format(p.Left.Name) != string(ArgLocation) {
			return
		}
		switch p.Op {
		case "==", "!=", rule.OpIn, rule.Negate(rule.OpIn):
		default:
			return
		}
		start := strings.LastIndexByte(src[:p.Start], '\n') + 1
		at := d.within(n, src, fmt.Sprintf("%d:%d", 1+strings.Count(src[:p.Start], "\n"), 1+utf8.RuneCountInString(src[start:p.Start])))
		var line, col int
		if _, err := fmt.Sscanf(at, "%d:%d", &line, &col); err != nil {
			line, col = d.pos(n)
		}
		for _, v := range p.Right.Values {
			if v != "" {
				a.Refs = append(a.Refs, Ref{Type: ArgLocation, Name: v, Line: line, Col: col})
			}
		}
	}
	root := rule.Outline(src)
	walk(&root)
}

// Of are the names of a type.
func (n Names) Of(t ArgType) []string {
	switch t {
	case ArgTemplate:
		return n.Templates
	case ArgConnection:
		return n.Connections
	case ArgLocation:
		return n.Locations
	case ArgQueue:
		return n.Queues
	}
	return nil
}

// Unknown returns a problem for every template, connection and location of an automation that does not exist; with
// types, only for names of those.
func (n Names) Unknown(a *Automation, types ...ArgType) []fault.Problem {
	var ps []fault.Problem
	for _, r := range a.Refs {
		if len(types) > 0 && !slices.Contains(types, r.Type) {
			continue
		}
		if text := n.unknown(r); text != "" {
			ps = append(ps, fault.Problem{Pointer: fmt.Sprintf("%s:%d:%d", a.File, r.Line, r.Col), Message: text})
		}
	}
	return ps
}

func (n Names) unknown(r Ref) string {
	there, howTo := n.Of(r.Type), ""
	switch r.Type {
	case ArgTemplate:
	case ArgConnection:
		howTo = "; \"orderly connection set " + r.Name + "\" makes one"
	case ArgLocation:
		howTo = "; add it to the locations in the settings, or bring them in with \"orderly import locations\""
	default:
		return ""
	}
	if slices.Contains(there, r.Name) {
		return ""
	}
	if len(there) > 0 {
		return fmt.Sprintf("there is no %s %q%s; there are %s", r.Type, r.Name, didYouMean(r.Name, there), listed(there))
	}
	return fmt.Sprintf("there is no %s %q, and no other%s", r.Type, r.Name, howTo)
}

// Queues are those that the automation gives work to, in the order of its steps.
func (a *Automation) Queues() []string {
	var out []string
	for _, r := range a.Refs {
		if r.Type == ArgQueue {
			out = append(out, r.Name)
		}
	}
	return out
}

// UnusedQueue says of a queue that nothing else uses it, and near reports whether one that is used has nearly the
// same name. The text is "" when it is used.
func (n Names) UnusedQueue(r Ref) (text string, near bool) {
	if r.Type != ArgQueue || slices.Contains(n.Queues, r.Name) {
		return "", false
	}
	mean := didYouMean(r.Name, n.Queues)
	return fmt.Sprintf("nothing else uses the queue %q%s; in use are %s", r.Name, mean, listed(n.Queues)), mean != ""
}

// listed is a list for a message, not longer than a person reads.
func listed(names []string) string {
	const most = 12
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
