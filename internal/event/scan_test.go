package event

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
)

// drawOrder draws an order with every field there is or not, and texts of every kind.
func drawOrder(t *rapid.T) *OrderPlaced {
	text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-zA-Z0-9 .@-]{1,12}`), rapid.String(), rapid.SampledFrom([]string{
		"München", "a\"b", `c\\d`, "<b>&", "\u2028", "日本", "\U0001f600", "\t", "null",
	}))
	amount := rapid.Custom(func(t *rapid.T) money.Amount {
		return money.New(rapid.Int64Range(-1e12, 1e12).Draw(t, "minor"), rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "USD"}).Draw(t, "currency"))
	})
	instant := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999).Draw(t, "us")*1000)
		return at.In(time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone")))
	})
	maybe := rapid.Bool()
	addr := func() (a Address) {
		if maybe.Draw(t, "address") {
			a = Address{
				Name: text.Draw(t, "name"), Line1: text.Draw(t, "line1"), Line2: text.Draw(t, "line2"), City: text.Draw(t, "city"),
				Region: text.Draw(t, "region"), Postal: text.Draw(t, "postal"), Country: text.Draw(t, "country"),
			}
		}
		return a
	}
	p := &OrderPlaced{
		Channel: text.Draw(t, "channel"), Number: text.Draw(t, "number"), Currency: text.Draw(t, "currency"), Shipping: addr(), Billing: addr(),
		IP: text.Draw(t, "ip"), Device: text.Draw(t, "device"), Service: text.Draw(t, "service"), Note: text.Draw(t, "note"),
		Payment: Payment{Status: text.Draw(t, "status"), Method: text.Draw(t, "method")},
	}
	if maybe.Draw(t, "times") {
		p.PlacedAt, p.Customer.SignedUp = instant.Draw(t, "placed"), instant.Draw(t, "signed up")
	}
	if maybe.Draw(t, "customer") {
		p.Customer.ID, p.Customer.Email, p.Customer.Name, p.Customer.Phone = text.Draw(t, "id"), text.Draw(t, "mail"), text.Draw(t, "name"), text.Draw(t, "phone")
	}
	if maybe.Draw(t, "amounts") {
		p.ShippingCost, p.Discount, p.Total = amount.Draw(t, "shipping"), amount.Draw(t, "discount"), amount.Draw(t, "total")
	}
	for range rapid.IntRange(0, 3).Draw(t, "lines") {
		p.Lines = append(p.Lines, Line{
			SKU: text.Draw(t, "sku"), Title: text.Draw(t, "title"), Qty: rapid.Int64().Draw(t, "qty"), UnitPrice: amount.Draw(t, "price"), Location: text.Draw(t, "at"),
		})
	}
	p.Tags = rapid.SliceOfN(text, 0, 3).Draw(t, "tags")
	if maybe.Draw(t, "attributes") {
		p.Attributes = rapid.MapOfN(text, text, 0, 3).Draw(t, "attributes")
	}
	return p
}

// TestAnOrderReadsTheSameWithoutReflection: what we write is read by the scanner, and as encoding/json reads it.
func TestAnOrderReadsTheSameWithoutReflection(t *testing.T) {
	scanned := 0
	rapid.Check(t, func(t *rapid.T) {
		b, err := Encode(drawOrder(t))
		if err != nil {
			t.Fatal(err)
		}
		var want, got OrderPlaced
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		ok := scanOrder(string(b), &got)
		if ok {
			scanned++
		}
		if !ok && want.Lines != nil || ok && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nscanned=%v\n%+v\nwant\n%+v", b, ok, got, want)
		}
	})
	if scanned < 20 {
		t.Errorf("only %d orders were scanned", scanned)
	}
}

func TestTextsThatWeDidNotWriteAreLeftToTheDefinition(t *testing.T) {
	for _, text := range []string{
		"", "{", "[]", "null", `{"number":"1","channel":"a"}`, `{"channel":"a","channel":"b"}`, `{"Channel":"a"}`, `{ "channel":"a"}`, `{"channel":null}`,
		`{"channel":"a",}`, `{,"channel":"a"}`, `{"channel":"a"}x`, `{"more":1}`, `{"lines":[,]}`, `{"lines":[{"qty":01}]}`, `{"lines":[{"qty":1.0}]}`,
		`{"lines":[{"unit_price":"1 XXQ"}]}`, `{"placed_at":"2026-01-05T12:00:00\u005a"}`, "{\"channel\":\"\xff\"}", "{\"channel\":\"\x01\"}", `{"channel":"a`, `{"channel":"\`,
	} {
		var p OrderPlaced
		if scanOrder(text, &p) {
			t.Errorf("%q was scanned as %+v", text, p)
		}
	}
}

// FuzzScanOrder: whatever the scanner reads at all, it reads as encoding/json does.
func FuzzScanOrder(f *testing.F) {
	b, err := json.Marshal(placed())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add(`{"channel":"\u00e9","lines":[],"tags":[],"attributes":{"a":"b","a":"c"}}`)
	f.Add(`{"lines":[{"sku":"A","qty":-0,"unit_price":""}]}`)
	f.Add(`{"placed_at":"2026-01-05T12:00:00.5+02:00","customer":{"signed_up":"2026-01-05T12:00:00Z"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var got, want OrderPlaced
		if !scanOrder(text, &got) {
			return
		}
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q was scanned; encoding/json says %v", text, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\n%+v\nwant\n%+v", text, got, want)
		}
	})
}
