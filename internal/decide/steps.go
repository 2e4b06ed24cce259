package decide

import (
	"fmt"
	"slices"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/task"
)

// runner goes through the steps of one automation for one event. Where the steps
// may wait it writes a run, and a later event goes on from there.
type runner struct {
	d    *decider
	a    *automation.Automation
	acts bool
	run  *automation.Run // nil where nothing can wait, or nothing is done
	did  []string
	// Names of values that name a person: they are known to the steps that follow at once, and stand in nothing that is kept.
	personal []string
	redo     bool // the step where it goes on is itself done, and not only those after it

	// What the automation began with, which is not always the event in hand.
	event, trigger, subject, once string
	data                          map[string]string
	facts                         scoped
}

// scoped are the facts of an event with the values that steps have named.
type scoped struct {
	base  Facts
	named map[string]any
}

// Fact implements rule.Facts.
func (s scoped) Fact(name string) (any, bool) {
	if v, ok := s.named[name]; ok {
		return v, true
	}
	return s.base.Fact(name)
}

// flow says how a step ended.
type flow uint8

const (
	goesOn flow = iota
	waits
	ends
)

// fire begins an automation on the event in hand, and returns what it did and its run, if there is one.
func (d *decider) fire(a *automation.Automation, facts Facts, acts bool) (did []string, runID string) {
	r := &runner{
		d: d, a: a, acts: acts, event: d.ev.ID, trigger: d.ev.Type, subject: d.ev.Subject, once: d.onceFor(), data: d.messageData(),
		facts: scoped{base: facts},
	}
	if acts && a.Waits() {
		r.run = &automation.Run{
			ID: event.Derive("run_", a.Name, d.ev.ID), Automation: a.Name, Version: a.Hash, Trigger: d.ev.Type, EventID: d.ev.ID,
			Subject: d.ev.Subject, Once: r.once, OrderID: d.orderID(), CustomerID: d.customerID(), Started: d.at, Data: r.data,
			Facts: told(a, facts),
		}
		runID = r.run.ID
	}
	r.close(r.list(a.Steps, nil, nil))
	return r.did, runID
}

// told are the facts that a run must remember: what the event said, and counts.
// What the order and its customer are is read anew when the run goes on. What
// names a person is not kept.
func told(a *automation.Automation, facts Facts) []automation.Value {
	var out []automation.Value
	names, _ := a.StepReads()
	for _, name := range names {
		v, ok := facts[name]
		f, field := schema.Lookup(name)
		if !ok || field && (f.Personal || f.Type == schema.Strings || f.Type == schema.Lines || readAnew(f)) {
			continue
		}
		out = append(out, automation.NewValue(name, v))
	}
	return out
}

// readAnew reports whether a fact is of the order or its customer, and so is as it is now.
func readAnew(f schema.Field) bool { return f.Events == nil }

// close writes the run as the steps have left it.
func (r *runner) close(f flow) {
	if r.run == nil {
		return
	}
	run := r.run
	run.Updated = r.d.at
	if f == waits {
		run.State = automation.RunWaiting
	} else {
		run.At, run.Wait, run.Ended = nil, automation.Await{N: run.Wait.N}, r.d.at
		if run.State != automation.RunFailed && run.State != automation.RunCancelled {
			run.State = automation.RunDone
		}
	}
	r.d.putRun(run)
}

// list does steps from the first, or from where resume says.
func (r *runner) list(steps []automation.Step, at, resume []automation.Frame) flow {
	from := 0
	if len(resume) > 0 {
		from = resume[0].Step
	}
	for i := from; i < len(steps); i++ {
		var f flow
		if i == from && len(resume) > 0 {
			f = r.again(&steps[i], at, resume)
		} else {
			f = r.step(&steps[i], at, i)
		}
		if f != goesOn {
			return f
		}
	}
	return goesOn
}

// again goes on inside a step. The step that waited itself was ended by the one who woke the run.
func (r *runner) again(s *automation.Step, at, resume []automation.Frame) flow {
	here := resume[0]
	if here.Branch == "" {
		if r.redo {
			r.redo = false
			return r.step(s, at, here.Step)
		}
		return goesOn
	}
	inner := append(slices.Clone(at), here)
	if loop, ok := s.Action.(automation.ForEach); ok {
		return r.lines(loop, inner, resume[1:])
	}
	for _, b := range s.Inner() {
		if b.Name == here.Branch {
			return r.list(b.Steps, inner, resume[1:])
		}
	}
	return goesOn
}

// into does a list of steps inside a step.
func (r *runner) into(steps []automation.Step, at []automation.Frame, i int, branch string) flow {
	return r.list(steps, append(slices.Clone(at), automation.Frame{Step: i, Branch: branch}), nil)
}

