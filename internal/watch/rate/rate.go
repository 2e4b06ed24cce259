// Package rate learns how often something happens, by hour of the week, and
// says when it has been silent for too long. It is numbers only: no clock, no I/O.
//
// The model is a point process whose intensity depends on the hour of the week
// and on how busy the last days were. A gap between two events is measured in
// the events that should have come during it: the integral of the intensity. A
// night without orders is then a short gap, and ten quiet minutes at noon may be
// a long one. Were arrivals Poisson, gaps so measured would be exponential;
// they are burstier than that, so their own distribution is learned, each gap by the
// intensity as it was known before it. The limit is read from the tail of that
// distribution.
package rate

import (
	"math"
	"time"
)

// HoursOfWeek is the number of hours that are told apart.
const HoursOfWeek = 168

// What is taken for granted; docs/watch.md says what came of it on real data.
const (
	halfLife     = 8.0  // weeks until an hour's count weighs half
	gapHalfLife  = 26.0 // weeks until a gap weighs half
	levelDays    = 5.0  // days until what was lately seen weighs half
	levelPrior   = 20.0 // events' worth of belief that lately is as ever
	prior        = 0.5  // weeks' worth of belief that an hour is like its neighbours
	MinWeeks     = 4    // of history before a rate is watched
	MinGaps      = 100  // between events before a rate is watched
	FalseAlarms  = 0.2  // a month, that the limit is made for
	longest      = 3.0  // the limit is at most so many times the 99.9 % quantile
	leastDue     = 0.5  // events: a silence in which not even so many were due says nothing
	breakAfter   = 35   // days: a longer gap is a pause between two lives, and teaches nothing
	monthOfWeeks = 30.4 / 7
)

// Calendar is the shop's: its time zone, and the days on which nothing is expected.
type Calendar struct {
	Zone   *time.Location
	Closed map[string]bool // local dates, 2006-01-02
}

// Rate is what is known of how often something happens. The zero value knows nothing.
type Rate struct {
	Since time.Time // since when it is learned from
	Last  time.Time // event

	Count  Hours     // events, older ones weigh less
	Hours  Hours     // how often each hour was lived through, likewise
	Decay  time.Time // up to when weights were lowered
	Lately float64   // events of the last days
	Due    float64   // events that the hours alone let expect for them
	Gaps   Gaps      // all of them, whole
	Day    Gaps      // as far as they lie within the day they began on
	Dawn   Gaps      // the most that was due on a later day of theirs
	Night  Gaps      // those that went on into another day, whole
	N      int64     // events ever
}

// See takes n events at one moment. Moments come in order: one a little before the last
// counts for its hour, and no gap is taken from it; one long before it is not counted.
func (r *Rate) See(at time.Time, n int, cal Calendar) {
	switch {
	case r.Last.IsZero(), at.Sub(r.Last) > breakAfter*24*time.Hour:
		r.Since, r.Decay = at, at
		r.Last = at
	case at.Before(r.Last.Add(-time.Hour)):
		return // history that came late: what it was a part of is not known any more
	case !at.Before(r.Last):
		r.fade(at)
		due, seen := 0.0, r.Lately
		level := r.Level()
		r.each(r.Last, at, cal, func(h int, share float64) {
			due += share * r.at(h)
		})
		if at.Sub(r.Since) >= 14*24*time.Hour { // before, the hours are not known well enough to measure by
			// An outage must not teach that outages are usual: what is beyond all that is known is cut.
			limit := Limit{Day: r.Day.odd(), Dawn: r.Dawn.odd(), Night: r.Night.odd()}
			if due*level >= leastDue && r.Known() == "" {
				l := r.Limit()
				limit = Limit{Day: 1.5 * l.Day, Dawn: 1.5 * l.Dawn, Night: 1.5 * l.Night}
			}
			end := midnight(r.Last, cal.Zone)
			if at.Before(end) {
				r.Gaps.Add(min(due*level, limit.Day))
				r.Day.Add(min(due*level, limit.Day))
			} else {
				r.Gaps.Add(min(due*level, limit.Night))
				r.Day.Add(min(r.sum(r.Last, end, cal)*level, limit.Day))
				r.Night.Add(min(due*level, limit.Night))
				most := 0.0 // holidays are one gap, and one observation
				for from := end; !from.After(at); from = end {
					end = midnight(from, cal.Zone)
					to := end
					if at.Before(to) {
						to = at
					}
					most = max(most, r.sum(from, to, cal)*level)
				}
				r.Dawn.Add(min(most, limit.Dawn))
			}
			for range n - 1 {
				r.Gaps.Add(0)
				r.Day.Add(0)
			}
		}
		r.each(r.Last, at, cal, func(h int, share float64) { r.Hours[h] += share })
		r.Due += due
		r.Lately = seen
		r.Last = at
	}
	r.Lately += float64(n)
	r.N += int64(n)
	r.Count[hourOfWeek(at, cal.Zone)] += float64(n)
}

