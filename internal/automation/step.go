package automation

import "time"

// Kind names what a step does, as written in the text.
type Kind string

// The kinds of steps.
const (
	KindHold    Kind = "hold"
	KindRelease Kind = "release"
	KindTag     Kind = "tag"
	KindMessage Kind = "message"
	KindTask    Kind = "task"
	KindWebhook Kind = "webhook"
	KindPrefer  Kind = "prefer"
	KindExclude Kind = "exclude"
	KindReport  Kind = "report"

	KindCancel   Kind = "cancel"
	KindRefund   Kind = "refund"
	KindEscalate Kind = "escalate"

	KindIf      Kind = "if"
	KindForEach Kind = "for_each"
	KindSet     Kind = "set"
	KindWait    Kind = "wait"
	KindWaitFor Kind = "wait_for"
	KindAsk     Kind = "ask"
	KindCall    Kind = "call"
	KindStop    Kind = "stop"
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{
		KindHold, KindRelease, KindTag, KindMessage, KindTask, KindWebhook, KindPrefer, KindExclude, KindReport,
		KindCancel, KindRefund, KindEscalate, KindIf, KindForEach, KindSet, KindWait, KindWaitFor, KindAsk, KindCall, KindStop,
	}
}

// Step is one action of an automation.
type Step struct {
	Kind   Kind
	Action Action
	Line   int // in the file, from 1
}

// Action is the typed content of a step, always by value: Hold, Release and the
// others here, and those of flow.go, which have steps inside or let the run wait.
type Action interface{ kind() Kind }

// DefaultSLA is the deadline of a hold or task that names none: nothing waits for ever unseen.
const DefaultSLA = 24 * time.Hour

// Hold stops the order until a person of the queue decides.
type Hold struct {
	Queue  string
	SLA    time.Duration // DefaultSLA when left out
	Reason string        // shown to the reviewer
}

// Release lets go of an order that automations hold; a person's hold stays.
type Release struct{}

// Tag puts a tag on the order.
type Tag struct{ Tag string }

// Subjects of a message: what makes a second message of one purpose a different one.
const (
	PerOrder = "order" // one per order, whatever happens
	PerEvent = "event" // one per event: each parcel, each time stock runs low
)

// ToCustomer is the recipient of a message to the order's buyer.
const ToCustomer = "customer"

// Message sends a mail.
type Message struct {
	Template string
	To       string // ToCustomer, or a mail address; "owner" is replaced by the owner's when parsed
	Purpose  string // the template's name when left out
	Subject  string // PerOrder or PerEvent; left out: PerOrder on order.* events, else PerEvent
}

// Task asks a person to do something.
type Task struct {
	Queue   string
	Title   string
	SLA     time.Duration // DefaultSLA when left out
	Options []string      // outcomes to choose from; "done" when left out
}

// Webhook sends the event and its order to a connection, signed.
type Webhook struct {
	Connection string
	Purpose    string // the automation's name when left out
}

// Prefer asks routing to try a location first.
type Prefer struct{ Location string }

// Exclude forbids routing a location for this order.
type Exclude struct{ Location string }

// Report mails the figures of the day that ended.
type Report struct {
	Kind string // daily
	To   string // mail address
}

func (Hold) kind() Kind    { return KindHold }
func (Release) kind() Kind { return KindRelease }
func (Tag) kind() Kind     { return KindTag }
func (Message) kind() Kind { return KindMessage }
func (Task) kind() Kind    { return KindTask }
func (Webhook) kind() Kind { return KindWebhook }
func (Prefer) kind() Kind  { return KindPrefer }
func (Exclude) kind() Kind { return KindExclude }
func (Report) kind() Kind  { return KindReport }
