package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/sim/bench"
	"orderly.example/orderly/internal/store"
)

// The crash test. A real "orderly serve" is killed again and again under load,
// by SIGKILL, at moments drawn from a seed. What it had answered must be there,
// once; what it had not answered is sent again; every law must hold in the file
// that the dead process left behind.
//
//	ORDERLY_CRASHES=50 go test ./internal/sim -run TestKillNine -v     (make crash)
//	ORDERLY_CRASH_SEED=7 …                                             the same moments again
func TestKillNine(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills a program; left out under -short")
	}
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		killNine(t, "")
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		killNine(t, pgtest.URL(t))
	})
}

// killNine crashes a server on the store at url; "" is a file of its own.
func killNine(t *testing.T, url string) {
	crashes, seed := number(t, "ORDERLY_CRASHES", 4), uint64(number(t, "ORDERLY_CRASH_SEED", int(time.Now().UnixNano()%1e6)))
	t.Logf("%d crashes, ORDERLY_CRASH_SEED=%d", crashes, seed)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute+time.Duration(crashes)*15*time.Second)
	defer cancel()

	c := newCrashing(t, ctx, url, seed)
	rng := rand.New(rand.NewPCG(seed, 50))
	c.serve()
	end := c.load(ctx, seed)
	for k := range crashes {
		c.work(ctx, rng.IntN(60))
		pause(ctx, time.Duration(rng.IntN(100))*time.Millisecond)
		c.nodes[0].kill()
		c.examine(fmt.Sprintf("after crash %d", k+1))
		if t.Failed() {
			break
		}
		c.serve()
	}
	pause(ctx, 200*time.Millisecond)
	end()
	c.settle(ctx)
	c.nodes[0].stop()
	c.noteMails()
	c.examine("at the end")
	c.arrived(c.conclude(1 + crashes))
	c.judgeMails()
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		t.Fatalf("%s=%q is no number", name, v)
	}
	return n
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// work waits until the server has given n answers more. A moment that is counted in answers falls into work on
// any machine; one that is counted in time falls before the first on a slow one.
func (c *crashing) work(ctx context.Context, n int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(10 * time.Second) // what is fed may be all answered
	defer end.Stop()
	have := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.answers
	}
	for until := have() + n; have() < until; {
		select {
		case <-tick.C:
		case <-end.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// deliver posts what is fed until each is answered, by whichever node.
func (c *crashing) deliver(ctx context.Context, feed <-chan delivery) {
	conns := map[*node]*bench.Conn{}
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	for d := range feed {
		body := d.body()
		for ctx.Err() == nil {
			status, answer, err := c.call(ctx, conns, d, body)
			if err == nil && status == 200 {
				c.note(d.id, answer)
				break
			}
			if err == nil && status != 503 {
				c.t.Errorf("%s was answered %d: %s", d.id, status, answer)
				break
			}
			if err == nil {
				pause(ctx, 20*time.Millisecond) // the server asks for it
			}
			c.mu.Lock()
			c.lost++
			c.mu.Unlock()
		}
	}
}

// note keeps an answer: from now on the event must be there.
func (c *crashing) note(id string, answer []byte) {
	var results []struct {
		Status  string
		EventID string `json:"event_id"`
	}
	if err := json.Unmarshal(answer, &results); err != nil || len(results) != 1 {
		c.t.Errorf("%s: %v in %s", id, err, answer)
		return
	}
	r := results[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Status != "decided" && r.Status != "duplicate" {
		c.t.Errorf("%s was %s: %s", id, r.Status, answer)
	}
	if before, ok := c.answered[id]; ok && before != r.EventID {
		c.t.Errorf("%s was event %s and is now %s", id, before, r.EventID)
	}
	c.answered[id] = r.EventID
	c.answers++
}

// examine holds the file that the server left to every law and every answer.
func (c *crashing) examine(when string) {
	c.t.Helper()
	c.mu.Lock()
	answered := make(map[string]string, len(c.answered))
	for k, v := range c.answered {
		answered[k] = v
	}
	c.mu.Unlock()
	c.open(func(db *store.DB, _ *store.Keyring) {
		rep, err := doctor.Check(c.ctx, db, nil)
		if err != nil {
			c.t.Fatalf("%s: %v", when, err)
		}
		for _, l := range rep.Laws {
			if !l.OK {
				c.t.Errorf("%s: %s: %s", when, l.Name, l.Offender)
			}
		}
		err = db.View(c.ctx, func(tx *store.Tx) error {
			times := map[string]int{}
			ids := map[string]string{}
			err := tx.Each(func(scan func(...any) error) error {
				var key, id string
				err := scan(&key, &id)
				times[key]++
				ids[key] = id
				return err
			}, "SELECT key, id FROM event WHERE source = $1", "shop")
			for key, id := range answered {
				if times[key] != 1 || ids[key] != id {
					c.t.Errorf("%s: %s was answered as event %s; the file has it %d times, as %q", when, key, id, times[key], ids[key])
				}
			}
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
	})
}

// settle waits until everything has left and every run whose time has come went on.
func (c *crashing) settle(ctx context.Context) {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		pending := 0
		c.open(func(db *store.DB, _ *store.Keyring) {
			err := db.View(ctx, func(tx *store.Tx) error {
				return tx.QueryRow(`SELECT (SELECT count(*) FROM effect WHERE state IN ('pending', 'claimed'))
					+ (SELECT count(*) FROM timer WHERE type = 'run.due' AND due < $1)`, time.Now().Add(3*time.Minute)).Scan(&pending) // also those of a node whose clock is ahead
			})
			if err != nil {
				c.t.Fatal(err)
			}
		})
		if pending == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%d effects never left, or runs were never woken", pending)
		}
	}
}

// conclude compares the end with what was said, and the documents with the requests. It returns the
// mails that are recorded as sent. No document may have come more than most times.
func (c *crashing) conclude(most int) (mailed map[string]bool) {
	c.t.Helper()
	mailed = map[string]bool{}
	c.open(func(db *store.DB, _ *store.Keyring) {
		err := db.View(c.ctx, func(tx *store.Tx) error { return c.compare(tx, mailed) })
		if err != nil {
			c.t.Fatal(err)
		}
	})
	done := 0
	for _, d := range c.hooks.Documents() {
		done++
		if d.Attempts > most {
			c.t.Errorf("document %s arrived %d times", d.ID, d.Attempts)
		}
	}
	all, refused := c.hooks.Requests()
	if refused > 0 {
		c.t.Errorf("%d documents were not genuine", refused)
	}
	c.t.Logf("%d lives, %d deliveries answered, %d sent again without an answer, %d mails, %d documents acted on of %d requests",
		len(c.lives), len(c.answered), c.lost, c.mail.Count(), done, all)
	return mailed
}

// arrived holds the mails that were taken against those that are recorded as sent.
func (c *crashing) arrived(mailed map[string]bool) {
	c.t.Helper()
	for id := range c.mail.IDs() {
		effect, _, _ := strings.Cut(id, "@")
		if !mailed[effect] {
			c.t.Errorf("the mail %s was taken, but no effect says that it left", id)
		}
		delete(mailed, effect)
	}
	for id := range mailed {
		c.t.Errorf("the mail of effect %s never arrived", id)
	}
}

// judgeMails: a mail that was taken twice was sent by two servers, the first of which died at it.
func (c *crashing) judgeMails() {
	c.t.Helper()
	twice, moments := 0, map[int64]int{}
	for id, gens := range c.mails {
		for i := 1; i < len(gens); i++ {
			twice++
			moments[gens[i-1]]++
			if gens[i] == gens[i-1] {
				c.t.Errorf("server %d sent the mail %s twice: no crash lies between", gens[i], id)
			}
		}
	}
	for gen, n := range moments {
		if n > mailsAtOnce {
			c.t.Errorf("%d mails of server %d were sent again; it records each before the next, so at most %d can be", n, gen, mailsAtOnce)
		}
	}
	c.t.Logf("%d mails came a second time, each across a crash and with its first Message-ID", twice)
}

// mailsAtOnce is how many mails can be between the server's acceptance and our record: one for each delivery job of a destination.
const mailsAtOnce = store.DefaultDeliveries / 2

func (c *crashing) compare(tx *store.Tx, mailed map[string]bool) error {
	byNumber := map[string]*order.Order{}
	err := tx.Each(func(scan func(...any) error) error {
		var doc string
		if err := scan(&doc); err != nil {
			return err
		}
		o := &order.Order{}
		err := json.Unmarshal([]byte(doc), o)
		byNumber[o.Number] = o
		return err
	}, "SELECT doc FROM orders")
	if err != nil {
		return err
	}
	if err := c.compareRuns(tx, byNumber); err != nil {
		return err
	}
	reserved := map[string]int64{}
	for _, v := range c.lives {
		o := byNumber[v.number]
		switch {
		case o == nil:
			c.t.Errorf("order %s is not there", v.number)
			continue
		case o.State != v.state || o.Captured.Minor != v.captured:
			c.t.Errorf("order %s is %s with %s; it was said to end %s with %d", v.number, o.State, o.Captured, v.state, v.captured)
		}
		for sku, n := range v.demand {
			reserved[sku] += n
		}
	}
	if len(byNumber) != len(c.lives) {
		c.t.Errorf("%d orders for %d lives", len(byNumber), len(c.lives))
	}
	have, onHand, places := map[string]int64{}, int64(0), 0
	err = tx.Each(func(scan func(...any) error) error {
		var sku string
		var hand, res int64
		err := scan(&sku, &hand, &res)
		have[sku] += res
		onHand += hand
		places++
		return err
	}, "SELECT sku, on_hand, reserved FROM stock_balance")
	if err != nil {
		return err
	}
	for sku, n := range have {
		if n != reserved[sku] {
			c.t.Errorf("%d of %s are reserved; the orders ask for %d", n, sku, reserved[sku])
		}
	}
	if onHand != int64(c.stock)*openingUnits {
		c.t.Errorf("%d units are on hand of %d places; nothing was shipped", onHand, places)
	}
	dead := 0
	return errors.Join(tx.Each(func(scan func(...any) error) error {
		var id, state string
		var mail bool
		err := scan(&id, &state, &mail)
		if state == "dead" {
			if dead++; dead < 4 {
				c.t.Errorf("effect %s is a dead letter", id)
			}
		}
		if mail && state == "done" {
			mailed[id] = true
		}
		return err
	}, "SELECT id, state, destination = 'mail' AND payload NOT LIKE '%self-test%' FROM effect")) // the daily self-test signs in and sends nothing
}

// compareRuns: every order has its one run, each step of it was done once, and it rests where its order leaves it.
func (c *crashing) compareRuns(tx *store.Tx, byNumber map[string]*order.Order) error {
	c.t.Helper()
	runs, err := tx.Runs(store.RunFilter{Automation: "wait-twice", Limit: 1 << 20})
	if err != nil {
		return err
	}
	byOrder := map[string]*automation.Run{}
	waiting := 0
	for _, r := range runs {
		if byOrder[r.OrderID] != nil {
			c.t.Errorf("order %s has two runs", r.OrderID)
		}
		byOrder[r.OrderID] = r
		steps := map[string]int{}
		for _, s := range r.Steps {
			if steps[s.At]++; steps[s.At] > 1 {
				c.t.Errorf("step %s of run %s was done twice", s.At, r.ID)
			}
		}
		if r.State == automation.RunWaiting {
			if waiting++; r.Wait.N != 2 {
				c.t.Errorf("run %s still waits the %d. time", r.ID, r.Wait.N)
			}
		}
	}
	for _, o := range byNumber {
		r := byOrder[o.ID]
		switch {
		case r == nil && o.State != order.Cancelled: // a cancellation may come first
			c.t.Errorf("order %s (%s) has no run", o.Number, o.State)
		case r == nil:
		case (o.State == order.Cancelled) == (r.State == automation.RunWaiting):
			c.t.Errorf("order %s is %s, its run %s", o.Number, o.State, r.State)
		case r.State == automation.RunWaiting && !slices.Contains(o.Tags, "waited"):
			c.t.Errorf("the run of order %s went past its tag, which the order has not", o.Number)
		}
	}
	if len(runs) > 20 && waiting == 0 {
		c.t.Error("no run waits at the end: the law says little")
	}
	return nil
}
