package backtest

import (
	"time"

	"orderly.example/orderly/internal/money"
)

// Report is what a backtest found. Money is listed per currency.
type Report struct {
	Since   time.Time `json:"since"` // first and last event that was reported on
	Until   time.Time `json:"until"`
	Fold    string    `json:"fold"` // light or full
	FoldWhy string    `json:"fold_why"`
	Events  int64     `json:"events"` // recorded decisions gone through
	Orders  int64     `json:"orders"` // orders placed in the time reported on
	// Imported are those of the orders that came as history: nothing was decided on them then.
	Imported int64   `json:"imported,omitempty"`
	Seconds  float64 `json:"seconds"`

	Automations []Automation `json:"automations,omitempty"`
	Together    *Together    `json:"together,omitempty"`
	Routing     *Routing     `json:"routing,omitempty"`
	Notes       []string     `json:"notes,omitempty"` // what a reader should know about the figures
}

// Automation is what became of one candidate.
type Automation struct {
	Name       string  `json:"name"`
	Version    string  `json:"version"`          // hash of the text, shortened
	N          int64   `json:"number,omitempty"` // of the version that has this text; 0 = none
	On         string  `json:"on"`
	Considered int64   `json:"considered"`
	Fired      int64   `json:"fired"`
	Unknown    int64   `json:"unknown"`
	UnknownFor []Count `json:"unknown_for,omitempty"` // what was not known, most frequent first

	FiredThen int64 `json:"fired_then"` // an automation of this name fired, in whatever version it had then
	ActedThen int64 `json:"acted_then"` // of those: it did something, so was neither in shadow, left out by its share, stopped, nor on history
	New       int64 `json:"new"`        // fires now, did not then
	Gone      int64 `json:"gone"`       // fired then, does not now

	// How the event would leave its order, with all that the other automations did then kept as it was.
	Holds        bool           `json:"holds"`                // it has a hold
	Releases     bool           `json:"releases,omitempty"`   // it has a release
	WouldHold    int64          `json:"would_hold,omitempty"` // orders
	HeldThen     int64          `json:"held_then,omitempty"`  // of those, held then all the same
	NewlyHeld    int64          `json:"newly_held,omitempty"` // of those, not held then
	NewMoney     []money.Amount `json:"new_money,omitempty"`  // of those newly held
	LetGo        int64          `json:"let_go,omitempty"`     // held then, and it would let them go
	LetGoMoney   []money.Amount `json:"let_go_money,omitempty"`
	NotHeld      int64          `json:"not_held,omitempty"` // held then by what had its name alone, and would not be
	NotHeldMoney []money.Amount `json:"not_held_money,omitempty"`
	Undone       int64          `json:"undone,omitempty"` // orders that it holds and lets go at once: nothing comes of it

	Money     []money.Amount `json:"money,omitempty"`      // totals of the orders it fired for
	GivesBack []money.Amount `json:"gives_back,omitempty"` // by its refund and cancel steps, at most: each is reached, and each order is paid

	Tasks   *Tasks    `json:"tasks,omitempty"`
	Weeks   []Week    `json:"weeks,omitempty"`
	Overlap []Overlap `json:"overlap,omitempty"` // most shared first
	Samples []Sample  `json:"samples,omitempty"` // drawn evenly from all it fired for, oldest first
	Changed []Sample  `json:"changed,omitempty"` // drawn evenly from the orders that would be held or let go otherwise, oldest first
	Risk    *Score    `json:"risk,omitempty"`    // when the history knows how orders ended
	Train   *Score    `json:"train,omitempty"`   // the same before TrainUntil
}

// Count is a text and how often it came.
type Count struct {
	Text string `json:"text"`
	N    int64  `json:"n"`
}

// Tasks is the work that candidates make for people.
type Tasks struct {
	Total    int64   `json:"total"`
	Days     int64   `json:"days"` // from the first day reported on to the last
	PerDay   float64 `json:"per_day"`
	Busiest  string  `json:"busiest,omitempty"` // day
	Most     int64   `json:"most"`
	Capacity int     `json:"capacity,omitempty"`
	DaysOver int64   `json:"days_over"` // days with more than the capacity
}

// Week counts a week that begins on a Monday of the shop.
type Week struct {
	Start      time.Time `json:"start"`
	Considered int64     `json:"considered"`
	Fired      int64     `json:"fired"`
}

// Overlap is how often another automation fired on the same event.
type Overlap struct {
	With      string `json:"with"`
	Candidate bool   `json:"candidate"` // it is one of the candidates; else it fired then
	Both      int64  `json:"both"`
}

// Sample is an event to look at.
type Sample struct {
	Order    string       `json:"order,omitempty"`
	Subject  string       `json:"subject"`
	Channel  string       `json:"channel,omitempty"`
	Number   string       `json:"number,omitempty"`
	At       time.Time    `json:"at"`
	Total    money.Amount `json:"total,omitzero"`
	State    string       `json:"state,omitempty"` // that the event left the order in then
	HeldThen bool         `json:"held_then"`
	Change   string       `json:"change,omitempty"`   // how its outcome would differ: see ChangeHeld
	Imported bool         `json:"imported,omitempty"` // it came as history
	Did      []string     `json:"did"`
	Ended    string       `json:"ended,omitempty"` // the reason of the dispute that came later
}

// How the outcome of an order would differ.
const (
	ChangeHeld    = "held"     // it would be held
	ChangeLetGo   = "let go"   // it would be let go
	ChangeNotHeld = "not held" // it would not be held in the first place
)

// Score compares what candidates flag with how orders ended: disputed or not.
type Score struct {
	Orders    int64          `json:"orders"`
	Bad       int64          `json:"bad"` // disputed, sooner or later
	Flagged   int64          `json:"flagged"`
	Hit       int64          `json:"hit"` // flagged and bad
	Precision float64        `json:"precision"`
	Recall    float64        `json:"recall"`
	Saved     []money.Amount `json:"saved,omitempty"`   // disputed amounts of those flagged
	Lost      []money.Amount `json:"lost,omitempty"`    // disputed amounts of those not flagged
	Delayed   []money.Amount `json:"delayed,omitempty"` // totals of good orders that were flagged
}

// Together is what the candidates come to as one set.
type Together struct {
	WouldHold   int64          `json:"would_hold"` // with all that other automations did then kept as it was
	HeldThen    int64          `json:"held_then"`  // of those, held then all the same
	NewlyHeld   int64          `json:"newly_held"` // of those, not held then
	NewMoney    []money.Amount `json:"new_money,omitempty"`
	NoMoreHeld  int64          `json:"no_more"` // held then, would not be: let go, or not held in the first place
	NoMoreMoney []money.Amount `json:"no_more_money,omitempty"`
	Tasks       *Tasks         `json:"tasks,omitempty"`
	Risk        *Score         `json:"risk,omitempty"`
	Ranked      []Ranked       `json:"ranked,omitempty"` // at review capacities
	RankedBy    string         `json:"ranked_by,omitempty"`
}

// Ranked is the score when only a share of all orders can be reviewed: those flagged that rank highest.
type Ranked struct {
	Share     float64 `json:"share"`    // of all orders
	Capacity  int64   `json:"capacity"` // orders
	Reviewed  int64   `json:"reviewed"` // fewer when fewer are flagged
	Hit       float64 `json:"hit"`      // expected where equally ranked orders do not all fit
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
}
