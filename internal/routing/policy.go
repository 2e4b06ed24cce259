package routing

import (
	"slices"
	"strings"
	"time"
)

// Policy is what the shop wants of a plan. It is immutable once made and safe
// for concurrent use.
type Policy struct {
	Owner string // who decides about this policy
	Why   string

	Goals        []Goal // most important first
	MaxSplits    int    // most parcels per order; 0 = no limit
	AllowPartial bool   // ship what there is; otherwise all or nothing

	MustLeaveToday bool           // refuse locations whose parcel would leave on a later day
	WorkingDays    []time.Weekday // days on which parcels leave and travel; empty = every day

	Zones       []Zone // destinations as seen from a location; the first that matches counts
	RateCards   map[string]RateCard
	DefaultCard string         // for locations that name no rate card; "" = they have none
	TransitDays map[string]int // by zone name, working days from leaving to arriving

	Connection  string // takes fulfilment requests of locations that name none; "" = none
	SafetyStock int64  // units per SKU held back at locations whose own safety stock is 0

	MaxExactLocations int // most locations that are searched exactly; 0 = 12
	MaxExactLines     int // most SKUs that are searched exactly; 0 = 20
}

// Zone groups destinations. Every condition that is set must hold; a zone
// without conditions matches everything.
type Zone struct {
	Name           string
	UpToKM         float64  // great-circle distance from the location; 0 = no condition. An unknown distance does not match
	Countries      []string // ISO 3166-1 alpha-2
	PostalPrefixes []string // of the destination's code, without spaces and in capitals
}

// RateCard tells what a parcel costs.
type RateCard struct {
	Currency string
	Zones    []Zone // nil = the policy's
	Rates    []Rate // of one zone, ascending by weight, prices never falling
}

// Rate is the price of a parcel into a zone up to a weight.
type Rate struct {
	Zone  string
	UpToG int64 // grams, inclusive; 0 = any weight
	Minor int64 // price in minor units of the card's currency
}

// The bounds of the exact search when a policy sets none.
const (
	defaultExactLocations = 12
	defaultExactLines     = 20
)

// DefaultPolicy ships from as few, then as near, then as preferred locations as
// possible, ships what there is, and knows no prices and no transit times.
func DefaultPolicy() *Policy {
	return &Policy{
		Goals: []Goal{Parcels, Distance, Rank}, AllowPartial: true,
		MaxExactLocations: defaultExactLocations, MaxExactLines: defaultExactLines,
	}
}

// zone returns the name of the first zone that matches; km < 0 is an unknown distance.
func zone(zones []Zone, country, postal string, km float64) (string, bool) {
	for i := range zones {
		z := &zones[i]
		if z.UpToKM > 0 && (km < 0 || km > z.UpToKM) {
			continue
		}
		if len(z.Countries) > 0 && !slices.Contains(z.Countries, country) {
			continue
		}
		if len(z.PostalPrefixes) > 0 && !slices.ContainsFunc(z.PostalPrefixes, func(p string) bool { return strings.HasPrefix(postal, p) }) {
			continue
		}
		return z.Name, true
	}
	return "", false
}
