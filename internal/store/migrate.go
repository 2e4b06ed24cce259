package store

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"embed"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"

	"orderly.example/orderly/internal/fault"
)

//go:embed migrations/*.sql
var migrations embed.FS

var engineComment = regexp.MustCompile(`/\*(sqlite|postgres): (.*?) \*/`)

// migrationText is a migration as one engine runs it.
func migrationText(text, engine string) string {
	text = engineComment.ReplaceAllStringFunc(text, func(c string) string {
		m := engineComment.FindStringSubmatch(c)
		if m[1] != engine {
			return ""
		}
		return m[2]
	})
	if engine == "sqlite" {
		// Only "INTEGER PRIMARY KEY" makes the column the row number, and saves an index.
		text = strings.ReplaceAll(text, "BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY")
	}
	return text
}

// migrationFiles is the folder of migrations for an engine. A zip archive is the
// standard library's file system in memory.
func migrationFiles(engine string) (fs.FS, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		w, err := z.Create(strings.TrimPrefix(name, "migrations/"))
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(migrationText(string(text), engine))); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
}

// migrate brings a database up to date. One that a newer program made is refused: an older one would misread it.
func migrate(ctx context.Context, dialect goose.Dialect, engine string, db *sql.DB) error {
	files, err := migrationFiles(engine)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "store.migrate", "the migrations cannot be read")
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fault.Wrap(err, fault.Internal, "store.migrate", "the migrations cannot be read")
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if known := sources[len(sources)-1].Version; have > known {
		return fault.New(fault.Invalid, "store.migrate", "the database is of version %d, this program knows %d; use the newer program", have, known)
	}
	// A node of the version before may hold a table that a migration changes, and wait for one that it has changed. The
	// database then gives one of the two up. A migration is one transaction, so what is done stays done.
	err = again(ctx, "store.migrate", func() error {
		_, err := p.Up(ctx)
		return err
	})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "store.migrate", "the database could not be brought up to date: %v", err)
	}
	return nil
}

// openOneByOne opens a SQLite file while no other process is at the same point.
func openOneByOne(ctx context.Context, path string, readers int) (*liteDB, error) {
	l, err := oneOpening(ctx, path)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	return openLite(ctx, path, readers)
}

func migrateLite(ctx context.Context, path string) error {
	cn, err := sqlite.NewConnector(liteDSN(path, ""))
	if err != nil {
		return err
	}
	db := sql.OpenDB(cn)
	defer db.Close()
	db.SetMaxOpenConns(1)
	return migrate(ctx, goose.DialectSQLite3, "sqlite", db)
}

// migrationLock is the advisory lock under which one of several starting nodes migrates.
const migrationLock = 0x6f726465726c79

func migratePG(ctx context.Context, db *pgDB, log *slog.Logger) error {
	// A transaction holds the lock, not a session: behind a pooler nobody has a session for long.
	guard, err := db.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = guard.Rollback(context.WithoutCancel(ctx)) }() // it wrote nothing
	if _, err := guard.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return err
	}
	if _, err := guard.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	std := stdlib.OpenDBFromPool(db.pool)
	defer std.Close()
	if err := migrate(ctx, goose.DialectPostgres, "postgres", std); err != nil {
		return err
	}
	m, err := rivermigrate.New(riverpgxv5.New(db.pool), &rivermigrate.Config{Logger: quiet(log)})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "store.migrate", "the job tables could not be prepared")
	}
	err = again(ctx, "store.migrate", func() error {
		_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return fault.Wrap(err, fault.Internal, "store.migrate", "the job tables could not be brought up to date: %v", err)
	}
	return nil
}
