package csvfile

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"orderly.example/orderly/internal/money"
)

// NumberFormat says how numbers are written.
type NumberFormat struct {
	Decimal   byte     // '.' (default) or ','
	Thousands string   // separators that may group digits: ",", ".", " ", "'"; "" = none
	Symbols   []string // currency signs and words that may stand before or after
	raw       bool     // cells of a workbook: numbers come with a decimal point, whatever the text uses
	Round     bool     // an amount with more digits than its currency is rounded half to even and noted; otherwise refused
}

// decimal is coef × 10^-scale, exactly.
type decimal struct {
	coef  int64
	scale int
}

var (
	errNotNumber = errors.New("not a number")
	errTooLarge  = errors.New("a number is too large")
	errGrouping  = errors.New("a number with thousands separators in odd places")
)

// parse reads a number as people write it: "1.234,50", "£1,234.50", "(12.00)", "12-", "5.0".
func (f *NumberFormat) parse(s string) (decimal, error) {
	if d, ok := plainDecimal(s, f.point()); ok {
		return d, nil
	}
	if f.raw {
		if d, ok := plainDecimal(s, '.'); ok {
			return d, nil
		}
	}
	s = strings.TrimSpace(s)
	neg := false
	if len(s) > 2 && s[0] == '(' && s[len(s)-1] == ')' {
		neg, s = true, strings.TrimSpace(s[1:len(s)-1]) // as accountants write it
	}
	// A sign may stand on either side of a symbol, a symbol on either side of the number.
	signs := 0
	for changed := true; changed; {
		changed = false
		for _, sym := range f.Symbols {
			if sym == "" {
				continue
			}
			if t, ok := strings.CutPrefix(s, sym); ok {
				s, changed = strings.TrimSpace(t), true
			} else if t, ok := strings.CutSuffix(s, sym); ok {
				s, changed = strings.TrimSpace(t), true
			}
		}
		for _, sign := range [...]string{"-", "+", "\u2212"} {
			if t, ok := strings.CutPrefix(s, sign); ok {
				s, changed = strings.TrimSpace(t), true
			} else if t, ok := strings.CutSuffix(s, sign); ok {
				s, changed = strings.TrimSpace(t), true
			} else {
				continue
			}
			signs++
			if sign != "+" {
				neg = !neg
			}
		}
	}
	if signs > 1 {
		return decimal{}, errNotNumber
	}
	point := f.point()
	whole, frac, hasPoint := strings.Cut(s, string(point))
	if hasPoint && frac == "" || whole == "" && frac == "" {
		return decimal{}, errNotNumber
	}
	whole, err := f.ungroup(whole)
	if err != nil {
		return decimal{}, err
	}
	digits := whole
	if frac != "" {
		digits += "." + frac
	}
	d, ok := plainDecimal(digits, '.')
	if !ok {
		if digitsOnly(whole) && digitsOnly(frac) {
			return decimal{}, errTooLarge
		}
		return decimal{}, errNotNumber
	}
	if neg {
		d.coef = -d.coef
	}
	return d, nil
}

func (f *NumberFormat) point() byte {
	if f.Decimal == 0 {
		return '.'
	}
	return f.Decimal
}

