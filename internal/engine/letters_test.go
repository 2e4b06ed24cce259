package engine_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/store"
)

func TestDeadLettersByCause(t *testing.T) { onBoth(t, testDeadLetters) }

// A receiver fails for two causes. The letters stand in two groups; what may have arrived leaves again only
// with a person's word; two people who replay one group at once let each of its letters go once.
func testDeadLetters(t *testing.T, url string) {
	out := newOutside(t)
	r := running(t, url, out)
	dead := func(n int) {
		t.Helper()
		r.until(fmt.Sprintf("%d dead letters", n), func(tx *store.Tx) (bool, error) {
			rows, _, err := tx.DeadEffects("", 50)
			return len(rows) == n, err
		})
	}
	groups := func() (gs []*store.DeadGroup) {
		t.Helper()
		r.view(func(tx *store.Tx) (err error) {
			gs, _, err = tx.DeadGroups()
			return err
		})
		return gs
	}
	calm := func() {
		t.Helper()
		r.until("the owner was told, and nothing is on its way", func(tx *store.Tx) (bool, error) {
			about, err := deadSubjects(tx)
			if err != nil {
				return false, err
			}
			ts, err := store.TasksOfSubjects(tx, about)
			if err != nil || len(ts) != len(about) {
				return false, err
			}
			rows, _, err := tx.LiveEffects("", 50)
			return len(rows) == 0, err
		})
	}
	// Three orders are refused; a fourth is taken, and the connection ends without an answer, three times.
	for i := range 3 {
		out.hook.Fail(fake.HookFault{Status: 400})
		r.decided(placed(fmt.Sprint(i+1), "MUG", 1))
		dead(i + 1)
		calm() // an alert must not meet the next fault
	}
	lost := fake.HookFault{Drop: true, Take: true}
	out.hook.Fail(lost, lost, lost)
	r.decided(placed("4", "MUG", 1))
	dead(4)
	calm()
	gs := groups()
	if len(gs) != 2 || gs[0].N != 3 || gs[0].Orders != 3 || gs[0].Unsure != 0 || gs[1].N != 1 || gs[1].Unsure != 1 || len(gs[0].Money) != 1 {
		t.Fatalf("groups %+v, %+v", gs[0], gs)
	}
	if gs[0].First.Created.After(gs[0].Last.Created) || !strings.Contains(gs[0].Error, "400") {
		t.Errorf("the group says %+v", gs[0])
	}
	letters, err := r.eng.PreviewEffects(t.Context(), []string{gs[0].First.ID, gs[1].First.ID})
	if err != nil || len(letters) != 2 || !strings.Contains(letters[0].Text, `"fulfilment"`) || !strings.Contains(letters[0].Text, "Sample Street") {
		t.Fatalf("the preview shows %+v, %v", letters, err)
	}
	before := out.hook.Count()
	// Two people at once, and one of them twice.
	var wg sync.WaitGroup
	var mu sync.Mutex
	replayed := 0
	for i := range 3 {
		wg.Go(func() {
			o, err := r.eng.ReplayCause(t.Context(), gs[0].Cause, store.Replay{Actor: fmt.Sprintf("person-%d@shop.example", i%2)})
			if err != nil && !strings.Contains(err.Error(), "any more") {
				t.Error(err)
			}
			mu.Lock()
			replayed += o.Replayed
			mu.Unlock()
		})
	}
	wg.Wait()
	if replayed != 3 {
		t.Errorf("%d were replayed", replayed)
	}
	r.until("the three are done", func(tx *store.Tx) (bool, error) {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM effect WHERE state = 'done' AND purpose = 'fulfilment'").Scan(&n)
		return n == 3, err
	})
	if got := out.hook.Count() - before; got != 3 {
		t.Errorf("the receiver acted on %d documents", got)
	}
	// The doubtful one stays without a word, and goes with it; the receiver knows its key.
	o, err := r.eng.ReplayCause(t.Context(), gs[1].Cause, store.Replay{Actor: "ann@shop.example"})
	if err != nil || o.Replayed != 0 || o.Withheld != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	o, err = r.eng.ReplayCause(t.Context(), gs[1].Cause, store.Replay{Actor: "ann@shop.example", Twice: true})
	if err != nil || o.Replayed != 1 {
		t.Fatalf("%+v, %v", o, err)
	}
	r.until("all four are done", func(tx *store.Tx) (bool, error) {
		rows, _, err := tx.DeadEffects("", 50)
		f, ferr := store.Effects(tx, []string{gs[1].First.ID})
		if ferr != nil {
			return false, ferr
		}
		return len(rows) == 0 && len(f) == 1 && f[0].State == effect.Done, err
	})
	if got := out.hook.Count() - before; got != 3 {
		t.Errorf("the receiver acted on %d documents after the doubtful one came again", got)
	}
	r.view(func(tx *store.Tx) error {
		rs, err := tx.ReplaysOf(gs[1].First.ID)
		if len(rs) != 1 || rs[0].Actor != "ann@shop.example" || rs[0].Risk == "" {
			t.Errorf("kept of the replay: %+v", rs)
		}
		sure, err2 := tx.ReplaysOf(gs[0].First.ID)
		if len(sure) != 1 || sure[0].Risk != "" || !strings.HasPrefix(sure[0].Actor, "person-") {
			t.Errorf("kept of the other: %+v", sure)
		}
		if err == nil {
			err = err2
		}
		return err
	})
}
