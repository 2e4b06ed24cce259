// Package fake is the outside world for tests, the crash test and the sample shop: a mail
// server that records what it took and a webhook receiver that acts once per
// id. Both can be told to fail in the ways the real ones do.
package fake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// Mail is one message the server took.
type Mail struct {
	ID      string // Message-ID without its brackets
	From    string // envelope
	To      []string
	Subject string // decoded
	Text    string
	HTML    string
	Header  map[string][]string
	Raw     []byte
	At      time.Time
	// Session numbers the connection it came through, from 1.
	Session int
	// Answered is false when the server took the message and then dropped the connection or hung.
	Answered bool
}

// MailFault is how the server fails one message.
type MailFault struct {
	// Code refuses: 421, 450, 550 … With AtRecipient at RCPT TO, else after the message.
	Code        int
	AtRecipient bool
	// Hang gives no answer to the message until the client leaves or the server closes.
	Hang bool
	// Drop closes the connection instead of answering the message; Take says
	// whether the server took it first.
	Drop bool
	Take bool
	// Hold takes the message and answers that all is well when it is closed: a slow server.
	Hold <-chan struct{}
}

// SMTPOptions of a mail server.
type SMTPOptions struct {
	Addr     string      // host:port; "" = a free port of 127.0.0.1
	TLS      *tls.Config // offers STARTTLS; with Implicit encrypts from the first byte
	Implicit bool
	User     string // asks for AUTH PLAIN with these
	Password string
	Keep     int // messages kept; the oldest go first; 0 = all
}

// SMTP is a mail server.
type SMTP struct {
	opts   SMTPOptions
	ln     net.Listener
	srv    *gosmtp.Server
	done   chan struct{} // closed by Close: ends what hangs
	served chan struct{}
	stop   func() bool
	once   sync.Once

	mu       sync.Mutex
	mails    []Mail
	ids      map[string]int
	count    int
	sessions int
	open     int
	faults   []MailFault
	refused  map[string]int
	changed  chan struct{}
}

// StartSMTP starts a mail server that runs until Close or the end of ctx.
func StartSMTP(ctx context.Context, o SMTPOptions) (*SMTP, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("fake mail server: %w", err)
	}
	s := &SMTP{
		opts: o, ln: ln, done: make(chan struct{}), served: make(chan struct{}),
		ids: map[string]int{}, refused: map[string]int{}, changed: make(chan struct{}),
	}
	s.srv = gosmtp.NewServer(gosmtp.BackendFunc(s.session))
	s.srv.Domain = "mail.example"
	s.srv.AllowInsecureAuth = false
	s.srv.EnableSMTPUTF8 = true
	s.srv.MaxMessageBytes = 8 << 20
	s.srv.MaxRecipients = 50
	s.srv.ReadTimeout = 5 * time.Minute
	s.srv.WriteTimeout = time.Minute
	s.srv.ErrorLog = quiet{}
	if o.TLS != nil {
		if o.Implicit {
			ln = tls.NewListener(ln, o.TLS)
		} else {
			s.srv.TLSConfig = o.TLS
		}
	}
	go func() {
		defer close(s.served)
		_ = s.srv.Serve(ln) // ends with Close
	}()
	s.stop = context.AfterFunc(ctx, s.close)
	return s, nil
}

// quiet drops the library's complaints about clients that left: the tests make them leave.
type quiet struct{}

// Printf implements the library's logger.
func (quiet) Printf(string, ...any) {}

// Println implements the library's logger.
func (quiet) Println(...any) {}

// Addr is host:port of the server.
func (s *SMTP) Addr() string { return s.ln.Addr().String() }

// HostPort is Addr in two parts, as connection settings want it.
func (s *SMTP) HostPort() (host string, port int) {
	a := s.ln.Addr().(*net.TCPAddr)
	return a.IP.String(), a.Port
}

// Fail makes the next messages fail, one fault each, in order.
func (s *SMTP) Fail(faults ...MailFault) {
	s.mu.Lock()
	s.faults = append(s.faults, faults...)
	s.mu.Unlock()
}

// Refuse answers every RCPT TO of the address with the code, until it is called with 0.
func (s *SMTP) Refuse(address string, code int) {
	s.mu.Lock()
	s.refused[strings.ToLower(address)] = code
	s.mu.Unlock()
}

// Messages are the messages taken and still kept, oldest first.
func (s *SMTP) Messages() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Count is the number of messages taken since the start, those no longer kept included.
func (s *SMTP) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// IDs counts the messages taken by their Message-ID: above one, the same mail was sent twice.
func (s *SMTP) IDs() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.ids))
	for id, n := range s.ids {
		out[id] = n
	}
	return out
}

