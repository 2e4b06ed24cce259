package csvfile

import (
	"container/heap"
	"context"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

// Result is the sink's answer to one event.
type Result struct {
	Status string // Decided, Duplicate, Quarantined or Conflicting
	Reason string
}

// Statuses of a Result.
const (
	Decided     = "decided"
	Duplicate   = "duplicate"
	Quarantined = "quarantined"
	Conflicting = "conflict"
)

// Sink takes what an import brings.
type Sink interface {
	// Submit decides events in their order and answers each; it is called with
	// events in chronological order. An error means that none of them was taken.
	// Event.Hash, Received and Seq are the sink's to fill.
	Submit(ctx context.Context, evs []event.Event) ([]Result, error)
	// PutProducts writes products and returns how many changed. With onlyNew,
	// those that exist stay as they are: products seen in order lines must not
	// overwrite what a products import said.
	PutProducts(ctx context.Context, ps []catalog.Product, onlyNew bool) (changed int, err error)
	// PutLocations writes locations and returns how many changed.
	PutLocations(ctx context.Context, ls []catalog.Location) (changed int, err error)
}

// Sizes of what is held back and handed over at once.
const (
	batchEvents = 400
	batchLines  = 10_000 // order lines; invoices with a thousand lines exist
	windowLines = 500_000
	putBatch    = 1_000
)

// item is an event on its way out.
type item struct {
	ev    event.Event
	line  int   // of the file
	rows  int64 // accepted rows that stand behind it, counted on an order's first event only
	lines int   // order lines it carries, for the size of a batch
	n     int   // ties at the same time leave in the order they came
}

// outbox sorts events by time and submits them in batches. Files are often
// sorted the other way round, or by number; facts such as "earlier orders of
// this customer" are only right in the order of time. It holds up to
// windowLines order lines: more than that leaves sorted within the window.
type outbox struct {
	ctx      context.Context
	sink     Sink
	rep      *Report
	dry      bool
	win      window
	held     int
	n        int   // events made
	gone     int64 // events handed over
	told     func()
	limit    int
	batch    []*item
	evs      []event.Event
	lines    int
	products map[string]*catalog.Product // seen, not handed over
	known    map[string]bool             // handed over
	put      []catalog.Product
}

func newOutbox(ctx context.Context, sink Sink, rep *Report, dry bool) *outbox {
	return &outbox{
		ctx: ctx, sink: sink, rep: rep, dry: dry, limit: windowLines,
		products: map[string]*catalog.Product{}, known: map[string]bool{},
	}
}

type window []*item

func (w window) Len() int { return len(w) }
func (w window) Less(i, j int) bool {
	if !w[i].ev.At.Equal(w[j].ev.At) {
		return w[i].ev.At.Before(w[j].ev.At)
	}
	return w[i].n < w[j].n
}
func (w window) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *window) Push(x any) { *w = append(*w, x.(*item)) }

// Pop implements heap.Interface.
func (w *window) Pop() any {
	old := *w
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	return x
}

// seen notes a product of an order line, to be put before the order is decided.
// A title from a sold line is better than one from a write-off, which often
// says what happened to the goods instead of what they are.
func (o *outbox) seen(sku, title string, untracked, sold bool) {
	if o.known[sku] {
		return
	}
	p := o.products[sku]
	if p == nil {
		o.products[sku] = &catalog.Product{SKU: sku, Untracked: untracked}
		p = o.products[sku]
	}
	if p.Title == "" && sold {
		p.Title = title
	}
}

func (o *outbox) add(it *item) error {
	o.rep.EventTypes[it.ev.Type]++
	it.n = o.n
	o.n++
	o.held += 1 + it.lines
	heap.Push(&o.win, it)
	for o.held > o.limit {
		if err := o.pop(); err != nil {
			return err
		}
	}
	return nil
}

func (o *outbox) pop() error {
	it := heap.Pop(&o.win).(*item)
	o.held -= 1 + it.lines
	o.batch = append(o.batch, it)
	o.lines += it.lines
	if len(o.batch) >= batchEvents || o.lines >= batchLines {
		return o.flush()
	}
	return nil
}

// finish submits all that is left.
func (o *outbox) finish() error {
	for len(o.win) > 0 {
		if err := o.pop(); err != nil {
			return err
		}
	}
	return o.flush()
}

func (o *outbox) flush() error {
	if err := o.ctx.Err(); err != nil {
		return fault.Wrap(err, fault.Unavailable, "csvfile.Import", "the import was stopped; start it again and it goes on where it stopped")
	}
	if err := o.putSeen(); err != nil {
		return err
	}
	if len(o.batch) == 0 {
		return nil
	}
	if !o.dry {
		o.evs = o.evs[:0]
		for i := range o.batch {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			o.batch[i].ev.ID = id.String()
			o.evs = append(o.evs, o.batch[i].ev)
		}
		res, err := o.sink.Submit(o.ctx, o.evs)
		if err != nil {
			return err
		}
		if len(res) != len(o.evs) {
			return fault.New(fault.Internal, "csvfile.Import", "%d answers to %d events", len(res), len(o.evs))
		}
		for i, r := range res {
			o.answer(o.batch[i], r)
		}
	}
	o.gone += int64(len(o.batch))
	clear(o.batch)
	o.batch, o.lines = o.batch[:0], 0
	if o.told != nil {
		o.told()
	}
	return nil
}

func (o *outbox) putSeen() error {
	if len(o.products) == 0 {
		return nil
	}
	o.put = o.put[:0]
	for sku, p := range o.products {
		o.put = append(o.put, *p)
		o.known[sku] = true
	}
	sortProducts(o.put)
	clear(o.products)
	o.rep.Products += int64(len(o.put))
	if o.dry {
		return nil
	}
	n, err := o.sink.PutProducts(o.ctx, o.put, true)
	o.rep.Changed += int64(n)
	return err
}

func (o *outbox) answer(it *item, r Result) {
	c := Conflict{Key: it.ev.Key, Line: it.line, Reason: r.Reason}
	switch r.Status {
	case Duplicate:
		o.rep.Events.Duplicate++
		o.rep.AlreadyKnown += it.rows
	case Quarantined:
		o.rep.Events.Quarantined++
		if len(o.rep.Failures) < maxListed {
			o.rep.Failures = append(o.rep.Failures, c)
		}
	case Conflicting:
		o.rep.Events.Conflict++
		o.rep.AlreadyKnown += it.rows
		if len(o.rep.Conflicts) < maxListed {
			o.rep.Conflicts = append(o.rep.Conflicts, c)
		}
	default:
		o.rep.Events.Decided++
	}
}
