package backtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
)

// Question is something that nobody can prove and the past may tell: on which recorded events these
// automations fire, all of them together; or, with a tag, which orders came with it. What timers set off has an event
// for each automation: of several, the past tells at which times of the clock, or for which orders, all of them fire.
type Question struct {
	Automations []*automation.Automation // on one event type
	List, Tag   string                   // order.tags or customer.tags, and the tag
}

// Answer is what the past says to a question.
type Answer struct {
	Looked  int64 // events on which the automations were asked, or orders, or times of the clock
	Times   int64
	Unknown int64 // events on which none is false, and a fact is missing
	Since   time.Time
	Until   time.Time
	Whole   bool   // else the time ran out, oldest first
	Seen    []Seen // the first few
}

// Seen is an event on which it was so.
type Seen struct {
	Order, Number, Event string
	At                   time.Time
}

// Answers are those to some questions.
type Answers struct {
	Of     []*Answer           // in their order; nil: not known yet, or never
	Tags   map[string][]string // by list: tags that orders came with, at most maxTags
	Asking bool                // the past is being asked for those that are missing
}

const (
	maxSeen = 3
	maxTags = 200
)

// Past goes through the history once and answers all questions, with the facts as they were then. When the
// context's deadline passes it says what it has seen so far.
func Past(ctx context.Context, o Options, qs []Question) (Answers, error) {
	p := &past{qs: qs, of: make([]Answer, len(qs)), on: map[string][]asked{}, tags: map[string]map[string]bool{"order.tags": {}, "customer.tags": {}}}
	o.Candidates = nil
	for _, q := range qs {
		for _, a := range q.Automations {
			if q.Tag == "" && !slices.ContainsFunc(o.Candidates, func(b *automation.Automation) bool { return b.Name == a.Name }) {
				o.Candidates = append(o.Candidates, a)
			}
		}
	}
	var err error
	if len(o.Candidates) > 0 {
		set, bad := candidateSet(o.Candidates)
		if bad != nil {
			return Answers{}, bad
		}
		p.places(set)
		o.heard = p.hear
		o.watch = func(e *Entry, _ *tally) error { p.look(e); return nil }
		_, err = Run(ctx, o)
	} else {
		h := &History{DB: o.DB, Old: o.Old, Keys: o.Keys, Types: func(typ string) bool { return typ == placed }, brief: true}
		err = h.walk(ctx, stages{done: func(c *chunk) error {
			for i := range c.entries {
				p.look(&c.entries[i])
			}
			return nil
		}})
	}
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	if err != nil && !late {
		return Answers{}, err
	}
	out := Answers{Tags: map[string][]string{}}
	for i := range p.of {
		p.of[i].Since, p.of[i].Until, p.of[i].Whole = p.first, p.last, err == nil
		out.Of = append(out.Of, &p.of[i])
	}
	for list, tags := range p.tags {
		for t := range tags {
			out.Tags[list] = append(out.Tags[list], t)
		}
		slices.Sort(out.Tags[list])
	}
	return out, nil
}

// past gathers the answers.
type past struct {
	qs          []Question
	of          []Answer
	on          map[string][]asked // by event type
	tags        map[string]map[string]bool
	first, last time.Time
}

// asked is a question about automations, with their places among those on the event type.
type asked struct {
	q      int
	places []int
	met    map[string]met // by what brings together the events that name one automation each
}

// met are those of a question's automations that came together so far: a bit for each.
type met struct{ asked, fired, unknown uint64 }

// plus is one automation more.
func (m met) plus(bit uint64, outcome string) met {
	m.asked |= bit
	switch outcome {
	case decide.Fired:
		m.fired |= bit
	case decide.Unknown:
		m.unknown |= bit
	}
	return m
}

// all tells, of automations that are bits, whether all were asked, all fired, and else whether all may have.
func (m met) all(bits uint64) (asked, fired, unknown bool) {
	fired = m.fired == bits
	return m.asked == bits, fired, !fired && m.fired|m.unknown == bits
}

