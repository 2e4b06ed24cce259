package api

import (
	"context"
	"encoding/json"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// Reader answers the reads. Orders are named by Orderly's id; what does not
// exist is fault.NotFound.
type Reader interface {
	Order(ctx context.Context, id string) (Order, error)
	Orders(ctx context.Context, q OrdersQuery) (OrderList, error)
	Stock(ctx context.Context, sku string) (Stock, error)
}

// Explainer tells whether automations fired for an order, and why.
type Explainer interface {
	// Why tells about one automation, or about all that were considered when automation is "".
	Why(ctx context.Context, order, automation string) ([]Why, error)
}

// Order is an order as the API shows it: without names, mail addresses and street lines.
type Order struct {
	ID           string        `json:"id" doc:"Orderly's id" example:"ord_7m2k9q4w8x1c5v3b"`
	Channel      string        `json:"channel" doc:"The sales channel it came from"`
	Number       string        `json:"number" doc:"The channel's own order number"`
	State        string        `json:"state" doc:"Where it stands in the order's life" enum:"expected,held,awaiting_payment,unfillable,backordered,ready,partially_shipped,shipped,completed,cancelled"`
	Payment      string        `json:"payment" doc:"pending, authorized or paid"`
	Mode         string        `json:"mode" enum:"live,history" doc:"history: recorded from the past, nothing was sent"`
	PlacedAt     time.Time     `json:"placed_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
	CustomerID   string        `json:"customer_id,omitempty"`
	Country      string        `json:"country,omitempty" doc:"Where it ships to, ISO 3166-1 alpha-2"`
	Total        money.Amount  `json:"total" doc:"As a text" example:"129.90 EUR"`
	Units        int64         `json:"units"`
	Captured     *money.Amount `json:"captured,omitempty"`
	Refunded     *money.Amount `json:"refunded,omitempty"`
	Lines        []OrderLine   `json:"lines,omitempty" doc:"Left out in lists"`
	Allocations  []Allocation  `json:"allocations,omitempty" doc:"What each location ships; left out in lists"`
	Missing      []SKUQty      `json:"missing,omitempty" doc:"What no location could give"`
	Holds        []Hold        `json:"holds,omitempty" doc:"Why it may not go on"`
	Tags         []string      `json:"tags,omitempty"`
	Parcels      int           `json:"parcels,omitempty"`
	PromisedTime *time.Time    `json:"promise,omitempty" doc:"When the last parcel should arrive"`
}

// OrderLine is one line as ordered.
type OrderLine struct {
	SKU       string       `json:"sku"`
	Title     string       `json:"title,omitempty"`
	Qty       int64        `json:"qty"`
	UnitPrice money.Amount `json:"unit_price" example:"49.90 EUR"`
}

// Allocation is what one location ships of one SKU.
type Allocation struct {
	SKU      string `json:"sku"`
	Location string `json:"location"`
	Qty      int64  `json:"qty"`
	Shipped  int64  `json:"shipped"`
}

// SKUQty is a quantity of one SKU.
type SKUQty struct {
	SKU string `json:"sku"`
	Qty int64  `json:"qty"`
}

// Hold is a reason an order may not go on.
type Hold struct {
	Automation string `json:"automation,omitempty" doc:"Left out when a person put it"`
	Reason     string `json:"reason"`
	Task       string `json:"task,omitempty"`
}

// OrdersQuery narrows and pages a list of orders.
type OrdersQuery struct {
	States   []string
	Channel  string
	Country  string
	Payment  string
	Customer string
	From, To time.Time // placed; To exclusive
	Search   string
	Oldest   bool // oldest first; default newest first
	Cursor   string
	Limit    int
}

// OrderList is one page of orders.
type OrderList struct {
	Orders []Order `json:"orders"`
	Next   string  `json:"next,omitempty" doc:"Cursor of the next page; left out on the last"`
}

// Stock is what there is of one SKU.
type Stock struct {
	SKU       string       `json:"sku"`
	Title     string       `json:"title,omitempty"`
	OnHand    int64        `json:"on_hand" doc:"Over all locations"`
	Reserved  int64        `json:"reserved"`
	Available int64        `json:"available" doc:"on_hand less reserved, before safety stock"`
	LowAt     int64        `json:"low_at,omitempty" doc:"Below this the stock is low"`
	Low       bool         `json:"low"`
	Locations []StockLevel `json:"locations"`
}

// StockLevel is what one location keeps of a SKU.
type StockLevel struct {
	Location  string `json:"location"`
	OnHand    int64  `json:"on_hand"`
	Reserved  int64  `json:"reserved"`
	Available int64  `json:"available"`
}

// Why is whether an automation fired for an order, and which part of its condition decided.
type Why struct {
	Automation string          `json:"automation"`
	Mode       string          `json:"mode"`
	Why        string          `json:"why" doc:"The sentence its owner gave"`
	EventType  string          `json:"event_type"`
	EventID    string          `json:"event_id"`
	At         time.Time       `json:"at"`
	Outcome    string          `json:"outcome" enum:"true,false,unknown"`
	Fired      bool            `json:"fired" doc:"The condition held and the automation's mode let it act"`
	NotDone    string          `json:"not_done,omitempty" doc:"Why it did nothing although its condition held"`
	Reason     string          `json:"reason" doc:"One line: which part decided, with which values"`
	Did        []string        `json:"did,omitempty" doc:"What it did, or would have done"`
	Tree       json.RawMessage `json:"tree,omitempty" doc:"The condition part by part with the values read"`
}

// orderID turns a reference to an order into Orderly's id.
func orderID(ref string) (id string, ok bool) {
	for i := range len(ref) {
		if ref[i] == ':' && i > 0 && i < len(ref)-1 {
			return event.OrderID(ref[:i], ref[i+1:]), true
		}
	}
	return ref, ref != "" && len(ref) <= event.MaxID
}

// OrderID returns Orderly's id of an order that is named by id or by "channel:number".
func OrderID(ref string) string {
	id, _ := orderID(ref)
	return id
}
