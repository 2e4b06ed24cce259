package routing

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// Bounds of a policy's figures: far above what occurs, far below what a sum could overflow.
const (
	maxPriceMinor = 1_000_000_000
	maxGrams      = 1_000_000_000
	maxTransit    = 365
)

// ParsePolicy reads a routing policy in YAML. Keys that are left out have the values
// of DefaultPolicy. The error is fault.Invalid and lists every problem with its line and column.
//
//	owner: logistics@shop.example
//	why: One parcel annoys nobody; the rest is money.
//	goals: [parcels, cost, promise, distance, rank, load]
//	max_parcels: 3            # 0 = no limit
//	allow_partial: true
//	must_leave_today: false
//	working_days: [mon, tue, wed, thu, fri]   # left out = every day
//	safety_stock: 0           # where a location has none of its own
//	fulfilment: warehouse     # connection that takes fulfilment requests
//	zones:                    # the first that matches counts; a zone without conditions takes the rest
//	  - { zone: city, up_to_km: 30 }
//	  - { zone: national, countries: [DE] }
//	  - { zone: islands, countries: [ES], postal_prefixes: ["35", "38"] }
//	rate_card: standard       # for locations that name none
//	rate_cards:
//	  standard:
//	    currency: EUR
//	    zones: […]            # left out = the policy's
//	    rates:
//	      - { zone: national, up_to_g: 1000, price: 4.90 EUR }
//	      - { zone: national, price: 15.90 EUR }   # any weight
//	transit_days: { city: 1, national: 2 }         # working days
func ParsePolicy(text []byte) (*Policy, error) {
	p := DefaultPolicy()
	r := &policyReader{p: p}
	if root := r.tree(text); root != nil {
		r.policy(root)
	}
	if len(r.problems) > 0 {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "routing.ParsePolicy", Message: "the routing policy is not valid", Problems: r.problems}
	}
	return p, nil
}

type policyReader struct {
	reader
	p *Policy

	goalsAt, transitAt, cardAt ast.Node
	cards                      []namedCard
	transit                    []namedNode
}

type namedCard struct {
	name  string
	node  ast.Node
	card  RateCard
	rates []placedRate
}

type placedRate struct {
	node ast.Node
	rate Rate
}

type namedNode struct {
	name string
	node ast.Node
}

func (r *policyReader) policy(root ast.Node) {
	p := r.p
	if _, ok := root.(*ast.MappingNode); !ok {
		if _, ok := root.(*ast.MappingValueNode); !ok {
			r.bad(root, "a routing policy is written as keys with values, beginning with goals:")
			return
		}
	}
	r.fields(root, "a routing policy", map[string]func(ast.Node){
		"owner":            func(n ast.Node) { p.Owner = r.text(n, "owner") },
		"why":              func(n ast.Node) { p.Why = r.text(n, "why") },
		"goals":            r.goals,
		"max_parcels":      func(n ast.Node) { p.MaxSplits = int(r.integer(n, "max_parcels", 0, 1000)) },
		"allow_partial":    func(n ast.Node) { p.AllowPartial = r.yes(n, "allow_partial") },
		"must_leave_today": func(n ast.Node) { p.MustLeaveToday = r.yes(n, "must_leave_today") },
		"working_days":     r.workingDays,
		"safety_stock":     func(n ast.Node) { p.SafetyStock = r.integer(n, "safety_stock", 0, 1_000_000) },
		"fulfilment":       func(n ast.Node) { p.Connection = r.text(n, "fulfilment") },
		"zones":            func(n ast.Node) { p.Zones = r.zones(n) },
		"rate_card":        func(n ast.Node) { p.DefaultCard, r.cardAt = r.text(n, "rate_card"), n },
		"rate_cards":       r.rateCards,
		"transit_days":     r.transitDays,
	})
	r.finishCards()
	r.finishTransit()
	if r.goalsAt != nil {
		if slices.Contains(p.Goals, Cost) && len(p.RateCards) == 0 {
			r.bad(r.goalsAt, "the goal cost needs rate_cards")
		}
		if slices.Contains(p.Goals, Promise) && len(p.TransitDays) == 0 {
			r.bad(r.goalsAt, "the goal promise needs transit_days")
		}
	}
}

