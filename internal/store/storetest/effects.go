package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/store"
)

const lease = time.Minute

// pending makes n due effects for a destination.
func pending(now time.Time, dest string, n int) map[string]effect.Effect {
	out := map[string]effect.Effect{}
	for i := range n {
		key := fmt.Sprintf("test:%s:%d", dest, i)
		id := effect.ID(key, "")
		out[id] = effect.Effect{
			ID: id, Key: key, Kind: effect.Webhook, Destination: dest, EventID: "e", State: effect.Pending, Created: now, Due: now,
			Payload: effect.Payload{Purpose: "test", Body: []byte(`{"a":1}`)},
		}
	}
	return out
}

func insert(t testing.TB, db *store.DB, es map[string]effect.Effect) []string {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return store.InsertEffects(tx, es) })
	return slices.Sorted(maps.Keys(es))
}

func claim(t testing.TB, db *store.DB, now time.Time, ids ...string) (out []effect.Effect) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		out, err = store.ClaimEffects(tx, ids, now, lease)
		return err
	})
	return out
}

func finish(t testing.TB, db *store.DB, rs ...store.Result) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return store.FinishEffects(tx, rs) })
}

func effectOf(t testing.TB, db *store.DB, id string) (e effect.Effect) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error {
		es, err := store.Effects(tx, []string{id})
		if len(es) == 1 {
			e = es[0]
		}
		return err
	})
	return e
}

