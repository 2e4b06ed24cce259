package backtest_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/store"
)

const shopText = "shop: Test\ntime_zone: Europe/Berlin\nmail: mail\nfulfilment: wh\nops_owner: ops@shop.example\n"

// everywhere are automations on many event types, over order, stock and customer.
func everywhere() []string {
	var out []string
	for i, x := range [][3]string{
		{"order.placed", `order.lines.exists(l, l.available < l.qty * 3)`, "tag: { tag: scarce }"},
		{"order.placed", `customer.cancelled >= 1`, "hold: { queue: risk, reason: cancelled before }"},
		{"order.paid", `order.state == "held" || order.captured > order.total`, "tag: { tag: paid }"},
		{"order.accepted", `order.units > 3 && !("scarce" in order.tags)`, "tag: { tag: many }"},
		{"order.ready", `order.parcels > 1`, "tag: { tag: split }"},
		{"order.unfillable", `order.missing_units > 1`, "task: { queue: buying, title: Buy more }"},
		{"order.cancelled", `customer.cancelled > 1`, "tag: { tag: again }"},
		{"shipment.shipped", `order.state == "shipped" && customer.orders > 1`, "tag: { tag: gone }"},
		{"shipment.rejected", `order.parcels > 0`, "tag: { tag: refused }"},
		{"return.received", `order.total > money("20","EUR")`, "task: { queue: support, title: Look at it }"},
		{"payment.disputed", `dispute.reason == "fraud"`, "tag: { tag: fraud }"},
		{"task.decided", `task.kind == "review" && order.total > money("50","EUR")`, "tag: { tag: reviewed }"},
		{"stock.low", `stock.available < 5`, "message: { template: low-stock, to: ops@shop.example }"},
		{"stock.received", ``, "task: { queue: warehouse, title: Unpack }"},
		{"day.ended", ``, "report: { kind: daily, to: ops@shop.example }"},
	} {
		when := ""
		if x[1] != "" {
			when = "when: '" + x[1] + "'\n"
		}
		out = append(out, fmt.Sprintf("automation: rule-%02d\nowner: a@shop.example\nwhy: A test.\non: %s\n%sdo:\n  - %s\n", i, x[0], when, x[2]))
	}
	return out
}

// live runs some days of the sample shop, with every kind of event.
func (s *shop) live(orders int) {
	world := sim.New(11, "b-")
	err := s.db.Update(s.t.Context(), func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, world.Products()); err != nil {
			return err
		}
		return store.UpsertLocations(tx, world.Locations(), "test")
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range world.OpeningStock(25) {
		s.submit(x)
	}
	var group []event.Payload
	flush := func() {
		for len(group) > 0 {
			n := min(len(group), 1+len(group)%5)
			s.submit(group[:n]...)
			group = group[n:]
		}
	}
	for i := range orders {
		o := world.Order(s.now)
		group = append(group, o)
		switch i % 13 {
		case 1:
			group = append(group, &event.OrderCancelled{Channel: o.Channel, Number: o.Number, Reason: "changed my mind"})
		case 3:
			group = append(group, &event.OrderPaid{Channel: o.Channel, Number: o.Number, Amount: money.New(4200, "EUR"), Reference: o.Number})
		case 5:
			group = append(group, &event.ShipmentRejected{Channel: o.Channel, Number: o.Number, Location: "berlin", Reason: "broken"})
		case 7:
			group = append(group, &event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: "rotterdam", Tracking: o.Number})
			group = append(group, &event.ReturnReceived{Channel: o.Channel, Number: "r" + o.Number, Order: o.Number, Location: "lyon", Lines: o.Lines[:1]})
		case 9:
			group = append(group, &event.StockReceived{SKU: o.Lines[0].SKU, Location: "berlin", Qty: 4})
			group = append(group, &event.PaymentDisputed{Channel: o.Channel, Number: o.Number, Reason: "fraud"})
		case 11:
			group = append(group, &event.StockCounted{SKU: o.Lines[0].SKU, Location: "rotterdam", OnHand: int64(i % 4)})
		}
		if i%17 == 16 {
			flush()
			s.decideReviews(i)
			s.timers()
		}
	}
	flush()
	s.submit(&event.DayEnded{Date: "2026-03-02"})
}

// decideReviews works the open reviews.
func (s *shop) decideReviews(i int) {
	var open []string
	err := s.db.View(s.t.Context(), func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			open = append(open, id)
			return err
		}, "SELECT id FROM task WHERE kind = 'review' AND state = 'open' ORDER BY id")
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for j, id := range open {
		s.submit(&event.TaskDecided{Task: id, Outcome: []string{"approve", "reject"}[(i+j)%2]})
	}
}

