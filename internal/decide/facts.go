package decide

import (
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"time"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/stock"
)

// Facts are the values the automations of an event type read, by field name.
// What is absent is unknown. Stored with the decision, they let anybody ask later why.
type Facts = rule.Map

// gather looks up every field of the names. The customer's counts are those before this event.
func (d *decider) gather(names []string, velocities []rule.Velocity) Facts {
	f := make(Facts, len(names)+2)
	for _, name := range names {
		if v, ok := d.fact(name); ok {
			f[name] = v
		}
	}
	for _, v := range velocities {
		if n, ok := d.velocity(v); ok {
			f[v.Fact] = n
		}
	}
	for name, v := range d.snap.Given {
		if f[name] = v; v == nil {
			delete(f, name)
		}
	}
	return f
}

// velocity counts earlier events under the dimension's key; unknown when the value is.
func (d *decider) velocity(v rule.Velocity) (int64, bool) {
	q, ok := VelocityOf(d.ev.Who, v, d.at)
	if !ok {
		return 0, false
	}
	n := d.snap.Velocity[q]
	for _, at := range d.snap.marks[q.Key] {
		if us := at.UnixMicro(); us >= q.From && us < q.To {
			n++
		}
	}
	return n, true
}

// VelocityOf is the count a velocity asks for at a time: the window ends now, inclusive.
// ok is false when the buyer is not known by that.
func VelocityOf(who event.Identity, v rule.Velocity, at time.Time) (q VelocityQuery, ok bool) {
	var key string
	switch v.By {
	case "customer.email":
		key = who.Email
	case "customer.id":
		key = customerKey(who)
	case "order.address":
		key = who.Address
	case "order.device":
		key = who.Device
	case "order.ip":
		key = who.IP
	}
	return VelocityQuery{Key: key, From: at.Add(-v.Within).UnixMicro(), To: at.UnixMicro() + 1}, key != ""
}

// customerKey counts a customer's orders: under their mail address, which gives
// the customer's id, or under the channel's id where there is none.
func customerKey(who event.Identity) string {
	if who.Email != "" {
		return who.Email
	}
	return who.Customer
}

func known(s string) (any, bool) { return s, s != "" }

func amount(a money.Amount) (any, bool) { return a, a.Currency != "" }

func instant(t time.Time) (any, bool) { return t, !t.IsZero() }

// fact is the value of one field of the schema for this event.
func (d *decider) fact(name string) (any, bool) {
	switch name {
	case "event.type":
		return d.ev.Type, true
	case "event.at":
		return d.at, true
	case "event.mode":
		return string(d.ev.Mode), true
	}
	if v, ok, done := d.payloadFact(name); done {
		return v, ok
	}
	if d.order == nil {
		return nil, false
	}
	if v, ok, done := d.customerFact(name, d.order); done {
		return v, ok
	}
	return d.orderFactOf(name, d.order)
}

func (d *decider) orderFactOf(name string, o *order.Order) (any, bool) {
	switch name {
	case "order.id":
		return o.ID, true
	case "order.channel":
		return o.Channel, true
	case "order.number":
		return o.Number, true
	case "order.state":
		return string(o.State), true
	case "order.total":
		return amount(o.Total)
	case "order.subtotal":
		return amount(o.Subtotal())
	case "order.shipping_cost":
		return money.New(o.ShippingCost.Minor, o.Currency), o.Currency != ""
	case "order.discount":
		return money.New(o.Discount.Minor, o.Currency), o.Currency != ""
	case "order.currency":
		return known(o.Currency)
	case "order.units":
		return o.Units(), true
	case "order.line_count":
		return int64(len(o.Lines)), true
	case "order.lines":
		return d.ruleLines(o), true
	case "order.payment":
		return o.Payment, true
	case "order.payment_method":
		return known(o.Method)
	case "order.captured":
		return amount(o.Captured)
	case "order.refunded":
		return amount(o.Refunded)
	case "order.service":
		return known(o.Service)
	case "order.device":
		return known(o.Device)
	case "order.tags":
		return append([]string{}, o.Tags...), true
	case "order.note":
		return o.Note, true
	case "order.placed_at":
		return instant(o.PlacedAt)
	case "order.missing_units":
		var n int64
		for _, m := range o.Missing {
			n += m.Qty
		}
		return n, true
	case "order.parcels":
		return int64(o.Parcels), o.Parcels > 0
	case "order.promise":
		return instant(o.Promise)
	case "order.shipping.country":
		return known(o.Shipping.Country)
	case "order.shipping.region":
		return known(o.Shipping.Region)
	case "order.shipping.city":
		return known(o.Shipping.City)
	case "order.shipping.postal":
		return known(o.Shipping.Postal)
	case "order.billing.country":
		return known(o.Billing.Country)
	case "order.billing.region":
		return known(o.Billing.Region)
	case "order.billing.city":
		return known(o.Billing.City)
	case "order.billing.postal":
		return known(o.Billing.Postal)
	case "order.addresses_differ":
		return o.AddressesDiffer, o.Shipping != (event.Address{})
	case "order.countries_differ":
		return o.Shipping.Country != o.Billing.Country, o.Shipping.Country != "" && o.Billing.Country != ""
	}
	return nil, false
}

