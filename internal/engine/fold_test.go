package engine_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/store"
)

// TestFoldOfHistoryGivesTheSameDecisions replays what a shop stored, in decided_seq order, against
// a working set that starts empty and is only ever changed by Apply: every trace and every fact must
// come out byte for byte as it was stored by the live run with its groups, loads and locks.
func TestFoldOfHistoryGivesTheSameDecisions(t *testing.T) {
	r := newRig(t)
	texts := []store.Text{{Kind: engine.KindShop, Name: "shop", Text: shopYAML}}
	files, err := filepath.Glob("../../examples/bench/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no automations", err)
	}
	for _, f := range files {
		a := readFile(t, f)
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: automationName(f), Text: a})
	}
	for name, extra := range map[string]string{ // what a decision counts is a part of what is replayed
		"limited": "limits: { per_hour: 60, money_per_day: \"100000 EUR\" }\n", "dear": "limits: { money_per_day: \"900 EUR\" }\n",
		"trial": "mode: canary\nshare: 40%\n", "quiet": "mode: shadow\n",
	} {
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: name, Text: "automation: " + name +
			"\nowner: a@shop.example\nwhy: It is counted.\non: order.placed\nwhen: order.units > 1\ndo: [ { tag: " + name + " } ]\n" + extra})
	}
	texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: "run-frail", Text: frailYAML})
	texts = append(texts, runTexts("first")...)
	r.apply(texts...)
	policies := map[int64]*decide.Policy{r.eng.Policy().Revision: r.eng.Policy()}
	shop := sim.New(7, "f-")
	r.products(shop.Products()...)
	r.update(func(tx *store.Tx) error { return store.UpsertLocations(tx, shop.Locations(), "test") })
	var evs []event.Event
	add := func(p event.Payload) {
		evs = append(evs, event.Event{Source: "shop", Key: fmt.Sprintf("f%d", len(evs)), Data: p})
	}
	for _, s := range shop.OpeningStock(6) {
		add(s)
	}
	for i := range 400 {
		o := shop.Order(time.Now())
		add(o)
		switch i % 7 {
		case 1:
			add(&event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: "changed my mind"})
		case 3:
			add(&event.OrderPaid{Channel: o.Channel, Number: o.Number, Amount: money.New(4200, "EUR"), Reference: o.Number})
		case 5:
			add(&event.ShipmentRejected{Channel: o.Channel, Number: o.Number, Location: "berlin", Reason: "broken"})
		case 6:
			add(&event.ShipmentLabelled{Channel: o.Channel, Number: o.Number, Tracking: o.Number})
			if i%2 == 0 {
				add(&event.ShipmentScanned{Channel: o.Channel, Number: o.Number, Tracking: o.Number})
			}
		}
	}
	for round := 0; len(evs) > 0; round++ { // groups of changing size, with what waits in between
		n := min(len(evs), 1+len(evs)%37)
		r.submit(evs[:n]...)
		evs = evs[n:]
		switch round % 5 {
		case 1:
			r.fireEvery(7)
		case 2:
			r.answerEvery(2)
		case 0: // calls that fail, and people who try them again, some of them twice
			r.failEvery(3)
			r.retryEvery(2)
		case 3: // an edit while runs wait, and at last a stop
			texts = append(texts[:len(texts)-len(runTexts(""))], runTexts(fmt.Sprintf("edit-%d", round))...)
			r.apply(texts...)
			policies[r.eng.Policy().Revision] = r.eng.Policy()
		}
	}

	snap := decide.NewSnapshot()
	for _, p := range shop.Products() {
		snap.Products[p.SKU] = decide.Product{Product: p}
	}
	type row struct {
		id, typ, source, subject, data, sealed, customer, facts, trace, actor string
		policy                                                                int64
	}
	var rows []row
	var ats []time.Time
	r.view(func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var x row
			var at time.Time
			err := scan(&x.id, &x.typ, &x.source, &x.subject, &at, &x.data, &x.sealed, &x.customer, &x.facts, &x.trace, &x.policy, &x.actor)
			rows, ats = append(rows, x), append(ats, at)
			return err
		}, "SELECT id, type, source, subject, at, data, sealed, customer_id, facts, trace, policy, actor FROM event WHERE depth = 0 AND state = 'decided' ORDER BY seq")
	})
	keys := map[string]string{}
	r.view(func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var id, k string
			err := scan(&id, &k)
			keys[id] = k
			return err
		}, "SELECT id, key FROM customer")
	})
	for _, pol := range policies {
		for _, a := range pol.Automations.All() {
			snap.Versions[a.Hash] = a
		}
	}
	compared, considered, stopped, went := 0, 0, 0, 0
	for i, x := range rows {
		data, err := event.Decode(x.typ, []byte(x.data))
		if err != nil {
			t.Fatal(err)
		}
		ev := event.Event{ID: x.id, Source: x.source, Actor: x.actor, Type: x.typ, Subject: x.subject, Mode: event.Live, Data: data}
		if pd, ok := data.(event.Personal); ok {
			person, err := r.key.Open(x.customer, keys[x.customer], x.sealed)
			if err != nil {
				t.Fatal(err)
			}
			ev.Data = pd.Fill(person)
			ev.Who = identity(r.key, ev.Data.(*event.OrderPlaced))
		}
		queue := []event.Event{ev}
		for n := 0; n < len(queue); n++ {
			d, err := decide.Decide(snap, queue[n], policies[x.policy], ats[i])
			if err != nil {
				t.Fatalf("event %d (%s): %v", i, x.typ, err)
			}
			snap.Apply(d)
			went += len(d.Trace.Runs)
			if n == 0 {
				trace := ""
				if !d.Trace.Empty() {
					j, err := d.Trace.MarshalJSON()
					if err != nil {
						t.Fatal(err)
					}
					trace = string(j)
				}
				if trace != x.trace {
					t.Fatalf("event %d (%s): trace\n%s\nstored\n%s", i, x.typ, trace, x.trace)
				}
				if facts := string(decide.EncodeFacts(d.Facts)); facts != x.facts {
					t.Fatalf("event %d (%s): facts\n%s\nstored\n%s", i, x.typ, facts, x.facts)
				}
				compared++
				if strings.Contains(trace, `"stopped":`) {
					stopped++
				}
				considered += d.Considered
			}
			queue = append(queue, d.Derived...)
		}
	}
	r.view(func(tx *store.Tx) error {
		stored, err := tx.AllGuards()
		if diff := cmp.Diff(stored, snap.Guards); diff != "" {
			t.Errorf("what is known of the automations, stored and folded: %s", diff)
		}
		return err
	})
	if compared < 500 || considered < 5000 || stopped < 50 || len(snap.Guards) != 3 {
		t.Fatalf("only %d decisions with %d considered automations, %d stopped, %d counted, were compared", compared, considered, stopped, len(snap.Guards))
	}
	stored := r.runs(store.RunFilter{})
	retried := 0
	for _, run := range stored {
		if run.Before != "" {
			retried++
		}
	}
	if retried < 10 {
		t.Errorf("only %d runs were tried again", retried)
	}
	for _, run := range stored {
		if diff := cmp.Diff(run, snap.Runs[run.ID], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("run %s of %s, stored and in the fold: %s", run.ID, run.Automation, diff)
		}
	}
	if runs := len(stored); runs != len(snap.Runs) || runs < 100 || went < 100 {
		t.Fatalf("%d runs are stored, %d in the fold; they went on %d times", runs, len(snap.Runs), went)
	}
}

// identity is what the door makes of a buyer.
func identity(k *store.Keyring, p *event.OrderPlaced) event.Identity {
	who := event.Identity{}
	if m := risk.Email(p.Customer.Email); m != "" {
		who.Email = "e" + k.Hash("email", m)
		who.Customer = "cus_" + who.Email[1:]
	}
	if a := risk.Address(p.Shipping.Country, p.Shipping.Postal, p.Shipping.Line1); a != "" {
		who.Address = "a" + k.Hash("address", a)
	}
	if p.Device != "" {
		who.Device = "d" + k.Hash("device", p.Device)
	}
	if p.IP != "" {
		who.IP = "i" + k.Hash("ip", p.IP)
	}
	return who
}