// fade lowers the weight of what is old, day by day.
func (r *Rate) fade(at time.Time) {
	days := math.Floor(at.Sub(r.Decay).Hours() / 24)
	if days < 1 {
		return
	}
	r.Decay = r.Decay.Add(time.Duration(days) * 24 * time.Hour)
	w := math.Exp2(-days / 7 / halfLife)
	for h := range r.Count {
		r.Count[h] *= w
		r.Hours[h] *= w
	}
	w = math.Exp2(-days / levelDays)
	r.Lately *= w
	r.Due *= w
	w = math.Exp2(-days / 7 / gapHalfLife)
	r.Gaps.Fade(w)
	r.Day.Fade(w)
	r.Dawn.Fade(w)
	r.Night.Fade(w)
}

// at is the intensity of an hour of the week, in events an hour, before the level.
func (r *Rate) at(h int) float64 {
	before, after := (h+HoursOfWeek-1)%HoursOfWeek, (h+1)%HoursOfWeek
	like := 0.0
	if hours := r.Hours[before] + r.Hours[h] + r.Hours[after]; hours > 0 {
		like = (r.Count[before] + r.Count[h] + r.Count[after]) / hours
	}
	return (r.Count[h] + prior*like) / (r.Hours[h] + prior)
}

// Level is how busy the last days were beside what their hours let expect: 1 is as ever.
func (r *Rate) Level() float64 {
	return min(10, max(0.1, (r.Lately+levelPrior)/(r.Due+levelPrior)))
}

// Expected is how many events should have come from one moment to another.
func (r *Rate) Expected(from, to time.Time, cal Calendar) float64 {
	if to.Sub(from) > breakAfter*24*time.Hour {
		to = from.Add(breakAfter * 24 * time.Hour)
	}
	return r.sum(from, to, cal) * r.Level()
}

// sum is the integral of the intensity, before the level.
func (r *Rate) sum(from, to time.Time, cal Calendar) float64 {
	sum := 0.0
	r.each(from, to, cal, func(h int, share float64) { sum += share * r.at(h) })
	return sum
}

// Share is how busy the hour of a moment usually is beside the busiest one of the week.
func (r *Rate) Share(at time.Time, cal Calendar) float64 {
	most := 0.0
	for h := range HoursOfWeek {
		most = max(most, r.at(h))
	}
	if most == 0 {
		return 0
	}
	return r.at(hourOfWeek(at, cal.Zone)) / most
}

// PerWeek is how many events a usual week brings.
func (r *Rate) PerWeek() float64 {
	sum := 0.0
	for h := range HoursOfWeek {
		sum += r.at(h)
	}
	return sum * r.Level()
}

