package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/store"
)

// verdicts are what was said about suggestions in the sample shop.
func (b *browser) verdicts() []store.Verdict {
	b.t.Helper()
	var out []store.Verdict
	if err := b.shop.DB.View(b.t.Context(), func(tx *store.Tx) (err error) { out, err = tx.Verdicts(); return err }); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// TestSuggestionsByKeyboard accepts one suggestion and refuses another without a mouse.
func TestSuggestionsByKeyboard(t *testing.T) {
	b := startBrowser(t, 420)
	b.signIn()
	b.open("/automations")
	b.until(`document.querySelector("#suggested a[href^='/suggestions#']")`)
	b.open("/suggestions")
	var n int
	b.eval(`document.querySelectorAll("[data-suggestion]").length`, &n)
	if n < 2 {
		t.Fatalf("%d suggestions are shown", n)
	}
	b.eval(`document.querySelectorAll('[data-suggestion] a[href^="/orders/ord_"]').length`, &n)
	if n == 0 {
		t.Error("no counter-example can be opened")
	}

	// Refuse the second: r opens the reason, which is required.
	var refused, first string
	b.press("jj")
	b.until(`document.activeElement === document.querySelectorAll("[data-suggestion]")[1]`)
	b.eval(`document.querySelectorAll("[data-suggestion]")[1].id`, &refused)
	b.eval(`document.querySelectorAll("[data-suggestion]")[0].id`, &first)
	b.press("r")
	b.until(`document.activeElement.name === "reason"`)
	b.press("\r")
	b.until(`location.pathname === "/suggestions" && document.activeElement.matches(":invalid")`)
	b.press("We look at these\r")
	b.until(`document.body.innerText.includes("Set aside") && document.body.innerText.includes("We look at these")`)
	b.until(`!document.getElementById("` + refused + `")`)
	if vs := b.verdicts(); len(vs) != 1 || vs[0].Accepted || vs[0].Key != refused || vs[0].Reason != "We look at these" || vs[0].Author != b.mail {
		t.Errorf("kept %+v", vs)
	}

	// Accept the first: a draft that the reader owns.
	b.open("/suggestions")
	b.press("ja")
	b.until(`location.pathname.startsWith("/automations/") && document.readyState === "complete"`)
	b.until(`document.body.innerText.includes("Draft") && document.body.innerText.includes("` + b.mail + `")`)
	vs := b.verdicts()
	if len(vs) != 2 || !vs[0].Accepted && !vs[1].Accepted {
		t.Errorf("kept %+v", vs)
	}
	b.open("/suggestions")
	b.until(`!document.getElementById("` + first + `")`)
	b.clean()
}

// TestAcceptAndEdit: the editor opens on the draft that a suggestion has become, with its text.
func TestAcceptAndEdit(t *testing.T) {
	c := newClient(t, 420).admin()
	key := c.find("/suggestions", `action="/suggestions/([^"/]+)/accept"`)
	when := html.UnescapeString(c.find("/suggestions", `action="/suggestions/`+key+`/accept"[^>]*><input type="hidden" name="when" value="([^"]*)"`))
	code, body := c.post("/suggestions/"+key+"/accept", url.Values{"when": {when}, "then": {"edit"}})
	_, text, _ := strings.Cut(body, `name="text"`)
	text = html.UnescapeString(text)
	for _, want := range []string{"owner: " + consoletest.AdminMail, "mode: draft", "why: ", strings.Split(when, " && ")[0]} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d: the editor has no %q", code, want)
		}
	}
	// When all have an answer, the page does not say that there were none.
	for {
		_, page := c.get("/suggestions")
		form := regexp.MustCompile(`action="(/suggestions/[^"/]+/refuse)"[^>]*><input type="hidden" name="when" value="([^"]*)"`).FindStringSubmatch(page)
		if form == nil {
			if !strings.Contains(page, "Every suggestion has its answer") || strings.Contains(page, "No pattern holds") || strings.Contains(page, "accepted a suggestion: ") {
				t.Error("the page does not say that all suggestions have their answer")
			}
			break
		}
		if code, _ := c.post(form[1], url.Values{"when": {html.UnescapeString(form[2])}, "reason": {"no"}}); code != http.StatusOK {
			t.Fatalf("refused: %d", code)
		}
	}
	if code, _ := c.post("/suggestions/"+key+"/accept", url.Values{"when": {when + " "}, "then": {"edit"}}); code != http.StatusConflict {
		t.Errorf("a suggestion that nobody saw so: %d", code)
	}
}

// TestSuggestionsTeachWhenThereAreNone: a new shop learns what is missing.
func TestSuggestionsTeachWhenThereAreNone(t *testing.T) {
	b := startBrowser(t, 0)
	b.signIn()
	b.open("/suggestions")
	var text string
	b.eval(`document.querySelector("#main").innerText`, &text)
	for _, want := range []string{"Not enough decisions yet", "once people have approved or rejected 30 held orders; so far: none."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	b.clean()
}
