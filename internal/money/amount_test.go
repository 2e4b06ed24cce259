package money

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		decimal, cur string
		minor        int64
	}{
		{"12.34", "EUR", 1234},
		{"12.3", "EUR", 1230},
		{"12", "EUR", 1200},
		{".5", "EUR", 50},
		{"-0.05", "EUR", -5},
		{"+7", "EUR", 700},
		{"1.2300", "EUR", 123},
		{"1200", "JPY", 1200},
		{"1200.000", "JPY", 1200},
		{"1.234", "KWD", 1234},
		{"92233720368547758.07", "EUR", math.MaxInt64},
	} {
		got, err := Parse(c.decimal, c.cur)
		if c.minor == math.MaxInt64 {
			// The last nine amounts before the limit may be refused; what is read must be right.
			if err == nil && got.Minor != c.minor {
				t.Errorf("Parse(%q) = %d", c.decimal, got.Minor)
			}
			continue
		}
		if err != nil || got != New(c.minor, c.cur) {
			t.Errorf("Parse(%q, %s) = %v, %v; want %d", c.decimal, c.cur, got, err, c.minor)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ decimal, cur, says string }{
		{"", "EUR", "not a decimal"},
		{"-", "EUR", "not a decimal"},
		{".", "EUR", "not a decimal"},
		{"5.", "EUR", "not a decimal"},
		{"1,50", "EUR", "write it like 1.50"},
		{"2.499,50", "EUR", "write it like 2499.50"},
		{"2 499,50", "EUR", "write it like 2499.50"},
		{"1,500", "EUR", "write it like 1500"},
		{"1,500", "KWD", "write it like 1.500"},
		{"many", "EUR", "write it like 12.34"},
		{"5,", "EUR", "write it like 5"},
		{"1e3", "EUR", "not a decimal"},
		{"--1", "EUR", "not a decimal"},
		{"1.234", "EUR", "more than the 2 decimal digits"},
		{"0.5", "JPY", "more than the 0 decimal digits"},
		{"99999999999999999999", "EUR", "too large"},
		{"1", "EURO", "did you mean EUR?"},
		{"1", "eur", "is not a currency"},
		{"1", "", "three capital letters"},
	} {
		got, err := Parse(c.decimal, c.cur)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Parse(%q, %q) = %v, %v; want an error with %q", c.decimal, c.cur, got, err, c.says)
		}
	}
}

func TestTextIsTheInverseOfParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(rapid.Int64Range(-1<<60, 1<<60).Draw(t, "minor"), rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "HUF", "BRL"}).Draw(t, "currency"))
		back, err := ParseText(a.String())
		if err != nil || back != a {
			t.Fatalf("%q reads back as %v, %v", a, back, err)
		}
	})
}

func TestJSONFormIsTheText(t *testing.T) {
	b, err := json.Marshal(map[string]Amount{"total": New(1999, "EUR")})
	if err != nil || string(b) != `{"total":"19.99 EUR"}` {
		t.Fatalf("marshalled %s, %v", b, err)
	}
	var back map[string]Amount
	if err := json.Unmarshal(b, &back); err != nil || back["total"] != New(1999, "EUR") {
		t.Fatalf("unmarshalled %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"total":19.99}`), &back); err == nil {
		t.Fatal("a JSON number was taken as an amount: it has been a float on its way")
	}
}

func TestAllocateLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "minor"), "EUR")
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1<<31), 1, 12).Draw(t, "weights")
		shares := a.Allocate(weights)
		var sum, total int64
		for i, s := range shares {
			sum += s.Minor
			total += weights[i]
			if s.Minor != 0 && (s.Minor < 0) != (a.Minor < 0) {
				t.Fatalf("share %d of %v has the other sign: %v", i, a, s)
			}
			if s.Currency != "EUR" {
				t.Fatalf("share %d has currency %q", i, s.Currency)
			}
		}
		if sum != a.Minor {
			t.Fatalf("shares of %d sum to %d", a.Minor, sum)
		}
		if total == 0 {
			return
		}
		// No share is a whole unit away from its exact part.
		for i, s := range shares {
			exact := float64(a.Minor) * (float64(weights[i]) / float64(total))
			if math.Abs(float64(s.Minor)-exact) > 1.5 {
				t.Fatalf("share %d is %d, exactly it would be %.3f", i, s.Minor, exact)
			}
			if weights[i] == 0 && s.Minor != 0 {
				t.Fatalf("weight 0 got %d", s.Minor)
			}
		}
	})
}

func TestCurrenciesDoNotMix(t *testing.T) {
	if _, ok := New(1, "EUR").Compare(New(1, "USD")); ok {
		t.Error("EUR and USD were compared")
	}
	panics(t, "adding two currencies", func() { New(1, "EUR").Add(New(1, "USD")) })
	if got := (Amount{}).Add(New(5, "EUR")); got != New(5, "EUR") {
		t.Errorf("nothing plus 5 is %v", got)
	}
}

func TestOverflowIsNeverRoundedAway(t *testing.T) {
	panics(t, "sum beyond the limit", func() { New(math.MaxInt64, "EUR").Add(New(1, "EUR")) })
	panics(t, "difference beyond the limit", func() { New(-math.MaxInt64, "EUR").Sub(New(2, "EUR")) })
	panics(t, "product beyond the limit", func() { New(1<<40, "EUR").Mul(1 << 40) })
	panics(t, "product of the extreme", func() { New(math.MinInt64, "EUR").Mul(-1) })
}

func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s went through", what)
		}
	}()
	f()
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"12.34 EUR", "-0.05 EUR", "1200 JPY", " EUR", "1 ", "1.000000000 KWD", "9223372036854775807 JPY", "١ EUR"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseText(s)
		if err != nil {
			return
		}
		back, err := ParseText(a.String())
		if err != nil || back != a {
			t.Fatalf("%q is read as %v but its text %q as %v, %v", s, a, a.String(), back, err)
		}
	})
}

func TestParseTyped(t *testing.T) {
	for in, says := range map[string]string{
		"1.500 EUR": "write 1500 or 1.50", "2.499 EUR": "write it like 2499", "1.234.500 EUR": "write it like 1234500", "1.500 KWD": "", "2499.50 eur": "", "2 499,50 EUR": "write it like 2499.50",
		"2 499,50": "has no currency", "20": "has no currency", "12 EURO": "did you mean EUR?", " 3 CHF ": "",
	} {
		_, err := ParseTyped(in)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v; want %q", in, err, says)
		}
	}
}
