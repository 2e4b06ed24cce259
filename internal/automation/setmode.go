package automation

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/fault"
)

var (
	modeLine  = regexp.MustCompile(`^mode:[ \t]*("[^"]*"|'[^']*'|[^#\s]*)`)
	shareLine = regexp.MustCompile(`^share:[ \t]*("[^"]*"|'[^']*'|[^#\s]*)`)
	onLine    = regexp.MustCompile(`^on:`)
)

// WithMode returns the text of an automation in another mode; share is for
// canary, in percent. Every other line stays as it was written.
func WithMode(name string, text []byte, mode Mode, share int) ([]byte, error) {
	const opName = "automation.WithMode"
	was, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	newline := "\n"
	if bytes.Contains(text, []byte("\r\n")) {
		newline = "\r\n"
	}
	var out []string
	wrote := false
	write := func(rest string) {
		out = append(out, "mode: "+string(mode)+rest)
		if mode == Canary {
			out = append(out, "share: "+strconv.Itoa(share)+"%")
		}
		wrote = true
	}
	for line := range strings.SplitSeq(strings.TrimRight(string(text), "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch m := modeLine.FindString(line); {
		case m != "":
			write(line[len(m):])
		case shareLine.MatchString(line):
		default:
			out = append(out, line)
		}
	}
	if !wrote { // the key was left out: it goes where people look for it, below what sets the automation off
		lines := out
		out = make([]string, 0, len(lines)+2)
		for _, line := range lines {
			out = append(out, line)
			if onLine.MatchString(line) {
				write("")
			}
		}
	}
	edited := []byte(strings.Join(out, newline) + newline)
	now, err := Parse(name, edited)
	if err != nil {
		return nil, err
	}
	same := now.Name == was.Name && now.Owner == was.Owner && now.On == was.On && now.When == was.When &&
		len(now.Steps) == len(was.Steps) && now.Limits == was.Limits
	if now.Mode != mode || !same {
		return nil, fault.New(fault.Invalid, opName, "the mode cannot be changed in this text; write mode: %s in it by hand", mode)
	}
	return edited, nil
}

// InModeOf is the text of an automation in the mode of another text of it; as it is, when either cannot be read.
func InModeOf(name, text, other string) string {
	a, err := Parse(name, []byte(other))
	if err != nil {
		return text
	}
	b, err := Parse(name, []byte(text))
	if err != nil || a.Mode == b.Mode && a.Share == b.Share {
		return text
	}
	if out, err := WithMode(name, []byte(text), a.Mode, a.Share); err == nil {
		return string(out)
	}
	return text
}
