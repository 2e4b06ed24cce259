package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// Backtester tries automations of the current policy on the history, one at a time; backtest.Runner implements it.
type Backtester interface {
	Start(ctx context.Context, name, by string, since, until time.Time, capacity int) error
	Running() (backtest.Running, bool)
	Stop(name string)
	Latest(ctx context.Context, name string) (backtest.Result, bool, error)
	// Try begins a backtest of an automation that need not be saved; Tried is the latest such result under a name.
	Try(ctx context.Context, a *automation.Automation, by string) error
	Tried(ctx context.Context, name string) (backtest.Result, bool, error)
}

// backtestView is the page of an automation's backtest.
type backtestView struct {
	Page    ui.PageView
	A       automationView
	Can     bool // start and stop
	Running *backtest.Running
	Result  *backtest.Result
	R       *backtest.Automation // of the result
	N       int64                // number of the version that was tried; 0 = it is not saved
	Values  map[string]string
	Errors  map[string]string
}

func (v *backtestView) result(res backtest.Result) {
	v.Result = &res
	if res.Report != nil && len(res.Report.Automations) > 0 {
		v.R = &res.Report.Automations[0]
	}
}

func backtestHref(name string) string { return "/automations/" + pathEscape(name) + "/backtest" }

func (c *Console) backtest(w http.ResponseWriter, r *http.Request) error {
	return c.showBacktest(w, r, http.StatusOK, backtestView{Values: map[string]string{}})
}

func (c *Console) showBacktest(w http.ResponseWriter, r *http.Request, status int, v backtestView) error {
	name := r.PathValue("name")
	if c.Backtest == nil {
		return fault.New(fault.NotFound, "console.backtest", "backtests are not available on this server")
	}
	found := false
	var numbers map[string]int64
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts(kindAutomation)
		for _, t := range texts {
			if t.Name == name {
				v.A, found = readAutomation(t), true
			}
		}
		if err == nil {
			numbers, err = tx.VersionsByText(kindAutomation, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.NotFound, "console.backtest", "there is no automation %q in the current policy", name)
	}
	u, _ := access.UserFrom(r.Context())
	v.Can = mayChange(u, v.A.Owner)
	if now, ok := c.Backtest.Running(); ok {
		v.Running = &now
	}
	res, ok, err := c.Backtest.Latest(r.Context(), name)
	if err != nil {
		return err
	}
	if !ok || res.Version != v.A.Hash {
		// The text may have been tried in the editor before it was saved.
		tried, has, err := c.Backtest.Tried(r.Context(), name)
		if err != nil {
			return err
		}
		if has && tried.Version == v.A.Hash {
			res, ok = tried, true
		}
	}
	if ok {
		v.result(res)
		v.N = numbers[res.Version]
		if len(v.Values) == 0 { // as it was run last
			v.Values["since"], v.Values["until"], v.Values["capacity"] = res.Since, res.Until, capacityOf(res)
		}
	}
	if v.Page, err = c.frame(w, r, "Backtest of "+title(name), "Automations"); err != nil {
		return err
	}
	return c.show(w, r, status, backtestPage(v))
}

// capacityOf is the capacity that a backtest was run with, as it is typed.
func capacityOf(res backtest.Result) string {
	if res.Report == nil || len(res.Report.Automations) == 0 {
		return ""
	}
	if t := res.Report.Automations[0].Tasks; t != nil && t.Capacity > 0 {
		return strconv.Itoa(t.Capacity)
	}
	return ""
}

func (c *Console) startBacktest(w http.ResponseWriter, r *http.Request) error {
	if c.Backtest == nil {
		return fault.New(fault.NotFound, "console.backtest", "backtests are not available on this server")
	}
	v := backtestView{Values: map[string]string{}, Errors: map[string]string{}}
	var since, until time.Time
	for _, f := range []struct {
		name string
		to   *time.Time
	}{{"since", &since}, {"until", &until}} {
		text := strings.TrimSpace(r.PostFormValue(f.name))
		v.Values[f.name] = text
		if text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, text, c.Shop().Zone)
		if err != nil {
			v.Errors[f.name] = "Write a date like 2026-01-31."
			continue
		}
		*f.to = t
	}
	capacity := 0
	if text := strings.TrimSpace(r.PostFormValue("capacity")); text != "" {
		v.Values["capacity"] = text
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			v.Errors["capacity"] = "Write a number of tasks a day, above 0."
		}
		capacity = n
	}
	if len(v.Errors) == 0 && !since.IsZero() && !until.IsZero() && !since.Before(until) {
		v.Errors["until"] = "This is not after the first date."
	}
	if len(v.Errors) > 0 {
		return c.showBacktest(w, r, http.StatusUnprocessableEntity, v)
	}
	name := r.PathValue("name")
	u, _ := access.UserFrom(r.Context())
	if err := c.Backtest.Start(r.Context(), name, u.Name, since, until, capacity); err != nil {
		if fault.KindOf(err) != fault.Conflict {
			return err
		}
		return c.back(w, r, backtestHref(name), ui.Flash{Meaning: ui.Attention, Text: fault.Message(err)})
	}
	return c.back(w, r, backtestHref(name), ui.Flash{})
}

