// Package doctor checks a whole database against what must always hold, whatever
// came in and however often the program was killed: the domain laws of
// docs/architecture.md, read off the stored rows by other means than those that
// wrote them. It only reads, in one consistent picture, row by row.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
)

// Law is the verdict on one law.
type Law struct {
	Name     string `json:"name"`
	Says     string `json:"says"`
	OK       bool   `json:"ok"`
	Checked  int64  `json:"checked"` // rows or things looked at
	Offender string `json:"first_offender"`
	Means    string `json:"means,omitempty"` // to the shop, when it is broken
	Bad      string `json:"how_bad,omitempty"`
	Advice   string `json:"advice,omitempty"` // what to do about it, when it is broken or waits for a person
}

// Report is the verdict on a database.
type Report struct {
	OK   bool  `json:"ok"`
	Laws []Law `json:"laws"`
}

// Viewer is the read side of a store; *store.DB implements it.
type Viewer interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
}

// Check checks every law. With a keyring it also opens a sample of the sealed
// data. The error says that the database could not be read; an offence is in the report.
func Check(ctx context.Context, db Viewer, keys *store.Keyring) (Report, error) {
	var rep Report
	err := db.View(ctx, func(tx *store.Tx) error {
		c := &checker{tx: tx, keys: keys, fold: map[stock.Key]account{}, held: map[stock.Key]int64{}, refunds: map[string]bool{}}
		for _, step := range []func() error{c.file, c.moves, c.orders, c.columns, c.balances, c.events, c.effects, c.due, c.tasks, c.limits, c.runs, c.policy, c.sealed, c.quarantine} {
			if err := step(); err != nil {
				return err
			}
		}
		rep = Report{OK: true, Laws: c.laws}
		for i, l := range c.laws {
			rep.OK = rep.OK && l.OK
			if !l.OK {
				w := said[l.Name]
				rep.Laws[i].Means, rep.Laws[i].Bad, rep.Laws[i].Advice = w.means, w.bad, w.do
			}
		}
		return nil
	})
	return rep, err
}

// account is what one SKU at one location folds to, in units.
type account struct{ available, reserved int64 }

type checker struct {
	tx      *store.Tx
	keys    *store.Keyring
	laws    []Law
	fold    map[stock.Key]account
	held    map[stock.Key]int64 // units that orders still hold
	refunds map[string]bool     // orders with a refund task
}

// law is a law under way.
type law struct {
	c  *checker
	at int
}

func (c *checker) law(name, says string) law {
	c.laws = append(c.laws, Law{Name: name, Says: says, OK: true})
	return law{c, len(c.laws) - 1}
}

func (l law) checked(n int64) { l.c.laws[l.at].Checked += n }

// offend notes an offence; the first is kept.
func (l law) offend(format string, args ...any) {
	if v := &l.c.laws[l.at]; v.OK {
		v.OK, v.Offender = false, fmt.Sprintf(format, args...)
	}
}

// accounts are the two ends that a kind of move may have; "" is any.
var accounts = map[stock.Kind][][2]stock.Bucket{
	stock.Reserve:  {{stock.Available, stock.Reserved}},
	stock.Release:  {{stock.Reserved, stock.Available}},
	stock.Ship:     {{stock.Reserved, stock.Customer}, {stock.Available, stock.Customer}},
	stock.Receive:  {{stock.Supplier, stock.Available}},
	stock.Adjusted: {{stock.Adjust, stock.Available}, {stock.Available, stock.Adjust}},
	stock.Transfer: {{stock.Available, stock.Available}},
	stock.Return:   {{stock.Customer, stock.Available}},
}

