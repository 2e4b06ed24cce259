package access

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

// site is a small web site behind access.Web, and a browser for it.
type site struct {
	*httptest.Server
	svc *Service
	mem *Memory
	clk *clock
}

func newSite(t *testing.T) *site {
	t.Helper()
	svc, mem, clk := newService(t)
	// Cookie expiry is judged by the wall clock of scs, so the test's clock starts there.
	clk.t = time.Now()
	if _, err := svc.AddUser(t.Context(), NewUser{Email: "kim@shop.example", Password: goodPassword, Role: Agent}); err != nil {
		t.Fatal(err)
	}
	web, err := NewWeb(svc, WebOptions{Secure: func(r *http.Request) bool { return r.Header.Get("X-Test-Proto") == "https" }})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, err error) {
		if err != nil {
			http.Error(w, fault.Message(err), http.StatusForbidden)
			return
		}
		io.WriteString(w, "ok")
	}
	mux.HandleFunc("POST /signin", func(w http.ResponseWriter, r *http.Request) {
		_, err := web.SignIn(r, r.FormValue("email"), r.FormValue("password"))
		answer(w, err)
	})
	mux.HandleFunc("POST /signout", func(w http.ResponseWriter, r *http.Request) { answer(w, web.SignOut(r)) })
	mux.HandleFunc("POST /password", func(w http.ResponseWriter, r *http.Request) {
		answer(w, web.ChangePassword(r, r.FormValue("old"), r.FormValue("password")))
	})
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		u, _ := UserFrom(r.Context())
		io.WriteString(w, u.Email)
	})
	s := &site{httptest.NewServer(web.Handler(mux)), svc, mem, clk}
	t.Cleanup(s.Close)
	return s
}

func (s *site) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func (s *site) post(t *testing.T, c *http.Client, path string, form url.Values, header ...string) (int, string, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp
}

func (s *site) who(t *testing.T, c *http.Client) string {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/who", nil)
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

var signIn = url.Values{"email": {"kim@shop.example"}, "password": {goodPassword}}

func sessionCookie(resp *http.Response) *http.Cookie {
	for _, c := range resp.Cookies() {
		if c.Name == CookieName {
			return c
		}
	}
	return nil
}

func TestSessionLife(t *testing.T) {
	s := newSite(t)
	c := s.browser(t)
	if got := s.who(t, c); got != "" {
		t.Fatalf("signed in as %q before signing in", got)
	}
	status, _, resp := s.post(t, c, "/signin", signIn)
	ck := sessionCookie(resp)
	if status != 200 || ck == nil || !ck.HttpOnly || ck.SameSite != http.SameSiteLaxMode || ck.Secure {
		t.Fatalf("sign-in: %d, cookie %v", status, ck)
	}
	for h := range s.mem.sessions {
		if strings.Contains(h, ck.Value) || strings.Contains(s.mem.sessions[h].data, ck.Value) {
			t.Error("the session token is stored")
		}
	}
	if got := s.who(t, c); got != "kim@shop.example" {
		t.Fatalf("who = %q", got)
	}
	n := s.mem.Updates
	for range 5 {
		s.who(t, c)
	}
	if s.mem.Updates != n {
		t.Error("reading pages writes to the store")
	}

	// Signing in again renews the token; the old one is dead.
	_, _, resp = s.post(t, c, "/signin", signIn)
	if again := sessionCookie(resp); again == nil || again.Value == ck.Value {
		t.Error("the token was not renewed on sign-in")
	}
	old := s.browser(t)
	u, _ := url.Parse(s.URL)
	old.Jar.SetCookies(u, []*http.Cookie{{Name: CookieName, Value: ck.Value}})
	if got := s.who(t, old); got != "" {
		t.Errorf("the token from before is signed in as %q", got)
	}

	s.post(t, c, "/signout", nil)
	if got := s.who(t, c); got != "" {
		t.Errorf("signed in as %q after signing out", got)
	}
	if len(s.mem.sessions) != 0 {
		t.Errorf("%d sessions left", len(s.mem.sessions))
	}
}

func TestSessionIsSecureByHTTPS(t *testing.T) {
	s := newSite(t)
	_, _, resp := s.post(t, s.browser(t), "/signin", signIn, "X-Test-Proto", "https")
	if ck := sessionCookie(resp); ck == nil || !ck.Secure {
		t.Errorf("cookie by https: %v", ck)
	}
}

func TestForgedRequestsAreRefused(t *testing.T) {
	s := newSite(t)
	for _, h := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		status, body, _ := s.post(t, s.browser(t), "/signin", signIn, h...)
		if status != 403 || !strings.Contains(body, "nothing was changed") {
			t.Errorf("%v: %d %s", h, status, body)
		}
	}
	if len(s.mem.sessions) != 0 {
		t.Error("a forged request began a session")
	}
}

func TestPasswordChangeEndsOtherSessions(t *testing.T) {
	s := newSite(t)
	here, there := s.browser(t), s.browser(t)
	s.post(t, here, "/signin", signIn)
	s.post(t, there, "/signin", signIn)
	if status, body, _ := s.post(t, here, "/password", url.Values{"old": {goodPassword}, "password": {"river stone lamp moss"}}); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got := s.who(t, here); got == "" {
		t.Error("the session that changed the password ended")
	}
	if got := s.who(t, there); got != "" {
		t.Error("the other session goes on")
	}
}

func TestIdleAndDisabled(t *testing.T) {
	s := newSite(t)
	c := s.browser(t)
	s.post(t, c, "/signin", signIn)
	s.clk.add(SessionIdle - time.Minute)
	if s.who(t, c) == "" { // and this counts as activity
		t.Fatal("ended too early")
	}
	s.clk.add(SessionIdle - time.Minute)
	if s.who(t, c) == "" {
		t.Fatal("activity did not prolong the session")
	}
	s.clk.add(SessionIdle + time.Minute)
	if s.who(t, c) != "" {
		t.Fatal("an idle session goes on")
	}

	s.post(t, c, "/signin", signIn)
	u, _, _ := (*memoryTx)(s.mem).UserByEmail("kim@shop.example")
	u.Disabled = true
	_ = (*memoryTx)(s.mem).PutUser(u)
	if s.who(t, c) != "" {
		t.Error("a disabled user is signed in")
	}
}
