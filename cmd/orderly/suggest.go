package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// Of labelled orders, which nobody looked at one by one, a pattern is worth a person's look long before it is certain.
const labelAgreement = 0.15

func (p *program) suggestCommand() *cobra.Command {
	var asJSON, disputes bool
	var since, labels string
	var o suggest.Options
	c := &cobra.Command{
		Use: "suggest", Short: "Look for rules in what people decided", Args: cobra.NoArgs,
		Long: `Look for patterns in what reviewers decided about held orders, and word them as
automations with their evidence. Nothing is changed: a person accepts, edits or
refuses a suggestion on the page Suggestions of the console.

With --disputes the outcomes are how orders ended: one whose payment was disputed is bad,
every other is good. With --labels they come from a CSV file: a header and two columns,
the order's number and 1 for bad or 0 for good. Patterns are then looked for in the
oldest 70 % of those orders only, and scored on the newest 30 %.`,
		Example: examples("orderly suggest", "orderly suggest --since 90d --json", "orderly suggest --disputes", "orderly suggest --labels chargebacks.csv"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := engine.SuggestQuery{Options: o}
			var err error
			if q.Since, err = sinceTime(since, p.now()); err != nil {
				return err
			}
			if labels != "" {
				if q.Labels, err = readLabels(labels); err != nil {
					return err
				}
			}
			if q.Disputes = disputes; labels != "" || disputes {
				q.Options.Labels, q.Options.Holdback, q.Options.Outcomes = true, 0.3, []string{suggest.Reject}
				if q.Options.Agreement == 0 {
					q.Options.Agreement = labelAgreement
				}
			}
			return p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error {
				s, err := e.Suggest(cmd.Context(), q)
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(suggestJSON(s))
				}
				p.tellSuggestions(s, q.Options.Labels)
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "only orders placed since `WHEN`: a date like 2026-01-31, or an age like 90d")
	f.StringVar(&labels, "labels", "", "learn from the labels in a CSV `FILE` instead of people's decisions")
	f.BoolVar(&disputes, "disputes", false, "learn from which orders were disputed instead of people's decisions")
	f.IntVar(&o.MinCases, "cases", 8, "a pattern has at least `N` decided cases")
	f.Float64Var(&o.Agreement, "agreement", 0, "the least `SHARE` of a pattern's cases that were decided alike (0.9; with --disputes or --labels 0.15)")
	bindJSON(f, &asJSON)
	bindCommon(f)
	c.PreRunE = func(*cobra.Command, []string) error {
		if disputes && labels != "" {
			return usagef("--disputes and --labels name two sources of outcomes; give one")
		}
		if o.MinCases < 3 {
			return usagef("--cases must be 3 or more")
		}
		if o.Agreement != 0 && (o.Agreement < 0.05 || o.Agreement > 0.999) {
			return usagef("--agreement must be between 0.05 and 0.999")
		}
		return nil
	}
	return c
}

// sinceTime reads a date or an age.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	d, err := rule.ParseDuration(s)
	if err != nil {
		return time.Time{}, usagef("--since takes a date like 2026-01-31 or an age like 90d, not %q", s)
	}
	return now.Add(-d), nil
}

func readLabels(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "suggest", "the labels %s cannot be opened", path)
	}
	defer func() { _ = f.Close() }()
	return suggest.ReadLabels(filepath.Base(path), f)
}

// suggestionJSON is a suggestion with its text, as a program reads it.
type suggestionJSON struct {
	*suggest.Suggestion
	Text string `json:"text"`
}

func suggestJSON(s *engine.Suggestions) any {
	out := struct {
		*suggest.Report
		Suggestions []suggestionJSON `json:"suggestions"`
		Later       *suggest.Later   `json:"later,omitempty"`
		SetAside    []setAsideJSON   `json:"set_aside"`
	}{Report: s.Report, Suggestions: []suggestionJSON{}, Later: s.Later, SetAside: []setAsideJSON{}}
	for _, x := range s.Suggestions {
		out.Suggestions = append(out.Suggestions, suggestionJSON{x, x.Text(ownerToBe)})
	}
	for _, v := range s.SetAside {
		out.SetAside = append(out.SetAside, setAsideOf(v))
	}
	return out
}

