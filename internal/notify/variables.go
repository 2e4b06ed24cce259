package notify

import (
	"slices"
	"strings"
	"unicode/utf8"

	"orderly.example/orderly/internal/money"
)

// shape is what a variable of a template may be used as.
type shape uint8

const (
	value  shape = iota // text, a number or a flag: can be printed
	group               // has fields
	list                // has elements
	opaque              // made by the template itself; nothing is known about it
)

// variable is one name a template may use.
type variable struct {
	shape  shape
	doc    string
	fields map[string]*variable // of a group
	elem   *variable            // of a list
}

func val(doc string) *variable { return &variable{doc: doc} }

func grp(doc string, fields map[string]*variable) *variable {
	return &variable{shape: group, doc: doc, fields: fields}
}

func lst(doc string, elem *variable) *variable { return &variable{shape: list, doc: doc, elem: elem} }

var lineFields = map[string]*variable{
	"sku": val("the product's number"), "title": val("the product's name"), "qty": val("units"),
	"price": val("price of one unit, with its currency"), "total": val("price × units, with its currency"),
}

// root is everything a template may name. bindings gives exactly this tree; a test holds them together.
var root = map[string]*variable{
	"shop": grp("the sender", map[string]*variable{
		"name": val("the shop's name"), "url": val("the shop's web address"), "email": val("where an answer goes"),
		"address": lst("the shop's postal address, line by line", val("one line")),
	}),
	"customer": grp("who ordered", map[string]*variable{"name": val("the customer's name")}),
	"order": grp("the order", map[string]*variable{
		"number": val("the order's number in the shop"), "placed_on": val("the day it was placed, e.g. 2 March 2026"),
		"units": val("units of all lines together"), "lines": lst("the lines", grp("one line", lineFields)), "more": val("how many lines are left out of a very long order"),
		"subtotal": val("sum of the lines"), "shipping": val("shipping cost"), "discount": val("discount, as a positive amount; nil when there is none"),
		"total": val("what the customer pays"), "refunded": val("what was given back; nil when nothing was"),
		"address": lst("where it goes, line by line", val("one line")), "promise": val("the day it should arrive"), "url": val("the order's page in the shop"),
	}),
	"shipment": grp("a parcel", map[string]*variable{
		"carrier": val("who carries it"), "tracking": val("the tracking number"), "url": val("the carrier's tracking page"), "location": val("where it left from"),
		"lines": lst("what is in it", grp("one line", lineFields)), "more": val("how many lines are left out"),
	}),
	"stock": grp("a product that runs low", map[string]*variable{
		"sku": val("the product's number"), "title": val("the product's name"), "available": val("units that can still be sold"),
		"low_at": val("the line it fell below"), "location": val("where, when it is about one location"),
	}),
	"report": grp("the figures of a day", map[string]*variable{
		"date": val("the day"),
		"figures": lst("the figures", grp("one figure", map[string]*variable{
			"label": val("what it counts"), "value": val("the figure"), "note": val("how it compares"), "link": val("the page of the rows behind it"),
		})),
	}),
	"incident": grp("something broken or overdue", map[string]*variable{
		"title": val("what happened"), "detail": val("more about it"), "since": val("when it began"), "impact": val("which orders and how much money it is about"), "next": val("what to do"),
		"evidence": lst("what was seen", val("one observation")),
	}),
	"reason":   val("why something is late, cancelled or refused"),
	"missing":  val("what could not be had, e.g. 2 × TEA-250"),
	"question": val("what the reviewer asks"),
	"link":     val("the page in the console; staff only"),
}

// forloop is what Liquid offers inside a loop.
var forloop = grp("the loop", map[string]*variable{
	"first": val("true in the first round"), "last": val("true in the last round"), "index": val("round, from 1"), "index0": val("round, from 0"),
	"rindex": val("rounds left, from the end"), "rindex0": val("rounds after this one"), "length": val("rounds in all"),
})

// Variable is one name a template may use, for the documentation and the editor.
type Variable struct {
	Name string // "order.lines[].sku"
	Doc  string
}

