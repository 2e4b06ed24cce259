// Package customer holds who buys: counts that rules read, and personal data under a key per customer.
package customer

import (
	"slices"
	"time"

	"orderly.example/orderly/internal/money"
)

// Customer is what rules and reviewers know of a buyer. Personal data is not
// here: it stands sealed beside the orders and events that brought it.
type Customer struct {
	ID        string // hash of the normalised mail address, or of channel and external id
	Orders    int64  // orders placed and not cancelled
	Cancelled int64
	Returns   int64
	Spent     money.Amount // sum of placed totals in the first currency seen
	FirstAt   time.Time    // first order
	LastAt    time.Time
	Tags      []string // as the newest order that told them has them
}

// Ordered counts an order that was placed. Its tags of the customer replace those of
// earlier orders; nil means that the channel did not tell any.
func (c *Customer) Ordered(at time.Time, total money.Amount, tags []string) {
	if tags != nil && !at.Before(c.LastAt) {
		c.Tags = slices.Clone(tags)
	}
	c.Orders++
	if c.FirstAt.IsZero() || at.Before(c.FirstAt) {
		c.FirstAt = at
	}
	if at.After(c.LastAt) {
		c.LastAt = at
	}
	if c.Spent.Currency == "" || c.Spent.Currency == total.Currency {
		c.Spent = c.Spent.Add(total)
	}
}

// Cancel takes an order that was cancelled off the count.
func (c *Customer) Cancel() {
	c.Cancelled++
	if c.Orders > 0 {
		c.Orders--
	}
}

// Personal is the data that erasure destroys. It is sealed under the customer's key
// wherever it is stored and stands in no log.
type Personal struct {
	Name          string `json:"name,omitempty"`
	Email         string `json:"email,omitempty"`
	Phone         string `json:"phone,omitempty"`
	ShippingName  string `json:"shipping_name,omitempty"`
	ShippingLine1 string `json:"shipping_line1,omitempty"`
	ShippingLine2 string `json:"shipping_line2,omitempty"`
	BillingName   string `json:"billing_name,omitempty"`
	BillingLine1  string `json:"billing_line1,omitempty"`
	BillingLine2  string `json:"billing_line2,omitempty"`
	IP            string `json:"ip,omitempty"`
}