func claims(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	ids := insert(t, db, pending(clock.Now(), "a", 30))
	insert(t, db, pending(clock.Now(), "a", 30)) // again: nothing changes
	var mu sync.Mutex
	won := map[string]int{}
	var wg sync.WaitGroup
	for w := range 10 {
		wg.Go(func() {
			mine := slices.Clone(ids)
			if w%2 == 1 {
				slices.Reverse(mine) // in another order, which must not lock anybody up
			}
			var got []effect.Effect
			err := db.Update(context.Background(), func(tx *store.Tx) (err error) {
				got, err = store.ClaimEffects(tx, mine, clock.Now(), lease)
				return err
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, e := range got {
				if e.State != effect.Claimed || e.Fence != 1 || e.Attempts != 1 || string(e.Payload.Body) != `{"a":1}` {
					t.Errorf("claimed %+v", e)
				}
				won[e.ID]++
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if won[id] != 1 {
			t.Errorf("%s was claimed %d times", id, won[id])
		}
	}
}

func fences(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	id := insert(t, db, pending(clock.Now(), "a", 1))[0]
	first := claim(t, db, clock.Now(), id)[0]
	clock.Add(2 * lease)
	second := claim(t, db, clock.Now(), id)[0]
	finish(t, db, store.Result{ID: id, Fence: first.Fence, State: effect.Dead, Err: "too late", At: clock.Now()})
	if e := effectOf(t, db, id); e.State != effect.Claimed || e.LastError != "" {
		t.Errorf("the old claim's result was taken: %+v", e)
	}
	finish(t, db, store.Result{ID: id, Fence: second.Fence, State: effect.Done, Receipt: "250 ok", At: clock.Now()})
	e := effectOf(t, db, id)
	defer lateSuccess(t, db, clock)
	if e.State != effect.Done || e.Receipt != "250 ok" || !e.DoneAt.Equal(clock.Now()) || e.Attempts != 2 {
		t.Errorf("after the attempt: %+v", e)
	}
	finish(t, db, store.Result{ID: id, Fence: second.Fence, State: effect.Dead, At: clock.Now()}) // said twice
	if e := effectOf(t, db, id); e.State != effect.Done {
		t.Errorf("a finished effect became %s", e.State)
	}
	if again := claim(t, db, clock.Now().Add(10*lease), id); len(again) != 0 {
		t.Errorf("a finished effect was claimed: %v", again)
	}
}

// A success that is told late is one all the same: what has left must not leave again.
func lateSuccess(t *testing.T, db *store.DB, clock *Clock) {
	t.Helper()
	ids := insert(t, db, pending(clock.Now(), "late", 2))
	first := claim(t, db, clock.Now(), ids...)
	clock.Add(2 * lease)
	second := claim(t, db, clock.Now(), ids...)
	for i, e := range second {
		if i == 0 { // the second attempt of one has failed and is to be repeated
			finish(t, db, store.Result{ID: e.ID, Fence: e.Fence, State: effect.Pending, Due: clock.Now(), At: clock.Now()})
		}
	}
	for _, e := range first {
		finish(t, db, store.Result{ID: e.ID, Fence: e.Fence, State: effect.Done, Receipt: "250 late", At: clock.Now()})
	}
	for _, e := range second {
		finish(t, db, store.Result{ID: e.ID, Fence: e.Fence, State: effect.Dead, Err: "refused", At: clock.Now()})
		if got := effectOf(t, db, e.ID); got.State != effect.Done || got.Receipt != "250 late" {
			t.Errorf("a late success is recorded as %s %q", got.State, got.Receipt)
		}
	}
	if again := claim(t, db, clock.Now().Add(10*lease), ids...); len(again) != 0 {
		t.Errorf("%d that had left were claimed again", len(again))
	}
}

// What may have arrived is not tried again without a person's word: an answer that never came, and an attempt
// that nobody recorded.
func unsure(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	ids := insert(t, db, pending(clock.Now(), "a", 3)) // refused, no answer, and one whose node died
	first := claim(t, db, clock.Now(), ids...)
	end := map[string]store.Result{}
	for _, e := range first {
		end[e.ID] = store.Result{ID: e.ID, Fence: e.Fence, State: effect.Dead, Err: "refused", At: clock.Now()}
	}
	lost := end[ids[1]]
	lost.Unsure = true
	finish(t, db, end[ids[0]], lost)
	clock.Add(2 * lease)
	again := claim(t, db, clock.Now(), ids[2])
	finish(t, db, store.Result{ID: ids[2], Fence: again[0].Fence, State: effect.Dead, Err: "refused", At: clock.Now()})
	replay := func(by store.Replay) (done, withheld int) {
		update(t, db, func(tx *store.Tx) (err error) {
			done, withheld, err = store.ReplayEffects(tx, ids, by)
			return err
		})
		return done, withheld
	}
	if done, withheld := replay(store.Replay{Actor: "ann"}); done != 1 || withheld != 2 {
		t.Errorf("without a word %d went and %d stayed", done, withheld)
	}
	if done, withheld := replay(store.Replay{Actor: "bob", Twice: true}); done != 2 || withheld != 0 {
		t.Errorf("with a word %d went and %d stayed", done, withheld)
	}
	view(t, db, func(tx *store.Tx) error {
		for i, want := range []string{"ann", "bob", "bob"} {
			rs, err := tx.ReplaysOf(ids[i])
			if err != nil {
				return err
			}
			if len(rs) != 1 || rs[0].Actor != want || (rs[0].Risk != "") != (want == "bob") || rs[0].Error != "refused" {
				t.Errorf("of effect %d is kept %+v", i, rs)
			}
		}
		return nil
	})
}

func leases(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	id := insert(t, db, pending(clock.Now(), "a", 1))[0]
	e := claim(t, db, clock.Now(), id)[0]
	if got := claim(t, db, clock.Now().Add(lease-time.Second), id); len(got) != 0 {
		t.Error("a running claim was taken over")
	}
	due := clock.Now().Add(time.Hour)
	finish(t, db, store.Result{ID: id, Fence: e.Fence, State: effect.Pending, Err: "no answer", Due: due, At: clock.Now()})
	if e := effectOf(t, db, id); e.State != effect.Pending || !e.Due.Equal(due) || e.LastError != "no answer" || !e.DoneAt.IsZero() {
		t.Errorf("after a failure: %+v", e)
	}
	if got := claim(t, db, due.Add(-time.Minute), id); len(got) != 0 {
		t.Error("the next attempt came early")
	}
	e = claim(t, db, due, id)[0]
	if e.Attempts != 2 || e.Fence != 2 {
		t.Errorf("second claim: %+v", e)
	}
	finish(t, db, store.Result{ID: id, Fence: 2, State: effect.Dead, Err: "refused", At: due})
	update(t, db, func(tx *store.Tx) error {
		n, _, err := store.ReplayEffects(tx, []string{id, "absent"}, store.Replay{Actor: "ann"})
		if n != 1 {
			t.Errorf("replayed %d", n)
		}
		return err
	})
	if e := claim(t, db, due, id); len(e) != 1 || e[0].Attempts != 1 || e[0].Fence != 3 {
		t.Errorf("after the replay: %+v", e)
	}
}

func withdraw(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	ids := insert(t, db, pending(clock.Now(), "a", 2))
	claim(t, db, clock.Now(), ids[0])
	update(t, db, func(tx *store.Tx) error { return store.WithdrawEffects(tx, ids) })
	if a, b := effectOf(t, db, ids[0]), effectOf(t, db, ids[1]); a.State != effect.Claimed || b.State != effect.Cancelled {
		t.Errorf("states %s, %s", a.State, b.State)
	}
	if got := claim(t, db, clock.Now(), ids[1]); len(got) != 0 {
		t.Error("a withdrawn effect was claimed")
	}
}

// enqueueAll writes effects and their jobs in one transaction.
func enqueueAll(tx *store.Tx, dest string, es map[string]effect.Effect) error {
	if err := store.InsertEffects(tx, es); err != nil {
		return err
	}
	var list []store.Job
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(es)), store.EffectsPerJob) {
		list = append(list, store.Deliver(dest, ids))
	}
	return tx.Enqueue(list...)
}

// worker claims what it is given and calls attempt for each.
type worker struct {
	t    testing.TB
	db   *store.DB
	now  func() time.Time
	each func(effect.Effect) store.Result
	done chan string // ids, as they are finished
}

func (w *worker) deliver(ctx context.Context, j store.DeliverJob) error {
	if len(j.Effects) > store.EffectsPerJob || j.Destination == "" {
		w.t.Errorf("a job of %d effects for %q", len(j.Effects), j.Destination)
	}
	var got []effect.Effect
	err := w.db.Update(ctx, func(tx *store.Tx) (err error) {
		got, err = store.ClaimEffects(tx, j.Effects, w.now(), lease)
		return err
	})
	if err != nil {
		return err
	}
	var rs []store.Result
	for _, e := range got {
		if e.Destination != j.Destination {
			w.t.Errorf("effect of %s in a job for %s", e.Destination, j.Destination)
		}
		rs = append(rs, w.each(e))
	}
	if err := w.db.Update(ctx, func(tx *store.Tx) error { return store.FinishEffects(tx, rs) }); err != nil {
		return err
	}
	for _, r := range rs {
		w.done <- r.ID
	}
	return nil
}

func (w *worker) start() (stop func()) {
	w.t.Helper()
	w.done = make(chan string, 10_000)
	end, err := w.db.StartWorkers(context.Background(), store.Handlers{
		Deliver: w.deliver, Wake: func(context.Context, store.WakeJob) error { return nil },
	}, store.WorkerOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := end(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

// wait returns how often each effect was finished, after n were.
func (w *worker) wait(n int) map[string]int {
	w.t.Helper()
	out := map[string]int{}
	timeout := time.After(30 * time.Second)
	for range n {
		select {
		case id := <-w.done:
			out[id]++
		case <-timeout:
			w.t.Fatalf("only %d of %d effects were finished", len(out), n)
		}
	}
	return out
}

func succeed(now func() time.Time) func(effect.Effect) store.Result {
	return func(e effect.Effect) store.Result {
		return store.Result{ID: e.ID, Fence: e.Fence, State: effect.Done, At: now()}
	}
}

func jobs(t *testing.T, open Opener) {
	db := open(t, time.Now)
	w := &worker{t: t, db: db, now: time.Now, each: succeed(time.Now)}
	stop := w.start()
	lost := pending(time.Now(), "lost", 3)
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		return errors.Join(enqueueAll(tx, "lost", lost), errStop)
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	const n = 45
	for _, dest := range []string{"a", "b"} {
		es := pending(time.Now(), dest, n)
		update(t, db, func(tx *store.Tx) error { return enqueueAll(tx, dest, es) })
	}
	got := w.wait(2 * n)
	if len(got) != 2*n {
		t.Errorf("%d different effects, want %d", len(got), 2*n)
	}
	stop()
	for id := range lost {
		if got[id] != 0 {
			t.Error("an effect of a rolled back transaction was delivered")
		}
	}
	if len(w.done) != 0 {
		t.Errorf("%d effects were finished twice", len(w.done))
	}
}

func retries(t *testing.T, open Opener) {
	db := open(t, time.Now)
	var mu sync.Mutex
	tries := map[string]int{}
	w := &worker{t: t, db: db, now: time.Now, each: func(e effect.Effect) store.Result {
		mu.Lock()
		defer mu.Unlock()
		tries[e.ID]++
		if tries[e.ID] != e.Attempts {
			t.Errorf("attempt %d is recorded as %d", tries[e.ID], e.Attempts)
		}
		r := store.Result{ID: e.ID, Fence: e.Fence, State: effect.Done, At: time.Now()}
		if tries[e.ID] < 3 {
			r.State, r.Err, r.Due = effect.Pending, "busy", time.Now().Add(50*time.Millisecond)
		}
		return r
	}}
	w.start()
	es := pending(time.Now(), "a", 5)
	update(t, db, func(tx *store.Tx) error { return enqueueAll(tx, "a", es) })
	for id, n := range w.wait(15) {
		if n != 3 {
			t.Errorf("%s was tried %d times", id, n)
		}
		if e := effectOf(t, db, id); e.State != effect.Done {
			t.Errorf("%s is %s", id, e.State)
		}
	}
}

// Effects whose jobs were lost, and effects that a dead process had claimed, are
// delivered: by the sweep on PostgreSQL, by the dispatcher itself on SQLite.
func leftBehind(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	ids := insert(t, db, pending(clock.Now(), "a", 25)) // and no job
	claim(t, db, clock.Now(), ids[0], ids[1])
	if err := db.RecoverClaims(context.Background()); err != nil {
		t.Fatal(err)
	}
	clock.Add(3 * lease)
	w := &worker{t: t, db: db, now: clock.Now, each: succeed(clock.Now)}
	w.start()
	sweep := func() (n int) {
		update(t, db, func(tx *store.Tx) error {
			due, err := store.DueEffects(tx, clock.Now(), lease, 1000)
			if err != nil {
				return err
			}
			var list []store.Job
			for _, e := range due {
				list = append(list, store.Deliver(e.Destination, []string{e.ID}))
			}
			n = len(due)
			return tx.Enqueue(list...)
		})
		return n
	}
	if n := sweep(); n > 0 {
		if again := sweep(); again != 0 {
			t.Errorf("a second sweep took %d effects again", again)
		}
	}
	if got := w.wait(25); len(got) != 25 {
		t.Errorf("%d different effects", len(got))
	}
}

// A destination that hangs, with thousands of effects before all others, holds nobody else up.
func hanging(t *testing.T, open Opener) {
	db := open(t, time.Now)
	release := make(chan struct{})
	var mu sync.Mutex
	hung, most := 0, 0
	w := &worker{t: t, db: db, now: time.Now, each: func(e effect.Effect) store.Result {
		if e.Destination == "hangs" {
			mu.Lock()
			hung++
			most = max(most, hung)
			mu.Unlock()
			<-release
			mu.Lock()
			hung--
			mu.Unlock()
		}
		return store.Result{ID: e.ID, Fence: e.Fence, State: effect.Done, At: time.Now()}
	}}
	const backlog = 2500
	es := pending(time.Now().Add(-time.Minute), "hangs", backlog)
	update(t, db, func(tx *store.Tx) error { return enqueueAll(tx, "hangs", es) })
	stop := w.start()
	others := pending(time.Now(), "goes", 30)
	update(t, db, func(tx *store.Tx) error { return enqueueAll(tx, "goes", others) })
	for id := range w.wait(30) {
		if _, ok := others[id]; !ok {
			t.Fatal("an effect that hangs was finished")
		}
	}
	close(release)
	if got := w.wait(backlog); len(got) != backlog {
		t.Errorf("%d different effects, want %d", len(got), backlog)
	}
	stop()
	if most > 6 {
		t.Errorf("%d of 12 hands waited for one destination", most)
	}
}

// A wake comes after its commit, at its time, and not when there was no commit.
func wakes(t *testing.T, open Opener) {
	db := open(t, time.Now)
	came := make(chan time.Time, 10)
	stop, err := db.StartWorkers(context.Background(), store.Handlers{
		Deliver: func(context.Context, store.DeliverJob) error { return nil },
		Wake:    func(context.Context, store.WakeJob) error { came <- time.Now(); return nil },
	}, store.WorkerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(context.Background(), func(tx *store.Tx) error {
		return errors.Join(tx.Enqueue(store.Wake("lost")), errStop)
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	at := time.Now().Add(200 * time.Millisecond)
	update(t, db, func(tx *store.Tx) error { return tx.Enqueue(store.Wake("later").At(at)) })
	select {
	case when := <-came:
		if when.Before(at) {
			t.Errorf("woken %v early", at.Sub(when))
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was woken")
	}
	update(t, db, func(tx *store.Tx) error { return tx.Enqueue(store.Wake("now")) })
	select {
	case <-came:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was woken")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}
