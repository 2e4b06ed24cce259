package engine

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"time"

	"github.com/goccy/go-yaml"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// shopFile is shop.yaml: what the shop has settled for all its orders.
type shopFile struct {
	Shop       string `yaml:"shop"`
	TimeZone   string `yaml:"time_zone"`
	Currency   string `yaml:"currency"`
	FulfilOn   string `yaml:"fulfil_on"`
	ReviewSLA  string `yaml:"review_sla"`
	OpsOwner   string `yaml:"ops_owner"`
	Fulfilment string `yaml:"fulfilment"`
	Mail       string `yaml:"mail"`
	Alert      any    `yaml:"alert"` // a connection, or a list of them
	Escalate   struct {
		After string   `yaml:"after"`
		To    []string `yaml:"to"`
	} `yaml:"escalate"`
	Heartbeat string   `yaml:"heartbeat"`
	Closed    []string `yaml:"closed"`

	FourEyesAbove    string `yaml:"four_eyes_above"`
	FourEyesActivate bool   `yaml:"four_eyes_activation"`
}

const settingsKeys = "shop, time_zone, currency, fulfil_on, review_sla, ops_owner, fulfilment, mail, alert, escalate, heartbeat, closed, four_eyes_above, four_eyes_activation"

// DefaultSettings are those of a shop that has settled nothing: nothing leaves it.
func DefaultSettings() decide.Settings {
	return decide.Settings{Name: "Orderly", TimeZone: time.UTC, Currency: "EUR", FulfilOn: event.PaymentAuthorized, ReviewSLA: 4 * time.Hour}
}

// ParseSettings reads shop.yaml. Problems carry file:line:column.
func ParseSettings(name string, text []byte) (decide.Settings, error) {
	s := DefaultSettings()
	var f shopFile
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		at, message := name, err.Error()
		if ye, ok := errors.AsType[yaml.Error](err); ok {
			message = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				at = fmt.Sprintf("%s:%d:%d", name, t.Position.Line, t.Position.Column)
			}
		}
		return s, fault.Problems("engine.ParseSettings", []fault.Problem{{Pointer: at, Message: message + "; known keys: " + settingsKeys}})
	}
	var ps []fault.Problem
	bad := func(key, message string) {
		ps = append(ps, fault.Problem{Pointer: name + ": " + key, Message: message})
	}
	if f.Shop != "" {
		s.Name = f.Shop
	}
	if f.TimeZone != "" {
		z, err := time.LoadLocation(f.TimeZone)
		if err != nil {
			bad("time_zone", "is not an IANA time zone like Europe/Berlin")
		} else {
			s.TimeZone = z
		}
	}
	if f.Currency != "" {
		if _, ok := money.Digits(f.Currency); !ok {
			bad("currency", "is not a currency; write its three capital letters, like EUR")
		}
		s.Currency = f.Currency
	}
	switch f.FulfilOn {
	case "":
	case event.PaymentAuthorized, event.PaymentPaid:
		s.FulfilOn = f.FulfilOn
	default:
		bad("fulfil_on", "is authorized or paid")
	}
	if f.ReviewSLA != "" {
		d, err := time.ParseDuration(f.ReviewSLA)
		if err != nil || d <= 0 {
			bad("review_sla", "is a duration like 4h")
		}
		s.ReviewSLA = d
	}
	if f.OpsOwner != "" {
		if a, err := mail.ParseAddress(f.OpsOwner); err != nil || a.Address != f.OpsOwner {
			bad("ops_owner", "is not a mail address")
		}
		s.OpsOwner = f.OpsOwner
	}
	if f.FourEyesAbove != "" {
		a, err := money.ParseText(f.FourEyesAbove)
		if err != nil || a.Minor <= 0 {
			bad("four_eyes_above", "is an amount like \"200 EUR\"")
		}
		s.SecondAbove = a
	}
	s.SecondActivates = f.FourEyesActivate
	s.Fulfilment, s.Mail, s.Heartbeat = f.Fulfilment, f.Mail, f.Heartbeat
	alertSettings(&s, &f, bad)
	return s, fault.Problems("engine.ParseSettings", ps)
}

// maxTold bounds the lists of those who are told.
const maxTold = 10

// alertSettings are the keys that say who learns of an incident, and when nothing is expected.
func alertSettings(s *decide.Settings, f *shopFile, bad func(key, message string)) {
	switch v := f.Alert.(type) {
	case nil:
	case string:
		if v != "" {
			s.Alerts = []string{v}
		}
	case []any:
		for _, x := range v {
			name, ok := x.(string)
			if !ok || name == "" || slices.Contains(s.Alerts, name) {
				bad("alert", "is a connection, or a list of different connections")
				break
			}
			s.Alerts = append(s.Alerts, name)
		}
	default:
		bad("alert", "is a connection, or a list of different connections")
	}
	if len(s.Alerts) > maxTold {
		bad("alert", "has at most 10 connections")
	}
	for _, to := range f.Escalate.To {
		if a, err := mail.ParseAddress(to); err != nil || a.Address != to {
			bad("escalate.to", "has something that is not a mail address")
		}
	}
	s.Escalate = f.Escalate.To
	if len(s.Escalate) > maxTold {
		bad("escalate.to", "has at most 10 people")
	}
	if len(s.Escalate) > 0 {
		s.EscalateAfter = 30 * time.Minute
	}
	if f.Escalate.After != "" {
		d, err := time.ParseDuration(f.Escalate.After)
		if err != nil || d < time.Minute || d > 7*24*time.Hour {
			bad("escalate.after", "is a duration like 30m, from 1m to 168h")
		}
		s.EscalateAfter = d
		if len(s.Escalate) == 0 {
			bad("escalate.to", "names nobody to pass an incident on to")
		}
	}
	for _, day := range f.Closed {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			bad("closed", "has "+strconv.Quote(day)+", which is not a date like 2026-12-25")
			continue
		}
		if s.Closed == nil {
			s.Closed = map[string]bool{}
		}
		s.Closed[day] = true
	}
}
