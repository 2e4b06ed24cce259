package store

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
)

// WatchTurn is the turn of one node to look after the expectations.
type WatchTurn struct {
	At   time.Time
	Node string
	Doc  string // as the last turn left it
}

// LastWatch returns the last turn.
func (tx *Tx) LastWatch() (WatchTurn, error) {
	var t WatchTurn
	var at int64
	err := tx.QueryRow("SELECT at, node, doc FROM watch_run WHERE one = 1").Scan(&at, &t.Node, &t.Doc)
	t.At = fromMicros(at)
	return t, err
}

// TakeWatchTurn gives a node the turn when the last one began at least every ago; ok is
// false when it is not time yet, or another node has it.
func (tx *Tx) TakeWatchTurn(node string, every time.Duration) (t WatchTurn, ok bool, err error) {
	now, err := tx.Clock()
	if err != nil {
		return t, false, err
	}
	n, err := tx.Exec("UPDATE watch_run SET at = $1, node = $2 WHERE one = 1 AND (at <= $3 OR at > $4)",
		micros(now), node, micros(now.Add(-every)), micros(now.Add(time.Hour))) // a clock that was far ahead must not stop the watch
	if err != nil || n == 0 {
		return t, false, err
	}
	t, err = tx.LastWatch()
	return t, true, err
}

// PutWatch writes what a turn came to. It refuses when another turn has begun since.
func (tx *Tx) PutWatch(t WatchTurn, series map[string]string) error {
	n, err := tx.Exec("UPDATE watch_run SET doc = $1 WHERE one = 1 AND at = $2 AND node = $3", t.Doc, micros(t.At), t.Node)
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "store.PutWatch", "another node looks after the expectations by now")
	}
	flat := make([]any, 0, 2*len(series))
	for _, name := range sortedKeys(series) {
		flat = append(flat, name, series[name])
	}
	return tx.bulkFlat("INSERT INTO watch_series (name, doc)", 2, "ON CONFLICT (name) DO UPDATE SET doc = excluded.doc", flat)
}

// WatchSeries returns what is known of every rate, by name.
func (tx *Tx) WatchSeries() (map[string]string, error) {
	out := map[string]string{}
	err := tx.Each(func(scan func(...any) error) error {
		var name, doc string
		err := scan(&name, &doc)
		out[name] = doc
		return err
	}, "SELECT name, doc FROM watch_series")
	return out, err
}

// DropWatchSeries forgets a rate.
func (tx *Tx) DropWatchSeries(name string) error {
	_, err := tx.Exec("DELETE FROM watch_series WHERE name = $1", name)
	return err
}

// WatchRow is one decided event as the watch reads it.
type WatchRow struct {
	Seq                     int64
	ID, Source, Type, Cause string
	At, Received            time.Time
	Mode                    event.Mode
	Depth                   int
	Country                 string // of the order that was placed
	Trace                   string // when an automation fired
}

// WatchEvents returns the next n decided events after a decided_seq.
func (tx *Tx) WatchEvents(after int64, n int) ([]WatchRow, error) {
	var out []WatchRow
	err := tx.Each(func(scan func(...any) error) error {
		var r WatchRow
		var at, received int64
		err := scan(&r.Seq, &r.ID, &r.Source, &r.Type, &r.Cause, &at, &received, &r.Mode, &r.Depth, &r.Country, &r.Trace)
		r.At, r.Received = fromMicros(at), fromMicros(received)
		out = append(out, r)
		return err
	}, `SELECT e.seq, e.id, e.source, e.type, e.cause, e.at, e.received, e.mode, e.depth, coalesce(o.country, ''),
			CASE WHEN e.trace LIKE '%"outcome":"fired"%' THEN e.trace ELSE '' END
		FROM event e LEFT JOIN orders o ON o.id = e.order_id AND e.type = 'order.placed'
		WHERE e.seq > $1 AND e.state = 'decided' ORDER BY e.seq LIMIT $2`, after, n)
	return out, err
}

// Tally counts attempts to deliver one purpose to one destination.
type Tally struct {
	At                   time.Time
	Destination, Purpose string
	Done, Failed         int64
	LastError            string
}

// AddTallies keeps what a node counted up to now.
func (tx *Tx) AddTallies(node string, ts []Tally) error {
	flat := make([]any, 0, 7*len(ts))
	for _, t := range ts {
		flat = append(flat, micros(t.At), node, t.Destination, t.Purpose, t.Done, t.Failed, t.LastError)
	}
	return tx.bulkFlat("INSERT INTO delivery_tally (at, node, destination, purpose, done, failed, last_error)", 7, "ON CONFLICT (at, node, destination, purpose) DO NOTHING", flat)
}

// Tallies returns what was counted after a time, oldest first.
func (tx *Tx) Tallies(after time.Time) ([]Tally, error) {
	var out []Tally
	err := tx.Each(func(scan func(...any) error) error {
		var t Tally
		var at int64
		err := scan(&at, &t.Destination, &t.Purpose, &t.Done, &t.Failed, &t.LastError)
		t.At = fromMicros(at)
		out = append(out, t)
		return err
	}, "SELECT at, destination, purpose, done, failed, last_error FROM delivery_tally WHERE at > $1 ORDER BY at, node, destination, purpose", micros(after))
	return out, err
}

// DropTallies forgets what was counted before a time.
func (tx *Tx) DropTallies(before time.Time) error {
	_, err := tx.Exec("DELETE FROM delivery_tally WHERE at < $1", micros(before))
	return err
}

