package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/alert"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/connect/smtp"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// The kinds of connections.
const (
	kindInbound = "inbound" // signed events come in
	kindWebhook = "webhook" // signed documents go out
	kindSMTP    = "smtp"    // mail goes out

	kindChat      = "chat"      // incidents go to a channel
	kindOnCall    = "on-call"   // incidents go to a service that wakes people
	kindHeartbeat = "heartbeat" // an outside address is called while the shop is well
)

// connectionKinds are all of them, posting those whose URL is called.
var (
	connectionKinds = []string{kindInbound, kindWebhook, kindSMTP, kindChat, kindOnCall, kindHeartbeat}
	postingKinds    = []string{kindWebhook, kindChat, kindOnCall, kindHeartbeat}
)

// connectionConfig is what a connection's row says in the open. Only the part
// of its kind is filled.
type connectionConfig struct {
	EventType    string `json:"event_type,omitempty"`    // inbound: every body is the data of this type
	Expect       string `json:"expect,omitempty"`        // inbound: how often it delivers at least, like "1 per day"
	Address      string `json:"address,omitempty"`       // webhook: scheme and host; the whole URL may hold a key and is sealed
	AllowPrivate bool   `json:"allow_private,omitempty"` // webhook: this machine and private networks
	AllowHTTP    bool   `json:"allow_http,omitempty"`    // webhook: plain http to public addresses
	Host         string `json:"host,omitempty"`          // smtp
	Port         int    `json:"port,omitempty"`
	TLS          string `json:"tls,omitempty"`
	User         string `json:"user,omitempty"`
	From         string `json:"from,omitempty"`
	ReplyTo      string `json:"reply_to,omitempty"`
}

// connectionSecrets is what a connection's row keeps sealed.
type connectionSecrets struct {
	Secrets  []string `json:"secrets,omitempty"` // signing secrets, the newer first
	URL      string   `json:"url,omitempty"`
	Password string   `json:"password,omitempty"` // of smtp; the integration key of on-call
}

// readConnection opens a row.
func readConnection(keys *store.Keyring, row store.Connection) (c connectionConfig, s connectionSecrets, err error) {
	const op = "connection"
	if err := json.Unmarshal([]byte(row.Config), &c); err != nil {
		return c, s, fault.Wrap(err, fault.Internal, op, "the settings of the connection %s cannot be read; set it again", row.Name)
	}
	if row.Secrets != "" {
		plain, err := keys.OpenSecret(row.Name, row.Secrets)
		if err != nil {
			return c, s, fault.Wrap(err, fault.Internal, op, "the secrets of the connection %s cannot be opened with this key file", row.Name)
		}
		if err := json.Unmarshal([]byte(plain), &s); err != nil {
			return c, s, fault.Wrap(err, fault.Internal, op, "the secrets of the connection %s cannot be read; set it again", row.Name)
		}
	}
	return c, s, nil
}

// writeConnection seals a row.
func writeConnection(keys *store.Keyring, name, kind string, c connectionConfig, s connectionSecrets, now time.Time) (store.Connection, error) {
	cfg, err := json.Marshal(c)
	if err != nil {
		return store.Connection{}, err
	}
	plain, err := json.Marshal(s)
	if err != nil {
		return store.Connection{}, err
	}
	return store.Connection{Name: name, Kind: kind, Config: string(cfg), Secrets: keys.SealSecret(name, string(plain)), Updated: now}, nil
}

func signingSecrets(ss []string) []connect.Secret {
	out := make([]connect.Secret, len(ss))
	for i, s := range ss {
		out[i] = connect.Secret(s)
	}
	return out
}

// freshFor is how long the connections are used without a look at the
// database: the longest a change made by another process goes unnoticed.
const freshFor = time.Second

// ports keeps the adapters of the connections, made when they are first needed
// and again when their row changes. It is api.Hooks, and as outPorts engine.Ports.
type ports struct {
	db   *store.DB
	keys *store.Keyring
	now  func() time.Time

	mu     sync.Mutex
	until  time.Time
	missed map[string]time.Time // when a name that is not there was last looked for
	byName map[string]*port

	refused refusals
}

// port is one connection with its adapter.
type port struct {
	row      store.Connection
	once     sync.Once
	err      error
	mailer   connect.Mailer
	poster   connect.Hook
	heart    alert.Heart
	inbound  api.Hook
	closeAll func()
}

func newPorts(db *store.DB, keys *store.Keyring, now func() time.Time) *ports {
	return &ports{db: db, keys: keys, now: now, byName: map[string]*port{}, missed: map[string]time.Time{}}
}

// get returns a connection of one of the kinds with its adapter made.
func (ps *ports) get(ctx context.Context, name string, kinds ...string) (*port, error) {
	p, err := ps.lookUp(ctx, name)
	if err != nil {
		return nil, err
	}
	if p == nil || !slices.Contains(kinds, p.row.Kind) {
		return nil, fault.New(fault.NotFound, "connection", "there is no %s connection named %q; make it under Settings, or with orderly connection set", kinds[0], name)
	}
	p.once.Do(func() { p.err = p.make(ps) })
	return p, p.err
}

