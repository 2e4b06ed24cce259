package automation

import (
	"slices"
	"strings"
	"testing"
)

const offered = `automation: x
owner: a@shop.example
why: y
on: order.placed
when: >-
  order.total > money("400", "EUR") &&
  WHEN
do:
  - hold: { queue: QUEUE, ARG }
  - STEP
  - if: IF
    then:
      - wait_for: { event: task.decided, for: 1d, same: task, when: WAITED }
  - call:
      connection: erp
      AGAIN
  - set: { name: big, value: order.units }
  - call: { connection: erp, as: score, returns: { points: int, fee: money } }
  - if: NAMED
    then: [ { prefer: PLACE } ]
mode: MODE
TOP`

// TestOffers: what is offered depends on where one writes, and says type and unit.
func TestOffers(t *testing.T) {
	names := map[ArgType][]Offer{ArgQueue: {{Insert: "risk"}, {Insert: "support"}}, ArgLocation: {{Insert: "berlin"}}}
	for _, tc := range []struct {
		at, write string
		want      []string // among what is offered
		not       []string
	}{
		{"WHEN", "order.tot", []string{"order.total"}, []string{"order.tags"}},
		{"WHEN", "country", []string{"order.shipping.country", "ip.country"}, []string{"order.total"}},
		{"WHEN", "", []string{"order.total", "customer.orders", `money("`, `velocity("order.placed", "`}, []string{"stock.sku", "task.kind"}},
		{"WHEN", "order.tags.", []string{"order.tags.exists(t, ", "order.tags.size()"}, []string{"order.tags"}},
		{"WHEN", "order.lines.exists(l, l.", []string{"l.qty", "l.sku"}, []string{"order.total"}},
		{"WHEN", `order.payment == "p`, []string{"pending", "paid"}, []string{"order.payment"}},
		{"WHEN", `velocity("order.placed", "`, []string{"customer.email", "order.ip"}, nil},
		{"WHEN", `order.shipping.city == "Par`, nil, []string{"order.parcels"}},
		{"IF", "ord", []string{"order.total"}, nil},
		{"WAITED", "task.", []string{"task.outcome"}, nil},
		{"NAMED", "", []string{"big", "score.points", "score.fee", "score.status"}, nil},
		{"QUEUE", "", []string{"risk", "support"}, nil},
		{"QUEUE", "ri", []string{"risk"}, []string{"support"}},
		{"ARG", "", []string{"sla: ", "reason: "}, []string{"template: "}},
		{"AGAIN", "", []string{"as: ", "returns: ", "for: "}, nil},
		{"STEP", "", []string{"hold: ", "release", "wait_for: "}, []string{"report: ", "queue: "}},
		{"STEP", "wai", []string{"wait: ", "wait_for: "}, []string{"hold: "}},
		{"PLACE", "", []string{"berlin"}, nil},
		{"MODE", "", []string{"draft", "canary"}, nil},
		{"TOP", "", []string{"limits: ", "tests: "}, []string{"owner: ", "mode: "}},
	} {
		text := offered
		at := strings.Index(text, tc.at)
		text = text[:at] + tc.write + text[at+len(tc.at):]
		from, offers := Offers(text, at+len(tc.write), names)
		var got []string
		for _, o := range offers {
			got = append(got, o.Insert)
		}
		for _, w := range tc.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s %q: %q is not among %q", tc.at, tc.write, w, got)
			}
		}
		for _, w := range tc.not {
			if slices.Contains(got, w) {
				t.Errorf("%s %q: %q is offered", tc.at, tc.write, w)
			}
		}
		if from < at || from > at+len(tc.write) {
			t.Errorf("%s %q: the offers begin at %d, what is written at %d", tc.at, tc.write, from, at)
		}
	}
	_, offers := Offers(strings.Replace(offered, "WHEN", "order.total", 1), strings.Index(offered, "WHEN")+len("order.to"), names)
	if len(offers) == 0 || !strings.Contains(offers[0].Detail, "money") || offers[0].Doc == "" {
		t.Errorf("a field is offered as %+v", offers)
	}
}

// TestOffersAreOfTheLanguage: every key that is offered at the top is one that the parser knows, and has its sentence.
func TestOffersAreOfTheLanguage(t *testing.T) {
	for _, k := range topKeys {
		if topDocs[k] == "" {
			t.Errorf("the key %s is offered without a word on it", k)
		}
	}
	for parent, keys := range innerKeys {
		for _, k := range keys {
			_, err := Parse("x.yaml", []byte("automation: x\nowner: a@shop.example\nwhy: y\n"+parent+": { "+k+": 1 }\n"))
			if err != nil && strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s has no %s: %v", parent, k, err)
			}
		}
	}
}

func FuzzOffers(f *testing.F) {
	f.Add(offered, 100)
	f.Add("on: {\n", 5)
	f.Add("when: order.lines.exists(l, l.", 30)
	f.Fuzz(func(t *testing.T, text string, at int) {
		from, _ := Offers(text, at, nil)
		if from < 0 || from > len(text) {
			t.Fatalf("offers begin at %d of %d", from, len(text))
		}
		if from, _ := OffersIn(text, at, "order.placed"); from < 0 || from > len(text) {
			t.Fatalf("offers begin at %d of %d", from, len(text))
		}
	})
}
