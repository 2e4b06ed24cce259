package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"orderly.example/orderly/internal/fault"
)

// EffectsPerJob bounds the effects that one delivery job names.
const EffectsPerJob = 20

// Job is work to be done after the commit that enqueued it, by any node. There
// are two kinds for ever: a node that meets a kind it does not know would throw it away.
type Job struct {
	deliver *DeliverJob
	wake    *WakeJob
	at      time.Time
}

// DeliverJob asks to attempt effects of one destination.
type DeliverJob struct {
	Destination string   `json:"destination"`
	Effects     []string `json:"effects"` // ids, at most EffectsPerJob
}

// WakeJob asks the engine to look for what is due.
type WakeJob struct {
	Reason string `json:"reason"`
}

// Kind implements River's JobArgs.
func (DeliverJob) Kind() string { return "deliver" }

// Kind implements River's JobArgs.
func (WakeJob) Kind() string { return "wake" }

// Deliver is a job that attempts effects of one destination now.
func Deliver(destination string, effects []string) Job {
	return Job{deliver: &DeliverJob{Destination: destination, Effects: effects}}
}

// Wake is a job that wakes the engine now.
func Wake(reason string) Job { return Job{wake: &WakeJob{Reason: reason}} }

// At is the same job, not before t.
func (j Job) At(t time.Time) Job { j.at = t; return j }

// ErrLater is what a delivery answers that left some of its effects alone: they are offered again soon.
var ErrLater = errors.New("store: the rest of the job later")

// Handlers work the jobs. Both may be called again with the same job. Their context ends
// with the time of the job, or when a stop has waited long enough: never because
// a stop was asked for.
type Handlers struct {
	Deliver func(ctx context.Context, j DeliverJob) error
	Wake    func(ctx context.Context, j WakeJob) error
}

// DefaultDeliveries is how many delivery jobs a node works on at a time.
const DefaultDeliveries = 12

// WorkerOptions bound the work of one node.
type WorkerOptions struct {
	Deliveries int           // delivery jobs at a time, half of them of one destination at most; 0 = DefaultDeliveries
	Timeout    time.Duration // of one job, 0 = 55 s; less than rescueAfter
}

// rescueAfter is when a job that no node reports on any more is given to another.
const rescueAfter = 60 * time.Second

func (o WorkerOptions) withDefaults() WorkerOptions {
	if o.Deliveries <= 0 {
		o.Deliveries = DefaultDeliveries
	}
	if o.Timeout <= 0 {
		o.Timeout = 55 * time.Second
	}
	return o
}

// quiet lets through what River says at warning level and above.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(as []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(as)} }

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// riverClient is the client that inserts jobs.
func riverClient(pool *pgxpool.Pool, log *slog.Logger) (*river.Client[pgx.Tx], error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: quiet(log)})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "store.Open", "the job queue cannot be used")
	}
	return c, nil
}

// Queues of River: a wake must not wait behind deliveries.
const (
	deliverQueue = "deliver"
	wakeQueue    = "wake"
)

// Enqueue adds jobs to the transaction: they exist if and only if it commits.
//
// On SQLite there is one process and the effect and timer tables are the queue:
// a delivery is found there by the dispatcher, which is woken after the commit
// (docs/adr/ says what was measured).
func (tx *Tx) Enqueue(jobs ...Job) error {
	if len(jobs) == 0 {
		return nil
	}
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if tx.lite != nil {
		tx.AfterCommit(func() { tx.db.call(jobs) })
		return nil
	}
	if err := tx.flush(); err != nil {
		return err
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		opts := &river.InsertOpts{MaxAttempts: 5, ScheduledAt: j.at}
		if j.deliver != nil {
			if len(j.deliver.Effects) > EffectsPerJob {
				return fault.New(fault.Internal, "store.Enqueue", "%d effects in one job", len(j.deliver.Effects))
			}
			opts.Queue = deliverQueue
			params[i] = river.InsertManyParams{Args: *j.deliver, InsertOpts: opts}
			continue
		}
		opts.Queue = wakeQueue
		params[i] = river.InsertManyParams{Args: *j.wake, InsertOpts: opts}
	}
	// Not the variant that copies: for the few jobs of a group its round trips cost more than the rows.
	_, err := tx.db.pg.river.InsertManyTx(tx.ctx, tx.pg, params)
	return explain(err)
}

// call tells the dispatcher of this process that there is work. Calls that nobody
// has answered yet become one: whoever answers looks at everything that is due.
func (db *DB) call(jobs []Job) {
	for _, j := range jobs {
		to := db.woken
		if j.wake != nil {
			to = db.wakes
		}
		ring := func() {
			select {
			case to <- struct{}{}:
			default:
			}
		}
		if wait := j.at.Sub(db.now()); wait > 0 {
			time.AfterFunc(wait, ring) // lost with the process; what it calls for is a row that is found without it
			continue
		}
		ring()
	}
}

type deliverWorker struct {
	river.WorkerDefaults[DeliverJob]
	do    func(context.Context, DeliverJob) error
	hands hands
}

// Work implements river.Worker. A job that gets no hand for a while steps back: each time is two writes of the queue.
func (w *deliverWorker) Work(ctx context.Context, j *river.Job[DeliverJob]) error {
	dest := j.Args.Destination
	if !w.hands.take(ctx, dest) {
		return river.JobSnooze(time.Second)
	}
	defer w.hands.give(dest)
	err := w.do(ctx, j.Args)
	if errors.Is(err, ErrLater) {
		return river.JobSnooze(time.Second)
	}
	return err
}

type wakeWorker struct {
	river.WorkerDefaults[WakeJob]
	do func(context.Context, WakeJob) error
}

// Work implements river.Worker.
func (w *wakeWorker) Work(ctx context.Context, j *river.Job[WakeJob]) error { return w.do(ctx, j.Args) }

// StartWorkers works the jobs of the store on this node until stop is called
// or ctx ends. stop waits for the jobs that are running until its own ctx ends.
func (db *DB) StartWorkers(ctx context.Context, h Handlers, o WorkerOptions) (stop func(context.Context) error, err error) {
	o = o.withDefaults()
	if db.lite != nil {
		return startDispatcher(ctx, db, h, o), nil
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &deliverWorker{do: h.Deliver, hands: newHands(o.Deliveries)})
	river.AddWorker(workers, &wakeWorker{do: h.Wake})
	poll := time.Second // the insert notifies; this is for the notification that was lost
	if db.pg.pooled {
		poll = 100 * time.Millisecond // no session to be notified in
	}
	c, err := river.NewClient(riverpgxv5.New(db.pg.pool), &river.Config{
		Logger:               quiet(db.log),
		Workers:              workers,
		JobTimeout:           o.Timeout,
		RescueStuckJobsAfter: rescueAfter,
		// With it the end of ctx lets running jobs finish, as stop does; without, it would tear a mail out
		// of its hand-over, and nobody could say whether it left.
		SoftStopTimeout:   o.Timeout,
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: poll,
		PollOnly:          db.pg.pooled,
		Queues: map[string]river.QueueConfig{
			deliverQueue: {MaxWorkers: waitPerHand * o.Deliveries},
			wakeQueue:    {MaxWorkers: 1},
		},
		CompletedJobRetentionPeriod: time.Hour, // the effect table is the record that people read
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "store.StartWorkers", "the job queue cannot be used")
	}
	if err := c.Start(ctx); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store.StartWorkers", "the job queue could not be started")
	}
	return func(ctx context.Context) error {
		if err := c.Stop(ctx); err != nil {
			return c.StopAndCancel(context.WithoutCancel(ctx))
		}
		return nil
	}, nil
}
