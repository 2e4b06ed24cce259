package main

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	samples "orderly.example/orderly/examples"
	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/sim"
	life "orderly.example/orderly/internal/sim/demo"
	"orderly.example/orderly/internal/store"
)

// The sample user. Their mail address receives nothing.
const demoUser = "demo@shop.example"

func (p *program) demoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use: "demo", Short: "Start a sample shop with live orders, to look around", Args: cobra.NoArgs,
		Long: `Start a sample shop: products, four warehouses, the starter pack of automations,
three days of past orders, decisions of two reviewers, and new orders at the pace of a day. Some are risky, some
no warehouse can fill; some buyers pay late, cancel or send back. Mail and warehouse are samples inside this program: nothing
leaves the machine. Everything lies in a temporary folder that is removed at the
end, unless you name one with --data-dir.`,
		Example: examples("orderly demo", "orderly demo --rate 120 --listen 127.0.0.1:9000"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.settings(cmd)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") && p.env("ORDERLY_LOG_LEVEL") == "" {
				cfg.LogLevel = "warn"
			}
			if !cmd.Flags().Changed("data-dir") {
				dir, err := os.MkdirTemp("", "orderly-demo-")
				if err != nil {
					return fault.Wrap(err, fault.Unavailable, "demo", "no temporary folder can be made")
				}
				defer os.RemoveAll(dir)
				cfg.DataDir, cfg.DB, cfg.KeyFile = dir, "sqlite:"+filepath.Join(dir, "orderly.db"), filepath.Join(dir, "orderly.key")
			}
			if !cmd.Flags().Changed("listen") && p.env("ORDERLY_LISTEN") == "" {
				cfg.Listen = freeListen(cfg.Listen)
			}
			return p.demo(cmd.Context(), cfg, o)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().Float64Var(&o.perMinute, "rate", 40, "`ORDERS` a minute in the busiest hour")
	c.Flags().Uint64Var(&o.seed, "seed", 1, "`NUMBER` that makes the same shop again")
	c.Flags().BoolVar(&o.still, "no-live", false, "no new orders; what is there is still delivered and shipped")
	config.Bind(c.Flags(), "listen", "data_dir", "log_level", "log_format")
	return c
}

// freeListen returns the address, or one with a free port when it is taken:
// a demo should start whatever else runs.
func freeListen(addr string) string {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return addr
		}
		return net.JoinHostPort(host, "0")
	}
	_ = ln.Close() // it was only asked whether it is free
	return addr
}

// demoOptions are the flags of the demo.
type demoOptions struct {
	perMinute float64
	seed      uint64
	still     bool
}

