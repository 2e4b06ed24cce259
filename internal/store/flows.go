package store

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Flow is what went one way between a system and the shop on one UTC day.
type Flow struct {
	Day    int64 // since 1970-01-01
	Out    bool  // left the shop; otherwise it came in
	System string
	What   string // event type, or purpose
	Via    string // token that brought it, or automation that asked for it
	N      int64
	Orders int64 // of them about an order
	Minor  int64 // totals of those orders in the shop's currency
	Last   time.Time
}

// FlowDay is the day of a time, as flows count days.
func FlowDay(t time.Time) int64 { return t.Unix() / 86400 }

// settle is how long after it came in an event is surely committed. On PostgreSQL a
// transaction may commit after one that drew a higher number; SQLite has one writer.
const settle = time.Minute

type flowKey struct {
	day               int64
	way               string
	system, what, via string
}

type flowSum struct{ n, orders, minor, last int64 }

// seenEvent is an event as CountFlows needs it.
type seenEvent struct {
	seq, received                   int64
	id, source, typ, actor, orderID string
	depth                           int
}

// CountFlows counts the flows of at most limit events that were not counted yet, and returns how many it
// looked at. Events of inside are no flows, but the effects they caused are. Money counts in one currency.
func (tx *Tx) CountFlows(inside []string, currency string, limit int) (int, error) {
	var mark int64
	if err := tx.QueryRow("UPDATE flow_mark SET seq = seq WHERE one = 1 RETURNING seq").Scan(&mark); err != nil {
		return 0, err
	}
	evs, err := tx.uncounted(mark, limit)
	if err != nil || len(evs) == 0 {
		return 0, err
	}
	byID := make(map[string]*seenEvent, len(evs))
	var orders, ids []string
	for i := range evs {
		e := &evs[i]
		byID[e.id] = e
		ids = append(ids, e.id)
		if e.orderID != "" {
			orders = append(orders, e.orderID)
		}
	}
	slices.Sort(orders)
	orders = slices.Compact(orders)
	totals, err := tx.totals(orders, currency)
	if err != nil {
		return 0, err
	}
	sums := map[flowKey]*flowSum{}
	add := func(k flowKey, at int64, orderID string) {
		k.day = at / 86_400_000_000
		s := sums[k]
		if s == nil {
			s = &flowSum{}
			sums[k] = s
		}
		s.n++
		s.last = max(s.last, at)
		if orderID != "" {
			s.orders++
			s.minor += totals[orderID]
		}
	}
	for i := range evs {
		e := &evs[i]
		if e.depth > 0 || slices.Contains(inside, e.source) {
			continue
		}
		via := ""
		if t, ok := strings.CutPrefix(e.actor, "token:"); ok {
			via = t
		}
		add(flowKey{way: "in", system: e.source, what: e.typ, via: via}, e.received, e.orderID)
	}
	effects := func(query string, keys []string) error {
		return tx.Each(func(scan func(...any) error) error {
			var cause, order string
			var created int64
			k := flowKey{way: "out"}
			if err := scan(&k.system, &k.what, &k.via, &cause, &order, &created); err != nil {
				return err
			}
			if byID[cause] != nil {
				add(k, created, order)
			}
			return nil
		}, "SELECT destination, purpose, automation, event_id, order_id, created FROM effect WHERE "+query, list(keys))
	}
	if err := effects("order_id <> '' AND order_id = ANY($1)", orders); err != nil {
		return 0, err
	}
	if err := effects("order_id = '' AND event_id = ANY($1)", ids); err != nil {
		return 0, err
	}
	if err := tx.addFlows(sums); err != nil {
		return 0, err
	}
	_, err = tx.Exec("UPDATE flow_mark SET seq = $1 WHERE one = 1", evs[len(evs)-1].seq)
	return len(evs), err
}

// uncounted returns the events after a mark, up to the first that may not be alone at its place yet.
func (tx *Tx) uncounted(mark int64, limit int) ([]seenEvent, error) {
	until := micros(tx.now)
	if tx.lite == nil {
		until = micros(tx.now.Add(-settle))
	}
	var out []seenEvent
	over := false
	err := tx.Each(func(scan func(...any) error) error {
		var e seenEvent
		err := scan(&e.seq, &e.id, &e.source, &e.typ, &e.actor, &e.orderID, &e.received, &e.depth)
		if over = over || e.received > until; !over {
			out = append(out, e)
		}
		return err
	}, "SELECT seq, id, source, type, actor, order_id, received, depth FROM event WHERE seq > $1 ORDER BY seq LIMIT $2", mark, limit)
	return out, err
}

// totals are the totals of orders that are in a currency.
func (tx *Tx) totals(ids []string, currency string) (map[string]int64, error) {
	out := map[string]int64{}
	err := tx.Each(func(scan func(...any) error) error {
		var id string
		var n int64
		err := scan(&id, &n)
		out[id] = n
		return err
	}, "SELECT id, total FROM orders WHERE currency = $1 AND id = ANY($2)", currency, list(ids))
	return out, err
}

