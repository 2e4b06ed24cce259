package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// ModeChange is a person's wish for an automation.
type ModeChange struct {
	Name   string
	Mode   automation.Mode
	Share  int    // canary: percent of orders; 0 = as it was, else 10
	By     string // who wishes it
	Reason string

	confirmed bool // by a second person
}

// SetMode gives an automation another mode. Paused stops it at once, above
// whatever its text says; every other mode is written into its text, as a new
// revision of the policy, and lets a stopped one go on when it may act in it.
func (e *Engine) SetMode(ctx context.Context, c ModeChange) error {
	const op = "engine.SetMode"
	if c.Reason == "" {
		return fault.New(fault.Invalid, op, "say why: the reason is kept and told to the owner")
	}
	if !slices.Contains(automation.Modes(), c.Mode) {
		return fault.New(fault.Invalid, op, "the mode is draft, shadow, canary, active or paused, got %q", c.Mode)
	}
	if c.Mode == automation.Paused {
		return e.personal(ctx, c.By, &event.AutomationStopped{Automation: c.Name, Reason: c.Reason})
	}
	if e.modeAsksSecond(c) {
		return fault.New(fault.Denied, op, "a second person must confirm that %s begins to act; it is asked for on the automation's page", c.Name)
	}
	var guard *automation.Guard
	err := e.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.HoldPolicy(); err != nil {
			return err
		}
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		texts, err := tx.Policy(rev)
		if err != nil {
			return err
		}
		i, err := automationAt(texts, c.Name)
		if err != nil {
			return err
		}
		share := c.Share
		if a, err := automation.Parse(c.Name+".yaml", []byte(texts[i].Text)); err == nil && share == 0 {
			share = a.Share
		}
		if share == 0 {
			share = 10
		}
		edited, err := automation.WithMode(c.Name+".yaml", []byte(texts[i].Text), c.Mode, share)
		if err != nil {
			return err
		}
		texts[i].Text = string(edited)
		if _, err := Compile(texts); err != nil {
			return err
		}
		if _, _, err := tx.PutPolicy(texts, c.By, c.Reason); err != nil {
			return err
		}
		guards, err := store.Guards(tx, []string{c.Name})
		guard = guards[c.Name]
		return err
	})
	if err != nil {
		return err
	}
	if err := e.Reload(ctx); err != nil {
		return err
	}
	e.watch.tell(Topic{Kind: "policy"})
	if err := e.tellModes(ctx); err != nil {
		return err
	}
	if guard != nil && guard.Stop != nil && (c.Mode == automation.Active || c.Mode == automation.Canary) {
		return e.personal(ctx, c.By, &event.AutomationResumed{Automation: c.Name, Reason: c.Reason})
	}
	return nil
}

// Resume lets a stopped automation act again.
func (e *Engine) Resume(ctx context.Context, name, by, reason string) error {
	return e.personal(ctx, by, &event.AutomationResumed{Automation: name, Reason: reason})
}

// personal submits what a person does, and turns a refusal into an error.
func (e *Engine) personal(ctx context.Context, by string, p event.Payload) error {
	if err := fault.Problems("engine.SetMode", p.Validate()); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fault.Wrap(err, fault.Internal, "engine.SetMode", "no key could be made")
	}
	out, err := e.Submit(ctx, []event.Event{{Source: consoleSource, Key: id.String(), Actor: by, Data: p}})
	if err == nil && out[0].Status != Decided {
		err = fault.New(fault.Conflict, "engine.SetMode", "%s", out[0].Reason)
	}
	return err
}

func automationAt(texts []store.Text, name string) (int, error) {
	var names []string
	for i, t := range texts {
		if t.Kind == KindAutomation && t.Name == name {
			return i, nil
		}
		if t.Kind == KindAutomation {
			names = append(names, t.Name)
		}
	}
	if near := schema.Nearest(name, names); near != "" {
		return 0, fault.New(fault.NotFound, "engine.SetMode", "there is no automation %q; did you mean %s?", name, near)
	}
	return 0, fault.New(fault.NotFound, "engine.SetMode", "there is no automation %q in the current policy", name)
}

// modesToldSetting keeps the last policy revision whose changes of modes were told.
const modesToldSetting = "modes_told"

// tellModes submits an event for every automation that a new policy gave another
// mode or left out, so that its owner learns of it. Whoever applied the policy
// calls it, and the watch does when that process died before it could.
func (e *Engine) tellModes(ctx context.Context) error {
	var evs []event.Event
	var last int64
	err := e.db.View(ctx, func(tx *store.Tx) error {
		evs = nil
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		said, _, err := tx.Setting(modesToldSetting)
		if err != nil {
			return err
		}
		told, _ := strconv.ParseInt(said, 10, 64) // "" is the beginning
		last = rev
		for told < rev {
			more, err := modeChanges(tx, told, told+1)
			if err != nil {
				return err
			}
			evs = append(evs, more...)
			told++
		}
		if said == strconv.FormatInt(rev, 10) {
			last = 0
		}
		return nil
	})
	if err != nil || last == 0 {
		return err
	}
	if len(evs) > 0 {
		if _, err := e.Submit(ctx, evs); err != nil {
			return err
		}
	}
	return e.db.Update(ctx, func(tx *store.Tx) error {
		return tx.PutSetting(modesToldSetting, strconv.FormatInt(last, 10))
	})
}

// modeChanges are the automations whose mode differs between two revisions.
func modeChanges(tx *store.Tx, from, to int64) ([]event.Event, error) {
	before, err := tx.Policy(from)
	if err != nil {
		return nil, err
	}
	after, err := tx.Policy(to)
	if err != nil {
		return nil, err
	}
	author, note, err := tx.PolicyAuthor(to)
	if err != nil {
		return nil, err
	}
	old := map[string]string{}
	for _, t := range before {
		if t.Kind == KindAutomation {
			old[t.Name] = t.Text
		}
	}
	kept := map[string]bool{}                    // files with the text they had
	fresh := map[string]*automation.Automation{} // of the others, by name: a file may have another name than the automation in it
	for _, t := range after {
		if t.Kind != KindAutomation {
			continue
		}
		if kept[t.Name] = old[t.Name] == t.Text; !kept[t.Name] {
			if a, err := automation.Parse(t.Name+".yaml", []byte(t.Text)); err == nil {
				fresh[a.Name] = a
			}
		}
	}
	var evs []event.Event
	for _, t := range before {
		if t.Kind != KindAutomation || kept[t.Name] {
			continue
		}
		was, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
		if err != nil {
			continue // written by an older program; what it was is not known any more
		}
		p := &event.AutomationChanged{Automation: was.Name, From: modeText(was), Owner: was.Owner, By: author, Reason: note}
		is := fresh[was.Name]
		if is == nil {
			is = renamed(was, fresh)
		}
		if is != nil {
			p.To, p.Owner = modeText(is), is.Owner
		}
		if p.From != p.To {
			evs = append(evs, event.Event{Source: engineSource, Key: fmt.Sprintf("mode:%d:%s", to, was.Name), Actor: author, Data: p})
		}
	}
	return evs, nil
}

// renamed finds the automation that has the text of another but for its name.
func renamed(was *automation.Automation, in map[string]*automation.Automation) *automation.Automation {
	for _, a := range in {
		if strings.Replace(a.Text, a.Name, was.Name, 1) == was.Text {
			return a
		}
	}
	return nil
}

// modeText is a mode with its share.
func modeText(a *automation.Automation) string {
	if a.Mode == automation.Canary {
		return fmt.Sprintf("canary %d%%", a.Share)
	}
	return string(a.Mode)
}
