package decide

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// drawFacts draws facts that an order.placed could have had, with counts.
func drawFacts(t *rapid.T) Facts {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "DE", "FR", "web", "München", "a\"b", `c\\d`, "<b>", "{", "]", ","}), rapid.String())
	amount := rapid.Custom(func(t *rapid.T) money.Amount {
		return money.New(rapid.Int64Range(0, 1e9).Draw(t, "minor"), rapid.SampledFrom([]string{"EUR", "JPY"}).Draw(t, "currency"))
	})
	f := Facts{}
	for _, fd := range schema.Fields("order.placed") {
		if fd.Personal || rapid.IntRange(0, 3).Draw(t, "absent") == 0 {
			continue
		}
		switch fd.Type {
		case schema.Int:
			f[fd.Name] = rapid.Int64().Draw(t, fd.Name)
		case schema.Bool:
			f[fd.Name] = rapid.Bool().Draw(t, fd.Name)
		case schema.Money:
			f[fd.Name] = amount.Draw(t, fd.Name)
		case schema.Time:
			f[fd.Name] = time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, fd.Name)).UTC()
		case schema.Duration:
			f[fd.Name] = time.Duration(rapid.Int64().Draw(t, fd.Name))
		case schema.Strings:
			f[fd.Name] = rapid.SliceOfN(text, 0, 3).Draw(t, fd.Name)
		case schema.Lines:
			lines := []rule.Line{}
			for range rapid.IntRange(0, 3).Draw(t, "lines") {
				lines = append(lines, rule.Line{
					SKU: text.Draw(t, "sku"), Title: text.Draw(t, "title"), Qty: rapid.Int64().Draw(t, "qty"), UnitPrice: amount.Draw(t, "price"),
					Location: text.Draw(t, "at"), Kit: rapid.Bool().Draw(t, "kit"), Available: rapid.Int64().Draw(t, "available"),
				})
			}
			f[fd.Name] = lines
		default:
			f[fd.Name] = text.Draw(t, fd.Name)
		}
	}
	f[rule.VelocityFact("order.placed", "order.ip", time.Hour)] = rapid.Int64Range(0, 500).Draw(t, "velocity")
	return f
}

// TestStoredFactsReadTheSameOneByOne: a reader of some facts gives what DecodeFacts gives of them, for one decision after the other.
func TestStoredFactsReadTheSameOneByOne(t *testing.T) {
	all := []string{rule.VelocityFact("order.placed", "order.ip", time.Hour), "nobody.knows"}
	for _, f := range schema.Fields("order.placed") {
		all = append(all, f.Name)
	}
	slices.Sort(all)
	rapid.Check(t, func(t *rapid.T) {
		names := slices.DeleteFunc(slices.Clone(all), func(string) bool { return rapid.IntRange(0, 2).Draw(t, "unwanted") == 0 })
		s := NewStored(names)
		for range 3 {
			text := string(EncodeFacts(drawFacts(t)))
			want, err := DecodeFacts([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Read(text); err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				got, ok := s.Fact(name)
				w, has := want[name]
				if ok != has || !reflect.DeepEqual(got, w) {
					t.Fatalf("%s in %s is %v (%v), want %v (%v)", name, text, got, ok, w, has)
				}
			}
			f, err := s.Facts()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range all {
				if _, wanted := slices.BinarySearch(names, name); !wanted {
					delete(want, name)
				}
			}
			if !reflect.DeepEqual(f, want) {
				t.Fatalf("%v\nwant\n%v", f, want)
			}
		}
	})
}

// TestConditionsSayTheSameOfStoredFacts: evaluated on the stored text, a condition comes to what it came to on the facts.
func TestConditionsSayTheSameOfStoredFacts(t *testing.T) {
	var cs []*rule.Condition
	for _, src := range []string{
		`order.total > money("400", "EUR") && customer.orders == 0`, `order.lines.exists(l, l.qty > 100 || l.unit_price > money("5", "EUR"))`,
		`order.note.contains("a") || order.channel.startsWith("w")`, `customer.account_age < duration("1h")`, `"DE" in order.tags`,
		`order.lines.all(l, l.kit) && size(order.lines) > 1`, `velocity("order.placed", "order.ip", "1h") >= 200`,
		`order.placed_at < timestamp("2030-01-01T00:00:00Z")`, `order.units + order.line_count > 3`, `!ip.known || ip.country != order.billing.country`,
	} {
		c, err := rule.Compile(src, "order.placed")
		if err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	rapid.Check(t, func(t *rapid.T) {
		f := drawFacts(t)
		text := string(EncodeFacts(f))
		for _, c := range cs {
			s := NewStored(c.Fields())
			if err := s.Read(text); err != nil {
				t.Fatal(err)
			}
			got, why := c.Eval(s)
			want, whyNot := c.Eval(f)
			if got != want || (why == nil) != (whyNot == nil) || why != nil && why.Error() != whyNot.Error() || s.Err() != nil {
				t.Fatalf("%s on %s is %v (%v, %v), want %v (%v)", c.Source(), text, got, why, s.Err(), want, whyNot)
			}
		}
	})
}

func TestStoredFactsThatCannotBeReadAreAnError(t *testing.T) {
	s := NewStored([]string{"order.total", "order.units"})
	for _, text := range []string{`{"order.total":"12 euros"}`, `{"order.units":"3"}`} {
		if err := s.Read(text); err != nil {
			t.Fatal(err)
		}
		if f, err := s.Facts(); err == nil {
			t.Errorf("%s gives %v", text, f)
		}
	}
	if err := s.Read(`{"order.units":3`); err == nil {
		if _, err = s.Facts(); err == nil {
			t.Error("half a text is read")
		}
	}
}

// FuzzStored: a text that reads at all, written again, reads the same through both readers, and none makes a reader panic.
func FuzzStored(f *testing.F) {
	f.Add(`{"customer.orders":0,"order.lines":[{"SKU":"A","Title":"","Qty":1,"UnitPrice":"1.00 EUR","Location":"","Kit":true,"Available":3}],"order.total":"1.00 EUR"}`)
	f.Add(`{"order.tags":["a","b"],"order.note":"\u00e9\"","customer.account_age":"1h0m0s"}`)
	f.Add(`{"order.units":007,"order.units":1}`)
	names := []string{"customer.account_age", "customer.orders", "order.lines", "order.note", "order.placed_at", "order.tags", "order.total", "order.units"}
	f.Fuzz(func(t *testing.T, text string) {
		s := NewStored(names)
		if s.Read(text) == nil {
			_, _ = s.Facts()
		}
		facts, err := DecodeFacts([]byte(text))
		if err != nil {
			return
		}
		again := string(EncodeFacts(facts))
		want, err := DecodeFacts([]byte(again))
		if err != nil {
			return // an amount that was empty, for example
		}
		if err := s.Read(again); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			got, ok := s.Fact(name)
			if w, has := want[name]; ok != has || !reflect.DeepEqual(got, w) {
				t.Fatalf("%s in %s is %v (%v), want %v (%v)", name, again, got, ok, w, has)
			}
		}
	})
}