func (p *program) demo(ctx context.Context, cfg *config.Config, o demoOptions) error {
	begun := p.now()
	s, err := p.openShop(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer s.close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	w := newWarehouse()
	mail, err := fake.StartSMTP(ctx, fake.SMTPOptions{Keep: 200})
	if err != nil {
		return err
	}
	defer mail.Close()
	mail.Refuse(life.NoMailbox, 550)
	hooks, err := fake.StartReceiver(ctx, fake.ReceiverOptions{Keep: 200, Take: w.take})
	if err != nil {
		return err
	}
	defer hooks.Close()
	if err := p.demoConnections(ctx, s, mail, hooks); err != nil {
		return err
	}
	password := demoPassword()
	if err := p.demoPeople(ctx, s, password); err != nil {
		return err
	}
	r, err := p.start(ctx, s)
	if err != nil {
		return err
	}
	d := &demo{p: p, r: r, warehouse: w, demoOptions: o}
	w.buyers = &d.diary
	if err := d.seed(ctx); err != nil {
		return errors.Join(err, r.engine.Close(context.WithoutCancel(ctx)), r.ln.Close())
	}
	p.printf("Orderly %s: the sample shop is open, %.1f s after the start.\n\n", buildVersion(), p.now().Sub(begun).Seconds())
	p.printf("  Open      %s%s\n\n", r.base, r.signInLink(password))
	p.printf("The link signs you in. Elsewhere:\n\n  Sign in   %s/signin\n  User      %s\n  Password  %s\n\n", r.base, demoUser, password)
	if o.still {
		p.printf("No new orders come (--no-live). Ctrl-C ends it.\n")
	} else {
		p.printf("New orders come as you look: %d a minute in the busiest hour. Ctrl-C ends it.\n", int(o.perMinute))
	}
	lived := make(chan struct{})
	go func() {
		defer close(lived)
		d.live(ctx)
	}()
	err = r.serve(ctx)
	stop()
	<-lived
	return err
}

// demoPassword is easy to type and good for this run only.
func demoPassword() string {
	var b [10]byte
	rand.Read(b[:])
	s := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return s[0:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
}

func (p *program) demoPeople(ctx context.Context, s *shop, password string) error {
	_, err := s.access.AddUser(ctx, access.NewUser{Email: demoUser, Name: "Demo", Password: password, Role: access.Admin})
	if fault.KindOf(err) == fault.Conflict { // the folder of an earlier demo
		return s.access.ResetPassword(ctx, demoUser, password)
	}
	return err
}

// demoConnections points mail and webhooks at the samples inside this program.
func (p *program) demoConnections(ctx context.Context, s *shop, mail *fake.SMTP, hooks *fake.Receiver) error {
	host, port := mail.HostPort()
	out := connectionConfig{Address: "http://" + hooks.Addr(), AllowPrivate: true}
	secrets := connectionSecrets{URL: hooks.URL(), Secrets: []string{hooks.Secret().Reveal()}}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, c := range []struct {
			name, kind string
			cfg        connectionConfig
			sec        connectionSecrets
		}{
			{"mail", kindSMTP, connectionConfig{Host: host, Port: port, TLS: "none", From: "Sample Shop <orders@shop.example>"}, connectionSecrets{}},
			{"warehouse", kindWebhook, out, secrets},
			{"alerts", kindWebhook, out, secrets},
		} {
			row, err := writeConnection(s.keys, c.name, c.kind, c.cfg, c.sec, tx.Now())
			if err != nil {
				return err
			}
			if err := tx.PutConnection(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// demo is the sample shop's life.
type demo struct {
	demoOptions
	p         *program
	r         *running
	life      life.Life
	diary     diary
	warehouse *warehouse
	n         int
}

// diary is what buyers will do, noted by the warehouse and read by the demo.
type diary struct {
	mu    sync.Mutex
	pages life.Diary
}

func (d *diary) add(ls ...life.Later) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages.Add(ls...)
}

func (d *diary) due(now time.Time) []event.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pages.Due(now)
}

// How much of the past a demo begins with.
const (
	pastDays    = 3
	pastOrders  = 1200
	freshOrders = 60
	demoUnits   = 60
)

// seed brings in the policy, the catalogue, days of history and some live
// orders. A folder that was kept has all this and goes on with new numbers.
func (d *demo) seed(ctx context.Context) error {
	kept := false
	err := d.r.db.View(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.Seen(life.Source, "opening-0")
		return err
	})
	if err != nil {
		return err
	}
	now, prefix := d.p.now(), "D"
	if kept {
		prefix += strconv.FormatInt(now.Unix()/10, 36) + "-"
	}
	d.life.Shop = sim.New(d.demoOptions.seed, prefix)
	if kept {
		return nil
	}
	if err := d.applyPolicy(ctx, samples.Shop(), samples.Demo()); err != nil {
		return err
	}
	shop := d.life.Shop
	err = d.r.db.Update(ctx, func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, shop.Products()); err != nil {
			return err
		}
		if err := store.UpsertLocations(tx, shop.Locations(), "demo"); err != nil {
			return err
		}
		var points, ranges []any
		for _, pt := range shop.Postal() {
			points = append(points, pt.Country, pt.Code, pt.Lat, pt.Lon)
		}
		for _, ip := range shop.IPRanges() {
			ranges = append(ranges, int64(ip.First), int64(ip.Last), ip.Country)
		}
		if err := tx.PutIPRanges(ranges); err != nil {
			return err
		}
		return tx.PutPostal(points)
	})
	if err != nil {
		return err
	}
	if err := d.r.engine.Reload(ctx); err != nil {
		return err
	}
	zone := d.r.engine.Policy().Settings.TimeZone
	if err := d.submit(ctx, append(d.life.Opening(demoUnits), d.life.Past(now, zone, pastDays, pastOrders)...)); err != nil {
		return err
	}
	if err := d.reviews(ctx, now); err != nil {
		return err
	}
	evs := d.life.Scenes(now)
	for range freshOrders {
		evs = append(evs, d.order(now))
	}
	return d.submit(ctx, evs)
}

