// Package api is the door for programs: events by POST /v1/events with a
// token, webhooks by POST /hooks/{connection} with a signature, and a few reads.
// It checks everything that can be checked without the shop's state, answers
// in the sender's terms (pointers into what they sent), and hands on typed
// events; what becomes of them is the engine's.
//
// The two hot doors are plain handlers made for speed; the reads are declared
// to huma, from which the OpenAPI document and the page /docs are made.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
	"orderly.example/orderly/internal/server"
)

// Statuses of an Outcome.
const (
	Decided     = "decided"
	Duplicate   = "duplicate"
	Quarantined = "quarantined"
	Conflict    = "conflict"
)

// Outcome is what became of one event.
type Outcome struct {
	EventID string
	Status  string // decided, duplicate, quarantined, conflict
	Reason  string
}

// Engine takes events. Submit returns when they are durable and decided, with
// one outcome for each in their order; with an error nothing was kept.
type Engine interface {
	Submit(ctx context.Context, evs []event.Event) ([]Outcome, error)
}

// Tokens verifies API tokens; access.Service implements it.
type Tokens interface {
	Verify(ctx context.Context, token string) (access.Caller, error)
}

// Recorder keeps the audit log; access.Service implements it.
type Recorder interface {
	Record(ctx context.Context, r access.Record) error
}

// Hooks finds inbound connections by name; NotFound when there is none.
type Hooks interface {
	Hook(ctx context.Context, name string) (Hook, error)
}

// Hook is an inbound connection: who may deliver, and what.
type Hook struct {
	Name      string // also the source of its events
	EventType string // the type of every body, which then is the data alone; "" = the body is an event
	// Verify checks the signature over the body as it came. Its error says why in
	// words that are safe to show.
	Verify func(h http.Header, body []byte) error
}

// Deps is what the API is built on. Read and Why may be nil: then there are no such reads.
type Deps struct {
	Engine  Engine
	Tokens  Tokens
	Hooks   Hooks
	Audit   Recorder // nil: people's decisions that come with a token are not recorded
	Read    Reader
	Why     Explainer
	Log     *slog.Logger
	Metrics *observe.Metrics
	Now     func() time.Time
	Version string

	MaxEventBytes int64
	MaxBatchBytes int64
}

// API serves /v1/, /hooks/, /openapi and /docs.
type API struct {
	Deps
	mux      *http.ServeMux
	patterns []string
	big      chan struct{} // one place for each large body that is read and decoded at a time
}

// New returns the API.
func New(d Deps) (*API, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Metrics == nil {
		d.Metrics = observe.NewMetrics(d.Version)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.MaxEventBytes == 0 {
		d.MaxEventBytes = 1 << 20
	}
	if d.MaxBatchBytes == 0 {
		d.MaxBatchBytes = 8 << 20
	}
	a := &API{Deps: d, mux: http.NewServeMux(), big: make(chan struct{}, maxBig)}
	a.mux.HandleFunc("/v1/events", a.events)
	a.mux.HandleFunc("/hooks/{connection}", a.hooks)
	a.patterns = append(a.patterns, routeEvents, "POST /hooks/{connection}")
	for _, prefix := range []string{"/v1/", "/hooks/"} {
		a.mux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
			server.Fail(w, r, fault.New(fault.NotFound, "api", "there is no %s; see /docs", r.URL.Path))
		})
	}
	if err := a.describe(); err != nil {
		return nil, err
	}
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// Mount registers the API's paths on a mux that serves other things as well.
func (a *API) Mount(mux *http.ServeMux) {
	for _, p := range []string{"/v1/", "/hooks/", "/openapi.json", "/openapi.yaml", "/docs", "/docs/"} {
		mux.Handle(p, a.mux)
	}
}

// clerks are the event types that carry a person's judgement: a channel's token
// must not be able to wave a held order through.
var clerks = []string{"order.release_requested", "task.assigned", "task.decided", "automation.stopped", "automation.resumed", "incident.acknowledged", "incident.snoozed"}

// derived are the event types that only Orderly itself makes.
var derived = []string{
	"order.accepted", "order.ready", "order.unfillable", "stock.low", "task.overdue", "effect.failed", "day.ended",
	"incident.raised", "incident.recovered", "incident.unanswered", "alerts.tested",
	"schedule.due", "absence.due", "run.due", "run.retried", "call.answered",
	"automation.changed", "automation.reported",
}

// submittable are the types that come from outside.
var submittable = slices.DeleteFunc(event.Types(), func(t string) bool { return slices.Contains(derived, t) })

// mayAdmin, mayWrite and mayHook say which types a caller may submit.
func mayAdmin(typ string) error {
	if slices.Contains(derived, typ) {
		return fault.New(fault.Invalid, "api", "%s is made by Orderly itself and cannot be sent", typ)
	}
	return nil
}

func mayWrite(typ string) error {
	if err := mayAdmin(typ); err != nil {
		return err
	}
	if slices.Contains(clerks, typ) {
		return fault.New(fault.Denied, "api", "%s is a person's decision; it needs a token with the scope admin, or the console", typ)
	}
	return nil
}

func mayHook(typ string) error {
	if err := mayAdmin(typ); err != nil {
		return err
	}
	if slices.Contains(clerks, typ) {
		return fault.New(fault.Denied, "api", "%s is a person's decision; it cannot come by webhook", typ)
	}
	return nil
}

// HookType reports with nil that events of a type may come by webhook.
func HookType(typ string) error {
	if !event.Known(typ) {
		return fault.New(fault.Invalid, "api.HookType", "unknown event type %q; the types are %s", echo(typ), strings.Join(submittable, ", "))
	}
	return mayHook(typ)
}

// Routes lists the patterns that the API answers, as the table of access has them.
func (a *API) Routes() []string { return slices.Clone(a.patterns) }

const (
	routeEvents  = "POST /v1/events"
	routeMetrics = "GET /metrics" // the server's; its token is looked at here
)

// caller verifies the token of a request and that it may use a route of the table of access.
func (a *API) caller(r *http.Request, route string) (access.Caller, error) {
	c, err := a.Tokens.Verify(r.Context(), bearer(r.Header))
	if err != nil {
		if fault.KindOf(err) == fault.Denied {
			err = server.WithStatus(http.StatusUnauthorized, err, "WWW-Authenticate", `Bearer realm="orderly"`)
		}
		return access.Caller{}, err
	}
	need, _ := access.NeedOf(route) // a route that is not in the table is closed
	if err := need.Admit(r, access.Who{Caller: &c}); err != nil {
		return access.Caller{}, err
	}
	return c, nil
}

// bearer returns the token of an Authorization header, or "".
func bearer(h http.Header) string {
	v := h.Get("Authorization")
	if len(v) > 7 && strings.EqualFold(v[:7], "bearer ") {
		return strings.TrimSpace(v[7:])
	}
	return ""
}

// AdminToken reports whether a request carries a token with the scope admin.
func (a *API) AdminToken(r *http.Request) bool {
	_, err := a.caller(r, routeMetrics)
	return err == nil
}
