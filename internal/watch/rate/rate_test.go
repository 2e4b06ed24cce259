package rate

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// traffic draws arrivals over some weeks from an intensity in events an hour; burst
// is how many come with each other in the mean.
func traffic(seed uint64, weeks int, perHour func(time.Time) float64, burst float64) []time.Time {
	rnd := rand.New(rand.NewPCG(seed, 1))
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	end := at.AddDate(0, 0, 7*weeks)
	const most = 40.0 // thinning: no intensity is higher
	var out []time.Time
	for at.Before(end) {
		at = at.Add(time.Duration(rnd.ExpFloat64() / most * float64(time.Hour)))
		if rnd.Float64() > perHour(at)/burst/most {
			continue
		}
		out = append(out, at)
		for next := at; rnd.Float64() < 1-1/burst; {
			next = next.Add(time.Duration(rnd.ExpFloat64() * float64(time.Minute)))
			out = append(out, next)
		}
	}
	return out
}

// shopHours is a shop that is busy by day, slow in the evening, and closed on Sundays.
func shopHours(t time.Time) float64 {
	switch h := t.Hour(); {
	case t.Weekday() == time.Sunday:
		return 0
	case h >= 9 && h < 18:
		return 12
	case h >= 18 && h < 22:
		return 3
	}
	return 0.05
}

// TestFalseAlarmsAreRare: on traffic without a cut there is less than one alarm a month and
// rate, whether arrivals are Poisson or come in bursts, around the clock or by day.
func TestFalseAlarmsAreRare(t *testing.T) {
	for name, c := range map[string]struct {
		perHour func(time.Time) float64
		burst   float64
	}{
		"poisson by day":        {shopHours, 1},
		"bursts by day":         {shopHours, 4},
		"poisson around":        {func(time.Time) float64 { return 5 }, 1},
		"bursts around":         {func(time.Time) float64 { return 5 }, 6},
		"a few a day":           {func(t time.Time) float64 { return shopHours(t) / 24 }, 1},
		"half as many by weeks": {func(t time.Time) float64 { return shopHours(t) * (1 - 0.5*float64(t.YearDay())/200) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			alarms, months := 0, 0.0
			for seed := range uint64(2) {
				var r Rate
				var from time.Time
				for _, at := range traffic(seed, 20, c.perHour, c.burst) {
					if r.Known() == "" {
						if from.IsZero() {
							from = at
						}
						if _, silent := r.Silent(at, Calendar{}); silent {
							alarms++
						}
					}
					r.See(at, 1, Calendar{})
				}
				if from.IsZero() {
					t.Fatal("it was never watched: ", r.Known())
				}
				months += r.Last.Sub(from).Hours() / 24 / 30.4
			}
			if rate := float64(alarms) / months; rate >= 1 {
				t.Errorf("%.2f false alarms a month (%d in %.1f)", rate, alarms, months)
			} else {
				t.Logf("%.2f false alarms a month (%d in %.1f)", rate, alarms, months)
			}
		})
	}
}

// TestAStopIsNoticed: at noon of a working day within three times the usual gap's 99.9 % quantile.
func TestAStopIsNoticed(t *testing.T) {
	var r Rate
	for _, at := range traffic(7, 12, shopHours, 1) {
		if at.After(time.Date(2026, 3, 25, 12, 0, 0, 0, time.UTC)) { // a Wednesday
			break
		}
		r.See(at, 1, Calendar{})
	}
	noticed, ok := r.Noticed(Calendar{})
	thrice, _ := r.Until(3*r.Limit().Usual, Calendar{})
	if !ok || noticed.After(thrice) {
		t.Fatalf("noticed %s, three times the quantile is %s", noticed, thrice)
	}
	if _, silent := r.Silent(noticed.Add(-time.Minute), Calendar{}); silent {
		t.Error("silent before it is noticed")
	}
	if _, silent := r.Silent(noticed.Add(time.Minute), Calendar{}); !silent {
		t.Error("not silent after it is noticed")
	}
	day := noticed.Format(time.DateOnly)
	if _, silent := r.Silent(noticed.Add(time.Minute), Calendar{Closed: map[string]bool{day: true}}); silent {
		t.Error("silent on a day that is declared closed")
	}
}

