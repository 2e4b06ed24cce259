package main

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

// withEngine opens a shop and an engine that takes events but delivers nothing:
// what it decides is delivered by the running server.
func (p *program) withEngine(cmd *cobra.Command, create bool, fn func(*shop, *engine.Engine) error) error {
	return p.withShop(cmd, create, func(s *shop) error {
		ctx := cmd.Context()
		e, err := engine.New(ctx, engine.Options{DB: s.db, Keyring: s.keys, Now: p.now, Logger: s.log, BaseURL: s.cfg.BaseURL})
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
folder does not hold any more is switched off. A running server decides by the new
policy from the next event on. With a problem nothing is changed; a test beside an
automation that fails is one.`,
		Example: examples("orderly apply examples/shop --dry-run", "orderly apply examples/shop --note \"hold large first orders\""),
		RunE: func(cmd *cobra.Command, args []string) error {
			texts, err := engine.ReadFolder(os.DirFS(args[0]))
			if err != nil {
				return err
			}
			var opts []engine.ApplyOption
			if failing {
				opts = append(opts, engine.AllowFailingTests())
			}
			return p.withEngine(cmd, !dry, func(_ *shop, e *engine.Engine) error {
				a, err := e.Apply(cmd.Context(), texts, "terminal", note, dry, opts...)
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
	bindCommon(c.Flags())
	return c
}

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

func (p *program) whyCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use: "why ORDER [AUTOMATION]", Short: "Say which automations fired for an order, and why the others did not",
		Args: cobra.RangeArgs(1, 2),
		Long: `Say for an order which automations fired and which did not, and which part of the
condition was false with which values. ORDER is its number, channel:number, or
Orderly's id. With an automation's name, the whole condition is shown part by part.`,
		Example: examples("orderly why 1001", "orderly why shop:1001 hold-large-first-orders", "orderly why 1001 --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 2 {
				name = args[1]
			}
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				id, title, err := s.findOrder(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				xs, err := e.Why(cmd.Context(), id, name)
				if err != nil {
					return err
				}
				if err := knownAutomation(e, name); err != nil && len(xs) == 0 { // one of an earlier policy may have been asked
					return err
				}
				if asJSON {
					if xs == nil {
						xs = []engine.Explanation{}
					}
					return p.printJSON(xs)
				}
				p.printf("%s\n", title)
				p.tellWhy(xs, name != "" || all)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show every condition part by part")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// knownAutomation refuses a name that no automation of the policy has.
func knownAutomation(e *engine.Engine, name string) error {
	set := e.Policy().Automations
	if name == "" {
		return nil
	}
	var names []string
	for _, a := range set.All() {
		if a.Name == name {
			return nil
		}
		names = append(names, a.Name)
	}
	if near := schema.Nearest(name, names); near != "" {
		return fault.New(fault.NotFound, "why", "there is no automation %q; did you mean %s?", name, near)
	}
	return fault.New(fault.NotFound, "why", "there is no automation %q in the current policy", name)
}

// findOrder finds an order by id, by channel:number, or by a number that only one channel has.
func (s *shop) findOrder(ctx context.Context, ref string) (id, title string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.OrderRows([]string{api.OrderID(ref)})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			page, err := tx.OrdersPage(store.OrderFilter{Search: ref, Limit: 20})
			if err != nil {
				return err
			}
			for _, r := range page.Rows {
				if r.Number == ref {
					rows = append(rows, r)
				}
			}
		}
		switch len(rows) {
		case 0:
			return fault.New(fault.NotFound, "why", "there is no order %q; name it by its number, by channel:number, or by its id", ref)
		case 1:
			r := rows[0]
			id, title = r.ID, r.Channel+" "+r.Number+" is "+strings.ReplaceAll(string(r.State), "_", " ")+" ("+r.ID+")"
			return nil
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.Channel+":"+r.Number)
		}
		return fault.New(fault.Invalid, "why", "several orders have the number %s: %s", ref, strings.Join(names, ", "))
	})
	return id, title, err
}

func (p *program) tellWhy(xs []engine.Explanation, parts bool) {
	if len(xs) == 0 {
		p.printf("  No automation was asked about it.\n")
	}
	event := ""
	for _, x := range xs {
		if x.EventID != event {
			event = x.EventID
			p.printf("\n%s at %s\n", x.EventType, x.At.UTC().Format("2006-01-02 15:04:05Z"))
		}
		verdict := x.Outcome
		if x.Mode != "active" {
			verdict += " (" + string(x.Mode) + ")"
		}
		p.printf("  %-12s %s\n", verdict, x.Automation)
		for _, d := range x.Did {
			p.printf("               %s\n", d)
		}
		if parts {
			if x.Why != "" {
				p.printf("               why it exists: %s\n", x.Why)
			}
			p.tellNode(x.Tree, "               ")
			continue
		}
		for _, r := range x.Reasons {
			p.printf("               %s\n", r)
		}
	}
}

// tellNode prints a condition part by part; what decided is marked.
func (p *program) tellNode(n rule.Node, indent string) {
	mark := " "
	if n.Decisive {
		mark = "*"
	}
	text := strings.Join(strings.Fields(n.Text), " ")
	if len(n.Children) == 0 || n.Loop {
		text = n.Sentence()
		p.printf("%s%s %s\n", indent, mark, text)
		if !n.Loop {
			return
		}
	} else {
		p.printf("%s%s %-7s %s\n", indent, mark, n.Outcome, text)
	}
	for _, c := range n.Children {
		p.tellNode(c, indent+"  ")
	}
}
