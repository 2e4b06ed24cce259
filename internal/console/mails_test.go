package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
)

// mailTexts are the shop's own mails, by name.
func mailTexts(t *testing.T, db *store.DB) map[string]store.PolicyText {
	t.Helper()
	out := map[string]store.PolicyText{}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		clear(out)
		texts, err := tx.PolicyTexts(engine.KindTemplate)
		for _, x := range texts {
			out[x.Name] = x
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMailsRefuse: what is wrong with a mail is said at its line, its text stays in the form, and nothing is saved.
func TestMailsRefuse(t *testing.T) {
	c := newClient(t, 20).admin()
	builtin, err := notify.BuiltinSource(notify.OrderHeld)
	if err != nil {
		t.Fatal(err)
	}
	good := strings.Replace(string(builtin), "We are checking", "A look at", 1)
	wrong := strings.Replace(good, "{{ customer.name }}", "{{ customer.nam }}", 1)
	for what, x := range map[string]struct {
		form url.Values
		code int
		says []string
	}{
		"a value that is not there": {url.Values{"new": {"1"}, "name": {"held-gift"}, "text": {wrong}, "reason": {"r"}}, 422, []string{"Line 7", "customer.name", "customer.nam }}"}},
		"no reason":                 {url.Values{"new": {"1"}, "name": {"held-gift"}, "text": {good}}, 422, []string{"reason is required", "A look at"}},
		"a name with a space":       {url.Values{"new": {"1"}, "name": {"Held Gift"}, "text": {good}, "reason": {"r"}}, 422, []string{"lower-case letters"}},
		"a name that is taken":      {url.Values{"new": {"1"}, "name": {"order-held"}, "text": {good}, "reason": {"r"}}, 422, []string{"of this name already"}},
		"no text":                   {url.Values{"name": {"order-held"}, "text": {""}, "reason": {"r"}}, 422, []string{"The text is empty"}},
		"not a template":            {url.Values{"name": {"order-held"}, "text": {"Hello"}, "reason": {"r"}}, 422, []string{"the file begins with a head"}},
		"too long":                  {url.Values{"name": {"order-held"}, "text": {strings.Repeat("x", 2<<20)}, "reason": {"r"}}, 422, []string{"too long"}},
		"another's copy":            {url.Values{"name": {"nobodys"}, "text": {good}, "reason": {"r"}}, 404, []string{"there is no mail"}},
	} {
		code, body := c.post("/editor/mail", x.form)
		if code != x.code {
			t.Errorf("%s answers %d, want %d", what, code, x.code)
		}
		for _, want := range x.says {
			if !strings.Contains(strings.ToLower(body), strings.ToLower(want)) {
				t.Errorf("%s: the page lacks %q", what, want)
			}
		}
	}
	if own := mailTexts(t, c.shop.DB); len(own) != 0 {
		t.Fatalf("saved all the same: %v", own)
	}

	// A text of one's own stands in front of the one that came along, until it is taken back.
	save := func(was, text string) (int, string) {
		return c.post("/editor/mail", url.Values{"name": {"order-held"}, "was": {was}, "text": {text}, "reason": {"friendlier"}})
	}
	if code, body := save("", strings.ReplaceAll(good, "\n", "\r\n")); code != http.StatusOK || !strings.Contains(body, "Saved as version 1") {
		t.Fatalf("saving answers %d", code)
	}
	own := mailTexts(t, c.shop.DB)["order-held"]
	if own.Text != good {
		t.Errorf("saved was %q", own.Text)
	}
	if code, body := save("", good+"mine"); code != http.StatusConflict || !strings.Contains(body, "friendlier") || !strings.Contains(body, "mine</textarea>") {
		t.Errorf("a save over somebody else's answers %d", code)
	}
	_, page := c.get("/mails/order-held/preview")
	if !strings.Contains(page, "Subject: <b>A look at your order") {
		t.Errorf("the mail looks like %.300s", page)
	}
	text := "automation: tell\nowner: ops@shop.example\nwhy: A sample.\non: order.placed\ndo:\n  - message: { template: order-held, to: customer }\n"
	addAutomation(t, c.shop, text)
	if _, body := c.get("/mails"); !strings.Contains(body, `<a href="/automations/tell">`) || !strings.Contains(body, "Yours, in place of the built-in") {
		t.Error("the list does not say who sends it")
	}
	if code, _ := c.post("/mails/order-held/remove", url.Values{"was": {own.Hash}, "reason": {"back"}}); code != http.StatusOK || len(mailTexts(t, c.shop.DB)) != 0 {
		t.Errorf("taking the built-in text back answers %d", code)
	}
	if code, _ := c.post("/mails/order-held/remove", url.Values{"reason": {"back"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("removing a built-in mail answers %d", code)
	}

	// One that somebody removed meanwhile is written again with the next save.
	gift := url.Values{"name": {"held-gift"}, "text": {good}, "reason": {"gifts"}, "new": {"1"}}
	c.post("/editor/mail", gift)
	gift.Del("new")
	gift.Set("was", mailTexts(t, c.shop.DB)["held-gift"].Hash)
	c.post("/mails/held-gift/remove", url.Values{"was": gift["was"], "reason": {"not needed"}})
	code, body := c.post("/editor/mail", gift)
	if code != http.StatusConflict || !strings.Contains(body, "not needed") || !strings.Contains(body, `name="new" value="1"`) {
		t.Errorf("a save over a removal answers %d", code)
	}
	gift.Set("new", "1")
	gift.Set("was", "")
	if code, _ := c.post("/editor/mail", gift); code != http.StatusOK || mailTexts(t, c.shop.DB)["held-gift"].Text != good {
		t.Errorf("the save after it answers %d", code)
	}

	// Whoever may not change automations reads it, and only reads.
	const mail, password = "viewer@shop.example", "sample lamp quiet river too"
	if _, err := c.shop.Access.AddUser(t.Context(), access.NewUser{Email: mail, Name: "Vic Sample", Password: password, Role: access.Viewer}); err != nil {
		t.Fatal(err)
	}
	c.signIn(mail, password)
	if code, body := c.get("/mails/order-held"); code != http.StatusOK || strings.Contains(body, "<textarea") {
		t.Errorf("a viewer's page answers %d, or has a form", code)
	}
}

// TestMailInTheBrowser: a person without code copies a mail, changes its subject, looks at it, and a real order's mail has it.
func TestMailInTheBrowser(t *testing.T) {
	s := openLive(t, callERP)
	s.sell(1)
	s.open("/mails")
	s.shows("We are checking your order 1001") // with an invented order
	s.open("/mails/order-held")
	s.eval(`document.querySelector('a[href="/editor/mail?from=order-held"]').click(); 1`, nil)
	s.until(`location.pathname === "/editor/mail" && document.querySelector("#text")`)
	s.eval(`(() => {
		document.querySelector("#f-name").value = "held-gift";
		const t = document.querySelector("#text"); t.value = t.value.replace("subject: We are checking your order", "subject: Just a moment with");
		document.querySelector("iframe").addEventListener("load", (e) => { e.target.dataset.seen = (e.target.dataset.seen || "") + "x"; });
		document.querySelector("[formtarget]").click();
	})(); 1`, nil)
	s.until(`document.querySelector("iframe").dataset.seen`)
	s.until(`!document.querySelector("#save-mail").disabled`) // a look leaves the form as it is
	var shown string
	s.eval(`fetch("/editor/mail/preview", { method: "POST", body: new URLSearchParams(new FormData(document.querySelector("#mail"))) }).then((r) => r.text()).then((t) => { window.shown = t; }); 1`, nil)
	s.until(`window.shown`)
	s.eval(`window.shown`, &shown)
	s.contains(shown, "Just a moment with 1001", "Enamel mug")
	s.eval(`document.querySelector("#f-reason").value = "for gifts"; document.querySelector("#save-mail").click(); 1`, nil)
	s.until(`location.pathname === "/mails/held-gift"`)
	s.shows("nothing yet")

	tell := "automation: tell\nowner: ops@shop.example\nwhy: A sample.\non: order.placed\ndo:\n  - hold: { queue: risk, reason: a sample }\n  - message: { template: held-gift, to: customer }\n"
	if _, err := s.eng.Edit(t.Context(), engine.Edit{Kind: engine.KindAutomation, Text: tell}, "tester", "a sample"); err != nil {
		t.Fatal(err)
	}
	s.submit(&event.OrderPlaced{
		Channel: "web", Number: "2001", Currency: "EUR", Customer: event.Buyer{Name: "Kim Sample", Email: "kim@customer.example"},
		Lines:    []event.Line{{SKU: "MUG", Title: "Enamel mug", Qty: 1, UnitPrice: money.New(4900, "EUR")}},
		Shipping: event.Address{Postal: "10115", City: "Berlin", Country: "DE"}, Payment: event.Payment{Status: event.PaymentPaid},
	})
	var ids []string
	err := s.db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.EffectsOfOrder(event.OrderID("web", "2001"))
		ids = nil
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	letters, err := s.eng.PreviewEffects(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, l := range letters {
		got += fmt.Sprintln(l.To, l.Subject, l.Text)
	}
	s.contains(got, "kim@customer.example", "Just a moment with 2001", "Hello Kim Sample")
	s.open("/mails/held-gift")
	s.until(`document.querySelector('#used a[href="/automations/tell"]')`)
	s.open("/automations/tell/edit")
	s.until(`document.querySelector('#do-this a[href="/mails/held-gift"]')`)
	s.clean()
}
