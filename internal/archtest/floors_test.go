package archtest

import (
	"fmt"
	"strings"
	"testing"
)

// floors is the house plan: a package imports packages of lower floors only.
// Where two packages of one design floor need each other, the lower of the two
// stands in a half floor of its own (customer below event below order).
var floors = map[string]float64{
	"fault": 1, "forecast": 1, "jsonscan": 1, "observe": 1,

	"examples": 1, // files that the program carries

	"money": 2, "stock": 2, "geo": 2, "config": 2, "server": 2,
	"schema": 2.2, "yamltext": 2, "rule": 2.4,
	"access": 2.6,

	"catalog": 3, "customer": 3, "task": 3,
	"event": 3.2,
	"order": 3.4,

	"effect":     4,
	"automation": 4.2,
	"risk":       4, "routing": 4, "returns": 4, "supply": 4,

	"notify": 5, "suggest": 5, "atlas": 5, "store": 5.2, "connect": 5.4,

	"decide":   6,
	"proof":    6.1,
	"doctor":   6.2,
	"archive":  6.1,
	"backtest": 6.3,

	"engine":   7,
	"watch":    7.2,
	"privacy":  7.2,
	"discover": 7.2,

	"api": 8, "console": 8, "sim": 8,

	"cmd/orderly": 9,
}

// deeper gives single sub-packages a floor of their own; any other
// sub-package stands on its parent's floor.
var deeper = map[string]float64{}

// nouns hold what the shop is about. They know no database and no network, so
// that decide can use them and a test needs nothing but literals.
var nouns = []string{
	"fault", "money", "stock", "geo", "schema", "rule", "catalog", "customer", "task", "event", "order", "effect",
	"automation", "risk", "routing", "suggest", "atlas", "decide", "proof", "forecast",
}

func floorOf(pkg string) (float64, bool) {
	if fl, ok := deeper[pkg]; ok {
		return fl, true
	}
	if strings.HasPrefix(pkg, "cmd/") {
		return floors["cmd/orderly"], true
	}
	fl, ok := floors[top(pkg)]
	return fl, ok
}

func TestEveryPackageHasAFloor(t *testing.T) {
	for _, pkg := range sorted(project(t).packages()) {
		if support(pkg) {
			continue
		}
		if _, ok := floorOf(pkg); !ok {
			t.Errorf("internal/%s has no floor: add it to floors here and to the table in docs/architecture.md", pkg)
		}
	}
}

func TestImportsGoDown(t *testing.T) {
	tr := project(t)
	for _, f := range tr.files {
		if f.test || support(f.pkg) {
			continue
		}
		mine, ok := floorOf(f.pkg)
		if !ok {
			continue // reported by TestEveryPackageHasAFloor
		}
		for _, imp := range f.ast.Imports {
			other, ok := ours(strings.Trim(imp.Path.Value, `"`))
			if !ok {
				continue
			}
			if support(other) {
				t.Errorf("%s imports %s, which is for tests only", tr.at(imp), other)
				continue
			}
			if top(other) == top(f.pkg) {
				continue // parent and child: the compiler refuses a circle
			}
			theirs, ok := floorOf(other)
			if ok && theirs >= mine {
				t.Errorf("%s: %s (floor %g) imports %s (floor %g); a package may import lower floors only", tr.at(imp), f.pkg, mine, other, theirs)
			}
		}
	}
}

func TestNounsKnowNoDatabaseAndNoNetwork(t *testing.T) {
	tr := project(t)
	// What may not stand in an import path of a noun, and why.
	banned := map[string]string{
		"net/http": "a noun answers no requests", "database/sql": "the store keeps nouns, not the other way round",
		"github.com/jackc/pgx": "the store keeps nouns", "modernc.org/sqlite": "the store keeps nouns",
		"github.com/riverqueue": "delivery is the engine's", "log/slog": "a noun returns errors; who calls it logs",
		"os/exec": "a noun starts nothing", "math/rand": "a decision must come out the same in every replay",
		"crypto/rand": "a decision must come out the same in every replay",
	}
	noun := map[string]bool{}
	for _, n := range nouns {
		noun[n] = true
	}
	for _, f := range tr.files {
		if f.test || support(f.pkg) || !noun[top(f.pkg)] {
			continue
		}
		for _, imp := range f.ast.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			for _, b := range sorted(banned) {
				if path == b || strings.HasPrefix(path, b+"/") {
					t.Errorf("%s: noun %s imports %s: %s", tr.at(imp), f.pkg, path, banned[b])
				}
			}
		}
	}
}

func TestNoVaguePackageNames(t *testing.T) {
	vague := map[string]bool{
		"utils": true, "util": true, "common": true, "models": true, "types": true, "service": true,
		"services": true, "pkg": true, "helpers": true, "misc": true, "base": true, "lib": true,
	}
	for _, pkg := range sorted(project(t).packages()) {
		for part := range strings.SplitSeq(pkg, "/") {
			if vague[part] {
				t.Errorf("internal/%s: %q names no thing of the field; which noun is it?", pkg, part)
			}
		}
	}
}

// TestFloorsAreInTheArchitecturePage keeps the written plan and this one together.
func TestFloorsAreInTheArchitecturePage(t *testing.T) {
	tr := project(t)
	page := tr.read(t, "docs/architecture.md")
	for _, pkg := range sorted(tr.packages()) {
		if strings.Contains(strings.TrimPrefix(pkg, "cmd/"), "/") || support(pkg) || pkg == "" {
			continue
		}
		if !strings.Contains(page, fmt.Sprintf("`%s`", pkg)) {
			t.Errorf("docs/architecture.md does not name package `%s` in its table", pkg)
		}
	}
}
