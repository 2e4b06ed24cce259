package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/alert"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// What "orderly connection" and the console's settings do to connections: one code path for both.

var connectionName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// reservedNames would let a connection speak as one of Orderly's own doors; "new" is a page of the console.
var reservedNames = []string{"api", "console", "timer", "engine", "import", "orderly", "new"}

// connectionChange is what is asked for. Empty texts keep what an existing connection has.
type connectionChange struct {
	name, kind  string
	url, secret string // sealed
	config      func(kind string, c *connectionConfig) error
}

// connectionProblem is a refusal that points at a field.
func connectionProblem(field, format string, args ...any) error {
	err := fault.New(fault.Invalid, "connection", "the connection cannot be set like this")
	err.Problems = []fault.Problem{{Pointer: "/" + field, Message: fmt.Sprintf(format, args...)}}
	return err
}

// setConnection makes or changes a connection, tries that it can be used, and
// returns the signing secret that was made for it, if any.
func (s *shop) setConnection(ctx context.Context, ch connectionChange) (made, kind string, err error) {
	if !connectionName.MatchString(ch.name) || slices.Contains(reservedNames, ch.name) {
		return "", "", connectionProblem("name", "has lower-case letters, digits, - and _, and is none of %s; got %q", strings.Join(reservedNames, ", "), ch.name)
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		made = ""
		old, exists, err := findConnection(tx, ch.name)
		if err != nil {
			return err
		}
		var c connectionConfig
		var sec connectionSecrets
		kind = ch.kind
		if exists {
			if kind == "" {
				kind = old.Kind
			}
			if kind != old.Kind {
				return fault.New(fault.Conflict, "connection", "the connection %s is of kind %s; delete it first, or choose another name", ch.name, old.Kind)
			}
			if c, sec, err = readConnection(s.keys, old); err != nil {
				return err
			}
		}
		if !slices.Contains(connectionKinds, kind) {
			return connectionProblem("kind", "is one of %s, got %q", strings.Join(connectionKinds, ", "), kind)
		}
		if err := ch.config(kind, &c); err != nil {
			return err
		}
		if made, err = completeConnection(kind, ch, &c, &sec); err != nil {
			return err
		}
		row, err := writeConnection(s.keys, ch.name, kind, c, sec, tx.Now())
		if err != nil {
			return err
		}
		try := &port{row: row}
		if err := try.make(newPorts(s.db, s.keys, time.Now)); err != nil {
			return unusable(kind, err)
		}
		try.close()
		return tx.PutConnection(row)
	})
	return made, kind, err
}

// unusable is a refusal by the adapter of a kind.
func unusable(kind string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if slices.Contains(postingKinds, kind) {
		return connectionProblem("url", "%s", err)
	}
	return fault.New(fault.Invalid, "connection", "%s", err)
}

// completeConnection checks what a kind needs, takes over what is secret, and
// makes a signing secret where one is missing.
func completeConnection(kind string, ch connectionChange, c *connectionConfig, sec *connectionSecrets) (made string, err error) {
	switch kind {
	case kindInbound:
		if c.EventType != "" {
			if err := api.HookType(c.EventType); err != nil {
				return "", connectionProblem("event_type", "%s", fault.Message(err))
			}
		}
		if c.Expect != "" {
			if _, err := automation.ParseExpect(c.Expect); err != nil {
				return "", connectionProblem("expect", "%s", fault.Message(err))
			}
		}
	case kindWebhook, kindChat, kindOnCall, kindHeartbeat:
		if ch.url == "" && kind == kindOnCall && sec.URL == "" {
			ch.url = alert.PagerDuty
		}
		if ch.url != "" {
			u, err := url.Parse(ch.url)
			if err != nil || u.Host == "" {
				return "", connectionProblem("url", "is like https://wms.example.com/orders")
			}
			sec.URL, c.Address = ch.url, u.Scheme+"://"+u.Host
		}
		if sec.URL == "" {
			return "", connectionProblem("url", "a connection of kind %s needs one", kind)
		}
		if kind == kindOnCall && ch.secret != "" {
			sec.Password = ch.secret
		}
		if kind == kindOnCall && sec.Password == "" {
			return "", connectionProblem("secret", "an on-call connection needs the integration key of the service")
		}
		if kind != kindWebhook {
			return "", nil
		}
	case kindSMTP:
		if ch.secret != "" {
			sec.Password = ch.secret
		}
		if c.User != "" && sec.Password == "" {
			return "", connectionProblem("secret", "a user needs a password")
		}
		return "", nil
	}
	switch {
	case ch.secret != "":
		if err := hook.ParseSecret(connect.Secret(ch.secret)); err != nil {
			return "", connectionProblem("secret", "%s", fault.Message(err))
		}
		sec.Secrets = []string{ch.secret}
	case len(sec.Secrets) == 0:
		made = hook.NewSecret().Reveal()
		sec.Secrets = []string{made}
	}
	return made, nil
}

