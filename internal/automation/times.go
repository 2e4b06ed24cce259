package automation

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The times of a schedule in plain words, for the usual ones: people who write no code write and read these, the text keeps
// the five fields of cron.

const (
	everyDay    = "*"
	workingDays = "1-5"
)

// TimesWords says the five fields of a schedule in plain words; "" when there are none for them.
func TimesWords(fields string) string {
	f := strings.Fields(fields)
	if len(f) != 5 || f[3] != "*" {
		return ""
	}
	minute, hour, day, week := f[0], f[1], f[2], f[4]
	m, fixed := clockPart(minute, 59)
	if hour == "*" && day == "*" && week == everyDay {
		n, err := strconv.Atoi(strings.TrimPrefix(minute, "*/"))
		switch {
		case minute == "*":
			return "every minute"
		case fixed && m == 0:
			return "every hour"
		case fixed:
			return fmt.Sprintf("every hour at :%02d", m)
		case err == nil && n > 1 && 60%n == 0 && minute == fmt.Sprint("*/", n):
			return fmt.Sprintf("every %d minutes", n)
		}
		return ""
	}
	h, ok := clockPart(hour, 23)
	if !fixed || !ok {
		return ""
	}
	at := fmt.Sprintf(" at %02d:%02d", h, m)
	switch {
	case day != "*" && week != everyDay:
		return "" // of both days, and few know that
	case day != "*":
		n, ok := clockPart(day, 31)
		if !ok || n == 0 {
			return ""
		}
		return "on the " + ordinal(n) + " of every month" + at
	case week == everyDay:
		return "every day" + at
	case week == workingDays:
		return "on working days" + at
	}
	var days []string
	for d := range strings.SplitSeq(week, ",") {
		n, ok := clockPart(d, 6)
		if name := time.Weekday(n).String(); !ok || slices.Contains(days, name) {
			return ""
		}
		days = append(days, time.Weekday(n).String())
	}
	if len(days) > 1 {
		days = []string{strings.Join(days[:len(days)-1], ", ") + " and " + days[len(days)-1]}
	}
	return "every " + days[0] + at
}

// clockPart reads a number as this program writes it in a field of cron.
func clockPart(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= most && strconv.Itoa(n) == s
}

func ordinal(n int) string {
	suffix := "th"
	if n/10 != 1 {
		suffix = map[int]string{1: "st", 2: "nd", 3: "rd"}[n%10]
		if suffix == "" {
			suffix = "th"
		}
	}
	return strconv.Itoa(n) + suffix
}

var (
	clockTime = regexp.MustCompile(`^([01]?\d|2[0-3])(?:[:.]([0-5]\d))?(am|pm|h)?$`)
	pastHour  = regexp.MustCompile(`^:([0-5]\d)$`)
	monthDay  = regexp.MustCompile(`^(\d{1,2})(st|nd|rd|th)$`)
)

// unfitTimes is what is said of times that nobody understands.
func unfitTimes(text string) error {
	return unfit("the times %q are not understood; write them like “every Monday at 8:00”, “on working days at 9:00”, “every day at 7:30”, “on the 1st of every month at 6:00” or “every hour”, or as the five fields of cron: minute, hour, day of the month, month, day of the week", text)
}

// timesOf reads the times of a schedule, in words or as the five fields of cron, and returns the fields.
func timesOf(text string) (string, error) {
	if _, err := NewSchedule(text, ""); err == nil {
		return text, nil
	}
	t := times{minute: -1, hour: -1}
	words := strings.Fields(strings.NewReplacer(",", " ", "o'clock", " ").Replace(strings.ToLower(text)))
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		if !t.word(w, next) {
			return "", unfitTimes(text)
		}
	}
	fields := t.fields()
	if fields == "" {
		return "", unfitTimes(text)
	}
	return fields, nil
}

// times are what the words for a schedule have said so far.
type times struct {
	minute, hour int    // -1 = not said
	each         string // "day", "hour", "month", "minutes"
	step         int    // minutes
	day          int    // of the month
	week         []int  // weekdays
	work         bool
}

