package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/server"
)

// Limits of what the doors read.
const (
	maxDepth  = 32   // of nested objects and lists
	maxBatch  = 1000 // events in one list
	maxErrors = 50   // problems told in one answer
	maxEcho   = 80   // bytes of the sender's own text repeated in a message
)

// earliest and latestAhead bound the time of an event: anything else is a
// broken clock or a wrong unit.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const latestAhead = 24 * time.Hour

// envelope says what a door knows of its events before it reads them.
type envelope struct {
	source  string // "" = the sender may name it; otherwise it is fixed
	typ     string // "" = the body says; otherwise the body is the data alone
	id      string // of a body without an id; "" = an id is required
	actor   string
	allowed func(typ string) error
	now     time.Time
	maxOne  int64 // bytes of one event
}

// problems collects what is wrong, with the pointer of each.
type problems []fault.Problem

func (ps *problems) add(pointer, format string, args ...any) {
	if len(*ps) < maxErrors {
		*ps = append(*ps, fault.Problem{Pointer: pointer, Message: fmt.Sprintf(format, args...)})
	}
}

// decodeBody reads one event or a list of them. The error is a 400 when the
// body is not JSON at all, else a 422 that lists what is wrong with which item;
// no event is returned with an error.
func decodeBody(body []byte, env *envelope) (evs []event.Event, list bool, err error) {
	i := 0
	for i < len(body) && isSpace(body[i]) {
		i++
	}
	if i == len(body) {
		return nil, false, badRequest("the body is empty; send one event as a JSON object, or a list of them")
	}
	if err := checkDepth(body); err != nil {
		return nil, false, err
	}
	var ps problems
	switch body[i] {
	case '{':
		if int64(len(body)) > env.maxOne {
			return nil, false, tooLarge(env.maxOne)
		}
		var ev event.Event
		if err := decodeOne(body, "", env, &ev, &ps); err != nil {
			return nil, false, err
		}
		evs = []event.Event{ev}
	case '[':
		list = true
		if evs, err = decodeList(body, env, &ps); err != nil {
			return nil, true, err
		}
	default:
		return nil, false, badRequest("the body must be one event as a JSON object, or a list of them; it begins with %q", rune(body[i]))
	}
	if len(ps) > 0 {
		return nil, list, fault.Problems("api.decode", ps)
	}
	return evs, list, nil
}

