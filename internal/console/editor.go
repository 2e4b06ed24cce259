package console

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/yamltext"
)

// maxEdit bounds what the editor sends: a text and one change.
const maxEdit = 256 << 10

// editorPage is the editor of one automation.
type editorPage struct {
	Page    ui.PageView
	Name    string // as it is in the policy; "" = a new one
	Was     string // hash of the text the edit began from
	Text    string
	Reason  string
	B       *builder
	Theirs  *store.Version // what somebody else saved meanwhile
	Diff    []yamltext.Line
	Refused []string // problems of a save that are no problems of the text
	Failing bool     // offer to save although tests fail
	Strict  bool     // what is missing is told as a problem: it was to be saved
	Back    string
	CanTry  bool // on the past
}

// blankText is what a new automation begins with.
func blankText(owner, on string) string {
	text := "automation: new-automation\nowner: " + yamltext.Quote(owner, false) + "\nwhy: \"\"\non: " + yamltext.Quote(on, false) + "\ndo: []\nmode: draft\n"
	if out, err := (automation.Change{Do: "on", Value: on}).Apply(text, ""); err == nil { // with what belongs to the trigger
		text = out
	}
	return text
}

// newEditor is the place where an automation begins: from a trigger, a template, or another automation.
func (c *Console) newEditor(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	u, _ := access.UserFrom(r.Context())
	text := ""
	switch {
	case q.Get("from") != "":
		t, err := c.automationText(r, q.Get("from"))
		if err != nil {
			return err
		}
		text = duplicate(t)
	case q.Get("template") != "":
		t, err := findTemplate(q.Get("template"))
		if err != nil {
			return err
		}
		names, err := c.Check.Names(r.Context())
		if err != nil {
			return err
		}
		text = t.Begin(u.Email, names)
	case q.Get("on") != "":
		text = blankText(u.Email, q.Get("on"))
	default:
		return c.chooseEditor(w, r)
	}
	return c.showEditor(w, r, http.StatusOK, editorPage{Text: text, Back: "/automations", Reason: "new automation"})
}

// chooseEditor offers what an automation may begin from.
func (c *Console) chooseEditor(w http.ResponseWriter, r *http.Request) error {
	ts, err := automation.Templates(examples.Templates())
	if err != nil {
		return err
	}
	var v choosePage
	for _, t := range ts {
		i := slices.IndexFunc(v.Groups, func(g templateGroup) bool { return g.Name == t.Group })
		if i < 0 {
			i, v.Groups = len(v.Groups), append(v.Groups, templateGroup{Name: t.Group})
		}
		v.Groups[i].Templates = append(v.Groups[i].Templates, t)
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		v.Own = nil
		texts, err := tx.PolicyTexts(kindAutomation)
		for _, t := range texts {
			v.Own = append(v.Own, readAutomation(t))
		}
		return err
	})
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "New automation", "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, choosePageView(v))
}

// duplicate is a text under another name, as a draft.
func duplicate(t store.PolicyText) string {
	text := t.Text
	for _, ch := range []automation.Change{{Do: "set", At: "automation", Value: t.Name + "-copy"}, {Do: "set", At: "mode", Value: "draft"}, {Do: "set", At: "share"}} {
		if out, err := ch.Apply(text, ""); err == nil {
			text = out
		}
	}
	return text
}

// automationText finds an automation of the current policy by its name, or by its file's.
func (c *Console) automationText(r *http.Request, name string) (found store.PolicyText, err error) {
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts(kindAutomation)
		for _, t := range texts {
			if t.Name == name || found.Name == "" && readAutomation(t).Name == name {
				found = t
			}
		}
		return err
	})
	if err == nil && found.Name == "" {
		err = fault.New(fault.NotFound, "console.automation", "there is no automation %q in the current policy", name)
	}
	return found, err
}

