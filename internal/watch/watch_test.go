package watch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
	"orderly.example/orderly/internal/watch"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// outbox keeps what left.
type outbox struct {
	mu    sync.Mutex
	mails []connect.Message
	posts []string // "connection body"
	fail  map[string]error
	more  chan struct{}
}

type mailer struct{ o *outbox }

func (m mailer) Send(_ context.Context, msg connect.Message) (connect.Receipt, error) {
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	m.o.mails = append(m.o.mails, msg)
	m.o.bell()
	return connect.Receipt{Text: "250 ok"}, m.o.fail["mail"]
}

func (m mailer) Check(context.Context) error {
	m.o.mu.Lock()
	defer m.o.mu.Unlock()
	m.o.bell()
	return m.o.fail["mail"]
}

type hook struct {
	o    *outbox
	name string
}

func (h hook) Post(_ context.Context, d connect.Delivery) (connect.Receipt, error) {
	h.o.mu.Lock()
	defer h.o.mu.Unlock()
	h.o.posts = append(h.o.posts, h.name+" "+string(d.Body))
	h.o.bell()
	return connect.Receipt{Text: "200 OK"}, h.o.fail[h.name]
}

func (o *outbox) bell() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outbox) Mailer(context.Context, string) (connect.Mailer, error) { return mailer{o}, nil }
func (o *outbox) Hook(_ context.Context, c string) (connect.Hook, error) { return hook{o, c}, nil }

// until waits until what left is as wished.
func (o *outbox) until(t *testing.T, what string, wished func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		o.mu.Lock()
		ok := wished()
		o.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("%s did not leave; %d mails, posts %q", what, len(o.mails), o.posts)
		}
	}
}

// rig is a shop with a clock of its own and a watch that takes its turns when it is told to.
type rig struct {
	t   *testing.T
	db  *store.DB
	eng *engine.Engine
	w   *watch.Watcher
	out *outbox
	now time.Time
	mu  sync.Mutex
	n   int
}

const shopYAML = `shop: Sample
time_zone: Europe/Berlin
ops_owner: ops@shop.example
mail: mail
alert: [alerts, chat]
escalate: { after: 30m, to: [lead@shop.example, boss@shop.example] }
`

// clock never shows the same time twice: what waits to leave is read in the order of its time.
func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(time.Microsecond)
	return r.now
}

func (r *rig) pass(d time.Duration) { r.mu.Lock(); r.now = r.now.Add(d); r.mu.Unlock() }

func newRig(t *testing.T, url string, texts ...store.Text) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), out: &outbox{fail: map[string]error{}, more: make(chan struct{}, 1)}}
	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if r.db, err = store.Open(t.Context(), url, store.Options{Keyring: key, Now: r.clock}); err != nil {
		t.Fatal(err)
	}
	if r.eng, err = engine.New(t.Context(), engine.Options{DB: r.db, Keyring: key, Now: r.clock, Ports: r.out, Rates: watch.KnownRates, BaseURL: "https://console.shop.example"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = r.eng.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ran
		if err := r.eng.Close(context.Background()); err != nil {
			t.Error(err)
		}
		rep, err := doctor.Check(context.Background(), r.db, key)
		if err != nil {
			t.Error(err)
		}
		for _, l := range rep.Laws {
			if !l.OK {
				t.Errorf("law %s: %s", l.Name, l.Offender)
			}
		}
		if err := r.db.Close(); err != nil {
			t.Error(err)
		}
	})
	texts = append([]store.Text{{Kind: engine.KindShop, Name: "shop", Text: shopYAML}}, texts...)
	if _, err := r.eng.Apply(t.Context(), texts, "test", "", false); err != nil {
		t.Fatal(err)
	}
	r.w = r.watcher()
	return r
}

func (r *rig) watcher() *watch.Watcher {
	return watch.New(watch.Options{
		DB: r.db, Policy: r.eng.Policy, Now: r.clock, Every: time.Microsecond, // on PostgreSQL the turns go by the database's clock
		Submit: func(ctx context.Context, evs []event.Event) error { _, err := r.eng.Submit(ctx, evs); return err },
	})
}

