package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/server"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// certificateUntil makes a certificate for this machine that ends at a time; pool trusts it.
func certificateUntil(t *testing.T, until time.Time) (pair tls.Certificate, file, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wms.example"}, Issuer: pkix.Name{CommonName: "wms.example"},
		NotBefore: until.AddDate(0, -3, 0), NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.LoadX509KeyPair(file, key); err != nil {
		t.Fatal(err)
	}
	return pair, file, key
}

// TestCertificatesAreWatched: the certificates that the connections are shown, and the server's own, are incidents before they end, and when they
// are not trusted; one that cannot be asked for is known as it was.
func TestCertificatesAreWatched(t *testing.T) {
	old, _, _ := certificateUntil(t, time.Now().Add(-time.Hour))
	soon, soonFile, soonKey := certificateUntil(t, time.Now().Add(5*24*time.Hour))
	wms := httptest.NewUnstartedServer(http.NotFoundHandler())
	wms.TLS = &tls.Config{Certificates: []tls.Certificate{old}}
	wms.Config.ErrorLog = log.New(io.Discard, "", 0)
	wms.StartTLS()
	defer wms.Close()
	mail, err := fake.StartSMTP(t.Context(), fake.SMTPOptions{TLS: &tls.Config{Certificates: []tls.Certificate{soon}}})
	if err != nil {
		t.Fatal(err)
	}
	defer mail.Close()
	host, port := mail.HostPort()
	clear := httptest.NewServer(http.NotFoundHandler())
	defer clear.Close()

	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), store.Options{Keyring: key})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &shop{db: db, keys: key}
	ps := newPorts(db, key, time.Now)
	defer ps.close()
	set := func(name, kind string, url string, c connectionConfig) {
		t.Helper()
		_, _, err := s.setConnection(t.Context(), connectionChange{name: name, kind: kind, url: url, config: func(_ string, to *connectionConfig) error { *to = c; return nil }})
		if err != nil {
			t.Fatal(err)
		}
	}
	set("wms", kindWebhook, wms.URL, connectionConfig{AllowPrivate: true})
	set("mail", kindSMTP, "", connectionConfig{Host: host, Port: port, TLS: "starttls", From: "a@shop.example"})
	set("plain", kindHeartbeat, clear.URL, connectionConfig{AllowPrivate: true})
	set("in", kindInbound, "", connectionConfig{})
	if s.own, err = server.NewCertificate(soonFile, soonKey, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}

	state := s.certificates(ps)
	found, err := state.Probe(t.Context(), watch.Ask{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	look := func(known any, now time.Time) map[string]watch.Breach {
		t.Helper()
		out := map[string]watch.Breach{}
		err := s.db.View(t.Context(), func(tx *store.Tx) error {
			doc, err := json.Marshal(known)
			if err != nil {
				return err
			}
			bs, err := state.Look(tx, watch.Ask{Now: now, Answer: doc})
			for _, b := range bs {
				out[b.Subject] = b
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := look(found, time.Now())
	for subject, title := range map[string]string{
		"certificates:wms": "The certificate of wms has ended", "certificates:mail": "The certificate of mail is not trusted",
		"certificates:this-server": "The certificate of this server ends on " + soon.Leaf.NotAfter.UTC().Format(time.DateOnly),
	} {
		if b := got[subject]; b.Title != title || b.Next == "" || b.Detail == "" || !strings.Contains(strings.Join(b.Evidence, "\n"), "not after 20") {
			t.Errorf("%s: %+v", subject, b)
		}
	}
	if len(got) != 3 {
		t.Errorf("%+v", got)
	}
	fine := []certificate{{Of: "wms", Until: time.Now().AddDate(0, 2, 0)}, {Of: "gone", Until: time.Now()}}
	if got := look(fine, time.Now()); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := look(fine, time.Now().AddDate(0, 1, 20)); got["certificates:wms"].Title == "" {
		t.Errorf("a certificate that ends soon is not told: %+v", got)
	}
	wms.Close()
	again, err := ps.certificates(t.Context(), found.([]certificate))
	if err != nil || len(again) != 2 {
		t.Errorf("nobody answers: %+v %v", again, err)
	}
}

// TestOwnCertificateIsTold: a server whose certificate ends soon says so itself.
func TestOwnCertificateIsTold(t *testing.T) {
	_, file, key := certificateUntil(t, time.Now().Add(5*24*time.Hour))
	dir, out := t.TempDir(), newOutput()
	ctx, end := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- Main(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", dir, "--tls-cert", file, "--tls-key", key}, strings.NewReader(""), out, newOutput(), nil)
	}()
	defer func() { end(); <-code }()
	out.wait(t, `(https://127\.0\.0\.1:\d+)`)
	for limit := time.Now().Add(20 * time.Second); ; <-time.Tick(50 * time.Millisecond) {
		var told bytes.Buffer
		got := Main(t.Context(), []string{"watch", "--data-dir", dir}, strings.NewReader(""), &told, newOutput(), nil)
		if got == exitOffender && regexp.MustCompile(`silent +Certificates are renewed`).MatchString(told.String()) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d: %s", got, told.String())
		}
	}
}

// TestTheGuideShowsTheCode: the example of docs/watch.md is the one that runs.
func TestTheGuideShowsTheCode(t *testing.T) {
	guide, err := os.ReadFile("../../docs/watch.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "```go\n")
	example, _, _ := strings.Cut(rest, "\n```")
	code, err := os.ReadFile("connect.go")
	if err != nil {
		t.Fatal(err)
	}
	if example == "" || !strings.Contains(strings.ReplaceAll(string(code), "\t", "    "), example) {
		t.Error("the example of docs/watch.md does not stand in connect.go as it is")
	}
}
