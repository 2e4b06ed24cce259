package consoletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/privacy"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
	"orderly.example/orderly/internal/watch"
)

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own literals
	}
	return string(b)
}

func sortedIDs[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Mail and password of the sample admin.
const (
	AdminMail     = "alex.sample@example.com"
	AdminPassword = "sample lamp quiet river"
)

// Accounts lets access keep its people in the program's store.
type Accounts struct{ DB *store.DB }

// View implements access.Store.
func (a Accounts) View(ctx context.Context, fn func(access.Tx) error) error {
	return a.DB.View(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// Update implements access.Store.
func (a Accounts) Update(ctx context.Context, fn func(access.Tx) error) error {
	return a.DB.Update(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// Engine is a stand-in for the engine: it keeps what was submitted, recognises
// repetitions, and makes the simplest change of each event in the store.
type Engine struct {
	DB *store.DB

	mu        sync.Mutex
	submitted []event.Event
	subs      map[chan console.Topic]struct{}
	seen      map[string]bool
}

// Submitted returns the events that were decided, in their order.
func (e *Engine) Submitted() []event.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]event.Event(nil), e.submitted...)
}

// Submit implements console.Submitter.
func (e *Engine) Submit(ctx context.Context, evs []event.Event) ([]console.Outcome, error) {
	out := make([]console.Outcome, len(evs))
	for i, ev := range evs {
		out[i] = console.Outcome{EventID: ev.ID, Status: "decided"}
		e.mu.Lock()
		if e.seen == nil {
			e.seen = map[string]bool{}
		}
		dup := e.seen[ev.Source+"\x00"+ev.Key]
		e.seen[ev.Source+"\x00"+ev.Key] = true
		if !dup {
			e.submitted = append(e.submitted, ev)
		}
		e.mu.Unlock()
		if dup {
			out[i].Status = "duplicate"
			continue
		}
		if err := e.DB.Update(ctx, func(tx *store.Tx) error { return apply(tx, ev) }); err != nil {
			return nil, err
		}
	}
	e.Tell(console.Orders, console.Tasks, console.Stock)
	return out, nil
}

// Tell wakes the live pages.
func (e *Engine) Tell(ts ...console.Topic) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.subs {
		for _, t := range ts {
			select {
			case ch <- t:
			default:
			}
		}
	}
}

// Subscribe implements console.Live.
func (e *Engine) Subscribe(ctx context.Context) <-chan console.Topic {
	ch := make(chan console.Topic, 16)
	e.mu.Lock()
	if e.subs == nil {
		e.subs = map[chan console.Topic]struct{}{}
	}
	e.subs[ch] = struct{}{}
	e.mu.Unlock()
	context.AfterFunc(ctx, func() {
		e.mu.Lock()
		delete(e.subs, ch)
		close(ch)
		e.mu.Unlock()
	})
	return ch
}

func apply(tx *store.Tx, ev event.Event) error {
	if _, err := tx.Exec("INSERT INTO event_key (source, id, payload_hash, event_id) VALUES ($1, $2, $3, $4)", ev.Source, ev.Key, "", ev.ID); err != nil {
		return err
	}
	orderID := ""
	if strings.HasPrefix(ev.Subject, "ord_") {
		orderID = ev.Subject
	}
	switch p := ev.Data.(type) {
	case *event.TaskDecided:
		ts, err := store.Tasks(tx, []string{p.Task})
		if err != nil || ts[p.Task] == nil {
			return err
		}
		t := ts[p.Task]
		orderID = t.OrderID
		t.State, t.Outcome, t.Note, t.By, t.DoneAt = task.Decided, p.Outcome, p.Note, ev.Actor, ev.At
		to := map[string]order.State{"approve": order.Ready, "reject": order.Cancelled}[p.Outcome]
		if p.Outcome == "ask" {
			t.State, t.DoneAt = task.Asked, ev.At
		}
		if err := store.UpsertTasks(tx, ts); err != nil {
			return err
		}
		if err := setState(tx, orderID, to); err != nil {
			return err
		}
	case *event.TaskAssigned:
		ts, err := store.Tasks(tx, []string{p.Task})
		if err != nil || ts[p.Task] == nil {
			return err
		}
		ts[p.Task].Assignee = p.Assignee
		return store.UpsertTasks(tx, ts)
	case *event.OrderHoldRequested:
		if err := setState(tx, p.Order, order.Held, order.Hold{Text: p.Reason}); err != nil {
			return err
		}
	case *event.OrderReleaseRequested:
		if err := setState(tx, p.Order, order.Ready); err != nil {
			return err
		}
	case *event.OrderCancelled:
		if err := setState(tx, ev.Subject, order.Cancelled); err != nil {
			return err
		}
	}
	raw, err := event.Encode(ev.Data)
	if err != nil {
		return err
	}
	return store.InsertEvents(tx, []store.EventRecord{{
		ID: ev.ID, Source: ev.Source, Key: ev.Key, Type: ev.Type, Subject: ev.Subject, OrderID: orderID, At: ev.At, Received: ev.Received,
		Mode: "live", State: store.EventDecided, Actor: ev.Actor, Hash: ev.Key, Data: string(raw),
	}})
}

func setState(tx *store.Tx, id string, to order.State, holds ...order.Hold) error {
	if id == "" || to == "" {
		return nil
	}
	os, err := store.Orders(tx, []string{id})
	if err != nil || os[id].Order == nil {
		return err
	}
	o := os[id].Order
	o.State = to
	o.Holds = holds
	return store.UpsertOrders(tx, map[string]*order.Order{id: o}, map[string]string{id: os[id].Sealed})
}

// Explainer re-evaluates the sample automations against an order's own facts.
type Explainer struct{ DB *store.DB }

// Why implements console.Explainer.
func (x Explainer) Why(ctx context.Context, orderID, only string) ([]console.Explanation, error) {
	var o *order.Order
	var texts []store.PolicyText
	err := x.DB.View(ctx, func(tx *store.Tx) (err error) {
		if o, _, _, err = tx.OrderByID(orderID); err != nil {
			return err
		}
		texts, err = tx.PolicyTexts("automation")
		return err
	})
	if err != nil {
		return nil, err
	}
	f := rule.Map{
		"order.id": o.ID, "order.channel": o.Channel, "order.number": o.Number, "order.state": string(o.State), "order.total": o.Total,
		"order.subtotal": o.Subtotal(), "order.currency": o.Currency, "order.units": o.Units(), "order.line_count": int64(len(o.Lines)),
		"order.addresses_differ": o.AddressesDiffer, "order.shipping.country": o.Shipping.Country, "order.billing.country": o.Billing.Country,
		"order.countries_differ": o.Billing.Country != o.Shipping.Country, "customer.orders": int64(0), "customer.email_disposable": false,
		"order.missing_units": int64(len(o.Missing)), "order.payment": o.Payment, "customer.spent": money.New(0, "EUR"),
	}
	var out []console.Explanation
	for _, t := range texts {
		a, err := automation.Parse(t.Name, []byte(t.Text))
		if err != nil || (only != "" && a.Name != only) || (a.On != "order.placed" && a.On != "order.accepted") {
			continue
		}
		for _, v := range a.Condition.Velocities() {
			f[v.Fact] = int64(1)
		}
		tree := a.Condition.Explain(f)
		e := console.Explanation{
			Automation: a.Name, Mode: string(a.Mode), Why: a.Why, EventType: a.On, At: o.PlacedAt, Outcome: tree.Outcome, Tree: tree,
			Fired: tree.Outcome == "true" && a.Mode == "active",
		}
		for _, l := range tree.Leaves() {
			e.Reason = automation.Said(l)
			break
		}
		out = append(out, e)
	}
	return out, nil
}

// Unasked implements console.Explainer.
func (x Explainer) Unasked(ctx context.Context, orderID, name string) (out console.Unasked, err error) {
	err = x.DB.View(ctx, func(tx *store.Tx) error {
		o, _, _, err := tx.OrderByID(orderID)
		if err != nil {
			return err
		}
		if name == "" {
			out.Text = "The order was cancelled before it was placed."
			return nil
		}
		out = console.Unasked{Text: name + " was never asked about this order.", Since: o.PlacedAt.Format(time.DateOnly), Until: o.PlacedAt.AddDate(0, 0, 1).Format(time.DateOnly)}
		return nil
	})
	return out, err
}

// Shop is a running sample shop.
type Shop struct {
	Handler http.Handler
	Engine  *Engine
	Access  *access.Service
	DB      *store.DB

	Policies Policies
	tries    *backtest.Runner
}

// Open opens a store below dir, fills it with n orders (none when n is 0) and puts the console on it.
func Open(ctx context.Context, dir string, n int) (*Shop, error) {
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, "sqlite:"+dir+"/console.db", store.Options{Now: Now, Keyring: keys})
	if err != nil {
		return nil, err
	}
	if n > 0 {
		if err := Fill(ctx, db, keys, n); err != nil {
			return nil, fmt.Errorf("filling the sample shop: %w", err)
		}
		if err := fillWatch(ctx, db); err != nil {
			return nil, fmt.Errorf("filling the sample shop: %w", err)
		}
	}
	svc := access.New(Accounts{db}, nil, Now)
	web, err := access.NewWeb(svc, access.WebOptions{})
	if err != nil {
		return nil, err
	}
	eng := &Engine{DB: db}
	policies, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys, Now: Now})
	if err != nil {
		return nil, err
	}
	tries := &backtest.Runner{DB: db, Keys: keys, Policies: policies, Now: Now, Log: slog.New(slog.DiscardHandler)}
	policies.AskPast(tries)
	c := console.New(console.Deps{
		Read: db, Write: db, Keys: keys, Submit: eng, Sessions: web, People: svc, Why: Explainer{db}, Replay: Replays{policies, db}, Suggest: Suggester{db}, Live: eng, Check: Checks{db, policies}, Map: policies, Policy: Policies{policies}, Mails: policies, Postal: Postal{}, Backtest: tries,
		Watch:   watch.New(watch.Options{DB: db, Policy: policies.Policy, Now: Now, Disk: func() (int64, int64, bool) { return 38 << 30, 64 << 30, true }}),
		Privacy: &privacy.Office{DB: db, Keys: keys, Audit: svc},
		Shop: func() console.Shop {
			return console.Shop{Name: "Sample Shop", Zone: Zone(), Currency: "EUR", Mail: "mail", Fulfilment: "warehouse"}
		},
		Now: Now,
	})
	return &Shop{Handler: web.Handler(c), Engine: eng, Access: svc, DB: db, Policies: Policies{policies}, tries: tries}, nil
}