func (d *decider) ruleLines(o *order.Order) []rule.Line {
	out := make([]rule.Line, len(o.Lines))
	for i, l := range o.Lines {
		p := d.snap.Products[l.SKU]
		out[i] = rule.Line{
			SKU: l.SKU, Title: l.Title, Qty: l.Qty, UnitPrice: l.UnitPrice, Location: l.Pinned,
			Kit: p.Kit(), Available: d.sellable(p, l.SKU),
		}
	}
	return out
}

// sellable is what can be promised of a product: for a kit, as many as its scarcest component allows.
func (d *decider) sellable(p Product, sku string) int64 {
	if !p.Kit() {
		return d.promisable(sku)
	}
	least := int64(-1)
	for _, c := range p.Components {
		if n := d.promisable(c.SKU) / max(c.Qty, 1); least < 0 || n < least {
			least = n
		}
	}
	return max(least, 0)
}

// promisable is available to promise of a SKU: available less safety stock, over all locations.
func (d *decider) promisable(sku string) int64 {
	var n int64
	for _, b := range d.snap.Stock[sku] {
		if b.Location != stock.Opening {
			n += max(0, d.balance(b.Key).Available()-d.pol.Locations[b.Location].SafetyStock)
		}
	}
	return n
}

// customerFact answers for customer.* and ip.*; done=false for other names.
func (d *decider) customerFact(name string, o *order.Order) (v any, ok, done bool) {
	switch name {
	case "ip.country":
		v, ok = known(o.IPCountry)
		return v, ok, true
	case "ip.known":
		return o.IPCountry != "", true, true
	case "customer.email":
		v, ok = known(risk.Email(o.Personal.Email))
		return v, ok, true
	case "customer.email_domain":
		v, ok = known(o.EmailDomain)
		return v, ok, true
	case "customer.email_disposable":
		return risk.Disposable(o.EmailDomain), o.EmailDomain != "", true
	case "customer.id":
		v, ok = known(o.CustomerID)
		return v, ok, true
	}
	var c customer.Customer
	if have, found := d.snap.Customers[o.CustomerID]; found {
		c = *have
	}
	someone := o.CustomerID != ""
	switch name {
	case "customer.orders":
		return c.Orders, someone, true
	case "customer.cancelled":
		return c.Cancelled, someone, true
	case "customer.returns":
		return c.Returns, someone, true
	case "customer.spent":
		v, ok = amount(c.Spent)
		return v, ok, true
	case "customer.first_at":
		v, ok = instant(c.FirstAt)
		return v, ok, true
	case "customer.account_age":
		since := o.SignedUp
		if since.IsZero() {
			since = c.FirstAt
		}
		if since.IsZero() || since.After(d.at) {
			return time.Duration(0), someone, true // a first order: the account is as old as this moment
		}
		return d.at.Sub(since), someone, true
	case "customer.tags":
		if now := d.out.Customer; now != nil && now.ID == o.CustomerID {
			c.Tags = now.Tags // unlike the counts, which are of earlier orders, they are those that this order brings
		}
		return append([]string{}, c.Tags...), someone, true
	}
	return nil, false, false
}

