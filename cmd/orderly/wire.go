package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/server"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
	"orderly.example/orderly/internal/watch"
)

// shop is an open database with the key that opens what is sealed in it.
type shop struct {
	cfg    *config.Config
	log    *slog.Logger
	db     *store.DB
	keys   *store.Keyring
	access *access.Service
	inUse  *store.Lock         // of a SQLite file: keeps a restore away
	own    *server.Certificate // that this server shows; nil: it answers without TLS
}

// openShop opens the database of the settings. Unless create is set, it must
// exist: a command that reads should not leave an empty shop behind because of
// a mistyped path.
func (p *program) openShop(ctx context.Context, cfg *config.Config, create bool) (*shop, error) {
	log, err := observe.NewLogger(p.stderr, observe.Options{Level: cfg.LogLevel, Format: cfg.LogFormat})
	if err != nil {
		return nil, err
	}
	path := cfg.SQLitePath()
	fresh := false
	if path != "" && path != ":memory:" {
		_, err := os.Stat(path)
		fresh = errors.Is(err, os.ErrNotExist)
		if fresh && !create {
			return nil, fault.New(fault.NotFound, "open", "there is no database at %s; \"orderly serve\" makes one, --db or --data-dir names another place", path)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "open", "the folder for the database cannot be made")
		}
	}
	if _, err := os.Stat(cfg.KeyFile); errors.Is(err, os.ErrNotExist) && path != "" && !fresh {
		return nil, fault.New(fault.NotFound, "open", "the database exists but its key file %s does not; bring it back from where you keep it "+
			"(a new key could not open what is sealed), or name it with --key-file", cfg.KeyFile)
	}
	if err := os.MkdirAll(filepath.Dir(cfg.KeyFile), 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "open", "the folder for the key cannot be made")
	}
	key, err := store.LoadOrCreateKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	keys, err := store.NewKeyring(key)
	if err != nil {
		return nil, err
	}
	var inUse *store.Lock
	if path != "" && path != ":memory:" {
		if inUse, err = store.InUse(path); err != nil {
			return nil, err
		}
	}
	db, err := store.Open(ctx, cfg.DB, store.Options{Now: p.now, Logger: log, Keyring: keys, Pooled: cfg.DBPooler})
	if err != nil {
		inUse.Release()
		return nil, err
	}
	s := &shop{cfg: cfg, log: log, db: db, keys: keys, inUse: inUse, access: access.New(accessStore{db}, log, p.now)}
	s.access.UseKey(func(text string) string { return keys.Hash("audit name", text) })
	if err := s.checkKey(ctx); err != nil {
		err = errors.Join(err, db.Close())
		inUse.Release()
		return nil, err
	}
	return s, nil
}

// close releases the database.
func (s *shop) close() {
	if err := s.db.Close(); err != nil {
		s.log.Warn("the database did not close cleanly", "error", err)
	}
	s.inUse.Release()
}

// sealOf is the shop's keyed hash over the end of the audit chain: who can only write to the database cannot make it.
func (s *shop) sealOf(text string) string { return s.keys.Hash("audit seal", text) }

const keySetting = "key.check"

// checkKey refuses a key that is not the one this database was sealed with:
// going on would seal new data under a second key.
func (s *shop) checkKey(ctx context.Context) error {
	mine := s.keys.Hash("key check", "orderly")
	var theirs string
	var known bool
	read := func(tx *store.Tx) (err error) {
		theirs, known, err = tx.Setting(keySetting)
		return err
	}
	if err := s.db.View(ctx, read); err != nil {
		return err
	}
	if !known {
		return s.db.Update(ctx, func(tx *store.Tx) error {
			if err := read(tx); err != nil || known {
				return err
			}
			return tx.PutSetting(keySetting, mine)
		})
	}
	if theirs != mine {
		return fault.New(fault.Conflict, "open", "the key file %s does not belong to this database; name the right one with --key-file", s.cfg.KeyFile)
	}
	return nil
}

// accessStore is the store as access sees it.
type accessStore struct{ db *store.DB }

func (a accessStore) View(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.View(ctx, func(tx *store.Tx) error { return fn(tx) })
}

