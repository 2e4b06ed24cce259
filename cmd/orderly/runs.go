package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

const runsHelp = `A run is one firing of an automation that may wait: for a time, an event, a person or
an answer. It stays on the version of the automation that it began with. Named by
its id, one run is shown with what every step of it did.`

func (p *program) runsCommand() *cobra.Command {
	var f store.RunFilter
	var order string
	var asJSON, waiting bool
	c := &cobra.Command{
		Use: "runs [ID]", Short: "List the runs of automations, or the steps of one", Long: runsHelp, Args: cobra.MaximumNArgs(1),
		Example: examples("orderly runs --waiting", "orderly runs --order web:1001", "orderly runs --automation delay-notice --json", "orderly runs run_2k9q4w8x1c5v3b7m"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				if len(args) == 1 {
					return p.showRun(cmd.Context(), s, args[0], asJSON)
				}
				if order != "" {
					row, err := s.findOrder(cmd.Context(), order)
					if err != nil {
						return err
					}
					f.OrderID = row.ID
				}
				if waiting {
					f.State = automation.RunWaiting
				}
				return p.listRuns(cmd.Context(), s, f, asJSON)
			})
		},
	}
	c.AddCommand(p.retryCommand())
	c.Flags().StringVar(&order, "order", "", "runs on one `ORDER`: its number, channel:number or id")
	c.Flags().StringVar(&f.Automation, "automation", "", "runs of the automation `NAME`")
	c.Flags().BoolVar(&waiting, "waiting", false, "runs that wait")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// runLine is a run in JSON.
type runLine struct {
	ID         string            `json:"id"`
	Automation string            `json:"automation"`
	Version    int64             `json:"version,omitempty"` // its number, when it is kept
	Text       string            `json:"text"`              // hash of the text that it began with
	State      string            `json:"state"`
	Reason     string            `json:"reason,omitempty"`
	Order      string            `json:"order,omitempty"`
	Event      string            `json:"event_id"`
	Started    time.Time         `json:"started"`
	Ended      *time.Time        `json:"ended,omitempty"`
	WaitsFor   string            `json:"waits_for,omitempty"`
	Until      *time.Time        `json:"until,omitempty"`
	Values     map[string]string `json:"values,omitempty"`
	Steps      []runStepLine     `json:"steps"`
	MoreSteps  int               `json:"more_steps,omitempty"`
}

type runStepLine struct {
	At       string    `json:"at"`
	Line     int       `json:"line"`
	Step     string    `json:"step"`
	In       string    `json:"in,omitempty"`
	Out      string    `json:"out,omitempty"`
	Began    time.Time `json:"began"`
	Duration string    `json:"duration,omitempty"` // "" while it waits
}

// runLineOf is a run in JSON; versions are the numbers of its automation's, by text.
func runLineOf(r *automation.Run, versions map[string]int64) runLine {
	l := runLine{
		ID: r.ID, Automation: r.Automation, Version: versions[r.Version], Text: r.Version[:min(10, len(r.Version))], State: string(r.State), Reason: r.Reason,
		Order: r.OrderID, Event: r.EventID, Started: r.Started, Steps: []runStepLine{}, MoreSteps: r.Left,
	}
	if !r.Ended.IsZero() {
		l.Ended = &r.Ended
	}
	if r.State == automation.RunWaiting {
		l.WaitsFor = waitsFor(r)
		if !r.Wait.Until.IsZero() {
			l.Until = &r.Wait.Until
		}
	}
	if len(r.Values) > 0 {
		l.Values = map[string]string{}
		for _, v := range r.Values {
			l.Values[v.Name] = v.Text
		}
	}
	for _, s := range r.Steps {
		x := runStepLine{At: s.At, Line: s.Line, Step: string(s.Kind), In: s.In, Out: s.Out, Began: s.Began}
		if !s.Ended.IsZero() {
			x.Duration = s.Ended.Sub(s.Began).String()
		}
		l.Steps = append(l.Steps, x)
	}
	return l
}

// waitsFor says in a few words what a waiting run waits for.
func waitsFor(r *automation.Run) string {
	switch w := r.Wait; {
	case r.Held != nil:
		return "its automation to act again"
	case w.Task != "":
		return "task " + w.Task
	case w.Effect != "":
		return "the answer to " + w.Effect
	case w.Event != "":
		return w.Event
	}
	return "the time"
}

func (p *program) listRuns(ctx context.Context, s *shop, f store.RunFilter, asJSON bool) error {
	f.Limit = maxListed
	var page store.RunsPage
	versions := map[string]map[string]int64{}
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		page, err = tx.RunsPage(f)
		for _, r := range page.Rows {
			if err == nil && versions[r.Automation] == nil {
				versions[r.Automation], err = tx.VersionsByText(engine.KindAutomation, r.Automation)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	runs := page.Rows
	lines := make([]runLine, len(runs))
	var rows [][]string
	for i, r := range runs {
		l := runLineOf(r, versions[r.Automation])
		lines[i] = l
		until := ""
		if l.Until != nil {
			until = p.day(*l.Until)
		}
		rows = append(rows, []string{l.ID, l.Automation, l.State, l.Order, p.day(l.Started), l.WaitsFor, until, l.Reason})
	}
	if asJSON {
		return p.printJSON(lines)
	}
	if len(rows) == 0 {
		p.printf("No runs. An automation makes one when a step of it waits: wait, wait_for, ask or call.\n")
		return nil
	}
	p.table([]string{"ID", "AUTOMATION", "STATE", "ORDER", "STARTED", "WAITS FOR", "UNTIL", "REASON"}, rows)
	if page.Next != "" {
		p.notef("Only the newest %d are shown.\n", maxListed)
	}
	return nil
}

func (p *program) showRun(ctx context.Context, s *shop, id string, asJSON bool) error {
	var r *automation.Run
	var versions map[string]int64
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		if r, err = tx.Run(id); err == nil {
			versions, err = tx.VersionsByText(engine.KindAutomation, r.Automation)
		}
		return err
	})
	if err != nil {
		return err
	}
	l := runLineOf(r, versions)
	if asJSON {
		return p.printJSON(l)
	}
	of := "a version that is not kept"
	if l.Version > 0 {
		of = fmt.Sprintf("version %d", l.Version)
	}
	p.printf("%s of %s, %s: %s", l.ID, l.Automation, of, l.State)
	if l.Reason != "" {
		p.printf(" (%s)", l.Reason)
	}
	if l.WaitsFor != "" {
		p.printf(", for %s", l.WaitsFor)
	}
	p.printf("\n")
	var rows [][]string
	for _, x := range l.Steps {
		took := x.Duration
		if took == "" {
			took = "waits"
		}
		rows = append(rows, []string{x.At, x.Step, p.second(x.Began), took, x.In, x.Out})
	}
	p.table([]string{"PLACE", "STEP", "BEGAN", "TOOK", "IN", "OUT"}, rows)
	if l.MoreSteps > 0 {
		p.notef("%d more steps were counted, not kept.\n", l.MoreSteps)
	}
	return nil
}
