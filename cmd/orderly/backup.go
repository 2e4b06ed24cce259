package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// backupFigures are what a backup or a restore tells about the copy.
type backupFigures struct {
	File   string `json:"file"`
	Bytes  int64  `json:"bytes"`
	Events int64  `json:"events"`
	Orders int64  `json:"orders"`
	Took   string `json:"took"`
	Key    string `json:"key_file"` // which is not part of it
	Moved  string `json:"moved,omitempty"`
}

const sqliteOnly = "this command copies SQLite files; on PostgreSQL use pg_dump and pg_restore, or your provider's backups"

func (p *program) backupCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy the database while it runs, and check the copy", Args: cobra.ExactArgs(1),
		Long: `Copy the SQLite database as of one moment, also while "orderly serve" runs, and
check the copy. FILE must not exist. The key file is not part of it: keep a copy of
the key elsewhere, since whoever has both can read everything, and without the key
what is sealed is lost.`,
		Example: examples("orderly backup /var/backups/orderly-$(date +%F).db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.settings(cmd)
			if err != nil {
				return err
			}
			if cfg.Postgres() {
				return &usageError{errors.New(sqliteOnly)}
			}
			start := p.now()
			f, err := backup(cmd.Context(), cfg.SQLitePath(), args[0])
			if err != nil {
				return err
			}
			f.Took, f.Key = p.now().Sub(start).Round(time.Millisecond).String(), cfg.KeyFile
			if asJSON {
				return p.printJSON(f)
			}
			p.printf("%s: %d bytes, %d events, %d orders, checked, in %s\n", f.File, f.Bytes, f.Events, f.Orders, f.Took)
			p.printf("The key %s is not in it; keep a copy of that file elsewhere.\n", cfg.KeyFile)
			return nil
		},
	}
	bindCommon(c.Flags())
	bindJSON(c.Flags(), &asJSON)
	return c
}

func (p *program) restoreCommand() *cobra.Command {
	var force, asJSON bool
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the database", Args: cobra.ExactArgs(1),
		Long: `Check a backup and put it in the place of the SQLite database. Stop "orderly serve"
first: while any process has the database open, nothing is done. A database that stands there is only replaced with --force, and then kept
beside it under another name. Run "orderly doctor" afterwards.`,
		Example: examples("orderly restore /var/backups/orderly-2026-11-24.db", "orderly restore --force /var/backups/orderly-2026-11-24.db"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := p.settings(cmd)
			if err != nil {
				return err
			}
			if cfg.Postgres() {
				return &usageError{errors.New(sqliteOnly)}
			}
			f, err := p.restore(cmd.Context(), cfg, args[0], force)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(f)
			}
			p.printf("%s: restored from %s, %d events, %d orders\n", f.File, args[0], f.Events, f.Orders)
			if f.Moved != "" {
				p.printf("What stood there before is now %s\n", f.Moved)
			}
			if _, err := os.Stat(cfg.KeyFile); err != nil {
				p.printf("The key file %s is missing: bring it back from where you keep it before you start.\n", cfg.KeyFile)
			}
			p.printf("Next: orderly doctor\n")
			return nil
		},
	}
	bindCommon(c.Flags())
	bindJSON(c.Flags(), &asJSON)
	c.Flags().BoolVar(&force, "force", false, "replace a database that exists, keeping it under another name")
	return c
}

// openFile opens a SQLite file that exists, in a mode: ro or rw.
func openFile(path, mode string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: url.Values{"mode": {mode}, "_pragma": {"busy_timeout(10000)"}}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// backup writes a copy of a database as of one moment. The copy gets its name
// only after it is complete, checked and on disk.
func backup(ctx context.Context, from, to string) (f backupFigures, err error) {
	const op = "backup"
	if _, err := os.Stat(from); err != nil {
		return f, fault.New(fault.NotFound, op, "there is no database at %s", from)
	}
	if _, err := os.Stat(to); err == nil {
		return f, fault.New(fault.Conflict, op, "%s exists already; a backup does not overwrite anything", to)
	}
	if info, err := os.Stat(filepath.Dir(to)); err != nil || !info.IsDir() {
		return f, fault.New(fault.NotFound, op, "the folder %s does not exist", filepath.Dir(to))
	}
	tmp := to + ".unfinished"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	// Made here and empty, so that nobody else can read it while it is written.
	if err := os.WriteFile(tmp, nil, 0o600); err != nil {
		return f, fault.Wrap(err, fault.Unavailable, op, "%s cannot be written", tmp)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // the first error counts
		}
	}()
	db, err := openFile(from, "rw")
	if err != nil {
		return f, err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", tmp); err != nil {
		return f, fault.Wrap(err, fault.Unavailable, op, "the copy could not be written")
	}
	if f, err = examine(ctx, tmp); err != nil {
		return f, err
	}
	if err := syncFile(tmp); err != nil {
		return f, err
	}
	if err := os.Rename(tmp, to); err != nil {
		return f, fault.Wrap(err, fault.Unavailable, op, "%s cannot be written", to)
	}
	f.File = to
	return f, syncFile(filepath.Dir(to))
}

