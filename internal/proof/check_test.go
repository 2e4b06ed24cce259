package proof

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
)

// fataler is a test or a property.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// set parses automations written as "name | on | when | steps": "-" is no condition, the steps are YAML items.
func set(t fataler, rows ...string) []*automation.Automation {
	t.Helper()
	var out []*automation.Automation
	for _, row := range rows {
		cell := strings.Split(row, " | ")
		text := "automation: " + cell[0] + "\nowner: ops@shop.example\nwhy: a test\non: " + cell[1] + "\n"
		if cell[2] != "-" {
			text += "when: |\n  " + cell[2] + "\n"
		}
		text += "do:\n"
		for _, s := range strings.Split(cell[3], "; ") {
			text += "  - " + s + "\n"
		}
		a, err := automation.Parse(cell[0]+".yaml", []byte(text))
		if err != nil {
			t.Fatalf("%s: %v", row, err)
		}
		out = append(out, a)
	}
	return out
}

const holdRisk = "hold: { queue: risk, sla: 4h, reason: look }"

// TestFindings: each kind of finding on a set that has it, and on the nearest one that has not.
func TestFindings(t *testing.T) {
	for _, tc := range []struct {
		name string
		rows []string
		want []string // "kind severity automations: part of the message"; nothing else may be found
	}{
		{"hold and release meet", []string{
			`a | order.placed | order.total > money("400", "EUR") | ` + holdRisk,
			`b | order.placed | order.units > 9 | release`,
		}, []string{"conflict error a,b: a holds the order and b lets it go; letting go comes last"}},
		{"hold and release do not meet", []string{
			`a | order.placed | order.total > money("400", "EUR") | ` + holdRisk,
			`b | order.placed | order.total <= money("400", "EUR") | release`,
		}, nil},
		{"different events do not meet", []string{
			`a | order.placed | - | ` + holdRisk,
			`b | order.cancelled | - | release`,
		}, nil},
		{"two queues", []string{
			`a | order.placed | order.units > 5 | ` + holdRisk,
			`b | order.placed | order.units > 9 | hold: { queue: support, reason: look }`,
		}, []string{"conflict warning a,b: one review, in the queue of the first by name"}},
		{"one queue is no conflict", []string{
			`a | order.placed | order.units > 5 | ` + holdRisk,
			`b | order.placed | order.line_count > 2 | ` + holdRisk,
		}, nil},
		{"prefer and exclude", []string{
			`a | order.placed | order.shipping.country == "DE" | prefer: berlin`,
			`b | order.placed | order.lines.exists(l, l.qty > 10) | exclude: berlin`,
		}, []string{"conflict error a,b: a prefers berlin and b forbids it"}},
		{"two locations", []string{
			`a | order.placed | order.shipping.country == "DE" | prefer: berlin`,
			`b | order.placed | order.shipping.country == "DE" | exclude: paris`,
		}, nil},
		{"same tag", []string{
			`a | order.placed | order.units > 5 | tag: big`,
			`b | order.placed | order.line_count > 2 | tag: big`,
		}, []string{"repeat note a,b: both put the tag big"}},
		{"same message", []string{
			`a | order.accepted | order.units > 5 | message: { template: order-confirmation, to: customer }`,
			`b | order.accepted | order.line_count > 2 | message: { template: order-confirmation, to: customer }`,
		}, []string{"repeat warning a,b: it is sent once"}},
		{"one message in two languages", []string{
			`a | order.accepted | order.shipping.country == "FR" | message: { template: order-confirmation, to: customer }`,
			`b | order.accepted | order.shipping.country != "FR" | message: { template: delay-notice, to: customer, purpose: order-confirmation }`,
		}, nil},
		{"one purpose on two events", []string{
			`a | order.accepted | - | message: { template: order-confirmation, to: customer }`,
			`b | order.ready | - | message: { template: order-confirmation, to: customer }`,
		}, []string{"repeat warning a,b: the other stays silent"}},
		{"one purpose on one event", []string{
			`a | order.placed | order.units > 5 | message: { template: order-confirmation, to: customer }`,
			`b | order.placed | order.total > money("400", "EUR") | message: { template: order-confirmation, to: customer }`,
		}, []string{"repeat warning a,b: it is sent once"}},
		{"one purpose in branches that exclude each other", []string{
			`a | order.placed | - | { if: order.units > 5, then: [ { message: { template: order-confirmation, to: customer } } ] }`,
			`b | order.placed | - | { if: order.units > 5, then: [ { tag: big } ], else: [ { message: { template: order-confirmation, to: customer } } ] }`,
		}, nil},
		{"in a branch that is reached", []string{
			`a | order.placed | - | { if: order.units > 5, then: [ { tag: big } ], else: [ { hold: { queue: risk, reason: look } } ] }`,
			`b | order.placed | order.line_count > 2 | release`,
		}, []string{"conflict error a,b: lets it go"}},
		{"behind a stop that cannot be passed", []string{
			`a | order.placed | - | { if: order.units >= 1, then: [ stop ] }; hold: { queue: risk, reason: look }`,
			`b | order.placed | order.units > 2 | release`,
		}, nil},
		{"past a stop", []string{
			`a | order.placed | - | { if: order.units > 5, then: [ stop ] }; hold: { queue: risk, reason: look }`,
			`b | order.placed | order.units > 2 | release`,
		}, []string{"conflict error a,b: lets it go"}},
		{"a branch that a computed value decides", []string{
			`a | order.placed | - | set: { name: n, value: order.units * 3 }; { if: n == 7, then: [ { hold: { queue: risk, reason: look } } ] }`,
			`b | order.placed | - | release`,
		}, []string{"undecided note a,b: not decided"}},
		{"after a wait", []string{
			`a | order.placed | order.units > 5 | wait: 2d; hold: { queue: risk, reason: look }`,
			`b | order.placed | - | release`,
		}, []string{"conflict warning a,b: a does it after a wait"}},
		{"after a wait, never at once", []string{
			`a | order.placed | order.units > 5 | wait: 2d; release`,
			`b | order.placed | order.units < 3 | hold: { queue: risk, reason: look }`,
		}, nil},
		{"when a person says so", []string{
			`a | order.placed | - | ask: { queue: support, title: refund, options: [yes, no], as: answer }; { if: answer == "yes", then: [ { refund: { reason: asked } } ] }`,
			`b | order.placed | - | wait: 1h; refund: { reason: late }`,
		}, []string{"repeat warning a,b: finance"}},
		{"when an event comes", []string{
			`a | order.placed | - | wait_for: { event: order.paid, for: 2d }; refund: { reason: paid }`,
			`b | order.placed | - | refund: { reason: at once }`,
		}, []string{"repeat warning a,b: after a wait"}},
		{"when no event comes", []string{
			`a | order.placed | - | wait_for: { event: order.paid, for: 2d, else: [ { refund: { reason: late } } ] }`,
			`b | order.placed | - | refund: { reason: at once }`,
		}, []string{"repeat warning a,b: after a wait"}},
		{"when an event comes that never does", []string{
			`a | order.placed | - | wait_for: { event: order.paid, when: order.units < 1, for: 2d }; refund: { reason: paid }`,
			`b | order.placed | - | refund: { reason: at once }`,
		}, []string{"undecided note a,b: after a wait"}},
		{"what changes while one waits", []string{
			`a | order.placed | - | wait_for: { event: order.paid, for: 2d }; { if: order.payment == "paid", then: [ release ] }`,
			`b | order.placed | order.payment == "pending" | ` + holdRisk,
		}, []string{"conflict warning a,b: lets it go; a does it after a wait"}},
		{"what stays as it is while one waits", []string{
			`a | order.placed | - | wait_for: { event: order.paid, for: 2d }; { if: order.units > 5, then: [ release ] }`,
			`b | order.placed | order.units < 4 | ` + holdRisk,
		}, nil},
		{"what was not known yet while one waits", []string{
			`a | order.paid | - | wait: 1h; { if: order.units > 5, then: [ release ] }`,
			`b | order.paid | - | { if: order.units > 5, then: [ stop ] }; ` + holdRisk,
		}, []string{"undecided note a,b: lets it go; a does it after a wait"}},
		{"two people are asked", []string{
			`a | order.placed | - | ask: { queue: q, title: one, options: [yes, no], as: answer }; { if: answer == "yes", then: [ release ] }`,
			`b | order.placed | - | ask: { queue: q, title: two, options: [yes, no], as: answer }; { if: answer == "no", then: [ { hold: { queue: risk, reason: look } } ] }`,
		}, []string{"conflict warning a,b: lets it go"}},
		{"one line and another", []string{
			`a | order.placed | - | { for_each: order.lines, as: l, do: [ { if: l.qty > 5, then: [ { hold: { queue: risk, reason: look } } ] } ] }`,
			`b | order.placed | - | { for_each: order.lines, as: l, do: [ { if: l.qty < 5, then: [ release ] } ] }`,
		}, []string{"undecided note a,b: lets it go"}},
		{"when a system says so", []string{
			`a | order.placed | - | call: { connection: score, purpose: score, as: risk, returns: { points: int }, for: 1h }; { if: risk.points > 70, then: [ { hold: { queue: risk, reason: look } } ] }`,
			`b | order.placed | - | release`,
		}, []string{"conflict warning a,b: a holds the order and b lets it go; a does it after a wait"}},
		{"one schedule", []string{
			"a | schedule\nschedule: { cron: \"0 9 * * 1\" } | - | task: { queue: ops, title: look }; webhook: erp-a",
			"b | schedule\nschedule: { cron: \"0 9 * * 1\" } | - | task: { queue: ops, title: look }; webhook: erp-b",
		}, []string{"repeat warning a,b: both open the task"}},
		{"two schedules", []string{
			"a | schedule\nschedule: { cron: \"0 9 * * 1\" } | - | task: { queue: ops, title: look }",
			"b | schedule\nschedule: { cron: \"0 9 * * 2\" } | - | task: { queue: ops, title: look }",
		}, nil},
		{"a schedule with a condition", []string{"a | schedule\nschedule: { cron: \"0 9 * * 1\" } | schedule.at > timestamp(\"2027-01-01T00:00:00Z\") | task: { queue: ops, title: look }"}, nil},
		{"one absence", []string{
			`a | { absence_of: shipment.scanned, after: shipment.labelled, within: 2d } | order.units > 2 | hold: { queue: risk, reason: look }`,
			`b | { absence_of: shipment.scanned, after: shipment.labelled, within: 3d } | order.units > 5 | release`,
		}, []string{"conflict warning a,b: at different times"}},
		{"two absences", []string{
			`a | { absence_of: shipment.scanned, after: shipment.labelled, within: 2d } | - | hold: { queue: risk, reason: look }`,
			`b | { absence_of: shipment.delivered, after: shipment.scanned, within: 3d } | - | release`,
		}, nil},
		{"never", []string{`a | order.placed | order.units > 5 && order.units < 6 | tag: x`}, []string{"never error a: cannot be true, whatever comes: order.units > 5 and order.units < 6 exclude each other"}},
		{"never by one part", []string{`a | order.placed | order.units > 5 && order.payment == "payd" | tag: x`}, []string{`never error a: order.payment == "payd" never is; write order.payment as pending, authorized or paid`}},
		{"never by each alternative", []string{`a | order.placed | order.payment == "payd" \|\| order.units > 5 && order.units < 6 | tag: x`}, []string{`never error a: none of the alternatives can hold: order.payment == "payd"; write order.payment as pending, authorized or paid, nor order.units > 5 && order.units < 6: order.units > 5 and order.units < 6 exclude each other`}},
		{"never as written", []string{`a | order.placed | order.shipping.country == "Germany" | tag: x`}, []string{`never error a: whatever comes; write DE for Germany`}},
		{"always", []string{`a | order.placed | order.units >= 1 \|\| order.units < 3 | tag: x`}, []string{"always warning a: never false"}},
		{"shadowed", []string{
			`a | order.placed | order.total > money("400", "EUR") | tag: big; ` + holdRisk,
			`b | order.placed | order.total > money("900", "EUR") | tag: big`,
		}, []string{"repeat note a,b: tag big", "shadowed warning b,a: a fires too and does all that it does"}},
		{"not shadowed: more is done", []string{
			`a | order.placed | order.total > money("400", "EUR") | ` + holdRisk,
			`b | order.placed | order.total > money("900", "EUR") | tag: bigger; ` + holdRisk,
		}, nil},
		{"not shadowed: sooner", []string{
			`a | order.placed | order.total > money("400", "EUR") | ` + holdRisk,
			`b | order.placed | order.total > money("900", "EUR") | hold: { queue: risk, sla: 1h, reason: look }`,
		}, nil},
		{"not shadowed: unknown does not fire", []string{
			`a | order.placed | order.total > money("400", "EUR") && customer.orders >= 0 | ` + holdRisk,
			`b | order.placed | order.total > money("900", "EUR") | ` + holdRisk,
		}, nil},
		{"the same twice", []string{
			`a | order.placed | order.units > 5 | ` + holdRisk,
			`b | order.placed | order.units > 5 | ` + holdRisk,
		}, []string{"shadowed warning b,a: adds only its reason"}},
		{"loop", []string{
			`a | order.ready | - | ` + holdRisk,
			`b | task.overdue | task.kind == "review" | release`,
		}, []string{"loop error a,b: which sets off"}},
		{"no loop: another task", []string{
			`a | order.ready | - | ` + holdRisk,
			`b | task.overdue | task.kind == "refund" | release`,
		}, []string{"loop note a: goes round once for each decision of a person: a opens a task, and what a person does with it may lead to order.ready, which sets off a"}},
		{"a task about a decision", []string{`a | task.decided | - | task: { queue: support, title: Again }`}, []string{"loop note a: goes round once for each decision of a person: a opens a task, and what a person does with it may lead to task.decided"}},
		{"a question about who has it", []string{
			`a | task.assigned | task.queue == "risk" | ask: { queue: ops, title: Why, options: [yes, no] }`,
			`b | task.decided | - | task: { queue: risk, title: look }`,
		}, []string{"loop note a,b: goes round once for each decision"}},
		{"a task about another's decision", []string{`a | task.decided | task.queue == "risk" | task: { queue: support, title: look }`}, nil},
		{"an absence of its own", []string{
			`a | { absence_of: shipment.scanned, after: order.ready, within: 2d } | - | ` + holdRisk,
			`b | task.overdue | task.kind == "review" | release`,
		}, []string{"loop note a,b: may lead to order.ready and no shipment.scanned follows in time, which sets off a. The circle also holds b"}},
		{"a time of waiting", []string{
			`a | { absence_of: shipment.scanned, after: order.ready, within: 2d } | - | release`,
		}, []string{"loop note a: goes round once for each time of waiting: a step of a may lead to order.ready and no shipment.scanned follows in time, which sets off a"}},
		{"what follows of itself", []string{
			`a | order.ready | - | ` + holdRisk,
			`b | task.overdue | task.kind == "review" | release`,
			`c | task.decided | - | task: { queue: ops, title: look }`,
		}, []string{"loop error a,b: ", "loop note c: "}},
		{"a task about a task", []string{`a | task.overdue | - | task: { queue: ops, title: look }`}, []string{"loop error a: task.overdue"}},
		{"a task about another queue's task", []string{`a | task.overdue | task.queue != "ops" | task: { queue: ops, title: look }`}, nil},
		{"mail about mail", []string{`a | effect.failed | - | message: { template: low-stock, to: ops@shop.example }`}, []string{"loop warning a: fails for good"}},
		{"mail about other mail", []string{`a | effect.failed | effect.purpose != "low-stock" | message: { template: low-stock, to: ops@shop.example }`}, nil},
		{"two systems", []string{`a | order.paid | - | webhook: { connection: erp }`}, []string{"loop warning a: the system behind it may answer through erp-in"}},
		{"no such location", []string{`a | order.placed | - | prefer: berln`}, []string{`missing error a: there is no location "berln"; did you mean berlin?`}},
		{"a closed location", []string{`a | order.placed | order.units > 5 | prefer: lille`, `b | order.placed | order.units < 3 | exclude: lille`}, []string{`closed warning a: it prefers the location "lille", which is closed: no order goes there until it is open again`}},
		{"a queue that nobody else knows", []string{`a | order.placed | - | task: { queue: rik, title: look }`, `b | order.placed | - | hold: { queue: night-shift, reason: look }`}, []string{
			`missing warning a: nothing else uses the queue "rik"; did you mean risk?`, `missing note b: nothing else uses the queue "night-shift"; in use are`,
		}},
		{"no IP table", []string{`a | order.placed | ip.country == "BR" | tag: b`}, []string{"unwritten warning a: no IP table"}},
		{"no low lines", []string{`a | stock.low | - | message: { template: low-stock, to: owner }`}, []string{"unwritten warning a: no product has a low line"}},
		{"a tag that nobody puts", []string{`a | order.placed | "vip" in order.tags \|\| order.units > 5 | tag: x`}, []string{`undecided note a: it looks for the tag "vip" on the order, which no automation puts there`}},
		{"a tag that another puts", []string{
			`a | order.placed | order.tags.exists(t, t in ["big", "vip"]) | tag: x`, `b | order.accepted | - | tag: big; { if: '"vip" in customer.tags', then: [ { tag: vip } ] }`,
		}, []string{`undecided note b: it looks for the tag "vip" of the customer`}},
		{"not known yet", []string{`a | order.placed | order.parcels > 1 | tag: b`}, []string{"undecided note a: The number of planned parcels is above 1? Not known"}},
		{"beyond proof", []string{`a | order.placed | order.units * 1000 > 70000 && order.units < 90 | tag: b`}, []string{"undecided note a: beyond what can be proved"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := range tc.rows {
				tc.rows[i] = strings.ReplaceAll(tc.rows[i], `\|`, "|")
			}
			world := World{
				Known: true, Inbound: map[string][]string{"erp-in": {"order.paid"}, "shop": nil},
				Names: automation.Names{
					Templates: []string{"delay-notice", "low-stock", "order-confirmation"}, Connections: []string{"erp", "erp-a", "erp-b", "score"}, Locations: []string{"berlin", "lyon", "paris", "lille"}, Closed: []string{"lille"},
					Queues: []string{"ops", "q", "risk", "support"},
				},
			}
			r := Check(decide.Settings{}, world, set(t, tc.rows...))
			for _, f := range r.Findings {
				got := fmt.Sprintf("%s %s %s: %s", f.Kind, f.Severity, strings.Join(f.Automations, ","), f.Message)
				if len(tc.want) == 0 {
					t.Fatalf("found %s", got)
				}
				head, part, _ := strings.Cut(tc.want[0], ": ")
				if !strings.HasPrefix(got, head+": ") || !strings.Contains(got, part) {
					t.Fatalf("found %s; want %s", got, tc.want[0])
				}
				tc.want = tc.want[1:]
				if f.Kind == Conflict && !triggers(t, tc.rows, f) {
					t.Errorf("the witness %s does not set off both", f.Witness.Event)
				}
				if len(f.At) != len(f.Automations) {
					t.Errorf("%d places for %d automations", len(f.At), len(f.Automations))
				}
			}
			if len(tc.want) > 0 {
				t.Errorf("not found: %s", tc.want[0])
			}
		})
	}
}

