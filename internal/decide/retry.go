package decide

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
)

// A run that failed is never gone on with: a person begins another one in its
// place, at one of its steps, with what the steps before it have named.

// Retry is what beginning again at a step of a failed run would do.
type Retry struct {
	From  string      // the step, as automation.Path writes it
	Steps []RetryStep // what the run did from there on: it is done again
	Risks []string    // what may happen a second time; a person must say that it may

	at     []automation.Frame
	values []automation.Value // what the steps before have named
	calls  []string           // effects whose place is taken
}

// RetryStep is a step that is done again.
type RetryStep struct {
	automation.RunStep
	Then string // what that means
	Risk bool
}

// RetryID is the id of the run that takes the place of a failed one. There is one.
func RetryID(run string) string { return event.Derive("run_", "retry", run) }

// callKey is the key of the effect of a call. A run in another's place calls anew; first is then the id of the
// call in the very first run, whose idempotency key every try has: a destination that has done it recognises it.
func callKey(run *automation.Run, path string) (key, first string) {
	key = "call:" + run.Automation + ":" + run.EventID + ":" + path
	if run.Before == "" {
		return key, ""
	}
	return key + ":" + run.ID, effect.ID(key, run.OrderID)
}

func callID(run *automation.Run, path string) string {
	key, _ := callKey(run, path)
	return effect.ID(key, run.OrderID)
}

// RunCalls are the ids of the effects of the calls that a run has made.
func RunCalls(run *automation.Run) []string {
	var out []string
	for _, s := range run.Steps {
		if s.Kind == automation.KindCall {
			out = append(out, callID(run, s.At))
		}
	}
	return out
}

// PlanRetry says what beginning again at a step would do; from "" is the step that failed. a is the text that
// the run began with, effects are those of its order, or its calls, and o is its order, if it has one.
func PlanRetry(run *automation.Run, a *automation.Automation, from string, effects []effect.Effect, o *order.Order) (*Retry, error) {
	const op = "decide.PlanRetry"
	switch {
	case run.State != automation.RunFailed:
		return nil, fault.New(fault.Conflict, op, "the run is %s; only one that failed can be tried again", run.State)
	case run.Left > 0 || len(run.Steps) == 0:
		return nil, fault.New(fault.Conflict, op, "the run did more steps than are kept, so the place to begin at is not known")
	}
	if from == "" {
		from = run.Steps[len(run.Steps)-1].At
	}
	first := slices.IndexFunc(run.Steps, func(s automation.RunStep) bool { return s.At == from })
	at, ok := automation.ParsePath(from)
	if first < 0 || !ok || a.StepAt(at) == nil {
		return nil, fault.New(fault.Invalid, op, "the run did no step %q; the page of the run lists its steps", from)
	}
	p := &Retry{From: from, at: at}
	named := func(steps []automation.RunStep) []string {
		var out []string
		for _, s := range steps {
			if at, ok := automation.ParsePath(s.At); ok {
				if name := names(a.StepAt(at)); name != "" {
					out = append(out, name)
				}
			}
		}
		return out
	}
	before, again := named(run.Steps[:first]), named(run.Steps[first:])
	for _, name := range again {
		if slices.Contains(before, name) {
			return nil, fault.New(fault.Conflict, op, "%q was named before this step and again after it, so what it was is not known; begin at an earlier step", name)
		}
	}
	for _, v := range run.Values {
		if !slices.ContainsFunc(again, func(name string) bool { return v.Name == name || strings.HasPrefix(v.Name, name+".") }) {
			p.values = append(p.values, v)
		}
	}
	for _, s := range run.Steps[first:] {
		p.step(run, s, effects)
	}
	if o != nil && o.State == order.Cancelled {
		p.Risks = append(p.Risks, "the order was cancelled")
	}
	return p, nil
}

// names is what a step gives a name to.
func names(s *automation.Step) string {
	if s == nil {
		return ""
	}
	switch x := s.Action.(type) {
	case automation.Assign:
		return x.Name
	case automation.Ask:
		return x.As
	case automation.Call:
		return x.As
	}
	return ""
}

