package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client returns a client of the guard that leaves nothing open.
func client(t *testing.T, g Guard) *http.Client {
	t.Helper()
	c := NewClient(g)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := Do(c, r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func wantRefused(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil || ClassOf(err) != ClassPermanent || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v (%v), want a permanent refusal that says %q", err, ClassOf(err), says)
	}
}

// names is a resolver that answers from a list, each question the next entry.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked, buf := 0, make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buf[:n]); err != nil || len(m.Questions) == 0 {
				continue
			}
			m.Header.Response, m.Header.Authoritative = true, true
			m.Additionals = nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				for a := range strings.FieldsSeq(answers[min(asked, len(answers)-1)]) {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
					})
				}
				asked++
			}
			if b, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(b, from)
			}
		}
	}()
	t.Cleanup(func() { pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func TestPrivateIsRefused(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hits.Add(1); fmt.Fprint(w, "hello") }))
	defer srv.Close()
	tls := httptest.NewTLSServer(srv.Config.Handler)
	defer tls.Close()
	_, p, _ := net.SplitHostPort(srv.Listener.Addr().String())

	for _, c := range []struct{ url, says string }{
		{srv.URL, "must be called over https"},
		{tls.URL, "a loopback address"},
		{"https://localhost:" + p, "a loopback address"},
		{"https://[::1]:" + p, "a loopback address"},
		{"https://[::ffff:127.0.0.1]:" + p, "a loopback address"},
		{"https://[64:ff9b::7f00:1]:" + p, "NAT64"},
		{"https://[2002:7f00:1::]:" + p, "6to4"},
		{"https://0.0.0.0:" + p, "unspecified"},
		{"https://169.254.169.254/latest/meta-data", "metadata"},
		{"https://10.0.0.1", "private address"},
		{"https://100.64.0.1", "carrier-grade"},
		{"https://[fd00::1]", "private address"},
		{"https://[fe80::1%25lo]", "link-local"},
		{"https://224.0.0.1", "multicast"},
		{"ftp://example.com", "must begin with https"},
		{"file:///etc/passwd", "must begin with https"},
		{"gopher://127.0.0.1", "must begin with https"},
		{"https://user:hunter2@example.com/", "user name or password"},
	} {
		_, err := get(t, client(t, Guard{Timeout: 5 * time.Second}), c.url)
		wantRefused(t, err, c.says)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	// Other spellings of 127.0.0.1 that a C library's resolver would take.
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1"} {
		if _, err := get(t, client(t, Guard{Resolver: names(t, "127.0.0.1"), Timeout: 5 * time.Second}), "https://"+host+":"+p); err == nil {
			t.Errorf("%s was called", host)
		}
	}
	if hits.Load() != 0 {
		t.Fatalf("the server was reached %d times", hits.Load())
	}

	for name, g := range map[string]Guard{"AllowPrivate": {AllowPrivate: true}, "AllowHosts": {AllowHosts: []string{"127.0.0.1"}}, "AllowHosts with port": {AllowHosts: []string{"127.0.0.1:" + p}}} {
		if body, err := get(t, client(t, g), srv.URL); err != nil || body != "hello" {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	_, err := get(t, client(t, Guard{AllowHosts: []string{"127.0.0.1:1", "warehouse.example"}}), srv.URL)
	wantRefused(t, err, "https")
	// Not even an allowed connection reaches what is never a destination.
	for _, url := range []string{"http://169.254.169.254/", "http://0.0.0.0:" + p, "http://[64:ff9b::a9fe:a9fe]/", "http://[fe80::1%25lo]/"} {
		_, err := get(t, client(t, Guard{AllowPrivate: true, AllowHTTP: true}), url)
		wantRefused(t, err, "never called")
	}
}

// TestRebinding: the name answers with another address for the second connection.
// What is dialled is checked, so the second call does not arrive.
func TestRebinding(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer srv.Close()
	_, p, _ := net.SplitHostPort(srv.Listener.Addr().String())

	// A public name that leads here: refused, whatever it looks like.
	_, err := get(t, client(t, Guard{AllowHTTP: true, Resolver: names(t, "127.0.0.1")}), "http://shop.example:"+p)
	wantRefused(t, err, "shop.example leads to 127.0.0.1, a loopback address")

	// First an allowed address, then one that is never allowed; no connection is kept between.
	c := client(t, Guard{AllowPrivate: true, Resolver: names(t, "127.0.0.1", "0.0.0.0")})
	if _, err := get(t, c, "http://shop.example:"+p); err != nil {
		t.Fatalf("first call: %v", err)
	}
	c.CloseIdleConnections()
	_, err = get(t, c, "http://shop.example:"+p)
	wantRefused(t, err, "0.0.0.0, an unspecified address")

	// Two answers at once: the refused one is not tried, wherever it stands.
	c = client(t, Guard{AllowPrivate: true, Resolver: names(t, "0.0.0.0 127.0.0.1")})
	if _, err := get(t, c, "http://shop.example:"+p); err != nil {
		t.Fatalf("with two answers: %v", err)
	}
	if hits.Load() != 2 {
		t.Fatalf("the server was reached %d times, want 2", hits.Load())
	}

	// A host that is allowed by name is allowed by that name only.
	c = client(t, Guard{AllowHosts: []string{"warehouse.example"}, AllowHTTP: true, Resolver: names(t, "127.0.0.1")})
	if _, err := get(t, c, "http://WAREHOUSE.example.:"+p); err != nil {
		t.Fatalf("allowed name: %v", err)
	}
	_, err = get(t, c, "http://shop.example:"+p)
	wantRefused(t, err, "loopback")
	if hits.Load() != 3 {
		t.Fatalf("the server was reached %d times, want 3", hits.Load())
	}
}

func TestPlainHTTPStaysInside(t *testing.T) {
	// AllowPrivate lets http go to private addresses, not to public ones: the dialer says no before a packet leaves.
	_, err := get(t, client(t, Guard{AllowPrivate: true, Resolver: names(t, "8.8.8.8"), Timeout: 5 * time.Second}), "http://shop.example:9")
	wantRefused(t, err, "must be called over https")
}

func TestRedirects(t *testing.T) {
	type hop struct {
		path   string
		header http.Header
	}
	var other *httptest.Server
	seen := make(chan hop, 20)
	handler := func(w http.ResponseWriter, r *http.Request) {
		seen <- hop{r.URL.Path, r.Header.Clone()}
		switch r.URL.Path {
		case "/once":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/three":
			http.Redirect(w, r, "/two", http.StatusFound)
		case "/two":
			http.Redirect(w, r, "/once", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL+"/end", http.StatusTemporaryRedirect)
		case "/away-and-back":
			http.Redirect(w, r, other.URL+"/back", http.StatusFound)
		case "/meta":
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://a:b@"+r.Host+"/end", http.StatusFound)
		default:
			fmt.Fprint(w, "end")
		}
	}
	srv := httptest.NewServer(http.HandlerFunc(handler))
	defer srv.Close()
	other = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			seen <- hop{"other" + r.URL.Path, r.Header.Clone()}
			http.Redirect(w, r, srv.URL+"/end", http.StatusFound)
			return
		}
		handler(w, r)
	}))
	defer other.Close()
	call := func(t *testing.T, method, path string, body io.Reader) (hops []hop, err error) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+path, body)
		r.Header.Set("Authorization", "Bearer secret")
		r.Header.Set("Cookie", "s=secret")
		r.Header.Set("X-Api-Key", "secret")
		r.Header.Set("Webhook-Signature", "secret")
		r.Header.Set("Accept", "application/json")
		resp, err := Do(client(t, Guard{AllowPrivate: true}), r)
		if err == nil {
			resp.Body.Close()
		}
		for len(seen) > 0 {
			hops = append(hops, <-seen)
		}
		return hops, err
	}

	for path, n := range map[string]int{"/once": 2, "/two": 3, "/three": 4} {
		if hops, err := call(t, "GET", path, nil); err != nil || len(hops) != n || hops[n-1].path != "/end" || hops[n-1].header.Get("X-Api-Key") == "" {
			t.Errorf("%s: %d hops, %v", path, len(hops), err)
		}
	}
	hops, err := call(t, "GET", "/loop", nil)
	wantRefused(t, err, "more than 3 times")
	if len(hops) != 4 {
		t.Errorf("/loop: %d calls, want 4", len(hops))
	}
	for path, says := range map[string]string{"/meta": "169.254.169.254", "/file": "https", "/user": "user name or password"} {
		hops, err = call(t, "GET", path, nil)
		wantRefused(t, err, says)
		if len(hops) != 1 {
			t.Errorf("%s: %d calls, want 1", path, len(hops))
		}
	}
	for _, path := range []string{"/away", "/away-and-back"} {
		if hops, err = call(t, "GET", path, nil); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		// Another port is another origin: what was meant for the first stays there.
		for _, secret := range []string{"Authorization", "Cookie", "X-Api-Key", "Webhook-Signature", "Referer"} {
			if v := hops[1].header.Get(secret); v != "" {
				t.Errorf("%s: the second host got %s %q", path, secret, v)
			}
		}
		if hops[1].header.Get("Accept") != "application/json" {
			t.Errorf("%s: the second host got no Accept", path)
		}
	}
	_, err = call(t, "POST", "/away", strings.NewReader("document"))
	wantRefused(t, err, "redirects a document to another host")
}

