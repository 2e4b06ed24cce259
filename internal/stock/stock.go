// Package stock is the double-entry stock ledger. Every change is a Move of a
// positive quantity from one account to another; balances are a fold of the moves.
package stock

import "time"

// Bucket is one of the accounts a location holds per SKU, or an outside account.
type Bucket string

// The accounts. Available and Reserved exist at every location; on hand is
// their sum. The others are the outside world: stock comes from and goes to
// them and their balance may be negative.
const (
	Available Bucket = "available"
	Reserved  Bucket = "reserved"
	Supplier  Bucket = "supplier"
	Customer  Bucket = "customer"
	Adjust    Bucket = "adjustment"
)

// Opening is the location that history is recorded against: facts of the past
// never touch today's sellable stock, and its balances may be negative.
const Opening = "opening"

// Account is a bucket at a location; Location is "" for outside accounts.
type Account struct {
	Location string
	Bucket   Bucket
}

// Kind says why a move was made.
type Kind string

// Kinds of moves, with their accounts.
const (
	Reserve  Kind = "reserve"  // available -> reserved
	Release  Kind = "release"  // reserved -> available
	Ship     Kind = "ship"     // reserved (or available, for history) -> customer
	Receive  Kind = "receive"  // supplier -> available
	Adjusted Kind = "adjust"   // adjustment <-> available
	Transfer Kind = "transfer" // available -> available elsewhere
	Return   Kind = "return"   // customer -> available
)

// Move is one entry of the ledger. Corrections are new moves, never edits.
type Move struct {
	ID      string // event id + ":" + ordinal
	EventID string
	At      time.Time
	Kind    Kind
	SKU     string
	Qty     int64 // units, always > 0
	From    Account
	To      Account
	OrderID string // "" when no order is concerned
	Note    string
}

// Key names a balance.
type Key struct {
	SKU      string
	Location string
}

// Balance is the projection of the ledger for one SKU at one location, in units.
// OnHand = available + reserved.
type Balance struct {
	Key
	OnHand   int64
	Reserved int64
}

// Available returns what can be promised before safety stock: on hand less reserved.
func (b Balance) Available() int64 { return b.OnHand - b.Reserved }
