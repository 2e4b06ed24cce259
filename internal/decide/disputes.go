package decide

import (
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// disputed keeps that a payment was charged back or that the order was fraud, and
// gives a person the case. The money stays as it is recorded: what becomes of it is their decision.
func (d *decider) disputed(p *event.PaymentDisputed) error {
	o := d.changeOrder(p.Channel, p.Number)
	ref := p.Reference
	if ref == "" {
		ref = d.ev.Key
	}
	for _, have := range o.Disputes {
		if have.Reference == ref {
			d.note("dispute %s is known; nothing changes", ref)
			d.out.Order = nil
			return nil
		}
	}
	amount := p.Amount
	if amount.Currency == "" {
		amount = o.Total
	}
	o.Disputes = append(o.Disputes, order.Dispute{Reference: ref, Reason: p.Reason, Amount: amount, At: d.at})
	d.note("payment disputed%s", because(p.Reason))
	if d.live {
		d.openTask(disputeSubject(o.ID), task.Task{
			Kind: task.General, Queue: "finance", OrderID: o.ID, Title: "The payment of order " + o.Short() + " is disputed",
			Options: []string{"accepted", "contested"}, Owner: d.pol.Settings.OpsOwner, Amount: amount,
			Reasons: []task.Reason{{Text: amount.String() + " is disputed" + because(p.Reason)}},
		}, 48*time.Hour)
	}
	d.runAutomations()
	return nil
}

func disputeSubject(orderID string) string { return "dispute:" + orderID }

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
