package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
	"orderly.example/orderly/internal/watch"
)

// Watch tells what is expected and how it stands.
type Watch interface {
	Status(ctx context.Context) (watch.Status, error)
	// Hours are an expectation and the last n hours of its rate; the zero Line when there is no such one.
	Hours(ctx context.Context, name string, n int) (watch.Line, []watch.HourPoint, error)
}

// incidentCap is how many incidents of a state the page shows.
const incidentCap = 200

type incidentsView struct {
	Page  ui.PageView
	Tabs  []tabView
	Tab   string
	Items []incidentItem
	Watch *watch.Status
}

type incidentItem struct {
	Row   store.TaskRow
	State string // open, acknowledged, snoozed, over
	Who   string // acknowledged it
	By    string // ended it
}

// costs is what an incident costs, as far as that is known.
func costs(t task.Task) string {
	if t.Alarm == nil {
		return ""
	}
	return t.Alarm.Impact
}

// worth words orders with their money.
func worth(orders []store.OrderRow) string {
	var sums []money.Amount
	for _, o := range orders {
		i := slices.IndexFunc(sums, func(a money.Amount) bool { return a.Currency == o.Total.Currency })
		if i < 0 {
			sums = append(sums, o.Total)
			continue
		}
		sums[i].Minor += o.Total.Minor
	}
	if len(orders) == 0 {
		return ""
	}
	return ui.Plural(int64(len(orders)), "order", "orders") + ", " + moneyWords(sums)
}

// incidentState is how far an incident has come.
func (c *Console) incidentState(t task.Task) string {
	a := t.Alarm
	switch {
	case t.State == task.Decided || t.State == task.Closed:
		return "over"
	case a != nil && !a.Acked.IsZero():
		return "acknowledged"
	case a != nil && c.Now().Before(a.Snoozed):
		return "snoozed"
	}
	return "open"
}

var incidentTabs = []struct{ name, label string }{{"open", "Open"}, {"acknowledged", "Acknowledged"}, {"snoozed", "Snoozed"}, {"over", "Over"}}

func (c *Console) incidents(w http.ResponseWriter, r *http.Request) error {
	v := incidentsView{Tab: firstOf(r.URL.Query().Get("state"), "open")}
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		rows, err := tx.IncidentRows(false, incidentCap)
		if err != nil {
			return err
		}
		if v.Tab == "over" {
			over, err := tx.IncidentRows(true, incidentCap)
			if err != nil {
				return err
			}
			rows = append(rows, over...)
		}
		v.Items, counts = nil, map[string]int{}
		for _, t := range rows {
			it := c.incidentItemOf(t, names)
			counts[it.State]++
			if it.State == v.Tab {
				v.Items = append(v.Items, it)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range incidentTabs {
		tab := tabView{Label: t.label, Href: "/incidents?state=" + t.name, Current: t.name == v.Tab}
		if n := counts[t.name]; n > 0 && t.name != "over" {
			tab.Count = ui.Number(int64(n))
		}
		v.Tabs = append(v.Tabs, tab)
	}
	if c.Watch != nil {
		st, err := c.Watch.Status(r.Context())
		if err != nil {
			return err
		}
		v.Watch = &st
	}
	if v.Page, err = c.frame(w, r, "Incidents", "Incidents"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, incidentsPage(v))
}

func (c *Console) incidentItemOf(t store.TaskRow, names map[string]string) incidentItem {
	it := incidentItem{Row: t, State: c.incidentState(t.Task)}
	if a := t.Task.Alarm; a != nil {
		it.Who = firstOf(names[a.AckedBy], a.AckedBy)
	}
	it.By = firstOf(names[t.Task.By], t.Task.By)
	return it
}

type incidentView struct {
	Page    ui.PageView
	Item    incidentItem
	Orders  []store.OrderRow
	Sum     string // of the orders that are known
	Chart   []ui.Hour
	Line    watch.Line
	Key     string
	CanAct  bool
	Snoozes []ui.Option
}

func (c *Console) incident(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	v := incidentView{Key: onceKey(), CanAct: access.Can(u.Role, access.DecideTask), Snoozes: snoozes}
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		t, err := tx.TaskRowByID(r.PathValue("id"))
		if err != nil {
			return err
		}
		if t.Kind != task.Incident {
			return fault.New(fault.NotFound, "console.incident", "there is no such incident")
		}
		v.Item = c.incidentItemOf(t, names)
		var ids []string
		if a := t.Task.Alarm; a != nil {
			ids = a.Orders
		}
		if t.OrderID != "" {
			ids = append([]string{t.OrderID}, ids...)
		}
		if len(ids) > 0 {
			v.Orders, err = tx.OrderRows(ids)
			v.Sum = worth(v.Orders)
		}
		return err
	})
	if err != nil {
		return err
	}
	if a := v.Item.Row.Task.Alarm; c.Watch != nil && a != nil && strings.Contains(a.Expectation, ":") {
		var hours []watch.HourPoint
		if v.Line, hours, err = c.Watch.Hours(r.Context(), a.Expectation, chartHours); err != nil {
			return err
		}
		v.Chart = c.rateHours(hours)
	}
	if v.Page, err = c.frame(w, r, v.Item.Row.Task.Title, "Incidents"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, incidentPage(v))
}

