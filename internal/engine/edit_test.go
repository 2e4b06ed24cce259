package engine_test

import (
	"os"
	"strings"
	"testing"

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
		if !first.Changed || len(first.Added) != 1 || first.Added[0] != "automation/tag-all" || r.eng.Policy().Automations.Get("tag-all") == nil {
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
		must(r.eng.Rollback(ctx, "tag-all", first.Revision, "kim@shop.example", "back to the first"))
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
			got = append(got, v.Note)
		}
		if s := strings.Join(got, ", "); s != "back to the first, a better name, another tag, a first try" || vs[1].Hash != "" {
			t.Errorf("versions: %s", s)
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
