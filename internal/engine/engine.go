package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/store"
)

// Status says what became of a submitted event.
type Status string

// The statuses. Refused is for a clerk's own action that contradicts what is
// recorded: nothing is kept of it, the person corrects it and tries again.
const (
	Decided     Status = "decided"
	Duplicate   Status = "duplicate"   // known before, with the same payload: nothing changed
	Conflict    Status = "conflict"    // known before with another payload: refused, recorded, never applied
	Quarantined Status = "quarantined" // kept, but its decision failed; a person must look
	Refused     Status = "refused"
)

// Outcome is the answer for one event.
type Outcome struct {
	EventID string
	Status  Status
	Reason  string
	Subject string
}

// Options of an engine. DB and Keyring are required.
type Options struct {
	DB       *store.DB
	Keyring  *store.Keyring
	Now      func() time.Time // the node's clock
	Logger   *slog.Logger
	Ports    Ports             // where effects go
	Schedule *connect.Schedule // of delivery attempts; nil = connect.Default
	BaseURL  string            // of the console, for links in messages
	Tracer   *observe.Tracer   // nil: no traces
	Old      Reasons           // of archived events; nil: there are none
	// Rates names the learned rates whose silence is noticed, as watch.KnownRates does, for the map; nil: none are learned.
	Rates func(tx *store.Tx, policy *decide.Policy, now time.Time) ([]string, error)
}

// Reasons has the facts and the traces of events that were archived; archive.Dir implements it.
type Reasons interface {
	Reasons(file string, seq int64, id string) (facts, trace string, err error)
}

// Engine decides events and delivers effects. Make it with New, stop it with Close.
type Engine struct {
	db       *store.DB
	keys     *store.Keyring
	now      func() time.Time
	log      *slog.Logger
	opts     Options
	loaded   atomic.Pointer[loaded]
	tables   atomic.Pointer[tables]
	findings findings // of the current policy
	past     Past     // nil: nobody asks it
	// versions are automations by hash, as runs began with them: *automation.Automation
	versions sync.Map
	kits     sync.Map // parts of kits by SKU, see partsOf: []string
	clock    clock    // schedules
	queue    chan *submission
	done     chan struct{}
	closed   atomic.Int64 // when Close was called, in microseconds
	wg       sync.WaitGroup
	watch    watchers
	stats    Stats
	node     string // one process
	tally    tally
	records  records

	suggested suggested
	mapped    mapped // when the system map was kept last

	mu      sync.Mutex // guards the two below: Run may start while Close stops
	workers func(context.Context) error
	cancel  context.CancelFunc
}

// Stats counts since the start.
type Stats struct {
	Groups, Events, Duplicates, Quarantined, EffectsDone, EffectsFailed atomic.Int64
}

// submission is a list of prepared events whose caller waits. They are decided
// in one commit, in order.
type submission struct {
	ctx   context.Context
	evs   []prepared
	out   []Outcome
	err   error
	ready chan struct{}
}

// maxGroup bounds the events of one commit; a larger submission is a group of its own.
const maxGroup = 400

// Committers is how many groups are on their way at a time. On SQLite two: while one waits for the disk, the next is
// gathered and decided. On PostgreSQL a group holds its locks until it is durable, and orders of a busy shop share products,
// so the groups of several nodes wait for each other, and more of them wait longer; a node that is alone gains
// nothing by two: docs/scale.md has the figures.
func Committers(db *store.DB) int {
	if db.Engine() == "postgres" {
		return 1
	}
	return 2
}

// New starts an engine on an open store: it loads the policy and begins to take events.
func New(ctx context.Context, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		db: o.DB, keys: o.Keyring, now: o.Now, log: o.Logger, opts: o,
		node: uuid.NewString(), queue: make(chan *submission, 1024), done: make(chan struct{}),
	}
	if err := e.Reload(ctx); err != nil {
		return nil, err
	}
	for range Committers(e.db) {
		e.wg.Go(e.commitLoop)
	}
	return e, nil
}

