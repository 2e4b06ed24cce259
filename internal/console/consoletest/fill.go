package consoletest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// Zone is the sample shop's time zone.
func Zone() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return time.UTC
	}
	return z
}

// Now is the sample shop's present: a Tuesday afternoon in late November.
func Now() time.Time { return time.Date(2026, 11, 24, 14, 26, 0, 0, Zone()) }

// filler gathers rows and writes them in one transaction.
type filler struct {
	rnd       *rand.Rand
	keys      *store.Keyring
	now       time.Time
	orders    map[string]*order.Order
	sealed    map[string]string
	customers map[string]*customer.Customer
	custKeys  map[string]string
	terms     []store.SearchTerm
	events    []store.EventRecord
	evKeys    []store.EventKey
	tasks     map[string]*task.Task
	effects   map[string]effect.Effect
	balances  map[stock.Key]stock.Balance
	moves     []pendingMove
	waits     []store.StockWait
	low       map[string]bool
	counts    map[store.CountKey]store.Count
	n         int
}

// pendingMove knows its event by the position in events; its seq is drawn when they are written.
type pendingMove struct {
	ev   int
	move stock.Move
}

// Fill writes the sample shop: n orders over the last eight days, with their stories.
// The same n gives the same shop.
func Fill(ctx context.Context, db *store.DB, keys *store.Keyring, n int) error {
	f := &filler{
		rnd: rand.New(rand.NewPCG(7, 11)), keys: keys, now: Now(),
		orders: map[string]*order.Order{}, sealed: map[string]string{}, customers: map[string]*customer.Customer{}, custKeys: map[string]string{},
		tasks: map[string]*task.Task{}, effects: map[string]effect.Effect{}, balances: map[stock.Key]stock.Balance{},
		low: map[string]bool{}, counts: map[store.CountKey]store.Count{},
	}
	f.stockUp()
	f.sell(n)
	f.troubles()
	f.countAutomations()
	texts := Automations()
	return db.Update(ctx, func(tx *store.Tx) error { return f.write(tx, texts) })
}

// Automations are the texts of the starter pack, or one sample when they are not there.
func Automations() []store.Text {
	var out []store.Text
	dir, _ := os.Getwd()
	for range 6 {
		files, _ := filepath.Glob(filepath.Join(dir, "examples", "shop", "automations", "*.yaml"))
		for _, p := range files {
			if b, err := os.ReadFile(p); err == nil {
				out = append(out, store.Text{Kind: "automation", Name: strings.TrimSuffix(filepath.Base(p), ".yaml"), Text: string(b)})
			}
		}
		if len(out) > 0 {
			return out
		}
		dir = filepath.Dir(dir)
	}
	return []store.Text{{Kind: "automation", Name: "hold-large-orders", Text: `automation: hold-large-orders
owner: risk@shop.example
why: A sample.
on: order.placed
when: order.total > money("400", "EUR")
do:
  - hold: { queue: risk, sla: 4h, reason: "large order" }
`}}
}

func (f *filler) event(typ, source, key, subject, orderID, customerID string, at time.Time, data any, tr map[string]any) (string, int) {
	f.n++
	id := fmt.Sprintf("0193%04x-0000-7000-8000-%012x", f.n&0xffff, f.n)
	b, _ := json.Marshal(data)
	t := ""
	if tr != nil {
		tb, _ := json.Marshal(tr)
		t = string(tb)
	}
	cause := ""
	depth := 0
	if source == "engine" && len(f.events) > 0 {
		cause, depth = f.events[len(f.events)-1].ID, 1
	}
	f.events = append(f.events, store.EventRecord{
		ID: id, Source: source, Key: key, Type: typ, Subject: subject, OrderID: orderID, At: at, Received: at.Add(40 * time.Millisecond),
		Mode: "live", State: store.EventDecided, Policy: 1, Hash: key, Data: string(b), Trace: t, CustomerID: customerID, Cause: cause, Depth: depth,
	})
	f.evKeys = append(f.evKeys, store.EventKey{Source: source, ID: key, PayloadHash: key, EventID: id})
	return id, len(f.events) - 1
}

func (f *filler) move(ev int, kind stock.Kind, sku string, qty int64, from, to stock.Account, orderID, note string) {
	e := f.events[ev]
	f.moves = append(f.moves, pendingMove{ev, stock.Move{EventID: e.ID, At: e.At, Kind: kind, SKU: sku, Qty: qty, From: from, To: to, OrderID: orderID, Note: note}})
	for _, side := range []struct {
		a stock.Account
		n int64
	}{{from, -qty}, {to, qty}} {
		if side.a.Location == "" {
			continue
		}
		k := stock.Key{SKU: sku, Location: side.a.Location}
		b := f.balances[k]
		b.Key = k
		b.OnHand += side.n
		if side.a.Bucket == stock.Reserved {
			b.Reserved += side.n
		}
		f.balances[k] = b
	}
}

