package backtest

import (
	"context"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/store"
)

// Reader is the read side of a store: the database, or a replica of it.
type Reader interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
}

// Archive has the facts and traces of old events, which are no longer in the database; archive.Dir implements it.
type Archive interface {
	// Fill completes rows of one file, in their order.
	Fill(name string, rows []*store.HistoryRow) error
}

// History reads the recorded decisions again, in the order they were made. It
// holds a few thousand rows at a time and no transaction for long.
type History struct {
	DB    Reader
	Keys  *store.Keyring
	Email bool                  // open the sealed personal data, for conditions on customer.email
	Types func(typ string) bool // whose events are decoded; nil = all
	Old   Archive               // has the reasons of archived events; nil: there is none

	bare  bool // rows only
	brief bool // nobody keeps an entry, or a text of it, longer than its chunk is looked at
}

// Entry is one recorded decision, as it is read again.
type Entry struct {
	*store.HistoryRow
	Event    event.Event // with identity and gist; empty where the payload was not wanted
	From, To order.State // the recorded change of the order's state; "" when there was none

	gist   event.Gist
	before before
	asked  []answer
	said   []said
	facts  decide.Facts
	rec    *decide.Recorded

	checked bool     // its stored facts were compared with folded ones
	wrong   []string // those that differ
}

// Placed returns the order this event brought in, or nil when it is none or nothing came of it.
func (e *Entry) Placed() *event.OrderPlaced {
	if e.From != order.Expected {
		return nil
	}
	p, _ := e.Event.Data.(*event.OrderPlaced)
	return p
}

// Stored returns the facts that were recorded with the decision.
func (e *Entry) Stored() (decide.Facts, error) { return decide.DecodeFacts([]byte(e.Facts)) }

// Recorded returns the trace of the decision.
func (e *Entry) Recorded() (decide.Trace, error) {
	var t decide.Trace
	if e.Trace == "" {
		return t, nil
	}
	if err := json.Unmarshal([]byte(e.Trace), &t); err != nil {
		return t, fault.Wrap(err, fault.Internal, "backtest.Recorded", "the trace of event %s cannot be read", e.ID)
	}
	return t, nil
}

// Read reads every row and looks at none: the time that a backtest is measured
// against. It returns how many there are and their size.
func (h *History) Read(ctx context.Context) (rows, bytes int64, err error) {
	bare := *h
	bare.bare, bare.brief = true, true
	err = bare.walk(ctx, stages{done: func(c *chunk) error {
		rows += int64(len(c.rows))
		for i := range c.rows {
			r := &c.rows[i]
			bytes += int64(len(r.Data) + len(r.Facts) + len(r.Trace) + len(r.Gist))
		}
		return nil
	}})
	return rows, bytes, err
}

