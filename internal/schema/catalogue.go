package schema

// Systems of record, in the words a shop uses.
const (
	channel = "sales channel"  // the shop system that sent the order
	ledger  = "stock ledger"   // Orderly's double-entry stock ledger
	history = "order history"  // Orderly's record of earlier orders
	orderly = "Orderly"        // decided or computed here
	payment = "payment events" // captured and refunded amounts as reported
	geo     = "IP table"       // brought in by `orderly data import`
	domains = "domain list"    // built in, extended by the shop's settings
	carrier = "warehouse"      // the location that ships
)

const (
	text    = "text"
	country = "two capital letters (ISO 3166-1), like DE"
	amount  = `amount in the order's currency, compared with money("12.34", "EUR")`
	moment  = "instant, UTC"
	yes     = "true or false"
)

var (
	shipments = []string{"shipment.shipped", "shipment.rejected", "shipment.labelled"}
	parcels   = []string{"shipment.shipped", "shipment.labelled", "shipment.scanned", "shipment.delivered"}
	tasks     = []string{"task.assigned", "task.decided", "task.overdue"}
	everyType = Events()
)

var catalogue = []Field{
	{Name: "order.id", Type: String, Unit: "id like ord_…", Doc: "Orderly's id of the order, derived from channel and number.", System: orderly},
	{Name: "order.channel", Type: String, Unit: "channel name", Doc: "The sales channel the order came from.", System: channel},
	{Name: "order.number", Type: String, Unit: text, Doc: "The order number the channel gave.", System: channel},
	{Name: "order.state", Type: String, Unit: "expected, held, awaiting_payment, unfillable, backordered, ready, partially_shipped, shipped, completed or cancelled", Doc: "Where the order stands before this event is acted on.", System: orderly},
	{Name: "order.total", Type: Money, Unit: amount, Doc: "What the buyer pays: lines plus shipping minus discount, or the channel's own total.", System: channel},
	{Name: "order.subtotal", Type: Money, Unit: amount, Doc: "Value of the lines before shipping and discount.", System: channel},
	{Name: "order.shipping_cost", Type: Money, Unit: amount, Doc: "What the buyer pays for shipping.", System: channel},
	{Name: "order.discount", Type: Money, Unit: amount, Doc: "Discount on the order as a positive amount.", System: channel},
	{Name: "order.currency", Type: String, Unit: "three capital letters (ISO 4217), like EUR", Doc: "The currency of every amount of the order.", System: channel},
	{Name: "order.units", Type: Int, Unit: "units", Doc: "Ordered units over all lines.", System: channel},
	{Name: "order.line_count", Type: Int, Unit: "lines", Doc: "Number of lines.", System: channel},
	{Name: "order.lines", Type: Lines, Unit: "lines", Doc: "The ordered lines, for exists and all: order.lines.exists(l, l.qty > 10).", System: channel},
	{Name: "order.payment", Type: String, Unit: "pending, authorized or paid", Doc: "How far the payment is.", System: payment},
	{Name: "order.payment_method", Type: String, Unit: text, Doc: "The payment method as the channel names it.", System: channel},
	{Name: "order.captured", Type: Money, Unit: amount, Doc: "Money captured so far.", System: payment},
	{Name: "order.refunded", Type: Money, Unit: amount, Doc: "Money given back so far.", System: payment},
	{Name: "order.service", Type: String, Unit: text, Doc: "The shipping service the buyer chose.", System: channel},
	{Name: "order.device", Type: String, Unit: "fingerprint as sent", Doc: "The buyer's device, as the channel recognises it.", System: channel, Personal: true},
	{Name: "order.tags", Type: Strings, Unit: "tags", Doc: `Tags from the channel and from automations: "vip" in order.tags.`, System: orderly},
	{Name: "order.note", Type: String, Unit: text, Doc: "The buyer's note.", System: channel},
	{Name: "order.placed_at", Type: Time, Unit: moment, Doc: "When the buyer ordered.", System: channel},
	{Name: "order.missing_units", Type: Int, Unit: "units", Doc: "Units no location could give at the last routing.", System: ledger},
	{Name: "order.parcels", Type: Int, Unit: "parcels", Doc: "Parcels planned by the last routing.", System: orderly},
	{Name: "order.promise", Type: Time, Unit: moment, Doc: "Delivery promised by the last routing.", System: orderly},
	{Name: "order.shipping.country", Type: String, Unit: country, Doc: "Country the parcel goes to.", System: channel},
	{Name: "order.shipping.region", Type: String, Unit: text, Doc: "Region or state the parcel goes to.", System: channel},
	{Name: "order.shipping.city", Type: String, Unit: text, Doc: "City the parcel goes to.", System: channel},
	{Name: "order.shipping.postal", Type: String, Unit: "postal code as written", Doc: "Postal code the parcel goes to.", System: channel},
	{Name: "order.billing.country", Type: String, Unit: country, Doc: "Country of the bill; the shipping country when no billing address was given.", System: channel},
	{Name: "order.billing.region", Type: String, Unit: text, Doc: "Region or state of the bill.", System: channel},
	{Name: "order.billing.city", Type: String, Unit: text, Doc: "City of the bill.", System: channel},
	{Name: "order.billing.postal", Type: String, Unit: "postal code as written", Doc: "Postal code of the bill.", System: channel},
	{Name: "order.addresses_differ", Type: Bool, Unit: yes, Doc: "Billing and shipping differ in country, postal code, city or first line.", System: orderly},
	{Name: "order.countries_differ", Type: Bool, Unit: yes, Doc: "Billing and shipping are in two countries.", System: orderly},

	{Name: "customer.id", Type: String, Unit: "id like cus_…", Doc: "Orderly's id of the customer, derived from the mail address or the channel's id.", System: orderly},
	{Name: "customer.email", Type: String, Unit: "mail address, lower case", Doc: "The buyer's mail address.", System: channel, Personal: true},
	{Name: "customer.email_domain", Type: String, Unit: "domain, lower case", Doc: "The part of the mail address after the @.", System: channel},
	{Name: "customer.email_disposable", Type: Bool, Unit: yes, Doc: "The mail domain is known to give throw-away addresses.", System: domains},
	{Name: "customer.orders", Type: Int, Unit: "orders", Doc: "Earlier orders of the customer that were not cancelled; this one is not counted.", System: history},
	{Name: "customer.cancelled", Type: Int, Unit: "orders", Doc: "Earlier orders of the customer that were cancelled.", System: history},
	{Name: "customer.returns", Type: Int, Unit: "returns", Doc: "Returns received from the customer.", System: history},
	{Name: "customer.spent", Type: Money, Unit: "amount in the first currency the customer paid in", Doc: "Sum of the customer's earlier order totals.", System: history},
	{Name: "customer.first_at", Type: Time, Unit: moment, Doc: "The customer's first order.", System: history},
	{Name: "customer.account_age", Type: Duration, Unit: `duration, compared with duration("72h")`, Doc: "Time since the account was made or, when the channel does not tell, since the first order.", System: history},
	{Name: "customer.tags", Type: Strings, Unit: "tags", Doc: `Tags of the customer, as the channel sent them with the newest order: "wholesale" in customer.tags.`, System: channel},

	{Name: "ip.country", Type: String, Unit: country, Doc: "Country of the address the order was placed from; unknown without an IP table or for an address it does not list.", System: geo},
	{Name: "ip.known", Type: Bool, Unit: yes, Doc: "The IP address was sent and the table lists it.", System: geo},

	{Name: "event.type", Type: String, Unit: "event type, like order.placed", Doc: "What happened.", System: orderly, Events: everyType},
	{Name: "event.at", Type: Time, Unit: moment, Doc: "When it happened; the one time a decision knows.", System: orderly, Events: everyType},
	{Name: "event.mode", Type: String, Unit: "live or history", Doc: "Whether the event is life or imported history.", System: orderly, Events: everyType},

	{Name: "stock.sku", Type: String, Unit: "SKU", Doc: "The product whose stock ran low.", System: "product catalogue", Events: []string{"stock.low"}},
	{Name: "stock.available", Type: Int, Unit: "units", Doc: "Available units over all locations after the crossing.", System: ledger, Events: []string{"stock.low"}},
	{Name: "stock.low_at", Type: Int, Unit: "units", Doc: "The product's line: low when available falls to it or below.", System: "product catalogue", Events: []string{"stock.low"}},

	{Name: "task.kind", Type: String, Unit: "review, refund, unfillable, task or incident", Doc: "What kind of work the task is.", System: orderly, Events: tasks},
	{Name: "task.queue", Type: String, Unit: "queue name", Doc: "Who works it.", System: orderly, Events: tasks},
	{Name: "task.outcome", Type: String, Unit: "one of the task's options", Doc: "What the person decided; unknown until then.", System: orderly, Events: tasks},
	{Name: "task.by", Type: String, Unit: "user name", Doc: "Who decided; unknown until then.", System: orderly, Events: tasks, Personal: true},

	{Name: "shipment.location", Type: String, Unit: "location id", Doc: "The location that labelled, shipped or refused.", System: carrier, Events: shipments},
	{Name: "shipment.tracking", Type: String, Unit: text, Doc: "Tracking number.", System: carrier, Events: parcels},
	{Name: "shipment.carrier", Type: String, Unit: text, Doc: "Carrier's name.", System: carrier, Events: parcels},
	{Name: "shipment.place", Type: String, Unit: text, Doc: "Where the carrier has seen the parcel.", System: carrier, Events: []string{"shipment.scanned"}},
	{Name: "shipment.reason", Type: String, Unit: text, Doc: "Why the location refused.", System: carrier, Events: []string{"shipment.rejected"}},

	{Name: "effect.purpose", Type: String, Unit: "purpose, like order-confirmation", Doc: "What the failed effect was for.", System: orderly, Events: []string{"effect.failed"}},
	{Name: "effect.destination", Type: String, Unit: "connection name", Doc: "Where it should have gone.", System: orderly, Events: []string{"effect.failed"}},
	{Name: "effect.error", Type: String, Unit: text, Doc: "The last error.", System: orderly, Events: []string{"effect.failed"}},

	{Name: "cancel.reason", Type: String, Unit: text, Doc: "Why the order was cancelled, as sent.", System: channel, Events: []string{"order.cancelled"}},
	{Name: "dispute.reason", Type: String, Unit: text, Doc: "Why the payment was disputed, as sent, like fraud.", System: payment, Events: []string{"payment.disputed"}},
	{Name: "dispute.amount", Type: Money, Unit: amount, Doc: "Amount in dispute; the order's total when the sender does not say.", System: payment, Events: []string{"payment.disputed"}},
	{Name: "returned.amount", Type: Money, Unit: amount, Doc: "Value of the goods that came back.", System: channel, Events: []string{"return.received"}},
	{Name: "returned.units", Type: Int, Unit: "units", Doc: "Units that came back.", System: channel, Events: []string{"return.received"}},
	{Name: "schedule.at", Type: Time, Unit: moment, Doc: "The time of the schedule, also when the automation runs late.", System: orderly, Events: []string{"schedule.due"}},
	{Name: "day.date", Type: String, Unit: "date like 2026-01-31 in the shop's zone", Doc: "The day that is over.", System: orderly, Events: []string{"day.ended"}},
}

