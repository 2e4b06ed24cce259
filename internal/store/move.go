package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/fault"
)

// MovedTable is one table that Move copied: how many rows, and the sum of their
// hashes, which is the same on both sides.
type MovedTable struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	Sum  string `json:"checksum"`
}

// shape is a table as both engines have it.
type shape struct {
	name string
	cols string // like "id text, at bigint", as bulkInto reads it
	into *table
	seed tally // what a new database has in it
}

// tally counts rows and adds up their hashes; the order of the rows is no part of it,
// because the two engines sort texts differently.
type tally struct {
	rows   int64
	hi, lo uint64
}

// Move copies a whole shop from one database into another, empty one: every table,
// every row. It is all or nothing: one transaction writes everything, reads it back,
// compares counts and checksums, and only then commits. The source is read as of one moment
// and not changed, but for being brought up to date first. Both must be out of use.
// progress may be nil.
func Move(ctx context.Context, from, to string, o Options, progress func(done, total int64)) ([]MovedTable, error) {
	const op = "store.Move"
	if same(from, to) {
		return nil, fault.New(fault.Invalid, op, "the shop is to move from a database into the same one; name another with --to")
	}
	for _, url := range []string{from, to} {
		alone, err := aloneOf(url, url == from)
		if err != nil {
			return nil, err
		}
		defer alone.Release()
	}
	src, err := Open(ctx, from, o)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	dst, err := Open(ctx, to, o)
	if err != nil {
		return nil, err
	}
	defer dst.Close()
	tables, err := shapes(ctx)
	if err != nil {
		return nil, err
	}
	var moved []MovedTable
	err = src.View(ctx, func(in *Tx) error {
		if err := in.quietSource(); err != nil {
			return err
		}
		total := int64(0)
		for _, t := range tables {
			var n int64
			if err := in.QueryRow("SELECT count(*) FROM " + t.name).Scan(&n); err != nil {
				return err
			}
			total += n
		}
		return dst.UpdateBulk(ctx, func(out *Tx) error {
			moved = moved[:0]
			return moveTables(in, out, tables, func(done int64) {
				if progress != nil {
					progress(done, total)
				}
			}, func(m MovedTable) { moved = append(moved, m) })
		})
	})
	if err != nil {
		return nil, err
	}
	return moved, dst.optimize(ctx)
}

// same reports whether two URLs name one database, as far as their texts tell.
func same(a, b string) bool {
	pa, oka := litePath(a)
	pb, okb := litePath(b)
	if !oka || !okb {
		return a == b
	}
	pa, erra := filepath.Abs(pa)
	pb, errb := filepath.Abs(pb)
	return erra == nil && errb == nil && pa == pb
}

// litePath is the file that a URL names; ok is false when it names a server.
func litePath(url string) (path string, ok bool) {
	scheme, rest, cut := strings.Cut(url, ":")
	if cut && scheme == "sqlite" {
		return rest, true
	}
	return url, !strings.Contains(url, "://")
}

// aloneOf keeps every other process away from a SQLite file.
func aloneOf(url string, source bool) (*Lock, error) {
	path, ok := litePath(url)
	if !ok {
		return nil, nil
	}
	_, err := os.Stat(path)
	if source && errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "store.Move", "there is no database at %s", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.Move", "the folder of %s cannot be made", path)
	}
	return Alone(path)
}

// quietSource refuses a PostgreSQL on which nodes work: what they take in after this moment would stay behind.
func (tx *Tx) quietSource() error {
	if tx.pg == nil {
		return nil
	}
	// The copy may take longer than a node may rest in a transaction.
	if _, err := tx.pg.Exec(tx.ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return explain(err)
	}
	var nodes int64
	if err := tx.QueryRow("SELECT count(*) FROM river_leader WHERE expires_at > now()").Scan(&nodes); err != nil {
		return err
	}
	if nodes > 0 {
		return fault.New(fault.Conflict, "store.Move", "a node works on the database the shop is to move from; stop every \"orderly serve\" on it and try again in a minute")
	}
	return nil
}

