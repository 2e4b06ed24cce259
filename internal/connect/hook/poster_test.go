package hook_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/connecttest"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func receiver(t *testing.T, o fake.ReceiverOptions) *fake.Receiver {
	t.Helper()
	r, err := fake.StartReceiver(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func poster(t *testing.T, s hook.Settings) *hook.Poster {
	t.Helper()
	p, err := hook.New(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestContract(t *testing.T) {
	connecttest.Run(t, func(t *testing.T) *connecttest.World {
		r := receiver(t, fake.ReceiverOptions{})
		p := poster(t, hook.Settings{
			URL:     r.URL() + "/s3cret-path?token=s3cret-token",
			Secrets: []connect.Secret{r.Secret()},
			Guard:   connect.Guard{AllowPrivate: true, Timeout: 700 * time.Millisecond},
		})
		return &connecttest.World{
			Hook: p,
			Key:  func(id string) string { return id },
			Fail: func(f connecttest.Fault) {
				r.Fail(map[connecttest.Fault]fake.HookFault{
					connecttest.Busy:    {Status: http.StatusServiceUnavailable},
					connecttest.Refused: {Status: http.StatusBadRequest},
					connecttest.Silent:  {Hang: true, Take: true},
					connecttest.Broken:  {Drop: true, Take: true},
				}[f])
			},
			Taken: func() (out []connecttest.Taken) {
				for _, d := range r.Documents() {
					out = append(out, connecttest.Taken{Key: d.ID, Body: string(d.Body)})
				}
				return out
			},
			Wait:     r.Wait,
			Stop:     func() { r.Close() },
			Secrets:  []string{r.Secret().Reveal()[6:], "s3cret"},
			Patience: 5 * time.Second,
		}
	})
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		after  string
		class  connect.Class
		wait   time.Duration
		says   string
	}{
		{301, "", connect.ClassPermanent, 0, "set the new address"},
		{307, "", connect.ClassPermanent, 0, "set the new address"},
		{400, "", connect.ClassPermanent, 0, "400 Bad Request"},
		{401, "", connect.ClassPermanent, 0, "signing secret"},
		{403, "", connect.ClassPermanent, 0, "signing secret"},
		{404, "", connect.ClassPermanent, 0, "404 Not Found"},
		{408, "", connect.ClassRetry, 0, "408"},
		{409, "", connect.ClassRetry, 0, "409"},
		{410, "", connect.ClassPermanent, 0, "no more"},
		{413, "", connect.ClassPermanent, 0, "413"},
		{422, "", connect.ClassPermanent, 0, "422"},
		{425, "", connect.ClassRetry, 0, "425"},
		{429, "120", connect.ClassRetry, 2 * time.Minute, "429 Too Many Requests"},
		{429, "0", connect.ClassRetry, 0, "429"},
		{429, "-5", connect.ClassRetry, 0, "429"},
		{429, "99999999999", connect.ClassRetry, 0, "429"},
		{429, "soon", connect.ClassRetry, 0, "429"},
		{429, "Mon, 02 Jan 2006 15:04:05 GMT", connect.ClassRetry, 0, "429"},
		{500, "", connect.ClassRetry, 0, "500"},
		{501, "30", connect.ClassPermanent, 0, "501"},
		{502, "", connect.ClassRetry, 0, "502"},
		{503, "30", connect.ClassRetry, 30 * time.Second, "503"},
		{599, "", connect.ClassRetry, 0, "599"},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, "the body of an answer could hold anything")
		}))
		p := poster(t, hook.Settings{URL: srv.URL, Secrets: []connect.Secret{newSecret}, Guard: connect.Guard{AllowPrivate: true}})
		_, err := p.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: []byte("{}")})
		if err == nil || connect.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "could hold") {
			t.Errorf("%d: %v (%v), want %v and %q", c.status, err, connect.ClassOf(err), c.class, c.says)
		}
		if wait, _ := connect.RetryAfter(err); wait != c.wait {
			t.Errorf("%d with Retry-After %q waits %v, want %v", c.status, c.after, wait, c.wait)
		}
		p.Close()
		srv.Close()
	}
}

// TestReceiverActsOnce: repeated attempts, also after an unknown outcome, are one document to the receiver.
func TestReceiverActsOnce(t *testing.T) {
	acted := 0
	r := receiver(t, fake.ReceiverOptions{Take: func(fake.Document) { acted++ }})
	p := poster(t, hook.Settings{URL: r.URL(), Secrets: []connect.Secret{hook.NewSecret(), r.Secret()}, Guard: connect.Guard{AllowPrivate: true}})
	r.Fail(fake.HookFault{Drop: true, Take: true}, fake.HookFault{Status: 500}, fake.HookFault{Status: 503, RetryAfter: "1", Take: true})
	var err error
	for range 4 {
		_, err = p.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: []byte(`{"n":1}`)})
	}
	if err != nil {
		t.Fatal(err)
	}
	docs := r.Documents()
	if len(docs) != 1 || docs[0].Attempts != 3 || acted != 1 {
		t.Errorf("%d documents, %+v, acted %d times", len(docs), docs, acted)
	}
	if err := r.Wait(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	r := receiver(t, fake.ReceiverOptions{})
	p := poster(t, hook.Settings{URL: r.URL(), Secrets: []connect.Secret{hook.NewSecret()}, Guard: connect.Guard{AllowPrivate: true}})
	_, err := p.Post(t.Context(), connect.Delivery{ID: "eff_1", Body: []byte("{}")})
	if connect.ClassOf(err) != connect.ClassPermanent || !strings.Contains(err.Error(), "401") {
		t.Errorf("a stranger's document: %v", err)
	}
	if all, refused := r.Requests(); all != 1 || refused != 1 || r.Count() != 0 {
		t.Errorf("%d requests, %d refused, %d documents", all, refused, r.Count())
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := []connect.Secret{newSecret}
	for _, s := range []hook.Settings{
		{URL: "http://warehouse.example/hook", Secrets: good},
		{URL: "https://127.0.0.1/hook", Secrets: good},
		{URL: "https://user:pw@warehouse.example", Secrets: good},
		{URL: "", Secrets: good},
		{URL: "https://warehouse.example/hook"},
		{URL: "https://warehouse.example/hook", Secrets: []connect.Secret{"hunter2hunter2"}},
	} {
		if _, err := hook.New(s); err == nil {
			t.Errorf("New(%q) takes it", s.URL)
		} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "pw@") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

// TestSettingsHideTheirSecretsInALog: logging settings by mistake shows stars.
func TestSettingsHideTheirSecretsInALog(t *testing.T) {
	var b strings.Builder
	s := hook.Settings{URL: "https://warehouse.example/hook", Secrets: []connect.Secret{newSecret}}
	slog.New(slog.NewTextHandler(&b, nil)).Info("starting", "settings", s, "secret", newSecret)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("starting", "settings", s, "secret", newSecret)
	fmt.Fprintf(&b, "%v %+v %#v", s, s, s)
	if strings.Contains(b.String(), newSecret.Reveal()[6:]) {
		t.Errorf("logged: %s", b.String())
	}
}
