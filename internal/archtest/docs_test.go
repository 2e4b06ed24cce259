package archtest

import (
	"fmt"
	"go/ast"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`!?\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	image   = regexp.MustCompile(`<(?:img|source)[^>]+src(?:set)?="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```")
	code    = regexp.MustCompile("`[^`\n]*`")
)

// read returns a text file of the project.
func (tr *tree) read(t *testing.T, rel string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(tr.root, rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (tr *tree) pages() []string {
	var out []string
	for _, p := range tr.texts {
		if strings.HasSuffix(p, ".md") {
			out = append(out, p)
		}
	}
	return out
}

func TestDocsLinksResolve(t *testing.T) {
	tr := project(t)
	for _, page := range tr.pages() {
		text := fenced.ReplaceAllString(tr.read(t, page), "")
		text = code.ReplaceAllString(text, "")
		targets := append(link.FindAllStringSubmatch(text, -1), image.FindAllStringSubmatch(text, -1)...)
		for _, m := range targets {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %q: %v", page, m[1], err)
				continue
			}
			if u.Scheme != "" || u.Host != "" {
				continue
			}
			target := page
			if u.Path != "" {
				target = path.Join(path.Dir(page), u.Path)
			}
			info, err := os.Stat(filepath.Join(tr.root, target))
			if err != nil {
				t.Errorf("%s: link to %s, which does not exist", page, target)
				continue
			}
			if u.Fragment == "" || info.IsDir() || !strings.HasSuffix(target, ".md") {
				continue
			}
			if !anchors(tr.read(t, target))[u.Fragment] {
				t.Errorf("%s: link to %s#%s, but that page has no such heading", page, target, u.Fragment)
			}
		}
	}
}

// anchors are the names under which a page's headings are reached.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127:
				b.WriteRune(r)
			}
		}
		out[b.String()] = true
	}
	return out
}

// TestADRIndexIsComplete: decisions are numbered without gaps, each has the
// same four parts, and the index names each.
func TestADRIndexIsComplete(t *testing.T) {
	tr := project(t)
	index := tr.read(t, "docs/adr/README.md")
	number := 0
	for _, p := range tr.pages() {
		if path.Dir(p) != "docs/adr" || path.Base(p) == "README.md" {
			continue
		}
		number++
		name := path.Base(p)
		if !strings.HasPrefix(name, fmt.Sprintf("%04d-", number)) {
			t.Errorf("%s: the next number is %04d", p, number)
		}
		if !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/adr/README.md does not list %s", name)
		}
		text := tr.read(t, p)
		for _, part := range []string{"Status:", "## Context", "## Decision", "## Consequences"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", p, part)
			}
		}
	}
	if number == 0 {
		t.Error("docs/adr holds no decision")
	}
}

// TestGlossaryRowsAreComplete: a term, its meaning and the word to avoid, sorted.
func TestGlossaryRowsAreComplete(t *testing.T) {
	tr := project(t)
	previous, rows := "", 0
	for line := range strings.SplitSeq(tr.read(t, "docs/glossary.md"), "\n") {
		if !strings.HasPrefix(line, "| **") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			t.Errorf("docs/glossary.md: %q has %d cells, want term, meaning, avoid", line, len(cells))
			continue
		}
		term := strings.ToLower(strings.Trim(strings.TrimSpace(cells[0]), "*"))
		if strings.TrimSpace(cells[1]) == "" {
			t.Errorf("docs/glossary.md: %s has no meaning", term)
		}
		if term <= previous {
			t.Errorf("docs/glossary.md: %q stands after %q; keep the table sorted", term, previous)
		}
		previous = term
	}
	if rows < 40 {
		t.Errorf("docs/glossary.md has %d terms; the field has more", rows)
	}
}

