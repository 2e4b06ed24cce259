package rule

import (
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
)

// typical are the conditions a shop writes: twenty of them on every order.
var typical = []string{
	`order.total > money("400", "EUR") && customer.orders == 0 && order.shipping.country != order.billing.country`,
	`order.total > money("1500", "EUR")`,
	`velocity("order.placed", "customer.email", "24h") >= 3`,
	`velocity("order.placed", "order.address", "72h") >= 3 && customer.orders < 3`,
	`velocity("order.placed", "order.device", "1h") >= 3`,
	`velocity("order.placed", "order.ip", "1h") >= 9 && customer.orders == 0`,
	`order.addresses_differ && customer.orders == 0 && order.total > money("150", "EUR")`,
	`ip.country != order.billing.country && ip.country != order.shipping.country && order.total > money("100", "EUR")`,
	`customer.email_disposable`,
	`order.shipping.country in ["CH", "NO", "GB", "US"] && order.total > money("200", "EUR")`,
	`order.lines.exists(l, l.qty > 20)`,
	`order.lines.all(l, l.available >= l.qty)`,
	`order.lines.exists(l, l.sku.startsWith("GC-") && l.unit_price >= money("100", "EUR"))`,
	`"vip" in order.tags && order.total > money("100", "EUR")`,
	`"wholesale" in customer.tags`,
	`order.shipping.postal.startsWith("10") && order.shipping.country == "DE"`,
	`customer.account_age < duration("72h") && order.units > 5`,
	`order.payment == "pending" && order.payment_method == "invoice" && order.total > money("300", "EUR")`,
	`order.discount > money("100", "EUR") || order.units > 50`,
	`customer.returns > 3 && customer.orders < 6 && !order.countries_differ`,
}

// ready holds facts as they come from a snapshot: boxed once per order.
func ready() Map {
	m := sample()
	for k, v := range map[string]any{
		"customer.email_disposable": false, "order.shipping.postal": "10115", "order.payment": "paid", "order.payment_method": "card",
		"customer.returns": int64(0), "order.countries_differ": true, "customer.tags": []string{}, "ip.country": "DE",
		VelocityFact("order.placed", "order.address", 72*time.Hour): int64(0),
		VelocityFact("order.placed", "order.device", time.Hour):     int64(0),
		VelocityFact("order.placed", "order.ip", time.Hour):         int64(0),
		"order.discount": money.New(0, "EUR"),
	} {
		m[k] = v
	}
	return m
}

func BenchmarkEvalOne(b *testing.B) {
	c, f := compile(b, typical[0]), ready()
	b.ReportAllocs()
	for b.Loop() {
		if o, _ := c.Eval(f); o != True {
			b.Fatal(o)
		}
	}
}

func BenchmarkEvalTwenty(b *testing.B) {
	cs, f := compileAll(b), ready()
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range cs {
			if o, err := c.Eval(f); o == Unknown {
				b.Fatal(c.src, err)
			}
		}
	}
}

// BenchmarkEvalTwentyCEL is the interpreter on the same conditions: what the nodes save.
func BenchmarkEvalTwentyCEL(b *testing.B) {
	var ns []node
	for _, src := range typical {
		ns = append(ns, celOnly(b, src))
	}
	f := ready()
	b.ReportAllocs()
	for b.Loop() {
		for _, n := range ns {
			x := getCtx(f)
			n.eval(x)
			x.put()
		}
	}
}

func BenchmarkExplainTwenty(b *testing.B) {
	cs, f := compileAll(b), ready()
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range cs {
			c.Explain(f)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		compile(b, typical[0])
	}
}

func compileAll(tb testing.TB) []*Condition {
	var cs []*Condition
	for _, src := range typical {
		cs = append(cs, compile(tb, src))
	}
	return cs
}

// The hot path must not allocate: twenty conditions run on every order.
func TestEvalDoesNotAllocate(t *testing.T) {
	f := ready()
	for _, c := range compileAll(t) {
		if n := testing.AllocsPerRun(200, func() {
			if o, err := c.Eval(f); o == Unknown {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %v times", c.src, n)
		}
	}
}

// Every typical condition is inside the fragment: none falls back to the interpreter.
func TestTypicalConditionsAreInTheFragment(t *testing.T) {
	if compile(t, "order.units > 1 && !(order.units * 2 == 6)").Decidable() {
		t.Error("arithmetic is said to be in the fragment")
	}
	for _, c := range compileAll(t) {
		if !c.Decidable() {
			t.Errorf("%s runs in the interpreter", c.src)
		}
	}
}