// Close stops taking events, finishes the commit that is running, and stops the workers.
func (e *Engine) Close(ctx context.Context) error {
	e.closed.Store(time.Now().UnixMicro())
	close(e.done)
	e.mu.Lock()
	cancel, workers := e.cancel, e.workers
	e.mu.Unlock()
	var err error
	if cancel != nil {
		cancel()
	}
	if workers != nil {
		err = workers(ctx)
	}
	e.wg.Wait()
	return err
}

// Stats returns the live counters.
func (e *Engine) Stats() *Stats { return &e.stats }

// Policy returns the policy that decisions are made under now.
func (e *Engine) Policy() *decide.Policy { return e.loaded.Load().policy }

// Submit makes the events durable and decided, in their order and in one
// commit, and returns an outcome for each. On an error nothing of the
// submission was kept. Submitting again what was answered, or may have been,
// is safe: the natural key makes it a duplicate.
func (e *Engine) Submit(ctx context.Context, evs []event.Event) ([]Outcome, error) {
	if len(evs) == 0 {
		return nil, nil
	}
	s := &submission{ctx: ctx, ready: make(chan struct{}), evs: make([]prepared, len(evs))}
	for i := range evs {
		if err := e.prepare(&evs[i], &s.evs[i]); err != nil {
			return nil, err
		}
	}
	if e.opts.Tracer != nil {
		return e.traced(ctx, s)
	}
	return e.enqueue(ctx, s)
}

// enqueue hands a prepared submission to the committer and waits for its answer.
func (e *Engine) enqueue(ctx context.Context, s *submission) ([]Outcome, error) {
	select {
	case e.queue <- s:
	case <-e.done:
		return nil, fault.New(fault.Unavailable, "engine.Submit", "the server is stopping; send it again in a moment")
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "engine.Submit", "too busy to take the event in time; send it again")
	}
	select {
	case <-s.ready:
		return s.out, s.err
	case <-e.done:
		select { // the last commit may just have answered
		case <-s.ready:
			return s.out, s.err
		case <-time.After(5 * time.Second):
			return nil, fault.New(fault.Unavailable, "engine.Submit", "the server stopped before it answered; send it again")
		}
	}
}

// group is what one commit decides. While it is open, more may join.
type group struct {
	subs []*submission
	open bool
}

// commitLoop takes what waits, as one group, commits it, and begins again.
func (e *Engine) commitLoop() {
	ctx := context.WithoutCancel(context.Background())
	for {
		select {
		case s := <-e.queue:
			e.commitGroup(ctx, &group{subs: []*submission{s}, open: true})
		case <-e.done:
			for { // answer those who got in before the end
				select {
				case s := <-e.queue:
					e.commitGroup(ctx, &group{subs: []*submission{s}})
				default:
					return
				}
			}
		}
	}
}

// gather adds what waits to a group that is open. It is called when the transaction has
// begun: what came while the group waited for that is decided with it.
func (e *Engine) gather(g *group) {
	if !g.open {
		return
	}
	g.open = false
	limit := min(maxGroup, e.db.MaxGroup())
	for n := len(g.subs[0].evs); n < limit; {
		select {
		case s := <-e.queue:
			g.subs = append(g.subs, s)
			n += len(s.evs)
		default:
			return
		}
	}
}

// commitGroup decides and commits a group, and answers its callers. When the
// group fails as a whole, its submissions are committed one by one, so that the
// one that cannot be stored fails alone.
func (e *Engine) commitGroup(ctx context.Context, g *group) {
	err := e.commit(ctx, g)
	if err != nil && len(g.subs) > 1 {
		e.log.Warn("a group failed; its submissions are committed one by one", "err", err)
		for _, s := range g.subs {
			e.commitGroup(ctx, &group{subs: []*submission{s}})
		}
		return
	}
	for _, s := range g.subs {
		if err != nil {
			s.out, s.err = nil, e.unavailable(err)
		}
		close(s.ready)
	}
}

func (e *Engine) unavailable(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	e.log.Error("a commit failed", "err", err)
	return fault.Wrap(err, fault.Unavailable, "engine.commit", "the event could not be stored; nothing was changed; send it again")
}
