package engine_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// What a mail system took must not be sent again, as long as no process dies. These tests hold the
// paths by which it could be.

// mailShop is a rig whose engine decides but does not deliver: nodes do.
func mailShop(t *testing.T, url string) *rig {
	t.Helper()
	r := openRig(t, url, engine.Options{})
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML},
		store.Text{Kind: engine.KindAutomation, Name: "order-confirmation", Text: confirmationYAML})
	r.products(catalog.Product{SKU: "MUG", Title: "Sample Mug"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	return r
}

// node runs an engine beside that of the rig until stop is called.
func (r *rig) node(o engine.Options) (eng *engine.Engine, stop func()) {
	r.t.Helper()
	if o.DB == nil {
		o.DB = r.db
	}
	o.Keyring = r.key
	eng, err := engine.New(r.t.Context(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- eng.Run(context.WithoutCancel(r.t.Context())) }()
	stop = sync.OnceFunc(func() {
		if err := eng.Close(context.Background()); err != nil {
			r.t.Error(err)
		}
		if err := <-ran; err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(stop)
	return eng, stop
}

// mailsDone waits until n mails are recorded as sent.
func (r *rig) mailsDone(n int) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d mails are done", n), func(tx *store.Tx) (bool, error) {
		var done int
		err := tx.QueryRow("SELECT count(*) FROM effect WHERE kind = 'mail' AND state = 'done'").Scan(&done)
		return done == n, err
	})
}

// once checks that no mail was taken twice.
func (o *outside) once(t *testing.T) {
	t.Helper()
	for id, n := range o.mail.IDs() {
		if n != 1 {
			t.Errorf("the mail %s was taken %d times", id, n)
		}
	}
}

func waitMails(t *testing.T, out *outside, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := out.mail.Wait(ctx, n); err != nil {
		t.Fatal(err)
	}
}

// A node that is stopped while a slow mail server has the message waits for the answer.
func TestAStopLetsAMailBeAnswered(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		out := newOutside(t)
		r := mailShop(t, url)
		answer := make(chan struct{})
		out.mail.Fail(fake.MailFault{Hold: answer})
		_, stop := r.node(engine.Options{Ports: out, Schedule: quick})
		r.decided(placed("1", "MUG", 2))
		waitMails(t, out, 1)
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		select { // long enough for a stop that tears the message out of its hand-over
		case <-stopped:
			t.Error("the node stopped without the answer")
		case <-time.After(500 * time.Millisecond):
		}
		close(answer)
		<-stopped
		r.node(engine.Options{Ports: out, Schedule: quick})
		r.mailsDone(1)
		out.once(t)
	})
}

// slowMails is a mail connection on whose clock each message takes a while.
type slowMails struct {
	outside
	db    *store.DB
	clock func() time.Time
	add   func(time.Duration)
	t     *testing.T
}

func (s *slowMails) Mailer(context.Context, string) (connect.Mailer, error) { return s, nil }

// Send implements connect.Mailer.
func (s *slowMails) Send(ctx context.Context, m connect.Message) (connect.Receipt, error) {
	err := s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := store.Effects(tx, []string{m.ID})
		// What follows may take the time of an attempt to begin, and that of a hand-over.
		if left := rows[0].Due.Sub(s.clock()); rows[0].State != effect.Claimed || left < 2*connect.HandOver {
			s.t.Errorf("a message begins while its effect is %s and %v of its claim are left", rows[0].State, left)
		}
		return err
	})
	s.add(15 * time.Second)
	return connect.Receipt{Text: "250 ok"}, err
}