// triggers reads the witness as it is printed, as JSON, and decides it anew.
func triggers(t *testing.T, rows []string, f Finding) bool {
	t.Helper()
	as := set(t, rows...)
	p, err := event.Decode(f.Witness.Type, f.Witness.Event)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Witness.Case
	c.Event = p
	if c.Order != nil {
		order := &event.OrderPlaced{}
		if err := json.Unmarshal(f.Witness.Order, order); err != nil {
			t.Fatal(err)
		}
		c.Order = order
	}
	return fires(decide.Settings{}, as, c)
}

// TestCheckOne: what is said of one automation alone is what is said of it among all.
func TestCheckOne(t *testing.T) {
	as := many(t, 60)
	all := Check(decide.Settings{}, World{Known: true}, as)
	for _, a := range as[:20] {
		one := strip(CheckOne(decide.Settings{}, World{Known: true}, as, a.Name))
		for _, f := range one {
			if !strings.Contains(f, a.Name) {
				t.Errorf("asked about %s, told %s", a.Name, f)
			}
		}
		for i, f := range strip(all) {
			if slices.Contains(all.Findings[i].Automations, a.Name) && !slices.Contains(one, f) {
				t.Errorf("of %s is not told: %s", a.Name, f)
			}
		}
	}
	paused := set(t, "a | order.placed | order.units < 0 | tag: x")
	paused[0].Mode = automation.Paused
	if r := CheckOne(decide.Settings{}, World{}, paused, "a"); len(r.Findings) != 1 || r.Findings[0].Kind != Never {
		t.Errorf("of a paused one that is asked about is told %+v", r.Findings)
	}
}
