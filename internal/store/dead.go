package store

import (
	"cmp"
	"slices"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/money"
)

// DeadCap is how many dead letters are grouped by their causes; the newest come first.
const DeadCap = 20_000

// DeadGroup is the dead letters of one cause.
type DeadGroup struct {
	Cause       string // its key, see effect.CauseKey
	Destination string
	Error       string // what they failed of, without what is different in each
	Purposes    []string
	N           int64
	Unsure      int64 // of them may have arrived
	Orders      int64
	Money       []money.Amount // totals of those orders, per currency
	First, Last EffectRow      // by the time they were made
	orders      map[string]bool
}

// DeadGroups groups the dead letters by cause, the largest group first. More says that there are
// older ones which were not looked at.
func (tx *Tx) DeadGroups() (groups []*DeadGroup, more bool, err error) {
	rows, next, err := tx.DeadEffects("", DeadCap)
	if err != nil {
		return nil, false, err
	}
	byKey := map[string]*DeadGroup{}
	for _, r := range rows { // newest first
		key := r.Cause()
		g := byKey[key]
		if g == nil {
			g = &DeadGroup{Cause: key, Destination: r.Destination, Error: effect.Cause(r.LastError), Last: r, orders: map[string]bool{}}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.First = r
		g.N++
		if r.Unsure {
			g.Unsure++
		}
		if r.OrderID != "" {
			g.orders[r.OrderID] = true
		}
		if i, found := slices.BinarySearch(g.Purposes, r.Purpose); !found {
			g.Purposes = slices.Insert(g.Purposes, i, r.Purpose)
		}
	}
	for _, g := range groups {
		g.Orders = int64(len(g.orders))
		if g.Money, err = tx.sumOf(sortedKeys(g.orders)); err != nil {
			return nil, false, err
		}
	}
	slices.SortStableFunc(groups, func(a, b *DeadGroup) int {
		return cmp.Or(cmp.Compare(b.N, a.N), b.Last.Created.Compare(a.Last.Created), cmp.Compare(a.Cause, b.Cause))
	})
	return groups, next != "", nil
}

// Cause is the key of the group that a dead letter belongs to.
func (r EffectRow) Cause() string { return effect.CauseKey(r.Destination, r.LastError) }

// sumOf adds up the totals of orders per currency.
func (tx *Tx) sumOf(orders []string) ([]money.Amount, error) {
	var out []money.Amount
	err := readEach(tx, func(scan func(...any) error) error {
		var a money.Amount
		err := scan(&a.Currency, &a.Minor)
		out = append(out, a)
		return err
	}, "SELECT currency, CAST(sum(total) AS BIGINT) FROM orders WHERE currency <> '' AND id = ANY($1) GROUP BY currency ORDER BY 2 DESC, 1", list(orders))
	return out, err
}

// DeadOf returns the dead letters of a cause, the newest first, n at most of those that are grouped.
func (tx *Tx) DeadOf(cause string, n int) ([]EffectRow, error) {
	rows, _, err := tx.DeadEffects("", DeadCap)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r EffectRow) bool { return r.Cause() != cause })
	return rows[:min(n, len(rows))], nil
}

// Replay says who lets dead letters leave again, and whether those that may have arrived are among them.
type Replay struct {
	Actor string
	// Twice is a person's word that what may have arrived may arrive a second time.
	Twice bool
}

// replayRisk is what a person confirms, as it is kept.
const replayRisk = "it may have arrived and may arrive twice"

// Replayed is one dead letter that was let go again.
type Replayed struct {
	Effect, Actor string
	Risk          string // what was confirmed; "" = there was none
	Error         string // what it had failed of
	At            time.Time
}

// ReplayEffects makes dead letters pending again, due now with all attempts before them, enqueues
// them and notes who did it. It returns how many there were. One that may have arrived stays dead unless
// it is said that it may arrive twice; withheld counts those. What is not dead stays as it is:
// whoever comes second finds nothing to do.
func ReplayEffects(tx *Tx, ids []string, by Replay) (done, withheld int, err error) {
	now, err := tx.Clock()
	if err != nil {
		return 0, 0, err
	}
	if tx.now.Before(now) { // now by every clock
		now = tx.now
	}
	var jobs []Job
	var flat []any
	err = tx.each(`UPDATE effect SET state = 'pending', attempts = 0, due = $1, done_at = 0, claimed_at = 0
		WHERE id = ANY($2) AND state = 'dead' AND (unsure = 0 OR $3 = 1) RETURNING id, destination, unsure, last_error`, []any{now, ids, flag(by.Twice)}, func(r *Rows) error {
		var id, dest, failed string
		var unsure bool
		err := r.Scan(&id, &dest, &unsure, &failed)
		jobs = append(jobs, Deliver(dest, []string{id}))
		risk := ""
		if unsure {
			risk = replayRisk
		}
		flat = append(flat, id, micros(tx.now), by.Actor, risk, failed)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if err := tx.QueryRow("SELECT count(*) FROM effect WHERE id = ANY($1) AND state = 'dead' AND unsure = 1", ids).Scan(&withheld); err != nil {
		return 0, 0, err
	}
	err = tx.bulkFlat("INSERT INTO effect_replay (effect_id, at, actor, risk, error)", 5, "ON CONFLICT (effect_id, at) DO NOTHING", flat)
	if err != nil {
		return 0, 0, err
	}
	return len(jobs), withheld, tx.Enqueue(jobs...)
}

// ReplaysOf returns who let an effect go again, the newest first.
func (tx *Tx) ReplaysOf(effectID string) ([]Replayed, error) {
	var out []Replayed
	err := readEach(tx, func(scan func(...any) error) error {
		r := Replayed{Effect: effectID}
		var at int64
		err := scan(&at, &r.Actor, &r.Risk, &r.Error)
		r.At = readTime(at)
		out = append(out, r)
		return err
	}, "SELECT at, actor, risk, error FROM effect_replay WHERE effect_id = $1 ORDER BY at DESC LIMIT 50", effectID)
	return out, err
}
