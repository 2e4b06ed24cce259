package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// Ports finds the adapter of a connection. An unknown name is a permanent error.
type Ports interface {
	Mailer(ctx context.Context, connection string) (connect.Mailer, error)
	Hook(ctx context.Context, connection string) (connect.Hook, error)
}

// lease is how long a claim lasts; an attempt that takes longer is given up by its caller before.
const lease = 60 * time.Second

// attemptTimeout bounds one call of a destination.
const attemptTimeout = 20 * time.Second

func (e *Engine) startWorkers(ctx context.Context) error {
	if e.opts.Ports == nil {
		return nil
	}
	if err := e.db.RecoverClaims(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.done:
		return nil // it was closed before it began to run
	default:
	}
	ctx, e.cancel = context.WithCancel(ctx)
	stop, err := e.db.StartWorkers(ctx, store.Handlers{
		Deliver: func(ctx context.Context, j store.DeliverJob) error { return e.deliver(ctx, j.Effects) },
		Wake:    func(ctx context.Context, _ store.WakeJob) error { return e.fireTimers(ctx) },
	}, store.WorkerOptions{})
	e.workers = stop
	return err
}

// attempt is one claimed effect and what became of it.
type attempt struct {
	effect  effect.Effect
	receipt connect.Receipt
	err     error
}

// deliver attempts the effects of one job: claim, call, record. Effects that are
// finished or claimed elsewhere are skipped, so a job may run twice.
func (e *Engine) deliver(ctx context.Context, ids []string) error {
	var claimed []effect.Effect
	err := e.db.Update(ctx, func(tx *store.Tx) (err error) {
		claimed, err = store.ClaimEffects(tx, ids, e.now(), lease)
		return err
	})
	if err != nil || len(claimed) == 0 {
		return err
	}
	// A claim must outlive its attempt: what cannot be tried in time is left, and
	// comes back when the claim runs out. Else another worker would send it as well.
	last := e.now().Add(lease - attemptTimeout - 10*time.Second)
	docs, err := e.documents(ctx, claimed)
	if err != nil {
		return err
	}
	var hooks []*attempt
	for i := range claimed {
		a := &attempt{effect: claimed[i]}
		if e.byMail(a.effect) {
			if ctx.Err() != nil || e.now().After(last) {
				continue
			}
			e.attempt(ctx, a, docs)
			// A mail system knows no idempotency key: each sent mail is recorded before the next
			// leaves, so that a crash can repeat one message at most.
			if err := e.record(ctx, a); err != nil {
				return err
			}
			continue
		}
		hooks = append(hooks, a)
	}
	if len(hooks) == 0 {
		return nil
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, a := range hooks {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			e.attempt(ctx, a, docs)
			<-slots
		}()
	}
	wg.Wait()
	return e.record(ctx, hooks...)
}

func (e *Engine) byMail(f effect.Effect) bool { return f.Payload.Recipient != "" }

// attempt calls the destination once.
func (e *Engine) attempt(ctx context.Context, a *attempt, docs *documents) {
	ctx, stop := context.WithTimeout(ctx, attemptTimeout)
	defer stop()
	if e.byMail(a.effect) {
		m, err := e.message(a.effect, docs)
		if err != nil {
			a.err = err
			return
		}
		port, err := e.opts.Ports.Mailer(ctx, a.effect.Destination)
		if err != nil {
			a.err = err
			return
		}
		a.receipt, a.err = port.Send(ctx, m)
		return
	}
	body, err := e.body(a.effect, docs)
	if err != nil {
		a.err = connect.Permanent(err)
		return
	}
	port, err := e.opts.Ports.Hook(ctx, a.effect.Destination)
	if err != nil {
		a.err = err
		return
	}
	a.receipt, a.err = port.Post(ctx, connect.Delivery{ID: a.effect.ID, Body: body})
}

// record writes what became of the attempts, and lets a dead letter become an
// event. It is not given up when the caller stops: what was sent must be known to be sent.
func (e *Engine) record(ctx context.Context, as ...*attempt) error {
	ctx = context.WithoutCancel(ctx)
	now := e.now()
	results := make([]store.Result, len(as))
	var dead []event.Event
	for i, a := range as {
		r := store.Result{ID: a.effect.ID, Fence: a.effect.Fence, State: effect.Done, Receipt: a.receipt.Text, At: now}
		if a.receipt.Reference != "" {
			r.Receipt = a.receipt.Reference + " " + a.receipt.Text
		}
		if a.err != nil {
			r.State, r.Receipt, r.Err = effect.Pending, "", connect.Reason(a.err)
			wait, again := e.schedule().Next(a.effect.Attempts, a.effect.ID, a.err)
			r.Due = now.Add(wait)
			if !again {
				r.State = effect.Dead
				dead = append(dead, event.Event{
					Source: engineSource, Key: fmt.Sprintf("dead:%s:%d", a.effect.ID, a.effect.Fence), Actor: "orderly", Cause: a.effect.EventID,
					Data: &event.EffectFailed{
						Effect: a.effect.ID, Order: a.effect.OrderID, Purpose: a.effect.Payload.Purpose,
						Destination: a.effect.Destination, Error: r.Err,
					},
				})
			}
			e.log.Warn("an attempt failed", "effect", a.effect.ID, "destination", a.effect.Destination, "attempt", a.effect.Attempts, "err", r.Err)
		}
		results[i] = r
	}
	err := e.db.Update(ctx, func(tx *store.Tx) error { return store.FinishEffects(tx, results) })
	if err != nil {
		return err
	}
	e.stats.EffectsDone.Add(int64(len(as) - len(dead)))
	e.stats.EffectsFailed.Add(int64(len(dead)))
	e.watch.tell(Topic{Kind: "effect"})
	if len(dead) == 0 {
		return nil
	}
	_, err = e.Submit(ctx, dead)
	return err
}

