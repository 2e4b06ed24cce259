package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch/rate"
)

// Options of a watcher. DB, Submit and Policy are required.
type Options struct {
	DB     *store.DB
	Submit func(ctx context.Context, evs []event.Event) error // the engine's door
	Policy func() *decide.Policy
	Now    func() time.Time
	Log    *slog.Logger
	States []State       // besides those of States()
	Every  time.Duration // between two turns of the fleet; 0 = a minute
	Disk   Disk          // nil = not known
	Limit  int64         // bytes that the database may take where it lies; 0 = not known
	// Heart calls the outside address of a connection, so that others notice when it is not called.
	Heart func(ctx context.Context, connection string) error
}

// Watcher looks after the expectations. Any number of nodes run one; each turn is one node's.
type Watcher struct {
	Options
	node string
}

// New returns a watcher.
func New(o Options) *Watcher {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Every == 0 {
		o.Every = time.Minute
	}
	return &Watcher{Options: o, node: uuid.NewString()}
}

// Run takes turns until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(max(50*time.Millisecond, w.Every/4)) // nodes share the turns, whoever comes first
	defer tick.Stop()
	for {
		if err := w.Turn(ctx); err != nil && ctx.Err() == nil {
			w.Log.Error("a turn of the watch failed; it is tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// source is the door of what the watch notices.
const source = "engine"

// memory is what one turn leaves to the next.
type memory struct {
	Cursor   int64                // up to this decided_seq everything is in the book
	TallyAt  time.Time            // up to here the tallies are
	Up       time.Time            // since when turns follow each other without a pause
	Done     time.Time            // end of the last turn that came to its end
	Took     time.Duration        // it
	Behind   bool                 // there is more history than one turn reads
	Active   map[string]time.Time // automations that say what to expect of them: since when they act
	Firing   map[string]firing    // by subject
	SelfTest SelfTest
	Beat     Beat
	Sizes    []Size
	Probes   map[string]probed // by the name of the state
}

// probed is what a state found outside.
type probed struct {
	At     time.Time // of the last try
	Failed bool      // nobody answered
	Doc    json.RawMessage
}

// firing is a breach that was found and not yet over.
type firing struct {
	Since    time.Time // noticed
	Began    time.Time
	Times    int // how often it was raised: evidence grows
	Title    string
	Symptoms []string
}

// SelfTest is how the last test of the ways of telling went.
type SelfTest struct {
	Date   string // asked for
	Ways   []Way
	Failed bool
}

// Way is one way of telling people.
type Way struct {
	Connection string
	State      string // of the effect: pending, done, dead
	Error      string
}

// Beat is how the heartbeat goes.
type Beat struct {
	Connection string
	Last       time.Time // that was answered
	Began      time.Time // to fail
	Error      string
}

// Size is how large the database was on a day.
type Size struct {
	Day   string
	Bytes int64
}

func (m *memory) read(doc string) error {
	if err := json.Unmarshal([]byte(doc), m); err != nil {
		return fault.Wrap(err, fault.Internal, "watch.memory", "what the last turn left cannot be read")
	}
	if m.Active == nil {
		m.Active = map[string]time.Time{}
	}
	if m.Firing == nil {
		m.Firing = map[string]firing{}
	}
	if m.Probes == nil {
		m.Probes = map[string]probed{}
	}
	return nil
}

const (
	chunk       = 5_000            // events read at a time
	chunks      = 40               // a turn
	settled     = 60 * time.Second // no commit that began so long ago is still to come
	pauseFor    = 5 * time.Minute  // without a turn: the program did not run
	keepTallies = 3 * 24 * time.Hour
)

// Turn looks at every expectation, if it is this node's turn.
func (w *Watcher) Turn(ctx context.Context) error {
	var turn store.WatchTurn
	var mine bool
	var last store.WatchTurn
	err := w.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if last, err = tx.LastWatch(); err != nil {
			return err
		}
		turn, mine, err = tx.TakeWatchTurn(w.node, w.Every)
		return err
	})
	if err != nil || !mine {
		return err
	}
	began := time.Now()
	var m memory
	if err := m.read(turn.Doc); err != nil {
		return err
	}
	now := w.Now()
	if m.Up.IsZero() || turn.At.Sub(last.At) > pauseFor {
		m.Up = now
	}
	book, newest, err := w.learn(ctx, &m, &turn)
	if err != nil {
		return err
	}
	w.probe(ctx, &m, Ask{Now: now, Up: m.Up, Policy: w.Policy(), Book: book})
	if err := w.selfTest(ctx, &m, now); err != nil {
		return err
	}
	breaches, err := w.breaches(ctx, &m, book, newest, now)
	if err != nil {
		return err
	}
	full, err := w.room(ctx, &m, now)
	if err != nil {
		return err
	}
	breaches = append(breaches, full...)
	if err := w.tell(ctx, &m, breaches, now); err != nil {
		return err
	}
	w.beat(ctx, &m, now)
	m.Done, m.Took = w.Now(), time.Since(began)
	return w.save(ctx, &turn, &m, nil)
}

func (w *Watcher) save(ctx context.Context, turn *store.WatchTurn, m *memory, docs map[string]string) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	turn.Doc = string(doc)
	return w.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.DropTallies(turn.At.Add(-keepTallies)); err != nil {
			return err
		}
		return tx.PutWatch(*turn, docs)
	})
}

