package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"orderly.example/orderly/internal/console/consoletest"
)

// browser is one headless Chromium with the sample shop.
type browser struct {
	t    *testing.T
	ctx  context.Context
	base string
	shop *consoletest.Shop

	mail, password string

	mu       sync.Mutex
	problems []string // console errors, exceptions, refused by the content security policy
}

// findChromium skips the test where there is no Chromium; in CI it must be there.
func findChromium(t *testing.T) string {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no Chromium found: CI must run the browser tests")
	}
	t.Skip("no Chromium found: the browser tests are left out")
	return ""
}

func openShop(t *testing.T, orders int) *consoletest.Shop {
	t.Helper()
	s, err := consoletest.Open(t.Context(), t.TempDir(), orders)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.AddAdmin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func startBrowser(t *testing.T, orders int) *browser {
	t.Helper()
	path := findChromium(t)
	s := openShop(t, orders)
	srv := httptest.NewServer(s.Handler)
	t.Cleanup(srv.Close)
	b := newBrowser(t, path, srv.URL)
	b.shop = s
	return b
}

// newBrowser starts a Chromium for the console at an address. One in some hundred crashes before it says anything, on a
// busy machine; that is tried again, twice, and told.
func newBrowser(t *testing.T, path, base string) *browser {
	t.Helper()
	var ctx context.Context
	for try := 1; ; try++ {
		var err error
		if ctx, err = launch(t, path); err == nil {
			break
		}
		if try == 3 {
			t.Fatal(err)
		}
		t.Logf("Chromium did not start, try %d: %v", try, err)
	}
	b := &browser{t: t, ctx: ctx, base: base, mail: consoletest.AdminMail, password: consoletest.AdminPassword}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if text := m.String(); m.IsException() || strings.Contains(strings.ToLower(string(m.Type)), "error") || strings.Contains(text, "Content Security Policy") {
				b.problem(text)
			}
		}
	}()
	b.eval(`1`, nil)
	return b
}

// launch starts a Chromium that ends with the test, or by itself.
func launch(t *testing.T, path string) (context.Context, error) {
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 1000),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(2*time.Minute), // a busy machine starts a browser slowly
	)
	actx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(actx)
	t.Cleanup(func() { cancel(); stop() })
	return ctx, chromedp.Do(ctx, chromedp.Navigate("about:blank"))
}

func (b *browser) problem(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, s)
}

// clean fails the test when the browser complained about anything.
func (b *browser) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Error(p)
	}
}

func (b *browser) do(as ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, as...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.until(`true`)
}

func (b *browser) signIn() {
	b.t.Helper()
	b.open("/signin")
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name=email]`), b.mail),
		chromedp.SendKeys(chromedp.CSS(`input[name=password]`), b.password+"\r"))
	b.until(`document.querySelector("#today")`)
}

// eval runs an expression; into, when given, receives its value by JSON.
func (b *browser) eval(expr string, into any) {
	b.t.Helper()
	raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]byte](expr, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expr, err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			b.t.Fatalf("%s gave %s: %v", expr, raw, err)
		}
	}
}

// until waits for an expression, or what it promises, to become true, over navigations too, on a page
// that is whole and whose scripts listen: what a test does next is not lost.
func (b *browser) until(expr string) {
	b.t.Helper()
	wait := fmt.Sprintf(`new Promise((done) => { const end = performance.now() + 4000;
		const look = async () => { let ok = false; try { ok = document.readyState === "complete" && document.documentElement.dataset.ready !== undefined && !!(await (%s)); } catch { } if (ok) done(true); else if (performance.now() > end) done(false); else setTimeout(look, 20); }; look(); })`, expr)
	for range 8 {
		raw, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]byte](wait, chromedp.EvalAwaitPromise))
		if err == nil && string(raw) == "true" {
			return
		}
	}
	body, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 1200)`))
	b.t.Fatalf("never true: %s\n%s", expr, body)
}

// press presses keys one by one as a keyboard does: a key that the page keeps for
// itself types nothing. (chromedp.KeyEvent types it all the same.) Nobody presses a
// key on a page that is still loading; what happens then is TestEarlyKeys.
func (b *browser) press(keys string) {
	b.t.Helper()
	b.until(`true`)
	for _, r := range keys {
		p := input.DispatchKeyEventParams{Key: string(r), Text: string(r), WindowsVirtualKeyCode: int64(unicode.ToUpper(r))}
		switch r {
		case '\r':
			p.Key, p.Code = "Enter", "Enter"
		case '\u001b':
			p.Key, p.Code, p.Text = "Escape", "Escape", ""
		}
		_, err := chromedp.Run(b.ctx, chromedp.Action[cdp.Empty](func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
			p.Type = input.DispatchKeyEventTypeKeyDown
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, p); err != nil {
				return cdp.Empty{}, err
			}
			p.Type, p.Text = input.DispatchKeyEventTypeKeyUp, ""
			return cdp.Call(ctx, t, input.DispatchKeyEvent, p)
		}))
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// palette opens the command palette by its shortcut.
func (b *browser) palette() {
	b.t.Helper()
	b.until(`true`)
	b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.until(`document.querySelector("#palette").open && document.activeElement === document.querySelector("#palette input")`)
}

