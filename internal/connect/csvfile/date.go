package csvfile

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones must work on machines and images without a zone database
)

// DateFormat says how points in time are written.
type DateFormat struct {
	layouts []dateLayout
	zone    *time.Location
	reject  bool // a date that two layouts read differently is refused; otherwise the first layout wins
}

type dateLayout struct {
	text  string
	steps []dateStep
}

type dateStep struct {
	kind byte   // one of the dateKinds, or 'L' for a literal
	lit  string // the literal
}

// The parts of a date layout, longest first so that "MMM" is not read as "MM" and "M".
var dateTokens = []struct {
	text string
	kind byte
}{
	{"YYYY", 'Y'},
	{"YY", 'y'},
	{"MMMM", 'b'},
	{"MMM", 'b'},
	{"MM", 'M'},
	{"M", 'm'},
	{"DD", 'D'},
	{"D", 'd'},
	{"HH", 'H'},
	{"H", 'h'},
	{"mm", 'i'},
	{"ss", 's'},
	{"SSS", 'f'},
	{"A", 'A'},
	{"Z", 'Z'},
}

var (
	errNoDate        = errors.New("not a date in any of the formats")
	errAmbiguousDate = errors.New("a date that two formats read differently")
)

// compileLayout reads a layout such as "DD.MM.YYYY HH:mm". Also: "rfc3339",
// "excel" (days since 1899-12-30), "unix", "unix_ms".
func compileLayout(text string) (dateLayout, error) {
	l := dateLayout{text: text}
	switch strings.ToLower(text) {
	case "excel":
		l.steps = []dateStep{{kind: 'X'}}
		return l, nil
	case "unix":
		l.steps = []dateStep{{kind: 'U'}}
		return l, nil
	case "unix_ms":
		l.steps = []dateStep{{kind: 'u'}}
		return l, nil
	case "rfc3339":
		l.steps = []dateStep{{kind: 'R'}}
		return l, nil
	}
	have := map[byte]bool{}
	for rest := text; rest != ""; {
		found := false
		for _, t := range dateTokens {
			if strings.HasPrefix(rest, t.text) {
				l.steps = append(l.steps, dateStep{kind: t.kind})
				have[t.kind] = true
				rest = rest[len(t.text):]
				found = true
				break
			}
		}
		if found {
			continue
		}
		c := rest[0]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			if c != 'T' {
				return l, fmt.Errorf("%q has the unknown part %q; parts are YYYY YY MMM MM M DD D HH H mm ss SSS A Z, or the whole is rfc3339, excel, unix or unix_ms", text, string(c))
			}
		}
		if n := len(l.steps); n > 0 && l.steps[n-1].kind == 'L' {
			l.steps[n-1].lit += string(c)
		} else {
			l.steps = append(l.steps, dateStep{kind: 'L', lit: string(c)})
		}
		rest = rest[1:]
	}
	if !(have['Y'] || have['y']) || !(have['M'] || have['m'] || have['b']) || !(have['D'] || have['d']) {
		return l, fmt.Errorf("%q needs a year, a month and a day", text)
	}
	return l, nil
}

// parse reads s under the layouts in order.
func (f *DateFormat) parse(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	var got time.Time
	n := 0
	for i := range f.layouts {
		t, ok := f.layouts[i].parse(s, f.zone)
		if !ok {
			continue
		}
		if !f.reject {
			return t, nil
		}
		if n > 0 && !t.Equal(got) {
			return time.Time{}, errAmbiguousDate
		}
		if n == 0 {
			got = t
		}
		n++
	}
	if n == 0 {
		return time.Time{}, errNoDate
	}
	return got, nil
}

