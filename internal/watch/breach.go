package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

// State is an expectation about how things stand, declared beside the feature it belongs to: an
// order must not wait for a parcel for days, a destination must not fail.
type State struct {
	Name  string // kebab-case, begins the subject of its incidents
	Title string // what is expected: "Paid orders leave within 2 days"
	About string // a sentence more
	// Look returns what is not as it should be. It may read whatever the store has.
	Look func(tx *store.Tx, ask Ask) ([]Breach, error)
	// Probe, when there is one, asks the outside for what no store knows, before Look and outside of its transaction: once
	// a day, and every hour while the expectation is broken. What it returns is kept as JSON and is what [Ask.Found] reads, also
	// in the next Probe. It honours ctx, which ends within probeFor.
	Probe func(ctx context.Context, ask Ask) (any, error)
}

// Ask is what a state may know besides the store.
type Ask struct {
	Now    time.Time
	Up     time.Time // since when the watch looks without a pause: what waited before may be on its way
	Policy *decide.Policy
	Book   *Book
	Answer json.RawMessage // of the state's last Probe; see Found
}

// Found reads what the state's last Probe returned into v; ok is false when there was none.
func (a Ask) Found(v any) (ok bool, err error) {
	if len(a.Answer) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(a.Answer, v); err != nil {
		return false, fault.Wrap(err, fault.Internal, "watch.Found", "what was found last cannot be read")
	}
	return true, nil
}

// Local is a time in the time zone of the shop.
func (a Ask) Local(t time.Time) time.Time { return t.In(a.Book.zone()) }

// Uses reports whether the shop has ever seen events of a type in its life.
func (a Ask) Uses(eventType string) bool {
	s := a.Book.Series(Event + ":" + eventType)
	return s != nil && s.Live
}

// Came is how many events a rate had in the shop's life within the last while, whole hours counted, and when the last one came.
func (a Ask) Came(rate string, within time.Duration) (n int, last time.Time) {
	if s := a.Book.Series(rate); s != nil {
		n, last = s.Recent.Since(a.Now.Add(-within)), s.Rate.Last
	}
	return n, last
}

// Breach is an expectation that is not kept. It becomes an incident.
type Breach struct {
	Subject     string // one cause is one subject
	Title       string
	Detail      string
	Evidence    []string
	Impact      string
	Orders      []string // ids of some of them
	Next        string
	Automations []string // concerned; the owner of the first is told
	Since       time.Time
	Symptoms    []string // what it explains: names of rates, event.DestinationSubject of what cannot be reached
	Root        bool     // it is why what it explains fails, so it is what the incident is called
	parts       []string // subjects of the breaches that it stands for
}

// byDestination makes one breach of all that are about one destination: whether it refuses, is slow, or did
// not take the self-test is one cause.
func byDestination(bs []Breach) []Breach {
	var out []Breach
	at := map[string]int{}
	for _, b := range bs {
		i := slices.IndexFunc(b.Symptoms, func(s string) bool { return strings.HasPrefix(s, event.DestinationSubject("")) })
		if i < 0 {
			out = append(out, b)
			continue
		}
		subject := b.Symptoms[i]
		n, ok := at[subject]
		if !ok {
			at[subject] = len(out)
			b.Evidence = slices.Clone(b.Evidence)
			b.Symptoms = append(slices.Clone(b.Symptoms), expectationOf(b.Subject))
			b.parts = []string{b.Subject}
			b.Subject = subject
			out = append(out, b)
			continue
		}
		whole := &out[n]
		if b.Root {
			whole.Title, whole.Detail, whole.Next, b.Title, b.Detail = b.Title, b.Detail, b.Next, whole.Title, whole.Detail
			whole.Evidence = append(whole.Evidence, b.Evidence...)
		}
		whole.Evidence = append(whole.Evidence, b.Title+": "+b.Detail)
		whole.Symptoms = append(whole.Symptoms, expectationOf(b.Subject))
		whole.parts = append(whole.parts, b.Subject)
		if b.Since.Before(whole.Since) {
			whole.Since = b.Since
		}
	}
	return out
}