func (e *Engine) schedule() connect.Schedule {
	if e.opts.Schedule != nil {
		return *e.opts.Schedule
	}
	return connect.Default
}

// sweep enqueues every effect that should have been attempted a lease ago: the node that had its job died.
func (e *Engine) sweep(ctx context.Context) error {
	return e.db.Update(ctx, func(tx *store.Tx) error {
		due, err := store.DueEffects(tx, e.now(), lease, 2000)
		if err != nil || len(due) == 0 {
			return err
		}
		return tx.Enqueue(deliverJobs(due)...)
	})
}

// deliverJobs lists effects in jobs of one destination and at most store.EffectsPerJob effects each.
func deliverJobs(effects []effect.Effect) []store.Job {
	byDest := map[string][]string{}
	var order []string
	for _, f := range effects {
		if byDest[f.Destination] == nil {
			order = append(order, f.Destination)
		}
		byDest[f.Destination] = append(byDest[f.Destination], f.ID)
	}
	var jobs []store.Job
	for _, dest := range order {
		ids := byDest[dest]
		for len(ids) > 0 {
			n := min(store.EffectsPerJob, len(ids))
			jobs = append(jobs, store.Deliver(dest, ids[:n]))
			ids = ids[n:]
		}
	}
	return jobs
}

// documents are the orders that a job's effects speak of, with their personal data.
type documents struct {
	orders   map[string]*order.Order
	personal map[string]customer.Personal
	reports  map[string]dayReport
}

// documents reads what the effects need in one View.
func (e *Engine) documents(ctx context.Context, effects []effect.Effect) (*documents, error) {
	docs := &documents{orders: map[string]*order.Order{}, personal: map[string]customer.Personal{}, reports: map[string]dayReport{}}
	var ids, customers []string
	for _, f := range effects {
		ids = append(ids, f.OrderID)
		customers = append(customers, f.CustomerID)
	}
	err := e.db.View(ctx, func(tx *store.Tx) error {
		rows, err := store.Orders(tx, uniq(ids))
		if err != nil {
			return err
		}
		keys, err := store.Customers(tx, uniq(customers))
		if err != nil {
			return err
		}
		for id, r := range rows {
			docs.orders[id] = r.Order
			pd, err := e.keys.Open(r.Order.CustomerID, keys[r.Order.CustomerID].Key, r.Sealed)
			if err != nil {
				return err
			}
			docs.personal[id] = pd
		}
		for _, f := range effects {
			if date := f.Payload.Data["date"]; f.Payload.Purpose == "daily-report" {
				if docs.reports[date], err = e.dayReport(tx, date); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "engine.documents", "the orders of a delivery could not be read")
	}
	return docs, nil
}

// hookBody is the document of every outgoing webhook.
type hookBody struct {
	ID       string            `json:"id"`   // the effect: the idempotency key
	Type     string            `json:"type"` // purpose, e.g. fulfilment
	Time     time.Time         `json:"time"`
	Order    *hookOrder        `json:"order,omitempty"`
	Location string            `json:"location,omitempty"`
	Lines    json.RawMessage   `json:"lines,omitempty"`
	Data     map[string]string `json:"data,omitempty"`
}

// hookOrder is what a warehouse needs to know of an order.
type hookOrder struct {
	ID      string        `json:"id"`
	Channel string        `json:"channel"`
	Number  string        `json:"number"`
	Service string        `json:"service,omitempty"`
	Note    string        `json:"note,omitempty"`
	Ship    event.Address `json:"ship_to"`
	Phone   string        `json:"phone,omitempty"`
}

// body makes the document of a webhook. Time is when the effect was created, so every attempt says the same.
func (e *Engine) body(f effect.Effect, docs *documents) ([]byte, error) {
	doc := hookBody{ID: f.ID, Type: f.Payload.Purpose, Time: f.Created.UTC(), Location: f.Payload.Data["location"]}
	for k, v := range f.Payload.Data {
		switch k {
		case "location":
		case "lines":
			doc.Lines = json.RawMessage(v)
		default:
			if doc.Data == nil {
				doc.Data = map[string]string{}
			}
			doc.Data[k] = v
		}
	}
	if o := docs.orders[f.OrderID]; o != nil {
		h := &hookOrder{ID: o.ID, Channel: o.Channel, Number: o.Number, Service: o.Service, Note: o.Note, Ship: o.Shipping}
		if f.Payload.Personal {
			pd := docs.personal[f.OrderID]
			h.Ship.Name, h.Ship.Line1, h.Ship.Line2, h.Phone = pd.ShippingName, pd.ShippingLine1, pd.ShippingLine2, pd.Phone
		}
		doc.Order = h
	}
	return json.Marshal(doc)
}
