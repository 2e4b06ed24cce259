package console_test

import (
	"fmt"
	"strings"
	"testing"

	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// commented is an automation with comments at every kind of place.
const commented = `# agreed with the risk team
automation: hold-commented # its name
owner: risk@shop.example
why: A sample with comments.
on: order.placed
when: >- # what we look at
  order.total > money("400", "EUR") &&
  customer.orders == 0
do:
  # stop it first
  - hold: { queue: risk, sla: 4h, reason: "large" } # four hours
mode: draft
`

func policies(s *consoletest.Shop) console.PolicyEditor { return s.Policies }

func addAutomation(t *testing.T, s *consoletest.Shop, text string) {
	t.Helper()
	if _, err := policies(s).Edit(t.Context(), console.PolicyEdit{Text: text}, consoletest.AdminMail, "a sample"); err != nil {
		t.Fatal(err)
	}
}

// textOf is the text of an automation in force.
func textOf(t *testing.T, s *consoletest.Shop, name string) (text, hash string) {
	t.Helper()
	err := s.DB.View(t.Context(), func(tx *store.Tx) error {
		texts, err := tx.PolicyTexts("automation")
		for _, x := range texts {
			if x.Name == name {
				text, hash = x.Text, x.Hash
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, hash
}

// acts does something in the editor and waits until the server has answered it.
func (b *browser) acts(script string) {
	b.t.Helper()
	var before int
	b.eval(`Number(document.querySelector("#editor").dataset.done || 0)`, &before)
	b.eval(script+`; 1`, nil)
	b.until(fmt.Sprintf(`Number(document.querySelector("#editor").dataset.done || 0) > %d`, before))
}

// choose sets a control of the builder as a person does.
func (b *browser) choose(selector, value string) {
	b.t.Helper()
	b.acts(fmt.Sprintf(`(() => { const el = document.querySelector(%q); el.focus(); el.value = %q; el.dispatchEvent(new Event("change", { bubbles: true })); })()`, selector, value))
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.acts(fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

func (b *browser) text() (s string) {
	b.t.Helper()
	b.eval(`document.querySelector("#text").value`, &s)
	return s
}

// saveEdit sends the editor's form and waits for the page that ready holds on.
func (b *browser) saveEdit(reason, ready string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`document.querySelector("#f-reason").value = %q; document.querySelector("#save").requestSubmit(); 1`, reason), nil)
	b.until(ready + ` && document.documentElement.classList.contains("js") && document.readyState === "complete"`)
}

func TestEditorBuildsNestedGroups(t *testing.T) {
	b := startBrowser(t, 40)
	b.signIn()
	b.open("/editor?on=order.placed")
	b.until(`document.querySelector("#b-on") && document.querySelector("#gutter span")`)
	b.choose("#b-automation", "hold-abroad")
	b.choose("#b-why", "Large orders to far countries are looked at.")
	b.click(`#only-if [data-value="test"]`)
	b.choose(`#only-if [data-f="amount"]`, "250")
	b.click(`#only-if [data-value="group"]`) // any of: total, customer's orders
	b.choose(`#only-if .group.any [data-test] [data-f="subject"]`, "order.shipping.country")
	b.choose(`#only-if .group.any [data-test] [data-f="op"]`, "in")
	b.choose(`#only-if .group.any [data-test] [data-f="list"]`, "CH, NO")
	b.click(`#only-if .group.any [data-value="group"]`) // all of, inside any of
	b.click(`#only-if .group.any > .group-head [data-do="part-negate"]`)
	b.choose(`#do-this .add-step`, "hold")
	b.choose(`#b---do-0--queue`, "risk")
	b.choose(`#b---do-0--reason`, "large and far")
	got := b.text()
	for _, want := range []string{
		`order.total > money("250", "EUR") &&`, `!(order.shipping.country in ["CH", "NO"] || customer.orders == 0 ||`,
		`(order.total > money("100", "EUR") && customer.orders == 0))`, `- hold: { queue: risk, reason: large and far }`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %s:\n%s", want, got)
		}
	}
	var sentence string
	b.eval(`document.querySelector("#sentence").textContent`, &sentence)
	if !strings.Contains(sentence, "When an order is placed and the order total is above 250 EUR and not (the country of the parcel is one of CH, NO, the number of the customer's earlier orders is 0 or") {
		t.Errorf("the sentence is %q", sentence)
	}
	var problems int
	b.eval(`document.querySelectorAll("#problems li").length`, &problems)
	if problems != 0 {
		t.Errorf("%d problems in\n%s", problems, got)
	}
	b.saveEdit("tried in a test", `location.pathname === "/automations/hold-abroad"`)
	if saved, _ := textOf(t, b.shop, "hold-abroad"); saved != got {
		t.Errorf("saved was\n%s\nnot\n%s", saved, got)
	}
	b.clean()
}

func TestEditorFollowsTheTextAndKeepsComments(t *testing.T) {
	b := startBrowser(t, 40)
	addAutomation(t, b.shop, commented)
	b.signIn()
	b.open("/automations/hold-commented/edit")
	b.until(`document.querySelector("#gutter span")`)
	b.choose(`#only-if [data-f="amount"]`, "900")
	b.choose("#b---do-0--queue", "fraud")
	want := strings.NewReplacer(`"400"`, `"900"`, "queue: risk", "queue: fraud").Replace(commented)
	if got := b.text(); got != want {
		t.Errorf("the builder made\n%s\nnot\n%s", got, want)
	}
	// The other way: the text is edited, the builder follows.
	edited := strings.Replace(want, "customer.orders == 0", "order.units > 7 // bulk", 1)
	edited = strings.Replace(edited, " // bulk", "", 1)
	b.acts(fmt.Sprintf(`(() => { const t = document.querySelector("#text"); t.value = %q; t.dispatchEvent(new Event("input")); })()`, edited))
	var subject, value string
	b.eval(`document.querySelectorAll("#only-if [data-test]")[1].querySelector("[data-f=subject]").value`, &subject)
	b.eval(`document.querySelectorAll("#only-if [data-test]")[1].querySelector("[data-f=value]").value`, &value)
	if subject != "order.units" || value != "7" {
		t.Errorf("the builder shows %s %s", subject, value)
	}
	// What is wrong is said at its line and beside its input, with what is meant.
	b.acts(fmt.Sprintf(`(() => { const t = document.querySelector("#text"); t.value = %q; t.dispatchEvent(new Event("input")); })()`, strings.Replace(edited, "order.units", "order.unts", 1)))
	var said, line string
	b.eval(`document.querySelector("#problems li").textContent`, &said)
	b.eval(`document.querySelector("#problems button").dataset.line`, &line)
	if !strings.Contains(said, "did you mean order.units?") || line != "8" {
		t.Errorf("line %s: %s", line, said)
	}
	b.click(`[data-undo]`) // back to the text before the last act of the builder
	if got := b.text(); !strings.Contains(got, "queue: risk") {
		t.Errorf("undone to\n%s", got)
	}
	b.acts(fmt.Sprintf(`(() => { const t = document.querySelector("#text"); t.value = %q; t.dispatchEvent(new Event("input")); })()`, want))
	b.saveEdit("dearer", `location.pathname === "/automations/hold-commented"`)
	if saved, _ := textOf(t, b.shop, "hold-commented"); saved != want {
		t.Errorf("saved was\n%s", saved)
	}
	b.clean()
}

// TestRollbackInTheBrowser: an earlier version is brought back with one click, comments and all, as a version of its own.
// Orders that come then are decided by it, and those that came before keep what was decided.
func TestRollbackInTheBrowser(t *testing.T) {
	const first = "# agreed with the packers\nautomation: mark-mugs # its name\nowner: ops@shop.example\nwhy: A sample with comments.\non: order.placed\nwhen: order.units >= 1 # any\ndo:\n  - tag: mug-first\n"
	s := openLive(t, callERP)
	edit := func(was *store.Text, text string) {
		t.Helper()
		e := engine.Edit{Kind: engine.KindAutomation, Text: text}
		if was != nil {
			e.Name, e.Was = was.Name, was.Text
		}
		if _, err := s.eng.Edit(t.Context(), e, "tester", "a sample"); err != nil {
			t.Fatal(err)
		}
	}
	inForce := func() (text, hash string) {
		t.Helper()
		return textOf(t, &consoletest.Shop{DB: s.db}, "mark-mugs")
	}
	edit(nil, first)
	s.sell(1)
	_, hash := inForce()
	edit(&store.Text{Name: "mark-mugs", Text: hash}, strings.Replace(first, "tag: mug-first", "tag: mug-second", 1))
	s.sell(1)
	s.open("/automations/mark-mugs/versions")
	s.until(`document.querySelectorAll("#versions a").length === 2 && document.querySelector(".diff .added").textContent.includes("mug-second")`)
	s.eval(`document.querySelectorAll("#versions a")[1].click(); 1`, nil)
	s.shows("Back from version 2 to 1")
	s.shows("tag the order mug-second")
	s.shows("tag the order mug-first")
	s.shows("It stays active")
	s.until(`document.querySelector("#rollback") && document.readyState === "complete" && document.documentElement.classList.contains("js")`)
	s.eval(`document.querySelector("#rollback button").click(); 1`, nil)
	s.until(`document.querySelectorAll("#versions a").length === 3`)
	if text, again := inForce(); text != first || again != hash {
		t.Errorf("rolled back to\n%s", text)
	}
	s.sell(1)
	for i, want := range []string{"mug-first", "mug-second", "mug-first"} {
		id := event.OrderID("web", s.sold[i])
		s.open("/orders/" + id)
		s.shows(want)
		err := s.db.View(t.Context(), func(tx *store.Tx) error {
			o, _, _, err := tx.OrderByID(id)
			if err == nil && strings.Join(o.Tags, " ") != want {
				t.Errorf("order %d is tagged %v, want %s", i+1, o.Tags, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.clean()
}

func TestConflictingSaveLosesNothing(t *testing.T) {
	b := startBrowser(t, 40)
	addAutomation(t, b.shop, commented)
	b.signIn()
	b.open("/automations/hold-commented/edit")
	b.until(`document.querySelector("#gutter span")`)
	b.choose(`#only-if [data-f="amount"]`, "900")
	mine := b.text()
	_, hash := textOf(t, b.shop, "hold-commented")
	theirs := strings.Replace(commented, "sla: 4h", "sla: 8h", 1)
	if _, err := policies(b.shop).Edit(t.Context(), console.PolicyEdit{Name: "hold-commented", Was: hash, Text: theirs}, "kim@shop.example", "more time"); err != nil {
		t.Fatal(err)
	}
	b.saveEdit("dearer", `document.querySelector("#conflict")`)
	var diff string
	b.eval(`document.querySelector("#conflict .diff .added").textContent`, &diff)
	if !strings.Contains(diff, "sla: 8h") {
		t.Errorf("their change is shown as %q", diff)
	}
	if got := b.text(); got != mine {
		t.Errorf("my text became\n%s", got)
	}
	if saved, _ := textOf(t, b.shop, "hold-commented"); saved != theirs {
		t.Errorf("their text became\n%s", saved)
	}
	b.choose("#b---do-0--sla", "8h")
	b.saveEdit("dearer, and their deadline", `location.pathname === "/automations/hold-commented"`)
	if saved, _ := textOf(t, b.shop, "hold-commented"); !strings.Contains(saved, "sla: 8h") || !strings.Contains(saved, "900") {
		t.Errorf("saved was\n%s", saved)
	}
	b.mu.Lock() // the browser notes the answer 409 as a failed load
	b.problems = nil
	b.mu.Unlock()
}
