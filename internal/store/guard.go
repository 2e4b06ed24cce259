package store

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
)

// Guards returns the guards of the named automations, and of every one that is
// stopped. An Update holds the named from then on, also those that have no row yet.
func Guards(tx *Tx, names []string) (map[string]*automation.Guard, error) {
	if err := tx.Lock(LockAutomation, names); err != nil {
		return nil, err
	}
	op, arg := tx.in(1, names)
	return tx.guards("stopped > 0 OR name "+op, arg)
}

// AllGuards returns every guard there is.
func (tx *Tx) AllGuards() (map[string]*automation.Guard, error) { return tx.guards("1 = 1") }

func (tx *Tx) guards(where string, args ...any) (map[string]*automation.Guard, error) {
	out := map[string]*automation.Guard{}
	err := tx.Each(func(scan func(...any) error) error {
		var doc string
		if err := scan(&doc); err != nil {
			return err
		}
		g := &automation.Guard{}
		if err := decode("guard", doc, g); err != nil {
			return err
		}
		out[g.Name] = g
		return nil
	}, "SELECT doc FROM automation_guard WHERE "+where, args...)
	return out, err
}

// UpsertGuards writes guards whole.
func UpsertGuards(tx *Tx, guards map[string]*automation.Guard) error {
	flat := make([]any, 0, len(guards)*3)
	for _, name := range sortedKeys(guards) {
		g := guards[name]
		since := int64(0)
		if g.Stop != nil {
			since = max(micros(g.Stop.Since), 1)
		}
		flat = append(flat, name, since, encode(g))
	}
	return tx.bulkFlat("INSERT INTO automation_guard (name, stopped, doc)", 3,
		"ON CONFLICT (name) DO UPDATE SET stopped = excluded.stopped, doc = excluded.doc", flat)
}

// InsertFirings adds firings; one that is there already stays as it is.
func InsertFirings(tx *Tx, rows []automation.Firing) error {
	slices.SortFunc(rows, func(a, b automation.Firing) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return strings.Compare(a.EventID, b.EventID)
	})
	flat := make([]any, 0, len(rows)*11)
	for i := range rows {
		f := &rows[i]
		flat = append(flat, f.Name, micros(f.At), f.EventID, f.OrderID, f.How, f.Round, f.Hour, f.Day, f.Minor, f.PerHour, f.PerDay)
	}
	return tx.bulkFlat("INSERT INTO automation_firing (name, at, event_id, order_id, how, round, hour, day, minor, per_hour, per_day)", 11,
		"ON CONFLICT DO NOTHING", flat)
}

// FiringRow is a firing with its order, for people to look at.
type FiringRow struct {
	At                               time.Time
	How, EventID, OrderID            string
	Channel, Number, State, Currency string // of the order; "" without one
	Total                            int64
	Trace                            string // of the decision
}

// FiringSum is how many firings went one way, on how many orders.
type FiringSum struct {
	How             string
	Firings, Orders int64
	Held, Cancelled int64 // of those orders, how many are held or cancelled now
}

// FiringSums counts an automation's recorded firings of a time, by how they went.
func (tx *Tx) FiringSums(name string, from, to time.Time) ([]FiringSum, error) {
	var out []FiringSum
	err := tx.Each(func(scan func(...any) error) error {
		var s FiringSum
		err := scan(&s.How, &s.Firings, &s.Orders, &s.Held, &s.Cancelled)
		out = append(out, s)
		return err
	}, `SELECT f.how, count(*), count(DISTINCT o.id), count(DISTINCT o.id) FILTER (WHERE o.state = 'held'), count(DISTINCT o.id) FILTER (WHERE o.state = 'cancelled')
		FROM automation_firing f LEFT JOIN orders o ON o.id = f.order_id WHERE f.name = $1 AND f.at >= $2 AND f.at < $3 GROUP BY f.how ORDER BY f.how`,
		name, micros(from), micros(to))
	return out, err
}

// FiringsNotActed returns the newest n firings of a time that did nothing.
func (tx *Tx) FiringsNotActed(name string, from, to time.Time, n int) ([]FiringRow, error) {
	var out []FiringRow
	err := tx.Each(func(scan func(...any) error) error {
		var r FiringRow
		var at int64
		err := scan(&at, &r.How, &r.EventID, &r.OrderID, &r.Channel, &r.Number, &r.State, &r.Currency, &r.Total, &r.Trace)
		r.At = fromMicros(at)
		out = append(out, r)
		return err
	}, `SELECT f.at, f.how, f.event_id, f.order_id, coalesce(o.channel, ''), coalesce(o.number, ''), coalesce(o.state, ''), coalesce(o.currency, ''), coalesce(o.total, 0), coalesce(e.trace, '')
		FROM automation_firing f LEFT JOIN orders o ON o.id = f.order_id LEFT JOIN event e ON e.id = f.event_id
		WHERE f.name = $1 AND f.at >= $2 AND f.at < $3 AND f.how <> 'acted' ORDER BY f.at DESC, f.event_id DESC LIMIT $4`,
		name, micros(from), micros(to), n)
	return out, err
}

// SubjectStory returns the newest n events about a subject that is no order, the newest first.
func (tx *Tx) SubjectStory(subject string, n int) ([]EventRow, error) {
	return tx.eventRows("SELECT "+eventCols+" FROM event WHERE subject = $1 AND order_id = '' ORDER BY seq DESC LIMIT $2", subject, n)
}
