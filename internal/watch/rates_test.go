package watch_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// TestDeclaredRates: what an automation's text expects of it is looked at from the day it acts; its own owner is told.
func TestDeclaredRates(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"), store.Text{Kind: "automation", Name: "tell-wms", Text: `automation: tell-wms
owner: wms@shop.example
why: The warehouse wants to know.
on: order.placed
when: order.shipping.country == "FR"
do:
  - tag: french
expect: { at_least: 2, per: day }
`})
	r.turn()
	r.settle()
	r.pass(23 * time.Hour)
	if r.turn(); len(r.incidents(false)) != 0 {
		t.Fatal("told before the first day is over")
	}
	r.submit(r.order("web", "FR", event.Live, r.clock()), r.order("web", "DE", event.Live, r.clock()))
	r.settle()
	r.pass(2 * time.Hour)
	r.turn()
	got := r.one(false).Task
	if got.Owner != "wms@shop.example" || !strings.Contains(got.Title, "tell-wms fires less than its owner expects") || !strings.Contains(got.Reasons[0].Text, "It fired 1 times within the last day") {
		t.Fatalf("%+v", got)
	}
	r.submit(r.order("web", "FR", event.Live, r.clock()))
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Errorf("open still: %s", got[0].Task.Title)
	}
}

// TestMessagesFallSilent: orders come and their confirmations do not leave any more.
func TestMessagesFallSilent(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	r.lived("web-shop")
	book, err := watch.NewBook(rate.Calendar{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := r.clock().AddDate(0, 0, -42); at.Before(r.clock()); at = at.Add(time.Duration(7+n%9) * time.Minute) {
		if n++; at.Hour() >= 7 && at.Hour() <= 18 {
			book.TakeTally(store.Tally{At: at, Destination: "mail", Purpose: "order-confirmation", Done: 1})
		}
	}
	docs, err := book.Docs()
	if err != nil {
		t.Fatal(err)
	}
	r.pass(time.Second)
	r.update(func(tx *store.Tx) error {
		turn, _, err := tx.TakeWatchTurn("test", time.Microsecond)
		if err != nil {
			return err
		}
		turn.Doc = "{}"
		return tx.PutWatch(turn, docs)
	})
	leaves := func(d time.Duration, messages bool) {
		for end := r.clock().Add(d); r.clock().Before(end); {
			if messages {
				r.update(func(tx *store.Tx) error {
					return tx.AddTallies("n", []store.Tally{{At: r.clock(), Destination: "mail", Purpose: "order-confirmation", Done: 1}})
				})
			}
			r.busy(10*time.Minute, "web-shop")
		}
	}
	leaves(time.Hour, true)
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("open while all is well: %s", got[0].Task.Title)
	}
	leaves(5*time.Hour, false)
	if got := r.one(false).Task; got.Title != "No order-confirmation leaves any more" {
		t.Fatal(got.Title)
	}
	leaves(10*time.Minute, true)
	r.pass(2 * time.Minute)
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Errorf("open still: %s", got[0].Task.Title)
	}
}

// TestOneDestinationIsOneIncident: a destination that refuses, lets wait, drops letters for good and makes a message fall silent is one
// incident; when it takes things again, the owner hears what waits for a word.
func TestOneDestinationIsOneIncident(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"), store.Text{Kind: "automation", Name: "tell", Text: "automation: tell\nowner: lead@shop.example\nwhy: w\non: order.placed\ndo:\n  - webhook: { connection: wms }\n"})
	r.turn()
	r.out.mu.Lock()
	r.out.fail["wms"] = connect.Permanent(errors.New("404 Not Found"))
	r.out.mu.Unlock()
	r.submit(r.order("web", "DE", event.Live, r.clock()))
	dead := func(n int64) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); ; <-time.Tick(5 * time.Millisecond) {
			var have int64
			err := r.db.View(t.Context(), func(tx *store.Tx) (err error) { have, err = tx.DeadSince("wms", time.Time{}); return err })
			if err != nil || time.Now().After(limit) {
				t.Fatal(have, err)
			}
			if have >= n {
				return
			}
		}
	}
	dead(1)
	for len(r.incidents(false)) == 0 {
		<-time.Tick(5 * time.Millisecond)
	}
	if got := r.one(false).Task; !strings.Contains(got.Title, "to wms failed for good") {
		t.Fatal(got.Title)
	}
	r.out.mu.Lock()
	r.out.fail["wms"] = errors.New("503 Service Unavailable")
	r.out.mu.Unlock()
	r.submit(r.order("web", "DE", event.Live, r.clock()))
	r.out.until(t, "the attempt", func() bool { return len(r.out.posts) > 1 })
	r.settle("wms")
	r.pass(20 * time.Minute)
	r.update(func(tx *store.Tx) error {
		return tx.AddTallies("n", []store.Tally{{At: r.clock().Add(-30 * time.Minute), Destination: "wms", Purpose: "webhook", Failed: 12, LastError: "503"}})
	})
	r.turn()
	row := r.one(false)
	if row.Task.Title != "Most of what is sent to wms fails" || row.Subject != "destination:wms" ||
		len(row.Task.Alarm.Evidence) == 0 || !strings.Contains(row.Task.Alarm.Evidence[0], "The oldest waiting message") {
		t.Fatalf("%+v %+v", row.Task, row.Task.Alarm)
	}
	// What is given up meanwhile opens nothing more.
	r.out.mu.Lock()
	r.out.fail["wms"] = connect.Permanent(errors.New("404 Not Found"))
	r.out.mu.Unlock()
	r.submit(r.order("web", "DE", event.Live, r.clock()))
	dead(2)
	r.turn()
	r.one(false)
	r.out.mu.Lock()
	delete(r.out.fail, "wms")
	r.out.mu.Unlock()
	r.pass(3 * time.Hour)
	r.settle()
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("open still: %s", got[0].Task.Title)
	}
	for _, over := range r.incidents(true) {
		if over.Subject == "destination:wms" && !strings.Contains(over.Task.Note, "What was given up meanwhile") {
			t.Errorf("%q", over.Task.Note)
		}
	}
}

// TestTwoNodesWatch: nodes that look at the same moment open one incident and send one alert.
func TestTwoNodesWatch(t *testing.T) {
	r := newRig(t, pgtest.URL(t))
	r.lived("web-shop")
	r.busy(20*time.Minute, "web-shop")
	nodes := []*watch.Watcher{r.watcher(), r.watcher(), r.watcher()}
	for rounds := 0; rounds < 2; {
		if len(r.incidents(false)) > 0 {
			rounds++ // it is known by now, to all of them
		} else {
			r.pass(14 * time.Minute)
		}
		r.pass(time.Minute)
		done := make(chan error)
		for _, n := range nodes {
			go func() { done <- n.Turn(context.WithoutCancel(t.Context())) }()
		}
		for range nodes {
			if err := <-done; err != nil && fault.KindOf(err) != fault.Conflict { // another one's turn began meanwhile
				t.Error(err)
			}
		}
		r.settle()
	}
	row := r.one(false)
	r.out.until(t, "the alert", func() bool { return r.mailsTo("ops@shop.example") > 0 })
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	triggers := 0
	for _, p := range r.out.posts {
		if strings.HasPrefix(p, "chat ") && strings.Contains(p, `"action":"trigger"`) && strings.Contains(p, row.ID) && !strings.Contains(p, "Nobody answers") {
			triggers++
		}
	}
	if n := r.mailsTo("ops@shop.example"); n != 1 || triggers != 1 {
		t.Errorf("%d mails to the owner and %d to the chat, of %s", n, triggers, row.Task.Title)
		for _, m := range r.out.mails {
			t.Log(m.To, m.Subject)
		}
	}
}

// TestALearnedAutomationFallsSilent: an automation that fired on a tenth of the orders for weeks fires no more while orders go on coming; its own
// owner is told, and it is over by itself when it fires again.
func TestALearnedAutomationFallsSilent(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"), store.Text{Kind: "automation", Name: "tag-french", Text: `automation: tag-french
owner: paris@shop.example
why: Paris wants to know.
on: order.placed
when: order.shipping.country == "FR"
do:
  - tag: french
`})
	book, err := watch.NewBook(rate.Calendar{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for at := r.clock().AddDate(0, 0, -42); at.Before(r.clock()); at = at.Add(time.Duration(7+n%9) * time.Minute) {
		if n++; at.Hour() < 7 || at.Hour() > 18 {
			continue
		}
		row := store.WatchRow{ID: fmt.Sprint(n), Source: "web-shop", Type: "order.placed", At: at, Mode: event.Live, Country: "DE"}
		if n%3 == 0 {
			row.Trace = `{"automations":[{"name":"tag-french","outcome":"fired"}]}`
		}
		book.Take(row)
	}
	docs, err := book.Docs()
	if err != nil {
		t.Fatal(err)
	}
	r.pass(time.Second)
	r.update(func(tx *store.Tx) error {
		turn, _, err := tx.TakeWatchTurn("test", time.Microsecond)
		if err != nil {
			return err
		}
		turn.Doc = "{}"
		return tx.PutWatch(turn, docs)
	})
	french := func() { r.submit(r.order("web-shop", "FR", event.Live, r.clock())) }
	for range 3 {
		french()
		r.busy(20*time.Minute, "web-shop")
	}
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("open while all is well: %s", got[0].Task.Title)
	}
	began := r.clock()
	for len(r.incidents(false)) == 0 {
		if r.busy(10*time.Minute, "web-shop"); r.clock().Sub(began) > 8*time.Hour {
			t.Fatal("eight hours of its silence were not noticed")
		}
	}
	t.Logf("noticed after %s", r.clock().Sub(began))
	if got := r.one(false).Task; got.Title != "The automation tag-french does not fire any more" || got.Owner != "paris@shop.example" {
		t.Fatalf("%s, told to %s", got.Title, got.Owner)
	}
	french()
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Errorf("open still: %s", got[0].Task.Title)
	}
	if over := r.one(true).Task; over.Outcome != "recovered" {
		t.Errorf("%+v", over)
	}
}

// TestASnoozedIncidentComesBack: what a person put off is told again when the time is over and it still fails, and not before; what a person resolved opens
// anew only after it was over in between.
func TestASnoozedIncidentComesBack(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	fails := true
	r.w.States = []watch.State{{Name: "outside", Title: "All is well outside", Look: func(_ *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
		if !fails {
			return nil, nil
		}
		return []watch.Breach{{Subject: "outside", Title: "It is stormy outside", Detail: "d", Next: "n", Since: ask.Now}}, nil
	}}}
	r.turn()
	id := r.one(false).ID
	r.out.until(t, "the alert", func() bool { return r.mailsTo("ops@shop.example") == 1 })
	r.submit(event.Event{Source: "console", Key: "snooze", Actor: "usr_kim", Data: &event.IncidentSnoozed{Task: id, Until: r.clock().Add(4 * time.Hour)}})
	told := func() (n int) {
		r.out.mu.Lock()
		defer r.out.mu.Unlock()
		return r.mailsTo("ops@shop.example") + r.mailsTo("lead@shop.example") + r.mailsTo("boss@shop.example")
	}
	r.quiet(3*time.Hour + 30*time.Minute)
	if got := r.one(false); told() != 1 || got.Task.Alarm.Snoozed.IsZero() {
		t.Fatalf("%d mails while it was put off; %+v", told(), got.Task.Alarm)
	}
	r.quiet(40 * time.Minute)
	r.out.until(t, "the word that it is open still", func() bool { return r.mailsTo("ops@shop.example") == 2 })
	if m := r.out.mails[len(r.out.mails)-1]; !strings.Contains(m.Subject+m.Text, "Still open") {
		t.Errorf("%+v", m)
	}
	r.quiet(35 * time.Minute) // and nobody answers again
	r.out.until(t, "the word to the lead", func() bool { return r.mailsTo("lead@shop.example") == 1 })

	r.submit(event.Event{Source: "console", Key: "resolve", Actor: "usr_kim", Data: &event.TaskDecided{Task: id, Outcome: "resolved"}})
	r.quiet(time.Hour)
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("it opened again while its cause went on: %s", got[0].Task.Title)
	}
	fails = false
	r.turn()
	fails = true
	r.turn()
	if again := r.one(false); again.ID == id || again.Task.Round != 2 {
		t.Errorf("%+v", again.Task)
	}
}
