package event

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// AutomationStopped says that an automation must not act for now: a person's
// click, or its own limits and trial.
type AutomationStopped struct {
	Automation string `json:"automation"`
	Reason     string `json:"reason"`
}

// AutomationResumed lets a stopped automation act again: always a person's click.
type AutomationResumed struct {
	Automation string `json:"automation"`
	Reason     string `json:"reason"`
}

// AutomationChanged says that a new policy gave an automation another mode, so
// that its owner learns of it. "" stands for no such automation.
type AutomationChanged struct {
	Automation string `json:"automation"`
	From       string `json:"from,omitempty"`
	To         string `json:"to,omitempty"`
	Owner      string `json:"owner"`
	By         string `json:"by,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// AutomationReported is a timer's word: what an automation in shadow would have
// done on a day, or in the week that ends with it when Quiet, is to be told to its owner.
type AutomationReported struct {
	Automation string `json:"automation"`
	Date       string `json:"date"` // 2006-01-02 in the shop's zone
	Quiet      bool   `json:"quiet,omitempty"`
}

func (*AutomationStopped) EventType() string  { return "automation.stopped" }
func (*AutomationResumed) EventType() string  { return "automation.resumed" }
func (*AutomationChanged) EventType() string  { return "automation.changed" }
func (*AutomationReported) EventType() string { return "automation.reported" }

// AutomationSubject is the subject of what happens to an automation itself.
func AutomationSubject(name string) string { return "automation:" + name }

// DestinationSubject is the subject of the incident about a destination that does not take what is sent to it.
func DestinationSubject(name string) string { return "destination:" + name }

// DeadSubject is the subject of the incident about what could not be sent for good, of one cause whatever was to be sent.
func DeadSubject(destination, cause string) string { return deadSubject + destination + ":" + cause }

const deadSubject = "effect:"

// IsDead reports whether a subject is that of an incident about what could not be sent for good.
func IsDead(subject string) bool { return strings.HasPrefix(subject, deadSubject) }

func (p *AutomationStopped) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationResumed) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationChanged) EventSubject() string  { return AutomationSubject(p.Automation) }
func (p *AutomationReported) EventSubject() string { return AutomationSubject(p.Automation) }

func named(automation string) *checker {
	c := &checker{}
	c.id("/automation", automation)
	return c
}

// Validate implements Payload.
func (p *AutomationStopped) Validate() []fault.Problem {
	c := named(p.Automation)
	c.needed("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationResumed) Validate() []fault.Problem {
	c := named(p.Automation)
	c.needed("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationChanged) Validate() []fault.Problem {
	c := named(p.Automation)
	c.text("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *AutomationReported) Validate() []fault.Problem {
	c := named(p.Automation)
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		c.add("/date", "must be a date like 2026-01-31, got %q", p.Date)
	}
	return c.ps
}
