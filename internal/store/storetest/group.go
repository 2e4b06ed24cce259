package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
)

// Start is when the sample data begins.
var Start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// Group is what a commit group of placed orders writes, as the engine would:
// for each order its event and key, the order, its customer, four velocity rows,
// two reservations, two messages; and the net balances and counts of the whole group.
type Group struct {
	Keys      []store.EventKey
	Events    []store.EventRecord
	Orders    map[string]*order.Order
	Sealed    map[string]string
	Customers map[string]*customer.Customer
	CustKeys  map[string]string
	Marks     []store.VelocityMark
	Moves     []store.MoveRow // Seq is the index of the event in Events
	Balances  map[stock.Key]stock.Balance
	Effects   map[string]effect.Effect
	Counts    map[store.CountKey]store.Count
	Days      map[catalog.LocationDay]int64
	Products  []catalog.Product
}

// facts and payload fill an event to about 3 KB, the size of a real one.
var (
	payload = `{"channel":"shop","lines":[` + strings.Repeat(`{"sku":"SKU-0001","title":"A sample product with a title of usual length","qty":1,"unit_price":"19.90 EUR"},`, 14) + `{}]}`
	facts   = `{"order.total":"119.40 EUR","customer.orders":0,` + strings.Repeat(`"velocity(order.placed,customer.email,24h0m0s)":0,`, 10) + `"x":1}`
	trace   = `{"from":"expected","to":"ready","notes":[` + strings.Repeat(`"a sentence about what was decided, and why",`, 6) + `"end"]}`
)

func newGroup() *Group {
	return &Group{
		Orders: map[string]*order.Order{}, Sealed: map[string]string{}, Customers: map[string]*customer.Customer{}, CustKeys: map[string]string{},
		Balances: map[stock.Key]stock.Balance{}, Effects: map[string]effect.Effect{}, Counts: map[store.CountKey]store.Count{},
		Days: map[catalog.LocationDay]int64{},
	}
}

// order adds the i-th order of a shop as the k-th event of the group.
func (g *Group) order(s *Shop, i, k int) {
	at := Start.Add(time.Duration(i) * time.Millisecond)
	number := fmt.Sprint("S", i)
	id := event.OrderID("shop", number)
	evID := fmt.Sprintf("%08x-0000-7000-8000-%012x", i, i)
	cus := event.Derive("cus_", number)
	sealed := strings.Repeat("s", 300)
	g.Keys = append(g.Keys, store.EventKey{Source: "shop", ID: "order-" + number, PayloadHash: event.Derive("", number), EventID: evID})
	g.Events = append(g.Events, store.EventRecord{
		ID: evID, Source: "shop", Key: "order-" + number, Type: "order.placed", Subject: id, OrderID: id, At: at, Received: at, Mode: "live",
		State: store.EventDecided, Actor: "shop", Hash: event.Derive("", number), Data: payload, Sealed: sealed, CustomerID: cus, Facts: facts, Trace: trace,
	})
	o := &order.Order{
		ID: id, Channel: "shop", Number: number, State: order.Ready, Mode: event.Live, PlacedAt: at, UpdatedAt: at, Rev: 1, CustomerID: cus,
		Currency: "EUR", Total: money.New(4470, "EUR"), Payment: event.PaymentPaid, Captured: money.New(4470, "EUR"), Service: "standard",
		Shipping: event.Address{City: "Lyon", Postal: "69001", Country: "FR"}, Billing: event.Address{City: "Lyon", Postal: "69001", Country: "FR"},
		Accepted: true, Parcels: 1,
	}
	for l := range 2 {
		key := stock.Key{SKU: s.sku(i*7 + l), Location: "lyon"}
		o.Lines = append(o.Lines, order.Line{SKU: key.SKU, Title: "A sample product", Qty: 1, UnitPrice: money.New(1990, "EUR")})
		o.Allocations = append(o.Allocations, order.Allocation{SKU: key.SKU, Location: "lyon", Qty: 1, Asked: true})
		g.Moves = append(g.Moves, store.MoveRow{Seq: int64(k), Ord: l, Move: stock.Move{
			At: at, Kind: stock.Reserve, SKU: key.SKU, Qty: 1, OrderID: id,
			From: stock.Account{Location: "lyon", Bucket: stock.Available}, To: stock.Account{Location: "lyon", Bucket: stock.Reserved},
		}})
		s.reserved[key]++
		g.Balances[key] = stock.Balance{Key: key, OnHand: perSKU, Reserved: s.reserved[key]}
	}
	g.Orders[id], g.Sealed[id] = o, sealed
	g.Customers[cus] = &customer.Customer{ID: cus, Orders: 1, Spent: o.Total, FirstAt: at, LastAt: at}
	g.CustKeys[cus] = strings.Repeat("k", 86)
	for _, dim := range []string{"e", "a", "d", "i"} {
		g.Marks = append(g.Marks, store.VelocityMark{Key: dim + event.Derive("", number), At: at, Ref: id})
	}
	for _, purpose := range []string{"order-confirmation", "shipping-update"} {
		key := "mail:" + purpose + ":" + id
		f := effect.Effect{
			ID: effect.ID(key, id), Key: key, Kind: effect.Mail, Destination: "mail", OrderID: id, CustomerID: cus, EventID: evID,
			Payload: effect.Payload{Purpose: purpose, Template: purpose, Recipient: "customer", Data: map[string]string{"number": number}},
			State:   effect.Pending, Created: at, Due: at,
		}
		g.Effects[f.ID] = f
	}
	for a := range 20 {
		key := store.CountKey{Name: fmt.Sprint("automation-", a), Hour: Start.UnixMicro()}
		c := g.Counts[key]
		c.Considered++
		g.Counts[key] = c
	}
	g.Days[catalog.LocationDay{Location: "lyon", Day: "2026-03-02"}]++
}

// Write writes the group the way the engine does.
func (g *Group) Write(tx *store.Tx) error {
	if err := store.InsertEventKeys(tx, g.Keys); err != nil {
		return err
	}
	if err := store.InsertEvents(tx, g.Events); err != nil {
		return err
	}
	moves := make([]store.MoveRow, len(g.Moves))
	for i, m := range g.Moves {
		m.Seq = g.Events[m.Seq].Seq
		moves[i] = m
	}
	var jobs []store.Job
	ids := make([]string, 0, store.EffectsPerJob)
	for _, id := range slices.Sorted(maps.Keys(g.Effects)) {
		if ids = append(ids, id); len(ids) == store.EffectsPerJob {
			jobs = append(jobs, store.Deliver("mail", ids))
			ids = nil
		}
	}
	if len(ids) > 0 {
		jobs = append(jobs, store.Deliver("mail", ids))
	}
	for _, step := range []func() error{
		func() error { return store.UpsertOrders(tx, g.Orders, g.Sealed) },
		func() error { return store.UpsertCustomers(tx, g.Customers, g.CustKeys) },
		func() error { return store.InsertVelocity(tx, g.Marks) },
		func() error { return store.InsertMoves(tx, moves) },
		func() error { return store.UpsertBalances(tx, g.Balances) },
		func() error { return store.InsertEffects(tx, g.Effects) },
		func() error { return store.UpsertProducts(tx, g.Products) },
		func() error { return store.AddLocationDays(tx, g.Days) },
		func() error { return store.AddAutomationCounts(tx, g.Counts) },
		func() error { return tx.Enqueue(jobs...) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
