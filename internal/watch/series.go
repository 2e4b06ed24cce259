package watch

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch/rate"
)

// The kinds of rates, which begin their names: "event:order.placed".
const (
	Connection = "connection" // events that a source sends
	Event      = "event"      // events of a type, whoever sends them
	Country    = "country"    // orders from one country
	Automation = "automation" // firings
	Message    = "message"    // deliveries of a purpose
)

// kinds says of each kind of rate what people read when it is silent.
var kinds = map[string]struct{ silent, next string }{
	Connection: {
		"Nothing comes from %s any more",
		"Look whether the sender still delivers: its own log of webhooks, its subscription, and the secret of the connection under Settings.",
	},
	Event: {
		"No %s comes any more",
		"Look at where these events come from, and at the newest orders: what was the last thing that happened to them?",
	},
	Country: {
		"No orders come from customers in %s any more",
		"Try to order from there: payment methods, shipping rates and the shop's page for that country are the usual causes.",
	},
	Automation: {
		"The automation %s does not fire any more",
		"Look at its page: is its condition still right for what comes in, and are the facts it reads still known?",
	},
	Message: {
		"No %s leaves any more",
		"Look at the page Effects, and at the automation that sends it.",
	},
}

// goodSilence are event types that nobody misses: trouble that stays away, and what people do when they like.
var goodSilence = map[string]bool{
	"order.cancelled": true, "order.unfillable": true, "order.hold_requested": true, "order.release_requested": true, "order.reroute_requested": true,
	"payment.disputed": true, "shipment.rejected": true, "stock.low": true, "stock.adjusted": true, "stock.counted": true, "stock.transferred": true,
	"effect.failed": true, "task.decided": true, "task.assigned": true, "task.overdue": true, "absence.due": true, "run.due": true, "run.retried": true, "call.answered": true,
	"automation.stopped": true, "automation.resumed": true, "automation.changed": true, "automation.reported": true, "schedule.due": true, "day.ended": true,
	"incident.raised": true, "incident.recovered": true, "incident.acknowledged": true, "incident.snoozed": true, "incident.unanswered": true, "alerts.tested": true,
}

// ownDoors are the sources of what happens inside.
var ownDoors = []string{"engine", "timer", "console"}

// staffPurposes are messages about trouble; the less the better.
var staffPurposes = []string{"alert", "recovery", "self-test"}

// Series is a rate with what stands around it.
type Series struct {
	Name   string
	Rate   rate.Rate
	Live   bool     // it has happened in the shop's life, not only in imported history
	From   []string // what it follows from: when all of these are silent, so must it be
	Recent Recent
}

// Kind and Of are the two parts of the name.
func (s *Series) Kind() string { kind, _, _ := strings.Cut(s.Name, ":"); return kind }

// Of is what the rate is of: an event type, a connection …
func (s *Series) Of() string { _, of, _ := strings.Cut(s.Name, ":"); return of }

// maxFrom bounds what a series is known to follow from.
const maxFrom = 8

// Recent counts the last weeks hour by hour.
type Recent struct {
	First int64 // hour since 1970
	N     []int32
}

// recentHours is how far back Recent goes.
const recentHours = 32 * 24

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// Add counts n events.
func (r *Recent) Add(at time.Time, n int) {
	h := hourOf(at)
	if len(r.N) == 0 {
		r.First = h
	}
	if h < r.First {
		return
	}
	for int64(len(r.N)) <= h-r.First && h-r.First < 10*recentHours {
		r.N = append(r.N, 0)
	}
	if h-r.First >= int64(len(r.N)) { // after a long pause
		r.First, r.N = h, []int32{0}
	}
	r.N[h-r.First] += int32(n)
	if over := len(r.N) - recentHours; over > 0 {
		r.N = slices.Clone(r.N[over:])
		r.First += int64(over)
	}
}

// At is what an hour had.
func (r *Recent) At(hour int64) int {
	if i := hour - r.First; i >= 0 && i < int64(len(r.N)) {
		return int(r.N[i])
	}
	return 0
}

// Since counts the events of whole hours from a time on.
func (r *Recent) Since(t time.Time) int {
	n := 0
	for h := max(r.First, hourOf(t)); h < r.First+int64(len(r.N)); h++ {
		n += r.At(h)
	}
	return n
}

