package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orderly.example/orderly/internal/fault"
)

// liteDB is a SQLite file: one connection that writes, a few that read. The
// driver is used without database/sql, because a commit group runs some dozens of
// prepared statements on one connection and the pool's bookkeeping around each is
// most of what a small one costs.
type liteDB struct {
	path    string
	pen     pen
	commits atomic.Int64
	syncer  *syncer
	keeper  *keeper
	readers chan *liteConn
	conns   []*liteConn
	quit    chan struct{} // closed by close: nobody takes a connection any more
	wg      sync.WaitGroup
	once    sync.Once
}

// liteConn is one connection with its prepared statements.
type liteConn struct {
	c     driver.Conn
	stmts map[string]*liteStmt
	bulks map[bulkKey]*liteStmt
	args  []driver.NamedValue // reused for every statement
	open  *commit             // the writer's: the transaction that waits for its commit
}

// liteStmt is a prepared statement. busy while its rows are open: the same SQL
// inside the loop over them gets a statement of its own.
type liteStmt struct {
	driver.Stmt
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	busy  bool
	loose bool // not in the cache: closed after use
}

type bulkKey struct {
	t *table
	n int
}

// maxStmts bounds the statements kept per connection; lists with many filters make many texts.
const maxStmts = 300

const (
	writerCacheKiB = 12 << 10
	readerCacheKiB = 2 << 10
)

func openLite(ctx context.Context, path string, readers int) (*liteDB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.Open", "the database path %q cannot be used", path)
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return nil, fault.New(fault.Invalid, "store.Open", "%s is a folder; name a file in it", path)
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.Open", "the folder of %s cannot be made: %v", path, err)
	}
	if readers <= 0 {
		readers = 4
	}
	if err := registerVFS(); err != nil {
		return nil, err
	}
	db := &liteDB{path: abs, readers: make(chan *liteConn, readers), quit: make(chan struct{})}
	// NORMAL: a commit is written to the log, and the syncer makes it durable before
	// anybody hears of it. The log is synced before it is carried over, as with FULL.
	w, err := db.connect(ctx, liteVFS,
		"journal_mode(wal)", "synchronous(normal)", fmt.Sprintf("wal_autocheckpoint(%d)", mostPages),
		fmt.Sprintf("journal_size_limit(%d)", 4096*keptPages), fmt.Sprintf("cache_size(-%d)", writerCacheKiB))
	if err != nil {
		return nil, db.failed(path, err)
	}
	if err := migrateLite(ctx, abs); err != nil {
		return nil, db.failed(path, err)
	}
	for _, begin := range []string{"BEGIN IMMEDIATE", "ROLLBACK"} { // which opens the log
		if err := w.run(begin); err != nil {
			return nil, db.failed(path, err)
		}
	}
	if db.syncer, err = newSyncer(abs + "-wal"); err != nil {
		return nil, db.failed(path, err)
	}
	db.pen.conn = w
	for range readers {
		r, err := db.connect(ctx, "", "query_only(1)", fmt.Sprintf("cache_size(-%d)", readerCacheKiB))
		if err != nil {
			return nil, db.failed(path, err)
		}
		db.readers <- r
	}
	c, err := db.connect(ctx, liteVFS, "wal_autocheckpoint(0)", "cache_size(-1024)")
	if err != nil {
		return nil, db.failed(path, err)
	}
	file, err := share(abs)
	if err != nil {
		return nil, db.failed(path, err)
	}
	db.keeper = &keeper{conn: c, file: file, sync: file.Sync, long: logPages}
	ctx = context.WithoutCancel(ctx)
	db.wg.Go(func() { db.keep(ctx, db.keeper) })
	return db, nil
}

func (db *liteDB) failed(path string, err error) error {
	_ = db.closeConns()
	if fault.KindOf(err) != fault.Internal {
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "store.Open", "the database %s cannot be opened: %v", path, err)
}

