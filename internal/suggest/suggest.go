// Package suggest finds patterns in what people decided and words them as
// automations for a person to accept, edit or refuse. Nothing here acts: a
// suggestion is a text with its evidence.
//
// Read [Find] first. A [Table] holds the cases, one column a fact; literal.go
// makes the comparisons a pattern may consist of; search.go finds the patterns on
// one part of the cases; confirm.go tests them on the other; text.go puts them
// into words.
package suggest

import (
	"slices"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
)

// What people decide about an order. Suggestions are made of the first two; a case they
// had to ask the customer about agrees with neither.
const (
	Approve = "approve"
	Reject  = "reject"
	Ask     = "ask"
)

// Case is one order with what became of it.
type Case struct {
	ID      string     // order id
	Number  string     // as people call it
	At      time.Time  // when it was placed
	Facts   rule.Facts // as they stood then
	Outcome string     // the person's decision; "" = nobody decided, the order only counts as one that a rule would reach
	By      string     // who decided
	Queue   string     // whose task it was
	Money   money.Amount
	// Covered names the automations whose condition was true of the case, by step: "hold" and "release".
	Covered map[string][]string
}

// Options bound the search. The zero value of a field means its default.
type Options struct {
	Outcomes     []string // what to look for; Approve and Reject when empty
	MinCases     int      // a pattern has at least so many decided cases: 8
	MinDecisions int      // below so many decisions nothing is looked for: 30
	Agreement    float64  // the share of a pattern's cases that were decided the same way: 0.9
	Chance       float64  // how often decisions without any pattern may lead to a suggestion at all: 0.05
	MaxParts     int      // comparisons of one pattern: 3
	MaxPatterns  int      // candidates of one outcome: 12
	Holdback     float64  // the newest share of the decisions that is not looked at: 0
	Labels       bool     // the outcomes are labels of a file, not people's decisions
}

func (o Options) withDefaults() Options {
	if len(o.Outcomes) == 0 {
		o.Outcomes = []string{Approve, Reject}
	}
	o.MinCases = orDefault(o.MinCases, 8)
	o.MinDecisions = orDefault(o.MinDecisions, 30)
	o.MaxParts = orDefault(o.MaxParts, 3)
	o.MaxPatterns = orDefault(o.MaxPatterns, 12)
	if o.Agreement == 0 {
		o.Agreement = 0.9
	}
	if o.Chance == 0 {
		o.Chance = 0.05
	}
	return o
}

