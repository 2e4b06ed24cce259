package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBuffer is a log the test can read while the server writes it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *logBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func options(h http.Handler) (Options, *logBuffer) {
	log := &logBuffer{}
	return Options{
		Handler: h, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		DrainTimeout: 5 * time.Second,
	}, log
}

func get(t *testing.T, s *Server, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "RemoteAddr" {
			r.RemoteAddr = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestErrorsAreProblemsOrPages(t *testing.T) {
	cause := errors.New("secret cause")
	for _, tc := range []struct {
		err    error
		status int
		detail string
	}{
		{fault.New(fault.NotFound, "x", "no such order"), 404, "no such order"},
		{fault.Problems("x", []fault.Problem{{Pointer: "/0/data", Message: "is required"}}), 422, "the input is not valid"},
		{fault.Wrap(cause, fault.Conflict, "x", "was received before"), 409, "was received before"},
		{fault.New(fault.Denied, "x", "no"), 403, "no"},
		{fault.New(fault.Unavailable, "x", "later"), 503, "later"},
		{cause, 500, "nothing was changed"},
		{WithStatus(415, fault.New(fault.Invalid, "x", "send JSON")), 415, "send JSON"},
		{fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 3}), 413, "too large"},
		{context.Canceled, 503, "took too long"},
	} {
		o, log := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Fail(w, r, tc.err) }))
		s := New(o)
		w := get(t, s, "/v1/x")
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatalf("%v: %v in %s", tc.err, err, w.Body)
		}
		if w.Code != tc.status || p.Status != tc.status || !strings.Contains(p.Detail, tc.detail) || p.Request == "" || w.Header().Get("Content-Type") != problemType {
			t.Errorf("%v: %d %+v", tc.err, w.Code, p)
		}
		if strings.Contains(w.Body.String(), "secret cause") {
			t.Errorf("the cause is shown: %s", w.Body)
		}
		if tc.status == 500 && !strings.Contains(log.String(), "secret cause") {
			t.Error("the cause is not in the log")
		}
		page := get(t, s, "/orders", "Accept", "text/html")
		if page.Code != tc.status || !strings.Contains(page.Body.String(), "<h1>") || !strings.Contains(page.Header().Get("Content-Type"), "text/html") {
			t.Errorf("%v: page %d %s", tc.err, page.Code, page.Body)
		}
	}
}

// TestReaderGone: an answer that nobody waits for is no failure of ours.
func TestReaderGone(t *testing.T) {
	o, log := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { Fail(w, r, r.Context().Err()) }))
	s := New(o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil))
	if !strings.Contains(log.String(), `"status":499`) && !strings.Contains(log.String(), "status=499") || strings.Contains(log.String(), "WARN") || strings.Contains(log.String(), "ERROR") {
		t.Errorf("the log says %s", log)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	o, log := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			io.WriteString(w, "half")
		}
		panic("boom")
	}))
	s := New(o)
	w := get(t, s, "/v1/x?token=topsecret")
	if w.Code != 500 || !strings.Contains(w.Body.String(), "nothing was changed") || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "boom") || strings.Contains(log.String(), "topsecret") {
		t.Errorf("log: %s", log)
	}
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("half an answer was not cut off")
			}
		}()
		get(t, s, "/late")
	}()
}

func TestHeaders(t *testing.T) {
	o, _ := options(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }))
	s := New(o)
	w := get(t, s, "/")
	for _, h := range []string{"X-Request-Id", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"} {
		if w.Header().Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	if c := w.Header().Get("Content-Security-Policy"); strings.Contains(c, "unsafe") || !strings.Contains(c, "frame-ancestors 'none'") {
		t.Errorf("CSP %s", c)
	}
	if get(t, s, "/").Header().Get("X-Request-Id") == w.Header().Get("X-Request-Id") {
		t.Error("two requests with one id")
	}
	if w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("HSTS by http")
	}
}

func TestClientThroughProxies(t *testing.T) {
	var addr string
	var https bool
	o, _ := options(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { addr, https = Address(r), HTTPS(r) }))
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s := New(o)
	for _, tc := range []struct {
		peer, forwarded, proto, addr string
		https                        bool
	}{
		{"192.0.2.1:5", "198.51.100.9", "https", "192.0.2.1", false}, // not a trusted peer: its words are worth nothing
		{"10.0.0.1:5", "198.51.100.9", "https", "198.51.100.9", true},
		{"10.0.0.1:5", "6.6.6.6, 198.51.100.9, 10.2.3.4", "http", "198.51.100.9", false},
		{"10.0.0.1:5", "", "", "10.0.0.1", false},
		{"10.0.0.1:5", "garbage", "", "10.0.0.1", false},
		{"10.0.0.1:5", "10.0.0.7", "", "10.0.0.7", false},
	} {
		get(t, s, "/", "RemoteAddr", tc.peer, "X-Forwarded-For", tc.forwarded, "X-Forwarded-Proto", tc.proto)
		if addr != tc.addr || https != tc.https {
			t.Errorf("%+v: got %s, %v", tc, addr, https)
		}
	}
}

