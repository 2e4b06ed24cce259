package event

import (
	"fmt"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// Limits on one payload; beyond them the sender is told, never the database.
const (
	MaxLines  = 2_000 // wholesale invoices with more than a thousand lines exist
	MaxQty    = 1_000_000
	MaxString = 2_000
	MaxID     = 200
)

// checker collects problems. Their pointers are put together only when there
// is one: valid events are checked thousands of times a second.
type checker struct {
	ps      []fault.Problem
	section string // the part of the payload being checked, "" = the whole
	index   int    // the element of it, from 1; 0 = it is no list
}

// in sets the part that the pointers of what follows begin with.
func (c *checker) in(section string, index int) { c.section, c.index = section, index }

func (c *checker) add(pointer, format string, args ...any) {
	if len(c.ps) >= 50 {
		return
	}
	if c.index > 0 {
		pointer = "/" + strconv.Itoa(c.index-1) + pointer
	}
	c.ps = append(c.ps, fault.Problem{Pointer: c.section + pointer, Message: fmt.Sprintf(format, args...)})
}

// pointerKey is the sender's own name of an entry as a part of a pointer (RFC 6901), shortened.
func pointerKey(k string) string {
	if len(k) > MaxID {
		k = strings.ToValidUTF8(k[:MaxID], "") + "…"
	}
	return strings.ReplaceAll(strings.ReplaceAll(k, "~", "~0"), "/", "~1")
}

// id checks a required identifier: printable, of bounded length.
func (c *checker) id(pointer, s string) {
	switch {
	case strings.TrimSpace(s) == "":
		c.add(pointer, "is required")
	case len(s) > MaxID:
		c.add(pointer, "is longer than %d bytes", MaxID)
	default:
		c.text(pointer, s)
		if i := strings.IndexFunc(s, turns); i >= 0 {
			c.add(pointer, "contains the invisible mark %U, which changes the direction of what is read", []rune(s[i:])[0])
		}
	}
}

// turns reports whether a rune changes the direction of the text around it. In a name it
// may be honest writing; in an identifier it makes one order look like another.
func turns(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}

// text checks an optional text: bounded, no control characters (they would
// break logs, mails and CSV files further on). Line breaks are allowed.
func (c *checker) text(pointer, s string) {
	if len(s) > MaxString {
		c.add(pointer, "is longer than %d bytes", MaxString)
		return
	}
	if i := control(s); i >= 0 {
		c.add(pointer, "contains the control character %#02x", s[i])
	}
}

// needed checks a text that must be there.
func (c *checker) needed(pointer, s string) {
	if strings.TrimSpace(s) == "" {
		c.add(pointer, "is required")
	}
	c.text(pointer, s)
}

// isText reports whether text has nothing to say about s.
func isText(s string) bool { return len(s) <= MaxString && control(s) < 0 }

// control returns the place of the first control character, or -1.
func control(s string) int {
	for i := range len(s) {
		if b := s[i]; b < 0x20 && b != '\n' && b != '\r' && b != '\t' || b == 0x7f {
			return i
		}
	}
	return -1
}

func (c *checker) tags(section string, tags []string) {
	if len(tags) > 50 {
		c.add(section, "has more than 50 tags")
	}
	for i, t := range tags {
		c.in(section, i+1)
		c.text("", t)
	}
	c.in("", 0)
}

func (c *checker) qty(pointer string, n int64) {
	if n <= 0 || n > MaxQty {
		c.add(pointer, "must be between 1 and %d, got %d", MaxQty, n)
	}
}

// maxMinor bounds one amount so that sums over an order cannot overflow.
const maxMinor = 1 << 50

func (c *checker) amount(pointer string, a money.Amount, currency string, required bool) {
	if a == (money.Amount{}) {
		if required {
			c.add(pointer, `is required, like "12.34 EUR"`)
		}
		return
	}
	if a.Currency != currency && currency != "" { // an order without one is told so by itself
		c.add(pointer, "is in %s but the order is in %s", a.Currency, currency)
	}
	if a.Minor < 0 {
		c.add(pointer, "must not be negative")
	}
	if a.Minor > maxMinor {
		c.add(pointer, "is too large")
	}
}

func (c *checker) address(section string, a Address) {
	c.in(section, 0)
	c.text("/name", a.Name)
	c.text("/line1", a.Line1)
	c.text("/line2", a.Line2)
	c.text("/city", a.City)
	c.text("/region", a.Region)
	c.text("/postal", a.Postal)
	if a.Country != "" && !isCountry(a.Country) {
		c.add("/country", "must be an ISO 3166-1 alpha-2 code in capitals like DE, got %q", a.Country)
	}
	c.in("", 0)
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}
