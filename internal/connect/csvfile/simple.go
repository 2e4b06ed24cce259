package csvfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/stock"
)

// simplePlan is the mapping of a file where every row stands for itself:
// stock, products and locations.
type simplePlan struct {
	m       *Mapping
	f       map[string]*getter
	rejects []boundReject
	ctx     *rowCtx
	key     *getter
}

func (b *binder) bindSimple() *simplePlan {
	p := &simplePlan{m: b.m, f: map[string]*getter{}}
	sec := map[string]string{Stock: "stock", Products: "product", Locations: "location"}[b.m.Kind]
	for _, k := range sections[b.m.Kind][sec] {
		bind := b.bind
		if k.required {
			bind = b.need
		}
		p.f[k.name] = bind(b.m.fields[sec+"."+k.name], false)
	}
	for _, r := range b.m.rejects {
		p.rejects = append(p.rejects, boundReject{r.reason, b.tests(r.when, false)})
	}
	p.key = p.f["sku"]
	if b.m.Kind == Locations {
		p.key = p.f["id"]
	}
	p.ctx = &rowCtx{tables: b.tables, hits: make([][]int32, len(b.tables))}
	return p
}

// count is one SKU's stock at one location.
type count struct {
	sku, loc string
	onHand   int64
	at       time.Time
	note     string
	line     int
	rows     int64
}

// simple is the second pass over a file of stock, products or locations.
func (r *run) simple(src rowSource, p *simplePlan) error {
	s := &simpleRun{run: r, p: p, seen: map[[16]byte]bool{}, lineOf: map[string]int{}, at: map[string]int{}, partOf: map[string]string{}}
	p.ctx.noted = r.rep.note
	if r.m.Kind == Stock && r.o.As == event.Live && r.location() == "" && p.f["location"] == nil {
		return fault.New(fault.Invalid, "csvfile.Import", "live, say which location was counted: a location column in the mapping, --location, or live_location")
	}
	for {
		rec, err := src.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		ok, err := r.row(&rec)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if s.again(rec.fields) {
			r.rep.Duplicates++
			continue
		}
		p.ctx.set(rec.fields)
		err = s.take(&rec)
		if err == nil {
			r.rep.Accepted++
			continue
		}
		why, isReject := asRejection(err)
		if !isReject {
			return err
		}
		if err := r.reject(rec.line, rec.fields, why); err != nil {
			return err
		}
	}
	return s.finish()
}

type simpleRun struct {
	*run
	p         *simplePlan
	seen      map[[16]byte]bool
	lineOf    map[string]int    // key → the line that has it
	at        map[string]int    // key → index below
	partOf    map[string]string // SKU → the last kit of the file with it
	counts    []count
	products  []catalog.Product
	locations []catalog.Location
}

// again recognises equal rows by 128 bits of SHA-256: two different rows do not share them.
func (s *simpleRun) again(fields []string) bool {
	h := sha256.New()
	for _, f := range fields {
		_, _ = io.WriteString(h, f)
		_, _ = h.Write([]byte{0})
	}
	var sum [32]byte
	h.Sum(sum[:0])
	k := [16]byte(sum[:16])
	if s.seen[k] {
		return true
	}
	s.seen[k] = true
	return false
}

func (s *simpleRun) take(rec *record) error {
	for _, rule := range s.p.rejects {
		if allHold(rule.when, s.p.ctx) {
			return &rejection{reason: rule.reason}
		}
	}
	id, err := s.p.key.value(s.p.ctx)
	if err != nil {
		return err
	}
	if id == "" {
		return reject("no "+map[bool]string{true: "id", false: "SKU"}[s.m.Kind == Locations], "%s", s.p.key.label())
	}
	if len(id) > event.MaxID {
		return reject("a text is too long", "%s has %d bytes, the limit is %d", s.p.key.label(), len(id), event.MaxID)
	}
	for name, g := range s.p.f {
		v, err := g.value(s.p.ctx)
		if err == nil {
			err = badText(name, v)
		}
		if err != nil {
			return err
		}
	}
	id = strings.Clone(id)
	switch s.m.Kind {
	case Stock:
		return s.takeCount(id, rec)
	case Products:
		p, err := s.product(id)
		if err != nil {
			return err
		}
		if i, again, err := s.repeated(id, rec.line, len(s.products)); err != nil {
			return err
		} else if again {
			s.products[i] = p
		} else {
			s.products = append(s.products, p)
		}
		for _, c := range p.Components {
			s.partOf[c.SKU] = id
		}
	default:
		l, err := s.place(id)
		if err != nil {
			return err
		}
		if i, again, err := s.repeated(id, rec.line, len(s.locations)); err != nil {
			return err
		} else if again {
			s.locations[i] = l
			return nil
		}
		s.locations = append(s.locations, l)
	}
	return nil
}