// moves folds the ledger in its order.
func (c *checker) moves() error {
	balance := c.law("stock-moves-balance", "every movement takes from one account what it gives to another, of the kinds there are")
	below := c.law("stock-never-below-zero", "no movement takes the available or reserved units of a sellable location below zero")
	apart := c.law("history-is-not-life", "events of the past move stock at the location opening only")
	return c.tx.Each(func(scan func(...any) error) error {
		var seq, ord, qty int64
		var kind, sku, fromLoc, fromBucket, toLoc, toBucket, mode string
		if err := scan(&seq, &ord, &kind, &sku, &qty, &fromLoc, &fromBucket, &toLoc, &toBucket, &mode); err != nil {
			return err
		}
		at := fmt.Sprintf("move %d.%d (%s of %d %s)", seq, ord, kind, qty, sku)
		balance.checked(1)
		below.checked(1)
		known := false
		for _, ends := range accounts[stock.Kind(kind)] {
			known = known || string(ends[0]) == fromBucket && string(ends[1]) == toBucket
		}
		if !known || qty <= 0 {
			balance.offend("%s goes from %s %s to %s %s", at, fromLoc, fromBucket, toLoc, toBucket)
		}
		if mode == string(event.History) {
			apart.checked(1)
			if fromLoc != "" && fromLoc != stock.Opening || toLoc != "" && toLoc != stock.Opening {
				apart.offend("%s is of an event of the past and goes from %q to %q", at, fromLoc, toLoc)
			}
		}
		for _, side := range [2]struct {
			loc, bucket string
			sign        int64
		}{{fromLoc, fromBucket, -1}, {toLoc, toBucket, 1}} {
			if side.loc == "" {
				continue
			}
			k := stock.Key{SKU: sku, Location: side.loc}
			v := c.fold[k]
			if side.bucket == string(stock.Reserved) {
				v.reserved += side.sign * qty
			} else {
				v.available += side.sign * qty
			}
			c.fold[k] = v
			if side.loc != stock.Opening && (v.available < 0 || v.reserved < 0) {
				below.offend("%s leaves %d available and %d reserved at %s", at, v.available, v.reserved, side.loc)
			}
		}
		return nil
	}, `SELECT m.seq, m.ord, m.kind, m.sku, m.qty, m.from_loc, m.from_bucket, m.to_loc, m.to_bucket, e.mode
		FROM stock_move m JOIN event e ON e.seq = m.seq ORDER BY m.seq, m.ord`)
}

// balances compares the projection with the fold and with what orders hold.
func (c *checker) balances() error {
	fold := c.law("stock-is-a-fold", "on hand and reserved are what the ledger adds up to")
	held := c.law("stock-reserved-is-held", "the reserved units of a sellable location are those that open orders hold there")
	orphan := c.law("stock-moves-have-events", "every movement belongs to an event")
	var moves, joined int64
	if err := c.tx.QueryRow("SELECT count(*) FROM stock_move").Scan(&moves); err != nil {
		return err
	}
	if err := c.tx.QueryRow("SELECT count(*) FROM stock_move m JOIN event e ON e.seq = m.seq").Scan(&joined); err != nil {
		return err
	}
	orphan.checked(moves)
	if moves != joined {
		orphan.offend("%d movements belong to no event", moves-joined)
	}
	err := c.tx.Each(func(scan func(...any) error) error {
		var sku, location string
		var onHand, reserved int64
		if err := scan(&sku, &location, &onHand, &reserved); err != nil {
			return err
		}
		fold.checked(1)
		k := stock.Key{SKU: sku, Location: location}
		v := c.fold[k]
		delete(c.fold, k)
		if v.reserved != reserved || v.available+v.reserved != onHand {
			fold.offend("%s at %s: the balance says %d on hand and %d reserved, the ledger %d and %d", sku, location, onHand, reserved, v.available+v.reserved, v.reserved)
		}
		if location == stock.Opening {
			return nil
		}
		held.checked(1)
		if h := c.held[k]; h != reserved {
			held.offend("%s at %s: %d reserved, but orders hold %d", sku, location, reserved, h)
		}
		delete(c.held, k)
		return nil
	}, "SELECT sku, location, on_hand, reserved FROM stock_balance ORDER BY sku, location")
	if err != nil {
		return err
	}
	for _, k := range sorted(c.fold) {
		if v := c.fold[k]; v != (account{}) {
			fold.offend("%s at %s: the ledger says %d available and %d reserved, but there is no balance", k.SKU, k.Location, v.available, v.reserved)
		}
	}
	for _, k := range sorted(c.held) {
		if c.held[k] != 0 {
			held.offend("%s at %s: orders hold %d, but nothing is reserved", k.SKU, k.Location, c.held[k])
		}
	}
	return nil
}

