package rule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads a Go duration ("90m", "4h30m") or one that begins with
// whole days ("2d", "1d12h"). A day is 24 hours. It must be positive.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write it like 4h, 90m or 2d", s)
		}
		total, rest = time.Duration(n)*day, after
	}
	if rest != "" || s == "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a duration; write it like 4h, 90m or 2d", s)
		}
		total += d
	}
	if total <= 0 {
		return 0, fmt.Errorf("%q is not a duration above zero", s)
	}
	return total, nil
}

// DurationText writes a duration the way ParseDuration reads it, without zero parts.
func DurationText(d time.Duration) string {
	if d > 0 && d%day == 0 && d > day {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
