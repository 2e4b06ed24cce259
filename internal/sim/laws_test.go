package sim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/connect/smtp"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { pgtest.Stop(); os.Exit(code) }))
}

// TestLaws lets a whole shop live through a bad day: channels that repeat
// themselves and mix up their order, a warehouse that refuses, clerks who
// decide, counts that come out lower than what is promised, a mail server and a
// receiver that fail in every way, and an engine that is restarted in the
// middle. Afterwards every law must hold.
//
// ORDERLY_LAWS_SEED chooses the day; without it every run lives through the same one.
func TestLaws(t *testing.T) {
	seed := uint64(number(t, "ORDERLY_LAWS_SEED", 66449))
	t.Logf("ORDERLY_LAWS_SEED=%d", seed)
	t.Run("sqlite", func(t *testing.T) { badDay(t, filepath.Join(t.TempDir(), "shop.db"), seed) })
	t.Run("postgres", func(t *testing.T) { badDay(t, pgtest.URL(t), seed+1) })
}

// badDay is one such day on the store at url.
func badDay(t *testing.T, url string, seed uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := newWorld(t, ctx, url, seed)
	w.start()
	w.open()

	var channels, others sync.WaitGroup
	for k := range 3 {
		channels.Go(func() { w.channel(fmt.Sprintf("L%d-", k), seed*10+uint64(k), 5) })
	}
	day, over := context.WithCancel(ctx)
	for i, act := range []func(*rand.Rand){w.clerk, w.storeman, w.ship, w.misfortune} {
		others.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(100+i)))
			for day.Err() == nil {
				act(rng)
				pause(day, time.Duration(2+rng.IntN(12))*time.Millisecond)
			}
		})
	}
	ended := make(chan struct{})
	go func() { channels.Wait(); close(ended) }()
	rng := rand.New(rand.NewPCG(seed, 99))
	for range 6 {
		pause(ctx, time.Duration(100+rng.IntN(400))*time.Millisecond)
		w.stop()
		w.start()
	}
	<-ended
	over()
	others.Wait()
	w.quiet()
	w.stop()
	w.judge()
}

// world is a shop in one process with the outside it talks to.
type world struct {
	t     *testing.T
	ctx   context.Context
	db    *store.DB
	keys  *store.Keyring
	mail  *fake.SMTP
	hooks *fake.Receiver
	ports *ports

	mu     sync.Mutex
	eng    *engine.Engine
	ran    chan error
	live   chan struct{} // closed while an engine runs
	boxes  []event.Event // parcels the warehouse has packed
	skus   []string
	places []string
	said   map[string]bool // events answered as decided
	lifes  *lives
}

// ports are the real adapters, pointed at the fakes. What the program heard of each mail is kept: it is
// what may be held against it, not what the mail server meant to say.
type ports struct {
	mailer *smtp.Mailer
	poster *hook.Poster

	mu      sync.Mutex
	sent    map[string]int // by effect: "it was taken"
	unknown map[string]int // by effect: no answer came
}

func (p *ports) Mailer(context.Context, string) (connect.Mailer, error) { return p, nil }
func (p *ports) Hook(context.Context, string) (connect.Hook, error)     { return p.poster, nil }

// Send implements connect.Mailer.
func (p *ports) Send(ctx context.Context, m connect.Message) (connect.Receipt, error) {
	r, err := p.mailer.Send(ctx, m)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.sent[m.ID]++
	case connect.ClassOf(err) == connect.ClassUnknown:
		p.unknown[m.ID]++
	}
	return r, err
}

