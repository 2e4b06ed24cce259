package event

import (
	"time"

	"orderly.example/orderly/internal/fault"
)

// ScheduleDue is a timer's word: an automation's time has come.
type ScheduleDue struct {
	Automation string    `json:"automation"`
	At         time.Time `json:"at"` // as scheduled; it may have passed while no program ran
}

// AbsenceDue is a timer's word: what an automation expects to follow on an
// event did not follow in time.
type AbsenceDue struct {
	Automation string `json:"automation"`
	Order      string `json:"order"`
	Watch      string `json:"watch"` // the wait of the order that is over
}

// Reasons why a run of an automation goes on.
const (
	WokenByTime  = "time"  // its time has come, or what it waits for did not come in time
	WokenByEvent = "event" // the event it waits for came
	WokenByTask  = "task"  // the person it asked decided
	WokenByError = "error" // what it called failed for good
	WokenAgain   = "again" // its automation acts again, after it had been stopped
)

// RunDue lets a waiting run of an automation go on. Wait is the number of the
// run's wait: one that is over already is not ended again.
type RunDue struct {
	Run   string `json:"run"`
	Order string `json:"order,omitempty"`
	Wait  int    `json:"wait"`
	Why   string `json:"why"`
	Event string `json:"event,omitempty"` // id of the event that came
	Value string `json:"value,omitempty"` // what was decided, or the error
	By    string `json:"by,omitempty"`    // who decided
}

// RunRetried is a person's word: a run that failed is begun again at one of its
// steps, by a run in its place.
type RunRetried struct {
	Run   string `json:"run"`
	Order string `json:"order,omitempty"`
	From  string `json:"from,omitempty"`  // the step; "" = the one that failed
	Twice bool   `json:"twice,omitempty"` // what may have happened may happen a second time
}

// CallAnswered is what a called connection answered. Values has the fields that
// the automation declared, as text; what was missing or of another type is left out.
type CallAnswered struct {
	Effect string            `json:"effect"`
	Run    string            `json:"run"`
	Order  string            `json:"order,omitempty"`
	Status int64             `json:"status"`
	Values map[string]string `json:"values,omitempty"`
}

func (*ScheduleDue) EventType() string  { return "schedule.due" }
func (*AbsenceDue) EventType() string   { return "absence.due" }
func (*RunDue) EventType() string       { return "run.due" }
func (*RunRetried) EventType() string   { return "run.retried" }
func (*CallAnswered) EventType() string { return "call.answered" }

func (p *ScheduleDue) EventSubject() string { return p.Automation }
func (p *AbsenceDue) EventSubject() string  { return p.Order }

// EventSubject is the order the run is about, or the run itself.
func (p *RunDue) EventSubject() string { return orderOr(p.Order, p.Run) }

// EventSubject is the order the run is about, or the run itself.
func (p *RunRetried) EventSubject() string { return orderOr(p.Order, p.Run) }

// EventSubject is the order the run is about, or the run itself.
func (p *CallAnswered) EventSubject() string { return orderOr(p.Order, p.Run) }

func orderOr(order, other string) string {
	if order != "" {
		return order
	}
	return other
}

// Validate implements Payload.
func (p *ScheduleDue) Validate() []fault.Problem {
	var c checker
	c.id("/automation", p.Automation)
	return c.ps
}

// Validate implements Payload.
func (p *AbsenceDue) Validate() []fault.Problem {
	var c checker
	c.id("/automation", p.Automation)
	c.id("/order", p.Order)
	return c.ps
}

// Validate implements Payload.
func (p *RunDue) Validate() []fault.Problem {
	var c checker
	c.id("/run", p.Run)
	return c.ps
}

// Validate implements Payload.
func (p *RunRetried) Validate() []fault.Problem {
	var c checker
	c.id("/run", p.Run)
	return c.ps
}

// Validate implements Payload.
func (p *CallAnswered) Validate() []fault.Problem {
	var c checker
	c.id("/run", p.Run)
	c.id("/effect", p.Effect)
	return c.ps
}