// each calls fn for every hour of the week between two moments, with the share of it that lies between them.
func (r *Rate) each(from, to time.Time, cal Calendar, fn func(hour int, share float64)) {
	zone := cal.Zone
	if zone == nil {
		zone = time.UTC
	}
	for at := from.In(zone); at.Before(to); {
		next := at.Add(time.Hour - time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
		end := next
		if end.After(to) {
			end = to
		}
		if len(cal.Closed) == 0 || !cal.Closed[at.Format(time.DateOnly)] {
			fn(int(at.Weekday())*24+at.Hour(), end.Sub(at).Hours())
		}
		at = next
	}
}

func hourOfWeek(at time.Time, zone *time.Location) int {
	if zone != nil {
		at = at.In(zone)
	}
	return int(at.Weekday())*24 + at.Hour()
}

// Known says what is missing before the rate can be watched, or "".
func (r *Rate) Known() string {
	weeks, gaps := int(r.Last.Sub(r.Since).Hours()/24/7), int(r.Gaps.Seen)
	switch {
	case r.N == 0:
		return "nothing was seen yet"
	case weeks < MinWeeks && gaps < MinGaps:
		return plural(weeks, "week") + " of " + plural(MinWeeks, "week") + " and " + plural(gaps, "gap") + " of " + plural(MinGaps, "gap") + " seen"
	case weeks < MinWeeks:
		return plural(weeks, "week") + " of " + plural(MinWeeks, "week") + " seen"
	case gaps < MinGaps:
		return plural(gaps, "gap") + " of " + plural(MinGaps, "gap") + " seen"
	}
	return ""
}

// Limit is how much silence is too much, in events that should have come.
type Limit struct {
	Day    float64 // on the day on which the silence began
	Dawn   float64 // on any day after it
	Night  float64 // since it began
	Usual  float64 // the 99.9 % quantile of all gaps
	Median float64
	Alarms float64 // false ones to expect in a month
}

// Limit is made from the tails of the gaps. A silence is too long when too much was due on the
// day it began, or on a later day, or in all: when a shop wakes up differs more from day to
// day than how it runs, and what comes once a week is only missed after weeks.
func (r *Rate) Limit() Limit {
	n := r.Gaps.Total()
	if n < 1 {
		return Limit{Day: math.Inf(1), Dawn: math.Inf(1), Night: math.Inf(1), Usual: math.Inf(1)}
	}
	_, usual, _ := r.Gaps.tail(0, 0)
	l := Limit{Usual: usual, Median: r.Gaps.Quantile(0.5)}
	perMonth := r.PerWeek() * monthOfWeeks / n
	var day, dawn, night float64
	l.Day, _, day = r.Day.tail(perMonth*r.Day.Total(), usual)
	l.Dawn, _, dawn = r.Dawn.tail(perMonth*r.Dawn.Total(), usual)
	l.Night, _, night = r.Night.tail(perMonth*r.Night.Total(), usual)
	l.Alarms = day + dawn + night
	return l
}

// tail makes a limit from gaps of which perMonth come in a month: exponential beyond a high quantile.
// It lies where a third of FalseAlarms is to be expected, not below the longest gap where the history is too
// short to have shown that many, and at most at three times the usual 99.9 % quantile, so
// that a stop is noticed in time even where that costs more false alarms.
func (g *Gaps) tail(perMonth, usual float64) (limit, q999, alarms float64) {
	n := g.Total()
	if n < 1 {
		return longest * usual, 0, 0
	}
	share := min(0.1, max(0.01, 20/n))
	from := g.Quantile(1 - share)
	mean := g.Beyond(from)
	q999 = from + mean*math.Log(share/0.001)
	if n >= 1000 {
		q999 = max(q999, g.Quantile(0.999))
	}
	k := max(2, share*n) // the mean is known from so many: the fewer, the farther the tail that it predicts
	limit = from + k*mean*(math.Pow(max(1, share*perMonth/(FalseAlarms/3)), 1/k)-1)
	if n < perMonth/(FalseAlarms/3) {
		limit = max(limit, g.Quantile(1))
	}
	limit = max(leastDue, min(limit, longest*usual))
	if mean > 0 {
		alarms = perMonth * share * math.Pow(1+max(0, limit-from)/(k*mean), -k)
	}
	return limit, q999, alarms
}

// midnight is the end of the local day of a moment.
func midnight(at time.Time, zone *time.Location) time.Time {
	y, m, d := inZone(at, zone).Date()
	if zone == nil {
		zone = time.UTC
	}
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

// Silent reports whether the silence since the last event is too long, and how many events should have come.
func (r *Rate) Silent(now time.Time, cal Calendar) (due float64, silent bool) {
	due = r.Expected(r.Last, now, cal)
	if due < leastDue || r.Known() != "" {
		return due, false
	}
	at, ok := r.Noticed(cal)
	return due, ok && !now.Before(at)
}

// Noticed is when the silence that began with the last event will be too long; ok is
// false when that takes longer than a pause between two lives.
func (r *Rate) Noticed(cal Calendar) (at time.Time, ok bool) { return r.reach(r.Limit(), cal) }

// Until is when so many events will have been due since the last one.
func (r *Rate) Until(events float64, cal Calendar) (at time.Time, ok bool) {
	return r.reach(Limit{Day: events, Dawn: math.Inf(1), Night: events}, cal)
}

// reach goes along the silence, hour by hour, until one of the limits is passed.
func (r *Rate) reach(l Limit, cal Calendar) (time.Time, bool) {
	level, all, today := r.Level(), 0.0, 0.0
	limit, whole := l.Day, math.Inf(1) // on the first day they are one
	last := r.Last.Add(breakAfter * 24 * time.Hour)
	for from := r.Last; from.Before(last); {
		day := midnight(from, cal.Zone)
		for from.Before(day) {
			to := from.Add(time.Hour).Truncate(time.Hour)
			if to.After(day) {
				to = day
			}
			due := r.sum(from, to, cal) * level
			if need := min(whole-all, limit-today); due > 0 && due >= need {
				return from.Add(time.Duration(max(0, need) / due * float64(to.Sub(from)))), true
			}
			all += due
			today += due
			from = to
		}
		today, limit, whole = 0, l.Dawn, l.Night
	}
	return last, false
}

func inZone(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		return t.UTC()
	}
	return t.In(zone)
}