// rotateConnection makes a second signing secret and returns it, or with finish forgets the old one.
func (s *shop) rotateConnection(ctx context.Context, name string, finish bool) (made string, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		made = ""
		row, c, sec, err := s.openConnection(tx, name)
		if err != nil {
			return err
		}
		switch {
		case row.Kind != kindInbound && row.Kind != kindWebhook:
			return fault.New(fault.Invalid, "connection", "a mail connection has no signing secret; set its password anew")
		case finish && len(sec.Secrets) < 2:
			return fault.New(fault.Conflict, "connection", "the connection %s has one secret; nothing to finish", name)
		case finish:
			sec.Secrets = sec.Secrets[:1]
		case len(sec.Secrets) > 1:
			return fault.New(fault.Conflict, "connection", "the connection %s has two secrets already; finish that first", name)
		default:
			made = hook.NewSecret().Reveal()
			sec.Secrets = append([]string{made}, sec.Secrets...)
		}
		row, err = writeConnection(s.keys, name, row.Kind, c, sec, tx.Now())
		if err != nil {
			return err
		}
		return tx.PutConnection(row)
	})
	return made, err
}

func (s *shop) deleteConnection(ctx context.Context, name string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if _, ok, err := findConnection(tx, name); err != nil || !ok {
			if err == nil {
				err = errNoSuchConnection(name)
			}
			return err
		}
		return tx.DeleteConnection(name)
	})
}

func errNoSuchConnection(name string) error {
	return fault.New(fault.NotFound, "connection", "there is no connection named %q; \"orderly connection list\" lists them", name)
}

func findConnection(tx *store.Tx, name string) (store.Connection, bool, error) {
	rows, err := tx.Connections()
	if err != nil {
		return store.Connection{}, false, err
	}
	i := slices.IndexFunc(rows, func(c store.Connection) bool { return c.Name == name })
	if i < 0 {
		return store.Connection{}, false, nil
	}
	return rows[i], true, nil
}

// openConnection reads a connection with its secrets; it must exist.
func (s *shop) openConnection(tx *store.Tx, name string) (row store.Connection, c connectionConfig, sec connectionSecrets, err error) {
	row, ok, err := findConnection(tx, name)
	if err == nil && !ok {
		err = errNoSuchConnection(name)
	}
	if err == nil {
		c, sec, err = readConnection(s.keys, row)
	}
	return row, c, sec, err
}

// consoleConnections is the shop as console.Connections.
type consoleConnections struct {
	s     *shop
	ports *ports
}

// Connection implements console.Connections.
func (k consoleConnections) Connection(ctx context.Context, name string) (f console.ConnectionForm, err error) {
	err = k.s.db.View(ctx, func(tx *store.Tx) error {
		row, c, sec, err := k.s.openConnection(tx, name)
		f = console.ConnectionForm{
			Name: row.Name, Kind: row.Kind, Exists: true, EventType: c.EventType, Expect: c.Expect, Address: c.Address, AllowPrivate: c.AllowPrivate, AllowHTTP: c.AllowHTTP,
			Host: c.Host, Port: c.Port, TLS: c.TLS, User: c.User, From: c.From, ReplyTo: c.ReplyTo, Secrets: len(sec.Secrets),
		}
		return err
	})
	return f, err
}

