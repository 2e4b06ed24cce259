package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// Ports finds the adapter of a connection. What is sent to a name that is not there yet waits for it.
type Ports interface {
	Mailer(ctx context.Context, connection string) (connect.Mailer, error)
	Hook(ctx context.Context, connection string) (connect.Hook, error)
}

// The times of a delivery. Nothing may leave under a claim that another node can
// take meanwhile, so an attempt ends well before its claim:
//
//	claim ──── begin ≤ 20 s ──── hand-over ≤ 20 s ──── record ────── lease 60 s ──▶ another may claim
//
// An attempt may begin to hand over until attemptTimeout after its claim was asked for; what has begun
// is given up by connect.HandOver at the latest. A job begins attempts during its turn, so that it
// ends before the queue takes it for lost.
const (
	lease          = 60 * time.Second
	attemptTimeout = 20 * time.Second
	turn           = 10 * time.Second
)

// atOnce is how many documents of one job are on their way at a time. Mails go one by one: a mail system
// knows no idempotency key, and so a crash can repeat one message of a job at most.
const atOnce = 4

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

// deliver attempts the effects of one job, in rounds: claim, call, record. One
// transaction records a round and claims the next. Effects that are finished or
// claimed elsewhere are skipped, so a job may run twice.
func (e *Engine) deliver(ctx context.Context, ids []string) error {
	docs, size, err := e.documents(ctx, ids)
	if err != nil {
		return err
	}
	over := time.Now().Add(turn)
	var round []*attempt
	later := false
	for {
		var next []string
		if ctx.Err() == nil && !e.closing() && time.Now().Before(over) {
			next = ids[:min(size, len(ids))]
		}
		begin := time.Now() // before the claim, so that no wait for the database makes it last longer than it does
		var missed bool
		if round, missed, err = e.round(ctx, round, next); err != nil {
			return err
		}
		later = later || missed
		if len(next) == 0 {
			break
		}
		ids = ids[len(next):]
		e.attemptAll(ctx, begin.Add(attemptTimeout), round, docs)
	}
	if later || len(ids) > 0 {
		return store.ErrLater
	}
	return nil
}

// closing reports whether Close was called.
func (e *Engine) closing() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// attemptAll makes the attempts of a round beside each other.
func (e *Engine) attemptAll(ctx context.Context, until time.Time, round []*attempt, docs *documents) {
	ctx, stop := context.WithDeadline(ctx, until)
	defer stop()
	var wg sync.WaitGroup
	for _, a := range round {
		wg.Go(func() { e.attempt(ctx, a, docs) })
	}
	wg.Wait()
}

func (e *Engine) byMail(f effect.Effect) bool { return f.Payload.Recipient != "" }

// attempt calls the destination once, in the trace of the request that caused the effect.
func (e *Engine) attempt(ctx context.Context, a *attempt, docs *documents) {
	ctx, span := e.spanOf(ctx, a.effect, docs)
	e.call(ctx, a, docs)
	span.End(a.err)
}

