package console_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

const frailCall = `automation: call-erp
owner: ops@shop.example
why: The accounts are told of every order.
on: order.placed
do:
  - set: { name: double, value: order.units * 2 }
  - call: { connection: erp, purpose: order, as: booked, returns: { number: string }, for: 1h }
  - tag: booked
`

// TestRetryInTheBrowser: a person looks at a run whose call failed, sees what trying again would do, gives their word
// for what may have arrived, and finds the run in its place.
func TestRetryInTheBrowser(t *testing.T) {
	s := openLive(t, frailCall)
	s.sell(1)
	failed := s.runs("call-erp")[0]
	s.submit(&event.EffectFailed{Effect: failed.Wait.Effect, Order: failed.OrderID, Purpose: "order", Destination: "erp", Error: "timeout", Automation: "call-erp"})
	if err := s.db.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE effect SET state = 'dead', unsure = 1, last_error = 'timeout' WHERE id = $1", failed.Wait.Effect)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	page := "/runs/" + failed.ID
	s.open(page)
	s.shows("Try it again")
	s.picture("run-failed")
	s.fits(page)
	s.open(page)
	s.eval(`document.querySelector('form[action$="/retry"] button').click()`, nil)
	s.shows("the first call may have arrived")
	s.picture("run-retry")
	// From an earlier step: that one is done again as well.
	preview := func() (steps string) {
		t.Helper()
		s.eval(`document.querySelector("#retry-preview .finds").innerText`, &steps)
		return steps
	}
	if steps := preview(); strings.Contains(steps, "line 6") {
		t.Errorf("the call alone fails, and the preview says %q", steps)
	}
	s.open(page)
	s.eval(`document.querySelector("[name=from]").value = "`+failed.Steps[0].At+`"; document.querySelector('form[action$="/retry"] button').click()`, nil)
	s.shows("the first call may have arrived")
	if steps := preview(); !strings.Contains(steps, "line 6") {
		t.Errorf("from the first step the preview says %q", steps)
	}
	var over bool
	s.eval(`document.querySelector("#retry-preview button.primary").click(); document.querySelector("#retry-preview [name=twice]").checked`, &over)
	if len(s.runs("call-erp")) != 1 || over {
		t.Error("it was done without a word")
	}
	s.eval(`document.querySelector("#retry-preview [name=twice]").click(); document.querySelector("#retry-preview button.primary").click()`, nil)
	s.shows("It takes the place of")
	next := decide.RetryID(failed.ID)
	s.until(`location.pathname === "/runs/` + next + `"`)
	s.picture("run-again")
	s.fits("/runs/" + next)
	s.open(page)
	s.shows("It was tried again")
	var there bool
	if s.eval(`!!document.querySelector('form[action$="/retry"]')`, &there); there {
		t.Error("it can be tried again twice")
	}
	// A second click, from a page that was open, leads to the same run.
	s.eval(`fetch("`+page+`/retry", {method: "POST", body: new URLSearchParams({from: "", confirm: "yes", twice: "yes"})}).then((r) => r.url)`, nil)
	if n := len(s.runs("call-erp")); n != 2 {
		t.Errorf("%d runs after a second click", n)
	}
	for _, run := range s.runs("call-erp") {
		if run.ID == next && (run.State != automation.RunWaiting || run.Before != failed.ID || len(run.Steps) != 2 || run.Steps[0].Kind != "set") {
			t.Errorf("%+v", run)
		}
	}
	s.open("/orders/" + failed.OrderID)
	s.shows("A failed run was tried again")
	s.clean()
}

// TestSecondPersonInTheBrowser: what waits for a second person stands under Review with what it changes; its author takes
// it back or waits, somebody else confirms or refuses it.
func TestSecondPersonInTheBrowser(t *testing.T) {
	draft := strings.Replace(frailCall, "owner:", "mode: draft\nowner:", 1)
	s := openLive(t, draft)
	policy := func(text string) []store.Text {
		return []store.Text{
			{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample Shop\nops_owner: ops@shop.example\ncurrency: EUR\nmail: outbox\nfour_eyes_activation: true\n"},
			{Kind: engine.KindAutomation, Name: "call-erp", Text: text},
		}
	}
	ctx := t.Context()
	apply := func(text, by string) {
		t.Helper()
		if _, err := s.eng.Apply(ctx, policy(text), by, "the accounts are ready", false); err != nil {
			t.Fatal(err)
		}
	}
	apply(draft, engine.Terminal)
	mode := func() automation.Mode { return s.eng.Policy().Automations.Get("call-erp").Mode }
	propose := func(by string) {
		t.Helper()
		if kept, err := s.eng.ProposeMode(ctx, engine.ModeChange{Name: "call-erp", Mode: automation.Active, By: by, Reason: "it is time"}); !kept || err != nil {
			t.Fatal(kept, err)
		}
	}
	propose(consoletest.AdminMail)
	propose("kim@shop.example")
	apply(frailCall, "lee@shop.example")
	s.open("/review")
	s.shows("Waiting for a second person")
	s.shows("Take it back")
	s.shows("A folder becomes the policy")
	s.picture("second")
	s.fits("/review")
	s.open("/review")
	// One's own cannot be confirmed, also not by a request of one's own making.
	var own string
	s.eval(`[...document.querySelectorAll('form[action^="/proposals/"]')].find((f) => f.innerText.includes("Take it back")).getAttribute("action")`, &own)
	var status int
	s.eval(`fetch("`+own+`", {method: "POST", body: new URLSearchParams({outcome: "confirm"})}).then((r) => r.status)`, &status)
	if status != 403 || mode() != automation.Draft {
		t.Errorf("the author confirms: %d, %s", status, mode())
	}
	press := func(within, label string) {
		t.Helper()
		s.eval(`[...[...document.querySelectorAll("form[action^='/proposals/']")].find((f) => f.parentElement.innerText.includes("`+within+`")).querySelectorAll("button")].find((b) => b.innerText === "`+label+`").click()`, nil)
	}
	press("By "+consoletest.AdminMail, "Take it back")
	s.until(`!document.body.innerText.includes("Take it back")`)
	press("By kim@shop.example", "Refuse")
	s.until(`!document.body.innerText.includes("kim@shop.example")`)
	if mode() != automation.Draft {
		t.Errorf("a refused change made it %s", mode())
	}
	press("By lee@shop.example", "Confirm")
	s.until(`!document.body.innerText.includes("Waiting for a second person")`)
	if mode() != automation.Active {
		t.Errorf("the confirmed folder left it %s", mode())
	}
}
