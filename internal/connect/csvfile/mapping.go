package csvfile

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// The kinds of import, which are also the words of the command.
const (
	Orders    = "orders"
	Stock     = "stock"
	Products  = "products"
	Locations = "locations"
)

// Mapping says what the columns of a file mean. It is immutable after ParseMapping.
type Mapping struct {
	Name    string
	About   string
	Kind    string // Orders, Stock, Products or Locations
	Channel string // orders: the sales channel the numbers belong to
	File    FileFormat

	numbers   NumberFormat
	dates     DateFormat
	joins     []joinSpec
	linesFrom string // name of the join that holds the order lines; "" = every row is a line
	fields    map[string]*fieldSpec
	attrs     []attrSpec
	kinds     []kindRule
	rejects   []rejectRule
	noLine    []condition
	services  []string
	returnPos bool   // returns are written with positive quantities
	lenient   bool   // a column that the file lacks is read as empty
	location  string // live mode: where stock and parcels are, when the file does not say
	repeat    string // stock, products, locations: what a second row with the same key means
}

// joinSpec is a side file: its rows are found by a key.
type joinSpec struct {
	name string
	file string     // relative to the imported file's folder, unless given otherwise
	key  *fieldSpec // of the side file
	on   *fieldSpec // of the imported file
}

type attrSpec struct {
	name string
	spec *fieldSpec
}

// Kinds of line in an orders file.
const (
	lineOrder      = "order"
	lineReturn     = "return"
	lineAdjustment = "adjustment"
)

type kindRule struct {
	kind string
	when condition
}

type rejectRule struct {
	reason string
	when   condition
}

// condition holds when every test holds.
type condition []test

type test struct {
	field    *fieldSpec
	is       map[string]bool // lower case; nil = not tested
	isNot    map[string]bool
	prefix   []string
	empty    *bool
	negative *bool
	zero     *bool
}

// fieldSpec says where a value comes from and how it is cleaned.
type fieldSpec struct {
	at        string // position in the mapping, for messages
	columns   []string
	first     bool // the first column that is not empty, instead of all of them joined
	sep       string
	from      string // join name, or "main"
	constant  *string
	def       *string
	defWhen   condition
	values    map[string]string // lower case → meaning
	unmapped  string            // keep, empty, reject
	letters   string            // "", upper, lower
	pad       int               // with zeros on the left, to this length
	trimStart string
	split     string
	sum       bool
	min, max  *decimal
	unit      string
}

// knownField describes a field a mapping may fill.
type knownField struct {
	name     string
	required bool
	oneOf    []string // the meanings that values may map to
	units    []string
}

// Meanings of order.status.
var statuses = []string{"placed", "paid", "shipped", "completed", "cancelled", "returned"}

var sections = map[string]map[string][]knownField{
	Orders: {
		"order": {
			{name: "number", required: true},
			{name: "placed_at", required: true},
			{name: "currency", required: true},
			{name: "shipping_cost"},
			{name: "discount"},
			{name: "total"},
			{name: "customer.id"},
			{name: "customer.email"},
			{name: "customer.name"},
			{name: "customer.phone"},
			{name: "customer.signed_up"},
			{name: "customer.account_days"},
			{name: "customer.tags"},
			{name: "shipping.name"},
			{name: "shipping.line1"},
			{name: "shipping.line2"},
			{name: "shipping.city"},
			{name: "shipping.region"},
			{name: "shipping.postal"},
			{name: "shipping.country"},
			{name: "billing.name"},
			{name: "billing.line1"},
			{name: "billing.line2"},
			{name: "billing.city"},
			{name: "billing.region"},
			{name: "billing.postal"},
			{name: "billing.country"},
			{name: "payment.status", oneOf: []string{"pending", "authorized", "paid"}},
			{name: "payment.method"},
			{name: "payment.reference"},
			{name: "ip"},
			{name: "device"},
			{name: "service"},
			{name: "tags"},
			{name: "note"},
			{name: "status", oneOf: statuses},
			{name: "paid_at"},
			{name: "paid_amount"},
			{name: "shipped_at"},
			{name: "completed_at"},
			{name: "cancelled_at"},
			{name: "cancel_reason"},
			{name: "disputed_at"},
			{name: "dispute_reason"},
			{name: "dispute_amount"},
			{name: "returned_at"},
			{name: "return_of"},
			{name: "carrier"},
			{name: "tracking"},
			{name: "location"},
		},
		"line": {
			{name: "sku", required: true},
			{name: "quantity", required: true},
			{name: "title"},
			{name: "unit_price"},
			{name: "line_total"},
			{name: "location"},
		},
	},
	Stock: {"stock": {
		{name: "sku", required: true}, {name: "quantity", required: true}, {name: "location"}, {name: "counted_at"}, {name: "note"},
	}},
	Products: {"product": {
		{name: "sku", required: true},
		{name: "title"},
		{name: "weight", units: []string{"g", "kg", "oz", "lb"}},
		{name: "backorder"},
		{name: "low_at"},
		{name: "untracked"},
		{name: "components"},
	}},
	Locations: {"location": {
		{name: "id", required: true},
		{name: "name"},
		{name: "country"},
		{name: "postal"},
		{name: "lat"},
		{name: "lon"},
		{name: "rank"},
		{name: "ships_to"},
		{name: "channels"},
		{name: "capacity"},
		{name: "cut_off"},
		{name: "time_zone"},
		{name: "safety_stock"},
		{name: "rate_card"},
		{name: "connection"},
		{name: "closed"},
		{name: "handling_hours"},
	}},
}

