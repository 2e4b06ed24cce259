package engine

import (
	"context"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// WriteMail writes the mail that a template's text makes of an order, or of an example when id is "". Nothing
// leaves. What an order does not tell by itself, such as a reason or a parcel's number, is the example's; so is the
// customer, unless personal. A text that is no template is a fault.Invalid with the lines.
func (e *Engine) WriteMail(ctx context.Context, name, text, id string, personal bool) (notify.Rendered, error) {
	t, err := notify.Parse(name, []byte(text))
	if err != nil {
		return notify.Rendered{}, err
	}
	data := notify.Sample()
	if s := e.Policy().Settings; s.Name != "" {
		data.Shop = notify.Shop{Name: s.Name, Zone: s.TimeZone}
	}
	if id != "" {
		if err := e.example(ctx, &data, id, personal); err != nil {
			return notify.Rendered{}, err
		}
	}
	return notify.Render(t, data)
}

// example puts an order of the shop into the place of the sample's.
func (e *Engine) example(ctx context.Context, data *notify.Data, id string, personal bool) error {
	var o *order.Order
	var sealed, key string
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		o, sealed, key, err = tx.OrderByID(id)
		return err
	})
	if err != nil {
		return err
	}
	invented := data.Order.Address
	if personal {
		var pd customer.Personal
		if pd, err = e.keys.Open(o.CustomerID, key, sealed); err != nil {
			return err
		}
		data.Order, data.Customer.Name = orderData(o, pd), pd.Name
	} else {
		data.Order = orderData(o, customer.Personal{})
		data.Order.Address = invented
	}
	data.Shipment.Lines = nil
	for _, l := range data.Order.Lines {
		data.Shipment.Lines = append(data.Shipment.Lines, notify.Line{SKU: l.SKU, Title: l.Title, Qty: l.Qty})
	}
	return nil
}
