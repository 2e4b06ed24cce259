package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/fault"
)

// Database is a new, empty database on a PostgreSQL server. Every part of a run has one of its own: effects that
// one part left behind, and rows that were written without a server, would be work for the next.
type Database struct {
	URL    string
	server string
	name   string
	pid    int // of the server, when it runs on this machine
}

// NewDatabase makes a database beside the one that the URL names. Its user must be allowed to.
func NewDatabase(ctx context.Context, server, part string) (*Database, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "bench", "the postgres:// URL cannot be read; write it like postgres://user:password@host:5432/database")
	}
	d := &Database{server: server, name: "orderly_bench_" + part + "_" + uuid.NewString()[:8]}
	u.Path = "/" + d.name
	d.URL = u.String()
	return d, d.on(ctx, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "CREATE DATABASE "+d.name); err != nil {
			return fault.Wrap(err, fault.Unavailable, "bench", "no database of the benchmark's own can be made (%v); its user needs CREATEDB", err)
		}
		var backend int
		if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
			return err
		}
		d.pid = serverOf(backend)
		return nil
	})
}

// Drop removes the database with all that is in it.
func (d *Database) Drop(ctx context.Context) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer stop()
	return d.on(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DROP DATABASE "+d.name+" WITH (FORCE)")
		return err
	})
}

// Size is how many bytes the database takes, and how many of WAL the server has written since it was made.
func (d *Database) Size(ctx context.Context) (bytes, wal int64, err error) {
	err = d.on(ctx, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, "SELECT pg_database_size($1), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint", d.name).Scan(&bytes, &wal)
	})
	return bytes, wal, err
}

// CPUMicros is the processor time that the server and all its processes have used; false when it runs elsewhere.
func (d *Database) CPUMicros() (micros int64, known bool) {
	if d.pid == 0 {
		return 0, false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, false
	}
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		p, ok := processOf(pid)
		switch {
		case !ok:
		case pid == d.pid: // with the processes that have ended
			micros, known = micros+p.own+p.ended, true
		case p.parent == d.pid:
			micros += p.own
		}
	}
	return micros, known
}

func (d *Database) on(ctx context.Context, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, d.server)
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "bench", "PostgreSQL cannot be reached: %v", err)
	}
	return errors.Join(do(c), c.Close(context.WithoutCancel(ctx)))
}

// serverOf is the process that one of a server's sessions belongs to; 0 when that is not a PostgreSQL of this machine.
func serverOf(backend int) int {
	p, ok := processOf(backend)
	if !ok || p.name != "postgres" {
		return 0
	}
	if up, ok := processOf(p.parent); !ok || up.name != "postgres" {
		return 0
	}
	return p.parent
}

// process is what Linux says of one. Times are in microseconds.
type process struct {
	name       string
	parent     int
	own, ended int64 // of itself, and of its children that have ended
}

// tick is the unit of processor times in /proc, in microseconds.
const tick = 10_000

func processOf(pid int) (p process, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	return parseStat(string(b))
}

// parseStat reads /proc/PID/stat: the name stands in parentheses and may hold any character.
func parseStat(text string) (p process, ok bool) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, false
	}
	p.name = text[open+1 : end]
	fields := strings.Fields(text[end+1:])
	const parent, user, children = 1, 11, 13
	if len(fields) < children+2 {
		return p, false
	}
	var times [4]int64
	for i := range times {
		n, err := strconv.ParseInt(fields[user+i], 10, 64)
		if err != nil {
			return p, false
		}
		times[i] = n * tick
	}
	p.parent, _ = strconv.Atoi(fields[parent]) // 0 when it is no number: nobody's child
	p.own, p.ended = times[0]+times[1], times[2]+times[3]
	return p, true
}

// pgbenchScale is the size of pgbench's tables: 100,000 accounts for each.
const pgbenchScale = 10

var pgbenchRate = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// PgBench runs PostgreSQL's own benchmark (TPC-B: five statements and a commit, four rows written) in the database and returns transactions a second.
func (d *Database) PgBench(ctx context.Context, clients int, each time.Duration) (perS float64, err error) {
	bin, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
		if len(found) == 0 {
			return 0, fault.New(fault.NotFound, "bench", "pgbench is not installed")
		}
		bin = found[len(found)-1]
	}
	run := func(args ...string) ([]byte, error) {
		var errs bytes.Buffer
		cmd := exec.CommandContext(ctx, bin, append(args, d.URL)...)
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "bench", "pgbench: %s", bytes.TrimSpace(errs.Bytes()))
		}
		return out, nil
	}
	if _, err := run("-i", "-q", "-s", strconv.Itoa(pgbenchScale)); err != nil {
		return 0, err
	}
	seconds := max(1, int(each.Seconds()+0.5))
	out, err := run("-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-T", strconv.Itoa(seconds))
	if err != nil {
		return 0, err
	}
	m := pgbenchRate.FindSubmatch(out)
	if m == nil {
		return 0, fault.New(fault.Internal, "bench", "pgbench's answer has no rate: %s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
