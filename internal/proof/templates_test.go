package proof_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/proof"
)

// TestTemplatesKeepTheirTests: every template says when not to use it, and does what the tests beside it say.
func TestTemplatesKeepTheirTests(t *testing.T) {
	files, err := filepath.Glob("../../examples/templates/*.yaml")
	if err != nil || len(files) < 16 {
		t.Fatal(len(files), err)
	}
	tested := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var tpl struct {
			Title      string `yaml:"title"`
			NotFor     string `yaml:"not_for"`
			Automation string `yaml:"automation"`
		}
		if err := yaml.Unmarshal(text, &tpl); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		a, err := automation.Parse(filepath.Base(f), []byte(tpl.Automation))
		if err != nil {
			t.Fatalf("%s: %+v", f, err)
		}
		if tpl.Title == "" || tpl.NotFor == "" {
			t.Errorf("%s says too little: %+v", f, tpl)
		}
		if len(a.Tests) > 0 {
			tested++
		}
		rs := proof.Tests(decide.Settings{Name: "Sample Shop", Currency: "EUR", Mail: "mail", OpsOwner: "ops@shop.example"}, []*automation.Automation{a})
		for _, r := range proof.Failed(rs) {
			t.Errorf("%s, %s: %s", r.Automation, r.Name, r.Problem)
		}
	}
	if tested < 16 {
		t.Errorf("only %d templates bring their tests", tested)
	}
}
