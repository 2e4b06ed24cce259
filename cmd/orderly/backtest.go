package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

const backtestHelp = `Try automations, or a routing policy, on everything that was recorded: what would they
have done, with the state as it was then? Nothing is changed, and nothing leaves.

A candidate is a file, a folder of files, or the name of an automation of the shop's
policy; name@VERSION is an earlier version of it, by its number. Several are tried as one set. A
file without "automation:" is a routing policy, and is tried alone.

Where the history knows how orders ended (payment.disputed), rules are scored. With
--train-until rules are ranked by what they found before that time, and scored on what
came after: also as if only 2 % and 5 % of the orders could be reviewed.`

func (p *program) backtestCommand() *cobra.Command {
	var since, until, train string
	var o backtest.Options
	var quiet, asJSON bool
	c := &cobra.Command{
		Use: "backtest FILE|NAME…", Short: "Try automations or routing on the recorded history", Args: cobra.MinimumNArgs(1),
		Long: backtestHelp,
		Example: examples("orderly backtest hold-large-first-orders.yaml", "orderly backtest hold-velocity-ip@2 --since 2026-01-01",
			"orderly backtest examples/fraud/automations --train-until 2024-03-01 --json", "orderly backtest routing.yaml"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				zone := e.Policy().Settings.TimeZone
				for _, f := range []struct {
					flag, text string
					to         *time.Time
				}{{"since", since, &o.Since}, {"until", until, &o.Until}, {"train-until", train, &o.TrainUntil}} {
					t, err := moment(f.text, zone)
					if err != nil {
						return usagef("--%s wants a date like 2026-01-31 or a time like 2026-01-31T12:00:00Z, got %q", f.flag, f.text)
					}
					*f.to = t
				}
				if o.Capacity < 0 {
					return usagef("--capacity wants a number of tasks a day")
				}
				if err := s.candidates(cmd.Context(), e, args, &o); err != nil {
					return err
				}
				old, err := archive.Open(s.cfg.ArchiveDir)
				if err != nil {
					return err
				}
				defer old.Close()
				o.DB, o.Old, o.Keys, o.Policies = s.db, old, s.keys, e
				if !quiet && terminal(p.stderr) {
					o.Progress = p.progress("events")
				}
				rep, err := backtest.Run(cmd.Context(), o)
				if o.Progress != nil {
					p.notef("\r\033[K")
				}
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(rep)
				}
				rep.WriteText(p.stdout, p.place())
				return nil
			})
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&since, "since", "", "report from this `DATE` on; what happened before is known, as it was then")
	f.StringVar(&until, "until", "", "report up to this `DATE`")
	f.StringVar(&train, "train-until", "", "rank by what happened before this `DATE`, score what came after")
	f.IntVar(&o.Capacity, "capacity", 0, "`NUMBER` of tasks the team can do a day")
	f.IntVar(&o.Samples, "samples", 10, "`NUMBER` of events to show of each automation")
	f.BoolVar(&o.Afresh, "afresh", false, "work every fact out from the history, also those stored with the decisions")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	bindJSON(f, &asJSON)
	bindCommon(f)
	return c
}

// moment reads a date in the shop's zone, or a time.
func moment(s string, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if zone == nil {
		zone = time.UTC
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

// progress shows how far something is that counts in what.
func (p *program) progress(what string) func(done, total int64) {
	start := time.Now()
	last := start
	return func(done, total int64) {
		now := time.Now()
		if now.Sub(last) < 200*time.Millisecond || total == 0 {
			return
		}
		last = now
		left := time.Duration(float64(now.Sub(start)) * float64(total-done) / float64(max(done, 1))).Round(time.Second)
		p.notef("\r\033[K%3d %%  %d of %d %s, %s left", done*100/total, done, total, what, left)
	}
}

// candidates reads what is to be tried.
func (s *shop) candidates(ctx context.Context, e *engine.Engine, args []string, o *backtest.Options) error {
	for _, arg := range args {
		files, err := policyFiles(arg)
		if err != nil {
			return err
		}
		if files == nil {
			a, err := s.named(ctx, e, arg)
			if err != nil {
				return err
			}
			o.Candidates = append(o.Candidates, a)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return fault.Wrap(err, fault.NotFound, "backtest", "the file %s cannot be read", f)
			}
			if isAutomation.Match(text) {
				a, err := automation.Parse(filepath.Base(f), text)
				if err != nil {
					return err
				}
				o.Candidates = append(o.Candidates, a)
				continue
			}
			if o.Routing != nil {
				return usagef("only one routing policy can be tried at once")
			}
			if o.Routing, err = routing.ParsePolicy(text); err != nil {
				return err
			}
		}
	}
	if o.Routing != nil && len(o.Candidates) > 0 {
		return usagef("a routing policy is tried alone, without automations")
	}
	return nil
}

var isAutomation = regexp.MustCompile(`(?m)^automation:`)

// policyFiles are the files that an argument names; nil when it names none.
func policyFiles(arg string) ([]string, error) {
	st, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(arg, "/\\") && filepath.Ext(arg) == "":
		return nil, nil
	case err != nil:
		return nil, fault.Wrap(err, fault.NotFound, "backtest", "the file %s cannot be read", arg)
	case !st.IsDir():
		return []string{arg}, nil
	}
	files, err := filepath.Glob(filepath.Join(arg, "*.yaml"))
	if err == nil && len(files) == 0 {
		err = fault.New(fault.NotFound, "backtest", "the folder %s holds no .yaml files", arg)
	}
	return files, err
}

// named finds an automation of the shop by its name, or name@version.
func (s *shop) named(ctx context.Context, e *engine.Engine, arg string) (*automation.Automation, error) {
	name, version, old := strings.Cut(arg, "@")
	if !old {
		if a := e.Policy().Automations.Get(name); a != nil {
			return a, nil
		}
		var names []string
		for _, a := range e.Policy().Automations.All() {
			names = append(names, a.Name)
		}
		hint := "; name a file, or an automation of the policy"
		if near := schema.Nearest(name, names); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return nil, fault.New(fault.NotFound, "backtest", "there is no file and no automation %q%s", name, hint)
	}
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil {
		return nil, fault.New(fault.Invalid, "backtest", "a version is a number, like %s@1; \"orderly automations versions %s\" lists them", name, name)
	}
	var v store.Version
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.VersionAt(engine.KindAutomation, name, n)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case v.N == 0:
		return nil, fault.New(fault.NotFound, "backtest", "%s has no version %d; \"orderly automations versions %s\" lists them", name, n, name)
	case v.Hash == "":
		return nil, fault.New(fault.NotFound, "backtest", "version %d of %s removed it", n, name)
	}
	return automation.Parse(name+".yaml", []byte(v.Text))
}
