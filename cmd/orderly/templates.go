package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	samples "orderly.example/orderly/examples"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
)

const templatesHelp = `Templates are automations to begin with: each says what it is for, when not to use
it, what to fill in, and brings its tests. The console offers them in its editor.`

// templateLine is a template as the terminal lists it.
type templateLine struct {
	Name     string            `json:"name"`
	Group    string            `json:"group"`
	Title    string            `json:"title"`
	For      string            `json:"for"`
	NotFor   string            `json:"not_for"`
	Settings map[string]string `json:"settings"` // label by place
}

func (p *program) templatesCommand() *cobra.Command {
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the templates", Args: cobra.NoArgs, Long: templatesHelp,
		Example: examples("orderly templates list", "orderly templates list --json"),
		RunE: func(*cobra.Command, []string) error {
			ts, err := automation.Templates(samples.Templates())
			if err != nil {
				return err
			}
			lines := []templateLine{}
			var out [][]string
			for _, t := range ts {
				l := templateLine{Name: t.Name, Group: t.Group, Title: t.Title, For: t.For, NotFor: t.NotFor, Settings: map[string]string{}}
				for _, s := range t.Settings {
					l.Settings[s.Place()] = s.Label
				}
				lines = append(lines, l)
				out = append(out, []string{t.Name, t.Group, t.Title})
			}
			if asJSON {
				return p.printJSON(lines)
			}
			p.table([]string{"NAME", "GROUP", "WHAT"}, out)
			return nil
		},
	}
	bindJSON(list.Flags(), &asJSON)

	show := &cobra.Command{
		Use: "show NAME", Short: "Show a template with its settings and its text", Args: cobra.ExactArgs(1), Long: templatesHelp,
		Example: examples("orderly templates show hold-velocity"),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := template(args[0])
			if err != nil {
				return err
			}
			p.printf("%s\n\n%s\nWhen not to use it: %s\n\n", t.Title, t.For, t.NotFor)
			var out [][]string
			for _, s := range t.Settings {
				out = append(out, []string{s.Place(), s.Label, s.Hint})
			}
			p.table([]string{"SETTING", "WHAT", ""}, out)
			p.printf("\n%s", t.Text)
			return nil
		},
	}

	var owner, name, dir string
	var sets []string
	use := &cobra.Command{
		Use: "use NAME", Short: "Fill in a template", Args: cobra.ExactArgs(1),
		Long: templatesHelp + `

The automation is written as a draft: read it, then let it go on with "orderly
automations mode". Its tests are run; one that fails names what the values changed.`,
		Example: examples(`orderly templates use hold-velocity --owner risk@shop.example --set do/0/sla=2h`,
			`orderly templates use hold-large --owner risk@shop.example --set 'when=900 EUR' --out shop/automations`),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := template(args[0])
			if err != nil {
				return err
			}
			values := map[string]string{}
			for _, s := range sets {
				k, v, ok := strings.Cut(s, "=")
				if !ok {
					return usagef("--set takes SETTING=VALUE, got %q", s)
				}
				values[k] = v
			}
			text, err := t.Fill(name, owner, values)
			if err != nil {
				return err
			}
			return p.useTemplate(text, dir)
		},
	}
	use.Flags().StringVar(&owner, "owner", "", "`MAIL` of who answers for it (required)")
	use.Flags().StringVar(&name, "name", "", "`NAME` of the automation; the template's when left out")
	use.Flags().StringArrayVar(&sets, "set", nil, "`SETTING=VALUE`; may be given several times")
	use.Flags().StringVar(&dir, "out", "", "`DIR` to write NAME.yaml into, instead of showing it")
	return group(&cobra.Command{Use: "templates", Short: "Begin an automation from a template", Long: templatesHelp}, list, show, use)
}

func template(name string) (*automation.Template, error) {
	ts, err := automation.Templates(samples.Templates())
	if err != nil {
		return nil, err
	}
	return automation.TemplateNamed(ts, name)
}

// useTemplate shows a filled-in template or writes its file, and runs its tests.
func (p *program) useTemplate(text, dir string) error {
	a, err := automation.Parse("template.yaml", []byte(text))
	if err != nil {
		return err
	}
	if dir == "" {
		p.printf("%s", text)
	} else {
		file := filepath.Join(dir, a.Name+".yaml")
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return fault.New(fault.Conflict, "templates", "%s is there already; choose another --name", file)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fault.Wrap(err, fault.Invalid, "templates", "the folder %s cannot be made", dir)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return fault.Wrap(err, fault.Invalid, "templates", "%s cannot be written", file)
		}
		p.printf("%s\n", file)
	}
	for _, r := range proof.Failed(proof.Tests(engine.DefaultSettings(), []*automation.Automation{a})) {
		p.notef("note: with these values the test %q fails: %s; change the test too\n", r.Name, r.Problem)
	}
	return nil
}