// StuckOrder is an order to which nothing has happened for too long.
type StuckOrder struct {
	ID, Number string
	Total      money.Amount
	Since      time.Time
}

// StuckOrders returns the orders in a state to which nothing has happened since a time: the
// first n of them, all their number, and their money by currency.
func (tx *Tx) StuckOrders(state order.State, before time.Time, n int) (some []StuckOrder, all int64, sums []money.Amount, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var count, total int64
		var currency string
		err := scan(&count, &total, &currency)
		all += count
		if currency != "" {
			sums = append(sums, money.New(total, currency))
		}
		return err
	}, "SELECT count(*), CAST(sum(total) AS BIGINT), currency FROM orders WHERE state = $1 AND updated_at < $2 AND mode = 'live' GROUP BY currency ORDER BY currency", string(state), micros(before))
	if err != nil || all == 0 {
		return nil, all, sums, err
	}
	err = tx.Each(func(scan func(...any) error) error {
		var s StuckOrder
		var total, since int64
		var currency string
		err := scan(&s.ID, &s.Number, &total, &currency, &since)
		s.Total, s.Since = money.New(total, currency), fromMicros(since)
		some = append(some, s)
		return err
	}, "SELECT id, number, total, currency, updated_at FROM orders WHERE state = $1 AND updated_at < $2 AND mode = 'live' ORDER BY placed_at, id LIMIT $3", string(state), micros(before), n)
	return some, all, sums, err
}

// LateQueue is a queue with open tasks past their deadline.
type LateQueue struct {
	Queue  string
	Late   int64
	Oldest time.Time // deadline
}

// LateQueues returns the queues with tasks whose deadline was before a time.
func (tx *Tx) LateQueues(before time.Time) ([]LateQueue, error) {
	var out []LateQueue
	err := tx.Each(func(scan func(...any) error) error {
		var q LateQueue
		var due int64
		err := scan(&q.Queue, &q.Late, &due)
		q.Oldest = fromMicros(due)
		out = append(out, q)
		return err
	}, `SELECT queue, count(*), min(due) FROM task WHERE state IN ('open', 'asked') AND kind <> 'incident' AND due > 0 AND due < $1
		GROUP BY queue ORDER BY queue`, micros(before))
	return out, err
}

// OrderPace is how many orders were placed since a time, to one country or all (""), and their money by currency.
func (tx *Tx) OrderPace(since time.Time, country string) (n int64, sums []money.Amount, err error) {
	err = tx.Each(func(scan func(...any) error) error {
		var count, total int64
		var currency string
		err := scan(&count, &total, &currency)
		n += count
		if currency != "" {
			sums = append(sums, money.New(total, currency))
		}
		return err
	}, "SELECT count(*), CAST(sum(total) AS BIGINT), currency FROM orders WHERE placed_at > $1 AND ($2 = '' OR country = $2) GROUP BY currency ORDER BY currency", micros(since), country)
	return n, sums, err
}

// LateArrival is how many of a source's orders came late.
type LateArrival struct {
	Source  string
	N, Late int64
	Most    time.Duration // between an order and its arrival
}

// lateLook bounds the events that are looked through for late arrivals.
const lateLook = 5000

// LateArrivals counts for each source the live orders that arrived after a time, and those of them that were
// placed more than by before.
func (tx *Tx) LateArrivals(after time.Time, by time.Duration) ([]LateArrival, error) {
	var out []LateArrival
	err := tx.Each(func(scan func(...any) error) error {
		var l LateArrival
		var most int64
		err := scan(&l.Source, &l.N, &l.Late, &most)
		l.Most = time.Duration(most) * time.Microsecond
		out = append(out, l)
		return err
	}, `SELECT e.source, count(*), count(*) FILTER (WHERE e.received - o.placed_at > $1), max(e.received - o.placed_at)
		FROM event e JOIN orders o ON o.id = e.order_id
		WHERE e.seq > (SELECT coalesce(max(seq), 0) - $2 FROM event) AND e.type = 'order.placed' AND e.mode = 'live' AND e.received >= $3
		GROUP BY e.source ORDER BY e.source`, by.Microseconds(), lateLook, micros(after))
	return out, err
}

// DeadSince counts the dead letters for a destination that were made after a time.
func (tx *Tx) DeadSince(destination string, after time.Time) (n int64, err error) {
	err = tx.QueryRow("SELECT count(*) FROM effect WHERE destination = $1 AND state = 'dead' AND created >= $2", destination, micros(after)).Scan(&n)
	return n, err
}

// EffectState is how far the effect with a key has come.
func (tx *Tx) EffectState(id string) (state, lastError string, ok bool, err error) {
	err = tx.QueryRow("SELECT state, last_error FROM effect WHERE id = $1", id).Scan(&state, &lastError)
	if err == ErrNoRows {
		return "", "", false, nil
	}
	return strings.TrimSpace(state), lastError, err == nil, err
}

// IncidentRows returns incidents: the open ones, or those that were over last; newest first.
func (tx *Tx) IncidentRows(over bool, n int) ([]TaskRow, error) {
	if over {
		return tx.taskRows("SELECT "+taskCols+" FROM task WHERE kind = 'incident' AND state IN ('decided', 'closed') ORDER BY done_at DESC, id LIMIT $1", n)
	}
	return tx.taskRows("SELECT "+taskCols+" FROM task WHERE kind = 'incident' AND state IN ('open', 'asked') ORDER BY created DESC, id LIMIT $1", n)
}
