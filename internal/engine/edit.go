package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

// Edit changes one text of the policy and leaves the others as they are.
type Edit struct {
	Kind string
	Name string // as it is now; "" = a new one
	Was  string // hash of the text the editor started from; "" = a new one, or one that was removed
	Text string // "" removes it
	// Failing lets a text in although tests beside it fail.
	Failing bool

	confirmed bool // by a second person
	back      bool // to what was let in before
}

// editTries bounds how often an edit begins again because another text of the policy changed meanwhile.
const editTries = 5

// Edit makes one text of the policy another one, as a new revision. An automation whose text has another
// name than before is renamed. When somebody else changed the text since it was read, the error is a
// fault.Conflict and nothing is changed.
func (e *Engine) Edit(ctx context.Context, c Edit, author, reason string) (Applied, error) {
	const op = "engine.Edit"
	if strings.TrimSpace(reason) == "" {
		return Applied{}, fault.New(fault.Invalid, op, "a reason is required: the next person reads it")
	}
	for range editTries {
		a, again, err := e.edit(ctx, c, author, strings.TrimSpace(reason))
		if !again {
			return a, err
		}
	}
	return Applied{}, fault.New(fault.Unavailable, op, "the policy is being changed all the time; try again in a moment")
}

// edit is one try; again says that the policy changed while the new one was checked.
func (e *Engine) edit(ctx context.Context, c Edit, author, reason string) (a Applied, again bool, err error) {
	var texts []store.Text
	var rev int64
	err = e.db.View(ctx, func(tx *store.Tx) error {
		if rev, _, err = tx.CurrentPolicy(); err != nil {
			return err
		}
		texts, err = tx.Policy(rev)
		return err
	})
	if err != nil {
		return a, false, err
	}
	next, err := c.apply(texts)
	if err != nil {
		return a, false, err
	}
	// Compiling a whole policy takes a while, so no transaction is open meanwhile.
	l, err := Compile(next)
	if err != nil {
		return a, false, err
	}
	if !c.Failing {
		if err := c.failing(l, next); err != nil {
			return a, false, err
		}
	}
	if !c.back {
		if err := e.db.View(ctx, func(tx *store.Tx) error { return c.unknownNames(tx, l, texts) }); err != nil {
			return a, false, err
		}
	}
	if !c.confirmed && e.asksSecond(author) && activates(texts, next) {
		name := c.Name
		if name == "" {
			name = automationName(next[len(next)-1]) // a new one stands last
		}
		return Applied{Proposed: true}, false, e.propose(ctx, wish{Edit: &c}, name, author, reason)
	}
	err = e.db.Update(ctx, func(tx *store.Tx) error {
		a, again = Applied{}, false
		now, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		if again = now != rev; again {
			return nil
		}
		a.compare(texts, next)
		if a.Warnings, err = warnings(tx, l); err != nil {
			return err
		}
		if a.Revision, a.Changed, err = tx.PutPolicy(next, author, reason); err != nil {
			return err
		}
		vs, err := tx.Versions(c.Kind, c.named(texts, next), 0, 1)
		if len(vs) > 0 {
			a.Version = vs[0].N
		}
		return err
	})
	if err != nil || again || !a.Changed {
		return a, again, err
	}
	if err := e.Reload(ctx); err != nil {
		return a, false, err
	}
	e.watch.tell(Topic{Kind: "policy"})
	return a, false, nil
}

// failing runs the tests beside the edited automation.
func (c Edit) failing(l *loaded, next []store.Text) error {
	var ps []fault.Problem
	for _, t := range next {
		if t.Kind != KindAutomation || t.Text != c.Text {
			continue
		}
		a := l.policy.Automations.Get(automationName(t))
		for _, r := range proof.Failed(proof.Tests(l.policy.Settings, []*automation.Automation{a})) {
			ps = append(ps, fault.Problem{Pointer: r.At(), Message: fmt.Sprintf("test %q: %s", r.Name, r.Problem)})
		}
	}
	return fault.Problems("engine.Edit", ps)
}

// named is the name that the edited text has in the policy afterwards, or had when it is removed.
func (c Edit) named(before, after []store.Text) string {
	for i, t := range after {
		if t.Kind == c.Kind && t.Text == c.Text && (i >= len(before) || before[i] != t || t.Name == c.Name) {
			return t.Name
		}
	}
	return c.Name
}

// apply returns the texts with the edit made.
func (c Edit) apply(texts []store.Text) ([]store.Text, error) {
	const op = "engine.Edit"
	find := func(name string) int {
		return slices.IndexFunc(texts, func(t store.Text) bool { return t.Kind == c.Kind && t.Name == name })
	}
	at := -1
	if c.Name != "" {
		at = find(c.Name)
	}
	switch {
	case at < 0 && c.Was != "":
		return nil, fault.New(fault.Conflict, op, "somebody removed %s meanwhile", c.Name)
	case at >= 0 && c.Was == "":
		return nil, fault.New(fault.Conflict, op, "there is %s already", c.Name)
	case at >= 0 && store.HashText(texts[at].Text) != c.Was:
		return nil, fault.New(fault.Conflict, op, "somebody changed %s meanwhile", c.Name)
	case at < 0 && c.Text == "":
		return nil, fault.New(fault.NotFound, op, "there is no %s", c.Name)
	}
	next := slices.Clone(texts)
	if c.Text == "" {
		return slices.Delete(next, at, at+1), nil
	}
	name := c.Name
	if c.Kind == KindAutomation {
		a, err := automation.Parse(firstName(c.Name, "automation")+".yaml", []byte(c.Text))
		if err != nil {
			return nil, err
		}
		// A file may have another name than the automation in it; that stays so until the automation is renamed.
		if at < 0 || automationName(texts[at]) != a.Name {
			name = a.Name
		}
		for i, t := range texts {
			if i != at && t.Kind == KindAutomation && (t.Name == name || automationName(t) == a.Name) {
				return nil, fault.Problems(op, []fault.Problem{{Pointer: "automation", Message: "the name " + a.Name + " is taken by another automation"}})
			}
		}
	}
	t := store.Text{Kind: c.Kind, Name: name, Text: c.Text}
	if at < 0 {
		return append(next, t), nil
	}
	next[at] = t
	return next, nil
}

func firstName(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// automationName is the name that an automation's text gives it, else its file's.
func automationName(t store.Text) string {
	a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
	if err != nil {
		return t.Name
	}
	return a.Name
}

// Rollback makes the text of an automation's nth version the current one again, as a new version. One that is there keeps
// its mode: going back to what a text said must neither switch it on nor off. A version that removed it removes it again.
func (e *Engine) Rollback(ctx context.Context, name string, n int64, author, reason string) (Applied, error) {
	const op = "engine.Rollback"
	c := Edit{Kind: KindAutomation, Name: name}
	err := e.db.View(ctx, func(tx *store.Tx) error {
		c.Was = ""
		v, err := tx.VersionAt(KindAutomation, name, n)
		if err != nil {
			return err
		}
		if v.N == 0 {
			return fault.New(fault.NotFound, op, "%s has no version %d; \"orderly automations versions %s\" lists them", name, n, name)
		}
		c.Text = v.Text
		now, err := tx.PolicyTexts(KindAutomation)
		for _, t := range now {
			if t.Name == name {
				c.Was = t.Hash
				c.Text = automation.InModeOf(name+".yaml", v.Text, t.Text)
			}
		}
		return err
	})
	if err != nil {
		return Applied{}, err
	}
	c.Failing, c.back = true, true
	return e.Edit(ctx, c, author, reason)
}
