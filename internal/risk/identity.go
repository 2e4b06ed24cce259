package risk

import "orderly.example/orderly/internal/event"

// Identify hashes what identifies an order's buyer under the shop's own key. hash is
// given the kind of a value and the value.
func Identify(hash func(kind, value string) string, p *event.OrderPlaced) event.Identity {
	var who event.Identity
	if mail := Email(p.Customer.Email); mail != "" {
		who.Email = "e" + hash("email", mail)
		who.Customer = "cus_" + who.Email[1:]
	} else if p.Customer.ID != "" {
		who.Customer = "cus_" + hash("customer", p.Channel+"\x00"+p.Customer.ID)
	}
	if a := Address(p.Shipping.Country, p.Shipping.Postal, p.Shipping.Line1); a != "" {
		who.Address = "a" + hash("address", a)
	}
	if p.Device != "" {
		who.Device = "d" + hash("device", p.Device)
	}
	if p.IP != "" {
		who.IP = "i" + hash("ip", p.IP)
	}
	return who
}