// ungroup removes thousands separators, and insists that they group: three
// digits last, two or three before (1,23,456 is how India writes it). So a
// decimal comma read under the wrong format is refused, not multiplied by a hundred.
func (f *NumberFormat) ungroup(whole string) (string, error) {
	if f.Thousands == "" || digitsOnly(whole) {
		return whole, nil
	}
	isSep := func(r rune) bool {
		return strings.ContainsRune(f.Thousands, r) ||
			strings.Contains(f.Thousands, " ") && (r == '\u00a0' || r == '\u202f' || r == '\u2009') ||
			strings.Contains(f.Thousands, "'") && r == '\u2019'
	}
	var b strings.Builder
	run, groups := 0, 0
	first := true
	for i, r := range whole {
		if !isSep(r) {
			b.WriteRune(r)
			run++
			continue
		}
		if run == 0 || run > 3 || !first && run < 2 || i+utf8.RuneLen(r) >= len(whole) {
			return "", errGrouping
		}
		run, first = 0, false
		groups++
	}
	if groups > 0 && run != 3 {
		return "", errGrouping
	}
	return b.String(), nil
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// plainDecimal reads [-]digits[point digits] of at most 18 digits; anything else is not ok.
func plainDecimal(s string, point byte) (decimal, bool) {
	var d decimal
	i := 0
	neg := i < len(s) && s[i] == '-'
	if neg {
		i++
	}
	digits, seen := 0, false
	for ; i < len(s); i++ {
		c := s[i]
		if c == point && !seen && i+1 < len(s) {
			seen = true
			continue
		}
		if c < '0' || c > '9' || digits >= 18 {
			return decimal{}, false
		}
		if d.coef != 0 || c != '0' {
			digits++
		}
		d.coef = d.coef*10 + int64(c-'0')
		if seen {
			d.scale++
		}
	}
	if len(s) == 0 || i == 1 && neg || d.scale > 18 {
		return decimal{}, false
	}
	if s[len(s)-1] == point || neg && s[1] == point && len(s) == 2 {
		return decimal{}, false
	}
	if neg {
		d.coef = -d.coef
	}
	return d, true
}

// integer returns the number when it is whole: spreadsheets write 5 as "5.0".
func (d decimal) integer() (int64, bool) {
	c := d.coef
	for range d.scale {
		if c%10 != 0 {
			return 0, false
		}
		c /= 10
	}
	return c, true
}

// amount returns the number in minor units of a currency, and what rounding
// half to even left over, as a fraction of a minor unit (nil: nothing).
func (d decimal) amount(cur string) (money.Amount, *big.Rat, error) {
	digits, ok := money.Digits(cur)
	if !ok {
		return money.Amount{}, nil, errNotNumber
	}
	c := d.coef
	if d.scale <= digits {
		for range digits - d.scale {
			if c > math.MaxInt64/10 || c < math.MinInt64/10 {
				return money.Amount{}, nil, errTooLarge
			}
			c *= 10
		}
		return money.New(c, cur), nil, nil
	}
	div := int64(1)
	for range d.scale - digits {
		div *= 10
	}
	q, r := c/div, c%div
	if r == 0 {
		return money.New(q, cur), nil, nil
	}
	abs := r
	if abs < 0 {
		abs = -abs
	}
	if abs > div-abs || abs == div-abs && q%2 != 0 {
		if r < 0 {
			q--
		} else {
			q++
		}
	}
	rest := new(big.Rat).SetFrac64(c, div)
	return money.New(q, cur), rest.Sub(rest, new(big.Rat).SetInt64(q)), nil
}

// add returns d+e, or false on overflow.
func (d decimal) add(e decimal) (decimal, bool) {
	for d.scale < e.scale {
		if d.coef > math.MaxInt64/10 || d.coef < math.MinInt64/10 {
			return decimal{}, false
		}
		d.coef, d.scale = d.coef*10, d.scale+1
	}
	for e.scale < d.scale {
		if e.coef > math.MaxInt64/10 || e.coef < math.MinInt64/10 {
			return decimal{}, false
		}
		e.coef, e.scale = e.coef*10, e.scale+1
	}
	s := d.coef + e.coef
	if (s > d.coef) != (e.coef > 0) && e.coef != 0 {
		return decimal{}, false
	}
	return decimal{s, d.scale}, true
}

// text writes the number in the format, so that it reads back the same.
func (d decimal) text(f *NumberFormat) string {
	neg := d.coef < 0
	u := uint64(d.coef)
	if neg {
		u = -u
	}
	b := []byte(nil)
	for i := 0; u > 0 || i <= d.scale; i++ {
		if i == d.scale && d.scale > 0 {
			b = append(b, f.point())
		}
		b = append(b, byte('0'+u%10))
		u /= 10
	}
	if neg {
		b = append(b, '-')
	}
	slices.Reverse(b)
	return string(b)
}
