package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/server"
)

// Result is the answer for one event.
type Result struct {
	ID      string `json:"id" doc:"The sender's id"`
	EventID string `json:"event_id" doc:"Orderly's id of the event; of the first delivery for a duplicate"`
	Status  string `json:"status" enum:"decided,duplicate,quarantined,conflict" doc:"What became of it"`
	Reason  string `json:"reason,omitempty" doc:"Why it was quarantined or conflicts"`
}

// bodies are buffers for request bodies; big ones are left to the collector.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keepBuffer = 256 << 10

// A body above bigBody bytes, or of unknown length, takes one of maxBig places.
const (
	bigBody = 512 << 10
	maxBig  = 4
)

func release(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		bodies.Put(b)
	}
}

// events is POST /v1/events.
func (a *API) events(w http.ResponseWriter, r *http.Request) {
	const door = "events"
	if r.Method != http.MethodPost {
		a.method(w, r)
		return
	}
	c, err := a.caller(r, routeEvents)
	if err != nil {
		a.refuse(w, r, door, "token", err)
		return
	}
	if r.ContentLength < 0 || r.ContentLength > bigBody {
		// Senders of large lists wait for one another: many at once would take the
		// memory of the program. The token was verified before, so no stranger holds a place.
		select {
		case a.big <- struct{}{}:
			defer func() { <-a.big }()
		case <-r.Context().Done():
			return
		}
	}
	body, err := a.read(w, r, a.MaxBatchBytes)
	if err != nil {
		a.refuse(w, r, door, "body", err)
		return
	}
	defer release(body)
	env := envelope{actor: "token:" + c.Name, allowed: mayWrite, now: a.Now(), maxOne: a.MaxEventBytes}
	if c.Has(access.AdminScope) {
		env.allowed = mayAdmin
	}
	evs, _, err := decodeBody(body.Bytes(), &env)
	if err != nil {
		a.refuse(w, r, door, "invalid", err)
		return
	}
	if a.Audit == nil || !slices.ContainsFunc(evs, func(e event.Event) bool { return slices.Contains(clerks, e.Type) }) {
		a.submit(w, r, door, evs)
		return
	}
	seen := &statusOf{ResponseWriter: w}
	a.submit(seen, r, door, evs)
	a.record(r, c, evs, seen.status)
}

// statusOf remembers the status that was answered.
type statusOf struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusOf) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// record writes the people's decisions among events, which a program brought, into the audit log.
func (a *API) record(r *http.Request, c access.Caller, evs []event.Event, status int) {
	result := access.Done
	if status >= http.StatusBadRequest {
		result = access.Failed
	}
	for _, e := range evs {
		if !slices.Contains(clerks, e.Type) {
			continue
		}
		rec := access.Record{Actor: "token:" + c.Name, Who: c.Name, Action: "api." + e.Type, Subject: e.Data.EventSubject(), Origin: server.Address(r), Result: result}
		if d, ok := e.Data.(*event.TaskDecided); ok {
			rec.Subject, rec.Detail = d.Task, "outcome="+d.Outcome
		}
		if err := a.Audit.Record(context.WithoutCancel(r.Context()), rec); err != nil {
			a.Log.Error("an act could not be recorded in the audit log", "action", rec.Action, "subject", rec.Subject, "error", err)
		}
	}
}

// hooks is POST /hooks/{connection}.
func (a *API) hooks(w http.ResponseWriter, r *http.Request) {
	const door = "hooks"
	if r.Method != http.MethodPost {
		a.method(w, r)
		return
	}
	h, err := a.Hooks.Hook(r.Context(), r.PathValue("connection"))
	if err != nil {
		a.refuse(w, r, door, "connection", err)
		return
	}
	body, err := a.read(w, r, a.MaxEventBytes)
	if err != nil {
		a.refuse(w, r, door, "body", err)
		return
	}
	defer release(body)
	if err := h.Verify(r.Header, body.Bytes()); err != nil {
		why := "the signature is missing or wrong"
		if fault.KindOf(err) != fault.Internal {
			why = fault.Message(err)
		}
		err = server.WithStatus(http.StatusUnauthorized, fault.Wrap(err, fault.Denied, "api.hooks", "%s; nothing was accepted", why),
			"WWW-Authenticate", `Webhook realm="orderly"`)
		a.refuse(w, r, door, "signature", err)
		return
	}
	env := envelope{
		source: h.Name, typ: h.EventType, id: r.Header.Get("Webhook-Id"), actor: "hook:" + h.Name,
		allowed: mayHook, now: a.Now(), maxOne: a.MaxEventBytes,
	}
	if why := badID(env.id); why != "" {
		a.refuse(w, r, door, "invalid", fault.Problems("api.hooks", []fault.Problem{{Pointer: "header webhook-id", Message: why}}))
		return
	}
	evs, _, err := decodeBody(body.Bytes(), &env)
	if err != nil {
		a.refuse(w, r, door, "invalid", err)
		return
	}
	a.submit(w, r, door, evs)
}

