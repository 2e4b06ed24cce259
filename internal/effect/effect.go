// Package effect holds intents: what must leave the program, each with the key that makes it happen once.
package effect

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
)

// Kind of effect.
type Kind string

// The kinds of effects.
const (
	Mail    Kind = "mail"    // a message to a customer or a person of the shop
	Webhook Kind = "webhook" // a signed POST, e.g. a fulfilment request
	Alert   Kind = "alert"   // an incident told to its owner, by mail and by the alert webhook
)

// State of an effect. Done, Dead and Cancelled are terminal for delivery; a person may replay Dead.
type State string

// The states of an effect.
const (
	Pending   State = "pending" // due at Due
	Claimed   State = "claimed" // an attempt is running under Fence
	Done      State = "done"
	Dead      State = "dead"      // failed for good: a dead letter
	Cancelled State = "cancelled" // withdrawn before it was sent
)

// Effect is one intent. Key is unique in the shop for ever: the same intent,
// caused twice, is one row. ID is derived from Key and is the idempotency key
// given to the destination.
type Effect struct {
	ID          string
	Key         string // e.g. mail:order-confirmation:ord_x
	Kind        Kind
	Destination string // connection name
	OrderID     string
	CustomerID  string
	EventID     string // cause
	Automation  string // "" when built in
	Payload     Payload
	State       State
	Attempts    int
	Fence       int64 // attempt number of the running claim
	LastError   string
	Unsure      bool // an attempt may have arrived: its answer never came
	Created     time.Time
	Due         time.Time
	DoneAt      time.Time
	Receipt     string // the destination's own id or status line
}

// Payload is what the connector needs; only the part of its kind is set. A mail
// names its recipient by Recipient only: the address of a customer is read
// from sealed data when it is sent, and so is not copied here.
type Payload struct {
	Purpose   string            // order-confirmation, low-stock, daily-report, fulfilment, alert …
	Template  string            // notify template name
	Recipient string            // "customer", or an address of the shop's own staff
	Data      map[string]string // facts for the template or body, no personal data
	Body      []byte            // webhook: the JSON body without personal data; completed on sending
	Personal  bool              // webhook: add the sealed address of the order on sending
	Answer    *Answer           // webhook: the answer is wanted
	Same      string            // id of an earlier intent that this one does again; its idempotency key counts
}

// Answer says for whom the answer to a webhook is, and what to take from it.
type Answer struct {
	Run     string
	Returns map[string]string // field of the JSON -> its type
}

// ID is the id of the intent with a key: the same key gives the same id. The
// effects of one order stand side by side in the index.
func ID(key, orderID string) string {
	h := event.Derive("", key)
	if order, ok := strings.CutPrefix(orderID, "ord_"); ok {
		return "eff_" + order + h[:8]
	}
	return "eff_" + h
}
