package csvfile

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Bar returns a Progress callback that writes to w: one line that redraws
// itself on a terminal, otherwise a plain line every ten seconds, so that a log stays readable.
func Bar(w io.Writer, terminal bool) func(Progress) {
	var last time.Duration
	return func(p Progress) {
		every := 10 * time.Second
		if terminal {
			every = 100 * time.Millisecond
		}
		if p.Phase != "done" && p.Elapsed-last < every {
			return
		}
		last = p.Elapsed
		share := -1.0
		switch {
		case p.Phase == "reading" && p.Size > 0 && p.Bytes > 0:
			share = float64(p.Bytes) / float64(p.Size)
		case p.Phase == "deciding" && p.AllEvents > 0:
			share = float64(p.Events) / float64(p.AllEvents)
		case p.Phase != "reading" && p.Total > 0:
			share = float64(p.Rows) / float64(p.Total)
		}
		text := fmt.Sprintf("%-9s %s", p.Phase, grouped(p.Rows))
		if p.Total > 0 {
			text += " of " + grouped(p.Total)
		}
		text += " rows"
		if p.Phase == "deciding" {
			text += fmt.Sprintf(", %s of %s events", grouped(p.Events), grouped(p.AllEvents))
		}
		if secs := p.Elapsed.Seconds(); secs > 0.05 && p.Phase != "deciding" {
			text += fmt.Sprintf(", %s/s", grouped(int64(float64(p.Rows)/secs)))
		}
		if p.Rejected > 0 {
			text += fmt.Sprintf(", %s rejected", grouped(p.Rejected))
		}
		if !terminal {
			fmt.Fprintln(w, text)
			return
		}
		const width = 30
		bar := strings.Repeat(" ", width)
		if share >= 0 {
			n := min(int(share*width), width)
			bar = strings.Repeat("█", n) + strings.Repeat("░", width-n)
		}
		fmt.Fprintf(w, "\r\x1b[K%s %s", bar, text)
		if p.Phase == "done" {
			fmt.Fprintln(w)
		}
	}
}

// grouped writes 245903 as 245,903.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
