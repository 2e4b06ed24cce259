package backtest

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// WriteText writes the report for a terminal. Times stand in a zone, which it names.
func (r *Report) WriteText(w io.Writer, zone *time.Location) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // a closed pipe is the reader's wish
	switch {
	case r.Events == 0:
		say("There is no history yet, so there is nothing to try it on. Bring in old orders with \"orderly import orders FILE\", or let orders come.\n")
		return
	case r.Since.IsZero():
		say("Nothing was recorded in this time, so there is nothing to report. Choose other days.\n")
		return
	}
	say("%s to %s, times in %s: %d orders, %d recorded events, %.1f s\n", day(r.Since, zone), day(r.Until, zone), zone, r.Orders, r.Events, r.Seconds)
	for i := range r.Automations {
		r.Automations[i].write(w, zone)
	}
	if t := r.Together; t != nil && len(r.Automations) > 0 {
		if len(r.Automations) > 1 || t.Risk != nil {
			say("\nTogether\n")
		}
		if len(r.Automations) > 1 && t.WouldHold+t.NoMoreHeld > 0 {
			say("  would hold %s: %d newly%s, %d held then all the same\n", count(t.WouldHold, "order"), t.NewlyHeld, worth(t.NewMoney), t.HeldThen)
			if t.NoMoreHeld > 0 {
				say("  held then and not any more: %s%s\n", count(t.NoMoreHeld, "order"), worth(t.NoMoreMoney))
			}
		}
		if len(r.Automations) > 1 {
			t.Tasks.write(w)
		}
		t.Risk.write(w, "scored by how orders ended", "together they flag")
		for _, k := range t.Ranked {
			writeSays(w, k.Says(t.Risk.Bad))
		}
		if t.RankedBy != "" {
			say("  ranked by %s\n", t.RankedBy)
		}
	}
	r.Routing.write(w, zone)
	for _, n := range r.Notes {
		say("\nNote: %s.\n", n)
	}
}

func (a *Automation) write(w io.Writer, zone *time.Location) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	version := "not saved"
	if a.N > 0 {
		version = fmt.Sprintf("version %d", a.N)
	}
	say("\n%s (%s, when %s)\n", a.Name, version, schema.EventLabel(a.On))
	if why := a.Unasked(); why != "" {
		say("  %s\n", why)
		return
	}
	say("  asked %s, would have fired %d (%s)", count(a.Considered, "time"), a.Fired, percent(ratio(a.Fired, a.Considered)))
	if a.Unknown > 0 {
		say(", could not tell %d", a.Unknown)
	}
	say("\n")
	for _, u := range a.UnknownFor {
		say("    could not tell %s: %s\n", count(u.N, "time"), u.Text)
	}
	if a.FiredThen > 0 {
		say("  what had its name then fired %s and acted %s: %s\n", count(a.FiredThen, "time"), count(a.ActedThen, "time"), a.Against())
	}
	if len(a.Money) > 0 {
		say("  the orders it fires for are worth %s\n", list(a.Money))
	}
	for _, l := range a.Outcome() {
		say("  %s\n", l)
	}
	if len(a.GivesBack) > 0 {
		say("  would give back at most %s\n", list(a.GivesBack))
	}
	a.Tasks.write(w)
	a.Train.write(w, "before, on what it may have been written from", "it flags")
	a.Risk.write(w, "scored by how orders ended", "it flags")
	if len(a.Overlap) > 0 {
		parts := make([]string, 0, len(a.Overlap))
		for _, o := range a.Overlap {
			when := ""
			if !o.Candidate {
				when = " then"
			}
			parts = append(parts, fmt.Sprintf("%s%s %d", o.With, when, o.Both))
		}
		say("  fired together with: %s\n", strings.Join(parts, ", "))
	}
	if len(a.Weeks) > 1 {
		say("  by week from %s: %s\n", day(a.Weeks[0].Start, zone), bars(a.Weeks, zone))
	}
	writeSamples(w, zone, "a sample of the orders that would end otherwise", a.Changed)
	others := a.Others()
	title := "a sample of all it fires for"
	if len(others) < len(a.Samples) {
		title = "and of all it fires for"
	}
	writeSamples(w, zone, title, others)
}

// Unasked says why a candidate was never asked, as a zero is no answer then; "" when it was.
func (a *Automation) Unasked() string {
	switch {
	case a.Considered+a.FiredThen > 0:
		return ""
	case a.On == automation.OnSchedule:
		return "it was never asked: the times of a schedule are recorded only while it is in force, and none of this one lies in this time; let it run in shadow to see"
	case a.On == automation.OnAbsence:
		return "it was never asked: that something did not happen is recorded only while it is waited for, and nothing of this one lies in this time; let it run in shadow to see"
	}
	return "it was never asked: in this time it did not happen that " + schema.EventLabel(a.On)
}

// Against compares the times it fires with those at which what had its name did.
func (a *Automation) Against() string {
	if a.New+a.Gone == 0 {
		return "the same as now"
	}
	var parts []string
	if a.New > 0 {
		parts = append(parts, "now it would fire "+count(a.New, "time")+" more")
	}
	if a.Gone > 0 {
		parts = append(parts, "of those it would not fire "+count(a.Gone, "time")+" now")
	}
	return strings.Join(parts, ", and ")
}

