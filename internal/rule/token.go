package rule

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokOp tokenKind = iota
	tokIdent
	tokInt
	tokNumber
	tokString
)

// token is a word of a condition with its place.
type token struct {
	kind     tokenKind
	text     string
	from, to int
	lead     int  // where comments directly before it begin
	infix    bool // stands between two values
}

func (t token) opens() bool {
	return t.kind == tokOp && (t.text == "(" || t.text == "[" || t.text == "{")
}

func (t token) closes() bool {
	return t.kind == tokOp && (t.text == ")" || t.text == "]" || t.text == "}")
}

var operatorTexts = []string{"&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"}

// tokens splits a condition into words; false when it holds what CEL does not.
func tokens(src string) ([]token, bool) {
	var out []token
	lead := -1
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f':
			i++
			continue
		case strings.HasPrefix(src[i:], "//"):
			if lead < 0 {
				lead = i
			}
			end := strings.IndexByte(src[i:], '\n')
			if end < 0 {
				return out, len(out) > 0
			}
			i += end
			continue
		}
		t := token{from: i}
		switch {
		case isLetter(c):
			t.kind = tokIdent
			t.to = i
			for t.to < len(src) && (isLetter(src[t.to]) || isDigit(src[t.to])) {
				t.to++
			}
			if t.to < len(src) && (src[t.to] == '"' || src[t.to] == '\'') && t.to-i <= 2 && strings.Trim(src[i:t.to], "rRbB") == "" {
				t.kind = tokString
				t.to = stringEnd(src, t.to, strings.ContainsAny(src[i:t.to], "rR"))
			}
		case c == '"' || c == '\'':
			t.kind, t.to = tokString, stringEnd(src, i, false)
		case isDigit(c):
			t.kind, t.to = tokInt, i
			for t.to < len(src) && (isLetter(src[t.to]) || isDigit(src[t.to]) || src[t.to] == '.') {
				if !isDigit(src[t.to]) {
					t.kind = tokNumber
				}
				t.to++
			}
		default:
			for _, op := range operatorTexts {
				if strings.HasPrefix(src[i:], op) {
					t.to = i + len(op)
					break
				}
			}
		}
		if t.to <= i {
			return nil, false
		}
		t.text, t.lead = src[t.from:t.to], t.from
		if lead >= 0 {
			t.lead, lead = lead, -1
		}
		if t.kind == tokIdent && t.text == "in" && (len(out) == 0 || out[len(out)-1].text != ".") {
			t.kind = tokOp
		}
		t.infix = t.kind == tokOp && strings.Contains(" == != <= >= < > + - * / % in ", " "+t.text+" ")
		out = append(out, t)
		i = t.to
	}
	return out, true
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// stringEnd is where the literal that begins at i ends, 0 when it does not.
func stringEnd(src string, i int, raw bool) int {
	q := src[i : i+1]
	if strings.HasPrefix(src[i:], strings.Repeat(q, 3)) {
		q = strings.Repeat(q, 3)
	}
	for k := i + len(q); k < len(src); k++ {
		switch {
		case src[k] == '\\' && !raw:
			k++
		case strings.HasPrefix(src[k:], q):
			return k + len(q)
		case src[k] == '\n' && len(q) == 1:
			return 0
		}
	}
	return 0
}

// balanced reports whether every bracket is closed by its like.
func balanced(ts []token) bool {
	var open []string
	for _, t := range ts {
		switch {
		case t.opens():
			open = append(open, map[string]string{"(": ")", "[": "]", "{": "}"}[t.text])
		case t.closes():
			if len(open) == 0 || open[len(open)-1] != t.text {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0
}

// unquote reads a simple literal: "x" or 'x'; others stay as text in the builder.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' && s[0] != '\'' || strings.HasPrefix(s, `"""`) || strings.HasPrefix(s, "'''") {
		return "", false
	}
	body := s[1 : len(s)-1]
	if !strings.Contains(body, `\`) {
		return body, true
	}
	if s[0] == '\'' {
		return "", false
	}
	out, err := strconv.Unquote(s)
	return out, err == nil && utf8.ValidString(out)
}

// quote writes a text literal.
func quote(s string) string { return strconv.Quote(s) }

func index(i int) string { return strconv.Itoa(i) }
