package csvfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/stock"
)

// maker turns complete drafts into events.
type maker struct {
	p        *ordersPlan
	mode     event.Mode
	source   string
	actor    string
	location string // live: where parcels leave and returns arrive; history: always stock.Opening
	now      time.Time
}

// made is what one draft becomes.
type made struct {
	items                        []*item
	orders, returns, adjustments int64
}

// events returns the events of a draft, in the order of their times, or why
// its rows cannot be accepted as a whole.
func (mk *maker) events(d *draft) (made, error) {
	var m made
	if d.placedAt.IsZero() {
		return m, &rejection{reason: "no date on any line of the order"}
	}
	if d.placedAt.After(mk.now.Add(48 * time.Hour)) {
		return m, reject("a date in the future", "%s", d.placedAt.Format(time.DateOnly))
	}
	at := d.placedAt
	rows := d.accepted // stand behind the first event
	last := at
	add := func(key string, t time.Time, p event.Payload, lines int) error {
		if ps := p.Validate(); len(ps) > 0 {
			return &rejection{"the order is not valid", strings.TrimPrefix(ps[0].Pointer, "/") + " " + ps[0].Message}
		}
		// Later steps of an order never stand before earlier ones, whatever the file's clocks say.
		if t.Before(last) {
			t = last
		}
		last = t
		m.items = append(m.items, &item{
			ev: event.Event{
				Source: mk.source, Key: key, Type: p.EventType(), Subject: p.EventSubject(),
				At: t, Mode: mk.mode, Actor: mk.actor, Data: p,
			},
			line: d.first, rows: rows, lines: lines,
		})
		rows = 0
		return nil
	}
	if d.hasOrder {
		if err := mk.order(d, add); err != nil {
			return m, err
		}
		m.orders = 1
	}
	if len(d.returns) > 0 {
		r := &event.ReturnReceived{Channel: mk.p.m.Channel, Number: d.number, Order: d.values["return_of"], Location: mk.place(""), Lines: d.returns}
		if d.hasOrder { // an invoice with both: the return belongs to the order on it
			r.Order, r.Number = d.number, d.number+"-return"
		}
		if err := add("return:"+r.Number, at, r, len(r.Lines)); err != nil {
			return m, err
		}
	}
	nth := map[string]int{}
	for _, a := range d.adjusts {
		nth[a.sku]++
		reason := a.reason
		if reason == "" {
			reason = "write-off"
		}
		p := &event.StockAdjusted{SKU: a.sku, Location: mk.place(""), Delta: a.delta, Reason: reason}
		if err := add(fmt.Sprintf("adjustment:%s:%s:%d", d.number, a.sku, nth[a.sku]), at, p, 0); err != nil {
			return m, err
		}
		m.items[len(m.items)-1].line = a.line
		m.adjustments++
	}
	for i := range m.items {
		if m.items[i].ev.Type == (*event.ReturnReceived)(nil).EventType() {
			m.returns++
		}
	}
	return m, nil
}

// place returns the location that goods are moved at.
func (mk *maker) place(fromFile string) string {
	switch {
	case mk.mode == event.History:
		return stock.Opening
	case fromFile != "":
		return fromFile
	}
	return mk.location
}

func (mk *maker) order(d *draft, add func(string, time.Time, event.Payload, int) error) error {
	if err := mk.life(d, add); err != nil {
		return err
	}
	reason, at := d.values["dispute_reason"], mk.at(d, "disputed_at")
	if reason == "" && at.IsZero() {
		return nil
	}
	amount, err := mk.amount(d, "dispute_amount")
	if err != nil {
		return err
	}
	x := &event.PaymentDisputed{Channel: mk.p.m.Channel, Number: d.number, Reason: reason, Amount: amount}
	return add("order:"+d.number+":disputed", at, x, 0)
}