func (b *browser) size(w, h int64, mobile bool) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: w, Height: h, DeviceScaleFactor: 1, Mobile: mobile})
}

// call gives the browser a command of its protocol.
func call[P any](b *browser, command cdp.Command[P, cdp.Empty], params P) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Action[cdp.Empty](func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, command, params)
	}))
	if err != nil {
		b.t.Fatal(err)
	}
}

// pagePaths are all pages, with an order of each kind of story.
func (b *browser) pagePaths() map[string]string {
	return map[string]string{
		"today": "/", "mails": "/mails", "mail": "/mails/order-held", "mail-new": "/editor/mail?from=order-held", "orders": "/orders", "order-held": b.first("/orders?state=held", "#orders-list td a.lead"),
		"order-shipped": b.first("/orders?state=shipped", "#orders-list td a.lead"), "order-unfillable": b.first("/orders?state=unfillable", "#orders-list td a.lead"),
		"review": "/review", "incident": "/review?kind=incident", "incidents": "/incidents", "silence": b.first("/incidents", "[data-rows] td a.lead"), "expectations": "/expectations", "expectation": "/expectations/event:order.placed", "stock": "/stock", "ledger": b.first("/stock", "#stock-list td a.lead"), "automations": "/automations",
		"automation": b.first("/automations", "#automations td a.lead"), "editor": "/editor?on=order.placed", "suggestions": "/suggestions", "effects": "/effects", "cause": b.first("/effects", "#effects-list td a.lead"), "quarantine": "/effects?tab=quarantine", "settings": "/settings", "people": "/settings/people", "profile": "/profile", "audit": "/audit",
		"location": b.first("/settings", "#locations td a.lead"), "location-new": "/settings/locations/new",
		"map": "/map", "map-datum": "/map?node=stock+level", "map-unowned": "/map?unowned=1", "map-since": "/map?since=2026-01-01",
		"none": "/orders?q=nothing-like-this",
	}
}

func (b *browser) first(path, selector string) string {
	b.t.Helper()
	b.open(path)
	var href string
	b.eval(fmt.Sprintf(`(document.querySelector(%q)||{getAttribute(){return ""}}).getAttribute("href")`, selector), &href)
	if href == "" && os.Getenv("ORDERLY_SHOP") == "" {
		b.t.Fatalf("%s has no %s", path, selector)
	}
	if href == "" {
		return path // a running shop need not have one
	}
	return href
}

// TestShots writes pictures of every page when ORDERLY_SHOTS names a folder: of
// the sample shop, or of a running one ("http://127.0.0.1:8080 mail password" in ORDERLY_SHOP).
func TestShots(t *testing.T) {
	dir := os.Getenv("ORDERLY_SHOTS")
	if dir == "" {
		t.Skip("ORDERLY_SHOTS names no folder for pictures")
	}
	b := startBrowser(t, 420)
	if f := strings.Fields(os.Getenv("ORDERLY_SHOP")); len(f) == 3 {
		b.base, b.mail, b.password = f[0], f[1], f[2]
	}
	shot := func(name string, full bool) {
		act := chromedp.CaptureScreenshot()
		if full {
			act = chromedp.FullScreenshot(100)
		}
		png, err := chromedp.Run(b.ctx, act)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	only := os.Getenv("ORDERLY_SHOT")
	b.open("/signin")
	shot("signin", false)
	b.signIn()
	paths := b.pagePaths()
	for name, path := range paths {
		if only != "" && !strings.Contains(only, name) {
			continue
		}
		b.size(1440, 1000, false)
		b.open(path)
		shot(name+"-1440", true)
		b.size(390, 844, true)
		b.open(path)
		shot(name+"-390", false)
		shot(name+"-390-full", true)
		b.size(1440, 1000, false)
	}
	if only == "" || strings.Contains(only, "dark") {
		for _, name := range []string{"today", "order-held", "review", "orders", "mail"} {
			b.open(paths[name])
			b.eval(`document.documentElement.dataset.theme = "dark"`, nil)
			b.eval(`Promise.all(document.getAnimations().map(a => a.finished)).then(() => 1)`, nil)
			shot(name+"-dark-1440", false)
		}
		b.open("/orders")
		b.eval(`document.querySelector(".side-search").click()`, nil)
		b.do(chromedp.SendKeys(chromedp.CSS("#palette input"), "sample"))
		b.until(`document.querySelector("#palette-list").innerText.includes("Sample")`)
		shot("palette-1440", false)
	}
	b.clean()
}
