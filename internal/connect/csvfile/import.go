package csvfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

// Options say what to import and how.
type Options struct {
	Path    string   // the file
	Kind    string   // Orders, Stock, Products or Locations; "" = the mapping's
	Mapping *Mapping // see ParseMapping and LoadMapping
	// As is event.History (the default: facts of the past against the opening
	// location, no effects) or event.Live.
	As     event.Mode
	DryRun bool // read, check and count; hand nothing over
	// Rejects is the file for rejected rows; "" writes none. See RejectsPath.
	Rejects string
	// With gives the path of a side file by the name of its join; the others
	// are looked for beside the imported file.
	With     map[string]string
	Location string // live mode: overrides the mapping's live_location
	Source   string // of the events; "" = "import:" and the channel
	Actor    string // who runs the import
	Sink     Sink   // not needed for a dry run
	// Progress is called every few thousand rows and once at the end of each phase.
	Progress func(Progress)
	Now      func() time.Time // nil = time.Now
}

// Progress says how far an import is.
type Progress struct {
	Phase     string // "reading" (the first pass), "mapping", "deciding", "done"
	Rows      int64
	Total     int64 // rows of the file; 0 while reading
	Bytes     int64 // of the file, in the phase "reading"
	Size      int64
	Events    int64 // handed over
	AllEvents int64 // made so far
	Rejected  int64
	Elapsed   time.Duration
}

// RejectsPath is the default file for rejected rows: in the working folder,
// as the folder of the data may be somebody else's.
func RejectsPath(file string) string { return filepath.Base(file) + ".rejects.csv" }

const progressEvery = 5_000

// maxHeld bounds the rows of open orders in memory: some hundred megabytes.
const maxHeld = 1_000_000

// run is one import under way.
type run struct {
	ctx   context.Context
	o     Options
	m     *Mapping
	rep   *Report
	rej   rejectFile
	nums  NumberFormat
	head  header
	start time.Time
	now   func() time.Time
	total int64
	size  int64
	out   *outbox
	held  int    // rows of orders that are still open
	sum   string // SHA-256 of the file: the revision of what it says
}

// Import reads a file and hands what it says to the sink. Rejected rows do
// not stop it; an error does: an unreadable file, a mapping that does not fit, or a
// sink that fails. What was handed over before an error stays, and a second
// import of the same file adds only what is missing.
func Import(ctx context.Context, o Options) (Report, error) {
	r := &run{ctx: ctx, o: o, m: o.Mapping, now: o.Now}
	if r.now == nil {
		r.now = time.Now
	}
	r.start = r.now()
	if r.o.As == "" {
		r.o.As = event.History
	}
	r.rep = &Report{
		Reasons: map[string]int64{}, Notes: map[string]int64{}, EventTypes: map[string]int{}, Conflicts: []Conflict{}, Failures: []Conflict{},
		File: o.Path, Mode: string(r.o.As), DryRun: o.DryRun,
	}
	if r.m == nil {
		return *r.rep, fault.New(fault.Invalid, "csvfile.Import", "a mapping is required")
	}
	r.rep.Kind, r.rep.Mapping, r.rep.Channel = r.m.Kind, r.m.Name, r.m.Channel
	if err := r.check(); err != nil {
		return *r.rep, err
	}
	r.rej.path = o.Rejects
	defer r.rej.abandon()
	err := r.main()
	secs := r.now().Sub(r.start).Seconds()
	r.rep.Seconds = secs
	if secs > 0 {
		r.rep.RowsPerS = float64(int64(float64(r.rep.Rows) / secs))
	}
	if err == nil {
		r.rep.RejectsFile, err = r.rej.close()
	}
	if err == nil {
		r.progress("done")
	}
	return *r.rep, err
}

func (r *run) check() error {
	if r.o.Kind != "" && r.o.Kind != r.m.Kind {
		return fault.New(fault.Invalid, "csvfile.Import", "the mapping %s is for %s, not for %s", r.m.Name, r.m.Kind, r.o.Kind)
	}
	if r.o.As != event.History && r.o.As != event.Live {
		return fault.New(fault.Invalid, "csvfile.Import", "--as must be history or live, got %q", r.o.As)
	}
	if r.o.Sink == nil && !r.o.DryRun {
		return fault.New(fault.Internal, "csvfile.Import", "no sink")
	}
	return nil
}

