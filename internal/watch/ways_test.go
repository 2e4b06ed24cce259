package watch_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// lived lets the shop know six weeks of its life, in which the sources sent an order every few minutes by day.
func (r *rig) lived(sources ...string) {
	r.t.Helper()
	book, err := watch.NewBook(rate.Calendar{}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for at := r.clock().AddDate(0, 0, -42); at.Before(r.clock()); at = at.Add(time.Duration(7+n%9) * time.Minute) {
		if n++; at.Hour() < 7 || at.Hour() > 18 {
			continue
		}
		for _, s := range sources {
			id := fmt.Sprint(s, n)
			book.Take(store.WatchRow{ID: id, Source: s, Type: "order.placed", At: at, Mode: event.Live, Country: "DE"})
		}
	}
	docs, err := book.Docs()
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.db.Update(r.t.Context(), func(tx *store.Tx) error {
		turn, _, err := tx.TakeWatchTurn("test", time.Microsecond)
		if err != nil {
			return err
		}
		turn.Doc = "{}"
		return tx.PutWatch(turn, docs)
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestOneCauseIsOneIncident: everything that follows from a silent source is evidence of one incident; when
// the other source stops as well, that one takes its place.
func TestOneCauseIsOneIncident(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	r.lived("web-shop", "market")
	r.busy(40*time.Minute, "web-shop", "market")
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("an incident while all is well: %+v", got[0].Task)
	}
	r.busy(4*time.Hour, "market")
	if got := r.one(false); got.Task.Title != "Nothing comes from web-shop any more" {
		t.Fatal(got.Task.Title)
	}
	r.quiet(5 * time.Hour)
	got := r.one(false)
	if got.Task.Title != "Nothing comes in any more" || len(got.Task.Alarm.Evidence) < 4 {
		t.Fatalf("%s: %q", got.Task.Title, got.Task.Alarm.Evidence)
	}
	r.busy(10*time.Minute, "web-shop", "market")
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("it is open still: %s", got[0].Task.Title)
	}
}

// TestWhatIsLearnedStandsOnTheMap: a sender whose pace is known is no gap of the map any more.
func TestWhatIsLearnedStandsOnTheMap(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	r.submit(r.order("web-shop", "DE", event.Live, r.clock()))
	unwatched := func() (out []string) {
		m, err := r.eng.FreshMap(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range m.Gaps {
			if g.Kind == atlas.Unwatched {
				out = append(out, g.Message)
			}
		}
		return out
	}
	if got := unwatched(); len(got) != 1 || !strings.Contains(got[0], "web-shop") {
		t.Fatalf("%q", got)
	}
	r.lived("web-shop")
	if got := unwatched(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// TestTheWaysAreTried: a way that does not work is an incident before it is needed; so is a heartbeat that nobody hears.
func TestTheWaysAreTried(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	shop := store.Text{Kind: "shop", Name: "shop", Text: shopYAML + "heartbeat: outside\n"}
	if _, err := r.eng.Apply(t.Context(), []store.Text{shop}, "test", "", false); err != nil {
		t.Fatal(err)
	}
	var beats atomic.Int64
	var deaf atomic.Bool
	r.w = watch.New(watch.Options{
		DB: r.db, Policy: r.eng.Policy, Now: r.clock, Every: time.Microsecond,
		Submit: func(ctx context.Context, evs []event.Event) error { _, err := r.eng.Submit(ctx, evs); return err },
		Heart: func(_ context.Context, name string) error {
			if beats.Add(1); name != "outside" || deaf.Load() {
				return errors.New("503 Service Unavailable")
			}
			return nil
		},
	})
	r.out.fail["chat"] = connect.Permanent(errors.New("404 Not Found"))
	r.turn()
	r.out.until(t, "the tests", func() bool { return len(r.out.posts) == 2 })
	titles := func() (out []string) {
		for _, i := range r.incidents(false) {
			out = append(out, i.Task.Title)
		}
		slices.Sort(out)
		return out
	}
	for limit := time.Now().Add(20 * time.Second); len(titles()) == 0; <-time.Tick(5 * time.Millisecond) {
		if r.turn(); time.Now().After(limit) {
			t.Fatal("the test that failed was not noticed")
		}
	}
	if got := titles(); got[0] != "The daily self-test of the alerts by chat failed" {
		t.Errorf("%q", got)
	}
	st, err := r.w.Status(t.Context())
	if err != nil || len(st.SelfTest.Ways) != 3 || st.SelfTest.Ways[0].State != "done" || st.Beat.Last.IsZero() || st.Late() {
		t.Errorf("%+v %v", st.SelfTest, err)
	}
	deaf.Store(true)
	for range 8 {
		r.turn()
	}
	if got := titles(); !slices.Contains(got, "The heartbeat is not heard outside") {
		t.Errorf("%q", got)
	}
	deaf.Store(false)
	r.turn()
	r.turn()
	if got := titles(); slices.Contains(got, "The heartbeat is not heard outside") {
		t.Errorf("%q", got)
	}
	n := beats.Load()
	if n < 8 {
		t.Errorf("%d heartbeats", n)
	}
}

// TestASubscriptionVanishes: one of two senders stops without a word while the other goes on; its silence is one incident about that sender, within the time
// that docs/watch.md says.
func TestASubscriptionVanishes(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	r.lived("web-shop", "market")
	r.busy(30*time.Minute, "web-shop", "market")
	began := r.clock()
	for len(r.incidents(false)) == 0 {
		if r.busy(10*time.Minute, "market"); r.clock().Sub(began) > 30*time.Minute {
			t.Fatal("half an hour of its silence was not noticed")
		}
	}
	t.Logf("noticed after %s", r.clock().Sub(began))
	if got := r.one(false); got.Task.Title != "Nothing comes from web-shop any more" || got.Subject != "silent:connection:web-shop" || !strings.Contains(got.Task.Alarm.Next, "subscription") {
		t.Fatalf("%s %+v", got.Task.Title, got.Task.Alarm)
	}
	// What the connection says of itself is the same cause: no second incident.
	r.w.States = []watch.State{{Name: "subscriptions", Look: func(_ *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
		if n, last := ask.Came("connection:web-shop", time.Hour); n > 0 || last.IsZero() {
			return nil, nil
		}
		return []watch.Breach{{Subject: watch.SilentSubject("connection:web-shop"), Title: "Less comes than it says", Symptoms: []string{"subscriptions"}, Detail: "d", Next: "n", Since: ask.Now}}, nil
	}}}
	r.busy(70*time.Minute, "market")
	for began = r.clock(); r.one(false).Task.Title != "Nothing comes in any more"; { // when all are silent, that explains it
		if r.quiet(10 * time.Minute); r.clock().Sub(began) > 4*time.Hour {
			t.Fatal(r.one(false).Task.Title)
		}
	}
}
