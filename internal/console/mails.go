package console

import (
	"cmp"
	"html"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
)

// kindTemplate is the kind of mail templates among the texts of the policy.
const kindTemplate = "template"

// mailCSP is the policy of a mail that is looked at: mails bring their styles with them, and nothing in one runs.
const mailCSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"

// examplesOffered is how many orders a mail can be looked at with.
const examplesOffered = 10

// mailRow is one mail template in force.
type mailRow struct {
	Name, Subject string // as it reads with the example
	About         string
	Staff         bool
	Own, Builtin  bool   // both: the shop's own text stands in front of the one that came along
	Text, Hash    string // Hash of the shop's own text, "" for none
	Problem       string
	Used          []string // automations that name it
	ByOrderly     string   // when Orderly sends it without an automation
}

// byOrderly says of the mails that need no automation when they go out.
var byOrderly = map[string]string{
	notify.ReviewQuestion: "when a reviewer asks the customer",
	notify.OrderCancelled: "when a reviewer refuses an order",
	notify.Incident:       "when something breaks or is overdue",
	notify.IncidentOver:   "when an incident is over",
	notify.ShadowReport:   "daily, while an automation is in shadow",
}

// mailsPage lists the mails.
type mailsPage struct {
	Page     ui.PageView
	Rows     []mailRow
	CanApply bool
	NoMail   bool // no connection sends mail
}

// mailPage is one mail, or one that is written.
type mailPage struct {
	Page     ui.PageView
	M        mailRow // the mail in force; the zero value for a new one
	From     string  // what a new one is a copy of
	Name     string  // as it shall be called
	Was      string
	Text     string
	Reason   string
	Problems []problem
	Refused  string // why it was not saved
	Theirs   *store.Version
	Orders   []ui.Option // to look at it with
	Order    string
	Versions []store.Version
	People   map[string]string
	CanApply bool
}

// mailRows are all mail templates, by name.
func mailRows(tx *store.Tx) ([]mailRow, error) {
	own, err := tx.PolicyTexts(kindTemplate)
	if err != nil {
		return nil, err
	}
	var rows []mailRow
	for _, k := range notify.Kinds() {
		text, err := notify.BuiltinSource(k.Name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, mailRow{Name: k.Name, About: k.About, Staff: k.Audience == notify.Staff, Builtin: true, Text: string(text), ByOrderly: byOrderly[k.Name]})
	}
	for _, t := range own {
		i := slices.IndexFunc(rows, func(m mailRow) bool { return m.Name == t.Name })
		if i < 0 {
			i, rows = len(rows), append(rows, mailRow{Name: t.Name})
		}
		rows[i].Own, rows[i].Text, rows[i].Hash = true, t.Text, t.Hash
	}
	as, err := tx.PolicyTexts(kindAutomation)
	if err != nil {
		return nil, err
	}
	for _, a := range as {
		x, err := automation.Parse(a.Name+".yaml", []byte(a.Text))
		if err != nil {
			continue // its own page says what is wrong with it
		}
		for i := range rows {
			if slices.Contains(mailsOf(x), rows[i].Name) {
				rows[i].Used = append(rows[i].Used, a.Name)
			}
		}
	}
	for i := range rows {
		t, err := notify.Parse(rows[i].Name, []byte(rows[i].Text))
		if err == nil {
			var r notify.Rendered
			r, err = notify.Render(t, notify.Sample())
			rows[i].Subject = r.Subject
		}
		if err != nil {
			rows[i].Problem = problemText(err)
		}
	}
	slices.SortFunc(rows, func(a, b mailRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows, nil
}

// mailsOf are the templates that an automation's steps send.
func mailsOf(a *automation.Automation) (names []string) {
	for _, r := range a.Refs {
		if r.Type == automation.ArgTemplate {
			names = append(names, r.Name)
		}
	}
	for _, s := range a.Steps {
		if _, ok := s.Action.(automation.Report); ok {
			names = append(names, notify.DailyReport)
		}
	}
	return names
}

func (c *Console) mails(w http.ResponseWriter, r *http.Request) error {
	v := mailsPage{CanApply: c.mayApply(r, ""), NoMail: c.Shop().Mail == ""}
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		v.Rows, err = mailRows(tx)
		return err
	})
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Mails", "Automations"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, mailsPageView(v))
}

