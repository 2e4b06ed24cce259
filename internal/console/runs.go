package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// runsShown is how many runs the pages of an automation and of an order show.
const runsShown = 8

// runRow is a run in a list, with its order when that is known.
type runRow struct {
	*automation.Run
	Order *store.OrderRow
	Now   bool  // on the version that is in force
	N     int64 // number of the version; 0 = not kept
}

// runsPage is the list of an automation's runs.
type runsPage struct {
	Page  ui.PageView
	A     automationView
	Tabs  []tabView
	State automation.RunState
	Rows  []runRow
	First bool
	Next  string
}

func runsHref(name string) string { return "/automations/" + pathEscape(name) + "/runs" }

func runHref(id string) string { return "/runs/" + pathEscape(id) }

func (c *Console) runs(w http.ResponseWriter, r *http.Request) error {
	t, err := c.automationText(r, r.PathValue("name"))
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := runsPage{A: readAutomation(t), State: automation.RunState(q.Get("state")), First: q.Get("after") == ""}
	if !slices.Contains(automation.RunStates(), v.State) {
		v.State = ""
	}
	var page store.RunsPage
	var counts map[automation.RunState]store.Capped
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if counts, err = tx.RunCounts(v.A.Name); err != nil {
			return err
		}
		page, err = tx.RunsPage(store.RunFilter{Automation: v.A.Name, State: v.State, Cursor: q.Get("after")})
		if err != nil {
			return err
		}
		v.Rows, err = runRows(tx, page.Rows, v.A.Hash)
		return err
	})
	if err != nil {
		return err
	}
	href := func(state automation.RunState) string {
		if state == "" {
			return runsHref(v.A.Name)
		}
		return runsHref(v.A.Name) + "?state=" + string(state)
	}
	v.Tabs = []tabView{{Label: "All", Href: href(""), Current: v.State == ""}}
	for _, s := range automation.RunStates() {
		tab := tabView{Label: title(string(s)), Href: href(s), Current: v.State == s}
		if counts[s].N > 0 {
			tab.Count = capped(counts[s])
		}
		v.Tabs = append(v.Tabs, tab)
	}
	if page.Next != "" {
		v.Next = runsHref(v.A.Name) + "?state=" + string(v.State) + "&after=" + queryEscape(page.Next)
	}
	if v.Page, err = c.frame(w, r, "Runs of "+title(v.A.Name), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, runsPageView(v))
}

// runRows adds to runs what their rows show of their orders. now is the version in force; "" = not known.
func runRows(tx *store.Tx, runs []*automation.Run, now string) ([]runRow, error) {
	out := make([]runRow, len(runs))
	var ids []string
	numbers := map[string]map[string]int64{} // of versions, by automation and text
	for i, run := range runs {
		if numbers[run.Automation] == nil {
			var err error
			if numbers[run.Automation], err = tx.VersionsByText(kindAutomation, run.Automation); err != nil {
				return nil, err
			}
		}
		out[i] = runRow{Run: run, Now: run.Version == now, N: numbers[run.Automation][run.Version]}
		if run.OrderID != "" {
			ids = append(ids, run.OrderID)
		}
	}
	rows, err := tx.OrderRows(ids)
	for i := range rows {
		for j := range out {
			if out[j].OrderID == rows[i].ID {
				out[j].Order = &rows[i]
			}
		}
	}
	return out, err
}

// runPage is one run with its steps.
type runPage struct {
	Page   ui.PageView
	R      runRow
	Text   string // the automation's text that it began with
	Lines  []string
	Exists bool // its automation is in the policy
	Names  map[string]string

	Next     string // the run in its place
	CanRetry bool
	Plan     *decide.Retry // what trying again would do, when that was asked
	From     string
}

func (c *Console) run(w http.ResponseWriter, r *http.Request) error {
	return c.showRun(w, r, runPage{})
}

