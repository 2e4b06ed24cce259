package console_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// client is a browser without scripts.
type client struct {
	t    *testing.T
	http *http.Client
	base string
	shop *consoletest.Shop
}

func newClient(t *testing.T, orders int) *client {
	t.Helper()
	s := openShop(t, orders)
	srv := httptest.NewServer(s.Handler)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, http: &http.Client{Jar: jar}, base: srv.URL, shop: s}
}

func (c *client) signIn(mail, password string) {
	c.t.Helper()
	if code, body := c.post("/signin", url.Values{"email": {mail}, "password": {password}}); code != http.StatusOK || strings.Contains(body, "Sign in</h1>") {
		c.t.Fatalf("signing in answers %d", code)
	}
}

func (c *client) admin() *client {
	c.t.Helper()
	c.signIn(consoletest.AdminMail, consoletest.AdminPassword)
	return c
}

func (c *client) get(path string) (int, string) {
	c.t.Helper()
	return c.do(http.MethodGet, path, nil, nil)
}

func (c *client) post(path string, form url.Values) (int, string) {
	c.t.Helper()
	return c.do(http.MethodPost, path, form, nil)
}

func (c *client) do(method, path string, form url.Values, header http.Header) (int, string) {
	c.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		r.Header[k] = v
	}
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// find returns what the first group of a pattern matches in a page.
func (c *client) find(path, pattern string) string {
	c.t.Helper()
	_, body := c.get(path)
	m := regexp.MustCompile(pattern).FindStringSubmatch(body)
	if m == nil {
		c.t.Fatalf("%s has nothing like %s", path, pattern)
	}
	return m[1]
}

func (c *client) order(state string) string {
	c.t.Helper()
	return c.find("/orders?state="+state, `href="/orders/(ord_[a-z0-9]+)"`)
}

// TestReceivedInTheShopsTime: an order's page says when an event was received by the shop's clock, as it says everything else.
func TestReceivedInTheShopsTime(t *testing.T) {
	c := newClient(t, 20).admin()
	_, body := c.get("/orders/" + c.order("ready"))
	if n := regexp.MustCompile(`<dt>Received</dt>\s*<dd>[0-9-]+ [0-9:]+\.[0-9]{3} CET`).FindAllString(body, -1); len(n) == 0 {
		t.Error("no event says when it was received")
	}
	if at := strings.Index(body, " UTC<"); at >= 0 {
		t.Errorf("a time in UTC: %s", body[max(0, at-100):at+5])
	}
}

// TestWhyCounts: the head of why and why not counts who fired and who did not, as they stand below.
func TestWhyCounts(t *testing.T) {
	c := newClient(t, 20).admin()
	_, body := c.get("/orders/" + c.order("ready"))
	m := regexp.MustCompile(`([0-9]+) fired(, [0-9]+ would have)?(?:, [0-9]+ could not tell)?, ([0-9]+) did not<`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("nothing is counted: %q", regexp.MustCompile(`[0-9]+ fired[^<]*`).FindString(body))
	}
	fired, not := strings.Count(body, ">Fired<"), strings.Count(body, ">Did not fire<")
	if fired == 0 || not == 0 || m[1] != strconv.Itoa(fired) || m[3] != strconv.Itoa(not) {
		t.Errorf("it says %q, and %d and %d stand below", m[0], fired, not)
	}
	if !strings.Contains(body, "Asked when an order is placed, ") {
		t.Error("it does not say in words when they were asked")
	}
}

