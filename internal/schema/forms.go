package schema

import "strings"

// labels are the names of fields in the words of a shop, where the name itself does not say it well.
var labels = map[string]string{
	"order.addresses_differ": "bill and parcel go to two addresses", "order.countries_differ": "bill and parcel go to two countries",
	"order.billing.country": "country of the bill", "order.billing.city": "city of the bill", "order.billing.postal": "postal code of the bill", "order.billing.region": "region of the bill",
	"order.shipping.country": "country of the parcel", "order.shipping.city": "city of the parcel", "order.shipping.postal": "postal code of the parcel", "order.shipping.region": "region of the parcel",
	"order.total": "order total", "order.subtotal": "value of the lines", "order.units": "units ordered", "order.line_count": "number of lines", "order.lines": "order lines",
	"order.channel": "sales channel", "order.number": "order number", "order.state": "state of the order", "order.payment": "payment", "order.note": "buyer's note",
	"order.service": "shipping service", "order.tags": "tags of the order", "order.currency": "currency", "order.device": "device", "order.discount": "discount",
	"order.placed_at": "time of the order", "order.promise": "promised delivery", "order.captured": "money captured", "order.refunded": "money given back", "order.parcels": "planned parcels",
	"order.id": "order id", "customer.id": "customer id", "customer.email": "customer's mail address", "customer.email_domain": "customer's mail domain", "customer.email_disposable": "mail address is a throw-away one",
	"customer.orders": "customer's earlier orders", "customer.cancelled": "customer's cancelled orders", "customer.returns": "customer's returns", "customer.spent": "spent by the customer so far",
	"customer.first_at": "customer's first order", "customer.account_age": "age of the account", "customer.tags": "tags of the customer",
	"ip.country": "country of the IP address", "ip.known": "IP address is in the table", "event.type": "what happened", "event.at": "time of the event", "event.mode": "life or history",
	"stock.sku": "product (SKU)", "stock.available": "available units", "stock.low_at": "low line of the product", "task.by": "who decided", "task.outcome": "decision of the task",
	"cancel.reason": "reason of the cancellation", "returned.amount": "value of the returned goods", "returned.units": "returned units", "day.date": "day that ended",
	"effect.error": "error", "schedule.at": "time of the schedule", "effect.purpose": "purpose of the message", "effect.destination": "destination of the message",
	"line.sku": "SKU", "line.title": "title", "line.qty": "quantity", "line.unit_price": "unit price", "line.location": "location", "line.kit": "is a kit", "line.available": "available units",
}

// Label is a field's name in the words of a shop. A field of a line is asked for as line.NAME.
func Label(name string) string {
	if l, ok := labels[name]; ok {
		return l
	}
	return strings.NewReplacer("_", " ", ".", " ").Replace(name)
}

// options are the values that a text field may have, where they are known.
var options = map[string][]string{
	"order.state":   {"expected", "held", "awaiting_payment", "unfillable", "backordered", "ready", "partially_shipped", "shipped", "completed", "cancelled"},
	"order.payment": {"pending", "authorized", "paid"},
	"event.mode":    {"live", "history"},
	"task.kind":     {"review", "refund", "unfillable", "task", "incident"},
}

// Options returns the values that a text field may have; nil when it may be any text.
func Options(name string) []string { return options[name] }

// Format says what kind of text a field holds, for inputs: country, currency, sku, location, channel, queue or event; "" is any.
func Format(name string) string {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch last {
	case "country", "currency", "sku", "location", "channel", "queue":
		return last
	}
	if name == "event.type" {
		return "event"
	}
	return ""
}

var eventLabels = map[string]string{
	"order.placed": "an order is placed", "order.accepted": "an order passed its checks", "order.paid": "an order is paid", "order.ready": "an order is ready to ship",
	"order.cancelled": "an order is cancelled", "order.completed": "an order is completed", "order.unfillable": "an order cannot be filled",
	"order.hold_requested": "somebody holds an order", "order.release_requested": "somebody releases an order", "order.reroute_requested": "somebody routes an order again",
	"shipment.shipped": "a parcel leaves", "shipment.rejected": "a location refuses a parcel", "shipment.labelled": "a parcel gets its label", "shipment.scanned": "the carrier scans a parcel",
	"shipment.delivered": "a parcel is delivered", "return.received": "a return comes in", "task.decided": "a task is decided", "task.assigned": "a task is assigned",
	"task.overdue": "a task is overdue", "effect.failed": "a message failed for good", "stock.low": "a product runs low", "stock.received": "stock comes in",
	"payment.disputed": "a payment is disputed", "stock.counted": "stock is counted", "stock.adjusted": "stock is adjusted", "stock.transferred": "stock is transferred", "day.ended": "a day ends",
	"schedule.due": "a time of the clock comes", "absence.due": "something did not happen in time", "schedule": "at times of the clock", "absence": "something does not happen in time",
}

// EventLabel is an event type, or another trigger, in the words of a shop.
func EventLabel(eventType string) string {
	if l, ok := eventLabels[eventType]; ok {
		return l
	}
	return eventType + " happens"
}
