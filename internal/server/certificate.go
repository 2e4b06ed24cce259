package server

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"sync"
)

// Certificate is the pair of files that a server answers https with. Whoever renews certificates replaces the files: they
// are looked at in every handshake and read again when they are others, so nobody has to start the server anew.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	seen [2]os.FileInfo // as they were when they were last tried
}

// NewCertificate reads the two files, which hold PEM.
func NewCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	seen, err := c.look()
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	c.pair, c.seen = &pair, seen
	return c, nil
}

// Leaf is the certificate that is shown now.
func (c *Certificate) Leaf() *x509.Certificate { return c.current().Leaf }

func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }

// current reads the files again when they are others than before. Two that cannot be used, such as a new certificate
// whose key is not there yet, leave the old pair in use until one of them changes.
func (c *Certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, err := c.look() // before they are read: what changes meanwhile is seen the next time
	if err != nil || same(seen[0], c.seen[0]) && same(seen[1], c.seen[1]) {
		return c.pair // a file that is away for a moment is being replaced
	}
	c.seen = seen
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		c.log.Warn("tls_cert and tls_key have changed and cannot be used; the certificate from before is shown", "err", err)
		return c.pair
	}
	c.log.Info("a new certificate is shown", "not_after", pair.Leaf.NotAfter)
	c.pair = &pair
	return c.pair
}

func (c *Certificate) look() (out [2]os.FileInfo, err error) {
	for i, name := range []string{c.cert, c.key} {
		if out[i], err = os.Stat(name); err != nil {
			return out, err
		}
	}
	return out, nil
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