// TestPolicyOfPages holds that every page carries the policy and nothing that it forbids.
func TestPolicyOfPages(t *testing.T) {
	c := newClient(t, 120).admin()
	inline := regexp.MustCompile(`(?i)<[^>]+\sstyle=|<style|<script(?:\s[^>]*)?>[^<]|\son[a-z]+="`)
	pages := []string{"/", "/orders", "/orders/" + c.order("held"), "/orders/" + c.order("shipped"), "/review", "/stock", "/stock/MUG-BLU-01", "/automations", "/effects", "/effects?tab=waiting", "/settings", "/settings/people", "/profile", "/audit", "/incidents", "/incidents?state=over", "/expectations", "/expectations/country:FR", "/expectations/orders-ready", "/nothing", "/frame?at=Orders"}
	for _, p := range pages {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+p, nil)
		res, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.Header.Get("Content-Security-Policy") != console.CSP || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", p, res.Header)
		}
		if m := inline.Find(b); m != nil {
			t.Errorf("%s holds %s", p, m)
		}
		for _, ref := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(string(b), -1) {
			if code, _ := c.get(ref[1]); code != http.StatusOK {
				t.Errorf("%s refers to %s, which answers %d", p, ref[1], code)
			}
		}
	}
}

// TestLinksLead follows every link of every page: no dead end.
func TestLinksLead(t *testing.T) {
	c := newClient(t, 60).admin()
	href := regexp.MustCompile(`href="(/[^"#]*)`)
	seen, todo := map[string]bool{}, []string{"/"}
	kinds := map[string]int{}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		code, body := c.get(p)
		if code != http.StatusOK {
			t.Errorf("%s answers %d", p, code)
		}
		for _, m := range href.FindAllStringSubmatch(body, -1) {
			to := strings.ReplaceAll(m[1], "&amp;", "&")
			kind := regexp.MustCompile(`(ord|tsk|cus|flt)_[a-z0-9]+|[A-Z]{3}-[A-Z0-9-]+|\d\d(:|%3A)\d\d`).ReplaceAllString(to, "*")
			if seen[to] || kinds[kind] >= 3 || strings.HasPrefix(to, "/assets/") || to == "/docs" { // the API describes itself
				continue
			}
			seen[to] = true
			kinds[kind]++
			todo = append(todo, to)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d links were followed", len(seen))
	}
}

func TestStrangersAreSentToTheDoor(t *testing.T) {
	c := newClient(t, 0)
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, p := range []string{"/", "/orders", "/orders.csv", "/review", "/stock", "/automations", "/effects", "/incidents", "/expectations", "/settings", "/anything"} {
		if code, _ := c.get(p); code != http.StatusSeeOther {
			t.Errorf("%s answers a stranger %d", p, code)
		}
	}
	for _, p := range []string{"/palette", "/live"} {
		if code, _ := c.do(http.MethodGet, p, nil, http.Header{"Accept": {"application/json"}}); code != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger %d", p, code)
		}
	}
	for _, p := range []string{"/orders/bulk", "/orders/x/cancel", "/review/x", "/stock/x/receive", "/effects/replay", "/settings/tokens", "/settings/people"} {
		if code, _ := c.post(p, url.Values{"key": {"k"}}); code != http.StatusSeeOther {
			t.Errorf("POST %s answers a stranger %d", p, code)
		}
	}
	if n := len(c.shop.Engine.Submitted()); n != 0 {
		t.Errorf("a stranger submitted %d events", n)
	}
}

func TestSetUp(t *testing.T) {
	s, err := consoletest.Open(t.Context(), t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	token, err := s.Access.SetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler)
	t.Cleanup(srv.Close)
	jar, _ := cookiejar.New(nil)
	c := &client{t: t, http: &http.Client{Jar: jar}, base: srv.URL, shop: s}
	if code, body := c.get("/setup?token=wrong"); code != http.StatusForbidden || !strings.Contains(body, "no longer good") {
		t.Errorf("a wrong link answers %d", code)
	}
	first := token
	if token, err = s.Access.SetupToken(t.Context()); err != nil { // as a second start does
		t.Fatal(err)
	}
	if code, body := c.get("/setup?token=" + url.QueryEscape(first)); code != http.StatusForbidden || !strings.Contains(body, "printed last") || strings.Contains(body, "Sign in instead") {
		t.Errorf("the link of an earlier start answers %d and must say what to do", code)
	}
	form := url.Values{"token": {token}, "name": {"Alex Sample"}, "email": {"alex@example.com"}, "password": {"short"}}
	if code, body := c.post("/setup", form); code != http.StatusUnprocessableEntity || !strings.Contains(body, "at least 12") || !strings.Contains(body, "alex@example.com") {
		t.Errorf("a short password answers %d and must keep what was typed", code)
	}
	form.Set("password", "sample lamp quiet river")
	if code, body := c.post("/setup", form); code != http.StatusOK || !strings.Contains(body, "First steps") || !strings.Contains(body, "Welcome") {
		t.Errorf("the set-up answers %d; an empty shop must teach", code)
	}
	if code, _ := c.get("/setup?token=" + url.QueryEscape(token)); code != http.StatusForbidden {
		t.Errorf("a used link answers %d", code)
	}
	for _, p := range []string{"/orders", "/stock", "/automations"} { // empty states teach with a command
		if _, body := c.get(p); !strings.Contains(body, "<code>orderly ") {
			t.Errorf("%s of an empty shop names no command", p)
		}
	}
}