// life adds the order and what became of it.
func (mk *maker) life(d *draft, add func(string, time.Time, event.Payload, int) error) error {
	p, notes, err := mk.placed(d)
	if err != nil {
		return err
	}
	d.notes = append(d.notes, notes...)
	key := "order:" + d.number
	if err := add(key, d.placedAt, p, len(p.Lines)); err != nil {
		return err
	}
	paidAt, shippedAt, doneAt := mk.at(d, "paid_at"), mk.at(d, "shipped_at"), mk.at(d, "completed_at")
	payment, st := d.values["payment.status"], d.status
	if payment != "" && !slices.Contains([]string{event.PaymentPending, event.PaymentAuthorized, event.PaymentPaid}, payment) {
		d.notes = append(d.notes, "payment status "+short(payment)+" is not in the mapping: read as pending")
		payment = event.PaymentPending
	}
	shipped := st == "shipped" || st == "completed" || st == "returned"
	paid := payment == event.PaymentPaid || !paidAt.IsZero() || payment == "" && (st == "paid" || shipped)
	if paid && p.Payment.Status != event.PaymentPaid {
		amount := p.Total
		if amount == (money.Amount{}) {
			amount = p.ShippingCost.Sub(p.Discount)
			for _, l := range p.Lines {
				amount = amount.Add(l.UnitPrice.Mul(l.Qty))
			}
		}
		if v := d.values["paid_amount"]; v != "" {
			if amount, err = mk.amount(d, "paid_amount"); err != nil {
				return err
			}
		}
		if amount.Currency == "" {
			amount.Currency = d.currency
		}
		if amount.Minor < 0 {
			amount.Minor = 0
		}
		pay := &event.OrderPaid{Channel: p.Channel, Number: p.Number, Amount: amount, Reference: d.values["payment.reference"]}
		if err := add(key+":paid", orTime(paidAt, d.placedAt), pay, 0); err != nil {
			return err
		}
	}
	cancelledAt := mk.at(d, "cancelled_at")
	if st == "cancelled" || !shipped && !cancelledAt.IsZero() {
		if !shippedAt.IsZero() {
			d.notes = append(d.notes, "cancelled after it was handed over: the parcel is not recorded")
		}
		c := &event.OrderCancelled{Channel: p.Channel, Number: p.Number, Reason: d.values["cancel_reason"]}
		return add(key+":cancelled", cancelledAt, c, 0)
	}
	if !shipped || len(p.Lines) == 0 {
		return nil
	}
	if err := mk.shipped(d, p, key, shippedAt, add); err != nil {
		return err
	}
	if st == "completed" || st == "returned" {
		done := &event.OrderCompleted{Channel: p.Channel, Number: p.Number}
		if err := add(key+":completed", doneAt, done, 0); err != nil {
			return err
		}
	}
	if st == "returned" && len(d.returns) == 0 { // else the file says itself what came back
		r := &event.ReturnReceived{Channel: p.Channel, Number: d.number + "-return", Order: d.number, Location: mk.place(d.values["location"]), Lines: p.Lines}
		if err := add("return:"+r.Number, mk.at(d, "returned_at"), r, len(r.Lines)); err != nil {
			return err
		}
	}
	return nil
}

// shipped adds one parcel per location: in history the one opening location,
// live those the file pins lines to.
func (mk *maker) shipped(d *draft, p *event.OrderPlaced, key string, t time.Time, add func(string, time.Time, event.Payload, int) error) error {
	var at []string
	for _, l := range p.Lines {
		loc := l.Location
		if loc == "" {
			loc = d.values["location"]
		}
		if loc = mk.place(loc); !slices.Contains(at, loc) {
			at = append(at, loc)
		}
	}
	slices.Sort(at)
	for i, loc := range at {
		k := key + ":shipped"
		if i > 0 {
			k += ":" + loc
		}
		s := &event.ShipmentShipped{
			Channel: p.Channel, Number: p.Number, Location: loc,
			Tracking: d.values["tracking"], Carrier: d.values["carrier"],
		}
		if err := add(k, t, s, 0); err != nil {
			return err
		}
	}
	return nil
}

