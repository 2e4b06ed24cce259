// Package smtp sends mail through a mail server that the shop names. It is an
// adapter of connect.Mailer around go-mail.
package smtp

import (
	"context"
	"crypto/x509"
	"net"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/fault"
)

// The ways to encrypt a connection.
const (
	StartTLS = "starttls" // begin in clear, then encrypt or give up; port 587
	TLS      = "tls"      // encrypted from the first byte; port 465
	None     = "none"     // never encrypted: for a relay on this machine or wire; takes no password
)

// Settings of one mail connection.
type Settings struct {
	Host     string // name or address of the mail server
	Port     int    // 0 = 587, 465 or 25 by TLS
	TLS      string // StartTLS (also when ""), TLS or None
	User     string // "" = the server asks for no sign-in
	Password connect.Secret
	From     string // "orders@shop.example" or "Sample Shop <orders@shop.example>"
	ReplyTo  string // "" = answers go to From

	Timeout        time.Duration // for dialling, and again for each message; 0 = connect.HandOver, which is the most
	IdleTimeout    time.Duration // how long an idle connection is kept for the next message; 0 = 15 s
	MaxConnections int           // at a time; 0 = 2
	MaxMessages    int           // per connection, as many servers limit them; 0 = 100
	RootCAs        *x509.CertPool
	// Dial replaces the plain dialer; a guarded one is connect.Guard.DialContext. nil =
	// any address: a mail server is an operator's setting and mostly stands inside.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// sender is a checked From or ReplyTo.
type sender struct{ name, address, domain string }

// fill checks the settings and sets what was left out.
func (s *Settings) fill() (from, replyTo sender, err error) {
	var ps []fault.Problem
	bad := func(field, message string) { ps = append(ps, fault.Problem{Pointer: field, Message: message}) }
	if s.Host == "" || strings.ContainsAny(s.Host, " \t\r\n/@") || strings.Contains(s.Host, "://") {
		bad("host", "is the name of the mail server, such as mail.shop.example, without a scheme or port")
	}
	switch s.TLS {
	case "":
		s.TLS = StartTLS
	case StartTLS, TLS, None:
	default:
		bad("tls", "is one of starttls, tls, none")
	}
	if s.Port == 0 {
		s.Port = map[string]int{StartTLS: 587, TLS: 465, None: 25}[s.TLS]
	}
	if s.Port < 0 || s.Port > 65535 {
		bad("port", "is a number from 1 to 65535")
	}
	if s.TLS == None && s.User != "" {
		bad("user", "cannot be used with tls: none, the password would travel in clear")
	}
	if (s.User == "") != (s.Password == "") {
		bad("password", "user and password are given together or not at all")
	}
	if from, err = parseSender(s.From); err != nil {
		bad("from", err.Error())
	}
	if s.ReplyTo != "" {
		if replyTo, err = parseSender(s.ReplyTo); err != nil {
			bad("reply_to", err.Error())
		}
	}
	setDefault(&s.Timeout, connect.HandOver)
	s.Timeout = min(s.Timeout, connect.HandOver)
	setDefault(&s.IdleTimeout, 15*time.Second)
	setDefault(&s.MaxConnections, 2)
	setDefault(&s.MaxMessages, 100)
	if s.Dial == nil {
		d := &net.Dialer{KeepAlive: 30 * time.Second}
		s.Dial = d.DialContext
	}
	return from, replyTo, fault.Problems("smtp.New", ps)
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

func parseSender(s string) (sender, error) {
	if hasControl(s) {
		return sender{}, errAddress
	}
	a, err := mail.ParseAddress(s)
	if err != nil {
		return sender{}, errAddress
	}
	address, err := parseAddress(a.Address)
	if err != nil {
		return sender{}, err
	}
	return sender{a.Name, address, address[strings.LastIndexByte(address, '@')+1:]}, nil
}

var errAddress = fault.New(fault.Invalid, "", "is not a mail address such as orders@shop.example")

// parseAddress checks a bare mail address and gives it with its domain in ASCII.
func parseAddress(s string) (string, error) {
	if len(s) > 254 || hasControl(s) { // RFC 5321, 4.5.3.1.3
		return "", errAddress
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || strings.ContainsAny(s, "<>") {
		return "", errAddress
	}
	at := strings.LastIndexByte(a.Address, '@')
	if at < 1 || strings.ContainsAny(a.Address[:at], " \"(),:;<>[]\\") {
		return "", errAddress // quoted local parts: nobody has one, and every parser reads them otherwise
	}
	domain, err := idna.Lookup.ToASCII(a.Address[at+1:])
	if err != nil || domain == "" {
		return "", errAddress
	}
	return a.Address[:at+1] + domain, nil
}

// hasControl reports whether s holds a line break or another control character:
// what would start a header of its own.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || (r >= 0x80 && r <= 0x9f) || r == 0x2028 || r == 0x2029
	})
}
