package ui

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
)

var tokenRE = regexp.MustCompile(`--([a-z0-9-]+):\s*(?:light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)|(#[0-9a-f]{6}));`)

// tokens reads the colours of the token sheet: light and dark.
func tokens(t *testing.T) map[string][2]string {
	t.Helper()
	b, err := files.ReadFile("assets/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][2]string{}
	for _, m := range tokenRE.FindAllStringSubmatch(string(b), -1) {
		if m[4] != "" {
			out[m[1]] = [2]string{m[4], m[4]}
		} else {
			out[m[1]] = [2]string{m[2], m[3]}
		}
	}
	return out
}

// luminance is WCAG 2's relative luminance of #rrggbb.
func luminance(hex string) float64 {
	var sum float64
	for i, w := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += w * c
	}
	return sum
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// TestContrast holds every pair of text and ground that the components use to WCAG AA, in both themes.
func TestContrast(t *testing.T) {
	tok := tokens(t)
	type pair struct {
		ink, ground string
		least       float64
	}
	var pairs []pair
	for _, ink := range []string{"ink", "ink-2", "ink-3", "accent", "accent-strong"} {
		for _, g := range []string{"page", "surface", "raised", "sunken", "hover", "selected"} {
			pairs = append(pairs, pair{ink, g, 4.5})
		}
	}
	for _, m := range []Meaning{Neutral, Attention, Danger, Done, Held} {
		pairs = append(pairs, pair{string(m) + "-ink", string(m) + "-wash", 4.5}, pair{string(m) + "-ink", "surface", 4.5},
			pair{"ink", string(m) + "-wash", 4.5}, pair{"accent", string(m) + "-wash", 4.5})
	}
	pairs = append(pairs, pair{"on-accent", "accent-fill", 4.5}, pair{"on-accent", "accent-fill-hover", 4.5}, pair{"on-accent", "danger-fill", 4.5},
		pair{"focus", "page", 3}, pair{"focus", "surface", 3})
	for _, p := range pairs {
		ink, ok1 := tok[p.ink]
		ground, ok2 := tok[p.ground]
		if !ok1 || !ok2 {
			t.Errorf("no token %s or %s", p.ink, p.ground)
			continue
		}
		for i, theme := range []string{"light", "dark"} {
			if c := contrast(ink[i], ground[i]); c < p.least {
				t.Errorf("%s: %s %s on %s %s has a contrast of %.2f, needed are %.1f", theme, p.ink, ink[i], p.ground, ground[i], c, p.least)
			}
		}
	}
}

// TestColoursHaveNames holds that no colour stands outside the token sheet.
func TestColoursHaveNames(t *testing.T) {
	re := regexp.MustCompile(`(?i)#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(`)
	for _, n := range []string{"base.css", "parts.css", "story.css"} {
		b, err := files.ReadFile("assets/" + n)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := re.FindString(line); m != "" {
				t.Errorf("%s:%d uses %s; name it in tokens.css", n, i+1, m)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	h := Assets()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, n := range []string{"tokens.css", "base.css", "parts.css", "story.css", "app.js", "keys.js", "work.js", "htmx.min.js", "icon.svg", "inter-latin.woff2", "LICENSES.txt"} {
		w := get(Asset(n))
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d, %v", n, w.Code, w.Header())
		}
	}
	for _, p := range []string{"/assets/000000000000/app.js", AssetPrefix, Asset(""), Asset("../ui.go"), Asset("nothing.js")} {
		if w := get(p); w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s is answered %d, %v", p, w.Code, w.Header())
		}
	}
}

// TestGeneratedCode makes the code of all templates anew and compares.
func TestGeneratedCode(t *testing.T) {
	if testing.Short() {
		t.Skip("building the generator takes a while")
	}
	mods, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(strings.TrimSpace(string(mods)), "github.com", "a-h", "templ@v0.3.977", "cmd", "templ")
	if _, err := os.Stat(tool); err != nil {
		t.Skip("the templ generator is not in the module cache")
	}
	dir := t.TempDir()
	var names []string
	for _, from := range []string{".", ".."} {
		fs, _ := filepath.Glob(filepath.Join(from, "*.templ"))
		for _, f := range fs {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(dir, "internal", "console", map[string]string{".": "ui", "..": ""}[from], filepath.Base(f))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, b, 0o644); err != nil {
				t.Fatal(err)
			}
			names = append(names, f)
		}
	}
	// The generator writes paths into the code, relative to the nearest go.mod's tree it is run in.
	for _, sub := range []string{"internal/console/ui", "internal/console"} {
		cmd := exec.CommandContext(t.Context(), "go", "run", "github.com/a-h/templ/cmd/templ@v0.3.977", "generate", "-path", filepath.Join(dir, sub))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("the generator does not run here: %v\n%s", err, out)
		}
	}
	for _, f := range names {
		gen := strings.TrimSuffix(f, ".templ") + "_templ.go"
		have, err := os.ReadFile(gen)
		if err != nil {
			t.Errorf("%s is missing: run templ generate", gen)
			continue
		}
		want, err := os.ReadFile(filepath.Join(dir, "internal", "console", map[bool]string{true: "", false: "ui"}[strings.HasPrefix(f, "..")], filepath.Base(gen)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(plainPaths(have), plainPaths(want)) {
			t.Errorf("%s is not what %s makes: run templ generate", gen, f)
		}
	}
}

var pathRE = regexp.MustCompile("FileName: `[^`]*`")

// plainPaths drops the file name in error positions: it depends on where the generator ran.
func plainPaths(b []byte) []byte { return pathRE.ReplaceAll(b, []byte("FileName: ``")) }

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Number(0): "0", Number(999): "999", Number(1234567): "1\u202f234\u202f567", Number(-1000): "−1\u202f000",
		Amount(money.New(123456, "EUR")): "1\u202f234.56", Amount(money.New(-5, "EUR")): "−0.05", Amount(money.New(1500, "JPY")): "1\u202f500",
		Span(59 * time.Second): "59 s", Span(90 * time.Minute): "1 h", Span(49 * time.Hour): "2 d", Span(1000 * 24 * time.Hour): "2 y",
		Plural(1, "order", "orders"): "1 order", Plural(0, "order", "orders"): "0 orders", Signed(0): "–", Signed(3): "+3",
		ShortID("ord_abcdefghijklmnop"): "ord_abcd…mnop", ShortID("short"): "short", Initials("Sample Customer 12"): "SC", Initials(""): "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	if s := Age(now, now.Add(-5*time.Minute)); s != "5 min ago" {
		t.Error(s)
	}
	if s := Age(now, now.Add(2*time.Hour)); s != "in 2 h" {
		t.Error(s)
	}
}