func (c *Console) showRun(w http.ResponseWriter, r *http.Request, v runPage) (err error) {
	u, _ := access.UserFrom(r.Context())
	if v.Names, err = c.userNames(r); err != nil {
		return err
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		run, err := tx.Run(r.PathValue("id"))
		if err != nil {
			return err
		}
		now := ""
		texts, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		for _, t := range texts {
			if readAutomation(t).Name == run.Automation {
				now, v.Exists = t.Hash, true
			}
		}
		rows, err := runRows(tx, []*automation.Run{run}, now)
		if err != nil {
			return err
		}
		v.R = rows[0]
		next, err := store.RunsByID(tx, []string{decide.RetryID(run.ID)})
		if err != nil {
			return err
		}
		for id := range next {
			v.Next = id
		}
		v.CanRetry = run.State == automation.RunFailed && v.Next == "" && run.Left == 0 && c.Replay != nil && access.Can(u.Role, access.ReplayEffect)
		text, err := tx.PolicyText(run.Version)
		if fault.KindOf(err) == fault.NotFound {
			return nil // doctor says so; the page shows the rest
		}
		v.Text = text.Text
		return err
	})
	if err != nil {
		return err
	}
	v.Lines = textLines(v.Text)
	if v.Page, err = c.frame(w, r, "Run of "+title(v.R.Automation), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, runPageView(v))
}

// retryRun shows what beginning a failed run again at a step would do; with confirm it does it.
func (c *Console) retryRun(w http.ResponseWriter, r *http.Request) error {
	if c.Replay == nil {
		return fault.New(fault.Unavailable, "console.retryRun", "runs cannot be tried again on this server")
	}
	id, from := r.PathValue("id"), r.PostFormValue("from")
	if r.PostFormValue("confirm") != "yes" {
		plan, err := c.Replay.PreviewRetry(r.Context(), id, from)
		if err != nil {
			return err
		}
		return c.showRun(w, r, runPage{Plan: plan, From: from})
	}
	u, _ := access.UserFrom(r.Context())
	next, err := c.Replay.RetryRun(r.Context(), id, from, r.PostFormValue("twice") == "yes", u.ID)
	if err != nil {
		return err
	}
	return c.back(w, r, runHref(next), ui.Flash{Meaning: ui.Done, Text: "It was begun again. This run takes the place of the one that failed."})
}

// retrySteps are the steps at which a failed run can be begun again, the one that failed first.
func retrySteps(r *automation.Run) []ui.Option {
	var out []ui.Option
	for i := len(r.Steps) - 1; i >= 0; i-- {
		s := r.Steps[i]
		label := fmt.Sprintf("%s, line %d", title(string(s.Kind)), s.Line)
		if i == len(r.Steps)-1 {
			label = "The step that failed: " + label
		}
		out = append(out, ui.Option{Value: s.At, Label: label})
	}
	return out
}

// withNames is a text with the names of users in the place of their ids.
func withNames(text string, names map[string]string) string {
	if !strings.Contains(text, "usr_") {
		return text
	}
	for id, name := range names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

func runMeaning(r *automation.Run) ui.Meaning {
	switch {
	case r.Held != nil:
		return ui.Attention
	case r.State == automation.RunWaiting:
		return ui.Held
	case r.State == automation.RunFailed:
		return ui.Danger
	case r.State == automation.RunDone:
		return ui.Done
	}
	return ui.Neutral
}

func runStateText(r *automation.Run) string {
	if r.Held != nil {
		return "Kept waiting"
	}
	return title(string(r.State))
}

// runWaits says what a waiting run waits for.
func runWaits(r *automation.Run) string {
	switch w := r.Wait; {
	case r.Held != nil:
		return "its automation to act again"
	case w.Task != "":
		return "a person's answer"
	case w.Effect != "":
		return "the answer to its call"
	case w.Event != "":
		return schema.EventLabel(w.Event)
	}
	return "the time"
}

// runStepText is the step that a run waits at.
func runStepText(r *automation.Run) string {
	for i := len(r.Steps) - 1; i >= 0; i-- {
		if s := r.Steps[i]; s.Ended.IsZero() {
			return fmt.Sprintf("%s, line %d", title(string(s.Kind)), s.Line)
		}
	}
	return automation.Path(r.At)
}

// runTook is how long a step took; most take no time, as they are a part of one decision.
func runTook(s automation.RunStep) string {
	switch d := s.Ended.Sub(s.Began); {
	case s.Ended.IsZero():
		return "waits"
	case d == 0:
		return "at once"
	default:
		return rule.Show(d.Round(1e6))
	}
}

// runPlace is where a step stands in the text.
func runPlace(s automation.RunStep) string { return "line " + strconv.Itoa(s.Line) }
