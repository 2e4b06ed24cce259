package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// TestIncidentsByKeyboard: a person opens, acknowledges, puts off and resolves an incident without touching the mouse.
func TestIncidentsByKeyboard(t *testing.T) {
	s := openLive(t, callERP)
	for i, from := range []string{"web-shop", "market"} {
		s.submit(&event.IncidentRaised{
			Subject: "silent:connection:" + from, Title: "Nothing comes from " + from + " any more", Detail: "The last one came at noon",
			Evidence: []string{"the last one came at noon"}, Impact: fmt.Sprintf("about %d orders by now", 3+i), Next: "Look at its list of subscriptions.", Since: consoletest.Now().Add(-time.Hour),
		})
	}
	find := func(from string) task.Task {
		t.Helper()
		var rows []store.TaskRow
		err := s.db.View(t.Context(), func(tx *store.Tx) error {
			open, err := tx.IncidentRows(false, 10)
			if err != nil {
				return err
			}
			over, err := tx.IncidentRows(true, 10)
			rows = append(open, over...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if strings.HasSuffix(r.Subject, ":"+from) {
				return r.Task
			}
		}
		t.Fatal("there is no incident about ", from)
		return task.Task{}
	}
	send := chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl))

	s.press("gi")
	s.until(`location.pathname === "/incidents" && document.querySelectorAll("[data-rows] tbody tr").length === 2`)
	s.press("jj")
	s.until(`document.querySelectorAll("tr.is-cursor").length === 1 && document.activeElement === document.querySelector("tr.is-cursor a.lead")`)
	var from string
	s.eval(`document.querySelector("tr.is-cursor a.lead").innerText`, &from)
	from = strings.Fields(from)[3]
	s.press("\r")
	s.until(`location.pathname.startsWith("/incidents/") && document.querySelector("h1").innerText.includes("` + from + `")`)
	var page string
	s.eval(`location.pathname`, &page)
	s.picture("incident-open")
	s.fits(page)
	s.open(page)

	s.press("a")
	s.shows("Acknowledged")
	s.until(`!document.querySelector('[data-press="a"]')`)
	if a := find(from).Alarm; a.Acked.IsZero() || !a.Snoozed.IsZero() {
		t.Errorf("%+v", a)
	}

	s.press("s")
	s.until(`document.querySelector("#do-snooze").open && document.querySelector("#do-snooze").contains(document.activeElement)`)
	s.press("\u001b") // thought better of it
	s.until(`!document.querySelector("dialog[open]")`)
	s.press("s")
	s.until(`document.querySelector("#do-snooze").open`)
	s.picture("incident-snooze")
	s.do(chromedp.SendKeys(chromedp.CSS("#do-snooze textarea"), "they mend it tonight"))
	s.do(send)
	s.shows("Snoozed")
	if tk := find(from); !tk.Alarm.Snoozed.Equal(consoletest.Now().Add(4*time.Hour).UTC().Truncate(time.Second)) || tk.Note != "they mend it tonight" {
		t.Errorf("%+v %+v", tk, tk.Alarm)
	}

	s.press("r")
	s.until(`document.querySelector("#do-resolve").open && document.activeElement.tagName === "TEXTAREA"`)
	s.do(chromedp.KeyEvent("a sale elsewhere"))
	s.do(send)
	s.until(`location.pathname === "/incidents" && document.querySelectorAll("[data-rows] tbody tr").length === 1`)
	if tk := find(from); tk.State != task.Decided || tk.Outcome != "resolved" || tk.Note != "a sale elsewhere" {
		t.Errorf("%+v", tk)
	}
	s.open(page)
	s.press("ars") // it is over: nothing is left to press
	s.until(`!document.querySelector("dialog[open]") && !document.querySelector("[data-press]")`)
	s.picture("incident-over")
	s.open("/incidents?state=over")
	s.shows(from)
	s.press("gm")
	s.until(`location.pathname === "/map"`)

	// What is printed is the map on white paper, whatever the screen looks like and whatever is wrong at the moment.
	s.eval(`document.documentElement.dataset.theme = "dark"`, nil)
	call(s.browser, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	var seen struct {
		Map                bool
		Banner, Side, Find string
		Ink                string
	}
	s.eval(`({Map: document.querySelector("svg.atlas").getBoundingClientRect().width > 900, Banner: getComputedStyle(document.querySelector("#banner")).display, Side: getComputedStyle(document.querySelector(".side")).display,
		Find: getComputedStyle(document.querySelector(".atlas-find")).display, Ink: getComputedStyle(document.querySelector("svg.atlas .name")).fill})`, &seen)
	if !seen.Map || seen.Banner != "none" || seen.Side != "none" || seen.Find != "none" || seen.Ink != "rgb(22, 27, 38)" {
		t.Errorf("%+v", seen)
	}
	s.clean()
}

// TestDeadLettersInTheBrowser: a person sees what would leave before it does, one letter and a whole group; what may have arrived leaves again only with a
// word of theirs, which is kept with their name.
func TestDeadLettersInTheBrowser(t *testing.T) {
	s := openLive(t, callERP)
	s.sell(4)
	var ids []string
	if err := s.db.Update(t.Context(), func(tx *store.Tx) error {
		ids = nil
		if err := tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM effect WHERE destination = 'erp' ORDER BY id"); err != nil {
			return err
		}
		if _, err := tx.Exec("UPDATE effect SET state = 'dead', attempts = 3, last_error = '503 Service Unavailable' WHERE destination = 'erp'"); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE effect SET unsure = 1 WHERE id = $1", ids[2])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 4 {
		t.Fatalf("%d effects", len(ids))
	}
	states := func() (out string) {
		t.Helper()
		for _, id := range ids {
			err := s.db.View(t.Context(), func(tx *store.Tx) error {
				state, _, _, err := tx.EffectState(id)
				out += state[:1]
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	s.open("/effects")
	s.shows("503 Service Unavailable")
	s.shows("1 may have arrived")
	s.picture("dead-groups")
	s.fits("/effects")
	s.open("/effects")
	s.press("j\r") // the group
	s.until(`location.search.includes("cause=") && document.querySelectorAll('input[name="id"]').length === 4`)
	var group string
	s.eval(`location.pathname + location.search`, &group)
	s.picture("dead-group")
	s.fits(group)
	s.open(group)

	// One letter that surely did not arrive: looked at first, nothing leaves by looking.
	s.eval(`document.querySelector('input[name="id"][value="`+ids[0]+`"]').click(); document.querySelector('[form="replay"]').click()`, nil)
	s.shows("Try 1 effect again?")
	s.shows("What would leave")
	s.shows(`"number"`)
	s.picture("dead-preview")
	if got := states(); got != "dddd" {
		t.Fatalf("looking changed something: %s", got)
	}
	s.eval(`document.querySelector("#replay-preview button.primary").click()`, nil)
	s.until(`document.body.innerText.includes("1 effect will be tried again")`)
	if got := states(); got != "pddd" {
		t.Fatalf("%s", got)
	}

	// The rest of the group: the one that may have arrived stays without a word.
	s.open("/effects")
	s.eval(`[...document.querySelectorAll("button")].find((b) => b.innerText.startsWith("Try all again")).click()`, nil)
	s.shows("Try 3 effects again?")
	s.shows("Without your word they stay here")
	var first string
	if s.eval(`document.querySelector("#replay-preview details").innerText`, &first); !strings.Contains(first, "may have arrived") {
		t.Errorf("what a person has to judge does not come first: %s", first)
	}
	s.picture("dead-preview-group")
	var given bool
	if s.eval(`document.querySelector("#replay-preview [name=twice]").checked`, &given); given {
		t.Error("the word is given already")
	}
	s.eval(`document.querySelector("#replay-preview button.primary").click()`, nil)
	s.until(`document.body.innerText.includes("stay here until you say that they may arrive twice")`)
	if got := states(); got != "ppdp" {
		t.Fatalf("%s", got)
	}
	// A request of one's own making is no word either.
	var answer int
	s.eval(`fetch("/effects/replay", {method: "POST", body: new URLSearchParams({id: "`+ids[2]+`", confirm: "yes"})}).then((r) => r.status)`, &answer)
	if got := states(); got != "ppdp" || answer != 200 {
		t.Fatalf("%s, %d", got, answer)
	}
	s.open("/effects")
	s.eval(`[...document.querySelectorAll("button")].find((b) => b.innerText.startsWith("Try all again")).click()`, nil)
	s.shows("They may arrive twice")
	s.eval(`document.querySelector("#replay-preview [name=twice]").click(); document.querySelector("#replay-preview button.primary").click()`, nil)
	s.shows("No dead letters")
	if got := states(); got != "pppp" {
		t.Fatalf("%s", got)
	}
	letters, err := s.eng.PreviewEffects(t.Context(), []string{ids[0], ids[2]})
	if err != nil || len(letters) != 2 {
		t.Fatal(len(letters), err)
	}
	for _, l := range letters {
		unsure := l.Effect.ID == ids[2]
		if len(l.Replays) != 1 || l.Replays[0].Actor != consoletest.AdminMail || (l.Replays[0].Risk != "") != unsure {
			t.Errorf("%s: %+v", l.Effect.ID, l.Replays)
		}
	}
	s.clean()
}
