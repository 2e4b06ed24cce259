package console

import (
	"net/http"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// queueCap is how many tasks the queue shows; the most urgent come first.
const queueCap = 100

func (c *Console) review(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	u, _ := access.UserFrom(r.Context())
	v := reviewView{Queue: q.Get("queue"), Kind: q.Get("kind"), Mine: q.Get("mine") != ""}
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	var queues []string
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		f := store.QueueFilter{Queue: v.Queue, Kind: v.Kind, Limit: queueCap}
		if v.Mine {
			f.Assignee = u.ID
		}
		rows, more, err := tx.Queue(f)
		if err != nil {
			return err
		}
		v.More = more
		if queues, err = tx.Queues(); err != nil {
			return err
		}
		orders, err := ordersOfTasks(tx, rows)
		if err != nil {
			return err
		}
		for _, t := range rows {
			v.Items = append(v.Items, queueItemOf(t, orders[t.OrderID], names, v))
		}
		if id == "" && len(v.Items) > 0 && r.Header.Get("HX-Request") == "" {
			id = v.Items[0].Row.ID
		}
		if id == "" {
			return nil
		}
		t, err := tx.TaskRowByID(id)
		if err != nil {
			return err
		}
		v.Current, err = c.dossierOf(tx, t, u, names, v)
		return err
	})
	if err != nil {
		return err
	}
	for i := range v.Items {
		v.Items[i].Current = v.Items[i].Row.ID == id
	}
	if d := v.Current; d != nil && d.Item.Row.OrderID != "" {
		d.Why, _ = c.why(r, d.Item.Row.OrderID)
		if err := c.nameRows(r, d.History); err != nil {
			return err
		}
	}
	if v.Page, err = c.frame(w, r, "Review", "Review"); err != nil {
		return err
	}
	v.Tabs = reviewTabs(v, queues)
	if v.Second, err = c.waitingChanges(r); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, reviewPage(v))
}

func reviewTabs(v reviewView, queues []string) []tabView {
	all := v.Queue == "" && v.Kind == "" && !v.Mine
	out := []tabView{{Label: "All", Href: "/review", Current: all}, {Label: "Mine", Href: "/review?mine=1", Current: v.Mine}}
	for _, q := range queues {
		out = append(out, tabView{Label: title(q), Href: "/review?queue=" + queryEscape(q), Current: v.Queue == q})
	}
	return append(out, tabView{Label: "Problems", Href: "/review?kind=incident", Current: v.Kind == string(task.Incident)})
}

func ordersOfTasks(tx *store.Tx, ts []store.TaskRow) (map[string]*store.OrderRow, error) {
	var ids []string
	for _, t := range ts {
		if t.OrderID != "" {
			ids = append(ids, t.OrderID)
		}
	}
	rows, err := tx.OrderRows(ids)
	out := make(map[string]*store.OrderRow, len(rows))
	for i := range rows {
		out[rows[i].ID] = &rows[i]
	}
	return out, err
}

func queueItemOf(t store.TaskRow, o *store.OrderRow, names map[string]string, v reviewView) queueItem {
	it := queueItem{Row: t, T: t.Task, Order: o, Title: firstOf(t.Task.Title, taskKind(t.Kind)), Href: "/review/" + t.ID}
	if o != nil && !strings.Contains(it.Title, o.Number) {
		it.Title = o.Number + ": " + it.Title
	}
	if t.Assignee != "" {
		it.Assignee = firstOf(names[t.Assignee], t.Assignee)
	}
	q := ""
	switch {
	case v.Mine:
		q = "?mine=1"
	case v.Queue != "":
		q = "?queue=" + queryEscape(v.Queue)
	case v.Kind != "":
		q = "?kind=" + queryEscape(v.Kind)
	}
	it.Href += q
	it.T.By = firstOf(names[it.T.By], it.T.By)
	return it
}

// dossierOf gathers what a person needs to decide a task.
func (c *Console) dossierOf(tx *store.Tx, t store.TaskRow, u access.User, names map[string]string, v reviewView) (*dossier, error) {
	d := &dossier{
		Key: onceKey(), Assign: onceKey(), CanAct: access.Can(u.Role, access.DecideTask), Personal: access.Can(u.Role, access.SeePersonal),
		Mine: t.Assignee != "" && t.Assignee == u.ID,
	}
	d.Options = options(t.Task)
	if f := t.Task; f.First != "" {
		d.First = firstOf(names[f.FirstBy], f.FirstBy) + " chose «" + title(f.First) + "». The sum is above the limit of one person, so another one must choose the same."
		if f.FirstBy == u.ID {
			d.First = "You chose «" + title(f.First) + "». The sum is above the limit of one person, so another one must choose the same."
		}
		if f.FirstNote != "" {
			d.First += " Note: " + f.FirstNote
		}
	}
	var row *store.OrderRow
	if t.OrderID != "" {
		o, err := c.openOrder(tx, t.OrderID, d.Personal)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return nil, err
		}
		if err == nil && o.State != order.Expected {
			d.O = o
			row = &store.OrderRow{ID: o.ID, Number: o.Number, State: o.State, Total: o.Total}
			if d.Customer, d.History, err = customerOf(tx, o, 8); err != nil {
				return nil, err
			}
			d.Differ = c.differ(o)
			d.Points = c.addressPoints(o, d.Differ)
		}
	}
	if t.Kind == task.Incident {
		es, err := tx.EffectRows([]string{t.Subject})
		if err != nil {
			return nil, err
		}
		if len(es) > 0 {
			d.Effect = &es[0]
		}
	}
	d.Item = queueItemOf(t, row, names, v)
	return d, nil
}

func (c *Console) decide(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	outcome, note := r.PostFormValue("outcome"), strings.TrimSpace(r.PostFormValue("note"))
	if outcome == "" {
		return fault.New(fault.Invalid, "console.decide", "choose a decision")
	}
	if outcome == "ask" && note == "" {
		return fault.New(fault.Invalid, "console.decide", "write what to ask the customer")
	}
	ev, err := c.act(r, r.PostFormValue("key"), &event.TaskDecided{Task: id, Outcome: outcome, Note: note})
	if err != nil {
		return err
	}
	if err := c.submit(r.Context(), ev); err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		answerJSON(w, http.StatusOK, map[string]any{"ok": true})
		return nil
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Decided: " + title(outcome) + "."}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		t, err := tx.TaskRowByID(id)
		if err == nil && t.Task.First == outcome && t.State == task.Open {
			f = ui.Flash{Meaning: ui.Attention, Text: "Your choice is kept. The sum is above the limit of one person: another one must choose the same."}
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.back(w, r, "/review", f)
}

func (c *Console) assign(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	u, _ := access.UserFrom(r.Context())
	to, text := u.ID, "The task is yours."
	if r.PostFormValue("to") != "me" {
		to, text = "", "The task is back in the queue."
	}
	ev, err := c.act(r, r.PostFormValue("key"), &event.TaskAssigned{Task: id, Assignee: to})
	if err != nil {
		return err
	}
	if err := c.submit(r.Context(), ev); err != nil {
		return err
	}
	return c.back(w, r, "/review/"+id, ui.Flash{Meaning: ui.Done, Text: text})
}
