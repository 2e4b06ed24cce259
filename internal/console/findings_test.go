package console_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"orderly.example/orderly/internal/store"
)

// TestFindings: what the automations do to each other stands on their page, with links to them and the order that shows it.
func TestFindings(t *testing.T) {
	c := newClient(t, 12).admin()
	if _, body := c.get("/automations"); !strings.Contains(body, "They go together") || strings.Contains(body, `href="#findings"`) {
		t.Error("automations that go together are not said to")
	}
	text := func(name, when, step string) store.Text {
		return store.Text{Kind: "automation", Name: name, Text: "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\non: order.placed\nwhen: " + when +
			"\ndo:\n  - " + step + "\ntests:\n  - { name: small, event: { total: 1 EUR }, expect: does not fire }\n"}
	}
	err := c.shop.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, _, err := tx.PutPolicy([]store.Text{
			text("hold-large", `order.total > money("400", "EUR")`, "hold: { queue: risk, reason: large }"),
			text("look-twice", `order.units * order.line_count > 1000000`, "tag: twice"),
			text("release-vip", `order.tags.exists(t, t == "<vip>")`, "release"),
			text("tag-all", `order.units >= 0`, "tag: seen"),
		}, "tester", "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	code, body := c.get("/automations")
	if code != http.StatusOK {
		t.Fatalf("answers %d", code)
	}
	_, panel, _ := strings.Cut(body, `id="findings"`)
	for _, want := range []string{
		"Conflict", `<span class="sub">Error</span>`, `<span class="sub">Note</span>`, `href="/automations/hold-large/backtest"`, `href="/automations/hold-large"`, `href="/automations/release-vip"`, "“Hold large” holds the order and “Release vip” lets it go",
		"tags of the order: &lt;vip&gt;", `title="order.tags = [&#34;&lt;vip&gt;&#34;], order.total = 400.01 EUR"`, "an order of 1 × ITEM-1 at 400.01 EUR", "Always true", "Example fails", "Expected: it does nothing. What happens: it acts.", "4 tests, 6 pairs compared", "The past was not asked, so nothing is said of what happened so far.",
	} {
		if !strings.Contains(panel, want) {
			t.Errorf("the panel does not say %q", want)
		}
	}
	if m := regexp.MustCompile(`href="#findings">([^<]*)<`).FindStringSubmatch(body); m == nil || m[1] != "3 findings" {
		t.Errorf("the head counts %v", m)
	}
	for path, want := range map[string]bool{"/automations/release-vip": true, "/automations/look-twice": false} {
		_, body := c.get(path)
		if got := strings.Contains(body, "1 finding is about it") && strings.Contains(body, "“Hold large” holds the order and “Release vip” lets it go"); got != want {
			t.Errorf("%s tells its finding: %v", path, got)
		}
	}
}
