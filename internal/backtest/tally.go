package backtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// tally adds up what the candidates say, one entry after the other.
type tally struct {
	o      Options
	zone   *time.Location
	whole  func(*Entry, *answer) (*decide.Decision, error)
	byName map[string]*one
	list   []*one
	on     map[string][]*one        // by event type, in the order they are asked
	bad    map[string]store.Dispute // by order

	seen, orders, late int64
	history            int64 // of the orders, those that were recorded and not decided
	first, last        time.Time
	both               int64
	newly, noMore      int64
	newMoney, noMoney  sums
	work               days
	combos             map[string]*combo // by the candidates that flagged an order; see score.go
	routing            *Routing
	checked, wrong     int64
	wrongNames         map[string]int64
	drift              int64
	first64            int64
	total              int64

	// The entry in hand.
	fired []*one
	then  []acted
	holds outcome
	held  bool     // the candidates would hold its order
	all   wish     // of the candidates
	day   struct { // of the shop
		from, to time.Time
		text     string
		monday   time.Time // that its week began on
	}
}

// one adds up for one candidate.
type one struct {
	Automation
	a        *automation.Automation
	tasks    int            // that one firing makes, besides the review of a hold
	refunds  []money.Amount // that one firing asks for; the zero amount is all that was paid
	back     sums
	unknowns map[string]int64
	money    sums
	newMoney sums
	letGo    sums
	notHeld  sums
	work     days
	wants    wish                // where it fires
	sure     bool                // whatever its steps find
	weeks    map[time.Time]*Week // by the day they began on
	week     *Week               // the latest
	overlap  map[string]int64    // with what fired then
	with     map[string]int64    // with candidates
	samples  []drawn
	changed  []drawn

	// On the entry in hand.
	fired  bool
	held   bool // it would hold the order, and nothing lifts that at once
	change change
}

// drawn is a sample with the number that drew it.
type drawn struct {
	hash uint64
	Sample
}

// sums adds money per currency.
type sums map[string]int64

func (s sums) add(a money.Amount) {
	if a.Currency != "" {
		s[a.Currency] += a.Minor
	}
}

func (s sums) list() []money.Amount {
	var out []money.Amount
	for _, cur := range slices.Sorted(maps.Keys(s)) {
		out = append(out, money.New(s[cur], cur))
	}
	return out
}

// days counts tasks by the shop's day.
type days map[string]int64

func newTally(ctx context.Context, o Options, set *automation.Set) (*tally, error) {
	if o.Samples == 0 {
		o.Samples = 20
	}
	r := &tally{
		o: o, zone: time.UTC, byName: map[string]*one{}, on: map[string][]*one{}, bad: map[string]store.Dispute{}, newMoney: sums{}, noMoney: sums{}, work: days{},
		combos: map[string]*combo{}, wrongNames: map[string]int64{},
	}
	if z := o.Policies.Policy().Settings.TimeZone; z != nil {
		r.zone = z
	}
	if set != nil {
		for _, a := range set.All() {
			x := &one{
				Automation: Automation{Name: a.Name, Version: a.Hash[:min(len(a.Hash), 10)], On: a.On}, a: a,
				unknowns: map[string]int64{}, money: sums{}, newMoney: sums{}, letGo: sums{}, notHeld: sums{}, work: days{}, weeks: map[time.Time]*Week{},
				overlap: map[string]int64{}, with: map[string]int64{}, back: sums{},
			}
			x.wants, x.sure = wishOf(a)
			a.Each(func(s *automation.Step) {
				switch s := s.Action.(type) {
				case automation.Hold:
					x.Holds = true
				case automation.Release:
					x.Releases = true
				case automation.Task, automation.Ask:
					x.tasks++
				case automation.Refund:
					x.tasks++
					x.refunds = append(x.refunds, s.Amount)
				case automation.Cancel:
					x.refunds = append(x.refunds, money.Amount{})
				}
			})
			r.list = append(r.list, x)
			r.byName[a.Name] = x
		}
		for _, typ := range schema.Events() {
			for _, a := range set.On(typ) {
				r.on[typ] = append(r.on[typ], r.byName[a.Name])
			}
		}
	}
	return r, o.DB.View(ctx, func(tx *store.Tx) error {
		var err error
		if r.first64, r.total, err = tx.HistoryBounds(); err != nil {
			return err
		}
		return tx.Disputes(func(d store.Dispute) error {
			r.bad[d.Order] = d
			return nil
		})
	})
}

