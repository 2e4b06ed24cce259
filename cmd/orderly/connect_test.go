package main

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
)

// TestConnectionsInTheConsole makes, tests, rotates and deletes connections by the console's
// forms: by the code of "orderly connection", and with no secret ever shown again.
func TestConnectionsInTheConsole(t *testing.T) {
	s := start(t, t.TempDir(), "serve")
	token, _ := strings.CutPrefix(s.out.wait(t, `(/setup\?token=[0-9a-z]+)`), "/setup?token=")
	if code, body, _ := s.form("/setup", url.Values{"token": {token}, "email": {"kim@shop.example"}, "name": {"Kim"}, "password": {"glass tiger walks nine"}}); code != 303 {
		t.Fatalf("set-up: %d %s", code, body)
	}
	post := func(path string, want int, contains string, form url.Values) string {
		t.Helper()
		code, body, _ := s.form("/settings/connections/"+path, form)
		if code != want || !strings.Contains(body, contains) {
			t.Fatalf("%s answers %d without %q: %s", path, code, contains, regexp.MustCompile(`(?s)<main.*</main>`).FindString(body))
		}
		return body
	}

	// A webhook: its secret is shown once, and what it signs is accepted by who has the secret.
	rcv, err := fake.StartReceiver(t.Context(), fake.ReceiverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rcv.Close() }()
	hidden := rcv.URL() + "?key=hidden-in-the-url"
	form := url.Values{"kind": {"webhook"}, "name": {"wms"}, "url": {hidden}, "secret": {rcv.Secret().Reveal()}}
	post("new", 422, "https", form) // neither plain http nor this machine, unless somebody says so
	form.Set("allow_private", "yes")
	post("new", 303, "", form)
	rcv.Fail(fake.HookFault{Status: 503})
	post("wms/test", 200, "It did not work", nil)
	post("wms/test", 200, "It works", nil)
	if n := rcv.Count(); n != 1 {
		t.Errorf("%d test documents arrived", n)
	}
	post("new", 422, "of this name already", form)
	made := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(post("wms/rotate", 200, "whsec_", nil))
	post("wms/rotate", 409, "finish that first", nil)
	_, page, _ := s.do("GET", "/settings/connections/wms", "")
	for _, secret := range []string{made, rcv.Secret().Reveal(), "hidden-in-the-url"} {
		if strings.Contains(page, secret) {
			t.Errorf("the page shows the secret %s again", secret)
		}
	}
	if !strings.Contains(page, "Two secrets are good") {
		t.Error("the page does not say that two secrets are good")
	}
	post("wms/finish", 303, "", nil)
	post("wms/finish", 409, "nothing to finish", nil)

	// A mail server.
	mails, err := fake.StartSMTP(t.Context(), fake.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mails.Close() }()
	host, port, _ := strings.Cut(mails.Addr(), ":")
	smtp := url.Values{"kind": {"smtp"}, "name": {"mail"}, "host": {host}, "port": {port}, "tls": {"none"}, "from": {"Shop <orders@shop.example>"}}
	post("new", 303, "", smtp)
	post("mail/test", 200, "It works", nil)
	if ms := mails.Messages(); len(ms) != 1 || strings.Join(ms[0].To, ",") != "kim@shop.example" {
		t.Errorf("the test mail: %+v", ms)
	}
	// Every way of telling is tried at once, and says how it went.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte("ops_owner: ops@shop.example\nmail: mail\nalert: [wms, gone]\nescalate: { after: 45m, to: [lead@shop.example] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("", "apply", dir)
	key := s.run("", "token", "create", "web", "--scopes", "events:write") // the next event is decided by the new settings
	if code, body, _ := s.do("POST", "/v1/events", order("1001"), "Authorization", "Bearer "+key, "Content-Type", "application/json"); code != 200 {
		t.Fatal(code, body)
	}
	until := time.Now().Add(10 * time.Second)
	for _, page, _ := s.do("GET", "/settings/alerts", ""); !strings.Contains(page, "lead@shop.example, each after 45 minutes"); _, page, _ = s.do("GET", "/settings/alerts", "") {
		if time.Now().After(until) {
			t.Fatal(page)
		}
	}
	code, tried, _ := s.form("/settings/alerts/test", nil)
	if n := strings.Count(tried, "Arrived"); code != 200 || n != 1 || !strings.Contains(tried, "no connection named") || !strings.Contains(tried, "alert: [wms, gone]") {
		t.Errorf("%d, %d arrived: %s", code, n, regexp.MustCompile(`(?s)<main.*</main>`).FindString(tried))
	}
	smtp.Set("port", "many")
	post("mail", 422, "A port is a number", smtp)
	smtp.Set("port", port)
	smtp.Set("user", "shop")
	post("mail", 422, "A user needs a password", smtp)

	// A door for another system, usable at once.
	inbound := url.Values{"kind": {"inbound"}, "name": {"counts"}, "event_type": {"stock.guessed"}}
	post("new", 422, "nknown event type", inbound)
	inbound.Set("event_type", "")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(post("new", 200, "shown this once", inbound))
	post("counts", 422, "a whole number, and hour, day, week or month", url.Values{"expect": {"often"}})
	post("counts", 303, "", url.Values{"expect": {"2 per week"}})
	if _, page, _ := s.do("GET", "/settings/connections/counts", ""); !strings.Contains(page, `value="2 per week"`) || !strings.Contains(s.run("", "connection", "list"), "at least 2 per week") {
		t.Errorf("what it delivers at least is not kept: %s", page)
	}
	if code := deliverAs(t, s, "counts", connect.Secret(secret), order("7001")); code != 200 {
		t.Errorf("a delivery by the new door: %d", code)
	}

	// What is refused changes nothing; what is unknown is not found.
	post("new", 422, "is none of", url.Values{"kind": {"inbound"}, "name": {"console"}})
	post("new", 422, "inbound, webhook, smtp, chat, on-call or heartbeat", url.Values{"kind": {"pigeon"}, "name": {"x"}})
	post("nowhere/test", 404, "", nil)
	post("counts/explode", 404, "", nil)
	post("wms/delete", 303, "", nil)
	if out := s.run("", "connection", "list"); strings.Contains(out, "wms") || !strings.Contains(out, "counts") || !strings.Contains(out, "mail") {
		t.Errorf("the terminal lists %s", out)
	}
	for _, x := range []string{made, secret, "hidden-in-the-url"} {
		if strings.Contains(s.errs.String(), x) {
			t.Error("a secret is in the log")
		}
	}
}

