// Package jsonscan reads JSON that this program wrote itself, in one pass and without
// reflection: a backtest reads millions of such texts. It knows fields in the order in
// which they were written and nothing between them. Whatever else a text has
// makes it bad, and the caller reads it with encoding/json, which stays the definition:
// what is not bad reads the same there.
package jsonscan

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is a JSON text with a place in it. Once bad it stays bad. Strings that are read share its memory.
type Text struct {
	s   string
	at  int
	bad bool
}

// Of begins a text.
func Of(s string) Text { return Text{s: s} }

// Whole reports whether all was read and nothing was bad.
func (t *Text) Whole() bool { return !t.bad && t.at == len(t.s) }

// Bad says that the text is none that this package reads.
func (t *Text) Bad() { t.bad = true }

// IsBad reports whether the text is none that this package reads.
func (t *Text) IsBad() bool { return t.bad }

func (t *Text) peek() byte {
	if t.at < len(t.s) {
		return t.s[t.at]
	}
	return 0
}

// take goes past one character, which must stand there.
func (t *Text) take(c byte) {
	if t.bad || t.peek() != c {
		t.bad = true
		return
	}
	t.at++
}

// Object goes past the beginning of an object, and End past its end.
func (t *Text) Object() { t.take('{') }

// End goes past the end of an object.
func (t *Text) End() { t.take('}') }

// Key reports whether the next field of the object has this name, and goes to its value.
func (t *Text) Key(name string) bool {
	if t.bad {
		return false
	}
	i := t.at
	switch first := t.s[i-1] == '{'; { // a value ends in no brace that opens
	case i < len(t.s) && t.s[i] == ',' && !first:
		i++
	case !first:
		return false
	}
	end := i + 1 + len(name)
	if end+1 >= len(t.s) || t.s[i] != '"' || t.s[i+1:end] != name || t.s[end] != '"' || t.s[end+1] != ':' {
		return false
	}
	t.at = end + 2
	return true
}

// AnyKey reads the name of the next field, whichever it is; ok is false at the end of the object.
func (t *Text) AnyKey() (name string, ok bool) {
	switch first := !t.bad && t.s[t.at-1] == '{'; {
	case t.bad || t.peek() == '}':
		return "", false
	case !first:
		t.take(',')
	}
	name = t.String()
	t.take(':')
	return name, !t.bad
}

// Array goes past the beginning of an array.
func (t *Text) Array() { t.take('[') }

// More reports whether another element follows; at the end it goes past it.
func (t *Text) More() bool {
	if t.bad {
		return false
	}
	first := t.s[t.at-1] == '['
	switch c := t.peek(); {
	case c == ']':
		t.at++
		return false
	case first:
		return true
	case c == ',':
		t.at++
		return true
	}
	t.bad = true
	return false
}

// Plain reads a string without escapes; with any, the text is bad.
func (t *Text) Plain() string {
	s, escaped := t.quoted()
	if escaped {
		t.bad = true
		return ""
	}
	return s
}

// String reads a string.
func (t *Text) String() string {
	start := t.at
	s, escaped := t.quoted()
	if !escaped || t.bad {
		return s
	}
	s = ""
	if json.Unmarshal([]byte(t.s[start:t.at]), &s) != nil {
		t.bad = true
	}
	return s
}

// quoted goes past a string and returns what stands between its quotes.
func (t *Text) quoted() (s string, escaped bool) {
	t.take('"')
	if t.bad {
		return "", false
	}
	ascii := true
	for i := t.at; i < len(t.s); i++ {
		switch c := t.s[i]; {
		case c == '"':
			s, t.at = t.s[t.at:i], i+1
			if !ascii && !utf8.ValidString(s) { // encoding/json replaces what is not
				t.bad = true
			}
			return s, escaped
		case c == '\\':
			escaped = true
			i++
		case c < 0x20:
			t.bad = true
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	t.bad = true
	return "", false
}

// Int reads a whole number.
func (t *Text) Int() int64 {
	i := t.at
	if t.bad {
		return 0
	}
	if i < len(t.s) && t.s[i] == '-' {
		i++
	}
	digits := i
	for i < len(t.s) && t.s[i] >= '0' && t.s[i] <= '9' {
		i++
	}
	n, err := strconv.ParseInt(t.s[t.at:i], 10, 64)
	if err != nil || i-digits > 1 && t.s[digits] == '0' {
		t.bad = true
		return 0
	}
	t.at = i
	return n
}

// Bool reads true or false.
func (t *Text) Bool() bool {
	for _, word := range [...]string{"true", "false"} {
		if !t.bad && strings.HasPrefix(t.s[t.at:], word) {
			t.at += len(word)
			return word == "true"
		}
	}
	t.bad = true
	return false
}

// Skip goes past a value of whatever kind and returns it. It looks at
// quotes and brackets only, not at whether all between them is well formed.
func (t *Text) Skip() string {
	if t.bad {
		return ""
	}
	n := valueEnd(t.s[t.at:])
	if n == 0 {
		t.bad = true
		return ""
	}
	v := t.s[t.at : t.at+n]
	t.at += n
	return v
}

// valueEnd is the length of the value that s begins with; 0 when it does not end.
func valueEnd(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case '"':
		for i := 1; ; {
			n := strings.IndexByte(s[i:], '"')
			if n < 0 {
				return 0
			}
			back := strings.IndexByte(s[i:i+n], '\\')
			if back < 0 {
				return i + n + 1
			}
			if i += back + 2; i > len(s) {
				return 0
			}
		}
	case '[', '{':
		depth, inText := 0, false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case inText && c == '\\':
				i++
			case c == '"':
				inText = !inText
			case inText:
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		return 0
	}
	for i := range len(s) {
		if c := s[i]; c == ',' || c == '}' || c == ']' {
			return i
		}
	}
	return len(s)
}