// take adds a chunk.
func (r *tally) take(c *chunk) error {
	for i := range c.entries {
		if err := r.entry(&c.entries[i]); err != nil {
			return err
		}
	}
	r.progress(c)
	return nil
}

func (r *tally) progress(c *chunk) {
	if r.o.Progress != nil {
		r.o.Progress(c.from+c.span-r.first64, r.total-r.first64+1)
	}
}

func (r *tally) entry(e *Entry) error {
	r.seen++
	if !r.o.Since.IsZero() && e.At.Before(r.o.Since) || !r.o.Until.IsZero() && !e.At.Before(r.o.Until) {
		return nil
	}
	if r.first.IsZero() || e.At.Before(r.first) {
		r.first = e.At
	}
	if e.At.After(r.last) {
		r.last = e.At
	}
	p := e.Placed()
	if p != nil {
		r.orders++
		if e.Mode == event.History {
			r.history++
		}
	}
	if e.checked {
		r.checked++
		if len(e.wrong) > 0 {
			r.wrong++
		}
		for _, name := range e.wrong {
			r.wrongNames[name]++
		}
	}
	for i := range e.asked {
		if err := r.answer(e, p, &e.asked[i]); err != nil {
			return err
		}
	}
	if r.o.watch != nil {
		return r.o.watch(e, r)
	}
	return nil
}

// answer adds what the candidates said to one event.
func (r *tally) answer(e *Entry, p *event.OrderPlaced, a *answer) error {
	on := r.on[a.typ]
	monday := r.mondayOf(e.At)
	for _, x := range on {
		x.fired = false
		if a.named != "" && a.named != x.Name {
			continue
		}
		x.Considered++
		x.weekOf(monday).Considered++
	}
	if r.o.heard != nil {
		r.o.heard(e, a)
	}
	fired := r.fired[:0]
	for i := range a.said {
		s := &a.said[i]
		x := on[s.i]
		if s.outcome != decide.Fired {
			x.Unknown++
			x.unknowns[s.why]++
			continue
		}
		x.Fired++
		x.week.Fired++
		x.fired = true
		fired = append(fired, x)
	}
	r.fired = fired
	r.then = r.then[:0]
	if !a.derived {
		r.then = firedThen(e.Trace, r.then)
		r.compare(on)
	}
	if err := r.changes(e, a); err != nil {
		return err
	}
	total := a.total
	if p != nil && len(fired)+len(r.then)+len(r.bad) > 0 {
		total = p.Worth()
	}
	if err := r.add(e, p, a, total); err != nil {
		return err
	}
	switch would := r.with(&r.holds, r.candidate, r.all); {
	case r.held && r.holds.then:
		r.both++
	case r.held:
		r.newly++
		r.newMoney.add(total)
	case r.holds.then && !would:
		r.noMore++
		r.noMoney.add(total)
	}
	if a.typ != placed {
		return nil
	}
	if len(fired) > 0 {
		n := int64(0)
		for _, x := range fired {
			n += int64(x.tasks)
		}
		if r.held {
			n++ // one review, whatever holds the order
		}
		if n > 0 {
			r.work[r.dayOf(e.At)] += n
		}
	}
	r.score(e, fired, total)
	return nil
}

// add counts an event for the candidates that fired on it, or for which its outcome differs.
func (r *tally) add(e *Entry, p *event.OrderPlaced, a *answer, total money.Amount) error {
	for i, x := range r.fired {
		x.money.add(total)
		x.back.add(gives(x.refunds, total))
		n := int64(x.tasks)
		if x.held {
			n++
			x.WouldHold++
			if r.holds.then {
				x.HeldThen++
			}
		}
		if n > 0 {
			x.work[r.dayOf(e.At)] += n
		}
		for _, y := range r.fired[i+1:] {
			x.with[y.Name]++
			y.with[x.Name]++
		}
		for _, t := range r.then {
			if name := t.name; r.byName[name] == nil {
				if x.overlap[name] == 0 {
					name = strings.Clone(name)
				}
				x.overlap[name]++
			}
		}
		if err := r.sample(&x.samples, x, e, p, a, total); err != nil {
			return err
		}
	}
	for _, x := range r.on[a.typ] {
		switch x.change {
		case unchanged:
			continue
		case newHeld:
			x.NewlyHeld++
			x.newMoney.add(total)
		case letGo:
			x.LetGo++
			x.letGo.add(total)
		case notHeld:
			x.NotHeld++
			x.notHeld.add(total)
		}
		if err := r.sample(&x.changed, x, e, p, a, total); err != nil {
			return err
		}
	}
	return nil
}

