package observe

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const (
	secret = "hunter2hunter2"
	apiTok = "ord_0123456789abcdefghjkmnpqrstvwxyz01234567"
)

type config struct{ Password string }

type account struct{ pw string }

func (a account) LogValue() slog.Value {
	return slog.GroupValue(slog.String("password", a.pw), slog.String("name", "kim"))
}

func TestNoSecretIsPrinted(t *testing.T) {
	u, err := url.Parse("postgres://shop:" + secret + "@db.example/x")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := NewLogger(&out, Options{Level: "debug", Format: format})
		if err != nil {
			t.Fatal(err)
		}
		log.Info("keys", "Authorization", secret, "password", secret, "smtp.password", secret, "setCookie", secret,
			"X-Auth-Token", secret, "client_secret", secret, "api_key", secret, "cookie", http.Cookie{Value: secret})
		log.Info("nested", slog.Group("request", slog.Group("headers", "authorization", secret)))
		log.Info("valuer", "user", account{secret}, "config", config{secret}, "ptr", &config{secret})
		log.With("token", secret).Info("with")
		log.WithGroup("secrets").Info("group", "first", secret)
		log.WithGroup("secrets").With("first", secret).Info("group with")
		log.Info("in text "+apiTok, "path", "/x?k="+apiTok, "error", errors.New("dial postgres://shop:"+secret+"@db.example/x: refused"),
			"url", u, "header", "Bearer "+secret, "hook", "whsec_"+secret, "raw", []byte("Basic "+secret),
			"phc", "$argon2id$v=19$m=19456,t=2,p=1$"+secret)
		if s := out.String(); strings.Contains(s, secret) || strings.Contains(s, apiTok) {
			t.Errorf("%s: a secret was printed:\n%s", format, s)
		}
		if s := out.String(); !strings.Contains(s, "kim") || !strings.Contains(s, "db.example") {
			t.Errorf("%s: what is not secret is missing:\n%s", format, s)
		}
	}
}

func TestWhatIsNotSecretStays(t *testing.T) {
	var out bytes.Buffer
	log, _ := NewLogger(&out, Options{})
	log.InfoContext(WithRequest(t.Context(), "req-1"), "order ord_0123456789abcdef placed", "key", "shop:1001", "tokenizer", "x", "token_name", "web-shop", "n", 3)
	for _, want := range []string{"ord_0123456789abcdef", "shop:1001", "tokenizer=x", "web-shop", "n=3", "request=req-1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %s", want, out.String())
		}
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Level: "loud"}, {Format: "xml"}} {
		if _, err := NewLogger(&bytes.Buffer{}, o); err == nil {
			t.Errorf("NewLogger(%+v) passed", o)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("dial postgres://a:b@c/d")
	f.Add(apiTok)
	f.Fuzz(func(t *testing.T, s string) {
		if got := Clean(s + " " + apiTok); strings.Contains(got, apiTok) {
			t.Errorf("Clean kept the token in %q", got)
		}
	})
}

func TestMetricsAreServed(t *testing.T) {
	m := NewMetrics("1.2.3")
	m.Events.WithLabelValues("hooks", "decided").Inc()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`orderly_events_total{door="hooks",outcome="decided"} 1`, `orderly_build_info{version="1.2.3"} 1`, "go_goroutines"} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}
