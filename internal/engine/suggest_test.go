package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
	"orderly.example/orderly/internal/task"
)

const holdAll = `automation: hold-all
owner: risk@shop.example
why: everything is looked at for a while
on: order.placed
when: >-
  order.total > money("1", "EUR") && (customer.orders >= 0 || customer.cancelled >= 0 || customer.account_age >= duration("0s")) &&
  (velocity("order.placed", "order.ip", "24h") >= 0 || velocity("order.placed", "customer.id", "90d") >= 0) && (order.addresses_differ || !order.addresses_differ)
do:
  - hold: { queue: risk, reason: everything }
`

// reviewed is a shop whose reviewers decide every order as decide says from the facts stored live.
func reviewed(t *testing.T, r *rig, n int, decide func(f map[string]any, o *event.OrderPlaced) string) []string {
	t.Helper()
	r.apply(store.Text{Kind: engine.KindAutomation, Name: "hold-all", Text: holdAll})
	r.products(catalog.Product{SKU: "MUG", Untracked: true}, catalog.Product{SKU: "TRAY", Untracked: true})
	rnd := rand.New(rand.NewPCG(4, 2))
	var numbers []string
	for i := range n {
		o := placed(strconv.Itoa(2000+i), []string{"MUG", "TRAY"}[rnd.IntN(2)], 1)
		o.Lines[0].UnitPrice = money.New(1000+rnd.Int64N(60_000), "EUR")
		o.Customer.Email = fmt.Sprintf("buyer%d@shop.example", rnd.IntN(n/3))
		o.IP = fmt.Sprintf("198.51.100.%d", rnd.IntN(n/4)%250)
		if rnd.IntN(3) == 0 {
			o.Billing = o.Shipping
			o.Billing.Line1 = "Other Street 2"
		}
		r.decided(o)
		id := event.OrderID("web", o.Number)
		numbers = append(numbers, o.Number)
		var facts map[string]any
		r.view(func(tx *store.Tx) error {
			evs, _, err := tx.OrderStory(id, 10)
			if err != nil {
				return err
			}
			return json.Unmarshal([]byte(evs[0].Facts), &facts)
		})
		ev := event.Event{
			Source: "console", Key: "d" + o.Number, Actor: []string{"ana@shop.example", "ben@shop.example"}[i%2],
			Data: &event.TaskDecided{Task: event.Derive("tsk_", string(task.Review), id, "1"), Outcome: decide(facts, o)},
		}
		if out := r.submit(ev)[0]; out.Status != engine.Decided {
			t.Fatal(out.Reason)
		}
	}
	return numbers
}

func number(v any) float64 { f, _ := v.(float64); return f }

// TestSuggestionsFollowTheFactsOfThen: reviewers follow a rule over the facts that stood with the
// live decision. It is found without a single counter-example, so the facts that the history gives are the same.
func TestSuggestionsFollowTheFactsOfThen(t *testing.T) { onBoth(t, testSuggestions) }

func testSuggestions(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	const ip = "velocity(order.placed,order.ip,24h0m0s)"
	reviewed(t, r, 240, func(f map[string]any, _ *event.OrderPlaced) string {
		if number(f[ip]) >= 2 {
			return suggest.Reject
		}
		return suggest.Approve
	})
	s, err := r.eng.CurrentSuggestions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Decisions != 240 || s.Reviewers != 2 || s.Orders != 240 {
		t.Errorf("%+v", s.Report)
	}
	i := slices.IndexFunc(s.Suggestions, func(x *suggest.Suggestion) bool { return x.Step == "hold" })
	if i < 0 {
		t.Fatalf("no hold was suggested: %+v", s.Report)
	}
	hold := s.Suggestions[i]
	if hold.All.Cases != hold.All.Agreed || len(hold.Against) != 0 || hold.When != `velocity("order.placed", "order.ip", "1h") >= 2` {
		t.Errorf("%s with %v", hold.When, hold.All)
	}
	if hold.Queue != "risk" {
		t.Errorf("queue %q", hold.Queue)
	}
}

func TestAcceptedSuggestionIsOneDraft(t *testing.T) { onBoth(t, testAccept) }

