// Package task holds people's work: what a machine must not decide, with a dossier, a deadline and an owner.
package task

import (
	"time"

	"orderly.example/orderly/internal/money"
)

// Kind of work.
type Kind string

// The kinds of tasks.
const (
	Review     Kind = "review"     // a held order: approve, reject or ask
	Refund     Kind = "refund"     // money was captured for an order that is cancelled
	Unfillable Kind = "unfillable" // no location can ship the order
	General    Kind = "task"       // made by an automation's task action
	Incident   Kind = "incident"   // something failed for good, or fell silent
)

// State of a task. Decided and Closed are terminal.
type State string

// The states of a task.
const (
	Open    State = "open"
	Asked   State = "asked" // waiting for the customer's answer
	Decided State = "decided"
	Closed  State = "closed" // no longer needed, e.g. the order was cancelled elsewhere
)

// Task is one piece of work. ID is derived from Kind, Subject and Round, so a
// replay or another order of arrival finds the same task.
type Task struct {
	ID       string
	Kind     Kind
	Queue    string // who works it: risk, support, warehouse, finance, ops
	Subject  string // order id, SKU, effect id …
	OrderID  string
	Round    int // 1 for the first time this subject needs this kind of work
	State    State
	Title    string
	Reasons  []Reason
	Options  []string // outcomes a person may choose: approve, reject, ask, done …
	Assignee string
	Owner    string // who is told when it is late or made by an automation
	Created  time.Time
	Due      time.Time // SLA; zero = none
	Outcome  string    // the chosen option
	Note     string
	By       string // who decided
	DoneAt   time.Time
	EventID  string       // cause
	Amount   money.Amount // of a refund
	Late     bool         // the SLA passed and its owner was told
	Alarm    *Alarm       // of an incident; never changed, always replaced

	// Where two people must decide: what the first one chose.
	First     string
	FirstBy   string
	FirstNote string
	FirstAt   time.Time
}

// Alarm is what an incident tells besides its title, and whom it was told.
type Alarm struct {
	Expectation string    // whose breach it is; "" when it is none
	Since       time.Time // when it began
	Evidence    []string
	Impact      string   // which orders, how much money
	Orders      []string // ids of some of them
	Next        string   // what to do
	Acked       time.Time
	AckedBy     string
	Snoozed     time.Time // nobody is told before
	Wait        int       // number of the wait for an acknowledgement that runs
	Level       int       // how often it was passed on to the next person
	Told        []string  // mail addresses, in order
}

// Quiet reports whether nobody is to be told at a time: it is acknowledged or snoozed.
func (a *Alarm) Quiet(at time.Time) bool {
	return a != nil && (!a.Acked.IsZero() || at.Before(a.Snoozed))
}

// Reason is why the task exists: the automation that asked for it and the text it gave.
type Reason struct {
	Automation string
	Text       string
}
