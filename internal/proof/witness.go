package proof

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Witness is an order that shows what a finding says: decided, it sets off all automations that the finding names.
type Witness struct {
	Type  string            `json:"type"`
	Event json.RawMessage   `json:"event"`           // the payload in the API's form
	Order json.RawMessage   `json:"order,omitempty"` // how the order came in that the event is about
	Given map[string]string `json:"given,omitempty"` // what is known beside
	After []string          `json:"after,omitempty"` // what happens while they wait, until both have done it
	Text  string            `json:"text"`            // the same for people
	Terms string            `json:"terms,omitempty"` // what the conditions read of it, as they write it

	Case Case `json:"-"`
}

// witness makes an event of facts that meet the conditions of all the automations, and decides it. It is nil
// when not all of them fire, or do not get to the acts: then the facts do not go together in a way that an event
// can have.
func witness(settings decide.Settings, as []*automation.Automation, facts rule.Map, acts ...*act) *Witness {
	sure := !slices.ContainsFunc(acts, func(a *act) bool { return !a.sure })
	for _, c := range cases(as[0].On, facts) {
		if !fires(settings, as, c) {
			continue
		}
		after, ok := []string(nil), sure
		if !sure {
			after, ok = reached(settings, as, c, acts...)
		}
		if ok {
			return describe(as, events(as, c)[0], after)
		}
	}
	return nil
}

func fires(settings decide.Settings, as []*automation.Automation, c Case) bool {
	fired := map[string]bool{}
	for _, one := range events(as, c) {
		r, err := Try(settings, as, one)
		if err != nil {
			return false
		}
		for _, a := range as {
			fired[a.Name] = fired[a.Name] || r.Outcome(a.Name) == rule.True
		}
	}
	return !slices.ContainsFunc(as, func(a *automation.Automation) bool { return !fired[a.Name] })
}

// reader reads facts by their types.
type reader struct{ m rule.Map }

func (r reader) text(name string) string         { s, _ := r.m[name].(string); return s }
func (r reader) number(name string) int64        { n, _ := r.m[name].(int64); return n }
func (r reader) amount(name string) money.Amount { a, _ := r.m[name].(money.Amount); return a }
func (r reader) has(name string) bool            { _, ok := r.m[name]; return ok }
func (r reader) is(name string, want bool) bool  { b, ok := r.m[name].(bool); return ok && b == want }

// cases are the events that may have the facts. What the solver takes for free may hang together in
// life (units and lines); where that can be put right in more ways than one, each is a case.
func cases(on string, m rule.Map) []Case {
	p, ok := event.New(on)
	if !ok {
		return nil
	}
	r := reader{m}
	c := Case{Event: p, At: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), Given: rule.Map{}, Stock: map[string]int64{}}
	if at, ok := m["event.at"].(time.Time); ok {
		c.At = at
	}
	var out []Case
	for _, placed := range r.orders(c.At) {
		x := c
		x.Given, x.Stock = r.given(), r.stock(placed)
		if _, ok := p.(*event.OrderPlaced); ok {
			x.Event = placed
		} else {
			x.Event, _ = event.New(on)
			if schema.IsOrderEvent(on) {
				x.Order = placed
			}
			r.payload(x.Event)
			automation.CompleteEvent(x.Event, x.Order)
		}
		if len(x.Event.Validate()) > 0 || x.Order != nil && len(x.Order.Validate()) > 0 {
			continue
		}
		out = append(out, x)
	}
	return out
}

