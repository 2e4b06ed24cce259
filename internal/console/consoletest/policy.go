package consoletest

import (
	"cmp"
	"context"

	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/engine"
)

// Policies changes automations by the real engine, so that what a test saves is checked and kept as in life.
type Policies struct{ Engine *engine.Engine }

// Edit implements console.PolicyEditor.
func (p Policies) Edit(ctx context.Context, e console.PolicyEdit, author, reason string) (console.PolicySaved, error) {
	a, err := p.Engine.Edit(ctx, engine.Edit{Kind: cmp.Or(e.Kind, engine.KindAutomation), Name: e.Name, Was: e.Was, Text: e.Text, Failing: e.Failing}, author, reason)
	return console.PolicySaved{Version: a.Version, Changed: a.Changed, Proposed: a.Proposed, Warnings: a.Warnings}, err
}

// Rollback implements console.PolicyEditor.
func (p Policies) Rollback(ctx context.Context, name string, version int64, author, reason string) (console.PolicySaved, error) {
	a, err := p.Engine.Rollback(ctx, name, version, author, reason)
	return console.PolicySaved{Version: a.Version, Changed: a.Changed, Proposed: a.Proposed, Warnings: a.Warnings}, err
}

// Waiting implements console.PolicyEditor.
func (p Policies) Waiting(ctx context.Context) ([]console.Proposed, error) {
	ps, err := p.Engine.Proposals(ctx)
	var out []console.Proposed
	for _, x := range ps {
		out = append(out, console.Proposed{ID: x.ID, Name: x.Name, Author: x.Author, Reason: x.Reason, At: x.Created, Mode: x.Mode, Text: x.Text, Now: x.Now, Folder: x.Folder})
	}
	return out, err
}

// Second implements console.PolicyEditor.
func (p Policies) Second(ctx context.Context, id, by string, confirm bool) (string, error) {
	return p.Engine.Second(ctx, id, by, confirm)
}
