package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Guard says what an outgoing connection may reach. The zero value reaches public
// addresses over https only. It is a setting of one connection: what one may
// reach, no other may.
type Guard struct {
	// AllowPrivate lets the connection reach this machine and private networks
	// (loopback, RFC 1918, carrier-grade 100.64/10, unique local IPv6), there also
	// without TLS. Link-local addresses, where clouds hand out credentials, and
	// addresses that are no destination stay refused.
	AllowPrivate bool
	// AllowHosts does the same for single names, written "host" or "host:port".
	AllowHosts []string
	// AllowHTTP permits plain http to public addresses. A signature protects the
	// body from change, nothing protects it from being read.
	AllowHTTP bool
	// Timeout bounds a whole call, from dialling to the last byte of the answer; 0 = 15 s.
	Timeout time.Duration
	// MaxBody bounds an answer's body in bytes after decompression; 0 = 1 MiB.
	MaxBody int64
	// Resolver looks names up; nil = the system's.
	Resolver *net.Resolver
}

// Defaults of a Guard.
const (
	DefaultTimeout = 15 * time.Second
	DefaultMaxBody = 1 << 20
)

// maxRedirects is how many redirects of one call are followed.
const maxRedirects = 3

func (g Guard) timeout() time.Duration {
	if g.Timeout > 0 {
		return g.Timeout
	}
	return DefaultTimeout
}

func (g Guard) maxBody() int64 {
	if g.MaxBody > 0 {
		return g.MaxBody
	}
	return DefaultMaxBody
}

// CheckURL reports whether an address can be called under the guard, as far as
// that is known without looking its name up: scheme, host, no user and password in
// it, no literal address of a refused range. Run it when a setting is saved; every
// call checks again, after the look-up.
func (g Guard) CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return Fail(ClassPermanent, nil, "the address is not a URL") // url.Error shows the address, which may hold a key
	}
	return g.checkURL(u)
}

func (g Guard) checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return Fail(ClassPermanent, nil, "the address must begin with https://")
	case host == "":
		return Fail(ClassPermanent, nil, "the address has no host")
	case u.User != nil:
		return Fail(ClassPermanent, nil, "the address of %s holds a user name or password; it would stand in logs", host)
	}
	private := g.AllowPrivate || g.allows(host, port(u))
	if u.Scheme == "http" && !g.AllowHTTP && !private {
		return Fail(ClassPermanent, nil, "%s must be called over https, or the connection must allow http", host)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if err := judge(ip, private); err != nil {
			return Fail(ClassPermanent, nil, "%s is %s", host, err)
		}
	}
	return nil
}

// allows reports whether the host stands in AllowHosts.
func (g Guard) allows(host, port string) bool {
	host = canonicalHost(host)
	for _, h := range g.AllowHosts {
		name, p, err := net.SplitHostPort(h)
		if err != nil {
			name, p = strings.Trim(h, "[]"), ""
		}
		if canonicalHost(name) == host && (p == "" || p == port) {
			return true
		}
	}
	return false
}

// canonicalHost drops what does not change the name: case and the root's full stop.
func canonicalHost(h string) string { return strings.ToLower(strings.TrimSuffix(h, ".")) }

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	default:
		return "443"
	}
}

// plainKey marks the context of a call over plain http: the dialer then refuses
// public addresses unless the guard allows http.
type plainKey struct{}

// refusal is the guard's no. It travels through net and net/http as a cause.
type refusal struct{ reason string }

func (r *refusal) Error() string { return r.reason }

// DialContext connects under the guard. The check is made on the address that
// is about to be dialled, after the look-up and for each candidate, so a name that
// answers differently the second time (DNS rebinding) gains nothing.
func (g Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &refusal{"the address has no port"}
	}
	private := g.AllowPrivate || g.allows(host, p)
	plain := ctx.Value(plainKey{}) != nil && !g.AllowHTTP
	d := net.Dialer{
		Timeout:   g.timeout(),
		KeepAlive: 30 * time.Second,
		Resolver:  g.Resolver,
		ControlContext: func(_ context.Context, network, real string, _ syscall.RawConn) error {
			switch network {
			case "tcp", "tcp4", "tcp6":
			default:
				return &refusal{"only TCP is dialled"}
			}
			ap, err := netip.ParseAddrPort(real)
			if err != nil {
				return &refusal{"the name led to something that is no address"}
			}
			if err := judge(ap.Addr(), private); err != nil {
				return &refusal{fmt.Sprintf("%s leads to %s, %s", host, ap.Addr(), err)}
			}
			if plain && rangeOf(ap.Addr()).class == public {
				return &refusal{host + " is a public address and must be called over https"}
			}
			return nil
		},
	}
	return d.DialContext(ctx, network, address)
}

// Refused returns the guard's reason when err comes from it.
func Refused(err error) (string, bool) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.reason, true
	}
	return "", false
}
