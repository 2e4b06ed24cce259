package rule

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
)

func compiled(t testing.TB, src string) *Condition {
	t.Helper()
	c, err := Compile(src, "order.placed")
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return c
}

func TestNeverFires(t *testing.T) {
	for _, tc := range []struct {
		src  string
		want Verdict
	}{
		{`order.total > money("400", "EUR")`, Possible},
		{`order.total > money("400", "EUR") && order.total < money("400.01", "EUR")`, Impossible},
		{`order.total > money("400", "EUR") && order.total < money("400.02", "EUR")`, Possible},
		{`order.total > money("400", "EUR") && order.total > money("400", "USD")`, Impossible},
		{`order.total > money("400", "EUR") || order.total > money("400", "USD")`, Possible},
		{`order.currency == "USD" && order.subtotal > money("1", "EUR")`, Impossible},
		{`order.total > order.subtotal && order.subtotal > order.captured && order.captured >= order.total`, Impossible},
		{`order.total > order.subtotal && order.subtotal > order.captured`, Possible},
		{`customer.orders < 0`, Impossible},
		{`order.units < order.line_count`, Impossible},
		{`velocity("order.placed", "order.ip", "1h") > 5 && velocity("order.placed", "order.ip", "24h") < 5`, Impossible},
		{`velocity("order.placed", "order.ip", "1h") < 5 && velocity("order.placed", "order.ip", "24h") > 5`, Possible},
		{`order.shipping.country == "Germany"`, Impossible},
		{`order.shipping.country == ""`, Impossible},
		{`order.note == ""`, Possible},
		{`order.payment == "refunded"`, Impossible},
		{`order.payment != "paid" && order.payment != "pending" && order.payment != "authorized"`, Impossible},
		{`order.shipping.country in ["DE", "AT"] && !(order.shipping.country in ["AT", "DE", "CH"])`, Impossible},
		{`order.shipping.country in ["DE", "AT"] && order.billing.country in ["DE"] && order.shipping.country != order.billing.country`, Possible},
		{`order.shipping.country == "DE" && order.billing.country == "DE" && order.shipping.country != order.billing.country`, Impossible},
		{`order.countries_differ && order.shipping.country == order.billing.country`, Impossible},
		{`order.countries_differ && !order.addresses_differ`, Impossible},
		{`order.shipping.postal.startsWith("10") && order.shipping.postal.startsWith("101")`, Possible},
		{`order.shipping.postal.startsWith("10") && order.shipping.postal.startsWith("11")`, Impossible},
		{`order.shipping.postal.startsWith("10") && !order.shipping.postal.startsWith("1")`, Impossible},
		{`order.shipping.postal.endsWith("10") && order.shipping.postal.startsWith("2") && order.shipping.postal.contains("77")`, Possible},
		{`order.shipping.postal.matches("^[0-9]{5}$") && order.shipping.postal.startsWith("0")`, Possible},
		{`order.shipping.postal == "12345" && order.shipping.postal.matches("^9")`, Impossible},
		{`customer.email_domain == "GMail.com"`, Impossible},
		{`"vip" in order.tags && !("vip" in order.tags)`, Impossible},
		{`"vip" in order.tags && order.tags.all(t, t.startsWith("b2b"))`, Impossible},
		{`"vip" in order.tags && "b2b" in order.tags`, Possible},
		{`"vip" in order.tags && order.tags.exists(t, t != "vip")`, Possible},
		{`order.lines.exists(l, l.qty > 10) && order.lines.all(l, l.qty < 10)`, Impossible},
		{`order.lines.exists(l, l.qty > 10) && order.lines.exists(l, l.qty < 10)`, Possible},
		{`order.lines.exists(l, l.qty > 10 && l.sku == "A") && order.lines.all(l, l.sku == "B" || l.qty < 11)`, Impossible},
		{`order.lines.all(l, l.qty > 10) && order.lines.all(l, l.qty < 10)`, Possible}, // an order without lines
		{`order.lines.exists(l, l.qty < 1)`, Impossible},
		{`order.lines.exists(l, l.available < l.qty)`, Possible},
		{`order.lines.exists_one(l, l.qty > 3)`, Possible},
		{`order.lines.size() > 3 && order.lines.all(l, l.qty == 2)`, Possible},
		{`customer.account_age < duration("72h") && customer.account_age > duration("80h")`, Impossible},
		{`order.placed_at < timestamp("2026-01-01T00:00:00Z") && order.placed_at > timestamp("2025-12-31T00:00:00Z")`, Possible},
		{`ip.known && ip.country == "DE"`, Possible},
		{`!ip.known && ip.country == "DE"`, Impossible},
		{`event.type == "order.paid"`, Impossible},
		{`(order.units > 5 ? customer.orders > 3 : customer.orders > 4) && customer.orders < 4`, Impossible},
		{`order.units * 2 > 5 && order.units > 7 && order.units < 3`, Impossible},
		{`order.units * 2 > 5000`, Undecided},
		{`order.units * 2 >= 2`, Possible},
		{`size(order.channel) > 20`, Undecided},
	} {
		c := compiled(t, tc.src)
		got, m := Solve(IsTrue(c))
		if got != tc.want {
			t.Errorf("%s: got %s, want %s (%v)", tc.src, got, tc.want, m)
		}
		if got == Possible {
			if out, err := c.Eval(m); out != True {
				t.Errorf("%s: the facts %v make it %s (%v)", tc.src, m, out, err)
			}
		}
	}
}