// ParseMapping reads a mapping. name stands in messages as the file's name:
// every problem says "name:line:column".
func ParseMapping(name string, text []byte) (*Mapping, error) {
	d := &doc{name: name}
	m := &Mapping{Name: name, fields: map[string]*fieldSpec{}, repeat: "reject"}
	m.numbers.Decimal = '.'
	m.dates.zone = time.UTC
	root := d.parseDoc(text)
	if root == nil {
		return nil, fault.Problems("csvfile.ParseMapping", d.ps)
	}
	entries := d.entries(root, "a mapping")
	for _, e := range entries {
		if e.key == "kind" {
			m.Kind = d.oneOf(e, Orders, Stock, Products, Locations)
		}
	}
	if m.Kind == "" {
		d.problem(root, "kind is required: one of orders, stock, products, locations")
		return nil, fault.Problems("csvfile.ParseMapping", d.ps)
	}
	for _, e := range entries {
		m.readEntry(d, e)
	}
	m.check(d, root)
	if len(d.ps) > 0 {
		return nil, fault.Problems("csvfile.ParseMapping", d.ps)
	}
	return m, nil
}

func (m *Mapping) readEntry(d *doc, e entry) {
	secs := sections[m.Kind]
	if known, ok := secs[e.key]; ok {
		m.readSection(d, e, known)
		return
	}
	switch e.key {
	case "mapping":
		m.Name = d.text(e)
	case "about":
		m.About = d.text(e)
	case "kind":
	case "file":
		m.readFile(d, e)
	case "numbers":
		m.readNumbers(d, e)
	case "dates":
		m.readDates(d, e)
	case "joins":
		m.readJoins(d, e)
	case "reject":
		for _, n := range d.list(e.val) {
			r := rejectRule{}
			for _, f := range d.entries(n, "a reject rule") {
				switch f.key {
				case "when":
					r.when = m.readCondition(d, f.val)
				case "reason":
					r.reason = d.text(f)
				default:
					d.unknown(f, "a reject rule", "when", "reason")
				}
			}
			if len(r.when) == 0 || r.reason == "" {
				d.problem(n, "a reject rule needs when and reason")
			}
			m.rejects = append(m.rejects, r)
		}
	case "missing_columns":
		m.lenient = d.oneOf(e, "error", "empty") == "empty"
	case "live_location":
		m.location = d.text(e)
	case "repeat":
		if m.Kind == Orders {
			d.problem(e.node, "repeat is for stock, products and locations")
		}
		m.repeat = d.oneOf(e, "reject", "last", "sum")
		if m.repeat == "sum" && m.Kind != Stock {
			d.problem(e.val, "only stock can be summed")
		}
	default:
		if m.Kind == Orders && m.readOrderEntry(d, e) {
			return
		}
		known := []string{"mapping", "about", "kind", "file", "numbers", "dates", "joins", "reject", "missing_columns", "live_location", "repeat"}
		for k := range secs {
			known = append(known, k)
		}
		if m.Kind == Orders {
			known = append(known, "channel", "lines_from", "kinds", "no_line", "services", "returns", "attributes")
		}
		d.unknown(e, "a mapping of "+m.Kind, known...)
	}
}

