package automation

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
)

// TestSaid: why an automation fired or not is said in the words of the editor.
func TestSaid(t *testing.T) {
	facts := rule.Map{
		"order.total": money.New(325000, "EUR"), "order.addresses_differ": false, "order.tags": []string{}, "customer.orders": int64(0),
		"velocity(order.placed,order.ip,1h0m0s)": int64(5), "order.payment_method": "", "order.lines": []rule.Line{{SKU: "MUG", Qty: 1}},
	}
	for src, want := range map[string]string{
		"":                                   "Every time: it has no condition",
		`order.total > money("4000", "EUR")`: "The order total is above 4\u202f000 EUR? No: 3\u202f250.00 EUR",
		`order.addresses_differ`:             "Bill and parcel go to two addresses? No",
		`velocity("order.placed", "order.ip", "1h") >= 9`:              "The number of earlier orders from the same IP address within 1h is at least 9? No: 5",
		`customer.orders == 0`:                                         "The number of the customer's earlier orders is 0? Yes: 0",
		`"vip" in order.tags`:                                          "The tags of the order include vip? No: none",
		`order.payment_method in [""]`:                                 "The order payment method is empty? Yes: empty",
		`order.lines.exists(l, l.sku.startsWith("LAMP") && l.qty > 2)`: "For some line the SKU begins with LAMP and the quantity is above 2? No",
		`order.units * 2 > 3`:                                          "“order.units * 2 > 3”? Not known",
		`ip.country == "DE"`:                                           "The country of the IP address is DE? Not known",
	} {
		c, err := rule.Compile(src, "order.placed")
		if err != nil {
			t.Fatal(err)
		}
		if got := Said(c.Explain(facts)); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", src, got, want)
		}
	}
	if got := Told(`["vip", "gift"]`); got != "vip, gift" {
		t.Errorf("a list is told as %s", got)
	}
	if got := FactLabel(`velocity("order.placed", "order.device", "1h")`); strings.Contains(got, "velocity") || !strings.Contains(got, "same device within 1h") {
		t.Errorf("a count is called %s", got)
	}
}
