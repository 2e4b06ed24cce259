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
)

// Kinds returns every kind, in the order of the documentation.
func Kinds() []Kind {
	return []Kind{KindHold, KindRelease, KindTag, KindMessage, KindTask, KindWebhook, KindPrefer, KindExclude, KindReport}
}

// Step is one action of an automation.
type Step struct {
	Kind   Kind
	Action Action
	Line   int // in the file, from 1
}

// Action is the typed content of a step: Hold, Release, Tag, Message, Task,
// Webhook, Prefer, Exclude or Report, always by value.
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

// Spec declares what a kind of step reads and writes, so that overlaps, loops
// and conflicts between automations can be found without running them.
type Spec struct {
	Doc          string
	Reads        []string // schema fields and internal data
	Writes       []string
	Key          string // pattern of the key that makes it happen once
	Compensation string // what undoes it, or why nothing does
	MoneyEffect  string // what it does to money
	NeedsOrder   bool   // only on events of an order
	On           []string
}

const noMoney = "none"

var specs = map[Kind]Spec{
	KindHold: {
		Doc:   "stops the order until a person decides",
		Reads: []string{"order.state", "order.released"}, Writes: []string{"order.state", "order.holds", "task"},
		Key: "hold:{order}:{automation}", Compensation: "release", MoneyEffect: "delays fulfilment; captured money stays captured", NeedsOrder: true,
	},
	KindRelease: {
		Doc:   "lets go of an order that automations hold",
		Reads: []string{"order.state", "order.holds"}, Writes: []string{"order.state", "order.holds", "task"},
		Key: "release:{order}:{event}", Compensation: "hold", MoneyEffect: noMoney, NeedsOrder: true,
	},
	KindTag: {
		Doc:   "puts a tag on the order",
		Reads: []string{"order.tags"}, Writes: []string{"order.tags"},
		Key: "tag:{order}:{tag}", Compensation: "remove the tag", MoneyEffect: noMoney, NeedsOrder: true,
	},
	KindMessage: {
		Doc:   "sends a mail from a template",
		Reads: []string{"order.number", "customer.id"}, Writes: []string{"effect.mail"},
		Key: "mail:{purpose}:{order or event}, with the address before the last when it goes to staff", Compensation: "none: a mail cannot be taken back", MoneyEffect: noMoney,
	},
	KindTask: {
		Doc:   "asks a person of a queue to do something",
		Reads: []string{"event.type"}, Writes: []string{"task"},
		Key: "automation:{automation}:{event}", Compensation: "close the task", MoneyEffect: noMoney,
	},
	KindWebhook: {
		Doc:   "sends the event and its order to a connection, signed",
		Reads: []string{"order.id"}, Writes: []string{"effect.webhook"},
		Key: "webhook:{purpose}:{event}:{automation}", Compensation: "none: the receiver must undo it", MoneyEffect: "whatever the receiver does",
	},
	KindPrefer: {
		Doc:   "asks routing to try a location first",
		Reads: []string{"order.id"}, Writes: []string{"order.preferred"},
		Key: "prefer:{order}:{location}", Compensation: "reroute without it", MoneyEffect: "may change the cost of shipping", NeedsOrder: true,
	},
	KindExclude: {
		Doc:   "forbids routing a location for this order",
		Reads: []string{"order.id"}, Writes: []string{"order.excluded"},
		Key: "exclude:{order}:{location}", Compensation: "reroute without it", MoneyEffect: "may change the cost of shipping", NeedsOrder: true,
	},
	KindReport: {
		Doc:   "mails the figures of the day that ended",
		Reads: []string{"day.date"}, Writes: []string{"effect.mail"},
		Key: "mail:{kind}-report:{day}:{to}", Compensation: "none: a mail cannot be taken back", MoneyEffect: noMoney, On: []string{"day.ended"},
	},
}

// Spec returns the declaration of a kind; the zero Spec for an unknown one.
func (k Kind) Spec() Spec { return specs[k] }
