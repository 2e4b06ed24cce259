package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestArchiveKeepsReasonsAndBacktests: after a shop's events were archived, a backtest and the reasons of an order
// are what they were, as long as the files are there; without them both say what is missing.
func TestArchiveKeepsReasonsAndBacktests(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "demo", "--no-live")
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit %d: %s", code, s.errs)
	}
	flags := []string{"--data-dir", dir, "--log-level", "error"}
	run := func(code int, args ...string) string {
		out, errs := command(t, code, append(args, flags...)...)
		return out + errs
	}
	backtest := []string{"backtest", "hold-large-first-orders", "--json"}
	took := regexp.MustCompile(`"(took|seconds|elapsed|events_per_second|rate)[a-z_]*": [^\n]*\n`)
	held := regexp.MustCompile(`"number": "([^"]+)"`)
	before := took.ReplaceAllString(run(exitOK, backtest...), "")
	number := held.FindStringSubmatch(before)
	if number == nil {
		t.Fatalf("the backtest names no order: %s", before)
	}
	reasons := run(exitOK, "why", number[1], "hold-large-first-orders")

	if out := run(exitFailure, "archive", "--before", time.Now().Format(time.DateOnly)); !strings.Contains(out, "a month ago") {
		t.Errorf("what is new is archived: %s", out)
	}
	clockIsAhead = "2400h"
	out := run(exitOK, "archive", "--before", time.Now().AddDate(0, 2, 0).Format(time.DateOnly))
	clockIsAhead = ""
	if !strings.Contains(out, "events") || !strings.Contains(out, "checked") {
		t.Errorf("archive: %s", out)
	}
	if after := took.ReplaceAllString(run(exitOK, backtest...), ""); after != before {
		t.Errorf("the backtest says\n%s\nand before\n%s", after, before)
	}
	if after := run(exitOK, "why", number[1], "hold-large-first-orders"); after != reasons {
		t.Errorf("why says\n%s\nand before\n%s", after, reasons)
	}
	if out := run(exitOK, "doctor"); !strings.Contains(out, "laws hold") {
		t.Errorf("doctor: %s", out)
	}
	if err := os.Rename(filepath.Join(dir, "archive"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if out := run(exitFailure, backtest...); !strings.Contains(out, "--archive-dir") {
		t.Errorf("a backtest without the files: %s", out)
	}
	run(exitOK, append(backtest, "--archive-dir", filepath.Join(dir, "moved"))...)
}
