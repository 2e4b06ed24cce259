package decide

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/rule"
)

// Runs of automations that wait. What may let one go on is found by what it has
// in common with an event (automation.WaitKey); going on is an event of its own,
// run.due: derived at once where the run is about the order in hand, whose lock
// is held, and set as a timer that is due now where it is not.

// RunTrace is what a run did when it went on.
type RunTrace struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	State   string   `json:"state"`
	Did     []string `json:"did,omitempty"`
}

// PutRun gives the snapshot a run as it is.
func (s *Snapshot) PutRun(run *automation.Run) {
	if was := s.Runs[run.ID]; was != nil {
		for _, k := range runKeys(was) {
			s.waiting[k] = slices.DeleteFunc(slices.Clone(s.waiting[k]), func(id string) bool { return id == run.ID })
		}
	}
	s.Runs[run.ID] = run
	for _, k := range runKeys(run) {
		ids := slices.Clone(s.waiting[k])
		i, _ := slices.BinarySearch(ids, run.ID)
		s.waiting[k] = slices.Insert(ids, i, run.ID)
	}
}

// runKeys are the names under which a waiting run is found.
func runKeys(run *automation.Run) []string {
	if run.State != automation.RunWaiting {
		return nil
	}
	var out []string
	if run.Wait.Key != "" {
		out = append(out, run.Wait.Key)
	}
	if run.OrderID != "" {
		out = append(out, "of:"+run.OrderID)
	}
	return out
}

// WaitKeys names what runs that an event may let go on have in common with it.
func WaitKeys(snap *Snapshot, ev event.Event) []string {
	var out []string
	add := func(what, id string) {
		if id != "" {
			out = append(out, automation.WaitKey(what, id))
		}
	}
	for _, o := range []*order.Order{snap.Orders[ev.Subject], snap.orderOf(ev.Data)} {
		if o != nil {
			add(automation.SameOrder, o.ID)
			add(automation.SameCustomer, o.CustomerID)
		}
	}
	add(automation.SameCustomer, ev.Who.Customer)
	switch p := ev.Data.(type) {
	case *event.EffectFailed:
		add("effect", p.Effect)
	case *event.TaskDecided:
		add(automation.SameTask, p.Task)
	case *event.TaskAssigned:
		add(automation.SameTask, p.Task)
	case *event.TaskOverdue:
		add(automation.SameTask, p.Task)
	}
	if strings.HasPrefix(ev.Type, "stock.") {
		add(automation.SameSubject, ev.Subject)
	}
	return out
}

func (s *Snapshot) orderOf(p event.Payload) *order.Order {
	switch p := p.(type) {
	case *event.TaskDecided:
		return s.orderOfTask(p.Task)
	case *event.TaskAssigned:
		return s.orderOfTask(p.Task)
	case *event.TaskOverdue:
		return s.orderOfTask(p.Task)
	}
	return nil
}

// putRun keeps a run with the decision; the last word of one decision counts.
func (d *decider) putRun(run *automation.Run) {
	for i, have := range d.out.Runs {
		if have.ID == run.ID {
			d.out.Runs[i] = run
			return
		}
	}
	d.out.Runs = append(d.out.Runs, run)
}

// version is the text that a run began with.
func (d *decider) version(run *automation.Run) (*automation.Automation, error) {
	if a := d.pol.Automations.Get(run.Automation); a != nil && a.Hash == run.Version {
		return a, nil
	}
	if a := d.snap.Versions[run.Version]; a != nil {
		return a, nil
	}
	return nil, fault.New(fault.Internal, "decide.version", "version %s of the automation %s is missing", shortHash(run.Version), run.Automation)
}

// wakeRuns lets the runs go on that wait for the event in hand.
func (d *decider) wakeRuns() {
	if !d.live || len(d.snap.waiting) == 0 {
		return
	}
	keys := []string{}
	if o := d.order; o != nil {
		keys = append(keys, automation.WaitKey(automation.SameOrder, o.ID))
		if o.CustomerID != "" {
			keys = append(keys, automation.WaitKey(automation.SameCustomer, o.CustomerID))
		}
	}
	for _, k := range WaitKeys(d.snap, d.ev) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		for _, id := range d.snap.waiting[k] {
			run := d.snap.Runs[id]
			if run.Wait.Event != d.ev.Type || run.Held != nil || d.woken[id] || run.EventID == d.ev.ID || !d.awaited(run) {
				continue
			}
			if d.woken == nil {
				d.woken = map[string]bool{}
			}
			d.woken[id] = true
			p := &event.RunDue{Run: id, Order: run.OrderID, Wait: run.Wait.N, Why: event.WokenByEvent, Event: d.ev.ID}
			switch x := d.ev.Data.(type) {
			case *event.EffectFailed:
				if run.Wait.Effect != "" {
					p.Why, p.Value = event.WokenByError, x.Error
				}
			case *event.TaskDecided:
				if run.Wait.Task != "" {
					p.Why, p.Value, p.By = event.WokenByTask, x.Outcome, d.ev.Actor
				}
			}
			if run.OrderID != "" && run.OrderID == d.orderID() {
				d.derive(p)
				continue
			}
			d.timer(d.at, "woken:"+id+":"+itoa(int64(run.Wait.N)), p)
		}
	}
}

