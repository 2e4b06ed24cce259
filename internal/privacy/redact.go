package privacy

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Erased stands where personal data stood.
const Erased = "[erased]"

// redactor takes what identifies one person out of texts.
type redactor struct {
	values []string // whole values, lower case: mail, phone, street lines, names
	words  []string // single words of the names, lower case
}

// text replaces values wherever they stand, and in sentences also single words of the name.
func (x redactor) text(s string) string {
	for _, v := range x.values {
		s = replaceFold(s, v, false)
	}
	if strings.IndexFunc(s, unicode.IsSpace) >= 0 { // one word alone may be a state, a code or an id
		for _, w := range x.words {
			s = replaceFold(s, w, true)
		}
	}
	return s
}

// replaceFold replaces a lower-case text in any case of letters; with whole only between other characters than letters and digits.
func replaceFold(s, old string, whole bool) string {
	if old == "" {
		return s
	}
	low := strings.ToLower(s)
	if len(low) != len(s) { // a letter whose lower case has another length: offsets would not fit
		if low == s || !strings.Contains(low, old) {
			return s
		}
		s = low
	}
	var b strings.Builder
	at := 0
	for {
		i := strings.Index(low[at:], old)
		if i < 0 {
			break
		}
		i += at
		end := i + len(old)
		if whole && (wordBefore(s, i) || wordAfter(s, end)) {
			b.WriteString(s[at:end])
		} else {
			b.WriteString(s[at:i])
			b.WriteString(Erased)
		}
		at = end
	}
	if at == 0 {
		return s
	}
	b.WriteString(s[at:])
	return b.String()
}

func wordBefore(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return i > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func wordAfter(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return i < len(s) && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// json redacts the string values of a document and leaves every other byte as it is. What
// stands under a key of whole is replaced altogether, at any depth.
func (x redactor) json(doc string, whole map[string]bool) string {
	var out bytes.Buffer
	var stack []frame
	in := func() bool { return len(stack) > 0 && stack[len(stack)-1].whole }
	for i := 0; i < len(doc); {
		switch c := doc[i]; c {
		case '{', '[':
			f := frame{object: c == '{', whole: in()}
			if n := len(stack); n > 0 && whole[stack[n-1].key] {
				f.whole = true
			}
			stack = append(stack, f)
		case '}', ']':
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		case '"':
			end := i + 1
			for end < len(doc) && doc[end] != '"' {
				if doc[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(doc) { // no document: leave the rest
				out.WriteString(doc[i:])
				return out.String()
			}
			lit := doc[i : end+1]
			rest := strings.TrimLeft(doc[end+1:], " \t\r\n")
			n := len(stack)
			if n > 0 && stack[n-1].object && strings.HasPrefix(rest, ":") {
				_ = json.Unmarshal([]byte(lit), &stack[n-1].key) // a key that cannot be read is no key of ours
				out.WriteString(lit)
			} else {
				out.WriteString(x.literal(lit, in() || n > 0 && whole[stack[n-1].key]))
			}
			i = end + 1
			continue
		}
		out.WriteByte(doc[i])
		i++
	}
	return out.String()
}

type frame struct {
	object, whole bool
	key           string
}

func (x redactor) literal(lit string, whole bool) string {
	var s string
	if json.Unmarshal([]byte(lit), &s) != nil || s == "" {
		return lit
	}
	t := Erased
	if !whole {
		if t = x.text(s); t == s {
			return lit
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(t) != nil {
		return lit
	}
	return strings.TrimSuffix(b.String(), "\n")
}
