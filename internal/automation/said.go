package automation

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// FactLabel is a fact, a field of a line or a count as conditions write it, in the words of a shop.
func FactLabel(fact string) string {
	if root := rule.Outline(fact + " > 0"); root.Kind == rule.PartTest && root.Left.Velocity != nil {
		return strings.TrimPrefix(termPhrase(root.Left), "the number of ")
	}
	return schema.Label(fact)
}

// Told is a value as explanations write it, in the words of a sentence.
func Told(shown string) string {
	switch {
	case shown == "true":
		return "yes"
	case shown == "false":
		return "no"
	case shown == "[]":
		return "none"
	case strings.HasPrefix(shown, "["):
		var list []string
		if json.Unmarshal([]byte(shown), &list) == nil {
			return strings.Join(list, ", ")
		}
	case strings.HasPrefix(shown, `"`):
		if s, err := strconv.Unquote(shown); err == nil {
			if s == "" {
				return "empty"
			}
			return s
		}
	}
	if a, err := money.ParseText(shown); err == nil && a.Currency != "" {
		return a.Grouped()
	}
	if t, err := time.Parse(time.RFC3339, shown); err == nil {
		return t.UTC().Format("2 Jan 2006 15:04 UTC")
	}
	return shown
}

// element is what stands before the condition on one element of a list in an explanation.
var element = regexp.MustCompile(`^\d+ \(.*?\): `)

// Clause is a part of an explained condition in the words of the editor, without what came of it. Of a part that
// has others below it, it only says how they hang together.
func Clause(n rule.Node) string {
	if n.Text == rule.Always {
		return "every time: it has no condition"
	}
	head := element.FindString(n.Text)
	src := n.Text[len(head):]
	if head != "" {
		return head + src // of a loop's variable, which has no name in words
	}
	root := rule.Outline(src)
	if len(n.Children) > 0 && !n.Loop {
		switch {
		case root.Not:
			return "not"
		case root.Kind == rule.PartAll:
			return "all of these"
		case root.Kind == rule.PartAny:
			return "one of these"
		}
	}
	return Phrase(&root, src)
}

// Read is what a part of an explained condition looked at, in words. Where one value is compared with what stands in
// the condition it is the value alone; of a yes or no the outcome says it all.
func Read(n rule.Node) []string {
	root := rule.Outline(n.Text)
	if root.Kind == rule.PartTest && root.Left.Type == schema.Bool && len(n.Values) == 1 || n.Loop {
		return nil
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(n.Values)) {
		v := Told(n.Values[k])
		if root.Kind != rule.PartTest || len(n.Values) > 1 {
			v = FactLabel(k) + " " + v
		}
		out = append(out, v)
	}
	return out
}

// Said is a part of an explained condition with what came of it and why: "The order total is above 400 EUR? No: 129.90 EUR".
func Said(n rule.Node) string {
	if len(n.NotKnown) > 0 && n.Outcome == rule.Unknown.String() {
		return strings.Join(n.NotKnown, "; ")
	}
	verdict := map[string]string{rule.True.String(): "Yes", rule.False.String(): "No"}[n.Outcome]
	s := Clause(n)
	first, n0 := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[n0:]
	if n.Text == rule.Always {
		return s
	}
	s += "? "
	if verdict == "" {
		return s + "Not known"
	}
	s += verdict
	if values := Read(n); len(values) > 0 {
		s += ": " + strings.Join(values, ", ")
	}
	return s
}
