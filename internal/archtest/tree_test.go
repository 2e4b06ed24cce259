package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the import path that internal packages start with.
const module = "orderly.example/orderly/"

// file is one parsed Go file of the project.
type file struct {
	path      string // relative to the project's root, with slashes
	pkg       string // folder below internal/ ("store/storetest"), or the folder itself ("cmd/orderly")
	test      bool
	generated bool
	lines     int
	ast       *ast.File
	imports   map[string]string // local name -> import path
}

// tree is the project as source.
type tree struct {
	root  string
	fset  *token.FileSet
	files []*file
	texts []string // every other text file, relative to the root
}

var load = sync.OnceValues(func() (*tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	tr := &tree{root: root, fset: token.NewFileSet()}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			switch {
			case rel == ".":
				return nil
			case d.Name() == ".git", rel == "bin", rel == "tmp", rel == "orderly-data", d.Name() == "testdata", d.Name() == "vendor":
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || rel == ".git" { // a file in a worktree
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			tr.texts = append(tr.texts, rel)
			return nil
		}
		f, err := tr.parse(rel)
		if err != nil {
			return err
		}
		tr.files = append(tr.files, f)
		return nil
	})
	return tr, err
})

// project returns the parsed project, or ends the test.
func project(t *testing.T) *tree {
	t.Helper()
	tr, err := load()
	if err != nil {
		t.Fatalf("reading the project: %v", err)
	}
	if len(tr.files) == 0 {
		t.Fatal("no Go file found: the test looks at the wrong folder")
	}
	return tr
}

func (tr *tree) parse(rel string) (*file, error) {
	src, err := os.ReadFile(filepath.Join(tr.root, rel))
	if err != nil {
		return nil, err
	}
	parsed, err := parser.ParseFile(tr.fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	f := &file{
		path:      rel,
		pkg:       strings.TrimPrefix(rel[:max(strings.LastIndex(rel, "/"), 0)], "internal/"),
		test:      strings.HasSuffix(rel, "_test.go"),
		generated: ast.IsGenerated(parsed),
		lines:     strings.Count(string(src), "\n"),
		ast:       parsed,
		imports:   map[string]string{},
	}
	for _, imp := range parsed.Imports {
		path, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		name := path[strings.LastIndex(path, "/")+1:]
		if imp.Name != nil {
			name = imp.Name.Name
		}
		f.imports[name] = path
	}
	return f, nil
}

// ours returns the package below internal/ that an import path names.
func ours(path string) (string, bool) {
	return strings.CutPrefix(path, module+"internal/")
}

// top is the first element of a package's folder: "store" for "store/storetest".
func top(pkg string) string {
	name, _, _ := strings.Cut(pkg, "/")
	return name
}

// support reports whether a package exists for tests only.
func support(pkg string) bool {
	return strings.HasSuffix(pkg, "test") && pkg != "backtest" // which tests rules, for people
}

// packages returns every package folder with the files that are not tests.
func (tr *tree) packages() map[string][]*file {
	out := map[string][]*file{}
	for _, f := range tr.files {
		if !f.test {
			out[f.pkg] = append(out[f.pkg], f)
		}
	}
	return out
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// at is a position as an editor opens it.
func (tr *tree) at(n ast.Node) string {
	p := tr.fset.Position(n.Pos())
	return p.Filename + ":" + strconv.Itoa(p.Line)
}