// left matches what must not be left in the tree. The parts are joined here so
// that this file does not find itself.
var left = map[string]*regexp.Regexp{
	"unfinished mark":            regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b`),
	"path of one machine":        regexp.MustCompile(`(?:^|[\s"'=(` + "`" + `])/(?:` + strings.Join([]string{"wo" + "rk", "ro" + "ot", "ho" + "me"}, "|") + `)/[a-z.]`),
	"address of a registry":      regexp.MustCompile(strings.Join([]string{`proxy\.go` + `lang\.org`, `registry\.np` + `mjs\.org`, `deb\.deb` + `ian\.org`}, "|")),
	"line left by a merge":       regexp.MustCompile(`(?m)^(<{7} |>{7} )`),
	"private key or live secret": regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE ` + `KEY-----`),
}

func TestNothingIsLeftBehind(t *testing.T) {
	tr := project(t)
	check := func(rel string) {
		switch path.Ext(rel) {
		case ".png", ".xlsx", ".woff2", ".ico", ".gz", ".db", ".sum":
			return
		}
		text := tr.read(t, rel)
		for _, what := range sorted(left) {
			if loc := left[what].FindStringIndex(text); loc != nil {
				t.Errorf("%s:%d: %s: %q", rel, 1+strings.Count(text[:loc[0]], "\n"), what, text[loc[0]:loc[1]])
			}
		}
	}
	for _, f := range tr.files {
		if f.path != "internal/archtest/docs_test.go" {
			check(f.path)
		}
	}
	for _, rel := range tr.texts {
		check(rel)
	}
}

// TestMakeTargetsExist: every make target that a page names is there.
func TestMakeTargetsExist(t *testing.T) {
	tr := project(t)
	have := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(tr.read(t, "Makefile"), -1) {
		have[m[1]] = true
	}
	for _, page := range tr.pages() {
		for _, m := range regexp.MustCompile("(?m)(?:`|^)make ([a-z-]+)").FindAllStringSubmatch(tr.read(t, page), -1) {
			if !have[m[1]] {
				t.Errorf("%s names `make %s`, which the Makefile does not have", page, m[1])
			}
		}
	}
}

// TestDependenciesAreJustified: ADR 0009 names every module that is imported,
// and none that is not.
func TestDependenciesAreJustified(t *testing.T) {
	tr := project(t)
	var modules []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*([a-z0-9.]+\.[a-z]+/\S+) v\d`).FindAllStringSubmatch(tr.read(t, "go.mod"), -1) {
		modules = append(modules, m[1])
	}
	used := map[string]string{}
	for _, f := range tr.files {
		for _, imp := range f.ast.Imports {
			p := strings.Trim(imp.Path.Value, `"`)
			best := ""
			for _, m := range modules {
				if (p == m || strings.HasPrefix(p, m+"/")) && len(m) > len(best) {
					best = m
				}
			}
			if best != "" {
				used[best] = f.path
			}
		}
	}
	page := tr.read(t, "docs/adr/0009-dependencies.md")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(page, -1) {
		listed[m[1]] = true
	}
	covered := func(module string) bool {
		for l := range listed {
			if module == l || strings.HasPrefix(module, l+"/") {
				return true
			}
		}
		return false
	}
	for _, m := range sorted(used) {
		if !covered(m) {
			t.Errorf("%s imports %s, which docs/adr/0009-dependencies.md does not justify", used[m], m)
		}
	}
	for _, l := range sorted(listed) {
		found := false
		for m := range used {
			found = found || m == l || strings.HasPrefix(m, l+"/")
		}
		if !found {
			t.Errorf("docs/adr/0009-dependencies.md justifies %s, which nothing imports", l)
		}
	}
}

// TestPagesNameTestsThatExist: a page that says where something is tried names a test that is there.
func TestPagesNameTestsThatExist(t *testing.T) {
	tr := project(t)
	there := map[string]bool{}
	for _, f := range tr.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.test {
				there[fn.Name.Name] = true
			}
		}
	}
	named := 0
	for _, page := range tr.pages() {
		for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)(?:/\\w+)?`").FindAllStringSubmatch(tr.read(t, page), -1) {
			if named++; !there[m[1]] {
				t.Errorf("%s names %s, which no file has", page, m[1])
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d tests are named: the pages are read wrongly", named)
	}
}