// orders are the orders that may have the facts.
func (r reader) orders(at time.Time) []*event.OrderPlaced {
	p := &event.OrderPlaced{
		Channel: r.text("order.channel"), Number: r.text("order.number"), Currency: r.text("order.currency"),
		ShippingCost: r.amount("order.shipping_cost"), Discount: r.amount("order.discount"), Total: r.amount("order.total"),
		Payment: event.Payment{Status: r.text("order.payment"), Method: r.text("order.payment_method")},
		Device:  r.text("order.device"), Service: r.text("order.service"), Note: r.text("order.note"),
		Shipping: event.Address{Country: r.text("order.shipping.country"), Region: r.text("order.shipping.region"), City: r.text("order.shipping.city"), Postal: r.text("order.shipping.postal")},
		Billing:  event.Address{Country: r.text("order.billing.country"), Region: r.text("order.billing.region"), City: r.text("order.billing.city"), Postal: r.text("order.billing.postal")},
	}
	if placed, ok := r.m["order.placed_at"].(time.Time); ok && placed.Before(at) {
		p.PlacedAt = placed
	}
	if tags, ok := r.m["order.tags"].([]string); ok {
		p.Tags = tags
	}
	r.buyer(p)
	r.addresses(p)
	lines, _ := r.m["order.lines"].([]rule.Line)
	for _, l := range lines {
		p.Lines = append(p.Lines, event.Line{SKU: l.SKU, Title: l.Title, Qty: l.Qty, UnitPrice: l.UnitPrice, Location: l.Location})
	}
	if lines == nil {
		for range min(r.number("order.line_count"), 200) {
			p.Lines = append(p.Lines, event.Line{})
		}
	} else if len(lines) == 0 {
		p.Lines = []event.Line{}
	}
	automation.Complete(p)
	out := append(balanced(p), p)
	units := r.number("order.units")
	if r.has("order.missing_units") { // where nothing is there, all units are missing
		units = r.number("order.missing_units")
	}
	for _, cost := range []string{"", "order.subtotal"} {
		q := *p
		q.Lines = slices.Clone(p.Lines)
		n := len(q.Lines)
		if n == 0 {
			break
		}
		last := &q.Lines[n-1]
		for _, l := range q.Lines[:n-1] {
			units -= l.Qty
		}
		if units > 0 && units <= event.MaxQty && (r.has("order.units") || r.has("order.missing_units")) {
			last.Qty = units
		}
		if cost != "" && r.has(cost) {
			rest := r.amount(cost)
			for _, l := range q.Lines[:n-1] {
				rest.Minor -= l.UnitPrice.Minor * l.Qty
			}
			last.UnitPrice = money.New(rest.Minor/max(last.Qty, 1), rest.Currency)
		}
		out = append(append(balanced(&q), &q), out...)
	}
	return out
}

// rest is what an order's total is above its lines and shipping less the discount; false where amounts cannot be added.
func rest(p *event.OrderPlaced) (money.Amount, bool) {
	if p.Total == (money.Amount{}) {
		return money.New(0, p.Currency), true
	}
	for _, l := range p.Lines {
		if l.UnitPrice.Currency != p.Total.Currency {
			return money.Amount{}, false
		}
	}
	for _, a := range []money.Amount{p.ShippingCost, p.Discount} {
		if a != (money.Amount{}) && a.Currency != p.Total.Currency {
			return money.Amount{}, false
		}
	}
	sum := *p
	sum.Total = money.Amount{}
	for _, a := range []*money.Amount{&sum.ShippingCost, &sum.Discount} {
		if *a == (money.Amount{}) {
			*a = money.New(0, p.Total.Currency)
		}
	}
	lines := money.New(0, p.Total.Currency)
	for _, l := range sum.Lines {
		lines = lines.Add(l.UnitPrice.Mul(l.Qty))
	}
	return p.Total.Sub(lines).Sub(sum.ShippingCost).Add(sum.Discount), true
}

// balanced are ways to make the parts of an order add up to its total, as they do in life: by the price of the last line
// and what does not divide in the shipping cost, else by the shipping cost or the discount alone.
func balanced(p *event.OrderPlaced) []*event.OrderPlaced {
	more, ok := rest(p)
	n := len(p.Lines)
	if !ok || more.Minor == 0 || n == 0 {
		return nil
	}
	var out []*event.OrderPlaced
	priced := *p
	priced.Lines = slices.Clone(p.Lines)
	last := &priced.Lines[n-1]
	if whole := last.UnitPrice.Mul(last.Qty).Add(more); whole.Minor > 0 && last.Qty > 0 {
		last.UnitPrice.Minor = whole.Minor / last.Qty
		if cents := whole.Minor % last.Qty; cents > 0 {
			priced.ShippingCost = money.New(priced.ShippingCost.Minor+cents, p.Total.Currency)
		}
		out = append(out, &priced)
	}
	other := *p
	if more.Minor > 0 {
		other.ShippingCost = money.New(p.ShippingCost.Minor+more.Minor, p.Total.Currency)
	} else {
		other.Discount = money.New(p.Discount.Minor-more.Minor, p.Total.Currency)
	}
	return append(out, &other)
}