func (f *filler) stockUp() {
	at := f.now.AddDate(0, 0, -12)
	for i, it := range items {
		for j, l := range locations {
			if (i+j)%4 == 3 || (l.ID == "berlin-shop" && i%3 != 0) {
				continue
			}
			qty := int64(60 + f.rnd.IntN(240))
			if l.ID == "berlin-shop" {
				qty = int64(12 + f.rnd.IntN(20))
			}
			if i%9 == 4 { // soon low
				qty = int64(14 + f.rnd.IntN(8))
			}
			at = at.Add(37 * time.Second)
			_, ev := f.event("stock.received", "console", fmt.Sprintf("fill-%d-%d", i, j), it.sku, "", "", at,
				event.StockReceived{SKU: it.sku, Location: l.ID, Qty: qty, Note: "sample delivery"}, nil)
			f.move(ev, stock.Receive, it.sku, qty, stock.Account{Bucket: stock.Supplier}, stock.Account{Location: l.ID, Bucket: stock.Available}, "", "sample delivery")
		}
	}
}

func (f *filler) customer(i int) (*customer.Customer, customer.Personal, place) {
	mail := fmt.Sprintf("sample%d@example.com", i)
	id := "cus_" + f.keys.Hash("email", mail)
	p := places[i%len(places)]
	pd := customer.Personal{
		Name: fmt.Sprintf("Sample Customer %d", i), Email: mail, Phone: fmt.Sprintf("+49 30 0000%03d", i),
		ShippingName: fmt.Sprintf("Sample Customer %d", i), ShippingLine1: fmt.Sprintf("Sample Street %d", i), BillingName: fmt.Sprintf("Sample Customer %d", i),
		BillingLine1: fmt.Sprintf("Sample Street %d", i), IP: fmt.Sprintf("203.0.113.%d", i%250),
	}
	c := f.customers[id]
	if c == nil {
		c = &customer.Customer{ID: id, FirstAt: f.now.AddDate(0, 0, -8-i%300), LastAt: f.now}
		f.customers[id] = c
		f.custKeys[id] = f.keys.NewCustomerKey(id)
		for _, w := range strings.Fields(strings.ToLower(pd.Name)) {
			f.terms = append(f.terms, store.SearchTerm{Term: w, CustomerID: id})
		}
	}
	return c, pd, p
}

// curve is how a day's orders spread over its hours, in parts.
var curve = [24]int{1, 1, 0, 0, 0, 1, 2, 4, 6, 8, 9, 10, 11, 9, 8, 8, 9, 11, 13, 15, 14, 11, 6, 3}

// times draws n moments over the last eight days, ascending, none in the future.
func (f *filler) times(n int) []time.Time {
	var out []time.Time
	sum := 0
	for _, c := range curve {
		sum += c
	}
	day := time.Date(f.now.Year(), f.now.Month(), f.now.Day(), 0, 0, 0, 0, f.now.Location())
	for len(out) < n {
		back := f.rnd.IntN(8)
		if f.rnd.IntN(3) == 0 {
			back = 0
		}
		k := f.rnd.IntN(sum)
		h := 0
		for ; k >= curve[h]; h++ {
			k -= curve[h]
		}
		t := day.AddDate(0, 0, -back).Add(time.Duration(h)*time.Hour + time.Duration(f.rnd.IntN(3600))*time.Second)
		if t.Before(f.now.Add(-2 * time.Minute)) {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Before(out[j]) })
	return out
}

