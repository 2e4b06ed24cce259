package money

import (
	"fmt"
	"regexp"
	"strings"
)

// thousands is a number whose points may be meant as decimal point or between thousands.
var thousands = regexp.MustCompile(`^[-+]?[0-9]{1,3}(\.[0-9]{3})+$`)

// ParseTyped reads an amount as a person types it: "2499.50 EUR". What can be read in two ways, like
// 1.500, is an error that says both.
func ParseTyped(s string) (Amount, error) {
	s = strings.TrimSpace(s)
	cut := strings.LastIndexByte(s, ' ')
	if cut < 0 || strings.TrimLeft(s[cut+1:], "0123456789.,'") == "" {
		return Amount{}, fmt.Errorf("%q has no currency; write it like \"12.34 EUR\"", s)
	}
	dec, cur := strings.TrimSpace(s[:cut]), strings.ToUpper(s[cut+1:])
	a, err := Parse(dec, cur)
	if digits, ok := Digits(cur); ok && digits < 3 && thousands.MatchString(dec) {
		whole := strings.ReplaceAll(dec, ".", "")
		if err != nil {
			return Amount{}, fmt.Errorf("%q is not a decimal number; write it like %s", dec, whole)
		}
		return Amount{}, fmt.Errorf("%q can be read in two ways; write %s or %s", dec, whole, a.Decimal())
	}
	return a, err
}

// meant is how a number that cannot be read would be written, or how numbers are written.
func meant(decimal string, digits int) string {
	s := strings.NewReplacer(" ", "", "'", "", "’", "", "\u00a0", "", "\u202f", "").Replace(decimal)
	last := strings.LastIndexAny(s, ".,")
	if last >= 0 {
		whole, frac := strings.NewReplacer(".", "", ",", "").Replace(s[:last]), s[last+1:]
		if s = whole + "." + frac; len(frac) == 3 && digits != 3 { // between thousands
			s = whole + frac
		} else if frac == "" {
			s = whole
		}
	}
	if whole, frac, _ := strings.Cut(s, "."); !onlyDigits(whole) || !onlyDigits(frac) || s == "" {
		return "12.34"
	}
	return s
}

// currencyMeant says how a currency would be written.
func currencyMeant(cur string) string {
	code := strings.ToUpper(strings.TrimSpace(cur))
	if c, ok := spoken[code]; ok {
		code = c
	}
	if _, ok := Digits(code); ok {
		return "did you mean " + code + "?"
	}
	return "write its three capital letters, like EUR"
}

// spoken are currencies as people write them who do not know the code.
var spoken = map[string]string{
	"EURO": "EUR", "EUROS": "EUR", "€": "EUR", "DOLLAR": "USD", "DOLLARS": "USD", "$": "USD", "US$": "USD", "POUND": "GBP", "POUNDS": "GBP", "£": "GBP",
	"FRANKEN": "CHF", "FRANCS": "CHF", "SFR": "CHF", "FR.": "CHF", "YEN": "JPY", "¥": "JPY", "ZLOTY": "PLN", "ZŁ": "PLN",
}
