package csvfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// rejection is why a row is not accepted. Reason is one of a few fixed texts,
// so that it can be counted; detail names the value.
type rejection struct {
	reason string
	detail string
}

func (r *rejection) Error() string {
	if r.detail == "" {
		return r.reason
	}
	return r.reason + ": " + r.detail
}

func reject(reason, format string, args ...any) *rejection {
	return &rejection{reason, fmt.Sprintf(format, args...)}
}

// header finds columns by name, whatever blanks and capitals the file uses.
type header struct {
	names []string
	index map[string]int
	twice map[string]bool
}

func newHeader(fields []string) header {
	h := header{index: make(map[string]int, len(fields)), twice: map[string]bool{}}
	for i, f := range fields {
		name := strings.TrimSpace(strings.TrimPrefix(f, "\ufeff"))
		h.names = append(h.names, name)
		key := strings.ToLower(name)
		if _, ok := h.index[key]; ok && key != "" {
			h.twice[key] = true
			for n := 2; ; n++ { // the second "Name" is reached as "Name#2"
				k := fmt.Sprintf("%s#%d", key, n)
				if _, ok := h.index[k]; !ok {
					h.index[k] = i
					break
				}
			}
			continue
		}
		h.index[key] = i
	}
	return h
}

// readHeader reads up to and including the header row.
func readHeader(src rowSource, f FileFormat, path string) (header, error) {
	want := max(f.HeaderRow, 1)
	for i := 1; ; i++ {
		rec, err := src.next()
		if errors.Is(err, io.EOF) {
			if i == 1 {
				return header{}, fault.New(fault.Invalid, "csvfile.Import", "%s is empty: it has no header row", path)
			}
			return header{}, fault.New(fault.Invalid, "csvfile.Import", "%s has only %d rows; the mapping puts the header in row %d", path, i-1, want)
		}
		if err != nil {
			return header{}, err
		}
		if i < want {
			continue
		}
		if rec.bad != "" {
			return header{}, fault.New(fault.Invalid, "csvfile.Import", "%s: the header in line %d cannot be read: %s", path, rec.line, rec.bad)
		}
		h := newHeader(rec.fields)
		src.expect(len(h.names), f.Ragged == "pad")
		return h, nil
	}
}

// Sources of a column.
const (
	srcMain = iota
	srcLine
	srcJoin // + index of the join
)

type colRef struct {
	src, idx int
}

// getter is a fieldSpec bound to the columns of real files.
type getter struct {
	*fieldSpec
	cols    []colRef
	nums    *NumberFormat
	defTest []boundTest
}

type boundTest struct {
	test
	g *getter
}

// rowCtx is what a getter reads: the row, the line's row, and the rows of side files found for it.
type rowCtx struct {
	main   []string
	line   []string
	tables []*joinTable
	hits   [][]int32 // per join; nil = not looked up
	noted  func(string)
}

func (c *rowCtx) set(main []string) {
	c.main, c.line = main, main
	for i := range c.hits {
		c.hits[i] = nil
	}
}

var noRows = []int32{}

func (c *rowCtx) join(i int) []int32 {
	if c.hits[i] == nil {
		t := c.tables[i]
		key, _ := t.on.value(c)
		rows, ok := t.index[key]
		if !ok || key == "" {
			rows = noRows
			if i != t.lines && c.noted != nil {
				c.noted("no row in " + t.name + " for the key")
			}
		}
		c.hits[i] = rows
	}
	return c.hits[i]
}

func (c *rowCtx) cell(r colRef) string {
	var row []string
	switch r.src {
	case srcMain:
		row = c.main
	case srcLine:
		row = c.line
	default:
		rows := c.join(r.src - srcJoin)
		if len(rows) == 0 {
			return ""
		}
		row = c.tables[r.src-srcJoin].rows[rows[0]]
	}
	if r.idx >= len(row) {
		return ""
	}
	return clean(row[r.idx])
}

