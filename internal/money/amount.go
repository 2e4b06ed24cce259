// Package money holds amounts in minor units of one currency. There are no
// floats: parsing, arithmetic and allocation are exact, and an operation on two
// currencies is an error, never a guess.
package money

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/text/currency"
)

// Amount is a sum of money: Minor units (cents for EUR, yen for JPY) of an ISO
// 4217 Currency in upper case. The zero value is "nothing, no currency" and
// adds to any amount. Its text form, used in JSON, YAML and the API, is
// "12.34 EUR".
type Amount struct {
	Minor    int64
	Currency string
}

// New returns minor units of a currency that is known to be valid.
func New(minor int64, cur string) Amount { return Amount{Minor: minor, Currency: cur} }

// digitsOf caches the common currencies; x/text knows the rest.
var digitsOf = map[string]int{
	"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "BRL": 2, "INR": 2, "CAD": 2, "AUD": 2, "SEK": 2,
	"NOK": 2, "DKK": 2, "PLN": 2, "CZK": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3,
}

// Digits returns the number of decimal digits of a currency (ISO 4217), or
// false when the code is not a currency.
func Digits(cur string) (int, bool) {
	if d, ok := digitsOf[cur]; ok {
		return d, true
	}
	if len(cur) != 3 {
		return 0, false
	}
	for i := range 3 {
		if cur[i] < 'A' || cur[i] > 'Z' {
			return 0, false
		}
	}
	u, err := currency.ParseISO(cur)
	if err != nil {
		return 0, false
	}
	scale, _ := currency.Standard.Rounding(u)
	return scale, true
}

