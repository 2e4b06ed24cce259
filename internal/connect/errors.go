package connect

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Class says what may follow a failed attempt.
type Class uint8

// The classes. The zero value is ClassRetry: an error nobody classified is tried
// again until the schedule ends, never dropped at once.
const (
	ClassRetry     Class = iota // nothing was done; the same attempt later may succeed
	ClassPermanent              // the same attempt will fail again
	ClassUnknown                // it may have been done: the answer never came
)

func (c Class) String() string {
	switch c {
	case ClassPermanent:
		return "permanent"
	case ClassUnknown:
		return "unknown"
	default:
		return "retry"
	}
}

// Error is a failed attempt. Message is safe to store and to show: it names the
// destination's host and its answer, never a secret, a path or a body.
type Error struct {
	Class   Class
	After   time.Duration // how long the destination asked to be left alone; 0 = it did not say
	Code    int           // HTTP status or SMTP reply code; 0 = there was no answer
	Message string
	Err     error // the cause, for errors.Is; its text is not part of Error()
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Fail returns an error of the class with a safe message. The cause err may be nil.
func Fail(class Class, err error, format string, args ...any) *Error {
	return &Error{Class: class, Err: err, Message: fmt.Sprintf(format, args...)}
}

// Permanent marks err as one that no further attempt will mend; nil stays nil. The
// text of err becomes the safe message, so it must be one.
func Permanent(err error) error { return as(err, ClassPermanent) }

// Unknown marks err as an attempt that may have succeeded; nil stays nil.
func Unknown(err error) error { return as(err, ClassUnknown) }

func as(err error, c Class) error {
	if err == nil {
		return nil
	}
	return &Error{Class: c, Err: err, Message: err.Error()}
}

// ClassOf returns the class of the outermost Error in err's chain; ClassRetry when there is none.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ClassRetry
}

// RetryAfter returns how long the destination asked to be left alone; false when it did not say.
func RetryAfter(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.After <= 0 {
		return 0, false
	}
	return e.After, true
}

// Reason is the text of err in few words for an effect's row: never longer than 500 bytes.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	s := err.Error()
	if errors.Is(err, context.Canceled) && ClassOf(err) == ClassRetry {
		s = "stopped before an answer came: " + s
	}
	if len(s) > 500 {
		cut := 497
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut] + "…"
	}
	return s
}