func (l *dateLayout) parse(s string, zone *time.Location) (time.Time, bool) {
	year, month, day, hour, minute, sec, nsec := 0, 0, 0, 0, 0, 0, 0
	pm, hasPM := false, false
	loc := zone
	for _, st := range l.steps {
		var ok bool
		switch st.kind {
		case 'Y':
			year, s, ok = digits(s, 4, 4)
		case 'y':
			if year, s, ok = digits(s, 2, 2); ok {
				// The pivot that POSIX uses: 69 to 99 are the last century.
				if year < 69 {
					year += 2000
				} else {
					year += 1900
				}
			}
		case 'M', 'D':
			n := 0
			n, s, ok = digits(s, 2, 2)
			if st.kind == 'M' {
				month = n
			} else {
				day = n
			}
		case 'm':
			month, s, ok = digits(s, 1, 2)
		case 'd':
			day, s, ok = digits(s, 1, 2)
		case 'b':
			month, s, ok = monthName(s)
		case 'H':
			hour, s, ok = digits(s, 2, 2)
		case 'h':
			hour, s, ok = digits(s, 1, 2)
		case 'i':
			minute, s, ok = digits(s, 2, 2)
		case 's':
			sec, s, ok = digits(s, 2, 2)
		case 'f':
			n, before := 0, len(s)
			if n, s, ok = digits(s, 1, 9); ok {
				for range 9 - (before - len(s)) {
					n *= 10
				}
				nsec = n
			}
		case 'A':
			ok = len(s) >= 2 && (s[1] == 'M' || s[1] == 'm') && strings.IndexByte("AaPp", s[0]) >= 0
			if ok {
				pm, hasPM = s[0] == 'P' || s[0] == 'p', true
				s = s[2:]
			}
		case 'Z':
			loc, s, ok = offset(s)
		case 'L':
			s, ok = literal(s, st.lit)
		case 'R':
			t, err := time.Parse(time.RFC3339, s)
			return t, err == nil && t.Year() >= 1900 && t.Year() < 2200
		case 'X':
			return excelDate(s, zone)
		case 'U', 'u':
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil || n < 0 || n > 7_000_000_000_000 {
				return time.Time{}, false
			}
			if st.kind == 'u' {
				return time.UnixMilli(n), true
			}
			return time.Unix(n, 0), n < 7_000_000_000
		}
		if !ok {
			return time.Time{}, false
		}
	}
	if s != "" || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 24 || minute > 59 || sec > 59 || year < 1900 || year > 2199 {
		return time.Time{}, false
	}
	if hasPM {
		if hour < 1 || hour > 12 {
			return time.Time{}, false
		}
		if hour %= 12; pm {
			hour += 12
		}
	}
	if hour == 24 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, nsec, loc), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// digits reads lo to hi digits.
func digits(s string, lo, hi int) (int, string, bool) {
	n, i := 0, 0
	for i < len(s) && i < hi && s[i] >= '0' && s[i] <= '9' {
		n = n*10 + int(s[i]-'0')
		i++
	}
	return n, s[i:], i >= lo
}

// literal matches the layout's own characters; one blank stands for any run of blanks.
func literal(s, lit string) (string, bool) {
	for i := range len(lit) {
		if lit[i] == ' ' {
			if s == "" || s[0] != ' ' {
				return s, false
			}
			s = strings.TrimLeft(s, " ")
			continue
		}
		if s == "" || s[0] != lit[i] {
			return s, false
		}
		s = s[1:]
	}
	return s, true
}

func monthName(s string) (int, string, bool) {
	for m := time.January; m <= time.December; m++ {
		for _, name := range [2]string{m.String(), m.String()[:3]} {
			if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
				return int(m), s[len(name):], true
			}
		}
	}
	return 0, s, false
}

// offset reads "Z", "UTC", "+02:00" or "+0200".
func offset(s string) (*time.Location, string, bool) {
	if t, ok := strings.CutPrefix(s, "Z"); ok {
		return time.UTC, t, true
	}
	if t, ok := strings.CutPrefix(s, "UTC"); ok {
		return time.UTC, t, true
	}
	if len(s) < 5 || s[0] != '+' && s[0] != '-' {
		return nil, s, false
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	h, rest, ok := digits(s[1:], 2, 2)
	if !ok {
		return nil, s, false
	}
	rest = strings.TrimPrefix(rest, ":")
	m, rest, ok := digits(rest, 2, 2)
	if !ok || h > 14 || m > 59 {
		return nil, s, false
	}
	if h == 0 && m == 0 {
		return time.UTC, rest, true
	}
	return time.FixedZone("", sign*(h*3600+m*60)), rest, true
}

// excelDate reads a serial number: days since 1899-12-30, the fraction is the
// time of day, rounded to the second. (Serials below 61 are off by Excel's
// 29 February 1900; no order is that old.)
func excelDate(s string, zone *time.Location) (time.Time, bool) {
	d, ok := plainDecimal(s, '.')
	if !ok || d.coef < 0 {
		return time.Time{}, false
	}
	unit := int64(1)
	for range d.scale {
		unit *= 10
	}
	days, frac := d.coef/unit, d.coef%unit
	if days < 61 || days > 109_000 { // up to the year 2198
		return time.Time{}, false
	}
	for unit > 1e12 { // keep frac × 86400 within 64 bits
		unit, frac = unit/10, frac/10
	}
	secs := (frac*86_400 + unit/2) / unit
	return time.Date(1899, time.December, 30+int(days), 0, 0, int(secs), 0, zone), true
}