func newWorld(t *testing.T, ctx context.Context, url string, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, ctx: ctx, live: make(chan struct{}), said: map[string]bool{}, lifes: newLives(seed, "x"),
		ports: &ports{sent: map[string]int{}, unknown: map[string]int{}},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	w.keys, err = store.NewKeyring(make([]byte, store.KeySize))
	must(err)
	w.db, err = store.Open(ctx, url, store.Options{Keyring: w.keys})
	must(err)
	t.Cleanup(func() { must(w.db.Close()) })
	w.mail, err = fake.StartSMTP(ctx, fake.SMTPOptions{})
	must(err)
	t.Cleanup(func() { must(w.mail.Close()) })
	w.hooks, err = fake.StartReceiver(ctx, fake.ReceiverOptions{Take: w.pack})
	must(err)
	t.Cleanup(func() { must(w.hooks.Close()) })
	host, port := w.mail.HostPort()
	w.ports.mailer, err = smtp.New(smtp.Settings{Host: host, Port: port, TLS: smtp.None, From: "orders@shop.example", Timeout: 3 * time.Second})
	must(err)
	t.Cleanup(func() { must(w.ports.mailer.Close()) })
	w.ports.poster, err = hook.New(hook.Settings{URL: w.hooks.URL(), Secrets: []connect.Secret{w.hooks.Secret()}, Guard: connect.Guard{AllowPrivate: true}})
	must(err)
	t.Cleanup(func() { must(w.ports.poster.Close()) })

	must(w.db.Update(ctx, func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, w.lifes.shop.Products()); err != nil {
			return err
		}
		return store.UpsertLocations(tx, w.lifes.shop.Locations(), "test")
	}))
	for _, p := range w.lifes.shop.Products() {
		if !p.Kit() {
			w.skus = append(w.skus, p.SKU)
		}
	}
	for _, l := range w.lifes.shop.Locations() {
		w.places = append(w.places, l.ID)
	}
	return w
}

// schedule is short, so that a day of failures fits into seconds.
var schedule = connect.Schedule{First: 5 * time.Millisecond, Longest: 60 * time.Millisecond, Spread: 20, Attempts: 8}

func (w *world) start() {
	eng, err := engine.New(w.ctx, engine.Options{DB: w.db, Keyring: w.keys, Ports: w.ports, Schedule: &schedule, BaseURL: "http://shop.example"})
	if err != nil {
		w.t.Error(err)
		return
	}
	ran := make(chan error, 1)
	go func() { ran <- eng.Run(w.ctx) }()
	w.mu.Lock()
	w.eng, w.ran = eng, ran
	close(w.live)
	w.mu.Unlock()
}

func (w *world) stop() {
	w.mu.Lock()
	eng, ran := w.eng, w.ran
	w.live = make(chan struct{})
	w.mu.Unlock()
	end, cancel := context.WithTimeout(w.ctx, 30*time.Second)
	defer cancel()
	if err := eng.Close(end); err != nil {
		w.t.Errorf("the engine did not end in order: %v", err)
	}
	if err := <-ran; err != nil {
		w.t.Errorf("the engine's workers ended with %v", err)
	}
}

// submit says an event until it is answered.
func (w *world) submit(evs ...event.Event) []engine.Outcome {
	for w.ctx.Err() == nil {
		w.mu.Lock()
		eng, live := w.eng, w.live
		w.mu.Unlock()
		select {
		case <-live:
		case <-w.ctx.Done():
			return nil
		}
		out, err := eng.Submit(w.ctx, evs)
		if err == nil {
			return out
		}
		if fault.KindOf(err) != fault.Unavailable {
			w.t.Errorf("%s %s: %v", evs[0].Data.EventType(), evs[0].Key, err)
			return nil
		}
		pause(w.ctx, time.Millisecond) // it is stopping
	}
	return nil
}

// open brings in policy and stock.
func (w *world) open() {
	texts, err := engine.ReadFolder(examples.Shop())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.eng.Apply(w.ctx, texts, "tester", "", false); err != nil {
		w.t.Fatal(err)
	}
	var evs []event.Event
	for i, p := range plenty(w.lifes.shop, 9) {
		evs = append(evs, event.Event{Source: "opening", Key: strconv.Itoa(i), Data: p})
	}
	w.submit(evs...)
}

// channel tells of n batches of orders.
func (w *world) channel(prefix string, seed uint64, n int) {
	l := newLives(seed, prefix)
	for range n {
		_, ds := l.batch(12)
		for _, d := range ds {
			out := w.submit(event.Event{Source: "shop", Key: d.id, Data: d.data})
			for _, o := range out {
				w.mu.Lock()
				again := w.said[d.id]
				w.said[d.id] = true
				w.mu.Unlock()
				if o.Status != engine.Decided && o.Status != engine.Duplicate {
					w.t.Errorf("%s was %s: %s", d.id, o.Status, o.Reason)
				}
				if again && o.Status != engine.Duplicate {
					w.t.Errorf("%s was decided twice", d.id)
				}
			}
		}
	}
}

