package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/api"
	"orderly.example/orderly/internal/console"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/schema"
	"orderly.example/orderly/internal/store"
)

func (p *program) whyCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use: "why ORDER [AUTOMATION]", Short: "Tell an order's story: what happened, why, from where it ships, what left",
		Args: cobra.RangeArgs(1, 2),
		Long: `Tell an order as its page in the console does: what happened and what each step
led to; which automations fired and which did not, and which part of the condition
was false with which values; the locations that were considered, each with the
reason it lost; and the mails and webhooks that left or wait. ORDER is its number,
channel:number, or Orderly's id. With an automation's name, only that automation
is shown, its whole condition part by part.`,
		Example: examples("orderly why 1001", "orderly why shop:1001 hold-large-first-orders", "orderly why 1001 --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 2 {
				name = args[1]
			}
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				row, err := s.findOrder(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				a := account{zone: shopZone(e)}
				if a.Automations, err = e.Why(cmd.Context(), row.ID, name); err != nil {
					return err
				}
				if a.Automations == nil {
					a.Automations = []engine.Explanation{}
				}
				if err := knownAutomation(e, name); err != nil && len(a.Automations) == 0 { // one of an earlier policy may have been asked
					return err
				}
				if len(a.Automations) == 0 {
					un, err := e.Unasked(cmd.Context(), row.ID, name)
					if err != nil {
						return err
					}
					a.Unasked = un.Text
					if told := un.Told(); told != "" {
						a.Unasked += " " + told
					} else if un.Since != "" {
						a.Unasked += " What it would do, with the state as it was then: orderly backtest " + name + " --since " + un.Since + " --until " + un.Until
					}
				}
				if err := s.account(cmd.Context(), row, &a); err != nil {
					return err
				}
				switch {
				case asJSON && name != "":
					return p.printJSON(struct {
						Order       accountOrder         `json:"order"`
						Automations []engine.Explanation `json:"automations"`
						Unasked     string               `json:"unasked,omitempty"`
					}{a.Order, a.Automations, a.Unasked})
				case asJSON:
					return p.printJSON(a)
				}
				p.tellAccount(a, name != "", all || name != "")
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show every condition part by part")
	bindJSON(c.Flags(), &asJSON)
	bindCommon(c.Flags())
	return c
}

// account is everything that can be said about an order: its page, for the terminal.
type account struct {
	Order       accountOrder         `json:"order"`
	Story       []console.StoryStep  `json:"story"`
	Cut         bool                 `json:"story_cut,omitempty"` // only the newest steps are told
	Automations []engine.Explanation `json:"automations"`
	Routing     *accountRouting      `json:"routing,omitempty"` // the last time it was routed
	Effects     []effectLine         `json:"effects"`
	Unasked     string               `json:"unasked,omitempty"` // why no automation was asked, or the one that was named

	zone *time.Location
}

type accountOrder struct {
	ID       string    `json:"id"`
	Channel  string    `json:"channel"`
	Number   string    `json:"number"`
	State    string    `json:"state"`
	Payment  string    `json:"payment"`
	PlacedAt time.Time `json:"placed_at"`
	Holds    []string  `json:"holds,omitempty"`   // why it waits for a person
	Missing  []string  `json:"missing,omitempty"` // what no location can give
}

type accountRouting struct {
	At         time.Time          `json:"at"`
	Summary    string             `json:"summary"`
	Exact      bool               `json:"exact"`
	Bound      string             `json:"bound,omitempty"` // what was bounded, when not exact
	Candidates []accountCandidate `json:"candidates"`
	More       []accountTally     `json:"more,omitempty"` // the candidates that are not listed
}

type accountCandidate struct {
	Location   string                   `json:"location"`
	Name       string                   `json:"name,omitempty"`
	Chosen     bool                     `json:"chosen"`
	Reason     string                   `json:"reason"`
	DistanceKM *float64                 `json:"distance_km,omitempty"`
	Scores     map[routing.Goal]float64 `json:"scores,omitempty"` // cost in minor units; negative: not known
	scores     string
}

type accountTally struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// storyCap is how many events of one order are told.
const storyCap = 400

