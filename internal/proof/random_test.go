package proof

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// chooser draws a number below n: from rapid, which shrinks, or from a seed, which is quick.
type chooser func(n int) int

func (c chooser) of(from ...string) string { return from[c(len(from))] }

func drawn(t *rapid.T) chooser {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
}

// The values that conditions compare with, and around which orders are made.
var (
	edges     = []int64{0, 1, 5, 9900, 10000, 10001, 40000}
	countries = []string{"DE", "FR", "AT"}
	postals   = []string{"10115", "69001", "1010"}
	skus3     = []string{"MUG", "CUP", "MUG-XL"}
	tags      = []string{"vip", "gift", "b2b"}
)

// condition writes a random condition of the fragment on order.placed.
func (c chooser) condition(depth int) string {
	if depth > 0 {
		switch c(6) {
		case 0, 1:
			return "(" + c.condition(depth-1) + " && " + c.condition(depth-1) + ")"
		case 2:
			return "(" + c.condition(depth-1) + " || " + c.condition(depth-1) + ")"
		case 3:
			return "!(" + c.condition(depth-1) + ")"
		}
	}
	cmp := c.of("==", "!=", "<", "<=", ">", ">=")
	eq := c.of("==", "!=")
	small := c.of("0", "1", "2", "5")
	amount := func() string {
		return c.of("order.total", "order.subtotal", "order.shipping_cost", "order.discount", "order.captured", "customer.spent",
			`money("100", "EUR")`, `money("100.01", "EUR")`, `money("400", "EUR")`, `money("100", "USD")`)
	}
	country := func() string {
		return c.of("order.shipping.country", "order.billing.country", "ip.country", `"DE"`, `"FR"`)
	}
	switch c(16) {
	case 0, 1:
		return amount() + " " + cmp + " " + amount()
	case 2:
		return c.of("order.units", "order.line_count", "customer.orders", "customer.cancelled", "order.tags.size()") + " " + cmp + " " + small
	case 3:
		return "order.units " + cmp + " " + c.of("order.line_count", "customer.orders")
	case 4:
		return country() + " " + eq + " " + country()
	case 5:
		return c.of("order.shipping.country", "order.billing.country") + ` in ["DE", "AT"]`
	case 6:
		return c.of("order.countries_differ", "order.addresses_differ", "customer.email_disposable", "ip.known")
	case 7:
		return `order.shipping.postal.` + c.of("startsWith", "endsWith", "contains") + `("` + c.of("1", "10", "01", "69") + `")`
	case 8:
		return `"` + c.of(tags...) + `" in order.tags`
	case 9:
		return `order.tags.` + c.of("exists", "all") + `(t, t ` + eq + ` "` + c.of(tags...) + `")`
	case 10:
		return `order.lines.` + c.of("exists", "all", "exists_one") + `(l, l.qty ` + cmp + " " + c.of("1", "5") + " " + c.of("&&", "||") + ` l.sku ` + eq + ` "` + c.of(skus3...) + `")`
	case 11:
		return `order.lines.` + c.of("exists", "all") + `(l, l.unit_price ` + cmp + ` money("100", "EUR"))`
	case 12:
		return `velocity("order.placed", "` + c.of("customer.email", "order.ip") + `", "` + c.of("1h", "24h") + `") ` + cmp + " " + small
	case 13:
		return `order.payment ` + eq + ` "` + c.of("paid", "pending", "authorized") + `"`
	case 14:
		return `customer.account_age ` + cmp + ` duration("` + c.of("24h", "72h") + `")`
	default:
		return `customer.email_domain ` + eq + ` "` + c.of("example.com", "mailinator.com") + `"`
	}
}

// steps writes random steps, in branches, behind stops and after waits.
func (c chooser) steps() string {
	one := func() string { return c.of(holdRisk, "release") }
	switch c(9) {
	case 0, 1:
		return "{ if: '" + c.condition(1) + "', then: [ { " + "tag: x" + " } ], else: [ " + inList(one()) + " ] }"
	case 2:
		return "{ if: '" + c.condition(1) + "', then: [ " + inList(one()) + " ] }"
	case 3:
		return "{ if: '" + c.condition(1) + "', then: [ stop ] }; " + one()
	case 4:
		return "wait: 1h; " + one()
	}
	return c.of("tag: x", holdRisk, "release", "prefer: berlin", "exclude: berlin")
}

func inList(step string) string {
	if strings.Contains(step, ":") {
		return "{ " + step + " }"
	}
	return step
}

