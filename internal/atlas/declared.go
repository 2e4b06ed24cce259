package atlas

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
)

// Declared is map.yaml: what no machine can observe. It names owners, says which names are one
// system, and who is right about a datum.
type Declared struct {
	Systems map[string]SystemDecl
	Data    map[string]DatumDecl
	Queues  map[string]QueueDecl
}

// SystemDecl is what a shop says of a system.
type SystemDecl struct {
	Owner       string   `yaml:"owner"`
	Notes       string   `yaml:"notes"`
	Sources     []string `yaml:"sources"`     // names under which it sends events; its own name when left out
	Connections []string `yaml:"connections"` // that reach it; the one of its own name when left out
}

// DatumDecl is what a shop says of a datum.
type DatumDecl struct {
	System string `yaml:"system_of_record"`
	Owner  string `yaml:"owner"`
	Notes  string `yaml:"notes"`
	Shared *bool  `yaml:"shared"` // several systems may write it
}

// QueueDecl is what a shop says of a queue of tasks.
type QueueDecl struct {
	Owner string `yaml:"owner"`
	Notes string `yaml:"notes"`
}

type declaredFile struct {
	Systems map[string]SystemDecl `yaml:"systems"`
	Data    map[string]DatumDecl  `yaml:"data"`
	Queues  map[string]QueueDecl  `yaml:"queues"`
}

// maxDeclared bounds the text of a map.yaml.
const maxDeclared = 256 << 10

// ParseDeclared reads map.yaml. Problems carry the file with line and column, or the path of the key.
func ParseDeclared(name string, text []byte) (d *Declared, err error) {
	const op = "atlas.ParseDeclared"
	defer func() {
		if recover() != nil { // the text comes from outside, and the YAML parser is not ours
			d, err = nil, fault.Problems(op, []fault.Problem{{Pointer: name, Message: "the parser cannot make sense of it"}})
		}
	}()
	if len(text) > maxDeclared {
		return nil, fault.Problems(op, []fault.Problem{{Pointer: name, Message: "is larger than 256 KiB"}})
	}
	var f declaredFile
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		at, message := name, err.Error()
		if ye, ok := errors.AsType[yaml.Error](err); ok {
			message = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				at = fmt.Sprintf("%s:%d:%d", name, t.Position.Line, t.Position.Column)
			}
		}
		return nil, fault.Problems(op, []fault.Problem{{Pointer: at, Message: message + "; the keys are systems, data and queues, and below a name owner, notes, sources, connections, system_of_record, shared"}})
	}
	d = &Declared{Systems: f.Systems, Data: f.Data, Queues: f.Queues}
	return d, fault.Problems(op, d.problems(name))
}

func (d *Declared) problems(file string) (ps []fault.Problem) {
	bad := func(key, format string, args ...any) {
		ps = append(ps, fault.Problem{Pointer: file + ": " + key, Message: fmt.Sprintf(format, args...)})
	}
	owner := func(key, who string) {
		if a, err := mail.ParseAddress(who); who != "" && (err != nil || a.Address != who) {
			bad(key+".owner", "is not a mail address")
		}
	}
	taken := map[string]string{}
	for _, name := range sortedKeys(d.Systems) {
		s := d.Systems[name]
		key := "systems." + name
		owner(key, s.Owner)
		if strings.TrimSpace(name) == "" {
			bad(key, "a system has a name")
		}
		for _, n := range append(slices.Clone(s.Sources), s.Connections...) {
			if other := taken[n]; other != "" && other != name {
				bad(key, "%q is said to be %s already", n, other)
			}
			taken[n] = name
		}
	}
	var known []string
	for _, x := range schema.Data() {
		known = append(known, x.Name)
	}
	for _, name := range sortedKeys(d.Data) {
		owner("data."+name, d.Data[name].Owner)
		if !slices.Contains(known, name) {
			bad("data."+name, "there is no such datum%s; the data are %s", didYouMean(name, known), strings.Join(known, ", "))
		}
	}
	for _, name := range sortedKeys(d.Queues) {
		owner("queues."+name, d.Queues[name].Owner)
	}
	return ps
}

func didYouMean(word string, known []string) string {
	if n := schema.Nearest(word, known); n != "" {
		return fmt.Sprintf(", did you mean %q?", n)
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
