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
// automations fire, all of them together; or, with a tag, which orders came with it.
type Question struct {
	Automations []*automation.Automation // on one event type
	List, Tag   string                   // order.tags or customer.tags, and the tag
}

// Answer is what the past says to a question.
type Answer struct {
	Looked  int64 // events on which the automations were asked, or orders
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
}

func (p *past) places(set *automation.Set) {
	for i, q := range p.qs {
		if q.Tag != "" || len(q.Automations) == 0 {
			continue
		}
		on := q.Automations[0].On
		x := asked{q: i}
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
