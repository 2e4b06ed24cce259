package store

import (
	"context"
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

// ClaimEffects begins attempts: the effects that are pending, or whose claim has
// run out, are claimed under a new fence and returned. A claim runs out at its due time, now + lease.
func ClaimEffects(tx *Tx, ids []string, now time.Time, lease time.Duration) ([]effect.Effect, error) {
	all, err := Effects(tx, ids)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, f := range all {
		n, err := tx.Exec(`UPDATE effect SET state = 'claimed', fence = fence + 1, attempts = attempts + 1, due = $1, claimed_at = $2
			WHERE id = $3 AND fence = $4 AND (state = 'pending' OR state = 'claimed' AND due <= $2)`, micros(now.Add(lease)), micros(now), f.ID, f.Fence)
		if err != nil {
			return nil, err
		}
		if n == 1 {
			f.State, f.Fence, f.Attempts = effect.Claimed, f.Fence+1, f.Attempts+1
			out = append(out, f)
		}
	}
	return out, nil
}

// FinishEffects records attempts. A result whose fence is not the effect's any more changes nothing.
func FinishEffects(tx *Tx, results []Result) error {
	for _, r := range results {
		done := int64(0)
		if r.State != effect.Pending {
			done = micros(r.At)
		}
		_, err := tx.Exec(`UPDATE effect SET state = $1, last_error = $2, receipt = $3, due = CASE WHEN $4 = 0 THEN due ELSE $4 END, done_at = $5
			WHERE id = $6 AND fence = $7 AND state = 'claimed'`, string(r.State), r.Err, r.Receipt, micros(r.Due), done, r.ID, r.Fence)
		if err != nil {
			return err
		}
	}
	return nil
}

// DueEffects takes effects that no job came for in time: the node that should have attempted
// them died. Their due time is moved by lease, so that the next sweep leaves them alone.
func DueEffects(tx *Tx, now time.Time, lease time.Duration, limit int) ([]effect.Effect, error) {
	var out []effect.Effect
	err := tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out = append(out, f)
		return err
	}, "SELECT "+effectColumns+" FROM effect WHERE state IN ('pending', 'claimed') AND due <= $1 ORDER BY due, id LIMIT $2", micros(now.Add(-lease)), limit)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	ids := make([]string, len(out))
	for i, f := range out {
		ids[i] = f.ID
	}
	_, err = tx.Exec("UPDATE effect SET due = $1 WHERE state = 'pending' AND id = ANY($2)", micros(now), ids)
	return out, err
}

// RecoverClaims lets every claim run out at once. Only the one process of a
// SQLite shop may do that, when it starts: whoever claimed them is dead. Elsewhere it does nothing.
func (db *DB) RecoverClaims(ctx context.Context) error {
	if db.lite == nil {
		return nil
	}
	return db.Update(ctx, func(tx *Tx) error {
		_, err := tx.Exec("UPDATE effect SET due = 0 WHERE state = 'claimed'")
		return err
	})
}

// Stalled is a destination for which effects wait.
type Stalled struct {
	Destination string
	Oldest      time.Time
}

// StalledEffects returns the destinations whose oldest waiting effect was made before a time.
func StalledEffects(tx *Tx, before time.Time) ([]Stalled, error) {
	var out []Stalled
	err := tx.Each(func(scan func(...any) error) error {
		var s Stalled
		err := scan(&s.Destination, &s.Oldest)
		out = append(out, s)
		return err
	}, "SELECT destination, min(created) FROM effect WHERE state IN ('pending', 'claimed') GROUP BY destination HAVING min(created) < $1 ORDER BY destination", micros(before))
	return out, err
}

// Replay makes a dead effect pending again with a fresh count of attempts, and
// reports whether it was dead. Its id, the idempotency key, stays.
func Replay(tx *Tx, id string) (bool, error) {
	n, err := tx.Exec("UPDATE effect SET state = 'pending', attempts = 0, due = $1, done_at = 0 WHERE id = $2 AND state = 'dead'", micros(tx.now), id)
	return n == 1, err
}