// account reads an order's story, plan and effects.
func (s *shop) account(ctx context.Context, row store.OrderRow, a *account) error {
	users, err := s.access.Users(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	return s.db.View(ctx, func(tx *store.Tx) error {
		o, _, _, err := tx.OrderByID(row.ID)
		if err != nil {
			return err
		}
		a.Order = accountOrder{ID: o.ID, Channel: o.Channel, Number: o.Number, State: string(o.State), Payment: o.Payment, PlacedAt: o.PlacedAt}
		for _, h := range o.Holds {
			a.Order.Holds = append(a.Order.Holds, h.Text)
		}
		for _, m := range o.Missing {
			a.Order.Missing = append(a.Order.Missing, ui.Plural(m.Qty, "unit", "units")+" of "+m.SKU)
		}
		evs, cut, err := tx.OrderStory(o.ID, storyCap)
		if err != nil {
			return err
		}
		effects, err := tx.EffectsOfOrder(o.ID)
		if err != nil {
			return err
		}
		tasks, err := tx.TasksOfOrder(o.ID)
		if err != nil {
			return err
		}
		a.Cut, a.Story, a.Effects = cut, console.Story(evs, effects, tasks, names), effectLines(effects)
		plan, at := console.LastPlan(evs)
		a.Routing = accountOf(plan, at)
		return nil
	})
}

func accountOf(plan *routing.Plan, at time.Time) *accountRouting {
	if plan == nil {
		return nil
	}
	r := &accountRouting{At: at, Summary: console.PlanText(plan), Exact: plan.Exact, Bound: plan.Bound, Candidates: []accountCandidate{}}
	for _, v := range plan.Candidates {
		c := accountCandidate{Location: v.Location, Name: v.Name, Chosen: v.Chosen, Reason: v.Reason, scores: console.ScoreText(v.Scores, plan.CostMinor.Currency)}
		if v.KMKnown {
			c.DistanceKM = &v.DistanceKM
		}
		for _, s := range v.Scores {
			if c.Scores == nil {
				c.Scores = map[routing.Goal]float64{}
			}
			c.Scores[s.Goal] = s.Value
		}
		r.Candidates = append(r.Candidates, c)
	}
	for _, m := range plan.More {
		r.More = append(r.More, accountTally{m.Reason, m.Count})
	}
	return r
}

// shopZone is the zone in which the shop's people read times.
func shopZone(e *engine.Engine) *time.Location {
	if z := e.Policy().Settings.TimeZone; z != nil {
		return z
	}
	return time.UTC
}

// knownAutomation refuses a name that no automation of the policy has.
func knownAutomation(e *engine.Engine, name string) error {
	set := e.Policy().Automations
	if name == "" {
		return nil
	}
	var names []string
	for _, a := range set.All() {
		if a.Name == name {
			return nil
		}
		names = append(names, a.Name)
	}
	if near := schema.Nearest(name, names); near != "" {
		return fault.New(fault.NotFound, "why", "there is no automation %q; did you mean %s?", name, near)
	}
	return fault.New(fault.NotFound, "why", "there is no automation %q in the current policy", name)
}

// findOrder finds an order by id, by channel:number, or by a number that only one channel has.
func (s *shop) findOrder(ctx context.Context, ref string) (found store.OrderRow, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.OrderRows([]string{api.OrderID(ref)})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			page, err := tx.OrdersPage(store.OrderFilter{Search: ref, Limit: 20})
			if err != nil {
				return err
			}
			for _, r := range page.Rows {
				if r.Number == ref {
					rows = append(rows, r)
				}
			}
		}
		switch len(rows) {
		case 0:
			return fault.New(fault.NotFound, "why", "there is no order %q; name it by its number, by channel:number, or by its id", ref)
		case 1:
			found = rows[0]
			return nil
		}
		var names []string
		for _, r := range rows {
			names = append(names, r.Channel+":"+r.Number)
		}
		return fault.New(fault.Invalid, "why", "several orders have the number %s: %s", ref, strings.Join(names, ", "))
	})
	return found, err
}
