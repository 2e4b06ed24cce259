package rule

import (
	"fmt"
	"strings"
	"unicode"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"

	"orderly.example/orderly/internal/fault"
)

// otherWords are operators as other languages write them, with how they are written here.
var otherWords = map[string]string{"and": "&&", "or": "||", "=": "==", "<>": "!=", "=>": ">=", "=<": "<=", "not": "!"}

// mended says how a condition that cannot be read would be written, when its author used the operators of
// another language: the problem at the first of them, with the whole text corrected. false: that is not what is wrong.
func mended(env *cel.Env, src string) (fault.Problem, bool) {
	out, first, where := mend(src)
	if first == "" {
		return fault.Problem{}, false
	}
	line := 1 + strings.Count(src[:where], "\n")
	column := len([]rune(src[strings.LastIndexByte(src[:where], '\n')+1 : where]))
	text := fmt.Sprintf("%s is written %s here", first, otherWords[strings.ToLower(first)])
	if _, iss := env.Parse(out); iss.Err() == nil {
		text += ": " + strings.Join(strings.Fields(out), " ")
	}
	return at(common.NewLocation(line, column), "%s", text), true
}

// mend writes the operators of other languages as ours, outside of quotes. first is the first of them and where
// the byte at which it stands; "" when there is none.
func mend(src string) (out, first string, where int) {
	var b strings.Builder
	var open []int // depths of parentheses at which a not must be closed
	depth := 0
	closeNot := func() {
		for len(open) > 0 && open[len(open)-1] >= depth {
			text := b.String()
			trimmed := strings.TrimRight(text, " \n\t")
			b.Reset()
			b.WriteString(trimmed + ")" + text[len(trimmed):])
			open = open[:len(open)-1]
		}
	}
	note := func(word string, at int) {
		if first == "" {
			first, where = word, at
		}
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '"' || c == '\'':
			end := quoteEnd(src, i)
			b.WriteString(src[i:end])
			i = end
		case unicode.IsLetter(rune(c)) || c == '_':
			end := i
			for end < len(src) && (unicode.IsLetter(rune(src[end])) || src[end] == '_' || src[end] == '.' || src[end] >= '0' && src[end] <= '9') {
				end++
			}
			word := src[i:end]
			switch strings.ToLower(word) {
			case "and", "or":
				closeNot()
				note(word, i)
				b.WriteString(otherWords[strings.ToLower(word)])
			case "not":
				note(word, i)
				for end < len(src) && src[end] == ' ' {
					end++
				}
				b.WriteByte('!')
				if end < len(src) && src[end] != '(' {
					b.WriteByte('(')
					open = append(open, depth)
				}
			default:
				b.WriteString(word)
			}
			i = end
		case strings.IndexByte("=<>!", c) >= 0:
			end := i
			for end < len(src) && strings.IndexByte("=<>!", src[end]) >= 0 {
				end++
			}
			op := src[i:end]
			if ours, ok := otherWords[op]; ok {
				note(op, i)
				op = ours
			}
			b.WriteString(op)
			i = end
		case strings.HasPrefix(src[i:], "&&") || strings.HasPrefix(src[i:], "||"):
			closeNot()
			b.WriteString(src[i : i+2])
			i += 2
		default:
			switch c {
			case '(':
				depth++
			case ')':
				closeNot()
				depth--
			}
			b.WriteByte(c)
			i++
		}
	}
	depth = 0
	closeNot()
	return b.String(), first, where
}

// quoteEnd is the place behind a quoted text that begins at i.
func quoteEnd(src string, i int) int {
	for j := i + 1; j < len(src); j++ {
		switch src[j] {
		case '\\':
			j++
		case src[i]:
			return j + 1
		}
	}
	return len(src)
}
