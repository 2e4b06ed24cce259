package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

const tagAll = `automation: tag-all # one
owner: kim@shop.example
why: A sample.
on: order.placed
do:
  - tag: seen
`

func edited(name, was, text string) engine.Edit {
	return engine.Edit{Kind: engine.KindAutomation, Name: name, Was: was, Text: text}
}

func TestEditsAreVersions(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		r := openRig(t, url, engine.Options{})
		ctx := t.Context()
		r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\n"})
		must := func(a engine.Applied, err error) engine.Applied {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		first := must(r.eng.Edit(ctx, edited("", "", tagAll), "kim@shop.example", "a first try"))
		if first.Version != 1 || !first.Changed || len(first.Added) != 1 || first.Added[0] != "automation/tag-all" || r.eng.Policy().Automations.Get("tag-all") == nil {
			t.Fatalf("%+v", first)
		}
		if r.eng.Policy().Settings.Name != "Sample" {
			t.Error("another text of the policy was lost")
		}
		second := strings.Replace(tagAll, "seen", "read", 1)
		must(r.eng.Edit(ctx, edited("tag-all", store.HashText(tagAll), second), "kim@shop.example", "another tag"))
		if a := must(r.eng.Edit(ctx, edited("tag-all", store.HashText(second), second), "kim@shop.example", "the same")); a.Changed {
			t.Error("the same text made a version")
		}

		for name, c := range map[string]struct {
			edit engine.Edit
			kind fault.Kind
		}{
			"saved meanwhile": {edited("tag-all", store.HashText(tagAll), tagAll+"# mine\n"), fault.Conflict},
			"a taken name":    {edited("", "", tagAll), fault.Invalid},
			"not valid":       {edited("tag-all", store.HashText(second), "automation: x\n"), fault.Invalid},
			"gone":            {edited("none", "abc", tagAll), fault.Conflict},
			"never there":     {edited("none", "", ""), fault.NotFound},
		} {
			if a, err := r.eng.Edit(ctx, c.edit, "kim@shop.example", "why not"); fault.KindOf(err) != c.kind || a.Changed {
				t.Errorf("%s: %+v %v", name, a, err)
			}
		}
		if _, err := r.eng.Edit(ctx, edited("tag-all", store.HashText(second), tagAll), "kim@shop.example", " "); fault.KindOf(err) != fault.Invalid {
			t.Errorf("no reason: %v", err)
		}

		renamed := strings.Replace(second, "tag-all", "tag-each", 1)
		must(r.eng.Edit(ctx, edited("tag-all", store.HashText(second), renamed), "kim@shop.example", "a better name"))
		if p := r.eng.Policy().Automations; p.Get("tag-all") != nil || p.Get("tag-each") == nil {
			t.Error("it was not renamed")
		}
		must(r.eng.Edit(ctx, edited("tag-each", store.HashText(renamed), ""), "kim@shop.example", "not needed"))
		if len(r.eng.Policy().Automations.All()) != 0 {
			t.Error("it was not removed")
		}
		if back := must(r.eng.Rollback(ctx, "tag-all", 1, "kim@shop.example", "back to the first")); back.Version != 4 {
			t.Errorf("the rollback made version %d", back.Version)
		}
		if a := r.eng.Policy().Automations.Get("tag-all"); a == nil || a.Text != tagAll {
			t.Errorf("rolled back to %+v", a)
		}
		if _, err := r.eng.Rollback(ctx, "tag-all", 99, "kim@shop.example", "x"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a version that is not there: %v", err)
		}
		var vs []store.Version
		r.view(func(tx *store.Tx) (err error) {
			vs, err = tx.Versions(engine.KindAutomation, "tag-all", 0, 10)
			return err
		})
		var got []string
		for _, v := range vs {
			got = append(got, fmt.Sprint(v.N, " ", v.Note))
		}
		if s := strings.Join(got, ", "); s != "4 back to the first, 3 a better name, 2 another tag, 1 a first try" || vs[1].Hash != "" {
			t.Errorf("versions: %s", s)
		}
		// Going back leaves the mode alone.
		if err := r.eng.SetMode(ctx, engine.ModeChange{Name: "tag-all", Mode: automation.Canary, Share: 30, By: "kim@shop.example", Reason: "carefully"}); err != nil {
			t.Fatal(err)
		}
		must(r.eng.Rollback(ctx, "tag-all", 2, "kim@shop.example", "read it"))
		if a := r.eng.Policy().Automations.Get("tag-all"); a.Mode != automation.Canary || a.Share != 30 || !strings.Contains(a.Text, "tag: read") {
			t.Errorf("rolled back to %s %d %%:\n%s", a.Mode, a.Share, a.Text)
		}
		dir := t.TempDir()
		if _, err := r.eng.WriteFolder(ctx, dir); err != nil {
			t.Fatal(err)
		}
		texts, err := engine.ReadFolder(os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		if a := must(r.eng.Apply(ctx, texts, "terminal", "", true)); a.Changed {
			t.Errorf("what was exported is not what was edited: %+v", a)
		}
	})
}

// TestARenameIsNoRemoval: neither another file name nor another name of the same text tells the owner that an
// automation is gone; taking it out does.
func TestARenameIsNoRemoval(t *testing.T) {
	r := newRig(t)
	told := func() (n int) { return r.count("SELECT count(*) FROM event WHERE type = 'automation.changed'") }
	put := func(file, text string) {
		t.Helper()
		r.apply(store.Text{Kind: engine.KindAutomation, Name: file, Text: text})
	}
	put("tag-all", tagAll)
	put("tags", tagAll)
	put("tags", strings.Replace(tagAll, "tag-all", "tag-each", 1))
	if n := told(); n != 0 {
		t.Errorf("a rename was told %d times", n)
	}
	r.apply(store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\n"})
	if n := told(); n != 1 {
		t.Errorf("a removal was told %d times", n)
	}
}

// TestAnotherProcessAppliesAPolicy: a server shows it within a second or two, also when no event comes.
func TestAnotherProcessAppliesAPolicy(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		r := openRig(t, url, engine.Options{})
		server, stop := r.node(engine.Options{})
		defer stop()
		told := server.Subscribe(t.Context())
		if _, err := r.eng.Apply(t.Context(), []store.Text{{Kind: engine.KindShop, Name: "shop", Text: "shop: Another\n"}}, "terminal", "", false); err != nil {
			t.Fatal(err)
		}
		for timeout := time.After(15 * time.Second); server.Policy().Settings.Name != "Another"; {
			select {
			case <-told:
			case <-timeout:
				t.Fatal("the server still shows the old settings")
			}
		}
	})
}