func liteDSN(path, vfs string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(5000)", "foreign_keys(0)", "temp_store(memory)"}, pragmas...)}
	if vfs != "" {
		q.Set("vfs", vfs)
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

func (db *liteDB) connect(ctx context.Context, vfs string, pragmas ...string) (*liteConn, error) {
	c, err := dial(ctx, db.path, vfs, pragmas...)
	if err == nil {
		db.conns = append(db.conns, c)
	}
	return c, err
}

// close waits for the transactions that are running, as long as is reasonable: a
// connection that is closed under one would take the process along.
func (db *liteDB) close() (err error) {
	db.once.Do(func() {
		close(db.quit)
		db.wg.Wait()
		late, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if _, err = db.pen.close(late); err != nil {
			err = errLeft
			return
		}
		for range cap(db.readers) {
			select {
			case <-db.readers:
			case <-late.Done():
				err = errLeft
				return
			}
		}
		err = db.closeConns()
	})
	return err
}

var errLeft = fault.New(fault.Internal, "store.Close", "the store was closed while it was in use; what was answered is kept")

func (db *liteDB) closeConns() error {
	var errs []error
	if db.syncer != nil {
		errs = append(errs, db.syncer.close())
		db.syncer = nil
	}
	for _, c := range db.conns {
		errs = append(errs, c.close())
	}
	db.conns = nil
	if db.keeper != nil { // after the connections, see shared
		errs = append(errs, db.keeper.file.Close())
		db.keeper = nil
	}
	return errors.Join(errs...)
}

func (c *liteConn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	for _, s := range c.bulks {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.c.Close())...)
}

// view runs fn between BEGIN and COMMIT on a reader.
func (db *liteDB) view(ctx context.Context, d *DB, fn func(*Tx) error) error {
	c, err := db.read(ctx)
	if err != nil {
		return err
	}
	tx := &Tx{db: d, ctx: ctx, now: fromMicros(d.now().UnixMicro()), lite: c}
	defer func() {
		_ = c.run("ROLLBACK") // nothing was written; also after an error or a panic
		db.readers <- c
	}()
	if err := c.run("BEGIN"); err != nil {
		return err
	}
	return fn(tx)
}

// read waits for a connection that reads.
func (db *liteDB) read(ctx context.Context) (*liteConn, error) {
	select {
	case <-db.quit:
		return nil, errClosed()
	case c := <-db.readers:
		if ctx.Err() == nil {
			return c, nil
		}
		db.readers <- c
	case <-ctx.Done():
	}
	return nil, errBusy(ctx)
}

// prepare returns the cached statement for a text in the shared SQL.
func (c *liteConn) prepare(sql string) (*liteStmt, error) {
	if s, ok := c.stmts[sql]; ok && !s.busy {
		return s, nil
	}
	s, err := c.prepareText(liteSQL(sql))
	if err != nil {
		return nil, err
	}
	if _, taken := c.stmts[sql]; taken {
		s.loose = true
		return s, nil
	}
	if len(c.stmts) >= maxStmts {
		for text, old := range c.stmts {
			if !old.busy {
				_ = old.Close()
				delete(c.stmts, text)
				break
			}
		}
	}
	c.stmts[sql] = s
	return s, nil
}

func (c *liteConn) prepareText(text string) (*liteStmt, error) {
	s, err := c.c.Prepare(text)
	if err != nil {
		return nil, explain(fmt.Errorf("%w in: %s", err, text))
	}
	return &liteStmt{Stmt: s, exec: s.(driver.StmtExecContext), query: s.(driver.StmtQueryContext)}, nil
}

func (c *liteConn) bind(args []any) ([]driver.NamedValue, error) {
	out := c.args[:0]
	for i, a := range args {
		out = append(out, driver.NamedValue{Ordinal: i + 1, Value: liteArg(a)})
	}
	c.args = out
	return out, noNUL(out)
}

// noNUL refuses what PostgreSQL cannot keep, so that a shop can move there.
func noNUL(args []driver.NamedValue) error {
	for _, a := range args {
		if text, ok := a.Value.(string); ok && strings.IndexByte(text, 0) >= 0 {
			return errNUL
		}
	}
	return nil
}

// run executes a statement without arguments or result.
func (c *liteConn) run(sql string) error {
	_, err := c.exec(context.Background(), sql, nil)
	return err
}

func (c *liteConn) exec(ctx context.Context, sql string, args []any) (int64, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return 0, err
	}
	if s.loose {
		defer s.Close()
	}
	vals, err := c.bind(args)
	if err != nil {
		return 0, err
	}
	res, err := s.exec.ExecContext(ctx, vals)
	if err != nil {
		return 0, explain(err)
	}
	return res.RowsAffected()
}

