package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/risk"
)

// prepared is an event ready for the group: with its id, its stored form and its keyed identity.
type prepared struct {
	ev       event.Event
	personal customer.Personal // to be sealed under the customer's key
	hasPD    bool
	customer string // whose key seals it
	failed   error  // why its decision failed
	parent   string // traceparent of the request that brought it; "" when nothing is traced
	again    bool   // it was quarantined and is decided again: its identity is known
}

// prepare mints the id and takes the personal data apart. It runs in the
// caller's goroutine: the committer only does what must be serial.
func (e *Engine) prepare(ev *event.Event, p *prepared) error {
	if ev.Data == nil {
		return fault.New(fault.Internal, "engine.prepare", "an event without data was submitted")
	}
	if ev.Type == "" {
		ev.Type = ev.Data.EventType()
	}
	ev.Subject = ev.Data.EventSubject()
	if ev.Mode == "" {
		ev.Mode = event.Live
	}
	if ev.Received.IsZero() {
		ev.Received = e.now()
	}
	if ev.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fault.Wrap(err, fault.Internal, "engine.prepare", "no event id could be made")
		}
		ev.ID = id.String()
	}
	if ev.Source == "" || ev.Key == "" {
		return fault.New(fault.Internal, "engine.prepare", "an event needs a source and a key")
	}
	stored := ev.Data
	if pd, ok := ev.Data.(event.Personal); ok {
		stored, p.personal = pd.Strip()
		p.hasPD = p.personal != (customer.Personal{})
	}
	if placed, ok := ev.Data.(*event.OrderPlaced); ok {
		ev.Who = risk.Identify(e.keys.Hash, placed)
	}
	raw, err := event.Encode(stored)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "engine.prepare", "the event could not be encoded")
	}
	ev.Raw = raw
	if ev.Hash == "" {
		// A door that has the bytes as they came hashes those; here the typed payload stands for them.
		full, err := event.Encode(ev.Data)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "engine.prepare", "the event could not be encoded")
		}
		sum := sha256.Sum256(append(append(full, 0), ev.Type...))
		ev.Hash = hex.EncodeToString(sum[:16])
	}
	p.ev = *ev
	p.customer = ev.Who.Customer
	if p.hasPD && p.customer == "" {
		// A buyer without mail and id still has an address to protect: the order stands for the customer.
		p.customer = "cus_" + strings.TrimPrefix(ev.Subject, "ord_")
		p.ev.Who.Customer = p.customer
	}
	return nil
}
