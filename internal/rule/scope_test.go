package rule

import (
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

var sampleScope = Scope{
	{Name: "answer", Type: schema.String},
	{Name: "score.points", Type: schema.Int},
	{Name: "score.fee", Type: schema.Money},
	{Name: "l.sku", Type: schema.String},
	{Name: "l.qty", Type: schema.Int},
}

func TestConditionsReadNamedValues(t *testing.T) {
	facts := Map{"answer": "yes", "score.points": int64(7), "l.qty": int64(3), "order.units": int64(5), "score.fee": money.New(250, "EUR")}
	for src, want := range map[string]Outcome{
		`answer == "yes" && score.points > 5`:              True,
		`answer in ["no", "later"]`:                        False,
		`l.qty * 2 > order.units`:                          True,
		`l.sku == "MUG"`:                                   Unknown,
		`score.fee < money("3", "EUR") || l.sku == "MUG"`:  True,
		`score.fee + score.fee == money("5.00", "EUR")`:    True,
		`order.lines.exists(x, x.qty > score.points)`:      Unknown,
		`score.fee == money("2.50", "USD") && l.qty == 99`: False,
	} {
		c, err := CompileIn(src, "order.placed", sampleScope)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, _ := c.Eval(facts); got != want {
			t.Errorf("%s: got %s, want %s", src, got, want)
		}
		for _, f := range c.Fields() {
			if !strings.HasPrefix(f, "order.") {
				t.Errorf("%s: the named value %s counts as a fact of the event", src, f)
			}
		}
	}
}

func TestNamesThatAreNotInScope(t *testing.T) {
	for src, says := range map[string]string{
		`anwser == "yes"`:                     "did you mean answer?",
		`score.point > 1`:                     "available: score.points, score.fee",
		`answer > 5`:                          "does not work with text and a whole number",
		`order.lines.exists(answer, true)`:    "cannot be called answer",
		`score.points.more == 1`:              "has no part more",
		`answer`:                              "must be true or false",
		`l.price > money("1", "EUR")`:         "available: l.sku, l.qty",
		`order.lines.exists(l, l.qty > l.qt)`: "cannot be called l",
	} {
		_, err := CompileIn(src, "order.placed", sampleScope)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v; want …%s…", src, err, says)
		}
	}
	if _, err := Compile(`answer == "yes"`, "order.placed"); err == nil {
		t.Error("a name of another automation's scope is known")
	}
}

func TestValues(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	facts := Map{
		"answer": "yes", "score.points": int64(7), "l.qty": int64(3), "order.total": money.New(1000, "EUR"), "order.placed_at": at,
		"customer.account_age": time.Hour, "order.lines": []Line{{SKU: "A"}, {SKU: "B"}},
	}
	for src, want := range map[string]any{
		`score.points + l.qty`:                   int64(10),
		`score.points`:                           int64(7),
		`answer`:                                 "yes",
		`answer + "!"`:                           "yes!",
		`order.total + money("1", "EUR")`:        money.New(1100, "EUR"),
		`order.total`:                            money.New(1000, "EUR"),
		`order.placed_at`:                        at,
		`order.placed_at + duration("1h")`:       at.Add(time.Hour),
		`customer.account_age`:                   time.Hour,
		`customer.account_age + duration("30m")`: 90 * time.Minute,
		`score.points > 5`:                       true,
		`size(order.lines)`:                      int64(2),
		`answer == "yes" ? "a" : "b"`:            "a",
		`"fixed"`:                                "fixed",
	} {
		v, err := CompileValue(src, "order.placed", sampleScope)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got, err := v.Eval(facts); got != want || err != nil {
			t.Errorf("%s: got %v (%v), want %v", src, got, err, want)
		}
	}
	v, err := CompileValue(`order.total + money("1", "USD")`, "order.placed", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Eval(facts); err == nil || got != nil || !strings.Contains(err.Error(), "two currencies") {
		t.Errorf("two currencies: got %v, %v", got, err)
	}
	if _, err := v.Eval(Map{}); err == nil || !strings.Contains(err.Error(), "order.total") {
		t.Errorf("a missing fact: %v", err)
	}
	for src, says := range map[string]string{
		``: "is empty", `order.lines`: "a list of order lines", `order.tags`: "a list of text", `1.5`: "no fractions",
		`order.totl`: "did you mean order.total?", `[1, 2]`: "the value is",
	} {
		if _, err := CompileValue(src, "order.placed", nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v; want …%s…", src, err, says)
		}
	}
}