// mailNamed finds a mail template in force; NotFound for none.
func (c *Console) mailNamed(r *http.Request, name string) (found mailRow, err error) {
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		rows, err := mailRows(tx)
		if i := slices.IndexFunc(rows, func(m mailRow) bool { return m.Name == name }); i >= 0 {
			found = rows[i]
		}
		return err
	})
	if err == nil && found.Name == "" {
		err = fault.New(fault.NotFound, "console.mail", "there is no mail %q", name)
	}
	return found, err
}

func (c *Console) mail(w http.ResponseWriter, r *http.Request) error {
	m, err := c.mailNamed(r, r.PathValue("name"))
	if err != nil {
		return err
	}
	return c.showMail(w, r, http.StatusOK, mailPage{M: m, Name: m.Name, Was: m.Hash, Text: m.Text})
}

// blankMail is what a mail begins with that is no copy.
const blankMail = `---
subject: About your order {{ order.number }}
---
Hello{% if customer.name %} {{ customer.name }}{% endif %},


--- html ---
<p>Hello{% if customer.name %} {{ customer.name }}{% endif %},</p>
`

func (c *Console) newMail(w http.ResponseWriter, r *http.Request) error {
	v := mailPage{Text: blankMail, Reason: "new mail", Name: r.URL.Query().Get("name")}
	if from := r.URL.Query().Get("from"); from != "" {
		m, err := c.mailNamed(r, from)
		if err != nil {
			return err
		}
		v.From, v.Text = from, m.Text
	}
	return c.showMail(w, r, http.StatusOK, v)
}

func (c *Console) showMail(w http.ResponseWriter, r *http.Request, status int, v mailPage) (err error) {
	v.CanApply = c.mayApply(r, "")
	if v.People, err = c.peopleNames(r); err != nil {
		return err
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if v.Orders, err = exampleOrders(tx); err != nil {
			return err
		}
		if v.M.Name != "" {
			v.Versions, err = tx.Versions(kindTemplate, v.M.Name, 0, examplesOffered)
		}
		return err
	})
	if err != nil {
		return err
	}
	if v.Order == "" {
		v.Order = v.Orders[0].Value
		if v.M.Staff { // few of them are about an order
			v.Order = noOrder
		}
	}
	_, err = c.Mails.WriteMail(r.Context(), firstOf(v.Name, "new-mail"), v.Text, strings.TrimPrefix(v.Order, noOrder), c.seesPersonal(r))
	switch fault.KindOf(err) {
	case fault.Invalid: // the name is told at its own field
		v.Problems = mailProblems(err)
	default:
		if err != nil {
			return err
		}
	}
	if v.Page, err = c.frame(w, r, firstOf(title(v.M.Name), "New mail"), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, status, mailPageView(v))
}

// exampleOrders are the newest orders, and an invented one at the end.
func exampleOrders(tx *store.Tx) (out []ui.Option, err error) {
	page, err := tx.OrdersPage(store.OrderFilter{Limit: examplesOffered})
	for _, o := range page.Rows {
		out = append(out, ui.Option{Value: o.ID, Label: "Order " + o.Number})
	}
	return append(out, ui.Option{Value: noOrder, Label: "An invented order"}), err
}

// noOrder is the invented order in the choice of orders.
const noOrder = "-"

func (c *Console) seesPersonal(r *http.Request) bool {
	u, _ := access.UserFrom(r.Context())
	return access.Can(u.Role, access.SeePersonal)
}