// levels are the agreements that patterns are looked for with, the surest first: what is
// nearly always so should not drown in what is often so.
func (o Options) levels() []float64 {
	out := []float64{}
	for _, l := range [...]float64{0.9, 0.6, 0.3} {
		if l > o.Agreement*1.2 {
			out = append(out, l)
		}
	}
	return append(out, o.Agreement)
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// Tally counts the cases of a pattern and those of them that were decided its way.
type Tally struct {
	Cases  int `json:"cases"`
	Agreed int `json:"agreed"`
}

// Rate is the share that agreed; 0 without cases.
func (t Tally) Rate() float64 {
	if t.Cases == 0 {
		return 0
	}
	return float64(t.Agreed) / float64(t.Cases)
}

// Example is a case to look at.
type Example struct {
	ID      string    `json:"id"`
	Number  string    `json:"number"`
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome"`
}

// MaxExamples bounds the counter-examples that a suggestion lists.
const MaxExamples = 20

// Suggestion is a pattern with its evidence, worded as an automation. Its money is
// the sum of the totals of the decided cases, per currency.
type Suggestion struct {
	Key      string   `json:"key"`     // the pattern whatever its thresholds: what a refusal is remembered by
	Outcome  string   `json:"outcome"` // what people decided
	Step     string   `json:"step"`    // release or hold
	Name     string   `json:"name"`    // of the automation
	When     string   `json:"when"`    // its condition
	Terms    []string `json:"terms"`   // the comparisons that all must hold
	Pattern  string   `json:"pattern"` // the condition in words
	Sentence string   `json:"sentence"`
	Why      string   `json:"why"`   // the evidence in words
	Queue    string   `json:"queue"` // of the hold

	All       Tally   `json:"all"`       // every decided case of the pattern
	Learned   Tally   `json:"learned"`   // of them, those it was found on
	Confirmed Tally   `json:"confirmed"` // and those it was tested on
	Lately    Tally   `json:"lately"`    // the newest third of its cases
	Others    Tally   `json:"others"`    // the decided cases outside the pattern, and how many of them were decided this way
	Chance    float64 `json:"chance"`    // how likely so good a test is without a pattern, corrected for the number of tests

	Against   []Example      `json:"against"` // decided otherwise, newest first
	Reach     int            `json:"reach"`   // orders it would have fired on, decided or not
	PerDay    float64        `json:"per_day"` // of them, per day
	PerHour   int            `json:"per_hour"`
	Money     []money.Amount `json:"money"`
	Reviewers int            `json:"reviewers"`
	Warnings  []string       `json:"warnings,omitempty"`

	did   string // what became of its cases, as a participle
	parts []*literal
	rank  float64 // lower bound of the agreement where it was found
}

// Report is what Find found, and on what.
type Report struct {
	Orders      int            `json:"orders"` // all cases
	Decisions   int            `json:"decisions"`
	Outcomes    map[string]int `json:"outcomes"`
	Reviewers   int            `json:"reviewers"`
	From        time.Time      `json:"from,omitzero"` // of the decided orders
	To          time.Time      `json:"to,omitzero"`
	Learned     int            `json:"learned"`   // decisions that patterns were looked for in
	Confirmed   int            `json:"confirmed"` // decisions that they were tested on
	HeldBack    int            `json:"held_back"` // the newest, looked at by neither
	Tested      int            `json:"tested"`    // patterns that came to the test
	Needed      int            `json:"needed"`    // further decisions before anything is looked for
	Note        string         `json:"note,omitempty"`
	Known       []string       `json:"known,omitempty"` // automations that a confirmed pattern only repeats
	Suggestions []*Suggestion  `json:"suggestions"`
}

// Find looks for patterns. The same cases and options give the same report,
// whatever the order in which the cases were added.
func Find(t *Table, o Options) *Report {
	o = o.withDefaults()
	v := t.view(o)
	r := &Report{
		Orders: len(t.rows), Decisions: v.decided, Outcomes: map[string]int{}, Learned: v.learn, Confirmed: v.confirm, HeldBack: v.heldBack,
		Suggestions: []*Suggestion{},
	}
	who := map[string]bool{}
	for i := range v.order[:v.decided] {
		c := v.row(i)
		r.Outcomes[c.outcome]++
		who[c.by] = true
		if r.From.IsZero() || c.at.Before(r.From) {
			r.From = c.at
		}
		if c.at.After(r.To) {
			r.To = c.at
		}
	}
	r.Reviewers = len(who)
	if r.Needed = max(0, o.MinDecisions-v.decided); r.Needed > 0 {
		return r
	}
	if len(r.Outcomes) == 1 {
		for out := range r.Outcomes {
			r.Note = "Every decision was the same: " + out + ". There is nothing that tells two kinds of orders apart; look at what holds these orders instead."
		}
		return r
	}
	lits := v.literals(o)
	var cands []*candidate
	for _, out := range o.Outcomes {
		if r.Outcomes[out] >= o.MinCases {
			cands = append(cands, v.search(lits, out, o)...)
		}
	}
	r.Tested = len(cands)
	for _, c := range confirm(v, cands, o) {
		if name := v.coveredBy(c, o); name != "" {
			r.Known = append(r.Known, name)
			continue
		}
		r.Suggestions = append(r.Suggestions, v.suggestion(c, o))
	}
	slices.SortStableFunc(r.Suggestions, func(a, b *Suggestion) int {
		if a.rank != b.rank {
			if a.rank > b.rank {
				return -1
			}
			return 1
		}
		return b.All.Cases - a.All.Cases
	})
	nameApart(r.Suggestions)
	return r
}
