package routing

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

func TestTheExampleIsValid(t *testing.T) {
	text, err := os.ReadFile("../../examples/shop/routing.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Goals) != 6 || p.MaxSplits != 3 || !p.AllowPartial || len(p.WorkingDays) != 5 || p.DefaultCard != "standard" || p.TransitDays["europe"] != 4 {
		t.Errorf("%+v", p)
	}
	for _, c := range []struct {
		country, postal string
		km              float64
		grams           int64
		card            string
		zone            string
		minor           int64
	}{
		{"DE", "10115", 12, 5000, "standard", "city", 390},
		{"DE", "10115", -1, 5001, "standard", "national", 890},
		{"DE", "10115", 400, 1000, "standard", "national", 430},
		{"ES", "35001", 3000, 1, "standard", "islands", 2490},
		{"ES", "28001", 1900, 1, "standard", "europe", 990},
		{"US", "94110", 9000, 20_001, "standard", "world", unknownFigure},
		{"DE", "10115", 8, 99_999, "courier", "neighbourhood", 250},
	} {
		card := p.RateCards[c.card]
		zones := card.Zones
		if zones == nil {
			zones = p.Zones
		}
		z, _ := zone(zones, c.country, c.postal, c.km)
		var of []Rate
		for _, r := range card.Rates {
			if r.Zone == z {
				of = append(of, r)
			}
		}
		if price := priceOf(of, c.grams); z != c.zone || price != c.minor {
			t.Errorf("%+v: zone %s, %d", c, z, price)
		}
	}
}