// However slow the messages of a job before it were, each begins under a claim that outlives it.
func TestAClaimOutlivesItsMessage(t *testing.T) {
	var mu sync.Mutex
	var ahead time.Duration
	out := &slowMails{outside: *newOutside(t), t: t}
	out.clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
	out.add = func(d time.Duration) { mu.Lock(); defer mu.Unlock(); ahead += d }
	url := filepath.Join(t.TempDir(), "shop.db")
	r := mailShop(t, url)
	db, err := store.Open(t.Context(), url, store.Options{Keyring: r.key, Now: out.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	out.db = db
	var evs []event.Event
	for i := range 6 {
		n := fmt.Sprint(i)
		evs = append(evs, event.Event{Source: "shop", Key: "slow" + n, Data: placed(n, "MUG", 1)})
	}
	r.submit(evs...)
	_, stop := r.node(engine.Options{DB: db, Now: out.clock, Ports: out, Schedule: quick})
	r.mailsDone(6)
	stop()
}

// cutting is a mail connection whose first message is taken while the database cuts every connection.
type cutting struct {
	*outside
	url  string
	once sync.Once
	cut  chan struct{} // closed when it is done
}

func (c *cutting) Mailer(context.Context, string) (connect.Mailer, error) { return c, nil }

// Send implements connect.Mailer.
func (c *cutting) Send(ctx context.Context, m connect.Message) (connect.Receipt, error) {
	rec, err := c.m.Send(ctx, m)
	c.once.Do(func() {
		defer close(c.cut)
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, c.url); err != nil {
			return
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	})
	return rec, err
}

// What was sent is recorded also when the database was away at that moment.
func TestACutConnectionDoesNotForgetWhatWasSent(t *testing.T) {
	out := newOutside(t)
	url := pgtest.URL(t)
	r := mailShop(t, url)
	r.decided(placed("1", "MUG", 2))
	cut := &cutting{outside: out, url: url, cut: make(chan struct{})}
	r.node(engine.Options{Ports: cut, Schedule: quick})
	select {
	case <-cut.cut: // a question of this test that is cut in its middle would be an error
	case <-time.After(time.Minute):
		t.Fatal("no message left")
	}
	r.mailsDone(1)
	out.once(t)
}

// A node that stood still in the middle of a group keeps the effects of its orders locked until the server ends its session.
// What is sent for other orders is claimed and recorded meanwhile.
func TestAnEffectThatIsHeldHoldsUpNoOther(t *testing.T) {
	ctx, out, url := t.Context(), newOutside(t), pgtest.URL(t)
	r := mailShop(t, url)
	answer := make(chan struct{})
	out.mail.Fail(fake.MailFault{Hold: answer})
	r.decided(placed("1", "MUG", 2))
	r.node(engine.Options{Ports: out, Schedule: quick})
	waitMails(t, out, 1)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	stopped, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stopped.Exec(ctx, "SELECT id FROM effect FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	close(answer)
	r.decided(placed("2", "MUG", 2))
	r.mailsDone(1)
	if err := stopped.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	r.mailsDone(2)
	out.once(t)
}

// A node whose clock is an hour ahead takes nothing from the hands of another, and what it decides leaves at once.
func TestAClockThatIsAheadTakesNoClaim(t *testing.T) {
	out := newOutside(t)
	url := pgtest.URL(t)
	r := mailShop(t, url)
	answer := make(chan struct{})
	out.mail.Fail(fake.MailFault{Hold: answer})
	r.node(engine.Options{Ports: out, Schedule: quick})
	r.decided(placed("1", "MUG", 2))
	waitMails(t, out, 1)

	ahead := func() time.Time { return time.Now().Add(time.Hour) }
	db, err := store.Open(t.Context(), url, store.Options{Keyring: r.key, Now: ahead})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	eng, stop := r.node(engine.Options{DB: db, Now: ahead, Ports: out, Schedule: quick})
	if _, err := eng.Submit(t.Context(), []event.Event{{Source: "shop", Key: "ahead", Data: placed("2", "MUG", 2)}}); err != nil {
		t.Fatal(err)
	}
	waitMails(t, out, 2)
	close(answer)
	r.mailsDone(2)
	stop()
	out.once(t)
}
