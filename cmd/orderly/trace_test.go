package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// collector takes spans as an OpenTelemetry collector does.
type collector struct {
	mu    sync.Mutex
	spans []collected
	auth  string
}

type collected struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	StartTimeUnixNano, EndTimeUnixNano  string
	Attributes                          []struct {
		Key   string
		Value struct{ StringValue string }
	}
}

func (c collected) attr(key string) string {
	for _, a := range c.Attributes {
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var doc struct {
		ResourceSpans []struct {
			ScopeSpans []struct{ Spans []collected }
		}
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(b, &doc) != nil || r.URL.Path != "/v1/traces" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auth = r.Header.Get("X-Key")
	for _, rs := range doc.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

// find waits for a span whose name begins so.
func (c *collector) find(t *testing.T, prefix, trace string) collected {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); <-time.After(50 * time.Millisecond) {
		c.mu.Lock()
		for _, s := range c.spans {
			if strings.HasPrefix(s.Name, prefix) && (trace == "" || s.TraceID == trace) {
				c.mu.Unlock()
				return s
			}
		}
		c.mu.Unlock()
	}
	t.Fatalf("no span %s came; there are %+v", prefix, c.spans)
	return collected{}
}

// TestTraces: one trace goes from the sender through the request and the decision to the mail and the parcel's request.
func TestTraces(t *testing.T) {
	c := &collector{}
	srv := httptest.NewServer(c)
	defer srv.Close()
	dir := t.TempDir()
	s := startWith(t, dir, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + srv.URL, "OTEL_EXPORTER_OTLP_HEADERS=X-Key=a%20key", "OTEL_BSP_SCHEDULE_DELAY=50",
	}, "demo", "--no-live")
	token := strings.TrimSpace(s.run("", "token", "create", "shop", "--scopes", "events:write"))
	const trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	body := `{"source":"shop","id":"t1","type":"order.placed","data":{"channel":"web","number":"T1","currency":"EUR",
		"lines":[{"sku":"MUG-BLUE","qty":1,"unit_price":"9.50 EUR"}],"customer":{"email":"buyer@example.com"},"shipping":{"postal":"69001","country":"FR"},"payment":{"status":"paid"}}}`
	code, answer, _ := s.do("POST", "/v1/events", body, "Authorization", "Bearer "+token, "Content-Type", "application/json", "Traceparent", "00-"+trace+"-"+caller+"-01")
	if code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	request := c.find(t, "POST events", trace)
	decision := c.find(t, "decide order.placed", trace)
	delivery := c.find(t, "deliver", trace)
	if request.ParentSpanID != caller || decision.ParentSpanID != request.SpanID || delivery.ParentSpanID != decision.SpanID {
		t.Errorf("caller %s > request %s under %s > decision %s under %s > delivery under %s",
			caller, request.SpanID, request.ParentSpanID, decision.SpanID, decision.ParentSpanID, delivery.ParentSpanID)
	}
	event := decision.attr("orderly.event.id")
	if !strings.Contains(answer, event) || event == "" || !strings.HasPrefix(delivery.attr("orderly.event.id"), event) || delivery.attr("orderly.effect.id") == "" {
		t.Errorf("the decision is of %q, the delivery of %q: %s", event, delivery.attr("orderly.event.id"), answer)
	}
	if request.attr("http.response.status_code") != "200" || request.StartTimeUnixNano >= delivery.EndTimeUnixNano {
		t.Errorf("request %+v", request)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.auth != "a key" {
		t.Errorf("the header is %q", c.auth)
	}
	for _, span := range c.spans {
		if b, err := json.Marshal(span); err != nil || strings.Contains(string(b), "buyer@example.com") {
			t.Errorf("a span holds personal data: %s %v", b, err)
		}
	}
}