func (c *Console) stopBacktest(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if c.Backtest != nil {
		c.Backtest.Stop(name)
	}
	return c.back(w, r, backtestHref(name), ui.Flash{})
}

// pollWhile makes a part of the page load itself again every second while cond holds.
func pollWhile(cond bool, href string) templ.Attributes {
	if !cond {
		return nil
	}
	return templ.Attributes{"hx-get": href, "hx-trigger": "every 1s", "hx-select": "#backtest", "hx-swap": "outerHTML"}
}

// runningPercent is how far a backtest is.
func runningPercent(r *backtest.Running) int {
	return int(r.Done * 100 / max(r.Total, 1))
}

// resultSpan says what a result is about.
func resultSpan(ctx context.Context, v backtestView) string {
	rep := v.Result.Report
	s := ui.Plural(rep.Orders, "order", "orders")
	if !rep.Since.IsZero() {
		s += ", " + ui.Days(ctx, rep.Since, rep.Until)
	}
	if v.Result.Version != v.A.Hash {
		s += "; an earlier version"
	}
	return s
}

// resultTiles are the figures of a result; what is nothing is left out.
func resultTiles(ctx context.Context, v backtestView) []ui.TileView {
	a := v.R
	sample, changed := "", ""
	if len(a.Changed) > 0 {
		changed = "#changed"
	}
	if sample = changed; len(a.Others()) > 0 {
		sample = "#sample"
	}
	tiles := []ui.TileView{{Label: "Would have fired", Meaning: ui.Neutral, Value: ui.Number(a.Fired), Note: "asked " + ui.Plural(a.Considered, "time", "times"), Href: sample}}
	if a.FiredThen > 0 {
		tiles = append(tiles, ui.TileView{Label: "Fired then", Meaning: ui.Neutral, Value: ui.Number(a.FiredThen), Note: thenNote(a), Href: automationHref(a.Name)})
	}
	if a.Unknown > 0 {
		tiles = append(tiles, ui.TileView{Label: "Could not tell", Meaning: ui.Attention, Value: ui.Number(a.Unknown), Note: "a fact was missing", Href: "#unknown"})
	}
	if a.Holds {
		tiles = append(tiles, ui.TileView{Label: "Would be held", Meaning: ui.Held, Value: ui.Number(a.WouldHold), Note: wouldHoldNote(a), Href: changed})
	}
	if a.Undone > 0 {
		tiles = append(tiles, ui.TileView{Label: "Held and let go at once", Meaning: ui.Attention, Value: ui.Number(a.Undone), Note: "a release counts after every hold of the same event", Href: sample})
	}
	if a.Releases {
		tiles = append(tiles, ui.TileView{Label: "Would be let go", Meaning: ui.Neutral, Value: ui.Number(a.LetGo), Note: "held then" + worthNote(a.LetGoMoney), Href: changed})
	}
	if a.NotHeld > 0 {
		tiles = append(tiles, ui.TileView{Label: "Not held any more", Meaning: ui.Neutral, Value: ui.Number(a.NotHeld), Note: "held then by this alone" + worthNote(a.NotHeldMoney), Href: changed})
	}
	if t := a.Tasks; t != nil && t.Total > 0 {
		tiles = append(tiles, tasksTile(ctx, t))
	}
	return tiles
}

