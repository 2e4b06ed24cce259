package decide_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/task"
)

func raised() *event.IncidentRaised {
	return &event.IncidentRaised{Subject: "silent:x", Title: "Nothing comes", Detail: "for an hour", Evidence: []string{"one"}, Next: "look"}
}

func incidentOf(t *testing.T, s *shop, subject string) *task.Task {
	t.Helper()
	ts := s.snap.Tasks[subject]
	if len(ts) == 0 {
		t.Fatal("there is no incident about ", subject)
	}
	return ts[len(ts)-1]
}

// toldTo are the alerts that left, by recipient or connection.
func toldTo(s *shop) (out []string) {
	for _, e := range s.effects {
		if e.Kind == effect.Alert {
			to := e.Payload.Recipient
			if to == "" {
				to = e.Destination
			}
			out = append(out, to+" "+e.Payload.Data["action"])
		}
	}
	slices.Sort(out)
	return out
}

func TestOneCauseIsOneIncident(t *testing.T) {
	s := newShop(t)
	s.do(raised())
	n := len(toldTo(s))
	more := raised()
	more.Evidence = append(more.Evidence, "two")
	s.do(more)
	tk := incidentOf(t, s, "silent:x")
	if len(s.snap.Tasks["silent:x"]) != 1 || len(toldTo(s)) != n || len(tk.Alarm.Evidence) != 2 || n != 2 {
		t.Errorf("%d incidents, told %q, %+v", len(s.snap.Tasks["silent:x"]), toldTo(s), tk.Alarm)
	}
	s.do(&event.IncidentRecovered{Subject: "silent:x", Detail: "it came"})
	if tk = incidentOf(t, s, "silent:x"); tk.State != task.Decided || tk.Outcome != "recovered" || tk.By != "orderly" {
		t.Errorf("%+v", tk)
	}
	s.do(raised()) // again, later: another round
	if ts := s.snap.Tasks["silent:x"]; len(ts) != 2 || ts[1].Round != 2 {
		t.Errorf("%+v", ts)
	}
	s.do(&event.IncidentRecovered{Subject: "nothing"}) // about nothing that is open: nothing happens
}

func TestAnIncidentIsPassedOnUntilSomebodyAnswers(t *testing.T) {
	s := newShop(t)
	s.pol.Settings.Escalate, s.pol.Settings.EscalateAfter = []string{"lead@shop.example", "boss@shop.example"}, 30*time.Minute
	s.do(raised())
	id := incidentOf(t, s, "silent:x").ID
	wait := func() int { return incidentOf(t, s, "silent:x").Alarm.Wait }
	s.do(&event.IncidentUnanswered{Task: id, Wait: wait() - 1}) // a wait that is over by now
	if a := incidentOf(t, s, "silent:x").Alarm; a.Level != 0 {
		t.Fatalf("%+v", a)
	}
	s.do(&event.IncidentUnanswered{Task: id, Wait: wait()})
	s.do(&event.IncidentUnanswered{Task: id, Wait: wait()})
	a := incidentOf(t, s, "silent:x").Alarm
	if want := []string{"ops@shop.example", "lead@shop.example", "boss@shop.example"}; !slices.Equal(a.Told, want) {
		t.Fatalf("told %q", a.Told)
	}
	s.do(&event.IncidentUnanswered{Task: id, Wait: wait()}) // nobody is left
	s.do(&event.IncidentAcknowledged{Task: id})
	last := wait()
	s.do(&event.IncidentUnanswered{Task: id, Wait: last - 1})
	if a := incidentOf(t, s, "silent:x").Alarm; len(a.Told) != 3 || !a.Quiet(s.now) {
		t.Errorf("%+v", a)
	}
}

