package server

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Problem is an error answer: RFC 9457 problem details with our own members.
type Problem struct {
	Type     string          `json:"type"` // about:blank: the status says it
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Code     string          `json:"code"` // fault kind: invalid, not_found, conflict, denied, unavailable, internal
	Request  string          `json:"request_id,omitempty"`
	Errors   []fault.Problem `json:"errors,omitempty"`
	Outcomes any             `json:"outcomes,omitempty"` // of a list of events of which one conflicts
}

// Error implements error with what is safe to show.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status; the API library asks for it by this name.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problem details; the API library asks for it.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// StatusError gives an error a status of its own, where its kind alone does not tell it.
type StatusError struct {
	Status int
	Err    error
	Header http.Header // sent with the answer
	// Outcomes, if any, go into the answer beside the error.
	Outcomes any
}

func (e *StatusError) Error() string { return e.Err.Error() }

// Unwrap returns the error below.
func (e *StatusError) Unwrap() error { return e.Err }

// WithStatus gives err a status. Headers are pairs of name and value.
func WithStatus(status int, err error, header ...string) error {
	e := &StatusError{Status: status, Err: err, Header: http.Header{}}
	for i := 0; i+1 < len(header); i += 2 {
		e.Header.Set(header[i], header[i+1])
	}
	return e
}

// ProblemOf turns an error into the answer it gets: what is safe to show, and nothing else.
func ProblemOf(ctx context.Context, err error) *Problem {
	p := &Problem{Type: "about:blank", Detail: fault.Message(err), Code: fault.KindOf(err).String(), Request: requestOf(ctx).id}
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		p.Errors = fe.Problems
	}
	se, hasStatus := errors.AsType[*StatusError](err)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	_, retry := errors.AsType[retryable](err)
	switch {
	case hasStatus:
		p.Status, p.Outcomes = se.Status, se.Outcomes
	case tooLarge:
		p.Status, p.Code, p.Detail = http.StatusRequestEntityTooLarge, "invalid", "the request body is too large; nothing was changed"
	case retry:
		p.Status = http.StatusTooManyRequests
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		p.Status = http.StatusServiceUnavailable
		if fault.KindOf(err) == fault.Internal {
			p.Code, p.Detail = "unavailable", "this took too long and was given up; try again"
		}
	default:
		p.Status = statusOf(fault.KindOf(err))
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// retryable is an error that says when to come back: too many attempts.
type retryable interface {
	error
	RetryAfter() time.Duration
}

func statusOf(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusUnprocessableEntity
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.Denied:
		return http.StatusForbidden
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Fail is the one writer of error answers: problem details for programs, a page
// for browsers. What must not be shown goes to the log with the request id.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	q := requestOf(ctx)
	p := ProblemOf(ctx, err)
	if q.server != nil {
		switch {
		case p.Status >= 500 && ctx.Err() == nil:
			q.server.opts.Log.ErrorContext(ctx, "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		default:
			q.server.opts.Log.LogAttrs(ctx, slog.LevelDebug, "request refused", slog.String("path", r.URL.Path), slog.String("error", err.Error()))
		}
	}
	SetErrorHeaders(w.Header(), p, err)
	if WantsPage(r) {
		if q.server != nil && q.server.opts.ErrorPage != nil {
			q.server.opts.ErrorPage(w, r, *p)
			return
		}
		writePage(w, p)
		return
	}
	WriteProblem(w, p)
}

// SetErrorHeaders sets the headers that an error brings along: Retry-After, WWW-Authenticate and such.
func SetErrorHeaders(h http.Header, p *Problem, err error) {
	if se, ok := errors.AsType[*StatusError](err); ok {
		for k, v := range se.Header {
			h[k] = v
		}
	}
	if re, ok := errors.AsType[retryable](err); ok {
		h.Set("Retry-After", strconv.Itoa(int((re.RetryAfter()+time.Second-1)/time.Second)))
	} else if p.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1")
	}
	h.Set("Cache-Control", "no-store")
}

// WriteProblem writes problem details.
func WriteProblem(w http.ResponseWriter, p *Problem) {
	b, err := json.Marshal(p)
	if err != nil { // Outcomes is the only part that could
		p.Outcomes = nil
		b, _ = json.Marshal(p)
	}
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(b)+1))
	h.Del("Content-Encoding")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n')) // the client has gone if this fails
}

// WantsPage reports whether an error answer should be a page: a browser asks outside the API.
func WantsPage(r *http.Request) bool {
	switch doorOf(r.URL.Path) {
	case "events", "hooks", "api", "health":
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func writePage(w http.ResponseWriter, p *Problem) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Del("Content-Length")
	w.WriteHeader(p.Status)
	_, _ = io.WriteString(w, "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>"+html.EscapeString(p.Title)+
		"</title><h1>"+html.EscapeString(p.Title)+"</h1><p>"+html.EscapeString(p.Detail)+"</p><p>Request "+html.EscapeString(p.Request)+"</p></html>\n")
}
