package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
)

// writer writes random conditions over few fields and few values, so that
// comparisons come out both ways and facts are often missing.
type writer struct {
	t    *rapid.T
	vars []string // loop variables over lines in scope
}

func (w *writer) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(w.t, label)
}

func (w *writer) cond(depth int) string {
	if depth <= 0 {
		return w.leaf()
	}
	switch rapid.IntRange(0, 9).Draw(w.t, "shape") {
	case 0, 1:
		return "(" + w.cond(depth-1) + " && " + w.cond(depth-1) + ")"
	case 2, 3:
		return "(" + w.cond(depth-1) + " || " + w.cond(depth-1) + ")"
	case 4:
		return "!(" + w.cond(depth-1) + ")"
	case 5:
		return "(" + w.cond(depth-1) + " ? " + w.cond(depth-1) + " : " + w.cond(depth-1) + ")"
	case 6, 7:
		if len(w.vars) >= maxNesting {
			return w.leaf()
		}
		v := fmt.Sprintf("v%d", len(w.vars))
		w.vars = append(w.vars, v)
		body := w.cond(depth - 1)
		w.vars = w.vars[:len(w.vars)-1]
		return "order.lines." + w.pick("loop", "exists", "all", "exists_one") + "(" + v + ", " + body + ")"
	default:
		return w.leaf()
	}
}

func (w *writer) leaf() string {
	cmp := w.pick("op", "==", "!=", "<", "<=", ">", ">=")
	switch rapid.IntRange(0, 12).Draw(w.t, "leaf") {
	case 0:
		return w.amount() + " " + cmp + " " + w.amount()
	case 1:
		return w.int() + " " + cmp + " " + w.int()
	case 2:
		return w.text() + " " + cmp + " " + w.text()
	case 3:
		return w.pick("bool", "order.addresses_differ", "ip.known", "true", "false")
	case 4:
		return w.text() + " in [" + w.text() + ", " + w.text() + "]"
	case 5:
		return w.text() + " in " + w.pick("list", "order.tags", "customer.tags")
	case 6:
		return w.text() + "." + w.pick("test", "startsWith", "endsWith", "contains") + "(" + w.text() + ")"
	case 7:
		return w.text() + ".matches(" + w.pick("pattern", `"^D"`, `"E$"`, `"."`, `""`) + ")"
	case 8:
		if len(w.vars) >= maxNesting {
			return "order.tags == [" + w.text() + "]"
		}
		return w.pick("list", "order.tags", "customer.tags") + "." + w.pick("loop", "exists", "all", "exists_one") + "(x, x " + w.pick("eq", "==", "!=", "<") + " " + w.text() + ")"
	case 9:
		return "customer.account_age " + cmp + ` duration("` + w.pick("age", "1h", "24h", "72h") + `")`
	case 10:
		return w.pick("when", "order.placed_at", "event.at") + " " + cmp + " " + w.pick("then", "order.placed_at", `timestamp("2026-03-01T10:00:00Z")`)
	case 11: // outside the fragment: runs as a program of its own
		return w.int() + " + " + w.int() + " " + cmp + " " + w.int() + " * 2"
	default:
		return w.amount() + " in [" + w.amount() + "]"
	}
}

func (w *writer) amount() string {
	from := []string{"order.total", "customer.spent", `money("1", "EUR")`, `money("2", "EUR")`, `money("1", "USD")`}
	for _, v := range w.vars {
		from = append(from, v+".unit_price")
	}
	return w.pick("amount", from...)
}

func (w *writer) int() string {
	from := []string{
		"order.units", "customer.orders", "0", "1", "2", "-1", "size(order.tags)", "order.lines.size()", "size(order.channel)",
		`velocity("order.placed", "order.ip", "1h")`,
	}
	for _, v := range w.vars {
		from = append(from, v+".qty", v+".available")
	}
	return w.pick("int", from...)
}

func (w *writer) text() string {
	from := []string{"order.channel", "ip.country", `"DE"`, `"é"`, `""`, `"D"`}
	for _, v := range w.vars {
		from = append(from, v+".sku")
	}
	return w.pick("text", from...)
}

