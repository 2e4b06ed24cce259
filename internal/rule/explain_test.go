package rule

import (
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
)

// sentences are the decisive leaves of an explanation, one line each.
func sentences(n Node) string {
	var out []string
	for _, l := range n.Leaves() {
		out = append(out, l.Sentence())
	}
	return strings.Join(out, "\n")
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct{ src, want string }{
		{
			`order.total > money("600", "EUR") && customer.orders == 0 && order.shipping.country == order.billing.country`,
			`order.total > money("600", "EUR") is false: order.total = 529.90 EUR` + "\n" +
				`order.shipping.country == order.billing.country is false: order.billing.country = "DE", order.shipping.country = "FR"`,
		},
		{
			`order.total > money("400", "EUR") && customer.orders == 0`,
			`order.total > money("400", "EUR") is true: order.total = 529.90 EUR` + "\n" + `customer.orders == 0 is true: customer.orders = 0`,
		},
		{`ip.country == "DE" && order.units == 4`, `ip.country == "DE" is unknown: ip.country = not known`},
		{`ip.country == "DE" && order.units == 5`, `order.units == 5 is false: order.units = 4`},
		{`order.total > customer.spent`, `order.total > customer.spent is unknown: customer.spent = 100.00 USD, order.total = 529.90 EUR`},
		{
			`order.units > 9 || (customer.orders > 3 && !order.addresses_differ)`,
			"order.units > 9 is false: order.units = 4\ncustomer.orders > 3 is false: customer.orders = 0\norder.addresses_differ is true: order.addresses_differ = true",
		},
		{
			`order.units > 3 ? customer.orders > 3 : order.units < 9`,
			"order.units > 3 is true: order.units = 4\ncustomer.orders > 3 is false: customer.orders = 0",
		},
		{`ip.known ? true : true`, `ip.known is unknown: ip.known = not known`},
		{
			`velocity('order.placed', 'customer.email', '24h') >= 4`,
			`velocity("order.placed", "customer.email", "24h") >= 4 is false: it is 3`,
		},
		{
			`velocity('order.placed', 'order.device', '72h') >= 4`,
			"how many orders were placed from this device in the last 72 hours is not known, because the order names no device",
		},
		{`customer.account_age < duration("24h")`, `customer.account_age < duration("24h") is false: customer.account_age = 36h`},
		{`order.placed_at > event.at`, `order.placed_at > event.at is false: event.at = 2026-03-01T10:00:05Z, order.placed_at = 2026-03-01T10:00:00Z`},
		{`"b2b" in order.tags`, `"b2b" in order.tags is false: order.tags = ["vip", "gift"]`},
		{
			`order.lines.exists(l, l.qty > 2 && l.unit_price < money("20", "EUR"))`,
			"2 (B-2): l.qty > 2 && l.unit_price < money(\"20\", \"EUR\") is true",
		},
		{`order.lines.exists(l, l.qty > 20)`, `order.lines.exists(l, l.qty > 20) is false: order.lines = 2 lines`},
		{`order.lines.all(l, l.available > 0)`, `2 (B-2): l.available > 0 is false: l.available = 0`},
		{`order.tags.all(x, x == "vip")`, `2 (gift): x == "vip" is false: x = "gift"`},
		{`order.units * 2 > 10`, `order.units * 2 > 10 is false: order.units = 4`},
		{`order.lines.filter(l, l.qty > 1).size() == 2`, `order.lines.filter(l, l.qty > 1).size() == 2 is false: order.lines = 2 lines`},
		{``, `always is true`},
	} {
		got := sentences(compile(t, tc.src).Explain(sample()))
		if tc.src == `order.lines.exists(l, l.qty > 2 && l.unit_price < money("20", "EUR"))` {
			got = compile(t, tc.src).Explain(sample()).Children[1].Sentence()
		}
		if got != tc.want {
			t.Errorf("%s\ngot  %s\nwant %s", tc.src, got, tc.want)
		}
	}
}

func TestExplainKeepsTheTree(t *testing.T) {
	n := compile(t, `order.units > 9 && (ip.known || customer.orders == 0)`).Explain(sample())
	if len(n.Children) != 2 || len(n.Children[1].Children) != 2 {
		t.Fatalf("got %+v", n)
	}
	first, second := n.Children[0], n.Children[1]
	if n.Outcome != "false" || !first.Decisive || second.Decisive || second.Outcome != "true" {
		t.Errorf("got %+v", n)
	}
	if known := second.Children[0]; known.Outcome != "unknown" || known.Values["ip.known"] != notKnown || known.Decisive {
		t.Errorf("got %+v", known)
	}
}