// examine checks that a file is a whole database of Orderly, and counts.
func examine(ctx context.Context, path string) (f backupFigures, err error) {
	const op = "backup"
	info, err := os.Stat(path)
	if err != nil {
		return f, fault.New(fault.NotFound, op, "there is no file %s", path)
	}
	f.File, f.Bytes = path, info.Size()
	db, err := openFile(path, "ro")
	if err != nil {
		return f, err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return f, fault.Wrap(err, fault.Invalid, op, "%s is not a SQLite database", path)
	}
	if verdict != "ok" {
		return f, fault.New(fault.Invalid, op, "%s is damaged: %s", path, verdict)
	}
	if err := db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM orders) FROM policy_current").Scan(&f.Events, &f.Orders); err != nil {
		return f, fault.Wrap(err, fault.Invalid, op, "%s is not a database of Orderly", path)
	}
	return f, nil
}

func (p *program) restore(ctx context.Context, cfg *config.Config, from string, force bool) (f backupFigures, err error) {
	const op = "restore"
	start := p.now()
	to := cfg.SQLitePath()
	if f, err = examine(ctx, from); err != nil {
		return f, err
	}
	if a, errA := os.Stat(from); errA == nil {
		if b, errB := os.Stat(to); errB == nil && os.SameFile(a, b) {
			return f, fault.New(fault.Invalid, op, "%s is the database itself", from)
		}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return f, fault.Wrap(err, fault.Unavailable, op, "the folder for the database cannot be made")
	}
	// A server that has the old file open would go on answering into it, and lose what it answers.
	alone, err := store.Alone(to)
	if err != nil {
		return f, err
	}
	defer alone.Release()
	if _, err := os.Stat(to); err == nil && !force {
		return f, fault.New(fault.Conflict, op, "there is a database at %s; --force replaces it and keeps it under another name", to)
	}
	tmp := to + ".restoring"
	if err := copyFile(from, tmp); err != nil {
		return f, errors.Join(fault.Wrap(err, fault.Unavailable, op, "the backup could not be copied to %s", tmp), os.Remove(tmp))
	}
	// The log belongs to the old file, also when that is gone: beside the restored
	// one it would be read into it.
	moved := fmt.Sprintf("%s.before-%s", to, p.now().UTC().Format("20060102T150405Z"))
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		switch err := os.Rename(to+suffix, moved+suffix); {
		case err == nil && f.Moved == "":
			f.Moved = moved + suffix
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return f, fault.Wrap(err, fault.Unavailable, op, "the old database could not be moved away")
		}
	}
	if err := os.Rename(tmp, to); err != nil {
		return f, fault.Wrap(err, fault.Unavailable, op, "the restored database could not be put in its place; it is %s", tmp)
	}
	had := f
	if f, err = examine(ctx, to); err != nil {
		return f, fault.Wrap(err, fault.Invalid, op, "the database at %s is not sound after the restore; the backup %s is untouched", to, from)
	}
	if f.Events != had.Events || f.Orders != had.Orders {
		return f, fault.New(fault.Internal, op, "the database at %s holds %d events and %d orders after the restore, the backup %d and %d", to, f.Events, f.Orders, had.Events, had.Orders)
	}
	f.Moved = had.Moved
	f.File, f.Key, f.Took = to, cfg.KeyFile, p.now().Sub(start).Round(time.Millisecond).String()
	return f, syncFile(filepath.Dir(to))
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// syncFile brings a file, or the names in a folder, to disk.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