// mailProblems are the problems of a text with their lines.
func mailProblems(err error) (out []problem) {
	fe := asFault(err)
	if fe == nil || len(fe.Problems) == 0 {
		return []problem{{Message: sentence(fault.Message(err))}}
	}
	for _, p := range fe.Problems {
		_, after, _ := strings.Cut(p.Pointer, ".liquid:")
		line, _ := strconv.Atoi(after)
		out = append(out, problem{Line: line, Message: sentence(p.Message)})
	}
	return out
}

// mailPreview answers a mail as a document of its own, for a frame: one in force, or a text that is being written.
func (c *Console) mailPreview(w http.ResponseWriter, r *http.Request) error {
	get := r.FormValue
	name, text := r.PathValue("name"), ""
	if r.Method == http.MethodPost {
		if err := c.readMailForm(w, r); err != nil {
			return err
		}
		name, text = firstOf(get("name"), "new-mail"), mailText(r)
	} else {
		m, err := c.mailNamed(r, name)
		if err != nil {
			return err
		}
		text = m.Text
	}
	sent, err := c.Mails.WriteMail(r.Context(), name, text, strings.TrimPrefix(get("order"), noOrder), c.seesPersonal(r))
	var problems []problem
	if fault.KindOf(err) == fault.Invalid {
		problems = mailProblems(err)
	} else if err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", mailCSP)
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if sent.HTML != "" && get("part") != "text" {
		_, err = io.WriteString(w, withSubject(sent))
		return err
	}
	return mailTextView(sent, problems).Render(r.Context(), w)
}

// withSubject is the HTML of a mail with its subject above, as a mail program has it.
func withSubject(m notify.Rendered) string {
	at := strings.Index(m.HTML, "<body")
	end := strings.IndexByte(m.HTML[max(at, 0):], '>')
	if at < 0 || end < 0 {
		return m.HTML
	}
	end += at + 1
	return m.HTML[:end] + `<p class="o-text" style="margin:0;padding:12px 16px 0;font-size:14px;color:#27313b">Subject: <b>` + html.EscapeString(m.Subject) + "</b></p>" + m.HTML[end:]
}

// mailText is the text of a form, with the line ends of a file.
func mailText(r *http.Request) string {
	return strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")
}

func (c *Console) readMailForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxEdit) // written as a form, a text takes up to three times its size
	if err := r.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "console.mail", "the text is too long")
	}
	return nil
}

