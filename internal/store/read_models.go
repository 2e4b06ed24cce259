package store

import (
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// The read models: what pages and reports show. They are made by bounded
// queries only. A query either follows an index, or looks at a stated number of
// rows and says so; none grows with the history of the shop.

// Capped is a count that stopped at its limit: N rows, and More when there are others.
type Capped struct {
	N    int64
	More bool
}

// Limits of the read models, in rows.
const (
	// CountCap is where exact counting stops.
	CountCap = 1000
	// ScanCap is how many orders one request of a filtered list looks at. What
	// lies further back is reached with the next page.
	ScanCap = 20_000
	// DayCap is how many orders of one day are added up for Today.
	DayCap = 50_000
)

// OrderSort is the order of a list of orders.
type OrderSort string

// The sorts. SortTotal sorts the window of ScanCap orders that the page looks
// at; the other two follow the index over all orders.
const (
	SortNewest OrderSort = "newest"
	SortOldest OrderSort = "oldest"
	SortTotal  OrderSort = "total"
)

// OrderFilter narrows a list of orders. Empty fields narrow nothing.
type OrderFilter struct {
	States   []order.State
	Channel  string
	Country  string
	Payment  string
	From, To time.Time // placed, To exclusive
	Search   string    // number, order id, mail address or name
	Customer string    // customer id
	Sort     OrderSort
	Cursor   string // of an earlier page; "" = the first
	Limit    int    // rows per page; 0 = 50
}

// OrderRow is one row of a list of orders.
type OrderRow struct {
	ID, Channel, Number string
	State               order.State
	Payment             string
	CustomerID          string
	Customer            string // name; "" when it is not known, was erased or may not be seen
	Country             string
	Total               money.Amount
	Units               int64
	Mode                event.Mode
	PlacedAt            time.Time
	UpdatedAt           time.Time
	Sealed              string // personal data under the customer's key
}

// OrderPage is one page of a list of orders.
type OrderPage struct {
	Rows []OrderRow
	Next string // cursor of the next page; "" = this is the last
	// Looked is how many orders were looked at; Back is the time placed of the
	// last of them when the page ended because of ScanCap, zero otherwise.
	Looked int
	Back   time.Time
}

// HourCount is what was placed in one hour.
type HourCount struct {
	Hour   time.Time // its beginning, UTC
	Orders int64
	Money  []money.Amount // of those that were not cancelled, per currency
}

// DayFigures are the orders of a span of time by hour.
type DayFigures struct {
	Hours  []HourCount // those with orders, ascending
	Orders int64
	Money  []money.Amount // of those that were not cancelled, per currency, largest number of orders first
	More   bool           // stopped at DayCap
}

// Counts are the figures that call for action.
type Counts struct {
	Held, Unfillable, Backordered, AwaitingPayment, Ready Capped
	DeadEffects, WaitingEffects                           Capped
	OldestWaiting                                         time.Time // due time of the oldest effect that should have been sent; zero = none
	LowStock                                              Capped
	Tasks                                                 Capped // open and asked, incidents left out
	LateTasks                                             int64  // of them, past their deadline
	Quarantined                                           Capped // events whose decision failed
}

// EventRow is one event of a story.
type EventRow struct {
	Seq                        int64
	ID, Source, Key, Type      string
	Subject, Actor, Cause      string
	At, Received               time.Time
	Mode                       event.Mode
	State, Reason              string
	Policy                     int64
	Data, Facts, Trace, Sealed string // JSON; Sealed personal data
	CustomerID                 string
	Archive                    string // the file that has Facts and Trace; "" = they are here
}

// EffectRow is one effect of a list.
type EffectRow struct {
	ID, Key, Destination, OrderID, EventID, Automation, Purpose string
	Kind                                                        effect.Kind
	State                                                       effect.State
	Attempts                                                    int
	LastError, Receipt                                          string
	Created, Due, DoneAt                                        time.Time
	Unsure                                                      bool // an attempt may have arrived although no answer said so
}

// TaskRow is one task of the queue.
type TaskRow struct {
	ID, Queue, Subject, OrderID, Assignee string
	Kind                                  task.Kind
	State                                 task.State
	Created, Due, DoneAt                  time.Time
	Task                                  task.Task // all of it
}

// StockRow is one product with its levels.
type StockRow struct {
	SKU, Title string
	LowAt      int64
	Low        bool
	Doc        string // JSON of the product
	Levels     []StockLevel
	OnHand     int64 // over all locations but opening
	Reserved   int64
}

// Available is what can be promised, in units, before safety stock.
func (r StockRow) Available() int64 { return r.OnHand - r.Reserved }

// StockLevel is what one location keeps of one SKU, in units.
type StockLevel struct {
	Location string
	OnHand   int64
	Reserved int64
}

// Available is on hand less reserved.
func (l StockLevel) Available() int64 { return l.OnHand - l.Reserved }

// StockFilter narrows the list of products.
type StockFilter struct {
	Search   string // beginning of a SKU, or part of a title
	Location string // only products that this location keeps
	LowOnly  bool
	Held     bool // only what is in stock, reserved or low; a search looks at all
	Cursor   string
	Limit    int // 0 = 50
}

// StockPage is one page of products.
type StockPage struct {
	Rows []StockRow
	Next string
	// Bounded is set when looking stopped after ScanCap products.
	Bounded bool
}

// LedgerRow is one move of a SKU with the balance after it.
type LedgerRow struct {
	Seq               int64
	Ord               int
	At                time.Time
	Kind              string
	Qty               int64
	FromLoc, FromBuck string
	ToLoc, ToBuck     string
	OrderID, Note     string
	OnHand, Reserved  int64 // change of the account looked at
	OnHandAfter       int64
	ReservedAfter     int64
	Type, Actor       string // of the event that made it
	EventID           string
}

// LedgerPage is one page of a ledger, newest first.
type LedgerPage struct {
	Rows []LedgerRow
	Next string
}

// PolicyText is one text of the current policy.
type PolicyText struct {
	Kind, Name, Hash, Text string
}

// AutomationCount is what an automation did in one UTC hour.
type AutomationCount struct {
	Name string
	Hour time.Time
	Count
}

// ConnectionRow is one connection with its health.
type ConnectionRow struct {
	Name, Kind string
	Config     string // JSON, nothing secret
	Updated    time.Time
	Waiting    Capped // effects that wait for it
	Dead       Capped // effects it refused for good
}

// LocationChange is a location as one change left it. What stood before changes were
// kept has neither author nor time.
type LocationChange struct {
	Rev      int64 // grows with every change of any location
	At       time.Time
	Author   string // mail address of a user, or the way it came: terminal
	Location catalog.Location
}

// SavedFilter is a query a person keeps.
type SavedFilter struct {
	ID, Page, Name, Query, UserID string
}
