package engine

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// clock knows when the next schedule is due, so that the database is asked only then.
// It belongs to the goroutine of Run.
type clock struct {
	next     time.Time
	revision int64
}

// ticked is what is kept of a schedule: its last time, and as what. Another
// schedule under the same name begins anew.
type ticked struct {
	Schedule string
	Last     time.Time
}

func scheduleSetting(name string) string { return "schedule:" + name }

// fireSchedules submits the events of the schedules whose time has come: once for
// the shop, as their key is the time. What was missed while no program ran is made
// up for once. A schedule whose automation does not act lets its times pass.
func (e *Engine) fireSchedules(ctx context.Context) error {
	pol, now := e.Policy(), e.now()
	if e.clock.revision == pol.Revision && now.Before(e.clock.next) {
		return nil
	}
	shop := pol.Settings.TimeZone
	if shop == nil {
		shop = time.UTC
	}
	next := now.Add(time.Minute) // another node may have changed the policy
	for _, a := range pol.Automations.Scheduled() {
		if err := e.fireSchedule(ctx, a, now, shop); err != nil {
			return err
		}
		if at := a.Schedule.Next(now, shop); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	e.clock = clock{next: next, revision: pol.Revision}
	return nil
}

func (e *Engine) fireSchedule(ctx context.Context, a *automation.Automation, now time.Time, shop *time.Location) error {
	is := a.Schedule.Cron + " " + a.Schedule.Zone
	var kept ticked
	err := e.db.View(ctx, func(tx *store.Tx) error {
		text, _, err := tx.Setting(scheduleSetting(a.Name))
		if err == nil && text != "" {
			_ = json.Unmarshal([]byte(text), &kept) // what cannot be read begins anew
		}
		return err
	})
	if err != nil {
		return err
	}
	at := now
	if kept.Schedule == is { // a new schedule has no past
		last, due := a.Schedule.Last(kept.Last, now, shop)
		if !due {
			return nil
		}
		at = last
		if a.Mode.Considered() {
			_, err := e.Submit(ctx, []event.Event{{
				Source: timerSource, Key: "schedule:" + a.Name + ":" + strconv.FormatInt(at.Unix(), 10), Actor: "orderly",
				Data: &event.ScheduleDue{Automation: a.Name, At: at},
			}})
			if err != nil {
				return err
			}
		}
	}
	text, err := json.Marshal(ticked{Schedule: is, Last: at})
	if err != nil {
		return err
	}
	return e.db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(scheduleSetting(a.Name), string(text)) })
}

// releaseRuns lets runs go on that were stopped where they are while their automation did not act.
func (e *Engine) releaseRuns(ctx context.Context) error {
	var held []store.HeldRun
	var guards map[string]*automation.Guard
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		if held, err = store.HeldRuns(tx, 200); err == nil && len(held) > 0 {
			guards, err = tx.AllGuards()
		}
		return err
	})
	if err != nil {
		return err
	}
	pol := e.Policy()
	var evs []event.Event
	for _, h := range held {
		if g := guards[h.Automation]; g != nil && g.Stop != nil {
			continue
		}
		if a := pol.Automations.Get(h.Automation); a == nil || a.Mode == automation.Active || a.Mode == automation.Canary {
			evs = append(evs, event.Event{
				Source: timerSource, Key: "again:" + h.ID + ":" + strconv.FormatInt(h.Since.UnixMicro(), 10), Actor: "orderly",
				Data: &event.RunDue{Run: h.ID, Order: h.OrderID, Why: event.WokenAgain},
			})
		}
	}
	if len(evs) == 0 {
		return nil
	}
	_, err = e.Submit(ctx, evs)
	return err
}
