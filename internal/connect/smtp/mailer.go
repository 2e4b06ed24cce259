package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"

	"orderly.example/orderly/internal/connect"
)

// Mailer sends through one mail server and keeps a few connections open between
// messages, so that a batch signs in once. It implements connect.Mailer.
type Mailer struct {
	set     Settings
	from    sender
	replyTo sender
	slots   chan struct{} // one token per connection that may be in use

	mu     sync.Mutex
	idle   []*session // the last used at the end
	closed bool
}

var (
	_ connect.Mailer    = (*Mailer)(nil)
	_ connect.Certified = (*Mailer)(nil)
)

// session is one open connection.
type session struct {
	mail  *gomail.Client
	smtp  *gosmtp.Client
	conn  *timedConn
	sent  int
	timer *time.Timer // closes it when it is idle for too long
}

// timedConn refuses to write after its time, by the clock and not by a timer: a process that was
// paused must not end a message that another one has sent meanwhile.
type timedConn struct {
	net.Conn
	end atomic.Pointer[time.Time]
}

func (c *timedConn) until(t time.Time) { c.end.Store(&t) }

// Write implements net.Conn.
func (c *timedConn) Write(b []byte) (int, error) {
	if end := c.end.Load(); end != nil && !time.Now().Before(*end) {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Write(b)
}

// New checks the settings (fault.Invalid with a problem per field) and returns a mailer. It does not connect yet.
func New(s Settings) (*Mailer, error) {
	from, replyTo, err := s.fill()
	if err != nil {
		return nil, err
	}
	return &Mailer{set: s, from: from, replyTo: replyTo, slots: make(chan struct{}, s.MaxConnections)}, nil
}

// MessageID is the Message-ID header, with its brackets, of the mail for an effect.
func (m *Mailer) MessageID(effectID string) string { return "<" + effectID + "@" + m.from.domain + ">" }

// Close ends the idle connections and refuses further messages. One that is being sent ends on its own.
func (m *Mailer) Close() error {
	m.mu.Lock()
	idle := m.idle
	m.idle, m.closed = nil, true
	m.mu.Unlock()
	for _, s := range idle {
		s.timer.Stop()
		m.end(s)
	}
	return nil
}

// Check connects, signs in and says goodbye: whether a connection works, without a message.
func (m *Mailer) Check(ctx context.Context) error {
	s, err := m.dial(ctx)
	if err != nil {
		return err
	}
	m.end(s)
	return nil
}

// Certificate implements connect.Certified. It signs in, as a message would.
func (m *Mailer) Certificate(ctx context.Context) (*x509.Certificate, error) {
	if m.set.TLS == None {
		return nil, nil
	}
	s, err := m.dial(ctx)
	if err != nil {
		cert, _ := connect.Untrusted(err)
		return cert, err
	}
	defer m.end(s)
	state, ok := s.smtp.TLSConnectionState()
	if !ok {
		return nil, connect.Fail(connect.ClassRetry, nil, "%s encrypts nothing", m.set.Host)
	}
	return state.PeerCertificates[0], nil
}

// Send implements connect.Mailer. The receipt's reference is the Message-ID.
func (m *Mailer) Send(ctx context.Context, msg connect.Message) (connect.Receipt, error) {
	mail, err := m.compose(msg)
	if err != nil {
		return connect.Receipt{}, err
	}
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return connect.Receipt{}, connect.Fail(connect.ClassRetry, ctx.Err(), "stopped while waiting for a connection to %s", m.set.Host)
	}
	defer func() { <-m.slots }()

	for {
		s, fresh, err := m.take(ctx)
		if err != nil {
			return connect.Receipt{}, err
		}
		if late(ctx) {
			m.keep(s)
			return connect.Receipt{}, connect.Fail(connect.ClassRetry, ctx.Err(), "stopped before the message was handed to %s", m.set.Host)
		}
		reply, failure, stale := m.send(ctx, s, mail, msg.To)
		if failure == nil {
			m.keep(s)
			return connect.Receipt{Reference: m.MessageID(msg.ID), Text: reply}, nil
		}
		if failure.Code != 0 && failure.Code != 421 {
			m.keep(s) // the server answered: it is the message it did not want
		} else {
			m.drop(s)
		}
		if stale && !fresh && ctx.Err() == nil {
			continue // a kept connection that the server had closed: nothing was handed over
		}
		return connect.Receipt{}, failure
	}
}

// late reports whether ctx is over. The clock is asked as well: after a pause of
// the whole process its timers are still to fire.
func late(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(d)
}