// buyer names a customer where the facts are of one.
func (r reader) buyer(p *event.OrderPlaced) {
	p.Customer.Email = r.text("customer.email")
	domain := r.text("customer.email_domain")
	if r.is("customer.email_disposable", true) && domain == "" {
		domain = "mailinator.com"
	}
	someone := domain != ""
	for name := range r.m {
		someone = someone || strings.HasPrefix(name, "customer.") || strings.Contains(name, ",customer.")
		switch {
		case strings.Contains(name, ",order.device,") && p.Device == "":
			p.Device = "device-1"
		case strings.Contains(name, ",order.ip,") || strings.HasPrefix(name, "ip."):
			p.IP = "203.0.113.7"
		case strings.Contains(name, ",order.address,"):
			p.Shipping.Line1 = "1 Sample Street"
		}
	}
	if p.Customer.Email != "" || !someone {
		return
	}
	if domain == "" {
		domain = "example.com"
	}
	p.Customer.Email = "buyer@" + domain
}

// addresses makes the two addresses differ, or not, as the facts have it.
func (r reader) addresses(p *event.OrderPlaced) {
	ship, bill := &p.Shipping, &p.Billing
	if p.Shipping.Line1 != "" && ship.Country == "" {
		ship.Country, ship.Postal = "FR", "69001"
	}
	switch {
	case r.is("order.addresses_differ", false):
		for _, pair := range [][2]*string{{&ship.Country, &bill.Country}, {&ship.City, &bill.City}, {&ship.Postal, &bill.Postal}, {&ship.Line1, &bill.Line1}, {&ship.Region, &bill.Region}} {
			if *pair[0] == "" {
				*pair[0] = *pair[1]
			}
			*pair[1] = *pair[0]
		}
		if *ship == (event.Address{}) {
			ship.Country = "FR"
		}
	case r.is("order.addresses_differ", true):
		if ship.Country == "" {
			ship.Country = "FR"
		}
		if bill.Country == "" {
			bill.Country = ship.Country
		}
		ship.Line1, bill.Line1 = "1 Sample Street", "2 Other Street"
	}
}

// given are the facts that no event brings: what earlier orders left behind, and what tables know.
func (r reader) given() rule.Map {
	out := rule.Map{}
	for name, v := range r.m {
		switch {
		case name == "customer.email" || name == "customer.email_domain" || name == "customer.email_disposable":
		case strings.HasPrefix(name, "customer."), strings.HasPrefix(name, "ip."), strings.HasPrefix(name, "velocity("),
			name == "task.kind", name == "task.queue", name == "task.by":
			out[name] = v
		}
	}
	return out
}

// stock is what there is of the SKUs whose lines say so.
func (r reader) stock(p *event.OrderPlaced) map[string]int64 {
	out := map[string]int64{}
	lines, _ := r.m["order.lines"].([]rule.Line)
	for i, l := range lines {
		if i < len(p.Lines) {
			out[p.Lines[i].SKU] = l.Available
		}
	}
	return out
}

// payload fills an event that is not the order itself.
func (r reader) payload(p event.Payload) {
	switch p := p.(type) {
	case *event.OrderCancelled:
		p.Reason = r.text("cancel.reason")
	case *event.ShipmentShipped:
		p.Location, p.Tracking, p.Carrier = r.text("shipment.location"), r.text("shipment.tracking"), r.text("shipment.carrier")
	case *event.ShipmentRejected:
		p.Location, p.Reason = r.text("shipment.location"), r.text("shipment.reason")
	case *event.StockLow:
		p.SKU, p.Available, p.LowAt = r.text("stock.sku"), r.number("stock.available"), r.number("stock.low_at")
	case *event.EffectFailed:
		p.Purpose, p.Destination, p.Error = r.text("effect.purpose"), r.text("effect.destination"), r.text("effect.error")
	case *event.TaskDecided:
		p.Outcome = r.text("task.outcome")
	case *event.ScheduleDue:
		p.At, _ = r.m["schedule.at"].(time.Time)
	case *event.OrderPaid:
		if a := r.amount("order.captured"); a.Minor > 0 {
			p.Amount = a
		}
	case *event.PaymentDisputed:
		p.Reason, p.Amount = r.text("dispute.reason"), r.amount("dispute.amount")
	case *event.ShipmentLabelled:
		p.Location, p.Tracking, p.Carrier = r.text("shipment.location"), r.text("shipment.tracking"), r.text("shipment.carrier")
	case *event.ShipmentScanned:
		p.Tracking, p.Carrier, p.Place = r.text("shipment.tracking"), r.text("shipment.carrier"), r.text("shipment.place")
	case *event.ShipmentDelivered:
		p.Tracking, p.Carrier = r.text("shipment.tracking"), r.text("shipment.carrier")
	case *event.DayEnded:
		p.Date = r.text("day.date")
	case *event.ReturnReceived:
		p.Amount = r.amount("returned.amount")
		if n := r.number("returned.units"); n > 0 {
			p.Lines = []event.Line{{SKU: "ITEM-1", Qty: n}}
		}
	}
}

