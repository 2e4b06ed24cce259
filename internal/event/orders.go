package event

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// Address is a postal address. Name and lines are personal data.
type Address struct {
	Name    string `json:"name,omitempty"`
	Line1   string `json:"line1,omitempty"`
	Line2   string `json:"line2,omitempty"`
	City    string `json:"city,omitempty"`
	Region  string `json:"region,omitempty"`
	Postal  string `json:"postal,omitempty"`
	Country string `json:"country,omitempty"` // ISO 3166-1 alpha-2
}

// Buyer is the customer as the channel knows them.
type Buyer struct {
	ID    string `json:"id,omitempty"` // the channel's own id
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
	// SignedUp is when the account was made, if the channel tells.
	SignedUp time.Time `json:"signed_up,omitzero"`
	// Tags are all that the channel has given the customer; an empty list takes them away,
	// and one that is not there says nothing of them.
	Tags []string `json:"tags,omitzero"`
}

// Line is one ordered line.
type Line struct {
	SKU       string       `json:"sku"`
	Title     string       `json:"title,omitempty"`
	Qty       int64        `json:"qty"`
	UnitPrice money.Amount `json:"unit_price"`
	// Location pins the line to one location (a marketplace seller); "" lets routing choose.
	Location string `json:"location,omitempty"`
}

// Payment statuses of a placed order.
const (
	PaymentPending    = "pending"
	PaymentAuthorized = "authorized"
	PaymentPaid       = "paid"
)

// Payment is how the order is paid.
type Payment struct {
	Status string `json:"status,omitempty"` // pending (default), authorized, paid
	Method string `json:"method,omitempty"`
}

// OrderPlaced brings an order in.
type OrderPlaced struct {
	Channel      string            `json:"channel"`
	Number       string            `json:"number"`
	PlacedAt     time.Time         `json:"placed_at,omitzero"`
	Currency     string            `json:"currency"`
	Lines        []Line            `json:"lines"`
	ShippingCost money.Amount      `json:"shipping_cost,omitzero"`
	Discount     money.Amount      `json:"discount,omitzero"` // positive
	Total        money.Amount      `json:"total,omitzero"`    // left out: lines + shipping - discount
	Customer     Buyer             `json:"customer,omitzero"`
	Shipping     Address           `json:"shipping,omitzero"`
	Billing      Address           `json:"billing,omitzero"` // left out: the shipping address
	Payment      Payment           `json:"payment,omitzero"`
	IP           string            `json:"ip,omitempty"`
	Device       string            `json:"device,omitempty"`
	Service      string            `json:"service,omitempty"` // shipping service the buyer chose
	Tags         []string          `json:"tags,omitempty"`
	Note         string            `json:"note,omitempty"`
	Attributes   map[string]string `json:"attributes,omitempty"`
}

// Worth is what the buyer pays: the channel's total, or lines plus shipping less discount, never below zero.
func (p *OrderPlaced) Worth() money.Amount {
	if p.Total != (money.Amount{}) {
		return p.Total
	}
	sum := money.New(0, p.Currency)
	for i := range p.Lines {
		sum = sum.Add(p.Lines[i].UnitPrice.Mul(p.Lines[i].Qty))
	}
	sum = sum.Add(p.ShippingCost).Sub(p.Discount)
	sum.Minor = max(sum.Minor, 0)
	return sum
}

// OrderPaid says that money was captured for an order.
type OrderPaid struct {
	Channel   string       `json:"channel"`
	Number    string       `json:"number"`
	Amount    money.Amount `json:"amount"`
	Reference string       `json:"reference,omitempty"`
}

// PaymentDisputed says that a payment was charged back, or that the order turned
// out to be fraud. It is how the shop learns how an order really ended.
type PaymentDisputed struct {
	Channel   string       `json:"channel"`
	Number    string       `json:"number"`
	Amount    money.Amount `json:"amount,omitzero"` // left out: the order's total
	Reason    string       `json:"reason,omitempty"`
	Reference string       `json:"reference,omitempty"`
}

// OrderCancelled says that the buyer, the channel or a clerk cancelled.
type OrderCancelled struct {
	Channel string `json:"channel"`
	Number  string `json:"number"`
	Reason  string `json:"reason,omitempty"`
}

// OrderCompleted says that the parcel was delivered, or the order closed.
type OrderCompleted struct {
	Channel string `json:"channel"`
	Number  string `json:"number"`
}

// OrderHoldRequested is a clerk's word: stop this order for review.
type OrderHoldRequested struct {
	Order  string `json:"order"`
	Reason string `json:"reason"`
}

// OrderReleaseRequested is a clerk's word: let a held order go.
type OrderReleaseRequested struct {
	Order  string `json:"order"`
	Reason string `json:"reason,omitempty"`
}

// OrderRerouteRequested asks to find a location again: after stock came in, or by a clerk.
type OrderRerouteRequested struct {
	Order  string `json:"order"`
	Reason string `json:"reason,omitempty"`
}

// OrderAccepted is derived: the order passed its checks (first acceptance only).
type OrderAccepted struct {
	Order string `json:"order"`
}

// OrderReady is derived: the order is accepted, paid or authorised, reserved and may be fulfilled.
type OrderReady struct {
	Order string `json:"order"`
}

// OrderUnfillable is derived: no location can ship what is missing.
type OrderUnfillable struct {
	Order string `json:"order"`
}

