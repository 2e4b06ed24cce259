package connect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClassOf(t *testing.T) {
	cause := errors.New("no")
	for _, c := range []struct {
		err  error
		want Class
	}{
		{nil, ClassRetry},
		{cause, ClassRetry},
		{Permanent(cause), ClassPermanent},
		{fmt.Errorf("sending: %w", Permanent(cause)), ClassPermanent},
		{Unknown(cause), ClassUnknown},
		{Permanent(Unknown(cause)), ClassPermanent},
		{Fail(ClassRetry, cause, "later"), ClassRetry},
	} {
		if got := ClassOf(c.err); got != c.want {
			t.Errorf("ClassOf(%v) = %v, want %v", c.err, got, c.want)
		}
	}
	if Permanent(nil) != nil || Unknown(nil) != nil {
		t.Error("nil became an error")
	}
	if !errors.Is(Permanent(cause), cause) {
		t.Error("the cause is lost")
	}
	if err := Fail(ClassRetry, errors.New("password hunter2"), "the server said no"); strings.Contains(err.Error(), "hunter2") {
		t.Error("the cause stands in the text")
	}
}

func TestReasonIsShort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.StringN(0, 800, -1).Draw(rt, "text")
		got := Reason(errors.New(s))
		if len(got) > 500 || (utf8.ValidString(s) && !utf8.ValidString(got)) {
			rt.Fatalf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
	})
	if Reason(nil) != "" {
		t.Error("nil has a reason")
	}
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.String().Draw(rt, "key")
		n := rapid.IntRange(-1, 1000).Draw(rt, "attempt")
		d := Backoff(n, key)
		if d != Backoff(n, key) {
			rt.Fatal("not the same twice")
		}
		if d < Default.First*(100-time.Duration(Default.Spread))/100 || d > Default.Longest {
			rt.Fatalf("attempt %d waits %v", n, d)
		}
		// Even the luckiest jitter of the next attempt waits longer than the unluckiest of this one, up to the cap.
		if n >= 1 && n < 8 && Backoff(n+1, key) <= d {
			rt.Fatalf("attempt %d waits %v, the next %v", n, d, Backoff(n+1, key))
		}
	})
	var total time.Duration
	for n := 1; !Default.Spent(n); n++ {
		total += Backoff(n, "eff_1")
	}
	if total < 16*time.Hour || total > 26*time.Hour {
		t.Errorf("the schedule ends after %v, want about a day", total)
	}
	// The jitter spreads: a thousand effects that failed together come back over the whole spread.
	var buckets [10]int
	for i := range 1000 {
		share := (Default.Longest - Backoff(30, fmt.Sprintf("eff_%d", i))) * 10 / (Default.Longest / 100 * time.Duration(Default.Spread))
		buckets[min(share, 9)]++
	}
	for i, n := range buckets {
		if n < 50 || n > 200 {
			t.Errorf("%d of 1000 in bucket %d: %v", n, i, buckets)
		}
	}
}

func TestNext(t *testing.T) {
	s := Schedule{First: time.Minute, Longest: time.Hour, Attempts: 3}
	asked := func(d time.Duration) error { return &Error{After: d, Message: "busy"} }
	for _, c := range []struct {
		name    string
		attempt int
		err     error
		want    time.Duration
		again   bool
	}{
		{"first", 1, errors.New("x"), time.Minute, true},
		{"second", 2, errors.New("x"), 150 * time.Second, true},
		{"last", 3, errors.New("x"), 0, false},
		{"permanent", 1, Permanent(errors.New("x")), 0, false},
		{"unknown", 1, Unknown(errors.New("x")), time.Minute, true},
		{"asked for more", 1, asked(10 * time.Minute), 10 * time.Minute, true},
		{"asked for less", 2, asked(time.Second), 150 * time.Second, true},
		{"asked for a month", 1, asked(720 * time.Hour), 2 * time.Hour, true},
	} {
		if got, again := s.Next(c.attempt, "k", c.err); got != c.want || again != c.again {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, again, c.want, c.again)
		}
	}
}
