package routing

import (
	"sync"
	"time"
)

// zones remembers the time zones that were looked up: reading one takes a file,
// and a decision is made thousands of times a second.
var zonesByName sync.Map // string -> *time.Location

// timeZone returns the named zone; fallback when the name is empty or unknown.
func timeZone(name string, fallback *time.Location) *time.Location {
	if name == "" {
		return fallback
	}
	if z, ok := zonesByName.Load(name); ok {
		if z, ok := z.(*time.Location); ok && z != nil {
			return z
		}
		return fallback
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		z = nil
	}
	zonesByName.Store(name, z)
	if z == nil {
		return fallback
	}
	return z
}

const secondsPerDay = 24 * 60 * 60

// civil is a day of the calendar as the number of days since 1970-01-01, so
// that days of different zones compare, and the nanoseconds passed on the
// clock of that day (which is not the time passed since midnight when the clocks change).
func civil(t time.Time) (day int64, clock time.Duration) {
	_, offset := t.Zone()
	sec := t.Unix() + int64(offset)
	day = sec / secondsPerDay
	if sec%secondsPerDay < 0 {
		day--
	}
	return day, time.Duration(sec-day*secondsPerDay)*time.Second + time.Duration(t.Nanosecond())
}

// dateOf returns the first moment of a civil day, in UTC.
func dateOf(day int64) time.Time { return time.Unix(day*secondsPerDay, 0).UTC() }

// endOfDay is the last second of a civil day in a zone.
func endOfDay(day int64, z *time.Location) time.Time {
	y, m, d := dateOf(day).Date()
	return time.Date(y, m, d, 23, 59, 59, 0, z)
}

// works reports whether parcels move on the day. 1970-01-01 was a Thursday.
func (p *Policy) works(day int64) bool {
	if len(p.WorkingDays) == 0 {
		return true
	}
	wd := time.Weekday(((day+int64(time.Thursday))%7 + 7) % 7)
	for _, w := range p.WorkingDays {
		if w == wd {
			return true
		}
	}
	return false
}

// workingDay is day, or the next day on which parcels move.
func (p *Policy) workingDay(day int64) int64 {
	for range 7 { // days that are none of the seven would otherwise never end
		if p.works(day) {
			return day
		}
		day++
	}
	return day
}

// arrival is the civil day n working days after a parcel left.
func (p *Policy) arrival(left int64, n int) int64 {
	for range n {
		left = p.workingDay(left + 1)
	}
	return left
}

// leaves returns the civil day on which a parcel asked for at the time leaves
// the location, and the day of the asking, both by the location's own clock.
func (p *Policy) leaves(c *Candidate, at time.Time, shop *time.Location) (day, today int64) {
	z := timeZone(c.TimeZone, shop)
	local := at.In(z)
	today, clock := civil(local)
	day = today
	if c.HandlingH > 0 {
		// Adding to the moment, not to the clock, is right across a change of the clocks.
		day, clock = civil(at.Add(time.Duration(c.HandlingH) * time.Hour).In(z))
	}
	if cut, ok := clockTime(c.CutOff); ok && clock > cut {
		day++
	}
	return p.workingDay(day), today
}

// clockTime reads "15:04" as the time since midnight on the clock.
func clockTime(s string) (time.Duration, bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, false
	}
	for _, i := range [4]int{0, 1, 3, 4} {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	h, m := int(s[0]-'0')*10+int(s[1]-'0'), int(s[3]-'0')*10+int(s[4]-'0')
	if h > 23 || m > 59 {
		return 0, false
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, true
}