// Parse reads a decimal ("12.3", "-0.05") as an amount of cur. More digits
// than the currency has are an error unless they are zeros.
func Parse(decimal, cur string) (Amount, error) {
	digits, ok := Digits(cur)
	if !ok {
		return Amount{}, fmt.Errorf("%q is not a currency; %s", cur, currencyMeant(cur))
	}
	s := decimal
	neg := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	whole, frac, hasPoint := strings.Cut(s, ".")
	if whole == "" && frac == "" || hasPoint && frac == "" || !onlyDigits(whole) || !onlyDigits(frac) {
		return Amount{}, fmt.Errorf("%q is not a decimal number; write it like %s", decimal, meant(decimal, digits))
	}
	for len(frac) > digits && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	if len(frac) > digits {
		return Amount{}, fmt.Errorf("%q has more than the %d decimal digits of %s", decimal, digits, cur)
	}
	var n uint64
	for _, part := range [2]string{whole, frac} {
		for i := range len(part) {
			hi, lo := bits.Mul64(n, 10)
			if hi != 0 || lo > math.MaxInt64-9 {
				return Amount{}, fmt.Errorf("%q is too large for an amount", decimal)
			}
			n = lo + uint64(part[i]-'0')
		}
	}
	for range digits - len(frac) {
		hi, lo := bits.Mul64(n, 10)
		if hi != 0 || lo > math.MaxInt64 {
			return Amount{}, fmt.Errorf("%q is too large for an amount", decimal)
		}
		n = lo
	}
	m := int64(n)
	if neg {
		m = -m
	}
	return Amount{Minor: m, Currency: cur}, nil
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// ParseText reads the text form "12.34 EUR".
func ParseText(s string) (Amount, error) {
	dec, cur, ok := strings.Cut(s, " ")
	if !ok {
		return Amount{}, fmt.Errorf("%q is not an amount; write it like \"12.34 EUR\"", s)
	}
	return Parse(dec, cur)
}

// Decimal returns the number without the currency: "12.34".
func (a Amount) Decimal() string { return string(a.appendDecimal(nil)) }

func (a Amount) appendDecimal(b []byte) []byte {
	digits, _ := Digits(a.Currency)
	u := uint64(a.Minor)
	if a.Minor < 0 {
		b = append(b, '-')
		u = -u
	}
	start := len(b)
	b = strconv.AppendUint(b, u, 10)
	if digits == 0 {
		return b
	}
	for len(b)-start <= digits {
		b = append(b, 0)
		copy(b[start+1:], b[start:])
		b[start] = '0'
	}
	b = append(b, 0)
	p := len(b) - 1 - digits
	copy(b[p+1:], b[p:])
	b[p] = '.'
	return b
}

// String returns the text form "12.34 EUR"; the zero value is "".
func (a Amount) String() string {
	if a.Currency == "" {
		return ""
	}
	return string(append(append(a.appendDecimal(make([]byte, 0, 24)), ' '), a.Currency...))
}

// Grouped is the amount for people: its digits in groups of three, and the currency.
func (a Amount) Grouped() string {
	d := a.Decimal()
	sign := ""
	if d[0] == '-' {
		sign, d = "−", d[1:]
	}
	whole, frac, _ := strings.Cut(d, ".")
	if frac != "" {
		frac = "." + frac
	}
	return strings.TrimSpace(sign + Group(whole) + frac + " " + a.Currency)
}

// Plain is Grouped without decimals that say nothing: "3 250 EUR".
func (a Amount) Plain() string {
	digits, _ := Digits(a.Currency)
	if zeros := "." + strings.Repeat("0", digits) + " "; digits > 0 {
		return strings.Replace(a.Grouped(), zeros, " ", 1)
	}
	return a.Grouped()
}

// Group writes digits in groups of three, with a narrow space that does not break.
func Group(digits string) string {
	if len(digits) <= 3 {
		return digits
	}
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteRune('\u202f')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// MarshalText implements encoding.TextMarshaler with the text form.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; "" is the zero value.
func (a *Amount) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*a = Amount{}
		return nil
	}
	v, err := ParseText(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// Nothing reports whether there is no money in it, in whatever currency. It is not called IsZero: an
// amount of nothing in a currency is not the zero value, and encoders that leave zero values out must keep it.
func (a Amount) Nothing() bool { return a.Minor == 0 }

// Add returns a+b. It panics when the currencies differ or the sum overflows:
// inputs are validated at the door, so either is a bug that must not be rounded away.
func (a Amount) Add(b Amount) Amount {
	c := sameCurrency(a, b)
	s := a.Minor + b.Minor
	if (s > a.Minor) != (b.Minor > 0) && b.Minor != 0 {
		panic("money: overflow")
	}
	return Amount{Minor: s, Currency: c}
}

// Sub returns a-b under the rules of Add.
func (a Amount) Sub(b Amount) Amount { return a.Add(Amount{Minor: -b.Minor, Currency: b.Currency}) }

// Mul returns a×n; it panics on overflow.
func (a Amount) Mul(n int64) Amount {
	if a.Minor != 0 && n != 0 {
		p := a.Minor * n
		if p/n != a.Minor || (a.Minor == -1 && n == math.MinInt64) || (n == -1 && a.Minor == math.MinInt64) {
			panic("money: overflow")
		}
	}
	return Amount{Minor: a.Minor * n, Currency: a.Currency}
}

// Compare returns -1, 0 or 1, and false when the currencies differ.
func (a Amount) Compare(b Amount) (int, bool) {
	if a.Currency != b.Currency && a.Currency != "" && b.Currency != "" {
		return 0, false
	}
	switch {
	case a.Minor < b.Minor:
		return -1, true
	case a.Minor > b.Minor:
		return 1, true
	}
	return 0, true
}

func sameCurrency(a, b Amount) string {
	switch {
	case a.Currency == b.Currency || b.Currency == "":
		return a.Currency
	case a.Currency == "":
		return b.Currency
	}
	panic("money: " + a.Currency + " and " + b.Currency + " do not add")
}

// Allocate splits a in proportion to weights without losing a minor unit: the
// shares sum to a exactly (largest remainders first, then position). Weights
// must not be negative; with no positive weight everything goes to the first.
func (a Amount) Allocate(weights []int64) []Amount {
	out := make([]Amount, len(weights))
	var total uint64
	for i, w := range weights {
		out[i].Currency = a.Currency
		if w < 0 {
			panic("money: negative weight")
		}
		total += uint64(w)
	}
	if len(weights) == 0 {
		return out
	}
	if total == 0 {
		out[0].Minor = a.Minor
		return out
	}
	sign, u := int64(1), uint64(a.Minor)
	if a.Minor < 0 {
		sign, u = -1, -u
	}
	rest := u
	rems := make([]uint64, len(weights))
	for i, w := range weights {
		hi, lo := bits.Mul64(u, uint64(w))
		q, r := bits.Div64(hi, lo, total)
		out[i].Minor = sign * int64(q)
		rems[i] = r
		rest -= q
	}
	for ; rest > 0; rest-- {
		best := -1
		for i, r := range rems {
			if weights[i] > 0 && (best < 0 || r > rems[best]) {
				best = i
			}
		}
		out[best].Minor += sign
		rems[best] = 0
	}
	return out
}
