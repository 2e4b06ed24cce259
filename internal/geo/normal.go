package geo

import "strings"

// digitsOf is the number of digits of the postal codes of countries whose codes are
// digits only and of one length: spreadsheets drop their leading zeros, and
// some people write a country letter before them.
var digitsOf = map[string]int{
	"AT": 4, "AU": 4, "BE": 4, "CH": 4, "DK": 4, "HU": 4, "LU": 4, "NO": 4, "NZ": 4, "ZA": 4,
	"CZ": 5, "DE": 5, "EE": 5, "ES": 5, "FI": 5, "FR": 5, "GR": 5, "HR": 5, "ID": 5, "IT": 5, "KR": 5, "MX": 5, "MY": 5,
	"PL": 5, "SE": 5, "SK": 5, "TH": 5, "TR": 5, "UA": 5,
	"CN": 6, "IN": 6, "RO": 6, "RU": 6, "SG": 6,
	"JP": 7,
}

// NormalizePostal returns a postal code as the tables and the zones of a routing policy
// write it: capitals, without spaces, hyphens and other signs, leading zeros
// restored. Brazilian codes are cut to their 5-digit prefix and those of the
// USA to their ZIP: the rest names a street or a building. An empty result is no code.
func NormalizePostal(country, code string) string {
	digits, numeric := digitsOf[country]
	switch country {
	case "BR", "US":
		return cutToFive(country, onlyDigits(code))
	}
	if !numeric {
		return lettersAndDigits(code)
	}
	if clean(code, digits) { // the usual case makes no garbage
		return code
	}
	return padded(onlyDigits(code), digits)
}

// clean reports whether the code is exactly n digits.
func clean(code string, n int) bool {
	if len(code) != n {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

func padded(s string, n int) string {
	if s == "" || len(s) >= n {
		return s
	}
	return strings.Repeat("0", n-len(s)) + s
}

// cutToFive keeps the first five digits. A code that lost its leading zero is
// one digit shorter than either the full or the short form: 8 and 5 digits in
// Brazil, 9 and 5 in the USA. Prefixes may have lost two zeros.
func cutToFive(country, s string) string {
	full := 9
	if country == "BR" {
		full = 8
	}
	if len(s) == full-1 && len(s) > 5 {
		s = "0" + s
	}
	if len(s) > 5 {
		return s[:5]
	}
	return padded(s, 5)
}

// onlyDigits drops everything but digits, and the ".0" that a spreadsheet adds to a number.
func onlyDigits(s string) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".0")
	return keep(s, func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case r >= '０' && r <= '９': // as Japanese keyboards write them
			return r - '０' + '0'
		}
		return -1
	})
}

func lettersAndDigits(s string) string {
	return keep(s, func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return -1
	})
}

// maxPostal is more than any postal code has; the rest is somebody's mistake.
const maxPostal = 16

func keep(s string, f func(rune) rune) string {
	s = strings.Map(f, s)
	return s[:min(len(s), maxPostal)]
}

// outward is the first half of a full British code, "SW1A" of "SW1A1AA". Cutting
// letter by letter would be wrong: "M11AA" is in M1, not in M11.
func outward(code string) string {
	if n := len(code); n >= 5 && isDigit(code[n-3]) && !isDigit(code[n-2]) && !isDigit(code[n-1]) {
		return code[:n-3]
	}
	return code
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