// TestZone holds that times are shown in the shop's zone, whatever zone they came in.
func TestZone(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)
	ctx := With(context.Background(), Env{Zone: zone, Now: now})
	for at, want := range map[time.Time]string{
		now.Add(-time.Hour):        "00:30", // already the next day there
		now.Add(-2 * time.Hour):    "24 Nov, 23:30",
		now.AddDate(-1, 0, 0):      "25 Nov 2025",
		now.Add(-24 * time.Hour):   "24 Nov, 01:30",
		now.Add(-90 * time.Minute): "00:00",
	} {
		if got := ShortTime(ctx, at); got != want {
			t.Errorf("%s is shown as %q, want %q", at, got, want)
		}
	}
	if got := DayTitle(ctx, now.Add(-3*time.Hour)); got != "Yesterday" {
		t.Error(got)
	}
}

// TestMap holds that every point lies inside, and that no shape leaves the picture by more than its edge.
func TestMap(t *testing.T) {
	if n := len(countries()); n < 1000 {
		t.Fatalf("%d outlines were unpacked", n)
	}
	for name, pts := range map[string][]MapPoint{
		"one":       {{Lat: 52.5, Lon: 13.4, Kind: "home"}},
		"same":      {{Lat: 52.5, Lon: 13.4, Kind: "home"}, {Lat: 52.5, Lon: 13.4, Kind: "chosen"}},
		"continent": {{Lat: 38.7, Lon: -9.1, Kind: "home"}, {Lat: 59.3, Lon: 18, Kind: "chosen"}},
		"world":     {{Lat: -41, Lon: 174, Kind: "home"}, {Lat: 61, Lon: -150, Kind: "chosen"}, {Lat: 0, Lon: 0, Kind: "loc"}},
		"poles":     {{Lat: 90, Lon: 0, Kind: "home"}, {Lat: -90, Lon: 0, Kind: "chosen"}},
		"none":      nil,
	} {
		m := layMap(pts, 400, 240)
		for _, p := range m.points {
			if p.x < 0 || p.x > m.w || p.y < 0 || p.y > m.h || math.IsNaN(p.x) || math.IsNaN(p.y) {
				t.Errorf("%s: a point lies at %v, %v", name, p.x, p.y)
			}
		}
		for _, f := range regexp.MustCompile(`-?[0-9.]+`).FindAllString(m.land, -1) {
			if v, err := strconv.ParseFloat(f, 64); err != nil || v < -4.1 || v > 404.1 {
				t.Fatalf("%s: the land has a coordinate %s", name, f)
			}
		}
	}
	if !strings.Contains(layMap([]MapPoint{{Lat: 52.5, Lon: 13.4, Kind: "home"}}, 400, 240).land, "M") {
		t.Error("there is no land around Berlin")
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{1, 3, 2, 2, 4, 4, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, r := range unpack(b) {
			if len(r.pts) > len(b) {
				t.Fatal("more points than bytes")
			}
		}
	})
}

func TestNiceStep(t *testing.T) {
	for top := int64(0); top < 20_000; top += 7 {
		s := niceStep(top)
		lines := (top + s - 1) / s
		if lines > 4 {
			t.Fatalf("%d has %d lines with a step of %d", top, lines, s)
		}
		if lead := strings.TrimRight(fmt.Sprint(s), "0"); lead != "1" && lead != "2" && lead != "5" {
			t.Fatalf("%d has the step %d", top, s)
		}
	}
}

// TestDays: a span of days says its year once, a day is itself, and both are the shop's.
func TestDays(t *testing.T) {
	ctx := With(t.Context(), Env{Zone: time.FixedZone("far", 14*3600)})
	at := func(s string) time.Time { d, _ := time.Parse(time.RFC3339, s); return d }
	for _, c := range []struct{ from, to, want string }{
		{"2026-11-24T08:00:00Z", "2026-11-27T11:00:00Z", "24 Nov to 28 Nov 2026"},
		{"2025-12-30T08:00:00Z", "2026-01-02T08:00:00Z", "30 Dec 2025 to 2 Jan 2026"},
		{"2026-11-24T11:00:00Z", "2026-11-25T08:00:00Z", "25 Nov 2026"},
	} {
		if got := Days(ctx, at(c.from), at(c.to)); got != c.want {
			t.Errorf("%s to %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}