// silences finds the rates that are silent for too long, one breach for each cause.
// From is when the program began to run without a pause: before, nobody could be heard.
func silences(b *Book, pol *decide.Policy, lastSeen map[string]time.Time, from, now time.Time) []Breach {
	silent := map[string]float64{}
	for name, s := range b.series {
		if st := stateOf(b, s, pol, lastSeen[name], from, now); st.Silent {
			silent[name] = st.Due
		}
	}
	return group(b, silent, now, pol)
}

// reading is how a rate stands at a moment.
type reading struct {
	Silent  bool
	Due     float64   // events that should have come since the last one
	Last    time.Time // event
	Missing string    // why it is not watched
}

// stateOf reads one rate. last is an event that is too new to be in the book.
func stateOf(b *Book, s *Series, pol *decide.Policy, last, from, now time.Time) reading {
	r := s.Rate
	out := reading{Last: r.Last}
	if last.After(out.Last) {
		out.Last = last
	}
	switch {
	case !s.Live:
		out.Missing = "it is known from imported history only"
		return out
	case s.Kind() == Automation:
		a := pol.Automations.Get(s.Of())
		if a == nil || !a.Mode.Considered() {
			out.Missing = "the automation is not considered at the moment"
			return out
		}
	}
	if out.Missing = r.Known(); out.Missing != "" {
		return out
	}
	if _, ok := r.Noticed(b.Calendar); !ok {
		out.Missing = "it is too rare for its silence to say anything; declare what you expect"
		return out
	}
	r.Last = out.Last
	if from.After(r.Last) {
		r.Last = from
	}
	out.Due, out.Silent = r.Silent(now, b.Calendar)
	return out
}

// allIn is the cause when every connection is silent.
const allIn = "everything"

// group finds the cause of each silence: a rate all of whose sources are silent is
// silent because of them.
func group(b *Book, silent map[string]float64, now time.Time, pol *decide.Policy) []Breach {
	doors, quiet := 0, 0
	for name, s := range b.series {
		if s.Kind() == Connection && s.Live && s.Rate.Known() == "" {
			doors++
			if _, ok := silent[name]; ok {
				quiet++
			}
		}
	}
	var cause func(name string, depth int) string
	cause = func(name string, depth int) string {
		s := b.series[name]
		if s == nil || depth > 10 {
			return name
		}
		first := ""
		for _, from := range s.From {
			if b.series[from] == nil || from == name {
				continue
			}
			if _, ok := silent[from]; !ok {
				return name
			}
			if first == "" {
				first = from
			}
		}
		if first != "" {
			return cause(first, depth+1)
		}
		if s.Kind() == Connection && doors > 1 && doors == quiet {
			return allIn
		}
		return name
	}
	by := map[string][]string{}
	for name := range silent {
		c := cause(name, 0)
		by[c] = append(by[c], name)
	}
	var out []Breach
	for c, names := range by {
		slices.Sort(names)
		out = append(out, silence(b, c, names, silent, now, pol))
	}
	slices.SortFunc(out, func(x, y Breach) int { return strings.Compare(x.Subject, y.Subject) })
	return out
}

// SilentSubject is the subject of the incident about a rate's silence.
func SilentSubject(name string) string { return "silent:" + name }

