package routing

import (
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/money"
)

// Goal is one thing a plan may be good at. Lower is better for all of them.
type Goal string

// The goals. What each figure is for a plan stands in the package comment.
const (
	Parcels  Goal = "parcels"  // number of parcels
	Cost     Goal = "cost"     // sum of the parcels' prices on the rate cards
	Promise  Goal = "promise"  // day on which the last parcel arrives
	Distance Goal = "distance" // sum of the parcels' great-circle distances
	Rank     Goal = "rank"     // sum of the locations' ranks
	Load     Goal = "load"     // highest share of today's capacity already used
)

// goals lists every goal, in the order in which help texts name them.
var goals = []Goal{Parcels, Cost, Promise, Distance, Rank, Load}

// Demand is a quantity of one SKU to be shipped. Kits are exploded and services
// left out by the caller. Entries with the same SKU and pin are added up.
type Demand struct {
	SKU     string
	Qty     int64  // units; entries without a positive quantity are ignored
	Pinned  string // location that must ship it; "" = routing chooses
	WeightG int64  // grams of one unit; 0 when unknown
}

// Candidate is a location with what it can promise of the SKUs asked for.
type Candidate struct {
	catalog.Location
	ATP          map[string]int64 // available to promise by SKU, safety stock not yet taken off
	ParcelsToday int64            // parcels it was given on its local day of Request.At
}

// Request asks where an order ships from.
type Request struct {
	OrderID    string
	Channel    string
	Country    string // destination, ISO 3166-1 alpha-2
	Postal     string
	Lat, Lon   float64 // destination in degrees WGS 84; they count when HasPoint
	HasPoint   bool
	At         time.Time
	Zone       *time.Location // the shop's time zone, for locations that name none; nil = UTC
	Demand     []Demand
	Candidates []Candidate // each id once; their order does not matter
	Prefer     []string    // locations that automations prefer
	Exclude    []string    // locations that automations exclude, or that rejected the order before

	// Without counts further locations, which keep none of what is asked for: too many to name.
	Without int

	// AllowBackorder tells per SKU whether it may be sold below zero. It changes
	// nothing in the search; the missing units of such a SKU are marked Backorder.
	AllowBackorder map[string]bool
}

// Assignment is a quantity of one SKU, and the location that ships it.
type Assignment struct {
	SKU       string
	Location  string // "" for a missing quantity
	Qty       int64
	Backorder bool // of a missing quantity: the SKU may be sold below zero
}

// Plan says what ships from where, and why from there.
type Plan struct {
	Assign  []Assignment // ordered by SKU, then location
	Missing []Assignment // what no location can give, ordered by SKU
	Parcels int          // one per location used

	CostMinor     money.Amount // sum over the parcels; no currency when a parcel has no known price or there are no rate cards
	Promise       time.Time    // end of the day by which everything assigned arrives; zero when a transit time is unknown
	DistanceKM    float64      // sum over the parcels
	DistanceKnown bool         // false when a parcel's distance is unknown, and then not in the sum

	Exact bool   // proved to be the best plan under the definition in the package comment
	Bound string // what was bounded, in words, when not Exact

	Candidates []Verdict // at most MaxVerdicts: the chosen first, then the nearest to being chosen
	More       []Tally   // the candidates left out of Candidates, by reason
}

// MaxVerdicts is the largest number of verdicts a plan keeps.
const MaxVerdicts = 25

// Verdict is what became of one candidate location.
type Verdict struct {
	Location   string
	Name       string
	Lat, Lon   float64
	Chosen     bool
	Reason     string  // why it lost, with figures: "closed", "2 parcels instead of 1"; of a chosen one, what it ships
	Scores     []Score // figures of the best plan found that uses it, in the order of the goals; empty when a filter refused it
	DistanceKM float64 // to the destination
	KMKnown    bool    // both points are known
}

// Score is a plan's figure for one goal: parcels, minor units of money, days
// from the request to the arrival, km, sum of ranks, percent of capacity used.
// A figure that is not known is negative.
type Score struct {
	Goal  Goal
	Value float64
}

// Tally counts candidates that lost for the same kind of reason.
type Tally struct {
	Reason string
	Count  int
}
