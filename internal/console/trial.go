package console

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"unicode/utf16"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
)

// trialIn is what the editor sends beside its acts: a text, and where in it somebody writes.
type trialIn struct {
	Name  string // policy text that the edit is of; "" = a new one
	Text  string
	At    int    // place in Text, in UTF-16 units as browsers count
	Event string // Text is a condition alone, on events of this type
}

func readTrial(w http.ResponseWriter, r *http.Request) (in trialIn, err error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEdit))
	if err != nil {
		return in, fault.New(fault.Invalid, "console.trial", "the text is too long")
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, fault.New(fault.Invalid, "console.trial", "the request cannot be read")
	}
	return in, nil
}

// answerPart answers a part of the page, and whether it will change by itself.
func (c *Console) answerPart(w http.ResponseWriter, r *http.Request, part templ.Component, version string, running bool) error {
	var html bytes.Buffer
	if err := part.Render(ui.With(r.Context(), ui.Env{Zone: c.Shop().Zone, Now: c.Now()}), &html); err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, struct {
		HTML    string `json:"html"`
		Version string `json:"version,omitempty"`
		Running bool   `json:"running"`
	}{html.String(), version, running})
	return nil
}

// editFindings is what can be shown of the text in the editor.
type editFindings struct {
	Name    string
	Problem bool // the text has problems, which come first
	Report  *proof.Report
}

// findingsOfEdit says what can be shown of a text before it is saved.
func (c *Console) findingsOfEdit(w http.ResponseWriter, r *http.Request) error {
	in, err := readTrial(w, r)
	if err != nil {
		return err
	}
	v := editFindings{Name: automationNameOf(in.Text)}
	v.Report, err = c.Check.FindingsOf(r.Context(), in.Name, in.Text)
	if v.Problem = fault.KindOf(err) == fault.Invalid; !v.Problem && err != nil {
		return err
	}
	return c.answerPart(w, r, editFindingsView(v), "", v.Report != nil && v.Report.Asking)
}

// completeEdit offers what may be written at a place.
func (c *Console) completeEdit(w http.ResponseWriter, r *http.Request) error {
	in, err := readTrial(w, r)
	if err != nil {
		return err
	}
	at := bytesOf(in.Text, in.At)
	var from int
	var offers []automation.Offer
	if in.Event != "" {
		from, offers = automation.OffersIn(in.Text, at, in.Event)
	} else {
		l, err := c.lists(r)
		if err != nil {
			return err
		}
		from, offers = automation.Offers(in.Text, at, l.offers())
	}
	if offers == nil {
		offers = []automation.Offer{}
	}
	answerJSON(w, http.StatusOK, struct {
		From   int                `json:"from"` // before At, in UTF-16 units
		Offers []automation.Offer `json:"offers"`
	}{unitsOf(in.Text[from:at]), offers})
	return nil
}

// bytesOf is the byte of a text at a number of UTF-16 units.
func bytesOf(text string, units int) int {
	for i, r := range text {
		if units <= 0 {
			return i
		}
		units -= max(utf16.RuneLen(r), 1)
	}
	return len(text)
}

func unitsOf(text string) (n int) {
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// offers are the lists as names that a text may use.
func (l lists) offers() map[automation.ArgType][]automation.Offer {
	out := map[automation.ArgType][]automation.Offer{}
	for t, os := range map[automation.ArgType][]ui.Option{
		automation.ArgQueue: l.Queues, automation.ArgTemplate: l.Messages, automation.ArgConnection: l.Connections,
		automation.ArgLocation: l.Locations, automation.ArgRecipient: l.Owners,
	} {
		for _, o := range os {
			detail := o.Label
			if detail == o.Value {
				detail = ""
			}
			out[t] = append(out[t], automation.Offer{Insert: o.Value, Detail: detail})
		}
	}
	return out
}

// tryEdit begins a backtest of a text that is not saved.
func (c *Console) tryEdit(w http.ResponseWriter, r *http.Request) error {
	if c.Backtest == nil {
		return fault.New(fault.NotFound, "console.trial", "backtests are not available on this server")
	}
	in, err := readTrial(w, r)
	if err != nil {
		return err
	}
	a, err := automation.Parse("text.yaml", []byte(in.Text))
	if err != nil {
		return fault.New(fault.Invalid, "console.trial", "what is missing or wrong in the text comes first")
	}
	u, _ := access.UserFrom(r.Context())
	if err := c.Backtest.Try(r.Context(), a, u.Name); err != nil {
		return err
	}
	return c.answerTried(w, r, a.Name, a.Hash)
}

// triedEdit says how far the backtest of a text is, or what came of it.
func (c *Console) triedEdit(w http.ResponseWriter, r *http.Request) error {
	if c.Backtest == nil {
		return fault.New(fault.NotFound, "console.trial", "backtests are not available on this server")
	}
	return c.answerTried(w, r, r.URL.Query().Get("name"), r.URL.Query().Get("version"))
}

func (c *Console) answerTried(w http.ResponseWriter, r *http.Request, name, version string) error {
	v := backtestView{A: automationView{Name: name, Hash: version}, Can: true}
	if now, ok := c.Backtest.Running(); ok && now.Name == name && now.Version == version {
		v.Running = &now
		return c.answerPart(w, r, triedView(v), version, true)
	}
	res, ok, err := c.Backtest.Tried(r.Context(), name)
	if err != nil {
		return err
	}
	if ok && res.Version == version {
		v.result(res)
	}
	return c.answerPart(w, r, triedView(v), version, false)
}

// others are the automations of a finding but for the one that is edited.
func (v editFindings) others(f proof.Finding) []string {
	var out []string
	for _, n := range f.Automations {
		if n != v.Name {
			out = append(out, n)
		}
	}
	return out
}
