package connect

import (
	"hash/fnv"
	"time"
)

// Schedule says when a failed attempt is repeated. The wait after attempt n is
// First × 5/2 each time up to Longest, less a share of up to Spread percent that
// depends on the key alone: effects that failed together do not come back together, and the same
// effect waits the same time on every node.
type Schedule struct {
	First    time.Duration
	Longest  time.Duration
	Spread   int // percent, 0 to 100
	Attempts int // in all, the first one included
}

// Default is twelve attempts over about twenty hours: a mail server that is down
// for a night still gets everything.
var Default = Schedule{First: 15 * time.Second, Longest: 6 * time.Hour, Spread: 20, Attempts: 12}

// Backoff is Default.Wait.
func Backoff(attempt int, key string) time.Duration { return Default.Wait(attempt, key) }

// Wait returns how long to wait after the attempt (1 = the first) has failed. It
// is pure: the jitter comes from the key and the attempt.
func (s Schedule) Wait(attempt int, key string) time.Duration {
	d := min(s.First, s.Longest)
	for i := 1; i < attempt && d < s.Longest; i++ {
		if d > s.Longest/5*2 {
			d = s.Longest
			break
		}
		d = d / 2 * 5
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	_, _ = h.Write([]byte{byte(attempt), byte(attempt >> 8)})
	// fnv's last bytes move the low bits only; the multiplication carries them through.
	frac := (h.Sum64() * 0x9E3779B97F4A7C15) >> 54 // 0 … 1023
	share := time.Duration(min(max(s.Spread, 0), 100))
	return d - d/100*share/1024*time.Duration(frac)
}

// Spent reports whether the attempt (1 = the first) was the last of the schedule.
func (s Schedule) Spent(attempt int) bool { return attempt >= s.Attempts }

// Next returns the wait after a failed attempt, at least what the destination asked
// for (but never above twice Longest: nobody parks our effects for a month),
// and false when no further attempt is due: the error is permanent or the
// schedule is spent.
func (s Schedule) Next(attempt int, key string, err error) (time.Duration, bool) {
	if ClassOf(err) == ClassPermanent || s.Spent(attempt) {
		return 0, false
	}
	d := s.Wait(attempt, key)
	if after, ok := RetryAfter(err); ok && after > d {
		d = min(after, 2*s.Longest)
	}
	return d, true
}