func TestGzip(t *testing.T) {
	page := strings.Repeat("<p>order</p>", 1000)
	o, _ := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/png":
			w.Header().Set("Content-Type", "image/png")
		case "/stream":
			ctx, cancel := Stream(w, r)
			defer cancel()
			_ = ctx
		case "/none":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(304)
			return
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		io.WriteString(w, page)
	}))
	s := New(o)
	w := get(t, s, "/", "Accept-Encoding", "br, gzip")
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > len(page)/5 || w.Header().Get("Vary") != "Accept-Encoding" {
		t.Fatalf("not compressed: %v, %d bytes", w.Header(), w.Body.Len())
	}
	zr, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(zr); err != nil || string(b) != page {
		t.Errorf("unpacked to %d bytes, %v", len(b), err)
	}
	for _, path := range []string{"/png", "/stream", "/none"} {
		if w := get(t, s, path, "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s was compressed", path)
		}
	}
	for _, ae := range []string{"", "identity", "gzip;q=0", "gzip; q=0.0"} {
		if w := get(t, s, "/", "Accept-Encoding", ae); w.Header().Get("Content-Encoding") != "" || w.Body.String() != page {
			t.Errorf("Accept-Encoding %q: compressed", ae)
		}
	}
}

func TestHealth(t *testing.T) {
	o, _ := options(http.NotFoundHandler())
	var down error
	o.Ready = func(context.Context) error { return down }
	o.AdminToken = func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer good" }
	s := New(o)
	if w := get(t, s, "/healthz"); w.Code != 200 {
		t.Errorf("healthz %d", w.Code)
	}
	if w := get(t, s, "/readyz"); w.Code != 200 {
		t.Errorf("readyz %d", w.Code)
	}
	down = errors.New("database gone")
	if w := get(t, s, "/readyz"); w.Code != 503 || strings.Contains(w.Body.String(), "database") {
		t.Errorf("readyz %d %s", w.Code, w.Body)
	}
	for _, tc := range []struct {
		header []string
		status int
	}{
		{[]string{"RemoteAddr", "127.0.0.1:9"}, 200},
		{[]string{"RemoteAddr", "[::1]:9"}, 200},
		{[]string{"RemoteAddr", "127.0.0.1:9", "X-Forwarded-For", "192.0.2.1"}, 403},
		{[]string{"RemoteAddr", "192.0.2.1:9"}, 403},
		{[]string{"RemoteAddr", "192.0.2.1:9", "Authorization", "Bearer good"}, 200},
	} {
		if w := get(t, s, "/metrics", tc.header...); w.Code != tc.status {
			t.Errorf("metrics from %v: %d, want %d", tc.header, w.Code, tc.status)
		}
	}
}

// TestDrain holds one request and one live stream open and ends the server:
// the request finishes, the stream ends, no new request is taken.
func TestDrain(t *testing.T) {
	entered, release := make(chan struct{}, 2), make(chan struct{})
	o, _ := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live" {
			ctx, cancel := Stream(w, r)
			defer cancel()
			io.WriteString(w, ": hello\n\n")
			_ = http.NewResponseController(w).Flush()
			entered <- struct{}{}
			<-ctx.Done()
			return
		}
		entered <- struct{}{}
		<-release
		io.WriteString(w, "done")
	}))
	s := New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	base := "http://" + ln.Addr().String()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer := make(chan string, 1)
	fetch := func(path string, to chan<- string) {
		resp, err := client.Get(base + path)
		if err != nil {
			to <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		to <- string(b)
	}
	stream := make(chan string, 1)
	go fetch("/slow", answer)
	go fetch("/live", stream)
	<-entered
	<-entered
	cancel()
	if got := <-stream; got != ": hello\n\n" {
		t.Errorf("stream got %q", got)
	}
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := client.Get(base + "/"); err == nil {
		t.Error("a request after the end was answered")
	}
	if w := get(t, s, "/readyz"); w.Code != 503 {
		t.Errorf("readyz while draining: %d", w.Code)
	}
}

// TestStreamOutlivesTheTimeouts holds a stream open for longer than the read and write timeouts.
func TestStreamOutlivesTheTimeouts(t *testing.T) {
	o, _ := options(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := Stream(w, r)
		defer cancel()
		rc := http.NewResponseController(w)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for range 8 {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := io.WriteString(w, "data: x\n"); err != nil || rc.Flush() != nil {
				return
			}
		}
	}))
	o.ReadTimeout, o.WriteTimeout, o.HeaderTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	s := New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + ln.Addr().String() + "/live")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		lines++
	}
	resp.Body.Close()
	if lines != 8 {
		t.Errorf("got %d of 8 events", lines)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestLogCannotBeForged: whatever a stranger puts into a request, it stays within its line of the log and moves no terminal.
func TestLogCannotBeForged(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		out := &logBuffer{}
		log, err := observe.NewLogger(out, observe.Options{Level: "debug", Format: format})
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Handler: http.NotFoundHandler(), Log: log})
		r := httptest.NewRequest("GET", "/x", nil)
		r.URL.Path = "/orders\ntime=2026-01-01T00:00:00Z level=ERROR msg=forged\r\x1b[2J\x1b[31m\u202e"
		r.Method = "GET\nforged"
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		text := strings.TrimSuffix(out.String(), "\n")
		if text == "" || strings.ContainsAny(text, "\n\r\x1b\u202e") {
			t.Errorf("%s: the log holds %q", format, text)
		}
	}
}