// ownerToBe stands for the person who accepts a suggestion, in a text that nobody has accepted.
const ownerToBe = "you@shop.example"

type setAsideJSON struct {
	Key        string    `json:"key"`
	Verdict    string    `json:"verdict"`
	Sentence   string    `json:"sentence"`
	Automation string    `json:"automation,omitempty"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Reason     string    `json:"reason"`
}

func setAsideOf(v store.Verdict) setAsideJSON {
	verdict := "refused"
	if v.Accepted {
		verdict = "accepted"
	}
	return setAsideJSON{v.Key, verdict, v.Sentence, v.Automation, v.Author, v.At, v.Reason}
}

func (p *program) tellSuggestions(s *engine.Suggestions, labels bool) {
	what := "decisions of reviewers"
	if labels {
		what = "labelled orders"
	}
	p.printf("%d %s among %d orders", s.Decisions, what, s.Orders)
	if s.Decisions > 0 {
		p.printf(", %s to %s", p.local(s.From).Format(time.DateOnly), p.local(s.To).Format(time.DateOnly))
	}
	p.printf(".\n")
	switch {
	case s.Needed > 0:
		p.printf("Too few to look for patterns: %d more decisions are needed.\n", s.Needed)
	case s.Note != "":
		p.printf("%s\n", s.Note)
	default:
		p.printf("Looked for in %d, tested on %d; %d of %d patterns hold.\n", s.Learned, s.Confirmed, len(s.Suggestions)+len(s.SetAside)+len(s.Known), s.Tested)
	}
	for i, x := range s.Suggestions {
		p.printf("\n%d. %s\n", i+1, x.Sentence)
		p.printf("   found on %d of %d, tested on %d of %d, the newest %d of %d; of all others %d of %d\n", x.Learned.Agreed, x.Learned.Cases,
			x.Confirmed.Agreed, x.Confirmed.Cases, x.Lately.Agreed, x.Lately.Cases, x.Others.Agreed, x.Others.Cases)
		if s.Later != nil {
			p.printf("   on the newest orders, which were held back: %d of %d\n", s.Later.ByPattern[i].Agreed, s.Later.ByPattern[i].Cases)
		}
		p.printf("   would have fired on %d orders, %.2f a day%s\n", x.Reach, x.PerDay, moneyText(x))
		for _, w := range x.Warnings {
			p.printf("   careful: %s\n", w)
		}
		if len(x.Against) > 0 {
			var ns []string
			for _, e := range x.Against[:min(len(x.Against), 5)] {
				ns = append(ns, e.Number)
			}
			p.printf("   decided otherwise: %s\n", strings.Join(ns, ", "))
		}
		for line := range strings.Lines(x.Text(ownerToBe)) {
			p.printf("     %s", line)
		}
	}
	for _, name := range s.Known {
		p.printf("\nA pattern that holds is what %s does already.\n", name)
	}
	for _, v := range s.SetAside {
		a := setAsideOf(v)
		p.printf("\n%s by %s: %s (%s)\n", strings.ToUpper(a.Verdict[:1])+a.Verdict[1:], v.Author, v.Sentence, v.Reason)
	}
	if l := s.Later; l != nil {
		p.printf("\nOn the newest %d orders, which were held back (%d bad):\n", l.Orders, l.Bad)
		score := backtest.Score{Orders: int64(l.Orders), Bad: int64(l.Bad), Flagged: int64(l.Flagged), Hit: int64(l.Hit)}
		says := score.Says("the patterns flag")
		for _, c := range l.AtCapacity {
			k := backtest.Ranked{Share: c.Share, Capacity: int64(math.Ceil(c.Share * float64(l.Orders))), Reviewed: int64(c.Reviewed), Hit: float64(c.Hit)}
			says = append(says, k.Says(score.Bad)...)
		}
		for _, line := range says {
			p.printf("   %s\n", line)
		}
	}
}

func moneyText(x *suggest.Suggestion) string {
	var parts []string
	for _, a := range x.Money {
		parts = append(parts, a.String())
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s in the decided ones", strings.Join(parts, " and "))
}
