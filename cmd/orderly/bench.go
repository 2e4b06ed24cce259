package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/sim/bench"
	"orderly.example/orderly/internal/sim/routingbench"
	"orderly.example/orderly/internal/store"
)

const benchHelp = `Measure Orderly on this machine. Nothing of your shop is touched: every run makes a
temporary shop of its own.`

func (p *program) benchCommand() *cobra.Command {
	return group(&cobra.Command{Use: "bench", Short: "Measure Orderly on this machine", Long: benchHelp},
		p.benchOrdersCommand(), p.benchRoutingCommand(), p.benchBacktestCommand(), p.benchSilenceCommand(), p.benchServerCommand())
}

func (p *program) benchRoutingCommand() *cobra.Command {
	var dir string
	var seed uint64
	var asJSON bool
	c := &cobra.Command{
		Use: "routing", Short: "Compare ways of routing on real orders", Args: cobra.NoArgs,
		Long: `Route the orders of the Olist files, which you bring, in three ways over the same stock:
by goals as Orderly does, line by line to the nearest seller, and to the largest
one. --data names the folder with olist_orders_dataset.csv and full/.`,
		Example: examples("orderly bench routing --data olist", "orderly bench routing --data olist --seed 2 --json"),
		RunE: func(*cobra.Command, []string) error {
			t, err := routingbench.BenchOlist(dir, seed)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(t)
			}
			p.printf("%s", t)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data", ".", "`DIR` with the Olist files")
	c.Flags().Uint64Var(&seed, "seed", 1, "`NUMBER` that draws the same stock again")
	bindJSON(c.Flags(), &asJSON)
	return c
}

// benchOrders are the settings of one run.
type benchOrders struct {
	each    time.Duration
	warm    time.Duration
	seed    uint64
	db      string
	rates   []float64
	conns   int
	stored  int
	nodes   int
	profile string
}

func (p *program) benchOrdersCommand() *cobra.Command {
	var b benchOrders
	var rates string
	var asJSON bool
	c := &cobra.Command{
		Use: "orders", Short: "Measure orders a second, answer times, processor time and memory", Args: cobra.NoArgs,
		Long: `Measure orders as a channel delivers them: signed webhooks of 4 KB with two lines,
over HTTP on this machine, with twenty automations active and every commit
synced to disk. Each server is a process of its own; the load comes from this one
and shares the machine. With --db every part has a new database on that server,
dropped afterwards: its user must be allowed to make some. In turn:

  sustained   as many as come back; decided and durable, effects recorded; then
              answer times at fixed rates, from when each delivery was due
  raw         the rows of one real commit group, written again without deciding,
              as many on their way as the program has; then at the same rates
  pgbench     on PostgreSQL, its own benchmark (TPC-B), when pgbench is installed
  drained     sustained, and until every effect has been taken by a stub; then
              the same rates, with effects delivered

Other work on the machine changes every figure: compare figures of one run.`,
		Example: examples("orderly bench orders", "orderly bench orders --duration 20s --json",
			"orderly bench orders --db postgres://orderly@localhost/postgres --nodes 2"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for r := range strings.SplitSeq(rates, ",") {
				f, err := strconv.ParseFloat(strings.TrimSpace(r), 64)
				if err != nil || f <= 0 {
					return usagef("--rates wants orders a second, separated by commas, got %q", rates)
				}
				b.rates = append(b.rates, f)
			}
			if b.each < 100*time.Millisecond || b.conns < 1 || b.stored < 0 || b.stored > 2500 {
				return usagef("--duration wants at least 100ms, --connections at least 1, --stored 0 to 2500")
			}
			if b.nodes < 1 || b.nodes > 1 && b.db == "" {
				return usagef("--nodes wants a number of nodes, and with more than one a PostgreSQL in --db")
			}
			rep, err := p.benchOrders(cmd.Context(), b)
			if err != nil {
				return err
			}
			if asJSON {
				return p.printJSON(rep)
			}
			p.printf("%s", rep)
			return nil
		},
	}
	c.Flags().SortFlags = false
	c.Flags().DurationVar(&b.each, "duration", 10*time.Second, "`TIME` of each measurement")
	c.Flags().Uint64Var(&b.seed, "seed", 1, "`NUMBER` that makes the same orders again")
	c.Flags().StringVar(&b.db, "db", "", "a PostgreSQL server as `URL` (default: a SQLite file in a temporary folder)")
	c.Flags().IntVar(&b.nodes, "nodes", 1, "`NUMBER` of servers on the one database")
	c.Flags().StringVar(&rates, "rates", "300,1000", "`ORDERS` a second at which answer times are measured")
	c.Flags().IntVar(&b.conns, "connections", 256, "`NUMBER` of connections that deliver at once")
	c.Flags().IntVar(&b.stored, "stored", 1000, "`BYTES` of the 4 KB that are attributes kept with the order")
	c.Flags().StringVar(&b.profile, "profile", "", "write processor profiles to `FILE` and FILE.drained")
	bindJSON(c.Flags(), &asJSON)
	return c
}

func (p *program) benchOrders(ctx context.Context, b benchOrders) (rep bench.Report, err error) {
	p.tuneRuntime() // the raw limit is written by this process
	b.warm = min(b.each/4, 2*time.Second)
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return rep, fault.Wrap(err, fault.Unavailable, "bench", "no temporary folder can be made")
	}
	defer os.RemoveAll(dir)
	rep = bench.Report{
		P50: map[string]float64{}, P99: map[string]float64{}, Achieved: map[string]float64{}, Rates: map[string]bench.AtRate{}, Conns: b.conns, CPUs: runtime.NumCPU(),
		StoredBytes: b.stored, Seconds: b.each.Seconds(), Seed: b.seed, Engine: "sqlite", Nodes: b.nodes,
	}
	if b.db != "" {
		rep.Engine = "postgres"
	}
	for _, part := range []struct {
		name string
		run  func(context.Context, benchOrders, *benchStore, *bench.Report) error
	}{{"sustained", p.benchSustained}, {"raw", p.benchRaw}, {"pgbench", p.benchPostgres}, {"drained", p.benchDrained}} {
		s := &benchStore{dir: filepath.Join(dir, part.name), url: filepath.Join(dir, part.name+".db")}
		if b.db != "" {
			if s.pg, err = bench.NewDatabase(ctx, b.db, part.name); err != nil {
				return rep, err
			}
			s.url = s.pg.URL
		}
		err := part.run(ctx, b, s, &rep)
		if s.pg != nil {
			err = errors.Join(err, s.pg.Drop(ctx))
		}
		if err != nil {
			return rep, err
		}
	}
	rep.Ratio = rep.OrdersPerS / rep.RawOrdersPerS
	return rep, nil
}

