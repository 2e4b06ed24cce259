package automation

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/yamltext"
)

const namedText = `automation: ask-first
owner: risk@shop.example
why: A person says whether it goes.
on: order.placed
do:
  - set: { name: rest, value: order.total - order.captured }
  - call: { connection: scorer, as: score, returns: { points: int } }
  - ask: { queue: risk, title: Ship it?, options: [ship, refuse], as: answer }
  - if: answer == "refuse" && score.points > 10
    then:
      - cancel: { reason: refused }
    else:
      - wait_for: { event: task.decided, for: 2d, when: task.outcome == "done" }
      - if: rest > money("5", "EUR")
        then: [ { tag: rest } ]
`

// What steps have named has inputs and words like a field.
func TestNamedValues(t *testing.T) {
	d, err := yamltext.Parse(namedText)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("x.yaml", []byte(namedText)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"when": "order.placed: ", "do/1/call": "order.placed: rest", "do/3/if": "order.placed: rest score.status score.points answer",
		"do/3/else/0/wait_for/when": "task.decided: rest score.status score.points answer", "do/3/else/1/if": "order.placed: rest score.status score.points answer",
	} {
		event, scope := ScopeAt(d, path)
		var names []string
		for _, f := range scope {
			names = append(names, f.Name)
		}
		if got := event + ": " + strings.Join(names, " "); got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
	s := Sentence(d)
	for _, want := range []string{
		"if the answer to “Ship it?” is refuse and the points in the answer of scorer is above 10: cancel the order", "until a task is decided and the decision of the task is done", "if the value “rest” is above 5 EUR",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("%q is not in: %s", want, s)
		}
	}
	for _, c := range []struct {
		change    Change
		want, not string
	}{
		{Change{Do: "part-test", At: "do/3/if", Part: "0", Test: TestForm{Subject: "answer", Op: "!=", Values: []string{"ship"}}}, `answer != "ship" && score`, `"refuse" &&`},
		{Change{Do: "part-test", At: "do/3/if", Part: "0", Test: TestForm{Subject: "score.status", Op: "==", Values: []string{"refuse"}}}, "score.status == 1 && score.points", "answer =="},
		{Change{Do: "part-test", At: "do/3/else/1/if", Part: "", Test: TestForm{Subject: "answer", Op: "==", Values: []string{"5 EUR"}}}, `if: answer == "ship"`, "rest >"},
		{Change{Do: "part-add", At: "do/3/if", Part: "", Value: "test"}, `answer == "ship"`, ""},
		{Change{Do: "step-add", At: "do", Index: 4, Value: "if"}, `  - if: answer == "ship"`, ""},
		{Change{Do: "step-add", At: "do", Index: 4, Value: "ask"}, "options: [yes, no], as: answer2 }", ""},
	} {
		got, err := c.change.Apply(namedText, "EUR")
		if err != nil || !strings.Contains(got, c.want) || c.not != "" && strings.Contains(got, c.not) {
			t.Errorf("%+v: %v\n%s", c.change, err, got)
		}
	}
}
