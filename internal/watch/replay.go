package watch

import (
	"cmp"
	"slices"
	"time"

	"orderly.example/orderly/internal/watch/rate"
)

// Moment is one event of a history that is replayed.
type Moment struct {
	At     time.Time
	Series []string // the rates it belongs to
}

// Trial is what the watch of one rate would have done on a history.
type Trial struct {
	Name    string  `json:"name"`
	PerWeek float64 `json:"per_week"`
	Months  float64 `json:"months_watched"`
	Missing string  `json:"missing,omitempty"` // why it was never watched
	// Alarms are silences in the history itself, which had no cut: false ones, unless the shop really stood still.
	Alarms []Alarm `json:"alarms,omitempty"`
	// Stops begin after every event in opening hours: hours that are at least a quarter as busy as the busiest.
	Stops   int           `json:"stops"`
	Hour    float64       `json:"hour_noticed"`  // share of cuts of one hour that were noticed
	Day     float64       `json:"day_noticed"`   // share of cuts of one day
	Median  time.Duration `json:"median_delay"`  // of noticing a stop that lasts
	Most    time.Duration `json:"delay_95"`      // 95 % of them are noticed within
	InTime  float64       `json:"within_thrice"` // share that is noticed within three times the usual gap's 99.9 % quantile
	Thrice  time.Duration `json:"thrice_median"` // the median of that time
	noticed []time.Duration
	thrice  []time.Duration
}

// Alarm is a silence that would have been told.
type Alarm struct {
	From    time.Time `json:"from"`
	Noticed time.Time `json:"noticed"`
	To      time.Time `json:"to"`
}

// PerMonth is how many alarms there were in a month.
func (t *Trial) PerMonth() float64 {
	if t.Months == 0 {
		return 0
	}
	return float64(len(t.Alarms)) / t.Months
}

// Replay lets the watch learn from a history as it would have lived it, and asks at
// every event what it would have said had nothing followed. Nothing is known ahead
// of its time. What happened before from is learned from and not reported on.
func Replay(moments []Moment, cal rate.Calendar, from time.Time) []*Trial {
	moments = slices.Clone(moments)
	slices.SortStableFunc(moments, func(a, b Moment) int { return a.At.Compare(b.At) })
	times := map[string][]time.Time{}
	for _, m := range moments {
		for _, s := range m.Series {
			times[s] = append(times[s], m.At)
		}
	}
	var out []*Trial
	for name, ts := range times {
		out = append(out, replay(name, ts, cal, from))
	}
	slices.SortFunc(out, func(a, b *Trial) int {
		return cmp.Or(cmp.Compare(b.PerWeek, a.PerWeek), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func replay(name string, ts []time.Time, cal rate.Calendar, begin time.Time) *Trial {
	t := &Trial{Name: name}
	var r rate.Rate
	var from time.Time
	hours, days := 0, 0
	for i, at := range ts {
		r.See(at, 1, cal)
		if i+1 == len(ts) || at.Before(begin) || r.Known() != "" {
			continue
		}
		if from.IsZero() {
			from = at
		}
		noticed, ok := r.Noticed(cal)
		next := ts[i+1]
		if ok && next.After(noticed) {
			t.Alarms = append(t.Alarms, Alarm{From: at, Noticed: noticed, To: next})
			continue
		}
		if next.Equal(at) || !busy(&r, at, cal) {
			continue
		}
		t.Stops++
		if !ok {
			continue
		}
		limit := r.Limit()
		thrice, _ := r.Until(3*limit.Usual, cal)
		t.noticed = append(t.noticed, noticed.Sub(at))
		t.thrice = append(t.thrice, thrice.Sub(at))
		if !noticed.After(thrice) {
			t.InTime++
		}
		if noticed.Before(after(ts[i+1:], at.Add(time.Hour))) {
			hours++
		}
		if noticed.Before(after(ts[i+1:], at.Add(24*time.Hour))) {
			days++
		}
	}
	t.PerWeek = r.PerWeek()
	if from.IsZero() {
		if t.Missing = r.Known(); t.Missing == "" {
			t.Missing = "nothing came that is reported on"
		}
		return t
	}
	t.Months = r.Last.Sub(from).Hours() / 24 / 30.4
	if t.Stops > 0 {
		n := float64(t.Stops)
		t.Hour, t.Day, t.InTime = float64(hours)/n, float64(days)/n, t.InTime/n
		t.Median, t.Most, t.Thrice = nth(t.noticed, 0.5), nth(t.noticed, 0.95), nth(t.thrice, 0.5)
	}
	return t
}

// busy reports whether a moment lies in opening hours.
func busy(r *rate.Rate, at time.Time, cal rate.Calendar) bool { return r.Share(at, cal) >= 0.25 }

// after is the first of the times that is not before t: when a cut that lasts until t is over.
func after(ts []time.Time, t time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(ts, t, func(a, b time.Time) int { return a.Compare(b) })
	if i == len(ts) {
		return t
	}
	return ts[i]
}

func nth(ds []time.Duration, p float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	ds = slices.Clone(ds)
	slices.Sort(ds)
	return ds[min(len(ds)-1, int(p*float64(len(ds))))]
}