// saveMail makes the text a new version of a mail.
func (c *Console) saveMail(w http.ResponseWriter, r *http.Request) error {
	if err := c.readMailForm(w, r); err != nil {
		return err
	}
	v := mailPage{
		Name: strings.TrimSpace(r.PostFormValue("name")), From: r.PostFormValue("from"), Was: r.PostFormValue("was"),
		Text: mailText(r), Reason: strings.TrimSpace(r.PostFormValue("reason")), Order: r.PostFormValue("order"),
	}
	isNew := r.PostFormValue("new") != ""
	m, err := c.mailNamed(r, v.Name)
	switch {
	case err == nil && isNew:
		v.Refused = "There is a mail of this name already. Choose another name."
		return c.showMail(w, r, http.StatusUnprocessableEntity, v)
	case err == nil:
		v.M = m
	case fault.KindOf(err) != fault.NotFound:
		return err
	case !isNew && v.Was == "":
		return err
	}
	if v.Text == "" { // which would remove it
		v.Refused = "The text is empty."
		return c.showMail(w, r, http.StatusUnprocessableEntity, v)
	}
	u, _ := access.UserFrom(r.Context())
	saved, err := c.Policy.Edit(r.Context(), PolicyEdit{Kind: kindTemplate, Name: v.Name, Was: v.Was, Text: v.Text}, u.Email, v.Reason)
	switch fault.KindOf(err) {
	case fault.Conflict:
		return c.mailConflict(w, r, v)
	case fault.Invalid:
		v.Refused = "Nothing was saved. What is wrong stands below the text, with its line."
		if v.Reason == "" {
			v.Refused = problemText(err)
		}
		return c.showMail(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Saved as version " + ui.Number(saved.Version) + ". Every mail that leaves from now on has this text."}
	if !saved.Changed {
		f = ui.Flash{Meaning: ui.Neutral, Text: "Nothing was changed: the text is the same."}
	}
	return c.back(w, r, "/mails/"+pathEscape(v.Name), f)
}

// mailConflict shows what somebody else saved; the next save is made on top of it.
func (c *Console) mailConflict(w http.ResponseWriter, r *http.Request, v mailPage) error {
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		v.Theirs = nil
		vs, err := tx.Versions(kindTemplate, v.Name, 0, 1)
		if err == nil && len(vs) > 0 {
			v.Theirs, v.Was = &vs[0], vs[0].Hash
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.showMail(w, r, http.StatusConflict, v)
}

// removeMail takes the shop's own text out of the policy; one that came along is in force again then.
func (c *Console) removeMail(w http.ResponseWriter, r *http.Request) error {
	m, err := c.mailNamed(r, r.PathValue("name"))
	if err != nil {
		return err
	}
	if !m.Own {
		return fault.New(fault.Invalid, "console.removeMail", "%s came along with Orderly and has no text of yours that could be removed", m.Name)
	}
	if !m.Builtin && len(m.Used) > 0 {
		return fault.New(fault.Conflict, "console.removeMail", "%s is sent by %s; change that first", m.Name, strings.Join(m.Used, ", "))
	}
	u, _ := access.UserFrom(r.Context())
	_, err = c.Policy.Edit(r.Context(), PolicyEdit{Kind: kindTemplate, Name: m.Name, Was: r.PostFormValue("was")}, u.Email, r.PostFormValue("reason"))
	if err != nil {
		return err
	}
	if m.Builtin {
		return c.back(w, r, "/mails/"+pathEscape(m.Name), ui.Flash{Meaning: ui.Done, Text: "The text that came along is in force again."})
	}
	return c.back(w, r, "/mails", ui.Flash{Meaning: ui.Done, Text: title(m.Name) + " is removed."})
}

func isOption(os []ui.Option, value string) bool {
	return slices.ContainsFunc(os, func(o ui.Option) bool { return o.Value == value })
}

// previewHref is the first look at a mail in force.
func previewHref(v mailPage, part string) string {
	q := url.Values{}
	if v.Order != "" {
		q.Set("order", v.Order)
	}
	if part != "" {
		q.Set("part", part)
	}
	return strings.TrimSuffix("/mails/"+pathEscape(v.M.Name)+"/preview?"+q.Encode(), "?")
}

// valueText is how a value is written in a text; the elements of a list stand in a loop.
func valueText(name string) string {
	list, field, isList := strings.Cut(name, "[]")
	if !isList {
		return "{{ " + name + " }}"
	}
	return "{% for x in " + list + " %}{{ x" + field + " }}{% endfor %}"
}

// lineOf quotes a line of a text, to find it by.
func lineOf(text string, n int) string {
	lines := strings.Split(text, "\n")
	if n < 1 || n > len(lines) {
		return ""
	}
	s := strings.TrimSpace(lines[n-1])
	if r := []rune(s); len(r) > 60 {
		s = string(r[:59]) + "…"
	}
	return s
}

// mailConflictText says whose change came in between.
func mailConflictText(v mailPage) string {
	return "Somebody saved this mail while you wrote: version " + ui.Number(v.Theirs.N) + " by " + theirs(v.Theirs) + ". Your text is below and nothing of it is lost. Take over from theirs what should stay; your next save goes on top of it."
}

func theirs(x *store.Version) string { return x.Author + ", “" + x.Note + "”" }

func takeBackTitle(m mailRow) string {
	if m.Builtin {
		return "Take the built-in text back"
	}
	return "Remove this mail"
}

// unsaved reports whether the text in the form is not the one in force: the page asks for a look at it by itself.
func (v mailPage) unsaved() bool { return v.M.Name == "" || v.Refused != "" || v.Theirs != nil }

func previewSrc(v mailPage) string {
	if v.unsaved() {
		return "about:blank"
	}
	return previewHref(v, "")
}
