package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"orderly.example/orderly/internal/fault"
)

// Tx is one transaction. It is handed out by View and Update and ends with
// their function; it is not safe for concurrent use.
//
// Arguments may be strings, integers, floats, bools (stored as 0 and 1),
// time.Time (stored as microseconds UTC, the zero time as 0), []string and
// []int64 (for "= ANY($1)"), and types based on string or an integer.
type Tx struct {
	db    *DB
	ctx   context.Context
	now   time.Time
	write bool

	lite    *liteConn
	pg      pgx.Tx
	batch   pgx.Batch        // writes that nobody waits for, sent together before the next read
	waiting int              // bytes in it
	sending chan error       // a batch is on its way; the connection is its until sent
	reading *Rows            // the last that were asked for row by row
	joined  bool             // see Together
	then    []func()         // what is made of the answers, once they are there
	held    map[lockKey]bool // advisory locks this transaction has
	effects map[string]bool  // effects whose rows it has locked
	durable []func()         // run once the commit is
}

// Now is the time of the transaction, in UTC and whole microseconds. It is the same throughout.
func (tx *Tx) Now() time.Time { return tx.now }

// Engine names the database: "sqlite" or "postgres".
func (tx *Tx) Engine() string { return tx.db.Engine() }

// AfterCommit runs fn once the commit is durable; never when it is not.
func (tx *Tx) AfterCommit(fn func()) { tx.durable = append(tx.durable, fn) }

func (tx *Tx) mayWrite() error {
	if !tx.write {
		return fault.New(fault.Internal, "store.Tx", "a write was tried inside View")
	}
	return nil
}

// Exec runs a statement and returns how many rows it changed.
func (tx *Tx) Exec(sql string, args ...any) (int64, error) {
	if err := tx.mayWrite(); err != nil {
		return 0, err
	}
	if tx.lite != nil {
		return tx.lite.exec(context.Background(), sql, args)
	}
	var n int64
	tx.batch.Queue(sql, pgArgs(args)...).Exec(func(tag pgconn.CommandTag) error {
		n = tag.RowsAffected()
		return nil
	})
	err := tx.flush()
	return n, err
}

// Together runs fn, whose reads need not know of each other's answers: on PostgreSQL they are sent in one round trip, and
// their answers are there when Together returns, not before. It is for functions that fill a map with Each; what they make
// of the answers they do in after. Locks and writes are sent along, in their order. Exec, Query and QueryRow inside fn are answered at once.
func (tx *Tx) Together(fn func() error) error {
	tx.joined = tx.pg != nil
	err := fn()
	tx.joined = false
	if err != nil {
		return err
	}
	return tx.flush()
}

// after runs fn when the answers to what was asked so far are there.
func (tx *Tx) after(fn func()) {
	if tx.joined {
		tx.then = append(tx.then, fn)
		return
	}
	fn()
}

// later runs a statement whose result nobody needs. On PostgreSQL it is sent
// together with others before the next read or the commit.
func (tx *Tx) later(sql string, args ...any) error {
	if tx.lite != nil {
		_, err := tx.Exec(sql, args...)
		return err
	}
	if err := tx.mayWrite(); err != nil {
		return err
	}
	tx.batch.Queue(sql, pgArgs(args)...)
	return nil
}

// Query runs a statement that returns rows. Close the rows, or read them to the end.
func (tx *Tx) Query(sql string, args ...any) (*Rows, error) {
	if tx.lite != nil {
		return tx.lite.query(tx.queryContext(), sql, args)
	}
	if err := tx.flush(); err != nil {
		return nil, err
	}
	rows, err := tx.pg.Query(tx.ctx, sql, pgArgs(args)...)
	if err != nil {
		return nil, explain(err)
	}
	tx.reading = &Rows{pgRows: pgRows{pg: rows, types: tx.pg.Conn().TypeMap()}}
	return tx.reading, nil
}

// queryContext is what a SQLite statement watches. Watching costs a goroutine
// per statement: reads of pages may be long and are worth it, the short
// statements of a commit group are not, and must not be torn in the middle.
func (tx *Tx) queryContext() context.Context {
	if tx.write {
		return context.Background()
	}
	return tx.ctx
}

// first reads the first row into dest and reports whether there was one.
func (tx *Tx) first(sql string, args []any, dest ...any) (found bool, err error) {
	if tx.pg == nil {
		rows, err := tx.Query(sql, args...)
		if err != nil {
			return false, err
		}
		return firstOf(rows, dest)
	}
	tx.ask(sql, args, func(r *Rows) error {
		found, err = firstOf(r, dest)
		return err
	})
	err = tx.flush()
	return found, err
}