// deliverAs sends a signed document to a door and returns the answer's code.
func deliverAs(t *testing.T, s *served, door string, secret connect.Secret, doc string) int {
	t.Helper()
	signer, err := hook.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	ts, sig := signer.Sign("msg_"+door, time.Now(), []byte(doc))
	code, _, _ := s.do("POST", "/hooks/"+door, doc, "webhook-id", "msg_"+door, "webhook-timestamp", ts, "webhook-signature", sig, "Content-Type", "application/json")
	return code
}

// What is decided before its connection is made waits, and leaves when it is.
func TestEffectsWaitForTheirConnection(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "serve")
	token, _ := strings.CutPrefix(s.out.wait(t, `(/setup\?token=[0-9a-z]+)`), "/setup?token=")
	if code, body, _ := s.form("/setup", url.Values{"token": {token}, "email": {"kim@shop.example"}, "name": {"Kim"}, "password": {"glass tiger walks nine"}}); code != 303 {
		t.Fatalf("set-up: %d %s", code, body)
	}
	s.run("", "apply", filepath.Join("..", "..", "examples", "shop"))
	key := s.run("", "token", "create", "web", "--scopes", "events:write")
	if code, body, _ := s.do("POST", "/v1/events", order("1001"), "Authorization", "Bearer "+key, "Content-Type", "application/json"); code != 200 {
		t.Fatal(code, body)
	}
	shows := func(path, want string) {
		t.Helper()
		until := time.Now().Add(20 * time.Second)
		for {
			_, page, _ := s.do("GET", path, "")
			if strings.Contains(page, want) {
				return
			}
			if time.Now().After(until) {
				t.Fatalf("%s does not show %q: %s", path, want, regexp.MustCompile(`(?s)<main.*</main>`).FindString(page))
			}
		}
	}
	shows("/effects?tab=waiting", "there is no smtp connection named")
	if _, page, _ := s.do("GET", "/effects", ""); strings.Contains(page, "gave up") {
		t.Error("an effect without a connection is a dead letter at once")
	}
	mails, err := fake.StartSMTP(t.Context(), fake.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mails.Close() }()
	host, port, _ := strings.Cut(mails.Addr(), ":")
	if code, body, _ := s.form("/settings/connections/new", url.Values{"kind": {"smtp"}, "name": {"mail"}, "host": {host}, "port": {port}, "tls": {"none"}, "from": {"Shop <orders@shop.example>"}}); code != 303 {
		t.Fatal(code, body)
	}
	until := time.Now().Add(12 * time.Second) // the next attempt would come 15 s after the first at the latest, and the first is over
	for len(mails.Messages()) == 0 {
		if time.Now().After(until) {
			t.Fatal("the mail did not leave when its connection was made")
		}
		runtime.Gosched()
	}
}
