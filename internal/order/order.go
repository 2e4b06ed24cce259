// Package order holds the order: its lines, money, state table and what each
// location ships of it. An order changes only through the methods here; the
// decision which change to make is decide's.
package order

import (
	"fmt"
	"slices"
	"time"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// State of an order. See next for the state table.
type State string

// The states.
const (
	Expected         State = "expected"          // an event named it before it was placed
	Held             State = "held"              // a person must decide
	AwaitingPayment  State = "awaiting_payment"  // accepted and reserved, not paid
	Unfillable       State = "unfillable"        // something is missing and no location can ship it
	Backordered      State = "backordered"       // something is missing and may be sold ahead
	Ready            State = "ready"             // reserved, paid, fulfilment requested
	PartiallyShipped State = "partially_shipped" // some parcels left
	Shipped          State = "shipped"           // all parcels left
	Completed        State = "completed"         // delivered or closed; terminal
	Cancelled        State = "cancelled"         // terminal
)

// next is the state table: the states each state may go to.
var next = map[State][]State{
	Expected:         {Held, AwaitingPayment, Unfillable, Backordered, Ready, PartiallyShipped, Shipped, Completed, Cancelled},
	Held:             {AwaitingPayment, Unfillable, Backordered, Ready, PartiallyShipped, Shipped, Cancelled},
	AwaitingPayment:  {Held, Unfillable, Backordered, Ready, PartiallyShipped, Shipped, Cancelled},
	Unfillable:       {Held, AwaitingPayment, Backordered, Ready, PartiallyShipped, Shipped, Cancelled},
	Backordered:      {Held, AwaitingPayment, Unfillable, Ready, PartiallyShipped, Shipped, Cancelled},
	Ready:            {Held, AwaitingPayment, Unfillable, Backordered, PartiallyShipped, Shipped, Cancelled},
	PartiallyShipped: {Held, Unfillable, Backordered, Ready, Shipped, Completed, Cancelled},
	Shipped:          {Completed},
	Completed:        {},
	Cancelled:        {},
}

// States lists every state in the order of an order's life.
func States() []State {
	return []State{Expected, Held, AwaitingPayment, Unfillable, Backordered, Ready, PartiallyShipped, Shipped, Completed, Cancelled}
}

// Uncancelled returns every state but Cancelled.
func Uncancelled() []State {
	return slices.DeleteFunc(States(), func(s State) bool { return s == Cancelled })
}

// Terminal reports whether no event changes the state any more.
func (s State) Terminal() bool { return s == Completed || s == Cancelled }

// CanGo reports whether the state table allows s to become t.
func (s State) CanGo(t State) bool {
	for _, n := range next[s] {
		if n == t {
			return true
		}
	}
	return false
}

// Line is one line as ordered.
type Line struct {
	SKU       string
	Title     string
	Qty       int64
	UnitPrice money.Amount
	Pinned    string // location the channel pins the line to; "" = routing chooses
}

// Allocation is a quantity of one SKU (a component, for a kit line) promised to
// the order at one location. Qty counts units still reserved plus Shipped.
type Allocation struct {
	SKU      string
	Location string
	Qty      int64
	Shipped  int64
	Asked    bool // the location was asked to ship it
}

// Hold is a reason the order may not go on.
type Hold struct {
	Automation string // "" when a person put it
	Text       string
	TaskID     string
}

// Missing is a quantity no location could give.
type Missing struct {
	SKU string
	Qty int64
}

// Track is what is known of one parcel on its way. Zero times have not happened, or were not told.
type Track struct {
	Tracking  string // "" when nobody gave a number
	Carrier   string
	Location  string
	Labelled  time.Time
	Shipped   time.Time
	Scanned   time.Time // the last time
	Delivered time.Time
}

// Dispute is a payment that was charged back, or a fraud that came to light.
type Dispute struct {
	Reference string
	Reason    string
	Amount    money.Amount
	At        time.Time
}

// Watch is an automation's expectation that an event follows on another.
type Watch struct {
	ID         string
	Automation string
	Event      string // type of what should come
	Tracking   string // of the parcel it is about; "" = any
	Timer      string
}

// Order is one order. Personal stands apart: the store seals it.
type Order struct {
	ID         string
	Channel    string
	Number     string
	State      State
	Mode       event.Mode
	PlacedAt   time.Time
	UpdatedAt  time.Time
	Rev        int64
	CustomerID string

	Currency     string
	Lines        []Line
	ShippingCost money.Amount
	Discount     money.Amount
	Total        money.Amount
	Payment      string // event.PaymentPending …
	Method       string
	Captured     money.Amount
	Refunded     money.Amount

	Shipping   event.Address
	Billing    event.Address
	Service    string
	Device     string
	SignedUp   time.Time
	Tags       []string
	Note       string
	Attributes map[string]string

	Holds           []Hold
	Reviews         int  // review tasks so far
	Released        bool // a person let it go: the same hold is not put again
	PaidAtOnce      bool // the placing event said it was paid
	Requests        int  // fulfilment requests so far
	Accepted        bool // passed its checks once; the confirmation follows from this
	Allocations     []Allocation
	Missing         []Missing
	Parcels         int      // parcels planned by the last routing
	Tracks          []Track  // parcels as the warehouse and the carrier tell of them
	Watches         []Watch  // what automations expect to follow
	Seen            []string // events they watch, as they came: type, and type with a tracking number
	Rounds          int      // routings so far
	Rejected        []string // locations that refused
	Preferred       []string // by automations: tried first
	Excluded        []string // by automations: never used
	Promise         time.Time
	CancelNote      string
	CancelAsked     bool              // cancelled before it was placed
	Disputes        []Dispute         // chargebacks and fraud that came to light
	PaymentRefs     []string          // references already counted: a payment told twice counts once
	EmailDomain     string            // lower case
	AddressesDiffer bool              // billing and shipping differ in country, postal code, city or first line
	IPCountry       string            // of the address the order came from; "" = unknown
	Fires           []Fires           // by automations on what may come again and again
	HasEmail        bool              // a mail address is known: messages can be sent
	Personal        customer.Personal `json:"-"`
}

// Go moves the order to t along the state table. An unchanged state is no move.
func (o *Order) Go(t State) error {
	if o.State == t {
		return nil
	}
	if !o.State.CanGo(t) {
		return fmt.Errorf("order %s: the state table has no step from %s to %s", o.ID, o.State, t)
	}
	o.State = t
	return nil
}

// Clone returns a copy that shares no memory that a change could touch.
func (o *Order) Clone() *Order {
	c := *o
	c.Lines = append([]Line(nil), o.Lines...)
	c.Tags = append([]string(nil), o.Tags...)
	c.Holds = append([]Hold(nil), o.Holds...)
	c.Allocations = append([]Allocation(nil), o.Allocations...)
	c.Missing = append([]Missing(nil), o.Missing...)
	c.Disputes = append([]Dispute(nil), o.Disputes...)
	c.PaymentRefs = append([]string(nil), o.PaymentRefs...)
	c.Watches = append([]Watch(nil), o.Watches...)
	c.Seen = append([]string(nil), o.Seen...)
	c.Tracks = append([]Track(nil), o.Tracks...)
	c.Rejected = append([]string(nil), o.Rejected...)
	c.Preferred = append([]string(nil), o.Preferred...)
	c.Excluded = append([]string(nil), o.Excluded...)
	c.Fires = append([]Fires(nil), o.Fires...)
	return &c // Attributes are never changed after the order is placed
}

// Units is the number of ordered units over all lines.
func (o *Order) Units() int64 {
	var n int64
	for _, l := range o.Lines {
		n += l.Qty
	}
	return n
}

// Subtotal is the value of the lines.
func (o *Order) Subtotal() money.Amount {
	sum := money.New(0, o.Currency)
	for _, l := range o.Lines {
		sum = sum.Add(l.UnitPrice.Mul(l.Qty))
	}
	return sum
}

// Track returns the parcel with a tracking number, made when it is new. Told
// without a number it is the last parcel without one; told with one for the
// first time, a parcel that had none yet is taken for it.
func (o *Order) Track(tracking, location string) *Track {
	unnamed := -1
	for i := range o.Tracks {
		t := &o.Tracks[i]
		if tracking != "" && t.Tracking == tracking {
			return t
		}
		if t.Tracking == "" && t.Delivered.IsZero() && (location == "" || t.Location == "" || t.Location == location) {
			unnamed = i
		}
	}
	if unnamed < 0 {
		o.Tracks = append(o.Tracks, Track{})
		unnamed = len(o.Tracks) - 1
	}
	t := &o.Tracks[unnamed]
	t.Tracking = tracking
	return t
}

// Delivered reports whether every parcel that was told of has reached the buyer.
func (o *Order) Delivered() bool {
	for i := range o.Tracks {
		if o.Tracks[i].Delivered.IsZero() {
			return false
		}
	}
	return len(o.Tracks) > 0
}

// See remembers that an event came, and reports whether that is new.
func (o *Order) See(event, tracking string) bool {
	isNew := false
	for _, k := range []string{event, event + " " + tracking} {
		if k != event+" " && !slices.Contains(o.Seen, k) {
			o.Seen = append(o.Seen, k)
			isNew = true
		}
	}
	return isNew
}

// SeenBefore reports whether an event came: of the parcel, when both tell its number.
func (o *Order) SeenBefore(event, tracking string) bool {
	if tracking != "" {
		return slices.Contains(o.Seen, event+" "+tracking)
	}
	return slices.Contains(o.Seen, event)
}

// ReservedAt returns the units of each SKU that a location holds for the order.
func (o *Order) ReservedAt(location string) []Allocation {
	var out []Allocation
	for _, a := range o.Allocations {
		if a.Location == location && a.Qty > a.Shipped {
			out = append(out, a)
		}
	}
	return out
}

// Short returns a human name: channel and number.
func (o *Order) Short() string { return o.Channel + " " + o.Number }
