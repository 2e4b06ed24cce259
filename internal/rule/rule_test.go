package rule

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// sample is an order that every test can start from.
func sample() Map {
	return Map{
		"order.total":            money.New(52990, "EUR"),
		"order.subtotal":         money.New(50000, "EUR"),
		"order.discount":         money.New(0, "EUR"),
		"order.channel":          "shop",
		"order.units":            int64(4),
		"order.tags":             []string{"vip", "gift"},
		"order.placed_at":        time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		"order.shipping.country": "FR",
		"order.billing.country":  "DE",
		"order.addresses_differ": true,
		"customer.orders":        int64(0),
		"customer.email_domain":  "example.com",
		"customer.account_age":   36 * time.Hour,
		"customer.spent":         money.New(10000, "USD"),
		"event.at":               time.Date(2026, 3, 1, 10, 0, 5, 0, time.UTC),
		"order.lines": []Line{
			{SKU: "A-1", Title: "Lamp", Qty: 1, UnitPrice: money.New(45000, "EUR"), Available: 3},
			{SKU: "B-2", Title: "Bulb", Qty: 3, UnitPrice: money.New(1666, "EUR"), Available: 0},
		},
		VelocityFact("order.placed", "customer.email", 24*time.Hour): int64(3),
	}
}

func compile(t testing.TB, src string) *Condition {
	t.Helper()
	c, err := Compile(src, "order.placed")
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return c
}

// celOnly returns the condition with its whole text run by the CEL interpreter.
func celOnly(t fataler, src string) node {
	t.Helper()
	env, err := envFor("order.placed")
	if err != nil {
		t.Fatal(err)
	}
	tree, ps := checked(env, src, "order.placed", nil, true)
	if len(ps) > 0 {
		t.Fatalf("%s: %v", src, ps)
	}
	b := &builder{env: env, tree: tree}
	n := b.program(tree.Expr())
	if b.err != nil {
		t.Fatalf("%s: %v", src, b.err)
	}
	return n
}

func TestEval(t *testing.T) {
	for _, tc := range []struct {
		src  string
		want Outcome
	}{
		{"", True},
		{" \n\t", True},
		{`order.total > money("400", "EUR") && customer.orders == 0 && order.shipping.country != order.billing.country`, True},
		{`order.total > money("529.90", "EUR")`, False},
		{`order.total >= money("529.90", "EUR")`, True},
		{`order.total == money("529.9", "EUR")`, True},
		{`order.total > money("400", "USD")`, Unknown},
		{`order.total == money("400", "USD")`, Unknown},
		{`order.total != money("400", "USD")`, Unknown},
		{`order.total > customer.spent`, Unknown},
		{`order.total > customer.spent || order.units == 4`, True},
		{`order.total > customer.spent && order.units == 5`, False},
		{`order.units == 5 && order.total > customer.spent`, False},
		{`ip.country != order.billing.country`, Unknown},
		{`ip.country != "DE" || order.units > 1`, True},
		{`!(ip.country == "DE")`, Unknown},
		{`!order.addresses_differ`, False},
		{`order.addresses_differ == true`, True},
		{`order.billing.country in ["DE", "AT"]`, True},
		{`order.shipping.country in ["DE", "AT"]`, False},
		{`ip.country in ["DE"]`, Unknown},
		{`order.units in [1, 4]`, True},
		{`order.total in [money("1", "EUR"), money("529.90", "EUR")]`, True},
		{`order.total in [money("1", "EUR"), money("529.90", "USD")]`, Unknown},
		{`order.total in [money("1", "USD"), order.total]`, True},
		{`order.total in [money("1", "EUR")]`, False},
		{`order.total in []`, False},
		{`order.tags == ["vip", "gift"]`, True},
		{`"vip" in order.tags`, True},
		{`"vip" in customer.tags`, Unknown},
		{`order.tags.exists(x, x.startsWith("gi"))`, True},
		{`order.tags.all(x, x == "vip")`, False},
		{`size(order.tags) == 2 && order.lines.size() == 2`, True},
		{`size(order.channel) == 4`, True},
		{`order.channel.startsWith("sh") && order.channel.endsWith("op") && order.channel.contains("ho")`, True},
		{`customer.email_domain.matches("^ex.*[.]com$")`, True},
		{`matches(customer.email_domain, "org$")`, False},
		{`customer.account_age < duration("72h")`, True},
		{`order.placed_at < timestamp("2026-03-02T00:00:00Z")`, True},
		{`event.at - order.placed_at < duration("10s")`, True},
		{`order.placed_at.getHours() < 6`, False},
		{`order.total - order.subtotal > money("20", "EUR")`, True},
		{`order.total + customer.spent > money("20", "EUR")`, Unknown},
		{`order.lines.exists(l, l.available < l.qty)`, True},
		{`order.lines.all(l, l.unit_price > money("20", "EUR"))`, False},
		{`order.lines.exists(l, l.unit_price > money("20", "USD"))`, Unknown},
		{`order.lines.exists(l, l.unit_price > money("20", "USD") || l.qty == 3)`, True},
		{`order.lines.exists_one(l, l.qty == 3 && !l.kit)`, True},
		{`order.lines.exists_one(l, l.qty > 0)`, False},
		{`order.lines.exists(l, order.lines.exists(m, m.sku != l.sku && m.qty > l.qty))`, True},
		{`order.lines.filter(l, l.qty > 1).size() == 1`, True},
		{`order.lines.map(l, l.qty).exists(q, q == 3)`, True},
		{`order.lines.exists(l, l.qty * 2 == 6)`, True},
		{`velocity("order.placed", "customer.email", "24h") >= 3`, True},
		{`velocity("order.placed", "customer.email", "1d") >= 3`, True},
		{`velocity("order.placed", "order.ip", "1h") >= 3`, Unknown},
		{`velocity("order.placed", "customer.email", "24h") * 2 > 5`, True},
		{`order.units > 3 ? customer.orders == 0 : customer.orders > 5`, True},
		{`ip.known ? ip.country == "DE" : true`, Unknown},
		{`order.units / customer.orders > 1`, Unknown},
		{`order.units / customer.orders > 1 || order.units == 4`, True},
		{`true`, True},
		{`order.units == -4`, False},
	} {
		c := compile(t, tc.src)
		got, err := c.Eval(sample())
		if got != tc.want || (err != nil) != (tc.want == Unknown) {
			t.Errorf("%s: got %s, %v; want %s", tc.src, got, err, tc.want)
		}
		if n := c.Explain(sample()); n.Outcome != tc.want.String() {
			t.Errorf("%s: explained as %s, want %s", tc.src, n.Outcome, tc.want)
		}
		if strings.TrimSpace(tc.src) == "" {
			continue
		}
		x := getCtx(sample())
		if cel := celOnly(t, tc.src).eval(x); cel != tc.want {
			t.Errorf("%s: CEL says %s (%s), want %s", tc.src, cel, x.cause, tc.want)
		}
		x.put()
	}
}

