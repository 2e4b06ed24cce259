package backtest

import (
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// History reads the recorded decisions again, in the order they were made. It
// holds a few thousand rows at a time and no transaction for long.
type History struct {
	DB    *store.DB
	Keys  *store.Keyring
	Email bool                  // open the sealed personal data, for conditions on customer.email
	Types func(typ string) bool // whose payloads are decoded; nil = all

	bare bool // rows only
}

// Entry is one recorded decision, as it is read again.
type Entry struct {
	store.HistoryRow
	Event    event.Event // with identity and gist; Data is nil where it was not decoded
	From, To order.State // the recorded change of the order's state; "" when there was none

	before before
	asked  []answer
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
	bare.bare = true
	err = bare.walk(ctx, stages{done: func(c *chunk) error {
		rows += int64(len(c.entries))
		bytes += c.bytes
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
	entries []Entry
	from    int64 // place in the history, for progress
	span    int64
	bytes   int64
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
	lo, hi int64
	c      *chunk
	read   chan error
	asked  chan error
}

// walk runs the stages over the whole history.
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
	n := max(2, min(runtime.GOMAXPROCS(0), 4))
	work := make(chan func())
	reading, asking := make(chan *job, n+1), make(chan *job, n+1)
	var wg, pool sync.WaitGroup
	for range n {
		pool.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	var skip atomic.Int64 // there is nothing below this number that has not been given out
	wg.Go(func() {
		defer close(reading)
		for lo := first; lo <= last && ctx.Err() == nil; {
			j := &job{lo: lo, hi: min(lo+chunkRows, last+1), read: make(chan error, 1), asked: make(chan error, 1)}
			select {
			case reading <- j:
			case <-ctx.Done():
				return
			}
			work <- func() { j.read <- h.read(ctx, j, &skip) }
			lo = max(j.hi, skip.Load())
		}
	})
	wg.Go(func() {
		defer close(asking)
		for j := range reading {
			err := <-j.read
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
	}
	wg.Wait()
	close(work)
	pool.Wait()
	return context.Cause(ctx)
}

// read fills a job's chunk.
func (h *History) read(ctx context.Context, j *job, skip *atomic.Int64) error {
	c := &chunk{from: j.lo, span: j.hi - j.lo}
	j.c = c
	return h.DB.View(ctx, func(tx *store.Tx) error {
		c.entries = make([]Entry, 0, j.hi-j.lo)
		err := tx.History(j.lo, j.hi, func(r store.HistoryRow) error {
			c.entries = append(c.entries, Entry{HistoryRow: r})
			return nil
		})
		if err != nil {
			return err
		}
		if len(c.entries) == 0 { // a hole in the numbers: go on behind it
			next, ok, err := tx.HistoryAfter(j.hi - 1)
			if err == nil && ok && next > skip.Load() {
				skip.Store(next)
			}
			return err
		}
		for i := range c.entries {
			c.bytes += c.entries[i].size()
		}
		if h.bare {
			return nil
		}
		for i := range c.entries {
			if err := h.decode(&c.entries[i]); err != nil {
				return err
			}
		}
		return h.unseal(tx, c)
	})
}

func (e *Entry) size() int64 { return int64(len(e.Data) + len(e.Facts) + len(e.Trace) + len(e.Gist)) }

// decode makes the event of a row.
func (h *History) decode(e *Entry) error {
	e.From, e.To = stateChange(e.Trace)
	ev := &e.Event
	*ev = event.Event{
		ID: e.ID, Seq: e.Seq, Source: e.Source, Key: e.Key, Type: e.Type, Subject: e.Subject, At: e.At, Mode: e.Mode,
		Actor: e.Actor, Depth: e.Depth,
	}
	if e.Gist != "" {
		who, g, ok := event.DecodeGist(e.Gist)
		if !ok {
			return fault.New(fault.Internal, "backtest.decode", "the gist of event %s cannot be read", e.ID)
		}
		ev.Who, ev.Gist = who, &g
	}
	ev.Who.Customer = e.CustomerID
	if h.Types != nil && !h.Types(e.Type) {
		return nil
	}
	data, err := event.Decode(e.Type, []byte(e.Data))
	if err != nil {
		return fault.Wrap(err, fault.Internal, "backtest.decode", "event %s cannot be read", e.ID)
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
func (h *History) unseal(tx *store.Tx, c *chunk) error {
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
	sealed, err := tx.SealedOf(seqs)
	if err != nil {
		return err
	}
	slices.Sort(customers)
	keys, err := store.Customers(tx, slices.Compact(customers))
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
			e.Event.Who = engine.Identify(h.Keys, whole)
			e.Event.Who.Customer = e.CustomerID
		}
	}
	return nil
}
