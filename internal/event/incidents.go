package event

import (
	"time"

	"orderly.example/orderly/internal/fault"
)

// IncidentRaised says that something failed for good or fell silent: a quarantined
// event, effects that wait too long, orders that stopped coming. Subject groups:
// one cause is one incident. Raised again while it is open, it brings what is
// known by now, and nobody is told again.
type IncidentRaised struct {
	Subject string `json:"subject"`
	Title   string `json:"title"`
	Detail  string `json:"detail,omitempty"`
	// Automations are those concerned; the owner of the first is told. Without, it is who answers for operations.
	Automations []string `json:"automations,omitempty"`
	Order       string   `json:"order,omitempty"`
	// Expectation is the name of what was expected, for its page.
	Expectation string    `json:"expectation,omitempty"`
	Evidence    []string  `json:"evidence,omitempty"`
	Impact      string    `json:"impact,omitempty"` // which orders, how much money
	Orders      []string  `json:"orders,omitempty"` // ids of some of them
	Next        string    `json:"next,omitempty"`   // what to do
	Since       time.Time `json:"since,omitzero"`   // when it began
}

// IncidentRecovered says that what an incident is about is over: nobody has to do anything any more.
type IncidentRecovered struct {
	Subject string `json:"subject"`
	Detail  string `json:"detail,omitempty"`
}

// IncidentAcknowledged is a person's word: I have seen it and look after it.
type IncidentAcknowledged struct {
	Task string `json:"task"`
	Note string `json:"note,omitempty"`
}

// IncidentSnoozed is a person's word: nobody is to be told of it before Until.
type IncidentSnoozed struct {
	Task  string    `json:"task"`
	Until time.Time `json:"until"`
	Note  string    `json:"note,omitempty"`
}

// IncidentUnanswered is a timer's word: nobody has acknowledged the incident in time, or its snooze is over.
type IncidentUnanswered struct {
	Task string `json:"task"`
	Wait int    `json:"wait"` // which wait is over; another one began meanwhile where they differ
}

// AlertsTested is a timer's word: the day's test of the ways by which incidents are told.
type AlertsTested struct {
	Date string `json:"date"` // 2006-01-02 in the shop's zone
}

// Limits on what an incident tells.
const (
	MaxEvidence       = 40
	MaxIncidentOrders = 20
)

// EventType implements Payload.
func (*IncidentRaised) EventType() string { return "incident.raised" }

// EventType implements Payload.
func (*IncidentRecovered) EventType() string { return "incident.recovered" }

// EventType implements Payload.
func (*IncidentAcknowledged) EventType() string { return "incident.acknowledged" }

// EventType implements Payload.
func (*IncidentSnoozed) EventType() string { return "incident.snoozed" }

// EventType implements Payload.
func (*IncidentUnanswered) EventType() string { return "incident.unanswered" }

// EventType implements Payload.
func (*AlertsTested) EventType() string { return "alerts.tested" }

// EventSubject is what the incident is about.
func (p *IncidentRaised) EventSubject() string { return p.Subject }

// EventSubject is what the incident is about.
func (p *IncidentRecovered) EventSubject() string { return p.Subject }

// EventSubject is the incident.
func (p *IncidentAcknowledged) EventSubject() string { return p.Task }

// EventSubject is the incident.
func (p *IncidentSnoozed) EventSubject() string { return p.Task }

// EventSubject is the incident.
func (p *IncidentUnanswered) EventSubject() string { return p.Task }

// EventSubject is the day.
func (p *AlertsTested) EventSubject() string { return p.Date }

// Validate implements Payload.
func (p *IncidentRaised) Validate() []fault.Problem {
	var c checker
	c.id("/subject", p.Subject)
	c.id("/title", p.Title)
	c.text("/detail", p.Detail)
	c.text("/impact", p.Impact)
	c.text("/next", p.Next)
	if len(p.Evidence) > MaxEvidence {
		c.add("/evidence", "has more than %d lines", MaxEvidence)
	}
	if len(p.Orders) > MaxIncidentOrders {
		c.add("/orders", "has more than %d orders", MaxIncidentOrders)
	}
	return c.ps
}

// Validate implements Payload.
func (p *IncidentRecovered) Validate() []fault.Problem {
	var c checker
	c.id("/subject", p.Subject)
	c.text("/detail", p.Detail)
	return c.ps
}

// Validate implements Payload.
func (p *IncidentAcknowledged) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *IncidentSnoozed) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	c.text("/note", p.Note)
	if p.Until.IsZero() {
		c.add("/until", "is needed: when is it to be told again?")
	}
	return c.ps
}

// Validate implements Payload.
func (p *IncidentUnanswered) Validate() []fault.Problem {
	var c checker
	c.id("/task", p.Task)
	return c.ps
}

// Validate implements Payload.
func (p *AlertsTested) Validate() []fault.Problem {
	var c checker
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		c.add("/date", "is a date like 2026-01-31")
	}
	return c.ps
}
