package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// liveEngine is the real engine behind the console.
type liveEngine struct{ e *engine.Engine }

func (l liveEngine) Submit(ctx context.Context, evs []event.Event) ([]console.Outcome, error) {
	outs, err := l.e.Submit(ctx, evs)
	res := make([]console.Outcome, len(outs))
	for i, o := range outs {
		res[i] = console.Outcome{EventID: o.EventID, Status: string(o.Status), Reason: o.Reason}
	}
	return res, err
}

func (l liveEngine) SetMode(ctx context.Context, name, mode string, share int, by, reason string) (bool, error) {
	return false, l.e.SetMode(ctx, engine.ModeChange{Name: name, Mode: automation.Mode(mode), Share: share, By: by, Reason: reason})
}

// Subscribe tells of nothing: these tests load the pages themselves.
func (liveEngine) Subscribe(ctx context.Context) <-chan console.Topic {
	ch := make(chan console.Topic)
	context.AfterFunc(ctx, func() { close(ch) })
	return ch
}

// liveShop is a shop that really decides, and the browser that looks at it.
type liveShop struct {
	*browser
	eng *engine.Engine
	db  *store.DB
	n   int

	sold []string // numbers of orders
}

func openLive(t *testing.T, automationText string) *liveShop {
	t.Helper()
	path := findChromium(t)
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return consoletest.Now() }
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "live.db"), store.Options{Keyring: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.New(t.Context(), engine.Options{DB: db, Keyring: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	texts := []store.Text{
		{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample Shop\nops_owner: ops@shop.example\ncurrency: EUR\nmail: outbox\n"},
		{Kind: engine.KindAutomation, Name: "call-erp", Text: automationText},
	}
	if _, err := eng.Apply(t.Context(), texts, "tester", "", false); err != nil {
		t.Fatal(err)
	}
	svc := access.New(consoletest.Accounts{DB: db}, nil, now)
	web, err := access.NewWeb(svc, access.WebOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.AddUser(t.Context(), access.NewUser{Email: consoletest.AdminMail, Name: "Alex Sample", Password: consoletest.AdminPassword, Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	live := liveEngine{eng}
	tries := &backtest.Runner{DB: db, Keys: keys, Policies: eng, Now: now, Log: slog.New(slog.DiscardHandler)}
	eng.AskPast(tries)
	t.Cleanup(tries.Close)
	srv := httptest.NewServer(web.Handler(console.New(console.Deps{
		Read: db, Write: db, Keys: keys, Submit: live, Sessions: web, People: svc, Modes: live, Live: live, Check: eng, Map: eng, Replay: consoletest.Replays{Engine: eng, DB: db}, Suggest: consoletest.Suggester{DB: db}, Policy: consoletest.Policies{Engine: eng}, Mails: eng, Backtest: tries, Now: now,
		Shop: func() console.Shop {
			return console.Shop{Name: "Sample Shop", Zone: consoletest.Zone(), Currency: "EUR"}
		},
	})))
	t.Cleanup(srv.Close)
	s := &liveShop{browser: newBrowser(t, path, srv.URL), eng: eng, db: db}
	s.signIn()
	return s
}

// sell lets n orders come in.
func (s *liveShop) sell(n int) {
	s.t.Helper()
	for range n {
		s.n++
		o := &event.OrderPlaced{
			Channel: "web", Number: fmt.Sprint(1000 + s.n), Currency: "EUR",
			Lines:    []event.Line{{SKU: "MUG", Title: "Enamel mug", Qty: 1, UnitPrice: money.New(4900, "EUR")}},
			Shipping: event.Address{Postal: "10115", City: "Berlin", Country: "DE"}, Payment: event.Payment{Status: event.PaymentPaid},
		}
		s.submit(o)
		s.sold = append(s.sold, o.Number)
	}
}

func (s *liveShop) submit(p event.Payload) {
	s.t.Helper()
	s.n++
	out, err := s.eng.Submit(s.t.Context(), []event.Event{{Source: "shop", Key: fmt.Sprint("k", s.n), Data: p}})
	if err != nil || out[0].Status != engine.Decided {
		s.t.Fatalf("%s: %v %v", p.EventType(), out, err)
	}
}

// shows waits until the page says something.
func (s *liveShop) shows(text string) {
	s.t.Helper()
	s.until(fmt.Sprintf(`document.querySelector("main").innerText.includes(%q)`, text))
}

// dialog fills in the reason of a dialog and sends it.
func (s *liveShop) dialog(verb, reason string) {
	s.t.Helper()
	s.eval(fmt.Sprintf(`document.querySelector('[data-open="do-%s"]').click()`, verb), nil)
	s.until(fmt.Sprintf(`document.querySelector("#do-%s").open`, verb))
	s.do(chromedp.SendKeys(chromedp.CSS("#do-"+verb+" textarea[name=reason]"), reason))
	s.eval(fmt.Sprintf(`document.querySelector("#do-%s button.primary").click()`, verb), nil)
	s.until(`document.readyState === "complete" && !document.querySelector("dialog[open]")`)
}

// picture keeps what the page looks like when ORDERLY_SHOTS names a folder.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("ORDERLY_SHOTS")
	if dir == "" {
		return
	}
	for _, shot := range []struct {
		w     int64
		theme string
	}{{1440, ""}, {390, ""}, {1440, "-dark"}, {390, "-dark"}} {
		b.size(shot.w, 1000, shot.w < 500)
		b.eval(fmt.Sprintf(`document.documentElement.dataset.theme = %q || "light"`, strings.TrimPrefix(shot.theme, "-")), nil)
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s%s-%d.png", name, shot.theme, shot.w)), png, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
	b.eval(`delete document.documentElement.dataset.theme`, nil)
	b.size(1440, 1000, false)
}

const callERP = "automation: call-erp\nowner: erp@shop.example\nwhy: The ERP books what is sold.\non: order.placed\ndo: [ { webhook: erp } ]\n"

// TestBlastRadiusPause: an automation reaches its limit, everyone sees that it is stopped and what it
// would have done, and it goes on only when a person says why.
func TestBlastRadiusPause(t *testing.T) {
	s := openLive(t, callERP+"limits: { per_hour: 5 }\n")
	s.sell(5)
	s.open("/automations/call-erp")
	s.shows("5 of 5 firings")
	s.shows("Active")
	s.sell(3)
	s.open("/automations")
	s.shows("Stopped")
	s.open("/automations/call-erp")
	s.shows("Stopped by itself: its limit of 5 firings per hour is reached.")
	s.shows("3 firings while it was stopped, on 3 orders")
	s.shows("webhook call-erp to erp")
	s.picture("limit-stopped")
	s.open("/review?kind=incident")
	s.shows("Automation call-erp is stopped")
	s.open("/automations/call-erp")
	s.dialog("resume", "It was the sale of the year.")
	s.shows("It was the sale of the year.")
	s.until(`!document.querySelector("#stopped")`)
	s.sell(1)
	s.open("/automations/call-erp")
	s.shows("1 of 5 firings")
	s.dialog("stop", "The ERP is being moved.")
	s.shows("Stopped by Alex Sample: The ERP is being moved.")
	s.clean()
}

// TestCanaryStop: a canary whose calls fail stops itself; the page says why, and its owner tries it in shadow again.
func TestCanaryStop(t *testing.T) {
	s := openLive(t, callERP+"mode: shadow\n")
	s.sell(2)
	s.open("/automations/call-erp")
	s.shows("2 firings in shadow, on 2 orders")
	s.eval(`document.querySelector('[data-open="do-mode"]').click()`, nil)
	s.eval(`document.querySelector("#do-mode select[name=mode]").value = "canary"`, nil)
	s.do(chromedp.SendKeys(chromedp.CSS("#do-mode input[name=share]"), "60%"))
	s.dialog("mode", "A week in shadow looked right.")
	s.shows("Canary, 60 %")
	s.sell(20)
	for i := range 3 {
		s.submit(&event.EffectFailed{Effect: fmt.Sprint("eff_", i), Purpose: "call-erp", Destination: "erp", Error: "404 Not Found", Automation: "call-erp"})
	}
	s.open("/automations/call-erp")
	s.shows("Stopped by itself: 3 failures in")
	s.shows("Canary, 60 %")
	s.picture("canary-stopped")
	s.eval(`document.querySelector('[data-open="do-mode"]').click()`, nil)
	s.eval(`document.querySelector("#do-mode select[name=mode]").value = "shadow"`, nil)
	s.dialog("mode", "The address is wrong.")
	s.shows("Canary 60% → shadow")
	s.clean()
}
