package backtest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"orderly.example/orderly/internal/money"
)

// combo is all orders that the same candidates flagged. There are few of them, so
// that scores and rankings need no list of orders.
type combo struct {
	names       []string
	train, test part
}

// part adds up one part of the history.
type part struct {
	orders, bad      int64
	amount, badMoney sums // of good orders; of disputes
}

func (p *part) add(bad bool, total, disputed money.Amount) {
	if p.amount == nil {
		p.amount, p.badMoney = sums{}, sums{}
	}
	p.orders++
	if !bad {
		p.amount.add(total)
		return
	}
	p.bad++
	p.badMoney.add(disputed)
}

// score files an order under the candidates that flagged it.
func (r *tally) score(e *Entry, fired []*one, total money.Amount) {
	if len(r.bad) == 0 {
		return
	}
	var key strings.Builder
	for _, x := range fired { // in the order of names
		key.WriteString(x.Name)
		key.WriteByte(' ')
	}
	c := r.combos[key.String()]
	if c == nil {
		c = &combo{}
		for _, x := range fired {
			c.names = append(c.names, x.Name)
		}
		r.combos[key.String()] = c
	}
	d, bad := r.bad[e.Subject]
	disputed := d.Amount
	if disputed.Currency == "" {
		disputed = total
	}
	if !r.o.TrainUntil.IsZero() && e.At.Before(r.o.TrainUntil) {
		c.train.add(bad, total, disputed)
	} else {
		c.test.add(bad, total, disputed)
	}
}

// sorted returns the combos in a fixed order.
func (r *tally) sorted() []*combo {
	out := make([]*combo, 0, len(r.combos))
	for _, k := range slices.Sorted(maps.Keys(r.combos)) {
		out = append(out, r.combos[k])
	}
	return out
}

// scored makes a score of the combos that flags says are flagged.
func (r *tally) scored(of func(*combo) *part, flags func(*combo) bool) *Score {
	s := &Score{}
	saved, lost, delayed := sums{}, sums{}, sums{}
	add := func(to, from sums) {
		for cur, n := range from {
			to[cur] += n
		}
	}
	for _, c := range r.sorted() {
		p := of(c)
		s.Orders += p.orders
		s.Bad += p.bad
		if flags(c) {
			s.Flagged += p.orders
			s.Hit += p.bad
			add(saved, p.badMoney)
			add(delayed, p.amount)
		} else {
			add(lost, p.badMoney)
		}
	}
	s.Precision, s.Recall = ratio(s.Hit, s.Flagged), ratio(s.Hit, s.Bad)
	s.Saved, s.Lost, s.Delayed = saved.list(), lost.list(), delayed.list()
	return s
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func testPart(c *combo) *part  { return &c.test }
func trainPart(c *combo) *part { return &c.train }

// scoreOf is the score of one candidate, and that before TrainUntil.
func (r *tally) scoreOf(name string) (test, train *Score) {
	if len(r.combos) == 0 || r.byName[name].On != placed {
		return nil, nil
	}
	flags := func(c *combo) bool { return slices.Contains(c.names, name) }
	if !r.o.TrainUntil.IsZero() {
		train = r.scored(trainPart, flags)
	}
	return r.scored(testPart, flags), train
}

// shares of all orders that a team may be able to review.
var shares = [...]float64{0.02, 0.05}

// prior is how many orders the best single candidate counts for in the rank of a combination.
const prior = 20

// rank says what is found when only a share of the orders can be reviewed. Orders
// are ranked by what flagged them: the precision that the same combination of
// candidates had before TrainUntil, drawn towards that of the best single one of them
// as if it had been seen prior times more. Nothing after TrainUntil takes part.
func (r *tally) rank(t *Together) {
	if len(r.combos) == 0 {
		return
	}
	any := func(c *combo) bool { return len(c.names) > 0 }
	t.Risk = r.scored(testPart, any)
	if r.o.TrainUntil.IsZero() {
		return
	}
	single := map[string]float64{}
	for _, x := range r.list {
		if _, train := r.scoreOf(x.Name); train != nil {
			single[x.Name] = train.Precision
		}
	}
	type ranked struct {
		*combo
		score float64
	}
	var list []ranked
	for _, c := range r.sorted() {
		if !any(c) || c.test.orders == 0 {
			continue
		}
		best := 0.0
		for _, n := range c.names {
			best = max(best, single[n])
		}
		list = append(list, ranked{c, (float64(c.train.bad) + prior*best) / (float64(c.train.orders) + prior)})
	}
	slices.SortStableFunc(list, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	for _, share := range shares {
		k := Ranked{Share: share, Capacity: int64(math.Floor(share * float64(t.Risk.Orders)))}
		for _, c := range list {
			n := min(c.test.orders, k.Capacity-k.Reviewed)
			k.Reviewed += n
			k.Hit += float64(c.test.bad) * float64(n) / float64(c.test.orders)
		}
		if k.Reviewed > 0 {
			k.Precision = k.Hit / float64(k.Reviewed)
		}
		if t.Risk.Bad > 0 {
			k.Recall = k.Hit / float64(t.Risk.Bad)
		}
		t.Ranked = append(t.Ranked, k)
	}
	t.RankedBy = fmt.Sprintf("the precision of the same combination of candidates before %s, drawn towards that of the best single one", r.o.TrainUntil.In(r.zone).Format("2006-01-02 15:04 MST"))
}
