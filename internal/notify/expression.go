package notify

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/schema"
)

// token of a Liquid expression, as the engine's own scanner would cut it.
type token struct {
	kind tokenKind
	text string
}

type tokenKind uint8

const (
	tokName     tokenKind = iota // order, forloop, and, contains …
	tokKey                       // limit: or a filter with arguments
	tokProperty                  // .number
	tokString
	tokNumber
	tokOther // | , ( ) [ ] == != < > <= >= =
)

// scan cuts an expression. The second result says what is wrong with it, or is "".
func scan(s string) (out []token, wrong string) {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '"' || c == '\'':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return nil, "a text in quotes is not closed"
			}
			out = append(out, token{tokString, s[i : i+end+2]})
			i += end + 2
		case isDigit(c) || c == '-' && i+1 < len(s) && isDigit(s[i+1]):
			j := i + 1
			for j < len(s) && isDigit(s[j]) {
				j++
			}
			if j+1 < len(s) && s[j] == '.' && isDigit(s[j+1]) {
				j++
				for j < len(s) && isDigit(s[j]) {
					j++
				}
			}
			if j-i > 12 {
				return nil, "the number " + s[i:j] + " is too long"
			}
			out = append(out, token{tokNumber, s[i:j]})
			i = j
		case isLetter(c):
			j := nameEnd(s, i)
			if j < len(s) && s[j] == ':' {
				out = append(out, token{tokKey, s[i:j]})
				j++
			} else {
				out = append(out, token{tokName, s[i:j]})
			}
			i = j
		case c == '.' && i+1 < len(s) && s[i+1] == '.':
			return nil, "a range (a..b) cannot be used here; loop over a list"
		case c == '.' && i+1 < len(s) && isLetter(s[i+1]):
			j := nameEnd(s, i+1)
			out = append(out, token{tokProperty, s[i+1 : j]})
			i = j
		case i+1 < len(s) && slices.Contains([]string{"==", "!=", "<=", ">="}, s[i:i+2]):
			out = append(out, token{tokOther, s[i : i+2]})
			i += 2
		case strings.IndexByte("|,()[]<>=", c) >= 0:
			out = append(out, token{tokOther, s[i : i+1]})
			i++
		default:
			return nil, "the character " + quote(s[i:]) + " has no meaning here"
		}
	}
	return out, ""
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c == '_' || (c|0x20) >= 'a' && (c|0x20) <= 'z' }

func nameEnd(s string, i int) int {
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '-') {
		i++
	}
	if i < len(s) && s[i] == '?' {
		i++
	}
	return i
}

// quote shows the first character of s.
func quote(s string) string {
	for _, r := range s {
		return "“" + string(r) + "”"
	}
	return "“”"
}

// words of the expression language that are no variables.
var words = map[string]bool{"and": true, "or": true, "contains": true, "true": true, "false": true, "nil": true, "in": true}

// maxOperands bounds one expression: nobody writes more by hand, and the engine's work grows with it.
const maxOperands = 30

// checkExpression reports what is wrong with the names in an expression; the
// engine's parser has the last word on its grammar. It returns the expression's variable when it is
// nothing but one, else an opaque one.
func (c *checker) checkExpression(line int, src string) *variable {
	toks, wrong := scan(src)
	if wrong != "" {
		c.problem(line, "%s", wrong)
		return &variable{shape: opaque}
	}
	var only *variable
	operands := 0
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		switch {
		case t.kind == tokOther && t.text == "|":
			if i+1 >= len(toks) || (toks[i+1].kind != tokName && toks[i+1].kind != tokKey) {
				c.problem(line, "a filter must be named after |")
				return &variable{shape: opaque}
			}
			i++
			c.checkFilter(line, toks[i], toks[i+1:])
			only = nil
		case t.kind == tokKey:
			c.problem(line, "%q: a colon stands only behind the name of a filter", t.text)
		case t.kind == tokName && !words[t.text]:
			v, n := c.resolve(line, toks[i:])
			i += n - 1
			if operands++; operands == 1 && i == len(toks)-1 {
				only = v
			}
		case t.kind == tokString || t.kind == tokNumber:
			operands++
		}
	}
	if operands > maxOperands {
		c.problem(line, "the expression has %d parts; at most %d are taken", operands, maxOperands)
	}
	if len(toks) == 0 {
		c.problem(line, "an expression is missing")
	}
	if only == nil {
		only = &variable{shape: opaque}
	}
	return only
}