// reviews lets two reviewers work off the last hour. Orders are submitted
// before what was decided about them: a decision names a task that must be there.
func (d *demo) reviews(ctx context.Context, now time.Time) error {
	var who []string
	for _, name := range []string{"Ana", "Ben"} {
		u, err := d.r.access.AddUser(ctx, access.NewUser{Email: strings.ToLower(name) + "@shop.example", Name: name + " (sample)", Password: demoPassword(), Role: access.Agent})
		if err != nil {
			return err
		}
		who = append(who, u.ID)
	}
	r := d.life.Reviewed(now, who...)
	for _, evs := range [][]event.Event{r.Before, r.Held, r.Decided} {
		if err := d.submit(ctx, evs); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) applyPolicy(ctx context.Context, folders ...fs.FS) error {
	var texts []store.Text
	for _, f := range folders {
		more, err := engine.ReadFolder(f)
		if err != nil {
			return err
		}
		texts = append(texts, more...)
	}
	_, err := d.r.engine.Apply(ctx, texts, "demo", "the sample shop", false)
	return err
}

// submit hands events over in groups that share a commit.
func (d *demo) submit(ctx context.Context, evs []event.Event) error {
	for len(evs) > 0 {
		n := min(len(evs), 200)
		if _, err := d.r.engine.Submit(ctx, evs[:n]); err != nil {
			return err
		}
		evs = evs[n:]
	}
	return nil
}

func (d *demo) order(at time.Time) event.Event {
	d.n++
	o := d.life.Shop.Order(at)
	if d.n%75 == 40 {
		o.Customer.Email = life.NoMailbox
	}
	d.diary.add(d.life.Buyer(o, at)...)
	return event.Event{Source: "demo", Key: "order-" + o.Number, Data: o}
}

// live places orders at the pace of the day, lets the warehouse ship, and now
// and then receives what has run low, until ctx ends.
func (d *demo) live(ctx context.Context) {
	const step = 250 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	due, ticks := 0.0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		ticks++
		now := d.p.now()
		// A demo at night still shows something.
		if !d.still {
			due += max(0.35, sim.RateOf(now.Local())) * d.perMinute * step.Minutes()
		}
		var evs []event.Event
		for ; due >= 1; due-- {
			evs = append(evs, d.order(now))
		}
		evs = append(evs, d.warehouse.due(now)...)
		evs = append(evs, d.diary.due(now)...)
		if ticks%120 == 0 {
			evs = append(evs, d.restock(ctx, now)...)
		}
		if err := d.submit(ctx, evs); err != nil && ctx.Err() == nil {
			d.r.log.Warn("the sample shop could not submit", "error", err)
		}
	}
}

// restock receives deliveries of the products that have run low, but for a few that are left to be seen.
func (d *demo) restock(ctx context.Context, now time.Time) []event.Event {
	var page store.StockPage
	err := d.r.db.View(ctx, func(tx *store.Tx) (err error) {
		page, err = tx.StockPage(store.StockFilter{LowOnly: true, Limit: 60})
		return err
	})
	if err != nil {
		return nil
	}
	locs := d.life.Shop.Locations()
	var evs []event.Event
	for i, row := range page.Rows[min(4, len(page.Rows)):] {
		evs = append(evs, event.Event{
			Source: "demo", Key: "delivery-" + row.SKU + "-" + strconv.FormatInt(now.UnixMilli(), 36),
			Data: &event.StockReceived{SKU: row.SKU, Location: locs[(int(now.Unix())+i)%len(locs)].ID, Qty: demoUnits, Note: "sample delivery"},
		})
	}
	return evs
}
