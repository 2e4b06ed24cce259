package api

import (
	"context"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// Viewer is the read side of the store; *store.DB implements it.
type Viewer interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
}

// Stored is the Reader over the store.
type Stored struct{ DB Viewer }

// Order implements Reader.
func (s Stored) Order(ctx context.Context, id string) (o Order, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		docs, err := store.Orders(tx, []string{id})
		if err != nil {
			return err
		}
		doc, ok := docs[id]
		if !ok {
			return fault.New(fault.NotFound, "api.Order", "there is no order %s; name it by its id, or by channel:number", echo(id))
		}
		o = orderOf(doc.Order)
		return nil
	})
	return o, err
}

func orderOf(d *order.Order) Order {
	o := Order{
		ID: d.ID, Channel: d.Channel, Number: d.Number, State: string(d.State), Payment: d.Payment, Mode: string(d.Mode),
		PlacedAt: d.PlacedAt, UpdatedAt: d.UpdatedAt, CustomerID: d.CustomerID, Country: d.Shipping.Country, Total: d.Total,
		Units: d.Units(), Captured: some(d.Captured), Refunded: some(d.Refunded), Tags: d.Tags, Parcels: d.Parcels,
	}
	if !d.Promise.IsZero() {
		o.PromisedTime = &d.Promise
	}
	for _, l := range d.Lines {
		o.Lines = append(o.Lines, OrderLine{l.SKU, l.Title, l.Qty, l.UnitPrice})
	}
	for _, a := range d.Allocations {
		o.Allocations = append(o.Allocations, Allocation{a.SKU, a.Location, a.Qty, a.Shipped})
	}
	for _, m := range d.Missing {
		o.Missing = append(o.Missing, SKUQty{m.SKU, m.Qty})
	}
	for _, h := range d.Holds {
		o.Holds = append(o.Holds, Hold{h.Automation, h.Text, h.TaskID})
	}
	return o
}

func some(a money.Amount) *money.Amount {
	if a.Nothing() {
		return nil
	}
	return &a
}

// Orders implements Reader.
func (s Stored) Orders(ctx context.Context, q OrdersQuery) (OrderList, error) {
	f := store.OrderFilter{
		Channel: q.Channel, Country: q.Country, Payment: q.Payment, Customer: q.Customer, From: q.From, To: q.To, Search: q.Search,
		Sort: store.SortNewest, Cursor: q.Cursor, Limit: q.Limit,
	}
	if q.Oldest {
		f.Sort = store.SortOldest
	}
	for _, st := range q.States {
		f.States = append(f.States, order.State(st))
	}
	list := OrderList{Orders: []Order{}}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		page, err := tx.OrdersPage(f)
		if err != nil {
			return err
		}
		list = OrderList{Orders: make([]Order, 0, len(page.Rows)), Next: page.Next}
		for _, r := range page.Rows {
			list.Orders = append(list.Orders, Order{
				ID: r.ID, Channel: r.Channel, Number: r.Number, State: string(r.State), Payment: r.Payment, Mode: string(r.Mode),
				PlacedAt: r.PlacedAt, UpdatedAt: r.UpdatedAt, CustomerID: r.CustomerID, Country: r.Country, Total: r.Total, Units: r.Units,
			})
		}
		return nil
	})
	return list, err
}

// Stock implements Reader.
func (s Stored) Stock(ctx context.Context, sku string) (st Stock, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		r, err := tx.StockOf(sku)
		if err != nil {
			return err
		}
		st = Stock{
			SKU: r.SKU, Title: r.Title, OnHand: r.OnHand, Reserved: r.Reserved, Available: r.Available(), LowAt: r.LowAt, Low: r.Low,
			Locations: make([]StockLevel, 0, len(r.Levels)),
		}
		for _, l := range r.Levels {
			st.Locations = append(st.Locations, StockLevel{l.Location, l.OnHand, l.Reserved, l.Available()})
		}
		return nil
	})
	return st, err
}
