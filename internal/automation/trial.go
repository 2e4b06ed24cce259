package automation

import (
	"fmt"
	"math/big"
	"time"
)

// Watch is how the trial of a canary is watched. See Trial.
type Watch struct {
	Errors     int           // percent of firings that may fail before it stops
	Within     time.Duration // failures are counted over this long
	FalseAlarm string        // chance that the comparison with the rest stops it for nothing: 5%, 1%, 0.1% or off
}

// DefaultWatch is how a canary is watched that says nothing of it.
var DefaultWatch = Watch{Errors: 5, Within: 24 * time.Hour, FalseAlarm: "1%"}

// minFailures keeps one unlucky message from stopping a canary.
const minFailures = 3

// Trial is how the canary of one version goes: its failures, and its firings
// among the orders it acts on beside those among the rest. Both groups are
// chosen by a hash of the order, so without an effect of the acting itself they
// fire equally often.
type Trial struct {
	Version       string // the text it is about; another one begins anew
	In, InFired   int64  // orders it acts on
	Out, OutFired int64  // the rest
	Looks         int    // comparisons so far

	From           time.Time // begin of the window of the two below
	Acts, Failures int64
}

// begin starts the trial of a version, or a new window of failures.
func (t *Trial) begin(a *Automation, at time.Time) {
	if t.Version != a.Hash {
		*t = Trial{Version: a.Hash, From: at}
	}
	if !at.Before(t.From.Add(a.Watch.Within)) {
		t.From, t.Acts, t.Failures = at, 0, 0
	}
}

// Considered counts a condition that was true or false, on an order the canary
// acts on (in) or not, and compares the two groups when it is time. It says why
// the canary must stop, or "".
func (t *Trial) Considered(a *Automation, at time.Time, in, fired bool) string {
	t.begin(a, at)
	n, f := &t.Out, &t.OutFired
	if in {
		n, f = &t.In, &t.InFired
	}
	*n++
	if fired {
		*f++
		if in {
			t.Acts++
		}
	}
	return t.compare(a.Watch.FalseAlarm)
}

// Failed counts a condition that could not be computed, or an effect that failed
// for good. It says why the canary must stop, or "", in the time zone of at.
func (t *Trial) Failed(a *Automation, at time.Time) string {
	t.begin(a, at)
	t.Failures++
	if t.Failures >= minFailures && t.Failures*100 > int64(a.Watch.Errors)*t.Acts {
		return fmt.Sprintf("%d failures in %d firings since %s are more than %d%%", t.Failures, t.Acts, t.From.In(at.Location()).Format("2006-01-02 15:04 MST"), a.Watch.Errors)
	}
	return ""
}

// firstLook is the number of orders in the canary at the first comparison; the next ones come each time it has doubled.
const firstLook = 25

// critical are the values that the chi-squared statistic of look k must exceed,
// in thousandths. Look k may give a false alarm with the chance alpha/(k(k+1)),
// which adds up to alpha over however many looks: a canary is looked at while it
// runs, and testing each time at alpha would sooner or later stop every one.
var critical = map[string][]int64{
	"5%":   {5024, 6961, 8210, 9141, 9885, 10506, 11038, 11505, 11920, 12294, 12635, 12947, 13236, 13504, 13755, 13990, 14212, 14421, 14620, 14808, 14988, 15160, 15324, 15482},
	"1%":   {7880, 9885, 11166, 12116, 12874, 13504, 14045, 14518, 14938, 15317, 15662, 15978, 16270, 16541, 16794, 17032, 17256, 17467, 17667, 17858, 18039, 18213, 18378, 18537},
	"0.1%": {12116, 14174, 15482, 16449, 17218, 17858, 18406, 18885, 19311, 19694, 20043, 20362, 20657, 20931, 21187, 21427, 21653, 21866, 22069, 22261, 22444, 22618, 22786, 22946},
}

// compare tests whether the canary fires as often as the rest: the chi-squared
// test of a 2×2 table with Yates' correction, in whole numbers so that every
// machine decides alike. A table with an expected count below five says nothing yet.
func (t *Trial) compare(falseAlarm string) string {
	levels := critical[falseAlarm]
	if t.Looks >= len(levels) || t.In < firstLook<<t.Looks {
		return ""
	}
	level := levels[t.Looks]
	t.Looks++
	fired, all := t.InFired+t.OutFired, t.In+t.Out
	quiet := all - fired
	if min(t.In, t.Out)*min(fired, quiet) < 5*all {
		return ""
	}
	n := func(v int64) *big.Int { return big.NewInt(v) }
	mul := func(vs ...*big.Int) *big.Int {
		p := n(1)
		for _, v := range vs {
			p.Mul(p, v)
		}
		return p
	}
	// all·(|ad−bc| − all/2)² / (product of the margins) > level/1000, without fractions.
	d := n(0).Sub(mul(n(t.InFired), n(t.Out-t.OutFired)), mul(n(t.OutFired), n(t.In-t.InFired)))
	d.Abs(d).Mul(d, n(2)).Sub(d, n(all))
	if d.Sign() <= 0 {
		return ""
	}
	left := mul(n(1000), n(all), d, d)
	right := mul(n(4), n(level), n(t.In), n(t.Out), n(fired), n(quiet))
	if left.Cmp(right) <= 0 {
		return ""
	}
	return fmt.Sprintf("it fired on %d of %d orders it acts on, but on %d of %d of the rest: acting changes what it looks at (chance of a false alarm: %s)",
		t.InFired, t.In, t.OutFired, t.Out, falseAlarm)
}
