package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/backtest"
)

const heldText = `automation: hold-mugs
owner: risk@shop.example
why: Mugs are looked at.
on: order.placed
when: order.lines.exists(l, l.sku == "MUG" && l.qty >= 2)
do:
  - hold: { queue: risk, reason: "two mugs" }
`

// TestBacktest tries an automation from the terminal and from its page: a file that was
// never active, then the automation of the policy, in the background, with a result that stays.
func TestBacktest(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "serve")
	link := s.out.wait(t, `(/setup\?token=[0-9a-z]+)`)
	token, _ := strings.CutPrefix(link, "/setup?token=")
	if code, body, _ := s.form("/setup", url.Values{"token": {token}, "email": {"kim@shop.example"}, "name": {"Kim"}, "password": {"glass tiger walks nine"}}); code != 303 {
		t.Fatalf("set-up: %d %s", code, body)
	}
	auth := []string{"Authorization", "Bearer " + s.run("", "token", "create", "web", "--scopes", "events:write,read"), "Content-Type", "application/json"}
	for _, n := range []string{"1", "2", "3"} {
		if code, body, _ := s.do("POST", "/v1/events", order(n), auth...); code != 200 {
			t.Fatalf("event: %d %s", code, body)
		}
	}
	dispute := `{"id":"d-2","type":"payment.disputed","data":{"channel":"web","number":"2","reason":"fraud","amount":"19.00 EUR"}}`
	if code, body, _ := s.do("POST", "/v1/events", dispute, auth...); code != 200 || !strings.Contains(body, "decided") {
		t.Fatalf("dispute: %d %s", code, body)
	}
	policy := filepath.Join(dir, "policy")
	if err := os.MkdirAll(filepath.Join(policy, "automations"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(policy, "automations", "hold-mugs.yaml")
	if err := os.WriteFile(file, []byte(heldText), 0o600); err != nil {
		t.Fatal(err)
	}
	var rep backtest.Report
	if err := json.Unmarshal([]byte(s.run("", "backtest", file, "--json")), &rep); err != nil {
		t.Fatal(err)
	}
	a := rep.Automations[0]
	if a.Considered != 3 || a.Fired != 3 || a.WouldHold != 3 || a.HeldThen != 0 || a.New != 3 || len(a.Samples) != 3 || a.Risk == nil || a.Risk.Hit != 1 || a.Risk.Bad != 1 {
		t.Errorf("%+v %+v", a, a.Risk)
	}
	if text := s.run("", "backtest", file); !strings.Contains(text, "would hold 3 orders: 3 newly worth 57.00 EUR, 0 held then all the same") {
		t.Error(text)
	}
	// What refunds come to: five euros an order, and never more than was paid.
	for text, want := range map[string]string{`{ reason: late, amount: "5 EUR" }`: "15.00 EUR", `{ reason: late, amount: "50 EUR" }`: "57.00 EUR", "{ reason: late }": "57.00 EUR"} {
		back := filepath.Join(dir, "refund-mugs.yaml")
		if err := os.WriteFile(back, []byte("automation: refund-mugs\nowner: ops@shop.example\nwhy: A sample.\non: order.placed\ndo: [ { refund: "+text+" } ]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := s.run("", "backtest", back); !strings.Contains(out, "would give back at most "+want) || !strings.Contains(out, "3 tasks, 3.0 a day") {
			t.Errorf("%s: %s", text, out)
		}
	}
	if code, _, _ := s.do("GET", "/automations/hold-mugs/backtest", ""); code != 404 {
		t.Errorf("the page of an automation that is not in the policy: %d", code)
	}

	s.run("", "apply", policy)
	page := "/automations/hold-mugs/backtest"
	if _, body, _ := s.do("GET", "/automations/hold-mugs", ""); !strings.Contains(body, `href="`+page+`"`) {
		t.Error("the automation's page has no link to its backtest")
	}
	if code, body, _ := s.do("GET", page, ""); code != 200 || !strings.Contains(body, "Not tried yet") {
		t.Errorf("empty page: %d", code)
	}
	if code, body, _ := s.form(page, url.Values{"since": {"last week"}}); code != 422 || !strings.Contains(body, "Write a date like") {
		t.Errorf("a wrong date: %d", code)
	}
	if code, body, _ := s.form(page, url.Values{"capacity": {"2"}}); code != 303 {
		t.Fatalf("start: %d %s", code, body)
	}
	body := ""
	// The result is stored a moment before the run counts as over, and only then does the form come back.
	done := func() bool {
		return strings.Contains(body, "Orders that would end otherwise") && strings.Contains(body, "Run the backtest")
	}
	for end := time.Now().Add(20 * time.Second); !done() && time.Now().Before(end); {
		_, body, _ = s.do("GET", page, "")
	}
	for _, want := range []string{"Would be held", "more than 2 on 1 of 1 days", "web 2", "Fraud", "(precision ", `href="/orders/ord_`, `value="2"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the result does not say %q", want)
		}
	}
	if rows := strings.Count(body, `<tr data-href="/orders/`); rows != 3 || strings.Contains(body, "Others that it fires for") {
		t.Errorf("three orders stand there in %d rows", rows)
	}
	if c := s.stop(); c != 0 {
		t.Errorf("exit %d", c)
	}
	if rep := s.run("", "backtest", "hold-mugs", "--json"); !strings.Contains(rep, `"considered": 3`) {
		t.Error(rep)
	}
}