// step says what doing a step again means.
func (p *Retry) step(run *automation.Run, s automation.RunStep, effects []effect.Effect) {
	out := RetryStep{RunStep: s}
	switch s.Kind {
	case automation.KindCall:
		id := callID(run, s.At)
		p.calls = append(p.calls, id)
		i := slices.IndexFunc(effects, func(e effect.Effect) bool { return e.ID == id })
		out.Then = "calls again"
		switch {
		case i < 0:
		case effects[i].State == effect.Done:
			out.Risk, out.Then = true, "calls again, although the first call arrived"
		case effects[i].State == effect.Claimed || effects[i].Unsure:
			out.Risk, out.Then = true, "calls again; the first call may have arrived, its answer never came"
		case effects[i].State == effect.Cancelled:
			out.Then = "calls; the first call never left"
		default:
			out.Then = "calls again; the first call did not arrive"
		}
		if out.Risk {
			p.Risks = append(p.Risks, s.In+": the first call "+map[bool]string{true: "arrived", false: "may have arrived"}[effects[i].State == effect.Done])
		}
	case automation.KindMessage, automation.KindReport, automation.KindWebhook:
		out.Then = "does not leave twice: what left has the same key"
	case automation.KindAsk, automation.KindTask, automation.KindRefund:
		out.Then = "asks a person again"
	case automation.KindWait, automation.KindWaitFor:
		out.Then = "waits anew"
	case automation.KindIf, automation.KindForEach, automation.KindSet:
		out.Then = "is worked out anew"
	default:
		out.Then = "is done again; it changes nothing that is so already"
	}
	p.Steps = append(p.Steps, out)
}

// runRetried begins a run in the place of one that failed. What a person gives their word for they have seen in a preview;
// the same plan is made here, on what is so now.
func (d *decider) runRetried(p *event.RunRetried) error {
	const op = "decide.runRetried"
	failed := d.snap.Runs[p.Run]
	if failed == nil || failed.OrderID != p.Order {
		return fault.New(fault.NotFound, op, "there is no run %s that failed", p.Run)
	}
	if d.ask {
		return nil
	}
	if d.snap.Runs[RetryID(failed.ID)] != nil {
		return fault.New(fault.Conflict, op, "the run was tried again before")
	}
	if failed.OrderID != "" {
		d.loadOrder(failed.OrderID)
	}
	now := d.pol.Automations.Get(failed.Automation)
	switch {
	case now == nil:
		return fault.New(fault.Conflict, op, "the automation %s was removed", failed.Automation)
	case now.Mode != automation.Active && now.Mode != automation.Canary || d.guard(failed.Automation).Stop != nil:
		return fault.New(fault.Conflict, op, "the automation %s does not act for now; let it act again first", failed.Automation)
	}
	a, err := d.version(failed)
	if err != nil {
		return err
	}
	plan, err := PlanRetry(failed, a, p.From, d.snap.Effects[failed.OrderID], d.order)
	if err != nil {
		return err
	}
	if len(plan.Risks) > 0 && !p.Twice {
		return fault.New(fault.Conflict, op, "%s: it is only done when a person says that it may happen twice", strings.Join(plan.Risks, "; "))
	}
	run := failed.Clone()
	run.ID, run.Before, run.State, run.Reason = RetryID(failed.ID), failed.ID, automation.RunWaiting, ""
	run.Started, run.Ended, run.Wait, run.Held = d.at, time.Time{}, automation.Await{}, nil
	run.At, run.Values, run.Steps = nil, plan.values, nil
	holds := d.holds()
	d.out.Settle = append(d.out.Settle, plan.calls...)
	r := d.restore(run, a)
	r.redo, r.did = true, []string{"it begins again at step " + plan.From + ", in the place of " + failed.ID}
	r.lineAgain(plan.at)
	r.close(r.list(r.a.Steps, nil, plan.at))
	d.liftHolds()
	d.resettle = d.resettle || d.holds() != holds
	d.traceRun(run, r.did)
	return nil
}
