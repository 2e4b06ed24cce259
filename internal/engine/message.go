package engine

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// message writes the mail of an effect. A customer's address and name come from
// sealed data at this moment; when they have been erased, there is nobody to write to.
func (e *Engine) message(f effect.Effect, docs *documents) (connect.Message, error) {
	to := f.Payload.Recipient
	data := notify.Data{Shop: notify.Shop{Name: e.Policy().Settings.Name, Zone: e.Policy().Settings.TimeZone}}
	data.Fill(f.Payload.Data)
	o := docs.orders[f.OrderID]
	if o != nil {
		data.Order = orderData(o, docs.personal[o.ID])
		data.Customer.Name = docs.personal[o.ID].Name
		if data.Shipment.Location != "" {
			data.Shipment.Lines = shipped(o, data.Shipment.Location)
		}
	}
	if to == "customer" {
		if o == nil || docs.personal[o.ID].Email == "" {
			return connect.Message{}, connect.Permanent(fault.New(fault.NotFound, "engine.message", "the customer's address is not known any more"))
		}
		to = docs.personal[o.ID].Email
	} else {
		data.Link = e.link(f)
	}
	if f.Payload.Purpose == shadowReport {
		data.Report = docs.shadows[f.ID]
	}
	if f.Payload.Purpose == "daily-report" {
		data.Report = docs.reports[f.Payload.Data["date"]].print(e.opts.BaseURL)
	}
	r, err := e.loaded.Load().templates.Render(f.Payload.Template, data)
	if err != nil {
		return connect.Message{}, connect.Permanent(err)
	}
	return connect.Message{ID: f.ID, To: to, Subject: r.Subject, Text: r.Text, HTML: r.HTML}, nil
}

// link is the page of the console that a message to staff is about.
func (e *Engine) link(f effect.Effect) string {
	base := strings.TrimSuffix(e.opts.BaseURL, "/")
	switch {
	case base == "":
		return ""
	case strings.HasPrefix(f.Payload.Data["incident"], "tsk_"):
		return base + "/incidents/" + f.Payload.Data["incident"]
	case f.OrderID != "":
		return base + "/orders/" + f.OrderID
	case f.Payload.Data["automation"] != "":
		return base + "/automations/" + f.Payload.Data["automation"]
	case f.Payload.Data["sku"] != "":
		return base + "/stock/" + f.Payload.Data["sku"]
	}
	return base + "/"
}

func orderData(o *order.Order, pd customer.Personal) notify.Order {
	d := notify.Order{
		Number: o.Number, PlacedAt: o.PlacedAt, Subtotal: o.Subtotal(), Shipping: o.ShippingCost, Discount: o.Discount,
		Total: o.Total, Refunded: o.Refunded, Promise: o.Promise,
	}
	for _, l := range o.Lines {
		title := l.Title
		if title == "" {
			title = l.SKU
		}
		d.Lines = append(d.Lines, notify.Line{SKU: l.SKU, Title: title, Qty: l.Qty, Price: l.UnitPrice})
	}
	for _, line := range []string{
		pd.ShippingName, pd.ShippingLine1, pd.ShippingLine2, strings.TrimSpace(o.Shipping.Postal + " " + o.Shipping.City), o.Shipping.Region, o.Shipping.Country,
	} {
		if line != "" {
			d.Address = append(d.Address, line)
		}
	}
	return d
}

// shipped are the units of the order that left a location.
func shipped(o *order.Order, location string) []notify.Line {
	titles := map[string]string{}
	for _, l := range o.Lines {
		titles[l.SKU] = l.Title
	}
	var out []notify.Line
	for _, a := range o.Allocations {
		if a.Location == location && a.Shipped > 0 {
			out = append(out, notify.Line{SKU: a.SKU, Title: titles[a.SKU], Qty: a.Shipped})
		}
	}
	return out
}

// dayReport is what the daily report tells: the day, and what waits for people now.
type dayReport struct {
	date    string
	figures store.DayFigures
	counts  store.Counts
}

func (e *Engine) dayReport(tx *store.Tx, date string) (r dayReport, err error) {
	zone := e.Policy().Settings.TimeZone
	from, err := time.ParseInLocation(time.DateOnly, date, zone)
	if err != nil {
		return r, fault.Wrap(err, fault.Invalid, "engine.dayReport", "%q is no date", date)
	}
	r.date = date
	if r.figures, err = tx.DayFigures(from, from.AddDate(0, 0, 1)); err != nil {
		return r, err
	}
	r.counts, err = tx.Counts(tx.Now())
	return r, err
}

// print turns the figures into the lines of the message, each with the page of the rows behind it.
func (r dayReport) print(baseURL string) notify.Report {
	base := strings.TrimSuffix(baseURL, "/")
	out := notify.Report{Date: r.date}
	add := func(label, value, page string) {
		f := notify.Figure{Label: label, Value: value}
		if base != "" {
			f.Link = base + page
		}
		out.Figures = append(out.Figures, f)
	}
	capped := func(c store.Capped) string {
		if c.More {
			return strconv.FormatInt(c.N, 10) + "+"
		}
		return strconv.FormatInt(c.N, 10)
	}
	add("Orders", strconv.FormatInt(r.figures.Orders, 10), "/orders?from="+r.date+"&to="+r.date)
	var states []string
	for _, s := range order.Uncancelled() {
		states = append(states, string(s))
	}
	for _, m := range r.figures.Money {
		add("Order value, cancelled left out", m.String(), "/orders?state="+strings.Join(states, ",")+"&from="+r.date+"&to="+r.date)
	}
	add("Held now", capped(r.counts.Held), "/review")
	add("Unfillable now", capped(r.counts.Unfillable), "/orders?state=unfillable")
	add("Backordered now", capped(r.counts.Backordered), "/orders?state=backordered")
	add("Failed effects", capped(r.counts.DeadEffects), "/effects")
	add("Low on stock", capped(r.counts.LowStock), "/stock?low=1")
	return out
}
