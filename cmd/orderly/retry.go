package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
)

// retryLine is a run that is tried again, in JSON.
type retryLine struct {
	Run   string          `json:"run"`
	Next  string          `json:"next,omitempty"` // the run in its place
	From  string          `json:"from"`
	Steps []retryStepLine `json:"steps"`
	Risks []string        `json:"risks"`
}

type retryStepLine struct {
	At   string `json:"at"`
	Step string `json:"step"`
	Then string `json:"then"`
	Risk bool   `json:"risk"`
}

func (p *program) retryCommand() *cobra.Command {
	var from string
	var twice, dry, asJSON bool
	c := &cobra.Command{
		Use: "retry RUN", Short: "Begin a run that failed again", Args: cobra.ExactArgs(1),
		Long: `Begin a run that failed again, at the step that failed or at an earlier one. The
failed run stays as it is; another one takes its place, on the same text and with
what the steps before have found out. What may have happened already is done again
only with --twice. Whoever asks second gets the run that the first began.`,
		Example: examples("orderly runs retry run_2k9q4w8x1c5v3b7m --dry-run", "orderly runs retry run_2k9q4w8x1c5v3b7m", "orderly runs retry run_2k9q4w8x1c5v3b7m --from 0 --twice"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ReplayEffect)
				if err != nil {
					return err
				}
				id := args[0]
				plan, err := e.PreviewRetry(cmd.Context(), id, from)
				if err != nil {
					return err
				}
				l := retryLine{Run: id, From: plan.From, Risks: append([]string{}, plan.Risks...)}
				for _, s := range plan.Steps {
					l.Steps = append(l.Steps, retryStepLine{s.At, string(s.Kind), s.Then, s.Risk})
				}
				if !dry {
					if l.Next, err = e.RetryRun(cmd.Context(), id, from, twice, who.by); err != nil {
						return err
					}
				}
				if asJSON {
					return p.printJSON(l)
				}
				p.tellRetry(plan, l.Next)
				return nil
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", "the `PLACE` of the step to begin at, as \"orderly runs RUN\" lists it (default: the step that failed)")
	c.Flags().BoolVar(&twice, "twice", false, "also what may have happened: it may happen twice; it is kept that you said so")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would be done")
	bindAs(c.Flags())
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

func (p *program) tellRetry(plan *decide.Retry, next string) {
	var rows [][]string
	for _, s := range plan.Steps {
		rows = append(rows, []string{s.At, string(s.Kind), fmt.Sprint(s.Line), s.Then})
	}
	p.table([]string{"PLACE", "STEP", "LINE", "WHAT IS DONE"}, rows)
	if len(plan.Risks) > 0 {
		p.notef("It may happen twice: %s.\n", strings.Join(plan.Risks, "; "))
	}
	if next == "" {
		p.printf("Nothing was done.\n")
		return
	}
	p.printf("%s takes its place.\n", next)
}
