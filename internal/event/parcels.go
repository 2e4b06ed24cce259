package event

import (
	"fmt"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

// ReturnReceived says that goods came back. Lines carry positive quantities.
type ReturnReceived struct {
	Channel  string       `json:"channel"`
	Number   string       `json:"number"`          // the return's own number (RMA or credit note)
	Order    string       `json:"order,omitempty"` // the order's external number, when known
	Location string       `json:"location,omitempty"`
	Lines    []Line       `json:"lines"`
	Amount   money.Amount `json:"amount,omitzero"` // value of the lines; left out: qty × unit_price
}

// ShippedLine is a quantity of one SKU in a parcel.
type ShippedLine struct {
	SKU string `json:"sku"`
	Qty int64  `json:"qty"`
}

// ShipmentShipped says that a location handed a parcel over.
type ShipmentShipped struct {
	Channel  string        `json:"channel"`
	Number   string        `json:"number"`
	Location string        `json:"location"`
	Lines    []ShippedLine `json:"lines,omitempty"` // left out: all that this location has reserved for the order
	Tracking string        `json:"tracking,omitempty"`
	Carrier  string        `json:"carrier,omitempty"`
}

// ShipmentRejected says that a location will not ship its part.
type ShipmentRejected struct {
	Channel  string `json:"channel"`
	Number   string `json:"number"`
	Location string `json:"location"`
	Reason   string `json:"reason,omitempty"`
}

func (*ReturnReceived) EventType() string   { return "return.received" }
func (*ShipmentShipped) EventType() string  { return "shipment.shipped" }
func (*ShipmentRejected) EventType() string { return "shipment.rejected" }

// EventSubject is the order the goods belong to when it is known, else the return itself.
func (p *ReturnReceived) EventSubject() string {
	if p.Order != "" {
		return OrderID(p.Channel, p.Order)
	}
	return Derive("ret_", "return", p.Channel, p.Number)
}

func (p *ShipmentShipped) EventSubject() string  { return OrderID(p.Channel, p.Number) }
func (p *ShipmentRejected) EventSubject() string { return OrderID(p.Channel, p.Number) }

// Validate implements Payload.
func (p *ReturnReceived) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.text("/order", p.Order)
	c.text("/location", p.Location)
	if len(p.Lines) == 0 {
		c.add("/lines", "is required: at least one line came back")
	}
	if len(p.Lines) > MaxLines {
		c.add("/lines", "has %d lines; the limit is %d", len(p.Lines), MaxLines)
		return c.ps
	}
	for i := range p.Lines {
		l := &p.Lines[i]
		at := fmt.Sprintf("/lines/%d", i)
		c.id(at+"/sku", l.SKU)
		c.qty(at+"/qty", l.Qty)
		c.amount(at+"/unit_price", l.UnitPrice, p.Lines[0].UnitPrice.Currency, false)
		if l.UnitPrice.Minor > maxMinor/MaxQty {
			c.add(at+"/unit_price", "is too large")
		}
	}
	c.amount("/amount", p.Amount, p.Amount.Currency, false)
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentShipped) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.id("/location", p.Location)
	c.text("/tracking", p.Tracking)
	c.text("/carrier", p.Carrier)
	if len(p.Lines) > MaxLines {
		c.add("/lines", "has %d lines; the limit is %d", len(p.Lines), MaxLines)
		return c.ps
	}
	for i, l := range p.Lines {
		c.id(fmt.Sprintf("/lines/%d/sku", i), l.SKU)
		c.qty(fmt.Sprintf("/lines/%d/qty", i), l.Qty)
	}
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentRejected) Validate() []fault.Problem {
	c := numbered(p.Channel, p.Number)
	c.id("/location", p.Location)
	c.text("/reason", p.Reason)
	return c.ps
}

// ShipmentLabelled says that a label was made for a parcel.
type ShipmentLabelled struct {
	Channel  string `json:"channel"`
	Number   string `json:"number"`
	Location string `json:"location,omitempty"`
	Tracking string `json:"tracking,omitempty"`
	Carrier  string `json:"carrier,omitempty"`
}

// ShipmentScanned says that the carrier has seen a parcel on its way.
type ShipmentScanned struct {
	Channel  string `json:"channel"`
	Number   string `json:"number"`
	Tracking string `json:"tracking,omitempty"`
	Carrier  string `json:"carrier,omitempty"`
	Place    string `json:"place,omitempty"` // where it was seen, as the carrier writes it
}

// ShipmentDelivered says that a parcel has reached the buyer.
type ShipmentDelivered struct {
	Channel  string `json:"channel"`
	Number   string `json:"number"`
	Tracking string `json:"tracking,omitempty"`
	Carrier  string `json:"carrier,omitempty"`
}

func (*ShipmentLabelled) EventType() string  { return "shipment.labelled" }
func (*ShipmentScanned) EventType() string   { return "shipment.scanned" }
func (*ShipmentDelivered) EventType() string { return "shipment.delivered" }

func (p *ShipmentLabelled) EventSubject() string  { return OrderID(p.Channel, p.Number) }
func (p *ShipmentScanned) EventSubject() string   { return OrderID(p.Channel, p.Number) }
func (p *ShipmentDelivered) EventSubject() string { return OrderID(p.Channel, p.Number) }

func tracked(channel, number, tracking, carrier string) *checker {
	c := numbered(channel, number)
	c.text("/tracking", tracking)
	c.text("/carrier", carrier)
	return c
}

// Validate implements Payload.
func (p *ShipmentLabelled) Validate() []fault.Problem {
	c := tracked(p.Channel, p.Number, p.Tracking, p.Carrier)
	c.text("/location", p.Location)
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentScanned) Validate() []fault.Problem {
	c := tracked(p.Channel, p.Number, p.Tracking, p.Carrier)
	c.text("/place", p.Place)
	return c.ps
}

// Validate implements Payload.
func (p *ShipmentDelivered) Validate() []fault.Problem {
	return tracked(p.Channel, p.Number, p.Tracking, p.Carrier).ps
}