// does says what an automation does at once on an order with the facts.
func does(a *automation.Automation, f rule.Map) map[automation.Kind]bool {
	out := map[automation.Kind]bool{}
	if fired, _ := a.Condition.Eval(f); a.When != "" && fired != rule.True {
		return out
	}
	var walk func(steps []automation.Step) bool
	walk = func(steps []automation.Step) bool {
		for _, s := range steps {
			switch x := s.Action.(type) {
			case automation.If:
				branch := []automation.Step(nil)
				switch is, _ := x.Cond.Eval(f); is {
				case rule.True:
					branch = x.Then
				case rule.False:
					branch = x.Else
				}
				if !walk(branch) {
					return false
				}
			case automation.Stop, automation.Wait:
				return false
			}
			out[s.Kind] = true
		}
		return true
	}
	walk(a.Steps)
	return out
}

// kinds are the kinds of steps that automations have.
func kinds(as ...*automation.Automation) map[automation.Kind]bool {
	out := map[automation.Kind]bool{}
	for _, a := range as {
		a.Each(func(s *automation.Step) { out[s.Kind] = true })
	}
	return out
}

// order makes a random order around the values that conditions compare with, what is known beside
// it included.
func (c chooser) order() Case {
	cur := "EUR"
	if c(5) == 0 {
		cur = "USD"
	}
	amount := func() money.Amount { return money.New(edges[c(len(edges))], cur) }
	address := func() event.Address {
		if c(6) == 0 {
			return event.Address{}
		}
		i := c(len(countries))
		return event.Address{Country: countries[i], Postal: postals[c(len(postals))], Line1: c.of("1 Street", "2 Street"), City: c.of("X", "Y")}
	}
	p := &event.OrderPlaced{Channel: "web", Number: "1", Currency: cur, ShippingCost: amount(), Discount: amount(), Shipping: address(), Billing: address()}
	if c(2) == 0 {
		p.Total = amount()
	}
	for range c(4) {
		p.Lines = append(p.Lines, event.Line{SKU: c.of(skus3...), Qty: []int64{1, 2, 4, 5, 6}[c(5)], UnitPrice: amount()})
	}
	for range c(3) {
		p.Tags = append(p.Tags, c.of(tags...))
	}
	if c(5) > 0 {
		p.Customer.Email = "buyer@" + c.of("example.com", "mailinator.com")
	}
	p.Payment.Status = c.of("", "pending", "authorized", "paid")
	if c(3) > 0 {
		p.IP = "203.0.113.7"
	}
	x := Case{Event: p, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if c(3) == 0 {
		p.Customer.SignedUp = x.At.Add(-[]time.Duration{0, time.Hour, 24 * time.Hour, 72 * time.Hour, 100 * time.Hour}[c(5)])
	}
	return x
}

// history is what earlier orders left behind: rows, so that facts come from where they come in life.
func (c chooser) history(t *trial, ev *event.Event) {
	who := ev.Who
	if who.Customer != "" && c(2) == 0 {
		t.snap.Customers[who.Customer] = customerRow(who.Customer, int64(c(4)), int64(c(2)), money.New(edges[c(len(edges))], c.of("EUR", "USD")), t.at.Add(-time.Duration(c(5))*24*time.Hour))
	}
	for _, key := range []string{who.Email, who.IP} {
		if key == "" {
			continue
		}
		hour := int64(c(4))
		for _, w := range []struct {
			within time.Duration
			n      int64
		}{{time.Hour, hour}, {24 * time.Hour, hour + int64(c(3))}} {
			t.snap.Velocity[decide.VelocityQuery{Key: key, From: t.at.Add(-w.within).UnixMicro(), To: t.at.UnixMicro() + 1}] = w.n
		}
	}
	t.pol.IP = countryOf{c.of("DE", "FR", "")}
}

type countryOf struct{ country string }

func (c countryOf) Country(string) (string, bool) { return c.country, c.country != "" }

// readsAll are automations that between them read every field that conditions may use.
func readsAll(t testing.TB) []*automation.Automation {
	parts := []string{
		`order.total == order.subtotal || order.shipping_cost == order.discount || order.captured == customer.spent`,
		`order.units == order.line_count || customer.orders == customer.cancelled || order.tags.size() == 1 || order.lines.size() == 1`,
		`order.shipping.country == order.billing.country || ip.country == order.shipping.postal || order.payment == customer.email_domain || order.currency == "EUR"`,
		`order.countries_differ || order.addresses_differ || customer.email_disposable || ip.known`,
		`customer.account_age > duration("1h")`,
	}
	for _, by := range []string{"customer.email", "order.ip"} {
		for _, w := range []string{"1h", "24h"} {
			parts = append(parts, fmt.Sprintf("velocity(%q, %q, %q) > 1", "order.placed", by, w))
		}
	}
	var rows []string
	for i, p := range parts {
		rows = append(rows, fmt.Sprintf("r%d | order.placed | %s | tag: x", i, p))
	}
	return set(t, rows...)
}

// decidedFacts decides n random orders and returns the facts that automations saw.
func decidedFacts(t testing.TB, n int) []rule.Map {
	set := automation.NewSet(readsAll(t))
	c := chooser(rand.New(rand.NewSource(7)).Intn)
	out := make([]rule.Map, 0, n)
	for range n {
		x := c.order()
		tr := newTrial(decide.Settings{}, x)
		ev := tr.event(x.Event)
		c.history(tr, &ev)
		tr.pol.Automations = set
		d, err := decide.Decide(tr.snap, ev, tr.pol, x.At)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d.Facts)
	}
	return out
}