// chartHours is how many hours of a rate are drawn.
const chartHours = 48

// rateHours are the bars of a rate's chart.
func (c *Console) rateHours(hours []watch.HourPoint) []ui.Hour {
	zone := c.Shop().Zone
	if zone == nil {
		zone = time.UTC
	}
	out := make([]ui.Hour, 0, len(hours))
	for _, h := range hours {
		at := h.At.In(zone)
		bar := ui.Hour{Label: at.Format("15"), N: int64(h.Seen), Past: int64(h.Expected + 0.5), Now: h.Later}
		bar.Title = fmt.Sprintf("%s: %d came, %.1f to be expected", at.Format("Mon 15:04"), h.Seen, h.Expected)
		out = append(out, bar)
	}
	return out
}

// snoozes are how long an incident may be put off.
var snoozes = []ui.Option{{Value: "1h", Label: "for an hour"}, {Value: "4h", Label: "for 4 hours"}, {Value: "24h", Label: "for a day"}, {Value: "168h", Label: "for a week"}}

// actOnIncident carries out a click on an incident.
func (c *Console) actOnIncident(w http.ResponseWriter, r *http.Request) error {
	id, note := r.PathValue("id"), strings.TrimSpace(r.PostFormValue("note"))
	var p event.Payload
	done := ""
	switch r.PathValue("action") {
	case "acknowledge":
		p, done = &event.IncidentAcknowledged{Task: id, Note: note}, "It is yours: nobody else is told any more."
	case "snooze":
		d, err := time.ParseDuration(r.PostFormValue("for"))
		if err != nil {
			return fault.New(fault.Invalid, "console.incident", "choose how long it is put off")
		}
		until := c.Now().Add(d).UTC().Truncate(time.Second)
		p, done = &event.IncidentSnoozed{Task: id, Until: until, Note: note}, "Put off. If it is still open then, its owner is told again."
	case "resolve":
		outcome := "resolved"
		err := c.Read.View(r.Context(), func(tx *store.Tx) error {
			t, err := tx.TaskRowByID(id)
			if err == nil && len(t.Task.Options) > 0 {
				outcome = t.Task.Options[0]
			}
			return err
		})
		if err != nil {
			return err
		}
		p, done = &event.TaskDecided{Task: id, Outcome: outcome, Note: note}, "Resolved."
	default:
		return fault.New(fault.NotFound, "console.incident", "there is no such step")
	}
	ev, err := c.act(r, r.PostFormValue("key"), p)
	if err != nil {
		return err
	}
	if err := c.submit(r.Context(), ev); err != nil {
		return err
	}
	to := "/incidents/" + id
	if r.PathValue("action") == "resolve" {
		to = "/incidents"
	}
	return c.back(w, r, to, ui.Flash{Meaning: ui.Done, Text: done})
}