func TestDowngradeIsRefused(t *testing.T) {
	var hits atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer plain.Close()
	srv := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer srv.Close()
	c := client(t, Guard{AllowPrivate: true, AllowHTTP: true})
	c.Transport.(*guarded).next.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	_, err := get(t, c, srv.URL)
	wantRefused(t, err, "from https to http")
	if hits.Load() != 0 {
		t.Error("the plain server was reached")
	}
}

func TestUntrustedCertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Config.ErrorLog = nil
	defer srv.Close()
	_, err := get(t, client(t, Guard{AllowPrivate: true}), srv.URL)
	if err == nil || ClassOf(err) != ClassRetry || !strings.Contains(err.Error(), "not trusted") {
		t.Errorf("got %v (%v)", err, ClassOf(err))
	}
}

func TestProxySettingsAreIgnored(t *testing.T) {
	if NewClient(Guard{}).Transport.(*guarded).next.Proxy != nil {
		t.Error("the transport has a proxy")
	}
}

func TestBodyIsBounded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, strings.Repeat("x", 1000))
	}))
	defer srv.Close()
	for limit, ok := range map[int64]bool{999: false, 1000: true, 1001: true, 1: false} {
		body, err := get(t, client(t, Guard{AllowPrivate: true, MaxBody: limit}), srv.URL)
		if ok != (err == nil) || int64(len(body)) != min(limit, 1000) || (!ok && !errors.Is(err, ErrBodyTooLarge)) {
			t.Errorf("limit %d: %d bytes, %v", limit, len(body), err)
		}
	}
}