func firstOf(rows *Rows, dest []any) (bool, error) {
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	if err := rows.Scan(dest...); err != nil {
		return false, err
	}
	return true, rows.Close()
}

// ask puts a query off; do reads its answer.
func (tx *Tx) ask(sql string, args []any, do func(*Rows) error) {
	types := tx.pg.Conn().TypeMap()
	tx.batch.Queue(sql, pgArgs(args)...).Query(func(rows pgx.Rows) error { return do(&Rows{pgRows: pgRows{pg: rows, types: types}}) })
}

// ErrNoRows says that a query of one row found none.
var ErrNoRows = errors.New("store: no row")

// Row is a query of one row.
type Row struct {
	tx   *Tx
	sql  string
	args []any
}

// QueryRow asks for one row; Scan runs the query.
func (tx *Tx) QueryRow(sql string, args ...any) Row { return Row{tx, sql, args} }

// Scan reads the row, or answers ErrNoRows.
func (r Row) Scan(dest ...any) error {
	ok, err := r.tx.first(r.sql, r.args, dest...)
	if err == nil && !ok {
		return ErrNoRows
	}
	return err
}

// Each runs a query and calls fn for every row; fn scans it.
func (tx *Tx) Each(fn func(scan func(dest ...any) error) error, sql string, args ...any) error {
	return tx.each(sql, args, func(r *Rows) error { return fn(r.Scan) })
}

// each runs a query and calls fn for every row; fn scans it.
func (tx *Tx) each(sql string, args []any, fn func(*Rows) error) error {
	if tx.pg != nil {
		tx.ask(sql, args, func(r *Rows) error { return eachOf(r, fn) })
		if tx.joined {
			return nil
		}
		return tx.flush()
	}
	rows, err := tx.Query(sql, args...)
	if err != nil {
		return err
	}
	return eachOf(rows, fn)
}

func eachOf(rows *Rows, fn func(*Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros is how times are stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// plain turns an argument into one of string, int64, float64, nil, []string and []int64.
func plain(v any) any {
	switch x := v.(type) {
	case string, int64, float64, nil, []string, []int64:
		return x
	case int:
		return int64(x)
	case bool:
		if x {
			return int64(1)
		}
		return int64(0)
	case time.Time:
		return micros(x)
	case []byte:
		return string(x)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.String:
		return r.String()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(r.Uint())
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.String {
			s := make([]string, r.Len())
			for i := range s {
				s[i] = r.Index(i).String()
			}
			return s
		}
	}
	panic(fmt.Sprintf("store: an argument of type %T", v))
}

// assign puts a value as the driver gave it into dest. NULL becomes the zero value.
func assign(dest, v any) error {
	switch d := dest.(type) {
	case *string:
		switch x := v.(type) {
		case string:
			*d = x
		case nil:
			*d = ""
		case int64:
			*d = strconv.FormatInt(x, 10)
		case []byte:
			*d = string(x)
		default:
			return fmt.Errorf("store: %T does not go into %T", v, dest)
		}
		return nil
	case *float64:
		switch x := v.(type) {
		case float64:
			*d = x
		case int64:
			*d = float64(x)
		case nil:
			*d = 0
		default:
			return fmt.Errorf("store: %T does not go into %T", v, dest)
		}
		return nil
	case *[]byte:
		var s string
		if err := assign(&s, v); err != nil {
			return err
		}
		*d = []byte(s)
		return nil
	case *any:
		*d = v
		return nil
	}
	if r := reflect.ValueOf(dest).Elem(); r.Kind() == reflect.String {
		var s string
		if err := assign(&s, v); err != nil {
			return err
		}
		r.SetString(s)
		return nil
	}
	var n int64
	switch x := v.(type) {
	case int64:
		n = x
	case nil:
	case float64:
		if n = int64(x); float64(n) != x {
			return fmt.Errorf("store: %v is not a whole number", x)
		}
	default:
		return fmt.Errorf("store: %T does not go into %T", v, dest)
	}
	switch d := dest.(type) {
	case *int64:
		*d = n
	case *int:
		*d = int(n)
	case *bool:
		*d = n != 0
	case *time.Time:
		*d = fromMicros(n)
	default:
		r := reflect.ValueOf(dest).Elem()
		if !r.CanInt() {
			return fmt.Errorf("store: cannot scan into %T", dest)
		}
		r.SetInt(n)
	}
	return nil
}
