package engine

import (
	"errors"
	"fmt"
	"net/mail"
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
	Alert      string `yaml:"alert"`

	FourEyesAbove    string `yaml:"four_eyes_above"`
	FourEyesActivate bool   `yaml:"four_eyes_activation"`
}

const settingsKeys = "shop, time_zone, currency, fulfil_on, review_sla, ops_owner, fulfilment, mail, alert, four_eyes_above, four_eyes_activation"

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
			bad("currency", "is not an ISO 4217 code like EUR")
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
	s.Fulfilment, s.Mail, s.Alert = f.Fulfilment, f.Mail, f.Alert
	return s, fault.Problems("engine.ParseSettings", ps)
}
