package console_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/consoletest"
)

// TestTemplatesAreSavedWithOtherValues: a person without code fills in a template, and it can be saved.
func TestTemplatesAreSavedWithOtherValues(t *testing.T) {
	s := openShop(t, 10)
	ts, err := automation.Templates(os.DirFS("../../examples/templates"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]map[string]string{
		"hold-large": {"when": "2000 EUR"}, "vip-thanks": {"when": "5000 EUR"}, "signature": {"when": "500 USD"}, "hold-large-first-orders": {"when#0": "900 EUR"},
		"large-line": {"when#0": "120"}, "exclude-location": {"when": "US, GB", "do/0/location": "leipzig"}, "remote-postal": {"do/0/location": "leipzig"}, "gift-note": {"when": "birthday", "do/0/tag": "present"},
		"unfillable-escalation": {"when": "750 EUR"}, "low-stock-buyer": {"when": "TEA"}, "hold-velocity": {"when/by": "order.device", "when/within": "7d", "when": "5"},
		"fraud-ring-address": {"when#0/within": "24h", "when#0": "5"}, "wholesale-route": {"when#0": "b2b", "do/0/location": "leipzig"}, "customs-papers": {"when": "US, DE"}, "parcel-refused": {"when": "leipzig"},
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
	// The settings of the template are there later, too, and what hangs on them still follows.
	b.open("/automations/hold-velocity/edit")
	b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
	b.choose(`#b-when--set---v`, "7")
	b.contains(b.text(), "template: hold-velocity", `"order.device", "7d") >= 7`, "within 7d is at least 7", `"order.device", "7d")': 6`)
	b.saveEdit("more patience", `location.pathname === "/automations/hold-velocity"`)
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

// TestExamplesAreMendedWithoutCode: who changes a condition sees which example no longer comes out as expected and why, and
// mends it by its inputs, by accepting what happens, or by removing it; comments of the text stay.
func TestExamplesAreMendedWithoutCode(t *testing.T) {
	b := startBrowser(t, 0)
	addAutomation(t, b.shop, commented+`tests:
  - name: on the line # the edge
    event: { total: 400.01 EUR }
    given: { customer.orders: 0 }
    expect: fires
    does: ["hold: large"]
  - name: a known customer
    event: { total: 500 EUR }
    given: { customer.orders: 3 }
    expect: does not fire
`)
	b.signIn()
	b.open("/automations/hold-commented/edit")
	b.until(`document.querySelector("#gutter span") && document.querySelectorAll("#examples .step-box").length === 2`)
	first := `document.querySelector("#examples .step-box").textContent.replace(/\s+/g, " ")`
	shown := func(js string) (s string) {
		t.Helper()
		b.eval(js, &s)
		return s
	}
	b.choose(`#only-if [data-f="amount"]`, "900")
	b.contains(shown(first), "Not as expected", "Expected: it acts. What happens: it does nothing.", "The order total is above 900 EUR? No: 400.01 EUR.")
	b.contains(shown(`document.querySelector("#examples-state").textContent`), "One example does not come out as expected.")
	if s := shown(`getComputedStyle(document.querySelector("#examples-state")).display`); s == "none" {
		t.Error("that an example fails is hidden beside the button")
	}
	// Its value is changed: the example is on the new line.
	b.choose(`#b-tests-0-event-total`, "900.01 EUR")
	b.until(`document.querySelector("#examples-state").hidden`)
	b.contains(b.text(), "event: { total: 900.01 EUR }", "- name: on the line # the edge")
	// Another step: what it does is accepted.
	b.choose(`#b---do-0--reason`, "very large")
	b.contains(shown(first), "it does not do “hold: large”", "hold: very large")
	b.click(`#b-tests-0--accept`)
	b.until(`document.querySelector("#examples-state").hidden`)
	b.contains(b.text(), "does: [\"hold: very large")
	// What happens now is right: accepted. What is of no use: removed.
	b.choose(`#only-if [data-f="amount"]`, "1000")
	b.click(`#b-tests-0--accept`)
	b.contains(b.text(), "expect: does not fire")
	b.click(`#b-tests-1--x`)
	b.click(`#b-example-add`)
	b.contains(shown(`document.querySelectorAll("#examples .step-box")[1].textContent`), "It acts")
	b.contains(b.text(), "# the edge", "# four hours", "# agreed with the risk team")
	b.saveEdit("dearer", `location.pathname === "/automations/hold-commented"`)
	b.clean()
}

// TestTemplatesBeginWithTheShopsLocations: a template that names a location begins with one that the shop has, and says where
// to make one when there is none; until then it is not saved.
func TestTemplatesBeginWithTheShopsLocations(t *testing.T) {
	c := newClient(t, 10).admin()
	_, body := c.get("/editor?template=exclude-location")
	if !strings.Contains(body, "- exclude: leipzig\n") || strings.Contains(body, "no location yet") {
		t.Error("the template does not begin with the shop's first location")
	}
	empty := newClient(t, 0).admin()
	for _, name := range []string{"exclude-location", "remote-postal", "wholesale-route", "parcel-refused"} {
		_, body := empty.get("/editor?template=" + name)
		if strings.Count(body, "The shop has no location yet.") != 1 || !strings.Contains(body, `href="/settings/locations/new"`) {
			t.Errorf("%s does not say where a location is made", name)
		}
		ts, err := automation.Templates(os.DirFS("../../examples/templates"))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := automation.TemplateNamed(ts, name)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"text": {tpl.Begin(consoletest.AdminMail, automation.Names{})}, "template": {name}, "reason": {"a sample"}}
		if code, body := empty.post("/editor/save", form); code != http.StatusUnprocessableEntity || !strings.Contains(body, "There is no location &#34;main&#34;, and no other; add it to the locations in the settings") {
			t.Errorf("%s was saved without a location: %d", name, code)
		}
	}
}
