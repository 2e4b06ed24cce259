package automation

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestCriticalValues: the table is what the chi-squared distribution says.
func TestCriticalValues(t *testing.T) {
	for name, alpha := range map[string]float64{"5%": .05, "1%": .01, "0.1%": .001} {
		for i, c := range critical[name] {
			k := float64(i + 1)
			tail := func(thousandths int64) float64 { return math.Erfc(math.Sqrt(float64(thousandths) / 2000)) }
			if want := alpha / (k * (k + 1)); tail(c) > want || tail(c-2) < want {
				t.Errorf("%s, look %d: %d has the chance %g, want %g", name, i+1, c, tail(c), want)
			}
		}
	}
}

// TestFalseAlarms: a canary that changes nothing is stopped no more often than was said.
func TestFalseAlarms(t *testing.T) {
	const trials, orders = 1500, 3000
	for _, tc := range []struct {
		level       string
		alpha, rate float64
		share       int
	}{{"5%", .05, .3, 20}, {"5%", .05, .05, 50}, {"1%", .01, .5, 10}} {
		rnd := rand.New(rand.NewPCG(11, uint64(tc.share)))
		a := &Automation{Name: "a", Hash: "h", Mode: Canary, Share: tc.share, Watch: Watch{Errors: 5, Within: 24 * time.Hour, FalseAlarm: tc.level}}
		stopped := 0
		for range trials {
			var tr Trial
			for range orders {
				if tr.Considered(a, time.Unix(0, 0), rnd.IntN(100) < tc.share, rnd.Float64() < tc.rate) != "" {
					stopped++
					break
				}
			}
		}
		// Three standard deviations above what was said.
		if limit := trials*tc.alpha + 3*math.Sqrt(trials*tc.alpha); float64(stopped) > limit {
			t.Errorf("%+v: %d of %d canaries were stopped for nothing, at most %.0f may be", tc, stopped, trials, limit)
		}
		t.Logf("%+v: %.2f%% false alarms", tc, 100*float64(stopped)/trials)
	}
}

// TestDifferenceIsSeen: a canary that fires on twice as many orders as the rest is stopped soon.
func TestDifferenceIsSeen(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	a := &Automation{Name: "a", Hash: "h", Mode: Canary, Share: 20, Watch: DefaultWatch}
	var tr Trial
	for i := range 5000 {
		in := rnd.IntN(100) < 20
		rate := .2
		if in {
			rate = .4
		}
		if why := tr.Considered(a, time.Unix(0, 0), in, rnd.Float64() < rate); why != "" {
			t.Logf("after %d orders: %s", i, why)
			return
		}
	}
	t.Fatalf("nobody noticed: %+v", tr)
}

// TestFailuresStopACanary: three failures, and more than the share that is allowed within the time.
func TestFailuresStopACanary(t *testing.T) {
	a := &Automation{Name: "a", Hash: "h", Mode: Canary, Share: 50, Watch: DefaultWatch}
	at := time.Unix(1_700_000_000, 0)
	var tr Trial
	for range 59 {
		tr.Considered(a, at, true, true)
	}
	for i := range 2 {
		if why := tr.Failed(a, at); why != "" {
			t.Fatalf("failure %d of 59 firings stops it: %s", i+1, why)
		}
	}
	if why := tr.Failed(a, at); why == "" {
		t.Fatal("3 of 59 are more than 5%, and nobody noticed")
	}
	tr = Trial{}
	for range 60 {
		tr.Considered(a, at, true, true)
	}
	for i := range 3 {
		if why := tr.Failed(a, at); why != "" {
			t.Fatalf("failure %d of 60 firings stops it: %s", i+1, why)
		}
	}
	if why := tr.Failed(a, at.Add(25*time.Hour)); why != "" {
		t.Fatalf("failures of yesterday stop it: %s", why)
	}
	a.Hash = "another version"
	tr.Considered(a, at, false, false)
	if tr.In != 0 || tr.Out != 1 || tr.Failures != 0 {
		t.Fatalf("another version did not begin anew: %+v", tr)
	}
}
