// Package server is the HTTP shell around the doors: time and size limits,
// security headers, request ids, recovery from panics, compression, the access
// log, health and metrics, a graceful end, and the one writer of error answers.
//
//	listener ─▶ shell (id, headers, log, recovery) ─▶ /healthz /readyz /metrics
//	                                                └▶ the handler: API, hooks, console
package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
)

// Options says how to serve. Handler and Log are required.
type Options struct {
	Handler http.Handler
	Log     *slog.Logger
	Metrics *observe.Metrics
	Tracer  *observe.Tracer // nil: no traces
	// Ready says whether the program can do its work, for /readyz; nil: always.
	Ready func(context.Context) error
	// AdminToken reports whether a request carries a token that may read /metrics
	// from afar; nil: only the machine itself may.
	AdminToken func(*http.Request) bool
	// ErrorPage writes an error answer for a browser; nil: a plain page.
	ErrorPage func(http.ResponseWriter, *http.Request, Problem)

	TrustedProxies []netip.Prefix
	Certificate    *Certificate // that is shown; nil: plain HTTP
	HeaderTimeout  time.Duration
	ReadTimeout    time.Duration
	WriteTimeout   time.Duration
	IdleTimeout    time.Duration
	DrainTimeout   time.Duration
}

// Server is the HTTP shell. Make it with New, run it with Serve.
type Server struct {
	opts     Options
	ids      ids
	draining atomic.Bool
	ending   chan struct{} // closed when live streams must end
	endOnce  sync.Once
	handler  http.Handler
}

// New returns a server that is ready to Serve.
func New(o Options) *Server {
	if o.Metrics == nil {
		o.Metrics = observe.NewMetrics("")
	}
	s := &Server{opts: o, ids: newIDs()}
	s.ending = make(chan struct{})
	mux := http.NewServeMux()
	for pattern, h := range s.routes() {
		mux.HandleFunc(pattern, h)
	}
	mux.Handle("/", gzipPages(o.Handler))
	s.handler = s.shell(mux)
	return s
}

func (s *Server) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /healthz": func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") },
		"GET /readyz":  s.ready,
		"GET /metrics": s.metrics,
	}
}

// Routes lists the patterns that the server answers itself.
func (s *Server) Routes() []string { return slices.Sorted(maps.Keys(s.routes())) }

// Handler returns the shell with everything in it, for tests without a listener.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on ln until ctx ends; then it stops taking new ones,
// ends live streams, and gives the running requests DrainTimeout to finish.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	hs := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: s.opts.HeaderTimeout,
		ReadTimeout:       s.opts.ReadTimeout,
		WriteTimeout:      s.opts.WriteTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() {
		if c := s.opts.Certificate; c != nil {
			hs.TLSConfig = &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12}
			served <- hs.ServeTLS(ln, "", "")
			return
		}
		served <- hs.Serve(ln)
	}()
	select {
	case err := <-served:
		s.end()
		return fault.Wrap(err, fault.Unavailable, "server.Serve", "the server cannot answer requests: %s", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.end()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.DrainTimeout)
	defer cancel()
	err := hs.Shutdown(end)
	if err != nil {
		s.opts.Log.Warn("some requests did not finish in time and were cut off", "after", s.opts.DrainTimeout)
		err = hs.Close()
	}
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func (s *Server) end() { s.endOnce.Do(func() { close(s.ending) }) }

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	if s.opts.Ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.opts.Ready(ctx); err != nil {
			s.opts.Log.WarnContext(ctx, "not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "not ready\n")
			return
		}
	}
	plain(w, http.StatusOK, "ready\n")
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	// A request that a proxy on this machine passes on is not from this machine.
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	local := err == nil && peer.Addr().Unmap().IsLoopback() && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == ""
	if !local && (s.opts.AdminToken == nil || !s.opts.AdminToken(r)) {
		Fail(w, r, fault.New(fault.Denied, "server.metrics", "metrics are for this machine, or for an API token with the scope admin"))
		return
	}
	s.opts.Metrics.Handler().ServeHTTP(w, r)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client has gone if this fails
}

// request is what the shell knows of a request.
type request struct {
	id     string
	addr   string
	https  bool
	server *Server
}

type requestKey struct{}

func requestOf(ctx context.Context) request {
	q, _ := ctx.Value(requestKey{}).(*request)
	if q == nil {
		return request{}
	}
	return *q
}

// Address returns the client's address, seen through trusted proxies.
func Address(r *http.Request) string {
	if q := requestOf(r.Context()); q.addr != "" {
		return q.addr
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// HTTPS reports whether the client came by https, also through a trusted proxy.
func HTTPS(r *http.Request) bool { return r.TLS != nil || requestOf(r.Context()).https }

// CSP is the policy of every answer that sets none of its own: nothing from
// elsewhere, no inline script, no frames.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// shell is the outermost handler.
func (s *Server) shell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		q := &request{id: s.ids.next(), server: s}
		q.addr, q.https = s.client(r)
		ctx := observe.WithRequest(context.WithValue(r.Context(), requestKey{}, q), q.id)
		var span *observe.Span
		if door := doorOf(r.URL.Path); s.opts.Tracer != nil && door != "health" && door != "assets" && door != "live" {
			ctx, span = s.opts.Tracer.Start(observe.ContextWithParent(ctx, r.Header.Get("Traceparent")), observe.Server, r.Method+" "+door,
				observe.Attr{Key: "http.request.method", Value: r.Method}, observe.Attr{Key: "orderly.request.id", Value: q.id})
		}
		r = r.WithContext(ctx)

		h := w.Header()
		h["X-Request-Id"] = []string{q.id}
		h["X-Content-Type-Options"] = nosniff
		h["Referrer-Policy"] = referrer
		h["Content-Security-Policy"] = csp
		h["X-Frame-Options"] = deny
		h["Cross-Origin-Opener-Policy"] = sameOrigin
		if q.https {
			h["Strict-Transport-Security"] = hsts
		}
		rec := &recorder{ResponseWriter: w}
		s.opts.Metrics.InFlight.Inc()
		defer s.finish(rec, r, start)
		if span != nil {
			defer endSpan(span, rec)
		}
		next.ServeHTTP(rec, r)
	})
}

