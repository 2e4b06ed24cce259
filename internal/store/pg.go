package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"orderly.example/orderly/internal/fault"
)

// pgDB is a PostgreSQL database behind a pool of native connections.
type pgDB struct {
	pool    *pgxpool.Pool
	river   *river.Client[pgx.Tx] // inserts jobs; the client that works them is made by StartWorkers
	pooled  bool                  // a pooler stands between, which gives a session for a transaction only
	prelude string                // said at the beginning of every transaction
	quick   string                // said at the beginning of those that write: documents are compressed by lz4, where the server has it
	group   int                   // see MaxGroup
}

// Connections is how many connections a node has to PostgreSQL unless it is told otherwise.
const Connections = 16

// dialPG makes the pool. It reaches for no server yet.
func dialPG(ctx context.Context, url string, conns int, pooled bool) (*pgDB, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "store.Open", "the postgres:// URL cannot be read; write it like postgres://user:password@host:5432/database")
	}
	if conns <= 0 {
		conns = Connections
	}
	cfg.MaxConns = int32(conns)
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.HealthCheckPeriod = 30 * time.Second
	set := func(name, value string) {
		if _, ok := cfg.ConnConfig.RuntimeParams[name]; !ok { // what the URL says goes first
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	db := &pgDB{pooled: pooled}
	set("application_name", "orderly")
	// A node that hangs between two statements must not hold its locks for ever,
	// and the server must notice one that is gone.
	if pooled {
		// Two transactions of ours may run in two sessions, so nothing is left in one: no prepared statement, only its
		// description here; and what a pooler does not let through when a session begins is said in each transaction.
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		db.prelude = "; SET LOCAL idle_in_transaction_session_timeout = 30000"
	} else {
		set("idle_in_transaction_session_timeout", "30000")
		set("tcp_keepalives_idle", "30")
		set("tcp_keepalives_interval", "10")
		set("tcp_keepalives_count", "3")
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		arraysInOnePiece(c.TypeMap())
		return nil
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "store.Open", "PostgreSQL cannot be reached")
	}
	return db, nil
}

func openPG(ctx context.Context, url string, o Options, log *slog.Logger) (*pgDB, error) {
	db, err := dialPG(ctx, url, o.ReadConns, o.Pooled)
	if err != nil {
		return nil, err
	}
	to := db.pool.Config().ConnConfig
	if err := db.pool.Ping(ctx); err != nil {
		db.pool.Close()
		return nil, fault.Wrap(err, fault.Unavailable, "store.Open", "PostgreSQL cannot be reached at %s:%d", to.Host, to.Port)
	}
	if err := migratePG(ctx, db, log); err != nil {
		db.pool.Close()
		return nil, err
	}
	if err := db.ask(ctx); err != nil {
		db.pool.Close()
		return nil, err
	}
	if db.river, err = riverClient(db.pool, log); err != nil {
		db.pool.Close()
		return nil, err
	}
	return db, nil
}

// locksPerOrder is how many advisory locks the decision of an order takes, and groupsAtOnce how many groups of all
// nodes may hold theirs at a time without being refused.
const (
	locksPerOrder = 8
	groupsAtOnce  = 8
)