func (m *Mapping) readOrderEntry(d *doc, e entry) bool {
	switch e.key {
	case "channel":
		m.Channel = d.text(e)
	case "lines_from":
		m.linesFrom = d.text(e)
	case "kinds":
		for _, n := range d.list(e.val) {
			r := kindRule{kind: lineOrder}
			for _, f := range d.entries(n, "a kind") {
				switch f.key {
				case "kind":
					r.kind = d.oneOf(f, lineOrder, lineReturn, lineAdjustment)
				case "when":
					r.when = m.readCondition(d, f.val)
				default:
					d.unknown(f, "a kind", "kind", "when")
				}
			}
			if len(r.when) == 0 {
				d.problem(n, "a kind needs when")
			}
			m.kinds = append(m.kinds, r)
		}
	case "no_line":
		for _, n := range d.list(e.val) {
			if c := m.readCondition(d, n); len(c) > 0 {
				m.noLine = append(m.noLine, c)
			}
		}
	case "services":
		m.services = d.texts(e)
	case "returns":
		m.returnPos = d.oneOf(e, "negative", "positive") == "positive"
	case "attributes":
		for _, f := range d.entries(e.val, "attributes") {
			m.attrs = append(m.attrs, attrSpec{f.key, m.readField(d, f.val, nil)})
		}
		if len(m.attrs) > 50 {
			d.problem(e.node, "at most 50 attributes")
		}
	default:
		return false
	}
	return true
}

func (m *Mapping) readSection(d *doc, e entry, known []knownField) {
	for _, f := range d.entries(e.val, e.key) {
		var k *knownField
		var names []string
		for i := range known {
			names = append(names, known[i].name)
			if known[i].name == f.key {
				k = &known[i]
			}
		}
		if k == nil {
			d.unknown(f, e.key, names...)
			continue
		}
		m.fields[e.key+"."+f.key] = m.readField(d, f.val, k)
	}
}

func (m *Mapping) readFile(d *doc, e entry) {
	for _, f := range d.entries(e.val, "file") {
		switch f.key {
		case "delimiter":
			m.File.Delimiter = d.text(f)
		case "encoding":
			m.File.Encoding = d.text(f)
			if _, _, _, err := chooseEncoding(m.File.Encoding, nil); err != nil {
				d.problem(f.val, "%s", fault.Message(err))
			}
		case "header_row":
			m.File.HeaderRow = d.number(f, 1, 1000)
		case "sheet":
			m.File.Sheet = d.text(f)
		case "ragged":
			m.File.Ragged = d.oneOf(f, "reject", "pad")
		default:
			d.unknown(f, "file", "delimiter", "encoding", "header_row", "sheet", "ragged")
		}
	}
}

func (m *Mapping) readNumbers(d *doc, e entry) {
	for _, f := range d.entries(e.val, "numbers") {
		switch f.key {
		case "decimal":
			m.numbers.Decimal = d.oneOf(f, ".", ",")[0]
		case "thousands":
			m.numbers.Thousands = d.text(f)
			if strings.ContainsAny(m.numbers.Thousands, "0123456789-+") {
				d.problem(f.val, "thousands must be separators such as , . ' or a blank")
			}
		case "symbols":
			m.numbers.Symbols = d.texts(f)
			for _, s := range m.numbers.Symbols {
				if s == "" || strings.ContainsAny(s, "0123456789.,-+()") {
					d.problem(f.val, "%q is not a currency symbol", s)
				}
			}
		case "extra_digits":
			m.numbers.Round = d.oneOf(f, "reject", "round") == "round"
		default:
			d.unknown(f, "numbers", "decimal", "thousands", "symbols", "extra_digits")
		}
	}
	if strings.IndexByte(m.numbers.Thousands, m.numbers.Decimal) >= 0 {
		d.problem(e.node, "decimal and thousands must differ")
	}
}