// clean trims blanks and drops what a spreadsheet shows when a formula failed.
func clean(s string) string {
	if s == "" {
		return s
	}
	if s[0] <= ' ' || s[len(s)-1] <= ' ' || s[0] >= 0x80 || s[len(s)-1] >= 0x80 {
		s = strings.TrimSpace(s)
	}
	if len(s) > 3 && s[0] == '#' {
		switch s {
		case "#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!":
			return ""
		}
	}
	return s
}

// value returns the field's text.
func (g *getter) value(c *rowCtx) (string, error) {
	if g == nil {
		return "", nil
	}
	if g.constant != nil {
		return *g.constant, nil
	}
	var v string
	switch {
	case len(g.cols) == 1:
		v = c.cell(g.cols[0])
	case g.first:
		for _, r := range g.cols {
			if v = c.cell(r); v != "" {
				break
			}
		}
	default:
		for _, r := range g.cols {
			if s := c.cell(r); s != "" {
				if v != "" {
					v += g.sep
				}
				v += s
			}
		}
	}
	if g.trimStart != "" {
		v = strings.TrimPrefix(v, g.trimStart)
	}
	if g.values != nil {
		if m, ok := g.values[strings.ToLower(v)]; ok {
			v = m
		} else if v != "" {
			switch g.unmapped {
			case "reject":
				return "", reject("value is not in the mapping", "%s %q", g.label(), short(v))
			case "empty":
				if c.noted != nil {
					c.noted(fmt.Sprintf("%s %q is not in the mapping: left empty", g.label(), short(v)))
				}
				v = ""
			}
		}
	}
	if v == "" && g.def != nil && allHold(g.defTest, c) {
		v = *g.def
	}
	switch g.letters {
	case "upper":
		v = strings.ToUpper(v)
	case "lower":
		v = strings.ToLower(v)
	}
	if g.pad > len(v) && v != "" {
		v = strings.Repeat("0", g.pad-len(v)) + v
	}
	return v, nil
}

// label names the field in messages: its columns.
func (f *fieldSpec) label() string {
	if len(f.columns) == 0 {
		return "value"
	}
	if f.first {
		return strings.Join(f.columns, " or ")
	}
	return strings.Join(f.columns, "+")
}

// short keeps messages and counts readable.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:57], "") + "…"
	}
	return s
}

// decimal returns the field's number; ok is false when it is empty.
func (g *getter) decimal(c *rowCtx) (d decimal, ok bool, err error) {
	if g == nil {
		return decimal{}, false, nil
	}
	if g.sum {
		return g.total(c)
	}
	v, err := g.value(c)
	if err != nil || v == "" {
		return decimal{}, false, err
	}
	if d, err = g.nums.parse(v); err != nil {
		return decimal{}, false, reject(err.Error(), "%s %q", g.label(), short(v))
	}
	if g.min != nil && less(d, *g.min) || g.max != nil && less(*g.max, d) {
		if c.noted != nil {
			c.noted(g.label() + " is out of range: left empty")
		}
		return decimal{}, false, nil
	}
	return d, true, nil
}

// total adds the column up over the join's matching rows.
func (g *getter) total(c *rowCtx) (sum decimal, ok bool, err error) {
	j := g.cols[0].src - srcJoin
	for _, r := range c.join(j) {
		t := c.tables[j]
		if g.cols[0].idx >= len(t.rows[r]) {
			continue
		}
		v := clean(t.rows[r][g.cols[0].idx])
		if v == "" {
			continue
		}
		d, err := t.nums.parse(v)
		if err != nil {
			return decimal{}, false, reject("a number in "+t.name+" cannot be read", "line %d: %s %q", t.lineOf[r], g.label(), short(v))
		}
		if sum, ok = sum.add(d); !ok {
			return decimal{}, false, reject("a sum is too large", "%s of %s", g.label(), t.name)
		}
		ok = true
	}
	return sum, ok, nil
}

func less(a, b decimal) bool {
	b.coef = -b.coef
	d, ok := a.add(b)
	return ok && d.coef < 0
}

func (g *getter) integer(c *rowCtx) (n int64, ok bool, err error) {
	d, ok, err := g.decimal(c)
	if !ok || err != nil {
		return 0, ok, err
	}
	if n, ok = d.integer(); !ok {
		return 0, false, reject("a number is not whole", "%s", g.label())
	}
	return n, true, nil
}