func (f *filler) write(tx *store.Tx, texts []store.Text) error {
	products := make([]catalog.Product, 0, len(items))
	for _, it := range items {
		products = append(products, catalog.Product{SKU: it.sku, Title: it.title, WeightG: it.weightG, LowAt: it.lowAt})
		var av int64
		for _, l := range locations {
			av += f.balances[stock.Key{SKU: it.sku, Location: l.ID}].Available()
		}
		f.low[it.sku] = av <= it.lowAt
	}
	// Events in the order of their times: decided_seq follows it.
	idx := make([]int, len(f.events))
	for i := range idx {
		idx[i] = i
	}
	sort.SliceStable(idx, func(a, b int) bool { return f.events[idx[a]].At.Before(f.events[idx[b]].At) })
	sorted := make([]store.EventRecord, len(idx))
	at := make([]int, len(idx))
	for i, j := range idx {
		sorted[i], at[j] = f.events[j], i
	}
	for i := 0; i < len(sorted); i += 500 {
		if err := store.InsertEvents(tx, sorted[i:min(i+500, len(sorted))]); err != nil {
			return err
		}
	}
	sort.SliceStable(f.moves, func(a, b int) bool { return at[f.moves[a].ev] < at[f.moves[b].ev] })
	moves := make([]store.MoveRow, 0, len(f.moves))
	ord := map[int64]int{}
	for _, m := range f.moves {
		seq := sorted[at[m.ev]].Seq
		moves = append(moves, store.MoveRow{Seq: seq, Ord: ord[seq], Move: m.move})
		ord[seq]++
	}
	var ids []string
	for id := range f.orders {
		ids = append(ids, id)
	}
	conns := []store.Connection{
		{Name: "mail", Kind: "smtp", Config: `{"host":"smtp.example.com"}`, Updated: f.now.AddDate(0, 0, -12)},
		{Name: "fulfilment", Kind: "webhook", Config: `{"url":"https://warehouse.example.com/hooks"}`, Updated: f.now.AddDate(0, 0, -12)},
		{Name: "web-shop", Kind: "inbound", Config: `{}`, Updated: f.now.AddDate(0, 0, -12)},
	}
	steps := []func() error{
		func() error { return store.InsertEventKeys(tx, f.evKeys) },
		func() error { return store.UpsertProducts(tx, products) },
		func() error { return store.SetLow(tx, f.low) },
		func() error { return store.UpsertLocations(tx, locations, AdminMail) },
		func() error { return store.UpsertCustomers(tx, f.customers, f.custKeys) },
		func() error { return store.InsertSearchTerms(tx, f.terms) },
		func() error { return store.UpsertOrders(tx, f.orders, f.sealed) },
		func() error { return store.InsertMoves(tx, moves) },
		func() error { return store.UpsertBalances(tx, f.balances) },
		func() error { return store.UpsertTasks(tx, f.tasks) },
		func() error { return store.InsertEffects(tx, f.effects) },
		func() error { return store.ReplaceWaits(tx, ids, f.waits) },
		func() error { return store.AddAutomationCounts(tx, f.counts) },
		func() error { _, _, err := tx.PutPolicy(texts, "ops@shop.example", "sample"); return err },
	}
	for _, c := range conns {
		steps = append(steps, func() error { return tx.PutConnection(c) })
	}
	for _, e := range f.effects { // how each stands is not part of making it
		steps = append(steps, func() error {
			_, err := tx.Exec("UPDATE effect SET attempts = $1, last_error = $2, done_at = $3, receipt = $4 WHERE id = $5",
				int64(e.Attempts), e.LastError, unixMicro(e.DoneAt), e.Receipt, e.ID)
			return err
		})
	}
	for _, s := range steps {
		if err := s(); err != nil {
			return err
		}
	}
	return nil
}

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (f *filler) countAutomations() {
	for _, t := range Automations() {
		rate := 40
		switch {
		case strings.HasPrefix(t.Name, "order-confirmation"):
			rate = 1
		case strings.HasPrefix(t.Name, "shipping"):
			rate = 1
		case strings.Contains(t.Name, "daily"):
			rate = 1
		}
		for h := range 14 * 24 {
			at := f.now.Truncate(time.Hour).Add(-time.Duration(h) * time.Hour)
			n := int64(curve[at.In(Zone()).Hour()])
			if n == 0 {
				continue
			}
			if strings.Contains(t.Name, "daily") {
				if at.In(Zone()).Hour() != 1 {
					continue
				}
				n = 1
			}
			c := store.Count{Considered: n}
			for range n {
				if f.rnd.IntN(rate) > 0 {
					continue
				}
				if c.Fired++; f.rnd.IntN(20) == 0 { // some upon what was imported
					c.Fired--
					c.Would++
				}
			}
			if strings.Contains(t.Name, "ip-") && f.rnd.IntN(3) == 0 {
				c.Unknown = 1
			}
			f.counts[store.CountKey{Name: t.Name, Hour: at.UnixMicro()}] = c
		}
	}
}

func eur(cents int64) money.Amount { return money.New(cents, "EUR") }

func plan(dest place, chosen catalog.Location, sku string, qty int64) *routing.Plan {
	p := &routing.Plan{
		Assign: []routing.Assignment{{SKU: sku, Location: chosen.ID, Qty: qty}}, Parcels: 1, CostMinor: eur(590), Exact: true, DistanceKnown: true,
	}
	for _, l := range locations {
		v := routing.Verdict{Location: l.ID, Name: l.Name, Lat: l.Lat, Lon: l.Lon, DistanceKM: km(dest.lat, dest.lon, l.Lat, l.Lon), KMKnown: true}
		switch {
		case l.ID == chosen.ID:
			v.Chosen, v.Reason = true, fmt.Sprintf("ships %d × %s", qty, sku)
			p.DistanceKM = v.DistanceKM
			v.Scores = []routing.Score{{Goal: routing.Parcels, Value: 1}, {Goal: routing.Distance, Value: v.DistanceKM}}
		case l.ID == "berlin-shop":
			v.Reason = fmt.Sprintf("%d of %d available (1 kept as safety stock)", max(0, qty-1), qty)
		default:
			v.Reason = fmt.Sprintf("%.0f km instead of %.0f km", v.DistanceKM, km(dest.lat, dest.lon, chosen.Lat, chosen.Lon))
			v.Scores = []routing.Score{{Goal: routing.Parcels, Value: 1}, {Goal: routing.Distance, Value: v.DistanceKM}}
		}
		p.Candidates = append(p.Candidates, v)
	}
	return p
}
