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
	"orderly.example/orderly/internal/store"
)

// prepared is an event ready for the group: with its id, its stored form and its keyed identity.
type prepared struct {
	ev       event.Event
	personal customer.Personal // to be sealed under the customer's key
	hasPD    bool
	customer string // whose key seals it
	failed   error  // why its decision failed
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
		ev.Who = e.identify(placed)
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

// identify hashes what identifies the buyer under the shop's own key.
func (e *Engine) identify(p *event.OrderPlaced) event.Identity { return Identify(e.keys, p) }

// Identify is the keyed identity of a buyer, from hashes under the shop's own key.
func Identify(keys *store.Keyring, p *event.OrderPlaced) event.Identity {
	var who event.Identity
	if mail := risk.Email(p.Customer.Email); mail != "" {
		who.Email = "e" + keys.Hash("email", mail)
		who.Customer = "cus_" + who.Email[1:]
	} else if p.Customer.ID != "" {
		who.Customer = "cus_" + keys.Hash("customer", p.Channel+"\x00"+p.Customer.ID)
	}
	if a := risk.Address(p.Shipping.Country, p.Shipping.Postal, p.Shipping.Line1); a != "" {
		who.Address = "a" + keys.Hash("address", a)
	}
	if p.Device != "" {
		who.Device = "d" + keys.Hash("device", p.Device)
	}
	if p.IP != "" {
		who.IP = "i" + keys.Hash("ip", p.IP)
	}
	return who
}
