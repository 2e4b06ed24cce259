// Package ui is the design system of the console: tokens, components and the
// small scripts that make them live. A page is built from these components and
// has no styles of its own.
package ui

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/money"
)

// Meaning is what a colour says. There are no other colours.
type Meaning string

// The meanings.
const (
	Neutral   Meaning = "neutral"   // nothing to do
	Attention Meaning = "attention" // look soon
	Danger    Meaning = "danger"    // act now
	Done      Meaning = "done"      // went well
	Held      Meaning = "held"      // waits for a person
)

// Env is what every component of one page shares.
type Env struct {
	Zone   *time.Location // the shop's
	Now    time.Time
	Locale string
}

type envKey struct{}

// With puts e into the context that templates render with.
func With(ctx context.Context, e Env) context.Context { return context.WithValue(ctx, envKey{}, e) }

func env(ctx context.Context) Env {
	e, ok := ctx.Value(envKey{}).(Env)
	if !ok || e.Zone == nil {
		e.Zone = time.UTC
	}
	return e
}

// Zone is the shop's time zone.
func Zone(ctx context.Context) *time.Location { return env(ctx).Zone }

// Local is t in the shop's zone.
func Local(ctx context.Context, t time.Time) time.Time { return t.In(Zone(ctx)) }

// Now is the time the page was made, in the shop's zone.
func Now(ctx context.Context) time.Time { e := env(ctx); return e.Now.In(e.Zone) }

// FullTime is what hovering over a time shows: date, time and zone of the shop.
func FullTime(ctx context.Context, t time.Time) string {
	return Local(ctx, t).Format("Monday 2 January 2006, 15:04:05 MST")
}

// Age says how long ago t was, or how far ahead it is, in one unit.
func Age(now, t time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		return "in " + Span(-d)
	}
	if d < 45*time.Second {
		return "just now"
	}
	return Span(d) + " ago"
}

// Span is a duration in one unit: "4 min", "3 h", "12 d".
func Span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	case d < 730*24*time.Hour:
		return strconv.Itoa(int(d.Hours()/24)) + " d"
	default:
		return strconv.Itoa(int(d.Hours()/24/365)) + " y"
	}
}

// ShortTime is the time as lists show it: the clock today, the day otherwise.
func ShortTime(ctx context.Context, t time.Time) string {
	l, now := Local(ctx, t), Now(ctx)
	switch {
	case l.Format(time.DateOnly) == now.Format(time.DateOnly):
		return l.Format("15:04")
	case l.Year() == now.Year():
		return l.Format("2 Jan, 15:04")
	default:
		return l.Format("2 Jan 2006")
	}
}

// Day is a day as sentences name it: 24 Nov 2026.
func Day(ctx context.Context, t time.Time) string { return Local(ctx, t).Format("2 Jan 2006") }

// Days is a span of days: 24 Nov 2026, or 24 Nov to 27 Nov 2026.
func Days(ctx context.Context, from, to time.Time) string {
	a, b := Day(ctx, from), Day(ctx, to)
	if a == b {
		return a
	}
	return strings.TrimSuffix(a, Local(ctx, to).Format(" 2006")) + " to " + b
}

// DayTitle names a day: Today, Yesterday, or the date.
func DayTitle(ctx context.Context, t time.Time) string {
	l, now := Local(ctx, t), Now(ctx)
	switch l.Format(time.DateOnly) {
	case now.Format(time.DateOnly):
		return "Today"
	case now.AddDate(0, 0, -1).Format(time.DateOnly):
		return "Yesterday"
	}
	if l.Year() == now.Year() {
		return l.Format("Monday 2 January")
	}
	return l.Format("Monday 2 January 2006")
}

// Number groups the digits of n with narrow no-break spaces: 12 345.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	s = money.Group(s)
	if neg {
		return "−" + s
	}
	return s
}

// Amount is the number of an amount with grouped digits, without its currency.
func Amount(a money.Amount) string {
	return strings.TrimSuffix(a.Grouped(), " "+a.Currency)
}

// ShortID is the part of an id that people compare: its first and last letters.
func ShortID(id string) string {
	if len(id) <= 14 {
		return id
	}
	return id[:8] + "…" + id[len(id)-4:]
}

// Plural is "1 order" or "3 orders".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + many
}

// Signed is n with its sign, 0 as a dash: how ledgers show a change.
func Signed(n int64) string {
	switch {
	case n > 0:
		return "+" + Number(n)
	case n < 0:
		return Number(n)
	}
	return "–"
}

func px(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

func viewBox(w, h float64) string { return fmt.Sprintf("0 0 %g %g", w, h) }

// Initials are the first letters of up to two words, for avatars.
func Initials(name string) string {
	var out []rune
	for _, w := range strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '.' || r == '@' || r == '-' }) {
		out = append(out, []rune(w)[0])
		if len(out) == 2 {
			break
		}
	}
	return string(out)
}

// Itoa is strconv.Itoa for templates.
func Itoa(n int) string { return strconv.Itoa(n) }

func orText(typ string) string {
	if typ == "" {
		return "text"
	}
	return typ
}

func noteRole(m Meaning) string {
	if m == Danger {
		return "alert"
	}
	return "note"
}

func noteIcon(m Meaning) string {
	switch m {
	case Danger, Attention:
		return "warn"
	case Done:
		return "check"
	}
	return "info"
}

func fieldAttrs(f FieldView) templ.Attributes {
	at := templ.Attributes{}
	if f.Autocomplete != "" {
		at["autocomplete"] = f.Autocomplete
	}
	if f.Pattern != "" {
		at["pattern"] = f.Pattern
	}
	if f.Min != "" {
		at["min"] = f.Min
	}
	if f.Error != "" {
		at["aria-invalid"] = "true"
		at["aria-describedby"] = fieldID(f) + "-bad"
	}
	return at
}

func fieldID(f FieldView) string {
	if f.Form != "" {
		return "f-" + f.Form + "-" + f.Name
	}
	return "f-" + f.Name
}
