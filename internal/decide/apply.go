package decide

import (
	"slices"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/task"
)

// Apply makes the snapshot what the decision left, so that the next event of
// the same group is decided against it. The store writes the same changes in bulk.
func (s *Snapshot) Apply(d *Decision) {
	for _, o := range append(d.Others, d.Order) {
		if o != nil {
			s.Orders[o.ID] = o
			s.applyReservations(o)
		}
	}
	if d.Customer != nil {
		s.Customers[d.Customer.ID] = d.Customer
	}
	for _, run := range d.Runs {
		s.PutRun(run)
	}
	for _, b := range d.Balances {
		bs := s.Stock[b.SKU]
		i, found := slices.BinarySearchFunc(bs, b, func(x, y stock.Balance) int {
			switch {
			case x.Location < y.Location:
				return -1
			case x.Location > y.Location:
				return 1
			}
			return 0
		})
		bs = slices.Clone(bs) // a decision still being traced may hold the old ones
		if found {
			bs[i] = b
		} else {
			bs = slices.Insert(bs, i, b)
		}
		s.Stock[b.SKU] = bs
	}
	for sku, low := range d.Low {
		p := s.Products[sku]
		p.Low = low
		s.Products[sku] = p
	}
	for _, t := range d.Tasks {
		ts := s.Tasks[t.Subject]
		i := slices.IndexFunc(ts, func(have *task.Task) bool { return have.ID == t.ID })
		if i >= 0 {
			ts = slices.Clone(ts)
			ts[i] = t
		} else {
			ts = append(slices.Clone(ts), t)
		}
		s.Tasks[t.Subject] = ts
	}
	for _, e := range d.Effects {
		if e.OrderID == "" || slices.ContainsFunc(s.Effects[e.OrderID], func(have effect.Effect) bool { return have.ID == e.ID }) {
			continue
		}
		s.Effects[e.OrderID] = append(slices.Clone(s.Effects[e.OrderID]), e)
	}
	for _, id := range slices.Concat(d.Withdraw, d.Settle) {
		for order, es := range s.Effects {
			if i := slices.IndexFunc(es, func(e effect.Effect) bool { return e.ID == id }); i >= 0 {
				es = slices.Clone(es)
				es[i].State = effect.Cancelled
				s.Effects[order] = es
				break
			}
		}
	}
	for _, id := range d.Unwait {
		for sku, ids := range s.Waiting {
			if i := slices.Index(ids, id); i >= 0 {
				s.Waiting[sku] = slices.Delete(slices.Clone(ids), i, i+1)
			}
		}
	}
	for _, w := range d.Wait {
		if !slices.Contains(s.Waiting[w.SKU], w.OrderID) {
			s.Waiting[w.SKU] = append(slices.Clone(s.Waiting[w.SKU]), w.OrderID)
		}
	}
	for _, g := range d.Guards {
		s.Guards[g.Name] = g
	}
	for _, m := range d.Marks {
		s.marks[m.Key] = append(s.marks[m.Key], m.At)
	}
	for _, day := range d.Days {
		s.Days[day]++
	}
}

// applyReservations keeps the loaded lists of reserving orders current.
func (s *Snapshot) applyReservations(o *order.Order) {
	if len(s.Reserving) == 0 {
		return
	}
	for _, a := range o.Allocations {
		k := stock.Key{SKU: a.SKU, Location: a.Location}
		if ids, loaded := s.Reserving[k]; loaded && !slices.Contains(ids, o.ID) {
			s.Reserving[k] = slices.Insert(slices.Clone(ids), 0, o.ID)
		}
	}
}
