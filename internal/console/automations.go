package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/yamltext"
)

// automationDays is how far back the counts of automations go.
const automationDays = 14

// kindAutomation is the kind of automations among the texts of the policy.
const kindAutomation = "automation"

func (c *Console) automations(w http.ResponseWriter, r *http.Request) error {
	v := automationsView{Days: automationDays}
	now := c.Now()
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		guards, err := tx.AllGuards()
		if err != nil {
			return err
		}
		for _, t := range texts {
			a := readAutomation(t)
			a.Stopped = guards[a.Name] != nil && guards[a.Name].Stop != nil
			if err := c.countAutomation(tx, &a, now); err != nil {
				return err
			}
			v.Rows = append(v.Rows, a)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if v.Report, err = c.Check.Findings(r.Context()); err != nil {
		return err
	}
	v.CanApply = c.mayApply(r, "")
	if v.Page, err = c.frame(w, r, "Automations", "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, automationsPage(v))
}

// readAutomation reads a stored text. One that no longer parses is shown with its problem.
func readAutomation(t store.PolicyText) automationView {
	v := automationView{Name: t.Name, Text: t.Text, Hash: t.Hash}
	a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
	if err != nil {
		v.Problem = "This version of the program cannot read the text: " + problemText(err)
		return v
	}
	v.Name, v.Owner, v.Why, v.On, v.When, v.Mode, v.Share = a.Name, a.Owner, a.Why, a.On, a.When, string(a.Mode), a.Share
	v.Trigger = eventWords(a.On)
	if a.On == automation.OnSchedule || a.On == automation.OnAbsence {
		if d, err := yamltext.Parse(t.Text); err == nil { // with the times, or what does not happen
			v.Trigger = capital(strings.TrimPrefix(automation.TriggerPhrase(d), "when "))
		}
	}
	return v
}

// eventWords is an event type, or another trigger, as a label.
func eventWords(eventType string) string { return capital(schema.EventLabel(eventType)) }

// firedLists are the lists of events that name an automation.
var firedLists = []firedList{
	{"", "All", "It has not fired lately"},
	{store.FiredActed, "Fired", "It has not fired and acted lately"},
	{store.FiredWould, "Would have fired", "There is nothing lately that it would have done"},
	{store.FiredUnknown, "Unknown", "It could always be told lately"},
}

type firedList struct{ how, label, none string }

// firedListHref is where the rows behind a figure of an automation stand.
func firedListHref(name, how string) string {
	href := "/automations/" + pathEscape(name)
	if how != "" {
		href += "?how=" + how
	}
	return href + "#fired"
}

func firedTabs(v automationPage) (out []tabView) {
	for _, l := range firedLists {
		out = append(out, tabView{Label: l.label, Href: firedListHref(v.File, l.how), Current: l.how == v.How})
	}
	return out
}

func firedNone(v automationPage) string {
	for _, l := range firedLists {
		if l.how == v.How {
			return l.none
		}
	}
	return ""
}

func (c *Console) countAutomation(tx *store.Tx, a *automationView, now time.Time) error {
	first := midnight(now, c.Shop().Zone).AddDate(0, 0, 1-automationDays)
	hours, err := tx.AutomationCounts(a.Name, first)
	if err != nil {
		return err
	}
	a.SparkC, a.SparkF = make([]int64, automationDays), make([]int64, automationDays)
	for _, h := range hours {
		a.Considered += h.Considered
		a.Fired += h.Fired
		a.Would += h.Would
		a.Unknown += h.Unknown
		if d := int(h.Hour.Sub(first) / (24 * time.Hour)); d >= 0 && d < automationDays {
			a.SparkC[d] += h.Considered
			a.SparkF[d] += h.Fired
		}
	}
	return nil
}

func (c *Console) automation(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	v := automationPage{Looked: store.FiredWindow, How: r.URL.Query().Get("how")}
	if !slices.ContainsFunc(firedLists, func(l firedList) bool { return l.how == v.How }) {
		v.How = ""
	}
	found := false
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		for _, t := range texts {
			if a := readAutomation(t); t.Name == name || !found && a.Name == name {
				v.A, v.File, found = a, t.Name, true
			}
		}
		if !found {
			return nil
		}
		if err := c.countAutomation(tx, &v.A, c.Now()); err != nil {
			return err
		}
		newest, err := tx.Versions(kindAutomation, v.File, 0, 1)
		if err != nil {
			return err
		}
		if len(newest) > 0 {
			v.Version = newest[0]
		}
		if v.Modes, err = c.modesOf(tx, r, v.A, names); err != nil {
			return err
		}
		v.A.Stopped = v.Modes.Stop != nil
		runs, err := tx.RunsPage(store.RunFilter{Automation: v.A.Name, Limit: runsShown})
		if err != nil {
			return err
		}
		v.MoreRuns = runs.Next != ""
		if v.Runs, err = runRows(tx, runs.Rows, v.A.Hash); err != nil {
			return err
		}
		evs, err := tx.Fired(v.A.Name, v.How, 50)
		if err != nil {
			return err
		}
		var ids []string
		for _, e := range evs {
			for _, a := range parseTrace(e.Trace).Automations {
				if a.Name == v.A.Name {
					v.Recent = append(v.Recent, firedRow{Ev: e, C: a})
					ids = append(ids, e.Subject)
				}
			}
		}
		rows, err := tx.OrderRows(ids)
		for i := range rows {
			for j := range v.Recent {
				if v.Recent[j].Ev.Subject == rows[i].ID {
					v.Recent[j].Row = &rows[i]
				}
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.NotFound, "console.automation", "there is no automation %q in the current policy", name)
	}
	if err := c.aboutOwner(r, &v); err != nil {
		return err
	}
	if a, err := automation.Parse(v.File+".yaml", []byte(v.A.Text)); err == nil {
		v.Sentence = sentenceOf(v.A.Text)
		if a.Schedule != nil && a.Mode != automation.Draft {
			v.Due = nextTimes(a.Schedule, c.Now(), c.Shop().Zone, 1)
		}
	}
	report, err := c.Check.Findings(r.Context())
	if err != nil {
		return err
	}
	v.Findings = report.About(v.A.Name)
	v.Modes.Findings = len(v.Findings)
	v.CanApply = c.mayApply(r, v.A.Owner)
	v.CanBacktest = c.Backtest != nil
	v.Lines = strings.Split(strings.TrimRight(v.A.Text, "\n"), "\n")
	if v.Page, err = c.frame(w, r, title(name), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, automationPageView(v))
}

// mayApply reports whether the person may change the automations of an owner; "" is all of them.
func (c *Console) mayApply(r *http.Request, owner string) bool {
	u, _ := access.UserFrom(r.Context())
	return c.Policy != nil && mayChange(u, owner)
}

// aboutOwner says whether the owner's account is closed, and which incident is about it.
func (c *Console) aboutOwner(r *http.Request, v *automationPage) error {
	users, err := c.People.Users(r.Context())
	if err != nil {
		return err
	}
	v.Orphan = slices.ContainsFunc(users, func(u access.User) bool { return u.Disabled && strings.EqualFold(u.Email, v.A.Owner) })
	if !v.Orphan {
		return nil
	}
	return c.Read.View(r.Context(), func(tx *store.Tx) error {
		incidents, err := tx.Incidents(100)
		for _, t := range incidents {
			if t.Subject == "owner:"+v.A.Name {
				v.Incident = t.ID
			}
		}
		return err
	})
}
