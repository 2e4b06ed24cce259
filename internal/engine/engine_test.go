package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// rig is an engine on a fresh store.
type rig struct {
	t    testing.TB
	db   *store.DB
	eng  *engine.Engine
	key  *store.Keyring
	n    int
	stop func()
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return openRig(t, filepath.Join(t.TempDir(), "shop.db"), engine.Options{})
}

// onBoth runs a test on SQLite and on PostgreSQL, each on a fresh database.
func onBoth(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, filepath.Join(t.TempDir(), "shop.db")) })
	t.Run("postgres", func(t *testing.T) { f(t, pgtest.URL(t)) })
}

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

func openRig(t testing.TB, url string, o engine.Options) *rig {
	t.Helper()
	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), url, store.Options{Keyring: key})
	if err != nil {
		t.Fatal(err)
	}
	o.DB, o.Keyring = db, key
	eng, err := engine.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if _, test := t.(*testing.T); test {
			checkLaws(t, db, key)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t: t, db: db, eng: eng, key: key}
}

// checkLaws: whatever a test did, the laws hold.
func checkLaws(t testing.TB, db *store.DB, key *store.Keyring) {
	t.Helper()
	rep, err := doctor.Check(context.Background(), db, key)
	if err != nil {
		t.Error(err)
	}
	for _, l := range rep.Laws {
		if !l.OK {
			t.Errorf("law %s: %s", l.Name, l.Offender)
		}
	}
}