func (c *Console) editor(w http.ResponseWriter, r *http.Request) error {
	t, err := c.automationText(r, r.PathValue("name"))
	if err != nil {
		return err
	}
	return c.showEditor(w, r, http.StatusOK, editorPage{Name: t.Name, Was: t.Hash, Text: t.Text, Back: "/automations/" + pathEscape(t.Name)})
}

func (c *Console) showEditor(w http.ResponseWriter, r *http.Request, status int, v editorPage) (err error) {
	if v.B, err = c.builder(r, v.Text, v.Strict); err != nil {
		return err
	}
	v.CanTry = c.Backtest != nil
	heading := "New automation"
	if v.Name != "" {
		heading = "Edit " + title(v.Name)
	}
	if v.Page, err = c.frame(w, r, heading, "Automations"); err != nil {
		return err
	}
	return c.show(w, r, status, editorPageView(v))
}

// edited is the answer to one act in the editor.
type edited struct {
	Text     string    `json:"text"`
	HTML     string    `json:"html"`
	Sentence string    `json:"sentence"`
	Examples string    `json:"examples"`          // that some fail, "" when none does
	Message  string    `json:"message,omitempty"` // why the act was not done; the text is as it was
	Todo     string    `json:"todo"`              // what is still to fill in
	Problems []problem `json:"problems"`
}

// problem is one line of the list below the text.
type problem struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
	Lacks   bool   `json:"lacks,omitempty"` // something is still to fill in, which is nobody's mistake
}

// checkEdit takes a text, or a text and an act of the builder, and answers the text, the builder, the
// sentence and every problem.
func (c *Console) checkEdit(w http.ResponseWriter, r *http.Request) error {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEdit))
	if err != nil {
		return fault.New(fault.Invalid, "console.edit", "the text is too long")
	}
	var in struct {
		Text   string
		Strict bool // what is missing is a problem
		Change *automation.Change
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return fault.New(fault.Invalid, "console.edit", "the request cannot be read")
	}
	out := edited{Text: in.Text}
	if in.Change != nil {
		if err := c.accepted(r, in.Change, in.Text); err != nil {
			return err
		}
		apply := in.Change.Apply
		if d, err := yamltext.Parse(in.Text); err == nil { // what hangs on the settings of a template follows
			t, err := templateOf(d)
			if err != nil {
				return err
			}
			if t != nil {
				apply = func(text, currency string) (string, error) { return t.Apply(*in.Change, text, currency) }
			}
		}
		text, err := apply(in.Text, c.Shop().Currency)
		switch fault.KindOf(err) {
		case fault.Invalid:
			out.Message = sentence(fault.Message(err))
		default:
			if err != nil {
				return err
			}
			out.Text = text
		}
	}
	b, err := c.builder(r, out.Text, in.Strict)
	if err != nil {
		return err
	}
	var html bytes.Buffer
	shop := c.Shop()
	if err := builderView(b).Render(ui.With(r.Context(), ui.Env{Zone: shop.Zone, Now: c.Now()}), &html); err != nil {
		return err
	}
	out.HTML, out.Sentence, out.Examples, out.Todo, out.Problems = html.String(), b.Sentence, b.examplesState(), b.todo(), b.Problems
	answerJSON(w, http.StatusOK, out)
	return nil
}

