package rule_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
)

// TestOtherLanguages: who writes = or and is told how it is written here, with the text corrected; and what is
// told can be compiled.
func TestOtherLanguages(t *testing.T) {
	for src, want := range map[string]string{
		`order.payment = "paid"`:                          `1:15 = is written == here: order.payment == "paid"`,
		`order.units > 3 and order.payment = "a = and b"`: `1:17 and is written && here: order.units > 3 && order.payment == "a = and b"`,
		`order.units > 3 OR order.units < 1`:              `1:17 OR is written || here: order.units > 3 || order.units < 1`,
		`not order.units > 3 and order.units > 1`:         `1:1 not is written ! here: !(order.units > 3) && order.units > 1`,
		`order.units => 3`:                                `1:13 => is written >= here: order.units >= 3`,
		`(not order.units > 3) or order.units <> 1`:       `1:2 not is written ! here: (!(order.units > 3)) || order.units != 1`,
		`not(order.units > 3)`:                            `1:1 not is written ! here: !(order.units > 3)`,
		"order.units > 3\n  and order.units < 9":          `2:3 and is written && here: order.units > 3 && order.units < 9`,
	} {
		_, err := rule.Compile(src, "order.placed")
		ps := faults(err)
		if len(ps) != 1 || ps[0].Pointer+" "+ps[0].Message != want {
			t.Errorf("%s: %+v", src, ps)
			continue
		}
		_, corrected, _ := strings.Cut(ps[0].Message, ": ")
		if _, err := rule.Compile(corrected, "order.placed"); err != nil {
			t.Errorf("%s: what is told is refused: %v", corrected, err)
		}
	}
	for _, src := range []string{`order.units >`, `order.units > 3)`} {
		if _, err := rule.Compile(src, "order.placed"); len(faults(err)) == 0 || strings.Contains(faults(err)[0].Message, "is written") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// TestACountIsNotReadTwice: the sentence of a velocity names it once.
func TestACountIsNotReadTwice(t *testing.T) {
	c, err := rule.Compile(`velocity("order.placed", "customer.email", "24h") > 3`, "order.placed")
	if err != nil {
		t.Fatal(err)
	}
	n := c.Explain(rule.Map{c.Velocities()[0].Fact: int64(2)})
	if got := n.Sentence(); got != `velocity("order.placed", "customer.email", "24h") > 3 is false: it is 2` {
		t.Error(got)
	}
}

func faults(err error) []fault.Problem {
	if e, ok := err.(*fault.Error); ok {
		return e.Problems
	}
	return nil
}
