package decide_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

func auto(name, on, rest string) string {
	return "automation: " + name + "\nowner: ops@shop.example\nwhy: a test\non: " + on + "\n" + rest
}

// runs are the runs of an automation, by the order of their beginning.
func (s *shop) runs(name string) []*automation.Run {
	var out []*automation.Run
	for _, r := range s.snap.Runs {
		if r.Automation == name {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *automation.Run) int { return a.Started.Compare(b.Started) })
	return out
}

// later lets time pass and the timers of that time fire, in their order.
func (s *shop) later(d time.Duration) {
	s.t.Helper()
	end := s.now.Add(d)
	for {
		slices.SortStableFunc(s.timers, func(a, b decide.Timer) int { return a.Due.Compare(b.Due) })
		if len(s.timers) == 0 || s.timers[0].Due.After(end) {
			break
		}
		t := s.timers[0]
		s.timers = s.timers[1:]
		if t.Due.After(s.now) {
			s.now = t.Due
		}
		if err := s.try(t.Data, "timer"); err != nil {
			s.t.Fatalf("timer %s: %v", t.Data.EventType(), err)
		}
	}
	if end.After(s.now) {
		s.now = end
	}
}

func (s *shop) onlyRun(name string) *automation.Run {
	s.t.Helper()
	rs := s.runs(name)
	if len(rs) != 1 {
		s.t.Fatalf("%d runs of %s, want one", len(rs), name)
	}
	return rs[0]
}

func did(r *automation.Run) string {
	var out []string
	for _, st := range r.Steps {
		out = append(out, st.At+" "+string(st.Kind)+": "+st.Out)
	}
	return strings.Join(out, "\n")
}

func TestStepsThatDecideNeedNoRun(t *testing.T) {
	s := newShop(t, auto("sort", "order.placed", `do:
  - set:
      name: worth
      value: order.total + money("5", "EUR")
  - if: worth > money("100", "EUR") && order.units > 3
    then: [ { tag: large } ]
    else:
      - tag: small
      - stop
  - for_each: order.lines
    as: l
    when: l.qty > 3
    do:
      - set: { name: twice, value: l.qty * 2 }
      - if: twice > 20
        then: [ { task: { queue: stock, title: Order more } } ]
  - if: order.note == "x" && worth > money("1", "USD")
    then: [ { tag: never } ]
    else: [ { tag: never } ]
  - tag: end
`))
	s.receive("MUG", "a", 100)
	s.receive("CUP", "a", 100)
	s.do(placed("1", line("MUG", 12), line("CUP", 2), line("CUP", 11)))
	o := s.order("1")
	if got := strings.Join(o.Tags, " "); got != "large never end" {
		t.Errorf("tags %q; %v", got, s.last.Trace.Automations)
	}
	if len(s.snap.Runs) != 0 {
		t.Errorf("steps that do not wait made a run")
	}
	tasks := 0
	for subject := range s.snap.Tasks {
		if strings.HasPrefix(subject, "automation:sort:") {
			tasks++
		}
	}
	if tasks != 2 {
		t.Errorf("%d tasks for two lines", tasks)
	}
	s.do(placed("2", line("CUP", 1)))
	if o := s.order("2"); strings.Join(o.Tags, " ") != "small" {
		t.Errorf("tags %q", o.Tags)
	}
	s.check()
}

const patient = `do:
  - wait: 2d
  - if: order.state == "awaiting_payment"
    then:
      - message: { template: order-confirmation, to: customer, purpose: reminder }
      - wait_for: { event: order.paid, for: 3d, else: [ { cancel: not paid in time }, stop ] }
      - tag: paid-after-reminder
`

func unpaid(number string, lines ...event.Line) *event.OrderPlaced {
	p := placed(number, lines...)
	p.Payment.Status = event.PaymentPending
	return p
}