// pack is the warehouse: it ships most, refuses some, and forgets some.
func (w *world) pack(d fake.Document) {
	var doc struct {
		Type, Location string
		Order          struct{ Channel, Number string }
	}
	if json.Unmarshal(d.Body, &doc) != nil || doc.Type != "fulfilment" {
		return
	}
	ev := event.Event{Source: "warehouse", Key: d.ID, Data: &event.ShipmentShipped{
		Channel: doc.Order.Channel, Number: doc.Order.Number, Location: doc.Location, Tracking: "SAMPLE1", Carrier: "Sample Carrier",
	}}
	switch n := len(d.ID) + int(d.ID[len(d.ID)-1]) + int(d.ID[len(d.ID)-2]); {
	case n%10 < 2:
		return
	case n%10 < 4:
		ev.Data = &event.ShipmentRejected{Channel: doc.Order.Channel, Number: doc.Order.Number, Location: doc.Location, Reason: "not on the shelf (sample)"}
	}
	w.mu.Lock()
	w.boxes = append(w.boxes, ev)
	w.mu.Unlock()
}

// ship hands a parcel over, sometimes telling it twice.
func (w *world) ship(rng *rand.Rand) {
	w.mu.Lock()
	var evs []event.Event
	if len(w.boxes) > 0 {
		evs = append(evs, w.boxes[0])
		if rng.IntN(4) > 0 {
			w.boxes = w.boxes[1:]
		}
	}
	w.mu.Unlock()
	if len(evs) > 0 {
		w.submit(evs...)
	}
}

// clerk decides a task that is open. Somebody else may have been quicker: then the click is refused.
func (w *world) clerk(rng *rand.Rand) {
	var tasks []task.Task
	err := w.db.View(w.ctx, func(tx *store.Tx) error {
		tasks = nil
		return tx.Each(func(scan func(...any) error) error {
			var doc string
			if err := scan(&doc); err != nil {
				return err
			}
			var t task.Task
			err := json.Unmarshal([]byte(doc), &t)
			tasks = append(tasks, t)
			return err
		}, "SELECT doc FROM task WHERE state IN ('open', 'asked') ORDER BY id LIMIT 20")
	})
	if err != nil {
		w.t.Error(err)
		return
	}
	if len(tasks) == 0 {
		return
	}
	t := tasks[rng.IntN(len(tasks))]
	if len(t.Options) == 0 {
		return
	}
	w.submit(event.Event{
		Source: "console", Key: fmt.Sprintf("click-%s-%d", t.ID, rng.Uint64()), Actor: "clerk@shop.example",
		Data: &event.TaskDecided{Task: t.ID, Outcome: t.Options[rng.IntN(len(t.Options))], Note: "looked at it"},
	})
}

// storeman receives, counts and moves stock; what cannot be is kept in quarantine, which is right.
func (w *world) storeman(rng *rand.Rand) {
	sku, place := w.skus[rng.IntN(1+rng.IntN(len(w.skus)))], w.places[rng.IntN(len(w.places))]
	var data event.Payload
	switch rng.IntN(4) {
	case 0:
		data = &event.StockReceived{SKU: sku, Location: place, Qty: int64(1 + rng.IntN(12))}
	case 1:
		data = &event.StockCounted{SKU: sku, Location: place, OnHand: int64(rng.IntN(10))}
	case 2:
		data = &event.StockAdjusted{SKU: sku, Location: place, Delta: int64(1 - 2*rng.IntN(2)), Reason: "sample"}
	case 3:
		to := w.places[rng.IntN(len(w.places))]
		if to == place {
			return
		}
		data = &event.StockTransferred{SKU: sku, From: place, To: to, Qty: int64(1 + rng.IntN(3))}
	}
	w.submit(event.Event{Source: "stockroom", Key: fmt.Sprint("s", rng.Uint64()), Data: data})
}

// misfortune lets the next mails and documents fail.
func (w *world) misfortune(rng *rand.Rand) {
	if rng.IntN(6) > 0 {
		return // a failure for every few messages: more would leave nothing but dead letters
	}
	switch rng.IntN(9) {
	case 0:
		w.mail.Fail(fake.MailFault{Code: 450 + rng.IntN(3)})
	case 1:
		w.mail.Fail(fake.MailFault{Code: 421, AtRecipient: true})
	case 2:
		w.mail.Fail(fake.MailFault{Drop: true})
	case 3:
		w.mail.Fail(fake.MailFault{Drop: true, Take: true})
	case 4:
		if rng.IntN(8) == 0 {
			w.mail.Fail(fake.MailFault{Hang: true})
		} else if rng.IntN(8) == 0 {
			w.mail.Fail(fake.MailFault{Code: 550})
		}
	case 5:
		w.hooks.Fail(fake.HookFault{Status: 500, Take: rng.IntN(2) == 0})
	case 6:
		w.hooks.Fail(fake.HookFault{Status: 429, RetryAfter: "1"})
	case 7:
		w.hooks.Fail(fake.HookFault{Drop: true, Take: rng.IntN(2) == 0})
	case 8:
		if rng.IntN(8) == 0 {
			w.hooks.Fail(fake.HookFault{Status: 404})
		}
	}
}

