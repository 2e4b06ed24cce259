// Package event holds what happened: one envelope (the fields of CloudEvents
// 1.0) and one typed payload per type. Everything that enters Orderly, from a
// sales channel, a file, a clerk or a timer, is one of these.
package event

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"reflect"
	"sort"
	"strings"
	"time"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/fault"
)

// Mode says whether an event is life or history.
type Mode string

// History records facts of the past: it decides in shadow, moves stock at the
// opening location only and creates no effects.
const (
	Live    Mode = "live"
	History Mode = "history"
)

// Event is one thing that happened. (Source, Key) is the natural identity by
// which duplicates are recognised; ID is ours, minted once at the door.
type Event struct {
	ID       string // UUIDv7
	Seq      int64  // decided_seq: the order in which decisions were made
	Source   string // connection or door: "shop", "console", "timer", "engine"
	Key      string // the sender's id, unique within Source
	Type     string
	Subject  string    // what it is about: order id, SKU, task id, effect id
	At       time.Time // the one time decide knows
	Received time.Time
	Mode     Mode
	Actor    string // user or token that submitted it
	Cause    string // id of the event or effect this one follows from
	Depth    int    // 0 for outside events, +1 for each derivation
	Data     Payload
	Raw      []byte // the payload as received, without personal data; what the hash covers
	Hash     string // of the payload as received
	Who      Identity
	Gist     *Gist // of recorded events only: stands in for the personal data, which Data then lacks
}

// Identity is the buyer's keyed identity: hashes made at the door with the
// shop's secret, so that counting and look-ups never need the values. "" = not known.
type Identity struct {
	Customer string // customer id
	Email    string // velocity keys, one per dimension
	Address  string
	Device   string
	IP       string
}

// Payload is the typed data of one event type.
type Payload interface {
	// EventType is the type string, e.g. "order.placed".
	EventType() string
	// EventSubject is the id of the thing the event is about.
	EventSubject() string
	// Validate returns every problem with JSON pointers relative to the payload.
	Validate() []fault.Problem
}

// Personal is implemented by payloads that bring personal data. Strip returns
// the payload without it and the data apart; Fill is the inverse.
type Personal interface {
	Payload
	Strip() (Payload, customer.Personal)
	Fill(customer.Personal) Payload
}

func register(ps ...Payload) map[string]reflect.Type {
	m := make(map[string]reflect.Type, len(ps))
	for _, p := range ps {
		m[p.EventType()] = reflect.TypeOf(p).Elem()
	}
	return m
}

// Types returns every event type, sorted.
func Types() []string {
	ts := make([]string, 0, len(payloads))
	for t := range payloads {
		ts = append(ts, t)
	}
	sort.Strings(ts)
	return ts
}

// Known reports whether t is an event type.
func Known(t string) bool { _, ok := payloads[t]; return ok }

// Decode reads the payload of a type from JSON. Unknown fields are ignored,
// as a newer sender may send more; Validate is not called.
func Decode(typ string, data []byte) (Payload, error) { return DecodeText(typ, string(data)) }

// DecodeText is Decode of a text. The payload's strings may share its memory.
func DecodeText(typ, text string) (Payload, error) {
	t, ok := payloads[typ]
	if !ok {
		return nil, fault.New(fault.Invalid, "event.Decode", "unknown event type %q; known types: %s", typ, strings.Join(Types(), ", "))
	}
	if typ == "order.placed" { // most of what there is to read
		var p OrderPlaced
		if scanOrder(text, &p) {
			return &p, nil
		}
	}
	p := reflect.New(t).Interface().(Payload)
	if err := json.Unmarshal([]byte(text), p); err != nil {
		return nil, jsonProblem(err)
	}
	return p, nil
}

// Encode writes a payload as JSON.
func Encode(p Payload) ([]byte, error) { return json.Marshal(p) }

var b32 = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Derive returns a short stable id with a prefix from parts: the same parts
// give the same id on every node and in every replay. 80 bits.
func Derive(prefix string, parts ...string) string {
	var buf [256]byte
	b := buf[:0]
	for _, p := range parts {
		b = append(b, p...)
		b = append(b, 0)
	}
	sum := sha256.Sum256(b)
	var out [32]byte
	n := copy(out[:], prefix)
	b32.Encode(out[n:n+16], sum[:10])
	return string(out[:n+16])
}

// OrderID is the id of the order with a channel's external number. Its first six
// characters are the same for numbers that differ in their last three only:
// orders placed one after another stand side by side in every index, and a commit touches few pages of it.
func OrderID(channel, number string) string {
	near := Derive("", "orders", channel, number[:max(0, len(number)-3)])
	own := Derive("", "order", channel, number)
	return "ord_" + near[:6] + own[:10]
}
