package engine

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// observer is an automation that reads every fact a suggestion may be made of and never
// fires: deciding an order with it gathers them as a live decision would.
func observer() (*automation.Automation, error) {
	fields, velocities := suggest.Reads()
	parts := []string{"false"}
	for _, f := range fields {
		switch fd, _ := schema.Lookup(f); fd.Type {
		case schema.Lines, schema.Strings:
			parts = append(parts, "size("+f+") < 0")
		default:
			parts = append(parts, f+" != "+f)
		}
	}
	for _, v := range velocities {
		parts = append(parts, v.String()+" < 0")
	}
	c, err := rule.Compile(strings.Join(parts, "||"), "order.placed")
	if err != nil {
		return nil, err
	}
	return &automation.Automation{Name: "observer", On: "order.placed", Mode: automation.Shadow, Condition: c}, nil
}

// past goes through the history in the order of its decisions and knows of each order what
// was known when it was placed: counts and velocities without anything that came later.
type past struct {
	snap   *decide.Snapshot
	policy *decide.Policy
	marks  map[string][]int32 // order -> numbers of its velocity keys
	keys   []string
	times  map[int32][]int64   // key -> times of the orders decided so far, sorted
	gone   map[string]struct{} // orders whose cancellation was counted
}

func newPast() (*past, error) {
	all, err := observer()
	if err != nil {
		return nil, err
	}
	return &past{
		snap: decide.NewSnapshot(), policy: &decide.Policy{Automations: automation.NewSet([]*automation.Automation{all})},
		marks: map[string][]int32{}, times: map[int32][]int64{}, gone: map[string]struct{}{},
	}, nil
}

// cases fills a table with the orders placed since a time, at most the newest [suggest.MaxRows].
// With labels, an order's outcome is its label; otherwise it is what a person decided.
func (e *Engine) cases(ctx context.Context, since time.Time, labels map[string]string) (*suggest.Table, error) {
	l, err := newPast()
	if err != nil {
		return nil, err
	}
	var own []*automation.Automation
	for _, a := range e.Policy().Automations.On("order.placed") {
		if a.Mode == automation.Active {
			own = append(own, a)
		}
	}
	t := suggest.NewTable()
	err = e.db.View(ctx, func(tx *store.Tx) error {
		oldest, err := tx.PlacedSince(suggest.MaxRows)
		if err != nil {
			return err
		}
		if !oldest.Before(since) {
			since = oldest.Add(time.Microsecond)
		}
		if err := l.load(tx, since); err != nil {
			return err
		}
		reviews := map[string]store.Review{}
		if err := tx.DecidedReviews(since, func(r store.Review) { reviews[r.Task] = r }); err != nil {
			return err
		}
		return tx.EachPast(func(p *store.PastEvent) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if p.Type != "order.placed" {
				if err := l.follow(p); err != nil || labels != nil {
					return err
				}
				return people(t, p, reviews)
			}
			c, ok, err := l.placed(p)
			if err != nil || !ok || c.At.Before(since) {
				return err
			}
			cover(&c, own)
			if labels != nil {
				c.Outcome = labels[c.Number]
			}
			t.Add(c)
			return nil
		})
	})
	return t, err
}

// people keeps what a person decided about a held order.
func people(t *suggest.Table, p *store.PastEvent, reviews map[string]store.Review) error {
	switch p.Type {
	case "task.decided":
		var d event.TaskDecided
		if err := json.Unmarshal([]byte(p.Data), &d); err != nil {
			return fault.Wrap(err, fault.Internal, "engine.cases", "event %s cannot be read", p.ID)
		}
		if r, ok := reviews[d.Task]; ok {
			t.Decide(r.OrderID, d.Outcome, p.Actor, r.Queue)
		}
	case "order.release_requested":
		t.Decide(p.OrderID, suggest.Approve, p.Actor, "")
	}
	return nil
}

// cover notes which automations meet the case already, by the steps that suggestions propose.
func cover(c *suggest.Case, own []*automation.Automation) {
	for _, a := range own {
		out, _ := a.Condition.Eval(c.Facts)
		if out != rule.True {
			continue
		}
		for _, s := range a.Steps {
			if s.Kind == automation.KindHold || s.Kind == automation.KindRelease {
				if c.Covered == nil {
					c.Covered = map[string][]string{}
				}
				c.Covered[string(s.Kind)] = append(c.Covered[string(s.Kind)], a.Name)
			}
		}
	}
}

