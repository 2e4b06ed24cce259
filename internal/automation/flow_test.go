package automation

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

const flowing = `automation: check-large
owner: risk@shop.example
why: It shows every step that decides or waits.
on: order.placed
do:
  - set: { name: worth, value: order.total - order.shipping_cost }
  - if: worth > money("100", "EUR")
    then:
      - call: { connection: scorer, as: score, returns: { points: int, verdict: string }, for: 5m, else: [ stop ] }
      - if: score.status == 200 && score.points > 70
        then:
          - ask: { queue: risk, title: Ship it?, options: [yes, no], sla: 2h, as: answer, else: [ { escalate: { to: ops-lead } } ] }
          - if: answer == "no"
            then:
              - cancel: { reason: refused }
              - stop
    else:
      - tag: small
  - for_each: order.lines
    as: l
    when: l.qty > 10 && worth > money("1", "EUR")
    do:
      - if: l.available < l.qty
        then: [ { task: { queue: stock, title: Order more } } ]
  - wait: 2d
  - wait_for: { event: shipment.delivered, when: shipment.carrier == "post", for: 10d, else: [ { refund: { amount: "5 EUR", reason: late } } ] }
  - wait_for: { event: task.decided, same: task, for: 1d }
  - wait_for: { event: order.placed, same: customer, for: 30d }
`

func TestParseFlow(t *testing.T) {
	a, err := Parse("x.yaml", []byte(flowing))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	a.Each(func(s *Step) { kinds = append(kinds, string(s.Kind)) })
	want := "set if call stop if ask escalate if cancel stop tag for_each if task wait wait_for refund wait_for wait_for"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("steps: got  %s\nwant %s", got, want)
	}
	if !a.Waits() {
		t.Error("it does not wait")
	}
	fields, counts := a.StepReads()
	if !reflect.DeepEqual(fields, []string{"order.shipping_cost", "order.total"}) || counts != nil {
		t.Errorf("reads %q, %v", fields, counts)
	}
	call := a.Steps[1].Action.(If).Then[0].Action.(Call)
	call.Else = nil
	if want := (Call{
		Connection: "scorer", Purpose: "check-large", As: "score", Returns: []Result{{"points", schema.Int}, {"verdict", schema.String}},
		For: 5 * time.Minute, HasElse: true,
	}); !reflect.DeepEqual(call, want) {
		t.Errorf("call: got %+v", call)
	}
	if w := a.Steps[4].Action.(WaitFor); w.Same != SameOrder || w.For != 240*time.Hour || w.Else[0].Action.(Refund).Amount != money.New(500, "EUR") {
		t.Errorf("wait_for: got %+v", w)
	}
}