// timers submits what is due, as the engine does.
func (s *shop) timers() {
	var due []store.Timer
	err := s.db.View(s.t.Context(), func(tx *store.Tx) (err error) {
		due, err = store.DueTimers(tx, s.now, 50)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, x := range due {
		data, err := event.Decode(x.Type, []byte(x.Data))
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.eng.Submit(s.t.Context(), []event.Event{{Source: "timer", Key: x.ID, Data: data}}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestABacktestOfTheSameAutomationsSaysTheSame compares, event by event and byte for byte, what a
// live run recorded with what the backtest of the same automations says: with the
// facts that were stored, and with every fact worked out anew from the history.
func TestABacktestOfTheSameAutomationsSaysTheSame(t *testing.T) {
	bench, as := benchTexts(t)
	dbs := engines(t)
	for _, tc := range []struct {
		name   string
		fold   string
		texts  []store.Text
		as     []*automation.Automation
		orders int
		url    string
	}{
		{"light", "light", bench, as, 500, dbs[0].url},
		{"light on postgres", "light", bench, as, 150, dbs[1].url},
		{"full", "full", nil, nil, 350, filepath.Join(t.TempDir(), "full.db")},
	} {
		if tc.texts == nil {
			tc.texts, tc.as = slices.Clone(bench), slices.Clone(as)
			for _, text := range everywhere() {
				a := parse(t, text)
				tc.texts, tc.as = append(tc.texts, store.Text{Kind: engine.KindAutomation, Name: a.Name, Text: text}), append(tc.as, a)
			}
		}
		t.Run(tc.name, func(t *testing.T) {
			s := openShop(t, tc.url)
			s.apply(append(tc.texts, store.Text{Kind: engine.KindShop, Name: "shop", Text: shopText})...)
			for i := range 40 { // a past that was imported before
				p := sim.New(11, "p-").Order(s.now)
				p.Number, p.PlacedAt = fmt.Sprint("past-", i), time.Time{}
				s.past(s.now.Add(time.Duration(i-41)*time.Hour), p)
			}
			s.live(tc.orders)
			want, wantFacts := s.recorded()
			for _, afresh := range []bool{false, true} {
				o := s.options(tc.as...)
				o.Afresh, o.Samples = afresh, 1000
				said, asked, byType := map[string]int{}, 0, map[string]int{}
				o.Watch(func(id, typ string, got, counted []decide.Considered, facts decide.Facts) {
					asked++
					byType[typ] += len(got)
					outcomes := slices.Clone(got)
					for i, c := range got {
						outcomes[i] = decide.Considered{Name: c.Name, Outcome: c.Outcome, Error: c.Error}
					}
					if a, b := toJSON(t, counted), toJSON(t, outcomes); a != b && len(counted)+len(outcomes) > 0 {
						t.Errorf("afresh=%v, %s %s: the report counts\n%s\nthe whole answer is\n%s", afresh, typ, id, a, b)
					}
					if len(got) > 0 {
						said[id]++
					}
					if a, b := toJSON(t, got), toJSON(t, want[id]); a != b {
						t.Errorf("afresh=%v, %s %s: the backtest says\n%s\nrecorded is\n%s", afresh, typ, id, a, b)
					}
					a, b := string(decide.EncodeFacts(facts)), wantFacts[id]
					if tc.fold == "light" && afresh { // it keeps no stock: the candidates do not read it
						a, b = stockOfLines.ReplaceAllString(a, ""), stockOfLines.ReplaceAllString(b, "")
					}
					if a != b && (typ != "order.accepted" && typ != "order.ready" || b != "") {
						t.Errorf("afresh=%v, %s %s: facts\n%s\nrecorded are\n%s", afresh, typ, id, a, b)
					}
				})
				rep, err := backtest.Run(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if rep.Fold != tc.fold {
					t.Errorf("the fold was %s because %s", rep.Fold, rep.FoldWhy)
				}
				for id := range want {
					if said[id] != 1 {
						t.Errorf("afresh=%v: event %s fired automations then, the backtest said so %d times: %s", afresh, id, said[id], toJSON(t, want[id]))
					}
				}
				if len(want) < tc.orders/4 || asked < tc.orders {
					t.Errorf("only %d events with %d answers were compared", len(want), asked)
				}
				if len(rep.Notes) != 1 || rep.Imported != 40 {
					t.Error(rep.Imported, rep.Notes)
				}
				for _, a := range rep.Automations { // what acted then changes nothing of what was decided then
					if a.LetGo+a.NotHeld > 0 || slices.ContainsFunc(a.Changed, func(s backtest.Sample) bool { return !s.Imported }) {
						t.Errorf("afresh=%v: %s would change what it did: %+v", afresh, a.Name, a.Changed)
					}
				}
				t.Logf("%d events asked about, %d with something recorded, by type %v", asked, len(want), byType)
			}
		})
	}
}

var stockOfLines = regexp.MustCompile(`,"Kit":(true|false),"Available":\d+`)

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