// TestDoubleClick holds that a form sent twice is one event.
func TestDoubleClick(t *testing.T) {
	c := newClient(t, 120).admin()
	id := c.order("ready")
	key := c.find("/orders/"+id, `action="/orders/`+id+`/cancel"[^§]*?name="key" value="([^"]+)"`)
	form := url.Values{"key": {key}, "reason": {"the customer asked"}}
	for i := range 2 {
		if code, body := c.post("/orders/"+id+"/cancel", form); code != http.StatusOK || !strings.Contains(body, "is cancelled") {
			t.Fatalf("click %d answers %d", i+1, code)
		}
	}
	evs := c.shop.Engine.Submitted()
	if len(evs) != 1 {
		t.Fatalf("%d events of a double click", len(evs))
	}
	p, ok := evs[0].Data.(*event.OrderCancelled)
	if !ok || p.Reason != "the customer asked" || evs[0].Key != key || evs[0].Source != "console" || !strings.HasPrefix(evs[0].Actor, "usr_") || evs[0].Mode != event.Live {
		t.Errorf("unexpected event %+v", evs[0])
	}
	form.Set("key", "another click")
	if code, body := c.post("/orders/"+id+"/cancel", form); code != http.StatusConflict || !strings.Contains(body, "cancelled now") {
		t.Errorf("a new click on a cancelled order answers %d", code)
	}
	form.Del("key")
	if code, _ := c.post("/orders/"+c.order("ready")+"/cancel", form); code != http.StatusUnprocessableEntity {
		t.Errorf("a form without its key answers %d", code)
	}
}

func TestOrderActions(t *testing.T) {
	c := newClient(t, 120).admin()
	held := c.order("held")
	for _, s := range []struct {
		path, reason string
		want         int
	}{
		{"/orders/" + held + "/hold", "again", http.StatusConflict},          // held already
		{"/orders/" + held + "/reroute", "", http.StatusConflict},            // not while it is held
		{"/orders/" + held + "/explode", "", http.StatusNotFound},            // no such step
		{"/orders/ord_none/release", "", http.StatusNotFound},                // no such order
		{"/orders/" + c.order("ready") + "/hold", "", 422},                   // the reason is required
		{"/orders/" + c.order("completed") + "/cancel", "too late", 409},     // terminal
		{"/orders/" + held + "/release", "checked by phone", http.StatusOK},  // goes on
		{"/orders/" + c.order("ready") + "/hold", "odd note", http.StatusOK}, // stops
	} {
		if code, _ := c.post(s.path, url.Values{"key": {s.path + s.reason}, "reason": {s.reason}}); code != s.want {
			t.Errorf("%s answers %d, want %d", s.path, code, s.want)
		}
	}
	if n := len(c.shop.Engine.Submitted()); n != 2 {
		t.Errorf("%d events were submitted, want 2", n)
	}
}