// Book is what is known of every rate. It learns from recorded events, in the order of their decisions.
type Book struct {
	Calendar rate.Calendar
	series   map[string]*Series
	changed  map[string]bool
	types    map[string]string // of the events just read, by id: what derived events follow from
}

// maxSeries bounds the rates: a sender chooses the name of its source.
const maxSeries = 500

// NewBook opens a book with the documents of its series.
func NewBook(cal rate.Calendar, docs map[string]string) (*Book, error) {
	b := &Book{Calendar: cal, series: make(map[string]*Series, len(docs)), changed: map[string]bool{}, types: map[string]string{}}
	for name, doc := range docs {
		s := &Series{}
		if err := json.Unmarshal([]byte(doc), s); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "watch.NewBook", "what is known of %s cannot be read", name)
		}
		s.Name = name
		b.series[name] = s
	}
	return b, nil
}

// Docs are the documents of the series that changed since they were last asked for.
func (b *Book) Docs() (map[string]string, error) {
	out := make(map[string]string, len(b.changed))
	for name := range b.changed {
		doc, err := json.Marshal(b.series[name])
		if err != nil {
			return nil, err
		}
		out[name] = string(doc)
	}
	clear(b.changed)
	return out, nil
}

// Series returns a rate, or nil.
func (b *Book) Series(name string) *Series { return b.series[name] }

// Names lists the rates.
func (b *Book) Names() []string {
	out := make([]string, 0, len(b.series))
	for name := range b.series {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Take learns from an event.
func (b *Book) Take(r store.WatchRow) {
	live := r.Mode != event.History
	if len(b.types) > 20_000 {
		clear(b.types)
	}
	b.types[r.ID] = r.Type
	name := Event + ":" + r.Type
	from := ""
	outside := r.Depth == 0 && !slices.Contains(ownDoors, r.Source)
	switch {
	case r.Depth > 0:
		if t := b.types[r.Cause]; t != "" {
			from = Event + ":" + t
		}
	case outside && live:
		from = Connection + ":" + r.Source
		b.see(from, "", r.At, 1, live)
	}
	if (outside || r.Depth > 0) && !goodSilence[r.Type] {
		b.see(name, from, r.At, 1, live)
	}
	if r.Country != "" {
		b.see(Country+":"+r.Country, name, r.At, 1, live)
	}
	for _, a := range fired(r.Trace) {
		if goodSilence[r.Type] {
			b.see(Automation+":"+a, "", r.At, 1, live)
			continue
		}
		b.see(Automation+":"+a, name, r.At, 1, live)
	}
}

// TakeTally learns from deliveries.
func (b *Book) TakeTally(t store.Tally) {
	if t.Done == 0 || slices.Contains(staffPurposes, t.Purpose) {
		return
	}
	name := Message + ":" + t.Purpose
	for _, k := range notify.Kinds() {
		if k.Name == t.Purpose {
			for _, on := range k.On {
				if b.series[Event+":"+on] != nil {
					b.see(name, Event+":"+on, t.At, 0, true)
				}
			}
		}
	}
	b.see(name, event.DestinationSubject(t.Destination), t.At, int(t.Done), true)
}

// see counts n events, or with none only notes what the series follows from.
func (b *Book) see(name, from string, at time.Time, n int, live bool) {
	s := b.series[name]
	if s == nil {
		if len(b.series) >= maxSeries {
			return
		}
		s = &Series{Name: name}
		b.series[name] = s
	}
	b.changed[name] = true
	if from != "" && len(s.From) < maxFrom && !slices.Contains(s.From, from) {
		s.From = append(s.From, from)
	}
	if n == 0 {
		return
	}
	s.Live = s.Live || live
	s.Rate.See(at, n, b.Calendar)
	s.Recent.Add(at, n)
}

// fired reads the names of the automations that fired from a stored trace. It
// looks for what decide writes, rather than decode plans of routing a thousand times a minute.
func fired(trace string) []string {
	const mark, key = `"outcome":"fired"`, `{"name":"`
	var out []string
	for {
		i := strings.Index(trace, mark)
		if i < 0 {
			return out
		}
		if j := strings.LastIndex(trace[:i], key); j >= 0 {
			name, _, _ := strings.Cut(trace[j+len(key):i], `"`)
			out = append(out, name)
		}
		trace = trace[i+len(mark):]
	}
}
