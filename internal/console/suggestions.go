package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// Suggester words what reviewers decided again and again as automations. It never acts by itself.
type Suggester interface {
	// Suggestions returns what there is to suggest, and what people have said about earlier ones.
	Suggestions(ctx context.Context) (*suggest.Report, []store.Verdict, error)
	// AcceptSuggestion makes one a draft automation that owner answers for, and returns its name.
	// when is the condition that the person saw; another one is a conflict.
	AcceptSuggestion(ctx context.Context, key, when, owner, reason string) (string, error)
	// RefuseSuggestion remembers that a pattern is not wanted.
	RefuseSuggestion(ctx context.Context, key, when, by, reason string) error
}

type suggestionsView struct {
	Page     ui.PageView
	Report   *suggest.Report
	SetAside []store.Verdict
	CanAct   bool
	Owner    string // of a draft that the reader accepts
	Briefly  bool   // asked for by another page, which shows the sentences only
}

// moreDecisions says what is missing before anything is looked for.
func moreDecisions(v suggestionsView) string {
	done := "none"
	if v.Report.Decisions > 0 {
		done = ui.Number(int64(v.Report.Decisions))
	}
	return fmt.Sprintf("Orderly looks for patterns once people have approved or rejected %d held orders; so far: %s. What is decided the same way again and again in the review queue is then suggested here as a rule.",
		v.Report.Decisions+v.Report.Needed, done)
}

func (c *Console) suggestions(w http.ResponseWriter, r *http.Request) error {
	if c.Suggest == nil {
		return fault.New(fault.Unavailable, "console.suggestions", "suggestions are not available on this server")
	}
	u, _ := access.UserFrom(r.Context())
	v := suggestionsView{CanAct: access.Can(u.Role, access.ApplyAutomation), Owner: u.Email, Briefly: r.URL.Query().Get("brief") != ""}
	var err error
	if v.Report, v.SetAside, err = c.Suggest.Suggestions(r.Context()); err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Suggestions", "Automations"); err != nil {
		return err
	}
	if v.Briefly {
		return c.show(w, r, http.StatusOK, suggestionsBrief(v))
	}
	return c.show(w, r, http.StatusOK, suggestionsPage(v))
}

func (c *Console) acceptSuggestion(w http.ResponseWriter, r *http.Request) error {
	if c.Suggest == nil {
		return fault.New(fault.Unavailable, "console.suggestions", "suggestions are not available on this server")
	}
	u, _ := access.UserFrom(r.Context())
	name, err := c.Suggest.AcceptSuggestion(r.Context(), r.PathValue("key"), r.PostFormValue("when"), u.Email, r.PostFormValue("reason"))
	if err != nil {
		return err
	}
	to := "/automations/" + pathEscape(name)
	if r.PostFormValue("then") == "edit" {
		to += "/edit"
	}
	return c.back(w, r, to, ui.Flash{
		Meaning: ui.Done, Text: "Kept as a draft that you own. It does nothing yet: try it with Backtest on the past orders, then switch it on, or remove it.",
	})
}

func (c *Console) refuseSuggestion(w http.ResponseWriter, r *http.Request) error {
	if c.Suggest == nil {
		return fault.New(fault.Unavailable, "console.suggestions", "suggestions are not available on this server")
	}
	u, _ := access.UserFrom(r.Context())
	err := c.Suggest.RefuseSuggestion(r.Context(), r.PathValue("key"), r.PostFormValue("when"), u.Email, r.PostFormValue("reason"))
	if err != nil {
		return err
	}
	return c.back(w, r, "/suggestions", ui.Flash{Meaning: ui.Done, Text: "Refused. It is not suggested again unless the evidence changes much."})
}

// tally says how many of how many.
func tally(t suggest.Tally) string {
	if t.Cases == 0 {
		return "none"
	}
	return fmt.Sprintf("%s of %s (%.0f %%)", ui.Number(int64(t.Agreed)), ui.Number(int64(t.Cases)), 100*t.Rate())
}

func stepMeaning(s *suggest.Suggestion) ui.Meaning {
	if s.Step == "release" {
		return ui.Done
	}
	return ui.Held
}

func stepWords(s *suggest.Suggestion) string {
	if s.Step == "release" {
		return "Let go of such orders"
	}
	return "Hold such orders"
}

// did is the suggestion's outcome in the past tense.
func did(s *suggest.Suggestion) string { return outcomeWords(s.Outcome) }

func outcomeWords(outcome string) string {
	switch outcome {
	case suggest.Approve:
		return "approved"
	case suggest.Reject:
		return "rejected"
	case suggest.Ask:
		return "asked about"
	}
	return outcome
}

// coversWords say what share of the decisions a suggestion speaks about.
func coversWords(s *suggest.Suggestion) string {
	if s.Step == "release" {
		return "Reviews it would have saved"
	}
	return "Of all decisions"
}

func perDay(s *suggest.Suggestion) string {
	n := ui.Plural(int64(s.Reach), "order", "orders")
	if s.PerDay >= 10 {
		return fmt.Sprintf("%s, %.0f a day", n, s.PerDay)
	}
	return fmt.Sprintf("%s, %.1f a day", n, s.PerDay)
}

func textLines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

func madeFrom(r *suggest.Report) string {
	return fmt.Sprintf("From %s by %s. Patterns were looked for in %s of them and tested on the other %s.",
		ui.Plural(int64(r.Decisions), "decision", "decisions"), ui.Plural(int64(r.Reviewers), "person", "people"), ui.Number(int64(r.Learned)), ui.Number(int64(r.Confirmed)))
}

func verdictWords(v store.Verdict) string {
	if v.Accepted {
		return "Accepted"
	}
	return "Refused"
}

func verdictMeaning(v store.Verdict) ui.Meaning {
	if v.Accepted {
		return ui.Done
	}
	return ui.Neutral
}

// verdictReason is the person's own; one that only repeats what was found is left out.
func verdictReason(v store.Verdict) string {
	if strings.HasSuffix(v.Reason, v.Sentence) {
		return ""
	}
	return v.Reason
}
