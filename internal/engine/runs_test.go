package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// runTexts are automations that wait; tag marks the version.
func runTexts(tag string) []store.Text {
	head := func(name, on string) string {
		return "automation: " + name + "\nowner: ops@shop.example\nwhy: " + tag + "\non: " + on + "\n"
	}
	text := func(name, text string) store.Text {
		return store.Text{Kind: engine.KindAutomation, Name: name, Text: text}
	}
	return []store.Text{
		text("run-ask", head("run-ask", "order.placed")+`when: order.units > 1
do:
  - ask: { queue: support, title: Split it?, options: [yes, no], as: answer, else: [ { tag: late } ] }
  - tag: `+tag+`
  - if: answer == "yes" && order.units > 2
    then:
      - wait_for: { event: order.cancelled, for: 9d, else: [ stop ] }
`),
		text("run-call", head("run-call", "order.accepted")+`do:
  - call: { connection: scorer, as: score, returns: { points: int }, for: 1h, else: [ stop ] }
  - if: score.points > 50
    then: [ { hold: { queue: risk, reason: scored } } ]
    else: [ { wait: 1d } ]
  - tag: `+tag+`
`),
		text("run-lost", head("run-lost", "{ absence_of: shipment.scanned, after: shipment.labelled, within: 2d }")+"do:\n  - wait: 1h\n  - tag: "+tag+"\n"),
	}
}

// fireEvery submits every nth timer, as if its time had come.
func (r *rig) fireEvery(nth int) {
	r.t.Helper()
	var evs []event.Event
	r.view(func(tx *store.Tx) error {
		ts, err := store.DueTimers(tx, time.Now().Add(1000*24*time.Hour), 10000)
		for i, tm := range ts {
			if i%nth != 0 {
				continue
			}
			data, err := event.Decode(tm.Type, []byte(tm.Data))
			if err != nil {
				return err
			}
			evs = append(evs, event.Event{Source: "timer", Key: tm.ID, Data: data, Actor: "orderly", Cause: tm.Cause})
		}
		return err
	})
	if len(evs) > 0 {
		r.submit(evs...)
	}
}

func (r *rig) runs(f store.RunFilter) (out []*automation.Run) {
	r.t.Helper()
	f.Limit = 10000
	r.view(func(tx *store.Tx) (err error) {
		out, err = tx.Runs(f)
		return err
	})
	return out
}

// answerEvery decides every nth asked task and answers every nth call.
func (r *rig) answerEvery(nth int) {
	r.t.Helper()
	var evs []event.Event
	for i, run := range r.runs(store.RunFilter{State: automation.RunWaiting}) {
		switch {
		case i%nth != 0:
		case run.Wait.Task != "":
			evs = append(evs, event.Event{Source: "clerk", Key: run.Wait.Task, Actor: "tester", Data: &event.TaskDecided{Task: run.Wait.Task, Outcome: []string{"yes", "no"}[i%4/2]}})
		case run.Wait.Effect != "":
			evs = append(evs, event.Event{Source: "engine", Key: "answer:" + run.Wait.Effect, Data: &event.CallAnswered{
				Effect: run.Wait.Effect, Run: run.ID, Order: run.OrderID, Status: 200, Values: map[string]string{"points": fmt.Sprint(i % 100)},
			}})
		}
	}
	if len(evs) > 0 {
		r.submit(evs...)
	}
}

func (r *rig) onlyRun(name string) *automation.Run {
	r.t.Helper()
	rs := r.runs(store.RunFilter{Automation: name})
	if len(rs) != 1 {
		r.t.Fatalf("%d runs of %s, want one", len(rs), name)
	}
	return rs[0]
}

func TestAnEditWhileRunsWait(t *testing.T) { onBoth(t, testAnEditWhileRunsWait) }

