package console_test

import (
	"fmt"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

const wrapFirst = `automation: wrap-first
owner: ops@shop.example
why: Support asks before a gift is wrapped.
on: order.placed
do:
  - ask: { queue: support, title: "Wrap it?", options: [yes, no], as: answer }
  - if: answer == "yes"
    then: [ { tag: wrapped-old } ]
`

// fits fails when the page scrolls sideways on a phone.
func (b *browser) fits(path string) {
	b.t.Helper()
	b.size(390, 844, true)
	b.open(path)
	var over string
	b.eval(`document.documentElement.scrollWidth <= document.documentElement.clientWidth ? "" : [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((e) => e.outerHTML.slice(0, 80))[0]`, &over)
	if over != "" {
		b.t.Errorf("%s scrolls sideways on a phone: %s", path, over)
	}
	b.size(1440, 1000, false)
}

func (s *liveShop) runs(name string) (out []*automation.Run) {
	s.t.Helper()
	err := s.db.View(s.t.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.Runs(store.RunFilter{Automation: name})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// TestAnEditWhileRunsWaitInTheBrowser: an automation is edited while runs of it wait for people. Their page says
// that they are on an earlier version, they end on the text they began with, and later ones on the new one.
func TestAnEditWhileRunsWaitInTheBrowser(t *testing.T) {
	s := openLive(t, callERP)
	if _, err := s.eng.Edit(t.Context(), engine.Edit{Kind: engine.KindAutomation, Text: wrapFirst}, "tester", "a sample"); err != nil {
		t.Fatal(err)
	}
	s.open("/automations/wrap-first/runs")
	s.shows("No runs yet")
	s.sell(2)
	began := s.runs("wrap-first")
	if len(began) != 2 {
		t.Fatalf("%d runs", len(began))
	}
	s.open("/automations/wrap-first")
	s.shows("a person's answer")
	s.shows("Ask, line 6")
	s.open("/automations/wrap-first/edit")
	s.until(`document.querySelector("#gutter span")`)
	s.acts(`(() => { const t = document.querySelector("#text"); t.value = t.value.replace("wrapped-old", "wrapped-new"); t.dispatchEvent(new Event("input", { bubbles: true })); })()`)
	s.saveEdit("the tag has another name", `location.pathname === "/automations/wrap-first"`)
	s.shows("an earlier one")
	s.sell(1)
	s.open("/automations/wrap-first/runs?state=waiting")
	s.until(`document.querySelectorAll("#runs tbody tr").length === 3 && document.querySelectorAll("#runs tbody tr .sub").length > 0`)
	var earlier int
	s.eval(`[...document.querySelectorAll("#runs tbody tr")].filter((r) => r.innerText.includes("an earlier one")).length`, &earlier)
	if earlier != 2 {
		t.Errorf("%d runs are said to be on an earlier version, want 2", earlier)
	}
	s.picture("runs")
	s.fits("/automations/wrap-first/runs")
	// People answer, in the console.
	for _, run := range s.runs("wrap-first") {
		s.open("/review/" + run.Wait.Task)
		s.until(`document.querySelector('button[value="yes"]')`)
		s.eval(`document.querySelector('button[value="yes"]').click()`, nil)
		s.until(fmt.Sprintf(`fetch("/runs/%s").then((r) => r.text()).then((h) => h.includes("Done"))`, run.ID))
	}
	tags := map[string]int{}
	for _, run := range s.runs("wrap-first") {
		if run.State != automation.RunDone {
			t.Errorf("a run is %s", run.State)
		}
		err := s.db.View(t.Context(), func(tx *store.Tx) error {
			o, _, _, err := tx.OrderByID(run.OrderID)
			if err == nil {
				tags[strings.Join(o.Tags, " ")]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if tags["wrapped-old"] != 2 || tags["wrapped-new"] != 1 {
		t.Errorf("the orders are tagged %v", tags)
	}
	s.open("/orders/" + began[0].OrderID)
	s.shows("Runs of automations")
	s.shows("wrapped-old")
	s.picture("order-runs")
	s.fits("/orders/" + began[0].OrderID)
	s.open("/runs/" + began[0].ID)
	s.shows("The automation was changed since.")
	s.shows("yes, by")
	s.shows("tag: wrapped-old")
	s.picture("run")
	s.fits("/runs/" + began[0].ID)
	s.clean()
}

// TestRunsArePaged: each run is on exactly one page, by state.
func TestRunsArePaged(t *testing.T) {
	c := newClient(t, 0).admin()
	addAutomation(t, c.shop, wrapFirst)
	_, hash := textOf(t, c.shop, "wrap-first")
	runs := map[string]*automation.Run{}
	for i := range 120 {
		r := &automation.Run{ID: fmt.Sprintf("run_%03d", i), Automation: "wrap-first", Version: hash, State: automation.RunWaiting, Started: consoletest.Now().Add(-1e9 * 60)}
		if i%2 == 0 {
			r.State, r.Ended = automation.RunDone, consoletest.Now()
		}
		runs[r.ID] = r
	}
	if err := c.shop.DB.Update(t.Context(), func(tx *store.Tx) error { return store.UpsertRuns(tx, runs) }); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]int{"": 120, "waiting": 60, "done": 60, "failed": 0, "nonsense": 120} {
		seen := map[string]bool{}
		path := "/automations/wrap-first/runs?state=" + state
		for path != "" {
			code, body := c.get(path)
			if code != 200 {
				t.Fatalf("%s answers %d", path, code)
			}
			for id := range runs {
				if strings.Contains(body, `href="/runs/`+id+`"`) {
					if seen[id] {
						t.Errorf("%q: %s stands on two pages", state, id)
					}
					seen[id] = true
				}
			}
			path = ""
			if _, after, ok := strings.Cut(body, `rel="next"`); ok {
				before := body[:len(body)-len(after)]
				at := strings.LastIndex(before, `href="`)
				path, _, _ = strings.Cut(before[at+6:], `"`)
				path = strings.ReplaceAll(path, "&amp;", "&")
			}
		}
		if len(seen) != want {
			t.Errorf("state %q lists %d runs, want %d", state, len(seen), want)
		}
	}
	for path, want := range map[string]int{"/automations/wrap-first/runs?after=x": 400, "/automations/none/runs": 404, "/runs/none": 404} {
		if code, _ := c.get(path); code/100 != 4 {
			t.Errorf("%s answers %d, want %d", path, code, want)
		}
	}
}

// TestAnyAutomationIsAskedAbout: an order's page says why an automation was never asked, with its backtest for who
// may start one; and it says when there is no such automation.
func TestAnyAutomationIsAskedAbout(t *testing.T) {
	c := newClient(t, 60).admin()
	addAutomation(t, c.shop, strings.Replace(wrapFirst, "on: order.placed", "on: order.completed", 1))
	at := "/orders/" + c.order("held")
	if _, body := c.get(at); !strings.Contains(body, `<option value="wrap-first"`) || strings.Contains(body, "was never asked about this order") {
		t.Error("the question is not on the page, or is answered before it is asked")
	}
	_, body := c.get(at + "?why=wrap-first")
	for _, want := range []string{"wrap-first was never asked about this order.", `action="/automations/wrap-first/backtest"`, `name="since" value="20`, `hx-get="` + at + `?why=wrap-first"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the answer lacks %q", want)
		}
	}
	if _, body := c.get(at + "?why=no%3Csuch"); !strings.Contains(body, "There is no automation no&lt;such.") {
		t.Error("an unknown name is not refused")
	}
}