func (r *run) main() error {
	src, size, err := openRows(r.o.Path, r.m.File)
	if err != nil {
		return err
	}
	r.size = size
	if r.head, err = readHeader(src, r.m.File, r.o.Path); err != nil {
		_ = src.Close() // the error that counts is told
		return err
	}
	r.rej.header = r.head.names
	r.nums = r.m.numbers
	_, r.nums.raw = src.(*xlsxReader)
	b, err := newBinder(r.m, r.head, &r.nums, filepath.Dir(r.o.Path), r.o.With)
	if err != nil {
		_ = src.Close() // the error that counts is told
		return err
	}
	var plan *ordersPlan
	var simple *simplePlan
	if r.m.Kind == Orders {
		plan = b.bindOrders()
	} else {
		simple = b.bindSimple()
	}
	if len(b.ps) > 0 {
		_ = src.Close() // the error that counts is told
		return fault.Problems("csvfile.Import", b.ps)
	}
	last, err := r.scan(src, plan)
	if cerr := src.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	src, _, err = openRows(r.o.Path, r.m.File)
	if err != nil {
		return err
	}
	defer src.Close()
	if _, err := readHeader(src, r.m.File, r.o.Path); err != nil {
		return err
	}
	if plan != nil {
		err = r.orders(src, plan, last)
	} else {
		err = r.simple(src, simple)
	}
	for n, c := range src.notes() {
		r.rep.Notes[n] += c
	}
	for i, t := range b.tables {
		if plan != nil && i == plan.linesIdx {
			t.report.Unused = r.unused(plan, t)
		}
		r.rep.Joins = append(r.rep.Joins, t.report)
	}
	return err
}

