package console

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/yamltext"
)

// versionsPerPage bounds the list of versions and of changes.
const versionsPerPage = 50

// versionsPage lists the versions of an automation and compares one with another.
type versionsPage struct {
	Page     ui.PageView
	Name     string
	Rows     []store.Version
	Next     int64 // before which the next page begins; 0 = this is the last
	At       store.Version
	Against  store.Version
	Tabs     []tabView // what At changed, and what going back to it would change
	Before   string    // the sentence of Against
	After    string    // the sentence of At
	Diff     []yamltext.Line
	Current  string // hash of the text in force; "" = removed
	Mode     string // of the text in force
	CanApply bool
	People   map[string]string // name by mail address
}

func (c *Console) versions(w http.ResponseWriter, r *http.Request) (err error) {
	name := r.PathValue("name")
	v := versionsPage{Name: name}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	at, _ := strconv.ParseInt(r.URL.Query().Get("at"), 10, 64)
	against, _ := strconv.ParseInt(r.URL.Query().Get("against"), 10, 64)
	one := func(tx *store.Tx, n int64) (store.Version, error) {
		x, err := tx.VersionAt(kindAutomation, name, n)
		if err == nil && x.N == 0 {
			err = fault.New(fault.NotFound, "console.versions", "%s has no version %d", name, n)
		}
		return x, err
	}
	owner := ""
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		v.Current, owner = "", ""
		if v.Rows, err = tx.Versions(kindAutomation, name, before, versionsPerPage+1); err != nil {
			return err
		}
		now, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		for _, t := range now {
			if t.Name == name {
				a := readAutomation(t)
				v.Current, v.Mode, owner = t.Hash, a.Mode, a.Owner
			}
		}
		if len(v.Rows) == 0 {
			return fault.New(fault.NotFound, "console.versions", "no version of an automation %q is kept", name)
		}
		newest, err := tx.Versions(kindAutomation, name, 0, 1)
		if err != nil {
			return err
		}
		v.At, v.Against, v.Tabs = newest[0], store.Version{}, nil
		if at > 0 {
			if v.At, err = one(tx, at); err != nil {
				return err
			}
		}
		earlier, err := tx.Versions(kindAutomation, name, v.At.Rev, 1)
		if err != nil {
			return err
		}
		if v.At.N < newest[0].N && against == 0 && len(earlier) == 0 {
			against = newest[0].N
		}
		if v.At.N < newest[0].N && len(earlier) > 0 {
			back := versionsHref(name, "at", strconv.FormatInt(v.At.N, 10), "against", strconv.FormatInt(newest[0].N, 10))
			v.Tabs = []tabView{
				{Label: "What it changed", Href: versionsHref(name, "at", strconv.FormatInt(v.At.N, 10)), Current: against == 0},
				{Label: "What going back to it changes", Href: back, Current: against == newest[0].N},
			}
		}
		if against > 0 {
			v.Against, err = one(tx, against)
			return err
		}
		if len(earlier) > 0 {
			v.Against = earlier[0]
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(v.Rows) > versionsPerPage {
		v.Rows = v.Rows[:versionsPerPage]
		v.Next = v.Rows[versionsPerPage-1].Rev
	}
	v.Before, v.After = sentenceOf(v.Against.Text), sentenceOf(v.At.Text)
	text := v.At.Text
	if v.Against.N > v.At.N { // going back keeps the mode
		text = automation.InModeOf(name+".yaml", text, v.Against.Text)
	}
	v.Diff = yamltext.Near(yamltext.Diff(v.Against.Text, text), 3)
	v.CanApply = c.mayApply(r, owner)
	if v.People, err = c.peopleNames(r); err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Versions of "+title(name), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, versionsPageView(v))
}

// sentenceOf says in plain words what a text amounts to; "" when this version of the program cannot read it.
func sentenceOf(text string) string {
	d, err := yamltext.Parse(text)
	if err != nil || text == "" {
		return ""
	}
	return automation.Sentence(d)
}

// peopleNames are the names of users by mail address.
func (c *Console) peopleNames(r *http.Request) (map[string]string, error) {
	users, err := c.People.Users(r.Context())
	names := make(map[string]string, len(users))
	for _, u := range users {
		names[u.Email] = u.Name
	}
	return names, err
}

func (c *Console) rollback(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	u, _ := access.UserFrom(r.Context())
	n, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "console.rollback", "a version is a number")
	}
	saved, err := c.Policy.Rollback(r.Context(), name, n, u.Email, r.PostFormValue("reason"))
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Version " + ui.Number(n) + " is in force again, as version " + ui.Number(saved.Version) + "."}
	if !saved.Changed {
		f = ui.Flash{Meaning: ui.Neutral, Text: "Nothing was changed: version " + ui.Number(n) + " says what is in force."}
	}
	if saved.Proposed {
		f = waitsForSecond
	}
	return c.back(w, r, "/automations/"+pathEscape(name)+"/versions", f)
}

// changesPage is who changed which automation, when and why.
type changesPage struct {
	Page   ui.PageView
	Rows   []store.Version
	Next   int64
	People map[string]string
}

func (c *Console) changes(w http.ResponseWriter, r *http.Request) (err error) {
	var v changesPage
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		v.Rows, err = tx.Changes(kindAutomation, before, 4*versionsPerPage)
		return err
	})
	if err != nil {
		return err
	}
	if len(v.Rows) == 4*versionsPerPage { // a revision is not split over two pages
		last := v.Rows[len(v.Rows)-1].Rev
		if whole := slices.IndexFunc(v.Rows, func(x store.Version) bool { return x.Rev == last }); whole > 0 {
			v.Rows, v.Next = v.Rows[:whole], v.Rows[whole-1].Rev
		}
	}
	if v.People, err = c.peopleNames(r); err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Changes of automations", "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, changesPageView(v))
}

// authorName is who made a version.
func authorName(people map[string]string, author string) string {
	return firstOf(people[author], author, "unknown")
}

// diffSign is how a line of a comparison is read out and coloured.
func diffSign(l yamltext.Line) string {
	switch l.Sign {
	case '+':
		return "added"
	case '-':
		return "removed"
	case 0:
		return "gap"
	}
	return ""
}

func lineNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// choosePage is where a new automation begins.
type choosePage struct {
	Page   ui.PageView
	Groups []templateGroup
	Own    []automationView
}

type templateGroup struct {
	Name      string
	Templates []*automation.Template
}

func versionsHref(name string, pairs ...string) string {
	s := "/automations/" + pathEscape(name) + "/versions"
	if q := strings.TrimPrefix(editorQuery(pairs...), "/editor?"); q != "" {
		s += "?" + q
	}
	return s
}

// keepsMode says that going back leaves the mode alone.
func keepsMode(v versionsPage) string {
	if v.Current == "" || v.At.Hash == "" || v.Mode == "" {
		return ""
	}
	return "It stays " + v.Mode + ", whatever it was then."
}

// inForce says of the newest version what it does: a draft is in force only as a text.
func inForce(mode string) string {
	if mode == string(automation.Active) {
		return "In force"
	}
	if mode == "" {
		return "Now"
	}
	return "Now, as " + mode
}

func forceMeaning(mode string) ui.Meaning {
	if mode == string(automation.Active) || mode == string(automation.Canary) {
		return ui.Done
	}
	return ui.Neutral
}
