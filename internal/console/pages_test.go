package console_test

import (
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/event"
)

// TestPages opens every page wide, at 390 px and dark: none scrolls sideways as a
// whole, none has two elements of one id, and the browser complains of nothing.
func TestPages(t *testing.T) {
	b := startBrowser(t, 160)
	b.signIn()
	paths := b.pagePaths()
	names := make([]string, 0, len(paths))
	for n := range paths {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, width := range []int64{390, 1440} {
		b.size(width, 844, width == 390)
		for _, n := range names {
			b.open(paths[n])
			var over, doubled string
			b.eval(`(() => { const w = document.documentElement.clientWidth; if (document.documentElement.scrollWidth <= w) return "";
				const el = [...document.querySelectorAll("body *")].find(e => e.getBoundingClientRect().right > w + 1 && getComputedStyle(e).position !== "fixed");
				return document.documentElement.scrollWidth + " px, by " + (el ? el.outerHTML.slice(0, 160) : "?"); })()`, &over)
			if over != "" {
				t.Errorf("%s at %d px scrolls sideways: %s", n, width, over)
			}
			b.eval(`(() => { const seen = new Set(); for (const e of document.querySelectorAll("[id]")) { if (seen.has(e.id)) return e.id; seen.add(e.id); } return ""; })()`, &doubled)
			if doubled != "" {
				t.Errorf("%s has two elements with the id %q", n, doubled)
			}
			var headings int
			b.eval(`document.querySelectorAll("h1").length`, &headings)
			if headings != 1 {
				t.Errorf("%s has %d h1", n, headings)
			}
		}
	}
	b.clean()
}

func TestSignIn(t *testing.T) {
	b := startBrowser(t, 20)
	b.open("/orders?state=held")
	b.until(`location.pathname === "/signin"`)
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=email]`), consoletest.AdminMail),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), "wrong by intent\r"))
	b.until(`document.querySelector(".note.danger")`)
	var mail string
	b.eval(`document.querySelector("input[name=email]").value`, &mail)
	if mail != consoletest.AdminMail {
		t.Errorf("the mail address must be kept after a wrong password, got %q", mail)
	}
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=password]`), consoletest.AdminPassword+"\r"))
	b.until(`location.pathname === "/orders" && location.search === "?state=held"`) // where one wanted to go
	b.eval(`document.querySelector('form[action="/signout"] button').click()`, nil)
	b.until(`location.pathname === "/signin" && document.querySelector(".toast")`)
	b.open("/")
	b.until(`location.pathname === "/signin"`)
}