func (r *rig) update(f func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.db.Update(r.t.Context(), f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) view(f func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.db.View(r.t.Context(), f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) apply(texts ...store.Text) {
	r.t.Helper()
	if _, err := r.eng.Apply(r.t.Context(), texts, "tester", "", false); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) products(ps ...catalog.Product) {
	r.t.Helper()
	r.update(func(tx *store.Tx) error { return store.UpsertProducts(tx, ps) })
}

// do submits one event under its own key and returns the outcome.
func (r *rig) do(p event.Payload) engine.Outcome {
	r.t.Helper()
	r.n++
	return r.submit(event.Event{Source: "shop", Key: fmt.Sprintf("k%d", r.n), Data: p})[0]
}

func (r *rig) submit(evs ...event.Event) []engine.Outcome {
	r.t.Helper()
	out, err := r.eng.Submit(r.t.Context(), evs)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) decided(p event.Payload) {
	r.t.Helper()
	if o := r.do(p); o.Status != engine.Decided {
		r.t.Fatalf("%s: %s %s", p.EventType(), o.Status, o.Reason)
	}
}

func (r *rig) order(number string) *order.Order {
	r.t.Helper()
	id := event.OrderID("web", number)
	var o *order.Order
	r.view(func(tx *store.Tx) error {
		rows, err := store.Orders(tx, []string{id})
		o = rows[id].Order
		return err
	})
	if o == nil {
		r.t.Fatalf("there is no order %s", number)
	}
	return o
}

func placed(number string, sku string, qty int64) *event.OrderPlaced {
	return &event.OrderPlaced{
		Channel: "web", Number: number, Currency: "EUR",
		Lines:    []event.Line{{SKU: sku, Qty: qty, UnitPrice: money.New(1000, "EUR")}},
		Customer: event.Buyer{Email: "buyer" + number + "@example.com", Name: "Sample Buyer " + number},
		Shipping: event.Address{Name: "Sample Buyer " + number, Line1: "Sample Street 1", City: "Berlin", Postal: "10115", Country: "DE"},
		Payment:  event.Payment{Status: event.PaymentPaid},
		IP:       "198.51.100.7",
	}
}

func TestSubmitDecidesAndRemembers(t *testing.T) { onBoth(t, testSubmitDecidesAndRemembers) }

func testSubmitDecidesAndRemembers(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
	ev := event.Event{Source: "shop", Key: "once", Data: placed("1", "MUG", 2)}
	first := r.submit(ev)[0]
	if first.Status != engine.Decided {
		t.Fatal(first)
	}
	if o := r.order("1"); o.State != order.Ready {
		t.Fatalf("state %s", o.State)
	}
	again := r.submit(event.Event{Source: "shop", Key: "once", Data: placed("1", "MUG", 2)})[0]
	if again.Status != engine.Duplicate || again.EventID != first.EventID {
		t.Fatal(again)
	}
	other := r.submit(event.Event{Source: "shop", Key: "once", Data: placed("1", "MUG", 3)})[0]
	if other.Status != engine.Conflict {
		t.Fatal(other)
	}
	r.view(func(tx *store.Tx) error {
		bs, err := store.Balances(tx, []string{"MUG"})
		if b := bs["MUG"][0]; b.OnHand != 5 || b.Reserved != 2 {
			t.Errorf("%+v", b)
		}
		return err
	})
}

// TestPersonalDataIsSealed looks for the buyer's name in every text of the database.
func TestPersonalDataIsSealed(t *testing.T) { onBoth(t, testPersonalDataIsSealed) }

func testPersonalDataIsSealed(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
	r.decided(placed("1", "MUG", 2))
	r.view(func(tx *store.Tx) error {
		var n int
		err := tx.QueryRow(`SELECT (SELECT count(*) FROM event WHERE data LIKE '%buyer1@%' OR data LIKE '%Sample Street%' OR trace LIKE '%buyer1@%' OR facts LIKE '%buyer1@%' OR data LIKE '%198.51.100.7%')
			+ (SELECT count(*) FROM orders WHERE doc LIKE '%buyer1@%' OR doc LIKE '%Sample Street%' OR doc LIKE '%198.51.100.7%')`).Scan(&n)
		if n != 0 {
			t.Errorf("%d rows hold personal data in the clear", n)
		}
		rows, e2 := store.Orders(tx, []string{event.OrderID("web", "1")})
		for _, d := range rows {
			keys, e3 := store.Customers(tx, []string{d.Order.CustomerID})
			if e3 != nil {
				return e3
			}
			pd, e4 := r.key.Open(d.Order.CustomerID, keys[d.Order.CustomerID].Key, d.Sealed)
			if e4 != nil || pd.Email != "buyer1@example.com" || pd.ShippingLine1 != "Sample Street 1" {
				t.Errorf("%+v %v", pd, e4)
			}
		}
		if err == nil {
			err = e2
		}
		return err
	})
}

// TestFiftyBuyersTenUnits: concurrent buyers, exactly what is there is sold.
func TestFiftyBuyersTenUnits(t *testing.T) {
	onBoth(t, func(t *testing.T, _ string) { testFiftyBuyers(t) })
}

func testFiftyBuyers(t *testing.T) {
	for name, c := range map[string]struct {
		build func(n int) *event.OrderPlaced
		units func(o *order.Order) int64
	}{
		"single": {func(n int) *event.OrderPlaced { return placed(fmt.Sprint(n), "MUG", 1) }, func(*order.Order) int64 { return 1 }},
		"kit":    {func(n int) *event.OrderPlaced { return placed(fmt.Sprint(n), "SET", 1) }, func(*order.Order) int64 { return 2 }},
		"two lines": {func(n int) *event.OrderPlaced {
			p := placed(fmt.Sprint(n), "MUG", 1)
			p.Lines = append(p.Lines, p.Lines[0])
			return p
		}, func(*order.Order) int64 { return 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			url := filepath.Join(t.TempDir(), "shop.db")
			if strings.Contains(t.Name(), "postgres") {
				url = pgtest.URL(t)
			}
			r := openRig(t, url, engine.Options{})
			r.products(catalog.Product{SKU: "MUG"}, catalog.Product{SKU: "SET", Components: []catalog.Component{{SKU: "MUG", Qty: 2}}})
			r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 10})
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					out, err := r.eng.Submit(context.Background(), []event.Event{{Source: "shop", Key: fmt.Sprint("b", i), Data: c.build(i)}})
					if err != nil || out[0].Status != engine.Decided {
						t.Errorf("%v %v", out, err)
					}
				}()
			}
			wg.Wait()
			sold, unfillable := int64(0), 0
			for i := range 50 {
				o := r.order(fmt.Sprint(i))
				switch o.State {
				case order.Ready:
					sold += c.units(o)
				case order.Unfillable:
					unfillable++
				default:
					t.Errorf("order %d is %s", i, o.State)
				}
			}
			if sold != 10 {
				t.Errorf("%d units sold, %d unfillable", sold, unfillable)
			}
			r.view(func(tx *store.Tx) error {
				bs, err := store.Balances(tx, []string{"MUG"})
				if b := bs["MUG"][0]; b.OnHand != 10 || b.Reserved != 10 {
					t.Errorf("%+v", b)
				}
				return err
			})
		})
	}
}

func TestUndecidableEventIsQuarantined(t *testing.T) { onBoth(t, testUndecidableEventIsQuarantined) }

func testUndecidableEventIsQuarantined(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	out := r.do(&event.ShipmentShipped{Channel: "web", Number: "nobody", Location: "a"})
	if out.Status != engine.Quarantined || out.Reason == "" {
		t.Fatal(out)
	}
	refused := r.submit(event.Event{Source: "console", Key: "c1", Data: &event.OrderHoldRequested{Order: "ord_none", Reason: "x"}})[0]
	if refused.Status != engine.Refused {
		t.Fatal(refused)
	}
	r.view(func(tx *store.Tx) error {
		rows, err := tx.QuarantinedEvents(10)
		if len(rows) != 1 {
			t.Errorf("%d quarantined", len(rows))
		}
		return err
	})
}

func TestQuarantinedEventIsReplayed(t *testing.T) { onBoth(t, testQuarantinedEventIsReplayed) }

