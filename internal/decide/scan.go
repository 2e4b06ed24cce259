package decide

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// scanFacts is decodeFacts for a backtest, which reads a million of them: one pass
// over what EncodeFacts wrote, without the names nobody wants. ok is false for
// whatever it does not know how to read; decodeFacts then does it.
func scanFacts(data []byte, names []string) (f Facts, ok bool) {
	if len(data) < 2 || data[0] != '{' || data[len(data)-1] != '}' {
		return nil, false
	}
	f = make(Facts, len(names))
	rest := data[1 : len(data)-1]
	for len(rest) > 0 {
		if rest[0] != '"' {
			return nil, false
		}
		end := bytes.IndexByte(rest[1:], '"')
		if end < 0 || len(rest) < end+3 || rest[end+2] != ':' {
			return nil, false
		}
		name := rest[1 : end+1] // in the order of the alphabet, as names are
		rest = rest[end+3:]
		n := valueEnd(rest)
		if n <= 0 {
			return nil, false
		}
		raw := rest[:n]
		rest = rest[n:]
		if len(rest) > 0 {
			if rest[0] != ',' || len(rest) == 1 {
				return nil, false
			}
			rest = rest[1:]
		}
		for len(names) > 0 && names[0] < string(name) {
			names = names[1:]
		}
		if len(names) == 0 {
			return f, true
		}
		if names[0] != string(name) {
			continue
		}
		v, ok := scanFact(names[0], raw)
		if !ok {
			return nil, false
		}
		f[names[0]] = v
	}
	return f, true
}

// valueEnd is the length of the JSON value that b begins with; 0 when it does not end.
func valueEnd(b []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
			if !inText && depth == 0 {
				return i + 1
			}
		case inText:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case c == ',' && depth == 0:
			return i
		}
	}
	if depth > 0 || inText {
		return 0
	}
	return len(b)
}

func scanFact(name string, raw []byte) (any, bool) {
	typ := schema.Int // velocities
	if fd, ok := schema.Lookup(name); ok {
		typ = fd.Type
	}
	switch typ {
	case schema.Int:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return n, err == nil
	case schema.Bool:
		return len(raw) == 4, string(raw) == "true" || string(raw) == "false"
	case schema.Strings, schema.Lines:
		v, err := decodeFact(typ, json.RawMessage(raw))
		return v, err == nil
	}
	if len(raw) < 2 || raw[0] != '"' || bytes.IndexByte(raw, '\\') >= 0 {
		return nil, false
	}
	text := string(raw[1 : len(raw)-1])
	switch typ {
	case schema.Money:
		a, err := money.ParseText(text)
		return a, err == nil
	case schema.Time:
		t, err := time.Parse(time.RFC3339Nano, text)
		return t, err == nil
	case schema.Duration:
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	return text, true
}
