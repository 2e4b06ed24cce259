package automation

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

const whole = `# a comment
automation: everything
owner: risk@shop.example
why: It shows every key.
on: order.placed
when: >-
  order.total > money("400", "EUR") &&
  customer.orders == 0
mode: canary
share: 10%
do:
  - hold: { queue: risk, sla: 4h, reason: "large" }
  - release
  - tag: gift
  - message: { template: order-confirmation, to: customer }
  - message:
      template: low-stock
      to: owner
      purpose: heads-up
      subject: event
  - task: { queue: support, title: Call them, sla: 2d, options: [reached, not-reached] }
  - task: { queue: support, title: 5 }
  - webhook: warehouse
  - prefer: { location: Berlin 1 }
  - exclude: { location: paris }
limits: { per_hour: 50, money_per_day: "20000 EUR" }
expect: { at_least: 1, per: week }
`

func TestParse(t *testing.T) {
	a, err := Parse("x.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if a.Condition == nil || a.Condition.Source() != `order.total > money("400", "EUR") && customer.orders == 0` {
		t.Errorf("condition: got %q", a.When)
	}
	want := &Automation{
		Name: "everything", Owner: "risk@shop.example", Why: "It shows every key.", On: "order.placed", When: a.When,
		Mode: Canary, Share: 10, Condition: a.Condition, File: "x.yaml", Text: whole, Hash: a.Hash,
		Limits: Limits{PerHour: 50, MoneyPerDay: money.New(2000000, "EUR"), PerOrder: 20}, Watch: DefaultWatch, Expect: &Expect{AtLeast: 1, Per: "week"},
		Steps: []Step{
			{KindHold, Hold{Queue: "risk", SLA: 4 * time.Hour, Reason: "large"}, 12},
			{KindRelease, Release{}, 13},
			{KindTag, Tag{"gift"}, 14},
			{KindMessage, Message{Template: "order-confirmation", To: ToCustomer, Purpose: "order-confirmation", Subject: PerOrder}, 15},
			{KindMessage, Message{Template: "low-stock", To: "risk@shop.example", Purpose: "heads-up", Subject: PerEvent}, 16},
			{KindTask, Task{Queue: "support", Title: "Call them", SLA: 48 * time.Hour, Options: []string{"reached", "not-reached"}}, 21},
			{KindTask, Task{Queue: "support", Title: "5", SLA: DefaultSLA, Options: []string{"done"}}, 22},
			{KindWebhook, Webhook{Connection: "warehouse", Purpose: "everything"}, 23},
			{KindPrefer, Prefer{"Berlin 1"}, 24},
			{KindExclude, Exclude{"paris"}, 25},
		},
	}
	a.Refs = nil // looked at by TestNamesAreLookedUp
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got  %+v\nwant %+v", a, want)
	}
	if a.Expect.Window() != 7*24*time.Hour {
		t.Errorf("window: got %s", a.Expect.Window())
	}
	other, err := Parse("x.yaml", []byte(whole+"\n"))
	if err != nil || other.Hash == a.Hash {
		t.Errorf("another text has the same hash, or: %v", err)
	}
}

const head = "automation: a\nowner: a@shop.example\nwhy: Because.\non: order.placed\n"

