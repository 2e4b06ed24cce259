package event

import "orderly.example/orderly/internal/customer"

// Strip implements Personal: names, mail, phone, street lines and the IP
// address leave the payload; country, postal code, city and region stay, as
// routing and reports need them.
func (p *OrderPlaced) Strip() (Payload, customer.Personal) {
	q := *p
	pd := customer.Personal{
		Name: p.Customer.Name, Email: p.Customer.Email, Phone: p.Customer.Phone,
		ShippingName: p.Shipping.Name, ShippingLine1: p.Shipping.Line1, ShippingLine2: p.Shipping.Line2,
		BillingName: p.Billing.Name, BillingLine1: p.Billing.Line1, BillingLine2: p.Billing.Line2,
		IP: p.IP,
	}
	q.Customer.Name, q.Customer.Email, q.Customer.Phone = "", "", ""
	q.Shipping.Name, q.Shipping.Line1, q.Shipping.Line2 = "", "", ""
	q.Billing.Name, q.Billing.Line1, q.Billing.Line2 = "", "", ""
	q.IP = ""
	return &q, pd
}

// Fill implements Personal.
func (p *OrderPlaced) Fill(pd customer.Personal) Payload {
	q := *p
	q.Customer.Name, q.Customer.Email, q.Customer.Phone = pd.Name, pd.Email, pd.Phone
	q.Shipping.Name, q.Shipping.Line1, q.Shipping.Line2 = pd.ShippingName, pd.ShippingLine1, pd.ShippingLine2
	q.Billing.Name, q.Billing.Line1, q.Billing.Line2 = pd.BillingName, pd.BillingLine1, pd.BillingLine2
	q.IP = pd.IP
	return &q
}
