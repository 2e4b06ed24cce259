package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

func placed() *OrderPlaced {
	return &OrderPlaced{
		Channel: "shop", Number: "1001", Currency: "EUR",
		Lines: []Line{{SKU: "MUG", Qty: 2, UnitPrice: money.New(950, "EUR")}},
		Customer: Buyer{
			ID: "c1", Email: "buyer@example.com", Name: "Sample Buyer", Phone: "+33 1 23 45 67 89",
		},
		Shipping: Address{Name: "Sample Buyer", Line1: "1 Rue Exemple", City: "Lyon", Postal: "69001", Country: "FR"},
		Billing:  Address{Name: "Sample Payer", Line1: "2 Rue Exemple", Line2: "B", City: "Lyon", Postal: "69002", Country: "FR"},
		IP:       "192.0.2.7",
	}
}

func TestEveryTypeHasAPayloadOfItsName(t *testing.T) {
	for _, typ := range Types() {
		p, err := Decode(typ, []byte(`{}`))
		if err != nil {
			t.Errorf("Decode(%q): %v", typ, err)
			continue
		}
		if p.EventType() != typ {
			t.Errorf("Decode(%q) gives a payload of type %q", typ, p.EventType())
		}
		if len(p.Validate()) == 0 {
			t.Errorf("%s: an empty payload is valid, so a sender's mistake would pass", typ)
		}
	}
}

func TestDecodeSaysWhereAndWhat(t *testing.T) {
	_, err := Decode("order.placed", []byte(`{"lines":[{"qty":"two"}]}`))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "/lines/qty") {
		t.Errorf("a text for a quantity gives %v", err)
	}
	_, err = Decode("order.plaecd", []byte(`{}`))
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "order.placed") {
		t.Errorf("an unknown type gives %v; the known ones should be named", err)
	}
	_, err = Decode("order.placed", []byte(`{"channel":`))
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("truncated JSON gives %v", err)
	}
}

func TestValidateNamesEachProblem(t *testing.T) {
	for pointer, breakIt := range map[string]func(*OrderPlaced){
		"/channel":            func(p *OrderPlaced) { p.Channel = " " },
		"/number":             func(p *OrderPlaced) { p.Number = strings.Repeat("9", MaxID+1) },
		"/currency":           func(p *OrderPlaced) { p.Currency = "EURO" },
		"/lines":              func(p *OrderPlaced) { p.Lines = make([]Line, MaxLines+1) },
		"/lines/0/sku":        func(p *OrderPlaced) { p.Lines[0].SKU = "" },
		"/lines/0/qty":        func(p *OrderPlaced) { p.Lines[0].Qty = 0 },
		"/lines/0/unit_price": func(p *OrderPlaced) { p.Lines[0].UnitPrice = money.New(1, "USD") },
		"/total":              func(p *OrderPlaced) { p.Total = money.New(-1, "EUR") },
		"/shipping/country":   func(p *OrderPlaced) { p.Shipping.Country = "France" },
		"/customer/email":     func(p *OrderPlaced) { p.Customer.Email = "a@example.com\r\nBcc: b@example.com" },
		"/payment/status":     func(p *OrderPlaced) { p.Payment.Status = "yes" },
		"/note":               func(p *OrderPlaced) { p.Note = "a\x00b" },
		"/customer/tags/1":    func(p *OrderPlaced) { p.Customer.Tags = []string{"vip", "a\x1bb"} },
	} {
		p := placed()
		if ps := p.Validate(); len(ps) != 0 {
			t.Fatalf("the sample order is not valid: %v", ps)
		}
		breakIt(p)
		if !slices.ContainsFunc(p.Validate(), func(pr fault.Problem) bool { return pr.Pointer == pointer }) {
			t.Errorf("nothing is said about %s: %v", pointer, p.Validate())
		}
	}
}

// TestIdentifiersReadAsTheyAre: marks that turn the direction make one order look like another.
// Names may be written with them.
func TestIdentifiersReadAsTheyAre(t *testing.T) {
	for _, mark := range []string{"\u202e", "\u2066", "\u200f"} {
		p := placed()
		p.Shipping.Name = "Sample" + mark
		if ps := p.Validate(); len(ps) != 0 {
			t.Errorf("%q in a name: %v", mark, ps)
		}
		p.Number, p.Lines[0].SKU = "10"+mark+"01", mark+"MUG"
		if ps := p.Validate(); len(ps) != 2 || ps[0].Pointer != "/number" || ps[1].Pointer != "/lines/0/sku" {
			t.Errorf("%q in a number and a SKU: %v", mark, ps)
		}
	}
}

