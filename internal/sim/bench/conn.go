package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
)

// Target is the door that deliveries go to.
type Target struct {
	Addr   string // host:port
	Path   string // /hooks/NAME
	Secret connect.Secret
}

// Conn is one keep-alive connection that posts signed deliveries one after the other.
type Conn struct {
	t      Target
	signer *hook.Signer
	c      net.Conn
	r      *bufio.Reader
	out    []byte
}

// answerWithin bounds one answer.
const answerWithin = 30 * time.Second

// Dial opens a connection to the target.
func Dial(ctx context.Context, t Target) (*Conn, error) {
	signer, err := hook.NewSigner(t.Secret)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, fmt.Errorf("the server at %s does not answer: %w", t.Addr, err)
	}
	return &Conn{t: t, signer: signer, c: c, r: bufio.NewReaderSize(c, 4096)}, nil
}

// Close gives the connection back.
func (c *Conn) Close() error { return c.c.Close() }

// Post sends one delivery and returns the status and the body of the answer,
// which is good until the next call. After an error the connection is of no use any more, and
// whether the delivery was taken is unknown.
func (c *Conn) Post(id string, body []byte, at time.Time) (status int, answer []byte, err error) {
	timestamp, signature := c.signer.Sign(id, at, body)
	b := c.out[:0]
	b = append(b, "POST "...)
	b = append(b, c.t.Path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, c.t.Addr...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	for _, h := range [...][2]string{{hook.HeaderID, id}, {hook.HeaderTimestamp, timestamp}, {hook.HeaderSignature, signature}} {
		b = append(b, "\r\n"...)
		b = append(b, h[0]...)
		b = append(b, ": "...)
		b = append(b, h[1]...)
	}
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.out = b
	if err := c.c.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, nil, err
	}
	if _, err := c.c.Write(b); err != nil {
		return 0, nil, err
	}
	return c.read()
}

var (
	statusPrefix  = []byte("HTTP/1.1 ")
	contentLength = []byte("content-length:")
	errAnswer     = errors.New("the server's answer is not what this client reads")
)

// read takes one answer. Our own server gives a Content-Length with every answer of these doors.
func (c *Conn) read() (status int, answer []byte, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if !bytes.HasPrefix(line, statusPrefix) || len(line) < len(statusPrefix)+3 {
				return 0, nil, errAnswer
			}
			if status, err = strconv.Atoi(string(line[len(statusPrefix) : len(statusPrefix)+3])); err != nil {
				return 0, nil, errAnswer
			}
		case len(line) == 0:
			if length < 0 {
				return status, nil, errAnswer
			}
			if cap(c.out) < length {
				c.out = make([]byte, length)
			}
			answer = c.out[:length]
			_, err := io.ReadFull(c.r, answer)
			return status, answer, err
		case len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil || length > 1<<20 {
				return 0, nil, errAnswer
			}
		}
	}
}

// WireTarget is a Target as one process tells it to another of the same
// benchmark: with the secret in the open, which a Target never shows.
type WireTarget struct{ Addr, Path, Key string }

// Wire is the target for the other process.
func (t Target) Wire() WireTarget { return WireTarget{t.Addr, t.Path, t.Secret.Reveal()} }

// Target is the inverse of Wire.
func (w WireTarget) Target() Target {
	return Target{Addr: w.Addr, Path: w.Path, Secret: connect.Secret(w.Key)}
}
