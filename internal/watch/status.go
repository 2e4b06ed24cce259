package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/store"
)

// The states of an expectation.
const (
	Silent   = "silent"   // not kept: there is an incident
	Watched  = "watched"  // a learned rate
	Declared = "declared" // a rate that an automation declares
	Kept     = "kept"     // a state that is as it should be
	Learning = "learning" // not watched yet, and why
)

// Line is one expectation and how it stands.
type Line struct {
	Name    string // of a rate "kind:of", of a state its name
	Kind    string // of a rate; "" of a state
	Title   string
	About   string
	State   string
	Missing string    // learning: what is missing
	Last    time.Time // of a rate: its last event
	PerWeek float64   // of a rate: events in a usual week
	Alarms  float64   // of a learned rate: false ones to expect in a month
	By      time.Time // of a learned rate: it is silent for too long from here, if nothing comes
	Due     float64   // of a rate: events that should have come since the last one
	Limit   float64   // of a learned rate: how many of them are too many
}

// Status is how the watch and everything it watches stand.
type Status struct {
	Every    time.Duration
	Now      time.Time
	Turn     time.Time // begin of the last turn; zero = never
	Done     time.Time // end of the last one that came to its end
	Took     time.Duration
	Behind   bool
	Lines    []Line
	SelfTest SelfTest
	Beat     Beat
	Size     int64 // of the database, when it was last measured
}

// Age is how long ago the last turn came to its end; ok is false when none ever did.
func (s Status) Age() (age time.Duration, ok bool) { return s.Now.Sub(s.Done), !s.Done.IsZero() }

// Late reports whether the watch itself is silent.
func (s Status) Late() bool {
	age, ok := s.Age()
	return ok && age > max(pauseFor, 5*s.Every)
}

// Pulse is the least there is to know of the watch itself.
type Pulse struct {
	Now, Done time.Time
	Silent    int
}

// Age is how long ago the last turn came to its end; ok is false when none ever did.
func (p Pulse) Age() (age time.Duration, ok bool) { return p.Now.Sub(p.Done), !p.Done.IsZero() }

// Pulse reads when the watch last looked, without opening the book.
func (w *Watcher) Pulse(ctx context.Context) (Pulse, error) {
	var m memory
	err := w.DB.View(ctx, func(tx *store.Tx) error {
		turn, err := tx.LastWatch()
		if err != nil {
			return err
		}
		m = memory{}
		return m.read(turn.Doc)
	})
	return Pulse{Now: w.Now(), Done: m.Done, Silent: len(m.Firing)}, err
}

// Status reads how everything stands.
func (w *Watcher) Status(ctx context.Context) (Status, error) {
	st, _, err := w.status(ctx)
	return st, err
}

