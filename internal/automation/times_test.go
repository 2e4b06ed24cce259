package automation

import (
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

func TestTimesInWords(t *testing.T) {
	for fields, words := range map[string]string{
		"0 8 * * 1": "every Monday at 08:00", "0 9 * * 1-5": "on working days at 09:00", "30 7 * * *": "every day at 07:30",
		"0 6 1 * *": "on the 1st of every month at 06:00", "5 18 22 * *": "on the 22nd of every month at 18:05", "0 0 11 * *": "on the 11th of every month at 00:00",
		"0 * * * *": "every hour", "15 * * * *": "every hour at :15", "* * * * *": "every minute", "*/15 * * * *": "every 15 minutes",
		"0 10 * * 6,0": "every Saturday and Sunday at 10:00", "0 10 * * 1,3,5": "every Monday, Wednesday and Friday at 10:00",
	} {
		if got := TimesWords(fields); got != words {
			t.Errorf("%s: %q, want %q", fields, got, words)
		}
		if got, err := timesOf(words); err != nil || got != fields {
			t.Errorf("%s: %q %v, want %s", words, got, err, fields)
		}
	}
	for words, fields := range map[string]string{
		"every monday 8:00": "0 8 * * 1", "Mondays at 8": "0 8 * * 1", "mon, thu 17.30": "30 17 * * 1,4", "weekdays at 9am": "0 9 * * 1-5", "daily at noon": "0 12 * * *",
		"every day at 12 pm": "0 12 * * *", "at 12am every day": "0 0 * * *", "weekends 10:00": "0 10 * * 6,0", "monthly on the 3rd at 6:00": "0 6 3 * *", "hourly": "0 * * * *",
		"0 9 1-7 * *": "0 9 1-7 * *",
	} {
		if got, err := timesOf(words); err != nil || got != fields {
			t.Errorf("%s: %q %v, want %s", words, got, err, fields)
		}
	}
	for _, words := range []string{
		"", "monday", "every day", "8:00", "every monday on the 1st at 8:00", "every day at 25:00", "every 7 minutes", "every day at 8:00 and 9:00", "sometimes at 8:00",
		"on the 32nd at 8:00", "every day at 13pm", "working at 8:00", "every hour at 8:00", "0 9 30 2 *", "every 15 minutes at :10", "minutes",
	} {
		if got, err := timesOf(words); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q is %q", words, got)
		}
	}
	for fields := range strings.SplitSeq("0 9 1 * 1;0 9 * 1 *;0 9,12 * * *;1-5 9 * * *;09 9 * * *;0 9 0 * *;*/7 * * * *;0 9 * *", ";") {
		if got := TimesWords(fields); got != "" {
			t.Errorf("%s is %q", fields, got)
		}
	}
	for name, want := range map[string]string{"Berlin": "Europe/Berlin", "new york": "America/New_York", "Europe/Paris": "Europe/Paris", "Nowhere": "Nowhere", "": "", "Örtchen": "Örtchen"} {
		if got := zoneOf(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// FuzzTimes: whatever is typed is refused or is a schedule, and its words mean the same again.
func FuzzTimes(f *testing.F) {
	for _, s := range []string{"every monday at 8:00", "0 9 * * 1-5", "on the 1st of every month at 6:00", "every 15 minutes", "12 am daily"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := timesOf(text)
		if err != nil {
			return
		}
		was, err := NewSchedule(fields, "")
		if err != nil {
			t.Fatalf("%q became %q: %v", text, fields, err)
		}
		words := TimesWords(fields)
		if words == "" {
			return
		}
		again, err := timesOf(words)
		if err != nil {
			t.Fatalf("%q says %q: %v", fields, words, err)
		}
		now, err := NewSchedule(again, "")
		if err != nil {
			t.Fatal(err)
		}
		for at, i := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 0; i < 20; i++ {
			next := was.Next(at, time.UTC)
			if !next.Equal(now.Next(at, time.UTC)) {
				t.Fatalf("%q and %q differ after %s", fields, again, at)
			}
			at = next
		}
		zoneOf(text)
	})
}
