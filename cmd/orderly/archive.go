package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/fault"
)

func (p *program) archiveCommand() *cobra.Command {
	var before string
	var asJSON bool
	c := &cobra.Command{
		Use: "archive --before DATE", Short: "Move the reasons of old decisions into files", Args: cobra.NoArgs,
		Long: `Write every event of the months that ended before DATE (in UTC) into files, one a
month, and take from the database what the files have of their decisions: the facts they
read and what was considered. That is more than half of what an event takes up. What
happened stays in the database: orders, their stories, stock, money and messages.
Backtests and "orderly why" read the files; they look for them in archive_dir.

A row gives nothing away before its file is complete, was read back and compared with
it, event by event. A run that is broken off is begun again with the same command.
Keep the files as you keep backups. It works while "orderly serve" runs.
With archive_after a running node does this by itself, once a day.`,
		Example: examples("orderly archive --before 2026-01-01", "orderly archive --before 2026-01-01 --archive-dir /var/lib/orderly-archive"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := time.Parse(time.DateOnly, before)
			if err != nil {
				return usagef("--before wants a date like 2026-01-01, got %q", before)
			}
			return p.withShop(cmd, false, func(s *shop) error {
				if month := p.now().UTC().AddDate(0, 0, -31); t.After(month) {
					return fault.New(fault.Invalid, "archive", "--before must be at least a month ago, before %s: people still ask about what is newer", month.Format(time.DateOnly))
				}
				files, err := archive.Run(cmd.Context(), s.db, s.cfg.ArchiveDir, t, func(f archive.File) {
					if !asJSON {
						p.printf("%s: %d events, %s, checked\n", f.Name, f.Events, byteCount(f.Bytes))
					}
				})
				switch {
				case err != nil:
					return err
				case asJSON:
					return p.printJSON(map[string]any{"dir": s.cfg.ArchiveDir, "files": append([]archive.File{}, files...)})
				case len(files) == 0:
					p.printf("There is nothing to archive before %s.\n", before)
					return nil
				}
				p.printf("The files are in %s. Keep a copy of them; backtests need them.\n", s.cfg.ArchiveDir)
				return nil
			})
		},
	}
	c.Flags().StringVar(&before, "before", "", "archive the months that ended before this `DATE`, at least a month ago")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// byteCount is a size for a person.
func byteCount(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// archiveDaily archives what is old enough, once a day, until ctx ends.
func (r *running) archiveDaily(ctx context.Context) {
	if r.cfg.ArchiveAfter == 0 {
		return
	}
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		before := time.Now().AddDate(0, 0, -r.cfg.ArchiveAfter)
		_, err := archive.Run(ctx, r.db, r.cfg.ArchiveDir, before, func(f archive.File) {
			r.log.Info("old events were archived", "file", f.Name, "events", f.Events, "bytes", f.Bytes)
		})
		// Another node may have been at the same month: its files are as good.
		if err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.Conflict {
			r.log.Error("old events could not be archived; it is tried again tomorrow", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