// someFacts draws facts; each is missing now and then, and one may have the wrong type.
func someFacts(t *rapid.T) Map {
	amounts := []money.Amount{money.New(100, "EUR"), money.New(200, "EUR"), money.New(100, "USD"), {}}
	texts := []string{"", "D", "DE", "é"}
	drawLine := rapid.Custom(func(t *rapid.T) Line {
		return Line{
			SKU: rapid.SampledFrom(texts).Draw(t, "sku"), Qty: rapid.Int64Range(-1, 2).Draw(t, "qty"),
			UnitPrice: rapid.SampledFrom(amounts).Draw(t, "price"), Available: rapid.Int64Range(0, 2).Draw(t, "available"),
		}
	})
	ints := rapid.Int64Range(-1, 3)
	all := Map{
		"order.total": rapid.SampledFrom(amounts).Draw(t, "total"), "customer.spent": rapid.SampledFrom(amounts).Draw(t, "spent"),
		"order.units": ints.Draw(t, "units"), "customer.orders": ints.Draw(t, "orders"),
		VelocityFact("order.placed", "order.ip", time.Hour): ints.Draw(t, "velocity"),
		"order.channel": rapid.SampledFrom(texts).Draw(t, "channel"), "ip.country": rapid.SampledFrom(texts).Draw(t, "country"),
		"order.addresses_differ": rapid.Bool().Draw(t, "differ"), "ip.known": rapid.Bool().Draw(t, "known"),
		"order.tags":           rapid.SliceOfN(rapid.SampledFrom(texts), 0, 3).Draw(t, "tags"),
		"customer.tags":        rapid.SliceOfN(rapid.SampledFrom(texts), 0, 3).Draw(t, "customer tags"),
		"order.lines":          rapid.SliceOfN(drawLine, 0, 3).Draw(t, "lines"),
		"customer.account_age": time.Duration(rapid.Int64Range(0, 3).Draw(t, "age")) * 24 * time.Hour,
		"order.placed_at":      time.Unix(1772359200+rapid.Int64Range(-1, 1).Draw(t, "placed"), 0).UTC(),
		"event.at":             time.Unix(1772359200, 0).UTC(),
	}
	for _, name := range sortedNames(all) {
		switch rapid.IntRange(0, 19).Draw(t, "missing "+name) {
		case 0, 1, 2, 3:
			delete(all, name)
		case 4:
			all[name] = struct{}{}
		}
	}
	return all
}

func sortedNames(m Map) []string {
	keys := make(map[string]string, len(m))
	for k := range m {
		keys[k] = ""
	}
	return sortedKeys(keys)
}

// TestNodesAgreeWithCEL is what makes the nodes trustworthy: the interpreter
// defines the language, and on any condition and any facts, missing ones and two
// currencies included, both come to the same outcome.
func TestNodesAgreeWithCEL(t *testing.T) {
	counts := map[Outcome]int{}
	rapid.Check(t, func(t *rapid.T) {
		w := &writer{t: t}
		src := w.cond(rapid.IntRange(0, 4).Draw(t, "depth"))
		c, err := Compile(src, "order.placed")
		if err != nil {
			if strings.Contains(err.Error(), "the limit is") {
				t.Skip("too long")
			}
			t.Fatalf("%s: %v", src, err)
		}
		whole := celOnly(t, src)
		for range 5 {
			f := someFacts(t)
			got, err := c.Eval(f)
			x := getCtx(f)
			want := whole.eval(x)
			x.put()
			if got != want {
				t.Fatalf("%s\non %v\nnodes: %s (%v), CEL: %s", src, f, got, err, want)
			}
			if (err != nil) != (got == Unknown) {
				t.Fatalf("%s is %s with the reason %v", src, got, err)
			}
			n := c.Explain(f)
			if n.Outcome != got.String() {
				t.Fatalf("%s\non %v\nis %s, explained as %s", src, f, got, n.Outcome)
			}
			if len(n.Leaves()) == 0 {
				t.Fatalf("%s on %v: nothing decided it", src, f)
			}
			counts[got]++
		}
	})
	for _, o := range []Outcome{False, True, Unknown} {
		if counts[o] == 0 {
			t.Errorf("no condition came out %s: the test says little", o)
		}
	}
	t.Log(counts)
}

// TestUnknownIsMonotone is Kleene's law: learning a missing fact may settle an
// unknown condition, but never turns a settled one.
func TestUnknownIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &writer{t: t}
		src := w.cond(3)
		c, err := Compile(src, "order.placed")
		if err != nil {
			t.Skip("too long")
		}
		more := someFacts(t)
		less := Map{}
		for _, name := range sortedNames(more) {
			if rapid.Bool().Draw(t, "know "+name) {
				less[name] = more[name]
			}
		}
		before, _ := c.Eval(less)
		after, _ := c.Eval(more)
		if before != Unknown && after != before {
			t.Fatalf("%s\nwas %s on %v\nand %s on %v", src, before, less, after, more)
		}
	})
}
