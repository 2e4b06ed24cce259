package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// SuggestQuery says what suggestions are made from.
type SuggestQuery struct {
	Since   time.Time // orders placed since; zero = all, up to suggest.MaxRows
	Options suggest.Options
	// Outcomes are people's decisions, unless they are given as labels by order number, or
	// it is to count which orders were disputed.
	Labels   map[string]string
	Disputes bool
}

// Suggestions is what was found, less what a person has said something about already.
type Suggestions struct {
	*suggest.Report
	SetAside []store.Verdict // refused or accepted patterns that were found again
	Later    *suggest.Later  // how they do on the newest decisions, when some were held back

	all []*suggest.Suggestion // before what was set aside left
}

// suggested keeps the last suggestions: pages show them often, decisions come a few an hour.
type suggested struct {
	mu      sync.Mutex
	have    *Suggestions
	made    time.Time
	reviews int
	last    time.Time
}

// suggestEvery is how old suggestions may be before new decisions are looked at again.
const suggestEvery = time.Minute

// Suggest looks for patterns and says what was found. It changes nothing.
func (e *Engine) Suggest(ctx context.Context, q SuggestQuery) (*Suggestions, error) {
	t, err := e.cases(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &Suggestions{Report: suggest.Find(t, q.Options)}
	s.Later = suggest.Measure(t, s.Report, q.Options)
	s.all = s.Suggestions
	if q.Labels != nil || q.Disputes {
		return s, nil // nobody has said anything about these
	}
	return s, e.setAside(ctx, s)
}

// setAside takes out what a person accepted or refused, unless the evidence has changed much since.
func (e *Engine) setAside(ctx context.Context, s *Suggestions) error {
	said := map[string]store.Verdict{}
	err := e.db.View(ctx, func(tx *store.Tx) error {
		vs, err := tx.Verdicts()
		for _, v := range vs {
			said[v.Key] = v
		}
		return err
	})
	if err != nil {
		return err
	}
	s.SetAside = nil
	report := *s.Report
	report.Suggestions = []*suggest.Suggestion{}
	for _, x := range s.all {
		v, ok := said[x.Key]
		aside := ok && !suggest.Changed(suggest.Tally{Cases: v.Cases, Agreed: v.Agreed}, x.All)
		if ok && v.Accepted { // it comes again when somebody has removed what it became
			aside = e.Policy().Automations.Get(v.Automation) != nil
		}
		if aside {
			s.SetAside = append(s.SetAside, v)
			continue
		}
		report.Suggestions = append(report.Suggestions, x)
	}
	s.Report = &report
	return nil
}

// CurrentSuggestions are those from all of people's decisions. They are made when somebody
// looks, and again when people have decided more; never more often than once a minute.
func (e *Engine) CurrentSuggestions(ctx context.Context) (*Suggestions, error) {
	e.suggested.mu.Lock()
	defer e.suggested.mu.Unlock()
	var n int
	var last time.Time
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		n, last, err = tx.CountReviews()
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &e.suggested
	now := e.now()
	if c.have == nil || (n != c.reviews || !last.Equal(c.last)) && now.Sub(c.made) >= suggestEvery {
		if c.have, err = e.Suggest(ctx, SuggestQuery{}); err != nil {
			return nil, err
		}
		c.made, c.reviews, c.last = now, n, last
	}
	out := *c.have
	return &out, e.setAside(ctx, &out)
}

// suggestion finds one that was shown, by its pattern and its condition.
func (e *Engine) suggestion(ctx context.Context, key, when string) (*suggest.Suggestion, error) {
	const op = "engine.suggestion"
	now, err := e.CurrentSuggestions(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range now.all {
		if s.Key != key {
			continue
		}
		if s.When != when {
			return nil, fault.New(fault.Conflict, op, "the suggestion has changed with newer decisions; look at it again. Nothing was done")
		}
		return s, nil
	}
	return nil, fault.New(fault.NotFound, op, "this suggestion is not made any more: newer decisions do not bear it out. Nothing was done")
}

// AcceptSuggestion makes a suggestion a draft automation that the person owns, and returns its
// name. A draft does nothing until somebody switches it on. Accepting twice makes one draft.
func (e *Engine) AcceptSuggestion(ctx context.Context, key, when, owner, reason string) (string, error) {
	s, err := e.suggestion(ctx, key, when)
	if err != nil {
		return "", err
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		reason = "accepted a suggestion: " + s.Sentence
	}
	var name string
	err = e.db.Update(ctx, func(tx *store.Tx) error {
		name = ""
		vs, err := tx.Verdicts()
		if err != nil {
			return err
		}
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		texts, err := tx.Policy(rev)
		if err != nil {
			return err
		}
		taken := func(name string) bool {
			return slices.ContainsFunc(texts, func(t store.Text) bool { return t.Kind == KindAutomation && t.Name == name })
		}
		for _, v := range vs {
			if v.Key == key && v.Accepted && taken(v.Automation) {
				name = v.Automation
				return nil
			}
		}
		draft := *s
		for n := 2; taken(draft.Name); n++ {
			draft.Name = fmt.Sprintf("%s-%d", s.Name, n)
		}
		texts = append(texts, store.Text{Kind: KindAutomation, Name: draft.Name, Text: draft.Text(owner)})
		if _, err := Compile(texts); err != nil {
			return err
		}
		if _, _, err := tx.PutPolicy(texts, owner, reason); err != nil {
			return err
		}
		name = draft.Name
		return tx.PutVerdict(verdict(s, store.Verdict{Accepted: true, Automation: name, Author: owner, Reason: reason}))
	})
	if err != nil {
		return "", err
	}
	if err := e.Reload(ctx); err != nil {
		return name, err
	}
	e.watch.tell(Topic{Kind: "policy"})
	return name, nil
}

// RefuseSuggestion remembers that a pattern is not wanted, and why. It is not suggested again
// unless its evidence changes much.
func (e *Engine) RefuseSuggestion(ctx context.Context, key, when, by, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return fault.New(fault.Invalid, "engine.RefuseSuggestion", "say why not: whoever meets the pattern again reads it")
	}
	if len(reason) > 2000 {
		return fault.New(fault.Invalid, "engine.RefuseSuggestion", "the reason is longer than 2000 characters")
	}
	s, err := e.suggestion(ctx, key, when)
	if err != nil {
		return err
	}
	err = e.db.Update(ctx, func(tx *store.Tx) error {
		return tx.PutVerdict(verdict(s, store.Verdict{Author: by, Reason: reason}))
	})
	if err == nil {
		e.watch.tell(Topic{Kind: "policy"})
	}
	return err
}

// verdict completes what a person said with the evidence they saw.
func verdict(s *suggest.Suggestion, v store.Verdict) store.Verdict {
	v.Key, v.Sentence, v.Condition, v.Cases, v.Agreed = s.Key, s.Sentence, s.When, s.All.Cases, s.All.Agreed
	return v
}