// saveEdit makes the text a new version.
func (c *Console) saveEdit(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "console.save", "the form cannot be read")
	}
	v := editorPage{
		Name: r.PostFormValue("name"), Was: r.PostFormValue("was"), Text: strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"),
		Reason: strings.TrimSpace(r.PostFormValue("reason")), Back: "/automations",
	}
	if v.Name != "" {
		v.Back += "/" + pathEscape(v.Name)
	}
	u, _ := access.UserFrom(r.Context())
	saved, err := c.Policy.Edit(r.Context(), PolicyEdit{Name: v.Name, Was: v.Was, Text: v.Text, Failing: r.PostFormValue("failing") != ""}, u.Email, v.Reason)
	switch fault.KindOf(err) {
	case fault.Conflict:
		return c.conflict(w, r, v)
	case fault.Invalid:
		return c.refusedEdit(w, r, v, err)
	}
	if err != nil {
		return err
	}
	name := v.Name
	if a, err := automation.Parse("saved.yaml", []byte(v.Text)); err == nil {
		name = a.Name
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Saved as version " + ui.Number(saved.Version) + "."}
	if !saved.Changed {
		f = ui.Flash{Meaning: ui.Neutral, Text: "Nothing was changed: the text is the same."}
	}
	if saved.Proposed {
		return c.back(w, r, "/review", waitsForSecond)
	}
	if len(saved.Warnings) > 0 {
		f.Meaning, f.Text = ui.Attention, f.Text+" "+capital(saved.Warnings[0])
	}
	return c.back(w, r, "/automations/"+pathEscape(name), f)
}

// refusedEdit shows the editor again with what is wrong; the text stays.
func (c *Console) refusedEdit(w http.ResponseWriter, r *http.Request, v editorPage, err error) error {
	v.Strict = true
	own, _ := automation.Parse("text.yaml", []byte(v.Text))
	if own != nil || v.Reason == "" { // else the problems stand at their lines
		v.Refused = problemList(err)
	}
	for _, p := range v.Refused {
		v.Failing = v.Failing || strings.Contains(p, "test \"")
	}
	return c.showEditor(w, r, http.StatusUnprocessableEntity, v)
}

// conflict shows what the other person saved; the next save is made on top of it.
func (c *Console) conflict(w http.ResponseWriter, r *http.Request, v editorPage) error {
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		v.Theirs = nil
		name := firstOf(v.Name, automationNameOf(v.Text))
		vs, err := tx.Versions(kindAutomation, name, 0, 50)
		if err != nil || len(vs) == 0 {
			return err
		}
		base := ""
		for _, old := range vs {
			if old.Hash == v.Was {
				base = old.Text
			}
		}
		v.Theirs, v.Name, v.Was = &vs[0], name, vs[0].Hash
		v.Diff = yamltext.Near(yamltext.Diff(base, vs[0].Text), 2)
		return nil
	})
	if err != nil {
		return err
	}
	return c.showEditor(w, r, http.StatusConflict, v)
}

func automationNameOf(text string) string {
	if a, err := automation.Parse("x.yaml", []byte(text)); err == nil {
		return a.Name
	}
	return ""
}

// problemList is every problem of an error in a line each.
func problemList(err error) []string {
	var out []string
	if fe := asFault(err); fe != nil {
		for _, p := range fe.Problems {
			out = append(out, sentence(p.Message))
		}
	}
	if len(out) == 0 {
		out = []string{sentence(fault.Message(err))}
	}
	return out
}

// suggest answers products for an input that takes a SKU.
func (c *Console) suggest(w http.ResponseWriter, r *http.Request) error {
	type option struct {
		Value string `json:"value"`
		Label string `json:"label"`
	}
	out := []option{}
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		out = out[:0]
		page, err := tx.StockPage(store.StockFilter{Search: r.URL.Query().Get("q"), Limit: 12})
		for _, p := range page.Rows {
			out = append(out, option{p.SKU, p.Title})
		}
		return err
	})
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, out)
	return nil
}

// removeAutomation takes an automation out of the policy; a rollback brings it back.
func (c *Console) removeAutomation(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	u, _ := access.UserFrom(r.Context())
	if _, err := c.Policy.Edit(r.Context(), PolicyEdit{Name: name, Was: r.PostFormValue("was")}, u.Email, r.PostFormValue("reason")); err != nil {
		return err
	}
	return c.back(w, r, "/automations/"+pathEscape(name)+"/versions", ui.Flash{Meaning: ui.Done, Text: title(name) + " is removed. Any of its versions can be brought back here."})
}

func editorQuery(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/editor?" + q.Encode()
}