// decodeList reads a list of events: first its syntax as a whole, then each
// item, so that one answer tells the problems of all.
func decodeList(body []byte, env *envelope, ps *problems) ([]event.Event, error) {
	if env.id != "" || env.typ != "" {
		return nil, badRequest("a webhook brings one event; this body is a list")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntaxError(err, body)
	}
	var evs []event.Event
	for n := 0; dec.PeekKind() != ']'; n++ {
		val, err := dec.ReadValue()
		if err != nil {
			return nil, syntaxError(err, body)
		}
		at := "/" + strconv.Itoa(n)
		switch {
		case n >= maxBatch:
			return nil, server.WithStatus(413, fault.New(fault.Invalid, "api.decode", "a list may hold at most %d events; nothing was accepted", maxBatch))
		case int64(len(val)) > env.maxOne:
			ps.add(at, "is larger than %d bytes", env.maxOne)
			continue
		case val.Kind() != '{':
			ps.add(at, "must be an event, a JSON object")
			continue
		}
		evs = append(evs, event.Event{})
		if err := decodeOne(val, at, env, &evs[len(evs)-1], ps); err != nil {
			return nil, err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, syntaxError(err, body)
	}
	if err := atEnd(dec, body); err != nil {
		return nil, err
	}
	if len(evs) == 0 && len(*ps) == 0 {
		return nil, badRequest("the list is empty; send at least one event")
	}
	return evs, nil
}

// decodeOne reads one event from a JSON object. at is the pointer of the object.
// Only an error of syntax is returned; everything else is added to ps.
func decodeOne(raw []byte, at string, env *envelope, ev *event.Event, ps *problems) error {
	before := len(*ps)
	err := decodeEvent(raw, at, env, ev, ps, false)
	if err == nil && len(*ps) > before && ev.Data == nil && ev.Type != "" { // it was not read to its end: once more, for all that is wrong with it
		*ps = (*ps)[:before]
		err = decodeEvent(raw, at, env, ev, ps, true)
	}
	return err
}

// decodeEvent is decodeOne up to the first part of the data that does not fit or, with care, to the end.
func decodeEvent(raw []byte, at string, env *envelope, ev *event.Event, ps *problems, care bool) error {
	*ev = event.Event{Source: env.source, Mode: event.Live, Received: env.now, At: env.now, Actor: env.actor}
	before := len(*ps)
	if env.typ != "" {
		ev.Key, ev.Type = env.id, env.typ
		dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
		if err := decodeData(dec, raw, at, env, ev, ps, care); err != nil {
			return err
		}
		if len(*ps) > before {
			return nil
		}
		return atEnd(dec, raw)
	}

	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err, raw)
	}
	var late []byte // data that came before its type
	hasData := false
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return syntaxError(err, raw)
		}
		name := tok.String()
		if name == "data" {
			hasData = true
			if ev.Type == "" || care {
				v, err := dec.ReadValue()
				if err != nil {
					return syntaxError(err, raw)
				}
				late = bytes.Clone(v)
				continue
			}
			if err := decodeData(dec, raw, at, env, ev, ps, false); err != nil {
				return err
			}
			if len(*ps) > before && ev.Data == nil {
				return nil // the decoder stands in the middle of what it could not read
			}
			continue
		}
		v, err := dec.ReadValue()
		if err != nil {
			return syntaxError(err, raw)
		}
		envelopeField(name, v, at, env, ev, ps)
	}
	if _, err := dec.ReadToken(); err != nil {
		return syntaxError(err, raw)
	}
	if at == "" {
		if err := atEnd(dec, raw); err != nil {
			return err
		}
	}
	if ev.Key == "" {
		ev.Key = env.id
	}
	if ev.Key == "" && !mentioned(*ps, before, at+"/id") {
		ps.add(at+"/id", "is required: the sender's own id of this event, by which a repeated delivery is recognised")
	}
	if ev.Source == "" {
		ev.Source = DefaultSource
	}
	switch {
	case ev.Type == "":
		if !mentioned(*ps, before, at+"/type") {
			ps.add(at+"/type", "is required, like \"order.placed\"")
		}
	case !hasData:
		ps.add(at+"/data", "is required")
	case late != nil:
		return decodeData(jsontext.NewDecoder(bytes.NewBuffer(late)), late, at, env, ev, ps, care)
	}
	return nil
}

func mentioned(ps problems, from int, pointer string) bool {
	for _, p := range ps[from:] {
		if p.Pointer == pointer {
			return true
		}
	}
	return false
}

// DefaultSource is the source of events whose sender names none.
const DefaultSource = "api"

// reserved are the sources of Orderly's own doors: nobody outside speaks for them.
var reserved = map[string]bool{"console": true, "timer": true, "engine": true, "import": true, "orderly": true}

// envelopeField reads one field of the envelope other than data.
func envelopeField(name string, v jsontext.Value, at string, env *envelope, ev *event.Event, ps *problems) {
	pointer := at + "/" + name
	switch name {
	case "id", "source", "type", "time", "specversion", "datacontenttype":
	default:
		ps.add(at+"/"+escapePointer(name), "is not a field of an event; the fields are id, source, type, time and data")
		return
	}
	var s string
	if v.Kind() == 'n' && (name == "source" || name == "time") {
		return // null: as if it were not there
	}
	if v.Kind() != '"' {
		ps.add(pointer, "must be a text, got %s", kindName(v.Kind()))
		return
	}
	if b, err := jsontext.AppendUnquote(nil, v); err == nil { // the decoder has checked it
		s = string(b)
	}
	switch name {
	case "id":
		if why := badID(s); why != "" {
			ps.add(pointer, "%s", why)
			return
		}
		ev.Key = s
	case "source":
		switch why := badID(s); {
		case env.source != "" && s != env.source:
			ps.add(pointer, "is %q for this door; leave it out", env.source)
		case why != "":
			ps.add(pointer, "%s", why)
		case reserved[s]:
			ps.add(pointer, "%q is reserved for Orderly itself; choose another name", s)
		default:
			ev.Source = s
		}
	case "type":
		if !event.Known(s) {
			ps.add(pointer, "unknown event type %q; the types are %s", echo(s), strings.Join(submittable, ", "))
			return
		}
		if err := env.allowed(s); err != nil {
			ps.add(pointer, "%s", fault.Message(err))
			return
		}
		ev.Type = s
	case "time":
		t, err := time.Parse(time.RFC3339Nano, s)
		switch {
		case err != nil:
			ps.add(pointer, "must be a time like 2026-01-31T12:00:00Z, got %q", echo(s))
		case t.Before(earliest) || t.After(env.now.Add(latestAhead)):
			ps.add(pointer, "is %s; it must lie between the year 2000 and a day from now", t.UTC().Format(time.RFC3339))
		default:
			ev.At = t
		}
	case "specversion":
		if s != "1.0" {
			ps.add(pointer, "must be \"1.0\", got %q", echo(s))
		}
	case "datacontenttype":
		if s != "application/json" {
			ps.add(pointer, "must be \"application/json\", got %q", echo(s))
		}
	}
}

