package decide

import (
	"orderly.example/orderly/internal/routing"
)

// Trace is what the program can say about a decision years later.
type Trace struct {
	From        string        `json:"from,omitempty"` // order state before, when it changed
	To          string        `json:"to,omitempty"`
	Notes       []string      `json:"notes,omitempty"`
	Automations []Considered  `json:"automations,omitempty"` // those that fired or stayed unknown; all others were false
	Routing     *routing.Plan `json:"routing,omitempty"`
}

// Considered is what one automation did with the event.
type Considered struct {
	Name    string   `json:"name"`
	Version string   `json:"version"` // content hash, shortened
	Outcome string   `json:"outcome"` // fired, unknown
	Mode    string   `json:"mode,omitempty"`
	Did     []string `json:"did,omitempty"` // what it did; what it would have done when it is not active
	Error   string   `json:"error,omitempty"`
}

// Outcomes of a considered automation that are worth keeping; all others were false.
const (
	Fired   = "fired"
	Unknown = "unknown"
)

// Empty reports whether there is nothing to say.
func (t *Trace) Empty() bool {
	return t.From == "" && t.To == "" && len(t.Notes) == 0 && len(t.Automations) == 0 && t.Routing == nil
}
