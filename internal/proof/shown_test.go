package proof

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
)

// modes sets the modes of automations by name.
func modes(as []*automation.Automation, of map[string]automation.Mode) []*automation.Automation {
	for _, a := range as {
		a.Mode = automation.Active
		if m, ok := of[a.Name]; ok {
			a.Mode = m
		}
	}
	return as
}

// TestActingPairsAreNamed: of many pairs that say the same each is told, those that act before the others, and who does
// not act is said.
func TestActingPairsAreNamed(t *testing.T) {
	as := modes(set(t,
		`a-draft | order.placed | - | `+holdRisk,
		`b-shadow | order.placed | - | `+holdRisk,
		`live | order.placed | order.units > 5 | `+holdRisk,
		`trial | order.placed | order.units > 6 | `+holdRisk,
		`mine | order.placed | order.total > money("3250", "EUR") | hold: { queue: fraud, reason: large }`,
	), map[string]automation.Mode{"a-draft": automation.Draft, "b-shadow": automation.Shadow, "trial": automation.Canary})
	r := CheckOne(decide.Settings{}, World{}, as, "mine")
	var groups []string
	for _, g := range r.Grouped() {
		if g[0].Kind == Conflict {
			groups = append(groups, fmt.Sprint(g[0].Automations, len(g), Names(g), g[len(g)-1].Idle))
		}
	}
	if want := "[live mine] 4 [live mine trial] map[b-shadow:shadow]"; len(groups) != 1 || groups[0] != want {
		t.Errorf("grouped as %q; want %q", groups, want)
	}
	if said := r.Findings[0].Say(strings.ToUpper); !strings.HasPrefix(said, "LIVE holds for the queue risk and MINE for fraud") {
		t.Errorf("said %q", said)
	}
	if got := r.Findings[0].Message; !strings.HasPrefix(got, "live holds for the queue risk and mine for fraud") {
		t.Errorf("the message is %q", got)
	}
}

// TestOneThatUndoesManyIsOneGroup: who lets go or cancels what several hold is told once, with all of them.
func TestOneThatUndoesManyIsOneGroup(t *testing.T) {
	as := set(t, `a | order.placed | - | `+holdRisk, `b | order.placed | order.units > 5 | `+holdRisk, `free | order.placed | - | release`, `stop | order.placed | - | cancel: { reason: late }`)
	var groups []string
	for _, g := range Check(decide.Settings{}, World{}, as).Grouped() {
		if g[0].Kind == Conflict {
			groups = append(groups, fmt.Sprint(g[0].Severity, Names(g), len(g)))
		}
	}
	if want := "error[a free b] 2, error[a stop b] 2, error[free stop] 1"; strings.Join(groups, ", ") != want {
		t.Errorf("grouped as %q; want %q", groups, want)
	}
}

// TestCircleNamesAutomations: a circle names its automations as a page writes them, also those that stand beside the shortest way round.
func TestCircleNamesAutomations(t *testing.T) {
	as := set(t, `a | order.ready | - | `+holdRisk, `b | task.overdue | task.kind == "review" | release`, `c | order.ready | - | `+holdRisk)
	for _, f := range Check(decide.Settings{}, World{}, as).Findings {
		if f.Kind == Loop {
			if said := f.Say(strings.ToUpper); !strings.Contains(said, "which sets off B; ") || !strings.HasSuffix(said, "The circle also holds C") || len(f.Automations) != 3 {
				t.Errorf("said %q of %v", said, f.Automations)
			}
			return
		}
	}
	t.Error("no circle is told")
}

// TestActingSendersAreNamed: a draft that sends the same does not stand before two that do it.
func TestActingSendersAreNamed(t *testing.T) {
	const send = `message: { template: order-confirmation, to: customer }`
	as := modes(set(t, `a | order.accepted | - | `+send, `b | order.ready | - | `+send, `c | order.paid | - | `+send),
		map[string]automation.Mode{"a": automation.Draft})
	r := Check(decide.Settings{}, World{}, as)
	if len(r.Findings) != 3 || !slices.Equal(r.Findings[0].Automations, []string{"b", "c"}) {
		t.Errorf("found %v", strip(r))
	}
}

// TestWitnessAddsUp: the example orders of findings have lines, shipping and discount that make their total.
func TestWitnessAddsUp(t *testing.T) {
	for _, tc := range []struct{ when, text string }{
		{`order.total > money("450", "EUR") && order.units >= 3`, "3 × ITEM-1 at 150.00 EUR, shipping 0.01 EUR: in all 450.01 EUR"},
		{`order.total > money("450", "EUR") && order.lines.exists(l, l.sku.startsWith("LAMP") && l.qty > 2)`, "3 × LAMPITEM-1 at 150.00 EUR, shipping 0.01 EUR: in all 450.01 EUR"},
		{`order.total > money("450", "EUR") && order.subtotal < money("100", "EUR")`, ": in all 450.01 EUR"},
		{`order.total < money("50", "EUR") && order.subtotal > money("100", "EUR")`, "discount "},
		{`order.total > money("450", "EUR") && order.subtotal < money("100", "EUR") && order.shipping_cost < money("5", "EUR")`, "tax and fees "},
	} {
		as := set(t, `a | order.placed | `+tc.when+` | `+holdRisk, `b | order.placed | - | release`)
		r := Check(decide.Settings{}, World{}, as)
		if len(r.Findings) != 1 || r.Findings[0].Witness == nil {
			t.Fatalf("%s: found %v", tc.when, strip(r))
		}
		w := r.Findings[0].Witness
		if !strings.Contains(w.Text, tc.text) {
			t.Errorf("%s: shown by %s; want %s", tc.when, w.Text, tc.text)
		}
		placed := w.Case.Event.(*event.OrderPlaced)
		if more, ok := rest(placed); !ok || more.Minor != 0 && !strings.Contains(w.Text, "tax and fees "+more.String()) {
			t.Errorf("%s: %s does not say that %s are left", tc.when, w.Text, more)
		}
	}
}

// TestLaterIsNotAtOnce: what comes after a wait is not said to come at once.
func TestLaterIsNotAtOnce(t *testing.T) {
	as := set(t, `a | order.placed | - | `+holdRisk, `b | order.placed | order.units > 5 | wait: 2d; cancel: { reason: late }`)
	r := Check(decide.Settings{}, World{}, as)
	if len(r.Findings) != 1 || strings.Contains(r.Findings[0].Message, "at once") || !strings.HasSuffix(r.Findings[0].Message, "b does it after a wait") {
		t.Errorf("found %v", strip(r))
	}
}
