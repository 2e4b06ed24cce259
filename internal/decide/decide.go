// Package decide is the heart of Orderly: one pure function, [Decide], says what
// an event means for the shop. It does no I/O, reads no clock and draws no
// random number, so the same function runs live, in shadow, in a backtest and in
// a test, and the same events in the same order always give the same decisions.
//
// Read it in this order: Decide below; the files orders.go, shipping.go, stock.go and tasks.go
// for what each event does; plan.go for where an order ships from; automations.go for the
// shop's own rules; needs.go for what the engine must load first.
package decide

import (
	"fmt"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// Policy is what the shop has decided beforehand: automations, routing, settings,
// and the master data that changes as rarely. It is immutable once made.
type Policy struct {
	Revision    int64
	Automations *automation.Set
	Routing     *routing.Policy
	Settings    Settings
	Locations   map[string]catalog.Location
	Zones       map[string]*time.Location // every time zone that a location names
	Postal      Postal                    // nil: coordinates are unknown
	IP          IP                        // nil: countries of IP addresses are unknown
}

// zone is the time zone of a location: its own, else the shop's, else UTC.
func (p *Policy) zone(loc catalog.Location) *time.Location {
	if z := p.Zones[loc.TimeZone]; z != nil && loc.TimeZone != "" {
		return z
	}
	return p.zoneOfShop()
}

// zoneOfShop is the shop's time zone, else UTC.
func (p *Policy) zoneOfShop() *time.Location {
	if p.Settings.TimeZone != nil {
		return p.Settings.TimeZone
	}
	return time.UTC
}

// Postal tells the coordinates of a postal code, in degrees WGS 84.
type Postal interface {
	Lookup(country, code string) (lat, lon float64, ok bool)
}

// IP tells the country of an IP address, ISO 3166-1 alpha-2.
type IP interface {
	Country(ip string) (string, bool)
}

// Settings of the shop that decisions read.
type Settings struct {
	Name       string
	TimeZone   *time.Location
	Currency   string        // base currency
	FulfilOn   string        // event.PaymentAuthorized (default) or event.PaymentPaid: what a fulfilment waits for
	ReviewSLA  time.Duration // for holds that name none
	OpsOwner   string        // mail address that is told of incidents nobody else owns
	Fulfilment string        // connection that takes fulfilment requests unless a location names its own; "" = none
	Mail       string        // connection that sends mail; "" = none
	// SecondAbove: a task that gives back more money than this is decided by two people; the zero amount is off.
	SecondAbove     money.Amount
	SecondActivates bool     // an automation begins to act when a second person has confirmed it
	Alerts          []string // connections that take alerts besides mail: webhook, chat, on-call

	Escalate      []string      // mail addresses that are told in turn while nobody acknowledges an incident
	EscalateAfter time.Duration // between two of them
	Heartbeat     string        // connection that is called while Orderly is well; "" = none
	// Closed are local dates, 2006-01-02, on which nothing is expected.
	Closed map[string]bool
}

// Decision is everything an event led to. Applied in one transaction, or not at all.
type Decision struct {
	Event    event.Event
	Order    *order.Order       // the order as it is now; nil when no order changed
	Others   []*order.Order     // further orders: reservations reopened by a count
	Customer *customer.Customer // as it is now; nil when unchanged
	Balances []stock.Balance    // as they are now
	Moves    []stock.Move
	Low      map[string]bool // SKU -> below its low line, where that changed
	Tasks    []*task.Task    // as they are now
	Effects  []effect.Effect // new
	Withdraw []string        // ids of effects to cancel while they are pending
	Settle   []string        // ids of effects whose place another takes: pending or dead, they are cancelled
	Wait     []Wait
	Unwait   []string // order ids that wait no longer
	Marks    []Mark
	Days     []LocationDay // parcels given to a location today, +1 each
	Derived  []event.Event // decided next, in the same transaction
	Timers   []Timer
	Guards   []*automation.Guard // as they are now
	Firings  []automation.Firing
	Unset    []string          // ids of timers that are needed no longer
	Runs     []*automation.Run // as they are now
	Keep     bool              // its changes must be kept, also when nobody reacted to a derived event
	Trace    Trace
	Facts    Facts       // the facts the automations read
	Gist     *event.Gist // of an order's personal data, when this event brought it

	Considered int // automations asked; Trace.Automations has those that were not false
}

// Wait says that an order waits for units of a SKU.
type Wait struct {
	SKU     string
	Since   time.Time
	OrderID string
}

// Mark counts an event under a velocity key.
type Mark struct {
	Key string
	Ref string
	At  time.Time
}

// LocationDay names a location's local day.
type LocationDay = catalog.LocationDay

// Timer is an event to submit at Due.
type Timer struct {
	ID   string
	Due  time.Time
	Data event.Payload
}

// Snapshot is what a decision may read: the rows that needs.go names, as the
// events before this one left them. Decide never changes it; Apply does.
type Snapshot struct {
	Orders    map[string]*order.Order
	Customers map[string]*customer.Customer
	Products  map[string]Product
	Stock     map[string][]stock.Balance // by SKU, ordered by location
	Tasks     map[string][]*task.Task    // by subject, oldest first
	Effects   map[string][]effect.Effect // by order
	Waiting   map[string][]string        // SKU -> orders that wait for it, oldest first
	Reserving map[stock.Key][]string     // orders that hold units, newest first
	Days      map[LocationDay]int64
	Guards    map[string]*automation.Guard // by automation: what is known of its doings
	Velocity  map[VelocityQuery]int64      // counts as stored
	marks     map[string][]time.Time       // counted since, by this group
	Runs      map[string]*automation.Run
	Versions  map[string]*automation.Automation // older texts by hash, which runs began with
	waiting   map[string][]string               // ids of waiting runs by what may let them go on, sorted
	// Given are facts that are so whatever the rows say; a nil value is not known. Only a
	// trial sets them: a test beside a rule, or an order that shows two rules to meet.
	Given Facts
}

// Product is a product with the side of its low line it is on.
type Product struct {
	catalog.Product
	Low bool
}

// VelocityQuery counts the events under a key in a window.
type VelocityQuery = risk.VelocityQuery

// NewSnapshot returns an empty snapshot.
func NewSnapshot() *Snapshot {
	return &Snapshot{
		Orders: map[string]*order.Order{}, Customers: map[string]*customer.Customer{}, Products: map[string]Product{},
		Stock: map[string][]stock.Balance{}, Tasks: map[string][]*task.Task{}, Effects: map[string][]effect.Effect{},
		Waiting: map[string][]string{}, Reserving: map[stock.Key][]string{}, Days: map[LocationDay]int64{},
		Guards: map[string]*automation.Guard{}, Velocity: map[VelocityQuery]int64{}, marks: map[string][]time.Time{},
		Runs: map[string]*automation.Run{}, Versions: map[string]*automation.Automation{}, waiting: map[string][]string{},
	}
}

// Decide says what ev means at the time at. An error is a fault: Conflict when
// the event contradicts what is recorded (more units to move than there are),
// NotFound when it names what does not exist. Either way nothing may be
// applied. The snapshot and the policy are only read.
func Decide(snap *Snapshot, ev event.Event, pol *Policy, at time.Time) (*Decision, error) {
	return newDecider(snap, ev, pol, at).decide()
}

func newDecider(snap *Snapshot, ev event.Event, pol *Policy, at time.Time) *decider {
	d := &decider{
		snap: snap, pol: pol, at: at, ev: ev, live: ev.Mode != event.History,
		out: &Decision{Event: ev},
	}
	d.out.Event.At = at
	return d
}

func (d *decider) decide() (*Decision, error) {
	if err := d.dispatch(); err != nil {
		return nil, err
	}
	if d.resettle && d.live && d.order != nil && d.order.State != order.Expected {
		// An automation put or lifted a hold after the order had settled.
		if len(d.order.Holds) > 0 {
			d.withdrawFulfilment(d.order, "")
		}
		if err := d.settle(d.order); err != nil {
			return nil, err
		}
	}
	d.endRuns()
	d.finish()
	return d.out, nil
}

// dispatch is the table of contents: what each event type does.
func (d *decider) dispatch() error {
	switch p := d.ev.Data.(type) {
	case *event.OrderPlaced:
		return d.placed(p)
	case *event.OrderPaid:
		return d.paid(p)
	case *event.OrderCancelled:
		return d.cancelled(p)
	case *event.PaymentDisputed:
		return d.disputed(p)
	case *event.OrderCompleted:
		return d.completed(p)
	case *event.OrderHoldRequested:
		return d.holdRequested(p)
	case *event.OrderReleaseRequested:
		return d.releaseRequested(p)
	case *event.OrderRerouteRequested:
		return d.rerouteRequested(p)
	case *event.OrderAccepted, *event.OrderReady, *event.OrderUnfillable:
		return d.orderFact()
	case *event.ShipmentShipped:
		return d.shipped(p)
	case *event.ShipmentRejected:
		return d.rejected(p)
	case *event.ShipmentLabelled:
		return d.labelled(p)
	case *event.ShipmentScanned:
		return d.scanned(p)
	case *event.ShipmentDelivered:
		return d.delivered(p)
	case *event.ReturnReceived:
		return d.returned(p)
	case *event.StockReceived:
		return d.received(p)
	case *event.StockCounted:
		return d.counted(p)
	case *event.StockAdjusted:
		return d.adjusted(p)
	case *event.StockTransferred:
		return d.transferred(p)
	case *event.StockLow, *event.DayEnded, *event.ScheduleDue:
		d.runAutomations()
		return nil
	case *event.TaskDecided:
		return d.taskDecided(p)
	case *event.TaskAssigned:
		return d.taskAssigned(p)
	case *event.TaskOverdue:
		return d.taskOverdue(p)
	case *event.EffectFailed:
		return d.effectFailed(p)
	case *event.IncidentRaised:
		return d.incidentRaised(p)
	case *event.IncidentRecovered:
		return d.incidentRecovered(p)
	case *event.IncidentAcknowledged:
		return d.incidentAcknowledged(p)
	case *event.IncidentSnoozed:
		return d.incidentSnoozed(p)
	case *event.IncidentUnanswered:
		return d.incidentUnanswered(p)
	case *event.AlertsTested:
		return d.alertsTested(p)
	case *event.AutomationStopped:
		return d.automationStopped(p)
	case *event.AutomationResumed:
		return d.automationResumed(p)
	case *event.AutomationChanged:
		return d.automationChanged(p)
	case *event.AutomationReported:
		return d.automationReported(p)
	case *event.AbsenceDue:
		return d.absenceDue(p)
	case *event.RunDue:
		return d.runDue(p)
	case *event.RunRetried:
		return d.runRetried(p)
	case *event.CallAnswered:
		return d.callAnswered(p)
	}
	return fault.New(fault.Invalid, "decide.Decide", "no decision is defined for events of type %q", d.ev.Type)
}

// decider is one decision under construction: the snapshot below, changes above.
type decider struct {
	snap *Snapshot
	pol  *Policy
	ev   event.Event
	at   time.Time
	live bool
	out  *Decision

	rec   *Recorded // what the decision came to in the past; nil: it is made now
	ask   bool      // only the automations are wanted
	given Facts     // the facts to ask on; nil: they are gathered
	known Facts     // recorded facts, which count more than gathered ones
	want  *Wanted   // facts to gather instead of asking anybody

	order    *order.Order // working copy; also out.Order once touched
	before   order.State
	touched  map[stock.Key]int // index into out.Balances
	hold     holdWish
	letGo    bool            // an automation released the order
	resettle bool            // the holds changed since the order settled
	woken    map[string]bool // runs that go on because of this event
}

// orderID is the order the event is about.
func (d *decider) loadOrder(id string) *order.Order {
	if d.order != nil {
		return d.order
	}
	o, ok := d.snap.Orders[id]
	if !ok {
		return nil
	}
	d.before = o.State
	d.order = o.Clone()
	return d.order
}

// changeOrder returns the order to change, made in state expected when no event has named it yet.
func (d *decider) changeOrder(channel, number string) *order.Order {
	id := event.OrderID(channel, number)
	o := d.loadOrder(id)
	if o == nil {
		o = &order.Order{
			ID: id, Channel: channel, Number: number, State: order.Expected, Mode: d.ev.Mode,
			PlacedAt: d.at, Payment: event.PaymentPending,
		}
		d.before = order.Expected
		d.order = o
	}
	d.out.Order = o
	return o
}

// knownOrder returns the order to change by its id; it must exist.
func (d *decider) knownOrder(id string) (*order.Order, error) {
	o := d.loadOrder(id)
	if o == nil {
		return nil, fault.New(fault.NotFound, "decide.Decide", "there is no order %s", id)
	}
	d.out.Order = o
	return o, nil
}

// customerOf returns the customer to change: a copy, new when unknown; nil for an anonymous order.
func (d *decider) customerOf(id string) *customer.Customer {
	if id == "" {
		return nil
	}
	if d.out.Customer != nil {
		return d.out.Customer
	}
	c := &customer.Customer{ID: id}
	if have, ok := d.snap.Customers[id]; ok {
		*c = *have
	}
	d.out.Customer = c
	return c
}

// derivable are the types of the events that decisions derive: what automations
// on them read and lock is loaded with every event. A test holds derive to it.
var derivable = []string{
	"automation.stopped", "order.accepted", "order.cancelled", "order.ready", "order.reroute_requested", "order.unfillable", "stock.low",
}

// derive adds an event that follows from this one.
func (d *decider) derive(p event.Payload) {
	n := len(d.out.Derived)
	d.out.Derived = append(d.out.Derived, event.Event{
		ID: fmt.Sprintf("%s.%d", d.ev.ID, n+1), Source: "engine", Key: fmt.Sprintf("%s.%d", d.ev.ID, n+1),
		Type: p.EventType(), Subject: p.EventSubject(), At: d.at, Received: d.ev.Received, Mode: d.ev.Mode,
		Actor: "orderly", Cause: d.ev.ID, Depth: d.ev.Depth + 1, Data: p,
	})
}

// timer asks for an event at due. The same cause and payload set one timer, whose id it returns.
func (d *decider) timer(due time.Time, key string, p event.Payload) string {
	if !d.live {
		return ""
	}
	id := event.Derive("tmr_", p.EventType(), key)
	d.out.Timers = append(d.out.Timers, Timer{ID: id, Due: due, Data: p})
	return id
}

// finish writes what every decision ends with.
func (d *decider) finish() {
	if d.out.Order != nil {
		o := d.out.Order
		o.UpdatedAt = d.at
		o.Rev++
		if o.State != d.before {
			d.out.Trace.From, d.out.Trace.To = string(d.before), string(o.State)
		}
	}
	d.crossings()
}

// clock is a time for people, in the time zone of the shop.
func (d *decider) clock(t time.Time) string {
	return t.In(d.pol.zoneOfShop()).Format("2006-01-02 15:04 MST")
}

// note adds a sentence to the trace.
func (d *decider) note(format string, args ...any) {
	d.out.Trace.Notes = append(d.out.Trace.Notes, fmt.Sprintf(format, args...))
}