func TestUnknownSaysWhy(t *testing.T) {
	for src, want := range map[string]UnknownError{
		`ip.country == "DE" && order.note == ""`:                       {Missing: []string{"ip.country", "order.note"}},
		`(ip.country == "DE" || order.units == 4) && order.note == ""`: {Missing: []string{"order.note"}},
		`order.total > customer.spent`:                                 {Cause: "529.90 EUR and 100.00 USD are two currencies and do not compare"},
		`order.total > customer.spent && velocity("order.placed", "order.device", "1h") > 1`: {
			Missing: []string{"velocity(order.placed,order.device,1h0m0s)"}, Cause: "529.90 EUR and 100.00 USD are two currencies and do not compare",
		},
		`size(ip.country + "x") > 1`: {Missing: []string{"ip.country"}},
	} {
		_, err := compile(t, src).Eval(sample())
		got, ok := errors.AsType[*UnknownError](err)
		if !ok || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got %#v, want %#v", src, err, want)
		}
	}
}

// What a condition lacks is read by people in an order's story: no internal name of a count stands in it.
func TestUnknownIsSaidInWords(t *testing.T) {
	for src, want := range map[string]string{
		`velocity("order.placed", "order.device", "72h") >= 3`: "how many orders were placed from this device in the last 72 hours is not known, because the order names no device",
		`velocity("order.placed", "order.device", "1h") > 1 && ip.country == "DE"`: "not known: ip.country; " +
			"how many orders were placed from this device in the last hour is not known, because the order names no device",
		`velocity("order.placed", "order.device", "7d") > 1 && order.total > customer.spent`: "how many orders were placed from this device in the last 7 days is not known, " +
			"because the order names no device; 529.90 EUR and 100.00 USD are two currencies and do not compare",
	} {
		if _, err := compile(t, src).Eval(sample()); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", src, err, want)
		}
	}
	for _, d := range schema.Dimensions() {
		got := (&UnknownError{Missing: []string{VelocityFact("order.placed", d.Name, 90*time.Minute)}}).Error()
		if d.How == "" || d.Lacks == "" || !strings.Contains(got, d.How+" in the last 90 minutes") || strings.Contains(got, "velocity") {
			t.Errorf("%s: %s", d.Name, got)
		}
	}
}

func TestReads(t *testing.T) {
	c := compile(t, `order.total > money("1", "EUR") && velocity("order.placed", "order.ip", "2h") > 1 && order.lines.exists(l, l.qty > order.units) && velocity("order.placed", "order.ip", "120m") < 9`)
	want := []string{"order.lines", "order.total", "order.units", "velocity(order.placed,order.ip,2h0m0s)"}
	if got := c.Fields(); !reflect.DeepEqual(got, want) {
		t.Errorf("fields: got %q, want %q", got, want)
	}
	if vs := c.Velocities(); len(vs) != 1 || vs[0] != (Velocity{Event: "order.placed", By: "order.ip", Within: 2 * time.Hour, Fact: want[3]}) {
		t.Errorf("velocities: got %v", vs)
	}
}