// endSpan ends a request's span. A panic on its way counts as failed; finish, which runs after it, answers it.
func endSpan(span *observe.Span, rec *recorder) {
	var err error
	if rec.status >= 500 || rec.status == 0 && rec.bytes == 0 {
		err = errors.New("not answered")
	}
	span.Set(observe.Attr{Key: "http.response.status_code", Value: strconv.Itoa(rec.status)})
	span.End(err)
}

// Shared header values: the hot doors answer thousands of times a second.
var (
	nosniff    = []string{"nosniff"}
	referrer   = []string{"same-origin"}
	csp        = []string{CSP}
	deny       = []string{"DENY"}
	sameOrigin = []string{"same-origin"}
	hsts       = []string{"max-age=31536000"}
)

// finish recovers from a panic, counts and logs.
func (s *Server) finish(rec *recorder, r *http.Request, start time.Time) {
	p := recover()
	if p != nil && p != http.ErrAbortHandler {
		s.opts.Log.ErrorContext(r.Context(), "a handler panicked", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		if rec.status == 0 {
			Fail(rec, r, fault.New(fault.Internal, "server", "something went wrong on our side; nothing was changed"))
			p = nil
		} else {
			p = http.ErrAbortHandler // half an answer is out: cut the connection, so that it is not taken for a whole one
		}
	}
	took := time.Since(start)
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	if status >= 500 && errors.Is(r.Context().Err(), context.Canceled) {
		status = statusGone
	}
	door := doorOf(r.URL.Path)
	s.opts.Metrics.InFlight.Dec()
	s.opts.Metrics.Requests.WithLabelValues(door, statusClass(status)).Inc()
	if !rec.stream {
		s.opts.Metrics.Seconds.WithLabelValues(door).Observe(took.Seconds())
	}
	level := slog.LevelInfo
	switch {
	case status >= 500:
		level = slog.LevelWarn
	case status < 400 && quiet(door):
		level = slog.LevelDebug
	}
	if s.opts.Log.Enabled(r.Context(), level) {
		// Path only: the query may hold a set-up token or a customer's address.
		s.opts.Log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", status), slog.Duration("took", took.Round(time.Microsecond)), slog.Int64("bytes", rec.bytes),
			slog.String("from", requestOf(r.Context()).addr))
	}
	if p != nil {
		panic(p)
	}
}

// statusGone stands in logs and counts for an answer that nobody waited for: the client
// closed the connection, which is nobody's failure. It is never sent.
const statusGone = 499

func statusClass(status int) string {
	switch status / 100 {
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	case 5:
		return "5xx"
	}
	return "1xx"
}

// doorOf names the door of a path: few names, whatever is asked for.
func doorOf(path string) string {
	switch {
	case path == "/v1/events":
		return "events"
	case strings.HasPrefix(path, "/hooks/"):
		return "hooks"
	case strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openapi") || strings.HasPrefix(path, "/docs"):
		return "api"
	case path == "/healthz" || path == "/readyz" || path == "/metrics":
		return "health"
	case path == "/live":
		return "live"
	case strings.HasPrefix(path, "/assets/"):
		return "assets"
	}
	return "console"
}

// quiet doors are logged only when they fail: they answer too often to be read.
func quiet(door string) bool {
	return door == "events" || door == "hooks" || door == "health" || door == "assets"
}

// client returns who asks, believing X-Forwarded-* only from trusted proxies:
// the last address in the list that is not one of them.
func (s *Server) client(r *http.Request) (addr string, https bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	https = r.TLS != nil
	if len(s.opts.TrustedProxies) == 0 || !s.trusted(host) {
		return host, https
	}
	https = https || r.Header.Get("X-Forwarded-Proto") == "https"
	list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(list[i]))
		if err != nil {
			break
		}
		host = a.Unmap().String()
		if !s.trusted(host) {
			break
		}
	}
	return host, https
}

func (s *Server) trusted(host string) bool {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, p := range s.opts.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ids mints request ids: unique on this node and, by the random part, between nodes.
type ids struct {
	prefix string
	n      *atomic.Uint64
}

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func newIDs() ids {
	var b [5]byte
	rand.Read(b[:])
	return ids{prefix: idEncoding.EncodeToString(b[:]) + "-", n: new(atomic.Uint64)}
}

func (i ids) next() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], i.n.Add(1))
	return i.prefix + idEncoding.EncodeToString(b[3:])
}
