package store

import (
	"context"
	"slices"
	"sync"

	"orderly.example/orderly/internal/fault"
)

// pen is the right to write a SQLite file: one holds it at a time, with the
// connection that writes. Groups of events wait in one queue and all other Updates
// in another. What waits in the second is written together, in one transaction,
// between two groups or at the end of one: each such Update is short, a commit is not.
type pen struct {
	mu     sync.Mutex
	conn   *liteConn        // nil while somebody writes
	bulky  []chan *liteConn // who waits; nil is sent when the store closes
	small  []chan *liteConn
	closed bool
}

// take waits for the pen.
func (p *pen) take(ctx context.Context, bulky bool) (*liteConn, error) {
	if ctx.Err() != nil { // the caller has given up; SQLite might be done before it hears of it
		return nil, errBusy(ctx)
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed()
	}
	if c := p.conn; c != nil {
		p.conn = nil
		p.mu.Unlock()
		return c, nil
	}
	w := make(chan *liteConn, 1)
	queue := &p.small
	if bulky {
		queue = &p.bulky
	}
	*queue = append(*queue, w)
	p.mu.Unlock()
	select {
	case c := <-w:
		if c == nil {
			return nil, errClosed()
		}
		return c, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(*queue, w)
	if i < 0 { // it came at this very moment
		if c := <-w; c != nil {
			return c, nil
		}
		return nil, errClosed()
	}
	*queue = slices.Delete(*queue, i, i+1)
	return nil, errBusy(ctx)
}

// join hands the pen, with the transaction that is open, to an Update that can join it, and reports whether one waits.
func (p *pen) join(c *liteConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return hand(&p.small, c)
}

// pass hands the pen on: to a group of events first, since callers wait for it.
func (p *pen) pass(c *liteConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !hand(&p.bulky, c) && !hand(&p.small, c) {
		p.conn = c
	}
}

// hand gives the pen to the first of a queue.
func hand(queue *[]chan *liteConn, c *liteConn) bool {
	if len(*queue) == 0 {
		return false
	}
	(*queue)[0] <- c
	*queue = slices.Delete(*queue, 0, 1)
	return true
}

// close sends everybody away who waits or comes later, and waits for the one who writes.
func (p *pen) close(ctx context.Context) (*liteConn, error) {
	p.mu.Lock()
	p.closed = true
	for _, queue := range [][]chan *liteConn{p.bulky, p.small} {
		for _, w := range queue {
			w <- nil
		}
	}
	last := make(chan *liteConn, 1)
	p.bulky, p.small = []chan *liteConn{last}, nil
	if c := p.conn; c != nil {
		p.conn, p.bulky = nil, nil
		last <- c
	}
	p.mu.Unlock()
	select {
	case c := <-last:
		return c, nil
	case <-ctx.Done():
		return nil, errBusy(ctx)
	}
}

func errClosed() error { return fault.New(fault.Unavailable, "store", "the database is closed") }

func errBusy(ctx context.Context) error {
	return fault.Wrap(ctx.Err(), fault.Unavailable, "store", "the database was busy until the time ran out; nothing was changed")
}