func TestStockForms(t *testing.T) {
	c := newClient(t, 40).admin()
	at := "/stock/MUG-BLU-01/"
	for i, s := range []struct {
		verb string
		form url.Values
		want int
		text string
	}{
		{"receive", url.Values{"location": {"leipzig"}, "qty": {"12"}, "reason": {"delivery 7"}}, 200, "Received 12 units"},
		{"receive", url.Values{"location": {"leipzig"}, "qty": {"many"}}, 422, "whole number"},
		{"receive", url.Values{"location": {"leipzig"}, "qty": {"-3"}}, 422, "must be between"},
		{"receive", url.Values{"qty": {"3"}}, 422, "location is required"},
		{"adjust", url.Values{"location": {"leipzig"}, "qty": {"−2"}}, 422, "Say why"},
		{"adjust", url.Values{"location": {"leipzig"}, "qty": {"−2"}, "reason": {"broken"}}, 200, "Adjusted by −2"},
		{"count", url.Values{"location": {"leipzig"}, "qty": {"80"}}, 200, "Booked the count of 80"},
		{"transfer", url.Values{"from": {"leipzig"}, "to": {"leipzig"}, "qty": {"1"}}, 422, "must differ"},
		{"transfer", url.Values{"from": {"leipzig"}, "to": {"lyon"}, "qty": {"1"}}, 200, "Moved 1 unit"},
		{"receive", url.Values{"location": {"nowhere"}, "qty": {"3"}}, 422, "There is no location"},
		{"receive", url.Values{"location": {"leipzig"}, "qty": {"99999999999999999999"}}, 422, "whole number"},
		{"transfer", url.Values{"from": {"leipzig"}, "to": {"\u202enoyl"}, "qty": {"1"}}, 422, "There is no location"},
		{"burn", url.Values{"qty": {"1"}}, 404, ""},
	} {
		s.form.Set("key", fmt.Sprint("k", i))
		code, body := c.post(at+s.verb, s.form)
		if code != s.want || !strings.Contains(body, s.text) {
			t.Errorf("%s %v answers %d, want %d with %q", s.verb, s.form, code, s.want, s.text)
		}
	}
	if n := len(c.shop.Engine.Submitted()); n != 4 {
		t.Errorf("%d events were submitted, want 4", n)
	}
}

