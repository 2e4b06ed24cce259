package archtest

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// ban is one thing that some packages must not use.
type ban struct {
	why   string
	where func(f *file) bool
	// uses names selectors of an imported package: "time" -> Now, Since …; an
	// empty list bans the whole package.
	uses map[string][]string
}

// timeless packages know one time: the one they are given. A decision that
// looked at the clock could not be replayed.
var timeless = []string{
	"decide", "proof", "rule", "routing", "order", "stock", "automation", "event", "money", "catalog", "customer",
	"task", "effect", "risk", "schema", "geo", "forecast",
}

// exact packages count money and units; a float would lose a cent.
var exact = []string{"money", "stock", "order", "event", "task", "effect", "customer"}

// background lists the files below internal/ that may start a context of their
// own, with the reason.
var background = map[string]string{
	"internal/engine/engine.go": "a group commit serves many callers: none of them may cancel it for the others",
	"internal/store/lite.go":    "BEGIN, COMMIT and ROLLBACK must not be torn apart by a caller who goes away",
	"internal/store/tx.go":      "watching a context costs a goroutine per SQLite statement, too much for the short ones of a commit group",
	"internal/console/order.go": "carries the page's zone to a formatter; nothing runs under it",
}

// allowedPrints lists the files below internal/ that may print to standard output.
var allowedPrints = map[string]string{}

func in(list []string) func(*file) bool {
	set := map[string]bool{}
	for _, p := range list {
		set[p] = true
	}
	return func(f *file) bool { return !f.test && !support(f.pkg) && set[top(f.pkg)] }
}

func internal(f *file) bool {
	return !f.test && !support(f.pkg) && strings.HasPrefix(f.path, "internal/")
}

var bans = []ban{
	{
		why:   "this package knows only the time it is given, so that replay gives the same decision",
		where: in(timeless),
		uses: map[string][]string{
			"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
		},
	},
	{
		why:   "standard output belongs to cmd/orderly; log with slog or return the text",
		where: func(f *file) bool { return internal(f) && allowedPrints[f.path] == "" },
		uses:  map[string][]string{"fmt": {"Print", "Printf", "Println"}, "log": {}},
	},
	{
		why:   "work that nobody can cancel outlives its caller; pass the caller's context on",
		where: func(f *file) bool { return internal(f) && background[f.path] == "" },
		uses:  map[string][]string{"context": {"Background", "TO" + "DO"}},
	},
	{
		why:   "a test that sleeps is slow on a quick machine and fails on a slow one; wait for a signal or use testing/synctest",
		where: func(f *file) bool { return f.test || support(f.pkg) },
		uses:  map[string][]string{"time": {"Sleep"}},
	},
	{
		why:   "only main may end the process; return an error",
		where: internal,
		uses:  map[string][]string{"os": {"Exit"}},
	},
}

// allowedSleeps lists test files that may sleep, with the reason.
var allowedSleeps = map[string]string{}

func TestForbiddenCalls(t *testing.T) {
	tr := project(t)
	for _, f := range tr.files {
		for _, b := range bans {
			if !b.where(f) || f.generated {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if !ok {
					return true
				}
				names, banned := b.uses[f.imports[x.Name]]
				if !banned || (len(names) > 0 && !has(names, sel.Sel.Name)) {
					return true
				}
				if sel.Sel.Name == "Sleep" && allowedSleeps[f.path] != "" {
					return true
				}
				t.Errorf("%s: %s.%s: %s", tr.at(sel), x.Name, sel.Sel.Name, b.why)
				return true
			})
		}
	}
}

// TestAllowancesAreUsed keeps the exceptions from outliving their reason.
func TestAllowancesAreUsed(t *testing.T) {
	tr := project(t)
	for _, list := range []map[string]string{background, allowedPrints, allowedSleeps, longFiles} {
		for _, p := range sorted(list) {
			if tr.file(p) == nil {
				t.Errorf("%s is excepted from a rule (%s) but does not exist", p, list[p])
			}
		}
	}
}

func TestMoneyAndUnitsAreNoFloats(t *testing.T) {
	tr := project(t)
	where := in(exact)
	for _, f := range tr.files {
		if !where(f) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (id.Name == "float64" || id.Name == "float32") {
				t.Errorf("%s: %s in package %s; amounts and quantities are exact", tr.at(id), id.Name, f.pkg)
			}
			return true
		})
	}
}

// TestNothingStartsItself: wiring stands in cmd/orderly where it can be read,
// and the program builds without cgo.
func TestNothingStartsItself(t *testing.T) {
	tr := project(t)
	for _, f := range tr.files {
		if f.imports["C"] == "C" {
			t.Errorf("%s imports C; the program is built with CGO_ENABLED=0", f.path)
		}
		if f.test || f.generated {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init() works behind the reader's back; wire it in cmd/orderly", tr.at(fn))
			}
		}
	}
}

// TestDomainTypesCarryNoTags: the form on the wire is the event payloads', the
// form in the database is the store's (ADR 0007). The trace in decide is not a
// domain type: it is a document from the start.
func TestDomainTypesCarryNoTags(t *testing.T) {
	tr := project(t)
	where := in([]string{"order", "stock", "task", "catalog", "effect", "routing", "risk"})
	for _, f := range tr.files {
		if !where(f) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if ok && field.Tag != nil && field.Tag.Value != "`json:\"-\"`" {
				t.Errorf("%s: tag %s on a domain type; see docs/adr/0007", tr.at(field), field.Tag.Value)
			}
			return true
		})
	}
}

// draws reports whether a function literal is the body of a property or of a fuzz target.
func draws(fn *ast.FuncLit) bool {
	params := fn.Type.Params.List
	if len(params) == 0 {
		return false
	}
	star, ok := params[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && (x.Name == "rapid" || (x.Name == "testing" && len(params) > 1))
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (tr *tree) file(p string) *file {
	for _, f := range tr.files {
		if f.path == path.Clean(p) {
			return f
		}
	}
	return nil
}

// onDemand lists test functions that run only when asked for, with the reason.
var onDemand = map[string]string{
	"TestShots":          "draws the pages into a folder for people to look at; it checks nothing",
	"TestMillionOrders":  "measures lists over a million orders for a minute; asked for with ORDERLY_LARGE=1",
	"TestRollingUpgrade": "builds a version of the past for minutes; asked for with make crash",
}

// TestSkipsFailUnderCI: a test that is skipped where it must run proves
// nothing. Who skips looks at $CI first, or skips slow work under -short.
func TestSkipsFailUnderCI(t *testing.T) {
	tr := project(t)
	for _, f := range tr.files {
		if !f.test && !support(f.pkg) {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			var skips []ast.Node
			excused := onDemand[fn.Name.Name] != ""
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncLit:
					// A property discards a draw, a fuzz target an input: no test is skipped by it.
					return !draws(n)
				case *ast.SelectorExpr:
					switch n.Sel.Name {
					case "Skip", "Skipf", "SkipNow":
						skips = append(skips, n)
					case "Short":
						excused = true
					}
				case *ast.BasicLit:
					excused = excused || n.Value == `"CI"`
				}
				return true
			})
			for _, s := range skips {
				if !excused {
					t.Errorf("%s: %s skips without a look at $CI; there it must fail", tr.at(s), fn.Name.Name)
				}
			}
		}
	}
}
