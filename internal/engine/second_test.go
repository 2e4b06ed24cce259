package engine_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// TestSecondPersonActivates: with four eyes an automation begins to act when another person has confirmed it, and not before.
func TestSecondPersonActivates(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		r := openRig(t, url, engine.Options{})
		ctx := t.Context()
		draft := tagAll + "mode: draft\n"
		r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\nfour_eyes_activation: true\n"}, store.Text{Kind: engine.KindAutomation, Name: "tag-all", Text: draft})
		mode := func() automation.Mode { return r.eng.Policy().Automations.Get("tag-all").Mode }
		wait := func(n int) []engine.Proposal {
			t.Helper()
			ps, err := r.eng.Proposals(ctx)
			if err != nil || len(ps) != n {
				t.Fatalf("%+v wait, %v; want %d", ps, err, n)
			}
			return ps
		}
		active := engine.ModeChange{Name: "tag-all", Mode: automation.Active, By: "kim@shop.example", Reason: "it is time"}
		if err := r.eng.SetMode(ctx, active); fault.KindOf(err) != fault.Denied {
			t.Errorf("a mode without a second person: %v", err)
		}
		if kept, err := r.eng.ProposeMode(ctx, active); !kept || err != nil {
			t.Fatal(kept, err)
		}
		a, err := r.eng.Edit(ctx, edited("tag-all", store.HashText(draft), tagAll+"mode: active\n"), "lee@shop.example", "mine")
		if err != nil || !a.Proposed || a.Changed || mode() != automation.Draft {
			t.Fatalf("an edit that activates: %+v, %v", a, err)
		}
		ps := wait(2)
		if ps[0].Mode != "active" || !strings.Contains(ps[1].Text, "mode: active") || ps[1].Now != draft {
			t.Errorf("%+v", ps)
		}
		if _, err := r.eng.Second(ctx, ps[0].ID, "Kim@shop.example", true); fault.KindOf(err) != fault.Denied || mode() != automation.Draft {
			t.Errorf("the author confirms: %v", err)
		}
		wait(2)
		if _, err := r.eng.Second(ctx, ps[0].ID, "lee@shop.example", true); err != nil || mode() != automation.Active {
			t.Errorf("another person confirms: %v, %s", err, mode())
		}
		if _, err := r.eng.Second(ctx, ps[1].ID, "kim@shop.example", true); fault.KindOf(err) != fault.Conflict {
			t.Errorf("what was written upon another text: %v", err)
		}
		wait(0)
		if _, err := r.eng.Second(ctx, ps[1].ID, "kim@shop.example", true); fault.KindOf(err) != fault.NotFound {
			t.Errorf("decided twice: %v", err)
		}
		// Stopping and drafting need nobody else.
		if kept, err := r.eng.ProposeMode(ctx, engine.ModeChange{Name: "tag-all", Mode: automation.Draft, By: "kim@shop.example", Reason: "x"}); kept || err != nil {
			t.Error(kept, err)
		}
		if err := r.eng.SetMode(ctx, engine.ModeChange{Name: "tag-all", Mode: automation.Draft, By: "kim@shop.example", Reason: "x"}); err != nil || mode() != automation.Draft {
			t.Error(err)
		}
		// The terminal asks as well: for a mode, and for a folder, whole.
		atTerminal := engine.ModeChange{Name: "tag-all", Mode: automation.Active, By: engine.Terminal, Reason: "x"}
		if err := r.eng.SetMode(ctx, atTerminal); fault.KindOf(err) != fault.Denied {
			t.Errorf("a mode at the terminal: %v", err)
		}
		if _, err := r.eng.ProposeMode(ctx, atTerminal); fault.KindOf(err) != fault.Denied || !strings.Contains(err.Error(), "--as") {
			t.Errorf("kept for a second person, and nobody knows the first: %v", err)
		}
		wait(0)
		atTerminal.By = "kim@shop.example"
		if kept, err := r.eng.ProposeMode(ctx, atTerminal); !kept || err != nil {
			t.Error(kept, err)
		}
		if a, err := r.eng.Rollback(ctx, "tag-all", 2, engine.Terminal, "as it was"); err != nil || a.Changed || mode() != automation.Draft {
			t.Errorf("a rollback switches it on: %+v, %v", a, err)
		}
		shop := store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\nfour_eyes_activation: true\n"}
		acting := store.Text{Kind: engine.KindAutomation, Name: "tag-all", Text: tagAll + "mode: active\n"}
		asks := func(folder ...store.Text) {
			t.Helper()
			if a, err := r.eng.Apply(ctx, folder, engine.Terminal, "a folder", false); fault.KindOf(err) != fault.Denied {
				t.Fatalf("a folder of nobody: %+v, %v", a, err)
			}
			a, err := r.eng.Apply(ctx, folder, "kim@shop.example", "a folder", false)
			if err != nil || !a.Proposed || a.Changed {
				t.Fatalf("%+v, %v", a, err)
			}
		}
		asksNobody := store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\n"}
		if a, err := r.eng.Apply(ctx, []store.Text{shop, {Kind: engine.KindAutomation, Name: "tag-all", Text: tagAll + "mode: shadow\n"}}, engine.Terminal, "", true); err != nil || a.Proposed || !a.Changed {
			t.Errorf("what begins nothing is asked about: %+v, %v", a, err)
		}
		asks(asksNobody) // the setting itself
		if ps = wait(2); !ps[1].Folder || !strings.Contains(ps[1].Now, "four_eyes") {
			t.Errorf("%+v", ps)
		}
		asks(shop, acting) // in the place of the one before
		if ps = wait(2); mode() != automation.Draft || !strings.Contains(ps[1].Text, "mode: active") || !strings.Contains(ps[1].Now, "mode: draft") || strings.Contains(ps[1].Text, "shop: Sample") {
			t.Errorf("%s, %+v", mode(), ps)
		}
		if _, err := r.eng.Second(ctx, ps[1].ID, "lee@shop.example", true); err != nil || mode() != automation.Active {
			t.Errorf("the folder is confirmed: %v, %s", err, mode())
		}
		// What was compared with an older policy is not carried out.
		asks(asksNobody)
		if err := r.eng.SetMode(ctx, engine.ModeChange{Name: "tag-all", Mode: automation.Draft, By: "kim@shop.example", Reason: "x"}); err != nil {
			t.Error(err)
		}
		if ps = wait(2); len(ps) == 2 {
			if _, err := r.eng.Second(ctx, ps[1].ID, "lee@shop.example", true); fault.KindOf(err) != fault.Conflict || !r.eng.Policy().Settings.SecondActivates {
				t.Errorf("a folder upon another policy: %v", err)
			}
		}
		// What an older version kept of nobody cannot be confirmed, only refused.
		if err := r.db.Update(ctx, func(tx *store.Tx) error {
			return tx.PutProposal(store.Proposal{ID: "old", Name: "tag-all", Doc: `{"Mode":{"Name":"tag-all","Mode":"active"}}`, Author: engine.Terminal})
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.eng.Second(ctx, "old", "lee@shop.example", true); fault.KindOf(err) != fault.Denied {
			t.Errorf("what nobody knows to be whose is confirmed: %v", err)
		}
		if _, err := r.eng.Second(ctx, "old", "lee@shop.example", false); err != nil {
			t.Errorf("and it cannot be refused: %v", err)
		}
	})
}
