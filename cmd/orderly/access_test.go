package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// running opens a shop in a folder and brings it to life without a listener of its own.
func runShop(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	p := &program{stdin: strings.NewReader(""), stdout: newOutput(), stderr: newOutput(), now: time.Now}
	cmd := p.serveCommand()
	if err := cmd.ParseFlags(append([]string{"--data-dir", dir, "--listen", "127.0.0.1:0"}, args...)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Flags: cmd.Flags()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.openShop(t.Context(), cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	r, err := p.start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.backtest.Close()
		_ = r.engine.Close(context.WithoutCancel(t.Context()))
		r.ports.close()
		_ = r.ln.Close()
	})
	return r
}

// visitor is who knocks at every route: a person by the session's cookie, or a program by its token.
type visitor struct {
	name   string
	header [2]string
}

const testPassword = "glass tiger walks nine"

// visitors are everyone there is to be.
func visitors(t *testing.T, r *running) []visitor {
	t.Helper()
	out := []visitor{{name: "anonymous"}}
	for _, name := range []string{"viewer", "agent", "operator", "admin", "owner", "closed"} {
		n := access.NewUser{Email: name + "@shop.example", Password: testPassword, Role: access.Role(name)}
		if name == "owner" || name == "closed" {
			n.Role = access.Viewer
		}
		if _, err := r.access.AddUser(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		form := url.Values{"email": {n.Email}, "password": {testPassword}}
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/signin", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		r.server.Handler().ServeHTTP(w, req)
		cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
		if w.Code != 303 || cookie == "" {
			t.Fatalf("%s signs in: %d", name, w.Code)
		}
		out = append(out, visitor{name, [2]string{"Cookie", cookie}})
	}
	if err := r.access.Disable(t.Context(), "closed@shop.example", true); err != nil {
		t.Fatal(err)
	}
	token := func(name string, n access.NewToken) {
		n.Name = strings.ReplaceAll(name, ":", "-")
		tok, _, err := r.access.CreateToken(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, visitor{name, [2]string{"Authorization", "Bearer " + tok}})
	}
	for _, sc := range access.Scopes() {
		token("token:"+string(sc), access.NewToken{Scopes: []access.Scope{sc}})
	}
	token("expired", access.NewToken{Scopes: access.Scopes(), GoodFor: time.Nanosecond})
	token("revoked", access.NewToken{Scopes: access.Scopes()})
	if err := r.access.RevokeToken(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	return out
}

// policyOf applies one automation of an owner.
func policyOf(t *testing.T, r *running, owners map[string]string) {
	t.Helper()
	for name, owner := range owners {
		text := "automation: " + name + "\nowner: " + owner + "\nwhy: A sample.\non: order.placed\ndo:\n  - tag: sample\nmode: draft\n"
		if _, err := r.engine.Edit(t.Context(), engine.Edit{Kind: engine.KindAutomation, Name: "", Text: text}, "test", "a sample"); err != nil {
			t.Fatal(err)
		}
	}
}

var gateRefuses = regexp.MustCompile(`(?i)your role (&#34;|")|has not the scope|nobody may use this|metrics are for this machine|token is missing, unknown`)

// knock reports whether a visitor is let through the gate of a route. What the page behind it says does not matter.
func knock(t *testing.T, r *running, v visitor, route, automation string) bool {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	path = strings.ReplaceAll(path, "{name}", automation)
	path = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(strings.ReplaceAll(path, "{$}", ""), "nothing")
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if path == "/live" {
		ctx, stop = context.WithTimeout(ctx, 30*time.Millisecond)
		defer stop()
	}
	req := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader("name="+automation))
	if method == "GET" {
		req = httptest.NewRequestWithContext(ctx, method, path, nil)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.header[0] != "" {
		req.Header.Set(v.header[0], v.header[1])
	}
	w := httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, req)
	switch {
	case w.Code >= 500 && w.Code != 503:
		t.Errorf("%s: %s answers %d: %.300s", v.name, route, w.Code, w.Body)
	case strings.HasPrefix(w.Header().Get("Location"), "/signin") && route != "POST /signout":
		return false
	case w.Code == http.StatusUnauthorized && !strings.HasPrefix(route, "POST /hooks"):
		return false
	case w.Code == http.StatusForbidden:
		return !gateRefuses.MatchString(w.Body.String())
	}
	return true
}

// TestEveryRouteForEveryRole knocks at every registered route as everyone, and compares who is
// let in with testdata/access.txt: whoever changes the table of access changes that file, and it is read.
func TestEveryRouteForEveryRole(t *testing.T) {
	r := runShop(t, t.TempDir())
	vs := visitors(t, r)
	policyOf(t, r, map[string]string{"mine": "owner@shop.example", "theirs": "other@shop.example"})

	routes := slices.Clone(r.routes)
	slices.SortFunc(routes, func(a, b string) int { // signing out comes last: it ends the session
		if (a == "POST /signout") != (b == "POST /signout") {
			return map[bool]int{true: 1, false: -1}[a == "POST /signout"]
		}
		pa, pb := a[strings.Index(a, " "):]+a, b[strings.Index(b, " "):]+b
		return strings.Compare(pa, pb)
	})
	for _, route := range routes {
		if _, ok := access.NeedOf(route); !ok {
			t.Errorf("%s is served but is not in the table of access (internal/access/routes.go)", route)
		}
	}
	for _, route := range access.Routes() {
		if !slices.Contains(routes, route) {
			t.Errorf("%s is in the table of access but is not served", route)
		}
	}
	var got strings.Builder
	for _, route := range routes {
		var in []string
		for _, v := range vs {
			if knock(t, r, v, route, "mine") {
				in = append(in, v.name)
			}
			if v.name == "owner" && knock(t, r, v, route, "theirs") && !slices.Contains(in, "viewer") && !slices.Contains(ownersOf, route) {
				t.Errorf("%s lets the owner of another automation in", route)
			}
		}
		anyone := slices.Contains(in, "anonymous")
		if anyone && len(in) != len(vs) {
			t.Errorf("%s lets a stranger in, and not %d others", route, len(vs)-len(in))
		}
		for _, never := range []string{"closed", "expired", "revoked"} {
			if !anyone && slices.Contains(in, never) {
				t.Errorf("%s lets the %s in", route, never)
			}
		}
		if anyone {
			in = []string{"anyone"}
		}
		fmt.Fprintf(&got, "%-48s %s\n", route, strings.Join(in, " "))
	}
	want, err := os.ReadFile("testdata/access.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		file := filepath.Join(os.TempDir(), "orderly-access.txt")
		_ = os.WriteFile(file, []byte(got.String()), 0o600) // a help to look at; the test fails either way
		lines := strings.Split(string(want), "\n")
		for _, l := range strings.Split(got.String(), "\n") {
			if !slices.Contains(lines, l) {
				t.Errorf("not as testdata/access.txt has it: %s", l)
			}
		}
		t.Errorf("who is let in differs from testdata/access.txt; read %s and, if it is as it should be, put it there", file)
	}

	// Whoever was refused as a known person is in the record, and the record holds.
	rs, err := r.access.Audit(t.Context(), access.AuditFilter{Result: access.Refused, Who: "viewer@shop.example", Limit: 1000})
	if err != nil || len(rs) < 20 {
		t.Errorf("%d refusals of the viewer are recorded: %v", len(rs), err)
	}
	if err := r.access.Seal(t.Context(), r.sealOf); err != nil {
		t.Fatal(err)
	}
	if v, err := r.access.VerifyAudit(t.Context(), r.sealOf, access.Head{}); err != nil || !v.OK || v.Sealed < 100 {
		t.Errorf("%+v, %v", v, err)
	}
}

// ownersOf are routes for every owner of some automation.
var ownersOf = []string{"GET /editor/skus", "POST /editor/check", "POST /editor/complete", "POST /editor/findings", "POST /editor/backtest", "GET /editor/backtest"}

// quietRoutes change something that the audit log need not tell, with the reason.
var quietRoutes = map[string]string{
	"POST /v1/events":                        "every event is kept with its actor; decisions of people among them are recorded by the door",
	"POST /hooks/{connection}":               "every event is kept with its actor",
	"POST /theme":                            "a cookie of the reader's own",
	"POST /signin/passkey/begin":             "asks for a passkey; the answer is recorded",
	"POST /filters":                          "the reader's own",
	"POST /filters/{id}/delete":              "the reader's own",
	"POST /editor/check":                     "looks at a text and keeps nothing",
	"POST /editor/complete":                  "looks at a text and keeps nothing",
	"POST /editor/findings":                  "looks at a text and keeps nothing",
	"POST /editor/backtest":                  "reads the past and changes nothing",
	"POST /editor/mail/preview":              "looks at a text and keeps nothing",
	"POST /automations/{name}/backtest":      "reads the past and changes nothing",
	"POST /automations/{name}/backtest/stop": "ends what only reads",
}

func TestEveryChangeIsRecorded(t *testing.T) {
	for _, route := range access.Routes() {
		need, _ := access.NeedOf(route)
		switch reads := strings.HasPrefix(route, "GET "); {
		case !reads && need.Audit == "" && quietRoutes[route] == "":
			t.Errorf("%s changes something and has no word for the audit log", route)
		case quietRoutes[route] != "" && need.Audit != "":
			t.Errorf("%s is recorded and excepted from it", route)
		}
		n := 0
		for _, set := range []bool{need.Open, need.Signed, need.Scope != "", need.Act != ""} {
			if set {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s asks %d things of who comes; one is clear", route, n)
		}
	}
	p := &program{now: time.Now}
	seen := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		name := strings.TrimPrefix(c.CommandPath(), "orderly ")
		if _, ok := audited[name]; c.Name() != "help" && c.Runnable() && (ok || len(c.Commands()) == 0) {
			seen[name] = true
			if !ok {
				t.Errorf("%q is not in the table of commands (audit.go): say how the audit log calls it, or that it only reads", name)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	for _, c := range p.commands() {
		root := &cobra.Command{Use: "orderly"}
		root.AddCommand(c)
		walk(c)
	}
	for name := range audited {
		if !seen[name] {
			t.Errorf("%q is in the table of commands and is none", name)
		}
	}
}

// TestAuditLog: whatever is done to the stored records is found, and named.
func TestAuditLog(t *testing.T) {
	r := runShop(t, t.TempDir())
	ctx := access.WithOrigin(t.Context(), access.Origin{Actor: "usr_1", Who: "kim@shop.example", From: "192.0.2.7"})
	for n := range 9 {
		if err := r.access.Record(ctx, access.Record{Action: "task.decide", Subject: fmt.Sprint("tsk_", n), Detail: "outcome=approve"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.access.Seal(ctx, r.sealOf); err != nil {
		t.Fatal(err)
	}
	exec := func(tx *store.Tx, sql string) {
		t.Helper()
		if _, err := tx.Exec(sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		"UPDATE audit SET who = 'eve'", "DELETE FROM audit", "UPDATE audit_chain SET hash = ''", "DELETE FROM audit_chain",
	} {
		err := r.db.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(sql); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	undo := fmt.Errorf("undo")
	at := func(seq int) string { return fmt.Sprintf("(SELECT id FROM audit_chain WHERE seq = %d)", seq) }
	for what, tamper := range map[string]func(tx *store.Tx){
		"at 4 of the chain (task.decide": func(tx *store.Tx) { exec(tx, "UPDATE audit SET detail = 'outcome=reject' WHERE id = "+at(4)) },
		"at 5 of the chain is missing":   func(tx *store.Tx) { exec(tx, "DELETE FROM audit WHERE id = "+at(5)) },
		"the link 3 of the chain is missing": func(tx *store.Tx) {
			exec(tx, "DELETE FROM audit_chain WHERE seq = 3")
		},
		"at 6 of the chain (": func(tx *store.Tx) { // two records change places
			exec(tx, "UPDATE audit_chain SET seq = -1 WHERE seq = 6")
			exec(tx, "UPDATE audit_chain SET seq = 6 WHERE seq = 7")
			exec(tx, "UPDATE audit_chain SET seq = 7 WHERE seq = -1")
		},
		"the newest records were removed": func(tx *store.Tx) {
			exec(tx, "DELETE FROM audit WHERE id = "+at(9))
			exec(tx, "DELETE FROM audit_chain WHERE seq = 9")
		},
		"neither is in the chain nor waits": func(tx *store.Tx) {
			exec(tx, "INSERT INTO audit (id, at, actor, who, action, subject, origin, result, detail) VALUES ('x', 1, '', '', '', '', '', 'ok', '')")
		},
		"does not bear this shop's seal": func(tx *store.Tx) {
			exec(tx, `UPDATE setting SET value = replace(value, '"mac":"', '"mac":"x') WHERE name = 'audit.head'`)
		},
	} {
		err := r.db.Update(ctx, func(tx *store.Tx) error {
			for _, trigger := range []string{"audit_kept", "audit_kept_whole", "audit_chain_kept", "audit_chain_kept_whole"} {
				exec(tx, "DROP TRIGGER "+trigger) // who owns the database can do this as well
			}
			tamper(tx)
			v, err := access.New(txStore{tx}, nil, nil).VerifyAudit(ctx, r.sealOf, access.Head{})
			if err != nil || v.OK || !strings.Contains(v.Broken, what) {
				t.Errorf("after tampering verify says %+v, %v, want %q", v, err, what)
			}
			return undo
		})
		if err != undo {
			t.Fatal(err)
		}
	}
	if v, err := r.access.VerifyAudit(ctx, r.sealOf, access.Head{}); err != nil || !v.OK || v.Sealed != 9 {
		t.Errorf("untouched: %+v, %v", v, err)
	}
}

// txStore is an open transaction as a store.
type txStore struct{ tx *store.Tx }

func (s txStore) View(_ context.Context, fn func(access.Tx) error) error   { return fn(s.tx) }
func (s txStore) Update(_ context.Context, fn func(access.Tx) error) error { return fn(s.tx) }

// TestForgedRequestsChangeNothing: another web site has a signed-in admin's browser send every form there is; each is refused
// before its page is asked.
func TestForgedRequestsChangeNothing(t *testing.T) {
	r := runShop(t, t.TempDir())
	if _, err := r.access.AddUser(t.Context(), access.NewUser{Email: "admin@shop.example", Password: testPassword, Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	send := func(method, path, cookie, site string) *httptest.ResponseRecorder {
		form := url.Values{"email": {"admin@shop.example"}, "password": {testPassword}, "confirm": {"yes"}}
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Cookie", cookie)
		req.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		r.server.Handler().ServeHTTP(w, req)
		return w
	}
	cookie, _, _ := strings.Cut(send("POST", "/signin", "", "same-origin").Header().Get("Set-Cookie"), ";")
	n := 0
	for _, route := range r.routes {
		method, path, _ := strings.Cut(route, " ")
		if need, _ := access.NeedOf(route); method == "GET" || need.Scope != "" || need.Signed {
			continue // reads, or does not look at cookies
		}
		path = regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "x")
		if w := send(method, path, cookie, "cross-site"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "another web site") {
			t.Errorf("%s answers a forged request with %d: %.100s", route, w.Code, w.Body)
		}
		n++
	}
	if n < 30 {
		t.Errorf("only %d routes were tried", n)
	}
	if w := send("GET", "/profile", cookie, "same-origin"); w.Code != http.StatusOK {
		t.Errorf("the admin was signed out: %d", w.Code)
	}
}

// TestHostileTextIsEscaped: markup that a buyer, a sender or a colleague writes is text on every page.
func TestHostileTextIsEscaped(t *testing.T) {
	r := runShop(t, t.TempDir())
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	if _, err := r.access.AddUser(t.Context(), access.NewUser{Email: "admin@shop.example", Name: evil, Password: testPassword, Role: access.Admin}); err != nil {
		t.Fatal(err)
	}
	do := func(method, path, cookie string, form url.Values) *httptest.ResponseRecorder {
		req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Cookie", cookie)
		req.Header.Set("User-Agent", evil)
		w := httptest.NewRecorder()
		r.server.Handler().ServeHTTP(w, req)
		return w
	}
	in := do("POST", "/signin", "", url.Values{"email": {"admin@shop.example"}, "password": {testPassword}})
	cookie, _, _ := strings.Cut(in.Header().Get("Set-Cookie"), ";")
	placed := &event.OrderPlaced{
		Channel: evil, Number: evil, PlacedAt: time.Now(), Currency: "EUR", Note: evil, Device: evil, Attributes: map[string]string{evil: evil},
		Lines:    []event.Line{{SKU: evil, Title: evil, Qty: 1, UnitPrice: money.New(100, "EUR")}},
		Customer: event.Buyer{Name: evil, Email: "buyer@example.com", Phone: evil},
		Shipping: event.Address{Name: evil, Line1: evil, City: evil, Region: evil, Postal: "69001", Country: "FR"}, Payment: event.Payment{Status: event.PaymentPaid},
	}
	evs := []event.Event{
		{Source: evil, Key: "1", Actor: evil, Data: placed},
		{Source: "test", Key: "2", Actor: evil, Data: &event.OrderHoldRequested{Order: event.OrderID(evil, evil), Reason: evil}},
		{Source: "test", Key: "3", Actor: "orderly", Data: &event.IncidentRaised{Subject: evil, Title: evil, Detail: evil}},
	}
	if _, err := r.engine.Submit(t.Context(), evs); err != nil {
		t.Fatal(err)
	}
	do("GET", "/audit?who="+url.QueryEscape(evil), cookie, nil)
	do("POST", "/orders/"+url.PathEscape(evil)+"/cancel", cookie, nil) // is recorded
	shown := 0
	for _, path := range []string{
		"/", "/orders", "/orders/" + event.OrderID(evil, evil), "/orders?q=" + url.QueryEscape(evil), "/review", "/stock", "/effects?tab=quarantine", "/settings", "/settings/people",
		"/profile", "/audit", "/audit?who=" + url.QueryEscape(evil), "/palette?q=" + url.QueryEscape(evil), "/" + url.PathEscape(evil), "/signin?back=" + url.QueryEscape("/"+evil),
	} {
		w := do("GET", path, cookie, nil)
		body := w.Body.String()
		if w.Code >= 500 {
			t.Errorf("%s answers %d", path, w.Code)
		}
		if strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s holds the markup as markup", path)
		}
		if strings.Contains(body, "alert(1)") {
			shown++
		}
	}
	if shown < 6 {
		t.Errorf("only %d pages show the text at all; the test looks at the wrong ones", shown)
	}
}
