package main

import (
	"strings"
	"testing"
	"time"
)

// TestDemoLinkSignsIn: one line is enough to look around, and a folder that is kept goes on.
func TestDemoLinkSignsIn(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "demo", "--no-live")
	link := s.out.wait(t, `Open      http://[^/\s]+(/demo/\S+)`)
	if code, _, _ := s.do("GET", "/", ""); code != 303 {
		t.Errorf("a stranger is answered %d", code)
	}
	if code, _, _ := s.do("GET", "/demo/guess", ""); code == 200 {
		t.Error("a guessed link opens")
	}
	if code, _, _ := s.do("GET", link, ""); code != 303 {
		t.Fatalf("the link is answered %d", code)
	}
	for _, state := range []string{"held", "unfillable", "backordered", "awaiting_payment", "cancelled", "completed"} {
		code, body, _ := s.do("GET", "/orders?state="+state, "")
		if code != 200 || !strings.Contains(body, "/orders/ord_") {
			t.Errorf("no order is %s (%d)", state, code)
		}
	}
	// What the sample shop's reviewers decided is learnt from, with the orders that speak against it.
	if code, body, _ := s.do("GET", "/suggestions", ""); code != 200 || strings.Count(body, " data-suggestion ") < 2 || !strings.Contains(body, "2 people") || !strings.Contains(body, `href="/orders/ord_`) {
		t.Errorf("the suggestions (%d) are %s", code, body)
	}
	// Every page about automations has something to show: runs that wait and that ended, a share, differences, a witness.
	for path, want := range map[string][]string{
		"/automations":                      {`href="/suggestions"`, "Example: "},
		"/automations/await-transfer/runs":  {"Waiting", "an order is paid", ">ended"},
		"/automations/pack-with-care":       {"not in its share", "did: tag pack-with-care"},
		"/automations/trust-shared-devices": {"it is in shadow; it would have done: release"},
	} {
		for _, w := range want {
			code, body := 0, ""
			for end := time.Now().Add(10 * time.Second); !strings.Contains(body, w) && time.Now().Before(end); <-time.After(50 * time.Millisecond) {
				code, body, _ = s.do("GET", path, "") // a run goes on soon after the event that it waits for
			}
			if code != 200 || !strings.Contains(body, w) {
				t.Errorf("%s (%d) does not say %q", path, code, w)
			}
		}
	}
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, s.errs)
	}
	s = start(t, dir, "demo", "--no-live")
	s.do("GET", s.out.wait(t, `Open      http://[^/\s]+(/demo/\S+)`), "")
	if code, body, _ := s.do("GET", "/orders?state=unfillable", ""); code != 200 || !strings.Contains(body, "/orders/ord_") {
		t.Errorf("the second start has no unfillable order (%d)", code)
	}
	if code := s.stop(); code != exitOK {
		t.Errorf("exit %d: %s", code, s.errs)
	}
	if out := s.run("", "suggest"); !strings.Contains(out, "135 decisions of reviewers") || !strings.Contains(out, "- release: {}") || !strings.Contains(out, "customer.email_disposable") {
		t.Errorf("suggest: %s", out)
	}
	if out := s.run("", "doctor"); !strings.Contains(out, "laws hold") {
		t.Errorf("doctor: %s", out)
	}
}
