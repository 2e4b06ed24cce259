package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
)

// shadowReport is the purpose of the mail that tells what an automation would have done.
const shadowReport = "shadow-report"

// shadowSamples bounds the firings that a report names.
const shadowSamples = 10

// reportShadows announces, for every automation that did not act on all orders,
// that its owner is to be told what it would have done on a day of the shop; when
// that was nothing, only on Sundays, about the week.
func (e *Engine) reportShadows(ctx context.Context, date string) error {
	from, err := e.dayOf(date)
	if err != nil {
		return err
	}
	var evs []event.Event
	err = e.db.View(ctx, func(tx *store.Tx) error {
		evs = nil
		guards, err := tx.AllGuards()
		if err != nil {
			return err
		}
		for _, a := range e.Policy().Automations.All() {
			stopped := guards[a.Name] != nil && guards[a.Name].Stop != nil
			if !a.Mode.Considered() || a.Mode == automation.Active && !stopped {
				continue
			}
			p := &event.AutomationReported{Automation: a.Name, Date: date}
			n, err := notActed(tx, a.Name, from, from.AddDate(0, 0, 1))
			if err != nil {
				return err
			}
			if n == 0 {
				if from.Weekday() != time.Sunday {
					continue
				}
				if n, err = notActed(tx, a.Name, from.AddDate(0, 0, -6), from.AddDate(0, 0, 1)); err != nil {
					return err
				}
				if n > 0 {
					continue // the days were reported
				}
				p.Quiet = true
			}
			evs = append(evs, event.Event{Source: timerSource, Key: shadowReport + ":" + a.Name + ":" + date, Actor: "orderly", Data: p})
		}
		return nil
	})
	if err != nil || len(evs) == 0 {
		return err
	}
	_, err = e.Submit(ctx, evs)
	return err
}

func notActed(tx *store.Tx, name string, from, to time.Time) (n int64, err error) {
	sums, err := tx.FiringSums(name, from, to)
	for _, s := range sums {
		if s.How != automation.HowActed {
			n += s.Firings
		}
	}
	return n, err
}

// dayOf is the begin of a day of the shop.
func (e *Engine) dayOf(date string) (time.Time, error) {
	zone := e.Policy().Settings.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	from, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil {
		err = fault.Wrap(err, fault.Invalid, "engine.dayOf", "%q is no date", date)
	}
	return from, err
}

// shadowReport is what an automation would have done on a day beside what became of
// those orders, with the newest firings, each with its page.
func (e *Engine) shadowReport(tx *store.Tx, name, date string) (notify.Report, error) {
	out := notify.Report{Date: date}
	from, err := e.dayOf(date)
	if err != nil {
		return out, err
	}
	to := from.AddDate(0, 0, 1)
	sums, err := tx.FiringSums(name, from, to)
	if err != nil {
		return out, err
	}
	base := strings.TrimSuffix(e.opts.BaseURL, "/")
	add := func(label, value, page string) {
		f := notify.Figure{Label: label, Value: value}
		if base != "" {
			f.Link = base + page
		}
		out.Figures = append(out.Figures, f)
	}
	page := "/automations/" + name
	for _, s := range sums {
		label := map[string]string{
			automation.HowActed: "It acted", automation.HowShadow: "In shadow it would have fired",
			automation.HowCanary: "On orders left out by its share it would have fired", automation.HowStopped: "While it was stopped it would have fired",
		}[s.How]
		value := strconv.FormatInt(s.Firings, 10)
		if s.Orders > 0 {
			value += " on " + strconv.FormatInt(s.Orders, 10) + " orders; " + strconv.FormatInt(s.Held, 10) + " held and " + strconv.FormatInt(s.Cancelled, 10) + " cancelled now"
		}
		add(label, value, page)
	}
	rows, err := tx.FiringsNotActed(name, from, to, shadowSamples)
	for _, r := range rows {
		label, page := r.At.In(from.Location()).Format("15:04"), page
		if r.OrderID != "" {
			label, page = "Order "+r.Number+", "+money.New(r.Total, r.Currency).String()+", "+strings.ReplaceAll(r.State, "_", " "), "/orders/"+r.OrderID
		}
		did := "would have fired"
		var trace decide.Trace
		if r.Trace != "" {
			if err := json.Unmarshal([]byte(r.Trace), &trace); err != nil {
				return out, fault.Wrap(err, fault.Internal, "engine.shadowReport", "the trace of event %s cannot be read", r.EventID)
			}
		}
		for _, c := range trace.Automations {
			if c.Name == name && len(c.Did) > 0 {
				did = strings.Join(c.Did, "; ")
			}
		}
		add(label, did, page)
	}
	return out, err
}
