package automation

import "strings"

// ArgType says what an argument of a step takes, for the parser's messages and for editors.
type ArgType string

// The types of arguments.
const (
	ArgText       ArgType = "text"       // one line
	ArgProse      ArgType = "prose"      // several lines
	ArgName       ArgType = "name"       // lower-case words joined by dashes
	ArgQueue      ArgType = "queue"      // the same, of a queue
	ArgTemplate   ArgType = "template"   // the same, of a message's template
	ArgConnection ArgType = "connection" // the same, of a connection
	ArgLocation   ArgType = "location"   // id of a location
	ArgRecipient  ArgType = "recipient"  // mail address, owner or customer
	ArgDuration   ArgType = "duration"
	ArgMoney      ArgType = "money"
	ArgChoice     ArgType = "choice"    // one of Choices
	ArgOptions    ArgType = "options"   // list of words
	ArgEvent      ArgType = "event"     // event type
	ArgCondition  ArgType = "condition" // CEL, true or false
	ArgValue      ArgType = "value"     // CEL, any value
	ArgVariable   ArgType = "variable"  // the name of a value
	ArgFields     ArgType = "fields"    // names with types
	ArgSteps      ArgType = "steps"
)

// Arg is one argument of a kind of step.
type Arg struct {
	Name    string
	Type    ArgType
	Must    bool
	Choices []string
	Doc     string
}

// Spec declares what a kind of step takes, reads and writes, so that editors can
// offer it, and overlaps, loops and conflicts between automations can be found without running them.
type Spec struct {
	Doc          string
	Args         []Arg
	Reads        []string // schema fields and internal data
	Writes       []string // the same; "event.TYPE" for an event that may follow
	Key          string   // pattern of the key that makes it happen once
	Compensation string   // what undoes it, or why nothing does
	MoneyEffect  string   // what it does to money
	NeedsOrder   bool     // only on events of an order
	On           []string
}

const noMoney = "none"

const orderState = "order.state"

// Events that may follow later: nobody works the task in time, the message cannot be delivered.
const (
	followsOverdue = "event.task.overdue"
	followsFailed  = "event.effect.failed"
)

var (
	argQueue  = Arg{Name: "queue", Type: ArgQueue, Must: true, Doc: "who works it"}
	argSLA    = Arg{Name: "sla", Type: ArgDuration, Doc: "the deadline; a day when left out"}
	argReason = Arg{Name: "reason", Type: ArgProse, Must: true, Doc: "shown to people"}
	argElse   = Arg{Name: "else", Type: ArgSteps, Doc: "what is done when it does not come in time"}
	argPlace  = Arg{Name: "location", Type: ArgLocation, Must: true, Doc: "the location"}
)