func sorted[V any](m map[stock.Key]V) []stock.Key {
	ks := make([]stock.Key, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Slice(ks, func(i, j int) bool {
		return ks[i].SKU < ks[j].SKU || ks[i].SKU == ks[j].SKU && ks[i].Location < ks[j].Location
	})
	return ks
}

// page is how many orders are in memory at a time.
const page = 500

// orders looks at every order with its events, page by page.
func (c *checker) orders() error {
	path := c.law("order-state-table", "orders move only along the state table, and never out of a terminal state")
	money := c.law("order-money", "refunds never exceed what was captured")
	stranded := c.law("order-refund-open", "a cancelled order whose money was captured has a refund task")
	holds := c.law("order-holds", "a finished order holds no units, and no allocation ships more than it has")
	err := c.tx.Each(func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		c.refunds[id] = true
		return err
	}, "SELECT order_id FROM task WHERE kind = 'refund' AND order_id <> ''")
	if err != nil {
		return err
	}
	for from := ""; ; {
		var ids []string
		err := c.tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM orders WHERE id > $1 ORDER BY id LIMIT $2", from, page)
		if err != nil || len(ids) == 0 {
			return err
		}
		from = ids[len(ids)-1]
		docs, err := store.Orders(c.tx, ids)
		if err != nil {
			return err
		}
		states, err := c.states(ids, path)
		if err != nil {
			return err
		}
		for _, id := range ids {
			o := docs[id].Order
			name := fmt.Sprintf("order %s (%s)", id, o.Short())
			path.checked(1)
			if got := states[id]; got != o.State && (got != "" || o.State != order.Expected) {
				path.offend("%s is %s, but its events lead to %q", name, o.State, got)
			}
			money.checked(1)
			if o.Refunded.Minor > o.Captured.Minor || o.Refunded.Minor < 0 || o.Captured.Minor < 0 {
				money.offend("%s: captured %s, refunded %s", name, o.Captured, o.Refunded)
			}
			if o.State == order.Cancelled && o.Mode == event.Live {
				stranded.checked(1)
				if o.Captured.Minor > o.Refunded.Minor && !c.refunds[id] {
					stranded.offend("%s is cancelled with %s captured and no refund task", name, o.Captured)
				}
			}
			holds.checked(int64(len(o.Allocations)))
			for _, a := range o.Allocations {
				if a.Shipped > a.Qty || a.Shipped < 0 || o.State.Terminal() && a.Shipped != a.Qty {
					holds.offend("%s is %s and has %d of %s at %s, %d shipped", name, o.State, a.Qty, a.SKU, a.Location, a.Shipped)
				}
				if a.Location != stock.Opening && a.Qty != a.Shipped {
					c.held[stock.Key{SKU: a.SKU, Location: a.Location}] += a.Qty - a.Shipped
				}
			}
		}
	}
}

// states follows the orders of a page through the traces of their events and
// returns where each ended.
func (c *checker) states(ids []string, path law) (map[string]order.State, error) {
	end := make(map[string]order.State, len(ids))
	err := c.tx.Each(func(scan func(...any) error) error {
		var id, trace string
		var seq int64
		if err := scan(&id, &seq, &trace); err != nil {
			return err
		}
		if trace == "" {
			return nil
		}
		var t struct{ From, To order.State }
		if err := json.Unmarshal([]byte(trace), &t); err != nil {
			path.offend("event %d has a trace that cannot be read", seq)
			return nil
		}
		if t.To == "" {
			return nil
		}
		was, ok := end[id]
		if !ok {
			was = order.Expected
		}
		if t.From != was {
			path.offend("event %d takes order %s from %s, but it was %s", seq, id, t.From, was)
		}
		if !reaches(t.From, t.To) {
			path.offend("event %d takes order %s from %s to %s, which the state table does not have", seq, id, t.From, t.To)
		}
		end[id] = t.To
		return nil
	}, "SELECT order_id, seq, trace FROM event WHERE order_id >= $1 AND order_id <= $2 AND state = 'decided' ORDER BY order_id, seq", ids[0], ids[len(ids)-1])
	return end, err
}

// reaches reports whether steps of the state table lead from one state to
// another: one event may take several at once (shipped and completed).
func reaches(from, to order.State) bool {
	seen := map[order.State]bool{from: true}
	for queue := []order.State{from}; len(queue) > 0; queue = queue[1:] {
		for _, s := range order.States() {
			if queue[0].CanGo(s) && !seen[s] {
				if s == to {
					return true
				}
				seen[s] = true
				queue = append(queue, s)
			}
		}
	}
	return false
}