// TestProofsAgainstOrders: what is called impossible (that a rule fires, that two fire together,
// that one fires and the other does not) no random order does, decided by the function that runs
// live; and every witness does what it is a witness of, in every one of many random sets.
func TestProofsAgainstOrders(t *testing.T) {
	n := orders
	if testing.Short() {
		n = 5_000
	}
	facts := decidedFacts(t, n)
	seen := map[string]int{}
	contradicted := func(t *rapid.T, what string, meets func(rule.Map) bool) {
		seen[what]++
		for _, f := range facts {
			if meets(f) {
				t.Fatalf("%s, but %v", what, f)
			}
		}
	}
	is := func(c *rule.Condition, f rule.Map) bool { out, _ := c.Eval(f); return out == rule.True }
	rapid.Check(t, func(t *rapid.T) {
		c := drawn(t)
		var rows []string
		when := ""
		for i := range 2 + c(2) {
			if when != "" && c(3) == 0 {
				when = "(" + when + ") && " + c.condition(1)
			} else {
				when = c.condition(2)
			}
			rows = append(rows, fmt.Sprintf("a%d | order.placed | %s | %s", i, when, c.steps()))
		}
		as := set(t, rows...)
		for i, a := range as {
			v, _ := rule.Solve(rule.IsTrue(a.Condition))
			seen["alone "+v.String()]++
			if v == rule.Impossible {
				contradicted(t, a.When+" never fires", func(f rule.Map) bool { return is(a.Condition, f) })
			}
			for _, b := range as[i+1:] {
				switch v, _ := rule.Solve(rule.IsTrue(a.Condition), rule.IsTrue(b.Condition)); v {
				case rule.Impossible:
					contradicted(t, a.When+" and "+b.When+" never meet", func(f rule.Map) bool { return is(a.Condition, f) && is(b.Condition, f) })
				default:
					seen["together "+v.String()]++
				}
				if rule.Implies(a.Condition, b.Condition) {
					contradicted(t, a.When+" implies "+b.When, func(f rule.Map) bool { return is(a.Condition, f) && !is(b.Condition, f) })
				}
			}
		}
		found := Check(decide.Settings{}, World{}, as).Findings
		for i, a := range as {
			for _, b := range as[i+1:] {
				pair := []string{a.Name, b.Name}
				if slices.ContainsFunc(found, func(f Finding) bool {
					return (f.Kind == Conflict || f.Kind == Open) && slices.Equal(f.Automations, pair)
				}) {
					continue
				}
				if has := kinds(a, b); !has[automation.KindHold] || !has[automation.KindRelease] {
					continue
				}
				for i := len(found) % 4; i < len(facts); i += 4 { // a quarter of them, to be quick
					f := facts[i]
					x := does(a, f)
					if len(x) == 0 {
						continue
					}
					y := does(b, f)
					if x[automation.KindHold] && y[automation.KindRelease] || x[automation.KindRelease] && y[automation.KindHold] {
						t.Fatalf("%s and %s are said to go together, but one holds and one releases %v", a.Text, b.Text, f)
					}
				}
			}
		}
		for _, f := range found {
			seen["finding "+string(f.Kind)]++
			if f.Witness == nil {
				if f.Kind == Conflict {
					t.Fatalf("%v without a witness", f)
				}
				continue
			}
			r, err := Try(decide.Settings{}, as, f.Witness.Case)
			if err != nil {
				t.Fatal(err)
			}
			var did []string
			for _, name := range f.Automations {
				if r.Outcome(name) != rule.True {
					t.Fatalf("%s: the witness %s %v does not set off %s", f.Message, f.Witness.Event, f.Witness.Given, name)
				}
				did = append(did, r.Did(name)...)
			}
			if strings.Contains(f.Message, "lets it go") && !strings.Contains(f.Message, "after a wait") {
				seen["finding at once"]++
				for _, step := range []string{"hold", "release"} {
					if !slices.ContainsFunc(did, func(d string) bool { return strings.HasPrefix(d, step) }) {
						t.Fatalf("%s: on the witness %s %v they did %q", f.Message, f.Witness.Event, f.Witness.Given, did)
					}
				}
			} else if strings.Contains(f.Message, "after a wait") {
				seen["finding after a wait"]++
			}
		}
	})
	sums := map[string]int{}
	for what, n := range seen {
		if strings.HasPrefix(what, "alone") || strings.HasPrefix(what, "together") || strings.HasPrefix(what, "finding") {
			sums[what] = n
		} else {
			sums["impossible"] += n
		}
	}
	t.Log(sums)
	for _, must := range []string{"alone possible", "together possible", "impossible", "finding conflict", "finding at once", "finding after a wait"} {
		if sums[must] == 0 && !testing.Short() {
			t.Errorf("nothing was %q: the test says little", must)
		}
	}
}

