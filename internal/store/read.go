package store

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
)

// readProbe, when set by a test, hears every statement of the read models.
var readProbe func(query string)

// readEach runs a query and calls f for each row; f scans it.
func readEach(tx *Tx, f func(scan func(dest ...any) error) error, query string, args ...any) error {
	if readProbe != nil {
		readProbe(query)
	}
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer func() { rows.Close() }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readRow scans the first row of a query and reports whether there was one.
func readRow(tx *Tx, query string, args []any, dest ...any) (found bool, err error) {
	err = readEach(tx, func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	}, query, args...)
	return found, err
}

func readDoc(what, doc string, into any) error {
	if err := json.Unmarshal([]byte(doc), into); err != nil {
		return fault.Wrap(err, fault.Internal, "store.read", "a stored %s cannot be read", what)
	}
	return nil
}

// readTime is a time column as a time; 0 is no time.
func readTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// readArgs collects the arguments of a statement.
type readArgs []any

func (a *readArgs) add(v any) string {
	*a = append(*a, v)
	return "$" + strconv.Itoa(len(*a))
}

func (a *readArgs) list(keys []string) string {
	marks := make([]string, len(keys))
	for i, k := range keys {
		marks[i] = a.add(k)
	}
	return strings.Join(marks, ", ")
}

// OrderByID returns an order with its sealed personal data and the wrapped key
// that opens it ("" after erasure).
func (tx *Tx) OrderByID(id string) (o *order.Order, sealed, key string, err error) {
	var doc string
	found, err := readRow(tx, "SELECT doc, sealed FROM orders WHERE id = $1", []any{id}, &doc, &sealed)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "store.OrderByID", "there is no order %s", id)
	}
	if err != nil {
		return nil, "", "", err
	}
	o = &order.Order{}
	if err := readDoc("order", doc, o); err != nil {
		return nil, "", "", err
	}
	_, err = readRow(tx, "SELECT key FROM customer WHERE id = $1", []any{o.CustomerID}, &key)
	return o, sealed, key, err
}

// CustomerByID returns a customer.
func (tx *Tx) CustomerByID(id string) (*customer.Customer, error) {
	var doc string
	found, err := readRow(tx, "SELECT doc FROM customer WHERE id = $1", []any{id}, &doc)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "store.CustomerByID", "there is no customer %s", id)
	}
	if err != nil {
		return nil, err
	}
	c := &customer.Customer{}
	return c, readDoc("customer", doc, c)
}

// CustomerKeys returns the wrapped data keys of customers, by id.
func (tx *Tx) CustomerKeys(ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		return out, nil
	}
	var a readArgs
	err := readEach(tx, func(scan func(...any) error) error {
		var id, key string
		err := scan(&id, &key)
		out[id] = key
		return err
	}, "SELECT id, key FROM customer WHERE id IN ("+a.list(ids)+")", a...)
	return out, err
}

// LocationList returns every location, by id.
func (tx *Tx) LocationList() ([]catalog.Location, error) {
	var out []catalog.Location
	err := readEach(tx, func(scan func(...any) error) error {
		var doc string
		if err := scan(&doc); err != nil {
			return err
		}
		var l catalog.Location
		err := readDoc("location", doc, &l)
		out = append(out, l)
		return err
	}, "SELECT doc FROM location ORDER BY id")
	return out, err
}

// LocationChanges returns the newest n changes of a location, newest first.
func (tx *Tx) LocationChanges(id string, n int) ([]LocationChange, error) {
	var out []LocationChange
	err := readEach(tx, func(scan func(...any) error) error {
		var c LocationChange
		var at int64
		var doc string
		if err := scan(&c.Rev, &at, &c.Author, &doc); err != nil {
			return err
		}
		c.At = fromMicros(at)
		err := readDoc("location", doc, &c.Location)
		out = append(out, c)
		return err
	}, "SELECT rev, at, author, doc FROM location_change WHERE location = $1 ORDER BY rev DESC LIMIT "+strconv.Itoa(n), id)
	return out, err
}

// SavedFilters returns the filters a person keeps for a page, by name.
func (tx *Tx) SavedFilters(page, userID string) ([]SavedFilter, error) {
	var out []SavedFilter
	err := readEach(tx, func(scan func(...any) error) error {
		s := SavedFilter{Page: page, UserID: userID}
		err := scan(&s.ID, &s.Name, &s.Query)
		out = append(out, s)
		return err
	}, "SELECT id, name, query FROM saved_filter WHERE page = $1 AND user_id = $2 ORDER BY name, id LIMIT 50", page, userID)
	return out, err
}

// PutSavedFilter keeps a filter; one of the same name is replaced.
func (tx *Tx) PutSavedFilter(s SavedFilter) error {
	if _, err := tx.Exec("DELETE FROM saved_filter WHERE page = $1 AND user_id = $2 AND name = $3", s.Page, s.UserID, s.Name); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO saved_filter (id, page, name, query, user_id, created) VALUES ($1, $2, $3, $4, $5, $6)",
		s.ID, s.Page, s.Name, s.Query, s.UserID, tx.Now().UnixMicro())
	return err
}

// DeleteSavedFilter removes a person's own filter.
func (tx *Tx) DeleteSavedFilter(id, userID string) error {
	_, err := tx.Exec("DELETE FROM saved_filter WHERE id = $1 AND user_id = $2", id, userID)
	return err
}

// ConnectionRows returns every connection with how much waits for it and how much it refused.
func (tx *Tx) ConnectionRows() ([]ConnectionRow, error) {
	var out []ConnectionRow
	err := readEach(tx, func(scan func(...any) error) error {
		var c ConnectionRow
		var updated int64
		err := scan(&c.Name, &c.Kind, &c.Config, &updated)
		c.Updated = readTime(updated)
		out = append(out, c)
		return err
	}, "SELECT name, kind, config, updated FROM connection ORDER BY name")
	if err != nil {
		return nil, err
	}
	// Both lists are short in a healthy shop and capped in any other.
	for _, q := range [...]struct {
		where string
		to    func(*ConnectionRow) *Capped
	}{
		{"state IN ('pending', 'claimed')", func(c *ConnectionRow) *Capped { return &c.Waiting }},
		{"state = 'dead'", func(c *ConnectionRow) *Capped { return &c.Dead }},
	} {
		all := int64(0)
		err := readEach(tx, func(scan func(...any) error) error {
			var dest string
			var n int64
			if err := scan(&dest, &n); err != nil {
				return err
			}
			all += n
			for i := range out {
				if out[i].Name == dest {
					q.to(&out[i]).N = n
				}
			}
			return nil
		}, "SELECT destination, count(*) FROM (SELECT destination FROM effect WHERE "+q.where+" LIMIT "+strconv.Itoa(CountCap)+") e GROUP BY destination")
		if err != nil {
			return nil, err
		}
		if all >= CountCap {
			for i := range out {
				q.to(&out[i]).More = q.to(&out[i]).N > 0
			}
		}
	}
	return out, nil
}
