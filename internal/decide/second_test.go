package decide_test

import (
	"testing"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/task"
)

// TestMoneyAboveTheLimitTakesTwoPeople: the first chooses, another confirms, nobody alone, no program, and small sums go as before.
func TestMoneyAboveTheLimitTakesTwoPeople(t *testing.T) {
	s := newShop(t)
	s.pol.Settings.SecondAbove = money.New(1500, "EUR")
	s.receive("MUG", "a", 9)
	s.do(placed("1", line("MUG", 2))) // 20 EUR captured
	s.do(placed("2", line("MUG", 1))) // 10 EUR
	s.do(&event.OrderCancelled{Channel: "web", Number: "1"})
	s.do(&event.OrderCancelled{Channel: "web", Number: "2"})
	refund := func(n string) *task.Task { return s.snap.Tasks[s.order(n).ID][0] }
	as := func(who, n string) error {
		s.actor = who
		defer func() { s.actor = "" }()
		return s.try(&event.TaskDecided{Task: refund(n).ID, Outcome: "refunded"}, "console")
	}
	if err := as("usr_a", "2"); err != nil || refund("2").State != task.Decided {
		t.Errorf("a small refund: %v, %s", err, refund("2").State)
	}
	for _, step := range []struct {
		who  string
		ok   bool
		want task.State
	}{{"token:erp", false, task.Open}, {"usr_a", true, task.Open}, {"usr_a", false, task.Open}, {"token:erp", false, task.Open}, {"usr_b", true, task.Decided}} {
		err := as(step.who, "1")
		x := refund("1")
		if (err == nil) != step.ok || x.State != step.want || (x.State == task.Decided) != (s.order("1").Refunded.Minor == 2000) {
			t.Errorf("%s: %v, %s, refunded %s", step.who, err, x.State, s.order("1").Refunded)
		}
	}
	if x := refund("1"); x.FirstBy != "usr_a" || x.By != "usr_b" {
		t.Errorf("first %s, then %s", x.FirstBy, x.By)
	}
	s.check()
}