func TestParseErrors(t *testing.T) {
	const tagging = "do:\n  - tag: x\n"
	for _, tc := range []struct{ name, text, at, says string }{
		{"empty", "", "1:1", "the file is empty"},
		{"comment only", "# nothing\n", "1:1", "the file is empty"},
		{"a list", "- a\n", "1:1", "keys and values"},
		{"syntax", "automation: [\n", "", "cannot be read"},
		{"a condition that begins with a quote", head + "when: \"vip\" in order.tags\ndo: [stop]\n", "5:13", `put all of it into other quotes, as in when: '"vip" in order.tags'`},
		{"not text", "automation: \xff\n", "1:1", "not UTF-8"},
		{"two documents", head + tagging + "---\n" + head + tagging, "8:1", "one file holds one automation"},
		{"twice", head + "why: Again.\n" + tagging, "5:1", "already defined"},
		{"anchor", head + "when: &a \"true\"\n" + tagging, "5:7", "single value"},
		{"merge", head + "<<: {}\n" + tagging, "5:1", "plain word"},
		{"deep", strings.Repeat("[", 5000), "1:1", "nested too deeply"},
		{"long", head + "# " + strings.Repeat("x", maxText), "1:1", "the limit is"},
		{"unknown key", head + "wen: true\n" + tagging, "5:1", "did you mean when?"},
		{"no name", "owner: a@shop.example\nwhy: b\non: order.placed\n" + tagging, "1:1", "automation is required"},
		{"bad name", strings.Replace(head, ": a\n", ": A b\n", 1) + tagging, "1:13", "lower-case words"},
		{"no owner", strings.Replace(head, "owner: a@shop.example\n", "", 1) + tagging, "1:1", "owner is required"},
		{"empty owner", strings.Replace(head, "a@shop.example", "", 1) + tagging, "2:7", "owner is required"},
		{"bad owner", strings.Replace(head, "a@shop.example", "risk", 1) + tagging, "2:8", "must be a mail address"},
		{"no why", strings.Replace(head, "why: Because.\n", "", 1) + tagging, "1:1", "why is required"},
		{"bad event", strings.Replace(head, "order.placed", "order.plced", 1) + tagging, "4:5", "did you mean order.placed?"},
		{"no do", head, "1:1", "do is required"},
		{"empty do", head + "do: []\n", "5:5", "at least one step"},
		{"do is not a list", head + "do: { tag: x }\n", "5:5", "must be a list"},
		{"unknown step", head + "do:\n  - hodl: { queue: risk }\n", "6:5", "did you mean hold?"},
		{"later step", head + "do:\n  - capture: { all: yes }\n", "6:5", "capture is not available yet"},
		{"two steps in one", head + "do:\n  - tag: x\n    release: {}\n", "6:5", "a step is one of"},
		{"unknown argument", head + "do:\n  - hold: { queue: risk, reson: x, reason: y }\n", "6:26", "the step hold has no key reson; its keys"},
		{"missing argument", head + "do:\n  - hold: { queue: risk }\n", "6:11", "reason is required"},
		{"hold without arguments", head + "do:\n  - hold: risk\n", "6:11", "takes named values"},
		{"bare hold", head + "do:\n  - hold\n", "6:5", "queue is required"},
		{"bad duration", head + "do:\n  - hold: { queue: risk, reason: y, sla: soon }\n", "6:42", "not a duration"},
		{"long duration", head + "do:\n  - hold: { queue: risk, reason: y, sla: 400d }\n", "6:42", "between 1m and 90d"},
		{"bad recipient", head + "do:\n  - message: { template: x, to: nobody }\n", "6:33", "must be a mail address"},
		{"bad subject", head + "do:\n  - message: { template: x, to: customer, subject: Hello }\n", "6:52", "order (one per order)"},
		{"bad template", head + "do:\n  - message: { template: X Y, to: customer }\n", "6:26", "lower-case name"},
		{"bad options", head + "do:\n  - task: { queue: a, title: b, options: [x, x] }\n", "6:46", "given twice"},
		{"report on an order", head + "do:\n  - report: { kind: daily, to: a@shop.example }\n", "6:5", "only available on day.ended"},
		{"hold without an order", strings.Replace(head, "order.placed", "stock.low", 1) + "do:\n  - hold: { queue: risk, reason: y }\n", "6:5", "hold needs an order"},
		{"customer without an order", strings.Replace(head, "order.placed", "stock.low", 1) + "do:\n  - message: { template: x, to: customer }\n", "6:33", "stock.low has no customer"},
		{"bad mode", head + "mode: on\n" + tagging, "5:7", "the mode is draft"},
		{"canary without share", head + "mode: canary\n" + tagging, "5:7", "needs a share"},
		{"share without canary", head + "share: 5\n" + tagging, "5:8", "only the mode canary"},
		{"share too large", head + "mode: canary\nshare: 100%\n" + tagging, "6:8", "from 1% to 99%"},
		{"bad limit", head + "limits: { per_hour: -1 }\n" + tagging, "5:21", "whole number"},
		{"bad money", head + "limits: { money_per_day: 20000 }\n" + tagging, "5:26", "12.34 EUR"},
		{"money below zero", head + "limits: { money_per_day: \"-1 EUR\" }\n" + tagging, "5:26", "above zero"},
		{"bad expect", head + "expect: { at_least: 1, per: year }\n" + tagging, "5:29", "hour, day, week or month"},
		{"expect without per", head + "expect: { at_least: 1 }\n" + tagging, "5:9", "per is required"},
		{"condition", head + "when: order.units > 1 && order.totl > 1\n" + tagging, "5:26", "did you mean order.total?"},
		{"condition in quotes", head + "when: 'order.units > 1 && order.totl > 1'\n" + tagging, "5:27", "did you mean order.total?"},
		{"condition with escapes", head + "when: \"order.note == \\\"x\\\" && order.totl > 1\"\n" + tagging, "5:31", "did you mean order.total?"},
		{"folded condition", head + "when: >-\n  order.units > 1 &&\n\n  order.totl > 1\n" + tagging, "8:3", "did you mean order.total?"},
		{"literal condition", head + "when: |\n    order.units > 1\n    && order.totl > 1\n" + tagging, "7:8", "did you mean order.total?"},
		{"condition over two lines", head + "when: order.units > 1\n  && order.totl > 1\n" + tagging, "6:6", "did you mean order.total?"},
		{"condition that is a list", head + "when: [a]\n" + tagging, "5:7", "single value"},
	} {
		a, err := Parse("x.yaml", []byte(tc.text))
		if err == nil || a != nil {
			t.Errorf("%s: accepted", tc.name)
			continue
		}
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Invalid || len(e.Problems) == 0 {
			t.Errorf("%s: got %v, want problems", tc.name, err)
			continue
		}
		p := e.Problems[0]
		if !strings.Contains(p.Message, tc.says) || tc.at != "" && p.Pointer != "x.yaml:"+tc.at {
			t.Errorf("%s: got %s: %s; want %s: …%s…", tc.name, p.Pointer, p.Message, tc.at, tc.says)
		}
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := Parse("x.yaml", []byte("automation: A\nowner: x\non: order.placed\nwhen: order.totl > 1\ndo:\n  - hodl: {}\n  - tag:\n"))
	e, _ := errors.AsType[*fault.Error](err)
	if e == nil || len(e.Problems) != 6 {
		t.Fatalf("got %v, want six problems", err)
	}
}

// TestSchemaKnowsTheEvents: an event type without a place in the schema could not be
// used by anybody, and one that does not exist would never fire.
func TestSchemaKnowsTheEvents(t *testing.T) {
	inner := map[string]bool{ // from the program to itself and to owners
		"incident.raised": true, "incident.recovered": true, "incident.acknowledged": true, "incident.snoozed": true, "incident.unanswered": true, "alerts.tested": true,
		"automation.stopped": true, "automation.resumed": true, "automation.changed": true, "automation.reported": true,
		"run.due": true, "run.retried": true, "call.answered": true, // between its parts
	}
	for _, typ := range schema.Events() {
		if !event.Known(typ) {
			t.Errorf("the schema has the event %s, which does not exist", typ)
		}
	}
	for _, typ := range event.Types() {
		if !schema.KnownEvent(typ) && !inner[typ] {
			t.Errorf("the schema does not have the event %s", typ)
		}
	}
}

func TestSpecs(t *testing.T) {
	for _, k := range Kinds() {
		s := k.Spec()
		if s.Doc == "" || len(s.Reads) == 0 || len(s.Writes) == 0 && s.Key != "none" || s.Key == "" || s.Compensation == "" || s.MoneyEffect == "" {
			t.Errorf("%s does not declare everything: %+v", k, s)
		}
		if sample[k] == "" {
			t.Errorf("%s has no sample", k)
		}
		on := "order.placed"
		if s.On != nil {
			on = s.On[0]
		}
		text := "automation: a\nowner: a@shop.example\nwhy: b\non: " + on + "\ndo:\n  - " + sample[k] + "\n"
		a, err := Parse("x.yaml", []byte(text))
		if err != nil || len(a.Steps) != 1 || a.Steps[0].Kind != k || a.Steps[0].Action.kind() != k {
			t.Errorf("the sample of %s is not one: %v", k, err)
		}
	}
	if len(specs) != len(Kinds()) {
		t.Errorf("%d specs for %d kinds", len(specs), len(Kinds()))
	}
}

// TestWhatToWriteInstead: a key that is there already is not proposed, and what inside braces should stand in quotes is told.
func TestWhatToWriteInstead(t *testing.T) {
	const head = "automation: a\nowner: kim@shop.example\nwhy: A sample.\non: order.placed\n"
	for text, want := range map[string]string{
		head + "whn: order.units > 3\ndo:\n  - tag: x\n":                               "did you mean when?",
		head + "do:\n  - hold: { queue: risk, reason: large, two countries }\n":        "stands in quotes",
		head + "do:\n  - hold: { queue: risk, reason: over [400 }\n":                   "stands in quotes",
		head + "when: order.payment = \"paid\" and order.units > 3\ndo:\n  - tag: x\n": `order.payment == "paid" && order.units > 3`,
	} {
		if _, err := Parse("a.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v", text, err)
		}
	}
}