// ask asks the server what it can do.
func (db *pgDB) ask(ctx context.Context) error {
	var lz4 bool
	var places int
	err := db.pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)),
		current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int)`).Scan(&lz4, &places)
	if err != nil {
		return explain(err)
	}
	if lz4 { // pglz took a third of the server's time for an order, for rows that are hardly smaller
		db.quick = "; SET LOCAL default_toast_compression = lz4"
	}
	db.group = min(max(places/(locksPerOrder*groupsAtOnce), minGroup), maxGroup)
	return nil
}

// run is View and Update. View sees one snapshot; Update reads what is committed
// at each statement, after the locks it took: under a snapshot from before the
// lock it would decide on what another node has since changed.
func (db *pgDB) run(ctx context.Context, d *DB, write bool, fn func(*Tx) error) error {
	opts := pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + db.prelude}
	if write {
		opts = pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL READ COMMITTED" + db.prelude + db.quick}
	}
	ptx, err := db.begin(ctx, opts)
	if err != nil {
		return explain(err)
	}
	tx := &Tx{db: d, ctx: ctx, now: fromMicros(d.now().UnixMicro()), write: write, pg: ptx}
	done := false
	defer func() {
		if !done { // ctx may be the reason: the rollback has a time of its own
			_ = tx.sent()
			c, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			_ = ptx.Rollback(c)
			stop()
		}
	}()
	if err := fn(tx); err != nil {
		if fault.KindOf(err) != fault.Unavailable && away(err) { // in the middle of the rows, or under a name that fn gave it
			return explain(err)
		}
		return err
	}
	if err := tx.flush(); err != nil {
		return err
	}
	if err := ptx.Commit(ctx); err != nil {
		return explain(err)
	}
	done = true
	for _, f := range tx.durable {
		f()
	}
	return nil
}

// begin begins a transaction. The pool keeps connections that the server has since cut, by a restart
// or a failover: each is tried once and dropped, for nothing was done on it.
func (db *pgDB) begin(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error) {
	for try := int32(0); ; try++ {
		ptx, err := db.pool.BeginTx(ctx, opts)
		if err == nil || ctx.Err() != nil || try > db.pool.Config().MaxConns {
			return ptx, err
		}
		if _, down := errors.AsType[*pgconn.ConnectError](err); down {
			return nil, err
		}
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && !strings.HasPrefix(e.Code, "57P") { // 57P01 to 57P05: the server ended the session
			return nil, err
		}
	}
}

// flush sends what was put off, in one round trip, and waits until it is done.
func (tx *Tx) flush() error {
	if tx.pg == nil {
		return nil
	}
	if err := tx.sent(); err != nil {
		return err
	}
	if tx.batch.Len() > 0 {
		if err := tx.pg.SendBatch(tx.ctx, tx.take()).Close(); err != nil {
			return explain(err)
		}
	}
	then := tx.then
	tx.then = nil
	for _, f := range then {
		f()
	}
	return nil
}

// ahead is how many bytes of writes are put off before they are sent.
const ahead = 64 << 10

// send lets the server begin with the writes that were put off, while the next ones are made: the two take about as
// long. Nothing else is done with the connection before sent.
func (tx *Tx) send() error {
	if err := tx.sent(); err != nil {
		return err
	}
	b, done := tx.take(), make(chan error, 1)
	tx.sending = done
	go func() { done <- tx.pg.SendBatch(tx.ctx, b).Close() }()
	return nil
}

// sent waits until what was sent is done.
func (tx *Tx) sent() error {
	if tx.sending == nil {
		return nil
	}
	err := <-tx.sending
	tx.sending = nil
	return explain(err)
}

func (tx *Tx) take() *pgx.Batch {
	b := tx.batch
	tx.batch, tx.waiting = pgx.Batch{}, 0
	return &b
}

func pgArgs(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = plain(a)
	}
	return out
}

// bulkPG puts one statement off that writes n rows from arrays, one per column.
func (tx *Tx) bulkPG(t *table, n int, fill func(i int, r *row)) error {
	r := row{cols: t.arrays(n)}
	for i := range n {
		r.col = 0
		fill(i, &r)
		if r.col != len(t.cols) {
			return fault.New(fault.Internal, "store.bulk", "%d values for %d columns of %s", r.col, len(t.cols), t.name)
		}
	}
	args := make([]any, len(r.cols))
	for i, c := range r.cols {
		switch {
		case c.s != nil:
			args[i] = c.s
			tx.waiting += textSize(c.s)
		case c.n != nil:
			args[i] = c.n
		default:
			args[i] = c.f
		}
	}
	tx.batch.Queue(t.unnest, args...)
	if tx.waiting < ahead || tx.reading != nil && !tx.reading.closed {
		return nil
	}
	return tx.send()
}

// pgRows is the PostgreSQL side of Rows.
type pgRows struct {
	pg    pgx.Rows
	types *pgtype.Map
}

// scanPG decodes the few types the schema has by hand, so that NULL becomes the
// zero value and times and bools are read as they are on SQLite.
func (r *pgRows) scanPG(dest []any) error {
	raw, fields := r.pg.RawValues(), r.pg.FieldDescriptions()
	if len(dest) != len(raw) {
		return fmt.Errorf("store: %d columns into %d places", len(raw), len(dest))
	}
	for i, b := range raw {
		if s, ok := dest[i].(*string); ok && fields[i].DataTypeOID == pgtype.TextOID {
			*s = string(b)
			continue
		}
		v, err := r.decode(b, &fields[i])
		if err == nil {
			err = assign(dest[i], v)
		}
		if err != nil {
			return fmt.Errorf("%w (column %s)", err, fields[i].Name)
		}
	}
	return nil
}

func (r *pgRows) decode(b []byte, f *pgconn.FieldDescription) (any, error) {
	if b == nil {
		return nil, nil
	}
	if f.Format == pgx.BinaryFormatCode {
		switch f.DataTypeOID {
		case pgtype.Int8OID:
			return int64(binary.BigEndian.Uint64(b)), nil
		case pgtype.Int4OID:
			return int64(int32(binary.BigEndian.Uint32(b))), nil
		case pgtype.Int2OID:
			return int64(int16(binary.BigEndian.Uint16(b))), nil
		case pgtype.Float8OID:
			return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
		case pgtype.Float4OID:
			return float64(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
		case pgtype.BoolOID:
			return int64(b[0]), nil
		case pgtype.NumericOID: // SUM of BIGINT
			var n int64
			err := r.types.Scan(f.DataTypeOID, f.Format, b, &n)
			return n, err
		}
	}
	return string(b), nil
}
