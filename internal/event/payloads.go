package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

var payloads = register(
	(*OrderPlaced)(nil), (*OrderPaid)(nil), (*OrderCancelled)(nil), (*OrderCompleted)(nil),
	(*OrderHoldRequested)(nil), (*OrderReleaseRequested)(nil), (*OrderRerouteRequested)(nil),
	(*OrderAccepted)(nil), (*OrderReady)(nil), (*OrderUnfillable)(nil),
	(*ReturnReceived)(nil), (*PaymentDisputed)(nil),
	(*ShipmentLabelled)(nil), (*ShipmentShipped)(nil), (*ShipmentScanned)(nil), (*ShipmentDelivered)(nil), (*ShipmentRejected)(nil),
	(*StockReceived)(nil), (*StockCounted)(nil), (*StockAdjusted)(nil), (*StockTransferred)(nil), (*StockLow)(nil),
	(*TaskDecided)(nil), (*TaskAssigned)(nil), (*TaskOverdue)(nil),
	(*EffectFailed)(nil), (*IncidentRaised)(nil), (*DayEnded)(nil),
	(*ScheduleDue)(nil), (*AbsenceDue)(nil), (*RunDue)(nil), (*CallAnswered)(nil),
	(*AutomationStopped)(nil), (*AutomationResumed)(nil), (*AutomationChanged)(nil), (*AutomationReported)(nil),
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

// ReturnReceived says that goods came back. Lines carry positive quantities.
type ReturnReceived struct {
	Channel  string       `json:"channel"`
	Number   string       `json:"number"`          // the return's own number (RMA or credit note)
	Order    string       `json:"order,omitempty"` // the order's external number, when known
	Location string       `json:"location,omitempty"`
	Lines    []Line       `json:"lines"`
	Amount   money.Amount `json:"amount,omitzero"` // value of the lines; left out: qty × unit_price
}

// ShippedLine is a quantity of one SKU in a parcel.
type ShippedLine struct {
	SKU string `json:"sku"`
	Qty int64  `json:"qty"`
}

// ShipmentShipped says that a location handed a parcel over.
type ShipmentShipped struct {
	Channel  string        `json:"channel"`
	Number   string        `json:"number"`
	Location string        `json:"location"`
	Lines    []ShippedLine `json:"lines,omitempty"` // left out: all that this location has reserved for the order
	Tracking string        `json:"tracking,omitempty"`
	Carrier  string        `json:"carrier,omitempty"`
}

// ShipmentRejected says that a location will not ship its part.
type ShipmentRejected struct {
	Channel  string `json:"channel"`
	Number   string `json:"number"`
	Location string `json:"location"`
	Reason   string `json:"reason,omitempty"`
}

// StockReceived adds units from a supplier.
type StockReceived struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Qty      int64  `json:"qty"`
	Note     string `json:"note,omitempty"`
}

// StockCounted sets on hand to what was counted.
type StockCounted struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	OnHand   int64  `json:"on_hand"`
	Note     string `json:"note,omitempty"`
}

// StockAdjusted changes on hand by Delta: damage, loss, find.
type StockAdjusted struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Delta    int64  `json:"delta"`
	Reason   string `json:"reason,omitempty"`
}

// StockTransferred moves units between two locations.
type StockTransferred struct {
	SKU  string `json:"sku"`
	From string `json:"from"`
	To   string `json:"to"`
	Qty  int64  `json:"qty"`
}

// StockLow is derived: available over all locations crossed the product's line.
type StockLow struct {
	SKU       string `json:"sku"`
	Available int64  `json:"available"`
	LowAt     int64  `json:"low_at"`
}

// TaskDecided is a person's decision.
type TaskDecided struct {
	Task    string `json:"task"`
	Outcome string `json:"outcome"`
	Note    string `json:"note,omitempty"`
}

// TaskAssigned gives a task to a person.
type TaskAssigned struct {
	Task     string `json:"task"`
	Assignee string `json:"assignee"` // "" puts it back
}

// TaskOverdue is a timer's word: the task's SLA has passed.
type TaskOverdue struct {
	Task string `json:"task"`
}

// EffectFailed says that an effect became a dead letter.
type EffectFailed struct {
	Effect      string `json:"effect"`
	Order       string `json:"order,omitempty"`
	Purpose     string `json:"purpose"`
	Destination string `json:"destination"`
	Error       string `json:"error"`
	Automation  string `json:"automation,omitempty"` // that asked for it
}

// IncidentRaised says that something failed for good or fell silent: a
// quarantined event, effects that wait too long. Subject groups: one cause is one incident.
type IncidentRaised struct {
	Subject string `json:"subject"`
	Title   string `json:"title"`
	Detail  string `json:"detail,omitempty"`
	// Automations are those concerned; the owner of the first is told. Without, it is who answers for operations.
	Automations []string `json:"automations,omitempty"`
	Order       string   `json:"order,omitempty"`
}

