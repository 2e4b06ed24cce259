package csvfile

import (
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// ordersPlan is the orders part of a mapping, bound to the columns of real files.
type ordersPlan struct {
	m        *Mapping
	dates    *DateFormat
	nums     *NumberFormat
	number   *getter
	placedAt *getter
	currency *getter
	status   *getter
	late     map[string]*getter // fields of the whole order, read until they have a value
	names    []string           // of late, in the order they are read
	attrs    []attrGetter
	sku      *getter
	title    *getter
	quantity *getter
	price    *getter
	total    *getter
	lineLoc  *getter
	kinds    []boundKind
	rejects  []boundReject
	noLine   [][]boundTest
	services map[string]bool
	svcStart []string
	ctx      *rowCtx
	lines    *joinTable // when another file holds the lines
	linesIdx int
	asked    map[string]bool // keys of orders looked up among the lines
	intern   map[string]string
	lastDate string // dates repeat from row to row
	lastTime time.Time
	seed     maphash.Seed
}

type attrGetter struct {
	name string
	g    *getter
}

type boundKind struct {
	kind string
	when []boundTest
}

type boundReject struct {
	reason string
	when   []boundTest
}

// row is one row of an open order.
type row struct {
	line   int
	fields []string
	hash   uint64
	ok     bool
}

// draft collects the rows of one order until its last.
type draft struct {
	number   string
	rows     []row
	byHash   map[uint64][]int
	accepted int64
	first    int // line of the first accepted row
	placedAt time.Time
	currency string
	status   string
	values   map[string]string
	attrs    map[string]string
	lines    []event.Line
	returns  []event.Line
	adjusts  []adjust
	hasOrder bool
	sum      moneySum
	sold     int64 // units
	back     int64
	adjusted int64
	notes    []string
	seen     []seenProduct
}

type adjust struct {
	sku    string
	delta  int64
	reason string
	line   int
}

type seenProduct struct {
	sku, title string
	sold       bool
}

func (b *binder) bindOrders() *ordersPlan {
	m := b.m
	p := &ordersPlan{
		m: m, dates: &m.dates, nums: b.nums, late: map[string]*getter{}, services: map[string]bool{},
		intern: map[string]string{}, asked: map[string]bool{}, seed: maphash.MakeSeed(), linesIdx: -1,
	}
	p.number = b.need(m.fields["order.number"], false)
	p.placedAt = b.need(m.fields["order.placed_at"], false)
	p.currency = b.need(m.fields["order.currency"], false)
	p.status = b.bind(m.fields["order.status"], false)
	for _, k := range sections[Orders]["order"] {
		switch k.name {
		case "number", "placed_at", "currency", "status":
			continue
		}
		if g := b.bind(m.fields["order."+k.name], false); g != nil {
			p.late[k.name] = g
			p.names = append(p.names, k.name)
		}
	}
	for _, a := range m.attrs {
		p.attrs = append(p.attrs, attrGetter{a.name, b.bind(a.spec, false)})
	}
	p.sku = b.need(m.fields["line.sku"], true)
	p.title = b.bind(m.fields["line.title"], true)
	p.quantity = b.need(m.fields["line.quantity"], true)
	p.price = b.need(m.fields["line.unit_price"], true)
	p.total = b.need(m.fields["line.line_total"], true)
	p.lineLoc = b.bind(m.fields["line.location"], true)
	for _, k := range m.kinds {
		p.kinds = append(p.kinds, boundKind{k.kind, b.tests(k.when, true)})
	}
	for _, r := range m.rejects {
		p.rejects = append(p.rejects, boundReject{r.reason, b.tests(r.when, false)})
	}
	for _, c := range m.noLine {
		p.noLine = append(p.noLine, b.tests(c, true))
	}
	for _, s := range m.services {
		if start, ok := strings.CutSuffix(strings.ToLower(s), "*"); ok {
			p.svcStart = append(p.svcStart, start)
		} else {
			p.services[strings.ToLower(s)] = true
		}
	}
	if m.linesFrom != "" {
		p.linesIdx = b.names[m.linesFrom]
		p.lines = b.tables[p.linesIdx]
	}
	p.ctx = &rowCtx{tables: b.tables, hits: make([][]int32, len(b.tables))}
	return p
}

func (p *ordersPlan) isService(sku string) bool {
	s := strings.ToLower(sku)
	if p.services[s] {
		return true
	}
	for _, start := range p.svcStart {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	return false
}

func newDraft(number string) *draft {
	return &draft{number: number, values: map[string]string{}}
}

// again reports whether the row equals an earlier one of the order in every
// field, and remembers it. Equal rows have equal order numbers, so looking
// within the order is enough.
func (p *ordersPlan) again(d *draft, r row) bool {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, f := range r.fields {
		h.WriteString(f)
		h.WriteByte(0)
	}
	r.hash = h.Sum64()
	if d.byHash == nil {
		for i := range d.rows {
			if d.rows[i].hash == r.hash && slices.Equal(d.rows[i].fields, r.fields) {
				return true
			}
		}
	}
	for _, i := range d.byHash[r.hash] {
		if slices.Equal(d.rows[i].fields, r.fields) {
			return true
		}
	}
	d.rows = append(d.rows, r)
	switch n := len(d.rows); {
	case d.byHash != nil:
		d.byHash[r.hash] = append(d.byHash[r.hash], n-1)
	case n > 16: // most orders are short and need no index
		d.byHash = make(map[uint64][]int, 64)
		for i := range d.rows {
			d.byHash[d.rows[i].hash] = append(d.byHash[d.rows[i].hash], i)
		}
	}
	return false
}

// take maps the row last remembered into the draft. An error is a rejection of
// the row; the draft is then as if the row had not been there.
func (p *ordersPlan) take(d *draft) error {
	r := &d.rows[len(d.rows)-1]
	p.ctx.set(r.fields)
	for _, rule := range p.rejects {
		if allHold(rule.when, p.ctx) {
			return &rejection{reason: rule.reason}
		}
	}
	at, err := p.date(p.placedAt)
	if err != nil {
		return err
	}
	cur, err := p.currency.value(p.ctx)
	if err != nil {
		return err
	}
	if cur = strings.ToUpper(cur); cur == "" {
		cur = d.currency
	} else if d.currency != "" && cur != d.currency {
		return reject("another currency than the order's", "%s, the order is in %s", cur, d.currency)
	} else if _, ok := money.Digits(cur); !ok {
		return reject("not a currency", "%q", short(cur))
	}
	st, err := p.status.value(p.ctx)
	if err != nil {
		return err
	}
	if st != "" && !contains(statuses, st) {
		d.notes = append(d.notes, "status "+short(st)+" is not in the mapping: read as placed")
		st = "placed"
	}
	var ls []mappedLine
	if p.lines == nil {
		p.ctx.line = r.fields
		l, err := p.line(cur, r.line)
		if err != nil {
			return err
		}
		ls = append(ls, l)
	} else {
		if d.accepted > 0 {
			return reject("the order stands on an earlier line", "line %d", d.first)
		}
		if key, err := p.lines.on.value(p.ctx); err == nil {
			p.asked[key] = true
		}
		for _, i := range p.ctx.join(p.linesIdx) {
			p.ctx.line = p.lines.rows[i]
			l, err := p.line(cur, r.line)
			if err != nil {
				if rj, ok := errors.AsType[*rejection](err); ok {
					return reject(rj.reason, "%s (%s, line %d)", rj.detail, p.lines.name, p.lines.lineOf[i])
				}
				return err
			}
			ls = append(ls, l)
		}
		p.ctx.line = r.fields
	}
	if err := p.orderFields(d); err != nil {
		return err
	}
	// Nothing below fails: the row is accepted.
	r.ok = true
	if d.accepted == 0 {
		d.first = r.line
	}
	d.accepted++
	if d.placedAt.IsZero() {
		d.placedAt = at
	}
	if d.currency == "" {
		d.currency = cur
	}
	if d.status == "" || d.status == "cancelled" && st != "" {
		d.status = st
	}
	if len(ls) == 0 {
		d.hasOrder = true
	}
	for i := range ls {
		d.addLine(&ls[i], cur)
	}
	return nil
}

// orderFields reads the fields of the whole order that have no value yet.
func (p *ordersPlan) orderFields(d *draft) error {
	type found struct{ name, v string }
	var got [64]found
	n := 0
	for _, name := range p.names {
		if d.values[name] != "" {
			continue
		}
		g := p.late[name]
		var v string
		var err error
		if g.sum {
			var sum decimal
			var ok bool
			if sum, ok, err = g.total(p.ctx); ok {
				v = sum.text(p.nums)
			}
		} else {
			v, err = g.value(p.ctx)
		}
		if err == nil && v != "" {
			err = p.checkField(name, v)
		}
		if err != nil {
			return err
		}
		if v != "" {
			got[n] = found{name, v}
			n++
		}
	}
	for _, f := range got[:n] {
		d.values[f.name] = f.v
	}
	for _, a := range p.attrs {
		if d.attrs[a.name] != "" {
			continue
		}
		v, err := a.g.value(p.ctx)
		if err != nil {
			return err
		}
		if v != "" {
			if d.attrs == nil {
				d.attrs = map[string]string{}
			}
			d.attrs[a.name] = v
		}
	}
	return nil
}

// checkField refuses the row whose field cannot be read, so that the reason names its line.
func (p *ordersPlan) checkField(name, v string) error {
	switch name {
	case "paid_at", "shipped_at", "completed_at", "cancelled_at", "returned_at", "disputed_at", "customer.signed_up":
		if _, err := p.dates.parse(v); err != nil {
			return reject("a date cannot be read", "%s %q", name, short(v))
		}
	case "shipping_cost", "discount", "total", "paid_amount", "dispute_amount", "customer.account_days":
		if _, err := p.nums.parse(v); err != nil {
			return reject("a number cannot be read", "%s %q", name, short(v))
		}
	}
	return badText(name, v)
}

// badText refuses what events do not carry.
func badText(what, v string) error {
	if len(v) > event.MaxString {
		return reject("a text is too long", "%s has %d bytes, the limit is %d", what, len(v), event.MaxString)
	}
	for i := range len(v) {
		if b := v[i]; b < 0x20 && b != '\n' && b != '\r' && b != '\t' || b == 0x7f {
			return reject("a control character", "%s contains %#02x", what, b)
		}
	}
	return nil
}

func (p *ordersPlan) date(g *getter) (time.Time, error) {
	v, err := g.value(p.ctx)
	if err != nil || v == "" {
		return time.Time{}, err
	}
	if v == p.lastDate {
		return p.lastTime, nil
	}
	t, err := g.time(p.ctx, p.dates)
	if err == nil {
		p.lastDate, p.lastTime = strings.Clone(v), t
	}
	return t, err
}

// keep returns one copy of a text that comes again and again, instead of a piece of every row.
func (p *ordersPlan) keep(s string) string {
	if t, ok := p.intern[s]; ok {
		return t
	}
	if len(p.intern) > 200_000 {
		clear(p.intern)
	}
	s = strings.Clone(s)
	p.intern[s] = s
	return s
}