var lineFields = []Field{
	{Name: "sku", Type: String, Unit: "SKU", Doc: "The ordered product.", System: channel},
	{Name: "title", Type: String, Unit: text, Doc: "The product's name on the order.", System: channel},
	{Name: "qty", Type: Int, Unit: "units", Doc: "Ordered units.", System: channel},
	{Name: "unit_price", Type: Money, Unit: amount, Doc: "Price of one unit.", System: channel},
	{Name: "location", Type: String, Unit: `location id, "" when routing chooses`, Doc: "The location the channel pinned the line to.", System: channel},
	{Name: "kit", Type: Bool, Unit: yes, Doc: "The product is a kit of others.", System: "product catalogue"},
	{Name: "available", Type: Int, Unit: "units", Doc: "Units available to promise over all locations.", System: ledger},
}

var dimensions = []Dimension{
	{Name: "customer.email", Doc: "orders with the same mail address", How: "with this mail address", Lacks: "has no mail address"},
	{Name: "customer.id", Doc: "orders of the same customer", How: "by this customer", Lacks: "names no customer"},
	{Name: "order.address", Doc: "orders to the same shipping address", How: "with this address", Lacks: "has no address with a country and a street"},
	{Name: "order.device", Doc: "orders from the same device", How: "from this device", Lacks: "names no device"},
	{Name: "order.ip", Doc: "orders from the same IP address", How: "from this IP address", Lacks: "has no IP address"},
}
