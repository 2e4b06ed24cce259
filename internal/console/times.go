package console

import (
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
)

// nextTimes are the next n times of a schedule.
func nextTimes(s *automation.Schedule, now time.Time, shop *time.Location, n int) (out []time.Time) {
	for at := s.Next(now, shop); !at.IsZero() && len(out) < n; at = s.Next(at, shop) {
		out = append(out, at)
	}
	return out
}

// timesOptions are the usual times of a schedule.
func timesOptions() (out []ui.Option) {
	for _, fields := range []string{"0 8 * * *", "0 9 * * 1-5", "0 8 * * 1", "0 6 1 * *", "0 * * * *"} {
		out = append(out, ui.Option{Value: automation.TimesWords(fields)})
	}
	return out
}

// timesValue is how the times of a schedule stand in their input.
func (b *builder) timesValue() string {
	fields := b.value("schedule/cron")
	return firstOf(automation.TimesWords(fields), fields)
}
