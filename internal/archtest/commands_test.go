package archtest

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// invocation is an orderly command as a page shows it, in a code block or in backticks.
	invocation = regexp.MustCompile("(?m)(?:^|`|\\$ )(?:\\./|go run \\./cmd/)?orderly ((?:[a-z][a-z-]*)[^`\n#]*)")
	flag       = regexp.MustCompile(`--([a-z][a-z-]*)`)
)

// TestCommandsOnPagesExist: what a page tells a reader to type is there, down to the flags.
func TestCommandsOnPagesExist(t *testing.T) {
	tr := project(t)
	commands, words := map[string]bool{}, map[string]bool{}
	for _, f := range tr.files {
		if f.test || !(strings.HasPrefix(f.path, "cmd/orderly/") || f.pkg == "config") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				key, isIdent := kv.Key.(*ast.Ident)
				if lit, ok := kv.Value.(*ast.BasicLit); ok && isIdent && key.Name == "Use" {
					if use, err := strconv.Unquote(lit.Value); err == nil {
						name, _, _ := strings.Cut(use, " ")
						commands[name] = true
					}
				}
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					words[strings.ReplaceAll(s, "_", "-")] = true
				}
			}
			return true
		})
	}
	if len(commands) == 0 {
		t.Fatal("no command found below cmd/orderly: this test no longer knows how they are declared")
	}
	seen := 0
	for _, page := range tr.pages() {
		for _, m := range invocation.FindAllStringSubmatch(tr.read(t, page), -1) {
			seen++
			fields := strings.Fields(m[1])
			if !commands[fields[0]] && fields[0] != "help" && fields[0] != "completion" {
				t.Errorf("%s shows `orderly %s`, but there is no command %s", page, m[1], fields[0])
			}
			for _, fl := range flag.FindAllStringSubmatch(m[1], -1) {
				if !words[fl[1]] && fl[1] != "help" {
					t.Errorf("%s shows `orderly %s`, but no command has the flag --%s", page, m[1], fl[1])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no page shows a command")
	}
}
