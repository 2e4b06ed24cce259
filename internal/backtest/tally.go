package backtest

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// tally adds up what the candidates say, one entry after the other.
type tally struct {
	o      Options
	zone   *time.Location
	set    *automation.Set
	byName map[string]*one
	list   []*one
	bad    map[string]store.Dispute // by order

	seen, orders, late int64
	first, last        time.Time
	heldThen, both     int64
	newly, noMore      int64
	newMoney           sums
	work               days
	combos             map[string]*combo // by the candidates that flagged an order; see score.go
	routing            *Routing
	checked, wrong     int64
	wrongNames         map[string]int64
	drift              int64
	first64            int64
	total              int64
}

// one adds up for one candidate.
type one struct {
	Automation
	a        *automation.Automation
	tasks    int // that one firing makes, besides the review of a hold
	unknowns map[string]int64
	money    sums
	newMoney sums
	work     days
	weeks    map[int64]*Week
	overlap  map[string]int64 // with what fired then
	with     map[string]int64 // with candidates
	samples  []drawn
	fired    bool // on the entry in hand
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
		o: o, zone: time.UTC, set: set, byName: map[string]*one{}, bad: map[string]store.Dispute{}, newMoney: sums{}, work: days{},
		combos: map[string]*combo{}, wrongNames: map[string]int64{},
	}
	if z := o.Engine.Policy().Settings.TimeZone; z != nil {
		r.zone = z
	}
	if set != nil {
		for _, a := range set.All() {
			x := &one{
				Automation: Automation{Name: a.Name, Version: a.Hash[:min(len(a.Hash), 10)], On: a.On}, a: a,
				unknowns: map[string]int64{}, money: sums{}, newMoney: sums{}, work: days{}, weeks: map[int64]*Week{},
				overlap: map[string]int64{}, with: map[string]int64{},
			}
			a.Each(func(s *automation.Step) {
				switch s.Kind {
				case automation.KindHold:
					x.Holds = true
				case automation.KindTask, automation.KindAsk:
					x.tasks++
				}
			})
			r.list = append(r.list, x)
			r.byName[a.Name] = x
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
		r.entry(&c.entries[i])
	}
	r.progress(c)
	return nil
}

func (r *tally) progress(c *chunk) {
	if r.o.Progress != nil {
		r.o.Progress(c.from+c.span-r.first64, r.total-r.first64+1)
	}
}

func (r *tally) entry(e *Entry) {
	r.seen++
	if !r.o.Since.IsZero() && e.At.Before(r.o.Since) || !r.o.Until.IsZero() && !e.At.Before(r.o.Until) {
		return
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
		r.answer(e, p, &e.asked[i])
	}
	if r.o.watch != nil {
		r.o.watch(e)
	}
	e.asked = nil
}

// answer adds what the candidates said to one event.
func (r *tally) answer(e *Entry, p *event.OrderPlaced, a *answer) {
	on := r.set.On(a.event.Type)
	week := mondayOf(e.At)
	for _, c := range on {
		x := r.byName[c.Name]
		x.fired = false
		x.Considered++
		w := x.weeks[week]
		if w == nil {
			w = &Week{Start: time.Unix(week*7*86400-3*86400, 0).UTC()}
			x.weeks[week] = w
		}
		w.Considered++
	}
	held := false
	var fired []*one
	for i := range a.said {
		s := &a.said[i]
		x := r.byName[s.Name]
		if s.Outcome != decide.Fired {
			x.Unknown++
			x.unknowns[s.Error]++
			continue
		}
		x.Fired++
		x.weeks[week].Fired++
		x.fired = true
		fired = append(fired, x)
		held = held || x.Holds
	}
	mine := a.event.ID == e.ID
	var then []string
	if mine && e.Trace != "" {
		then = firedThen(e.Trace)
	}
	heldThen := mine && e.To == order.Held
	total := a.total
	if p != nil {
		total = p.Worth()
	}
	for i, x := range fired {
		x.money.add(total)
		if x.Holds {
			x.WouldHold++
			if heldThen {
				x.HeldThen++
			} else {
				x.newMoney.add(total)
			}
		}
		if n := int64(x.tasks); n > 0 || x.Holds {
			if x.Holds {
				n++
			}
			x.work[e.At.In(r.zone).Format(time.DateOnly)] += n
		}
		for _, y := range fired[i+1:] {
			x.with[y.Name]++
			y.with[x.Name]++
		}
		for _, name := range then {
			if r.byName[name] == nil {
				x.overlap[name]++
			}
		}
		x.sample(r.o.Samples, e, p, total, heldThen, a, r.bad)
	}
	if mine {
		for _, c := range on {
			x := r.byName[c.Name]
			switch was := slices.Contains(then, x.Name); {
			case was && x.fired:
				x.FiredThen++
			case was:
				x.FiredThen++
				x.Gone++
			case x.fired:
				x.New++
			}
		}
	}
	if a.event.Type != placed {
		return
	}
	switch {
	case held && heldThen:
		r.both++
	case held:
		r.newly++
		r.newMoney.add(total)
	case heldThen:
		r.noMore++
	}
	if heldThen {
		r.heldThen++
	}
	if len(fired) > 0 {
		n := int64(0)
		for _, x := range fired {
			n += int64(x.tasks)
		}
		if held {
			n++ // one review, whatever holds the order
		}
		if n > 0 {
			r.work[e.At.In(r.zone).Format(time.DateOnly)] += n
		}
	}
	r.score(e, fired, total)
}