// take returns a kept connection or a fresh one.
func (m *Mailer) take(ctx context.Context) (s *session, fresh bool, err error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil, false, connect.Fail(connect.ClassRetry, nil, "the mail connection is closed")
	}
	for len(m.idle) > 0 {
		s := m.idle[len(m.idle)-1]
		m.idle = m.idle[:len(m.idle)-1]
		if s.timer.Stop() {
			m.mu.Unlock()
			return s, false, nil
		}
		// Its timer is about to close it.
	}
	m.mu.Unlock()
	s, err = m.dial(ctx)
	return s, true, err
}

// keep puts a connection back for the next message.
func (m *Mailer) keep(s *session) {
	s.sent++
	m.mu.Lock()
	if m.closed || s.sent >= m.set.MaxMessages {
		m.mu.Unlock()
		m.end(s)
		return
	}
	s.timer = time.AfterFunc(m.set.IdleTimeout, func() { m.expire(s) })
	m.idle = append(m.idle, s)
	m.mu.Unlock()
}

func (m *Mailer) expire(s *session) {
	m.mu.Lock()
	for i, other := range m.idle {
		if other == s {
			m.idle = append(m.idle[:i], m.idle[i+1:]...)
			break
		}
	}
	m.mu.Unlock()
	m.end(s)
}

// end says goodbye and closes; nobody waits for a server that does not answer.
func (m *Mailer) end(s *session) {
	until := time.Now().Add(2 * time.Second)
	s.conn.until(until)
	_ = s.conn.SetDeadline(until) // a closed connection fails here, and is closed
	_ = s.smtp.Quit()
	_ = s.conn.Close()
}

func (m *Mailer) drop(s *session) { _ = s.conn.Close() }

// dial connects, encrypts and signs in.
func (m *Mailer) dial(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, m.set.Timeout)
	defer cancel()
	tlsConfig := &tls.Config{ServerName: m.set.Host, MinVersion: tls.VersionTLS12, RootCAs: m.set.RootCAs}
	plain, err := m.set.Dial(ctx, "tcp", net.JoinHostPort(m.set.Host, strconv.Itoa(m.set.Port)))
	if err != nil {
		return nil, m.dialFailure(ctx, err)
	}
	conn := &timedConn{Conn: plain}
	// go-mail watches no context after dialling and keeps the connection when it fails: both are ours.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	s, err := m.open(ctx, conn, tlsConfig)
	if err != nil {
		_ = conn.Close()
		return nil, m.dialFailure(ctx, err)
	}
	if !stop() {
		return nil, m.dialFailure(ctx, ctx.Err())
	}
	return s, nil
}

func (m *Mailer) open(ctx context.Context, timed *timedConn, tlsConfig *tls.Config) (*session, error) {
	var conn net.Conn = timed
	if m.set.TLS == TLS {
		c := tls.Client(conn, tlsConfig)
		if err := c.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = c
	}
	policy := gomail.NoTLS
	if m.set.TLS == StartTLS {
		policy = gomail.TLSMandatory
	}
	options := []gomail.Option{
		gomail.WithTimeout(m.set.Timeout),
		gomail.WithTLSConfig(tlsConfig),
		gomail.WithTLSPolicy(policy),
		gomail.WithoutNoop(), // a dead connection shows at MAIL FROM, for one round trip less per message
		gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(context.Context, string, string) (net.Conn, error) { return conn, nil }),
	}
	if m.set.User != "" {
		options = append(options, gomail.WithUsername(m.set.User), gomail.WithPassword(m.set.Password.Reveal()),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	client, err := gomail.NewClient(m.set.Host, options...)
	if err != nil {
		return nil, err
	}
	sc, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, err
	}
	return &session{mail: client, smtp: sc, conn: timed}, nil
}

// send hands one message over and returns the server's last reply, or what went
// wrong. From here on only its own time-out ends it.
func (m *Mailer) send(ctx context.Context, s *session, mail *gomail.Msg, to string) (reply string, failure *connect.Error, stale bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.set.Timeout)
	defer cancel()
	s.conn.until(time.Now().Add(m.set.Timeout))
	stop := context.AfterFunc(ctx, func() { _ = s.conn.Close() })
	err := s.mail.SendWithSMTPClient(s.smtp, mail)
	switch {
	case err != nil:
		stop()
		failure, stale = m.failure(ctx, err, to)
		return "", failure, stale
	case !stop():
		s.sent = m.set.MaxMessages // taken, but the connection is being closed under us: not to be kept
	}
	return m.clean(mail.ServerResponse(), to), nil, false
}