// badID says what is wrong with an id or source, or "".
func badID(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "must not be empty"
	case len(s) > event.MaxID:
		return fmt.Sprintf("is longer than %d bytes", event.MaxID)
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return fmt.Sprintf("contains the control character %#02x", s[i])
		}
	}
	return ""
}

// decodeData reads the payload from dec, which stands before it. Only an error
// of syntax is returned. With care all that does not fit is told, else the first.
func decodeData(dec *jsontext.Decoder, raw []byte, at string, env *envelope, ev *event.Event, ps *problems, care bool) error {
	base := at
	if env.typ == "" {
		base = at + "/data"
	}
	if dec.PeekKind() != '{' && dec.PeekKind() != 0 {
		ps.add(base, "must be a JSON object, got %s", kindName(dec.PeekKind()))
		if err := dec.SkipValue(); err != nil {
			return syntaxError(err, raw)
		}
		return nil
	}
	if care {
		if err := syntaxOnly(raw); err != nil {
			return err
		}
		return decodeRest(raw, base, ev.Type, ps)
	}
	p, ok := event.New(ev.Type)
	if !ok {
		return fault.New(fault.Internal, "api.decode", "event type %q vanished", ev.Type)
	}
	start, nested := dec.InputOffset(), dec.StackDepth() > 0
	if err := json.UnmarshalDecode(dec, p); err != nil {
		se, semantic := errors.AsType[*json.SemanticError](err)
		if !semantic {
			return syntaxError(err, raw)
		}
		pointer := string(se.JSONPointer)
		if nested { // the pointer begins at the envelope
			pointer = strings.TrimPrefix(pointer, "/data")
		}
		ps.add(base+pointer, "%s", typeProblem(se))
		return syntaxOnly(raw)
	}
	for _, q := range p.Validate() {
		ps.add(base+q.Pointer, "%s", q.Message)
	}
	ev.Data, ev.Subject = p, p.EventSubject()
	ev.Hash = payloadHash(raw[start:dec.InputOffset()], ev.Type, ev.Subject)
	return nil
}

// payloadHash is what tells a repeated event from a changed one: 128 bits of
// SHA-256 over the data without insignificant blanks, the type and the subject.
// raw may begin with the colon and blanks before the value.
func payloadHash(raw []byte, typ, subject string) string {
	for len(raw) > 0 && raw[0] != '{' {
		raw = raw[1:]
	}
	h := sha256.New()
	writeCompact(h, raw)
	var sep [1]byte
	h.Write(sep[:])
	io.WriteString(h, typ)
	h.Write(sep[:])
	io.WriteString(h, subject)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return hex.EncodeToString(sum[:16])
}

// writeCompact writes valid JSON without the blanks between its tokens, in as
// few pieces as possible: most senders write none.
func writeCompact(w io.Writer, raw []byte) {
	from := 0
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == '"':
			i = stringEnd(raw, i)
		case isSpace(c):
			w.Write(raw[from:i])
			for i < len(raw) && isSpace(raw[i]) {
				i++
			}
			from = i
		default:
			i++
		}
	}
	w.Write(raw[from:])
}