// SetConnection implements console.Connections.
func (k consoleConnections) SetConnection(ctx context.Context, f console.ConnectionForm) (made string, err error) {
	made, _, err = k.s.setConnection(ctx, connectionChange{name: f.Name, kind: f.Kind, url: f.URL, secret: f.Secret, config: func(kind string, c *connectionConfig) error {
		address := c.Address
		switch kind {
		case kindInbound:
			*c = connectionConfig{EventType: f.EventType, Expect: f.Expect}
		case kindWebhook, kindChat, kindOnCall, kindHeartbeat:
			*c = connectionConfig{Address: address, AllowPrivate: f.AllowPrivate, AllowHTTP: f.AllowHTTP}
		case kindSMTP:
			*c = connectionConfig{Host: f.Host, Port: f.Port, TLS: f.TLS, User: f.User, From: f.From, ReplyTo: f.ReplyTo}
		}
		return nil
	}})
	return made, err
}

// RotateConnection implements console.Connections.
func (k consoleConnections) RotateConnection(ctx context.Context, name string, finish bool) (string, error) {
	return k.s.rotateConnection(ctx, name, finish)
}

// DeleteConnection implements console.Connections.
func (k consoleConnections) DeleteConnection(ctx context.Context, name string) error {
	return k.s.deleteConnection(ctx, name)
}

// testFor is how long a person waits for the answer to a test.
const testFor = 12 * time.Second

// TestConnection implements console.Connections. A test is no effect of the shop:
// nothing is recorded, and nothing is tried again.
func (k consoleConnections) TestConnection(ctx context.Context, name, to string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, testFor)
	defer cancel()
	f, err := k.Connection(ctx, name)
	if err != nil {
		return "", err
	}
	id := "test_" + uuid.NewString()
	var r connect.Receipt
	switch f.Kind {
	case kindSMTP:
		m, merr := k.ports.Mailer(ctx, name)
		if merr != nil {
			return "", merr
		}
		r, err = m.Send(ctx, connect.Message{ID: id, To: to, Subject: "A test from Orderly", Text: "This mail was sent by hand from the settings of the connection " + name + ". It works.\n"})
	case kindHeartbeat:
		err = k.ports.heartbeat(ctx, name)
		r.Text = "the heartbeat was heard"
	case kindWebhook, kindChat, kindOnCall:
		h, herr := outPorts{k.ports}.Hook(ctx, name)
		if herr != nil {
			return "", herr
		}
		body, _ := json.Marshal(map[string]any{"type": "test", "connection": name, "id": id, "data": map[string]string{ // strings only
			"action": decide.AlertTest, "title": "A test from Orderly", "detail": "This was sent by hand from the settings of the connection " + name + ". It works.", "incident": id,
		}})
		r, err = h.Post(ctx, connect.Delivery{ID: id, Body: body})
	default:
		return "", fault.New(fault.Invalid, "connection", "nothing leaves by an inbound connection, so there is nothing to test; let the other side deliver")
	}
	if ce, ok := errors.AsType[*connect.Error](err); ok { // its text is safe to show
		err = fault.Wrap(ce, fault.Unavailable, "connection", "%s", ce.Message)
	}
	return r.Text, err
}

// rotateWithin is how long two signing secrets may be good beside each other.
const rotateWithin = 7 * 24 * time.Hour

// rotations expects that a signing secret which is being replaced is forgotten in the end.
func (s *shop) rotations() watch.State {
	return watch.State{
		Name: "secrets", Title: "A secret that is being replaced is forgotten within 7 days", About: "Two signing secrets of a connection are good beside each other.",
		Look: func(tx *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
			rows, err := tx.Connections()
			var out []watch.Breach
			for _, row := range rows {
				_, sec, err := readConnection(s.keys, row)
				if err != nil || len(sec.Secrets) < 2 || ask.Now.Sub(row.Updated) < rotateWithin {
					continue // one that cannot be read fails where it is used
				}
				out = append(out, watch.Breach{
					Subject: "secrets:" + row.Name, Title: "Two secrets of " + row.Name + " are good", Since: row.Updated.Add(rotateWithin),
					Detail: "A second signing secret was made on " + ask.Local(row.Updated).Format(time.DateOnly) + ", and the old one was never forgotten",
					Next:   "When the other side uses the new one, forget the old one: orderly connection rotate " + row.Name + " --finish",
				})
			}
			return out, err
		},
	}
}
