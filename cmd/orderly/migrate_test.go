package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"orderly.example/orderly/internal/pgtest"
)

// command runs a command to its end and returns what it printed.
func command(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := Main(t.Context(), args, strings.NewReader(""), &out, &errs, nil); got != code {
		t.Fatalf("orderly %s ended with %d, want %d: %s%s", strings.Join(args, " "), got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// TestShopMovesToPostgreSQLAndBack: a shop with history, people, effects and secrets moves with everything
// it has, goes on there, and can come back.
func TestShopMovesToPostgreSQLAndBack(t *testing.T) {
	dir, pg := t.TempDir(), pgtest.URL(t)
	key := []string{"--key-file", filepath.Join(dir, "orderly.key"), "--data-dir", dir, "--log-level", "error"}
	with := func(db string, args ...string) []string { return append(append(args, "--db", db), key...) }
	lite := filepath.Join(dir, "orderly.db")
	s := start(t, dir, "demo", "--no-live")
	token := strings.TrimSpace(s.run("", "token", "create", "shop", "--scopes", "events:write,read"))
	moving := append([]string{"migrate", "--to", pg, "--json"}, key...)
	if _, errs := command(t, exitFailure, moving...); !strings.Contains(errs, "is open in another process") {
		t.Errorf("a shop that runs is moved: %s", errs)
	}
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, s.errs)
	}

	// What the shop says of itself, whatever it lives on.
	took := regexp.MustCompile(`"(took|seconds|elapsed|events_per_second|rate)[a-z_]*": [^\n]*\n`)
	says := func(db string) string {
		var b strings.Builder
		for _, args := range [][]string{
			{"user", "list"}, {"connection", "list"}, {"effects", "list"}, {"backtest", "hold-large-first-orders", "--json"},
		} {
			out, _ := command(t, exitOK, with(db, args...)...)
			b.WriteString(took.ReplaceAllString(out, ""))
		}
		return b.String()
	}
	before := says(lite)
	out, _ := command(t, exitOK, moving...)
	var fig movedFigures
	if err := json.Unmarshal([]byte(out), &fig); err != nil {
		t.Fatal(err)
	}
	rows := map[string]int64{}
	for _, m := range fig.Tables {
		rows[m.Name] = m.Rows
	}
	if !fig.Doctor.OK || rows["event"] < 1000 || rows["orders"] < 1000 || rows["effect"] == 0 || rows["users"] != 3 || rows["connection"] != 3 {
		t.Errorf("moved %+v, doctor %v", rows, fig.Doctor.OK)
	}
	if after := says(pg); after != before {
		t.Errorf("the shop says something else after the move:\n%s\nbefore:\n%s", after, before)
	}
	if _, errs := command(t, exitFailure, moving...); !strings.Contains(errs, "not empty") {
		t.Errorf("a second shop is moved over the first: %s", errs)
	}

	// It goes on, here behind a pooler: a token of before is known, the next order is decided.
	s = start(t, dir, "serve", "--db", pgtest.Pooler(t, pg), "--db-pooler", "true")
	const order = `{"source":"shop","id":"moved-1","type":"order.placed","data":{"channel":"web","number":"MOVED-1","currency":"EUR",
		"lines":[{"sku":"MUG-BLUE","qty":1,"unit_price":"9.50 EUR"}],"shipping":{"postal":"69001","country":"FR"},"payment":{"status":"paid"}}}`
	if code, body, _ := s.do("POST", "/v1/events", order, "Authorization", "Bearer "+token, "Content-Type", "application/json"); code != 200 || !strings.Contains(body, "decided") {
		t.Fatalf("the next order is answered %d %s", code, body)
	}
	back := []string{"migrate", "--from", pg, "--to", "sqlite://" + filepath.Join(dir, "back.db")}
	if _, errs := command(t, exitFailure, append(back, key...)...); !strings.Contains(errs, "a node works on the database") {
		t.Errorf("a shop that runs is moved: %s", errs)
	}
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, s.errs)
	}
	out, _ = command(t, exitOK, append(back, key...)...)
	if !strings.Contains(out, "laws hold") || !strings.Contains(out, "both databases have the same") {
		t.Errorf("the way back: %s", out)
	}
	here, _ := command(t, exitOK, with(pg, "why", "MOVED-1")...)
	there, _ := command(t, exitOK, with(filepath.Join(dir, "back.db"), "why", "MOVED-1")...)
	if here != there || !strings.Contains(here, "MOVED-1") {
		t.Errorf("the order's story: %s\non PostgreSQL: %s", there, here)
	}
}