// AutomationStopped says that an automation must not act for now: a person's
// click, or its own limits and trial.
type AutomationStopped struct {
	Automation string `json:"automation"`
	Reason     string `json:"reason"`
}

// AutomationResumed lets a stopped automation act again: always a person's click.
type AutomationResumed struct {
	Automation string `json:"automation"`
	Reason     string `json:"reason"`
}

// AutomationChanged says that a new policy gave an automation another mode, so
// that its owner learns of it. "" stands for no such automation.
type AutomationChanged struct {
	Automation string `json:"automation"`
	From       string `json:"from,omitempty"`
	To         string `json:"to,omitempty"`
	Owner      string `json:"owner"`
	By         string `json:"by,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// AutomationReported is a timer's word: what an automation in shadow would have
// done on a day, or in the week that ends with it when Quiet, is to be told to its owner.
type AutomationReported struct {
	Automation string `json:"automation"`
	Date       string `json:"date"` // 2006-01-02 in the shop's zone
	Quiet      bool   `json:"quiet,omitempty"`
}

// DayEnded is a timer's word: the shop's day Date is over (daily report).
type DayEnded struct {
	Date string `json:"date"` // 2006-01-02 in the shop's zone
}

func (*OrderPlaced) EventType() string           { return "order.placed" }
func (*OrderPaid) EventType() string             { return "order.paid" }
func (*PaymentDisputed) EventType() string       { return "payment.disputed" }
func (*OrderCancelled) EventType() string        { return "order.cancelled" }
func (*OrderCompleted) EventType() string        { return "order.completed" }
func (*OrderHoldRequested) EventType() string    { return "order.hold_requested" }
func (*OrderReleaseRequested) EventType() string { return "order.release_requested" }
func (*OrderRerouteRequested) EventType() string { return "order.reroute_requested" }
func (*OrderAccepted) EventType() string         { return "order.accepted" }
func (*OrderReady) EventType() string            { return "order.ready" }
func (*OrderUnfillable) EventType() string       { return "order.unfillable" }
func (*ReturnReceived) EventType() string        { return "return.received" }
func (*ShipmentShipped) EventType() string       { return "shipment.shipped" }
func (*ShipmentRejected) EventType() string      { return "shipment.rejected" }
func (*StockReceived) EventType() string         { return "stock.received" }
func (*StockCounted) EventType() string          { return "stock.counted" }
func (*StockAdjusted) EventType() string         { return "stock.adjusted" }
func (*StockTransferred) EventType() string      { return "stock.transferred" }
func (*StockLow) EventType() string              { return "stock.low" }
func (*TaskDecided) EventType() string           { return "task.decided" }
func (*TaskAssigned) EventType() string          { return "task.assigned" }
func (*TaskOverdue) EventType() string           { return "task.overdue" }
func (*EffectFailed) EventType() string          { return "effect.failed" }
func (*IncidentRaised) EventType() string        { return "incident.raised" }
func (*AutomationStopped) EventType() string     { return "automation.stopped" }
func (*AutomationResumed) EventType() string     { return "automation.resumed" }
func (*AutomationChanged) EventType() string     { return "automation.changed" }
func (*AutomationReported) EventType() string    { return "automation.reported" }
func (*DayEnded) EventType() string              { return "day.ended" }

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

// EventSubject is the order the goods belong to when it is known, else the return itself.
func (p *ReturnReceived) EventSubject() string {
	if p.Order != "" {
		return OrderID(p.Channel, p.Order)
	}
	return Derive("ret_", "return", p.Channel, p.Number)
}
func (p *ShipmentShipped) EventSubject() string  { return OrderID(p.Channel, p.Number) }
func (p *ShipmentRejected) EventSubject() string { return OrderID(p.Channel, p.Number) }
func (p *StockReceived) EventSubject() string    { return p.SKU }
func (p *StockCounted) EventSubject() string     { return p.SKU }
func (p *StockAdjusted) EventSubject() string    { return p.SKU }
func (p *StockTransferred) EventSubject() string { return p.SKU }
func (p *StockLow) EventSubject() string         { return p.SKU }
func (p *TaskDecided) EventSubject() string      { return p.Task }
func (p *TaskAssigned) EventSubject() string     { return p.Task }
func (p *TaskOverdue) EventSubject() string      { return p.Task }

// AutomationSubject is the subject of what happens to an automation itself.
func AutomationSubject(name string) string { return "automation:" + name }

// EventSubject is the order the effect belongs to, or the effect itself.
func (p *EffectFailed) EventSubject() string {
	if p.Order != "" {
		return p.Order
	}
	return p.Effect
}
func (p *IncidentRaised) EventSubject() string     { return p.Subject }
func (p *AutomationStopped) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationResumed) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationChanged) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationReported) EventSubject() string { return AutomationSubject(p.Automation) }
func (p *DayEnded) EventSubject() string           { return p.Date }

// Limits on one payload; beyond them the sender is told, never the database.
const (
	MaxLines  = 2_000 // wholesale invoices with more than a thousand lines exist
	MaxQty    = 1_000_000
	MaxString = 2_000
	MaxID     = 200
)

// checker collects problems. Their pointers are put together only when there
// is one: valid events are checked thousands of times a second.
type checker struct {
	ps      []fault.Problem
	section string // the part of the payload being checked, "" = the whole
	index   int    // the element of it, from 1; 0 = it is no list
}

// in sets the part that the pointers of what follows begin with.
func (c *checker) in(section string, index int) { c.section, c.index = section, index }

func (c *checker) add(pointer, format string, args ...any) {
	if len(c.ps) >= 50 {
		return
	}
	if c.index > 0 {
		pointer = "/" + strconv.Itoa(c.index-1) + pointer
	}
	c.ps = append(c.ps, fault.Problem{Pointer: c.section + pointer, Message: fmt.Sprintf(format, args...)})
}

// pointerKey is the sender's own name of an entry as a part of a pointer (RFC 6901), shortened.
func pointerKey(k string) string {
	if len(k) > MaxID {
		k = strings.ToValidUTF8(k[:MaxID], "") + "…"
	}
	return strings.ReplaceAll(strings.ReplaceAll(k, "~", "~0"), "/", "~1")
}

// id checks a required identifier: printable, of bounded length.
func (c *checker) id(pointer, s string) {
	switch {
	case strings.TrimSpace(s) == "":
		c.add(pointer, "is required")
	case len(s) > MaxID:
		c.add(pointer, "is longer than %d bytes", MaxID)
	default:
		c.text(pointer, s)
	}
}

// text checks an optional text: bounded, no control characters (they would
// break logs, mails and CSV files further on). Line breaks are allowed.
func (c *checker) text(pointer, s string) {
	if len(s) > MaxString {
		c.add(pointer, "is longer than %d bytes", MaxString)
		return
	}
	if i := control(s); i >= 0 {
		c.add(pointer, "contains the control character %#02x", s[i])
	}
}

// needed checks a text that must be there.
func (c *checker) needed(pointer, s string) {
	if strings.TrimSpace(s) == "" {
		c.add(pointer, "is required")
	}
	c.text(pointer, s)
}

// isText reports whether text has nothing to say about s.
func isText(s string) bool { return len(s) <= MaxString && control(s) < 0 }

// control returns the place of the first control character, or -1.
func control(s string) int {
	for i := range len(s) {
		if b := s[i]; b < 0x20 && b != '\n' && b != '\r' && b != '\t' || b == 0x7f {
			return i
		}
	}
	return -1
}

func (c *checker) qty(pointer string, n int64) {
	if n <= 0 || n > MaxQty {
		c.add(pointer, "must be between 1 and %d, got %d", MaxQty, n)
	}
}

// maxMinor bounds one amount so that sums over an order cannot overflow.
const maxMinor = 1 << 50

func (c *checker) amount(pointer string, a money.Amount, currency string, required bool) {
	if a == (money.Amount{}) {
		if required {
			c.add(pointer, `is required, like "12.34 EUR"`)
		}
		return
	}
	if a.Currency != currency {
		c.add(pointer, "is in %s but the order is in %s", a.Currency, currency)
	}
	if a.Minor < 0 {
		c.add(pointer, "must not be negative")
	}
	if a.Minor > maxMinor {
		c.add(pointer, "is too large")
	}
}

func (c *checker) address(section string, a Address) {
	c.in(section, 0)
	c.text("/name", a.Name)
	c.text("/line1", a.Line1)
	c.text("/line2", a.Line2)
	c.text("/city", a.City)
	c.text("/region", a.Region)
	c.text("/postal", a.Postal)
	if a.Country != "" && !isCountry(a.Country) {
		c.add("/country", "must be an ISO 3166-1 alpha-2 code in capitals like DE, got %q", a.Country)
	}
	c.in("", 0)
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

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
	if len(p.Tags) > 50 {
		c.add("/tags", "has more than 50 tags")
	}
	for i, t := range p.Tags {
		c.in("/tags", i+1)
		c.text("", t)
	}
	c.in("", 0)
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

// Validate implements Payload.
func (p *ReturnReceived) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.text("/order", p.Order)
	c.text("/location", p.Location)
	if len(p.Lines) == 0 {
		c.add("/lines", "is required: at least one line came back")
	}
	if len(p.Lines) > MaxLines {
		c.add("/lines", "has %d lines; the limit is %d", len(p.Lines), MaxLines)
		return c.ps
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		at := fmt.Sprintf("/lines/%d", i)
		c.id(at+"/sku", l.SKU)
		c.qty(at+"/qty", l.Qty)
		c.amount(at+"/unit_price", l.UnitPrice, p.Lines[0].UnitPrice.Currency, false)
		if l.UnitPrice.Minor > maxMinor/MaxQty {
			c.add(at+"/unit_price", "is too large")
		}
	}
	c.amount("/amount", p.Amount, p.Amount.Currency, false)
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentShipped) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.id("/location", p.Location)
	c.text("/tracking", p.Tracking)
	c.text("/carrier", p.Carrier)
	if len(p.Lines) > MaxLines {
		c.add("/lines", "has %d lines; the limit is %d", len(p.Lines), MaxLines)
		return c.ps
	}
	for i, l := range p.Lines {
		c.id(fmt.Sprintf("/lines/%d/sku", i), l.SKU)
		c.qty(fmt.Sprintf("/lines/%d/qty", i), l.Qty)
	}
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentRejected) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.id("/location", p.Location)
	c.text("/reason", p.Reason)
	return c.ps
}

func skuAt(sku, location string) *checker {
	c := &checker{}
	c.id("/sku", sku)
	c.id("/location", location)
	return c
}

// Validate implements Payload.
func (p *StockReceived) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	c.qty("/qty", p.Qty)
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *StockCounted) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	if p.OnHand < 0 || p.OnHand > MaxQty {
		c.add("/on_hand", "must be between 0 and %d, got %d", MaxQty, p.OnHand)
	}
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *StockAdjusted) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	if p.Delta == 0 || p.Delta > MaxQty || p.Delta < -MaxQty {
		c.add("/delta", "must be a change between -%d and %d, got %d", MaxQty, MaxQty, p.Delta)
	}
	c.text("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *StockTransferred) Validate() []fault.Problem {
	var c checker
	c.id("/sku", p.SKU)
	c.id("/from", p.From)
	c.id("/to", p.To)
	if p.From == p.To {
		c.add("/to", "must differ from /from")
	}
	c.qty("/qty", p.Qty)
	return c.ps
}

// Validate implements Payload.
func (p *StockLow) Validate() []fault.Problem { var c checker; c.id("/sku", p.SKU); return c.ps }

// Validate implements Payload.
func (p *TaskDecided) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.id("/outcome", p.Outcome)
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *TaskAssigned) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.text("/assignee", p.Assignee)
	return c.ps
}

// Validate implements Payload.
func (p *TaskOverdue) Validate() []fault.Problem { var c checker; c.id("/task", p.Task); return c.ps }

// Validate implements Payload.
func (p *EffectFailed) Validate() []fault.Problem {
	var c checker
	c.id("/effect", p.Effect)
	return c.ps
}

// Validate implements Payload.
func (p *IncidentRaised) Validate() []fault.Problem {
	var c checker
	c.id("/subject", p.Subject)
	c.id("/title", p.Title)
	c.text("/detail", p.Detail)
	return c.ps
}

func named(automation string) *checker {
	c := &checker{}
	c.id("/automation", automation)
	return c
}

// Validate implements Payload.
func (p *AutomationStopped) Validate() []fault.Problem {
	c := named(p.Automation)
	c.needed("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationResumed) Validate() []fault.Problem {
	c := named(p.Automation)
	c.needed("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationChanged) Validate() []fault.Problem {
	c := named(p.Automation)
	c.text("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationReported) Validate() []fault.Problem {
	c := named(p.Automation)
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		c.add("/date", "must be a date like 2026-01-31, got %q", p.Date)
	}
	return c.ps
}

// Validate implements Payload.
func (p *DayEnded) Validate() []fault.Problem {
	var c checker
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		c.add("/date", "must be a date like 2026-01-31, got %q", p.Date)
	}
	return c.ps
}

// jsonProblem turns an encoding/json error into one that points at the field.
func jsonProblem(err error) error {
	e := fault.New(fault.Invalid, "event.Decode", "the JSON is not valid: %s", err)
	if te, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		e.Message = "the JSON does not fit the event type"
		e.Problems = []fault.Problem{{
			Pointer: "/" + strings.ReplaceAll(te.Field, ".", "/"),
			Message: fmt.Sprintf("expected %s, got a JSON %s", te.Type, te.Value),
		}}
	}
	return e
}