func (w *Watcher) status(ctx context.Context) (Status, *Book, error) {
	var turn store.WatchTurn
	var docs map[string]string
	err := w.DB.View(ctx, func(tx *store.Tx) (err error) {
		if turn, err = tx.LastWatch(); err == nil {
			docs, err = tx.WatchSeries()
		}
		return err
	})
	if err != nil {
		return Status{}, nil, err
	}
	var m memory
	if err := m.read(turn.Doc); err != nil {
		return Status{}, nil, err
	}
	pol, now := w.Policy(), w.Now()
	book, err := NewBook(Calendar(pol), docs)
	if err != nil {
		return Status{}, nil, err
	}
	st := Status{Every: w.Every, Now: now, Turn: turn.At, Done: m.Done, Took: m.Took, Behind: m.Behind, SelfTest: m.SelfTest, Beat: m.Beat}
	if n := len(m.Sizes); n > 0 {
		st.Size = m.Sizes[n-1].Bytes
	}
	silent := map[string]bool{}
	for subject, f := range m.Firing {
		silent[expectationOf(subject)] = true
		for _, s := range f.Symptoms {
			silent[s] = true
		}
	}
	for _, name := range book.Names() {
		s := book.series[name]
		rd := stateOf(book, s, pol, time.Time{}, m.Up, now)
		l := Line{Name: name, Kind: s.Kind(), Title: rateTitle(name), Last: rd.Last, PerWeek: s.Rate.PerWeek(), State: Watched, Missing: rd.Missing, Due: rd.Due}
		if rd.Missing != "" {
			l.State = Learning
		} else {
			lim := s.Rate.Limit()
			l.Alarms, l.Limit = lim.Alarms, lim.Day
			l.By, _ = s.Rate.Noticed(book.Calendar)
		}
		if silent[name] {
			l.State = Silent
		}
		st.Lines = append(st.Lines, l)
	}
	for _, a := range pol.Automations.All() {
		if a.Expect == nil {
			continue
		}
		name := Automation + ":" + a.Name
		i := slices.IndexFunc(st.Lines, func(l Line) bool { return l.Name == name })
		if i < 0 {
			st.Lines = append(st.Lines, Line{Name: name, Kind: Automation, Title: rateTitle(name)})
			i = len(st.Lines) - 1
		}
		l := &st.Lines[i]
		l.About = fmt.Sprintf("at least %d per %s, as its text says", a.Expect.AtLeast, a.Expect.Per)
		switch {
		case !a.Mode.Considered():
			l.State, l.Missing = Learning, "the automation is not considered at the moment"
		case l.State != Silent:
			l.State, l.Missing = Declared, ""
		}
	}
	seen := false // the disk
	if w.Disk != nil {
		_, _, seen = w.Disk()
	}
	for _, s := range slices.Concat(States(), w.States, ownStates) {
		l := Line{Name: s.Name, Title: s.Title, About: s.About, State: Kept}
		switch {
		case s.Name == "disk" && !seen, s.Name == "limit" && w.Limit == 0 && seen:
			continue
		case s.Name == "limit" && w.Limit == 0:
			l.State, l.Missing = Learning, "the disk of the database server cannot be seen from here; say in the setting db_limit how much the database may take"
		}
		if silent[s.Name] {
			l.State = Silent
		}
		st.Lines = append(st.Lines, l)
	}
	rank := map[string]int{Silent: 0, Declared: 1, Watched: 1, Kept: 2, Learning: 3}
	slices.SortStableFunc(st.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.PerWeek, a.PerWeek), cmp.Compare(a.Title, b.Title))
	})
	return st, book, nil
}

// KnownRates names the learned rates whose silence would be noticed.
func KnownRates(tx *store.Tx, pol *decide.Policy, now time.Time) ([]string, error) {
	docs, err := tx.WatchSeries()
	if err != nil {
		return nil, err
	}
	book, err := NewBook(Calendar(pol), docs)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range book.Names() {
		if stateOf(book, book.series[name], pol, time.Time{}, time.Time{}, now).Missing == "" {
			out = append(out, name)
		}
	}
	return out, nil
}

// rateTitle is the name of a rate in a list. The type of an event is written as it is.
func rateTitle(name string) string {
	s := words(name)
	if s == "" || strings.HasPrefix(name, Event+":") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// HourPoint is an hour of a rate: what came, and what should have.
type HourPoint struct {
	At       time.Time
	Seen     int
	Expected float64
	Later    bool // not over yet
}

// Hours are the last n hours of a rate, oldest first; none when it is not known.
func (w *Watcher) Hours(ctx context.Context, name string, n int) (Line, []HourPoint, error) {
	st, book, err := w.status(ctx)
	if err != nil {
		return Line{}, nil, err
	}
	i := slices.IndexFunc(st.Lines, func(l Line) bool { return l.Name == name })
	if i < 0 {
		return Line{}, nil, nil
	}
	s := book.series[name]
	if s == nil {
		return st.Lines[i], nil, nil
	}
	var out []HourPoint
	for at := st.Now.Truncate(time.Hour).Add(-time.Duration(n-1) * time.Hour); !at.After(st.Now); at = at.Add(time.Hour) {
		out = append(out, HourPoint{
			At: at, Seen: s.Recent.At(hourOf(at)), Expected: s.Rate.Expected(at, at.Add(time.Hour), book.Calendar), Later: at.Add(time.Hour).After(st.Now),
		})
	}
	return st.Lines[i], out, nil
}