// Variables lists every variable that can be printed, by name.
func Variables() []Variable {
	var out []Variable
	var walk func(name string, v *variable)
	walk = func(name string, v *variable) {
		switch v.shape {
		case group:
			for f, fv := range v.fields {
				walk(name+"."+f, fv)
			}
		case list:
			walk(name+"[]", v.elem)
		default:
			out = append(out, Variable{name, v.doc})
		}
	}
	for name, v := range root {
		walk(name, v)
	}
	slices.SortFunc(out, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// What a message shows at most. An order of ten thousand lines still gets its confirmation, with the first of them.
const (
	maxLines    = 200
	maxAddress  = 10
	maxFigures  = 100
	maxOneLine  = 300  // runes of a name, number or address
	maxManyLine = 4000 // runes of a reason, question or detail
)

// bindings are the data as Liquid sees them. Unknown parts are nil, never "", because in Liquid "" counts as true.
func (d *Data) bindings() map[string]any {
	zone := d.Shop.Zone
	day := func(t interface {
		IsZero() bool
		Format(string) string
	},
	) any {
		if t.IsZero() {
			return nil
		}
		return t.Format("2 January 2006")
	}
	placed, promise, since := d.Order.PlacedAt, d.Order.Promise, d.Incident.Since
	if zone != nil {
		placed, promise, since = placed.In(zone), promise.In(zone), since.In(zone)
	} else {
		placed, promise, since = placed.UTC(), promise.UTC(), since.UTC()
	}
	var units int64
	for _, l := range d.Order.Lines {
		units += l.Qty
	}
	lines, more := lineBindings(d.Order.Lines)
	parcel, parcelMore := lineBindings(d.Shipment.Lines)
	figures := make([]any, 0, len(d.Report.Figures))
	for _, f := range d.Report.Figures[:min(len(d.Report.Figures), maxFigures)] {
		figures = append(figures, map[string]any{"label": text(f.Label), "value": text(f.Value), "note": text(f.Note), "link": address(f.Link)})
	}
	var began any
	if !since.IsZero() {
		began = since.Format("2 January 2006, 15:04 MST")
	}
	return map[string]any{
		"shop":     map[string]any{"name": text(d.Shop.Name), "url": address(d.Shop.URL), "email": text(d.Shop.Email), "address": texts(d.Shop.Address)},
		"customer": map[string]any{"name": text(d.Customer.Name)},
		"order": map[string]any{
			"number": text(d.Order.Number), "placed_on": day(placed), "units": int(units), "lines": lines, "more": more,
			"subtotal": amount(d.Order.Subtotal), "shipping": amount(d.Order.Shipping), "discount": positive(d.Order.Discount),
			"total": amount(d.Order.Total), "refunded": positive(d.Order.Refunded), "address": texts(d.Order.Address), "promise": day(promise), "url": address(d.Order.URL),
		},
		"shipment": map[string]any{
			"carrier": text(d.Shipment.Carrier), "tracking": text(d.Shipment.Tracking), "url": address(d.Shipment.URL), "location": text(d.Shipment.Location),
			"lines": parcel, "more": parcelMore,
		},
		"stock": map[string]any{
			"sku": text(d.Stock.SKU), "title": text(d.Stock.Title), "available": int(d.Stock.Available), "low_at": int(d.Stock.LowAt), "location": text(d.Stock.Location),
		},
		"report": map[string]any{"date": text(d.Report.Date), "figures": figures},
		"incident": map[string]any{
			"title": text(d.Incident.Title), "detail": paragraph(d.Incident.Detail), "since": began,
			"impact": paragraph(d.Incident.Impact), "next": paragraph(d.Incident.Next), "evidence": texts(d.Incident.Evidence),
		},
		"reason": paragraph(d.Reason), "missing": text(d.Missing), "question": paragraph(d.Question), "link": address(d.Link),
	}
}

func lineBindings(lines []Line) (out []any, more any) {
	for _, l := range lines[:min(len(lines), maxLines)] {
		title := l.Title
		if title == "" {
			title = l.SKU
		}
		m := map[string]any{"sku": text(l.SKU), "title": text(title), "qty": int(l.Qty), "price": nil, "total": nil}
		if l.Price.Currency != "" {
			m["price"], m["total"] = amount(l.Price), amount(times(l.Price, l.Qty))
		}
		out = append(out, m)
	}
	if n := len(lines) - maxLines; n > 0 {
		more = n
	}
	return out, more
}

// times is the sum of a line; a sum beyond what an amount holds is left out, not wrong.
func times(a money.Amount, n int64) (sum money.Amount) {
	defer func() {
		if recover() != nil { // Mul panics on overflow
			sum = money.Amount{}
		}
	}()
	return a.Mul(n)
}

// text is a one-line value: no line break or control character reaches a subject or a table.
func text(s string) any {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool {
		return r <= ' ' || r == 0x7f || (r >= 0x80 && r <= 0x9f) || r == 0x2028 || r == 0x2029
	}), " ")
	if s == "" {
		return nil
	}
	return clip(s, maxOneLine)
}

// paragraph is a value of several lines.
func paragraph(s string) any {
	s = strings.Map(func(r rune) rune {
		if (r < ' ' && r != '\n' && r != '\t') || r == 0x7f || (r >= 0x80 && r <= 0x9f) {
			return -1
		}
		return r
	}, strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n"))
	s = strings.TrimSpace(s)
	if s == "" {
		return nil
	}
	return clip(s, maxManyLine)
}

func texts(in []string) (out []any) {
	for _, s := range in[:min(len(in), maxAddress)] {
		if v := text(s); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// address lets web addresses through and nothing that a click could run.
func address(s string) any {
	lower := strings.ToLower(s)
	if len(s) > 2000 || !(strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://")) || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || r == '<' || r == '>' }) {
		return nil
	}
	return strings.ToValidUTF8(s, "")
}

func clip(s string, runes int) string {
	if len(s) <= runes || utf8.RuneCountInString(s) <= runes {
		return s
	}
	return string([]rune(s)[:runes-1]) + "…"
}

func amount(a money.Amount) any {
	if a.Currency == "" {
		return nil
	}
	return Money(a)
}

func positive(a money.Amount) any {
	if a.Minor <= 0 {
		return nil
	}
	return amount(a)
}

// symbols are the currencies that are written with a sign in English text without being mistaken for another.
var symbols = map[string]string{"EUR": "€", "USD": "$", "GBP": "£", "INR": "₹", "JPY": "¥", "BRL": "R$", "CAD": "CA$", "AUD": "A$", "KRW": "₩"}

// Money writes an amount for people: "€1,234.50", "-$5.00", "1,200.00 CHF".
func Money(a money.Amount) string {
	whole, frac, _ := strings.Cut(a.Decimal(), ".")
	whole, negative := strings.CutPrefix(whole, "-")
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	sign, known := symbols[a.Currency]
	b.WriteString(sign)
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if frac != "" {
		b.WriteByte('.')
		b.WriteString(frac)
	}
	if !known && a.Currency != "" {
		b.WriteByte(' ')
		b.WriteString(a.Currency)
	}
	return b.String()
}
