package store

import (
	"sort"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// capCount counts the rows of a query up to CountCap.
func (tx *Tx) capCount(from string, args ...any) (Capped, error) {
	var n int64
	_, err := readRow(tx, "SELECT count(*) FROM (SELECT 1 AS one FROM "+from+" LIMIT "+strconv.Itoa(CountCap+1)+") c", args, &n)
	if n > CountCap {
		return Capped{N: CountCap, More: true}, err
	}
	return Capped{N: n}, err
}

// Counts returns the figures that call for action, each from an index and up to CountCap.
func (tx *Tx) Counts(now time.Time) (Counts, error) {
	var c Counts
	for _, q := range [...]struct {
		to   *Capped
		from string
	}{
		{&c.Held, "orders WHERE state = 'held'"},
		{&c.Unfillable, "orders WHERE state = 'unfillable'"},
		{&c.Backordered, "orders WHERE state = 'backordered'"},
		{&c.AwaitingPayment, "orders WHERE state = 'awaiting_payment'"},
		{&c.Ready, "orders WHERE state = 'ready'"},
		{&c.DeadEffects, "effect WHERE state = 'dead'"},
		{&c.WaitingEffects, "effect WHERE state IN ('pending', 'claimed')"},
		{&c.LowStock, "product WHERE is_low = 1"},
		{&c.Tasks, "task WHERE state IN ('open', 'asked') AND kind <> 'incident'"},
		{&c.Quarantined, "event WHERE state <> 'decided' AND state = 'quarantined'"},
	} {
		var err error
		if *q.to, err = tx.capCount(q.from); err != nil {
			return c, err
		}
	}
	queues, err := tx.Queues()
	if err != nil {
		return c, err
	}
	for _, q := range queues { // each queue is sorted by its deadlines: only late tasks are read
		late, err := tx.capCount("task WHERE state IN ('open', 'asked') AND queue = $1 AND due > 0 AND due < $2 AND kind <> 'incident'", q, now.UnixMicro())
		if err != nil {
			return c, err
		}
		c.LateTasks += late.N
	}
	var due int64
	if _, err := readRow(tx, "SELECT coalesce(min(due), 0) FROM effect WHERE state IN ('pending', 'claimed')", nil, &due); err != nil {
		return c, err
	}
	if due <= now.UnixMicro() {
		c.OldestWaiting = readTime(due)
	}
	return c, nil
}

const eventCols = "seq, id, source, key, type, subject, at, received, mode, state, reason, actor, cause, policy, data, trace, customer_id, facts, sealed, archive"

func scanEventRow(scan func(...any) error) (EventRow, error) {
	var e EventRow
	var at, rec int64
	err := scan(&e.Seq, &e.ID, &e.Source, &e.Key, &e.Type, &e.Subject, &at, &rec, &e.Mode, &e.State, &e.Reason, &e.Actor, &e.Cause, &e.Policy, &e.Data, &e.Trace, &e.CustomerID, &e.Facts, &e.Sealed, &e.Archive)
	e.At, e.Received = readTime(at), readTime(rec)
	return e, err
}

func (tx *Tx) eventRows(query string, args ...any) ([]EventRow, error) {
	var out []EventRow
	err := readEach(tx, func(scan func(...any) error) error {
		e, err := scanEventRow(scan)
		out = append(out, e)
		return err
	}, query, args...)
	return out, err
}

// OrderStory returns the newest n events of an order in the order they were
// decided; more says that there are older ones.
func (tx *Tx) OrderStory(orderID string, n int) (evs []EventRow, more bool, err error) {
	evs, err = tx.eventRows("SELECT "+eventCols+" FROM event WHERE order_id = $1 AND order_id <> '' ORDER BY seq DESC LIMIT "+strconv.Itoa(n+1), orderID)
	if len(evs) > n {
		evs, more = evs[:n], true
	}
	sort.Slice(evs, func(i, j int) bool { return evs[i].Seq < evs[j].Seq })
	return evs, more, err
}

// QuarantinedEvents returns the newest n events whose decision failed.
func (tx *Tx) QuarantinedEvents(n int) ([]EventRow, error) {
	return tx.eventRows("SELECT " + eventCols + " FROM event WHERE state <> 'decided' AND state = 'quarantined' ORDER BY seq DESC LIMIT " + strconv.Itoa(n))
}

// EventByID returns one event.
func (tx *Tx) EventByID(id string) (EventRow, error) {
	e, err := tx.eventRows("SELECT "+eventCols+" FROM event WHERE id = $1", id)
	if err == nil && len(e) == 0 {
		return EventRow{}, fault.New(fault.NotFound, "store.EventByID", "there is no event %s", id)
	}
	if err != nil {
		return EventRow{}, err
	}
	return e[0], nil
}

// Seen reports whether an event with this natural key came in before.
func (tx *Tx) Seen(source, key string) (bool, error) {
	var one int64
	return readRow(tx, "SELECT 1 FROM event_key WHERE source = $1 AND id = $2", []any{source, key}, &one)
}

// FiredWindow is how many of the newest events Fired looks at.
const FiredWindow = 4000

// How an automation fired, for Fired.
const (
	FiredActed   = "acted"
	FiredWould   = "would" // its mode did not let it, or a stop
	FiredUnknown = "unknown"
)

// Fired returns the newest n events whose decision names the automation, among the newest FiredWindow; how names
// those that are wanted, "" = all. A decision names an automation once, as decide.Considered is written.
func (tx *Tx) Fired(automation, how string, n int) ([]EventRow, error) {
	name := likeEscape(`"name":"` + automation + `"`)
	in := name + `,"version":"` + strings.Repeat("_", 10) + `","outcome":"` // a short hash
	like, not := "%"+name+"%", ""
	switch how {
	case FiredActed:
		like, not = "%"+in+`fired"%`, "%"+in+`fired","mode":%`
	case FiredWould:
		like = "%" + in + `fired","mode":%`
	case FiredUnknown:
		like = "%" + in + `unknown"%`
	}
	return tx.eventRows("SELECT "+eventCols+" FROM (SELECT "+eventCols+" FROM event ORDER BY seq DESC LIMIT "+strconv.Itoa(FiredWindow)+
		`) e WHERE trace LIKE $1 ESCAPE '\' AND trace NOT LIKE $2 ESCAPE '\' ORDER BY seq DESC LIMIT `+strconv.Itoa(n), like, not)
}

func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

const effectCols = "id, key, kind, destination, order_id, event_id, automation, purpose, state, attempts, last_error, receipt, created, due, done_at, unsure"

func (tx *Tx) effectRows(query string, args ...any) ([]EffectRow, error) {
	var out []EffectRow
	err := readEach(tx, func(scan func(...any) error) error {
		var e EffectRow
		var created, due, done int64
		err := scan(&e.ID, &e.Key, &e.Kind, &e.Destination, &e.OrderID, &e.EventID, &e.Automation, &e.Purpose, &e.State, &e.Attempts, &e.LastError, &e.Receipt, &created, &due, &done, &e.Unsure)
		e.Created, e.Due, e.DoneAt = readTime(created), readTime(due), readTime(done)
		out = append(out, e)
		return err
	}, query, args...)
	return out, err
}

// EffectsOfOrder returns all effects of an order, oldest first.
func (tx *Tx) EffectsOfOrder(orderID string) ([]EffectRow, error) {
	return tx.effectRows("SELECT "+effectCols+" FROM effect WHERE order_id = $1 AND order_id <> '' ORDER BY created, id LIMIT 500", orderID)
}

// EffectRows returns effects by id.
func (tx *Tx) EffectRows(ids []string) ([]EffectRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var a readArgs
	return tx.effectRows("SELECT "+effectCols+" FROM effect WHERE id IN ("+a.list(ids)+") ORDER BY created, id", a...)
}

// DeadEffects returns a page of dead letters, newest first. next is the cursor of the next page.
func (tx *Tx) DeadEffects(cursor string, n int) (rows []EffectRow, next string, err error) {
	return tx.effectPage("state = 'dead'", "created", "DESC", "<", cursor, n)
}

// LiveEffects returns a page of the effects that wait or run, the most urgent first.
func (tx *Tx) LiveEffects(cursor string, n int) (rows []EffectRow, next string, err error) {
	return tx.effectPage("state IN ('pending', 'claimed')", "due", "ASC", ">", cursor, n)
}

func (tx *Tx) effectPage(where, col, dir, op, cursor string, n int) ([]EffectRow, string, error) {
	var a readArgs
	if cursor != "" {
		at, id, ok := strings.Cut(cursor, ".")
		us, err := strconv.ParseInt(at, 10, 64)
		if !ok || err != nil {
			return nil, "", fault.New(fault.Invalid, "store.effects", "the place in the list is not valid; start from the first page")
		}
		where += " AND (" + col + ", id) " + op + " (" + a.add(us) + ", " + a.add(id) + ")"
	}
	rows, err := tx.effectRows("SELECT "+effectCols+" FROM effect WHERE "+where+" ORDER BY "+col+" "+dir+", id "+dir+" LIMIT "+strconv.Itoa(n+1), a...)
	if err != nil || len(rows) <= n {
		return rows, "", err
	}
	rows = rows[:n]
	last := rows[n-1]
	at := last.Created
	if col == "due" {
		at = last.Due
	}
	return rows, strconv.FormatInt(at.UnixMicro(), 10) + "." + last.ID, nil
}

const taskCols = "id, kind, queue, subject, order_id, state, assignee, created, due, done_at, doc"

func (tx *Tx) taskRows(query string, args ...any) ([]TaskRow, error) {
	var out []TaskRow
	err := readEach(tx, func(scan func(...any) error) error {
		var t TaskRow
		var created, due, done int64
		var doc string
		err := scan(&t.ID, &t.Kind, &t.Queue, &t.Subject, &t.OrderID, &t.State, &t.Assignee, &created, &due, &done, &doc)
		if err != nil {
			return err
		}
		t.Created, t.Due, t.DoneAt = readTime(created), readTime(due), readTime(done)
		out = append(out, t)
		return readDoc("task", doc, &out[len(out)-1].Task)
	}, query, args...)
	return out, err
}

// Queues returns the names of the queues that hold open tasks, sorted.
func (tx *Tx) Queues() ([]string, error) {
	var out []string
	last := ""
	for range 100 { // one step of the index per queue, however long each is
		var q string
		found, err := readRow(tx, "SELECT queue FROM task WHERE state IN ('open', 'asked') AND queue > $1 ORDER BY queue LIMIT 1", []any{last}, &q)
		if err != nil || !found {
			return out, err
		}
		out = append(out, q)
		last = q
	}
	return out, nil
}

// QueueFilter narrows the open tasks.
type QueueFilter struct {
	Queue    string // "" = all
	Kind     string // "" = all
	Assignee string // "" = anybody's
	Limit    int    // per queue
}

// Queue returns open tasks, the most urgent first: those with a deadline by deadline, then the others.
func (tx *Tx) Queue(f QueueFilter) (rows []TaskRow, more bool, err error) {
	queues := []string{f.Queue}
	if f.Queue == "" {
		if queues, err = tx.Queues(); err != nil {
			return nil, false, err
		}
	}
	for _, q := range queues {
		for _, timed := range []string{"due > 0", "due = 0"} {
			a := readArgs{q}
			where := "state IN ('open', 'asked') AND queue = $1 AND " + timed
			if f.Kind != "" {
				where += " AND kind = " + a.add(f.Kind)
			}
			if f.Assignee != "" {
				where += " AND assignee = " + a.add(f.Assignee)
			}
			part, err := tx.taskRows("SELECT "+taskCols+" FROM task WHERE "+where+" ORDER BY due, id LIMIT "+strconv.Itoa(f.Limit+1), a...)
			if err != nil {
				return nil, false, err
			}
			rows = append(rows, part...)
		}
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := rows[i], rows[j]
		if a.Due.IsZero() != b.Due.IsZero() {
			return b.Due.IsZero()
		}
		if !a.Due.Equal(b.Due) {
			return a.Due.Before(b.Due)
		}
		if !a.Created.Equal(b.Created) {
			return a.Created.Before(b.Created)
		}
		return a.ID < b.ID
	})
	if len(rows) > f.Limit {
		rows, more = rows[:f.Limit], true
	}
	return rows, more, nil
}

// TaskRowByID returns one task.
func (tx *Tx) TaskRowByID(id string) (TaskRow, error) {
	ts, err := tx.taskRows("SELECT "+taskCols+" FROM task WHERE id = $1", id)
	if err == nil && len(ts) == 0 {
		return TaskRow{}, fault.New(fault.NotFound, "store.TaskRowByID", "there is no task %s", id)
	}
	if err != nil {
		return TaskRow{}, err
	}
	return ts[0], nil
}

// TasksOfOrder returns all tasks of an order, oldest first.
func (tx *Tx) TasksOfOrder(orderID string) ([]TaskRow, error) {
	return tx.taskRows("SELECT "+taskCols+" FROM task WHERE order_id = $1 AND order_id <> '' ORDER BY created, id LIMIT 200", orderID)
}

// Incidents returns the n oldest open incidents.
func (tx *Tx) Incidents(n int) ([]TaskRow, error) {
	return tx.taskRows("SELECT " + taskCols + " FROM task WHERE kind = 'incident' AND state IN ('open', 'asked') ORDER BY created, id LIMIT " + strconv.Itoa(n))
}