func TestARunWaitsForTimeAndForAnEvent(t *testing.T) {
	for _, pays := range []bool{true, false} {
		s := newShop(t, auto("remind", "order.placed", patient))
		s.receive("MUG", "a", 10)
		s.do(unpaid("1", line("MUG", 1)))
		s.later(47 * time.Hour)
		if n := countKeys(s.keys(), "mail:reminder"); n != 0 {
			t.Fatal("reminded too early")
		}
		s.later(2 * time.Hour)
		r := s.onlyRun("remind")
		if n := countKeys(s.keys(), "mail:reminder"); n != 1 || r.State != automation.RunWaiting || r.Wait.Event != "order.paid" {
			t.Fatalf("%d reminders; the run is %s", n, did(r))
		}
		if pays {
			s.do(&event.OrderPaid{Channel: "web", Number: "1", Amount: line("MUG", 1).UnitPrice})
		}
		s.later(100 * time.Hour)
		r, o := s.onlyRun("remind"), s.order("1")
		if pays && (o.State != order.Ready || strings.Join(o.Tags, "") != "paid-after-reminder") || !pays && (o.State != order.Cancelled || len(o.Tags) != 0) {
			t.Errorf("the order is %s with %v", o.State, o.Tags)
		}
		if r.State != automation.RunDone || r.Ended.IsZero() || len(s.timers) != 0 {
			t.Errorf("the run is %s, %d timers are left:\n%s", r.State, len(s.timers), did(r))
		}
		for _, st := range r.Steps {
			if st.Ended.IsZero() || st.Began.Before(r.Started) {
				t.Errorf("step %+v", st)
			}
		}
		if st := r.Steps[0]; st.Ended.Sub(st.Began) < 48*time.Hour || st.In != "2d" {
			t.Errorf("the wait is %+v", st)
		}
		s.check()
	}
}

const asking = `do:
  - ask: { queue: risk, title: Ship it?, options: [yes, no], sla: 2h, as: answer, else: [ { escalate: { to: ops-lead } }, { tag: late } ] }
  - if: answer == "no"
    then: [ { cancel: refused }, stop ]
  - tag: asked
`

func TestARunAsksAPerson(t *testing.T) {
	for _, answer := range []string{"yes", "no", ""} {
		s := newShop(t, auto("ask", "order.placed", asking))
		s.receive("MUG", "a", 10)
		s.do(placed("1", line("MUG", 1)))
		r := s.onlyRun("ask")
		tk := s.snap.Tasks[r.Tasks[0]][0]
		if tk.Queue != "risk" || tk.OrderID != s.order("1").ID || tk.Reasons[0].Automation != "ask" {
			t.Fatalf("task %+v", tk)
		}
		if answer != "" {
			s.do(&event.TaskDecided{Task: tk.ID, Outcome: answer})
		}
		s.later(3 * time.Hour)
		r, tk = s.onlyRun("ask"), s.snap.Tasks[r.Tasks[0]][0]
		tags, state := strings.Join(s.order("1").Tags, " "), s.order("1").State
		switch answer {
		case "yes":
			if tags != "asked" || state != order.Ready || !strings.Contains(did(r), "yes, by tester") {
				t.Errorf("yes: %q, %s\n%s", tags, state, did(r))
			}
		case "no":
			if tags != "" || state != order.Cancelled {
				t.Errorf("no: %q, %s\n%s", tags, state, did(r))
			}
		default: // nobody answered: the task is closed, and a look is asked of another queue
			if tags != "late asked" || tk.State != task.Closed {
				t.Errorf("late: %q, task %s\n%s", tags, tk.State, did(r))
			}
			if last := s.snap.Tasks[s.onlyRun("ask").Tasks[1]][0]; last.Queue != "ops-lead" || last.State != task.Open {
				t.Errorf("escalated to %+v", last)
			}
		}
		if r.State != automation.RunDone {
			t.Errorf("%q: the run is %s", answer, r.State)
		}
		s.check()
	}
}

const calling = `do:
  - call: { connection: scorer, purpose: risk-score, as: score, returns: { points: int, verdict: string }, for: 10m }
  - if: score.status == 200 && score.points > 70
    then: [ { hold: { queue: risk, reason: the scorer says so } } ]
  - tag: scored
`