func (g *getter) boolean(c *rowCtx) (bool, error) {
	v, err := g.value(c)
	switch strings.ToLower(v) {
	case "", "0", "false", "no", "n", "off":
		return false, err
	case "1", "true", "yes", "y", "on", "x":
		return true, err
	}
	return false, reject("not a yes or no", "%s %q", g.label(), short(v))
}

func (g *getter) time(c *rowCtx, dates *DateFormat) (time.Time, error) {
	v, err := g.value(c)
	if err != nil || v == "" {
		return time.Time{}, err
	}
	t, err := dates.parse(v)
	if err != nil {
		return t, reject(err.Error(), "%s %q", g.label(), short(v))
	}
	return t, nil
}

func allHold(tests []boundTest, c *rowCtx) bool {
	for i := range tests {
		if !tests[i].holds(c) {
			return false
		}
	}
	return true
}

func (t *boundTest) holds(c *rowCtx) bool {
	v, err := t.g.value(c)
	if err != nil {
		return false
	}
	if t.is != nil && !t.is[strings.ToLower(v)] || t.isNot != nil && t.isNot[strings.ToLower(v)] {
		return false
	}
	if t.prefix != nil {
		ok := false
		for _, p := range t.prefix {
			ok = ok || strings.HasPrefix(v, p)
		}
		if !ok {
			return false
		}
	}
	if t.empty != nil && *t.empty != (v == "") {
		return false
	}
	if t.negative != nil || t.zero != nil {
		d, err := t.g.nums.parse(v)
		if err != nil || t.negative != nil && *t.negative != (d.coef < 0) || t.zero != nil && *t.zero != (d.coef == 0) {
			return false
		}
	}
	return true
}

// joinTable is a side file in memory, found by key.
type joinTable struct {
	name   string
	rows   [][]string
	lineOf []int
	index  map[string][]int32
	on     *getter // of the main file
	nums   *NumberFormat
	report JoinReport
	lines  int // the index of the join that holds the order's lines, or -1
	head   header
}

const maxJoinRows = 5_000_000

// loadJoin reads a side file.
func (b *binder) loadJoin(s joinSpec, i int, path string, format FileFormat) (*joinTable, error) {
	src, _, err := openRows(path, format)
	if err != nil {
		return nil, fault.Wrap(err, fault.KindOf(err), "csvfile.join", "join %s: %s (name it with --with %s=PATH)", s.name, fault.Message(err), s.name)
	}
	defer src.Close()
	t := &joinTable{name: s.name, index: map[string][]int32{}, lines: -1}
	nums := b.m.numbers
	_, nums.raw = src.(*xlsxReader)
	t.nums = &nums
	t.report.Name, t.report.File = s.name, path
	if t.head, err = readHeader(src, format, path); err != nil {
		return nil, err
	}
	kb := &binder{m: b.m, main: t.head}
	key := kb.bind(s.key, false)
	if len(kb.ps) > 0 {
		return nil, fault.Problems("csvfile.join", kb.ps)
	}
	ctx := &rowCtx{}
	for {
		rec, err := src.next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		t.report.Rows++
		if rec.bad != "" {
			t.report.Unreadable++
			continue
		}
		ctx.set(rec.fields)
		k, err := key.value(ctx)
		if err != nil || k == "" {
			t.report.Unreadable++
			continue
		}
		if len(t.rows) >= maxJoinRows {
			return nil, fault.New(fault.Invalid, "csvfile.join", "join %s has more than %d rows", s.name, maxJoinRows)
		}
		t.index[k] = append(t.index[k], int32(len(t.rows)))
		t.rows = append(t.rows, rec.fields)
		t.lineOf = append(t.lineOf, rec.line)
	}
}

// binder turns specs into getters against real headers.
type binder struct {
	m      *Mapping
	main   header
	tables []*joinTable
	names  map[string]int // join name → index
	nums   *NumberFormat
	ps     []fault.Problem
}

