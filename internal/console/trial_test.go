package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
)

// types writes into the text of the editor as a person does, at the place of a mark, which it takes away.
func (b *browser) types(mark, keys string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`(() => { const t = document.querySelector("#text"), at = t.value.indexOf(%q); t.focus(); t.setRangeText("", at, at + %d); t.setSelectionRange(at, at); t.scrollTop = 0; })()`, mark, len(mark)), nil)
	b.do(chromedp.KeyEvent(keys))
}

// TestEditorTriesBeforeSaving: what is offered while one writes, what can be shown of the unsaved text beside
// the others, and what it would have done on the past, all before anything is saved.
func TestEditorTriesBeforeSaving(t *testing.T) {
	s := openLive(t, callERP)
	s.sell(6)
	release := "automation: release-small\nowner: ops@shop.example\nwhy: Small orders are not looked at.\non: order.placed\nwhen: order.total < money(\"60\", \"EUR\")\ndo: [ release ]\n"
	if _, err := s.eng.Edit(t.Context(), engine.Edit{Kind: engine.KindAutomation, Text: release}, "tester", "a sample"); err != nil {
		t.Fatal(err)
	}
	s.open("/editor?on=order.placed")
	s.until(`document.querySelector("#findings .finds, #findings p").innerText.includes("once nothing in the text is missing or wrong")`)
	s.acts(`(() => { const t = document.querySelector("#text"); t.value = "automation: hold-some\nowner: risk@shop.example\nwhy: We look at them.\non: order.placed\nwhen: order.units > 0 && HERE\ndo:\n  - hold: { queue: risk, reason: look }\ntests:\n  - { name: small, event: { total: 1 EUR }, expect: fires }\n"; t.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	// Offers, by the keyboard: what stands there, with type, unit and meaning.
	s.types("HERE", "order.tot")
	s.until(`!document.querySelector("#offers").hidden && document.querySelector("#offers [aria-selected=true] b").textContent === "order.total"`)
	var offer string
	s.eval(`document.querySelector("#offers [aria-selected=true]").innerText`, &offer)
	if !strings.Contains(offer, "What the buyer pays") || !strings.Contains(offer, "money") {
		t.Errorf("order.total is offered as %q", offer)
	}
	s.picture("editor-offers")
	s.press("\r")
	s.until(`document.querySelector("#offers").hidden && document.querySelector("#text").value.includes("order.units > 0 && order.total\n")`)
	s.do(chromedp.KeyEvent(` > money("20", "EUR")`))
	// Findings of the text as it stands: the conflict with the order that shows it, and the test beside it.
	s.until(`["Conflict", "Release small", "Example: an order of", "Example fails", "1 test"].every((w) => document.querySelector("#findings").innerText.includes(w))`)
	var links int
	s.eval(`document.querySelectorAll('#findings a[href="/automations/release-small"][target=_blank]').length`, &links)
	if links == 0 {
		t.Error("the other automation is not linked")
	}
	s.acts(`(() => { const t = document.querySelector("#text"); t.value = t.value.replace('order.units > 0', 'order.units * order.line_count > 90'); t.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	s.until(`document.querySelector("#findings").innerText.includes("Not decided") && document.querySelector("#findings").innerText.includes("recorded events since")`)
	s.acts(`(() => { const t = document.querySelector("#text"); t.value = t.value.replace('order.units * order.line_count > 90', 'order.units > 0').replace(/tests:[^]*/, ""); t.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	// The past: figures of the unsaved text, and a word when it has changed since.
	s.eval(`document.querySelector("#try").click()`, nil)
	s.until(`[...document.querySelectorAll("#past-body .tile")].some((e) => e.innerText.includes("Would have fired") && /\b6\b/.test(e.innerText)) && document.querySelector("#past-body").innerText.includes("Orders that would end otherwise") && document.activeElement.id === "past-title"`)
	s.picture("editor-past")
	s.eval(`document.documentElement.dataset.theme = "dark"`, nil)
	s.picture("editor-dark")
	var old bool
	s.eval(`document.querySelector("#past-old").hidden`, &old)
	if !old {
		t.Error("the result is called old at once")
	}
	tried := s.text()
	s.acts(`(() => { const t = document.querySelector("#text"); t.value = t.value.replace('"20"', '"30"'); t.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	s.until(`!document.querySelector("#past-old").hidden`)
	s.acts(fmt.Sprintf(`(() => { const t = document.querySelector("#text"); t.value = %q; t.dispatchEvent(new Event("input", { bubbles: true })); })()`, tried))
	if s.eng.Policy().Automations.Get("hold-some") != nil {
		t.Error("trying it has saved it")
	}
	s.saveEdit("tried before", `location.pathname === "/automations/hold-some"`)
	s.open("/automations/hold-some/backtest") // what was tried is the result of what was saved
	s.shows("6 orders")
	// The triggers that are no events have their own inputs.
	s.open("/editor?on=schedule")
	s.until(`document.querySelector("#b-schedule-cron") && document.querySelector("#gutter span")`)
	s.choose("#b-schedule-cron", "on the 1st of every month at 7:30")
	s.choose("#b-schedule-zone", "berlin")
	if got := s.text(); !strings.Contains(got, "on: schedule") || !strings.Contains(got, `cron: "30 7 1 * *"`) && !strings.Contains(got, "cron: 30 7 1 * *") || !strings.Contains(got, "zone: Europe/Berlin") {
		t.Errorf("the schedule is\n%s", got)
	}
	s.shows("On the 1st of every month at 07:30 in Europe/Berlin")
	s.shows("Next:")
	s.choose("#b-schedule-cron", "every day")
	s.until(`document.querySelector("#b-schedule-cron").getAttribute("aria-invalid") === "true"`)
	s.shows("like “every Monday at 8:00”")
	s.choose("#b-on", "absence")
	s.until(`document.querySelector("#b-on-within") && !document.querySelector("#b-schedule-cron")`)
	s.choose("#b-on-after", "shipment.labelled")
	s.choose("#b-on-absence_of", "shipment.scanned")
	s.choose("#b-on-within", "36h")
	if got := s.text(); !strings.Contains(got, "absence_of: shipment.scanned, after: shipment.labelled, within: 36h") || strings.Contains(got, "cron") {
		t.Errorf("the absence is\n%s", got)
	}
	s.eval(`window.onbeforeunload = null; document.querySelector("#text").value = document.querySelector("#text").defaultValue; 1`, nil)
	s.clean()
}

// TestEditorIsForThoseWhoApply: who may not change automations gets 403 from every door of the editor.
func TestEditorIsForThoseWhoApply(t *testing.T) {
	c := newClient(t, 0)
	for _, role := range []access.Role{access.Viewer, access.Agent} {
		mail := string(role) + "@example.com"
		if _, err := c.shop.Access.AddUser(t.Context(), access.NewUser{Email: mail, Name: "Sample " + string(role), Password: "sample lamp quiet river", Role: role}); err != nil {
			t.Fatal(err)
		}
		c.signIn(mail, "sample lamp quiet river")
		for _, door := range []string{
			"GET /editor", "GET /editor?on=order.placed", "GET /editor/skus?q=a", "GET /editor/backtest?name=x&version=y", "POST /editor/check", "POST /editor/complete",
			"POST /editor/findings", "POST /editor/backtest", "POST /editor/save", "GET /automations/x/edit", "POST /automations/x/rollback", "POST /automations/x/remove", "POST /automations/x/backtest",
		} {
			method, path, _ := strings.Cut(door, " ")
			if code, _ := c.do(method, path, nil, nil); code != http.StatusForbidden {
				t.Errorf("%s answers %s %d", door, role, code)
			}
		}
		c.post("/signout", nil)
	}
}
