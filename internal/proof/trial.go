// Package proof says what can be known of automations before they meet an order: their own
// tests, and what can be shown of all of them together. Whatever it claims it has decided by
// decide.Decide, the function that runs live; it has no evaluator of its own.
//
// Read trial.go first: a [Case] is an event and what is known when it comes, [Try] decides it.
package proof

import (
	"slices"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// Case is an event and what is known when it comes.
type Case struct {
	Event event.Payload
	Order *event.OrderPlaced // how the order came in that the event is about; nil on order.placed and where there is none
	Given rule.Map           // facts that are so whatever the rows say; a nil value is not known
	Stock map[string]int64   // units of a SKU; of others there is enough, or none where the order must be unfillable
	At    time.Time
}

// Result is what came of a case.
type Result struct {
	Decision *decide.Decision
	Asked    bool // automations were asked at all: a parcel of a cancelled order asks none
	by       map[string]decide.Considered
}

// Outcome is what the condition of an automation came to.
func (r *Result) Outcome(name string) rule.Outcome {
	switch r.by[name].Outcome {
	case decide.Fired:
		return rule.True
	case decide.Unknown:
		return rule.Unknown
	}
	return rule.False
}

// Did is what an automation that fired did.
func (r *Result) Did(name string) []string { return r.by[name].Did }

// enough is how many units there are of a SKU about which a case says nothing.
const enough = 1_000_000_000

// Try decides a case under a policy of the given automations, all of them active. An error is
// one of deciding: what the case tells cannot happen.
func Try(settings decide.Settings, as []*automation.Automation, c Case) (*Result, error) {
	t := newTrial(settings, c)
	ev, err := t.prepare(c)
	if err != nil {
		return nil, err
	}
	active := make([]*automation.Automation, len(as))
	for i, a := range as {
		live := *a
		live.Mode, live.Share = automation.Active, 0
		active[i] = &live
	}
	t.pol.Automations = automation.NewSet(active)
	t.snap.Given = c.Given
	d, err := decide.Decide(t.snap, t.event(ev), t.pol, c.At)
	if err != nil {
		return nil, err
	}
	r := &Result{Decision: d, Asked: d.Considered > 0, by: map[string]decide.Considered{}}
	for _, x := range d.Trace.Automations {
		r.by[x.Name] = x
	}
	return r, nil
}

// trial is a shop of one order, made of literals.
type trial struct {
	snap   *decide.Snapshot
	pol    *decide.Policy
	at     time.Time
	places []string
	n      int
}

func newTrial(settings decide.Settings, c Case) *trial {
	// What leaves needs somewhere to go, or a message would be a note that nobody sends it.
	for _, s := range []*string{&settings.Mail, &settings.Fulfilment} {
		if *s == "" {
			*s = "test"
		}
	}
	if len(settings.Alerts) == 0 {
		settings.Alerts = []string{"test"}
	}
	t := &trial{snap: decide.NewSnapshot(), at: c.At, places: places(c.Event)}
	t.pol = &decide.Policy{
		Revision: 1, Settings: settings, Routing: routing.DefaultPolicy(), Automations: automation.NewSet(nil),
		Locations: map[string]catalog.Location{},
	}
	for i, id := range t.places {
		t.pol.Locations[id] = catalog.Location{ID: id, Name: id, Rank: i + 1}
	}
	units := func(sku string) int64 {
		if n, ok := c.Stock[sku]; ok {
			return n
		}
		if mustLack(c) {
			return 0
		}
		return enough
	}
	for _, sku := range skus(c) {
		t.snap.Products[sku] = decide.Product{Product: catalog.Product{SKU: sku, Title: sku}}
		t.snap.Stock[sku] = []stock.Balance{{Key: stock.Key{SKU: sku, Location: t.places[0]}, OnHand: units(sku)}}
	}
	return t
}

// places are the locations of the trial's shop; the stock lies at the first.
func places(p event.Payload) []string {
	switch p := p.(type) {
	case *event.ShipmentShipped:
		return []string{p.Location}
	case *event.ShipmentRejected:
		return []string{p.Location}
	case *event.ReturnReceived:
		return []string{p.Location}
	case *event.StockReceived:
		return []string{p.Location}
	case *event.StockCounted:
		return []string{p.Location}
	case *event.StockAdjusted:
		return []string{p.Location}
	case *event.StockTransferred:
		return []string{p.From, p.To}
	}
	return []string{automation.ExampleLocation}
}

// mustLack reports whether the order of the case is one that no location can fill.
func mustLack(c Case) bool {
	if _, ok := c.Event.(*event.OrderUnfillable); ok {
		return true
	}
	return c.Given["task.kind"] == string(task.Unfillable)
}

func skus(c Case) []string {
	var out []string
	add := func(ls []event.Line) {
		for _, l := range ls {
			if !slices.Contains(out, l.SKU) {
				out = append(out, l.SKU)
			}
		}
	}
	if c.Order != nil {
		add(c.Order.Lines)
	}
	switch p := c.Event.(type) {
	case *event.OrderPlaced:
		add(p.Lines)
	case *event.ReturnReceived:
		add(p.Lines)
	case *event.StockReceived, *event.StockCounted, *event.StockAdjusted, *event.StockTransferred, *event.StockLow:
		add([]event.Line{{SKU: p.EventSubject()}})
	}
	return out
}

// event is the envelope of a payload, as a door would make it.
func (t *trial) event(p event.Payload) event.Event {
	t.n++
	id := event.Derive("evt_", "trial", string(rune('a'+t.n)))
	ev := event.Event{
		ID: id, Source: "test", Key: id, Type: p.EventType(), Subject: p.EventSubject(), At: t.at, Received: t.at,
		Mode: event.Live, Actor: "test", Data: p,
	}
	if placed, ok := p.(*event.OrderPlaced); ok {
		ev.Who = identify(placed)
	}
	return ev
}

// identify is the buyer's identity; a trial needs no secret to make it.
func identify(p *event.OrderPlaced) event.Identity {
	var who event.Identity
	if mail := risk.Email(p.Customer.Email); mail != "" {
		who.Email, who.Customer = "e"+mail, "cus_"+mail
	} else if p.Customer.ID != "" {
		who.Customer = "cus_" + p.Channel + ":" + p.Customer.ID
	}
	if a := risk.Address(p.Shipping.Country, p.Shipping.Postal, p.Shipping.Line1); a != "" {
		who.Address = "a" + a
	}
	if p.Device != "" {
		who.Device = "d" + p.Device
	}
	if p.IP != "" {
		who.IP = "i" + p.IP
	}
	return who
}

// happen decides an event before the one that is tried, and what follows from it.
func (t *trial) happen(p event.Payload) error {
	queue := []event.Event{t.event(p)}
	for len(queue) > 0 {
		d, err := decide.Decide(t.snap, queue[0], t.pol, t.at)
		if err != nil {
			return err
		}
		t.snap.Apply(d)
		queue = append(queue[1:], d.Derived...)
	}
	return nil
}

// prepare lets happen what must have happened before the event of the case, and returns it.
func (t *trial) prepare(c Case) (event.Payload, error) {
	if c.Order == nil {
		return t.withTask(c, "")
	}
	placed := *c.Order
	if _, ok := c.Event.(*event.OrderPaid); !ok && placed.Payment.Status == "" {
		placed.Payment.Status = event.PaymentPaid
	}
	if err := t.happen(&placed); err != nil {
		return nil, err
	}
	id := event.OrderID(placed.Channel, placed.Number)
	_, releases := c.Event.(*event.OrderReleaseRequested)
	if releases || c.Given["task.kind"] == string(task.Review) {
		if err := t.happen(&event.OrderHoldRequested{Order: id, Reason: "a test"}); err != nil {
			return nil, err
		}
	}
	return t.withTask(c, id)
}

// withTask makes the task that a task event is about, unless the order has it already.
func (t *trial) withTask(c Case, orderID string) (event.Payload, error) {
	options := []string{"done"}
	switch p := c.Event.(type) {
	case *event.TaskDecided:
		q := *p
		q.Task = t.task(c, orderID, q.Task, []string{q.Outcome})
		return &q, nil
	case *event.TaskAssigned:
		q := *p
		q.Task = t.task(c, orderID, q.Task, options)
		return &q, nil
	case *event.TaskOverdue:
		return &event.TaskOverdue{Task: t.task(c, orderID, p.Task, options)}, nil
	case *event.AbsenceDue: // the order has waited for it
		if o := t.snap.Orders[orderID]; o != nil {
			o = o.Clone()
			o.Watches = append(o.Watches, order.Watch{ID: p.Watch, Automation: p.Automation})
			t.snap.Orders[orderID] = o
		}
	}
	return c.Event, nil
}

func (t *trial) task(c Case, orderID, id string, options []string) string {
	kind := task.General
	if k, ok := c.Given["task.kind"].(string); ok {
		kind = task.Kind(k)
	}
	subject := orderID
	if subject == "" {
		subject = "test"
	}
	for _, have := range t.snap.Tasks[subject] {
		if have.Kind == kind {
			return have.ID
		}
	}
	queue, _ := c.Given["task.queue"].(string)
	t.snap.Tasks[subject] = append(t.snap.Tasks[subject], &task.Task{
		ID: id, Kind: kind, Queue: queue, Subject: subject, OrderID: orderID, Title: "a test", Options: options,
		State: task.Open, Created: t.at, Round: 1,
	})
	return id
}

// impossible says that a case cannot be as it is told.
func impossible(err error) string { return "this cannot happen: " + fault.Message(err) }