// mondayOf numbers the week of a time; the first Monday of the epoch was on the fifth day.
func mondayOf(t time.Time) int64 { return (t.Unix()/86400 + 3) / 7 }

// sample keeps the event when it is among those with the smallest numbers: an even draw that every run repeats.
func (x *one) sample(n int, e *Entry, p *event.OrderPlaced, total money.Amount, heldThen bool, a *answer, bad map[string]store.Dispute) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(a.event.Subject))
	num := h.Sum64() * 0x9e3779b97f4a7c15 // FNV's high bits are weak
	if len(x.samples) >= n && num >= x.samples[len(x.samples)-1].hash {
		return
	}
	s := Sample{Order: e.OrderID, Subject: a.event.Subject, At: e.At, Total: total, State: string(e.To), HeldThen: heldThen}
	if p != nil {
		s.Channel, s.Number = p.Channel, p.Number
	}
	for i := range a.said {
		if a.said[i].Name == x.Name {
			s.Did = a.said[i].Did
		}
	}
	if d, ok := bad[e.OrderID]; ok {
		s.Ended = d.Reason
		if s.Ended == "" {
			s.Ended = "disputed"
		}
	}
	i, _ := slices.BinarySearchFunc(x.samples, num, func(d drawn, n uint64) int { return cmp.Compare(d.hash, n) })
	x.samples = slices.Insert(x.samples, i, drawn{num, s})
	if len(x.samples) > n {
		x.samples = x.samples[:n]
	}
}

// firedThen reads the names of the automations that fired from a trace, which stand in
// front of its routing, without reading all of it.
func firedThen(trace string) []string {
	_, rest, ok := strings.Cut(trace, `"automations":[`)
	if !ok {
		return nil
	}
	var out []string
	for {
		_, after, ok := strings.Cut(rest, `{"name":"`) // quotes inside texts are escaped: this begins an entry
		if !ok {
			return out
		}
		name, after, ok := strings.Cut(after, `"`)
		if !ok {
			return out
		}
		_, after, ok = strings.Cut(after, `"outcome":"`)
		if !ok {
			return out
		}
		if strings.HasPrefix(after, decide.Fired+`"`) {
			out = append(out, name)
		}
		rest = after
	}
}

func (r *tally) report() *Report {
	rep := &Report{Since: r.first, Until: r.last, Events: r.seen, Orders: r.orders}
	span := r.span()
	for _, x := range r.list {
		a := x.Automation
		a.Money, a.NewMoney = x.money.list(), x.newMoney.list()
		a.UnknownFor = top(x.unknowns, 5)
		if x.Holds || x.tasks > 0 {
			a.Tasks = x.work.tasks(span, r.o.Capacity)
		}
		for _, k := range slices.Sorted(maps.Keys(x.weeks)) {
			a.Weeks = append(a.Weeks, *x.weeks[k])
		}
		for _, c := range top(x.with, 10) {
			a.Overlap = append(a.Overlap, Overlap{With: c.Text, Candidate: true, Both: c.N})
		}
		for _, c := range top(x.overlap, 10) {
			a.Overlap = append(a.Overlap, Overlap{With: c.Text, Both: c.N})
		}
		slices.SortStableFunc(a.Overlap, func(a, b Overlap) int { return cmp.Compare(b.Both, a.Both) })
		for _, d := range x.samples {
			a.Samples = append(a.Samples, d.Sample)
		}
		slices.SortFunc(a.Samples, func(a, b Sample) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Subject, b.Subject)) })
		a.Risk, a.Train = r.scoreOf(x.Name)
		rep.Automations = append(rep.Automations, a)
	}
	if len(r.list) > 0 {
		rep.Together = &Together{
			WouldHold: r.both + r.newly, HeldThen: r.heldThen, NewlyHeld: r.newly, NoMoreHeld: r.noMore, NewMoney: r.newMoney.list(),
			Tasks: r.work.tasks(span, r.o.Capacity),
		}
		r.rank(rep.Together)
	}
	rep.Routing = r.routing
	rep.Notes = r.notes()
	return rep
}

// notes are what a reader should know about the figures.
func (r *tally) notes() []string {
	var out []string
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
		out = append(out, fmt.Sprintf("%d recorded decisions could not be followed to the same state: master data was changed since", r.drift))
	}
	if len(r.bad) == 0 && len(r.list) > 0 {
		out = append(out, "the history does not know how orders ended: no payment.disputed was recorded, so nothing is scored")
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
