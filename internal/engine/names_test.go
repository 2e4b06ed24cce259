package engine_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

// TestNamesOfNothing: a save that names a location nobody has is refused at its place; a folder, which may come
// before the shop is set up, is let in with a warning; and what is named and not there, or closed, is a finding.
func TestNamesOfNothing(t *testing.T) {
	r := newRig(t)
	r.update(func(tx *store.Tx) error {
		return store.UpsertLocations(tx, []catalog.Location{{ID: "berlin"}, {ID: "lyon"}, {ID: "lille", Closed: true}}, "kim@shop.example")
	})
	r.apply()
	text := strings.Replace(tagAll, "tag: seen", "prefer: berln\n  - hold: { queue: rik, reason: a test }", 1)
	_, err := r.eng.Edit(t.Context(), edited("", "", text), "kim@shop.example", "a test")
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), `automation.yaml:6:13`) && !strings.Contains(err.Error(), `tag-all.yaml:6:13`) || !strings.Contains(err.Error(), "did you mean berlin?; there are berlin, lyon, lille") {
		t.Errorf("the save says %v", err)
	}
	applied, err := r.eng.Apply(t.Context(), []store.Text{{Kind: engine.KindAutomation, Name: "tag-all", Text: text}}, "kim@shop.example", "a test", false)
	if err != nil || len(applied.Warnings) != 1 || !strings.HasPrefix(applied.Warnings[0], "tag-all.yaml:6:13: there is no location") {
		t.Errorf("the folder is told %q, %v", applied.Warnings, err)
	}
	// What stood there before does not stop another change of the text.
	more := text + "  - prefer: lille\nmode: shadow\n"
	if _, err := r.eng.Edit(t.Context(), edited("tag-all", store.HashText(text), more), "kim@shop.example", "a test"); err != nil {
		t.Error(err)
	}
	report, err := r.eng.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[proof.Severity]string{}
	for _, f := range report.Findings {
		switch f.Kind {
		case proof.Missing:
			found[f.Severity] = f.At[0] + " " + f.Message
		case proof.Closed:
			found["closed"] = f.At[0] + " " + f.Message
		}
	}
	if !strings.HasPrefix(found[proof.Error], `tag-all.yaml:6:13 there is no location "berln"`) || !strings.HasPrefix(found[proof.Warning], `tag-all.yaml:7:20 nothing else uses the queue "rik"; did you mean risk?`) {
		t.Errorf("found %q", found)
	}
	if found["closed"] != `tag-all.yaml:8 it prefers the location "lille", which is closed: no order goes there until it is open again` {
		t.Errorf("found %q", found)
	}
}

// TestAFolderOfBareAutomations is told once what is wrong with it, however many files it holds.
func TestAFolderOfBareAutomations(t *testing.T) {
	files := fstest.MapFS{}
	for _, n := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		files[n+".yaml"] = &fstest.MapFile{Data: []byte(tagAll)}
	}
	_, err := engine.ReadFolder(files)
	ps := problemsOf(err)
	if len(ps) != 1 || ps[0].Pointer != "a.yaml, b.yaml, c.yaml, d.yaml, e.yaml and 2 more" || !strings.Contains(ps[0].Message, "put them into a folder automations") {
		t.Errorf("told %+v", ps)
	}
}

func problemsOf(err error) []fault.Problem {
	if e, ok := err.(*fault.Error); ok {
		return e.Problems
	}
	return nil
}
