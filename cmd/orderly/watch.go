package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/watch"
)

// watcher looks after the expectations of a running shop.
func (p *program) watcher(s *shop, e *engine.Engine, ps *ports) *watch.Watcher {
	return watch.New(watch.Options{
		DB: s.db, Policy: e.Policy, Now: p.now, Log: s.log, Heart: ps.heartbeat, Limit: s.cfg.DBLimit, States: []watch.State{s.rotations(), s.certificates(ps), s.subscriptions()},
		Disk: func() (free, total int64, ok bool) { return diskOf(s.cfg.SQLitePath()) },
		Submit: func(ctx context.Context, evs []event.Event) error {
			outs, err := e.Submit(ctx, evs)
			for _, o := range outs {
				if o.Status == engine.Quarantined || o.Status == engine.Conflict {
					return fault.New(fault.Internal, "watch", "%s", o.Reason)
				}
			}
			return err
		},
	})
}

func (p *program) watchCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "watch", Short: "Show what is expected, and what is silent", Args: cobra.NoArgs,
		Long: `Show every expectation and how it stands: rates that were learned from what happened, rates
that automations declare (expect), and states that must not last. A running server
looks at all of them once a minute; this command reads what it has found. It ends with 3 when something is silent.`,
		Example: examples("orderly watch", "orderly watch --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				st, err := p.watcher(s, e, newPorts(s.db, s.keys, p.now)).Status(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					err = p.printJSON(watchJSON(st))
				} else {
					p.tellWatch(st)
				}
				for _, l := range st.Lines {
					if err == nil && l.State == watch.Silent {
						return &exitError{exitOffender}
					}
				}
				return err
			})
		},
	}
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

func (p *program) tellWatch(st watch.Status) {
	age, ok := st.Age()
	switch {
	case !ok:
		p.printf("No server has looked at the expectations yet.\n\n")
	case st.Late():
		p.printf("The watch itself is silent: the last look was %s ago. Is a server running?\n\n", age.Round(time.Second))
	default:
		p.printf("Last look %s ago; it took %s.\n\n", age.Round(time.Second), st.Took.Round(time.Millisecond))
	}
	var rows [][]string
	for _, l := range st.Lines {
		last, by, limit := "", "", ""
		if !l.Last.IsZero() {
			last = p.day(l.Last)
		}
		if !l.By.IsZero() {
			by = p.day(l.By)
		}
		if l.Limit > 0 {
			limit = fmt.Sprintf("%.1f of %.1f", l.Due, l.Limit)
		}
		note := l.Missing
		if note == "" {
			note = l.About
		}
		pace := ""
		if l.PerWeek > 0 {
			pace = fmt.Sprintf("%.0f", l.PerWeek)
		}
		rows = append(rows, []string{l.State, l.Title, pace, last, limit, by, note})
	}
	p.table([]string{"STATE", "EXPECTATION", "A WEEK", "LAST SEEN", "DUE", "TOO LONG FROM", ""}, rows)
	for _, w := range st.SelfTest.Ways {
		p.printf("self-test of %s by %s: %s\n", st.SelfTest.Date, w.Connection, strings.TrimSpace(w.State+" "+w.Error))
	}
	if st.Beat.Connection != "" {
		p.printf("heartbeat %s: last heard %s %s\n", st.Beat.Connection, p.second(st.Beat.Last), st.Beat.Error)
	}
}

// watchLine is an expectation in JSON.
type watchLine struct {
	Name    string     `json:"name"`
	Title   string     `json:"title"`
	State   string     `json:"state"`
	Note    string     `json:"note,omitempty"`
	PerWeek float64    `json:"per_week,omitempty"`
	Last    *time.Time `json:"last,omitempty"`
	By      *time.Time `json:"too_long_from,omitempty"`
	Due     float64    `json:"due,omitempty"`
	Limit   float64    `json:"limit,omitempty"`
	Alarms  float64    `json:"false_alarms_per_month,omitempty"`
}

type watchReport struct {
	LastLook     *time.Time  `json:"last_look,omitempty"`
	Took         string      `json:"took,omitempty"`
	Late         bool        `json:"late"`
	Expectations []watchLine `json:"expectations"`
}

func watchJSON(st watch.Status) watchReport {
	out := watchReport{Late: st.Late(), Expectations: []watchLine{}}
	if !st.Done.IsZero() {
		out.LastLook, out.Took = &st.Done, st.Took.String()
	}
	for _, l := range st.Lines {
		x := watchLine{Name: l.Name, Title: l.Title, State: l.State, Note: l.Missing, PerWeek: l.PerWeek, Due: l.Due, Limit: l.Limit, Alarms: l.Alarms}
		if !l.Last.IsZero() {
			x.Last = &l.Last
		}
		if !l.By.IsZero() {
			x.By = &l.By
		}
		out.Expectations = append(out.Expectations, x)
	}
	return out
}
