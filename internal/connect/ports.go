// Package connect holds the ports to the outside: what the program asks of a mail
// server or of another system's door, and what it must know when the answer is
// no, or when there is none. The adapters stand below, one folder each.
package connect

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"time"
)

// HandOver is how long a message that is being handed over may take to be answered.
const HandOver = 20 * time.Second

// Mailer hands one message to a mail system.
//
// Send returns nil only after the system has taken the message over. Every other
// error says through ClassOf what may be done next:
//
//   - ClassRetry: the message was not taken over; the same call later may succeed.
//   - ClassPermanent: the same call will fail again; a person must change something.
//   - ClassUnknown: the message was handed over, but the answer never came. A mail
//     system knows no idempotency key, so a repeated call may bring a second
//     copy; it carries the same Message-ID, by which mail programs and servers
//     recognise it.
//
// Ctx bounds what comes before the message is handed over: waiting for a connection, connecting,
// signing in. A message that is being handed over is not torn out of it, neither by a
// stop nor by a deadline: what was taken should be known to be taken. It ends by
// itself, HandOver after it began at the latest.
//
// Send is safe for concurrent use, and puts no secret and no body of a message in its errors.
type Mailer interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Tester is a mailer that can try its way without a message: it connects and signs in.
type Tester interface {
	Check(ctx context.Context) error
}

// Certified is an adapter that can say which certificate its other side shows.
//
// Certificate connects and returns the certificate; nil where nothing is encrypted. One that is not trusted is
// returned with the error that says why; an other side that cannot be reached is an error alone.
type Certified interface {
	Certificate(ctx context.Context) (*x509.Certificate, error)
}

// Message is one mail to one recipient. It is the adapter's to refuse (ClassPermanent) line
// breaks in ID, To and Subject: nobody writes a header through a field.
type Message struct {
	ID      string // the effect's id; the Message-ID header is made from it alone
	To      string // a mail address, without a name
	Subject string
	Text    string // the plain part; never empty
	HTML    string // the HTML alternative; "" = plain text only
}

// Hook hands one signed document to another system by HTTP POST.
//
// The delivery's ID is the idempotency key: it travels with every attempt
// unchanged, so a receiver that follows the Standard Webhooks specification acts
// once, and an attempt whose outcome is unknown may be repeated. Post returns
// nil only for an answer of class 2xx; ClassOf tells about any other error:
//
//   - ClassRetry: not delivered, or the receiver asked for another attempt (408, 425,
//     429, 5xx). RetryAfter is how long it asked to be left alone.
//   - ClassPermanent: the receiver refused the document (any other status), or the
//     address is one that must not be called.
//   - ClassUnknown: the whole request was written, but no answer came.
//
// Post honours ctx, is safe for concurrent use, and puts no secret, no path and
// no body in its errors.
type Hook interface {
	Post(ctx context.Context, d Delivery) (Receipt, error)
}

// Delivery is one document for another system.
type Delivery struct {
	ID   string // the effect's id; the idempotency key
	Body []byte // JSON
	// Answer asks for what the receiver answers. A refusal of class 4xx that no later
	// attempt would change is an answer then, and no error.
	Answer bool
}

// MaxAnswer bounds an answer that is read.
const MaxAnswer = 64 << 10

// Receipt is what the destination said when it took something over. It is kept
// with the effect for years and shown to people.
type Receipt struct {
	Reference string // the destination's own id, or our Message-ID; may be ""
	Text      string // its status line, e.g. "250 2.0.0 queued" or "202 Accepted"
	Status    int    // of an answer that was asked for
	Body      []byte // of an answer that was asked for; it is not kept
}

// Secret is a password or key in a setting. Printing, logging and encoding it
// give stars; Reveal gives the text.
type Secret string

const stars = "••••"

// Reveal returns the secret itself. Its result goes to the wire, never to a log.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return stars
}

// GoString keeps %#v from printing the text.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue keeps slog from printing the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes stars: a secret is read from a setting, never written to one.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText writes stars, for YAML and other text encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
