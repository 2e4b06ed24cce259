package proof

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/schema"
)

func parse(t testing.TB, text string) *automation.Automation {
	t.Helper()
	a, err := automation.Parse("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const largeOrders = `automation: hold-large
owner: risk@shop.example
why: Large orders are looked at.
on: order.placed
when: order.total > money("400", "EUR") && customer.orders == 0
do:
  - hold: { queue: risk, reason: "large first order" }
  - tag: large
tests:
  - name: x
    event: { total: 500 EUR, customer: { email: buyer@shop.example } }
`

// TestATestCanFail: each way in which a rule may miss what is expected is told with its reason.
func TestATestCanFail(t *testing.T) {
	for _, tc := range []struct{ name, rest, want string }{
		{"as expected", "    expect: fires\n    does: [tag large, large first]\n", ""},
		{"fires", "    expect: does not fire\n", `it fires; expected is that it does not fire: The order total is above 400 EUR? Yes: 500.00 EUR`},
		{"does not fire", "    given: { customer.orders: 1 }\n    expect: fires\n", "The number of the customer's earlier orders is 0? No: 1"},
		{"unknown", "    given: { customer.orders: null }\n    expect: fires\n", "it is unknown; expected is that it fires: The number of the customer's earlier orders is 0? Not known"},
		{"does", "    expect: fires\n    does: [message]\n", `it does not "message"; it did: hold: large first order; tag large`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rs := Tests(decide.Settings{}, []*automation.Automation{parse(t, largeOrders+tc.rest)})
			if len(rs) != 1 || !strings.Contains(rs[0].Problem, tc.want) || (tc.want == "") != rs[0].OK || rs[0].At() != "a.yaml:10" {
				t.Errorf("got %+v, want %q", rs, tc.want)
			}
		})
	}
}

// The mode does not matter: a draft is tested before it is switched on.
func TestDraftsAreTested(t *testing.T) {
	a := parse(t, strings.Replace(largeOrders, "on: order", "mode: draft\non: order", 1)+"    expect: fires\n")
	if rs := Failed(Tests(decide.Settings{}, []*automation.Automation{a})); len(rs) > 0 {
		t.Error(rs)
	}
}

// TestEveryTriggerIsAsked: an automation on any event type that the language offers is asked
// when such an event comes.
func TestEveryTriggerIsAsked(t *testing.T) {
	for _, on := range schema.Events() {
		switch on {
		case automation.OnSchedule:
			on = "schedule\nschedule: { cron: \"0 9 * * *\" }"
		case automation.OnAbsence:
			on = "{ absence_of: shipment.scanned, after: shipment.labelled, within: 48h }"
		}
		a := parse(t, "automation: a\nowner: a@shop.example\nwhy: b\non: "+on+"\ndo:\n  - task: { queue: ops, title: look }\ntests:\n  - { name: x, expect: fires, does: [task for ops] }\n")
		if rs := Failed(Tests(decide.Settings{}, []*automation.Automation{a})); len(rs) > 0 {
			t.Errorf("%s: %s", on, rs[0].Problem)
		}
	}
}