func (r *policyReader) goals(n ast.Node) {
	r.goalsAt = n
	r.p.Goals = nil
	names := make([]string, len(goals))
	for i, g := range goals {
		names[i] = string(g)
	}
	for _, it := range r.items(n, "goals") {
		s, _ := scalar(it)
		switch g := Goal(s); {
		case !slices.Contains(goals, g):
			r.bad(it, "there is no goal %q%s; the goals are %s", short(s), meant(s, names), strings.Join(names, ", "))
		case slices.Contains(r.p.Goals, g):
			r.bad(it, "the goal %s stands twice", g)
		default:
			r.p.Goals = append(r.p.Goals, g)
		}
	}
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (r *policyReader) workingDays(n ast.Node) {
	for _, it := range r.items(n, "working_days") {
		s, _ := scalar(it)
		i := slices.Index(weekdays, strings.ToLower(s))
		if i < 0 {
			r.bad(it, "there is no day %q; the days are mon, tue, wed, thu, fri, sat, sun", short(s))
			continue
		}
		if d := time.Weekday(i); !slices.Contains(r.p.WorkingDays, d) {
			r.p.WorkingDays = append(r.p.WorkingDays, d)
		}
	}
	if r.p.WorkingDays == nil && len(r.problems) == 0 {
		r.bad(n, "working_days is empty: no parcel would ever leave; leave the key out for every day")
	}
}

func (r *policyReader) zones(n ast.Node) []Zone {
	out := []Zone{}
	for _, it := range r.items(n, "zones") {
		z := Zone{}
		r.fields(it, "a zone", map[string]func(ast.Node){
			"zone":            func(n ast.Node) { z.Name = r.text(n, "zone") },
			"up_to_km":        func(n ast.Node) { z.UpToKM = r.km(n) },
			"countries":       func(n ast.Node) { z.Countries = r.countries(n) },
			"postal_prefixes": func(n ast.Node) { z.PostalPrefixes = r.prefixes(n) },
		})
		if z.Name == "" {
			r.bad(it, "a zone needs its name: zone")
			continue
		}
		out = append(out, z)
	}
	return out
}

func (r *policyReader) km(n ast.Node) float64 {
	s, _ := scalar(n)
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) || v > 40_000 || math.IsInf(v, 0) {
		r.bad(n, "up_to_km must be a number of kilometres up to 40000, not %q", short(s))
		return 0
	}
	return v
}

func (r *policyReader) countries(n ast.Node) []string {
	list := r.texts(n, "countries")
	for _, c := range list {
		if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
			r.bad(n, "%q is not a country code; write two capitals, like DE", short(c))
		}
	}
	return list
}

// prefixes are compared with normalised codes. Unquoted numbers lose their leading
// zeros in some editors, so they must be quoted.
func (r *policyReader) prefixes(n ast.Node) []string {
	if s, ok := n.(*ast.SequenceNode); ok {
		for _, it := range s.Values {
			if _, ok := it.(*ast.StringNode); !ok {
				r.bad(it, "a postal prefix must stand in quotes, like \"01\"")
				return nil
			}
		}
	}
	list := r.texts(n, "postal_prefixes")
	for i, s := range list {
		s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
		if s == "" || len(s) > 10 {
			r.bad(n, "%q is not the beginning of a postal code", short(list[i]))
		}
		list[i] = s
	}
	return list
}

func (r *policyReader) rateCards(n ast.Node) {
	r.each(n, "rate_cards", func(name string, keyNode, value ast.Node) {
		c := namedCard{name: name, node: keyNode}
		r.fields(value, "a rate card", map[string]func(ast.Node){
			"currency": func(n ast.Node) {
				c.card.Currency = r.text(n, "currency")
				if _, ok := money.Digits(c.card.Currency); c.card.Currency != "" && !ok {
					r.bad(n, "%q is not a currency; write its three capital letters, like EUR", short(c.card.Currency))
				}
			},
			"zones": func(n ast.Node) { c.card.Zones = r.zones(n) },
			"rates": func(n ast.Node) {
				for _, it := range r.items(n, "rates") {
					c.rates = append(c.rates, placedRate{it, Rate{}})
				}
			},
		})
		r.cards = append(r.cards, c)
	})
}

