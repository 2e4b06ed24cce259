package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
)

// output collects what a running command prints and tells when it contains something.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string { o.mu.Lock(); defer o.mu.Unlock(); return o.b.String() }

// wait returns the first match of a pattern's group in what was printed.
func (o *output) wait(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(20 * time.Second)
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[1]
		}
		select {
		case <-o.more:
		case <-limit:
			t.Fatalf("%s was not printed: %s", pattern, o)
		}
	}
}

// served is a running "orderly serve" or "orderly demo".
type served struct {
	base      string
	out, errs *output
	client    *http.Client
	dir       string
	end       context.CancelFunc
	code      chan int
	t         *testing.T
	stopped   bool
}

// start runs a command that listens on a free port.
func start(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	return startWith(t, dir, nil, args...)
}

// startWith is start with an environment.
func startWith(t *testing.T, dir string, environ []string, args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{out: newOutput(), errs: newOutput(), dir: dir, end: cancel, code: make(chan int, 1), t: t}
	s.client = &http.Client{Jar: jar, Transport: &http.Transport{}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	args = append(args, "--listen", "127.0.0.1:0", "--data-dir", dir)
	go func() { s.code <- Main(ctx, args, strings.NewReader(""), s.out, s.errs, environ) }()
	t.Cleanup(func() { s.stop() })
	s.base = s.out.wait(t, `(http://127\.0\.0\.1:\d+)`)
	return s
}

// stop ends the command and returns its exit code.
func (s *served) stop() int {
	if s.stopped {
		return 0
	}
	s.stopped = true
	s.client.CloseIdleConnections()
	s.end()
	select {
	case c := <-s.code:
		return c
	case <-time.After(30 * time.Second):
		s.t.Error("the server did not stop")
		return -1
	}
}

func (s *served) do(method, path, body string, header ...string) (int, string, http.Header) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func (s *served) form(path string, v url.Values) (int, string, http.Header) {
	return s.do("POST", path, v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// run runs another command on the same shop.
func (s *served) run(stdin string, args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	if code := Main(s.t.Context(), append(args, "--data-dir", s.dir), strings.NewReader(stdin), &out, &errs, nil); code != exitOK {
		s.t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return strings.TrimSpace(out.String())
}

const placed = `{"id":"e-%","type":"order.placed","data":{"channel":"web","number":"%","currency":"EUR",
	"lines":[{"sku":"MUG","qty":2,"unit_price":"9.50 EUR"}],"customer":{"email":"buyer@example.com","name":"Sample Buyer"},
	"shipping":{"name":"Sample Buyer","line1":"Example Street 1","postal":"69001","city":"Lyon","country":"FR"},"payment":{"status":"paid"}}}`

func order(number string) string { return strings.ReplaceAll(placed, "%", number) }

// TestServe walks a shop from its first start: the first user by the link,
// events by token and by webhook, reads, pages, health, and an orderly end.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "serve")
	link := s.out.wait(t, `(/setup\?token=[0-9a-z]+)`)
	token, _ := strings.CutPrefix(link, "/setup?token=")

	if code, _, h := s.do("GET", "/", ""); code != 303 || !strings.HasSuffix(h.Get("Location"), "/signin") {
		t.Fatalf("signed out: %d %s", code, h.Get("Location"))
	}
	if code, body, _ := s.do("GET", link, ""); code != 200 || !strings.Contains(body, "<form") {
		t.Fatalf("set-up page: %d", code)
	}
	const password = "glass tiger walks nine"
	code, body, h := s.form("/setup", url.Values{"token": {token}, "email": {"kim@shop.example"}, "name": {"Kim"}, "password": {password}})
	if code != 303 || !strings.Contains(h.Get("Set-Cookie"), "HttpOnly") {
		t.Fatalf("set-up: %d %s", code, body)
	}
	if code, _, _ := s.form("/setup", url.Values{"token": {token}, "email": {"eve@shop.example"}, "password": {password}}); code < 400 {
		t.Errorf("the link was good twice: %d", code)
	}

	apiToken := s.run("", "token", "create", "web", "--scopes", "events:write,read")
	auth := []string{"Authorization", "Bearer " + apiToken, "Content-Type", "application/json"}
	code, body, _ = s.do("POST", "/v1/events", order("1001"), auth...)
	if code != 200 || !strings.Contains(body, `"status":"decided"`) {
		t.Fatalf("event: %d %s", code, body)
	}
	if code, body, _ = s.do("POST", "/v1/events", order("1001"), auth...); code != 200 || !strings.Contains(body, `"duplicate"`) {
		t.Errorf("again: %d %s", code, body)
	}
	if code, body, _ = s.do("POST", "/v1/events", strings.Replace(order("1001"), `"qty":2`, `"qty":3`, 1), auth...); code != 409 {
		t.Errorf("changed: %d %s", code, body)
	}
	if code, body, _ = s.do("POST", "/v1/events", strings.Replace(order("1002"), `"qty":2`, `"qty":0`, 1), auth...); code != 422 || !strings.Contains(body, "/data/lines/0/qty") {
		t.Errorf("invalid: %d %s", code, body)
	}
	code, body, _ = s.do("GET", "/v1/orders/web:1001", "", auth...)
	if code != 200 || !strings.Contains(body, `"number":"1001"`) || strings.Contains(body, "Sample Buyer") || strings.Contains(body, "buyer@") {
		t.Errorf("read: %d %s", code, body)
	}
	if code, body, _ = s.do("GET", "/v1/orders/web:1001/why", "", auth...); code != 200 {
		t.Errorf("why: %d %s", code, body)
	}

	// A signed webhook, by a connection made while the server runs.
	secret := s.run("", "connection", "set", "shop", "--kind", "inbound")
	signer, err := hook.NewSigner(connect.Secret(secret))
	if err != nil {
		t.Fatal(err)
	}
	doc := order("2001")
	deliver := func(id string, sign *hook.Signer) (int, string) {
		ts, sig := sign.Sign(id, time.Now(), []byte(doc))
		code, body, _ := s.do("POST", "/hooks/shop", doc, "Content-Type", "application/json", "Webhook-Id", id, "Webhook-Timestamp", ts, "Webhook-Signature", sig)
		return code, body
	}
	if code, body := deliver("msg_1", signer); code != 200 || !strings.Contains(body, "decided") {
		t.Errorf("webhook: %d %s", code, body)
	}
	forger, err := hook.NewSigner(hook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	if code, body := deliver("msg_2", forger); code != 401 {
		t.Errorf("forged webhook: %d %s", code, body)
	}

	for _, path := range []string{"/", "/orders", "/review", "/stock", "/automations", "/effects", "/settings", "/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"} {
		if code, body, h := s.do("GET", path, ""); code != 200 {
			t.Errorf("%s: %d %.200s", path, code, body)
		} else if csp := h.Get("Content-Security-Policy"); csp == "" || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	if code, _, _ := s.do("POST", "/signout", "", "Sec-Fetch-Site", "cross-site"); code != 403 {
		t.Errorf("a forged sign-out: %d", code)
	}
	if _, body, _ := s.do("GET", "/metrics", ""); !strings.Contains(body, `orderly_orders{state="unfillable"} 2`) || !strings.Contains(body, "orderly_commits_total") {
		t.Errorf("metrics do not tell about the shop: %s", body)
	}
	var figures struct{ Events, Orders int }
	if err := json.Unmarshal([]byte(s.run("", "backup", dir+"/copy.db", "--json")), &figures); err != nil || figures.Orders != 2 || figures.Events < 2 {
		t.Errorf("backup while it runs: %+v, %v", figures, err)
	}
	out := s.run("", "why", "1001")
	for _, want := range []string{"web 1001 is", "Placed on web", "Where it ships from\n  ", "What left the shop\n  "} {
		if !strings.Contains(out, want) {
			t.Errorf("why does not say %q:\n%s", want, out)
		}
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, s.errs)
	}
	for _, secret := range []string{apiToken, token, password, secret} {
		if strings.Contains(s.errs.String(), secret) {
			t.Error("a secret is in the log")
		}
	}

	// The second start asks for no first user and knows what was answered.
	s = start(t, dir, "serve")
	if code, body, _ := s.do("POST", "/v1/events", order("1001"), auth...); code != 200 || !strings.Contains(body, `"duplicate"`) {
		t.Errorf("after a restart: %d %s", code, body)
	}
	if strings.Contains(s.out.String(), "/setup") {
		t.Error("the second start prints a set-up link")
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, s.errs)
	}
}

// TestDemo: the sample shop opens quickly, lives, and ends without a trace.
func TestDemo(t *testing.T) {
	begun := time.Now()
	s := start(t, t.TempDir(), "demo", "--rate", "600")
	password := s.out.wait(t, `Password  (\S+)`)
	if d := time.Since(begun); d > 20*time.Second { // five on a quiet machine; the race detector and other tests slow it down
		t.Errorf("open after %v", d)
	}
	if code, body, _ := s.form("/signin", url.Values{"email": {demoUser}, "password": {password}}); code != 303 {
		t.Fatalf("sign-in: %d %s", code, body)
	}
	code, body, _ := s.do("GET", "/orders", "")
	if code != 200 || !strings.Contains(body, "Sample Buyer") {
		t.Errorf("orders: %d", code)
	}
	for _, path := range []string{"/", "/review", "/stock", "/automations", "/effects"} {
		if code, _, _ := s.do("GET", path, ""); code != 200 {
			t.Errorf("%s: %d", path, code)
		}
	}
	// One buyer's mailbox does not exist: a dead letter, which can be listed and tried again.
	s.metric(regexp.MustCompile(`(?m)^orderly_effects_dead [1-9]`))
	if code := s.stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, s.errs)
	}
	if out := s.run("", "effects", "list"); !strings.Contains(out, "order-confirmation") || !strings.Contains(out, "550") {
		t.Errorf("dead letters: %s", out)
	}
	if out := s.run("", "effects", "replay", "--all", "--json"); strings.Contains(out, `"replayed": 0`) {
		t.Errorf("replay: %s", out)
	}
	if out := s.run("", "effects", "list", "--json"); out != "[]" {
		t.Errorf("dead letters after the replay: %s", out)
	}
	if out := s.run("", "effects", "list", "--waiting"); !strings.Contains(out, "order-confirmation") {
		t.Errorf("waiting: %s", out)
	}
	if out := s.run("", "events", "quarantined", "--json"); out != "[]" {
		t.Errorf("quarantined: %s", out)
	}
	if out := s.run("", "doctor"); !strings.Contains(out, "laws hold") {
		t.Errorf("doctor: %s", out)
	}
}

// metric reads /metrics until a pattern is in it.
func (s *served) metric(pattern *regexp.Regexp) {
	s.t.Helper()
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_, body, _ := s.do("GET", "/metrics", "")
		if pattern.MatchString(body) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			s.t.Fatalf("%s did not come about", pattern)
		}
	}
}
