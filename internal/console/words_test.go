package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"orderly.example/orderly/internal/store"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// TestWordsOfAShop: what sets automations off is told in words, a trial that nothing came by says so, and the banner leaves
// the words of the machine to the incident's page.
func TestWordsOfAShop(t *testing.T) {
	c := newClient(t, 12).admin()
	text := func(name, more string) store.Text {
		return store.Text{Kind: "automation", Name: name, Text: "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\n" + more}
	}
	err := c.shop.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, _, err := tx.PutPolicy([]store.Text{
			text("seen", "on: order.placed\ndo:\n  - tag: seen\nmode: canary\nshare: 10%\n"),
			text("morning", "on: schedule\nschedule: { cron: \"0 9 * * 1-5\" }\ndo:\n  - task: { queue: ops, title: look }\n"),
			text("late", "on: { absence_of: shipment.shipped, after: order.ready, within: 2d }\ndo:\n  - tag: late\n"),
		}, "tester", "")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := func(path string) string {
		_, body := c.get(path)
		return strings.Join(strings.Fields(tags.ReplaceAllString(body, " ")), " ")
	}
	for path, want := range map[string][]string{
		"/automations":      {"An order is placed", "On working days at 09:00", "An order is ready to ship and it does not happen within 2d that a parcel leaves"},
		"/automations/seen": {"When An order is placed", "Compared not yet, no order came by;"},
		"/map":              {"An order is placed"},
		"/":                 {"Fulfilment requests fail It is not tried again by itself."},
	} {
		got := seen(path)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
		if strings.Contains(got, "order.placed Ops") || strings.Contains(got, " order.placed ops@") {
			t.Errorf("%s shows the type of the event", path)
		}
	}
	if _, body := c.get("/"); !strings.Contains(body, `title="the warehouse answered 503 Service Unavailable after 12 attempts"`) {
		t.Error("the banner does not keep what the warehouse said")
	}
}

// TestWhatIsMissingIsNoErrorYet: what is still to fill in is red only once it was to be saved.
func TestWhatIsMissingIsNoErrorYet(t *testing.T) {
	c := newClient(t, 0).admin()
	_, calm := c.get("/editor?on=stock.low")
	if !strings.Contains(calm, "Still to fill in: why it exists, what it does (add a step).") || strings.Contains(calm, `class="bad"`) || strings.Contains(calm, `aria-invalid`) {
		t.Error("a new automation does not begin calm")
	}
	code, strict := c.post("/editor/save", url.Values{"reason": {"new"}, "text": {"automation: x\nowner: a@shop.example\nwhy: \"\"\non: order.placed\ndo:\n  - hold: { queue: \"\", reason: \"\" }\n  - if: order.units > 1\n    then: []\n"}})
	for _, want := range []string{"It was not saved: what is missing or wrong is marked below.", " data-strict", `role="alert">Queue is required`, `role="alert">Then needs at least one step`} {
		if code != http.StatusUnprocessableEntity || !strings.Contains(strict, want) {
			t.Errorf("a save answers %d without %s", code, want)
		}
	}
}
