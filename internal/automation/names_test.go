package automation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
)

// TestNamesAreLookedUp: every name of something outside of a text is known with its place, also inside other steps,
// and what does not exist is told with the nearest name and those there are.
func TestNamesAreLookedUp(t *testing.T) {
	a, err := automation.Parse("x.yaml", []byte(`automation: x
owner: kim@shop.example
why: A sample.
on: order.placed
do:
  - prefer: berln
  - exclude: { location: lyon }
  - if: order.units > 3
    then:
      - webhook: { connection: warehose }
  - message: { template: order-confirmtion, to: customer }
  - escalate: ops-lead
  - escalate: owner
  - hold: { queue: "rsk", reason: "a sample" }
`))
	if err != nil {
		t.Fatal(err)
	}
	names := automation.Names{Templates: []string{"order-confirmation"}, Connections: []string{"warehouse"}, Locations: []string{"berlin", "lyon"}, Queues: []string{"risk", "support"}}
	want := []string{
		`x.yaml:6:13 there is no location "berln"; did you mean berlin?; there are berlin, lyon`,
		`x.yaml:10:32 there is no connection "warehose"; did you mean warehouse?; there are warehouse`,
		`x.yaml:11:26 there is no template "order-confirmtion"; did you mean order-confirmation?; there are order-confirmation`,
	}
	ps := names.Unknown(a)
	for i, p := range ps {
		if got := p.Pointer + " " + p.Message; i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
	}
	if len(ps) != len(want) {
		t.Errorf("%d problems", len(ps))
	}
	if got := fmt.Sprint(a.Queues()); got != "[ops-lead rsk]" {
		t.Errorf("the queues are %s", got)
	}
	for i, near := range []bool{false, true} {
		r := automation.Ref{Type: automation.ArgQueue, Name: a.Queues()[i]}
		if text, got := names.UnusedQueue(r); text == "" || got != near {
			t.Errorf("%s: near %t: %s", r.Name, got, text)
		}
	}
	if ps := (automation.Names{}).Unknown(a); len(ps) != 4 {
		t.Errorf("where nothing exists: %+v", ps)
	}
}

// TestLocationsOfConditionsAreLookedUp: a condition that compares with a location that does not exist is told where it stands.
func TestLocationsOfConditionsAreLookedUp(t *testing.T) {
	a, err := automation.Parse("x.yaml", []byte(`automation: x
owner: kim@shop.example
why: A sample.
on: shipment.rejected
when: >
  order.units > 1 &&
  (shipment.location in ["berlin", "lyno"] || order.lines.exists(l, l.location == "brelin"))
do:
  - if: shipment.location == "" || shipment.location != "paris"
    then: [ { tag: x } ]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`x.yaml:7:4 there is no location "lyno"; did you mean lyon?; there are berlin, lyon`,
		`x.yaml:7:69 there is no location "brelin"; did you mean berlin?; there are berlin, lyon`,
		`x.yaml:9:36 there is no location "paris"; there are berlin, lyon`,
	}
	ps := automation.Names{Locations: []string{"berlin", "lyon"}}.Unknown(a)
	for i, p := range ps {
		if got := p.Pointer + " " + p.Message; i >= len(want) || got != want[i] {
			t.Errorf("%d: %s", i, got)
		}
	}
	if len(ps) != len(want) {
		t.Errorf("%d problems", len(ps))
	}
}

// TestMistakesAreToldShort: problems stand in the order of the lines; a word that is nearly right is answered with the right one alone.
func TestMistakesAreToldShort(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"on: order.placd\ndo: [ { tag: x } ]\n", `x.yaml:4:5 there is no event type "order.placd"; did you mean order.placed?`},
		{"on: order.placed\ndo:\n  - hodl: { queue: risk, reason: x }\n", "x.yaml:6:5 there is no step hodl; did you mean hold?"},
		{"on: order.placed\nlimits: { per_hour: -1 }\nwhen: order.totl > 3\nmode: asleep\ndo: []\n", "x.yaml:5:21 must be"},
	} {
		_, err := automation.Parse("x.yaml", []byte("automation: x\nowner: kim@shop.example\nwhy: A sample.\n"+c.text))
		fe, ok := errors.AsType[*fault.Error](err)
		if !ok || len(fe.Problems) == 0 {
			t.Fatalf("%q: %v", c.text, err)
		}
		if got := fe.Problems[0].Pointer + " " + fe.Problems[0].Message; !strings.HasPrefix(got, c.want) || len(got) > 120 {
			t.Errorf("%s", got)
		}
		for i, p := range fe.Problems[1:] {
			if p.Pointer < fe.Problems[i].Pointer {
				t.Errorf("%s is told after %s", p.Pointer, fe.Problems[i].Pointer)
			}
		}
	}
}
