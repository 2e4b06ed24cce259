// Package notify says which message goes out for which fact, and writes it: Liquid templates
// (a small, bounded part of the language) over typed data. It sends nothing.
package notify

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
)

// The built-in templates.
const (
	OrderConfirmation = "order-confirmation" // to the customer: we have your order
	ShippingUpdate    = "shipping-update"    // to the customer: a parcel has left
	DelayNotice       = "delay-notice"       // to the customer: it takes longer
	OrderCancelled    = "order-cancelled"    // to the customer: the order will not be shipped
	OrderHeld         = "order-held"         // to the customer: a person looks at the order first
	ReviewQuestion    = "review-question"    // to the customer: a person asks something before the order goes on
	LowStock          = "low-stock"          // to staff: a product fell below its line
	DailyReport       = "daily-report"       // to staff: the day in figures
	ShadowReport      = "shadow-report"      // to staff: what an automation would have done
	Incident          = "incident"           // to staff: something is broken, silent or overdue
	IncidentOver      = "incident-over"      // to staff: it has recovered by itself
)

// Audience of a message.
type Audience string

// The audiences.
const (
	Customer Audience = "customer"
	Staff    Audience = "staff"
)

// Kind describes one built-in message.
type Kind struct {
	Name     string
	Audience Audience
	On       []string // event types after which it usually goes out
	About    string   // one sentence, for the editor and the documentation
}

// Kinds lists the built-in messages.
func Kinds() []Kind {
	return []Kind{
		{OrderConfirmation, Customer, []string{"order.accepted"}, "Thanks for the order, lists what was bought and where it goes."},
		{ShippingUpdate, Customer, []string{"shipment.shipped"}, "A parcel has left: carrier, tracking and what is in it."},
		{DelayNotice, Customer, []string{"order.unfillable"}, "Something takes longer than promised, and why."},
		{OrderCancelled, Customer, []string{"order.cancelled"}, "The order was cancelled; what happens to the money."},
		{OrderHeld, Customer, []string{"order.placed"}, "A person looks at the order before it is packed; nothing is to be done."},
		{ReviewQuestion, Customer, []string{"task.decided"}, "A question a person of the shop has before the order goes on."},
		{LowStock, Staff, []string{"stock.low"}, "A product has fallen below its line at all locations together."},
		{DailyReport, Staff, []string{"day.ended"}, "The figures of the day that has ended."},
		{ShadowReport, Staff, []string{"automation.reported"}, "What an automation in shadow would have done on a day."},
		{Incident, Staff, []string{"incident.raised", "effect.failed", "task.overdue"}, "Something is broken, silent or overdue, and what to do next."},
		{IncidentOver, Staff, []string{"incident.recovered"}, "What somebody was told of is over; nothing is to be done."},
	}
}

// Data is everything a template may name. A part that is not known stays zero and
// is nil in the template, so that {% if order.promise %} tells.
type Data struct {
	Shop     Shop
	Customer Person
	Order    Order
	Shipment Shipment
	Stock    StockLevel
	Report   Report
	Incident Trouble
	Reason   string // why: of a delay, a cancellation, a refusal
	Missing  string // what could not be had, e.g. "2 × TEA-250"
	Question string // what the reviewer asks
	Link     string // http(s) address of the page in the console; staff only
}

// Shop is the sender.
type Shop struct {
	Name    string
	URL     string // http(s)
	Email   string // where an answer goes
	Address []string
	Zone    *time.Location // for every date in the message; nil = UTC
}

// Person is who is written to.
type Person struct{ Name string }

// Order is the part of an order that a message may show.
type Order struct {
	Number   string
	PlacedAt time.Time
	Lines    []Line
	Subtotal money.Amount
	Shipping money.Amount
	Discount money.Amount
	Total    money.Amount
	Refunded money.Amount
	Address  []string // as on a parcel: name, street, postal code and city, country
	Promise  time.Time
	URL      string // http(s) address of the order's page in the shop
}

// Line is one line of an order or parcel.
type Line struct {
	SKU   string
	Title string
	Qty   int64
	Price money.Amount // of one unit; the zero value hides prices
}

// Shipment is a parcel.
type Shipment struct {
	Carrier  string
	Tracking string
	URL      string // http(s) address of the carrier's tracking page
	Location string
	Lines    []Line
}

// StockLevel is a product that runs low.
type StockLevel struct {
	SKU       string
	Title     string
	Available int64
	LowAt     int64 // the line it fell below
	Location  string
}

// Report is the figures of a day.
type Report struct {
	Date    string // YYYY-MM-DD, the shop's day
	Figures []Figure
}

// Figure is one line of a report, ready to print.
type Figure struct {
	Label string
	Value string
	Note  string // e.g. "12 more than a week ago"; may be ""
	Link  string // http(s) address of the rows behind it; may be ""
}

// Trouble is an incident or something overdue.
type Trouble struct {
	Title    string
	Detail   string
	Impact   string // which orders, how much money
	Next     string // what to do
	Evidence []string
	Since    time.Time
}

// Rendered is a message ready to send. Subject is one line; HTML may be "".
type Rendered struct {
	Subject string
	Text    string
	HTML    string
}

// Fill sets the parts that an effect's facts name (effect.Payload.Data): what the
// event said when the effect was created, as opposed to what the order says when it is sent.
// Facts it does not know are left alone.
func (d *Data) Fill(facts map[string]string) {
	set := func(key string, to ...*string) {
		if v, ok := facts[key]; ok {
			for _, p := range to {
				*p = v
			}
		}
	}
	set("reason", &d.Reason)
	set("missing", &d.Missing)
	set("question", &d.Question)
	set("location", &d.Shipment.Location, &d.Stock.Location)
	set("tracking", &d.Shipment.Tracking)
	set("carrier", &d.Shipment.Carrier)
	set("sku", &d.Stock.SKU)
	set("title", &d.Stock.Title, &d.Incident.Title)
	set("detail", &d.Incident.Detail)
	set("impact", &d.Incident.Impact)
	set("next", &d.Incident.Next)
	if e := facts["evidence"]; e != "" {
		d.Incident.Evidence = strings.Split(e, "\n")
	}
	set("date", &d.Report.Date)
	for key, to := range map[string]*int64{"available": &d.Stock.Available, "low_at": &d.Stock.LowAt} {
		if n, err := strconv.ParseInt(facts[key], 10, 64); err == nil {
			*to = n
		}
	}
}
