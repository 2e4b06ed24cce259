package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"orderly.example/orderly/internal/config"
)

// root builds the command tree.
func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "orderly",
		Short: "Run the back office of an online shop",
		Long: `Orderly takes in every order, stock movement, parcel, return and payment of an
online shop, decides what follows by rules that people can read, does it exactly
once, and hands a person what needs judgement, with the reasons.

First steps:
  orderly demo                     a sample shop with live orders, to look around
  orderly serve                    your shop; prints a link to make the first user
  orderly apply examples/shop      bring in automations, routing and shop settings
  orderly token create my-shop     a key for your shop's system to send events with

Settings come from flags, the environment (ORDERLY_…) and one YAML file, under
the same names; "orderly serve --help" lists them.`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; \"orderly help\" lists them", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.SetUsageTemplate(usageTemplate)
	root.AddCommand(p.commands()...)
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		checkArgs(c)
	}
	return root
}

// checkArgs makes wrong arguments of every command a usage error.
func checkArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{fmt.Errorf("%w\n  usage: %s", err, cmd.UseLine())}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		checkArgs(sub)
	}
}

// group completes a command that only holds others.
func group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("there is no command \"%s %s\"", cmd.CommandPath(), args[0])
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	c.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if cmd != c {
			return &usageError{err}
		}
		var names []string
		for _, sub := range subs {
			names = append(names, sub.Name())
		}
		return usagef("%s needs a command before its flags: %s", cmd.CommandPath(), strings.Join(names, ", "))
	})
	c.AddCommand(subs...)
	return c
}

// usageTemplate leaves out what teaches nothing.
const usageTemplate = `Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND{{else}}{{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about one.{{end}}
`

// examples indents the lines of an Example.
func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }

// bindCommon gives a command the settings of everything with a database.
func bindCommon(fs *pflag.FlagSet) { config.Bind(fs, config.Common...) }

// bindJSON gives a command the flag --json.
func bindJSON(fs *pflag.FlagSet, to *bool) {
	fs.BoolVar(to, "json", false, "print the figures as JSON")
}

// printJSON writes a value as indented JSON with a line end.
func (p *program) printJSON(v any) error {
	enc := json.NewEncoder(p.stdout)
	enc.SetEscapeHTML(false) // it is read in a terminal, not in a page
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table writes rows in columns.
func (p *program) table(head []string, rows [][]string) {
	w := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, r := range rows {
		_, _ = fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	_ = w.Flush()
}

// version is set by the linker for releases.
var version = ""

// buildVersion returns the release, or what the build knows of its source.
func buildVersion() string {
	if version != "" {
		return version
	}
	bi, ok := debug.ReadBuildInfo()
	if !ok {
		return "development"
	}
	if v := bi.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	rev, dirty := "", ""
	for _, s := range bi.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			rev = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if rev == "" {
		return "development"
	}
	return "development-" + rev + dirty
}

func (p *program) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: examples("orderly version", "orderly version --json"),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return p.printJSON(map[string]string{"version": buildVersion(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			p.printf("orderly %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	bindJSON(c.Flags(), &asJSON)
	return c
}