func orTime(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

// at returns a time field of the order; the zero time when the file does not say.
func (mk *maker) at(d *draft, name string) time.Time {
	v := d.values[name]
	if v == "" {
		return time.Time{}
	}
	t, _ := mk.p.dates.parse(v) // checked when the row was taken
	return t
}

func (mk *maker) amount(d *draft, name string) (money.Amount, error) {
	v := d.values[name]
	if v == "" {
		return money.Amount{}, nil
	}
	n, err := mk.p.nums.parse(v)
	if err != nil {
		return money.Amount{}, reject("a number cannot be read", "%s %q", name, short(v))
	}
	a, rest, err := n.amount(d.currency)
	if err != nil || rest != nil && !mk.p.nums.Round {
		return money.Amount{}, reject("the price has more digits than the currency", "%s %q", name, short(v))
	}
	return a, nil
}

// placed builds the order itself. Only what does not change later goes in
// here: a status or a payment date that a newer export brings must not make
// the same order look like another one.
func (mk *maker) placed(d *draft) (_ *event.OrderPlaced, notes []string, err error) {
	v := d.values
	p := &event.OrderPlaced{
		Channel: mk.p.m.Channel, Number: d.number, PlacedAt: d.placedAt, Currency: d.currency, Lines: d.lines,
		Customer: event.Buyer{ID: v["customer.id"], Email: v["customer.email"], Name: v["customer.name"], Phone: v["customer.phone"], SignedUp: mk.at(d, "customer.signed_up")},
		IP:       dotted(v["ip"]), Device: v["device"], Service: v["service"], Note: v["note"], Attributes: d.attrs,
	}
	if p.Lines == nil {
		p.Lines = []event.Line{}
	}
	if days := v["customer.account_days"]; days != "" && p.Customer.SignedUp.IsZero() {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > 100*366 {
			return nil, nil, reject("an account's age cannot be read", "%q", short(days))
		}
		p.Customer.SignedUp = d.placedAt.Add(-time.Duration(n * float64(24*time.Hour)))
	}
	if mk.mode == event.History {
		// A pinned line would ask its location for stock; history moves the opening location only.
		for i := range p.Lines {
			p.Lines[i].Location = ""
		}
	}
	if p.ShippingCost, err = mk.amount(d, "shipping_cost"); err != nil {
		return nil, nil, err
	}
	if p.Discount, err = mk.amount(d, "discount"); err != nil {
		return nil, nil, err
	}
	if p.Discount.Minor < 0 { // some files write what is taken off with a minus
		p.Discount.Minor = -p.Discount.Minor
	}
	if p.Total, err = mk.amount(d, "total"); err != nil {
		return nil, nil, err
	}
	p.Shipping, notes = address(v, "shipping.", notes)
	p.Billing, notes = address(v, "billing.", notes)
	p.Payment.Method = v["payment.method"]
	if g := mk.p.late["payment.status"]; g != nil {
		switch {
		case g.constant != nil:
			p.Payment.Status = *g.constant
		case v["payment.status"] == event.PaymentAuthorized:
			p.Payment.Status = event.PaymentAuthorized
		}
	}
	p.Tags, p.Customer.Tags = mk.tags(v, "tags"), mk.tags(v, "customer.tags")
	return p, notes, nil
}

// tags splits a field into tags; nil when it is empty.
func (mk *maker) tags(v map[string]string, field string) (tags []string) {
	if v[field] == "" {
		return nil
	}
	sep := ","
	if g := mk.p.late[field]; g != nil && g.split != "" {
		sep = g.split
	}
	for tag := range strings.SplitSeq(v[field], sep) {
		if tag = strings.TrimSpace(tag); tag != "" && len(tags) < 50 {
			tags = append(tags, tag)
		}
	}
	return tags
}

// dotted writes an IPv4 address that a file gives as one number, with or without
// decimals, in the usual form.
func dotted(ip string) string {
	n, err := strconv.ParseFloat(ip, 64)
	if err != nil || !(n >= 1<<24 && n < 1<<32) {
		return ip
	}
	a := uint32(n)
	return fmt.Sprintf("%d.%d.%d.%d", a>>24, a>>16&255, a>>8&255, a&255)
}

func address(v map[string]string, pre string, notes []string) (event.Address, []string) {
	a := event.Address{Name: v[pre+"name"], Line1: v[pre+"line1"], Line2: v[pre+"line2"], City: v[pre+"city"], Region: v[pre+"region"], Postal: v[pre+"postal"]}
	if c := v[pre+"country"]; c != "" {
		code, ok := countryCode(c)
		if ok {
			a.Country = code
		} else {
			notes = append(notes, "country not known: "+short(c))
		}
	}
	return a, notes
}

// canMove reports whether the mapping can make shipments, returns or
// adjustments, which need a location in live mode.
func (p *ordersPlan) canMove() bool {
	if len(p.kinds) > 0 {
		return true
	}
	if p.status == nil {
		return false
	}
	moves := func(s string) bool { return s == "shipped" || s == "completed" || s == "returned" }
	if p.status.constant != nil {
		return moves(*p.status.constant)
	}
	for _, s := range p.status.values {
		if moves(s) {
			return true
		}
	}
	return len(p.status.values) == 0
}

func sortProducts(ps []catalog.Product) {
	slices.SortFunc(ps, func(a, b catalog.Product) int { return strings.Compare(a.SKU, b.SKU) })
}

func asRejection(err error) (*rejection, bool) {
	if r, ok := errors.AsType[*rejection](err); ok {
		return r, true
	}
	if fault.KindOf(err) == fault.Invalid {
		return &rejection{"cannot be read", fault.Message(err)}, true
	}
	return nil, false
}