// Others are the samples that are not among those of which the outcome differs.
func (a *Automation) Others() []Sample {
	return slices.DeleteFunc(slices.Clone(a.Samples), func(s Sample) bool {
		return slices.ContainsFunc(a.Changed, func(c Sample) bool { return c.Subject == s.Subject && c.At.Equal(s.At) })
	})
}

// Outcome says in sentences how orders would be left otherwise than they were.
func (a *Automation) Outcome() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case a.Holds && a.WouldHold == 0 && a.Undone == 0:
		say("would hold no order")
	case a.Holds:
		say("would hold %s: %d newly%s, %d held then all the same", count(a.WouldHold, "order"), a.NewlyHeld, worth(a.NewMoney), a.HeldThen)
	}
	if a.Undone > 0 {
		say("holds %s and lets them go at once, so that nothing is held: a release counts after every hold of the same event", count(a.Undone, "order"))
	}
	if a.Releases && a.LetGo == 0 {
		say("would let go no order that was held then")
	} else if a.Releases {
		say("would let go %s that %s held then%s", count(a.LetGo, "order"), wasWere(a.LetGo), worth(a.LetGoMoney))
	}
	if a.NotHeld > 0 {
		say("%s that it alone held then would not be held%s", count(a.NotHeld, "order"), worth(a.NotHeldMoney))
	}
	if a.WouldHold+a.Undone+a.LetGo+a.NotHeld > 0 {
		out = append(out, Compared)
	}
	return out
}

// Compared says what the outcome of orders is compared with.
const Compared = "compared with what happened: all that the other automations and people did then is kept as it was, and only this one is exchanged"

func wasWere(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// count is a number with its word.
func count(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func writeSamples(w io.Writer, zone *time.Location, title string, samples []Sample) {
	if len(samples) > 0 {
		_, _ = fmt.Fprintf(w, "  %s:\n", title)
		rows := make([][]string, len(samples))
		for i, s := range samples {
			rows[i] = []string{s.At.In(zone).Format(minute), cmp.Or(s.Number, s.Subject), "", s.Then(), s.Would(), s.Ended}
			if s.Total.Currency != "" {
				rows[i][2] = s.Total.String()
			}
		}
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, row := range rows {
			var cells []string
			for col, cell := range row {
				if slices.ContainsFunc(rows, func(r []string) bool { return r[col] != "" }) {
					cells = append(cells, cell)
				}
			}
			_, _ = fmt.Fprintf(tw, "    %s\n", strings.Join(cells, "\t"))
		}
		_ = tw.Flush()
	}
}

// Then says what became of the order then.
func (s *Sample) Then() string {
	switch {
	case s.Imported:
		return "imported"
	case s.HeldThen:
		return "held then"
	case s.State != "":
		return strings.ReplaceAll(s.State, "_", " ") + " then"
	}
	return ""
}

// Would says what would become of it, where that differs.
func (s *Sample) Would() string {
	switch s.Change {
	case ChangeHeld:
		return "would be held"
	case ChangeLetGo:
		return "would be let go"
	case ChangeNotHeld:
		return "would not be held"
	}
	return ""
}

func (t *Tasks) write(w io.Writer) {
	if t == nil || t.Total == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "  work for people: %s, %.1f a day, at most %d on %s", count(t.Total, "task"), t.PerDay, t.Most, t.Busiest)
	if t.Capacity > 0 {
		_, _ = fmt.Fprintf(w, "; more than the %d that the team can do on %d of %d days", t.Capacity, t.DaysOver, t.Days)
	}
	_, _ = fmt.Fprintln(w)
}

func (s *Score) write(w io.Writer, head, flags string) {
	if s == nil || s.Orders == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "  %s\n", head)
	writeSays(w, s.Says(flags))
	for _, m := range []struct {
		word string
		as   []money.Amount
	}{{"saved, if those that are flagged are refused", s.Saved}, {"lost, with bad orders that are not flagged", s.Lost}, {"good orders delayed", s.Delayed}} {
		if len(m.as) > 0 {
			_, _ = fmt.Fprintf(w, "    %s: %s\n", m.word, list(m.as))
		}
	}
}

func writeSays(w io.Writer, says []string) {
	for _, l := range says {
		_, _ = fmt.Fprintf(w, "    %s\n", l)
	}
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", f*100) }

// minute is how samples show a time.
const minute = "2006-01-02 15:04"

func day(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

func list(as []money.Amount) string {
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = a.String()
	}
	return strings.Join(parts, " + ")
}

func worth(as []money.Amount) string {
	if len(as) == 0 {
		return ""
	}
	return " worth " + list(as)
}

// bars draws how often it fired by week.
func bars(ws []Week, zone *time.Location) string {
	var most int64
	for _, w := range ws {
		most = max(most, w.Fired)
	}
	steps := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	next := ws[0].Start.In(zone)
	for _, w := range ws {
		for ; next.Before(w.Start); next = next.AddDate(0, 0, 7) {
			b.WriteRune(' ') // a week in which nothing happened
		}
		next = next.AddDate(0, 0, 7)
		i := 0
		if most > 0 {
			i = int((w.Fired*int64(len(steps)-1) + most - 1) / most)
		}
		b.WriteRune(steps[i])
	}
	return b.String()
}