type expectationsView struct {
	Page   ui.PageView
	Status watch.Status
}

// lines are the expectations of rates, or those of states.
func (v expectationsView) lines(rates bool) (out []watch.Line) {
	for _, l := range v.Status.Lines {
		if (l.Kind != "") == rates {
			out = append(out, l)
		}
	}
	return out
}

func (c *Console) expectations(w http.ResponseWriter, r *http.Request) error {
	if c.Watch == nil {
		return fault.New(fault.Unavailable, "console.expectations", "expectations are not available on this server")
	}
	st, err := c.Watch.Status(r.Context())
	if err != nil {
		return err
	}
	v := expectationsView{Status: st}
	if v.Page, err = c.frame(w, r, "Expectations", "Incidents"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, expectationsPage(v))
}

type expectationView struct {
	Page  ui.PageView
	Line  watch.Line
	Chart []ui.Hour
}

func (c *Console) expectation(w http.ResponseWriter, r *http.Request) error {
	if c.Watch == nil {
		return fault.New(fault.Unavailable, "console.expectations", "expectations are not available on this server")
	}
	line, hours, err := c.Watch.Hours(r.Context(), r.PathValue("name"), chartHours)
	if err != nil {
		return err
	}
	if line.Name == "" {
		return notFound("expectation " + r.PathValue("name"))
	}
	v := expectationView{Line: line, Chart: c.rateHours(hours)}
	if v.Page, err = c.frame(w, r, line.Title, "Incidents"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, expectationPage(v))
}

func incidentMeaning(state string) ui.Meaning {
	switch state {
	case "open":
		return ui.Danger
	case "acknowledged":
		return ui.Attention
	case "snoozed":
		return ui.Held
	}
	return ui.Done
}

func expectationMeaning(state string) ui.Meaning {
	switch state {
	case watch.Silent:
		return ui.Danger
	case watch.Learning:
		return ui.Neutral
	}
	return ui.Done
}

// expectationWord is a state as a badge says it.
func expectationWord(l watch.Line) string {
	if l.State == watch.Silent && l.Kind == "" {
		return "Not kept"
	}
	return title(l.State)
}

// pace words a rate.
func pace(perWeek float64) string {
	switch {
	case perWeek == 0:
		return "–"
	case perWeek >= 7*24:
		return fmt.Sprintf("%s an hour", rateNumber(perWeek/7/24))
	case perWeek >= 7:
		return fmt.Sprintf("%s a day", rateNumber(perWeek/7))
	}
	return fmt.Sprintf("%s a week", rateNumber(perWeek))
}

func rateNumber(n float64) string {
	if n >= 9.95 {
		return ui.Number(int64(n + 0.5))
	}
	return fmt.Sprintf("%.1f", n)
}

// watchWords say when the watch last looked.
func watchWords(st *watch.Status) string {
	age, ok := st.Age()
	switch {
	case !ok:
		return "The watch has not looked yet; it does within a minute."
	case st.Late():
		return "The watch is silent itself: it last looked " + ui.Plural(int64(age.Minutes()), "minute", "minutes") + " ago. Look at the log of the server."
	case st.Behind:
		return "The watch is reading the history; it watches rates when it is done."
	}
	return ""
}

func watchMeaning(st *watch.Status) ui.Meaning {
	if st.Late() {
		return ui.Danger
	}
	return ui.Neutral
}

func wayMeaning(w watch.Way) ui.Meaning {
	switch {
	case w.State == "done":
		return ui.Done
	case w.State == "dead" || w.Error != "":
		return ui.Danger
	}
	return ui.Neutral
}

func wayWord(w watch.Way) string {
	switch {
	case w.State == "done":
		return "Arrived"
	case w.State == "dead" || w.Error != "":
		return "Failed"
	}
	return "On its way"
}

func expectationHref(l watch.Line) string { return "/expectations/" + pathEscape(l.Name) }

func alarmWords(l watch.Line) string {
	if l.State != watch.Watched && l.State != watch.Silent || l.Limit == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f a month", l.Alarms)
}
