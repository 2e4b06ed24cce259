package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// hands is a clock that a test sets.
type hands struct{ at atomic.Pointer[time.Time] }

func (h *hands) set(t time.Time) { h.at.Store(&t) }
func (h *hands) now() time.Time  { return *h.at.Load() }

func (r *rig) count(query string, args ...any) (n int) {
	r.t.Helper()
	r.view(func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	return n
}

// TestSchedulesFireOnce: at nine in Berlin, on the day the clocks change as well, once for all nodes; what was
// missed is made up for once, and what does not act lets its times pass.
func TestSchedulesFireOnce(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var clock hands
	clock.set(time.Date(2026, 3, 27, 8, 30, 0, 0, berlin))
	url := filepath.Join(t.TempDir(), "shop.db")
	r := node(t, url, clock.now)
	other := &rig{t: t, db: r.db, key: r.key}
	if other.eng, err = engine.New(t.Context(), engine.Options{DB: r.db, Keyring: r.key, Now: clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.eng.Close(context.Background()) })
	daily := func(mode string) {
		r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: guardShop}, store.Text{Kind: engine.KindAutomation, Name: "daily", Text: `automation: daily
owner: ops@shop.example
why: Somebody looks every morning.
on: schedule
schedule: { cron: "0 9 * * *", zone: Europe/Berlin }
do: [ { task: { queue: ops, title: "Look at the shop" } } ]
mode: ` + mode + "\n"})
	}
	daily("active")
	for _, step := range []struct {
		at   time.Time
		want int // tasks so far
	}{
		{time.Date(2026, 3, 27, 8, 31, 0, 0, berlin), 0},  // it begins to count
		{time.Date(2026, 3, 27, 9, 0, 1, 0, berlin), 1},   // its time
		{time.Date(2026, 3, 27, 15, 0, 0, 0, berlin), 1},  // once a day
		{time.Date(2026, 3, 29, 8, 59, 59, 0, berlin), 2}, // the 28th was missed: made up for
		{time.Date(2026, 3, 29, 9, 0, 0, 0, berlin), 3},   // the day has 23 hours; nine is nine
		{time.Date(2026, 4, 4, 12, 0, 0, 0, berlin), 4},   // six were missed: once
	} {
		clock.set(step.at)
		for range 2 {
			for _, n := range []*rig{r, other} {
				if err := engine.FireSchedules(n.eng, t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := r.count("SELECT count(*) FROM task WHERE queue = 'ops'"); got != step.want {
			t.Fatalf("at %s there are %d tasks, want %d", step.at, got, step.want)
		}
	}
	if at := r.count("SELECT count(*) FROM event WHERE type = 'schedule.due' AND key LIKE '%:' || $1", fmt.Sprint(time.Date(2026, 3, 29, 7, 0, 0, 0, time.UTC).Unix())); at != 1 {
		t.Errorf("nine o'clock of the short day was %d times", at)
	}
	daily("paused")
	clock.set(time.Date(2026, 4, 5, 10, 0, 0, 0, berlin))
	for range 2 {
		if err := engine.FireSchedules(r.eng, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	daily("active")
	clock.set(time.Date(2026, 4, 5, 11, 0, 0, 0, berlin))
	if err := engine.FireSchedules(r.eng, t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.count("SELECT count(*) FROM task WHERE queue = 'ops'"); got != 4 {
		t.Errorf("what it let pass while paused was made up for: %d tasks", got)
	}
}

const waitHour = `automation: wait-an-hour
owner: ops@shop.example
why: A test of stopping.
on: order.placed
do: [ { wait: 1h }, { tag: waited } ]
`

// TestStoppedAutomationKeepsItsRuns: runs of an automation that its limit stopped, or that a person paused, stay
// where they are when their time comes, and go on once it acts again.
func TestStoppedAutomationKeepsItsRuns(t *testing.T) { onBoth(t, testStoppedKeepsRuns) }

func testStoppedKeepsRuns(t *testing.T, url string) {
	var clock hands
	clock.set(quarterPast)
	r := node(t, url, clock.now)
	texts := func(extra string) {
		r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: guardShop}, store.Text{Kind: engine.KindAutomation, Name: "wait-an-hour", Text: waitHour + extra})
	}
	texts("limits: { per_hour: 3 }\n")
	r.products(catalog.Product{SKU: "MUG"})
	for i := range 5 {
		r.decided(placed(fmt.Sprint(i), "MUG", 1))
	}
	turn := func(what string, waiting, held, tagged int) {
		t.Helper()
		for _, do := range []func(*engine.Engine, context.Context) error{engine.FireTimers, engine.ReleaseRuns, engine.FireTimers, engine.ReleaseRuns} {
			if err := do(r.eng, t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w := r.count("SELECT count(*) FROM run WHERE state = 'waiting' AND held = 0")
		h := r.count("SELECT count(*) FROM run WHERE state = 'waiting' AND held = 1")
		n := r.count(`SELECT count(*) FROM orders WHERE doc LIKE '%"waited"%'`)
		if w != waiting || h != held || n != tagged {
			t.Fatalf("%s: %d wait, %d are held, %d orders tagged; want %d, %d, %d", what, w, h, n, waiting, held, tagged)
		}
	}
	if guardOf(r, "wait-an-hour").Stop == nil {
		t.Fatal("the limit has not stopped it")
	}
	turn("before their time", 3, 0, 0)
	clock.set(quarterPast.Add(2 * time.Hour))
	turn("stopped when their time came", 0, 3, 0)
	if out := r.submit(event.Event{Source: "console", Key: "resume", Actor: "usr_1", Data: &event.AutomationResumed{Automation: "wait-an-hour", Reason: "It was the sale."}})[0]; out.Status != engine.Decided {
		t.Fatal(out)
	}
	turn("resumed", 0, 0, 3)
	r.decided(placed("9", "MUG", 1))
	texts("mode: paused\n")
	clock.set(quarterPast.Add(4 * time.Hour))
	turn("paused when its time came", 0, 1, 3)
	texts("")
	turn("active again", 0, 0, 4)
	for _, run := range r.runs(store.RunFilter{}) {
		if run.State != automation.RunDone || len(run.Steps) != 2 {
			t.Errorf("run %s is %s with %d steps", run.ID, run.State, len(run.Steps))
		}
	}
}

// TestCallsAreAnswered: a step calls a live system, its answer decides what follows; so does
// its refusal. Each is called once, and what was said is kept with the step.
func TestCallsAreAnswered(t *testing.T) {
	out := newOutside(t)
	scorer, err := fake.StartReceiver(context.WithoutCancel(t.Context()), fake.ReceiverOptions{Answer: func(d fake.Document) (int, []byte) {
		switch {
		case strings.Contains(string(d.Body), `"refused"`):
			return 422, []byte(`{"error":"not this one"}`)
		case strings.Contains(string(d.Body), `"risky"`):
			return 200, []byte(`{"points": 80, "text": 3}`)
		}
		return 200, []byte(`{"points": 10}`)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = scorer.Close() })
	if out.h, err = hook.New(hook.Settings{URL: scorer.URL(), Secrets: []connect.Secret{scorer.Secret()}, Guard: connect.Guard{AllowPrivate: true, AllowHTTP: true}}); err != nil {
		t.Fatal(err)
	}
	r := running(t, filepath.Join(t.TempDir(), "shop.db"), out)
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample Shop\nops_owner: ops@shop.example\n"}, store.Text{Kind: engine.KindAutomation, Name: "score", Text: `automation: score
owner: risk@shop.example
why: Another system knows the buyers.
on: order.placed
do:
  - call: { connection: scorer, as: score, returns: { points: int, text: string }, for: 1h, else: [ stop ] }
  - if: score.status != 200
    then: [ { tag: unscored }, stop ]
  - if: score.points > 50
    then: [ { hold: { queue: risk, reason: scored } } ]
    else: [ { tag: harmless } ]
`})
	for _, number := range []string{"risky", "harmless", "refused"} {
		r.decided(placed(number, "MUG", 1))
	}
	r.until("every run to end", func(tx *store.Tx) (bool, error) {
		rs, err := tx.Runs(store.RunFilter{State: automation.RunWaiting})
		return len(rs) == 0, err
	})
	if o := r.order("risky"); o.State != order.Held {
		t.Errorf("the risky order is %s", o.State)
	}
	if o := r.order("harmless"); o.State == order.Held || strings.Join(o.Tags, " ") != "harmless" {
		t.Errorf("the harmless order is %s, tags %v", o.State, o.Tags)
	}
	if o := r.order("refused"); strings.Join(o.Tags, " ") != "unscored" {
		t.Errorf("the order that was not scored has tags %v", o.Tags)
	}
	said := map[string]int{}
	for _, run := range r.runs(store.RunFilter{Automation: "score"}) {
		for _, s := range run.Steps {
			if s.Kind == automation.KindCall {
				said[s.Out]++
				if s.Ended.Before(s.Began) || s.In == "" {
					t.Errorf("the call is kept as %+v", s)
				}
			}
		}
	}
	if said["status 200, points 80, no text"] != 1 || said["status 200, points 10, no text"] != 1 || len(said) != 3 {
		t.Errorf("the calls are kept as %v", said)
	}
	if n := scorer.Count(); n != 3 {
		t.Errorf("%d documents arrived", n)
	}
}