// gives is what refunds come to at most on an order: never more than was paid for it.
func gives(refunds []money.Amount, total money.Amount) money.Amount {
	if len(refunds) == 0 {
		return money.Amount{}
	}
	out := money.New(0, total.Currency)
	for _, a := range refunds {
		switch a.Currency {
		case "":
			return total
		case total.Currency:
			out.Minor += a.Minor
		}
	}
	return money.New(min(out.Minor, total.Minor), total.Currency)
}

// compare holds what fires now against what fired then.
func (r *tally) compare(on []*one) {
	for _, x := range on {
		i := slices.IndexFunc(r.then, func(t acted) bool { return t.name == x.Name })
		switch {
		case i >= 0:
			x.FiredThen++
			if r.then[i].did {
				x.ActedThen++
			}
			if !x.fired {
				x.Gone++
			}
		case x.fired:
			x.New++
		}
	}
}

func (x *one) weekOf(monday time.Time) *Week {
	if x.week == nil || !x.week.Start.Equal(monday) {
		w := x.weeks[monday]
		if w == nil {
			w = &Week{Start: monday}
			x.weeks[monday] = w
		}
		x.week = w
	}
	return x.week
}

// dayOf is the shop's day of a time.
func (r *tally) dayOf(t time.Time) string {
	if d := &r.day; t.Before(d.from) || !t.Before(d.to) {
		y, m, n := t.In(r.zone).Date()
		d.from, d.to = time.Date(y, m, n, 0, 0, 0, 0, r.zone), time.Date(y, m, n+1, 0, 0, 0, 0, r.zone)
		d.text = d.from.Format(time.DateOnly)
		d.monday = time.Date(y, m, n-(int(d.from.Weekday())+6)%7, 0, 0, 0, 0, r.zone).UTC()
	}
	return r.day.text
}

// mondayOf is when the shop's week of a time began.
func (r *tally) mondayOf(t time.Time) time.Time {
	r.dayOf(t)
	return r.day.monday
}

