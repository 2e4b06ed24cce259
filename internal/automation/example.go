package automation

import (
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
)

// Test is an example that stands beside a rule: an event, what is known when it
// comes, and what the automation must make of it.
type Test struct {
	Name   string
	Line   int                // in the file, from 1
	Event  event.Payload      // of the automation's type; what it must have and the author left out is filled in
	Order  *event.OrderPlaced // how the order came in that the event is about; nil on order.placed and on events without one
	Given  rule.Map           // facts that are so, whatever the rows would say; a nil value makes one unknown
	Stock  map[string]int64   // units there are of a SKU; of others there is enough
	At     time.Time          // when the event comes
	Expect rule.Outcome
	Does   []string // each must be part of something it did
}

// testNoon is when the event of a test comes that names no time: an ordinary Thursday.
var testNoon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// Names that an example has when its author gave none.
const (
	exampleChannel  = "web"
	exampleNumber   = "T-1"
	exampleSKU      = "ITEM-1"
	exampleLocation = "main"
	exampleTask     = "tsk_test"
	exampleEffect   = "eff_test"
	exampleName     = "test"
	exampleWatch    = "wat_test"
)

// ExampleLocation is the location that the examples ship from unless they name another.
const ExampleLocation = exampleLocation

// Complete fills in what an order must have and does not say, so that an example
// tells only what matters to it. Nothing else is made up: who buys, from where,
// and how it is paid stays unknown.
func Complete(p *event.OrderPlaced) {
	fill(&p.Channel, exampleChannel)
	fill(&p.Number, exampleNumber)
	for _, a := range []string{p.Total.Currency, p.ShippingCost.Currency, p.Discount.Currency} {
		fill(&p.Currency, a)
	}
	for _, l := range p.Lines {
		fill(&p.Currency, l.UnitPrice.Currency)
	}
	fill(&p.Currency, "EUR")
	if p.Lines == nil {
		p.Lines = []event.Line{{UnitPrice: p.Total}}
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		fill(&l.SKU, exampleSKU)
		if l.Qty == 0 {
			l.Qty = 1
		}
		if l.UnitPrice.Currency == "" {
			l.UnitPrice.Minor, l.UnitPrice.Currency = 1000, p.Currency
		}
	}
}

// CompleteEvent fills in what an event must have and does not say. order is the order it is about, or nil.
func CompleteEvent(p event.Payload, order *event.OrderPlaced) {
	channel, number, id, sku := exampleChannel, exampleNumber, event.OrderID(exampleChannel, exampleNumber), exampleSKU
	if order != nil {
		channel, number, id = order.Channel, order.Number, event.OrderID(order.Channel, order.Number)
		if len(order.Lines) > 0 {
			sku = order.Lines[0].SKU
		}
	}
	switch p := p.(type) {
	case *event.OrderPlaced:
		Complete(p)
	case *event.OrderPaid:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
		if p.Amount.Currency == "" && order != nil {
			if p.Amount = order.Total; p.Amount.Currency == "" && len(order.Lines) > 0 {
				p.Amount = order.Lines[0].UnitPrice.Mul(order.Lines[0].Qty)
			}
		}
	case *event.OrderCancelled:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.OrderCompleted:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.OrderHoldRequested:
		fill(&p.Order, id)
		fill(&p.Reason, "a test")
	case *event.OrderReleaseRequested:
		fill(&p.Order, id)
	case *event.OrderRerouteRequested:
		fill(&p.Order, id)
	case *event.OrderAccepted:
		fill(&p.Order, id)
	case *event.OrderReady:
		fill(&p.Order, id)
	case *event.OrderUnfillable:
		fill(&p.Order, id)
	case *event.PaymentDisputed:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.ReturnReceived:
		fill(&p.Channel, channel)
		fill(&p.Number, "R-1")
		fill(&p.Order, number)
		fill(&p.Location, exampleLocation)
		if p.Lines == nil {
			p.Lines = []event.Line{{SKU: sku, Qty: 1}}
			if order != nil && len(order.Lines) > 0 {
				p.Lines = order.Lines
			}
		}
	case *event.ShipmentShipped:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
		fill(&p.Location, exampleLocation)
	case *event.ShipmentRejected:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
		fill(&p.Location, exampleLocation)
	case *event.ShipmentLabelled:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.ShipmentScanned:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.ShipmentDelivered:
		fill(&p.Channel, channel)
		fill(&p.Number, number)
	case *event.StockReceived:
		fill(&p.SKU, sku)
		fill(&p.Location, exampleLocation)
		if p.Qty == 0 {
			p.Qty = 1
		}
	case *event.StockCounted:
		fill(&p.SKU, sku)
		fill(&p.Location, exampleLocation)
	case *event.StockAdjusted:
		fill(&p.SKU, sku)
		fill(&p.Location, exampleLocation)
		if p.Delta == 0 {
			p.Delta = 1
		}
	case *event.StockTransferred:
		fill(&p.SKU, sku)
		fill(&p.From, exampleLocation)
		fill(&p.To, "other")
		if p.Qty == 0 {
			p.Qty = 1
		}
	case *event.StockLow:
		fill(&p.SKU, sku)
	case *event.TaskDecided:
		fill(&p.Task, exampleTask)
		fill(&p.Outcome, "done")
	case *event.TaskAssigned:
		fill(&p.Task, exampleTask)
	case *event.TaskOverdue:
		fill(&p.Task, exampleTask)
	case *event.EffectFailed:
		fill(&p.Effect, exampleEffect)
		fill(&p.Purpose, "order-confirmation")
		fill(&p.Destination, "mail")
		fill(&p.Error, "refused")
		if order != nil {
			fill(&p.Order, id)
		}
	case *event.ScheduleDue:
		fill(&p.Automation, exampleName)
		if p.At.IsZero() {
			p.At = testNoon
		}
	case *event.AbsenceDue:
		fill(&p.Automation, exampleName)
		fill(&p.Order, id)
		fill(&p.Watch, exampleWatch)
	case *event.DayEnded:
		fill(&p.Date, testNoon.Format(time.DateOnly))
	}
}

// named makes an event of a trigger that is a time the automation's own.
func (a *Automation) named(p event.Payload) {
	switch p := p.(type) {
	case *event.ScheduleDue:
		p.Automation = a.Name
	case *event.AbsenceDue:
		p.Automation = a.Name
	}
}

// fill sets what is empty.
func fill(s *string, to string) {
	if *s == "" {
		*s = to
	}
}
