// Package catalog holds what the shop sells and where it stands: products, kits and locations.
package catalog

import (
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/stock"
)

// Product is one sellable SKU.
type Product struct {
	SKU        string
	Title      string
	WeightG    int64       // grams, 0 when unknown
	Backorder  bool        // sell below zero available: the rest of a line waits for stock
	LowAt      int64       // stock.low fires when available over all locations falls to this level or below; 0 = never
	Components []Component // not empty: a kit, which has no stock of its own
	Untracked  bool        // a service or fee: needs no stock
}

// Component is a part of a kit.
type Component struct {
	SKU string
	Qty int64
}

// Kit reports whether the product is made of other SKUs.
func (p Product) Kit() bool { return len(p.Components) > 0 }

// Location is a place that holds and ships stock: a warehouse, a shop, a seller.
type Location struct {
	ID          string
	Name        string
	Country     string // ISO 3166 alpha-2
	Postal      string
	Lat, Lon    float64  // degrees WGS 84; both 0 when unknown
	Rank        int      // 1 is the most preferred; 0 ranks last
	ShipsTo     []string // countries; empty = everywhere
	Channels    []string // channels it serves; empty = all
	Capacity    int      // parcels per day; 0 = no limit
	CutOff      string   // "15:04" in TimeZone; orders after it leave the next working day; "" = none
	TimeZone    string   // IANA name; "" = the shop's
	SafetyStock int64    // units per SKU held back from routing
	RateCard    string   // name of the rate card in the routing policy; "" = the default
	Connection  string   // connection that takes fulfilment requests; "" = the policy's default
	Closed      bool     // takes no new orders
	HandlingH   int      // hours from request to hand-over, 0 = same day
}

// maxLocationNumber bounds what a person may type as a rank, a capacity or a stock.
const maxLocationNumber = 1_000_000_000

// Problems lists what is wrong with a location, each with the pointer of its field; nil when it can be kept.
func (l Location) Problems() (ps []fault.Problem) {
	bad := func(field, format string, args ...any) {
		ps = append(ps, fault.Problem{Pointer: "/" + field, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case !locationID.MatchString(l.ID):
		bad("id", "has 1 to 64 letters, digits, dots, - and _, and begins with a letter or digit")
	case l.ID == stock.Opening:
		bad("id", "%q is where history is kept", l.ID)
	}
	for _, t := range [...]struct{ field, text string }{{"name", l.Name}, {"postal", l.Postal}, {"rate_card", l.RateCard}, {"connection", l.Connection}} {
		if utf8.RuneCountInString(t.text) > 120 {
			bad(t.field, "has at most 120 letters")
		}
	}
	if l.Country != "" && !countryCode(l.Country) {
		bad("country", "%q is not a country code like FR", l.Country)
	}
	for _, c := range l.ShipsTo {
		if !countryCode(c) {
			bad("ships_to", "%q is not a country code like FR", c)
		}
	}
	if l.CutOff != "" {
		if _, err := time.Parse("15:04", l.CutOff); err != nil || len(l.CutOff) != 5 {
			bad("cut_off", "%q is not a time of day like 15:04", l.CutOff)
		}
	}
	if l.TimeZone != "" {
		if _, err := time.LoadLocation(l.TimeZone); err != nil || l.TimeZone == "Local" {
			bad("time_zone", "%q is not a time zone like Europe/Paris", l.TimeZone)
		}
	}
	for _, n := range [...]struct {
		field string
		n     int64
	}{{"rank", int64(l.Rank)}, {"capacity", int64(l.Capacity)}, {"safety_stock", l.SafetyStock}, {"handling_hours", int64(l.HandlingH)}} {
		if n.n < 0 || n.n > maxLocationNumber {
			bad(n.field, "is a number from 0 to a thousand million")
		}
	}
	if !(l.Lat >= -90 && l.Lat <= 90) {
		bad("lat", "is between -90 and 90 degrees")
	}
	if !(l.Lon >= -180 && l.Lon <= 180) {
		bad("lon", "is between -180 and 180 degrees")
	}
	return ps
}

var locationID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func countryCode(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// LocationDay names a location's local day, for what it was given to do on it.
type LocationDay struct {
	Location string
	Day      string // 2006-01-02 in the location's zone
}
