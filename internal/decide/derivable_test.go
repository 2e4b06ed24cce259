package decide

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/event"
)

// TestDerivableIsComplete: an event that decisions derive and that is not listed would set off automations
// whose limits were neither locked nor read.
func TestDerivableIsComplete(t *testing.T) {
	byName := map[string]string{}
	for _, typ := range event.Types() {
		byName[strings.NewReplacer(".", "", "_", "").Replace(typ)] = typ
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`d\.derive\(&event\.(\w+)\{`).FindAllSubmatch(text, -1) {
			found++
			if typ := byName[strings.ToLower(string(m[1]))]; !slices.Contains(derivable, typ) {
				t.Errorf("%s derives %s (%q), which is not listed as derivable", f, m[1], typ)
			}
		}
	}
	if found < 6 {
		t.Errorf("only %d places derive an event", found)
	}
}