// quiet waits until nothing waits to leave and no timer is due.
func (w *world) quiet() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		effects, timers := 0, 0
		err := w.db.View(w.ctx, func(tx *store.Tx) error {
			return tx.QueryRow("SELECT (SELECT count(*) FROM effect WHERE state IN ('pending', 'claimed')), (SELECT count(*) FROM timer WHERE due <= $1)", tx.Now()).
				Scan(&effects, &timers)
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if effects+timers == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.t.Fatalf("%d effects and %d timers wait for ever", effects, timers)
		}
	}
}

// judge holds the day to the laws.
func (w *world) judge() {
	rep, err := doctor.Check(w.ctx, w.db, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range rep.Laws {
		if !l.OK {
			w.t.Errorf("%s: %s", l.Name, l.Offender)
		}
	}
	states := map[string]int{}
	var left []effectRow
	err = w.db.View(w.ctx, func(tx *store.Tx) error {
		err := tx.Each(func(scan func(...any) error) error {
			var reason, typ, key string
			err := scan(&reason, &typ, &key)
			if strings.HasPrefix(reason, "the decision failed") || typ != "stock.adjusted" && typ != "stock.transferred" && typ != "stock.counted" {
				w.t.Errorf("%s %s is in quarantine: %s", typ, key, reason)
			}
			return err
		}, "SELECT reason, type, key FROM event WHERE state = 'quarantined'")
		if err != nil {
			return err
		}
		err = tx.Each(func(scan func(...any) error) error {
			var s string
			var n int
			err := scan(&s, &n)
			states[s] = n
			return err
		}, "SELECT state, count(*) FROM orders GROUP BY state")
		if err != nil {
			return err
		}
		return tx.Each(func(scan func(...any) error) error {
			var e effectRow
			err := scan(&e.id, &e.kind, &e.state, &e.purpose, &e.order)
			left = append(left, e)
			return err
		}, "SELECT id, kind, state, purpose, order_id FROM effect")
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.judgeEffects(left)
	w.t.Logf("orders: %v", states)
}

type effectRow struct{ id, kind, state, purpose, order string }

// judgeEffects compares what we say left with what arrived.
func (w *world) judgeEffects(left []effectRow) {
	mails := map[string]int{} // taken
	for _, m := range w.mail.Messages() {
		id, _, _ := strings.Cut(m.ID, "@")
		mails[id]++
	}
	docs := map[string]bool{}
	for _, d := range w.hooks.Documents() {
		docs[d.ID] = true
	}
	confirmed := map[string]bool{}
	counts := map[string]int{}
	for _, e := range left {
		counts[e.kind+" "+e.state]++
		switch {
		case e.kind == "mail" && e.state == "done" && w.ports.sent[e.id] != 1:
			w.t.Errorf("the mail of effect %s was sent %d times, each with an answer", e.id, w.ports.sent[e.id])
		case e.kind == "mail" && mails[e.id] > w.ports.sent[e.id]+w.ports.unknown[e.id]:
			w.t.Errorf("the mail of effect %s was taken %d times, %d times with an answer and %d times without", e.id, mails[e.id], w.ports.sent[e.id], w.ports.unknown[e.id])
		case e.kind == "mail" && e.state == "cancelled" && mails[e.id] > 0:
			w.t.Errorf("effect %s was withdrawn, but its mail left", e.id)
		case e.kind == "webhook" && e.state == "done" && !docs[e.id]:
			w.t.Errorf("the document of effect %s never arrived", e.id)
		}
		if e.purpose == "order-confirmation" {
			if confirmed[e.order] {
				w.t.Errorf("order %s is confirmed by two messages", e.order)
			}
			confirmed[e.order] = true
		}
		delete(mails, e.id)
		delete(docs, e.id)
	}
	for id := range mails {
		w.t.Errorf("a mail %s arrived that no effect knows", id)
	}
	for id := range docs {
		w.t.Errorf("a document %s arrived that no effect knows", id)
	}
	w.t.Logf("effects: %v", counts)
}
