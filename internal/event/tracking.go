package event

import "orderly.example/orderly/internal/fault"

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
