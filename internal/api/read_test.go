package api

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/server"
)

// fakeReader knows one order and one SKU.
type fakeReader struct{ query OrdersQuery }

func (f *fakeReader) order() Order {
	return Order{
		ID: event.OrderID("shop", "1001"), Channel: "shop", Number: "1001", State: "held", Mode: "live",
		PlacedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Total: money.New(12990, "EUR"),
	}
}

func (f *fakeReader) Order(_ context.Context, ref string) (Order, error) {
	if o := f.order(); o.ID == ref {
		return o, nil
	}
	return Order{}, fault.New(fault.NotFound, "fake", "there is no order %s", ref)
}

func (f *fakeReader) Orders(_ context.Context, q OrdersQuery) (OrderList, error) {
	f.query = q
	return OrderList{Orders: []Order{f.order()}, Next: "c2"}, nil
}

func (f *fakeReader) Stock(_ context.Context, sku string) (Stock, error) {
	if sku == "slow" {
		return Stock{}, fault.New(fault.Unavailable, "fake", "busy")
	}
	return Stock{SKU: sku, OnHand: 5, Reserved: 2, Available: 3, Locations: []StockLevel{}}, nil
}

func (f *fakeReader) Why(ctx context.Context, id, automation string) ([]Why, error) {
	if _, err := f.Order(ctx, id); err != nil {
		return nil, err
	}
	return []Why{{Automation: automation, Outcome: "false", Reason: "order.total was 129.90 EUR"}}, nil
}

func newReadDoor(t *testing.T) (func(path string, header ...string) *httptest.ResponseRecorder, *fakeReader) {
	t.Helper()
	f := &fakeReader{}
	a, err := New(Deps{
		Engine: &fakeEngine{}, Hooks: fakeHooks{}, Read: f, Why: f, Version: "9.9",
		Tokens: fakeTokens{"read": {access.Read}, "write": {access.EventsWrite}},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := server.New(server.Options{Handler: a, Log: a.Log}).Handler()
	return func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer read")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}, f
}

func TestReads(t *testing.T) {
	get, f := newReadDoor(t)
	for _, tc := range []struct {
		path   string
		status int
		want   string
	}{
		{"/v1/orders/shop:1001", 200, `"total":"129.90 EUR"`},
		{"/v1/orders/" + event.OrderID("shop", "1001"), 200, `"state":"held"`},
		{"/v1/orders/shop:1002", 404, "there is no order"},
		{"/v1/orders?state=held&limit=7&cursor=c1&sort=oldest&from=2026-01-01T00:00:00Z", 200, `"next":"c2"`},
		{"/v1/orders?state=asleep", 422, "unknown state"},
		{"/v1/orders?limit=0", 422, "query.limit"},
		{"/v1/orders?limt=5", 422, "limt"},
		{"/v1/stock/JACKET-M", 200, `"available":3`},
		{"/v1/stock/slow", 503, "busy"},
		{"/v1/orders/shop:1001/why?automation=hold-large", 200, "order.total was"},
		{"/v1/orders/shop:1002/why", 404, "there is no order ord_"},
	} {
		w := get(tc.path)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.want) {
			t.Errorf("%s: %d %s; want %d with %q", tc.path, w.Code, w.Body, tc.status, tc.want)
		}
		var p server.Problem
		if w.Code >= 400 && (json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Status != w.Code || p.Request == "" || p.Code == "" || w.Header().Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: not a problem of ours: %s %v", tc.path, w.Body, w.Header())
		}
		if w.Code == 503 && w.Header().Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	if f.query.Limit != 7 || f.query.Cursor != "c1" || !f.query.Oldest || len(f.query.States) != 1 {
		t.Errorf("query %+v", f.query)
	}
	if w := get("/v1/orders", "Authorization", ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d", w.Code)
	}
	if w := get("/v1/orders", "Authorization", "Bearer write"); w.Code != 403 {
		t.Errorf("with a token that may not read: %d", w.Code)
	}
}

func TestDocs(t *testing.T) {
	get, _ := newReadDoor(t)
	w := get("/openapi.json", "Authorization", "")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%d: %v, %s", w.Code, err, doc.OpenAPI)
	}
	for path, method := range map[string]string{
		"/v1/events": "post", "/hooks/{connection}": "post", "/v1/orders": "get", "/v1/orders/{order}": "get",
		"/v1/orders/{order}/why": "get", "/v1/stock/{sku}": "get",
	} {
		if doc.Paths[path][method] == nil {
			t.Errorf("%s %s is not described", method, path)
		}
	}
	for _, typ := range submittable {
		if !strings.Contains(string(doc.Components.Schemas["Event"]), `"`+typ+`"`) {
			t.Errorf("%s is not described", typ)
		}
		if typeDoc[typ] == "" {
			t.Errorf("%s has no sentence in typeDoc", typ)
		}
	}
	page := get("/docs", "Authorization", "").Body.String()
	for _, want := range []string{"/hooks/{connection}", "shipment.rejected", "buyer@example.com"} {
		if !strings.Contains(page, want) {
			t.Errorf("/docs does not show %s", want)
		}
	}
	if strings.Contains(page, "<script") || strings.Contains(page, "http://") || strings.Contains(page, "https://") || strings.Contains(page, "style=") {
		t.Error("/docs needs a script, an inline style or something from elsewhere")
	}
	if w := get("/docs/style.css"); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("style: %d", w.Code)
	}
}

// TestTypesAreSorted: every event type is either for senders or ours.
func TestTypesAreDivided(t *testing.T) {
	for _, typ := range append(append([]string{}, derived...), clerks...) {
		if !event.Known(typ) {
			t.Errorf("%s is no event type", typ)
		}
	}
	if len(submittable)+len(derived) != len(event.Types()) {
		t.Error("a type is neither for senders nor ours")
	}
}
