package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
)

// auditPageSize is how many records a page shows.
const auditPageSize = 100

// auditView is the audit log, narrowed.
type auditView struct {
	Page     ui.PageView
	Who      string
	Action   string
	Result   string
	From, To string
	Rows     []access.Record
	Next     string
	First    bool
	Waiting  int64 // records that are not sealed yet
	Query    string
}

// auditWords are the beginnings of actions that the page offers.
var auditWords = []string{
	"user", "token", "task", "order", "stock", "automation", "suggestion", "effects", "connection", "location", "customer", "audit", "cli", "api", "route",
}

// auditFilter reads the words of a request. A day that cannot be read is an error, not an empty list.
func (c *Console) auditFilter(q url.Values) (f access.AuditFilter, err error) {
	f = access.AuditFilter{Who: q.Get("who"), Action: q.Get("action"), Result: q.Get("result"), After: q.Get("after"), Subject: q.Get("subject")}
	zone := c.Shop().Zone
	for name, to := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if v := q.Get(name); v != "" {
			if *to, err = time.ParseInLocation(time.DateOnly, v, zone); err != nil {
				return f, fault.New(fault.Invalid, "console.audit", "%s must be a day like 2026-11-24", name)
			}
		}
	}
	if !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1)
	}
	return f, nil
}

func (c *Console) auditLog(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f, err := c.auditFilter(q)
	if err != nil {
		return err
	}
	f.Limit = auditPageSize + 1
	v := auditView{Who: f.Who, Action: f.Action, Result: f.Result, From: q.Get("from"), To: q.Get("to"), First: f.After == ""}
	if v.Rows, err = c.People.Audit(r.Context(), f); err != nil {
		return err
	}
	q.Del("after")
	v.Query = q.Encode()
	if len(v.Rows) > auditPageSize {
		v.Rows = v.Rows[:auditPageSize]
		q.Set("after", v.Rows[auditPageSize-1].ID)
		v.Next = "/audit?" + q.Encode()
	}
	if v.Waiting, _, err = c.People.Unsealed(r.Context()); err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Audit log", "Settings"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, auditPage(v))
}

// auditCSV gives out what the page shows, all pages of it.
func (c *Console) auditCSV(w http.ResponseWriter, r *http.Request) error {
	f, err := c.auditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	f.Limit = 1000
	rows, err := c.People.Audit(r.Context(), f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit-`+c.Now().In(c.Shop().Zone).Format("2006-01-02-1504")+`.csv"`)
	cw := csv.NewWriter(w)
	_ = cw.Write([]string{"at", "who", "actor", "action", "subject", "result", "detail", "from", "id"}) // Flush tells
	for len(rows) > 0 {
		for _, x := range rows {
			_ = cw.Write([]string{x.At.UTC().Format(time.RFC3339Nano), cell(x.Who), x.Actor, x.Action, cell(x.Subject), x.Result, cell(x.Detail), x.Origin, x.ID})
		}
		if len(rows) < f.Limit {
			break
		}
		f.After = rows[len(rows)-1].ID
		if rows, err = c.People.Audit(r.Context(), f); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

// auditMeaning is the colour of a result.
func auditMeaning(result string) ui.Meaning {
	switch result {
	case access.Refused:
		return ui.Attention
	case access.Failed:
		return ui.Danger
	}
	return ui.Done
}
