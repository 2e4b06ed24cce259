package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/connect/smtp"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// outside is a real mail server and a real webhook receiver, in this process.
type outside struct {
	mail *fake.SMTP
	hook *fake.Receiver
	m    *smtp.Mailer
	h    *hook.Poster
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	mail, err := fake.StartSMTP(ctx, fake.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	recv, err := fake.StartReceiver(ctx, fake.ReceiverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host, port := mail.HostPort()
	m, err := smtp.New(smtp.Settings{Host: host, Port: port, TLS: smtp.None, From: "orders@shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hook.New(hook.Settings{URL: recv.URL(), Secrets: []connect.Secret{recv.Secret()}, Guard: connect.Guard{AllowPrivate: true, AllowHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(); _ = mail.Close(); _ = recv.Close() })
	return &outside{mail: mail, hook: recv, m: m, h: h}
}

func (o *outside) Mailer(context.Context, string) (connect.Mailer, error) { return o.m, nil }
func (o *outside) Hook(context.Context, string) (connect.Hook, error)     { return o.h, nil }

var quick = &connect.Schedule{First: 20 * time.Millisecond, Longest: 50 * time.Millisecond, Attempts: 3}

const shopYAML = `shop: Sample Shop
mail: mail
fulfilment: warehouse
alert: pager
ops_owner: ops@shop.example
`

const confirmationYAML = `automation: order-confirmation
owner: ops@shop.example
why: buyers want to know
on: order.accepted
do:
  - message: { template: order-confirmation, to: customer }
`

// running is a rig whose engine works deliveries and timers.
func running(t *testing.T, url string, out *outside) *rig {
	t.Helper()
	r := openRig(t, url, engine.Options{Ports: out, Schedule: quick})
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: shopYAML},
		store.Text{Kind: engine.KindAutomation, Name: "order-confirmation", Text: confirmationYAML})
	r.products(catalog.Product{SKU: "MUG", Title: "Sample Mug"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.eng.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

// until waits for a condition on the store, looking again with every change.
func (r *rig) until(what string, ok func(tx *store.Tx) (bool, error)) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	topics := r.eng.Subscribe(ctx)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var done bool
		r.view(func(tx *store.Tx) (err error) {
			done, err = ok(tx)
			return err
		})
		if done {
			return
		}
		select {
		case <-topics:
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("waited in vain for: %s", what)
		}
	}
}

func effects(tx *store.Tx, order, state string) (int, error) {
	var n int
	err := tx.QueryRow("SELECT count(*) FROM effect WHERE order_id = $1 AND state = $2", order, state).Scan(&n)
	return n, err
}

func TestConfirmationAndFulfilmentLeaveOnce(t *testing.T) { onBoth(t, testLeaveOnce) }

func testLeaveOnce(t *testing.T, url string) {
	out := newOutside(t)
	r := running(t, url, out)
	p := placed("1", "MUG", 2)
	for range 3 { // told three times under other keys
		r.do(p)
	}
	id := event.OrderID("web", "1")
	r.until("both effects are done", func(tx *store.Tx) (bool, error) {
		n, err := effects(tx, id, string(effect.Done))
		return n == 2, err
	})
	mails := out.mail.Messages()
	if len(mails) != 1 || !strings.Contains(mails[0].Subject, "1") || mails[0].To[0] != "buyer1@example.com" {
		t.Fatalf("%d mails: %+v", len(mails), mails)
	}
	docs := out.hook.Documents()
	if len(docs) != 1 {
		t.Fatalf("%d documents", len(docs))
	}
	var body struct {
		Type, Location string
		Lines          []event.ShippedLine
		Order          struct {
			Number string
			Ship   event.Address `json:"ship_to"`
		}
	}
	if err := json.Unmarshal(docs[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Type != "fulfilment" || body.Location != "a" || body.Order.Ship.Line1 != "Sample Street 1" || len(body.Lines) != 1 || body.Lines[0].Qty != 2 {
		t.Fatalf("%s", docs[0].Body)
	}
}

// TestARetryAndAReplaySendTheSame: each attempt of a webhook sends the same bytes under the same webhook-id, whatever came
// of the order and the policy meanwhile, as the receiver may have taken the first.
func TestARetryAndAReplaySendTheSame(t *testing.T) {
	out := newOutside(t)
	r := running(t, filepath.Join(t.TempDir(), "shop.db"), out)
	const call = "automation: call-erp\nowner: erp@shop.example\nwhy: The ERP books what is sold.\non: order.accepted\ndo: [ { webhook: erp } ]\n"
	shop := store.Text{Kind: engine.KindShop, Name: "shop", Text: strings.ReplaceAll(shopYAML, "alert: pager\n", "")}
	r.apply(shop, store.Text{Kind: engine.KindAutomation, Name: "call-erp", Text: call})
	faults := make([]fake.HookFault, 2*quick.Attempts)
	for i := range faults {
		faults[i] = fake.HookFault{Status: 503}
	}
	out.hook.Fail(faults...)
	r.decided(placed("1", "MUG", 2))
	id := event.OrderID("web", "1")
	r.until("both webhooks are dead letters", func(tx *store.Tx) (bool, error) {
		n, err := effects(tx, id, string(effect.Dead))
		return n == 2, err
	})
	// Meanwhile the shop has another name, the automation another text, and the order another state.
	shop.Text = strings.Replace(shop.Text, "Sample Shop", "Other Shop", 1)
	r.apply(shop, store.Text{Kind: engine.KindAutomation, Name: "call-erp", Text: strings.Replace(call, "webhook: erp", "webhook: { connection: erp, purpose: sold }", 1)})
	r.decided(&event.PaymentDisputed{Channel: "web", Number: "1", Reason: "fraud", Amount: money.New(2000, "EUR")})
	r.decided(&event.ShipmentLabelled{Channel: "web", Number: "1", Location: "a", Tracking: "T1", Carrier: "sample"})
	var dead []string
	r.view(func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var one string
			err := scan(&one)
			dead = append(dead, one)
			return err
		}, "SELECT id FROM effect WHERE state = 'dead' ORDER BY id")
	})
	if n, err := r.eng.ReplayEffects(t.Context(), dead, store.Replay{Actor: "ann", Twice: true}); err != nil || n.Replayed != 2 {
		t.Fatal(n, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := out.hook.Wait(ctx, 2); err != nil {
		t.Fatal(err)
	}
	came := map[string][]fake.Document{}
	for _, d := range out.hook.Arrivals() {
		came[d.ID] = append(came[d.ID], d)
	}
	for _, one := range dead {
		if len(came[one]) != quick.Attempts+1 {
			t.Fatalf("%s came %d times, want each attempt and the replay: %v", one, len(came[one]), came)
		}
		for i, d := range came[one] {
			if !bytes.Equal(d.Body, came[one][0].Body) {
				t.Errorf("attempt %d sends\n%s, the first sent\n%s", i+1, d.Body, came[one][0].Body)
			}
		}
	}
}

// deadSubjects are the subjects of the incidents that the dead letters are told by: one for each cause.
func deadSubjects(tx *store.Tx) (out []string, err error) {
	rows, _, err := tx.DeadEffects("", 50)
	for _, f := range rows {
		if s := event.DeadSubject(f.Destination, effect.CauseKey(f.Destination, f.LastError)); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, err
}

func TestDeadEffectOpensAnIncidentAndIsReplayed(t *testing.T) { onBoth(t, testDeadEffect) }

func testDeadEffect(t *testing.T, url string) {
	out := newOutside(t)
	r := running(t, url, out)
	out.hook.Fail(fake.HookFault{Status: 500}, fake.HookFault{Status: 503}, fake.HookFault{Status: 500})
	r.decided(placed("1", "MUG", 2))
	id := event.OrderID("web", "1")
	r.until("the request is a dead letter", func(tx *store.Tx) (bool, error) {
		n, err := effects(tx, id, string(effect.Dead))
		return n == 1, err
	})
	r.until("an incident is open", func(tx *store.Tx) (bool, error) {
		about, err := deadSubjects(tx)
		if err != nil || len(about) != 1 {
			return false, err
		}
		ts, err := store.TasksOfSubjects(tx, about)
		return len(ts) == 1 && ts[about[0]][0].Kind == task.Incident, err
	})
	// The owner is told by mail and by the alert webhook.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := out.mail.Wait(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := out.hook.Wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	var dead string
	r.view(func(tx *store.Tx) error { return tx.QueryRow("SELECT id FROM effect WHERE state = 'dead'").Scan(&dead) })
	if n, err := r.eng.ReplayEffects(t.Context(), []string{dead}, store.Replay{Actor: "ann"}); err != nil || n.Replayed != 1 {
		t.Fatal(n, err)
	}
	r.until("the replayed request is done", func(tx *store.Tx) (bool, error) {
		n, err := effects(tx, id, string(effect.Done))
		return n == 2, err
	})
	if n, err := r.eng.ReplayEffects(t.Context(), []string{dead}, store.Replay{Actor: "ann", Twice: true}); err != nil || n.Replayed != 0 {
		t.Fatal("a delivered effect was replayed", n, err)
	}
}