func TestOrdersFilter(t *testing.T) {
	b := startBrowser(t, 160)
	b.signIn()
	b.press("go") // g, then o
	b.until(`location.pathname === "/orders" && document.querySelectorAll("#orders-list tbody tr").length === 50`)
	b.eval(`(() => { const s = document.querySelector("select[name=channel]"); s.value = "pos"; s.dispatchEvent(new Event("change", {bubbles: true})); return 1; })()`, nil)
	b.until(`location.search.includes("channel=pos") && document.querySelector("select[name=channel]").classList.contains("set")`)
	var others int
	b.eval(`[...document.querySelectorAll("#orders-list tbody tr")].filter(r => !r.innerText.includes("pos")).length`, &others)
	if others != 0 {
		t.Errorf("%d orders of other channels are shown", others)
	}
	// Keep the filter under a name, leave, and come back by it.
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=name]`), "Shop counter\r"))
	b.until(`[...document.querySelectorAll(".chip a")].some(a => a.innerText === "Shop counter")`)
	b.open("/orders")
	b.eval(`[...document.querySelectorAll(".chip a")].find(a => a.innerText === "Shop counter").click()`, nil)
	b.until(`location.search === "?channel=pos"`)
	// Search by the keyboard: a name, then a mail address.
	b.open("/orders")
	b.press("/")
	b.until(`document.activeElement.name === "q"`)
	b.do(chromedp.KeyEvent("sample 12\r"))
	b.until(`location.search === "?q=sample%2012" && document.querySelectorAll("#orders-list tbody tr").length > 0 &&
		[...document.querySelectorAll("#orders-list tbody tr")].every(r => /Sample Customer 12\d*$/m.test(r.innerText.replace(/\t/g, "\n")))`)
	b.open("/orders?q=sample12@example.com")
	b.until(`document.querySelectorAll("#orders-list tbody tr").length > 0`)
	// Rows by keyboard: j twice, enter opens the second.
	b.open("/orders")
	b.press("jj")
	var href string
	b.eval(`document.activeElement.getAttribute("href")`, &href)
	if !strings.HasPrefix(href, "/orders/ord_") {
		t.Fatalf("j moved to %q", href)
	}
	b.press("\r")
	b.until(`location.pathname === "` + href + `"`)
	b.clean()
}

func TestBulk(t *testing.T) {
	b := startBrowser(t, 160)
	b.signIn()
	b.open("/orders?state=held")
	b.eval(`document.querySelector("[data-check-all]").click()`, nil)
	b.until(`!document.querySelector("[data-bulk]").hidden`)
	b.eval(`document.querySelector("[data-bulk] button[value=release]").click()`, nil)
	b.until(`document.querySelector("h1").innerText === "Release orders"`)
	if n := len(b.shop.Engine.Submitted()); n != 0 {
		t.Fatalf("a preview submitted %d events", n)
	}
	b.eval(`document.querySelector("form.card button.primary").click()`, nil)
	b.until(`location.pathname === "/orders" && document.querySelector(".toast")`)
	for _, ev := range b.shop.Engine.Submitted() {
		if ev.Type != "order.release_requested" || ev.Source != "console" || ev.Actor == "" {
			t.Errorf("unexpected event %+v", ev)
		}
	}
	if len(b.shop.Engine.Submitted()) == 0 {
		t.Error("nothing was released")
	}
	b.until(`document.querySelector("#orders-list").innerText.includes("No order fits")`)

	// Undo: every released order is held again, once, and the page is where it was.
	released := len(b.shop.Engine.Submitted())
	b.eval(`document.querySelector(".toast form button").click()`, nil)
	b.until(`document.querySelector(".toast") && document.querySelector(".toast").innerText.includes("Undone") && location.search === "?state=held"`)
	evs := b.shop.Engine.Submitted()[released:]
	if len(evs) != released {
		t.Errorf("%d orders were released, %d events undo it", released, len(evs))
	}
	for _, ev := range evs {
		if h, ok := ev.Data.(*event.OrderHoldRequested); !ok || !strings.Contains(h.Reason, "undo") || ev.Actor == "" {
			t.Errorf("unexpected event %+v", ev)
		}
	}
	b.clean()
}

// TestReviewByKeyboard decides tasks without touching the mouse.
func TestReviewByKeyboard(t *testing.T) {
	b := startBrowser(t, 160)
	b.signIn()
	b.press("gr")
	b.until(`location.pathname === "/review" && document.querySelector('#queue a[data-task][aria-current="true"]') && document.querySelector("#dossier form[data-task]")`)
	task := func() string {
		var id string
		b.eval(`document.querySelector('#queue a[data-task][aria-current="true"]').dataset.task`, &id)
		return id
	}
	shown := func(id string) {
		b.t.Helper()
		b.until(`document.querySelector("#dossier form[data-task]").dataset.task === "` + id + `"`)
	}
	first := task()
	b.press("j")
	b.until(`document.querySelector('#queue a[data-task][aria-current="true"]').dataset.task !== "` + first + `"`)
	second := task()
	shown(second)
	b.press("k")
	shown(first)

	// a, then z: nothing was sent and the task stands again.
	b.press("a")
	b.until(`document.querySelector('#queue a[data-task="` + first + `"]').classList.contains("leaving")`)
	b.press("z")
	b.until(`!document.querySelector('#queue a[data-task="` + first + `"]').classList.contains("leaving")`)
	shown(first)
	if n := len(b.shop.Engine.Submitted()); n != 0 {
		t.Fatalf("an undone decision submitted %d events", n)
	}

	// a: the next task comes at once; the decision follows by itself.
	b.press("a")
	shown(second)
	b.until(`!document.querySelector('#queue a[data-task="` + first + `"]')`)
	// n, a note, then r.
	b.press("n")
	b.until(`document.activeElement.name === "note"`)
	b.do(chromedp.KeyEvent("card was reported stolen"))
	b.press("\u001b")
	b.press("r")
	b.until(`!document.querySelector('#queue a[data-task="` + second + `"]')`)
	third := task()
	// q: the note takes the question, Ctrl Enter sends it.
	shown(third)
	b.press("q")
	b.until(`document.activeElement.name === "note"`)
	b.do(chromedp.KeyEvent("Is the other address right?"), chromedp.KeyEvent("\r", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.until(`!document.querySelector('#queue a[data-task="` + third + `"]')`)

	want := []struct{ task, outcome, note string }{
		{first, "approve", ""}, {second, "reject", "card was reported stolen"}, {third, "ask", "Is the other address right?"},
	}
	var got []*event.TaskDecided
	for _, ev := range b.shop.Engine.Submitted() {
		if d, ok := ev.Data.(*event.TaskDecided); ok {
			got = append(got, d)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d decisions, want %d", len(got), len(want))
	}
	for i, w := range want {
		if got[i].Task != w.task || got[i].Outcome != w.outcome || got[i].Note != w.note {
			t.Errorf("decision %d is %+v, want %+v", i, *got[i], w)
		}
	}
	b.press("?")
	b.until(`document.querySelector("#keys-help").open`)
	b.clean()
}

// TestLeavingSends holds that a decision whose five seconds run is sent when the page is left.
func TestLeavingSends(t *testing.T) {
	b := startBrowser(t, 60)
	b.signIn()
	b.open("/review")
	b.until(`document.querySelector("#dossier form[data-task]")`)
	var id string
	b.eval(`document.querySelector("#dossier form[data-task]").dataset.task`, &id)
	b.press("a")
	b.until(`document.querySelector("#queue .leaving")`)
	b.open("/orders")
	// The browser sends it beside the next page.
	b.until(`fetch("/review").then(r => r.text()).then(s => !s.includes("` + id + `"))`)
	if n := len(b.shop.Engine.Submitted()); n != 1 {
		t.Errorf("%d events after leaving the page, want 1", n)
	}
	b.clean()
}

func TestPalette(t *testing.T) {
	b := startBrowser(t, 160)
	b.signIn()
	b.palette()
	b.until(`document.querySelectorAll("#palette-list [role=option]").length > 5`)
	b.do(chromedp.KeyEvent("SO-1047"))
	b.until(`document.querySelector("#palette-list [role=option]").innerText.startsWith("SO-1047")`)
	b.press("\r")
	b.until(`location.pathname.startsWith("/orders/ord_") && document.querySelector("h1").innerText.startsWith("SO-1047")`)
	b.palette()
	b.do(chromedp.KeyEvent("kettle"))
	b.until(`document.querySelector("#palette-list [role=option]").innerText.includes("Stovetop kettle")`)
	b.press("\r")
	b.until(`location.pathname === "/stock/KTL-STV-12"`)
	b.clean()
}

// TestGoFromReview holds that the second letter of "g a" goes to a page and decides nothing.
func TestGoFromReview(t *testing.T) {
	b := startBrowser(t, 60)
	b.signIn()
	for keys, path := range map[string]string{"ga": "/automations", "gr": "/review", "go": "/orders"} {
		b.open("/review?kind=review")
		b.until(`document.querySelector("#dossier form[data-task]")`)
		b.press(keys)
		b.until(`location.pathname === "` + path + `" && location.search === ""`)
	}
	if n := len(b.shop.Engine.Submitted()); n != 0 {
		t.Errorf("going to another page submitted %d events", n)
	}
	b.clean()
}

// TestEarlyKeys holds that a shortcut pressed while the scripts are on their way is not lost.
func TestEarlyKeys(t *testing.T) {
	b := startBrowser(t, 20)
	b.signIn()
	var gate atomic.Pointer[chan struct{}]
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys.js") {
			<-*gate.Load()
		}
		b.shop.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { slow.CloseClientConnections(); slow.Close() })
	call(b, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	early := func(keys, then string, opts ...chromedp.KeyOption) {
		t.Helper()
		held := make(chan struct{})
		gate.Store(&held)
		b.eval(`void (location.href = "`+slow.URL+`/review?at=" + Math.random())`, nil)
		for seen := false; !seen; { // the page is there, its scripts are not
			raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]byte](`location.origin === "`+slow.URL+`" && document.readyState === "interactive" && location.pathname === "/review"`))
			seen = err == nil && string(raw) == "true"
		}
		b.do(chromedp.KeyEvent(keys, opts...))
		close(held)
		b.until(then)
	}
	early("k", `document.querySelector("#palette").open`, chromedp.KeyModifiers(chromedp.ModifierCtrl))
	early("go", `location.pathname === "/orders"`)
	b.clean()
}

func TestTheme(t *testing.T) {
	b := startBrowser(t, 20)
	b.signIn()
	var light, dark string
	b.eval(`getComputedStyle(document.body).backgroundColor`, &light)
	b.eval(`document.querySelector("[data-theme-toggle]").click()`, nil)
	b.until(`document.documentElement.dataset.theme === "dark"`)
	b.eval(`getComputedStyle(document.body).backgroundColor`, &dark)
	if light == dark {
		t.Errorf("light and dark have the same ground %s", light)
	}
	b.until(`fetch("/orders").then(r => r.text()).then(s => s.includes('data-theme="dark"'))`) // the server knows it, so no page flashes
	b.clean()
}

// TestLive holds that a page shows what changed without being loaded again.
func TestLive(t *testing.T) {
	b := startBrowser(t, 60)
	b.signIn()
	b.open("/orders")
	b.until(`document.querySelector("[data-live]").dataset.state === "on"`)
	b.eval(`(() => { window.notReloaded = true; document.querySelector("#orders-list tbody tr").dataset.old = "1"; return 1; })()`, nil)
	b.shop.Engine.Tell("orders")
	b.until(`window.notReloaded && !document.querySelector("#orders-list tbody tr[data-old]") && document.querySelector("#orders-list tbody tr")`)
	b.clean()
}