// scan is the first pass: it counts the rows and learns on which row each
// order ends, so that the second pass holds only orders that are still open.
func (r *run) scan(src rowSource, p *ordersPlan) (map[uint64]int64, error) {
	var last map[uint64]int64
	if p != nil {
		last = map[uint64]int64{}
	}
	for {
		rec, err := src.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		r.total++
		if r.total%progressEvery == 0 {
			if err := r.ctx.Err(); err != nil {
				return nil, err
			}
			r.tell(Progress{Phase: "reading", Rows: r.total, Bytes: src.done(), Size: r.size})
		}
		if p == nil || rec.bad != "" {
			continue
		}
		p.ctx.set(rec.fields)
		if number, err := p.number.value(p.ctx); err == nil && number != "" {
			last[maphash.String(p.seed, number)] = r.total
		}
	}
	sum, err := fileSum(r.o.Path)
	r.sum = sum
	return last, err
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (r *run) tell(p Progress) {
	if r.o.Progress != nil {
		p.Elapsed = r.now().Sub(r.start)
		r.o.Progress(p)
	}
}

func (r *run) progress(phase string) {
	p := Progress{Phase: phase, Rows: r.rep.Rows, Total: r.total, Bytes: r.size, Size: r.size, Rejected: r.rep.Rejected}
	if r.out != nil {
		p.Events, p.AllEvents = r.out.gone, int64(r.out.n)
	}
	r.tell(p)
}

// outbox returns the way out for events, which tells how far it is once all rows are mapped.
func (r *run) outbox() *outbox {
	r.out = newOutbox(r.ctx, r.o.Sink, r.rep, r.o.DryRun)
	r.out.told = func() {
		if r.rep.Rows == r.total {
			r.progress("deciding")
		}
	}
	return r.out
}

// row counts a row and does the checks that all kinds share; ok is false when it is rejected already.
func (r *run) row(rec *record) (ok bool, err error) {
	r.rep.Rows++
	if r.rep.Rows%progressEvery == 0 {
		if err := r.ctx.Err(); err != nil {
			return false, fault.Wrap(err, fault.Unavailable, "csvfile.Import", "the import was stopped; start it again and it goes on where it stopped")
		}
		r.progress("mapping")
	}
	if rec.bad != "" {
		return false, r.reject(rec.line, rec.fields, reject("malformed row", "%s", rec.bad))
	}
	n := len(r.head.names)
	if len(rec.fields) > n {
		for _, f := range rec.fields[n:] {
			if strings.TrimSpace(f) != "" {
				return false, r.reject(rec.line, rec.fields, reject("too many fields", "%d, the header has %d", len(rec.fields), n))
			}
		}
	}
	if len(rec.fields) < n && r.m.File.Ragged != "pad" {
		return false, r.reject(rec.line, rec.fields, reject("too few fields", "%d, the header has %d", len(rec.fields), n))
	}
	return true, nil
}

func (r *run) reject(line int, fields []string, why *rejection) error {
	r.rep.Rejected++
	reason := why.reason
	if _, ok := r.rep.Reasons[reason]; !ok && len(r.rep.Reasons) >= 200 {
		reason = "other reasons"
	}
	r.rep.Reasons[reason]++
	return r.rej.write(line, why.Error(), fields)
}

// orders is the second pass over an orders file.
func (r *run) orders(src rowSource, p *ordersPlan, last map[uint64]int64) error {
	mk := &maker{p: p, mode: r.o.As, source: r.o.Source, actor: r.o.Actor, location: r.location(), now: r.start}
	if mk.source == "" {
		mk.source = "import:" + r.m.Channel
	}
	if mk.mode == event.Live && mk.location == "" && p.canMove() {
		return fault.New(fault.Invalid, "csvfile.Import",
			"live, this mapping moves stock: say where with --location, or live_location in the mapping")
	}
	p.ctx.noted = r.rep.note
	out := r.outbox()
	open := map[string]*draft{}
	var sum moneySum
	nobody := newDraft("") // rows without a number: only to recognise equal ones
	for n := int64(1); ; n++ {
		rec, err := src.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		readable := rec.bad == ""
		ok, err := r.row(&rec)
		if err != nil {
			return err
		}
		if !readable {
			continue
		}
		p.ctx.set(rec.fields)
		number, nerr := p.number.value(p.ctx)
		d := nobody
		if nerr == nil && number != "" {
			if d = open[number]; d == nil {
				d = newDraft(strings.Clone(number))
				open[d.number] = d
			}
		}
		if ok {
			if err := r.takeRow(p, d, &rec, nerr); err != nil {
				return err
			}
		}
		if d == nobody {
			if len(d.rows) > 100_000 {
				nobody = newDraft("") // bounded: beyond it equal rows are each rejected
			}
			continue
		}
		if r.held > maxHeld {
			return fault.New(fault.Invalid, "csvfile.Import", "more than %d rows belong to orders that go on further down; sort the file by order number", maxHeld)
		}
		if last[maphash.String(p.seed, number)] <= n {
			delete(open, number)
			r.held -= len(d.rows)
			if err := r.close(mk, d, out, &sum); err != nil {
				return err
			}
		}
	}
	for number, d := range open { // only if the file changed between the passes
		delete(open, number)
		if err := r.close(mk, d, out, &sum); err != nil {
			return err
		}
	}
	sum.report(r.rep)
	return out.finish()
}

func (r *run) takeRow(p *ordersPlan, d *draft, rec *record, nerr error) error {
	if p.again(d, row{line: rec.line, fields: rec.fields}) {
		r.rep.Duplicates++
		return nil
	}
	if d.number != "" {
		r.held++
	}
	err := nerr
	if err == nil && d.number == "" {
		err = reject("no order number", "%s", p.number.label())
	}
	if err == nil && len(d.number) > event.MaxID {
		err = reject("a text is too long", "order number has %d bytes, the limit is %d", len(d.number), event.MaxID)
	}
	if err == nil {
		err = p.take(d)
	}
	if err == nil {
		return nil
	}
	why, ok := asRejection(err)
	if !ok {
		return err
	}
	return r.reject(rec.line, rec.fields, why)
}

// close turns a complete draft into events, or rejects its rows together.
func (r *run) close(mk *maker, d *draft, out *outbox, sum *moneySum) error {
	if d.accepted == 0 {
		return nil
	}
	m, err := mk.events(d)
	if err != nil {
		why, ok := asRejection(err)
		if !ok {
			return err
		}
		for _, row := range d.rows {
			if row.ok {
				if err := r.reject(row.line, row.fields, why); err != nil {
					return err
				}
			}
		}
		return nil
	}
	r.rep.Accepted += d.accepted
	r.rep.Orders += m.orders
	r.rep.Returns += m.returns
	r.rep.Adjustments += m.adjustments
	r.rep.OrderUnits += d.sold
	r.rep.ReturnUnits += d.back
	r.rep.AdjustedUnits += d.adjusted
	r.rep.Units += d.sold - d.back + d.adjusted
	sum.merge(&d.sum)
	for _, n := range d.notes {
		r.rep.note(n)
	}
	for _, s := range d.seen {
		out.seen(s.sku, s.title, mk.p.isService(s.sku), s.sold)
	}
	for _, it := range m.items {
		if err := out.add(it); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) location() string {
	if r.o.Location != "" {
		return r.o.Location
	}
	return r.m.location
}

// unused counts the rows of the line file that no accepted or rejected order asked for.
func (r *run) unused(p *ordersPlan, t *joinTable) int64 {
	var n int64
	for key, rows := range t.index {
		if !p.asked[key] {
			n += int64(len(rows))
		}
	}
	return n
}
