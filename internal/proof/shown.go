package proof

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
)

// acting reports whether automations of a mode do something, be it on a share of the orders.
func acting(m automation.Mode) bool { return m == automation.Active || m == automation.Canary }

func idle(m automation.Mode) int {
	if acting(m) {
		return 0
	}
	return 1
}

// The marks around the name of an automation in a message that is not done yet.
const (
	nameBegins = "\x01"
	nameEnds   = "\x02"
)

var unmarked = strings.NewReplacer(nameBegins, "", nameEnds, "")

func named(name string) string { return nameBegins + name + nameEnds }

// Say is the message with the names of automations as name writes them.
func (f *Finding) Say(name func(string) string) string {
	if f.said == "" {
		return f.Message
	}
	var b strings.Builder
	rest := f.said
	for {
		before, after, ok := strings.Cut(rest, nameBegins)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		one, after, _ := strings.Cut(after, nameEnds)
		b.WriteString(name(one))
		rest = after
	}
}

// Grouped are the findings as people read them: those that say the same of different automations stand together, in
// the place of the first of them. None is left out.
func (r *Report) Grouped() [][]Finding {
	var out [][]Finding
	at := map[[3]string]int{}
	for _, f := range r.Findings {
		key := [3]string{string(f.Kind), string(f.Severity), f.Group}
		if i, ok := at[key]; ok && f.Group != "" {
			out[i] = append(out[i], f)
			continue
		}
		at[key] = len(out)
		out = append(out, []Finding{f})
	}
	return out
}

// Names are the automations that stand beside a group of findings: those of the first one, and of the others all that
// act and meet one that acts.
func Names(group []Finding) []string {
	names := slices.Clone(group[0].Automations)
	for _, f := range group[1:] {
		if len(f.Idle) > 0 {
			continue
		}
		for _, n := range f.Automations {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names
}