func TestClassesOfFailure(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang/s3cret":
			arrived <- struct{}{}
			<-release
		case "/drop/s3cret":
			panic(http.ErrAbortHandler)
		}
	}))
	defer srv.Close()
	defer close(release)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()

	g := Guard{AllowPrivate: true, Timeout: 300 * time.Millisecond}
	check := func(name, url string, g Guard, want Class, says string) {
		t.Helper()
		_, err := get(t, client(t, g), url)
		if err == nil || ClassOf(err) != want || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v (%v), want %v and %q", name, err, ClassOf(err), want, says)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the path: %v", name, err)
		}
	}
	check("hangs", srv.URL+"/hang/s3cret?key=s3cret", g, ClassUnknown, "did not answer in time")
	<-arrived
	check("drops", srv.URL+"/drop/s3cret", Guard{AllowPrivate: true}, ClassUnknown, "closed without an answer")
	check("dead", "http://"+dead.Addr().String()+"/s3cret", g, ClassRetry, "connection refused")
	check("no such name", "https://nowhere.example/s3cret", Guard{Resolver: names(t, "")}, ClassRetry, "nowhere.example")

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/hang/s3cret", http.NoBody)
	if resp, err := Do(client(t, Guard{AllowPrivate: true}), r); err == nil || ClassOf(err) != ClassUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", resp, err)
	}
	cancel()
	r, _ = http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, http.NoBody)
	if resp, err := Do(client(t, Guard{AllowPrivate: true}), r); err == nil || ClassOf(err) != ClassRetry {
		t.Errorf("cancelled before: %v, %v", resp, err)
	}
}

func TestCheckURL(t *testing.T) {
	g := Guard{AllowHosts: []string{"warehouse.example:8080", "[fd00::7]:80"}}
	for url, ok := range map[string]bool{
		"https://example.com/x":         true,
		"https://example.com:8443":      true,
		"http://example.com":            false,
		"http://warehouse.example:8080": true,
		"http://warehouse.example":      false,
		"http://[fd00::7]/":             true,
		"http://[fd00::8]/":             false,
		"https://192.168.1.1":           false,
		"https://":                      false,
		"example.com":                   false,
		"https://a b":                   false,
		"":                              false,
		"https://u@example.com":         false,
	} {
		if err := g.CheckURL(url); ok != (err == nil) || (err != nil && ClassOf(err) != ClassPermanent) {
			t.Errorf("CheckURL(%q) = %v", url, err)
		}
	}
	if err := (Guard{}).CheckURL("https://exa mple.com/s3cret"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("CheckURL shows the address: %v", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://example.com", "http://[::1]:80", "https://user:pw@h", "https://127.0.0.1", "//x", "https://[fe80::1%25eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if (Guard{}).CheckURL(s) == nil && !strings.HasPrefix(strings.ToLower(s), "https:") {
			t.Fatalf("%q passes without https", s)
		}
	})
}