// Calendar is the shop's.
func Calendar(pol *decide.Policy) rate.Calendar {
	return rate.Calendar{Zone: pol.Settings.TimeZone, Closed: pol.Settings.Closed}
}

// learn takes what happened since the last turn into the book. What happened just now is not taken, for a
// commit with an earlier number may still come; newest says when each rate was last seen in it.
func (w *Watcher) learn(ctx context.Context, m *memory, turn *store.WatchTurn) (*Book, map[string]time.Time, error) {
	var docs map[string]string
	err := w.DB.View(ctx, func(tx *store.Tx) (err error) {
		docs, err = tx.WatchSeries()
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	book, err := NewBook(Calendar(w.Policy()), docs)
	if err != nil {
		return nil, nil, err
	}
	old := w.Now().Add(-settled)
	m.Behind = true
	var tail []store.WatchRow
	for range chunks {
		var rows []store.WatchRow
		err := w.DB.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = tx.WatchEvents(m.Cursor, chunk)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		n := slices.IndexFunc(rows, func(r store.WatchRow) bool { return r.Received.After(old) })
		if n < 0 {
			n = len(rows)
		}
		for _, r := range rows[:n] {
			book.Take(r)
			m.Cursor = r.Seq
		}
		tail = rows[n:]
		if n < len(rows) || len(rows) < chunk {
			m.Behind = len(rows) == chunk
			break
		}
	}
	err = w.DB.View(ctx, func(tx *store.Tx) error {
		ts, err := tx.Tallies(m.TallyAt)
		for _, t := range ts {
			if t.At.After(old) {
				break
			}
			book.TakeTally(t)
			m.TallyAt = t.At
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	changed, err := book.Docs()
	if err != nil {
		return nil, nil, err
	}
	if err := w.save(ctx, turn, m, changed); err != nil {
		return nil, nil, err
	}
	newest := map[string]time.Time{}
	if len(tail) > 0 {
		fresh := &Book{Calendar: book.Calendar, series: map[string]*Series{}, changed: map[string]bool{}, types: book.types}
		for _, r := range tail {
			fresh.Take(r)
		}
		for name, s := range fresh.series {
			if s.Live {
				newest[name] = s.Rate.Last
			}
		}
	}
	return book, newest, nil
}

const (
	probeEvery = 24 * time.Hour
	probeAgain = time.Hour        // while the expectation is broken, or when nobody answered
	probeFor   = 20 * time.Second // all of a turn together
)

// probe lets the states whose time has come ask the outside. One that cannot keeps what it knew.
func (w *Watcher) probe(ctx context.Context, m *memory, ask Ask) {
	ctx, stop := context.WithTimeout(ctx, probeFor)
	defer stop()
	for _, s := range slices.Concat(States(), w.States) {
		if s.Probe == nil {
			continue
		}
		p, every := m.Probes[s.Name], probeEvery
		if p.Failed {
			every = probeAgain
		}
		for subject, f := range m.Firing {
			if expectationOf(subject) == s.Name || slices.Contains(f.Symptoms, s.Name) {
				every = probeAgain
			}
		}
		if !p.At.IsZero() && ask.Now.Sub(p.At) < every {
			continue
		}
		ask.Answer = p.Doc
		p.At = ask.Now
		found, err := s.Probe(ctx, ask)
		var doc []byte
		if err == nil {
			doc, err = json.Marshal(found)
		}
		if err != nil {
			w.Log.Warn("an expectation could not be asked outside", "expectation", s.Name, "err", err)
		} else {
			p.Doc = doc
		}
		p.Failed = err != nil
		m.Probes[s.Name] = p
	}
}

// breaches are what is not as it should be.
func (w *Watcher) breaches(ctx context.Context, m *memory, book *Book, newest map[string]time.Time, now time.Time) ([]Breach, error) {
	pol := w.Policy()
	active := map[string]time.Time{}
	for _, a := range pol.Automations.All() {
		if a.Expect == nil || !a.Mode.Considered() {
			continue
		}
		active[a.Name] = now
		if since, ok := m.Active[a.Name]; ok {
			active[a.Name] = since
		}
	}
	m.Active = active
	var out []Breach
	err := w.DB.View(ctx, func(tx *store.Tx) error {
		out = nil
		for _, s := range slices.Concat(States(), w.States) {
			bs, err := s.Look(tx, Ask{Now: now, Up: m.Up, Policy: pol, Book: book, Answer: m.Probes[s.Name].Doc})
			if err != nil {
				return fault.Wrap(err, fault.KindOf(err), "watch."+s.Name, "the expectation %q could not be looked at", s.Title)
			}
			out = append(out, bs...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out = byDestination(append(out, ownWays(m, now)...))
	if m.Behind { // what was not read yet must not look like silence
		for _, b := range keptSilent(m) {
			if !slices.ContainsFunc(out, func(d Breach) bool { return d.Subject == b.Subject }) {
				out = append(out, b)
			}
		}
		return out, nil
	}
	broken := map[string]bool{}
	for _, b := range out {
		for _, s := range b.Symptoms {
			broken[s] = true
		}
	}
	out = append(out, declared(book, pol, m.Active, newest, now)...)
	for _, b := range silences(book, pol, newest, m.Up, now) {
		if explained(book, b, broken) || slices.ContainsFunc(out, func(d Breach) bool { return d.Subject == b.Subject }) {
			continue
		}
		out = slices.DeleteFunc(out, func(d Breach) bool { // what a text or a connection expects and a larger silence explains
			of, ok := strings.CutPrefix(d.Subject, SilentSubject(""))
			return ok && slices.Contains(b.Symptoms, of)
		})
		out = append(out, b)
	}
	return out, w.price(ctx, out, now)
}

// explained reports whether a message is missing because its destination is broken, which is an incident of its own.
func explained(b *Book, br Breach, broken map[string]bool) bool {
	for _, name := range br.Symptoms {
		s := b.series[name]
		if s == nil || s.Kind() != Message || !slices.ContainsFunc(s.From, func(f string) bool { return broken[f] }) {
			return false
		}
	}
	return true
}

// keptSilent are the silences of the last turn: nothing new is known of them.
func keptSilent(m *memory) []Breach {
	var out []Breach
	for subject, f := range m.Firing {
		if strings.HasPrefix(subject, SilentSubject("")) {
			out = append(out, Breach{Subject: subject, Title: f.Title, Since: f.Since, Symptoms: f.Symptoms})
		}
	}
	return out
}

// price adds to missing orders what orders of the last four weeks were worth.
func (w *Watcher) price(ctx context.Context, bs []Breach, now time.Time) error {
	return w.DB.View(ctx, func(tx *store.Tx) error {
		for i := range bs {
			var due float64
			if _, err := fmt.Sscanf(bs[i].Impact, "about %f orders by now", &due); err != nil {
				continue
			}
			country := ""
			if of, ok := strings.CutPrefix(bs[i].Subject, SilentSubject(Country+":")); ok {
				country = of
			}
			n, sums, err := tx.OrderPace(now.AddDate(0, 0, -28), country)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			for j := range sums {
				sums[j].Minor = int64(float64(sums[j].Minor) / float64(n) * due)
			}
			bs[i].Impact = "about " + moneyText(int64(due+0.5), sums) + " by now, at the usual pace"
		}
		return nil
	})
}

// tell submits what began and what is over.
func (w *Watcher) tell(ctx context.Context, m *memory, bs []Breach, now time.Time) error {
	var evs []event.Event
	seen := map[string]bool{}
	cause := map[string]string{} // subject -> title of the breach that explains it
	for _, b := range bs {
		seen[b.Subject] = true
		for _, s := range b.Symptoms {
			cause[SilentSubject(s)] = b.Title
		}
		for _, s := range b.parts {
			cause[s] = b.Title
		}
		f, open := m.Firing[b.Subject]
		if open && slices.Equal(f.Symptoms, b.Symptoms) {
			continue
		}
		if !open {
			f.Since = now
		}
		f.Times++
		f.Title, f.Symptoms, f.Began = b.Title, b.Symptoms, b.Since
		m.Firing[b.Subject] = f
		evs = append(evs, event.Event{
			Source: source, Key: fmt.Sprintf("watch:%s:%d:%d", b.Subject, f.Since.UnixMicro(), f.Times), Actor: "orderly",
			Data: &event.IncidentRaised{
				Subject: b.Subject, Title: b.Title, Detail: b.Detail, Automations: b.Automations, Evidence: b.Evidence, Impact: b.Impact,
				Orders: b.Orders, Next: b.Next, Since: b.Since.UTC().Truncate(time.Microsecond), Expectation: expectationOf(b.Subject),
			},
		})
		parts, err := w.deadParts(ctx, b, f, open)
		if err != nil {
			return err
		}
		evs = append(evs, parts...)
	}
	for subject, f := range m.Firing {
		if seen[subject] {
			continue
		}
		delete(m.Firing, subject)
		detail := "It is as it should be again."
		if title := cause[subject]; title != "" {
			detail = partOf(title)
		} else if of, ok := strings.CutPrefix(subject, event.DestinationSubject("")); ok {
			var dead int64
			err := w.DB.View(ctx, func(tx *store.Tx) (err error) { dead, err = tx.DeadSince(of, f.Began); return err })
			if err != nil {
				return err
			}
			if dead > 0 {
				detail = fmt.Sprintf("It takes again what is sent to it. What was given up meanwhile, %d in all, waits under Dead letters for your word.", dead)
			}
		}
		evs = append(evs, event.Event{
			Source: source, Key: fmt.Sprintf("watch:%s:%d:over", subject, f.Since.UnixMicro()), Actor: "orderly",
			Data: &event.IncidentRecovered{Subject: subject, Detail: detail},
		})
	}
	if len(evs) == 0 {
		return nil
	}
	return w.Submit(ctx, evs)
}

func partOf(title string) string { return "It is a part of another incident: " + title + "." }

// deadParts ends the incidents about dead letters of a destination that are known by now to be a part of a larger one.
func (w *Watcher) deadParts(ctx context.Context, b Breach, f firing, open bool) ([]event.Event, error) {
	of, ok := strings.CutPrefix(b.Subject, event.DestinationSubject(""))
	if !ok || open {
		return nil, nil // what failed since the incident opened is a part of it from the beginning
	}
	var rows []store.TaskRow
	err := w.DB.View(ctx, func(tx *store.Tx) (err error) { rows, err = tx.IncidentRows(false, 200); return err })
	var evs []event.Event
	for _, r := range rows {
		if strings.HasPrefix(r.Subject, event.DeadSubject(of, "")) && !r.Created.Before(b.Since) {
			evs = append(evs, event.Event{
				Source: source, Key: fmt.Sprintf("watch:%s:%d:part:%s", b.Subject, f.Since.UnixMicro(), r.ID), Actor: "orderly",
				Data: &event.IncidentRecovered{Subject: r.Subject, Detail: partOf(b.Title)},
			})
		}
	}
	return evs, err
}

// expectationOf is the name of the expectation that a subject is about.
func expectationOf(subject string) string {
	if of, ok := strings.CutPrefix(subject, SilentSubject("")); ok {
		return of
	}
	name, _, _ := strings.Cut(subject, ":")
	return name
}
