package engine

import (
	"context"
	"slices"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/proof"
)

// Past answers questions about the history in the background; backtest.Runner does.
type Past interface {
	Past(ctx context.Context, qs []backtest.Question) backtest.Answers
}

// AskPast lets findings have the answers of the past from now on. It is called before anything is served.
func (e *Engine) AskPast(p Past) { e.past = p }

// withPast gives findings the answers of the past, as far as they are known by now.
func (e *Engine) withPast(ctx context.Context, r *proof.Report) (*proof.Report, error) {
	if e.past == nil {
		return r, nil // Report.Past says that it was not asked
	}
	return AskHistory(r, func(qs []backtest.Question) (backtest.Answers, error) { return e.past.Past(ctx, qs), nil })
}

// AskHistory gives what a report leaves open the answer of the past, as far as ask knows it. The report stays as it is.
func AskHistory(r *proof.Report, ask func([]backtest.Question) (backtest.Answers, error)) (*proof.Report, error) {
	byName := map[string]*automation.Automation{}
	for _, a := range r.Checked {
		byName[a.Name] = a
	}
	var qs []backtest.Question
	var of []int // the finding of each question
	for i := range r.Findings {
		f := &r.Findings[i]
		q := backtest.Question{}
		for _, name := range f.Automations {
			q.Automations = append(q.Automations, byName[name])
		}
		if f.Kind != proof.Open {
			continue
		}
		if f.Tag != nil {
			q = backtest.Question{List: f.Tag.List, Tag: f.Tag.Value}
		}
		qs, of = append(qs, q), append(of, i)
	}
	if len(qs) == 0 {
		return r, nil
	}
	as, err := ask(qs)
	if err != nil {
		return nil, err
	}
	out := *r
	out.Findings, out.Asking = nil, as.Asking
	for i, f := range r.Findings {
		if n := slices.Index(of, i); n >= 0 {
			h := history(as.Of[n], f.UnitOf(byName[f.Automations[0]].On))
			if h == nil && !as.Asking {
				out.Unasked = "The past could not be asked: it could not be read; the program's log says why"
			}
			if !f.Answer(h, append(r.Put(), as.Tags["order.tags"]...)) {
				continue
			}
		}
		out.Findings = append(out.Findings, f)
	}
	proof.Sort(out.Findings)
	return &out, nil
}

func history(a *backtest.Answer, of proof.Unit) *proof.History {
	if a == nil {
		return nil
	}
	h := &proof.History{Of: of, Looked: a.Looked, Times: a.Times, Unknown: a.Unknown, Since: a.Since, Until: a.Until, Whole: a.Whole}
	for _, s := range a.Seen {
		h.Seen = append(h.Seen, proof.Seen(s))
	}
	return h
}