func TestItSaysWhatIsMissing(t *testing.T) {
	var r Rate
	if r.Known() != "nothing was seen yet" {
		t.Error(r.Known())
	}
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	for range 20 {
		r.See(at, 1, Calendar{})
		at = at.Add(24 * time.Hour)
	}
	if got, want := r.Known(), "2 weeks of 4 weeks and 6 gaps of 100 gaps seen"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if _, silent := r.Silent(at.AddDate(0, 1, 0), Calendar{}); silent {
		t.Error("a rate that is not known cannot be silent")
	}
}

// TestAPauseTeachesNothing: between imported history and the life that begins much later there is no gap.
func TestAPauseTeachesNothing(t *testing.T) {
	var r Rate
	for _, at := range traffic(3, 8, shopHours, 1) {
		r.See(at, 1, Calendar{})
	}
	gaps, week := r.Gaps.Seen, r.PerWeek()
	r.See(r.Last.AddDate(2, 0, 0), 1, Calendar{})
	if r.Gaps.Seen != gaps || r.Known() == "" {
		t.Errorf("%d gaps, were %d; %q", r.Gaps.Seen, gaps, r.Known())
	}
	if now := r.PerWeek(); math.Abs(now-week) > 0.2*week {
		t.Errorf("%.0f a week, was %.0f", now, week)
	}
}

// TestTheClockChanges: the hour of the week is the shop's, also across the change of its clock.
func TestTheClockChanges(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	cal := Calendar{Zone: zone}
	var r Rate
	for day := range 60 { // from 1 March on; the clock changes on the 29th
		for h := 9; h < 17; h++ {
			r.See(time.Date(2026, 3, 1+day, h, 30, 0, 0, zone), 1, cal)
		}
	}
	if night := r.Expected(time.Date(2026, 4, 20, 0, 0, 0, 0, zone), time.Date(2026, 4, 20, 7, 0, 0, 0, zone), cal); night > 0.5 {
		t.Errorf("%.2f expected by night", night)
	}
	if day := r.Expected(time.Date(2026, 4, 20, 9, 0, 0, 0, zone), time.Date(2026, 4, 20, 17, 0, 0, 0, zone), cal); day < 7 || day > 9 {
		t.Errorf("%.2f expected by day", day)
	}
}

func TestQuantilesOfGaps(t *testing.T) {
	var g Gaps
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		g.Add(rnd.ExpFloat64())
	}
	for p, want := range map[float64]float64{0.5: math.Ln2, 0.9: math.Log(10), 0.99: math.Log(100)} {
		if got := g.Quantile(p); math.Abs(got-want) > 0.08*want {
			t.Errorf("quantile %v is %.3f, want %.3f", p, got, want)
		}
	}
	if got := g.Beyond(2); math.Abs(got-1) > 0.12 { // an exponential does not remember
		t.Errorf("beyond 2: %.3f more, want 1", got)
	}
	if _, usual, _ := g.tail(1000, 1); math.Abs(usual-math.Log(1000)) > 0.1*math.Log(1000) {
		t.Errorf("the 99.9 %% quantile is %.2f, want %.2f", usual, math.Log(1000))
	}
}

func TestItIsKeptAsItIs(t *testing.T) {
	var r Rate
	for _, at := range traffic(5, 6, shopHours, 1) {
		r.See(at, 1, Calendar{})
	}
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc) > 8_000 {
		t.Errorf("%d bytes are written every minute", len(doc))
	}
	var back Rate
	if err := json.Unmarshal(doc, &back); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(back)
	if d := cmp.Diff(string(doc), string(again)); d != "" {
		t.Error(d)
	}
}
