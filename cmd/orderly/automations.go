package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

const automationsHelp = `An automation grows up in modes: draft is kept only; shadow decides live, does
nothing and reports each day what it would have done; canary acts on a stable
share of the orders and is watched; active acts on all. A stopped one does
nothing, whatever its mode, until a person lets it go on; its limits, its trial
as a canary and every person may stop it.`

// automationLine is one automation as the terminal shows it.
type automationLine struct {
	Name    string `json:"name"`
	Mode    string `json:"mode"`
	Share   int    `json:"share,omitempty"`
	On      string `json:"on"`
	Owner   string `json:"owner"`
	Why     string `json:"why"`               // it exists
	Stopped string `json:"stopped,omitempty"` // why
	Since   string `json:"stopped_since,omitempty"`
	By      string `json:"stopped_by,omitempty"`
}

func (p *program) automationsCommand() *cobra.Command {
	var asJSON bool
	var reason, share string
	list := &cobra.Command{
		Use: "list", Short: "List the automations with their modes, and what stopped them", Args: cobra.NoArgs, Long: automationsHelp,
		Example: examples("orderly automations list", "orderly automations list --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				var guards map[string]*automation.Guard
				err := s.db.View(cmd.Context(), func(tx *store.Tx) (err error) {
					guards, err = tx.AllGuards()
					return err
				})
				if err != nil {
					return err
				}
				lines := []automationLine{}
				var out, stops [][]string
				for _, a := range e.Policy().Automations.All() {
					l := automationLine{Name: a.Name, Mode: string(a.Mode), Share: a.Share, On: a.On, Owner: a.Owner, Why: a.Why}
					mode := l.Mode
					if a.Mode == automation.Canary {
						mode += " " + strconv.Itoa(a.Share) + "%"
					}
					if g := guards[a.Name]; g != nil && g.Stop != nil {
						l.Stopped, l.Since, l.By = g.Stop.Reason, g.Stop.Since.UTC().Format(time.RFC3339), g.Stop.By
						mode = "stopped"
					}
					lines = append(lines, l)
					out = append(out, []string{l.Name, mode, l.On, l.Owner, strings.Join(strings.Fields(l.Why), " ")})
					if l.Stopped != "" {
						stops = append(stops, []string{l.Name, p.day(guards[a.Name].Stop.Since), l.By, l.Stopped})
					}
				}
				if asJSON {
					return p.printJSON(lines)
				}
				p.table([]string{"NAME", "MODE", "ON", "OWNER", "WHY IT EXISTS"}, out)
				if len(stops) > 0 {
					p.printf("\n")
					p.table([]string{"STOPPED", "SINCE", "BY", "BECAUSE"}, stops)
				}
				return nil
			})
		},
	}
	bindJSON(list.Flags(), &asJSON)
	bindCommon(list.Flags())

	mode := &cobra.Command{
		Use: "mode NAME MODE", Short: "Give an automation another mode", Args: cobra.ExactArgs(2),
		Long: automationsHelp + `

MODE is draft, shadow, canary or active, which writes a new version of its text, or
paused, which stops it at once above whatever the text says.`,
		Example: examples(`orderly automations mode hold-large-orders canary --share 10% --reason "a week in shadow looked right"`,
			`orderly automations mode hold-large-orders paused --reason "sale: large orders are expected"`),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := engine.ModeChange{Name: args[0], Mode: automation.Mode(args[1])}
			if share != "" {
				n, err := strconv.Atoi(strings.TrimSuffix(share, "%"))
				if err != nil || n < 1 || n > 99 || c.Mode != automation.Canary {
					return usagef("--share is a percentage from 1%% to 99%%, with the mode canary")
				}
				c.Share = n
			}
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ApplyAutomation, ownerOf(e, c.Name))
				if err != nil {
					return err
				}
				c.By, c.Reason = who.by, who.said(reason)
				waits, err := e.ProposeMode(cmd.Context(), c)
				if waits && err == nil {
					p.printf("%s", waitsForSecond)
					return nil
				}
				if err != nil {
					return err
				}
				if err := e.SetMode(cmd.Context(), c); err != nil {
					return err
				}
				p.printf("%s is %s.\n", c.Name, c.Mode)
				return nil
			})
		},
	}
	mode.Flags().StringVar(&share, "share", "", "`PERCENT` of the orders that a canary acts on")
	mode.Flags().StringVar(&reason, "reason", "", "`TEXT` why; kept, and told to the owner (required)")
	bindAs(mode.Flags())
	bindCommon(mode.Flags())

	resume := &cobra.Command{
		Use: "resume NAME", Short: "Let a stopped automation go on", Args: cobra.ExactArgs(1), Long: automationsHelp,
		Example: examples(`orderly automations resume hold-large-orders --reason "it was the sale; the limit is higher now"`),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ApplyAutomation, ownerOf(e, args[0]))
				if err != nil {
					return err
				}
				if err := e.Resume(cmd.Context(), args[0], who.by, who.said(reason)); err != nil {
					return err
				}
				p.printf("%s goes on; its limits count anew.\n", args[0])
				return nil
			})
		},
	}
	resume.Flags().StringVar(&reason, "reason", "", "`TEXT` why; kept (required)")
	bindAs(resume.Flags())
	bindCommon(resume.Flags())
	subs := append([]*cobra.Command{list, mode, resume}, p.versionCommands()...)
	return group(&cobra.Command{Use: "automations", Short: "See and change what the automations may do", Long: automationsHelp}, subs...)
}
