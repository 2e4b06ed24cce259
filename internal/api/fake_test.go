package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/server"
)

// fakeEngine remembers events like the real one: by source and key.
type fakeEngine struct {
	mu    sync.Mutex
	seen  map[string]event.Event
	all   []event.Event
	calls int
	fail  error
	bad   string // key of an event that is quarantined
}

func (e *fakeEngine) Submit(_ context.Context, evs []event.Event) ([]Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls++
	if e.fail != nil {
		return nil, e.fail
	}
	if e.seen == nil {
		e.seen = map[string]event.Event{}
	}
	outs := make([]Outcome, len(evs))
	for i, ev := range evs {
		key := ev.Source + "\x00" + ev.Key
		old, known := e.seen[key]
		switch {
		case known && old.Hash == ev.Hash:
			outs[i] = Outcome{EventID: old.ID, Status: Duplicate}
		case known:
			outs[i] = Outcome{EventID: old.ID, Status: Conflict}
		default:
			ev.ID = fmt.Sprintf("evt-%d", len(e.all)+1)
			e.seen[key], e.all = ev, append(e.all, ev)
			outs[i] = Outcome{EventID: ev.ID, Status: Decided}
			if ev.Key == e.bad && e.bad != "" {
				outs[i].Status, outs[i].Reason = Quarantined, "no such SKU"
			}
		}
	}
	return outs, nil
}

type fakeTokens map[string][]access.Scope

func (f fakeTokens) Verify(_ context.Context, token string) (access.Caller, error) {
	s, ok := f[token]
	if !ok {
		return access.Caller{}, fault.New(fault.Denied, "fake", "unknown token")
	}
	return access.Caller{Name: token, Scopes: s}, nil
}

// fakeHooks knows two connections that sign with a header.
type fakeHooks struct{}

func (fakeHooks) Hook(_ context.Context, name string) (Hook, error) {
	h := Hook{Name: name, Verify: func(h http.Header, _ []byte) error {
		if h.Get("Webhook-Signature") != "good" {
			return fault.New(fault.Denied, "fake", "the signature does not match")
		}
		return nil
	}}
	switch name {
	case "shop":
	case "stock":
		h.EventType = "stock.received"
	default:
		return Hook{}, fault.New(fault.NotFound, "fake", "there is no connection %q", name)
	}
	return h, nil
}

var testNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// door is the API behind the server's shell, with a fake engine.
type door struct {
	engine *fakeEngine
	h      http.Handler
}

func newDoor(t testing.TB) *door {
	t.Helper()
	e := &fakeEngine{}
	a, err := New(Deps{
		Engine: e, Hooks: fakeHooks{}, Now: func() time.Time { return testNow }, Version: "test",
		Tokens: fakeTokens{"write": {access.EventsWrite}, "read": {access.Read}, "admin": {access.AdminScope}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(server.Options{Handler: a, Log: a.Log})
	return &door{engine: e, h: s.Handler()}
}

type answer struct {
	status  int
	body    string
	header  http.Header
	results []Result
	problem server.Problem
}

func (d *door) post(t testing.TB, path, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer write")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	a := answer{status: w.Code, body: w.Body.String(), header: w.Header()}
	if w.Code == 200 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.results); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
	} else if err := json.Unmarshal(w.Body.Bytes(), &a.problem); err != nil {
		t.Fatalf("%d: %v in %s", w.Code, err, w.Body)
	}
	return a
}

func (d *door) hook(t testing.TB, name, body string, header ...string) answer {
	t.Helper()
	return d.post(t, "/hooks/"+name, body, append([]string{"Authorization", "", "Webhook-Id", "msg_1", "Webhook-Signature", "good"}, header...)...)
}

// orderJSON is a placed order of about 4 KB with two lines.
func orderJSON(number string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"channel":"shop","number":%q,"placed_at":"2026-05-31T08:15:30Z","currency":"EUR","lines":[`, number)
	for i := range 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"SKU-%d","title":"Sample jacket, waterproof","qty":%d,"unit_price":"49.90 EUR"}`, i, i+1)
	}
	b.WriteString(`],"shipping_cost":"4.90 EUR","total":"154.60 EUR",
		"customer":{"id":"c-77","email":"sample.buyer@example.com","name":"Sample Buyer","phone":"+49 30 000000","signed_up":"2025-01-01T00:00:00Z"},
		"shipping":{"name":"Sample Buyer","line1":"Example Street 1","city":"Berlin","postal":"10115","country":"DE"},
		"billing":{"name":"Sample Buyer","line1":"Example Street 1","city":"Berlin","postal":"10115","country":"DE"},
		"payment":{"status":"paid","method":"card"},"ip":"192.0.2.44","device":"d-1","service":"standard","tags":["web","new"],"attributes":{`)
	for i := range 40 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"attribute_%02d":"some value that a shop sends along, number %d"`, i, i)
	}
	b.WriteString(`}}`)
	return b.String()
}

func eventJSON(id, number string) string {
	return fmt.Sprintf(`{"id":%q,"type":"order.placed","data":%s}`, id, orderJSON(number))
}