// step does one step.
func (r *runner) step(s *automation.Step, at []automation.Frame, i int) flow {
	here := append(slices.Clone(at), automation.Frame{Step: i})
	path := automation.Path(here)
	switch x := s.Action.(type) {
	case automation.If:
		out, why := x.Cond.Eval(r.facts)
		said := out.String()
		if why != nil {
			said += ": " + why.Error()
		}
		r.did = append(r.did, "if "+x.When+": "+said)
		r.note(s, path, x.When, said)
		switch out {
		case rule.True:
			return r.into(x.Then, at, i, "then")
		case rule.False:
			return r.into(x.Else, at, i, "else")
		}
		return goesOn
	case automation.ForEach:
		if r.d.order == nil {
			r.did = append(r.did, "for each line: nothing, the event concerns no order")
			return goesOn
		}
		r.did = append(r.did, fmt.Sprintf("for each of %d lines", len(r.d.order.Lines)))
		r.note(s, path, x.When, fmt.Sprintf("%d lines", len(r.d.order.Lines)))
		return r.lines(x, append(slices.Clone(at), automation.Frame{Step: i, Branch: "do"}), nil)
	case automation.Assign:
		v, err := x.Value.Eval(r.facts)
		said := ""
		switch {
		case err != nil:
			said = err.Error()
			r.forget(x.Name)
		case x.Value.Personal(): // what names a person is neither shown nor kept with the run
			said = "not shown, as it names a person"
			r.forget(x.Name)
			r.know(x.Name, v)
			r.personal = append(r.personal, x.Name)
		default:
			said = rule.Show(v)
			r.personal = slices.DeleteFunc(r.personal, func(n string) bool { return n == x.Name })
			r.name(automation.NewValue(x.Name, v))
		}
		r.did = append(r.did, "set "+x.Name+": "+said)
		r.note(s, path, x.Value.Source(), said)
		return goesOn
	case automation.Stop:
		r.did = append(r.did, "stop")
		r.note(s, path, "", "")
		return ends
	case automation.Wait:
		r.wait(s, here, automation.Await{Until: r.d.at.Add(x.For)}, "wait "+rule.Show(x.For), rule.Show(x.For))
		return waits
	case automation.WaitFor:
		return r.waitFor(s, here, x)
	case automation.Ask:
		return r.ask(s, here, x)
	case automation.Call:
		return r.call(s, here, x)
	}
	said := r.act(s.Action, path)
	r.did = append(r.did, said)
	r.note(s, path, "", said)
	return goesOn
}

// lines does the steps of a for_each for the lines from that of the last frame on.
func (r *runner) lines(x automation.ForEach, at, resume []automation.Frame) flow {
	lines := r.d.ruleLines(r.d.order)
	first := at[len(at)-1].Line
	for n := first; n < len(lines); n++ {
		r.line(x.As, lines[n])
		if n != first || resume == nil {
			if x.Cond != nil {
				if out, _ := x.Cond.Eval(r.facts); out != rule.True {
					continue
				}
			}
		}
		in := slices.Clone(at)
		in[len(in)-1].Line = n
		from := resume
		if n != first {
			from = nil
		}
		if f := r.list(x.Do, in, from); f != goesOn {
			return f
		}
	}
	for name := range r.facts.named {
		if len(name) > len(x.As) && name[:len(x.As)+1] == x.As+"." {
			delete(r.facts.named, name)
		}
	}
	return goesOn
}

// line lets the name of a for_each stand for a line.
func (r *runner) line(as string, l rule.Line) {
	if r.facts.named == nil {
		r.facts.named = map[string]any{}
	}
	for name, v := range map[string]any{
		"sku": l.SKU, "title": l.Title, "qty": l.Qty, "unit_price": l.UnitPrice, "location": l.Location, "kit": l.Kit, "available": l.Available,
	} {
		r.facts.named[as+"."+name] = v
	}
}

// name gives a value its name, for the steps that follow and for the run.
func (r *runner) name(v automation.Value) {
	got, err := v.Get()
	if err != nil {
		return // what cannot be read stays unknown
	}
	r.know(v.Name, got)
	if r.run != nil {
		r.run.Name(v)
	}
}

// know gives a value its name for the steps that follow at once.
func (r *runner) know(name string, v any) {
	if r.facts.named == nil {
		r.facts.named = map[string]any{}
	}
	r.facts.named[name] = v
}

// forget takes a name away, which an earlier line of a for_each may have given.
func (r *runner) forget(name string) {
	delete(r.facts.named, name)
	r.personal = slices.DeleteFunc(r.personal, func(n string) bool { return n == name })
	if r.run != nil {
		r.run.Values = slices.DeleteFunc(r.run.Values, func(v automation.Value) bool { return v.Name == name })
	}
}

