package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// posted keeps the JSON documents that a service was sent.
type posted struct {
	mu   sync.Mutex
	docs []map[string]any
}

func (p *posted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is cut is no JSON
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.docs = append(p.docs, doc)
	w.WriteHeader(http.StatusAccepted)
}

// has reports whether a document has a text under a key.
func (p *posted) has(key, text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.docs, func(d map[string]any) bool { s, _ := d[key].(string); return strings.Contains(s, text) })
}

// TestAlertsArrive is the whole program with a mail server, a receiver of signed webhooks, a chat and an on-call service: the
// daily self-test goes by each; a destination that fails becomes an incident, is told by each, passed on when nobody answers,
// acknowledged, and over when the destination works again. The heartbeat stops when the program does.
func TestAlertsArrive(t *testing.T) {
	mail, err := fake.StartSMTP(t.Context(), fake.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	var ahead atomic.Int64 // the shop's clock goes with the machine's, this much ahead
	local := time.Now().Add(24 * time.Hour).UTC()
	ahead.Store(int64(time.Until(time.Date(local.Year(), local.Month(), local.Day(), 10, 0, 0, 0, time.UTC))))
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	pass := func(d time.Duration) { ahead.Add(int64(d)) }
	hooks, err := fake.StartReceiver(t.Context(), fake.ReceiverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer hooks.Close()
	var down atomic.Bool
	var beats atomic.Int64
	chat, onCall := &posted{}, &posted{}
	serve := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	wms := serve(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})

	dir := t.TempDir()
	p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: clock}
	s, err := p.openShop(t.Context(), &config.Config{
		Listen: "127.0.0.1:0", DB: filepath.Join(dir, "shop.db"), KeyFile: filepath.Join(dir, "key"), ArchiveDir: filepath.Join(dir, "archive"), LogLevel: "error", LogFormat: "text",
		MaxEventBytes: 1 << 20, MaxBatchBytes: 1 << 20, HeaderTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second, IdleTimeout: time.Second, DrainTimeout: 5 * time.Second,
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	host, port := mail.HostPort()
	for _, c := range []connectionChange{
		{name: "mail", kind: kindSMTP},
		{name: "ops-hook", kind: kindWebhook, url: hooks.URL(), secret: hooks.Secret().Reveal()},
		{name: "team-chat", kind: kindChat, url: serve(chat.ServeHTTP)},
		{name: "on-call", kind: kindOnCall, url: serve(onCall.ServeHTTP), secret: "integration-key"},
		{name: "outside", kind: kindHeartbeat, url: serve(func(http.ResponseWriter, *http.Request) { beats.Add(1) })},
		{name: "wms", kind: kindWebhook, url: wms},
	} {
		c.config = func(kind string, to *connectionConfig) error {
			if *to = (connectionConfig{AllowPrivate: true}); kind == kindSMTP {
				*to = connectionConfig{Host: host, Port: port, TLS: "none", From: "orderly@shop.example"}
			}
			return nil
		}
		if _, _, err := s.setConnection(t.Context(), c); err != nil {
			t.Fatal(c.name, err)
		}
	}
	r, err := p.start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.engine.Apply(t.Context(), []store.Text{
		{Kind: engine.KindShop, Name: "shop", Text: "ops_owner: ops@shop.example\nmail: mail\nalert: [ops-hook, team-chat, on-call]\nescalate: { after: 30m, to: [lead@shop.example, boss@shop.example] }\nheartbeat: outside\n"},
		{Kind: engine.KindAutomation, Name: "tell-wms", Text: "automation: tell-wms\nowner: wms@shop.example\nwhy: The warehouse wants to know.\non: order.placed\ndo:\n  - webhook: { connection: wms }\n"},
	}, "test", "", false)
	if err != nil {
		t.Fatal(err)
	}
	r.watch.Every = 50 * time.Millisecond
	r.watch.Disk = func() (int64, int64, bool) { return 50 << 30, 100 << 30, true } // this machine's may be nearly full
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.serve(ctx) }()
	defer end()
	until := func(what string, wished func() bool) {
		t.Helper()
		for limit := time.Now().Add(20 * time.Second); !wished(); <-time.Tick(10 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s did not come; mails %d, webhooks %d, chat %v, on-call %v", what, mail.Count(), hooks.Count(), chat.docs, onCall.docs)
			}
		}
	}
	incidents := func(over bool) (rows []store.TaskRow) {
		t.Helper()
		err := s.db.View(t.Context(), func(tx *store.Tx) (err error) { rows, err = tx.IncidentRows(over, 100); return err })
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	mailed := func(to, subject string) (n int) {
		for _, m := range mail.Messages() {
			if slices.Contains(m.To, to) && strings.Contains(m.Subject, subject) {
				n++
			}
		}
		return n
	}
	hooked := func(action string) bool {
		return slices.ContainsFunc(hooks.Documents(), func(d fake.Document) bool { return strings.Contains(string(d.Body), `"action":"`+action+`"`) })
	}
	// The daily self-test: the webhook gets a test, the chat a line, the on-call service the end of nothing, and no mail leaves.
	until("the self-test", func() bool {
		return hooked("test") && chat.has("text", "daily self-test") && onCall.has("event_action", "resolve") && mail.Sessions() > 0
	})
	until("the heartbeat", func() bool { return beats.Load() > 1 })
	if n := mail.Count(); n != 0 || len(incidents(false)) != 0 {
		t.Fatalf("%d mails, %+v", n, incidents(false))
	}

	down.Store(true)
	out, err := r.engine.Submit(t.Context(), []event.Event{{Source: "web", Key: "1", Data: &event.OrderPlaced{
		Channel: "web", Number: "1", Currency: "EUR", Lines: []event.Line{{SKU: "MUG", Qty: 1}}, Payment: event.Payment{Status: event.PaymentPaid},
	}}})
	if err != nil || out[0].Status != engine.Decided {
		t.Fatal(out, err)
	}
	pass(16 * time.Minute)
	until("the incident", func() bool { return len(incidents(false)) == 1 })
	row := incidents(false)[0]
	const title = "Nothing leaves for wms"
	if row.Task.Title != title {
		t.Fatal(row.Task.Title)
	}
	until("the alert by every way", func() bool {
		return mailed("ops@shop.example", title) == 1 && hooked("trigger") && chat.has("text", title) && onCall.has("event_action", "trigger") && onCall.has("dedup_key", row.ID)
	})
	pass(31 * time.Minute)
	until("the word to the lead", func() bool { return mailed("lead@shop.example", title) == 1 })
	out, err = r.engine.Submit(t.Context(), []event.Event{{Source: "console", Key: "ack", Actor: "usr_kim", Data: &event.IncidentAcknowledged{Task: row.ID}}})
	if err != nil || out[0].Status != engine.Decided {
		t.Fatal(out, err)
	}
	until("the word that somebody has it", func() bool { return hooked("acknowledge") && onCall.has("event_action", "acknowledge") })
	pass(14 * time.Minute)
	down.Store(false)
	pass(14 * time.Minute)
	pass(2 * time.Hour)
	until("the end", func() bool {
		return len(incidents(false)) == 0 && hooked("resolve") && chat.has("text", "Over: ") && mailed("ops@shop.example", "Over") == 1
	})
	if n := mailed("boss@shop.example", ""); n != 0 || len(incidents(true)) != 1 {
		t.Errorf("%d mails to the boss, %d incidents in all", n, len(incidents(true)))
	}
	end()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	n := beats.Load()
	<-time.After(200 * time.Millisecond) // four turns
	if beats.Load() != n {
		t.Error("the heart beats on")
	}
}