func testQuarantinedEventIsReplayed(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
	early := r.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a"})
	if early.Status != engine.Quarantined {
		t.Fatal(early)
	}
	if out, err := r.eng.ReplayEvent(t.Context(), early.EventID); err != nil || out.Status != engine.Quarantined {
		t.Fatal(out, err)
	}
	r.decided(placed("1", "MUG", 2))
	if out, err := r.eng.ReplayEvent(t.Context(), early.EventID); err != nil || out.Status != engine.Decided {
		t.Fatal(out, err)
	}
	if o := r.order("1"); o.State != order.Shipped {
		t.Fatal(o.State)
	}

	// Several people ask at once: it is decided once, and none of them sees an error of ours.
	count := r.do(&event.StockAdjusted{SKU: "MUG", Location: "a", Delta: -50, Reason: "lost"})
	if count.Status != engine.Quarantined {
		t.Fatal(count)
	}
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 60})
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			if out, err := r.eng.ReplayEvent(t.Context(), count.EventID); err == nil && out.Status == engine.Quarantined || err != nil && fault.KindOf(err) != fault.Conflict {
				t.Error(out, err)
			}
		})
	}
	g.Wait()
	r.view(func(tx *store.Tx) error {
		row, err := tx.StockOf("MUG")
		if row.OnHand != 5-2+60-50 {
			t.Errorf("on hand %d", row.OnHand)
		}
		return err
	})
	if _, err := r.eng.ReplayEvent(t.Context(), early.EventID); err == nil {
		t.Fatal("a decided event was replayed")
	}
}

func TestADecisionIsPartOfTheOrdersStory(t *testing.T) {
	r := newRig(t)
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
	r.decided(placed("1", "MUG", 2))
	id := event.OrderID("web", "1")
	r.decided(&event.OrderHoldRequested{Order: id, Reason: "let me look"})
	var review string
	r.view(func(tx *store.Tx) error {
		ts, err := store.TasksOfSubjects(tx, []string{id})
		review = ts[id][0].ID
		return err
	})
	r.decided(&event.TaskDecided{Task: review, Outcome: "approve"})
	r.view(func(tx *store.Tx) error {
		story, _, err := tx.OrderStory(id, 100)
		if last := story[len(story)-1]; last.Type != "order.ready" && last.Type != "task.decided" {
			t.Errorf("the story ends with %s", last.Type)
		}
		found := false
		for _, e := range story {
			found = found || e.Type == "task.decided"
		}
		if !found {
			t.Error("the decision is not in the story")
		}
		return err
	})
	if o := r.order("1"); o.State != order.Ready {
		t.Fatal(o.State)
	}
}

func TestVelocityCountsAcrossAndInsideGroups(t *testing.T) {
	onBoth(t, testVelocityCountsAcrossAndInsideGroups)
}

func testVelocityCountsAcrossAndInsideGroups(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.apply(store.Text{Kind: engine.KindAutomation, Name: "hold-device", Text: `automation: hold-device
owner: risk@shop.example
why: many orders from one device
on: order.placed
when: velocity("order.placed", "order.device", "1h") >= 3
do:
  - hold: { queue: risk, reason: many orders }
`})
	r.products(catalog.Product{SKU: "MUG"})
	r.decided(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	var evs []event.Event
	for i := range 6 {
		p := placed(fmt.Sprint(i), "MUG", 1)
		p.Device = "device-1"
		ev := event.Event{Source: "shop", Key: fmt.Sprint("v", i), Data: p}
		if i < 2 {
			r.submit(ev) // in groups of their own
			continue
		}
		evs = append(evs, ev)
	}
	r.submit(evs...) // all in one group
	for i := range 6 {
		want := order.Ready
		if i >= 3 {
			want = order.Held
		}
		if got := r.order(fmt.Sprint(i)).State; got != want {
			t.Errorf("order %d is %s, want %s", i, got, want)
		}
	}
}

func TestTimersFireOnce(t *testing.T) { onBoth(t, testTimersFireOnce) }

func testTimersFireOnce(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	r.products(catalog.Product{SKU: "LAMP", Backorder: true})
	r.decided(placed("1", "LAMP", 2))
	if s := r.order("1").State; s != order.Backordered {
		t.Fatal(s)
	}
	r.decided(&event.StockReceived{SKU: "LAMP", Location: "a", Qty: 2})
	ctx, cancel := context.WithCancel(t.Context())
	topics := r.eng.Subscribe(ctx)
	done := make(chan error, 1)
	go func() { done <- r.eng.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	for r.order("1").State != order.Ready {
		select {
		case <-topics:
		case <-deadline:
			t.Fatalf("still %s", r.order("1").State)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r.view(func(tx *store.Tx) error {
		ts, err := store.DueTimers(tx, time.Now().AddDate(1, 0, 0), 10)
		if len(ts) != 0 {
			t.Errorf("timers left: %+v", ts)
		}
		return err
	})
}