func TestARunCallsAndUsesTheAnswer(t *testing.T) {
	for _, how := range []string{"high", "low", "odd", "failed", "silent"} {
		s := newShop(t, auto("score", "order.placed", calling))
		s.receive("MUG", "a", 10)
		s.do(placed("1", line("MUG", 1)))
		r := s.onlyRun("score")
		f, ok := s.effects[r.Wait.Effect]
		if !ok || f.Destination != "scorer" || f.Payload.Answer.Run != r.ID || f.Payload.Answer.Returns["points"] != "int" {
			t.Fatalf("effect %+v", f)
		}
		answer := &event.CallAnswered{Effect: f.ID, Run: r.ID, Order: r.OrderID, Status: 200, Values: map[string]string{"points": "80", "verdict": "bad"}}
		switch how {
		case "low":
			answer.Values["points"] = "5"
		case "odd":
			answer.Values = nil
		}
		switch how {
		case "failed":
			s.do(&event.EffectFailed{Effect: f.ID, Order: r.OrderID, Purpose: "risk-score", Destination: "scorer", Error: "500"})
		case "silent":
			s.later(11 * time.Minute)
			s.do(answer) // too late
		default:
			s.do(answer)
			s.do(answer) // told twice
		}
		r, o := s.onlyRun("score"), s.order("1")
		want := map[string]string{"high": "held scored", "low": "ready scored", "odd": "ready scored", "failed": "ready ", "silent": "ready "}[how]
		if got := string(o.State) + " " + strings.Join(o.Tags, " "); got != want {
			t.Errorf("%s: %q, want %q\n%s", how, got, want, did(r))
		}
		if failed := how == "failed" || how == "silent"; failed != (r.State == automation.RunFailed) || failed != (r.Reason != "") {
			t.Errorf("%s: the run is %s: %s", how, r.State, r.Reason)
		}
		s.later(time.Hour)
		s.check()
	}
}

func TestACancelledOrderEndsItsRuns(t *testing.T) {
	s := newShop(t, auto("ask", "order.placed", asking), auto("remind", "order.placed", patient),
		auto("regret", "order.placed", "do:\n  - wait_for: { event: order.cancelled, for: 9d }\n  - tag: regretted\n"),
		auto("after", "order.cancelled", "do:\n  - wait: 1d\n  - tag: looked-back\n"))
	s.receive("MUG", "a", 10)
	s.do(placed("1", line("MUG", 1)))
	s.do(&event.OrderCancelled{Channel: "web", Number: "1", Reason: "changed my mind"})
	for _, name := range []string{"ask", "remind"} {
		if r := s.onlyRun(name); r.State != automation.RunCancelled || r.Reason != "the order was cancelled" {
			t.Errorf("%s is %s: %s", name, r.State, r.Reason)
		}
	}
	if tk := s.snap.Tasks[s.onlyRun("ask").Tasks[0]][0]; tk.State != task.Closed {
		t.Errorf("the question is %s", tk.State)
	}
	s.later(100 * time.Hour)
	if tags := strings.Join(s.order("1").Tags, " "); tags != "regretted looked-back" {
		t.Errorf("tags %q", tags)
	}
	s.check()
}

