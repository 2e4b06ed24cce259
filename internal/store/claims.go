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
	Fence   int64 // of the claim
	State   effect.State
	Err     string
	Receipt string
	Due     time.Time // of the next attempt, when State is Pending
	At      time.Time
	Unsure  bool // it may have arrived all the same
}

// early is how long before its time a retry may be claimed: the job for it was
// timed by another clock, that of the queue.
const early = 5 * time.Second

// Clock is the clock that claims are held against: that of the database, where several nodes
// share one. Were it the node's, a node whose clock is ahead would take what others still work on.
func (tx *Tx) Clock() (time.Time, error) {
	if tx.lite != nil {
		return tx.now, nil
	}
	var now time.Time
	err := tx.QueryRow("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)").Scan(&now)
	return now, err
}

// FreeEffects locks those of the effects that no other transaction has, and returns them. It waits for nobody: a group that a
// stopped node has begun keeps the effects of its orders until the server ends its session, and what left for other orders is
// to be recorded meanwhile.
func FreeEffects(tx *Tx, ids []string) (map[string]bool, error) {
	free := make(map[string]bool, len(ids))
	var ask []string
	for _, id := range ids {
		if tx.lite != nil || tx.effects[id] {
			free[id] = true
		} else {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return free, nil
	}
	if tx.effects == nil {
		tx.effects = map[string]bool{}
	}
	return free, tx.Each(func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		free[id], tx.effects[id] = true, true
		return err
	}, "SELECT id FROM effect WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED", ask)
}

// ClaimEffects begins attempts: the effects of ids that are due, or whose claim
// ran out, are claimed under a new fence and returned, the oldest first. A claim holds for lease:
// until then the effect is due again, so that one index finds what waits and what was left behind.
// What nobody has attempted yet is due at once: its time is that of the node which decided. What another transaction has
// locked is left alone, see FreeEffects.
func ClaimEffects(tx *Tx, ids []string, now time.Time, lease time.Duration) ([]effect.Effect, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	free, err := FreeEffects(tx, ids)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !free[id] })
	var out []effect.Effect
	err = tx.Each(func(scan func(...any) error) error {
		f, err := scanEffect(scan)
		out = append(out, f)
		return err
	}, `UPDATE effect SET unsure = CASE WHEN state = 'claimed' THEN 1 ELSE unsure END,
		state = 'claimed', fence = fence + 1, attempts = attempts + 1, claimed_at = $2, due = $3
		WHERE id = ANY($1) AND (state = 'pending' AND (fence = 0 OR due <= $4) OR state = 'claimed' AND due <= $2) RETURNING `+effectColumns,
		ids, now, now.Add(lease), now.Add(early))
	slices.SortFunc(out, func(a, b effect.Effect) int { return a.Created.Compare(b.Created) })
	return out, err
}

// FinishEffects records attempts. A failure whose fence is not the effect's any
// more changes nothing: another attempt runs or has said how it went. A success is
// recorded even then: what has left must not leave again. An effect that is to
// be tried again gets a job for that time.
func FinishEffects(tx *Tx, results []Result) error {
	var again []string
	for i := range results {
		r := &results[i]
		done, due := r.At, r.At
		if r.State == effect.Pending {
			done, due = time.Time{}, r.Due
			again = append(again, r.ID)
		}
		err := tx.later(`UPDATE effect SET state = $1, last_error = $2, receipt = $3, due = $4, done_at = $5, claimed_at = 0,
			unsure = CASE WHEN $8 = 1 THEN 1 ELSE unsure END
			WHERE id = $6 AND (fence = $7 AND state = 'claimed' OR $1 = 'done' AND state IN ('claimed', 'pending'))`, string(r.State), r.Err, r.Receipt, due, done, r.ID, r.Fence, flag(r.Unsure))
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
