package backtest

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"orderly.example/orderly/internal/money"
)

// WriteText writes the report for a terminal.
func (r *Report) WriteText(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) } // a closed pipe is the reader's wish
	if r.Events == 0 {
		say("There is no history yet: nothing was recorded.\n")
		return
	}
	say("%s to %s: %d orders, %d recorded events, %.1f s\n", day(r.Since), day(r.Until), r.Orders, r.Events, r.Seconds)
	for i := range r.Automations {
		r.Automations[i].write(w)
	}
	if t := r.Together; t != nil && len(r.Automations) > 0 {
		if len(r.Automations) > 1 || t.Risk != nil {
			say("\nTogether\n")
		}
		if len(r.Automations) > 1 && (t.WouldHold > 0 || t.HeldThen > 0) {
			say("  would hold %d orders; %d were held then: %d newly held%s, %d no more\n", t.WouldHold, t.HeldThen, t.NewlyHeld, worth(t.NewMoney), t.NoMoreHeld)
		}
		if len(r.Automations) > 1 {
			t.Tasks.write(w)
		}
		t.Risk.write(w, "scored")
		for _, k := range t.Ranked {
			say("  reviewing %g %% of the orders (%d): %d reviewed, precision %s, recall %s\n", k.Share*100, k.Capacity, k.Reviewed, percent(k.Precision), percent(k.Recall))
		}
		if t.RankedBy != "" {
			say("  ranked by %s\n", t.RankedBy)
		}
	}
	r.Routing.write(w)
	for _, n := range r.Notes {
		say("\nNote: %s.\n", n)
	}
}

func (a *Automation) write(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	say("\n%s (%s, on %s)\n", a.Name, a.Version, a.On)
	say("  considered %d, fired %d (%s), unknown %d\n", a.Considered, a.Fired, percent(ratio(a.Fired, a.Considered)), a.Unknown)
	for _, u := range a.UnknownFor {
		say("    unknown %d: %s\n", u.N, u.Text)
	}
	if a.FiredThen > 0 || a.New > 0 {
		say("  then it fired %d times; %d fire newly, %d no more\n", a.FiredThen, a.New, a.Gone)
	}
	if a.Holds {
		say("  would hold %d orders, of which %d were held then; newly held%s\n", a.WouldHold, a.HeldThen, worth(a.NewMoney))
	} else if len(a.Money) > 0 {
		say("  orders%s\n", worth(a.Money))
	}
	if len(a.GivesBack) > 0 {
		say("  would give back at most %s\n", list(a.GivesBack))
	}
	a.Tasks.write(w)
	a.Train.write(w, "before")
	a.Risk.write(w, "scored")
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
		say("  by week from %s: %s\n", day(a.Weeks[0].Start), bars(a.Weeks))
	}
	if len(a.Samples) > 0 {
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, s := range a.Samples {
			name := s.Number
			if name == "" {
				name = s.Subject
			}
			held := ""
			if s.HeldThen {
				held = "held then"
			}
			total := ""
			if s.Total.Currency != "" {
				total = s.Total.String()
			}
			_, _ = fmt.Fprintf(tw, "    %s\t%s\t%s\t%s\t%s\t%s\n", s.At.UTC().Format("2006-01-02 15:04"), name, total, s.State, held, s.Ended)
		}
		_ = tw.Flush()
	}
}

func (t *Tasks) write(w io.Writer) {
	if t == nil || t.Total == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "  tasks %d, %.1f a day, at most %d on %s", t.Total, t.PerDay, t.Most, t.Busiest)
	if t.Capacity > 0 {
		_, _ = fmt.Fprintf(w, "; more than %d on %d of %d days", t.Capacity, t.DaysOver, t.Days)
	}
	_, _ = fmt.Fprintln(w)
}

func (s *Score) write(w io.Writer, word string) {
	if s == nil || s.Orders == 0 {
		return
	}
	_, _ = fmt.Fprintf(w, "  %s: %d of %d orders flagged, %d of %d bad ones found: precision %s, recall %s", word, s.Flagged, s.Orders, s.Hit, s.Bad, percent(s.Precision), percent(s.Recall))
	if len(s.Saved) > 0 {
		_, _ = fmt.Fprintf(w, "; saved %s", list(s.Saved))
	}
	if len(s.Lost) > 0 {
		_, _ = fmt.Fprintf(w, "; lost %s", list(s.Lost))
	}
	if len(s.Delayed) > 0 {
		_, _ = fmt.Fprintf(w, "; good orders delayed %s", list(s.Delayed))
	}
	_, _ = fmt.Fprintln(w)
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", f*100) }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

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
func bars(ws []Week) string {
	var most int64
	for _, w := range ws {
		most = max(most, w.Fired)
	}
	steps := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	next := ws[0].Start
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