func TestAStoppedAutomationKeepsItsRunsWhereTheyAre(t *testing.T) {
	text := auto("remind", "order.placed", patient)
	s := newShop(t, text)
	use := func(texts ...string) { s.pol.Automations = newShop(t, texts...).pol.Automations }
	s.receive("MUG", "a", 10)
	s.do(unpaid("1", line("MUG", 1)))
	old := s.onlyRun("remind").Version
	a, err := automation.Parse("old.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s.snap.Versions[old] = a
	use(text + "mode: paused\n")
	s.later(50 * time.Hour)
	r := s.onlyRun("remind")
	if r.State != automation.RunWaiting || r.Held == nil || len(s.keys()) != 0 {
		t.Fatalf("the run is %s, held %v, effects %v", r.State, r.Held, s.keys())
	}
	s.do(&event.AutomationStopped{Automation: "remind", Reason: "look first"}) // stopped and active is stopped
	use(text)
	s.do(&event.RunDue{Run: r.ID, Order: r.OrderID, Why: event.WokenAgain})
	if r = s.onlyRun("remind"); r.Held == nil || countKeys(s.keys(), "mail:reminder") != 0 {
		t.Fatalf("a stopped automation went on: %v", s.keys())
	}
	s.do(&event.AutomationResumed{Automation: "remind", Reason: "looked"})
	use(strings.Replace(text, "reminder", "another", 1))
	s.do(&event.RunDue{Run: r.ID, Order: r.OrderID, Why: event.WokenAgain})
	if r = s.onlyRun("remind"); r.Held != nil || r.Version != old || countKeys(s.keys(), "mail:reminder") != 1 || countKeys(s.keys(), "mail:another") != 0 {
		t.Fatalf("it went on as %v with %v", r.Version, s.keys())
	}
	s.do(&event.RunDue{Run: r.ID, Order: r.OrderID, Why: event.WokenAgain}) // nothing is held any more
	use()
	s.later(100 * time.Hour)
	if r = s.onlyRun("remind"); r.State != automation.RunCancelled || r.Reason != "its automation was removed" {
		t.Errorf("the run is %s: %s", r.State, r.Reason)
	}
}

func TestARunFindsItsEventByWhatTheyHaveInCommon(t *testing.T) {
	s := newShop(t,
		auto("again", "order.placed", "when: order.number == \"1\"\ndo:\n  - wait_for: { event: order.placed, same: customer, when: order.units > 2, for: 9d }\n  - tag: came-again\n"),
		auto("refill", "stock.low", "do:\n  - wait_for: { event: stock.received, same: subject, for: 9d, else: [ { task: { queue: buyers, title: Nothing came } } ] }\n  - message: { template: low-stock, to: owner, purpose: refilled }\n"),
		auto("call-them", "order.accepted", "do:\n  - task: { queue: support, title: Call, options: [reached, not-reached] }\n  - wait_for: { event: task.decided, same: task, when: task.outcome == \"reached\", for: 1d }\n  - tag: reached\n"),
	)
	s.product(catalog.Product{SKU: "MUG", LowAt: 8})
	s.receive("MUG", "a", 10)
	s.do(placed("1", line("MUG", 1)))
	s.do(placed("2", line("MUG", 1))) // the same customer, but too few units; stock is low now
	s.later(time.Second)
	if tags := s.order("1").Tags; len(tags) != 0 {
		t.Fatalf("tags %v", tags)
	}
	s.do(placed("3", line("MUG", 3)))
	if tags := s.order("1").Tags; len(tags) != 0 {
		t.Fatal("another order was changed without its lock")
	}
	s.later(time.Second)
	if tags := s.order("1").Tags; strings.Join(tags, "") != "came-again" {
		t.Fatalf("tags %v\n%s", tags, did(s.onlyRun("again")))
	}
	s.do(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 50})
	s.later(time.Second)
	if n := countKeys(s.keys(), "mail:refilled"); n != 1 {
		t.Errorf("%d mails: %s", n, did(s.onlyRun("refill")))
	}
	first := s.runs("call-them")[0]
	for _, r := range s.runs("call-them")[1:] {
		s.do(&event.TaskDecided{Task: r.LastTask, Outcome: "not-reached"})
	}
	s.do(&event.TaskDecided{Task: first.LastTask, Outcome: "reached"})
	s.later(48 * time.Hour)
	reached := 0
	for _, n := range []string{"1", "2", "3"} {
		if slices.Contains(s.order(n).Tags, "reached") {
			reached++
		}
	}
	if reached != 1 {
		t.Errorf("%d orders were reached", reached)
	}
	s.check()
}