// awaited evaluates the condition of a wait on the event in hand. One that is unknown goes on waiting.
func (d *decider) awaited(run *automation.Run) bool {
	a, err := d.version(run)
	if err != nil {
		return true // the run says so itself, when it goes on
	}
	s := a.StepAt(run.At)
	if s == nil {
		return true
	}
	x, ok := s.Action.(automation.WaitFor)
	if !ok || x.Cond == nil {
		return true
	}
	facts := scoped{base: Facts{}, named: map[string]any{}}
	for _, name := range x.Cond.Fields() {
		if v, known := d.fact(name); known {
			facts.base[name] = v
		}
	}
	for _, v := range run.Values {
		if got, err := v.Get(); err == nil {
			facts.named[v.Name] = got
		}
	}
	d.addFacts(facts.base)
	out, _ := x.Cond.Eval(facts)
	return out == rule.True
}

// runDue lets a run go on, unless that wait is over.
func (d *decider) runDue(p *event.RunDue) error {
	run := d.snap.Runs[p.Run]
	if run == nil || run.State != automation.RunWaiting {
		d.note("run %s has ended; nothing changes", p.Run)
		return nil
	}
	why := *p
	if p.Why == event.WokenAgain && run.Held != nil {
		why = *run.Held
	}
	if run.Wait.N != why.Wait || p.Why == event.WokenAgain && run.Held == nil {
		d.note("the run of %s went on before; nothing changes", run.Automation)
		return nil
	}
	return d.goOn(run, &why, woken{why: why.Why, value: why.Value, by: why.By})
}

// callAnswered gives a run the answer to its call.
func (d *decider) callAnswered(p *event.CallAnswered) error {
	run := d.snap.Runs[p.Run]
	if run == nil || run.State != automation.RunWaiting || run.Wait.Effect != p.Effect {
		d.note("the run went on without this answer")
		return nil
	}
	return d.goOn(run, nil, woken{why: event.WokenByEvent, answer: p})
}

// goOn resumes a run as far as its automation may act: one that is stopped keeps
// its runs where they are, one that was removed ends them.
func (d *decider) goOn(was *automation.Run, held *event.RunDue, w woken) error {
	if d.ask {
		return nil // a run goes on by itself; nobody is asked
	}
	run := was.Clone()
	if run.OrderID != "" {
		d.loadOrder(run.OrderID)
	}
	now := d.pol.Automations.Get(run.Automation)
	switch {
	case now == nil:
		d.endRun(run, automation.RunCancelled, "its automation was removed")
		return nil
	case held != nil && (now.Mode != automation.Active && now.Mode != automation.Canary || d.guard(run.Automation).Stop != nil):
		why := string(now.Mode)
		if now.Mode == automation.Active || now.Mode == automation.Canary {
			why = automation.HowStopped
		}
		run.Held, run.Updated = held, d.at
		d.unset(run.Wait.Timer)
		d.putRun(run)
		d.traceRun(run, []string{"it stays where it is: the automation is " + why})
		return nil
	}
	a, err := d.version(run)
	if err != nil {
		return err
	}
	run.Held = nil
	d.unset(run.Wait.Timer)
	holds := d.holds()
	r := d.restore(run, a)
	r.resume(w)
	d.liftHolds()
	d.resettle = d.resettle || d.holds() != holds
	d.traceRun(run, r.did)
	return nil
}

func (d *decider) traceRun(run *automation.Run, did []string) {
	d.out.Trace.Runs = append(d.out.Trace.Runs, RunTrace{
		ID: run.ID, Name: run.Automation, Version: shortHash(run.Version), State: string(run.State), Did: did,
	})
}

// unset takes a timer away.
func (d *decider) unset(id string) {
	if id != "" {
		d.out.Unset = append(d.out.Unset, id)
	}
}

// endRun ends a run that waits.
func (d *decider) endRun(run *automation.Run, state automation.RunState, reason string) {
	d.unset(run.Wait.Timer)
	if run.Wait.Task != "" {
		d.closeTask(run.Wait.Task)
	}
	d.out.Withdraw = append(d.out.Withdraw, d.pendingEffect(run.Wait.Effect)...)
	for i := range run.Steps {
		if st := &run.Steps[i]; st.Ended.IsZero() {
			st.Ended, st.Out = d.at, reason
		}
	}
	run.State, run.Reason, run.At, run.Held, run.Updated, run.Ended = state, reason, nil, nil, d.at, d.at
	run.Wait = automation.Await{N: run.Wait.N}
	d.putRun(run)
	d.traceRun(run, []string{"it ends: " + reason})
}

// endRuns ends the runs of an order that was cancelled, but for those that wait for just that.
func (d *decider) endRuns() {
	if d.order == nil || d.before == order.Cancelled || d.order.State != order.Cancelled {
		return
	}
	for i := range d.order.Watches {
		d.unset(d.order.Watches[i].Timer)
	}
	d.order.Watches = nil
	for _, id := range d.snap.waiting["of:"+d.order.ID] {
		run := d.snap.Runs[id]
		if d.woken[id] || run.Wait.Event == "order.cancelled" {
			continue
		}
		d.endRun(run.Clone(), automation.RunCancelled, "the order was cancelled")
	}
}
