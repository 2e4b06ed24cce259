package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSuggest imports purchases with their outcome by a mapping of examples/fraud, and asks for rules: from
// the disputes that the mapping made of the labels, from the same labels in a file, and from reviewers, of whom there are none.
func TestSuggest(t *testing.T) {
	dir := t.TempDir()
	run := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := Main(t.Context(), append(args, "--data-dir", dir), strings.NewReader(""), &out, &errs, nil); got != code {
			t.Fatalf("%v ends with %d: %s%s", args, got, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	var purchases, labels strings.Builder
	purchases.WriteString("user_id,signup_time,purchase_time,purchase_value,device_id,source,browser,sex,age,ip_address,class\n")
	labels.WriteString("order,bad\n")
	at := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	for i := range 300 { // dear purchases are fraud, and the others now and then
		value, bad := 10+i*7%60, 0
		if i%6 == 1 {
			value, bad = 120+i%40, 1
		}
		if i%50 == 2 {
			bad = 1
		}
		fmt.Fprintf(&purchases, "%d,2025-06-01 10:00:00,%s,%d,DEVICE%d,%s,Browser,M,30,%d,%d\n",
			i, at.Add(time.Duration(i)*time.Hour).Format(time.DateTime), value, i, []string{"Ads", "Direct"}[i%2], 3221225985+i%200, bad)
		fmt.Fprintf(&labels, "%d,%d\n", i, bad)
	}
	file, labelFile := filepath.Join(dir, "purchases.csv"), filepath.Join(dir, "labels.csv")
	for name, text := range map[string]string{file: purchases.String(), labelFile: labels.String()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(0, "import", "orders", file, "--mapping", filepath.Join("..", "..", "examples", "fraud", "purchases.yaml"))

	type report struct {
		Decisions   int
		Suggestions []struct {
			When, Step, Text string
			All              struct{ Cases, Agreed int }
		}
		Later *struct {
			Orders, Bad int
			Precision   float64
		}
	}
	found := map[string]report{}
	for source, args := range map[string][]string{"disputes": {"--disputes"}, "labels": {"--labels", labelFile}} {
		var r report
		if err := json.Unmarshal([]byte(run(0, append([]string{"suggest", "--json"}, args...)...)), &r); err != nil {
			t.Fatal(err)
		}
		if r.Decisions != 300 || len(r.Suggestions) == 0 || r.Later == nil || r.Later.Orders != 90 || r.Later.Precision < 0.9 {
			t.Fatalf("from %s: %+v", source, r)
		}
		s := r.Suggestions[0]
		if s.Step != "hold" || s.All.Cases != s.All.Agreed || !strings.Contains(s.When, "money(") || !strings.Contains(s.Text, "mode: draft") {
			t.Errorf("from %s: %+v", source, s)
		}
		found[source] = r
	}
	if a, b := fmt.Sprint(found["disputes"].Suggestions), fmt.Sprint(found["labels"].Suggestions); a != b {
		t.Errorf("the disputes say\n%s\nthe same labels say\n%s", a, b)
	}
	for _, want := range []string{"300 labelled orders among 300 orders", "a review capacity of 2 %", "- hold: { queue: risk"} {
		if out := run(0, "suggest", "--disputes"); !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if out := run(0, "suggest"); !strings.Contains(out, "0 decisions of reviewers among 300 orders") || !strings.Contains(out, "Too few to look for patterns: 30 more decisions") {
		t.Error(out)
	}
	if out := run(2, "suggest", "--disputes", "--labels", labelFile); !strings.Contains(out, "--disputes and --labels name two sources") {
		t.Error(out)
	}
	if out := run(2, "suggest", "--since", "yesterday"); !strings.Contains(out, "--since takes a date") {
		t.Error(out)
	}
}