func TestForEachMayWaitInsideALine(t *testing.T) {
	s := newShop(t, auto("lines", "order.placed", `do:
  - for_each: order.lines
    as: l
    when: l.qty > 1
    do:
      - ask: { queue: stock, title: Is it there?, options: [yes, no], as: there }
      - if: there == "no"
        then: [ { task: { queue: buyers, title: Buy it } }, { wait: 1h } ]
        else: [ { webhook: { connection: picker } } ]
  - tag: all
`))
	s.receive("MUG", "a", 100)
	s.receive("CUP", "a", 100)
	s.do(placed("1", line("MUG", 2), line("CUP", 1), line("CUP", 5)))
	for _, answer := range []string{"no", "yes"} {
		r := s.onlyRun("lines")
		s.do(&event.TaskDecided{Task: r.Wait.Task, Outcome: answer})
		s.later(2 * time.Hour)
	}
	r := s.onlyRun("lines")
	if r.State != automation.RunDone || strings.Join(s.order("1").Tags, "") != "all" {
		t.Fatalf("the run is %s\n%s", r.State, did(r))
	}
	for _, e := range s.effects {
		if e.Payload.Purpose == "lines" && (e.Payload.Data["values.l.sku"] != "CUP" || e.Payload.Data["values.l.qty"] != "5" || e.Payload.Data["values.there"] != "yes") {
			t.Errorf("the webhook tells %v", e.Payload.Data)
		}
	}
	s.check()
}

// TestRunsOverRandomHistories: whatever happens in whatever order, a run's end is final, what waits can
// be woken, and the same events from the start give the same runs.
func TestRunsOverRandomHistories(t *testing.T) {
	texts := []string{
		auto("ask", "order.placed", asking), auto("remind", "order.placed", patient), auto("score", "order.accepted", calling),
		auto("not-scanned", "{ absence_of: shipment.scanned, after: shipment.shipped, within: 1d }", "do:\n  - wait_for: { event: shipment.scanned, for: 2d, else: [ { refund: { reason: lost } } ] }\n"),
		auto("review", "shipment.delivered", "do:\n  - wait: 3d\n  - message: { template: order-confirmation, to: customer, purpose: review }\n"),
		auto("again", "order.cancelled", "do:\n  - wait_for: { event: order.placed, same: customer, for: 5d }\n  - tag: came-again\n"),
	}
	rapid.Check(t, func(rt *rapid.T) {
		type act struct {
			p    event.Payload
			wait time.Duration
		}
		var acts []act
		s := newShop(t, texts...)
		s.receive("MUG", "a", 30)
		ended := map[string]string{}
		run := func(a act) {
			acts = append(acts, a)
			if a.p == nil {
				s.later(a.wait)
			} else if err := s.try(a.p, "shop"); err != nil {
				acts = acts[:len(acts)-1] // refused as contradicting; nothing was applied
				s.n--
				s.now = s.now.Add(-time.Second)
			}
			for id, r := range s.snap.Runs {
				j, err := json.Marshal(r)
				if err != nil {
					rt.Fatal(err)
				}
				switch {
				case ended[id] != "" && ended[id] != string(j):
					rt.Fatalf("a run changed after its end:\n%s\n%s", ended[id], j)
				case r.State != automation.RunWaiting:
					ended[id] = string(j)
				case r.Wait.Until.IsZero() && r.Wait.Task == "":
					rt.Fatalf("a run waits for nothing: %s", j)
				case !r.Wait.Until.IsZero() && !slices.ContainsFunc(s.timers, func(t decide.Timer) bool { return t.ID == r.Wait.Timer }):
					rt.Fatalf("a run waits without a timer: %s", j)
				}
			}
		}
		num := rapid.SampledFrom([]string{"1", "2", "3"})
		for range rapid.IntRange(5, 40).Draw(rt, "n") {
			n := num.Draw(rt, "order")
			switch rapid.IntRange(0, 10).Draw(rt, "what") {
			case 0, 1:
				run(act{p: placed(n, line("MUG", 1))})
			case 2:
				run(act{p: unpaid(n, line("MUG", 2))})
			case 3:
				run(act{p: &event.OrderPaid{Channel: "web", Number: n, Amount: line("MUG", 1).UnitPrice, Reference: fmt.Sprint(len(acts))}})
			case 4:
				run(act{p: &event.OrderCancelled{Channel: "web", Number: n}})
			case 5:
				run(act{p: &event.ShipmentShipped{Channel: "web", Number: n, Location: "a"}})
			case 6:
				run(act{p: &event.ShipmentScanned{Channel: "web", Number: n}})
			case 7:
				run(act{p: &event.ShipmentDelivered{Channel: "web", Number: n}})
			case 8, 9:
				run(act{wait: time.Duration(rapid.IntRange(1, 100).Draw(rt, "hours")) * time.Hour})
			default:
				var ids []string
				for id, r := range s.snap.Runs {
					if r.State == automation.RunWaiting && r.Wait.Task+r.Wait.Effect != "" {
						ids = append(ids, id)
					}
				}
				if len(ids) == 0 {
					continue
				}
				slices.Sort(ids)
				r := s.snap.Runs[rapid.SampledFrom(ids).Draw(rt, "run")]
				if r.Wait.Task != "" {
					run(act{p: &event.TaskDecided{Task: r.Wait.Task, Outcome: rapid.SampledFrom([]string{"yes", "no"}).Draw(rt, "answer")}})
				} else {
					run(act{p: &event.CallAnswered{Effect: r.Wait.Effect, Run: r.ID, Order: r.OrderID, Status: 200, Values: map[string]string{"points": "99"}}})
				}
			}
		}
		if err := s.laws(); err != nil {
			rt.Fatal(err)
		}
		// The same again gives the same, byte for byte.
		again := newShop(t, texts...)
		again.receive("MUG", "a", 30)
		for _, a := range acts {
			if a.p == nil {
				again.later(a.wait)
			} else if err := again.try(a.p, "shop"); err != nil {
				rt.Fatal(err)
			}
		}
		one, _ := json.Marshal(s.snap.Runs)
		two, _ := json.Marshal(again.snap.Runs)
		if string(one) != string(two) || s.state() != again.state() {
			rt.Fatalf("the same events gave\n%s\nand\n%s", one, two)
		}
		s.later(400 * 24 * time.Hour)
		for _, r := range s.snap.Runs {
			if r.State == automation.RunWaiting && r.Wait.Task == "" {
				rt.Fatalf("a run waits for ever: %+v", r)
			}
		}
	})
}