func (t *times) word(w, next string) bool {
	switch w {
	case "every", "each", "on", "at", "the", "of", "and":
		return true
	case "working":
		t.work = true
		return strings.HasPrefix(next, "day")
	case "weekdays", "weekday", "workdays", "workday":
		t.work = true
		return true
	case "weekend", "weekends":
		t.week = append(t.week, int(time.Saturday), int(time.Sunday))
		return true
	case "day", "days", "daily":
		return t.work || t.say("day")
	case "hour", "hourly":
		return t.say("hour")
	case "month", "monthly":
		return t.say("month")
	case "minute":
		t.step = 1
		return t.say("minutes")
	case "minutes":
		return t.step > 0 && t.say("minutes")
	case "noon":
		return t.clock(12, 0)
	case "midnight":
		return t.clock(0, 0)
	}
	for d := range 7 {
		name := strings.ToLower(time.Weekday(d).String())
		if one := strings.TrimSuffix(w, "s"); w == name || one == name || w == name[:3] {
			t.week = append(t.week, d)
			return true
		}
	}
	if m := monthDay.FindStringSubmatch(w); m != nil && t.day == 0 {
		t.day, _ = strconv.Atoi(m[1])
		return t.day >= 1 && t.day <= 31
	}
	if n, ok := clockPart(w, 59); ok && next == "minutes" && t.step == 0 && n > 0 && 60%n == 0 {
		t.step = n
		return true
	}
	if m := pastHour.FindStringSubmatch(w); m != nil && t.minute < 0 {
		t.minute, _ = strconv.Atoi(m[1])
		return true
	}
	if m := clockTime.FindStringSubmatch(w); m != nil {
		h, _ := strconv.Atoi(m[1])
		minute, _ := strconv.Atoi(m[2])
		switch {
		case (m[3] == "am" || m[3] == "pm") && (h == 0 || h > 12):
			return false
		case m[3] == "am" || m[3] == "pm":
			h %= 12
			if m[3] == "pm" {
				h += 12
			}
		}
		return t.clock(h, minute)
	}
	if w == "am" || w == "pm" { // apart from its hour
		if t.hour < 1 || t.hour > 12 {
			return false
		}
		t.hour %= 12
		if w == "pm" {
			t.hour += 12
		}
		return true
	}
	return false
}

func (t *times) say(each string) bool {
	was := t.each
	t.each = each
	return was == ""
}

func (t *times) clock(hour, minute int) bool {
	if t.hour >= 0 || t.minute >= 0 {
		return false
	}
	t.hour, t.minute = hour, minute
	return true
}

// fields are the five fields of cron; "" when the words do not say one thing.
func (t *times) fields() string {
	said := 0
	for _, is := range []bool{t.each == "day", t.each == "hour", t.each == "minutes", t.each == "month" || t.day > 0, len(t.week) > 0, t.work} {
		if is {
			said++
		}
	}
	clock := fmt.Sprintf("%d %d", t.minute, t.hour)
	switch {
	case said != 1 || t.each != "minutes" && t.step > 0:
		return ""
	case t.each == "minutes" && t.minute < 0 && t.step == 1:
		return "* * * * *"
	case t.each == "minutes" && t.minute < 0 && t.step > 1:
		return fmt.Sprintf("*/%d * * * *", t.step)
	case t.each == "hour" && t.hour < 0:
		return fmt.Sprintf("%d * * * *", max(t.minute, 0))
	case t.hour < 0 || t.each == "hour" || t.each == "minutes":
		return ""
	case t.day > 0:
		return fmt.Sprintf("%s %d * *", clock, t.day)
	case t.each == "month":
		return ""
	case t.work:
		return clock + " * * " + workingDays
	case len(t.week) > 0:
		var days []string
		for _, d := range t.week {
			if s := strconv.Itoa(d); !slices.Contains(days, s) {
				days = append(days, s)
			}
		}
		return clock + " * * " + strings.Join(days, ",")
	}
	return clock + " * * *"
}

// zoneOf completes the name of a city to that of its time zone.
func zoneOf(name string) string {
	known := func(zone string) bool { _, err := time.LoadLocation(zone); return err == nil }
	if name == "" || name == "Local" || known(name) {
		return name
	}
	var city []string
	for w := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == ' ' || r == '_' }) {
		city = append(city, strings.ToUpper(w[:1])+strings.ToLower(w[1:]))
	}
	for _, region := range []string{"Europe", "America", "Asia", "Africa", "Australia", "Pacific", "Atlantic", "Indian"} {
		if zone := region + "/" + strings.Join(city, "_"); known(zone) {
			return zone
		}
	}
	return name
}