// resolve follows a path such as order.lines[0].title and returns what it names and how many tokens it took.
func (c *checker) resolve(line int, toks []token) (*variable, int) {
	name := toks[0].text
	v := c.lookup(name)
	if v == nil {
		c.problem(line, "there is no variable %q%s", name, c.meant(name))
		v = &variable{shape: opaque}
	}
	n := 1
	for n < len(toks) {
		switch t := toks[n]; {
		case t.kind == tokProperty:
			v = c.property(line, name, v, t.text)
			name += "." + t.text
			n++
		case t.kind == tokOther && t.text == "[":
			if n+2 >= len(toks) || toks[n+1].kind != tokNumber || toks[n+2].text != "]" {
				c.problem(line, "%s[…]: only a number can stand in the brackets", name)
				return &variable{shape: opaque}, len(toks)
			}
			if v.shape == list {
				v = v.elem
			} else if v.shape != opaque {
				c.problem(line, "%s is no list", name)
				v = &variable{shape: opaque}
			}
			name += "[]"
			n += 3
		default:
			return v, n
		}
	}
	return v, n
}

func (c *checker) property(line int, name string, v *variable, prop string) *variable {
	switch v.shape {
	case opaque:
		return v
	case list:
		switch prop {
		case "size":
			return val("how many")
		case "first", "last":
			return v.elem
		}
		c.problem(line, "%s is a list: write {%% for x in %s %%}, or %s.size, %s.first, %s.last", name, name, name, name, name)
	case value:
		c.problem(line, "%s is a value and has no part %q", name, prop)
	case group:
		if f := v.fields[prop]; f != nil {
			return f
		}
		c.problem(line, "%s has no part %q%s", name, prop, didYouMean(prop, keys(v.fields)))
	}
	return &variable{shape: opaque}
}

// lookup finds a name: the innermost loop first, then what the template assigned, then the data.
func (c *checker) lookup(name string) *variable {
	for _, s := range slices.Backward(c.scopes) {
		if v := s.names[name]; v != nil {
			return v
		}
	}
	return root[name]
}

// meant proposes a name in scope, or a full path whose last part was written alone.
func (c *checker) meant(name string) string {
	names := keys(root)
	for _, s := range c.scopes {
		names = append(names, keys(s.names)...)
	}
	for _, v := range Variables() {
		if !strings.Contains(v.Name, "[]") {
			names = append(names, v.Name)
		}
	}
	return didYouMean(name, names)
}

func didYouMean(word string, names []string) string {
	slices.Sort(names)
	if near := schema.Nearest(word, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// checkFilter checks a filter's name and the number of its arguments.
func (c *checker) checkFilter(line int, t token, rest []token) {
	f, ok := filters[t.text]
	if !ok {
		c.problem(line, "there is no filter %q%s", t.text, didYouMean(t.text, keys(filters)))
		return
	}
	n := 0
	if t.kind == tokKey {
		n = 1
		depth := 0
		for _, r := range rest {
			switch r.text {
			case "(", "[":
				depth++
			case ")", "]":
				depth--
			}
			if depth < 0 || depth == 0 && r.kind == tokOther && r.text != "," && r.text != ")" && r.text != "]" || r.kind == tokName && (r.text == "and" || r.text == "or") {
				break
			}
			if r.kind == tokOther && r.text == "," && depth == 0 {
				n++
			}
		}
	}
	if n < f.least || n > f.most {
		c.problem(line, "the filter %s takes %s", t.text, f.usage)
	}
}
