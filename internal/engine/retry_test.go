package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// frailYAML fails with its call.
const frailYAML = `automation: run-frail
owner: ops@shop.example
why: It asks a scorer and has no other way.
on: order.accepted
do:
  - set: { name: double, value: order.units * 2 }
  - if: double > 0
    then:
      - call: { connection: scorer, purpose: score, as: score, returns: { points: int }, for: 1h }
      - if: score.points >= 0 && double > 5
        then: [ { tag: big } ]
  - tag: scored
`

// failEvery fails every nth call for good.
func (r *rig) failEvery(nth int) {
	r.t.Helper()
	var evs []event.Event
	for i, run := range r.runs(store.RunFilter{State: automation.RunWaiting, Automation: "run-frail"}) {
		if i%nth == 0 && run.Wait.Effect != "" {
			evs = append(evs, event.Event{Source: "engine", Key: "dead:" + run.Wait.Effect, Data: &event.EffectFailed{
				Effect: run.Wait.Effect, Order: run.OrderID, Purpose: "score", Destination: "scorer", Error: "connection refused", Automation: run.Automation,
			}})
		}
	}
	if len(evs) > 0 {
		r.submit(evs...)
	}
}

// retryEvery tries every nth failed run again.
func (r *rig) retryEvery(nth int) {
	r.t.Helper()
	for i, run := range r.runs(store.RunFilter{State: automation.RunFailed}) {
		for range 1 + i%2 {
			if i%nth == 0 {
				if next, err := r.eng.RetryRun(r.t.Context(), run.ID, "", false, "usr_1"); err != nil || next != decide.RetryID(run.ID) {
					r.t.Fatal(next, err)
				}
			}
		}
	}
}

func (r *rig) run(id string) *automation.Run {
	r.t.Helper()
	var out *automation.Run
	r.view(func(tx *store.Tx) (err error) {
		out, err = tx.Run(id)
		return err
	})
	return out
}

func TestRetryOfAFailedRun(t *testing.T) { onBoth(t, testRetry) }

// testRetry: a run whose call failed is begun again at that call by a run in its place, once, whoever and however
// many ask; the failed one stays as it was, and what its steps had named is there again.
func testRetry(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML}, store.Text{Kind: engine.KindAutomation, Name: "run-frail", Text: frailYAML})
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	r.decided(placed("1", "MUG", 3))
	waiting := r.onlyRun("run-frail")
	if _, err := r.eng.RetryRun(t.Context(), waiting.ID, "", true, "usr_1"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a run that waits is tried again: %v", err)
	}
	call := waiting.Wait.Effect
	r.failEvery(1)
	failed := r.onlyRun("run-frail")
	if failed.State != automation.RunFailed {
		t.Fatalf("it is %s", failed.State)
	}
	was, _ := json.Marshal(failed)

	// What is unsure asks for a word, and a step that was not done is none to begin at.
	r.update(func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE effect SET state = 'dead', unsure = 1, last_error = 'timeout' WHERE id = $1", call)
		return err
	})
	plan, err := r.eng.PreviewRetry(t.Context(), failed.ID, "")
	if err != nil || plan.From != "1.then.0" || len(plan.Steps) != 1 || !plan.Steps[0].Risk || len(plan.Risks) != 1 {
		t.Fatalf("%+v, %v", plan, err)
	}
	if whole, err := r.eng.PreviewRetry(t.Context(), failed.ID, "0"); err != nil || len(whole.Steps) != 3 {
		t.Errorf("%+v, %v", whole, err)
	}
	for from, twice := range map[string]bool{"": false, "7": true, "1.then.1": true, "x": true} {
		if _, err := r.eng.RetryRun(t.Context(), failed.ID, from, twice, "usr_1"); err == nil {
			t.Errorf("from %q, word %v: it was done", from, twice)
		}
	}
	if n := len(r.runs(store.RunFilter{})); n != 1 {
		t.Fatalf("%d runs after what was refused", n)
	}

	// Eight people at once, on two nodes, with the word.
	other, err := engine.New(t.Context(), engine.Options{DB: r.db, Keyring: r.key})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			e := []*engine.Engine{r.eng, other}[i%2]
			if next, err := e.RetryRun(t.Context(), failed.ID, []string{"", "1.then.0"}[i/2%2], true, fmt.Sprint("usr_", i)); err != nil || next != decide.RetryID(failed.ID) {
				t.Error(next, err)
			}
		})
	}
	wg.Wait()
	if n := r.count("SELECT count(*) FROM event WHERE type = 'run.retried' AND state = 'decided'"); n != 1 {
		t.Errorf("%d retries were decided", n)
	}
	if n := r.count("SELECT count(*) FROM effect WHERE destination = 'scorer'"); n != 2 {
		t.Errorf("%d calls", n)
	}
	// The dead letter of the first call is nobody's to replay any more.
	if o, err := r.eng.ReplayEffects(t.Context(), []string{call}, store.Replay{Actor: "usr_1", Twice: true}); err != nil || o.Replayed != 0 {
		t.Errorf("%+v, %v", o, err)
	}
	next := r.run(decide.RetryID(failed.ID))
	if next.Before != failed.ID || next.Version != failed.Version || next.State != automation.RunWaiting || next.Wait.Effect == call || len(next.Steps) != 1 {
		t.Fatalf("%+v", next)
	}
	r.view(func(tx *store.Tx) error {
		es, err := store.Effects(tx, []string{next.Wait.Effect})
		if len(es) != 1 || es[0].Payload.Same != call {
			t.Errorf("the second call has not the key of the first: %+v", es)
		}
		return err
	})
	if is, _ := json.Marshal(r.run(failed.ID)); string(is) != string(was) {
		t.Errorf("the failed run was\n%s\nand is\n%s", was, is)
	}

	// It fails once more, is tried again from the beginning, and ends well.
	r.failEvery(1)
	if _, err := r.eng.RetryRun(t.Context(), next.ID, "1.then.0", false, "usr_1"); err != nil {
		t.Fatal(err)
	}
	last := r.run(decide.RetryID(next.ID))
	r.submit(event.Event{Source: "engine", Key: "answer:" + last.Wait.Effect, Data: &event.CallAnswered{
		Effect: last.Wait.Effect, Run: last.ID, Order: last.OrderID, Status: 200, Values: map[string]string{"points": "7"},
	}})
	if last = r.run(last.ID); last.State != automation.RunDone || last.Before != next.ID {
		t.Errorf("%+v", last)
	}
	if got := strings.Join(r.order("1").Tags, " "); got != "big scored" {
		t.Errorf("tags %q", got)
	}
	// An automation that was removed, or that is stopped, does not begin again.
	r.decided(placed("2", "MUG", 1))
	r.failEvery(1)
	var second *automation.Run
	for _, run := range r.runs(store.RunFilter{State: automation.RunFailed}) {
		if run.OrderID == r.order("2").ID {
			second = run
		}
	}
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML}, store.Text{Kind: engine.KindAutomation, Name: "run-frail", Text: frailYAML + "mode: draft\n"})
	if _, err := r.eng.RetryRun(t.Context(), second.ID, "", true, "usr_1"); err == nil || !strings.Contains(fault.Message(err), "does not act") {
		t.Errorf("an automation in draft began again: %v", err)
	}
}