// finishCards reads the rates, when the currency and the policy's zones are known in whatever
// order the keys stand.
func (r *policyReader) finishCards() {
	currency := ""
	for i := range r.cards {
		c := &r.cards[i]
		switch {
		case c.card.Currency == "":
			r.bad(c.node, "the rate card %s needs a currency", short(c.name))
		case currency == "":
			currency = c.card.Currency
		case currency != c.card.Currency:
			r.bad(c.node, "the rate card %s is in %s and another in %s: costs in two currencies cannot be compared", short(c.name), c.card.Currency, currency)
		}
		if len(c.rates) == 0 {
			r.bad(c.node, "the rate card %s needs rates", short(c.name))
		}
		r.rates(c)
		if r.p.RateCards == nil {
			r.p.RateCards = map[string]RateCard{}
		}
		r.p.RateCards[c.name] = c.card
	}
	_, known := r.p.RateCards[r.p.DefaultCard]
	switch {
	case r.cardAt != nil && !known && r.p.DefaultCard != "":
		names := make([]string, len(r.cards))
		for i := range r.cards {
			names[i] = r.cards[i].name
		}
		r.bad(r.cardAt, "there is no rate card %q%s", short(r.p.DefaultCard), meant(r.p.DefaultCard, names))
	case r.cardAt == nil && len(r.cards) == 1:
		r.p.DefaultCard = r.cards[0].name
	}
}

func (r *policyReader) rates(c *namedCard) {
	zones := c.card.Zones
	if zones == nil {
		zones = r.p.Zones
	}
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.Name
	}
	for i := range c.rates {
		pr := &c.rates[i]
		priced := false
		r.fields(pr.node, "a rate", map[string]func(ast.Node){
			"zone": func(n ast.Node) {
				pr.rate.Zone = r.text(n, "zone")
				if pr.rate.Zone != "" && !slices.Contains(names, pr.rate.Zone) {
					r.bad(n, "there is no zone %q%s", short(pr.rate.Zone), meant(pr.rate.Zone, names))
				}
			},
			"up_to_g": func(n ast.Node) { pr.rate.UpToG = r.integer(n, "up_to_g", 1, maxGrams) },
			"price":   func(n ast.Node) { pr.rate.Minor, priced = r.price(n, c.card.Currency), true },
		})
		if pr.rate.Zone == "" {
			r.bad(pr.node, "a rate needs a zone")
		}
		if !priced {
			r.bad(pr.node, "a rate needs a price")
		}
	}
	slices.SortStableFunc(c.rates, func(a, b placedRate) int {
		return cmp.Or(strings.Compare(a.rate.Zone, b.rate.Zone), cmp.Compare(weightOrder(a.rate), weightOrder(b.rate)))
	})
	for i, pr := range c.rates {
		c.card.Rates = append(c.card.Rates, pr.rate)
		if i == 0 || c.rates[i-1].rate.Zone != pr.rate.Zone {
			continue
		}
		before := c.rates[i-1].rate
		switch {
		case before.UpToG == pr.rate.UpToG:
			r.bad(pr.node, "the zone %s has two rates up to the same weight", short(pr.rate.Zone))
		case before.Minor > pr.rate.Minor:
			r.bad(pr.node, "in the zone %s a heavier parcel costs less than a lighter one", short(pr.rate.Zone))
		}
	}
}

// weightOrder sorts a rate for any weight last.
func weightOrder(r Rate) int64 {
	if r.UpToG == 0 {
		return math.MaxInt64
	}
	return r.UpToG
}

func (r *policyReader) price(n ast.Node, currency string) int64 {
	a, err := money.ParseText(r.text(n, "price"))
	switch {
	case err != nil:
		r.bad(n, "price: %s", short(err.Error()))
	case currency != "" && a.Currency != currency:
		r.bad(n, "the price is in %s, its rate card in %s", a.Currency, short(currency))
	case a.Minor < 0 || a.Minor > maxPriceMinor:
		r.bad(n, "the price must be between 0 and %s", money.New(maxPriceMinor, a.Currency))
	}
	return a.Minor
}

func (r *policyReader) transitDays(n ast.Node) {
	r.transitAt = n
	r.p.TransitDays = map[string]int{}
	r.each(n, "transit_days", func(zone string, keyNode, value ast.Node) {
		r.p.TransitDays[zone] = int(r.integer(value, "transit_days", 0, maxTransit))
		r.transit = append(r.transit, namedNode{zone, keyNode})
	})
}

// finishTransit refuses transit times of zones that do not exist: a slip of the pen would
// otherwise leave the promise unknown.
func (r *policyReader) finishTransit() {
	var names []string
	for _, z := range r.p.Zones {
		names = append(names, z.Name)
	}
	for i := range r.cards {
		for _, z := range r.cards[i].card.Zones {
			names = append(names, z.Name)
		}
	}
	for _, t := range r.transit {
		if !slices.Contains(names, t.name) {
			r.bad(t.node, "there is no zone %q%s", short(t.name), meant(t.name, names))
		}
	}
}
