package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// timerSource is the door of timers; the key is the timer's id, so that several nodes that
// see the same timer make one event.
const timerSource = "timer"

// dayEndedSetting keeps the last local day whose end was announced.
const dayEndedSetting = "day_ended"

// Run works timers, deliveries and the minimal watch until ctx ends. A process
// that only imports or checks does not call it.
func (e *Engine) Run(ctx context.Context) error {
	for {
		err := e.startWorkers(ctx)
		if err == nil {
			break
		}
		if fault.KindOf(err) != fault.Unavailable {
			return err
		}
		e.log.Error("deliveries cannot begin; it is tried again", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-e.done:
			return nil
		case <-time.After(time.Second):
		}
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	follow := time.NewTicker(time.Second)
	defer follow.Stop()
	slow := time.NewTicker(20 * time.Second)
	defer slow.Stop()
	e.look(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.done:
			return nil
		case <-tick.C:
			if err := e.fireTimers(ctx); err != nil && ctx.Err() == nil {
				e.log.Error("timers could not be worked; they are tried again", "err", err)
			}
			if err := e.fireSchedules(ctx); err != nil && ctx.Err() == nil {
				e.log.Error("schedules could not be worked; they are tried again", "err", err)
			}
		case <-follow.C:
			// Every decision reads which policy is current; when none is made, pages would show the old one.
			err := e.db.View(ctx, func(tx *store.Tx) error {
				_, err := e.currentPolicy(tx)
				return err
			})
			if err != nil && ctx.Err() == nil {
				e.log.Error("the current policy cannot be read; the one before is shown", "err", err)
			}
		case <-slow.C:
			e.look(ctx)
		}
	}
}

// look does the rounds of the minimal watch.
func (e *Engine) look(ctx context.Context) {
	for _, step := range []func(context.Context) error{e.endDay, e.sweep, e.releaseRuns, e.tellQuarantined, e.tellModes, e.writeTally, e.keepMap} {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("a round of the watch failed; it is tried again", "err", err)
		}
	}
}

// fireTimers submits the events of the timers that are due. A timer's row goes
// in the commit that decides its event.
func (e *Engine) fireTimers(ctx context.Context) error {
	for {
		var due []store.Timer
		err := e.db.View(ctx, func(tx *store.Tx) (err error) {
			due, err = store.DueTimers(tx, e.now(), 200)
			return err
		})
		if err != nil || len(due) == 0 {
			return err
		}
		evs := make([]event.Event, 0, len(due))
		for _, t := range due {
			data, err := event.Decode(t.Type, []byte(t.Data))
			if err != nil {
				return fault.Wrap(err, fault.Internal, "engine.fireTimers", "timer %s cannot be read", t.ID)
			}
			evs = append(evs, event.Event{Source: timerSource, Key: t.ID, Type: t.Type, Data: data, Actor: "orderly", Cause: t.Cause})
		}
		if _, err := e.Submit(ctx, evs); err != nil {
			return err
		}
		if len(due) < 200 {
			return nil
		}
	}
}

// endDay announces the end of the shop's last day, once for the shop, also when no node ran at midnight.
func (e *Engine) endDay(ctx context.Context) error {
	zone := e.Policy().Settings.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	last := e.now().In(zone).AddDate(0, 0, -1).Format(time.DateOnly)
	var said string
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		said, _, err = tx.Setting(dayEndedSetting)
		return err
	})
	if err != nil || said >= last {
		return err
	}
	if said != "" { // a new shop has no yesterday to report on
		_, err = e.Submit(ctx, []event.Event{{Source: timerSource, Key: "day:" + last, Data: &event.DayEnded{Date: last}, Actor: "orderly"}})
		if err != nil {
			return err
		}
	}
	if said != "" {
		if err := e.reportShadows(ctx, last); err != nil {
			return err
		}
	}
	return e.db.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(dayEndedSetting, last) })
}

// tellQuarantined opens an incident for every event that could not be decided.
func (e *Engine) tellQuarantined(ctx context.Context) error {
	var evs []event.Event
	err := e.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.QuarantinedEvents(100)
		for _, r := range rows {
			if names, circle := strings.CutPrefix(r.Reason, circleReason); circle {
				evs = append(evs, circleIncident(r, strings.Split(names, circleArrow)))
				continue
			}
			evs = append(evs, event.Event{
				Source: engineSource, Key: "quarantined:" + r.ID, Actor: "orderly", Cause: r.ID,
				Data: &event.IncidentRaised{
					Subject: "quarantine:" + r.Type, Title: "Events of type " + r.Type + " could not be decided",
					Detail: "event " + r.ID + ": " + r.Reason + ". It is kept; replay it when the reason is gone: orderly events replay " + r.ID,
				},
			})
		}
		return err
	})
	if err != nil || len(evs) == 0 {
		return err
	}
	_, err = e.Submit(ctx, evs)
	return err
}

// circleIncident tells the owners of automations that set each other off.
func circleIncident(r store.EventRow, names []string) event.Event {
	p := &event.IncidentRaised{
		Subject: "circle:" + r.Subject, Title: "Automations set each other off without end",
		Detail: strings.Join(names, circleArrow) + ", until " + r.Type + " was not carried out any more (event " + r.ID + "). Change the condition of one of them",
	}
	slices.Sort(names)
	p.Automations = slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
	if strings.HasPrefix(r.Subject, "ord_") {
		p.Order = r.Subject
	}
	return event.Event{Source: engineSource, Key: "quarantined:" + r.ID, Actor: "orderly", Cause: r.ID, Data: p}
}

// engineSource is the door of what the engine itself notices.
const engineSource = "engine"