func (e *Engine) call(ctx context.Context, a *attempt, docs *documents) {
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
		if tester, ok := port.(connect.Tester); ok && a.effect.Payload.Purpose == decide.SelfTest {
			a.err = tester.Check(ctx) // a mail a day that says nothing would soon be read by nobody
			a.receipt.Text = "signed in; no mail was sent"
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
	a.receipt, a.err = port.Post(ctx, connect.Delivery{ID: cmp.Or(a.effect.Payload.Same, a.effect.ID), Body: body, Answer: a.effect.Payload.Answer != nil})
}

// round records what became of the attempts of the last round, and claims the next. With something
// to record it is not given up when the caller stops or the database is away for a while:
// what was sent must be known to be sent. missed says that some of next must be asked for again.
func (e *Engine) round(ctx context.Context, last []*attempt, next []string) (claimed []*attempt, missed bool, err error) {
	if len(last) == 0 && len(next) == 0 {
		return nil, false, nil
	}
	r := &record{last: last, next: next}
	err = e.records.write(ctx, e, r)
	for wait := 50 * time.Millisecond; err != nil && len(last) > 0 && e.pause(wait); wait = min(2*wait, time.Second) {
		e.log.Error("what was sent could not be recorded; it is tried again", "effects", len(last), "err", err)
		r = &record{last: last} // no claim now: its time would begin before it is made
		if err = e.records.write(ctx, e, r); err == nil {
			e.tell(last, r.did.dead)
			return nil, false, store.ErrLater
		}
	}
	if err != nil {
		return nil, false, err
	}
	if len(last) > 0 {
		e.tell(last, r.did.dead)
	}
	for _, f := range r.claimed {
		claimed = append(claimed, &attempt{effect: f})
	}
	return claimed, r.missed, nil
}

// outcome is what the attempts of a round came to.
type outcome struct {
	results []store.Result
	// Each dead letter and each answer to a call becomes an event, by a row in the commit that
	// records it: none is lost with its node.
	timers []store.Timer
	dead   int
}

func (e *Engine) outcome(tx *store.Tx, as []*attempt, now time.Time) (outcome, error) {
	var out outcome
	for _, a := range as {
		f := a.effect
		r := store.Result{ID: f.ID, Fence: f.Fence, State: effect.Done, Receipt: a.receipt.Text, At: now}
		if a.receipt.Reference != "" {
			r.Receipt = a.receipt.Reference + " " + a.receipt.Text
		}
		if a.err != nil {
			r.State, r.Receipt, r.Err = effect.Pending, "", connect.Reason(a.err)
			r.Unsure = connect.ClassOf(a.err) == connect.ClassUnknown
			wait, again := e.schedule().Next(f.Attempts, f.ID, a.err)
			r.Due = now.Add(wait)
			if !again {
				r.State = effect.Dead
				if rows, err := store.Effects(tx, []string{f.ID}); err != nil || len(rows) != 1 || rows[0].Fence != f.Fence || rows[0].State != effect.Claimed {
					if err != nil {
						return out, err
					}
					continue // another attempt has the word
				}
				ev := &event.EffectFailed{Effect: f.ID, Order: f.OrderID, Purpose: f.Payload.Purpose, Destination: f.Destination, Error: r.Err, Automation: f.Automation}
				if err := out.becomes(fmt.Sprintf("dead:%s:%d", f.ID, f.Fence), ev, f, now); err != nil {
					return out, err
				}
				out.dead++
			}
		} else if f.Payload.Answer != nil {
			if err := out.becomes("answer:"+f.ID, answerOf(a), f, now); err != nil {
				return out, err
			}
		}
		out.results = append(out.results, r)
	}
	return out, nil
}

// becomes lets what came of an effect become an event.
func (o *outcome) becomes(id string, p event.Payload, f effect.Effect, now time.Time) error {
	data, err := event.Encode(p)
	if err == nil {
		o.timers = append(o.timers, store.Timer{ID: id, Due: now, Type: p.EventType(), Data: string(data), Cause: f.EventID})
	}
	return err
}

// tell logs, counts and announces what was recorded.
func (e *Engine) tell(as []*attempt, dead int) {
	e.tally.add(as)
	for _, a := range as {
		if a.err != nil {
			e.log.Warn("an attempt failed", "effect", a.effect.ID, "event", a.effect.EventID, "destination", a.effect.Destination, "attempt", a.effect.Attempts, "err", connect.Reason(a.err))
		}
	}
	e.stats.EffectsDone.Add(int64(len(as) - dead))
	e.stats.EffectsFailed.Add(int64(dead))
	e.watch.tell(Topic{Kind: "effect"})
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
		now, err := tx.Clock()
		if err != nil {
			return err
		}
		due, err := store.DueEffects(tx, now, lease, 2000)
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
	shadows  map[string]notify.Report // by effect
	parents  map[string]string        // traceparent by event; nil when nothing is traced
}

// documents reads what the effects of a job need in one View, and says how many are attempted at once.
func (e *Engine) documents(ctx context.Context, ids []string) (docs *documents, size int, err error) {
	docs, size = &documents{orders: map[string]*order.Order{}, personal: map[string]customer.Personal{}, reports: map[string]dayReport{}, shadows: map[string]notify.Report{}}, atOnce
	err = e.db.View(ctx, func(tx *store.Tx) error {
		effects, err := store.Effects(tx, ids)
		if err != nil {
			return err
		}
		var orders, customers []string
		for _, f := range effects {
			orders = append(orders, f.OrderID)
			customers = append(customers, f.CustomerID)
			if e.byMail(f) {
				size = 1
			}
		}
		var rows map[string]store.OrderDoc
		var keys map[string]store.CustomerDoc
		err = tx.Together(func() (err error) {
			if rows, err = store.Orders(tx, uniq(orders)); err == nil {
				keys, err = store.Customers(tx, uniq(customers))
			}
			return err
		})
		if err != nil {
			return err
		}
		if e.opts.Tracer != nil {
			if docs.parents, err = parents(tx, effects); err != nil {
				return err
			}
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
			if f.Payload.Purpose == shadowReport {
				if docs.shadows[f.ID], err = e.shadowReport(tx, f.Payload.Data["automation"], f.Payload.Data["date"]); err != nil {
					return err
				}
			}
			if date := f.Payload.Data["date"]; f.Payload.Purpose == "daily-report" {
				if docs.reports[date], err = e.dayReport(tx, date); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Unavailable, "engine.documents", "the orders of a delivery could not be read")
	}
	return docs, size, nil
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
	Link     string            `json:"link,omitempty"` // page of the console, of an alert
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
	doc := hookBody{ID: cmp.Or(f.Payload.Same, f.ID), Type: f.Payload.Purpose, Time: f.Created.UTC(), Location: f.Payload.Data["location"]}
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
	if f.Kind == effect.Alert {
		doc.Link = e.link(f)
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
