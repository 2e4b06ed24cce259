package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pairOf is a certificate with a serial number and its key, in PEM.
func pairOf(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "shop.example"}, NotAfter: time.Now().AddDate(0, 3, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// TestARenewedCertificateIsShown: a server that runs shows the certificate that was put in the place of its old one, and goes
// on with the old one while the new files cannot be used.
func TestARenewedCertificateIsShown(t *testing.T) {
	dir, log := t.TempDir(), &logBuffer{}
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(name string, b []byte) { // as those who renew certificates do: whole files, renamed into their place
		t.Helper()
		if err := os.WriteFile(name+".new", b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := pairOf(t, 1)
	put(certFile, cert)
	if _, err := NewCertificate(certFile, keyFile, slog.Default()); err == nil {
		t.Fatal("a certificate without a key was taken")
	}
	put(keyFile, key)
	logger := slog.New(slog.NewTextHandler(log, nil))
	c, err := NewCertificate(certFile, keyFile, logger)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Handler: http.NotFoundHandler(), Log: logger, Certificate: c, DrainTimeout: 5 * time.Second})
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	shows := func(want int64) {
		t.Helper()
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // which one it is, is what is asked
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != want {
			t.Errorf("it shows the certificate %d, want %d; %s", got, want, log.String())
		}
		if got := c.Leaf().SerialNumber.Int64(); got != want {
			t.Errorf("it says that it shows %d, want %d", got, want)
		}
	}
	shows(1)
	cert, key = pairOf(t, 2)
	put(certFile, cert) // its key is not there yet
	shows(1)
	shows(1)
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
	put(keyFile, key)
	shows(2)
	put(certFile, []byte("half of a"))
	shows(2)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	shows(2)
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
