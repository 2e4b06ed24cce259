package console

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/proof"
)

func automationHref(name string) string { return "/automations/" + pathEscape(name) }

// severityMeaning is the colour of a severity.
func severityMeaning(s proof.Severity) ui.Meaning {
	switch s {
	case proof.Error:
		return ui.Danger
	case proof.Warning:
		return ui.Attention
	}
	return ui.Neutral
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// worrying is how many findings somebody should look at now.
func worrying(r *proof.Report) int {
	return r.Count(proof.Error) + r.Count(proof.Warning) + len(proof.Failed(r.Tests))
}

func findingsCount(r *proof.Report) string {
	tests := "no tests"
	if n := len(r.Tests); n > 0 {
		tests = ui.Plural(int64(n), "test", "tests")
	}
	return tests + ", " + ui.Plural(int64(r.Pairs), "pair", "pairs") + " compared"
}

func findingsNone(r *proof.Report) string {
	text := "No two of them want different things of one order, none sets off another in a circle, and each can fire. "
	if len(r.Tests) == 0 {
		return text + "None has tests yet: write an example event beside a rule, and it is run whenever the rule changes."
	}
	return text + "Every test beside them passes. What the terminal finds also names events of the past:"
}
