package alert

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"orderly.example/orderly/internal/connect"
)

// door is a service that keeps what it got.
type door struct {
	*httptest.Server
	got  []string
	code int
}

func newDoor(t *testing.T) *door {
	d := &door{code: http.StatusAccepted}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		d.got = append(d.got, r.Method+" "+string(b))
		w.WriteHeader(d.code)
	}))
	t.Cleanup(d.Close)
	return d
}

var guard = connect.Guard{AllowPrivate: true, AllowHTTP: true}

func body(action string) []byte {
	b, _ := json.Marshal(map[string]any{"id": "eff_1", "type": "alert", "time": "2026-03-02T08:00:00Z", "link": "https://console.shop.example/incidents/tsk_1", "data": map[string]string{
		"title": "Nothing comes <!channel> & so on", "detail": "for an hour", "impact": "3 orders", "next": "look", "action": action, "incident": "tsk_1",
	}})
	return b
}

func TestChat(t *testing.T) {
	d := newDoor(t)
	c, err := NewChat(d.URL, guard)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, action := range []string{trigger, acknowledge, resolve, test} {
		if _, err := c.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: body(action)}); err != nil {
			t.Fatal(err)
		}
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(strings.TrimPrefix(d.got[0], "POST ")), &m); err != nil {
		t.Fatal(err)
	}
	text := m["text"]
	if len(m) != 1 || strings.Contains(text, "<!") || !strings.Contains(text, "&lt;!channel&gt; &amp; so on") || !strings.Contains(text, "<https://console.shop.example/incidents/tsk_1|") {
		t.Errorf("%q", text)
	}
	if !strings.Contains(d.got[2], "Over:") || strings.Contains(d.got[3], "rotating_light") {
		t.Errorf("%q", d.got)
	}
	d.code = http.StatusNotFound
	if _, err := c.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: body(trigger)}); connect.ClassOf(err) != connect.ClassPermanent {
		t.Errorf("a channel that is gone: %v", err)
	}
	d.code = http.StatusTooManyRequests
	if _, err := c.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: body(trigger)}); connect.ClassOf(err) != connect.ClassRetry {
		t.Errorf("too many: %v", err)
	}
}

func TestOnCall(t *testing.T) {
	d := newDoor(t)
	o, err := NewOnCall(d.URL, "R0UTE", guard)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	want := map[string]string{trigger: trigger, acknowledge: acknowledge, resolve: resolve, test: resolve}
	for action, event := range want {
		d.got = nil
		if _, err := o.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: body(action)}); err != nil {
			t.Fatal(err)
		}
		var ev struct {
			RoutingKey  string `json:"routing_key"`
			EventAction string `json:"event_action"`
			DedupKey    string `json:"dedup_key"`
			Payload     *struct{ Summary, Source, Severity string }
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(d.got[0], "POST ")), &ev); err != nil {
			t.Fatal(err)
		}
		if ev.RoutingKey != "R0UTE" || ev.EventAction != event || ev.DedupKey != "tsk_1" || (ev.Payload != nil) != (action == trigger) {
			t.Errorf("%s: %+v", action, ev)
		}
		if p := ev.Payload; p != nil && (p.Summary == "" || p.Source == "" || p.Severity != "error") {
			t.Errorf("%+v", p)
		}
	}
	if _, err := NewOnCall(d.URL, "", guard); err == nil {
		t.Error("a service without a key")
	}
}

func TestHeart(t *testing.T) {
	d := newDoor(t)
	h, err := NewHeart(d.URL, guard)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Beat(t.Context()); err != nil || len(d.got) != 1 || d.got[0] != "GET " {
		t.Fatalf("%v %q", err, d.got)
	}
	d.code = http.StatusInternalServerError
	if err := h.Beat(t.Context()); err == nil {
		t.Error("a heartbeat that is refused was heard")
	}
	if _, err := NewHeart("http://127.0.0.1:1/x", connect.Guard{}); err == nil {
		t.Error("a private address that is not allowed was taken")
	}
}
