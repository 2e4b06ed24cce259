package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// midnight is the beginning of t's day in the zone.
func midnight(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
}

func (c *Console) today(w http.ResponseWriter, r *http.Request) error {
	p, err := c.frame(w, r, "Today", "Today")
	if err != nil {
		return err
	}
	zone := c.Shop().Zone
	now := c.Now()
	day := midnight(now, zone)
	week := day.AddDate(0, 0, -7)
	var fig, past store.DayFigures
	var n store.Counts
	v := todayView{Page: p, Day: now}
	err = c.forLists(r).View(r.Context(), func(tx *store.Tx) (err error) {
		if fig, err = tx.DayFigures(day, day.AddDate(0, 0, 1)); err != nil {
			return err
		}
		if past, err = tx.DayFigures(week, week.AddDate(0, 0, 1)); err != nil {
			return err
		}
		if n, err = tx.Counts(now); err != nil {
			return err
		}
		page, err := tx.OrdersPage(store.OrderFilter{Limit: 8})
		if err != nil {
			return err
		}
		v.Recent = page.Rows
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.nameRows(r, v.Recent); err != nil {
		return err
	}
	v.Empty = len(v.Recent) == 0
	v.More = fig.More
	v.Hours = hours(fig, past, day, now)
	if past.Orders > 0 {
		v.PastLabel = fmt.Sprintf("%s a week before: %s", week.Format("Monday"), ui.Plural(past.Orders, "order", "orders"))
	}
	v.Tiles = tiles(fig, past, n, day)
	v.Attention = todos(n, p)
	return c.show(w, r, http.StatusOK, todayPage(v))
}

// hours lays the figures on the day's clock. Days of 23 and 25 hours have as many bars.
func hours(fig, past store.DayFigures, day, now time.Time) []ui.Hour {
	by := func(d store.DayFigures, of time.Time) map[int]int64 {
		m := map[int]int64{}
		for _, h := range d.Hours {
			m[int(h.Hour.Sub(of)/time.Hour)] += h.Orders
		}
		return m
	}
	week := day.AddDate(0, 0, -7)
	have, had := by(fig, day), by(past, week)
	n := int(day.AddDate(0, 0, 1).Sub(day) / time.Hour)
	out := make([]ui.Hour, 0, n)
	for i := range n {
		at := day.Add(time.Duration(i) * time.Hour)
		h := ui.Hour{
			Label: at.Format("15"), N: have[i], Past: had[i],
			Href: "/orders?from=" + queryEscape(at.Format("2006-01-02T15:04")) + "&to=" + queryEscape(at.Add(time.Hour).Format("2006-01-02T15:04")),
			Now:  !now.Before(at) && now.Before(at.Add(time.Hour)), Later: now.Before(at),
		}
		h.Title = fmt.Sprintf("%s to %s: %s", at.Format("15:04"), at.Add(time.Hour).Format("15:04"), ui.Plural(h.N, "order", "orders"))
		if h.Past > 0 {
			h.Title += fmt.Sprintf("; a week before %d", h.Past)
		}
		out = append(out, h)
	}
	return out
}

func tiles(fig, past store.DayFigures, n store.Counts, day time.Time) []ui.TileView {
	date := day.Format(time.DateOnly)
	num := ui.Number(fig.Orders)
	if fig.More {
		num += "+"
	}
	note := "since midnight"
	if past.Orders > 0 {
		note = ui.Number(past.Orders) + " on " + day.AddDate(0, 0, -7).Format("Mon 2 Jan")
	}
	worth := ui.TileView{Label: "Worth", Meaning: ui.Neutral, Value: "–", Note: "placed today, not cancelled", Href: "/orders?sort=total&state=" + uncancelled() + "&from=" + date + "&to=" + date}
	if len(fig.Money) > 0 {
		worth.Value = ui.Amount(fig.Money[0])
		worth.Note = fig.Money[0].Currency + ", placed today, not cancelled"
		if len(fig.Money) > 1 {
			rest := make([]string, 0, len(fig.Money)-1)
			for _, a := range fig.Money[1:] {
				rest = append(rest, ui.Amount(a)+" "+a.Currency)
			}
			worth.Note = fig.Money[0].Currency + ", not cancelled; also " + strings.Join(rest, ", ")
		}
	}
	return []ui.TileView{
		{Label: "New orders", Meaning: ui.Neutral, Value: num, Note: note, Href: "/orders?from=" + date + "&to=" + date},
		worth,
		{Label: "Held", Meaning: meaningIf(n.Held.N, ui.Held), Value: capped(n.Held), Note: heldNote(n), Href: "/orders?state=held"},
		{Label: "Unfillable", Meaning: meaningIf(n.Unfillable.N, ui.Danger), Value: capped(n.Unfillable), Note: "no location can ship", Href: "/orders?state=unfillable"},
		{Label: "Failed effects", Meaning: meaningIf(n.DeadEffects.N, ui.Danger), Value: capped(n.DeadEffects), Note: waitingNote(n), Href: "/effects"},
		{Label: "Low stock", Meaning: meaningIf(n.LowStock.N, ui.Attention), Value: capped(n.LowStock), Note: "products at their line", Href: "/stock?low=1"},
	}
}

func meaningIf(n int64, m ui.Meaning) ui.Meaning {
	if n == 0 {
		return ui.Done
	}
	return m
}

func heldNote(n store.Counts) string {
	if n.LateTasks > 0 {
		return ui.Number(n.LateTasks) + " past the deadline"
	}
	return "wait for a person"
}

func waitingNote(n store.Counts) string {
	return capped(n.WaitingEffects) + " waiting"
}

// todos are the things that wait for a person, the worst first.
func todos(n store.Counts, p ui.PageView) []todoView {
	var out []todoView
	add := func(c store.Capped, m ui.Meaning, icon, one, many, detail, href string) {
		if c.N == 0 {
			return
		}
		text := one
		if c.N > 1 {
			text = capped(c) + " " + many
		}
		out = append(out, todoView{Meaning: m, Icon: icon, Text: text, Detail: detail, Href: href})
	}
	for _, pr := range p.Problems {
		out = append(out, todoView{Meaning: ui.Danger, Icon: "warn", Text: pr.Title, Detail: pr.Detail, Href: pr.Href})
	}
	late := ""
	if n.LateTasks > 0 {
		late = ui.Number(n.LateTasks) + " past the deadline"
	}
	add(n.Tasks, ui.Held, "review", "1 task to decide", "tasks to decide", late, "/review")
	add(n.Unfillable, ui.Danger, "orders", "1 order cannot be filled", "orders cannot be filled", "receive stock, or route again", "/orders?state="+string(order.Unfillable))
	add(n.DeadEffects, ui.Danger, "effects", "1 effect failed for good", "effects failed for good", "see the error and try again", "/effects")
	add(n.Quarantined, ui.Danger, "warn", "1 event in quarantine", "events in quarantine", "their decision failed", "/effects?tab=quarantine")
	add(n.LowStock, ui.Attention, "stock", "1 product is low", "products are low", "", "/stock?low=1")
	add(n.AwaitingPayment, ui.Neutral, "coin", "1 order awaits payment", "orders await payment", "", "/orders?state="+string(order.AwaitingPayment))
	add(n.Backordered, ui.Attention, "clock", "1 order waits for stock", "orders wait for stock", "", "/orders?state="+string(order.Backordered))
	return out
}