// shapes are the tables of the schema, read off a new database in a temporary file.
func shapes(ctx context.Context) ([]*shape, error) {
	dir, err := os.MkdirTemp("", "orderly-schema-")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store.Move", "no temporary folder can be made")
	}
	defer os.RemoveAll(dir)
	blank, err := Open(ctx, filepath.Join(dir, "blank.db"), Options{ReadConns: 2})
	if err != nil {
		return nil, err
	}
	defer blank.Close()
	var out []*shape
	err = blank.View(ctx, func(tx *Tx) error {
		err := tx.each(`SELECT t.name, group_concat(c.name || CASE c.type WHEN 'TEXT' THEN ' text' WHEN 'DOUBLE PRECISION' THEN ' real' ELSE ' bigint' END, ', ')
			FROM sqlite_schema t JOIN pragma_table_info(t.name) c
			WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'goose_db_version' GROUP BY t.name ORDER BY t.name`, nil, func(r *Rows) error {
			s := &shape{}
			err := r.Scan(&s.name, &s.cols)
			s.into = bulkInto(s.name, s.cols, "")
			out = append(out, s)
			return err
		})
		for _, s := range out {
			if err == nil {
				s.seed, err = tx.sum(s)
			}
		}
		return err
	})
	return out, err
}

// moveTables copies and compares every table.
func moveTables(in, out *Tx, tables []*shape, progress func(done int64), moved func(MovedTable)) error {
	const op = "store.Move"
	if out.pg != nil {
		if _, err := out.Exec("SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if out.pg != nil { // whoever starts a node on it meanwhile waits, and then finds the shop
			if _, err := out.Exec("LOCK TABLE " + t.name + " IN ACCESS EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		have, err := out.sum(t)
		if err != nil {
			return err
		}
		if have != t.seed {
			return fault.New(fault.Conflict, op, "the database the shop is to move into is not empty: its table %s has rows; name a new one", t.name)
		}
	}
	done := int64(0)
	for _, t := range tables {
		if t.seed.rows > 0 {
			if _, err := out.Exec("DELETE FROM " + t.name); err != nil {
				return err
			}
		}
		want, err := t.copy(in, out, func(n int64) { progress(done + n) })
		if err != nil {
			return err
		}
		done += want.rows
		got, err := out.sum(t)
		if err != nil {
			return err
		}
		if got != want {
			return fault.New(fault.Internal, op, "the table %s came to %d rows with the checksum %s, but %d with %s were read; nothing was kept", t.name, got.rows, got, want.rows, want)
		}
		moved(MovedTable{Name: t.name, Rows: want.rows, Sum: want.String()})
	}
	if out.pg == nil {
		return nil
	}
	// On SQLite the next decided_seq follows from the events; a sequence must be told.
	_, err := out.Exec("SELECT setval('decided_seq', greatest(max(seq), 1), max(seq) IS NOT NULL) FROM event")
	return err
}

// batchRows is how many rows go into SQLite at a time, progressRows how often progress is told.
const (
	batchRows    = 2_000
	progressRows = 2_000
)

// copy copies the rows of a table and returns their tally as they were read.
func (t *shape) copy(in, out *Tx, progress func(done int64)) (tally, error) {
	rows, err := in.Query("SELECT " + strings.Join(t.into.cols, ", ") + " FROM " + t.name)
	if err != nil {
		return tally{}, err
	}
	defer rows.Close()
	c := &copying{rows: rows, t: t, progress: progress, vals: make([]any, len(t.into.cols))}
	if out.pg != nil {
		_, err = out.pg.CopyFrom(out.ctx, pgx.Identifier{t.name}, t.into.cols, c)
		if err != nil {
			return c.sum, fault.Wrap(explain(err), fault.KindOf(explain(err)), "store.Move", "the table %s could not be copied at row %d; nothing was kept: %v", t.name, c.sum.rows, err)
		}
		return c.sum, nil
	}
	for more := true; more; {
		var batch [][]any
		for more = c.Next(); more; more = c.Next() {
			vals, _ := c.Values() // copying never fails there
			if batch = append(batch, append([]any(nil), vals...)); len(batch) == batchRows {
				break
			}
		}
		err := out.bulk(t.into, len(batch), func(i int, r *row) { t.fill(r, batch[i]) })
		if err := errors.Join(err, c.Err()); err != nil {
			return c.sum, err
		}
	}
	return c.sum, nil
}

func (t *shape) fill(r *row, vals []any) {
	for i, kind := range t.into.kinds {
		switch kind {
		case 't':
			s, _ := vals[i].(string)
			r.text(s)
		case 'n':
			n, _ := vals[i].(int64)
			r.int(n)
		default:
			f, _ := vals[i].(float64)
			r.float(f)
		}
	}
}

// copying is the rows of a table on their way; it implements pgx.CopyFromSource.
type copying struct {
	rows     *Rows
	t        *shape
	progress func(done int64)
	vals     []any
	sum      tally
	buf      []byte
	err      error
}

// Next implements pgx.CopyFromSource.
func (c *copying) Next() bool {
	if c.err != nil || !c.rows.Next() {
		c.progress(c.sum.rows)
		return false
	}
	if c.err = c.t.scan(c.rows, c.vals); c.err != nil {
		return false
	}
	c.buf = c.sum.add(c.vals, c.buf)
	if c.sum.rows%progressRows == 0 {
		c.progress(c.sum.rows)
	}
	return true
}

// Values implements pgx.CopyFromSource.
func (c *copying) Values() ([]any, error) { return c.vals, nil }

// Err implements pgx.CopyFromSource.
func (c *copying) Err() error { return errors.Join(c.err, c.rows.Err()) }

// scan reads a row into strings, int64s and float64s, the same from both engines.
func (t *shape) scan(rows *Rows, vals []any) error {
	dest := make([]any, len(vals))
	for i, kind := range t.into.kinds {
		switch kind {
		case 't':
			dest[i] = new(string)
		case 'n':
			dest[i] = new(int64)
		default:
			dest[i] = new(float64)
		}
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	for i, d := range dest {
		switch d := d.(type) {
		case *string:
			vals[i] = *d
		case *int64:
			vals[i] = *d
		case *float64:
			vals[i] = *d
		}
	}
	return nil
}

// sum reads a whole table and tallies it.
func (tx *Tx) sum(t *shape) (tally, error) {
	var sum tally
	var buf []byte
	vals := make([]any, len(t.into.cols))
	err := tx.each("SELECT "+strings.Join(t.into.cols, ", ")+" FROM "+t.name, nil, func(r *Rows) error {
		if err := t.scan(r, vals); err != nil {
			return err
		}
		buf = sum.add(vals, buf)
		return nil
	})
	return sum, err
}

// add takes a row in; buf is room for its encoding.
func (s *tally) add(vals []any, buf []byte) []byte {
	buf = buf[:0]
	for _, v := range vals {
		switch v := v.(type) {
		case string:
			buf = binary.BigEndian.AppendUint64(append(buf, 't'), uint64(len(v)))
			buf = append(buf, v...)
		case int64:
			buf = binary.BigEndian.AppendUint64(append(buf, 'n'), uint64(v))
		case float64:
			buf = binary.BigEndian.AppendUint64(append(buf, 'f'), math.Float64bits(v))
		}
	}
	h := sha256.Sum256(buf)
	s.rows++
	s.hi += binary.BigEndian.Uint64(h[:])
	s.lo += binary.BigEndian.Uint64(h[8:])
	return buf
}

// String is the sum of the hashes in hexadecimal.
func (s tally) String() string {
	const digits = "0123456789abcdef"
	var b [32]byte
	for i := range 16 {
		b[15-i] = digits[s.hi>>(4*i)&15]
		b[31-i] = digits[s.lo>>(4*i)&15]
	}
	return string(b[:])
}

// optimize tells the planner of PostgreSQL what has come in.
func (db *DB) optimize(ctx context.Context) error {
	if db.pg == nil {
		return nil
	}
	_, err := db.pg.pool.Exec(ctx, "ANALYZE")
	return explain(err)
}