var specs = map[Kind]Spec{
	KindHold: {
		Doc:   "stops the order until a person decides",
		Args:  []Arg{argQueue, argSLA, argReason},
		Reads: []string{orderState, "order.released"}, Writes: []string{orderState, "order.holds", "task", followsOverdue},
		Key: "hold:{order}:{automation}", Compensation: "release", MoneyEffect: "delays fulfilment; captured money stays captured", NeedsOrder: true,
	},
	KindRelease: {
		Doc:   "lets go of an order that automations hold",
		Reads: []string{orderState, "order.holds"}, Writes: []string{orderState, "order.holds", "task", "event.order.accepted", "event.order.ready", "event.order.unfillable"},
		Key: "release:{order}:{event}", Compensation: "hold", MoneyEffect: noMoney, NeedsOrder: true,
	},
	KindTag: {
		Doc:   "puts a tag on the order",
		Args:  []Arg{{Name: "tag", Type: ArgText, Must: true, Doc: "the tag"}},
		Reads: []string{"order.tags"}, Writes: []string{"order.tags"},
		Key: "tag:{order}:{tag}", Compensation: "remove the tag", MoneyEffect: noMoney, NeedsOrder: true,
	},
	KindMessage: {
		Doc: "sends a mail from a template",
		Args: []Arg{
			{Name: "template", Type: ArgTemplate, Must: true, Doc: "what it says"},
			{Name: "to", Type: ArgRecipient, Must: true, Doc: "customer, owner or a mail address"},
			{Name: "purpose", Type: ArgName, Doc: "messages of one purpose are sent once; the template's name when left out"},
			{Name: "subject", Type: ArgChoice, Choices: []string{PerOrder, PerEvent}, Doc: "once per order, or each time"},
		},
		Reads: []string{"order.number", "customer.id"}, Writes: []string{"effect.mail", followsFailed},
		Key: "mail:{purpose}:{order or event}, with the address before the last when it goes to staff", Compensation: "none: a mail cannot be taken back", MoneyEffect: noMoney,
	},
	KindTask: {
		Doc: "asks a person of a queue to do something",
		Args: []Arg{
			argQueue,
			{Name: "title", Type: ArgText, Must: true, Doc: "what to do"},
			argSLA,
			{Name: "options", Type: ArgOptions, Doc: "outcomes to choose from; done when left out"},
		},
		Reads: []string{"event.type"}, Writes: []string{"task", followsOverdue},
		Key: "automation:{automation}:{event}:{step}", Compensation: "close the task", MoneyEffect: noMoney,
	},
	KindWebhook: {
		Doc: "sends the event and its order to a connection, signed",
		Args: []Arg{
			{Name: "connection", Type: ArgConnection, Must: true, Doc: "where it goes"},
			{Name: "purpose", Type: ArgName, Doc: "the document's type; the automation's name when left out"},
		},
		Reads: []string{"order.id"}, Writes: []string{"effect.webhook", followsFailed},
		Key: "webhook:{purpose}:{event}:{automation}:{step}", Compensation: "none: the receiver must undo it", MoneyEffect: "whatever the receiver does",
	},
	KindPrefer: {
		Doc:   "asks routing to try a location first",
		Args:  []Arg{argPlace},
		Reads: []string{"order.id"}, Writes: []string{"order.preferred"},
		Key: "prefer:{order}:{location}", Compensation: "reroute without it", MoneyEffect: "may change the cost of shipping", NeedsOrder: true,
	},
	KindExclude: {
		Doc:   "forbids routing a location for this order",
		Args:  []Arg{argPlace},
		Reads: []string{"order.id"}, Writes: []string{"order.excluded", "event.order.unfillable"},
		Key: "exclude:{order}:{location}", Compensation: "reroute without it", MoneyEffect: "may change the cost of shipping", NeedsOrder: true,
	},
	KindReport: {
		Doc:   "mails the figures of the day that ended",
		Args:  []Arg{{Name: "kind", Type: ArgChoice, Must: true, Choices: []string{"daily"}, Doc: "which report"}, {Name: "to", Type: ArgRecipient, Must: true, Doc: "owner or a mail address"}},
		Reads: []string{"day.date"}, Writes: []string{"effect.mail", followsFailed},
		Key: "mail:{kind}-report:{day}:{to}", Compensation: "none: a mail cannot be taken back", MoneyEffect: noMoney, On: []string{"day.ended"},
	},
	KindCancel: {
		Doc:   "cancels the order, unless it has left",
		Args:  []Arg{argReason},
		Reads: []string{orderState}, Writes: []string{orderState, "event.order.cancelled", "task", followsOverdue},
		Key: "cancel:{order}", Compensation: "none: the buyer orders again", MoneyEffect: "captured money becomes a refund task", NeedsOrder: true,
	},
	KindRefund: {
		Doc:   "asks finance to give money back",
		Args:  []Arg{{Name: "amount", Type: ArgMoney, Doc: "how much; all that was captured and not given back when left out"}, argReason},
		Reads: []string{"order.captured", "order.refunded"}, Writes: []string{"task", followsOverdue},
		Key: "automation:{automation}:{event}:{step}", Compensation: "close the task", MoneyEffect: "a person gives it back, never more than was captured", NeedsOrder: true,
	},
	KindEscalate: {
		Doc:   "gives the open tasks of the order to another queue, or tells a person",
		Args:  []Arg{{Name: "to", Type: ArgQueue, Must: true, Doc: "a queue, a mail address or owner"}},
		Reads: []string{"event.type"}, Writes: []string{"task", "effect.mail", followsOverdue, followsFailed},
		Key: "escalate:{automation}:{event}:{step}", Compensation: "give the tasks back", MoneyEffect: noMoney,
	},
	KindIf: {
		Doc: "does one list of steps when a condition is true, and another when it is false",
		Args: []Arg{
			{Name: "if", Type: ArgCondition, Must: true, Doc: "the condition"},
			{Name: "then", Type: ArgSteps, Must: true, Doc: "when it is true"},
			{Name: "else", Type: ArgSteps, Doc: "when it is false"},
		},
		Reads: []string{"event.type"}, Key: "none", Compensation: "none is needed", MoneyEffect: noMoney,
	},
	KindForEach: {
		Doc: "does steps for every line of the order",
		Args: []Arg{
			{Name: "for_each", Type: ArgChoice, Must: true, Choices: []string{"order.lines"}, Doc: "what to go through"},
			{Name: "as", Type: ArgVariable, Must: true, Doc: "the name of a line"},
			{Name: "when", Type: ArgCondition, Doc: "which lines; all when left out"},
			{Name: "do", Type: ArgSteps, Must: true, Doc: "what is done for each"},
		},
		Reads: []string{"order.lines"}, Key: "none", Compensation: "none is needed", MoneyEffect: noMoney, NeedsOrder: true,
	},
	KindSet: {
		Doc:   "gives a value a name",
		Args:  []Arg{{Name: "name", Type: ArgVariable, Must: true, Doc: "its name in later conditions"}, {Name: "value", Type: ArgValue, Must: true, Doc: "how it is computed"}},
		Reads: []string{"event.type"}, Writes: []string{"run"}, Key: "none", Compensation: "none is needed", MoneyEffect: noMoney,
	},
	KindWait: {
		Doc:   "waits for a time",
		Args:  []Arg{{Name: "for", Type: ArgDuration, Must: true, Doc: "how long"}},
		Reads: []string{"event.at"}, Writes: []string{"run"}, Key: "run:{automation}:{event}", Compensation: "none is needed", MoneyEffect: noMoney,
	},
	KindWaitFor: {
		Doc: "waits until an event comes",
		Args: []Arg{
			{Name: "event", Type: ArgEvent, Must: true, Doc: "what to wait for"},
			{Name: "for", Type: ArgDuration, Must: true, Doc: "how long at most"},
			{Name: "same", Type: ArgChoice, Choices: []string{SameOrder, SameCustomer, SameTask, SameSubject}, Doc: "what the event has in common with this one; the order when left out"},
			{Name: "when", Type: ArgCondition, Doc: "which events; any when left out"},
			argElse,
		},
		Reads: []string{"event.at"}, Writes: []string{"run"}, Key: "run:{automation}:{event}", Compensation: "none is needed", MoneyEffect: noMoney,
	},
	KindAsk: {
		Doc: "asks a person and waits for the answer; the order goes on meanwhile, unless a hold stands before it",
		Args: []Arg{
			argQueue,
			{Name: "title", Type: ArgText, Must: true, Doc: "the question"},
			{Name: "options", Type: ArgOptions, Must: true, Doc: "the answers to choose from"},
			argSLA,
			{Name: "as", Type: ArgVariable, Doc: "the name of the answer"},
			argElse,
		},
		Reads: []string{"event.type"}, Writes: []string{"run", "task", followsOverdue}, Key: "run:{automation}:{event}:{step}", Compensation: "close the task", MoneyEffect: noMoney,
	},
	KindCall: {
		Doc: "calls a connection and waits for its answer",
		Args: []Arg{
			{Name: "connection", Type: ArgConnection, Must: true, Doc: "whom to call"},
			{Name: "purpose", Type: ArgName, Doc: "the document's type; the automation's name when left out"},
			{Name: "as", Type: ArgVariable, Must: true, Doc: "the name of the answer"},
			{Name: "returns", Type: ArgFields, Doc: "fields of the answer's JSON, each with its type"},
			{Name: "for", Type: ArgDuration, Doc: "how long to wait; 10m when left out"},
			argElse,
		},
		Reads: []string{"order.id"}, Writes: []string{"run", "effect.webhook", followsFailed},
		Key: "call:{automation}:{event}:{step}", Compensation: "none: the receiver must undo it", MoneyEffect: "whatever the receiver does",
	},
	KindStop: {
		Doc:   "ends the automation here",
		Reads: []string{"event.type"}, Key: "none", Compensation: "none is needed", MoneyEffect: noMoney,
	},
}

// Spec returns the declaration of a kind; the zero Spec for an unknown one.
func (k Kind) Spec() Spec { return specs[k] }

// Follows returns the event types that a step of the kind may lead to without a person doing anything.
func (k Kind) Follows() []string {
	var out []string
	for _, w := range specs[k].Writes {
		if typ, ok := strings.CutPrefix(w, "event."); ok {
			out = append(out, typ)
		}
	}
	return out
}

// argNames are the names of a kind's arguments.
func argNames(k Kind) []string {
	var out []string
	for _, a := range specs[k].Args {
		out = append(out, a.Name)
	}
	return out
}