func TestLeftOutKeysHaveDefaults(t *testing.T) {
	p, err := ParsePolicy([]byte("max_parcels: 2\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultPolicy()
	if len(p.Goals) != len(want.Goals) || p.AllowPartial != want.AllowPartial || p.MaxSplits != 2 {
		t.Errorf("%+v", p)
	}
	p, err = ParsePolicy([]byte("goals: []\nallow_partial: false\nworking_days: [sat, sun]\n"))
	if err != nil || len(p.Goals) != 0 || p.AllowPartial || p.WorkingDays[0] != time.Saturday {
		t.Errorf("%+v %v", p, err)
	}
}

func TestPolicyProblemsNameTheirPlace(t *testing.T) {
	const rates = "rate_cards:\n  a:\n    currency: EUR\n    zones: [{zone: x}]\n    rates:\n"
	for _, c := range []struct{ text, at, says string }{
		{"", "1:1", "empty"},
		{"# nothing\n", "1:1", "empty"},
		{"- a\n", "1:1", "keys with values"},
		{"goals: [parcels\n", "", "not YAML"},
		{"goals: [parcels]\ngoal: [rank]\n", "2:1", "did you mean goals?"},
		{"goals: [parcels, costs]\n", "1:18", "did you mean cost?"},
		{"goals: [parcels, parcels]\n", "1:18", "twice"},
		{"goals: parcels\n", "1:8", "list"},
		{"goals: [cost]\n", "1:8", "rate_cards"},
		{"goals: [promise]\n", "1:8", "transit_days"},
		{"max_parcels: many\n", "1:14", "whole number"},
		{"max_parcels: -1\n", "1:14", "whole number"},
		{"max_parcels: 1\nmax_parcels: 2\n", "2:1", "max_parcels"},
		{"allow_partial: sometimes\n", "1:16", "true or false"},
		{"working_days: [someday]\n", "1:16", "no day"},
		{"working_days: []\n", "1:15", "empty"},
		{"zones:\n  - {zone: a, up_to_km: far}\n", "2:25", "kilometres"},
		{"zones:\n  - {zone: a, up_to_km: 0}\n", "2:25", "kilometres"},
		{"zones:\n  - {up_to_km: 5}\n", "2:5", "needs its name"},
		{"zones:\n  - {zone: a, countries: [Germany]}\n", "2:", "country code"},
		{"zones:\n  - {zone: a, postal_prefixes: [01]}\n", "2:", "quotes"},
		{"rate_card: b\n", "1:12", "no rate card"},
		{"rate_cards:\n  a: {currency: EUR}\n", "2:3", "needs rates"},
		{"rate_cards:\n  a: {rates: []}\n", "2:3", "needs a currency"},
		{rates + "      - {zone: y, price: 1 EUR}\n", "6:16", "no zone"},
		{rates + "      - {zone: x}\n", "6:9", "needs a price"},
		{rates + "      - {zone: x, price: 1.234 EUR}\n", "6:26", "decimal digits"},
		{rates + "      - {zone: x, price: 1 USD}\n", "6:26", "in USD"},
		{rates + "      - {zone: x, price: -1 EUR}\n", "6:26", "between"},
		{rates + "      - {zone: x, up_to_g: 5, price: 2 EUR}\n      - {zone: x, price: 1 EUR}\n", "7:9", "costs less"},
		{rates + "      - {zone: x, price: 2 EUR}\n      - {zone: x, price: 3 EUR}\n", "7:9", "same weight"},
		{rates + "      - {zone: x, price: 2 EUR}\n  b: {currency: USD, zones: [{zone: x}], rates: [{zone: x, price: 2 USD}]}\n", "7:3", "two currencies"},
		{"transit_days: {nowhere: 1}\n", "1:16", "no zone"},
		{"a: &x 1\nb: *x\n", "1:1", "no key a"},
		{strings.Repeat("[", 60), "1:1", "deep"},
		{"\xff", "1:1", "UTF-8"},
	} {
		p, err := ParsePolicy([]byte(c.text))
		e, ok := errors.AsType[*fault.Error](err)
		if p != nil || !ok || e.Kind != fault.Invalid || len(e.Problems) == 0 {
			t.Errorf("%q: %v %v", c.text, p, err)
			continue
		}
		if got := e.Problems[0]; !strings.HasPrefix(got.Pointer, c.at) || !strings.Contains(got.Message, c.says) {
			t.Errorf("%q: %s: %s; want %s %q", c.text, got.Pointer, got.Message, c.at, c.says)
		}
	}
}

func TestAllProblemsAreFoundAtOnce(t *testing.T) {
	_, err := ParsePolicy([]byte("goals: [speed]\nmax_parcels: x\nallow_partial: 1\n"))
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(e.Problems) != 3 {
		t.Errorf("%v", err)
	}
}

func FuzzParsePolicy(f *testing.F) {
	text, err := os.ReadFile("../../examples/shop/routing.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("goals: [parcels, cost]\nrate_cards: {a: {currency: EUR, zones: [{zone: x}], rates: [{zone: x, price: 1 EUR}]}}\n"))
	f.Add([]byte("zones:\n- zone: a\n  up_to_km: 1e3\ntransit_days:\n  a: 1\n"))
	f.Add([]byte("? a\n: b\n--- \n!!binary x\n<<: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || p != nil {
				t.Fatalf("%v %v", p, err)
			}
			return
		}
		// Whatever is accepted can be routed with.
		req := Request{
			Country: "DE", Postal: "10115", HasPoint: true, Lat: 52, Lon: 13, At: time.Unix(1_770_000_000, 0),
			Demand: []Demand{{SKU: "a", Qty: 2, WeightG: 700}, {SKU: "b", Qty: 1, WeightG: 700}},
		}
		for _, id := range []string{"x", "y", "z"} {
			c := Candidate{ATP: map[string]int64{"a": 1, "b": 1}}
			c.ID, c.Lat, c.Lon = id, 50, 10
			req.Candidates = append(req.Candidates, c)
		}
		plan := Route(req, p)
		var units int64
		for _, a := range append(plan.Assign, plan.Missing...) {
			units += a.Qty
		}
		if units != 3 {
			t.Fatalf("%+v", plan)
		}
	})
}
