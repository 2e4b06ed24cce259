package rule

import (
	"math"
	"time"

	"orderly.example/orderly/internal/schema"
)

// What the facts promise: bounds and values that hold for every event, whatever comes in at the
// doors. A proof may rest on nothing else. A property test in package proof holds decide to them.

// span is the least and greatest value of a number.
type span struct{ lo, hi int64 }

const (
	noLow  = math.MinInt64 / 4
	noHigh = math.MaxInt64 / 4
)

// signed are the numbers that may fall below zero; every other count, amount and duration does not.
var signed = map[string]bool{"stock.available": true, "stock.low_at": true}

// boundOf is the range of a numeric variable. name is the field's, without the line it belongs to.
func boundOf(name string, typ schema.Type) span {
	switch {
	case typ == schema.Bool:
		return span{0, 1}
	case typ == schema.Time || signed[name]:
		return span{noLow, noHigh}
	case name == "qty":
		return span{1, noHigh}
	}
	return span{0, noHigh}
}

// oneOf are the fields that take one of a few values.
var oneOf = map[string][]string{
	"event.mode":    {"live", "history"},
	"order.payment": {"pending", "authorized", "paid"},
	"order.state": {
		"expected", "held", "awaiting_payment", "unfillable", "backordered", "ready", "partially_shipped", "shipped", "completed", "cancelled",
	},
}

// neverEmpty are the texts that are unknown rather than empty when nobody told them.
var neverEmpty = map[string]bool{
	"order.currency": true, "order.payment_method": true, "order.service": true, "order.device": true,
	"order.shipping.country": true, "order.shipping.region": true, "order.shipping.city": true, "order.shipping.postal": true,
	"order.billing.country": true, "order.billing.region": true, "order.billing.city": true, "order.billing.postal": true,
	"customer.id": true, "customer.email": true, "customer.email_domain": true, "ip.country": true,
	"shipment.tracking": true, "shipment.carrier": true, "shipment.reason": true, "task.outcome": true, "task.by": true,
	"order.id": true, "order.number": true, "order.channel": true,
}

// inOrderCurrency are the amounts that are always in the currency of their order.
var inOrderCurrency = map[string]bool{
	"order.total": true, "order.subtotal": true, "order.shipping_cost": true, "order.discount": true,
	"order.captured": true, "order.refunded": true, "unit_price": true,
}

// usual are values that make an order easy to read where any value would do.
var usual = map[string][]string{
	"order.shipping.country": {"FR", "DE", "NL"}, "order.billing.country": {"FR", "DE", "AT"}, "ip.country": {"FR", "DE", "BR"},
	"order.shipping.city": {"Lyon"}, "order.billing.city": {"Lyon"}, "order.shipping.postal": {"69001"}, "order.billing.postal": {"69001"},
	"customer.email": {"buyer@example.com"}, "customer.email_domain": {"example.com"}, "order.currency": {"EUR"},
	"order.payment_method": {"card"}, "order.channel": {"web"}, "order.number": {"W-1"}, "order.service": {"standard"}, "order.device": {"device-1"},
	"shipment.carrier": {"DHL"}, "shipment.location": {"main"}, "day.date": {"2026-01-14"}, "task.queue": {"ops"}, "task.outcome": {"done"},
	"task.kind": {"task"}, "effect.purpose": {"order-confirmation"}, "effect.destination": {"mail"}, "order.payment": {"paid", "authorized", "pending"},
	"stock.sku": {"ITEM-1"}, "sku": {"ITEM-1", "ITEM-2", "ITEM-3"}, "title": {"Mug"}, "location": {""}, "event.mode": {"live"},
	"order.state": {"expected", "ready", "held", "shipped"},
}

// usualTime is when the event of a witness comes.
var usualTime = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// usualNumber is the number to prefer where any would do.
func usualNumber(name string, typ schema.Type) int64 {
	switch {
	case typ == schema.Money:
		return 10000
	case typ == schema.Time:
		return usualTime.UnixNano()
	case typ == schema.Duration:
		return int64(30 * day)
	case name == "available":
		return 100
	case name == "qty", name == "order.line_count", name == "order.units":
		return 1
	}
	return 0
}
