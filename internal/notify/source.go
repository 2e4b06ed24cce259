package notify

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"orderly.example/orderly/internal/fault"
)

// A template file has a head, the plain text and, if it wants one, the HTML of the same content:
//
//	---
//	subject: We have your order {{ order.number }}
//	---
//	Hello {{ customer.name }}, …
//	--- html ---
//	<p>Hello {{ customer.name }}, …</p>
//
// The HTML part is the content only: the frame, the footer and the styles of plain
// h1, h2, p, ul, li, a and blockquote are added.

// htmlMark stands alone on the line before the HTML part.
const htmlMark = "--- html ---"

// headKeys are what the head may hold.
var headKeys = []string{"subject", "about"}

// piece is one part of the file and the line it begins at.
type piece struct {
	text string
	line int
}

type source struct{ parts [3]piece }

// readSource splits a template file.
func readSource(file string, data []byte) (src source, problems []fault.Problem) {
	bad := func(line int, format string, args ...any) {
		problems = append(problems, fault.Problem{Pointer: fmt.Sprintf("%s:%d", file, line), Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case len(data) > maxSource:
		bad(1, "the file has %d bytes; at most %d are taken", len(data), maxSource)
		return src, problems
	case !utf8.Valid(data):
		bad(1, "the file is not UTF-8 text")
		return src, problems
	}
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	if i := strings.IndexByte(text, 0); i >= 0 {
		bad(1+strings.Count(text[:i], "\n"), "the file holds a NUL byte")
		return src, problems
	}
	lines := strings.Split(text, "\n")
	if strings.TrimRight(lines[0], " \t") != "---" {
		bad(1, "the file begins with a head between two lines of ---; it holds the subject")
		return src, problems
	}
	n := 1
	seen := map[string]bool{}
	for ; n < len(lines) && strings.TrimRight(lines[n], " \t") != "---"; n++ {
		line := strings.TrimSpace(lines[n])
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok:
			bad(n+1, "write \"subject: …\"")
		case seen[key]:
			bad(n+1, "%s is given twice", key)
		case key == "subject":
			src.parts[partSubject] = piece{value, n + 1}
		case key != "about":
			bad(n+1, "the head has no %q%s", key, didYouMean(key, append([]string(nil), headKeys...)))
		}
		seen[key] = true
	}
	if n == len(lines) {
		bad(1, "the head is not closed by a line of ---")
		return src, problems
	}
	if src.parts[partSubject].text == "" {
		bad(1, "the head has no subject")
	}
	n++
	at, body := partText, n
	for i := n; i <= len(lines); i++ {
		end := i == len(lines)
		if !end && strings.TrimSpace(lines[i]) != htmlMark {
			continue
		}
		if at == partHTML && !end {
			bad(i+1, "a second %s", htmlMark)
			break
		}
		src.parts[at] = piece{strings.Join(lines[body:i], "\n"), body + 1}
		at, body = partHTML, i+1
	}
	if strings.TrimSpace(src.parts[partText].text) == "" {
		bad(n+1, "the plain text is missing: every message has one, for readers without HTML")
		src.parts[partText].text = ""
	}
	if strings.TrimSpace(src.parts[partHTML].text) == "" {
		src.parts[partHTML].text = ""
	}
	return src, problems
}
