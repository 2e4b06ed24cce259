// Package risk holds what judging an order needs besides its own fields: which
// mail domains give throw-away addresses, and the normal form under which two
// mail addresses or two postal addresses count as the same. Everything here is pure.
package risk

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Email returns the form of a mail address under which orders are counted as one
// buyer's: trimmed, lower case, without a +tag before the @. It is a key, not an
// address to write to. "" when s is not a mail address.
//
// Dots are kept: only some providers ignore them, and joining two people is
// worse than missing that one person has two addresses.
func Email(s string) string {
	local, domain, ok := split(s)
	if !ok {
		return ""
	}
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	return local + "@" + domain
}

// Domain returns the part of a mail address after the @ in lower case, or "" when s is not a mail address.
func Domain(s string) string {
	_, domain, _ := split(s)
	return domain
}

// split parts a mail address at its last @. It is lenient: the door has taken
// what the channel sent, and a strange address must still count.
func split(s string) (local, domain string, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || !utf8.ValidString(s) {
		return "", "", false
	}
	local, domain = s[:at], strings.TrimRight(s[at+1:], ".")
	if domain == "" || strings.ContainsFunc(s, unicode.IsSpace) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", "", false
	}
	return local, domain, true
}

// Disposable reports whether mail addresses of a domain, or of a domain above
// it, are thrown away after use. The list holds well-known services only; what a
// shop adds in its settings is for the caller to look at as well.
func Disposable(domain string) bool {
	d := strings.TrimRight(strings.ToLower(strings.TrimSpace(domain)), ".")
	for strings.IndexByte(d, '.') > 0 {
		if _, ok := disposable[d]; ok {
			return true
		}
		_, d, _ = strings.Cut(d, ".")
	}
	return false
}

// Address returns the form of a postal address under which orders are counted
// as going to the same door: country, postal code and first line, in lower case
// and without punctuation or blanks, so that "Main St. 5" and "main st 5" are one.
// "" when there is no first line or no country: then there is no door to compare.
func Address(country, postal, line1 string) string {
	c, p, l := squeeze(country), squeeze(postal), squeeze(line1)
	if c == "" || l == "" {
		return ""
	}
	return c + "|" + p + "|" + l
}

// Same reports whether two address parts are equal but for case, blanks and punctuation.
func Same(a, b string) bool { return a == b || squeeze(a) == squeeze(b) }

// squeeze keeps letters and digits, in lower case.
func squeeze(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// Device returns the form of a device fingerprint under which orders are counted: trimmed, as sent.
func Device(s string) string { return strings.TrimSpace(s) }
