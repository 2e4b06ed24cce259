package automation

import (
	"slices"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// If does one list of steps or the other. When the condition stays unknown it does neither.
type If struct {
	When string
	Cond *rule.Condition
	Then []Step
	Else []Step
}

// ForEach does its steps once for every line of the order, or for those that When is true for.
type ForEach struct {
	As   string // the name of the line, with its fields: As.sku, As.qty …
	When string
	Cond *rule.Condition // true for all when left out
	Do   []Step
}

// Wait lets the run rest.
type Wait struct{ For time.Duration }

// What an awaited event has in common with the run.
const (
	SameOrder    = "order"
	SameCustomer = "customer"
	SameTask     = "task"    // the task that the run opened last
	SameSubject  = "subject" // the SKU, when there is no order
)

// WaitFor lets the run rest until an event comes. When it does not come in time
// Else is done, and the run goes on; without Else the run ends there.
type WaitFor struct {
	Event   string
	Same    string
	When    string
	Cond    *rule.Condition // on the awaited event
	For     time.Duration
	HasElse bool
	Else    []Step
}

// Ask opens a task and waits for its decision. With Else the deadline ends the
// wait: the task is closed and Else is done. Without, the run waits however long it takes.
type Ask struct {
	Queue   string
	Title   string
	Options []string
	SLA     time.Duration
	As      string // names the decision; "" = it has no name
	HasElse bool
	Else    []Step
}

// Result is a field of a call's answer.
type Result struct {
	Name string // in the JSON of the answer
	Type schema.Type
}

// Call sends a webhook and waits for its answer. When none comes in time, or the
// call fails for good, Else is done; without Else the run fails.
type Call struct {
	Connection string
	Purpose    string
	As         string // names the answer: As.status and As.FIELD
	Returns    []Result
	For        time.Duration
	HasElse    bool
	Else       []Step
}

// Assign names a value.
type Assign struct {
	Name  string
	Value *rule.Value
}

// Escalate gives the open tasks of the order to another queue, and makes one
// when there is none; or, with a mail address, tells that person.
type Escalate struct{ To string }

// Stop ends the run.
type Stop struct{}

// Cancel cancels the order. What was captured becomes a refund task.
type Cancel struct{ Reason string }

// Refund asks finance to give money back: Amount, or all that was captured and not given back.
type Refund struct {
	Amount money.Amount
	Reason string
}

func (If) kind() Kind       { return KindIf }
func (ForEach) kind() Kind  { return KindForEach }
func (Wait) kind() Kind     { return KindWait }
func (WaitFor) kind() Kind  { return KindWaitFor }
func (Ask) kind() Kind      { return KindAsk }
func (Call) kind() Kind     { return KindCall }
func (Assign) kind() Kind   { return KindSet }
func (Escalate) kind() Kind { return KindEscalate }
func (Stop) kind() Kind     { return KindStop }
func (Cancel) kind() Kind   { return KindCancel }
func (Refund) kind() Kind   { return KindRefund }

// Inner returns the lists of steps inside a step, each with its name in the text.
func (s *Step) Inner() []Branch {
	switch a := s.Action.(type) {
	case If:
		return []Branch{{"then", a.Then}, {"else", a.Else}}
	case ForEach:
		return []Branch{{"do", a.Do}}
	case WaitFor:
		return []Branch{{"else", a.Else}}
	case Ask:
		return []Branch{{"else", a.Else}}
	case Call:
		return []Branch{{"else", a.Else}}
	}
	return nil
}

// Branch is a list of steps inside a step.
type Branch struct {
	Name  string // then, else or do
	Steps []Step
}

// Each calls f for every step, outer before inner, in the order of the text.
func (a *Automation) Each(f func(*Step)) { each(a.Steps, f) }

func each(steps []Step, f func(*Step)) {
	for i := range steps {
		f(&steps[i])
		for _, b := range steps[i].Inner() {
			each(b.Steps, f)
		}
	}
}

// Waits reports whether the steps may wait: then every firing is kept as a run.
func (a *Automation) Waits() bool {
	waits := false
	a.Each(func(s *Step) {
		switch s.Kind {
		case KindWait, KindWaitFor, KindAsk, KindCall:
			waits = true
		}
	})
	return waits
}

// StepReads returns the facts that the steps read, each once, sorted, and the counts among them.
func (a *Automation) StepReads() (fields []string, counts []rule.Velocity) {
	add := func(fs []string, vs []rule.Velocity) {
		fields = append(fields, fs...)
		for _, v := range vs {
			counts = addOnce(counts, v)
		}
	}
	a.Each(func(s *Step) {
		switch x := s.Action.(type) {
		case If:
			add(x.Cond.Fields(), x.Cond.Velocities())
		case ForEach:
			if x.Cond != nil {
				add(x.Cond.Fields(), x.Cond.Velocities())
			}
		case Assign:
			add(x.Value.Fields(), x.Value.Velocities())
		}
	})
	slices.Sort(fields)
	return slices.Compact(fields), counts
}