func testAccept(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	slip := 0
	numbers := reviewed(t, r, 160, func(_ map[string]any, o *event.OrderPlaced) string {
		if o.Lines[0].UnitPrice.Minor < 20_000 {
			if slip++; slip == 30 {
				return suggest.Reject
			}
			return suggest.Approve
		}
		return suggest.Reject
	})
	s, err := r.eng.CurrentSuggestions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Suggestions, func(x *suggest.Suggestion) bool { return x.Step == "release" })
	if i < 0 {
		t.Fatalf("no release was suggested: %+v", s.Report)
	}
	x := s.Suggestions[i]
	if x.All.Cases-x.All.Agreed != 1 || len(x.Against) != 1 || !slices.Contains(numbers, x.Against[0].Number) {
		t.Errorf("%v against %v", x.All, x.Against)
	}
	if _, err := r.eng.AcceptSuggestion(t.Context(), x.Key, x.When+" ", "ana@shop.example", ""); fault.KindOf(err) != fault.Conflict {
		t.Errorf("one that was not shown was accepted: %v", err)
	}
	before := r.eng.Policy().Revision
	name, err := r.eng.AcceptSuggestion(t.Context(), x.Key, x.When, "ana@shop.example", "saves us an hour a day")
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.eng.AcceptSuggestion(t.Context(), x.Key, x.When, "ben@shop.example", "")
	if err != nil || again != name || r.eng.Policy().Revision != before+1 {
		t.Errorf("accepted twice it is %q and %q, revision %d after %d, %v", name, again, r.eng.Policy().Revision, before, err)
	}
	a := r.eng.Policy().Automations.Get(name)
	if a == nil || a.Mode != automation.Draft || a.Owner != "ana@shop.example" || a.Why != x.Why {
		t.Fatalf("the draft is %+v", a)
	}
	if len(r.eng.Policy().Automations.On("order.placed")) != 1 {
		t.Error("the draft is considered")
	}
	s, err = r.eng.CurrentSuggestions(t.Context())
	if err != nil || len(s.SetAside) == 0 || slices.ContainsFunc(s.Suggestions, func(y *suggest.Suggestion) bool { return y.Key == x.Key }) {
		t.Errorf("it is suggested still: %+v %v", s, err)
	}
	// Who removes the draft is shown the pattern again.
	if _, err := r.eng.Edit(t.Context(), engine.Edit{Kind: engine.KindAutomation, Name: name, Was: store.HashText(a.Text)}, "ana@shop.example", "not yet"); err != nil {
		t.Fatal(err)
	}
	s, err = r.eng.CurrentSuggestions(t.Context())
	if err != nil || !slices.ContainsFunc(s.Suggestions, func(y *suggest.Suggestion) bool { return y.Key == x.Key }) {
		t.Errorf("its draft is gone and it is not suggested again: %+v %v", s, err)
	}
}

func TestRefusedSuggestionIsNotMadeAgain(t *testing.T) {
	r := newRig(t)
	reviewed(t, r, 120, func(_ map[string]any, o *event.OrderPlaced) string {
		if o.Lines[0].UnitPrice.Minor < 20_000 {
			return suggest.Approve
		}
		return suggest.Reject
	})
	s, err := r.eng.CurrentSuggestions(t.Context())
	if err != nil || len(s.Suggestions) == 0 {
		t.Fatalf("%+v %v", s, err)
	}
	x := s.Suggestions[0]
	if err := r.eng.RefuseSuggestion(t.Context(), x.Key, x.When, "ana@shop.example", " "); fault.KindOf(err) != fault.Invalid {
		t.Errorf("refused without a reason: %v", err)
	}
	if err := r.eng.RefuseSuggestion(t.Context(), x.Key, x.When, "ana@shop.example", "we want to look at these"); err != nil {
		t.Fatal(err)
	}
	rev := r.eng.Policy().Revision
	s, err = r.eng.CurrentSuggestions(t.Context())
	if err != nil || slices.ContainsFunc(s.Suggestions, func(y *suggest.Suggestion) bool { return y.Key == x.Key }) {
		t.Errorf("it is made again: %v", err)
	}
	if !slices.ContainsFunc(s.SetAside, func(v store.Verdict) bool {
		return v.Key == x.Key && v.Reason == "we want to look at these" && !v.Accepted
	}) {
		t.Errorf("set aside: %+v", s.SetAside)
	}
	if r.eng.Policy().Revision != rev {
		t.Error("a refusal changed the policy")
	}
}

func TestLabelsStandForDecisions(t *testing.T) {
	r := newRig(t)
	labels := map[string]string{}
	r.products(catalog.Product{SKU: "MUG", Untracked: true})
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		o := placed(strconv.Itoa(5000+i), "MUG", 1)
		o.Lines[0].UnitPrice = money.New(1000+rnd.Int64N(60_000), "EUR")
		r.decided(o)
		labels[o.Number] = suggest.Approve
		if o.Lines[0].UnitPrice.Minor >= 50_000 && rnd.IntN(4) > 0 {
			labels[o.Number] = suggest.Reject
		}
	}
	s, err := r.eng.Suggest(t.Context(), engine.SuggestQuery{
		Labels: labels, Options: suggest.Options{Labels: true, Holdback: 0.3, Outcomes: []string{suggest.Reject}, Agreement: 0.15},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.HeldBack != 90 || s.Later == nil || len(s.Suggestions) != 1 || !strings.Contains(s.Suggestions[0].When, `money("500", "EUR")`) {
		t.Fatalf("%+v", s.Report)
	}
	l := s.Later
	bad, hit, flagged := 0, 0, 0
	for i := 210; i < 300; i++ { // the newest 30 %
		n := strconv.Itoa(5000 + i)
		o := r.order(n)
		over := o.Total.Minor >= 50_000
		if labels[n] == suggest.Reject {
			bad++
			if over {
				hit++
			}
		}
		if over {
			flagged++
		}
	}
	if l.Orders != 90 || l.Bad != bad || l.Hit != hit || l.Flagged != flagged || l.AtCapacity[0].Reviewed != 2 || l.AtCapacity[1].Reviewed != 5 {
		t.Errorf("%+v; counted again %d bad, %d flagged, %d hit", l, bad, flagged, hit)
	}
}
