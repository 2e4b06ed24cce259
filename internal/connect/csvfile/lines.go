package csvfile

import (
	"math/big"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// mappedLine is one order line as the row says it, before it is added to the draft.
type mappedLine struct {
	kind  string // "" when the row gives no line
	sku   string
	title string
	loc   string
	qty   int64 // signed, as in the file
	unit  money.Amount
	more  int64        // units that cost one minor unit more, when a total does not divide
	total money.Amount // signed
	rest  *big.Rat     // what rounding the unit price left over, times qty
	line  int
}

func (p *ordersPlan) line(cur string, lineNo int) (mappedLine, error) {
	l := mappedLine{line: lineNo}
	for _, c := range p.noLine {
		if allHold(c, p.ctx) {
			return l, nil
		}
	}
	sku, err := p.sku.value(p.ctx)
	if err != nil {
		return l, err
	}
	if sku == "" {
		return l, reject("no SKU", "%s", p.sku.label())
	}
	if len(sku) > event.MaxID {
		return l, reject("a text is too long", "SKU has %d bytes, the limit is %d", len(sku), event.MaxID)
	}
	if err := badText("SKU", sku); err != nil {
		return l, err
	}
	title, err := p.title.value(p.ctx)
	if err == nil {
		err = badText("title", title)
	}
	if err != nil {
		return l, err
	}
	if l.loc, err = p.lineLoc.value(p.ctx); err != nil {
		return l, err
	}
	qty, ok, err := p.quantity.integer(p.ctx)
	if err != nil {
		return l, err
	}
	if !ok {
		return l, reject("no quantity", "%s", p.quantity.label())
	}
	if qty == 0 {
		return l, &rejection{reason: "the quantity is zero"}
	}
	l.kind = lineOrder
	for i := range p.kinds {
		if allHold(p.kinds[i].when, p.ctx) {
			l.kind = p.kinds[i].kind
			break
		}
	}
	switch {
	case l.kind == lineOrder && qty < 0:
		return l, reject("the quantity is below zero", "%d", qty)
	case l.kind == lineReturn && p.m.returnPos && qty < 0:
		return l, reject("a return with a negative quantity", "%d", qty)
	case l.kind == lineReturn && p.m.returnPos:
		qty = -qty
	case l.kind == lineReturn && qty > 0:
		return l, reject("a return with a positive quantity", "%d", qty)
	}
	if qty > event.MaxQty || qty < -event.MaxQty {
		return l, reject("the quantity is too large", "%d", qty)
	}
	l.qty = qty
	if err := p.money(&l, cur); err != nil {
		return l, err
	}
	l.sku, l.title, l.loc = p.keep(sku), p.keep(title), p.keep(l.loc)
	return l, nil
}

// maxUnit bounds one unit price so that no sum over an order overflows.
const maxUnit = 1 << 50 / event.MaxQty

func (p *ordersPlan) money(l *mappedLine, cur string) error {
	if cur == "" {
		return &rejection{reason: "no currency"}
	}
	g, isTotal := p.price, false
	if g == nil {
		g, isTotal = p.total, true
	}
	d, ok, err := g.decimal(p.ctx)
	if err != nil {
		return err
	}
	if !ok {
		return reject("no price", "%s", g.label())
	}
	if isTotal && d.coef < 0 && l.qty < 0 {
		d.coef = -d.coef // a refund's total may carry the sign of its quantity
	}
	if d.coef < 0 {
		return reject("the price is below zero", "%s", d.text(&NumberFormat{}))
	}
	a, rest, err := d.amount(cur)
	if err != nil {
		return reject(err.Error(), "%s", g.label())
	}
	if rest != nil && !p.nums.Round {
		return reject("the price has more digits than the currency", "%s %s", d.text(&NumberFormat{}), cur)
	}
	n := l.qty
	if n < 0 {
		n = -n
	}
	if isTotal {
		l.unit, l.more = money.New(a.Minor/n, cur), a.Minor%n
		l.total = a
		if l.qty < 0 {
			l.total.Minor = -a.Minor
			if rest != nil {
				rest.Neg(rest)
			}
		}
		l.rest = rest
	} else {
		l.unit = a
		if rest != nil {
			l.rest = rest.Mul(rest, new(big.Rat).SetInt64(l.qty))
		}
	}
	if l.unit.Minor >= maxUnit {
		return reject("the price is too large", "%s", d.text(&NumberFormat{}))
	}
	if !isTotal {
		l.total = l.unit.Mul(l.qty)
	}
	return nil
}

func (d *draft) addLine(l *mappedLine, cur string) {
	if l.kind == "" {
		d.hasOrder = true
		return
	}
	d.sum.add(l.total.Minor, cur, l.rest)
	if l.rest != nil {
		d.notes = append(d.notes, "a price was rounded to the digits of "+cur)
	}
	n := l.qty
	if n < 0 {
		n = -n
	}
	out := make([]event.Line, 0, 2)
	if rest := n - l.more; rest > 0 {
		out = append(out, event.Line{SKU: l.sku, Title: l.title, Qty: rest, UnitPrice: l.unit, Location: l.loc})
	}
	if l.more > 0 {
		out = append(out, event.Line{SKU: l.sku, Title: l.title, Qty: l.more, UnitPrice: money.New(l.unit.Minor+1, cur), Location: l.loc})
	}
	switch l.kind {
	case lineOrder:
		d.hasOrder = true
		d.sold += n
		d.lines = append(d.lines, out...)
	case lineReturn:
		d.back += n
		d.returns = append(d.returns, out...)
	case lineAdjustment:
		d.adjusted += l.qty
		d.adjusts = append(d.adjusts, adjust{l.sku, l.qty, l.title, l.line})
	}
	d.seen = append(d.seen, seenProduct{l.sku, l.title, l.kind != lineAdjustment && !l.unit.Nothing()})
}
