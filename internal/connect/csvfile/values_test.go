package csvfile

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
)

func TestNumbersAsPeopleWriteThem(t *testing.T) {
	english := NumberFormat{Decimal: '.', Thousands: ",", Symbols: []string{"£", "$", "USD", "Rs."}}
	german := NumberFormat{Decimal: ',', Thousands: ". '", Symbols: []string{"€", "EUR"}}
	book := NumberFormat{Decimal: ',', Thousands: ".", raw: true}
	for _, c := range []struct {
		f    *NumberFormat
		in   string
		want string // "" = refused
	}{
		{&english, "12.34", "12.34"},
		{&english, "1,234.50", "1234.50"},
		{&english, "£1,234.50", "1234.50"},
		{&english, "-£5", "-5"},
		{&english, "£-5", "-5"},
		{&english, "5-", "-5"},
		{&english, "(12.00)", "-12.00"},
		{&english, "($12.00)", "-12.00"},
		{&english, "12 USD", "12"},
		{&english, "+3", "3"},
		{&english, ".5", "0.5"},
		{&english, "5.0", "5.0"},
		{&english, "1,23,456.00", "123456.00"},
		{&english, "\u22125", "-5"},
		{&english, "1,23", ""},
		{&english, "1,2345", ""},
		{&english, ",123", ""},
		{&english, "1,,234", ""},
		{&english, "12,34.5", ""},
		{&english, "--5", ""},
		{&english, "-5-", ""},
		{&english, "1.2.3", ""},
		{&english, "5.", ""},
		{&english, "", ""},
		{&english, "£", ""},
		{&english, "abc", ""},
		{&english, "1e3", ""},
		{&english, "0x10", ""},
		{&english, "NaN", ""},
		{&english, "12345678901234567890", ""},
		{&english, "٣", ""},
		{&english, "()", ""},
		{&german, "1.234,50 €", "1234.50"},
		{&german, "EUR 9,99", "9.99"},
		{&german, "1'234,5", "1234.5"},
		{&german, "1\u00a0234,5", "1234.5"},
		{&german, "0,5", "0.5"},
		{&german, "12.34", ""},
		{&german, "1.5", ""},
		{&book, "2.55", "2.55"},
		{&book, "2,55", "2.55"},
		{&book, "1.234,50", "1234.50"},
	} {
		d, err := c.f.parse(c.in)
		got := ""
		if err == nil {
			got = d.text(&NumberFormat{})
		}
		if got != c.want {
			t.Errorf("%q: got %q (%v), want %q", c.in, got, err, c.want)
		}
	}
}

func TestAmountsRoundHalfToEvenAndTellTheRest(t *testing.T) {
	for _, c := range []struct {
		in, cur string
		minor   int64
		rest    string
	}{
		{"1.005", "GBP", 100, "1/2"},
		{"1.015", "GBP", 102, "-1/2"},
		{"0.001", "GBP", 0, "1/10"},
		{"-1.005", "GBP", -100, "-1/2"},
		{"1.500", "GBP", 150, ""},
		{"3", "JPY", 3, ""},
		{"2.5", "JPY", 2, "1/2"},
		{"1.2345", "KWD", 1234, "1/2"},
	} {
		d, ok := plainDecimal(c.in, '.')
		if !ok {
			t.Fatal(c.in)
		}
		a, rest, err := d.amount(c.cur)
		got := ""
		if rest != nil {
			got = rest.String()
		}
		if err != nil || a != money.New(c.minor, c.cur) || got != c.rest {
			t.Errorf("%s %s: %v + %s, %v", c.in, c.cur, a.Minor, got, err)
		}
	}
	if _, _, err := (decimal{1 << 62, 0}).amount("EUR"); err == nil {
		t.Error("an overflow is not seen")
	}
}

func TestNumberTextRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decimal{rapid.Int64Range(-999_999_999_999, 999_999_999_999).Draw(t, "coef"), rapid.IntRange(0, 6).Draw(t, "scale")}
		f := NumberFormat{Decimal: rapid.SampledFrom([]byte{'.', ','}).Draw(t, "point")}
		got, err := f.parse(d.text(&f))
		if err != nil || got != d {
			t.Fatalf("%v → %q → %v, %v", d, d.text(&f), got, err)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1", "-1.5", "1,234.50", "£5", "(3)", "5-", "１", "1.2.3", "-"} {
		f.Add(s)
	}
	nf := NumberFormat{Decimal: '.', Thousands: ", '", Symbols: []string{"£", "EUR"}}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := nf.parse(s)
		if err != nil {
			return
		}
		// Whatever was accepted is the number that its digits say.
		var digits strings.Builder
		for _, r := range s {
			if r >= '0' && r <= '9' || r == '.' {
				digits.WriteRune(r)
			}
		}
		want, ok := new(big.Rat).SetString(digits.String())
		if !ok {
			t.Fatalf("%q was read as %v", s, d)
		}
		got, _ := new(big.Rat).SetString(d.text(&NumberFormat{}))
		if got.Abs(got).Cmp(want) != 0 {
			t.Fatalf("%q was read as %s", s, d.text(&NumberFormat{}))
		}
	})
}