// repeated looks the key up; a second row is refused unless the mapping says what it means.
func (s *simpleRun) repeated(key string, line, next int) (i int, again bool, err error) {
	i, again = s.at[key]
	if !again {
		s.at[key], s.lineOf[key] = next, line
		return next, false, nil
	}
	if s.m.repeat == "reject" {
		return i, true, reject("the same key on an earlier line", "line %d", s.lineOf[key])
	}
	return i, true, nil
}

func (s *simpleRun) takeCount(sku string, rec *record) error {
	f := s.p.f
	n, ok, err := f["quantity"].integer(s.p.ctx)
	if err != nil {
		return err
	}
	if !ok {
		return reject("no quantity", "%s", f["quantity"].label())
	}
	if n < 0 || n > event.MaxQty {
		return reject("the quantity is out of range", "%d", n)
	}
	at, err := f["counted_at"].time(s.p.ctx, &s.m.dates)
	if err != nil {
		return err
	}
	loc, _ := f["location"].value(s.p.ctx)
	if s.o.Location != "" || loc == "" {
		loc = s.location()
	}
	if s.o.As == event.History {
		loc = stock.Opening
	}
	if loc == "" {
		return reject("no location", "%s", f["location"].label())
	}
	note, _ := f["note"].value(s.p.ctx)
	if at.IsZero() {
		at = s.start
	}
	i, again, err := s.repeated(sku+"\x00"+loc, rec.line, len(s.counts))
	if err != nil {
		return err
	}
	c := count{strings.Clone(sku), strings.Clone(loc), n, at, strings.Clone(note), rec.line, 1}
	if !again {
		s.counts = append(s.counts, c)
		return nil
	}
	c.rows += s.counts[i].rows
	if s.m.repeat == "sum" {
		if c.onHand += s.counts[i].onHand; c.onHand > event.MaxQty {
			return reject("the quantity is out of range", "%d", c.onHand)
		}
	}
	s.counts[i] = c
	return nil
}

func (s *simpleRun) product(sku string) (catalog.Product, error) {
	f, ctx := s.p.f, s.p.ctx
	p := catalog.Product{SKU: sku}
	title, _ := f["title"].value(ctx)
	p.Title = strings.Clone(title)
	var err error
	if p.WeightG, err = s.grams(); err != nil {
		return p, err
	}
	if p.Backorder, err = f["backorder"].boolean(ctx); err != nil {
		return p, err
	}
	if p.LowAt, _, err = f["low_at"].integer(ctx); err != nil {
		return p, err
	}
	if p.LowAt < 0 {
		return p, reject("a number below zero", "%s", f["low_at"].label())
	}
	if p.Untracked, err = f["untracked"].boolean(ctx); err != nil {
		return p, err
	}
	text, _ := f["components"].value(ctx)
	if p.Components, err = components(text); err != nil {
		return p, err
	}
	return p, s.kit(p)
}

// grams returns the weight, rounded half up to grams.
func (s *simpleRun) grams() (int64, error) {
	g := s.p.f["weight"]
	d, ok, err := g.decimal(s.p.ctx)
	if err != nil || !ok {
		return 0, err
	}
	if d.coef < 0 {
		return 0, reject("a number below zero", "%s", g.label())
	}
	// Micrograms per unit are exact: the pound is defined as 453.59237 g.
	per := map[string]int64{"": 1_000_000, "g": 1_000_000, "kg": 1_000_000_000, "lb": 453_592_370, "oz": 28_349_523}[g.unit]
	if d.coef > math.MaxInt64/per {
		return 0, reject("a number is too large", "%s", g.label())
	}
	n := d.coef * per
	for range d.scale {
		n /= 10
	}
	return (n + 500_000) / 1_000_000, nil
}

func (s *simpleRun) place(id string) (catalog.Location, error) {
	f, ctx := s.p.f, s.p.ctx
	l := catalog.Location{ID: id}
	text := func(name string) string {
		v, _ := f[name].value(ctx)
		return strings.Clone(v)
	}
	l.Name, l.Postal, l.CutOff, l.TimeZone = text("name"), text("postal"), text("cut_off"), text("time_zone")
	l.RateCard, l.Connection = text("rate_card"), text("connection")
	if l.Name == "" {
		l.Name = id
	}
	if c := text("country"); c != "" {
		code, ok := countryCode(c)
		if !ok {
			return l, reject("country not known", "%q", short(c))
		}
		l.Country = code
	}
	for _, n := range [...]struct {
		name string
		to   func(int64)
	}{
		{"rank", func(n int64) { l.Rank = int(n) }},
		{"capacity", func(n int64) { l.Capacity = int(n) }},
		{"safety_stock", func(n int64) { l.SafetyStock = n }},
		{"handling_hours", func(n int64) { l.HandlingH = int(n) }},
	} {
		v, ok, err := f[n.name].integer(ctx)
		if err != nil {
			return l, err
		}
		if ok {
			n.to(v)
		}
	}
	var err error
	if l.Closed, err = f["closed"].boolean(ctx); err != nil {
		return l, err
	}
	for _, c := range s.list("ships_to") {
		code, ok := countryCode(c)
		if !ok {
			return l, reject("country not known", "%q", short(c))
		}
		l.ShipsTo = append(l.ShipsTo, code)
	}
	l.Channels = s.list("channels")
	lat, okLat, err := s.degrees("lat")
	if err != nil {
		return l, err
	}
	lon, okLon, err := s.degrees("lon")
	if err != nil {
		return l, err
	}
	if okLat && okLon { // half a point is no point
		l.Lat, l.Lon = lat, lon
	}
	for _, p := range l.Problems() {
		return l, reject("not fit for a location", "%s %s", strings.TrimPrefix(p.Pointer, "/"), short(p.Message))
	}
	return l, nil
}