func (a accessStore) Update(ctx context.Context, fn func(access.Tx) error) error {
	return a.db.Update(ctx, func(tx *store.Tx) error { return fn(tx) })
}

// apiEngine is the engine as the API sees it.
type apiEngine struct{ e *engine.Engine }

func (a apiEngine) Submit(ctx context.Context, evs []event.Event) ([]api.Outcome, error) {
	outs, err := a.e.Submit(ctx, evs)
	if err != nil {
		return nil, err
	}
	res := make([]api.Outcome, len(outs))
	for i, o := range outs {
		res[i] = api.Outcome{EventID: o.EventID, Status: string(o.Status), Reason: o.Reason}
	}
	return res, nil
}

// apiWhy explains in the API's words.
type apiWhy struct{ e *engine.Engine }

func (a apiWhy) Why(ctx context.Context, order, automation string) ([]api.Why, error) {
	xs, err := a.e.Why(ctx, order, automation)
	if err != nil {
		return nil, err
	}
	out := make([]api.Why, len(xs))
	for i, x := range xs {
		masked := maskPersonal(x.Tree)
		tree, err := json.Marshal(masked)
		if err != nil {
			return nil, err
		}
		out[i] = api.Why{
			Automation: x.Automation, Mode: string(x.Mode), Why: x.Why, EventType: x.EventType, EventID: x.EventID, At: x.At,
			Outcome: x.Tree.Outcome, Fired: x.Fired, NotDone: x.NotDone, Reason: strings.Join(sentences(masked), "; "), Did: x.Did, Tree: tree,
		}
	}
	return out, nil
}

// consoleEngine is the engine as the console sees it.
type consoleEngine struct{ e *engine.Engine }

func (c consoleEngine) Submit(ctx context.Context, evs []event.Event) ([]console.Outcome, error) {
	outs, err := c.e.Submit(ctx, evs)
	if err != nil {
		return nil, err
	}
	res := make([]console.Outcome, len(outs))
	for i, o := range outs {
		res[i] = console.Outcome{EventID: o.EventID, Status: string(o.Status), Reason: o.Reason}
	}
	return res, nil
}

func (c consoleEngine) SetMode(ctx context.Context, name, mode string, share int, by, reason string) (waits bool, err error) {
	m := engine.ModeChange{Name: name, Mode: automation.Mode(mode), Share: share, By: by, Reason: reason}
	if waits, err = c.e.ProposeMode(ctx, m); waits || err != nil {
		return waits, err
	}
	return false, c.e.SetMode(ctx, m)
}

// Waiting implements console.PolicyEditor.
func (c consoleEngine) Waiting(ctx context.Context) ([]console.Proposed, error) {
	ps, err := c.e.Proposals(ctx)
	var out []console.Proposed
	for _, p := range ps {
		out = append(out, console.Proposed{ID: p.ID, Name: p.Name, Author: p.Author, Reason: p.Reason, At: p.Created, Mode: p.Mode, Text: p.Text, Now: p.Now, Folder: p.Folder})
	}
	return out, err
}

// Second implements console.PolicyEditor.
func (c consoleEngine) Second(ctx context.Context, id, by string, confirm bool) (string, error) {
	return c.e.Second(ctx, id, by, confirm)
}

func (c consoleEngine) Why(ctx context.Context, order, automation string) ([]console.Explanation, error) {
	xs, err := c.e.Why(ctx, order, automation)
	if err != nil {
		return nil, err
	}
	u, _ := access.UserFrom(ctx)
	out := make([]console.Explanation, len(xs))
	for i, x := range xs {
		out[i] = explained(u, x)
	}
	return out, nil
}

// explained is an explanation as a user may see it.
func explained(u access.User, x engine.Explanation) console.Explanation {
	tree := x.Tree
	if !access.Can(u.Role, access.SeePersonal) {
		tree = maskPersonal(tree)
	}
	return console.Explanation{
		Automation: x.Automation, Mode: string(x.Mode), Why: x.Why, EventType: x.EventType, EventID: x.EventID, At: x.At,
		Outcome: tree.Outcome, Fired: x.Fired, NotDone: x.NotDone, Reason: strings.Join(sentences(tree), "; "), Did: x.Did, Tree: tree,
	}
}

