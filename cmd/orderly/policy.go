package main

import (
	"context"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/engine"
)

// withEngine opens a shop and an engine that takes events but delivers nothing:
// what it decides is delivered by the running server.
func (p *program) withEngine(cmd *cobra.Command, create bool, fn func(*shop, *engine.Engine) error) error {
	return p.withShop(cmd, create, func(s *shop) error {
		ctx := cmd.Context()
		old, err := archive.Open(s.cfg.ArchiveDir)
		if err != nil {
			return err
		}
		defer old.Close()
		e, err := engine.New(ctx, engine.Options{DB: s.db, Old: old, Rates: s.heard, Keyring: s.keys, Now: p.now, Logger: s.log, BaseURL: s.cfg.BaseURL})
		if err != nil {
			return err
		}
		err = fn(s, e)
		if cerr := e.Close(context.WithoutCancel(ctx)); err == nil {
			err = cerr
		}
		return err
	})
}

func (p *program) applyCommand() *cobra.Command {
	var dry, asJSON, failing bool
	var note string
	c := &cobra.Command{
		Use: "apply DIR", Short: "Make a folder of files the shop's policy", Args: cobra.ExactArgs(1),
		Long: `Make a folder of files the shop's whole policy, after checking all of it:
  shop.yaml              the shop's settings
  routing.yaml           where orders ship from
  automations/*.yaml     one automation a file
  templates/*.liquid     messages that replace the built-in ones
Every version is kept; decisions name the one they were made under. What the
folder does not hold any more is switched off; only the settings stay when it has
no shop.yaml. A running server decides by the new
policy from the next event on. With a problem nothing is changed; a test beside an
automation that fails is one. With four_eyes_activation in shop.yaml, a folder that
lets an automation begin to act waits for a second person to confirm it in the
console, and the first one says who they are with --as.`,
		Example: examples("orderly apply examples/shop --dry-run", "orderly apply examples/shop --note \"hold large first orders\""),
		RunE: func(cmd *cobra.Command, args []string) error {
			texts, err := policyTexts(args[0], false)
			if err != nil {
				return err
			}
			var opts []engine.ApplyOption
			if failing {
				opts = append(opts, engine.AllowFailingTests())
			}
			return p.withEngine(cmd, !dry, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ApplyAutomation)
				if err != nil {
					return err
				}
				if who.by != engine.Terminal && note == "" {
					note = "A folder"
				}
				a, err := e.Apply(cmd.Context(), texts, who.by, who.said(note), dry, opts...)
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(a)
				}
				p.tellApplied(a, dry)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&dry, "dry-run", false, "check and compare; change nothing")
	c.Flags().BoolVar(&failing, "allow-failing-tests", false, "apply although tests beside automations fail")
	c.Flags().StringVar(&note, "note", "", "`TEXT` why, kept with the revision")
	bindJSON(c.Flags(), &asJSON)
	bindAs(c.Flags())
	bindCommon(c.Flags())
	return c
}

// waitsForSecond is said where the shop asks for four eyes.
const waitsForSecond = "It is kept, and waits for a second person to confirm it in the console under Review. Until then nothing changes.\n"

func (p *program) tellApplied(a engine.Applied, dry bool) {
	for _, l := range []struct {
		sign  string
		names []string
	}{{"+", a.Added}, {"~", a.Updated}, {"-", a.Removed}} {
		for _, n := range l.names {
			p.printf("%s %s\n", l.sign, n)
		}
	}
	switch {
	case a.Proposed && dry:
		p.printf("Everything is valid. A second person would have to confirm it. Nothing was changed: --dry-run.\n")
	case a.Proposed:
		p.printf("%s", waitsForSecond)
	case !a.Changed:
		p.printf("Nothing changed; the policy is revision %d.\n", a.Revision)
	case dry:
		p.printf("Everything is valid. Nothing was changed: --dry-run.\n")
	default:
		p.printf("The policy is revision %d now.\n", a.Revision)
	}
	for _, w := range a.Warnings {
		p.notef("warning: %s\n", w)
	}
}

func (p *program) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export DIR", Short: "Write the shop's policy as a folder of files", Args: cobra.ExactArgs(1),
		Long:    "Write the current policy as the folder that \"orderly apply\" reads. Files of the same names are overwritten.",
		Example: examples("orderly export policy && git -C policy diff"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error {
				files, err := e.WriteFolder(cmd.Context(), args[0])
				for _, f := range files {
					p.printf("%s\n", f)
				}
				if err == nil && len(files) == 0 {
					p.notef("The shop has no policy yet; \"orderly apply DIR\" brings one in.\n")
				}
				return err
			})
		},
	}
	bindCommon(c.Flags())
	return c
}