func (s *simpleRun) list(name string) []string {
	g := s.p.f[name]
	v, _ := g.value(s.p.ctx)
	if v == "" {
		return nil
	}
	sep := ","
	if g.split != "" {
		sep = g.split
	}
	var out []string
	for x := range strings.SplitSeq(v, sep) {
		if x = strings.TrimSpace(x); x != "" {
			out = append(out, strings.Clone(x))
		}
	}
	return out
}

// degrees reads a coordinate: the one float here, as the catalogue holds degrees.
func (s *simpleRun) degrees(name string) (float64, bool, error) {
	g := s.p.f[name]
	if g == nil {
		return 0, false, nil
	}
	v, err := g.value(s.p.ctx)
	if err != nil || v == "" {
		return 0, false, err
	}
	x, err := strconv.ParseFloat(strings.Replace(v, ",", ".", 1), 64)
	if err != nil {
		return 0, false, reject("not a coordinate", "%s %q", g.label(), short(v))
	}
	if g.min != nil && x < g.min.float() || g.max != nil && x > g.max.float() {
		s.rep.note(g.label() + " is out of range: left empty")
		return 0, false, nil
	}
	return x, true, nil
}

func (d decimal) float() float64 { return float64(d.coef) / math.Pow10(d.scale) }

// finish hands over what was collected.
func (s *simpleRun) finish() error {
	s.rep.Products, s.rep.Locations = int64(len(s.products)), int64(len(s.locations))
	if s.m.Kind == Stock {
		return s.submitCounts()
	}
	if s.o.DryRun {
		return nil
	}
	for i := 0; i < len(s.products); i += putBatch {
		n, err := s.o.Sink.PutProducts(s.ctx, s.products[i:min(i+putBatch, len(s.products))], false)
		s.rep.Changed += int64(n)
		if err != nil {
			return err
		}
	}
	for i := 0; i < len(s.locations); i += putBatch {
		n, err := s.o.Sink.PutLocations(s.ctx, s.locations[i:min(i+putBatch, len(s.locations))])
		s.rep.Changed += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// StockRuns is what a Sink may do besides: tell how often the stock list of a
// source changed. Given the file's fingerprint it returns a number that stays while the same
// file comes again, and is another one when a file returns after a different one.
type StockRuns interface {
	StockRun(ctx context.Context, source, fingerprint string) (int64, error)
}

// submitCounts turns counts into events. Their keys carry the revision of the
// file and its run: the same file again changes nothing, while the next stock list counts
// anew even where it says the same number, and so does an earlier list that comes back.
func (s *simpleRun) submitCounts() error {
	source := s.o.Source
	if source == "" {
		source = "import:stock"
	}
	rev := s.sum[:16]
	if runs, ok := s.o.Sink.(StockRuns); ok && !s.o.DryRun {
		// Where it is counted is a part of the fingerprint: the same file for another place is another list.
		n, err := runs.StockRun(s.ctx, source, s.sum[:16]+"/"+string(s.o.As)+"/"+s.location())
		if err != nil {
			return err
		}
		if n > 0 { // the first run keeps the keys that earlier versions wrote
			rev += "." + strconv.FormatInt(n, 10)
		}
	}
	out := s.outbox()
	for _, c := range s.counts {
		s.rep.Units += c.onHand
		p := &event.StockCounted{SKU: c.sku, Location: c.loc, OnHand: c.onHand, Note: c.note}
		if ps := p.Validate(); len(ps) > 0 {
			return fault.Problems("csvfile.Import", ps)
		}
		out.seen(c.sku, "", false, false)
		err := out.add(&item{ev: event.Event{
			Source: source, Key: "count:" + c.loc + ":" + c.sku + ":" + rev,
			Type: p.EventType(), Subject: p.EventSubject(), At: c.at, Mode: s.o.As, Actor: s.o.Actor, Data: p,
		}, line: c.line, rows: c.rows})
		if err != nil {
			return err
		}
	}
	return out.finish()
}
