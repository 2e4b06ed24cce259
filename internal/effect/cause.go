package effect

import (
	"regexp"
	"strings"

	"orderly.example/orderly/internal/event"
)

// What is different in every error of one cause, in the order in which it is looked for.
var differing = []struct {
	what *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`[\w.+-]+@[\w.-]+\.\w+`), "<address>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?`), "<time>"},
	{regexp.MustCompile(`\b\d\d?:\d\d(:\d\d)?\b`), "<time>"},
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<id>"},
	{regexp.MustCompile(`\b(ord|eff|cus|run|tmr|tsk)_[0-9a-z.]+\b`), "<id>"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(ms|s|min|h|bytes|KiB|MiB|B)\b`), "<n>"},
}

var (
	word    = regexp.MustCompile(`[0-9A-Za-z_-]*[0-9][0-9A-Za-z_-]*`)
	status  = regexp.MustCompile(`^[2-5]\d\d$`)       // of HTTP and SMTP: a part of the cause
	refined = regexp.MustCompile(`\b[245]\.\d\.\d\b`) // of SMTP
	spaces  = regexp.MustCompile(`\s+`)
)

// Cause is what an error says without what is different each time: addresses, times, ids and numbers.
// Status codes stay, as they tell causes apart, and so do hosts with their ports.
func Cause(text string) string {
	for _, d := range differing {
		text = d.what.ReplaceAllString(text, d.is)
	}
	var kept []string
	text = refined.ReplaceAllStringFunc(text, func(s string) string {
		kept = append(kept, s)
		return "\x00"
	})
	hosts := strings.Fields(text)
	for i, f := range hosts {
		if strings.Contains(f, "\x00") || strings.Contains(f, ".") && strings.IndexFunc(f, func(r rune) bool { return r >= 'a' && r <= 'z' }) >= 0 || strings.Count(f, ".") == 3 {
			continue // a host, or an address with its port
		}
		hosts[i] = word.ReplaceAllStringFunc(f, func(w string) string {
			if status.MatchString(w) {
				return w
			}
			return "#"
		})
	}
	text = strings.Join(hosts, " ")
	for _, k := range kept {
		text = strings.Replace(text, "\x00", k, 1)
	}
	return spaces.ReplaceAllString(strings.TrimSpace(text), " ")
}

// CauseKey names the group of dead letters of one cause: where they should have gone, and what they failed of.
func CauseKey(destination, lastError string) string {
	return event.Derive("cau_", destination, Cause(lastError))
}
