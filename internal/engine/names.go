package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
)

// kindWebhook is a connection that a step can send to.
const kindWebhook = "webhook"

// ownQueues are those that Orderly itself gives tasks to, and that of the reviewers.
var ownQueues = []string{"finance", "ops", "risk", "support", "warehouse"}

// Names returns what the names in automations may stand for in this shop, with the queues that they use.
func (e *Engine) Names(ctx context.Context) (n automation.Names, err error) {
	err = e.db.View(ctx, func(tx *store.Tx) error {
		if _, err := e.currentPolicy(tx); err != nil {
			return err
		}
		l := e.loaded.Load()
		n, err = namesOf(tx, l)
		for _, a := range l.policy.Automations.All() {
			n.Queues = append(n.Queues, a.Queues()...)
		}
		slices.Sort(n.Queues)
		n.Queues = slices.Compact(n.Queues)
		return err
	})
	return n, err
}

func templatesOf(s *notify.Set) automation.Names { return automation.Names{Templates: s.Names()} }

// namesOf are the names beside a policy; its queues are those of Orderly and those that hold open tasks.
func namesOf(tx *store.Tx, l *loaded) (automation.Names, error) {
	n := templatesOf(l.templates)
	conns, err := tx.Connections()
	if err != nil {
		return n, err
	}
	for _, c := range conns {
		if c.Kind == kindWebhook {
			n.Connections = append(n.Connections, c.Name)
		}
	}
	locations, err := tx.AllLocations()
	if err != nil {
		return n, err
	}
	all := slices.SortedFunc(maps.Values(locations), func(a, b catalog.Location) int {
		return cmp.Or(last(a.Closed)-last(b.Closed), last(a.Rank == 0)-last(b.Rank == 0), cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.ID, b.ID))
	})
	for _, x := range all {
		n.Locations = append(n.Locations, x.ID)
		if x.Closed {
			n.Closed = append(n.Closed, x.ID)
		}
	}
	open, err := tx.Queues()
	n.Queues = append(open, ownQueues...)
	slices.Sort(n.Queues)
	n.Queues = slices.Compact(n.Queues)
	return n, err
}

// last puts behind what it holds for.
func last(is bool) int {
	if is {
		return 1
	}
	return 0
}

// unknownNames refuses an edit that brings in names of nothing. Those that stood there before are findings: what
// they named may have gone since, and the text must be mendable in steps.
func (c Edit) unknownNames(tx *store.Tx, l *loaded, before []store.Text) error {
	if c.Kind != KindAutomation || c.Text == "" {
		return nil
	}
	i := slices.IndexFunc(l.policy.Automations.All(), func(a *automation.Automation) bool { return a.Text == c.Text })
	if i < 0 {
		return nil
	}
	a := l.policy.Automations.All()[i]
	had := map[automation.Ref]bool{}
	for _, t := range before {
		if t.Kind == KindAutomation && t.Name == c.Name {
			if old, err := automation.Parse("", []byte(t.Text)); err == nil {
				for _, r := range old.Refs {
					had[automation.Ref{Type: r.Type, Name: r.Name}] = true
				}
			}
		}
	}
	n, err := namesOf(tx, l)
	if err != nil {
		return err
	}
	fresh := *a
	fresh.Refs = slices.DeleteFunc(slices.Clone(a.Refs), func(r automation.Ref) bool {
		return had[automation.Ref{Type: r.Type, Name: r.Name}]
	})
	return fault.Problems("engine.Edit", n.Unknown(&fresh))
}
