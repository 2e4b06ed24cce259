package yamltext

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// width is the length of line that new text is broken at.
const width = 100

// Quote writes a text as a scalar on one line, quoted only where it must be.
func Quote(s string, flow bool) string {
	if plainSafe(s, flow) {
		return s
	}
	return doubled(s)
}

// QuoteKey writes a key on one line, quoted only where it must be.
func QuoteKey(key string) string {
	if plainSafe(key, true) || strings.ContainsAny(key, "'\n") {
		return Quote(key, true)
	}
	return "'" + key + "'"
}

// doubled writes a text in double quotes; what JSON writes is YAML.
func doubled(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}

// plainSafe reports whether a text means itself without quotes.
func plainSafe(s string, flow bool) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.HasSuffix(s, ":") || strings.Contains(s, ": ") || strings.Contains(s, " #") {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == utf8.RuneError || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == 0x7f {
			return false
		}
	}
	if flow && strings.ContainsAny(s, ",[]{}") {
		return false
	}
	if strings.ContainsRune("?:,[]{}#&*!|>'\"%@`=~<", rune(s[0])) || s[0] == '-' && (len(s) == 1 || s[1] == ' ' || s[1] == '-') || strings.HasPrefix(s, "...") {
		return false
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", ".inf", ".nan", "y", "n":
		return false
	}
	return true
}

// scalar writes a text as the value of a block collection's entry, in the style it had before where that
// can carry it. indent is where the lines of a block scalar begin; comment is the one that stands on the line.
func scalar(s string, was style, flow bool, indent int, comment string) string {
	pad := "\n" + strings.Repeat(" ", indent)
	head := func(mark string) string {
		if comment != "" {
			mark += " " + comment
		}
		return mark
	}
	lines := strings.Contains(s, "\n")
	long := indent+utf8.RuneCountInString(s) > width+10
	switch {
	case flow && (was == single || was == double) && !lines || !flow && !lines && !long && was == double:
		return doubled(s)
	case flow:
		return Quote(s, true)
	case !lines && !long && was == single:
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	case lines && blockSafe(s) || was == literal && blockSafe(s):
		return head("|-") + pad + strings.ReplaceAll(strings.ReplaceAll(s, "\n", pad), pad+"\n", "\n\n")
	case (long || was == folded) && blockSafe(s) && foldSafe(s):
		return head(">-") + pad + strings.Join(fold(s, width-indent), pad)
	}
	return Quote(s, false)
}

// blockSafe reports whether a text can stand in a block scalar as it is.
func blockSafe(s string) bool {
	for _, r := range s {
		if r < ' ' && r != '\n' || r == utf8.RuneError || r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == 0x7f {
			return false
		}
	}
	for _, line := range strings.Split(s, "\n") {
		if strings.TrimRight(line, " ") != line {
			return false
		}
	}
	return s != "" && s[0] != ' ' && s[0] != '\n' && !strings.HasSuffix(s, "\n")
}

// foldSafe reports whether line breaks may be put at the blanks of a text and are read as blanks again.
func foldSafe(s string) bool { return !strings.Contains(s, "\n") && !strings.Contains(s, "  ") }

// fold breaks a text at blanks.
func fold(s string, width int) []string {
	var out []string
	for utf8.RuneCountInString(s) > width {
		cut := -1
		for i, n := 0, 0; i < len(s); n++ {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == ' ' && (n <= width || cut < 0) {
				cut = i
			}
			if n > width && cut >= 0 {
				break
			}
			i += size
		}
		if cut < 0 {
			break
		}
		out = append(out, s[:cut])
		s = s[cut+1:]
	}
	return append(out, s)
}

// places maps the bytes of a scalar's value to the bytes of the text; blanks have -1. False when the
// value cannot be followed in the text, as with escapes.
func (d *Doc) places(n *Node) ([]int, bool) {
	at, to := n.Start, n.End
	switch n.style {
	case double, single:
		at, to = at+1, to-1
		if n.style == double && strings.Contains(d.Text[at:to], `\`) {
			return nil, false
		}
	case literal, folded:
		at += strings.IndexByte(d.Text[at:]+"\n", '\n')
	}
	out := make([]int, len(n.Value))
	for i := 0; i < len(n.Value); i++ {
		c := n.Value[i]
		out[i] = -1
		if c == ' ' || c == '\n' {
			continue
		}
		for at < to && (d.Text[at] == ' ' || d.Text[at] == '\n') {
			at++
		}
		if at >= to || d.Text[at] != c {
			return nil, false
		}
		out[i] = at
		if at++; n.style == single && c == '\'' {
			at++
		}
	}
	return out, true
}
