package main

import (
	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/doctor"
)

func (p *program) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Check every law on the stored data", Args: cobra.NoArgs,
		Long: `Check on the stored data what must always hold: stock is what its ledger adds up
to and was never oversold, orders moved along the state table, every event that was
answered is kept once, no message is doubled, history made nothing leave, and more.
It only reads, also while "orderly serve" runs. It ends with 3 when a law is broken
and says of each what it means to the shop, how bad that is and what to do next.
Most such offences are a bug of ours: keep the database and report it.`,
		Example: examples("orderly doctor", "orderly doctor --json | jq .ok"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				rep, err := doctor.Check(cmd.Context(), s.db, s.keys)
				if err != nil {
					return err
				}
				if asJSON {
					err = p.printJSON(rep)
				} else {
					p.tellLaws(rep)
				}
				if err == nil && !rep.OK {
					err = &exitError{exitOffender}
				}
				return err
			})
		},
	}
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

func (p *program) tellLaws(rep doctor.Report) {
	broken := 0
	for _, l := range rep.Laws {
		verdict := "ok"
		if !l.OK {
			verdict = "BROKEN"
			broken++
		}
		p.printf("%-7s %-26s %9d checked  %s\n", verdict, l.Name, l.Checked, l.Says)
		if !l.OK {
			p.printf("        first offender: %s\n        what it means:  %s\n        how bad:        %s\n", l.Offender, l.Means, l.Bad)
		}
		if l.Advice != "" {
			p.printf("        what to do:     %s\n", l.Advice)
		}
	}
	if broken == 0 {
		p.printf("All %d laws hold.\n", len(rep.Laws))
		return
	}
	p.printf("%d of %d laws are broken. Begin with those that say \"look now\"; only the first offender of each is named.\n", broken, len(rep.Laws))
}
