package automation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// RunState is where a run stands.
type RunState string

// The states of a run. All but Waiting are terminal.
const (
	RunWaiting   RunState = "waiting"
	RunDone      RunState = "done"      // its steps are done, or it stopped by a step
	RunCancelled RunState = "cancelled" // its order was cancelled, or its automation removed, while it waited
	RunFailed    RunState = "failed"    // what it called did not answer
)

// RunStates returns every state.
func RunStates() []RunState { return []RunState{RunWaiting, RunDone, RunCancelled, RunFailed} }

// Run is one firing of an automation that may wait. It keeps the version that it
// began with: an edit changes later runs only.
type Run struct {
	ID         string // derived from the automation and the event
	Automation string
	Version    string // hash of the text
	Trigger    string // event type
	EventID    string // what it began with
	Subject    string // of that event
	Once       string // what a message with subject: event happens once for
	OrderID    string // "" when the event was about none
	CustomerID string
	State      RunState
	Reason     string // why it ended, when not because its steps were done
	Started    time.Time
	Updated    time.Time
	Ended      time.Time // zero while it waits
	At         []Frame   // the step it waits in, from the outside in
	Wait       Await
	Held       *event.RunDue     // what would let it go on, when its automation does not act for now
	Facts      []Value           // what the event told
	Values     []Value           // what its steps have named
	Data       map[string]string // for the templates of its messages
	Tasks      []string          // subjects of the tasks it opened
	LastTask   string            // id of the last one
	Before     string            // the failed run in whose place it was begun; "" = the first
	Steps      []RunStep
	Left       int // steps that Steps has no room for
}

// Frame is a place in a list of steps, and the list inside that step when it goes on there.
type Frame struct {
	Step   int
	Branch string // then, else, do; "" at the last frame
	Line   int    // of the order, in a for_each
}

// Path writes a place in the steps as one word, like 1.then.0 or 2.do3.1.
func Path(at []Frame) string {
	var b strings.Builder
	for i, f := range at {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(f.Step))
		if f.Branch != "" {
			b.WriteString("." + f.Branch)
			if f.Branch == "do" {
				b.WriteString(strconv.Itoa(f.Line))
			}
		}
	}
	return b.String()
}

// ParsePath reads what Path has written.
func ParsePath(path string) ([]Frame, bool) {
	var out []Frame
	words := strings.Split(path, ".")
	for i := 0; i < len(words); i += 2 {
		n, err := strconv.Atoi(words[i])
		if err != nil || n < 0 {
			return nil, false
		}
		f := Frame{Step: n}
		if i+1 < len(words) {
			f.Branch = words[i+1]
			if line, loop := strings.CutPrefix(f.Branch, "do"); loop {
				if f.Line, err = strconv.Atoi(line); err != nil || f.Line < 0 {
					return nil, false
				}
				f.Branch = "do"
			}
			if f.Branch == "" || i+2 == len(words) {
				return nil, false
			}
		}
		out = append(out, f)
	}
	return out, Path(out) == path
}

// Await is what a run waits for.
type Await struct {
	N      int    // the how manieth wait of the run
	Key    string // what an event that may end it has in common with the run; see WaitKey
	Event  string // its type; "" = only the time ends it
	Task   string // the task it asked
	Effect string // the call it made
	Since  time.Time
	Until  time.Time // zero = however long it takes
	Timer  string    // "" = none
}

// WaitKey is the name of what an event and a run have in common.
func WaitKey(what, id string) string { return what + ":" + id }

// RunStep is what a step of a run did.
type RunStep struct {
	At    string // see Path
	Line  int    // in the text
	Kind  Kind
	In    string
	Out   string
	Began time.Time
	Ended time.Time // zero while it waits
}

// MaxRunSteps bounds the steps that one run keeps; more are counted only.
const MaxRunSteps = 400

// Note keeps what a step did.
func (r *Run) Note(s RunStep) {
	if len(r.Steps) >= MaxRunSteps {
		r.Left++
		return
	}
	r.Steps = append(r.Steps, s)
}

// Clone returns a copy that shares no memory that a change could touch.
func (r *Run) Clone() *Run {
	c := *r
	c.At = slices.Clone(r.At)
	c.Facts = slices.Clone(r.Facts)
	c.Values = slices.Clone(r.Values)
	c.Tasks = slices.Clone(r.Tasks)
	c.Steps = slices.Clone(r.Steps)
	return &c // Data and Held are never changed
}

// Name gives a value a name, or another value to a name that it has.
func (r *Run) Name(v Value) {
	i := slices.IndexFunc(r.Values, func(have Value) bool { return have.Name == v.Name })
	if i >= 0 {
		r.Values[i] = v
		return
	}
	r.Values = append(r.Values, v)
}

// StepAt returns the step at a place, or nil when the text has none there.
func (a *Automation) StepAt(at []Frame) *Step {
	steps := a.Steps
	for i, f := range at {
		if f.Step < 0 || f.Step >= len(steps) {
			return nil
		}
		s := &steps[f.Step]
		if i == len(at)-1 {
			return s
		}
		j := slices.IndexFunc(s.Inner(), func(b Branch) bool { return b.Name == f.Branch })
		if j < 0 {
			return nil
		}
		steps = s.Inner()[j].Steps
	}
	return nil
}

// Value is a value with its name and type, as text.
type Value struct {
	Name string
	Type schema.Type
	Text string
}

// maxValue bounds the text of a value: runs are kept for years.
const maxValue = 2000

// NewValue makes a value of string, int64, bool, money.Amount, time.Time or time.Duration.
func NewValue(name string, v any) Value {
	out := Value{Name: name}
	switch v := v.(type) {
	case string:
		if len(v) > maxValue {
			v = strings.ToValidUTF8(v[:maxValue], "")
		}
		out.Type, out.Text = schema.String, v
	case int64:
		out.Type, out.Text = schema.Int, strconv.FormatInt(v, 10)
	case bool:
		out.Type, out.Text = schema.Bool, strconv.FormatBool(v)
	case money.Amount:
		out.Type, out.Text = schema.Money, v.String()
	case time.Time:
		out.Type, out.Text = schema.Time, v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		out.Type, out.Text = schema.Duration, v.String()
	default:
		panic(fmt.Sprintf("automation: a value of type %T", v)) // the rule language has no other
	}
	return out
}

// Get returns the value as NewValue took it; an error when the text is not of the type.
func (v Value) Get() (any, error) {
	switch v.Type {
	case schema.Int:
		return strconv.ParseInt(v.Text, 10, 64)
	case schema.Bool:
		return strconv.ParseBool(v.Text)
	case schema.Money:
		return money.ParseText(v.Text)
	case schema.Time:
		return time.Parse(time.RFC3339Nano, v.Text)
	case schema.Duration:
		return time.ParseDuration(v.Text)
	}
	return v.Text, nil
}
