package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"orderly.example/orderly/internal/connect"
)

// dialFailure words what went wrong before there was a session. All of it may be
// retried, a refused password too: the message is fine, and once the setting
// is mended it goes out by itself.
func (m *Mailer) dialFailure(ctx context.Context, err error) *connect.Error {
	host := m.set.Host
	if reason, ok := connect.Refused(err); ok {
		return connect.Fail(connect.ClassPermanent, err, "not connected: %s", reason)
	}
	if code, text := reply(err); code != 0 {
		e := connect.Fail(connect.ClassRetry, err, "%s refused the connection: %s", host, m.clean(text, ""))
		if code == 535 || code == 534 || code == 530 || code == 538 {
			e.Message = host + " refused the user name or password: " + m.clean(text, "")
		}
		e.Code = code
		return e
	}
	if de, ok := errors.AsType[*net.DNSError](err); ok && de.IsNotFound {
		return connect.Fail(connect.ClassRetry, err, "there is no mail server %s: the name has no address", host)
	}
	if ce, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return connect.Fail(connect.ClassRetry, err, "the certificate of %s is not trusted: %v", host, ce.Err)
	}
	switch {
	case errors.Is(err, context.Canceled), ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return connect.Fail(connect.ClassRetry, context.Canceled, "stopped while connecting to %s", host)
	case timedOut(ctx, err):
		return connect.Fail(connect.ClassRetry, err, "%s:%d did not answer in time", host, m.set.Port)
	case strings.Contains(err.Error(), "STARTTLS"):
		return connect.Fail(connect.ClassRetry, err, "%s offers no STARTTLS on port %d; use tls: tls with port 465, or tls: none for a relay inside", host, m.set.Port)
	case m.set.User != "" && strings.Contains(err.Error(), "AUTH"):
		return connect.Fail(connect.ClassRetry, err, "%s offers no way to sign in that keeps the password safe", host)
	}
	if oe, ok := errors.AsType[*net.OpError](err); ok {
		return connect.Fail(connect.ClassRetry, err, "%s:%d cannot be reached: %v", host, m.set.Port, oe.Err)
	}
	return connect.Fail(connect.ClassRetry, err, "%s:%d does not speak SMTP as expected", host, m.set.Port)
}

// failure classes what went wrong with a message on an open connection. Stale
// is true when nothing was handed over because the connection was gone.
func (m *Mailer) failure(ctx context.Context, err error, to string) (failure *connect.Error, stale bool) {
	host := m.set.Host
	se, ok := errors.AsType[*gomail.SendError](err)
	if !ok {
		return connect.Fail(connect.ClassRetry, err, "%s did not take the message", host), false
	}
	if code := se.ErrorCode(); code >= 400 && code < 600 {
		class := connect.ClassRetry
		if code >= 500 {
			class = connect.ClassPermanent
		}
		_, text := split(se.Error())
		e := connect.Fail(class, err, "%s did not take the message: %s", host, m.clean(text, to))
		e.Code = code
		return e, code == 421
	}
	why := "closed the connection"
	if timedOut(ctx, err) {
		why = "did not answer in time"
	}
	switch se.Reason {
	case gomail.ErrSMTPDataClose:
		// The full stop that ends the message may have arrived: the server may have taken it.
		return connect.Fail(connect.ClassUnknown, err, "%s %s after it had the message", host, why), false
	case gomail.ErrGetSender, gomail.ErrGetRcpts:
		return connect.Fail(connect.ClassPermanent, err, "the message has no sender or recipient that %s takes", host), false
	case gomail.ErrNoUnencoded:
		return connect.Fail(connect.ClassPermanent, err, "%s takes no unencoded messages", host), false
	case gomail.ErrWriteContent:
		return connect.Fail(connect.ClassRetry, err, "%s %s in the middle of the message", host, why), false
	}
	return connect.Fail(connect.ClassRetry, err, "%s %s before it had the message", host, why), true
}

// timedOut reports whether our time-out ended it. The connection is closed under the
// client then, so the error itself may only speak of a closed connection.
func timedOut(ctx context.Context, err error) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return true
	}
	return strings.Contains(err.Error(), "i/o timeout") // a SendError hides its causes
}

// reply returns the server's code and text from an error before there was a session.
func reply(err error) (code int, text string) {
	if te, ok := errors.AsType[*textproto.Error](err); ok {
		return te.Code, strconv.Itoa(te.Code) + " " + te.Msg
	}
	return 0, ""
}

// split takes the server's words out of a SendError, which adds the recipient and more behind them.
func split(s string) (before, words string) {
	for _, end := range []string{", affected recipient(s):", ", affected message ID:"} {
		s, _, _ = strings.Cut(s, end)
	}
	before, words, ok := strings.Cut(s, ": ")
	if !ok {
		return "", s
	}
	return before, words
}

// clean makes a server's words safe to keep: one short line without the recipient's
// address, which is personal data and stands sealed elsewhere, and without the password,
// which some servers echo.
func (m *Mailer) clean(s, to string) string {
	for _, secret := range []string{m.set.Password.Reveal(), to} {
		if secret != "" {
			s = replaceFold(s, secret, "…")
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	s = strings.ToValidUTF8(s, "?")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}

// replaceFold replaces old in any case.
func replaceFold(s, old, with string) string {
	var b strings.Builder
	lower, want := strings.ToLower(s), strings.ToLower(old)
	if len(lower) != len(s) { // a letter whose lower case has another length; then nothing can be aligned
		if strings.Contains(lower, want) {
			return with
		}
		return s
	}
	for {
		i := strings.Index(lower, want)
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		b.WriteString(with)
		s, lower = s[i+len(want):], lower[i+len(want):]
	}
}
