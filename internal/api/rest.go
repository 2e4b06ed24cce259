package api

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

// decodeRest reads a payload that does not fit its type, to its end: what does not fit is
// told and left out, until the rest can be read and validated. The sender learns of
// everything at once. What follows from a part that was left out is not told.
func decodeRest(raw []byte, base, typ string, ps *problems) error {
	var told []string
	for len(*ps) < maxErrors {
		p, ok := event.New(typ)
		if !ok {
			return fault.New(fault.Internal, "api.decode", "event type %q vanished", typ)
		}
		err := json.UnmarshalDecode(jsontext.NewDecoder(bytes.NewBuffer(raw)), p)
		if err == nil {
			for _, q := range p.Validate() {
				if !covered(q.Pointer, told) {
					ps.add(base+q.Pointer, "%s", q.Message)
				}
			}
			return nil
		}
		se, semantic := errors.AsType[*json.SemanticError](err)
		if !semantic {
			return syntaxError(err, raw)
		}
		at := string(se.JSONPointer)
		ps.add(base+at, "%s", typeProblem(se))
		told = append(told, at)
		less, found := without(raw, se.JSONPointer)
		if !found {
			return nil
		}
		raw = less
	}
	return nil
}

// covered reports whether a pointer names a part that was told of already, what holds it, or what it
// holds; a price's currency follows from the order's.
func covered(pointer string, told []string) bool {
	for _, t := range told {
		if pointer == t || strings.HasPrefix(pointer, t+"/") || strings.HasPrefix(t, pointer+"/") {
			return true
		}
		if t == "/currency" && (strings.HasSuffix(pointer, "/unit_price") || pointer == "/total" || pointer == "/discount" || pointer == "/shipping_cost") {
			return true
		}
	}
	return false
}

// without copies a JSON value without the part at a pointer: a member is left out with its name,
// an element of a list becomes null, so that the others keep their places.
func without(raw []byte, at jsontext.Pointer) (out []byte, found bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	var buf bytes.Buffer
	enc := jsontext.NewEncoder(&buf)
	for depth := -1; depth != 0; depth = dec.StackDepth() {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		if found || dec.StackPointer() != at || at == "" {
			if err := enc.WriteToken(tok); err != nil {
				return nil, false
			}
			continue
		}
		found = true
		kind, n := dec.StackIndex(dec.StackDepth())
		switch inside := tok.Kind() == '{' || tok.Kind() == '['; {
		case kind == '{' && n%2 == 1 && !inside: // the member's name
			if err := dec.SkipValue(); err != nil {
				return nil, false
			}
			continue
		case inside:
			for end := dec.StackDepth() - 1; dec.StackDepth() > end; {
				if _, err := dec.ReadToken(); err != nil {
					return nil, false
				}
			}
		}
		if err := enc.WriteToken(jsontext.Null); err != nil {
			return nil, false
		}
	}
	return buf.Bytes(), found
}

// syntaxOnly reports whether the rest is JSON at all: a body that is cut off is
// told as that, not as the type error that came before the cut.
func syntaxOnly(raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if err := dec.SkipValue(); err != nil {
		return syntaxError(err, raw)
	}
	return atEnd(dec, raw)
}
