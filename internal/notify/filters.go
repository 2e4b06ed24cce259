package notify

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValue is the longest text a filter may make, in bytes: two that append to each other would double it every line.
const maxValue = 16 << 10

var errTooLong = errors.New("the text becomes too long")

// filter is one filter of the language. The engine's standard ones are left out: some
// reach the clock, run regular expressions or grow without bound. None here reaches anything.
type filter struct {
	least, most int    // arguments
	usage       string // what it takes, for an error
	apply       func(in any, args []any) (any, error)
}

func onText(usage string, n int, f func(s string, args []string) string) filter {
	return filter{n, n, usage, func(in any, args []any) (any, error) {
		texts := make([]string, n)
		for i := range texts {
			if i < len(args) {
				texts[i] = show(args[i])
			}
		}
		s := f(show(in), texts)
		if len(s) > maxValue {
			return nil, errTooLong
		}
		return s, nil
	}}
}

func onNumber(usage string, f func(a, b int64) (int64, error)) filter {
	return filter{1, 1, usage, func(in any, args []any) (any, error) {
		a, err := number(in)
		if err != nil {
			return nil, err
		}
		b, err := number(arg(args, 0))
		if err != nil {
			return nil, err
		}
		n, err := f(a, b)
		return int(n), err
	}}
}

var filters = map[string]filter{
	"default": {1, 1, "one value: the one to use when there is none", func(in any, args []any) (any, error) {
		if in == nil || in == "" || in == false {
			return arg(args, 0), nil
		}
		return in, nil
	}},
	"upcase":   onText("no argument", 0, func(s string, _ []string) string { return strings.ToUpper(s) }),
	"downcase": onText("no argument", 0, func(s string, _ []string) string { return strings.ToLower(s) }),
	"capitalize": onText("no argument", 0, func(s string, _ []string) string {
		r, n := utf8.DecodeRuneInString(s)
		if n == 0 {
			return s
		}
		return string(unicode.ToUpper(r)) + s[n:]
	}),
	"strip":      onText("no argument", 0, func(s string, _ []string) string { return strings.TrimSpace(s) }),
	"append":     onText("one text", 1, func(s string, a []string) string { return s + a[0] }),
	"prepend":    onText("one text", 1, func(s string, a []string) string { return a[0] + s }),
	"remove":     onText("one text", 1, func(s string, a []string) string { return replaceBounded(s, a[0], "") }),
	"replace":    onText("two texts: what, and by what", 2, func(s string, a []string) string { return replaceBounded(s, a[0], a[1]) }),
	"url_encode": onText("no argument", 0, func(s string, _ []string) string { return url.QueryEscape(s) }),
	"truncate": {1, 1, "one number: the longest length", func(in any, args []any) (any, error) {
		n, err := number(arg(args, 0))
		if err != nil {
			return nil, err
		}
		return clip(show(in), int(min(max(n, 1), maxValue))), nil
	}},
	"size": {0, 0, "no argument", func(in any, _ []any) (any, error) {
		if l, ok := in.([]any); ok {
			return len(l), nil
		}
		return utf8.RuneCountInString(show(in)), nil
	}},
	"join": {0, 1, "at most one text: what stands between", func(in any, args []any) (any, error) {
		l, ok := in.([]any)
		if !ok {
			return show(in), nil
		}
		between := ", "
		if len(args) > 0 {
			between = show(args[0])
		}
		var b strings.Builder
		for i, v := range l {
			if i > 0 {
				b.WriteString(between)
			}
			b.WriteString(show(v))
			if b.Len() > maxValue {
				return nil, errTooLong
			}
		}
		return b.String(), nil
	}},
	"plus":  onNumber("one number", func(a, b int64) (int64, error) { return a + b, nil }),
	"minus": onNumber("one number", func(a, b int64) (int64, error) { return a - b, nil }),
	"times": onNumber("one number", func(a, b int64) (int64, error) { return a * b, nil }),
	"divided_by": onNumber("one number", func(a, b int64) (int64, error) {
		if b == 0 {
			return 0, errors.New("nothing can be divided by zero")
		}
		return a / b, nil
	}),
}

// replaceBounded replaces unless the result would be too long; then it says so by its length.
func replaceBounded(s, old, with string) string {
	if old == "" {
		return s
	}
	if n := strings.Count(s, old); len(s)+n*(len(with)-len(old)) > maxValue {
		return strings.Repeat(" ", maxValue+1)
	}
	return strings.ReplaceAll(s, old, with)
}

func arg(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

// show is a value as text; lists and groups have none.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func number(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case float64:
		return int64(v), nil
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return 0, errors.New("a text is no number; amounts of money cannot be counted with here")
		}
		return n, nil
	}
	return 0, errors.New("not a number")
}
