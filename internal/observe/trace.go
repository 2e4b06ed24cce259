package observe

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Tracer sends spans to an OpenTelemetry collector: OTLP over HTTP, as JSON, which every collector takes at the same
// address as the binary form. A nil Tracer is tracing switched off; all of its methods do nothing.
type Tracer struct {
	url     string
	headers map[string]string
	service string
	version string
	ratio   float64
	every   time.Duration
	client  *http.Client
	log     *slog.Logger

	queue   chan *Span
	dropped atomic.Int64
	quit    chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
}

const (
	queuedSpans = 4096 // more are dropped: a collector that hangs must not fill the memory
	batchSpans  = 512
)

// NewTracer reads the OTEL_* environment. Without an address to send to, or with OTEL_SDK_DISABLED, it is nil.
func NewTracer(ctx context.Context, getenv func(string) string, version string, log *slog.Logger) (*Tracer, error) {
	address := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	if base := getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); address == "" && base != "" {
		address = strings.TrimSuffix(base, "/") + "/v1/traces"
	}
	if address == "" || getenv("OTEL_SDK_DISABLED") == "true" || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return nil, nil
	}
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT must be like http://localhost:4318, got %q", address)
	}
	if p := getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); strings.HasPrefix(p, "grpc") {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not spoken; use http/json and port 4318")
	}
	t := &Tracer{
		url: address, headers: map[string]string{}, service: "orderly", version: version, ratio: 1, every: 5 * time.Second, log: log,
		client: &http.Client{Timeout: 10 * time.Second}, queue: make(chan *Span, queuedSpans), quit: make(chan struct{}),
	}
	if s := getenv("OTEL_SERVICE_NAME"); s != "" {
		t.service = s
	}
	for _, pair := range strings.Split(getenv("OTEL_EXPORTER_OTLP_HEADERS"), ",") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			if u, err := url.PathUnescape(strings.TrimSpace(v)); err == nil {
				t.headers[strings.TrimSpace(k)] = u
			}
		}
	}
	if ms, err := strconv.Atoi(getenv("OTEL_BSP_SCHEDULE_DELAY")); err == nil && ms > 0 {
		t.every = time.Duration(ms) * time.Millisecond
	}
	switch s := strings.TrimPrefix(getenv("OTEL_TRACES_SAMPLER"), "parentbased_"); s {
	case "", "always_on":
	case "always_off":
		t.ratio = 0
	case "traceidratio":
		r, err := strconv.ParseFloat(getenv("OTEL_TRACES_SAMPLER_ARG"), 64)
		if err != nil || r < 0 || r > 1 {
			return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG must be a share between 0 and 1, got %q", getenv("OTEL_TRACES_SAMPLER_ARG"))
		}
		t.ratio = r
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER %q is not known; use always_on, always_off or traceidratio", s)
	}
	ctx = context.WithoutCancel(ctx) // what the end of the program says is sent, too
	t.wg.Go(func() { t.run(ctx) })
	return t, nil
}

// Kind is what a span is to its trace, as OTLP counts.
type Kind int

// The kinds.
const (
	Inside Kind = 1
	Server Kind = 2
	Client Kind = 3
)

// Span is a piece of work with a beginning and an end. A nil Span is not recorded.
type Span struct {
	t          *Tracer
	trace      [16]byte
	id, parent [8]byte
	name       string
	kind       Kind
	start, end time.Time
	attrs      []Attr
	failed     string
}

// Attr is a fact about a span.
type Attr struct{ Key, Value string }

type spanKey struct{}

// place is where a trace is: what a traceparent says.
type place struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

// ContextWithParent lets spans of ctx belong to the trace of a traceparent, after W3C. One that cannot be read counts for nothing.
func ContextWithParent(ctx context.Context, traceparent string) context.Context {
	if p, ok := parseParent(traceparent); ok {
		return context.WithValue(ctx, spanKey{}, p)
	}
	return ctx
}

// TraceParent is the traceparent of the span that ctx is in; "" when there is none or it is not sampled.
func TraceParent(ctx context.Context) string {
	p, ok := ctx.Value(spanKey{}).(place)
	if !ok || !p.sampled {
		return ""
	}
	return "00-" + hex.EncodeToString(p.trace[:]) + "-" + hex.EncodeToString(p.span[:]) + "-01"
}

func parseParent(s string) (p place, ok bool) {
	// version - 32 hex digits - 16 hex digits - flags; a later version may have more behind.
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || len(s) > 55 && (s[:2] == "00" || s[55] != '-') || strings.ToLower(s) != s {
		return p, false
	}
	var version, flags [1]byte
	for _, f := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {p.trace[:], s[3:35]}, {p.span[:], s[36:52]}, {flags[:], s[53:55]}} {
		if _, err := hex.Decode(f.to, []byte(f.text)); err != nil {
			return place{}, false
		}
	}
	p.sampled = flags[0]&1 == 1
	return p, p.trace != [16]byte{} && p.span != [8]byte{}
}

