// Package fault is the one error type of the program: a kind that decides the
// answer (HTTP status, exit code), the operation that failed, and a message
// that is safe to show to the person who caused it.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind classes an error by what the caller can do about it.
type Kind uint8

// The kinds. The zero value is Internal, so that an unclassified error is
// never shown to a stranger.
const (
	Internal    Kind = iota // a bug or a broken invariant; details stay in the log
	Invalid                 // the input is wrong; the message names the field or line
	NotFound                // no such thing
	Conflict                // contradicts what is recorded
	Denied                  // not signed in, or not allowed
	Unavailable             // try again later
)

func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case NotFound:
		return "not_found"
	case Conflict:
		return "conflict"
	case Denied:
		return "denied"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

// Problem is one thing wrong with an input. Pointer is an RFC 6901 JSON
// pointer for JSON input, or "line 12" / "file.yaml:3:5" for text.
type Problem struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Error is an error with a kind and a safe message.
type Error struct {
	Kind     Kind
	Op       string // package.function, for the log
	Message  string // safe to show: what is wrong and what to do
	Problems []Problem
	Err      error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "; %s: %s", p.Pointer, p.Message)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// New returns an error of the kind with a safe message.
func New(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Message: fmt.Sprintf(format, args...)}
}

// Wrap keeps err below a kind and a safe message; the cause is for the log.
func Wrap(err error, kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Message: fmt.Sprintf(format, args...), Err: err}
}

// Problems returns an Invalid error that lists every problem, or nil when there are none.
func Problems(op string, ps []Problem) error {
	if len(ps) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Op: op, Message: "the input is not valid", Problems: ps}
}

// KindOf returns the kind of the outermost fault.Error in err's chain; Internal otherwise.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Message returns the safe message for err: never the cause of an Internal error.
func Message(err error) string {
	e, ok := errors.AsType[*Error](err)
	if !ok || (e.Kind == Internal && e.Message == "") {
		return "something went wrong on our side; nothing was changed"
	}
	return e.Message
}