// stringEnd returns the index after the string that begins at raw[i].
func stringEnd(raw []byte, i int) int {
	for i++; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '"')
		if n < 0 {
			return len(raw)
		}
		i += n
		slashes := 0
		for raw[i-1-slashes] == '\\' {
			slashes++
		}
		i++
		if slashes%2 == 0 {
			return i
		}
	}
	return len(raw)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// checkDepth refuses nesting that no event has before anything recursive reads it.
func checkDepth(raw []byte) error {
	depth := 0
	for i := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i = stringEnd(raw, i)
			continue
		case '{', '[':
			if depth++; depth > maxDepth {
				return badRequest("the JSON is nested more than %d deep", maxDepth)
			}
		case '}', ']':
			depth--
		}
		i++
	}
	return nil
}

// atEnd refuses anything after the value.
func atEnd(dec *jsontext.Decoder, raw []byte) error {
	switch _, err := dec.ReadToken(); {
	case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil
	case err != nil:
		return syntaxError(err, raw)
	}
	return badRequest("there is something after the end of the JSON, at byte %d", dec.InputOffset())
}

func badRequest(format string, args ...any) error {
	return server.WithStatus(400, fault.New(fault.Invalid, "api.decode", format+"; nothing was accepted", args...))
}

func tooLarge(limit int64) error {
	return server.WithStatus(413, fault.New(fault.Invalid, "api.decode", "the body is larger than %d bytes; nothing was accepted", limit))
}

// syntaxError tells where JSON stops being JSON.
func syntaxError(err error, raw []byte) error {
	e := fault.New(fault.Invalid, "api.decode", "the body is not valid JSON; nothing was accepted")
	se, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		e.Message = "the JSON ends in the middle, as if it was cut off; nothing was accepted"
	case errors.Is(err, jsontext.ErrDuplicateName):
		e.Message = "the JSON is ambiguous; nothing was accepted"
		if ok {
			e.Problems = []fault.Problem{{Pointer: echo(string(se.JSONPointer)), Message: "stands twice in its object"}}
		}
	case ok:
		line, col := position(raw, se.ByteOffset)
		e.Problems = []fault.Problem{{Pointer: echo(string(se.JSONPointer)), Message: fmt.Sprintf("%s, at line %d, byte %d", echo(se.Err.Error()), line, col)}}
	}
	return server.WithStatus(400, e)
}

// position returns the line and the byte in it of an offset, from 1.
func position(raw []byte, offset int64) (line, col int) {
	head := raw[:max(0, min(int(offset), len(raw)))]
	return 1 + bytes.Count(head, []byte{'\n'}), len(head) - bytes.LastIndexByte(head, '\n')
}

// typeProblem says in the sender's terms what was expected.
func typeProblem(se *json.SemanticError) string {
	want := "must fit the event type"
	t := se.GoType
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == nil:
	case t == reflect.TypeFor[money.Amount]():
		want = "must be an amount as a text like \"12.34 EUR\""
	case t == reflect.TypeFor[time.Time]():
		want = "must be a time as a text like \"2026-01-31T12:00:00Z\""
	default:
		switch t.Kind() {
		case reflect.String:
			want = "must be a text"
		case reflect.Bool:
			want = "must be true or false"
		case reflect.Int, reflect.Int64, reflect.Int32:
			want = "must be a whole number"
		case reflect.Slice:
			want = "must be a list"
		case reflect.Map, reflect.Struct:
			want = "must be an object"
		}
	}
	got := kindName(se.JSONKind)
	if len(se.JSONValue) > 0 {
		got = echo(string(se.JSONValue))
	}
	if got == "" {
		return want
	}
	if t == reflect.TypeFor[money.Amount]() && se.Err != nil && se.JSONKind == '"' {
		return want + "; " + echo(se.Err.Error())
	}
	if t == reflect.TypeFor[time.Time]() && se.JSONKind == '"' {
		return want + "; this text is none"
	}
	return want + ", got " + got
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a text"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return ""
}

// echo repeats the sender's text, shortened and printable.
func echo(s string) string {
	if len(s) > maxEcho {
		s = s[:maxEcho] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(echo(s))
}

// appendString appends s as a JSON string; s is valid UTF-8 by its origin, and
// made so otherwise.
func appendString(b []byte, s string) []byte {
	out, err := jsontext.AppendQuote(b, s)
	if err != nil {
		out, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(s, "�"))
	}
	return out
}
