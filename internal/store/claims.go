package store

import (
	"context"
	"slices"
	"time"

	"orderly.example/orderly/internal/effect"
)

// Result is what became of an attempt.
type Result struct {
	ID      string
	Fence   int64 // of the claim; a result under an older fence is dropped
	State   effect.State
	Err     string
	Receipt string
	Due     time.Time // of the next attempt, when State is Pending
	At      time.Time
}

// skew is how far the clocks of two nodes may be apart before a delivery waits for the sweep.
const skew = 5 * time.Second

// ClaimEffects begins attempts: the effects of ids that are due, or whose claim
// ran out, are claimed under a new fence and returned by id. A claim holds for lease: until
// then the effect is due again, so that one index finds what waits and what was left behind.
func ClaimEffects(tx *Tx, ids []string, now time.Time, lease time.Duration) ([]effect.Effect, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if tx.pg != nil { // two nodes with the same ids must not wait for each other in a circle
		ids = slices.Sorted(slices.Values(ids))
		if _, err := tx.Exec("SELECT id FROM effect WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids); err != nil {
			return nil, err
		}
	}
	var out []effect.Effect
	err := tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out = append(out, f)
		return err
	}, `UPDATE effect SET state = 'claimed', fence = fence + 1, attempts = attempts + 1, claimed_at = $2, due = $3
		WHERE id = ANY($1) AND (state = 'pending' AND due <= $4 OR state = 'claimed' AND due <= $2) RETURNING `+effectColumns,
		ids, now, now.Add(lease), now.Add(skew))
	slices.SortFunc(out, func(a, b effect.Effect) int { return a.Created.Compare(b.Created) })
	return out, err
}

// FinishEffects records attempts. A result whose fence is not the effect's any
// more changes nothing. An effect that is to be tried again gets a job for that time.
func FinishEffects(tx *Tx, results []Result) error {
	var again []string
	for i := range results {
		r := &results[i]
		done, due := r.At, r.At
		if r.State == effect.Pending {
			done, due = time.Time{}, r.Due
			again = append(again, r.ID)
		}
		err := tx.later(`UPDATE effect SET state = $1, last_error = $2, receipt = $3, due = $4, done_at = $5, claimed_at = 0
			WHERE id = $6 AND fence = $7 AND state = 'claimed'`, string(r.State), r.Err, r.Receipt, due, done, r.ID, r.Fence)
		if err != nil {
			return err
		}
	}
	if len(again) == 0 || tx.lite != nil { // the dispatcher sees the due time in the table
		return nil
	}
	var jobs []Job
	err := tx.each("SELECT id, destination, due FROM effect WHERE id = ANY($1) AND state = 'pending' ORDER BY id", []any{again}, func(r *Rows) error {
		var id, dest string
		var due time.Time
		err := r.Scan(&id, &dest, &due)
		jobs = append(jobs, Deliver(dest, []string{id}).At(due))
		return err
	})
	if err != nil {
		return err
	}
	return tx.Enqueue(jobs...)
}

// DueEffects takes effects that no job came for: due, or claimed by a node that
// died, since longer than lease. It notes that it took them, so that the next
// sweep leaves them alone for as long. On SQLite the dispatcher looks at the
// table itself and nothing is left behind.
func DueEffects(tx *Tx, now time.Time, lease time.Duration, limit int) ([]effect.Effect, error) {
	if tx.lite != nil {
		return nil, nil
	}
	stale := now.Add(-lease)
	var out []effect.Effect
	var ids []string
	err := tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out = append(out, f)
		ids = append(ids, f.ID)
		return err
	}, "SELECT "+effectColumns+` FROM effect WHERE state IN ('pending', 'claimed') AND due <= $1 AND claimed_at <= $1
		ORDER BY due, id LIMIT $2 FOR UPDATE SKIP LOCKED`, stale, limit)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	return out, tx.later("UPDATE effect SET claimed_at = $1 WHERE id = ANY($2)", now, ids)
}

// ReplayEffects makes dead letters pending again, due now with all attempts before
// them, and enqueues them. It returns how many there were.
func ReplayEffects(tx *Tx, ids []string) (int, error) {
	var jobs []Job
	err := tx.each(`UPDATE effect SET state = 'pending', attempts = 0, due = $1, done_at = 0, claimed_at = 0
		WHERE id = ANY($2) AND state = 'dead' RETURNING id, destination`, []any{tx.now, ids}, func(r *Rows) error {
		var id, dest string
		err := r.Scan(&id, &dest)
		jobs = append(jobs, Deliver(dest, []string{id}))
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(jobs), tx.Enqueue(jobs...)
}

// RecoverClaims makes claimed effects due now. Only the one process of a SQLite
// shop has claims of its own to take back, when it starts: whoever claimed them is
// dead. On PostgreSQL other nodes live, and their claims run out by themselves.
func (db *DB) RecoverClaims(ctx context.Context) error {
	if db.pg != nil {
		return nil
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec("UPDATE effect SET due = $1 WHERE state = 'claimed'", tx.now)
		return err
	})
}
