package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

const guardShop = `shop: Sample Shop
ops_owner: ops@shop.example
currency: EUR
mail: outbox
alert: pager
`

func limited(extra string) []store.Text {
	return []store.Text{
		{Kind: engine.KindShop, Name: "shop", Text: guardShop},
		{Kind: engine.KindAutomation, Name: "tag-all", Text: "automation: tag-all\nowner: tagger@shop.example\nwhy: A test of limits.\non: order.placed\ndo: [ { tag: tagged } ]\n" + extra},
	}
}

// quarterPast is a moment in the middle of an hour and a day, so that no window ends while a test runs.
var quarterPast = time.Date(2026, 5, 4, 9, 15, 0, 0, time.UTC)

// node opens one engine on a shop whose clock stands still.
func node(t *testing.T, url string, now func() time.Time) *rig {
	t.Helper()
	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), url, store.Options{Keyring: key, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.New(t.Context(), engine.Options{DB: db, Keyring: key, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	r := &rig{t: t, db: db, eng: eng, key: key}
	r.stop = func() {
		once.Do(func() {
			if err := eng.Close(context.Background()); err != nil {
				t.Error(err)
			}
			checkLaws(t, db, key)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

// rush submits n orders from many doors at once, spread over the nodes.
func rush(t *testing.T, prefix string, n int, total func(i int) int64, nodes ...*rig) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		r := nodes[i%len(nodes)]
		wg.Go(func() {
			o := placed(fmt.Sprintf("%s%d", prefix, i), "MUG", 1)
			o.Lines[0].UnitPrice = money.New(total(i), "EUR")
			out, err := r.eng.Submit(context.Background(), []event.Event{{Source: "shop", Key: o.Number, Data: o}})
			if err != nil || out[0].Status != engine.Decided {
				t.Errorf("order %d: %v %v", i, out, err)
			}
		})
	}
	wg.Wait()
}

// acted counts the orders that an automation tagged, and what they cost.
func acted(r *rig) (n int, minor int64) {
	r.view(func(tx *store.Tx) error {
		return tx.QueryRow(`SELECT count(*), coalesce(sum(total), 0) FROM orders WHERE doc LIKE '%"tagged"%'`).Scan(&n, &minor)
	})
	return n, minor
}

func guardOf(r *rig, name string) *automation.Guard {
	var g *automation.Guard
	r.view(func(tx *store.Tx) error {
		all, err := tx.AllGuards()
		g = all[name]
		return err
	})
	if g == nil {
		r.t.Fatalf("nothing is known of %s", name)
	}
	return g
}

func flat(int) int64 { return 1000 }

// TestLimitPerHour: of 200 orders at once exactly as many are acted on as the
// limit allows, whatever the groups and nodes; the rest is recorded and the owner told, once.
func TestLimitPerHour(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		testLimitPerHour(t, node(t, filepath.Join(t.TempDir(), "shop.db"), at(quarterPast)))
	})
	t.Run("postgres, two nodes", func(t *testing.T) {
		url := pgtest.URL(t)
		testLimitPerHour(t, node(t, url, at(quarterPast)), node(t, url, at(quarterPast)))
	})
}

func testLimitPerHour(t *testing.T, nodes ...*rig) {
	r := nodes[0]
	r.apply(limited("limits: { per_hour: 10 }\n")...)
	rush(t, "a", 200, flat, nodes...)
	if n, _ := acted(r); n != 10 {
		t.Fatalf("it acted on %d orders, its limit is 10 per hour", n)
	}
	g := guardOf(r, "tag-all")
	if g.Stop == nil || g.Stop.By != "orderly" || !strings.Contains(g.Stop.Reason, "10 firings per hour") {
		t.Fatalf("it is not stopped by its limit: %+v", g)
	}
	r.view(func(tx *store.Tx) error {
		sums, err := tx.FiringSums("tag-all", quarterPast.Add(-time.Hour), quarterPast.Add(time.Hour))
		want := []store.FiringSum{{How: "acted", Firings: 10, Orders: 10}, {How: "stopped", Firings: 190, Orders: 190}}
		if !slices.Equal(sums, want) {
			t.Errorf("firings %+v, want %+v", sums, want)
		}
		if err != nil {
			return err
		}
		var mails, hooks int
		err = tx.QueryRow(`SELECT count(*) FILTER (WHERE destination = 'outbox' AND payload LIKE '%tagger@shop.example%'), count(*) FILTER (WHERE destination = 'pager') FROM effect WHERE kind = 'alert'`).Scan(&mails, &hooks)
		if mails != 1 || hooks != 1 {
			t.Errorf("the owner was told by %d mails and %d webhooks", mails, hooks)
		}
		incidents, e2 := tx.Incidents(5)
		if len(incidents) != 1 || incidents[0].Task.Owner != "tagger@shop.example" || incidents[0].Task.Reasons[0].Automation != "tag-all" {
			t.Errorf("incidents %+v", incidents)
		}
		if err == nil {
			err = e2
		}
		return err
	})

	// Nobody but a person lets it go on, and then every count begins anew.
	rush(t, "b", 20, flat, nodes...)
	if n, _ := acted(r); n != 10 {
		t.Fatalf("it acted on %d orders while it was stopped", n-10)
	}
	last := nodes[len(nodes)-1]
	resume := func(key string) engine.Outcome {
		return last.submit(event.Event{Source: "console", Key: key, Actor: "usr_1", Data: &event.AutomationResumed{Automation: "tag-all", Reason: "It was the sale."}})[0]
	}
	if o := resume("go"); o.Status != engine.Decided {
		t.Fatal(o)
	}
	if o := resume("go-again"); o.Status != engine.Refused || !strings.Contains(o.Reason, "not stopped") {
		t.Fatalf("resuming twice: %+v", o)
	}
	r.view(func(tx *store.Tx) error {
		open, err := tx.Incidents(5)
		if len(open) != 0 {
			t.Errorf("the incident is still open after somebody let it go on: %+v", open)
		}
		return err
	})
	rush(t, "c", 50, flat, nodes...)
	if n, _ := acted(r); n != 20 {
		t.Fatalf("after it was resumed it acted on %d orders, its limit is 10 per hour", n-10)
	}
}

// TestLimitMoneyPerDay: the sum of what it acted on never passes the limit.
func TestLimitMoneyPerDay(t *testing.T) { onBoth(t, testLimitMoneyPerDay) }

func testLimitMoneyPerDay(t *testing.T, url string) {
	r := node(t, url, at(quarterPast))
	r.apply(limited("limits: { money_per_day: \"500 EUR\" }\n")...)
	rnd := rand.New(rand.NewPCG(3, 5))
	totals := make([]int64, 120)
	for i := range totals {
		totals[i] = 100 + rnd.Int64N(4000)
	}
	rush(t, "m", len(totals), func(i int) int64 { return totals[i] }, r)
	n, minor := acted(r)
	if minor > 50000 || minor < 50000-4100 || n == 0 {
		t.Fatalf("it acted on %d orders of %d minor units, its limit is 50000", n, minor)
	}
	if g := guardOf(r, "tag-all"); g.Spent != minor || g.Stop == nil || !strings.Contains(g.Stop.Reason, "500.00 EUR per day") {
		t.Fatalf("%+v, acted on %d", g, minor)
	}
}

// TestLimitOfAnotherCurrency: what cannot be counted is not let through.
func TestLimitOfAnotherCurrency(t *testing.T) {
	r := node(t, filepath.Join(t.TempDir(), "shop.db"), at(quarterPast))
	r.apply(limited("limits: { money_per_day: \"500 USD\" }\n")...)
	rush(t, "u", 3, flat, r)
	if n, _ := acted(r); n != 0 {
		t.Fatalf("it acted on %d orders in EUR under a limit in USD", n)
	}
	if g := guardOf(r, "tag-all"); g.Stop == nil || !strings.Contains(g.Stop.Reason, "currencies differ") {
		t.Fatalf("%+v", g)
	}
}

// TestLimitsOutliveTheProcess: a restart does not begin a window anew; the next hour and day do.
func TestLimitsOutliveTheProcess(t *testing.T) { onBoth(t, testLimitsOutliveTheProcess) }

func testLimitsOutliveTheProcess(t *testing.T, url string) {
	r := node(t, url, at(quarterPast))
	r.apply(limited("limits: { per_hour: 10, money_per_day: \"150 EUR\" }\n")...)
	rush(t, "a", 7, flat, r)
	r.stop()
	r = node(t, url, at(quarterPast.Add(40*time.Minute)))
	rush(t, "b", 3, flat, r)
	if n, _ := acted(r); n != 10 || guardOf(r, "tag-all").Stop != nil {
		t.Fatalf("it acted on %d orders of 10", n)
	}
	r.stop()
	r = node(t, url, at(quarterPast.Add(50*time.Minute))) // the next hour
	rush(t, "c", 9, flat, r)
	if n, _ := acted(r); n != 15 { // 150 EUR
		t.Fatalf("it acted on %d orders of 10 EUR, its limit is 150 EUR per day", n)
	}
}

// TestPersonStops: whoever stops an automation, with or without limits, it does nothing from the next event on.
func TestPersonStops(t *testing.T) { onBoth(t, testPersonStops) }

func testPersonStops(t *testing.T, url string) {
	r := node(t, url, at(quarterPast))
	r.apply(limited("")...)
	rush(t, "a", 2, flat, r)
	stop := func(name string) engine.Outcome {
		r.n++
		return r.submit(event.Event{Source: "console", Key: fmt.Sprint("stop", r.n), Actor: "usr_1", Data: &event.AutomationStopped{Automation: name, Reason: "It tags too much."}})[0]
	}
	if o := stop("tag-none"); o.Status != engine.Refused || !strings.Contains(o.Reason, "no automation") {
		t.Fatalf("%+v", o)
	}
	if o := stop("tag-all"); o.Status != engine.Decided {
		t.Fatalf("%+v", o)
	}
	r.view(func(tx *store.Tx) error { // whoever it was, the owner hears of it
		var mails, hooks int
		err := tx.QueryRow(`SELECT count(*) FILTER (WHERE destination = 'outbox' AND payload LIKE '%tagger@shop.example%'), count(*) FILTER (WHERE destination = 'pager') FROM effect WHERE kind = 'alert'`).Scan(&mails, &hooks)
		if mails != 1 || hooks != 1 {
			t.Errorf("the owner was told by %d mails and %d webhooks", mails, hooks)
		}
		return err
	})
	if o := stop("tag-all"); o.Status != engine.Refused || !strings.Contains(o.Reason, "stopped already") {
		t.Fatalf("%+v", o)
	}
	r.apply(limited("# applied again\n")...) // a new version is no permission
	rush(t, "b", 3, flat, r)
	if n, _ := acted(r); n != 2 {
		t.Fatalf("it acted on %d orders", n)
	}
	r.view(func(tx *store.Tx) error {
		rows, err := tx.FiringsNotActed("tag-all", quarterPast, quarterPast.Add(time.Second), 10)
		if len(rows) != 3 || rows[0].Number == "" || !strings.Contains(rows[0].Trace, "It tags too much.") {
			t.Errorf("%+v", rows)
		}
		return err
	})
}

// TestCircleOnOneOrder: an automation whose acting comes back as an event stops on that order, and on that order only.
func TestCircleOnOneOrder(t *testing.T) {
	r := node(t, filepath.Join(t.TempDir(), "shop.db"), at(quarterPast))
	r.products(catalog.Product{SKU: "MUG"})
	r.apply(
		store.Text{Kind: engine.KindShop, Name: "shop", Text: guardShop},
		store.Text{Kind: engine.KindAutomation, Name: "ask", Text: "automation: ask\nowner: asker@shop.example\nwhy: A test of circles.\non: order.paid\ndo: [ { webhook: erp } ]\nlimits: { per_order: 5 }\n"},
	)
	r.decided(placed("1", "MUG", 1))
	r.decided(placed("2", "MUG", 1))
	for i := range 9 {
		r.decided(&event.OrderPaid{Channel: "web", Number: "1", Amount: money.New(10, "EUR"), Reference: fmt.Sprint(i)})
	}
	for _, ref := range []string{"of the order", "x"} { // the first is the payment that came with the order
		r.decided(&event.OrderPaid{Channel: "web", Number: "2", Amount: money.New(10, "EUR"), Reference: ref})
	}
	r.view(func(tx *store.Tx) error {
		var one, two, told int
		err := tx.QueryRow(`SELECT count(*) FILTER (WHERE order_id = $1), count(*) FILTER (WHERE order_id = $2) FROM effect WHERE destination = 'erp'`, event.OrderID("web", "1"), event.OrderID("web", "2")).Scan(&one, &two)
		if one != 5 || two != 1 {
			t.Errorf("%d calls for the order in the circle, %d for the other", one, two)
		}
		if err != nil {
			return err
		}
		open, err := tx.Incidents(5)
		if len(open) != 1 || open[0].OrderID != event.OrderID("web", "1") || open[0].Task.Owner != "asker@shop.example" {
			t.Errorf("%+v", open)
		}
		if err != nil {
			return err
		}
		err = tx.QueryRow(`SELECT count(*) FROM effect WHERE kind = 'alert' AND destination = 'outbox' AND payload LIKE '%asker@shop.example%'`).Scan(&told)
		if told != 1 {
			t.Errorf("the owner was told %d times", told)
		}
		return err
	})
}