// testAnEditWhileRunsWait: a run ends on the text it began with, also in a program that never saw that text current.
func testAnEditWhileRunsWait(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.apply(append(runTexts("old"), store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML})...)
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	r.decided(placed("1", "MUG", 3))
	run := r.onlyRun("run-ask")
	r.apply(append(runTexts("new"), store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML})...)
	other, err := engine.New(t.Context(), engine.Options{DB: r.db, Keyring: r.key})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	decision := event.Event{Source: "clerk", Key: "d1", Actor: "tester", Data: &event.TaskDecided{Task: run.Wait.Task, Outcome: "yes"}}
	for range 2 { // told twice
		if _, err := other.Submit(t.Context(), []event.Event{decision}); err != nil {
			t.Fatal(err)
		}
	}
	r.decided(placed("2", "MUG", 2))
	for _, run := range r.runs(store.RunFilter{Automation: "run-ask", State: automation.RunWaiting}) {
		if run.Wait.Task != "" {
			r.decided(&event.TaskDecided{Task: run.Wait.Task, Outcome: "no"})
		}
	}
	if a, b := strings.Join(r.order("1").Tags, " "), strings.Join(r.order("2").Tags, " "); a != "old" || b != "new" {
		t.Errorf("the orders have the tags %q and %q", a, b)
	}
	r.decided(&event.OrderCancelled{Channel: "web", Number: "1", Reason: "no more"})
	for _, run := range r.runs(store.RunFilter{OrderID: r.order("1").ID}) {
		switch {
		case run.Automation == "run-ask" && (run.State != automation.RunDone || run.Version == r.eng.Policy().Automations.Get("run-ask").Hash):
			t.Errorf("the run that waited for the cancellation is %s, version %s", run.State, run.Version)
		case run.Automation == "run-call" && run.State != automation.RunCancelled:
			t.Errorf("the call's run is %s", run.State)
		}
	}
}

func TestAnEndedRunCannotBeWritten(t *testing.T) { onBoth(t, testAnEndedRunCannotBeWritten) }

func testAnEndedRunCannotBeWritten(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.apply(runTexts("x")...)
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	r.decided(placed("1", "MUG", 2))
	r.decided(&event.OrderCancelled{Channel: "web", Number: "1"})
	run := r.onlyRun("run-ask")
	if run.State != automation.RunCancelled {
		t.Fatalf("it is %s", run.State)
	}
	for _, change := range []func(*automation.Run){
		func(r *automation.Run) { r.Reason = "another" },
		func(r *automation.Run) { r.State, r.Ended = automation.RunWaiting, time.Time{} },
	} {
		c := run.Clone()
		change(c)
		err := r.db.Update(t.Context(), func(tx *store.Tx) error {
			return store.UpsertRuns(tx, map[string]*automation.Run{c.ID: c})
		})
		if err == nil {
			t.Error("an ended run was written")
		}
	}
}

func TestEveryNodeWakesARunOnce(t *testing.T) { onBoth(t, testEveryNodeWakesARunOnce) }

// testEveryNodeWakesARunOnce: the answer, the cancellation and the timer of a run meet on several
// nodes; whatever comes first ends its wait, and what it does it does once.
func testEveryNodeWakesARunOnce(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.apply(append(runTexts("once"), store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML})...)
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 500})
	const orders = 12
	for i := range orders {
		r.decided(placed(fmt.Sprint(i), "MUG", 3))
	}
	nodes := []*engine.Engine{r.eng}
	for range 2 {
		n, err := engine.New(t.Context(), engine.Options{DB: r.db, Keyring: r.key})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	defer func() {
		for _, n := range nodes[1:] {
			if err := n.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}()
	var evs []event.Event
	for _, run := range r.runs(store.RunFilter{State: automation.RunWaiting}) {
		if run.Wait.Task != "" {
			evs = append(evs, event.Event{Source: "clerk", Key: run.ID, Actor: "tester", Data: &event.TaskDecided{Task: run.Wait.Task, Outcome: "no"}})
		} else {
			evs = append(evs, event.Event{Source: "engine", Key: "answer:" + run.Wait.Effect, Data: &event.CallAnswered{Effect: run.Wait.Effect, Run: run.ID, Order: run.OrderID, Status: 200, Values: map[string]string{"points": "99"}}})
		}
		if run.Wait.Timer != "" {
			evs = append(evs, event.Event{Source: "timer", Key: run.Wait.Timer, Data: &event.RunDue{Run: run.ID, Order: run.OrderID, Wait: run.Wait.N, Why: event.WokenByTime}})
		}
	}
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range evs {
				ev := evs[(j*7+i*11)%len(evs)] // a copy: Submit fills in what it is handed
				if _, err := n.Submit(t.Context(), []event.Event{ev}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	for _, run := range r.runs(store.RunFilter{}) {
		if run.State == automation.RunWaiting || run.Wait.N != 1 {
			t.Errorf("the run of %s is %s after %d waits", run.Automation, run.State, run.Wait.N)
		}
		began := map[string]int{}
		for _, s := range run.Steps {
			if began[s.At]++; began[s.At] > 1 {
				t.Errorf("step %s of %s was done twice", s.At, run.Automation)
			}
		}
	}
}