// TestWhatNamesAPersonIsNotKept: a value made of the mail address serves the steps that follow at once, and stands
// neither in the trace nor in the run, which people see who may not see personal data.
func TestWhatNamesAPersonIsNotKept(t *testing.T) {
	s := newShop(t, auto("a", "order.placed", `do:
  - set: { name: mail, value: customer.email }
  - set: { name: both, value: '"to " + mail' }
  - set: { name: domain, value: customer.email_domain }
  - if: both.startsWith("to s")
    then: [ { tag: known } ]
  - webhook: { connection: erp, purpose: tell }
  - wait: 1h
  - if: both != "x"
    then: [ { tag: kept } ]
`))
	p := placed("1", line("MUG", 1))
	p.Customer.Email = "Secret@example.com"
	d := s.do(p)
	run := s.onlyRun("a")
	trace, _ := json.Marshal(d.Trace)
	bare := run.Clone()
	bare.CustomerID = "" // in these tests it is made of the address
	kept, _ := json.Marshal(bare)
	// A webhook is kept as it leaves, and sent again as it is kept: the same body at every attempt, and nobody named in it.
	var body map[string]string
	for _, f := range d.Effects {
		if f.Payload.Purpose == "tell" {
			body = f.Payload.Data
		}
	}
	if body["values.domain"] != "example.com" || len(body) != 3 {
		t.Errorf("the webhook says %v", body)
	}
	for what, text := range map[string]string{"trace": string(trace), "run": string(kept)} {
		if strings.Contains(text, "ecret") || !strings.Contains(text, "not shown, as it names a person") || !strings.Contains(text, "example.com") {
			t.Errorf("the %s says %s", what, text)
		}
	}
	if o := s.order("1"); !slices.Equal(o.Tags, []string{"known"}) {
		t.Errorf("tags %v", o.Tags)
	}
	s.later(time.Hour)
	if o := s.order("1"); !slices.Equal(o.Tags, []string{"known"}) {
		t.Errorf("after the wait it was still known: %v", o.Tags)
	}
}
