package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// maxLines is the length at which a file hides a missing noun.
const maxLines = 600

// longFiles lists files that may be longer, with the reason.
var longFiles = map[string]string{
	"internal/event/payloads.go": "the catalogue of payloads is read as one list",
}

// standard are methods whose meaning the standard library documents.
var standard = map[string]bool{
	"String": true, "Error": true, "Unwrap": true, "Is": true, "As": true, "GoString": true, "Format": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "AppendText": true,
	"Len": true, "Less": true, "Swap": true, "Close": true, "Read": true, "Write": true, "ServeHTTP": true,
	"RoundTrip": true, "LogValue": true, "Scan": true, "Value": true, "Flush": true, "WriteHeader": true, "Header": true,
}

func TestEveryPackageHasASentence(t *testing.T) {
	tr := project(t)
	for pkg, files := range tr.packages() {
		found := false
		for _, f := range files {
			if f.ast.Doc == nil {
				continue
			}
			text := f.ast.Doc.Text()
			want := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name == "main" {
				want = "Command "
			}
			if f.generated {
				continue
			}
			if !strings.HasPrefix(text, want) {
				t.Errorf("%s: the package comment begins %q, want %q", f.path, first(text), want)
			}
			found = true
		}
		if !found {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	tr := project(t)
	promised := tr.promisedMethods()
	for _, f := range tr.files {
		if f.test || f.generated {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Doc != nil {
					continue
				}
				if d.Recv != nil {
					recv := receiver(d)
					if !ast.IsExported(recv) || standard[d.Name.Name] || promised[f.pkg][d.Name.Name] {
						continue
					}
					t.Errorf("%s: method %s.%s has no doc comment", tr.at(d), recv, d.Name.Name)
					continue
				}
				t.Errorf("%s: func %s has no doc comment", tr.at(d), d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
							t.Errorf("%s: type %s has no doc comment", tr.at(s), s.Name.Name)
						}
					case *ast.ValueSpec:
						if d.Doc != nil || s.Doc != nil || s.Comment != nil {
							continue
						}
						for _, name := range s.Names {
							if name.IsExported() {
								t.Errorf("%s: %s %s has no doc comment", tr.at(name), d.Tok, name.Name)
							}
						}
					}
				}
			}
		}
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	for _, f := range project(t).files {
		if f.lines > maxLines && !f.generated && longFiles[f.path] == "" {
			t.Errorf("%s has %d lines; over %d a noun is missing (exceptions with a reason stand in longFiles)", f.path, f.lines, maxLines)
		}
	}
}

// reads matches functions that make sense of outside input.
var reads = regexp.MustCompile(`^(Parse|Decode|Compile|Unmarshal|Read)[A-Z]?\w*$|^(Parse|Decode|Compile)$`)

// unfuzzed lists packages with such a function that need no fuzz test, with the reason.
var unfuzzed = map[string]string{
	"decide": "DecodeFacts reads what the program itself has written; its inverse is a property test",
}

func TestEveryParserIsFuzzed(t *testing.T) {
	tr := project(t)
	fuzzed := map[string]bool{}
	for _, f := range tr.files {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				fuzzed[f.pkg] = true
			}
		}
	}
	for _, f := range tr.files {
		if f.test || f.generated || support(f.pkg) || fuzzed[f.pkg] || unfuzzed[f.pkg] != "" {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || !reads.MatchString(fn.Name.Name) || !takesText(fn) {
				continue
			}
			t.Errorf("%s: %s reads outside input, but package %s has no Fuzz test", tr.at(fn), fn.Name.Name, f.pkg)
		}
	}
}

// takesText reports whether a parameter is text or a stream.
func takesText(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		switch typ := p.Type.(type) {
		case *ast.Ident:
			if typ.Name == "string" {
				return true
			}
		case *ast.ArrayType:
			if id, ok := typ.Elt.(*ast.Ident); ok && id.Name == "byte" {
				return true
			}
		case *ast.SelectorExpr:
			if x, ok := typ.X.(*ast.Ident); ok && x.Name == "io" && strings.Contains(typ.Sel.Name, "Reader") {
				return true
			}
		}
	}
	return false
}

// promisedMethods are the methods that a documented interface of the same
// package describes: saying it again on each type would only drift apart.
func (tr *tree) promisedMethods() map[string]map[string]bool {
	out := map[string]map[string]bool{}
	for _, f := range tr.files {
		if out[f.pkg] == nil {
			out[f.pkg] = map[string]bool{}
		}
		for _, decl := range f.ast.Decls {
			gd, ok := decl.(*ast.GenDecl)
			if !ok || gd.Tok != token.TYPE {
				continue
			}
			for _, spec := range gd.Specs {
				iface, ok := spec.(*ast.TypeSpec).Type.(*ast.InterfaceType)
				if !ok {
					continue
				}
				documented := gd.Doc != nil || spec.(*ast.TypeSpec).Doc != nil
				for _, m := range iface.Methods.List {
					for _, name := range m.Names {
						if documented || m.Doc != nil || m.Comment != nil {
							out[f.pkg][name.Name] = true
						}
					}
				}
			}
		}
	}
	return out
}

func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

func first(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