func TestCompileErrors(t *testing.T) {
	for _, tc := range []struct{ src, event, at, says string }{
		{`order.totl > money("1", "EUR")`, "order.placed", "1:1", "did you mean order.total?"},
		{`total > money("1", "EUR")`, "order.placed", "1:1", "did you mean order.total?"},
		{"order.units > 1 &&\n  customer.emial_domain == \"\"", "order.placed", "2:3", "did you mean customer.email_domain?"},
		{`order.total > money("1", "EUR")`, "stock.low", "1:1", "order.total is not known on stock.low"},
		{`stock.available > 1`, "order.placed", "1:1", "only on stock.low"},
		{`order.total.minor > 1`, "order.placed", "1:1", "order.total is money and has no part minor"},
		{`order.total`, "order.placed", "1:1", "gives money; it must be true or false"},
		{`order.total > 400`, "order.placed", "1:13", `> does not work with money and a whole number; write an amount as money("12.34", "EUR")`},
		{`order.units > "4"`, "order.placed", "1:13", "a number has no quotes"},
		{`customer.account_age < "72h"`, "order.placed", "1:22", `duration("72h")`},
		{`order.units > 1.5`, "order.placed", "1:15", "no fractions"},
		{`order.note == null`, "order.placed", "1:15", "null"},
		{`has(order.note)`, "order.placed", "1:4", "has() is not needed"},
		{`mony("1", "EUR") < order.total`, "order.placed", "1:5", "did you mean money?"},
		{`dyn(order.total) == 1`, "order.placed", "1:4", "there is no function dyn"},
		{`order.total > money("1.999", "EUR")`, "order.placed", "1:20", "more than the 2 decimal digits"},
		{`order.total > money("1", "EURO")`, "order.placed", "1:20", "did you mean EUR?"},
		{`order.total > money(order.currency, "EUR")`, "order.placed", "1:20", "in quotes"},
		{`velocity("order.paid", "customer.email", "24h") > 1`, "order.placed", "1:10", "velocity counts order.placed"},
		{`velocity("order.placed", "customer.mail", "24h") > 1`, "order.placed", "1:26", "did you mean customer.email?"},
		{`velocity("order.placed", "customer.email", "soon") > 1`, "order.placed", "1:44", "not a duration"},
		{`velocity("order.placed", "customer.email", "365d") > 1`, "order.placed", "1:44", "between 1m and 90d"},
		{`velocity("order.placed", "customer.email", order.note) > 1`, "order.placed", "1:9", "in quotes"},
		{`velocity("order.placed", "customer.email", "24h") > 1`, "day.ended", "1:9", "not known on day.ended"},
		{`customer.account_age < duration("3 days")`, "order.placed", "1:33", "duration"},
		{`order.placed_at < timestamp("yesterday")`, "order.placed", "1:29", "timestamp"},
		{`order.note.matches("(")`, "order.placed", "1:20", "matches"},
		{`order.lines.exists(l, l.quantity > 1)`, "order.placed", "1:24", "an order line has no quantity"},
		{`order.lines.exists(l, l.sk == "x")`, "order.placed", "1:24", "did you mean sku?"},
		{`order.lines.exists(order, order.qty > 1)`, "order.placed", "1:19", "cannot be called order"},
		{`order.lines.exists(l, order.lines.exists(l, l.qty > 1))`, "order.placed", "1:41", "already used"},
		{`order.lines.exists(a, order.lines.exists(b, order.lines.exists(c, a.qty > b.qty + c.qty)))`, "order.placed", "1:63", "nested"},
		{`{"a": 1}.size() == 1`, "order.placed", "1:1", "maps"},
		{`order.total in order.lines.map(l, l.unit_price)`, "order.placed", "1:13", "written list only"},
		{`[order.total] == [customer.spent]`, "order.placed", "1:15", "cannot be compared as wholes"},
		{`order.units > `, "order.placed", "1:15", "cannot be read here"},
		{`order.units > 1 &&& true`, "order.placed", "1:19", "cannot be read here"},
		{strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), "order.placed", "", ""},
		{strings.Repeat("true && ", 600) + "true", "order.placed", "1:1", "the limit is 4096"},
		{"true", "order.plced", "", `did you mean "order.placed"?`},
	} {
		_, err := Compile(tc.src, tc.event)
		if err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%.60s: got %v, want an invalid condition", tc.src, err)
			continue
		}
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%.60s: got %v, want it to say %q", tc.src, err, tc.says)
		}
		if tc.at == "" {
			continue
		}
		e, _ := errors.AsType[*fault.Error](err)
		if len(e.Problems) == 0 || e.Problems[0].Pointer != tc.at {
			t.Errorf("%.60s: got %v, want it at %s", tc.src, e.Problems, tc.at)
		}
	}
}

// fataler is what testing.TB and rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// TestEveryFieldCanBeRead: a field whose name the language reserves would exist for nobody.
func TestEveryFieldCanBeRead(t *testing.T) {
	for _, event := range schema.Events() {
		for _, f := range schema.Fields(event) {
			src := f.Name + " == " + f.Name
			if f.Type == schema.Lines {
				src = "size(" + f.Name + ") > 0"
			}
			if _, err := Compile(src, event); err != nil {
				t.Errorf("%s on %s: %v", f.Name, event, err)
			}
		}
	}
}