func (ps *ports) lookUp(ctx context.Context, name string) (*port, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := ps.now()
	if ps.byName[name] == nil && ps.missedLately(name, now) {
		return nil, nil
	}
	// A name that is not known may be a connection made a moment ago.
	if now.After(ps.until) || ps.byName[name] == nil {
		var rows []store.Connection
		err := ps.db.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = tx.Connections()
			return err
		})
		if err != nil {
			delete(ps.missed, name) // nobody looked: to say that it is not there would make its sender give up
			return nil, err
		}
		next := make(map[string]*port, len(rows))
		for _, row := range rows {
			if old := ps.byName[row.Name]; old != nil && old.row == row {
				next[row.Name] = old
				continue
			}
			next[row.Name] = &port{row: row}
		}
		for n, old := range ps.byName {
			if next[n] != old {
				old.close()
			}
		}
		ps.byName, ps.until = next, now.Add(freshFor)
	}
	return ps.byName[name], nil
}

// maxMissed bounds the names remembered as missing; strangers may ask for any.
const maxMissed = 100

// missedLately reports whether a name was looked for in vain within freshFor, and
// otherwise notes that it is looked for now.
func (ps *ports) missedLately(name string, now time.Time) bool {
	if now.Sub(ps.missed[name]) < freshFor {
		return true
	}
	for n, at := range ps.missed {
		if now.Sub(at) >= freshFor {
			delete(ps.missed, n)
		}
	}
	if len(ps.missed) >= maxMissed {
		return !now.After(ps.until)
	}
	ps.missed[name] = now
	return false
}

func (p *port) make(ps *ports) error {
	c, s, err := readConnection(ps.keys, p.row)
	if err != nil {
		return err
	}
	switch p.row.Kind {
	case kindInbound:
		v, err := hook.NewVerifier(signingSecrets(s.Secrets)...)
		if err != nil {
			return err
		}
		p.inbound = api.Hook{Name: p.row.Name, EventType: c.EventType, Verify: func(h http.Header, body []byte) error {
			_, err := v.Verify(h, body, ps.now())
			if err != nil {
				ps.refused.add(p.row.Name, err)
			}
			return err
		}}
	case kindWebhook:
		h, err := hook.New(hook.Settings{URL: s.URL, Secrets: signingSecrets(s.Secrets), Guard: connect.Guard{AllowPrivate: c.AllowPrivate, AllowHTTP: c.AllowHTTP}})
		if err != nil {
			return err
		}
		p.poster, p.closeAll = h, func() { _ = h.Close() } // idle connections only
	case kindSMTP:
		m, err := smtp.New(smtp.Settings{Host: c.Host, Port: c.Port, TLS: c.TLS, User: c.User, Password: connect.Secret(s.Password), From: c.From, ReplyTo: c.ReplyTo})
		if err != nil {
			return err
		}
		p.mailer, p.closeAll = m, func() { _ = m.Close() } // idle connections only
	case kindChat, kindOnCall, kindHeartbeat:
		return p.makeAlert(s, connect.Guard{AllowPrivate: c.AllowPrivate, AllowHTTP: c.AllowHTTP})
	default:
		return fault.New(fault.Invalid, "connection", "the connection %s is of the unknown kind %q", p.row.Name, p.row.Kind)
	}
	return nil
}

// makeAlert makes the adapter of a way by which incidents are told.
func (p *port) makeAlert(s connectionSecrets, g connect.Guard) error {
	switch p.row.Kind {
	case kindChat:
		h, err := alert.NewChat(s.URL, g)
		if err != nil {
			return err
		}
		p.poster, p.closeAll = h, func() { _ = h.Close() } // idle connections only
	case kindOnCall:
		h, err := alert.NewOnCall(s.URL, connect.Secret(s.Password), g)
		if err != nil {
			return err
		}
		p.poster, p.closeAll = h, func() { _ = h.Close() } // idle connections only
	case kindHeartbeat:
		h, err := alert.NewHeart(s.URL, g)
		if err != nil {
			return err
		}
		p.heart, p.closeAll = h, func() { _ = h.Close() } // idle connections only
	}
	return nil
}

// heartbeat calls the outside address of a connection.
func (ps *ports) heartbeat(ctx context.Context, connection string) error {
	p, err := ps.get(ctx, connection, kindHeartbeat)
	if err != nil {
		return err
	}
	return p.heart.Beat(ctx)
}

func (p *port) close() {
	p.once.Do(func() { p.err = fault.New(fault.Unavailable, "connection", "the connection %s is closed", p.row.Name) })
	if p.closeAll != nil {
		p.closeAll()
	}
}

func (ps *ports) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.byName {
		p.close()
	}
}

// Mailer implements engine.Ports.
func (ps *ports) Mailer(ctx context.Context, connection string) (connect.Mailer, error) {
	p, err := ps.get(ctx, connection, kindSMTP)
	if err != nil {
		return nil, permanent(err)
	}
	return p.mailer, nil
}

// permanent tells the engine that trying again will not help: the connection is wrongly set. For one that is not there yet
// the effect waits, and leaves when it is made.
func permanent(err error) error {
	if fault.KindOf(err) == fault.Invalid {
		return connect.Permanent(err)
	}
	return err
}

// Hook implements api.Hooks.
func (ps *ports) Hook(ctx context.Context, name string) (api.Hook, error) {
	p, err := ps.get(ctx, name, kindInbound)
	if err != nil {
		return api.Hook{}, err
	}
	return p.inbound, nil
}

// outPorts are the ports as the engine sees them.
type outPorts struct{ *ports }

// Hook implements engine.Ports.
func (o outPorts) Hook(ctx context.Context, connection string) (connect.Hook, error) {
	p, err := o.get(ctx, connection, kindWebhook, kindChat, kindOnCall)
	if err != nil {
		return nil, permanent(err)
	}
	return p.poster, nil
}
