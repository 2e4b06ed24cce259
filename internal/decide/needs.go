package decide

import (
	"sort"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// What a decision reads is named here, in three rounds, because what the later
// ones need stands in the rows of the earlier ones. The engine loads each round
// for a whole group of events in a few bulk reads; Decide never queries.

// First is what the event itself names.
type First struct {
	Orders     []string
	Customers  []string
	Tasks      []string // ids: the engine resolves them to their subjects and orders first
	Subjects   []string // all tasks of these subjects
	Effects    []string // all effects of these orders
	Velocities []VelocityQuery
	Keys       []string // velocity keys this event will be counted under
	Runs       []string // runs that are about no order
	Ended      []string // runs that may have ended
}

// NeedsFirst names the order, customer and velocity rows of an event.
func NeedsFirst(ev event.Event, pol *Policy, at time.Time) First {
	var n First
	orderID := ""
	switch p := ev.Data.(type) {
	case *event.OrderPlaced:
		orderID = ev.Subject
		n.Customers = append(n.Customers, ev.Who.Customer)
		for _, v := range pol.Automations.Velocities(ev.Type) {
			if q, ok := VelocityOf(ev.Who, v, at); ok {
				n.Velocities = append(n.Velocities, q)
			}
		}
		for _, k := range [...]string{customerKey(ev.Who), ev.Who.Address, ev.Who.Device, ev.Who.IP} {
			if k != "" {
				n.Keys = append(n.Keys, k)
			}
		}
	case *event.TaskDecided:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.TaskAssigned:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.TaskOverdue:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.ReturnReceived:
		if p.Order != "" {
			orderID = ev.Subject
		}
		n.Subjects = append(n.Subjects, "return:"+p.Channel+":"+p.Number)
	case *event.EffectFailed:
		orderID = p.Order
		n.Subjects = append(n.Subjects, deadSubject(p), event.DestinationSubject(p.Destination))
	case *event.IncidentRaised:
		n.Subjects = append(n.Subjects, p.Subject)
	case *event.IncidentRecovered:
		n.Subjects = append(n.Subjects, p.Subject)
	case *event.IncidentAcknowledged:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.IncidentSnoozed:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.IncidentUnanswered:
		n.Tasks = append(n.Tasks, p.Task)
	case *event.RunDue:
		if orderID = p.Order; orderID == "" {
			n.Runs = append(n.Runs, p.Run)
		}
	case *event.RunRetried:
		n.Ended = append(n.Ended, p.Run, RetryID(p.Run))
		if orderID = p.Order; orderID == "" {
			n.Runs = append(n.Runs, p.Run)
		}
	case *event.CallAnswered:
		if orderID = p.Order; orderID == "" {
			n.Runs = append(n.Runs, p.Run)
		}
	case *event.AbsenceDue:
		orderID = p.Order
	default:
		if IsOrderSubject(ev.Type) {
			orderID = ev.Subject
		}
	}
	if orderID != "" {
		n.Orders = append(n.Orders, orderID)
		n.Subjects = append(n.Subjects, orderID)
		switch ev.Type {
		case "order.paid":
			n.Subjects = append(n.Subjects, overpaidSubject(orderID))
		case "payment.disputed":
			n.Subjects = append(n.Subjects, disputeSubject(orderID))
		}
		if ev.Type != "order.placed" {
			n.Effects = append(n.Effects, orderID)
		}
	}
	return n
}

// IsOrderSubject reports whether the subject of events of a type is an order.
func IsOrderSubject(typ string) bool {
	switch typ {
	case "order.placed", "order.paid", "payment.disputed", "order.cancelled", "order.completed", "order.hold_requested", "order.release_requested",
		"order.reroute_requested", "order.accepted", "order.ready", "order.unfillable", "shipment.shipped", "shipment.rejected",
		"shipment.labelled", "shipment.scanned", "shipment.delivered":
		return true
	}
	return false
}

// NeedsTask names what follows from a task: its subject's other tasks, its order and that order's effects.
func NeedsTask(t *task.Task) First {
	n := First{Subjects: []string{t.Subject}}
	if t.OrderID != "" {
		n.Orders, n.Effects, n.Subjects = []string{t.OrderID}, []string{t.OrderID}, append(n.Subjects, t.OrderID)
	}
	return n
}

// Second is what the loaded orders name.
type Second struct {
	Customers []string
	Products  []string
}

// NeedsSecond names the customer of the event's order and the products it concerns.
func NeedsSecond(snap *Snapshot, ev event.Event) Second {
	var n Second
	addOrder := func(o *order.Order) {
		if o == nil {
			return
		}
		if o.CustomerID != "" {
			n.Customers = append(n.Customers, o.CustomerID)
		}
		for _, l := range o.Lines {
			n.Products = append(n.Products, l.SKU)
		}
		for _, a := range o.Allocations {
			n.Products = append(n.Products, a.SKU)
		}
	}
	switch p := ev.Data.(type) {
	case *event.OrderPlaced:
		for _, l := range p.Lines {
			n.Products = append(n.Products, l.SKU)
		}
	case *event.ReturnReceived:
		for _, l := range p.Lines {
			n.Products = append(n.Products, l.SKU)
		}
		addOrder(snap.Orders[ev.Subject])
	case *event.ShipmentShipped:
		for _, l := range p.Lines {
			n.Products = append(n.Products, l.SKU)
		}
		addOrder(snap.Orders[ev.Subject])
	case *event.StockReceived:
		n.Products = append(n.Products, p.SKU)
	case *event.StockCounted:
		n.Products = append(n.Products, p.SKU)
	case *event.StockAdjusted:
		n.Products = append(n.Products, p.SKU)
	case *event.StockTransferred:
		n.Products = append(n.Products, p.SKU)
	case *event.StockLow:
		n.Products = append(n.Products, p.SKU)
	case *event.TaskDecided:
		addOrder(snap.orderOfTask(p.Task))
	case *event.TaskAssigned:
		addOrder(snap.orderOfTask(p.Task))
	case *event.TaskOverdue:
		addOrder(snap.orderOfTask(p.Task))
	case *event.EffectFailed:
		addOrder(snap.Orders[p.Order])
	default:
		addOrder(snap.Orders[ev.Subject])
	}
	return n
}

func (s *Snapshot) orderOfTask(id string) *order.Order {
	for _, ts := range s.Tasks {
		for _, t := range ts {
			if t.ID == id {
				return s.Orders[t.OrderID]
			}
		}
	}
	return nil
}

// Components names the SKUs of the kits among the loaded products of a list, so
// that those products and all balances can be loaded.
func Components(snap *Snapshot, skus []string) []string {
	var out []string
	for _, sku := range skus {
		for _, c := range snap.Products[sku].Components {
			out = append(out, c.SKU)
		}
	}
	return out
}

// Third is what the loaded stock names.
type Third struct {
	Days      []LocationDay
	Waiting   []string    // SKUs whose waiting orders to load (ids only)
	Reserving []stock.Key // keys whose reserving orders to load whole, newest first
}

// NeedsThird names location days of candidates with a capacity, and for stock events the orders concerned.
func NeedsThird(snap *Snapshot, ev event.Event, pol *Policy, at time.Time, skus []string) Third {
	var n Third
	seen := map[string]bool{}
	for _, sku := range skus {
		for _, b := range snap.Stock[sku] {
			if loc := pol.Locations[b.Location]; loc.Capacity > 0 && !seen[loc.ID] {
				seen[loc.ID] = true
				n.Days = append(n.Days, LocationDay{Location: loc.ID, Day: at.In(pol.zone(loc)).Format(time.DateOnly)})
			}
		}
	}
	sort.Slice(n.Days, func(i, j int) bool { return n.Days[i].Location < n.Days[j].Location })
	if ev.Mode == event.History {
		return n
	}
	short := func(k stock.Key, onHand func(stock.Balance) int64) {
		for _, b := range snap.Stock[k.SKU] {
			if b.Key == k && onHand(b) < b.Reserved {
				n.Reserving = append(n.Reserving, k)
			}
		}
	}
	switch p := ev.Data.(type) {
	case *event.StockReceived:
		n.Waiting = append(n.Waiting, p.SKU)
	case *event.StockTransferred:
		n.Waiting = append(n.Waiting, p.SKU)
	case *event.ReturnReceived:
		for _, l := range p.Lines {
			n.Waiting = append(n.Waiting, l.SKU)
		}
	case *event.StockCounted:
		n.Waiting = append(n.Waiting, p.SKU)
		short(stock.Key{SKU: p.SKU, Location: p.Location}, func(stock.Balance) int64 { return p.OnHand })
	case *event.StockAdjusted:
		n.Waiting = append(n.Waiting, p.SKU)
		short(stock.Key{SKU: p.SKU, Location: p.Location}, func(b stock.Balance) int64 { return b.OnHand + p.Delta })
	}
	return n
}