// bind binds a spec; inLine says that it belongs to an order line, whose
// columns are those of lines_from by default.
func (b *binder) bind(f *fieldSpec, inLine bool) *getter {
	if f == nil {
		return nil
	}
	g := &getter{fieldSpec: f, nums: b.nums}
	src, head := srcMain, b.main
	from := f.from
	if from == "" && inLine {
		from = b.m.linesFrom
	}
	if from != "" && from != "main" {
		i := b.names[from]
		src, head = srcJoin+i, b.tables[i].head
		g.nums = b.tables[i].nums
		if from == b.m.linesFrom && inLine {
			src = srcLine
		}
	}
	var found, missing []string
	for _, name := range f.columns {
		key := strings.ToLower(strings.TrimSpace(name))
		idx, ok := head.index[key]
		if !ok {
			missing = append(missing, name)
			continue
		}
		if head.twice[key] {
			b.problem(f, "the column %q stands more than once in the file; write %q for the second", name, name+"#2")
		}
		g.cols, found = append(g.cols, colRef{src, idx}), append(found, name)
	}
	if len(found) > 0 && len(missing) > 0 { // messages name the columns that the file has
		spec := *f
		spec.columns = found
		g.fieldSpec = &spec
	}
	if len(missing) > 0 && !b.m.lenient && !(f.first && len(g.cols) > 0) {
		b.problem(f, "the file has no column %q%s; it has: %s", missing[0], didYouMean(missing[0], head.names), short200(strings.Join(head.names, ", ")))
	}
	if f.sum && len(g.cols) == 0 {
		g.constant = new(string)
		g.fieldSpec = &fieldSpec{constant: new(string), at: f.at}
	}
	g.defTest = b.tests(f.defWhen, inLine)
	return g
}

// need binds a field that a file cannot do without, however lenient the mapping is.
func (b *binder) need(f *fieldSpec, inLine bool) *getter {
	g := b.bind(f, inLine)
	if g != nil && g.constant == nil && len(g.cols) == 0 && b.m.lenient {
		b.problem(f, "the file has none of the columns %s; it has: %s", strings.Join(f.columns, ", "), short200(strings.Join(b.main.names, ", ")))
	}
	return g
}

func (b *binder) tests(c condition, inLine bool) []boundTest {
	var out []boundTest
	for _, t := range c {
		out = append(out, boundTest{t, b.bind(t.field, inLine && t.field.from != "")})
	}
	return out
}

func (b *binder) problem(f *fieldSpec, format string, args ...any) {
	if len(b.ps) < 50 {
		b.ps = append(b.ps, fault.Problem{Pointer: f.at, Message: fmt.Sprintf(format, args...)})
	}
}

func short200(s string) string {
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

// besides finds a side file in the folder of the imported file: where the mapping
// says, or right beside it, each also compressed.
func besides(dir, file string) string {
	first := filepath.Join(dir, file)
	for _, p := range [...]string{first, first + ".gz", filepath.Join(dir, filepath.Base(file)), filepath.Join(dir, filepath.Base(file)) + ".gz"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return first
}

// newBinder loads the side files of a mapping.
func newBinder(m *Mapping, main header, nums *NumberFormat, dataDir string, with map[string]string) (*binder, error) {
	b := &binder{m: m, main: main, names: map[string]int{}, nums: nums}
	for name := range with {
		known := make([]string, 0, len(m.joins))
		ok := false
		for _, j := range m.joins {
			known = append(known, j.name)
			ok = ok || j.name == name
		}
		if !ok {
			return nil, fault.New(fault.Invalid, "csvfile.Import", "the mapping has no join %q%s; it has: %s", name, didYouMean(name, known), strings.Join(known, ", "))
		}
	}
	for i, j := range m.joins {
		path := with[j.name]
		if path == "" {
			path = besides(dataDir, filepath.FromSlash(j.file))
		}
		t, err := b.loadJoin(j, i, path, FileFormat{Encoding: m.File.Encoding})
		if err != nil {
			return nil, err
		}
		if j.name == m.linesFrom {
			t.lines = i
		}
		b.tables = append(b.tables, t)
		b.names[j.name] = i
	}
	for i, j := range m.joins {
		b.tables[i].on = b.bind(j.on, false)
	}
	return b, nil
}
