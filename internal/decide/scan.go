package decide

import (
	"strconv"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/jsonscan"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Stored are facts as they stand beside a decision. A backtest reads a million of them:
// Read finds where the wanted ones are, Fact makes a value of one when a condition
// asks for it, once. It is for one goroutine, and for one text after the other.
type Stored struct {
	names []string // sorted
	slots map[string]int
	facts []storedFact
	text  string
	lines []rule.Line // reused
	err   error
}

type storedFact struct {
	typ  schema.Type
	raw  string // "" = not stored
	val  any
	read bool
}

// NewStored makes a reader of the named facts; names are sorted.
func NewStored(names []string) *Stored {
	s := &Stored{names: names, slots: make(map[string]int, len(names)), facts: make([]storedFact, len(names))}
	for i, name := range names {
		s.slots[name], s.facts[i].typ = i, typeOf(name)
	}
	return s
}

// typeOf is the type that a fact has; what the schema does not know is a velocity.
func typeOf(name string) schema.Type {
	if f, ok := schema.Lookup(name); ok {
		return f.Type
	}
	return schema.Int
}

// Read begins on the facts of another decision.
func (s *Stored) Read(text string) error {
	s.text, s.err = text, nil
	if s.scan() {
		return nil
	}
	f, err := decodeFacts([]byte(text), s.names)
	if err != nil {
		return err
	}
	for i, name := range s.names {
		v, ok := f[name]
		s.facts[i].raw, s.facts[i].val, s.facts[i].read = "", v, ok
	}
	return nil
}

// scan finds the wanted facts in a text that EncodeFacts wrote, where they are sorted too.
func (s *Stored) scan() bool {
	for i := range s.facts {
		s.facts[i].raw, s.facts[i].val, s.facts[i].read = "", nil, false
	}
	if s.text == "" {
		return true
	}
	if s.text[len(s.text)-1] != '}' { // what follows the last wanted fact is not looked at
		return false
	}
	t := jsonscan.Of(s.text)
	t.Object()
	for i := 0; i < len(s.names); {
		name, ok := t.AnyKey()
		if !ok {
			break
		}
		raw := t.Skip()
		for i < len(s.names) && s.names[i] < name {
			i++
		}
		if i < len(s.names) && s.names[i] == name {
			s.facts[i].raw = raw
			i++
		}
	}
	return !t.IsBad()
}

// Fact implements [rule.Facts]. The lines are good until the next Read.
func (s *Stored) Fact(name string) (any, bool) {
	i, ok := s.slots[name]
	if !ok {
		return nil, false
	}
	f := &s.facts[i]
	if f.read {
		return f.val, true
	}
	if f.raw == "" {
		return nil, false
	}
	v, ok := s.scanFact(f.typ, f.raw)
	if !ok {
		var err error
		if v, err = decodeFact(f.typ, []byte(f.raw)); err != nil {
			s.err = fault.Wrap(err, fault.Internal, "decide.Stored", "the stored fact %s cannot be read", name)
			return nil, false
		}
	}
	f.val, f.read = v, true
	return v, true
}

// Err is why a fact that was asked for since Read could not be read.
func (s *Stored) Err() error { return s.err }

// Facts are all that are wanted and stored, to keep.
func (s *Stored) Facts() (Facts, error) {
	out := make(Facts, len(s.names))
	for _, name := range s.names {
		if v, ok := s.Fact(name); ok {
			out[name] = v
		}
	}
	s.lines = nil // they are the caller's now
	return out, s.err
}

// scanFact reads a fact as EncodeFacts wrote it; ok is false where encoding/json must.
func (s *Stored) scanFact(typ schema.Type, raw string) (v any, ok bool) {
	switch typ {
	case schema.Int:
		n, err := strconv.ParseInt(raw, 10, 64)
		return n, err == nil
	case schema.Bool:
		return raw == "true", raw == "true" || raw == "false"
	case schema.Lines:
		return s.scanLines(raw)
	case schema.Strings:
		return nil, false
	}
	t := jsonscan.Of(raw)
	text := t.String()
	if !t.Whole() {
		return nil, false
	}
	switch typ {
	case schema.Money:
		a, err := money.ParseText(text)
		return a, err == nil
	case schema.Time:
		at, err := time.Parse(time.RFC3339Nano, text)
		return at, err == nil
	case schema.Duration:
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	return text, true
}

// scanLines reads lines as encoding/json wrote them.
func (s *Stored) scanLines(raw string) (any, bool) {
	out := s.lines[:0]
	if out == nil {
		out = make([]rule.Line, 0, 4)
	}
	t := jsonscan.Of(raw)
	text := func(name string) (v string) {
		if !t.Key(name) {
			t.Bad()
			return ""
		}
		return t.String()
	}
	for t.Array(); t.More(); {
		var l rule.Line
		t.Object()
		l.SKU, l.Title = text("SKU"), text("Title")
		if !t.Key("Qty") {
			return nil, false
		}
		l.Qty = t.Int()
		price, err := money.ParseText(text("UnitPrice"))
		if err != nil {
			return nil, false
		}
		l.UnitPrice, l.Location = price, text("Location")
		if !t.Key("Kit") {
			return nil, false
		}
		l.Kit = t.Bool()
		if !t.Key("Available") {
			return nil, false
		}
		l.Available = t.Int()
		t.End()
		out = append(out, l)
	}
	if !t.Whole() {
		return nil, false
	}
	s.lines = out
	return out, true
}