// note keeps what a step did with the run.
func (r *runner) note(s *automation.Step, path, in, out string) {
	if r.run != nil {
		r.run.Note(automation.RunStep{At: path, Line: s.Line, Kind: s.Kind, In: in, Out: out, Began: r.d.at, Ended: r.d.at})
	}
}

// wait lets the run rest in a step. Where nothing is done it says only that it would.
func (r *runner) wait(s *automation.Step, here []automation.Frame, w automation.Await, said, in string) {
	r.did = append(r.did, said)
	run := r.run
	if run == nil {
		return
	}
	w.N, w.Since = run.Wait.N+1, r.d.at
	if !w.Until.IsZero() {
		p := &event.RunDue{Run: run.ID, Order: run.OrderID, Wait: w.N, Why: event.WokenByTime}
		w.Timer = r.d.timer(w.Until, run.ID+":"+itoa(int64(w.N)), p)
	}
	run.At, run.Wait = here, w
	run.Note(automation.RunStep{At: automation.Path(here), Line: s.Line, Kind: s.Kind, In: in, Began: r.d.at})
}

func (r *runner) waitFor(s *automation.Step, here []automation.Frame, x automation.WaitFor) flow {
	w := automation.Await{Event: x.Event, Until: r.d.at.Add(x.For)}
	switch x.Same {
	case automation.SameCustomer:
		w.Key = automation.WaitKey(automation.SameCustomer, r.d.customerID())
	case automation.SameTask:
		if r.run != nil {
			w.Key = automation.WaitKey(automation.SameTask, r.run.LastTask)
		}
	case automation.SameSubject:
		w.Key = automation.WaitKey(automation.SameSubject, r.subject)
	default:
		w.Key = automation.WaitKey(automation.SameOrder, r.d.orderID())
	}
	r.wait(s, here, w, "wait for "+x.Event+" up to "+rule.Show(x.For), x.Event)
	return waits
}

func (r *runner) ask(s *automation.Step, here []automation.Frame, x automation.Ask) flow {
	said := "ask " + x.Queue + ": " + x.Title
	var w automation.Await
	if r.run != nil {
		t := r.openTask(automation.Path(here), task.Task{Kind: task.General, Queue: x.Queue, Title: x.Title, Options: x.Options}, x.SLA)
		r.run.LastTask = t.ID
		w = automation.Await{Event: "task.decided", Key: automation.WaitKey(automation.SameTask, t.ID), Task: t.ID}
		if x.HasElse {
			w.Until = r.d.at.Add(x.SLA)
		}
	}
	r.wait(s, here, w, said, x.Queue+": "+x.Title)
	return waits
}

func (r *runner) call(s *automation.Step, here []automation.Frame, x automation.Call) flow {
	var w automation.Await
	if r.run != nil {
		key, first := callKey(r.run, automation.Path(here))
		f := effect.Effect{
			Key: key, Kind: effect.Webhook, Destination: x.Connection,
			OrderID: r.d.orderID(), CustomerID: r.d.customerID(), Automation: r.a.Name,
			Payload: effect.Payload{Purpose: x.Purpose, Data: r.document(), Same: first, Answer: &effect.Answer{Run: r.run.ID, Returns: map[string]string{}}},
		}
		for _, res := range x.Returns {
			f.Payload.Answer.Returns[res.Name] = string(res.Type)
		}
		w.Effect = effect.ID(f.Key, f.OrderID)
		w.Event, w.Key, w.Until = "effect.failed", automation.WaitKey("effect", w.Effect), r.d.at.Add(x.For)
		r.d.effect(f)
	}
	r.wait(s, here, w, "call "+x.Connection+": "+x.Purpose, x.Connection+": "+x.Purpose)
	return waits
}

// woken is why a run goes on.
type woken struct {
	why, value, by string
	answer         *event.CallAnswered
}

// resume ends the wait of a run and goes on with its steps.
func (r *runner) resume(w woken) {
	run, at := r.run, slices.Clone(r.run.At)
	s := r.a.StepAt(at)
	if s == nil {
		run.State, run.Reason = automation.RunFailed, "the step it waited in is not in its text"
		r.close(ends)
		return
	}
	late, said := r.came(s, w)
	for i := len(run.Steps) - 1; i >= 0; i-- {
		if st := &run.Steps[i]; st.Ended.IsZero() {
			st.Ended, st.Out = r.d.at, said
			break
		}
	}
	r.did = append(r.did, said)
	r.lineAgain(at)
	f := goesOn
	if late {
		f = r.otherwise(s, at)
	}
	if f == goesOn {
		f = r.list(r.a.Steps, nil, at)
	}
	r.close(f)
}

