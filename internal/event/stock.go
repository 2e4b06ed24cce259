package event

import (
	"orderly.example/orderly/internal/fault"
)

// StockReceived adds units from a supplier.
type StockReceived struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Qty      int64  `json:"qty"`
	Note     string `json:"note,omitempty"`
}

// StockCounted sets on hand to what was counted.
type StockCounted struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	OnHand   int64  `json:"on_hand"`
	Note     string `json:"note,omitempty"`
}

// StockAdjusted changes on hand by Delta: damage, loss, find.
type StockAdjusted struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Delta    int64  `json:"delta"`
	Reason   string `json:"reason,omitempty"`
}

// StockTransferred moves units between two locations.
type StockTransferred struct {
	SKU  string `json:"sku"`
	From string `json:"from"`
	To   string `json:"to"`
	Qty  int64  `json:"qty"`
}

// StockLow is derived: available over all locations crossed the product's line.
type StockLow struct {
	SKU       string `json:"sku"`
	Available int64  `json:"available"`
	LowAt     int64  `json:"low_at"`
}

func (*StockReceived) EventType() string         { return "stock.received" }
func (*StockCounted) EventType() string          { return "stock.counted" }
func (*StockAdjusted) EventType() string         { return "stock.adjusted" }
func (*StockTransferred) EventType() string      { return "stock.transferred" }
func (*StockLow) EventType() string              { return "stock.low" }
func (p *StockReceived) EventSubject() string    { return p.SKU }
func (p *StockCounted) EventSubject() string     { return p.SKU }
func (p *StockAdjusted) EventSubject() string    { return p.SKU }
func (p *StockTransferred) EventSubject() string { return p.SKU }
func (p *StockLow) EventSubject() string         { return p.SKU }

func skuAt(sku, location string) *checker {
	c := &checker{}
	c.id("/sku", sku)
	c.id("/location", location)
	return c
}

// Validate implements Payload.
func (p *StockReceived) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	c.qty("/qty", p.Qty)
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *StockCounted) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	if p.OnHand < 0 || p.OnHand > MaxQty {
		c.add("/on_hand", "must be between 0 and %d, got %d", MaxQty, p.OnHand)
	}
	c.text("/note", p.Note)
	return c.ps
}

// Validate implements Payload.
func (p *StockAdjusted) Validate() []fault.Problem {
	c := skuAt(p.SKU, p.Location)
	if p.Delta == 0 || p.Delta > MaxQty || p.Delta < -MaxQty {
		c.add("/delta", "must be a change between -%d and %d, got %d", MaxQty, MaxQty, p.Delta)
	}
	c.text("/reason", p.Reason)
	return c.ps
}

// Validate implements Payload.
func (p *StockTransferred) Validate() []fault.Problem {
	var c checker
	c.id("/sku", p.SKU)
	c.id("/from", p.From)
	c.id("/to", p.To)
	if p.From == p.To {
		c.add("/to", "must differ from /from")
	}
	c.qty("/qty", p.Qty)
	return c.ps
}

// Validate implements Payload.
func (p *StockLow) Validate() []fault.Problem { var c checker; c.id("/sku", p.SKU); return c.ps }
