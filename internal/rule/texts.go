package rule

import (
	"regexp/syntax"
	"slices"
	"strings"

	"orderly.example/orderly/internal/money"
)

// textTester is a test of a text by constants.
type textTester struct {
	name  string // in, startsWith, endsWith, contains, matches, order, country, currency or lower
	list  []string
	arg   string
	op    op
	match func(string) bool
}

// pass reports whether a text passes.
func (t textTester) pass(s string) bool {
	switch t.name {
	case "in":
		return slices.Contains(t.list, s)
	case "order":
		return cmpText(t.op, s, t.arg)
	case "matches":
		return t.match(s)
	case "country":
		return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
	case "currency":
		_, ok := money.Digits(s)
		return ok
	case "lower":
		return s == strings.ToLower(s)
	}
	return textTest[t.name](s, t.arg)
}

// promised are the tests that every value of a field passes.
func promised(name string) []textTester {
	switch name {
	case "order.shipping.country", "order.billing.country":
		return []textTester{{name: "country"}}
	case "order.currency":
		return []textTester{{name: "currency"}}
	case "customer.email_domain":
		return []textTester{{name: "lower"}}
	}
	if list := oneOf[name]; list != nil {
		return []textTester{{name: "in", list: list}}
	}
	return nil
}

// contradict reports whether no text at all can pass, as its beginning or its end would have to be two things.
func contradict(tests []textGoal) bool {
	for _, a := range tests {
		if a.neg {
			continue
		}
		for _, b := range tests {
			if a.test.name != b.test.name {
				continue
			}
			switch a.test.name {
			case "startsWith":
				if b.neg && strings.HasPrefix(a.test.arg, b.test.arg) ||
					!b.neg && !strings.HasPrefix(a.test.arg, b.test.arg) && !strings.HasPrefix(b.test.arg, a.test.arg) {
					return true
				}
			case "endsWith":
				if b.neg && strings.HasSuffix(a.test.arg, b.test.arg) ||
					!b.neg && !strings.HasSuffix(a.test.arg, b.test.arg) && !strings.HasSuffix(b.test.arg, a.test.arg) {
					return true
				}
			case "contains":
				if b.neg && strings.Contains(a.test.arg, b.test.arg) {
					return true
				}
			case "matches":
				if b.neg && a.test.arg == b.test.arg {
					return true
				}
			}
		}
		for _, b := range tests { // what begins or ends with a text contains it
			if b.neg && b.test.name == "contains" && (a.test.name == "startsWith" || a.test.name == "endsWith") && strings.Contains(a.test.arg, b.test.arg) {
				return true
			}
		}
	}
	return false
}

// inventions are texts that may pass; each is tried on the tests.
func inventions(tests []textGoal, names []string) []string {
	prefix, middle, suffix := "", "", ""
	var out []string
	for _, t := range tests {
		if t.neg {
			continue
		}
		switch t.test.name {
		case "startsWith":
			prefix = longer(prefix, t.test.arg)
		case "endsWith":
			suffix = longer(suffix, t.test.arg)
		case "contains":
			middle += t.test.arg
		case "matches":
			if s, ok := sampleOfPattern(t.test.arg); ok {
				out = append(out, s)
			}
		case "order":
			out = append(out, t.test.arg, t.test.arg+"a")
		case "country":
			out = append(out, "US", "GB", "IT", "ES", "PL", "CH", "SE", "NO", "JP", "BR", "BE", "DK")
		case "currency":
			out = append(out, "EUR", "USD", "GBP", "CHF", "JPY", "SEK")
		}
	}
	for _, n := range names {
		for _, u := range usual[n] {
			out = append(out, prefix+middle+u+suffix, prefix+u+middle+suffix)
		}
	}
	for _, filler := range []string{"", "1", "115", "a", "b", "c", "A", "x-1", "é"} {
		out = append(out, prefix+middle+filler+suffix, prefix+filler+middle+suffix)
	}
	for _, t := range tests { // a prefix and a suffix may overlap
		if !t.neg && t.test.arg != "" {
			out = append(out, t.test.arg)
		}
	}
	return out
}

func longer(a, b string) string {
	if len(b) > len(a) {
		return b
	}
	return a
}

// sampleOfPattern is a short text that a pattern is meant to fit; it is tried, so it need not.
func sampleOfPattern(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	var walk func(*syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch re.Op {
		case syntax.OpLiteral:
			b.WriteString(string(re.Rune))
		case syntax.OpCharClass:
			if len(re.Rune) > 0 {
				r := re.Rune[0]
				for i := 0; i+1 < len(re.Rune); i += 2 { // a letter or digit reads better than a control character
					if re.Rune[i] >= '0' && re.Rune[i] <= 'z' {
						r = re.Rune[i]
						break
					}
				}
				b.WriteRune(r)
			}
		case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
			b.WriteByte('a')
		case syntax.OpPlus, syntax.OpCapture:
			walk(re.Sub[0])
		case syntax.OpAlternate:
			walk(re.Sub[0])
		case syntax.OpRepeat:
			for range min(re.Min, 64) {
				walk(re.Sub[0])
			}
		case syntax.OpConcat:
			for _, sub := range re.Sub {
				walk(sub)
			}
		}
	}
	walk(re)
	return b.String(), b.Len() < 1000
}
