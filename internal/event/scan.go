package event

import (
	"time"

	"orderly.example/orderly/internal/jsonscan"
	"orderly.example/orderly/internal/money"
)

// scanOrder reads an order as Encode wrote it, some eight times faster than
// encoding/json. false stands for whatever was written otherwise. The strings share the text's memory.
func scanOrder(text string, p *OrderPlaced) bool {
	t := jsonscan.Of(text)
	t.Object()
	str(&t, "channel", &p.Channel)
	str(&t, "number", &p.Number)
	instant(&t, "placed_at", &p.PlacedAt)
	str(&t, "currency", &p.Currency)
	if t.Key("lines") {
		p.Lines = make([]Line, 0, 4)
		for t.Array(); t.More(); {
			p.Lines = append(p.Lines, Line{})
			scanLine(&t, &p.Lines[len(p.Lines)-1])
		}
	}
	amount(&t, "shipping_cost", &p.ShippingCost)
	amount(&t, "discount", &p.Discount)
	amount(&t, "total", &p.Total)
	if t.Key("customer") {
		t.Object()
		str(&t, "id", &p.Customer.ID)
		str(&t, "email", &p.Customer.Email)
		str(&t, "name", &p.Customer.Name)
		str(&t, "phone", &p.Customer.Phone)
		instant(&t, "signed_up", &p.Customer.SignedUp)
		t.End()
	}
	address(&t, "shipping", &p.Shipping)
	address(&t, "billing", &p.Billing)
	if t.Key("payment") {
		t.Object()
		str(&t, "status", &p.Payment.Status)
		str(&t, "method", &p.Payment.Method)
		t.End()
	}
	str(&t, "ip", &p.IP)
	str(&t, "device", &p.Device)
	str(&t, "service", &p.Service)
	if t.Key("tags") {
		p.Tags = make([]string, 0, 2)
		for t.Array(); t.More(); {
			p.Tags = append(p.Tags, t.String())
		}
	}
	str(&t, "note", &p.Note)
	if t.Key("attributes") {
		p.Attributes = map[string]string{}
		t.Object()
		for {
			name, ok := t.AnyKey()
			if !ok {
				break
			}
			p.Attributes[name] = t.String()
		}
		t.End()
	}
	t.End()
	return t.Whole()
}

func scanLine(t *jsonscan.Text, l *Line) {
	t.Object()
	str(t, "sku", &l.SKU)
	str(t, "title", &l.Title)
	if t.Key("qty") {
		l.Qty = t.Int()
	}
	amount(t, "unit_price", &l.UnitPrice)
	str(t, "location", &l.Location)
	t.End()
}

func address(t *jsonscan.Text, name string, a *Address) {
	if !t.Key(name) {
		return
	}
	t.Object()
	str(t, "name", &a.Name)
	str(t, "line1", &a.Line1)
	str(t, "line2", &a.Line2)
	str(t, "city", &a.City)
	str(t, "region", &a.Region)
	str(t, "postal", &a.Postal)
	str(t, "country", &a.Country)
	t.End()
}

func str(t *jsonscan.Text, name string, to *string) {
	if t.Key(name) {
		*to = t.String()
	}
}

func instant(t *jsonscan.Text, name string, to *time.Time) {
	if t.Key(name) && to.UnmarshalText([]byte(t.Plain())) != nil {
		t.Bad()
	}
}

func amount(t *jsonscan.Text, name string, to *money.Amount) {
	if !t.Key(name) {
		return
	}
	s := t.String()
	if s == "" {
		return
	}
	var err error
	if *to, err = money.ParseText(s); err != nil {
		t.Bad()
	}
}
