package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// ErrBodyTooLarge is the error of reading an answer beyond Guard.MaxBody.
var ErrBodyTooLarge = errors.New("the answer is larger than the connection takes")

// NewClient returns an HTTP client that keeps to the guard on every call and every
// redirect (at most three, never from https to http, and what stands in the
// headers goes to another host only where it is harmless). It reads no proxy
// setting, keeps no cookies and bounds time, header and body. Close idle
// connections with CloseIdleConnections when the client is no longer needed.
func NewClient(g Guard) *http.Client {
	t := &http.Transport{
		Proxy:                  nil, // a proxy from the environment would dial for us, unguarded
		DialContext:            g.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    min(g.timeout(), 10*time.Second),
		ResponseHeaderTimeout:  g.timeout(),
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        60 * time.Second,
	}
	return &http.Client{
		Transport:     &guarded{guard: g, next: t},
		CheckRedirect: g.checkRedirect,
		Timeout:       g.timeout(),
	}
}

// guarded checks the address of every request, redirected ones included, and bounds the answer.
type guarded struct {
	guard Guard
	next  *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (t *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.checkURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of RoundTripper; nothing was read
		}
		return nil, &refusal{err.Error()}
	}
	if r.URL.Scheme == "http" {
		r = r.WithContext(context.WithValue(r.Context(), plainKey{}, true))
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{r: resp.Body, left: t.guard.maxBody()}
	return resp, nil
}

// CloseIdleConnections is found by http.Client.CloseIdleConnections.
func (t *guarded) CloseIdleConnections() { t.next.CloseIdleConnections() }

// harmless are the headers that may follow a redirect to another origin.
var harmless = map[string]bool{"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Content-Type": true, "User-Agent": true}

func (g Guard) checkRedirect(r *http.Request, via []*http.Request) error {
	first, last := via[0].URL, via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return &refusal{first.Hostname() + " redirects more than " + strconv.Itoa(maxRedirects) + " times"}
	case last.Scheme == "https" && r.URL.Scheme != "https":
		return &refusal{last.Hostname() + " redirects from https to " + r.URL.Scheme}
	}
	if r.URL.Scheme != first.Scheme || canonicalHost(r.URL.Hostname()) != canonicalHost(first.Hostname()) || port(r.URL) != port(first) {
		for name := range r.Header {
			if !harmless[name] {
				delete(r.Header, name)
			}
		}
		if r.Body != nil && r.Body != http.NoBody {
			return &refusal{first.Hostname() + " redirects a document to another host; set that address if it is meant"}
		}
	}
	return nil
}

// bounded is a body that errors beyond its limit instead of ending: a cut answer must not pass for a whole one.
type bounded struct {
	r    io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrBodyTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, ErrBodyTooLarge
	}
	return n, err
}

func (b *bounded) Close() error { return b.r.Close() }

// Do makes one call and classes what goes wrong: a refusal of the guard is permanent,
// a call that was written whole without an answer is unknown, all else may be
// retried. The messages name the host only: a path may hold a key.
func Do(client *http.Client, r *http.Request) (*http.Response, error) {
	var written atomic.Bool
	trace := &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			written.Store(true)
		}
	}}
	resp, err := client.Do(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	if err == nil {
		return resp, nil
	}
	return nil, callError(r, err, written.Load())
}

func callError(r *http.Request, err error, written bool) error {
	host := r.URL.Hostname()
	if reason, ok := Refused(err); ok {
		return Fail(ClassPermanent, err, "not called: %s", reason)
	}
	// The outer layer of the error shows the whole address.
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	if written {
		switch {
		case r.Context().Err() != nil && errors.Is(r.Context().Err(), context.Canceled):
			return Fail(ClassUnknown, err, "stopped while %s had the request and had not answered", host)
		case isTimeout(err):
			return Fail(ClassUnknown, err, "%s took the request and did not answer in time", host)
		}
		return Fail(ClassUnknown, err, "%s took the request and closed without an answer", host)
	}
	if de, ok := errors.AsType[*net.DNSError](err); ok {
		if de.IsNotFound {
			return Fail(ClassRetry, err, "there is no address for the name %s", host)
		}
		return Fail(ClassRetry, err, "the name %s could not be looked up", host)
	}
	if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Fail(ClassRetry, err, "the certificate of %s is not trusted: %v", host, ce.Err)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Fail(ClassRetry, err, "stopped before %s had the request", host)
	case isTimeout(err):
		return Fail(ClassRetry, err, "%s could not be reached in time", host)
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok {
		return Fail(ClassRetry, err, "%s could not be reached: %v", host, oe.Err)
	}
	return Fail(ClassRetry, err, "the call to %s failed before it had the request", host)
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}