// lineAgain lets the names of the loops around a place stand for their lines again.
func (r *runner) lineAgain(at []automation.Frame) {
	for i, f := range at {
		if x, ok := r.a.StepAt(append(slices.Clone(at[:i]), automation.Frame{Step: f.Step})).Action.(automation.ForEach); ok && f.Branch == "do" && r.d.order != nil {
			if lines := r.d.ruleLines(r.d.order); f.Line < len(lines) {
				r.line(x.As, lines[f.Line])
			}
		}
	}
}

// came takes what ended the wait: late means that it did not come.
func (r *runner) came(s *automation.Step, w woken) (late bool, said string) {
	late = w.why == event.WokenByTime || w.why == event.WokenByError
	switch x := s.Action.(type) {
	case automation.Wait:
		return false, "the time has come"
	case automation.WaitFor:
		if !late {
			return false, x.Event + " came"
		}
		return true, x.Event + " did not come in " + rule.Show(x.For)
	case automation.Ask:
		if late {
			r.d.closeTask(r.run.Wait.Task)
			return true, "nobody has answered in " + rule.Show(x.SLA)
		}
		if x.As != "" {
			r.name(automation.NewValue(x.As, w.value))
		}
		return false, w.value + by(w.by)
	case automation.Call:
		if w.answer != nil {
			return false, r.answered(x, w.answer)
		}
		if w.why == event.WokenByError {
			return true, "it failed: " + w.value
		}
		r.d.out.Withdraw = append(r.d.out.Withdraw, r.d.pendingEffect(r.run.Wait.Effect)...)
		return true, "no answer in " + rule.Show(x.For)
	}
	return late, ""
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return ", by " + who
}

// answered names the fields of an answer.
func (r *runner) answered(x automation.Call, p *event.CallAnswered) string {
	said := "status " + itoa(p.Status)
	r.name(automation.NewValue(x.As+".status", p.Status))
	for _, res := range x.Returns {
		text, ok := p.Values[res.Name]
		if !ok {
			said += ", no " + res.Name
			continue
		}
		v := automation.Value{Name: x.As + "." + res.Name, Type: res.Type, Text: text}
		r.name(v)
		said += ", " + res.Name + " " + text
	}
	return said
}

// otherwise does what a step says for the case that nothing came. Where it says nothing the run ends.
func (r *runner) otherwise(s *automation.Step, at []automation.Frame) flow {
	var steps []automation.Step
	has := false
	switch x := s.Action.(type) {
	case automation.WaitFor:
		steps, has = x.Else, x.HasElse
	case automation.Ask:
		steps, has = x.Else, x.HasElse
	case automation.Call:
		steps, has = x.Else, x.HasElse
		if !has {
			r.run.State, r.run.Reason = automation.RunFailed, r.did[len(r.did)-1]
		}
	}
	if !has {
		if r.run.Reason == "" {
			r.run.Reason = r.did[len(r.did)-1]
		}
		return ends
	}
	i := at[len(at)-1].Step
	return r.into(steps, at[:len(at)-1], i, "else")
}

// restore gives a run that waited its facts and values again: what the event
// told as it was, what the order and the customer are as they are now.
func (d *decider) restore(run *automation.Run, a *automation.Automation) *runner {
	base := Facts{}
	for _, v := range run.Facts {
		if got, err := v.Get(); err == nil {
			base[v.Name] = got
		}
	}
	names, _ := a.StepReads()
	for _, name := range names {
		if f, ok := schema.Lookup(name); ok && readAnew(f) {
			if v, known := d.fact(name); known {
				base[name] = v
			}
		}
	}
	r := &runner{
		d: d, a: a, acts: true, run: run, event: run.EventID, trigger: run.Trigger, subject: run.Subject, once: run.Once, data: run.Data,
		facts: scoped{base: base},
	}
	for _, v := range run.Values {
		r.name(v)
	}
	return r
}

// closeTask closes a task that nobody needs to decide any more.
func (d *decider) closeTask(id string) {
	t, err := d.findTask(id)
	if err != nil || t.State != task.Open && t.State != task.Asked {
		return
	}
	c := d.changeTask(t)
	c.State, c.DoneAt = task.Closed, d.at
}

// pendingEffect is the effect's id when it has not left and can be withdrawn.
func (d *decider) pendingEffect(id string) []string {
	for _, e := range d.snap.Effects[d.orderID()] {
		if e.ID == id && e.State == effect.Pending {
			return []string{id}
		}
	}
	return nil
}