// payloadFact answers for fields of particular event types; done=false for other names.
func (d *decider) payloadFact(name string) (v any, ok, done bool) {
	set := func(v any, ok bool) (any, bool, bool) { return v, ok, true }
	switch p := d.ev.Data.(type) {
	case *event.StockLow:
		switch name {
		case "stock.sku":
			return p.SKU, true, true
		case "stock.available":
			return p.Available, true, true
		case "stock.low_at":
			return p.LowAt, true, true
		}
	case *event.ShipmentShipped:
		switch name {
		case "shipment.location":
			return p.Location, true, true
		case "shipment.tracking":
			return set(known(p.Tracking))
		case "shipment.carrier":
			return set(known(p.Carrier))
		}
	case *event.ShipmentRejected:
		switch name {
		case "shipment.location":
			return p.Location, true, true
		case "shipment.reason":
			return set(known(p.Reason))
		}
	case *event.ShipmentLabelled:
		switch name {
		case "shipment.location":
			return set(known(p.Location))
		case "shipment.tracking":
			return set(known(p.Tracking))
		case "shipment.carrier":
			return set(known(p.Carrier))
		}
	case *event.ShipmentScanned:
		switch name {
		case "shipment.place":
			return set(known(p.Place))
		case "shipment.tracking":
			return set(known(p.Tracking))
		case "shipment.carrier":
			return set(known(p.Carrier))
		}
	case *event.ShipmentDelivered:
		switch name {
		case "shipment.tracking":
			return set(known(p.Tracking))
		case "shipment.carrier":
			return set(known(p.Carrier))
		}
	case *event.EffectFailed:
		switch name {
		case "effect.purpose":
			return p.Purpose, true, true
		case "effect.destination":
			return p.Destination, true, true
		case "effect.error":
			return p.Error, true, true
		}
	case *event.OrderCancelled:
		if name == "cancel.reason" {
			return p.Reason, true, true
		}
	case *event.ScheduleDue:
		if name == "schedule.at" {
			return set(instant(p.At))
		}
	case *event.DayEnded:
		if name == "day.date" {
			return p.Date, true, true
		}
	case *event.PaymentDisputed:
		switch name {
		case "dispute.reason":
			return set(known(p.Reason))
		case "dispute.amount":
			if p.Amount.Currency == "" && d.order != nil {
				return set(amount(d.order.Total))
			}
			return set(amount(p.Amount))
		}
	case *event.ReturnReceived:
		switch name {
		case "returned.units":
			var n int64
			for _, l := range p.Lines {
				n += l.Qty
			}
			return n, true, true
		case "returned.amount":
			if p.Amount.Currency != "" {
				return p.Amount, true, true
			}
			var sum money.Amount
			for _, l := range p.Lines {
				sum = sum.Add(l.UnitPrice.Mul(l.Qty))
			}
			return set(amount(sum))
		}
	case *event.TaskDecided:
		return d.taskFact(p.Task, name)
	case *event.TaskOverdue:
		return d.taskFact(p.Task, name)
	case *event.TaskAssigned:
		return d.taskFact(p.Task, name)
	}
	return nil, false, false
}

func (d *decider) taskFact(id, name string) (v any, ok, done bool) {
	for _, t := range d.out.Tasks {
		if t.ID != id {
			continue
		}
		switch name {
		case "task.kind":
			return string(t.Kind), true, true
		case "task.queue":
			return t.Queue, true, true
		case "task.outcome":
			return t.Outcome, t.Outcome != "", true
		case "task.by":
			return t.By, t.By != "", true
		}
	}
	return nil, false, false
}

// EncodeFacts writes facts as one JSON object with sorted keys, without the
// personal ones: those are read again from the sealed data when somebody asks.
func EncodeFacts(f Facts) []byte {
	if len(f) == 0 {
		return nil
	}
	names := make([]string, 0, len(f))
	for n := range f {
		if fd, ok := schema.Lookup(n); ok && fd.Personal {
			continue
		}
		names = append(names, n)
	}
	sort.Strings(names)
	b := make([]byte, 0, 48*len(names))
	b = append(b, '{')
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, n), ':')
		switch v := f[n].(type) {
		case string:
			b = appendJSON(b, v)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case money.Amount:
			b = appendJSON(b, v.String())
		case time.Time:
			b = appendJSON(b, v.UTC().Format(time.RFC3339Nano))
		case time.Duration:
			b = appendJSON(b, v.String())
		default:
			j, _ := json.Marshal(v) // []string and []rule.Line cannot fail
			b = append(b, j...)
		}
	}
	return append(b, '}')
}

// appendJSON appends s as a JSON string.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			j, _ := json.Marshal(s)
			return append(b, j...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// DecodeFacts reads what EncodeFacts wrote, with the types of the schema.
func DecodeFacts(data []byte) (Facts, error) { return decodeFacts(data, nil) }

func decodeFacts(data []byte, names []string) (Facts, error) {
	raw := map[string]json.RawMessage{}
	if len(data) == 0 {
		return Facts{}, nil
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "decide.DecodeFacts", "the stored facts cannot be read")
	}
	f := make(Facts, len(raw))
	for name, r := range raw {
		if _, wanted := slices.BinarySearch(names, name); names != nil && !wanted {
			continue
		}
		v, err := decodeFact(typeOf(name), r)
		if err != nil {
			return nil, fault.Wrap(err, fault.Internal, "decide.DecodeFacts", "the stored fact %s cannot be read", name)
		}
		f[name] = v
	}
	return f, nil
}

func decodeFact(typ schema.Type, r json.RawMessage) (any, error) {
	switch typ {
	case schema.Int:
		var v int64
		err := json.Unmarshal(r, &v)
		return v, err
	case schema.Bool:
		var v bool
		err := json.Unmarshal(r, &v)
		return v, err
	case schema.Money:
		var v money.Amount
		err := json.Unmarshal(r, &v)
		return v, err
	case schema.Time:
		var v time.Time
		err := json.Unmarshal(r, &v)
		return v, err
	case schema.Duration:
		var s string
		if err := json.Unmarshal(r, &s); err != nil {
			return nil, err
		}
		return time.ParseDuration(s)
	case schema.Strings:
		var v []string
		err := json.Unmarshal(r, &v)
		return v, err
	case schema.Lines:
		var v []rule.Line
		err := json.Unmarshal(r, &v)
		return v, err
	}
	var v string
	err := json.Unmarshal(r, &v)
	return v, err
}
