// Package catalog holds what the shop sells and where it stands: products, kits and locations.
package catalog

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

// LocationDay names a location's local day, for what it was given to do on it.
type LocationDay struct {
	Location string
	Day      string // 2006-01-02 in the location's zone
}
