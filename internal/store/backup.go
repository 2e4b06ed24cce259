package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	"orderly.example/orderly/internal/fault"
)

// Backup writes a consistent copy of the database to a new file while the shop
// goes on, and checks the copy before it gets its name. The key file is not part of it.
// PostgreSQL has its own tools for this, and they are better: pg_dump.
func (db *DB) Backup(ctx context.Context, path string) error {
	if db.lite == nil {
		return fault.New(fault.Invalid, "store.Backup", "this shop is on PostgreSQL; back it up with pg_dump (or pg_basebackup), which know how")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Conflict, "store.Backup", "%s exists already; a backup never overwrites", path)
	}
	partial := path + ".partial"
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a backup that was interrupted
		return fault.Wrap(err, fault.Invalid, "store.Backup", "%s cannot be replaced", partial)
	}
	defer os.Remove(partial)
	c, err := dial(ctx, db.lite.path, "")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.Backup", "the database cannot be opened")
	}
	_, err = c.exec(ctx, "VACUUM INTO $1", []any{partial})
	if err = errors.Join(err, c.close()); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.Backup", "the copy could not be written to %s: %v", partial, err)
	}
	if err := os.Chmod(partial, 0o600); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.Backup", "the copy's permissions cannot be set")
	}
	if err := CheckFile(ctx, partial); err != nil {
		return err
	}
	if err := syncPath(partial); err != nil {
		return fault.Wrap(err, fault.Unavailable, "store.Backup", "the copy could not be made durable")
	}
	if err := os.Link(partial, path); err != nil { // unlike a rename, never overwrites
		return fault.Wrap(err, fault.Conflict, "store.Backup", "the copy could not be named %s", path)
	}
	return syncPath(filepath.Dir(path))
}

// CheckFile reports whether a file is a sound Orderly database that this program can read.
func CheckFile(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return fault.Wrap(err, fault.NotFound, "store.CheckFile", "there is no file %s", path)
	}
	bad := func(err error) error {
		return fault.Wrap(err, fault.Invalid, "store.CheckFile", "%s is not a sound Orderly database: %v", path, err)
	}
	c, err := dial(ctx, path, "", "query_only(1)")
	if err != nil {
		return bad(err)
	}
	defer c.close()
	for _, q := range []struct{ sql, want string }{
		{"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('event', 'event_key', 'orders', 'stock_move', 'goose_db_version')", "5"},
		{"PRAGMA integrity_check(1)", "ok"},
	} {
		rows, err := c.query(ctx, q.sql, nil)
		if err != nil {
			return bad(err)
		}
		got := ""
		if rows.Next() {
			err = rows.Scan(&got)
		}
		if err = errors.Join(err, rows.Close()); err != nil {
			return bad(err)
		}
		if got != q.want {
			return bad(fmt.Errorf("%s says %q, not %q", q.sql, got, q.want))
		}
	}
	return nil
}

// dial opens one connection outside the pool.
func dial(ctx context.Context, path, vfs string, pragmas ...string) (*liteConn, error) {
	cn, err := sqlite.NewConnector(liteDSN(path, vfs, pragmas...))
	if err != nil {
		return nil, err
	}
	c, err := cn.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return newLiteConn(c), nil
}

func newLiteConn(c driver.Conn) *liteConn {
	return &liteConn{c: c, stmts: map[string]*liteStmt{}, bulks: map[bulkKey]*liteStmt{}}
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