func TestReviewDecisions(t *testing.T) {
	c := newClient(t, 120).admin()
	id := c.find("/review?queue=risk", `data-task="(tsk_[a-z0-9]+)"`)
	if code, _ := c.post("/review/"+id, url.Values{"key": {"k1"}, "outcome": {"ask"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("asking without a question answers %d", code)
	}
	if code, _ := c.post("/review/"+id, url.Values{"key": {"k2"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("no decision answers %d", code)
	}
	if code, body := c.post("/review/"+id+"/assign", url.Values{"key": {"k3"}, "to": {"me"}}); code != http.StatusOK || !strings.Contains(body, "Put it back") {
		t.Errorf("taking a task answers %d", code)
	}
	if _, body := c.get("/review?mine=1"); !strings.Contains(body, id) {
		t.Error("a task that was taken is not among mine")
	}
	if code, body := c.post("/review/"+id, url.Values{"key": {"k4"}, "outcome": {"approve"}, "note": {"fine"}}); code != http.StatusOK || !strings.Contains(body, "Decided: Approve") {
		t.Errorf("approving answers %d", code)
	}
	if _, body := c.get("/review/" + id); !strings.Contains(body, "Decided: Approve by Alex Sample, «fine».") {
		t.Error("the decided task does not say who decided")
	}
	if code, _ := c.get("/review/tsk_none"); code != http.StatusNotFound {
		t.Errorf("a task that is none answers %d", code)
	}
}

// TestViewer sees everything but changes nothing and sees no personal data.
func TestViewer(t *testing.T) {
	c := newClient(t, 120)
	if _, err := c.shop.Access.AddUser(t.Context(), access.NewUser{Email: "viewer@example.com", Name: "Vera Viewer", Password: "sample lamp quiet river", Role: access.Viewer}); err != nil {
		t.Fatal(err)
	}
	c.signIn("viewer@example.com", "sample lamp quiet river")
	held := c.order("held")
	for _, p := range []string{"/", "/orders", "/orders/" + held, "/review", "/orders.csv", "/orders?q=sample+12", "/palette?q=sample"} {
		code, body := c.get(p)
		if code != http.StatusOK {
			t.Errorf("%s answers a viewer %d", p, code)
		}
		if m := regexp.MustCompile(`Sample Customer \d|sample\d+@example|Sample Street|203\.0\.113\.`).FindString(body); m != "" {
			t.Errorf("%s shows a viewer %q", p, m)
		}
	}
	for _, p := range []string{"/orders/" + held + "/release", "/orders/bulk", "/review/x", "/stock/MUG-BLU-01/receive", "/effects/replay", "/settings/tokens", "/settings/people"} {
		if code, _ := c.post(p, url.Values{"key": {"k"}, "id": {held}, "verb": {"cancel"}, "confirm": {"yes"}, "reason": {"x"}}); code != http.StatusForbidden {
			t.Errorf("POST %s answers a viewer %d", p, code)
		}
	}
	if n := len(c.shop.Engine.Submitted()); n != 0 {
		t.Errorf("a viewer submitted %d events", n)
	}
}

func TestExport(t *testing.T) {
	c := newClient(t, 120).admin()
	code, body := c.get("/orders.csv?channel=pos")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 5 || rows[0][0] != "id" {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows[1:] {
		if r[1] != "pos" || r[10] != "EUR" || !strings.HasPrefix(r[6], "Sample Customer ") {
			t.Errorf("unexpected row %v", r)
		}
	}
	if code, _ := c.get("/orders.csv?state=nonsense"); code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong filter answers %d", code)
	}
}

func TestReplay(t *testing.T) {
	c := newClient(t, 120).admin()
	page := "/effects?tab=dead&cause=" + c.find("/effects", `name="cause" value="(cau_[a-z0-9]+)"`)
	id := c.find(page, `name="id" value="(eff_[a-z0-9]+)"`)
	if code, body := c.post("/effects/replay", url.Values{"id": {id}, "preview": {"yes"}}); code != http.StatusOK || !strings.Contains(body, "Try 1 effect again?") {
		t.Errorf("the preview answers %d", code)
	}
	if !strings.Contains(c.find(page, `(name="id" value="`+id+`")`), id) {
		t.Error("a preview changed something")
	}
	if code, body := c.post("/effects/replay", url.Values{"id": {id}, "confirm": {"yes"}}); code != http.StatusOK || !strings.Contains(body, "1 effect will be tried again") {
		t.Errorf("the replay answers %d", code)
	}
	if _, body := c.get(page); strings.Contains(body, `value="`+id+`"`) {
		t.Error("the effect is still dead")
	}
}

// TestQuarantine has a quarantined event decided again: asked first, told what became of it, nothing done twice.
func TestQuarantine(t *testing.T) {
	c := newClient(t, 120).admin()
	list := "/effects?tab=quarantine"
	id := c.find(list, `name="id" value="([0-9a-f-]{36})"`)
	if code, body := c.post("/effects/decide", url.Values{}); code != http.StatusOK || !strings.Contains(body, "Select events first") {
		t.Errorf("without a selection it answers %d", code)
	}
	if code, body := c.post("/effects/decide", url.Values{"id": {id}}); code != http.StatusOK || !strings.Contains(body, "Decide 1 event again?") {
		t.Errorf("the question answers %d", code)
	}
	if code, body := c.post("/effects/decide", url.Values{"id": {id}, "confirm": {"yes"}}); code != http.StatusOK || !strings.Contains(body, "0 of 1 event decided") || !strings.Contains(body, "Still in quarantine") {
		t.Errorf("an event that fails again answers %d", code)
	}
	err := c.shop.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec("UPDATE event SET type = 'order.cancelled' WHERE id = $1", id) // the stand-in decides these
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Decided", "it was decided before"} {
		if code, body := c.post("/effects/decide", url.Values{"id": {id, id}, "confirm": {"yes"}}); code != http.StatusOK || !strings.Contains(body, "1 of 1 event decided") || !strings.Contains(body, want) {
			t.Errorf("deciding answers %d and must say %q", code, want)
		}
	}
	if _, body := c.get(list); strings.Contains(body, `value="`+id+`"`) {
		t.Error("the event is still listed")
	}
	if code, _ := c.post("/effects/decide", url.Values{"id": {"nonsense"}, "confirm": {"yes"}}); code != http.StatusNotFound {
		t.Errorf("an event that does not exist answers %d", code)
	}
}

// TestReaderGoneIsNoFailure asks for pages and leaves: nothing is logged as an error.
func TestReaderGoneIsNoFailure(t *testing.T) {
	c := newClient(t, 20).admin()
	cookies := c.http.Jar.Cookies(must(url.Parse(c.base)))
	for _, path := range []string{"/", "/orders", "/stock", "/effects"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		for _, k := range cookies {
			r.AddCookie(k)
		}
		w := httptest.NewRecorder()
		c.shop.Handler.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s answers %d when its reader went away: %s", path, w.Code, w.Body)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestTokens(t *testing.T) {
	c := newClient(t, 0).admin()
	code, body := c.post("/settings/tokens", url.Values{"name": {"web-shop"}, "scope": {"events:write", "read"}})
	if code != http.StatusOK || !strings.Contains(body, "shown this once") {
		t.Fatalf("making a token answers %d", code)
	}
	token := regexp.MustCompile(`<code>(ord_[A-Za-z0-9_-]+)</code>`).FindStringSubmatch(body)
	if token == nil {
		t.Fatal("the token is not shown")
	}
	if _, err := c.shop.Access.Verify(t.Context(), token[1]); err != nil {
		t.Errorf("the token does not work: %v", err)
	}
	if _, body := c.get("/settings"); strings.Contains(body, token[1]) {
		t.Error("the token is shown a second time")
	}
	if code, body := c.post("/settings/tokens", url.Values{"name": {"two words"}, "scope": {"read"}}); code != http.StatusUnprocessableEntity || !strings.Contains(body, "without blanks") {
		t.Errorf("a bad name answers %d", code)
	}
	if code, _ := c.post("/settings/tokens/web-shop/revoke", url.Values{}); code != http.StatusOK {
		t.Errorf("revoking answers %d", code)
	}
	if _, err := c.shop.Access.Verify(t.Context(), token[1]); err == nil {
		t.Error("a revoked token works")
	}
}

// TestHostileInput sends what no browser sends: an answer below 500 without the input as markup, every time.
func TestHostileInput(t *testing.T) {
	c := newClient(t, 40).admin()
	nasty := []string{`"><img src=x onerror=alert(1)>`, "' OR 1=1 --", "%00", strings.Repeat("a", 5000), "\u202e", "../../etc/passwd", "{{7*7}}", "ord_", "cus_", "@", "#", "%", "_"}
	for _, n := range nasty {
		q := url.QueryEscape(n)
		for _, p := range []string{
			"/orders?q=" + q, "/orders?state=" + q, "/orders?from=" + q, "/orders?after=" + q, "/orders?sort=" + q, "/orders?channel=" + q, "/orders/" + url.PathEscape(n),
			"/review/" + url.PathEscape(n), "/review?queue=" + q, "/stock?q=" + q, "/stock?after=" + q, "/stock/" + url.PathEscape(n), "/stock/MUG-BLU-01?after=" + q,
			"/stock/MUG-BLU-01?location=" + q, "/automations/" + url.PathEscape(n), "/effects?tab=" + q, "/effects?after=" + q, "/palette?q=" + q, "/setup?token=" + q, "/signin?back=" + q,
		} {
			code, body := c.get(p)
			if code >= 500 {
				t.Errorf("%s answers %d", p, code)
			}
			if strings.Contains(body, "<img src=x") {
				t.Errorf("%s repeats markup", p)
			}
		}
	}
}

// TestRedirectsStay holds that no form sends anybody to another site.
func TestRedirectsStay(t *testing.T) {
	c := newClient(t, 0).admin()
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, to := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\\\\evil.example", "/ok\r\nX: y", "http:/evil.example"} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/theme", strings.NewReader(url.Values{"theme": {"dark"}, "back": {to}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := c.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if loc := res.Header.Get("Location"); loc != "/" {
			t.Errorf("%q leads to %q", to, loc)
		}
	}
}