func TestImplies(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{`order.total > money("500", "EUR")`, `order.total > money("400", "EUR")`, true},
		{`order.total > money("400", "EUR")`, `order.total > money("500", "EUR")`, false},
		{`order.total > money("500", "EUR") && customer.orders == 0`, `order.total > money("400", "EUR")`, true},
		{`order.total > money("500", "EUR")`, `order.total > money("400", "EUR") || customer.orders == 0`, true},
		// Unknown does not fire: customer.orders may not be known.
		{`order.total > money("500", "EUR")`, `order.total > money("400", "EUR") && customer.orders >= 0`, false},
		{`order.shipping.country in ["DE", "AT"]`, `order.shipping.country != "FR"`, true},
		{`order.lines.all(l, l.qty > 5)`, `order.lines.all(l, l.qty > 3)`, true},
		{`order.lines.exists(l, l.qty > 5)`, `order.lines.exists(l, l.qty > 3)`, true},
		{`order.lines.exists(l, l.qty > 5)`, `order.lines.all(l, l.qty > 3)`, false},
		{`"vip" in order.tags`, `order.tags.exists(t, t.startsWith("v"))`, true},
		{`velocity("order.placed", "order.ip", "1h") >= 9`, `velocity("order.placed", "order.ip", "24h") >= 3`, true},
		{`velocity("order.placed", "order.ip", "24h") >= 9`, `velocity("order.placed", "order.ip", "1h") >= 3`, false},
		{`order.countries_differ`, `order.shipping.country != order.billing.country`, true},
		{`order.shipping.country == "DE" && order.billing.country == "AT"`, `order.countries_differ`, true},
		{`order.units * 3 > 7`, `order.units * 3 > 7`, true},
		{`order.units * 3 > 8`, `order.units * 3 > 7`, false},
		{``, `customer.orders >= 0`, false},
		{`customer.orders > 3`, ``, true},
	} {
		if got := Implies(compiled(t, tc.a), compiled(t, tc.b)); got != tc.want {
			t.Errorf("%s implies %s: got %v", tc.a, tc.b, got)
		}
	}
}

// lawful draws facts that keep what promise.go promises, at the edges of what the writer compares with.
func lawful(r *rand.Rand) Map {
	currency := []string{"EUR", "USD"}[r.Intn(2)]
	amount := func() money.Amount { return money.New(int64(r.Intn(5))*50, currency) }
	texts := []string{"D", "DE", "é", "E"}
	text := func() string { return texts[r.Intn(len(texts))] }
	list := func() []string {
		out := []string{}
		for range r.Intn(3) {
			out = append(out, append(texts, "")[r.Intn(5)])
		}
		return out
	}
	lines := []Line{}
	for range r.Intn(4) {
		lines = append(lines, Line{SKU: append(texts, "")[r.Intn(5)], Qty: int64(1 + r.Intn(3)), UnitPrice: amount(), Available: int64(r.Intn(4))})
	}
	units := int64(0)
	for _, l := range lines {
		units += l.Qty
	}
	at := time.Unix(1772359200, 0).UTC()
	m := Map{
		"order.total": amount(), "customer.spent": money.New(int64(r.Intn(5))*50, []string{"EUR", "USD"}[r.Intn(2)]),
		"order.units": units, "customer.orders": int64(r.Intn(4)), "order.channel": text(), "ip.country": text(), "ip.known": true,
		VelocityFact("order.placed", "order.ip", time.Hour): int64(r.Intn(4)), "order.addresses_differ": r.Intn(2) == 0,
		"order.tags": list(), "customer.tags": list(), "order.lines": lines, "order.currency": currency,
		"customer.account_age": time.Duration(r.Intn(5)) * 24 * time.Hour,
		"order.placed_at":      at.Add(time.Duration(r.Intn(3)-1) * time.Second), "event.at": at,
	}
	if r.Intn(4) == 0 {
		delete(m, "ip.country")
		m["ip.known"] = false
	}
	for _, name := range []string{"order.total", "customer.spent", "customer.orders", "order.channel", "order.addresses_differ", "customer.tags", "order.lines"} {
		if r.Intn(8) == 0 {
			delete(m, name)
		}
	}
	return m
}