func (c *liteConn) query(ctx context.Context, sql string, args []any) (*Rows, error) {
	s, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	vals, err := c.bind(args)
	var rows driver.Rows
	if err == nil {
		rows, err = s.query.QueryContext(ctx, vals)
	}
	if err != nil {
		if s.loose {
			_ = s.Close()
		}
		return nil, explain(err)
	}
	s.busy = true
	return &Rows{lite: rows, stmt: s, vals: make([]driver.Value, len(rows.Columns()))}, nil
}

// bulk writes n rows with prepared statements of a few fixed sizes.
func (c *liteConn) bulk(t *table, n int, fill func(i int, r *row)) error {
	for i := 0; i < n; {
		size := 1
		switch {
		case n-i >= 50:
			size = 50
		case n-i >= 10:
			size = 10
		}
		s, ok := c.bulks[bulkKey{t, size}]
		if !ok {
			var err error
			if s, err = c.prepareText(t.values(size)); err != nil {
				return err
			}
			c.bulks[bulkKey{t, size}] = s
		}
		r := row{lite: c.args[:0]}
		for range size {
			fill(i, &r)
			i++
		}
		c.args = r.lite
		if err := noNUL(r.lite); err != nil {
			return err
		}
		if len(r.lite) != size*len(t.cols) {
			return fault.New(fault.Internal, "store.bulk", "%d values for %d rows of %s", len(r.lite), size, t.name)
		}
		_, err := s.exec.ExecContext(context.Background(), r.lite)
		clear(c.args) // do not keep a group's documents alive
		if err != nil {
			return explain(err)
		}
	}
	return nil
}

// Rows is the result of a query, read row by row.
type Rows struct {
	lite driver.Rows
	stmt *liteStmt
	vals []driver.Value
	pgRows
	err    error
	closed bool
}

// Next moves to the next row; false at the end or after an error, see Err.
func (r *Rows) Next() bool {
	if r.closed {
		return false
	}
	if r.lite == nil {
		if r.pg.Next() {
			return true
		}
		r.err = explain(r.pg.Err())
		r.closed = true
		return false
	}
	err := r.lite.Next(r.vals)
	if err == nil {
		return true
	}
	if !errors.Is(err, io.EOF) {
		r.err = explain(err)
	}
	_ = r.Close()
	return false
}

// Scan puts the columns of the row into dest: pointers to string, int64, int,
// bool, float64, []byte, time.Time (from microseconds), or types based on string
// or an integer. NULL becomes the zero value.
func (r *Rows) Scan(dest ...any) error {
	if r.lite == nil {
		return r.scanPG(dest)
	}
	if len(dest) != len(r.vals) {
		return fmt.Errorf("store: %d columns into %d places", len(r.vals), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r.vals[i]); err != nil {
			return fmt.Errorf("%w (column %s)", err, r.lite.Columns()[i])
		}
	}
	return nil
}

// Err is the error that ended Next, if any.
func (r *Rows) Err() error { return r.err }

// Close ends the reading; it may be called twice.
func (r *Rows) Close() error {
	if r.closed {
		return r.err
	}
	r.closed = true
	if r.lite == nil {
		r.pg.Close()
		return r.err
	}
	if err := r.lite.Close(); err != nil && r.err == nil {
		r.err = explain(err)
	}
	r.stmt.busy = false
	if r.stmt.loose {
		_ = r.stmt.Close()
	}
	return r.err
}