func (p *past) places(set *automation.Set) {
	for i, q := range p.qs {
		if q.Tag != "" || len(q.Automations) == 0 {
			continue
		}
		on := q.Automations[0].On
		x := asked{q: i, met: map[string]met{}}
		for _, a := range q.Automations {
			x.places = append(x.places, slices.IndexFunc(set.On(on), func(b *automation.Automation) bool { return b.Name == a.Name }))
		}
		p.on[on] = append(p.on[on], x)
	}
}

// hear takes what the candidates said to one event.
func (p *past) hear(e *Entry, a *answer) {
	for _, x := range p.on[a.typ] {
		of := &p.of[x.q]
		if a.named != "" {
			p.hearNamed(e, a, &x)
			continue
		}
		of.Looked++
		fired, unknown := 0, 0
		for i := range a.said {
			switch s := &a.said[i]; {
			case !slices.Contains(x.places, s.i):
			case s.outcome == decide.Fired:
				fired++
			default:
				unknown++
			}
		}
		switch len(x.places) {
		case fired:
			of.saw(e, nil)
		case fired + unknown:
			of.Unknown++
		}
	}
}

// hearNamed takes what the one candidate said that an event of a timer names: when it was set off then as it is now,
// as else the event would come at other times.
func (p *past) hearNamed(e *Entry, a *answer, x *asked) {
	as, of := p.qs[x.q].Automations, &p.of[x.q]
	n := slices.IndexFunc(as, func(b *automation.Automation) bool { return b.Name == a.named })
	if n < 0 {
		return
	}
	if then := e.before.then.pol.Automations.Get(a.named); then == nil || !then.SameTrigger(as[n]) {
		return
	}
	outcome := ""
	for i := range a.said {
		if a.said[i].i == x.places[n] {
			outcome = a.said[i].outcome
		}
	}
	key := e.ID // alone it meets nobody
	if len(as) > 1 {
		switch data := e.Event.Data.(type) {
		case *event.ScheduleDue:
			key = data.At.UTC().Format(time.RFC3339)
		case *event.AbsenceDue:
			key = data.Order
		}
	}
	was := x.met[key]
	is := was.plus(1<<n, outcome)
	if len(as) > 1 {
		x.met[strings.Clone(key)] = is
	}
	bits := uint64(1)<<len(as) - 1
	asked0, fired0, unknown0 := was.all(bits)
	asked1, fired1, unknown1 := is.all(bits)
	if asked1 && !asked0 {
		of.Looked++
	}
	if fired1 && !fired0 {
		of.saw(e, nil)
	}
	if unknown0 != unknown1 {
		of.Unknown += map[bool]int64{true: 1, false: -1}[unknown1]
	}
}

// look takes the tags that an order came with.
func (p *past) look(e *Entry) {
	if p.first.IsZero() || e.At.Before(p.first) {
		p.first = e.At
	}
	if e.At.After(p.last) {
		p.last = e.At
	}
	o := e.Placed()
	if o == nil {
		return
	}
	has := map[string][]string{"order.tags": o.Tags, "customer.tags": o.Customer.Tags}
	for list, tags := range has {
		for _, t := range tags {
			if known := p.tags[list]; !known[t] && len(known) < maxTags {
				known[strings.Clone(t)] = true
			}
		}
	}
	for i, q := range p.qs {
		if q.Tag == "" {
			continue
		}
		p.of[i].Looked++
		if slices.Contains(has[q.List], q.Tag) {
			p.of[i].saw(e, o)
		}
	}
}

func (a *Answer) saw(e *Entry, o *event.OrderPlaced) {
	a.Times++
	if len(a.Seen) >= maxSeen {
		return
	}
	s := Seen{Order: strings.Clone(e.OrderID), Event: strings.Clone(e.ID), At: e.At}
	if o == nil {
		o = e.Placed()
	}
	if o != nil {
		s.Number = strings.Clone(o.Number)
	}
	a.Seen = append(a.Seen, s)
}
