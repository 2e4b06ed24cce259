package automation

import (
	"fmt"
	"time"

	"orderly.example/orderly/internal/money"
)

// DefaultPerOrder is how often an automation may fire on one order within an hour
// unless its limits say otherwise: whatever does more runs in a circle.
const DefaultPerOrder = 20

// Guard is what decisions know of an automation's doings: whether it is
// stopped, how far it has gone within its limits, and how its canary goes. It
// is changed by decisions only, so a replay counts the same.
type Guard struct {
	Name  string
	Stop  *Stopped // nil: it acts as its text says
	Round int64    // +1 with every resumption: what it does is counted anew
	Hour  int64    // the hour since 1970 that Acted counts
	Acted int64    // firings within Hour
	Day   string   // the shop's day that Spent adds up
	Spent int64    // minor units, in the currency of the limit
	Trial Trial
}

// Stopped says that an automation does not act for now, whatever its mode. What it
// would have done is recorded, as in shadow. A person lets it go on.
type Stopped struct {
	Since  time.Time
	By     string // user id, or Orderly
	Reason string
}

// Clone returns a copy that shares no memory that a change could touch.
func (g *Guard) Clone() *Guard {
	c := *g
	return &c // Stop is replaced, never changed
}

// Resume lets the automation act again and begins every count anew: a person has looked.
func (g *Guard) Resume() { *g = Guard{Name: g.Name, Round: g.Round + 1} }

// Guarded reports whether the automation's doings are counted while it acts:
// it has limits, or is on trial as a canary.
func (a *Automation) Guarded() bool {
	return a.Mode.Considered() && a.Mode != Shadow && (a.Limits.PerHour > 0 || a.Limits.MoneyPerDay.Minor > 0 || a.Mode == Canary)
}

// Admit counts one more firing, at a time, on the shop's day and about an
// order's total, when the limits allow it. Otherwise it counts nothing and
// says which limit is reached.
func (g *Guard) Admit(l Limits, at time.Time, day string, total money.Amount) string {
	// A clock that runs behind another node's counts in the window that is current already.
	if hour := at.Unix() / 3600; hour > g.Hour {
		g.Hour, g.Acted = hour, 0
	}
	if day > g.Day {
		g.Day, g.Spent = day, 0
	}
	if l.PerHour > 0 && g.Acted >= int64(l.PerHour) {
		return fmt.Sprintf("its limit of %d firings per hour is reached", l.PerHour)
	}
	if limit := l.MoneyPerDay; limit.Minor > 0 && total.Currency != "" {
		switch {
		case total.Currency != limit.Currency:
			return fmt.Sprintf("an order of %s cannot be counted against its limit of %s per day: the currencies differ", total, limit)
		case total.Minor > limit.Minor-g.Spent:
			return fmt.Sprintf("its limit of %s per day would be exceeded: %s so far, and an order of %s", limit, money.New(g.Spent, limit.Currency), total)
		}
		g.Spent += max(total.Minor, 0)
	}
	g.Acted++
	return ""
}

// Firing is one firing that is worth a row of its own: what an automation would
// have done had it acted, or did while its doings are counted.
type Firing struct {
	Name    string
	At      time.Time
	EventID string
	OrderID string // "" when the event is about no order
	How     string // acted; shadow, canary or stopped when it did not act
	Round   int64
	Hour    int64
	Day     string
	Minor   int64 // what counted against the money limit
	PerHour int64 // the limits it was held to; 0 = none
	PerDay  int64
}

// How a firing went.
const (
	HowActed   = "acted"
	HowShadow  = "shadow"
	HowCanary  = "canary"  // left out by the share of a canary
	HowStopped = "stopped" // by a person, its limits or its trial
)