func TestFlowErrors(t *testing.T) {
	on := func(event string) string { return strings.Replace(head, "order.placed", event, 1) }
	for _, tc := range []struct{ name, text, at, says string }{
		{"if without then", head + "do:\n  - if: order.units > 1\n", "6:5", "then is required"},
		{"else without if", head + "do:\n  - then: [stop]\n    else: [stop]\n", "6:5", "a step is one of"},
		{"if with another key", head + "do:\n  - if: order.units > 1\n    then: [stop]\n    els: [stop]\n", "8:5", "did you mean else?"},
		{"a mistake inside", head + "do:\n  - if: order.units > 1\n    then:\n      - hodl: {}\n", "8:9", "did you mean hold?"},
		{"field in if", head + "do:\n  - if: order.unts > 1\n    then: [stop]\n", "6:9", "did you mean order.units?"},
		{"name out of scope", head + "do:\n  - if: order.units > 1\n    then: [ { set: { name: big, value: \"true\" } } ]\n  - if: big\n    then: [stop]\n", "8:9", "there is no big"},
		{"name before it is set", head + "do:\n  - if: big\n    then: [stop]\n  - set: { name: big, value: \"true\" }\n", "6:9", "there is no big"},
		{"misspelt name", head + "do:\n  - ask: { queue: a, title: b, options: [x], as: answer }\n  - if: anser == \"x\"\n    then: [stop]\n", "7:9", "did you mean answer?"},
		{"type of a name", head + "do:\n  - call: { connection: c, as: score, returns: { points: int } }\n  - if: score.points == \"x\"\n    then: [stop]\n", "7:22", "does not work with a whole number and text"},
		{"an answer that nobody can give", head + "do:\n  - ask: { queue: risk, title: Ship it?, options: [ship, refuse], as: answer }\n  - if: order.units > 1 && answer == \"refsue\"\n    then: [stop]\n", "7:38", `"refsue" is not one of ship, refuse, which answer may be; did you mean refuse?`},
		{"answers that nobody can give", head + "do:\n  - ask: { queue: risk, title: Ship it?, options: [ship, refuse], as: answer }\n  - if: answer in [\"ship\", \"hold\"]\n    then: [stop]\n", "7:28", `"hold" is not one of ship, refuse`},
		{"field of an answer", head + "do:\n  - call: { connection: c, as: score, returns: { points: int } }\n  - if: score.pints > 1\n    then: [stop]\n", "7:9", "available: score.status, score.points"},
		{"answer in its own else", head + "do:\n  - ask: { queue: a, title: b, options: [x], as: answer, else: [ { if: answer == \"x\", then: [stop] } ] }\n", "6:72", "there is no answer"},
		{"type of a field", head + "do:\n  - call: { connection: c, as: score, returns: { points: number } }\n", "6:58", "one of string, int"},
		{"name of a field group", head + "do:\n  - set: { name: order, value: \"1\" }\n", "6:18", "fields begin with order"},
		{"name of a function", head + "do:\n  - set: { name: size, value: \"1\" }\n", "6:18", "a word of the language"},
		{"name taken", head + "do:\n  - set: { name: a, value: \"1\" }\n  - set: { name: a, value: \"2\" }\n", "7:18", "is taken"},
		{"bad name", head + "do:\n  - set: { name: My-Name, value: \"1\" }\n", "6:18", "lower-case letters"},
		{"value of a list", head + "do:\n  - set: { name: a, value: order.tags }\n", "6:28", "the value is a list of text"},
		{"for_each over tags", head + "do:\n  - for_each: order.tags\n    as: t\n    do: [stop]\n", "6:15", "goes through order.lines"},
		{"for_each in for_each", head + "do:\n  - for_each: order.lines\n    as: l\n    do: [ { for_each: order.lines, as: m, do: [stop] } ]\n", "8:23", "inside another"},
		{"line field", head + "do:\n  - for_each: order.lines\n    as: l\n    when: l.price > money(\"1\", \"EUR\")\n    do: [stop]\n", "8:11", "available: l.sku"},
		{"line after the loop", head + "do:\n  - for_each: order.lines\n    as: l\n    do: [ { tag: x } ]\n  - if: l.qty > 1\n    then: [stop]\n", "9:9", "there is no l.qty"},
		{"wait without time", head + "do:\n  - wait\n", "6:5", "for is required"},
		{"wait too long", head + "do:\n  - wait: 400d\n", "6:11", "between 1s and 365d"},
		{"wait for nothing", head + "do:\n  - wait_for: { event: order.payed, for: 1d }\n", "6:24", "did you mean order.paid?"},
		{"wait without end", head + "do:\n  - wait_for: { event: order.paid }\n", "6:15", "for is required"},
		{"wait for stock on an order", head + "do:\n  - wait_for: { event: stock.received, for: 1d }\n", "6:24", "is not about an order"},
		{"wait for the order of none", on("stock.low") + "do:\n  - wait_for: { event: order.paid, same: order, for: 1d }\n", "6:42", "stock.low has no order"},
		{"no SKU in common", head + "do:\n  - wait_for: { event: order.paid, same: subject, for: 1d }\n", "6:42", "no SKU in common"},
		{"no task before", head + "do:\n  - wait_for: { event: task.decided, same: task, for: 1d }\n", "6:44", "no step before opens a task"},
		{"awaited field", head + "do:\n  - wait_for: { event: order.paid, when: task.outcome == \"x\", for: 1d }\n", "6:42", "is not known on order.paid"},
		{"ask without options", head + "do:\n  - ask: { queue: a, title: b }\n", "6:10", "options is required"},
		{"cancel without reason", head + "do:\n  - cancel\n", "6:5", "reason is required"},
		{"cancel without order", on("stock.low") + "do:\n  - cancel: too late\n", "6:5", "cancel needs an order"},
		{"refund below zero", head + "do:\n  - refund: { amount: \"-1 EUR\", reason: x }\n", "6:23", "above zero"},
		{"escalate to whom", head + "do:\n  - escalate: { to: Ops Lead }\n", "6:21", "a queue like ops-lead"},
		{"too deep", head + "do: [{if: order.units>1, then: [{if: order.units>1, then: [{if: order.units>1, then: [{if: order.units>1, then: [{if: order.units>1, then: [stop]}]}]}]}]}]\n", "", "more than 4 deep"},
		{"too many", head + "do: [" + strings.Repeat("stop, ", maxSteps) + "stop]\n", "5:5", "more than 50 steps"},
		{"schedule without times", on("schedule") + "do: [stop]\n", "4:5", "needs its times"},
		{"bad cron", on("schedule") + "schedule: { cron: \"61 * * * *\" }\ndo: [stop]\n", "5:19", "above maximum"},
		{"a day there is not", on("schedule") + "schedule: { cron: \"0 9 31 2 *\" }\ndo: [stop]\n", "5:19", "no such day"},
		{"bad zone", on("schedule") + "schedule: { cron: \"0 9 * * *\", zone: Europe/Berlim }\ndo: [stop]\n", "5:38", "not an IANA time zone"},
		{"schedule of an event", head + "schedule: { cron: \"0 9 * * *\" }\ndo: [ { tag: x } ]\n", "5:1", "only on: schedule has a schedule"},
		{"tag on a schedule", on("schedule") + "schedule: { cron: \"0 9 * * *\" }\ndo: [ { tag: x } ]\n", "6:7", "schedule has none"},
		{"absence of what", on("{ absence_of: shipment.scaned, after: shipment.labelled, within: 48h }") + "do: [stop]\n", "4:19", "did you mean shipment.scanned?"},
		{"absence without time", on("{ absence_of: shipment.scanned, after: shipment.labelled }") + "do: [stop]\n", "4:5", "within is required"},
		{"absence of stock", on("{ absence_of: stock.received, after: stock.low, within: 48h }") + "do: [stop]\n", "4:19", "not about an order"},
		{"plain absence", on("absence") + "do: [stop]\n", "4:5", "absence_of: shipment.scanned"},
	} {
		_, err := Parse("x.yaml", []byte(tc.text))
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

func TestScheduleKnowsDaylightSaving(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		cron, zone, from string
		want             []string
	}{
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T00:00", []string{"2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"}}, // repeated: once
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", []string{"2026-03-28T02:30+01:00", "2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"}}, // left out: an hour later
		{"0 * * * *", "Europe/Berlin", "2026-10-25T01:30", []string{"2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"}},  // every hour is every hour
		{"0 9 * * 1-5", "Europe/Berlin", "2026-10-23T10:00", []string{"2026-10-26T09:00+01:00", "2026-10-27T09:00+01:00"}},                          // over a weekend
		{"0 9 1 * 1", "Europe/Berlin", "2026-10-27T00:00", []string{"2026-11-01T09:00+01:00", "2026-11-02T09:00+01:00", "2026-11-09T09:00+01:00"}},  // the first, and Mondays
		{"0 9 * * *", "", "2026-10-25T00:00", []string{"2026-10-25T09:00+01:00"}},                                                                   // the shop's zone
		{"0 9 * * *", "America/New_York", "2026-10-31T00:00", []string{"2026-10-31T14:00+01:00", "2026-11-01T15:00+01:00"}},                         // another zone
	} {
		s, err := NewSchedule(tc.cron, tc.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.ParseInLocation("2006-01-02T15:04", tc.from, berlin)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tc.want {
			at = s.Next(at, berlin)
			if got := at.In(berlin).Format("2006-01-02T15:04-07:00"); got != want {
				t.Errorf("%s %s from %s: got %s, want %s", tc.cron, tc.zone, tc.from, got, want)
			}
		}
	}
}

func TestMissedTimesAreMadeUpForOnce(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 30, 0, time.UTC)
	for _, tc := range []struct {
		cron  string
		since time.Duration
		want  string
	}{
		{"* * * * *", 300 * 24 * time.Hour, "2026-05-04T12:00:00Z"},
		{"0 9 * * *", 300 * 24 * time.Hour, "2026-05-04T09:00:00Z"},
		{"0 0 1 1 *", 300 * 24 * time.Hour, "2026-01-01T00:00:00Z"},
		{"0 9 * * *", time.Hour, ""},
		{"0 12 * * *", time.Minute, "2026-05-04T12:00:00Z"},
		{"0 12 * * *", 20 * time.Second, ""},
	} {
		s, err := NewSchedule(tc.cron, "")
		if err != nil {
			t.Fatal(err)
		}
		got, ok := s.Last(now.Add(-tc.since), now, time.UTC)
		if ok != (tc.want != "") || ok && got.Format(time.RFC3339) != tc.want {
			t.Errorf("%s since %s: got %s %v, want %q", tc.cron, tc.since, got, ok, tc.want)
		}
	}
}
