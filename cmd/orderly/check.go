package main

import (
	"os"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

// checked is what check found.
type checked struct {
	Tests []proof.TestResult `json:"tests"`
}

func (p *program) checkCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "check [DIR]", Short: "Run the tests beside the automations", Args: cobra.MaximumNArgs(1),
		Long: `Check a folder of files, or the shop's current policy when none is named: that
every text is valid, and that every automation does what the tests beside it say.
Nothing is changed. The exit code is 1 when a test fails.`,
		Example: examples("orderly check examples/shop", "orderly check --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			texts, err := p.policyTexts(cmd, args)
			if err != nil {
				return err
			}
			tests, err := engine.Tests(texts)
			if err != nil {
				return err
			}
			return p.tellChecked(checked{Tests: tests}, asJSON)
		},
	}
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// policyTexts reads a folder when one is named, else the database's policy.
func (p *program) policyTexts(cmd *cobra.Command, args []string) (texts []store.Text, err error) {
	if len(args) == 1 {
		return engine.ReadFolder(os.DirFS(args[0]))
	}
	err = p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error {
		texts, err = e.Texts(cmd.Context())
		return err
	})
	return texts, err
}

func (p *program) tellChecked(c checked, asJSON bool) error {
	failed := proof.Failed(c.Tests)
	if asJSON {
		if c.Tests == nil {
			c.Tests = []proof.TestResult{}
		}
		if err := p.printJSON(c); err != nil {
			return err
		}
	} else {
		for _, t := range failed {
			p.printf("%s: %s: test %q: %s\n", t.At(), t.Automation, t.Name, t.Problem)
		}
		p.printf("%d tests, %d failed.\n", len(c.Tests), len(failed))
	}
	if len(failed) > 0 {
		return &exitError{exitFailure}
	}
	return nil
}