// Each calls fn for every recorded decision, in order.
func (h *History) Each(ctx context.Context, fn func(*Entry) error) error {
	return h.walk(ctx, stages{done: func(c *chunk) error {
		for i := range c.entries {
			if err := fn(&c.entries[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

// chunk is what is read at once.
type chunk struct {
	rows    []store.HistoryRow
	entries []Entry
	from    int64 // place in the history, for progress
	span    int64
}

// stages of a walk. fold and done see the chunks one after the other, in order; ask sees several at once.
type stages struct {
	fold func(*chunk) error
	ask  func(*chunk) error
	done func(*chunk) error
}

// chunkRows is how many rows are read at once: enough to share the cost of a query, little enough to hold several.
const chunkRows = 500

// job is a chunk on its way.
type job struct {
	c       *chunk
	decoded chan error
	asked   chan error
}

// walk runs the stages over the whole history. One goroutine reads: two connections
// wait for each other in SQLite more than they gain.
func (h *History) walk(ctx context.Context, st stages) error {
	var first, last int64
	err := h.DB.View(ctx, func(tx *store.Tx) (err error) {
		first, last, err = tx.HistoryBounds()
		return err
	})
	if err != nil || last == 0 {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := max(2, min(runtime.NumCPU(), runtime.GOMAXPROCS(0), 4)) // a server's one more is for those who wait for an answer
	work, used := make(chan func()), make(chan *chunk, 2*n+4)
	decoding, asking := make(chan *job, n), make(chan *job, n)
	var wg, pool sync.WaitGroup
	for range n {
		pool.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	wg.Go(func() {
		defer close(decoding)
		for at := first; at <= last; {
			j := &job{decoded: make(chan error, 1), asked: make(chan error, 1)}
			select {
			case j.c = <-used:
			default:
				j.c = &chunk{}
			}
			next, err := h.read(ctx, j.c, at, last)
			if err != nil {
				cancel(err)
			}
			if ctx.Err() != nil {
				return
			}
			at = next
			if h.bare {
				j.decoded <- nil
			} else {
				work <- func() { j.decoded <- h.decode(ctx, j.c) }
			}
			decoding <- j
		}
	})
	wg.Go(func() {
		defer close(asking)
		for j := range decoding {
			err := <-j.decoded
			if err == nil && st.fold != nil {
				err = st.fold(j.c)
			}
			if err != nil {
				cancel(err)
			}
			if ctx.Err() != nil {
				continue
			}
			if st.ask == nil {
				j.asked <- nil
			} else {
				work <- func() { j.asked <- st.ask(j.c) }
			}
			asking <- j
		}
	})
	for j := range asking {
		err := <-j.asked
		if err == nil && ctx.Err() == nil {
			err = st.done(j.c)
		}
		if err != nil {
			cancel(err)
		}
		if h.brief {
			select {
			case used <- j.c:
			default:
			}
		}
	}
	wg.Wait()
	close(work)
	pool.Wait()
	return context.Cause(ctx)
}

// read fills a chunk from a place on, and returns where the next one begins.
func (h *History) read(ctx context.Context, c *chunk, lo, last int64) (next int64, err error) {
	hi := min(lo+chunkRows, last+1)
	c.from, c.span, next = lo, hi-lo, hi
	err = h.DB.View(ctx, func(tx *store.Tx) (err error) {
		if c.rows, err = tx.History(lo, hi, c.rows[:0]); err != nil || len(c.rows) > 0 {
			return err
		}
		seq, ok, err := tx.HistoryAfter(hi - 1)
		if ok { // a hole in the numbers: go on behind it
			next = seq
		}
		return err
	})
	if err == nil {
		err = h.complete(c.rows)
	}
	return next, err
}

// complete gives archived events their reasons back.
func (h *History) complete(rows []store.HistoryRow) error {
	files := map[string][]*store.HistoryRow{}
	for i := range rows {
		if r := &rows[i]; r.Archive != "" {
			files[r.Archive] = append(files[r.Archive], r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if h.Old == nil {
			return fault.New(fault.NotFound, "backtest", "the reasons of events of %s are in an archive; name its folder with --archive-dir", name)
		}
		if err := h.Old.Fill(name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

// decode makes the entries of a chunk.
func (h *History) decode(ctx context.Context, c *chunk) error {
	if cap(c.entries) < len(c.rows) {
		c.entries = make([]Entry, len(c.rows), max(chunkRows, len(c.rows)))
	}
	c.entries = c.entries[:len(c.rows)]
	for i := range c.entries {
		if err := h.entry(&c.entries[i], &c.rows[i]); err != nil {
			return err
		}
	}
	return h.unseal(ctx, c)
}

// entry makes the event of a row, in an entry that may have been used before.
func (h *History) entry(e *Entry, r *store.HistoryRow) error {
	*e = Entry{HistoryRow: r, asked: e.asked[:0], said: e.said[:0], before: before{queries: e.before.queries[:0], counts: e.before.counts[:0]}}
	e.From, e.To = stateChange(r.Trace)
	if h.Types != nil && !h.Types(r.Type) {
		return nil
	}
	if !h.brief { // what is kept of it must not keep the whole row
		r.Own()
	}
	ev := &e.Event
	*ev = event.Event{
		ID: r.ID, Seq: r.Seq, Source: r.Source, Key: r.Key, Type: r.Type, Subject: r.Subject, At: r.At, Mode: r.Mode,
		Actor: r.Actor, Depth: int(r.Depth),
	}
	if r.Gist != "" {
		var ok bool
		if ev.Who, e.gist, ok = event.DecodeGist(r.Gist); !ok {
			return fault.New(fault.Internal, "backtest.decode", "the gist of event %s cannot be read", r.ID)
		}
		ev.Gist = &e.gist
	}
	ev.Who.Customer = r.CustomerID
	data, err := event.DecodeText(r.Type, r.Data)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "backtest.decode", "event %s cannot be read", r.ID)
	}
	ev.Data = data
	return nil
}

// stateChange reads the change of an order's state from a trace, where it stands first.
func stateChange(trace string) (from, to order.State) {
	rest, ok := strings.CutPrefix(trace, `{"from":"`)
	if !ok {
		return "", ""
	}
	f, rest, ok := strings.Cut(rest, `","to":"`)
	if !ok {
		return "", ""
	}
	t, _, _ := strings.Cut(rest, `"`)
	return order.State(f), order.State(t)
}

// unseal gives the orders of a chunk their personal data back where it is needed:
// for conditions on it, and for rows that are older than the gist.
func (h *History) unseal(ctx context.Context, c *chunk) error {
	var seqs []int64
	var customers []string
	need := func(e *Entry) bool {
		return e.Type == "order.placed" && e.From == order.Expected && (h.Email || e.Event.Gist == nil)
	}
	for i := range c.entries {
		if e := &c.entries[i]; need(e) {
			seqs, customers = append(seqs, e.Seq), append(customers, e.CustomerID)
		}
	}
	if len(seqs) == 0 {
		return nil
	}
	slices.Sort(customers)
	var sealed map[int64]string
	var keys map[string]store.CustomerDoc
	err := h.DB.View(ctx, func(tx *store.Tx) (err error) {
		if sealed, err = tx.SealedOf(seqs); err != nil {
			return err
		}
		keys, err = store.Customers(tx, slices.Compact(customers))
		return err
	})
	if err != nil {
		return err
	}
	for i := range c.entries {
		e := &c.entries[i]
		p, ok := e.Event.Data.(*event.OrderPlaced)
		if !need(e) || !ok {
			continue
		}
		person, err := h.Keys.Open(e.CustomerID, keys[e.CustomerID].Key, sealed[e.Seq])
		if err != nil {
			return err
		}
		whole := p.Fill(person).(*event.OrderPlaced)
		e.Event.Data = whole
		if e.Event.Gist == nil {
			e.Event.Who = risk.Identify(h.Keys.Hash, whole)
			e.Event.Who.Customer = e.CustomerID
		}
	}
	return nil
}