// silence words the breach of a cause.
func silence(b *Book, cause string, names []string, silent map[string]float64, now time.Time, pol *decide.Policy) Breach {
	out := Breach{Subject: SilentSubject(cause), Symptoms: names}
	zone := b.zone()
	if cause == allIn {
		out.Title = "Nothing comes in any more"
		out.Next = "Every connection is silent, so the cause is likely on this side: the network, the reverse proxy, the certificate of this server."
	}
	if s := b.series[cause]; s != nil {
		k := kinds[s.Kind()]
		out.Title, out.Next = fmt.Sprintf(k.silent, s.Of()), k.next
		if s.Kind() == Automation {
			out.Automations = []string{s.Of()}
		}
	}
	due := 0.0
	for _, name := range names {
		s := b.series[name]
		if out.Since.IsZero() || s.Rate.Last.Before(out.Since) {
			out.Since = s.Rate.Last
		}
		if s.Kind() == Event && s.Of() == "order.placed" || name == cause && s.Kind() == Country {
			due = silent[name]
		}
		l := s.Rate.Limit()
		out.Evidence = append(out.Evidence, fmt.Sprintf("%s: the last one came %s; by now %s should have come, and more than %s is too many",
			words(name), s.Rate.Last.In(zone).Format("2006-01-02 15:04 MST"), count(silent[name]), count(l.Day)))
	}
	if n := len(out.Evidence); n > 12 {
		out.Evidence = append(out.Evidence[:11], fmt.Sprintf("and %d more", n-11))
	}
	s := b.series[names[0]]
	if c := b.series[cause]; c != nil {
		s = c
	}
	out.Detail = fmt.Sprintf("The last one came %s; by the usual pace of these hours %s should have followed", s.Rate.Last.In(zone).Format("2006-01-02 15:04 MST"), count(silent[s.Name]))
	if due >= 0.5 {
		out.Impact = "about " + count(due) + " by now"
		if due < 1.5 {
			out.Impact = "about one order by now"
		} else {
			out.Impact = fmt.Sprintf("about %.0f orders by now", due)
		}
	}
	return out
}

func (b *Book) zone() *time.Location {
	if b == nil || b.Calendar.Zone == nil {
		return time.UTC
	}
	return b.Calendar.Zone
}

// words are a rate's name as people say it.
func words(name string) string {
	kind, of, _ := strings.Cut(name, ":")
	switch kind {
	case Connection:
		return "events from " + of
	case Country:
		return "orders from " + of
	case Automation:
		return "firings of " + of
	case Message:
		return "messages of " + of
	}
	return of
}

// count words a number of expected events.
func count(n float64) string {
	if n < 9.95 {
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

// declared looks at the automations that say themselves how often they should fire.
func declared(b *Book, pol *decide.Policy, since map[string]time.Time, lastSeen map[string]time.Time, now time.Time) []Breach {
	var out []Breach
	for _, a := range pol.Automations.All() {
		began, ok := since[a.Name]
		if a.Expect == nil || !ok || now.Sub(began) < a.Expect.Window() {
			continue
		}
		n, last := 0, time.Time{}
		if s := b.series[Automation+":"+a.Name]; s != nil {
			n, last = s.Recent.Since(now.Add(-a.Expect.Window())), s.Rate.Last
		}
		if lastSeen[Automation+":"+a.Name].After(last) { // too new for the book
			n++
		}
		if n >= a.Expect.AtLeast {
			continue
		}
		seen := "it has never fired"
		if !last.IsZero() {
			seen = "the last time was " + last.In(b.zone()).Format("2006-01-02 15:04 MST")
		}
		out = append(out, Breach{
			Subject: SilentSubject(Automation + ":" + a.Name), Automations: []string{a.Name}, Since: now,
			Title:    "The automation " + a.Name + " fires less than its owner expects",
			Detail:   fmt.Sprintf("It fired %d times within the last %s, and its text expects at least %d; %s", n, a.Expect.Per, a.Expect.AtLeast, seen),
			Next:     kinds[Automation].next,
			Symptoms: []string{Automation + ":" + a.Name},
		})
	}
	return out
}

// moneyText is a sum in words: "3 orders, 210.00 EUR".
func moneyText(orders int64, sums []money.Amount) string {
	text := fmt.Sprintf("%d orders", orders)
	if orders == 1 {
		text = "1 order"
	}
	for i, m := range sums {
		if i == 0 {
			text += ", " + m.String()
			continue
		}
		text += " and " + m.String()
	}
	return text
}