func (r *rig) turn() {
	r.t.Helper()
	r.pass(time.Minute)
	if err := r.w.Turn(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// order places one, from a source and to a country.
func (r *rig) order(source, country string, mode event.Mode, at time.Time) event.Event {
	r.n++
	return event.Event{
		Source: source, Key: fmt.Sprint("o", r.n), Mode: mode, At: at,
		Data: &event.OrderPlaced{
			Channel: source, Number: fmt.Sprint(r.n), Currency: "EUR", PlacedAt: at,
			Lines: []event.Line{{SKU: "MUG", Qty: 1, UnitPrice: money.New(1000, "EUR")}}, Shipping: event.Address{Country: country},
			Payment: event.Payment{Status: event.PaymentPaid},
		},
	}
}

func (r *rig) submit(evs ...event.Event) {
	r.t.Helper()
	for c := range slices.Chunk(evs, 200) {
		out, err := r.eng.Submit(r.t.Context(), c)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range out {
			if o.Status != engine.Decided {
				r.t.Fatalf("%+v", o)
			}
		}
	}
}

// past records six weeks of orders at working hours, every ten minutes, up to now.
func (r *rig) past(source string) {
	r.t.Helper()
	var evs []event.Event
	now := r.clock()
	for at := now.AddDate(0, 0, -42); at.Before(now); at = at.Add(10*time.Minute + time.Duration(r.n%7)*time.Minute) {
		if h := at.Hour(); h >= 7 && h < 19 {
			evs = append(evs, r.order(source, "DE", event.History, at))
		}
	}
	r.submit(evs...)
}

func (r *rig) incidents(over bool) []store.TaskRow {
	r.t.Helper()
	var rows []store.TaskRow
	err := r.db.View(r.t.Context(), func(tx *store.Tx) (err error) { rows, err = tx.IncidentRows(over, 100); return err })
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// quiet lets time pass with a turn every few minutes, as on a server that runs.
func (r *rig) quiet(d time.Duration) {
	r.t.Helper()
	for end := r.clock().Add(d); r.clock().Before(end); {
		r.pass(3 * time.Minute)
		r.turn()
		r.settle()
	}
}

// settle waits until everything has left that is due, but for what goes to some destinations: the shop's clock runs ahead of the time that a delivery takes.
func (r *rig) settle(but ...string) {
	r.t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; <-time.Tick(time.Millisecond) {
		var waiting []store.Stalled
		err := r.db.View(r.t.Context(), func(tx *store.Tx) (err error) {
			waiting, err = store.StalledEffects(tx, r.clock().Add(time.Hour))
			return err
		})
		waiting = slices.DeleteFunc(waiting, func(s store.Stalled) bool { return slices.Contains(but, s.Destination) })
		if err != nil || time.Now().After(limit) {
			r.t.Fatalf("%+v %v", waiting, err)
		}
		if len(waiting) == 0 || len(but) == 0 && len(r.out.fail) > 0 {
			return
		}
	}
}

// recorded waits until no attempt is under way. What comes of one that the clock passes is due after that time.
func (r *rig) recorded() {
	r.t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; <-time.Tick(time.Millisecond) {
		var n int
		err := r.db.View(r.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM effect WHERE state = 'claimed'").Scan(&n)
		})
		if err != nil || time.Now().After(limit) {
			r.t.Fatalf("%d attempts under way: %v", n, err)
		}
		if n == 0 {
			return
		}
	}
}

// busy lets orders come from sources for a while.
func (r *rig) busy(d time.Duration, sources ...string) {
	r.t.Helper()
	for end := r.clock().Add(d); r.clock().Before(end); {
		for _, s := range sources {
			r.submit(r.order(s, "DE", event.Live, r.clock()))
		}
		r.quiet(10 * time.Minute)
	}
}

func (r *rig) one(over bool) store.TaskRow {
	r.t.Helper()
	got := r.incidents(over)
	if len(got) != 1 {
		var titles []string
		for _, g := range got {
			titles = append(titles, g.Task.Title)
		}
		r.t.Fatalf("%d incidents: %q", len(got), titles)
	}
	return got[0]
}

func (r *rig) mailsTo(address string) (n int) {
	for _, m := range r.out.mails {
		if m.To == address {
			n++
		}
	}
	return n
}

// TestSilenceIsTold: orders stop; one incident with evidence and impact is told by mail and by every connection;
// nobody answers, so it is passed on; a person acknowledges; orders come again and it is over.
func TestSilenceIsTold(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { silenceIsTold(t, filepath.Join(t.TempDir(), "shop.db")) })
	t.Run("postgres", func(t *testing.T) { silenceIsTold(t, pgtest.URL(t)) })
}

func silenceIsTold(t *testing.T, url string) {
	r := newRig(t, url)
	r.past("web-shop")
	r.busy(40*time.Minute, "web-shop")
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("an incident while all is well: %+v", got[0].Task)
	}
	for len(r.incidents(false)) == 0 && r.n < 1e6 {
		if r.quiet(10 * time.Minute); r.clock().Hour() > 16 {
			t.Fatal("eight hours of silence were not noticed")
		}
	}
	row := r.one(false)
	tk := row.Task
	if tk.Title != "No order.placed comes any more" || tk.Kind != task.Incident || tk.Owner != "ops@shop.example" || tk.Alarm == nil ||
		len(tk.Alarm.Evidence) < 2 || !strings.Contains(tk.Alarm.Impact, "EUR") || tk.Alarm.Next == "" {
		t.Fatalf("%+v %+v", tk, tk.Alarm)
	}
	r.out.until(t, "the alert", func() bool {
		return len(r.out.mails) == 1 && slices.ContainsFunc(r.out.posts, func(s string) bool { return strings.HasPrefix(s, "alerts ") }) &&
			slices.ContainsFunc(r.out.posts, func(s string) bool { return strings.HasPrefix(s, "chat ") })
	})
	if m := r.out.mails[0]; m.To != "ops@shop.example" || !strings.Contains(m.Text, "What to do") || !strings.Contains(m.Text, "/incidents/"+row.ID) {
		t.Errorf("%+v", m)
	}
	// Nobody answers within half an hour: the lead is told, and nobody twice.
	r.quiet(31 * time.Minute)
	r.out.until(t, "the word to the lead", func() bool { return r.mailsTo("lead@shop.example") == 1 })
	r.submit(event.Event{Source: "console", Key: "ack", Actor: "usr_kim", Data: &event.IncidentAcknowledged{Task: row.ID, Note: "I call them"}})
	r.quiet(40 * time.Minute)
	if a := r.one(false).Task.Alarm; a.AckedBy != "usr_kim" || len(a.Told) != 2 || r.mailsTo("boss@shop.example") != 0 {
		t.Errorf("%+v", a)
	}
	// An order comes: the incident is over, and its owner learns that too.
	r.submit(r.order("web-shop", "DE", event.Live, r.clock()))
	r.turn()
	if got := r.incidents(false); len(got) != 0 {
		t.Fatalf("it is open still: %+v", got[0].Task)
	}
	if over := r.one(true); over.Task.Outcome != "recovered" {
		t.Fatalf("%+v", over.Task)
	}
	r.out.until(t, "the end", func() bool {
		return r.mailsTo("ops@shop.example") == 2 && slices.ContainsFunc(r.out.posts, func(s string) bool { return strings.Contains(s, `"action":"resolve"`) })
	})
}