// sample keeps the event when it is among those with the smallest numbers: an even draw that every run repeats.
func (r *tally) sample(list *[]drawn, x *one, e *Entry, p *event.OrderPlaced, a *answer, total money.Amount) error {
	subject := e.Subject
	if a.derived {
		subject = e.OrderID
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(subject) {
		h = (h ^ uint64(subject[i])) * 1099511628211
	}
	h *= 0x9e3779b97f4a7c15 // its high bits are weak
	if len(*list) >= r.o.Samples && h >= (*list)[len(*list)-1].hash {
		return nil
	}
	d, err := r.whole(e, a)
	if err != nil {
		return err
	}
	s := Sample{
		Order: strings.Clone(e.OrderID), Subject: strings.Clone(d.Event.Subject), At: e.At, Total: total, State: strings.Clone(string(e.To)), HeldThen: r.holds.then,
		Change: x.change.text(), Imported: e.Mode == event.History,
	}
	s.Total.Currency = strings.Clone(total.Currency)
	if p != nil {
		s.Channel, s.Number = strings.Clone(p.Channel), strings.Clone(p.Number)
	}
	for _, c := range d.Trace.Automations {
		if c.Name == x.Name {
			s.Did = c.Did
		}
	}
	if d, ok := r.bad[e.OrderID]; ok {
		s.Ended = d.Reason
		if s.Ended == "" {
			s.Ended = "disputed"
		}
	}
	i, _ := slices.BinarySearchFunc(*list, h, func(d drawn, n uint64) int { return cmp.Compare(d.hash, n) })
	*list = slices.Insert(*list, i, drawn{h, s})
	*list = (*list)[:min(len(*list), r.o.Samples)]
	return nil
}

func (r *tally) report() *Report {
	rep := &Report{Since: r.first, Until: r.last, Events: r.seen, Orders: r.orders, Imported: r.history}
	span := r.span()
	for _, x := range r.list {
		a := x.Automation
		a.Money, a.GivesBack = x.money.list(), x.back.list()
		a.NewMoney, a.LetGoMoney, a.NotHeldMoney = x.newMoney.list(), x.letGo.list(), x.notHeld.list()
		a.UnknownFor = top(x.unknowns, 5)
		if x.Holds || x.tasks > 0 {
			a.Tasks = x.work.tasks(span, r.o.Capacity)
		}
		for _, k := range slices.SortedFunc(maps.Keys(x.weeks), time.Time.Compare) {
			a.Weeks = append(a.Weeks, *x.weeks[k])
		}
		for _, c := range top(x.with, 10) {
			a.Overlap = append(a.Overlap, Overlap{With: c.Text, Candidate: true, Both: c.N})
		}
		for _, c := range top(x.overlap, 10) {
			a.Overlap = append(a.Overlap, Overlap{With: c.Text, Both: c.N})
		}
		slices.SortStableFunc(a.Overlap, func(a, b Overlap) int { return cmp.Compare(b.Both, a.Both) })
		a.Samples, a.Changed = oldestFirst(x.samples), oldestFirst(x.changed)
		a.Risk, a.Train = r.scoreOf(x.Name)
		rep.Automations = append(rep.Automations, a)
	}
	if len(r.list) > 0 {
		rep.Together = &Together{
			WouldHold: r.both + r.newly, HeldThen: r.both, NewlyHeld: r.newly, NoMoreHeld: r.noMore, NewMoney: r.newMoney.list(), NoMoreMoney: r.noMoney.list(),
			Tasks: r.work.tasks(span, r.o.Capacity),
		}
		r.rank(rep.Together)
	}
	rep.Routing = r.routing
	rep.Notes = r.notes()
	return rep
}

func oldestFirst(ds []drawn) []Sample {
	var out []Sample
	for _, d := range ds {
		out = append(out, d.Sample)
	}
	slices.SortFunc(out, func(a, b Sample) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Subject, b.Subject)) })
	return out
}

// notes are what a reader should know about the figures.
func (r *tally) notes() []string {
	var out []string
	if r.history > 0 && len(r.list) > 0 {
		out = append(out, importedNote(r.history, r.orders))
	}
	if r.late > 0 {
		out = append(out, fmt.Sprintf("%d orders were recorded after later ones (files imported in another order); they were tried with what was known when they were recorded", r.late))
	}
	if r.wrong > 0 {
		var names []string
		for _, c := range top(r.wrongNames, 5) {
			names = append(names, c.Text)
		}
		out = append(out, fmt.Sprintf("of %d decisions looked at closely, %d stored other facts than the history gives today (%s): a product, location or table was changed since; the stored facts were used",
			r.checked, r.wrong, strings.Join(names, ", ")))
	}
	if r.drift > 0 {
		out = append(out, count(r.drift, "recorded decision")+" could not be followed to the same state: master data was changed since")
	}
	if len(r.bad) == 0 && slices.ContainsFunc(r.list, func(x *one) bool { return x.On == placed }) {
		out = append(out, "nothing is scored, as the history does not know how orders ended: no payment was disputed (payment.disputed)")
	}
	return out
}

// span is how many days were reported on.
func (r *tally) span() int64 {
	if r.first.IsZero() {
		return 0
	}
	day := func(t time.Time) time.Time {
		y, m, d := t.In(r.zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int64(day(r.last).Sub(day(r.first))/(24*time.Hour)) + 1
}

func (d days) tasks(span int64, capacity int) *Tasks {
	t := &Tasks{Days: span, Capacity: capacity}
	for _, day := range slices.Sorted(maps.Keys(d)) {
		n := d[day]
		t.Total += n
		if n > t.Most {
			t.Most, t.Busiest = n, day
		}
		if capacity > 0 && n > int64(capacity) {
			t.DaysOver++
		}
	}
	if span > 0 {
		t.PerDay = float64(t.Total) / float64(span)
	}
	return t
}

// top returns the n most frequent texts.
func top(m map[string]int64, n int) []Count {
	var out []Count
	for k, v := range m {
		out = append(out, Count{k, v})
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Text, b.Text)) })
	return out[:min(n, len(out))]
}
