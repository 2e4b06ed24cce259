package event

import (
	"time"

	"orderly.example/orderly/internal/fault"
)

// TaskDecided is a person's decision.
type TaskDecided struct {
	Task    string `json:"task"`
	Outcome string `json:"outcome"`
	Note    string `json:"note,omitempty"`
}

// TaskAssigned gives a task to a person.
type TaskAssigned struct {
	Task     string `json:"task"`
	Assignee string `json:"assignee"` // "" puts it back
}

// TaskOverdue is a timer's word: the task's SLA has passed.
type TaskOverdue struct {
	Task string `json:"task"`
}

// EffectFailed says that an effect became a dead letter.
type EffectFailed struct {
	Effect      string `json:"effect"`
	Order       string `json:"order,omitempty"`
	Purpose     string `json:"purpose"`
	Destination string `json:"destination"`
	Error       string `json:"error"`
	Automation  string `json:"automation,omitempty"` // that asked for it
}

// DayEnded is a timer's word: the shop's day Date is over (daily report).
type DayEnded struct {
	Date string `json:"date"` // 2006-01-02 in the shop's zone
}

func (*TaskDecided) EventType() string       { return "task.decided" }
func (*TaskAssigned) EventType() string      { return "task.assigned" }
func (*TaskOverdue) EventType() string       { return "task.overdue" }
func (*EffectFailed) EventType() string      { return "effect.failed" }
func (*DayEnded) EventType() string          { return "day.ended" }
func (p *TaskDecided) EventSubject() string  { return p.Task }
func (p *TaskAssigned) EventSubject() string { return p.Task }
func (p *TaskOverdue) EventSubject() string  { return p.Task }

// EventSubject is the order the effect belongs to, or the effect itself.
func (p *EffectFailed) EventSubject() string {
	if p.Order != "" {
		return p.Order
	}
	return p.Effect
}

func (p *DayEnded) EventSubject() string { return p.Date }

// Validate implements Payload.
func (p *TaskDecided) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.id("/outcome", p.Outcome)
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *TaskAssigned) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.text("/assignee", p.Assignee)
	return c.ps
}

// Validate implements Payload.
func (p *TaskOverdue) Validate() []fault.Problem { var c checker; c.id("/task", p.Task); return c.ps }

// Validate implements Payload.
func (p *EffectFailed) Validate() []fault.Problem {
	var c checker
	c.id("/effect", p.Effect)
	return c.ps
}

// Validate implements Payload.
func (p *DayEnded) Validate() []fault.Problem {
	var c checker
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		c.add("/date", "must be a date like 2026-01-31, got %q", p.Date)
	}
	return c.ps
}