// TestProofsHold: what the solver calls impossible no lawful facts do, and what it calls possible
// its facts do, for random conditions of the whole language.
func TestProofsHold(t *testing.T) {
	verdicts := map[Verdict]int{}
	r := rand.New(rand.NewSource(1))
	facts := make([]Map, 2000)
	for i := range facts {
		facts[i] = lawful(r)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := &writer{t: t}
		src := [2]string{w.cond(rapid.IntRange(0, 3).Draw(t, "depth")), w.cond(rapid.IntRange(0, 2).Draw(t, "depth"))}
		var cs [2]*Condition
		for i := range src {
			c, err := Compile(src[i], "order.placed")
			if err != nil {
				t.Skip("too long")
			}
			cs[i] = c
		}
		asks := []Ask{
			rapid.SampledFrom([]func(*Condition) Ask{IsTrue, IsFalse, NotTrue, NotFalse}).Draw(t, "first")(cs[0]),
			rapid.SampledFrom([]func(*Condition) Ask{IsTrue, IsFalse, NotTrue, NotFalse}).Draw(t, "second")(cs[1]),
		}
		meets := func(m Map) bool {
			for _, a := range asks {
				out, _ := a.cond.Eval(m)
				if ok := map[want]bool{wantTrue: out == True, wantFalse: out == False, notTrue: out != True, notFalse: out != False}[a.want]; !ok {
					return false
				}
			}
			return true
		}
		v, m := Solve(asks...)
		verdicts[v]++
		if v == Possible && !meets(m) {
			t.Fatalf("%s (%v)\n%s (%v)\nare called possible on %v", src[0], asks[0].want, src[1], asks[1].want, m)
		}
		if v != Impossible {
			return
		}
		for _, m := range facts {
			if meets(m) {
				t.Fatalf("%s (%v)\n%s (%v)\nare called impossible, but %v", src[0], asks[0].want, src[1], asks[1].want, m)
			}
		}
	})
	t.Log(verdicts)
	if verdicts[Possible] == 0 || verdicts[Impossible] == 0 {
		t.Errorf("the test says little: %v", verdicts)
	}
}

// The same question has the same answer.
func TestSolveIsDeterministic(t *testing.T) {
	c := compiled(t, `order.total > money("400", "EUR") && (customer.orders == 0 || order.countries_differ) && order.lines.exists(l, l.qty > 3) && "vip" in order.tags`)
	_, first := Solve(IsTrue(c))
	for range 20 {
		if _, again := Solve(IsTrue(c)); !equalFacts(first, again) {
			t.Fatalf("first %v, then %v", first, again)
		}
	}
}

func equalFacts(a, b Map) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if fmt.Sprint(a[k]) != fmt.Sprint(b[k]) {
			return false
		}
	}
	return true
}

func BenchmarkSolve(b *testing.B) {
	x := compiled(b, `order.total > money("400", "EUR") && customer.orders == 0 && order.shipping.country != order.billing.country`)
	y := compiled(b, `order.total > money("150", "EUR") && order.addresses_differ && customer.orders == 0`)
	for b.Loop() {
		Solve(IsTrue(x), IsTrue(y))
	}
}

func BenchmarkImplies(b *testing.B) {
	x := compiled(b, `order.total > money("400", "EUR") && customer.orders == 0 && order.shipping.country != order.billing.country`)
	y := compiled(b, `order.total > money("150", "EUR") && customer.orders == 0`)
	for b.Loop() {
		Implies(x, y)
	}
}