func TestRetriedCallHasItsKey(t *testing.T) { onBoth(t, testRetriedCall) }

// testRetriedCall: a destination took a call and its answer was lost. The call of the retry has the same idempotency
// key, so a destination that honours it does it once; the run is about no order.
func testRetriedCall(t *testing.T, url string) {
	out := newOutside(t)
	r := running(t, url, out)
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample Shop\n"}, store.Text{Kind: engine.KindAutomation, Name: "run-frail", Text: `automation: run-frail
owner: ops@shop.example
why: The warehouse is asked.
on: stock.low
do:
  - call: { connection: warehouse, purpose: reorder, as: r, for: 1h }
`})
	r.update(func(tx *store.Tx) error { return store.UpsertProducts(tx, []catalog.Product{{SKU: "CUP", LowAt: 5}}) })
	r.decided(&event.StockReceived{SKU: "CUP", Location: "a", Qty: 9})
	lost := fake.HookFault{Drop: true, Take: true}
	out.hook.Fail(lost, lost, lost)
	before := out.hook.Count()
	r.decided(&event.StockAdjusted{SKU: "CUP", Location: "a", Delta: -6, Reason: "broken"})
	r.until("the call failed", func(tx *store.Tx) (bool, error) {
		rs, err := tx.Runs(store.RunFilter{State: automation.RunFailed})
		return len(rs) == 1, err
	})
	failed := r.onlyRun("run-frail")
	if _, err := r.eng.RetryRun(t.Context(), failed.ID, "", false, "usr_1"); err == nil || !strings.Contains(fault.Message(err), "may have arrived") {
		t.Fatalf("without a word: %v", err)
	}
	if _, err := r.eng.RetryRun(t.Context(), failed.ID, "", true, "usr_1"); err != nil {
		t.Fatal(err)
	}
	r.until("the second run is done", func(tx *store.Tx) (bool, error) {
		run, err := tx.Run(decide.RetryID(failed.ID))
		return err == nil && run.State == automation.RunDone, err
	})
	if got := out.hook.Count() - before; got != 1 {
		t.Errorf("the warehouse acted %d times", got)
	}
}
