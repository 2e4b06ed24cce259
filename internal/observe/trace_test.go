package observe

import (
	"context"
	"log/slog"
	"strings"
	"testing"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for _, p := range pairs {
			if v, ok := strings.CutPrefix(p, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

func TestTracingIsOffWithoutAnAddress(t *testing.T) {
	for _, e := range [][]string{nil, {"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", "OTEL_SDK_DISABLED=true"}, {"OTEL_SERVICE_NAME=x"}} {
		tr, err := NewTracer(context.Background(), env(e...), "v", slog.New(slog.DiscardHandler))
		if tr != nil || err != nil {
			t.Errorf("%v: %v, %v", e, tr, err)
		}
		ctx, span := tr.Start(context.Background(), Inside, "x")
		span.Set(Attr{"a", "b"})
		span.End(nil)
		tr.Close()
		if got := TraceParent(ctx); got != "" {
			t.Errorf("a trace %q without a tracer", got)
		}
	}
}

func TestWrongSettingsAreTold(t *testing.T) {
	for _, e := range [][]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_SAMPLER=mine"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=2"},
	} {
		if _, err := NewTracer(context.Background(), env(e...), "v", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "OTEL_") {
			t.Errorf("%v: %v", e, err)
		}
	}
}

func TestSampling(t *testing.T) {
	tr, err := NewTracer(context.Background(), env("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_TRACES_SAMPLER=parentbased_always_off"), "v", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if ctx, span := tr.Start(context.Background(), Server, "x"); span != nil || TraceParent(ctx) != "" {
		t.Error("a trace of our own is sampled")
	}
	const up = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx, span := tr.Start(ContextWithParent(context.Background(), up), Server, "x")
	if got := TraceParent(ctx); span == nil || !strings.HasPrefix(got, up[:36]) || got == up {
		t.Errorf("the caller's sample is not ours: %q", got)
	}
	if ctx, span := tr.Start(ContextWithParent(context.Background(), strings.TrimSuffix(up, "1")+"0"), Server, "x"); span != nil || TraceParent(ctx) != "" {
		t.Error("what the caller does not sample is sampled")
	}
}

func FuzzTraceParent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes")
	f.Add("00-00000000000000000000000000000000-0000000000000000-01")
	f.Fuzz(func(t *testing.T, s string) {
		ctx := ContextWithParent(context.Background(), s)
		if got := TraceParent(ctx); got != "" && (len(s) < 55 || got[3:52] != s[3:52]) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
