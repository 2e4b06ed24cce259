package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// Letter is what an effect would send if it left now.
type Letter struct {
	Effect            store.EffectRow
	To, Subject, Text string // Text is the document of a webhook, indented
	Problem           string // why it cannot be made; it would fail again
	Replays           []store.Replayed
}

// maxPreviewed bounds the letters that are written for a look.
const maxPreviewed = 20

// PreviewEffects writes what effects would send if they left now, with their personal data. Nothing
// leaves. Of those that do not exist nothing is said.
func (e *Engine) PreviewEffects(ctx context.Context, ids []string) ([]Letter, error) {
	ids = ids[:min(len(ids), maxPreviewed)]
	docs, _, err := e.documents(ctx, ids)
	if err != nil {
		return nil, err
	}
	var effects []effect.Effect
	var rows []store.EffectRow
	replays := map[string][]store.Replayed{}
	err = e.db.View(ctx, func(tx *store.Tx) (err error) {
		if effects, err = store.Effects(tx, ids); err != nil {
			return err
		}
		for _, id := range ids {
			if replays[id], err = tx.ReplaysOf(id); err != nil {
				return err
			}
		}
		rows, err = tx.EffectRows(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []Letter
	for _, f := range effects {
		i := slices.IndexFunc(rows, func(r store.EffectRow) bool { return r.ID == f.ID })
		if i < 0 {
			continue
		}
		out = append(out, e.letter(f, docs, Letter{Effect: rows[i], Replays: replays[f.ID]}))
	}
	return out, nil
}

func (e *Engine) letter(f effect.Effect, docs *documents, l Letter) Letter {
	if e.byMail(f) {
		m, err := e.message(f, docs)
		if err != nil {
			l.Problem = fault.Message(err)
			return l
		}
		l.To, l.Subject, l.Text = m.To, m.Subject, m.Text
		return l
	}
	body, err := e.body(f, docs)
	if err != nil {
		l.Problem = fault.Message(err)
		return l
	}
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") == nil {
		body = b.Bytes()
	}
	l.Text = string(body)
	return l
}

// ReplayOutcome is what became of a replay.
type ReplayOutcome struct {
	Replayed int
	Withheld int // they may have arrived, and nobody gave their word
}

// replayedAtOnce bounds the dead letters of one transaction.
const replayedAtOnce = 500

// ReplayEffects makes dead effects pending again. Their ids, the idempotency keys, stay, so a destination
// that did get one recognises it. What may have arrived stays dead without a person's word.
func (e *Engine) ReplayEffects(ctx context.Context, ids []string, by store.Replay) (ReplayOutcome, error) {
	var all ReplayOutcome
	for part := range slices.Chunk(uniq(slices.Clone(ids)), replayedAtOnce) {
		var done, withheld int
		err := e.db.Update(ctx, func(tx *store.Tx) (err error) {
			done, withheld, err = store.ReplayEffects(tx, part, by)
			return err
		})
		if err != nil {
			return all, err
		}
		all.Replayed += done
		all.Withheld += withheld
	}
	e.watch.tell(Topic{Kind: "effect"})
	return all, nil
}

// ReplayCause replays all dead letters of one cause; "" is every dead letter that there is.
func (e *Engine) ReplayCause(ctx context.Context, cause string, by store.Replay) (ReplayOutcome, error) {
	var ids []string
	err := e.db.View(ctx, func(tx *store.Tx) error {
		ids = nil
		rows, _, err := tx.DeadEffects("", store.DeadCap)
		for _, r := range rows {
			if cause == "" || r.Cause() == cause {
				ids = append(ids, r.ID)
			}
		}
		return err
	})
	if err != nil {
		return ReplayOutcome{}, err
	}
	if len(ids) == 0 && cause != "" {
		return ReplayOutcome{}, fault.New(fault.NotFound, "engine.ReplayCause", "no dead letter has the cause %s any more", cause)
	}
	return e.ReplayEffects(ctx, ids, by)
}
