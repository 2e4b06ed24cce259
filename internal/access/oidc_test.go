package access

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

// provider is a small OpenID Connect provider: discovery, RS256 keys, codes that are good
// once and bound to a PKCE challenge, a redirect address and a client.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // code -> the request that it answers
	claims map[string]any        // of whoever signs in next
	forge  bool                  // sign with a key that is not published
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, codes: map[string]url.Values{}, claims: map[string]any{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("client_id") != "orderly" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("response_type") != "code" {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		code := randomToken("c")
		p.mu.Lock()
		p.codes[code] = q
		p.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		p.mu.Lock()
		q := p.codes[r.FormValue("code")]
		delete(p.codes, r.FormValue("code"))
		claims := maps.Clone(p.claims)
		forge := p.forge
		p.mu.Unlock()
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if id != "orderly" || secret != "s3cret" || q == nil || b64(sum[:]) != q.Get("code_challenge") || r.FormValue("redirect_uri") != q.Get("redirect_uri") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		for k, v := range map[string]any{"iss": p.URL, "aud": "orderly", "nonce": q.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()} {
			if _, ok := claims[k]; !ok {
				claims[k] = v
			}
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(claims, forge)})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) sign(claims map[string]any, forge bool) string {
	key := p.key
	if forge {
		key, _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	body, _ := json.Marshal(claims)
	text := b64([]byte(`{"alg":"RS256","kid":"k1","typ":"JWT"}`)) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	sig, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return text + "." + b64(sig)
}

// ssoSite is a site whose people may sign in by a provider.
func ssoSite(t *testing.T, role Role) (*site, *provider) {
	t.Helper()
	p := newProvider(t)
	svc, mem, clk := newService(t)
	clk.t = time.Now()
	if _, err := svc.AddUser(t.Context(), NewUser{Email: "kim@shop.example", Password: goodPassword, Role: Agent}); err != nil {
		t.Fatal(err)
	}
	web, err := NewWeb(svc, WebOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /signin/sso", func(w http.ResponseWriter, r *http.Request) {
		to, err := web.BeginSSO(r, "/who")
		if err != nil {
			http.Error(w, fault.Message(err), http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	})
	mux.HandleFunc("GET "+SSOCallback, func(w http.ResponseWriter, r *http.Request) {
		_, back, err := web.FinishSSO(r)
		if err != nil {
			http.Error(w, fault.Message(err), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	})
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		u, _ := UserFrom(r.Context())
		_, _ = io.WriteString(w, u.Email+" "+string(u.Role))
	})
	s := &site{httptest.NewServer(web.Handler(mux)), svc, mem, clk}
	t.Cleanup(s.Close)
	web.UseSSO(SSOConfig{Issuer: p.URL, ClientID: "orderly", ClientSecret: "s3cret", Role: role, BaseURL: s.URL})
	return s, p
}

func (s *site) get(t *testing.T, c *http.Client, to string) (int, string, *url.URL) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", to, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(b)), resp.Request.URL
}

func TestSSO(t *testing.T) {
	s, p := ssoSite(t, Viewer)
	verified := func(sub, mail string) map[string]any {
		return map[string]any{"sub": sub, "email": mail, "email_verified": true, "name": "A <b>name</b>\x1b[31m"}
	}
	in := func(claims map[string]any) (int, string) {
		t.Helper()
		p.claims = claims
		code, body, _ := s.get(t, s.browser(t), s.URL+"/signin/sso")
		return code, body
	}
	if code, body := in(verified("1", "Kim@Shop.example")); code != 200 || body != "kim@shop.example agent" {
		t.Errorf("a known mail address: %d %s", code, body)
	}
	// From then on the subject counts, whatever its mail address becomes.
	if code, body := in(verified("1", "other@shop.example")); code != 200 || body != "kim@shop.example agent" {
		t.Errorf("a known subject: %d %s", code, body)
	}
	if code, body := in(verified("2", "new@shop.example")); code != 200 || body != "new@shop.example viewer" {
		t.Errorf("a new person: %d %s", code, body)
	}
	// An account without a password is not one with an empty password.
	if _, err := s.svc.SignIn(t.Context(), "new@shop.example", "", "a"); fault.KindOf(err) != fault.Denied {
		t.Errorf("an empty password: %v", err)
	}
	for what, claims := range map[string]map[string]any{
		"vouch":                {"sub": "3", "email": "kim@shop.example"},
		"vouch for":            {"sub": "3", "email": "kim@shop.example", "email_verified": false},
		"vouch for a mail":     {"sub": "3", "email": "no mail", "email_verified": true},
		"does not verify":      {"sub": "1", "email": "kim@shop.example", "email_verified": true, "aud": "another"},
		"does not verify;":     {"sub": "1", "email": "kim@shop.example", "email_verified": true, "exp": time.Now().Add(-time.Hour).Unix()},
		"not verify":           {"sub": "1", "email": "kim@shop.example", "email_verified": true, "iss": "https://evil.example"},
		"for another sign-in;": {"sub": "1", "email": "kim@shop.example", "email_verified": true, "nonce": "replayed"},
	} {
		if code, body := in(claims); code != 403 || !strings.Contains(body, what) {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	p.forge = true
	if code, body := in(verified("1", "kim@shop.example")); code != 403 || !strings.Contains(body, "does not verify") {
		t.Errorf("signed by another key: %d %s", code, body)
	}
	p.forge = false
	if err := s.svc.Disable(t.Context(), "new@shop.example", true); err != nil {
		t.Error(err)
	}
	if code, body := in(verified("2", "new@shop.example")); code != 403 || !strings.Contains(body, "closed") {
		t.Errorf("a closed account: %d %s", code, body)
	}
	if rs, _ := s.svc.Audit(t.Context(), AuditFilter{}); rs[0].Result != Refused || rs[0].Who != "new@shop.example" {
		t.Errorf("recorded as %+v", rs[0])
	}
}

// TestSSOFitsItsBeginning: what comes back is taken once, by the browser that began, with the state it began with.
func TestSSOFitsItsBeginning(t *testing.T) {
	s, p := ssoSite(t, "")
	p.claims = map[string]any{"sub": "1", "email": "kim@shop.example", "email_verified": true}
	stop := func(c *http.Client) *http.Client {
		c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Path == SSOCallback {
				return http.ErrUseLastResponse
			}
			return nil
		}
		return c
	}
	begin := func(c *http.Client) string {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/signin/sso", nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.Header.Get("Location")
	}
	mine, other := stop(s.browser(t)), stop(s.browser(t))
	to := begin(mine)
	u, _ := url.Parse(s.URL)
	before := mine.Jar.Cookies(u)[0].Value
	if code, _, _ := s.get(t, other, to); code != 403 { // handed to a victim: they do not become the attacker
		t.Errorf("another browser: %d", code)
	}
	if code, _, _ := s.get(t, mine, strings.Replace(to, "state=", "state=x", 1)); code != 403 {
		t.Errorf("another state: %d", code)
	}
	if code, _, _ := s.get(t, mine, to); code != 403 { // the wrong try used the beginning up
		t.Errorf("after a wrong try: %d", code)
	}
	to = begin(mine)
	if code, body, _ := s.get(t, mine, to); code != 200 || body != "kim@shop.example agent" {
		t.Errorf("as it began: %d %s", code, body)
	}
	if after := mine.Jar.Cookies(u)[0].Value; after == before {
		t.Error("the session from before the sign-in goes on: it could have been planted")
	}
	if code, _, _ := s.get(t, mine, to); code != 403 {
		t.Errorf("a second time: %d", code)
	}
	to = begin(other)
	s.clk.add(ssoTime + time.Second)
	if code, _, _ := s.get(t, other, to); code != 403 {
		t.Errorf("too late: %d", code)
	}
	p.claims = map[string]any{"sub": "9", "email": "stranger@shop.example", "email_verified": true}
	if code, body, _ := s.get(t, s.browser(t), s.URL+"/signin/sso"); code != 403 || !strings.Contains(body, "no account") {
		t.Errorf("a stranger where none is made: %d %s", code, body)
	}
	if code, body, _ := s.get(t, stop(s.browser(t)), s.URL+SSOCallback+"?error=x&state="); code != 403 || !strings.Contains(body, "begun elsewhere") {
		t.Errorf("an error out of nowhere: %d %s", code, body)
	}
}
