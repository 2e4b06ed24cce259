package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/server"
	"orderly.example/orderly/internal/sim/bench"
	"orderly.example/orderly/internal/store"
)

// benchUsage is what the benchmark's server says of itself when asked.
type benchUsage struct {
	CPUMicros int64   `json:"cpu_us"`
	MaxRSS    float64 `json:"max_rss_mb"`
	Groups    int64   `json:"groups"`
	Events    int64   `json:"events"`
	Pending   bool    `json:"pending"` // some effect is not yet taken
	Error     string  `json:"error,omitempty"`
}

// benchServerCommand is the server half of the benchmark, a process of its
// own so that its memory and processor time are the server's alone. It says
// where it listens as one line of JSON, answers "usage" with another, and ends with its input.
func (p *program) benchServerCommand() *cobra.Command {
	var deliver, join bool
	var seed uint64
	var profile string
	c := &cobra.Command{
		Use: "server", Short: "The benchmark's server", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.settings(cmd)
			if err != nil {
				return err
			}
			return p.benchServer(cmd.Context(), cfg, seed, deliver, join, profile)
		},
	}
	c.Flags().BoolVar(&deliver, "deliver", false, "deliver effects to a stub")
	c.Flags().BoolVar(&join, "join", false, "the shop is there already")
	c.Flags().Uint64Var(&seed, "seed", 1, "`NUMBER` of the sample shop")
	c.Flags().StringVar(&profile, "profile", "", "write a processor profile to `FILE`")
	bindCommon(c.Flags())
	return c
}

func (p *program) benchServer(ctx context.Context, cfg *config.Config, seed uint64, deliver, join bool, profile string) (err error) {
	p.tuneRuntime()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s, err := p.openShop(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer s.close()
	eng, err := engine.New(ctx, engine.Options{DB: s.db, Keyring: s.keys, Now: p.now, Logger: s.log, Ports: bench.Stub{}})
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	defer func() {
		stop()
		err = errors.Join(err, eng.Close(context.WithoutCancel(ctx)))
		if deliver {
			err = errors.Join(err, <-ran)
		}
	}()
	secret := hook.NewSecret()
	if !join {
		if err := bench.Prepare(ctx, s.db, eng, seed); err != nil {
			return err
		}
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if join {
			_, _, have, err := s.openConnection(tx, bench.Hook)
			if err == nil && len(have.Secrets) > 0 {
				secret = connect.Secret(have.Secrets[0])
			}
			return err
		}
		row, err := writeConnection(s.keys, bench.Hook, kindInbound, connectionConfig{}, connectionSecrets{Secrets: []string{secret.Reveal()}}, tx.Now())
		if err != nil {
			return err
		}
		return tx.PutConnection(row)
	})
	if err != nil {
		return err
	}
	ports := newPorts(s.db, s.keys, p.now)
	defer ports.close()
	metrics := observe.NewMetrics(buildVersion())
	doors, err := api.New(api.Deps{
		Engine: apiEngine{eng}, Tokens: s.access, Hooks: ports, Log: s.log, Metrics: metrics, Now: p.now,
		Version: buildVersion(), MaxEventBytes: cfg.MaxEventBytes, MaxBatchBytes: cfg.MaxBatchBytes,
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	doors.Mount(mux)
	srv := server.New(server.Options{
		Handler: mux, Log: s.log, Metrics: metrics, HeaderTimeout: cfg.HeaderTimeout, ReadTimeout: cfg.ReadTimeout,
		WriteTimeout: cfg.WriteTimeout, IdleTimeout: cfg.IdleTimeout, DrainTimeout: cfg.DrainTimeout,
	})
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if deliver {
		go func() { ran <- eng.Run(ctx) }()
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	out := json.NewEncoder(p.stdout)
	err = out.Encode(bench.Target{Addr: ln.Addr().String(), Path: "/hooks/" + bench.Hook, Secret: secret}.Wire())
	if err != nil {
		return err
	}
	in := bufio.NewScanner(p.stdin)
	for in.Scan() {
		if strings.TrimSpace(in.Text()) != "usage" {
			continue
		}
		if err := out.Encode(p.benchUsage(ctx, s, eng)); err != nil {
			return err
		}
	}
	stop()
	return errors.Join(in.Err(), <-served)
}

func (p *program) benchUsage(ctx context.Context, s *shop, eng *engine.Engine) benchUsage {
	u := benchUsage{Groups: eng.Stats().Groups.Load(), Events: eng.Stats().Events.Load()}
	u.CPUMicros, u.MaxRSS = bench.Usage()
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("SELECT EXISTS (SELECT 1 FROM effect WHERE state IN ('pending', 'claimed'))").Scan(&u.Pending)
	})
	if err != nil {
		u.Error = err.Error()
	}
	return u
}