// Close stops the shop and closes its store.
func (s *Shop) Close() error {
	s.tries.Close()
	err := s.Policies.Engine.Close(context.Background())
	return errors.Join(err, s.DB.Close())
}

// Checks looks at the automations as the engine does, without what the shop has beside them.
type Checks struct {
	DB     *store.DB
	Engine *engine.Engine
}

// FindingsOf implements console.Checker, by the real engine.
func (c Checks) FindingsOf(ctx context.Context, name, text string) (*proof.Report, error) {
	return c.Engine.FindingsOf(ctx, name, text)
}

// Names implements console.Checker, by the real engine.
func (c Checks) Names(ctx context.Context) (automation.Names, error) { return c.Engine.Names(ctx) }

// RunTests implements console.Checker, by the real engine.
func (c Checks) RunTests(ctx context.Context, a *automation.Automation) ([]proof.Run, error) {
	return c.Engine.RunTests(ctx, a)
}

// Findings implements console.Checker.
func (c Checks) Findings(ctx context.Context) (*proof.Report, error) {
	var as []*automation.Automation
	err := c.DB.View(ctx, func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts("automation")
		if err != nil {
			return err
		}
		for _, t := range texts {
			a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
			if err != nil {
				return err
			}
			as = append(as, a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := proof.Check(decide.Settings{}, proof.World{}, as)
	r.Tests = proof.Tests(decide.Settings{}, as)
	return r, nil
}

// AddAdmin makes the sample admin.
func (s *Shop) AddAdmin(ctx context.Context) error {
	for _, u := range []access.NewUser{
		{Email: AdminMail, Name: "Alex Sample", Password: AdminPassword, Role: access.Admin},
	} {
		if _, err := s.Access.AddUser(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