func TestDates(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ layout, in, want string }{
		{"YYYY-MM-DD HH:mm:ss", "2011-06-30 20:08:00", "2011-06-30T20:08:00+01:00"},
		{"YYYY-MM-DD HH:mm:ss", "2010-12-01 08:26:00", "2010-12-01T08:26:00Z"},
		{"MM-DD-YY", "04-30-22", "2022-04-30T00:00:00+01:00"},
		{"MM-DD-YY", "04-30-2022", ""},
		{"MM-DD-YYYY", "04-30-22", ""},
		{"MM-DD-YY", "30-04-22", ""},
		{"DD.MM.YYYY", "31.01.2024", "2024-01-31T00:00:00Z"},
		{"DD.MM.YYYY", "31.02.2024", ""},
		{"DD.MM.YYYY", "29.02.2023", ""},
		{"DD.MM.YYYY", "29.02.2024", "2024-02-29T00:00:00Z"},
		{"D.M.YYYY H:mm", "1.2.2024  9:05", "2024-02-01T09:05:00Z"},
		{"M/D/YYYY H:mm A", "9/6/2016 6:29 PM", "2016-09-06T18:29:00+01:00"},
		{"M/D/YYYY H:mm A", "9/6/2016 12:05 am", "2016-09-06T00:05:00+01:00"},
		{"M/D/YYYY H:mm A", "9/6/2016 13:05 PM", ""},
		{"D MMM YYYY", "3 Mar 2024", "2024-03-03T00:00:00Z"},
		{"D MMM YYYY", "3 march 2024", "2024-03-03T00:00:00Z"},
		{"D MMM YYYY", "3 Foo 2024", ""},
		{"YYYY-MM-DD HH:mm:ss Z", "2025-10-07 09:50:26 +0200", "2025-10-07T09:50:26+02:00"},
		{"YYYY-MM-DDTHH:mm:ss.SSSZ", "2024-01-02T03:04:05.250Z", "2024-01-02T03:04:05.25Z"},
		{"rfc3339", "2024-01-02T03:04:05+05:30", "2024-01-02T03:04:05+05:30"},
		{"unix", "1700000000", "2023-11-14T22:13:20Z"},
		{"unix_ms", "1700000000000", "2023-11-14T22:13:20Z"},
		{"excel", "44562.5", "2022-01-01T12:00:00Z"},
		{"excel", "44562", "2022-01-01T00:00:00Z"},
		{"excel", "-1", ""},
		{"excel", "1e9", ""},
		{"YYYY-MM-DD", "2024-01-02x", ""},
		{"YYYY-MM-DD", "0001-01-02", ""},
		{"YYYY-MM-DD HH:mm", "2024-01-02 24:00", ""},
		{"YYYY-MM-DD", "", ""},
		{"MM-DD-YY", "01-02-69", "1969-01-02T00:00:00+01:00"},
		{"MM-DD-YY", "01-02-68", "2068-01-02T00:00:00Z"},
	} {
		l, err := compileLayout(c.layout)
		if err != nil {
			t.Errorf("%s: %v", c.layout, err)
			continue
		}
		f := DateFormat{layouts: []dateLayout{l}, zone: london}
		got, err := f.parse(c.in)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s takes %q as %s", c.layout, c.in, got)
			}
			continue
		}
		want, perr := time.Parse(time.RFC3339, c.want)
		if perr != nil {
			t.Fatal(perr)
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("%s %q: %s (%v), want %s", c.layout, c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{"YYYY-MM", "hello", "DD.MM", "YYYY-QQ-DD"} {
		if _, err := compileLayout(bad); err == nil {
			t.Errorf("the layout %q is taken", bad)
		}
	}
}

func TestAmbiguousDates(t *testing.T) {
	var ls []dateLayout
	for _, s := range []string{"DD/MM/YYYY", "MM/DD/YYYY"} {
		l, err := compileLayout(s)
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
	}
	first := DateFormat{layouts: ls, zone: time.UTC}
	strict := DateFormat{layouts: ls, zone: time.UTC, reject: true}
	if d, err := first.parse("03/04/2024"); err != nil || d.Month() != time.April {
		t.Error(d, err)
	}
	if _, err := strict.parse("03/04/2024"); !errors.Is(err, errAmbiguousDate) {
		t.Error("an ambiguous date is taken", err)
	}
	if d, err := strict.parse("04/04/2024"); err != nil || d.Day() != 4 {
		t.Error("a date that both formats read alike is refused", err)
	}
	if d, err := strict.parse("03/14/2024"); err != nil || d.Day() != 14 {
		t.Error(d, err)
	}
}

func FuzzDate(f *testing.F) {
	f.Add("YYYY-MM-DD HH:mm:ss", "2011-06-30 20:08:00")
	f.Add("M/D/YY H:mm A", "9/6/16 6:29 PM")
	f.Add("excel", "44562.123456789")
	f.Add("unix", "170000000")
	f.Add("D MMM YYYY Z", "1 Jan 2024 +0200")
	f.Fuzz(func(t *testing.T, layout, s string) {
		l, err := compileLayout(layout)
		if err != nil {
			return
		}
		d := DateFormat{layouts: []dateLayout{l}, zone: time.UTC}
		if got, err := d.parse(s); err == nil && (got.Year() < 1899 || got.Year() > 2200) {
			t.Fatalf("%q by %q is %s", s, layout, got)
		}
	})
}

func TestCountries(t *testing.T) {
	for in, want := range map[string]string{
		"United Kingdom": "GB", "UK": "GB", "EIRE": "IE", "germany": "DE", "DE": "DE", "USA": "US", "Czech  Republic": "CZ", "RSA": "ZA",
		"Hong Kong": "HK", "Trinidad & Tobago": "TT", "de": "DE", "Brazil": "BR", "Lebanon": "LB", "Saudi Arabia": "SA", "Bahrain": "BH",
		"Unspecified": "", "European Community": "", "XX": "", "": "", "Atlantis": "",
	} {
		got, ok := countryCode(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v, want %q", in, got, ok, want)
		}
	}
}
