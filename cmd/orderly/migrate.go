package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/store"
)

func (p *program) migrateCommand() *cobra.Command {
	var from, to string
	var quiet, asJSON bool
	c := &cobra.Command{
		Use: "migrate", Short: "Bring the database up to date, or move the shop to another one", Args: cobra.NoArgs,
		Long: `Bring the database's schema up to date. "orderly serve" does so by itself; with
several nodes migrate once, then restart the nodes one by one. Take a backup before.
A database that a newer release has migrated is refused.

With --to the whole shop moves into another database, which must be empty: every
event, order, movement, task, effect, run, person and secret. Stop the shop first. It is all
or nothing: the copy is read back, compared row by row with checksums and
committed at once; a move that was interrupted has left nothing, and is begun anew. The old
database stays as it was. Then the laws of "orderly doctor" are checked on the new
one; it ends with 3 when one is broken. The key file is needed and stays the same.`,
		Example: examples("orderly migrate", "orderly migrate --db postgres://orderly@db.internal/orderly",
			"orderly migrate --from orderly-data/orderly.db --to postgres://orderly@db.internal/orderly"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				if from != "" {
					return usagef("--from needs --to: where does the shop move?")
				}
				return p.withShop(cmd, true, func(s *shop) error {
					p.printf("The schema of the %s database is up to date.\n", s.db.Engine())
					return nil
				})
			}
			return p.move(cmd, from, to, quiet, asJSON)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "move the shop from this `DATABASE` (default: that of --db)")
	f.StringVar(&to, "to", "", "move the shop into this empty `DATABASE`: a path, sqlite:PATH or postgres://user@host/name")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	bindJSON(f, &asJSON)
	bindCommon(f)
	return c
}

// movedFigures are what a move tells.
type movedFigures struct {
	Rows   int64              `json:"rows"`
	Took   string             `json:"took"`
	Tables []store.MovedTable `json:"tables"`
	Doctor doctor.Report      `json:"doctor"`
}

func (p *program) move(cmd *cobra.Command, from, to string, quiet, asJSON bool) error {
	ctx := cmd.Context()
	cfg, err := p.settings(cmd)
	if err != nil {
		return err
	}
	if from != "" {
		if cfg.DB, err = config.Database(from); err != nil {
			return usagef("--from %v", err)
		}
	}
	target := *cfg
	if target.DB, err = config.Database(to); err != nil {
		return usagef("--to %v", err)
	}
	// The key is tried on the old database: with a wrong one the new could not be opened.
	s, err := p.openShop(ctx, cfg, false)
	if err != nil {
		return err
	}
	s.close()
	start := p.now()
	var progress func(done, total int64)
	if !quiet && terminal(p.stderr) {
		progress = p.progress("rows")
	}
	tables, err := store.Move(ctx, cfg.DB, target.DB, store.Options{Now: p.now, Logger: s.log}, progress)
	if progress != nil {
		p.notef("\r\033[K")
	}
	if err != nil {
		return err
	}
	fig := movedFigures{Tables: tables, Took: p.now().Sub(start).Round(time.Millisecond).String()}
	var rows [][]string
	for _, t := range tables {
		if fig.Rows += t.Rows; t.Rows > 0 {
			rows = append(rows, []string{t.Name, strconv.FormatInt(t.Rows, 10), t.Sum})
		}
	}
	if !asJSON {
		p.table([]string{"TABLE", "ROWS", "CHECKSUM"}, rows)
		p.printf("%d rows moved in %s; both databases have the same.\n", fig.Rows, fig.Took)
	}
	s, err = p.openShop(ctx, &target, false)
	if err != nil {
		return err
	}
	defer s.close()
	if fig.Doctor, err = doctor.Check(ctx, s.db, s.keys); err != nil {
		return fault.Wrap(err, fault.KindOf(err), "migrate", "the shop has moved, but its laws could not be checked; run \"orderly doctor\" on the new database")
	}
	if asJSON {
		err = p.printJSON(fig)
	} else {
		p.tellLaws(fig.Doctor)
		p.printf("Next: start \"orderly serve --db %s\" with the same key file %s.\n", observe.Clean(shownDB(target.DB)), cfg.KeyFile)
	}
	if err == nil && !fig.Doctor.OK {
		err = &exitError{exitOffender}
	}
	return err
}

// shownDB is a database as it may be printed: without a password.
func shownDB(db string) string {
	scheme, rest, ok := strings.Cut(db, "://")
	if !ok {
		return db
	}
	who, host, ok := strings.Cut(rest, "@")
	if !ok {
		return db
	}
	name, _, _ := strings.Cut(who, ":")
	return scheme + "://" + name + "@" + host
}
