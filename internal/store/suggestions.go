package store

import (
	"time"

	"orderly.example/orderly/internal/task"
)

// Verdict is what a person said about a suggestion, with the evidence there was.
type Verdict struct {
	Key           string // of the pattern
	Accepted      bool   // else refused
	Sentence      string
	Condition     string
	Cases, Agreed int
	Automation    string // the draft it became; "" when refused
	Author        string
	At            time.Time
	Reason        string
}

// Verdicts returns what people said about suggestions, the newest first.
func (tx *Tx) Verdicts() ([]Verdict, error) {
	var out []Verdict
	err := readEach(tx, func(scan func(...any) error) error {
		var v Verdict
		var verdict string
		var at int64
		err := scan(&v.Key, &verdict, &v.Sentence, &v.Condition, &v.Cases, &v.Agreed, &v.Automation, &v.Author, &at, &v.Reason)
		v.Accepted, v.At = verdict == "accepted", readTime(at)
		out = append(out, v)
		return err
	}, "SELECT key, verdict, sentence, cond, cases, agreed, automation, author, at, reason FROM suggestion ORDER BY at DESC, key")
	return out, err
}

// PutVerdict keeps a verdict; an earlier one about the same pattern is replaced.
func (tx *Tx) PutVerdict(v Verdict) error {
	verdict := "refused"
	if v.Accepted {
		verdict = "accepted"
	}
	_, err := tx.Exec(`INSERT INTO suggestion (key, verdict, sentence, cond, cases, agreed, automation, author, at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (key) DO UPDATE SET verdict = excluded.verdict, sentence = excluded.sentence, cond = excluded.cond, cases = excluded.cases,
		agreed = excluded.agreed, automation = excluded.automation, author = excluded.author, at = excluded.at, reason = excluded.reason`,
		v.Key, verdict, v.Sentence, v.Condition, v.Cases, v.Agreed, v.Automation, v.Author, micros(tx.now), v.Reason)
	return err
}

// Review is a person's decision on a held order.
type Review struct {
	Task, OrderID, Queue, Outcome, By string
}

// DecidedReviews calls f for the reviews that a person decided since a time, the oldest first.
func (tx *Tx) DecidedReviews(since time.Time, f func(Review)) error {
	return readEach(tx, func(scan func(...any) error) error {
		var r Review
		var doc string
		if err := scan(&r.Task, &r.OrderID, &r.Queue, &doc); err != nil {
			return err
		}
		var t task.Task
		if err := readDoc("task", doc, &t); err != nil {
			return err
		}
		r.Outcome, r.By = t.Outcome, t.By
		f(r)
		return nil
	}, "SELECT id, order_id, queue, doc FROM task WHERE kind = 'review' AND state = 'decided' AND done_at >= $1 ORDER BY done_at, id", micros(since))
}

// CountReviews returns how many reviews people decided, and when the last one was: what tells that suggestions are out of date.
func (tx *Tx) CountReviews() (n int, last time.Time, err error) {
	var at int64
	_, err = readRow(tx, "SELECT count(*), coalesce(max(done_at), 0) FROM task WHERE kind = 'review' AND state = 'decided'", nil, &n, &at)
	return n, readTime(at), err
}

// PlacedSince returns when the n-th newest order was placed, or the zero time when there are no more than n.
func (tx *Tx) PlacedSince(n int) (time.Time, error) {
	var at int64
	_, err := readRow(tx, "SELECT placed_at FROM orders ORDER BY placed_at DESC, id DESC LIMIT 1 OFFSET $1", []any{n}, &at)
	return readTime(at), err
}