func tasksTile(ctx context.Context, t *backtest.Tasks) ui.TileView {
	tile := ui.TileView{Label: "Tasks a day", Meaning: ui.Neutral, Value: strings.TrimSuffix(strconv.FormatFloat(t.PerDay, 'f', 1, 64), ".0"), Note: "at most " + ui.Number(t.Most)}
	if day, err := time.ParseInLocation(time.DateOnly, t.Busiest, ui.Zone(ctx)); err == nil {
		tile.Note += " on " + ui.Day(ctx, day)
	}
	switch {
	case t.Capacity > 0 && t.DaysOver > 0:
		tile.Meaning = ui.Attention
		tile.Note = fmt.Sprintf("more than %d on %d of %d days", t.Capacity, t.DaysOver, t.Days)
	case t.Capacity > 0:
		tile.Note += fmt.Sprintf("; the team can do %d", t.Capacity)
	}
	return tile
}

// thenNote says what came of the firings then, and how they compare.
func thenNote(a *backtest.Automation) string {
	return "and acted " + ui.Plural(a.ActedThen, "time", "times") + "; " + a.Against()
}

// wouldHoldNote says how many of those that would be held were not held then.
func wouldHoldNote(a *backtest.Automation) string {
	if a.HeldThen == 0 {
		return "not held then" + worthNote(a.NewMoney)
	}
	return ui.Number(a.NewlyHeld) + " newly" + worthNote(a.NewMoney) + "; " + ui.Number(a.HeldThen) + " were held then, too"
}

func worthNote(as []money.Amount) string {
	if len(as) == 0 {
		return ""
	}
	return ", worth " + moneyList(as)
}

// weekBars are the weeks for the chart: all were considered, these fired.
func weekBars(ctx context.Context, ws []backtest.Week) (considered, fired []int64) {
	if len(ws) == 0 {
		return nil, nil
	}
	next := ui.Local(ctx, ws[0].Start) // days there have 23 and 25 hours, too
	for _, w := range ws {
		for ; next.Before(w.Start); next = next.AddDate(0, 0, 7) {
			considered, fired = append(considered, 0), append(fired, 0)
		}
		considered, fired = append(considered, w.Considered), append(fired, w.Fired)
		next = next.AddDate(0, 0, 7)
	}
	return considered, fired
}

func weekLabel(ctx context.Context, ws []backtest.Week) string {
	most := ws[0]
	for _, w := range ws {
		if cmp.Compare(w.Fired, most.Fired) > 0 {
			most = w
		}
	}
	return fmt.Sprintf("By week from %s; most in the week of %s: it would have fired %s of %s", ui.Day(ctx, ws[0].Start), ui.Day(ctx, most.Start), ui.Plural(most.Fired, "time", "times"), ui.Number(most.Considered))
}

func moneyList(as []money.Amount) string {
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = ui.Amount(a) + " " + a.Currency
	}
	return strings.Join(parts, " + ")
}

// sampleHref is the page of a sample.
func sampleHref(s backtest.Sample) string {
	switch {
	case s.Order != "":
		return "/orders/" + pathEscape(s.Order)
	case s.State == "" && strings.HasPrefix(s.Subject, "ord_"):
		return "/orders/" + pathEscape(s.Subject)
	}
	return ""
}

func sampleName(s backtest.Sample) string {
	if s.Number != "" {
		return s.Channel + " " + middle(s.Number)
	}
	return ui.ShortID(s.Subject)
}

// resultSums are the sums of a result that no tile says.
func resultSums(a *backtest.Automation) []fact {
	var out []fact
	add := func(name string, as []money.Amount) {
		if len(as) > 0 {
			out = append(out, fact{Name: name, Value: moneyList(as)})
		}
	}
	add("Orders it fires for", a.Money)
	add("Given back, at most", a.GivesBack)
	if t := a.Tasks; t != nil && t.Total > 0 {
		out = append(out, fact{Name: "Tasks", Value: ui.Number(t.Total) + " in " + ui.Plural(t.Days, "day", "days")})
	}
	if s := a.Risk; s != nil {
		add("Disputed, and it fires", s.Saved)
		add("Disputed, and it does not", s.Lost)
		add("Good orders delayed", s.Delayed)
	}
	return out
}

// sampleColumns are the columns of a table of samples that have something in them.
type sampleColumns struct{ Total, Then, Ended bool }

func columnsOf(ss []backtest.Sample) (c sampleColumns) {
	for _, s := range ss {
		c.Total = c.Total || s.Total.Currency != ""
		c.Then = c.Then || s.Then() != ""
		c.Ended = c.Ended || s.Ended != ""
	}
	return c
}

// ofAll says of how many events some are a sample.
func ofAll(shown int, all int64) string {
	if int64(shown) >= all {
		return ui.Plural(all, "in all", "in all")
	}
	return ui.Itoa(shown) + " of " + ui.Number(all) + ", drawn evenly"
}