// load reads under which velocity keys each order is counted.
func (l *past) load(tx *store.Tx, since time.Time) error {
	if !since.IsZero() {
		since = since.Add(-suggest.LongestWindow)
	}
	number := map[string]int32{}
	return tx.EachMark(since, func(key, order string) {
		n, ok := number[key]
		if !ok {
			n = int32(len(l.keys))
			number[key] = n
			l.keys = append(l.keys, key)
		}
		l.marks[order] = append(l.marks[order], n)
	})
}

// placed is an order as it was when it came in; ok is false when it was told twice.
func (l *past) placed(p *store.PastEvent) (c suggest.Case, ok bool, err error) {
	o := p.Order
	if o == nil {
		return c, false, nil
	}
	data, err := event.Decode(p.Type, []byte(p.Data))
	if err != nil {
		return c, false, err
	}
	ev := event.Event{ID: p.ID, Type: p.Type, Subject: p.Subject, Mode: event.History, Data: data, At: p.At}
	ev.Who.Customer = p.CustomerID
	l.velocities(&ev, p)
	d, err := decide.Decide(l.snap, ev, l.policy, p.At)
	if err != nil {
		return c, false, err
	}
	if d.Customer != nil {
		l.snap.Customers[d.Customer.ID] = d.Customer
	}
	f := d.Facts
	// What personal data came to was worked out when it came, and kept with the order.
	f["order.addresses_differ"] = o.AddressesDiffer
	f["ip.known"] = o.IPCountry != ""
	if delete(f, "ip.country"); o.IPCountry != "" {
		f["ip.country"] = o.IPCountry
	}
	if o.EmailDomain != "" {
		f["customer.email_domain"] = o.EmailDomain
		f["customer.email_disposable"] = risk.Disposable(o.EmailDomain)
	}
	return suggest.Case{ID: o.ID, Number: o.Number, At: o.PlacedAt, Facts: f, Money: o.Total}, true, nil
}

// velocities puts into the snapshot how often each of the order's keys was counted before, and then counts the order.
func (l *past) velocities(ev *event.Event, p *store.PastEvent) {
	at := p.At.UnixMicro()
	clear(l.snap.Velocity)
	for _, n := range l.marks[p.OrderID] {
		key := l.keys[n]
		switch key[0] {
		case 'e':
			ev.Who.Email = key
		case 'a':
			ev.Who.Address = key
		case 'd':
			ev.Who.Device = key
		case 'i':
			ev.Who.IP = key
		}
		times := l.times[n]
		for _, w := range suggest.Windows() {
			q := decide.VelocityQuery{Key: key, From: p.At.Add(-w).UnixMicro(), To: at + 1}
			from, _ := slices.BinarySearch(times, q.From)
			to, _ := slices.BinarySearch(times, q.To)
			l.snap.Velocity[q] = int64(to - from)
		}
		i, _ := slices.BinarySearch(times, at+1)
		l.times[n] = slices.Insert(times, i, at)
	}
	delete(l.marks, p.OrderID)
}

// follow takes a cancellation or a return into the customer's counts.
func (l *past) follow(p *store.PastEvent) error {
	who := p.Owner
	if who == "" {
		return nil
	}
	cancelled := p.Type == "order.cancelled"
	if p.Type == "task.decided" {
		var d event.TaskDecided
		if err := json.Unmarshal([]byte(p.Data), &d); err != nil {
			return fault.Wrap(err, fault.Internal, "engine.cases", "event %s cannot be read", p.ID)
		}
		cancelled = d.Outcome == suggest.Reject || d.Outcome == "cancel"
	}
	c := customer.Customer{ID: who}
	if have := l.snap.Customers[who]; have != nil {
		c = *have
	}
	switch {
	case cancelled:
		if _, counted := l.gone[p.OrderID]; counted {
			return nil
		}
		l.gone[p.OrderID] = struct{}{}
		c.Cancelled++
		c.Orders = max(0, c.Orders-1)
	case p.Type == "return.received":
		c.Returns++
	default:
		return nil
	}
	l.snap.Customers[who] = &c
	return nil
}
