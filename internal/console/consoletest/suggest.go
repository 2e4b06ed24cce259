package consoletest

import (
	"context"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/suggest"
)

// Suggester finds patterns in made-up decisions about the sample shop's own orders: small orders of
// the web shop were approved but for one, orders with two addresses and a large total rejected.
type Suggester struct{ DB *store.DB }

// Suggestions implements console.Suggester.
func (s Suggester) Suggestions(ctx context.Context) (*suggest.Report, []store.Verdict, error) {
	t := suggest.NewTable()
	var said []store.Verdict
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		page, err := tx.OrdersPage(store.OrderFilter{Limit: 400})
		if err != nil {
			return err
		}
		for i, r := range page.Rows {
			o, _, _, err := tx.OrderByID(r.ID)
			if err != nil {
				return err
			}
			t.Add(decided(o, i))
		}
		said, err = tx.Verdicts()
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	r := suggest.Find(t, suggest.Options{})
	var open []*suggest.Suggestion
	for _, x := range r.Suggestions {
		if find(said, x.Key) == nil {
			open = append(open, x)
		}
	}
	r.Suggestions = open
	return r, said, nil
}

func find(vs []store.Verdict, key string) *store.Verdict {
	for i := range vs {
		if vs[i].Key == key {
			return &vs[i]
		}
	}
	return nil
}

func decided(o *order.Order, i int) suggest.Case {
	c := suggest.Case{
		ID: o.ID, Number: o.Number, At: o.PlacedAt, Money: o.Total, Queue: "risk", By: []string{"Alex Sample", "Robin Sample"}[i%2],
		Facts: rule.Map{
			"order.total": o.Total, "order.addresses_differ": o.AddressesDiffer, "order.channel": o.Channel, "order.units": o.Units(),
			"order.shipping.country": o.Shipping.Country, "order.payment": o.Payment, "customer.account_age": time.Duration(i%90) * 24 * time.Hour,
		},
		Outcome: []string{suggest.Approve, suggest.Reject}[i%2],
	}
	switch {
	case o.Total.Minor < 10_000:
		c.Outcome = suggest.Approve
		if i%60 == 7 {
			c.Outcome = suggest.Reject
		}
	case i%90 < 30:
		c.Outcome = suggest.Reject
	}
	return c
}

// AcceptSuggestion implements console.Suggester.
func (s Suggester) AcceptSuggestion(ctx context.Context, key, when, owner, reason string) (string, error) {
	x, err := s.shown(ctx, key, when)
	if err != nil {
		return "", err
	}
	return x.Name, s.DB.Update(ctx, func(tx *store.Tx) error {
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		texts, err := tx.Policy(rev)
		if err != nil {
			return err
		}
		texts = append(texts, store.Text{Kind: "automation", Name: x.Name, Text: x.Text(owner)})
		if _, _, err := tx.PutPolicy(texts, owner, reason); err != nil {
			return err
		}
		return tx.PutVerdict(store.Verdict{
			Key: key, Accepted: true, Sentence: x.Sentence, Condition: when, Cases: x.All.Cases, Agreed: x.All.Agreed, Automation: x.Name, Author: owner, Reason: reason,
		})
	})
}

// RefuseSuggestion implements console.Suggester.
func (s Suggester) RefuseSuggestion(ctx context.Context, key, when, by, reason string) error {
	x, err := s.shown(ctx, key, when)
	if err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		return tx.PutVerdict(store.Verdict{Key: key, Sentence: x.Sentence, Condition: when, Cases: x.All.Cases, Agreed: x.All.Agreed, Author: by, Reason: reason})
	})
}

func (s Suggester) shown(ctx context.Context, key, when string) (*suggest.Suggestion, error) {
	r, _, err := s.Suggestions(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range r.Suggestions {
		if x.Key == key && x.When == when {
			return x, nil
		}
	}
	return nil, fault.New(fault.Conflict, "consoletest", "the suggestion has changed with newer decisions; look at it again. Nothing was done")
}
