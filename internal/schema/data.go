package schema

import (
	"slices"
	"strings"
)

// Datum is a kind of data that a shop keeps, in the words of its system map. Every field of the
// catalogue, every event type and everything a step writes belongs to one.
type Datum struct {
	Name   string // as people write it
	Doc    string // one sentence: what it holds
	System string // the system of record, unless the shop says otherwise
	// Made is set for what Orderly decides or makes; the other data come in.
	Made bool
	// Shared is set when several systems may write it without contradicting each other: each
	// order has one channel, each parcel one house. What is not shared has one writer.
	Shared bool
	Fields []string // of the catalogue: names, or beginnings that end with a dot
	Events []string // the types that bring it or change it; the first datum of a type is what the type is about
	Writes []string // what the steps of automations call it
}

// Core is the system of record of what Orderly decides itself.
const Core = orderly

var data = []Datum{
	{
		Name: "order", Doc: "What was ordered, by whom it was sold, and where it goes.", System: channel, Shared: true,
		Fields: []string{"order.id", "order.channel", "order.number", "order.units", "order.line_count", "order.lines", "order.service", "order.device", "order.note", "order.placed_at", "order.shipping.", "order.billing.", "order.addresses_differ", "order.countries_differ", "cancel.", "ip."},
		Events: []string{"order.placed", "order.cancelled", "order.completed", "order.accepted", "order.ready", "order.unfillable", "order.hold_requested", "order.release_requested", "order.reroute_requested", "absence.due"},
	},
	{
		Name: "price", Doc: "What the buyer pays: lines, shipping, discount, total.", System: channel, Shared: true,
		Fields: []string{"order.total", "order.subtotal", "order.shipping_cost", "order.discount", "order.currency"},
		Events: []string{"order.placed"},
	},
	{
		Name: "customer", Doc: "Who buys, and what they bought before.", System: channel, Shared: true,
		Fields: []string{"customer."}, Events: []string{"order.placed"},
	},
	{
		Name: "payment", Doc: "What was authorised, captured or disputed.", System: payment, Shared: true,
		Fields: []string{"order.payment", "order.payment_method", "order.captured", "dispute."},
		Events: []string{"order.paid", "payment.disputed"},
	},
	{
		Name: "refund", Doc: "What was given back.", System: payment,
		Fields: []string{"order.refunded"},
	},
	{
		Name: "product", Doc: "Products, kits and the line at which stock is low.", System: "product catalogue",
		Fields: []string{"stock.sku", "stock.low_at"},
	},
	{
		Name: "stock level", Doc: "Units on hand, reserved and available at each location.", System: ledger,
		Fields: []string{"stock.available"},
		Events: []string{"stock.received", "stock.counted", "stock.adjusted", "stock.transferred", "stock.low"},
	},
	{
		Name: "shipment", Doc: "Parcels: packed, labelled, handed over or refused.", System: carrier, Shared: true,
		Fields: []string{"shipment.location", "shipment.tracking", "shipment.carrier", "shipment.reason"},
		Events: []string{"shipment.shipped", "shipment.rejected", "shipment.labelled"},
	},
	{
		Name: "tracking", Doc: "Where a parcel was seen last.", System: "carrier", Shared: true,
		Fields: []string{"shipment.place"},
		Events: []string{"shipment.scanned", "shipment.delivered"},
	},
	{
		Name: "return", Doc: "Goods that came back and their value.", System: carrier, Shared: true,
		Fields: []string{"returned."}, Events: []string{"return.received"},
	},
	{
		Name: "calendar", Doc: "The clock: days that end, schedules that are due.", System: Core,
		Fields: []string{"event.", "day.", "schedule."}, Events: []string{"day.ended", "schedule.due", "run.due", "run.retried"},
	},
	{
		Name: "order state", Doc: "Where an order stands, and what holds it.", System: Core, Made: true,
		Fields: []string{"order.state"}, Writes: []string{"order.state", "order.holds", "order.released"},
	},
	{
		Name: "routing", Doc: "Which location ships what, and when it arrives.", System: Core, Made: true,
		Fields: []string{"order.missing_units", "order.parcels", "order.promise"}, Writes: []string{"order.preferred", "order.excluded"},
	},
	{
		Name: "tag", Doc: "Words that automations and channels put on orders.", System: Core, Made: true,
		Fields: []string{"order.tags"}, Writes: []string{"order.tags"},
	},
	{
		Name: "task", Doc: "What waits for a person: reviews, refunds, incidents.", System: Core, Made: true, Shared: true,
		Fields: []string{"task."}, Events: []string{"task.decided", "task.assigned", "task.overdue"}, Writes: []string{"task"},
	},
	{
		Name: "message", Doc: "Mails to customers and to people of the shop.", System: Core, Made: true,
		Fields: []string{"effect."}, Events: []string{"effect.failed"}, Writes: []string{"effect.mail"},
	},
	{
		Name: "document", Doc: "Signed documents to other systems, such as fulfilment requests.", System: Core, Made: true,
		Events: []string{"call.answered"}, Writes: []string{"effect.webhook"},
	},
	{
		Name: "alert", Doc: "Incidents told to their owners.", System: Core, Made: true,
		Events: []string{"incident.raised", "automation.stopped", "automation.resumed", "automation.changed", "automation.reported"},
	},
}

// Data returns the kinds of data, in the order of an order's life.
func Data() []Datum { return slices.Clone(data) }

// DataOfEvent returns the data that an event type is about; the first is what it is mostly about.
func DataOfEvent(typ string) []Datum {
	var out []Datum
	for _, d := range data {
		if slices.Contains(d.Events, typ) {
			out = append(out, d)
		}
	}
	return out
}

// DatumOfField returns the datum that a field of the catalogue belongs to; counts of earlier events belong to the order.
func DatumOfField(name string) (Datum, bool) {
	if strings.HasPrefix(name, "velocity") {
		return data[0], true
	}
	for _, d := range data {
		for _, f := range d.Fields {
			if f == name || strings.HasSuffix(f, ".") && strings.HasPrefix(name, f) {
				return d, true
			}
		}
	}
	return Datum{}, false
}

// DatumOfWrite returns the datum that a step changes, by what its declaration says it writes.
func DatumOfWrite(name string) (Datum, bool) {
	for _, d := range data {
		if slices.Contains(d.Writes, name) {
			return d, true
		}
	}
	return Datum{}, false
}

// follows are the events that the built-in decisions derive from others. What automations
// derive is in the declarations of their steps.
var follows = map[string][]string{
	"order.placed": {"order.accepted", "order.ready", "order.unfillable", "order.cancelled", "task.overdue"}, "order.paid": {"order.accepted", "order.ready"},
	"task.decided": {"order.accepted", "order.ready", "order.cancelled", "order.unfillable"}, "order.release_requested": {"order.accepted", "order.ready", "order.unfillable"},
	"order.reroute_requested": {"order.ready", "order.unfillable"}, "stock.received": {"stock.low", "order.ready"}, "stock.counted": {"stock.low", "order.unfillable"},
	"stock.adjusted": {"stock.low", "order.unfillable"}, "stock.transferred": {"stock.low", "order.ready"}, "order.accepted": {"stock.low"},
	"shipment.rejected": {"order.reroute_requested", "order.unfillable"},
}

// Follows returns the event types that the built-in decisions derive from a type.
func Follows(typ string) []string { return slices.Clone(follows[typ]) }
