package backtest

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestTextTeaches: what could not be tried is told with its reason and what to do, and no column stands there empty.
func TestTextTeaches(t *testing.T) {
	day := time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)
	of := func(a Automation) *Report {
		return &Report{Since: day, Until: day, Events: 9, Orders: 3, Automations: []Automation{a}}
	}
	for _, c := range []struct {
		rep       *Report
		want, not string
	}{
		{&Report{}, "There is no history yet, so there is nothing to try it on. Bring in old orders", "0001"},
		{&Report{Events: 9}, "Nothing was recorded in this time", "0001"},
		{of(Automation{Name: "a", On: "schedule.due"}), "  it was never asked: the times of a schedule", "would have fired"},
		{of(Automation{Name: "a", On: "absence.due"}), "  it was never asked: that something did not happen is recorded only", "would have fired"},
		{of(Automation{Name: "a", N: 4, On: "return.received"}), "a (version 4, when a return comes in)\n  it was never asked: in this time it did not happen that a return comes in\n", "return.received"},
		{of(Automation{Name: "a", On: placed, Holds: true, Considered: 3}), "a (not saved, when an order is placed)\n  asked 3 times, would have fired 0 (0.0 %)\n  would hold no order\n", "could not tell"},
		{of(Automation{Name: "a", On: placed, Considered: 3, Fired: 2, FiredThen: 1, New: 2, Gone: 1}), "fired 1 time and acted 0 times: now it would fire 2 times more, and of those it would not fire 1 time now\n", ""},
		{of(Automation{Name: "a", On: placed, Considered: 3, Fired: 2, FiredThen: 2, ActedThen: 2}), "fired 2 times and acted 2 times: the same as now\n", ""},
		{of(Automation{Name: "a", On: placed, Considered: 1, Fired: 1, Samples: []Sample{{Number: "7", At: day, State: "ready"}, {Number: "80", At: day}}}), "    2026-01-06 12:00  7   ready then\n    2026-01-06 12:00  80  \n", ""},
	} {
		var b bytes.Buffer
		c.rep.WriteText(&b, time.UTC)
		if got := b.String(); !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("it does not say %q, or says %q:\n%s", c.want, c.not, got)
		}
	}
}