// Unasked implements console.Explainer.
func (c consoleEngine) Unasked(ctx context.Context, order, automation string) (console.Unasked, error) {
	un, err := c.e.Unasked(ctx, order, automation)
	out := console.Unasked{Text: un.Text, Since: un.Since, Until: un.Until}
	if un.Verdict != nil {
		u, _ := access.UserFrom(ctx)
		out.Verdict = []console.Explanation{explained(u, *un.Verdict)}
	}
	return out, err
}

// ReplayEffects implements console.Replayer.
func (c consoleEngine) ReplayEffects(ctx context.Context, ids []string, by store.Replay) (console.ReplayOutcome, error) {
	out, err := c.e.ReplayEffects(ctx, ids, by)
	return console.ReplayOutcome(out), err
}

// ReplayCause implements console.Replayer.
func (c consoleEngine) ReplayCause(ctx context.Context, cause string, by store.Replay) (console.ReplayOutcome, error) {
	out, err := c.e.ReplayCause(ctx, cause, by)
	return console.ReplayOutcome(out), err
}

// PreviewEffects implements console.Replayer.
func (c consoleEngine) PreviewEffects(ctx context.Context, ids []string) ([]console.Letter, error) {
	ls, err := c.e.PreviewEffects(ctx, ids)
	out := make([]console.Letter, len(ls))
	for i, l := range ls {
		out[i] = console.Letter(l)
	}
	return out, err
}

// DecideAgain implements console.Replayer.
func (c consoleEngine) DecideAgain(ctx context.Context, eventID string) (console.Outcome, error) {
	o, err := c.e.ReplayEvent(ctx, eventID)
	return console.Outcome{EventID: o.EventID, Status: string(o.Status), Reason: o.Reason}, err
}

// PreviewRetry implements console.Replayer.
func (c consoleEngine) PreviewRetry(ctx context.Context, run, from string) (*decide.Retry, error) {
	return c.e.PreviewRetry(ctx, run, from)
}

// RetryRun implements console.Replayer.
func (c consoleEngine) RetryRun(ctx context.Context, run, from string, twice bool, by string) (string, error) {
	return c.e.RetryRun(ctx, run, from, twice, by)
}

// Edit implements console.PolicyEditor.
func (c consoleEngine) Edit(ctx context.Context, e console.PolicyEdit, author, reason string) (console.PolicySaved, error) {
	a, err := c.e.Edit(ctx, engine.Edit{Kind: cmp.Or(e.Kind, engine.KindAutomation), Name: e.Name, Was: e.Was, Text: e.Text, Failing: e.Failing}, author, reason)
	return console.PolicySaved{Version: a.Version, Changed: a.Changed, Proposed: a.Proposed, Warnings: a.Warnings}, err
}

// Rollback implements console.PolicyEditor.
func (c consoleEngine) Rollback(ctx context.Context, name string, version int64, author, reason string) (console.PolicySaved, error) {
	a, err := c.e.Rollback(ctx, name, version, author, reason)
	return console.PolicySaved{Version: a.Version, Changed: a.Changed, Proposed: a.Proposed, Warnings: a.Warnings}, err
}

// topics are the console's names for what the engine tells.
var topics = map[string]console.Topic{
	"order": console.Orders, "task": console.Tasks, "stock": console.Stock, "effect": console.Effects, "policy": console.Automations,
}

