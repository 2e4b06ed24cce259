package store

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
)

// UpsertRuns writes runs whole. One that has ended cannot be changed: its end
// would become negative, which the table refuses.
func UpsertRuns(tx *Tx, runs map[string]*automation.Run) error {
	flat := make([]any, 0, len(runs)*14)
	for _, id := range sortedKeys(runs) {
		r := runs[id]
		held := int64(0)
		if r.Held != nil {
			held = 1
		}
		flat = append(flat, r.ID, r.Automation, r.Version, r.OrderID, r.Subject, r.EventID, string(r.State), r.Wait.Key, micros(r.Wait.Until), held,
			micros(r.Started), micros(r.Updated), micros(r.Ended), encode(r))
	}
	return tx.bulkFlat("INSERT INTO run (id, automation, version, order_id, subject, event_id, state, wait_key, until, held, started, updated, ended, doc)", 14,
		`ON CONFLICT (id) DO UPDATE SET state = excluded.state, wait_key = excluded.wait_key, until = excluded.until, held = excluded.held,
		updated = excluded.updated, ended = CASE WHEN run.ended = 0 THEN excluded.ended ELSE -1 END, doc = excluded.doc`, flat)
}

func scanRun(scan func(...any) error) (*automation.Run, error) {
	var doc string
	if err := scan(&doc); err != nil {
		return nil, err
	}
	r := &automation.Run{}
	return r, decode("run", doc, r)
}

// WaitingRuns returns the waiting runs of orders, those that wait under a key, and those of ids, by id.
func WaitingRuns(tx *Tx, orders, keys, ids []string) (map[string]*automation.Run, error) {
	out := map[string]*automation.Run{}
	if len(orders)+len(keys)+len(ids) == 0 {
		return out, nil
	}
	err := tx.Each(func(scan func(...any) error) error {
		r, err := scanRun(scan)
		if err == nil {
			out[r.ID] = r
		}
		return err
	}, `SELECT doc FROM run WHERE state = 'waiting' AND order_id <> '' AND order_id = ANY($1)
		UNION ALL SELECT doc FROM run WHERE state = 'waiting' AND wait_key <> '' AND wait_key = ANY($2)
		UNION ALL SELECT doc FROM run WHERE state = 'waiting' AND id = ANY($3)`, list(orders), list(keys), list(ids))
	return out, err
}

// RunsByID returns the runs of ids that there are, whatever their state.
func RunsByID(tx *Tx, ids []string) (map[string]*automation.Run, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	out := map[string]*automation.Run{}
	err := tx.Each(func(scan func(...any) error) error {
		r, err := scanRun(scan)
		if err == nil {
			out[r.ID] = r
		}
		return err
	}, "SELECT doc FROM run WHERE id = ANY($1)", list(ids))
	return out, err
}

// list is a list argument, also when there is nothing in it.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// PolicyText returns a text by its hash, as it was when the hash was made.
func (tx *Tx) PolicyText(hash string) (Text, error) {
	var t Text
	err := tx.QueryRow("SELECT kind, name, text FROM policy_text WHERE hash = $1", hash).Scan(&t.Kind, &t.Name, &t.Text)
	if err == ErrNoRows {
		return t, fault.New(fault.NotFound, "store.PolicyText", "there is no policy text %s", hash)
	}
	return t, err
}

// HeldRun is a waiting run that would go on if its automation acted.
type HeldRun struct {
	ID, Automation, OrderID string
	Since                   time.Time
}

// HeldRuns returns runs that would go on if their automations acted.
func HeldRuns(tx *Tx, limit int) ([]HeldRun, error) {
	var out []HeldRun
	err := tx.Each(func(scan func(...any) error) error {
		var r HeldRun
		err := scan(&r.ID, &r.Automation, &r.OrderID, &r.Since)
		out = append(out, r)
		return err
	}, "SELECT id, automation, order_id, updated FROM run WHERE held = 1 AND state = 'waiting' ORDER BY updated, id LIMIT $1", limit)
	return out, err
}

// RunFilter chooses runs; what is empty does not choose.
type RunFilter struct {
	Automation string
	OrderID    string
	State      automation.RunState
	Cursor     string // of an earlier page; "" = the first
	Limit      int
}

// RunsPage is one page of runs.
type RunsPage struct {
	Rows []*automation.Run
	Next string // cursor of the next page; "" = there is none
}

// RunsPage returns one page of the runs that fit, the newest first.
func (tx *Tx) RunsPage(f RunFilter) (RunsPage, error) {
	if f.Limit <= 0 || f.Limit > 1000 {
		f.Limit = 50
	}
	limit := f.Limit
	f.Limit++
	rows, err := tx.Runs(f)
	page := RunsPage{Rows: rows}
	if len(rows) > limit {
		last := rows[limit-1]
		page.Rows, page.Next = rows[:limit], strconv.FormatInt(micros(last.Started), 10)+"."+last.ID
	}
	return page, err
}

// Runs returns the runs that fit, the newest first.
func (tx *Tx) Runs(f RunFilter) ([]*automation.Run, error) {
	var args readArgs
	where := "WHERE 1 = 1"
	if f.Automation != "" {
		where += " AND automation = " + args.add(f.Automation)
	}
	if f.OrderID != "" {
		where += " AND order_id <> '' AND order_id = " + args.add(f.OrderID)
	}
	if f.State != "" {
		where += " AND state = " + args.add(string(f.State))
	}
	if f.Cursor != "" {
		text, id, ok := strings.Cut(f.Cursor, ".")
		at, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil {
			return nil, fault.New(fault.Invalid, "store.Runs", "the place in the list is not valid; start from the first page")
		}
		where += " AND (started, id) < (" + args.add(at) + ", " + args.add(id) + ")"
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	limit := args.add(int64(f.Limit))
	var out []*automation.Run
	err := tx.Each(func(scan func(...any) error) error {
		r, err := scanRun(scan)
		out = append(out, r)
		return err
	}, "SELECT doc FROM run "+where+" ORDER BY started DESC, id DESC LIMIT "+limit, args...)
	return out, err
}

// Run returns a run by its id.
func (tx *Tx) Run(id string) (*automation.Run, error) {
	var out *automation.Run
	err := tx.Each(func(scan func(...any) error) (err error) {
		out, err = scanRun(scan)
		return err
	}, "SELECT doc FROM run WHERE id = $1", id)
	if err == nil && out == nil {
		err = fault.New(fault.NotFound, "store.Run", "there is no run %s", id)
	}
	return out, err
}

// RunCounts counts the runs of an automation by their states.
func (tx *Tx) RunCounts(name string) (map[automation.RunState]Capped, error) {
	out := map[automation.RunState]Capped{}
	for _, state := range automation.RunStates() {
		n, err := tx.capCount("run WHERE automation = $1 AND state = $2", name, string(state))
		if err != nil {
			return nil, err
		}
		out[state] = n
	}
	return out, nil
}