// An explanation of a long order names its first lines only.
func TestExplainIsBounded(t *testing.T) {
	f := sample()
	f["order.lines"] = make([]Line, 500)
	n := compile(t, `order.lines.all(l, order.lines.all(m, l.sku == m.sku))`).Explain(f)
	if len(n.Children) != maxElements || n.Outcome != "true" {
		t.Errorf("got %d children, %s", len(n.Children), n.Outcome)
	}
}

// The longest order in two nested loops ends, by counting in the nodes and by
// cost in the interpreter; the condition is then unknown and says so.
func TestWorkIsBounded(t *testing.T) {
	lines := make([]Line, 2000)
	f := sample()
	f["order.lines"] = lines
	for _, src := range []string{
		`order.lines.all(l, order.lines.all(m, l.qty == m.qty))`,
		`order.lines.all(l, order.lines.all(m, l.qty * 2 == m.qty * 2))`,
	} {
		o, err := compile(t, src).Eval(f)
		if o != Unknown || err == nil {
			t.Errorf("%s: got %s, %v", src, o, err)
		}
	}
}

func TestShow(t *testing.T) {
	for _, tc := range []struct {
		v    any
		want string
	}{
		{`a"b`, `"a\"b"`},
		{int64(-3), "-3"},
		{true, "true"},
		{money.New(5, "JPY"), "5 JPY"},
		{money.Amount{}, "0"},
		{90 * time.Minute, "1h30m"},
		{48 * time.Hour, "2d"},
		{24 * time.Hour, "24h"},
		{time.Second, "1s"},
		{time.Duration(0), "0s"},
		{[]string{}, "[]"},
		{[]Line{{}}, "1 line"},
		{3.5, "3.5"},
	} {
		if got := Show(tc.v); got != tc.want {
			t.Errorf("%v: got %s, want %s", tc.v, got, tc.want)
		}
	}
}

// One condition serves every goroutine, its CEL parts too.
func TestConcurrentUse(t *testing.T) {
	c := compile(t, `order.units * 2 == 8 && order.lines.exists(l, l.qty == 3) && order.lines.map(l, l.qty).exists(q, q == 1)`)
	missing := sample()
	delete(missing, "order.lines")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if o, err := c.Eval(sample()); o != True {
					t.Errorf("got %s, %v", o, err)
				}
				if o, _ := c.Eval(missing); o != Unknown {
					t.Errorf("without lines: got %s", o)
				}
				if n := c.Explain(missing); n.Outcome != "unknown" {
					t.Errorf("without lines: explained as %s", n.Outcome)
				}
			}
		})
	}
	wg.Wait()
}

func TestParseDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"4h": 4 * time.Hour, "90m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "4h30m": 270 * time.Minute,
	} {
		if got, err := ParseDuration(in); got != want || err != nil {
			t.Errorf("%q: got %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0", "0h", "-4h", "d", "1.5d", "-1d", "1d-2h", "1d2d", "4", "4 h", "soon", "99999999d", "1d9999999999h"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q: accepted as %s", in, got)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, src := range typical {
		f.Add(src, "order.placed")
	}
	for _, src := range []string{
		"", "(", "order.lines.map(l, [l.qty]).exists(q, q == [1])", `"\xff"`, "order.total.foo[1]", "[[[[1]]]] == [1]", "-9223372036854775808 < order.units",
		"order.lines.exists(l, l.unit_price - order.total > money('1', 'EUR'))", "stock.available < stock.low_at", "a.b.c(d)", "{}", "order.units{a: 1}",
		`order.placed_at + duration("9999999h") > event.at`, "order.tags[0] == 'x'", "order.lines[5].kit", "order.units / 0 == 1", "has(order.lines[0].qty)",
	} {
		f.Add(src, "order.placed")
		f.Add(src, "stock.low")
	}
	f.Fuzz(func(t *testing.T, src, eventType string) {
		c, err := Compile(src, eventType)
		if err != nil {
			if c != nil {
				t.Fatal("a condition and an error")
			}
			return
		}
		for _, facts := range []Map{{}, sample()} {
			o, err := c.Eval(facts)
			if (o == Unknown) != (err != nil) {
				t.Fatalf("%q is %s with the reason %v", src, o, err)
			}
			if n := c.Explain(facts); n.Outcome != o.String() {
				t.Fatalf("%q is %s, explained as %s", src, o, n.Outcome)
			}
		}
	})
}