// benchStore is where one part of a run keeps its shop.
type benchStore struct {
	dir string // of the servers
	url string
	pg  *bench.Database // nil on SQLite
}

// benchSustained measures the closed loop.
func (p *program) benchSustained(ctx context.Context, b benchOrders, in *benchStore, rep *bench.Report) (err error) {
	args := []string{}
	if b.profile != "" {
		args = append(args, "--profile", b.profile)
	}
	s, err := p.startBenchServers(ctx, b, in, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	bodies, err := bench.NewBodies(b.seed, "S", b.stored)
	if err != nil {
		return err
	}
	load := bench.Load{Targets: s.targets(), Bodies: bodies, First: 1e6, Conns: b.conns, Duration: b.warm}
	p.notef("warming up …\n")
	if _, err := load.Run(ctx); err != nil {
		return err
	}
	load.Duration = b.each
	err = p.atRates(ctx, b, load, func(rate string, r bench.Result) error {
		rep.P50[rate], rep.P99[rate], rep.Achieved[rate] = bench.Millis(r.P50), bench.Millis(r.P99), r.PerSecond()
		return nil
	})
	if err != nil {
		return err
	}
	p.notef("sustained, %s over %d connections …\n", b.each, b.conns)
	load.First = 2e6
	before, err := s.usage()
	if err != nil {
		return err
	}
	mine, _ := bench.Usage()
	db, err := in.usage(ctx)
	if err != nil {
		return err
	}
	r, err := load.Run(ctx)
	if err != nil {
		return err
	}
	mineAfter, _ := bench.Usage()
	dbAfter, err := in.usage(ctx)
	if err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	n := float64(r.Orders)
	rep.OrdersPerS = r.PerSecond()
	rep.Closed = bench.Times{P50: bench.Millis(r.P50), P99: bench.Millis(r.P99), Max: bench.Millis(r.Max)}
	rep.GroupSize = float64(after.Events-before.Events) / float64(max(1, after.Groups-before.Groups))
	rep.CPUMicros = float64(after.CPUMicros-before.CPUMicros) / n
	rep.CPUMicrosLoad = float64(mineAfter-mine) / n
	if in.pg != nil {
		rep.Database = &bench.DatabaseReport{
			CPUKnown: dbAfter.known, CPUMicros: float64(dbAfter.cpu-db.cpu) / n,
			BytesPerOrder: float64(dbAfter.size-db.size) / n, WALPerOrder: float64(dbAfter.wal-db.wal) / n,
		}
	}
	rep.RSS = max(rep.RSS, after.MaxRSS)
	return nil
}

// atRates delivers at each of the fixed rates in turn, before the closed loop: that writes some gigabytes, and the disk of
// a virtual machine may stand still for tenths of a second after them, whoever wrote them.
func (p *program) atRates(ctx context.Context, b benchOrders, load bench.Load, then func(rate string, r bench.Result) error) error {
	for i, rate := range b.rates {
		name := rateName(rate)
		p.notef("at %s orders/s, %s …\n", name, b.each)
		load.First, load.Rate = int64(3e6+1e7*float64(i)), rate
		r, err := load.Run(ctx)
		if err == nil {
			err = then(name, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func rateName(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }

// dbUsage is what a database has used.
type dbUsage struct {
	cpu, size, wal int64
	known          bool // cpu
}

func (s *benchStore) usage(ctx context.Context) (u dbUsage, err error) {
	if s.pg != nil {
		u.cpu, u.known = s.pg.CPUMicros()
		u.size, u.wal, err = s.pg.Size(ctx)
	}
	return u, err
}

// benchRaw writes the rows of a real group of the measured size again and again.
func (p *program) benchRaw(ctx context.Context, b benchOrders, in *benchStore, rep *bench.Report) (err error) {
	size := max(1, int(rep.GroupSize+0.5))
	bodies, err := bench.NewBodies(b.seed, "R", b.stored)
	if err != nil {
		return err
	}
	key := make([]byte, store.KeySize) // of this run only
	keys, err := store.NewKeyring(key)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, in.url, store.Options{Keyring: keys})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
	if err != nil {
		return err
	}
	err = bench.Prepare(ctx, db, eng, b.seed)
	var g, one *bench.Group
	if err == nil {
		g, err = bench.CaptureGroup(ctx, db, eng, bodies, 0, size)
	}
	if err == nil {
		one, err = bench.CaptureGroup(ctx, db, eng, bodies, int64(2*size), 1)
	}
	if err = errors.Join(err, eng.Close(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	rep.RowsPerOrder, rep.TextPerOrder = float64(g.Rows)/float64(size), float64(g.Bytes)/float64(size)
	flows := b.nodes * engine.Committers(db)
	if _, _, err := g.Replay(ctx, db, flows, b.warm); err != nil {
		return err
	}
	for _, rate := range b.rates {
		name := rateName(rate)
		p.notef("raw at %s orders/s, %s …\n", name, b.each)
		at := rep.Rates[name]
		if at.Raw, err = one.Paced(ctx, db, flows, rate, b.each); err != nil {
			return err
		}
		rep.Rates[name] = at
	}
	p.notef("raw limit, %s in groups of %d …\n", b.each, size)
	times, elapsed, err := g.Replay(ctx, db, flows, b.each)
	if err != nil {
		return err
	}
	rep.RawOrdersPerS = float64(times*size) / elapsed.Seconds()
	return nil
}

// benchPostgres lets pgbench measure the same server, over as many sessions as a node has.
func (p *program) benchPostgres(ctx context.Context, b benchOrders, in *benchStore, rep *bench.Report) error {
	if in.pg == nil {
		return nil
	}
	p.notef("pgbench, %s …\n", b.each)
	perS, err := in.pg.PgBench(ctx, store.Connections, b.each)
	if fault.KindOf(err) == fault.NotFound {
		rep.Database.PgBench = fault.Message(err)
		return nil
	}
	rep.Database.PgBenchPerS = perS
	return err
}

// benchDrained measures with effects delivered: the closed loop until the last is taken, then fixed rates.
func (p *program) benchDrained(ctx context.Context, b benchOrders, in *benchStore, rep *bench.Report) (err error) {
	args := []string{"--deliver"}
	if b.profile != "" {
		args = append(args, "--profile", b.profile+".drained")
	}
	s, err := p.startBenchServers(ctx, b, in, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	bodies, err := bench.NewBodies(b.seed, "D", b.stored)
	if err != nil {
		return err
	}
	load := bench.Load{Targets: s.targets(), Bodies: bodies, First: 1e6, Conns: b.conns, Duration: b.warm}
	if _, err := load.Run(ctx); err != nil {
		return err
	}
	if err := s.drained(ctx); err != nil {
		return err
	}
	load.Duration = b.each
	err = p.atRates(ctx, b, load, func(rate string, r bench.Result) error {
		at := rep.Rates[rate]
		at.Delivered, at.Achieved = r.Times(), r.PerSecond()
		rep.Rates[rate] = at
		return s.drained(ctx)
	})
	if err != nil {
		return err
	}
	p.notef("with every effect delivered, %s …\n", b.each)
	load.First = 2e6
	begun := time.Now()
	r, err := load.Run(ctx)
	if err != nil {
		return err
	}
	if err := s.drained(ctx); err != nil {
		return err
	}
	rep.DrainedPerS = float64(r.Orders) / time.Since(begun).Seconds()
	u, err := s.usage()
	rep.RSS = max(rep.RSS, u.MaxRSS)
	return err
}

// benchServers are the nodes of one shop.
type benchServers []*benchServer

// startBenchServers starts the nodes, one after the other: the first makes the shop.
func (p *program) startBenchServers(ctx context.Context, b benchOrders, in *benchStore, args ...string) (all benchServers, err error) {
	for i := range b.nodes {
		more := args
		if i > 0 {
			more = append([]string{"--join"}, args...)
		}
		s, err := p.startBenchServer(ctx, b, in, more...)
		if err != nil {
			return nil, errors.Join(err, all.end())
		}
		all = append(all, s)
	}
	return all, nil
}

func (all benchServers) targets() (out []bench.Target) {
	for _, s := range all {
		out = append(out, s.target)
	}
	return out
}

// usage is that of all nodes together.
func (all benchServers) usage() (sum benchUsage, err error) {
	for _, s := range all {
		u, err := s.usage()
		if err != nil {
			return sum, err
		}
		sum.CPUMicros += u.CPUMicros
		sum.MaxRSS += u.MaxRSS
		sum.Groups += u.Groups
		sum.Events += u.Events
		sum.Pending = u.Pending // of the one database
	}
	return sum, nil
}

func (all benchServers) end() (err error) {
	for _, s := range all {
		err = errors.Join(err, s.end())
	}
	return err
}

// benchServer is the server process as its parent sees it.
type benchServer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	target bench.Target
}

// startBenchServer runs this program again as the benchmark's server.
func (p *program) startBenchServer(ctx context.Context, b benchOrders, in *benchStore, args ...string) (*benchServer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "bench", "the program does not know its own file")
	}
	args = append([]string{"bench", "server", "--db", in.url, "--data-dir", in.dir, "--key-file", in.dir + ".key", "--log-level", "warn", "--seed", strconv.FormatUint(b.seed, 10)}, args...)
	s := &benchServer{cmd: exec.CommandContext(ctx, exe, args...)}
	s.cmd.Env, s.cmd.Stderr = p.environ, p.stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "bench", "the benchmark's server does not start")
	}
	var w bench.WireTarget
	if err := s.read(&w); err != nil {
		return nil, errors.Join(fault.New(fault.Unavailable, "bench", "the benchmark's server does not start"), s.end())
	}
	s.target = w.Target()
	return s, nil
}

func (s *benchServer) read(v any) error {
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the benchmark's server has gone: %w", err)
	}
	return json.Unmarshal(line, v)
}

func (s *benchServer) usage() (u benchUsage, err error) {
	if _, err := io.WriteString(s.in, "usage\n"); err != nil {
		return u, err
	}
	if err := s.read(&u); err != nil {
		return u, err
	}
	if u.Error != "" {
		err = errors.New(u.Error)
	}
	return u, err
}

// drained waits until every effect has been taken.
func (all benchServers) drained(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		u, err := all.usage()
		if err != nil || !u.Pending {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end closes the server's input, by which it ends.
func (s *benchServer) end() error {
	_ = s.in.Close()
	return s.cmd.Wait()
}
