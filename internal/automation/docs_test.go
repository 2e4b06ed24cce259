package automation

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

var update = flag.Bool("update", false, "write the table of fields into the page")

const page = "../../docs/automations.md"

// fieldTable is the reference of fields as the page shows it.
func fieldTable() string {
	var b strings.Builder
	b.WriteString("| field | type | on | meaning |\n|---|---|---|---|\n")
	for _, f := range schema.Fields("") {
		on := "orders"
		switch {
		case len(f.Events) == len(schema.Events()):
			on = "all"
		case f.Events != nil:
			on = strings.Join(f.Events, ", ")
		}
		doc := f.Doc
		if f.Personal {
			doc += " Personal."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, on, strings.ReplaceAll(doc, "|", `\|`))
	}
	return b.String()
}

// TestPage holds the page to the program: its automations are valid, its
// conditions compile, every key and step is named, and the table is the schema's.
func TestPage(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	head, _, ok := strings.Cut(text, "| field | type |")
	if !ok {
		head = text
	}
	if want := head + fieldTable(); text != want {
		if !*update {
			t.Errorf("the table of fields is not the schema's; run go test ./internal/automation -run TestPage -update")
		} else if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Error("the page shows no automation")
	}
	for _, b := range blocks {
		if _, err := Parse("page", []byte(b[1])); err != nil {
			t.Error(err)
		}
	}
	_, conditions, _ := strings.Cut(text, "| to say | write |")
	conditions, _, _ = strings.Cut(conditions, "## Steps")
	compiled := 0
	for _, m := range regexp.MustCompile("`([^`]*[.(][^`]*)`").FindAllStringSubmatch(conditions, -1) {
		if !strings.ContainsAny(m[1], "(<>\"") {
			continue // a bare field or dimension
		}
		if _, err := rule.Compile(m[1], "order.placed"); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		compiled++
	}
	if compiled < 8 {
		t.Errorf("only %d conditions were found on the page", compiled)
	}
	for _, k := range Kinds() {
		row := regexp.MustCompile("(?m)^\\| `(" + string(k) + ":[^`]*)` \\| (.*) \\|$").FindStringSubmatch(text)
		if row == nil {
			t.Errorf("the step %s is not on the page", k)
			continue
		}
		if !strings.HasPrefix(row[2], k.Spec().Doc) {
			t.Errorf("%s: the page says %q, the program %q", k, row[2], k.Spec().Doc)
		}
		on := "order.placed"
		if s := k.Spec(); s.On != nil {
			on = s.On[0]
		}
		rest := map[Kind]string{KindIf: "\n    then: [stop]", KindForEach: "\n    as: l\n    do: [stop]"}[k]
		if _, err := Parse("page", []byte("automation: a\nowner: a@shop.example\nwhy: b\non: "+on+"\ndo:\n  - "+row[1]+rest+"\n")); err != nil {
			t.Error(err)
		}
	}
	for _, key := range topKeys {
		if key != "share" && !strings.Contains(text, "| `"+key+"` |") {
			t.Errorf("the key %s is not on the page", key)
		}
	}
}
