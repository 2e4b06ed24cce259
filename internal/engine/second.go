package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// Four eyes: with four_eyes_activation, a person's change that lets an automation act
// is kept until another person confirms it in the console, also when it comes from a terminal.

// Terminal is the author of what is done at a terminal by somebody who has not said who they are. Nobody could tell them from the
// second person, so nothing of theirs is kept for one.
const Terminal = "terminal"

// wish is a change that waits: one of the three is set.
type wish struct {
	Edit   *Edit       `json:",omitempty"`
	Mode   *ModeChange `json:",omitempty"`
	Folder *folderWish `json:",omitempty"`
}

// folderWish is a whole policy that waits.
type folderWish struct {
	Texts   []store.Text
	Upon    int64 // the revision that it was compared with; upon another one it is not carried out
	Failing bool
}

// Proposal is a change that waits for a second person, as people read it.
type Proposal struct {
	store.Proposal
	Mode string // "" when it is a new text
	Text string // as it will be; "" when only the mode changes
	Now  string // the text as it is

	Folder bool // it is the policy of a whole folder; Text and Now have the files that change
}

func (e *Engine) asksSecond(author string) bool {
	return e.Policy().Settings.SecondActivates && (author == Terminal || strings.Contains(author, "@"))
}

func acts(t store.Text) bool {
	a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
	return err == nil && (a.Mode == automation.Active || a.Mode == automation.Canary)
}

// activates reports whether a policy has an automation that acts and is new or other than before.
func activates(before, after []store.Text) bool {
	was := map[string]bool{}
	for _, t := range before {
		if t.Kind == KindAutomation {
			was[t.Text] = true
		}
	}
	for _, t := range after {
		if t.Kind == KindAutomation && !was[t.Text] && acts(t) {
			return true
		}
	}
	return false
}

// folderAsksSecond reports whether a policy must be confirmed: an automation would begin to act, or nobody would be asked any more.
func (e *Engine) folderAsksSecond(before, after []store.Text, l *loaded, author string) bool {
	return e.asksSecond(author) && (activates(before, after) || !l.policy.Settings.SecondActivates)
}

// changed are the texts of a policy that are not so in another one, with their names.
func changed(texts, other []store.Text) string {
	var b strings.Builder
	for _, t := range texts {
		if !slices.Contains(other, t) {
			b.WriteString("# " + t.Kind + " " + t.Name + "\n" + strings.TrimRight(t.Text, "\n") + "\n\n")
		}
	}
	return b.String()
}

// propose keeps a change for a second person.
func (e *Engine) propose(ctx context.Context, w wish, name, author, reason string) error {
	if author == Terminal {
		return fault.New(fault.Denied, "engine.propose", "a second person must confirm this, so it must be known who the first one is: name your account with --as")
	}
	doc, err := json.Marshal(w)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fault.Wrap(err, fault.Internal, "engine.propose", "no id could be made")
	}
	p := store.Proposal{ID: id.String(), Name: name, Doc: string(doc), Author: strings.ToLower(author), Reason: reason}
	return e.db.Update(ctx, func(tx *store.Tx) error { return tx.PutProposal(p) })
}

// ProposeMode keeps a change of mode for a second person when one must confirm it, and reports whether.
func (e *Engine) ProposeMode(ctx context.Context, c ModeChange) (bool, error) {
	if !e.modeAsksSecond(c) {
		return false, nil
	}
	if c.Reason == "" {
		return false, fault.New(fault.Invalid, "engine.SetMode", "say why: the reason is kept and told to the owner")
	}
	if e.Policy().Automations.Get(c.Name) == nil {
		return false, fault.New(fault.NotFound, "engine.SetMode", "there is no automation %q in the current policy", c.Name)
	}
	return true, e.propose(ctx, wish{Mode: &c}, c.Name, c.By, c.Reason)
}

func (e *Engine) modeAsksSecond(c ModeChange) bool {
	return !c.confirmed && e.asksSecond(c.By) && (c.Mode == automation.Active || c.Mode == automation.Canary)
}

// Proposals lists what waits for a second person, oldest first.
func (e *Engine) Proposals(ctx context.Context) (out []Proposal, err error) {
	err = e.db.View(ctx, func(tx *store.Tx) error {
		out = nil
		ps, err := tx.Proposals()
		if err != nil || len(ps) == 0 {
			return err
		}
		texts, err := tx.PolicyTexts(KindAutomation)
		for _, p := range ps {
			x := Proposal{Proposal: p}
			var w wish
			if json.Unmarshal([]byte(p.Doc), &w) != nil {
				continue // of another version of the program; it can be refused by its author's next try
			}
			for _, t := range texts {
				if t.Name == p.Name {
					x.Now = t.Text
				}
			}
			if w.Mode != nil {
				x.Mode = string(w.Mode.Mode)
			}
			if w.Edit != nil {
				x.Text = w.Edit.Text
			}
			if w.Folder != nil {
				before, err := tx.Policy(w.Folder.Upon)
				if err != nil {
					return err
				}
				x.Folder, x.Now, x.Text = true, changed(before, w.Folder.Texts), changed(w.Folder.Texts, before)
			}
			out = append(out, x)
		}
		return err
	})
	return out, err
}

// Second decides a change that waits. by is the mail address of who does; the author cannot
// confirm, but may take it back. What changed meanwhile makes it a conflict, and it is gone.
func (e *Engine) Second(ctx context.Context, id, by string, confirm bool) (name string, err error) {
	const op = "engine.Second"
	var p store.Proposal
	err = e.db.View(ctx, func(tx *store.Tx) error {
		p = store.Proposal{}
		ps, err := tx.Proposals()
		for _, x := range ps {
			if x.ID == id {
				p = x
			}
		}
		return err
	})
	switch {
	case err != nil:
		return "", err
	case p.ID == "":
		return "", fault.New(fault.NotFound, op, "that change does not wait any more; somebody has decided it")
	case confirm && p.Author == Terminal:
		return p.Name, fault.New(fault.Denied, op, "nobody can tell who made this change, so nobody can be the second to confirm it; refuse it and make it again")
	case confirm && p.Author == strings.ToLower(by):
		return p.Name, fault.New(fault.Denied, op, "you made this change yourself; another person must confirm it")
	}
	if confirm {
		err = e.carryOut(ctx, p, by)
		if k := fault.KindOf(err); err != nil && k != fault.Conflict && k != fault.NotFound {
			return p.Name, err // it goes on waiting
		}
	}
	return p.Name, errors.Join(err, e.db.Update(ctx, func(tx *store.Tx) error { return tx.DropProposal(id) }))
}

func (e *Engine) carryOut(ctx context.Context, p store.Proposal, by string) error {
	var w wish
	if err := json.Unmarshal([]byte(p.Doc), &w); err != nil {
		return fault.Wrap(err, fault.Conflict, "engine.Second", "the change cannot be read any more; make it again")
	}
	reason := p.Reason + " (confirmed by " + by + ")"
	if w.Mode != nil {
		w.Mode.confirmed, w.Mode.Reason = true, reason
		return e.SetMode(ctx, *w.Mode)
	}
	if f := w.Folder; f != nil {
		opts := []ApplyOption{func(c *applyChecks) { c.confirmed, c.upon = true, f.Upon }}
		if f.Failing {
			opts = append(opts, AllowFailingTests())
		}
		_, err := e.Apply(ctx, f.Texts, p.Author, reason, false, opts...)
		return err
	}
	w.Edit.confirmed = true
	_, err := e.Edit(ctx, *w.Edit, p.Author, reason)
	return err
}