func TestASnoozedIncidentIsToldAgain(t *testing.T) {
	s := newShop(t)
	s.do(raised())
	id := incidentOf(t, s, "silent:x").ID
	for _, until := range []time.Time{s.now.Add(-time.Hour), s.now.AddDate(0, 2, 0)} {
		if err := s.try(&event.IncidentSnoozed{Task: id, Until: until}, "shop"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("until %s: %v", until, err)
		}
	}
	s.do(&event.IncidentSnoozed{Task: id, Until: s.now.Add(4 * time.Hour)})
	a := incidentOf(t, s, "silent:x").Alarm
	if !a.Quiet(s.now) || a.Quiet(s.now.Add(5*time.Hour)) {
		t.Errorf("%+v", a)
	}
	s.now = s.now.Add(4 * time.Hour)
	s.do(&event.IncidentUnanswered{Task: id, Wait: a.Wait})
	if a = incidentOf(t, s, "silent:x").Alarm; a.Quiet(s.now) || len(a.Told) != 2 {
		t.Errorf("%+v", a)
	}
	s.do(&event.TaskDecided{Task: id, Outcome: "resolved"})
	if err := s.try(&event.IncidentAcknowledged{Task: id}, "shop"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("what is over cannot be acknowledged: %v", err)
	}
	if got := strings.Join(toldTo(s), ","); !strings.Contains(got, "pager resolve") {
		t.Errorf("told %s", got)
	}
}

func TestTheWaysOfTellingAreTried(t *testing.T) {
	s := newShop(t)
	s.pol.Settings.Alerts = []string{"pager", "chat"}
	s.do(&event.AlertsTested{Date: "2026-03-02"})
	if got, want := strings.Join(toldTo(s), ","), "chat test,ops@shop.example test,pager test"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// TestDeadLettersNameTheirOrders: the incident about what failed for good says which orders it concerns, a few of them, and what to do.
func TestDeadLettersNameTheirOrders(t *testing.T) {
	s := newShop(t)
	for i := range 14 {
		s.do(&event.EffectFailed{Effect: fmt.Sprint("eff_", i), Order: fmt.Sprint("ord_", i%12), Purpose: "fulfilment", Destination: "wms", Error: "503"})
	}
	s.do(&event.EffectFailed{Effect: "eff_z", Purpose: "fulfilment", Destination: "wms", Error: "503"}) // about no order
	a := incidentOf(t, s, event.DeadSubject("wms", effect.CauseKey("wms", "503"))).Alarm
	if len(a.Orders) != 10 || a.Orders[0] != "ord_0" || a.Orders[9] != "ord_9" || !strings.Contains(a.Next, "Effects") {
		t.Errorf("%+v", a)
	}
	if told := toldTo(s); len(told) != 2 {
		t.Errorf("told %q", told)
	}
	s.do(&event.EffectFailed{Effect: "eff_m", Purpose: "shipping-update", Destination: s.pol.Settings.Mail, Error: "550 no such user"})
	if got := incidentOf(t, s, event.DeadSubject(s.pol.Settings.Mail, effect.CauseKey(s.pol.Settings.Mail, "550 no such user"))); got.Title != "A mail could not be sent" || !event.IsDead(got.Subject) {
		t.Errorf("%s is told as %q", got.Subject, got.Title)
	}
}

// TestDeadLettersOfOneCauseAreOneIncident: mails and webhooks that fail of the same at one destination are told of once,
// whatever they were to say; what fails of something else is another incident.
func TestDeadLettersOfOneCauseAreOneIncident(t *testing.T) {
	s := newShop(t)
	for i, purpose := range []string{"order-confirmation", "order-cancelled", "shipping-update", "fulfilment"} {
		s.do(&event.EffectFailed{
			Effect: fmt.Sprint("eff_", i), Order: fmt.Sprint("ord_", i), Purpose: purpose, Destination: "mail",
			Error: fmt.Sprintf("there is no connection mail any more, %d ms", 10+i),
		})
	}
	open := func() (n int) {
		for _, ts := range s.snap.Tasks {
			for _, tk := range ts {
				if tk.Kind == task.Incident && tk.State == task.Open {
					n++
				}
			}
		}
		return n
	}
	if n := open(); n != 1 || len(toldTo(s)) != 2 {
		t.Errorf("%d incidents, told %q", n, toldTo(s))
	}
	s.do(&event.EffectFailed{Effect: "eff_x", Order: "ord_x", Purpose: "order-confirmation", Destination: "mail", Error: "550 5.1.1 no such mailbox"})
	if n := open(); n != 2 {
		t.Errorf("%d incidents after another cause", n)
	}
}