func (a *API) method(w http.ResponseWriter, r *http.Request) {
	server.Fail(w, r, server.WithStatus(http.StatusMethodNotAllowed,
		fault.New(fault.Invalid, "api", "%s is not possible here; use POST", r.Method), "Allow", "POST"))
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, door, reason string, err error) {
	a.Metrics.Refused.WithLabelValues(door, reason).Inc()
	server.Fail(w, r, err)
}

// read takes a JSON body of at most limit bytes.
func (a *API) read(w http.ResponseWriter, r *http.Request, limit int64) (*bytes.Buffer, error) {
	const op = "api.read"
	if ct := r.Header.Get("Content-Type"); ct != "application/json" { // the usual one needs no parsing
		if t, p, err := mime.ParseMediaType(ct); err != nil || !isJSON(t) || (p["charset"] != "" && !strings.EqualFold(p["charset"], "utf-8")) {
			return nil, server.WithStatus(http.StatusUnsupportedMediaType,
				fault.New(fault.Invalid, op, "the content type must be application/json in UTF-8, got %q; nothing was accepted", echo(ct)))
		}
	}
	if ce := r.Header.Get("Content-Encoding"); ce != "" && ce != "identity" {
		return nil, server.WithStatus(http.StatusUnsupportedMediaType,
			fault.New(fault.Invalid, op, "a body with Content-Encoding %q is not read; send it plain; nothing was accepted", echo(ce)))
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	b := bodies.Get().(*bytes.Buffer)
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead) // MinRead: ReadFrom would grow once more to find the end
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		release(b)
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge(limit)
		}
		why := "the body could not be read to its end"
		if errors.Is(err, io.ErrUnexpectedEOF) {
			why = "the body ends before its Content-Length"
		}
		return nil, server.WithStatus(http.StatusBadRequest, fault.Wrap(err, fault.Invalid, op, "%s; nothing was accepted", why))
	}
	return b, nil
}

func isJSON(t string) bool {
	return t == "application/json" || t == "application/cloudevents+json" || t == "application/cloudevents-batch+json"
}

// submit hands events to the engine and writes the answer.
func (a *API) submit(w http.ResponseWriter, r *http.Request, door string, evs []event.Event) {
	outs, err := a.Engine.Submit(r.Context(), evs)
	if err == nil && len(outs) != len(evs) {
		err = fault.New(fault.Internal, "api.submit", "")
	}
	if err != nil {
		a.refuse(w, r, door, fault.KindOf(err).String(), err)
		return
	}
	results := make([]Result, len(outs))
	var conflicts []fault.Problem
	for i, o := range outs {
		results[i] = Result{ID: evs[i].Key, EventID: o.EventID, Status: o.Status, Reason: o.Reason}
		a.Metrics.Events.WithLabelValues(door, o.Status).Inc()
		if o.Status == Conflict {
			pointer := "/" + strconv.Itoa(i) + "/id"
			if len(evs) == 1 {
				pointer = "/id"
			}
			why := o.Reason
			if why == "" {
				why = "was received before with other content; give a changed event a new id"
			}
			conflicts = append(conflicts, fault.Problem{Pointer: pointer, Message: why})
		}
	}
	if len(conflicts) > 0 {
		msg := "an event with this id was received before with other content; the new content was not applied"
		if len(evs) > len(conflicts) {
			msg = "events with ids that were received before with other content were not applied; the outcomes tell about each event"
		}
		server.Fail(w, r, &server.StatusError{
			Status:   http.StatusConflict,
			Err:      &fault.Error{Kind: fault.Conflict, Op: "api.submit", Message: msg, Problems: conflicts},
			Outcomes: results,
		})
		return
	}
	var arr [512]byte
	b := appendResults(arr[:0], results)
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(b) // the client has gone if this fails; a repeated delivery is a duplicate
}

var jsonType = []string{"application/json"}

// appendResults writes results as JSON without reflection: this is the answer
// to every delivery.
func appendResults(b []byte, rs []Result) []byte {
	b = append(b, '[')
	for i, r := range rs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = appendString(b, r.ID)
		b = append(b, `,"event_id":`...)
		b = appendString(b, r.EventID)
		b = append(b, `,"status":`...)
		b = appendString(b, r.Status)
		if r.Reason != "" {
			b = append(b, `,"reason":`...)
			b = appendString(b, r.Reason)
		}
		b = append(b, '}')
	}
	return append(b, ']', '\n')
}
