package suggest

import (
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// MaxRows bounds a table: about 0.7 KB a case, so 70 MB.
const MaxRows = 100_000

// maxValues bounds the different texts that are told apart in one column.
const maxValues = 5000

// unread are fields that no pattern may be made of, beside the personal ones: they name one
// order or one buyer, they say nothing yet when an order is placed, or they are free text.
var unread = []string{
	"order.id", "order.number", "order.note", "order.state", "order.placed_at", "order.promise", "order.parcels", "order.missing_units",
	"order.captured", "order.refunded", "customer.id", "customer.first_at",
}

// delicate are fields that stand for where people live. A pattern with one of them carries a warning.
var delicate = map[string]bool{
	"order.shipping.city": true, "order.shipping.postal": true, "order.shipping.region": true,
	"order.billing.city": true, "order.billing.postal": true, "order.billing.region": true,
}

// trigger is the event that suggestions are for: an order comes in.
const trigger = "order.placed"

var windows = []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, LongestWindow}

// LongestWindow is the widest window of a velocity.
const LongestWindow = 90 * 24 * time.Hour

// Windows are the windows of the velocities that patterns are made of. The result is shared.
func Windows() []time.Duration { return windows }

// Reads returns the facts that a table takes from a case: fields of the schema, and velocities.
func Reads() (fields []string, velocities []rule.Velocity) {
	for _, f := range schema.Fields(trigger) {
		group, _, _ := strings.Cut(f.Name, ".")
		if f.Personal || slices.Contains(unread, f.Name) || group != "order" && group != "customer" && group != "ip" {
			continue
		}
		switch f.Type {
		case schema.Int, schema.Bool, schema.Money, schema.Duration, schema.String, schema.Strings, schema.Lines:
			fields = append(fields, f.Name)
		}
	}
	for _, d := range schema.Dimensions() {
		for _, w := range windows {
			velocities = append(velocities, rule.Velocity{Event: trigger, By: d.Name, Within: w, Fact: rule.VelocityFact(trigger, d.Name, w)})
		}
	}
	return fields, velocities
}

// kind is what the values of a column are.
type kind uint8

const (
	numbers   kind = iota
	durations      // nanoseconds
	amounts        // minor units of one currency
	flags          // 0 or 1
	texts          // index into words
	presence       // 1 where a list is known; no literal of its own
)

// listed begins the names of the columns that say where a list is known.
const listed = "list "

// missing marks a value that is not known: no comparison with it holds.
const missing = math.MinInt64

// column is one fact of all cases.
type column struct {
	name     string // of the fact, or of what was derived from it
	kind     kind
	currency string // of amounts
	velocity rule.Velocity
	vals     []int64
	words    []string
	index    map[string]int64
}

func (c *column) set(row int, v int64) {
	for len(c.vals) < row {
		c.vals = append(c.vals, missing)
	}
	c.vals = append(c.vals, v)
}

func (c *column) at(row int) int64 {
	if row >= len(c.vals) {
		return missing
	}
	return c.vals[row]
}

// member is the cases in whose list a text stands: a tag, a SKU.
type member struct {
	fact, value string
	rows        []int32
}

type row struct {
	id, number, outcome, by, queue string
	at                             time.Time
	money                          money.Amount
}

// Table holds cases column by column.
type Table struct {
	fields     []schema.Field
	velocities []rule.Velocity
	rows       []row
	columns    []*column
	byName     map[string]*column
	members    map[string]*member
	covered    map[string]*member         // automation by step -> cases whose condition it met
	index      map[string]int32           // id -> row
	conditions map[string]*rule.Condition // of automations that cover cases
}

// NewTable returns an empty table.
func NewTable() *Table {
	t := &Table{byName: map[string]*column{}, members: map[string]*member{}, covered: map[string]*member{}, index: map[string]int32{}, conditions: map[string]*rule.Condition{}}
	names, vs := Reads()
	for _, n := range names {
		f, _ := schema.Lookup(n)
		t.fields = append(t.fields, f)
	}
	t.velocities = vs
	return t
}

// Knows tells the condition of an automation that cases name as covering them.
func (t *Table) Knows(automation string, c *rule.Condition) { t.conditions[automation] = c }

// Len is the number of cases.
func (t *Table) Len() int { return len(t.rows) }

func (t *Table) column(key, name string, k kind) *column {
	c, ok := t.byName[key]
	if !ok {
		c = &column{name: name, kind: k}
		if k == texts {
			c.index = map[string]int64{}
		}
		t.byName[key] = c
		t.columns = append(t.columns, c)
	}
	return c
}

// Add takes a case in and reports whether there was room for it. A case that is there already stays as it is.
func (t *Table) Add(c Case) bool {
	if len(t.rows) >= MaxRows {
		return false
	}
	n := len(t.rows)
	if _, ok := t.index[c.ID]; ok {
		return true
	}
	t.index[c.ID] = int32(n)
	t.rows = append(t.rows, row{c.ID, c.Number, c.Outcome, c.By, c.Queue, c.At, c.Money})
	for _, f := range t.fields {
		if v, ok := c.Facts.Fact(f.Name); ok {
			t.take(n, f.Name, v)
		}
	}
	for _, v := range t.velocities {
		if x, ok := c.Facts.Fact(v.Fact); ok {
			if k, ok := x.(int64); ok {
				col := t.column(v.Fact, v.Fact, numbers)
				col.velocity = v
				col.set(n, k)
			}
		}
	}
	t.compare(n, c.Facts, "ip.country", "order.shipping.country")
	t.compare(n, c.Facts, "ip.country", "order.billing.country")
	for step, names := range c.Covered {
		for _, name := range names {
			put(t.covered, step, name, n)
		}
	}
	return true
}

