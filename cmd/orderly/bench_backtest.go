package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/spf13/cobra"

	samples "orderly.example/orderly/examples"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/sim/bench"
	"orderly.example/orderly/internal/store"
)

// backtestBench is what `orderly bench backtest` measured.
type backtestBench struct {
	Orders      int64   `json:"orders"`
	Events      int64   `json:"events"` // rows: orders and what they led to
	Bytes       int64   `json:"bytes"`
	Automations int     `json:"automations"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"events_per_s"`
	OrdersPerS  float64 `json:"orders_per_s"`
	RawSeconds  float64 `json:"raw_seconds"` // reading the same rows and nothing else
	RawPerS     float64 `json:"raw_events_per_s"`
	Ratio       float64 `json:"ratio"`            // backtest to raw, in time
	CPUMicros   float64 `json:"cpu_us_per_event"` // of all processors: what other work on the machine changes least
	RawMicros   float64 `json:"raw_cpu_us_per_event"`
	HeapMB      float64 `json:"heap_mb"`
	RSSMB       float64 `json:"rss_mb"` // largest of the process, the making of the history included
	CPUs        int     `json:"cpus"`
	Fold        string  `json:"fold"`
	Afresh      bool    `json:"afresh"`
}

func (b backtestBench) String() string {
	return fmt.Sprintf(`%d automations over %d orders, %d recorded events, on %d processors
  backtest      %8.0f events/s   %.1f s   %5.1f µs of processor time an event
  reading only  %8.0f events/s   %.1f s   %5.1f µs
  ratio         %8.2f
  memory        %8.0f MB of heap at the most
`, b.Automations, b.Orders, b.Events, b.CPUs, b.PerSecond, b.Seconds, b.CPUMicros, b.RawPerS, b.RawSeconds, b.RawMicros, b.Ratio, b.HeapMB)
}

func (p *program) benchBacktestCommand() *cobra.Command {
	var events int
	var seed uint64
	var dir, profile string
	var fresh, asJSON bool
	c := &cobra.Command{
		Use: "backtest", Short: "Measure a backtest of twenty automations over many orders", Args: cobra.NoArgs,
		Long: `Make a shop with a history of orders, each decided by twenty automations, and measure
how fast the same automations are tried on it again; beside it, in the same run,
how fast the same rows are only read. With --afresh the facts stored with the decisions
are not used: each is worked out from the history, as for automations that ask what
nobody asked then.

Other work on the machine changes every figure: compare figures of one run.`,
		Example: examples("orderly bench backtest", "orderly bench backtest --events 100000 --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if events < 1 {
				return usagef("--events wants a number above 0")
			}
			rep, err := p.benchBacktest(cmd.Context(), events, seed, dir, profile, fresh)
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
	c.Flags().IntVar(&events, "events", 1_000_000, "`NUMBER` of orders in the history")
	c.Flags().Uint64Var(&seed, "seed", 1, "`NUMBER` that makes the same orders again")
	c.Flags().StringVar(&dir, "dir", "", "keep the history in `DIR` and use it again (default: a temporary folder)")
	c.Flags().BoolVar(&fresh, "afresh", false, "use no stored fact")
	c.Flags().StringVar(&profile, "profile", "", "write a processor profile to `FILE`")
	bindJSON(c.Flags(), &asJSON)
	return c
}

func (p *program) benchBacktest(ctx context.Context, events int, seed uint64, dir, profile string, afresh bool) (rep backtestBench, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "orderly-bench-"); err != nil {
			return rep, fault.Wrap(err, fault.Unavailable, "bench", "no temporary folder can be made")
		}
		defer os.RemoveAll(dir)
	}
	file := filepath.Join(dir, "history.db")
	_, statErr := os.Stat(file)
	key, err := store.LoadOrCreateKey(filepath.Join(dir, "key"))
	if err != nil {
		return rep, err
	}
	keys, err := store.NewKeyring(key)
	if err != nil {
		return rep, err
	}
	db, err := store.Open(ctx, file, store.Options{Keyring: keys})
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, eng.Close(context.WithoutCancel(ctx))) }()
	if errors.Is(statErr, fs.ErrNotExist) {
		p.notef("making a history of %d orders …\n", events)
		err := bench.History(ctx, db, keys, eng, seed, events, func(done int) {
			if done%100_000 == 0 {
				p.notef("  %d\n", done)
			}
		})
		if err != nil {
			return rep, err
		}
	}
	as, err := benchAutomations()
	if err != nil {
		return rep, err
	}
	p.notef("reading …\n")
	h := backtest.History{DB: db, Keys: keys}
	start := time.Now()
	cpu, _ := bench.Usage()
	if rep.Events, rep.Bytes, err = h.Read(ctx); err != nil {
		return rep, err
	}
	rep.RawSeconds = time.Since(start).Seconds()
	rep.RawMicros = cpuSince(cpu, rep.Events)
	p.notef("backtest …\n")
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return rep, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return rep, err
		}
	}
	runtime.GC()
	peak := watchHeap()
	cpu, _ = bench.Usage()
	r, err := backtest.Run(ctx, backtest.Options{DB: db, Keys: keys, Policies: eng, Candidates: as, Afresh: afresh})
	rep.HeapMB = peak()
	rep.CPUMicros = cpuSince(cpu, rep.Events)
	if profile != "" {
		pprof.StopCPUProfile()
	}
	if err != nil {
		return rep, err
	}
	rep.Orders, rep.Seconds, rep.Fold, rep.Afresh, rep.Automations, rep.CPUs = r.Orders, r.Seconds, r.Fold, afresh, len(as), runtime.GOMAXPROCS(0)
	rep.PerSecond, rep.OrdersPerS = float64(rep.Events)/rep.Seconds, float64(rep.Orders)/rep.Seconds
	rep.RawPerS, rep.Ratio = float64(rep.Events)/rep.RawSeconds, rep.Seconds/rep.RawSeconds
	_, rss := bench.Usage()
	rep.RSSMB = rss
	return rep, nil
}

// cpuSince is the processor time of an event, in microseconds.
func cpuSince(before int64, events int64) float64 {
	now, _ := bench.Usage()
	return float64(now-before) / float64(max(events, 1))
}

// watchHeap looks at the heap until its result is called, which returns the most that was in use, in MB.
func watchHeap() func() float64 {
	stop, out := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
			select {
			case <-tick.C:
			case <-stop:
				out <- most
				return
			}
		}
	}()
	return func() float64 { close(stop); return float64(<-out) / (1 << 20) }
}

// benchAutomations are the twenty of examples/bench.
func benchAutomations() ([]*automation.Automation, error) {
	files, err := fs.Glob(samples.Bench(), "*.yaml")
	if err != nil {
		return nil, err
	}
	var out []*automation.Automation
	for _, f := range files {
		text, err := fs.ReadFile(samples.Bench(), f)
		if err != nil {
			return nil, err
		}
		a, err := automation.Parse(strings.TrimSuffix(f, ".yaml")+".yaml", text)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