func TestStripTakesEveryPersonalFieldAndFillGivesItBack(t *testing.T) {
	p := placed()
	stripped, pd := p.Strip()
	b, err := Encode(stripped)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"Sample", "buyer@", "+33", "Rue Exemple", "192.0.2.7"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q is still in the payload: %s", secret, b)
		}
	}
	for _, kept := range []string{"Lyon", "69001", "FR", "MUG"} {
		if !strings.Contains(string(b), kept) {
			t.Errorf("%q left the payload, but routing and reports need it: %s", kept, b)
		}
	}
	if back := stripped.(Personal).Fill(pd); !reflect.DeepEqual(back, p) {
		t.Errorf("filled again it is\n%+v\nnot\n%+v", back, p)
	}
	if p.Customer.Email == "" {
		t.Error("Strip changed its receiver")
	}
}

func TestDerivedIDsAreStableAndApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringN(0, 12, -1)
		a, b := part.Draw(t, "a"), part.Draw(t, "b")
		id := OrderID(a, b)
		if again := OrderID(a, b); again != id {
			t.Fatalf("the same order has two ids: %s and %s", id, again)
		}
		c, d := part.Draw(t, "c"), part.Draw(t, "d")
		if (a != c || b != d) && !strings.Contains(a+b+c+d, "\x00") && id == OrderID(c, d) {
			t.Fatalf("orders %q %q and %q %q share an id", a, b, c, d)
		}
	})
	if id := OrderID("shop", "1001"); len(id) != len("ord_")+16 || !strings.HasPrefix(id, "ord_") {
		t.Errorf("an order id looks like %q", id)
	}
}

func FuzzDecode(f *testing.F) {
	b, err := json.Marshal(placed())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("order.placed", b)
	f.Add("order.paid", []byte(`{"channel":"shop","number":"1","amount":"1.00 EUR"}`))
	f.Add("stock.counted", []byte(`{"sku":"A","location":"x","on_hand":-1}`))
	f.Add("order.placed", []byte(`{"lines":[{"unit_price":"9e99 EUR"}]}`))
	f.Add("order.placed", []byte("\xff\xfe{"))
	f.Fuzz(func(t *testing.T, typ string, data []byte) {
		p, err := Decode(typ, data)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("outside input gives an error of kind %s: %v", fault.KindOf(err), err)
			}
			return
		}
		problems := p.Validate()
		p.EventSubject()
		if len(problems) != 0 {
			return
		}
		// What is valid can be written, read and is valid again.
		out, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(typ, out)
		if err != nil {
			t.Fatalf("%s does not read back: %v", out, err)
		}
		if ps := again.Validate(); len(ps) != 0 {
			t.Fatalf("%s was valid and is not after a round trip: %v", out, ps)
		}
		if o, ok := p.(*OrderPlaced); ok {
			sum := money.New(0, o.Currency)
			for _, l := range o.Lines {
				sum = sum.Add(l.UnitPrice.Mul(l.Qty)) // panics on overflow: validation must exclude it
			}
		}
	})
}

func TestPointersOfAttributesAreEscapedAndBounded(t *testing.T) {
	p := &OrderPlaced{Channel: "web", Number: "1", Currency: "EUR", Attributes: map[string]string{
		"a/b~c": "bad \x01", strings.Repeat("k", 5000): "v",
	}}
	got := map[string]bool{}
	for _, q := range p.Validate() {
		got[q.Pointer] = true
		if len(q.Pointer) > 2*MaxID+20 {
			t.Errorf("a pointer of %d bytes", len(q.Pointer))
		}
	}
	if !got["/attributes/a~1b~0c"] {
		t.Errorf("pointers %v", got)
	}
	p = &OrderPlaced{Channel: "web", Number: "1", Currency: "EUR", Tags: []string{"ok", "bad\x02"}, Shipping: Address{City: "\x03"}, Lines: []Line{{SKU: "A", Qty: 1}}}
	got = map[string]bool{}
	for _, q := range p.Validate() {
		got[q.Pointer] = true
	}
	for _, want := range []string{"/tags/1", "/shipping/city", "/lines/0/unit_price"} {
		if !got[want] {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
}
