package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS []byte

var docsTemplate = template.Must(template.New("docs").Parse(docsHTML))

type docsOp struct {
	ID, Method, Path, Summary, Description, Example, Body string
	Params                                                []docsParam
	Answers                                               []docsAnswer
	Types                                                 []docsType
}

type docsParam struct{ Name, In, Type, Doc string }

type docsAnswer struct{ Status, Doc string }

type docsType struct {
	Name, Doc string
	Fields    []docsParam
}

// docsPage renders the OpenAPI document as one page, once: no script and
// nothing from elsewhere, so it works without the internet.
func docsPage(doc *huma.OpenAPI) (http.HandlerFunc, error) {
	var ops []docsOp
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post} {
			if op != nil {
				ops = append(ops, describeOp(doc, method, path, op))
			}
		}
	}
	slices.SortFunc(ops, func(a, b docsOp) int { // the doors first, then the reads by path
		return strings.Compare(map[string]string{"POST": "0", "GET": "1"}[a.Method]+a.Path, map[string]string{"POST": "0", "GET": "1"}[b.Method]+b.Path)
	})
	for i := range ops {
		if ops[i].ID == "submit-events" {
			ops[i].Types = describeTypes(doc)
		}
	}
	var b bytes.Buffer
	err := docsTemplate.Execute(&b, map[string]any{"Title": doc.Info.Title, "Version": doc.Info.Version, "Intro": doc.Info.Description, "Ops": ops})
	if err != nil {
		return nil, fmt.Errorf("api: the page of the API: %w", err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(b.Bytes()) // the client has gone if this fails
	}, nil
}

func docsStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(docsCSS) // the client has gone if this fails
}

func describeOp(doc *huma.OpenAPI, method, path string, op *huma.Operation) docsOp {
	d := docsOp{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, docsParam{p.Name, p.In, typeName(doc, p.Schema), p.Description})
	}
	for status, r := range op.Responses {
		text := r.Description
		if text == "" || method == "GET" && status != "200" {
			continue
		}
		d.Answers = append(d.Answers, docsAnswer{status, text})
	}
	slices.SortFunc(d.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	if op.RequestBody != nil {
		if m := op.RequestBody.Content["application/json"]; m != nil && m.Example != nil {
			if b, err := json.MarshalIndent(m.Example, "", "  "); err == nil {
				d.Example = string(b)
			}
		}
	}
	return d
}

// describeTypes lists the event types with the fields of their data.
func describeTypes(doc *huma.OpenAPI) []docsType {
	var out []docsType
	for _, s := range doc.Components.Schemas.Map()["Event"].OneOf {
		t := docsType{Name: s.Title, Doc: s.Description}
		data := resolve(doc, s.Properties["data"])
		for name, f := range data.Properties {
			t.Fields = append(t.Fields, docsParam{Name: name, Type: typeName(doc, f), Doc: f.Description})
		}
		slices.SortFunc(t.Fields, func(a, b docsParam) int { return strings.Compare(a.Name, b.Name) })
		for i := range t.Fields {
			if slices.Contains(data.Required, t.Fields[i].Name) {
				t.Fields[i].In = "required"
			}
		}
		out = append(out, t)
	}
	return out
}

func resolve(doc *huma.OpenAPI, s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return doc.Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// typeName says a schema's type in one word, or lists the fields of a nested object.
func typeName(doc *huma.OpenAPI, s *huma.Schema) string {
	s = resolve(doc, s)
	switch {
	case s == nil:
		return ""
	case len(s.Enum) > 0:
		var vs []string
		for _, e := range s.Enum {
			vs = append(vs, fmt.Sprint(e))
		}
		return strings.Join(vs, " | ")
	case s.Type == huma.TypeArray:
		return "list of " + typeName(doc, s.Items)
	case s.Type == huma.TypeObject && len(s.Properties) > 0:
		var names []string
		for n := range s.Properties {
			names = append(names, n)
		}
		slices.Sort(names)
		return "{" + strings.Join(names, ", ") + "}"
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}
