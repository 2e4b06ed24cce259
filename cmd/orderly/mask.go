package main

import (
	"maps"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// hidden stands where a value names a person and the reader may not know.
const hidden = "(hidden)"

// maskPersonal returns an explained condition without the values that name a
// person: explanations are read by tokens and by people who may not see them.
func maskPersonal(n rule.Node) rule.Node {
	for name := range n.Values {
		if f, ok := schema.Lookup(name); ok && f.Personal {
			n.Values = maps.Clone(n.Values)
			n.Values[name] = hidden
		}
	}
	if len(n.Children) > 0 {
		children := make([]rule.Node, len(n.Children))
		for i, c := range n.Children {
			children[i] = maskPersonal(c)
		}
		n.Children = children
	}
	return n
}

// sentences says what decided, in words.
func sentences(n rule.Node) []string {
	var out []string
	for _, leaf := range n.Leaves() {
		out = append(out, automation.Said(leaf))
	}
	return out
}