// Start begins a span below the one that ctx is in, or a trace of its own.
func (t *Tracer) Start(ctx context.Context, kind Kind, name string, attrs ...Attr) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	p, below := ctx.Value(spanKey{}).(place)
	s := &Span{t: t, name: name, kind: kind, start: time.Now(), attrs: attrs, parent: p.span}
	if !below {
		for i := 0; i < 16; i += 8 {
			putRandom(p.trace[i : i+8])
		}
		p.sampled = rand.Float64() < t.ratio //nolint:gosec // a sample, not a secret
	}
	putRandom(s.id[:])
	s.trace, p.span = p.trace, s.id
	ctx = context.WithValue(ctx, spanKey{}, p)
	if !p.sampled {
		return ctx, nil
	}
	return ctx, s
}

func putRandom(b []byte) {
	n := rand.Uint64() | 1 // not all zero, which means none
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
}

// Set adds facts.
func (s *Span) Set(attrs ...Attr) {
	if s != nil {
		s.attrs = append(s.attrs, attrs...)
	}
}

// End ends the span; err, which may be nil, is why the work failed.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	s.end = time.Now()
	if err != nil {
		s.failed = Clean(secretText.ReplaceAllString(err.Error(), Redacted))
	}
	select {
	case s.t.queue <- s:
	default:
		s.t.dropped.Add(1)
	}
}

// Close sends what waits.
func (t *Tracer) Close() {
	if t != nil {
		t.once.Do(func() { close(t.quit) })
		t.wg.Wait()
	}
}

// run gathers spans and sends them.
func (t *Tracer) run(ctx context.Context) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	var batch []*Span
	flush := func() {
		if len(batch) > 0 {
			t.send(ctx, batch)
			batch = nil
		}
		if n := t.dropped.Swap(0); n > 0 {
			t.log.Warn("spans were dropped; the collector is too slow", "spans", n)
		}
	}
	for {
		select {
		case s := <-t.queue:
			if batch = append(batch, s); len(batch) == batchSpans {
				flush()
			}
		case <-tick.C:
			flush()
		case <-t.quit:
			for {
				select {
				case s := <-t.queue:
					batch = append(batch, s)
					continue
				default:
				}
				flush()
				return
			}
		}
	}
}

type otlpValue struct {
	Text string `json:"stringValue"`
}

type otlpAttr struct {
	Key   string    `json:"key"`
	Value otlpValue `json:"value"`
}

type otlpStatus struct {
	Code    int    `json:"code,omitempty"` // 2: error
	Message string `json:"message,omitempty"`
}

type otlpSpan struct {
	TraceID    string     `json:"traceId"`
	SpanID     string     `json:"spanId"`
	ParentID   string     `json:"parentSpanId,omitempty"`
	Name       string     `json:"name"`
	Kind       Kind       `json:"kind"`
	Start      string     `json:"startTimeUnixNano"`
	End        string     `json:"endTimeUnixNano"`
	Attributes []otlpAttr `json:"attributes,omitempty"`
	Status     otlpStatus `json:"status"`
}

func otlpAttrs(as []Attr) []otlpAttr {
	out := make([]otlpAttr, len(as))
	for i, a := range as {
		out[i] = otlpAttr{a.Key, otlpValue{a.Value}}
	}
	return out
}

// send posts spans; what a collector does not take is lost and told in the log.
func (t *Tracer) send(ctx context.Context, batch []*Span) {
	spans := make([]otlpSpan, len(batch))
	for i, s := range batch {
		o := otlpSpan{
			TraceID: hex.EncodeToString(s.trace[:]), SpanID: hex.EncodeToString(s.id[:]), Name: s.name, Kind: s.kind,
			Start: strconv.FormatInt(s.start.UnixNano(), 10), End: strconv.FormatInt(s.end.UnixNano(), 10), Attributes: otlpAttrs(s.attrs),
		}
		if s.parent != [8]byte{} {
			o.ParentID = hex.EncodeToString(s.parent[:])
		}
		if s.failed != "" {
			o.Status = otlpStatus{2, s.failed}
		}
		spans[i] = o
	}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": otlpAttrs([]Attr{{"service.name", t.service}, {"service.version", t.version}})},
		"scopeSpans": []any{map[string]any{"scope": map[string]string{"name": "orderly"}, "spans": spans}},
	}}})
	if err == nil {
		err = t.post(ctx, body)
	}
	if err != nil {
		t.log.Warn("spans could not be sent", "spans", len(batch), "err", err)
	}
}

func (t *Tracer) post(ctx context.Context, body []byte) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range t.headers {
		req.Header.Set(k, v)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", resp.Status)
	}
	return nil
}