// many makes n automations as a large shop might have them, over all triggers.
func many(t testing.TB, n int) []*automation.Automation {
	c := chooser(rand.New(rand.NewSource(3)).Intn)
	var rows []string
	for i := range n {
		on := c.of("order.placed", "order.placed", "order.placed", "order.accepted", "order.ready", "shipment.shipped", "order.cancelled", "task.overdue", "effect.failed")
		when := c.condition(2)
		step := c.of(holdRisk, "hold: { queue: support, reason: look }", "tag: "+c.of("a", "b", "c", "d", "e", "f", "g", "h"), "prefer: "+c.of("berlin", "paris", "rome"),
			"exclude: "+c.of("berlin", "paris", "rome"), "message: { template: low-stock, purpose: p"+fmt.Sprint(c(40))+", to: ops@shop.example }",
			"task: { queue: ops, title: look "+fmt.Sprint(c(40))+" }", "webhook: { connection: erp, purpose: w"+fmt.Sprint(c(20))+" }")
		if i%40 == 39 {
			step = "release"
		}
		switch { // a good part of them branches, waits, asks, or goes by the clock
		case i%5 == 1:
			step = "{ if: '" + c.condition(1) + "', then: [ " + inList(step) + " ], else: [ stop ] }; tag: seen"
		case i%5 == 2 && schema.IsOrderEvent(on):
			step = c.of("wait: 2d", "wait_for: { event: order.paid, for: 2d }", "wait_for: { event: shipment.delivered, for: 9d, else: [ { tag: late } ] }",
				"ask: { queue: ops, title: ship it, options: [yes, no], as: said }", "call: { connection: erp, as: said, returns: { ok: bool }, for: 1h }") +
				"; { if: '" + c.condition(1) + "', then: [ " + inList(step) + " ] }"
		case i%25 == 3:
			on, when = "schedule\nschedule: { cron: \""+c.of("0 9 * * 1", "0 7 * * *")+"\" }", "-"
			step = "task: { queue: ops, title: look " + fmt.Sprint(c(4)) + " }; wait: 1h; webhook: { connection: erp, purpose: w" + fmt.Sprint(c(4)) + " }"
		case i%25 == 8:
			on, step = "{ absence_of: shipment.scanned, after: shipment.labelled, within: "+c.of("2d", "3d")+" }", "wait: 1h; "+holdRisk
		}
		rows = append(rows, fmt.Sprintf("a%03d | %s | %s | %s", i, on, when, step))
	}
	return set(t, rows...)
}

func TestCheckIsDeterministic(t *testing.T) {
	as := many(t, 60)
	first := Check(decide.Settings{}, World{Known: true}, as)
	if len(first.Findings) == 0 {
		t.Fatal("nothing was found")
	}
	back := make([]*automation.Automation, len(as))
	for i, a := range as {
		back[len(as)-1-i] = a
	}
	if a, b := fmt.Sprint(strip(first)), fmt.Sprint(strip(Check(decide.Settings{}, World{Known: true}, back))); a != b {
		t.Errorf("the same automations gave\n%s\nand\n%s", a, b)
	}
}

func strip(r *Report) []string {
	var out []string
	for _, f := range r.Findings {
		text := fmt.Sprintf("%s %v %v %s", f.Kind, f.Automations, f.At, f.Message)
		if f.Witness != nil {
			text += string(f.Witness.Event) + fmt.Sprint(f.Witness.Given)
		}
		out = append(out, text)
	}
	return out
}

func BenchmarkCheck500(b *testing.B) {
	as := many(b, 500)
	var r *Report
	for b.Loop() {
		r = Check(decide.Settings{}, World{Known: true}, as)
	}
	if b.Elapsed() > time.Duration(b.N)*2*time.Second {
		b.Errorf("%s for 500 automations", b.Elapsed()/time.Duration(b.N))
	}
	b.ReportMetric(float64(r.Pairs), "pairs")
	b.ReportMetric(float64(r.Solved), "proofs")
	b.ReportMetric(float64(len(r.Findings)), "findings")
}

func customerRow(id string, orders, cancelled int64, spent money.Amount, first time.Time) *customer.Customer {
	return &customer.Customer{ID: id, Orders: orders, Cancelled: cancelled, Spent: spent, FirstAt: first}
}
