package store

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"orderly.example/orderly/internal/fault"
)

// This file holds what the two engines do differently. The SQL of the package is
// written once, as PostgreSQL reads it.

var (
	anyOf    = regexp.MustCompile(`= ANY\((\$\d+)\)`)
	rowLocks = strings.NewReplacer(" FOR UPDATE SKIP LOCKED", "", " FOR UPDATE", "", " FOR SHARE", "")
)

// liteSQL turns the shared text into SQLite's: a list argument is a JSON array
// there, and there are no row locks because there is one writer.
func liteSQL(sql string) string {
	return rowLocks.Replace(anyOf.ReplaceAllString(sql, `IN (SELECT value FROM json_each($1))`))
}

// sizeSQL asks how many bytes the database takes.
func sizeSQL(tx *Tx) string {
	if tx.lite != nil {
		return "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	}
	return "SELECT pg_database_size(current_database())"
}

// liteArg is an argument as the SQLite driver takes it.
func liteArg(v any) any {
	v = plain(v)
	switch v.(type) {
	case []string, []int64:
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings and integers always encode
		}
		return string(b)
	}
	return v
}

// retryable reports whether err is a lost race: the same transaction, run again, may win.
func retryable(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == 5 || e.Code()&0xff == 6 // busy, locked
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
			return true
		case "23505": // the same event reached two nodes: run again, it is a duplicate
			return e.TableName == "event_key"
		}
	}
	return false
}

// explain gives errors that people can act on a kind and a message.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case 8:
			return fault.Wrap(err, fault.Unavailable, "store", "the database is read-only")
		case 10:
			return fault.Wrap(err, fault.Unavailable, "store", "the disk reported an error; nothing was changed")
		case 11, 26:
			return fault.Wrap(err, fault.Internal, "store", "the database file is damaged; restore the last backup")
		case 13:
			return fault.Wrap(err, fault.Unavailable, "store", "the disk is full; nothing was changed")
		}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "22021" {
		return errNUL
	}
	if away(err) {
		return fault.Wrap(err, fault.Unavailable, "store", "the database is away for the moment; try again")
	}
	return err
}

// away reports whether err says that PostgreSQL cannot be reached or ended the session:
// nobody's fault who asks, and over in a moment. What was asked for may have been done.
func away(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// 08: connection, 53: disk, memory or connections used up, 57P: shut down, starting or cut, 25006: a standby
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P") || e.Code == "25006"
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false // the caller's own
	}
	_, wire := errors.AsType[*net.OpError](err)
	return wire || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || pgconn.SafeToRetry(err)
}

var errNUL = fault.New(fault.Invalid, "store", "a text contains a NUL character, which cannot be stored")

// LockClass is what a lock is about. Classes are locked in their order.
type LockClass int64

// The classes.
const (
	LockOrder LockClass = iota + 1
	LockCustomer
	LockVelocity
	LockRun // runs that are about no order
	LockSKU
	LockDay
	LockAutomation
)

// lockKey is the number of an advisory lock: the class in the highest bits, so
// that the order of numbers is the order of classes, then a hash of the key.
type lockKey int64

func (c LockClass) key(name string) lockKey {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return lockKey(int64(c)<<59 | int64(h.Sum64()>>5))
}

// Lock waits until no other node's transaction holds one of the keys and holds
// them until the end of this one. On SQLite there is one writer and nothing to do.
//
// The locks are advisory, not row locks: most rows that a decision is about do
// not exist yet (a new order, a first mail address), and making them first only
// to have something to lock doubles the writes. They are taken in the order of
// their hashes, as two keys may share one: in the order of the keys, two nodes
// could then wait for each other. A shared hash only makes two strangers wait.
func (tx *Tx) Lock(class LockClass, keys []string) error {
	if tx.pg == nil || !tx.write || len(keys) == 0 {
		return nil
	}
	var numbers []int64
	for _, name := range keys {
		k := class.key(name)
		if !tx.held[k] {
			if tx.held == nil {
				tx.held = map[lockKey]bool{}
			}
			tx.held[k] = true
			numbers = append(numbers, int64(k))
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	// What is read next is read after the locks are there, also when both are sent together.
	return tx.later("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", numbers)
}

// textColumns asks the engine's catalogue for every column that holds text.
func (tx *Tx) textColumns() string {
	if tx.lite != nil {
		return `SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND upper(c.type) = 'TEXT' ORDER BY m.name, c.cid`
	}
	return `SELECT table_name::text, column_name::text FROM information_schema.columns
		WHERE table_schema = 'public' AND data_type = 'text' ORDER BY table_name, ordinal_position`
}

// overwriteFreed has SQLite write zeros over what is deleted. PostgreSQL frees it by vacuum.
func (tx *Tx) overwriteFreed() error {
	if tx.lite == nil {
		return nil
	}
	_, err := tx.Exec("PRAGMA secure_delete = ON")
	return err
}