// Decide says what people made of a case that was added before. The last word counts, except
// that a case they had to ask about stays one.
func (t *Table) Decide(id, outcome, by, queue string) {
	i, ok := t.index[id]
	if !ok || t.rows[i].outcome == Ask {
		return
	}
	r := &t.rows[i]
	r.outcome, r.by, r.queue = outcome, by, queue
}

// compare keeps whether two texts are the same, when both are known.
func (t *Table) compare(n int, f rule.Facts, a, b string) {
	x, ok1 := f.Fact(a)
	y, ok2 := f.Fact(b)
	if ok1 && ok2 {
		t.column(a+" != "+b, a+" != "+b, flags).set(n, b2i(x != y))
	}
}

func put(m map[string]*member, fact, value string, n int) {
	key := fact + "\x00" + value
	e, ok := m[key]
	if !ok {
		if len(m) >= maxValues {
			return
		}
		e = &member{fact: fact, value: strings.Clone(value)} // not the text that it is a part of
		m[key] = e
	}
	if k := len(e.rows); k == 0 || e.rows[k-1] != int32(n) {
		e.rows = append(e.rows, int32(n))
	}
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t *Table) take(n int, name string, v any) {
	switch v := v.(type) {
	case int64:
		t.column(name, name, numbers).set(n, v)
	case bool:
		t.column(name, name, flags).set(n, b2i(v))
	case time.Duration:
		t.column(name, name, durations).set(n, int64(v))
	case money.Amount:
		t.amount(n, name, v)
	case string:
		c := t.column(name, name, texts)
		code, ok := c.index[v]
		if !ok {
			if len(c.words) >= maxValues {
				return
			}
			code = int64(len(c.words))
			v = strings.Clone(v) // not the text that it is a part of
			c.index[v] = code
			c.words = append(c.words, v)
		}
		c.set(n, code)
	case []string:
		t.column(listed+name, listed+name, presence).set(n, 1)
		for _, s := range v {
			put(t.members, name, s, n)
		}
	case []rule.Line:
		t.lines(n, v)
	}
}

// listKnown reports whether a case's list is known, be it empty.
func (t *Table) listKnown(name string, row int) bool {
	c, ok := t.byName[listed+name]
	return ok && c.at(row) == 1
}

func (t *Table) amount(n int, name string, a money.Amount) {
	if a.Currency == "" {
		return
	}
	c := t.column(name+" "+a.Currency, name, amounts)
	c.currency = a.Currency
	c.set(n, a.Minor)
}

// The columns made of an order's lines.
const (
	mostUnits = "most units of a line"
	dearest   = "dearest unit"
	lineSKU   = "sku"
)

func (t *Table) lines(n int, ls []rule.Line) {
	if len(ls) == 0 {
		return
	}
	var qty int64
	var price money.Amount
	for i, l := range ls {
		qty = max(qty, l.Qty)
		if i == 0 || l.UnitPrice.Minor > price.Minor {
			price = l.UnitPrice
		}
		put(t.members, lineSKU, l.SKU, n)
	}
	t.column(mostUnits, mostUnits, numbers).set(n, qty)
	t.amount(n, dearest, price)
}

// view is the cases in the order of the search: those it learns on, those it
// tests on, those held back, then those that nobody decided. Within each by time.
type view struct {
	t        *Table
	order    []int32 // position -> row
	learn    int
	confirm  int
	heldBack int
	decided  int // all three
}

func (v *view) row(i int) *row { return &v.t.rows[v.order[i]] }

// learnShare is how many of ten decisions are learnt on; the others test what was found.
const learnShare = 7

// view sorts the cases. Which decision is learnt on is drawn from its id, so the
// test is on decisions of the same time, and the same case is always on the same side.
func (t *Table) view(o Options) *view {
	v := &view{t: t, order: make([]int32, len(t.rows))}
	for i := range v.order {
		v.order[i] = int32(i)
	}
	byTime := func(a, b int32) int {
		x, y := &t.rows[a], &t.rows[b]
		if c := x.at.Compare(y.at); c != 0 {
			return c
		}
		return strings.Compare(x.id, y.id)
	}
	slices.SortFunc(v.order, byTime)
	part := make([]int8, len(t.rows))
	for i := range t.rows {
		if t.rows[i].outcome != "" {
			v.decided++
		}
	}
	v.heldBack = int(float64(v.decided) * o.Holdback)
	seen := 0
	for _, i := range v.order {
		switch {
		case t.rows[i].outcome == "":
			part[i] = 3
			continue
		case seen >= v.decided-v.heldBack:
			part[i] = 2
		case drawn(t.rows[i].id) < learnShare:
			v.learn++
		default:
			part[i] = 1
			v.confirm++
		}
		seen++
	}
	slices.SortStableFunc(v.order, func(a, b int32) int { return int(part[a]) - int(part[b]) })
	return v
}

// drawn is a number from 0 to 9 that depends on the id alone.
func drawn(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x % 10
}
