package watch

import (
	"context"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// selfTestHour is the local hour after which the day's test of the alerts is made: people are there to mend what it finds.
const selfTestHour = 9

// selfTest has every way of telling tried once a day, and looks how the last test went.
func (w *Watcher) selfTest(ctx context.Context, m *memory, now time.Time) error {
	s := w.Policy().Settings
	zone := s.TimeZone
	if zone == nil {
		zone = time.UTC
	}
	local := now.In(zone)
	if date := local.Format(time.DateOnly); local.Hour() >= selfTestHour && m.SelfTest.Date != date {
		err := w.Submit(ctx, []event.Event{{Source: "timer", Key: "self-test:" + date, Actor: "orderly", Data: &event.AlertsTested{Date: date}}})
		if err != nil {
			return err
		}
		m.SelfTest = SelfTest{Date: date}
	}
	if m.SelfTest.Date == "" {
		return nil
	}
	var names []string
	if s.Mail != "" && s.OpsOwner != "" {
		names = append(names, s.Mail)
	}
	names = append(names, s.Alerts...)
	return w.DB.View(ctx, func(tx *store.Tx) error {
		m.SelfTest.Ways, m.SelfTest.Failed = nil, false
		for _, name := range names {
			state, failed, ok, err := tx.EffectState(effect.ID(decide.SelfTestKey(m.SelfTest.Date, name), ""))
			if err != nil {
				return err
			}
			if !ok {
				continue // the way is newer than the test
			}
			m.SelfTest.Ways = append(m.SelfTest.Ways, Way{Connection: name, State: state, Error: failed})
		}
		return nil
	})
}

// beat calls the outside address: the turn has come to its end, so the shop is well.
func (w *Watcher) beat(ctx context.Context, m *memory, now time.Time) {
	name := w.Policy().Settings.Heartbeat
	if name != m.Beat.Connection {
		m.Beat = Beat{Connection: name}
	}
	if name == "" || w.Heart == nil {
		return
	}
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	if err := w.Heart(ctx, name); err != nil {
		if m.Beat.Error == "" {
			m.Beat.Began = now
		}
		m.Beat.Error = err.Error()
		w.Log.Warn("the heartbeat was not answered", "connection", name, "err", err)
		return
	}
	m.Beat.Last, m.Beat.Error, m.Beat.Began = now, "", time.Time{}
}

// ownWays are the breaches of the watch's own: a test of the alerts that did not arrive, a heartbeat that nobody hears.
func ownWays(m *memory, now time.Time) []Breach {
	var out []Breach
	for _, way := range m.SelfTest.Ways {
		failed := way.State == "dead" || way.Error != "" && way.State != "done"
		if !failed {
			continue
		}
		out = append(out, Breach{
			Subject: "self-test:" + way.Connection, Title: "The daily self-test of the alerts by " + way.Connection + " failed", Since: now,
			Symptoms: []string{event.DestinationSubject(way.Connection)},
			Detail:   "What an incident would have told by this way would not have arrived: " + way.Error,
			Next:     "Mend the connection under Settings and test it there; the incident is over when the test arrives.",
		})
	}
	if m.Beat.Error != "" && now.Sub(m.Beat.Began) >= 5*time.Minute {
		out = append(out, Breach{
			Subject: "heartbeat", Title: "The heartbeat is not heard outside", Since: m.Beat.Began,
			Detail: "The address behind " + m.Beat.Connection + " has not answered: " + m.Beat.Error,
			Next:   "Look whether this machine reaches the outside, and whether the address is still right.",
		})
	}
	return out
}

// ownStates are the expectations that the watch has of itself and of the place it runs in, for the list; see ownWays and room.
var ownStates = []State{
	{Name: "self-test", Title: "Alerts arrive", About: "Every way of telling people is tried once a day."},
	{Name: "heartbeat", Title: "The heartbeat is heard outside", About: "The address that is called every minute answers."},
	{Name: "disk", Title: "There is room for the database", About: "At least 1 GB and a twentieth of the disk is free, and it will not be full within 14 days."},
	{Name: "limit", Title: "The database stays within its limit", About: "With db_limit, which says how much it may take: at least 1 GB and a twentieth of it is left, and will be for 14 days."},
	{Name: "growth", Title: "The database grows as it usually does", About: "Within a day not by 5 times what is usual, and 1 GB at least."},
}