func (m *Mapping) readDates(d *doc, e entry) {
	for _, f := range d.entries(e.val, "dates") {
		switch f.key {
		case "formats":
			for _, s := range d.texts(f) {
				l, err := compileLayout(s)
				if err != nil {
					d.problem(f.val, "%s", err)
					continue
				}
				m.dates.layouts = append(m.dates.layouts, l)
			}
		case "zone":
			name := d.text(f)
			z, err := time.LoadLocation(name)
			if err != nil || name == "" || name == "Local" {
				d.problem(f.val, "%q is not a time zone; write it like Europe/London or UTC", name)
				continue
			}
			m.dates.zone = z
		case "ambiguous":
			m.dates.reject = d.oneOf(f, "first", "reject") == "reject"
		default:
			d.unknown(f, "dates", "formats", "zone", "ambiguous")
		}
	}
}

func (m *Mapping) readJoins(d *doc, e entry) {
	for _, j := range d.entries(e.val, "joins") {
		s := joinSpec{name: j.key}
		if j.key == "main" || j.key == "" {
			d.problem(j.node, "a join may not be called %q", j.key)
		}
		for _, f := range d.entries(j.val, "a join") {
			switch f.key {
			case "file":
				s.file = d.text(f)
			case "key":
				s.key = m.readField(d, f.val, nil)
			case "on":
				s.on = m.readField(d, f.val, nil)
			default:
				d.unknown(f, "a join", "file", "key", "on")
			}
		}
		if s.file == "" || s.key == nil {
			d.problem(j.node, "a join needs file and key")
			continue
		}
		if s.on == nil {
			s.on = s.key
		}
		if s.key.from != "" || s.on.from != "" {
			d.problem(j.node, "key and on of a join cannot come from another join")
		}
		m.joins = append(m.joins, s)
	}
	if len(m.joins) > 20 {
		d.problem(e.node, "at most 20 joins")
	}
}

// check looks at what only the whole shows.
func (m *Mapping) check(d *doc, root ast.Node) {
	names := map[string]bool{"": true, "main": true}
	for _, j := range m.joins {
		names[j.name] = true
	}
	secs := make([]string, 0, 2)
	for sec := range sections[m.Kind] {
		secs = append(secs, sec)
	}
	sort.Strings(secs)
	for _, sec := range secs {
		for _, k := range sections[m.Kind][sec] {
			if k.required && m.fields[sec+"."+k.name] == nil {
				d.problem(root, "%s.%s is required", sec, k.name)
			}
		}
	}
	if !names[m.linesFrom] || m.linesFrom == "main" {
		d.problem(root, "lines_from: there is no join %q", m.linesFrom)
	}
	if len(m.dates.layouts) == 0 {
		l, _ := compileLayout("rfc3339")
		m.dates.layouts = append(m.dates.layouts, l)
	}
	m.eachField(func(f *fieldSpec) {
		if !names[f.from] {
			d.ps = append(d.ps, fault.Problem{Pointer: f.at, Message: fmt.Sprintf("from: there is no join %q", f.from)})
		}
		if f.sum && (f.from == "" || f.from == "main") {
			d.ps = append(d.ps, fault.Problem{Pointer: f.at, Message: "sum needs from: it adds up the matching rows of a join"})
		}
	})
	if m.Kind != Orders {
		return
	}
	if m.Channel == "" {
		d.problem(root, "channel is required: order numbers are unique within it")
	}
	if (m.fields["line.unit_price"] == nil) == (m.fields["line.line_total"] == nil) {
		d.problem(root, "line needs either unit_price or line_total")
	}
	if c := m.fields["order.currency"]; c != nil && c.constant != nil {
		if _, ok := money.Digits(*c.constant); !ok {
			d.ps = append(d.ps, fault.Problem{Pointer: c.at, Message: fmt.Sprintf("%q is not a currency; write its three capital letters, like EUR", *c.constant)})
		}
	}
}

// eachField visits every field of the mapping, in no particular order.
func (m *Mapping) eachField(visit func(*fieldSpec)) {
	conds := func(c condition) {
		for _, t := range c {
			visit(t.field)
		}
	}
	all := make([]*fieldSpec, 0, len(m.fields))
	for _, f := range m.fields {
		all = append(all, f)
	}
	for _, a := range m.attrs {
		all = append(all, a.spec)
	}
	for _, f := range all {
		visit(f)
		conds(f.defWhen)
	}
	for _, r := range m.kinds {
		conds(r.when)
	}
	for _, r := range m.rejects {
		conds(r.when)
	}
	for _, c := range m.noLine {
		conds(c)
	}
}
