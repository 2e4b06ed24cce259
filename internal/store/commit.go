package store

import (
	"context"
	"time"
)

// commit is one SQLite transaction that several Updates share. Making a commit
// durable costs about as much as writing some hundred rows, so Updates that wait
// for the writer join the transaction of the one before them: each runs between a
// savepoint and its release, in the goroutine of its caller, and the last one
// commits for all. Nobody returns before the commit is durable. The first needs no
// savepoint, which is spared: SQLite would keep a copy of every page it changes.
type commit struct {
	n     int           // Updates in it that succeeded
	since time.Time     // when the first of them had ended
	done  chan struct{} // closed when it is durable or lost
	err   error         // why it is lost; read after done
}

// How much one commit may hold: it makes the first Update wait for the last.
const (
	maxJoined = 16
	maxOpen   = 4 * time.Millisecond
)

// update runs fn in a transaction and waits until that is durable.
func (db *liteDB) update(ctx context.Context, d *DB, bulky bool, fn func(*Tx) error) error {
	tx, joined, err := db.join(ctx, d, bulky, fn)
	if err != nil {
		return err
	}
	<-joined.done
	if joined.err != nil {
		return joined.err
	}
	for _, f := range tx.durable {
		f()
	}
	return nil
}

// join runs fn as a part of the transaction that is open, or as the first of a new one. A bulky one never meets one
// that is open: pen.join hands it to the others only.
func (db *liteDB) join(ctx context.Context, d *DB, bulky bool, fn func(*Tx) error) (tx *Tx, joined *commit, err error) {
	c, err := db.pen.take(ctx, bulky)
	if err != nil {
		return nil, nil, err
	}
	if err = db.syncer.err(); err == nil && c.open == nil {
		if err = c.run("BEGIN IMMEDIATE"); err == nil {
			c.open = &commit{done: make(chan struct{})}
		}
	}
	if err != nil {
		db.finish(c)
		db.pen.pass(c)
		return nil, nil, err
	}
	joined = c.open
	tx = &Tx{db: d, ctx: ctx, now: fromMicros(d.now().UnixMicro()), write: true, lite: c}
	first, ran := joined.n == 0, false
	defer func() {
		if !ran { // a panic: what others wrote stands
			_ = c.undo(joined, first)
		}
		db.pass(c)
	}()
	if !first {
		err = c.run("SAVEPOINT one")
	}
	if err == nil {
		err = fn(tx)
	}
	ran = true
	if err != nil {
		if lost := c.undo(joined, first); lost != nil {
			err = lost
		}
		return nil, nil, err
	}
	if !first {
		joined.err = c.run("RELEASE one")
	}
	if joined.n++; first {
		joined.since = time.Now()
	}
	return tx, joined, nil
}

// undo takes back what one Update wrote: all there is, when it was the first. When
// that fails the database has given up the whole transaction (a full disk), and
// with it what the others wrote.
func (c *liteConn) undo(t *commit, first bool) error {
	if first {
		return nil // pass finds nothing to commit and rolls back
	}
	err := c.run("ROLLBACK TO one")
	if err == nil {
		err = c.run("RELEASE one")
	}
	if err != nil {
		t.err = err
	}
	return err
}

// pass hands the pen on: within the transaction when an Update waits that can
// join it, otherwise after the commit.
func (db *liteDB) pass(c *liteConn) {
	t := c.open
	if t.err == nil && t.n > 0 && t.n < maxJoined && time.Since(t.since) < maxOpen && db.pen.join(c) {
		return
	}
	db.finish(c)
	db.pen.pass(c)
}

// finish ends the transaction that is open, for all who joined it. They hear of it from the syncer.
func (db *liteDB) finish(c *liteConn) {
	t := c.open
	if t == nil {
		return
	}
	c.open = nil
	if t.err == nil && t.n > 0 {
		if t.err = c.run("COMMIT"); t.err == nil {
			db.commits.Add(1)
			db.syncer.add(t)
			return
		}
	}
	if t.err != nil || t.n == 0 {
		_ = c.run("ROLLBACK") // there may be nothing left to roll back
	}
	close(t.done)
}