func (tx *Tx) addFlows(sums map[flowKey]*flowSum) error {
	keys := make([]flowKey, 0, len(sums))
	for k := range sums {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b flowKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.way, b.way), cmp.Compare(a.system, b.system), cmp.Compare(a.what, b.what), cmp.Compare(a.via, b.via))
	})
	flat := make([]any, 0, len(keys)*9)
	for _, k := range keys {
		s := sums[k]
		flat = append(flat, k.day, k.way, k.system, k.what, k.via, s.n, s.orders, s.minor, s.last)
	}
	return tx.bulkFlat("INSERT INTO flow_day (day, way, system, what, via, n, orders, minor, last)", 9,
		`ON CONFLICT (day, way, system, what, via) DO UPDATE SET n = flow_day.n + excluded.n, orders = flow_day.orders + excluded.orders,
		minor = flow_day.minor + excluded.minor, last = CASE WHEN excluded.last > flow_day.last THEN excluded.last ELSE flow_day.last END`, flat)
}

// Flows returns what was counted since a day, the day included.
func (tx *Tx) Flows(since int64) ([]Flow, error) {
	var out []Flow
	err := readEach(tx, func(scan func(...any) error) error {
		var f Flow
		var way string
		var last int64
		err := scan(&f.Day, &way, &f.System, &f.What, &f.Via, &f.N, &f.Orders, &f.Minor, &last)
		f.Out, f.Last = way == "out", readTime(last)
		out = append(out, f)
		return err
	}, "SELECT day, way, system, what, via, n, orders, minor, last FROM flow_day WHERE day >= $1 ORDER BY day, way, system, what, via", since)
	return out, err
}

// AutomationDays is what an automation did since a time.
type AutomationDays struct {
	Considered, Fired int64     // fired and acted
	Last              time.Time // hour of its last firing; zero = none
}

// AutomationTotals returns what every automation did since a time.
func (tx *Tx) AutomationTotals(since time.Time) (map[string]AutomationDays, error) {
	out := map[string]AutomationDays{}
	err := readEach(tx, func(scan func(...any) error) error {
		var name string
		var d AutomationDays
		var last int64
		err := scan(&name, &d.Considered, &d.Fired, &last)
		d.Last = readTime(last)
		out[name] = d
		return err
	}, `SELECT name, CAST(sum(considered) AS BIGINT), CAST(sum(fired) AS BIGINT), coalesce(max(CASE WHEN fired > 0 THEN hour ELSE 0 END), 0) FROM automation_count
		WHERE hour >= $1 GROUP BY name ORDER BY name`, since.UnixMicro())
	return out, err
}

// OpenTasks counts the open tasks by queue and by whom they are assigned to, "" = nobody.
func (tx *Tx) OpenTasks() (queues, people map[string]int64, err error) {
	queues, people = map[string]int64{}, map[string]int64{}
	err = readEach(tx, func(scan func(...any) error) error {
		var queue, who string
		var n int64
		err := scan(&queue, &who, &n)
		queues[queue] += n
		if who != "" {
			people[who] += n
		}
		return err
	}, "SELECT queue, assignee, count(*) FROM task WHERE state IN ('open', 'asked') GROUP BY queue, assignee")
	return queues, people, err
}

// MapSnapshot is the structure of the system map from a time on.
type MapSnapshot struct {
	At     time.Time
	Policy int64
	Hash   string
	Doc    string
}

// PutMapSnapshot keeps a snapshot unless the last one has the same hash, and reports whether it did.
func (tx *Tx) PutMapSnapshot(s MapSnapshot) (bool, error) {
	if _, err := tx.Exec("UPDATE flow_mark SET seq = seq WHERE one = 1"); err != nil { // one node at a time
		return false, err
	}
	last, ok, err := tx.MapAt(time.Time{})
	if err != nil || ok && last.Hash == s.Hash {
		return false, err
	}
	_, err = tx.Exec("INSERT INTO map_snapshot (at, policy, hash, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (at) DO NOTHING", s.At, s.Policy, s.Hash, s.Doc)
	return err == nil, err
}

// MapAt returns the snapshot that was the newest one at a time; the zero time asks for the last of all.
func (tx *Tx) MapAt(at time.Time) (s MapSnapshot, ok bool, err error) {
	var us int64
	if at.IsZero() {
		ok, err = readRow(tx, "SELECT at, policy, hash, doc FROM map_snapshot ORDER BY at DESC LIMIT 1", nil, &us, &s.Policy, &s.Hash, &s.Doc)
	} else {
		ok, err = readRow(tx, "SELECT at, policy, hash, doc FROM map_snapshot WHERE at <= $1 ORDER BY at DESC LIMIT 1", []any{at.UnixMicro()}, &us, &s.Policy, &s.Hash, &s.Doc)
	}
	s.At = readTime(us)
	return s, ok, err
}

// FirstMap returns the oldest snapshot.
func (tx *Tx) FirstMap() (s MapSnapshot, ok bool, err error) {
	var us int64
	ok, err = readRow(tx, "SELECT at, policy, hash, doc FROM map_snapshot ORDER BY at LIMIT 1", nil, &us, &s.Policy, &s.Hash, &s.Doc)
	s.At = readTime(us)
	return s, ok, err
}

// MapTimes returns when the map changed, the newest first.
func (tx *Tx) MapTimes(n int) ([]time.Time, error) {
	var out []time.Time
	err := readEach(tx, func(scan func(...any) error) error {
		var us int64
		err := scan(&us)
		out = append(out, readTime(us))
		return err
	}, "SELECT at FROM map_snapshot ORDER BY at DESC LIMIT $1", n)
	return out, err
}
