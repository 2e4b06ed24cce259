package engine

import (
	"context"
	"strings"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// OwnerIncident is the subject of the incident about an automation whose owner's account is closed.
func OwnerIncident(name string) string { return "owner:" + name }

// tellOrphans opens an incident for every automation whose owner's account is closed: nobody
// would be told when it goes wrong. It is opened again each day until it has another owner.
func (e *Engine) tellOrphans(ctx context.Context) error {
	closed := map[string]bool{}
	err := e.db.View(ctx, func(tx *store.Tx) error {
		clear(closed)
		users, err := tx.Users()
		for _, u := range users {
			if u.Disabled {
				closed[u.Email] = true
			}
		}
		return err
	})
	if err != nil || len(closed) == 0 {
		return err
	}
	var evs []event.Event
	for _, a := range e.Policy().Automations.All() {
		if !closed[strings.ToLower(a.Owner)] {
			continue
		}
		evs = append(evs, event.Event{
			Source: engineSource, Key: OwnerIncident(a.Name) + ":" + e.now().UTC().Format("2006-01-02"), Actor: "orderly",
			Data: &event.IncidentRaised{
				Subject: OwnerIncident(a.Name), Title: "The automation " + a.Name + " has no owner any more",
				Detail: "the account of its owner " + a.Owner + " is closed, so nobody is told when it goes wrong; give it another owner on its page under Automations",
			},
		})
	}
	if len(evs) == 0 {
		return nil
	}
	_, err = e.Submit(ctx, evs)
	return err
}
