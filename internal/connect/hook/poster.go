package hook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/connect"
)

// Settings of one outgoing webhook connection.
type Settings struct {
	URL     string           // https address of the receiver; it may hold a key and is never logged
	Secrets []connect.Secret // one, or two while rotating (the newer first)
	Guard   connect.Guard    // what the connection may reach
}

// Poster delivers signed documents to one address. It implements connect.Hook.
type Poster struct {
	url    string
	host   string
	signer *Signer
	client *http.Client
	guard  connect.Guard
	now    func() time.Time
}

var (
	_ connect.Hook      = (*Poster)(nil)
	_ connect.Certified = (*Poster)(nil)
)

// New returns a poster for the settings, which it checks (fault.Invalid or a permanent connect.Error).
func New(s Settings) (*Poster, error) {
	if err := s.Guard.CheckURL(s.URL); err != nil {
		return nil, err
	}
	signer, err := NewSigner(s.Secrets...)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, connect.Fail(connect.ClassPermanent, nil, "the address is not a URL")
	}
	client := connect.NewClient(s.Guard)
	// A signed document goes to the address that was set, and to no other.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Poster{url: s.URL, host: u.Hostname(), signer: signer, client: client, guard: s.Guard, now: time.Now}, nil
}

// Close gives idle connections back. Calls under way end on their own.
func (p *Poster) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Certificate implements connect.Certified.
func (p *Poster) Certificate(ctx context.Context) (*x509.Certificate, error) {
	return p.guard.Certificate(ctx, p.url)
}

// Post implements connect.Hook: a POST of application/json with the three headers
// of Standard Webhooks. The receipt's text is the status line.
func (p *Poster) Post(ctx context.Context, d connect.Delivery) (connect.Receipt, error) {
	if d.ID == "" || len(d.ID) > maxID || !printable(d.ID) || strings.Contains(d.ID, ".") {
		return connect.Receipt{}, connect.Fail(connect.ClassPermanent, nil, "the id of the document cannot be sent as a header")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(d.Body))
	if err != nil {
		return connect.Receipt{}, connect.Fail(connect.ClassPermanent, nil, "the address of %s cannot be called", p.host)
	}
	// The time is that of the attempt: a repeated one must not look too old to the receiver.
	timestamp, signature := p.signer.Sign(d.ID, p.now(), d.Body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Orderly")
	r.Header.Set(HeaderID, d.ID)
	r.Header.Set(HeaderTimestamp, timestamp)
	r.Header.Set(HeaderSignature, signature)
	resp, err := connect.Do(p.client, r)
	if err != nil {
		return connect.Receipt{}, err
	}
	defer resp.Body.Close()
	if d.Answer {
		return p.answer(d, resp)
	}
	// Read what little there is, so that the connection can be used again. The answer is decided by its status.
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return connect.Receipt{Reference: d.ID, Text: statusText(resp.StatusCode)}, nil
	}
	return connect.Receipt{}, p.refused(resp)
}

// answer reads what the receiver says. One that says more than is read is no answer.
func (p *Poster) answer(d connect.Delivery, resp *http.Response) (connect.Receipt, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, connect.MaxAnswer+1))
	if err != nil {
		return connect.Receipt{}, connect.Fail(connect.ClassRetry, err, "the answer of %s broke off", p.host)
	}
	code := resp.StatusCode
	if code < 200 || code >= 300 {
		var e *connect.Error
		if err := p.refused(resp); code < 400 || code >= 500 || code == http.StatusUnauthorized || code == http.StatusForbidden ||
			!errors.As(err, &e) || e.Class != connect.ClassPermanent {
			return connect.Receipt{}, err
		}
	}
	if len(body) > connect.MaxAnswer {
		return connect.Receipt{}, connect.Fail(connect.ClassPermanent, nil, "the answer of %s is larger than %d bytes", p.host, connect.MaxAnswer)
	}
	return connect.Receipt{Reference: d.ID, Text: statusText(code), Status: code, Body: body}, nil
}

// refused classes an answer that is not of class 2xx.
func (p *Poster) refused(resp *http.Response) error {
	code := resp.StatusCode
	e := connect.Fail(connect.ClassPermanent, nil, "%s answered %s", p.host, statusText(code))
	e.Code = code
	switch {
	case code >= 300 && code < 400:
		e.Message += ": documents are not sent after redirects; set the new address"
	case code == http.StatusGone:
		e.Message += ": it wants no more of these documents"
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Message += ": does it know the signing secret?"
	case code == http.StatusNotImplemented || code == http.StatusHTTPVersionNotSupported:
		// Class 5xx, but no later attempt is any different.
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusConflict,
		code == http.StatusLocked, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		e.Class = connect.ClassRetry
		e.After = retryAfter(resp.Header.Get("Retry-After"), p.now())
	}
	return e
}

// statusText is a status line from the number alone: what the receiver writes beside it could be anything.
func statusText(code int) string {
	if text := http.StatusText(code); text != "" {
		return strconv.Itoa(code) + " " + text
	}
	return strconv.Itoa(code)
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3): seconds or a date. 0 = nothing usable.
func retryAfter(v string, now time.Time) time.Duration {
	n, err := strconv.Atoi(v)
	switch {
	case err == nil && n > 0 && n <= 365*24*3600:
		return time.Duration(n) * time.Second
	case err == nil:
		return 0
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