func (*OrderPlaced) EventType() string                { return "order.placed" }
func (*OrderPaid) EventType() string                  { return "order.paid" }
func (*PaymentDisputed) EventType() string            { return "payment.disputed" }
func (*OrderCancelled) EventType() string             { return "order.cancelled" }
func (*OrderCompleted) EventType() string             { return "order.completed" }
func (*OrderHoldRequested) EventType() string         { return "order.hold_requested" }
func (*OrderReleaseRequested) EventType() string      { return "order.release_requested" }
func (*OrderRerouteRequested) EventType() string      { return "order.reroute_requested" }
func (*OrderAccepted) EventType() string              { return "order.accepted" }
func (*OrderReady) EventType() string                 { return "order.ready" }
func (*OrderUnfillable) EventType() string            { return "order.unfillable" }
func (p *OrderPlaced) EventSubject() string           { return OrderID(p.Channel, p.Number) }
func (p *OrderPaid) EventSubject() string             { return OrderID(p.Channel, p.Number) }
func (p *PaymentDisputed) EventSubject() string       { return OrderID(p.Channel, p.Number) }
func (p *OrderCancelled) EventSubject() string        { return OrderID(p.Channel, p.Number) }
func (p *OrderCompleted) EventSubject() string        { return OrderID(p.Channel, p.Number) }
func (p *OrderHoldRequested) EventSubject() string    { return p.Order }
func (p *OrderReleaseRequested) EventSubject() string { return p.Order }
func (p *OrderRerouteRequested) EventSubject() string { return p.Order }
func (p *OrderAccepted) EventSubject() string         { return p.Order }
func (p *OrderReady) EventSubject() string            { return p.Order }
func (p *OrderUnfillable) EventSubject() string       { return p.Order }

// Validate implements Payload.
func (p *OrderPlaced) Validate() []fault.Problem {
	var c checker
	c.id("/channel", p.Channel)
	c.id("/number", p.Number)
	if _, ok := money.Digits(p.Currency); !ok {
		c.add("/currency", "must be an ISO 4217 code like EUR, got %q", p.Currency)
	}
	if len(p.Lines) > MaxLines {
		c.add("/lines", "has %d lines; the limit is %d", len(p.Lines), MaxLines)
		return c.ps
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		c.in("/lines", i+1)
		c.id("/sku", l.SKU)
		c.qty("/qty", l.Qty)
		c.text("/title", l.Title)
		c.text("/location", l.Location)
		c.amount("/unit_price", l.UnitPrice, p.Currency, true)
		if l.UnitPrice.Minor > maxMinor/MaxQty {
			c.add("/unit_price", "is too large")
		}
	}
	c.in("", 0)
	c.amount("/shipping_cost", p.ShippingCost, p.Currency, false)
	c.amount("/discount", p.Discount, p.Currency, false)
	c.amount("/total", p.Total, p.Currency, false)
	c.address("/shipping", p.Shipping)
	c.address("/billing", p.Billing)
	c.text("/customer/id", p.Customer.ID)
	c.text("/customer/name", p.Customer.Name)
	c.text("/customer/phone", p.Customer.Phone)
	c.text("/customer/email", p.Customer.Email)
	if strings.ContainsAny(p.Customer.Email, "\r\n") {
		c.add("/customer/email", "must not contain a line break")
	}
	switch p.Payment.Status {
	case "", PaymentPending, PaymentAuthorized, PaymentPaid:
	default:
		c.add("/payment/status", "must be pending, authorized or paid, got %q", p.Payment.Status)
	}
	c.text("/ip", p.IP)
	c.text("/device", p.Device)
	c.text("/service", p.Service)
	c.text("/note", p.Note)
	c.tags("/tags", p.Tags)
	c.tags("/customer/tags", p.Customer.Tags)
	if len(p.Attributes) > 100 {
		c.add("/attributes", "has more than 100 entries")
	}
	for k, v := range p.Attributes {
		if isText(k) && isText(v) {
			continue
		}
		pointer := "/attributes/" + pointerKey(k)
		c.text(pointer, k)
		c.text(pointer, v)
	}
	return c.ps
}

func numbered(channel, number string) *checker {
	c := &checker{}
	c.id("/channel", channel)
	c.id("/number", number)
	return c
}

// Validate implements Payload.
func (p *OrderPaid) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.amount("/amount", p.Amount, p.Amount.Currency, true)
	c.text("/reference", p.Reference)
	return c.ps
}

// Validate implements Payload.
func (p *PaymentDisputed) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.amount("/amount", p.Amount, p.Amount.Currency, false)
	c.text("/reason", p.Reason)
	c.text("/reference", p.Reference)
	return c.ps
}

// Validate implements Payload.
func (p *OrderCancelled) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.text("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *OrderCompleted) Validate() []fault.Problem { return numbered(p.Channel, p.Number).ps }

func ordered(order, reason string, reasonRequired bool) []fault.Problem {
	var c checker
	c.id("/order", order)
	c.text("/reason", reason)
	if reasonRequired && strings.TrimSpace(reason) == "" {
		c.add("/reason", "is required: the next person reads it")
	}
	return c.ps
}

// Validate implements Payload.
func (p *OrderHoldRequested) Validate() []fault.Problem { return ordered(p.Order, p.Reason, true) }

// Validate implements Payload.
func (p *OrderReleaseRequested) Validate() []fault.Problem { return ordered(p.Order, p.Reason, false) }

// Validate implements Payload.
func (p *OrderRerouteRequested) Validate() []fault.Problem { return ordered(p.Order, p.Reason, false) }

// Validate implements Payload.
func (p *OrderAccepted) Validate() []fault.Problem { return ordered(p.Order, "", false) }

// Validate implements Payload.
func (p *OrderReady) Validate() []fault.Problem { return ordered(p.Order, "", false) }

// Validate implements Payload.
func (p *OrderUnfillable) Validate() []fault.Problem { return ordered(p.Order, "", false) }
