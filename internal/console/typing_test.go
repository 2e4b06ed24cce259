package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// slowly presses keys as a hand does, some ten a second.
func (b *browser) slowly(keys string, pause time.Duration) {
	b.t.Helper()
	for _, r := range keys {
		b.do(chromedp.KeyEvent(string(r)))
		b.rest(pause)
	}
}

// rest lets the page go on for a while.
func (b *browser) rest(d time.Duration) {
	b.eval(fmt.Sprintf(`new Promise((done) => setTimeout(() => done(1), %d))`, d.Milliseconds()), nil)
}

// TestTypingIsNotDisturbed: while the server answers what was typed before, what is typed meanwhile stays as it is typed; what
// does not fit stays too, with the reason beside it, and is not saved; what is typed last is saved.
func TestTypingIsNotDisturbed(t *testing.T) {
	path, s := findChromium(t), openShop(t, 0)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/editor/check" {
			select { // a server that is busy
			case <-time.After(200 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		s.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	b := newBrowser(t, path, srv.URL)
	b.shop = s
	b.signIn()
	idle := func(pieces ...string) { // until the text holds all of it
		t.Helper()
		for _, p := range pieces {
			b.until(fmt.Sprintf(`document.querySelector("#text").value.includes(%q)`, p))
		}
		b.rest(300 * time.Millisecond)
	}
	for _, pause := range []time.Duration{0, 60 * time.Millisecond} {
		b.eval(`document.querySelector("#text") && (document.querySelector("#text").value = document.querySelector("#text").defaultValue), 1`, nil) // or the browser asks whether to leave
		b.open("/editor?template=hold-large")
		b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
		b.eval(`document.querySelector("#b-when--set---v").select()`, nil)
		b.slowly("3250\tEUR\tfraud\t6h\t40\t", pause)
		idle(`money("3250", "EUR")`, "queue: fraud,", "sla: 6h,", "per_hour: 40 }", "the order total is at least 3250 EUR")
		var shown string
		b.eval(`["#b-when--set---v", "#b-when--set---c", "#b-set--do-0--queue", "#b-set--do-0--sla", "#b-set--limits-per_hour"].map((s) => document.querySelector(s).value).join(" ")`, &shown)
		if shown != "3250 EUR fraud 6h 40" {
			t.Errorf("typed with %s between the keys it shows %s", pause, shown)
		}
	}
	// An amount as other countries write it: told beside it, kept while other fields change, and not saved.
	b.eval(`document.querySelector("#b-when--set---v").select()`, nil)
	b.slowly("2.499,50\t\tlegal\t", 20*time.Millisecond)
	idle("queue: legal,", `money("3250", "EUR")`)
	var said, value string
	b.eval(`document.querySelector("#b-when--set---v").closest(".field").querySelector(".bad").textContent`, &said)
	b.eval(`document.querySelector("#b-when--set---v").value`, &value)
	if !strings.Contains(said, "write it like 2499.50") || value != "2.499,50" {
		t.Errorf("%q is shown with %q", value, said)
	}
	b.eval(`document.querySelector("#f-reason").value = "as we need it"; document.querySelector("#save").requestSubmit(); 1`, nil)
	b.until(`document.activeElement.id === "b-when--set---v" && location.pathname === "/editor"`)
	b.eval(`document.activeElement.select()`, nil)
	b.slowly("2499.50", 20*time.Millisecond)
	b.eval(`document.querySelector("#save").requestSubmit(); 1`, nil) // at once, before the text holds it
	b.until(`location.pathname === "/automations/hold-large"`)
	saved, _ := textOf(t, s, "hold-large")
	b.contains(saved, `money("2499.50", "EUR")`, "queue: legal,", "per_hour: 40 }")
	b.clean()
}

// TestAskAndBranchWithoutCode: a person asks somebody, and what follows hangs on the answer; at the width of a
// telephone nothing runs off the page.
func TestAskAndBranchWithoutCode(t *testing.T) {
	b := startBrowser(t, 0)
	b.signIn()
	b.open("/editor?on=order.placed")
	b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
	// It begins calm: what is to be filled in is said, and nothing is red.
	var calm string
	b.eval(`[document.querySelector("#todo").textContent, document.querySelectorAll(".bad").length, document.querySelectorAll("#problems li:not(.lacks)").length].join(" ")`, &calm)
	if want := "Still to fill in: why it exists, what it does (add a step). 0 0"; calm != want {
		t.Errorf("a new automation begins with %q, want %q", calm, want)
	}
	b.choose("#b-automation", "ask-first")
	b.choose("#b-why", "A person says whether it goes.")
	// The keyboard walks through what can be added, and Enter adds it.
	b.eval(`document.querySelector("#do-this .add-step").focus()`, nil)
	b.slowly("ta", 20*time.Millisecond)
	b.rest(200 * time.Millisecond)
	var walked string
	b.eval(`document.querySelector("#do-this .add-step").value + " " + document.querySelectorAll("#do-this .step-box").length`, &walked)
	if walked != "tag 0" && walked != "task 0" {
		t.Errorf("after two letters the list holds %q", walked)
	}
	b.do(chromedp.KeyEvent("\r"))
	b.until(`document.querySelectorAll("#do-this .step-box").length === 1`)
	// Who passes through the text with Tab changes nothing.
	var before, after string
	b.eval(`document.querySelector("#text").focus(); document.querySelector("#text").value`, &before)
	b.do(chromedp.KeyEvent("\t"))
	b.eval(`(document.activeElement.id === "text" ? "still there " : "") + document.querySelector("#text").value`, &after)
	if after != before {
		t.Errorf("Tab made of the text\n%s", after)
	}
	b.click(`#b-do-0--x`) // also the only one
	b.until(`!document.querySelector("#b-do-0--x") && document.querySelector("#text").value.includes("do: []")`)
	b.choose(`#do-this .add-step`, "ask")
	var adds string
	b.eval(`[...document.querySelectorAll(".add-step")].map((s) => s.options[0].textContent + "/" + s.labels[0].textContent).join(" ")`, &adds)
	if want := "Add a step: when it does not come in time…/Add a step: when it does not come in time Add a step after the answer…/Add a step after the answer"; adds != want {
		t.Errorf("steps are added by %q", adds)
	}
	b.choose(`#b---do-0--queue`, "risk")
	b.choose(`#b---do-0--title`, "Ship it?")
	b.choose(`#b---do-0--options`, "ship, refuse")
	b.choose(`#b-do--add`, "if")
	var subject, options string
	b.eval(`document.querySelector("#b-do-1-if----subject").selectedOptions[0].textContent`, &subject)
	b.eval(`[...document.querySelector("#b-do-1-if----v").options].map((o) => o.value).join(" ")`, &options)
	if subject != "Answer to “Ship it?”" || options != "ship refuse" {
		t.Errorf("looked at is %s, which may be %s", subject, options)
	}
	b.choose(`#b-do-1-if----v`, "refuse")
	b.choose(`#b-do-1-then--add`, "cancel")
	b.choose(`#b---do-1-then-0--reason`, "refused")
	b.choose(`#b-do-1-else--add`, "tag")
	b.choose(`#b---do-1-else-0--tag`, "looked-at")
	b.contains(b.text(), `- ask: { queue: risk, title: Ship it?, options: [ship, refuse], as: answer }`, `- if: answer == "refuse"`)
	var sentence string
	b.eval(`document.querySelector("#sentence").textContent`, &sentence)
	b.contains(sentence, "then if the answer to “Ship it?” is refuse: cancel the order (refused); otherwise tag the order looked-at")
	for _, width := range []int64{390, 1440} {
		b.size(width, 900, width < 500)
		var wide int64
		b.eval(`document.documentElement.scrollWidth`, &wide)
		if wide > width {
			t.Errorf("the page is %d wide on a screen of %d", wide, width)
		}
	}
	b.saveEdit("a sample", `location.pathname === "/automations/ask-first"`)
	b.clean()
}

// TestShareIsToldInTheDialog: what does not fit is told beside its field, and nothing that was written is lost.
func TestShareIsToldInTheDialog(t *testing.T) {
	s := openLive(t, callERP)
	s.open("/automations/call-erp")
	s.until(`document.querySelector("[data-open=do-mode]")`)
	s.eval(`document.querySelector("[data-open=do-mode]").click(); document.querySelector("#do-mode [name=mode]").value = "canary"; document.querySelector("#do-mode [name=share]").value = "500"; document.querySelector("#do-mode [name=reason]").value = "carefully"; document.querySelector("#do-mode form").requestSubmit(); 1`, nil)
	s.until(`document.querySelector("#do-mode .bad").textContent.includes("Share of the orders must be a percentage from 1 to 99") && document.activeElement.name === "share" && document.querySelector("#do-mode").open && document.querySelector("#do-mode [name=reason]").value === "carefully"`)
	s.eval(`document.querySelector("#do-mode [name=share]").value = "20 %"; document.querySelector("#do-mode form").requestSubmit(); 1`, nil)
	s.until(`!document.querySelector("#do-mode").open && document.body.innerText.includes("It is in the mode canary now")`)
}
