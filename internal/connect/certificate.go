package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
)

// Certificate connects to an https address under the guard and returns the certificate that its host shows, as
// [Certified] says. Nothing is asked of the host: the connection ends after the handshake.
func (g Guard) Certificate(ctx context.Context, address string) (*x509.Certificate, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, Fail(ClassPermanent, nil, "the address is not a URL")
	}
	if err := g.checkURL(u); err != nil || u.Scheme != "https" {
		return nil, err
	}
	host := u.Hostname()
	ctx, cancel := context.WithTimeout(ctx, g.timeout())
	defer cancel()
	conn, err := g.DialContext(ctx, "tcp", net.JoinHostPort(host, port(u)))
	if err != nil {
		if reason, ok := Refused(err); ok {
			return nil, Fail(ClassPermanent, err, "not called: %s", reason)
		}
		return nil, Fail(ClassRetry, err, "%s could not be reached", host)
	}
	defer conn.Close()
	return handshake(ctx, conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
}

func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (*x509.Certificate, error) {
	c := tls.Client(conn, config)
	if err := c.HandshakeContext(ctx); err != nil {
		if cert, why := Untrusted(err); cert != nil {
			return cert, Fail(ClassRetry, err, "the certificate of %s is not trusted: %v", config.ServerName, why)
		}
		return nil, Fail(ClassRetry, err, "%s does not speak TLS", config.ServerName)
	}
	return c.ConnectionState().PeerCertificates[0], nil
}

// Untrusted returns the certificate that a failed handshake did not trust and why, or nil.
func Untrusted(err error) (cert *x509.Certificate, why error) {
	ce, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(ce.UnverifiedCertificates) == 0 {
		return nil, nil
	}
	return ce.UnverifiedCertificates[0], ce.Err
}
