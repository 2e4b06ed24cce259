package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/yamltext"
)

const versionsHelp = `Every change of an automation is kept as a version, counted from 1 for each automation,
whether it came from the console's editor or from "orderly apply". A rollback makes an
earlier text the current one again, as a new version, in the mode it has now.`

// versionCommands are the commands about the versions of an automation.
func (p *program) versionCommands() []*cobra.Command {
	subs := []*cobra.Command{p.automationVersions(), p.automationDiff(), p.automationRollback()}
	for _, c := range subs {
		bindCommon(c.Flags())
	}
	return subs
}

func (p *program) automationVersions() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "versions NAME", Short: "List the versions of an automation, newest first", Args: cobra.ExactArgs(1), Long: versionsHelp,
		Example: examples("orderly automations versions hold-large-orders"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				vs, err := s.versions(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					var out []map[string]any
					for _, v := range vs {
						out = append(out, map[string]any{"version": v.N, "revision": v.Rev, "at": v.Created, "author": v.Author, "reason": v.Note, "removed": v.Hash == "", "text": v.Text})
					}
					return p.printJSON(out)
				}
				var rows [][]string
				for _, v := range vs {
					note := v.Note
					if v.Hash == "" {
						note = "(removed) " + note
					}
					rows = append(rows, []string{strconv.FormatInt(v.N, 10), p.day(v.Created), v.Author, note})
				}
				p.table([]string{"VERSION", "AT", "AUTHOR", "REASON"}, rows)
				return nil
			})
		},
	}
	bindJSON(c.Flags(), &asJSON)
	return c
}

// versions lists the versions of an automation; none is an error.
func (s *shop) versions(ctx context.Context, name string) (vs []store.Version, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		vs, err = tx.Versions(engine.KindAutomation, name, 0, maxListed)
		if err == nil && len(vs) == 0 {
			err = fault.New(fault.NotFound, "automations", "there is no automation %q, and there never was", name)
		}
		return err
	})
	return vs, err
}

// versionOf returns the one of a number, 0 being the newest.
func versionOf(vs []store.Version, name, number string) (now, before store.Version, err error) {
	for i, v := range vs {
		if number != "" && number != strconv.FormatInt(v.N, 10) {
			continue
		}
		if i+1 < len(vs) {
			before = vs[i+1]
		}
		return v, before, nil
	}
	return now, before, fault.New(fault.NotFound, "automations", "%s has no version %s; \"orderly automations versions %s\" lists them", name, number, name)
}

func (p *program) automationDiff() *cobra.Command {
	return &cobra.Command{
		Use: "diff NAME [VERSION [VERSION]]", Short: "Show what a version changed, or compare two", Args: cobra.RangeArgs(1, 3), Long: versionsHelp,
		Example: examples("orderly automations diff hold-large-orders", "orderly automations diff hold-large-orders 3 7"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				vs, err := s.versions(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				numbers := append(args[1:], "", "")
				to, from, err := versionOf(vs, args[0], numbers[0])
				if err == nil && len(args) == 3 {
					from = to
					to, _, err = versionOf(vs, args[0], numbers[1])
				}
				if err != nil {
					return err
				}
				before := "nothing: this is its first version"
				if from.N > 0 {
					before = fmt.Sprintf("%s, version %d", args[0], from.N)
				}
				p.printf("--- %s\n+++ %s, version %d by %s: %s\n", before, args[0], to.N, to.Author, to.Note)
				for _, l := range yamltext.Near(yamltext.Diff(from.Text, to.Text), 3) {
					if l.Sign == 0 {
						p.printf("  …\n")
						continue
					}
					p.printf("%c %s\n", l.Sign, l.Text)
				}
				return nil
			})
		},
	}
}

func (p *program) automationRollback() *cobra.Command {
	var reason string
	var asJSON bool
	c := &cobra.Command{
		Use: "rollback NAME VERSION", Short: "Make an earlier version the current one again", Args: cobra.ExactArgs(2), Long: versionsHelp,
		Example: examples("orderly automations rollback hold-large-orders 3 --reason \"held too much\""),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || n < 1 {
				return usagef("a version is a number, like 3; \"orderly automations versions %s\" lists them", args[0])
			}
			if reason == "" {
				return usagef("give the reason: --reason \"held too much\"; the next person reads it")
			}
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ApplyAutomation, ownerOf(e, args[0]))
				if err != nil {
					return err
				}
				a, err := e.Rollback(cmd.Context(), args[0], n, who.by, who.said(reason))
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(a)
				}
				switch {
				case a.Proposed:
					p.printf("%s", waitsForSecond)
				case !a.Changed:
					p.printf("Nothing changed: version %d of %s says what is in force.\n", n, args[0])
				default:
					p.printf("Version %d of %s is in force again, as version %d.\n", n, args[0], a.Version)
				}
				for _, w := range a.Warnings {
					p.notef("warning: %s\n", w)
				}
				return nil
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` why, kept with the version (required)")
	bindAs(c.Flags())
	bindJSON(c.Flags(), &asJSON)
	return c
}
