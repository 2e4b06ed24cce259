package backtest_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect/csvfile"
	"orderly.example/orderly/internal/event"
)

var update = flag.Bool("update", false, "write what was measured into docs/backtest.md")

// sink hands an import to the shop's engine.
type sink struct{ s *shop }

func (k sink) Submit(ctx context.Context, evs []event.Event) ([]csvfile.Result, error) {
	out, err := k.s.eng.Submit(ctx, evs)
	res := make([]csvfile.Result, len(out))
	for i, o := range out {
		res[i] = csvfile.Result{Status: string(o.Status), Reason: o.Reason}
	}
	return res, err
}

func (sink) PutProducts(context.Context, []catalog.Product, bool) (int, error) { return 0, nil }
func (sink) PutLocations(context.Context, []catalog.Location) (int, error)     { return 0, nil }

// TestFraudRules imports both sets by their mappings, tries the rules on them, and holds
// the table of the documentation to what comes out.
func TestFraudRules(t *testing.T) {
	if testing.Short() {
		t.Skip("imports 45,000 orders")
	}
	dir := os.Getenv("ORDERLY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "fraud")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs the real data (set ORDERLY_DATA)")
		}
		t.Skipf("no real data at %s (set ORDERLY_DATA)", dir)
	}
	var doc strings.Builder
	for _, set := range []struct {
		file, mapping, rules string
		orders               int64
		bad, test            int64 // of the last 30 %, counted otherwise
		train                string
		// counted from the file by other means: what one rule flags before the split, and finds
		rule           string
		flagged, found int64
	}{
		{"fraud_data_dev.csv.gz", "purchases.yaml", "purchases-", 31_082, 412, 9_325, "2015-08-04T22:16:00Z", "purchases-at-sign-up", 1_642, 1_642},
		{"ecommerce_fraud_addresses_dev.csv.gz", "addresses.yaml", "orders-", 14_205, 221, 4_262, "2024-03-09T03:16:11Z", "orders-new-account", 1_034, 256},
	} {
		s := newShop(t)
		s.now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		m, err := csvfile.LoadMapping(filepath.Join("..", "..", "examples", "fraud", set.mapping), csvfile.Orders)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := csvfile.Import(t.Context(), csvfile.Options{
			Path: filepath.Join(dir, "fraud", set.file), Kind: csvfile.Orders, Mapping: m, As: event.History, Sink: sink{s},
			Rejects: filepath.Join(t.TempDir(), "rejects.csv"), Now: func() time.Time { return s.now },
		})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Accepted != set.orders || rep.Rejected != 0 {
			t.Errorf("%s: %d rows accepted, %d rejected", set.file, rep.Accepted, rep.Rejected)
		}
		files, err := filepath.Glob(filepath.Join("..", "..", "examples", "fraud", "automations", set.rules+"*.yaml"))
		if err != nil || len(files) < 5 {
			t.Fatal(files, err)
		}
		var as []*automation.Automation
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			as = append(as, parse(t, string(text)))
		}
		o := s.options(as...)
		if o.TrainUntil, err = time.Parse(time.RFC3339, set.train); err != nil {
			t.Fatal(err)
		}
		r, err := backtest.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Orders != set.orders || r.Together.Risk.Bad != set.bad || r.Together.Risk.Orders != set.test {
			t.Errorf("%s: %d orders, in the last part %d with %d bad", set.file, r.Orders, r.Together.Risk.Orders, r.Together.Risk.Bad)
		}
		for _, a := range r.Automations {
			if a.Name == set.rule && (a.Train.Flagged != set.flagged || a.Train.Hit != set.found) {
				t.Errorf("%s flags %d before the split and finds %d; the file has %d and %d", a.Name, a.Train.Flagged, a.Train.Hit, set.flagged, set.found)
			}
		}
		table(&doc, set.file, r)
	}
	page := filepath.Join("..", "..", "docs", "backtest.md")
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(have), "<!-- measured -->\n")
	_, after, ok := strings.Cut(rest, "<!-- /measured -->")
	if !ok {
		t.Fatal("docs/backtest.md has lost its marks")
	}
	want := before + "<!-- measured -->\n" + doc.String() + "<!-- /measured -->" + after
	switch {
	case *update:
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	case want != string(have):
		t.Errorf("the table of docs/backtest.md is not what was measured; run go test ./internal/backtest -run TestFraudRules -update:\n%s", doc.String())
	}
}

// table writes what was measured as Markdown.
func table(b *strings.Builder, file string, r *backtest.Report) {
	fmt.Fprintf(b, "\n`%s`: %d orders, of which the last %d are scored; %d of those are fraud.\n\n", file, r.Orders, r.Together.Risk.Orders, r.Together.Risk.Bad)
	b.WriteString("| rule | flagged, first 70 % | precision | recall | flagged, last 30 % | precision | recall |\n|---|---:|---:|---:|---:|---:|---:|\n")
	row := func(name string, train, test *backtest.Score) {
		first := "| | | "
		if train != nil {
			first = fmt.Sprintf("| %d | %.1f %% | %.1f %% ", train.Flagged, 100*train.Precision, 100*train.Recall)
		}
		fmt.Fprintf(b, "| %s %s| %d | %.1f %% | %.1f %% |\n", name, first, test.Flagged, 100*test.Precision, 100*test.Recall)
	}
	for _, a := range r.Automations {
		row(a.Name, a.Train, a.Risk)
	}
	row("all together", nil, r.Together.Risk)
	for _, k := range r.Together.Ranked {
		fmt.Fprintf(b, "| reviewing %g %% (%d orders) | | | | %d | %.1f %% | %.1f %% |\n", 100*k.Share, k.Capacity, k.Reviewed, 100*k.Precision, 100*k.Recall)
	}
	b.WriteByte('\n')
}
