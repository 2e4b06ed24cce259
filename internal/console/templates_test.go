package console_test

import (
	"os"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/consoletest"
)

// TestTemplatesAreSavedWithOtherValues: a person without code fills in a template, and it can be saved.
func TestTemplatesAreSavedWithOtherValues(t *testing.T) {
	s := openShop(t, 0)
	ts, err := automation.Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]map[string]string{
		"hold-large": {"when": "2000 EUR"}, "vip-thanks": {"when": "5000 EUR"}, "signature": {"when": "500 USD"}, "hold-large-first-orders": {"when#0": "900 EUR"},
		"large-line": {"when#0": "120"}, "exclude-location": {"when": "US, GB", "do/0/location": "berlin"}, "gift-note": {"when": "birthday", "do/0/tag": "present"},
		"unfillable-escalation": {"when": "750 EUR"}, "low-stock-buyer": {"when": "TEA"}, "hold-velocity": {"when/by": "order.device", "when/within": "7d", "when": "5"},
		"fraud-ring-address": {"when#0/within": "24h", "when#0": "5"}, "wholesale-route": {"when#0": "b2b"}, "customs-papers": {"when": "US, DE"},
	}
	for _, tpl := range ts {
		text, err := tpl.Fill("own-"+tpl.Name, consoletest.AdminMail, values[tpl.Name])
		if err != nil {
			t.Error(tpl.Name, err)
			continue
		}
		if _, err := policies(s).Edit(t.Context(), console.PolicyEdit{Text: text}, consoletest.AdminMail, "from a template"); err != nil {
			t.Errorf("%s cannot be saved: %v", tpl.Name, err)
		}
	}
}

// TestTemplateInTheBrowser fills in templates as a person without code does.
func TestTemplateInTheBrowser(t *testing.T) {
	b := startBrowser(t, 0)
	b.signIn()
	b.open("/editor?template=hold-velocity")
	b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
	b.choose(`#b-when--set---by`, "order.device")
	b.choose(`#b-when--set---within`, "7d")
	b.choose(`#b-when--set---v`, "5")
	b.contains(b.text(), `velocity("order.placed", "order.device", "7d") >= 5`, `reason: "the number of earlier orders from the same device within 7d is at least 5"`, `"order.device", "7d")': 4`)
	b.saveEdit("as we need it", `location.pathname === "/automations/hold-velocity"`)
	b.open("/editor?template=large-line")
	b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
	b.choose(`#b-when--set-0--v`, "1")
	var said string
	b.eval(`document.querySelector(".setting .bad").textContent`, &said)
	if said != "Look at it from: write 2 or more." {
		t.Errorf("one piece is refused with %q", said)
	}
	b.choose(`#b-when--set-0--v`, "120")
	b.contains(b.text(), "l.qty >= 120", "a line whose quantity is at least 120", "qty: 119,")
	b.saveEdit("as we need it", `location.pathname === "/automations/large-line"`)
	b.clean()
}

func (b *browser) contains(text string, want ...string) {
	b.t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("%s is missing in\n%s", w, text)
		}
	}
}