// describe writes a case down, with what the automations read of it and what happens after it.
func describe(as []*automation.Automation, c Case, after []string) *Witness {
	w := &Witness{Type: c.Event.EventType(), Case: c, Given: map[string]string{}, After: after}
	w.Event, _ = event.Encode(c.Event) // payloads of our own making encode
	if c.Order != nil {
		w.Order, _ = event.Encode(c.Order)
	}
	names := map[string]string{} // fact -> as a condition writes it
	for _, a := range as {
		for _, f := range a.Condition.Fields() {
			names[f] = f
		}
		for _, v := range a.Condition.Velocities() {
			names[v.Fact] = v.String()
		}
	}
	for name, v := range c.Given {
		w.Given[cmp.Or(names[name], name)] = rule.Show(v)
	}
	delete(names, "order.lines")
	facts := factsOf(as, c)
	var words, terms []string
	for _, fact := range slices.Sorted(maps.Keys(names)) {
		v, ok := facts[fact]
		if !ok {
			continue
		}
		terms = append(terms, names[fact]+" = "+rule.Show(v))
		if fact != "order.total" { // it is told with the lines
			words = append(words, automation.FactLabel(names[fact])+": "+automation.Told(rule.Show(v)))
		}
	}
	w.Text, w.Terms = subjectText(c), strings.Join(terms, ", ")
	if len(words) > 0 {
		w.Text += " (" + strings.Join(words, "; ") + ")"
	}
	if len(after) > 0 {
		w.Text += "; then " + strings.Join(after, ", then ")
	}
	return w
}

func factsOf(as []*automation.Automation, c Case) decide.Facts {
	r, err := Try(decide.Settings{}, as, c)
	if err != nil {
		return nil
	}
	return r.Decision.Facts
}

// maxTold bounds the lines of an order that are told one by one.
const maxTold = 5

func subjectText(c Case) string {
	p, _ := c.Event.(*event.OrderPlaced)
	text := ""
	if p == nil {
		if p = c.Order; p == nil {
			return schema.EventLabel(c.Event.EventType())
		}
		text = schema.EventLabel(c.Event.EventType()) + ", of "
	}
	text += "an order of "
	for i, l := range p.Lines {
		switch {
		case i == maxTold:
			return text + fmt.Sprintf(" and %d lines more", len(p.Lines)-maxTold) + sumText(p)
		case i > 0:
			text += ", "
		}
		text += fmt.Sprintf("%d × %s at %s", l.Qty, l.SKU, l.UnitPrice.Grouped())
	}
	if len(p.Lines) == 0 {
		text += "no lines"
	}
	return text + sumText(p)
}

// sumText says how lines and total of an order hang together.
func sumText(p *event.OrderPlaced) string {
	more, ok := rest(p)
	if !ok {
		return " and a total of " + p.Worth().Grouped()
	}
	if more.Minor == 0 && p.ShippingCost.Minor == 0 && p.Discount.Minor == 0 {
		if len(p.Lines) == 1 && p.Lines[0].Qty == 1 {
			return ""
		}
		return ": in all " + p.Worth().Grouped()
	}
	var parts []string
	if p.ShippingCost.Minor != 0 {
		parts = append(parts, "shipping "+p.ShippingCost.Grouped())
	}
	if p.Discount.Minor != 0 {
		parts = append(parts, "discount "+p.Discount.Grouped())
	}
	switch {
	case more.Minor > 0:
		parts = append(parts, "tax and fees "+more.Grouped())
	case more.Minor < 0:
		more.Minor = -more.Minor
		parts = append(parts, "other deductions "+more.Grouped())
	}
	return ", " + strings.Join(parts, ", ") + ": in all " + p.Worth().Grouped()
}
