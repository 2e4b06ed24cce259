package routing

import (
	"math"
	"slices"
	"strconv"

	"orderly.example/orderly/internal/geo"
)

// refusal is the hard filter that refused a candidate. Higher values are met later:
// the candidate was nearer to being chosen.
type refusal uint8

const (
	passed refusal = iota
	closed
	excluded
	otherChannel
	otherCountry
	noStock
	noCapacity
	leavesLater
)

// words name a refusal when candidates are counted, not listed.
func (r refusal) words() string {
	switch r {
	case closed:
		return "closed"
	case excluded:
		return "excluded for this order"
	case otherChannel:
		return "does not serve the channel"
	case otherCountry:
		return "does not ship to the country"
	case noStock:
		return "nothing available"
	case noCapacity:
		return "capacity reached"
	case leavesLater:
		return "leaves after today"
	}
	return "worse on the goals"
}

// noneOfIt is why a location lost that keeps no SKU of what is asked for.
const noneOfIt = "keeps none of it"

// site is a candidate under consideration.
type site struct {
	c       *Candidate
	km      float64 // -1 = unknown
	metres  int64   // of km, rounded; unknown = unknownFigure
	zone    string  // "" = none matches
	rates   []Rate  // of the zone, ascending by weight; empty = no price is known
	day     int64   // civil day of arrival; unknownFigure when no transit time is known
	leaves  int64   // civil day the parcel leaves
	dated   bool    // leaves and day are set
	pinned  bool    // a pinned demand takes units here
	prefer  bool
	refused refusal
}

// unknownFigure is more than any known figure of one parcel or sum of figures,
// so that a plan with an unknown parcel sorts after one without.
const unknownFigure = int64(1) << 40

// filter fills s.sites with the candidates that no hard filter refuses and
// s.refused with the others.
func (s *solver) filter() {
	for i := range s.req.Candidates {
		c := &s.req.Candidates[i]
		st := site{c: c, km: -1, metres: unknownFigure}
		st.refused = s.refuse(c)
		if st.refused == passed && s.pol.MustLeaveToday {
			day, today := s.pol.leaves(c, s.req.At, s.shop)
			if day != today {
				st.refused = leavesLater
			}
		}
		if st.refused != passed {
			s.refused = append(s.refused, st)
			continue
		}
		s.locate(&st)
		st.prefer = slices.Contains(s.req.Prefer, c.ID)
		s.sites = append(s.sites, st)
	}
}

func (s *solver) refuse(c *Candidate) refusal {
	switch {
	case c.Closed:
		return closed
	case len(s.req.Exclude) > 0 && slices.Contains(s.req.Exclude, c.ID):
		return excluded
	case len(c.Channels) > 0 && !slices.Contains(c.Channels, s.req.Channel):
		return otherChannel
	case len(c.ShipsTo) > 0 && !slices.Contains(c.ShipsTo, s.req.Country):
		return otherCountry
	case !s.hasSome(c):
		return noStock
	case c.Capacity > 0 && c.ParcelsToday >= int64(c.Capacity):
		return noCapacity
	}
	return passed
}

// safety is the number of units per SKU that the location holds back.
func (s *solver) safety(c *Candidate) int64 {
	if c.SafetyStock == 0 {
		return max(s.pol.SafetyStock, 0)
	}
	return max(c.SafetyStock, 0)
}

// available is what the location can give of a SKU.
func (s *solver) available(c *Candidate, sku string) int64 {
	return max(c.ATP[sku]-s.safety(c), 0)
}

func (s *solver) hasSome(c *Candidate) bool {
	for i := range s.demand {
		d := &s.demand[i]
		if (d.Pinned == "" || d.Pinned == c.ID) && s.available(c, d.SKU) > 0 {
			return true
		}
	}
	return false
}

// located reports whether the location's coordinates are known.
func located(c *Candidate) bool { return c.Lat != 0 || c.Lon != 0 }

// locate sets the distance, the zone and the rates of a site.
func (s *solver) locate(st *site) {
	c := st.c
	if s.req.HasPoint && located(c) {
		st.km = geo.DistanceKM(c.Lat, c.Lon, s.req.Lat, s.req.Lon)
		st.metres = int64(math.Round(st.km * 1000))
	}
	zones := s.pol.Zones
	name := c.RateCard
	if name == "" {
		name = s.pol.DefaultCard
	}
	var card RateCard
	if name != "" {
		card = s.pol.RateCards[name]
		if card.Zones != nil {
			zones = card.Zones
		}
	}
	st.zone, _ = zone(zones, s.req.Country, s.postal(), st.km)
	if st.zone == "" {
		return
	}
	from := 0
	for from < len(card.Rates) && card.Rates[from].Zone != st.zone {
		from++
	}
	to := from
	for to < len(card.Rates) && card.Rates[to].Zone == st.zone {
		to++
	}
	st.rates = card.Rates[from:to]
	if len(st.rates) > 0 {
		s.currency = card.Currency
	}
}

// postal is the destination's postal code as zones write it.
func (s *solver) postal() string {
	if !s.postalDone {
		s.postalDone = true
		s.postalCode = geo.NormalizePostal(s.req.Country, s.req.Postal)
	}
	return s.postalCode
}

// date sets the days on which a site's parcel leaves and arrives.
func (s *solver) date(st *site) {
	if st.dated {
		return
	}
	st.dated = true
	st.leaves, _ = s.pol.leaves(st.c, s.req.At, s.shop)
	st.day = unknownFigure
	if n, ok := s.pol.TransitDays[st.zone]; ok && st.zone != "" {
		st.day = s.pol.arrival(st.leaves, n)
	}
}

// refusedBecause tells a refusal with its figures.
func (s *solver) refusedBecause(st *site) string {
	c := st.c
	switch st.refused {
	case otherChannel:
		return "does not serve channel " + strconv.Quote(s.req.Channel)
	case otherCountry:
		if s.req.Country == "" {
			return "does not ship everywhere, and the country is unknown"
		}
		return "does not ship to " + s.req.Country
	case noStock:
		return s.nothingText(c)
	case noCapacity:
		return "capacity reached: " + strconv.FormatInt(c.ParcelsToday, 10) + " of " + strconv.Itoa(c.Capacity) + " parcels today"
	case leavesLater:
		day, _ := s.pol.leaves(c, s.req.At, s.shop)
		text := "leaves " + dateOf(day).Format("2006-01-02") + ", not today"
		if c.CutOff != "" {
			text += ": cut-off " + c.CutOff + " " + timeZone(c.TimeZone, s.shop).String()
		}
		return text
	}
	return st.refused.words()
}

// nothingText says why a location has nothing to give: "0 of 3 available (2 kept as safety stock)".
func (s *solver) nothingText(c *Candidate) string {
	var asked, kept int64
	for i := range s.demand {
		d := &s.demand[i]
		if d.Pinned == "" || d.Pinned == c.ID {
			asked += d.Qty
			kept += min(max(c.ATP[d.SKU], 0), s.safety(c))
		}
	}
	switch {
	case asked == 0:
		return "every line is pinned to another location"
	case len(c.ATP) == 0:
		return noneOfIt
	}
	text := "0 of " + strconv.FormatInt(asked, 10) + " available"
	if kept > 0 {
		text += " (" + strconv.FormatInt(kept, 10) + " kept as safety stock)"
	}
	return text
}