// Sessions is the number of connections that sent at least HELO.
func (s *SMTP) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// Wait returns when n messages have been taken, or with ctx's error.
func (s *SMTP) Wait(ctx context.Context, n int) error {
	return s.wait(ctx, func() bool { return s.count >= n })
}

// WaitIdle returns when no connection is open any more, or with ctx's error.
func (s *SMTP) WaitIdle(ctx context.Context) error {
	return s.wait(ctx, func() bool { return s.open == 0 })
}

// wait returns when the state, read under the lock, is as wished.
func (s *SMTP) wait(ctx context.Context, wished func() bool) error {
	for {
		s.mu.Lock()
		ok, count, open, changed := wished(), s.count, s.open, s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			return fmt.Errorf("the mail server closed with %d messages", count)
		case <-ctx.Done():
			return fmt.Errorf("%d messages, %d open connections: %w", count, open, ctx.Err())
		}
	}
}

// signal wakes whoever waits; the lock is held.
func (s *SMTP) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close ends the server and every connection, and waits for them.
func (s *SMTP) Close() error {
	s.stop()
	s.close()
	return nil
}

func (s *SMTP) close() {
	s.once.Do(func() {
		close(s.done)
		_ = s.srv.Close()
		_ = s.ln.Close() // the library does not know it yet when Close comes right after the start
	})
	<-s.served
}

func (s *SMTP) session(c *gosmtp.Conn) (gosmtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	s.open++
	return &session{server: s, conn: c, number: s.sessions, signedIn: s.opts.User == ""}, nil
}

// take records a message.
func (s *SMTP) take(m Mail) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, m)
	if s.opts.Keep > 0 && len(s.mails) > s.opts.Keep {
		s.mails = append([]Mail(nil), s.mails[len(s.mails)-s.opts.Keep:]...)
	}
	s.count++
	s.ids[m.ID]++
	s.signal()
}

// next returns the fault of the coming message, if any.
func (s *SMTP) next(atRecipient bool) (MailFault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 || s.faults[0].AtRecipient != atRecipient {
		return MailFault{}, false
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f, true
}

// session is one connection.
type session struct {
	server   *SMTP
	conn     *gosmtp.Conn
	number   int
	signedIn bool
	left     bool
	from     string
	to       []string
}

var _ gosmtp.AuthSession = (*session)(nil)

// AuthMechanisms implements gosmtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.opts.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements gosmtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.opts.User || password != s.server.opts.Password {
			return &gosmtp.SMTPError{Code: 535, EnhancedCode: gosmtp.EnhancedCode{5, 7, 8}, Message: "wrong user or password " + password}
		}
		s.signedIn = true
		return nil
	}), nil
}

// Mail implements gosmtp.Session.
func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if !s.signedIn {
		return gosmtp.ErrAuthRequired
	}
	s.from, s.to = from, nil
	return nil
}

// Rcpt implements gosmtp.Session.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.server.mu.Lock()
	code := s.server.refused[strings.ToLower(to)]
	s.server.mu.Unlock()
	if code == 0 {
		if f, ok := s.server.next(true); ok {
			code = f.Code
		}
	}
	if code != 0 {
		return refusal(code, "<"+to+"> is refused")
	}
	s.to = append(s.to, to)
	return nil
}

// Data implements gosmtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := parseMail(raw)
	m.From, m.To, m.At, m.Session, m.Answered = s.from, slices.Clone(s.to), time.Now(), s.number, true
	f, ok := s.server.next(false)
	if !ok {
		s.server.take(m)
		return nil
	}
	if f.Take || f.Hold != nil {
		m.Answered = f.Hold != nil
		s.server.take(m)
	}
	switch {
	case f.Hold != nil:
		select {
		case <-f.Hold:
			return nil
		case <-s.server.done:
			return errors.New("closing")
		}
	case f.Hang:
		<-s.server.done
		return errors.New("closing")
	case f.Drop:
		_ = s.conn.Conn().Close()
		return errors.New("dropped")
	}
	return refusal(f.Code, "the message of <"+s.from+"> is refused")
}

// Reset implements gosmtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements gosmtp.Session.
func (s *session) Logout() error {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if !s.left {
		s.left = true
		s.server.open--
		s.server.signal()
	}
	return nil
}

func refusal(code int, text string) error {
	class := code / 100
	return &gosmtp.SMTPError{Code: code, EnhancedCode: gosmtp.EnhancedCode{class, 0, 0}, Message: text}
}
