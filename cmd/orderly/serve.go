package main

import (
	"context"
	"net"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/config"
)

func (p *program) serveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the shop: API, webhooks, console, delivery",
		Long: `Run the shop: take events at POST /v1/events and POST /hooks/NAME, deliver what
was decided, and serve the console.

On the first start a link is printed with which you make the first user; it is
good for one day and one use. The database and its key are made in the data
directory. Stop with Ctrl-C or SIGTERM: running requests are answered first.

Every setting can stand in orderly.yaml (listen: 0.0.0.0:8080), in the
environment (ORDERLY_LISTEN) or on the command line (--listen); the later wins.`,
		Example: examples("orderly serve",
			"orderly serve --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem",
			"orderly serve --db postgres://orderly@db.internal/orderly --base-url https://orders.example.com --trusted-proxies 10.0.0.0/8"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.settings(cmd)
			if err != nil {
				return err
			}
			return p.serve(cmd.Context(), cfg)
		},
	}
	c.Flags().SortFlags = false
	config.Bind(c.Flags(), config.Keys()...)
	return c
}

func (p *program) serve(ctx context.Context, cfg *config.Config) error {
	s, err := p.openShop(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer s.close()
	token, err := s.access.SetupToken(ctx) // before the doors open: who was told that it listens should not see it end
	if err != nil {
		return err
	}
	r, err := p.start(ctx, s)
	if err != nil {
		return err
	}
	p.printf("Orderly %s listens on %s\n", buildVersion(), r.base)
	p.printf("  console   %s/\n  events    POST %s/v1/events\n  API docs  %s/docs\n", r.base, r.base, r.base)
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && !cfg.TLS() && len(cfg.TrustedProxies) == 0 {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			p.notef("orderly: passwords and tokens travel in clear: give tls_cert and tls_key, or put a proxy with https in front and name it in trusted_proxies\n")
		}
	}
	if token != "" {
		p.printf("\nThere is no user yet. Make the first one within a day, once, with this link:\n  %s/setup?token=%s\nEach start prints a new link, and only the newest works.\n", r.base, token)
	}
	return r.serve(ctx)
}
