package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/proof"
)

func (p *program) checkCommand() *cobra.Command {
	var asJSON, strict bool
	c := &cobra.Command{
		Use: "check [DIR]", Short: "Run the tests beside the automations and look for what does not go together", Args: cobra.MaximumNArgs(1),
		Long: `Check a folder of files, or the shop's current policy when none is named: that
every text is valid, that every automation does what the tests beside it say, and
what can be proved of all of them together: pairs that want different things of
one order, with an order that shows it; rules that can never fire; loops. Of the
current policy it also tells the findings on the system map (orderly map).
Nothing is changed. The exit code is 1 when there is an error or a test fails.`,
		Example: examples("orderly check examples/shop", "orderly check --strict --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := p.check(cmd, args)
			if err != nil {
				return err
			}
			failed := proof.Failed(report.Tests)
			if asJSON {
				if err := p.printJSON(report); err != nil {
					return err
				}
			} else {
				p.tellReport(report, failed)
			}
			if len(failed) > 0 || report.Count(proof.Error) > 0 || strict && report.Count(proof.Warning) > 0 {
				return &exitError{exitFailure}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, "let warnings fail, too")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// check looks at a folder when one is named, else at the database's policy and what the shop has beside it.
func (p *program) check(cmd *cobra.Command, args []string) (report *proof.Report, err error) {
	if len(args) == 1 {
		texts, err := engine.ReadFolder(os.DirFS(args[0]))
		if err != nil {
			return nil, err
		}
		return engine.CheckTexts(texts)
	}
	err = p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error {
		report, err = e.Check(cmd.Context())
		return err
	})
	return report, err
}

func (p *program) tellReport(r *proof.Report, failed []proof.TestResult) {
	for _, t := range failed {
		p.printf("%s: %s: test %q: %s\n", t.At(), t.Automation, t.Name, t.Problem)
	}
	kind := proof.Kind("")
	for _, f := range r.Findings {
		if f.Kind != kind {
			kind = f.Kind
			p.printf("\n%s\n", kind.Title())
		}
		p.printf("  %-7s %s\n          %s\n", f.Severity, strings.Join(f.Automations, ", "), f.Message)
		if f.Witness != nil {
			p.printf("          shown by %s\n", f.Witness.Text)
		}
		if f.History != nil {
			p.printf("          in the past both fired on %s\n", plural(*f.History, "event"))
		}
		p.printf("          %s\n", strings.Join(f.At, ", "))
	}
	if len(r.Map) > 0 {
		p.printf("\nOn the system map\n")
	}
	for _, g := range r.Map {
		p.tellGap(g)
	}
	if len(r.Findings)+len(r.Map) > 0 {
		p.printf("\n")
	}
	p.printf("%s, %d failed. %s: %s, %s. %s looked at, %s proved, in %s.\n",
		plural(len(r.Tests), "test"), len(failed), plural(r.Automations, "automation"), plural(r.Count(proof.Error), "error"),
		plural(r.Count(proof.Warning), "warning"), plural(r.Pairs, "pair"), plural(r.Solved, "question"), r.Took.Round(time.Millisecond))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
