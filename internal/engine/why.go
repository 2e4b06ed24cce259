package engine

import (
	"context"
	"encoding/json"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
)

// Explanation says for one automation and one event whether it fired, and which
// part of its condition had which value. It is made when somebody asks, from the
// facts and the version that were stored with the decision.
type Explanation struct {
	Automation string          `json:"automation"`
	Version    int64           `json:"version,omitempty"` // counted from 1 for each automation
	Hash       string          `json:"hash"`              // of the version's text
	Owner      string          `json:"owner"`
	Why        string          `json:"why"` // the reason the automation exists
	EventID    string          `json:"event_id"`
	EventType  string          `json:"event_type"`
	At         time.Time       `json:"at"`
	Mode       automation.Mode `json:"mode"`
	Fired      bool            `json:"fired"`              // and acted
	Outcome    string          `json:"outcome"`            // fired, would have fired, not fired, unknown
	NotDone    string          `json:"not_done,omitempty"` // why it did nothing although its condition held
	Did        []string        `json:"did,omitempty"`
	Condition  string          `json:"condition,omitempty"`
	Reasons    []string        `json:"reasons"` // the decisive parts in words, with their values
	Tree       rule.Node       `json:"tree"`
}

// Why explains every automation (or one, by name) on every event of an order, in the order they were decided.
func (e *Engine) Why(ctx context.Context, orderID, name string) ([]Explanation, error) {
	var out []Explanation
	err := e.db.View(ctx, func(tx *store.Tx) error {
		out = nil
		events, _, err := tx.OrderStory(orderID, 1000)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return fault.New(fault.NotFound, "engine.Why", "there is no order %s", orderID)
		}
		sets := map[int64]*automation.Set{}
		numbers := map[string]map[string]int64{} // of the versions of each automation, by text
		for _, ev := range events {
			set, ok := sets[ev.Policy]
			if !ok {
				then, err := e.PolicyThen(tx, ev.Policy)
				if err != nil {
					return err
				}
				set = then.Automations
				sets[ev.Policy] = set
			}
			if ev.Archive != "" && e.opts.Old != nil {
				if ev.Facts, ev.Trace, err = e.opts.Old.Reasons(ev.Archive, ev.Seq, ev.ID); err != nil {
					e.log.Warn("the reasons of an archived event cannot be read", "event", ev.ID, "err", err)
					continue
				}
			}
			xs, err := e.explain(tx, ev, set, name, numbers)
			if err != nil {
				return err
			}
			out = append(out, xs...)
		}
		return nil
	})
	return out, err
}

// PolicyThen is the policy of a past revision, with the locations and tables of today.
func (e *Engine) PolicyThen(tx *store.Tx, rev int64) (*decide.Policy, error) {
	now := e.Policy()
	if now.Revision == rev {
		return now, nil
	}
	texts, err := tx.Policy(rev)
	if err != nil {
		return nil, err
	}
	l, err := Compile(texts)
	if err != nil {
		return nil, err
	}
	p := l.policy
	p.Revision, p.Locations, p.Zones, p.Postal, p.IP = rev, now.Locations, now.Zones, now.Postal, now.IP
	return p, nil
}

func (e *Engine) explain(tx *store.Tx, ev store.EventRow, set *automation.Set, name string, numbers map[string]map[string]int64) ([]Explanation, error) {
	if len(set.On(ev.Type)) == 0 || ev.State != store.EventDecided {
		return nil, nil
	}
	payload, err := event.Decode(ev.Type, []byte(ev.Data))
	if err != nil {
		return nil, err
	}
	asked := decide.Asked(set, event.Event{Type: ev.Type, Data: payload})
	facts, err := decide.DecodeFacts([]byte(ev.Facts))
	if err != nil {
		return nil, err
	}
	var trace decide.Trace
	if ev.Trace != "" {
		if err := json.Unmarshal([]byte(ev.Trace), &trace); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "engine.explain", "the trace of event %s cannot be read", ev.ID)
		}
	}
	if len(facts) == 0 && len(trace.Automations) == 0 {
		return nil, nil // the event changed nothing (told twice), so nobody was asked
	}
	if err := e.addPersonal(tx, ev, facts); err != nil {
		return nil, err
	}
	var out []Explanation
	for _, a := range asked {
		if name != "" && a.Name != name {
			continue
		}
		if numbers[a.Name] == nil {
			if numbers[a.Name], err = tx.VersionsByText(KindAutomation, a.Name); err != nil {
				return nil, err
			}
		}
		x := Explanation{
			Automation: a.Name, Version: numbers[a.Name][a.Hash], Hash: a.Hash[:10], Owner: a.Owner, Why: a.Why, EventID: ev.ID, EventType: ev.Type, At: ev.At,
			Mode: a.Mode, Outcome: "not fired", Condition: a.Condition.Source(), Tree: a.Condition.Explain(facts),
		}
		for _, c := range trace.Automations {
			if c.Name == a.Name {
				x.Did = c.Did
				x.Outcome = c.Outcome
				if c.Outcome == decide.Fired {
					if x.NotDone = c.NotDone(); x.NotDone != "" {
						x.Outcome = "would have fired"
					}
					x.Fired = x.NotDone == ""
				}
			}
		}
		for _, leaf := range x.Tree.Leaves() {
			x.Reasons = append(x.Reasons, automation.Said(leaf))
		}
		out = append(out, x)
	}
	return out, nil
}

// addPersonal reads the facts that were not stored because they name a person, from the sealed data.
func (e *Engine) addPersonal(tx *store.Tx, ev store.EventRow, facts decide.Facts) error {
	if ev.Type != "order.placed" {
		return nil
	}
	data, err := event.Decode(ev.Type, []byte(ev.Data))
	if err != nil {
		return err
	}
	p := data.(*event.OrderPlaced)
	if p.Device != "" {
		facts["order.device"] = p.Device
	}
	keys, err := store.Customers(tx, []string{ev.CustomerID})
	if err != nil {
		return err
	}
	pd, err := e.keys.Open(ev.CustomerID, keys[ev.CustomerID].Key, ev.Sealed)
	if err != nil {
		return err
	}
	if pd.Email != "" {
		facts["customer.email"] = pd.Email
	}
	return nil
}
