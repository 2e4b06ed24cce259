// Package automation holds the shop's rules as data: what triggers each, its
// condition, its steps, who answers for it and how far it may go. It reads the
// YAML text that people write and says what every step reads, writes and costs;
// doing the steps is decide's part.
package automation

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
)

// Mode is how far an automation acts.
type Mode string

// The modes, in the order an automation grows up.
const (
	Draft  Mode = "draft"  // kept, not considered
	Shadow Mode = "shadow" // considered and recorded; nothing is done
	Canary Mode = "canary" // acts on a stable share of orders, shadow on the rest
	Active Mode = "active" // acts on all
	Paused Mode = "paused" // stopped by a person or by its limits; not considered
)

// Modes returns every mode.
func Modes() []Mode { return []Mode{Draft, Shadow, Canary, Active, Paused} }

// Considered reports whether automations of the mode are evaluated at all.
func (m Mode) Considered() bool { return m == Shadow || m == Canary || m == Active }

// Automation is one rule of the shop. It is immutable once parsed.
type Automation struct {
	Name      string    // kebab-case, unique in the shop
	Owner     string    // mail address: who is told, who decides
	Why       string    // the reason it exists, for those who meet it later
	On        string    // event type; OnSchedule and OnAbsence for those triggers
	Schedule  *Schedule // of OnSchedule
	Absence   *Absence  // of OnAbsence
	When      string    // source of Condition; "" is always
	Mode      Mode
	Share     int // canary only: percent of orders it acts on, 1 to 99
	Watch     Watch
	Steps     []Step
	Refs      []Ref // names in Steps that stand for something outside of the text
	Limits    Limits
	Expect    *Expect // nil when the author left it out
	Tests     []Test
	Condition *rule.Condition
	File      string // name given to Parse
	Text      string // as written
	Hash      string // SHA-256 of Text in hex: the version
}

// Limits bound what an automation may do before it pauses and its owner is told. Zero is no limit.
type Limits struct {
	PerHour     int          // firings within a clock hour
	MoneyPerDay money.Amount // sum of the totals of orders it acted on, within a day of the shop
	PerOrder    int          // firings on one order within an hour; DefaultPerOrder when left out
}

// Expect is how often the automation should fire at least: silence is a failure.
type Expect struct {
	AtLeast int
	Per     string // hour, day, week or month
}

// ParseExpect reads "1 per day".
func ParseExpect(text string) (*Expect, error) {
	n, per, ok := strings.Cut(text, " per ")
	e := &Expect{Per: strings.TrimSpace(per)}
	if e.AtLeast, _ = number(strings.TrimSpace(n), maxPerHour); !ok || e.AtLeast == 0 || e.Window() == 0 {
		return nil, fault.New(fault.Invalid, "automation.ParseExpect", "is like \"1 per day\": a whole number, and hour, day, week or month; got %q", text)
	}
	return e, nil
}

// Window returns the length of Per; a month is 30 days.
func (e *Expect) Window() time.Duration { return periods[e.Per] }

var periods = map[string]time.Duration{
	"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour,
}

// Acts reports whether the automation may act on a subject (an order id, or the
// event's subject when there is no order). In canary the answer is stable: the
// same subject is always in or out, and raising the share keeps who was in.
func (a *Automation) Acts(subject string) bool {
	switch a.Mode {
	case Active:
		return true
	case Canary:
		// The name takes part, so that it is not the same orders that every automation is tried on.
		return hash(a.Name, subject)%100 < uint64(a.Share)
	default:
		return false
	}
}

// hash is FNV-1a over both texts, finished like MurmurHash3, as FNV's low bits are weak.
// It must never change: a canary would act on other orders from one release to the next.
func hash(a, b string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [2]string{a, b} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h *= 1099511628211 // the end of a text, so that "ab","c" differs from "a","bc"
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