// Subscribe implements console.Live.
func (c consoleEngine) Subscribe(ctx context.Context) <-chan console.Topic {
	in, out := c.e.Subscribe(ctx), make(chan console.Topic, 16)
	go func() {
		defer close(out)
		for t := range in {
			topic, ok := topics[t.Kind]
			if !ok {
				continue
			}
			select {
			case out <- topic:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// Lookup implements console.Postal.
func (c consoleEngine) Lookup(country, code string) (lat, lon float64, ok bool) {
	if postal := c.e.Policy().Postal; postal != nil {
		return postal.Lookup(country, code)
	}
	return 0, 0, false
}

// console builds the pages of a running shop.
func (p *program) console(r *running, web *access.Web) *console.Console {
	eng := consoleEngine{r.engine}
	return console.New(console.Deps{
		Read: r.db, Lists: r.lists(), Write: r.db, Keys: r.keys, Submit: eng, Sessions: web, People: r.access, Why: eng, Replay: eng, Suggest: eng, Live: eng, Modes: eng, Check: r.engine, Map: r.engine, Policy: eng, Mails: r.engine, Postal: eng,
		Connect:  consoleConnections{r.shop, r.ports},
		Privacy:  r.privacy(),
		Backtest: r.backtest, Watch: r.watch,
		Shop: func() console.Shop {
			s := r.engine.Policy().Settings
			return console.Shop{
				Name: s.Name, Zone: s.TimeZone, Currency: s.Currency, BaseURL: r.base,
				FulfilOn: s.FulfilOn, ReviewSLA: s.ReviewSLA, OpsOwner: s.OpsOwner, Mail: s.Mail, Fulfilment: s.Fulfilment, Alerts: s.Alerts,
				Escalate: s.Escalate, EscalateAfter: s.EscalateAfter, Heartbeat: s.Heartbeat,
			}
		},
		Now: p.now, Log: r.log,
	})
}

// running is a shop that takes events and serves its doors.
type running struct {
	*shop
	engine   *engine.Engine
	backtest *backtest.Runner
	replica  *store.Replica // nil: none
	old      *archive.Dir
	tracer   *observe.Tracer // nil: no traces
	ports    *ports
	watch    *watch.Watcher
	metrics  *observe.Metrics
	server   *server.Server
	web      *access.Web
	mux      *http.ServeMux // below the server; the demo adds a door
	ln       net.Listener
	base     string   // URL of the console, without a slash at the end
	routes   []string // every pattern that is answered, for the table of access
}

// start brings a shop to life on its address. Requests are answered by serve.
func (p *program) start(ctx context.Context, s *shop) (_ *running, err error) {
	p.tuneRuntime()
	r := &running{shop: s, metrics: observe.NewMetrics(buildVersion())}
	if r.ln, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.cfg.Listen); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "serve", "cannot listen on %s", s.cfg.Listen)
	}
	defer func() {
		if err != nil {
			_ = r.ln.Close() // the first error counts
		}
	}()
	if s.cfg.TLS() {
		// Read now, so that a wrong file is told before anything is promised.
		if s.own, err = server.NewCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "serve", "tls_cert and tls_key cannot be used")
		}
	}
	r.base = s.cfg.BaseURL
	if r.base == "" {
		scheme := "http://"
		if s.cfg.TLS() {
			scheme = "https://"
		}
		r.base = scheme + shown(r.ln.Addr())
	}
	if s.cfg.ReadDB != "" {
		r.replica, err = store.OpenReplica(ctx, s.db, s.cfg.ReadDB, s.cfg.ReadDBLag, store.Options{Pooled: s.cfg.DBPooler})
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				r.replica.Close()
			}
		}()
		if err := r.metrics.Registry.Register(replicaMetrics{r.replica}); err != nil {
			return nil, err
		}
	}
	r.ports = newPorts(s.db, s.keys, p.now)
	if r.old, err = archive.Open(s.cfg.ArchiveDir); err != nil {
		return nil, err
	}
	if r.tracer, err = observe.NewTracer(ctx, p.env, buildVersion(), s.log); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "serve", "traces: %v", err)
	}
	r.engine, err = engine.New(ctx, engine.Options{DB: s.db, Old: r.old, Rates: s.heard, Tracer: r.tracer, Keyring: s.keys, Now: p.now, Logger: s.log, Ports: outPorts{r.ports}, BaseURL: r.base})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.engine.Close(context.WithoutCancel(ctx)))
		}
	}()
	r.watch = p.watcher(s, r.engine, r.ports)
	if err := r.metrics.Registry.Register(shopMetrics{r.engine, r.watch, s.db, p.now}); err != nil {
		return nil, err
	}
	web, err := access.NewWeb(s.access, access.WebOptions{Secure: server.HTTPS, Address: server.Address, Error: server.Fail, BaseURL: s.cfg.BaseURL})
	if err != nil {
		return nil, err
	}
	if s.cfg.OIDCIssuer != "" {
		web.UseSSO(access.SSOConfig{
			Issuer: s.cfg.OIDCIssuer, ClientID: s.cfg.OIDCClient, ClientSecret: s.cfg.OIDCSecret, Name: s.cfg.OIDCName,
			Role: access.Role(s.cfg.OIDCRole), BaseURL: s.cfg.BaseURL,
		})
	}
	doors, err := api.New(api.Deps{
		Engine: apiEngine{r.engine}, Tokens: s.access, Hooks: r.ports, Audit: s.access, Read: api.Stored{DB: s.db}, Why: apiWhy{r.engine},
		Log: s.log, Metrics: r.metrics, Now: p.now,
		Version: buildVersion(), MaxEventBytes: s.cfg.MaxEventBytes, MaxBatchBytes: s.cfg.MaxBatchBytes,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	r.web, r.mux = web, mux
	r.backtest = &backtest.Runner{DB: s.db, Old: r.old, Read: r.lists(), Keys: s.keys, Policies: r.engine, Now: p.now, Log: s.log}
	r.engine.AskPast(r.backtest)
	doors.Mount(mux)
	pages := p.console(r, web)
	mux.Handle("/", web.Handler(pages))
	r.server = server.New(server.Options{
		Handler: mux, Log: s.log, Metrics: r.metrics, Tracer: r.tracer, AdminToken: doors.AdminToken,
		Ready:          readyOf(s.db, p.now).check,
		TrustedProxies: s.cfg.TrustedProxies, Certificate: s.own,
		HeaderTimeout: s.cfg.HeaderTimeout, ReadTimeout: s.cfg.ReadTimeout, WriteTimeout: s.cfg.WriteTimeout,
		IdleTimeout: s.cfg.IdleTimeout, DrainTimeout: s.cfg.DrainTimeout,
	})
	r.routes = slices.Concat(r.server.Routes(), doors.Routes(), pages.Routes())
	return r, nil
}

// serve answers requests until ctx ends, then ends in order: no new requests,
// the running ones finish, the engine commits what it has taken, workers stop.
func (r *running) serve(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	inside, stop := context.WithCancel(context.WithoutCancel(ctx)) // outlives the last request
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.access.Run(inside, r.sealOf); err != nil {
			r.log.Error("housekeeping ended", "error", err)
		}
	})
	wg.Go(func() { r.archiveDaily(inside) })
	wg.Go(func() {
		if err := r.engine.Run(inside); err != nil {
			fail(err)
		}
	})
	wg.Go(func() { r.watch.Run(inside) })
	wg.Go(func() { r.ports.tellRefusals(inside, r.log) })
	err := r.server.Serve(ctx, r.ln)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.DrainTimeout)
	defer cancel()
	r.backtest.Close()
	err = errors.Join(err, r.engine.Close(end))
	stop()
	wg.Wait()
	r.ports.close()
	r.old.Close()
	r.tracer.Close()
	if r.replica != nil {
		r.replica.Close()
	}
	return err
}

// lists is what lists, figures and backtests are read from; nil: from the database itself.
func (r *running) lists() console.Reader {
	if r.replica == nil {
		return nil
	}
	return r.replica
}

// shown returns an address that a person can open: a wildcard is this machine.
func shown(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// Suggestions implements console.Suggester.
func (c consoleEngine) Suggestions(ctx context.Context) (*suggest.Report, []store.Verdict, error) {
	s, err := c.e.CurrentSuggestions(ctx)
	if err != nil {
		return nil, nil, err
	}
	return s.Report, s.SetAside, nil
}

// AcceptSuggestion implements console.Suggester.
func (c consoleEngine) AcceptSuggestion(ctx context.Context, key, when, owner, reason string) (string, error) {
	return c.e.AcceptSuggestion(ctx, key, when, owner, reason)
}

// RefuseSuggestion implements console.Suggester.
func (c consoleEngine) RefuseSuggestion(ctx context.Context, key, when, by, reason string) error {
	return c.e.RefuseSuggestion(ctx, key, when, by, reason)
}
