package console

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/proof"
)

// findingsShown is how many findings an automation's page tells.
const findingsShown = 3

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

// sentence begins with a capital and ends with a full stop or a question mark.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

// nameIn writes the name of an automation in what is said of it, with its mode where it does not act.
func nameIn(f proof.Finding) func(string) string {
	return func(name string) string {
		if m, ok := f.Idle[name]; ok {
			return "“" + title(name) + "” (" + string(m) + ")"
		}
		return "“" + title(name) + "”"
	}
}

// worrying is how many findings somebody should look at now.
func worrying(r *proof.Report) int {
	return r.Count(proof.Error) + r.Count(proof.Warning) + len(proof.Failed(r.Tests))
}

func findingsCount(r *proof.Report) string {
	tests := "No tests"
	if n := len(r.Tests); n > 0 {
		tests = ui.Plural(int64(n), "test", "tests")
	}
	return tests + ", " + ui.Plural(int64(r.Pairs), "pair", "pairs") + " compared"
}

// pastSentence ends with a full stop, but where more is to come.
func pastSentence(text string) string {
	if strings.HasSuffix(text, "…") {
		return text
	}
	return sentence(text)
}

// pastSpan is what of the past was looked at for a tag.
func pastSpan(ctx context.Context, h *proof.History) string {
	return ui.Plural(h.Looked, "recorded order", "recorded orders") + ", " + ui.Days(ctx, h.Since, h.Until)
}

// findingsPoll lets the findings load themselves again while the past is being asked.
func findingsPoll(r *proof.Report) templ.Attributes {
	if !r.Asking {
		return nil
	}
	return templ.Attributes{"hx-get": "/automations", "hx-trigger": "every 2s", "hx-select": "#findings", "hx-swap": "outerHTML"}
}

func findingsNone(r *proof.Report) string {
	text := "No two of them want different things of one order, none sets off another in a circle, and each can fire. "
	if len(r.Tests) == 0 {
		return text + "None has tests yet: write an example event beside a rule, and it is run whenever the rule changes."
	}
	return text + "Every test beside them passes. The same at the terminal:"
}
